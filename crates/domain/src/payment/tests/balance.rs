//! Orders paid from the payer's own balance: their entries to the cent, every refusal, refunds, limits.

use alloc::vec::Vec;

use super::*;
use crate::account::{OpenAccount, Owner};
use crate::book::Side;
use crate::chargeback::{ChargebackCommand, ReceiveChargeback};
use crate::hold::PlaceHold;
use crate::ids::AccountId;
use crate::limit::{AccountClass, Factors};
use crate::money::Currency;
use crate::recall::Leaves;
use crate::refund::{CreateRefund, ItemRefund};
use crate::split::{MakeSplit, Parts, SplitPart};
use crate::testkit::orders::balance;

const DAY: &str = "2026-03-05";

/// Who holds an account.
fn payer_of(kit: &Kit, account: AccountId) -> crate::ids::UserId {
    let Owner::User(payer) = kit.state.account(account, "account").unwrap().owner else { panic!("a user's account") };
    payer
}

/// An order that the holder of a wallet pays.
fn bought(kit: &mut Kit, merchant: MerchantId, wallet: AccountId, amount: Minor) -> OrderId {
    let payer = payer_of(kit, wallet);
    let items = [(ItemKind::Rent, amount - amount / 5), (ItemKind::Deposit, amount / 5)];
    let items: Vec<_> = items.into_iter().filter(|(_, amount)| *amount > 0).collect();
    let command = CreateOrder { payer, ..kit.create_order(merchant, &items) };
    kit.order_of(command)
}

fn pays(order: OrderId, instruments: Vec<Instrument>) -> Command {
    Command::PayOrder { order, instruments }
}

/// A wallet of 1,000 yuan, and 500 of it paid to a landlord.
fn paid(kit: &mut Kit) -> (AccountId, MerchantId, OrderId) {
    let (wallet, merchant) = (kit.wallet(100_000), kit.landlord());
    let order = bought(kit, merchant, wallet, 50_000);
    kit.pay(order, vec![balance(wallet, 50_000)]);
    (wallet, merchant, order)
}

#[test]
fn order_500_with_fee_1_from_the_balance() {
    let mut kit = Kit::new();
    let (wallet, merchant, order) = paid(&mut kit);
    let own = |subject| kit.state.institution(subject, Currency::Cny).unwrap();
    let pending = kit.state.merchant(merchant).unwrap().pending;
    assert_eq!(
        kit.last_voucher(),
        [
            (wallet, Side::Debit, 50_000),
            (pending, Side::Credit, 49_900),
            (own(Subject::DueToOwn), Side::Credit, 100),
            (own(Subject::DueFromReserve), Side::Debit, 100),
            (own(Subject::FeeIncome), Side::Credit, 100),
        ]
    );
    kit.books(&[(1121, 100_000), (2291, 100), (1291, 100), (5001, 100)]);
    assert_eq!((kit.status(order), kit.legs(order)), (OrderStatus::Success, vec![LegStatus::Captured]));
    assert_eq!((kit.outbox().len(), kit.state.attempts.iter().count()), (0, 0), "no channel is asked");
    let voucher = kit.posted().last().unwrap();
    let dimensions = voucher.dimensions.clone().unwrap();
    assert_eq!((voucher.event, dimensions.merchant), (EventCode::PaymentCaptured, Some(merchant)));
    assert_eq!((dimensions.channel, dimensions.clearing_date), (None, None));
    kit.restore();
    assert_eq!((kit.balance(wallet), kit.pending(merchant)), (50_000, 49_900));
}

#[test]
fn no_clearing_file_gates_its_settlement() {
    let mut kit = Kit::new();
    let (_, merchant, order) = paid(&mut kit);
    let row = kit.state.order(order).unwrap();
    assert_eq!(row.due, Some(date("2026-03-06")));
    let leg = kit.state.leg(row.legs[0]).unwrap();
    assert_eq!((leg.cleared, leg.captured_by, leg.is_closed()), (Some(date(DAY)), None, true));
    kit.on("2026-03-06");
    kit.settle(merchant);
    assert_eq!((kit.pending(merchant), kit.available(merchant)), (0, 49_900));
    assert!(kit.state.order(order).unwrap().is_settled());
}

