//! What goes out and what comes back. Amounts are minor units. Answers may grow fields; those that nobody knows here are dropped.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::refund::{ItemRefund, LegRefund, NewRefund, Refund, RefundPart, RefundStatus};
pub use crate::split::{
    NewSplit, NewSplitReturn, Split, SplitBy, SplitByPlan, SplitPart, SplitPlan, SplitRate, SplitRates, SplitReturn,
    SplitRole,
};

/// Minor units: fen of a yuan.
pub type Minor = i64;

/// An order to be placed (下单).
#[derive(Debug, Clone, Serialize)]
pub struct NewOrder {
    /// The merchant's own number, unique for the merchant.
    pub out_trade_no: String,
    /// The user who pays: `usr_…`.
    pub payer: String,
    /// What for.
    pub items: Vec<Item>,
    /// `CNY`.
    pub currency: String,
    /// With instruments it is paid in the same step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub instruments: Vec<Instrument>,
    /// How often it may be tried; the platform's setting unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tries_allowed: Option<u32>,
    /// Until when it can be paid, by RFC 3339 with its offset, at most 31 days from now; for ever unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// An agreement account that gets the money in place of the merchant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
}

impl NewOrder {
    /// In yuan, of these items, without an instrument yet.
    #[must_use]
    pub fn of(out_trade_no: &str, payer: &str, items: Vec<Item>) -> Self {
        Self {
            out_trade_no: out_trade_no.to_owned(),
            payer: payer.to_owned(),
            items,
            currency: String::from("CNY"),
            instruments: Vec::new(),
            tries_allowed: None,
            expires_at: None,
            destination: None,
        }
    }
}

/// What an order is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// `rent`, `deposit`, `service_fee`, `commission`, `earnest_money`, `house_price`, …
    pub kind: String,
    /// Minor units.
    pub amount: Minor,
}

/// What is paid with.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Instrument {
    /// A bank card under a signed agreement (协议支付).
    Card(Card),
    /// The payer's provident fund (公积金): rent only.
    Fund {
        /// The lease's number at the centre.
        contract: String,
        /// Minor units.
        amount: Minor,
        /// The month of the rent, as `2026-03`, where the centre pays by its monthly batch.
        #[serde(skip_serializing_if = "Option::is_none")]
        period: Option<String>,
        /// Whether the card beside it pays what the centre does not.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        shortfall_by_card: bool,
    },
    /// The channel's own page (网关支付).
    Redirect {
        /// `epcc` or `unionpay`; rules choose unless said.
        #[serde(skip_serializing_if = "Option::is_none")]
        rail: Option<String>,
        /// Where the browser goes afterwards.
        #[serde(skip_serializing_if = "Option::is_none")]
        return_url: Option<String>,
        /// Minor units.
        amount: Minor,
    },
    /// The payer's balance (余额支付): it pays the whole order alone, at once. A merchant brings the payer's
    /// [`PayPassword`](crate::wallet::PayPassword) with it.
    Balance {
        /// The payer's own account, 2201: `acc_…`.
        account: String,
        /// Minor units.
        amount: Minor,
    },
}

/// A bank card: at one network, or at several, of which rules choose.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Card {
    /// `epcc` or `unionpay`, with `agreement`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rail: Option<String>,
    /// The agreement's number there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<String>,
    /// In place of both: the agreement at each network.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub agreements: BTreeMap<String, String>,
    /// The first three digits of the bank's interbank number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank: Option<String>,
    /// The card as it may be shown: 6 + 4.
    pub mask: String,
    /// Whether it is a credit card.
    pub credit: bool,
    /// Minor units.
    pub amount: Minor,
}

macro_rules! statuses {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$each])* $variant,)*
            /// One that this client is too old for.
            #[serde(other)]
            Other,
        }
    };
}

pub(crate) use statuses;

statuses! {
    /// Where an order stands.
    OrderStatus {
        /// Nothing was tried yet.
        Created,
        /// A try is under way, or its end is unknown.
        Paying,
        /// Paid.
        Success,
        /// No try is left.
        Failed,
        /// Ended unpaid, confirmed by the channel.
        Closed,
    }
}

statuses! {
    /// Where a payout stands.
    PayoutStatus {
        /// Nothing was held yet.
        Created,
        /// The money is held.
        Held,
        /// On its way.
        Sent,
        /// It arrived.
        Success,
        /// It did not; the money is back on the account.
        Failed,
        /// The channel's answer did not come.
        Unknown,
        /// Taken back before it was sent.
        Cancelled,
        /// It arrived and came back (退票).
        Returned,
    }
}

