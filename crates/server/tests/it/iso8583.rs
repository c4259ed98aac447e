//! `lintel iso8583`: card messages by hand, without a platform.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{lintel, lintel_fed};

/// An echo as a terminal sends it, written by hand: length, TPDU, header, type, bits 11, 41, 42 and 60, and those.
const ECHO: &str = "0037 6000030000 603100000000 0820 0020000000C00010 000001 3130303030303031 \
                    383938313130303730313130303031 0011 000000013010";
/// A sale by chip and PIN, from the message type to the MAC, in `field=value`.
const SALE: [&str; 18] = [
    "mti=0200",
    "2=6230606601007726888",
    "3=000000",
    "4=000000012345",
    "11=000077",
    "14=3012",
    "22=051",
    "23=001",
    "35=6230606601007726888D30122010000012345",
    "39=55",
    "52=CD01D6AD8F0A484C",
    "53=2600000000000000",
    "55.9F26=1122334455667788",
    "55.57=6230606601007726888D30122010000012345F",
    "55.DF8129=303132",
    "60.1=22",
    "60.2=000007",
    "64=9EC7D31F00000000",
];

fn run(arguments: &[&str]) -> Output {
    lintel(Path::new("/nonexistent"), &[&["iso8583"], arguments].concat())
}

#[track_caller]
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn json_of(arguments: &[&str]) -> Value {
    let text = printed(&run(&[arguments, &["--json"]].concat()));
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"))
}

/// What a command that must be refused said.
#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn sale() -> String {
    printed(&run(&[&["encode"], &SALE[..], &["tpdu=6005250000", "header=603100311234"]].concat())).trim().to_owned()
}

fn field(message: &Value, number: u8) -> &Value {
    let fields = message["fields"].as_array().unwrap();
    fields.iter().find(|field| field["field"] == number).unwrap_or_else(|| panic!("no field {number} in {message}"))
}

#[test]
fn a_frame_of_a_terminal_is_shown_with_its_parts() {
    let shown = printed(&run(&["decode", ECHO]));
    // Columns are as wide as what stands in them.
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    for line in [
        "tpdu 6000030000",
        "application class 60",
        "0820 network management advice (ISO 8583:1987), profile pos_terminal",
        "41 terminal ans8 ascii 26 10000001",
        "60.3 network code 301 echo",
    ] {
        assert!(shown.lines().any(|found| words(found) == line), "{line} is not in\n{shown}");
    }
    assert!(!shown.contains('\x1b'), "no colour where no terminal is");
    let json = json_of(&["decode", ECHO]);
    assert_eq!(json["frame"]["length"], 55);
    assert_eq!(
        field(&json, 60)["parts"][1],
        json!({"part": "60.2", "name": "batch number", "value": "000001", "length": 6})
    );
}

#[test]
fn a_message_comes_from_argument_file_or_input_in_three_forms() {
    use base64::Engine as _;
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("echo");
    let bytes = hex::decode(ECHO.replace(' ', "")).unwrap();
    let base64 = base64::prelude::BASE64_STANDARD.encode(&bytes);
    let expected = json_of(&["decode", ECHO]);
    for content in [bytes.clone(), base64.clone().into_bytes(), ECHO.replace(' ', "\n").into_bytes()] {
        std::fs::write(&file, content).unwrap();
        assert_eq!(json_of(&["decode", "--in", file.to_str().unwrap()]), expected);
    }
    assert_eq!(json_of(&["decode", &base64, "--from", "base64"]), expected);
    let fed = lintel_fed(directory.path(), &["iso8583", "decode", "--json"], ECHO);
    assert_eq!(serde_json::from_str::<Value>(&printed(&fed)).unwrap(), expected);
    let bare = json_of(&["decode", &hex::encode(&bytes[13..])]);
    assert_eq!(
        (&bare["frame"], &bare["mti"], field(&bare, 11)["at"].as_u64()),
        (&Value::Null, &json!("0820"), Some(10))
    );
}

