//! Terminals as rows: listed by serial, where they stand and whom they are with.

use domain::ids::{MerchantId, TerminalId};
use domain::terminal::{Terminal, TerminalStatus};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Terminal {
    type Id = TerminalId;
    const TABLE: &'static str = "terminals";
    const COLUMNS: &'static [&'static str] = &["serial", "status", "merchant"];

    fn id(&self) -> TerminalId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        let merchant = self.binding.as_ref().map(|binding| binding.merchant.0);
        vec![self.serial.as_str().into(), self.status.name().into(), merchant.into()]
    }
}

/// What lists of terminals may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct TerminalFilter {
    /// Of exactly this serial.
    pub serial: Option<String>,
    /// Standing so.
    pub status: Option<TerminalStatus>,
    /// With this merchant now.
    pub merchant: Option<MerchantId>,
}

impl Filter for TerminalFilter {
    type Of = Terminal;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.serial.as_deref().map(|serial| Term::equal("serial", serial)),
            self.status.map(|status| Term::equal("status", status.name())),
            self.merchant.map(|merchant| Term::equal("merchant", merchant.0)),
        ]
    }
}