#[test]
fn an_order_is_created_and_paid_by_one_command_or_neither() {
    let mut kit = Kit::new();
    let (wallet, merchant) = (kit.wallet(50_000), kit.landlord());
    let payer = payer_of(&kit, wallet);
    let items = [(ItemKind::HousePrice, 50_000)];
    let create = |kit: &mut Kit| CreateOrder {
        payer,
        instruments: vec![balance(wallet, 50_000)],
        ..kit.create_order(merchant, &items)
    };
    let command = create(&mut kit);
    let order = kit.order_of(command);
    assert_eq!((kit.status(order), kit.balance(wallet)), (OrderStatus::Success, 0));
    let command = create(&mut kit);
    kit.refused(Command::CreateOrder(command), RefusalCode::InsufficientFunds);
    assert_eq!(kit.state.orders.iter().count(), 1);
}

#[test]
fn what_does_not_pay_is_refused_and_moves_nothing() {
    let mut kit = Kit::new();
    let (wallet, other, merchant) = (kit.wallet(50_000), kit.wallet(50_000), kit.landlord());
    let owner = Owner::User(payer_of(&kit, wallet));
    let second = kit.second_wallet(wallet, 50_000);
    let (closed, company) = (kit.account(Subject::Personal, owner), kit.account(Subject::Company, owner));
    kit.given(Command::CloseAccount(closed));
    let dollars = OpenAccount { subject: Subject::Personal, currency: Currency::Usd, owner, overdraft: false };
    let Reply::Account(dollars) = kit.given(Command::OpenAccount(dollars)) else { panic!("an account was opened") };
    let pending = kit.state.merchant(merchant).unwrap().pending;
    let order = bought(&mut kit, merchant, wallet, 50_000);
    let events = kit.events.len();
    let one = |account| vec![balance(account, 50_000)];
    let table = [
        (one(other), RefusalCode::AccountNotOwn),
        // The same person's, but another user's, whose password is another.
        (one(second), RefusalCode::AccountNotOwn),
        (one(pending), RefusalCode::AccountNotOwn),
        (one(AccountId(9_999)), RefusalCode::AccountUnknown),
        (one(closed), RefusalCode::AccountClosed),
        (one(company), RefusalCode::SubjectNotAllowed),
        (one(dollars), RefusalCode::CurrencyMismatch),
        (vec![balance(wallet, 49_999)], RefusalCode::OrderAmount),
        (vec![balance(wallet, 0)], RefusalCode::AmountNotPositive),
        (vec![balance(wallet, 10_000), fund(40_000)], RefusalCode::InstrumentNotAllowed),
        (vec![card(10_000), balance(wallet, 40_000)], RefusalCode::InstrumentNotAllowed),
        (vec![balance(wallet, 25_000), balance(wallet, 25_000)], RefusalCode::InstrumentNotAllowed),
    ];
    for (instruments, code) in table {
        kit.refused(pays(order, instruments), code);
    }
    assert_eq!((kit.events.len(), kit.status(order)), (events, OrderStatus::Created));
    kit.pay(order, one(wallet));
    kit.refused(pays(order, one(wallet)), RefusalCode::OrderState);
    assert_eq!(kit.balance(wallet), 0);
}

