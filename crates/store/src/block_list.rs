//! Entries of block lists as rows.

use domain::block_list::BlockEntry;
use domain::ids::BlockEntryId;

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for BlockEntry {
    type Id = BlockEntryId;
    const TABLE: &'static str = "block_entries";
    const COLUMNS: &'static [&'static str] = &["list", "party", "removed"];

    fn id(&self) -> BlockEntryId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.blocked.list().into(), self.blocked.key().into(), self.removed.is_some().into()]
    }
}

/// What lists of entries may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct BlockEntryFilter {
    /// Of the list of this name.
    pub list: Option<String>,
    /// Blocking this one, as its list names it.
    pub party: Option<String>,
    /// Taken from its list, or not.
    pub removed: Option<bool>,
}

impl Filter for BlockEntryFilter {
    type Of = BlockEntry;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.list.as_deref().map(|list| Term::equal("list", list)),
            self.party.as_deref().map(|party| Term::equal("party", party)),
            self.removed.map(|removed| Term::equal("removed", removed)),
        ]
    }
}
