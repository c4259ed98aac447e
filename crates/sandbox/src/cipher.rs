//! Ciphers of card messages (PIN 密钥, MAC 密钥): block ciphers, MACs, PIN blocks and check values, for the sandbox's card network
//! and its terminals. Written from their description, apart from the platform's, so that a misunderstanding shows.

use std::fmt;

use des::cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};
use des::{Des, TdesEde2};
use sm4::Sm4;

/// A block cipher of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardCipher {
    /// DES: 8 bytes. MAC keys of terminals have it.
    Des,
    /// Triple DES of two parts: 16 bytes.
    TripleDes,
    /// SM4: 16 bytes.
    Sm4,
}

impl CardCipher {
    /// Bytes of a block, and of a PIN block.
    #[must_use]
    pub const fn block(self) -> usize {
        match self {
            Self::Des | Self::TripleDes => 8,
            Self::Sm4 => 16,
        }
    }

    /// As the platform's API names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Des => "des",
            Self::TripleDes => "3des-2",
            Self::Sm4 => "sm4",
        }
    }
}

/// A cipher of keys of terminals or zones, as command lines name it.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum CipherName {
    /// Triple DES of two keys.
    #[value(name = "3des")]
    TripleDes,
    /// SM4.
    Sm4,
}

impl From<CipherName> for CardCipher {
    fn from(name: CipherName) -> Self {
        match name {
            CipherName::TripleDes => Self::TripleDes,
            CipherName::Sm4 => Self::Sm4,
        }
    }
}

/// How a MAC is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacForm {
    /// Blocks are added up; the sum in hexadecimal is encrypted half by half.
    Ecb,
    /// The first 8 bytes of the last block of a chain.
    Cbc,
}

/// Bytes that are no key of a cipher.
#[derive(Debug, thiserror::Error)]
#[error("{found} bytes are no key of {}", cipher.name())]
pub struct NoKey {
    cipher: CardCipher,
    found: usize,
}

/// A key.
#[derive(Clone)]
pub struct CardKey(Schedule);

#[derive(Clone)]
enum Schedule {
    Des(Box<Des>),
    TripleDes(Box<TdesEde2>),
    Sm4(Box<Sm4>),
}

/// Prints the cipher.
impl fmt::Debug for CardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CardKey({})", self.cipher().name())
    }
}

impl CardKey {
    /// A key of these bytes.
    ///
    /// # Errors
    /// If they are too many or too few.
    pub fn new(cipher: CardCipher, bytes: &[u8]) -> Result<Self, NoKey> {
        let schedule = match cipher {
            CardCipher::Des => Des::new_from_slice(bytes).map(|key| Schedule::Des(Box::new(key))),
            CardCipher::TripleDes => TdesEde2::new_from_slice(bytes).map(|key| Schedule::TripleDes(Box::new(key))),
            CardCipher::Sm4 => Sm4::new_from_slice(bytes).map(|key| Schedule::Sm4(Box::new(key))),
        };
        schedule.map(Self).map_err(|_| NoKey { cipher, found: bytes.len() })
    }

    /// Its cipher.
    #[must_use]
    pub const fn cipher(&self) -> CardCipher {
        match self.0 {
            Schedule::Des(_) => CardCipher::Des,
            Schedule::TripleDes(_) => CardCipher::TripleDes,
            Schedule::Sm4(_) => CardCipher::Sm4,
        }
    }

    /// Encrypts whole blocks, each by itself; what is less than a block at the end stays as it is.
    #[must_use]
    pub fn encrypt(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        bytes.chunks_exact_mut(self.cipher().block()).for_each(|block| self.encrypt_block(block));
        bytes
    }

    /// Decrypts whole blocks, each by itself.
    #[must_use]
    pub fn decrypt(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for block in bytes.chunks_exact_mut(self.cipher().block()) {
            match &self.0 {
                Schedule::Des(key) => block.try_into().into_iter().for_each(|block| key.decrypt_block(block)),
                Schedule::TripleDes(key) => block.try_into().into_iter().for_each(|block| key.decrypt_block(block)),
                Schedule::Sm4(key) => block.try_into().into_iter().for_each(|block| key.decrypt_block(block)),
            }
        }
        bytes
    }

    fn encrypt_block(&self, block: &mut [u8]) {
        match &self.0 {
            Schedule::Des(key) => block.try_into().into_iter().for_each(|block| key.encrypt_block(block)),
            Schedule::TripleDes(key) => block.try_into().into_iter().for_each(|block| key.encrypt_block(block)),
            Schedule::Sm4(key) => block.try_into().into_iter().for_each(|block| key.encrypt_block(block)),
        }
    }

    /// The start of a block of zeros, encrypted.
    #[must_use]
    pub fn check_value(&self) -> [u8; 8] {
        first_eight(&self.encrypt(&vec![0; self.cipher().block()]))
    }

