//! EPCC's other side: byte for byte as the fixtures, with RSA; each fault by itself; with SM2, and agreements:
//! `crates/server/tests/it/epcc.rs`.

use std::fs;

use ark::provider::{KeyKind, Signing};
use ark::{Provider as _, Soft};
use axum::body::Bytes;
use axum::extract::State;
use axum::{Router, routing};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sandbox::bank::{Asked, Bank, EpccKeys, EpccSettings, PingAnSettings, Plan, Rail, Settings, UnionPaySign};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::contract::{blocks, fixture};
use crate::support::{DAY, NEXT_DAY, World, key};

const DEBIT: &str = "2026030500000000000000420000042";
const PAGE: &str = "2026030500000000000000430000043";
const PAY: &str = "2026030500000000000000450000045";

/// The private key of the networks in hexadecimal and the platform's public one, as the fixtures have them.
pub(crate) fn rsa_pair() -> (String, String) {
    let pem = fs::read_to_string(fixture("unionpay_online/theirs.key.pem")).unwrap();
    let lines: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let private = hex::encode(BASE64_STANDARD.decode(lines).unwrap());
    let public = fs::read_to_string(fixture("unionpay_online/ours.pub.pem")).unwrap();
    (private, public)
}

/// Keys of the fixtures: what signs as EPCC there, and the platform's public key.
fn keys() -> EpccKeys {
    let (private, public) = rsa_pair();
    EpccKeys::read("rsa", &private, &public).unwrap()
}

/// The body of the nth message of a conversation that is marked so.
fn body(name: &str, mark: &str, nth: usize) -> String {
    let block = blocks(&format!("epcc/{name}.txt"), mark).remove(nth);
    block.split_once("\n\n").map_or(block.clone(), |(_, body)| body.to_owned())
}

/// Of the answers that a conversation shows, those of the request and those of the query, the one that holds this text.
fn answer(name: &str, message_type: &str, text: &str) -> String {
    let all = blocks(&format!("epcc/{name}.txt"), "<");
    let fits = |block: &&String| block.contains(message_type) && block.contains(text);
    let block = all.iter().find(fits).unwrap_or_else(|| panic!("{name}: {message_type} with {text}"));
    block.split_once("\n\n").unwrap().1.to_owned()
}

struct Network(World);

impl Network {
    async fn start(plan: &str) -> Self {
        let settings = EpccSettings { keys: keys(), notify_url: None };
        Self(World::start_as(plan, 1, None, settings).await)
    }

    async fn send(&self, body: String) -> Option<(u16, String)> {
        let answer = self.0.client.post(&self.0.url).body(body).send().await.ok()?;
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
        assert_eq!(self.0.sandbox("epcc/route", json!({ "url": url })).await.0, 200);
        receiver
    }
}

/// A payer's browser, and what the platform asks meanwhile.
impl Network {
    async fn browse(&self, path: &str, body: &str) -> Option<(u16, String)> {
        let request = self.0.client.post(format!("{}{path}", self.0.url)).body(body.to_owned());
        let answer = request.header("content-type", "application/x-www-form-urlencoded").send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.text().await.ok()?))
    }

    async fn arrive(&self) -> (u16, String) {
        self.browse("/gateway", &body("redirect", ">", 0)).await.unwrap()
    }

    async fn click(&self, action: &str) -> String {
        let (status, page) = self.browse("/gateway/pay", &format!("transaction={PAGE}&action={action}")).await.unwrap();
        assert_eq!(status, 200, "{page}");
        page
    }

    async fn close(&self) -> String {
        self.send(body("redirect", ">", 2)).await.unwrap().1
    }
}

/// What a query or a close of the page is answered.
fn page(text: &str) -> String {
    answer("redirect", "epcc.302", text)
}

