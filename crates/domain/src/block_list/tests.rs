//! Block lists: who is refused, how long, and what never is.

use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::approval::Proposal;
use crate::order::{CreateOrder, ItemKind};
use crate::testkit::orders::card;
use crate::testkit::wallets::{asks, makes, tops_up, tops_up_by_page, transfer, under, withdraws};
use crate::testkit::{Kit, success};
use crate::top_up::CreateTopUp;
use crate::transfer::MakeTransfer;

const YUAN: i64 = 100;

fn removes(entry: BlockEntryId) -> Command {
    let reason = String::from("mistaken identity");
    Command::BlockList(BlockListCommand::Remove(RemoveBlock { entry, reason }))
}

fn adds(blocked: Blocked) -> AddBlock {
    AddBlock { blocked, reason: String::from("fraud"), source: String::from("police"), until: None }
}

#[test]
fn a_customer_pays_nothing_and_is_paid_nothing_until_two_people_remove_it() {
    let mut kit = Kit::new();
    let (own, other) = (kit.wallet(5_000 * YUAN), kit.wallet(5_000 * YUAN));
    let held = kit.pays_out(crate::payout::CreatePayout { send_now: false, ..withdraws(own, 100, 0) });
    let customer = kit.holder(own);
    let entry = kit.blocks(Blocked::Customer(customer));
    let commands = [
        Command::CreatePayout(withdraws(own, 100, 0)),
        makes(transfer(own, other, 100)),
        makes(transfer(other, own, 100)),
        asks(tops_up(own, 100)),
    ];
    for command in commands.clone() {
        kit.refused(command, RefusalCode::Blocked);
    }
    kit.restore();
    kit.refused(commands[0].clone(), RefusalCode::Blocked);
    let refusal = kit.when(commands[1].clone()).unwrap_err();
    assert!(!refusal.message.contains("customer") && !refusal.message.contains("fraud"), "{refusal}");
    kit.given(Command::SendPayout(held));

    kit.refused(removes(entry), RefusalCode::ApprovalRequired);
    kit.approved(removes(entry));
    for command in commands {
        kit.given(command);
    }
    let row = kit.state.block_entry(entry).unwrap();
    let removal = row.removed.as_ref().unwrap();
    assert_eq!(
        (row.put_by.as_str(), removal.by.as_str(), removal.approver.as_deref()),
        ("tester", "maker", Some("checker"))
    );
    assert_eq!(kit.when_approved(removes(entry)).unwrap_err().code, RefusalCode::BlockEntryState);
    assert!(row_actions(&kit, entry).is_empty());
}

fn row_actions(kit: &Kit, entry: BlockEntryId) -> &'static [&'static str] {
    kit.state.block_entry(entry).unwrap().allowed_actions()
}

#[test]
fn an_entry_with_an_end_blocks_until_then() {
    let mut kit = Kit::new();
    let own = kit.wallet(5_000 * YUAN);
    let until = Some(kit.now.plus_ms(1_000));
    let add = AddBlock { until, ..adds(Blocked::Customer(kit.holder(own))) };
    kit.given(Command::BlockList(BlockListCommand::Add(add)));
    kit.later(999);
    kit.refused(asks(tops_up(own, 100)), RefusalCode::Blocked);
    kit.later(1);
    kit.given(asks(tops_up(own, 100)));
}

#[test]
fn one_of_several_entries_is_enough() {
    let mut kit = Kit::new();
    let own = kit.wallet(5_000 * YUAN);
    let customer = kit.holder(own);
    let [first, second] = [kit.blocks(Blocked::Customer(customer)), kit.blocks(Blocked::Customer(customer))];
    kit.approved(removes(first));
    kit.refused(asks(tops_up(own, 100)), RefusalCode::Blocked);
    kit.approved(removes(second));
    kit.given(asks(tops_up(own, 100)));
}

#[test]
fn cards_and_devices_are_asked_where_the_command_names_them() {
    let mut kit = Kit::new();
    let (own, other) = (kit.wallet(5_000 * YUAN), kit.wallet(0));
    kit.blocks(Blocked::Card("card-1".to_string()));
    kit.refused(Command::CreatePayout(withdraws(own, 100, 0)), RefusalCode::Blocked);
    kit.given(asks(tops_up(own, 100)));
    kit.blocks(Blocked::Card("agreement-1".to_string()));
    kit.refused(asks(tops_up(own, 100)), RefusalCode::Blocked);

    kit.blocks(Blocked::Device("device-1".to_string()));
    let device = Some("device-1".to_string());
    kit.refused(
        asks(CreateTopUp { device: device.clone(), from: under("agreement-2"), ..tops_up(own, 100) }),
        RefusalCode::Blocked,
    );
    let by_page = tops_up_by_page(own, 100);
    kit.refused(asks(CreateTopUp { device: device.clone(), ..by_page.clone() }), RefusalCode::Blocked);
    kit.given(asks(by_page));
    kit.refused(makes(MakeTransfer { device, ..transfer(own, other, 100) }), RefusalCode::Blocked);
    kit.given(makes(MakeTransfer { device: Some("device-2".to_string()), ..transfer(own, other, 100) }));
    kit.given(asks(CreateTopUp { from: under("agreement-2"), ..tops_up(own, 100) }));
    kit.blocks(Blocked::Terminal("device-2".to_string()));
    kit.given(makes(MakeTransfer { device: Some("device-2".to_string()), ..transfer(own, other, 100) }));
}

