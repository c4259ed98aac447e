//! What a card transaction is: its kind, where it stands, whose money of it lies where.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use super::ScriptResults;
use crate::calendar::Date;
use crate::card_fee::{CardFees, CardScheme, CardType};
use crate::envelope::Time;
use crate::ids::{AcquiringId, CardTransactionId, HoldId, MerchantId, TerminalId, VoucherId};
use crate::money::Minor;

/// What is asked of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum CardKind {
    /// 消费.
    #[n(0)]
    Sale,
    /// 消费撤销.
    #[n(1)]
    Void,
    /// 预授权.
    #[n(2)]
    PreAuthorisation,
    /// 预授权撤销.
    #[n(3)]
    PreAuthorisationCancel,
    /// 预授权完成.
    #[n(4)]
    Completion,
    /// 预授权完成撤销.
    #[n(5)]
    CompletionVoid,
    /// 预授权完成通知.
    #[n(6)]
    CompletionAdvice,
    /// 退货.
    #[n(7)]
    Refund,
    /// 结算调整, 小费.
    #[n(8)]
    Adjustment,
    /// 离线结算.
    #[n(9)]
    Offline,
    /// 贷记调整.
    #[n(10)]
    CreditAdjustment,
    /// 被扫: a sale by a one-time code (付款码) that the customer shows.
    #[n(11)]
    QrSale,
}

/// What a kind does to the books once it is approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Money comes in for the merchant.
    In,
    /// All of an earlier one is undone.
    Undo,
    /// Money goes back to the card.
    Out,
    /// Nothing.
    Nothing,
}

impl CardKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Sale,
        Self::Void,
        Self::PreAuthorisation,
        Self::PreAuthorisationCancel,
        Self::Completion,
        Self::CompletionVoid,
        Self::CompletionAdvice,
        Self::Refund,
        Self::Adjustment,
        Self::Offline,
        Self::QrSale,
        Self::CreditAdjustment,
    ];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Void => "void",
            Self::PreAuthorisation => "preauthorisation",
            Self::PreAuthorisationCancel => "preauthorisation_cancel",
            Self::Completion => "completion",
            Self::CompletionVoid => "completion_void",
            Self::CompletionAdvice => "completion_advice",
            Self::Refund => "refund",
            Self::Adjustment => "adjustment",
            Self::Offline => "offline",
            Self::CreditAdjustment => "credit_adjustment",
            Self::QrSale => "qr_sale",
        }
    }

    /// What it does to the books.
    #[must_use]
    pub const fn effect(self) -> Effect {
        match self {
            Self::Sale
            | Self::Completion
            | Self::CompletionAdvice
            | Self::Adjustment
            | Self::Offline
            | Self::QrSale => Effect::In,
            Self::Void | Self::CompletionVoid => Effect::Undo,
            Self::Refund | Self::CreditAdjustment => Effect::Out,
            Self::PreAuthorisation | Self::PreAuthorisationCancel => Effect::Nothing,
        }
    }

    /// Whether it is reversed where no answer came; the others are sent again until they are answered.
    #[must_use]
    pub const fn is_reversed(self) -> bool {
        match self {
            Self::Sale
            | Self::Void
            | Self::PreAuthorisation
            | Self::PreAuthorisationCancel
            | Self::Completion
            | Self::CompletionVoid
            | Self::QrSale => true,
            Self::CompletionAdvice | Self::Refund | Self::Adjustment | Self::Offline | Self::CreditAdjustment => false,
        }
    }

    /// Whether it counts against the merchant's limits.
    pub(super) const fn is_limited(self) -> bool {
        match self {
            Self::Sale | Self::PreAuthorisation | Self::Offline | Self::QrSale => true,
            Self::Void
            | Self::PreAuthorisationCancel
            | Self::Completion
            | Self::CompletionVoid
            | Self::CompletionAdvice
            | Self::Refund
            | Self::Adjustment
            | Self::CreditAdjustment => false,
        }
    }

    /// Whether it takes its original for itself, so that nothing else follows on that meanwhile.
    pub(super) const fn follows_alone(self) -> bool {
        match self {
            Self::Void
            | Self::PreAuthorisationCancel
            | Self::Completion
            | Self::CompletionVoid
            | Self::CompletionAdvice
            | Self::Adjustment => true,
            Self::Sale
            | Self::PreAuthorisation
            | Self::Refund
            | Self::Offline
            | Self::CreditAdjustment
            | Self::QrSale => false,
        }
    }
}

/// Where a card transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum CardStatus {
    /// At the network, or on its way there.
    #[n(0)]
    Requested,
    /// The issuer said yes, and it is booked.
    #[n(1)]
    Approved,
    /// Somebody said no.
    #[n(2)]
    Declined,
    /// No answer came.
    #[n(3)]
    Unknown,
    /// It is being taken back.
    #[n(4)]
    Reversing,
    /// It was taken back.
    #[n(5)]
    Reversed,
}

