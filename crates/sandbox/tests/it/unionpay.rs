//! UnionPay online's other side: byte for byte as the fixtures, and each fault by itself.

use axum::body::Bytes;
use axum::extract::State;
use axum::{Router, routing};
use sandbox::bank::{Rail, UnionPaySign};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::contract::blocks;
use crate::epcc::rsa_pair;
use crate::support::{DAY, NEXT_DAY, World};

const SERIAL: &str = "2026030500000000000000430000043";

/// The body of the nth message of a conversation that is marked so.
fn body(name: &str, mark: &str, nth: usize) -> String {
    let block = blocks(&format!("unionpay_online/{name}.txt"), mark).remove(nth);
    block.split_once("\n\n").unwrap().1.to_owned()
}

/// The answers to the redirect's query, in the order of the fixture.
const SUCCESS: usize = 0;
const PENDING: usize = 1;
const DECLINE: usize = 2;
const NOT_FOUND: usize = 3;

struct Browser(World);

impl Browser {
    async fn start(plan: &str) -> Self {
        Self(World::start(plan).await)
    }

    async fn post(&self, path: &str, body: &str) -> Option<(u16, String)> {
        let request = self.0.client.post(format!("{}{path}", self.0.url)).body(body.to_owned());
        let response = request.header("content-type", "application/x-www-form-urlencoded").send().await.ok()?;
        let status = response.status().as_u16();
        Some((status, response.text().await.unwrap()))
    }

    /// Posts the fixture's form, as the payer's browser does.
    async fn arrive(&self) -> Option<(u16, String)> {
        self.post("/gateway/api/frontTransReq.do", &body("sm3_redirect", ">", 0)).await
    }

    async fn click(&self, action: &str) -> String {
        let (status, page) = self.post("/gateway/pay.do", &format!("orderId={SERIAL}&action={action}")).await.unwrap();
        assert_eq!(status, 200, "{page}");
        page
    }

    /// Asks what became of it, as the platform does.
    async fn query(&self) -> String {
        self.post("/gateway/api/queryTrans.do", &body("sm3_redirect", ">", 1)).await.unwrap().1
    }

    async fn sandbox(&self, what: &str, body: serde_json::Value) -> u16 {
        self.0.sandbox(&format!("unionpay/{what}"), body).await.0
    }

    fn booked(&self) -> i64 {
        self.0.bank.day_totals(DAY, Rail::UnionPay).in_sum
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
        assert_eq!(self.sandbox("route", json!({ "url": url })).await, 200);
        receiver
    }
}

fn answer(nth: usize) -> String {
    body("sm3_redirect", "<", nth)
}

/// The notification of this title among the fixture's.
fn notification(after: &str) -> String {
    let blocks = blocks("unionpay_online/sm3_notifications.txt", "<");
    let wanted = blocks.iter().find(|block| block.contains(SERIAL) && block.contains(after)).unwrap();
    wanted.split_once("\n\n").unwrap().1.to_owned()
}

#[tokio::test]
async fn a_payment_at_the_page_speaks_as_the_fixtures_do() {
    let browser = Browser::start("").await;
    let mut told = browser.told().await;
    assert_eq!(browser.query().await, answer(NOT_FOUND), "nobody has come yet");
    let (status, page) = browser.arrive().await.unwrap();
    assert!(status == 200 && page.contains("3000.00") && page.contains("/gateway/pay.do"), "{page}");
    assert_eq!(browser.query().await, answer(PENDING));
    assert!(browser.click("leave").await.contains("Not paid"));
    assert_eq!((browser.query().await, browser.booked()), (answer(PENDING), 0));
    let back = browser.click("pay").await;
    assert!(back.contains("action=\"https://shop.example/back\"") && back.contains("472603051000000000043"), "{back}");
    assert_eq!(told.recv().await.unwrap(), notification("respCode=00"));
    assert_eq!((browser.query().await, browser.booked()), (answer(SUCCESS), 300_000));
    assert_eq!(browser.click("pay").await, back, "the second click changes nothing");
    assert_eq!(browser.arrive().await.unwrap().1, back, "nor does coming again");
    assert_eq!((browser.booked(), told.try_recv().is_err()), (300_000, true));

    browser.0.bank.set_clearing_date(NEXT_DAY).unwrap();
    let lines = browser.0.client.get(format!("{}/sandbox/unionpay/lines?date={DAY}", browser.0.url));
    let lines: serde_json::Value = lines.send().await.unwrap().json().await.unwrap();
    let line = json!({ "serial": SERIAL, "kind": "debit", "amount": 300_000, "currency": "CNY" });
    assert_eq!(lines["lines"], json!([line]));
}

