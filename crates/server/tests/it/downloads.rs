//! A clearing file, a list of returns and a fund's result over a real connection that is cut: by a door before the sandbox
//! bank (a process of its own), which passes requests on and gives back as much of a file as it is told to; and a list that
//! was changed on its way.

use std::io::{self, ErrorKind, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::client::{Answer, exchange};
use crate::epcc::becomes;
use crate::fund_batches::{centre, fund, leg, legs, order, pays, platform, until};
use crate::keys::metric;
use crate::open::{balance, number, own, text};
use crate::orders::Market;
use crate::server::Server;
use crate::sites::{Bank, pay, site, start, until_paid};

/// The most bytes that the platform reads of a file.
const FILE_MAX: usize = 64 << 20;
const MIB: usize = 1 << 20;

/// What becomes of a file on its way.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// It comes whole.
    Not,
    /// So many bytes come of those that are announced.
    Announced(usize),
    /// So many come in a chunk, which is not the last.
    Chunked(usize),
    /// So many come, and how many there are is not said.
    Unannounced(usize),
    /// More is announced than may be.
    TooLong,
    /// It goes on and on.
    Endless,
    /// It comes whole, and somebody changed what it lists.
    Forged,
}

/// The door, and how often a file was asked for.
struct Door {
    address: String,
    cut: Arc<Mutex<Cut>>,
    asked: Arc<AtomicUsize>,
}

impl Door {
    fn before(bank: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (cut, asked) = (Arc::new(Mutex::new(Cut::Not)), Arc::new(AtomicUsize::new(0)));
        let (of_thread, count, bank) = (Arc::clone(&cut), Arc::clone(&asked), bank.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (cut, asked, bank) = (Arc::clone(&of_thread), Arc::clone(&count), bank.clone());
                // Who is cut off, or cuts off, may be gone before all is written.
                std::thread::spawn(move || drop(stream.and_then(|stream| carry(stream, &bank, &cut, &asked))));
            }
        });
        Self { address, cut, asked }
    }

    /// What becomes of the files that are asked for from now on.
    fn cuts(&self, cut: Cut) {
        *self.cut.lock().unwrap() = cut;
        self.asked.store(0, Ordering::Relaxed);
    }

    /// How often a file was asked for since.
    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// Passes one request on, and the answer back, cut if it is a file.
fn carry(mut caller: TcpStream, bank: &str, cut: &Mutex<Cut>, asked: &AtomicUsize) -> io::Result<()> {
    let (head, body) = message(&mut caller)?;
    let mut behind = TcpStream::connect(bank)?;
    behind.write_all(format!("{head}\r\nconnection: close\r\n\r\n").as_bytes())?;
    behind.write_all(&body)?;
    let (answer, mut body) = message(&mut behind)?;
    let framing = ["content-length:", "transfer-encoding:", "connection:"];
    let kept = answer.lines().filter(|line| {
        let line = line.to_ascii_lowercase();
        !framing.iter().any(|name| line.starts_with(name))
    });
    let start = kept.chain(["connection: close"]).collect::<Vec<_>>().join("\r\n");
    let of_files = ["/clearing?", "/returns?", "/batch-result?"];
    let is_file = head.lines().next().is_some_and(|line| of_files.iter().any(|path| line.contains(path)));
    // That there is none yet comes whole.
    let is_file = is_file && answer.starts_with("HTTP/1.1 200");
    let mut cut = *cut.lock().unwrap();
    if is_file {
        asked.fetch_add(1, Ordering::Relaxed);
    } else {
        cut = Cut::Not;
    }
    if matches!(cut, Cut::Forged) {
        body = forged(&body);
    }
    let whole = body.len();
    // What is cut always lacks a byte at least.
    let some = |bytes: usize| &body[..bytes.min(whole.saturating_sub(1))];
    let announced = |bytes: usize| format!("{start}\r\ncontent-length: {bytes}\r\n\r\n");
    let chunked = format!("{start}\r\ntransfer-encoding: chunked\r\n\r\n");
    let (head, body) = match cut {
        Cut::Not | Cut::Forged => (announced(whole), body.as_slice()),
        Cut::Announced(bytes) => (announced(whole), some(bytes)),
        Cut::Chunked(bytes) => (format!("{chunked}{:x}\r\n", some(bytes).len()), some(bytes)),
        Cut::Unannounced(bytes) => (format!("{start}\r\n\r\n"), some(bytes)),
        Cut::TooLong => (announced(FILE_MAX + 1), some(0)),
        Cut::Endless => (chunked, some(0)),
    };
    caller.write_all(head.as_bytes())?;
    caller.write_all(body)?;
    match cut {
        Cut::Chunked(_) => caller.write_all(b"\r\n"),
        Cut::Endless => {
            let piece = [format!("{MIB:x}\r\n").into_bytes(), vec![b'0'; MIB], b"\r\n".to_vec()].concat();
            (0..=FILE_MAX / MIB).try_for_each(|_| caller.write_all(&piece))
        }
        Cut::Not | Cut::Forged | Cut::Announced(_) | Cut::Unannounced(_) | Cut::TooLong => Ok(()),
    }
}

