//! Who else is let in, by what a merchant shows who it is, and what proves a payment: sessions of the cashier, front pages, secrets and
//! certificates, electronic receipts, settlements.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::calls::narrowed;
use crate::client::{Client, IdempotencyKey};
use crate::error::Error;
use crate::model::Minor;
use crate::pages::Pages;

/// A session of the cashier: for the order's payer alone, who pays with its token.
#[derive(Clone, Deserialize)]
pub struct CashierSession {
    /// The order.
    pub order: String,
    /// What the payer's browser shows the platform. Nobody keeps a copy.
    pub token: String,
    /// Until when it is taken, by RFC 3339.
    pub expires_at: String,
}

/// Shows the order and not the token.
impl fmt::Debug for CashierSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("CashierSession");
        shown.field("order", &self.order).field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// The form that takes a payer's browser to a channel's page (网关支付). That the browser comes back proves nothing: ask for the order, or
/// the top-up.
#[derive(Debug, Clone, Deserialize)]
pub struct FrontPage {
    /// The order that is paid there.
    #[serde(default)]
    pub order: Option<String>,
    /// The top-up that is paid there, in place of an order.
    #[serde(default)]
    pub top_up: Option<String>,
    /// The number that the channel knows the payment by.
    pub serial: String,
    /// Where the form is posted to.
    pub action: String,
    /// `POST`.
    pub method: String,
    /// The form's content type and character set.
    pub content_type: String,
    /// Every field, in the form's order.
    pub fields: Vec<FormField>,
    /// The channel takes no payment there later.
    pub expires_at: String,
}

/// A field of a form.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FormField {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A certificate, or a bare public key, by which the merchant is to sign.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewCertificate {
    /// In PEM: `BEGIN CERTIFICATE` or `BEGIN PUBLIC KEY`; SM2, or RSA of 2,048 bits.
    pub certificate: String,
    /// By what requests will name it; the certificate's own serial number unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial_no: Option<String>,
    /// When a bare key begins to sign; now unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// When a bare key ends; two years later unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
}

/// A public key that signs for the merchant.
#[derive(Debug, Clone, Deserialize)]
pub struct Certificate {
    /// `crt_…`.
    pub id: String,
    /// By what requests name it.
    pub serial_no: String,
    /// `sm2_with_sm3` or `sha256_rsa2048`.
    pub algorithm: String,
    /// In PEM.
    pub public_key: String,
    /// From when it signs.
    pub not_before: String,
    /// Until when.
    pub not_after: String,
    /// `not_yet_valid`, `valid`, `expired` or `revoked`.
    pub status: String,
}

/// The next secret of the merchant.
#[derive(Clone, Deserialize)]
pub struct NewSecret {
    /// What requests name it by: give it to [`Credential::of_serial`](crate::Credential::of_serial).
    pub serial_no: String,
    /// 64 hexadecimal digits.
    pub secret: String,
    /// Until when the one before still signs.
    pub previous_ends_at: Option<String>,
}

/// Shows the serial number and not the secret.
impl fmt::Debug for NewSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("NewSecret").field("serial_no", &self.serial_no).finish_non_exhaustive()
    }
}

/// An electronic receipt (电子回单), to be handed on: whoever holds `content` and `signature` has it verified.
#[derive(Debug, Clone, Deserialize)]
pub struct Receipt {
    /// What is signed, byte by byte.
    pub content: String,
    /// The SM3 of it, in hexadecimal.
    pub digest: String,
    /// The platform's key that verifies it.
    pub serial_no: String,
    /// SM2 with SM3 over the content, DER in base64.
    pub signature: String,
    /// The content, read.
    pub receipt: Value,
}

/// What was settled to the merchant (T+1).
#[derive(Debug, Clone, Deserialize)]
pub struct Settlement {
    /// `stl_…`.
    pub id: String,
    /// Everything due by then.
    pub date: String,
    /// Minor units.
    pub amount: Minor,
    /// Of how many orders.
    pub orders: u64,
    /// When it was made.
    pub created_at: String,
}

#[derive(Serialize)]
struct Session {
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_seconds: Option<u32>,
}

#[derive(Serialize)]
struct Rotation {
    #[serde(skip_serializing_if = "Option::is_none")]
    overlap_seconds: Option<u32>,
}

