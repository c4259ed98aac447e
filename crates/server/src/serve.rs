//! `lintel serve`: brings the parts up in order, and down in the opposite one.

mod doors;
mod left_off;
mod routes;
#[cfg(test)]
pub(crate) mod running;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, bail};
use ark::Vault;
use ark::keys::KeyUse;
use domain::calendar::Date;
use domain::envelope::Time;
use domain::initialise::Genesis;
use domain::{Actor, Command, Origin, State};
use engine::{Meta, Request};
use history::{History, Tail};
use journal::DirectoryLock;
use node::merger::Merger;
use node::projector::{Projector, ProjectorError};
use node::working_day::Schedule;
use store::Database;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::doors::{Doors, Stop, open_doors};
use self::left_off::LeftOff;
use crate::config::{ClockKind, Config, Place};
use crate::http::{self, App, Callers, Parts};
use crate::pos::Pos;
use crate::pos::card_link::CardLink;
use crate::pos::terminal_ca::TerminalCa;
use crate::shell::books::Books;
use crate::shell::clock::wall_ms;
use crate::shell::executor::{Executor, Told, told_of};
use crate::shell::journal_place::JournalPlace;
use crate::shell::key_service::Ark;
use crate::shell::lease::Leadership;
use crate::shell::merger::Merging;
use crate::shell::projector::{self, Message};
use crate::shell::rewrapper::Rewrapping;
use crate::shell::term::{self, Durable, Term, TermError, Terms};
use crate::shell::webhook::Webhooks;
use crate::shell::{
    Clock, Input, Platform, calendar, fund_batch, key_service, lease, merger, real_name_check, rewrapper, unanswered,
    working_day,
};

/// Runs the platform until it is told to stop.
///
/// # Errors
/// What keeps it from starting, or why it had to stop.
pub(crate) fn run(config: &Config, port_file: Option<&Path>) -> Result<()> {
    let ready = |address: SocketAddr| {
        port_file.map_or(Ok(()), |path| {
            std::fs::write(path, address.to_string()).with_context(|| format!("writing {}", path.display()))
        })
    };
    run_until(config, WhileSealed::Wait, |_| Ok(()), ready, signalled())
}

/// What is done while the key service is sealed at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhileSealed {
    /// Listen, and wait for the custodians.
    Wait,
    /// Give up.
    Refuse,
}

