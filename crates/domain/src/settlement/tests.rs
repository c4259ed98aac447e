//! Settlement: what is due when, and what a refund changes.

use alloc::vec;

use super::*;
use crate::attempt::Rail;
use crate::command::Command;
use crate::restriction::Restriction;
use crate::testkit::{Kit, date, success};

const DAY: &str = "2026-03-05";

#[test]
fn cleared_money_is_settled_one_working_day_later() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.paid_rent(merchant, 5_000);
    kit.clear(Rail::Epcc, DAY);
    kit.refused(Command::Settle { merchant, today: date(DAY) }, RefusalCode::NotCleared);
    assert!(merchants_due(&kit.state, date(DAY)).is_empty());
    kit.on("2026-03-06");
    assert_eq!(merchants_due(&kit.state, date("2026-03-06")), [merchant]);
    kit.settle(merchant);
    assert_eq!((kit.pending(merchant), kit.available(merchant)), (0, 4_990));
    assert!(kit.state.order(order).unwrap().is_settled());
    assert!(merchants_due(&kit.state, date("2026-03-06")).is_empty());
    kit.refused(Command::Settle { merchant, today: date("2026-03-06") }, RefusalCode::NotCleared);
    let settlement = kit.state.settlement(SettlementId(1)).unwrap();
    assert_eq!((settlement.amount, settlement.shares.len()), (4_990, 1));
    assert_eq!(kit.state.settlement(SettlementId(2)).unwrap_err().code, RefusalCode::SettlementUnknown);
}

#[test]
fn the_due_date_knows_weekends_and_holidays() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    // Friday 3 April 2026; Monday the 6th is a holiday.
    let order = kit.paid_rent(merchant, 5_000);
    let lines = kit.clearing_lines(Rail::Epcc, DAY);
    kit.take_file(Rail::Epcc, "2026-04-03", lines);
    assert_eq!(kit.state.order(order).unwrap().due, Some(date("2026-04-07")));
}

#[test]
fn what_is_not_matched_is_not_settled() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    kit.paid_rent(merchant, 5_000);
    kit.paid_rent(merchant, 700);
    let mut lines = kit.clearing_lines(Rail::Epcc, DAY);
    lines.truncate(1);
    kit.take_file(Rail::Epcc, DAY, lines);
    kit.on("2026-03-06");
    kit.settle(merchant);
    assert_eq!((kit.pending(merchant), kit.available(merchant)), (699, 4_990));
    kit.refused(Command::Settle { merchant, today: date("2026-03-06") }, RefusalCode::NotCleared);
}

#[test]
fn many_orders_make_one_voucher() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    for _ in 0..5 {
        kit.paid_rent(merchant, 5_000);
    }
    kit.clear(Rail::Epcc, DAY);
    kit.on("2026-03-06");
    kit.settle(merchant);
    assert_eq!(kit.last_voucher().len(), 2);
    assert_eq!(kit.available(merchant), 5 * 4_990);
}

#[test]
fn a_refund_that_took_more_than_its_order_lowers_the_next_settlement() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let refunded = kit.paid_rent(merchant, 5_000);
    let other = kit.paid_rent(merchant, 5_000);
    kit.refund(refunded, 5_000, false);
    kit.answered(success(DAY));
    assert_eq!(kit.pending(merchant), 4_980);
    // The file lacks the refunded payment: its share of −10 counts all the same.
    let lines = kit.clearing_lines(Rail::Epcc, DAY).into_iter().skip(1).collect();
    kit.take_file(Rail::Epcc, DAY, lines);
    kit.on("2026-03-06");
    kit.settle(merchant);
    assert_eq!((kit.pending(merchant), kit.available(merchant)), (0, 4_980));
    assert!(kit.state.order(other).unwrap().is_settled());
}

#[test]
fn wrong_settlements_are_refused() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    kit.paid_rent(merchant, 5_000);
    kit.clear(Rail::Epcc, DAY);
    kit.refused(Command::Settle { merchant, today: date("2026-03-06") }, RefusalCode::ValueInvalid);
    kit.refused(Command::Settle { merchant: MerchantId(99), today: date(DAY) }, RefusalCode::MerchantUnknown);
    kit.on("2026-03-06");
    let account = kit.state.merchant(merchant).unwrap().available;
    let restriction = Restriction { in_barred: true, ..Restriction::default() };
    kit.given(Command::RestrictAccount { account, restriction });
    kit.refused(Command::Settle { merchant, today: date("2026-03-06") }, RefusalCode::AccountRestricted);
    kit.given(Command::RestrictAccount { account, restriction: Restriction::default() });
    kit.settle(merchant);
    assert_eq!(kit.available(merchant), 4_990);
}

#[test]
fn merchants_due_come_in_the_order_of_their_ids() {
    let mut kit = Kit::new();
    let merchants = vec![kit.landlord(), kit.landlord(), kit.landlord()];
    for merchant in merchants.iter().rev() {
        kit.paid_rent(*merchant, 5_000);
        kit.paid_rent(*merchant, 5_000);
    }
    kit.clear(Rail::Epcc, DAY);
    assert_eq!(merchants_due(&kit.state, date("2026-03-06")), merchants);
    // By pages: a merchant and its two orders are three.
    for (most, pages) in [(0, 3), (3, 3), (4, 2), (9, 1)] {
        let (mut found, mut next, mut looks) = (vec![], Some(MerchantId(0)), 0);
        while let Some(from) = next {
            let page = due_page(&kit.state, date("2026-03-06"), from, most);
            found.extend(page.merchants);
            (next, looks) = (page.next, looks + 1);
        }
        assert_eq!((&found, looks), (&merchants, pages), "{most} at once");
    }
}
