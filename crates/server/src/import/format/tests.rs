//! What a format file may not say.

use super::*;

const GOOD: &str = "
stream = 'old'
first_day = '1993-01-01'
[columns]
account = 'a'
date = 'd'
amount = 's'
[date]
form = 'YYMMDD'
pivot = 70
[amount]
unit = 'decimal'
sign = 'signed'
[books]
currency = 'CZK'
subject = 9201
overdraft = true
contra = 9101
";

#[test]
fn a_short_format_has_defaults() {
    let format = Format::parse(GOOD).unwrap();
    assert_eq!((format.days, format.file.delimiter, format.file.header), (Days::Calendar, ',', true));
    assert_eq!((format.books.owner, format.books.event), (Owner::Institution, EventCode::Imported));
    assert_eq!(format.sign, Sign::Signed);
}

#[test]
fn the_worked_example_reads() {
    let format = Format::parse(include_str!("../../../../../docs/import/berka.toml")).unwrap();
    assert_eq!((format.stream.as_str(), format.first_day.to_string().as_str()), ("berka", "1993-01-01"));
    assert_eq!((format.books.subject.code(), format.books.contra.code(), format.books.overdraft), (9201, 9101, true));
}

#[test]
fn overdraft_is_refused_where_no_account_may_be_overdrawn() {
    for code in [2201, 2202, 2203, 2206] {
        let text = GOOD.replace("9201", &code.to_string()).replace("9101", "1121");
        let error = Format::parse(&text).unwrap_err().to_string();
        assert!(error.contains("never overdrawn"), "{error}");
        Format::parse(&text.replace("overdraft = true", "")).unwrap();
    }
    Format::parse(&GOOD.replace("9201", "2251").replace("9101", "1121")).unwrap();
}

#[test]
fn contradictions_are_named() {
    let cases = [
        ("'old'", "''", "stream is ''"),
        ("'old'", "'a/b'", "stream is 'a/b'"),
        ("'1993-01-01'", "'930101'", "first_day"),
        ("subject = 9201", "subject = 2204", "subject is 2204"),
        ("subject = 9201", "subject = 2291", "subject is 2291"),
        ("subject = 9201", "subject = 1", "no subject of the chart"),
        ("contra = 9101", "contra = 1121", "lies in CUSTODY and contra 1121 in RESERVE"),
        ("contra = 9101", "contra = 9201", "contra is 9201"),
        ("contra = 9101", "contra = 1101", "contra is 1101"),
        ("'CZK'", "'XYZ'", "no books are kept in 'XYZ'"),
        ("contra = 9101", "contra = 9101\nowner = 'me'", "owner is 'me'"),
        ("contra = 9101", "contra = 9101\nevent = 'gift'", "event 'gift'"),
        ("pivot = 70", "", "take a pivot"),
        ("'signed'", "'two_columns'", "takes the columns 'in' and 'out'"),
        ("'signed'", "'kind'", "takes the columns 'amount' and 'kind'"),
        ("'signed'", "'signed'\nin = ['x']", "go with sign = \"kind\" alone"),
        ("amount = 's'", "amount = 's'\nkind = 'k'", "none of 'kind'"),
        ("amount = 's'", "amount = 0", "counted from 1"),
        ("[columns]", "[file]\nheader = false\n[columns]", "has no header"),
        ("[columns]", "[file]\nencoding = 'klingon'\n[columns]", "encoding is 'klingon'"),
        ("[columns]", "[file]\ndelimiter = '，'\n[columns]", "one ASCII character"),
        ("[columns]", "[file]\ndelimiter = '\"'\n[columns]", "they must differ"),
        ("[columns]", "colour = 'red'\n[columns]", "colour"),
    ];
    for (from, to, expected) in cases {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let error = format!("{:#}", Format::parse(&text).unwrap_err());
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn a_word_means_in_or_out() {
    let kind = GOOD.replace("amount = 's'", "amount = 's'\nkind = 'k'");
    let of = |words: &str| Format::parse(&kind.replace("sign = 'signed'", &format!("sign = 'kind'\n{words}")));
    of("in = ['C']\nout = ['D']").unwrap();
    assert!(of("in = ['C']\nout = ['D', 'C']").unwrap_err().to_string().contains("'C' stands in both lists"));
    assert!(of("in = ['C']").unwrap_err().to_string().contains("takes the words"));
}
