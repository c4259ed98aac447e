//! The sandbox bank (银行) and the sandbox provident-fund centre (公积金中心): exact in their books, unreliable in
//! their answers.
//!
//! ```text
//!  POST debit │ refund │ pay │ hold │ capture │ release
//!    │ signature, form              wrong: 401, 400, nothing is kept
//!    ▼
//!  arrive ─ serial seen before ──────────────────────────────────────► DUPLICATE, nothing is done
//!    │ first time: what goes wrong is drawn from (seed, serial)
//!    ├─ lost before ► LOST (a query says "not found")                ─► no answer
//!    └─ OPEN ─ settle ─► DONE (moves money, dated by the clock) │ DECLINED (for ever)
//!                                                                    ─► answer, late answer, garbage, no answer, twice
//! ```
//!
//! Invariants:
//! - A serial number is carried out at most once, whatever arrives how often and in which order.
//! - What a query says is what the ledger holds; a [`plan::Plan`] spoils the way, never the books.
//! - A clearing file of a date is final once the clock has left the date, and holds exactly what was done on it.
//! - What goes wrong with a serial number depends on the seed and the number only, not on time or order. (The n-th
//!   payment that is returned, and a plan's [`Shares`], are the exceptions: they count arrivals.)
//!
//! UnionPay online, which has forms, is in [`unionpay`], EPCC with its XML in [`epcc`], the pages for payers that both have in
//! [`page`], Ping An's numbered transactions in [`pingan_jzb`], over the same books.
//!
//! Everything is in memory and ends with the process.

mod batch;
mod body;
mod clearing;
mod connection;
mod days;
mod direct;
pub(crate) mod epcc;
mod http;
mod ledger;
mod names;
mod notify;
mod order;
pub(crate) mod page;
mod part;
pub(crate) mod pingan_jzb;
mod plan;
mod quota;
mod shares;
mod sign;
mod site;
mod stats;
pub(crate) mod unionpay;
mod work;

use std::sync::Arc;

use ark::MacKey;
use jiff::civil::Date;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use batch::Batches;
use days::Days;
use epcc::Epcc;
use ledger::Ledger;
use notify::Notifier;
use page::Pages;
use pingan_jzb::PingAn;
use shares::Counted;
use site::Sites;
use stats::Stats;
use unionpay::UnionPay;

pub use batch::BatchPlan;
pub use clearing::LINES_MAX;
pub use days::{DayTotals, today};
pub use direct::{Answered, Asked};
pub use epcc::{
    EpccKeyError, EpccKeys, EpccSettings, SANDBOX_EPCC_INSTITUTION, SANDBOX_EPCC_KEY, SANDBOX_EPCC_NUMBER,
    SANDBOX_EPCC_PLATFORM_KEY,
};
pub use names::{House, Rail, Serial, SerialError, Verb};
pub use part::PartPlan;
pub use pingan_jzb::{
    PingAnSettings, SANDBOX_PINGAN_ACCOUNT, SANDBOX_PINGAN_MARKET, SANDBOX_PINGAN_PLATFORM_KEY, SANDBOX_PINGAN_SUMMARY,
};
pub use plan::{DEFAULT_PLAN, Fault, Outage, Plan, PlanError, RailRates, Rates, Verdict};
pub use quota::QuotaPlan;
pub use shares::Shares;
pub use site::NoSite;
pub use stats::{Report, VerbReport};
pub use unionpay::sign::{SANDBOX_UNIONPAY_SECRET, UnionPaySign};

/// The key that bank and platform share unless another is given. It protects nothing: the bank is not real.
pub const SANDBOX_KEY_HEX: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

/// How a bank is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What goes wrong.
    pub plan: Plan,
    /// Decides with a serial number what goes wrong with it.
    pub seed: u64,
    /// Shared with the platform.
    pub key: MacKey,
    /// The first clearing date.
    pub date: Date,
    /// Where notifications are posted; nowhere if there is none. UnionPay's go where each order says.
    pub notify_url: Option<String>,
    /// How UnionPay's forms are signed, both ways.
    pub unionpay: UnionPaySign,
    /// EPCC, which has keys of its own and an address where it tells.
    pub epcc: EpccSettings,
    /// Ping An, which has both too.
    pub pingan: PingAnSettings,
}

/// A bank and a fund with their books. Cheap to share: every method takes `&self`.
#[derive(Debug)]
pub struct Bank {
    plan: Plan,
    counted: Counted,
    seed: u64,
    key: MacKey,
    ledger: Ledger,
    batches: Batches,
    days: Days,
    stats: Stats,
    notifier: Option<Notifier>,
    unionpay: UnionPay,
    epcc: Epcc,
    pingan: PingAn,
    pages: Pages,
    sites: Sites,
}

