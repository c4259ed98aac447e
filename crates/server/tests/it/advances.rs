//! Advances (垫付, D0) against a real bank: own money pays over the channel of rail `own_bank`, the clearing file lets the reserve
//! pay it back, and the line of its statement ends it; one that the merchant's bank sends back; one that the own bank refuses; and
//! one that its bank pays after it had refused it.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::exchange;
use crate::command_line::printed;
use crate::epcc::becomes;
use crate::keys;
use crate::open::{balance, closing, number, own, session_line, text, trial_balance, voucher};
use crate::orders::Market;
use crate::outflow::staff_with;
use crate::receipts::verified;
use crate::sandbox::Sandbox;
use crate::server::Server;
use crate::staff::{Staff, client_of};

const KEY: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
const DAY: &str = "2026-03-05";
const NEXT_DAY: &str = "2026-03-06";
/// What is paid, and what of it is the landlord's.
const RENT: i64 = 500_000;
const NET: i64 = 499_000;
/// 0.65 % of what is the landlord's, 32.435 yuan, half up; and what own money pays of an advance.
const FEE_RATE: i64 = 6_500;
const FEE: i64 = 3_244;
const OUTLAY: i64 = NET - FEE;

/// A platform that reaches its own account at the bank beside EPCC, and a landlord whose rent is paid and not cleared.
struct World {
    bank: Sandbox,
    server: Server,
    market: Market,
    staff: Staff,
    order: String,
}

impl World {
    /// With these lines in the bank's plan of faults; `None` where the sandbox is not built, which is said.
    fn open(plan: &str) -> Option<Self> {
        let bank = bank(plan)?;
        let epcc = bank.addresses[0].clone();
        Some(Self::beside(bank, &epcc))
    }

    /// With EPCC at this address.
    fn beside(bank: Sandbox, epcc: &str) -> Self {
        let server = platform(epcc, &bank.addresses[0]);
        let (market, staff) = (Market::open(&server), staff_with(&server, &["accountant", "treasurer"]));
        let order = text(&market.order("T1", RENT).ok(), "/id");
        market.pay(&order, RENT).ok();
        becomes(&market, &format!("/v1/orders/{order}"), "success");
        Self { bank, server, market, staff, order }
    }

    /// Rules by two people: at this fee, up to 10,000 yuan a merchant's day and 20,000 over all.
    fn rules(&self, fee_rate: i64, days: u32, trading_days: u32) {
        let rules = json!({
            "kind": "advance_policy", "fee_rate": fee_rate, "merchant_quota": 1_000_000, "total_quota": 2_000_000,
            "min_days": days, "min_trading_days": trading_days,
        });
        let proposed = self.staff.maker.propose(&rules).ok();
        self.staff.checker.approve(&text(&proposed, "/id")).ok();
    }

    fn capital(&self, amount: i64) {
        let operator = &self.market.operator;
        let posted = voucher("capital", &own(operator, 1103), &own(operator, 3001), amount);
        operator.post("/v1/vouchers", &posted).ok();
    }

    /// What is asked for.
    fn wanted(&self) -> Value {
        json!({"merchant": text(&self.market.landlord, "/id"), "orders": [self.order]})
    }

    /// Asks for the advance, and waits for the bank's word on it.
    fn advanced(&self) -> Value {
        let sent = self.market.operator.post("/v1/advances", &self.wanted()).ok();
        assert_eq!((text(&sent, "/status"), number(&sent, "/amount")), ("sent".into(), NET));
        becomes(&self.market, &format!("/v1/advances/{}", text(&sent, "/id")), "success")
    }

    /// The next working day, with EPCC's file of the day before, and then the statement's line of that session.
    fn next_day(&self) {
        self.next_day_of_both();
        let file = self.market.operator.post("/v1/clearing/fetch", &json!({"rail": "epcc", "date": DAY})).ok();
        assert_eq!((number(&file, "/matched"), number(&file, "/different")), (1, 0), "{file}");
        assert_eq!(self.own([1101, 1121]), [0, RENT]);
        session_line(&self.market.operator, "epcc", DAY, RENT);
        assert_eq!(self.own([1101, 1121]), [RENT, 0]);
    }

