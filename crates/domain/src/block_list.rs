//! Block lists (黑名单): customers, cards, merchants, terminals and devices for which nothing is carried out.
//!
//! ```text
//!  add ─► IN FORCE ─ its time is over ─► (no longer asked)
//!             └ remove (two people) ─► REMOVED
//! ```
//! Payouts, withdrawals, transfers, top-ups and orders are asked for all who take part; a try is asked again before each debit of a
//! card that comes after a channel's answer. Refunds, returns, clearing files and answers of channels are not: money that is on
//! its way arrives. Who is refused learns that it is blocked and nothing more,
//! neither which list nor whose entry; the refusal stands in the journal under the code `blocked`, which is how hits are
//! counted. A card stands here by the token that the server gives its number, or by the number of its signed agreement;
//! never by its own number. A terminal stands here by its serial and is asked with every card.

use alloc::format;
use alloc::string::String;

use minicbor::{Decode, Encode};

use crate::account::Owner;
use crate::approval;
use crate::command::{Command, Reply};
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{BlockEntryId, CustomerId, MerchantId};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

#[cfg(test)]
mod tests;

/// The most bytes of a reason, a source or a token.
const MAX_TEXT: usize = 128;

/// Whom an entry blocks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Blocked {
    /// A legal identity, with all its users and merchants.
    #[n(0)]
    Customer(#[n(0)] CustomerId),
    /// A bank card or account, by its token or the number of its agreement.
    #[n(1)]
    Card(#[n(0)] String),
    /// A merchant.
    #[n(2)]
    Merchant(#[n(0)] MerchantId),
    /// A terminal, by its serial number.
    #[n(3)]
    Terminal(#[n(0)] String),
    /// A payer's device, by the name that the caller gives it.
    #[n(4)]
    Device(#[n(0)] String),
}

impl Blocked {
    /// The list's name in API and files.
    #[must_use]
    pub const fn list(&self) -> &'static str {
        match self {
            Self::Customer(_) => "customer",
            Self::Card(_) => "card",
            Self::Merchant(_) => "merchant",
            Self::Terminal(_) => "terminal",
            Self::Device(_) => "device",
        }
    }

    /// What names it within its list.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Customer(id) => format!("{id}"),
            Self::Merchant(id) => format!("{id}"),
            Self::Card(text) | Self::Terminal(text) | Self::Device(text) => text.clone(),
        }
    }
}

/// How an entry was taken from its list.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Removal {
    /// Why.
    #[n(0)]
    pub reason: String,
    /// When.
    #[n(1)]
    pub at: Time,
    /// Who proposed it.
    #[n(2)]
    pub by: String,
    /// Who approved it.
    #[n(3)]
    pub approver: Option<String>,
}

/// An entry of a block list.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct BlockEntry {
    /// Its id.
    #[n(0)]
    pub id: BlockEntryId,
    /// Whom it blocks.
    #[n(1)]
    pub blocked: Blocked,
    /// Why.
    #[n(2)]
    pub reason: String,
    /// Who says so: an authority, the network, our own risk control.
    #[n(3)]
    pub source: String,
    /// When it ends by itself.
    #[n(4)]
    pub until: Option<Time>,
    /// When it was put there.
    #[n(5)]
    pub put_at: Time,
    /// Who put it there.
    #[n(6)]
    pub put_by: String,
    /// How it was taken away again.
    #[n(7)]
    pub removed: Option<Removal>,
}

impl BlockEntry {
    /// Whether it blocks at `now`.
    #[must_use]
    pub fn in_force(&self, now: Time) -> bool {
        self.removed.is_none() && self.until.is_none_or(|until| now < until)
    }

    /// What may be done with it now.
    #[must_use]
    pub const fn allowed_actions(&self) -> &'static [&'static str] {
        match self.removed {
            None => &["remove"],
            Some(_) => &[],
        }
    }
}

/// Puts someone on a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddBlock {
    /// Whom.
    pub blocked: Blocked,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub source: String,
    /// When it ends by itself; later than now.
    pub until: Option<Time>,
}

/// Takes an entry from its list.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RemoveBlock {
    /// The entry.
    #[n(0)]
    pub entry: BlockEntryId,
    /// Why.
    #[n(1)]
    pub reason: String,
}

impl RemoveBlock {
    /// The command that carries it out once it is approved.
    #[must_use]
    pub const fn command(self) -> Command {
        Command::BlockList(BlockListCommand::Remove(self))
    }
}

/// What is wanted of block lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockListCommand {
    /// Put someone on a list.
    Add(AddBlock),
    /// Take an entry from its list; two people.
    Remove(RemoveBlock),
}

/// What happened to block lists.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum BlockListEvent {
    /// Someone was put on a list.
    #[n(0)]
    Added(#[n(0)] BlockEntry),
    /// An entry was taken from its list.
    #[n(1)]
    Removed {
        /// The entry.
        #[n(0)]
        entry: BlockEntryId,
        /// How.
        #[n(1)]
        removal: Removal,
    },
}

/// Changes a block list.
///
/// # Errors
/// Add: `customer_unknown`, `merchant_unknown`, `value_invalid` for a text or a time. Remove: `approval_required`,
/// `block_entry_unknown`, `block_entry_state`, `value_invalid` for the reason.
pub fn decide(draft: &mut Draft<'_>, command: BlockListCommand) -> Result<Reply, Refusal> {
    match command {
        BlockListCommand::Add(command) => add(draft, command),
        BlockListCommand::Remove(command) => remove(draft, command),
    }
}

