//! The merchants' client against a real platform whose payments go over EPCC: what a merchant does in an afternoon, answers that
//! are lost or touched on the way, pairs in place of secrets.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use client::access::NewCertificate;
use client::model::{
    Card, Instrument, Item, ItemRefund, LegRefund, NewOrder, NewReceiver, NewRefund, NewSignUp, NewSplit,
    NewWithdrawal, OrderStatus, RefundStatus, SignUpStatus, SplitBy, SplitPart,
};
use client::{Client, Credential, Error, IdempotencyKey, Patience, Remedy};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::epcc::Epcc;
use crate::open::text;
use crate::orders::Market;
use crate::server::Server;

const WAIT_SECONDS: u32 = 30;

/// A landlord with its secret.
struct Shop {
    server: Server,
    market: Market,
    merchant: String,
    secret: String,
    runtime: Runtime,
    epcc: Epcc,
}

impl Shop {
    fn open() -> Option<Self> {
        let epcc = Epcc::start()?;
        let server = epcc.platform();
        let market = Market::open(&server);
        let merchant = text(&market.landlord, "/id");
        let key = market.operator.post(&format!("/v1/merchants/{merchant}/key"), &Value::Null).ok();
        let secret = text(&key, "/secret");
        Some(Self { server, market, merchant, secret, runtime: Runtime::new().unwrap(), epcc })
    }

    fn credential(&self) -> Credential {
        Credential::secret(&self.merchant, &self.secret).unwrap()
    }

    fn client(&self) -> Client {
        Client::new(&format!("http://{}", self.server.address()), self.credential()).unwrap()
    }

    /// An order of this much rent, with a card under an agreement.
    fn order(&self, number: &str, amount: i64) -> NewOrder {
        let items = vec![Item { kind: "rent".to_owned(), amount }];
        NewOrder { instruments: vec![card(amount)], ..NewOrder::of(number, &self.market.payer, items) }
    }
}

fn card(amount: i64) -> Instrument {
    let (rail, agreement) = (Some("epcc".to_owned()), Some("AGR-7".to_owned()));
    Instrument::Card(Card { rail, agreement, mask: "622202******2230".to_owned(), amount, ..Card::default() })
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::of(text).unwrap()
}

fn withdrawn_from(account: String) -> NewWithdrawal {
    let (currency, out_payout_no) = ("CNY".to_owned(), Some("W1".to_owned()));
    NewWithdrawal { account, amount: 1_000, currency, send_now: true, out_payout_no }
}