    /// The next working day at the bank and on the platform.
    fn next_day_of_both(&self) {
        let clock = json!({ "date": NEXT_DAY }).to_string();
        let headers = [("content-type", "application/json")];
        let moved = exchange(&self.bank.addresses[0], "POST", "/sandbox/clock", &headers, clock.as_bytes()).unwrap();
        assert_eq!(moved.status, 200, "{}", moved.text());
        self.market.next_day();
    }

    /// The balances of these subjects of the institution's own.
    fn own<const N: usize>(&self, subjects: [u16; N]) -> [i64; N] {
        let operator = &self.market.operator;
        subjects.map(|subject| balance(operator, &own(operator, subject)))
    }

    /// The vouchers of this step of advances on the first day: of each what it debits, and below zero what it credits, by subject.
    fn booked(&self, event: &str) -> Vec<Vec<(i64, i64)>> {
        let day = self.market.operator.get(&format!("/v1/days/{DAY}/vouchers")).ok();
        let vouchers = day["data"].as_array().unwrap().iter().filter(|voucher| voucher["event"] == event);
        let moved = |entry: &Value| {
            let (subject, amount) = (number(entry, "/subject"), number(entry, "/amount"));
            (subject, if entry["side"] == "debit" { amount } else { -amount })
        };
        let entries = |voucher: &Value| {
            let mut entries: Vec<_> = voucher["entries"].as_array().unwrap().iter().map(moved).collect();
            entries.sort_unstable();
            entries
        };
        vouchers.map(entries).collect()
    }

    fn at_the_bank(&self) -> Value {
        exchange(&self.bank.addresses[0], "GET", "/sandbox/stats", &[], b"").unwrap().ok()
    }
}

/// A bank with these lines in its plan of faults.
fn bank(plan: &str) -> Option<Sandbox> {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("plan.toml");
    std::fs::write(&path, plan).unwrap();
    let faults = path.to_str().unwrap();
    Sandbox::start(["bank", "--listen", "127.0.0.1:0", "--date", DAY, "--faults", faults])
}

fn platform(epcc: &str, own_bank: &str) -> Server {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("lintel.toml");
    let channel = |rail: &str, address: &str| {
        format!(
            "[[channels]]\nname = \"sandbox_bank\"\nurl = \"http://{address}\"\n[channels.settings]\n\
             rail = \"{rail}\"\ninstitution = \"lintel\"\nkey = \"{KEY}\"\n\n"
        )
    };
    std::fs::write(&path, channel("epcc", epcc) + &channel("own_bank", own_bank)).unwrap();
    Server::start_in(directory, &[], vec![("LINTEL_CONFIG".to_owned(), path.into_os_string())])
}

/// The receipt of an advance that arrived, as its merchant takes it and no other merchant does.
fn receipt(world: &World, advance: &Value) -> Value {
    let path = format!("/v1/receipts/{}", text(advance, "/id"));
    let own = |merchant: &Value| client_of(&world.server, &text(merchant, "/id"));
    assert_eq!(own(world.market.agent()).get(&path).error().1, "not_permitted");
    own(&world.market.landlord).get(&path).ok()
}

