//! What must hold after every step of a walk: each account holds what orders, legs, refunds and tasks say of it, to the unit.

use super::*;
use crate::advance::Advance;
use crate::attempt::attempt_of_serial;
use crate::refund::Refund;
use crate::top_up::TopUpStatus;

/// Whether the merchant has an advance, or may have it.
fn is_out(advance: &Advance) -> bool {
    match advance.status {
        AdvanceStatus::Sent | AdvanceStatus::Unknown | AdvanceStatus::Success | AdvanceStatus::Repaid => true,
        AdvanceStatus::Failed | AdvanceStatus::Returned => false,
    }
}

fn came_back(advance: &Advance) -> bool {
    advance.status == AdvanceStatus::Returned
}

/// Whether an advance came back after the reserve had paid it back.
fn came_back_repaid(advance: &Advance) -> bool {
    came_back(advance) && advance.repayment.is_some()
}

impl Walk {
    pub(super) fn laws(&self) {
        let state = &self.kit.state;
        let orders = || state.orders.iter().map(|(_, order)| order);
        // What was advanced counts as settled, and own money paid it in place of 2203, unless it failed or came back.
        let advances = || state.advances.iter().map(|(_, it)| it).filter(|it| is_out(it));
        for merchant in &self.merchants {
            let unsettled = orders().filter(|order| order.settles).map(|order| order.share(*merchant, false));
            assert_eq!(self.kit.pending(*merchant), unsettled.sum::<Minor>(), "2202 of {merchant}");
            let settled: Minor = orders().map(|order| order.share(*merchant, true)).sum();
            let advanced = advances().filter(|advance| advance.merchant == *merchant).map(|advance| advance.amount);
            assert_eq!(self.kit.available(*merchant), settled - advanced.sum::<Minor>(), "2203 of {merchant}");
        }
        self.law_of_what_waits();
        self.law_of_refunds();
        self.law_of_balances();
        self.law_of_top_ups();
        self.law_of_late_advances();
        let paid = orders().filter(|order| order.status == OrderStatus::Success);
        let (waiting, earned): (Vec<&Advance>, Vec<&Advance>) = advances().partition(|advance| advance.is_uncertain());
        let waits: Minor = waiting.iter().map(|advance| advance.fee).sum();
        assert_eq!(self.kit.own(Subject::PayoutTransit), waits, "2212");
        let fees = paid.map(|order| order.fee - order.fee_returned).chain(earned.iter().map(|advance| advance.fee));
        // What came back after its repayment was paid twice: the merchant has it from what the reserve owes own money, and the fee too.
        let twice = state.advances.iter().map(|(_, it)| it).filter(|it| came_back_repaid(it));
        let twice: Minor = twice.map(Advance::outlay).sum();
        assert_eq!(self.kit.own(Subject::DueToOwn), fees.sum::<Minor>() - twice, "2291");
        let outstanding: Minor = state.advances.iter().map(|(_, advance)| advance.outstanding()).sum();
        let claims = [Subject::Advances, Subject::OwnClaims].map(|subject| self.kit.own(subject));
        assert_eq!(claims, [outstanding; 2], "1151 and 2292");
        orders().for_each(|order| self.law_of_order(order));
        let due: Minor = state.due.iter().map(|(_, amount)| amount).sum();
        let counted = orders().filter(|order| order.settles).flat_map(|order| {
            order.shares.iter().filter(|share| !share.settled && (order.due.is_some() || share.amount < 0))
        });
        assert_eq!(due, counted.map(|share| share.amount).sum::<Minor>(), "the index of what is due");
        for (_, split) in state.splits.iter() {
            for part in &split.parts {
                let returns = split.returns.iter().filter(|given| given.receiver == part.merchant);
                assert!(
                    returns.map(|given| given.amount).sum::<Minor>() <= part.amount,
                    "{} of {}",
                    part.merchant,
                    split.id
                );
            }
        }
    }

