//! Clearing files: the golden ones, each of their bits, and parts that do not fit together.

use std::fs;
use std::sync::Arc;

use channels::registry::CHANNELS;
use channels::{Channel, ChannelError, LineKind, Statement, StatementPart, Totals, Verified};
use domain::attempt::attempt_of_serial;
use serde_json::json;

use crate::fixture;

const KEY: [u8; 32] = {
    let mut key = [0; 32];
    let mut index = 0;
    while index < 32 {
        key[index] = index as u8;
        index += 1;
    }
    key
};

fn bank() -> Arc<dyn Channel> {
    bank_on("epcc")
}

fn bank_on(rail: &str) -> Arc<dyn Channel> {
    let key = ark::MacKey::from_bytes(KEY).to_hex();
    channels::by_name("sandbox_bank", &json!({ "rail": rail, "institution": "lintel", "key": key.expose() })).unwrap()
}

fn golden(channel: &str, name: &str) -> Vec<u8> {
    let path = fixture::folder(channel).join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
}

/// The text with a trailer of the bank.
fn sealed(text: &str) -> Vec<u8> {
    let hexadecimal = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let tag = ark::MacKey::from_bytes(KEY).mac().update(b"FILE\n").update(text.as_bytes()).finish();
    let count = text.lines().filter(|line| line.starts_with("D|")).count();
    format!("{text}T|{count}|{}|{}\n", hexadecimal(ark::sm3(text.as_bytes())), hexadecimal(tag)).into_bytes()
}

fn read(name: &str) -> Verified<StatementPart> {
    bank().statement(&golden("sandbox_bank", name)).unwrap()
}

#[test]
fn the_lines_of_a_file() {
    let part = read("clearing_1_of_1.clr");
    assert_eq!((part.part, part.parts, part.date.to_string()), (1, 1, String::from("2026-03-05")));
    assert_eq!(part.totals, Totals { in_count: 2, in_sum: 997_000, out_count: 2, out_sum: 617_000 });
    assert_eq!(part.totals.net(), 380_000);
    let lines: Vec<_> =
        part.lines.iter().map(|line| (attempt_of_serial(&line.serial).unwrap().0, line.kind, line.amount)).collect();
    let expected = [
        (42, LineKind::Debit, 500_000),
        (44, LineKind::Refund, 120_000),
        (45, LineKind::Pay, 497_000),
        (45, LineKind::Return, 497_000),
    ];
    assert_eq!(lines, expected);
    assert_eq!(part.lines[3].reference, "R2026030500000000000000450000045");
    assert!(part.lines.iter().all(|line| line.clearing_date == part.date && line.currency == part.currency));
}

#[test]
fn parts_make_the_whole() {
    let whole = Statement::assemble(vec![read("clearing_1_of_1.clr")]).unwrap().into_inner();
    let parts = || vec![read("clearing_1_of_2.clr"), read("clearing_2_of_2.clr")];
    assert_eq!(Statement::assemble(parts()).unwrap().into_inner(), whole);

    let refused = |parts: Vec<Verified<StatementPart>>| match Statement::assemble(parts) {
        Err(ChannelError::Incomplete(reason)) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(Vec::new()), "there is no part");
    assert_eq!(refused(vec![read("clearing_1_of_2.clr")]), "1 of 2 parts are there");
    assert_eq!(refused(vec![read("clearing_2_of_2.clr")]), "the first is part 2, not 1");
    assert!(refused(vec![read("clearing_1_of_2.clr"), read("clearing_1_of_2.clr")]).starts_with("part 1 of 2026"));
    assert!(refused(vec![read("clearing_1_of_1.clr"), read("clearing_2_of_2.clr")]).starts_with("part 2 of 2026"));
    assert!(refused(parts().into_iter().rev().collect()).starts_with("the first"));
}

#[test]
fn an_empty_day_has_a_file() {
    let fund = fixture::of(&CHANNELS[1]).remove(0).channel;
    let part = fund.statement(&golden("sandbox_fund", "clearing_empty.clr")).unwrap();
    assert_eq!((part.lines.len(), part.totals), (0, Totals::default()));
}

/// One bit of any byte, one byte less, one more: refused, for every file of every channel.
#[test]
fn a_file_that_was_touched_is_refused() {
    for entry in CHANNELS.iter().filter(|entry| !fixture::files(entry.name, "clr").is_empty()) {
        let channel =
            fixture::of(entry).into_iter().find(|one| !one.path.ends_with("debit_unionpay.txt")).unwrap().channel;
        for path in fixture::files(entry.name, "clr") {
            let file = fs::read(&path).unwrap();
            channel.statement(&file).unwrap();
            for index in 0..file.len() {
                let mut touched = file.clone();
                touched[index] ^= 1;
                assert!(channel.statement(&touched).is_err(), "{}, byte {index}", path.display());
                assert!(channel.statement(&file[..index]).is_err(), "{}, cut at {index}", path.display());
            }
            assert!(channel.statement(&[&*file, b"\n"].concat()).is_err());
        }
    }
}

