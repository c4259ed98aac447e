//! The network's books, without a network.

use super::*;
use crate::card_network::plan::Decline;
use crate::cipher::{CardCipher, MacForm};

const CARD: &str = "6230606601007726888";
const AT_FIRST: i64 = 100_000;

struct Books {
    ledger: Ledger,
    plan: CardPlan,
    zone: Zone,
}

fn books() -> Books {
    let plan = CardPlan { decline: vec![Decline { amount: 5_151, code: "51".into() }], ..CardPlan::default() };
    let zone = Zone::new(CardCipher::Sm4, MacForm::Cbc, crate::card_network::SANDBOX_ZONE_MASTER).unwrap();
    Books { ledger: Ledger::new(jiff::civil::date(2026, 3, 5), AT_FIRST), plan, zone }
}

/// A request of this trace: message type, F3, F25, fen, and the original's type and trace.
fn fields(trace: u32, processing: &str, amount: i64, original: Option<(&str, u32)>) -> Fields {
    let mut fields = Fields::new();
    for (number, content) in [
        (2, CARD.to_owned()),
        (3, processing.to_owned()),
        (4, format!("{amount:012}")),
        (7, "0305090000".to_owned()),
        (11, format!("{trace:06}")),
        (32, "48021000".to_owned()),
        (33, "48021000".to_owned()),
        (37, format!("{trace:012}")),
    ] {
        fields.insert(number, content.into_bytes());
    }
    if let Some((mti, trace)) = original {
        let member = format!("{:0>11}", "48021000");
        fields.insert(90, format!("{mti}{trace:06}0305090000{member}{member}").into_bytes());
    }
    fields
}

impl Books {
    fn ask(&mut self, mti: &[u8; 4], fields: &Fields) -> String {
        text(&self.ledger.ask(*mti, fields, &self.plan, &self.zone), 39).to_owned()
    }

    fn reverse(&mut self, mti: &str, trace: u32) -> String {
        text(&self.ledger.reverse(&fields(900_000 + trace, "000000", 0, Some((mti, trace)))), 39).to_owned()
    }

    fn balance(&self) -> i64 {
        self.ledger.balance(CARD)
    }
}

#[test]
fn a_code_pays_once_and_what_follows_names_the_original() {
    let mut books = books();
    let by_code = |trace, code: &str| {
        let mut fields = fields(trace, "000000", 10_000, None);
        fields.remove(&2);
        fields.insert(59, format!("A3{:03}{code}", code.len()).into_bytes());
        fields
    };
    let code = books.ledger.show_code(CARD);
    assert_eq!((code.len(), code.starts_with("62")), (19, true));
    assert_eq!(books.ask(b"0200", &by_code(1, &code)), "00");
    assert_eq!((books.ask(b"0200", &by_code(2, &code)).as_str(), books.balance()), ("14", 90_000), "it is used up");
    assert_eq!(books.ask(b"0200", &by_code(1, &code)), "00", "the same message again");
    assert_eq!(books.ask(b"0200", &by_code(3, "6200000000000000000")), "14");
    let without = |trace, mti, processing| {
        let mut fields = fields(trace, processing, 10_000, Some((mti, 1)));
        fields.remove(&2);
        fields
    };
    assert_eq!((books.ask(b"0200", &without(4, "0200", "200000")).as_str(), books.balance()), ("00", 100_000));
    let code = books.ledger.show_code(CARD);
    assert_eq!(books.ask(b"0200", &by_code(5, &code)), "00");
    assert_eq!((books.reverse("0200", 5).as_str(), books.balance()), ("00", 100_000));
}

#[test]
fn a_name_is_carried_out_once_and_reversed_once() {
    let mut books = books();
    assert_eq!(books.reverse("0200", 1), "25");
    let sale = fields(1, "000000", 10_000, None);
    assert_eq!((books.ask(b"0200", &sale), books.ask(b"0200", &sale)), ("00".into(), "00".into()));
    assert_eq!(books.balance(), AT_FIRST - 10_000);
    assert_eq!((books.reverse("0200", 1), books.reverse("0200", 1)), ("00".into(), "00".into()));
    assert_eq!(books.balance(), AT_FIRST);
    let totals = books.ledger.totals();
    assert_eq!((totals.reversed, totals.reversals_of_nothing, totals.taken_count), (1, 2, 0));
    assert_eq!(books.ledger.file("48021000").lines().count(), 2);
}

