//! Card transactions (POS 交易): what a terminal asks of a card, from the request to the books.
//!
//! ```text
//!  request ─► REQUESTED ─┬─ approved ─► APPROVED (booked) ── reversal asked ─┐
//!                        ├─ declined ─► DECLINED ── approved after all ──────┤
//!                        ├─ reversal asked ──────────────────────────────────┤
//!                        └─ no answer ► UNKNOWN ─┬─ a kind that is reversed ─┴─► REVERSING ◄─ approved after all ─┐
//!                                                └─ another: it is sent again    │ the network took the reversal, │
//!                                                   until it is answered         ▼ or never saw the transaction   │
//!                                                   ─► APPROVED │ DECLINED    REVERSED ───────────────────────────┘
//! ```
//! | kind | of what | books | reversed on time-out |
//! |---|---|---|---|
//! | sale (消费), QR sale (被扫), void (撤销) | void: a sale of the same terminal and batch, all of it, before it is cleared | in; the exact opposite | yes |
//! | pre-authorisation (预授权), cancel | | nothing | yes |
//! | completion (预授权完成), its void | an approved pre-authorisation, at most 115 % of it within 30 days | in; the exact opposite | yes |
//! | completion advice (完成通知) | the same | in | no: sent until acknowledged |
//! | refund (退货) | any of the merchant's, in parts too | out | no |
//! | adjustment, tip (调整, 小费) | a sale of the same terminal and batch | in: what it adds, with the fees of the whole | no |
//! | offline (离线) | | in | no |
//! | credit adjustment (贷记调整) | what a terminal gave up; two people | out | no |
//!
//! The figures, for a credit card of 10,000.00 at 0.60 %:
//!
//! ```text
//!  in   Dr 1122 9,951.75 / Cr 2202 9,940.00, Cr 2291 11.75 · OWN Dr 1291 11.75, Dr 6001 48.25 / Cr 5001 60.00
//!  out  the same with the sides turned; from 2203 once it was settled
//! ```
//! - **Once.** A transaction is (terminal, batch, trace). The same content again is the same transaction; other content under
//!   it is refused.
//! - **Reversal (冲正).** One a transaction, whether terminal, switch or both ask; asked again it is the same. Where the
//!   original is unknown nothing is booked. A reversal is never reversed. An approval that comes while one is under way books
//!   nothing; one that comes after it has the reversal sent again.
//! - **An approval is never refused by the books.** What a void or a refund takes is held when it is asked for. Where 2291
//!   lacks what a losing fee plan costs, that part is recognised with the network's file. Where 2202 takes no money any more,
//!   it goes to suspense.
//! - **Leaving memory.** It is at rest, and leaves ([`crate::recall`]), once nothing is awaited of it: no answer of the network, no
//!   file, no report of scripts, no settlement, nothing under its trace (its batch and the next are over), and of a pre-authorisation no completion.
//! - **Cards.** A token and a mask (6+4); no number, track, PIN, expiry or chip data.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::acquiring::{Acquiring, CardUse};
use crate::calendar::Date;
use crate::command::{Command, Reply};
use crate::draft::Draft;
use crate::ids::{CardTransactionId, VoucherId};
use crate::money::Minor;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

mod answer;
pub mod answer_code;
mod booking;
mod credit;
mod fold;
mod model;
mod request;
mod reversal;
mod script;
#[cfg(test)]
mod tests;

pub(crate) use booking::dimensions;
pub use credit::CreditAdjustment;
pub(crate) use fold::{apply, change, due_key, hold_keys, outbox_key, preauthorisation_key, trace_key, uncleared_key};
pub use model::{
    Card, CardKind, CardMoney, CardStatus, CardTaken, CardTransaction, Effect, Reversal, ReversalReason, Reverser,
    TraceKey, reference, transaction_of_reference,
};
pub use script::{ReportScripts, ScriptResults};

/// How long a request may wait before it is written to the network.
pub const SEND_WITHIN_MS: i64 = 30_000;

/// How a terminal names the transaction that another is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginalRef {
    /// By batch and trace of the same terminal (F61).
    Trace {
        /// The batch.
        batch: u32,
        /// The trace.
        trace: u32,
    },
    /// By the reference (F37).
    Reference(String),
    /// By the authorisation (F38) of the same card: a pre-authorisation.
    Authorisation(String),
}

