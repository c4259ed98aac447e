//! The other side of EPCC (网联): XML with a signature behind it, written from the fixtures. Its own specification is not
//! public; what is said of the channel in `docs/adding-a-channel.md` holds here.
//!
//! ```text
//!  101 ─► a code by SMS ─ 103 with the code ─► an agreement (协议)
//!  105 ─► the bank compares who a card's holder is (epcc/identity.rs); 301 of it ─► what it found
//!  201 debit │ 211 pay │ 231 refund ─► as any operation of the bank ─► "done", "in progress", a refusal, or nothing
//!  221 page, brought by a browser ─► the payer pays there, or leaves (epcc/page.rs)
//!  301 query ─► what the ledger holds; 321 close ─► the same, and a page at which nobody paid has ended
//!  311 file  ─► one part of the daily file of a date that is over
//!  303 ─► the platform: an outcome that came late or twice, a payment that came back
//! ```
//! Operations are the bank's own: one ledger, one fault plan, one clearing date. EPCC's sites are the addresses that the bank
//! listens on. It has a date and no time of day, so an answer's times are those of its question, and an answer's batch is
//! the clearing date with the digits of the request's batch.
//!
//! An agreement whose number begins with `SGN` was made here by 101 and 103, or is not valid. Any other was made before.

mod agreement;
mod codes;
mod file;
pub(crate) mod http;
mod identity;
mod keys;
mod message;
mod page;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiff::civil::Date;

use self::agreement::SignUps;
use self::identity::Checks;
use self::message::{Message, amount_of, amount_text, group};
use self::page::Visit;
use super::Bank;
use super::body::Answer;
use super::days::Returned;
use super::ledger::{Entry, State, lock};
use super::names::{House, Rail, Serial, Verb};
use super::page::{Page, Twist};
use super::stats::count;
use super::work::Reaction;

pub(crate) use keys::info_of;
pub use keys::{EpccKeyError, EpccKeys, SANDBOX_EPCC_KEY, SANDBOX_EPCC_PLATFORM_KEY};

/// The platform's number at EPCC.
pub const SANDBOX_EPCC_INSTITUTION: &str = "Z2026031000019";
/// EPCC's own number.
pub const SANDBOX_EPCC_NUMBER: &str = "G4000311000018";

const SIGN_SN: &str = "4002561111";
/// To EPCC, and from it.
const DIRECTIONS: (&str, &str) = ("11", "21");

/// How EPCC is set up.
#[derive(Debug, Clone)]
pub struct EpccSettings {
    /// Both sides' keys.
    pub keys: EpccKeys,
    /// Where notifications are posted; nowhere if there is none.
    pub notify_url: Option<String>,
}

impl Default for EpccSettings {
    /// As every sandbox has it, telling nobody.
    fn default() -> Self {
        Self { keys: EpccKeys::sandbox(), notify_url: None }
    }
}

/// A transaction that came as a message.
#[derive(Debug, Clone)]
struct Transaction {
    entry: Entry,
    /// When it was asked for, as the message said.
    at: String,
    /// The last digits of its batch.
    digits: String,
    /// What it takes from, where it is a debit.
    agreement: Option<String>,
    /// What the browser brought, where it is paid at the page.
    visit: Option<Visit>,
}

/// The transactions that came as messages, and how they are answered.
#[derive(Debug)]
pub(crate) struct Epcc {
    keys: EpccKeys,
    client: reqwest::Client,
    transactions: Mutex<BTreeMap<Serial, Transaction>>,
    sign_ups: SignUps,
    checks: Checks,
    notify_url: Mutex<Option<String>>,
}

