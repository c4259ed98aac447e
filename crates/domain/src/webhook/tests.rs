//! Webhooks: what a merchant may register, and which events are announced to whom.

use alloc::vec;

use super::*;
use crate::attempt::{FailureClass, Rail};
use crate::calendar::Date;
use crate::command::Command;
use crate::order::ItemKind;
use crate::payout::{CreatePayout, PayTo};
use crate::testkit::orders::card;
use crate::testkit::{Kit, date, declined, success};

const URL: &str = "https://shop.example/hooks";

fn registers(merchant: MerchantId, kinds: &[WebhookKind]) -> RegisterWebhook {
    let algorithm = CertificateAlgorithm::Sm2WithSm3;
    RegisterWebhook { merchant, url: String::from(URL), kinds: kinds.to_vec(), algorithm }
}

fn register(command: RegisterWebhook) -> Command {
    Command::Webhook(WebhookCommand::Register(command))
}

fn change(webhook: u64) -> ChangeWebhook {
    ChangeWebhook { webhook: WebhookId(webhook), url: None, kinds: None, algorithm: None, enabled: None }
}

fn changes(command: ChangeWebhook) -> Command {
    Command::Webhook(WebhookCommand::Change(command))
}

fn told(kit: &mut Kit) -> Vec<(u64, &'static str)> {
    core::mem::take(&mut kit.announced).iter().map(|told| (told.webhook.0, told.kind.name())).collect()
}

/// A merchant whose webhook is told everything.
fn listening() -> (Kit, MerchantId) {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    kit.given(register(registers(merchant, &WebhookKind::ALL)));
    (kit, merchant)
}

#[test]
fn a_webhook_is_registered_changed_and_removed_for_ever() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    kit.given(register(registers(
        merchant,
        &[WebhookKind::RefundFailed, WebhookKind::OrderPaid, WebhookKind::OrderPaid],
    )));
    kit.restore();
    let row = kit.state.webhook(WebhookId(1)).unwrap();
    assert_eq!(row.kinds, [WebhookKind::OrderPaid, WebhookKind::RefundFailed]);
    assert_eq!((row.status, row.registered_by.as_str()), (WebhookStatus::Enabled, "tester"));

    kit.later(5);
    kit.given(changes(ChangeWebhook { enabled: Some(false), url: Some("https://b.example/".into()), ..change(1) }));
    kit.refused(changes(ChangeWebhook { enabled: Some(false), ..change(1) }), RefusalCode::ValueInvalid);
    let row = kit.state.webhook(WebhookId(1)).unwrap();
    assert_eq!(
        (row.status, row.url.as_str(), row.changed_at),
        (WebhookStatus::Disabled, "https://b.example/", kit.now)
    );

    kit.given(Command::Webhook(WebhookCommand::Remove(WebhookId(1))));
    kit.refused(changes(ChangeWebhook { enabled: Some(true), ..change(1) }), RefusalCode::WebhookState);
    kit.refused(Command::Webhook(WebhookCommand::Remove(WebhookId(1))), RefusalCode::WebhookState);
    kit.refused(Command::Webhook(WebhookCommand::Remove(WebhookId(9))), RefusalCode::WebhookUnknown);
    assert!(kit.state.webhook(WebhookId(1)).unwrap().allowed_actions().is_empty());
}

#[test]
fn what_nobody_could_be_told_by_is_refused() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let good = || registers(merchant, &[WebhookKind::OrderPaid]);
    kit.refused(register(RegisterWebhook { kinds: vec![], ..good() }), RefusalCode::ValueInvalid);
    kit.refused(register(RegisterWebhook { merchant: MerchantId(99), ..good() }), RefusalCode::MerchantUnknown);
    let long = format!("https://{}", "x".repeat(MAX_URL));
    for url in ["ftp://shop.example/", "shop.example", long.as_str()] {
        kit.refused(register(RegisterWebhook { url: url.into(), ..good() }), RefusalCode::WebhookUrl);
    }
    // The kit's books are a sandbox's.
    kit.given(register(RegisterWebhook { url: "http://127.0.0.1:8080/".into(), ..good() }));
    kit.state.genesis.as_mut().unwrap().sandbox = false;
    kit.refused(register(RegisterWebhook { url: "http://shop.example/".into(), ..good() }), RefusalCode::WebhookUrl);
}

#[test]
fn a_merchant_has_so_many_at_a_time() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    for _ in 0..MAX_LIVE {
        kit.given(register(registers(merchant, &[WebhookKind::OrderPaid])));
    }
    kit.refused(register(registers(merchant, &[WebhookKind::OrderPaid])), RefusalCode::WebhooksTooMany);
    kit.given(Command::Webhook(WebhookCommand::Remove(WebhookId(1))));
    kit.given(register(registers(merchant, &[WebhookKind::OrderPaid])));
}

