//! Files of EPCC and of Ping An Bank that they signed and that are wrong all the same: signed here by the `openssl` program with
//! the networks' keys of the fixtures.

use std::fs;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use channels::{Channel, ChannelError, Statement, StatementPart, Verified};

use crate::fixture;
use crate::openssl::{openssl, skip};

const MISSING: (&str, &str) = ("openssl", "apt-get install openssl");

/// A channel as its fixtures with RSA have it.
fn channel(name: &str) -> Arc<dyn Channel> {
    let config = fs::read_to_string(fixture::folder(name).join("rsa.json")).unwrap();
    channels::by_name(name, &serde_json::from_str(&config).unwrap()).unwrap()
}

/// The other side's signature; nothing without the program.
fn signature(signed: &[u8]) -> Option<String> {
    let key = fixture::folder("unionpay_online").join("theirs.key.pem");
    let signature = openssl(&["dgst", "-sha256", "-sign", key.to_str().unwrap()], signed)?;
    Some(BASE64_STANDARD.encode(signature))
}

/// Where a file is wrong.
#[track_caller]
fn place(read: Result<Verified<StatementPart>, ChannelError>, of: &str) -> String {
    match read {
        Err(ChannelError::Format { place, .. }) => place,
        other => panic!("{of}: {other:?}"),
    }
}

const EPCC_HEADER: &str = "EPCC-DAY-1|Z2026031000019|2026-03-05|CNY|1|1|1|CNY5000.00|0|CNY0.00\n";
const EPCC_LINE: &str = "B202603050011|2026030500000000000000420000042|epcc.201.001.01|00|CNY5000.00|\n";

/// Bytes of a daily file with EPCC's signature.
fn by_epcc(text: &[u8]) -> Option<Vec<u8>> {
    let signature = signature(text)?;
    Some([text, b"{S:", signature.as_bytes(), b"}"].concat())
}

/// Each wrong text and the place that is named.
fn wrong_of_epcc() -> Vec<(String, &'static str)> {
    let header = |from: &str, to: &str| EPCC_HEADER.replacen(from, to, 1) + EPCC_LINE;
    let line = |from: &str, to: &str| EPCC_HEADER.to_owned() + &EPCC_LINE.replacen(from, to, 1);
    let crowd = EPCC_HEADER.replace("|1|CNY5000.00|", "|5001|CNY25005000.00|") + &EPCC_LINE.repeat(5_001);
    vec![
        (header("Z2026031000019", "Z2026031000020"), "line 1"),
        (header("DAY-1", "DAY-2"), "line 1"),
        (header("|CNY|", "|USD|"), "line 1"),
        (header("03-05", "02-30"), "line 1"),
        (header("|1|1|1|", "|2|1|1|"), "line 1"),
        (header("|1|1|1|", "|0|1|1|"), "line 1"),
        (header("CNY5000.00", "CNY05000.00"), "line 1"),
        (header("|CNY0.00\n", "\n"), "line 1"),
        (header("\n", "\r\n"), "line 1"),
        (header("EPCC", "\u{feff}EPCC"), "line 1"),
        (String::new(), "line 1"),
        (format!("{EPCC_LINE}{EPCC_HEADER}"), "line 1"),
        (EPCC_HEADER.trim_end().to_owned(), "line 1"),
        // Of another day, by its header or by the batch of a line.
        (header("2026-03-05", "2026-03-06"), "line 2"),
        (line("B20260305", "B20260306"), "line 2"),
        (line("B202603050011", "202603050011"), "line 2"),
        (line("B202603050011", "B20260305001１"), "line 2"),
        (line("|2026", "|026"), "line 2"),
        (line("epcc.201", "epcc.301"), "line 2"),
        (line("|00|", "|01|"), "line 2"),
        (line("|00|", "|02|"), "line 2"),
        (line("CNY5000.00", "CNY5000"), "line 2"),
        (line("CNY5000.00", "CNY0.00"), "line 2"),
        (line("CNY5000.00", "CNY-5000.00"), "line 2"),
        (line("CNY5000.00", "USD5000.00"), "line 2"),
        (line("CNY5000.00", "CNY５000.00"), "line 2"),
        (line("CNY5000.00", "CNY92233720368547758.08"), "line 2"),
        (line("CNY5000.00|", "CNY5000.00"), "line 2"),
        (line("CNY5000.00|", "CNY5000.00||"), "line 2"),
        (line("\n", "\r\n"), "line 2"),
        // What came back is a payment and has a number of its own; nothing else has one.
        (line("CNY5000.00|", "CNY5000.00|R42"), "line 2"),
        (line("201.001.01|00|CNY5000.00|", "201.001.01|04|CNY5000.00|R42"), "line 2"),
        (line("201.001.01|00|", "211.001.01|04|"), "line 2"),
        (line("201.001.01|00|CNY5000.00|", "211.001.01|04|CNY5000.00|R 42"), "line 2"),
        (EPCC_HEADER.to_owned(), "lines"),
        (header("CNY5000.00", "CNY5000.01"), "lines"),
        (header("|1|CNY5000.00|0|CNY0.00", "|0|CNY0.00|1|CNY5000.00"), "lines"),
        (header("|1|CNY5000.00", "|2|CNY5000.00"), "lines"),
        (format!("{EPCC_HEADER}{EPCC_LINE}{EPCC_LINE}"), "lines"),
        (crowd, "lines"),
    ]
}

