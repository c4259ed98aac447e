//! The financial commands of the soft provider. For development and tests: a production's PINs belong into a module that
//! shows them to no host.

use std::sync::{Arc, PoisonError, atomic::Ordering};

use des::{
    Des,
    cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _},
};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{Soft, material::Material, modes::BlockCipher};
use crate::{
    financial::{
        Financial, PinSide, Purpose, TerminalCipher, TerminalKey, TerminalMac, Track, TrackForm, TrackSide,
        TranslatedTrack, check_card_number, check_check_value, check_components, check_track_forms, track,
        track_halves,
    },
    provider::{CHECK_VALUE_LENGTH, KeyError, KeyHandle, KeyKind, Provider as _, PublicKey, PublicKeyEncryption},
    secret::Secret,
};

/// One key with its purpose. No `Debug`.
pub(super) struct Terminal {
    purpose: Purpose,
    cipher: TerminalCipher,
    secret: BlockCipher,
    bytes: Zeroizing<Vec<u8>>,
}

impl Terminal {
    /// `None` if the bytes are no key of this cipher.
    fn new(purpose: Purpose, cipher: TerminalCipher, bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        let secret = match cipher {
            TerminalCipher::Des => BlockCipher::des(bytes.as_slice().try_into().ok()?),
            TerminalCipher::TripleDes2 => {
                // The same rule as for general keys: equal parts are none.
                Material::from_bytes(KeyKind::TripleDes2, &bytes)?;
                BlockCipher::triple_des2(bytes.as_slice().try_into().ok()?)
            }
            TerminalCipher::Sm4 => BlockCipher::sm4(bytes.as_slice().try_into().ok()?),
        };
        Some(Self { purpose, cipher, secret, bytes })
    }

    fn block_length(&self) -> usize {
        self.secret.block_length()
    }

    fn encrypt(&self, bytes: &mut [u8]) {
        self.secret.encrypt_each_block(bytes);
    }

    fn decrypt(&self, bytes: &mut [u8]) {
        self.secret.decrypt_each_block(bytes);
    }

    fn mac(&self, form: TerminalMac, message: &[u8]) -> Result<[u8; 8], KeyError> {
        let blocks = message.chunks(self.block_length());
        match form {
            TerminalMac::Ecb => {
                let mut sum = Zeroizing::new(vec![0; self.block_length()]);
                blocks.for_each(|block| xor(&mut sum, block));
                let text = Zeroizing::new(hex::encode_upper(&*sum).into_bytes());
                let (first, last) = text.split_at(self.block_length());
                let mut state = Zeroizing::new(first.to_vec());
                self.encrypt(&mut state);
                xor(&mut state, last);
                self.encrypt(&mut state);
                Ok(first_eight(hex::encode_upper(&*state).as_bytes()))
            }
            TerminalMac::Cbc => {
                let mut state = Zeroizing::new(vec![0; self.block_length()]);
                for block in blocks {
                    xor(&mut state, block);
                    self.encrypt(&mut state);
                }
                Ok(first_eight(&state))
            }
            TerminalMac::Cmac => Ok(first_eight(&self.secret.cmac(message))),
            TerminalMac::X919 => {
                let (TerminalCipher::TripleDes2, Some((one, two))) = (self.cipher, self.bytes.split_at_checked(8))
                else {
                    return Err(KeyError::Purpose { needed: "X9.19 takes a triple DES key of two parts" });
                };
                let part = |bytes: &[u8]| Des::new_from_slice(bytes).expect("8 bytes of the 16");
                let (one, two) = (part(one), part(two));
                let mut state = [0; 8];
                for block in blocks {
                    xor(&mut state, block);
                    one.encrypt_block((&mut state).into());
                }
                two.decrypt_block((&mut state).into());
                one.encrypt_block((&mut state).into());
                Ok(state)
            }
        }
    }

    fn encrypt_track(&self, form: TrackForm, halves: &[u8]) -> Result<String, KeyError> {
        let block = self.block_length();
        let mut bytes = track::pack(halves, if form == TrackForm::Whole { block } else { 1 });
        let place = track::encrypted(form, bytes.len(), block).ok_or(KeyError::Length {
            what: "track",
            found: halves.len(),
            needed: "a track whose last block is encrypted is longer than a block and a byte: encrypt it whole",
        })?;
        self.encrypt(&mut bytes[place]);
        let mut text = hex::encode_upper(&*bytes);
        if form == TrackForm::Tail {
            text.truncate(halves.len());
        }
        Ok(text)
    }

