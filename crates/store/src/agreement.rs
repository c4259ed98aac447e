//! Agreements as rows: what is kept of each, and what lists filter by.

use domain::account::Owner;
use domain::agreement::{Agreement, AgreementStatus};
use domain::ids::{AccountId, AgreementId};

use crate::account::owner_text;
use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Agreement {
    type Id = AgreementId;
    const TABLE: &'static str = "agreements";
    const COLUMNS: &'static [&'static str] = &["number", "party", "account", "status"];

    fn id(&self) -> AgreementId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        let Self { number, party, account, status, .. } = self;
        vec![number.as_str().into(), owner_text(*party).into(), account.0.into(), status.name().into()]
    }
}

/// What lists of agreements may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct AgreementFilter {
    /// Of exactly this number.
    pub number: Option<String>,
    /// Whose money it is.
    pub party: Option<Owner>,
    /// With this account.
    pub account: Option<AccountId>,
    /// Open or closed.
    pub status: Option<AgreementStatus>,
}

impl Filter for AgreementFilter {
    type Of = Agreement;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.number.as_deref().map(|number| Term::equal("number", number)),
            self.party.map(|party| Term::equal("party", owner_text(party))),
            self.account.map(|account| Term::equal("account", account.0)),
            self.status.map(|status| Term::equal("status", status.name())),
        ]
    }
}
