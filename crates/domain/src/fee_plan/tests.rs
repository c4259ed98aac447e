//! Order fees to the fen, and what all plans have in common: tiers, bounds, rounding, versions by accounting day.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::approval::Proposal;
use crate::command::Command;
use crate::order::ItemKind;
use crate::testkit::orders::card;
use crate::testkit::{Kit, date, success};

mod on_top;
mod payouts;

const fn tier(from: Minor, rate: Minor, fixed: Minor) -> FeeTier {
    FeeTier { from, rate, fixed }
}

/// 0.60 % below 1,000 yuan, 0.50 % and one yuan from there, 0.40 % from 10,000 yuan; at least 50 fen, at most 80 yuan.
fn tiered(merchant: MerchantId, from: &str) -> SetFeePlan {
    SetFeePlan {
        owner: merchant.into(),
        from: date(from),
        tiers: vec![tier(0, 6_000, 0), tier(100_000, 5_000, 100), tier(1_000_000, 4_000, 0)],
        least: Some(50),
        cap: Some(8_000),
        payer: FeePayer::Merchant,
        rounding: Rounding::HalfUp,
        of: FeeOf::Order,
        on_refund: FeeOnRefund::AsAsked,
    }
}

/// As much of each order, and nothing else.
fn flat(merchant: MerchantId, from: &str, fixed: Minor) -> SetFeePlan {
    let tiers = vec![tier(0, 0, fixed)];
    SetFeePlan { tiers, least: None, cap: None, ..tiered(merchant, from) }
}

fn set(kit: &mut Kit, plan: SetFeePlan) -> FeePlanId {
    let Reply::FeePlan(id) = kit.approved(Command::SetFeePlan(plan)) else { panic!("a plan was set") };
    id
}

fn rent(kit: &mut Kit, merchant: MerchantId, amount: Minor) -> (Minor, Minor, Option<FeePlanId>) {
    let id = kit.order(merchant, &[(ItemKind::Rent, amount)]);
    let order = kit.state.order(id).unwrap();
    (order.fee, order.net, order.fee_plan)
}

#[test]
fn every_edge_of_a_tier_and_both_bounds_hold_to_the_fen() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let plan = set(&mut kit, tiered(merchant, "2026-03-05"));
    for (amount, fee) in [
        (50, 50),
        (8_333, 50),
        (8_417, 51),
        (99_999, 600),
        (100_000, 600),
        (100_099, 600),
        (100_100, 601),
        (999_999, 5_100),
        (1_000_000, 4_000),
        (1_999_999, 8_000),
        (2_000_000, 8_000),
        (900_000_000_000, 8_000),
    ] {
        assert_eq!(rent(&mut kit, merchant, amount), (fee, amount - fee, Some(plan)), "{amount}");
    }
    let beyond = kit.create_order(merchant, &[(ItemKind::Rent, 49)]);
    kit.refused(Command::CreateOrder(beyond), RefusalCode::FeeAboveAmount);
}

#[test]
fn the_rule_of_rounding_is_the_plans() {
    let mut kit = Kit::new();
    for (rounding, fees) in [(Rounding::HalfUp, [0, 1, 3]), (Rounding::Down, [0, 0, 3]), (Rounding::Up, [1, 1, 3])] {
        let merchant = kit.landlord();
        let tiers = vec![tier(0, 6_000, 0)];
        set(&mut kit, SetFeePlan { tiers, least: None, rounding, ..tiered(merchant, "2026-03-05") });
        let found = [83, 84, 500].map(|amount| rent(&mut kit, merchant, amount).0);
        assert_eq!(found, fees, "{}", rounding.name());
    }
}

#[test]
fn an_order_keeps_the_fee_of_its_day_and_says_by_which_version() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let before = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
    let first = set(&mut kit, flat(merchant, "2026-03-05", 7));
    let second = set(&mut kit, flat(merchant, "2026-03-09", 9));
    let yesterday = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
    kit.restore();
    kit.on("2026-03-06");
    assert_eq!(rent(&mut kit, merchant, 5_000), (7, 4_993, Some(first)));
    kit.on("2026-03-09");
    assert_eq!(rent(&mut kit, merchant, 5_000), (9, 4_991, Some(second)));
    let kept = |kit: &Kit, order| kit.state.order(order).map(|order| (order.fee, order.fee_plan)).unwrap();
    assert_eq!((kept(&kit, before), kept(&kit, yesterday)), ((10, None), (7, Some(first))));

    // Paid today, booked with the fee of its own day; a refund returns its part of that.
    kit.pay(yesterday, vec![card(5_000)]);
    kit.answered(success("2026-03-09"));
    assert_eq!(kit.pending(merchant), 4_993);
    kit.books(&[(1121, 5_000), (2291, 7), (1291, 7), (5001, 7)]);
    let refund = kit.refund(yesterday, 2_500, true);
    assert_eq!(kit.state.refund(refund).unwrap().fee, 4, "round(7 x 2,500 / 5,000)");
    let day = |text: &str| kit.state.fee_plan_on(merchant.into(), FeeOf::Order, date(text)).map(|plan| plan.id);
    assert_eq!(
        [day("2026-03-04"), day("2026-03-05"), day("2026-03-08"), day("2026-03-09"), day("2027-01-01")],
        [None, Some(first), Some(first), Some(second), Some(second)]
    );
}

