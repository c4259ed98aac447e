//! Orders (统一订单): what is bought from whom, how far its payment has come, and who has what of the money.
//!
//! ```text
//!  CreateOrder ─► CREATED ─ PayOrder ─► PAYING ─ every leg is in ─► SUCCESS ─ all legs cleared ─► due at T+1 ─ Settle
//!                    │                   │  └ a try fails while tries are left: stays, and takes another PayOrder
//!                    │                   ├─ the last try fails, or money needs a person ─► FAILED
//!                    └─── CloseOrder ────┼─ (no leg open at a channel) ─► CLOSED
//!                                        ├─ (a page is open) ─► closing ─ the channel says that nobody paid ─► CLOSED
//!                                        ├─ nobody paid at the last try's page before it expired ─► CLOSED
//!                                        └─ its own time is over: see `expiry`
//! ```
//! A payment that the channel tells of while the order is closing pays it: only the channel's word closes (关单确认). One that is
//! told after that goes to 2243 and back.
//!
//! An order is never unknown; its legs are. While one is, the order takes no other attempt.
//!
//! Invariants: amount = Σ items; [`Order::payable`], what the payer pays, = fee + net + outside. Σ of a merchant's unsettled shares is
//! what its orders put on its 2202. A share falls below zero when a refund took more from the merchant than the order had brought it (the
//! fee was kept); such a share is due at once, so that a settlement never promises money that is gone.

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use minicbor::{Decode, Encode};

use crate::account::Owner;
use crate::advance::policy;
use crate::attempt::{FailureClass, Rail};
use crate::block_list::{self, Blocked};
use crate::book::Subject;
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::fee_plan::Charge;
use crate::ids::{AccountId, FeePlanId, LegId, MerchantId, OrderId, UserId, VoucherId};
use crate::leg::Instrument;
use crate::money::{Currency, Minor, add, positive};
use crate::recall::Leaves;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::Dimensions;
use crate::{front_page, fund_batch, payment};

pub mod expiry;
mod guard;
mod payable;
mod share;
#[cfg(test)]
mod tests;

use guard::{Close, can_close};
pub(crate) use guard::{can_pay, can_refund, can_split};
pub use share::{ClearedOrder, Share};
pub(crate) use share::{add_shares, apply_cleared, change};

/// The most items of one order.
pub const MAX_ITEMS: usize = 20;
/// The most tries an order may allow.
pub const MAX_TRIES: u8 = 9;

/// What is bought, which decides what may pay it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ItemKind {
    /// Rent (租金): provident fund may pay it.
    #[n(0)]
    Rent,
    /// A deposit (押金).
    #[n(1)]
    Deposit,
    /// A service fee (服务费).
    #[n(2)]
    ServiceFee,
    /// A broker's commission (佣金).
    #[n(3)]
    Commission,
    /// Earnest money for a house (定金).
    #[n(4)]
    EarnestMoney,
    /// The price of a house (房款): no credit card pays it.
    #[n(5)]
    HousePrice,
}

