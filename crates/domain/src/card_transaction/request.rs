//! Asking something of a card: who may ask, what it is about, what it may come to.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use super::{
    Card, CardKind, CardMoney, CardStatus, CardTaken, CardTransaction, CardTransactionEvent, Effect, OriginalRef,
    RequestCardTransaction, SEND_WITHIN_MS, TraceKey, booking, transaction_of_reference, unknown,
};
use crate::account::Owner;
use crate::acquiring::Acquiring;
use crate::block_list::{self, Blocked};
use crate::calendar::Date;
use crate::card_fee::CardFees;
use crate::command::Reply;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::{CardTransactionId, TerminalId};
use crate::money::{Minor, add, positive, proportion, subtract};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::terminal::LAST_NUMBER;

/// The most bytes of a token.
const MAX_TOKEN: usize = 64;

/// # Errors
/// `terminal_unknown`, `terminal_state`, `acquiring_state`, `amount_not_positive`, `value_invalid`, `trace_reused`,
/// `batch_mismatch`, `blocked`, `card_transaction_unknown`, `card_transaction_state`, `card_mismatch`, `card_amount`,
/// `preauthorisation_lapsed`, `limit_exceeded`, `card_fee_unknown`, `insufficient_funds`, `account_restricted`.
pub(super) fn decide(draft: &mut Draft<'_>, command: RequestCardTransaction) -> Result<Reply, Refusal> {
    check_form(&command)?;
    if let Some(known) = draft.state.card_transaction_of(command.key) {
        return again(known, &command);
    }
    let today = Date::in_shanghai(draft.context.now);
    let acquiring = who(draft, &command)?;
    let original = find_original(draft.state, &acquiring, &command)?.cloned();
    if let Some(original) = &original {
        check_original(draft.state, &acquiring, &command, original, today)?;
    }
    let used =
        if command.kind.is_limited() { Some(acquiring.take(command.card.kind, command.amount, today)?) } else { None };
    let fees = fees(draft.state, &acquiring, &command, original.as_ref(), today)?;
    booking::can_place(draft.state, command.kind, acquiring.merchant)?;
    let taken = match (command.kind.effect(), &original) {
        (Effect::Undo | Effect::Out, Some(original)) => Some(booking::hold(draft, original, command.amount)?),
        (Effect::Undo | Effect::Out | Effect::In | Effect::Nothing, _) => None,
    };
    let original = original.map(|original| original.id);
    let transaction = new(draft, &acquiring, command, original, fees, taken);
    let id = transaction.id;
    draft.emit(Event::CardTransaction(CardTransactionEvent::Requested { transaction, used }));
    Ok(Reply::CardTransaction(id))
}

fn new(
    draft: &Draft<'_>,
    acquiring: &Acquiring,
    command: RequestCardTransaction,
    original: Option<CardTransactionId>,
    fees: CardFees,
    taken: Option<CardTaken>,
) -> Box<CardTransaction> {
    let RequestCardTransaction { kind, key, local_date, card, amount, authorisation, .. } = command;
    let now = draft.context.now;
    Box::new(CardTransaction {
        id: CardTransactionId(draft.state.card_transactions.next_id()),
        kind,
        key: Some(key),
        local_date,
        acquiring: acquiring.id,
        merchant: acquiring.merchant,
        card,
        amount,
        original,
        status: CardStatus::Requested,
        requested_at: now,
        epoch: draft.context.epoch,
        send_before: now.plus_ms(SEND_WITHIN_MS),
        authorisation,
        code: None,
        answered_at: None,
        clearing_date: None,
        voucher: None,
        money: CardMoney { fees, ..CardMoney::default() },
        taken,
        followed_by: None,
        adjustments: 0,
        reversal: None,
        awaits_file: false,
        cleared: None,
        due: None,
        suspended: false,
        charged_back: 0,
        case_number: None,
        traced: true,
        counted: kind.is_limited(),
        scripts: None,
    })
}