#[test]
fn nothing_of_class_c3_is_shown_in_any_form() {
    let sale = sale();
    let json = json_of(&["decode", &sale]);
    for shown in [printed(&run(&["decode", &sale])), json.to_string()] {
        for secret in ["6601007726", "3012", "CD01D6AD", "201000001", "303132", "6601 007"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        for open in ["623060*********6888", "1122334455667788", "track 2 equivalent", "PIN wrong"] {
            assert!(shown.contains(open), "{open} is not in {shown}");
        }
    }
    assert_eq!(json["frame"]["header"], "603100311234");
    assert_eq!(field(&json, 53)["parts"][1]["name"], "PIN algorithm");
    let tags = field(&json, 55)["tags"].as_array().unwrap();
    let told: Vec<_> = tags.iter().map(|tag| (tag["tag"].as_str().unwrap(), tag["hidden"] == true)).collect();
    assert_eq!(told, [("9F26", false), ("57", true), ("DF8129", true)], "an unknown tag may hold anything");
}

#[test]
fn what_decode_prints_is_encoded_to_the_same_bytes() {
    let directory = TempDir::new().unwrap();
    let round = |bytes: &str, more: &[&str]| {
        let json = json_of(&["decode", bytes]).to_string();
        lintel_fed(directory.path(), &[&["iso8583", "encode", "--in", "-"], more].concat(), &json)
    };
    let echo = ECHO.replace(' ', "");
    assert_eq!(printed(&round(&echo, &[])).trim(), echo);
    let other = printed(&round(&echo, &["11=000002"]));
    assert_eq!(other.trim(), echo.replace("10000001313", "10000002313"));
    let hidden = round(&sale(), &[]);
    let told = String::from_utf8(hidden.stderr).unwrap();
    assert!(told.contains("field 2 is hidden in this JSON") && !hidden.status.success(), "{told}");

    let fields = json!({"profile": "ascii_1987", "mti": "0800", "fields": {"4": 5, "11": "000001", "70": "301"}});
    let ascii =
        lintel_fed(directory.path(), &["iso8583", "encode", "--in", "-", "--to", "binary"], &fields.to_string());
    assert_eq!(printed(&ascii), "080090200000000000000400000000000000000000000005000001301");
}

#[test]
fn frames_of_the_host_link_are_recognised() {
    let made = ["encode", "mti=0820", "7=1128054401", "11=000001", "70=301", "--profile", "host_link"];
    let bytes = printed(&run(&[&made[..], &["source=48021000", "destination=00010000"]].concat()));
    let json = json_of(&["decode", bytes.trim()]);
    assert_eq!((&json["profile"], &json["frame"]["kind"]), (&json!("host_link"), &json!("host_link")));
    assert_eq!((&json["frame"]["source"], &json["frame"]["length"]), (&json!("48021000"), &json!(85)));
    assert_eq!(field(&json, 70)["at"], 86);
    let short = refused(&["decode", bytes.trim().get(..160).unwrap()]);
    assert!(short.contains("the frame's length says 85, 76 bytes follow byte 4"), "{short}");
    // Without its length, and without anything.
    assert_eq!(json_of(&["decode", bytes.trim().get(8..).unwrap()])["mti"], "0820");
    assert_eq!(json_of(&["decode", bytes.trim().get(100..).unwrap()])["profile"], "host_link");
}

#[test]
fn messages_of_pyiso8583_are_shown_as_it_was_told_them() {
    let profiles = [
        ("ascii_1987", include_str!("../../../../fixtures/iso8583/ascii_1987.jsonl")),
        ("host_link", include_str!("../../../../fixtures/iso8583/host_link.jsonl")),
        ("pos_terminal", include_str!("../../../../fixtures/iso8583/pos_terminal.jsonl")),
    ];
    let directory = TempDir::new().unwrap();
    for (profile, messages) in profiles {
        for foreign in messages.lines().take(4).map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let message = foreign["message"].as_str().unwrap();
            let arguments = ["iso8583", "decode", "--json", "--profile", profile, "--frame", "message"];
            // Random chip data is no TLV, which is said beside what was read.
            let output = lintel_fed(directory.path(), &arguments, message);
            let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(shown["mti"], foreign["fields"]["t"]);
            let mut compared = 0;
            for field in shown["fields"].as_array().unwrap() {
                let expected = &foreign["fields"][field["field"].to_string()];
                if field["hidden"] == true || field["masked"] == true {
                    assert!(field["value"] != *expected || expected == "", "{field}");
                } else {
                    assert_eq!(field["value"], *expected, "{field}");
                    compared += 1;
                }
            }
            assert!(compared > 0, "{shown}");
        }
    }
}

