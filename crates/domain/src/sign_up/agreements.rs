//! Whose a signed agreement is, by channel and number.
//!
//! Two channels of one network may give one number to two customers: each signing speaks for its own channel. A number that was not signed
//! at the channel that is named is asked about at all of its network, so that naming another channel gets around nothing.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::fold::AgreementPlace;
use super::{SignUpStatus, state};
use crate::attempt::Rail;
use crate::channel::ChannelName;
use crate::ids::{CustomerId, SignUpId, UserId};
use crate::leg::Instrument;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// Refuses agreements that were signed here by another customer, or cancelled.
///
/// # Errors
/// `user_unknown`, `agreement_not_own`, `sign_up_state`.
pub(crate) fn check_instruments(of: &State, payer: UserId, instruments: &[Instrument]) -> Result<(), Refusal> {
    let customer = of.user(payer)?.customer;
    for instrument in instruments {
        let channel = instrument.channel_name();
        if let (Instrument::Card { agreement, alternatives, .. }, Some(channel)) = (instrument, channel) {
            check(of, customer, &channel, agreement)?;
            alternatives.iter().try_for_each(|other| check(of, customer, &other.channel_name(), &other.agreement))?;
        }
    }
    Ok(())
}

/// Refuses an agreement that was signed here by another customer, or cancelled.
///
/// # Errors
/// `agreement_not_own`, `sign_up_state`.
pub(crate) fn check(of: &State, customer: CustomerId, channel: &ChannelName, agreement: &str) -> Result<(), Refusal> {
    let last = last_signed(of, channel.rail, agreement);
    match last.get(&channel.word.as_deref()) {
        Some(id) => pays(of, customer, *id),
        None => last.values().try_for_each(|id| pays(of, customer, *id)),
    }
}

/// The channel of a network that signed this agreement for a customer, the first before further ones: there alone it pays. The network's first
/// where nothing here says so.
pub(crate) fn signed_at(of: &State, customer: CustomerId, rail: Rail, agreement: &str) -> ChannelName {
    let is_own =
        |id: SignUpId| of.sign_up(id).is_ok_and(|row| row.customer == customer && row.status == SignUpStatus::Signed);
    let last = last_signed(of, rail, agreement);
    let own = last.into_iter().find(|(_, id)| is_own(*id));
    ChannelName { rail, word: own.and_then(|(word, _)| word.map(String::from)) }
}

/// The last signing of this number at each channel of a network, by the channel's word.
fn last_signed<'a>(of: &'a State, rail: Rail, agreement: &str) -> BTreeMap<Option<&'a str>, SignUpId> {
    let first: AgreementPlace = (rail, String::from(agreement), None, SignUpId(0));
    let from_there = of.sign_up_agreements.range(first..).map(|(key, ())| key);
    let same = from_there.take_while(|key| key.0 == rail && key.1 == agreement);
    same.map(|(_, _, word, id)| (word.as_deref(), *id)).collect()
}

fn pays(of: &State, customer: CustomerId, id: SignUpId) -> Result<(), Refusal> {
    let row = of.sign_up(id)?;
    if row.customer != customer {
        let message =
            format!("{} was signed by another customer than {customer}; pay with a card of the payer's own", row.id);
        return Err(Refusal::new(RefusalCode::AgreementNotOwn, "agreement", message));
    }
    if row.status == SignUpStatus::Cancelled {
        return Err(state(row, "sign the card anew to pay with it"));
    }
    Ok(())
}
