//! The cascade (级联): a card whose try failed for certain at one channel is tried at the next one that the route names, of the same
//! network or of another.
//!
//! ```text
//!  try 1 at the first channel ─ refused by a bank or a system, or never seen ─► try 2 at the next ─► … ─► the order's failure
//!                             ├ unknown ─► nothing: only its end decides
//!                             └ refused for the payer's or a risk rule's sake ─► the order's failure
//! ```
//! Each is a try of the order by itself, and its first try counts as failed. They are bounded by the route, which stands in the
//! instrument; the merchant's own tries begin after it. A success of a channel that had refused is money that no order can use, as
//! after any later try.

use alloc::format;
use alloc::vec::Vec;

use super::instruments::carries_cards;
use super::legs_of;
use crate::attempt::FailureClass;
use crate::draft::Draft;
use crate::event::Event;
use crate::leg::{BANK_DIGITS, Instrument, Leg, LegStatus};
use crate::order::{Order, OrderStatus, name_fits};
use crate::refusal::{Refusal, RefusalCode};

/// The most channels beside the first.
pub const MAX_ALTERNATIVES: usize = 3;

/// Refuses a route that cannot be taken.
pub(super) fn check(instrument: &Instrument) -> Result<(), Refusal> {
    let Instrument::Card { rail, channel, bank, alternatives, .. } = instrument else { return Ok(()) };
    let digits = |bank: &str| bank.len() == BANK_DIGITS && bank.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(bank) = bank.as_deref().filter(|bank| !digits(bank)) {
        let message = format!("'{bank:.16}' is no bank: use the first three digits of its interbank number");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "bank", message));
    }
    let mut channels = Vec::from([(*rail, channel)]);
    for other in alternatives {
        name_fits(&other.agreement, "agreement")?;
        let (name, next) = (other.channel_name(), (other.rail, &other.channel));
        name.check()?;
        if !carries_cards(other.rail) || channels.contains(&next) || channels.len() > MAX_ALTERNATIVES {
            let message = format!("a route goes to each channel that carries cards once; not to '{name}'");
            return Err(Refusal::new(RefusalCode::InstrumentNotAllowed, "instruments", message));
        }
        channels.push(next);
    }
    Ok(())
}

/// Tries the next channel of the route, if there is one and the failure was definite and not the payer's; false if there is not.
pub(super) fn cascades(draft: &mut Draft<'_>, order: &Order, legs: &[Leg]) -> bool {
    // A month's batch is not asked again for another channel's sake.
    if order.closing || legs.iter().any(|leg| leg.needs_person || leg.instrument.monthly().is_some()) {
        return false;
    }
    let mut moved = false;
    let mut instruments = Vec::with_capacity(legs.len());
    for id in order.legs.iter().filter(|id| legs.iter().any(|leg| leg.id == **id)) {
        let Some(leg) = legs.iter().find(|leg| leg.id == *id) else { continue };
        match next_of(leg) {
            Some(next) => {
                moved = true;
                instruments.push(next);
            }
            // A fund that failed by itself fails everywhere.
            None if leg.failure.is_some() => return false,
            None => instruments.push(leg.instrument.clone()),
        }
    }
    if !moved {
        return false;
    }
    let class = legs.iter().find_map(|leg| leg.failure);
    draft.emit(Event::OrderTryFailed { order: order.id, class, status: OrderStatus::Paying });
    let legs = legs_of(draft.state, order, instruments);
    draft.emit(Event::OrderTried { order: order.id, legs });
    true
}

