//! Store-and-forward (存储转发): what the network still owes an answer goes out until it has one, across restarts and broken
//! links. Its store is the books' own outbox of card transactions; nothing of a card is kept for it but the vault's number.
//!
//! ```text
//!  outbox ─► REQUESTED of an older epoch, or long past its time ─► the books are told that no answer came
//!         ├► REVERSING ─► 0420 (then 0421) ─┬─ 00, 25 ─► taken back
//!         │                                 └─ another code, silence, no link ─► again, after a pause that doubles
//!         ├► UNKNOWN, of a kind that is not reversed ─► 0221, named as it was first ─► its answer
//!         └► results of scripts ─► 0620 (then 0621) ─┬─ silence, not now, no link ─► again
//!                                                    └─ another code ─► taken
//! ```
//!
//! Invariants: what this epoch asked for and still waits for is nobody's business here; of one transaction one message is
//! under way at a time; a reversal and a report of scripts name their original by F90,
//! so however often they arrive they are one; track, PIN, expiry and
//! chip data are not sent, since nobody has them any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ark::Vault;
use domain::calendar::Date;
use domain::card_transaction::{
    CardAnswer, CardKind, CardStatus, CardTransaction, CardTransactionCommand, ScriptResults,
};
use domain::envelope::Time;
use domain::ids::CardTransactionId;
use domain::{Actor, Command, Origin, State};
use engine::{Meta, Request};
use iso8583::tlv;
use store::Database;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::moment::day;
use super::network::{Answered, CardNetwork, Exchange, Fields, Identity, Outgoing, Traces, digits, sent_at};
use crate::shell::{Clock, Platform, Unavailable, recall};

/// How many go out at once.
const AT_ONCE: usize = 64;
/// How long after its time a request of this epoch is believed to be forgotten by whoever asked.
const FORGOTTEN_MS: i64 = 120_000;
/// Yuan, as F49 names them.
const CURRENCY: &str = "156";
/// The network knows no such transaction.
const NOT_THERE: &str = "25";
/// The network said yes to the transaction itself.
const APPROVED: &str = "00";
/// Answers to an advice that acknowledge nothing: at its cut-over, an issuer away, out of order, too late, a wrong MAC.
const NOT_NOW: [&str; 6] = ["90", "91", "92", "96", "98", "A0"];

/// The tag of an issuer's scripts' results in field 55.
pub(crate) const SCRIPT_RESULTS: u32 = 0xDF31;

/// How a kind is asked for on the host link: message type, F3, F25.
pub(crate) const fn shape(kind: CardKind) -> ([u8; 4], &'static str, &'static str) {
    match kind {
        CardKind::Sale | CardKind::QrSale => (*b"0200", "000000", "00"),
        CardKind::Void => (*b"0200", "200000", "00"),
        CardKind::PreAuthorisation => (*b"0100", "030000", "06"),
        CardKind::PreAuthorisationCancel => (*b"0100", "200000", "06"),
        CardKind::Completion => (*b"0200", "000000", "06"),
        CardKind::CompletionVoid => (*b"0200", "200000", "06"),
        CardKind::CompletionAdvice => (*b"0220", "000000", "06"),
        CardKind::Refund | CardKind::CreditAdjustment => (*b"0220", "200000", "00"),
        CardKind::Adjustment | CardKind::Offline => (*b"0220", "000000", "00"),
    }
}

/// F90: what a message is about, by the names that went out with it.
pub(crate) fn original(of: &CardTransaction, member: &str) -> String {
    let (mti, ..) = shape(of.kind);
    let Identity { sent_at, trace, .. } = Identity::of(of);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}{}{member:0>11}{member:0>11}", text(&mti), text(&trace), text(&sent_at))
}

/// How often and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Between two looks at the outbox, and the first pause before the same goes out again.
    pub(crate) every: Duration,
    /// The longest pause.
    pub(crate) longest: Duration,
    /// How long an answer is waited for.
    pub(crate) answer: Duration,
}

/// What sends until it is answered.
pub(crate) struct Forward<N> {
    pub(crate) platform: Platform,
    /// What of the books left memory.
    pub(crate) store: Arc<Database>,
    pub(crate) clock: Clock,
    pub(crate) network: N,
    pub(crate) vault: Arc<Vault>,
    pub(crate) pace: Pace,
    /// The network's, so that no two of its messages have the same.
    pub(crate) traces: Arc<Traces>,
}

