//! Receivers of splits (分账接收方): who may receive from a merchant's orders, as what, and how much of one at most.
//!
//! ```text
//!  register ─► REGISTERED ─ register again ─► as it says now
//!                  └─ remove ─► REMOVED ─ register again ─► REGISTERED
//! ```
//! A split pays registered receivers only, whoever asks for it: 2202 of a payee is its own and theirs, nobody else's. What was
//! split before a removal, or before there were registrations, stays, settles and is returned as any other. A merchant stands
//! once among a payee's receivers; its row stays when it is removed.

use alloc::format;
use alloc::string::String;

use minicbor::{Decode, Encode};

use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{MerchantId, ReceiverId};
use crate::money::{Minor, RATE_WHOLE};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

#[cfg(test)]
mod tests;

/// What a receiver is to the payee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Relation {
    /// An agent of its network (经纪人).
    #[n(0)]
    Agent,
    /// A store of it (门店).
    #[n(1)]
    Store,
    /// Its headquarters (总部).
    #[n(2)]
    Headquarters,
    /// A partner (合作伙伴), such as another broker's company.
    #[n(3)]
    Partner,
    /// Who provides it a service (服务商).
    #[n(4)]
    ServiceProvider,
    /// The landlord of what it lets (房东).
    #[n(5)]
    Landlord,
    /// A supplier (供应商), such as who cleans or repairs.
    #[n(6)]
    Supplier,
    /// Something else.
    #[n(7)]
    Other,
}

impl Relation {
    /// Every relation.
    pub const ALL: [Self; 8] = [
        Self::Agent,
        Self::Store,
        Self::Headquarters,
        Self::Partner,
        Self::ServiceProvider,
        Self::Landlord,
        Self::Supplier,
        Self::Other,
    ];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Store => "store",
            Self::Headquarters => "headquarters",
            Self::Partner => "partner",
            Self::ServiceProvider => "service_provider",
            Self::Landlord => "landlord",
            Self::Supplier => "supplier",
            Self::Other => "other",
        }
    }
}

/// How a receiver was removed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ReceiverRemoval {
    /// When.
    #[n(0)]
    pub at: Time,
    /// Who did it.
    #[n(1)]
    pub by: String,
}

/// Who may receive from a payee's orders.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SplitReceiver {
    /// Its id.
    #[n(0)]
    pub id: ReceiverId,
    /// Whose orders are split.
    #[n(1)]
    pub payee: MerchantId,
    /// Who receives.
    #[n(2)]
    pub receiver: MerchantId,
    /// What the receiver is to the payee.
    #[n(3)]
    pub relation: Relation,
    /// The most of one order's amount that it may have, over all splits, in parts of [`RATE_WHOLE`]; all of it unless said.
    #[n(4)]
    pub max_share: Option<Minor>,
    /// When it was registered last.
    #[n(5)]
    pub registered_at: Time,
    /// Who registered it.
    #[n(6)]
    pub registered_by: String,
    /// How it was removed.
    #[n(7)]
    pub removed: Option<ReceiverRemoval>,
}

impl SplitReceiver {
    /// The name of where it stands, in API and files.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match self.removed {
            None => "registered",
            Some(_) => "removed",
        }
    }

    /// What may be done with it now.
    #[must_use]
    pub const fn allowed_actions(&self) -> &'static [&'static str] {
        match self.removed {
            None => &["remove"],
            Some(_) => &[],
        }
    }

    /// The most minor units that it may have of an order of `amount`, rounded down; none if all of it.
    ///
    /// # Panics
    /// With a share above the whole, which is never registered.
    #[must_use]
    pub fn most_of(&self, amount: Minor) -> Option<Minor> {
        let most = i128::from(amount) * i128::from(self.max_share?) / i128::from(RATE_WHOLE);
        Some(Minor::try_from(most).expect("a part of 64-bit minor units fits in them"))
    }
}

/// Registers who may receive from a payee's orders, or says anew as what and how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterReceiver {
    /// Whose orders are split.
    pub payee: MerchantId,
    /// Who may receive.
    pub receiver: MerchantId,
    /// What the receiver is to the payee.
    pub relation: Relation,
    /// The most of one order's amount, in parts of [`RATE_WHOLE`]: 1 to the whole.
    pub max_share: Option<Minor>,
}

