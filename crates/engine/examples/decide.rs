//! How fast the engine alone decides, applies and encodes transfers: no HTTP, no disk.
//!
//! ```text
//! cargo run --profile fast -p engine --example decide -- [TRANSFERS] [ACCOUNTS]
//! ```
//! Transfers come in postings of 8,189, as `lintel bench ledger` sends them.

use std::time::{Duration, Instant};

use domain::account::{OpenAccount, Owner};
use domain::book::Subject;
use domain::bulk::{BulkItems, PostBulk};
use domain::calendar::{Calendar, Date};
use domain::envelope::Time;
use domain::ids::AccountId;
use domain::initialise::Genesis;
use domain::money::Currency;
use domain::voucher::{Entry, EventCode};
use domain::{Actor, Command, Origin, Reply, State};
use engine::{Engine, Keys, Meta, Request};

const POSTING: usize = 8_189;
/// Nine o'clock in Shanghai on 2026-03-05.
const NINE: Time = Time(1_772_672_400_000);

#[expect(clippy::print_stdout, reason = "an example reports on its standard output")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let (transfers, accounts) = (arguments.next().unwrap_or(Ok(4_000_000))?, arguments.next().unwrap_or(Ok(10_000))?);
    let mut engine = Engine::new(State::default(), Keys::default(), 1);
    let first_day = "2026-03-05".parse::<Date>()?;
    let genesis = Genesis { institution: "Bench".into(), first_day, calendar: Calendar::default(), sandbox: true };
    submit(&mut engine, Command::Initialise(genesis))?;
    let ids = (0..accounts).map(|_| open(&mut engine)).collect::<Result<Vec<_>, _>>()?;
    drop(engine.seal());

    let (mut seed, mut bytes, mut posted) = (1, 0, 0);
    let (mut deciding, mut sealing) = (Duration::ZERO, Duration::ZERO);
    for number in 1..=transfers / POSTING as u64 {
        let items = vouchers(&ids, &mut seed);
        let bulk = PostBulk { stream: "bench".into(), number, fingerprint: [0; 16], atomic: false, date: None, items };
        let began = Instant::now();
        submit(&mut engine, Command::PostBulk(bulk))?;
        deciding += began.elapsed();
        let began = Instant::now();
        let sealed = engine.seal().ok_or("something was posted")?;
        sealing += began.elapsed();
        bytes += sealed.batch.payload.len();
        posted += sealed.projection.posted.len();
    }
    let transfers = posted as f64 / 2.0;
    println!(
        "{transfers} transfers between {accounts} accounts: {:.2} million/s decided, applied and encoded ({:.0} ns each; \
         sealing {:.0} ns), {:.1} bytes each",
        transfers / deciding.as_secs_f64() / 1e6,
        deciding.as_nanos() as f64 / transfers,
        sealing.as_nanos() as f64 / transfers,
        bytes as f64 / transfers,
    );
    println!("an entry in memory: {} bytes", size_of::<domain::voucher::PostedEntry>());
    println!(
        "an account: {} bytes; an event: {} bytes",
        size_of::<domain::account::Account>(),
        size_of::<domain::Event>()
    );
    Ok(())
}

fn submit(engine: &mut Engine, command: Command) -> Result<Reply, Box<dyn std::error::Error>> {
    let meta = Meta::unkeyed(Actor::Operator("bench".into()), Origin::Api);
    engine.submit(Request { command, meta }, NINE)?.result.map_err(|refusal| refusal.to_string().into())
}

fn open(engine: &mut Engine) -> Result<AccountId, Box<dyn std::error::Error>> {
    let (subject, owner) = (Subject::CustodySub, Owner::Institution);
    let command = OpenAccount { subject, currency: Currency::Cny, owner, overdraft: true };
    let Reply::Account(id) = submit(engine, Command::OpenAccount(command))? else {
        return Err("an account was to be opened".into());
    };
    Ok(id)
}

fn vouchers(accounts: &[AccountId], seed: &mut u64) -> BulkItems {
    let mut vouchers = BulkItems::default();
    let mut draw = |below: usize| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) as usize % below
    };
    for _ in 0..POSTING {
        let from = draw(accounts.len());
        let to = (from + 1 + draw(accounts.len() - 1)) % accounts.len();
        let amount = draw(10_000) as i64 + 1;
        let debit = Entry::debit(accounts[from], amount, Currency::Cny);
        vouchers.push_voucher(EventCode::Transfer, [debit, Entry::credit(accounts[to], amount, Currency::Cny)], None);
    }
    vouchers
}
