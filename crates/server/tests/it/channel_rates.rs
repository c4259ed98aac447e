//! Success rates by bank, as the API and Prometheus show them: payments, top-ups and refunds of a card that was signed here, and signings
//! themselves, end in every way that EPCC in the sandbox knows. Its plan draws the ends; what each attempt came to says what the sums
//! must be. No payment names its bank: the signing did.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cashier::signed;
use crate::client::Client;
use crate::epcc::{Epcc, channel};
use crate::keys::becomes;
use crate::open::{account, text};
use crate::orders::Market;
use crate::sandbox::Sandbox;
use crate::sensitive::Theirs;
use crate::server::Server;
use crate::sign_ups::{CARD, NAME, NUMBER};
use crate::staff::client_of;

const PATIENCE: Duration = Duration::from_secs(60);
const QUERIES: [&str; 2] = ["executor.query_first_ms=20", "executor.query_max_ms=100"];
/// What does not arrive is unknown, and after the time in which it could have arrived it is not found.
const PLAN: &str = r#"
hold_ms = 20

[debit]
decline = 6000
decline_codes = ["10000001", "20000001", "30000001", "40000001"]
lost_before = 1500

[refund]
decline = 6000
decline_codes = ["10000001", "20000001", "30000001", "40000001"]
lost_before = 1500
"#;
/// What the bank says, and what nobody says.
const EVERY: [&str; 6] = ["success", "user", "risk", "bank", "system", "unknown"];
/// The most that is tried until all of that was seen.
const TRIES: usize = 300;
const MASK: &str = "622202*********3445";

type Tally = BTreeMap<String, u32>;

/// How often each end was come to; 0 of others.
fn of(tally: &Tally, end: &str) -> u32 {
    tally.get(end).copied().unwrap_or(0)
}

/// EPCC with that plan, and the market's payer, who signed a card of bank 102 and has a balance.
struct Desk {
    epcc: Epcc,
    market: Market,
    landlord: Client,
    theirs: Theirs,
    agreement: String,
    account: String,
    _server: Server,
}