    /// The characters of a track as half bytes; whether they are a track is asked once they are all here.
    fn decrypt_track(&self, form: TrackForm, track: Track, text: &str) -> Option<Zeroizing<Vec<u8>>> {
        let block = self.block_length();
        let mut bytes = track::from_hex(text)?;
        if form == TrackForm::Whole && !bytes.len().is_multiple_of(block) {
            return None;
        }
        let place = track::encrypted(form, bytes.len(), block)?;
        self.decrypt(&mut bytes[place]);
        track::unpack(track, form, &bytes, text.len())
    }
}

impl Soft {
    fn keep_terminal(&self, key: Terminal) -> TerminalKey {
        let handle = TerminalKey(self.next.fetch_add(1, Ordering::Relaxed));
        self.terminal.write().unwrap_or_else(PoisonError::into_inner).insert(handle, Arc::new(key));
        handle
    }

    fn any_terminal(&self, handle: TerminalKey) -> Result<Arc<Terminal>, KeyError> {
        self.profile.allows_financial("soft")?;
        let keys = self.terminal.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(&handle).cloned().ok_or(KeyError::UnknownTerminalKey(handle))
    }

    fn terminal(&self, handle: TerminalKey, purpose: Purpose) -> Result<Arc<Terminal>, KeyError> {
        let key = self.any_terminal(handle)?;
        if key.purpose == purpose { Ok(key) } else { Err(KeyError::Purpose { needed: purpose.needed() }) }
    }
}

impl Financial for Soft {
    fn generate_terminal_key(&self, purpose: Purpose, cipher: TerminalCipher) -> Result<TerminalKey, KeyError> {
        self.profile.allows_financial("soft")?;
        purpose.allows(cipher)?;
        let kind = match cipher {
            TerminalCipher::Des | TerminalCipher::TripleDes2 => KeyKind::TripleDes2,
            TerminalCipher::Sm4 => KeyKind::Sm4,
        };
        // Half of a triple DES key is a DES key, with parity.
        let mut bytes = Material::generate(kind)?.to_bytes();
        bytes.truncate(cipher.key_length());
        let key =
            Terminal::new(purpose, cipher, bytes).ok_or(KeyError::KeyBytes { kind, found: cipher.key_length() })?;
        Ok(self.keep_terminal(key))
    }

    fn form_terminal_key(
        &self,
        purpose: Purpose,
        cipher: TerminalCipher,
        components: &[&[u8]],
    ) -> Result<TerminalKey, KeyError> {
        self.profile.allows_financial("soft")?;
        purpose.allows(cipher)?;
        check_components(components.len())?;
        let mut bytes = Zeroizing::new(vec![0; cipher.key_length()]);
        for component in components {
            if component.len() != bytes.len() {
                let needed = "a component is as long as the key: 8 bytes for DES, 16 for triple DES and SM4";
                return Err(KeyError::Length { what: "component", found: component.len(), needed });
            }
            xor(&mut bytes, component);
        }
        Terminal::new(purpose, cipher, bytes).map(|key| self.keep_terminal(key)).ok_or(KeyError::Decryption)
    }

    fn import_terminal_key(
        &self,
        purpose: Purpose,
        cipher: TerminalCipher,
        encrypted: &[u8],
        check: &[u8],
        under: TerminalKey,
    ) -> Result<TerminalKey, KeyError> {
        self.profile.allows_financial("soft")?;
        purpose.allows(cipher)?;
        let under = self.terminal(under, Purpose::Master)?;
        check_check_value(check)?;
        if encrypted.len() != cipher.key_length() || !encrypted.len().is_multiple_of(under.block_length()) {
            return Err(KeyError::Decryption);
        }
        let mut bytes = Zeroizing::new(encrypted.to_vec());
        under.decrypt(&mut bytes);
        let key = Terminal::new(purpose, cipher, bytes).ok_or(KeyError::Decryption)?;
        if bool::from(key.secret.check_value()[..check.len()].ct_eq(check)) {
            Ok(self.keep_terminal(key))
        } else {
            Err(KeyError::Decryption)
        }
    }

    fn export_terminal_key(&self, key: TerminalKey, under: TerminalKey) -> Result<Vec<u8>, KeyError> {
        let (key, under) = (self.any_terminal(key)?, self.terminal(under, Purpose::Master)?);
        key.cipher.fits_under(under.cipher)?;
        let mut bytes = key.bytes.to_vec();
        under.encrypt(&mut bytes);
        Ok(bytes)
    }

