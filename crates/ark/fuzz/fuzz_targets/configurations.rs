//! Configurations of devices, tokens and financial modules, and the words in them.
#![no_main]

use ark::{device::Profile, fhsm, keys::State, pkcs11, sdf};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let _ = (text.parse::<Profile>(), State::of(text), ark::keys::Purpose::of(text));
    let _ = fhsm::Dialect::from_toml(text);
    // Passwords lie in files that the configuration names: none of this machine's devices is read for it.
    if !text.contains(['/', '\\']) {
        let _ = sdf::Config::from_toml(text);
        let _ = pkcs11::Config::from_toml(text);
    }
});