    /// Each advance that its bank paid is booked as paid, or claimed; what is claimed and not back is on 1241.
    fn law_of_late_advances(&self) {
        let mut claimed = 0;
        for (_, advance) in self.kit.state.advances.iter() {
            let answered = &self.kit.state.attempt(advance.attempt).unwrap().status;
            let arrived = matches!(answered, AttemptStatus::Settled(Outcome::Success { .. }));
            let is_claimed = advance.claim.is_some();
            assert_eq!(arrived, is_claimed || (is_out(advance) && !advance.is_uncertain()) || came_back(advance));
            assert_eq!(is_claimed, advance.claim_voucher.is_some(), "own money has enough: {advance:?}");
            claimed += if is_claimed && !came_back(advance) { advance.outlay() } else { 0 };
        }
        assert_eq!(self.kit.own(Subject::Shortages), claimed, "1241");
    }

    /// 2205 is what waits: for the other leg of its try, or for a person, or on its way back at its centre.
    fn law_of_what_waits(&self) {
        let state = &self.kit.state;
        let waiting = state.legs.iter().map(|(_, leg)| leg).filter(|leg| {
            let order = state.order(leg.order).unwrap();
            let carried = |leg: &&Leg| leg.amount() > 0 && !leg.instrument.pays_directly();
            let legs = || state.legs_of(order, leg.try_number);
            // A fund that paid in part, and no card for the rest, waits to go back.
            let short = legs().map(Leg::amount).sum::<Minor>() != order.payable();
            let combined = carried(leg) && (short || legs().filter(carried).count() > 1);
            let waits = order.trying || leg.needs_person || leg.open.is_some();
            leg.status == LegStatus::Captured && combined && leg.undo.is_none() && waits
        });
        assert_eq!(self.kit.own(Subject::PaymentInProgress), waiting.map(Leg::amount).sum::<Minor>(), "2205");
    }

    /// 2211 is what is under way, 2243 what no source took; what no order can use goes back once.
    fn law_of_refunds(&self) {
        let state = &self.kit.state;
        let refunds = || state.refunds.iter().map(|(_, refund)| refund);
        let moving: fn(RefundStatus) -> bool =
            |status| matches!(status, RefundStatus::InTransit | RefundStatus::Unknown);
        // What an earlier one overtook has no money under way.
        let parts = refunds().filter(|refund| refund.overtaken_by.is_none()).flat_map(|refund| &refund.parts);
        let back: Minor = parts.filter(|part| moving(part.status)).map(|part| part.amount).sum();
        let legs = || state.legs.iter().map(|(_, leg)| leg);
        let undone: Minor = legs().filter(|leg| leg.undo.is_some()).map(Leg::amount).sum();
        let of_top_ups = |is: fn(RefundStatus) -> bool| -> Minor {
            let backs = state.top_ups.iter().filter_map(|(_, top_up)| top_up.back);
            backs.filter(|back| is(back.status)).map(|back| back.amount).sum()
        };
        assert_eq!(self.kit.own(Subject::RefundTransit), back + undone + of_top_ups(moving), "2211");
        let refused = refunds().filter(|refund| refund.is_due());
        assert_eq!(self.kit.own(Subject::RefundDue), refused.map(|refund| refund.amount).sum::<Minor>(), "2243");
        let suspended = refunds().map(|refund| refund.suspense).sum::<Minor>();
        let no_source_took = of_top_ups(|status| status == RefundStatus::Failed);
        assert_eq!(self.kit.own(Subject::Suspense), suspended + no_source_took, "2241");
        let mut ends: BTreeMap<&str, u32> = BTreeMap::new();
        for (refund, part) in refunds().flat_map(|refund| refund.parts.iter().map(move |part| (refund, part))) {
            let leg = state.leg(part.leg).unwrap();
            assert_eq!(part.rail, leg.instrument.rail(), "a fund's money goes to no card: {refund:?}");
            let Some(attempt) = part.attempt else { continue };
            let original = state.attempt(attempt).unwrap().operation.original().unwrap();
            let came_by = state.attempt(attempt_of_serial(original).unwrap()).unwrap();
            assert_eq!((came_by.rail, came_by.purpose), (part.rail.unwrap(), Purpose::Leg(leg.id)), "{refund:?}");
            let answered = &state.attempt(attempt).unwrap().status;
            let carried_out = matches!(answered, AttemptStatus::Settled(Outcome::Success { .. }));
            let (booked, claimed) = (part.status == RefundStatus::Success, part.claim.is_some());
            assert!(carried_out == (booked || claimed) && !(booked && claimed), "every answer is booked: {refund:?}");
            if refund.kind == RefundKind::Useless {
                let elsewhere = refund.retried_as.is_some() || refund.overtaken_by.is_some();
                *ends.entry(original).or_default() += u32::from(booked || !elsewhere);
                assert!(refund.retried_as.is_none() || refund.settled_by.is_none(), "{refund:?}");
            }
        }
        assert!(ends.values().all(|count| *count == 1), "what came once goes back once: {ends:?}");
    }

