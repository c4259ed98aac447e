//! Fees to the fen, versions by day.

use alloc::vec::Vec;

use super::*;
use crate::approval::Proposal;
use crate::testkit::cards::{STANDARD, UNIONPAY};
use crate::testkit::{Kit, date};

/// The plan and the cost of domain.md's tests.
fn priced() -> Kit {
    let mut kit = Kit::new();
    kit.card_prices();
    kit
}

fn fees(kit: &Kit, kind: CardType, amount: Minor) -> CardFees {
    kit.state.card_fees(STANDARD, CardScheme::UnionPay, kind, amount, date("2026-03-05")).unwrap()
}

#[test]
fn every_row_of_the_fee_tests_holds_to_the_fen() {
    let kit = priced();
    // Amount, the merchant's fee, what issuer and network keep: 1122 = amount − cost, 2202 = amount − fee, 2291 = fee − cost.
    for (kind, amount, clearing, merchant, margin, cost) in [
        (CardType::Credit, 1_000_000, 995_175, 994_000, 1_175, 4_825),
        (CardType::Credit, 2_000_000, 1_990_675, 1_988_000, 2_675, 9_325),
        (CardType::Debit, 1_000_000, 998_375, 995_000, 3_375, 1_625),
        (CardType::Credit, 10_000, 9_952, 9_940, 12, 48),
    ] {
        let found = fees(&kit, kind, amount);
        assert_eq!(found.cost(), Ok(cost), "{amount}");
        assert_eq!((amount - cost, amount - found.merchant), (clearing, merchant), "{amount}");
        assert_eq!(found.merchant - cost, margin, "{amount}");
    }
}

#[test]
fn each_fee_is_rounded_half_up_for_itself_after_its_cap() {
    let kit = priced();
    // 0.45 % of 111 is 0.4995, of 112 it is 0.504; 0.0325 % of 1,538 is 0.49985, of 1,539 it is 0.500175.
    assert_eq!(fees(&kit, CardType::Credit, 111).interchange, 0);
    assert_eq!(fees(&kit, CardType::Credit, 112).interchange, 1);
    assert_eq!(fees(&kit, CardType::Credit, 1_538).network, 0);
    assert_eq!(fees(&kit, CardType::Credit, 1_539).network, 1);
    // The caps: 13 yuan for the issuer of a debit card, 3.25 for the network, none for the issuer of a credit card.
    let large = fees(&kit, CardType::Debit, 100_000_000);
    assert_eq!((large.interchange, large.network, large.merchant), (1_300, 325, 500_000));
    assert_eq!(fees(&kit, CardType::Credit, 100_000_000).interchange, 450_000);
    let overflow = kit.state.card_fees(STANDARD, CardScheme::UnionPay, CardType::Debit, Minor::MAX, date("2026-03-05"));
    assert_eq!(overflow.map(|fees| fees.network), Ok(325), "the product is taken in 128 bits");
}

#[test]
fn a_version_holds_from_its_day_until_the_next_does() {
    let mut kit = priced();
    let rate = |rate, cap| CardRate { rate, cap };
    let later = SetCardFeePlan {
        code: STANDARD.into(),
        from: date("2026-04-01"),
        debit: rate(4_000, Some(2_000)),
        credit: rate(5_500, None),
    };
    kit.approved(CardFeeCommand::SetPlan(later).into());
    kit.restore();
    let on = |day: &str| kit.state.card_fee_plan(STANDARD, date(day)).map(|plan| plan.credit.rate);
    assert_eq!((on("2026-03-31"), on("2026-04-01"), on("2027-01-01")), (Ok(6_000), Ok(5_500), Ok(5_500)));
    assert_eq!(on("2026-03-04").unwrap_err().code, RefusalCode::CardFeeUnknown);
    let debit = |day: &str| {
        kit.state.card_fees(STANDARD, CardScheme::UnionPay, CardType::Debit, 1_000_000, date(day)).unwrap().merchant
    };
    assert_eq!((debit("2026-03-31"), debit("2026-04-01")), (5_000, 2_000));
    let unknown = kit.state.card_fees(STANDARD, CardScheme::Visa, CardType::Debit, 1, date("2026-03-05")).unwrap_err();
    assert_eq!(unknown.code, RefusalCode::CardFeeUnknown);
}

#[test]
fn bad_plans_and_costs_are_refused() {
    let mut kit = priced();
    let good = SetCardFeePlan {
        code: "small".into(),
        from: date("2026-03-05"),
        debit: CardRate { rate: 3_800, cap: Some(1_800) },
        credit: CardRate { rate: 3_800, cap: None },
    };
    kit.refused(CardFeeCommand::SetPlan(good.clone()).into(), RefusalCode::ApprovalRequired);
    let table = [
        (SetCardFeePlan { code: String::new(), ..good.clone() }, RefusalCode::ValueInvalid),
        (SetCardFeePlan { from: date("2026-03-04"), ..good.clone() }, RefusalCode::ValueInvalid),
        (SetCardFeePlan { code: STANDARD.into(), ..good.clone() }, RefusalCode::AlreadyExists),
        (SetCardFeePlan { debit: CardRate { rate: -1, cap: None }, ..good.clone() }, RefusalCode::ValueInvalid),
        (
            SetCardFeePlan { credit: CardRate { rate: RATE_WHOLE, cap: None }, ..good.clone() },
            RefusalCode::ValueInvalid,
        ),
        (SetCardFeePlan { credit: CardRate { rate: 1, cap: Some(0) }, ..good }, RefusalCode::ValueInvalid),
    ];
    for (command, code) in table {
        let refused = kit.when_approved(CardFeeCommand::SetPlan(command).into()).unwrap_err();
        assert_eq!(refused.code, code, "{refused}");
    }
    let cost = SetCardCost { from: date("2026-03-06"), ..UNIONPAY };
    for (command, code) in [
        (UNIONPAY, RefusalCode::AlreadyExists),
        (SetCardCost { from: date("2026-03-04"), ..UNIONPAY }, RefusalCode::ValueInvalid),
        (SetCardCost { network: CardRate { rate: -5, cap: None }, ..cost }, RefusalCode::ValueInvalid),
    ] {
        let refused = kit.when_approved(CardFeeCommand::SetCost(command).into()).unwrap_err();
        assert_eq!(refused.code, code, "{refused}");
    }
}

#[test]
fn two_treasurers_set_fees() {
    let mut kit = Kit::new();
    kit.people();
    let proposal = Proposal::CardFee(CardFeeCommand::SetCost(UNIONPAY));
    let refused = kit.when_proposed("risk-1", proposal.clone());
    assert_eq!(Kit::code(refused), RefusalCode::RoleMissing);
    let Reply::CardCost(id) = kit.decided("treasurer", proposal) else { panic!("a cost was set") };
    let cost = kit.state.card_costs.get(id.0).unwrap();
    assert_eq!((cost.set_by.as_str(), cost.approver.as_deref()), ("treasurer-1", Some("treasurer-2")));
    assert_eq!(kit.state.card_costs.iter().map(|(_, it)| it.scheme).collect::<Vec<_>>(), [CardScheme::UnionPay]);
}
