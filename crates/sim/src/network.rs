//! The way to the banks and back: each message may be lost, late, doubled or damaged, and a bank may lie.
//!
//! ```text
//!  flight ─ send ─► not written │ lost │ on its way (once or twice) ─► bank ─► answer lost │ late │ twice │ garbled ─► flight
//!                      └────────────────────── a time-out after 3 s counts as "no answer" ◄──────────────────────────┘
//! ```
//! What is written arrives within four seconds or never: less than the settling delay on which "not found" rests.

use std::collections::BTreeMap;
use std::sync::Arc;

use ark::MacKey;
use channels::{Channel, Headers, Request, Response};
use domain::attempt::{Attempt, Purpose, Rail};
use domain::ids::AttemptId;
use sandbox::bank::{self, Asked, Bank, BatchPlan, Plan, Rates, SANDBOX_KEY_HEX};
use serde_json::json;

use crate::check::{Checked, broken};
use crate::follower::Follower;
use crate::node::Channels;
use crate::random::Random;
use crate::weather::Weather;

/// Nothing that was written is longer on its way.
const LATEST_MS: i64 = 4_000;

/// A request on its way.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) attempt: AttemptId,
    /// The number of the call.
    pub(crate) call: u64,
    pub(crate) request: Request,
    /// Whether it is the operation itself, not a question about it.
    pub(crate) is_operation: bool,
    /// Whether a success of it may be told as a decline.
    pub(crate) may_be_denied: bool,
    /// The way it goes, and the site; none if nobody picked one.
    pub(crate) through: Option<(Rail, usize)>,
    /// Whether that site gives no answers back.
    pub(crate) is_mute: bool,
}

/// What was written under a serial.
#[derive(Debug)]
struct Written {
    path: String,
    body: Vec<u8>,
}

/// Banks and wires.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) bank: Arc<Bank>,
    pub(crate) channels: Channels,
    key: MacKey,
    written: BTreeMap<String, Written>,
    /// The instructions that were handed in, by the batch's number.
    batches: BTreeMap<String, Vec<u8>>,
    calls: u64,
}

/// Rows of the fund's batches about which the plan says something.
const PLANNED_ROWS: u64 = 64;

/// What becomes of the rows of the fund's batches, of a stream of its own; all are paid where banks do no wrong.
fn batch_plan(seed: u64, rate: u32) -> BatchPlan {
    let mut random = Random::new(seed ^ 0x6261_7463_6800);
    let mut plan = BatchPlan::default();
    if rate == 0 {
        return plan;
    }
    plan.result_after = u32::try_from(random.below(3)).expect("it is small");
    for row in 1..=PLANNED_ROWS {
        match random.below(20) {
            0..3 => plan.part_nth.push(row),
            3..6 => plan.refused_nth.push(row),
            6..8 => plan.missing_nth.push(row),
            8..10 => plan.turned_nth.push(row),
            10..12 => plan.twice_nth.push(row),
            _ => {}
        }
    }
    plan
}

fn plan(seed: u64, rate: u32) -> Plan {
    let rates = |decline: u32, returned: u32| Rates { decline, in_progress: rate, returned, ..Rates::default() };
    Plan {
        debit: rates(rate, 0),
        refund: rates(rate / 4, 0),
        pay: rates(rate / 2, rate),
        hold: rates(rate, 0),
        capture: rates(rate / 4, 0),
        release: rates(rate / 4, 0),
        batch: batch_plan(seed, rate),
        ..Plan::default()
    }
}

impl Network {
    /// Banks that keep their books from `date` on.
    pub(crate) fn new(seed: u64, weather: Weather, date: jiff::civil::Date) -> Self {
        let opened = |rail: Rail, name: &str| {
            let mut settings = json!({ "institution": "lintel", "key": SANDBOX_KEY_HEX });
            if rail != Rail::Fund {
                settings["rail"] = json!(rail.name());
            }
            (rail, channels::by_name(name, &settings).expect("the settings are whole"))
        };
        let channels = [
            opened(Rail::Epcc, "sandbox_bank"),
            opened(Rail::UnionPay, "sandbox_bank"),
            opened(Rail::Fund, "sandbox_fund"),
        ];
        Self::between(seed, plan(seed, weather.bank), date, BTreeMap::from(channels))
    }

    /// Banks with this plan of faults, reached through these channels.
    pub(crate) fn between(seed: u64, plan: Plan, date: jiff::civil::Date, channels: Channels) -> Self {
        let key = MacKey::from_hex(SANDBOX_KEY_HEX).expect("the sandbox's key is one");
        let bank = Bank::new(bank::Settings {
            plan,
            seed,
            key: key.clone(),
            date,
            notify_url: None,
            unionpay: bank::UnionPaySign::sandbox(),
            pingan: bank::PingAnSettings::default(),
            epcc: bank::EpccSettings::default(),
        });
        Self { bank, channels, key, written: BTreeMap::new(), batches: BTreeMap::new(), calls: 0 }
    }

    /// The channel of a rail.
    pub(crate) fn channel(&self, rail: Rail) -> Option<Arc<dyn Channel>> {
        self.channels.get(&rail).cloned()
    }

