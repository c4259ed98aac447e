//! The financial commands, each one request: what is wrong with the caller's parameters is said here, what is wrong with
//! ciphertexts is the module's to say, and is one error.

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{
    Fhsm, Held, Key, StoredKey,
    dialect::Command,
    layout::{Awaited, Field, Values, value},
    undecided,
};
use crate::{
    device::DeviceError,
    financial::{
        Financial, PinSide, Purpose, TerminalCipher, TerminalKey, TerminalMac, Track, TrackSide, TranslatedTrack,
        check_card_number, check_check_value, check_components, check_track_forms, track_halves,
    },
    provider::{CHECK_VALUE_LENGTH, KeyError, KeyHandle},
    secret::Secret,
};

/// The longest track in hexadecimal: 104 characters in whole blocks of 16 bytes.
const TRACK_TEXT_MAX: usize = 128;

fn data(field: Field, bytes: &[u8]) -> (Field, Zeroizing<Vec<u8>>) {
    (field, Zeroizing::new(bytes.to_vec()))
}

fn given(values: &Values, field: Field) -> &[u8] {
    value(values, field).expect("a response has every field that its command gives: the dialect was checked")
}

pub(super) fn check_of(values: &Values) -> [u8; CHECK_VALUE_LENGTH] {
    let check = given(values, Field::Check);
    std::array::from_fn(|index| check[index])
}

impl Fhsm {
    /// A command that makes a key.
    fn make(
        &self,
        command: Command,
        (purpose, cipher): (Purpose, TerminalCipher),
        fields: Values,
    ) -> Result<(Key, [u8; CHECK_VALUE_LENGTH]), KeyError> {
        let mut sent = self.about(command, purpose, cipher)?;
        sent.extend(fields);
        let names = self.dialect.cipher(cipher)?;
        let key = Some((names.prefix.as_slice(), self.dialect.key_coding, names.bytes));
        let awaited = Awaited { key, lengths: &[(Field::Check, self.dialect.check_bytes)] };
        let made = self.ask(command, &sent, &awaited)?;
        let held = Held::Stored(given(&made, Field::Key).to_vec());
        Ok((Key { purpose, cipher, held }, check_of(&made)))
    }

    fn mac_request(
        &self,
        command: Command,
        key: TerminalKey,
        form: TerminalMac,
        message: &[u8],
    ) -> Result<Values, KeyError> {
        let key = self.key_for(key, Purpose::Mac)?;
        if form == TerminalMac::X919 && key.cipher != TerminalCipher::TripleDes2 {
            return Err(KeyError::Purpose { needed: "X9.19 takes a triple DES key of two parts" });
        }
        let mut sent = self.about(command, key.purpose, key.cipher)?;
        let form = data(Field::MacForm, self.dialect.mac_form(form)?);
        sent.extend([(Field::Key, self.written(&key)?), form, data(Field::Message, message)]);
        Ok(sent)
    }

    fn track_request(&self, command: Command, side: TrackSide, track: Track, text: &str) -> Result<Values, KeyError> {
        let key = self.key_for(side.key, Purpose::Data)?;
        let mut sent = self.about(command, key.purpose, key.cipher)?;
        if self.wants(command, Field::Track) {
            sent.push(data(Field::Track, self.dialect.track(track)?));
        }
        let form = data(Field::TrackForm, self.dialect.track_form(side.form)?);
        sent.extend([(Field::Key, self.written(&key)?), form, data(Field::Text, text.as_bytes())]);
        Ok(sent)
    }

    fn track_of(&self, command: Command, given: &[u8]) -> Result<String, KeyError> {
        let text = std::str::from_utf8(given).ok().filter(|text| is_track_text(text));
        text.map(str::to_ascii_uppercase).ok_or_else(|| self.nonsense(command, "a track that is no hexadecimal text"))
    }

    fn nonsense(&self, command: Command, problem: &str) -> KeyError {
        let device = format!("of GM/T 0045 ({})", self.dialect.name);
        DeviceError::Answer { device, operation: command.name(), problem: problem.to_owned() }.into()
    }
}

fn is_track_text(text: &str) -> bool {
    (1..=TRACK_TEXT_MAX).contains(&text.len()) && text.bytes().all(|character| character.is_ascii_hexdigit())
}

