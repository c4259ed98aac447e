//! The keys of terminals in the key service: a master key (TMK) that is brought once, work keys that each sign-in renews.
//!
//! ```text
//!  terminal/N/master ─ wraps ─► terminal/N/pin   translates a PIN block to the zone's key
//!                             ► terminal/N/mac   checks what the terminal sends, proves what it is answered
//!                             ► terminal/N/track translates tracks that come encrypted
//! ```
//!
//! Invariants: what leaves here of a key lies under the terminal's master key; of a PIN nothing leaves but a block under the
//! zone's key. What makes and brings keys blocks on a disk or a network: [`beside`] runs it. A use of keys that are at hand is
//! done where the caller stands.

use std::sync::Arc;

use ark::Secret;
use ark::financial::{Purpose as Duty, TerminalCipher, TerminalMac, Track, TrackForm};
use ark::keys::life::Use;
use ark::keys::{
    Birth, By, Error, Exported, FinancialUse, Info, KeyAt, Kind, PinAt, Purpose, Spec, State, TrackAt, by_platform,
};
use ark::provider::PublicKey;
use domain::ids::TerminalId;
use zeroize::Zeroizing;

/// Why, in the key service's trail.
const REASON: &str = "terminal";

/// The keys of terminals.
#[derive(Debug, Clone)]
pub(crate) struct TerminalKeys {
    keys: Arc<dyn FinancialUse>,
}

/// Which work keys a sign-in renews, and of which cipher they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Renewal {
    /// Of the MAC key where the master key is of triple DES; where it is of SM4, all are.
    pub(crate) mac: TerminalCipher,
    pub(crate) track: bool,
}

/// Work keys as they go to the terminal.
#[derive(Debug)]
pub(crate) struct WorkKeys {
    pub(crate) pin: Exported,
    pub(crate) mac: Exported,
    pub(crate) track: Option<Exported>,
}

/// A master key under a transport key.
#[derive(Debug)]
pub(crate) struct MasterUnder<'a> {
    pub(crate) cipher: TerminalCipher,
    pub(crate) encrypted: &'a [u8],
    /// The start of its check value.
    pub(crate) check: &'a [u8],
    /// The transport key, by its name in the key service.
    pub(crate) under: &'a str,
}

/// The name of a terminal's key in the key service.
pub(crate) fn name(terminal: TerminalId, duty: Duty) -> String {
    format!("terminal/{}/{}", terminal.0, duty.name())
}

/// Runs what asks the key service beside the runtime.
pub(crate) async fn beside<T: Send + 'static>(
    keys: &TerminalKeys,
    work: impl FnOnce(&TerminalKeys) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let keys = keys.clone();
    // A panic there is one of the key service; its words are in the log.
    tokio::task::spawn_blocking(move || work(&keys)).await.unwrap_or(Err(Error::Sealed))
}

/// Uses keys: here if they are all at hand, which takes microseconds, else beside the runtime.
pub(super) async fn used<T: Send + 'static>(
    keys: &Arc<dyn FinancialUse>,
    by: By<'static>,
    uses: &[(&str, Use)],
    work: impl FnOnce(&dyn FinancialUse, &By<'_>) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    if uses.iter().all(|(name, act)| keys.is_at_hand(&by, name, *act)) {
        return work(&**keys, &by);
    }
    let keys = Arc::clone(keys);
    // A panic there is one of the key service; its words are in the log.
    tokio::task::spawn_blocking(move || work(&*keys, &by)).await.unwrap_or(Err(Error::Sealed))
}

impl TerminalKeys {
    pub(crate) fn new(keys: Arc<dyn FinancialUse>) -> Self {
        Self { keys }
    }

    fn birth(&self, name: &str) -> Result<Birth, Error> {
        match self.keys.info(name) {
            Ok(_) => Ok(Birth::Version),
            Err(error) if error.code() == "key_not_found" => Ok(Birth::Key),
            Err(error) => Err(error),
        }
    }

    /// Takes a terminal's master key in, the first or the next.
    pub(crate) fn load(&self, by: &By<'_>, terminal: TerminalId, key: &MasterUnder<'_>) -> Result<Info, Error> {
        let name = name(terminal, Duty::Master);
        let spec = Spec::new(&name, key.cipher, Purpose::Terminal(Duty::Master));
        let birth = self.birth(&name)?;
        self.keys.import_terminal_key(by, &spec, birth, (key.encrypted, key.check), key.under)
    }

    /// Makes a terminal's master key, the first or the next, of SM4, and gives it out for the terminal's public key.
    pub(crate) fn issue(&self, by: &By<'_>, terminal: TerminalId, to: &PublicKey) -> Result<(String, Exported), Error> {
        let name = name(terminal, Duty::Master);
        let spec = Spec { exportable: true, ..Spec::new(&name, TerminalCipher::Sm4, Purpose::Terminal(Duty::Master)) };
        let birth = self.birth(&name)?;
        let issued = match self.keys.generate_terminal_key_for(by, &spec, birth, to) {
            // A key service elsewhere may have been asked twice; the one that is lost went nowhere.
            Err(Error::Exists(_)) if birth == Birth::Key => {
                self.keys.generate_terminal_key_for(by, &spec, Birth::Version, to)
            }
            issued => issued,
        };
        Ok((name, issued?.1))
    }

    /// A terminal's master key as it is there.
    pub(crate) fn master(&self, terminal: TerminalId) -> Result<Info, Error> {
        let info = self.keys.info(&name(terminal, Duty::Master))?;
        if info.purpose == Purpose::Terminal(Duty::Master) {
            return Ok(info);
        }
        Err(Error::Usage { name: info.name, purpose: info.purpose, operation: "be a terminal's master key" })
    }

