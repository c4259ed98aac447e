//! Serial numbers of API keys' secrets as rows.

use domain::api_key::{ApiKey, KeyOwner};
use domain::ids::ApiKeyId;

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for ApiKey {
    type Id = ApiKeyId;
    const TABLE: &'static str = "api_keys";
    const COLUMNS: &'static [&'static str] = &["owner", "serial"];

    fn id(&self) -> ApiKeyId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.owner.to_string().into(), self.serial.into()]
    }
}

/// What lists of secrets' serial numbers may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct ApiKeyFilter {
    /// Whose.
    pub owner: Option<KeyOwner>,
}

impl Filter for ApiKeyFilter {
    type Of = ApiKey;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![self.owner.map(|owner| Term::equal("owner", owner.to_string()))]
    }
}
