//! `lintel bench payments`: rents paid by card from order to books, through the sandbox bank, over HTTP.
//!
//! ```text
//!  bank, platform ─► payers, landlords ─► each lane: create and pay, wait for success ─► next ─► books checked ─► report
//!                                             └ apart: create ─► pay ─► ask until it is success ─► next
//! ```
//! Every request is signed with HMAC-SM3 by the operator, or with `--sign sm2` by the merchant with an SM2 pair of its own, and so is
//! its answer. A payment is done when the platform shows its order as `success`, which it does only once the bank's answer is durable
//! and booked. Platform, bank and generator share the machine.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ark::provider::KeyKind;
use ark::{Provider as _, Soft};
use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::connection::{Connection, Signer};
use super::ledger::asked_to_stop;
use super::load::Stop;
use super::progress::{Progress, thousands};
use super::report::{Machine, Table};
use super::statistics::Percentiles;
use crate::bank::epcc::info_of;
use crate::play::open::{person_name, register};
use crate::play::stage::{Setting, Stage, text};
use crate::process::{cpu_seconds, resident_peak_bytes};

const ABOUT: &str = "\
Starts a platform and a sandbox bank of its own and pays rents by card: a request creates an order with what pays it, and waits
until the platform shows it as paid, which is when the bank's answer is durable and booked. With --apart an order is created, paid
and asked for until it is paid by requests of their own, as behind a cashier. Requests are signed with HMAC-SM3,
or with --sign sm2 by each merchant with an SM2 pair; then every answer is signed with SM2 as well.
Nothing goes wrong at this bank: what faults cost is the business of `cargo xtask demo`.

The rate is counted over wall time, with platform, bank and generator on the same machine; a payment's time is from sending the
order to seeing it paid, with the bank's share in it; with --rate from the moment at which it was due, or where a connection was
free and this program woke up later, from when it did: how late is told apart, and with few cores may be the platform's doing. The
platform's own time is the same less what its calls of the bank took, as it says of each payment in the header Server-Timing; inside
is the same by the platform's clock, from a request's head to its signed answer. Neither with --apart.";

const EXAMPLES: &str = "\
Examples:
  lintel bench payments                                   the last row of the table in docs/performance.md
  lintel bench payments --rate 1000                       how long a payment takes at 1,000 a second
  lintel bench payments --apart                           the same by a request for each step
  lintel bench payments --sign sm2                        each request and each answer signed with SM2
  lintel bench payments --clients 1 --payments 2000       how long one payment takes on an idle platform
  lintel bench payments --rate 1000 --series times.csv    a line a payment: when it was due, and how long it took
  lintel bench payments --json                            ends with one object: payments_per_second, p50_ms, p99_ms, own_p99_ms, …";

/// Who is paid.
const LANDLORDS: usize = 8;
/// Who pays.
const PAYERS: usize = 64;
/// How long a request waits for the end of its payment, in seconds.
const WAIT: u64 = 30;
/// Between two looks at an order that is not paid yet.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// After which a payment that is not paid is an error.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measure payments from order to books.
#[derive(Debug, Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Payments {
    /// Payments in all
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    payments: u64,
    /// Connections, each with one payment under way
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=1_024))]
    clients: u64,
    /// Payments a second, each at its own moment and timed from it, or from when this program woke up for it; 0: the next as soon as one
    /// is paid
    #[arg(long, default_value_t = 0)]
    rate: u32,
    /// Create, pay and ask by requests of their own
    #[arg(long)]
    apart: bool,
    /// How requests, and so their answers, are signed
    #[arg(long, value_enum, default_value_t = Sign::Hmac)]
    sign: Sign,
    /// The bank's seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object in place of the table
    #[arg(long)]
    json: bool,
    /// Write a line a payment into this new file: number, when it was due, and in ms what it took, own, inside, how late this program woke up
    #[arg(long, value_name = "FILE")]
    series: Option<PathBuf>,
    /// Say nothing while it runs
    #[arg(long)]
    quiet: bool,
    /// Keep the data in this empty directory instead of a temporary one
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// The program `lintel`, if it is not beside this one
    #[arg(long)]
    lintel: Option<PathBuf>,
    /// A further setting of the platform, as KEY=VALUE
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

/// How requests are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Sign {
    /// HMAC-SM3, by the operator
    Hmac,
    /// SM2 with SM3, by the merchant
    Sm2,
}

