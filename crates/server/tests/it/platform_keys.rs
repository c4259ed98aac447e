//! The platform's own signing keys are rotated: the new ones are shown before they sign, and shut nobody out. Without an overlap answers,
//! webhooks and receipts go by them at once, and the merchants' client hears of them. What the old ones signed verifies until they are
//! compromised.

use client::model::{Item, NewOrder};
use client::{Client, Credential, Error, IdempotencyKey, PlatformKeys, Received, WebhookError};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::certificates::{Pair, SM2, register};
use crate::client::exchange;
use crate::open::text;
use crate::orders::Market;
use crate::receipts::verified;
use crate::server::Server;
use crate::webhooks::receiver::{Got, Manner, Receiver};

/// A next key signs at once.
const AT_ONCE: &str = "ark.signing_overlap_seconds=0";

/// A pair of the platform, and what of ours goes by it.
struct Algorithm {
    /// In the key service, as it stands in a path.
    name: &'static str,
    /// What begins its serial numbers.
    prefix: &'static str,
    /// The merchant's pair in `fixtures/signing`.
    files: &'static str,
    /// As webhooks name it.
    webhook: &'static str,
}

const BOTH: [Algorithm; 2] = [
    Algorithm { name: "platform%2Fsigning", prefix: "PLATFORM-SM2-", files: "sm2", webhook: "sm2_with_sm3" },
    Algorithm { name: "platform%2Fsigning-rsa", prefix: "PLATFORM-RSA-", files: "rsa", webhook: "sha256_rsa2048" },
];

/// A landlord who signs with a secret and with a pair of each algorithm.
struct Landlord {
    id: String,
    secret: String,
    serials: [String; 2],
}

impl Landlord {
    fn of(market: &Market) -> Self {
        let id = text(&market.landlord, "/id");
        let key = market.operator.post(&format!("/v1/merchants/{id}/key"), &Value::Null).ok();
        let public = |of: Algorithm| fixture(&format!("{}.pub.pem", of.files));
        let serials = BOTH.map(|of| text(&register(&market.operator, &id, &public(of)), "/serial_no"));
        Self { id, secret: text(&key, "/secret"), serials }
    }

    fn by_secret(&self, server: &Server) -> Client {
        let credential = Credential::secret(&self.id, &self.secret).unwrap();
        Client::new(&format!("http://{}", server.address()), credential).unwrap()
    }

    /// With its pair of each algorithm, as one who has these keys of the platform.
    fn by_pairs(&self, server: &Server, keys: &PlatformKeys) -> [Client; 2] {
        [0, 1].map(|at| {
            let pem = fixture(&format!("{}.key.pem", BOTH[at].files));
            let credential = Credential::pair(&self.id, &self.serials[at], &pem).unwrap();
            Client::new(&format!("http://{}", server.address()), credential).unwrap().trusting(keys.clone())
        })
    }

    async fn looks(&self, client: &Client) -> Result<Value, Error> {
        client.get(&format!("/v1/merchants/{}", self.id)).await
    }
}

fn fixture(name: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/signing/");
    std::fs::read_to_string(format!("{path}{name}")).unwrap()
}

fn rotate(server: &Server) {
    for of in &BOTH {
        let rotated = format!("/v1/ark/keys/{}/rotate?reason=yearly", of.name);
        server.operator().post(&rotated, &json!({})).ok();
    }
}

/// The platform's key of a serial number, as the list shows it.
fn listed(server: &Server, serial: &str) -> Option<Value> {
    let keys = server.operator().get("/v1/platform-keys").ok();
    keys["data"].as_array().unwrap().iter().find(|key| key["serial_no"] == serial).cloned()
}

/// Whether each key of a version is in the list, and signs now.
fn sign(server: &Server, version: u32) -> [Option<bool>; 2] {
    BOTH.map(|of| listed(server, &format!("{}{version}", of.prefix))?["signs"].as_bool())
}

