//! The other side of Ping An's 见证宝: numbered transactions over headers of fixed length, written from the fixtures. Its own
//! specification is not public; what is said of the channel in `docs/adding-a-channel.md` holds here.
//!
//! ```text
//!  6034 debit of a sub-account │ 6085 withdrawal │ 6164 refund ─► as any operation of the bank ─► "taken", a refusal, or nothing
//!  6110 query  ─► what the ledger holds
//!  6048 list   ─► what came back on a day
//!  6103 file   ─► JY or TX of a date that is over
//!  6110, 6048  ─► the platform: an outcome that came late or twice, a payment that came back
//! ```
//! Operations are the bank's own: one ledger, one fault plan, one clearing date. The bank has a date and no time of day, so an
//! answer's times are those of its question. It knows every sub-account and member: opening them is no part of this.

mod codes;
mod file;
pub(crate) mod http;
mod message;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiff::civil::Date;

use self::message::{Asked, Charset, Saying};
use super::Bank;
use super::days::Returned;
use super::epcc::EpccKeys;
use super::ledger::{Entry, State, lock};
use super::names::{House, Rail, Serial, Verb};
use super::stats::count;
use super::work::Reaction;

/// The platform's number at the bank (Qydm).
pub const SANDBOX_PINGAN_MARKET: &str = "3045";
/// The account that all sub-accounts lie in (资金汇总账户).
pub const SANDBOX_PINGAN_SUMMARY: &str = "11014892664003";
/// The platform's own sub-account.
pub const SANDBOX_PINGAN_ACCOUNT: &str = "3045000000000001";
/// The platform's private SM2 key of every sandbox, in hexadecimal. It protects nothing: this bank is not real.
pub const SANDBOX_PINGAN_PLATFORM_KEY: &str = "4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d";
/// The bank's private SM2 key of every sandbox, in hexadecimal. It protects nothing either.
const SANDBOX_PINGAN_KEY: &str = "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c";

/// How Ping An is set up.
#[derive(Debug, Clone)]
pub struct PingAnSettings {
    /// Both sides' keys, which have the form of EPCC's.
    pub keys: EpccKeys,
    /// Where notifications are posted; nowhere if there is none.
    pub notify_url: Option<String>,
}

impl Default for PingAnSettings {
    /// As every sandbox has it, telling nobody.
    fn default() -> Self {
        Self { keys: EpccKeys::known(SANDBOX_PINGAN_KEY, SANDBOX_PINGAN_PLATFORM_KEY), notify_url: None }
    }
}

/// A transaction that came as a message.
#[derive(Debug, Clone)]
struct Transaction {
    entry: Entry,
    /// When it was asked for, as the message said.
    at: String,
    /// The payer's sub-account, where there is one.
    payer: String,
    charset: Charset,
}

/// The transactions that came as messages, and how they are answered.
#[derive(Debug)]
pub(crate) struct PingAn {
    keys: EpccKeys,
    client: reqwest::Client,
    transactions: Mutex<BTreeMap<Serial, Transaction>>,
    notify_url: Mutex<Option<String>>,
}

/// What the platform gets.
#[derive(Debug)]
pub(crate) enum Said {
    /// Signed.
    Message(Vec<u8>),
    Garbage,
    /// The connection is cut.
    Nothing,
    /// The day of the file is not over.
    NotReady,
    /// There is no such part.
    NoPart,
}

/// Why a message is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Somebody else's signature, or none.
    Unsigned,
    /// This field is missing or not in its form.
    Field(&'static str),
}

impl PingAn {
    pub(crate) fn new(settings: PingAnSettings) -> Self {
        let PingAnSettings { keys, notify_url } = settings;
        Self {
            keys,
            client: reqwest::Client::new(),
            transactions: Mutex::default(),
            notify_url: Mutex::new(notify_url),
        }
    }

    fn transaction(&self, serial: Serial) -> Option<Transaction> {
        lock(&self.transactions).get(&serial).cloned()
    }