#[test]
fn a_daily_file_that_epcc_signed_and_that_is_wrong_is_refused_by_its_line() {
    let epcc = channel("epcc");
    let Some(right) = by_epcc(format!("{EPCC_HEADER}{EPCC_LINE}").as_bytes()) else {
        return skip(MISSING.0, MISSING.1);
    };
    assert_eq!(epcc.statement(&right).unwrap().lines.len(), 1);
    for (text, expected) in wrong_of_epcc() {
        let shown = text.get(..160).unwrap_or(&text);
        assert_eq!(place(epcc.statement(&by_epcc(text.as_bytes()).unwrap()), shown), expected, "{shown}");
    }
    // As many as a part may have are taken, each by its own number.
    let most = EPCC_HEADER.replace("|1|CNY5000.00|", "|5000|CNY25000000.00|")
        + &(0..5_000).map(|number| EPCC_LINE.replace("0000042|", &format!("{number:07}|"))).collect::<String>();
    let most = epcc.statement(&by_epcc(most.as_bytes()).unwrap()).unwrap();
    assert_eq!(Statement::assemble(vec![most]).unwrap().into_inner().lines.len(), 5_000);
}

#[test]
fn a_daily_file_with_a_line_twice_or_in_another_encoding_is_refused() {
    let epcc = channel("epcc");
    let twice = EPCC_HEADER.replace("|1|CNY5000.00|", "|2|CNY10000.00|") + EPCC_LINE + EPCC_LINE;
    let Some(twice) = by_epcc(twice.as_bytes()) else { return skip(MISSING.0, MISSING.1) };
    let error = Statement::assemble(vec![epcc.statement(&twice).unwrap()]).unwrap_err();
    assert!(error.to_string().contains("2026030500000000000000420000042 is there twice"), "{error}");

    // 中 in GBK, a byte that begins no character, one cut off, and UTF-16: signed each, and no text of EPCC's.
    let utf16 = format!("{EPCC_HEADER}{EPCC_LINE}").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let with = |bytes: &[u8]| [EPCC_HEADER.as_bytes(), b"B", bytes, &EPCC_LINE.as_bytes()[1..]].concat();
    for bytes in [with(b"\xd6\xd0"), with(b"\xff"), with(b"\xe4\xb8"), [&b"\xff\xfe"[..], utf16.as_slice()].concat()] {
        let read = epcc.statement(&by_epcc(&bytes).unwrap());
        assert!(matches!(read, Err(ChannelError::Signature { .. })), "{read:?}");
    }
}

/// Both headers of Ping An's messages.
const HEADERS: usize = 344;
const JY: &str = "JY&20260305&1&5000.00&0&0.00&\n";
const PINGAN_LINE: &str = "2&26030500000000000042&26030500000042&5000.00&3045000000000001&\n";
const TX: &str = "TX&20260305&1&5000.00&0&0.00&\n";

/// A message of the bank with this body and the headers of the golden file, after `change` of them.
fn by_pingan(body: &[u8], change: impl Fn(&mut [u8])) -> Option<Vec<u8>> {
    let golden = fs::read(fixture::folder("pingan_jzb").join("day_1_of_2.clr")).unwrap();
    let mut head = golden[..HEADERS].to_vec();
    head[30..40].copy_from_slice(format!("{:010}", 122 + body.len()).as_bytes());
    head[307..315].copy_from_slice(format!("{:08}", body.len()).as_bytes());
    head[211..221].fill(b'0');
    change(head.as_mut_slice());
    let signature = signature(&[head.as_slice(), body].concat())?;
    head[211..221].copy_from_slice(format!("{:010}", signature.len()).as_bytes());
    Some([head.as_slice(), body, signature.as_bytes()].concat())
}