#[test]
fn an_order_and_its_refund_are_announced_as_they_end() {
    let (mut kit, merchant) = listening();
    let order = kit.paid_rent(merchant, 5_000);
    let position = kit.state.position;
    let told_of = kit.announced.pop().unwrap();
    assert_eq!((told_of.merchant, told_of.kind, kit.announced.len()), (merchant, WebhookKind::OrderPaid, 0));
    assert!(
        told_of.position <= position
            && matches!(kit.events[usize::try_from(told_of.position).unwrap() - 1],
        Event::OrderSucceeded { order: paid, .. } if paid == order),
        "the event's own position"
    );
    let Announced::Order { id, amount, fee, failure, .. } = told_of.object else { panic!("an order was paid") };
    assert_eq!((id, amount, fee, failure), (order, 5_000, 10, None));

    kit.refund(order, 2_000, true);
    assert_eq!(told(&mut kit), []);
    kit.answered(declined(FailureClass::Bank));
    let failed = kit.announced.pop().unwrap();
    assert!(matches!(failed.object, Announced::Refund { amount: 2_000, refunded: 0, .. }), "{failed:?}");
    kit.refund(order, 2_000, true);
    kit.answered(success("2026-03-05"));
    let done = kit.announced.pop().unwrap();
    assert_eq!((failed.kind, done.kind), (WebhookKind::RefundFailed, WebhookKind::RefundSucceeded));
    assert!(matches!(done.object, Announced::Refund { amount: 2_000, refunded: 2_000, .. }), "{done:?}");

    let closed = kit.order(merchant, &[(ItemKind::Rent, 700)]);
    kit.given(Command::CloseOrder(closed));
    let failed = kit.order(merchant, &[(ItemKind::Rent, 700)]);
    kit.pay(failed, vec![card(700)]);
    kit.answered(declined(FailureClass::User));
    assert_eq!(told(&mut kit), [(1, "order.closed"), (1, "order.failed")]);
}

#[test]
fn settlements_and_payouts_of_the_merchant_are_announced() {
    let (mut kit, merchant) = listening();
    kit.paid_rent(merchant, 500_000);
    kit.clear(Rail::Epcc, "2026-03-05");
    kit.on("2026-03-06");
    kit.settle(merchant);
    assert_eq!(told(&mut kit), [(1, "order.paid"), (1, "settlement.made")]);
    let account = kit.state.merchant(merchant).unwrap().available;
    let payout = CreatePayout {
        account,
        to: PayTo::Settlement,
        amount: 1_000,
        fee: 1,
        currency: crate::money::Currency::Cny,
        send_now: true,
    };
    kit.given(Command::CreatePayout(payout.clone()));
    kit.answered(declined(FailureClass::Bank));
    let failed = kit.announced.pop().unwrap();
    assert!(matches!(failed.object, Announced::Payout { failure: Some(FailureClass::Bank), amount: 1_000, .. }));
    kit.given(Command::CreatePayout(payout));
    kit.answered(success("2026-03-06"));
    assert_eq!(told(&mut kit), [(1, "payout.succeeded")]);
    let back =
        Command::ReturnPayout { payout: crate::ids::PayoutId(2), reference: "back".into(), date: date("2026-03-06") };
    kit.given(back);
    assert_eq!(told(&mut kit), [(1, "payout.returned")]);
}

#[test]
fn only_enabled_webhooks_of_the_merchant_that_want_the_kind_are_told() {
    let (mut kit, merchant) = listening();
    let other = kit.landlord();
    kit.given(register(registers(other, &WebhookKind::ALL)));
    kit.given(register(registers(merchant, &[WebhookKind::OrderClosed])));
    kit.given(register(registers(merchant, &[WebhookKind::OrderPaid])));
    kit.paid_rent(merchant, 5_000);
    assert_eq!(told(&mut kit), [(1, "order.paid"), (4, "order.paid")]);
    kit.given(changes(ChangeWebhook { enabled: Some(false), ..change(1) }));
    kit.given(Command::Webhook(WebhookCommand::Remove(WebhookId(4))));
    kit.paid_rent(merchant, 5_000);
    assert_eq!(told(&mut kit), []);
    kit.paid_rent(other, 5_000);
    assert_eq!(told(&mut kit), [(2, "order.paid")]);
}

#[test]
fn a_command_that_is_refused_takes_its_announcements_back() {
    let (mut kit, merchant) = listening();
    let order = kit.order(merchant, &[(ItemKind::Rent, 700)]);
    kit.pay(order, vec![card(700)]);
    let context = crate::envelope::Context {
        now: kit.now,
        actor: crate::envelope::Actor::Timer,
        approval: None,
        origin: crate::envelope::Origin::Timer,
        epoch: 1,
    };
    let mut draft = Draft::begin(&mut kit.state, &context, true);
    draft.emit(Event::OrderClosed(order));
    assert_eq!(draft.state.announced.len(), 1);
    draft.rollback();
    assert!(kit.state.announced.is_empty());
}

#[test]
fn an_announcement_reads_back_what_it_writes() {
    let (mut kit, merchant) = listening();
    kit.paid_rent(merchant, 5_000);
    let told = kit.announced.pop().unwrap();
    let bytes = minicbor::to_vec(&told).unwrap();
    assert_eq!(minicbor::decode::<Announcement>(&bytes).unwrap(), told);
    let text = format!("{told:?}");
    assert!(Date::in_shanghai(told.at) == date("2026-03-05") && !text.contains("6222"), "{text}");
}