#[test]
fn an_error_names_byte_field_and_remedy() {
    let sale = sale();
    // Cut off within the message: what was read before is shown, with where it ends.
    let cut = run(&["decode", &sale[26..100], "--json"]);
    let (shown, told): (Value, _) =
        (serde_json::from_slice(&cut.stdout).unwrap(), String::from_utf8(cut.stderr).unwrap());
    assert_eq!((cut.status.code(), field(&shown, 11)["value"].as_str()), (Some(1), Some("000077")));
    assert!(told.contains("field 23 at byte 37: 0 bytes are left, 2 are needed"), "{told}");
    assert!(told.contains(shown["error"].as_str().unwrap()));
    for (arguments, told) in [
        (&["decode", &sale[..80]][..], "the frame's length says 143, 38 bytes follow"),
        (
            &["decode", "600003000060310000000002A04000000000000000"],
            "message type at byte 12: position 2 (0x41) is outside format n",
        ),
        (&["decode", "02001000000000000000", "--frame", "terminal"], "byte 0: the frame's length says 512"),
        (&["decode", "6100", "--frame", "terminal"], "byte 0: the frame's length says 24832, 0 bytes follow"),
        (&["decode", "zz", "--from", "hex"], "the message is not hexadecimal"),
        (&["decode", ECHO, "--profile", "pos"], "is none of pos_terminal, host_link, ascii_1987, and no file"),
        (&["encode", "3=000000"], "the message type is missing: mti=0200"),
        (&["encode", "mti=0200", "4=5"], "field 4: length 1; the profile fixes 12"),
        (&["encode", "mti=0200", "6230606601007726888"], "argument 2 is no FIELD=VALUE"),
        (&["encode", "mti=0200", "60.3=301"], "field 60: 60.1 (transaction type) is missing before 60.3"),
        (&["encode", "mti=0200", "60.1=1"], "60.1 (transaction type): length 1; the profile has 2"),
        (
            &["encode", "mti=0200", "7=1128054401"],
            "field 7: profile pos_terminal does not describe it; see `lintel iso8583 profile",
        ),
        (&["encode", "mti=0200", "52=623060660100772"], "field 52: it is bytes; write them in hexadecimal"),
        (&["encode", "mti=0200", "tpdu=60", "3=000000"], "tpdu is 10 digits, not \"60\""),
        (&["encode", "mti=0200", "65536=1"], "there is no field `65536`"),
    ] {
        let found = refused(arguments);
        assert!(found.contains(told) && !found.contains("6230606"), "{arguments:?}: {found}");
    }
    let bomb = run(&["decode", "02000000000000000200 0004 DF828384"]);
    let told = String::from_utf8(bomb.stderr).unwrap();
    assert!(told.contains("field 55: byte 12: a tag of more than three bytes"), "{told}");
    assert_eq!((bomb.status.code(), bomb.stdout.is_empty()), (Some(1), false), "the rest is shown");
}

#[test]
fn profiles_are_listed_shown_and_checked() {
    let directory = TempDir::new().unwrap();
    assert!(printed(&run(&["profile"])).contains("pos_terminal      33  64 bits, binary"));
    let shown = printed(&run(&["profile", "pos_terminal"]));
    assert!(shown.contains("   52  PIN block") && shown.contains("odd digits right, padded with 0"), "{shown}");
    assert_eq!(json_of(&["profile", "host_link"])["bitmap"], "128 bits, binary, both halves always");
    let file = directory.path().join("acquirer.toml");
    let text = printed(&run(&["profile", "pos_terminal", "--toml"]));
    std::fs::write(&file, text.replace("size = 8, class = \"C3\"", "size = 8")).unwrap();
    let told = refused(&["profile", file.to_str().unwrap()]);
    assert!(told.contains("field 52: class C1; it holds"), "{told}");
    std::fs::write(&file, text.replace("name = \"pos_terminal\"", "name = \"acquirer\"")).unwrap();
    assert_eq!(json_of(&["decode", ECHO, "--profile", file.to_str().unwrap()])["profile"], "acquirer");
}

#[test]
fn help_teaches_with_an_example() {
    for arguments in [&["--help"][..], &["decode", "--help"], &["encode", "-h"]] {
        assert!(printed(&run(arguments)).contains("lintel iso8583 decode 00"));
    }
}
