//! The world of one seed: a clock, a queue of things that will happen, and everything they happen to. One thing happens
//! at a time, and after each the laws are asked.
//!
//! ```text
//!  queue ─ next ─► step ─► node │ clients │ operator │ network
//!                   │        └ outputs ─ gate ─► leave: durable? the same as before? ─► client │ flight │ projector
//!                   └ laws of the state, outbox, follower
//! ```
//! A run: an opening in fair weather; a day of clients in the seed's weather, cut in the middle; fair weather until nothing
//! is open; the next day the same again; then every day is closed and the books are compared with the banks.

use std::collections::BTreeMap;

use domain::attempt::{Outcome, Rail};
use domain::envelope::Time;
use domain::ids::{AccountId, AttemptId};
use engine::{Answer, LookedUp, Parked, Request};

use crate::check::{self, Checked, broken};
use crate::client::{self, Client, Ledger, Outstanding};
use crate::commands::{self, Maker};
use crate::day::{self, Day, Plan};
use crate::disk::{Disk, Fate};
use crate::fault::Fault;
use crate::files::Files;
use crate::follower::Follower;
use crate::fund_batch;
use crate::network::{Message, Network};
use crate::node::{Asker, Node, Output, Stopped};
use crate::operator::Operator;
use crate::random::Random;
use crate::sessions;
use crate::terms::Terms;
use crate::trace::{Stats, Trace};
use crate::under_way;
use crate::weather::Weather;

/// Clients; the operator comes behind them.
pub(crate) const CLIENTS: usize = 4;
/// Behind them the customers of a day, each of whom asks for one thing.
pub(crate) const CUSTOMERS: usize = CLIENTS + 1;

/// Something that will happen. What concerns one life of the node bears that life's number.
#[derive(Debug)]
pub(crate) enum Event {
    /// A client does its next thing.
    Wakes(usize),
    /// A client's request reaches the platform.
    Arrives(usize, Box<Outstanding>),
    /// A client hears an answer.
    Hears(usize, u64, Box<Answer>),
    /// The store is asked for what left memory.
    LooksUp(u64, Asker, Box<Parked>),
    /// The engine hears what the store has.
    LookedUp(u64, Asker, Box<(Parked, LookedUp)>),
    /// Someone reads an account.
    Reads(AccountId),
    /// The journal is done with a batch.
    Appended(u64, Fate),
    /// The writer has nothing else to do.
    Idle(u64),
    /// The writer looks at the clock.
    Ticks(u64),
    /// The projector takes a batch.
    Takes(u64),
    /// The projector looks at the clock.
    Projects(u64),
    /// A flight takes its next step.
    Flies(u64, AttemptId),
    /// The executor tells the engine an outcome again.
    Reports(u64, AttemptId, Outcome),
    /// A message reaches its bank.
    ToBank(Box<Message>),
    /// An answer comes back.
    FromBank(Box<Message>, Box<channels::Response>),
    /// A call found no connection, or got no answer in time.
    Fails(u64, AttemptId, u64, bool),
    /// The node is started.
    Starts,
    /// The operator does its next thing.
    Operates,
    /// The customer of a day with this number comes.
    Buys(usize),
    /// A site's probe ended: answered or not.
    Probed(u64, Rail, usize, bool),
}

/// The world.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) now: i64,
    queue: BTreeMap<(i64, u64), Event>,
    queued: u64,
    pub(crate) random: Random,
    pub(crate) weather: Weather,
    /// The weather of the seed, while it is fair.
    kept_weather: Weather,
    pub(crate) fault: Option<Fault>,
    pub(crate) terms: Terms,
    /// The day with a plan, if it is one.
    pub(crate) day: Option<Box<Day>>,
    pub(crate) disk: Disk,
    pub(crate) files: Files,
    pub(crate) follower: Follower,
    pub(crate) network: Network,
    pub(crate) node: Option<Node>,
    pub(crate) life: u64,
    pub(crate) clients: Vec<Client>,
    pub(crate) operator: Operator,
    pub(crate) ledger: Ledger,
    /// Requests by number, until the end.
    requests: BTreeMap<u64, Request>,
    numbers: u64,
    pub(crate) trace: Trace,
    pub(crate) stats: Stats,
    checked: u64,
    /// The position of the disk whose state was judged last.
    judged: u64,
    to_be_compared: bool,
}