const HEADER: &str = "H|LINTEL-CLEARING-1|sandbox_bank|epcc|2026-03-05|CNY|1|1|1|500|0|0\n";
const LINE: &str = "D|2026030500000000000000420000042|debit|500|B42\n";

/// A file can be the bank's own and wrong all the same.
#[test]
fn a_signed_file_that_is_wrong_is_refused_by_its_line() {
    bank().statement(&sealed(&format!("{HEADER}{LINE}"))).unwrap();
    let wrong = [
        (format!("{LINE}{HEADER}"), "line 1"),
        (format!("{HEADER}{HEADER}"), "line 2"),
        (HEADER.to_owned(), "header"),
        (format!("{HEADER}{LINE}{LINE}"), "header"),
        (HEADER.replace("|500|", "|501|") + LINE, "header"),
        (HEADER.replace("|1|1|1|", "|2|1|1|") + LINE, "line 1"),
        (HEADER.replace("|1|1|1|", "|0|1|1|") + LINE, "line 1"),
        (HEADER.replace("|500|", "|0500|") + LINE, "line 1"),
        (HEADER.replace("epcc", "unionpay") + LINE, "line 1"),
        (HEADER.replace("CLEARING-1", "CLEARING-2") + LINE, "line 1"),
        (HEADER.replace("CNY", "XXX") + LINE, "line 1"),
        (HEADER.replace("03-05", "02-30") + LINE, "line 1"),
        (HEADER.to_owned() + &LINE.replace("debit", "gift"), "line 2"),
        (HEADER.to_owned() + &LINE.replace("|500|", "|0|"), "line 2"),
        (HEADER.to_owned() + &LINE.replace("|500|", "|-500|"), "line 2"),
        (HEADER.to_owned() + &LINE.replace("|500|", "|+500|"), "line 2"),
        (HEADER.to_owned() + &LINE.replace("|500|", "|5.00|"), "line 2"),
        (HEADER.to_owned() + &LINE.replace("|500|", "|99999999999999999999|"), "line 2"),
        (HEADER.to_owned() + &LINE.replace("|2026", "|026"), "line 2"),
        (HEADER.to_owned() + &LINE.replace("B42", ""), "line 2"),
        (HEADER.to_owned() + &LINE.replace("B42", "B42|more"), "line 2"),
    ];
    for (text, expected) in wrong {
        match bank().statement(&sealed(&text)) {
            Err(ChannelError::Format { place, .. }) => assert_eq!(place, expected, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn sums_beyond_64_bits_are_refused() {
    let max = i64::MAX;
    let line = LINE.replace("|500|", &format!("|{max}|"));
    let file =
        sealed(&format!("{}{line}{}", HEADER.replace("|1|500|", &format!("|2|{max}|")), line.replace("42|d", "43|d")));
    assert!(matches!(bank().statement(&file), Err(ChannelError::Format { place, .. }) if place == "header"));
}

#[test]
fn a_line_that_is_there_twice_is_refused() {
    let header = HEADER.replace("|1|500|", "|2|1000|");
    let part = bank().statement(&sealed(&format!("{header}{LINE}{LINE}"))).unwrap();
    let error = Statement::assemble(vec![part]).unwrap_err();
    assert!(error.to_string().contains("debit of serial 2026030500000000000000420000042 is there twice"), "{error}");
}

#[test]
fn a_part_has_at_most_5000_lines() {
    let file = |count: usize| {
        let header = HEADER.replace("|1|500|", &format!("|{count}|{}|", count * 500));
        let lines = (0..count).map(|index| LINE.replace("|B42", &format!("|B{index}")));
        sealed(&(header + &lines.collect::<String>()))
    };
    bank().statement(&file(5_000)).unwrap();
    assert!(matches!(bank().statement(&file(5_001)), Err(ChannelError::Format { place, .. }) if place == "lines"));
}

#[test]
fn a_file_of_another_rail_or_key_is_refused() {
    let file = golden("sandbox_bank", "clearing_1_of_1.clr");
    assert!(
        matches!(bank_on("unionpay").statement(&file), Err(ChannelError::Format { place, .. }) if place == "line 1")
    );
    let config = json!({ "rail": "epcc", "institution": "lintel", "key": "ff".repeat(32) });
    let other = channels::by_name("sandbox_bank", &config).unwrap();
    assert!(matches!(other.statement(&file), Err(ChannelError::Signature { .. })));
}