/// Asks something of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestCardTransaction {
    /// What; not a credit adjustment.
    pub kind: CardKind,
    /// Terminal, batch and trace.
    pub key: TraceKey,
    /// The terminal's date (F13).
    pub local_date: Date,
    /// The card.
    pub card: Card,
    /// Fen above zero.
    pub amount: Minor,
    /// What it is about, where its kind is about something.
    pub original: Option<OriginalRef>,
    /// The authorisation that an offline sale was made under.
    pub authorisation: Option<String>,
}

/// What the network answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardAnswer {
    /// Yes.
    Approved {
        /// The issuer's authorisation (F38).
        authorisation: Option<String>,
        /// The network's clearing date (F15).
        clearing_date: Date,
    },
    /// No.
    Declined {
        /// Why (F39).
        code: String,
    },
    /// Nothing, in time.
    NotAnswered,
}

/// Asks for a reversal by what the terminal knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReverseCardTransaction {
    /// Terminal, batch and trace of the original.
    pub key: TraceKey,
    /// The terminal's date of the original.
    pub local_date: Date,
    /// The original's amount.
    pub amount: Minor,
    /// Why.
    pub reason: ReversalReason,
    /// Who asks.
    pub by: Reverser,
}

/// A step of a card transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardTransactionCommand {
    /// Ask something of a card.
    Request(Box<RequestCardTransaction>),
    /// The network answered, or did not.
    Answer {
        /// The transaction.
        transaction: CardTransactionId,
        /// What it said.
        answer: CardAnswer,
    },
    /// Take it back.
    Reverse(ReverseCardTransaction),
    /// The network answered a reversal.
    AnswerReversal {
        /// The transaction.
        transaction: CardTransactionId,
        /// What it said (F39): 00 it is done, 25 it knows no such transaction.
        code: String,
    },
    /// Give back what a terminal gave up; two people.
    AdjustCredit(CreditAdjustment),
    /// Say what a chip made of the issuer's scripts.
    ReportScripts(ReportScripts),
    /// The network has what was reported.
    AnswerScripts {
        /// The transaction.
        transaction: CardTransactionId,
        /// What it said (F39).
        code: String,
    },
}

impl CardTransactionCommand {
    /// Carries out an approved credit adjustment.
    #[must_use]
    pub const fn credit(of: CreditAdjustment) -> Command {
        Command::CardTransaction(Self::AdjustCredit(of))
    }
}

/// What happened to a card transaction.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum CardTransactionEvent {
    /// It was asked for; what it takes was held before.
    #[n(0)]
    Requested {
        /// The transaction.
        #[n(0)]
        transaction: Box<CardTransaction>,
        /// What the merchant took on the day, with it.
        #[n(1)]
        used: Option<CardUse>,
    },
    /// The issuer said yes; it was booked before.
    #[n(1)]
    Approved {
        /// The transaction.
        #[n(0)]
        transaction: CardTransactionId,
        /// The issuer's authorisation.
        #[n(1)]
        authorisation: Option<String>,
        /// The network's clearing date.
        #[n(2)]
        clearing_date: Date,
        /// What of interchange and network fee was booked.
        #[n(3)]
        cost: Minor,
        /// What booked it.
        #[n(4)]
        voucher: Option<VoucherId>,
        /// Whether the merchant's part went to suspense.
        #[n(5)]
        suspended: bool,
        /// What the merchant took on the day, without what was undone.
        #[n(6)]
        used: Option<CardUse>,
    },
    /// Somebody said no; what it took was let go before.
    #[n(2)]
    Declined {
        /// The transaction.
        #[n(0)]
        transaction: CardTransactionId,
        /// Why (F39).
        #[n(1)]
        code: String,
        /// What the merchant took on the day, without it.
        #[n(2)]
        used: Option<CardUse>,
    },
    /// No answer came.
    #[n(3)]
    Unanswered(#[n(0)] CardTransactionId),
    /// It is being taken back; what it took was let go before.
    #[n(4)]
    ReversalAsked {
        /// The transaction.
        #[n(0)]
        transaction: CardTransactionId,
        /// Why.
        #[n(1)]
        reason: ReversalReason,
        /// Who asks.
        #[n(2)]
        by: Reverser,
    },
    /// An approval came while it was being taken back.
    #[n(5)]
    ApprovedLate {
        /// The transaction.
        #[n(0)]
        transaction: CardTransactionId,
        /// The issuer's authorisation.
        #[n(1)]
        authorisation: Option<String>,
    },
    /// The network did not take the reversal.
    #[n(6)]
    ReversalRefused {
        /// The transaction.
        #[n(0)]
        transaction: CardTransactionId,
        /// What it said.
        #[n(1)]
        code: String,
    },
    /// It was taken back; the books were undone before.
    #[n(7)]
    Reversed {
        /// The transaction.
        #[n(0)]
        transaction: CardTransactionId,
        /// What the network said.
        #[n(1)]
        code: String,
        /// What undid the books.
        #[n(2)]
        voucher: Option<VoucherId>,
        /// What the merchant took on the day, without it.
        #[n(3)]
        used: Option<CardUse>,
    },
    /// Its terminal said what the chip made of the issuer's scripts.
    #[n(8)]
    ScriptsReported {
        /// The transaction.
        #[n(0)]
        transaction: CardTransactionId,
        /// Five bytes a script.
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        results: Vec<u8>,
    },
    /// The network has that.
    #[n(9)]
    ScriptsTaken {
        /// The transaction.
        #[n(0)]
        transaction: CardTransactionId,
        /// What it said.
        #[n(1)]
        code: String,
    },
}

