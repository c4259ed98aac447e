//! One day from its plan to its figures.

use std::panic::{AssertUnwindSafe, catch_unwind};

use domain::calendar::Date;

use super::chances::Chances;
use super::figures::Figures;
use super::plan::{DEFAULT, Plan, PlanError};
use crate::check::{Checked, Violation};
use crate::commands;
use crate::operator::Chore;
use crate::trace::Stats;
use crate::world::{Event, World};

const HOUR_MS: i64 = 3_600_000;
/// When the file of the day before is taken on the day itself.
const FILES_AT_MS: i64 = 2 * HOUR_MS;

/// What came of a day.
#[derive(Debug)]
pub struct DayOutcome {
    /// Its seed.
    pub seed: u64,
    /// What it came to; as far as it came, if a law was broken.
    pub figures: Figures,
    /// What happened how often.
    pub stats: Stats,
    /// The law that was broken, if one was.
    pub violation: Option<Violation>,
    /// What happened, if it was asked for.
    pub trace: String,
}

/// Runs the day of a plan, the committed one if there is none; with another number of orders if one is named. Keeps the trace only if
/// asked to.
///
/// # Errors
/// A plan that cannot be carried out.
pub fn run_day(plan: Option<&str>, orders: Option<u64>, keeps_trace: bool) -> Result<DayOutcome, PlanError> {
    let mut plan = Plan::parse(plan.unwrap_or(DEFAULT))?;
    let whole = plan.orders;
    plan.orders = orders.unwrap_or(whole);
    plan.check()?;
    let (seed, aims) = (plan.seed, plan.aims);
    let chances = (plan.orders < whole).then(|| Chances::of(&plan));
    let mut world = World::of_day(plan, keeps_trace);
    let mut figures = Figures::default();
    let lived = catch_unwind(AssertUnwindSafe(|| live(&mut world, &mut figures)));
    let violation = match lived {
        Ok(Ok(())) => None,
        Ok(Err(violation)) => Some(violation),
        Err(panic) => Some(Violation::of_panic(panic.as_ref())),
    };
    if let Some(violation) = &violation {
        world.say("VIOLATION", format_args!("{violation}"));
    }
    figures.judge(&aims, chances);
    let World { trace, stats, .. } = world;
    Ok(DayOutcome { seed, figures, stats, violation, trace: trace.into_text() })
}

/// The accounting day that is looked at; the one before it is the opening's.
pub(crate) fn date() -> Date {
    commands::first_day().plus_days(1)
}

fn live(world: &mut World, figures: &mut Figures) -> Checked {
    let (eve, date) = (commands::first_day(), date());
    world.after(0, Event::Starts);
    world.opens_day();
    world.run_until("the end of the opening", |world| world.operator.chores.is_empty())?;
    world.fills_wallets();
    world.drains()?;
    world.passes_to("midnight", date.starts_at().0)?;
    world.chore(Chore::Cut);
    world.opens_doors();
    world.passes_to("the files of the day before", date.starts_at().0 + FILES_AT_MS)?;
    world.finish_day(eve);
    let midnight = date.plus_days(1).starts_at().0;
    world.passes_to("the next midnight", midnight)?;
    world.chore(Chore::Cut);
    let minutes = world.day.as_ref().map_or(0, |day| day.plan.file_at_minutes);
    world.passes_to("the next day's file", midnight + i64::from(minutes) * 60_000)?;
    world.all_laws()?;
    *figures = world.figures(date.plus_days(1))?;
    world.finish_day(date);
    world.run_until("the close of the day", |world| world.operator.chores.is_empty())?;
    world.all_laws()?;
    world.ends(&[eve, date])?;
    world.adds_money(figures);
    Ok(())
}

impl World {
    /// Lets things happen until a time.
    fn passes_to(&mut self, what: &str, at: i64) -> Checked {
        self.run_until(what, move |world| world.now >= at)?;
        self.say("world", format_args!("{what}"));
        Ok(())
    }
}