#[tokio::test]
async fn a_payment_at_the_page_speaks_as_the_fixtures_do() {
    let network = Network::start("").await;
    let mut told = network.told().await;
    assert_eq!(network.query("redirect").await, page("PS400003"), "nobody has come yet");
    assert_eq!(network.close().await, page("PS400003"), "what nobody brought has no page to end");
    let (status, shown) = network.arrive().await;
    assert!(status == 200 && shown.contains("3000.00") && shown.contains("action=\"/gateway/pay\""), "{shown}");
    assert_eq!(network.query("redirect").await, page("<TrxStatus>02"));
    assert!(network.click("leave").await.contains("Not paid"));
    assert!(network.click("pay").await.contains("go back to the shop"), "the fixture names no address to go back to");
    let done = answer("notifications", "<TrxTp>epcc.221.001.01</TrxTp><TrxStatus>00", "");
    assert_eq!(told.recv().await.unwrap(), done);
    assert_eq!(network.query("redirect").await, page("<TrxStatus>00"));
    assert_eq!(network.close().await, page("<TrxStatus>00"), "what is paid is not closed");
    network.click("pay").await;
    network.arrive().await;
    assert_eq!(network.0.bank.day_totals(DAY, Rail::Epcc).in_sum, 300_000, "once");
    assert!(told.try_recv().is_err());

    network.0.bank.set_clearing_date(NEXT_DAY).unwrap();
    let (_, file) = network.send(asks_for(&DAY.to_string(), 1)).await.unwrap();
    assert!(file.contains(&format!("B202603050011|{PAGE}|epcc.221.001.01|00|CNY3000.00|\n")), "{file}");
}

#[tokio::test]
async fn a_page_that_was_closed_or_ended_is_paid_by_nobody() {
    for closes in [true, false] {
        let network = Network::start("").await;
        let mut told = network.told().await;
        network.arrive().await;
        if closes {
            assert_eq!(network.close().await, page("<TrxStatus>05"));
        } else {
            assert_eq!(network.0.sandbox("epcc/end", json!({ "transaction": PAGE })).await.0, 200);
        }
        assert_eq!(network.0.sandbox("epcc/end", json!({ "transaction": PAGE })).await.0, 409);
        assert_eq!(network.close().await, page("<TrxStatus>05"), "again it is the same");
        assert_eq!(network.query("redirect").await, page("<TrxStatus>05"));
        assert!(network.click("pay").await.contains("closed") && network.arrive().await.1.contains("closed"));
        assert_eq!(network.0.bank.day_totals(DAY, Rail::Epcc).in_sum, 0);
        assert!(told.try_recv().is_err());
    }
    let network = Network::start("").await;
    network.arrive().await;
    network.0.bank.set_clearing_date(NEXT_DAY).unwrap();
    assert_eq!(network.query("redirect").await, page("<TrxStatus>05"), "its time was over with the day");
}

#[tokio::test]
async fn a_browser_that_brings_another_form_gets_no_page() {
    let network = Network::start("").await;
    let form = body("redirect", ">", 0);
    let debit = body("debit", ">", 0).replace('%', "%25").replace('&', "%26").replace('+', "%2B");
    for (wrong, said) in [
        (form.replace("CNY3000.00", "CNY3.00"), "The signature"),
        (String::from("ReqMsg=1"), "The signature"),
        (String::new(), "The signature"),
        (format!("ReqMsg={debit}"), "A field"),
    ] {
        let (status, shown) = network.browse("/gateway", &wrong).await.unwrap();
        assert!(status == 400 && shown.contains(said), "{status} {shown}");
    }
    assert_eq!(network.browse("/gateway/pay", "transaction=42&action=pay").await.unwrap().0, 400);
    assert_eq!(network.browse("/gateway/pay", &format!("transaction={PAGE}&action=pay")).await.unwrap().0, 400);
    // A page is no operation that the platform posts itself.
    assert_eq!(network.query("redirect").await, page("PS400003"));
    network.arrive().await;
    let mut told = network.told().await;
    assert_eq!(network.0.sandbox("epcc/tell", json!({ "transaction": PAGE, "forged": true })).await.0, 200);
    let forged = told.recv().await.unwrap();
    assert_ne!(forged, answer("notifications", "<TrxTp>epcc.221.001.01</TrxTp><TrxStatus>00", ""));
    assert_eq!(network.query("redirect").await, page("<TrxStatus>02"), "the books know nothing of it");
}

