//! A fund's monthly batch: the golden files, each of their bits, files that do not add up, and settings.

use std::fs;
use std::sync::Arc;

use channels::registry::CHANNELS;
use channels::{Batch, BatchRow, Channel, ChannelError, by_name};
use domain::attempt::FailureClass;
use domain::fund_batch::FundRoute;
use serde_json::json;

use crate::fixture;

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const SERIALS: [&str; 3] =
    ["2026030500000000000000510000051", "2026030500000000000000520000052", "2026030500000000000000530000053"];

fn fund() -> Arc<dyn Channel> {
    by_name("sandbox_fund", &json!({ "institution": "lintel", "key": KEY })).unwrap()
}

fn golden(name: &str) -> Vec<u8> {
    let path = fixture::folder("sandbox_fund").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
}

const ROWS: [BatchRow<'_>; 3] = [
    BatchRow { serial: SERIALS[0], contract: "LEASE-77", amount: 600_000 },
    BatchRow { serial: SERIALS[1], contract: "LEASE-78", amount: 500_000 },
    BatchRow { serial: SERIALS[2], contract: "LEASE-79", amount: 400_000 },
];

fn batch<'a>(rows: &'a [BatchRow<'a>]) -> Batch<'a> {
    let date = "2026-03-05".parse().unwrap();
    Batch { number: "B202603050001", city: "310000", period: "2026-03", date, rows }
}

/// The text with the centre's trailer.
fn sealed(text: &str) -> Vec<u8> {
    let key = ark::MacKey::from_hex(KEY).unwrap();
    let hexadecimal = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let tag = key.mac().update(b"FUND-RESULT\n").update(text.as_bytes()).finish();
    let count = text.lines().filter(|line| line.starts_with("D|")).count();
    format!("{text}T|{count}|{}|{}\n", hexadecimal(ark::sm3(text.as_bytes())), hexadecimal(tag)).into_bytes()
}

#[test]
fn the_instruction_is_the_golden_bytes_every_time() {
    for _ in 0..2 {
        let request = fund().build_batch(&batch(&ROWS)).unwrap();
        assert_eq!(request.body(), golden("batch_instruction.fbt"));
        let shown = fixture::shown_request(&request);
        let head = "POST /fund/v1/batch\ncontent-type: text/plain; charset=utf-8\nx-institution: lintel\n\
                    x-nonce: batch-B202603050001---\n\
                    x-signature: a74ef5fc615160fa0ce7f06b6ba8af1f1131f1fed35105a0b2557c47245531b4\n";
        assert!(shown.starts_with(head), "{shown}");
    }
    let asked = fund().build_batch_result("B202603050001", "0123456789abcdef").unwrap();
    let shown = fixture::shown_request(&asked);
    assert!(shown.starts_with("GET /fund/v1/batch-result?number=B202603050001\n"), "{shown}");
    assert!(shown.contains("5e5719d4e4b41f41f2f46084dc692d8a6aa3addd827645d492ed40d86c1f430b"), "{shown}");
    assert!(matches!(fund().build_batch_result("B 1", "0123456789abcdef"), Err(ChannelError::Subject { .. })));
    assert!(matches!(fund().build_batch_result("B1", "short"), Err(ChannelError::Nonce(5))));
    for contract in ["", "LEASE|77", "LEASE 77", "租约"] {
        let rows = [BatchRow { contract, ..ROWS[0] }];
        assert!(matches!(fund().build_batch(&batch(&rows)), Err(ChannelError::Subject { field: "contract", .. })));
    }
    let rows = [BatchRow { amount: i64::MAX, ..ROWS[0] }, ROWS[1]];
    assert!(matches!(fund().build_batch(&batch(&rows)), Err(ChannelError::Subject { field: "sum", .. })));
}

#[test]
fn each_kind_of_row_is_read() {
    let result = fund().batch_result(&golden("batch_result.fbt")).unwrap().into_inner();
    assert_eq!((result.city.as_str(), result.number.as_str()), ("310000", "B202603050001"));
    assert_eq!(result.date.to_string(), "2026-03-05");
    let rows: Vec<_> = result
        .rows
        .iter()
        .map(|row| (row.serial.as_str(), row.contract.as_str(), row.applied, row.result.paid, row.result.class))
        .collect();
    let user = Some(FailureClass::User);
    assert_eq!(
        rows,
        [
            (SERIALS[0], "LEASE-77", 600_000, 600_000, None),
            (SERIALS[1], "LEASE-78", 500_000, 200_000, user),
            (SERIALS[2], "LEASE-79", 400_000, 0, user),
        ]
    );
    assert_eq!(result.rows[0].result.reference, format!("F{}", SERIALS[0]));
    assert!(result.rows.iter().all(|row| row.period == "2026-03"));
    assert!(!format!("{result:?}").contains("310***"), "whose fund it is is kept nowhere");
    for (name, count) in [("batch_result_missing.fbt", 1), ("batch_result_twice.fbt", 4)] {
        assert_eq!(fund().batch_result(&golden(name)).unwrap().rows.len(), count, "{name}");
    }
}

#[test]
fn a_byte_that_is_changed_is_noticed() {
    let file = golden("batch_result.fbt");
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut changed = file.clone();
            changed[at] ^= 1 << bit;
            // Hexadecimal digits may be written large.
            let same = changed.eq_ignore_ascii_case(&file) && file[..at].split(|byte| *byte == b'\n').count() == 5;
            assert!(same || fund().batch_result(&changed).is_err(), "byte {at}, bit {bit}");
        }
    }
    for end in 0..file.len() {
        assert!(fund().batch_result(&file[..end]).is_err(), "cut at {end}");
    }
    let other = by_name("sandbox_fund", &json!({ "institution": "lintel", "key": KEY.replace('0', "1") })).unwrap();
    assert!(matches!(other.batch_result(&file), Err(ChannelError::Signature { .. })));
}

