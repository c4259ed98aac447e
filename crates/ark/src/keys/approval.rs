//! What takes two people: one asks, an administrator who is someone else approves, and the one who asked does it, once.
//!
//! ```text
//!  waiting ── approve (an administrator, not who asked) ──► approved ── done by who asked, exactly as asked ──► used
//!     └────── reject ──────► rejected                          └── a day after it was asked for, it no longer counts
//! ```
//!
//! Approvals lie in `keys.db`, not in the journal: they must be there when the platform's books are not, and be restored
//! with the keys. Invariants: an approval is used up in the transaction that is durable before what it allows begins; that
//! it was used or rejected also stands in the row of rights, so that an older row of its own does not bring it back.

use std::sync::PoisonError;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{
    Access, By, Change, Error, KeyService, Role,
    row::RowKey,
    service::{Open, act, begin, checked, shown},
};
use crate::audit;

pub(super) const SCHEMA: &str = "
CREATE TABLE approval (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    operation   TEXT NOT NULL,
    key         TEXT NOT NULL,
    version     INTEGER NOT NULL,
    detail      TEXT NOT NULL,
    reason      TEXT NOT NULL,
    proposed_by TEXT NOT NULL,
    proposed_at INTEGER NOT NULL,
    state       TEXT NOT NULL,
    decided_by  TEXT NOT NULL,                       -- empty while it waits
    decided_at  INTEGER NOT NULL,
    mac         BLOB NOT NULL
) STRICT;
";

/// How long an approval counts after it was asked for, in milliseconds.
pub const APPROVAL_LIFE_MS: i64 = 86_400_000;

/// What takes two people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dangerous {
    /// Schedule the destruction of a version.
    Destroy,
    /// Export a version, wrapped.
    Export,
    /// Open or verify once with compromised versions of a key.
    Compromised,
    /// Put another root key over everything.
    ChangeRoot,
    /// Change roles or policies.
    ChangeAccess,
}

impl Dangerous {
    /// All of it.
    pub const ALL: [Self; 5] = [Self::Destroy, Self::Export, Self::Compromised, Self::ChangeRoot, Self::ChangeAccess];

    /// Its name, for ever.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Destroy => "destroy",
            Self::Export => "export",
            Self::Compromised => "compromised",
            Self::ChangeRoot => "change-root",
            Self::ChangeAccess => "change-access",
        }
    }

    /// What has this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dangerous| dangerous.name() == name)
    }
}

/// Exactly what is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// What shall be done.
    pub operation: Dangerous,
    /// With which key; empty for none.
    pub key: String,
    /// With which version; 0 for none.
    pub version: u32,
    /// What else it depends on: the wrapping key of an export, the change of roles or policies, the new shares.
    pub detail: String,
}

impl Proposal {
    /// To schedule the destruction of a version.
    #[must_use]
    pub fn destroy(key: &str, version: u32) -> Self {
        Self { operation: Dangerous::Destroy, key: key.to_owned(), version, detail: String::new() }
    }

    /// To export a version under another key.
    #[must_use]
    pub fn export(key: &str, version: u32, under: &str) -> Self {
        Self { operation: Dangerous::Export, key: key.to_owned(), version, detail: format!("under {under}") }
    }

    /// To use compromised versions of a key in one call.
    #[must_use]
    pub fn compromised(key: &str) -> Self {
        Self { operation: Dangerous::Compromised, key: key.to_owned(), version: 0, detail: String::new() }
    }

    /// To deal a new root key.
    #[must_use]
    pub fn change_root(threshold: u8, shares: u8) -> Self {
        let detail = format!("{threshold} of {shares} shares");
        Self { operation: Dangerous::ChangeRoot, key: String::new(), version: 0, detail }
    }

    /// To change roles or policies.
    #[must_use]
    pub fn access(change: &Change) -> Self {
        Self { operation: Dangerous::ChangeAccess, key: String::new(), version: 0, detail: change.text() }
    }
}

/// Where an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalState {
    /// For someone else's word.
    Waiting,
    /// It may be done, once.
    Approved,
    /// It may not.
    Rejected,
    /// It was done.
    Used,
}

impl ApprovalState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Approved, Self::Rejected, Self::Used];

    /// Its name, for ever.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Used => "used",
        }
    }
}

/// An approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Its number.
    pub id: i64,
    /// What is asked for.
    pub proposal: Proposal,
    /// Why.
    pub reason: String,
    /// By whom.
    pub proposed_by: String,
    /// When, in milliseconds since 1970.
    pub proposed_at: i64,
    /// Where it stands.
    pub state: ApprovalState,
    /// Who decided; empty while it waits.
    pub decided_by: String,
    /// When, in milliseconds since 1970; 0 while it waits.
    pub decided_at: i64,
}