    fn issue_terminal_key(&self, key: TerminalKey, to: &PublicKey) -> Result<Vec<u8>, KeyError> {
        let key = self.terminal(key, Purpose::Master)?;
        self.encrypt_for(to, PublicKeyEncryption::Sm2Raw, &key.bytes)
    }

    fn wrap_terminal_key(&self, key: TerminalKey, under: KeyHandle) -> Result<Vec<u8>, KeyError> {
        let key = self.any_terminal(key)?;
        self.seal(under, &wrap_context(key.purpose, key.cipher), &key.bytes)
    }

    fn unwrap_terminal_key(
        &self,
        purpose: Purpose,
        cipher: TerminalCipher,
        wrapped: &[u8],
        check: &[u8; CHECK_VALUE_LENGTH],
        under: KeyHandle,
    ) -> Result<TerminalKey, KeyError> {
        self.profile.allows_financial("soft")?;
        purpose.allows(cipher)?;
        let bytes = self.open(under, &wrap_context(purpose, cipher), wrapped)?;
        let key = Terminal::new(purpose, cipher, bytes).ok_or(KeyError::Decryption)?;
        if bool::from(key.secret.check_value().ct_eq(check)) {
            Ok(self.keep_terminal(key))
        } else {
            Err(KeyError::Decryption)
        }
    }

    fn destroy_terminal_key(&self, key: TerminalKey) {
        self.terminal.write().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }

    fn terminal_check_value(&self, key: TerminalKey) -> Result<[u8; CHECK_VALUE_LENGTH], KeyError> {
        Ok(self.any_terminal(key)?.secret.check_value())
    }

    fn terminal_mac(&self, key: TerminalKey, form: TerminalMac, message: &[u8]) -> Result<[u8; 8], KeyError> {
        self.terminal(key, Purpose::Mac)?.mac(form, message)
    }

    fn check_terminal_mac(
        &self,
        key: TerminalKey,
        form: TerminalMac,
        message: &[u8],
        mac: &[u8],
    ) -> Result<(), KeyError> {
        let expected = self.terminal_mac(key, form, message)?;
        if bool::from(expected.as_slice().ct_eq(mac)) { Ok(()) } else { Err(KeyError::Tag) }
    }

    fn translate_pin(&self, from: PinSide<'_>, to: PinSide<'_>, block: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (source, target) = (self.terminal(from.key, Purpose::Pin)?, self.terminal(to.key, Purpose::Pin)?);
        let (source_card, target_card) = (card_digits(from.card_number)?, card_digits(to.card_number)?);
        if block.len() != source.block_length() {
            return Err(KeyError::Decryption);
        }
        let mut clear = Zeroizing::new(block.to_vec());
        source.decrypt(&mut clear);
        let field = pin_of(&clear, &source_card).ok_or(KeyError::Decryption)?;
        let mut block = pin_block(&field, &target_card, target.block_length());
        target.encrypt(&mut block);
        Ok(std::mem::take(&mut *block))
    }

    fn encrypt_track(&self, side: TrackSide, track: Track, text: &Secret) -> Result<String, KeyError> {
        let key = self.terminal(side.key, Purpose::Data)?;
        let halves = track_halves(track, text)?;
        key.encrypt_track(side.form, &halves)
    }

    fn translate_track(
        &self,
        from: TrackSide,
        to: TrackSide,
        track: Track,
        text: &str,
    ) -> Result<TranslatedTrack, KeyError> {
        let (source, target) = (self.terminal(from.key, Purpose::Data)?, self.terminal(to.key, Purpose::Data)?);
        check_track_forms((from.form, source.cipher), (to.form, target.cipher))?;
        let halves = source.decrypt_track(from.form, track, text).ok_or(KeyError::Decryption)?;
        let card_number = track::card_number(track, &halves).ok_or(KeyError::Decryption)?;
        Ok(TranslatedTrack { card_number, track: target.encrypt_track(to.form, &halves)? })
    }

    fn derive_terminal_key(
        &self,
        purpose: Purpose,
        from: TerminalKey,
        factor: &[u8; 8],
    ) -> Result<TerminalKey, KeyError> {
        let from = self.terminal(from, Purpose::Derive)?;
        let mut bytes = Zeroizing::new([*factor, factor.map(|byte| !byte)].concat());
        from.encrypt(&mut bytes);
        Terminal::new(purpose, from.cipher, bytes).map(|key| self.keep_terminal(key)).ok_or(KeyError::Decryption)
    }
}

