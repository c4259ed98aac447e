//! Financial commands: what is done with the keys of terminals and networks, so that no clear key and no clear PIN is
//! ever outside.
//!
//! ```text
//!  TMK, ZMK   Master   takes keys in and gives keys out, encrypted
//!  PIK, ZPK   Pin      translates PIN blocks from one Pin key to another
//!  MAK, ZAK   Mac      makes and checks MACs
//!  TDK, …     Data     encrypts tracks and translates them; of a track only the card number comes out, for routing
//!  …          Derive   makes keys of terminals and cards from factors, and does nothing else
//! ```
//!
//! Invariants: a key has one [`Purpose`] from its first moment, and no command takes it for another; none of these keys
//! has a [`crate::provider::KeyHandle`], so no general operation can decrypt with it. Whatever is wrong with a key or PIN
//! block that came in, the answer is [`KeyError::Decryption`].
//!
//! The dialect is the one of the acquirers' terminals (UnionPay POS): there are others, so its choices are parameters.

pub(crate) mod track;

use std::fmt;

use zeroize::Zeroizing;

use crate::{
    provider::{CHECK_VALUE_LENGTH, KeyError, KeyHandle, PublicKey},
    secret::Secret,
};

/// Names a key of a terminal or a network inside one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TerminalKey(pub(crate) u64);

/// What a terminal's or network's key is for. Fixed at birth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Encrypts other keys: TMK (终端主密钥), ZMK.
    Master,
    /// Encrypts PIN blocks: PIK, ZPK.
    Pin,
    /// Authenticates messages: MAK, ZAK.
    Mac,
    /// Encrypts tracks of magnetic stripes: TDK.
    Data,
    /// Makes other keys from factors (分散). It is no master key: a master key that gave out the encryption of a key
    /// block would give out what it derives.
    Derive,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 5] = [Self::Master, Self::Pin, Self::Mac, Self::Data, Self::Derive];

    /// Its name, for ever.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Pin => "pin",
            Self::Mac => "mac",
            Self::Data => "track",
            Self::Derive => "derive",
        }
    }

    /// What a command that takes this purpose says to a key of another.
    pub(crate) const fn needed(self) -> &'static str {
        match self {
            Self::Master => "this command takes a master key",
            Self::Pin => "this command takes a PIN key",
            Self::Mac => "this command takes a MAC key",
            Self::Data => "this command takes a key for tracks",
            Self::Derive => "this command takes a key that derives",
        }
    }

    /// Whether a key for this may be of that cipher.
    pub(crate) fn allows(self, cipher: TerminalCipher) -> Result<(), KeyError> {
        match (self, cipher) {
            (Self::Master | Self::Pin | Self::Data | Self::Derive, TerminalCipher::Des) => {
                Err(KeyError::Purpose { needed: "a DES key makes MACs and nothing else" })
            }
            (Self::Mac, TerminalCipher::Des)
            | (
                Self::Master | Self::Pin | Self::Mac | Self::Data | Self::Derive,
                TerminalCipher::TripleDes2 | TerminalCipher::Sm4,
            ) => Ok(()),
        }
    }
}

/// The cipher of a terminal's or network's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TerminalCipher {
    /// DES, 8 bytes. For MACs only, where terminals have a key of single length.
    Des,
    /// Triple DES of two parts, 16 bytes.
    TripleDes2,
    /// SM4, 16 bytes.
    Sm4,
}

impl TerminalCipher {
    /// Every cipher.
    pub const ALL: [Self; 3] = [Self::Des, Self::TripleDes2, Self::Sm4];

    /// Its name, for ever.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Des => "des",
            Self::TripleDes2 => "3des-2",
            Self::Sm4 => "sm4",
        }
    }

    /// How many bytes a key has.
    #[must_use]
    pub const fn key_length(self) -> usize {
        match self {
            Self::Des => 8,
            Self::TripleDes2 | Self::Sm4 => 16,
        }
    }

    /// How many bytes a block has.
    pub(crate) const fn block_length(self) -> usize {
        match self {
            Self::Des | Self::TripleDes2 => 8,
            Self::Sm4 => 16,
        }
    }

    /// Whether a key of this cipher can lie under one of `under`: in whole blocks.
    pub(crate) fn fits_under(self, under: Self) -> Result<(), KeyError> {
        if self.key_length().is_multiple_of(under.block_length()) {
            Ok(())
        } else {
            Err(KeyError::Purpose { needed: "a DES key goes out under a triple DES key" })
        }
    }
}

