//! Profiles that contradict themselves are refused with field and remedy.

use iso8583::Profile;
use iso8583::profile::{Class, POS_TERMINAL};

use crate::support::profiles;

#[track_caller]
fn refused(from: &str, to: &str, told: &str) {
    assert!(POS_TERMINAL.contains(from), "{from}");
    let error = Profile::parse(&POS_TERMINAL.replace(from, to)).unwrap_err().to_string();
    assert!(error.contains(told), "{error}");
}

#[test]
fn ours_are_read_and_hide_what_must_not_be_shown() {
    for profile in profiles() {
        for number in [14, 35, 36, 52, 55, 62] {
            assert_eq!(profile.field(number).map(|field| field.class), Some(Class::C3), "{}: {number}", profile.name());
        }
        assert_eq!(profile.field(2).map(|field| field.class), Some(Class::C2));
        assert!(profile.field(0).is_none() && profile.field(1).is_none());
    }
}

#[test]
fn a_wrong_profile_names_field_and_remedy() {
    refused("format = \"n\", size = 6 }", "format = \"n\", size = 0 }", "fixed fields have 1 to 9999");
    refused("mti = \"bcd\"", "mti = \"binary\"", "write mti = \"bcd\" or \"ascii\"");
    refused("bits = 64", "bits = 65", "write bits = 64 or bits = 128");
    refused("\n64 = {", "\n65 = {", "field 65: no such field, or twice");
    refused("\n64 = {", "\n063 = {", "field");
    refused("length = \"LL\", size = 19", "length = \"LL\", size = 100", "LL 1 to 99");
    refused("prefix = \"bcd\"", "prefix = \"hex\"", "write prefix = \"bcd\" or \"ascii\"");
    refused(
        "name = \"MAC\", format = \"b\"",
        "name = \"MAC\", format = \"b\", encoding = \"bcd\"",
        "bytes are binary or hex",
    );
    refused("class = \"C2\"", "klass = \"C2\"", "klass");
}

#[test]
fn a_profile_cannot_show_what_the_standard_has_hidden() {
    refused("size = 37, class = \"C3\"", "size = 37", "field 35: class C1; it holds a card number");
    refused("size = 19, class = \"C2\"", "size = 19", "field 2: class C1");
    refused(
        "name = \"PIN block\", format = \"b\", size = 8, class = \"C3\"",
        "name = \"PIN block\", format = \"b\", size = 8, class = \"C2\"",
        "field 52: class C2",
    );
}

#[test]
fn parts_fit_their_field() {
    refused(
        "{ name = \"account type\", size = 3 }",
        "{ name = \"account type\", size = 4 }",
        "field 60: parts of 18 together",
    );
    refused(
        "{ name = \"account type\", size = 3 }",
        "{ name = \"account type\", size = 0 }",
        "field 60: parts of 14 together",
    );
    refused("size = 8 }\n", "size = 8, parts = [{ name = \"half\", size = 4 }] }\n", "field 64: parts of format b");
}