#[tokio::test]
async fn a_declined_payment_is_told_and_books_nothing() {
    let browser = Browser::start("[redirect]\ndecline = 10000\ndecline_codes = [\"10000001\"]").await;
    let mut told = browser.told().await;
    browser.arrive().await.unwrap();
    browser.click("pay").await;
    assert_eq!(told.recv().await.unwrap(), notification("respCode=64"));
    assert_eq!((browser.query().await, browser.booked()), (answer(DECLINE), 0));
}

#[tokio::test]
async fn a_debit_by_token_speaks_as_the_fixtures_do() {
    let browser = Browser::start("").await;
    let mut told = browser.told().await;
    let (debit, query) = (body("sm3_debit", ">", 0), body("sm3_debit", ">", 1));
    let post = |body: String| {
        let browser = &browser;
        async move { browser.post("/gateway/api/backTransReq.do", &body).await.unwrap().1 }
    };
    assert_eq!(post(debit.clone()).await, body("sm3_debit", "<", 0));
    assert_eq!(told.recv().await.unwrap(), body("sm3_notifications", "<", 0));
    let answers = blocks("unionpay_online/sm3_debit.txt", "<");
    let said = |has: &str| answers.iter().find(|block| block.contains(has)).unwrap().split_once("\n\n").unwrap().1;
    let answer = browser.post("/gateway/api/queryTrans.do", &query).await.unwrap().1;
    assert_eq!(answer, said("origRespCode=00"));
    assert_eq!(post(debit).await, said("respCode=12"), "a second time is a duplicate");
    assert_eq!(browser.booked(), 500_000);
}

#[tokio::test]
async fn what_is_not_signed_or_not_whole_is_refused() {
    let browser = Browser::start("").await;
    let form = body("sm3_redirect", ">", 0);
    let touched = form.replace("txnAmt=300000", "txnAmt=1");
    let (status, page) = browser.post("/gateway/api/frontTransReq.do", &touched).await.unwrap();
    assert!(status == 400 && page.contains("11 "), "{page}");
    for path in ["backTransReq.do", "queryTrans.do"] {
        let (_, text) = browser.post(&format!("/gateway/api/{path}"), &touched).await.unwrap();
        assert!(text.starts_with("respCode=11"), "{text}");
    }
    assert_eq!(browser.post("/gateway/api/queryTrans.do", "no form").await.unwrap().0, 400);
    assert_eq!(browser.post("/gateway/pay.do", "orderId=42&action=pay").await.unwrap().0, 400);
    assert_eq!(browser.query().await, answer(NOT_FOUND));
    let report = browser.0.bank.report();
    assert_eq!((report.unsigned, report.malformed), (3, 2));
}

