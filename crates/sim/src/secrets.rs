//! The sealed fields of a run, made once a process: what they say is nothing to a run, that they open is.

use std::sync::{Arc, OnceLock};

use ark::{CertificateType, Identity, Secret, Vault};
use domain::sealed::Sealed;
use node::fields;

use crate::directory::Directory;

/// A vault and what it sealed.
#[derive(Debug)]
pub(crate) struct Secrets {
    pub(crate) vault: Arc<Vault>,
    /// A bank account's number.
    pub(crate) account: Sealed,
    /// Its holder's name.
    pub(crate) name: Sealed,
}

static SECRETS: OnceLock<Secrets> = OnceLock::new();

/// The process's vault.
///
/// # Panics
/// On a machine without a directory for temporary files or without random bytes: nothing can be simulated there.
pub(crate) fn secrets() -> &'static Secrets {
    SECRETS.get_or_init(|| {
        // Removed at once, for nothing is dropped at the end of a process: an open vault reads on.
        let directory = Directory::new().expect("a directory for temporary files");
        let vault = Arc::new(Vault::open_with_key_file(directory.path()).expect("a new vault"));
        let number = Secret::new(String::from("11010119900307123X"));
        let identity = Identity::new(CertificateType::ResidentIdentity, &number).expect("a number in its form");
        let customer = vault.get_or_create(&identity).expect("a new customer").id();
        let seal = |field, text: &str| fields::seal(&vault, customer, field, &Secret::new(text.to_owned()));
        let account = seal(fields::BANK_ACCOUNT, "6222020200112233445").expect("a new vault seals");
        let name = seal(fields::BANK_ACCOUNT_NAME, "\u{5f20}\u{4e09}").expect("a new vault seals");
        Secrets { vault, account, name }
    })
}