impl Sign {
    const fn name(self) -> &'static str {
        match self {
            Self::Hmac => "HMAC-SM3",
            Self::Sm2 => "SM2-with-SM3",
        }
    }
}

/// A merchant, and who signs for it.
struct Landlord {
    id: String,
    signer: Signer,
}

/// What the lanes share.
struct Work {
    host: String,
    payers: Vec<String>,
    landlords: Vec<Landlord>,
    payments: u64,
    /// When the payments began, and how many a second are to; none: one behind the other.
    pace: (Instant, Option<f64>),
    apart: bool,
    next: AtomicU64,
    looks: AtomicU64,
    stop: Arc<Stop>,
    progress: Arc<Progress>,
}

impl Work {
    /// When a payment is due and when its time begins: now; or at its own moment if all lanes were busy then, which is the platform's
    /// doing; or when this program woke up for it. How late that was is told apart: who had the core meanwhile is not known.
    async fn moment(&self, number: u64) -> (Instant, Instant) {
        let (began, Some(rate)) = self.pace else { return twice(Instant::now()) };
        let moment = began + Duration::from_secs_f64(number as f64 / rate);
        if moment <= Instant::now() {
            return twice(moment);
        }
        tokio::time::sleep_until(moment.into()).await;
        (moment, Instant::now())
    }
}

const fn twice(moment: Instant) -> (Instant, Instant) {
    (moment, moment)
}

/// What was measured.
struct Measured {
    wall_seconds: f64,
    times: Percentiles,
    /// The same without the bank's; none if apart.
    own: Percentiles,
    /// That by the platform's clock; none if apart.
    inside: Percentiles,
    /// How late this program woke up for them; none without a rate.
    late: Percentiles,
    /// Looks at orders, the one that showed it paid included; none unless apart.
    looks: u64,
    /// Each, in the order in which they were due.
    payments: Vec<Payment>,
    /// Of platform, bank and this program.
    cpu_seconds: [f64; 3],
    resident_peak_bytes: u64,
    interrupted: bool,
}