/// What the platform gets.
#[derive(Debug)]
pub(crate) enum Said {
    /// Signed.
    Message(String),
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

/// The fields of a transaction's outcome, in their order.
type Business = Vec<(&'static str, String)>;

impl Epcc {
    pub(crate) fn new(settings: EpccSettings) -> Self {
        let EpccSettings { keys, notify_url } = settings;
        let (transactions, sign_ups, checks) = (Mutex::default(), SignUps::default(), Checks::default());
        Self {
            keys,
            client: reqwest::Client::new(),
            transactions,
            sign_ups,
            checks,
            notify_url: Mutex::new(notify_url),
        }
    }

    fn transaction(&self, serial: Serial) -> Option<Transaction> {
        lock(&self.transactions).get(&serial).cloned()
    }

    /// Why a debit is refused before anything else is looked at.
    pub(crate) fn refuses(&self, entry: &Entry) -> Option<&'static str> {
        let agreement = self.transaction(entry.serial)?.agreement?;
        let made_here = agreement.starts_with(agreement::PREFIX);
        (made_here && !self.sign_ups.is_signed(&agreement)).then_some(codes::NO_AGREEMENT)
    }

    /// A message of EPCC, signed.
    fn said(&self, message_type: &str, at: &str, (code, text): (&str, &str), business: &Business) -> String {
        message::signed(&self.keys, &Self::text(message_type, at, (code, text), business))
    }

    fn text(message_type: &str, at: &str, (code, text): (&str, &str), business: &Business) -> String {
        let header = [
            ("SndDt", at),
            ("MsgTp", message_type),
            ("IssrId", SANDBOX_EPCC_NUMBER),
            ("Drctn", DIRECTIONS.1),
            ("SignSN", SIGN_SN),
        ];
        let system = group("SysRtnInf", &[("SysRtnCd", code), ("SysRtnDesc", text), ("SysRtnTm", at)]);
        let fields: Vec<(&str, &str)> = business.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let instructing = message::element("InstgId", SANDBOX_EPCC_INSTITUTION);
        message::whole(&group("MsgHeader", &header), &[system, group("BizInf", &fields), instructing].concat())
    }

    /// Where a transaction stands.
    fn business(transaction: &Transaction, state: &State) -> Business {
        let mut fields = Self::named(transaction);
        let (status, code) = codes::of(state);
        fields.push(("TrxStatus", status.to_owned()));
        if let Some((code, text)) = code {
            fields.extend([("BizStsCd", code.to_owned()), ("BizStsDesc", text.to_owned())]);
        }
        match state {
            State::Done { date } => fields.push(("BatchId", batch(*date, &transaction.digits))),
            State::Declined { .. } => fields.push(("BatchId", batch_of(transaction))),
            State::Lost | State::Open { .. } => {}
        }
        fields
    }

    /// Which transaction it is.
    fn named(transaction: &Transaction) -> Business {
        let Entry { serial, verb, amount, .. } = transaction.entry;
        let asked = codes::types(verb).map_or("", |(asked, _)| asked);
        vec![("TrxId", serial.to_string()), ("TrxAmt", amount_text(amount)), ("TrxTp", asked.to_owned())]
    }

    /// Tells where a transaction that came as a message stands; false if this one did not.
    pub(crate) fn tell(&self, serial: Serial, state: &State) -> bool {
        let Some(transaction) = self.transaction(serial) else { return false };
        if matches!(state, State::Done { .. } | State::Declined { .. }) {
            self.post(self.told(&transaction.at, &Self::business(&transaction, state)));
        }
        true
    }

    /// Tells that a payment that came as a message came back; false if this one did not.
    pub(crate) fn tell_return(&self, back: &Returned) -> bool {
        let Some(transaction) = self.transaction(back.serial) else { return false };
        let mut fields = Self::named(&transaction);
        let texts = [("TrxStatus", "04"), ("BizStsCd", codes::DONE.0), ("BizStsDesc", codes::DONE.1)];
        fields.extend(texts.map(|(name, text)| (name, text.to_owned())));
        fields.extend([
            ("BatchId", batch_of(&transaction)),
            ("RtnId", return_id(back.serial)),
            ("RtnBatchId", batch(back.date, RETURNS)),
            ("RtnCd", codes::CAME_BACK.0.to_owned()),
        ]);
        self.post(self.told(&transaction.at, &fields));
        true
    }

    fn told(&self, at: &str, business: &Business) -> String {
        self.said("epcc.303.001.01", at, codes::DONE, business)
    }

    /// Posts a notification in a task of its own; nobody waits for the receipt.
    fn post(&self, told: String) {
        let Some(url) = lock(&self.notify_url).clone() else { return };
        let request = self.client.post(url).header("content-type", "application/xml; charset=UTF-8").body(told);
        tokio::spawn(async move { drop(request.send().await) });
    }
}

/// The digits of the batches in which payments come back.
const RETURNS: &str = "0099";

fn batch(date: Date, digits: &str) -> String {
    format!("B{:04}{:02}{:02}{digits}", date.year(), date.month(), date.day())
}

/// The batch that a transaction's own request named.
fn batch_of(transaction: &Transaction) -> String {
    let day: String = transaction.at.chars().filter(char::is_ascii_digit).take(8).collect();
    format!("B{day}{}", transaction.digits)
}

fn return_id(serial: Serial) -> String {
    format!("R{serial}")
}

/// A message whose signature was checked, and what it says of itself.
struct Asked {
    message: Message,
    at: String,
    /// Its message type.
    kind: String,
}

impl Asked {
    /// A message of the platform, of a text that was signed.
    fn read(text: &str) -> Result<Self, Refused> {
        let message = Message::read(text).ok_or(Refused::Field("root"))?;
        let header = |name: &'static str| message.get(&format!("root/MsgHeader/{name}")).ok_or(Refused::Field(name));
        (header("IssrId")? == SANDBOX_EPCC_INSTITUTION).then_some(()).ok_or(Refused::Field("IssrId"))?;
        (header("Drctn")? == DIRECTIONS.0).then_some(()).ok_or(Refused::Field("Drctn"))?;
        header("SignSN")?;
        let (at, kind) = (header("SndDt")?.to_owned(), header("MsgTp")?.to_owned());
        Ok(Self { message, at, kind })
    }

