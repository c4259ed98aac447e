//! Users as rows: what is kept of each, and what lists filter by.

use domain::ids::{CustomerId, UserId};
use domain::user::User;

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for User {
    type Id = UserId;
    const TABLE: &'static str = "users";
    const COLUMNS: &'static [&'static str] = &["customer", "product"];

    fn id(&self) -> UserId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.customer.0.into(), self.product.as_str().into()]
    }
}

/// What lists of users may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Of this customer.
    pub customer: Option<CustomerId>,
    /// Of this product.
    pub product: Option<String>,
}

impl Filter for UserFilter {
    type Of = User;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.customer.map(|customer| Term::equal("customer", customer.0)),
            self.product.as_deref().map(|product| Term::equal("product", product)),
        ]
    }
}
