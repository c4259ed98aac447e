//! Chargebacks (拒付): the payer's bank takes a card payment back, against the merchant's will.
//!
//! ```text
//!  receive ─► RECEIVED ─ book ─► BOOKED ─ representment won ─► WON      (the bank gave the money back)
//!                └─────── won: the bank dropped the case ─────► WON      (nothing was booked)
//! ```
//! Booking takes the money, in this order: what of the order is still unsettled, what the merchant's 2203 has free, and what
//! is lacking from 2291, as arrears of the merchant. The figures, for 10,000 with 4,000 on 2203:
//!
//! ```text
//!  BOOKED  Dr 2203 4,000, Dr 2291 6,000 / Cr 1122 10,000 · OWN Dr 1152 6,000 / Cr 1291 6,000
//!  WON     Dr 1122 10,000 / Cr 2291 what is left of the arrears, Cr 2203 the rest · OWN Dr 1291 / Cr 1152
//! ```
//! A card transaction at a terminal is charged back the same way, from what of it lies on 2202 and then from 2203.
//! Where 2291 has less than what is lacking, own money is injected first. Only captured card legs are charged back, up to
//! what of them was neither refunded nor charged back before; from RECEIVED on that much can no longer be refunded. The
//! payee bears all of it: receivers of splits are not asked.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::account::AccountStatus;
use crate::arrears::{self, ArrearsSource};
use crate::book::Subject;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{ArrearsId, CardTransactionId, ChargebackId, LegId, MerchantId, OrderId, VoucherId};
use crate::leg::{Leg, LegStatus};
use crate::money::{Currency, Minor, positive};
use crate::order::{OrderStatus, Share, name_fits};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Entry, EventCode};

mod target;
#[cfg(test)]
mod tests;

use target::{charge, counted_under, less, take};

/// Where a chargeback stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ChargebackStatus {
    /// The network told of it.
    #[n(0)]
    Received,
    /// The money is taken.
    #[n(1)]
    Booked,
    /// The bank gave it back, or never took it.
    #[n(2)]
    Won,
}

impl ChargebackStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Received, Self::Booked, Self::Won];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Booked => "booked",
            Self::Won => "won",
        }
    }
}

/// Who did a step, and when.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ChargebackStep {
    /// When.
    #[n(0)]
    pub at: Time,
    /// Who.
    #[n(1)]
    pub operator: String,
    /// Its voucher, if it booked something.
    #[n(2)]
    pub voucher: Option<VoucherId>,
}

/// A chargeback.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Chargeback {
    /// Its id.
    #[n(0)]
    pub id: ChargebackId,
    /// The network's case number, unique.
    #[n(1)]
    pub case_number: String,
    /// The network's reason code.
    #[n(2)]
    pub reason: String,
    /// The leg it takes back.
    #[n(3)]
    pub leg: Option<LegId>,
    /// The leg's order.
    #[n(4)]
    pub order: Option<OrderId>,
    /// Who was paid.
    #[n(5)]
    pub merchant: MerchantId,
    /// Minor units.
    #[n(6)]
    pub amount: Minor,
    /// Its currency.
    #[n(7)]
    pub currency: Currency,
    /// Where it stands.
    #[n(8)]
    pub status: ChargebackStatus,
    /// What was taken from the merchant.
    #[n(9)]
    pub taken: Vec<Share>,
    /// What the merchant lacked.
    #[n(10)]
    pub lack: Minor,
    /// The arrears that became of it.
    #[n(11)]
    pub arrears: Option<ArrearsId>,
    /// RECEIVED.
    #[n(12)]
    pub received: ChargebackStep,
    /// BOOKED.
    #[n(13)]
    pub booked: Option<ChargebackStep>,
    /// WON.
    #[n(14)]
    pub won: Option<ChargebackStep>,
    /// The card transaction at a terminal that it takes back, where it is none of a leg.
    #[n(15)]
    pub card: Option<CardTransactionId>,
}