/// A row of the outbox, with what its message needs of others.
struct Owed {
    row: CardTransaction,
    terminal: String,
    merchant: String,
    original: Option<CardTransaction>,
}

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tried {
    /// The books have the answer.
    Done,
    /// It goes out again, later.
    Again,
}

/// When it goes out again.
struct Retry {
    at: Instant,
    pause: Duration,
}

impl<N: CardNetwork> Forward<N> {
    /// Sends what there is, until a stop or the platform's end.
    pub(crate) async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut under_way: JoinSet<(CardTransactionId, Tried)> = JoinSet::new();
        let mut busy = BTreeSet::new();
        let mut retries: BTreeMap<CardTransactionId, Retry> = BTreeMap::new();
        let mut look = tokio::time::interval(self.pace.every);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = stop.changed() => return,
                Some(ended) = under_way.join_next() => {
                    if let Ok((id, tried)) = ended {
                        busy.remove(&id);
                        self.note(&mut retries, id, tried);
                    }
                    continue;
                }
                _ = look.tick() => {}
            }
            let now = Instant::now();
            let later = retries.iter().filter(|(_, retry)| retry.at > now).map(|(id, _)| *id);
            let not_now: BTreeSet<_> = busy.iter().copied().chain(later).collect();
            let room = AT_ONCE.saturating_sub(busy.len());
            match self.owed(not_now, room).await {
                Ok(owed) => {
                    retries.retain(|id, _| owed.all.contains(id));
                    for owed in owed.rows {
                        let (id, forward) = (owed.row.id, Arc::clone(&self));
                        let again = retries.contains_key(&id);
                        busy.insert(id);
                        under_way.spawn(async move { (id, forward.settle(owed, again).await) });
                    }
                }
                Err(Unavailable::Stopped) => return,
                Err(
                    Unavailable::Overloaded
                    | Unavailable::Behind
                    | Unavailable::Recovering
                    | Unavailable::Elsewhere
                    | Unavailable::Damaged
                    | Unavailable::Unknown,
                ) => {}
            }
        }
    }

    fn note(&self, retries: &mut BTreeMap<CardTransactionId, Retry>, id: CardTransactionId, tried: Tried) {
        match tried {
            Tried::Done => drop(retries.remove(&id)),
            Tried::Again => {
                let before = retries.get(&id).map(|retry| retry.pause);
                let pause = before.map_or(self.pace.every, |before| before.saturating_mul(2).min(self.pace.longest));
                retries.insert(id, Retry { at: Instant::now() + pause, pause });
            }
        }
    }

    /// What is owed and not to be left alone, oldest first, and the ids of all that is owed.
    async fn owed(&self, not_now: BTreeSet<CardTransactionId>, room: usize) -> Result<Outbox, Unavailable> {
        let (now, epoch) = (self.clock.now(), self.platform.standing().epoch());
        let look = move |state: &State| {
            let mut outbox = Outbox { rows: Vec::new(), all: BTreeSet::new() };
            for row in state.cards_in_outbox() {
                outbox.all.insert(row.id);
                if outbox.rows.len() < room && !not_now.contains(&row.id) && !is_somebodys(row, epoch, now) {
                    outbox.rows.extend(owed_of(state, row));
                }
            }
            let oldest = state.cards_in_outbox().next().map_or(0, |row| now.0.saturating_sub(row.requested_at.0));
            (outbox, oldest)
        };
        let ((outbox, oldest_ms), _) = recall::see(&self.platform, &self.store, look).await?;
        metrics::gauge!("lintel_pos_forward_waiting").set(u32::try_from(outbox.all.len()).unwrap_or(u32::MAX));
        let oldest = u64::try_from(oldest_ms).unwrap_or(0);
        metrics::gauge!("lintel_pos_forward_oldest_seconds").set(Duration::from_millis(oldest).as_secs_f64());
        Ok(outbox)
    }

    /// One try.
    async fn settle(&self, owed: Owed, again: bool) -> Tried {
        let (what, tried) = match owed.row.status {
            CardStatus::Requested => {
                let transaction = owed.row.id;
                let told = self.tell(CardTransactionCommand::Answer { transaction, answer: CardAnswer::NotAnswered });
                ("request", told.await)
            }
            CardStatus::Unknown => ("advice", self.advise(&owed).await),
            CardStatus::Reversing => ("reversal", self.reverse(&owed, again).await),
            CardStatus::Approved | CardStatus::Declined | CardStatus::Reversed => match &owed.row.scripts {
                Some(ScriptResults { taken_at: None, results, .. }) => {
                    ("scripts", self.report(&owed, results, again).await)
                }
                Some(_) | None => return Tried::Done,
            },
        };
        let outcome = if tried == Tried::Done { "done" } else { "again" };
        metrics::counter!("lintel_pos_forward_total", "what" => what, "outcome" => outcome).increment(1);
        tried
    }

    /// Sends a reversal, and tells the books what the network says to it.
    async fn reverse(&self, owed: &Owed, again: bool) -> Tried {
        let row = &owed.row;
        let Some(mut fields) = self.fields(owed).await else { return Tried::Again };
        let reason = row.reversal.as_ref().map_or("06", |reversal| reversal.reason.code());
        fields.set(39, reason).set(90, original(row, self.network.member()));
        let identity = Identity {
            sent_at: sent_at(self.clock.now()),
            trace: self.traces.next(),
            reference: digits(&row.reference()),
        };
        let mti = if again { *b"0421" } else { *b"0420" };
        let Some(answered) = self.exchange(Outgoing { mti, identity, fields, timeout: self.pace.answer }).await else {
            return Tried::Again;
        };
        let (transaction, code) = (row.id, answered.code().to_owned());
        let told = self.tell(CardTransactionCommand::AnswerReversal { transaction, code: code.clone() }).await;
        match code.as_str() {
            _ if told == Tried::Again => Tried::Again,
            // What it did not know may have reached it after the reversal did.
            NOT_THERE => self.look_again(row).await,
            "00" => Tried::Done,
            code => {
                tracing::warn!(%transaction, code, "the card network does not take a reversal");
                Tried::Again
            }
        }
    }

    /// After "no such transaction": an approval that came while the reversal was on its way has it sent again, as one that
    /// comes later does.
    async fn look_again(&self, before: &CardTransaction) -> Tried {
        if before.code.as_deref() == Some(APPROVED) {
            return Tried::Done;
        }
        let transaction = before.id;
        let look = move |state: &State| state.card_transaction(transaction).ok().cloned();
        let row = match recall::see(&self.platform, &self.store, look).await {
            Ok((Some(row), _)) => row,
            Ok((None, _)) | Err(_) => return Tried::Done,
        };
        if row.code.as_deref() != Some(APPROVED) {
            return Tried::Done;
        }
        let clearing_date = row.clearing_date.unwrap_or_else(|| Date::in_shanghai(self.clock.now()));
        let answer = CardAnswer::Approved { authorisation: row.authorisation, clearing_date };
        self.tell(CardTransactionCommand::Answer { transaction, answer }).await
    }

    /// Sends an advice again, named as it was first, and tells the books its answer.
    async fn advise(&self, owed: &Owed) -> Tried {
        let row = &owed.row;
        let Some(mut fields) = self.fields(owed).await else { return Tried::Again };
        if let Some(about) = &owed.original {
            fields.set(90, original(about, self.network.member()));
        }
        let request = Outgoing { mti: *b"0221", identity: Identity::of(row), fields, timeout: self.pace.answer };
        let Some(answered) = self.exchange(request).await else { return Tried::Again };
        let answer = answered.for_the_books(Date::in_shanghai(self.clock.now()));
        if answer == CardAnswer::NotAnswered {
            return Tried::Again;
        }
        self.tell(CardTransactionCommand::Answer { transaction: row.id, answer }).await
    }

    /// Tells what a chip made of the issuer's scripts, and the books that the network has it.
    async fn report(&self, owed: &Owed, results: &[u8], again: bool) -> Tried {
        let row = &owed.row;
        let Some(mut fields) = self.fields(owed).await else { return Tried::Again };
        fields.set(55, chip_data(results)).set(90, original(row, self.network.member()));
        let identity = Identity {
            sent_at: sent_at(self.clock.now()),
            trace: self.traces.next(),
            reference: digits(&row.reference()),
        };
        let mti = if again { *b"0621" } else { *b"0620" };
        let Some(answered) = self.exchange(Outgoing { mti, identity, fields, timeout: self.pace.answer }).await else {
            return Tried::Again;
        };
        let (transaction, code) = (row.id, answered.code().to_owned());
        if NOT_NOW.contains(&code.as_str()) {
            tracing::warn!(%transaction, code, "the card network does not take results of scripts now");
            return Tried::Again;
        }
        self.tell(CardTransactionCommand::AnswerScripts { transaction, code }).await
    }

    async fn exchange(&self, request: Outgoing) -> Option<Answered> {
        match self.network.exchange(request).await {
            Exchange::Answered(answered) => Some(answered),
            Exchange::NotSent { .. } | Exchange::Unanswered => None,
        }
    }

    /// What every such message has.
    async fn fields(&self, owed: &Owed) -> Option<Fields> {
        let (row, vault) = (&owed.row, Arc::clone(&self.vault));
        let (id, token) = (row.id, row.card.token.clone());
        if row.card.is_code() {
            return Some(without_number(owed));
        }
        let number = match tokio::task::spawn_blocking(move || vault.card_number(&token)).await {
            Ok(Ok(Some(number))) => number,
            Ok(Ok(None)) => {
                tracing::error!(transaction = %id, "the vault knows no card of this transaction's token");
                return None;
            }
            Ok(Err(error)) => {
                tracing::warn!(transaction = %id, %error, "the card of a transaction");
                return None;
            }
            Err(error) => {
                tracing::error!(transaction = %id, %error, "the card of a transaction");
                return None;
            }
        };
        let mut fields = without_number(owed);
        fields.set(2, number.expose());
        Some(fields)
    }

    async fn tell(&self, command: CardTransactionCommand) -> Tried {
        let meta = Meta::unkeyed(Actor::Channel("card_network".into()), Origin::Channel);
        match self.platform.submit(Request { command: Command::CardTransaction(command), meta }).await {
            Ok(seen) => {
                if let Err(refusal) = seen.result {
                    // Something else settled it meanwhile: the next look says how it stands.
                    tracing::warn!(%refusal, "an answer of the card network");
                }
                Tried::Done
            }
            Err(error) => {
                tracing::warn!(%error, "an answer of the card network waits for the books");
                Tried::Again
            }
        }
    }
}