    /// The number of the next call.
    pub(crate) fn next_call(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    /// An operation is being written: whether the journal holds its attempt, nothing of its purpose is uncertain, and
    /// nothing was written under its serial before.
    pub(crate) fn writes(&mut self, attempt: &Attempt, request: &Request, follower: &Follower) -> Checked {
        let (state, serial) = (follower.state(), attempt.serial());
        let known = state.attempts.get(attempt.id.0).filter(|known| known.serial() == serial);
        if known.is_none() {
            return broken("sent only what the journal holds", format!("{serial} of {}", attempt.id));
        }
        let others = state.in_outbox();
        // A refund of a combined payment goes two ways at once, each with its own original.
        let same = |other: &&Attempt| other.purpose == attempt.purpose && other.operation == attempt.operation;
        let mut others = others.filter(same).filter(|other| other.id != attempt.id);
        if let Some(other) = others.next() {
            let found = format!("{} was sent while {} was uncertain", attempt.id, other.id);
            return broken("nothing new while the old is unknown", found);
        }
        let (path, body) = (request.path.clone(), request.body().to_vec());
        match self.written.insert(serial.clone(), Written { path, body }) {
            None => Ok(()),
            Some(before) if before.path == request.path && before.body == request.body() => {
                broken("sent once", format!("{} was written again under {serial}", attempt.id))
            }
            Some(_) => broken("a serial has one content", format!("{serial} was written with other content")),
        }
    }

    /// Takes down the instruction of a batch that is handed in: the same bytes every time.
    pub(crate) fn hands_in(&mut self, number: &str, body: &[u8]) -> Checked {
        let before = self.batches.entry(number.to_owned()).or_insert_with(|| body.to_vec());
        if before.as_slice() == body {
            return Ok(());
        }
        broken("a serial has one content", format!("{number} was handed in with other content"))
    }

    /// How long each copy of a message is on its way; none: it is lost.
    pub(crate) fn ways(weather: Weather, random: &mut Random) -> Vec<i64> {
        if random.chance(weather.lost) {
            return Vec::new();
        }
        let copies = if random.chance(weather.doubled) { 2 } else { 1 };
        let way = |random: &mut Random| {
            if random.chance(weather.late) { random.between(500, LATEST_MS) } else { random.between(1, 40) }
        };
        (0..copies).map(|_| way(random)).collect()
    }

    /// What the bank answers.
    pub(crate) fn exchange(&self, request: &Request) -> Response {
        let headers: Vec<(&str, String)> = request.headers.clone();
        let asked = Asked { method: request.method, target: &request.path, headers: &headers, body: request.body() };
        let answered = self.bank.exchange(&asked);
        Response { status: answered.status, headers: answered.headers.into_iter().collect(), body: answered.body }
    }

    /// What the bank claims, at times, of a debit or a refund that it did.
    pub(crate) fn denial(&self, attempt: &Attempt, response: &Response) -> Option<Response> {
        let done = String::from_utf8_lossy(&response.body).contains(r#""code":"00000000""#);
        let nonce = response.headers.get("x-nonce").filter(|_| done)?;
        let serial = attempt.serial();
        let date = self.bank.clearing_date().to_string();
        let body = json!({ "serial": serial, "code": "30000001", "message": "closed", "clearing_date": date });
        let body = body.to_string().into_bytes();
        let head = format!("ANSWER\n200\n{nonce}\n");
        let signature = hex::encode(self.key.mac().update(head.as_bytes()).update(&body).finish());
        let headers: Headers = [("x-nonce", nonce.to_owned()), ("x-signature", signature)].into_iter().collect();
        Some(Response { status: 200, headers, body })
    }

    /// An answer that something happened to on its way.
    pub(crate) fn garbled(response: &Response, random: &mut Random) -> Response {
        let mut garbled = response.clone();
        match random.below(4) {
            0 => garbled = Response { status: 502, headers: Headers::default(), body: b"<html>".to_vec() },
            1 => garbled.body.truncate(response.body.len() / 2),
            // The claim of somebody without the key.
            2 => {
                let text = String::from_utf8_lossy(&response.body);
                garbled.body = text.replace("00000000", "30000001").replace("00000003", "00000000").into_bytes();
                garbled.body.push(b' ');
            }
            _ => garbled.headers = [("x-nonce", "0000000000000000")].into_iter().collect(),
        }
        garbled
    }
}

/// The code of an answer, for the trace: the sandbox's, EPCC's of the transaction or the message, UnionPay's of the query or the order.
pub(crate) fn code_of(response: &Response) -> String {
    let said = String::from_utf8_lossy(&response.body);
    let marks = [r#""code":""#, "<BizStsCd>", "<TrxStatus>", "<SysRtnCd>", "origRespCode=", "respCode="];
    let found = marks.iter().find_map(|mark| said.split_once(mark)).map(|(_, rest)| rest);
    let code = found.unwrap_or("?").split(['"', '<', '&']).next().unwrap_or_default();
    code.chars().take(8).collect()
}

/// Whether a debit or a refund is for something that takes the money, or lets it go, though the bank had said no. What goes back of a
/// top-up is seldom enough to leave to the walks of the domain.
pub(crate) const fn may_be_denied(attempt: &Attempt) -> bool {
    match attempt.purpose {
        Purpose::Leg(_) => matches!(attempt.operation, domain::attempt::Operation::Debit { .. }),
        Purpose::TopUp(_) => !matches!(attempt.operation, domain::attempt::Operation::Refund { .. }),
        Purpose::Refund(_) => true,
        Purpose::Payout(_) | Purpose::Advance(_) => false,
    }
}