#[tokio::test]
async fn each_fault_spoils_the_way_to_the_page_and_never_the_books() {
    let only = |fault: &str| format!("hold_ms = 1\nlate_ms = 1\nin_progress_queries = 2\n[redirect]\n{fault} = 10000");
    for fault in ["lost_before", "garbage_before"] {
        let network = Network::start(&only(fault)).await;
        let first = network.browse("/gateway", &body("redirect", ">", 0)).await;
        assert!(first.is_none_or(|(status, _)| status == 400), "{fault}");
        assert_eq!(network.query("redirect").await, page("PS400003"), "{fault}");
        assert_eq!(network.arrive().await.0, 200, "{fault}: posted again it is there");
        network.click("pay").await;
        assert_eq!(network.query("redirect").await, page("<TrxStatus>00"), "{fault}");
    }
    for (fault, told_times) in [("lost_after", 0), ("late", 1), ("twice", 2), ("garbage_after", 1)] {
        let network = Network::start(&only(fault)).await;
        let mut told = network.told().await;
        network.arrive().await;
        network.click("pay").await;
        let right = answer("notifications", "<TrxTp>epcc.221.001.01</TrxTp><TrxStatus>00", "");
        for _ in 0..told_times {
            assert_eq!(told.recv().await.unwrap() == right, fault != "garbage_after", "{fault}");
        }
        assert_eq!(network.query("redirect").await, page("<TrxStatus>00"), "{fault}");
        assert!(told.try_recv().is_err(), "{fault}");
    }
}

/// The notification of a kind that the fixtures show.
fn notification(text: &str) -> String {
    answer("notifications", "epcc.303.001.01", text)
}

#[tokio::test]
async fn every_operation_speaks_as_the_fixtures_do() {
    let network = Network::start("").await;
    for (name, answered) in [("debit", "epcc.202"), ("refund", "epcc.232"), ("pay", "epcc.212")] {
        assert_eq!(network.query(name).await, answer(name, "epcc.302", "PS400003"), "{name} is not there yet");
        assert_eq!(network.ask(name).await.unwrap(), (200, answer(name, answered, "<TrxStatus>00")), "{name}");
        assert_eq!(network.query(name).await, answer(name, "epcc.302", "<TrxStatus>00"), "{name}");
        assert_eq!(network.ask(name).await.unwrap().1, answer(name, answered, "PS400002"), "{name} again");
    }
    assert_eq!(network.0.bank.day_totals(DAY, Rail::Epcc).in_sum, 500_000);
    assert_eq!(network.0.bank.report().sent_again, 3);
}