impl ItemKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Rent, Self::Deposit, Self::ServiceFee, Self::Commission, Self::EarnestMoney, Self::HousePrice];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rent => "rent",
            Self::Deposit => "deposit",
            Self::ServiceFee => "service_fee",
            Self::Commission => "commission",
            Self::EarnestMoney => "earnest_money",
            Self::HousePrice => "house_price",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A line of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Item {
    /// What it is.
    #[n(0)]
    pub kind: ItemKind,
    /// Minor units above zero.
    #[n(1)]
    pub amount: Minor,
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum OrderStatus {
    /// Nothing was tried yet.
    #[n(0)]
    Created,
    /// A try is under way, or another may be made.
    #[n(1)]
    Paying,
    /// Paid.
    #[n(2)]
    Success,
    /// Not paid, for good.
    #[n(3)]
    Failed,
    /// Not paid: ended by the merchant or by its time, or nobody paid at the last page before it expired.
    #[n(4)]
    Closed,
}

impl OrderStatus {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Paying => "paying",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Closed => "closed",
        }
    }
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Order {
    /// Its id.
    #[n(0)]
    pub id: OrderId,
    /// Who sells, and is paid.
    #[n(1)]
    pub merchant: MerchantId,
    /// The merchant's own number.
    #[n(2)]
    pub out_trade_no: String,
    /// Who pays.
    #[n(3)]
    pub payer: UserId,
    /// The payer's product.
    #[n(4)]
    pub product: String,
    /// What is bought.
    #[n(5)]
    pub items: Vec<Item>,
    /// Σ items.
    #[n(6)]
    pub amount: Minor,
    /// Its currency.
    #[n(7)]
    pub currency: Currency,
    /// The institution's fee, inside the amount or on top of it.
    #[n(8)]
    pub fee: Minor,
    /// What reaches the destination: what the payer pays − outside − fee.
    #[n(9)]
    pub net: Minor,
    /// The merchant's 2202, or an agreement account.
    #[n(10)]
    pub destination: AccountId,
    /// Whether it is settled at T+1; money on an agreement account is not.
    #[n(11)]
    pub settles: bool,
    /// Where it stands.
    #[n(12)]
    pub status: OrderStatus,
    /// How many tries it may take.
    #[n(13)]
    pub tries_allowed: u8,
    /// How many tries were made: the attempt count of the payment.
    #[n(14)]
    pub tries: u8,
    /// Whether a try is under way.
    #[n(15)]
    pub trying: bool,
    /// The legs of every try.
    #[n(16)]
    pub legs: Vec<LegId>,
    /// Who has what of it; the merchant's own comes first.
    #[n(17)]
    pub shares: Vec<Share>,
    /// Receivers of its splits in the order in which a refund takes their parts back.
    #[n(18)]
    pub return_order: Vec<MerchantId>,
    /// Refunded, or on its way back.
    #[n(19)]
    pub refunded: Minor,
    /// The part of it whose fee is returned too.
    #[n(20)]
    pub refunded_with_fee: Minor,
    /// Fee returned so far.
    #[n(21)]
    pub fee_returned: Minor,
    /// From when on its shares may be settled, once every leg is matched in a clearing file.
    #[n(22)]
    pub due: Option<Date>,
    /// When it was created.
    #[n(23)]
    pub created_at: Time,
    /// When the last try began.
    #[n(24)]
    pub tried_at: Option<Time>,
    /// When it became final.
    #[n(25)]
    pub ended_at: Option<Time>,
    /// Whose failure the first try's was.
    #[n(26)]
    pub first_failure: Option<FailureClass>,
    /// Whose failure the last failed try's was.
    #[n(27)]
    pub failure: Option<FailureClass>,
    /// The voucher that credited the destination.
    #[n(28)]
    pub voucher: Option<VoucherId>,
    /// Charged back by the payer's bank, or about to be.
    #[n(29)]
    #[cbor(default)]
    pub charged_back: Minor,
    /// The merchant wants it closed, or its time is over, and the channel has not said yet that nobody paid.
    #[n(30)]
    #[cbor(default)]
    pub closing: bool,
    /// What a provident-fund centre paid the merchant directly: it is in no voucher here.
    #[n(31)]
    #[cbor(default)]
    pub outside: Minor,
    /// What of each item was refunded, or is on its way, by refunds that named items; nothing yet if empty.
    #[n(32)]
    #[cbor(default)]
    pub items_refunded: Vec<Minor>,
    /// Until when it may be paid; for ever if none.
    #[n(33)]
    pub expires_at: Option<Time>,
    /// Its time was over before it ended.
    #[n(34)]
    #[cbor(default)]
    pub expired: bool,
    /// The version of the merchant's plan that gave its fee; none if the merchant's rate did, or if it has no fee.
    #[n(35)]
    #[cbor(default)]
    pub fee_plan: Option<FeePlanId>,
    /// The fee, where the payer pays it on top of the amount; none where the merchant bears it.
    #[n(36)]
    pub fee_on_top: Option<Minor>,
}

impl Leaves for Order {
    /// Whether it ended, and, if it was paid, its money is cleared and settled. It may be refunded or charged back still.
    fn is_closed(&self) -> bool {
        let ended = match self.status {
            OrderStatus::Created | OrderStatus::Paying => false,
            OrderStatus::Success => self.due.is_some(),
            OrderStatus::Failed | OrderStatus::Closed => !self.trying,
        };
        ended && self.dues().is_empty()
    }
}

impl Order {
    /// What a merchant has of it, settled or not.
    #[must_use]
    pub fn share(&self, merchant: MerchantId, settled: bool) -> Minor {
        self.shares
            .iter()
            .find(|share| share.merchant == merchant && share.settled == settled)
            .map_or(0, |share| share.amount)
    }

