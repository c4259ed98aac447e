//! Who may do what: roles for people and programs, policies for operations with keys.
//!
//! | role | may |
//! |---|---|
//! | administrator | give and take roles and policies, decide approvals |
//! | custodian | seal, ask for another root key, take backups |
//! | operator | make, import, rotate keys, take the steps of their lives |
//! | auditor | read keys, trail, roles, policies and approvals, verify the trail |
//!
//! No role uses a key: a policy does, for a caller, names that begin with a prefix, and operations. While fewer than two
//! administrators stand, the caller that made the key service (its founder) gives roles and policies alone; afterwards
//! each change takes two people, see [`super::approval`].
//!
//! Invariants: all of it is one row under one HMAC-SM3, so that a part taken away is seen and nobody brings the founder's
//! time back; who made the key service is never an administrator. Approvals and one-time codes that were used up stand in
//! the same row: what allows something once does not allow it again after its own row was put back.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{PoisonError, atomic::Ordering},
};

use super::{
    By, Error, KeyService, PLATFORM,
    place::{Transaction, values},
    row::RowKey,
    service::{Open, act, checked, shown},
};
use crate::audit;

pub(super) const SCHEMA: &str = "
CREATE TABLE access (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    text TEXT NOT NULL,                              -- founder, roles, policies, what was used up, a line each
    mac  BLOB NOT NULL
) STRICT;
";

/// What a policy may allow.
pub const OPERATIONS: [&str; 20] = [
    "encrypt",
    "decrypt",
    "rewrap",
    "datakey",
    "sign",
    "verify",
    "hmac",
    "verify-hmac",
    "random",
    "check-value",
    "terminal-import",
    "terminal-export",
    "terminal-derive",
    "terminal-issue",
    "terminal-mac",
    "terminal-verify-mac",
    "translate-pin",
    "translate-pin-card",
    "encrypt-track",
    "translate-track",
];
const ALLOWED: &str = "a policy allows some of encrypt, decrypt, rewrap, datakey, sign, verify, hmac, verify-hmac, random, \
     check-value, terminal-import, terminal-export, terminal-derive, terminal-issue, terminal-mac, terminal-verify-mac, \
     translate-pin, translate-pin-card, encrypt-track, translate-track";
/// Roles and policies together at most.
const LINES_MAX: usize = 4_096;
const CALLER_MAX: usize = 64;
/// Steps for which a used one-time code is kept: a day of half minutes, where codes of three steps are taken.
const CODES_KEPT: u64 = 2_880;

/// A role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Gives and takes roles and policies, decides approvals.
    Administrator,
    /// Holds a share of the root key: seals, changes the root key, takes backups.
    Custodian,
    /// Makes keys and leads their lives.
    Operator,
    /// Reads everything that may be shown.
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Administrator, Self::Custodian, Self::Operator, Self::Auditor];

    /// Its name, for ever.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Custodian => "custodian",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Roles and policies as they stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// Who made the key service.
    pub founder: String,
    /// Who has which role.
    pub roles: BTreeSet<(String, Role)>,
    /// Which operations a caller may do with keys whose name begins with a prefix.
    pub policies: BTreeMap<(String, String), BTreeSet<String>>,
    /// Approvals used or rejected of late, with when they were asked for: their rows alone can be put back.
    pub(super) decided: BTreeMap<i64, i64>,
    /// Whose one-time code of which time step was used last.
    pub(super) codes: BTreeMap<String, u64>,
}

impl Access {
    pub(super) fn founded_by(founder: &str) -> Self {
        let roles = [Role::Custodian, Role::Operator, Role::Auditor].map(|role| (founder.to_owned(), role));
        Self { founder: founder.to_owned(), roles: roles.into(), ..Self::default() }
    }

    /// Whether fewer than two administrators stand, so that the founder gives roles and policies alone.
    #[must_use]
    pub fn is_founding(&self) -> bool {
        self.roles.iter().filter(|(_, role)| *role == Role::Administrator).count() < 2
    }

    fn has(&self, caller: &str, roles: &[Role]) -> bool {
        self.roles.iter().any(|(other, role)| other == caller && roles.contains(role))
    }