    /// What a top-up brought of another amount goes back once, by the way that it came, and is on no balance.
    fn law_of_top_ups(&self) {
        let state = &self.kit.state;
        for (top_up, back) in state.top_ups.iter().filter_map(|(_, top_up)| Some((top_up, top_up.back?))) {
            let came_by = state.attempt(top_up.attempt.unwrap()).unwrap();
            let goes_by = state.attempt(back.attempt).unwrap();
            assert_eq!(goes_by.operation.original(), Some(came_by.serial().as_str()), "{top_up:?}");
            assert_eq!((goes_by.rail, goes_by.purpose), (came_by.rail, came_by.purpose), "{top_up:?}");
            let amounts = [came_by, goes_by].map(|attempt| attempt.operation.money().0);
            assert_eq!(amounts, [back.amount; 2], "{top_up:?}");
            assert!(back.amount != top_up.amount && top_up.status == TopUpStatus::Failed, "{top_up:?}");
            let times = state.attempts.iter().filter(|(_, it)| it.operation.original() == goes_by.operation.original());
            assert_eq!(times.count(), 1, "{top_up:?}");
        }
    }

    /// A balance is what was topped up, paid, given back and transferred; what was settled by hand went where it was to go, once.
    fn law_of_balances(&self) {
        let state = &self.kit.state;
        let legs = || state.legs.iter().map(|(_, leg)| leg);
        for wallet in &self.wallets {
            let top_ups = state.top_ups.iter().map(|(_, it)| it).filter(|it| it.account == *wallet);
            let topped: Minor = top_ups.filter(|it| it.status == TopUpStatus::Success).map(|it| it.amount).sum();
            let pays = |leg: &&Leg| matches!(leg.instrument, Instrument::Balance { account, .. } if account == *wallet);
            let paid = legs().filter(pays).filter(|leg| leg.status == LegStatus::Captured);
            let spent: Minor = paid.map(|leg| leg.amount() - leg.refunded).sum();
            let transfers = || state.transfers.iter().map(|(_, transfer)| transfer);
            let came: Minor = transfers().filter(|it| it.to == *wallet).map(|it| it.amount).sum();
            let went: Minor = transfers().filter(|it| it.from == *wallet).map(|it| it.amount).sum();
            assert_eq!(self.kit.balance(*wallet), topped - spent + came - went, "{wallet}");
        }
        let of_legs: Minor = self.legs_by_hand.values().sum();
        let refunds = state.refunds.iter().map(|(_, refund)| refund).filter(|refund| refund.settled_by.is_some());
        let of_refunds: Minor = refunds.map(|refund| refund.amount).sum();
        assert_eq!(self.kit.balance(self.by_hand), of_legs + of_refunds, "what was settled by hand");
        for leg in legs() {
            let (is_back, is_settled) = (leg.status == LegStatus::Reversed, leg.settled_by.is_some());
            let is_claimed = (is_back || is_settled) && self.claimed(leg) > 0;
            assert!(!is_claimed || (is_back && (leg.needs_person || is_settled)), "a claim is a task: {leg:?}");
            assert!(!is_back || !(leg.needs_person || is_settled) || is_claimed, "a task of nothing: {leg:?}");
            let rests = leg.undo.is_none() && leg.open.is_none() && (is_back || !leg.needs_person);
            assert!(!is_settled || rests, "{leg:?}");
        }
    }