/// The same card at the next channel.
fn next_of(leg: &Leg) -> Option<Instrument> {
    let definite =
        leg.status == LegStatus::Failed && matches!(leg.failure, Some(FailureClass::Bank | FailureClass::System));
    let Instrument::Card { mask, amount, credit, bank, alternatives, .. } = &leg.instrument else { return None };
    let (next, rest) = alternatives.split_first().filter(|_| definite)?;
    Some(Instrument::Card {
        agreement: next.agreement.clone(),
        mask: mask.clone(),
        rail: next.rail,
        amount: *amount,
        credit: *credit,
        bank: bank.clone(),
        alternatives: rest.to_vec(),
        channel: next.channel.clone(),
    })
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;
    use crate::attempt::{Operation, Outcome, Rail};
    use crate::command::Command;
    use crate::leg::Alternative;
    use crate::order::ItemKind;
    use crate::testkit::orders::{card, fund};
    use crate::testkit::{Kit, declined, success};

    fn routed(amount: i64) -> Instrument {
        let mut instrument = card(amount);
        if let Instrument::Card { alternatives, .. } = &mut instrument {
            alternatives.push(Alternative { rail: Rail::UnionPay, agreement: "agreement-2".into(), channel: None });
        }
        instrument
    }

    fn tried(instruments: Vec<Instrument>) -> (Kit, crate::ids::OrderId) {
        let mut kit = Kit::new();
        let merchant = kit.landlord();
        let order = kit.order(merchant, &[(ItemKind::Rent, 700)]);
        kit.pay(order, instruments);
        (kit, order)
    }

    #[test]
    fn a_definite_failure_goes_on_to_the_next_network_and_pays_there() {
        for failure in [declined(FailureClass::Bank), declined(FailureClass::System), Outcome::NotFound] {
            let (mut kit, order) = tried(vec![routed(700)]);
            assert_eq!(kit.answered(failure).rail, Rail::Epcc);
            let (status, tries) = (kit.status(order), kit.state.order(order).unwrap().tries);
            assert_eq!((status, tries), (OrderStatus::Paying, 2));
            assert_eq!(kit.answered(success("2026-03-05")).rail, Rail::UnionPay);
            assert_eq!(kit.status(order), OrderStatus::Success);
            let rates = crate::rates::Rates::of(&kit.state, crate::testkit::date("2026-03-05"));
            assert_eq!((rates.first_try.numerator, rates.first_try.denominator), (0, 1), "rerouted is no first try");
        }
    }

    #[test]
    fn nothing_goes_on_while_the_answer_is_unknown_or_the_payer_was_refused() {
        let (mut kit, order) = tried(vec![routed(700)]);
        kit.answered(Outcome::Unknown);
        assert_eq!((kit.waiting().rail, kit.state.order(order).unwrap().tries), (Rail::Epcc, 1));
        for class in [FailureClass::User, FailureClass::Risk] {
            let (mut kit, order) = tried(vec![routed(700)]);
            kit.answered(declined(class));
            assert_eq!((kit.status(order), kit.outbox().len()), (OrderStatus::Failed, 0));
        }
    }

    #[test]
    fn a_next_network_whose_agreement_was_blocked_since_is_not_asked() {
        let (mut kit, order) = tried(vec![routed(700)]);
        kit.blocks(crate::block_list::Blocked::Card("agreement-2".into()));
        kit.answered(declined(FailureClass::Bank));
        let row = kit.state.order(order).unwrap();
        assert_eq!((row.status, row.tries, row.failure), (OrderStatus::Failed, 2, Some(FailureClass::User)));
        assert!(kit.outbox().is_empty());
    }

    #[test]
    fn the_route_has_an_end_and_a_late_success_goes_back() {
        let (mut kit, order) = tried(vec![routed(700)]);
        let first = kit.answered(declined(FailureClass::System));
        kit.answered(declined(FailureClass::Bank));
        assert_eq!(kit.status(order), OrderStatus::Failed);
        kit.answer(first.id, success("2026-03-05"));
        assert_eq!(kit.waiting().rail, Rail::Epcc, "it goes back where it came from");
        assert_eq!(kit.status(order), OrderStatus::Failed);
    }

    /// A card at UnionPay's first channel, and after it at its further one.
    fn within_the_rail(amount: i64) -> Instrument {
        let mut instrument = card(amount);
        if let Instrument::Card { rail, alternatives, .. } = &mut instrument {
            *rail = Rail::UnionPay;
            let (agreement, channel) = ("agreement-2".into(), Some("acme".into()));
            alternatives.push(Alternative { rail: Rail::UnionPay, agreement, channel });
        }
        instrument
    }

    #[test]
    fn a_definite_failure_goes_on_to_another_channel_of_the_network_and_what_follows_stays_there() {
        let (mut kit, order) = tried(vec![within_the_rail(700)]);
        let first = kit.answered(declined(FailureClass::System));
        assert_eq!((first.rail, first.channel.as_deref()), (Rail::UnionPay, None));
        let second = kit.answered(success("2026-03-05"));
        assert_eq!((second.rail, second.channel.as_deref()), (Rail::UnionPay, Some("acme")));
        assert!(matches!(&second.operation, Operation::Debit { agreement, .. } if agreement == "agreement-2"));
        assert_eq!(kit.status(order), OrderStatus::Success);
        kit.refund(order, 300, true);
        let refund = kit.answered(success("2026-03-05"));
        assert_eq!(refund.channel_name().to_string(), "unionpay_acme", "a refund is asked where the money came by");
        // The first channel's success after its refusal goes back by the first.
        kit.answer(first.id, success("2026-03-05"));
        let back = kit.waiting();
        assert_eq!(
            (back.channel_name().to_string().as_str(), back.operation.original()),
            ("unionpay", Some(&*first.serial()))
        );
    }

    #[test]
    fn nothing_goes_on_to_another_channel_while_the_first_is_unknown() {
        let (mut kit, order) = tried(vec![within_the_rail(700)]);
        kit.answered(Outcome::Unknown);
        assert_eq!((kit.waiting().channel, kit.state.order(order).unwrap().tries), (None, 1));
        kit.answered(Outcome::NotFound);
        assert_eq!(kit.waiting().channel.as_deref(), Some("acme"));
    }

    #[test]
    fn a_fund_is_held_again_for_the_next_network() {
        let (mut kit, order) = tried(vec![routed(400), fund(300)]);
        kit.answered(success("2026-03-05"));
        kit.answered(declined(FailureClass::System));
        kit.answered(success("2026-03-05"));
        assert_eq!(kit.waiting().rail, Rail::Fund, "held for the second try");
        kit.answered(success("2026-03-05"));
        assert_eq!(kit.answered(success("2026-03-05")).rail, Rail::UnionPay);
        kit.answered(success("2026-03-05"));
        assert_eq!(kit.status(order), OrderStatus::Success);
    }

    #[test]
    fn a_route_that_cannot_be_taken_is_refused() {
        let (mut kit, _) = tried(vec![card(700)]);
        let merchant = kit.landlord();
        let order = kit.order(merchant, &[(ItemKind::Rent, 700)]);
        let refused = |kit: &mut Kit, rail, agreement: &str, code| {
            let mut instrument = card(700);
            if let Instrument::Card { alternatives, .. } = &mut instrument {
                alternatives.push(Alternative { rail, agreement: agreement.into(), channel: None });
            }
            kit.refused(Command::PayOrder { order, instruments: vec![instrument] }, code);
        };
        refused(&mut kit, Rail::Fund, "a", RefusalCode::InstrumentNotAllowed);
        refused(&mut kit, Rail::Epcc, "a", RefusalCode::InstrumentNotAllowed);
        refused(&mut kit, Rail::UnionPay, "", RefusalCode::ValueInvalid);
        let mut doubled = within_the_rail(700);
        if let Instrument::Card { channel, .. } = &mut doubled {
            *channel = Some("acme".into());
        }
        kit.refused(Command::PayOrder { order, instruments: vec![doubled] }, RefusalCode::InstrumentNotAllowed);
        let mut nameless = card(700);
        if let Instrument::Card { channel, .. } = &mut nameless {
            *channel = Some("Acme".into());
        }
        kit.refused(Command::PayOrder { order, instruments: vec![nameless] }, RefusalCode::ValueInvalid);
        let mut instrument = card(700);
        if let Instrument::Card { bank, .. } = &mut instrument {
            *bank = Some("icbc".into());
        }
        kit.refused(Command::PayOrder { order, instruments: vec![instrument] }, RefusalCode::ValueInvalid);
    }
}