#[test]
fn results_of_scripts_are_kept_once_with_their_transaction() {
    let mut books = books();
    let report = |trace, results: Option<&[u8]>, of| {
        let mut fields = fields(trace, "000000", 10_000, Some(("0200", of)));
        fields.extend(results.map(|results| (55, results.to_vec())));
        fields
    };
    let told = |books: &mut Books, fields: &Fields| text(&books.ledger.report(fields), 39).to_owned();
    let results = [0xDF, 0x31, 5, 0x20, 0, 0, 0, 1];
    assert_eq!(told(&mut books, &report(2, Some(&results), 1)), "25");
    books.ask(b"0200", &fields(1, "000000", 10_000, None));
    assert_eq!(told(&mut books, &report(3, None, 1)), "30");
    for trace in [4, 5] {
        assert_eq!(told(&mut books, &report(trace, Some(&results), 1)), "00", "again is the same");
    }
    assert_eq!(told(&mut books, &report(6, Some(&results[..7]), 1)), "94");
    assert_eq!(books.ledger.shown()[0].scripts.as_deref(), Some("DF31052000000001"));
    assert_eq!(books.balance(), AT_FIRST - 10_000);
}

#[test]
fn a_void_undoes_its_sale_and_its_reversal_brings_it_back() {
    let mut books = books();
    books.ask(b"0200", &fields(1, "000000", 10_000, None));
    assert_eq!(books.ask(b"0200", &fields(2, "200000", 9_999, Some(("0200", 1)))), "64");
    assert_eq!(books.ask(b"0200", &fields(3, "200000", 10_000, Some(("0200", 1)))), "00");
    assert_eq!((books.balance(), books.reverse("0200", 1)), (AT_FIRST, "12".into()));
    assert_eq!((books.reverse("0200", 3), books.balance()), ("00".into(), AT_FIRST - 10_000));
}

#[test]
fn a_completion_takes_what_was_held_and_its_reversal_holds_it_again() {
    let mut books = books();
    assert_eq!(books.ask(b"0100", &fields(1, "030000", 60_000, None)), "00");
    assert_eq!(books.ask(b"0200", &fields(2, "000000", 50_000, None)), "51");
    assert_eq!(books.ask(b"0200", &fields(3, "000000", 40_000, Some(("0100", 1)))), "00");
    assert_eq!((books.balance(), books.ledger.issuers.available(CARD)), (60_000, 60_000));
    assert_eq!(books.ask(b"0200", &fields(5, "000000", 1, Some(("0100", 1)))), "25");
    assert_eq!(books.reverse("0200", 3), "00");
    assert_eq!((books.balance(), books.ledger.issuers.available(CARD)), (AT_FIRST, 40_000));
    assert_eq!(books.ask(b"0100", &fields(4, "200000", 60_000, Some(("0100", 1)))), "00");
    assert_eq!(books.ledger.issuers.available(CARD), AT_FIRST);
}

#[test]
fn what_stands_is_in_the_file_a_sale_with_its_tip_in_one_line() {
    let mut books = books();
    books.ask(b"0200", &fields(1, "000000", 20_000, None));
    books.ask(b"0220", &fields(2, "000000", 2_000, Some(("0200", 1))));
    books.ask(b"0220", &fields(3, "200000", 5_000, Some(("0200", 1))));
    assert_eq!(books.ask(b"0200", &fields(4, "000000", 5_151, None)), "51");
    let file = books.ledger.file("48021000");
    let lines: Vec<&str> = file.lines().collect();
    assert_eq!(
        lines[..3],
        ["00|ZM|1|2026-03-05|48021000", "10|000000000001|in|22000|84", "10|000000000003|out|5000|20"]
    );
    assert!(lines[3].starts_with("99|2|22000|5000|64|"), "{}", lines[3]);
    let totals = books.ledger.totals();
    assert_eq!((totals.taken, totals.given, totals.declined), (22_000, 5_000, 1));
    assert_eq!(books.balance(), AT_FIRST - 22_000 + 5_000);
}

#[test]
fn a_pin_is_looked_at_where_there_is_one() {
    let mut books = books();
    let mut sale = fields(1, "000000", 10_000, None);
    sale.insert(52, vec![7; 16]);
    assert_eq!(books.ask(b"0200", &sale), "55");
    assert_eq!(books.balance(), AT_FIRST);
}
