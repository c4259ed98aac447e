//! Versions of sets of terminals' parameters as rows.

use domain::ids::ParameterSetId;
use domain::terminal_parameter::ParameterSet;

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for ParameterSet {
    type Id = ParameterSetId;
    const TABLE: &'static str = "parameter_sets";
    const COLUMNS: &'static [&'static str] = &["name", "version"];

    fn id(&self) -> ParameterSetId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.name.as_str().into(), u64::from(self.version).into()]
    }
}

/// What lists of versions may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct ParameterSetFilter {
    /// Of this set.
    pub name: Option<String>,
}

impl Filter for ParameterSetFilter {
    type Of = ParameterSet;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![self.name.as_deref().map(|name| Term::equal("name", name))]
    }
}