/// No answer of the bank to a payment arrives: only its query says what became of it.
#[test]
fn own_money_pays_at_once_and_the_reserve_pays_it_back_once_the_rent_is_cleared() {
    let Some(world) = World::open("hold_ms = 20\n[pay]\nlost_after = 10000\n") else { return };
    let operator = &world.market.operator;
    let refused = |world: &World| world.market.operator.post("/v1/advances", &world.wanted()).error().1;
    assert_eq!(refused(&world), "advance_barred", "nobody set rules");
    world.rules(FEE_RATE, 90, 30);
    assert_eq!(refused(&world), "advance_barred", "opened and trading since today");
    world.rules(FEE_RATE, 0, 1);
    assert_eq!(refused(&world), "insufficient_funds", "own money is never overdrawn");
    world.capital(600_000);

    let advance = world.advanced();
    let (id, path) = (text(&advance, "/id"), format!("/v1/advances/{}", text(&advance, "/id")));
    assert_eq!((number(&advance, "/fee"), number(&advance, "/outstanding")), (FEE, OUTLAY));
    assert_eq!(advance["allowed_actions"], json!(["return"]));
    assert_eq!(world.own([1103, 1151, 2292]), [600_000 - OUTLAY, OUTLAY, OUTLAY]);
    // The fee waited for the bank's word on 2212, and is the institution's since, beside that of the rent.
    assert_eq!(
        world.booked("advance_sent"),
        [[(1103, -OUTLAY), (1151, OUTLAY), (2202, NET), (2212, -FEE), (2292, -OUTLAY)]]
    );
    assert_eq!(world.booked("advance_fee_earned"), [[(1291, FEE), (2212, FEE), (2291, -FEE), (5001, -FEE)]]);
    assert_eq!(world.own([2212, 2291, 1291, 5001]), [0, RENT - OUTLAY, RENT - OUTLAY, RENT - OUTLAY]);
    assert_eq!(balance(operator, &text(&world.market.landlord, "/pending")), 0);
    let attempt = operator.get(&format!("/v1/attempts/{}", text(&advance, "/attempt"))).ok();
    assert_eq!((text(&attempt, "/rail"), text(&attempt, "/status")), ("own_bank".into(), "success".into()));
    assert_eq!(number(&attempt, "/amount"), OUTLAY);
    let stats = world.at_the_bank();
    let sent = ["/verbs/pay/received", "/verbs/pay/done", "/sent_again"].map(|pointer| number(&stats, pointer));
    assert_eq!(sent, [1, 1, 0], "once, though no answer came");
    assert_eq!(refused(&world), "advance_barred", "an advanced rent is not advanced again");
    let shown = printed(&world.server.lintel(&["advance", "show", &id]));
    assert!(["4990.00 CNY", "32.44 CNY", "4957.56 CNY"].iter().all(|sum| shown.contains(sum)), "{shown}");

    let repay = format!("{path}/repay");
    assert_eq!(operator.post(&repay, &json!({})).error().1, "not_cleared");
    let own_file = operator.post("/v1/clearing/fetch", &json!({"rail": "own_bank", "date": DAY})).error();
    assert_eq!(own_file, (400, "field_malformed".into(), "rail".into()), "no network clears own money");
    world.next_day();
    assert_eq!(operator.get("/v1/settlements/due").ok()["data"], json!([]), "it is not settled a second time");
    assert_eq!(operator.get(&path).ok()["allowed_actions"], json!(["repay", "return"]));
    let transfer = operator.post(&repay, &json!({})).ok();
    assert_eq!((text(&transfer, "/kind"), text(&transfer, "/status")), ("repayment".into(), "open".into()));
    assert_eq!(operator.post(&repay, &json!({})).error().1, "advance_state");
    let line = json!({"reference": "L-1", "date": NEXT_DAY, "direction": "out", "amount": OUTLAY, "currency": "CNY"});
    assert_eq!(operator.post("/v1/reserve-lines", &line).ok()["transfer"], transfer["id"]);
    let repaid = operator.get(&path).ok();
    assert_eq!((text(&repaid, "/status"), number(&repaid, "/outstanding")), ("repaid".into(), 0));
    assert_eq!(repaid["repayment"], transfer["id"]);
    // What is left of the rent in the reserve is the institution's: its fee for the rent, and that of the advance.
    assert_eq!(world.own([1103, 1151, 2292, 2212]), [600_000, 0, 0, 0]);
    assert_eq!(world.own([1101, 2291, 1291, 5001]), [RENT - OUTLAY; 4]);
    let trial = trial_balance(operator, NEXT_DAY);
    assert_eq!((&trial["cover"]["holds"], closing(&trial, 1151)), (&json!(true), 0), "{trial}");
}

