//! Merchants (商户): landlords, agencies and agents who are paid through the platform.
//!
//! A merchant has two accounts in yuan: 2202 what is to be settled and 2203 what it may use; a company gets 2206 too.

use alloc::format;
use alloc::string::String;

use minicbor::{Decode, Encode};

use crate::account::{Owner, open};
use crate::book::Subject;
use crate::command::Reply;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::{AccountId, CustomerId, MerchantId};
use crate::money::{Currency, Minor, RATE_WHOLE};
use crate::refusal::{Refusal, RefusalCode};
use crate::sealed::Sealed;
use crate::state::State;

/// What a merchant does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum MerchantKind {
    /// Lets homes.
    #[n(0)]
    Landlord,
    /// A broker's company or branch.
    #[n(1)]
    Agency,
    /// A person who brokers.
    #[n(2)]
    Agent,
}

impl MerchantKind {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Landlord => "landlord",
            Self::Agency => "agency",
            Self::Agent => "agent",
        }
    }
}

/// The bank account that settlements go to; its holder is the merchant itself.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SettlementAccount {
    /// The bank account's number.
    #[n(0)]
    pub account: Sealed,
    /// The holder's name.
    #[n(1)]
    pub name: Sealed,
}

/// A merchant.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Merchant {
    /// Its id.
    #[n(0)]
    pub id: MerchantId,
    /// Who it is in law.
    #[n(1)]
    pub customer: CustomerId,
    /// What it does.
    #[n(2)]
    pub kind: MerchantKind,
    /// The name it trades under; public.
    #[n(3)]
    pub name: String,
    /// Its fee, in parts of [`RATE_WHOLE`].
    #[n(4)]
    pub fee_rate: Minor,
    /// Where settlements go.
    #[n(5)]
    pub settlement: SettlementAccount,
    /// 2202, to be settled.
    #[n(6)]
    pub pending: AccountId,
    /// 2203, available.
    #[n(7)]
    pub available: AccountId,
    /// 2206, its payment account.
    #[n(8)]
    pub company: Option<AccountId>,
}

/// Opens a merchant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenMerchant {
    /// Who it is in law.
    pub customer: CustomerId,
    /// What it does.
    pub kind: MerchantKind,
    /// The name it trades under.
    pub name: String,
    /// Its fee, in parts of [`RATE_WHOLE`].
    pub fee_rate: Minor,
    /// Where settlements go.
    pub settlement: SettlementAccount,
}

/// Opens a merchant with its accounts.
///
/// # Errors
/// `customer_unknown`, `value_invalid` for name or fee.
pub fn decide_open(draft: &mut Draft<'_>, command: OpenMerchant) -> Result<Reply, Refusal> {
    draft.state.customer(command.customer)?;
    if command.name.is_empty() || command.name.len() > 128 {
        let message = format!("the name has {} bytes; use 1 to 128", command.name.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "name", message));
    }
    if !(0..RATE_WHOLE).contains(&command.fee_rate) {
        let message = format!("{} is not a fee rate; use 0 to 999,999 millionths (0.60 % is 6000)", command.fee_rate);
        return Err(Refusal::new(RefusalCode::ValueInvalid, "fee_rate", message));
    }
    let OpenMerchant { customer, kind, name, fee_rate, settlement } = command;
    let id = MerchantId(draft.state.merchants.next_id());
    let owner = Owner::Merchant(id);
    let pending = open(draft, Subject::MerchantPending, Currency::Cny, owner, false, None);
    let available = open(draft, Subject::MerchantAvailable, Currency::Cny, owner, false, None);
    let company = match kind {
        MerchantKind::Agency => Some(open(draft, Subject::Company, Currency::Cny, owner, false, None)),
        MerchantKind::Landlord | MerchantKind::Agent => None,
    };
    draft.emit(Event::MerchantOpened(Merchant {
        id,
        customer,
        kind,
        name,
        fee_rate,
        settlement,
        pending,
        available,
        company,
    }));
    Ok(Reply::Merchant(id))
}

impl State {
    /// The merchant.
    ///
    /// # Errors
    /// `merchant_unknown`.
    pub fn merchant(&self, id: MerchantId) -> Result<&Merchant, Refusal> {
        let unknown = || Refusal::new(RefusalCode::MerchantUnknown, "merchant", format!("there is no merchant {id}"));
        self.merchants.get(id.0).ok_or_else(unknown)
    }
}