    /// What it asks to be done, if it asks for that; a page is brought by a browser only.
    fn verb(&self) -> Option<Verb> {
        let is = |verb: &Verb| codes::types(*verb).is_some_and(|(asked, _)| asked == self.kind);
        [Verb::Debit, Verb::Pay, Verb::Refund].into_iter().find(is)
    }

    fn body(&self, path: &'static str) -> Result<&str, Refused> {
        self.message.get(&format!("root/MsgBody/{path}")).ok_or(Refused::Field(path))
    }

    /// The transaction that a message asks for.
    fn transaction(&self, verb: Verb) -> Result<Transaction, Refused> {
        let wrong = |field: &'static str| move |_| Refused::Field(field);
        let serial = self.body("TrxInf/TrxId")?.parse().map_err(wrong("TrxInf/TrxId"))?;
        self.body("TrxInf/TrxDtTm")?;
        let amount = amount_of(self.body("TrxInf/TrxAmt")?).ok_or(Refused::Field("TrxInf/TrxAmt"))?;
        let batch = self.body("BatchInf/BatchId")?;
        let digits = batch.get(9..).filter(|digits| batch.starts_with('B') && digits.len() == 4);
        let digits = digits.ok_or(Refused::Field("BatchInf/BatchId"))?.to_owned();
        let (mut agreement, mut original, mut visit) = (None, None, None);
        match verb {
            Verb::Debit => {
                agreement = Some(self.body("SgnInf/SgnNo")?.to_owned());
                self.own("PyeeInf/AcctIssrId")?;
                self.body("PyeeInf/AcctId")?;
            }
            Verb::Pay => {
                self.own("PyerInf/AcctIssrId")?;
                self.body("PyeeInf/AcctId")?;
                self.body("PyeeInf/AcctNm")?;
            }
            Verb::Refund => {
                self.own("PyerInf/AcctIssrId")?;
                self.body("OriTrxInf/OriTrxDtTm")?;
                original = Some(self.body("OriTrxInf/OriTrxId")?.parse().map_err(wrong("OriTrxInf/OriTrxId"))?);
            }
            Verb::Redirect => {
                self.own("PyeeInf/AcctIssrId")?;
                visit = Some(Visit {
                    ends: self.body("PgInf/PgTmOut")?.to_owned(),
                    back: self.body("PgInf/PgRtnUrl").ok().map(str::to_owned),
                });
            }
            Verb::Hold | Verb::Capture | Verb::Release => return Err(Refused::Field("MsgTp")),
        }
        let entry = Entry { serial, verb, rail: Rail::Epcc, amount, original, currency_taken: true };
        Ok(Transaction { entry, at: self.at.clone(), digits, agreement, visit })
    }

