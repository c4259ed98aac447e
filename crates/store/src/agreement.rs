//! Agreements and the payments out of their accounts as rows: what is kept of each, and what lists filter by.

use domain::account::Owner;
use domain::agreement::{Agreement, AgreementPayment, AgreementStatus};
use domain::ids::{AccountId, AgreementId, AgreementPaymentId};
use domain::recall::{Kind, Leaves};

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

impl Stored for AgreementPayment {
    type Id = AgreementPaymentId;
    const TABLE: &'static str = "agreement_payments";
    const COLUMNS: &'static [&'static str] = &["agreement", "rule", "target", "closed"];
    const KIND: Option<Kind> = Some(Kind::AgreementPayment);

    fn id(&self) -> AgreementPaymentId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        let closed = i64::from(self.is_closed()).into();
        vec![self.agreement.0.into(), self.rule.into(), self.to.0.into(), closed]
    }
}

/// What lists of payments out of agreement accounts may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct AgreementPaymentFilter {
    /// Of this agreement.
    pub agreement: Option<AgreementId>,
    /// By this rule of it.
    pub rule: Option<u16>,
    /// To this account.
    pub to: Option<AccountId>,
}

impl Filter for AgreementPaymentFilter {
    type Of = AgreementPayment;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.agreement.map(|agreement| Term::equal("agreement", agreement.0)),
            self.rule.map(|rule| Term::equal("rule", rule)),
            self.to.map(|to| Term::equal("target", to.0)),
        ]
    }
}