impl Chargeback {
    /// What may be done with it now; `decide` goes by the same list.
    #[must_use]
    pub const fn allowed_actions(&self) -> &'static [&'static str] {
        match self.status {
            ChargebackStatus::Received => &["book", "win"],
            ChargebackStatus::Booked => &["win"],
            ChargebackStatus::Won => &[],
        }
    }

    fn require(&self, action: &'static str) -> Result<(), Refusal> {
        if self.allowed_actions().contains(&action) {
            return Ok(());
        }
        let message = format!("{} is {} and cannot {action} now", self.id, self.status.name());
        Err(Refusal::new(RefusalCode::ChargebackState, "chargeback", message))
    }
}

/// A chargeback as the network tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiveChargeback {
    /// The leg it takes back.
    pub leg: LegId,
    /// The network's case number.
    pub case_number: String,
    /// The network's reason code.
    pub reason: String,
    /// Minor units above zero.
    pub amount: Minor,
    /// Must be the leg's.
    pub currency: Currency,
}

/// A chargeback of a card transaction at a terminal, as the network tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiveCardChargeback {
    /// The transaction it takes back.
    pub transaction: CardTransactionId,
    /// The network's case number.
    pub case_number: String,
    /// The network's reason code.
    pub reason: String,
    /// Minor units above zero.
    pub amount: Minor,
    /// Must be yuan.
    pub currency: Currency,
}

/// A step of a chargeback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargebackCommand {
    /// The network tells of it.
    Receive(ReceiveChargeback),
    /// The network tells of one of a card transaction at a terminal.
    ReceiveCard(ReceiveCardChargeback),
    /// Take the money.
    Book(ChargebackId),
    /// The bank gave the money back, or dropped the case.
    Win(ChargebackId),
}

/// What happened to a chargeback.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ChargebackEvent {
    /// The network told of it.
    #[n(0)]
    Received(#[n(0)] Box<Chargeback>),
    /// The money was taken; the voucher was posted and the arrears opened before.
    #[n(1)]
    Booked {
        /// The chargeback.
        #[n(0)]
        chargeback: ChargebackId,
        /// What was taken from the merchant.
        #[n(1)]
        taken: Vec<Share>,
        /// How the order's shares change.
        #[n(2)]
        shares: Vec<Share>,
        /// What the merchant lacked.
        #[n(3)]
        lack: Minor,
        /// The arrears that became of it.
        #[n(4)]
        arrears: Option<ArrearsId>,
        /// The voucher.
        #[n(5)]
        voucher: VoucherId,
        /// Who booked it.
        #[n(6)]
        operator: String,
    },
    /// It was won.
    #[n(2)]
    Won {
        /// The chargeback.
        #[n(0)]
        chargeback: ChargebackId,
        /// How the order's shares change.
        #[n(1)]
        shares: Vec<Share>,
        /// The voucher, if it had been booked.
        #[n(2)]
        voucher: Option<VoucherId>,
        /// Who said so.
        #[n(3)]
        operator: String,
    },
}

/// Decides a step of a chargeback.
///
/// # Errors
/// Those of the step.
pub fn decide(draft: &mut Draft<'_>, command: ChargebackCommand) -> Result<Reply, Refusal> {
    match command {
        ChargebackCommand::Receive(command) => receive(draft, command),
        ChargebackCommand::ReceiveCard(command) => receive_card(draft, command),
        ChargebackCommand::Book(id) => book(draft, id),
        ChargebackCommand::Win(id) => win(draft, id),
    }
}

