//! The sandbox's card network (银行卡清算机构): a centre that members connect to, with issuers behind it. Exact in its books,
//! unreliable in its answers.
//!
//! ```text
//!  TCP ─► frame ─► header, message ─► MAC ─ wrong: A0
//!                                      │ right
//!   sign-on, echo, key request ◄───────┤
//!                                      ├─ seen before ─► the same answer, nothing is done
//!                                      ├─ a reversal: F90 names what is undone, once ─► 00; 25 if nothing has that name
//!                                      ├─ results of scripts: F90 names whose they are, kept once ─► 00; 25
//!                                      └─ a request ─► the issuer: PIN, rule, balance ─► approved │ declined
//!                                                        └─ a plan spoils the way: lost, late, twice, the link cut
//! ```
//! Invariants: what has a name (F7, F11, F32, F33) is carried out at most once; a plan spoils the way, never the books; what
//! is undone is in no file; the file of a day holds exactly what the books hold of it.
//!
//! It shares the codec and the ciphers with the platform and nothing else: header, MAC, PIN block and file are written here
//! from their description, so that a misunderstanding shows. Everything is in memory and ends with the process.

mod cipher;
mod connection;
mod file;
mod issuer;
mod ledger;
mod plan;
pub(crate) mod process;
mod tls;
mod wire;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use jiff::civil::Date;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub use ledger::{Shown, Totals};
pub use plan::{CardPlan, Decline};
pub use tls::acceptor;

use crate::cipher::{CardCipher, MacForm};
use cipher::Zone;
use ledger::Ledger;
use plan::Fate;
use wire::Wire;

/// The zone's master key unless another is given. It protects nothing: the network is not real.
pub const SANDBOX_ZONE_MASTER: &str = "0123456789ABCDEFFEDCBA9876543210";

/// How a network is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What goes wrong.
    pub plan: CardPlan,
    /// The cipher of the zone's keys.
    pub cipher: CardCipher,
    /// How field 128 is made.
    pub mac: MacForm,
    /// The zone's master key, 32 hexadecimal digits.
    pub master: String,
    /// The clearing date.
    pub date: Date,
    /// What each card's account holds at first, in fen.
    pub balance: i64,
}

/// The network. Cheap to share: every method takes `&self`.
#[derive(Debug)]
pub struct CardNetwork {
    plan: CardPlan,
    zone: Zone,
    wire: Wire,
    ledger: Mutex<Ledger>,
    /// Counts up to have every link cut.
    cut: watch::Sender<u64>,
    trace: AtomicU64,
    /// How often messages came again, by name: what was lost once need not be lost again.
    repeats: Mutex<HashMap<String, u32>>,
}

impl CardNetwork {
    /// A network without members, and without a past.
    ///
    /// # Errors
    /// A master key that is none.
    pub fn new(settings: Settings) -> Result<Arc<Self>> {
        let Settings { plan, cipher, mac, master, date, balance } = settings;
        let zone = Zone::new(cipher, mac, &master).context("the zone's keys")?;
        let (wire, ledger) = (Wire::new(cipher)?, Mutex::new(Ledger::new(date, balance)));
        let (cut, trace, repeats) = (watch::Sender::new(0), AtomicU64::new(1), Mutex::default());
        Ok(Arc::new(Self { plan, zone, wire, ledger, cut, trace, repeats }))
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What becomes of a message of this name; of one that says that it comes again, each time anew.
    fn fate(&self, mti: [u8; 4], name: &str) -> Fate {
        if mti[3] != b'1' {
            return self.plan.fate(name);
        }
        let mut repeats = self.repeats.lock().unwrap_or_else(PoisonError::into_inner);
        let times = repeats.entry(name.to_owned()).or_default();
        *times += 1;
        self.plan.fate(&format!("{name} again {times}"))
    }

    fn next_trace(&self) -> u64 {
        self.trace.fetch_add(1, Ordering::Relaxed) % 999_999 + 1
    }

    /// The daily file of a member, as of now.
    #[must_use]
    pub fn file(&self, member: &str) -> String {
        self.ledger().file(member)
    }

    /// What the books hold.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.ledger().totals()
    }

    /// All transactions, in their order.
    #[must_use]
    pub fn transactions(&self) -> Vec<Shown> {
        self.ledger().shown()
    }

    /// What a card's account holds, in fen.
    #[must_use]
    pub fn balance(&self, card: &str) -> i64 {
        self.ledger().balance(card)
    }

    /// A one-time code that the telephone of a card's holder shows: good for one sale within a minute.
    #[must_use]
    pub fn show_code(&self, card: &str) -> String {
        self.ledger().show_code(card)
    }

    /// Cuts every link.
    pub fn drop_links(&self) {
        self.cut.send_modify(|count| *count += 1);
    }
}

/// Serves members by TCP until `stop` ends.
pub async fn serve(listeners: Vec<TcpListener>, network: Arc<CardNetwork>, stop: impl Future<Output = ()>) {
    serve_by(listeners, network, None, stop).await;
}

/// Serves members until `stop` ends: by TLS, if there is how, else by TCP.
pub async fn serve_by(
    listeners: Vec<TcpListener>,
    network: Arc<CardNetwork>,
    tls: Option<TlsAcceptor>,
    stop: impl Future<Output = ()>,
) {
    let mut doors = JoinSet::new();
    for listener in listeners {
        let (network, tls) = (Arc::clone(&network), tls.clone());
        doors.spawn(async move {
            let mut links = JoinSet::new();
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    Some(_) = links.join_next() => continue,
                };
                if let Ok((stream, _)) = accepted
                    && stream.set_nodelay(true).is_ok()
                {
                    links.spawn(link(stream, tls.clone(), Arc::clone(&network)));
                }
            }
        });
    }
    stop.await;
    doors.abort_all();
}

/// A member's link; who shakes no hands by TLS has none.
async fn link(stream: TcpStream, tls: Option<TlsAcceptor>, network: Arc<CardNetwork>) {
    match tls {
        None => connection::serve(stream, network).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                connection::serve(stream, network).await;
            }
        }
    }
}
