//! Channels: the banks, networks and centres that move money, each behind one trait, without a socket.
//!
//! A channel turns an operation into the exact bytes of a request and the bytes of an answer into what they prove.
//! Who sends, waits, repeats a query or gives up is the executor; nothing here reads a clock, a socket or randomness,
//! so the same operation gives the same bytes on every machine and after every restart.
//!
//! ```text
//!  operation ─ build ─► Request ─► (executor, network) ─► Response ─ parse ─► Answer
//!  payer     ─ build_redirect ─► Request ─► (the payer's browser)
//!  unknown   ─ build_query, build_close ─► …                                    Success │ Declined │ NotFound │ Closed  prove something
//!  day       ─ build_statement ─► … ─► file ─ statement ─► Verified lines       Pending │ Unknown              ask again
//!  callback  ─ notify ─► Verified notification
//!  person    ─ build_real_name, build_real_name_query ─► … ─► answer ─ real_name ─► what the bank found
//!  lease     ─ build_quota ─► … ─► answer ─ quota ─► Verified figures
//!  month     ─ build_batch ─► …; build_batch_result ─► … ─► file ─ batch_result ─► Verified rows
//! ```
//!
//! How a channel is added: `docs/adding-a-channel.md`.
//!
//! Invariants:
//! - What cannot be verified or is not understood is [`Answer::Unknown`]; it is never a failure and never believed.
//! - An operation that is not in the [`Manifest`] fails in `build`, before anything is sent.
//! - [`Verified`] is made only by checking a signature.
//! - A personal field is opened by the caller, goes into the body of one request and is wiped with it; no `Debug`
//!   and no error shows it.
//!
//! | where | what |
//! |---|---|
//! | [`channel`] | the trait |
//! | [`manifest`] | what a channel can do and how it is configured |
//! | [`message`] | requests and responses |
//! | [`answer`] | what a response proves; notifications and returns |
//! | [`statement`] | the clearing file: lines, sums, parts |
//! | [`batch`] | a fund's monthly batch: instruction and result file |
//! | [`registry`] | every channel; each is one line at the end of `lib.rs` |
//! | [`sandbox_bank`], [`sandbox_fund`] | the simulated bank and provident-fund centre |
//! | [`unionpay_online`] | UnionPay online payment 5.1.0 |
//! | [`epcc`] | EPCC: agreement pay, gateway pay, payout, refund |
//! | [`pingan_jzb`] | Ping An Bank's virtual accounts (见证宝) in their public shape |
//! | [`host_link`] | what goes before each message on the link to a card network |
//! | [`card_file`] | the card network's daily file |
//! | `key` | the keys of a channel, in its settings or in the key service |
//! | [`real_name`] | a bank compares who a card's holder is |
//! | [`sign_up`] | a holder signs an agreement |
//! | `amount` | amounts with a currency, as text |
//! | `codes` | codes of a channel with what they say, as a setting |
//! | `form`, `xml`, `signed_text` | signed forms, XML messages, and a signature behind a text, as they stand on the wire |
//! | `fixed_header` | messages with a header of fixed length, laid out by a table |
//! | `settings` | settings, read strictly, and those that several channels have |
//! | `sandbox_wire`, `sandbox_file`, `sandbox_seal` | what the sandbox's two have in common: signed JSON, the clearing file, and what closes a file |

mod amount;
pub mod answer;
pub mod batch;
pub mod card_file;
pub mod channel;
mod codes;
pub mod error;
mod fixed_header;
mod form;
pub mod host_link;
mod key;
pub mod manifest;
pub mod message;
pub mod real_name;
pub mod registry;
pub mod routing;
mod sandbox_file;
mod sandbox_seal;
mod sandbox_wire;
mod settings;
pub mod sign_up;
mod signed_text;
pub mod statement;
mod time;
pub mod verified;
mod xml;

/// Makes of each line a module, which is a file or a folder of this name, and an entry of the registry.
macro_rules! channels {
    ($($name:ident,)+) => {
        $(pub mod $name;)+

        const REGISTERED: &[registry::Entry] =
            &[$(registry::Entry::new($name::NAME, $name::SETTINGS, $name::open)),+];
    };
}

channels! {
    sandbox_bank,
    sandbox_fund,
    epcc,
    pingan_jzb,
    unionpay_online,
}

pub use answer::{Answer, Doubt, Notification, Notified, Return};
pub use batch::{Batch, BatchResult, BatchRow, FundCentre};
pub use channel::{About, Channel, Open, Original, Try};
pub use error::ChannelError;
pub use manifest::{Manifest, OperationKind, Setting, Supported};
pub use message::{Headers, Request, Response};
pub use real_name::{RealName, RealNameSaid};
pub use registry::{by_name, with_keys};
pub use sign_up::{SignUp, SignedUp};
pub use statement::{Line, LineKind, Statement, StatementPart, Totals};
pub use verified::Verified;
