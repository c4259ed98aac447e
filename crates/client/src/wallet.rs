//! Payment accounts: orders paid from a payer's balance (余额支付), top-ups (充值) by an agreement or at a channel's page, transfers (转账).
//!
//! A merchant sets, changes and compares no pay password (支付密码): that is between the payer and the institution. It brings the one that
//! the payer just typed, once, with what is paid; it leaves the client encrypted alone.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::access::FrontPage;
use crate::calls::{Payment, WAIT_MAX, narrowed, with_wait};
use crate::client::{Client, IdempotencyKey};
use crate::error::Error;
use crate::model::{Failure, Instrument, Minor, NewOrder, Order, statuses};
use crate::pages::Pages;

/// A payer's pay password, six digits. It is not shown, and gone from memory with its last copy.
#[derive(Clone)]
pub struct PayPassword(Zeroizing<String>);

impl PayPassword {
    /// As the payer typed it. Whether it is right, only the platform knows: five wrong ones lock it.
    #[must_use]
    pub fn of(digits: &str) -> Self {
        Self(Zeroizing::new(digits.to_owned()))
    }
}

/// Shows nothing of it.
impl fmt::Debug for PayPassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PayPassword(…)")
    }
}

/// A body that a pay password goes with.
#[derive(Serialize)]
struct WithPassword<'a, T> {
    #[serde(flatten)]
    of: &'a T,
    pay_password: String,
}

/// A payment account to be topped up (充值).
#[derive(Clone, Serialize)]
pub struct NewTopUp {
    /// The account that is credited, 2201 or 2206: `acc_…`. A merchant tops up its own.
    pub account: String,
    /// Minor units.
    pub amount: Minor,
    /// The account's currency.
    pub currency: String,
    /// Where the money is fetched.
    #[serde(flatten)]
    pub from: TopUpFrom,
    /// The payer's device, as the block list of devices names it. It is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The caller's own number of it, 1 to 64 bytes: a key beside the [`IdempotencyKey`](crate::IdempotencyKey), and signed with
    /// the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_top_up_no: Option<String>,
}

/// Shows what is fetched from where, and not the device.
impl fmt::Debug for NewTopUp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("NewTopUp");
        shown.field("account", &self.account).field("amount", &self.amount).field("currency", &self.currency);
        shown.field("from", &self.from).finish_non_exhaustive()
    }
}

/// Where a top-up's money is fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum TopUpFrom {
    /// A card under a signed agreement (协议支付).
    Agreement {
        /// `epcc` or `unionpay`; `epcc` unless said.
        #[serde(skip_serializing_if = "Option::is_none")]
        rail: Option<String>,
        /// The agreement's number there.
        agreement: String,
        /// The card as it may be shown: 6 + 4.
        mask: String,
    },
    /// The channel's own page (网银充值), which [`Client::top_up_page`] leads to.
    Page {
        /// Which.
        redirect: TopUpRedirect,
    },
}

/// The channel's page at which a top-up is paid.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TopUpRedirect {
    /// `epcc` or `unionpay`; rules choose unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rail: Option<String>,
    /// Where the browser goes afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_url: Option<String>,
}

statuses! {
    /// Where a top-up stands.
    TopUpStatus {
        /// Nothing was sent yet.
        Created,
        /// On its way, or its page waits for the payer.
        Sent,
        /// The channel's answer did not come, or its page was handed out: it may have been paid.
        Unknown,
        /// The money is on the account; in suspense, where the account took none any more.
        Success,
        /// It is not.
        Failed,
    }
}

/// A top-up.
#[derive(Debug, Clone, Deserialize)]
pub struct TopUp {
    /// `tup_…`.
    pub id: String,
    /// Which account is credited.
    pub account: String,
    /// `epcc` or `unionpay`.
    pub rail: String,
    /// Minor units.
    pub amount: Minor,
    /// Its currency.
    pub currency: String,
    /// Where it stands.
    pub status: TopUpStatus,
    /// Whether it was given up and the channel has the last word.
    pub closing: bool,
    /// Whether its money went to suspense, as the account took none any more.
    pub suspended: bool,
    /// When its page ends, while that waits for its payer, by RFC 3339.
    #[serde(default)]
    pub page_expires_at: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// The voucher of its success: `vch_…`.
    #[serde(default)]
    pub voucher: Option<String>,
    /// What may be done with it now: `front_page`, `close`.
    pub allowed_actions: Vec<String>,
}

