//! What a merchant does, one method each. Whatever changes something takes an [`IdempotencyKey`].
//! A call that is made again under its key is made with the same arguments; only its wait may be another.

use crate::client::{Client, IdempotencyKey};
use crate::error::Error;
use crate::model::{
    Account, Code, Instrument, NewOrder, NewReceiver, NewRefund, NewSignUp, NewSplit, NewWebhook, NewWithdrawal, Order,
    Payout, PlatformKey, Receiver, Refund, Rows, SignUp, Split, Webhook, WireCode, WireDestination, WirePayout,
    WireSignUp,
};
use crate::pages::Pages;
use crate::platform_keys::PlatformKeys;

/// The longest that the platform lets a call wait for an order's end, in seconds.
pub(crate) const WAIT_MAX: u32 = 30;

/// Instruments of a payment.
#[derive(serde::Serialize)]
pub(crate) struct Payment<'a> {
    pub(crate) instruments: &'a [Instrument],
}

impl Client {
    /// Places an order; with instruments it is paid too, and the answer waits up to `wait_seconds` for the end.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn place_order(&self, order: &NewOrder, wait_seconds: u32, key: &IdempotencyKey) -> Result<Order, Error> {
        let wait = if order.instruments.is_empty() { 0 } else { wait_seconds.min(WAIT_MAX) };
        self.post(&with_wait("/v1/orders", wait), key, order).await
    }

    /// Pays an order, and waits up to `wait_seconds` for the end.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn pay_order(
        &self,
        order: &str,
        instruments: &[Instrument],
        wait_seconds: u32,
        key: &IdempotencyKey,
    ) -> Result<Order, Error> {
        let target = with_wait(&format!("/v1/orders/{order}/pay"), wait_seconds.min(WAIT_MAX));
        self.post(&target, key, &Payment { instruments }).await
    }

    /// An order, after waiting up to `wait_seconds` for its end.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn order(&self, order: &str, wait_seconds: u32) -> Result<Order, Error> {
        self.get(&with_wait(&format!("/v1/orders/{order}"), wait_seconds.min(WAIT_MAX))).await
    }

    /// Ends an order unpaid.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn close_order(&self, order: &str, key: &IdempotencyKey) -> Result<Order, Error> {
        self.post_nothing(&format!("/v1/orders/{order}/close"), key).await
    }

    /// The caller's orders, or those that a query narrows: `status=success`.
    #[must_use]
    pub fn orders(&self, query: &str) -> Pages<Order> {
        self.list(&narrowed("/v1/orders", query))
    }

    /// Gives money of an order back.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn refund_order(&self, order: &str, refund: &NewRefund, key: &IdempotencyKey) -> Result<Refund, Error> {
        self.post(&format!("/v1/orders/{order}/refunds"), key, refund).await
    }

    /// A refund.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn refund(&self, refund: &str) -> Result<Refund, Error> {
        self.get(&format!("/v1/refunds/{refund}")).await
    }

    /// Refunds: `order=ord_7`.
    #[must_use]
    pub fn refunds(&self, query: &str) -> Pages<Refund> {
        self.list(&narrowed("/v1/refunds", query))
    }

    /// Registers who may receive from splits of the merchant's orders.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn register_receiver(
        &self,
        merchant: &str,
        receiver: &NewReceiver,
        key: &IdempotencyKey,
    ) -> Result<Receiver, Error> {
        self.post(&format!("/v1/merchants/{merchant}/receivers"), key, receiver).await
    }

    /// Removes a receiver: no new split pays it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn remove_receiver(&self, receiver: &str, key: &IdempotencyKey) -> Result<Receiver, Error> {
        self.post_nothing(&format!("/v1/receivers/{receiver}/remove"), key).await
    }

    /// Receivers of splits: `removed=false`.
    #[must_use]
    pub fn receivers(&self, query: &str) -> Pages<Receiver> {
        self.list(&narrowed("/v1/receivers", query))
    }

    /// Splits what an order brought.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn split_order(&self, order: &str, split: &NewSplit, key: &IdempotencyKey) -> Result<Split, Error> {
        self.post(&format!("/v1/orders/{order}/splits"), key, split).await
    }

    /// Splits: `order=ord_7`.
    #[must_use]
    pub fn splits(&self, query: &str) -> Pages<Split> {
        self.list(&narrowed("/v1/splits", query))
    }

    /// Withdraws to the merchant's settlement account.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn withdraw(&self, withdrawal: &NewWithdrawal, key: &IdempotencyKey) -> Result<Payout, Error> {
        let to = WireDestination::Settlement;
        self.post("/v1/payouts", key, &WirePayout { withdrawal, to }).await
    }

    /// A payout or withdrawal.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn payout(&self, payout: &str) -> Result<Payout, Error> {
        self.get(&format!("/v1/payouts/{payout}")).await
    }

    /// Payouts: `status=returned`.
    #[must_use]
    pub fn payouts(&self, query: &str) -> Pages<Payout> {
        self.list(&narrowed("/v1/payouts", query))
    }

    /// An account.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn account(&self, account: &str) -> Result<Account, Error> {
        self.get(&format!("/v1/accounts/{account}")).await
    }

    /// Has the bank compare the four elements and send a code to the holder's phone.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn request_sign_up(&self, new: &NewSignUp, key: &IdempotencyKey) -> Result<SignUp, Error> {
        let sealer = self.sealer().await?;
        let body = WireSignUp {
            payer: &new.payer,
            rail: new.rail.as_deref(),
            bank: &new.bank,
            credit: new.credit,
            account: sealer.seal(&new.account)?,
            name: sealer.seal(&new.name)?,
            certificate: sealer.seal(&new.certificate)?,
            phone: sealer.seal(&new.phone)?,
        };
        self.post_sealed("/v1/sign-ups", key, &body, &sealer).await
    }

    /// Brings the code of the holder's phone. Where the answer says `Confirming`, bring it again under a new key.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn confirm_sign_up(&self, sign_up: &str, code: &str, key: &IdempotencyKey) -> Result<SignUp, Error> {
        let sealer = self.sealer().await?;
        let body = WireCode { code: sealer.seal(code)? };
        self.post_sealed(&format!("/v1/sign-ups/{sign_up}/confirm"), key, &body, &sealer).await
    }

    /// Ends a signing, or its agreement here.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn cancel_sign_up(&self, sign_up: &str, key: &IdempotencyKey) -> Result<SignUp, Error> {
        self.post_nothing(&format!("/v1/sign-ups/{sign_up}/cancel"), key).await
    }

    /// A signing.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn sign_up(&self, sign_up: &str) -> Result<SignUp, Error> {
        self.get(&format!("/v1/sign-ups/{sign_up}")).await
    }

    /// Registers where the platform is to tell what happens.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn register_webhook(
        &self,
        merchant: &str,
        webhook: &NewWebhook,
        key: &IdempotencyKey,
    ) -> Result<Webhook, Error> {
        self.post(&format!("/v1/merchants/{merchant}/webhooks"), key, webhook).await
    }

    /// Webhooks.
    #[must_use]
    pub fn webhooks(&self) -> Pages<Webhook> {
        self.list("/v1/webhooks")
    }

    /// The platform's public keys. Take them once over a request signed with a secret, and so again when an answer, webhook or receipt
    /// names one that is not known: the answer to a pair would itself be signed with that one.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Forged`] if a key does not read.
    pub async fn platform_keys(&self) -> Result<PlatformKeys, Error> {
        let rows: Rows<PlatformKey> = self.get("/v1/platform-keys").await?;
        PlatformKeys::of(&rows.data).map_err(|_| Error::Forged)
    }

    /// Every stable code of an error, with what it means.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn codes(&self) -> Result<Vec<Code>, Error> {
        Ok(self.get::<Rows<Code>>("/v1/codes").await?.data)
    }
}

/// A path that waits so long for the end.
pub(crate) fn with_wait(target: &str, seconds: u32) -> String {
    if seconds == 0 { target.to_owned() } else { format!("{target}?wait={seconds}") }
}

/// A list's path with what narrows it.
pub(crate) fn narrowed(path: &str, query: &str) -> String {
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}