fn check_form(command: &RequestCardTransaction) -> Result<(), Refusal> {
    positive(command.amount, "amount")?;
    let TraceKey { batch, trace, .. } = command.key;
    for (number, param) in [(batch, "batch"), (trace, "trace")] {
        if !(1..=LAST_NUMBER).contains(&number) {
            let message = format!("{number} is no {param}; use 1 to {LAST_NUMBER}");
            return Err(Refusal::new(RefusalCode::ValueInvalid, param, message));
        }
    }
    check_card(&command.card)?;
    if command.kind == CardKind::QrSale && !command.card.is_code() {
        let message = "a QR sale is paid by a code, not by a card";
        return Err(Refusal::new(RefusalCode::ValueInvalid, "card.token", message));
    }
    let wants_original = match command.kind {
        CardKind::Sale | CardKind::PreAuthorisation | CardKind::Offline | CardKind::QrSale => false,
        CardKind::Void
        | CardKind::PreAuthorisationCancel
        | CardKind::Completion
        | CardKind::CompletionVoid
        | CardKind::CompletionAdvice
        | CardKind::Refund
        | CardKind::Adjustment => true,
        CardKind::CreditAdjustment => {
            let message = "no terminal asks for a credit adjustment; two people do";
            return Err(Refusal::new(RefusalCode::ValueInvalid, "kind", message));
        }
    };
    if wants_original != command.original.is_some() {
        let message = format!("a {} names {} original", command.kind.name(), if wants_original { "an" } else { "no" });
        return Err(Refusal::new(RefusalCode::ValueInvalid, "original", message));
    }
    if command.authorisation.as_ref().is_some_and(|code| code.len() > 6) {
        return Err(Refusal::new(
            RefusalCode::ValueInvalid,
            "authorisation",
            "an authorisation has at most 6 characters",
        ));
    }
    Ok(())
}

/// A mask shows at most the first 6 and the last 4 digits: what could be a number is not let in.
fn check_card(card: &Card) -> Result<(), Refusal> {
    let shown = card.mask.bytes().filter(u8::is_ascii_digit).count();
    let is_mask = (12..=19).contains(&card.mask.len())
        && card.mask.bytes().all(|byte| byte.is_ascii_digit() || byte == b'*')
        && shown <= 10;
    if !is_mask {
        let message = "a mask is the first 6 and the last 4 digits with stars between, 12 to 19 characters";
        return Err(Refusal::new(RefusalCode::ValueInvalid, "card.mask", message));
    }
    let digits = card.token.bytes().filter(u8::is_ascii_digit).count();
    if card.token.is_empty() || card.token.len() > MAX_TOKEN || digits == card.token.len() {
        let message = format!("a token of {} bytes; use 1 to {MAX_TOKEN}, not digits alone", card.token.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "card.token", message));
    }
    Ok(())
}

/// The same content under the same trace is the same transaction.
fn again(known: &CardTransaction, command: &RequestCardTransaction) -> Result<Reply, Refusal> {
    // What adjustments added to a sale was not in its request.
    let same = known.kind == command.kind
        && known.card.token == command.card.token
        && known.local_date == command.local_date
        && (known.amount == command.amount || known.adjustments > 0);
    if same {
        return Ok(Reply::CardTransaction(known.id));
    }
    let TraceKey { terminal, batch, trace } = command.key;
    let message = format!("{terminal} used trace {trace} of batch {batch} for {}, with other content", known.id);
    Err(Refusal::new(RefusalCode::TraceReused, "trace", message))
}

/// Terminal, merchant and card may take part, now. What gives money back is asked neither for blocks nor for a suspended
/// merchant.
fn who(draft: &Draft<'_>, command: &RequestCardTransaction) -> Result<Acquiring, Refusal> {
    let state = &*draft.state;
    let terminal = state.terminal(command.key.terminal)?;
    let merchant = terminal.require_online()?.merchant;
    let acquiring = state.bound_acquiring(terminal)?;
    if terminal.batch != command.key.batch {
        let message = format!("{} is in batch {}, not {}; sign in", terminal.id, terminal.batch, command.key.batch);
        return Err(Refusal::new(RefusalCode::BatchMismatch, "batch", message));
    }
    if command.kind.effect() == Effect::In || command.kind == CardKind::PreAuthorisation {
        acquiring.require_active()?;
        let parties = block_list::of_owner(state, Owner::Merchant(merchant));
        let others = [Blocked::Terminal(terminal.serial.clone()), Blocked::Card(command.card.token.clone())];
        block_list::refuse(state, draft.context.now, parties.chain(others))?;
    }
    Ok(acquiring.clone())
}

