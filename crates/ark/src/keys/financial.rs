//! What keys of terminals and zones do, by name: the financial commands of the provider behind states, versions, uses and
//! the trail of the key service.
//!
//! ```text
//!  begin ── a component from each of two to nine custodians ──► formed ─┐
//!  generate · derive · import under a master key of the same side ──────┴─► a key, or the next version of one
//!
//!  terminal-pin ─ translate ─► zone-pin        zone-pin ─ translate ─► zone-pin        never back to a terminal
//!  terminal-track ─ translate ─► zone-track    of a track only the card number comes out, for routing
//! ```
//!
//! Invariants: no function here returns a clear key, component, PIN or track; a key goes out and comes in under a master
//! key of its own side only; each component comes from another caller, lies in memory only, and is forgotten with the key,
//! with sealing or after an hour. Each key that a command names has its own record in the trail.

mod forming;

use zeroize::Zeroizing;

pub(super) use self::forming::Forming;
pub use self::forming::{Birth, Formed};

use super::{
    By, Error, Info, KeyService, Purpose, Spec,
    held::Held,
    life::Use,
    operate::allowed,
    service::{Key, Open, checked, shown},
};
use crate::{
    Secret,
    financial::{PinSide, Purpose as Duty, TerminalKey, TerminalMac, Track, TrackForm, TrackSide, TranslatedTrack},
    provider::{CHECK_VALUE_LENGTH, KeyError, PublicKey},
};

/// A key by name.
#[derive(Debug, Clone, Copy)]
pub struct KeyAt<'a> {
    /// Its name.
    pub name: &'a str,
    /// Which version; the current one unless said.
    pub version: Option<u32>,
}

impl<'a> KeyAt<'a> {
    /// The current version.
    #[must_use]
    pub const fn current(name: &'a str) -> Self {
        Self { name, version: None }
    }
}

/// One side of a translation of a PIN block.
#[derive(Clone, Copy)]
pub struct PinAt<'a> {
    /// The PIN key.
    pub key: KeyAt<'a>,
    /// The card number that is part of the block, 13 to 19 digits.
    pub card_number: &'a str,
}

/// Prints no card number.
impl std::fmt::Debug for PinAt<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PinAt").field("key", &self.key).finish_non_exhaustive()
    }
}

/// One side of a translation of a track.
#[derive(Debug, Clone, Copy)]
pub struct TrackAt<'a> {
    /// The key for tracks.
    pub key: KeyAt<'a>,
    /// How the track is encrypted under it.
    pub form: TrackForm,
}

/// A key as another system takes it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Encrypted block by block under the master key; of a master key that is issued, by SM2.
    pub encrypted: Vec<u8>,
    /// The first 8 bytes of one block of zeros encrypted.
    pub check_value: [u8; CHECK_VALUE_LENGTH],
}

/// How a command uses a key.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    act: Use,
    operation: &'static str,
    takes: &'a dyn Fn(Purpose) -> bool,
}

fn of(duty: Duty) -> impl Fn(Purpose) -> bool {
    move |purpose| purpose.duty() == Some(duty)
}

/// Of no bytes, a chain has no block: its MAC would be zeros under every key.
fn has_bytes(message: &[u8]) -> Result<(), KeyError> {
    if message.is_empty() {
        return Err(KeyError::Length { what: "message", found: 0, needed: "a MAC is made over at least one byte" });
    }
    Ok(())
}

impl KeyService {
    /// Makes a key of a terminal or zone at random.
    ///
    /// # Errors
    /// As [`KeyService::create`]; [`Error::Provider`] with `profile_production` where keys lie in this process.
    pub fn generate_terminal_key(&self, by: &By<'_>, spec: &Spec<'_>, birth: Birth) -> Result<Info, Error> {
        self.arrive(by, spec, birth, "create", |_, _| self.generated(spec.kind, spec.purpose))
    }