#[test]
fn a_plan_says_what_becomes_of_the_fee_of_what_is_refunded() {
    let mut kit = Kit::new();
    let (keeps, returns, asks) = (kit.landlord(), kit.landlord(), kit.landlord());
    for (merchant, on_refund) in
        [(keeps, FeeOnRefund::Kept), (returns, FeeOnRefund::Returned), (asks, FeeOnRefund::AsAsked)]
    {
        set(&mut kit, SetFeePlan { on_refund, ..flat(merchant, "2026-03-05", 11) });
    }
    // What is set later changes no order there is.
    set(&mut kit, flat(keeps, "2026-03-06", 11));
    let orders = [keeps, returns, asks].map(|merchant| kit.paid_rent(merchant, 5_000));
    kit.restore();
    kit.on("2026-03-06");
    let [kept, returned, asked] = orders;
    let against = kit.create_refund(kept, 2_500, true);
    kit.refused(Command::CreateRefund(against), RefusalCode::ValueInvalid);
    let mut fee = |order, amount, return_fee| {
        let id = kit.refund(order, amount, return_fee);
        let refund = kit.state.refund(id).unwrap();
        (refund.returns_fee, refund.fee)
    };
    assert_eq!(fee(kept, 2_500, false), (false, 0));
    // Whoever asks, in proportion: round(11 x 2,500 / 5,000), and the rest.
    assert_eq!([fee(returned, 2_500, false), fee(returned, 2_500, true)], [(true, 6), (true, 5)]);
    assert_eq!([fee(asked, 2_500, false), fee(asked, 2_000, true)], [(false, 0), (true, 4)]);
}

#[test]
fn without_a_plan_or_without_settlement_nothing_changes() {
    let mut kit = Kit::new();
    let (with, without) = (kit.landlord(), kit.landlord());
    set(&mut kit, flat(with, "2026-03-05", 7));
    assert_eq!(rent(&mut kit, without, 5_000), (10, 4_990, None));
    let account = kit.agreement_account();
    let mut command = kit.create_order(with, &[(ItemKind::EarnestMoney, 5)]);
    command.destination = Some(account);
    let order = kit.order_of(command);
    let order = kit.state.order(order).unwrap();
    assert_eq!((order.fee, order.net, order.fee_plan), (0, 5, None));
}

#[test]
fn amounts_beyond_64_bits_are_refused() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let tiers = vec![tier(0, 999_999, Minor::MAX)];
    set(&mut kit, SetFeePlan { tiers, least: None, cap: None, ..tiered(merchant, "2026-03-05") });
    let order = kit.create_order(merchant, &[(ItemKind::Rent, 1_000_000)]);
    kit.refused(Command::CreateOrder(order), RefusalCode::AmountOverflow);
    let plan = kit.state.fee_plan_on(merchant.into(), FeeOf::Order, date("2026-03-05")).unwrap().clone();
    let whole = FeePlan { tiers: vec![tier(0, 999_999, 0)], ..plan };
    assert_eq!(whole.fee_of(Minor::MAX), Ok(9_223_362_813_482_738_952), "the product is taken in 128 bits");
}

#[test]
fn bad_plans_are_refused() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let good = tiered(merchant, "2026-03-06");
    kit.refused(Command::SetFeePlan(good.clone()), RefusalCode::ApprovalRequired);
    set(&mut kit, flat(merchant, "2026-03-07", 1));
    let tiers = |tiers: &[FeeTier]| SetFeePlan { tiers: tiers.to_vec(), ..good.clone() };
    let many: Vec<FeeTier> = (0..17).map(|from| tier(from, 0, 0)).collect();
    let table = [
        (SetFeePlan { owner: MerchantId(99).into(), ..good.clone() }, RefusalCode::MerchantUnknown),
        (SetFeePlan { from: date("2026-03-04"), ..good.clone() }, RefusalCode::ValueInvalid),
        (SetFeePlan { from: date("2026-03-07"), ..good.clone() }, RefusalCode::AlreadyExists),
        (tiers(&[]), RefusalCode::ValueInvalid),
        (tiers(&many), RefusalCode::ValueInvalid),
        (tiers(&[tier(1, 6_000, 0)]), RefusalCode::ValueInvalid),
        (tiers(&[tier(0, 6_000, 0), tier(5, 1, 0), tier(5, 2, 0)]), RefusalCode::ValueInvalid),
        (tiers(&[tier(0, 6_000, 0), tier(-5, 1, 0)]), RefusalCode::ValueInvalid),
        (tiers(&[tier(0, -1, 0)]), RefusalCode::ValueInvalid),
        (tiers(&[tier(0, RATE_WHOLE, 0)]), RefusalCode::ValueInvalid),
        (tiers(&[tier(0, 0, -1)]), RefusalCode::ValueInvalid),
        (SetFeePlan { least: Some(0), ..good.clone() }, RefusalCode::ValueInvalid),
        (SetFeePlan { cap: Some(-1), ..good.clone() }, RefusalCode::ValueInvalid),
        (SetFeePlan { least: Some(8_001), ..good.clone() }, RefusalCode::ValueInvalid),
    ];
    for (command, code) in table {
        let refused = kit.when_approved(Command::SetFeePlan(command)).unwrap_err();
        assert_eq!(refused.code, code, "{refused}");
    }
    set(&mut kit, good);
}

#[test]
fn two_treasurers_set_a_plan() {
    let mut kit = Kit::new();
    kit.people();
    let merchant = kit.landlord();
    let proposal = Proposal::FeePlan(tiered(merchant, "2026-03-05"));
    let refused = kit.when_proposed("risk-1", proposal.clone());
    assert_eq!(Kit::code(refused), RefusalCode::RoleMissing);
    let Reply::FeePlan(id) = kit.decided("treasurer", proposal) else { panic!("a plan was set") };
    let plan = kit.state.fee_plans.get(id.0).unwrap();
    assert_eq!((plan.set_by.as_str(), plan.approver.as_deref()), ("treasurer-1", Some("treasurer-2")));
}
