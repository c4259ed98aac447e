//! A transaction (交易) that is booked: from the terminal's message through the books to the network, and back.
//!
//! ```text
//!  turn ─► known under this trace? ─ yes ─► answered as it stands, sent nowhere
//!            │ no
//!            └► card, PIN ─► REQUESTED ─► network ─► APPROVED │ DECLINED │ unanswered: REVERSING, answered 98
//! ```

use domain::card_transaction::{
    CardAnswer, CardKind, CardStatus, CardTransaction, CardTransactionCommand, OriginalRef, RequestCardTransaction,
    TraceKey, answer_code, transaction_of_reference,
};
use domain::ids::TerminalId;
use domain::{Command, RefusalCode, Reply, State};

use super::desk::Desk;
use super::known::{Known, digits};
use super::outgoing::{about, fields, passed_back};
use super::{Asked, Decision, Told};
use crate::pos::acquirer::{Acquirer, Adjusted};
use crate::pos::forward::shape;
use crate::pos::moment::day;
use crate::pos::network::{CardNetwork, Exchange, Fields, Identity, Outgoing};

/// Batch, trace and date of the original in field 61; its reference; its authorisation.
const ORIGINAL: u8 = 61;
const REFERENCE: u8 = 37;
const AUTHORISATION: u8 = 38;

/// What the books have before a transaction is asked for.
struct Before {
    again: Option<CardTransaction>,
    original: Option<CardTransaction>,
}

impl<N: CardNetwork> Desk<N> {
    pub(super) async fn transact(&self, asked: &Asked<'_>, known: &Known) -> Result<Told, Decision> {
        let codes = &asked.acquirer.codes;
        let not_here = || Decision::Tell(Told::of(&codes.not_supported));
        let kind = asked.kind.booked().ok_or_else(not_here)?;
        let (mti, processing, condition) = shape(kind);
        Self::require_online(asked, known)?;
        let key = asked.trace_key(known.id)?;
        let _turn = self.turns.take(key).await;
        let named = original(asked, kind);
        let before = self.before(asked.acquirer, key, named.clone()).await?;
        let by_name = matches!(named, Some(OriginalRef::Trace { .. } | OriginalRef::Reference(_)));
        if by_name && before.again.is_none() && before.original.is_none() {
            return Ok(Told::of(answer_code::of(RefusalCode::CardTransactionUnknown)));
        }
        let kept = before.again.as_ref().or(before.original.as_ref()).map(|row| &row.card);
        let presented = self.card(asked, known, kept).await?;
        let today = self.today();
        let same_day = before.again.as_ref().map_or(today, |again| again.local_date);
        let request = RequestCardTransaction {
            kind,
            key,
            local_date: asked.local_date(today).unwrap_or(same_day),
            card: presented.card.clone(),
            amount: amount(asked, &before)?,
            original: named,
            authorisation: if kind == CardKind::Offline { text(asked, AUTHORISATION) } else { None },
        };
        let command = Command::CardTransaction(CardTransactionCommand::Request(request.into()));
        if before.again.is_some() {
            let (row, _) = self.submit(asked.acquirer, known.id, command, seen).await?;
            metrics::counter!("lintel_pos_transactions_total", "outcome" => "repeated").increment(1);
            return Ok(as_it_stands(asked.acquirer, &row, Fields::default()));
        }
        let pin = self.pin(asked, known, &presented).await?;
        let mut fields = fields(asked, known, (processing, condition), (&presented, pin), self.now());
        let (row, original) = self.submit(asked.acquirer, known.id, command, seen).await?;
        fields.set(4, format!("{:012}", row.amount));
        if let Some(original) = &original {
            about(&mut fields, original, self.network.member());
        }
        let outgoing = Outgoing { mti, identity: Identity::of(&row), fields, timeout: self.patience };
        let exchange = self.network.exchange(outgoing).await;
        self.answered((asked.acquirer, known.id), &row, exchange).await
    }

    async fn before(
        &self,
        acquirer: &Acquirer,
        key: TraceKey,
        original: Option<OriginalRef>,
    ) -> Result<Before, Decision> {
        let look = move |state: &State| {
            let original = match &original {
                Some(OriginalRef::Trace { batch, trace }) => {
                    let key = TraceKey { terminal: key.terminal, batch: *batch, trace: *trace };
                    state.card_transaction_of(key).cloned()
                }
                Some(OriginalRef::Reference(text)) => {
                    transaction_of_reference(text).and_then(|id| state.card_transaction(id).ok().cloned())
                }
                // It is found by the card too, which such a message brings.
                Some(OriginalRef::Authorisation(_)) | None => None,
            };
            let mine = |row: &CardTransaction| {
                let binding = state.terminal(key.terminal).ok().and_then(|terminal| terminal.binding.as_ref());
                binding.is_some_and(|binding| binding.acquiring == row.acquiring)
            };
            Before { again: state.card_transaction_of(key).cloned(), original: original.filter(mine) }
        };
        self.see(acquirer, look).await
    }

