//! Vouchers (凭证): the only way a balance changes. Debits equal credits per book and currency.
//!
//! A voucher is one event, so its position in the journal is its address. Nothing is updated or deleted: a mistake is
//! undone by a contra (冲销), a voucher with the sides turned.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::account::{Account, AccountStatus};
use crate::agreement;
use crate::book::{Book, Side, Subject};
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, MerchantId, StreamId, VoucherId};
use crate::money::{Currency, Minor, positive};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

#[cfg(test)]
mod tests;

/// The most entries of one voucher.
pub const MAX_ENTRIES: usize = 1_000;

/// One line of a voucher (分录).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Entry {
    /// The account.
    #[n(0)]
    pub account: AccountId,
    /// Debit or credit.
    #[n(1)]
    pub side: Side,
    /// Minor units above zero.
    #[n(2)]
    pub amount: Minor,
    /// Must be the account's.
    #[n(3)]
    pub currency: Currency,
}

impl Entry {
    /// A debit (借).
    #[must_use]
    pub const fn debit(account: AccountId, amount: Minor, currency: Currency) -> Self {
        Self { account, side: Side::Debit, amount, currency }
    }

    /// A credit (贷).
    #[must_use]
    pub const fn credit(account: AccountId, amount: Minor, currency: Currency) -> Self {
        Self { account, side: Side::Credit, amount, currency }
    }
}

/// What kind of business object a voucher belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum BusinessKind {
    /// An order.
    #[n(0)]
    Order,
    /// A leg of a payment.
    #[n(1)]
    Leg,
    /// A split.
    #[n(2)]
    Split,
    /// A refund.
    #[n(3)]
    Refund,
    /// A payout or withdrawal.
    #[n(4)]
    Payout,
    /// A settlement.
    #[n(5)]
    Settlement,
    /// A clearing file.
    #[n(6)]
    Clearing,
    /// A hold.
    #[n(7)]
    Hold,
    /// An agreement.
    #[n(8)]
    Agreement,
    /// One try at a channel.
    #[n(9)]
    Attempt,
    /// A conversion between currencies.
    #[n(21)]
    Conversion,
}

impl BusinessKind {
    /// The prefix of the object's id.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Order => "ord",
            Self::Leg => "leg",
            Self::Split => "spl",
            Self::Refund => "rfd",
            Self::Payout => "pay",
            Self::Settlement => "stl",
            Self::Clearing => "clr",
            Self::Hold => "hld",
            Self::Agreement => "agr",
            Self::Attempt => "att",
            Self::Conversion => "cnv",
        }
    }
}

/// The business number (业务编号): with the event code it is unique.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum BusinessNumber {
    /// One voucher of a bulk posting.
    #[n(0)]
    Bulk {
        /// The stream.
        #[n(0)]
        stream: StreamId,
        /// The posting's number in the stream.
        #[n(1)]
        number: u64,
        /// The voucher's place in the posting, from 0.
        #[n(2)]
        index: u32,
    },
    /// A step of a business object.
    #[n(1)]
    Object {
        /// Its kind.
        #[n(0)]
        kind: BusinessKind,
        /// Its id.
        #[n(1)]
        id: u64,
    },
    /// A number the caller gave.
    #[n(2)]
    Text(#[n(0)] Box<str>),
    /// One of several steps of the same kind of a business object, such as the second confirm of a hold.
    #[n(3)]
    Step {
        /// Its kind.
        #[n(0)]
        kind: BusinessKind,
        /// Its id.
        #[n(1)]
        id: u64,
        /// Which one, from 1.
        #[n(2)]
        step: u32,
    },
}

impl BusinessNumber {
    /// The number of a step of a business object.
    #[must_use]
    pub const fn object(kind: BusinessKind, id: u64) -> Self {
        Self::Object { kind, id }
    }

    /// The number of the `step`-th of several such steps, from 1.
    #[must_use]
    pub const fn step(kind: BusinessKind, id: u64, step: u32) -> Self {
        Self::Step { kind, id, step }
    }
}

