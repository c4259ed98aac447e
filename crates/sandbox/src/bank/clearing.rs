//! The clearing file of a day that is over, in parts. `docs/sandbox.md` describes the format.

use std::fmt::Write as _;

use ark::{MacKey, sm3};
use jiff::civil::Date;

use super::body::reference;
use super::days::Part;
use super::names::{House, Rail, Verb};
use super::order::CURRENCY;
use super::sign;

/// No part has more lines.
pub const LINES_MAX: usize = 5_000;

/// Which part of which file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Which {
    pub(crate) house: House,
    pub(crate) rail: Rail,
    pub(crate) date: Date,
    pub(crate) part: usize,
}

/// Writes a part, with its trailer.
pub(crate) fn write(key: &MacKey, which: Which, part: &Part) -> Vec<u8> {
    let Which { house, rail, date, part: number } = which;
    let totals = part.totals;
    let mut text = format!(
        "H|LINTEL-CLEARING-1|{}|{}|{date}|{CURRENCY}|{number}|{}|{}|{}|{}|{}\n",
        house.channel(),
        rail.name(),
        part.parts,
        totals.in_count,
        totals.in_sum,
        totals.out_count,
        totals.out_sum
    );
    for line in &part.lines {
        let kind = kind_of(line.verb);
        let reference = reference(rail, line.verb, line.serial);
        writeln!(text, "D|{}|{kind}|{}|{reference}", line.serial, line.amount).expect("a String takes every text");
    }
    let hash = hex::encode(sm3(text.as_bytes()));
    let signature = sign::file(key, text.as_bytes());
    writeln!(text, "T|{}|{hash}|{signature}", part.lines.len()).expect("a String takes every text");
    text.into_bytes()
}

/// A line's word: money that a payer paid at a page is a debit as any other.
pub(crate) fn kind_of(verb: Option<Verb>) -> &'static str {
    match verb {
        None => "return",
        Some(Verb::Redirect) => Verb::Debit.name(),
        Some(verb) => verb.name(),
    }
}
