//! Merchants' certificates as rows.

use domain::certificate::Certificate;
use domain::ids::{CertificateId, MerchantId};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Certificate {
    type Id = CertificateId;
    const TABLE: &'static str = "certificates";
    const COLUMNS: &'static [&'static str] = &["merchant", "serial", "revoked"];

    fn id(&self) -> CertificateId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.merchant.0.into(), self.serial.as_str().into(), self.revoked.is_some().into()]
    }
}

/// What lists of certificates may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct CertificateFilter {
    /// Of this merchant.
    pub merchant: Option<MerchantId>,
    /// Revoked, or not.
    pub revoked: Option<bool>,
}

impl Filter for CertificateFilter {
    type Of = Certificate;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.merchant.map(|merchant| Term::equal("merchant", merchant.0)),
            self.revoked.map(|revoked| Term::equal("revoked", revoked)),
        ]
    }
}
