//! The trail: who did what with which key, why, and what came of it.
//!
//! ```text
//!  record 1 ── chain ──► record 2 ── chain ──► record 3 …       chain = SM3(chain before ‖ SM3(record))
//!                             ▲
//!                        checkpoint: SM2 signature over (number, time, chain), hourly
//! ```
//!
//! Invariants: records are numbered from 1 without a gap; a change and its record are one transaction; uses are counted
//! by (caller, key, version, operation, reason, outcome) within a second and written by the next tick or with the next
//! change: a crash loses the uses since then, a second's where a tick comes each second. Where none comes or its write fails,
//! uses write themselves or are refused: at once after a write that failed, else from the third second on. No record
//! holds a key, a plaintext or a ciphertext.
//!
//! What the chain can not show: records cut off behind the last checkpoint by who can write the file.

mod pending;

use std::{collections::BTreeMap, path::Path};

pub(crate) use self::pending::{Pending, Taken};
use crate::{
    hash::{Sm3, sm3},
    keys::{
        self, Home,
        place::{Place, PlaceError, Row, Transaction, values},
    },
    provider::{Check, KeyError, KeyHandle, Provider, PublicKey, Signing},
};

pub(crate) const SCHEMA: &str = "
CREATE TABLE audit (
    number    INTEGER PRIMARY KEY CHECK (number > 0),
    at        INTEGER NOT NULL,                      -- milliseconds since 1970
    caller    TEXT NOT NULL,
    key       TEXT NOT NULL,
    version   INTEGER NOT NULL,                      -- 0: of no version
    operation TEXT NOT NULL,
    reason    TEXT NOT NULL,
    outcome   TEXT NOT NULL,                         -- ok, or a code
    count     INTEGER NOT NULL CHECK (count > 0),
    chain     BLOB NOT NULL
) STRICT;
CREATE TABLE checkpoint (
    number    INTEGER PRIMARY KEY,                   -- the last record it covers
    at        INTEGER NOT NULL,
    signature BLOB NOT NULL
) STRICT;
";

/// The outcome of what succeeded.
pub const OK: &str = "ok";
/// Between checkpoints, in milliseconds.
pub const CHECKPOINT_INTERVAL_MS: i64 = 3_600_000;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Act {
    /// Who, as the interface knows them.
    pub caller: String,
    /// The key's name; empty for what is about none.
    pub key: String,
    /// Its version; 0 for none.
    pub version: u32,
    /// The operation's name.
    pub operation: String,
    /// Why, as the caller gave it.
    pub reason: String,
    /// [`OK`] or the code of the refusal.
    pub outcome: String,
}

/// A line of the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number, from 1.
    pub number: i64,
    /// When, in milliseconds since 1970; for uses the second they fell in.
    pub at: i64,
    /// What.
    pub act: Act,
    /// How often within that second.
    pub count: u64,
}

