//! Payouts over EPCC, both sides by its own messages: one that arrives, one that is refused, one whose answer is lost and that a query
//! finds, one that never reached EPCC, and payments that come back: told (303), and by the daily file where nothing was told.

use serde_json::{Value, json};

use crate::epcc::{Epcc, becomes};
use crate::open::{account, balance, number, text};
use crate::orders::Market;
use crate::server::Server;

const DAY: &str = "2026-03-05";
/// What is in the wallet.
const HELD: i64 = 100_000;

/// The market's payer with a wallet that was topped up over EPCC.
struct Desk {
    epcc: Epcc,
    market: Market,
    wallet: String,
    _server: Server,
}

impl Desk {
    /// With these lines in EPCC's plan of faults; `None` where the sandbox is not built, which is said.
    fn open(plan: &str) -> Option<Self> {
        let epcc = Epcc::start_with(plan)?;
        let server = epcc.platform();
        let market = Market::open(&server);
        let wallet = account(&market.operator, 2201, "CNY", &market.payer);
        let top_up = json!({
            "account": wallet, "agreement": "AGR-7", "mask": "622202******2230", "amount": HELD, "currency": "CNY",
        });
        let top_up = text(&market.operator.post("/v1/top-ups", &top_up).ok(), "/id");
        becomes(&market, &format!("/v1/top-ups/{top_up}"), "success");
        Some(Self { epcc, market, wallet, _server: server })
    }

    /// Pays out to the holder's own bank account; the payout's path.
    fn pays_out(&self, amount: i64) -> String {
        let to = json!({"type": "bank", "bank_account": {"account": "6222020200112248", "holder": "钱七"}});
        let new = json!({"account": self.wallet, "to": to, "amount": amount, "currency": "CNY", "send_now": true});
        format!("/v1/payouts/{}", text(&self.market.operator.post("/v1/payouts", &new).ok(), "/id"))
    }

    /// The payout once it stands so, and its attempt.
    fn becomes(&self, path: &str, status: &str) -> (Value, Value) {
        let payout = becomes(&self.market, path, status);
        let attempt = self.market.operator.get(&format!("/v1/attempts/{}", text(&payout, "/attempt"))).ok();
        (payout, attempt)
    }

    fn held(&self) -> i64 {
        balance(&self.market.operator, &self.wallet)
    }

    /// What EPCC counts of payouts: received and done; and what was sent to it twice, or not signed.
    fn counted(&self) -> [i64; 4] {
        let stats = self.epcc.asked("GET", "/sandbox/stats", &Value::Null);
        ["/verbs/pay/received", "/verbs/pay/done", "/sent_again", "/unsigned"].map(|pointer| number(&stats, pointer))
    }
}

#[test]
fn payouts_arrive_and_come_back_told_or_by_the_daily_file() {
    let Some(desk) = Desk::open("") else { return };
    let operator = &desk.market.operator;
    let (arrives, is_told, is_listed) = (desk.pays_out(10_000), desk.pays_out(20_000), desk.pays_out(30_000));
    let (_, attempt) = desk.becomes(&arrives, "success");
    let (reference, serial) = (text(&attempt, "/reference"), text(&attempt, "/serial"));
    assert_eq!((text(&attempt, "/rail"), reference), ("epcc".into(), format!("B202603050010-{serial}")));
    let serials = [&is_told, &is_listed].map(|path| text(&desk.becomes(path, "success").1, "/serial"));
    assert_eq!(desk.held(), HELD - 60_000);

    let comes_back = |serial: &str| desk.epcc.asked("POST", "/sandbox/return", &json!({ "serial": serial }));
    comes_back(&serials[0]);
    let (back, _) = desk.becomes(&is_told, "returned");
    assert_eq!((text(&back, "/return_date"), desk.held()), (DAY.into(), HELD - 40_000));
    // EPCC lists none over this interface, and of the other one nothing is told.
    desk.epcc.asked("POST", "/sandbox/epcc/route", &json!({ "url": null }));
    comes_back(&serials[1]);
    let listed = operator.post("/v1/payouts/returns/fetch", &json!({ "date": DAY })).ok();
    assert_eq!((number(&listed, "/listed"), number(&listed, "/booked")), (0, 0));
    assert_eq!(text(&operator.get(&is_listed).ok(), "/status"), "success");

    desk.epcc.asked("POST", "/sandbox/clock", &json!({"date": "2026-03-06"}));
    desk.market.next_day();
    let file = operator.post("/v1/clearing/fetch", &json!({"rail": "epcc", "date": DAY})).ok();
    let found = ["/matched", "/different", "/debited", "/paid", "/returned", "/net"].map(|at| number(&file, at));
    assert_eq!(found, [6, 0, HELD, 60_000, 50_000, 90_000], "{file}");
    let (back, _) = desk.becomes(&is_listed, "returned");
    assert_eq!((text(&back, "/return_date"), desk.held()), (DAY.into(), HELD - 10_000));
    assert_eq!(text(&operator.get(&arrives).ok(), "/status"), "success");
    assert_eq!(desk.counted(), [3, 3, 0, 0]);
}

#[test]
fn a_payout_that_epcc_refuses_is_given_back() {
    let Some(desk) = Desk::open("[pay]\ndecline = 10000\ndecline_codes = [\"10000003\"]\n") else { return };
    let path = desk.pays_out(10_000);
    let (failed, attempt) = desk.becomes(&path, "failed");
    assert_eq!((text(&failed, "/failure/class"), text(&failed, "/failure/code")), ("user".into(), "PB100003".into()));
    assert_eq!((text(&attempt, "/status"), desk.held()), ("declined".into(), HELD));
    assert_eq!(desk.counted(), [1, 0, 0, 0]);
}

#[test]
fn a_payout_whose_answer_is_lost_is_found_by_a_query_and_sent_once() {
    let Some(desk) = Desk::open("hold_ms = 20\n[pay]\nlost_after = 10000\n") else { return };
    let path = desk.pays_out(10_000);
    let (_, attempt) = desk.becomes(&path, "success");
    assert_eq!((text(&attempt, "/status"), desk.held()), ("success".into(), HELD - 10_000));
    assert_eq!(desk.counted(), [1, 1, 0, 0], "only a query said so");
    let stats = desk.epcc.asked("GET", "/sandbox/stats", &Value::Null);
    assert!(number(&stats, "/queries") > 0, "{stats}");
}

#[test]
fn a_payout_that_never_reached_epcc_stays_unknown_until_nothing_can_be_on_its_way() {
    let Some(desk) = Desk::open("hold_ms = 20\n[pay]\nlost_before = 10000\n") else { return };
    let path = desk.pays_out(10_000);
    let queries = || number(&desk.epcc.asked("GET", "/sandbox/stats", &Value::Null), "/queries");
    let asked_before = queries();
    desk.becomes(&path, "unknown");
    crate::sites::until("it is asked about", || queries() > asked_before + 1);
    // EPCC says that it has no such payment, which is no last word yet.
    assert_eq!((text(&desk.becomes(&path, "unknown").0, "/status"), desk.held()), ("unknown".into(), HELD - 10_000));
    desk.market.operator.post("/v1/sandbox/clock", &json!({"now": "2026-03-05T09:10:00+08:00"})).ok();
    let (_, attempt) = desk.becomes(&path, "failed");
    assert_eq!((text(&attempt, "/status"), desk.held()), ("not_found".into(), HELD));
    assert_eq!(number(&desk.epcc.asked("GET", "/sandbox/stats", &Value::Null), "/verbs/pay/done"), 0);
}
