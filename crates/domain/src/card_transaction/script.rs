//! What a card's chip made of the issuer's scripts (脚本处理结果): the terminal reports it, the network is told until it has it.
//!
//! ```text
//!  the answer brought scripts to the terminal ─► it reports ─► REPORTED ─ the network was told ─► TAKEN
//! ```
//! It is about one transaction, and reported once. It books nothing and changes nothing of where the transaction stands. Of what the
//! chip said nothing is kept but the results themselves (tag DF31).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use super::{
    CardStatus, CardTransaction, CardTransactionEvent, OriginalRef, TraceKey, transaction_of_reference, unknown,
};
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{CardTransactionId, TerminalId};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// Bytes of one script's result: what became of it, and its identifier.
const RESULT: usize = 5;
/// The most scripts that one answer may have brought.
const MAX_SCRIPTS: usize = 20;

/// The results of an issuer's scripts.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ScriptResults {
    /// As the terminal has them (DF31): five bytes a script.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub results: Vec<u8>,
    /// When they were reported.
    #[n(1)]
    pub reported_at: Time,
    /// When the network took them.
    #[n(2)]
    pub taken_at: Option<Time>,
    /// What it said.
    #[n(3)]
    pub code: Option<String>,
}

/// Reports results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportScripts {
    /// Whose transaction it was.
    pub terminal: TerminalId,
    /// Which one.
    pub of: OriginalRef,
    /// Five bytes a script, 1 to 20 scripts.
    pub results: Vec<u8>,
}

/// Takes a report; the same again changes nothing.
///
/// # Errors
/// `card_transaction_unknown`; `value_invalid`; `card_transaction_state` where no chip was asked or no answer came;
/// `trace_reused` for other results of the same transaction.
pub(super) fn decide(draft: &mut Draft<'_>, command: ReportScripts) -> Result<Reply, Refusal> {
    let ReportScripts { terminal, of, results } = command;
    let scripts = results.len() / RESULT;
    if !results.len().is_multiple_of(RESULT) || !(1..=MAX_SCRIPTS).contains(&scripts) {
        let message =
            format!("{} bytes of results; use {RESULT} for each of 1 to {MAX_SCRIPTS} scripts", results.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "results", message));
    }
    let transaction = find(draft.state, terminal, &of)?;
    let id = transaction.id;
    match transaction.status {
        CardStatus::Approved | CardStatus::Declined | CardStatus::Reversing | CardStatus::Reversed
            if !transaction.card.is_code() => {}
        CardStatus::Approved
        | CardStatus::Declined
        | CardStatus::Reversing
        | CardStatus::Reversed
        | CardStatus::Requested
        | CardStatus::Unknown => {
            let message =
                format!("{id} is {}, a {}: it brought no scripts", transaction.status.name(), transaction.kind.name());
            return Err(Refusal::new(RefusalCode::CardTransactionState, "original", message));
        }
    }
    match &transaction.scripts {
        None => {
            let transaction = id;
            draft.emit(Event::CardTransaction(CardTransactionEvent::ScriptsReported { transaction, results }));
        }
        Some(known) if known.results == results => {}
        Some(_) => {
            let message = format!("other results of the scripts of {id} were reported before");
            return Err(Refusal::new(RefusalCode::TraceReused, "results", message));
        }
    }
    Ok(Reply::CardTransaction(id))
}

/// The transaction, if it is the terminal's own.
fn find<'s>(state: &'s State, terminal: TerminalId, of: &OriginalRef) -> Result<&'s CardTransaction, Refusal> {
    let found = match of {
        OriginalRef::Trace { batch, trace } => {
            state.card_transaction_of(TraceKey { terminal, batch: *batch, trace: *trace })
        }
        OriginalRef::Reference(text) => transaction_of_reference(text).and_then(|id| state.card_transactions.get(id.0)),
        OriginalRef::Authorisation(_) => None,
    };
    let own = found.filter(|transaction| transaction.key.is_some_and(|key| key.terminal == terminal));
    own.ok_or_else(|| unknown(format!("{terminal} asked for no such transaction")))
}

/// Takes the network's acknowledgement; the same again changes nothing.
///
/// # Errors
/// `card_transaction_unknown`, `card_transaction_state` where nothing was reported, `value_invalid`.
pub(super) fn decide_answer(draft: &mut Draft<'_>, id: CardTransactionId, code: String) -> Result<Reply, Refusal> {
    let Some(scripts) = &draft.state.card_transaction(id)?.scripts else {
        let message = format!("no results of scripts of {id} were reported");
        return Err(Refusal::new(RefusalCode::CardTransactionState, "transaction", message));
    };
    if code.is_empty() || code.len() > 2 {
        let message = format!("an answer code of {} bytes; F39 has 2", code.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "code", message));
    }
    if scripts.taken_at.is_none() {
        draft.emit(Event::CardTransaction(CardTransactionEvent::ScriptsTaken { transaction: id, code }));
    }
    Ok(Reply::CardTransaction(id))
}

/// Whether the network is to be told.
pub(super) fn is_owed(transaction: &CardTransaction) -> bool {
    transaction.scripts.as_ref().is_some_and(|scripts| scripts.taken_at.is_none())
}
