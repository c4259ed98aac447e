//! Receivers of splits: registered, said anew, removed; what a split may pay them.

use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::command::Command;
use crate::ids::OrderId;
use crate::merchant::MerchantKind;
use crate::order::ItemKind;
use crate::split::{MakeSplit, Parts, SplitPart};
use crate::testkit::orders::card;
use crate::testkit::{Kit, success};

fn register(payee: MerchantId, receiver: MerchantId, max_share: Option<Minor>) -> Command {
    let relation = Relation::Agent;
    Command::Receiver(ReceiverCommand::Register(RegisterReceiver { payee, receiver, relation, max_share }))
}

fn remove(id: u64) -> Command {
    Command::Receiver(ReceiverCommand::Remove(ReceiverId(id)))
}

fn split(order: OrderId, number: &str, receiver: MerchantId, amount: Minor) -> Command {
    let parts = Parts::Amounts(vec![SplitPart { merchant: receiver, amount }]);
    Command::MakeSplit(MakeSplit { order, out_split_no: number.into(), parts, return_order: vec![] })
}

/// An agency with a paid order of 10,000 without fee, and an agent.
fn world() -> (Kit, MerchantId, MerchantId, OrderId) {
    let mut kit = Kit::new();
    let (agency, agent) = (kit.merchant(MerchantKind::Agency, 0), kit.merchant(MerchantKind::Agent, 0));
    let order = kit.order(agency, &[(ItemKind::Commission, 10_000)]);
    kit.pay(order, vec![card(10_000)]);
    kit.answered(success("2026-03-05"));
    (kit, agency, agent, order)
}

#[test]
fn a_split_to_who_is_not_registered_names_the_receiver_and_the_remedy() {
    let (mut kit, agency, agent, order) = world();
    let refusal = kit.when(split(order, "s-1", agent, 1)).unwrap_err();
    assert_eq!((refusal.code, &*refusal.param), (RefusalCode::ReceiverNotRegistered, "parts"));
    assert!(refusal.message.contains(&agent.to_string()), "{}", refusal.message);
    assert!(refusal.message.ends_with("register it there first"), "{}", refusal.message);
    // The other way round is another registration.
    kit.given(register(agent, agency, None));
    kit.refused(split(order, "s-1", agent, 1), RefusalCode::ReceiverNotRegistered);
    kit.given(register(agency, agent, None));
    kit.given(split(order, "s-1", agent, 10_000));
    assert_eq!((kit.pending(agency), kit.pending(agent)), (0, 10_000));
    kit.restore();
}

#[test]
fn the_largest_share_is_of_the_order_over_all_its_splits() {
    let (mut kit, agency, agent, order) = world();
    kit.given(register(agency, agent, Some(300_000)));
    kit.refused(split(order, "s-1", agent, 3_001), RefusalCode::SplitAmount);
    kit.given(split(order, "s-1", agent, 2_000));
    kit.refused(split(order, "s-2", agent, 1_001), RefusalCode::SplitAmount);
    kit.given(split(order, "s-2", agent, 1_000));
    let refusal = kit.when(split(order, "s-3", agent, 1)).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::SplitAmount);
    assert!(refusal.message.contains("3000"), "{}", refusal.message);
    // Registered again with another share it is the same row, and that share is asked from now on.
    kit.given(register(agency, agent, Some(300_100)));
    kit.given(split(order, "s-3", agent, 1));
    kit.refused(split(order, "s-4", agent, 1), RefusalCode::SplitAmount);
    kit.given(register(agency, agent, None));
    kit.given(split(order, "s-4", agent, 6_999));
    assert_eq!((kit.state.split_receivers.len(), kit.pending(agent)), (1, 10_000));
    kit.restore();
}

#[test]
fn who_is_removed_keeps_and_returns_what_was_split() {
    let (mut kit, agency, agent, order) = world();
    kit.given(register(agency, agent, None));
    kit.given(split(order, "s-1", agent, 4_000));
    kit.given(remove(1));
    kit.refused(split(order, "s-2", agent, 1), RefusalCode::ReceiverNotRegistered);
    kit.refused(remove(1), RefusalCode::ReceiverNotRegistered);
    kit.refused(remove(2), RefusalCode::ReceiverUnknown);
    assert_eq!(kit.pending(agent), 4_000);
    kit.refund(order, 1_000, true);
    assert_eq!((kit.pending(agency), kit.pending(agent)), (6_000, 3_000));
    kit.restore();
    let row = kit.state.split_receiver(ReceiverId(1)).unwrap();
    assert_eq!((row.status(), row.removed.is_some(), row.allowed_actions().len()), ("removed", true, 0));
    kit.given(register(agency, agent, None));
    kit.given(split(order, "s-2", agent, 1));
    let row = kit.state.split_receiver(ReceiverId(1)).unwrap();
    assert_eq!((row.status(), row.allowed_actions()), ("registered", &["remove"][..]));
}

#[test]
fn a_receiver_is_another_merchant_with_a_share() {
    let (mut kit, agency, agent, _) = world();
    kit.refused(register(agency, agency, None), RefusalCode::ReceiverNotAllowed);
    kit.refused(register(agency, MerchantId(99), None), RefusalCode::MerchantUnknown);
    kit.refused(register(MerchantId(99), agent, None), RefusalCode::MerchantUnknown);
    for share in [0, -1, RATE_WHOLE + 1] {
        kit.refused(register(agency, agent, Some(share)), RefusalCode::ValueInvalid);
    }
    kit.given(register(agency, agent, Some(RATE_WHOLE)));
    let row = kit.state.split_receiver(ReceiverId(1)).unwrap();
    assert_eq!((row.most_of(1), row.most_of(Minor::MAX)), (Some(1), Some(Minor::MAX)));
}