/// The digits of a card number that can be part of a PIN block.
pub(crate) fn check_card_number(card_number: &str) -> Result<&[u8], KeyError> {
    let digits = card_number.as_bytes();
    if (13..=19).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) {
        return Ok(digits);
    }
    let needed = "a card number has 13 to 19 digits and nothing else";
    Err(KeyError::Length { what: "card number", found: digits.len(), needed })
}

/// So many custodians form a key.
pub(crate) fn check_components(count: usize) -> Result<(), KeyError> {
    if (2..=9).contains(&count) {
        return Ok(());
    }
    let needed = "a key is formed from two to nine components, each with a custodian of its own";
    Err(KeyError::Length { what: "list of components", found: count, needed })
}

/// The half bytes of a track that came readable.
pub(crate) fn track_halves(track: Track, text: &Secret) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let text = text.expose();
    let needed = "digits with a separator (D or =) behind a card number of 13 to 19 digits: \
                  at most 37 characters on track 2, 104 on track 3 behind two digits of format";
    track::halves(track, text).ok_or(KeyError::Length { what: "track", found: text.len(), needed })
}

/// A translation leaves nothing of a track readable that came encrypted: else it would give out more than the card number.
pub(crate) fn check_track_forms(
    (from, source): (TrackForm, TerminalCipher),
    (to, target): (TrackForm, TerminalCipher),
) -> Result<(), KeyError> {
    let hides = match (from, to) {
        (TrackForm::Whole | TrackForm::Tail, TrackForm::Whole) => true,
        (TrackForm::Whole, TrackForm::Tail) => false,
        // Both tails end at the same byte.
        (TrackForm::Tail, TrackForm::Tail) => target.block_length() >= source.block_length(),
    };
    let needed = "a translated track hides what came encrypted: encrypt the whole of it, or a tail that is not shorter";
    if hides { Ok(()) } else { Err(KeyError::Purpose { needed }) }
}

/// The start of a check value that proves a key.
pub(crate) fn check_check_value(check: &[u8]) -> Result<(), KeyError> {
    if (3..=CHECK_VALUE_LENGTH).contains(&check.len()) {
        return Ok(());
    }
    let needed = "the start of the check value, 3 to 8 bytes";
    Err(KeyError::Length { what: "check value", found: check.len(), needed })
}

/// How a MAC is made over the bytes of a message, padded with zeros to whole blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TerminalMac {
    /// "ECB": blocks are added up; the sum in hexadecimal is encrypted half by half. Eight hexadecimal characters.
    Ecb,
    /// CBC (ANSI X9.9 over DES): the last block of the chain, its first 8 bytes.
    Cbc,
    /// ANSI X9.19 over two parts of a key: the chain under the first, the last block through both. 8 bytes.
    X919,
    /// CMAC (SP 800-38B), its first 8 bytes. It pads by itself, with no zeros.
    Cmac,
}

impl TerminalMac {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::Ecb, Self::Cbc, Self::X919, Self::Cmac];

    /// Its name, for ever.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ecb => "ecb",
            Self::Cbc => "cbc",
            Self::X919 => "x9.19",
            Self::Cmac => "cmac",
        }
    }
}

/// Which track of a magnetic stripe (ISO/IEC 7813, 4909). Written as digits and `D` (or `=`) for the separator, without
/// sentinels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Track {
    /// At most 37 characters: card number, one separator, the rest.
    Two,
    /// At most 104 characters: two digits of format, card number, separator, the rest.
    Three,
}

impl Track {
    /// Both tracks.
    pub const ALL: [Self; 2] = [Self::Two, Self::Three];

    /// Its number, for ever.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Two => "2",
            Self::Three => "3",
        }
    }
}

/// How a track is encrypted. Its characters lie two a byte; each block is encrypted by itself; the result is written in
/// hexadecimal, as it stands in field 35 or 36.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackForm {
    /// All of it, with F to whole blocks behind it.
    Whole,
    /// One block, the one that ends before the last byte (a last byte may hold one character); the rest stays readable.
    Tail,
}