/// For a simulation, which has no runtime.
#[test]
fn without_a_socket_both_networks_speak_the_same() {
    let bank = || {
        let epcc = EpccSettings { keys: keys(), notify_url: None };
        let (plan, unionpay) = (Plan::default(), UnionPaySign::sandbox());
        let (key, date, pingan) = (key(), DAY, PingAnSettings::default());
        Bank::new(Settings { plan, seed: 1, key, date, notify_url: None, unionpay, epcc, pingan })
    };
    let asked = |bank: &Bank, target: &str, body: &str| {
        let answered = bank.exchange(&Asked { method: "POST", target, headers: &[], body: body.as_bytes() });
        (answered.status, String::from_utf8(answered.body).unwrap())
    };
    let epcc = bank();
    let asks = |target: &str, body: &str| asked(&epcc, target, body);
    for (name, answered) in [("debit", "epcc.202"), ("refund", "epcc.232"), ("pay", "epcc.212")] {
        let (request, query) = (body(name, ">", 0), body(name, ">", 1));
        assert_eq!(asks("/", &query), (200, answer(name, "epcc.302", "PS400003")), "{name}");
        assert_eq!(asks("/", &request), (200, answer(name, answered, "<TrxStatus>00")), "{name}");
        assert_eq!(asks("/", &request), (200, answer(name, answered, "PS400002")), "{name} again");
        assert_eq!(asks("/", &query), (200, answer(name, "epcc.302", "<TrxStatus>00")), "{name}");
    }
    assert_eq!(asks("/", &asks_for(&DAY.to_string(), 1)).0, 409);
    assert_eq!((asks("/", "").0, asks("/", &body("redirect", ">", 2)).0), (401, 200));

    // The same number at the other network, and so another bank.
    let bank = bank();
    let asks = |target: &str, body: &str| asked(&bank, target, body);
    let form = |mark: &str, nth: usize| {
        let block = blocks("unionpay_online/sm3_debit.txt", mark).remove(nth);
        block.split_once("\n\n").unwrap().1.to_owned()
    };
    let (back, query) = ("/gateway/api/backTransReq.do", "/gateway/api/queryTrans.do");
    assert_eq!(asks(back, &form(">", 0)), (200, form("<", 0)));
    assert!(asks(back, &form(">", 0)).1.contains("respCode=12"), "a second time is a duplicate");
    assert!(asks(query, &form(">", 1)).1.contains("origRespCode=00"));
    assert_eq!((asks(back, "a=1").0, asks(back, "a").0), (401, 400));
    assert_eq!(bank.lines(DAY), None, "the day is not over");
    bank.set_clearing_date(NEXT_DAY).unwrap();
    let line = json!({ "serial": DEBIT, "kind": "debit", "amount": 500_000, "currency": "CNY" });
    assert_eq!(bank.lines(DAY), Some(vec![line]));
}

#[tokio::test]
async fn what_is_refused_is_refused_for_good() {
    let plan = "[[rail]]\nname = \"epcc\"\ndecline = 10000\ncode = \"30000001\"";
    let network = Network::start(plan).await;
    assert_eq!(network.ask("debit").await.unwrap().1, answer("debit", "epcc.202", "PB200001"));
    assert_eq!(network.query("debit").await, answer("debit", "epcc.302", "PB200001"));
    assert_eq!(network.ask("pay").await.unwrap().1, answer("pay", "epcc.212", "<TrxStatus>00"), "debits only");
}

#[tokio::test]
async fn the_daily_file_is_the_fixtures_and_only_of_a_day_that_is_over() {
    let network = Network::start("return_nth = [1]").await;
    for name in ["debit", "refund", "pay"] {
        network.ask(name).await.unwrap();
    }
    let mut told = network.told().await;
    assert_eq!(network.0.bank.return_all(), 1);
    let came_back = told.recv().await.unwrap();
    assert!(came_back.contains("<TrxStatus>04") && came_back.contains("<RtnBatchId>B202603050099"), "{came_back}");
    assert_eq!(network.query("pay").await, answer("pay", "epcc.302", "<TrxStatus>00"), "it was done");
    let day = DAY.to_string();
    assert_eq!(network.send(asks_for(&day, 1)).await.unwrap().0, 409, "the day is not over");
    network.0.bank.set_clearing_date(jiff::civil::date(2026, 3, 7)).unwrap();
    for (date, name) in [(DAY, "daily_1_of_1.clr"), (NEXT_DAY, "daily_empty.clr")] {
        let file = network.send(asks_for(&date.to_string(), 1)).await.unwrap();
        let right = fs::read_to_string(fixture(&format!("epcc/{name}"))).unwrap();
        assert_eq!(file, (200, right), "{name}");
    }
    assert_eq!(network.send(asks_for(&day, 2)).await.unwrap().0, 404);
    assert_eq!(network.send(asks_for("yesterday", 1)).await.unwrap().0, 400);
}

