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
