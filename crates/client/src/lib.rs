//! The merchants' client of the platform's public API: typed calls, signed requests, verified answers, webhooks.
//!
//! ```text
//!  call ─► body, idempotency key ─► signed (HMAC-SM3, SM2 or RSA) ─► sent
//!            ▲                                                        │
//!            └─ same key, new nonce ◄─ no answer, or "come back" ◄────┤
//!                                                                     └─► answer: signature first, then what it says
//! ```
//!
//! | where | what |
//! |---|---|
//! | [`credential`] | who asks, and with which key |
//! | [`client`](Client) | sending, sending again, believing |
//! | [`calls`] | orders, payments, refunds, splits and the plans that they go by, withdrawals, webhooks |
//! | [`wallet`] | payments by balance with the payer's pay password, top-ups, transfers |
//! | [`real_name`] | real-name checks |
//! | [`deliveries`] | what webhooks were told, and telling it again |
//! | [`access`] | sessions of the cashier, front pages, secrets, certificates, receipts and verifying them, settlements |
//! | [`model`] | what goes out and what comes back |
//! | [`pages`] | lists, page by page |
//! | [`platform_keys`] | the platform's public keys, and what encrypts sensitive fields for it |
//! | [`webhook`] | what the platform tells |
//! | [`error`] | what went wrong, and what to do about it |
//!
//! Invariants:
//! - What changes something carries an [`IdempotencyKey`] and is sent again only under the same one, so it is done once; but for a delivery
//!   told again, which its receiver knows by its id.
//! - Nothing is believed before its signature; the few answers that are not signed never count as a success or a refusal.
//! - Elements of a person and pay passwords leave it encrypted alone.
//! - No secret and nothing of a person is in an error or in `Debug`.

pub mod access;
pub mod calls;
mod client;
pub mod credential;
pub mod deliveries;
pub mod error;
pub mod model;
pub mod pages;
pub mod platform_keys;
pub mod real_name;
mod refund;
mod split;
pub mod wallet;
pub mod webhook;

pub use client::{API_VERSION, Client, IdempotencyKey, Patience};
pub use credential::Credential;
pub use error::{ApiError, Error, Remedy};
pub use pages::Pages;
pub use platform_keys::{PlatformKeys, Sealer};
pub use webhook::{Received, WebhookError};