    fn allows(&self, caller: &str, key: &str, operation: &str) -> bool {
        self.policies.iter().any(|((other, prefix), operations)| {
            other == caller && key.starts_with(prefix.as_str()) && operations.contains(operation)
        })
    }

    fn changed(&self, change: &Change) -> Result<Self, Error> {
        let mut next = self.clone();
        let caller = change.caller();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
        if caller.is_empty() || caller.len() > CALLER_MAX || !caller.bytes().all(plain) {
            return Err(Error::Access("a caller is 1 to 64 of a-z, A-Z, 0-9, `-`, `_`, `.`, `@`"));
        }
        match change {
            Change::Grant { role, .. } => {
                if *role == Role::Administrator && *caller == self.founder {
                    return Err(Error::Access("who made the key service is a program, not an administrator"));
                }
                next.roles.insert((caller.clone(), *role));
            }
            Change::Revoke { role, .. } => {
                if !next.roles.remove(&(caller.clone(), *role)) {
                    return Err(Error::Access("this caller does not have this role"));
                }
                if *role == Role::Administrator && !self.is_founding() && next.is_founding() {
                    return Err(Error::Access("two administrators must stay; give another one the role first"));
                }
            }
            Change::Allow { prefix, operations, .. } => {
                let known = |operation: &String| OPERATIONS.contains(&operation.as_str());
                let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_./".contains(&byte);
                if prefix.len() > 128 || !prefix.bytes().all(plain) {
                    return Err(Error::Name(shown(prefix)));
                }
                if operations.is_empty() || !operations.iter().all(known) {
                    return Err(Error::Access(ALLOWED));
                }
                next.policies.insert((caller.clone(), prefix.clone()), operations.clone());
            }
            Change::Forbid { prefix, .. } => {
                if next.policies.remove(&(caller.clone(), prefix.clone())).is_none() {
                    return Err(Error::Access("this caller has no policy for this prefix"));
                }
            }
        }
        let found = next.roles.len() + next.policies.len();
        if found > LINES_MAX {
            return Err(Error::TooLarge { what: "roles and policies", found, limit: LINES_MAX });
        }
        Ok(next)
    }

    fn text(&self) -> String {
        let mut text = format!("founder\t{}\n", self.founder);
        for (caller, role) in &self.roles {
            text.push_str(&format!("role\t{caller}\t{role}\n"));
        }
        for ((caller, prefix), operations) in &self.policies {
            let operations: Vec<_> = operations.iter().map(String::as_str).collect();
            text.push_str(&format!("policy\t{caller}\t{prefix}\t{}\n", operations.join(",")));
        }
        for (id, proposed_at) in &self.decided {
            text.push_str(&format!("decided\t{id}\t{proposed_at}\n"));
        }
        for (caller, step) in &self.codes {
            text.push_str(&format!("code\t{caller}\t{step}\n"));
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut access = Self::default();
        for line in text.lines() {
            match line.split('\t').collect::<Vec<_>>()[..] {
                ["founder", founder] => founder.clone_into(&mut access.founder),
                ["role", caller, role] => {
                    access.roles.insert((caller.to_owned(), Role::of(role)?));
                }
                ["policy", caller, prefix, operations] => {
                    let operations = operations.split(',').map(str::to_owned).collect();
                    access.policies.insert((caller.to_owned(), prefix.to_owned()), operations);
                }
                ["decided", id, proposed_at] => {
                    access.decided.insert(id.parse().ok()?, proposed_at.parse().ok()?);
                }
                ["code", caller, step] => {
                    access.codes.insert(caller.to_owned(), step.parse().ok()?);
                }
                _ => return None,
            }
        }
        Some(access)
    }

    pub(super) fn write(&self, place: &Transaction<'_>, rows: RowKey<'_>) -> Result<(), Error> {
        let text = self.text();
        let mac = rows.tag(&signed(&text))?;
        let sql = "INSERT INTO access VALUES (1, $1, $2) \
             ON CONFLICT (id) DO UPDATE SET text = excluded.text, mac = excluded.mac";
        place.execute(sql, values![&text, mac])?;
        Ok(())
    }

    /// As they were written, or `None`.
    pub(super) fn read(place: &Transaction<'_>, rows: RowKey<'_>) -> Result<Option<Self>, Error> {
        let sql = "SELECT text, mac FROM access";
        let found = place.first(sql, &[])?.and_then(|row| Some((row.get::<String>(0)?, row.get::<Vec<u8>>(1)?)));
        let whole = found.filter(|(text, mac)| rows.fits(&signed(text), mac));
        Ok(whole.and_then(|(text, _)| Self::parse(&text)))
    }
}

fn signed(text: &str) -> Vec<u8> {
    [b"lintel/ark/row/access/1/".as_slice(), text.as_bytes()].concat()
}

/// A change of roles or policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Give a role.
    Grant {
        /// To whom.
        caller: String,
        /// Which.
        role: Role,
    },
    /// Take a role.
    Revoke {
        /// From whom.
        caller: String,
        /// Which.
        role: Role,
    },
    /// Put a policy in the place of the one for this prefix.
    Allow {
        /// For whom.
        caller: String,
        /// How the names of the keys begin; empty for all.
        prefix: String,
        /// Of [`OPERATIONS`].
        operations: BTreeSet<String>,
    },
    /// Take the policy for this prefix away.
    Forbid {
        /// Whose.
        caller: String,
        /// Its prefix.
        prefix: String,
    },
}

