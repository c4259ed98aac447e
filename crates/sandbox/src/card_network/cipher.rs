//! The zone's keys on the network's side: MACs, PIN blocks, and keys under the master key.

use std::fmt;

use anyhow::{Context as _, Result, ensure};
use ark::Soft;
use ark::provider::{Cipher, KeyHandle, KeyKind, Provider as _};

/// Bytes of a key.
const KEY: usize = 16;

/// The cipher of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneCipher {
    /// Triple DES of two parts.
    TripleDes,
    /// SM4.
    Sm4,
}

impl ZoneCipher {
    const fn kind(self) -> KeyKind {
        match self {
            Self::TripleDes => KeyKind::TripleDes2,
            Self::Sm4 => KeyKind::Sm4,
        }
    }

    /// Bytes of a block, and of a PIN block.
    pub(super) const fn block(self) -> usize {
        match self {
            Self::TripleDes => 8,
            Self::Sm4 => 16,
        }
    }
}

/// How field 128 is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacForm {
    /// Blocks are added up; the sum in hexadecimal is encrypted half by half.
    Ecb,
    /// The first 8 bytes of the last block of a chain.
    Cbc,
}

/// A key of the zone, and how the platform gets it.
#[derive(Clone)]
struct Key {
    handle: KeyHandle,
    encrypted: Vec<u8>,
    check: [u8; 8],
}

/// The keys of a zone.
pub(super) struct Zone {
    soft: Soft,
    cipher: ZoneCipher,
    form: MacForm,
    mac: Key,
    pin: Key,
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zone").field("cipher", &self.cipher).finish_non_exhaustive()
    }
}

impl Zone {
    /// A zone with a MAC key and a PIN key of its own under this master key.
    pub(super) fn new(cipher: ZoneCipher, form: MacForm, master: &str) -> Result<Self> {
        let master = hex::decode(master).context("the master key in hexadecimal")?;
        ensure!(master.len() == KEY, "the master key has {} bytes; it has {KEY}", master.len());
        let soft = Soft::new().context("the ciphers")?;
        let master = soft.import(cipher.kind(), &master).context("the master key")?;
        let make = || -> Result<Key> {
            let mut bytes = [0; KEY];
            soft.random(&mut bytes).context("a key")?;
            let handle = soft.import(cipher.kind(), &bytes).context("a key")?;
            let encrypted = soft.encrypt(master, Cipher::Ecb, &bytes).context("a key under the master key")?;
            let zeros = soft.encrypt(handle, Cipher::Ecb, &vec![0; cipher.block()]).context("a check value")?;
            let check = zeros.first_chunk().copied().context("a check value")?;
            Ok(Key { handle, encrypted, check })
        };
        let (mac, pin) = (make()?, make()?);
        Ok(Self { soft, cipher, form, mac, pin })
    }

    /// A key as a reset brings it, by the first digit of F53: the key under the master key, and its check value.
    pub(super) fn brought(&self, which: u8) -> Option<(&[u8], [u8; 8])> {
        let key = match which {
            b'1' => &self.pin,
            b'2' => &self.mac,
            _ => return None,
        };
        Some((&key.encrypted, key.check))
    }

    /// The MAC of a message.
    pub(super) fn tag(&self, message: &[u8]) -> Result<[u8; 8]> {
        let block = self.cipher.block();
        let mut padded = message.to_vec();
        padded.resize(message.len().next_multiple_of(block), 0);
        match self.form {
            MacForm::Cbc => {
                let chain = self.soft.encrypt(self.mac.handle, Cipher::Cbc { iv: &vec![0; block] }, &padded)?;
                chain.len().checked_sub(block).and_then(|at| chain.get(at..)?.first_chunk().copied()).context("a MAC")
            }
            MacForm::Ecb => {
                let mut sum = vec![0_u8; block];
                for part in padded.chunks(block) {
                    sum.iter_mut().zip(part).for_each(|(sum, byte)| *sum ^= byte);
                }
                let text = hex::encode_upper(&sum).into_bytes();
                let (first, second) = text.split_at(block);
                let mut half = self.soft.encrypt(self.mac.handle, Cipher::Ecb, first)?;
                half.iter_mut().zip(second).for_each(|(half, byte)| *half ^= byte);
                let last = self.soft.encrypt(self.mac.handle, Cipher::Ecb, &half)?;
                hex::encode_upper(last).as_bytes().first_chunk().copied().context("a MAC")
            }
        }
    }

    /// The PIN of a block, if it is one of this card's.
    pub(super) fn pin(&self, block: &[u8], card: &str) -> Option<String> {
        let clear = self.soft.decrypt(self.pin.handle, Cipher::Ecb, block).ok()?;
        let twelve = card.get(card.len().checked_sub(13)?..card.len() - 1)?;
        let mask = hex::decode(format!("{twelve:0>width$}", width = self.cipher.block() * 2)).ok()?;
        let text = hex::encode(clear.iter().zip(&mask).map(|(byte, mask)| byte ^ mask).collect::<Vec<u8>>());
        let length: usize = text.get(..2)?.parse().ok()?;
        let (pin, filled) = text.get(2..)?.split_at_checked(length)?;
        let is_block = (4..=12).contains(&length) && filled.bytes().all(|byte| byte == b'f');
        (is_block && pin.bytes().all(|byte| byte.is_ascii_digit())).then(|| pin.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &str = "0123456789ABCDEFFEDCBA9876543210";

    /// A zone whose keys are the master key itself, which the vectors name.
    fn known(cipher: ZoneCipher, key: &str) -> Zone {
        let mut zone = Zone::new(cipher, MacForm::Ecb, KNOWN).unwrap();
        let handle = zone.soft.import(cipher.kind(), &hex::decode(key).unwrap()).unwrap();
        zone.mac.handle = handle;
        zone.pin.handle = handle;
        zone
    }

    #[test]
    fn the_macs_and_pin_blocks_are_those_of_published_vectors() {
        let mac = known(ZoneCipher::Sm4, KNOWN).tag("12345678".repeat(5).as_bytes()).unwrap();
        assert_eq!(&mac, b"9EC7D31F");
        let zone = known(ZoneCipher::Sm4, "F351D490994603795C6EBEE8FAEBB481");
        let block = hex::decode("CD01D6AD8F0A484C52A9364A0595AD60").unwrap();
        assert_eq!(zone.pin(&block, "6230606601007726888").as_deref(), Some("123654"));
        assert_eq!(zone.pin(&block, "6230606601007726887").as_deref(), Some("123654"), "the check digit is not in it");
        assert_eq!(zone.pin(&block, "6230606601007726988"), None);
        // 123456 of 123456789012345678, in format 0.
        let zone = known(ZoneCipher::TripleDes, KNOWN);
        let clear = hex::decode("061253DFFEDCBA98").unwrap();
        let block = zone.soft.encrypt(zone.pin.handle, Cipher::Ecb, &clear).unwrap();
        assert_eq!(zone.pin(&block, "123456789012345678").as_deref(), Some("123456"));
    }
}