impl CardStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Requested, Self::Approved, Self::Declined, Self::Unknown, Self::Reversing, Self::Reversed];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::Unknown => "unknown",
            Self::Reversing => "reversing",
            Self::Reversed => "reversed",
        }
    }

    /// Whether the network owes an answer.
    #[must_use]
    pub const fn is_open(self) -> bool {
        match self {
            Self::Requested | Self::Unknown | Self::Reversing => true,
            Self::Approved | Self::Declined | Self::Reversed => false,
        }
    }
}

/// How a token begins that stands for a payer's one-time code in place of a card's number.
const CODE_TOKEN: &str = "qr_";

/// A card, or what a payer's one-time code stands for, as far as these books may know it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Card {
    /// The vault's token for its number; of a code its digest, which leads to nothing.
    #[n(0)]
    pub token: String,
    /// The first 6 and the last 4 digits.
    #[n(1)]
    pub mask: String,
    /// Debit or credit.
    #[n(2)]
    pub kind: CardType,
    /// Whose brand it bears.
    #[n(3)]
    pub scheme: CardScheme,
}

impl Card {
    /// Whether a payer's one-time code was shown: nobody keeps a number for it, so what follows names the original alone.
    #[must_use]
    pub fn is_code(&self) -> bool {
        self.token.starts_with(CODE_TOKEN)
    }
}

/// Whose transaction it is and by which number: what the terminal knows it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct TraceKey {
    /// The terminal.
    #[n(0)]
    pub terminal: TerminalId,
    /// Its batch (批次号), 1 to 999,999.
    #[n(1)]
    pub batch: u32,
    /// The trace (流水号), 1 to 999,999.
    #[n(2)]
    pub trace: u32,
}

/// Why a transaction is taken back (F39 of the reversal).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ReversalReason {
    /// 98: no answer came.
    #[n(0)]
    NoAnswer,
    /// A0: the answer's MAC was wrong.
    #[n(1)]
    WrongMac,
    /// 06: anything else, such as an answer that could not be delivered.
    #[n(2)]
    Other,
    /// An approval came after all.
    #[n(3)]
    LateApproval,
}

impl ReversalReason {
    /// What F39 of the reversal says.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoAnswer => "98",
            Self::WrongMac => "A0",
            Self::Other | Self::LateApproval => "06",
        }
    }
}

/// Who asked for a reversal first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Reverser {
    /// The terminal.
    #[n(0)]
    Terminal,
    /// The switch.
    #[n(1)]
    Switch,
}

/// The one reversal of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Reversal {
    /// Why, as it was asked for last.
    #[n(0)]
    pub reason: ReversalReason,
    /// Who asked first.
    #[n(1)]
    pub by: Reverser,
    /// When.
    #[n(2)]
    pub asked_at: Time,
    /// How often it began: again after each approval that came late.
    #[n(3)]
    pub begun: u32,
    /// What the network last said to it.
    #[n(4)]
    pub code: Option<String>,
    /// When the network took it.
    #[n(5)]
    pub taken_at: Option<Time>,
    /// What undid the books; none where nothing was booked.
    #[n(6)]
    pub voucher: Option<VoucherId>,
}

/// What of a transaction's money lies where, in fen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct CardMoney {
    /// The fees, of all of its amount.
    #[n(0)]
    pub fees: CardFees,
    /// What of interchange and network fee is booked.
    #[n(1)]
    pub cost: Minor,
    /// The merchant's on 2202.
    #[n(2)]
    pub pending: Minor,
    /// What of it voids and refunds under way hold.
    #[n(3)]
    pub reserved: Minor,
    /// The merchant's that was settled to 2203.
    #[n(4)]
    pub settled: Minor,
    /// Given back to the card, or on its way there.
    #[n(5)]
    pub refunded: Minor,
    /// The merchant's fee given back with it.
    #[n(6)]
    pub fee_returned: Minor,
    /// What issuer and network gave back with it.
    #[n(7)]
    pub cost_returned: Minor,
}

/// What an undo or a refund takes from whom, fixed when it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct CardTaken {
    /// The merchant's part.
    #[n(0)]
    pub merchant: Minor,
    /// From 2203 in place of 2202.
    #[n(1)]
    pub settled: bool,
    /// The merchant's fee that is given back.
    #[n(2)]
    pub fee: Minor,
    /// What issuer and network give back.
    #[n(3)]
    pub cost: Minor,
    /// What keeps both parts until the answer comes.
    #[n(4)]
    pub holds: Vec<HoldId>,
}

