//! What leaves over several channels of EPCC: rules choose for payouts and withdrawals, what follows stays with the channel that paid, and
//! a top-up by an agreement goes over the channel that signed it.

use std::ffi::OsString;
use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cashier::signed;
use crate::client::{Client, exchange};
use crate::epcc::{Epcc, becomes, channel};
use crate::open::{account, balance, customer, number, text, user};
use crate::orders::Market;
use crate::sandbox::Sandbox;
use crate::sensitive::Theirs;
use crate::server::{Server, lintel};
use crate::staff::client_of;

const PATIENCE: Duration = Duration::from_secs(60);
const QUERIES: [&str; 2] = ["executor.query_first_ms=20", "executor.query_max_ms=100"];
const TODAY: &str = "2026-03-05";
const RULES: &str = r#"
[[rules]]
name = "out to ICBC"
instruments = ["payout"]
banks = ["102"]
channels = ["epcc_b"]
"#;

/// The sandbox bank as EPCC, under a key of its own.
fn bank(id: &str, address: &str, key: &str) -> String {
    format!(
        "[[channels]]\nname = \"sandbox_bank\"\n{id}url = \"http://{address}\"\n[channels.settings]\nrail = \"epcc\"\n\
         institution = \"lintel\"\nkey = \"{key}\"\n"
    )
}

/// Two banks of which the rules send what goes to ICBC to the further one, and a person with 1,000 yuan.
struct World {
    banks: [Sandbox; 2],
    server: Server,
    operator: Client,
    wallet: String,
}

impl World {
    /// `None` where the sandbox is not built, which is said.
    fn start() -> Option<Self> {
        let keys = ["5a".repeat(32), "6b".repeat(32)];
        let start = |key: &str| {
            Sandbox::start(["bank", "--listen", "127.0.0.1:0", "--date", TODAY, "--faults", "none", "--key", key])
        };
        let banks = [start(&keys[0])?, start(&keys[1])?];
        let directory = TempDir::new().unwrap();
        let rules = directory.path().join("routing.toml");
        fs::write(&rules, RULES).unwrap();
        let channels =
            bank("", &banks[0].addresses[0], &keys[0]) + &bank("id = \"epcc_b\"\n", &banks[1].addresses[0], &keys[1]);
        let path = directory.path().join("lintel.toml");
        fs::write(&path, format!("{channels}[routing]\nfile = \"{}\"\n", rules.display())).unwrap();
        let server = Server::start_in(directory, &QUERIES, vec![("LINTEL_CONFIG".to_owned(), OsString::from(path))]);
        let operator = server.operator();
        let holder = user(&operator, &customer(&operator, "张三", "11010519491231002X"));
        let wallet = account(&operator, 2201, "CNY", &holder);
        let world = Self { banks, server, operator, wallet };
        let body = json!({
            "account": world.wallet, "agreement": "A1", "mask": "622202******2230", "amount": 100_000,
            "currency": "CNY",
        });
        let top_up = text(&world.operator.post("/v1/top-ups", &body).ok(), "/id");
        world.until(&format!("/v1/top-ups/{top_up}"), "success");
        Some(world)
    }

    fn until(&self, path: &str, status: &str) -> Value {
        let began = Instant::now();
        loop {
            let now = self.operator.get(path).ok();
            if now["status"] == status {
                return now;
            }
            assert!(began.elapsed() < PATIENCE, "not {status}: {now}");
            std::thread::yield_now();
        }
    }

    /// Pays to the holder's own bank account, at this bank if it is said: the payout as it arrived.
    fn pays(&self, amount: i64, bank: Option<&str>) -> Value {
        let to = json!({"type": "bank", "bank_account": {"account": "6222020200112248", "holder": "张三"}});
        let mut body = json!({"account": self.wallet, "to": to, "amount": amount, "currency": "CNY", "send_now": true});
        if let Some(code) = bank {
            body["bank"] = json!({"name": "A bank", "code": code});
        }
        let payout = self.operator.post("/v1/payouts", &body).ok();
        self.until(&format!("/v1/payouts/{}", text(&payout, "/id")), "success")
    }

