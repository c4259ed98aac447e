//! A bank on a free port, and a platform that speaks its wire format.

use std::future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ark::MacKey;
use jiff::civil::Date;
use sandbox::bank::{self, Bank, EpccSettings, PingAnSettings, Plan, Settings, UnionPaySign};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const DAY: Date = jiff::civil::date(2026, 3, 5);
pub(crate) const NEXT_DAY: Date = jiff::civil::date(2026, 3, 6);

/// The key of the golden fixtures: bytes 0 to 31.
pub(crate) fn key() -> MacKey {
    MacKey::from_bytes(std::array::from_fn(|index| u8::try_from(index).unwrap()))
}

pub(crate) fn serial(number: u64) -> String {
    format!("20260305{number:016}0{:06}", number % 1_000_000)
}

/// A bank that is being served, and a client of it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) bank: Arc<Bank>,
    pub(crate) url: String,
    pub(crate) client: reqwest::Client,
    nonces: Arc<AtomicU64>,
}

impl World {
    pub(crate) async fn start(plan: &str) -> Self {
        Self::start_with(plan, 1, None).await
    }

    pub(crate) async fn start_with(plan: &str, seed: u64, notify_url: Option<String>) -> Self {
        Self::start_as(plan, seed, notify_url, EpccSettings::default()).await
    }

    /// With EPCC as it is set up.
    pub(crate) async fn start_as(plan: &str, seed: u64, notify_url: Option<String>, epcc: EpccSettings) -> Self {
        let (plan, unionpay) = (Plan::parse(plan).unwrap(), UnionPaySign::sandbox());
        let (key, date, pingan) = (key(), DAY, PingAnSettings::default());
        Self::of(Settings { plan, seed, key, date, notify_url, unionpay, epcc, pingan }).await
    }

    /// With Ping An as it is set up.
    pub(crate) async fn with_pingan(plan: &str, pingan: PingAnSettings) -> Self {
        let (plan, unionpay) = (Plan::parse(plan).unwrap(), UnionPaySign::sandbox());
        let (seed, key, date, notify_url, epcc) = (1, key(), DAY, None, EpccSettings::default());
        Self::of(Settings { plan, seed, key, date, notify_url, unionpay, epcc, pingan }).await
    }

    /// With UnionPay's forms signed so.
    pub(crate) async fn with_unionpay(plan: &str, unionpay: UnionPaySign) -> Self {
        let (plan, pingan) = (Plan::parse(plan).unwrap(), PingAnSettings::default());
        let (seed, key, date, notify_url, epcc) = (1, key(), DAY, None, EpccSettings::default());
        Self::of(Settings { plan, seed, key, date, notify_url, unionpay, epcc, pingan }).await
    }

    async fn of(settings: Settings) -> Self {
        let bank = Bank::new(settings);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(bank::serve(listener, Arc::clone(&bank), future::pending()));
        Self { bank, url, client: reqwest::Client::new(), nonces: Arc::default() }
    }