/// A card transaction.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CardTransaction {
    /// Its id; in 12 digits its reference at the network (F37).
    #[n(0)]
    pub id: CardTransactionId,
    /// What is asked.
    #[n(1)]
    pub kind: CardKind,
    /// What the terminal knows it by; none of a credit adjustment.
    #[n(2)]
    pub key: Option<TraceKey>,
    /// The terminal's date.
    #[n(3)]
    pub local_date: Date,
    /// Under which acquiring.
    #[n(4)]
    pub acquiring: AcquiringId,
    /// The merchant.
    #[n(5)]
    pub merchant: MerchantId,
    /// The card.
    #[n(6)]
    pub card: Card,
    /// Fen above zero; of a sale, with what adjustments added.
    #[n(7)]
    pub amount: Minor,
    /// What it is about.
    #[n(8)]
    pub original: Option<CardTransactionId>,
    /// Where it stands.
    #[n(9)]
    pub status: CardStatus,
    /// When it was asked for.
    #[n(10)]
    pub requested_at: Time,
    /// The leader's epoch then: what an older one asked for may have been sent, and its card data are gone.
    #[n(11)]
    pub epoch: u64,
    /// After this it is not sent any more.
    #[n(12)]
    pub send_before: Time,
    /// The issuer's authorisation (F38).
    #[n(13)]
    pub authorisation: Option<String>,
    /// The network's answer (F39).
    #[n(14)]
    pub code: Option<String>,
    /// When it came.
    #[n(15)]
    pub answered_at: Option<Time>,
    /// The network's clearing date (F15).
    #[n(16)]
    pub clearing_date: Option<Date>,
    /// What booked it.
    #[n(17)]
    pub voucher: Option<VoucherId>,
    /// Its money.
    #[n(18)]
    pub money: CardMoney,
    /// What it takes of its original.
    #[n(19)]
    pub taken: Option<CardTaken>,
    /// What takes this one for itself: its void, cancel or completion.
    #[n(20)]
    pub followed_by: Option<CardTransactionId>,
    /// How many adjustments of it were approved.
    #[n(21)]
    pub adjustments: u32,
    /// Its reversal.
    #[n(22)]
    pub reversal: Option<Reversal>,
    /// Whether the network's file must name it.
    #[n(23)]
    pub awaits_file: bool,
    /// The date of the network's file that named it.
    #[n(24)]
    pub cleared: Option<Date>,
    /// From when on it may be settled.
    #[n(25)]
    pub due: Option<Date>,
    /// Whether the merchant's part lies in suspense, because 2202 took no money.
    #[n(26)]
    pub suspended: bool,
    /// Minor units charged back by the issuer, or about to be.
    #[n(27)]
    pub charged_back: Minor,
    /// The case at the network that a credit adjustment was made for.
    #[n(28)]
    pub case_number: Option<String>,
    /// Whether its trace may still be asked for again: its batch or the next is under way.
    #[n(29)]
    pub traced: bool,
    /// Whether it counts among what its merchant took on its day.
    #[n(30)]
    pub counted: bool,
    /// What the chip made of the issuer's scripts.
    #[n(31)]
    pub scripts: Option<ScriptResults>,
}

impl CardTransaction {
    /// Its reference at the network (检索参考号, F37): 12 digits.
    #[must_use]
    pub fn reference(&self) -> String {
        reference(self.id)
    }

    /// What a refund or a chargeback may still take back.
    #[must_use]
    pub const fn refundable(&self) -> Minor {
        self.amount.saturating_sub(self.money.refunded).saturating_sub(self.charged_back)
    }

    /// Whether money came in by it and lies with the merchant or in suspense.
    #[must_use]
    pub fn brought_money(&self) -> bool {
        let followed = self.followed_by.is_some();
        self.kind.effect() == Effect::In
            && self.kind != CardKind::Adjustment
            && self.status == CardStatus::Approved
            && !followed
    }

    /// What it is about, and what takes it for itself: a change of one may change the others.
    pub(crate) fn relatives(&self) -> impl Iterator<Item = CardTransactionId> {
        [self.original, self.followed_by].into_iter().flatten()
    }

    /// What may be done with it now by an operator.
    #[must_use]
    pub fn allowed_actions(&self) -> &'static [&'static str] {
        if self.brought_money() && !self.suspended && self.refundable() > 0 { &["adjust_credit"] } else { &[] }
    }
}

/// The reference of a transaction at the network (F37): 12 digits.
#[must_use]
pub fn reference(id: CardTransactionId) -> String {
    format!("{:012}", id.0 % 1_000_000_000_000)
}

/// The transaction of a reference, if the text has a reference's form.
#[must_use]
pub fn transaction_of_reference(text: &str) -> Option<CardTransactionId> {
    let digits = Some(text).filter(|text| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().filter(|id| *id > 0).map(CardTransactionId)
}