impl Desk {
    /// `None` without a sandbox or an `openssl` that encrypts, which is said.
    fn open() -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let (plan, path) = (directory.path().join("plan.toml"), directory.path().join("lintel.toml"));
        fs::write(&plan, PLAN).unwrap();
        let own = ["bank", "--listen", "127.0.0.1:0", "--date", "2026-03-05"];
        let own = own.iter().map(OsStr::new).chain([OsStr::new("--faults"), plan.as_os_str()]);
        let epcc = Epcc(Sandbox::start(own)?);
        fs::write(&path, channel(&format!("url = \"http://{}\"\n", epcc.0.addresses[0]))).unwrap();
        let server = Server::start_in(directory, &QUERIES, vec![("LINTEL_CONFIG".to_owned(), path.into_os_string())]);
        let market = Market::open(&server);
        let theirs = Theirs::of(&market.operator, "SM2-DER");
        theirs.seal(b"1")?;
        let landlord = client_of(&server, &text(&market.landlord, "/id"));
        let id = signed((&epcc, "epcc"), &theirs, &landlord, &market.payer, CARD);
        let agreement = text(&landlord.get(&format!("/v1/sign-ups/{id}")).ok(), "/agreement");
        let account = account(&market.operator, 2201, "CNY", &market.payer);
        Some(Self { epcc, market, landlord, theirs, agreement, account, _server: server })
    }

    /// The attempt of a payment, and its order.
    fn pays(&self, number: &str) -> (String, String) {
        let order = text(&self.market.order(number, 500_000).ok(), "/id");
        let card = json!({
            "type": "card", "agreement": self.agreement, "mask": MASK, "rail": "epcc", "amount": 500_000,
        });
        let path = format!("/v1/orders/{order}/pay");
        let paying = self.market.operator.post(&path, &json!({"instruments": [card]})).ok();
        (text(&paying, "/legs/0/open_attempt"), order)
    }

    fn tops_up(&self) -> String {
        let body = json!({
            "account": self.account, "agreement": self.agreement, "mask": MASK, "amount": 1_000, "currency": "CNY",
        });
        text(&self.market.operator.post("/v1/top-ups", &body).ok(), "/attempt")
    }

    fn refunds(&self, order: &str, number: &str) -> String {
        let body = json!({"out_refund_no": number, "amount": 1_000, "return_fee": false});
        text(&self.market.operator.post(&format!("/v1/orders/{order}/refunds"), &body).ok(), "/parts/0/attempt")
    }

    /// A signing of a card, once the channel was asked.
    fn asks_to_sign(&self, card: &str) -> Value {
        let seal = |text: &str| self.theirs.seal(text.as_bytes()).unwrap();
        let elements = json!({
            "payer": self.market.payer, "bank": "102100099996", "account": seal(card), "name": seal(NAME),
            "certificate": seal(NUMBER), "phone": seal("13800138000"),
        });
        self.theirs.post(&self.landlord, "/v1/sign-ups", card, &elements).ok()
    }

    /// The right code of a signing, encrypted.
    fn code(&self, signing: &Value) -> Value {
        let path = format!("/sandbox/epcc/sms?transaction={}", text(signing, "/serial"));
        let code = text(&self.epcc.asked("GET", &path, &Value::Null), "/code");
        json!({"code": self.theirs.seal(code.as_bytes()).unwrap()})
    }

    /// What an attempt has come to: `success`, the class of a refusal, `not_found`, `unknown`.
    fn came_to(&self, attempt: &str) -> String {
        let began = Instant::now();
        loop {
            let shown = self.market.operator.get(&format!("/v1/attempts/{attempt}")).ok();
            let status = text(&shown, "/status");
            if status == "declined" {
                return text(&shown, "/failure/class");
            }
            if status != "requested" {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "{shown}");
            std::thread::yield_now();
        }
    }

    /// Asks until all of these were come to; the attempts.
    fn until_all(&self, wanted: &[&str], mut ask: impl FnMut(usize) -> String) -> Vec<String> {
        let (mut attempts, mut seen) = (Vec::new(), BTreeSet::new());
        while !wanted.iter().all(|end| seen.contains(*end)) {
            assert!(attempts.len() < TRIES, "not all of {wanted:?} after {TRIES}: {seen:?}");
            let attempt = ask(attempts.len());
            seen.insert(self.came_to(&attempt));
            attempts.push(attempt);
        }
        attempts
    }

    /// What attempts came to, once none of them is unknown any more.
    fn tally(&self, attempts: &[String]) -> Tally {
        let mut tally = Tally::new();
        for attempt in attempts {
            let began = Instant::now();
            let mut end = self.came_to(attempt);
            while end == "unknown" {
                assert!(began.elapsed() < PATIENCE, "{attempt} is unknown still");
                std::thread::yield_now();
                end = self.came_to(attempt);
            }
            *tally.entry(end).or_default() += 1;
        }
        tally
    }

    fn is(&self, now: &str) {
        self.market.operator.post("/v1/sandbox/clock", &json!({ "now": now })).ok();
    }

    /// The rates of a direction are these sums, all of them under the bank of the card, in the API and in Prometheus.
    fn shows(&self, direction: &str, tally: &Tally, unknown: u32) {
        let of = |end: &str| of(tally, end);
        let (lost, all) = (of("system") + of("not_found") + unknown, tally.values().sum::<u32>() + unknown);
        let expected = json!([{
            "direction": direction, "date": null, "channel": "epcc", "product": "rent", "bank": "102",
            "tries": all, "success": of("success"), "unknown": unknown,
            "failures": {
                "user": of("user"), "risk": of("risk"), "bank": of("bank"), "system": of("system"),
                "not_found": of("not_found"),
            },
            "effective": {"numerator": of("success"), "denominator": of("success") + lost},
        }]);
        let span = "from=2026-03-05&to=2026-03-06";
        let path = format!("/v1/rates/channels?by=channel,product,bank&{span}&direction={direction}");
        let began = Instant::now();
        loop {
            let mut found = self.market.operator.get(&path).ok()["data"].clone();
            for row in found.as_array_mut().unwrap() {
                row["effective"].as_object_mut().unwrap().remove("percent");
            }
            if found == expected {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "{found} is not {expected}");
        }
        let labels = format!("direction=\"{direction}\",channel=\"epcc\",product=\"rent\",bank=\"102\"");
        let is = |name: &str, count: u32| {
            becomes(&self.market.operator, name, |found| (found - f64::from(count)).abs() < 0.5);
        };
        for end in ["success", "user", "risk", "bank", "system", "not_found"] {
            is(&format!("lintel_channel_tries_total{{{labels},outcome=\"{end}\"}}"), of(end));
        }
        is(&format!("lintel_channel_unknown{{{labels}}}"), unknown);
    }
}