/// Runs the platform until `stop` ends. It begins only if `may_begin` has nothing against the state that was recovered,
/// before anything is sent to anyone; `ready` is told where it listens. A sealed node leads nothing: it waits before it takes the lease.
///
/// # Errors
/// As [`run`], and what `may_begin` and `ready` say.
pub(crate) fn run_until(
    config: &Config,
    sealed: WhileSealed,
    may_begin: impl FnOnce(&State) -> Result<()>,
    ready: impl FnOnce(SocketAddr) -> Result<()>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    let (lock, place, (sender, inputs)) = (take_directory(config)?, JournalPlace::of(config)?, mpsc::channel());
    let (ark, stop) = (Arc::new(Ark::start(&config.data_dir, &config.ark)?), Stop::when(&runtime, stop));
    let Some(doors) = open_doors(&runtime, config, &ark, sealed, ready, &stop)? else { return Ok(()) };
    let mut lease = lease::hold(&config.journal)?;
    let Recovered { term, store, history, tail, projector } =
        lease::kept_while(lease.as_mut(), || recover(config, &place, &lock))?;
    let state = term.engine.state();
    let (position, epoch, is_new) = (state.position, term.journal.tip().epoch, state.genesis.is_none());
    let sandbox = state.genesis.as_ref().map_or(config.sandbox, |genesis| genesis.sandbox);
    may_begin(state).and_then(|()| routes::refuse_open_channels(config, sandbox))?;
    let (clock, told, off) = (clock(config, state)?, told_of(state, epoch), LeftOff::of(state, sandbox));
    let (vault, leadership) = (Arc::new(open_vault(config, ark.keys(), state)?), Leadership::new(lease.as_ref()));
    let ((handle, projecting), (attempts, requested)) = (projector::start(projector, position)?, unbounded_channel());
    let platform = Platform::new(sender, leadership.clone(), epoch, handle.behind());
    let renewing = lease.map(|lease| lease::renew(lease, leadership, platform.clone())).transpose()?;
    let terms = Terms {
        place,
        lock: lock.clone(),
        store: store.clone(),
        history: history.clone(),
        projector: handle.clone(),
        platform: platform.clone(),
        clock: clock.clone(),
        attempts: attempts.clone(),
        durable: Durable::new(position),
        run_keys: config.keys.run,
        batch_every: config.journal.batch_every(),
    };
    let (leading, merging) = (term::start(terms, term, inputs)?, merging(config, &store, &history, &handle)?);
    let executor = routes::executor(config, (&platform, &clock), (&vault, &store), (&ark.keys(), &off))?;
    let (telling, webhooks) = routes::webhooks(config, &platform, (&store, handle.written()), &ark.keys(), sandbox)?;
    let rewrapping = rewrapper::start(vault.clone(), config.ark.rewrap_rate()?)?;
    let link = CardLink::start(runtime.handle(), config, (&platform, &store, &clock), &vault, ark.financial())?;
    let app = App::new(Parts {
        router: routes::router(config, &executor, (&store, &clock))?,
        platform: platform.clone(),
        vault,
        rewrapper: rewrapping.way(),
        ark,
        clock,
        personal_fields: config.personal_fields,
        split_plans: config.split_plans.clone(),
        public_url: config.public_url.or(config.listen),
        callers: Callers::new()?,
        books: Books { store, history, tail, projector: handle.clone() },
        executor: executor.clone(),
        card_network: link.as_ref().map(CardLink::network),
        terminal_ca: config.pos.terminal_ca().map(TerminalCa::load).transpose()?,
        webhooks,
        working_day: config.working_day.schedule()?,
    });
    let served = runtime.block_on(async {
        begin(config, &platform, is_new).await?;
        carry_out((executor, config.executor.alarm_after_ms), app.working_day.clone(), told, &attempts, requested);
        serve_telling(config, (app, link), telling, doors, stop).await
    });
    platform.stop();
    let (ended, projected) = (leading.join(), followers_end((merging, rewrapping), &handle, projecting));
    platform.close();
    renewing.map(thread::JoinHandle::join);
    of_threads(ended, projected).and(served)
}

/// Has the executor carry out what the last run left, and what comes; batches and the working day beside it, and the watch over what
/// stays unanswered.
fn carry_out(
    (executor, alarm_after_ms): (Executor, u64),
    schedule: Schedule,
    left: Vec<Told>,
    way: &UnboundedSender<Told>,
    comes: UnboundedReceiver<Told>,
) {
    left.into_iter().for_each(|told| drop(way.send(told)));
    tokio::spawn(unanswered::run(executor.clone(), alarm_after_ms));
    tokio::spawn(fund_batch::run(executor.clone()));
    tokio::spawn(real_name_check::run(executor.clone()));
    tokio::spawn(working_day::run(executor.clone(), schedule));
    tokio::spawn(calendar::run(executor.clone()));
    tokio::spawn(executor.run(comes));
}

/// Begins new books from the settings; from then on time passes.
async fn begin(config: &Config, platform: &Platform, is_new: bool) -> Result<()> {
    if is_new {
        initialise(config, platform).await?;
    }
    tokio::spawn(tick(platform.clone()));
    Ok(())
}

/// Before the lease, which a node that is refused would keep from the others, and before custodians come for a platform that will
/// not start.
fn take_directory(config: &Config) -> Result<DirectoryLock> {
    routes::refuse_clear_secrets(config)?;
    let lock = DirectoryLock::acquire(&config.data_dir)?;
    refuse_half_rebuilt(&config.data_dir)?;
    Ok(lock)
}

/// What was made of journal, store and files.
struct Recovered {
    term: Term,
    store: Arc<Database>,
    history: Arc<History>,
    tail: Tail,
    projector: Projector,
}