    /// The MAC of a message.
    #[must_use]
    pub fn mac(&self, form: MacForm, message: &[u8]) -> [u8; 8] {
        let size = self.cipher().block();
        let mut state = vec![0_u8; size];
        match form {
            MacForm::Cbc => {
                for part in message.chunks(size) {
                    add(&mut state, part);
                    self.encrypt_block(&mut state);
                }
                first_eight(&state)
            }
            MacForm::Ecb => {
                message.chunks(size).for_each(|part| add(&mut state, part));
                let text = hex::encode_upper(&state).into_bytes();
                let (first, second) = text.split_at(size);
                state.copy_from_slice(first);
                self.encrypt_block(&mut state);
                add(&mut state, second);
                self.encrypt_block(&mut state);
                first_eight(hex::encode_upper(&state).as_bytes())
            }
        }
    }

    /// The block of a PIN (format 0, and its sibling of 16 bytes); `None` of a card whose number is no number.
    #[must_use]
    pub fn pin_block(&self, pin: &str, card: &str) -> Option<Vec<u8>> {
        let digits = self.cipher().block() * 2;
        let mut block = hex::decode(format!("{:F<digits$}", format!("{:02}{pin}", pin.len()))).ok()?;
        add(&mut block, &mask(card, digits)?);
        Some(self.encrypt(&block))
    }

    /// The PIN of a block, if it is one of this card's.
    #[must_use]
    pub fn pin(&self, block: &[u8], card: &str) -> Option<String> {
        let mut clear = self.decrypt(block);
        add(&mut clear, &mask(card, self.cipher().block() * 2)?);
        let text = hex::encode(clear);
        let length: usize = text.get(..2)?.parse().ok()?;
        let (pin, filled) = text.get(2..)?.split_at_checked(length)?;
        let is_block = (4..=12).contains(&length) && filled.bytes().all(|byte| byte == b'f');
        (is_block && pin.bytes().all(|byte| byte.is_ascii_digit())).then(|| pin.to_owned())
    }
}

/// What of a card is in a PIN block: the last 12 digits but its check digit.
fn mask(card: &str, digits: usize) -> Option<Vec<u8>> {
    let end = card.len().checked_sub(1)?;
    let twelve = card.get(end.checked_sub(12)?..end)?;
    hex::decode(format!("{twelve:0>digits$}")).ok()
}

fn add(sum: &mut [u8], part: &[u8]) {
    sum.iter_mut().zip(part).for_each(|(sum, byte)| *sum ^= byte);
}

fn first_eight(bytes: &[u8]) -> [u8; 8] {
    bytes.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &str = "0123456789ABCDEFFEDCBA9876543210";

    fn key(cipher: CardCipher, hex: &str) -> CardKey {
        CardKey::new(cipher, &hex::decode(hex).unwrap()).unwrap()
    }

    #[test]
    fn the_macs_and_pin_blocks_are_those_of_published_vectors() {
        let mac = key(CardCipher::Sm4, KNOWN).mac(MacForm::Ecb, "12345678".repeat(5).as_bytes());
        assert_eq!(&mac, b"9EC7D31F");
        let pin_key = key(CardCipher::Sm4, "F351D490994603795C6EBEE8FAEBB481");
        let block = hex::decode("CD01D6AD8F0A484C52A9364A0595AD60").unwrap();
        assert_eq!(pin_key.pin_block("123654", "6230606601007726888").as_ref(), Some(&block));
        assert_eq!(pin_key.pin(&block, "6230606601007726888").as_deref(), Some("123654"));
        assert_eq!(pin_key.pin(&block, "6230606601007726887").as_deref(), Some("123654"), "no check digit is in it");
        assert_eq!(pin_key.pin(&block, "6230606601007726988"), None);
        // 123456 of 123456789012345678, in format 0.
        let zone = key(CardCipher::TripleDes, KNOWN);
        let clear = hex::decode("061253DFFEDCBA98").unwrap();
        assert_eq!(zone.pin_block("123456", "123456789012345678"), Some(zone.encrypt(&clear)));
        assert_eq!(zone.pin(&zone.encrypt(&clear), "123456789012345678").as_deref(), Some("123456"));
    }

    #[test]
    fn the_work_keys_of_a_captured_sign_in_open() {
        let master = key(CardCipher::TripleDes, "CA5D92598DCA48CE8A4C76361A9269E9");
        let pin = master.decrypt(&hex::decode("6701EAD6A9AD51E51AA406E2C27FCFA9").unwrap());
        assert_eq!(hex::encode_upper(&pin), "807A23AD32B36D457AE91FDF927570EA");
        let pin = CardKey::new(CardCipher::TripleDes, &pin).unwrap();
        assert_eq!(hex::encode_upper(&pin.check_value()[..4]), "8D0A74B8");
        let mac = master.decrypt(&hex::decode("B651F9E9BACE9AE1").unwrap());
        assert_eq!(hex::encode_upper(&mac), "5BB5C72CD00B7338");
        let mac = CardKey::new(CardCipher::Des, &mac).unwrap();
        assert_eq!(hex::encode_upper(&mac.check_value()[..4]), "AB7153CA");
        assert!(
            CardKey::new(CardCipher::Des, &[0; 16]).unwrap_err().to_string().contains("16 bytes are no key of des")
        );
    }
}
