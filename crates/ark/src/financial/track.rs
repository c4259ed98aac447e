//! Tracks of magnetic stripes as half bytes: digits, and `D` for the separator.
//!
//! Invariant: what is not a track is `None`, whatever is wrong with it; every character of a track is looked at.

use std::ops::Range;

use zeroize::Zeroizing;

use crate::{
    financial::{Track, TrackForm},
    secret::Secret,
};

const SEPARATOR: u8 = 0x0d;
const FILL: u8 = 0x0f;

type Halves = Zeroizing<Vec<u8>>;

/// The half bytes of a readable track.
pub(crate) fn halves(track: Track, text: &str) -> Option<Halves> {
    let half = |character: &u8| match character {
        b'0'..=b'9' => character - b'0',
        b'D' | b'=' => SEPARATOR,
        _ => FILL,
    };
    checked(track, Zeroizing::new(text.as_bytes().iter().map(half).collect()))
}

/// Two a byte, F behind them to a multiple of `block` bytes.
pub(crate) fn pack(halves: &[u8], block: usize) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![FILL << 4 | FILL; halves.len().div_ceil(2).next_multiple_of(block)]);
    for (place, half) in halves.iter().enumerate() {
        let byte = &mut bytes[place / 2];
        *byte = if place % 2 == 0 { half << 4 | (*byte & FILL) } else { (*byte & !FILL) | half };
    }
    bytes
}

/// The bytes of a hexadecimal text, F behind an odd number of digits.
pub(crate) fn from_hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |character: u8| char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let halves: Option<Vec<u8>> = text.bytes().map(digit).collect();
    halves.map(|halves| pack(&Zeroizing::new(halves), 1))
}

/// Which of so many bytes are encrypted: whole blocks.
pub(crate) fn encrypted(form: TrackForm, bytes: usize, block: usize) -> Option<Range<usize>> {
    match form {
        TrackForm::Whole => (bytes > 0).then_some(0..bytes),
        TrackForm::Tail => {
            let end = bytes.checked_sub(1)?;
            Some(end.checked_sub(block)?..end)
        }
    }
}

/// The track in bytes that were decrypted; `length` is how many characters were written.
pub(crate) fn unpack(track: Track, form: TrackForm, bytes: &[u8], length: usize) -> Option<Halves> {
    let mut halves = Zeroizing::new(Vec::with_capacity(2 * bytes.len()));
    bytes.iter().for_each(|byte| halves.extend([byte >> 4, byte & FILL]));
    match form {
        TrackForm::Tail => halves.truncate(length),
        TrackForm::Whole => {
            let end = halves.iter().rposition(|half| *half != FILL)? + 1;
            // So much of nothing but F was not put there to fill a block.
            if pack(&halves[..end], 1).len() + 16 <= bytes.len() {
                return None;
            }
            halves.truncate(end);
        }
    }
    checked(track, halves)
}

/// The card number of a track.
pub(crate) fn card_number(track: Track, halves: &[u8]) -> Option<Secret> {
    let digits = card(track, halves)?;
    Some(Secret::new(digits.iter().map(|digit| char::from(b'0' + digit)).collect()))
}

fn checked(track: Track, halves: Halves) -> Option<Halves> {
    let most = match track {
        Track::Two => 37,
        Track::Three => 104,
    };
    let (mut wrong, mut separators) = (halves.len() > most, 0_usize);
    for half in halves.iter() {
        wrong |= *half > 9 && *half != SEPARATOR;
        separators += usize::from(*half == SEPARATOR);
    }
    wrong |= track == Track::Two && separators != 1;
    let card = card(track, &halves).is_some();
    (!wrong && card).then_some(halves)
}

fn card(track: Track, halves: &[u8]) -> Option<&[u8]> {
    let halves = match track {
        Track::Two => halves,
        Track::Three => halves.get(2..)?,
    };
    let end = halves.iter().position(|half| *half == SEPARATOR)?;
    let digits = &halves[..end];
    ((13..=19).contains(&end) && digits.iter().all(|digit| *digit <= 9)).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::{card_number, encrypted, halves, pack, unpack};
    use crate::financial::{Track, TrackForm};

    #[test]
    fn tracks_and_what_is_none() {
        let card = |track, text| halves(track, text).and_then(|halves| card_number(track, &halves));
        let good = card(Track::Two, "6230606601007726888=30122010000012345").expect("a track");
        assert_eq!(good.expose(), "6230606601007726888");
        let three =
            card(Track::Three, "996230606601007726888=1561560500050000000000000000D30000D1=00").expect("a track");
        assert_eq!(three.expose(), "6230606601007726888");
        for bad in [
            "",
            "D",
            "6230606601007726888",
            "623060660100D3012201",
            "62306066010077268881D3012201",
            "6230606601007726888D3012D201",
            "6230606601007726888D3012A01",
            "6230606601007726888D301220100000123456",
        ] {
            assert!(card(Track::Two, bad).is_none(), "{bad}");
        }
    }

    /// 37 characters lie in 19 bytes; the block of 8 ends before the last one, so characters 21 to 36 are encrypted.
    #[test]
    fn the_tail_ends_before_the_last_byte() {
        assert_eq!(encrypted(TrackForm::Tail, 19, 8), Some(10..18));
        assert_eq!(encrypted(TrackForm::Tail, 17, 16), Some(0..16));
        assert_eq!(encrypted(TrackForm::Tail, 16, 16), None);
        assert_eq!(encrypted(TrackForm::Tail, 0, 8), None);
        assert_eq!(encrypted(TrackForm::Whole, 0, 8), None);
    }

    #[test]
    fn what_is_packed_comes_back() {
        for text in ["6230606601007726888D30122010000012345", "6230606601007726D301220100", "6230606601007726888D3012"]
        {
            let halves = halves(Track::Two, text).expect("a track");
            let bytes = pack(&halves, 16);
            assert_eq!(unpack(Track::Two, TrackForm::Whole, &bytes, 0).as_deref(), Some(&*halves));
            let longer = [bytes.as_slice(), &[0xff; 16]].concat();
            assert!(unpack(Track::Two, TrackForm::Whole, &longer, 0).is_none(), "a block of fill");
            let bytes = pack(&halves, 1);
            assert_eq!(unpack(Track::Two, TrackForm::Tail, &bytes, text.len()).as_deref(), Some(&*halves));
        }
    }
}
