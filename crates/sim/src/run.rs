//! One run from its seed to its figures.

use std::panic::{AssertUnwindSafe, catch_unwind};

use domain::calendar::Date;
use domain::envelope::Time;
use domain::ids::MerchantId;

use crate::check::{Checked, Violation};
use crate::commands;
use crate::fault::Fault;
use crate::operator::Chore;
use crate::trace::Stats;
use crate::world::{CLIENTS, Event, World};

/// The institution of books in which the domain's planted overflow is on, where it is compiled in.
pub const PLANTED_OVERFLOW: &str = "planted: unchecked overflow";

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// What happened how often.
    pub stats: Stats,
    /// The law that was broken, if one was.
    pub violation: Option<Violation>,
    /// What happened, if it was asked for.
    pub trace: String,
}

/// Runs a seed, with a planted fault or without; keeps the trace only if asked to.
#[must_use]
pub fn run(seed: u64, fault: Option<Fault>, keeps_trace: bool) -> Outcome {
    let mut world = World::new(seed, fault, keeps_trace);
    world.says_weather();
    let lived = catch_unwind(AssertUnwindSafe(|| live(&mut world)));
    let violation = match lived {
        Ok(Ok(())) => None,
        Ok(Err(violation)) => Some(violation),
        Err(panic) => Some(Violation::of_panic(panic.as_ref())),
    };
    if let Some(violation) = &violation {
        world.say("VIOLATION", format_args!("{violation}"));
    }
    let World { trace, stats, .. } = world;
    Outcome { seed, stats, violation, trace: trace.into_text() }
}

fn live(world: &mut World) -> Checked {
    let institution = if world.fault == Some(Fault::UncheckedOverflow) { PLANTED_OVERFLOW } else { "Sim Pay" };
    world.after(0, Event::Starts);
    world.opens(institution);
    world.run_until("the end of the opening", |world| world.operator.chores.is_empty())?;
    let first = commands::first_day();
    day(world, first, 11)?;
    let next = first.plus_days(1);
    world.now = world.now.max(next.starts_at().plus_ms(9 * 3_600_000).0);
    world.say("world", format_args!("the next morning"));
    for merchant in [1, 2].map(MerchantId) {
        world.chore(Chore::Settle(merchant));
    }
    day(world, next, 9)?;
    world.ends(&[first, next])
}

/// A day of clients in the seed's weather, cut among them, and fair weather until nothing is open and the day is closed.
fn day(world: &mut World, date: Date, each: u64) -> Checked {
    world.fair(false);
    for client in 0..CLIENTS {
        world.clients[client].left = each;
        world.soon(1, 1_000, Event::Wakes(client));
    }
    let half = each / 2;
    world.run_until("the cut", move |world| world.clients.iter().map(|client| client.left).sum::<u64>() <= half * 3)?;
    world.chore(Chore::Cut);
    world.chore(Chore::Batches);
    world.run_until("the last request of clients", |world| {
        let asking = |client: &crate::client::Client| client.left > 0 || client.outstanding.is_some();
        !world.clients.iter().any(asking) && world.operator.chores.is_empty()
    })?;
    // What only a batch brings waits for one, and nothing comes to its end before.
    world.chore(Chore::Batches);
    world.chore(Chore::ByHand);
    // Half of the closes go through the seed's weather too.
    if world.random.chance(500) {
        world.fair(true);
        world.drains()?;
        world.finish_day(date);
    } else {
        world.finish_day(date);
        world.run_until("the close of the day", |world| world.operator.chores.is_empty())?;
        world.fair(true);
    }
    world.drains()
}

impl World {
    /// Lets things happen until nothing is open: no request, no chore, no attempt, no batch that somebody waits for.
    pub(crate) fn drains(&mut self) -> Checked {
        self.run_until("the end of every attempt", |world| {
            let asking = world.clients.iter().any(|client| client.outstanding.is_some());
            let busy = |node: &crate::node::Node| {
                !node.flights.is_empty() || node.syncing.is_some() || !node.behind.is_empty()
            };
            let flying = world.node.as_ref().is_none_or(busy);
            let outbox = world.follower.state().outbox.is_empty();
            !asking && !flying && outbox && world.operator.chores.is_empty()
        })?;
        let now = Time(self.now);
        self.say("world", format_args!("nothing is open at {}", now.0));
        Ok(())
    }
}