impl TopUp {
    /// Whether nothing more becomes of it by itself.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self.status {
            TopUpStatus::Success | TopUpStatus::Failed => true,
            TopUpStatus::Created | TopUpStatus::Sent | TopUpStatus::Unknown | TopUpStatus::Other => false,
        }
    }
}

/// How a payer proved itself; the day's limit follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Factors {
    /// Two or more, a digital certificate or electronic signature among them.
    TwoWithCertificate,
    /// Two or more.
    Two,
    /// Fewer than two.
    Fewer,
}

/// Money for another holder's payment account (转账).
#[derive(Clone, Serialize)]
pub struct NewTransfer {
    /// The account that pays, 2201 or 2206: `acc_…`. A merchant's own.
    pub from: String,
    /// The account that is paid, 2201 or 2206 of another owner.
    pub to: String,
    /// Minor units.
    pub amount: Minor,
    /// Of both accounts.
    pub currency: String,
    /// How the payer proved itself.
    pub factors: Factors,
    /// What the payer writes with it, at most 128 bytes. It is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The payer's device, as the block list of devices names it. It is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The caller's own number of it, 1 to 64 bytes: a key beside the [`IdempotencyKey`](crate::IdempotencyKey), and signed with
    /// the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_transfer_no: Option<String>,
}

/// Shows what goes where, and neither the note nor the device.
impl fmt::Debug for NewTransfer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("NewTransfer");
        shown.field("from", &self.from).field("to", &self.to).field("amount", &self.amount);
        shown.field("currency", &self.currency).field("factors", &self.factors).finish_non_exhaustive()
    }
}

/// A transfer. It is final.
#[derive(Clone, Deserialize)]
pub struct Transfer {
    /// `trf_…`.
    pub id: String,
    /// Which account paid.
    pub from: String,
    /// Which account was paid.
    pub to: String,
    /// Minor units.
    pub amount: Minor,
    /// Its currency.
    pub currency: String,
    /// `two_with_certificate`, `two` or `fewer`.
    pub factors: String,
    /// What the payer wrote. It is not shown.
    #[serde(default)]
    pub note: Option<String>,
    /// The voucher that posted it: `vch_…`.
    pub voucher: String,
    /// When it was made, by RFC 3339.
    pub made_at: String,
}

/// Shows what went where, and not the note.
impl fmt::Debug for Transfer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Transfer");
        shown.field("id", &self.id).field("from", &self.from).field("to", &self.to).field("amount", &self.amount);
        shown.field("voucher", &self.voucher).field("made_at", &self.made_at).finish_non_exhaustive()
    }
}

impl Client {
    /// As [`Client::place_order`], with the payer's pay password: for a balance, or a card whose payer has it asked for.
    ///
    /// # Errors
    /// [`Error`]; codes `pay_password_wrong`, `pay_password_locked`, and `pay_password_unknown` of a payer who has none.
    pub async fn place_order_with_password(
        &self,
        order: &NewOrder,
        password: &PayPassword,
        wait_seconds: u32,
        key: &IdempotencyKey,
    ) -> Result<Order, Error> {
        self.with_password("/v1/orders", order, password, wait_seconds, key).await
    }

    /// As [`Client::pay_order`], with the payer's pay password. What a balance pays is paid in the answer.
    ///
    /// # Errors
    /// As [`Client::place_order_with_password`].
    pub async fn pay_order_with_password(
        &self,
        order: &str,
        instruments: &[Instrument],
        password: &PayPassword,
        wait_seconds: u32,
        key: &IdempotencyKey,
    ) -> Result<Order, Error> {
        let payment = Payment { instruments };
        self.with_password(&format!("/v1/orders/{order}/pay"), &payment, password, wait_seconds, key).await
    }

    async fn with_password(
        &self,
        path: &str,
        of: &impl Serialize,
        password: &PayPassword,
        wait_seconds: u32,
        key: &IdempotencyKey,
    ) -> Result<Order, Error> {
        let sealer = self.sealer().await?;
        let body = WithPassword { of, pay_password: sealer.seal(&password.0)? };
        self.post_sealed(&with_wait(path, wait_seconds.min(WAIT_MAX)), key, &body, &sealer).await
    }