    /// An answer.
    fn answered(&self, asked: &Asked, code: (&str, &str), body: String) -> Vec<u8> {
        let Asked { function, at, log, charset, .. } = asked;
        message::said(&self.keys, *charset, &Saying { service: "02", function, at, log, code, body })
    }

    /// Tells where a transaction that came as a message stands; false if this one did not.
    pub(crate) fn tell(&self, serial: Serial, state: &State) -> bool {
        let Some(transaction) = self.transaction(serial) else { return false };
        if matches!(state, State::Done { .. } | State::Declined { .. }) {
            self.post(self.told(&transaction, state));
        }
        true
    }

    fn told(&self, transaction: &Transaction, state: &State) -> Vec<u8> {
        let log = log_of(transaction.entry.serial);
        let body = format!("{log}&{}", status(transaction, state));
        let saying =
            Saying { service: "01", function: "6110", at: &transaction.at, log: &log, code: codes::DONE, body };
        message::said(&self.keys, transaction.charset, &saying)
    }

    /// Tells that a payment that came as a message came back; false if this one did not.
    pub(crate) fn tell_return(&self, back: &Returned) -> bool {
        let Some(transaction) = self.transaction(back.serial) else { return false };
        let (log, body) = (log_of(back.serial), format!("1&{}&", row(back)));
        let saying =
            Saying { service: "01", function: "6048", at: &transaction.at, log: &log, code: codes::DONE, body };
        self.post(message::said(&self.keys, transaction.charset, &saying));
        true
    }

    /// Posts a notification in a task of its own; nobody waits for the receipt.
    fn post(&self, told: Vec<u8>) {
        let Some(url) = lock(&self.notify_url).clone() else { return };
        let request = self.client.post(url).header("content-type", "application/octet-stream").body(told);
        tokio::spawn(async move { drop(request.send().await) });
    }
}

/// ThirdLogNo of a serial number: two digits of the year, month, day, and fourteen of the number.
fn log_of(serial: Serial) -> String {
    let digits = serial.to_string();
    [digits.get(2..8), digits.get(10..24)].into_iter().flatten().collect()
}

/// The serial number of a ThirdLogNo.
fn serial_of(log: &str) -> Option<Serial> {
    let (date, number) = log.split_at_checked(6).filter(|_| log.len() == 20)?;
    format!("20{date}00{number}0{}", number.get(8..)?).parse().ok()
}

/// FrontLogNo, the bank's own number.
fn front(serial: Serial) -> String {
    let log = log_of(serial);
    [log.get(..6), log.get(12..)].into_iter().flatten().collect()
}

fn return_id(serial: Serial) -> String {
    format!("T{}", front(serial))
}

/// Yuan with two places.
fn yuan(amount: i64) -> String {
    format!("{}.{:02}", amount / 100, amount % 100)
}

/// Fen of yuan with two places, above zero.
fn fen(text: &str) -> Option<i64> {
    let (whole, cents) = text.split_once('.')?;
    let amount = whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents.parse().ok()?)?;
    Some(amount).filter(|amount| *amount > 0 && yuan(*amount) == text)
}

fn digits(date: Date) -> String {
    format!("{:04}{:02}{:02}", date.year(), date.month(), date.day())
}

fn day_of(text: &str) -> Option<Date> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i16>().ok();
    let (month, day) = (number(4, 6)?.try_into().ok()?, number(6, 8)?.try_into().ok()?);
    Date::new(number(0, 4)?, month, day).ok().filter(|date| digits(*date) == text)
}

