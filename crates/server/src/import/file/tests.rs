//! Small files of every kind: each bad row is rejected alone, with its line and a reason.

use super::*;

const COLUMNS: &str = "account = 'acc'\ndate = 'day'";
const REST: &str = "[date]\nform = 'YYYY-MM-DD'\n[books]\ncurrency = 'CNY'\nsubject = 9201\ncontra = 9101\n";

fn format(file: &str, columns: &str, amount: &str) -> Format {
    let head = "stream = 's'\nfirst_day = '2026-03-05'\n";
    Format::parse(&format!("{head}[file]\n{file}\n[columns]\n{columns}\n[amount]\n{amount}\n{REST}")).unwrap()
}

/// One signed column.
fn signed() -> Format {
    format("", &format!("{COLUMNS}\namount = 'sum'\nreference = 'id'"), "unit = 'decimal'\nsign = 'signed'")
}

/// Line, account, way and amount of each row that reads.
fn taken(contents: &Contents) -> Vec<(u64, &str, Way, Minor)> {
    contents.rows.iter().map(|row| (row.line, &*row.account, row.way, row.amount)).collect()
}

fn reasons(contents: &Contents) -> Vec<(u64, &str)> {
    contents.rejected.iter().map(|row| (row.line, row.reason.as_str())).collect()
}

#[test]
fn signed_amounts_say_which_way() {
    let text = "id,day,acc,sum\n1,2026-03-05,A,10.50\n2,2026-03-06,A,-0.50\n3,2026-03-05,B,+7\n";
    let contents = parse(text.as_bytes(), &signed()).unwrap();
    assert_eq!(taken(&contents), [(2, "A", Way::In, 1_050), (3, "A", Way::Out, 50), (4, "B", Way::In, 700)]);
    assert_eq!((contents.read, contents.rejected.len()), (3, 0));
    assert_eq!(contents.rows[1].date.to_string(), "2026-03-06");
    assert_eq!(contents.rows[2].reference.as_deref(), Some("3"));
}

#[test]
fn two_columns_hold_one_amount_a_row() {
    let columns = format!("{COLUMNS}\nin = 'in'\nout = 'out'");
    let format = format("delimiter = ';'", &columns, "unit = 'minor'\nsign = 'two_columns'");
    let text =
        "day;acc;in;out\n2026-03-05;A;100;\n2026-03-05;A;0;30\n2026-03-05;A;1;1\n2026-03-05;A;;\n2026-03-05;A;-1;\n";
    let contents = parse(text.as_bytes(), &format).unwrap();
    assert_eq!(taken(&contents), [(2, "A", Way::In, 100), (3, "A", Way::Out, 30)]);
    assert_eq!(
        reasons(&contents),
        [
            (4, "it has an amount in both columns, in and out"),
            (5, "the amount is zero; nothing moved"),
            (6, "the amount is below zero, and the row says already which way it went"),
        ]
    );
}

#[test]
fn words_say_which_way_and_others_are_rejected() {
    let columns = format!("{COLUMNS}\namount = 'sum'\nkind = 'k'");
    let format = format("", &columns, "unit = 'decimal'\nsign = 'kind'\nin = ['收入']\nout = ['支出', '取现']");
    let text = "day,acc,sum,k\n2026-03-05,A,5,收入\n2026-03-05,A,2,取现\n2026-03-05,A,1,转账\n2026-03-05,A,-1,支出\n";
    let contents = parse(text.as_bytes(), &format).unwrap();
    assert_eq!(taken(&contents), [(2, "A", Way::In, 500), (3, "A", Way::Out, 200)]);
    assert_eq!(reasons(&contents)[0], (4, "the kind '转账' is in neither list of [amount]"));
    assert!(reasons(&contents)[1].1.contains("below zero"));
}

#[test]
fn quotes_and_marks_are_read_as_the_format_says() {
    let columns = format!("{COLUMNS}\namount = 'sum'\nproduct = 'p'");
    let amount = "unit = 'decimal'\nsign = 'signed'\ndecimal_mark = ','\ngroup_mark = '.'";
    let format = format("delimiter = ';'\nquote = \"'\"", &columns, amount);
    let text = "day;acc;sum;p\r\n2026-03-05;'A; 1';'1.234,5';'it''s'\r\n\r\n2026-03-05; B ;-0,01;\r\n";
    let contents = parse(text.as_bytes(), &format).unwrap();
    assert_eq!(taken(&contents), [(2, "A; 1", Way::In, 123_450), (4, "B", Way::Out, 1)]);
    assert_eq!(contents.rows[0].product.as_deref(), Some("it's"));
    assert_eq!(contents.rows[1].product, None);
}