#[test]
fn a_merchant_takes_refunds_splits_lists_and_is_told_why_not() {
    let Some(shop) = Shop::open() else { return };
    let client = shop.client();
    shop.runtime.block_on(async {
        let paid = client.place_order(&shop.order("T1", 500_000), WAIT_SECONDS, &key("order-1")).await.unwrap();
        assert_eq!((paid.status, paid.amount, paid.is_final()), (OrderStatus::Success, 500_000, true));
        let again = client.place_order(&shop.order("T1", 500_000), WAIT_SECONDS, &key("order-1")).await.unwrap();
        assert_eq!(again.id, paid.id, "the same key is the same order");

        let other = client.place_order(&shop.order("T1", 500_001), 0, &key("order-1")).await.unwrap_err();
        let Error::Api(refused) = &other else { panic!("{other}") };
        assert_eq!((refused.code.as_str(), refused.remedy()), ("key_reused", Remedy::NewKey), "{other}");
        assert!(other.to_string().contains("take a new one"), "{other}");
        let known = client.codes().await.unwrap();
        assert!(known.iter().any(|code| Some(code.code.as_str()) == other.code() && !code.meaning.is_empty()));

        // Ordered first and paid then.
        let later = NewOrder { instruments: Vec::new(), ..shop.order("T2", 300_000) };
        let later = client.place_order(&later, 0, &IdempotencyKey::random().unwrap()).await.unwrap();
        assert_eq!(later.status, OrderStatus::Created);
        let paid_later = client.pay_order(&later.id, &[card(300_000)], WAIT_SECONDS, &key("pay-2")).await.unwrap();
        assert_eq!(paid_later.status, OrderStatus::Success);
        let too_late = client.close_order(&later.id, &key("close-2")).await.unwrap_err();
        let Error::Api(refused) = &too_late else { panic!("{too_late}") };
        assert!(matches!(refused.remedy(), Remedy::LookAtObject | Remedy::ChangeAndAskAnew), "{too_late}");

        let agent = text(shop.market.agent(), "/id");
        let receiver = NewReceiver { receiver: agent.clone(), relation: "agent".to_owned(), max_share: Some(200_000) };
        let receiver = client.register_receiver(&shop.merchant, &receiver, &key("receiver-1")).await.unwrap();
        assert_eq!((receiver.receiver.as_str(), receiver.status.as_str()), (agent.as_str(), "registered"));
        let parts = vec![SplitPart { merchant: agent, amount: 100_000 }];
        let split = NewSplit::of("S1", SplitBy::Parts(parts));
        let split = client.split_order(&paid.id, &split, &key("split-1")).await.unwrap();
        assert_eq!((split.order.as_str(), split.amount), (paid.id.as_str(), 100_000));
        let to = |leg: &str| vec![LegRefund { leg: leg.to_owned(), amount: 200_000 }];
        let (items, legs) = (vec![ItemRefund { item: 0, amount: 200_000 }], to(&paid.legs[0].id));
        let refund = NewRefund { items, legs, ..NewRefund::of("F1", 200_000) };
        let wrong = NewRefund { out_refund_no: "F0".to_owned(), legs: to("leg_999999"), ..refund.clone() };
        assert!(client.refund_order(&paid.id, &wrong, &key("refund-0")).await.unwrap_err().code().is_some());
        let mut refund = client.refund_order(&paid.id, &refund, &key("refund-1")).await.unwrap();
        let began = Instant::now();
        while refund.status != RefundStatus::Success {
            assert!(began.elapsed() < Duration::from_secs(60), "{refund:?}");
            refund = client.refund(&refund.id).await.unwrap();
        }
        assert_eq!(refund.succeeded, 200_000);

        // Nothing is settled yet, so nothing can be withdrawn.
        let account = text(&shop.market.landlord, "/available");
        let withdrawal = withdrawn_from(account);
        let refused = client.withdraw(&withdrawal, &key("withdraw-1")).await.unwrap_err();
        assert_eq!(refused.code(), Some("insufficient_funds"), "{refused}");
        assert_eq!(client.account(&withdrawal.account).await.unwrap().available, 0);
        let nobody = client.order("ord_999999", 0).await.unwrap_err();
        assert!(matches!(&nobody, Error::Api(told) if told.remedy() == Remedy::LookAtObject), "{nobody}");

        // Lists are about a second behind.
        let began = Instant::now();
        loop {
            let orders = client.orders("").all().await.unwrap();
            let numbers: Vec<&str> = orders.iter().map(|order| order.out_trade_no.as_str()).collect();
            if numbers == ["T1", "T2"] {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{numbers:?}");
        }
        let mut page_by_page = client.list::<client::model::Order>("/v1/orders?status=success");
        assert_eq!(page_by_page.next().await.unwrap().unwrap().id, paid.id);
    });
}

#[test]
fn a_merchant_opens_the_cashier_proves_what_was_paid_and_renews_what_it_signs_with() {
    let Some(shop) = Shop::open() else { return };
    let client = shop.client();
    shop.runtime.block_on(async {
        let unpaid = NewOrder { instruments: Vec::new(), ..shop.order("T1", 500_000) };
        let order = client.place_order(&unpaid, 0, &key("order-1")).await.unwrap().id;
        let session = client.open_cashier(&order, Some(600), &key("cashier-1")).await.unwrap();
        assert_eq!(session.order, order);
        assert!(!session.token.is_empty() && !format!("{session:?}").contains(&session.token), "{session:?}");
        let none = client.receipt(&order).await.unwrap_err();
        assert_eq!(none.code(), Some("receipt_not_yet"), "{none}");
        let paid = client.pay_order(&order, &[card(500_000)], WAIT_SECONDS, &key("pay-1")).await.unwrap();
        assert_eq!(paid.status, OrderStatus::Success);
        let receipt = client.receipt(&order).await.unwrap();
        assert_eq!((&receipt.receipt["amount"], &receipt.receipt["number"]), (&json!(500_000), &json!("T1")));
        assert!(receipt.content.contains("500000") && !receipt.signature.is_empty(), "{receipt:?}");

        let next = client.rotate_secret(&shop.merchant, Some(3_600), &key("rotate-1")).await.unwrap();
        let credential = Credential::secret(&shop.merchant, &next.secret).unwrap().of_serial(&next.serial_no);
        let renewed = Client::new(&format!("http://{}", shop.server.address()), credential).unwrap();
        assert_eq!(renewed.order(&order, 0).await.unwrap().id, order);
        assert!(renewed.settlements("").all().await.unwrap().is_empty(), "nothing is settled on the day itself");

        let pair = NewCertificate { certificate: fixture("sm2.pub.pem"), ..NewCertificate::default() };
        let certificate = client.register_certificate(&shop.merchant, &pair, &key("certificate-1")).await.unwrap();
        assert_eq!((certificate.algorithm.as_str(), certificate.status.as_str()), ("sm2_with_sm3", "valid"));
        let ended = client.revoke_certificate(&certificate.id, "rotated", &key("revoke-1")).await.unwrap();
        assert_eq!(ended.status, "revoked");
        let began = Instant::now();
        while client.certificates("revoked=true").all().await.unwrap().is_empty() {
            assert!(began.elapsed() < Duration::from_secs(60), "lists are about a second behind");
        }
    });
}

/// The four elements leave the client encrypted; the code signs, and the agreement pays.
#[test]
fn a_merchant_has_a_card_signed_by_the_client_and_takes_money_with_it() {
    let Some(shop) = Shop::open() else { return };
    let client = shop.client();
    let new = NewSignUp {
        payer: shop.market.payer.clone(),
        rail: Some("epcc".to_owned()),
        bank: "102100099996".to_owned(),
        credit: false,
        account: "6222020200112233445".to_owned(),
        name: "钱七".to_owned(),
        certificate: "110105194912310062".to_owned(),
        phone: "13800138000".to_owned(),
    };
    assert!(!format!("{new:?}").contains("6222"), "{new:?}");
    shop.runtime.block_on(async {
        let elsewhere = NewSignUp { rail: Some("epcc_acme".to_owned()), ..new.clone() };
        let refused = client.request_sign_up(&elsewhere, &key("sign-0")).await.unwrap_err();
        assert_eq!(refused.code(), Some("channel_unknown"), "no such channel is there: {refused}");
        let asked = client.request_sign_up(&new, &key("sign-1")).await.unwrap();
        assert_eq!(asked.channel, "epcc");
        assert_eq!((asked.status, asked.verdict.map(|verdict| verdict.matched)), (SignUpStatus::CodeSent, Some(true)));
        let again = client.request_sign_up(&new, &key("sign-1")).await.unwrap();
        assert_eq!(again.id, asked.id, "encrypted anew under the same key it is the same request");
        let signing: Value = client.get(&format!("/v1/sign-ups/{}", asked.id)).await.unwrap();
        let path = format!("/sandbox/epcc/sms?transaction={}", text(&signing, "/serial"));
        let code = text(&shop.epcc.asked("GET", &path, &Value::Null), "/code");
        let signed = client.confirm_sign_up(&asked.id, &code, &key("code-1")).await.unwrap();
        assert_eq!((signed.status, signed.wrong_codes), (SignUpStatus::Signed, 0));
        let card = Card {
            rail: Some("epcc".to_owned()),
            agreement: signed.agreement,
            mask: signed.account,
            amount: 700,
            ..Card::default()
        };
        let order = NewOrder { instruments: vec![Instrument::Card(card)], ..shop.order("S1", 700) };
        let paid = client.place_order(&order, WAIT_SECONDS, &key("order-s")).await.unwrap();
        assert_eq!(paid.status, OrderStatus::Success);
        let cancelled = client.cancel_sign_up(&asked.id, &key("cancel-1")).await.unwrap();
        assert_eq!(cancelled.status, SignUpStatus::Cancelled);
    });
}

/// What stands between the client and the platform.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Between {
    /// The first so many answers are lost.
    Loses(usize),
    /// Every answer has its amounts touched.
    Touches,
}