    /// What a leg's channel gave back besides what was to go back once, by it or by hand.
    pub(super) fn claimed(&self, leg: &Leg) -> Minor {
        let gave_back = |attempt: &Attempt| {
            matches!(attempt.operation, Operation::Refund { .. })
                && attempt.purpose == Purpose::Leg(leg.id)
                && matches!(attempt.status, AttemptStatus::Settled(Outcome::Success { .. }))
        };
        let times = self.kit.state.attempts.iter().filter(|(_, attempt)| gave_back(attempt)).count() as Minor;
        let once = Minor::from(!self.legs_by_hand.contains_key(&leg.id));
        (times - once).max(0) * leg.amount()
    }

    /// What refunds' channels gave back besides what was to go back.
    pub(super) fn claimed_of_refunds(&self) -> Minor {
        let parts = self.kit.state.refunds.iter().flat_map(|(_, refund)| &refund.parts);
        parts.filter(|part| part.claim.is_some()).map(|part| part.amount).sum()
    }

    fn law_of_order(&self, order: &Order) {
        let state = &self.kit.state;
        let of_order = |refund: &&Refund| refund.order == order.id && refund.kind == RefundKind::Order;
        let refunds: Vec<_> = state.refunds.iter().map(|(_, refund)| refund).filter(of_order).collect();
        let alive =
            || refunds.iter().flat_map(|refund| &refund.parts).filter(|part| part.status != RefundStatus::Failed);
        assert_eq!(order.refunded, alive().map(|part| part.amount).sum::<Minor>(), "{}", order.id);
        assert_eq!(order.fee_returned, alive().map(|part| part.fee).sum::<Minor>(), "{}", order.id);
        assert!((0..=order.fee).contains(&order.fee_returned) && order.refunded <= order.payable(), "{order:?}");
        assert!(order.bought(order.refunded, order.fee_returned) <= order.amount, "{order:?}");
        for leg in order.legs.iter().map(|leg| state.leg(*leg).unwrap()) {
            let back: Minor = alive().filter(|part| part.leg == leg.id).map(|part| part.amount).sum();
            assert!(leg.refunded == back && back <= leg.amount(), "{}", leg.id);
        }
        for ((at, item), refunded) in (0_u32..).zip(&order.items).zip(&order.items_refunded) {
            let of_item = alive().flat_map(|part| &part.items).filter(|of| of.item == at);
            let back: Minor = of_item.map(|of| of.amount).sum();
            assert!(*refunded == back && back <= item.amount, "item {at} of {}", order.id);
        }
        if order.status == OrderStatus::Success {
            let suspense: Minor = refunds.iter().map(|refund| refund.suspense).sum();
            let left = order.net - (order.refunded - order.fee_returned) - suspense;
            assert_eq!(order.shares.iter().map(|share| share.amount).sum::<Minor>(), left, "{order:?}");
            let paid: Minor = state.legs_of(order, order.tries).map(Leg::amount).sum();
            assert_eq!((paid, order.net + order.fee), (order.payable(), order.carried()), "{order:?}");
        } else {
            assert!(order.shares.is_empty() && order.refunded == 0, "{order:?}");
        }
        assert!(order.fee_on_top.is_none_or(|on_top| on_top == order.fee), "the payer pays the fee: {order:?}");
        assert!(!order.expired || order.closing, "what expired is being closed, or was: {order:?}");
        assert!(!order.closing || order.trying || order.ended_at.is_some(), "what is being closed waits: {order:?}");
        let open = state.legs_of(order, order.tries).any(|leg| leg.open.is_some());
        assert!(!order.trying || open, "a try waits for an answer: {order:?}");
    }
}