/// Decides a step of a card transaction.
///
/// # Errors
/// Those of the step; [`answer_code::of`] says how a terminal is told.
pub fn decide(draft: &mut Draft<'_>, command: CardTransactionCommand) -> Result<Reply, Refusal> {
    match command {
        CardTransactionCommand::Request(command) => request::decide(draft, *command),
        CardTransactionCommand::Answer { transaction, answer } => answer::decide(draft, transaction, answer),
        CardTransactionCommand::Reverse(command) => reversal::decide(draft, &command),
        CardTransactionCommand::AnswerReversal { transaction, code } => {
            reversal::decide_answer(draft, transaction, code)
        }
        CardTransactionCommand::AdjustCredit(command) => credit::decide(draft, command),
        CardTransactionCommand::ReportScripts(command) => script::decide(draft, command),
        CardTransactionCommand::AnswerScripts { transaction, code } => script::decide_answer(draft, transaction, code),
    }
}

impl State {
    /// The card transaction.
    ///
    /// # Errors
    /// `card_transaction_unknown`.
    pub fn card_transaction(&self, id: CardTransactionId) -> Result<&CardTransaction, Refusal> {
        self.card_transactions.get(id.0).ok_or_else(|| unknown(format!("there is no card transaction {id}")))
    }

    /// The card transaction that an answer came for; with what it is about in memory, which the answer changes too.
    ///
    /// # Errors
    /// `card_transaction_unknown`.
    fn answered_card_transaction(&self, id: CardTransactionId) -> Result<&CardTransaction, Refusal> {
        let transaction = self.card_transaction(id)?;
        transaction.original.map(|original| self.card_transaction(original)).transpose()?;
        Ok(transaction)
    }

    /// The transaction that a terminal knows by batch and trace, of its batch now and the one before.
    #[must_use]
    pub fn card_transaction_of(&self, key: TraceKey) -> Option<&CardTransaction> {
        self.card_traces.get(&key).and_then(|id| self.card_transactions.get(id.0))
    }

    /// The transactions that the network owes an answer, oldest first: their own, their reversal's, or to a report of scripts.
    pub fn cards_in_outbox(&self) -> impl Iterator<Item = &CardTransaction> {
        self.card_outbox.iter().filter_map(|(id, ())| self.card_transactions.get(id.0))
    }
}

fn unknown(message: String) -> Refusal {
    Refusal::new(RefusalCode::CardTransactionUnknown, "original", message)
}

/// What the merchant took on the day, without a transaction that counted; nothing where it did not.
fn uncounted(state: &State, transaction: &CardTransaction) -> Result<Option<CardUse>, Refusal> {
    if !transaction.counted {
        return Ok(None);
    }
    let acquiring: &Acquiring = state.acquiring(transaction.acquiring)?;
    let day = Date::in_shanghai(transaction.requested_at);
    Ok(acquiring.give_back(transaction.card.kind, transaction.amount, day))
}