statuses! {
    /// Where a signing stands.
    SignUpStatus {
        /// The bank is asked to send a code; what it said is not known.
        Requested,
        /// The phone was sent a code.
        CodeSent,
        /// A code went to the bank; what it said is not known.
        Confirming,
        /// The agreement pays.
        Signed,
        /// The bank refused it, or three codes were wrong.
        Failed,
        /// Its time was over before a code came.
        Expired,
        /// It pays nothing any more.
        Cancelled,
    }
}

/// An order.
#[derive(Debug, Clone, Deserialize)]
pub struct Order {
    /// `ord_…`.
    pub id: String,
    /// Whose.
    pub merchant: String,
    /// The merchant's own number.
    pub out_trade_no: String,
    /// Who pays.
    pub payer: String,
    /// What for.
    pub items: Vec<Item>,
    /// Minor units.
    pub amount: Minor,
    /// Its currency.
    pub currency: String,
    /// The institution's fee.
    pub fee: Minor,
    /// What the merchant gets.
    pub net: Minor,
    /// Where it stands.
    pub status: OrderStatus,
    /// Whose failure it was, where it failed: `user`, `risk`, `bank` or `system`.
    #[serde(default)]
    pub failure: Option<String>,
    /// Why it was closed, where it was: `requested`, `expired` or `page_expired`.
    #[serde(default)]
    pub close_reason: Option<String>,
    /// Until when it can be paid; for ever if there is none.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// How often it was tried.
    pub tries: u32,
    /// Each instrument of each try.
    pub legs: Vec<Leg>,
    /// Minor units that went back.
    pub refunded: Minor,
    /// Whether the money is available.
    pub settled: bool,
    /// What may be done with it now.
    pub allowed_actions: Vec<String>,
}

impl Order {
    /// Whether nothing more becomes of it by itself.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self.status {
            OrderStatus::Success | OrderStatus::Failed | OrderStatus::Closed => true,
            OrderStatus::Created | OrderStatus::Paying | OrderStatus::Other => false,
        }
    }
}

/// One instrument of one try.
#[derive(Debug, Clone, Deserialize)]
pub struct Leg {
    /// `leg_…`.
    pub id: String,
    /// `epcc`, `unionpay`, `fund` or `pingan`; `balance` where no channel carries it.
    pub rail: String,
    /// Minor units.
    pub amount: Minor,
    /// `created`, `sent`, `held`, `captured`, `failed`, `unknown`, `released` or `reversed`.
    pub status: String,
    /// Whose failure it was.
    #[serde(default)]
    pub failure: Option<String>,
}

/// Who may receive from splits of the merchant's orders (分账接收方).
#[derive(Debug, Clone, Serialize)]
pub struct NewReceiver {
    /// Another merchant: `mch_…`.
    pub receiver: String,
    /// What it is to the payee: `agent`, `store`, `headquarters`, `partner`, `service_provider`, `landlord`, `supplier`, `other`.
    pub relation: String,
    /// The most of one order's amount, in millionths; all of it unless said.
    pub max_share: Option<i64>,
}

/// A receiver of splits.
#[derive(Debug, Clone, Deserialize)]
pub struct Receiver {
    /// `rcv_…`.
    pub id: String,
    /// Whose orders are split.
    pub payee: String,
    /// Who receives.
    pub receiver: String,
    /// What it is to the payee.
    pub relation: String,
    /// The most of one order's amount, in millionths.
    pub max_share: Option<i64>,
    /// `registered` or `removed`.
    pub status: String,
}

/// A withdrawal (提现) to the merchant's own settlement account.
#[derive(Debug, Clone, Serialize)]
pub struct NewWithdrawal {
    /// The account that pays, 2203: `acc_…`.
    pub account: String,
    /// Minor units that shall arrive.
    pub amount: Minor,
    /// The account's currency.
    pub currency: String,
    /// Whether it is sent in the same step.
    pub send_now: bool,
    /// The caller's own number of it, 1 to 64 bytes: a key beside the [`IdempotencyKey`](crate::IdempotencyKey), and signed with
    /// the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_payout_no: Option<String>,
}

/// What is sent of it.
#[derive(Serialize)]
pub(crate) struct WirePayout<'a> {
    #[serde(flatten)]
    pub(crate) withdrawal: &'a NewWithdrawal,
    pub(crate) to: WireDestination,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum WireDestination {
    Settlement,
}

/// A payout or withdrawal.
#[derive(Debug, Clone, Deserialize)]
pub struct Payout {
    /// `pay_…`.
    pub id: String,
    /// Which account paid.
    pub account: String,
    /// Minor units.
    pub amount: Minor,
    /// Minor units beside them.
    pub fee: Minor,
    /// Where it stands.
    pub status: PayoutStatus,
    /// Why it failed: the class and the channel's code.
    #[serde(default)]
    pub failure: Option<Value>,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Failure {
    /// Whose failure it was: `user`, `risk`, `bank` or `system`.
    pub class: String,
    /// The channel's code.
    pub code: String,
}

/// An account.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// `acc_…`.
    pub id: String,
    /// Minor units.
    pub balance: Minor,
    /// Minor units that may be used.
    pub available: Minor,
    /// Its currency.
    pub currency: String,
}

