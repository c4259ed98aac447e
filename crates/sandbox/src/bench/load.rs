//! The load of a ledger benchmark: makes requests ahead in a thread of its own and sends them from another.
//!
//! ```text
//!  maker thread: draw, encode, sign ─ chunks of whole requests ─► lane 1 ─┐
//!                                   ├────────────────────────────► lane n ─┼─► the server, one request a lane under way
//!                                   └ holds ──────────────────────► hold lanes ┤
//!                                      statements, so many a second ──────┘
//! ```
//! Lanes, holds and statements share one thread. The queues are short: the maker is at most two chunks a lane ahead, so what
//! it costs is part of the measured time, which begins when it begins and ends with the last answer.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;

use super::connection::{Connection, Signer};
use super::holds;
use super::numbers::Numbers;
use super::postings::{Accounts, Draws, Transfer};
use super::preset::{Codec, Plan, Spread};

/// Chunks that wait in a lane's queue.
const AHEAD: usize = 2;
/// The most requests and, unless one has more, transfers of a chunk.
const CHUNK: (u64, u64) = (64, 8_192);

/// Whether a run was asked to stop early.
#[derive(Debug, Default)]
pub(crate) struct Stop(AtomicBool);

impl Stop {
    /// Asks for it.
    pub(crate) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked for.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What lanes and monitor share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Asked to stop early.
    pub(crate) stop: Arc<Stop>,
    /// Transfers that were answered.
    pub(crate) done: AtomicU64,
    /// Answers that said to come back later.
    pub(crate) overloaded: AtomicU64,
    /// The load is over.
    ended: AtomicBool,
}

impl Shared {
    /// Whether the load is over.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Counts an answer that said to come back later; whether to do so.
    fn goes_on(&self) -> bool {
        self.overloaded.fetch_add(1, Ordering::Relaxed);
        !self.stop.is_asked()
    }

    /// Says that it is.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }
}

/// What to load, and whom.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// The shape.
    pub(crate) plan: Plan,
    /// The accounts.
    pub(crate) accounts: Accounts,
    /// Where the drawing begins.
    pub(crate) seed: u64,
    /// Who asks.
    pub(crate) signer: Signer,
    /// Connections for holds and their confirms.
    pub(crate) hold_clients: u64,
    /// The open day.
    pub(crate) today: String,
    /// Time between two statements; none are asked for if it is zero.
    pub(crate) statement_pause: Duration,
}

/// What a lane measured.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// From send to answer, of each request that posted (a hold and its confirm count as one).
    pub(crate) times_ms: Vec<f64>,
    /// Transfers that were answered.
    pub(crate) transfers: u64,
    /// The sum of their amounts.
    pub(crate) amount: i128,
}

impl Lane {
    fn add(&mut self, other: Self) {
        self.times_ms.extend(other.times_ms);
        self.transfers += other.transfers;
        self.amount += other.amount;
    }
}

/// What a load measured.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// From the first request's making to the last answer.
    pub(crate) wall: Duration,
    /// The postings.
    pub(crate) postings: Lane,
    /// The holds with their confirms.
    pub(crate) holds: Lane,
    /// Statements, from send to answer.
    pub(crate) statements_ms: Vec<f64>,
}

impl Measured {
    /// Transfers of either kind.
    pub(crate) fn transfers(&self) -> u64 {
        self.postings.transfers + self.holds.transfers
    }

    /// What they moved.
    pub(crate) fn amount(&self) -> i128 {
        self.postings.amount + self.holds.amount
    }
}

/// A request that is ready to be sent.
#[derive(Debug)]
struct Prepared {
    bytes: Vec<u8>,
    /// Where its body begins.
    body: usize,
    transfers: u64,
    amount: i128,
}

