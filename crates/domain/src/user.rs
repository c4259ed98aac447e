//! Users (用户): a customer in one product or app.

use alloc::format;
use alloc::string::String;

use minicbor::{Decode, Encode};

use crate::command::Reply;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::{CustomerId, UserId};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct User {
    /// Its id.
    #[n(0)]
    pub id: UserId,
    /// Whose login it is.
    #[n(1)]
    pub customer: CustomerId,
    /// The product it logs in to.
    #[n(2)]
    pub product: String,
}

/// Opens a user of a product for a customer.
///
/// # Errors
/// `customer_unknown`, `value_invalid` for a product without a name, `already_exists`.
pub fn decide_open(draft: &mut Draft<'_>, customer: CustomerId, product: String) -> Result<Reply, Refusal> {
    draft.state.customer(customer)?;
    if product.is_empty() || product.len() > 64 {
        let message = format!("the product's name has {} bytes; use 1 to 64", product.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "product", message));
    }
    if let Some(existing) = draft.state.users_by_product.get(&(customer, product.clone())) {
        let message = format!("{customer} is {existing} in this product already");
        return Err(Refusal::new(RefusalCode::AlreadyExists, "product", message));
    }
    let id = UserId(draft.state.users.next_id());
    draft.emit(Event::UserOpened(User { id, customer, product }));
    Ok(Reply::User(id))
}

pub(crate) fn apply_opened(state: &mut State, user: &User) {
    state.users_by_product.insert((user.customer, user.product.clone()), user.id);
    state.users.insert(user.id.0, user.clone());
}

impl State {
    /// The user.
    ///
    /// # Errors
    /// `user_unknown`.
    pub fn user(&self, id: UserId) -> Result<&User, Refusal> {
        self.users
            .get(id.0)
            .ok_or_else(|| Refusal::new(RefusalCode::UserUnknown, "user", format!("there is no user {id}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::testkit::Kit;
    use alloc::string::ToString;

    #[test]
    fn a_customer_is_one_user_a_product() {
        let mut kit = Kit::new();
        let customer = kit.customer();
        let open = |customer, product: &str| Command::OpenUser { customer, product: product.to_string() };
        kit.given(open(customer, "rent"));
        kit.given(open(customer, "sale"));
        kit.refused(open(customer, "rent"), RefusalCode::AlreadyExists);
        kit.refused(open(customer, ""), RefusalCode::ValueInvalid);
        kit.refused(open(customer, &"x".repeat(65)), RefusalCode::ValueInvalid);
        kit.refused(open(CustomerId(9), "rent"), RefusalCode::CustomerUnknown);
    }
}
