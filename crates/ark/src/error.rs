//! What can go wrong with keys, sealed fields and the vault. No message carries a key, a number or a name of a person.

use std::{io, path::PathBuf};

use crate::{keys, vault::CustomerId};

/// A failure of the ark. All of them leave key file and vault as they were.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes ({0}); keys and nonces cannot be made without them")]
    Random(#[source] getrandom::Error),

    /// An API secret in another form than 64 hexadecimal digits.
    #[error("an HMAC-SM3 key is 64 hexadecimal digits; this text of {length} bytes is not")]
    MacKeyText {
        /// Length of the text in bytes.
        length: usize,
    },

    /// The byte is no class of JR/T 0171 that is stored.
    #[error("class {0} is not one of 1 (C1), 2 (C2)")]
    Class(u8),

    /// The vault is there but the key file is not: made anew it would open nothing.
    #[error(
        "vault {vault} is there but its key file {key_file} is not; put the key file back from its backup (a new one \
         cannot open this vault)"
    )]
    KeyFileMissing {
        /// Where the key file should be.
        key_file: PathBuf,
        /// The vault that needs it.
        vault: PathBuf,
    },

    /// Others than the owner may use the key file.
    #[error("key file {path} has mode {mode:04o}, so others can reach it; run: chmod 600 {path}")]
    KeyFileMode {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },

    /// The key file is not what was written.
    #[error("key file {path} cannot be used: {reason}")]
    KeyFileDamaged {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it, and the remedy.
        reason: &'static str,
    },

    /// The key file is sound but belongs to another vault.
    #[error(
        "key file {key_file} does not open vault {vault}: it was made for another one; put back the key file that was \
         made with this vault"
    )]
    KeyFileOfAnotherVault {
        /// The key file.
        key_file: PathBuf,
        /// The vault.
        vault: PathBuf,
    },

    /// The key service is sealed, or failed.
    #[error(transparent)]
    Keys(Box<keys::Error>),

    /// The vault is there but the key service that wraps its keys is not: made anew it would open nothing.
    #[error("vault {vault} is there but its keys file {keys} is not; put it back from the backup that has both")]
    KeysMissing {
        /// Where the keys file should be.
        keys: PathBuf,
        /// The vault that needs it.
        vault: PathBuf,
    },

    /// The key service is sound but wraps the keys of another vault.
    #[error(
        "the key service does not open vault {vault}: it was made for another one, or is older; put back the keys.db that \
         belongs to this vault"
    )]
    KeysOfAnotherVault {
        /// The vault.
        vault: PathBuf,
    },

    /// The vault was written by a newer program.
    #[error("vault {vault} has format {found}; this program reads format {supported}, so run a newer one")]
    VaultFormat {
        /// The vault.
        vault: PathBuf,
        /// Format found in the file.
        found: i64,
        /// Format of this program.
        supported: i64,
    },

    /// A wrapped key in the vault does not open although the key file is the right one.
    #[error("the data key of customer {customer} in vault {vault} is damaged; put the vault back from its backup")]
    DataKeyDamaged {
        /// Whose key it is.
        customer: CustomerId,
        /// The vault.
        vault: PathBuf,
    },

    /// The wrapped secret of an operator's one-time codes does not open although the key file is the right one.
    #[error(
        "the secret of operator {operator} in vault {vault} is damaged; renew it, or put the vault back from its backup"
    )]
    TotpDamaged {
        /// The operator's number.
        operator: u64,
        /// The vault.
        vault: PathBuf,
    },

    /// A wrapped card number does not open although the key service is the right one.
    #[error("a card number in vault {vault} is damaged; put the vault back from its backup")]
    CardDamaged {
        /// The vault.
        vault: PathBuf,
    },

    /// The vault never gave out this id.
    #[error("the vault has no customer {0}")]
    UnknownCustomer(CustomerId),

    /// The customer's key is deleted, and with it every field sealed under it.
    #[error("customer {0} is erased: the data key is deleted and nothing can be sealed or opened for them")]
    Erased(CustomerId),

    /// A sealed field that is not what this vault sealed for this customer and field.
    #[error(
        "the sealed field `{field}` of customer {customer} does not open: its ciphertext, key reference, class, mask, \
         field name or customer is not the one it was sealed with"
    )]
    NotAuthentic {
        /// Whose it is said to be.
        customer: CustomerId,
        /// The field it is said to be.
        field: &'static str,
    },

    /// A file could not be used.
    #[error("could not {action} {path}: {source}")]
    File {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },

    /// The vault's database failed.
    #[error("could not {action} in vault {vault}: {source}")]
    Database {
        /// What was being done.
        action: &'static str,
        /// The vault's file.
        vault: PathBuf,
        /// Why not.
        source: rusqlite::Error,
    },
}

impl From<keys::Error> for Error {
    fn from(error: keys::Error) -> Self {
        if let keys::Error::KeyFile(error) = error { error } else { Self::Keys(Box::new(error)) }
    }
}

impl Error {
    /// What the key service said, if it was that: [`keys::Error::Sealed`] passes once custodians have unsealed.
    #[must_use]
    pub fn of_keys(&self) -> Option<&keys::Error> {
        if let Self::Keys(error) = self { Some(error) } else { None }
    }
}
