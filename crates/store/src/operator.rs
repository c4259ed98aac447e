//! Operators as rows, listed by login and by whether they may act.

use domain::ids::OperatorId;
use domain::operator::{Operator, OperatorStatus};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Operator {
    type Id = OperatorId;
    const TABLE: &'static str = "operators";
    const COLUMNS: &'static [&'static str] = &["login", "status"];

    fn id(&self) -> OperatorId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.login.as_str().into(), self.status.name().into()]
    }
}

/// What lists of operators may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct OperatorFilter {
    /// By exactly this login.
    pub login: Option<String>,
    /// Standing so.
    pub status: Option<OperatorStatus>,
}

impl Filter for OperatorFilter {
    type Of = Operator;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.login.as_deref().map(|login| Term::equal("login", login)),
            self.status.map(|status| Term::equal("status", status.name())),
        ]
    }
}