/// An agreement to debit a card that its holder is to sign (协议签约). The four elements are encrypted before they are sent; it is not shown.
#[derive(Clone)]
pub struct NewSignUp {
    /// The user who will pay: `usr_…`.
    pub payer: String,
    /// The network, `epcc` unless said, or a further channel of it: where it is signed it pays, and nowhere else.
    pub rail: Option<String>,
    /// The bank's interbank number, 12 digits.
    pub bank: String,
    /// Whether it is a credit card.
    pub credit: bool,
    /// The card's number.
    pub account: String,
    /// The holder's name: the payer's registered one.
    pub name: String,
    /// The number of the holder's certificate: the payer's registered one.
    pub certificate: String,
    /// The phone that the bank knows.
    pub phone: String,
}

/// Shows who pays and nothing of a person.
impl std::fmt::Debug for NewSignUp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("NewSignUp")
            .field("payer", &self.payer)
            .field("bank", &self.bank)
            .finish_non_exhaustive()
    }
}

/// What is sent of it.
#[derive(Serialize)]
pub(crate) struct WireSignUp<'a> {
    pub(crate) payer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rail: Option<&'a str>,
    pub(crate) bank: &'a str,
    pub(crate) credit: bool,
    pub(crate) account: String,
    pub(crate) name: String,
    pub(crate) certificate: String,
    pub(crate) phone: String,
}

/// A code that is sent.
#[derive(Serialize)]
pub(crate) struct WireCode {
    pub(crate) code: String,
}

/// A signing.
#[derive(Debug, Clone, Deserialize)]
pub struct SignUp {
    /// `sgn_…`.
    pub id: String,
    /// Who will pay.
    pub payer: String,
    /// The channel that signs: called as its network, or a further one of that.
    pub channel: String,
    /// Where it stands. What the bank said is not known in `Requested` and `Confirming`: bring the code, or bring it again.
    pub status: SignUpStatus,
    /// The card's mask, which payments take.
    pub account: String,
    /// How many codes were wrong; three end it.
    pub wrong_codes: u32,
    /// The agreement's number, once signed: what payments take.
    #[serde(default)]
    pub agreement: Option<String>,
    /// What the bank said of the four elements.
    #[serde(default)]
    pub verdict: Option<Verdict>,
}

/// What the bank said of name, certificate, card and phone (实名核验).
#[derive(Debug, Clone, Deserialize)]
pub struct Verdict {
    /// Whether they belong together.
    pub matched: bool,
    /// The channel's code where they do not.
    #[serde(default)]
    pub code: Option<String>,
}

/// Where the platform is to tell what happens.
#[derive(Debug, Clone, Serialize)]
pub struct NewWebhook {
    /// `https://…`.
    pub url: String,
    /// `order.paid`, `refund.succeeded`, …
    pub kinds: Vec<String>,
    /// `sm2_with_sm3` unless said, or `sha256_rsa2048`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
}

/// A webhook.
#[derive(Debug, Clone, Deserialize)]
pub struct Webhook {
    /// `whk_…`.
    pub id: String,
    /// Where it tells.
    pub url: String,
    /// What it tells.
    pub kinds: Vec<String>,
    /// `enabled`, `disabled` or `removed`.
    pub status: String,
}

/// A key that the platform signs with, or that sensitive fields are encrypted with.
#[derive(Debug, Clone, Deserialize)]
pub struct PlatformKey {
    /// What `Lintel-Serial` or `Lintel-Encryption-Serial` names.
    pub serial_no: String,
    /// `LINTEL-SM2-WITH-SM3` or `LINTEL-SHA256-RSA2048`; `SM2-DER` or `RSA-OAEP-SHA256`.
    pub scheme: String,
    /// In PEM.
    pub public_key: String,
    /// Whether fields are encrypted with it now.
    #[serde(default)]
    pub encrypts: bool,
}

/// A stable code of an error.
#[derive(Debug, Clone, Deserialize)]
pub struct Code {
    /// The code.
    pub code: String,
    /// The status that it comes with.
    pub status: u16,
    /// Whether the business said no.
    pub refusal: bool,
    /// What it means.
    pub meaning: String,
}

/// Rows that come without a cursor.
#[derive(Deserialize)]
pub(crate) struct Rows<T> {
    pub(crate) data: Vec<T>,
}
