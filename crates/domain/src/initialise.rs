//! The genesis of the books: the institution, its first accounting day, its calendar and its accounts in yuan.

use alloc::string::String;

use minicbor::{Decode, Encode};

use crate::account::open_currency;
use crate::calendar::{Calendar, Date};
use crate::command::Reply;
use crate::draft::Draft;
use crate::event::Event;
use crate::money::Currency;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// What the books begin with.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Genesis {
    /// The institution's name.
    #[n(0)]
    pub institution: String,
    /// The first accounting day.
    #[n(1)]
    pub first_day: Date,
    /// The working days it knows.
    #[n(2)]
    pub calendar: Calendar,
    /// Whether time may be moved by hand: only for demo and tests, and for ever.
    #[n(3)]
    pub sandbox: bool,
}

/// Begins the books, once.
///
/// # Errors
/// `already_exists`.
pub fn decide_initialise(draft: &mut Draft<'_>, genesis: Genesis) -> Result<Reply, Refusal> {
    if draft.state.genesis.is_some() {
        let message = "these books are initialised; name an empty data directory to begin others";
        return Err(Refusal::new(RefusalCode::AlreadyExists, "genesis", message));
    }
    let date = genesis.first_day;
    draft.emit(Event::Initialised(genesis));
    open_currency(draft, Currency::Cny);
    Ok(Reply::Day(date))
}

pub(crate) fn apply_initialised(state: &mut State, genesis: &Genesis) {
    state.calendar = genesis.calendar.clone();
    state.genesis = Some(genesis.clone());
    crate::business_day::apply_opened(state, None, genesis.first_day);
}