    /// Makes new work keys and gives them out under the master key.
    pub(crate) fn renew(&self, terminal: TerminalId, renewal: Renewal) -> Result<WorkKeys, Error> {
        let cipher = match self.master(terminal)?.kind {
            Kind::Financial(cipher) => cipher,
            kind @ Kind::General(_) => {
                return Err(Error::Kind { kind, purpose: Purpose::Terminal(Duty::Master) });
            }
        };
        let master = name(terminal, Duty::Master);
        let make = |duty, cipher| {
            let (name, by) = (name(terminal, duty), by_platform(REASON));
            let spec = Spec { exportable: true, ..Spec::new(&name, cipher, Purpose::Terminal(duty)) };
            self.keys.generate_terminal_key(&by, &spec, self.birth(&name)?)?;
            self.keys.export_terminal_key(&by, KeyAt::current(&name), &master)
        };
        let mac = match cipher {
            TerminalCipher::Sm4 => TerminalCipher::Sm4,
            TerminalCipher::Des | TerminalCipher::TripleDes2 => renewal.mac,
        };
        Ok(WorkKeys {
            pin: make(Duty::Pin, cipher)?,
            mac: make(Duty::Mac, mac)?,
            track: if renewal.track { Some(make(Duty::Data, cipher)?) } else { None },
        })
    }

    /// Whether a MAC is the terminal's over these bytes; a terminal that has no MAC key made none.
    pub(crate) async fn mac_is(
        &self,
        terminal: TerminalId,
        form: TerminalMac,
        bytes: &[u8],
        mac: &[u8],
    ) -> Result<bool, Error> {
        self.proves(name(terminal, Duty::Mac), form, bytes.to_vec(), mac.to_vec()).await
    }

    /// Whether a proof is that of a terminal's serial and its factor, under the key that the device has for it; a terminal
    /// that has no such key proves nothing.
    pub(crate) async fn serial_is(&self, terminal: TerminalId, text: String, proof: &[u8]) -> Result<bool, Error> {
        let name = format!("terminal/{}/serial", terminal.0);
        self.proves(name, TerminalMac::Ecb, text.into_bytes(), proof.to_vec()).await
    }

    async fn proves(&self, name: String, form: TerminalMac, bytes: Vec<u8>, mac: Vec<u8>) -> Result<bool, Error> {
        let key = name.clone();
        let work = move |keys: &dyn FinancialUse, by: &By<'_>| {
            match keys.verify_terminal_mac(by, KeyAt::current(&key), form, &bytes, &mac) {
                Ok(()) => Ok(true),
                // By the code, for a key service elsewhere answers with that.
                Err(error) if matches!(error.code(), "tag_mismatch" | "key_not_found") => Ok(false),
                Err(error) => Err(error),
            }
        };
        used(&self.keys, by_platform(REASON), &[(name.as_str(), Use::Verify)], work).await
    }

    /// The MAC of an answer.
    pub(crate) async fn mac(&self, terminal: TerminalId, form: TerminalMac, bytes: &[u8]) -> Result<[u8; 8], Error> {
        let (name, bytes) = (name(terminal, Duty::Mac), bytes.to_vec());
        let key = name.clone();
        let work =
            move |keys: &dyn FinancialUse, by: &By<'_>| keys.terminal_mac(by, KeyAt::current(&key), form, &bytes);
        used(&self.keys, by_platform(REASON), &[(name.as_str(), Use::Protect)], work).await
    }

    /// A terminal's PIN block under a zone's key.
    pub(crate) async fn translate_pin(
        &self,
        terminal: TerminalId,
        zone: &str,
        card_number: Secret,
        block: Zeroizing<Vec<u8>>,
    ) -> Result<Vec<u8>, Error> {
        let name = name(terminal, Duty::Pin);
        let keys = (name.clone(), zone.to_owned());
        let work = move |service: &dyn FinancialUse, by: &By<'_>| {
            let side = |name| PinAt { key: KeyAt::current(name), card_number: card_number.expose() };
            service.translate_pin(by, side(&keys.0), side(&keys.1), &block)
        };
        used(&self.keys, by_platform(REASON), &[(name.as_str(), Use::Open), (zone, Use::Protect)], work).await
    }

    /// A readable track under a zone's key.
    pub(crate) async fn encrypt_track(
        &self,
        zone: &str,
        form: TrackForm,
        (track, text): (Track, Secret),
    ) -> Result<String, Error> {
        let key = zone.to_owned();
        let work = move |keys: &dyn FinancialUse, by: &By<'_>| {
            keys.encrypt_track(by, TrackAt { key: KeyAt::current(&key), form }, track, &text)
        };
        used(&self.keys, by_platform(REASON), &[(zone, Use::Protect)], work).await
    }

    /// A terminal's encrypted track under a zone's key, and its card number.
    pub(crate) async fn translate_track(
        &self,
        terminal: TerminalId,
        zone: &str,
        form: TrackForm,
        (track, text): (Track, Zeroizing<String>),
    ) -> Result<(Secret, String), Error> {
        let name = name(terminal, Duty::Data);
        let keys = (name.clone(), zone.to_owned());
        let work = move |service: &dyn FinancialUse, by: &By<'_>| {
            let side = |name| TrackAt { key: KeyAt::current(name), form };
            let made = service.translate_track(by, side(&keys.0), side(&keys.1), track, &text)?;
            Ok((made.card_number, made.track))
        };
        used(&self.keys, by_platform(REASON), &[(name.as_str(), Use::Open), (zone, Use::Protect)], work).await
    }
}

/// The check value of the version that is in use.
pub(crate) fn check_value(info: &Info) -> Option<String> {
    let mut active = info.versions.iter().rev().filter(|version| version.state == State::Active);
    active.find_map(|version| version.check_value).map(hex::encode_upper)
}
