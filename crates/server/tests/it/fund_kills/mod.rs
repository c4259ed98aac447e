//! The server is killed at every step of a fund's monthly batch, as a real process between a real centre and a real bank; after
//! recovery the centre has one batch, every row is booked once, the card was asked once, and both sides' files agree.
//!
//! ```text
//!  operator ─1─► server        ─3─► centre: result?    ─4─► not there    1 close the batch   2 it is written: closed
//!                  2 8 11      ─5─► centre: hand in    ─6─► taken        8 it is written: result taken
//!                              ─5─► centre: result?    ─7─► file         a second file has the row that the first had not
//!                              ─9─► bank: debit        ─10─► done        11 it is written: the card has paid
//! ```
//! A wire between server and both stops at one message ([`wire`]). Within the server the journal's own writes are the moments: a
//! library under it kills the process as it writes, or as it syncs ([`super::disk`]).

mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ark::signing::Stamp;
use serde_json::{Value, json};

use super::client::{exchange, now};
use super::disk::Disk;
use super::fund_batches::{card, centre, fund, leg, legs, order, pays, platform_in, until};
use super::keys::metric;
use super::open::{balance, closing, number, session_line, text, trial_balance};
use super::orders::Market;
use super::sandbox::Sandbox;
use super::server::{Server, is_embedded};
use Blow::{Journal, Server as Dies};
use wire::Call::{Debit, HandIn, Result as Asks};
use wire::Message::{self, Answer, Question};
use wire::{Passes, Trap, Wire};

/// The server dies at its next write of the journal, or at its next sync: then it is written, and nobody was told.
const DIES_WRITING: &str = "journal.db write KILL";
const DIES_SYNCING: &str = "journal.db sync KILL";
/// The rows of the batch: paid in full and told twice, in part, refused, and only in the second file.
const PLAN: &str = "result_after = 1\ntwice_nth = [1]\npart_nth = [2]\nrefused_nth = [3]\nmissing_nth = [4]";
const QUERIES: [&str; 2] = ["executor.query_first_ms=20", "executor.query_max_ms=100"];
const PATIENCE: Duration = Duration::from_secs(60);

/// What happens when the message comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    /// The server dies.
    Server,
    /// The server dies at its journal's next write, or sync.
    Journal(&'static str),
}

/// What the card is to have paid of the row that the centre paid in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Card {
    Pays,
    /// The bank never had the debit: the fund's part went back to the centre.
    Never,
    /// That, or what is usual: it may have died between booking the result and asking the bank, which a new start takes for asked.
    Either,
}

/// A platform with a centre and a bank behind a wire that can be looked at, and four rents that wait for the batch.
struct Rig {
    centre: Sandbox,
    wire: Arc<Wire>,
    disk: Option<Disk>,
    server: Server,
    market: Market,
    whole: String,
    part: String,
    refused: String,
    late: String,
}

impl Rig {
    fn raise() -> Option<Self> {
        let centre = centre(PLAN)?;
        let wire = Wire::to(&centre.addresses[0]);
        let (disk, directory, environment) = Disk::sound();
        let server = platform_in((directory, environment), &QUERIES, &wire.address, "");
        let market = Market::open(&server);
        let whole = pays(&market, "T1", &json!([fund("L1", 5_000, false)]));
        let part = pays(&market, "T2", &json!([fund("L2", 5_000, true), card(0)]));
        let refused = pays(&market, "T3", &json!([fund("L3", 5_000, false)]));
        let late = pays(&market, "T4", &json!([fund("L4", 5_000, false)]));
        Some(Self { centre, wire, disk, server, market, whole, part, refused, late })
    }

    fn arm(&self, message: Message, nth: u32, passes: Passes, blow: Blow) {
        let act: Box<dyn FnOnce() + Send> = match blow {
            Blow::Server => Box::new(self.server.killer()),
            Blow::Journal(fault) => {
                let disk = self.disk.clone().expect("the journal lies in a file");
                Box::new(move || disk.becomes(fault))
            }
        };
        self.wire.arm(Trap { message, nth, passes, act });
    }

    /// Closes the batch; whether it is answered is not looked at.
    fn close(&self) {
        let (body, target, stamp) =
            (json!({"period": "2026-03"}).to_string(), "/v1/fund-batches", Stamp::random(now()));
        let stamp = stamp.unwrap();
        let key = stamp.nonce().to_owned();
        let authorization = self.market.operator.authorization(stamp, "POST", target, body.as_bytes());
        let headers = [
            ("content-type", "application/json"),
            ("idempotency-key", key.as_str()),
            ("authorization", authorization.as_str()),
        ];
        drop(exchange(self.server.address(), "POST", target, &headers, body.as_bytes()));
    }