fn add(draft: &mut Draft<'_>, command: AddBlock) -> Result<Reply, Refusal> {
    let AddBlock { blocked, reason, source, until } = command;
    match &blocked {
        Blocked::Customer(id) => draft.state.customer(*id).map(|_| ())?,
        Blocked::Merchant(id) => draft.state.merchant(*id).map(|_| ())?,
        Blocked::Card(text) => {
            text_fits(text, "key")?;
            if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ') && text.len() >= 12 {
                let message = "this looks like a card's number; name its token, which the server gives it";
                return Err(Refusal::new(RefusalCode::ValueInvalid, "key", message));
            }
        }
        Blocked::Terminal(text) | Blocked::Device(text) => text_fits(text, "key")?,
    }
    text_fits(&reason, "reason")?;
    text_fits(&source, "source")?;
    let put_at = draft.context.now;
    if until.is_some_and(|until| until <= put_at) {
        return Err(Refusal::new(RefusalCode::ValueInvalid, "until", "that time has passed; name a later one"));
    }
    let (id, put_by) = (BlockEntryId(draft.state.block_entries.next_id()), draft.operator());
    let entry = BlockEntry { id, blocked, reason, source, until, put_at, put_by, removed: None };
    draft.emit(Event::BlockList(BlockListEvent::Added(entry)));
    Ok(Reply::BlockEntry(id))
}

fn remove(draft: &mut Draft<'_>, command: RemoveBlock) -> Result<Reply, Refusal> {
    approval::require(draft, "taking an entry from a block list")?;
    let RemoveBlock { entry, reason } = command;
    if draft.state.block_entry(entry)?.removed.is_some() {
        let message = format!("{entry} was taken from its list already");
        return Err(Refusal::new(RefusalCode::BlockEntryState, "entry", message));
    }
    text_fits(&reason, "reason")?;
    let removal = Removal { reason, at: draft.context.now, by: draft.operator(), approver: draft.approver() };
    draft.emit(Event::BlockList(BlockListEvent::Removed { entry, removal }));
    Ok(Reply::BlockEntry(entry))
}

fn text_fits(text: &str, param: &'static str) -> Result<(), Refusal> {
    if !text.trim().is_empty() && text.len() <= MAX_TEXT {
        return Ok(());
    }
    let message = format!("it has {} bytes; use 1 to {MAX_TEXT}, not only blanks", text.len());
    Err(Refusal::new(RefusalCode::ValueInvalid, param, message))
}

/// The customer and the merchant behind an owner, as lists name them.
pub(crate) fn of_owner(state: &State, owner: Owner) -> impl Iterator<Item = Blocked> + use<> {
    let merchant = match owner {
        Owner::Merchant(id) => Some(Blocked::Merchant(id)),
        Owner::User(_) | Owner::Institution => None,
    };
    state.customer_of(owner).map(Blocked::Customer).into_iter().chain(merchant)
}

/// Refuses if one of those who take part is on a list at `now`.
///
/// # Errors
/// `blocked`, which does not tell by which entry.
pub(crate) fn refuse(state: &State, now: Time, parties: impl IntoIterator<Item = Blocked>) -> Result<(), Refusal> {
    if state.blocked.is_empty() || !parties.into_iter().any(|party| is_blocked(state, now, &party)) {
        return Ok(());
    }
    let message = "the institution does not carry this out for those who take part; ask it, under the request's id";
    Err(Refusal::new(RefusalCode::Blocked, "request", message))
}

fn is_blocked(state: &State, now: Time, party: &Blocked) -> bool {
    let entries = (party.clone(), BlockEntryId(0))..=(party.clone(), BlockEntryId(u64::MAX));
    let mut entries = state.blocked.range(entries).filter_map(|((_, id), ())| state.block_entries.get(id.0));
    entries.any(|entry| entry.in_force(now))
}

impl State {
    /// The entry of a block list.
    ///
    /// # Errors
    /// `block_entry_unknown`.
    pub fn block_entry(&self, id: BlockEntryId) -> Result<&BlockEntry, Refusal> {
        let unknown = || Refusal::new(RefusalCode::BlockEntryUnknown, "entry", format!("there is no entry {id}"));
        self.block_entries.get(id.0).ok_or_else(unknown)
    }
}

/// The place of an entry that was not removed in the index of those who are blocked.
pub(crate) fn index_key(entry: &BlockEntry) -> Option<((Blocked, BlockEntryId), ())> {
    entry.removed.is_none().then(|| ((entry.blocked.clone(), entry.id), ()))
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &BlockListEvent) {
    match event {
        BlockListEvent::Added(entry) => {
            state.blocked.insert((entry.blocked.clone(), entry.id), ());
            state.block_entries.insert(entry.id.0, entry.clone());
        }
        BlockListEvent::Removed { entry, removal } => {
            let row = state.block_entries.get_mut(entry.0).expect("decide checked the entry");
            row.removed = Some(removal.clone());
            let key = (row.blocked.clone(), *entry);
            state.blocked.remove(&key);
        }
    }
}
