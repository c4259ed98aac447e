//! What payouts and withdrawals cost, to the fen.

use alloc::string::String;

use super::*;
use crate::account::Owner;
use crate::attempt::FailureClass;
use crate::book::Subject;
use crate::ids::{AccountId, PayoutId, WithdrawalId, WithdrawalPlanId};
use crate::merchant::MerchantKind;
use crate::payout::{CreatePayout, PayTo, Receiver};
use crate::testkit::declined;
use crate::testkit::wallets::{own_card, withdraws};
use crate::withdrawal_batch::due;
use crate::withdrawal_plan::{PlanTerms, WithdrawalPlanCommand};

const DAY: &str = "2026-03-05";
const RENT: &str = "rent";

/// Two yuan below 50 yuan, 0.10 % from there, at least one yuan and at most three.
fn priced(owner: FeeOwner, of: FeeOf, from: &str) -> SetFeePlan {
    let tiers = vec![tier(0, 0, 200), tier(5_000, 1_000, 0)];
    let (least, cap) = (Some(100), Some(300));
    let (payer, rounding, on_refund) = (FeePayer::Merchant, Rounding::HalfUp, FeeOnRefund::AsAsked);
    SetFeePlan { owner, from: date(from), tiers, least, cap, payer, rounding, of, on_refund }
}

/// As much of each, and nothing else.
fn fixed(owner: FeeOwner, of: FeeOf, from: &str, fixed: Minor) -> SetFeePlan {
    SetFeePlan { tiers: vec![tier(0, 0, fixed)], least: None, cap: None, ..priced(owner, of, from) }
}

/// The users of the kit.
fn users() -> FeeOwner {
    FeeOwner::Product(String::from(RENT))
}

fn costs(kit: &Kit, id: PayoutId) -> (Minor, Minor, Option<FeePlanId>) {
    let payout = kit.state.payout(id).unwrap();
    (payout.amount, payout.fee, payout.fee_plan)
}

fn pays(kit: &mut Kit, account: AccountId, to: PayTo, amount: Minor) -> (Minor, Option<FeePlanId>) {
    let id = kit.pays_out(CreatePayout { to, send_now: false, ..withdraws(account, amount, 0) });
    let (_, fee, plan) = costs(kit, id);
    kit.given(Command::CancelPayout(id));
    (fee, plan)
}

#[test]
fn every_edge_holds_to_the_fen_and_the_fee_is_held_and_booked_beside_the_amount() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let account = kit.state.merchant(merchant).unwrap().available;
    kit.fund(account, 1_000_000);
    assert_eq!(pays(&mut kit, account, PayTo::Settlement, 5_000), (0, None), "without a plan nothing");
    let plan = set(&mut kit, priced(merchant.into(), FeeOf::Withdrawal, DAY));
    for (amount, fee) in [(1, 200), (4_999, 200), (5_000, 100), (100_499, 100), (100_500, 101), (299_500, 300)] {
        assert_eq!(pays(&mut kit, account, PayTo::Settlement, amount), (fee, Some(plan)), "{amount}");
    }
    let all = CreatePayout { to: PayTo::Settlement, ..withdraws(account, 999_701, 0) };
    kit.refused(Command::CreatePayout(all.clone()), RefusalCode::InsufficientFunds);
    let id = kit.pays_out(CreatePayout { amount: 999_700, ..all });
    assert_eq!((costs(&kit, id), kit.balance(account)), ((999_700, 300, Some(plan)), 0));
    kit.restore();
    kit.answered(success(DAY));
    kit.books(&[(1121, 300), (2291, 300), (1291, 300), (5001, 300)]);
}

#[test]
fn what_it_costs_follows_from_whose_the_account_is_and_to_whom_it_goes() {
    let mut kit = Kit::new();
    let agency = kit.merchant(MerchantKind::Agency, 2_000);
    let merchant = kit.state.merchant(agency).unwrap().clone();
    let (available, company) = (merchant.available, merchant.company.unwrap());
    let (wallet, second) = (kit.wallet(50_000), kit.wallet(50_000));
    let elsewhere = kit.second_wallet(second, 50_000);
    let ours = kit.account(Subject::Company, Owner::Institution);
    [available, company, ours].into_iter().for_each(|account| kit.fund(account, 50_000));
    let of = |kit: &mut Kit, owner: FeeOwner, of, fee| set(kit, fixed(owner, of, DAY, fee));
    let withdrawal = of(&mut kit, agency.into(), FeeOf::Withdrawal, 7);
    let payout = of(&mut kit, agency.into(), FeeOf::Payout, 9);
    let user = of(&mut kit, users(), FeeOf::Withdrawal, 11);
    let card = |own| PayTo::Bank(Receiver { own, ..own_card("card-1") });
    let table = [
        (available, PayTo::Settlement, (7, Some(withdrawal))),
        (available, PayTo::Company, (0, None)),
        (company, PayTo::Settlement, (7, Some(withdrawal))),
        (company, card(true), (7, Some(withdrawal))),
        (company, card(false), (9, Some(payout))),
        (wallet, card(true), (11, Some(user))),
        (elsewhere, card(true), (0, None)),
        (ours, card(false), (0, None)),
    ];
    for (account, to, expected) in table {
        let what = format!("{account} {to:?}");
        if to == PayTo::Company {
            // Within these books it is over at once.
            let id = kit.pays_out(CreatePayout { to, ..withdraws(account, 100, 0) });
            assert_eq!(costs(&kit, id), (100, 0, None), "{what}");
        } else {
            assert_eq!(pays(&mut kit, account, to, 100), expected, "{what}");
        }
    }
    let order = kit.order(agency, &[(ItemKind::Rent, 5_000)]);
    assert_eq!(kit.state.order(order).map(|order| (order.fee, order.fee_plan)), Ok((10, None)), "by the rate, as ever");
}