impl Payments {
    /// Runs it.
    ///
    /// # Errors
    /// If either process does not start, the platform refuses something, or the books do not hold what was paid.
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        let create =
            |path: &PathBuf| std::fs::File::create_new(path).with_context(|| format!("creating {}", path.display()));
        let series = self.series.as_ref().map(create).transpose()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("a runtime")?;
        let temporary = std::env::temp_dir().join(format!("lintel-payments-{}", std::process::id()));
        let setting = Setting {
            data_dir: self.data_dir.clone().unwrap_or(temporary),
            seed: self.seed,
            faults: "none",
            epcc: false,
            unionpay_rsa: false,
            concurrency: 8,
            lintel: self.lintel.clone(),
            sets: self.sets.clone(),
        };
        let progress = Arc::new(Progress::new(self.quiet));
        // The stage's client needs a runtime around it when it is made.
        let stage = runtime.block_on(async { Stage::of(setting) })?;
        progress.line(&format!("platform and bank run in {}", stage.data_dir().display()));
        let measured = runtime.block_on(self.measure(&stage, &progress))?;
        stage.strike(self.data_dir.is_none())?;
        if let Some(file) = series {
            write_series(file, &measured.payments).context("writing the series")?;
        }
        if self.json {
            writeln!(out, "{}", self.object(&measured))?
        } else {
            write!(out, "{}", self.table(&measured))?
        }
        Ok(())
    }

    async fn measure(&self, stage: &Stage, progress: &Arc<Progress>) -> Result<Measured> {
        let stop = Arc::new(Stop::default());
        tokio::spawn(asked_to_stop(stop.clone(), progress.clone()));
        let people = register(stage, PAYERS + LANDLORDS).await?;
        let (payers, owners) = people.split_at(PAYERS);
        let operator = stage.signer("operator")?;
        let keys = Arc::new(Soft::new()?);
        let mut work = Work {
            host: operator.host().to_owned(),
            payers: Vec::new(),
            landlords: Vec::new(),
            payments: self.payments,
            pace: (Instant::now(), (self.rate > 0).then_some(f64::from(self.rate))),
            apart: self.apart,
            next: AtomicU64::new(0),
            looks: AtomicU64::new(0),
            stop: stop.clone(),
            progress: progress.clone(),
        };
        for (at, customer) in payers.iter().enumerate() {
            let user = json!({ "customer": customer, "product": "rent" });
            work.payers.push(text(&stage.done("/v1/users", &format!("user-{at}"), user).await?, "id")?);
        }
        for (at, owner) in owners.iter().enumerate() {
            let body = json!({
                "customer": owner, "kind": "landlord", "name": format!("Landlord {at}"), "fee_rate": 2_000,
                "settlement": { "account": format!("62220210{at:011}"), "holder": person_name(PAYERS + at) },
            });
            let landlord = stage.done("/v1/merchants", &format!("merchant-{at}"), body).await?;
            let id = text(&landlord, "id")?;
            let signer = match self.sign {
                Sign::Hmac => operator.clone(),
                Sign::Sm2 => registered(stage, &operator, &id, &keys).await?,
            };
            work.landlords.push(Landlord { id, signer });
        }
        let (platform, bank) = stage.processes();
        let cpu = || [platform, bank, std::process::id()].map(|id| cpu_seconds(id).unwrap_or_default());
        let (before, began) = (cpu(), Instant::now());
        work.pace.0 = began;
        let work = Arc::new(work);
        let mut lanes = JoinSet::new();
        for _ in 0..self.clients.min(self.payments) {
            lanes.spawn(lane(work.clone()));
        }
        let mut all = Paid::default();
        while let Some(lane) = lanes.join_next().await {
            let Paid { payments, amount } = lane.context("a lane panicked")??;
            all.payments.extend(payments);
            all.amount += amount;
        }
        all.payments.sort_unstable_by_key(|payment| payment.number);
        let (wall_seconds, after) = (began.elapsed().as_secs_f64(), cpu());
        check_books(stage, all.payments.len(), all.amount).await?;
        progress.line("every payment stands in the books, once");
        Ok(Measured {
            wall_seconds,
            times: Percentiles::of(all.payments.iter().map(|payment| ms(payment.took)).collect()),
            own: Percentiles::of(all.payments.iter().filter_map(|payment| payment.own().map(ms)).collect()),
            inside: Percentiles::of(all.payments.iter().filter_map(|payment| payment.inside.map(ms)).collect()),
            late: Percentiles::of(all.payments.iter().filter(|_| self.rate > 0).map(|it| ms(it.late)).collect()),
            payments: all.payments,
            looks: work.looks.load(Ordering::Relaxed),
            cpu_seconds: std::array::from_fn(|at| after[at] - before[at]),
            resident_peak_bytes: resident_peak_bytes(platform).unwrap_or_default(),
            interrupted: stop.is_asked(),
        })
    }

    fn object(&self, measured: &Measured) -> Value {
        let Measured { wall_seconds, times, own, inside, late, looks, cpu_seconds, .. } = measured;
        let own_ms = |ms: f64| (own.count > 0).then_some(ms);
        let late_ms = |ms: f64| (late.count > 0).then_some(ms);
        json!({
            "bench": "payments", "payments": times.count, "clients": self.clients, "seed": self.seed, "apart": self.apart,
            "rate_asked": self.rate,
            "sign": self.sign.name(),
            "machine": Machine::here(), "interrupted": measured.interrupted, "wall_seconds": wall_seconds,
            "payments_per_second": times.count as f64 / wall_seconds.max(f64::EPSILON),
            "p50_ms": times.p50, "p95_ms": times.p95, "p99_ms": times.p99, "max_ms": times.max,
            "own_p50_ms": own_ms(own.p50), "own_p99_ms": own_ms(own.p99), "own_max_ms": own_ms(own.max),
            "inside_p50_ms": own_ms(inside.p50), "inside_p99_ms": own_ms(inside.p99), "inside_max_ms": own_ms(inside.max),
            "late_p50_ms": late_ms(late.p50), "late_p99_ms": late_ms(late.p99), "late_max_ms": late_ms(late.max),
            "looks": looks, "resident_peak_bytes": measured.resident_peak_bytes,
            "platform_cpu_seconds": cpu_seconds[0], "bank_cpu_seconds": cpu_seconds[1],
            "client_cpu_seconds": cpu_seconds[2],
        })
    }

    fn table(&self, measured: &Measured) -> String {
        let Measured { wall_seconds, times, own, inside, late, looks, cpu_seconds, .. } = measured;
        let mut table = Table::default();
        let (count, early) = (times.count as u64, if measured.interrupted { " (stopped early)" } else { "" });
        table.row("load", format!("{} payments{early}, {} under way at a time", thousands(count), self.clients));
        let rate = thousands((times.count as f64 / wall_seconds.max(f64::EPSILON)) as u64);
        table.row(
            "rate",
            format!("{rate} payments/s over {wall_seconds:.2} s of wall time, bank and generator included"),
        );
        table.times("order to paid", times);
        table.times("without the bank", own);
        table.times("inside", inside);
        table.times("woke up late by", late);
        let each = cpu_seconds.map(|seconds| seconds * 1e6 / times.count.max(1) as f64);
        table.row(
            "processor",
            format!(
                "{:.0} µs a payment in the platform, {:.0} in the bank, {:.0} in this program",
                each[0], each[1], each[2]
            ),
        );
        table.row("signed", format!("{}, requests and answers", self.sign.name()));
        table.row("requests", if self.apart { "one to create, one to pay, and looks" } else { "one a payment" });
        table.row("looks", format!("{:.1} a payment until it was paid", *looks as f64 / times.count.max(1) as f64));
        table.row("memory", format!("{} MiB resident in the platform at most", measured.resident_peak_bytes >> 20));
        table.0
    }
}