    /// True once every share of it was settled.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.due.is_some() && self.shares.iter().all(|share| share.settled || share.amount == 0)
    }

    /// Σ items of a kind.
    #[must_use]
    pub fn sum_of(&self, kind: ItemKind) -> Minor {
        self.items.iter().filter(|item| item.kind == kind).map(|item| item.amount).sum()
    }

    /// What a voucher of this order is counted under.
    #[must_use]
    pub fn dimensions(&self, rail: Option<Rail>, clearing_date: Option<Date>) -> Dimensions {
        Dimensions {
            product: Some(self.product.clone()),
            channel: rail.map(|rail| rail.name().into()),
            merchant: Some(self.merchant),
            clearing_date,
            ..Dimensions::default()
        }
    }

    /// What may be done with it now, by the guards that `decide` asks.
    #[must_use]
    pub fn allowed_actions(&self, state: &State) -> Vec<&'static str> {
        let guards: [(&str, Result<(), Refusal>); 5] = [
            ("pay", can_pay(state, self, state.now)),
            ("front_page", front_page::can_hand_out(state, self, state.now).map(|_| ())),
            ("close", can_close(state, self).map(|_| ())),
            ("split", can_split(self)),
            ("refund", can_refund(self)),
        ];
        guards.into_iter().filter(|(_, guard)| guard.is_ok()).map(|(action, _)| action).collect()
    }
}

/// Creates an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateOrder {
    /// Who sells, and is paid.
    pub merchant: MerchantId,
    /// The merchant's own number; the engine keeps it unique.
    pub out_trade_no: String,
    /// Who pays.
    pub payer: UserId,
    /// What is bought.
    pub items: Vec<Item>,
    /// Must be the destination's.
    pub currency: Currency,
    /// An agreement account in place of the merchant's 2202: then there is no fee and no settlement.
    pub destination: Option<AccountId>,
    /// How many tries it may take, 1 to [`MAX_TRIES`].
    pub tries_allowed: u8,
    /// Until when it may be paid, at most [`expiry::MAX_LIFE_MS`] from now; for ever if none.
    pub expires_at: Option<Time>,
    /// What pays it at once, in its first try; none if it is paid later.
    pub instruments: Vec<Instrument>,
}

/// Creates an order, and pays it if it names what pays: both or neither.
///
/// # Errors
/// `merchant_unknown`, `user_unknown`, `value_invalid`, `amount_not_positive`, `amount_overflow`, `account_unknown`,
/// `account_closed`, `subject_not_allowed`, `currency_mismatch`, `blocked`, `fee_above_amount`; with instruments those of
/// [`decide_pay`](payment::decide_pay).
pub fn decide_create(draft: &mut Draft<'_>, command: CreateOrder) -> Result<Reply, Refusal> {
    check_terms(&command, draft.context.now)?;
    let CreateOrder { merchant, out_trade_no, payer, items, currency, destination, .. } = command;
    let CreateOrder { tries_allowed, expires_at, instruments, .. } = command;
    let product = draft.state.user(payer)?.product.clone();
    let (fee_rate, pending) = draft.state.merchant(merchant).map(|merchant| (merchant.fee_rate, merchant.pending))?;
    refuse_blocked(draft, merchant, payer, &[])?;
    let amount = total(&items)?;
    let settles = destination.is_none();
    let destination = match destination {
        None => pending,
        Some(account) => agreement_account(draft.state, account)?,
    };
    let kept_in = draft.state.open_account(destination, "destination")?.currency;
    if kept_in != currency {
        let message = format!("{destination} is kept in {}, the order is in {}", kept_in.code(), currency.code());
        return Err(Refusal::new(RefusalCode::CurrencyMismatch, "currency", message));
    }
    let charged = if settles { Charge::of(draft.state, merchant, fee_rate, amount)? } else { Charge::none(amount) };
    let id = OrderId(draft.state.orders.next_id());
    draft.emit(Event::OrderCreated(Order {
        id,
        merchant,
        out_trade_no,
        payer,
        product,
        items,
        amount,
        currency,
        fee: charged.fee,
        net: charged.net,
        destination,
        settles,
        status: OrderStatus::Created,
        tries_allowed,
        tries: 0,
        trying: false,
        legs: Vec::new(),
        shares: Vec::new(),
        return_order: Vec::new(),
        refunded: 0,
        refunded_with_fee: 0,
        fee_returned: 0,
        due: None,
        created_at: draft.context.now,
        tried_at: None,
        ended_at: None,
        first_failure: None,
        failure: None,
        voucher: None,
        charged_back: 0,
        closing: false,
        outside: 0,
        items_refunded: Vec::new(),
        expires_at,
        expired: false,
        fee_plan: charged.plan,
        fee_on_top: charged.on_top,
    }));
    if instruments.is_empty() { Ok(Reply::Order(id)) } else { payment::decide_pay(draft, id, instruments) }
}