#[tokio::test]
async fn a_page_that_ended_is_not_paid_unless_the_payment_comes_late() {
    let browser = Browser::start("").await;
    let mut told = browser.told().await;
    browser.arrive().await.unwrap();
    assert_eq!(browser.sandbox("end", json!({ "order": SERIAL })).await, 200);
    assert_eq!(browser.sandbox("end", json!({ "order": SERIAL })).await, 409);
    assert!(browser.click("pay").await.contains("expired") && browser.arrive().await.unwrap().1.contains("expired"));
    assert_eq!((browser.query().await, browser.booked()), (answer(NOT_FOUND), 0));
    assert_eq!(browser.sandbox("pay", json!({ "order": SERIAL })).await, 200);
    assert_eq!(told.recv().await.unwrap(), notification("respCode=00"));
    assert_eq!((browser.query().await, browser.booked()), (answer(SUCCESS), 300_000));
    assert_eq!(browser.sandbox("pay", json!({ "order": SERIAL })).await, 409);
}

#[tokio::test]
async fn the_next_day_ends_what_was_to_be_paid_before() {
    let browser = Browser::start("").await;
    browser.arrive().await.unwrap();
    browser.0.bank.set_clearing_date(DAY).unwrap();
    assert_eq!(browser.query().await, answer(PENDING));
    browser.0.bank.set_clearing_date(NEXT_DAY).unwrap();
    assert_eq!(browser.query().await, answer(NOT_FOUND));
}

#[tokio::test]
async fn each_fault_spoils_the_way_and_never_the_books() {
    let only = |fault: &str| format!("hold_ms = 1\nlate_ms = 1\nin_progress_queries = 2\n[redirect]\n{fault} = 10000");
    // The form is lost, and arrives when it is posted again.
    for fault in ["lost_before", "garbage_before"] {
        let browser = Browser::start(&only(fault)).await;
        assert!(browser.arrive().await.is_none_or(|(status, _)| status == 400), "{fault}");
        assert_eq!(browser.query().await, answer(NOT_FOUND), "{fault}");
        assert_eq!(browser.arrive().await.unwrap().0, 200, "{fault}");
        browser.click("pay").await;
        assert_eq!((browser.query().await, browser.booked()), (answer(SUCCESS), 300_000), "{fault}");
    }
    // Paid; how often it is told, and whether before the query.
    for (fault, told_before, told_after) in
        [("lost_after", 0, 0), ("late", 1, 0), ("in_progress", 0, 1), ("twice", 2, 0), ("garbage_after", 1, 0)]
    {
        let browser = Browser::start(&only(fault)).await;
        let mut told = browser.told().await;
        browser.arrive().await.unwrap();
        browser.click("pay").await;
        let right = |told: &str| told == notification("respCode=00");
        for _ in 0..told_before {
            let heard = told.recv().await.unwrap();
            assert_eq!(right(&heard), fault != "garbage_after", "{fault}: {heard}");
        }
        if fault == "in_progress" {
            assert_eq!((browser.query().await, browser.booked()), (answer(PENDING), 0));
        }
        assert_eq!((browser.query().await, browser.booked()), (answer(SUCCESS), 300_000), "{fault}");
        for _ in 0..told_after {
            assert!(right(&told.recv().await.unwrap()), "{fault}");
        }
        assert!(told.try_recv().is_err(), "{fault}");
    }
}