impl core::fmt::Display for BusinessNumber {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Bulk { stream, number, index } => write!(f, "{stream}/{number}/{index}"),
            Self::Object { kind, id } => write!(f, "{}_{id}", kind.prefix()),
            Self::Text(text) => f.write_str(text),
            Self::Step { kind, id, step } => write!(f, "{}_{id}/{step}", kind.prefix()),
        }
    }
}

macro_rules! event_codes {
    ($($number:literal $name:ident $text:literal $doc:literal;)*) => {
        /// The event code (事件码): which step of the business a voucher books. Number and name are for ever.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
        #[cbor(index_only)]
        pub enum EventCode {
            $(#[doc = $doc] #[n($number)] $name,)*
        }

        impl EventCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name that callers and statements see.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Its number in files.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number,)* }
            }
        }
    };
}

event_codes! {
    0 Transfer "transfer" "A posting by the caller's own words.";
    1 PaymentCaptured "payment_captured" "A payment came in by one instrument.";
    2 LegCaptured "leg_captured" "One leg of a combined payment came in.";
    3 OrderPaid "order_paid" "Every leg of a combined payment is in.";
    4 LegReversed "leg_reversed" "A finished leg was taken back.";
    5 FeeIncome "fee_income" "The institution's fee, mirrored in its own books.";
    6 SplitPaid "split_paid" "One part of a split.";
    7 SplitReturned "split_returned" "One part of a split, returned for a refund.";
    8 RefundStarted "refund_started" "A refund left the merchant.";
    9 RefundSucceeded "refund_succeeded" "A refund reached the payer.";
    10 RefundFailed "refund_failed" "A refund did not; the contra of its start.";
    11 PayoutSent "payout_sent" "A payout left the account.";
    12 PayoutSucceeded "payout_succeeded" "A payout reached the bank account.";
    13 PayoutFailed "payout_failed" "A payout did not; the contra of its sending.";
    14 PayoutReturned "payout_returned" "A payout came back after success.";
    15 SuspenseAllocated "suspense_allocated" "Money in suspense found its account.";
    16 ClearingSession "clearing_session" "The net of a clearing file reached the central bank account.";
    17 Settled "settled" "A merchant's matched payments became available.";
    18 RefundDue "refund_due" "Money that no order can use.";
    19 AgreementDeposit "agreement_deposit" "Money into an agreement account.";
    20 AgreementPayment "agreement_payment" "Money out of an agreement account to a listed receiver.";
    21 TopUp "top_up" "Money into a payment account.";
    22 HoldConfirmed "hold_confirmed" "Held money moved.";
    23 Opening "opening" "A balance brought in from another system.";
    24 FeeReturned "fee_returned" "A fee given back, mirrored in the institution's own books.";
    70 HoldReceived "hold_received" "Announced money came in.";
    71 ConversionSold "conversion_sold" "The currency that a customer gave in a conversion.";
    72 ConversionBought "conversion_bought" "The currency that a customer got in a conversion.";
    73 ConversionSoldReversed "conversion_sold_reversed" "What was given in a conversion, back; the contra of its voucher.";
    74 ConversionBoughtReversed "conversion_bought_reversed" "What was got in a conversion, back; the contra of its voucher.";
    75 AgreementRest "agreement_rest" "What was left on an agreement account, back to its party.";
    30 SplitRestored "split_restored" "Returned parts of a split went to their receivers again, as the refund failed.";
}

impl EventCode {
    /// The code of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }

    /// The code of a number.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }
}

/// What a voucher is counted under beside its accounts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Dimensions {
    /// The legal entity, where one platform serves several.
    #[n(0)]
    pub legal_entity: Option<u16>,
    /// The product.
    #[n(1)]
    pub product: Option<String>,
    /// The region (GB/T 2260, six digits).
    #[n(2)]
    pub region: Option<u32>,
    /// The channel.
    #[n(3)]
    pub channel: Option<String>,
    /// The merchant.
    #[n(4)]
    pub merchant: Option<MerchantId>,
    /// The network's clearing date.
    #[n(5)]
    pub clearing_date: Option<Date>,
}

