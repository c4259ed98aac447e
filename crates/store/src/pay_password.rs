//! Pay passwords as rows: how each stands, never which it is.

use domain::ids::UserId;
use domain::pay_password::PayPassword;

use crate::db::Value;
use crate::table::Stored;

impl Stored for PayPassword {
    type Id = UserId;
    const TABLE: &'static str = "pay_passwords";
    const COLUMNS: &'static [&'static str] = &["tries"];

    fn id(&self) -> UserId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.tries.into()]
    }
}