/// Each wrong body and the place that is named.
fn wrong_of_pingan() -> Vec<(String, &'static str)> {
    let header = |from: &str, to: &str| JY.replacen(from, to, 1) + PINGAN_LINE;
    let line = |from: &str, to: &str| JY.to_owned() + &PINGAN_LINE.replacen(from, to, 1);
    vec![
        (String::new(), "line 1"),
        (header("JY", "JX"), "line 1"),
        (header("20260305", "20260230"), "line 1"),
        (header("20260305", "2026-03-05"), "line 1"),
        (header("5000.00", "5,000.00"), "line 1"),
        (header("&1&", "&-1&"), "line 1"),
        (header("&0.00&", "&"), "line 1"),
        (header("\n", "\r\n"), "line 1"),
        (JY.trim_end().to_owned(), "line 1"),
        (format!("{PINGAN_LINE}{JY}"), "line 1"),
        // Withdrawals and what came back stand in the other file.
        (line("2&", "3&"), "line 2"),
        (line("2&", "T&"), "line 2"),
        (line("2&", "9&"), "line 2"),
        (format!("{TX}{PINGAN_LINE}"), "line 2"),
        (line("&2603", "&603"), "line 2"),
        (line("26030500000000000042", "2603050000000000004x"), "line 2"),
        (line("&26030500000042&", "&&"), "line 2"),
        (line("5000.00", "5000"), "line 2"),
        (line("5000.00", "0.00"), "line 2"),
        (line("5000.00", "-5000.00"), "line 2"),
        (line("5000.00", "５000.00"), "line 2"),
        // Of somebody else's sub-account.
        (line("3045000000000001", "3045000000000002"), "line 2"),
        (line("0001&", "0001"), "line 2"),
        (line("0001&", "0001&&"), "line 2"),
        (line("\n", "\r\n"), "line 2"),
    ]
}

#[test]
fn a_file_that_ping_an_signed_and_that_is_wrong_is_refused_by_its_line() {
    let bank = channel("pingan_jzb");
    let same = |_: &mut [u8]| {};
    let Some(right) = by_pingan(format!("{JY}{PINGAN_LINE}").as_bytes(), same) else {
        return skip(MISSING.0, MISSING.1);
    };
    assert_eq!(bank.statement(&right).unwrap().lines.len(), 1);
    for (text, expected) in wrong_of_pingan() {
        assert_eq!(place(bank.statement(&by_pingan(text.as_bytes(), same).unwrap()), &text), expected, "{text}");
    }
    // What is no text of the charset that the header names, and a message that brings no file.
    for bytes in [&b"\xd6\xd0"[..], b"\xff", b"\xe4\xb8"] {
        let body = [JY.as_bytes(), b"2", bytes, &PINGAN_LINE.as_bytes()[1..]].concat();
        assert_eq!(place(bank.statement(&by_pingan(&body, same).unwrap()), "encoding"), "message", "{bytes:?}");
    }
    let body = format!("{JY}{PINGAN_LINE}");
    let other = by_pingan(body.as_bytes(), |head| head[222..226].copy_from_slice(b"6110")).unwrap();
    assert_eq!(place(bank.statement(&other), "another function"), "message");
    // For another institution, as the first header has it or the second; of another length than there is.
    for (at, bytes) in [(10..14, &b"3046"[..]), (340..344, &b"3046"[..]), (307..315, &b"00000001"[..])] {
        let message = by_pingan(body.as_bytes(), |head| head[at.clone()].copy_from_slice(bytes)).unwrap();
        assert!(bank.statement(&message).is_err(), "{at:?}");
    }
}

#[test]
fn ping_ans_two_files_of_a_day_must_add_up_and_have_no_line_twice() {
    let bank = channel("pingan_jzb");
    let part = |text: &str| Some(bank.statement(&by_pingan(text.as_bytes(), |_| {})?).unwrap());
    let (first, second) = (JY.to_owned() + PINGAN_LINE, TX);
    let Some(one) = part(&first) else { return skip(MISSING.0, MISSING.1) };
    let whole = Statement::assemble(vec![one, part(second).unwrap()]).unwrap().into_inner();
    assert_eq!((whole.lines.len(), whole.totals.in_sum), (1, 500_000));

    let refused = |first: &str, second: &str| {
        let parts = vec![part(first).unwrap(), part(second).unwrap()];
        Statement::assemble(parts).unwrap_err().to_string()
    };
    let other = |text: &str| text.replacen("&5000.00&", "&5000.01&", 1);
    assert!(refused(&other(&first), &other(second)).contains("do not add up"));
    assert!(refused(&first, &other(second)).contains("where part 2"));
    assert!(refused(&first, &second.replace("0305", "0306")).contains("where part 2"));
    assert!(refused(&first, &first).contains("where part 2"));
    let two = |text: &str| text.replacen("&1&5000.00&", "&2&10000.00&", 1);
    let twice = refused(&(two(&first) + PINGAN_LINE), &two(second));
    assert!(twice.contains("is there twice"), "{twice}");
}