    /// The account is the platform's.
    fn own(&self, path: &'static str) -> Result<(), Refused> {
        (self.body(path)? == SANDBOX_EPCC_INSTITUTION).then_some(()).ok_or(Refused::Field(path))
    }
}

impl Bank {
    /// A message of the platform.
    ///
    /// # Errors
    /// [`Refused`]; nothing was done then.
    pub(crate) async fn epcc_message(self: &Arc<Self>, raw: &[u8]) -> Result<Said, Refused> {
        let asked = self.epcc_opened(raw)?;
        let done = match asked.verb() {
            Some(verb) => self.epcc_operation(&asked, verb).await,
            None => self.epcc_question(&asked),
        };
        done.inspect_err(|_| count(&self.stats.malformed))
    }

    /// The same without a socket, for a simulation: see [`super::direct`].
    ///
    /// # Errors
    /// [`Refused`]; nothing was done then.
    pub(crate) fn epcc_at_once(&self, raw: &[u8]) -> Result<Said, Refused> {
        let asked = self.epcc_opened(raw)?;
        match asked.verb() {
            Some(verb) => {
                let transaction = self.epcc_keep(&asked, verb)?;
                let answer = self.take_at_once(transaction.entry);
                self.epcc_taken(&asked, &transaction, &answer)
            }
            None => self.epcc_question(&asked),
        }
    }

    /// What the platform's message says, its signature checked.
    fn epcc_opened(&self, raw: &[u8]) -> Result<Asked, Refused> {
        let text = message::opened(&self.epcc.keys, raw).ok_or_else(|| {
            count(&self.stats.unsigned);
            Refused::Unsigned
        })?;
        Asked::read(text).inspect_err(|_| count(&self.stats.malformed))
    }

    /// What moves no money.
    fn epcc_question(&self, asked: &Asked) -> Result<Said, Refused> {
        let of_check = asked.body("OriTrxInf/OriTrxTp").is_ok_and(|kind| kind == identity::ASKED);
        match asked.kind.as_str() {
            "epcc.101.001.01" => self.epcc_sign_up(asked),
            "epcc.103.001.01" => self.epcc_confirm(asked),
            identity::ASKED => self.epcc_check(asked),
            "epcc.301.001.01" if of_check => self.epcc_check_query(asked),
            "epcc.301.001.01" => self.epcc_query(asked, false),
            "epcc.321.001.01" => self.epcc_query(asked, true),
            "epcc.311.001.01" => self.epcc_file(asked),
            _ => Err(Refused::Field("MsgTp")),
        }
    }

    /// The transaction, noted: its outcome may be told before the answer.
    fn epcc_keep(&self, asked: &Asked, verb: Verb) -> Result<Transaction, Refused> {
        let transaction = asked.transaction(verb)?;
        let mut all = lock(&self.epcc.transactions);
        all.entry(transaction.entry.serial).or_insert_with(|| transaction.clone());
        Ok(transaction)
    }