impl Record {
    fn digest(&self) -> [u8; 32] {
        let mut bytes = b"lintel/ark/audit/1/".to_vec();
        bytes.extend(self.number.to_be_bytes());
        bytes.extend(self.at.to_be_bytes());
        bytes.extend(self.act.version.to_be_bytes());
        bytes.extend(self.count.to_be_bytes());
        for text in [&self.act.caller, &self.act.key, &self.act.operation, &self.act.reason, &self.act.outcome] {
            bytes.extend((text.len() as u64).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        sm3(&bytes)
    }

    fn chain(&self, before: &[u8]) -> [u8; 32] {
        Sm3::new().update(before).update(&self.digest()).finish()
    }
}

/// The number and chain of the last record.
fn head(place: &Transaction<'_>) -> Result<(i64, Vec<u8>), PlaceError> {
    let Some(last) = place.first("SELECT number, chain FROM audit ORDER BY number DESC LIMIT 1", &[])? else {
        return Ok((0, vec![0; 32]));
    };
    last.get(0).zip(last.get(1)).ok_or(PlaceError::Missing("the last record of the trail, whole,"))
}

/// The end of the trail within a transaction.
struct Trail<'a, 't> {
    transaction: &'a Transaction<'t>,
    number: i64,
    chain: Vec<u8>,
}

impl<'a, 't> Trail<'a, 't> {
    fn of(transaction: &'a Transaction<'t>) -> Result<Self, PlaceError> {
        let (number, chain) = head(transaction)?;
        Ok(Self { transaction, number, chain })
    }

    fn append(&mut self, at: i64, act: &Act, count: u64) -> Result<(), PlaceError> {
        let record = Record { number: self.number + 1, at, act: act.clone(), count };
        let chain = record.chain(&self.chain);
        let row = values![
            record.number,
            at,
            &act.caller,
            &act.key,
            act.version,
            &act.operation,
            &act.reason,
            &act.outcome,
            i64::try_from(count).unwrap_or(i64::MAX),
            chain.as_slice(),
        ];
        self.transaction.execute("INSERT INTO audit VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", row)?;
        (self.number, self.chain) = (record.number, chain.to_vec());
        Ok(())
    }
}

pub(crate) fn append(place: &Transaction<'_>, at: i64, act: &Act, count: u64) -> Result<(), PlaceError> {
    Trail::of(place)?.append(at, act, count)
}

fn signed(number: i64, at: i64, chain: &[u8]) -> Vec<u8> {
    [b"lintel/ark/checkpoint/1/".as_slice(), &number.to_be_bytes(), &at.to_be_bytes(), chain].concat()
}

/// Signs the chain so far if an hour is over since the last checkpoint and there is something new. Whether it did.
pub(crate) fn checkpoint(
    place: &mut Place,
    provider: &dyn Provider,
    key: KeyHandle,
    now: i64,
) -> Result<bool, crate::keys::Error> {
    let (last, (number, chain)) = {
        let seen = place.read()?;
        let last = seen.first("SELECT number, at FROM checkpoint ORDER BY number DESC LIMIT 1", &[])?;
        (last.and_then(|row| row.get::<i64>(0).zip(row.get::<i64>(1))), head(&seen)?)
    };
    if number == 0
        || last.is_some_and(|(covered, at)| covered == number || now.saturating_sub(at) < CHECKPOINT_INTERVAL_MS)
    {
        return Ok(false);
    }
    let signature = provider.sign(key, Signing::SM2, &signed(number, now, &chain))?;
    let transaction = place.begin()?;
    transaction.execute("INSERT INTO checkpoint VALUES ($1, $2, $3)", values![number, now, signature])?;
    transaction.commit()?;
    Ok(true)
}

/// What a whole trail holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Records, all in the chain.
    pub records: i64,
    /// Checkpoints, all signed.
    pub checkpoints: i64,
    /// The last record that a checkpoint covers; those behind it are chained only.
    pub signed_to: i64,
}

/// The first thing that is wrong with a trail.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// A record is not what was written, or one before it is missing.
    #[error("audit record {0} is altered, or what stood before it is missing")]
    Record(i64),
    /// A checkpoint's signature does not fit.
    #[error("the checkpoint at record {0} is not signed by this key service, or records under it were replaced")]
    Checkpoint(i64),
    /// The rows cannot be read.
    #[error("the trail cannot be read: {0}")]
    Database(#[from] PlaceError),
    /// No trail is where it was looked for.
    #[error(transparent)]
    Place(Box<keys::Error>),
    /// The provider failed.
    #[error(transparent)]
    Provider(KeyError),
}

/// Verifies a trail from its first record; `public` is the audit key's public key, kept elsewhere than the file.
///
/// # Errors
/// [`Broken`] names the first record or checkpoint that is wrong.
pub(crate) fn verify(place: &mut Place, provider: &dyn Provider, public: &PublicKey) -> Result<Verified, Broken> {
    let seen = place.read()?;
    let mut checkpoints = BTreeMap::new();
    for row in seen.query("SELECT number, at, signature FROM checkpoint", &[])? {
        let number = row.get::<i64>(0).ok_or(PlaceError::Missing("the number of a checkpoint"))?;
        let signed = row.get::<i64>(1).zip(row.get::<Vec<u8>>(2)).ok_or(Broken::Checkpoint(number))?;
        checkpoints.insert(number, signed);
    }
    let mut walk = Walk {
        provider,
        public,
        checkpoints,
        found: Verified { records: 0, checkpoints: 0, signed_to: 0 },
        before: vec![0; 32],
    };
    let sql = format!("{SELECT} WHERE number > $1 ORDER BY number LIMIT $2");
    let mut after = i64::MIN;
    loop {
        let page = seen.query(&sql, values![after, PAGE])?;
        for row in &page {
            walk.step(row)?;
        }
        // What was walked is numbered as it was counted.
        after = walk.found.records;
        if page.is_empty() {
            break;
        }
    }
    match walk.checkpoints.keys().next() {
        Some(number) => Err(Broken::Checkpoint(*number)),
        None => Ok(walk.found),
    }
}

/// Records that are read at once.
const PAGE: u32 = 10_000;

/// How far a verification is.
struct Walk<'a> {
    provider: &'a dyn Provider,
    public: &'a PublicKey,
    /// Those that are to come.
    checkpoints: BTreeMap<i64, (i64, Vec<u8>)>,
    found: Verified,
    before: Vec<u8>,
}