/// What 6110 says of a transaction, value for value.
fn status(transaction: &Transaction, state: &State) -> String {
    let Transaction { entry, at, payer, .. } = transaction;
    let (status, reason) = codes::status(state);
    let flag = codes::of(entry.verb).map_or("", |(_, flag)| flag);
    let (into, out) = match entry.verb {
        Verb::Debit => (SANDBOX_PINGAN_ACCOUNT, payer.as_str()),
        Verb::Pay | Verb::Refund | Verb::Hold | Verb::Capture | Verb::Release | Verb::Redirect => {
            (payer.as_str(), SANDBOX_PINGAN_ACCOUNT)
        }
    };
    let (day, time) = at.split_at_checked(8).unwrap_or_default();
    let day = if let State::Done { date } = state { digits(*date) } else { day.to_owned() };
    let number = if status == "1" { String::new() } else { front(entry.serial) };
    format!("{flag}&{status}&{}&{day}&{time}&{into}&{out}&{reason}&{number}&&", yuan(entry.amount))
}

/// A payment that came back, as 6048 lists it.
fn row(back: &Returned) -> String {
    let (front, log, id) = (front(back.serial), log_of(back.serial), return_id(back.serial));
    let (code, text) = codes::CAME_BACK;
    let (day, amount) = (digits(back.date), yuan(back.amount));
    format!("427098{front}&{front}&{log}&&{code}:{text}&{day}&{id}&{amount}&{}", "&".repeat(9))
}

impl Asked {
    /// The transaction that a message asks for: its values by their places.
    fn transaction(&self, verb: Verb) -> Result<Transaction, Refused> {
        let serial = serial_of(&self.log).ok_or(Refused::Field("ThirdLogNo"))?;
        let values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        let (summary, account, payer, amount, original) = match (verb, values.as_slice()) {
            (Verb::Debit, &[_, payer, summary, _, _, account, _, _, amount, _, _, "RMB", _, _, _, _, _]) => {
                (summary, account, payer, amount, None)
            }
            (Verb::Pay, &[summary, account, _, _, card, name, "RMB", amount, _, _, _, _, _, _])
                if !card.is_empty() && !name.is_empty() =>
            {
                (summary, account, "", amount, None)
            }
            (Verb::Refund, &["2", summary, original, payer, _, account, _, _, amount, _, _, _]) => {
                let original = serial_of(original).ok_or(Refused::Field("OldThirdLogNo"))?;
                (summary, account, payer, amount, Some(original))
            }
            _ => return Err(Refused::Field("body")),
        };
        if summary != SANDBOX_PINGAN_SUMMARY || account != SANDBOX_PINGAN_ACCOUNT {
            return Err(Refused::Field("SupAcctId"));
        }
        let amount = fen(amount).ok_or(Refused::Field("TranAmount"))?;
        let entry = Entry { serial, verb, rail: Rail::PingAn, amount, original, currency_taken: true };
        Ok(Transaction { entry, at: self.at.clone(), payer: payer.to_owned(), charset: self.charset })
    }
}

impl Bank {
    /// A message of the platform.
    ///
    /// # Errors
    /// [`Refused`]; nothing was done then.
    pub(crate) async fn pingan_message(self: &Arc<Self>, raw: &[u8]) -> Result<Said, Refused> {
        let text = message::opened(&self.pingan.keys, raw).ok_or_else(|| {
            count(&self.stats.unsigned);
            Refused::Unsigned
        })?;
        let done = match message::read(&text) {
            Ok(asked) => self.pingan_asked(&asked).await,
            Err(refused) => Err(refused),
        };
        done.inspect_err(|_| count(&self.stats.malformed))
    }

    async fn pingan_asked(self: &Arc<Self>, asked: &Asked) -> Result<Said, Refused> {
        match asked.function.as_str() {
            "6034" => self.pingan_operation(asked, Verb::Debit).await,
            "6085" => self.pingan_operation(asked, Verb::Pay).await,
            "6164" => self.pingan_operation(asked, Verb::Refund).await,
            "6110" => self.pingan_query(asked),
            "6048" => self.pingan_returns(asked),
            "6103" => self.pingan_file(asked),
            _ => Err(Refused::Field("TranFunc")),
        }
    }