/// Adds the second to the first.
fn and(mut first: Tally, second: &Tally) -> Tally {
    second.iter().for_each(|(end, count)| *first.entry(end.clone()).or_default() += count);
    first
}

#[test]
fn every_end_of_payments_refunds_top_ups_and_signings_is_in_the_rates_by_bank() {
    let Some(mut desk) = Desk::open() else { return };
    let mut orders = Vec::new();
    let payments = desk.until_all(&EVERY, |at| {
        let (attempt, order) = desk.pays(&format!("A{at}"));
        orders.push((attempt.clone(), order));
        attempt
    });
    let (_, order) = orders.iter().find(|(attempt, _)| desk.came_to(attempt) == "success").unwrap();
    let top_ups = desk.until_all(&EVERY, |_| desk.tops_up());
    let refunds = desk.until_all(&EVERY, |at| desk.refunds(order, &format!("RA{at}")));
    let refused = desk.asks_to_sign("6222020200110000");
    assert_eq!(text(&refused, "/status"), "failed");

    // Later than anything could still arrive.
    desk.is("2026-03-05T10:00:00+08:00");
    let paid_in = and(desk.tally(&payments), &desk.tally(&top_ups));
    let paid_back = desk.tally(&refunds);
    for end in ["success", "user", "risk", "bank", "system", "not_found"] {
        assert!(of(&paid_in, end) > 0 && of(&paid_back, end) > 0, "{end}: {paid_in:?} {paid_back:?}");
    }
    let signings = Tally::from([("success".to_owned(), 1), ("user".to_owned(), 1)]);
    desk.shows("in", &paid_in, 0);
    desk.shows("back", &paid_back, 0);
    desk.shows("sign_up", &signings, 0);

    // One of each has no answer when its bank goes, and a day later.
    let mut last_in = desk.until_all(&["unknown"], |at| desk.pays(&format!("B{at}")).0);
    last_in.pop();
    let mut tops = desk.until_all(&["unknown"], |_| desk.tops_up());
    tops.pop();
    let mut last_back = desk.until_all(&["unknown"], |at| desk.refunds(order, &format!("RB{at}")));
    last_back.pop();
    let signing = desk.asks_to_sign("6222020200119988776");
    let code = desk.code(&signing);
    desk.epcc.0.kill();
    let confirm = format!("/v1/sign-ups/{}/confirm", text(&signing, "/id"));
    let confirming = desk.theirs.post(&desk.landlord, &confirm, "confirm", &code).ok();
    assert_eq!(text(&confirming, "/status"), "confirming");
    assert_eq!(text(&desk.asks_to_sign("6222020200115566778"), "/status"), "requested");
    desk.is("2026-03-06T09:00:00+08:00");
    desk.shows("in", &and(and(paid_in, &desk.tally(&last_in)), &desk.tally(&tops)), 2);
    desk.shows("back", &and(paid_back, &desk.tally(&last_back)), 1);
    let signings = and(signings, &Tally::from([("system".to_owned(), 1)]));
    desk.shows("sign_up", &signings, 1);
}