/// A voucher as it stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Voucher {
    /// The business number.
    #[n(0)]
    pub business: BusinessNumber,
    /// The step of the business.
    #[n(1)]
    pub event: EventCode,
    /// The accounting date (会计日期).
    #[n(2)]
    pub date: Date,
    /// Two or more.
    #[n(3)]
    pub entries: Vec<Entry>,
    /// What it is counted under.
    #[n(4)]
    pub dimensions: Option<Box<Dimensions>>,
    /// The voucher that this one undoes.
    #[n(5)]
    pub contra_of: Option<VoucherId>,
}

/// An entry as the account's history keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedEntry {
    /// The account.
    pub account: AccountId,
    /// The entry's number within the account, from 1.
    pub number: u64,
    /// The voucher.
    pub voucher: VoucherId,
    /// When it was posted.
    pub posted_at: Time,
    /// The accounting date.
    pub date: Date,
    /// Debit or credit.
    pub side: Side,
    /// The step of the business.
    pub event: EventCode,
    /// Minor units above zero.
    pub amount: Minor,
    /// The account's balance after it, in the order of the entry numbers.
    pub balance: Minor,
    /// The first account on the voucher's other side.
    pub counterpart: AccountId,
    /// The business number.
    pub business: BusinessNumber,
    /// What it is counted under.
    pub dimensions: Option<Box<Dimensions>>,
}

/// Posts one voucher by the caller's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostVoucher {
    /// The caller's business number.
    pub business: BusinessNumber,
    /// The step of the business.
    pub event: EventCode,
    /// The accounting date the caller expects, if it matters to it.
    pub date: Option<Date>,
    /// Two or more.
    pub entries: Vec<Entry>,
    /// What it is counted under.
    pub dimensions: Option<Box<Dimensions>>,
}

/// Posts one voucher.
///
/// # Errors
/// Every refusal of [`check`]; `day_closed` and `day_not_open` if the date is not the open day; `subject_not_allowed` for
/// entries that are not made by hand.
pub fn decide_post(draft: &mut Draft<'_>, command: PostVoucher) -> Result<Reply, Refusal> {
    let date = draft.state.days.posting_date(command.date)?;
    let PostVoucher { business, event, entries, dimensions, .. } = command;
    let voucher = Voucher { business, event, date, entries, dimensions, contra_of: None };
    check_by_hand(draft.state, &voucher)?;
    Ok(Reply::Voucher(draft.emit_voucher(voucher)))
}

/// As [`check`], for a voucher by the caller's own words.
///
/// # Errors
/// Every refusal of [`check`]; `subject_not_allowed` on 1101, which moves only on a statement line, and where money
/// would leave an agreement's account.
pub(crate) fn check_by_hand(state: &State, voucher: &Voucher) -> Result<(), Refusal> {
    check(state, voucher)?;
    refuse_entries_by_hand(state, &voucher.entries)
}

/// Refuses entries that no one makes by hand.
pub(crate) fn refuse_entries_by_hand(state: &State, entries: &[Entry]) -> Result<(), Refusal> {
    for entry in entries {
        if let Some(account) = state.accounts.get(entry.account.0) {
            refuse_by_hand(account, entry.side)?;
        }
    }
    Ok(())
}

/// Refuses an entry on `side` of the account if no one makes it by hand.
pub(crate) fn refuse_by_hand(account: &Account, side: Side) -> Result<(), Refusal> {
    if account.subject == Subject::CentralBank {
        let message = format!("{} is 1101, which moves only on a statement line of the central bank", account.id);
        return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "account", message));
    }
    if account.grows_on(side) { Ok(()) } else { agreement::refuse_by_hand(account) }
}

