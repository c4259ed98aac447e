//! Merchants (商户): landlords, agencies and agents who are paid through the platform.
//!
//! A merchant has two accounts in yuan: 2202 what is to be settled and 2203 what it may use; a company gets 2206 too.

use alloc::format;
use alloc::string::String;

use minicbor::{Decode, Encode};

use crate::account::{Owner, open};
use crate::advance::Trading;
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
    /// Its fee, in parts of [`RATE_WHOLE`], of orders until its first [`FeePlan`](crate::fee_plan::FeePlan) of them begins.
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
    /// A payout to the settlement account came back: nothing goes there until it is verified again.
    #[n(9)]
    pub settlement_suspended: bool,
    /// How long it has traded.
    #[n(10)]
    #[cbor(default)]
    pub trading: Trading,
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
        settlement_suspended: false,
        trading: Trading { opened: draft.state.days.current(), ..Trading::default() },
    }));
    Ok(Reply::Merchant(id))
}

/// A merchant was opened; its accounts were opened before it.
pub(crate) fn apply_opened(state: &mut State, merchant: &Merchant) {
    for account in [Some(merchant.pending), Some(merchant.available), merchant.company].into_iter().flatten() {
        state.customer_accounts.insert((merchant.customer, account), ());
    }
    state.merchants.insert(merchant.id.0, merchant.clone());
}

/// Verifies the settlement account again, the same or `replacement` in its place, so that payouts to it go on.
///
/// # Errors
/// `merchant_unknown`.
pub fn decide_verify_settlement(
    draft: &mut Draft<'_>,
    id: MerchantId,
    replacement: Option<SettlementAccount>,
) -> Result<Reply, Refusal> {
    let merchant = draft.state.merchant(id)?;
    let settlement = replacement.unwrap_or_else(|| merchant.settlement.clone());
    draft.emit(Event::SettlementVerified { merchant: id, settlement });
    Ok(Reply::Merchant(id))
}

/// A payout to the settlement account came back.
pub(crate) fn apply_suspended(state: &mut State, id: MerchantId) {
    state.merchants.get_mut(id.0).expect("decide checked the merchant").settlement_suspended = true;
}

/// The settlement account was verified.
pub(crate) fn apply_verified(state: &mut State, id: MerchantId, settlement: &SettlementAccount) {
    let merchant = state.merchants.get_mut(id.0).expect("decide checked the merchant");
    merchant.settlement = settlement.clone();
    merchant.settlement_suspended = false;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::testkit::{Kit, sealed};

    fn open(kit: &mut Kit, kind: MerchantKind) -> OpenMerchant {
        let settlement = SettlementAccount { account: sealed("6222**********0001"), name: sealed("*四") };
        OpenMerchant { customer: kit.customer(), kind, name: String::from("Sunny Homes"), fee_rate: 2_000, settlement }
    }

    #[test]
    fn a_merchant_comes_with_its_accounts() {
        let mut kit = Kit::new();
        for (kind, company) in
            [(MerchantKind::Landlord, false), (MerchantKind::Agent, false), (MerchantKind::Agency, true)]
        {
            let command = open(&mut kit, kind);
            let Reply::Merchant(id) = kit.given(Command::OpenMerchant(command)) else {
                panic!("a merchant was opened")
            };
            let merchant = kit.state.merchant(id).unwrap();
            let subject = |account: AccountId| {
                let account = kit.state.account(account, "account").unwrap();
                assert_eq!(account.owner, Owner::Merchant(id));
                account.subject
            };
            assert_eq!(subject(merchant.pending), Subject::MerchantPending);
            assert_eq!(subject(merchant.available), Subject::MerchantAvailable);
            assert_eq!(merchant.company.map(subject), company.then_some(Subject::Company));
        }
    }

    #[test]
    fn bad_input_is_refused() {
        let mut kit = Kit::new();
        let good = open(&mut kit, MerchantKind::Landlord);
        let table = [
            (OpenMerchant { customer: CustomerId(9), ..good.clone() }, RefusalCode::CustomerUnknown),
            (OpenMerchant { name: String::new(), ..good.clone() }, RefusalCode::ValueInvalid),
            (OpenMerchant { name: "x".repeat(129), ..good.clone() }, RefusalCode::ValueInvalid),
            (OpenMerchant { fee_rate: -1, ..good.clone() }, RefusalCode::ValueInvalid),
            (OpenMerchant { fee_rate: RATE_WHOLE, ..good }, RefusalCode::ValueInvalid),
        ];
        for (command, code) in table {
            kit.refused(Command::OpenMerchant(command), code);
        }
    }
}