impl TrackForm {
    /// Both forms.
    pub const ALL: [Self; 2] = [Self::Whole, Self::Tail];

    /// Its name, for ever.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Tail => "tail",
        }
    }
}

/// One side of a translation of a track.
#[derive(Debug, Clone, Copy)]
pub struct TrackSide {
    /// The [`Purpose::Data`] key.
    pub key: TerminalKey,
    /// How the track is encrypted under it.
    pub form: TrackForm,
}

/// A track under another key, and what routing needs of it.
#[derive(Clone)]
pub struct TranslatedTrack {
    /// 13 to 19 digits.
    pub card_number: Secret,
    /// Hexadecimal, in the form of the other side.
    pub track: String,
}

/// Prints neither: of a track whose tail is encrypted the card number is readable.
impl fmt::Debug for TranslatedTrack {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TranslatedTrack").finish_non_exhaustive()
    }
}

/// One side of a translation of a PIN block.
#[derive(Debug, Clone, Copy)]
pub struct PinSide<'a> {
    /// The [`Purpose::Pin`] key.
    pub key: TerminalKey,
    /// The card number, 13 to 19 digits, that is part of the block.
    pub card_number: &'a str,
}

/// A provider that knows financial commands.
pub trait Financial: crate::provider::Provider {
    /// Makes a key.
    ///
    /// # Errors
    /// [`KeyError::Random`]; [`KeyError::Purpose`] for DES with another purpose than MACs.
    fn generate_terminal_key(&self, purpose: Purpose, cipher: TerminalCipher) -> Result<TerminalKey, KeyError>;

    /// Forms a key from the components (分量) of two to nine custodians: their sum without carry.
    ///
    /// # Errors
    /// [`KeyError::Length`] if there are too few or too many, or one is not as long as the key; [`KeyError::Decryption`]
    /// if the sum is no key (equal parts of triple DES); [`KeyError::Purpose`].
    ///
    /// A component is clear only where the provider lives in this process. A module takes each as its console gave it
    /// out, encrypted under the module's own master.
    fn form_terminal_key(
        &self,
        purpose: Purpose,
        cipher: TerminalCipher,
        components: &[&[u8]],
    ) -> Result<TerminalKey, KeyError>;

    /// Takes in a key encrypted block by block under a master key, if the start of its check value is `check`.
    ///
    /// # Errors
    /// [`KeyError::Decryption`] for another length, check value or a sum that is no key; [`KeyError::Length`] for a check
    /// value of less than 3 or more than 8 bytes; [`KeyError::Purpose`] if `under` is no master key;
    /// [`KeyError::UnknownTerminalKey`].
    fn import_terminal_key(
        &self,
        purpose: Purpose,
        cipher: TerminalCipher,
        encrypted: &[u8],
        check: &[u8],
        under: TerminalKey,
    ) -> Result<TerminalKey, KeyError>;

    /// Gives a key out, encrypted block by block under a master key.
    ///
    /// # Errors
    /// [`KeyError::Purpose`] if `under` is no master key, or a DES key would go out under SM4, of which it is no whole
    /// block; [`KeyError::UnknownTerminalKey`].
    fn export_terminal_key(&self, key: TerminalKey, under: TerminalKey) -> Result<Vec<u8>, KeyError>;

    /// Gives a master key out, encrypted by SM2 for whoever has the private key of `to`: `04 ‖ x ‖ y ‖ SM3 ‖ key` in the layout
    /// of GB/T 32918.4.
    ///
    /// # Errors
    /// [`KeyError::Purpose`] if it is no master key, or the provider does not do this; [`KeyError::PublicKey`] if `to` is no
    /// point of the curve; [`KeyError::UnknownTerminalKey`].
    fn issue_terminal_key(&self, key: TerminalKey, to: &PublicKey) -> Result<Vec<u8>, KeyError> {
        let _ = (key, to);
        Err(KeyError::Purpose {
            needed: "this provider encrypts no key by SM2; bring the terminal's key under a transport key",
        })
    }