    /// Makes a terminal's master key at random and gives it out at its birth for whoever has the private key of `to`, as
    /// [`KeyService::issue_terminal_key`] gives out one that is there. No key that is in use leaves so.
    ///
    /// # Errors
    /// [`Error::NotExportable`] if it is to stay, or the version before was made to stay: nothing is made then, as with all others.
    /// [`Error::Usage`] for another key than a terminal's master; [`Error::Provider`] if `to` is no SM2 key or the provider does not do
    /// it; and as [`KeyService::generate_terminal_key`].
    pub fn generate_terminal_key_for(
        &self,
        by: &By<'_>,
        spec: &Spec<'_>,
        birth: Birth,
        to: &PublicKey,
    ) -> Result<(Info, Exported), Error> {
        let (mut issued, operation) = (None, "terminal-issue");
        let info = self.arrive(by, spec, birth, operation, |open, (duty, cipher)| {
            if spec.purpose != Purpose::Terminal(Duty::Master) {
                return Err(Error::Usage { name: shown(spec.name), purpose: spec.purpose, operation });
            }
            if !spec.exportable || birth == Birth::Version && !self.key(open, spec.name)?.row.exportable {
                return Err(Error::NotExportable(shown(spec.name)));
            }
            let financial = self.financial()?;
            let key = financial.generate_terminal_key(duty, cipher)?;
            let made = financial.issue_terminal_key(key, to).map_err(Error::from).and_then(|encrypted| {
                issued = Some(Exported { encrypted, check_value: financial.terminal_check_value(key)? });
                self.held(key)
            });
            if made.is_err() {
                financial.destroy_terminal_key(key);
            }
            made
        })?;
        Ok((info, issued.ok_or(Error::Decryption)?))
    }

    /// Takes in a key encrypted block by block under a master key of the same side, if the start of its check value is
    /// `check`.
    ///
    /// # Errors
    /// [`Error::Decryption`] for whatever is wrong with key or check value; [`Error::Usage`] for another key than such a
    /// master; [`Error::State`], [`Error::Unknown`], and as [`KeyService::create`].
    pub fn import_terminal_key(
        &self,
        by: &By<'_>,
        spec: &Spec<'_>,
        birth: Birth,
        (encrypted, check): (&[u8], &[u8]),
        under: &str,
    ) -> Result<Info, Error> {
        let operation = "terminal-import";
        self.arrive(by, spec, birth, operation, |open, (duty, cipher)| {
            let takes = |purpose| purpose == spec.purpose.beside(Duty::Master);
            let wanted = Wanted { act: Use::Open, operation, takes: &takes };
            self.with_key(by, open, KeyAt::current(under), wanted, |under, _| {
                self.held(self.financial()?.import_terminal_key(duty, cipher, encrypted, check, under)?)
            })
        })
    }

    /// Makes a key from its factor under a key that derives, of the same side and cipher.
    ///
    /// # Errors
    /// As [`KeyService::import_terminal_key`].
    pub fn derive_terminal_key(
        &self,
        by: &By<'_>,
        spec: &Spec<'_>,
        birth: Birth,
        from: KeyAt<'_>,
        factor: &[u8; 8],
    ) -> Result<Info, Error> {
        let operation = "terminal-derive";
        self.arrive(by, spec, birth, operation, |open, (duty, _)| {
            let takes = |purpose| purpose == spec.purpose.beside(Duty::Derive);
            let wanted = Wanted { act: Use::Protect, operation, takes: &takes };
            self.with_key(by, open, from, wanted, |from, key| {
                if key.row.kind != spec.kind {
                    return Err(Error::Kind { kind: spec.kind, purpose: spec.purpose });
                }
                self.held(self.financial()?.derive_terminal_key(duty, from, factor)?)
            })
        })
    }

    /// Gives a key out, encrypted block by block under a master key of the same side, if it was made exportable.
    ///
    /// # Errors
    /// [`Error::NotExportable`], [`Error::Usage`] for another key than such a master, [`Error::State`],
    /// [`Error::Version`], [`Error::Unknown`].
    pub fn export_terminal_key(&self, by: &By<'_>, key: KeyAt<'_>, under: &str) -> Result<Exported, Error> {
        checked(by)?;
        let (open, operation) = (self.opened()?, "terminal-export");
        let wanted = Wanted { act: Use::Open, operation, takes: &|purpose| purpose.duty().is_some() };
        self.with_key(by, &open, key, wanted, |handle, exported| {
            if !exported.row.exportable {
                return Err(Error::NotExportable(shown(key.name)));
            }
            // A key under itself would say nothing but give out its own encryption.
            let takes = |purpose| purpose == exported.row.purpose.beside(Duty::Master) && under != key.name;
            let wanted = Wanted { act: Use::Protect, operation, takes: &takes };
            self.with_key(by, &open, KeyAt::current(under), wanted, |under, _| {
                let financial = self.financial()?;
                let encrypted = financial.export_terminal_key(handle, under)?;
                Ok(Exported { encrypted, check_value: financial.terminal_check_value(handle)? })
            })
        })
    }