impl Approval {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"lintel/ark/row/approval/1/".to_vec();
        let Proposal { operation, key, version, detail } = &self.proposal;
        for number in [self.id, i64::from(*version), self.proposed_at, self.decided_at] {
            bytes.extend(number.to_be_bytes());
        }
        let texts =
            [operation.name(), key, detail, &self.reason, &self.proposed_by, self.state.name(), &self.decided_by];
        for text in texts {
            bytes.extend((text.len() as u64).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes
    }

    fn write(&self, file: &Connection, rows: RowKey<'_>) -> Result<(), Error> {
        let sql = "INSERT OR REPLACE INTO approval VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        file.prepare_cached(sql)?.execute(params![
            self.id,
            self.proposal.operation.name(),
            self.proposal.key,
            self.proposal.version,
            self.proposal.detail,
            self.reason,
            self.proposed_by,
            self.proposed_at,
            self.state.name(),
            self.decided_by,
            self.decided_at,
            rows.tag(&self.bytes())?,
        ])?;
        Ok(())
    }

    /// The row, or `None` if it is not as it was written.
    fn of(row: &Row<'_>, rows: RowKey<'_>) -> Option<Self> {
        let state: String = row.get(8).ok()?;
        let found = Self {
            id: row.get(0).ok()?,
            proposal: Proposal {
                operation: Dangerous::of(&row.get::<_, String>(1).ok()?)?,
                key: row.get(2).ok()?,
                version: row.get(3).ok()?,
                detail: row.get(4).ok()?,
            },
            reason: row.get(5).ok()?,
            proposed_by: row.get(6).ok()?,
            proposed_at: row.get(7).ok()?,
            state: ApprovalState::ALL.into_iter().find(|known| known.name() == state)?,
            decided_by: row.get(9).ok()?,
            decided_at: row.get(10).ok()?,
        };
        rows.fits(&found.bytes(), &row.get::<_, Vec<u8>>(11).ok()?).then_some(found)
    }

    fn lapsed(&self, now: i64) -> bool {
        now.saturating_sub(self.proposed_at) >= APPROVAL_LIFE_MS
    }
}

impl Access {
    /// Remembers that an approval was used or rejected, for longer than it would count.
    fn settle(&mut self, approval: &Approval, now: i64) {
        self.decided.retain(|_, at| now.saturating_sub(*at) < 2 * APPROVAL_LIFE_MS);
        self.decided.insert(approval.id, approval.proposed_at);
    }
}

impl KeyService {
    /// Asks for what takes two people. Whether the caller may ask is the interface's to check.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Sealed`], [`Error::Database`].
    pub fn propose(&self, by: &By<'_>, proposal: &Proposal) -> Result<Approval, Error> {
        checked(by)?;
        let found = proposal.key.len() + proposal.detail.len();
        if found > 1_024 {
            return Err(Error::TooLarge { what: "proposal, bytes", found, limit: 1_024 });
        }
        let mut file = self.file();
        let open = self.opened()?;
        let transaction = begin(&mut file)?;
        let last: i64 = transaction.query_row("SELECT coalesce(max(id), 0) FROM approval", [], |row| row.get(0))?;
        let approval = Approval {
            id: last + 1,
            proposal: proposal.clone(),
            reason: by.reason.to_owned(),
            proposed_by: by.caller.to_owned(),
            proposed_at: by.now,
            state: ApprovalState::Waiting,
            decided_by: String::new(),
            decided_at: 0,
        };
        approval.write(&transaction, self.row_key(&open))?;
        self.trail_approval(&transaction, by, &approval, "propose")?;
        transaction.commit()?;
        Ok(approval)
    }

    /// Approves or rejects: an administrator, and not who asked.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], [`Error::ApprovalUnknown`], [`Error::ApprovalState`], [`Error::Sealed`],
    /// [`Error::Database`].
    pub fn decide(&self, by: &By<'_>, id: i64, approve: bool) -> Result<Approval, Error> {
        let operation = if approve { "approve" } else { "reject" };
        self.check_role(by, &[Role::Administrator], "", operation)?;
        let decided = self.decide_now(by, id, operation, approve);
        self.note_refusal(by, operation, decided)
    }

    fn decide_now(&self, by: &By<'_>, id: i64, operation: &'static str, approve: bool) -> Result<Approval, Error> {
        let mut file = self.file();
        let open = self.opened()?;
        let transaction = begin(&mut file)?;
        let mut approval = self.approval_row(&transaction, &open, id)?;
        if approval.state != ApprovalState::Waiting || approval.lapsed(by.now) {
            return Err(Error::ApprovalState { id, reason: "it waits for no decision any more; ask again" });
        }
        if approval.proposed_by == by.caller {
            let reason = "who asked for it cannot decide it; another administrator must";
            return Err(Error::ApprovalState { id, reason });
        }
        approval.state = if approve { ApprovalState::Approved } else { ApprovalState::Rejected };
        (approval.decided_by, approval.decided_at) = (by.caller.to_owned(), by.now);
        approval.write(&transaction, self.row_key(&open))?;
        let mut access = open.access.read().unwrap_or_else(PoisonError::into_inner).clone();
        if !approve {
            access.settle(&approval, by.now);
            access.write(&transaction, self.row_key(&open))?;
        }
        self.trail_approval(&transaction, by, &approval, operation)?;
        transaction.commit()?;
        *open.access.write().unwrap_or_else(PoisonError::into_inner) = access;
        Ok(approval)
    }