    /// Tops a payment account up. By an agreement the channel is asked at once; the money is there once it says so.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn top_up(&self, new: &NewTopUp, key: &IdempotencyKey) -> Result<TopUp, Error> {
        self.post("/v1/top-ups", key, new).await
    }

    /// How a top-up stands.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn top_up_standing(&self, top_up: &str) -> Result<TopUp, Error> {
        self.get(&format!("/v1/top-ups/{top_up}")).await
    }

    /// The form that takes the payer's browser to a top-up's page. From the first time on it may have been paid.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn top_up_page(&self, top_up: &str) -> Result<FrontPage, Error> {
        self.get(&format!("/v1/top-ups/{top_up}/front-page")).await
    }

    /// Gives up a top-up by a page that nobody will pay. Where its page was handed out the channel has the last word; what is paid later
    /// is credited all the same.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn close_top_up(&self, top_up: &str, key: &IdempotencyKey) -> Result<TopUp, Error> {
        self.post_nothing(&format!("/v1/top-ups/{top_up}/close"), key).await
    }

    /// Top-ups of an account; a merchant names one of its own: `account=acc_42&status=success`.
    #[must_use]
    pub fn top_ups(&self, query: &str) -> Pages<TopUp> {
        self.list(&narrowed("/v1/top-ups", query))
    }

    /// Transfers money to another holder's payment account, at once and for good.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn transfer(&self, new: &NewTransfer, key: &IdempotencyKey) -> Result<Transfer, Error> {
        self.post("/v1/transfers", key, new).await
    }

    /// A transfer that was made, for who paid and who was paid.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn transfer_made(&self, transfer: &str) -> Result<Transfer, Error> {
        self.get(&format!("/v1/transfers/{transfer}")).await
    }

    /// Transfers from or to an account; a merchant names one of its own: `from=acc_42`.
    #[must_use]
    pub fn transfers(&self, query: &str) -> Pages<Transfer> {
        self.list(&narrowed("/v1/transfers", query))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn neither_a_pay_password_nor_a_note_nor_a_device_is_shown() {
        let transfer = NewTransfer {
            from: "acc_42".to_owned(),
            to: "acc_43".to_owned(),
            amount: 700,
            currency: "CNY".to_owned(),
            factors: Factors::TwoWithCertificate,
            note: Some("for Zhang San".to_owned()),
            device: Some("dev-7f3a".to_owned()),
            out_transfer_no: None,
        };
        let top_up = NewTopUp {
            account: "acc_42".to_owned(),
            amount: 700,
            currency: "CNY".to_owned(),
            from: TopUpFrom::Page { redirect: TopUpRedirect::default() },
            device: Some("dev-7f3a".to_owned()),
            out_top_up_no: None,
        };
        let shown = format!("{:?} {transfer:?} {top_up:?}", PayPassword::of("135790"));
        assert!(shown.contains("acc_42"), "{shown}");
        assert!(["135790", "Zhang", "7f3a"].iter().all(|secret| !shown.contains(secret)), "{shown}");
    }

    #[test]
    fn what_is_sent_is_what_the_platform_reads() {
        let from = TopUpFrom::Agreement { rail: None, agreement: "A1".to_owned(), mask: "622202******2230".to_owned() };
        let page = TopUpFrom::Page { redirect: TopUpRedirect { rail: Some("epcc".to_owned()), return_url: None } };
        let of = |from| {
            let (account, currency) = ("acc_42".to_owned(), "CNY".to_owned());
            let new = NewTopUp { account, amount: 700, currency, from, device: None, out_top_up_no: None };
            serde_json::to_value(new).unwrap()
        };
        let common = json!({"account": "acc_42", "amount": 700, "currency": "CNY"});
        let with = |more: serde_json::Value| {
            let mut whole = common.clone();
            whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            whole
        };
        assert_eq!(of(from), with(json!({"agreement": "A1", "mask": "622202******2230"})));
        assert_eq!(of(page), with(json!({"redirect": {"rail": "epcc"}})));
        let instruments = [Instrument::Balance { account: "acc_42".to_owned(), amount: 700 }];
        let of = &Payment { instruments: &instruments };
        let paid = serde_json::to_value(WithPassword { of, pay_password: "encrypted:…".to_owned() }).unwrap();
        let balance = json!({"type": "balance", "account": "acc_42", "amount": 700});
        assert_eq!(paid, json!({"instruments": [balance], "pay_password": "encrypted:…"}));
    }
}