#[test]
fn what_is_held_or_barred_does_not_pay() {
    let mut kit = Kit::new();
    let (wallet, merchant) = (kit.wallet(50_000), kit.landlord());
    let order = bought(&mut kit, merchant, wallet, 50_000);
    let bar = |account, in_barred, out_barred| {
        let restriction = Restriction { in_barred, out_barred };
        Command::RestrictAccount { account, restriction }
    };
    kit.given(bar(wallet, false, true));
    kit.refused(pays(order, vec![balance(wallet, 50_000)]), RefusalCode::AccountRestricted);
    kit.given(bar(wallet, false, false));
    let pending = kit.state.merchant(merchant).unwrap().pending;
    kit.given(bar(pending, true, false));
    kit.refused(pays(order, vec![balance(wallet, 50_000)]), RefusalCode::AccountRestricted);
    kit.given(bar(pending, false, false));
    let expires_at = kit.now.plus_ms(60_000);
    let hold = PlaceHold { account: wallet, amount: 1, currency: Currency::Cny, expires_at };
    let Reply::Hold(hold) = kit.given(Command::PlaceHold(hold)) else { panic!("a hold was placed") };
    kit.refused(pays(order, vec![balance(wallet, 50_000)]), RefusalCode::InsufficientFunds);
    let Err(refusal) = kit.when(pays(order, vec![balance(wallet, 50_000)])) else { panic!("a fen is held") };
    assert!(!refusal.message.contains("49999"), "a merchant is not told what is there: {refusal}");
    assert_eq!((kit.balance(wallet), kit.status(order)), (50_000, OrderStatus::Created));
    kit.given(Command::CancelHold(hold));
    kit.pay(order, vec![balance(wallet, 50_000)]);
    assert_eq!((kit.balance(wallet), kit.status(order)), (0, OrderStatus::Success));
}

#[test]
fn refunds_are_back_on_the_balance_at_once_and_never_more_than_was_paid() {
    let mut kit = Kit::new();
    let (wallet, merchant, order) = paid(&mut kit);
    let refund = kit.refund(order, 25_000, true);
    assert_eq!((kit.balance(wallet), kit.pending(merchant)), (75_000, 24_950));
    kit.books(&[(1121, 100_000), (2291, 50), (1291, 50), (5001, 50)]);
    let row = kit.state.refund(refund).unwrap();
    assert_eq!(
        (row.status, row.fee, row.succeeded(), row.ended_at),
        (RefundStatus::Success, 50, 25_000, Some(kit.now))
    );
    assert_eq!((row.parts[0].rail, row.parts[0].attempt), (None, None));
    let codes: Vec<_> = kit.posted().map(|voucher| voucher.event).collect();
    assert_eq!(codes[codes.len() - 2..], [EventCode::RefundStarted, EventCode::RefundSucceeded]);
    assert_eq!(kit.state.attempts.iter().count(), 0, "no channel is asked");

    let of_items = |kit: &Kit, amount, items| {
        Command::CreateRefund(CreateRefund { items, ..kit.create_refund(order, amount, true) })
    };
    // Rent 400, deposit 100.
    let command = of_items(&kit, 10_001, vec![ItemRefund { item: 1, amount: 10_001 }]);
    kit.refused(command, RefusalCode::RefundExceeded);
    let command = of_items(&kit, 10_000, vec![ItemRefund { item: 1, amount: 10_000 }]);
    kit.given(command);
    let command = kit.create_refund(order, 15_001, true);
    kit.refused(Command::CreateRefund(command), RefusalCode::RefundExceeded);
    kit.refund(order, 15_000, true);
    kit.books(&[(1121, 100_000)]);
    assert_eq!((kit.balance(wallet), kit.pending(merchant)), (100_000, 0));
    assert_eq!(kit.actions(order), Vec::<&str>::new());
    kit.restore();
    assert_eq!(kit.state.order(order).unwrap().refunded, 50_000);
}