    /// Tells the books what came of it, and the terminal what the books say then.
    async fn answered(
        &self,
        (acquirer, terminal): (&Acquirer, TerminalId),
        row: &CardTransaction,
        exchange: Exchange,
    ) -> Result<Told, Decision> {
        let (answer, passed, outcome) = match exchange {
            Exchange::Answered(answered) => (answered.for_the_books(self.today()), passed_back(&answered), "answered"),
            Exchange::NotSent { reason } => {
                tracing::warn!(transaction = %row.id, reason, "a transaction was not sent to the network");
                let code = acquirer.codes.unreachable.clone();
                (CardAnswer::Declined { code }, Fields::default(), "not_sent")
            }
            Exchange::Unanswered => (CardAnswer::NotAnswered, Fields::default(), "unanswered"),
        };
        metrics::counter!("lintel_pos_transactions_total", "outcome" => outcome).increment(1);
        let command = CardTransactionCommand::Answer { transaction: row.id, answer };
        match self.submitted(terminal, Command::CardTransaction(command), seen).await {
            Ok(Ok(Some((row, _)))) => Ok(as_it_stands(acquirer, &row, passed)),
            // What the network said is not in the books: the terminal takes it back, or this does after a restart.
            Ok(Ok(None)) => Err(Decision::Close("answer")),
            Ok(Err(refusal)) => {
                tracing::error!(transaction = %row.id, code = refusal.code.name(), "an answer of the network is not booked");
                Err(Decision::Close("answer"))
            }
            Err(error) => {
                tracing::warn!(transaction = %row.id, %error, "an answer of the network is not in the books yet");
                Err(Decision::Close("answer"))
            }
        }
    }
}

/// The transaction of a reply, and the one that it is about.
fn seen(state: &State, reply: &Reply) -> Option<(CardTransaction, Option<CardTransaction>)> {
    let Reply::CardTransaction(id) = reply else { return None };
    let row = state.card_transaction(*id).ok()?.clone();
    let original = row.original.and_then(|id| state.card_transaction(id).ok().cloned());
    Some((row, original))
}

/// How a transaction is told as the books have it now.
pub(super) fn as_it_stands(acquirer: &Acquirer, row: &CardTransaction, passed: Fields) -> Told {
    let codes = &acquirer.codes;
    let mut told = match row.status {
        CardStatus::Approved => Told { fields: passed, ..Told::of(&codes.approved) },
        CardStatus::Declined => Told { fields: passed, ..Told::of(row.code.as_ref().unwrap_or(&codes.system)) },
        CardStatus::Requested | CardStatus::Unknown | CardStatus::Reversing | CardStatus::Reversed => {
            Told::of(&codes.no_answer)
        }
    };
    told.fields.set(REFERENCE, row.reference());
    if row.status == CardStatus::Approved {
        if let Some(authorisation) = &row.authorisation {
            told.fields.set(AUTHORISATION, authorisation.as_str());
        }
        if let Some(date) = row.clearing_date {
            told.fields.set(15, day(date));
        }
        told.card = row.kind.is_reversed().then_some(row.id);
    }
    told
}

fn text(asked: &Asked<'_>, field: u8) -> Option<String> {
    asked.message.text(field).ok().map(str::trim_end).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

/// How the message names what it is about.
fn original(asked: &Asked<'_>, kind: CardKind) -> Option<OriginalRef> {
    let number = |part| digits(asked.message, ORIGINAL, Some(part)).and_then(|digits| digits.parse().ok());
    let trace = || Some(OriginalRef::Trace { batch: number(0)?, trace: number(1)? });
    let reference = || text(asked, REFERENCE).map(OriginalRef::Reference);
    match kind {
        CardKind::Sale
        | CardKind::QrSale
        | CardKind::PreAuthorisation
        | CardKind::Offline
        | CardKind::CreditAdjustment => None,
        CardKind::Void | CardKind::CompletionVoid | CardKind::Adjustment => trace().or_else(reference),
        CardKind::PreAuthorisationCancel | CardKind::Completion | CardKind::CompletionAdvice => {
            text(asked, AUTHORISATION).map(OriginalRef::Authorisation).or_else(trace)
        }
        // The merchant's sales of any day and terminal.
        CardKind::Refund => reference().or_else(trace),
    }
}

/// What the books are asked for: of an adjustment what it adds.
fn amount(asked: &Asked<'_>, before: &Before) -> Result<i64, Decision> {
    let said = asked.amount()?;
    let is_whole = asked.kind.booked() == Some(CardKind::Adjustment) && asked.acquirer.adjusted == Adjusted::Whole;
    match &before.original {
        Some(sale) if is_whole => Ok(said.saturating_sub(sale.amount)),
        Some(_) | None => Ok(said),
    }
}
