//! What fuzzing found worth keeping (`fuzz/seeds`), read by every profile in the ordinary tests too.

use std::fs;
use std::path::Path;

use iso8583::{Builder, Message, tlv};

use crate::support::profiles;

#[test]
fn seeds_are_read_or_refused_and_what_is_read_is_written() {
    let profiles = profiles();
    let (mut targets, mut read, mut refused) = (0, 0, 0);
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    for target in fs::read_dir(seeds).unwrap() {
        targets += 1;
        for seed in fs::read_dir(target.unwrap().path()).unwrap() {
            let bytes = fs::read(seed.unwrap().path()).unwrap();
            let _ = tlv::check(&bytes);
            for profile in &profiles {
                match Message::decode(profile, &bytes) {
                    Ok(message) => {
                        Builder::from_message(profile, &message).unwrap().encode().unwrap();
                        read += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
        }
    }
    assert!(targets == 5 && read > 20 && refused > 20, "{targets} targets, {read} read, {refused} refused");
}
