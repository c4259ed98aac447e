//! Webhooks: what a merchant may register, and which events are announced to whom.

use alloc::vec;

use super::*;
use crate::advance::{AdvanceCommand, ReturnAdvance};
use crate::attempt::{FailureClass, Rail};
use crate::calendar::Date;
use crate::card_fee::CardType;
use crate::card_transaction::{CardAnswer, CardKind, CardTransactionCommand};
use crate::command::Command;
use crate::merchant::MerchantKind;
use crate::order::ItemKind;
use crate::order::expiry::CloseReason;
use crate::payout::{CreatePayout, PayTo};
use crate::testkit::cards;
use crate::testkit::orders::card;
use crate::testkit::wallets::{asks, makes, tops_up, transfer};
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
fn a_refund_of_two_parts_that_failed_is_told_once_and_again_when_both_are_carried_out() {
    let (mut kit, merchant) = listening();
    let order = kit.combined(merchant);
    (0..3).for_each(|_| drop(kit.answered(success("2026-03-05"))));
    kit.refund(order, 6_200, true);
    told(&mut kit);
    let attempts = kit.outbox();
    let (first, second) = (attempts[0].id, attempts[1].id);
    kit.answer(first, declined(FailureClass::Bank));
    assert_eq!(told(&mut kit), []);
    kit.answer(second, declined(FailureClass::Bank));
    assert_eq!(told(&mut kit), [(1, "refund.failed")]);
    kit.answer(first, success("2026-03-05"));
    assert_eq!(told(&mut kit), [], "it failed still, and was told to have");
    kit.answer(second, success("2026-03-05"));
    assert_eq!(told(&mut kit), [(1, "refund.succeeded")]);
}