fn find_original<'s>(
    state: &'s State,
    acquiring: &Acquiring,
    command: &RequestCardTransaction,
) -> Result<Option<&'s CardTransaction>, Refusal> {
    let Some(named) = &command.original else { return Ok(None) };
    let found = match named {
        OriginalRef::Trace { batch, trace } => {
            let key = TraceKey { terminal: command.key.terminal, batch: *batch, trace: *trace };
            state.card_transaction_of(key)
        }
        OriginalRef::Reference(text) => transaction_of_reference(text).and_then(|id| state.card_transactions.get(id.0)),
        OriginalRef::Authorisation(code) => {
            let key = |id| (acquiring.id, command.card.token.clone(), code.clone(), CardTransactionId(id));
            let latest = state.preauthorisations.range(key(0)..=key(u64::MAX)).next_back();
            latest.and_then(|((.., id), ())| state.card_transactions.get(id.0))
        }
    };
    // Another merchant's is not known to this one.
    let own = found.filter(|original| original.acquiring == acquiring.id);
    own.map(Some).ok_or_else(|| unknown(String::from("the terminal's merchant has no such transaction")))
}

fn check_original(
    state: &State,
    acquiring: &Acquiring,
    command: &RequestCardTransaction,
    original: &CardTransaction,
    today: Date,
) -> Result<(), Refusal> {
    let wrong_kind = || {
        let message = format!("a {} cannot be about {}, a {}", command.kind.name(), original.id, original.kind.name());
        Err(Refusal::new(RefusalCode::CardTransactionState, "original", message))
    };
    let fits = match command.kind {
        CardKind::Void => matches!(original.kind, CardKind::Sale | CardKind::Offline | CardKind::QrSale),
        CardKind::PreAuthorisationCancel | CardKind::Completion | CardKind::CompletionAdvice => {
            original.kind == CardKind::PreAuthorisation
        }
        CardKind::CompletionVoid => matches!(original.kind, CardKind::Completion | CardKind::CompletionAdvice),
        CardKind::Refund => original.kind.effect() == Effect::In && original.kind != CardKind::Adjustment,
        CardKind::Adjustment => matches!(original.kind, CardKind::Sale | CardKind::Offline),
        CardKind::Sale
        | CardKind::PreAuthorisation
        | CardKind::Offline
        | CardKind::CreditAdjustment
        | CardKind::QrSale => false,
    };
    if !fits {
        return wrong_kind();
    }
    if original.card.token != command.card.token {
        let message = format!("{} was made with another card", original.id);
        return Err(Refusal::new(RefusalCode::CardMismatch, "card", message));
    }
    if original.status != CardStatus::Approved || original.followed_by.is_some() {
        let followed = original.followed_by.map(|by| format!(" and taken by {by}")).unwrap_or_default();
        let message = format!("{} is {}{followed}", original.id, original.status.name());
        return Err(Refusal::new(RefusalCode::CardTransactionState, "original", message));
    }
    match command.kind {
        CardKind::Void | CardKind::CompletionVoid => check_void(state, command, original),
        CardKind::PreAuthorisationCancel => same_amount(command, original),
        CardKind::Completion | CardKind::CompletionAdvice => check_completion(acquiring, command, original, today),
        CardKind::Refund => check_refund(command, original),
        CardKind::Adjustment => {
            same_batch(state, command.key.terminal, original)?;
            check_untouched(original)?;
            check_tip(acquiring, command, original)
        }
        CardKind::Sale
        | CardKind::PreAuthorisation
        | CardKind::Offline
        | CardKind::CreditAdjustment
        | CardKind::QrSale => Ok(()),
    }
}

/// A void is the full amount, of the same terminal and batch, before clearing; after that it is a refund.
fn check_void(state: &State, command: &RequestCardTransaction, original: &CardTransaction) -> Result<(), Refusal> {
    same_batch(state, command.key.terminal, original)?;
    check_untouched(original)?;
    same_amount(command, original)
}