fn recover(config: &Config, place: &JournalPlace, lock: &DirectoryLock) -> Result<Recovered> {
    // Before anything is counted: what comes earlier is lost.
    http::health::recorder();
    let mut journal = place.open(lock)?;
    let store = Arc::new(open_store(&config.data_dir, &config.store)?);
    let (history, tail) = (Arc::new(History::new(&config.data_dir)), Tail::new());
    let mut projector = Projector::new(store.clone(), history.clone(), tail.clone(), journal.tip().epoch)?;

    let began = std::time::Instant::now();
    let loaded = node::load::load(journal.as_mut(), &store, &history, |projected| projector.take(projected, 0))?;
    let node::load::Loaded { engine, restored, restoring, refused_filter } = loaded;
    if let Some(through) = refused_filter {
        tracing::error!(
            table = "key_filters",
            through,
            "a filter of keys is not what was written; it was built again from the keys"
        );
    }
    let (position, epoch) = (engine.state().position, journal.tip().epoch);
    let way = if restored > 0 { "the store's checkpoint, then the journal after it" } else { "the whole journal" };
    let (seconds, restoring_seconds) = (began.elapsed().as_secs_f64(), restoring.as_secs_f64());
    tracing::info!(position, epoch, from = way, restored, seconds, restoring_seconds, "recovered");
    // Before anything is written: what a crash left of a merge.
    match history.remove_orphans(&store::run::all(&store)?) {
        Ok(0) => {}
        Ok(files) => tracing::info!(files, "removed what the last run left of merges"),
        Err(error) => tracing::warn!(%error, "what the last run left of merges stays"),
    }
    Ok(Recovered { term: Term { engine, journal }, store, history, tail, projector })
}

/// Starts the merger, unless the settings want none.
fn merging(
    config: &Config,
    store: &Arc<Database>,
    history: &Arc<History>,
    projector: &projector::Handle,
) -> Result<Option<Merging>> {
    let Some(files) = config.history.merges()? else { return Ok(None) };
    let merger = Merger::new(store.clone(), history.clone(), files);
    Ok(Some(merger::start(merger, projector.behind())?))
}

/// Has what follows the journal end: what may be left undone first, then what writes the rest.
fn followers_end(
    (merging, rewrapping): (Option<Merging>, Rewrapping),
    projector: &projector::Handle,
    projecting: thread::JoinHandle<Result<(), ProjectorError>>,
) -> thread::Result<Result<(), ProjectorError>> {
    rewrapping.stop();
    merging.into_iter().for_each(Merging::stop);
    projector.send(Message::Stop);
    projecting.join()
}

/// How the writer and the projector ended.
fn of_threads(
    writer: thread::Result<Result<(), TermError>>,
    projector: thread::Result<Result<(), ProjectorError>>,
) -> Result<()> {
    match (writer, projector) {
        (Ok(writer), Ok(projector)) => {
            writer.context("the writer stopped").and(projector.context("the projector stopped"))
        }
        (Err(_), _) | (_, Err(_)) => bail!("a thread of the platform panicked; its words are above"),
    }
}

/// Opens the vault, with the keys that every platform has, unless it knows fewer customers than the journal: it would give
/// their ids out again, to other people.
fn open_vault(config: &Config, keys: Arc<dyn KeyUse>, state: &State) -> Result<Vault> {
    ark::keys::ensure_platform_keys(&*keys)?;
    let directory = &config.data_dir;
    let vault = Vault::open(directory, keys)?;
    let known = vault.last_customer()?.map_or(0, |customer| customer.0);
    let registered = state.customers.next_id().saturating_sub(1);
    if known < registered {
        bail!(
            "the journal's last customer is cus_{registered} and the vault's is cus_{known}: the vault in {} is older than \
             the journal, or of other books; put back {} and {} as they were when this journal was last written",
            directory.display(),
            ark::vault::VAULT_NAME,
            config.ark_home().name().display(),
        );
    }
    Ok(vault)
}

/// The file that lies in the data directory while a rebuild puts the new store and history in the place of the old ones.
pub(crate) const REBUILD_MARK: &str = "rebuild-unfinished";

/// Refuses a directory that has part of the old and part of the new.
///
/// # Errors
/// A rebuild that was broken off there, and what to do.
pub(crate) fn refuse_half_rebuilt(directory: &Path) -> Result<()> {
    let mark = directory.join(REBUILD_MARK);
    if mark.exists() {
        bail!(
            "{} is there: a `lintel rebuild` was broken off while it put tables and files in place; run it again",
            mark.display()
        );
    }
    Ok(())
}

/// The embedded store's file, below the data directory.
pub(crate) const STORE_NAME: &str = "store.db";

/// Opens the store, making it where it is missing.
///
/// # Errors
/// As [`Database::sqlite`] and [`Database::postgres`].
pub(crate) fn open_store(directory: &Path, place: &Place) -> Result<Database> {
    if place.is_embedded() {
        return Ok(Database::sqlite(&directory.join(STORE_NAME))?);
    }
    Ok(Database::postgres(&store::PostgresConfig::new(place.url.expose(), &place.schema))?)
}