#[test]
fn an_advance_that_the_merchants_bank_sends_back_is_settled_as_any_rent() {
    let Some(world) = World::open("return_nth = [1]\nreturn_after_days = 1\n") else { return };
    let operator = &world.market.operator;
    world.rules(FEE_RATE, 0, 1);
    world.capital(NET);
    let advance = world.advanced();
    let path = format!("/v1/advances/{}", text(&advance, "/id"));
    assert_eq!(world.own([1103, 1151]), [FEE, OUTLAY]);
    let held = receipt(&world, &advance);
    let said = &held["receipt"];
    assert_eq!((text(said, "/kind"), number(said, "/amount"), number(said, "/fee")), ("advance".into(), OUTLAY, FEE));
    assert_eq!((&said["reference"], &said["at"]), (&advance["reference"], &advance["sent_at"]));
    assert_eq!((text(said, "/payer/account"), text(said, "/payee/name")), (own(operator, 1103), "王*".into()));
    assert_eq!(verified(&world.server, &held)["now"], json!({"status": "success", "given_back": 0}));
    let page = client_of(&world.server, &text(&advance, "/merchant"))
        .get(&format!("/v1/receipts/{}/page", text(&advance, "/id")))
        .text();
    assert!(page.contains("4,957.56 CNY") && page.contains("32.44 CNY"), "{page}");
    let (landlord, early) = (&world.market.landlord, json!({"date": DAY}));
    assert_eq!(number(&operator.post("/v1/payouts/returns/fetch", &early).ok(), "/listed"), 0);

    world.next_day();
    let counts = |returns: &Value| ["/listed", "/booked", "/already"].map(|pointer| number(returns, pointer));
    let fetch = json!({"date": NEXT_DAY});
    let fetched = operator.post("/v1/payouts/returns/fetch", &fetch).ok();
    assert_eq!((counts(&fetched), &fetched["refused"]), ([1, 1, 0], &json!([])));
    assert_eq!(counts(&operator.post("/v1/payouts/returns/fetch", &fetch).ok()), [1, 0, 1], "once");
    let back = operator.get(&path).ok();
    assert_eq!((text(&back, "/status"), text(&back, "/return_date")), ("returned".into(), NEXT_DAY.into()));
    assert_eq!(verified(&world.server, &held)["now"], json!({"status": "returned", "given_back": OUTLAY}));
    assert_eq!(receipt(&world, &back)["content"], held["content"], "it had arrived");
    assert_eq!((number(&back, "/outstanding"), &back["allowed_actions"]), (0, &json!([])));
    // The fee is given back too: 2291 has that of the rent alone.
    assert_eq!(world.own([1103, 1151, 2292, 2212]), [NET, 0, 0, 0]);
    assert_eq!(world.own([2291, 1291, 5001]), [RENT - NET; 3]);
    assert_eq!(operator.post("/v1/advances", &world.wanted()).error().1, "settlement_suspended");
    let again = json!({"reference": "by hand", "date": NEXT_DAY});
    assert_eq!(operator.post(&format!("{path}/return"), &again).error().1, "advance_state");

    world.market.settle(landlord, NEXT_DAY).ok();
    let held = ["/pending", "/available"].map(|account| balance(operator, &text(landlord, account)));
    assert_eq!(held, [0, NET]);
    assert_eq!(trial_balance(operator, NEXT_DAY)["cover"]["holds"], json!(true));
}