#[tokio::test]
async fn what_is_told_out_of_turn_is_of_another_amount_or_anothers() {
    let browser = Browser::start("").await;
    let mut told = browser.told().await;
    browser.arrive().await.unwrap();
    assert_eq!(browser.sandbox("tell", json!({ "order": SERIAL, "amount": 300_001 })).await, 200);
    assert!(told.recv().await.unwrap().contains("txnAmt=300001"));
    assert_eq!(browser.sandbox("tell", json!({ "order": SERIAL, "forged": true })).await, 200);
    let (forged, right) = (told.recv().await.unwrap(), notification("respCode=00"));
    let unsigned = |form: &str| {
        form.split('&').filter(|pair| !pair.starts_with("signature")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(forged != right && unsigned(&forged) == unsigned(&right), "{forged}");
    assert_eq!((browser.query().await, browser.booked()), (answer(PENDING), 0), "the books know nothing of it");
    assert_eq!(browser.sandbox("tell", json!({ "order": "1".repeat(31) })).await, 409);
}

/// The same bytes with RSA, as far as signatures go: UnionPay's key is that of the fixtures.
#[tokio::test]
async fn forms_signed_with_rsa_speak_as_the_fixtures_do() {
    let (private, public) = rsa_pair();
    let sign = UnionPaySign::rsa(&private, &public).unwrap();
    assert_eq!(format!("{sign:?}"), "UnionPaySign(01)");
    let browser = Browser(World::with_unionpay("", sign).await);
    let mut told = browser.told().await;
    let said = |name: &str, has: &str| {
        let answers = blocks(&format!("unionpay_online/{name}.txt"), "<");
        let with = |block: &&String| block.contains(has) && !block.contains("CERTIFICATE");
        answers.iter().find(with).unwrap().split_once("\n\n").unwrap().1.to_owned()
    };
    let (debit, query) = (body("debit", ">", 0), body("debit", ">", 1));
    let back = "/gateway/api/backTransReq.do";
    assert_eq!(browser.post(back, &debit).await.unwrap().1, said("debit", "respCode=00"));
    assert_eq!(told.recv().await.unwrap(), body("notifications", "<", 0));
    assert_eq!(browser.post("/gateway/api/queryTrans.do", &query).await.unwrap().1, said("debit", "origRespCode=00"));
    assert_eq!(browser.post(back, &debit).await.unwrap().1, said("debit", "respCode=12"), "a duplicate");

    // The page, and what its query says before and after.
    let (form, query) = (body("redirect", ">", 0), body("redirect", ">", 1));
    let asked = || async { browser.post("/gateway/api/queryTrans.do", &query).await.unwrap().1 };
    assert_eq!(asked().await, said("redirect", "respCode=34"));
    assert_eq!(browser.post("/gateway/api/frontTransReq.do", &form).await.unwrap().0, 200);
    browser.click("pay").await;
    assert_eq!(asked().await, said("redirect", "origRespCode=00"));
    assert_eq!(browser.booked(), 800_000);

    // What a secret signed, what is touched and what names another method is not the platform's.
    let touched = debit.replace("txnAmt=500000", "txnAmt=1");
    let theirs = debit.replace("signMethod=01", "signMethod=12");
    for wrong in [body("sm3_debit", ">", 0), touched, theirs] {
        let (_, text) = browser.post(back, &wrong).await.unwrap();
        assert!(text.starts_with("respCode=11"), "{text}");
    }
    assert_eq!((browser.0.bank.report().unsigned, browser.booked()), (3, 800_000));
}

#[tokio::test]
async fn a_refund_speaks_as_the_fixtures_do_however_it_is_signed() {
    let signs = [("sm3_", UnionPaySign::sandbox()), ("", UnionPaySign::sandbox_rsa())];
    for (method, sign) in signs {
        let browser = Browser(World::with_unionpay("", sign).await);
        let (debit, refund) = (format!("{method}debit"), format!("{method}refund"));
        let done = browser.post("/gateway/api/backTransReq.do", &body(&debit, ">", 0)).await.unwrap().1;
        assert_eq!(done, body(&debit, "<", 0));
        let taken = browser.post("/gateway/api/backTransReq.do", &body(&refund, ">", 0)).await.unwrap().1;
        assert_eq!(taken, body(&refund, "<", 0));
        let answer = browser.post("/gateway/api/queryTrans.do", &body(&refund, ">", 1)).await.unwrap().1;
        let blocks = blocks(&format!("unionpay_online/{refund}.txt"), "<");
        let success = blocks.iter().find(|block| block.contains("origRespCode=00")).unwrap();
        assert_eq!(answer, success.split_once("\n\n").unwrap().1);
        assert_eq!(browser.0.bank.day_totals(DAY, Rail::UnionPay).out_sum, 120_000);
    }
}
