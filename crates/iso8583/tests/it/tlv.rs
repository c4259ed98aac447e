//! Chip data: tags and lengths of each size, padding, nesting, and what hostile data tries.

use iso8583::tlv::{MOST_ELEMENTS, Reader, TlvError, check, put};

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex.replace(' ', "")).unwrap()
}

#[test]
fn elements_are_read_with_tags_of_one_to_three_bytes() {
    let data = bytes("95 05 0000008000  9F26 08 1122334455667788  00 00  DF8129 01 30  9A 81 03 261128");
    let read: Vec<(u32, String)> =
        Reader::new(&data).map(Result::unwrap).map(|element| (element.tag, hex::encode(element.value))).collect();
    let expected = [(0x95, "0000008000"), (0x9F26, "1122334455667788"), (0xDF_8129, "30"), (0x9A, "261128")];
    assert_eq!(read, expected.map(|(tag, value)| (tag, value.to_owned())));
    assert_eq!(check(&data), Ok(4));
}

#[test]
fn what_is_put_is_read() {
    for length in [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF] {
        let mut data = Vec::new();
        put(&mut data, 0xDF_8129, &vec![7; length]).unwrap();
        let element = Reader::new(&data).next().unwrap().unwrap();
        assert_eq!((element.tag, element.value.len()), (0xDF_8129, length));
        assert_eq!(element.offset + length, data.len());
    }
    let mut data = Vec::new();
    assert_eq!(put(&mut data, 0x9F, &[]), Err(TlvError::Unwritable { tag: 0x9F }));
    assert_eq!(put(&mut data, 0x9526, &[]), Err(TlvError::Unwritable { tag: 0x9526 }));
    assert_eq!(put(&mut data, 0x95, &vec![0; 65_536]), Err(TlvError::TooLong { found: 65_536 }));
    assert!(data.is_empty());
}

#[test]
fn hostile_lengths_and_tags_are_refused() {
    let truncated = TlvError::Truncated { offset: 4, needed: 0xFFFF, left: 1 };
    assert_eq!(check(&bytes("95 82 FFFF 00")), Err(truncated));
    assert_eq!(check(&bytes("95 84 FFFFFFFF 00")), Err(TlvError::Length { offset: 1, found: 0x84 }));
    assert_eq!(check(&bytes("70 80 9501 00 0000")), Err(TlvError::Length { offset: 1, found: 0x80 }));
    assert_eq!(check(&bytes("DF818129 01 30")), Err(TlvError::Tag { offset: 0 }));
    assert_eq!(check(&bytes("9F")), Err(TlvError::Truncated { offset: 1, needed: 1, left: 0 }));
}

#[test]
fn bombs_of_nesting_and_number_are_refused() {
    let mut nested = vec![0x95, 0x00];
    for _ in 0..5 {
        let inner = std::mem::take(&mut nested);
        put(&mut nested, 0x70, &inner).unwrap();
    }
    assert!(matches!(check(&nested), Err(TlvError::Deep { .. })), "{:?}", check(&nested));
    let many = [0x95, 0x00].repeat(MOST_ELEMENTS + 1);
    assert_eq!(check(&many), Err(TlvError::Many { offset: 2 * MOST_ELEMENTS + 2 }));
}

#[test]
fn an_error_within_a_template_counts_from_the_beginning() {
    assert_eq!(check(&bytes("00 70 05 9F26 09 11")), Err(TlvError::Truncated { offset: 3, needed: 5, left: 4 }));
    assert_eq!(check(&bytes("00 00 70 05 95 00 95 09 11")), Err(TlvError::Truncated { offset: 8, needed: 9, left: 1 }));
}
