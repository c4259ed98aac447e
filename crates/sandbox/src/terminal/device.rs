//! A terminal: its keys, its connection, its batch, and what it has to take back.
//!
//! ```text
//!  begin: a trace, and what is owed if no answer comes ─► send ─► hear ─► conclude
//!                                                           │      ├ 00, proved ──► in the batch, nothing owed
//!                                                           │      ├ another code ► declined, nothing owed
//!                                                           └──────┴ nothing, or a yes without proof: it stays owed
//!  owed ─► before the next transaction: 0400 (or the same again, of an advice) ─► 00 or 25: settled
//!                                                                             └ too often: given up, for the books to mend
//! ```

use std::sync::Arc;

use iso8583::Profile;
use serde::Serialize;
use tokio::time::Instant;

use super::batch::{Batch, Settled, Totals};
use super::message::{Field, Heard, Names, Receipt, Request, Transaction, Unheard, encode};
use super::wire::{Dialect, Fault, Line, Way};
use crate::cipher::{CardCipher, CardKey};

/// How often what is owed is sent before the terminal gives up, and how often it asks about itself.
const TRIES: u32 = 3;
/// How often advices that the network was not heard to are asked about before a batch is closed all the same.
const ASKS: u32 = 12;
/// Between two questions about an advice that the network was not heard to.
const ASKS_AGAIN_AFTER: std::time::Duration = std::time::Duration::from_millis(500);
/// Traces end here and begin again with 1.
const LAST_TRACE: u32 = 999_999;

/// Who a terminal is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its number at the platform (F41).
    pub number: String,
    /// The merchant's number of 15 digits (F42).
    pub merchant: String,
    /// Its maker's serial.
    pub serial: String,
    /// Its master key (TMK).
    pub master: CardKey,
}

/// What came of a transaction.
#[derive(Debug)]
pub enum Outcome {
    /// It is approved, and proved to be.
    Approved(Receipt),
    /// It is not, by this code.
    Declined(String),
    /// No answer that can be believed: the terminal takes it back, or asks again, before it does anything else.
    Unheard(Fault),
}

/// What a terminal counted since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Connections.
    pub connects: u64,
    /// Sign-ins.
    pub sign_ins: u64,
    /// Transactions whose answer was not heard.
    pub unheard: u64,
    /// Reversals that were sent, repeats included.
    pub reversals_sent: u64,
    /// Transactions that the platform took back when it was asked to.
    pub reversed: u64,
    /// Reversals of what the platform never had.
    pub reversals_of_nothing: u64,
    /// Transactions that were to be taken back and were given up.
    pub given_up: u64,
}

impl Counts {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            connects: self.connects + other.connects,
            sign_ins: self.sign_ins + other.sign_ins,
            unheard: self.unheard + other.unheard,
            reversals_sent: self.reversals_sent + other.reversals_sent,
            reversed: self.reversed + other.reversed,
            reversals_of_nothing: self.reversals_of_nothing + other.reversals_of_nothing,
            given_up: self.given_up + other.given_up,
        }
    }
}

struct Work {
    pin: CardKey,
    mac: CardKey,
}

/// What is owed while nothing is heard of it.
#[derive(Clone)]
struct Owed {
    request: Request,
    code: &'static str,
    tries: u32,
}

/// A terminal.
pub struct Terminal {
    own: Identity,
    names: Names,
    way: Way,
    layout: Arc<Profile>,
    work: Option<Work>,
    line: Option<Line>,
    batch: Batch,
    trace: u32,
    /// To be taken back.
    owed: Option<Owed>,
    /// Advices to be asked about again.
    open: Vec<Request>,
    counts: Counts,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Terminal({}, batch {}, trace {})", self.own.number, self.batch.number, self.trace)
    }
}

impl Terminal {
    /// A terminal that has its master key and was never connected.
    #[must_use]
    pub fn new(own: Identity, dialect: &Dialect, way: Way) -> Self {
        let layout = dialect.layout(own.master.cipher());
        let names = Names { terminal: own.number.clone(), merchant: own.merchant.clone() };
        let (batch, counts) = (Batch::new(1), Counts::default());
        let (work, line, owed, open) = (None, None, None, Vec::new());
        Self { own, names, way, layout, work, line, batch, trace: 0, owed, open, counts }
    }

    /// Its number at the platform.
    #[must_use]
    pub fn number(&self) -> &str {
        &self.own.number
    }

