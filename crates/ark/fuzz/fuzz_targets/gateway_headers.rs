//! Headers of the merchants' gateway: `Authorization`, the stamp of an answer, keys in hexadecimal.
#![no_main]

use ark::{
    MacKey,
    signing::{Authorization, Stamp},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(read) = Authorization::parse(text) {
        let again = Authorization::parse(&read.to_string()).expect("what it writes it reads");
        assert!(again == read);
    }
    let (timestamp, nonce) = text.split_once('\n').unwrap_or((text, ""));
    if let Ok(stamp) = Stamp::parse(timestamp, nonce) {
        assert_eq!((stamp.timestamp().to_string().as_str(), stamp.nonce()), (timestamp, nonce));
    }
    let _ = MacKey::from_hex(text);
});
