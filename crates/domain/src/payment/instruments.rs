//! What may pay an order together: at most one card or page and one fund, which add up to it. A balance pays alone.

use alloc::format;
use alloc::string::String;

use super::{cascade, part};
use crate::attempt::Rail;
use crate::block_list::{self, Blocked};
use crate::draft::Draft;
use crate::envelope::Time;
use crate::leg::{Instrument, Leg};
use crate::money::{Minor, add, positive};
use crate::order::{ItemKind, Order, name_fits, refuse_blocked};
use crate::refusal::{Refusal, RefusalCode};
use crate::{front_page, fund_batch, sign_up};

/// The most digits a mask may show: 6 + 4 of a card.
const MASK_DIGITS: usize = 10;

/// Refuses instruments that do not pay the order, or may not.
///
/// # Errors
/// `order_amount` unless Σ instruments = what the payer pays, `fee_payer_unsupported`, `instrument_not_allowed`, `amount_not_positive`,
/// `value_invalid`; of a fund's month those of [`fund_batch`].
pub(super) fn check(order: &Order, instruments: &[Instrument], now: Time) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new(RefusalCode::InstrumentNotAllowed, "instruments", message));
    let funds = instruments.iter().filter(|instrument| instrument.is_fund()).count();
    if instruments.is_empty() || funds > 1 || instruments.len() - funds > 1 {
        return refuse(format!(
            "{} instruments, {funds} of them funds; use at most one card and one fund",
            instruments.len()
        ));
    }
    if instruments.len() > 1 && instruments.iter().any(Instrument::is_balance) {
        return refuse(String::from("a balance pays the whole order alone; name it without a card, page or fund"));
    }
    check_fee_on_top(order, instruments)?;
    let converts = instruments.iter().any(Instrument::converts);
    let mut sum = 0;
    for instrument in instruments {
        // A card of 0 stands by for the shortfall of a fund.
        let stands_by = instrument.amount() == 0 && converts && !instrument.is_fund() && !instrument.is_redirect();
        let pays = if stands_by { 0 } else { positive(instrument.amount(), "instruments")? };
        sum = add(sum, pays, "instruments")?;
        instrument.channel_name().map_or(Ok(()), |channel| channel.check())?;
        match instrument {
            Instrument::Card { agreement, mask, rail, credit, .. } => {
                cascade::check(instrument)?;
                name_fits(agreement, "agreement")?;
                if mask.len() > 32 || mask.bytes().filter(u8::is_ascii_digit).count() > MASK_DIGITS {
                    let message = "a mask shows at most 6 + 4 digits of a card in 32 bytes";
                    return Err(Refusal::new(RefusalCode::ValueInvalid, "mask", message));
                }
                if !debits(*rail) {
                    return refuse(format!(
                        "no account is debited over '{}'; use epcc, unionpay or pingan",
                        rail.name()
                    ));
                }
                if *credit && order.sum_of(ItemKind::HousePrice) > 0 {
                    return refuse(String::from("a credit card may not pay a house price; use a debit card"));
                }
            }
            Instrument::Fund { contract, amount, holds, monthly, .. } => {
                name_fits(contract, "contract")?;
                part::check_instrument(instrument, instruments)?;
                if let Some(monthly) = monthly {
                    fund_batch::check_instrument(order, (contract, *holds, monthly), instruments, now)?;
                }
                let rent = order.sum_of(ItemKind::Rent);
                if *amount > rent {
                    return refuse(format!("the fund may pay rent items only: {rent} at most, not {amount}"));
                }
            }
            Instrument::Redirect { rail, return_url, .. } => {
                if !carries_cards(*rail) {
                    return refuse(format!("'{}' has no page for payers; use epcc or unionpay", rail.name()));
                }
                // Which card the payer takes at the channel's page is the payer's choice.
                if order.sum_of(ItemKind::HousePrice) > 0 {
                    return refuse(String::from(
                        "a credit card may pay at a channel's page, and none pays a house price",
                    ));
                }
                return_url.as_deref().map_or(Ok(()), front_page::check_return_url)?;
            }
            // Whose account it is says `balance`.
            Instrument::Balance { .. } => {}
        }
    }
    adds_up(order, sum)
}

/// Refuses to ask a card that may pay no more: since the try began its agreement was cancelled, or it, its payer or who sells was blocked.
/// A fund's answer, which may take a month, or another network's, lies between.
///
/// # Errors
/// `agreement_not_own`, `sign_up_state`, `blocked`.
pub(super) fn still_pays(draft: &Draft<'_>, leg: &Leg) -> Result<(), Refusal> {
    let channel = leg.instrument.channel_name();
    let (Instrument::Card { agreement, .. }, Some(channel)) = (&leg.instrument, channel) else { return Ok(()) };
    let order = draft.state.order(leg.order)?;
    let customer = draft.state.user(order.payer)?.customer;
    sign_up::check(draft.state, customer, &channel, agreement)?;
    block_list::refuse(draft.state, draft.context.now, [Blocked::Card(agreement.clone())])?;
    refuse_blocked(draft, order.merchant, order.payer, &[])
}

fn adds_up(order: &Order, sum: Minor) -> Result<(), Refusal> {
    let payable = order.payable();
    if sum == payable {
        return Ok(());
    }
    let on_top = if order.on_top() > 0 { format!(", {} of it the fee on top", order.on_top()) } else { String::new() };
    let message = format!("the instruments pay {sum} and the order is {payable}{on_top}; make them equal");
    Err(Refusal::new(RefusalCode::OrderAmount, "instruments", message))
}

/// Refuses a fund where the payer pays the fee on top, if it would have to pay the fee, or leave the institution.
fn check_fee_on_top(order: &Order, instruments: &[Instrument]) -> Result<(), Refusal> {
    let refuse = |message| Err(Refusal::new(RefusalCode::FeePayerUnsupported, "instruments", message));
    let (id, fee) = (order.id, order.on_top());
    if fee == 0 {
        return Ok(());
    }
    if instruments.iter().all(Instrument::is_fund) {
        return refuse(format!("a fund pays rent alone, and {id} has a fee of {fee} on top; name a card or page too"));
    }
    if instruments.iter().any(Instrument::pays_directly) {
        return refuse(format!(
            "the fee of {fee} on top is of all of {id}, and what a centre pays the landlord directly is not carried here; \
             let the fund pay through the reserve"
        ));
    }
    Ok(())
}

/// Whether an account is debited over it under an agreement: a card, or a sub-account at a bank.
const fn debits(rail: Rail) -> bool {
    match rail {
        Rail::Epcc | Rail::UnionPay | Rail::PingAn => true,
        Rail::Fund | Rail::OwnBank => false,
    }
}

/// Whether cards travel over it: to a page of its, or on from another network.
pub(crate) const fn carries_cards(rail: Rail) -> bool {
    match rail {
        Rail::Epcc | Rail::UnionPay => true,
        Rail::Fund | Rail::OwnBank | Rail::PingAn => false,
    }
}