#[test]
fn a_file_that_does_not_add_up_is_refused_whole_though_it_is_signed() {
    let text = String::from_utf8(golden("batch_result.fbt")).unwrap();
    let text = text.rsplit_once("T|").unwrap().0.to_owned();
    fund().batch_result(&sealed(&text)).unwrap();
    let wrong = [
        ("CNY|3|800000", "CNY|2|800000", "header"),
        ("CNY|3|800000", "CNY|3|800001", "header"),
        ("CNY|3|800000", "USD|3|800000", "line 1"),
        ("|2026-03-05|", "|2026-3-5|", "line 1"),
        ("|310000|", "||", "line 1"),
        ("sandbox_fund", "sandbox_bank", "line 1"),
        ("LINTEL-FUND-RESULT-1", "LINTEL-FUND-RESULT-2", "line 1"),
        ("|600000|600000|00000000|", "|600000|500000|00000000|", "line 2"),
        ("|600000|600000|00000000|", "|600000|600000|00000005|", "line 2"),
        ("|500000|200000|00000005|", "|500000|200000|10000005|", "line 3"),
        ("|500000|200000|00000005|", "|500000|0200000|00000005|", "line 3"),
        ("|400000|0|10000006|", "|400000|0|99999999|", "line 4"),
        ("|400000|0|10000006|", "|400000|0|00000000|", "line 4"),
        ("|400000|0|10000006|", "|400000|-1|10000006|", "line 4"),
        ("10000006|\n", "10000006|F1\n", "line 4"),
        ("310***********0053", "310101199001010053", "line 4"),
    ];
    for (from, to, place) in wrong {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let error = fund().batch_result(&sealed(&changed)).unwrap_err();
        let ChannelError::Format { place: told, .. } = &error else { panic!("{to}: {error}") };
        assert_eq!(told, place, "{to}: {error}");
    }
}

#[test]
fn a_route_that_cannot_be_taken_is_named_with_what_to_do() {
    let open = |route: &str| {
        by_name("sandbox_fund", &json!({ "institution": "lintel", "key": KEY, "city": "110000", "fund_route": route }))
    };
    for (name, route) in [("reserve", FundRoute::Reserve), ("direct", FundRoute::Direct)] {
        let channel = open(name).unwrap();
        let centre = channel.fund_centre().unwrap();
        assert_eq!((centre.city.as_str(), centre.route), ("110000", route));
    }
    assert_eq!(fund().fund_centre().map(|centre| centre.route), Some(FundRoute::Reserve));
    let told = open("custody").unwrap_err().to_string();
    assert!(told.contains("fund_route") && told.contains("'custody'") && told.contains("use 'reserve'"), "{told}");
    assert!(open("cash").unwrap_err().to_string().contains("`reserve`"));
    let city = by_name("sandbox_fund", &json!({ "institution": "lintel", "key": KEY, "city": "a|b" }));
    assert!(city.unwrap_err().to_string().contains("city"));
}

#[test]
fn a_channel_without_a_centre_takes_no_batch() {
    let channels = CHANNELS.iter().map(|entry| fixture::of(entry).remove(0).channel);
    let without: Vec<_> = channels.filter(|channel| channel.fund_centre().is_none()).collect();
    assert!(without.len() > 1);
    for channel in without {
        let refused = |error: ChannelError| assert!(matches!(error, ChannelError::NoBatch { .. }), "{error}");
        refused(channel.build_batch(&batch(&ROWS)).unwrap_err());
        refused(channel.build_batch_result("B1", "0123456789abcdef").unwrap_err());
        refused(channel.batch_result(&golden("batch_result.fbt")).unwrap_err());
    }
}
