//! Signings of agreements as rows.

use domain::ids::{MerchantId, SignUpId, UserId};
use domain::sign_up::{SignUp, SignUpStatus};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for SignUp {
    type Id = SignUpId;
    const TABLE: &'static str = "sign_ups";
    const COLUMNS: &'static [&'static str] = &["merchant", "payer", "status"];

    fn id(&self) -> SignUpId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.merchant.map(|merchant| merchant.0).into(), self.payer.0.into(), self.status.name().into()]
    }
}

/// What lists of signings may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct SignUpFilter {
    /// Asked for by this merchant.
    pub merchant: Option<MerchantId>,
    /// Of this payer.
    pub payer: Option<UserId>,
    /// Which stand so.
    pub status: Option<SignUpStatus>,
}

impl Filter for SignUpFilter {
    type Of = SignUp;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.merchant.map(|merchant| Term::equal("merchant", merchant.0)),
            self.payer.map(|payer| Term::equal("payer", payer.0)),
            self.status.map(|status| Term::equal("status", status.name())),
        ]
    }
}