/// Where it listens, and how many requests went through.
fn between(platform: &str, between: Between) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (platform, passed) = (platform.to_owned(), Arc::<AtomicUsize>::default());
    let counted = Arc::clone(&passed);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let number = counted.fetch_add(1, Ordering::SeqCst);
            // It may be the client that ends a connection.
            drop(pass(client, &platform, between, number));
        }
    });
    (address, passed)
}

/// One request on a connection of its own.
fn pass(mut client: TcpStream, platform: &str, between: Between, number: usize) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut some = [0; 4096];
    while !whole(&request) {
        let count = client.read(&mut some)?;
        if count == 0 {
            return Ok(());
        }
        request.extend_from_slice(&some[..count]);
    }
    let text = String::from_utf8_lossy(&request).replacen("\r\n", "\r\nconnection: close\r\n", 1);
    let mut upstream = TcpStream::connect(platform)?;
    upstream.write_all(text.as_bytes())?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer)?;
    match between {
        Between::Loses(count) if number < count => Ok(()),
        Between::Loses(_) => client.write_all(&answer),
        Between::Touches => {
            let text = String::from_utf8_lossy(&answer).replace("500000", "500001");
            client.write_all(text.as_bytes())
        }
    }
}

fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

#[test]
fn what_is_sent_again_is_done_once_and_what_was_touched_is_not_believed() {
    let Some(shop) = Shop::open() else { return };
    let pause = Duration::from_millis(1);
    let patience = Patience { pause, ..Patience::default() };
    shop.runtime.block_on(async {
        let (address, passed) = between(shop.server.address(), Between::Loses(2));
        let client = Client::new(&address, shop.credential()).unwrap().patient(patience);
        let order = shop.order("T1", 500_000);
        let paid = client.place_order(&order, WAIT_SECONDS, &key("order-1")).await.unwrap();
        assert_eq!((paid.status, paid.tries), (OrderStatus::Success, 1));
        assert_eq!(passed.load(Ordering::SeqCst), 3, "two answers were lost");

        let (address, _) = between(shop.server.address(), Between::Loses(usize::MAX));
        let client = Client::new(&address, shop.credential()).unwrap().patient(Patience { tries: 3, ..patience });
        let error = client.place_order(&shop.order("T2", 300_000), WAIT_SECONDS, &key("order-2")).await.unwrap_err();
        let Error::Unanswered { tries: 3, .. } = &error else { panic!("{error}") };
        assert!(error.to_string().contains("it may be done or not"), "{error}");
        // It was: the same key says so.
        let client = shop.client();
        let placed = client.place_order(&shop.order("T2", 300_000), WAIT_SECONDS, &key("order-2")).await.unwrap();
        assert_eq!(placed.tries, 1);

        let (address, _) = between(shop.server.address(), Between::Touches);
        let client = Client::new(&address, shop.credential()).unwrap().patient(patience);
        let error = client.order(&paid.id, 0).await.unwrap_err();
        assert!(matches!(error, Error::Forged), "{error}");
        let wrong = Credential::secret(&shop.merchant, &"5a".repeat(32)).unwrap();
        let client = Client::new(&format!("http://{}", shop.server.address()), wrong).unwrap();
        let error = client.order(&paid.id, 0).await.unwrap_err();
        assert!(matches!(&error, Error::Api(told) if told.remedy() == Remedy::MendSignature), "{error}");
        assert!(matches!(&error, Error::Api(told) if !told.signed), "nobody can sign for a secret that is not known");
        assert!(error.to_string().contains("change no key on its word alone"), "{error}");
    });
}