    /// The attempt of a payout.
    fn attempt(&self, payout: &Value) -> Value {
        self.operator.get(&format!("/v1/attempts/{}", text(payout, "/attempt"))).ok()
    }

    /// Withdraws all that is there; the withdrawal's only try.
    fn withdraws(&self, code: &str) -> Value {
        let to = json!({"type": "bank", "bank_account": {"account": "6222020200112248", "holder": "张三"}});
        let terms = json!({"keep": 0, "minimum": 100, "fee": 0});
        let plan = json!({"account": self.wallet, "to": to, "terms": terms});
        self.operator.post("/v1/withdrawal-plans", &plan).ok();
        let enriched = json!([{"account": self.wallet, "bank": {"name": "A bank", "code": code}}]);
        let batch = json!({"date": TODAY, "number": 1, "enriched": enriched});
        assert_eq!(number(&self.operator.post("/v1/withdrawal-batches", &batch).ok(), "/made"), 1);
        let withdrawal = self.until("/v1/withdrawals/wdr_1", "success");
        assert_eq!(text(&withdrawal, "/channel"), "epcc_b");
        self.operator.get(&format!("/v1/payouts/{}", text(&withdrawal, "/tries/0"))).ok()
    }

    /// What a channel's file of the day brought: lines, matched, different, net.
    fn fetched(&self, channel: &str) -> [i64; 4] {
        let file = self.operator.post("/v1/clearing/fetch", &json!({"rail": channel, "date": TODAY})).ok();
        ["/lines", "/matched", "/different", "/net"].map(|at| number(&file, at))
    }
}

/// Has a sandbox do something.
fn asked(sandbox: &Sandbox, path: &str, body: &Value) {
    let headers = [("content-type", "application/json")];
    let answer = exchange(&sandbox.addresses[0], "POST", path, &headers, body.to_string().as_bytes()).unwrap();
    assert!(answer.status < 300, "{path}: {}", answer.text());
}

#[test]
fn what_leaves_goes_where_rules_send_it_and_comes_back_and_is_cleared_there() {
    let Some(world) = World::start() else { return };
    let first = world.pays(10_000, None);
    let other = world.pays(5_000, Some("313290000017"));
    let further = world.pays(20_000, Some("102100099996"));
    let withdrawn = world.withdraws("102100099996");
    let named = [&first, &other, &further, &withdrawn].map(|payout| {
        let attempt = world.attempt(payout);
        (text(payout, "/channel"), text(&attempt, "/channel"), text(&attempt, "/status"))
    });
    let over = |channel: &str| (channel.to_owned(), channel.to_owned(), "success".to_owned());
    assert_eq!(named, [over("epcc"), over("epcc"), over("epcc_b"), over("epcc_b")]);
    let now = ["route", "now", "--instrument", "payout", "--bank", "102", "--amount", "20000"];
    let told = String::from_utf8(world.server.lintel(&now).stdout).unwrap();
    assert!(told.contains("to epcc_b (by rule 'out to ICBC'); a failure there is the end"), "{told}");

    // It comes back over the channel that paid it, and the other one's word of it is no word.
    let serial = text(&world.attempt(&further), "/serial");
    asked(&world.banks[1], "/sandbox/return", &json!({ "serial": serial }));
    let back = world.operator.post("/v1/payouts/returns/fetch", &json!({ "date": TODAY })).ok();
    assert_eq!(["/listed", "/booked"].map(|at| number(&back, at)), [1, 1], "{back}");
    let path = format!("/v1/payouts/{}", text(&further, "/id"));
    assert_eq!(text(&world.operator.get(&path).ok(), "/status"), "returned");
    assert_eq!(balance(&world.operator, &world.wallet), 20_000);

    for bank in &world.banks {
        asked(bank, "/sandbox/clock", &json!({"date": "2026-03-06"}));
    }
    world.operator.post("/v1/sandbox/clock", &json!({"now": "2026-03-06T09:00:00+08:00"})).ok();
    world.operator.post("/v1/days/cut", &json!({"next": "2026-03-06"})).ok();
    assert_eq!(world.fetched("epcc"), [3, 3, 0, 85_000], "a top-up and two payouts");
    assert_eq!(world.fetched("epcc_b"), [3, 3, 0, -65_000], "a payout, its return and a withdrawal");
}

