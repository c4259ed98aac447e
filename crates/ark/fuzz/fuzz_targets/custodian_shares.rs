//! The line that a custodian types.
#![no_main]

use ark::ceremony::{Share, Shares};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut shares = Shares::default();
    for line in text.lines() {
        if let Ok(share) = Share::parse(line) {
            let again = Share::parse(&share.text()).expect("what it writes it reads");
            assert_eq!(again.index(), share.index());
            let _ = shares.add(share);
        }
    }
    let _ = shares.combine();
});