#[test]
fn receivers_of_a_split_return_their_parts_after_settlement() {
    let mut kit = Kit::new();
    let (wallet, merchant, order) = paid(&mut kit);
    let agent = kit.landlord();
    kit.receives(merchant, agent);
    let parts = Parts::Amounts(vec![SplitPart { merchant: agent, amount: 9_900 }]);
    kit.given(Command::MakeSplit(MakeSplit { order, out_split_no: "s-1".into(), parts, return_order: vec![] }));
    kit.on("2026-03-06");
    kit.settle(merchant);
    kit.settle(agent);
    kit.refund(order, 10_000, false);
    assert_eq!((kit.available(agent), kit.available(merchant), kit.balance(wallet)), (0, 39_900, 60_000));
    kit.books(&[(1121, 100_000), (2291, 100), (1291, 100), (5001, 100)]);
}

#[test]
fn an_account_that_takes_nothing_refuses_its_refund_and_the_merchant_keeps_the_money() {
    let mut kit = Kit::new();
    let (wallet, merchant) = (kit.wallet(50_000), kit.landlord());
    let order = bought(&mut kit, merchant, wallet, 50_000);
    kit.pay(order, vec![balance(wallet, 50_000)]);
    let refund = Command::CreateRefund(kit.create_refund(order, 1_000, false));
    let barred = Restriction { in_barred: true, out_barred: false };
    kit.given(Command::RestrictAccount { account: wallet, restriction: barred });
    kit.refused(refund.clone(), RefusalCode::AccountRestricted);
    kit.given(Command::RestrictAccount { account: wallet, restriction: Restriction::default() });
    kit.given(Command::CloseAccount(wallet));
    kit.refused(refund, RefusalCode::AccountClosed);
    assert_eq!((kit.pending(merchant), kit.own(Subject::RefundTransit)), (49_900, 0));
}

#[test]
fn limits_count_what_is_paid_and_not_what_is_refunded() {
    let mut kit = Kit::new();
    let (wallet, merchant) = (kit.wallet(200_000), kit.landlord());
    kit.classed(wallet, AccountClass::One);
    let order = bought(&mut kit, merchant, wallet, 100_000);
    kit.pay(order, vec![balance(wallet, 100_000)]);
    let next = bought(&mut kit, merchant, wallet, 40_000);
    kit.refused(pays(next, vec![balance(wallet, 40_000)]), RefusalCode::LimitExceeded);
    kit.refund(order, 40_000, false);
    assert_eq!(kit.state.account_limit(wallet).since_opening, 60_000);
    kit.pay(next, vec![balance(wallet, 40_000)]);
    assert_eq!((kit.balance(wallet), kit.state.account_limit(wallet).since_opening), (100_000, 100_000));
}

#[test]
fn the_day_binds_by_factors() {
    let mut kit = Kit::new();
    let (wallet, merchant) = (kit.wallet(200_000), kit.landlord());
    let order = bought(&mut kit, merchant, wallet, 100_001);
    let proved = |factors| vec![Instrument::Balance { account: wallet, amount: 100_001, factors }];
    kit.refused(pays(order, proved(Factors::Fewer)), RefusalCode::LimitExceeded);
    kit.pay(order, proved(Factors::Two));
    let today = kit.state.customer_use(kit.holder(wallet), date(DAY));
    assert_eq!((today.fewer_factors, today.two_factors, today.year_used), (0, 100_001, 100_001));
    kit.refund(order, 50_000, false);
    let today = kit.state.customer_use(kit.holder(wallet), date(DAY));
    assert_eq!((today.two_factors, today.year_used), (50_001, 50_001));
}

#[test]
fn no_bank_charges_it_back() {
    let mut kit = Kit::new();
    let (_, _, order) = paid(&mut kit);
    let leg = kit.state.order(order).unwrap().legs[0];
    let (case_number, reason) = ("case-1".into(), "4837".into());
    let command = ReceiveChargeback { leg, case_number, reason, amount: 1, currency: Currency::Cny };
    let command = Command::Chargeback(ChargebackCommand::Receive(command));
    kit.refused(command, RefusalCode::InstrumentNotAllowed);
}