/// # Errors
/// `leg_unknown`, `leg_state`, `instrument_not_allowed` for another instrument than a card, `order_state`,
/// `value_invalid`, `already_exists` for a case number that is known, `amount_not_positive`, `currency_mismatch`,
/// `refund_exceeded`.
fn receive(draft: &mut Draft<'_>, command: ReceiveChargeback) -> Result<Reply, Refusal> {
    let ReceiveChargeback { leg, case_number, reason, amount, currency } = command;
    let leg = draft.state.leg(leg)?;
    can_charge_back(leg)?;
    let order = draft.state.order(leg.order)?;
    if order.status != OrderStatus::Success || leg.try_number != order.tries {
        let message = format!("{} did not pay {}: its money went back or is on its way back", leg.id, order.id);
        return Err(Refusal::new(RefusalCode::OrderState, "leg", message));
    }
    check_case(draft.state, &case_number, &reason)?;
    positive(amount, "amount")?;
    if leg.currency != currency {
        let message = format!("{} was paid in {}", leg.id, leg.currency.code());
        return Err(Refusal::new(RefusalCode::CurrencyMismatch, "currency", message));
    }
    if amount > leg.refundable() {
        let message = format!(
            "{} brought {}, of which {} were refunded and {} charged back; at most {} can be charged back",
            leg.id,
            leg.amount(),
            leg.refunded,
            leg.charged_back,
            leg.refundable()
        );
        return Err(Refusal::new(RefusalCode::RefundExceeded, "amount", message));
    }
    let (leg, order, merchant) = (Some(leg.id), Some(order.id), order.merchant);
    let of = Chargeback { leg, order, ..fresh(draft, case_number, reason, merchant, amount, currency) };
    Ok(emit_received(draft, of))
}

/// # Errors
/// `card_transaction_unknown`, `card_transaction_state`, `value_invalid`, `already_exists`, `amount_not_positive`,
/// `currency_mismatch`, `refund_exceeded`.
fn receive_card(draft: &mut Draft<'_>, command: ReceiveCardChargeback) -> Result<Reply, Refusal> {
    let ReceiveCardChargeback { transaction, case_number, reason, amount, currency } = command;
    let row = draft.state.card_transaction(transaction)?;
    if !row.brought_money() || row.suspended {
        let message =
            format!("{} is a {} and {}; only what paid is charged back", row.id, row.kind.name(), row.status.name());
        return Err(Refusal::new(RefusalCode::CardTransactionState, "transaction", message));
    }
    check_case(draft.state, &case_number, &reason)?;
    positive(amount, "amount")?;
    if currency != Currency::Cny {
        let message = format!("{} was paid in CNY", row.id);
        return Err(Refusal::new(RefusalCode::CurrencyMismatch, "currency", message));
    }
    if amount > row.refundable() {
        let message = format!("{} of {} is left to charge back, not {amount}", row.refundable(), row.id);
        return Err(Refusal::new(RefusalCode::RefundExceeded, "amount", message));
    }
    let (card, merchant) = (Some(row.id), row.merchant);
    let of = Chargeback { card, ..fresh(draft, case_number, reason, merchant, amount, currency) };
    Ok(emit_received(draft, of))
}

fn check_case(state: &State, case_number: &str, reason: &str) -> Result<(), Refusal> {
    name_fits(case_number, "case_number")?;
    name_fits(reason, "reason")?;
    if let Some(known) = state.chargeback_cases.get(case_number) {
        let message = format!("case '{case_number}' is {known}; each case comes once");
        return Err(Refusal::new(RefusalCode::AlreadyExists, "case_number", message));
    }
    Ok(())
}

/// A chargeback of nothing yet.
fn fresh(
    draft: &Draft<'_>,
    case_number: String,
    reason: String,
    merchant: MerchantId,
    amount: Minor,
    currency: Currency,
) -> Chargeback {
    Chargeback {
        id: ChargebackId(draft.state.chargebacks.next_id()),
        case_number,
        reason,
        leg: None,
        order: None,
        merchant,
        amount,
        currency,
        status: ChargebackStatus::Received,
        taken: Vec::new(),
        lack: 0,
        arrears: None,
        received: step(draft, None),
        booked: None,
        won: None,
        card: None,
    }
}

fn emit_received(draft: &mut Draft<'_>, chargeback: Chargeback) -> Reply {
    let id = chargeback.id;
    draft.emit(Event::Chargeback(ChargebackEvent::Received(Box::new(chargeback))));
    Reply::Chargeback(id)
}