#[test]
fn a_closed_order_says_why() {
    let (mut kit, merchant) = listening();
    let why = |kit: &mut Kit| {
        let told = kit.announced.pop().expect("something was told");
        let Announced::Order { close_reason, .. } = told.object else { panic!("an order was closed") };
        (told.kind, close_reason)
    };
    let asked = kit.order(merchant, &[(ItemKind::Rent, 700)]);
    kit.given(Command::CloseOrder(asked));
    assert_eq!(why(&mut kit), (WebhookKind::OrderClosed, Some(CloseReason::Requested)));
    let mut command = kit.create_order(merchant, &[(ItemKind::Rent, 700)]);
    command.expires_at = Some(kit.now.plus_ms(1));
    kit.order_of(command);
    kit.later(1);
    kit.given(Command::Tick);
    assert_eq!(why(&mut kit), (WebhookKind::OrderClosed, Some(CloseReason::Expired)));
    kit.paid_rent(merchant, 700);
    assert_eq!(why(&mut kit), (WebhookKind::OrderPaid, None));
    assert!(kit.announced.is_empty(), "each of them once");
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
        bank: None,
        channel: None,
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
fn an_advance_is_announced_as_it_arrives_fails_or_comes_back() {
    let (mut kit, merchant) = listening();
    let order = kit.paid_rent(merchant, 5_000);
    kit.capital(4_990);
    kit.open_policy();
    kit.announced.clear();
    kit.advance(merchant, &[order]);
    assert!(kit.announced.is_empty(), "it is on its way");
    kit.answered(declined(FailureClass::Bank));
    let failed = kit.announced.pop().unwrap();
    assert_eq!(failed.kind, WebhookKind::AdvanceFailed);
    assert!(matches!(failed.object, Announced::Advance { failure: Some(FailureClass::Bank), amount: 4_990, .. }));
    let id = kit.advance(merchant, &[order]);
    kit.answered(success("2026-03-05"));
    assert_eq!(told(&mut kit), [(1, "advance.succeeded")]);
    let (reference, date) = ("back".into(), date("2026-03-06"));
    let back = ReturnAdvance { advance: id, reference, date };
    kit.given(Command::Advance(AdvanceCommand::Return(back)));
    assert_eq!(told(&mut kit), [(1, "advance.returned")]);
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

#[test]
fn top_ups_and_transfers_of_the_merchants_own_accounts_are_announced() {
    let mut kit = Kit::new();
    let (one, other) = (kit.merchant(MerchantKind::Agency, 0), kit.merchant(MerchantKind::Agency, 0));
    for merchant in [one, other] {
        kit.given(register(registers(merchant, &WebhookKind::ALL)));
    }
    let company = |kit: &Kit, merchant| kit.state.merchant(merchant).unwrap().company.unwrap();
    let [from, to] = [one, other].map(|merchant| company(&kit, merchant));
    kit.given(asks(tops_up(from, 1_000)));
    let attempt = kit.waiting().id;
    kit.answer(attempt, declined(FailureClass::Bank));
    let failed = kit.announced.pop().unwrap();
    assert_eq!((failed.merchant, failed.kind), (one, WebhookKind::TopUpFailed));
    assert!(matches!(failed.object, Announced::TopUp { failure: Some(FailureClass::Bank), amount: 1_000, .. }));
    kit.given(asks(tops_up(from, 2_000)));
    kit.answered(success("2026-03-05"));
    assert_eq!(told(&mut kit), [(1, "top_up.succeeded")]);

    // One event, both merchants; a transfer within one merchant is told once.
    kit.given(makes(transfer(from, to, 500)));
    let told_of = core::mem::take(&mut kit.announced);
    let who: Vec<_> = told_of.iter().map(|told| (told.merchant, told.kind, told.position)).collect();
    let position = who[0].2;
    assert_eq!(who, [(one, WebhookKind::TransferMade, position), (other, WebhookKind::TransferMade, position)]);
    assert!(matches!(told_of[0].object, Announced::Transfer { amount: 500, .. }));
    // A user's top-up is nobody's business but the institution's.
    let wallet = kit.wallet(0);
    kit.given(asks(tops_up(wallet, 100)));
    kit.answered(success("2026-03-05"));
    assert_eq!(told(&mut kit), []);
}

#[test]
fn card_transactions_are_announced_as_they_end() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    kit.given(register(registers(shop.merchant, &WebhookKind::ALL)));
    let asked = |kit: &mut Kit| {
        let request = kit.asks(shop, CardKind::Sale, cards::card(CardType::Credit), 10_000, None);
        kit.asked(request)
    };
    let sale = asked(&mut kit);
    assert_eq!(told(&mut kit), []);
    kit.card_answer(sale, cards::approved("2026-03-05"));
    let approved = kit.announced.pop().unwrap();
    assert_eq!((approved.merchant, approved.kind), (shop.merchant, WebhookKind::CardTransactionApproved));
    assert!(matches!(
        approved.object,
        Announced::CardTransaction { kind: CardKind::Sale, amount: 10_000, terminal: Some(_), original: None, .. }
    ));
    let reverse = kit.reverses(sale);
    kit.given(cards::of_card(CardTransactionCommand::Reverse(reverse)));
    assert_eq!(told(&mut kit), [], "not before the network took it");
    kit.reversal_answer(sale, "00");
    assert_eq!(told(&mut kit), [(1, "card_transaction.reversed")]);
    let sale = asked(&mut kit);
    kit.card_answer(sale, CardAnswer::Declined { code: String::from("51") });
    let declined = kit.announced.pop().unwrap();
    assert!(matches!(&declined.object, Announced::CardTransaction { code: Some(code), .. } if code == "51"));
}

#[test]
fn a_ping_is_told_to_one_webhook_whatever_it_wants() {
    let (mut kit, merchant) = listening();
    kit.given(register(registers(merchant, &[WebhookKind::OrderPaid])));
    let ping = |id| Command::Webhook(WebhookCommand::Ping(WebhookId(id)));
    kit.given(ping(2));
    assert_eq!(told(&mut kit), [(2, "ping")]);
    kit.given(changes(ChangeWebhook { enabled: Some(false), ..change(2) }));
    kit.refused(ping(2), RefusalCode::WebhookState);
    kit.refused(ping(9), RefusalCode::WebhookUnknown);
    assert_eq!(told(&mut kit), []);
    assert!(WebhookKind::ALL.iter().all(|kind| *kind != WebhookKind::Ping), "nobody registers for it");
}