#[derive(Serialize)]
struct Revocation<'a> {
    reason: &'a str,
}

impl Client {
    /// Opens a session of the cashier for an order's payer, of 60 to 86,400 seconds; 1,800 unless said.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn open_cashier(
        &self,
        order: &str,
        seconds: Option<u32>,
        key: &IdempotencyKey,
    ) -> Result<CashierSession, Error> {
        let body = Session { expires_in_seconds: seconds };
        self.post(&format!("/v1/orders/{order}/cashier-sessions"), key, &body).await
    }

    /// The form of an order that is paid at a channel's page. From the first time on the payment may have been made.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn front_page(&self, order: &str) -> Result<FrontPage, Error> {
        self.get(&format!("/v1/orders/{order}/front-page")).await
    }

    /// Registers by what the merchant signs beside what it signs with now.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn register_certificate(
        &self,
        merchant: &str,
        certificate: &NewCertificate,
        key: &IdempotencyKey,
    ) -> Result<Certificate, Error> {
        self.post(&format!("/v1/merchants/{merchant}/certificates"), key, certificate).await
    }

    /// Revokes a certificate: it signs nothing from the answer on.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn revoke_certificate(
        &self,
        certificate: &str,
        reason: &str,
        key: &IdempotencyKey,
    ) -> Result<Certificate, Error> {
        self.post(&format!("/v1/certificates/{certificate}/revoke"), key, &Revocation { reason }).await
    }

    /// Certificates: `revoked=false`.
    #[must_use]
    pub fn certificates(&self, query: &str) -> Pages<Certificate> {
        self.list(&narrowed("/v1/certificates", query))
    }

    /// Has the merchant's next secret made; the present one signs beside it for so many seconds, seven days unless said.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn rotate_secret(
        &self,
        merchant: &str,
        overlap_seconds: Option<u32>,
        key: &IdempotencyKey,
    ) -> Result<NewSecret, Error> {
        self.post(&format!("/v1/api-keys/{merchant}/rotate"), key, &Rotation { overlap_seconds }).await
    }

    /// The electronic receipt of an order that was paid, of a refund, payout, top-up or transfer that succeeded, of a settlement, or of what
    /// a split gave a receiver (`spl_3-mch_4`) and got back (`spl_3-vch_9`, by the return's voucher).
    ///
    /// # Errors
    /// [`Error`].
    pub async fn receipt(&self, of: &str) -> Result<Receipt, Error> {
        self.get(&format!("/v1/receipts/{of}")).await
    }

    /// What a receipt says that somebody handed on, if the platform issued exactly this `content`; `None` if not, or if it was changed since.
    /// It is verified here, by the platform's keys alone: `POST /v1/receipts/verify` answers anyone, unsigned, and so proves nothing over
    /// a network. How the object stands now, the object itself says.
    ///
    /// # Errors
    /// [`Error`], where the platform's keys cannot be had.
    pub async fn verify_receipt(
        &self,
        content: &str,
        serial_no: &str,
        signature: &str,
    ) -> Result<Option<Value>, Error> {
        if self.trusted().knows(serial_no) {
            return Ok(self.trusted().receipt(content, serial_no, signature));
        }
        Ok(self.platform_keys().await?.receipt(content, serial_no, signature))
    }

    /// Settlements: `from=2026-03-01`.
    #[must_use]
    pub fn settlements(&self, query: &str) -> Pages<Settlement> {
        self.list(&narrowed("/v1/settlements", query))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_token_nor_a_secret_is_shown() {
        let session: CashierSession =
            serde_json::from_str(r#"{"order":"ord_7","token":"t0ken","expires_at":"2026-03-05T01:30:00Z"}"#).unwrap();
        let secret: NewSecret = serde_json::from_str(r#"{"serial_no":"2","secret":"5a5a","mch_id":"mch_3"}"#).unwrap();
        assert_eq!((session.token.as_str(), secret.secret.as_str()), ("t0ken", "5a5a"));
        let shown = format!("{session:?} {secret:?}");
        assert!(shown.contains("ord_7") && !shown.contains("t0ken") && !shown.contains("5a5a"), "{shown}");
    }
}
