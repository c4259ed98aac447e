//! Frames out of a stream of bytes: two bytes of length, then so many.
//!
//! A length is looked at as soon as it is there, before anything is waited for or kept: no peer has more bytes held than the
//! largest frame and one read. However the bytes are cut on the way, the frames are the same.

use thiserror::Error;

use super::envelope::{HEADER, TPDU};

/// Bytes of the length.
pub(crate) const LENGTH: usize = 2;
/// The shortest frame: TPDU, header, message type, bitmap.
pub(crate) const SHORTEST: usize = TPDU + HEADER + 2 + 8;

/// A length that no frame has: where the next one begins is unknown from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum FrameError {
    #[error("a frame of {found} bytes; the acquirer's profile allows {largest}")]
    TooLong { found: usize, largest: usize },
    #[error("a frame of {found} bytes; the shortest message takes {SHORTEST}")]
    TooShort { found: usize },
}

/// What came of a stream and is no whole frame yet.
#[derive(Debug)]
pub(crate) struct Frames {
    buffer: Vec<u8>,
    largest: usize,
}

impl Frames {
    /// Nothing yet; holds no memory.
    pub(crate) fn new(largest: usize) -> Self {
        Self { buffer: Vec::new(), largest }
    }

    /// Takes what came.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether the stream stands between two frames.
    pub(crate) fn is_between(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next whole frame, without its length.
    ///
    /// # Errors
    /// [`FrameError`]; nothing that follows can be told apart.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        let Some(length) = self.buffer.first_chunk::<LENGTH>() else { return Ok(None) };
        let found = usize::from(u16::from_be_bytes(*length));
        if found > self.largest {
            return Err(FrameError::TooLong { found, largest: self.largest });
        }
        if found < SHORTEST {
            return Err(FrameError::TooShort { found });
        }
        let end = LENGTH + found;
        let Some(frame) = self.buffer.get(LENGTH..end) else { return Ok(None) };
        let frame = frame.to_vec();
        if self.buffer.len() == end {
            // Terminals are silent most of the time: who waits for the next frame holds nothing.
            self.buffer = Vec::new();
        } else {
            self.buffer.drain(..end);
        }
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop};
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    const LARGEST: usize = 300;

    fn all(frames: &mut Frames) -> Result<Vec<Vec<u8>>, FrameError> {
        let mut found = Vec::new();
        while let Some(frame) = frames.next()? {
            found.push(frame);
        }
        Ok(found)
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same_frames(
            sent in prop::collection::vec(prop::collection::vec(any::<u8>(), SHORTEST..=LARGEST), 0..6),
            cuts in prop::collection::vec(1_usize..40, 1..20),
        ) {
            let mut stream = Vec::new();
            for frame in &sent {
                stream.extend_from_slice(&u16::try_from(frame.len()).unwrap().to_be_bytes());
                stream.extend_from_slice(frame);
            }
            let (mut frames, mut found, mut rest) = (Frames::new(LARGEST), Vec::new(), &stream[..]);
            for cut in cuts.iter().cycle() {
                let (piece, behind) = rest.split_at(rest.len().min(*cut));
                frames.push(piece);
                found.extend(all(&mut frames).unwrap());
                prop_assert!(frames.buffer.len() < LENGTH + LARGEST);
                rest = behind;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(&found, &sent);
            prop_assert!(frames.is_between() && frames.buffer.capacity() == 0);
            let mut at_once = Frames::new(LARGEST);
            at_once.push(&stream);
            prop_assert_eq!(&all(&mut at_once).unwrap(), &sent);
        }

        #[test]
        fn no_bytes_make_it_panic_or_hold_more_than_a_frame(bytes in prop::collection::vec(any::<u8>(), 0..900)) {
            let mut frames = Frames::new(LARGEST);
            for piece in bytes.chunks(64) {
                frames.push(piece);
                if all(&mut frames).is_err() {
                    return Ok(());
                }
                prop_assert!(frames.buffer.len() < LENGTH + LARGEST);
            }
        }
    }

    #[test]
    fn a_length_that_no_frame_has_is_told_before_the_frame_is_there() {
        let mut frames = Frames::new(LARGEST);
        frames.push(&[0x01]);
        assert_eq!(frames.next(), Ok(None));
        frames.push(&[0x2D]);
        assert_eq!(frames.next(), Err(FrameError::TooLong { found: 301, largest: 300 }));
        let mut frames = Frames::new(LARGEST);
        frames.push(&[0, 20]);
        assert_eq!(frames.next().unwrap_err().to_string(), "a frame of 20 bytes; the shortest message takes 21");
    }
}