#[test]
fn over_an_overlap_nobody_with_a_pair_is_shut_out() {
    let mut server = Server::start();
    let market = Market::open(&server);
    let landlord = Landlord::of(&market);
    let runtime = Runtime::new().unwrap();
    let old = runtime.block_on(landlord.by_secret(&server).platform_keys()).unwrap();
    let order = text(&market.paid(), "/id");
    rotate(&server);
    let waits = |server: &Server| {
        assert_eq!((sign(server, 1), sign(server, 2)), ([Some(true); 2], [Some(false); 2]));
        BOTH.map(|of| text(&listed(server, &format!("{}2", of.prefix)).unwrap(), "/signs_from"))
    };
    let from = waits(&server);
    for (of, from) in BOTH.iter().zip(&from) {
        let key = server.operator().get(&format!("/v1/ark/keys/{}", of.name)).ok();
        let [made, told] = ["/versions/1/created_at", "/versions/1/signs_from"].map(|at| text(&key, at));
        let time = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        assert_eq!((time(from), from), (time(&made) + jiff::SignedDuration::from_hours(48), &told));
        assert_eq!(listed(&server, &format!("{}1", of.prefix)).unwrap()["signs_from"], Value::Null);
    }
    server.kill();
    server.start_again();
    assert_eq!(waits(&server), from, "by what is stored");
    let receipt = |server: &Server| text(&server.operator().get(&format!("/v1/receipts/{order}")).ok(), "/serial_no");
    assert_eq!(receipt(&server), "PLATFORM-SM2-1");
    // With the old keys alone they go on, and take the list themselves, over an answer that an old one signs.
    let taken = runtime.block_on(async {
        let [sm2, rsa] = landlord.by_pairs(&server, &old);
        let [by_sm2, by_rsa] = [sm2.platform_keys().await.unwrap(), rsa.platform_keys().await.unwrap()];
        for of in &BOTH {
            let next = format!("{}2", of.prefix);
            assert!(!old.knows(&next) && by_sm2.knows(&next) && by_rsa.knows(&next), "{next}");
        }
        by_sm2
    });

    let lost = json!({"version": 1, "step": "compromise"});
    server.operator().post("/v1/ark/keys/platform%2Fsigning/step?reason=lost", &lost).ok();
    assert_eq!((sign(&server, 1), sign(&server, 2)), ([None, Some(true)], [Some(true), Some(false)]));
    assert_eq!(receipt(&server), "PLATFORM-SM2-2");
    // The overlap of the other pair ends.
    server.kill();
    server.set(&[], &[AT_ONCE]);
    server.start_again();
    assert_eq!((sign(&server, 1), sign(&server, 2)), ([None, Some(false)], [Some(true); 2]));
    assert_eq!(listed(&server, "PLATFORM-RSA-2").unwrap()["signs_from"], Value::Null);
    runtime.block_on(async {
        for (at, client) in landlord.by_pairs(&server, &taken).iter().enumerate() {
            assert_eq!(landlord.looks(client).await.unwrap()["id"], json!(landlord.id), "{}", BOTH[at].files);
        }
        for (client, of) in landlord.by_pairs(&server, &old).iter().zip(&BOTH) {
            let error = landlord.looks(client).await.unwrap_err();
            assert!(matches!(&error, Error::PlatformKey(serial) if *serial == format!("{}2", of.prefix)), "{error}");
        }
    });
}

#[test]
fn without_an_overlap_answers_go_by_the_new_keys_at_once_and_the_client_is_told_to_take_them() {
    let mut server = Server::start_with(&[AT_ONCE]);
    let market = Market::open(&server);
    let landlord = Landlord::of(&market);
    let runtime = Runtime::new().unwrap();
    let old = runtime.block_on(landlord.by_secret(&server).platform_keys()).unwrap();
    runtime.block_on(async {
        for client in landlord.by_pairs(&server, &old) {
            assert_eq!(landlord.looks(&client).await.unwrap()["id"], json!(landlord.id));
        }
    });
    assert_eq!((sign(&server, 1), sign(&server, 2)), ([Some(true); 2], [None; 2]));

    rotate(&server);
    // Which version signs is no matter of the process.
    server.kill();
    server.start_again();
    assert_eq!((sign(&server, 1), sign(&server, 2)), ([Some(false); 2], [Some(true); 2]));
    runtime.block_on(async {
        let mut orders = Vec::new();
        for (client, of) in landlord.by_pairs(&server, &old).iter().zip(&BOTH) {
            let named = format!("{}2", of.prefix);
            let unknown = |error: &Error| matches!(error, Error::PlatformKey(serial) if *serial == named);
            let error = landlord.looks(client).await.unwrap_err();
            assert!(unknown(&error) && error.to_string().contains("take GET /v1/platform-keys again"), "{error}");
            // The answer to a pair cannot bring the key that it is signed with.
            let error = client.platform_keys().await.unwrap_err();
            assert!(unknown(&error), "{error}");
            // What the client could not believe is done: the same key says so, once it knows who signs.
            let items = vec![Item { kind: "rent".to_owned(), amount: 700 }];
            let order = NewOrder::of(of.files, &market.payer, items);
            let error = client.place_order(&order, 0, &IdempotencyKey::of(of.files).unwrap()).await.unwrap_err();
            assert!(unknown(&error), "{error}");
            orders.push(order);
        }

        let keys = landlord.by_secret(&server).platform_keys().await.unwrap();
        for (at, client) in landlord.by_pairs(&server, &keys).iter().enumerate() {
            assert!([1, 2].iter().all(|version| keys.knows(&format!("{}{version}", BOTH[at].prefix))), "{keys:?}");
            assert_eq!(landlord.looks(client).await.unwrap()["id"], json!(landlord.id));
            let again = IdempotencyKey::of(BOTH[at].files).unwrap();
            let order = client.place_order(&orders[at], 0, &again).await.unwrap();
            assert_eq!(order.id, format!("ord_{}", at + 1), "one each");
        }
    });
}

/// A delivery as a merchant reads it.
fn received(keys: &PlatformKeys, got: &Got) -> Result<Received, WebhookError> {
    Received::verify(keys, |name| Some(got.header(name)), &got.body)
}

