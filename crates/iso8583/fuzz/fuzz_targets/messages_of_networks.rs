//! What networks send.
#![no_main]

use iso8583_fuzz::{profiles, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| read(&profiles()[1], data));