#[test]
fn a_payout_keeps_the_fee_of_its_day_and_a_fee_that_is_named_goes_before() {
    let mut kit = Kit::new();
    let account = kit.wallet(50_000);
    let (first, second) = (
        set(&mut kit, fixed(users(), FeeOf::Withdrawal, DAY, 7)),
        set(&mut kit, fixed(users(), FeeOf::Withdrawal, "2026-03-06", 9)),
    );
    let held = kit.pays_out(CreatePayout { send_now: false, ..withdraws(account, 1_000, 0) });
    let named = kit.pays_out(CreatePayout { send_now: false, ..withdraws(account, 1_000, 2) });
    kit.restore();
    kit.on("2026-03-06");
    kit.given(Command::SendPayout(held));
    kit.answered(success("2026-03-06"));
    let today = kit.pays_out(withdraws(account, 1_000, 0));
    let found = [held, named, today].map(|id| (costs(&kit, id).1, costs(&kit, id).2));
    assert_eq!(found, [(7, Some(first)), (2, None), (9, Some(second))]);
    kit.books(&[(1121, 49_000), (2212, 1_009), (2291, 7), (1291, 7), (5001, 7)]);
}

#[test]
fn the_most_that_fits_with_its_fee_is_what_trying_every_amount_finds() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let plan = set(&mut kit, priced(merchant.into(), FeeOf::Withdrawal, DAY));
    let plan = kit.state.fee_plans.get(plan.0).unwrap().clone();
    let with = |tiers: &[FeeTier], least, cap, rounding| FeePlan {
        tiers: tiers.to_vec(),
        least,
        cap,
        rounding,
        ..plan.clone()
    };
    let plans = [
        with(&[tier(0, 0, 0)], None, None, Rounding::HalfUp),
        with(&[tier(0, 30_000, 0)], None, None, Rounding::Up),
        with(&[tier(0, 0, 20), tier(50, 0, 5), tier(100, 0, 60), tier(101, 0, 1)], None, None, Rounding::HalfUp),
        with(&[tier(0, 500_000, 3), tier(90, 10_000, 0)], Some(7), Some(40), Rounding::Down),
        with(&[tier(0, 999_999, 0), tier(150, 0, Minor::MAX)], None, None, Rounding::HalfUp),
    ];
    for plan in plans {
        for sum in -1..300 {
            let fits = |amount: &Minor| plan.fee_of(*amount).is_ok_and(|fee| fee <= sum - amount);
            let expected = (1..=sum).rev().find(fits).map(|amount| (amount, plan.fee_of(amount).unwrap()));
            assert_eq!(plan.most_within(sum), expected, "{sum} of {plan:?}");
        }
    }
    let (amount, fee) = plan.most_within(Minor::MAX).unwrap();
    assert_eq!((amount, fee), (Minor::MAX - 300, 300), "at the edge of 64 bits");
}

/// A user's plan of withdrawals, its own and its terms' fee.
fn planned(kit: &mut Kit, keep: Minor, minimum: Minor, fee: Minor) -> (AccountId, WithdrawalPlanId) {
    let account = kit.wallet(100_000);
    let plan = kit.plan(account);
    let terms = PlanTerms { keep, minimum, fee };
    kit.given(Command::WithdrawalPlan(WithdrawalPlanCommand::Change { plan, terms }));
    (account, plan)
}