    /// The key as it may lie in a file. Where keys are in this process, wrapped and authenticated under the SM4 or AES key
    /// `under`; a module encrypts it under its own master and does not look at `under`.
    ///
    /// # Errors
    /// [`KeyError::UnknownTerminalKey`], [`KeyError::UnknownKey`], [`KeyError::WrongKind`]; [`KeyError::Device`] for a key
    /// that the module keeps by index.
    fn wrap_terminal_key(&self, key: TerminalKey, under: KeyHandle) -> Result<Vec<u8>, KeyError>;

    /// Takes in what [`Financial::wrap_terminal_key`] gave out, if it has this check value.
    ///
    /// # Errors
    /// [`KeyError::Decryption`] if it is anything else; [`KeyError::Purpose`], [`KeyError::UnknownKey`].
    fn unwrap_terminal_key(
        &self,
        purpose: Purpose,
        cipher: TerminalCipher,
        wrapped: &[u8],
        check: &[u8; CHECK_VALUE_LENGTH],
        under: KeyHandle,
    ) -> Result<TerminalKey, KeyError>;

    /// Forgets a key and wipes it. Forgetting what is not there is no error.
    fn destroy_terminal_key(&self, key: TerminalKey);

    /// The check value: the first 8 bytes of one block of zeros encrypted.
    ///
    /// # Errors
    /// [`KeyError::UnknownTerminalKey`].
    fn terminal_check_value(&self, key: TerminalKey) -> Result<[u8; CHECK_VALUE_LENGTH], KeyError>;

    /// The MAC of a message, 8 bytes as they stand in field 64.
    ///
    /// # Errors
    /// [`KeyError::Purpose`] if the key is for something else, or is not of two parts under X9.19;
    /// [`KeyError::UnknownTerminalKey`].
    fn terminal_mac(&self, key: TerminalKey, form: TerminalMac, message: &[u8]) -> Result<[u8; 8], KeyError>;

    /// Compares a MAC from outside, in constant time.
    ///
    /// # Errors
    /// [`KeyError::Tag`] if it is another; as [`Financial::terminal_mac`].
    fn check_terminal_mac(
        &self,
        key: TerminalKey,
        form: TerminalMac,
        message: &[u8],
        mac: &[u8],
    ) -> Result<(), KeyError>;

    /// Encrypts the PIN of a block again, under another key and in that key's form: format 0 of ISO 9564 for triple DES,
    /// its form of 16 bytes for SM4.
    ///
    /// # Errors
    /// [`KeyError::Decryption`] if it is no PIN block of this key and card number; [`KeyError::Length`] for a card number
    /// of another form; [`KeyError::Purpose`] if a key is for something else; [`KeyError::UnknownTerminalKey`].
    fn translate_pin(&self, from: PinSide<'_>, to: PinSide<'_>, block: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// Encrypts a track that is readable here, as a terminal does.
    ///
    /// # Errors
    /// [`KeyError::Length`] if it is no track, or too short for the form; [`KeyError::Purpose`] if the key is for something
    /// else; [`KeyError::UnknownTerminalKey`].
    fn encrypt_track(&self, side: TrackSide, track: Track, text: &Secret) -> Result<String, KeyError>;

    /// Encrypts a track again, under another key and form, and gives out its card number.
    ///
    /// # Errors
    /// [`KeyError::Decryption`] if it is no track under this key; [`KeyError::Length`] if it is too short for the other
    /// side's form; [`KeyError::Purpose`] if a key is for something else, or the other side's form would leave readable
    /// what came encrypted (a tail of a whole track, or a shorter tail); [`KeyError::UnknownTerminalKey`].
    fn translate_track(
        &self,
        from: TrackSide,
        to: TrackSide,
        track: Track,
        text: &str,
    ) -> Result<TranslatedTrack, KeyError>;

    /// The key of a terminal or card from its factor (分散因子): `factor ‖ complement of factor` encrypted block by block
    /// under a [`Purpose::Derive`] key (JR/T 0025.7), of that key's cipher.
    ///
    /// # Errors
    /// [`KeyError::Purpose`] if `from` is for something else; [`KeyError::Decryption`] if what comes out is no key (equal
    /// parts); [`KeyError::UnknownTerminalKey`].
    fn derive_terminal_key(
        &self,
        purpose: Purpose,
        from: TerminalKey,
        factor: &[u8; 8],
    ) -> Result<TerminalKey, KeyError>;
}
