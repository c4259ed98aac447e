//! Card numbers that terminals brought (卡号): each under its token, for the reversals and advices that go out after a restart.
//!
//! A token is a keyed digest of the number, so the same card has the same token everywhere and nothing leads back from it
//! but this table. Numbers are wrapped by the key service one by one. No track, PIN, expiry or verification value ever
//! comes here (JR/T 0171, class C3).

use std::{
    collections::HashSet,
    sync::{MutexGuard, PoisonError},
};

use rusqlite::{Connection, OptionalExtension as _, params};
use zeroize::Zeroizing;

use super::{Vault, wrap};
use crate::{error::Error, mac::MacKey, secret::Secret};

/// Bytes of the digest in a token.
const DIGEST: usize = 16;

/// The token of a card's or bank account's number, which is digits alone, under [`super::RequestKeys::root`].
#[must_use]
pub fn card_token(root: &MacKey, number: &Secret) -> String {
    token(&digest(root, number))
}

fn digest(root: &MacKey, number: &Secret) -> Digest {
    let tag = root.mac().update(b"bank-account\0").update(number.expose().as_bytes()).finish();
    *tag.first_chunk().expect("a tag of SM3 is longer")
}

fn token(digest: &Digest) -> String {
    format!("crd_{}", hex::encode(digest))
}

/// How the token of a payer's one-time code begins; no number is kept under such a token.
const CODE_TOKEN: &str = "qr_";

/// Tokens that are remembered at most, twice over: some megabytes.
const REMEMBERED: usize = 32_768;

/// Digest of a token.
type Digest = [u8; DIGEST];

/// Which tokens are known to be kept. It holds keyed digests alone; once it is full the older half is forgotten.
#[derive(Default)]
pub(super) struct Remembered {
    recent: HashSet<Digest>,
    older: HashSet<Digest>,
}

impl Remembered {
    fn has(&mut self, digest: &Digest) -> bool {
        if self.recent.contains(digest) {
            return true;
        }
        let found = self.older.contains(digest);
        if found {
            self.add(*digest);
        }
        found
    }

