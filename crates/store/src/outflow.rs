//! What leaves by channels as rows.

use domain::ids::OutflowId;
use domain::outflow::Outflow;

use crate::db::Value;
use crate::table::Stored;

impl Stored for Outflow {
    type Id = OutflowId;
    const TABLE: &'static str = "outflows";
    const COLUMNS: &'static [&'static str] = &["rail", "currency"];

    fn id(&self) -> OutflowId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.rail.name().into(), self.currency.code().into()]
    }
}