    async fn pingan_operation(self: &Arc<Self>, asked: &Asked, verb: Verb) -> Result<Said, Refused> {
        let transaction = asked.transaction(verb)?;
        let entry = transaction.entry;
        // The outcome may be told before the answer.
        lock(&self.pingan.transactions).entry(entry.serial).or_insert(transaction);
        let said = |code, body| Said::Message(self.pingan.answered(asked, code, body));
        Ok(match self.take(entry).await {
            Reaction::Answer(answer) if answer.is_duplicate() => said(codes::DUPLICATE, String::new()),
            Reaction::Answer(_) => match self.ledger.state(entry.serial) {
                Some(State::Declined { code }) => said(codes::declined(&code), String::new()),
                Some(State::Lost | State::Open { .. } | State::Done { .. }) | None => {
                    said(codes::DONE, format!("{}&&", front(entry.serial)))
                }
            },
            Reaction::Garbage => Said::Garbage,
            Reaction::Nothing => Said::Nothing,
        })
    }

    /// What became of a transaction: it is found by its number, its kind and its day.
    fn pingan_query(&self, asked: &Asked) -> Result<Said, Refused> {
        let [summary, flag, log, day, _] = asked.values.as_slice() else { return Err(Refused::Field("body")) };
        let serial = serial_of(log).filter(|_| summary == SANDBOX_PINGAN_SUMMARY);
        let serial = serial.ok_or(Refused::Field("OrigThirdLogNo"))?;
        let right = |verb: Verb| if verb == Verb::Pay { "3" } else { "2" };
        let same = |known: &Transaction| known.at.starts_with(day.as_str()) && flag == right(known.entry.verb);
        let found = self.pingan.transaction(serial).filter(same);
        // It may be the query that settles it.
        self.query(House::Bank, serial);
        let state = found.as_ref().and_then(|_| self.ledger.state(serial)).filter(|state| *state != State::Lost);
        Ok(Said::Message(match found.zip(state) {
            Some((known, state)) => self.pingan.answered(asked, codes::DONE, status(&known, &state)),
            None => self.pingan.answered(asked, codes::NOT_FOUND, String::new()),
        }))
    }

    /// What came back on one day.
    fn pingan_returns(&self, asked: &Asked) -> Result<Said, Refused> {
        let [_, summary, from, to, _] = asked.values.as_slice() else { return Err(Refused::Field("body")) };
        let date = day_of(from).filter(|_| from == to && summary == SANDBOX_PINGAN_SUMMARY);
        let returned = self.days.returned_on(date.ok_or(Refused::Field("BeginDate"))?, Rail::PingAn);
        let twice = returned.iter().filter(|back| back.twice);
        let rows: Vec<String> = returned.iter().chain(twice).map(row).collect();
        let body = format!("{}&{}&", rows.len(), rows.concat());
        Ok(Said::Message(self.pingan.answered(asked, codes::DONE, body)))
    }

    /// Notifications go here from now on.
    pub(crate) fn route_pingan(&self, url: Option<String>) {
        *lock(&self.pingan.notify_url) = url;
    }

    /// Tells of a transaction out of turn, as done, of another amount or with another's signature; says whether it is there.
    pub(crate) fn tell_pingan_twisted(&self, serial: Serial, amount: Option<i64>, forged: bool) -> bool {
        let Some(mut transaction) = self.pingan.transaction(serial) else { return false };
        let state = self.ledger.state(serial).filter(|state| matches!(state, State::Done { .. }));
        let state = state.unwrap_or(State::Done { date: self.days.now() });
        transaction.entry.amount = amount.unwrap_or(transaction.entry.amount);
        let told = self.pingan.told(&transaction, &state);
        transaction.entry.amount = transaction.entry.amount.saturating_add(1);
        let other = || self.pingan.told(&transaction, &state);
        self.pingan.post(if forged { message::signed_as(&told, &other()) } else { told });
        true
    }
}