#[test]
fn a_merchant_sells_nothing_and_withdraws_nothing() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let paid = kit.paid_rent(merchant, 5_000);
    let account = kit.state.merchant(merchant).unwrap().available;
    kit.fund(account, 1_000);
    let open = kit.order(merchant, &[(ItemKind::Rent, 100)]);
    kit.blocks(Blocked::Merchant(merchant));
    let order = kit.create_order(merchant, &[(ItemKind::Rent, 100)]);
    kit.refused(Command::CreateOrder(order), RefusalCode::Blocked);
    kit.refused(Command::PayOrder { order: open, instruments: vec![card(100)] }, RefusalCode::Blocked);
    let to = crate::payout::PayTo::Settlement;
    let payout = crate::payout::CreatePayout { to, ..withdraws(account, 100, 0) };
    kit.refused(Command::CreatePayout(payout), RefusalCode::Blocked);
    // Money goes back to its payer all the same.
    kit.given(Command::CreateRefund(crate::refund::CreateRefund {
        order: paid,
        out_refund_no: "refund-1".to_string(),
        amount: 100,
        return_fee: false,
        take_from: vec![],
        items: vec![],
        legs: vec![],
    }));
    kit.answered(success("2026-03-05"));
}

#[test]
fn a_payer_and_the_card_that_pays_are_asked_for_orders() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let command = kit.create_order(merchant, &[(ItemKind::Rent, 100)]);
    let open = kit.order_of(command.clone());
    let customer = kit.state.user(command.payer).unwrap().customer;
    let entry = kit.blocks(Blocked::Customer(customer));
    let again = CreateOrder { out_trade_no: "again".to_string(), ..command };
    let pay = Command::PayOrder { order: open, instruments: vec![card(100)] };
    kit.refused(Command::CreateOrder(again.clone()), RefusalCode::Blocked);
    kit.refused(pay.clone(), RefusalCode::Blocked);
    kit.approved(removes(entry));
    kit.given(Command::CreateOrder(again));
    kit.blocks(Blocked::Card("agreement-1".to_string()));
    kit.refused(pay, RefusalCode::Blocked);
}

#[test]
fn bad_entries_are_refused() {
    let mut kit = Kit::new();
    let good = adds(Blocked::Device("device-1".to_string()));
    let past = Some(kit.now);
    let table = [
        (adds(Blocked::Customer(CustomerId(9))), RefusalCode::CustomerUnknown),
        (adds(Blocked::Merchant(MerchantId(9))), RefusalCode::MerchantUnknown),
        (adds(Blocked::Card(String::new())), RefusalCode::ValueInvalid),
        (adds(Blocked::Card("6222020200112230".to_string())), RefusalCode::ValueInvalid),
        (adds(Blocked::Card("6222 0202 0011 2230".to_string())), RefusalCode::ValueInvalid),
        (adds(Blocked::Terminal(" ".to_string())), RefusalCode::ValueInvalid),
        (adds(Blocked::Device("x".repeat(129))), RefusalCode::ValueInvalid),
        (AddBlock { reason: String::new(), ..good.clone() }, RefusalCode::ValueInvalid),
        (AddBlock { source: String::new(), ..good.clone() }, RefusalCode::ValueInvalid),
        (AddBlock { until: past, ..good.clone() }, RefusalCode::ValueInvalid),
    ];
    for (add, code) in table {
        kit.refused(Command::BlockList(BlockListCommand::Add(add)), code);
    }
    let unknown = kit.when_approved(removes(BlockEntryId(1))).unwrap_err();
    assert_eq!(unknown.code, RefusalCode::BlockEntryUnknown);
    let entry = kit.blocks(good.blocked);
    let remove = RemoveBlock { entry, reason: String::new() };
    let refusal = kit.when_approved(Command::BlockList(BlockListCommand::Remove(remove))).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::ValueInvalid);
}

#[test]
fn two_people_of_risk_remove_an_entry_through_an_approval() {
    let mut kit = Kit::new();
    kit.people();
    let own = kit.wallet(1_000);
    let entry = kit.blocks(Blocked::Customer(kit.holder(own)));
    let reason = String::from("mistaken identity");
    let Reply::BlockEntry(removed) = kit.decided("risk", Proposal::RemoveBlock(RemoveBlock { entry, reason })) else {
        panic!("an entry was removed")
    };
    assert_eq!(removed, entry);
    kit.given(asks(tops_up(own, 100)));
}
