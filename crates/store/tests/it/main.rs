//! The store on real SQLite files and a real PostgreSQL: every test of the suite runs on both.

#[path = "../../../journal/tests/it/cluster.rs"]
mod cluster;
mod place;
mod world;

mod api_key;
mod cards;
mod certificate;
mod channel_rate;
mod checkpoints;
mod corruption;
mod fee_plan;
mod fund_batch;
mod indexes;
mod key_filters;
mod lists;
mod own_money;
mod rate;
mod real_name_check;
mod receiver;
mod recovery;
mod runs_and_keys;
mod schema;
mod sign_up;
mod wallets;
mod webhook;
mod webhook_delivery;
