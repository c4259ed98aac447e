//! What a financial module answers: frames in two dialects, to every command.
#![no_main]

use std::sync::OnceLock;

use ark::fhsm::Dialect;
use ark_fuzz::{choice, part};
use libfuzzer_sys::fuzz_target;

fn dialects() -> &'static [Dialect; 2] {
    static DIALECTS: OnceLock<[Dialect; 2]> = OnceLock::new();
    DIALECTS.get_or_init(|| {
        [include_str!("../../tests/it/fhsm/text.toml"), include_str!("../../tests/it/fhsm/binary.toml")]
            .map(|text| Dialect::from_toml(text).expect("a profile"))
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((chosen, rest)) = choice(data) else { return };
    let (purpose, frame) = part(rest);
    let dialect = &dialects()[chosen % 2];
    if let Some(lengths) = dialect.read_answer(chosen / 2, purpose, frame) {
        assert!(lengths.iter().sum::<usize>() <= frame.len(), "it gave more than it got: {lengths:?}");
    }
});