impl Financial for Fhsm {
    fn generate_terminal_key(&self, purpose: Purpose, cipher: TerminalCipher) -> Result<TerminalKey, KeyError> {
        purpose.allows(cipher)?;
        Ok(self.keys.keep(self.make(Command::Generate, (purpose, cipher), Values::new())?.0))
    }

    /// Each component as the module's console gave it out, encrypted under the module's master.
    fn form_terminal_key(
        &self,
        purpose: Purpose,
        cipher: TerminalCipher,
        components: &[&[u8]],
    ) -> Result<TerminalKey, KeyError> {
        purpose.allows(cipher)?;
        check_components(components.len())?;
        let length = self.dialect.cipher(cipher)?.bytes;
        if let Some(other) = components.iter().find(|component| component.len() != length) {
            let needed = "a component comes from the module's console, encrypted: as long as a key of its cipher in the \
                          module's profile (bytes)";
            return Err(KeyError::Length { what: "component", found: other.len(), needed });
        }
        let count = data(Field::Count, components.len().to_string().as_bytes());
        let fields = vec![count, data(Field::Components, &components.concat())];
        let made = self.make(Command::Form, (purpose, cipher), fields).map_err(undecided)?;
        Ok(self.keys.keep(made.0))
    }

    fn import_terminal_key(
        &self,
        purpose: Purpose,
        cipher: TerminalCipher,
        encrypted: &[u8],
        check: &[u8],
        under: TerminalKey,
    ) -> Result<TerminalKey, KeyError> {
        purpose.allows(cipher)?;
        let under = self.key_for(under, Purpose::Master)?;
        check_check_value(check)?;
        if encrypted.len() != cipher.key_length() || cipher.fits_under(under.cipher).is_err() {
            return Err(KeyError::Decryption);
        }
        let under = (Field::Under, self.written(&under)?);
        let fields = vec![under, data(Field::Encrypted, encrypted), data(Field::Check, check)];
        let (key, found) = self.make(Command::Import, (purpose, cipher), fields).map_err(undecided)?;
        if bool::from(found[..check.len()].ct_eq(check)) { Ok(self.keys.keep(key)) } else { Err(KeyError::Decryption) }
    }

    fn export_terminal_key(&self, key: TerminalKey, under: TerminalKey) -> Result<Vec<u8>, KeyError> {
        let (key, under) = (self.key(key)?, self.key_for(under, Purpose::Master)?);
        key.cipher.fits_under(under.cipher)?;
        let mut sent = self.about(Command::Export, key.purpose, key.cipher)?;
        sent.extend([(Field::Key, self.written(&key)?), (Field::Under, self.written(&under)?)]);
        let awaited = Awaited { key: None, lengths: &[(Field::Encrypted, key.cipher.key_length())] };
        Ok(given(&self.ask(Command::Export, &sent, &awaited)?, Field::Encrypted).to_vec())
    }

    fn wrap_terminal_key(&self, key: TerminalKey, _: KeyHandle) -> Result<Vec<u8>, KeyError> {
        match &self.key(key)?.held {
            Held::Stored(bytes) => Ok(bytes.clone()),
            Held::Index(_) => self.stored(key).map(|stored| stored.bytes),
        }
    }

    fn unwrap_terminal_key(
        &self,
        purpose: Purpose,
        cipher: TerminalCipher,
        wrapped: &[u8],
        check: &[u8; CHECK_VALUE_LENGTH],
        _: KeyHandle,
    ) -> Result<TerminalKey, KeyError> {
        self.take_in(&StoredKey { purpose, cipher, bytes: wrapped.to_vec(), check: *check })
    }

    /// The module keeps nothing of a key as ciphertext; one by index stays there.
    fn destroy_terminal_key(&self, key: TerminalKey) {
        self.keys.forget(key);
    }

    fn terminal_check_value(&self, key: TerminalKey) -> Result<[u8; CHECK_VALUE_LENGTH], KeyError> {
        let key = self.key(key)?;
        self.check_value_of(&key)
    }

    fn terminal_mac(&self, key: TerminalKey, form: TerminalMac, message: &[u8]) -> Result<[u8; 8], KeyError> {
        let sent = self.mac_request(Command::Mac, key, form, message)?;
        let awaited = Awaited { key: None, lengths: &[(Field::Mac, 8)] };
        let made = self.ask(Command::Mac, &sent, &awaited)?;
        let mac = given(&made, Field::Mac);
        Ok(std::array::from_fn(|index| mac[index]))
    }