/// What is wanted of receivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiverCommand {
    /// Register one.
    Register(RegisterReceiver),
    /// Remove one: it receives from no new split.
    Remove(ReceiverId),
}

/// What happened to receivers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ReceiverEvent {
    /// One was registered, anew or again: its new image.
    #[n(0)]
    Registered(#[n(0)] SplitReceiver),
    /// One was removed: its new image.
    #[n(1)]
    Removed(#[n(0)] SplitReceiver),
}

/// Registers or removes a receiver.
///
/// # Errors
/// Register: `merchant_unknown`, `receiver_not_allowed` for the payee itself, `value_invalid` for the largest share. Remove:
/// `receiver_unknown`, `receiver_not_registered` once it is removed.
pub fn decide(draft: &mut Draft<'_>, command: ReceiverCommand) -> Result<Reply, Refusal> {
    match command {
        ReceiverCommand::Register(command) => register(draft, &command),
        ReceiverCommand::Remove(id) => remove(draft, id),
    }
}

fn register(draft: &mut Draft<'_>, command: &RegisterReceiver) -> Result<Reply, Refusal> {
    let RegisterReceiver { payee, receiver, relation, max_share } = *command;
    draft.state.merchant(payee)?;
    draft.state.merchant(receiver)?;
    if payee == receiver {
        let message = format!("{payee} is paid by its own orders; register another merchant");
        return Err(Refusal::new(RefusalCode::ReceiverNotAllowed, "receiver", message));
    }
    if let Some(rate) = max_share.filter(|rate| !(1..=RATE_WHOLE).contains(rate)) {
        let message = format!("{rate} is no share; use 1 to {RATE_WHOLE} millionths (30 % is 300000)");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "max_share", message));
    }
    let known = draft.state.payee_receivers.get(&(payee, receiver)).copied();
    let id = known.unwrap_or_else(|| ReceiverId(draft.state.split_receivers.next_id()));
    let (registered_at, registered_by) = (draft.context.now, draft.operator());
    draft.emit(Event::Receiver(ReceiverEvent::Registered(SplitReceiver {
        id,
        payee,
        receiver,
        relation,
        max_share,
        registered_at,
        registered_by,
        removed: None,
    })));
    Ok(Reply::Receiver(id))
}

fn remove(draft: &mut Draft<'_>, id: ReceiverId) -> Result<Reply, Refusal> {
    let mut row = draft.state.split_receiver(id)?.clone();
    if row.removed.is_some() {
        return Err(not_registered(row.payee, row.receiver, "receiver"));
    }
    row.removed = Some(ReceiverRemoval { at: draft.context.now, by: draft.operator() });
    draft.emit(Event::Receiver(ReceiverEvent::Removed(row)));
    Ok(Reply::Receiver(id))
}

fn not_registered(payee: MerchantId, receiver: MerchantId, param: &'static str) -> Refusal {
    let message = format!("{receiver} is not registered to receive from orders of {payee}; register it there first");
    Refusal::new(RefusalCode::ReceiverNotRegistered, param, message)
}

/// The payee's registered receiver of a part of a split.
///
/// # Errors
/// `merchant_unknown`, `receiver_not_registered`.
pub(crate) fn of_part(state: &State, payee: MerchantId, receiver: MerchantId) -> Result<&SplitReceiver, Refusal> {
    state.merchant(receiver)?;
    let row = state.payee_receivers.get(&(payee, receiver)).and_then(|id| state.split_receivers.get(id.0));
    row.filter(|row| row.removed.is_none()).ok_or_else(|| not_registered(payee, receiver, "parts"))
}

impl State {
    /// The receiver, removed or not.
    ///
    /// # Errors
    /// `receiver_unknown`.
    pub fn split_receiver(&self, id: ReceiverId) -> Result<&SplitReceiver, Refusal> {
        let unknown = || Refusal::new(RefusalCode::ReceiverUnknown, "receiver", format!("there is no receiver {id}"));
        self.split_receivers.get(id.0).ok_or_else(unknown)
    }
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &ReceiverEvent) {
    let (ReceiverEvent::Registered(row) | ReceiverEvent::Removed(row)) = event;
    state.payee_receivers.insert((row.payee, row.receiver), row.id);
    state.split_receivers.insert(row.id.0, row.clone());
}
