//! What closed holds cost in memory, with and without leaving it, and how long the longest stop for leaving is.
//!
//! ```text
//! cargo run -p engine --example recall -- [HOLDS]
//! ```
//! Holds are placed and confirmed, a batch of 10,000 at a time as the writer takes them; every tenth batch the store is at what
//! was sealed, as it is about once a second.

use std::time::{Duration, Instant};

use domain::account::{OpenAccount, Owner};
use domain::book::Subject;
use domain::calendar::{Calendar, Date};
use domain::envelope::Time;
use domain::hold::PlaceHold;
use domain::ids::AccountId;
use domain::initialise::Genesis;
use domain::money::Currency;
use domain::{Actor, Command, Origin, Reply, State};
use engine::engine::checkpoint;
use engine::{Engine, Keys, Meta, Request};

/// Holds of a batch.
const BATCH: u64 = 10_000;
/// Batches of a checkpoint.
const CHECKPOINT: u64 = 10;
/// Nine o'clock on the first day.
const NOW: Time = Time(1_772_672_400_000);

#[expect(clippy::print_stdout, reason = "an example reports on its standard output")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let holds = std::env::args().nth(1).map_or(Ok(2_000_000), |argument| argument.parse::<u64>())?;
    for leave in [true, false] {
        let mut engine = Engine::new(State::default(), Keys::default(), 1);
        let accounts = begin(&mut engine)?;
        let (before, began) = (resident(), Instant::now());
        let mut longest = Duration::ZERO;
        for batch in 1..=holds / BATCH {
            for _ in 0..BATCH {
                hold(&mut engine, accounts)?;
            }
            drop(engine.seal());
            if leave && batch.is_multiple_of(CHECKPOINT) {
                let stop = Instant::now();
                engine.submit(checkpoint(engine.state().position), NOW)?.result?;
                longest = longest.max(stop.elapsed());
            }
        }
        let (rows, grown) = (engine.state().holds.len(), resident().saturating_sub(before));
        let each_us = began.elapsed().as_secs_f64() * 1e6 / holds as f64;
        let what = if leave { "closed holds leave" } else { "closed holds stay" };
        println!(
            "{what}: {holds} holds, {rows} in memory, {:.1} MB more resident, {each_us:.2} us a hold placed and confirmed, longest stop {longest:?}",
            grown as f64 / 1e6
        );
    }
    Ok(())
}

fn given(engine: &mut Engine, command: Command) -> Result<Reply, Box<dyn std::error::Error>> {
    let meta = Meta::unkeyed(Actor::Operator("example".into()), Origin::Cli);
    Ok(engine.submit(Request { command, meta }, NOW)?.result?)
}

fn begin(engine: &mut Engine) -> Result<[AccountId; 2], Box<dyn std::error::Error>> {
    let first_day = "2026-03-05".parse::<Date>()?;
    let genesis = Genesis { institution: "Example".into(), first_day, calendar: Calendar::default(), sandbox: true };
    given(engine, Command::Initialise(genesis))?;
    let mut accounts = [AccountId(0); 2];
    for account in &mut accounts {
        let (subject, currency, owner) = (Subject::CustodySub, Currency::Cny, Owner::Institution);
        let open = OpenAccount { subject, currency, owner, overdraft: true };
        let Reply::Account(id) = given(engine, Command::OpenAccount(open))? else { return Err("no account".into()) };
        *account = id;
    }
    Ok(accounts)
}

fn hold(engine: &mut Engine, [account, to]: [AccountId; 2]) -> Result<(), Box<dyn std::error::Error>> {
    let place = PlaceHold { account, amount: 1, currency: Currency::Cny, expires_at: NOW.plus_ms(60_000) };
    let Reply::Hold(hold) = given(engine, Command::PlaceHold(place))? else { return Err("no hold".into()) };
    given(engine, Command::ConfirmHold { hold, amount: None, to })?;
    Ok(())
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4_096
}
