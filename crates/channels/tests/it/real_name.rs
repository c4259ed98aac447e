//! Real-name checks: what a channel that has them refuses before anything is sent, and how one refuses that has none.

use channels::registry::CHANNELS;
use channels::{Channel, ChannelError, RealName};

use crate::fixture::{self, AT, sealed};

/// Whether a channel builds a real-name check and the query about it; one that does not refuses both by name.
pub(crate) fn checks_names(channel: &dyn Channel) -> bool {
    let element = sealed("6222020200112230");
    let (serial, requested_at) = ("2026030580000000000000010000001", AT);
    let (account, name, certificate) = (&element, &element, &element);
    let (bank, credit) = ("102100099996", false);
    let check = RealName { serial, requested_at, bank, credit, account, name, certificate, phone: Some(&element) };
    let asked = channel.build_real_name(&check, &fixture::open);
    let queried = channel.build_real_name_query(serial, requested_at, "0123456789abcdef");
    match asked {
        Ok(_) => queried.is_ok(),
        Err(error) => {
            assert_eq!(error.code(), "channel_no_real_name_check", "{error}");
            assert_eq!(queried.unwrap_err().code(), "channel_no_real_name_check");
            false
        }
    }
}

/// What is asked with a wrong bank, number or nonce is refused before it is sent, and no error shows an element.
#[test]
fn a_real_name_check_in_another_form_is_refused_by_name() {
    for entry in CHANNELS {
        let channel = fixture::of(entry).remove(0).channel;
        if !channel.manifest().real_name_checks {
            continue;
        }
        let element = sealed("6222020200112230");
        let asked = |serial: &str, bank: &str, open: channels::Open<'_>| {
            let (account, name, certificate) = (&element, &element, &element);
            let (requested_at, credit, phone) = (AT, false, None);
            let check = RealName { serial, requested_at, bank, credit, account, name, certificate, phone };
            channel.build_real_name(&check, open).unwrap_err()
        };
        let serial = "2026030580000000000000010000001";
        let error = asked(serial, "102", &fixture::open);
        assert!(matches!(error, ChannelError::Subject { field: "bank", .. }), "{error}");
        assert!(matches!(asked("42", "102100099996", &fixture::open), ChannelError::Serial(_)));
        let error = asked(serial, "102100099996", &|_| Err(ark::Error::Class(9)));
        assert!(matches!(error, ChannelError::Opening { field: "account", .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("6222"), "{error:?}");
        let queried = |serial, nonce| channel.build_real_name_query(serial, AT, nonce).unwrap_err();
        assert!(matches!(queried(serial, "short"), ChannelError::Nonce(_)));
        assert!(matches!(queried("42", "0123456789abcdef"), ChannelError::Serial(_)));
    }
}
