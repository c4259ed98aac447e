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
//! Where 2291 has less than what is lacking, own money is injected first. Only captured card legs are charged back, up to
//! what of them was neither refunded nor charged back before; from RECEIVED on that much can no longer be refunded. The
//! payee bears all of it: receivers of splits are not asked.

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
use crate::ids::{ArrearsId, ChargebackId, LegId, MerchantId, OrderId, VoucherId};
use crate::leg::{Leg, LegStatus};
use crate::money::{Currency, Minor, positive};
use crate::order::{self, Order, OrderStatus, Share, name_fits};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Entry, EventCode};

#[cfg(test)]
mod tests;

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
    pub leg: LegId,
    /// The leg's order.
    #[n(4)]
    pub order: OrderId,
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

/// A step of a chargeback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargebackCommand {
    /// The network tells of it.
    Receive(ReceiveChargeback),
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
    Received(#[n(0)] Chargeback),
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
    name_fits(&case_number, "case_number")?;
    name_fits(&reason, "reason")?;
    if let Some(known) = draft.state.chargeback_cases.get(&case_number) {
        let message = format!("case '{case_number}' is {known}; each case comes once");
        return Err(Refusal::new(RefusalCode::AlreadyExists, "case_number", message));
    }
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
    let (leg, order, merchant) = (leg.id, order.id, order.merchant);
    let id = ChargebackId(draft.state.chargebacks.next_id());
    let received = step(draft, None);
    draft.emit(Event::Chargeback(ChargebackEvent::Received(Chargeback {
        id,
        case_number,
        reason,
        leg,
        order,
        merchant,
        amount,
        currency,
        status: ChargebackStatus::Received,
        taken: Vec::new(),
        lack: 0,
        arrears: None,
        received,
        booked: None,
        won: None,
    })));
    Ok(Reply::Chargeback(id))
}

fn can_charge_back(leg: &Leg) -> Result<(), Refusal> {
    if leg.instrument.is_fund() {
        let message = format!("{} is provident fund money; only card payments are charged back", leg.id);
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
    let order = draft.state.order(chargeback.order)?.clone();
    let taken = take(draft.state, &order, amount)?;
    let lack = taken.iter().fold(amount, |left, share| left.saturating_sub(share.amount));
    arrears::can_cover(draft.state, lack, currency)?;
    let own = |subject| draft.state.institution(subject, currency);
    let rail = draft.state.leg(chargeback.leg)?.instrument.rail();
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
    let voucher = draft.post(number(id), EventCode::ChargedBack, entries, order.dimensions(Some(rail), None))?;
    let arrears = (lack > 0).then(|| arrears::open(draft, merchant, ArrearsSource::Chargeback(id), lack, currency));
    let shares = less(&order, &taken);
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

/// What the merchant has for it: the order's own unsettled money, then what 2203 has free.
fn take(state: &State, order: &Order, amount: Minor) -> Result<Vec<Share>, Refusal> {
    let merchant = order.merchant;
    let available = state.merchant(merchant)?.available;
    let mut left = amount;
    let mut taken = Vec::new();
    let unsettled = order.share(merchant, false).max(0).min(state.usable(order.destination, order.currency));
    let settled = state.usable(available, order.currency);
    for (account, has, settled) in [(order.destination, unsettled, false), (available, settled, true)] {
        let amount = has.min(left);
        if amount > 0 {
            taken.push(Share { merchant, account, amount, settled });
            left = left.saturating_sub(amount);
        }
    }
    Ok(taken)
}

/// How the order's shares shrink: 2203 gives other orders' money too, which is no share of this one.
fn less(order: &Order, taken: &[Share]) -> Vec<Share> {
    let shrink = |share: &Share| {
        let has = if share.settled { order.share(share.merchant, true).max(0) } else { share.amount };
        Share { amount: share.amount.min(has).saturating_neg(), ..*share }
    };
    taken.iter().map(shrink).filter(|share| share.amount != 0).collect()
}

/// # Errors
/// `chargeback_unknown`, `chargeback_state`, and those of the voucher.
fn win(draft: &mut Draft<'_>, id: ChargebackId) -> Result<Reply, Refusal> {
    let chargeback = draft.state.chargeback(id)?.clone();
    chargeback.require("win")?;
    // Its money counts as the leg's and the order's again.
    draft.state.leg(chargeback.leg)?;
    draft.state.order(chargeback.order)?;
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
    let order = draft.state.order(chargeback.order)?.clone();
    let rail = draft.state.leg(chargeback.leg)?.instrument.rail();
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
    let voucher = draft.post(number(id), EventCode::ChargebackWon, entries, order.dimensions(Some(rail), None))?;
    if let Some(id) = chargeback.arrears {
        arrears::undo(draft, id, owed);
    }
    let back = Share { merchant, account, amount: rest, settled: true };
    Ok((voucher, if takes && rest > 0 { alloc::vec![back] } else { Vec::new() }))
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
            let Chargeback { id, order, leg, amount, .. } = *chargeback;
            charge(state, order, leg, amount, &[]);
            state.chargeback_cases.insert(chargeback.case_number.clone(), id);
            state.chargebacks.insert(id.0, chargeback.clone());
        }
        ChargebackEvent::Booked { chargeback, taken, shares, lack, arrears, voucher, operator } => {
            let step = ChargebackStep { at: state.now, operator: operator.clone(), voucher: Some(*voucher) };
            let chargeback = row(state, *chargeback);
            chargeback.status = ChargebackStatus::Booked;
            chargeback.taken.clone_from(taken);
            chargeback.lack = *lack;
            chargeback.arrears = *arrears;
            chargeback.booked = Some(step);
            let (order, leg) = (chargeback.order, chargeback.leg);
            charge(state, order, leg, 0, shares);
        }
        ChargebackEvent::Won { chargeback, shares, voucher, operator } => {
            let step = ChargebackStep { at: state.now, operator: operator.clone(), voucher: *voucher };
            let chargeback = row(state, *chargeback);
            chargeback.status = ChargebackStatus::Won;
            chargeback.won = Some(step);
            let (order, leg, amount) = (chargeback.order, chargeback.leg, chargeback.amount);
            charge(state, order, leg, amount.saturating_neg(), shares);
        }
    }
}

fn row(state: &mut State, id: ChargebackId) -> &mut Chargeback {
    state.chargebacks.get_mut(id.0).expect("decide checked the chargeback")
}

/// Changes what of an order and its leg is charged back, and the order's shares.
fn charge(state: &mut State, order: OrderId, leg: LegId, amount: Minor, shares: &[Share]) {
    order::change(state, order, |order| {
        order.charged_back += amount;
        order::add_shares(order, shares);
    });
    state.legs.get_mut(leg.0).expect("decide checked the leg").charged_back += amount;
}