/// What the platform asks for a part of a daily file with, signed by the fixtures' key of the platform.
fn asks_for(date: &str, part: u32) -> String {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><root><MsgHeader><SndDt>2026-03-05T00:00:00</SndDt>\
         <MsgTp>epcc.311.001.01</MsgTp><IssrId>Z2026031000019</IssrId><Drctn>11</Drctn><SignSN>4002569999</SignSN></MsgHeader>\
         <MsgBody><FileInf><FileDt>{date}</FileDt><FilePt>{part}</FilePt></FileInf></MsgBody></root>"
    );
    let config: Value = serde_json::from_slice(&fs::read(fixture("epcc/rsa.json")).unwrap()).unwrap();
    let soft = Soft::with_known_keys(0).unwrap();
    let pair = soft.import(KeyKind::Rsa2048, &hex::decode(config["key"].as_str().unwrap()).unwrap()).unwrap();
    let signature = soft.sign(pair, Signing::RsaPkcs1Sha256, text.as_bytes()).unwrap();
    format!("{text}{{S:{}}}", BASE64_STANDARD.encode(signature))
}

#[tokio::test]
async fn each_fault_spoils_the_way_and_never_the_books() {
    let only = |fault: &str| format!("hold_ms = 1\nlate_ms = 1\nin_progress_queries = 2\n[debit]\n{fault} = 10000");
    let done = answer("debit", "epcc.302", "<TrxStatus>00");
    let not_found = answer("debit", "epcc.302", "PS400003");
    // Nothing was done: a query says so.
    for fault in ["lost_before", "garbage_before"] {
        let network = Network::start(&only(fault)).await;
        let answered = network.ask("debit").await;
        assert!(answered.is_none_or(|(status, _)| status == 500), "{fault}");
        assert_eq!(network.query("debit").await, not_found, "{fault}");
        assert_eq!(network.0.bank.day_totals(DAY, Rail::Epcc).in_sum, 0, "{fault}");
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
            assert_eq!(told.recv().await.unwrap(), notification("<TrxStatus>00"), "{fault}");
        }
        assert_eq!(network.query("debit").await, done, "{fault}");
        assert_eq!(network.0.bank.day_totals(DAY, Rail::Epcc).in_sum, 500_000, "{fault}");
        assert!(told.try_recv().is_err(), "{fault}");
    }
    let network = Network::start(&only("in_progress")).await;
    let mut told = network.told().await;
    assert_eq!(network.ask("debit").await.unwrap().1, answer("debit", "epcc.202", "<TrxStatus>02"));
    assert_eq!(network.query("debit").await, answer("debit", "epcc.302", "<TrxStatus>02"));
    assert_eq!(network.query("debit").await, done, "the second query settles it");
    assert_eq!(told.recv().await.unwrap(), notification("<TrxStatus>00"));
}

#[tokio::test]
async fn what_is_told_out_of_turn_is_of_another_amount_or_anothers() {
    let network = Network::start("").await;
    network.ask("debit").await.unwrap();
    let mut told = network.told().await;
    let tell = async |twist: Value| network.0.sandbox("epcc/tell", twist).await.0;
    assert_eq!(tell(json!({ "transaction": DEBIT, "amount": 500_001 })).await, 200);
    assert!(told.recv().await.unwrap().contains("CNY5000.01"));
    assert_eq!(tell(json!({ "transaction": DEBIT, "forged": true })).await, 200);
    let (forged, right) = (told.recv().await.unwrap(), notification("<TrxStatus>00"));
    let text = |told: &str| told.rsplit_once("{S:").unwrap().0.to_owned();
    assert!(forged != right && text(&forged) == text(&right), "{forged}");
    assert_eq!(tell(json!({ "transaction": PAY })).await, 409);
    assert_eq!(tell(json!({ "transaction": "42" })).await, 400);
}