impl Change {
    fn caller(&self) -> &String {
        match self {
            Self::Grant { caller, .. }
            | Self::Revoke { caller, .. }
            | Self::Allow { caller, .. }
            | Self::Forbid { caller, .. } => caller,
        }
    }

    /// What it changes in one line, for approvals and the trail.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Grant { caller, role } => format!("grant {role} to {caller}"),
            Self::Revoke { caller, role } => format!("revoke {role} from {caller}"),
            Self::Allow { caller, prefix, operations } => {
                let operations: Vec<_> = operations.iter().map(String::as_str).collect();
                format!("allow {caller} {} with {prefix}*", operations.join(","))
            }
            Self::Forbid { caller, prefix } => format!("forbid {caller} {prefix}*"),
        }
    }
}

impl KeyService {
    /// Roles and policies as they stand.
    ///
    /// # Errors
    /// [`Error::Sealed`].
    pub fn access(&self) -> Result<Access, Error> {
        Ok(self.opened()?.access.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Whether the caller has one of these roles.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], which the trail keeps; [`Error::Sealed`].
    pub fn check_role(&self, by: &By<'_>, roles: &[Role], key: &str, operation: &'static str) -> Result<(), Error> {
        let has = |access: &Access| access.has(by.caller, roles);
        self.permitted(by, key, operation, has)
    }

    /// From now on policies reach keys below [`PLATFORM`] too, and callers make such keys: for a process without a platform of its
    /// own, whose callers platforms are.
    pub fn serve_platforms(&self) {
        self.serves_platforms.store(true, Ordering::Relaxed);
    }

    fn is_reserved(&self, key: &str) -> bool {
        key.starts_with(PLATFORM) && !self.serves_platforms.load(Ordering::Relaxed)
    }

    /// Whether a policy lets the caller do this with the key. None reaches a key below [`PLATFORM`] but to verify, unless it
    /// [serves platforms](Self::serve_platforms).
    ///
    /// # Errors
    /// [`Error::NotPermitted`], which the trail keeps; [`Error::Sealed`].
    pub fn check_policy(&self, by: &By<'_>, key: &str, operation: &'static str) -> Result<(), Error> {
        // The platform's own keys are its own; what they signed anyone may verify.
        let reachable = operation == "verify" || !self.is_reserved(key);
        self.permitted(by, key, operation, |access| reachable && access.allows(by.caller, key, operation))
    }

    /// Refuses to make a key in the platform's place.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], which the trail keeps; [`Error::Sealed`].
    pub fn check_name(&self, by: &By<'_>, key: &str, operation: &'static str) -> Result<(), Error> {
        self.permitted(by, key, operation, |_| !self.is_reserved(key))
    }

    fn permitted(
        &self,
        by: &By<'_>,
        key: &str,
        operation: &'static str,
        has: impl FnOnce(&Access) -> bool,
    ) -> Result<(), Error> {
        checked(by)?;
        if has(&self.opened()?.access.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        let error = Error::NotPermitted { caller: shown(by.caller), operation, key: shown(key) };
        self.note(by, key, 0, operation, Some(&error))?;
        Err(error)
    }

    /// Changes roles or policies: by the founder while fewer than two administrators stand, afterwards with an approval.
    ///
    /// # Errors
    /// [`Error::ApprovalRequired`], those of [`KeyService::redeem`], [`Error::NotPermitted`] for who is no administrator,
    /// [`Error::Access`] for what cannot be, [`Error::Sealed`], [`Error::Database`].
    pub fn change_access(&self, by: &By<'_>, change: &Change, approval: Option<i64>) -> Result<(), Error> {
        checked(by)?;
        let changed = self.change_access_now(by, change, approval);
        self.note_refusal(by, "change-access", changed)
    }

    /// Keeps in the trail what the interface refused before it asked here, under its code.
    ///
    /// # Errors
    /// [`Error::Sealed`], [`Error::TooLarge`].
    pub fn refuse(&self, by: &By<'_>, operation: &'static str, code: &'static str) -> Result<(), Error> {
        checked(by)?;
        self.opened()?;
        self.note_act(act(by, "", 0, operation, code), by.now)
    }

    /// A refusal is in the trail before the caller has it.
    pub(super) fn note_refusal<T>(
        &self,
        by: &By<'_>,
        operation: &'static str,
        result: Result<T, Error>,
    ) -> Result<T, Error> {
        match result {
            Err(error) if !matches!(error, Error::Sealed) => {
                self.note(by, "", 0, operation, Some(&error))?;
                Err(error)
            }
            result => result,
        }
    }

    /// Uses the caller's one-time code of a time step up: `false` if this one or a later one was used before.
    ///
    /// # Errors
    /// [`Error::Access`] for a caller whose name cannot stand in the file; [`Error::Sealed`], [`Error::Database`].
    pub fn use_code(&self, by: &By<'_>, step: u64) -> Result<bool, Error> {
        checked(by)?;
        if by.caller.contains(['\0', '\t', '\n', '\r']) {
            return Err(Error::Access("a caller's name has no tabs and is one line"));
        }
        let mut place = self.place();
        let open = self.opened()?;
        let mut next = open.access.read().unwrap_or_else(PoisonError::into_inner).clone();
        if next.codes.get(by.caller).is_some_and(|used| step <= *used) {
            return Ok(false);
        }
        next.codes.retain(|_, used| used.saturating_add(CODES_KEPT) > step);
        next.codes.insert(by.caller.to_owned(), step);
        let transaction = place.begin()?;
        next.write(&transaction, self.row_key(&open))?;
        transaction.commit()?;
        *open.access.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(true)
    }

    fn change_access_now(&self, by: &By<'_>, change: &Change, approval: Option<i64>) -> Result<(), Error> {
        let mut place = self.place();
        let open = self.opened()?;
        let now = open.access.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut next = now.changed(change)?;
        let transaction = place.begin()?;
        let is_founder = now.is_founding() && now.founder == by.caller;
        if !is_founder {
            let id = approval.ok_or(Error::ApprovalRequired("change-access"))?;
            // The role may have been taken since it was asked for.
            if !now.has(by.caller, &[Role::Administrator]) {
                let (caller, operation) = (shown(by.caller), "change-access");
                return Err(Error::NotPermitted { caller, operation, key: String::new() });
            }
            let proposal = super::Proposal::access(change);
            self.redeem_in(&transaction, &open, &mut next, by, id, &proposal)?;
        }
        next.write(&transaction, self.row_key(&open))?;
        audit::append(&transaction, by.now, &act(by, &change.text(), 0, "change-access", audit::OK), 1)?;
        transaction.commit()?;
        *open.access.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    pub(super) fn load_access(&self, place: &Transaction<'_>, open: &Open) -> Result<Access, Error> {
        let found = Access::read(place, self.row_key(open))?;
        found.ok_or_else(|| self.damaged("what roles and policies there are".to_owned()))
    }
}
