//! The merchants' client against a real platform, beyond cards: balances with their pay password, top-ups by an agreement and at EPCC's
//! page, transfers, real-name checks, splits by rates and by plans, parts of splits given back, deliveries told again, receipts verified
//! by who was handed one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use client::deliveries::DeliveryState;
use client::model::{
    Instrument, Item, ItemRefund, LegRefund, NewOrder, NewReceiver, NewRefund, NewSplit, NewSplitReturn, NewWebhook,
    OrderStatus, RefundStatus, SplitBy, SplitByPlan, SplitPart, SplitRate, SplitRates,
};
use client::real_name::{NewRealNameCheck, RealNameStatus};
use client::wallet::{Factors, NewTopUp, NewTransfer, PayPassword, TopUp, TopUpFrom, TopUpRedirect, TopUpStatus};
use client::{Client, Credential, IdempotencyKey};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::client::{Client as Operator, exchange};
use crate::epcc::Epcc;
use crate::front_page::posted;
use crate::open::{account, balance, customer, merchant, own, text, user, voucher};
use crate::orders::Market;
use crate::outflow::treasurers;
use crate::server::Server;
use crate::split_plans::{plan, platform};
use crate::webhooks::receiver::{Manner, Receiver};

const PATIENCE: Duration = Duration::from_secs(60);
/// The payer's pay password.
const RIGHT: &str = "135790";

/// The client of a merchant, with its secret.
fn client_of(server: &Server, operator: &Operator, merchant: &str) -> Client {
    let key = operator.post(&format!("/v1/merchants/{merchant}/key"), &Value::Null).ok();
    let credential = Credential::secret(merchant, &text(&key, "/secret")).unwrap();
    Client::new(&format!("http://{}", server.address()), credential).unwrap()
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::of(text).unwrap()
}

fn rent(number: &str, payer: &str, amount: i64) -> NewOrder {
    NewOrder::of(number, payer, vec![Item { kind: "rent".to_owned(), amount }])
}

/// A market whose payer has 1,000 yuan in a wallet and a pay password, and the landlord's client.
async fn with_wallet(server: &Server, market: &Market) -> (Client, String) {
    let operator = &market.operator;
    let wallet = account(operator, 2201, "CNY", &market.payer);
    operator.post("/v1/vouchers", &voucher("opening", &own(operator, 1121), &wallet, 100_000)).ok();
    let client = client_of(server, operator, &text(&market.landlord, "/id"));
    // The institution sets it: a merchant may not.
    let sealer = client.sealer().await.unwrap();
    let set = json!({"password": sealer.seal(RIGHT).unwrap()}).to_string();
    let headers = [("idempotency-key", "set"), ("lintel-encryption-serial", sealer.serial())];
    let path = format!("/v1/users/{}/pay-password", market.payer);
    operator.send("POST", &path, &headers, set.as_bytes()).ok();
    (client, wallet)
}