/// What every such message has, but for the card: who paid by a code is named by the original alone (F90).
fn without_number(owed: &Owed) -> Fields {
    let row = &owed.row;
    let (_, processing, condition) = shape(row.kind);
    let mut fields = Fields::default();
    fields.set(3, processing).set(4, format!("{:012}", row.amount)).set(13, day(row.local_date));
    fields.set(22, "000").set(25, condition).set(41, owed.terminal.as_bytes()).set(42, owed.merchant.as_bytes());
    fields.set(18, owed.merchant.get(7..11).unwrap_or("0000")).set(49, CURRENCY);
    if let Some(authorisation) = &row.authorisation {
        fields.set(38, format!("{authorisation:<6}"));
    }
    fields
}

/// Field 55 with the results of scripts and nothing else.
fn chip_data(results: &[u8]) -> Vec<u8> {
    let mut chip = Vec::new();
    tlv::put(&mut chip, SCRIPT_RESULTS, results).expect("the books took a hundred bytes at most");
    chip
}

/// What is owed.
struct Outbox {
    rows: Vec<Owed>,
    all: BTreeSet<CardTransactionId>,
}

/// Whether somebody still waits for the first answer.
fn is_somebodys(row: &CardTransaction, epoch: u64, now: Time) -> bool {
    let forgotten = now.0 > row.send_before.0.saturating_add(FORGOTTEN_MS);
    row.status == CardStatus::Requested && row.epoch >= epoch && !forgotten
}

/// A row with what its message needs; nothing of one that no terminal asked for.
fn owed_of(state: &State, row: &CardTransaction) -> Option<Owed> {
    let terminal = state.terminal(row.key?.terminal).ok()?.number();
    let merchant = state.acquiring(row.acquiring).ok()?.number.to_string();
    let original = row.original.and_then(|id| state.card_transaction(id).ok().cloned());
    Some(Owed { row: row.clone(), terminal, merchant, original })
}