/// What wrapping binds to a key: the format, purpose and cipher. No general key is wrapped under it.
fn wrap_context(purpose: Purpose, cipher: TerminalCipher) -> Vec<u8> {
    format!("lintel/ark/wrap-terminal/1/{}/{}", purpose.name(), cipher.name()).into_bytes()
}

/// `0L ‖ PIN ‖ F…`, the part of a PIN block that does not depend on the card.
type PinField = Zeroizing<[u8; 8]>;

/// The field of a clear block, if it is one: a length of 4 to 12, so many digits, and F behind them.
///
/// Every half byte is looked at whichever is wrong, so that how long it takes says nothing.
fn pin_of(clear: &[u8], card: &[u8; 6]) -> Option<PinField> {
    let mut clear = Zeroizing::new(clear.to_vec());
    let end = clear.len();
    xor(&mut clear[end - 6..], card);
    let mut field = Zeroizing::new([0; 8]);
    field.copy_from_slice(&clear[..8]);
    let length = field[0];
    let mut wrong = !(4..=12).contains(&length);
    for place in 0..14_u8 {
        let byte = field[usize::from(place / 2) + 1];
        let half = if place % 2 == 0 { byte >> 4 } else { byte & 0x0f };
        wrong |= if place < length { half > 9 } else { half != 0x0f };
    }
    wrong |= clear[8..].iter().fold(false, |wrong, byte| wrong | (*byte != 0xff));
    (!wrong).then_some(field)
}

/// The clear block of a field: the field, F to the end, and the card's digits added to the last six bytes.
fn pin_block(field: &PinField, card: &[u8; 6], length: usize) -> Zeroizing<Vec<u8>> {
    let mut block = Zeroizing::new(vec![0xff; length]);
    block[..8].copy_from_slice(&**field);
    xor(&mut block[length - 6..], card);
    block
}

/// The last twelve digits before the check digit, two a byte.
fn card_digits(card_number: &str) -> Result<[u8; 6], KeyError> {
    let digits = check_card_number(card_number)?;
    let digits = &digits[digits.len() - 13..];
    Ok(std::array::from_fn(|index| (digits[2 * index] - b'0') << 4 | (digits[2 * index + 1] - b'0')))
}

fn xor(bytes: &mut [u8], other: &[u8]) {
    for (byte, other) in bytes.iter_mut().zip(other) {
        *byte ^= other;
    }
}

/// Of a block or more.
fn first_eight(bytes: &[u8]) -> [u8; 8] {
    std::array::from_fn(|index| bytes[index])
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::{card_digits, pin_block, pin_of};

    /// PIN 123456 and card number 123456789012345678, format 0; PIN 123654 and 6230606601007726888, SM4.
    #[test]
    fn clear_pin_blocks() {
        let block = |field: &str, card, length| {
            let field = Zeroizing::new(hex::decode(field).expect("hex").try_into().expect("8 bytes"));
            let card = card_digits(card).expect("a card number");
            let block = pin_block(&field, &card, length);
            assert_eq!(pin_of(&block, &card).as_deref(), Some(&*field));
            hex::encode_upper(&*block)
        };
        assert_eq!(block("06123456FFFFFFFF", "123456789012345678", 8), "061253DFFEDCBA98");
        assert_eq!(block("06123654FFFFFFFF", "6230606601007726888", 16), "06123654FFFFFFFFFFFF99FEFF88D977");
    }

    #[test]
    fn what_is_no_pin_block_is_none() {
        let card = card_digits("6230606601007726888").expect("a card number");
        let is_one = |field: &str| {
            let field = Zeroizing::new(hex::decode(field).expect("hex").try_into().expect("8 bytes"));
            pin_of(&pin_block(&field, &card, 8), &card).is_some()
        };
        for good in ["041234FFFFFFFFFF", "0C123456789012FF", "0512345FFFFFFFFF"] {
            assert!(is_one(good), "{good}");
        }
        for bad in [
            "031234FFFFFFFFFF",
            "0D1234567890123F",
            "141234FFFFFFFFFF",
            "04123AFFFFFFFFFF",
            "0412345FFFFFFFFF",
            "041234FFFFFFFFF0",
            "0000000000000000",
            "FFFFFFFFFFFFFFFF",
        ] {
            assert!(!is_one(bad), "{bad}");
        }
        for bad in ["", "123456789012", "12345678901234567890", "123456789012345a", "1234567890１23456"] {
            assert!(card_digits(bad).is_err(), "{bad}");
        }
    }
}