/// Closes a new order; what both webhooks are told of it, in the order of [`BOTH`].
fn told(market: &Market, name: &str, receivers: &[Receiver; 2], count: usize) -> [Got; 2] {
    let order = text(&market.order(name, 700).ok(), "/id");
    market.operator.post(&format!("/v1/orders/{order}/close"), &json!({})).ok();
    receivers.each_ref().map(|receiver| receiver.until_taken(count).pop().unwrap())
}

#[test]
fn without_an_overlap_webhooks_go_by_the_new_keys_at_once() {
    let server = Server::start_with(&[AT_ONCE]);
    let market = Market::open(&server);
    let landlord = Landlord::of(&market);
    let receivers = [Receiver::start(Manner::Take), Receiver::start(Manner::Take)];
    for (receiver, of) in receivers.iter().zip(&BOTH) {
        let hook = json!({"url": receiver.url, "kinds": ["order.closed"], "algorithm": of.webhook});
        market.operator.post(&format!("/v1/merchants/{}/webhooks", landlord.id), &hook).ok();
    }
    let runtime = Runtime::new().unwrap();
    let old = runtime.block_on(landlord.by_secret(&server).platform_keys()).unwrap();
    for (got, of) in told(&market, "W1", &receivers, 1).iter().zip(&BOTH) {
        assert_eq!(got.header("lintel-serial"), format!("{}1", of.prefix));
        assert_eq!(received(&old, got).unwrap().kind, "order.closed");
    }

    rotate(&server);
    let after = told(&market, "W2", &receivers, 2);
    let keys = runtime.block_on(landlord.by_secret(&server).platform_keys()).unwrap();
    for (got, of) in after.iter().zip(&BOTH) {
        let named = format!("{}2", of.prefix);
        assert_eq!(got.header("lintel-serial"), named);
        let error = received(&old, got).unwrap_err();
        assert!(matches!(&error, WebhookError::Key(serial) if *serial == named), "{error}");
        assert_eq!(received(&keys, got).unwrap().kind, "order.closed");
    }
    // What came before goes on to verify.
    for receiver in &receivers {
        assert_eq!(received(&keys, &receiver.got()[0]).unwrap().kind, "order.closed");
    }
}

#[test]
fn a_receipt_of_the_old_key_verifies_until_that_is_compromised() {
    let server = Server::start_with(&[AT_ONCE]);
    let market = Market::open(&server);
    let landlord = Landlord::of(&market);
    let order = text(&market.paid(), "/id");
    let path = format!("/v1/receipts/{order}");
    let issued = || market.operator.get(&path).ok();
    let page = |receipt: &Value| {
        let signature = text(receipt, "/signature").replace('+', "-").replace('/', "_").replace('=', "");
        let serial = text(receipt, "/serial_no");
        let target = format!("{path}/verify?serial_no={serial}&signature={signature}");
        exchange(server.address(), "GET", &target, &[], b"").unwrap().text()
    };
    let old = issued();
    rotate(&server);
    let new = issued();
    assert_eq!(new["content"], old["content"]);
    assert_eq!((&old["serial_no"], &new["serial_no"]), (&json!("PLATFORM-SM2-1"), &json!("PLATFORM-SM2-2")));
    for receipt in [&old, &new] {
        assert_eq!(verified(&server, receipt)["authentic"], true);
        assert!(page(receipt).contains("真实 · Authentic"), "{receipt}");
    }
    // A signature is its own key's alone.
    for (of, under) in [(&old, &new), (&new, &old)] {
        let crossed = json!({
            "content": of["content"], "serial_no": under["serial_no"], "signature": of["signature"],
        });
        assert_eq!(verified(&server, &crossed)["authentic"], false);
        assert!(page(&crossed).contains("Not authentic"), "{crossed}");
    }

    // By the old public key alone: the client's way, and openssl's.
    let runtime = Runtime::new().unwrap();
    let client = landlord.by_secret(&server);
    let alone = |receipt: &Value| {
        let [content, serial, signature] = ["/content", "/serial_no", "/signature"].map(|part| text(receipt, part));
        runtime.block_on(client.verify_receipt(&content, &serial, &signature)).unwrap()
    };
    for receipt in [&old, &new] {
        assert_eq!(alone(receipt).unwrap()["object"], json!(order));
    }
    if let Some(openssl) = Pair::new(SM2) {
        let keys = [1, 2].map(|version| listed(&server, &format!("PLATFORM-SM2-{version}")).unwrap());
        let [first, second] = keys.map(|key| text(&key, "/public_key"));
        let (content, signature) = (text(&old, "/content"), text(&old, "/signature"));
        assert!(openssl.verifies(&first, content.as_bytes(), &signature));
        assert!(!openssl.verifies(&second, content.as_bytes(), &signature));
    }

    let lost = json!({"version": 1, "step": "compromise"});
    market.operator.post("/v1/ark/keys/platform%2Fsigning/step?reason=lost", &lost).ok();
    assert_eq!((listed(&server, "PLATFORM-SM2-1"), alone(&old)), (None, None));
    assert_eq!(
        (&verified(&server, &old)["authentic"], &verified(&server, &new)["authentic"]),
        (&json!(false), &json!(true))
    );
    assert!(page(&old).contains("Not authentic") && page(&new).contains("真实 · Authentic"));
}