/// Whether a voucher may be posted as the accounts stand.
///
/// # Errors
/// `voucher_too_short`, `voucher_too_long`, `amount_not_positive`, `account_unknown`, `account_closed`,
/// `currency_mismatch`, `account_restricted`, `insufficient_funds`, `amount_overflow`, `voucher_currencies`,
/// `voucher_unbalanced`.
pub fn check(state: &State, voucher: &Voucher) -> Result<(), Refusal> {
    let entries = &voucher.entries;
    if entries.len() < 2 {
        let message = format!("the voucher has {} entries; it needs at least two", entries.len());
        return Err(Refusal::new(RefusalCode::VoucherTooShort, "entries", message));
    }
    if entries.len() > MAX_ENTRIES {
        let message =
            format!("the voucher has {} entries; split it into vouchers of at most {MAX_ENTRIES}", entries.len());
        return Err(Refusal::new(RefusalCode::VoucherTooLong, "entries", message));
    }
    for (at, entry) in entries.iter().enumerate() {
        let account = check_entry(state, entry)?;
        let seen_before = entries.iter().take(at).any(|earlier| earlier.account == entry.account);
        if !seen_before {
            check_account(state, account, voucher)?;
        }
    }
    check_one_currency(entries)?;
    check_balanced(state, entries)
}

/// A voucher of two currencies would hide a conversion; what belongs together is two vouchers under one business number.
fn check_one_currency(entries: &[Entry]) -> Result<(), Refusal> {
    let Some((first, others)) = entries.split_first() else { return Ok(()) };
    let Some(other) = others.iter().find(|entry| entry.currency != first.currency) else { return Ok(()) };
    let (one, two) = (first.currency.code(), other.currency.code());
    let message = format!("the voucher has entries in {one} and in {two}; post one for each, or make a conversion");
    Err(Refusal::new(RefusalCode::VoucherCurrencies, "entries", message))
}

fn check_entry<'a>(state: &'a State, entry: &Entry) -> Result<&'a Account, Refusal> {
    positive(entry.amount, "amount")?;
    let account = state.open_account(entry.account, "account")?;
    debug_assert_eq!(account.status, AccountStatus::Open);
    if account.currency != entry.currency {
        let message =
            format!("{} is kept in {}, the entry is in {}", account.id, account.currency.code(), entry.currency.code());
        return Err(Refusal::new(RefusalCode::CurrencyMismatch, "currency", message));
    }
    Ok(account)
}

/// What the whole voucher does to one of its accounts. A contra may bring money back to an account that is barred from
/// taking any: it undoes an entry and adds nothing.
fn check_account(state: &State, account: &Account, voucher: &Voucher) -> Result<(), Refusal> {
    let overflow = || {
        let message = format!("the voucher would take {} out of the range of 64-bit minor units", account.id);
        Refusal::new(RefusalCode::AmountOverflow, "amount", message)
    };
    let (mut grows, mut shrinks) = (0_i64, 0_i64);
    for entry in voucher.entries.iter().filter(|entry| entry.account == account.id) {
        let sum = if account.grows_on(entry.side) { &mut grows } else { &mut shrinks };
        *sum = sum.checked_add(entry.amount).ok_or_else(overflow)?;
    }
    let change = grows.checked_sub(shrinks).ok_or_else(overflow)?;
    account.balance.checked_add(change).ok_or_else(overflow)?;
    state.days.check_turnover(account, grows.max(shrinks), voucher.date).ok_or_else(overflow)?;
    let in_barred = grows > 0 && account.restriction.in_barred && voucher.contra_of.is_none();
    let out_barred = shrinks > 0 && account.restriction.out_barred;
    if in_barred || out_barred {
        let way = if out_barred { "out" } else { "in" };
        let message = format!("{} is restricted: no money may go {way}; lift the restriction first", account.id);
        return Err(Refusal::new(RefusalCode::AccountRestricted, "account", message));
    }
    if change < 0 && !account.overdraft && account.available().saturating_add(change) < 0 {
        let message = format!(
            "{} has {} available of balance {} and the voucher takes {}",
            account.id,
            account.available(),
            account.balance,
            change.saturating_neg()
        );
        return Err(Refusal::new(RefusalCode::InsufficientFunds, "amount", message));
    }
    Ok(())
}