/// What a lane paid.
#[derive(Default)]
struct Paid {
    payments: Vec<Payment>,
    /// The sum.
    amount: i64,
}

/// How long one took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Payment {
    number: u64,
    /// Since the payments began.
    due: Duration,
    /// How much later than that this program woke up for it, with a connection free.
    late: Duration,
    /// From order to paid.
    took: Duration,
    /// Of that the platform's calls of the bank; none if apart.
    channels: Option<Duration>,
    /// By the platform's clock, without those.
    inside: Option<Duration>,
}

impl Payment {
    fn own(&self) -> Option<Duration> {
        self.channels.map(|channels| self.took.saturating_sub(channels))
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// A line a payment, for a spreadsheet or a plot.
fn write_series(out: impl Write, payments: &[Payment]) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(out);
    writeln!(out, "number,due_ms,took_ms,own_ms,inside_ms,late_ms")?;
    for payment in payments {
        let or_nothing = |time: Option<Duration>| time.map(|time| format!("{:.3}", ms(time))).unwrap_or_default();
        let (own, inside) = (or_nothing(payment.own()), or_nothing(payment.inside));
        let (due, took, late) = (ms(payment.due), ms(payment.took), ms(payment.late));
        writeln!(out, "{},{due:.3},{took:.3},{own},{inside},{late:.3}", payment.number)?;
    }
    out.flush()
}

/// Pays one order after the other.
async fn lane(work: Arc<Work>) -> Result<Paid> {
    let mut connection = Connection::open(&work.host).await?;
    let mut paid = Paid::default();
    loop {
        let number = work.next.fetch_add(1, Ordering::Relaxed);
        if number >= work.payments || work.stop.is_asked() {
            return Ok(paid);
        }
        let amount = 200_000 + i64::try_from(number % 800)? * 1_000;
        let (due, began) = work.moment(number).await;
        let (bodies, connection) = (bodies(&work, number, amount), &mut connection);
        let done = match work.apart {
            true => apart(&work, connection, number, bodies).await.map(|()| (None, None)),
            false => at_once(connection, number, bodies).await.map(|(channels, total)| (Some(channels), total)),
        };
        let (channels, total) = done.with_context(|| format!("payment {number}"))?;
        let inside = total.zip(channels).map(|(total, channels)| total.saturating_sub(channels));
        let (took, late) = (began.elapsed(), began.duration_since(due));
        paid.payments.push(Payment { number, due: due.duration_since(work.pace.0), late, took, channels, inside });
        paid.amount += amount;
        work.progress.now_and_then(|| format!("{} of {} paid", thousands(number), thousands(work.payments)));
    }
}

/// An SM2 pair for a merchant, its public half registered as whoever integrates does it.
async fn registered(stage: &Stage, operator: &Signer, merchant: &str, keys: &Arc<Soft>) -> Result<Signer> {
    let pair = keys.generate(KeyKind::Sm2)?;
    let info = info_of(&keys.public_key(pair)?);
    let certificate = format!("-----BEGIN PUBLIC KEY-----\n{info}\n-----END PUBLIC KEY-----\n");
    let target = format!("/v1/merchants/{merchant}/certificates");
    let registered = stage.done(&target, &format!("pair-{merchant}"), json!({ "certificate": certificate })).await?;
    Ok(operator.with_pair(merchant, keys.clone(), pair, text(&registered, "serial_no")?))
}

/// A payment's order without its last brace, the card that pays it, and who asks.
struct Bodies<'a> {
    order: String,
    card: String,
    signer: &'a Signer,
}