fn can_charge_back(leg: &Leg) -> Result<(), Refusal> {
    if leg.instrument.is_fund() {
        let message = format!("{} is provident fund money; only card payments are charged back", leg.id);
        return Err(Refusal::new(RefusalCode::InstrumentNotAllowed, "leg", message));
    }
    if leg.instrument.is_balance() {
        let message = format!("{} came from a balance here, which no bank charges back; refund it", leg.id);
        return Err(Refusal::new(RefusalCode::InstrumentNotAllowed, "leg", message));
    }
    match leg.status {
        LegStatus::Captured => Ok(()),
        LegStatus::Created
        | LegStatus::Sent
        | LegStatus::Held
        | LegStatus::Failed
        | LegStatus::Unknown
        | LegStatus::Released
        | LegStatus::Reversed => {
            let message = format!("{} is {}; only a captured payment is charged back", leg.id, leg.status.name());
            Err(Refusal::new(RefusalCode::LegState, "leg", message))
        }
    }
}

fn step(draft: &Draft<'_>, voucher: Option<VoucherId>) -> ChargebackStep {
    ChargebackStep { at: draft.context.now, operator: draft.operator(), voucher }
}

/// # Errors
/// `chargeback_unknown`, `chargeback_state`, `insufficient_funds` if what is lacking must be injected first, and those of
/// the voucher.
fn book(draft: &mut Draft<'_>, id: ChargebackId) -> Result<Reply, Refusal> {
    let chargeback = draft.state.chargeback(id)?.clone();
    chargeback.require("book")?;
    let Chargeback { amount, currency, merchant, .. } = chargeback;
    let taken = take(draft.state, &chargeback)?;
    let lack = taken.iter().fold(amount, |left, share| left.saturating_sub(share.amount));
    arrears::can_cover(draft.state, lack, currency)?;
    let own = |subject| draft.state.institution(subject, currency);
    let (rail, dimensions) = counted_under(draft.state, &chargeback)?;
    let mut entries: Vec<Entry> =
        taken.iter().map(|share| Entry::debit(share.account, share.amount, currency)).collect();
    if lack > 0 {
        entries.push(Entry::debit(own(Subject::DueToOwn)?, lack, currency));
    }
    entries.push(Entry::credit(own(rail.subject())?, amount, currency));
    if lack > 0 {
        entries.push(Entry::debit(own(Subject::Arrears)?, lack, currency));
        entries.push(Entry::credit(own(Subject::DueFromReserve)?, lack, currency));
    }
    let voucher = draft.post(number(id), EventCode::ChargedBack, entries, dimensions)?;
    let arrears = (lack > 0).then(|| arrears::open(draft, merchant, ArrearsSource::Chargeback(id), lack, currency));
    let shares = less(draft.state, &chargeback, &taken)?;
    let operator = draft.operator();
    draft.emit(Event::Chargeback(ChargebackEvent::Booked {
        chargeback: id,
        taken,
        shares,
        lack,
        arrears,
        voucher,
        operator,
    }));
    Ok(Reply::Chargeback(id))
}

fn number(id: ChargebackId) -> BusinessNumber {
    BusinessNumber::object(BusinessKind::Chargeback, id.0)
}

/// # Errors
/// `chargeback_unknown`, `chargeback_state`, and those of the voucher.
fn win(draft: &mut Draft<'_>, id: ChargebackId) -> Result<Reply, Refusal> {
    let chargeback = draft.state.chargeback(id)?.clone();
    chargeback.require("win")?;
    // Its money counts as the leg's and the order's again, which must be in memory for that.
    counted_under(draft.state, &chargeback)?;
    let (voucher, shares) = match chargeback.status {
        ChargebackStatus::Received | ChargebackStatus::Won => (None, Vec::new()),
        ChargebackStatus::Booked => {
            let (voucher, shares) = give_back(draft, &chargeback)?;
            (Some(voucher), shares)
        }
    };
    let operator = draft.operator();
    draft.emit(Event::Chargeback(ChargebackEvent::Won { chargeback: id, shares, voucher, operator }));
    Ok(Reply::Chargeback(id))
}

