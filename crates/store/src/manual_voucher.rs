//! Templates of manual vouchers as rows; the vouchers themselves are found by their approvals.

use domain::ids::TemplateId;
use domain::manual_voucher::{TemplateStatus, VoucherTemplate};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for VoucherTemplate {
    type Id = TemplateId;
    const TABLE: &'static str = "voucher_templates";
    const COLUMNS: &'static [&'static str] = &["code", "status"];

    fn id(&self) -> TemplateId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.code.as_str().into(), self.status.name().into()]
    }
}

/// What lists of templates may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct TemplateFilter {
    /// By exactly this code.
    pub code: Option<String>,
    /// Standing so.
    pub status: Option<TemplateStatus>,
}

impl Filter for TemplateFilter {
    type Of = VoucherTemplate;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.code.as_deref().map(|code| Term::equal("code", code)),
            self.status.map(|status| Term::equal("status", status.name())),
        ]
    }
}