fn fixture(name: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/signing/");
    std::fs::read_to_string(format!("{path}{name}")).unwrap()
}

#[test]
fn pairs_sign_requests_and_the_platforms_pairs_sign_the_answers() {
    let Some(shop) = Shop::open() else { return };
    let base = format!("http://{}", shop.server.address());
    shop.runtime.block_on(async {
        for (at, algorithm) in ["sm2", "rsa"].into_iter().enumerate() {
            let certificate = json!({ "certificate": fixture(&format!("{algorithm}.pub.pem")) });
            let target = format!("/v1/merchants/{}/certificates", shop.merchant);
            let registered: Value =
                shop.client().post(&target, &key(&format!("certificate-{at}")), &certificate).await.unwrap();
            let (serial, pem) = (text(&registered, "/serial_no"), fixture(&format!("{algorithm}.key.pem")));
            // The platform has a pair of an algorithm once somebody signs with it.
            let keys = shop.client().platform_keys().await.unwrap();
            let credential = Credential::pair(&shop.merchant, &serial, &pem).unwrap();
            let client = Client::new(&base, credential.clone()).unwrap().trusting(keys);
            let number = format!("T{at}");
            let paid = client.place_order(&shop.order(&number, 500_000), WAIT_SECONDS, &key(&number)).await.unwrap();
            assert_eq!((paid.status, paid.out_trade_no.as_str()), (OrderStatus::Success, number.as_str()));
            // Without the platform's keys nothing is believed, and the name of the missing one is told.
            let client = Client::new(&base, credential).unwrap();
            let error = client.order(&paid.id, 0).await.unwrap_err();
            assert!(matches!(&error, Error::PlatformKey(name) if name.starts_with("PLATFORM-")), "{error}");
        }
    });
}
