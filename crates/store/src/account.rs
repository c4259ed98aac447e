//! Accounts as rows. Balance and entry count are left at zero: history holds them, with every entry.

use std::borrow::Cow;

use domain::account::{Account, AccountStatus, Owner};
use domain::book::Subject;
use domain::ids::AccountId;

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Account {
    type Id = AccountId;
    const TABLE: &'static str = "accounts";
    const COLUMNS: &'static [&'static str] = &["owner", "subject", "currency", "status"];

    fn id(&self) -> AccountId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        let Self { owner, subject, currency, status, .. } = self;
        vec![owner_text(*owner).into(), subject.code().into(), currency.code().into(), status_text(*status).into()]
    }

    fn image(&self) -> Cow<'_, Self> {
        Cow::Owned(Self { balance: 0, entries: 0, ..self.clone() })
    }
}

/// An owner as columns name it.
pub(crate) fn owner_text(owner: Owner) -> String {
    match owner {
        Owner::Institution => "institution".to_owned(),
        Owner::User(id) => id.to_string(),
        Owner::Merchant(id) => id.to_string(),
    }
}

const fn status_text(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Open => "open",
        AccountStatus::Closed => "closed",
    }
}

/// What lists of accounts may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct AccountFilter {
    /// Whose.
    pub owner: Option<Owner>,
    /// Of this subject.
    pub subject: Option<Subject>,
    /// Open or closed.
    pub status: Option<AccountStatus>,
}

impl Filter for AccountFilter {
    type Of = Account;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.owner.map(|owner| Term::equal("owner", owner_text(owner))),
            self.subject.map(|subject| Term::equal("subject", subject.code())),
            self.status.map(|status| Term::equal("status", status_text(status))),
        ]
    }
}