/// The list under the bank's signature of it as it was, with another amount.
fn forged(list: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(list).replace("\"amount\":1000,", "\"amount\":1009,");
    assert_ne!(text.as_bytes(), list, "nothing of it was changed");
    text.into_bytes()
}

/// A request or an answer, whole: its head without the empty line, and its body.
pub(crate) fn message(stream: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let (mut read, mut piece) = (Vec::<u8>::new(), [0_u8; 4_096]);
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            let lengths = head.lines().filter_map(|line| line.split_once(':'));
            let length = lengths.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            let length = length.map(|(_, value)| value.trim().parse::<usize>().unwrap()).next().unwrap_or_default();
            if read.len() >= end + 4 + length {
                return Ok((head, read.split_off(end + 4)));
            }
        }
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        read.extend_from_slice(&piece[..count]);
    }
}

/// Tells the bank itself, past the door.
fn tell(bank: &Bank, path: &str, body: &Value) {
    let headers = [("content-type", "application/json")];
    let told = exchange(&bank.0.addresses[1], "POST", path, &headers, body.to_string().as_bytes()).unwrap();
    assert_eq!(told.status, 200, "{}", told.text());
}

/// A payment that was made on 2026-03-05 through the door, on the day after, when there is a file that has it.
struct World {
    door: Door,
    server: Server,
    market: Market,
    bank: Bank,
}

impl World {
    fn start() -> Option<Self> {
        let bank = Bank::start()?;
        let door = Door::before(&bank.0.addresses[0]);
        let server = start(&site("a", &format!("http://{}", door.address), "timeout_ms = 4500"));
        let market = Market::open(&server);
        until_paid(&market, &pay(&market, "T1"));
        tell(&bank, "/sandbox/clock", &json!({"date": "2026-03-06"}));
        market.next_day();
        Some(Self { door, server, market, bank })
    }

    fn fetch(&self, cut: Cut) -> Answer {
        self.door.cuts(cut);
        self.market.operator.post("/v1/clearing/fetch", &json!({"rail": "epcc", "date": "2026-03-05"}))
    }

    fn fetch_returns(&self, cut: Cut) -> Answer {
        self.door.cuts(cut);
        self.market.operator.post("/v1/payouts/returns/fetch", &json!({"date": "2026-03-06"}))
    }

    fn asked(&self) -> usize {
        self.door.asked()
    }

    fn of_files(&self, what: &str, file: &str) -> usize {
        let name = format!("lintel_files_{what}_total{{rail=\"epcc\",file=\"{file}\"}}");
        metric(&self.market.operator, &name) as usize
    }

    fn clearing(&self) -> i64 {
        balance(&self.market.operator, &own(&self.market.operator, 1121))
    }