fn same_batch(state: &State, terminal: TerminalId, original: &CardTransaction) -> Result<(), Refusal> {
    let batch = state.terminal(terminal)?.batch;
    if original.cleared.is_none() && original.key.is_some_and(|key| key.terminal == terminal && key.batch == batch) {
        return Ok(());
    }
    let message =
        format!("{} is cleared, or of another terminal or batch than {terminal}'s {batch}; refund it", original.id);
    Err(Refusal::new(RefusalCode::CardTransactionState, "original", message))
}

/// Nothing of it went back or is about to, and it lies where its merchant has it.
fn check_untouched(original: &CardTransaction) -> Result<(), Refusal> {
    let touched = original.money.refunded != 0 || original.money.reserved != 0 || original.charged_back != 0;
    if !touched && !original.suspended {
        return Ok(());
    }
    let message = format!("some of {} was refunded, charged back or suspended, or is about to be", original.id);
    Err(Refusal::new(RefusalCode::CardTransactionState, "original", message))
}

fn same_amount(command: &RequestCardTransaction, original: &CardTransaction) -> Result<(), Refusal> {
    if command.amount == original.amount {
        return Ok(());
    }
    let message =
        format!("{} came to {}; it is undone in full, not by {}", original.id, original.amount, command.amount);
    Err(Refusal::new(RefusalCode::CardAmount, "amount", message))
}

fn check_completion(
    acquiring: &Acquiring,
    command: &RequestCardTransaction,
    original: &CardTransaction,
    today: Date,
) -> Result<(), Refusal> {
    let rules = acquiring.terms.rules;
    let last = Date::in_shanghai(original.requested_at).plus_days(i32::from(rules.preauthorisation_days));
    if today > last {
        let message = format!("{} held until {last}", original.id);
        return Err(Refusal::new(RefusalCode::PreauthorisationLapsed, "original", message));
    }
    let bound = i128::from(original.amount) * i128::from(rules.completion_percent) / 100;
    if i128::from(command.amount) > bound {
        let message = format!("{} is completed with at most {bound}, not {}", original.id, command.amount);
        return Err(Refusal::new(RefusalCode::CardAmount, "amount", message));
    }
    Ok(())
}

fn check_refund(command: &RequestCardTransaction, original: &CardTransaction) -> Result<(), Refusal> {
    if original.suspended {
        let message = format!("the money of {} lies in suspense, for a person", original.id);
        return Err(Refusal::new(RefusalCode::CardTransactionState, "original", message));
    }
    if command.amount <= original.refundable() {
        return Ok(());
    }
    let message = format!("{} of {} is left to refund, not {}", original.refundable(), original.id, command.amount);
    Err(Refusal::new(RefusalCode::RefundExceeded, "amount", message))
}

fn check_tip(
    acquiring: &Acquiring,
    command: &RequestCardTransaction,
    original: &CardTransaction,
) -> Result<(), Refusal> {
    let percent = acquiring.terms.rules.tip_percent;
    let bound = proportion(original.amount, Minor::from(percent), 100)?;
    if original.adjustments == 0 && command.amount <= bound {
        return Ok(());
    }
    let message = format!("{} takes one tip of at most {bound}", original.id);
    Err(Refusal::new(RefusalCode::CardAmount, "amount", message))
}

/// What it adds to the fees: of an adjustment, the fees of the whole less those of what was there.
fn fees(
    state: &State,
    acquiring: &Acquiring,
    command: &RequestCardTransaction,
    original: Option<&CardTransaction>,
    today: Date,
) -> Result<CardFees, Refusal> {
    if command.kind.effect() != Effect::In {
        return Ok(CardFees::default());
    }
    let of =
        |amount, on| state.card_fees(&acquiring.terms.fee_plan, command.card.scheme, command.card.kind, amount, on);
    match original.filter(|_| command.kind == CardKind::Adjustment) {
        None => of(command.amount, today),
        Some(sale) => {
            let whole = of(add(sale.amount, command.amount, "amount")?, Date::in_shanghai(sale.requested_at))?;
            let before = sale.money.fees;
            // A plan that changed meanwhile never gives fees back.
            let more = |whole, before| subtract(whole, before, "amount").map(|more| more.max(0));
            Ok(CardFees {
                merchant: more(whole.merchant, before.merchant)?,
                interchange: more(whole.interchange, before.interchange)?,
                network: more(whole.network, before.network)?,
            })
        }
    }
}
