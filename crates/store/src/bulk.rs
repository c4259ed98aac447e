//! Streams of bulk postings as rows.

use domain::bulk::Stream;
use domain::ids::StreamId;

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Stream {
    type Id = StreamId;
    const TABLE: &'static str = "streams";
    const COLUMNS: &'static [&'static str] = &["name"];

    fn id(&self) -> StreamId {
        self.id
    }

    /// Without the mark: it is the sender's number and may be beyond what a column holds.
    fn columns(&self) -> Vec<Value> {
        vec![self.name.as_str().into()]
    }
}

/// What lists of streams may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct StreamFilter {
    /// Of exactly this name.
    pub name: Option<String>,
}

impl Filter for StreamFilter {
    type Of = Stream;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![self.name.as_deref().map(|name| Term::equal("name", name))]
    }
}