    /// Gives a terminal's master key out for whoever has the private key of `to`, encrypted by SM2, if it was made
    /// exportable; with its check value, by which the terminal sees that it has the right one.
    ///
    /// # Errors
    /// [`Error::NotExportable`]; [`Error::Usage`] for another key than a terminal's master; [`Error::Provider`] if `to` is no
    /// SM2 key or the provider does not do it; [`Error::State`], [`Error::Version`], [`Error::Unknown`].
    pub fn issue_terminal_key(&self, by: &By<'_>, key: KeyAt<'_>, to: &PublicKey) -> Result<Exported, Error> {
        checked(by)?;
        let takes = |purpose| purpose == Purpose::Terminal(Duty::Master);
        let wanted = Wanted { act: Use::Open, operation: "terminal-issue", takes: &takes };
        self.with_key(by, &*self.opened()?, key, wanted, |handle, issued| {
            if !issued.row.exportable {
                return Err(Error::NotExportable(shown(key.name)));
            }
            let financial = self.financial()?;
            let encrypted = financial.issue_terminal_key(handle, to)?;
            Ok(Exported { encrypted, check_value: financial.terminal_check_value(handle)? })
        })
    }

    /// The check value, made by the provider now: [`KeyService::info`] has the one of the file.
    ///
    /// # Errors
    /// [`Error::Usage`] for a general key, [`Error::State`], [`Error::Version`], [`Error::Unknown`], [`Error::Provider`].
    pub fn terminal_check_value(&self, by: &By<'_>, key: KeyAt<'_>) -> Result<[u8; CHECK_VALUE_LENGTH], Error> {
        let takes = |purpose: Purpose| purpose.duty().is_some();
        let wanted = Wanted { act: Use::Verify, operation: "check-value", takes: &takes };
        self.with_one(by, key, wanted, |key| Ok(self.financial()?.terminal_check_value(key)?))
    }

    /// The MAC of a message as it stands in field 64, 8 bytes.
    ///
    /// # Errors
    /// As [`KeyService::terminal_check_value`]; [`Error::Provider`] with `key_purpose` for a key that the form does not
    /// take, with `length_invalid` for a message of no bytes.
    pub fn terminal_mac(
        &self,
        by: &By<'_>,
        key: KeyAt<'_>,
        form: TerminalMac,
        message: &[u8],
    ) -> Result<[u8; 8], Error> {
        let wanted = Wanted { act: Use::Protect, operation: "terminal-mac", takes: &of(Duty::Mac) };
        self.with_one(by, key, wanted, |key| {
            has_bytes(message)?;
            Ok(self.financial()?.terminal_mac(key, form, message)?)
        })
    }

    /// Compares a MAC with the message's, in constant time.
    ///
    /// # Errors
    /// [`Error::Provider`] with `tag_mismatch`, and as [`KeyService::terminal_mac`].
    pub fn verify_terminal_mac(
        &self,
        by: &By<'_>,
        key: KeyAt<'_>,
        form: TerminalMac,
        message: &[u8],
        mac: &[u8],
    ) -> Result<(), Error> {
        let wanted = Wanted { act: Use::Verify, operation: "terminal-verify-mac", takes: &of(Duty::Mac) };
        self.with_one(by, key, wanted, |key| {
            has_bytes(message)?;
            Ok(self.financial()?.check_terminal_mac(key, form, message, mac)?)
        })
    }

    /// Encrypts the PIN of a block again under a zone's key, in the form of that key's cipher.
    ///
    /// # Errors
    /// [`Error::Decryption`] if it is no PIN block of this key and card number; [`Error::Usage`] if the other key is no
    /// zone's PIN key; [`Error::State`], [`Error::Version`], [`Error::Unknown`], [`Error::Provider`].
    pub fn translate_pin(&self, by: &By<'_>, from: PinAt<'_>, to: PinAt<'_>, block: &[u8]) -> Result<Vec<u8>, Error> {
        self.with_two(by, (from.key, to.key), Duty::Pin, "translate-pin", |source, target| {
            let from = PinSide { key: source, card_number: from.card_number };
            let to = PinSide { key: target, card_number: to.card_number };
            Ok(self.financial()?.translate_pin(from, to, block)?)
        })
    }

