//! Ping An's other side: byte for byte as the fixtures, with RSA and in UTF-8; each fault by itself; with SM2 and in GBK:
//! `crates/server/tests/it/pingan.rs`.

use std::fs;

use ark::provider::{KeyKind, Signing};
use ark::{Provider as _, Soft};
use axum::body::Bytes;
use axum::extract::State;
use axum::{Router, routing};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sandbox::bank::{EpccKeys, PingAnSettings, Rail};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::contract::{blocks, fixture};
use crate::support::{DAY, NEXT_DAY, World};

const DEBIT: &str = "2026030500000000000000420000042";
const PAY: &str = "2026030500000000000000450000045";
/// The nonce of the fixtures' questions, as a serial number.
const QUESTION: &str = "0123456789abcdef0000";
const SUMMARY: &str = "11014892664003";

/// Keys of the fixtures: what signs as the bank there, and the platform's public key.
fn keys() -> EpccKeys {
    let pem = fs::read_to_string(fixture("unionpay_online/theirs.key.pem")).unwrap();
    let lines: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let private = hex::encode(BASE64_STANDARD.decode(lines).unwrap());
    let public = fs::read_to_string(fixture("unionpay_online/ours.pub.pem")).unwrap();
    EpccKeys::read("rsa", &private, &public).unwrap()
}

/// The body of the nth message of a conversation that is marked so.
fn body(name: &str, mark: &str, nth: usize) -> String {
    let block = blocks(&format!("pingan_jzb/{name}.txt"), mark).remove(nth);
    block.split_once("\n\n").map_or(block.clone(), |(_, body)| body.to_owned())
}

/// What a conversation shows under a title: of the first half, which answers the operation, or of the second.
fn shown(name: &str, title: &str) -> String {
    let text = fs::read_to_string(fixture(&format!("pingan_jzb/{name}.txt"))).unwrap();
    let titled = format!("# {title}\n");
    let block = text.split("\n\n").find(|block| block.starts_with(&titled));
    let block = block.unwrap_or_else(|| panic!("{name}: {title}"));
    let lines = block.lines().filter_map(|line| line.strip_prefix("< "));
    lines.skip(1).collect::<Vec<_>>().join("\n")
}

struct Network(World);

impl Network {
    async fn start(plan: &str) -> Self {
        Self(World::with_pingan(plan, PingAnSettings { keys: keys(), notify_url: None }).await)
    }

    async fn send(&self, body: String) -> Option<(u16, String)> {
        let answer = self.0.client.post(format!("{}/jzb", self.0.url)).body(body).send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.text().await.ok()?))
    }

    /// What the request of a conversation is answered.
    async fn ask(&self, name: &str) -> Option<(u16, String)> {
        self.send(body(name, ">", 0)).await
    }

    async fn query(&self, name: &str) -> String {
        self.send(body(name, ">", 1)).await.unwrap().1
    }

    /// Where notifications go from now on.
    async fn told(&self) -> mpsc::UnboundedReceiver<String> {
        async fn take(State(told): State<mpsc::UnboundedSender<String>>, body: Bytes) {
            told.send(String::from_utf8(body.to_vec()).unwrap()).unwrap();
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/told", listener.local_addr().unwrap());
        let router = Router::new().route("/told", routing::post(take)).with_state(sender);
        tokio::spawn(async move { axum::serve(listener, router).await });
        assert_eq!(self.0.sandbox("pingan/route", json!({ "url": url })).await.0, 200);
        receiver
    }
}

#[tokio::test]
async fn every_operation_speaks_as_the_fixtures_do() {
    let network = Network::start("").await;
    for name in ["debit", "refund", "pay"] {
        assert_eq!(network.query(name).await, shown(name, "There is no such record."), "{name} is not there yet");
        assert_eq!(network.ask(name).await.unwrap(), (200, shown(name, "Taken.")), "{name}");
        assert_eq!(network.query(name).await, shown(name, "Done."), "{name}");
        let again = shown(name, "The serial number was seen before: query, never declined.");
        assert_eq!(network.ask(name).await.unwrap().1, again, "{name} again");
    }
    assert_eq!(network.0.bank.day_totals(DAY, Rail::PingAn).in_sum, 500_000);
    assert_eq!(network.0.bank.day_totals(DAY, Rail::PingAn).out_sum, 617_000);
    assert_eq!(network.0.bank.report().sent_again, 3);
}

#[tokio::test]
async fn what_is_refused_is_refused_for_good() {
    let plan = "[[rail]]\nname = \"pingan\"\ndecline = 10000\ncode = \"30000001\"";
    let network = Network::start(plan).await;
    assert_eq!(network.ask("debit").await.unwrap().1, shown("debit", "Refused: the bank says no."));
    assert_eq!(network.query("debit").await, shown("debit", "Failed: the bank says why."));
    assert_eq!(network.ask("pay").await.unwrap().1, shown("pay", "Taken."), "debits only");
}