    /// What it counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What the batch holds.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.batch.totals()
    }

    /// How many records the batch has; a batch close counts to 999 a side.
    #[must_use]
    pub fn records(&self) -> usize {
        self.batch.len()
    }

    /// Whether it has work keys.
    #[must_use]
    pub fn is_signed_in(&self) -> bool {
        self.work.is_some()
    }

    /// What it will take back before it does anything else.
    #[must_use]
    pub fn owes(&self) -> Option<&Request> {
        self.owed.as_ref().map(|owed| &owed.request)
    }

    /// Where the platform is from now on, as after a restart at another port.
    pub fn turn_to(&mut self, way: Way) {
        self.hang_up();
        self.way = way;
    }

    /// Drops the connection, as a power cut or a pulled cable does. Keys, batch and what is owed stay.
    pub fn hang_up(&mut self) {
        self.line = None;
    }

    /// Connects, if it is not connected.
    ///
    /// # Errors
    /// [`Fault::Unreachable`].
    pub async fn connect(&mut self) -> Result<(), Fault> {
        // An answer that nobody waited for to the end would be taken for the next one's.
        if self.line.as_ref().is_some_and(|line| line.busy) {
            self.hang_up();
        }
        if self.line.is_none() {
            self.line = Some(Line::connect(self.way).await?);
            self.counts.connects += 1;
        }
        Ok(())
    }

    /// Signs in (签到) and takes new work keys.
    ///
    /// # Errors
    /// [`Fault::Refused`], work keys that do not open, or no answer.
    pub async fn sign_in(&mut self) -> Result<(), Fault> {
        let serial = hex::encode(format!("Sequence No{:02}{}", self.own.serial.len(), self.own.serial));
        let fields = vec![(60, self.managing("003")), (62, serial), (63, "01 ".to_owned())];
        let heard = self.manage("a sign-in", *b"0800", &fields).await?;
        let keys = hex::decode(heard.field(62).unwrap_or_default());
        self.work = Some(self.open_keys(&keys.unwrap_or_default())?);
        let batch = heard.field(60).and_then(|text| text.get(2..8)?.parse().ok());
        let batch = batch.ok_or_else(|| Fault::Unreadable("a sign-in without the batch's number".to_owned()))?;
        if self.batch.number != batch {
            self.batch = Batch::new(batch);
        }
        self.counts.sign_ins += 1;
        Ok(())
    }

    /// Signs out (签退): until it signs in again it takes no card.
    ///
    /// # Errors
    /// [`Fault::Refused`] or no answer.
    pub async fn sign_out(&mut self) -> Result<(), Fault> {
        let fields = vec![(60, self.managing("002"))];
        self.manage("a sign-out", *b"0820", &fields).await?;
        self.work = None;
        self.hang_up();
        Ok(())
    }

    /// Asks whether the platform is there.
    ///
    /// # Errors
    /// [`Fault::Refused`] or no answer.
    pub async fn echo(&mut self) -> Result<(), Fault> {
        let fields = vec![(60, self.managing("301"))];
        self.manage("an echo", *b"0820", &fields).await.map(|_| ())
    }

    /// Has a transaction done. What is owed goes before it; who is not signed in signs in.
    ///
    /// # Errors
    /// Where it was not sent, for certain: the platform is not reached, or does not take what is owed, or no sign-in.
    pub async fn transact(&mut self, asked: &Transaction<'_>) -> Result<Outcome, Fault> {
        self.settle_owed().await?;
        self.be_ready().await?;
        let request = self.begin(asked)?;
        let heard = match self.send(&request).await {
            Ok(()) => self.hear(&request).await,
            Err(fault) => Err(fault),
        };
        Ok(self.conclude(&request, heard))
    }

    /// Connected and signed in.
    ///
    /// # Errors
    /// If either cannot be.
    pub async fn be_ready(&mut self) -> Result<(), Fault> {
        self.connect().await?;
        if self.work.is_none() { self.sign_in().await } else { Ok(()) }
    }

    /// The first step of a transaction: its trace, and what is owed from now on. Nothing is sent yet.
    ///
    /// # Errors
    /// Of a terminal that is not signed in, or a transaction that cannot be a message.
    pub fn begin(&mut self, asked: &Transaction<'_>) -> Result<Request, Fault> {
        let names = (self.batch.number, self.next_trace());
        let work = self.work.as_ref().ok_or_else(not_signed_in)?;
        let request = Request::new(asked, names, &work.pin)?;
        match request.kind.unheard() {
            Unheard::Reversed => self.owed = Some(Owed { request: request.clone(), code: "98", tries: 0 }),
            Unheard::Repeated => self.open.push(request.clone()),
            Unheard::Forgotten => {}
        }
        Ok(request)
    }

    /// The second step: it goes out.
    ///
    /// # Errors
    /// If it does not.
    pub async fn send(&mut self, request: &Request) -> Result<(), Fault> {
        self.say(request.mti, request.trace, &request.fields, true).await
    }

    /// The third step: its answer, whatever it says.
    ///
    /// # Errors
    /// If none comes in time that is one.
    pub async fn hear(&mut self, request: &Request) -> Result<Heard, Fault> {
        self.listen(request.mti, request.trace).await
    }

    /// The last step: what came of it, and what is owed.
    pub fn conclude(&mut self, request: &Request, heard: Result<Heard, Fault>) -> Outcome {
        let heard = match heard {
            Ok(heard) if heard.proved == Some(false) || (heard.code == "00" && heard.proved.is_none()) => {
                self.owe("A0");
                return self.unheard(Fault::Unproved);
            }
            Ok(heard) => heard,
            Err(fault) => {
                self.owe(if matches!(fault, Fault::Silent(_) | Fault::Closed) { "98" } else { "06" });
                self.hang_up();
                return self.unheard(fault);
            }
        };
        self.owed = None;
        if heard.asks_sign_in() {
            self.work = None;
        }
        // To an advice 98 says that the network was not heard either: it is asked about again.
        if heard.code != "98" {
            self.open.retain(|open| open.trace != request.trace);
        }
        if heard.code != "00" {
            return Outcome::Declined(heard.code);
        }
        let receipt = request.receipt(&heard);
        self.batch.take(&receipt, request.original);
        Outcome::Approved(receipt)
    }

    /// Takes back what was not heard of, if there is such a thing.
    ///
    /// # Errors
    /// If the platform is not reached: it stays owed.
    pub async fn settle_owed(&mut self) -> Result<(), Fault> {
        while let Some(owed) = self.owed.clone() {
            if owed.tries >= TRIES {
                self.owed = None;
                self.counts.given_up += 1;
                break;
            }
            self.be_ready().await?;
            self.owe_once_more();
            self.counts.reversals_sent += 1;
            let (request, fields) = (&owed.request, owed.request.reversal(owed.code));
            let heard = match self.say(*b"0400", request.trace, &fields, true).await {
                Ok(()) => self.listen(*b"0400", request.trace).await,
                Err(fault) => Err(fault),
            };
            match heard {
                Ok(heard) if heard.proved == Some(true) && heard.code == "00" => {
                    self.counts.reversed += 1;
                    self.owed = None;
                }
                Ok(heard) if heard.proved == Some(true) && heard.code == "25" => {
                    self.counts.reversals_of_nothing += 1;
                    self.owed = None;
                }
                Ok(heard) if heard.asks_sign_in() => self.work = None,
                Ok(_) => {}
                Err(_) => self.hang_up(),
            }
        }
        Ok(())
    }

    /// Settles the batch (结算): totals are compared; where they differ, its records go up. A new batch begins.
    ///
    /// # Errors
    /// [`Fault::Refused`], or no answer: the batch stays, and is settled by asking again.
    pub async fn settle(&mut self) -> Result<Settled, Fault> {
        self.settle_owed().await?;
        // A batch is closed when all in it has ended, as far as that can be waited for.
        for _ in 0..ASKS {
            self.ask_again().await?;
            if self.open.is_empty() {
                break;
            }
            tokio::time::sleep(ASKS_AGAIN_AFTER).await;
        }
        let (batch, totals) = (self.batch.number, self.batch.totals());
        let closing = [(48, self.batch.closing()), (49, "156".to_owned()), (60, self.managing("201"))];
        let heard = self.manage("a batch close", *b"0500", &closing).await?;
        let results = heard.field(48).and_then(|told| Some((told.get(30..31)?, told.get(61..62)?)));
        let balanced = results == Some(("1", "1"));
        if !balanced {
            self.upload().await?;
        }
        self.batch = self.batch.next();
        self.open.clear();
        Ok(Settled { batch, balanced, totals })
    }

    async fn upload(&mut self) -> Result<(), Fault> {
        for records in self.batch.uploads() {
            let fields = [(48, records), (60, self.managing("201"))];
            self.manage("a batch upload", *b"0320", &fields).await?;
        }
        let fields = [(48, format!("{:04}", self.batch.len())), (60, self.managing("207"))];
        self.manage("the end of a batch upload", *b"0320", &fields).await.map(|_| ())
    }

    /// Asks once more about advices whose end it does not know.
    async fn ask_again(&mut self) -> Result<(), Fault> {
        for request in self.open.clone() {
            self.be_ready().await?;
            let heard = match self.send(&request).await {
                Ok(()) => self.hear(&request).await,
                Err(fault) => Err(fault),
            };
            // What is still not known then is for the records to show.
            drop(self.conclude(&request, heard));
        }
        Ok(())
    }

    fn unheard(&mut self, fault: Fault) -> Outcome {
        self.counts.unheard += 1;
        Outcome::Unheard(fault)
    }

    fn owe(&mut self, code: &'static str) {
        self.owed.iter_mut().for_each(|owed| owed.code = code);
    }

    fn owe_once_more(&mut self) {
        self.owed.iter_mut().for_each(|owed| owed.tries += 1);
    }

    fn next_trace(&mut self) -> u32 {
        self.trace = self.trace % LAST_TRACE + 1;
        self.trace
    }

    /// F60 of what is about the terminal itself.
    fn managing(&self, network_code: &str) -> String {
        format!("00{:06}{network_code}", self.batch.number)
    }

    /// Asks for something about the terminal itself, which has no MAC in the dialect, until an answer comes.
    async fn manage(&mut self, what: &'static str, mti: [u8; 4], fields: &[Field]) -> Result<Heard, Fault> {
        let trace = self.next_trace();
        let mut tries = 1;
        loop {
            self.connect().await?;
            let heard = match self.say(mti, trace, fields, false).await {
                Ok(()) => self.listen(mti, trace).await,
                Err(fault) => Err(fault),
            };
            match heard {
                Ok(heard) if heard.code == "00" => return Ok(heard),
                Ok(heard) => return Err(Fault::Refused { what, code: heard.code }),
                Err(fault) => {
                    self.hang_up();
                    if tries == TRIES {
                        return Err(fault);
                    }
                    tries += 1;
                }
            }
        }
    }

    async fn say(&mut self, mti: [u8; 4], trace: u32, fields: &[Field], proved: bool) -> Result<(), Fault> {
        self.connect().await?;
        let mac = if proved { Some(&self.work.as_ref().ok_or_else(not_signed_in)?.mac) } else { None };
        let traced = fields.iter().filter(|(number, _)| *number != 11).cloned().chain([(11, format!("{trace:06}"))]);
        let message = encode(&self.layout, &self.names, mti, &traced.collect::<Vec<_>>(), mac)?;
        let line = self.line.as_mut().ok_or(Fault::Closed)?;
        line.send(&message, self.way.patience).await
    }

    async fn listen(&mut self, mti: [u8; 4], trace: u32) -> Result<Heard, Fault> {
        let until = Instant::now() + self.way.patience;
        loop {
            let line = self.line.as_mut().ok_or(Fault::Closed)?;
            let (asks, message) = line.hear(until, self.way.patience).await?;
            let mac = self.work.as_ref().map(|work| &work.mac);
            let heard = Heard::read(&self.layout, &message, asks, mac)?;
            // Another's is one that came too late.
            if heard.answers(mti, trace) {
                line.busy = false;
                return Ok(heard);
            }
        }
    }

    /// The work keys of field 62, whose check values must be theirs.
    fn open_keys(&self, keys: &[u8]) -> Result<Work, Fault> {
        let wrong = |what: &str| Fault::WorkKeys(what.to_owned());
        let part = |from: usize, to: usize| keys.get(from..to).ok_or_else(|| wrong("field 62 is too short"));
        let (cipher, master) = (self.own.master.cipher(), &self.own.master);
        let pin = CardKey::new(cipher, &master.decrypt(part(0, 16)?))?;
        // A MAC key of 8 bytes is filled up with zeros.
        let is_short = part(28, 36)? == [0; 8];
        let mac = match is_short {
            true => CardKey::new(CardCipher::Des, &master.decrypt(part(20, 28)?))?,
            false => CardKey::new(cipher, &master.decrypt(part(20, 36)?))?,
        };
        for (key, check) in [(&pin, part(16, 20)?), (&mac, part(36, 40)?)] {
            if !key.check_value().starts_with(check) {
                return Err(wrong("a check value is another key's"));
            }
        }
        Ok(Work { pin, mac })
    }
}

fn not_signed_in() -> Fault {
    Fault::Refused { what: "a transaction before a sign-in", code: "58".to_owned() }
}
