//! Real-name checks as rows.

use domain::ids::{MerchantId, RealNameCheckId, UserId};
use domain::real_name_check::{RealNameCheck, RealNameCheckStatus};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for RealNameCheck {
    type Id = RealNameCheckId;
    const TABLE: &'static str = "real_name_checks";
    const COLUMNS: &'static [&'static str] = &["merchant", "user_id", "status"];

    fn id(&self) -> RealNameCheckId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.merchant.map(|merchant| merchant.0).into(), self.user.0.into(), self.status.name().into()]
    }
}

/// What lists of real-name checks may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct RealNameCheckFilter {
    /// Asked for by this merchant.
    pub merchant: Option<MerchantId>,
    /// Of this user.
    pub user: Option<UserId>,
    /// Which stand so.
    pub status: Option<RealNameCheckStatus>,
}

impl Filter for RealNameCheckFilter {
    type Of = RealNameCheck;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.merchant.map(|merchant| Term::equal("merchant", merchant.0)),
            self.user.map(|user| Term::equal("user_id", user.0)),
            self.status.map(|status| Term::equal("status", status.name())),
        ]
    }
}