    async fn epcc_operation(self: &Arc<Self>, asked: &Asked, verb: Verb) -> Result<Said, Refused> {
        let transaction = self.epcc_keep(asked, verb)?;
        match self.take(transaction.entry).await {
            Reaction::Answer(answer) => self.epcc_taken(asked, &transaction, &answer),
            Reaction::Garbage => Ok(Said::Garbage),
            Reaction::Nothing => Ok(Said::Nothing),
        }
    }

    /// What an operation is answered that the ledger has taken.
    fn epcc_taken(&self, asked: &Asked, transaction: &Transaction, answer: &Answer) -> Result<Said, Refused> {
        let entry = transaction.entry;
        let (_, answer_type) = codes::types(entry.verb).ok_or(Refused::Field("MsgTp"))?;
        if answer.is_duplicate() {
            let named = Epcc::named(transaction);
            return Ok(Said::Message(self.epcc.said(answer_type, &asked.at, codes::DUPLICATE, &named)));
        }
        let state = self.ledger.state(entry.serial).unwrap_or(State::Lost);
        let business = Epcc::business(transaction, &state);
        Ok(Said::Message(self.epcc.said(answer_type, &asked.at, codes::DONE, &business)))
    }

    /// What became of a transaction: it is found by its number, its time and its type. A close (关单) first ends its page, if
    /// nobody has paid there.
    fn epcc_query(&self, asked: &Asked, closes: bool) -> Result<Said, Refused> {
        let wrong = |_| Refused::Field("OriTrxInf/OriTrxId");
        let serial: Serial = asked.body("OriTrxInf/OriTrxId")?.parse().map_err(wrong)?;
        let (time, kind) = (asked.body("OriTrxInf/OriTrxDtTm")?, asked.body("OriTrxInf/OriTrxTp")?);
        let same = |transaction: &Transaction| {
            transaction.at == time && codes::types(transaction.entry.verb).is_some_and(|(asked, _)| asked == kind)
        };
        let found = self.epcc.transaction(serial).filter(same);
        if closes && found.is_some() {
            self.end_page(serial);
        }
        // It may be the query that settles it.
        self.query(House::Bank, serial);
        let state = self.ledger.state(serial).filter(|state| *state != State::Lost);
        let ended = self.pages.at(serial) == Some(Page::Ended);
        let business = found.and_then(|transaction| match state {
            _ if ended => Some(agreement::ended(Epcc::named(&transaction), "05", codes::DONE)),
            Some(state) => Some(Epcc::business(&transaction, &state)),
            None => None,
        });
        let said = |code, business: &Business| self.epcc.said("epcc.302.001.01", &asked.at, code, business);
        let asked_for = || vec![("TrxId", serial.to_string()), ("TrxTp", kind.to_owned())];
        Ok(Said::Message(match business {
            Some(business) => said(codes::DONE, &business),
            None => said(codes::NOT_FOUND, &asked_for()),
        }))
    }

    /// Notifications go here from now on.
    pub(crate) fn route_epcc(&self, url: Option<String>) {
        *lock(&self.epcc.notify_url) = url;
    }

    /// Tells of a transaction out of turn; says whether it is there.
    pub(crate) fn tell_epcc_twisted(&self, serial: Serial, twist: Twist) -> bool {
        let Some(mut transaction) = self.epcc.transaction(serial) else { return false };
        transaction.entry.amount = twist.amount.unwrap_or(transaction.entry.amount);
        let state = self.ledger.state(serial).unwrap_or(State::Lost);
        let done = State::Done { date: self.days.now() };
        let state = if matches!(state, State::Done { .. }) { state } else { done };
        let told = self.epcc.told(&transaction.at, &Epcc::business(&transaction, &state));
        let forged = || {
            let (text, _) = told.rsplit_once("{S:").unwrap_or((told.as_str(), ""));
            let other = message::signed(&self.epcc.keys, &format!("{text} "));
            format!("{text}{}", other.get(text.len().saturating_add(1)..).unwrap_or_default())
        };
        self.epcc.post(if twist.forged { forged() } else { told });
        true
    }
}