/// Runs a load to its end, or until it is asked to stop.
///
/// # Errors
/// If the platform refuses something or a connection breaks.
pub(crate) async fn run(load: &Load, shared: &Arc<Shared>) -> Result<Measured> {
    let mut measured = Measured::default();
    let mut connections = Vec::new();
    for _ in 0..load.plan.clients + 1 {
        connections.push(Connection::open(load.signer.host()).await?);
    }
    let asker = connections.pop().context("one connection is for statements")?;
    let statements = tokio::spawn(statements(load.clone(), shared.clone(), asker));
    let (mut posting, mut holding) = (JoinSet::new(), JoinSet::new());
    let mut maker = Maker::new(load);
    for connection in connections {
        let (sender, receiver) = channel(AHEAD);
        maker.posting.push(sender);
        posting.spawn(post(receiver, connection, load.signer.clone(), load.plan.codec, shared.clone()));
    }
    for _ in 0..if load.plan.two_phase > 0 { load.hold_clients } else { 0 } {
        let connection = Connection::open(load.signer.host()).await?;
        let (sender, receiver) = channel(AHEAD);
        maker.holding.push(sender);
        holding.spawn(holds::lane(receiver, connection, load.signer.clone(), shared.clone()));
    }
    let began = Instant::now();
    let making = std::thread::Builder::new().name("maker".into()).spawn(move || maker.run()).context("the maker")?;
    let result = gather(&mut measured, posting, holding, shared).await;
    measured.wall = began.elapsed();
    shared.end();
    result?;
    match making.join() {
        Ok(made) => made?,
        Err(_) => bail!("the maker of requests panicked; its words are above"),
    }
    measured.statements_ms = statements.await.context("asking for statements")??;
    Ok(measured)
}

async fn gather(
    measured: &mut Measured,
    mut posting: JoinSet<Result<Lane>>,
    mut holding: JoinSet<Result<Lane>>,
    shared: &Shared,
) -> Result<()> {
    let mut first = Ok(());
    loop {
        let (sum, ended) = tokio::select! {
            Some(ended) = posting.join_next() => (&mut measured.postings, ended),
            Some(ended) = holding.join_next() => (&mut measured.holds, ended),
            else => return first,
        };
        match ended.context("a lane panicked").flatten() {
            Ok(lane) => sum.add(lane),
            Err(error) => {
                // The others stop too: what they measured without it would mean nothing.
                shared.stop.ask();
                first = first.and(Err(error));
            }
        }
    }
}

/// Makes requests ahead of the lanes.
struct Maker {
    plan: Plan,
    draws: Draws,
    signer: Signer,
    posting: Vec<Sender<Vec<Prepared>>>,
    holding: Vec<Sender<Vec<Transfer>>>,
}

impl Maker {
    fn new(load: &Load) -> Self {
        Self {
            plan: load.plan,
            draws: Draws::new(load.seed, load.accounts, load.plan.spread),
            signer: load.signer.clone(),
            posting: Vec::new(),
            holding: Vec::new(),
        }
    }

    /// Ends when all is made, or when a lane takes no more.
    fn run(mut self) -> Result<()> {
        let (to_post, to_hold) = shares(&self.plan);
        let size = chunk(&self.plan, to_post);
        let mut numbers = vec![0; self.posting.len()];
        let (mut posted, mut held, mut hold_lane) = (0, 0, 0);
        for lane in (0..self.posting.len()).cycle() {
            let mut requests = Vec::new();
            while requests.len() < size && posted < to_post {
                numbers[lane] += 1;
                let request = self.posting(lane, numbers[lane], (to_post - posted).min(self.plan.batch))?;
                posted += request.transfers;
                requests.push(request);
            }
            if requests.is_empty() || self.posting[lane].blocking_send(requests).is_err() {
                return Ok(());
            }
            let due = share(to_hold, posted, to_post);
            while held < due {
                let count = (to_hold - held).min(self.plan.batch);
                if due - held < count {
                    break;
                }
                let holds = (0..count).map(|_| self.draws.draw()).collect();
                if self.holding[hold_lane].blocking_send(holds).is_err() {
                    return Ok(());
                }
                held += count;
                hold_lane = (hold_lane + 1) % self.holding.len();
            }
        }
        Ok(())
    }

    fn posting(&mut self, lane: usize, number: u64, transfers: u64) -> Result<Prepared> {
        let Self { plan, draws, signer, .. } = self;
        let drawn = (0..usize::try_from(transfers)?).map(|_| draws.draw());
        let (body, amount) = plan.codec.posting(&format!("bench-{lane}"), number, drawn);
        let bytes = signer.request("POST", "/v1/postings", plan.codec.header(), &body)?;
        Ok(Prepared { body: bytes.len() - body.len(), bytes, transfers, amount })
    }
}