#[test]
fn an_automatic_withdrawal_leaves_room_for_the_fee_and_keeps_it_over_its_tries() {
    let mut kit = Kit::new();
    let (account, _) = planned(&mut kit, 1_000, 1, 0);
    let plan = set(&mut kit, priced(users(), FeeOf::Withdrawal, DAY));
    assert_eq!(due(&kit.state, date(DAY)).map(|due| due.amount).collect::<Vec<_>>(), [98_900]);
    let batch = kit.runs(1, &[account]);
    assert_eq!(kit.state.withdrawal_batch(batch).unwrap().amount, 98_900);
    let snapshot = kit.state.withdrawal(WithdrawalId(1)).unwrap().snapshot.clone();
    assert_eq!((snapshot.amount, snapshot.fee, snapshot.fee_plan), (98_900, 100, Some(plan)));
    assert_eq!((kit.balance(account), kit.own(Subject::PayoutTransit)), (1_000, 99_000));

    kit.answered(declined(FailureClass::System));
    set(&mut kit, fixed(users(), FeeOf::Withdrawal, "2026-03-06", 250));
    kit.restore();
    kit.on("2026-03-06");
    kit.given(Command::Tick);
    let tries = kit.state.withdrawal(WithdrawalId(1)).unwrap().tries.clone();
    assert_eq!(tries.iter().map(|id| costs(&kit, *id)).collect::<Vec<_>>(), [(98_900, 100, Some(plan)); 2]);
    kit.answered(success("2026-03-06"));
    kit.books(&[(1121, 1_100), (2291, 100), (1291, 100), (5001, 100)]);
}

#[test]
fn terms_that_name_a_fee_go_before_the_plan_and_a_fee_may_leave_less_than_the_minimum() {
    let mut kit = Kit::new();
    let (named, _) = planned(&mut kit, 0, 1, 3);
    let (enough, _) = planned(&mut kit, 0, 99_900, 0);
    let (short, _) = planned(&mut kit, 0, 99_901, 0);
    assert_eq!(due(&kit.state, date(DAY)).count(), 3);
    let plan = set(&mut kit, priced(users(), FeeOf::Withdrawal, DAY));
    let found: Vec<(AccountId, Minor)> = due(&kit.state, date(DAY)).map(|due| (due.account, due.amount)).collect();
    assert_eq!(found, [(named, 99_997), (enough, 99_900)]);
    kit.runs(1, &[named, enough, short]);
    let costs = kit.state.payouts.iter().map(|(_, payout)| (payout.fee, payout.fee_plan)).collect::<Vec<_>>();
    assert_eq!(costs, [(3, None), (100, Some(plan))]);
}

#[test]
fn a_plan_prices_one_thing_and_its_account_pays() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let good = priced(merchant.into(), FeeOf::Withdrawal, DAY);
    let nameless = FeeOwner::Product(String::new());
    let table = [
        (SetFeePlan { payer: FeePayer::Payer, ..good.clone() }, RefusalCode::ValueInvalid),
        (SetFeePlan { on_refund: FeeOnRefund::Kept, ..good.clone() }, RefusalCode::ValueInvalid),
        (SetFeePlan { owner: users(), of: FeeOf::Order, ..good.clone() }, RefusalCode::ValueInvalid),
        (SetFeePlan { owner: nameless, ..good.clone() }, RefusalCode::ValueInvalid),
        (SetFeePlan { owner: MerchantId(99).into(), ..good.clone() }, RefusalCode::MerchantUnknown),
        (SetFeePlan { from: date("2026-03-04"), ..good.clone() }, RefusalCode::ValueInvalid),
    ];
    for (command, code) in table {
        let refused = kit.when_approved(Command::SetFeePlan(command)).unwrap_err();
        assert_eq!(refused.code, code, "{refused}");
    }
    kit.refused(Command::SetFeePlan(good.clone()), RefusalCode::ApprovalRequired);
    set(&mut kit, good.clone());
    for of in [FeeOf::Order, FeeOf::Payout] {
        set(&mut kit, SetFeePlan { of, ..good.clone() });
    }
    set(&mut kit, SetFeePlan { owner: users(), ..good.clone() });
    assert_eq!(kit.when_approved(Command::SetFeePlan(good)).unwrap_err().code, RefusalCode::AlreadyExists);
}

#[test]
fn a_plan_of_orders_is_written_as_it_was_before_there_were_others() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let written = |kit: &mut Kit, of| {
        let id = set(kit, priced(merchant.into(), of, DAY));
        let plan = kit.state.fee_plans.get(id.0).unwrap();
        let bytes = minicbor::to_vec(plan).unwrap();
        assert_eq!(&minicbor::decode::<FeePlan>(&bytes).unwrap(), plan);
        bytes
    };
    let (order, withdrawal) = (written(&mut kit, FeeOf::Order), written(&mut kit, FeeOf::Withdrawal));
    let fields = |bytes: &[u8]| bytes.first().map(|head| head & 0x1f);
    assert_eq!((fields(&order), fields(&withdrawal)), (Some(11), Some(12)), "an array of as many");
    assert_eq!(order.get(2).map(|byte| u64::from(*byte)), Some(merchant.0), "the merchant's number");
}