    /// Encrypts a track that is readable here.
    ///
    /// # Errors
    /// [`Error::Provider`] with `length_invalid` if it is no track; and as [`KeyService::terminal_check_value`].
    pub fn encrypt_track(&self, by: &By<'_>, side: TrackAt<'_>, track: Track, text: &Secret) -> Result<String, Error> {
        let wanted = Wanted { act: Use::Protect, operation: "encrypt-track", takes: &of(Duty::Data) };
        self.with_one(by, side.key, wanted, |key| {
            Ok(self.financial()?.encrypt_track(TrackSide { key, form: side.form }, track, text)?)
        })
    }

    /// Encrypts a track again under a zone's key, and gives out its card number, for routing.
    ///
    /// # Errors
    /// [`Error::Decryption`] if it is no track under this key; [`Error::Usage`] if the other key is no zone's;
    /// [`Error::Provider`] with `key_purpose` if the other form would show what came encrypted.
    pub fn translate_track(
        &self,
        by: &By<'_>,
        from: TrackAt<'_>,
        to: TrackAt<'_>,
        track: Track,
        text: &str,
    ) -> Result<TranslatedTrack, Error> {
        self.with_two(by, (from.key, to.key), Duty::Data, "translate-track", |source, target| {
            let from = TrackSide { key: source, form: from.form };
            let to = TrackSide { key: target, form: to.form };
            Ok(self.financial()?.translate_track(from, to, track, text)?)
        })
    }

    fn with_one<T>(
        &self,
        by: &By<'_>,
        key: KeyAt<'_>,
        wanted: Wanted<'_>,
        run: impl FnOnce(TerminalKey) -> Result<T, Error>,
    ) -> Result<T, Error> {
        checked(by)?;
        self.with_key(by, &*self.opened()?, key, wanted, |key, _| run(key))
    }

    /// From a key of a terminal or zone to one of a zone.
    fn with_two<T>(
        &self,
        by: &By<'_>,
        (from, to): (KeyAt<'_>, KeyAt<'_>),
        duty: Duty,
        operation: &'static str,
        run: impl FnOnce(TerminalKey, TerminalKey) -> Result<T, Error>,
    ) -> Result<T, Error> {
        checked(by)?;
        let open = self.opened()?;
        let source = Wanted { act: Use::Open, operation, takes: &of(duty) };
        let target = Wanted { act: Use::Protect, operation, takes: &|purpose| purpose == Purpose::Zone(duty) };
        self.with_key(by, &open, from, source, |from, _| self.with_key(by, &open, to, target, |to, _| run(from, to)))
    }

    /// Does it with a version that may, and counts it in the trail: a result leaves only once it is counted.
    fn with_key<T>(
        &self,
        by: &By<'_>,
        open: &Open,
        at: KeyAt<'_>,
        wanted: Wanted<'_>,
        run: impl FnOnce(TerminalKey, &Key) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Wanted { act, operation, takes } = wanted;
        let mut number = 0;
        let result = self.key(open, at.name).and_then(|key| {
            let other = || Error::Usage { name: key.row.name.clone(), purpose: key.row.purpose, operation };
            if !takes(key.row.purpose) {
                return Err(other());
            }
            self.in_mode(&key.row.name, key.row.kind)?;
            let version = match at.version {
                Some(number) => key.version(number)?,
                None => key.current().ok_or_else(|| Error::Unknown(shown(at.name)))?,
            };
            number = version.number;
            let held = allowed(&key, version, act, operation, by.compromised_too)?;
            let Held::Terminal(terminal) = held else { return Err(other()) };
            if act == Use::Protect {
                self.count(open, &key, version)?;
            }
            let row = || self.version_row(&self.place().read()?, open, &key.row, number);
            run(self.taken_in(open, &key, terminal, row)?, &key)
        });
        self.note(by, at.name, number, operation, result.as_ref().err())?;
        result
    }
}

/// Components as they came, wiped when dropped.
type Components = Vec<Zeroizing<Vec<u8>>>;