fn check_balanced(state: &State, entries: &[Entry]) -> Result<(), Refusal> {
    for (at, entry) in entries.iter().enumerate() {
        let key = book_and_currency(state, entry);
        if entries.iter().take(at).any(|earlier| book_and_currency(state, earlier) == key) {
            continue;
        }
        let (mut debits, mut credits) = (0_i128, 0_i128);
        for other in entries.iter().filter(|other| book_and_currency(state, other) == key) {
            let sum = match other.side {
                Side::Debit => &mut debits,
                Side::Credit => &mut credits,
            };
            *sum = sum.saturating_add(i128::from(other.amount));
        }
        if debits != credits {
            let book = key.map_or("?", |(book, _)| book.name());
            let message = format!(
                "in {book} and {} debits are {debits} and credits {credits}; make them equal",
                entry.currency.code()
            );
            return Err(Refusal::new(RefusalCode::VoucherUnbalanced, "entries", message));
        }
    }
    Ok(())
}

fn book_and_currency(state: &State, entry: &Entry) -> Option<(Book, Currency)> {
    state.accounts.get(entry.account.0).map(|account| (account.subject.book(), account.currency))
}

/// A voucher was posted: its accounts move and each entry gets its number and the balance after it.
pub(crate) fn apply_posted(state: &mut State, voucher: &Voucher) {
    let id = VoucherId(state.position);
    let slot = state.days.slot(voucher.date).expect("decide stamped an open day");
    for entry in &voucher.entries {
        let account = state.accounts.change(entry.account.0).expect("decide checked the account");
        let change = if account.grows_on(entry.side) { entry.amount } else { -entry.amount };
        account.balance = account.balance.checked_add(change).expect("decide checked the sum");
        account.entries += 1;
        let (number, balance) = (account.entries, account.balance);
        state.days.turn_over(slot, account, entry);
        let counterpart =
            voucher.entries.iter().find(|other| other.side != entry.side).map_or(entry.account, |other| other.account);
        state.posted.push(PostedEntry {
            account: entry.account,
            number,
            voucher: id,
            posted_at: state.now,
            date: voucher.date,
            side: entry.side,
            event: voucher.event,
            amount: entry.amount,
            balance,
            counterpart,
            business: voucher.business.clone(),
            dimensions: voucher.dimensions.clone(),
        });
    }
}

impl Draft<'_> {
    /// Checks and posts a voucher of the open day for a business object.
    ///
    /// # Errors
    /// Every refusal of [`check`].
    pub fn post(
        &mut self,
        business: BusinessNumber,
        event: EventCode,
        entries: Vec<Entry>,
        dimensions: Dimensions,
    ) -> Result<VoucherId, Refusal> {
        self.post_contra(business, event, entries, dimensions, None)
    }

    /// As [`Self::post`], for a voucher that may undo another (冲销): the entries stand as they shall be posted.
    ///
    /// # Errors
    /// Every refusal of [`check`].
    pub fn post_contra(
        &mut self,
        business: BusinessNumber,
        event: EventCode,
        entries: Vec<Entry>,
        dimensions: Dimensions,
        contra_of: Option<VoucherId>,
    ) -> Result<VoucherId, Refusal> {
        let date = self.state.days.posting_date(None)?;
        let dimensions = (dimensions != Dimensions::default()).then(|| Box::new(dimensions));
        let voucher = Voucher { business, event, date, entries, dimensions, contra_of };
        check(self.state, &voucher)?;
        Ok(self.emit_voucher(voucher))
    }

    pub(crate) fn emit_voucher(&mut self, voucher: Voucher) -> VoucherId {
        self.emit(Event::VoucherPosted(voucher));
        VoucherId(self.state.position)
    }
}
