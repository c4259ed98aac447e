//! EPCC's daily file (对账文件), in parts, as the fixtures show it. Its real layout is not public.
//!
//! ```text
//! EPCC-DAY-1|institution|date|CNY|part|parts|in count|in sum|out count|out sum        sums of all parts
//! BatchId|TrxId|TrxTp|TrxStatus|TrxAmt|RtnId                                          04 and a RtnId: it came back
//! {S:base64}                                                                          over every byte before it
//! ```

use std::fmt::Write as _;

use jiff::civil::Date;

use super::super::clearing::LINES_MAX;
use super::super::days::{FileLine, NoFile, Part};
use super::super::names::{Rail, Verb};
use super::message::{amount_text, signed};
use super::{Asked, Bank, RETURNS, Refused, SANDBOX_EPCC_INSTITUTION, Said, batch, codes, return_id};

impl Bank {
    /// 311: one part of a day that is over.
    pub(super) fn epcc_file(&self, asked: &Asked) -> Result<Said, Refused> {
        let wrong = |field: &'static str| move |_| Refused::Field(field);
        let date: Date =
            asked.body("FileInf/FileDt")?.parse().map_err(|_: jiff::Error| Refused::Field("FileInf/FileDt"))?;
        let number: usize = asked.body("FileInf/FilePt")?.parse().map_err(wrong("FileInf/FilePt"))?;
        Ok(match self.days.part(date, Rail::Epcc, number, LINES_MAX) {
            Ok(part) => Said::Message(signed(&self.epcc.keys, &self.epcc_lines(date, number, &part))),
            Err(NoFile::NotReady) => Said::NotReady,
            Err(NoFile::NoPart) => Said::NoPart,
        })
    }

    fn epcc_lines(&self, date: Date, number: usize, part: &Part) -> String {
        let (totals, parts) = (part.totals, part.parts);
        let mut text = format!(
            "EPCC-DAY-1|{SANDBOX_EPCC_INSTITUTION}|{date}|CNY|{number}|{parts}|{}|{}|{}|{}\n",
            totals.in_count,
            amount_text(totals.in_sum),
            totals.out_count,
            amount_text(totals.out_sum)
        );
        for FileLine { serial, verb, amount } in &part.lines {
            let digits = self.epcc.transaction(*serial).map_or_else(|| "0001".to_owned(), |known| known.digits);
            let (digits, status, returned) = match verb {
                Some(_) => (digits.as_str(), "00", String::new()),
                None => (RETURNS, "04", return_id(*serial)),
            };
            let asked = codes::types(verb.unwrap_or(Verb::Pay)).map_or("", |(asked, _)| asked);
            let (batch, amount) = (batch(date, digits), amount_text(*amount));
            writeln!(text, "{batch}|{serial}|{asked}|{status}|{amount}|{returned}").expect("a String takes every text");
        }
        text
    }
}
