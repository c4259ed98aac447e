//! A file that does not add up is not published.

use super::*;

const TEMPLATE: &str = "
header = ['one', 'two']
trailer = ['end']
[[columns]]
title = 's'
field = 'subject'
[[columns]]
title = 'd'
field = 'debit'
[[columns]]
title = 'c'
field = 'credit'
";
const FILE: &str = "one\r\ntwo\r\ns,d,c\r\n1121,50.00,\r\n2201,,49.90\r\n2291,,0.10\r\nend\r\n";

fn moved() -> Turnovers {
    let line =
        |subject: u16, debit, credit| (("RESERVE".to_owned(), subject, "CNY".to_owned()), Sides { debit, credit });
    [line(1121, 5_000, 0), line(2201, 0, 4_990), line(2291, 0, 10)].into_iter().collect()
}

fn said(template: &str, file: &str, rows: u64, moved: &Turnovers) -> Result<(), String> {
    let template = Template::parse(template).unwrap();
    check(&template, file.as_bytes(), rows, moved).map_err(|error| format!("{error:#}"))
}

#[test]
fn a_file_that_adds_up_passes() {
    assert_eq!(said(TEMPLATE, FILE, 3, &moved()), Ok(()));
}

#[test]
fn a_cent_or_a_row_more_or_less_is_found() {
    let cases = [
        (
            FILE.replace("49.90", "49.91"),
            "2201 CNY: the file says debits 0 and credits 4991, the trial balance 0 and 4990",
        ),
        (FILE.replace("2291,,0.10\r\n", ""), "is no decimal number"),
        (FILE.replace("2291,,0.10\r\n", "2291,,0.10\r\n2291,,0.10\r\n"), "2 rows follow the last entry"),
        (FILE.replace("2291", "2292"), "2291 CNY"),
        (FILE.replace("50.00,", ",50.00"), "1121 CNY"),
        (FILE.replace("50.00,", "50.00,1.00"), "both a debit and a credit"),
        (FILE.replace("end\r\n", ""), "0 rows follow the last entry"),
    ];
    for (file, expected) in cases {
        let said = said(TEMPLATE, &file, 3, &moved()).unwrap_err();
        assert!(said.contains(expected) || said.contains("has no column"), "{expected}: {said}");
    }
    assert!(said(TEMPLATE, FILE, 2, &moved()).is_err());
}

#[test]
fn without_a_column_of_subjects_the_sums_alone_are_compared() {
    let template = "columns = [{ title = 'a', field = 'signed' }]\n[file]\ndecimal_mark = ','\ntitles = false";
    let file = "\"50,00\"\r\n\"-49,90\"\r\n\"-0,10\"\r\n";
    assert_eq!(said(template, file, 3, &moved()), Ok(()));
    assert!(said(template, &file.replace("49,90", "49,80"), 3, &moved()).unwrap_err().contains("credits 4990"));
    let template =
        "columns = [{ title = 'b', field = 'side' }, { title = 'a', field = 'amount' }]\n[file]\ntitles = false";
    assert_eq!(said(template, "debit,50.00\r\ncredit,50.00\r\n", 2, &moved()), Ok(()));
}
