//! Transfers (转账): from a payment account to another holder's, in these books and done at once.
//!
//! ```text
//!  create ─► SUCCESS      Dr 2201-A / Cr 2201-B; 2206 may stand on either side
//! ```
//! A transfer from 2201 is a payment from the balance: the limits of its class, of the year and of the day count it, by how
//! the payer proved itself (see [`crate::limit`]). It is final: what was sent in error comes back as a transfer of the
//! receiver's. There is no fee.

use alloc::format;
use alloc::string::String;
use alloc::vec;

use minicbor::{Decode, Encode};

use crate::account::Account;
use crate::block_list::{self, Blocked};
use crate::book::Subject;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, TransferId, VoucherId};
use crate::limit::{self, CountKind, Factors};
use crate::money::{Currency, Minor, positive};
use crate::recall::Leaves;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Dimensions, Entry, EventCode};

#[cfg(test)]
mod tests;

/// The most bytes of a note.
const MAX_NOTE: usize = 128;

/// A transfer that was made.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Transfer {
    /// Its id.
    #[n(0)]
    pub id: TransferId,
    /// The account that paid.
    #[n(1)]
    pub from: AccountId,
    /// The account that was paid.
    #[n(2)]
    pub to: AccountId,
    /// Minor units.
    #[n(3)]
    pub amount: Minor,
    /// Of both accounts.
    #[n(4)]
    pub currency: Currency,
    /// How the payer proved itself.
    #[n(5)]
    pub factors: Factors,
    /// What the payer wrote with it.
    #[n(6)]
    pub note: Option<String>,
    /// Its voucher.
    #[n(7)]
    pub voucher: VoucherId,
    /// When it was made.
    #[n(8)]
    pub made_at: Time,
}

impl Leaves for Transfer {
    /// It is over once it is made.
    fn is_closed(&self) -> bool {
        true
    }
}

/// Transfers money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MakeTransfer {
    /// 2201 or 2206.
    pub from: AccountId,
    /// 2201 or 2206 of another owner.
    pub to: AccountId,
    /// Minor units above zero.
    pub amount: Minor,
    /// Must be that of both accounts.
    pub currency: Currency,
    /// How the payer proved itself.
    pub factors: Factors,
    /// At most 128 bytes.
    pub note: Option<String>,
    /// The payer's device, if the caller knows it: only asked of the block list.
    pub device: Option<String>,
}

/// What is wanted of transfers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferCommand {
    /// Transfer money.
    Make(MakeTransfer),
}

/// What happened to a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum TransferEvent {
    /// It was made.
    #[n(0)]
    Made(#[n(0)] Transfer),
}

/// Transfers money.
///
/// # Errors
/// `amount_not_positive`, `account_unknown`, `account_closed`, `subject_not_allowed`, `currency_mismatch`,
/// `receiver_not_allowed` for an account of the same owner, `value_invalid` for the note, `blocked`, `limit_exceeded`,
/// `account_restricted`, `insufficient_funds`.
pub fn decide(draft: &mut Draft<'_>, command: TransferCommand) -> Result<Reply, Refusal> {
    let TransferCommand::Make(command) = command;
    let MakeTransfer { from, to, amount, currency, factors, note, device } = command;
    positive(amount, "amount")?;
    if note.as_ref().is_some_and(|note| note.len() > MAX_NOTE) {
        let message = format!("a note has at most {MAX_NOTE} bytes");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "note", message));
    }
    let payer = payment_account(draft.state, from, currency, "from")?;
    let payee = payment_account(draft.state, to, currency, "to")?;
    if payer.owner == payee.owner {
        let message = format!("{from} and {to} are of the same owner; a transfer goes to another's");
        return Err(Refusal::new(RefusalCode::ReceiverNotAllowed, "to", message));
    }
    let parties = [payer.owner, payee.owner].into_iter().flat_map(|owner| block_list::of_owner(draft.state, owner));
    block_list::refuse(draft.state, draft.context.now, parties.chain(device.map(Blocked::Device)))?;
    let counted = limit::check(draft.state, draft.context.now, payer, amount, CountKind::Balance(factors))?;
    let id = TransferId(draft.state.transfers.next_id());
    let entries = vec![Entry::debit(from, amount, currency), Entry::credit(to, amount, currency)];
    let business = BusinessNumber::object(BusinessKind::Transfer, id.0);
    let voucher = draft.post(business, EventCode::AccountTransfer, entries, Dimensions::default())?;
    if let Some(counted) = counted {
        limit::count(draft, &counted, amount);
    }
    let made_at = draft.context.now;
    let transfer = Transfer { id, from, to, amount, currency, factors, note, voucher, made_at };
    draft.emit(Event::Transfer(TransferEvent::Made(transfer)));
    Ok(Reply::Transfer(id))
}

fn payment_account<'s>(
    state: &'s State,
    id: AccountId,
    currency: Currency,
    param: &'static str,
) -> Result<&'s Account, Refusal> {
    let account = state.open_account(id, param)?;
    if !matches!(account.subject, Subject::Personal | Subject::Company) {
        let message =
            format!("{id} is {}; transfers go between payment accounts, 2201 and 2206", account.subject.code());
        return Err(Refusal::new(RefusalCode::SubjectNotAllowed, param, message));
    }
    if account.currency != currency {
        let message = format!("{id} is kept in {}", account.currency.code());
        return Err(Refusal::new(RefusalCode::CurrencyMismatch, "currency", message));
    }
    Ok(account)
}

impl State {
    /// The transfer.
    ///
    /// # Errors
    /// `transfer_unknown`.
    pub fn transfer(&self, id: TransferId) -> Result<&Transfer, Refusal> {
        let unknown = || Refusal::new(RefusalCode::TransferUnknown, "transfer", format!("there is no transfer {id}"));
        self.transfers.get(id.0).ok_or_else(unknown)
    }
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &TransferEvent) {
    let TransferEvent::Made(transfer) = event;
    state.transfers.insert(transfer.id.0, transfer.clone());
}