    fn add(&mut self, digest: Digest) {
        if self.recent.len() >= REMEMBERED {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(digest);
    }
}

impl Vault {
    /// The token of a card's number, if it is known here to be kept: without the disk and without the key service.
    pub fn kept_card(&self, number: &Secret) -> Option<String> {
        let digest = digest(&self.kept_request_keys()?.root, number);
        self.remembered().has(&digest).then(|| token(&digest))
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token of a payer's one-time code (付款码): its keyed digest. Nothing is kept, so nothing leads back from it.
    ///
    /// # Errors
    /// [`Error::Keys`] if the key service is sealed or fails.
    pub fn code_token(&self, code: &Secret) -> Result<String, Error> {
        let tag = self.request_keys()?.root.mac().update(b"payment-code\0").update(code.expose().as_bytes()).finish();
        Ok(format!("{CODE_TOKEN}{}", hex::encode(&tag[..DIGEST])))
    }

    /// Keeps a card's number, if it is not kept yet, and gives its token. The number is durable before its token leaves.
    ///
    /// # Errors
    /// [`Error::Keys`] if the key service is sealed or fails, [`Error::Database`]; nothing is kept then.
    pub fn keep_card(&self, number: &Secret) -> Result<String, Error> {
        let digest = digest(&self.request_keys()?.root, number);
        let token = token(&digest);
        // Under the lock from here on, as customers are: a re-wrap that begins after a rotation finds what the old version wrapped.
        let connection = self.lock();
        if find(&connection, &token).map_err(self.failed("look up a card"))?.is_none() {
            let wrapped = self.wrapper.wrap(&wrap::card(&token), number.expose().as_bytes())?;
            connection
                .execute("INSERT INTO card (token, wrapped) VALUES (?1, ?2)", params![token, wrapped])
                .map_err(self.failed("insert a card"))?;
        }
        self.remembered().add(digest);
        Ok(token)
    }

    /// The number of a token; `None` of one that was never kept. Only to build the message that needs it.
    ///
    /// # Errors
    /// [`Error::CardDamaged`], [`Error::Database`], [`Error::Keys`].
    pub fn card_number(&self, token: &str) -> Result<Option<Secret>, Error> {
        let wrapped = find(&self.lock(), token).map_err(self.failed("read a card"))?;
        let damaged = || Error::CardDamaged { vault: self.path.clone() };
        let open = |wrapped: Vec<u8>| {
            let bytes: Zeroizing<Vec<u8>> = self.wrapper.unwrap(&wrap::card(token), &wrapped)?.ok_or_else(damaged)?;
            let text = std::str::from_utf8(&bytes).map_err(|_| damaged())?;
            Ok(Secret::new(text.to_owned()))
        };
        wrapped.map(open).transpose()
    }
}

fn find(connection: &Connection, token: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut statement = connection.prepare_cached("SELECT wrapped FROM card WHERE token = ?1")?;
    statement.query_row([token], |row| row.get(0)).optional()
}

/// Every token that is kept.
pub(super) fn tokens(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT token FROM card ORDER BY id")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_kept_once_and_lies_nowhere_in_the_clear() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let number = Secret::new("6230606601007726888".to_owned());
        let other = Secret::new("6230606601007726896".to_owned());
        let token = {
            let vault = Vault::open_with_key_file(directory.path()).expect("a new vault");
            assert_eq!(vault.kept_card(&number), None);
            let token = vault.keep_card(&number).expect("kept");
            assert_eq!((vault.kept_card(&number), vault.kept_card(&other)), (Some(token.clone()), None));
            assert_eq!(vault.keep_card(&number).expect("kept already"), token);
            assert_ne!(vault.keep_card(&other).expect("kept"), token);
            assert_eq!(tokens(&vault.lock()).expect("read").len(), 2);
            assert_eq!(vault.verify().expect("looked at").opened, 2);
            token
        };
        let vault = Vault::open_with_key_file(directory.path()).expect("opens again");
        assert_eq!(vault.kept_card(&number), None, "nothing is known of it here yet");
        assert_eq!(vault.keep_card(&number).expect("kept already"), token);
        assert_eq!(vault.kept_card(&number).as_ref(), Some(&token));
        assert_eq!(vault.card_number(&token).expect("read").expect("kept").expose(), number.expose());
        let code = vault.code_token(&number).expect("a digest");
        assert!(code.starts_with(CODE_TOKEN) && code[3..] != token[4..], "a code is no card of the same digits");
        assert!(vault.card_number(&code).expect("read").is_none(), "nothing of a code is kept");
        assert!(vault.card_number("crd_00").expect("read").is_none());
        for entry in std::fs::read_dir(directory.path()).expect("the directory") {
            let bytes = std::fs::read(entry.expect("an entry").path()).expect("a file");
            assert!(!bytes.windows(19).any(|window| window == number.expose().as_bytes()));
        }
        // A number under another card's token opens nothing.
        vault
            .lock()
            .execute("UPDATE card SET wrapped = (SELECT wrapped FROM card WHERE id = 2)", [])
            .expect("put there");
        assert!(matches!(vault.card_number(&token), Err(Error::CardDamaged { .. })));
        assert_eq!(vault.verify().expect("looked at").damages.len(), 1);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_newest_stays() {
        let mut remembered = Remembered::default();
        let digest = |number: usize| -> Digest { (number as u128).to_be_bytes() };
        for number in 0..5 * REMEMBERED {
            remembered.add(digest(number));
            assert!(remembered.has(&digest(0)), "what is asked for all the time is not forgotten");
        }
        assert!(remembered.recent.len() + remembered.older.len() <= 2 * REMEMBERED);
        assert!(!remembered.has(&digest(1)) && remembered.has(&digest(5 * REMEMBERED - 1)));
    }
}
