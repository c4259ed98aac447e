//! A statement as CSV: columns, quotes, decimals, and what Excel needs.

use domain::ids::{AccountId, MerchantId};
use domain::money::Currency;
use domain::voucher::{BusinessNumber, Dimensions};
use history::csv::{CsvFormat, statement_csv};
use history::{Line, Statement};

use crate::model::{Ledger, day, noon};

fn statement() -> Statement {
    let mut ledger = Ledger::default();
    ledger.transfer(day(0), 2, 1, 123_456);
    let mut entry = ledger.entries[1].clone();
    entry.posted_at = noon(day(0));
    entry.business = BusinessNumber::Text("=1+1, \"rent\"".into());
    entry.dimensions = Some(Box::new(Dimensions {
        legal_entity: Some(3),
        product: Some("@home".to_owned()),
        region: Some(110_105),
        channel: None,
        merchant: Some(MerchantId(9)),
        clearing_date: Some(day(1)),
    }));
    let lines = vec![Line { entry, balance: 123_400 }];
    Statement {
        account: AccountId(1),
        from: day(0),
        to: day(0),
        opening: -56,
        lines,
        closing: 123_400,
        count: 1,
        next: None,
    }
}

const EXPECTED: &str = "\
row,account,currency,date,number,posted_at,voucher,event,business,counterpart,side,amount_minor,amount,\
balance_minor,balance,product,region,channel,merchant,clearing_date,legal_entity\r\n\
opening,acc_1,CNY,2026-03-05,,,,,,,,,,-56,-0.56,,,,,,\r\n\
entry,acc_1,CNY,2026-03-05,1,2026-03-05T12:00:00.000+08:00,vch_1,transfer,\"=1+1, \"\"rent\"\"\",acc_2,credit,\
123456,1234.56,123400,1234.00,@home,110105,,mch_9,2026-03-06,3\r\n\
closing,acc_1,CNY,2026-03-05,,,,,,,,,,123400,1234.00,,,,,,\r\n";

#[test]
fn a_statement_reads_as_a_table() {
    let csv = statement_csv(&statement(), CsvFormat { currency: Currency::Cny, for_excel: false });
    assert_eq!(csv, EXPECTED);
    for row in ["opening", "closing"] {
        let row = csv.lines().find(|line| line.starts_with(row)).unwrap();
        assert_eq!(row.split(',').count(), csv.lines().next().unwrap().split(',').count());
    }
}

#[test]
fn excel_gets_a_byte_order_mark_and_no_formula() {
    let csv = statement_csv(&statement(), CsvFormat { currency: Currency::Cny, for_excel: true });
    let expected = EXPECTED.replace("\"=1+1", "\"'=1+1").replace("@home", "'@home");
    assert_eq!(csv, format!("\u{feff}{expected}"));
}

#[test]
fn a_currency_without_decimals_has_none() {
    let csv = statement_csv(&statement(), CsvFormat { currency: Currency::Jpy, for_excel: false });
    assert!(csv.contains(",123456,123456,123400,123400,"));
}
