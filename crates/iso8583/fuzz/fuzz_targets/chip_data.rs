//! BER-TLV of field 55: bounded on every level, and what is read is written again.
#![no_main]

use iso8583::tlv::{self, MOST_ELEMENTS, MOST_LEVELS, Reader};
use libfuzzer_sys::fuzz_target;

/// Elements on this level and below, and how deep they go.
fn walk(bytes: &[u8]) -> (usize, usize) {
    let (mut count, mut deepest) = (0, 0);
    for element in Reader::new(bytes) {
        let element = element.expect("it was checked");
        let below = if element.constructed { walk(element.value) } else { (0, 0) };
        count += 1 + below.0;
        deepest = deepest.max(1 + below.1);
    }
    (count, deepest)
}

fuzz_target!(|data: &[u8]| {
    // One level, past nothing that is wrong.
    let mut end = 0;
    for element in Reader::new(data) {
        match element {
            Ok(element) => {
                assert!(element.offset >= end && data.get(element.offset..).is_some_and(|rest| rest.starts_with(element.value)));
                end = element.offset + element.value.len();
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    let Ok(elements) = tlv::check(data) else { return };
    let (count, deepest) = walk(data);
    // An empty template on the last level goes no deeper.
    assert!(count == elements && elements <= MOST_ELEMENTS && deepest <= MOST_LEVELS);
    let mut again = Vec::new();
    for element in Reader::new(data).flatten() {
        // A tag that is not in its shortest form is read, and is not written.
        if tlv::put(&mut again, element.tag, element.value).is_err() {
            return;
        }
    }
    let (read, written) = (Reader::new(data).flatten(), Reader::new(&again).map(|element| element.expect("was put")));
    assert!(read.map(|element| (element.tag, element.value)).eq(written.map(|element| (element.tag, element.value))));
});