    /// No part of the file was taken so far: it is taken now.
    fn comes_whole(&self) {
        let file = self.fetch(Cut::Not).ok();
        let found = ["/parts", "/repeated_parts", "/lines", "/matched", "/different"].map(|at| number(&file, at));
        assert_eq!((found, self.asked()), ([1, 0, 1, 1, 0], 1), "{file}");
    }
}

#[test]
fn a_download_that_is_cut_off_books_nothing() {
    let Some(world) = World::start() else { return };
    let before = world.clearing();
    // Each is asked for again, as far as an answer that is none can be told from a whole one.
    let mut unavailable = 0;
    for bytes in [0, 1, 40, usize::MAX] {
        let error = world.fetch(Cut::Announced(bytes)).error();
        assert_eq!((error.0, error.1.as_str(), world.asked()), (503, "channel_unavailable", 3), "{bytes}: {error:?}");
        unavailable += 1;
    }
    for bytes in [1, 40, usize::MAX] {
        let error = world.fetch(Cut::Chunked(bytes)).error();
        assert_eq!((error.0, error.1.as_str(), world.asked()), (503, "channel_unavailable", 3), "{bytes}: {error:?}");
        unavailable += 1;
    }
    let mut refused = 0;
    for bytes in [0, 1, 40, usize::MAX] {
        let error = world.fetch(Cut::Unannounced(bytes)).error();
        assert_eq!((error.1.as_str(), world.asked()), ("channel_rejected", 1), "{bytes}: {error:?}");
        refused += 1;
    }
    assert_eq!(
        (world.of_files("unavailable", "clearing"), world.of_files("refused", "clearing")),
        (unavailable, refused)
    );
    assert_eq!(world.clearing(), before);
    let log = world.server.log();
    assert!(log.contains("a file does not come") && log.contains("an answer of a channel broke off"), "{log}");
    world.comes_whole();
}

#[test]
fn a_list_of_returns_that_is_cut_off_books_no_return() {
    let Some(world) = World::start() else { return };
    world.comes_whole();
    let (operator, landlord) = (&world.market.operator, &world.market.landlord);
    world.market.settle(landlord, "2026-03-06").ok();
    let available = text(landlord, "/available");
    let to = json!({"type": "settlement"});
    let new = json!({"account": available, "to": to, "amount": 1_000, "currency": "CNY", "send_now": true});
    let path = format!("/v1/payouts/{}", text(&operator.post("/v1/payouts", &new).ok(), "/id"));
    let payout = becomes(&world.market, &path, "success");
    let left = balance(operator, &available);
    let serial = world.market.serial(&text(&payout, "/attempt"));
    tell(&world.bank, "/sandbox/return", &json!({ "serial": serial }));

    let mut unavailable = 0;
    for cut in [Cut::Announced(0), Cut::Announced(usize::MAX), Cut::Chunked(40), Cut::Chunked(usize::MAX)] {
        let error = world.fetch_returns(cut).error();
        assert_eq!((error.0, error.1.as_str(), world.asked()), (503, "channel_unavailable", 3), "{cut:?}: {error:?}");
        unavailable += 1;
    }
    let mut refused = 0;
    for cut in [Cut::Unannounced(0), Cut::Unannounced(40), Cut::Unannounced(usize::MAX), Cut::TooLong, Cut::Forged] {
        let error = world.fetch_returns(cut).error();
        assert_eq!((error.1.as_str(), world.asked()), ("channel_rejected", 1), "{cut:?}: {error:?}");
        refused += 1;
    }
    assert_eq!(
        (world.of_files("unavailable", "returns"), world.of_files("refused", "returns")),
        (unavailable, refused)
    );
    assert_eq!((text(&operator.get(&path).ok(), "/status"), balance(operator, &available)), ("success".into(), left));
    assert!(world.server.log().contains("a file is refused; nothing of it is booked"));
    let counts = |list: &Value| ["/listed", "/booked", "/already"].map(|pointer| number(list, pointer));
    assert_eq!(counts(&world.fetch_returns(Cut::Not).ok()), [1, 1, 0]);
    assert_eq!(counts(&world.fetch_returns(Cut::Not).ok()), [1, 0, 1], "once");
    assert_eq!(text(&operator.get(&path).ok(), "/status"), "returned");
    assert_eq!(balance(operator, &available), left + 1_000);
}