/// Why the clock did not move.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the clearing date is {now}; it cannot go back to {asked}")]
pub struct ClockError {
    /// Where it stands.
    pub now: Date,
    /// Where it should have gone.
    pub asked: Date,
}

impl Bank {
    /// A bank without customers and without a past.
    #[must_use]
    pub fn new(settings: Settings) -> Arc<Self> {
        let Settings { plan, seed, key, date, notify_url, unionpay, epcc, pingan } = settings;
        let (unionpay, epcc, pingan) = (UnionPay::new(unionpay), Epcc::new(epcc), PingAn::new(pingan));
        let notifier = notify_url.map(|url| Notifier::new(url, key.clone()));
        let (ledger, batches, days, stats) = (Ledger::default(), Batches::default(), Days::new(date), Stats::default());
        let (pages, sites, counted) = (Pages::default(), Sites::default(), Counted::new(plan.shares, seed));
        Arc::new(Self {
            plan,
            counted,
            seed,
            key,
            ledger,
            batches,
            days,
            stats,
            notifier,
            unionpay,
            epcc,
            pingan,
            pages,
            sites,
        })
    }

    /// The date that operations are cleared under now.
    #[must_use]
    pub fn clearing_date(&self) -> Date {
        self.days.now()
    }

    /// Moves the clearing date. The days before it are closed; payments due to come back by then come back.
    ///
    /// # Errors
    /// [`ClockError`] if it would go back.
    pub fn set_clearing_date(&self, date: Date) -> Result<(), ClockError> {
        let came_back = self.days.set(date)?;
        self.end_pages(date);
        self.tell_returns(&came_back);
        Ok(())
    }

    /// Lets every payment come back now that the plan has chosen for it; says how many did.
    pub fn return_all(&self) -> usize {
        let came_back = self.days.return_all();
        self.tell_returns(&came_back);
        came_back.len()
    }

    /// Lets one payment come back now; says whether it was there, done and not returned before.
    pub fn return_payment(&self, serial: Serial) -> bool {
        let paid = self.ledger.paid(serial);
        let came_back = paid.and_then(|(rail, amount)| self.days.return_now(serial, rail, amount));
        self.tell_returns(came_back.as_slice());
        came_back.is_some()
    }

    /// Takes a site down, or lets it come back; the first is 1. What is down takes no connection, and loses the answers to
    /// what comes on those that are open.
    ///
    /// # Errors
    /// [`NoSite`].
    pub fn set_site(&self, number: usize, up: bool) -> Result<(), NoSite> {
        self.sites.set(number, up)
    }

    /// What happened so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.stats.report(self.clearing_date())
    }

    /// What the clearing file of a date and rail adds up to.
    #[must_use]
    pub fn day_totals(&self, date: Date, rail: Rail) -> DayTotals {
        self.days.totals(date, rail)
    }

    /// The same, added up from the ledger's records: for whoever wants to see that both agree.
    #[must_use]
    pub fn ledger_totals(&self, date: Date, rail: Rail) -> DayTotals {
        let mut totals = self.ledger.totals(date, rail);
        totals.add_returns(&self.days.returned_on(date, rail));
        totals
    }
}

/// Serves a bank until `stop` is done; then lets open requests end.
///
/// # Errors
/// Those of the listener.
pub async fn serve(
    listener: TcpListener,
    bank: Arc<Bank>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    serve_sites(vec![listener], bank, stop).await
}

/// As [`serve`], on several addresses: the bank's sites, the first of which is 1. The outages of its plan count from now.
///
/// # Errors
/// Those of the listeners, and an outage of a site that there is not.
pub async fn serve_sites(
    listeners: Vec<TcpListener>,
    bank: Arc<Bank>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (stopping, stopped) = watch::channel(false);
    let mut sites = JoinSet::new();
    for listener in listeners {
        let listener = connection::Listener::new(listener, bank.sites.add())?;
        let service = http::router(Arc::clone(&bank)).into_make_service_with_connect_info::<connection::Cutter>();
        let mut stopped = stopped.clone();
        let stop = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
        sites.spawn(axum::serve(listener, service).with_graceful_shutdown(stop).into_future());
    }
    bank.sites.plan(&bank.plan.outage).map_err(std::io::Error::other)?;
    stop.await;
    stopping.send_replace(true);
    while let Some(ended) = sites.join_next().await {
        ended.map_err(std::io::Error::other)??;
    }
    Ok(())
}