#[test]
fn a_merchant_is_paid_from_a_balance_by_the_payers_password_and_gives_back_to_it() {
    let server = Server::start();
    let market = Market::open(&server);
    let operator = &market.operator;
    Runtime::new().unwrap().block_on(async {
        let (client, wallet) = with_wallet(&server, &market).await;
        let from_balance = [Instrument::Balance { account: wallet.clone(), amount: 10_000 }];
        let order = client.place_order(&rent("T1", &market.payer, 10_000), 0, &key("order-1")).await.unwrap().id;
        let required = client.pay_order(&order, &from_balance, 0, &key("pay-0")).await.unwrap_err();
        assert_eq!(required.code(), Some("pay_password_required"), "{required}");
        let (wrong, right) = (PayPassword::of("135791"), PayPassword::of(RIGHT));
        let refused =
            client.pay_order_with_password(&order, &from_balance, &wrong, 0, &key("pay-1")).await.unwrap_err();
        assert_eq!(refused.code(), Some("pay_password_wrong"), "{refused}");
        assert!(!refused.to_string().contains("135791"), "{refused}");
        assert_eq!(balance(operator, &wallet), 100_000);
        for _ in 0..2 {
            let paid = client.pay_order_with_password(&order, &from_balance, &right, 0, &key("pay-2")).await.unwrap();
            assert_eq!((paid.status, paid.legs[0].rail.as_str()), (OrderStatus::Success, "balance"));
            assert_eq!(balance(operator, &wallet), 90_000, "encrypted anew under the same key it is paid once");
        }
        let at_once = NewOrder { instruments: from_balance.to_vec(), ..rent("T2", &market.payer, 10_000) };
        let paid = client.place_order_with_password(&at_once, &right, 0, &key("order-2")).await.unwrap();
        assert_eq!((paid.status, balance(operator, &wallet)), (OrderStatus::Success, 80_000));

        let (items, legs) = (
            vec![ItemRefund { item: 0, amount: 4_000 }],
            vec![LegRefund { leg: paid.legs[0].id.clone(), amount: 4_000 }],
        );
        let refund = NewRefund { items: items.clone(), legs, ..NewRefund::of("F1", 4_000) };
        let refund = client.refund_order(&paid.id, &refund, &key("refund-1")).await.unwrap();
        assert_eq!((refund.status, refund.succeeded, &refund.items), (RefundStatus::Success, 4_000, &items));
        let part = &refund.parts[0];
        assert_eq!((part.rail.as_str(), part.amount, &part.leg), ("balance", 4_000, &paid.legs[0].id));
        assert_eq!(balance(operator, &wallet), 84_000);
    });
}

#[test]
fn a_receipt_that_was_handed_on_is_verified_by_the_client_itself_and_a_changed_one_is_not() {
    let server = Server::start();
    let market = Market::open(&server);
    Runtime::new().unwrap().block_on(async {
        let (client, wallet) = with_wallet(&server, &market).await;
        let instruments = vec![Instrument::Balance { account: wallet, amount: 10_000 }];
        let order = NewOrder { instruments, ..rent("T1", &market.payer, 10_000) };
        let paid = client.place_order_with_password(&order, &PayPassword::of(RIGHT), 0, &key("order-1")).await.unwrap();
        let receipt = client.receipt(&paid.id).await.unwrap();
        let (content, serial, signature) = (&receipt.content, &receipt.serial_no, &receipt.signature);
        let trusting = client.clone().trusting(client.platform_keys().await.unwrap());
        for client in [&client, &trusting] {
            let said = client.verify_receipt(content, serial, signature).await.unwrap().unwrap();
            assert_eq!(
                (&said["amount"], &said["number"], &said["object"]),
                (&json!(10_000), &json!("T1"), &json!(paid.id))
            );
            let touched = content.replace("10000", "10001");
            assert_ne!(&touched, content);
            assert_eq!(client.verify_receipt(&touched, serial, signature).await.unwrap(), None);
            assert_eq!(client.verify_receipt(content, "PLATFORM-SM2-99", signature).await.unwrap(), None);
            assert_eq!(client.verify_receipt(content, serial, "").await.unwrap(), None);
        }
    });
}

