//! Keys of terminals and zones in a key service that is a process of its own.
//!
//! PINs and tracks travel as they came, encrypted, but for a track that a terminal sent readable. A card number is part of
//! what is asked and told. All of it goes over TLS, and none of it into an error.

use ark::Secret;
use ark::financial::{TerminalMac, Track, TranslatedTrack};
use ark::keys::{Birth, By, Error, Exported, FinancialUse, Info, KeyAt, PinAt, Spec, TrackAt};
use ark::provider::{CHECK_VALUE_LENGTH, KeyError, PublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Key, RemoteKeys, named, new_key, path, text};

/// What came of a financial command.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Outcome {
    key: Option<Key>,
    encrypted: Option<String>,
    check_value: Option<String>,
    block: Option<String>,
    mac: Option<String>,
    valid: Option<bool>,
    track: Option<String>,
    card_number: Option<String>,
}

impl Outcome {
    fn check_value(&self) -> Option<[u8; CHECK_VALUE_LENGTH]> {
        hex::decode(self.check_value.as_ref()?).ok()?.try_into().ok()
    }
}

fn bytes(text: Option<String>) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text?).ok()
}

fn pin(side: PinAt<'_>) -> Value {
    json!({"key": side.key.name, "version": side.key.version, "card_number": side.card_number})
}

fn track(side: TrackAt<'_>) -> Value {
    json!({"key": side.key.name, "version": side.key.version, "form": side.form.name()})
}

impl RemoteKeys {
    /// Asks for a command that uses the key `name`.
    fn command(&self, by: &By<'_>, segments: &[&str], name: &str, body: Value) -> Result<Outcome, Error> {
        let target = path(by, &[&["financial"], segments].concat());
        self.ask(target, Some(body)).map_err(|error| named(error, name))
    }

    /// Asks for a key that is to come: `more` says how.
    fn come(&self, by: &By<'_>, command: &str, spec: (&Spec<'_>, Birth), more: (Value, &str)) -> Result<Info, Error> {
        self.come_with(by, command, spec, more)?.key.and_then(Key::info).ok_or_else(|| self.lacks())
    }

    /// The same, with all that is told of it.
    fn come_with(
        &self,
        by: &By<'_>,
        command: &str,
        (spec, birth): (&Spec<'_>, Birth),
        (mut more, from): (Value, &str),
    ) -> Result<Outcome, Error> {
        more["key"] = new_key(spec);
        more["next_version"] = (birth == Birth::Version).into();
        let made = self.command(by, &[command], from, more);
        // Where another key takes part, it alone can be unknown; this one alone can be there.
        made.map_err(|error| if matches!(error, Error::Exists(_)) { named(error, spec.name) } else { error })
    }
}

impl FinancialUse for RemoteKeys {
    fn generate_terminal_key(&self, by: &By<'_>, spec: &Spec<'_>, birth: Birth) -> Result<Info, Error> {
        self.come(by, "generate", (spec, birth), (json!({}), spec.name))
    }

    fn import_terminal_key(
        &self,
        by: &By<'_>,
        spec: &Spec<'_>,
        birth: Birth,
        (encrypted, check): (&[u8], &[u8]),
        under: &str,
    ) -> Result<Info, Error> {
        let how = json!({"encrypted": text(encrypted), "check_value": hex::encode(check), "under": under});
        self.come(by, "import", (spec, birth), (how, under))
    }

    fn derive_terminal_key(
        &self,
        by: &By<'_>,
        spec: &Spec<'_>,
        birth: Birth,
        from: KeyAt<'_>,
        factor: &[u8; 8],
    ) -> Result<Info, Error> {
        let how = json!({"from": from.name, "from_version": from.version, "factor": text(factor)});
        self.come(by, "derive", (spec, birth), (how, from.name))
    }

    fn export_terminal_key(&self, by: &By<'_>, key: KeyAt<'_>, under: &str) -> Result<Exported, Error> {
        let body = json!({"key": key.name, "version": key.version, "under": under});
        let out = self.command(by, &["export"], key.name, body)?;
        let check_value = out.check_value().ok_or_else(|| self.lacks())?;
        Ok(Exported { encrypted: bytes(out.encrypted).ok_or_else(|| self.lacks())?, check_value })
    }

    fn generate_terminal_key_for(
        &self,
        by: &By<'_>,
        spec: &Spec<'_>,
        birth: Birth,
        to: &PublicKey,
    ) -> Result<(Info, Exported), Error> {
        let how = json!({"to": text(&to.bytes)});
        let out = self.come_with(by, "generate-for", (spec, birth), (how, spec.name))?;
        let check_value = out.check_value().ok_or_else(|| self.lacks())?;
        let encrypted = bytes(out.encrypted).ok_or_else(|| self.lacks())?;
        let info = out.key.and_then(Key::info).ok_or_else(|| self.lacks())?;
        Ok((info, Exported { encrypted, check_value }))
    }

    fn terminal_check_value(&self, by: &By<'_>, key: KeyAt<'_>) -> Result<[u8; CHECK_VALUE_LENGTH], Error> {
        let body = json!({"key": key.name, "version": key.version});
        self.command(by, &["check-value"], key.name, body)?.check_value().ok_or_else(|| self.lacks())
    }

    fn terminal_mac(&self, by: &By<'_>, key: KeyAt<'_>, form: TerminalMac, message: &[u8]) -> Result<[u8; 8], Error> {
        let body = json!({"form": form.name(), "message": text(message), "version": key.version});
        let mac = bytes(self.command(by, &["mac", key.name], key.name, body)?.mac);
        mac.and_then(|mac| mac.try_into().ok()).ok_or_else(|| self.lacks())
    }

    fn verify_terminal_mac(
        &self,
        by: &By<'_>,
        key: KeyAt<'_>,
        form: TerminalMac,
        message: &[u8],
        mac: &[u8],
    ) -> Result<(), Error> {
        let (message, mac) = (text(message), text(mac));
        let body = json!({"form": form.name(), "message": message, "mac": mac, "version": key.version});
        match self.command(by, &["verify-mac", key.name], key.name, body)?.valid {
            Some(true) => Ok(()),
            Some(false) => Err(Error::Provider(KeyError::Tag)),
            None => Err(self.lacks()),
        }
    }

    fn translate_pin(&self, by: &By<'_>, from: PinAt<'_>, to: PinAt<'_>, block: &[u8]) -> Result<Vec<u8>, Error> {
        let body = json!({"from": pin(from), "to": pin(to), "block": text(block)});
        let done = self.command(by, &["translate-pin"], from.key.name, body)?;
        bytes(done.block).ok_or_else(|| self.lacks())
    }

    fn encrypt_track(&self, by: &By<'_>, side: TrackAt<'_>, track: Track, text: &Secret) -> Result<String, Error> {
        let (form, number) = (side.form.name(), track.name());
        let body = json!({"form": form, "track": number, "text": text.expose(), "version": side.key.version});
        let done = self.command(by, &["encrypt-track", side.key.name], side.key.name, body)?;
        done.track.ok_or_else(|| self.lacks())
    }

    fn translate_track(
        &self,
        by: &By<'_>,
        from: TrackAt<'_>,
        to: TrackAt<'_>,
        number: Track,
        text: &str,
    ) -> Result<TranslatedTrack, Error> {
        let body = json!({"from": track(from), "to": track(to), "track": number.name(), "text": text});
        let done = self.command(by, &["translate-track"], from.key.name, body)?;
        let (Some(card_number), Some(track)) = (done.card_number, done.track) else { return Err(self.lacks()) };
        Ok(TranslatedTrack { card_number: Secret::new(card_number), track })
    }
}
