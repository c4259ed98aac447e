//! Bank cards and accounts of one's own that sent a withdrawal back: nothing more goes there until they are verified.
//!
//! ```text
//!  a withdrawal to an own bank account is returned ─► STOPPED ─ verify ─► VERIFIED
//! ```
//! What is unsent to a stopped card is cancelled, what is new is refused, and automatic withdrawals leave its plan alone.
//! A card is known by the token that the server gives its number. A merchant's settlement account, which is no card of a
//! payout but part of the merchant, has its own stop: see [`crate::merchant`].

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, BankCardId, CustomerId, PayoutId};
use crate::payout::{self, CancelReason, Destination, Payout};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

#[cfg(test)]
mod tests;

/// Who verified a card, and when.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Verification {
    /// When.
    #[n(0)]
    pub at: Time,
    /// Who.
    #[n(1)]
    pub by: String,
}

/// A bank card that sent a withdrawal back.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct BankCard {
    /// Its id.
    #[n(0)]
    pub id: BankCardId,
    /// Whose it is.
    #[n(1)]
    pub customer: CustomerId,
    /// The token of its number.
    #[n(2)]
    pub token: String,
    /// Its number as it may be shown.
    #[n(3)]
    pub mask: String,
    /// The withdrawal that came back.
    #[n(4)]
    pub payout: PayoutId,
    /// When it was stopped.
    #[n(5)]
    pub stopped_at: Time,
    /// Who verified it again.
    #[n(6)]
    pub verified: Option<Verification>,
}

impl BankCard {
    /// What may be done with it now.
    #[must_use]
    pub const fn allowed_actions(&self) -> &'static [&'static str] {
        match self.verified {
            None => &["verify"],
            Some(_) => &[],
        }
    }
}

/// What is wanted of a bank card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BankCardCommand {
    /// It was verified again: money may go there.
    Verify(BankCardId),
}

/// What happened to a bank card.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum BankCardEvent {
    /// It sent money back.
    #[n(0)]
    Stopped(#[n(0)] BankCard),
    /// It was verified again.
    #[n(1)]
    Verified {
        /// The card.
        #[n(0)]
        card: BankCardId,
        /// By whom.
        #[n(1)]
        verification: Verification,
    },
}

/// Changes a bank card.
///
/// # Errors
/// `bank_card_unknown`, `bank_card_state`.
pub fn decide(draft: &mut Draft<'_>, command: BankCardCommand) -> Result<Reply, Refusal> {
    let BankCardCommand::Verify(card) = command;
    if draft.state.bank_card(card)?.verified.is_some() {
        return Err(Refusal::new(RefusalCode::BankCardState, "card", format!("{card} was verified already")));
    }
    let verification = Verification { at: draft.context.now, by: draft.operator() };
    draft.emit(Event::BankCard(BankCardEvent::Verified { card, verification }));
    Ok(Reply::BankCard(card))
}

/// Refuses a card that sent money of this customer back and was not verified since.
///
/// # Errors
/// `card_stopped`.
pub(crate) fn refuse_stopped(state: &State, customer: CustomerId, token: &str) -> Result<(), Refusal> {
    match state.stopped_cards.get(&(customer, String::from(token))) {
        None => Ok(()),
        Some(card) => {
            let message = format!("a withdrawal to this bank account came back; verify {card} before the next");
            Err(Refusal::new(RefusalCode::CardStopped, "to", message))
        }
    }
}

/// The customer's own card that a payout goes to.
fn own_card(state: &State, payout: &Payout) -> Option<(CustomerId, String, String)> {
    let receiver = match &payout.destination {
        Destination::Bank(receiver) if receiver.own => receiver,
        Destination::Bank(_) | Destination::Settlement(_) | Destination::Company(_) => return None,
    };
    let customer = state.customer_of(state.accounts.get(payout.account.0)?.owner)?;
    Some((customer, receiver.token.clone()?, receiver.account.mask.clone()))
}

/// A payout came back: stops the card, if it went to one of the payer's own.
pub(crate) fn stop(draft: &mut Draft<'_>, returned: &Payout) {
    let Some((customer, token, mask)) = own_card(draft.state, returned) else { return };
    let key = (customer, token);
    if draft.state.stopped_cards.get(&key).is_none() {
        let (id, stopped_at) = (BankCardId(draft.state.bank_cards.next_id()), draft.context.now);
        let (token, payout) = (key.1.clone(), returned.id);
        let card = BankCard { id, customer, token, mask, payout, stopped_at, verified: None };
        draft.emit(Event::BankCard(BankCardEvent::Stopped(card)));
    }
    let accounts: Vec<AccountId> = draft.state.accounts_of(customer).map(|account| account.id).collect();
    for account in accounts {
        let same = |state: &State, payout: &Payout| {
            own_card(state, payout).is_some_and(|(owner, token, _)| (owner, token) == key)
        };
        payout::cancel_unsent_where(draft, account, CancelReason::CardStopped, same);
    }
}

impl State {
    /// The bank card that sent money back.
    ///
    /// # Errors
    /// `bank_card_unknown`.
    pub fn bank_card(&self, id: BankCardId) -> Result<&BankCard, Refusal> {
        let unknown = || Refusal::new(RefusalCode::BankCardUnknown, "card", format!("there is no bank card {id}"));
        self.bank_cards.get(id.0).ok_or_else(unknown)
    }
}

/// The place of a card that was not verified in the index of stopped ones.
pub(crate) fn index_key(card: &BankCard) -> Option<((CustomerId, String), BankCardId)> {
    card.verified.is_none().then(|| ((card.customer, card.token.clone()), card.id))
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &BankCardEvent) {
    match event {
        BankCardEvent::Stopped(card) => {
            state.stopped_cards.insert((card.customer, card.token.clone()), card.id);
            state.bank_cards.insert(card.id.0, card.clone());
        }
        BankCardEvent::Verified { card, verification } => {
            let row = state.bank_cards.get_mut(card.0).expect("decide checked the card");
            row.verified = Some(verification.clone());
            let key = (row.customer, row.token.clone());
            state.stopped_cards.remove(&key);
        }
    }
}