impl World {
    /// The world of a seed before anything has happened.
    pub(crate) fn new(seed: u64, fault: Option<Fault>, keeps_trace: bool) -> Self {
        let mut random = Random::new(seed);
        let kept_weather = Weather { site_down: Random::new(!seed).below(400), ..Weather::draw(&mut random) };
        let now = commands::first_day().starts_at().plus_ms(9 * 3_600_000).0;
        let trace = Trace::new(keeps_trace, now);
        let date = jiff::civil::date(2026, 3, 5);
        Self {
            seed,
            now,
            queue: BTreeMap::new(),
            queued: 0,
            random,
            weather: Weather::default(),
            kept_weather,
            fault,
            terms: Terms::SEEDS,
            day: None,
            disk: Disk::new(),
            files: Files::new(),
            follower: Follower::new(),
            network: Network::new(seed, kept_weather, date),
            node: None,
            life: 0,
            clients: (0..=CLIENTS).map(|_| Client::default()).collect(),
            operator: Operator::default(),
            ledger: Ledger::default(),
            requests: BTreeMap::new(),
            numbers: 0,
            trace,
            stats: Stats::default(),
            checked: 0,
            judged: 0,
            to_be_compared: false,
        }
    }

    /// The world of a day's plan, which has all of its faults.
    pub(crate) fn of_day(plan: Plan, keeps_trace: bool) -> Self {
        let (seed, terms) = (plan.seed, plan.terms());
        let date = jiff::civil::date(2026, 3, 5);
        let channels = plan.channels();
        let mut world = Self::new(seed, None, keeps_trace);
        (world.kept_weather, world.terms) = (Weather::default(), terms);
        world.network = Network::between(seed, plan.bank.clone(), date, channels);
        world.files.may_be_lost = false;
        world.day = Some(Box::new(Day::new(plan, day::date().starts_at().0)));
        world
    }

    /// Lets something happen after so many milliseconds.
    pub(crate) fn after(&mut self, ms: i64, event: Event) {
        self.queued += 1;
        self.queue.insert((self.now + ms, self.queued), event);
    }

    /// As [`Self::after`], between two distances.
    pub(crate) fn soon(&mut self, low: i64, high: i64, event: Event) {
        let ms = self.random.between(low, high);
        self.after(ms, event);
    }

    /// Writes a line of the trace.
    pub(crate) fn say(&mut self, who: &str, what: std::fmt::Arguments<'_>) {
        self.trace.say(self.now, who, what);
    }

    /// Writes the first line of a seed's trace.
    pub(crate) fn says_weather(&mut self) {
        let (seed, weather) = (self.seed, self.kept_weather);
        self.say("world", format_args!("seed {seed}: {weather:?}"));
    }

    /// Fair weather, or the seed's.
    pub(crate) fn fair(&mut self, fair: bool) {
        self.weather = if fair { Weather::default() } else { self.kept_weather };
        self.say("world", format_args!("{}", if fair { "fair weather" } else { "the seed's weather" }));
    }

    /// Lets things happen until `done`, which is asked before each.
    pub(crate) fn run_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Checked {
        while !done(self) {
            let Some(((at, _), event)) = self.queue.pop_first() else {
                return broken("everything comes to an end", format!("nothing is left to happen before {what}"));
            };
            self.now = self.now.max(at);
            self.stats.steps += 1;
            let most = self.terms.steps_max;
            if self.stats.steps > most {
                return broken("everything comes to an end", format!("{what} did not come in {most} steps"));
            }
            if self.node.is_some() && self.random.chance(self.weather.crash) {
                self.crash()?;
            }
            self.happens(event)?;
            self.laws()?;
        }
        Ok(())
    }

