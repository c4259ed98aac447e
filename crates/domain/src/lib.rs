//! The business, pure: accounts and vouchers, holds and freezes, orders and payouts.
//!
//! `decide` looks at the state and a command and either refuses or emits events; `apply` folds an event into the state.
//! Nothing here reads a clock, a file, a socket or randomness, and nothing walks a hash map: the same events give the
//! same state on every machine, for ever. One file is one feature.
//!
//! ```text
//! command ─► decide(&mut Draft, Command) ─► events │ refusal
//!                     each event ─► apply(&mut State, &Event)        (at once, so later steps see earlier ones)
//!                     refusal    ─► the draft takes every change back
//! ```
#![no_std]

extern crate alloc;

pub mod account;
pub mod acquiring;
pub mod advance;
pub mod agreement;
pub mod api_key;
pub mod approval;
pub mod arrears;
pub mod attempt;
pub mod bank_card;
pub mod batch_close;
pub mod block_list;
pub mod book;
pub mod bulk;
pub mod business_day;
pub mod calendar;
pub mod card_clearing;
pub mod card_fee;
pub mod card_transaction;
pub mod certificate;
pub mod channel;
pub mod chargeback;
pub mod checks;
pub mod clearing;
pub mod command;
pub mod conversion;
pub mod customer;
pub mod draft;
pub mod emitted;
pub mod envelope;
pub mod event;
pub mod exchange_rate;
pub mod fee_plan;
pub mod freeze;
pub mod front_page;
pub mod fund_batch;
pub mod hold;
pub mod ids;
pub mod index;
pub mod initialise;
pub mod leg;
pub mod limit;
pub mod manual_voucher;
pub mod merchant;
pub mod money;
pub mod notice;
pub mod operator;
pub mod order;
pub mod outflow;
pub mod own_transfer;
pub mod pay_password;
pub mod payment;
pub mod payout;
#[cfg(all(feature = "planted-faults", debug_assertions))]
pub mod planted;
pub mod rates;
pub mod real_name_check;
pub mod recall;
pub mod receiver;
pub mod refund;
pub mod refusal;
pub mod reserve_line;
pub mod restore;
pub mod restriction;
pub mod sealed;
pub mod settlement;
pub mod sign_up;
pub mod site_weight;
pub mod split;
pub mod split_plan;
pub mod state;
pub mod suspense;
pub mod table;
pub mod task;
pub mod terminal;
pub mod terminal_parameter;
#[cfg(test)]
mod testkit;
pub mod tick;
pub mod top_up;
pub mod transfer;
pub mod tree;
pub mod trial_balance;
pub mod user;
pub mod voucher;
pub mod waiver;
pub mod webhook;
pub mod withdrawal;
pub mod withdrawal_batch;
pub mod withdrawal_plan;

pub use command::{Command, Reply, decide};
pub use draft::Draft;
pub use envelope::{Actor, Context, Origin};
pub use event::{Event, apply};
pub use refusal::{Refusal, RefusalCode};
pub use state::State;
