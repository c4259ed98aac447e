//! A terminal's reversal (冲正): once it is in the journal it is answered 00, for from then on it is forwarded until the
//! network takes it. What is unknown is answered 25 and books nothing.

use domain::calendar::Date;
use domain::card_transaction::{CardTransactionCommand, ReversalReason, ReverseCardTransaction, Reverser, TraceKey};
use domain::ids::TerminalId;
use domain::{Command, State};

use super::desk::Desk;
use super::known::{Known, day_near, digits};
use super::{Asked, Decision, Told};
use crate::pos::acquirer::ReversalNames;
use crate::pos::network::CardNetwork;

const CODE: u8 = 39;
const ORIGINAL: u8 = 61;
const ORIGINAL_DATE: usize = 2;

impl<N: CardNetwork> Desk<N> {
    pub(super) async fn reverse(&self, asked: &Asked<'_>, known: &Known) -> Result<Told, Decision> {
        let (today, key) = (self.today(), reversed(asked, known)?);
        let amount = asked.amount()?;
        let row = self.look(asked.acquirer, move |state: &State| state.card_transaction_of(key).cloned()).await?;
        // A terminal that heard nothing knows no date of ours: what it does not say is as the books have it.
        let said = asked.local_date(today).or_else(|| original_date(asked, key, today));
        let known_date = row.map_or(today, |row| row.local_date);
        let reason = match asked.message.text(CODE) {
            Ok("98") => ReversalReason::NoAnswer,
            Ok("A0") => ReversalReason::WrongMac,
            Ok(_) | Err(_) => ReversalReason::Other,
        };
        let (local_date, by) = (said.unwrap_or(known_date), Reverser::Terminal);
        let reverse = ReverseCardTransaction { key, local_date, amount, reason, by };
        let command = Command::CardTransaction(CardTransactionCommand::Reverse(reverse));
        self.submit(asked.acquirer, known.id, command, |_, _| Some(())).await?;
        metrics::counter!("lintel_pos_transactions_total", "outcome" => "reversed_by_terminal").increment(1);
        Ok(Told::of(&asked.acquirer.codes.approved))
    }
}

/// Batch and trace of what is taken back.
fn reversed(asked: &Asked<'_>, known: &Known) -> Result<TraceKey, Decision> {
    match asked.acquirer.reversal_names {
        ReversalNames::OwnTrace => asked.trace_key(known.id),
        ReversalNames::Original => named(asked, known.id).ok_or_else(|| asked.format_error()),
    }
}

/// What field 61 names.
fn named(asked: &Asked<'_>, terminal: TerminalId) -> Option<TraceKey> {
    let number = |part| digits(asked.message, ORIGINAL, Some(part)).and_then(|digits| digits.parse().ok());
    Some(TraceKey { terminal, batch: number(0)?, trace: number(1)? })
}

/// The original's date in field 61, where it is about what is taken back: of a void it names the sale.
fn original_date(asked: &Asked<'_>, key: TraceKey, today: Date) -> Option<Date> {
    named(asked, key.terminal).filter(|named| *named == key)?;
    digits(asked.message, ORIGINAL, Some(ORIGINAL_DATE)).and_then(|day| day_near(&day, today))
}