/// Dr the rail / Cr 2291 what is left of the arrears, Cr 2203 the rest; into suspense if 2203 takes no money any more.
fn give_back(draft: &mut Draft<'_>, chargeback: &Chargeback) -> Result<(VoucherId, Vec<Share>), Refusal> {
    let Chargeback { id, amount, currency, merchant, .. } = *chargeback;
    let (rail, dimensions) = counted_under(draft.state, chargeback)?;
    let owed = chargeback.arrears.and_then(|id| draft.state.arrears.get(id.0)).map_or(0, arrears::Arrears::left);
    let rest = amount.saturating_sub(owed);
    let account = draft.state.merchant(merchant)?.available;
    let row = draft.state.account(account, "account")?;
    let takes = row.status == AccountStatus::Open && !row.barred().in_barred;
    let own = |subject| draft.state.institution(subject, currency);
    let to = if takes { account } else { own(Subject::Suspense)? };
    let mut entries = alloc::vec![Entry::debit(own(rail.subject())?, amount, currency)];
    if rest > 0 {
        entries.push(Entry::credit(to, rest, currency));
    }
    if owed > 0 {
        entries.push(Entry::credit(own(Subject::DueToOwn)?, owed, currency));
        entries.push(Entry::debit(own(Subject::DueFromReserve)?, owed, currency));
        entries.push(Entry::credit(own(Subject::Arrears)?, owed, currency));
    }
    let voucher = draft.post(number(id), EventCode::ChargebackWon, entries, dimensions)?;
    if let Some(id) = chargeback.arrears {
        arrears::undo(draft, id, owed);
    }
    let back = Share { merchant, account, amount: rest, settled: true };
    let is_share = takes && rest > 0 && chargeback.order.is_some();
    Ok((voucher, if is_share { alloc::vec![back] } else { Vec::new() }))
}

impl State {
    /// The chargeback.
    ///
    /// # Errors
    /// `chargeback_unknown`.
    pub fn chargeback(&self, id: ChargebackId) -> Result<&Chargeback, Refusal> {
        let unknown =
            || Refusal::new(RefusalCode::ChargebackUnknown, "chargeback", format!("there is no chargeback {id}"));
        self.chargebacks.get(id.0).ok_or_else(unknown)
    }
}

/// Folds what happened to a chargeback into the state.
pub(crate) fn apply(state: &mut State, event: &ChargebackEvent) {
    match event {
        ChargebackEvent::Received(chargeback) => {
            let (id, target) = (chargeback.id, chargeback.target());
            charge(state, target, chargeback.amount, &[], 0);
            state.chargeback_cases.insert(chargeback.case_number.clone(), id);
            state.chargebacks.insert(id.0, (**chargeback).clone());
        }
        ChargebackEvent::Booked { chargeback, taken, shares, lack, arrears, voucher, operator } => {
            let step = ChargebackStep { at: state.now, operator: operator.clone(), voucher: Some(*voucher) };
            let chargeback = row(state, *chargeback);
            chargeback.status = ChargebackStatus::Booked;
            chargeback.taken.clone_from(taken);
            chargeback.lack = *lack;
            chargeback.arrears = *arrears;
            chargeback.booked = Some(step);
            let target = chargeback.target();
            let unsettled = taken.iter().filter(|share| !share.settled).map(|share| share.amount).sum();
            charge(state, target, 0, shares, unsettled);
        }
        ChargebackEvent::Won { chargeback, shares, voucher, operator } => {
            let step = ChargebackStep { at: state.now, operator: operator.clone(), voucher: *voucher };
            let chargeback = row(state, *chargeback);
            chargeback.status = ChargebackStatus::Won;
            chargeback.won = Some(step);
            let (target, amount) = (chargeback.target(), chargeback.amount);
            charge(state, target, amount.saturating_neg(), shares, 0);
        }
    }
}

fn row(state: &mut State, id: ChargebackId) -> &mut Chargeback {
    state.chargebacks.get_mut(id.0).expect("decide checked the chargeback")
}