#[test]
fn a_funds_result_that_is_cut_off_books_nothing() {
    let Some(centre) = centre("result_after = 0") else { return };
    let door = Door::before(&centre.addresses[0]);
    let server = platform(&door.address, "");
    let market = Market::open(&server);
    let operator = &market.operator;
    let paid = pays(&market, "T1", &json!([fund("L1", 5_000, false)]));
    let receivable = own(operator, 1131);
    // The platform asks by itself too: it finds the door as it is told to be.
    door.cuts(Cut::Announced(0));
    let closed = operator.post("/v1/fund-batches", &json!({"period": "2026-03"})).ok();
    let path = format!("/v1/fund-batches/{}", text(&closed, "/id"));
    let fetch = |cut: Cut| {
        door.cuts(cut);
        operator.post(&format!("{path}/fetch"), &json!({}))
    };
    let refused = || metric(operator, "lintel_fund_results_refused_total") as usize;
    let nothing_is_booked = |cut: Cut| {
        let batch = operator.get(&path).ok();
        let shown = (text(&batch, "/status"), number(&batch, "/files"), number(&batch, "/unanswered"));
        assert_eq!(shown, ("open".into(), 0, 1), "{cut:?}: {batch}");
        // Sent, or unknown once it was asked about in vain: neither paid nor failed.
        let legs = legs(&order(&market, &paid));
        assert!(legs == [leg("sent", 5_000)] || legs == [leg("unknown", 5_000)], "{cut:?}: {legs:?}");
        assert_eq!(balance(operator, &receivable), 0, "{cut:?}");
    };
    // Who asks first hands the batch in.
    crate::sites::until("the centre has a result", || fetch(Cut::Announced(0)).status != 200);
    let (announced, chunked) = ([0, 40, usize::MAX].map(Cut::Announced), [1, 40, usize::MAX].map(Cut::Chunked));
    for cut in announced.into_iter().chain(chunked) {
        let error = fetch(cut).error();
        assert_eq!((error.0, error.1.as_str()), (503, "channel_unavailable"), "{cut:?}: {error:?}");
        assert!(door.asked() >= 3, "{cut:?}: asked for again, {} times", door.asked());
        nothing_is_booked(cut);
    }
    assert_eq!(refused(), 0, "a file that did not come is none that is wrong");
    for (nth, cut) in [0, 40, usize::MAX].map(Cut::Unannounced).into_iter().enumerate() {
        let error = fetch(cut).error();
        assert_eq!((error.0, error.1.as_str()), (502, "channel_rejected"), "{cut:?}: {error:?}");
        assert!(refused() > nth, "{cut:?}");
        nothing_is_booked(cut);
    }
    assert!(server.log().contains("a fund's result file was refused whole"), "{}", server.log());

    let batch = fetch(Cut::Not).ok();
    let found = (text(&batch, "/came"), text(&batch, "/status"), number(&batch, "/files"), number(&batch, "/paid"));
    assert_eq!(found, ("taken".into(), "answered".into(), 1, 5_000), "{batch}");
    let order = until(&market, &paid, |order| text(order, "/status") == "success");
    assert_eq!((legs(&order), balance(operator, &receivable)), (vec![leg("captured", 5_000)], 5_000));
}

#[test]
fn a_file_that_is_too_long_is_not_read() {
    let Some(world) = World::start() else { return };
    for cut in [Cut::TooLong, Cut::Endless] {
        let error = world.fetch(cut).error();
        assert_eq!((error.1.as_str(), world.asked()), ("channel_rejected", 1), "{cut:?}: {error:?}");
    }
    assert_eq!((world.of_files("unavailable", "clearing"), world.of_files("refused", "clearing")), (0, 2));
    assert!(world.server.log().contains("longer than any may be"));
    world.comes_whole();
}