    /// Uses an approval up for exactly what it was given for, by who asked. Do it right after.
    ///
    /// # Errors
    /// [`Error::ApprovalRequired`] without one; [`Error::ApprovalUnknown`], [`Error::ApprovalState`], [`Error::Sealed`],
    /// [`Error::Database`].
    pub fn redeem(&self, by: &By<'_>, id: Option<i64>, proposal: &Proposal) -> Result<(), Error> {
        checked(by)?;
        let redeemed = self.redeem_now(by, id, proposal);
        self.note_refusal(by, "use-approval", redeemed)
    }

    fn redeem_now(&self, by: &By<'_>, id: Option<i64>, proposal: &Proposal) -> Result<(), Error> {
        let id = id.ok_or(Error::ApprovalRequired(proposal.operation.name()))?;
        let mut file = self.file();
        let open = self.opened()?;
        let transaction = begin(&mut file)?;
        let mut access = open.access.read().unwrap_or_else(PoisonError::into_inner).clone();
        self.redeem_in(&transaction, &open, &mut access, by, id, proposal)?;
        access.write(&transaction, self.row_key(&open))?;
        transaction.commit()?;
        *open.access.write().unwrap_or_else(PoisonError::into_inner) = access;
        Ok(())
    }

    /// What it changes in `access` is for the caller to write, in the same transaction.
    pub(super) fn redeem_in(
        &self,
        file: &Connection,
        open: &Open,
        access: &mut Access,
        by: &By<'_>,
        id: i64,
        proposal: &Proposal,
    ) -> Result<(), Error> {
        let mut approval = self.approval_row(file, open, id)?;
        let refused = |reason| Err(Error::ApprovalState { id, reason });
        if approval.proposed_by != by.caller {
            return refused("someone else asked for it; who asked does it");
        }
        if approval.proposal != *proposal {
            return refused("it was given for something else; ask for this");
        }
        match approval.state {
            ApprovalState::Approved if !approval.lapsed(by.now) => {}
            ApprovalState::Approved => return refused("it lapsed a day after it was asked for; ask again"),
            ApprovalState::Waiting => return refused("it waits for another administrator's word"),
            ApprovalState::Rejected => return refused("it was rejected"),
            ApprovalState::Used => return refused("it was used; ask again"),
        }
        approval.state = ApprovalState::Used;
        access.settle(&approval, by.now);
        approval.write(file, self.row_key(open))?;
        self.trail_approval(file, by, &approval, "use-approval")
    }

    /// The last `limit` approvals, the newest first, those that are not as they were written left out.
    ///
    /// # Errors
    /// [`Error::Sealed`], [`Error::Database`].
    pub fn approvals(&self, limit: u32) -> Result<Vec<Approval>, Error> {
        let file = self.file();
        let open = self.opened()?;
        let rows = self.row_key(&open);
        let mut statement = file.prepare_cached("SELECT * FROM approval ORDER BY id DESC LIMIT ?1")?;
        let found = statement.query_map([limit], |row| Ok(Approval::of(row, rows)))?;
        Ok(found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    fn approval_row(&self, file: &Connection, open: &Open, id: i64) -> Result<Approval, Error> {
        let rows = self.row_key(open);
        let found = file
            .prepare_cached("SELECT * FROM approval WHERE id = ?1")?
            .query_row([id], |row| Ok(Approval::of(row, rows)))
            .optional()?;
        let damaged = || self.damaged(format!("approval {id}"));
        let approval = found.ok_or(Error::ApprovalUnknown(id))?.ok_or_else(damaged)?;
        let settled = open.access.read().unwrap_or_else(PoisonError::into_inner).decided.contains_key(&id);
        // An older row of it was put back.
        if settled && matches!(approval.state, ApprovalState::Waiting | ApprovalState::Approved) {
            return Err(damaged());
        }
        Ok(approval)
    }

    fn trail_approval(
        &self,
        file: &Connection,
        by: &By<'_>,
        approval: &Approval,
        operation: &str,
    ) -> Result<(), Error> {
        let Proposal { operation: what, key, version, detail } = &approval.proposal;
        let about = shown(&format!("{key}{}{}: {detail}", if key.is_empty() { "" } else { " " }, what.name()));
        audit::append(file, by.now, &act(by, &about, *version, operation, audit::OK), 1)?;
        Ok(())
    }
}
