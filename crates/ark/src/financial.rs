//! Financial commands: what is done with the keys of terminals and networks, so that no clear key and no clear PIN is
//! ever outside.
//!
//! ```text
//!  TMK, ZMK   Master   takes keys in and gives keys out, encrypted
//!  PIK, ZPK   Pin      translates PIN blocks from one Pin key to another
//!  MAK, ZAK   Mac      makes and checks MACs
//! ```
//!
//! Invariants: a key has one [`Purpose`] from its first moment, and no command takes it for another; none of these keys
//! has a [`crate::provider::KeyHandle`], so no general operation can decrypt with it. Whatever is wrong with a key or PIN
//! block that came in, the answer is [`KeyError::Decryption`].
//!
//! The dialect is the one of the acquirers' terminals (UnionPay POS): there are others, so its choices are parameters.

use crate::provider::{CHECK_VALUE_LENGTH, KeyError};

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
    /// How many bytes a key has.
    #[must_use]
    pub const fn key_length(self) -> usize {
        match self {
            Self::Des => 8,
            Self::TripleDes2 | Self::Sm4 => 16,
        }
    }
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
}