#[tokio::test]
async fn the_files_of_a_day_are_the_fixtures_and_only_of_one_that_is_over() {
    let network = Network::start("return_nth = [1]").await;
    for name in ["debit", "refund", "pay"] {
        network.ask(name).await.unwrap();
    }
    let list = body("returns", ">", 0);
    assert_eq!(network.send(list.clone()).await.unwrap().1, shown("returns", "None came back."));
    let mut told = network.told().await;
    assert_eq!(network.0.bank.return_all(), 1);
    assert_eq!(told.recv().await.unwrap(), shown("notifications", "A payment came back."));
    assert_eq!(network.send(list).await.unwrap().1, shown("returns", "One came back."));
    assert_eq!(network.query("pay").await, shown("pay", "Done."), "it was done");
    assert_eq!(network.send(asks_for("JY", "20260305")).await.unwrap().0, 409, "the day is not over");
    network.0.bank.set_clearing_date(jiff::civil::date(2026, 3, 7)).unwrap();
    for (date, kind, name) in [
        (DAY, "JY", "day_1_of_2.clr"),
        (DAY, "TX", "day_2_of_2.clr"),
        (NEXT_DAY, "JY", "empty_1_of_2.clr"),
        (NEXT_DAY, "TX", "empty_2_of_2.clr"),
    ] {
        let file = network.send(asks_for(kind, &date.to_string().replace('-', ""))).await.unwrap();
        let right = fs::read_to_string(fixture(&format!("pingan_jzb/{name}"))).unwrap();
        assert_eq!(file, (200, right), "{name}");
    }
    assert_eq!(network.send(asks_for("CZ", "20260305")).await.unwrap().0, 400);
    assert_eq!(network.send(asks_for("JY", "20260230")).await.unwrap().0, 400);
}

/// What the platform asks for a file with, signed by the fixtures' key of the platform.
fn asks_for(kind: &str, date: &str) -> String {
    let (body, at) = (format!("{SUMMARY}&{kind}&{date}&&"), format!("{date}000000"));
    let (whole, length) = (122 + body.len(), body.len());
    let head = format!(
        "A0011302023045{:16}{whole:010}000000PA00101{at}{QUESTION}999999{:100}000010RSA-SHA256  00000000000\
         610301{:16}{at}999999{:42}0{length:08}PA001{QUESTION}3045",
        "", "", "", ""
    );
    let config: Value = serde_json::from_slice(&fs::read(fixture("pingan_jzb/rsa.json")).unwrap()).unwrap();
    let soft = Soft::with_known_keys(0).unwrap();
    let pair = soft.import(KeyKind::Rsa2048, &hex::decode(config["key"].as_str().unwrap()).unwrap()).unwrap();
    let unsigned = format!("{head}{body}");
    let signature = BASE64_STANDARD.encode(soft.sign(pair, Signing::RsaPkcs1Sha256, unsigned.as_bytes()).unwrap());
    format!("{}{:010}{}{signature}", &unsigned[..211], signature.len(), &unsigned[221..])
}

#[tokio::test]
async fn each_fault_spoils_the_way_and_never_the_books() {
    let only = |fault: &str| format!("hold_ms = 1\nlate_ms = 1\nin_progress_queries = 2\n[debit]\n{fault} = 10000");
    let (done, not_found) = (shown("debit", "Done."), shown("debit", "There is no such record."));
    let notification = shown("notifications", "A debit is done.");
    // Nothing was done: a query says so.
    for fault in ["lost_before", "garbage_before"] {
        let network = Network::start(&only(fault)).await;
        let answered = network.ask("debit").await;
        assert!(answered.is_none_or(|(status, _)| status == 500), "{fault}");
        assert_eq!(network.query("debit").await, not_found, "{fault}");
        assert_eq!(network.0.bank.day_totals(DAY, Rail::PingAn).in_sum, 0, "{fault}");
    }
    // It was done: how the answer comes, and how often it is told besides.
    for (fault, answers, told_times) in
        [("lost_after", false, 0), ("garbage_after", false, 0), ("late", true, 1), ("twice", true, 2)]
    {
        let network = Network::start(&only(fault)).await;
        let mut told = network.told().await;
        let answered = network.ask("debit").await.filter(|(status, _)| *status == 200);
        assert_eq!(answered.is_some(), answers, "{fault}");
        for _ in 0..told_times {
            assert_eq!(told.recv().await.unwrap(), notification, "{fault}");
        }
        assert_eq!(network.query("debit").await, done, "{fault}");
        assert_eq!(network.0.bank.day_totals(DAY, Rail::PingAn).in_sum, 500_000, "{fault}");
        assert!(told.try_recv().is_err(), "{fault}");
    }
    let network = Network::start(&only("in_progress")).await;
    let mut told = network.told().await;
    assert_eq!(network.ask("debit").await.unwrap().1, shown("debit", "Taken."));
    assert_eq!(network.query("debit").await, shown("debit", "It is not clear yet."));
    assert_eq!(network.query("debit").await, done, "the second query settles it");
    assert_eq!(told.recv().await.unwrap(), notification);
}

#[tokio::test]
async fn what_is_told_out_of_turn_is_of_another_amount_or_anothers() {
    let network = Network::start("").await;
    network.ask("debit").await.unwrap();
    let mut told = network.told().await;
    let tell = async |twist: Value| network.0.sandbox("pingan/tell", twist).await.0;
    assert_eq!(tell(json!({ "transaction": DEBIT, "amount": 500_001 })).await, 200);
    assert!(told.recv().await.unwrap().contains("&5000.01&"));
    assert_eq!(tell(json!({ "transaction": DEBIT, "forged": true })).await, 200);
    let (forged, right) = (told.recv().await.unwrap(), shown("notifications", "A debit is done."));
    assert!(forged != right && forged[..forged.len() - 344] == right[..right.len() - 344], "{forged}");
    assert_eq!(tell(json!({ "transaction": PAY })).await, 409);
    assert_eq!(tell(json!({ "transaction": "42" })).await, 400);
}

#[tokio::test]
async fn a_message_that_was_touched_does_nothing() {
    let network = Network::start("").await;
    let whole = body("debit", ">", 0);
    for touched in [whole.replace("5000.00", "5000.01"), whole.replace("0000000344", "0000000343"), String::new()] {
        assert_eq!(network.send(touched).await.unwrap().0, 401);
    }
    assert_eq!(network.query("debit").await, shown("debit", "There is no such record."));
    assert_eq!(network.0.bank.report().unsigned, 3);
}