#[test]
fn other_encodings_and_a_byte_order_mark_are_read() {
    let text = "日期,账号,金额\n2026-03-05,甲,1\n";
    let columns = "account = '账号'\ndate = '日期'\namount = '金额'";
    let of = |encoding: &str| format(&format!("encoding = '{encoding}'"), columns, "unit = 'decimal'\nsign = 'signed'");
    let (gb18030, ..) = encoding_rs::GB18030.encode(text);
    let with_mark = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    for (bytes, encoding) in [(&gb18030[..], "gb18030"), (&with_mark, "utf-8"), (text.as_bytes(), "utf-8")] {
        assert_eq!(taken(&parse(bytes, &of(encoding)).unwrap()), [(2, "甲", Way::In, 100)], "{encoding}");
    }
    // One byte that is none of the encoding rejects its row alone.
    let broken = b"id,day,acc,sum\n1,2026-03-05,A\xff,1\n2,2026-03-05,A,1\n";
    let contents = parse(broken, &signed()).unwrap();
    assert_eq!((taken(&contents).len(), reasons(&contents)), (1, vec![(2, "it holds bytes that are no utf-8")]));
}

#[test]
fn every_bad_row_is_rejected_alone_with_its_line() {
    let long = "x".repeat(65);
    let cases = [
        ("1,2026-03-05,A,", "is no decimal number"),
        ("1,2026-03-05,A,ten", "is no decimal number"),
        ("1,2026-03-05,A,1.005", "more decimals than the 2 of CNY"),
        ("1,2026-03-05,A,92233720368547758.08", "leaves the range of 64-bit"),
        ("1,2026-03-05,A,-92233720368547758.08", "leaves the range of 64-bit"),
        ("1,2026-03-05,A,0.00", "the amount is zero"),
        ("1,2026-03-04,A,1", "2026-03-04 is before the first day 2026-03-05"),
        ("1,2026-02-30,A,1", "there is no date 2026-02-30"),
        ("1,,A,1", "is not of the form"),
        ("1,2026-03-05,,1", "the account '' is not"),
        ("\"1\",2026-03-05,\"A\nB\",1", "is not 1 to 64 bytes on one line (the row goes on to line 3"),
        (&format!("1,2026-03-05,{long},1"), "is not 1 to 64 bytes"),
        (",2026-03-05,A,1", "it has no reference"),
        ("1,2026-03-05,A", "it has 3 fields, and the header 4"),
        ("1,2026-03-05,A,1,x", "it has 5 fields, and the header 4"),
    ];
    for (row, expected) in cases {
        let text = format!("id,day,acc,sum\n{row}\n9,2026-03-05,A,1\n");
        let contents = parse(text.as_bytes(), &signed()).unwrap();
        assert_eq!((contents.read, taken(&contents).len()), (2, 1), "{row}");
        let found = reasons(&contents);
        assert!(found.len() == 1 && found[0].0 == 2 && found[0].1.contains(expected), "{row}: {found:?}");
    }
}

#[test]
fn a_reference_stands_once() {
    let text = "id,day,acc,sum\n7,2026-03-05,A,1\n8,2026-03-05,A,1\n7,2026-03-06,B,2\n";
    let contents = parse(text.as_bytes(), &signed()).unwrap();
    assert_eq!(taken(&contents).len(), 2);
    assert_eq!(reasons(&contents), [(4, "the reference '7' stands on line 2 already")]);
}

#[test]
fn a_quote_that_is_not_closed_says_how_far_it_swallowed() {
    let text = "id,day,acc,sum\n1,2026-03-05,\"A,1\n2,2026-03-05,A,1\n3,2026-03-05,A,1\n";
    let contents = parse(text.as_bytes(), &signed()).unwrap();
    assert_eq!((contents.read, contents.rows.len()), (1, 0));
    assert!(reasons(&contents)[0].1.contains("goes on to line 4"), "{:?}", reasons(&contents));
}

#[test]
fn columns_may_be_counted() {
    let columns = "account = 2\ndate = 1\namount = 3";
    let format = format("header = false\ndelimiter = \"\\t\"", columns, "unit = 'minor'\nsign = 'signed'");
    let contents = parse(b"2026-03-05\tA\t5\n2026-03-05\tA\n", &format).unwrap();
    assert_eq!(taken(&contents), [(1, "A", Way::In, 5)]);
    assert_eq!(reasons(&contents), [(2, "it has 2 fields, and 'amount' is column 3")]);
}

#[test]
fn an_empty_file_has_no_rows_and_one_without_the_columns_is_refused() {
    let said = |text: &str| format!("{:#}", parse(text.as_bytes(), &signed()).unwrap_err());
    assert!(said("").contains("no column is called"));
    assert!(said("id,day,acc\n").contains("no column is called 'sum'; the header has id, day, acc"));
    assert!(said("id,day,acc,sum,sum\n").contains("two columns are called 'sum'"));
    assert_eq!(parse(b"id,day,acc,sum\n", &signed()).unwrap(), Contents::default());
}