    fn happens(&mut self, event: Event) -> Checked {
        match event {
            Event::Wakes(client) => self.wakes(client),
            Event::Arrives(client, outstanding) => self.arrives(client, *outstanding),
            Event::Hears(client, number, answer) => self.hears(client, number, &answer),
            Event::LooksUp(life, asker, parked) if life == self.life => self.looks_up(asker, *parked),
            Event::LookedUp(life, asker, told) if life == self.life => self.looked_up(asker, *told),
            Event::Reads(account) => self.reads(account),
            Event::Appended(life, fate) if life == self.life => self.appended(fate),
            Event::Idle(life) if life == self.life => {
                self.seal();
                Ok(())
            }
            Event::Ticks(life) if life == self.life => self.ticks(),
            Event::Takes(life) if life == self.life => self.takes(),
            Event::Projects(life) if life == self.life => self.projects(),
            Event::Flies(life, attempt) if life == self.life => self.flies(attempt),
            Event::Reports(life, attempt, outcome) if life == self.life => self.reports(attempt, outcome),
            Event::Fails(life, attempt, call, written) if life == self.life => self.call_failed(attempt, call, written),
            Event::ToBank(message) => {
                self.at_the_bank(*message);
                Ok(())
            }
            Event::FromBank(message, response) => self.answered_by_the_bank(&message, *response),
            Event::Starts => self.starts(),
            Event::Operates => self.operates(),
            Event::Buys(order) => {
                self.buys(order);
                Ok(())
            }
            Event::Probed(life, rail, site, answered) if life == self.life => {
                self.probed(rail, site, answered);
                Ok(())
            }
            // Of a life that is over.
            Event::LooksUp(..)
            | Event::LookedUp(..)
            | Event::Appended(..)
            | Event::Idle(_)
            | Event::Ticks(_)
            | Event::Takes(_)
            | Event::Projects(_)
            | Event::Flies(..)
            | Event::Reports(..)
            | Event::Fails(..)
            | Event::Probed(..) => Ok(()),
        }
    }

    /// The laws that hold at any time; those of the whole state once in so many steps.
    fn laws(&mut self) -> Checked {
        let Some(node) = &self.node else { return Ok(()) };
        node.carries_all(&self.follower)?;
        let state = node.engine.state();
        if self.terms.laws_every == 1 {
            return if state.position == self.checked { Ok(()) } else { self.all_laws() };
        }
        if self.stats.steps.is_multiple_of(self.terms.laws_every) {
            self.all_laws()?;
        }
        self.compares()
    }

    /// The laws of the whole state.
    pub(crate) fn all_laws(&mut self) -> Checked {
        let Some(node) = &self.node else { return Ok(()) };
        let state = node.engine.state();
        self.checked = state.position;
        self.to_be_compared = true;
        check::sound(state, node.engine.is_due(state.now))?;
        // Of every row that there was: the node has let some of them go.
        let truth = self.follower.state();
        if truth.position != self.judged {
            self.judged = truth.position;
            under_way::sound(truth)?;
            sessions::sound(truth)?;
        }
        self.compares()
    }

    /// Whether the state is that of the disk, if that is to be asked and both are level: the clock moves ahead of the events, too.
    fn compares(&mut self) -> Checked {
        let Some(state) = self.node.as_ref().map(|node| node.engine.state()) else { return Ok(()) };
        let truth = self.follower.state();
        let is_level = state.position == truth.position && (self.terms.laws_every == 1 || state.now == truth.now);
        if !self.to_be_compared || !is_level {
            return Ok(());
        }
        self.to_be_compared = false;
        self.stats.compared += 1;
        self.follower.is(state, "the node's state")
    }

