//! `sim day`: what is asked on the command line, and a day's figures as they are printed.

use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, bail};
use serde_json::json;
use sim::{DayOutcome, Figures, Rate, run_day};

/// Runs a day and prints what it came to.
pub(crate) fn day(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let (mut plan, mut orders, mut trace, mut as_json) = (None, None, false, false);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value"));
        match word.as_str() {
            "--plan" => plan = Some(value()?.clone()),
            "--orders" => orders = Some(value()?.parse().context("--orders takes a number")?),
            "--trace" => trace = true,
            "--json" => as_json = true,
            unknown => bail!("`sim day` knows no `{unknown}`: --plan FILE, --orders N, --trace, --json"),
        }
    }
    let text = plan.as_ref().map(|path| fs::read_to_string(path).with_context(|| format!("reading the plan {path}")));
    let (text, began) = (text.transpose()?, Instant::now());
    let outcome = run_day(text.as_deref(), orders, trace)?;
    let seconds = began.elapsed().as_secs_f64();
    print!("{}", outcome.trace);
    show(&outcome, seconds);
    if as_json {
        println!("{}", object(&outcome, seconds)?);
    }
    let good = outcome.violation.is_none() && outcome.figures.missed.is_empty();
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The figures with the rates in percent, the seed and how long it took.
fn object(outcome: &DayOutcome, seconds: f64) -> anyhow::Result<serde_json::Value> {
    let figures = &outcome.figures;
    let mut object = serde_json::to_value(figures).context("writing the figures")?;
    let percents = [
        ("effective_in_percent", json!(figures.effective_in.percent())),
        ("effective_out_percent", json!(figures.effective_out.percent())),
        ("first_try_percent", json!(figures.first_try.percent())),
        ("seed", json!(outcome.seed)),
        ("seconds", json!(seconds)),
        ("steps", json!(outcome.stats.steps)),
        ("journal_events", json!(outcome.stats.events)),
        ("violation", json!(outcome.violation.as_ref().map(ToString::to_string))),
    ];
    for (name, value) in percents {
        object[name] = value;
    }
    Ok(object)
}

fn show(outcome: &DayOutcome, seconds: f64) {
    let Figures { asked, orders, payouts, refused, pick_rows, pick_rows_bent, .. } = outcome.figures;
    let figures = &outcome.figures;
    let rate = |name: &str, rate: Rate| {
        println!("{name:<34}{:>9} of {:>9}  {:.4} %", rate.numerator, rate.denominator, rate.percent());
    };
    let after = |name: &str, ms: Option<i64>| match ms {
        Some(ms) => println!("{name:<34}{:>9}.{:03} s", ms / 1_000, ms % 1_000),
        None => println!("{name:<34}{:>9}", "never"),
    };
    println!("a day of seed {}, {} steps in {seconds:.0} s", outcome.seed, outcome.stats.steps);
    println!("{:<34}{asked:>9}: {orders} orders, {payouts} payouts, {refused} refused", "asked for");
    rate("effective success in", figures.effective_in);
    rate("effective success out", figures.effective_out);
    rate("first try", figures.first_try);
    println!("{:<34}{:>9}", "paid after a cascade", figures.cascaded);
    println!("{:<34}  in {:?}, out {:?}", "failures", figures.failures_in, figures.failures_out);
    after("outage found", figures.found_ms);
    after("outage drained", figures.drained_ms);
    after("site back with a share", figures.back_ms);
    after("site back with all", figures.up_ms);
    let counts = [
        ("sites taken out by mistake", figures.mistaken_drains),
        ("moved more than they came to", figures.duplicates),
        ("moved less", figures.lost),
        ("not final at the next day's file", figures.open_at_file),
        ("operations written", figures.operations),
        ("queries written", figures.queries),
        ("answers lost", figures.answers_lost),
        ("answers past their time-out", figures.answers_slow),
        ("messages doubled", figures.messages_doubled),
        ("messages and connections cut", figures.messages_cut),
    ];
    for (name, count) in counts {
        println!("{name:<34}{count:>9}");
    }
    println!("{:<34}{pick_rows:>9}, not by the weights {pick_rows_bent}", "rows of picks");
    match &outcome.violation {
        None => println!("every law held"),
        Some(violation) => println!("BROKEN: {violation}"),
    }
    figures.missed.iter().for_each(|missed| println!("MISSED: {missed}"));
}