/// Its fee was never earned.
#[test]
fn an_advance_that_the_own_bank_refuses_leaves_the_merchant_all_of_the_rent() {
    let Some(world) = World::open("[pay]\ndecline = 10000\n") else { return };
    let (operator, landlord) = (&world.market.operator, &world.market.landlord);
    world.rules(FEE_RATE, 0, 1);
    world.capital(NET);
    let sent = operator.post("/v1/advances", &world.wanted()).ok();
    let id = text(&sent, "/id");
    let failed = becomes(&world.market, &format!("/v1/advances/{id}"), "failed");
    assert_eq!((number(&failed, "/fee"), number(&failed, "/outstanding")), (FEE, 0));
    assert_eq!(operator.get(&format!("/v1/receipts/{id}")).error().1, "receipt_not_yet");
    let entries = [(1103, OUTLAY), (1151, -OUTLAY), (2202, -NET), (2212, FEE), (2292, OUTLAY)];
    assert_eq!(world.booked("advance_failed"), [entries]);
    assert!(world.booked("advance_fee_earned").is_empty());
    assert_eq!(world.own([1103, 1151, 2292, 2212]), [NET, 0, 0, 0]);
    assert_eq!(world.own([2291, 1291, 5001]), [RENT - NET; 3]);
    world.next_day();
    world.market.settle(landlord, NEXT_DAY).ok();
    let held = ["/pending", "/available"].map(|account| balance(operator, &text(landlord, account)));
    assert_eq!(held, [0, NET], "it is settled as any rent");
}

#[test]
fn what_one_channel_lists_is_booked_though_another_is_out_of_reach() {
    let (Some(mut epcc), Some(own_bank)) = (bank(""), bank("return_nth = [1]\nreturn_after_days = 1\n")) else {
        return;
    };
    let world = World::beside(own_bank, &epcc.addresses[0]);
    let operator = &world.market.operator;
    world.rules(0, 0, 1);
    world.capital(NET);
    let advance = world.advanced();
    assert_eq!((number(&advance, "/fee"), number(&advance, "/outstanding")), (0, NET));
    let path = format!("/v1/advances/{}", text(&advance, "/id"));
    world.next_day_of_both();
    epcc.kill();
    let fetched = operator.post("/v1/payouts/returns/fetch", &json!({"date": NEXT_DAY})).error();
    assert_eq!((fetched.0, fetched.1.as_str()), (503, "channel_unavailable"), "EPCC's list is still to come");
    assert_eq!(text(&operator.get(&path).ok(), "/status"), "returned");
    assert_eq!(world.own([1103, 1151, 2292]), [NET, 0, 0]);
}

/// The bank tells of a payment from the own account.
fn tells(world: &World, id: &str, what: &Value) {
    let body = what.to_string();
    let mac = ark::MacKey::from_hex(KEY).unwrap().mac();
    let tag = hex::encode(mac.update(format!("NOTIFY\n{id}\n").as_bytes()).update(body.as_bytes()).finish());
    let headers = [("content-type", "application/json"), ("x-nonce", id), ("x-signature", tag.as_str())];
    let path = "/v1/channels/own_bank/notify";
    let taken = exchange(world.server.address(), "POST", path, &headers, body.as_bytes()).unwrap();
    assert_eq!(taken.status, 200, "{}", taken.text());
}

/// What it tells of a payment of all of the rent that it had refused.
fn paid_after_all(serial: &str) -> Value {
    json!({
        "event": "answered", "serial": serial, "kind": "pay", "code": "00000000", "message": "done", "amount": NET,
        "currency": "CNY", "reference": "B-late", "clearing_date": NEXT_DAY,
    })
}

fn sent_back(serial: &str) -> Value {
    json!({
        "event": "returned", "serial": serial, "amount": NET, "currency": "CNY", "return_date": NEXT_DAY,
        "reference": "R-late", "code": "50000001",
    })
}