    /// Starts the server again, with the clock moved on if the card may have been asked: a debit that is asked for only now would be too
    /// late otherwise.
    fn revive(&mut self, card_was_asked: bool) {
        self.server.ended();
        if let Some(disk) = &self.disk {
            disk.becomes("");
        }
        self.server.start_again();
        self.market.operator = self.server.operator();
        if !card_was_asked {
            return;
        }
        // What the bank never had is believed once it can no longer be on its way.
        self.market.operator.post("/v1/sandbox/clock", &json!({"now": "2026-03-05T09:10:00+08:00"})).ok();
    }

    /// The one batch, once the centre has said what became of every row.
    fn answered(&self) -> Value {
        let began = Instant::now();
        loop {
            let batch = self.market.operator.get("/v1/fund-batches/fbt_1").ok();
            if text(&batch, "/status") == "answered" {
                return batch;
            }
            assert!(began.elapsed() < PATIENCE, "{batch}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Every row is booked once, and the centre and the bank have nothing that the books have not.
    fn booked_once(mut self, card: Card) {
        let batch = self.answered();
        let figures = ["/rows", "/applied", "/paid", "/unanswered"].map(|pointer| number(&batch, pointer));
        assert_eq!(figures, [4, 20_000, 12_500, 0], "{batch}");
        let paid = [0, 1, 2, 3].map(|row| number(&batch, &format!("/data/{row}/paid")));
        assert_eq!((paid, number(&batch, "/files") <= 2), ([5_000, 2_500, 0, 5_000], true), "{batch}");
        let is = |status: &'static str| move |order: &Value| text(order, "/status") == status;
        let leg_is =
            |at: usize, status: &'static str| move |order: &Value| text(order, &format!("/legs/{at}/status")) == status;
        for id in [&self.whole, &self.late] {
            assert_eq!(legs(&until(&self.market, id, is("success"))), [leg("captured", 5_000)]);
        }
        assert_eq!(legs(&until(&self.market, &self.refused, leg_is(0, "failed"))), [leg("failed", 5_000)]);
        let part = until(&self.market, &self.part, |order| is("success")(order) || leg_is(0, "reversed")(order));
        let pays = is("success")(&part);
        assert!(card == Card::Either || pays == (card == Card::Pays), "{part}");
        let ends = if pays { ["captured", "captured"] } else { ["reversed", "failed"] };
        assert_eq!(legs(&part), ends.map(|status| leg(status, 2_500)));
        let asked = self.wire.asked(Debit).len();
        assert!(
            asked == 1 || (asked == 0 && !pays && card == Card::Either),
            "the card is asked once, not {asked} times"
        );
        let other = self.market.operator.get("/v1/fund-batches/fbt_2");
        assert_eq!(other.error().1, "fund_batch_unknown", "one batch");
        let handed_in = self.wire.asked(HandIn);
        assert!(!handed_in.is_empty() && handed_in.iter().all(|body| *body == handed_in[0]), "other bytes");
        let stats = exchange(&self.centre.addresses[0], "GET", "/sandbox/stats", &[], b"").unwrap().ok();
        assert_eq!((number(&stats, "/sent_again"), number(&stats, "/malformed")), (0, 0), "{stats}");
        assert_eq!(metric(&self.market.operator, "lintel_fund_results_refused_total") as u64, 0);
        self.cleared(pays);
        assert!(self.server.stop().success());
    }

    /// The next day's files of both match, their lines of the statement come, and everything that was paid is settled.
    fn cleared(&self, by_card: bool) {
        let headers = [("content-type", "application/json")];
        let moved =
            exchange(&self.centre.addresses[0], "POST", "/sandbox/clock", &headers, br#"{"date":"2026-03-06"}"#);
        assert_eq!(moved.unwrap().status, 200);
        let market = &self.market;
        market.next_day();
        let (fund, card, orders) = if by_card { (12_500, 2_500, 3) } else { (10_000, 0, 2) };
        for (rail, net) in [("fund", fund), ("epcc", card)] {
            let file = json!({"rail": rail, "date": "2026-03-05"});
            let fetched = market.operator.post("/v1/clearing/fetch", &file).ok();
            assert_eq!((number(&fetched, "/different"), number(&fetched, "/net")), (0, net), "{fetched}");
            if net != 0 {
                session_line(&market.operator, rail, "2026-03-05", net);
            }
        }
        market.settle(&market.landlord, "2026-03-06").ok();
        assert_eq!(balance(&market.operator, &text(&market.landlord, "/available")), orders * 4_990);
        let trial = trial_balance(&market.operator, "2026-03-06");
        assert_eq!([1131, 1121, 2205, 2211, 2243].map(|subject| closing(&trial, subject)), [0; 5], "{trial}");
    }
}

/// Where the blow falls. On PostgreSQL another journal is written; what lies between wires and batch is the same code.
fn rig(blow: Blow) -> Option<Rig> {
    if !is_embedded() && blow != Blow::Server {
        return None;
    }
    let rig = Rig::raise()?;
    (blow == Blow::Server || rig.disk.is_some()).then_some(rig)
}

/// A batch with the blow at this message.
fn killed(message: Message, nth: u32, passes: Passes, blow: Blow) {
    let Some(mut rig) = rig(blow) else { return };
    rig.arm(message, nth, passes, blow);
    rig.close();
    rig.wire.wait();
    let card = match (message, passes, blow) {
        (Question(Debit), Passes::Never, _) => Card::Never,
        (Answer(Asks, 200), Passes::Before, _) | (Answer(Asks, 200), _, Journal(DIES_SYNCING)) => Card::Either,
        (Question(_) | Answer(..), ..) => Card::Pays,
    };
    let card_was_asked = nth > 1 || card != Card::Pays || matches!(message, Question(Debit) | Answer(Debit, _));
    rig.revive(card_was_asked);
    rig.booked_once(card);
}

/// A batch whose closing is cut off in the journal: it is closed, or it is not, and is closed then.
fn killed_closing(fault: &'static str) {
    let Some(mut rig) = rig(Blow::Journal(fault)) else { return };
    rig.disk.as_ref().unwrap().becomes(fault);
    rig.close();
    rig.revive(false);
    let closed = rig.market.operator.get("/v1/fund-batches/fbt_1").status == 200;
    assert!(!closed || fault == DIES_SYNCING, "it was not written and is there");
    if !closed {
        assert_eq!(legs(&order(&rig.market, &rig.whole)), [leg("sent", 5_000)]);
        rig.market.operator.post("/v1/fund-batches", &json!({"period": "2026-03"})).ok();
    }
    rig.booked_once(Card::Pays);
}

macro_rules! kills {
    ($($name:ident: $message:expr, $nth:expr, $passes:ident, $blow:expr;)+) => {$(
        #[test]
        fn $name() {
            killed($message, $nth, Passes::$passes, $blow);
        }
    )+};
}

kills! {
    the_server_dies_before_the_centre_is_asked: Question(Asks), 1, Never, Dies;
    the_server_dies_before_it_hears_that_the_centre_has_no_batch: Answer(Asks, 404), 1, Never, Dies;
    the_server_dies_before_the_batch_is_handed_in: Question(HandIn), 1, Never, Dies;
    the_server_dies_when_the_batch_was_handed_in: Question(HandIn), 1, Before, Dies;
    the_server_dies_before_it_hears_that_the_batch_is_taken: Answer(HandIn, 200), 1, Never, Dies;
    the_server_dies_when_it_has_heard_that_the_batch_is_taken: Answer(HandIn, 200), 1, Before, Dies;
    the_server_dies_before_it_hears_that_nothing_is_paid_yet: Answer(Asks, 409), 1, Never, Dies;
    the_server_dies_before_the_result_comes: Answer(Asks, 200), 1, Never, Dies;
    the_server_dies_when_the_result_has_come: Answer(Asks, 200), 1, Before, Dies;
    the_server_dies_before_the_result_is_written: Answer(Asks, 200), 1, After, Journal(DIES_WRITING);
    the_server_dies_before_the_result_is_durable: Answer(Asks, 200), 1, After, Journal(DIES_SYNCING);
    the_server_dies_half_way_through_the_rows: Answer(Asks, 200), 2, Never, Dies;
    the_server_dies_before_the_other_half_is_written: Answer(Asks, 200), 2, After, Journal(DIES_WRITING);
    the_server_dies_before_the_other_half_is_durable: Answer(Asks, 200), 2, After, Journal(DIES_SYNCING);
    the_server_dies_before_the_card_is_asked: Question(Debit), 1, Never, Dies;
    the_server_dies_when_the_card_was_asked: Question(Debit), 1, Before, Dies;
    the_server_dies_before_the_cards_answer_comes: Answer(Debit, 200), 1, Never, Dies;
    the_server_dies_when_the_cards_answer_has_come: Answer(Debit, 200), 1, Before, Dies;
    the_server_dies_before_the_cards_answer_is_written: Answer(Debit, 200), 1, After, Journal(DIES_WRITING);
    the_server_dies_before_the_cards_answer_is_durable: Answer(Debit, 200), 1, After, Journal(DIES_SYNCING);
}

#[test]
fn the_server_dies_before_the_closing_is_written() {
    killed_closing(DIES_WRITING);
}

#[test]
fn the_server_dies_before_the_closing_is_durable() {
    killed_closing(DIES_SYNCING);
}