/// How many transfers are posted, and how many held and confirmed.
fn shares(plan: &Plan) -> (u64, u64) {
    let held = share(plan.transfers, u64::from(plan.two_phase), 100);
    (plan.transfers - held, held)
}

/// `whole` × `part` ÷ `of`, rounded down.
fn share(whole: u64, part: u64, of: u64) -> u64 {
    let share = u128::from(whole) * u128::from(part) / u128::from(of.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// Requests of a chunk: so many that threads wake each other seldom, so few that each lane has several.
fn chunk(plan: &Plan, to_post: u64) -> usize {
    let fair = to_post / plan.batch / plan.clients / 4;
    let requests = CHUNK.0.min(CHUNK.1 / plan.batch).min(fair).max(1);
    usize::try_from(requests).unwrap_or(1)
}

async fn post(
    mut chunks: Receiver<Vec<Prepared>>,
    mut connection: Connection,
    signer: Signer,
    codec: Codec,
    shared: Arc<Shared>,
) -> Result<Lane> {
    let mut lane = Lane::default();
    while let Some(chunk) = chunks.recv().await {
        for request in chunk {
            if shared.stop.is_asked() {
                return Ok(lane);
            }
            let began = Instant::now();
            send(&mut connection, &signer, codec, &request, &shared).await?;
            lane.times_ms.push(began.elapsed().as_secs_f64() * 1_000.0);
            lane.transfers += request.transfers;
            lane.amount += request.amount;
            shared.done.fetch_add(request.transfers, Ordering::Relaxed);
        }
    }
    Ok(lane)
}

/// Sends a posting until it is taken; the platform may say to come back later.
async fn send(
    connection: &mut Connection,
    signer: &Signer,
    codec: Codec,
    request: &Prepared,
    shared: &Shared,
) -> Result<()> {
    let mut first = Some(&request.bytes);
    let make = || match first.take() {
        Some(bytes) => Ok(Cow::from(bytes)),
        None => Ok(signer.request("POST", "/v1/postings", codec.header(), &request.bytes[request.body..])?.into()),
    };
    let reply = connection.patiently(make, || shared.goes_on()).await?;
    let words = || String::from_utf8_lossy(reply.body).into_owned();
    ensure!(reply.status == 200, "a posting: {}: {}", reply.status, words());
    ensure!(codec.accepts_all(reply.body), "a posting had refused vouchers: {:.400}", words());
    Ok(())
}

/// Sends the body of a posting that was made here, until it is taken; the answer's body.
///
/// # Errors
/// If the platform refuses it as a whole or the connection breaks.
pub(super) async fn exchange(
    connection: &mut Connection,
    signer: &Signer,
    codec: Codec,
    body: &[u8],
    shared: &Shared,
) -> Result<Vec<u8>> {
    let make = || Ok(signer.request("POST", "/v1/postings", codec.header(), body)?.into());
    let reply = connection.patiently(make, || shared.goes_on()).await?;
    ensure!(reply.status == 200, "a posting: {}: {}", reply.status, String::from_utf8_lossy(reply.body));
    Ok(reply.body.to_vec())
}

/// Asks for statements of the open day until the load is over.
async fn statements(load: Load, shared: Arc<Shared>, mut connection: Connection) -> Result<Vec<f64>> {
    let mut times_ms = Vec::new();
    if load.statement_pause.is_zero() {
        return Ok(times_ms);
    }
    let mut numbers = Numbers(load.seed ^ 0x57a7_e3e4);
    let mut every = tokio::time::interval(load.statement_pause);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !shared.has_ended() && !shared.stop.is_asked() {
        every.tick().await;
        // Where one account is in every transfer, every other statement is its own.
        let hot = load.plan.spread == Spread::Hot && times_ms.len().is_multiple_of(2);
        let account = if hot { load.accounts.first } else { load.accounts.pick(&mut numbers) };
        times_ms.push(statement(&mut connection, &load.signer, account, &load.today).await?);
    }
    Ok(times_ms)
}

/// Asks for the statement of one account; the time from send to answer in milliseconds.
///
/// # Errors
/// If the platform does not give it.
pub(crate) async fn statement(connection: &mut Connection, signer: &Signer, account: u64, today: &str) -> Result<f64> {
    let target = format!("/v1/accounts/acc_{account}/statement?from={today}&to={today}&limit=100");
    let request = signer.request("GET", &target, "", &[])?;
    let began = Instant::now();
    let reply = connection.exchange(&request).await?;
    let took = began.elapsed().as_secs_f64() * 1_000.0;
    ensure!(reply.status == 200, "{target}: {}: {}", reply.status, String::from_utf8_lossy(reply.body));
    Ok(took)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::preset::Preset;

    #[test]
    fn the_shares_add_up_to_all_transfers() {
        for two_phase in [0, 1, 30, 90] {
            let (posted, held) = shares(&Plan { two_phase, transfers: 1_001, ..Preset::Uniform.plan() });
            assert_eq!((posted + held, held), (1_001, 1_001 * u64::from(two_phase) / 100));
        }
    }

    #[test]
    fn chunks_are_small_where_requests_are_large_or_few() {
        let (uniform, single) = (Preset::Uniform.plan(), Preset::Single.plan());
        assert_eq!(chunk(&uniform, uniform.transfers), 1);
        assert_eq!(chunk(&single, single.transfers), 64);
        assert_eq!(chunk(&single, 160), 2, "sixteen lanes share 160 requests in several chunks each");
    }

    /// What the maker sends: to each lane its requests, in order.
    fn made(plan: Plan) -> (Vec<Vec<Prepared>>, Vec<Transfer>) {
        let load = Load {
            plan,
            accounts: Accounts { first: 10, count: plan.accounts },
            seed: 1,
            signer: Signer::new("http://127.0.0.1:1", "operator", ark::MacKey::from_bytes([1; 32])),
            hold_clients: 1,
            today: String::new(),
            statement_pause: Duration::ZERO,
        };
        let mut maker = Maker::new(&load);
        let (mut lanes, (hold_sender, mut held)) = (Vec::new(), channel(1_000));
        for _ in 0..plan.clients {
            let (sender, receiver) = channel(1_000);
            maker.posting.push(sender);
            lanes.push(receiver);
        }
        maker.holding.push(hold_sender);
        maker.run().unwrap();
        let all = |mut lane: Receiver<Vec<Prepared>>| {
            let mut requests = Vec::new();
            while let Ok(chunk) = lane.try_recv() {
                requests.extend(chunk);
            }
            requests
        };
        let mut holds = Vec::new();
        while let Ok(chunk) = held.try_recv() {
            holds.extend(chunk);
        }
        (lanes.into_iter().map(all).collect(), holds)
    }

    #[test]
    fn the_maker_makes_every_transfer_once_and_spreads_them_over_the_lanes() {
        let plan =
            Plan { accounts: 50, transfers: 1_003, batch: 10, clients: 4, two_phase: 30, ..Preset::Uniform.plan() };
        let (lanes, holds) = made(plan);
        let posted: u64 = lanes.iter().flatten().map(|request| request.transfers).sum();
        assert_eq!((posted, holds.len()), (703, 300));
        for lane in &lanes {
            assert!((15..=20).contains(&lane.len()), "{}", lane.len());
        }
    }

    #[test]
    fn the_maker_ends_when_a_lane_is_gone() {
        let plan = Plan { accounts: 5, transfers: 1_000, batch: 1, clients: 2, ..Preset::Uniform.plan() };
        let load = Load {
            plan,
            accounts: Accounts { first: 1, count: 5 },
            seed: 1,
            signer: Signer::new("http://127.0.0.1:1", "operator", ark::MacKey::from_bytes([1; 32])),
            hold_clients: 0,
            today: String::new(),
            statement_pause: Duration::ZERO,
        };
        let mut maker = Maker::new(&load);
        for _ in 0..2 {
            let (sender, receiver) = channel(1);
            maker.posting.push(sender);
            drop(receiver);
        }
        maker.run().unwrap();
    }
}