    /// The client's next thing: what it has no answer to again, else something new or old.
    fn wakes(&mut self, client: usize) -> Checked {
        if self.clients[client].outstanding.is_none() {
            match self.next_request(client) {
                Some(outstanding) => {
                    let called = client::name(&outstanding.request.command);
                    let again = if outstanding.is_repeat { " (a repetition)" } else { "" };
                    let number = outstanding.number;
                    self.say("client", format_args!("{client} asks {number}: {called}{again}"));
                    self.clients[client].outstanding = Some(outstanding);
                }
                None if self.clients[client].left > 0 => {
                    self.soon(100, 1_500, Event::Wakes(client));
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
        let Some(outstanding) = self.clients[client].outstanding.clone() else { return Ok(()) };
        if !self.random.chance(self.weather.client_lost) {
            self.soon(1, 30, Event::Arrives(client, Box::new(outstanding)));
        }
        // If no answer comes.
        self.soon(2_000, 6_000, Event::Wakes(client));
        Ok(())
    }

    fn next_request(&mut self, client: usize) -> Option<Outstanding> {
        if self.clients[client].left == 0 {
            return None;
        }
        self.clients[client].left -= 1;
        if self.random.chance(self.weather.repeat)
            && let Some(old) = self.random.pick(&self.clients[client].told).cloned()
        {
            let request = if self.random.chance(250) { client::twisted(&old) } else { old };
            return Some(self.outstanding(request, true));
        }
        let now = Time(self.now);
        let stream = (format!("stream {client}"), self.clients[client].bulk + 1);
        let number = self.numbers + 1;
        let mut maker = Maker { state: self.follower.state(), random: &mut self.random, now, number, stream };
        let read = maker.any_account().filter(|_| maker.random.chance(400));
        let command = maker.command();
        if let Some(account) = read {
            self.soon(0, 300, Event::Reads(account));
        }
        let command = command?;
        if matches!(command, domain::Command::PostBulk(_)) {
            self.clients[client].bulk += 1;
        }
        let request = client::request(client, number, command);
        Some(self.outstanding(request, false))
    }

    /// A request with a number of its own.
    pub(crate) fn outstanding(&mut self, request: Request, is_repeat: bool) -> Outstanding {
        self.numbers += 1;
        self.requests.insert(self.numbers, request.clone());
        Outstanding { number: self.numbers, request, is_repeat }
    }

    /// The number that the next request will have.
    pub(crate) fn next_number(&self) -> u64 {
        self.numbers + 1
    }

    fn hears(&mut self, client: usize, number: u64, answer: &Answer) -> Checked {
        if client == CUSTOMERS {
            self.customer_hears(number, answer);
            return Ok(());
        }
        let waits = self.clients[client].outstanding.as_ref().is_some_and(|it| it.number == number);
        if !waits {
            return Ok(());
        }
        let outstanding = self.clients[client].outstanding.take().expect("it waits");
        self.stats.answered += 1;
        self.stats.refused += u64::from(answer.result.is_err());
        self.say("client", format_args!("{client} hears {number}: {}", client::told(&answer.result)));
        if !outstanding.is_repeat {
            self.clients[client].told.push(outstanding.request.clone());
        }
        if client == CLIENTS {
            return self.operator_hears(&outstanding.request, answer);
        }
        self.soon(5, 1_500, Event::Wakes(client));
        Ok(())
    }

    /// An output leaves the platform. Nothing may before the journal holds what it was computed from.
    pub(crate) fn leaves(&mut self, position: u64, output: Output, hash: journal::Hash) -> Checked {
        let durable = self.follower.position();
        if position > durable {
            let what = format!("{output:?}");
            let what = what.split(['(', ' ']).next().unwrap_or_default();
            return broken("nothing leaves before it is durable", format!("{what} of {position} left at {durable}"));
        }
        match output {
            Output::Answer((client, number), answer) => {
                let request = self.requests.get(&number).expect("every request is kept").clone();
                self.ledger.answers(&request, &answer)?;
                if !self.random.chance(self.weather.client_lost) {
                    self.soon(1, 20, Event::Hears(client, number, Box::new(answer)));
                }
                Ok(())
            }
            Output::Seen(account, balance) => {
                self.stats.reads += 1;
                let expected = self.follower.balance_at(account, position);
                if i128::from(balance) == expected {
                    return Ok(());
                }
                broken("a read is of its position", format!("{account} was {balance}, at {position} it is {expected}"))
            }
            Output::Reported(attempt, outcome) => self.reported(attempt, &outcome),
            Output::Projection(projection) => {
                self.project(*projection, hash);
                Ok(())
            }
            Output::Snapshot(snapshot) => {
                if let Some(node) = &mut self.node {
                    node.closing = Some(snapshot);
                }
                Ok(())
            }
        }
    }

    /// The process stops, whatever it was doing.
    pub(crate) fn crash(&mut self) -> Checked {
        self.stats.crashes += 1;
        let Some(mut node) = self.node.take() else { return Ok(()) };
        self.life += 1;
        if let Some(batch) = node.syncing.take() {
            let fates = [Fate::Lost, Fate::Kept, Fate::Torn];
            let fate = *self.random.pick(&fates).expect("there are some");
            self.say("crash", format_args!("with a batch at the journal: {}", fate.name()));
            self.disk.next(fate);
            self.stats.kept += u64::from(fate == Fate::Kept);
            drop(journal::Journal::append(&mut node.journal, &batch));
        } else {
            self.say("crash", format_args!("with nothing at the journal"));
        }
        drop(node);
        self.follower.catch_up(&self.disk)?;
        self.after_a_crash()
    }

    /// What else a stop costs, and when the node is started again.
    pub(crate) fn after_a_crash(&mut self) -> Checked {
        if self.random.chance(self.weather.store_lost) {
            let lost = self.files.lose_commits().or_else(|error| broken("recovery", error.to_string()))?;
            if lost {
                self.say("crash", format_args!("the store's last commits are lost"));
            }
        }
        self.soon(50, 2_500, Event::Starts);
        Ok(())
    }

    fn starts(&mut self) -> Checked {
        if self.node.is_some() {
            return Ok(());
        }
        let unlucky = self.random.chance(self.weather.crash_in_start);
        if unlucky {
            match self.random.below(4) {
                0 => self.disk.next(Fate::Full),
                1 => self.disk.next(Fate::Lost),
                2 => self.disk.next(Fate::Torn),
                _ => self.disk.stop_after_reads(Some(1 + u32::try_from(self.random.below(3)).expect("it is small"))),
            }
        }
        let skew_ms = self.random.between(-300, 300);
        let (disk, files, channels, terms) = (&self.disk, &self.files, &self.network.channels, &self.terms);
        let clock = (Time(self.now), skew_ms);
        let started = Node::start(disk, files, &mut self.follower, channels, terms, clock, self.fault);
        self.disk.stop_after_reads(None);
        self.disk.next(Fate::Synced);
        match started {
            Ok(node) => self.started(node),
            Err(Stopped::Again(why)) => {
                self.stats.crashes += 1;
                self.say("start", format_args!("came to nothing: {why}"));
                self.after_a_crash()
            }
            Err(Stopped::Broken(violation)) => Err(violation),
        }
    }

    fn started(&mut self, mut node: Node) -> Checked {
        self.life += 1;
        self.stats.starts += 1;
        if self.fault != Some(Fault::ForgottenKeys) {
            self.ledger.held_by(node.engine.keys())?;
        }
        let (position, epoch) = (node.engine.state().position, node.epoch);
        let outbox = node.engine.state().in_outbox().filter(|attempt| !fund_batch::is_batched(attempt));
        let outbox: Vec<_> = outbox.cloned().collect();
        self.say("start", format_args!("epoch {epoch} at {position}, {} attempts to carry on", outbox.len()));
        let skipped = usize::from(self.fault == Some(Fault::LostOutbox));
        for attempt in outbox.into_iter().skip(skipped) {
            let id = attempt.id;
            node.carry(attempt, &self.network.channels);
            self.after(0, Event::Flies(self.life, id));
        }
        self.node = Some(node);
        self.soon(50, 400, Event::Ticks(self.life));
        self.soon(500, 3_000, Event::Projects(self.life));
        Ok(())
    }
}