#[test]
fn a_merchant_says_nothing_of_a_receivers_bank() {
    let Some(world) = World::start() else { return };
    let market = Market::open(&world.server);
    let landlord = client_of(&world.server, &text(&market.landlord, "/id"));
    let body = json!({
        "account": text(&market.landlord, "/available"), "to": {"type": "settlement"}, "amount": 1,
        "currency": "CNY", "bank": {"name": "A bank", "code": "102100099996"},
    });
    assert_eq!(landlord.post("/v1/payouts", &body).error().0, 403);
}

#[test]
fn a_top_up_goes_over_the_channel_that_signed_its_agreement() {
    let (Some(first), Some(further)) = (Epcc::start(), Epcc::start()) else { return };
    let directory = TempDir::new().unwrap();
    let at = |epcc: &Epcc| format!("url = \"http://{}\"\n", epcc.0.addresses[0]);
    let channels = channel(&at(&first)) + &channel(&format!("id = \"epcc_b\"\n{}", at(&further)));
    let path = directory.path().join("lintel.toml");
    fs::write(&path, channels).unwrap();
    let server = Server::start_in(directory, &QUERIES, vec![("LINTEL_CONFIG".to_owned(), path.into_os_string())]);
    first.tells(&server, "epcc");
    further.tells(&server, "epcc_b");
    let market = Market::open(&server);
    let theirs = Theirs::of(&market.operator, "SM2-DER");
    if theirs.seal(b"1").is_none() {
        return;
    }
    let landlord = client_of(&server, &text(&market.landlord, "/id"));
    let signing = signed((&further, "epcc_b"), &theirs, &landlord, &market.payer, "6222020200112233445");
    let agreement = text(&landlord.get(&format!("/v1/sign-ups/{signing}")).ok(), "/agreement");
    let wallet = account(&market.operator, 2201, "CNY", &market.payer);
    let asks = |agreement: &str, rail: Option<&str>| {
        let mut body = json!({
            "account": wallet, "agreement": agreement, "mask": "622202******3445", "amount": 100, "currency": "CNY",
        });
        if let Some(rail) = rail {
            body["rail"] = json!(rail);
        }
        market.operator.post("/v1/top-ups", &body)
    };
    let channel_of = |top_up: &Value| {
        let attempt = market.operator.get(&format!("/v1/attempts/{}", text(top_up, "/attempt"))).ok();
        text(&attempt, "/channel")
    };
    for rail in [None, Some("epcc"), Some("epcc_b")] {
        let top_up = asks(&agreement, rail).ok();
        assert_eq!(channel_of(&top_up), "epcc_b", "{rail:?}");
        becomes(&market, &format!("/v1/top-ups/{}", text(&top_up, "/id")), "success");
    }
    assert_eq!(channel_of(&asks("AGR-7", None).ok()), "epcc", "nobody signed it here");
    assert_eq!(asks(&agreement, Some("epcc_c")).error().1, "channel_unknown");
}

#[test]
fn explain_and_check_know_payouts() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("routing.toml");
    let said = |arguments: &[&str]| {
        let output = lintel(directory.path(), arguments);
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    fs::write(&file, RULES).unwrap();
    let name = file.to_str().unwrap();
    let explain = |bank: &str| {
        said(&["route", "explain", "--file", name, "--instrument", "payout", "--bank", bank, "--amount", "500000"])
    };
    assert!(
        explain("102").contains("to epcc_b (by rule 'out to ICBC'); a failure there is the end"),
        "{}",
        explain("102")
    );
    let other = explain("105");
    assert!(other.contains("it is for bank 102, not 105"), "{other}");
    assert!(other.contains("to epcc (no rule matches"), "{other}");
    for (from, to, says) in [
        ("epcc_b", "unionpay", "unionpay is of another network"),
        ("[\"epcc_b\"]", "[\"epcc\", \"epcc_b\"]\ncascade = true", "goes on to no other channel"),
    ] {
        fs::write(&file, RULES.replace(from, to)).unwrap();
        let told = said(&["route", "check", name]);
        assert!(told.contains("rule 'out to ICBC'") && told.contains(says), "{told}");
    }
}
