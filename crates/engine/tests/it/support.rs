//! Books with two accounts, and requests against them.

use domain::account::{OpenAccount, Owner};
use domain::book::Subject;
use domain::calendar::{Calendar, Date};
use domain::envelope::Time;
use domain::ids::AccountId;
use domain::initialise::Genesis;
use domain::money::Currency;
use domain::voucher::{BusinessNumber, Entry, EventCode, PostVoucher};
use domain::{Actor, Command, Origin, Reply, State};
use engine::{Answer, Engine, Keys, Meta, Request};
use journal::{Batch, Hash, Record};

/// Nine o'clock in Shanghai on the first day.
pub(crate) const NINE: Time = Time(1_772_672_400_000);

/// A request of the operator without keys.
pub(crate) fn unkeyed(command: Command) -> Request {
    Request { command, meta: Meta::unkeyed(Actor::Operator("test".into()), Origin::Api) }
}

/// A request under one key.
pub(crate) fn keyed(command: Command, key: &str, fingerprint: u8) -> Request {
    let mut request = unkeyed(command);
    request.meta.scope = "operator".into();
    request.meta.keys = vec![format!("idempotency:{key}")];
    request.meta.fingerprint = [fingerprint; 16];
    request
}

/// The voucher that moves `amount` from one custody account to the other.
pub(crate) fn transfer(from: AccountId, to: AccountId, amount: i64) -> Command {
    Command::PostVoucher(PostVoucher {
        business: BusinessNumber::Text("t".into()),
        event: EventCode::Transfer,
        date: None,
        entries: vec![Entry::debit(from, amount, Currency::Cny), Entry::credit(to, amount, Currency::Cny)],
        dimensions: None,
    })
}

/// An engine with books.
pub(crate) fn begun() -> Engine {
    let mut engine = Engine::new(State::default(), Keys::default(), 1);
    let first_day = "2026-03-05".parse::<Date>().unwrap();
    let genesis = Genesis { institution: "Test".into(), first_day, calendar: Calendar::default(), sandbox: true };
    submit(&mut engine, unkeyed(Command::Initialise(genesis))).result.unwrap();
    engine
}

/// Opens a custody account.
pub(crate) fn open(engine: &mut Engine, overdraft: bool) -> AccountId {
    let open =
        OpenAccount { subject: Subject::CustodySub, currency: Currency::Cny, owner: Owner::Institution, overdraft };
    let Reply::Account(id) = submit(engine, unkeyed(Command::OpenAccount(open))).result.unwrap() else {
        panic!("an account was to be opened");
    };
    id
}

/// Submits at nine o'clock.
pub(crate) fn submit(engine: &mut Engine, request: Request) -> Answer {
    engine.submit(request, NINE).unwrap()
}

/// Seals the open batch and gives the first row of a journal.
pub(crate) fn row(engine: &mut Engine) -> Record {
    row_at(engine, 1)
}

/// Seals the open batch and gives the row a journal would hold.
pub(crate) fn row_at(engine: &mut Engine, row: u64) -> Record {
    record(engine.seal().expect("something was decided").batch, row)
}

/// A batch as a journal would hold it.
pub(crate) fn record(batch: Batch, row: u64) -> Record {
    Record {
        row,
        first: batch.first,
        count: batch.count,
        epoch: 1,
        level: batch.level,
        time_ms: batch.time_ms,
        previous: Hash::ZERO,
        hash: Hash::ZERO,
        payload: batch.payload,
    }
}