fn bodies(work: &Work, number: u64, amount: i64) -> Bodies<'_> {
    let place = |length: usize| usize::try_from(number % length as u64).unwrap_or_default();
    let Landlord { id, signer } = &work.landlords[place(work.landlords.len())];
    let payer = &work.payers[place(work.payers.len())];
    // Ids and numbers stand in JSON as they are, so it is written once and no tree of values made for it.
    let order = format!(
        r#"{{"merchant":"{id}","out_trade_no":"B{number}","payer":"{payer}","currency":"CNY","items":[{{"kind":"rent","amount":{amount}}}],"tries_allowed":1"#
    );
    let agreement = number % 100_000;
    let card = format!(
        r#"{{"type":"card","agreement":"AGR{agreement:08}","mask":"622202******0011","rail":"epcc","amount":{amount},"credit":false}}"#
    );
    Bodies { order, card, signer }
}

/// Creates an order with what pays it, answered when it is paid; how long the platform's calls of the bank took of that, and all of it,
/// by the platform's clock.
async fn at_once(connection: &mut Connection, number: u64, bodies: Bodies<'_>) -> Result<(Duration, Option<Duration>)> {
    let Bodies { order, card, signer } = bodies;
    let target = format!("/v1/orders?wait={WAIT}");
    let body = format!(r#"{order},"instruments":[{card}]}}"#);
    let request = signer.json(&target, &format!("order-{number}"), &body)?;
    let reply = connection.exchange(&request).await?;
    let status = reply.text("status").context("creating and paying the order")?;
    ensure!(status == "success", "it is {status} after {WAIT} s");
    // It may have been paid before the platform looked whether to wait.
    Ok((reply.channels.unwrap_or_default(), reply.total))
}

/// Creates an order, pays it and looks until it is paid.
async fn apart(work: &Work, connection: &mut Connection, number: u64, bodies: Bodies<'_>) -> Result<()> {
    let Bodies { order, card, signer } = bodies;
    let create = signer.json("/v1/orders", &format!("order-{number}"), &format!("{order}}}"))?;
    let id = connection.exchange(&create).await?.text("id").context("creating the order")?;
    let body = format!(r#"{{"instruments":[{card}]}}"#);
    let pay = signer.json(&format!("/v1/orders/{id}/pay"), &format!("pay-{number}"), &body)?;
    let mut status = connection.exchange(&pay).await?.text("status").context("paying the order")?;
    let began = Instant::now();
    while status != "success" {
        ensure!(status == "paying" || status == "created", "{id} became {status}");
        if began.elapsed() > PATIENCE {
            bail!("{id} is {status} after {} s", PATIENCE.as_secs());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        let look = signer.request("GET", &format!("/v1/orders/{id}"), "", &[])?;
        status = connection.exchange(&look).await?.text("status").context("looking at the order")?;
        work.looks.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// What the channel owes (1121) grew by what was paid, by one entry a payment, and the books balance.
async fn check_books(stage: &Stage, payments: usize, amount: i64) -> Result<()> {
    let own = stage.operator.get("/v1/accounts?owner=institution&subject=1121&min_position=1").await?;
    let own = own.get("data").and_then(Value::as_array).context("a list has data")?;
    let sum = |key: &str| own.iter().filter_map(|account| account.get(key).and_then(Value::as_i64)).sum::<i64>();
    ensure!(sum("balance") == amount, "1121 holds {} and {amount} was paid", sum("balance"));
    ensure!(sum("entries") == i64::try_from(payments)?, "{} entries for {payments} payments", sum("entries"));
    let days = stage.operator.get("/v1/days").await?;
    let target = format!("/v1/days/{}/trial-balance", text(&days, "current")?);
    let balance = stage.operator.get(&target).await?;
    ensure!(balance.get("balanced") == Some(&Value::Bool(true)), "the books do not balance: {balance}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_series_says_when_and_how_long() {
        let us = Duration::from_micros;
        let payment =
            |channels, inside| Payment { number: 7, due: us(7_000), late: us(250), took: us(5_125), channels, inside };
        let mut text = Vec::new();
        let payments = [payment(Some(us(1_000)), Some(us(3_500))), payment(None, None)];
        write_series(&mut text, &payments).unwrap();
        let expected =
            "number,due_ms,took_ms,own_ms,inside_ms,late_ms\n7,7.000,5.125,4.125,3.500,0.250\n7,7.000,5.125,,,0.250\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