    /// Inside: the right MAC of a message that came with a wrong one does not come out.
    fn check_terminal_mac(
        &self,
        key: TerminalKey,
        form: TerminalMac,
        message: &[u8],
        mac: &[u8],
    ) -> Result<(), KeyError> {
        let mut sent = self.mac_request(Command::CheckMac, key, form, message)?;
        if mac.len() != 8 {
            return Err(KeyError::Tag);
        }
        sent.push(data(Field::Mac, mac));
        self.ask(Command::CheckMac, &sent, &Awaited { key: None, lengths: &[] }).map(drop)
    }

    fn translate_pin(&self, from: PinSide<'_>, to: PinSide<'_>, block: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (source, target) = (self.key_for(from.key, Purpose::Pin)?, self.key_for(to.key, Purpose::Pin)?);
        let (card, card_to) = (check_card_number(from.card_number)?, check_card_number(to.card_number)?);
        let command = Command::TranslatePin;
        if card != card_to && !self.wants(command, Field::CardTo) {
            let reason = "its profile has no card_to in [command.translate_pin]".to_owned();
            return Err(self.dialect.lacks("translate a PIN onto another card number", reason).into());
        }
        if block.len() != source.cipher.block_length() {
            return Err(KeyError::Decryption);
        }
        let mut sent = self.about(command, source.purpose, source.cipher)?;
        sent.extend([(Field::Key, self.written(&source)?), (Field::To, self.written(&target)?)]);
        sent.extend([data(Field::Block, block), data(Field::Card, card), data(Field::CardTo, card_to)]);
        let awaited = Awaited { key: None, lengths: &[(Field::Block, target.cipher.block_length())] };
        let translated = self.ask(command, &sent, &awaited).map_err(undecided)?;
        Ok(given(&translated, Field::Block).to_vec())
    }

    fn encrypt_track(&self, side: TrackSide, track: Track, text: &Secret) -> Result<String, KeyError> {
        track_halves(track, text)?;
        let text = Secret::new(text.expose().replace('=', "D"));
        let sent = self.track_request(Command::EncryptTrack, side, track, text.expose())?;
        let answer = self.ask(Command::EncryptTrack, &sent, &Awaited { key: None, lengths: &[] })?;
        self.track_of(Command::EncryptTrack, given(&answer, Field::Text))
    }

    fn translate_track(
        &self,
        from: TrackSide,
        to: TrackSide,
        track: Track,
        text: &str,
    ) -> Result<TranslatedTrack, KeyError> {
        let command = Command::TranslateTrack;
        let (source, target) = (self.key_for(from.key, Purpose::Data)?, self.key_for(to.key, Purpose::Data)?);
        check_track_forms((from.form, source.cipher), (to.form, target.cipher))?;
        let mut sent = self.track_request(command, from, track, text)?;
        if !is_track_text(text) {
            return Err(KeyError::Decryption);
        }
        sent.push((Field::To, self.written(&target)?));
        sent.push(data(Field::TrackFormTo, self.dialect.track_form(to.form)?));
        let answer = self.ask(command, &sent, &Awaited { key: None, lengths: &[] }).map_err(undecided)?;
        let card = std::str::from_utf8(given(&answer, Field::Card)).ok();
        let card = card.filter(|card| check_card_number(card).is_ok());
        let card = card.ok_or_else(|| self.nonsense(command, "a card number that is none"))?;
        let track = self.track_of(command, given(&answer, Field::Text))?;
        Ok(TranslatedTrack { card_number: Secret::new(card.to_owned()), track })
    }

    fn derive_terminal_key(
        &self,
        purpose: Purpose,
        from: TerminalKey,
        factor: &[u8; 8],
    ) -> Result<TerminalKey, KeyError> {
        let from = self.key_for(from, Purpose::Derive)?;
        let fields = vec![(Field::Key, self.written(&from)?), data(Field::Factor, factor)];
        let (key, _) = self.make(Command::Derive, (purpose, from.cipher), fields).map_err(undecided)?;
        Ok(self.keys.keep(key))
    }
}
