//! Whose a signed agreement is, by channel and number, and what its signing recorded of the card.
//!
//! Two channels of one network may give one number to two customers: each signing speaks for its own channel. A number that was not signed
//! at the channel that is named is asked about at all of its network, so that naming another channel gets around nothing.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::iter;

use super::fold::AgreementPlace;
use super::{SignUp, SignUpStatus, state};
use crate::attempt::Rail;
use crate::channel::ChannelName;
use crate::envelope::Time;
use crate::ids::{CustomerId, SignUpId, UserId};
use crate::leg::{Instrument, bank_of_number};
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
    signings(of, channel, agreement).into_iter().try_for_each(|row| pays(row, customer))
}

/// The last signing of a number at a channel; where nobody signed it there, the last at each channel of its network.
fn signings<'a>(of: &'a State, channel: &ChannelName, agreement: &str) -> Vec<&'a SignUp> {
    let last = last_signed(of, channel.rail, agreement);
    let row = |id: &SignUpId| of.sign_ups.get(id.0);
    match last.get(&channel.word.as_deref()) {
        Some(id) => row(id).into_iter().collect(),
        None => last.values().filter_map(row).collect(),
    }
}

/// The channel of a network that signed this agreement for a customer, the first before further ones: there alone it pays. The
/// network's first where nothing here says so.
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

fn pays(row: &SignUp, customer: CustomerId) -> Result<(), Refusal> {
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

/// What rules of payments ask of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardFacts {
    /// Whether it is a credit card.
    pub credit: bool,
    /// The first three digits of its bank's interbank number (联行号), where they are known.
    pub bank: Option<String>,
}

impl CardFacts {
    /// What counts of a card that pays by these agreements, of which a payment says this. What was recorded when an agreement was signed
    /// here counts, whatever is said; the bank is that of the oldest signing. What is said counts of agreements that were signed
    /// elsewhere. A card is a credit card if it is one at any of its channels. With `customer` other customers' signings say nothing.
    #[must_use]
    pub fn recorded<'a>(
        self,
        of: &State,
        customer: Option<CustomerId>,
        agreements: impl Iterator<Item = (ChannelName, &'a str)>,
    ) -> Self {
        let Self { credit: said, bank: named } = self;
        let (mut credit, mut oldest) = (false, None::<&SignUp>);
        for (channel, agreement) in agreements {
            let mut rows = signings(of, &channel, agreement);
            rows.retain(|row| customer.is_none_or(|customer| customer == row.customer));
            credit |= if rows.is_empty() { said } else { rows.iter().any(|row| of.is_credit_card(row)) };
            oldest = oldest.into_iter().chain(rows).min_by_key(|row| row.id);
        }
        Self { credit, bank: oldest.and_then(|row| bank_of_number(&row.bank)).or(named) }
    }
}

/// The instruments of a payer, cards as their signings recorded them.
///
/// # Errors
/// `user_unknown`.
pub(crate) fn as_signed(
    of: &State,
    payer: UserId,
    mut instruments: Vec<Instrument>,
) -> Result<Vec<Instrument>, Refusal> {
    let customer = of.user(payer)?.customer;
    for instrument in &mut instruments {
        let Some(channel) = instrument.channel_name() else { continue };
        let Instrument::Card { agreement, credit, bank, alternatives, .. } = instrument else { continue };
        let others = alternatives.iter().map(|other| (other.channel_name(), other.agreement.as_str()));
        let all = iter::once((channel, agreement.as_str())).chain(others);
        let facts = CardFacts { credit: *credit, bank: bank.take() }.recorded(of, Some(customer), all);
        (*credit, *bank) = (facts.credit, facts.bank);
    }
    Ok(instruments)
}

/// The bank of an agreement, if it was signed here before a moment: what was asked of the channel then counts under it, however late the
/// answer comes.
pub(crate) fn bank_signed(of: &State, channel: &ChannelName, agreement: &str, before: Time) -> Option<String> {
    let rows = signings(of, channel, agreement).into_iter();
    rows.filter(|row| row.signed_at.is_some_and(|at| at <= before))
        .min_by_key(|row| row.id)
        .and_then(|row| bank_of_number(&row.bank))
}