/// The top-up, once nothing more becomes of it.
async fn ended(client: &Client, top_up: &str) -> TopUp {
    let began = Instant::now();
    loop {
        let found = client.top_up_standing(top_up).await.unwrap();
        if found.is_final() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{found:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// An agency with a payment account of its own, and EPCC.
struct Agency {
    epcc: Epcc,
    server: Server,
    operator: Operator,
    client: Client,
    company: String,
}

impl Agency {
    fn open() -> Option<Self> {
        let epcc = Epcc::start()?;
        let server = epcc.platform();
        let operator = server.operator();
        let agency = merchant(&operator, "agency", "王五", "110105194912310046");
        let client = client_of(&server, &operator, &text(&agency, "/id"));
        Some(Self { epcc, server, operator, client, company: text(&agency, "/company") })
    }

    fn top_up(&self, from: TopUpFrom) -> NewTopUp {
        let (account, currency) = (self.company.clone(), "CNY".to_owned());
        NewTopUp { account, amount: 70_000, currency, from, device: None, out_top_up_no: None }
    }

    fn browse(&self, target: &str, fields: &[(String, String)]) {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let body = posted(fields);
        let shown = exchange(&self.epcc.0.addresses[0], "POST", target, &headers, body.as_bytes()).unwrap();
        assert!(shown.status < 400, "{}", shown.text());
    }
}

impl Agency {
    /// Waits for the lists, which are about a second behind: so many top-ups, and this one transfer.
    async fn lists(&self, top_ups: usize, transfer: &str) {
        let (client, company, began) = (&self.client, &self.company, Instant::now());
        loop {
            let paid = client.top_ups(&format!("account={company}&status=success")).all().await.unwrap();
            let transfers = client.transfers(&format!("from={company}")).all().await.unwrap();
            if (paid.len(), transfers.len()) == (top_ups, 1) {
                assert_eq!(transfers[0].id, transfer);
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{paid:?} {transfers:?}");
        }
    }
}

#[test]
fn a_merchant_tops_its_account_up_by_an_agreement_and_at_a_page_and_transfers_from_it() {
    let Some(agency) = Agency::open() else { return };
    let (client, operator, company) = (&agency.client, &agency.operator, &agency.company);
    Runtime::new().unwrap().block_on(async {
        let (agreement, mask) = ("AGR-7".to_owned(), "622202******2230".to_owned());
        let by_card = agency.top_up(TopUpFrom::Agreement { rail: Some("epcc".to_owned()), agreement, mask });
        let asked = client.top_up(&by_card, &key("card")).await.unwrap();
        assert_eq!(ended(client, &asked.id).await.status, TopUpStatus::Success);
        assert_eq!(balance(operator, company), 70_000);

        let redirect = TopUpRedirect { rail: Some("epcc".to_owned()), return_url: None };
        let by_page = agency.top_up(TopUpFrom::Page { redirect });
        let asked = client.top_up(&by_page, &key("page")).await.unwrap();
        assert_eq!((asked.status, asked.page_expires_at.is_some()), (TopUpStatus::Sent, true));
        let page = client.top_up_page(&asked.id).await.unwrap();
        assert_eq!((page.top_up.as_ref(), &page.order), (Some(&asked.id), &None));
        assert_eq!(page.action, format!("http://{}/gateway", agency.epcc.0.addresses[0]));
        let fields: Vec<_> = page.fields.into_iter().map(|field| (field.name, field.value)).collect();
        agency.browse("/gateway", &fields);
        agency.browse(
            "/gateway/pay",
            &[("transaction".to_owned(), page.serial), ("action".to_owned(), "pay".to_owned())],
        );
        assert_eq!(ended(client, &asked.id).await.status, TopUpStatus::Success);
        assert_eq!(balance(operator, company), 140_000);

        // One whose page nobody has ends in the answer.
        let given_up = client.top_up(&by_page, &key("left")).await.unwrap();
        let closed = client.close_top_up(&given_up.id, &key("close")).await.unwrap();
        assert_eq!(
            (closed.status, closed.failure.map(|why| why.code)),
            (TopUpStatus::Failed, Some("closed".to_owned()))
        );
        let late = client.close_top_up(&asked.id, &key("late")).await.unwrap_err();
        assert_eq!(late.code(), Some("top_up_state"), "{late}");

        let person = user(operator, &customer(operator, "张三", "11010519491231002X"));
        let person = account(operator, 2201, "CNY", &person);
        let new = NewTransfer {
            from: company.clone(),
            to: person.clone(),
            amount: 40_000,
            currency: "CNY".to_owned(),
            factors: Factors::TwoWithCertificate,
            note: Some("keys of flat 4711".to_owned()),
            device: None,
            out_transfer_no: Some("T1".to_owned()),
        };
        let made = client.transfer(&new, &key("transfer")).await.unwrap();
        assert_eq!(
            (made.amount, made.factors.as_str(), made.note.as_deref()),
            (40_000, "two_with_certificate", Some("keys of flat 4711"))
        );
        for again in ["transfer", "transfer-again"] {
            assert_eq!(client.transfer(&new, &key(again)).await.unwrap().id, made.id, "{again}");
        }
        assert_eq!((balance(operator, company), balance(operator, &person)), (100_000, 40_000));
        assert_eq!(client.transfer_made(&made.id).await.unwrap().voucher, made.voucher);
        let back = NewTransfer { from: person, to: company.clone(), ..new };
        let refused = client.transfer(&back, &key("back")).await.unwrap_err();
        assert_eq!(refused.code(), Some("not_permitted"), "{refused}");

        agency.lists(2, &made.id).await;
    });
    let log = agency.server.log();
    assert!(!log.contains("keys of flat"), "what a payer writes is in no log: {log}");
}

#[test]
fn a_merchant_has_a_person_checked_and_nothing_of_the_person_is_shown() {
    let Some(epcc) = Epcc::start() else { return };
    let server = epcc.platform();
    let market = Market::open(&server);
    let client = client_of(&server, &market.operator, &text(&market.landlord, "/id"));
    let new = NewRealNameCheck {
        user: market.payer.clone(),
        rail: None,
        bank: "102100099996".to_owned(),
        credit: false,
        account: "6222020200112233445".to_owned(),
        name: "钱七".to_owned(),
        certificate: "110105194912310062".to_owned(),
        phone: Some("13800138000".to_owned()),
    };
    Runtime::new().unwrap().block_on(async {
        let checked = client.check_real_name(&new, 30, &key("four")).await.unwrap();
        assert_eq!((checked.status, checked.elements, &checked.failure), (RealNameStatus::Matched, 4, &None));
        assert_eq!(checked.phone.as_deref(), Some("138****8000"));
        let again = client.check_real_name(&new, 0, &key("four")).await.unwrap();
        assert_eq!(again.id, checked.id, "encrypted anew under the same key it is the same request");
        let shown = format!("{new:?} {checked:?}");
        assert!(["2233445", "钱七", "110105", "13800138000"].iter().all(|secret| !shown.contains(secret)), "{shown}");

        let anothers = NewRealNameCheck { account: "6222020200110001".to_owned(), phone: None, ..new };
        let refused = client.check_real_name(&anothers, 30, &key("three")).await.unwrap();
        assert_eq!((refused.status, refused.elements, refused.phone), (RealNameStatus::Mismatched, 3, None));
        assert_eq!(refused.failure.unwrap().code, "PB100003");
        assert_eq!(client.real_name_check(&refused.id, 0).await.unwrap().status, RealNameStatus::Mismatched);
        let began = Instant::now();
        while client.real_name_checks("status=matched").all().await.unwrap().len() != 1 {
            assert!(began.elapsed() < PATIENCE, "lists are about a second behind");
        }
    });
}

/// Rates and plans go out as the platform reads them, and what it made of them comes back: parts to the fen, the version, the order in
/// which a refund takes them back.
#[test]
fn a_merchant_splits_by_rates_and_by_the_plan_that_it_looked_up() {
    let server = platform();
    let (staff, market) = (treasurers(&server), Market::open(&server));
    let closing = merchant(&market.operator, "agent", "李四", "110101199003070215");
    let (listing, closing) = (text(market.agent(), "/id"), text(&closing, "/id"));
    market.receives(&listing);
    market.receives(&closing);
    let order = text(&market.paid(), "/id");
    let client = client_of(&server, &market.operator, &text(&market.landlord, "/id"));
    let parts = |listed: i64, closed: i64| {
        let part = |merchant: &String, amount| SplitPart { merchant: merchant.clone(), amount };
        [part(&listing, listed), part(&closing, closed)]
    };
    Runtime::new().unwrap().block_on(async {
        let rate = |merchant: &String, rate| SplitRate { merchant: merchant.clone(), rate };
        let rates = vec![rate(&listing, 333_333), rate(&closing, 666_667)];
        let rates = SplitRates { amount: 100_000, rates, remainder_to: listing.clone() };
        let return_order = vec![listing.clone(), closing.clone()];
        let new = NewSplit { return_order, ..NewSplit::of("S1", SplitBy::Rates(rates)) };
        let made = client.split_order(&order, &new, &key("rates")).await.unwrap();
        assert_eq!((made.amount, &made.parts[..]), (100_000, &parts(33_334, 66_666)[..]), "33,333.3 and 66,666.7");
        assert_eq!((&made.return_order, made.plan), (&new.return_order, None));

        let plans = client.split_plans().await.unwrap();
        let [of_settings] = &plans[..] else { panic!("{plans:?}") };
        assert_eq!((&of_settings.id, &of_settings.from, of_settings.in_force), (&None, &None, true));
        let planned = |name: &str| {
            let roles = [("listing", &listing), ("closing", &closing)];
            let roles: BTreeMap<_, _> = roles.map(|(role, had)| (role.to_owned(), had.clone())).into();
            SplitBy::Plan(SplitByPlan { name: name.to_owned(), amount: 90_000, roles })
        };
        let new = NewSplit::of("S2", planned(&of_settings.name));
        let halves = client.split_order(&order, &new, &key("halves")).await.unwrap();
        assert_eq!((&halves.parts[..], halves.plan), (&parts(45_000, 45_000)[..], None));

        let version = staff.decided(&plan("2026-03-05", 300_000));
        let plans = client.split_plans().await.unwrap();
        let [replaced, set] = &plans[..] else { panic!("{plans:?}") };
        assert_eq!((replaced.in_force, set.in_force, set.id.as_ref()), (false, true, Some(&version)));
        assert_eq!((set.from.as_deref(), set.remainder_to.as_str()), (Some("2026-03-05"), "closing"));
        let roles: Vec<_> = set.roles.iter().map(|role| (role.name.as_str(), role.rate)).collect();
        assert_eq!(
            (&roles[..], &set.return_order[..]),
            (&[("listing", 300_000), ("closing", 700_000)][..], &["closing".to_owned(), "listing".to_owned()][..])
        );
        let new = NewSplit::of("S3", planned(&set.name));
        let made = client.split_order(&order, &new, &key("plan")).await.unwrap();
        assert_eq!((&made.parts[..], made.plan.as_ref()), (&parts(27_000, 63_000)[..], Some(&version)));
        assert_eq!(made.return_order, [closing.clone(), listing.clone()]);
        let read = client.split(&made.id).await.unwrap();
        assert_eq!((read.parts, read.plan), (made.parts, made.plan), "as it is looked at");

        let unknown = NewSplit::of("S4", planned("other_network"));
        let refused = client.split_order(&order, &unknown, &key("unknown")).await.unwrap_err();
        assert_eq!(refused.code(), Some("split_plan_unknown"), "{refused}");
    });
}

#[test]
fn a_receiver_gives_its_part_of_a_split_back_by_the_client() {
    let server = Server::start();
    let market = Market::open(&server);
    let (payee, agent) = (text(&market.landlord, "/id"), text(market.agent(), "/id"));
    let [seller, receiver] = [&payee, &agent].map(|merchant| client_of(&server, &market.operator, merchant));
    let order = text(&market.paid(), "/id");
    Runtime::new().unwrap().block_on(async {
        let registered = NewReceiver { receiver: agent.clone(), relation: "agent".to_owned(), max_share: None };
        seller.register_receiver(&payee, &registered, &key("receiver")).await.unwrap();
        let parts = vec![SplitPart { merchant: agent.clone(), amount: 99_000 }];
        let split = NewSplit::of("S1", SplitBy::Parts(parts));
        let split = seller.split_order(&order, &split, &key("split")).await.unwrap();
        assert!(split.returns.is_empty(), "{split:?}");
        let back = NewSplitReturn { out_return_no: "R1".to_owned(), receiver: agent.clone(), amount: 40_001 };
        let refused = seller.return_split(&split.id, &back, &key("payee")).await.unwrap_err();
        assert_eq!(refused.code(), Some("not_permitted"), "it is the receiver's money: {refused}");
        let given = receiver.return_split(&split.id, &back, &key("return")).await.unwrap();
        assert_eq!((&given.receiver, given.amount, &given.order), (&agent, 40_001, &order));
        assert_eq!(receiver.return_split(&split.id, &back, &key("return")).await.unwrap(), given);
        assert_eq!(seller.split(&split.id).await.unwrap().returns, [given]);
        assert_eq!(balance(&market.operator, &text(market.agent(), "/pending")), 58_999);

        // What is left of the part goes into a refund, which names it.
        let take_from = vec![SplitPart { merchant: agent, amount: 9_000 }];
        let refund = NewRefund { take_from: take_from.clone(), ..NewRefund::of("F1", 10_000) };
        let refund = seller.refund_order(&order, &refund, &key("refund")).await.unwrap();
        assert_eq!(refund.returned[0], take_from[0]);
        assert_eq!(balance(&market.operator, &text(market.agent(), "/pending")), 49_999);
    });
}

#[test]
fn a_merchant_reads_what_its_webhook_was_told_and_has_it_told_again() {
    let server = Server::start();
    let receiver = Receiver::start(Manner::Take);
    let market = Market::open(&server);
    let merchant = text(&market.landlord, "/id");
    let client = client_of(&server, &market.operator, &merchant);
    Runtime::new().unwrap().block_on(async {
        let new = NewWebhook { url: receiver.url.clone(), kinds: vec!["order.closed".to_owned()], algorithm: None };
        let hook = client.register_webhook(&merchant, &new, &key("hook")).await.unwrap().id;
        let order = client.place_order(&rent("C1", &market.payer, 700), 0, &key("order")).await.unwrap().id;
        client.close_order(&order, &key("close")).await.unwrap();
        let accepted = async |tries: usize| {
            let began = Instant::now();
            loop {
                let listed = client.deliveries(&hook, "state=accepted").all().await.unwrap();
                if let [told] = &listed[..] {
                    let whole = client.delivery(&told.id).await.unwrap();
                    if whole.log.len() == tries {
                        return whole;
                    }
                }
                assert!(began.elapsed() < PATIENCE, "{listed:?}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let told = accepted(1).await;
        assert_eq!((told.kind.as_str(), &told.object, told.state), ("order.closed", &order, DeliveryState::Accepted));
        assert_eq!((told.log[0].status, told.log[0].error.as_str()), (Some(200), ""));
        assert_eq!((&told.body.id, &told.body.webhook, &told.body.object["id"]), (&told.id, &hook, &json!(order)));

        assert_eq!(client.replay_delivery(&told.id).await.unwrap().id, told.id);
        accepted(2).await;
        assert_eq!(client.replay_webhook(&hook, "2026-03-05T09:00:01+08:00").await.unwrap(), 0, "it is nine o'clock");
        assert_eq!(client.replay_webhook(&hook, "2026-03-05T09:00:00+08:00").await.unwrap(), 1);
        accepted(3).await;
        let got: Vec<_> = receiver.got().iter().map(|got| got.id()).collect();
        assert_eq!(got, [told.id.clone(), told.id.clone(), told.id]);
        let unknown = client.delivery("whd_999999_1").await.unwrap_err();
        assert_eq!(unknown.code(), Some("delivery_unknown"), "{unknown}");
    });
}