impl Walk<'_> {
    fn step(&mut self, row: &Row) -> Result<(), Broken> {
        let expected = self.found.records + 1;
        // A value of another type is an altered record too.
        let (record, chain) = read(row).ok_or(Broken::Record(expected))?;
        if record.number != expected || record.chain(&self.before).as_slice() != chain {
            return Err(Broken::Record(expected));
        }
        if let Some((at, signature)) = self.checkpoints.remove(&expected) {
            let message = signed(expected, at, &chain);
            let check = Check { public: self.public, scheme: Signing::SM2, message: &message, signature: &signature };
            match self.provider.verify(&check) {
                Ok(()) => {}
                Err(KeyError::Signature) => return Err(Broken::Checkpoint(expected)),
                Err(error) => return Err(Broken::Provider(error)),
            }
            self.found.checkpoints += 1;
            self.found.signed_to = expected;
        }
        self.found.records = expected;
        self.before = chain;
        Ok(())
    }
}

/// Verifies the trail in a keys file that no process has open, or in a backup; see [`crate::KeyService::verify_audit`].
///
/// # Errors
/// [`Broken`] names the first record or checkpoint that is wrong.
pub fn verify_file(path: &Path, provider: &dyn Provider, public: &PublicKey) -> Result<Verified, Broken> {
    verify(&mut Place::of_file(path)?, provider, public)
}

/// Verifies the trail where a key service lies, in its file or schema, beside the process that may have it; see
/// [`crate::KeyService::verify_audit`].
///
/// # Errors
/// [`Broken`] names the first record or checkpoint that is wrong; [`Broken::Place`] if there is no key service.
pub fn verify_beside(home: impl Into<Home>, provider: &dyn Provider, public: &PublicKey) -> Result<Verified, Broken> {
    let mut place = Place::beside(&home.into()).map_err(|error| Broken::Place(Box::new(error)))?;
    verify(&mut place, provider, public)
}

const SELECT: &str = "SELECT number, at, caller, key, version, operation, reason, outcome, count, chain FROM audit";

fn read(row: &Row) -> Option<(Record, Vec<u8>)> {
    let act = Act {
        caller: row.get(2)?,
        key: row.get(3)?,
        version: row.get(4)?,
        operation: row.get(5)?,
        reason: row.get(6)?,
        outcome: row.get(7)?,
    };
    let count = u64::try_from(row.get::<i64>(8)?).unwrap_or(0);
    Some((Record { number: row.get(0)?, at: row.get(1)?, act, count }, row.get(9)?))
}

/// At most `limit` records behind number `after`, in order.
pub(crate) fn list(place: &Transaction<'_>, after: i64, limit: u32) -> Result<Vec<Record>, PlaceError> {
    let sql = format!("{SELECT} WHERE number > $1 ORDER BY number LIMIT $2");
    let record =
        |row: &Row| read(row).map(|(record, _)| record).ok_or(PlaceError::Missing("a record as it was written"));
    place.query(&sql, values![after, limit])?.iter().map(record).collect()
}
