//! Keys of terminals and zones in this process's key service.

use ark::Secret;
use ark::financial::{TerminalMac, Track, TranslatedTrack};
use ark::keys::{Birth, By, Error, Exported, FinancialUse, Info, KeyAt, PinAt, Spec, TrackAt};
use ark::provider::{CHECK_VALUE_LENGTH, PublicKey};

use super::Slot;

impl FinancialUse for Slot {
    fn generate_terminal_key(&self, by: &By<'_>, spec: &Spec<'_>, birth: Birth) -> Result<Info, Error> {
        self.open()?.generate_terminal_key(by, spec, birth)
    }

    fn import_terminal_key(
        &self,
        by: &By<'_>,
        spec: &Spec<'_>,
        birth: Birth,
        brought: (&[u8], &[u8]),
        under: &str,
    ) -> Result<Info, Error> {
        self.open()?.import_terminal_key(by, spec, birth, brought, under)
    }

    fn derive_terminal_key(
        &self,
        by: &By<'_>,
        spec: &Spec<'_>,
        birth: Birth,
        from: KeyAt<'_>,
        factor: &[u8; 8],
    ) -> Result<Info, Error> {
        self.open()?.derive_terminal_key(by, spec, birth, from, factor)
    }

    fn export_terminal_key(&self, by: &By<'_>, key: KeyAt<'_>, under: &str) -> Result<Exported, Error> {
        self.open()?.export_terminal_key(by, key, under)
    }

    fn generate_terminal_key_for(
        &self,
        by: &By<'_>,
        spec: &Spec<'_>,
        birth: Birth,
        to: &PublicKey,
    ) -> Result<(Info, Exported), Error> {
        self.open()?.generate_terminal_key_for(by, spec, birth, to)
    }

    fn terminal_check_value(&self, by: &By<'_>, key: KeyAt<'_>) -> Result<[u8; CHECK_VALUE_LENGTH], Error> {
        self.open()?.terminal_check_value(by, key)
    }

    fn terminal_mac(&self, by: &By<'_>, key: KeyAt<'_>, form: TerminalMac, message: &[u8]) -> Result<[u8; 8], Error> {
        self.open()?.terminal_mac(by, key, form, message)
    }

    fn verify_terminal_mac(
        &self,
        by: &By<'_>,
        key: KeyAt<'_>,
        form: TerminalMac,
        message: &[u8],
        mac: &[u8],
    ) -> Result<(), Error> {
        self.open()?.verify_terminal_mac(by, key, form, message, mac)
    }

    fn translate_pin(&self, by: &By<'_>, from: PinAt<'_>, to: PinAt<'_>, block: &[u8]) -> Result<Vec<u8>, Error> {
        self.open()?.translate_pin(by, from, to, block)
    }

    fn encrypt_track(&self, by: &By<'_>, side: TrackAt<'_>, track: Track, text: &Secret) -> Result<String, Error> {
        self.open()?.encrypt_track(by, side, track, text)
    }

    fn translate_track(
        &self,
        by: &By<'_>,
        from: TrackAt<'_>,
        to: TrackAt<'_>,
        track: Track,
        text: &str,
    ) -> Result<TranslatedTrack, Error> {
        self.open()?.translate_track(by, from, to, track, text)
    }
}
