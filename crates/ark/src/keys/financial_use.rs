//! What the platform's terminals and networks ask of its key service, wherever that runs: [`KeyUse`] and the financial
//! commands.
//!
//! Callers hold an `Arc<dyn FinancialUse>`. Components and their custodians are not in it: they deal with the key service
//! itself. Of master keys only the check value leaves this way, but for one that is made for a terminal's public key and leaves
//! as it is made: giving out one that is there takes two people, at the key service.

use super::{Birth, By, Error, Exported, Info, KeyAt, KeyService, KeyUse, PinAt, Spec, TrackAt};
use crate::{
    Secret,
    financial::{TerminalMac, Track, TranslatedTrack},
    provider::{CHECK_VALUE_LENGTH, PublicKey},
};

/// Keys of terminals and zones by name. Calls block, like those of [`KeyUse`].
///
/// Where the key service is a process of its own, a connection that breaks before the answer is asked once more. So a
/// new key may answer [`Error::Exists`] to the call that made it (look at its check value), and a next version may be the
/// one after the next: its number is in the answer.
pub trait FinancialUse: KeyUse {
    /// As [`KeyService::generate_terminal_key`].
    ///
    /// # Errors
    /// Those of [`KeyService::generate_terminal_key`].
    fn generate_terminal_key(&self, by: &By<'_>, spec: &Spec<'_>, birth: Birth) -> Result<Info, Error>;

    /// As [`KeyService::import_terminal_key`]: `brought` is the key under `under`, and the start of its check value.
    ///
    /// # Errors
    /// Those of [`KeyService::import_terminal_key`].
    fn import_terminal_key(
        &self,
        by: &By<'_>,
        spec: &Spec<'_>,
        birth: Birth,
        brought: (&[u8], &[u8]),
        under: &str,
    ) -> Result<Info, Error>;

    /// As [`KeyService::derive_terminal_key`].
    ///
    /// # Errors
    /// Those of [`KeyService::derive_terminal_key`].
    fn derive_terminal_key(
        &self,
        by: &By<'_>,
        spec: &Spec<'_>,
        birth: Birth,
        from: KeyAt<'_>,
        factor: &[u8; 8],
    ) -> Result<Info, Error>;

    /// As [`KeyService::export_terminal_key`].
    ///
    /// # Errors
    /// Those of [`KeyService::export_terminal_key`]; [`Error::Elsewhere`] with `ark_approval_required` for a master key.
    fn export_terminal_key(&self, by: &By<'_>, key: KeyAt<'_>, under: &str) -> Result<Exported, Error>;

    /// As [`KeyService::generate_terminal_key_for`].
    ///
    /// # Errors
    /// Those of [`KeyService::generate_terminal_key_for`].
    fn generate_terminal_key_for(
        &self,
        by: &By<'_>,
        spec: &Spec<'_>,
        birth: Birth,
        to: &PublicKey,
    ) -> Result<(Info, Exported), Error>;

    /// As [`KeyService::terminal_check_value`].
    ///
    /// # Errors
    /// Those of [`KeyService::terminal_check_value`].
    fn terminal_check_value(&self, by: &By<'_>, key: KeyAt<'_>) -> Result<[u8; CHECK_VALUE_LENGTH], Error>;

    /// As [`KeyService::terminal_mac`].
    ///
    /// # Errors
    /// Those of [`KeyService::terminal_mac`].
    fn terminal_mac(&self, by: &By<'_>, key: KeyAt<'_>, form: TerminalMac, message: &[u8]) -> Result<[u8; 8], Error>;

    /// As [`KeyService::verify_terminal_mac`].
    ///
    /// # Errors
    /// Those of [`KeyService::verify_terminal_mac`].
    fn verify_terminal_mac(
        &self,
        by: &By<'_>,
        key: KeyAt<'_>,
        form: TerminalMac,
        message: &[u8],
        mac: &[u8],
    ) -> Result<(), Error>;

    /// As [`KeyService::translate_pin`].
    ///
    /// # Errors
    /// Those of [`KeyService::translate_pin`].
    fn translate_pin(&self, by: &By<'_>, from: PinAt<'_>, to: PinAt<'_>, block: &[u8]) -> Result<Vec<u8>, Error>;

    /// As [`KeyService::encrypt_track`].
    ///
    /// # Errors
    /// Those of [`KeyService::encrypt_track`].
    fn encrypt_track(&self, by: &By<'_>, side: TrackAt<'_>, track: Track, text: &Secret) -> Result<String, Error>;

    /// As [`KeyService::translate_track`].
    ///
    /// # Errors
    /// Those of [`KeyService::translate_track`].
    fn translate_track(
        &self,
        by: &By<'_>,
        from: TrackAt<'_>,
        to: TrackAt<'_>,
        track: Track,
        text: &str,
    ) -> Result<TranslatedTrack, Error>;
}

impl FinancialUse for KeyService {
    fn generate_terminal_key(&self, by: &By<'_>, spec: &Spec<'_>, birth: Birth) -> Result<Info, Error> {
        Self::generate_terminal_key(self, by, spec, birth)
    }

    fn import_terminal_key(
        &self,
        by: &By<'_>,
        spec: &Spec<'_>,
        birth: Birth,
        brought: (&[u8], &[u8]),
        under: &str,
    ) -> Result<Info, Error> {
        Self::import_terminal_key(self, by, spec, birth, brought, under)
    }

    fn derive_terminal_key(
        &self,
        by: &By<'_>,
        spec: &Spec<'_>,
        birth: Birth,
        from: KeyAt<'_>,
        factor: &[u8; 8],
    ) -> Result<Info, Error> {
        Self::derive_terminal_key(self, by, spec, birth, from, factor)
    }

    fn export_terminal_key(&self, by: &By<'_>, key: KeyAt<'_>, under: &str) -> Result<Exported, Error> {
        Self::export_terminal_key(self, by, key, under)
    }

    fn generate_terminal_key_for(
        &self,
        by: &By<'_>,
        spec: &Spec<'_>,
        birth: Birth,
        to: &PublicKey,
    ) -> Result<(Info, Exported), Error> {
        Self::generate_terminal_key_for(self, by, spec, birth, to)
    }

    fn terminal_check_value(&self, by: &By<'_>, key: KeyAt<'_>) -> Result<[u8; CHECK_VALUE_LENGTH], Error> {
        Self::terminal_check_value(self, by, key)
    }

    fn terminal_mac(&self, by: &By<'_>, key: KeyAt<'_>, form: TerminalMac, message: &[u8]) -> Result<[u8; 8], Error> {
        Self::terminal_mac(self, by, key, form, message)
    }

    fn verify_terminal_mac(
        &self,
        by: &By<'_>,
        key: KeyAt<'_>,
        form: TerminalMac,
        message: &[u8],
        mac: &[u8],
    ) -> Result<(), Error> {
        Self::verify_terminal_mac(self, by, key, form, message, mac)
    }

    fn translate_pin(&self, by: &By<'_>, from: PinAt<'_>, to: PinAt<'_>, block: &[u8]) -> Result<Vec<u8>, Error> {
        Self::translate_pin(self, by, from, to, block)
    }

    fn encrypt_track(&self, by: &By<'_>, side: TrackAt<'_>, track: Track, text: &Secret) -> Result<String, Error> {
        Self::encrypt_track(self, by, side, track, text)
    }

    fn translate_track(
        &self,
        by: &By<'_>,
        from: TrackAt<'_>,
        to: TrackAt<'_>,
        track: Track,
        text: &str,
    ) -> Result<TranslatedTrack, Error> {
        Self::translate_track(self, by, from, to, track, text)
    }
}