/// The bank refuses it, its rent is settled as any other, and own money is gone when the bank says that it paid.
#[test]
fn an_advance_that_its_bank_paid_after_all_is_owed_and_two_people_settle_it() {
    let Some(world) = World::open("[pay]\ndecline = 10000\n") else { return };
    let (operator, landlord) = (&world.market.operator, &world.market.landlord);
    let moves = |number: &str, debit: u16, credit: u16| {
        operator.post("/v1/vouchers", &voucher(number, &own(operator, debit), &own(operator, credit), NET)).ok();
    };
    world.rules(0, 0, 1);
    world.capital(NET);
    let sent = operator.post("/v1/advances", &world.wanted()).ok();
    let (id, path) = (text(&sent, "/id"), format!("/v1/advances/{}", text(&sent, "/id")));
    assert_eq!(becomes(&world.market, &path, "failed")["claim"], Value::Null);
    world.next_day();
    world.market.settle(landlord, NEXT_DAY).ok();
    moves("out", 3001, 1103);

    let serial = world.market.serial(&text(&sent, "/attempt"));
    let paid = paid_after_all(&serial);
    tells(&world, "N-late-0000000001", &paid);
    let late = operator.get(&path);
    let (position, late) = (late.position(), late.ok());
    assert_eq!(["/status", "/claim", "/reference"].map(|pointer| text(&late, pointer)), ["failed", "open", "B-late"]);
    assert_eq!((&late["claim_voucher"], &late["allowed_actions"]), (&Value::Null, &json!(["return"])));
    assert_eq!(world.own([1103, 1241]), [0, 0], "1103 has nothing");
    let list = format!("/v1/tasks/advances?merchant={}&min_position={position}", text(landlord, "/id"));
    let task = operator.get(&list).ok()["data"][0].clone();
    assert_eq!(
        ([text(&task, "/id"), text(&task, "/rail")], number(&task, "/amount")),
        ([id.clone(), "own_bank".into()], NET)
    );
    assert_eq!((&task["lies_on"], &task["allowed_actions"]), (&Value::Null, &json!(["settle"])), "{task}");
    assert_eq!(task["since"], late["ended_at"]);
    keys::becomes(operator, "lintel_tasks{kind=\"advances\"}", |advances| advances > 0.5);
    let listed = world.server.lintel(&["task", "list", "advances"]);
    assert!(listed.status.success() && String::from_utf8_lossy(&listed.stdout).contains(&id), "{listed:?}");

    // Until own money has what left, nobody settles it.
    let settles = json!({"kind": "settle_task", "task": id, "amount": NET});
    assert_eq!(world.staff.maker.propose_shown(&settles).error().1, "insufficient_funds");
    moves("in", 1103, 3001);
    assert_eq!(world.staff.decided(&settles), id);
    assert_eq!(world.own([1103, 1241]), [0, NET]);
    let settled = operator.get(&path).ok();
    assert_eq!((text(&settled, "/claim"), settled["claim_voucher"].is_string()), ("settled".into(), true));
    assert_eq!(operator.get(&format!("/v1/tasks/{id}")).ok()["needs_person"], false);
    tells(&world, "N-late-0000000001", &paid);

    tells(&world, "N-back-0000000001", &sent_back(&serial));
    assert_eq!(text(&operator.get(&path).ok(), "/status"), "returned");
    assert_eq!(world.own([1103, 1241]), [NET, 0]);
    assert_eq!(balance(operator, &text(landlord, "/available")), NET, "its rent was settled");
    assert_eq!(trial_balance(operator, NEXT_DAY)["cover"]["holds"], json!(true));
}

/// It comes back before anyone settles it.
#[test]
fn an_advance_that_its_bank_paid_after_all_and_sent_back_is_owed_no_more() {
    let Some(world) = World::open("[pay]\ndecline = 10000\n") else { return };
    let operator = &world.market.operator;
    world.rules(0, 0, 1);
    world.capital(NET);
    let sent = operator.post("/v1/advances", &world.wanted()).ok();
    let path = format!("/v1/advances/{}", text(&sent, "/id"));
    becomes(&world.market, &path, "failed");
    world.next_day();
    let serial = world.market.serial(&text(&sent, "/attempt"));
    tells(&world, "N-late-0000000001", &paid_after_all(&serial));
    assert_eq!(text(&operator.get(&path).ok(), "/claim"), "open");
    tells(&world, "N-back-0000000001", &sent_back(&serial));
    let back = operator.get(&path).ok();
    assert_eq!(["/status", "/claim"].map(|pointer| text(&back, pointer)), ["returned", "returned"]);
    assert_eq!(world.own([1103, 1241]), [NET, 0]);
}