/// Refuses what no state makes right.
fn check_terms(command: &CreateOrder, now: Time) -> Result<(), Refusal> {
    let CreateOrder { out_trade_no, tries_allowed, expires_at, .. } = command;
    name_fits(out_trade_no, "out_trade_no")?;
    if !(1..=MAX_TRIES).contains(tries_allowed) {
        let message = format!("{tries_allowed} tries cannot be allowed; allow 1 to {MAX_TRIES}");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "tries_allowed", message));
    }
    expiry::check(*expires_at, now)
}

/// Refuses an order, or a try to pay it, if who buys, who sells or a card that pays is blocked.
pub(crate) fn refuse_blocked(
    draft: &Draft<'_>,
    merchant: MerchantId,
    payer: UserId,
    instruments: &[Instrument],
) -> Result<(), Refusal> {
    let owners = [Owner::Merchant(merchant), Owner::User(payer)];
    let parties = owners.into_iter().flat_map(|owner| block_list::of_owner(draft.state, owner));
    let cards = instruments.iter().flat_map(Instrument::agreements).map(|agreement| Blocked::Card(agreement.clone()));
    block_list::refuse(draft.state, draft.context.now, parties.chain(cards))
}

/// A caller's own number or token: 1 to 64 bytes.
pub(crate) fn name_fits(text: &str, param: &'static str) -> Result<(), Refusal> {
    if (1..=64).contains(&text.len()) {
        return Ok(());
    }
    let message = format!("it has {} bytes; use 1 to 64", text.len());
    Err(Refusal::new(RefusalCode::ValueInvalid, param, message))
}

fn total(items: &[Item]) -> Result<Minor, Refusal> {
    if items.is_empty() || items.len() > MAX_ITEMS {
        let message = format!("the order has {} items; use 1 to {MAX_ITEMS}", items.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "items", message));
    }
    items.iter().try_fold(0, |sum, item| add(sum, positive(item.amount, "items")?, "items"))
}

fn agreement_account(state: &State, id: AccountId) -> Result<AccountId, Refusal> {
    let account = state.open_account(id, "destination")?;
    if account.subject == Subject::Agreement {
        return Ok(id);
    }
    let message = format!(
        "{id} is of subject {}; name an agreement account (2204), or leave it out for the merchant's own",
        account.subject.code()
    );
    Err(Refusal::new(RefusalCode::SubjectNotAllowed, "destination", message))
}

/// Closes an order that nobody will pay: at once, or, where a payer may be at a channel's page, once the channel has said
/// that nobody paid. A fund that waits for its monthly batch waits no more.
///
/// # Errors
/// `order_unknown`, `order_state` for a final order, one that is being closed, or one with another leg open at a channel.
pub fn decide_close(draft: &mut Draft<'_>, id: OrderId) -> Result<Reply, Refusal> {
    match can_close(draft.state, draft.state.order(id)?)? {
        Close::Now => draft.emit(Event::OrderClosed(id)),
        Close::Asked => {
            draft.emit(Event::OrderClosing(id));
            front_page::withdraw(draft, id)?;
            fund_batch::withdraw(draft, id)?;
        }
    }
    Ok(Reply::Order(id))
}

impl State {
    /// The order.
    ///
    /// # Errors
    /// `order_unknown`.
    pub fn order(&self, id: OrderId) -> Result<&Order, Refusal> {
        let unknown = || Refusal::new(RefusalCode::OrderUnknown, "order", format!("there is no order {id}"));
        self.orders.get(id.0).ok_or_else(unknown)
    }
}

pub(crate) fn apply_succeeded(state: &mut State, id: OrderId, voucher: Option<VoucherId>) {
    let now = state.now;
    change(state, id, |order| {
        order.status = OrderStatus::Success;
        order.trying = false;
        order.ended_at = Some(now);
        order.voucher = voucher;
        let (merchant, account, amount) = (order.merchant, order.destination, order.net);
        order.shares = vec![Share { merchant, account, amount, settled: false }];
    });
    if let Some(merchant) = state.orders.get(id.0).map(|order| order.merchant) {
        policy::apply_traded(state, merchant);
    }
}

pub(crate) fn apply_try_failed(state: &mut State, id: OrderId, class: Option<FailureClass>, status: OrderStatus) {
    let now = state.now;
    change(state, id, |order| {
        order.status = status;
        order.trying = false;
        order.failure = class;
        if order.tries == 1 {
            order.first_failure = class;
        }
        if status == OrderStatus::Failed {
            order.ended_at = Some(now);
        }
    });
}

pub(crate) fn apply_closed(state: &mut State, id: OrderId) {
    let now = state.now;
    change(state, id, |order| {
        order.status = OrderStatus::Closed;
        order.ended_at = Some(now);
    });
}

pub(crate) fn apply_closing(state: &mut State, id: OrderId) {
    change(state, id, |order| order.closing = true);
}