#[tokio::test]
async fn a_message_that_was_touched_does_nothing() {
    let network = Network::start("").await;
    let whole = body("debit", ">", 0);
    for touched in [whole.replace("5000.00", "5000.01"), whole.replace("{S:", "{T:"), String::new()] {
        assert_eq!(network.send(touched).await.unwrap().0, 401);
    }
    assert_eq!(network.query("debit").await, answer("debit", "epcc.302", "PS400003"));
    assert_eq!(network.0.bank.report().unsigned, 3);
}

#[tokio::test]
async fn an_agreement_is_signed_as_the_fixture_does() {
    let network = Network::start("").await;
    let said = |message_type: &str, text: &str| answer("sign_up", message_type, text);
    let [asked, wrong, right] = [0, 1, 2].map(|nth| body("sign_up", ">", nth));
    let send = |body: String| {
        let network = &network;
        async move { network.send(body).await.unwrap() }
    };
    assert_eq!(send(right.clone()).await, (200, said("epcc.104", "PS400003")), "nobody asked for a code yet");
    assert_eq!(send(asked.clone()).await, (200, said("epcc.102", "<TrxStatus>00")));
    assert_eq!(send(asked).await, (200, said("epcc.102", "PS400002")), "a second time is a duplicate");
    assert_eq!(send(wrong).await, (200, said("epcc.104", "PB100005")));
    // The fixture brings the code that this seed sends to the phone, and the same question has the same answer.
    for _ in 0..2 {
        assert_eq!(send(right.clone()).await, (200, said("epcc.104", "<SgnNo>")));
    }
}

/// What the sandbox answers to a conversation's check and to the queries after it, in the order of the fixture.
async fn check_speaks_as(name: &str, at_once: usize) {
    let network = Network::start("").await;
    let [asked, query] = [0, 1].map(|nth| body(name, ">", nth));
    let (_, nothing) = network.send(query.clone()).await.unwrap();
    assert_eq!(nothing, answer("real_name", "epcc.302", "<SysRtnCd>PS400003"), "{name}: nobody asked yet");
    let said: Vec<String> = blocks(&format!("epcc/{name}.txt"), "<")
        .iter()
        .map(|block| block.split_once("\n\n").unwrap().1.into())
        .collect();
    let (first, later) = said.split_at(at_once);
    let answered = network.send(asked.clone()).await;
    assert_eq!(answered.map(|(_, text)| text).as_ref(), first.first(), "{name}");
    for right in later {
        assert_eq!(&network.send(query.clone()).await.unwrap().1, right, "{name}");
    }
    let last = later.last().unwrap();
    assert_eq!(&network.send(query).await.unwrap().1, last, "{name}: from then on it is the same");
    let again = network.send(asked).await.unwrap().1;
    assert_eq!(again, answer("real_name", "epcc.106", "<SysRtnCd>PS400002"), "{name}: a second time is a duplicate");
}

#[tokio::test]
async fn a_real_name_check_finds_what_the_card_says_as_the_fixtures_do() {
    for (name, at_once) in
        [("real_name_no_card", 1), ("real_name_mismatch", 1), ("real_name_pending", 1), ("real_name_lost", 0)]
    {
        check_speaks_as(name, at_once).await;
    }
}

#[tokio::test]
async fn a_real_name_check_of_three_or_four_elements_matches() {
    let network = Network::start("").await;
    let said = |message_type: &str, text: &str| answer("real_name", message_type, text);
    assert_eq!(network.ask("real_name").await.unwrap(), (200, said("epcc.106", "<TrxStatus>00")));
    assert_eq!(network.query("real_name").await, said("epcc.302", "<TrxStatus>00"));
    let three = Network::start("").await;
    let right = answer("real_name_three", "epcc.106", "<TrxStatus>00");
    assert_eq!(three.ask("real_name_three").await.unwrap(), (200, right));
}