fn clock(config: &Config, state: &State) -> Result<Clock> {
    let sandbox = state.genesis.as_ref().map_or(config.sandbox, |genesis| genesis.sandbox);
    match config.clock {
        ClockKind::Wall => Ok(Clock::Wall),
        ClockKind::Manual if !sandbox => {
            bail!("clock = \"manual\" works only on sandbox books; begin new ones with --sandbox in an empty directory")
        }
        ClockKind::Manual if state.now.0 > 0 => Ok(Clock::manual(state.now)),
        ClockKind::Manual => {
            let first_day = first_day(config)?;
            Ok(Clock::manual(Time(first_day.starts_at().0.saturating_add(9 * 3_600_000))))
        }
    }
}

fn first_day(config: &Config) -> Result<Date> {
    match config.first_day.as_str() {
        "today" => Ok(Date::in_shanghai(Time(wall_ms()))),
        text => text.parse().context("first_day"),
    }
}

async fn initialise(config: &Config, platform: &Platform) -> Result<()> {
    let first_day = first_day(config)?;
    let (institution, sandbox) = (config.institution.clone(), config.sandbox);
    let genesis = Genesis { institution, first_day, calendar: config.calendar()?, sandbox };
    let meta = Meta::unkeyed(Actor::Operator("serve".into()), Origin::Cli);
    platform.submit(Request { command: Command::Initialise(genesis), meta }).await?.result?;
    tracing::info!(%first_day, sandbox, "new books");
    if sandbox {
        let data = config.data_dir.display();
        tracing::info!(
            "a sandbox's API keys: `lintel key --data-dir {data}` prints the institution's secret, `lintel key mch_1 --data-dir {data}` \
             that of a merchant; `lintel key mch_1 --pair DIR --data-dir {data}` makes a merchant's SM2 pair and registers it"
        );
    }
    Ok(())
}

async fn tick(platform: Platform) {
    let mut every = tokio::time::interval(std::time::Duration::from_millis(100));
    loop {
        every.tick().await;
        if platform.send(Input::Tick).is_err() {
            return;
        }
    }
}

/// Serves, and tells webhooks meanwhile; what is under way to them then has a moment to end.
async fn serve_telling(
    config: &Config,
    (app, link): (App, Option<CardLink>),
    telling: Webhooks,
    doors: Doors<impl FnOnce(SocketAddr) -> Result<()>>,
    stop: Stop,
) -> Result<()> {
    let webhooks = app.webhooks.clone();
    tokio::spawn(telling.run());
    let served = serve(config, (app, link), doors, stop).await;
    webhooks.stop().await;
    served
}

async fn serve(
    config: &Config,
    (app, link): (App, Option<CardLink>),
    mut doors: Doors<impl FnOnce(SocketAddr) -> Result<()>>,
    stop: Stop,
) -> Result<()> {
    let listener = doors.listener(config).await?;
    let address = listener.local_addr()?;
    let platform = app.platform.clone();
    let ark = Arc::clone(&app.ark);
    tokio::spawn(key_service::tick(Arc::clone(&ark)));
    let pos = Pos::start(&config.pos, &app).await?;
    let (router, _) = http::routes(app);
    doors.opened(address)?;
    tracing::info!(%address, "ready: http://{address}/docs");
    let stop = async move {
        tokio::select! {
            () = stop.asked() => tracing::info!("asked to stop"),
            () = lost(&platform) => {}
        }
        // Terminals first: what they asked for is decided by what still runs.
        if let Some(pos) = pos {
            pos.stop().await;
        }
        if let Some(link) = link {
            link.stop().await;
        }
    };
    let served = axum::serve(listener, router).with_graceful_shutdown(stop).await.context("serving");
    // Nobody asks any more; sealing writes the disk.
    tokio::task::spawn_blocking(move || ark.stop()).await.context("sealing the key service")?;
    served
}

/// Ends when the writer has stopped by itself.
async fn lost(platform: &Platform) {
    while platform.is_running() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Ends when the process is asked to stop: Ctrl-C, or a polite kill.
pub(crate) async fn signalled() {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
            .expect("the process may listen to its own signals");
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    drop(tokio::signal::ctrl_c().await);
}