    /// The same bank at two sites, each with a client of its own.
    pub(crate) async fn at_two_sites(plan: &str) -> [Self; 2] {
        let plan = Plan::parse(plan).unwrap();
        let bank = Bank::new(Settings {
            plan,
            seed: 1,
            key: key(),
            date: DAY,
            notify_url: None,
            unionpay: UnionPaySign::sandbox(),
            pingan: PingAnSettings::default(),
            epcc: EpccSettings::default(),
        });
        let listeners =
            [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
        let urls = listeners.each_ref().map(|listener| format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(bank::serve_sites(listeners.into(), Arc::clone(&bank), future::pending()));
        let nonces = Arc::<AtomicU64>::default();
        urls.map(|url| {
            let (bank, nonces) = (Arc::clone(&bank), Arc::clone(&nonces));
            Self { bank, url, client: reqwest::Client::new(), nonces }
        })
    }

    /// Whether a new connection is taken.
    pub(crate) async fn is_taken(&self) -> bool {
        let asked = reqwest::Client::new().get(format!("{}/sandbox/stats", self.url)).send().await;
        match asked {
            Ok(_) => true,
            Err(error) => !error.is_connect(),
        }
    }

    /// Sends a signed request. Nothing comes back if the connection ends without an answer.
    pub(crate) async fn send(&self, method: &str, target: &str, nonce: &str, body: &str) -> Option<Reply> {
        let tag = key().tag(format!("{method}\n{target}\n{nonce}\n{body}").as_bytes());
        let request = self
            .client
            .request(method.parse().unwrap(), format!("{}{target}", self.url))
            .header("x-institution", "lintel")
            .header("x-nonce", nonce)
            .header("x-signature", hex::encode(tag))
            .body(body.to_owned());
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (told, signature) = (header("x-nonce"), header("x-signature"));
        let body = response.bytes().await.ok()?.to_vec();
        if let (Some(told), Some(signature)) = (told, signature) {
            assert_eq!(told, nonce, "an answer repeats the nonce");
            let head = format!("ANSWER\n{status}\n{nonce}\n");
            key().mac().update(head.as_bytes()).update(&body).verify(&hex::decode(signature).unwrap()).unwrap();
        }
        Some(Reply { status, body })
    }

    fn nonce(&self) -> String {
        format!("nonce-{:016}", self.nonces.fetch_add(1, Ordering::Relaxed))
    }

    /// An operation; `subject` are its fields besides serial, rail, amount and currency.
    pub(crate) async fn ask(&self, path: &str, number: u64, amount: i64, subject: Value) -> Option<Reply> {
        let rail = if path.starts_with("/fund") { "fund" } else { "epcc" };
        let mut body = json!({ "serial": serial(number), "rail": rail, "amount": amount, "currency": "CNY" });
        body.as_object_mut().unwrap().extend(subject.as_object().unwrap().clone());
        self.send("POST", path, &serial(number), &body.to_string()).await
    }

    pub(crate) async fn debit(&self, number: u64, amount: i64) -> Option<Reply> {
        self.ask("/bank/v1/debit", number, amount, json!({ "agreement": "AGR-1" })).await
    }

    pub(crate) async fn pay(&self, number: u64, amount: i64) -> Option<Reply> {
        self.ask("/bank/v1/pay", number, amount, json!({ "account": "6222020200112233445", "name": "示例商户" })).await
    }

    pub(crate) async fn refund(&self, number: u64, amount: i64, original: u64) -> Option<Reply> {
        self.ask("/bank/v1/refund", number, amount, json!({ "original": serial(original) })).await
    }

    pub(crate) async fn fund(&self, verb: &str, number: u64, amount: i64, original: u64) -> Option<Reply> {
        let subject = match verb {
            "hold" => json!({ "contract": "LEASE-1" }),
            _ => json!({ "original": serial(original) }),
        };
        self.ask(&format!("/fund/v1/{verb}"), number, amount, subject).await
    }

    pub(crate) async fn query(&self, house: &str, number: u64) -> Value {
        let rail = if house == "fund" { "fund" } else { "epcc" };
        let body = json!({ "serial": serial(number), "rail": rail }).to_string();
        let reply = self.send("POST", &format!("/{house}/v1/query"), &self.nonce(), &body).await.unwrap();
        assert_eq!(reply.status, 200);
        reply.json()
    }

    /// The code that a query of a debit, refund or payment is told.
    pub(crate) async fn state(&self, number: u64) -> String {
        code(&self.query("bank", number).await)
    }

    pub(crate) async fn get(&self, target: &str) -> Reply {
        self.send("GET", target, &self.nonce(), "").await.unwrap()
    }

    /// An unsigned request to the sandbox itself.
    pub(crate) async fn sandbox(&self, path: &str, body: Value) -> (u16, Value) {
        let request = self.client.post(format!("{}/sandbox/{path}", self.url)).json(&body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn code(&self) -> String {
        assert_eq!(self.status, 200);
        code(&self.json())
    }
}

fn code(answer: &Value) -> String {
    answer["code"].as_str().unwrap().to_owned()
}
