//! SQL: the tables behind lists, the state for recovery, the catalogue of runs.
//!
//! Everything here follows from the journal and can be rebuilt from it. Rows are written behind the journal, one
//! transaction a checkpoint; each feature's table is `(id, position, checksum, blob, columns for queries)`, where the
//! blob is the aggregate and the columns are what lists filter by. One file is one feature, its table in
//! `schema/NNNN_feature.sql`; the same SQL text runs on SQLite and on PostgreSQL.
//!
//! ```text
//!  engine ─ Changes ─► checkpoint::commit ─► one transaction: compare-and-set of (position, hash, epoch),
//!                                            rows of every table, segments, idempotency keys
//!  lists  ◄─ list, get                       start-up ◄─ checkpoint::latest, recovery::load_all
//! ```
//! Every call blocks: call from a plain thread, never inside an async runtime.
//!
//! Invariants: what one checkpoint wrote is seen together or not at all; a row is never newer than the checkpoint; a
//! row that is not what was written is refused by name and never decoded into something else.

pub mod account;
pub mod acquiring;
pub mod advance;
pub mod agreement;
pub mod api_key;
pub mod approval;
pub mod arrears;
pub mod attempt;
pub mod audit;
pub mod bank_card;
pub mod batch_close;
pub mod block_list;
pub mod bulk;
pub mod business_day;
pub mod card_clearing;
pub mod card_fee;
pub mod card_transaction;
pub mod certificate;
pub mod channel_rate;
pub mod chargeback;
pub mod checkpoint;
pub mod clearing;
pub mod conversion;
pub mod customer;
pub mod db;
pub mod error;
pub mod exchange_rate;
pub mod fee_plan;
pub mod freeze;
pub mod fund_batch;
pub mod hold;
pub mod key;
pub mod key_filter;
pub mod leg;
pub mod limit;
pub mod list;
pub mod manual_voucher;
pub mod merchant;
pub mod notice;
pub mod operator;
pub mod order;
mod outflow;
pub mod own_transfer;
pub mod pay_password;
pub mod payout;
mod postgres;
pub mod real_name_check;
pub mod recall;
pub mod receiver;
pub mod recovery;
pub mod refund;
pub mod reserve_line;
pub mod run;
mod schema;
pub mod settlement;
pub mod sign_up;
pub mod site_weight;
pub mod split;
mod sqlite;
pub mod suspense;
pub mod table;
mod tables;
pub mod terminal;
pub mod terminal_parameter;
pub mod top_up;
pub mod transfer;
pub mod tree;
pub mod user;
pub mod webhook;
pub mod webhook_delivery;
pub mod withdrawal;
pub mod withdrawal_batch;
pub mod withdrawal_plan;

pub use checkpoint::Checkpoint;
pub use db::{Database, Row, Session, Value};
pub use error::StoreError;
pub use key::KeyRow;
pub use key_filter::FilterRow;
pub use list::{Cursor, Filter, Page, get, list};
pub use postgres::PostgresConfig;
pub use recovery::{Difference, Loaded};
pub use run::{SegmentKind, SegmentRow};
pub use table::Stored;
