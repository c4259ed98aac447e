//! Customers (客户): one legal identity each; personal data only sealed.

use alloc::format;

use minicbor::{Decode, Encode};

use crate::attempt::Rail;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{CustomerId, RealNameCheckId};
use crate::refusal::{Refusal, RefusalCode};
use crate::sealed::Sealed;
use crate::state::State;

/// How far beyond the last customer a new id may lie: the vault hands ids out one by one.
const MAX_GAP: u64 = 1_000_000;

/// A natural or a legal person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum CustomerKind {
    /// 自然人.
    #[n(0)]
    Person,
    /// 法人.
    #[n(1)]
    Company,
}

/// How many elements of a person a bank compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Elements {
    /// Name, certificate and card (三要素).
    #[n(0)]
    Three,
    /// Those and the phone that the bank knows (四要素).
    #[n(1)]
    Four,
}

impl Elements {
    /// How many they are.
    #[must_use]
    pub const fn count(self) -> u8 {
        match self {
            Self::Three => 3,
            Self::Four => 4,
        }
    }
}

/// What a bank said of who a customer is: the level of its verification (实名核验).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Verification {
    /// How many elements matched.
    #[n(0)]
    pub elements: Elements,
    /// The check that says so.
    #[n(1)]
    pub check: RealNameCheckId,
    /// At which network.
    #[n(2)]
    pub rail: Rail,
    /// When the bank said so.
    #[n(3)]
    pub at: Time,
}

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Customer {
    /// Its id, from the vault.
    #[n(0)]
    pub id: CustomerId,
    /// Person or company.
    #[n(1)]
    pub kind: CustomerKind,
    /// The name.
    #[n(2)]
    pub name: Sealed,
    /// The certificate's number.
    #[n(3)]
    pub certificate: Sealed,
    /// The phone number.
    #[n(4)]
    pub phone: Option<Sealed>,
    /// What a bank said of who it is; none while no real-name check matched.
    #[n(5)]
    pub verification: Option<Verification>,
}

/// Registers a customer under the id that the vault gave its identity.
///
/// # Errors
/// `already_exists`, `value_invalid` for an id that the vault cannot have handed out yet.
pub fn decide_register(draft: &mut Draft<'_>, customer: Customer) -> Result<Reply, Refusal> {
    let id = customer.id;
    if draft.state.customers.get(id.0).is_some() {
        let message = format!("{id} is registered already");
        return Err(Refusal::new(RefusalCode::AlreadyExists, "customer", message));
    }
    if id.0 == 0 || id.0 > draft.state.customers.next_id().saturating_add(MAX_GAP) {
        let message = format!("{id} is not an id the vault hands out");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "customer", message));
    }
    // Only a bank's word verifies anybody.
    draft.emit(Event::CustomerRegistered(Customer { verification: None, ..customer }));
    Ok(Reply::Customer(id))
}

impl State {
    /// The customer.
    ///
    /// # Errors
    /// `customer_unknown`.
    pub fn customer(&self, id: CustomerId) -> Result<&Customer, Refusal> {
        let unknown = || Refusal::new(RefusalCode::CustomerUnknown, "customer", format!("there is no customer {id}"));
        self.customers.get(id.0).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::testkit::{Kit, sealed};

    #[test]
    fn a_customer_is_registered_once_under_the_id_the_vault_gave() {
        let mut kit = Kit::new();
        let customer = |id| {
            let (name, certificate) = (sealed("*三"), sealed("1101**********1234"));
            Command::RegisterCustomer(Customer {
                id: CustomerId(id),
                kind: CustomerKind::Company,
                name,
                certificate,
                phone: None,
                verification: None,
            })
        };
        kit.given(customer(7));
        kit.refused(customer(7), RefusalCode::AlreadyExists);
        for id in [0, 9 + MAX_GAP, u64::MAX] {
            kit.refused(customer(id), RefusalCode::ValueInvalid);
        }
        kit.given(customer(3));
    }
}
