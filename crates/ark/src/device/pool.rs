//! Sessions of devices: kept open and lent out, opened again after a loss, and taken from another device when one is
//! dead.
//!
//! ```text
//!  a device    alive ──a fresh session is lost──► dead ──retry_after passed, or no other left──► tried: alive or dead
//!  a session   idle ──lent──► in use ──► idle;  lost or spoiled ──► closed, and the device's idle ones with it
//! ```
//!
//! Invariants: no session is lent to two callers; no call into a device is made under the pool's lock; a kept session
//! that is lost is no proof against its device (it may have restarted), a fresh one is. Work may be done twice, on two
//! sessions, when the first is lost in between, so what is run here is what may be repeated.

use std::{
    fmt,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::DeviceError;
use crate::provider::KeyError;

/// A device that sessions are opened to.
pub trait Device: Send + Sync {
    /// One caller at a time uses it. Dropping it closes it.
    type Session: Send;

    /// Its name in the configuration.
    fn name(&self) -> &str;

    /// Opens a session.
    ///
    /// # Errors
    /// [`DeviceError::Lost`] if the device is not reached; [`DeviceError::Full`] if it takes no further session.
    fn connect(&self) -> Result<Self::Session, DeviceError>;

    /// Something small that shows that the device answers.
    ///
    /// # Errors
    /// Whatever it answered.
    fn probe(&self, session: &mut Self::Session) -> Result<(), DeviceError>;
}

/// How many sessions there are and how long one waits.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most sessions to one device.
    pub sessions: usize,
    /// How long a caller waits for a session when all are in use.
    pub wait: Duration,
    /// How long a dead device is left alone while another one answers.
    pub retry_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { sessions: 8, wait: Duration::from_secs(5), retry_after: Duration::from_secs(10) }
    }
}

/// What is known of one device.
#[derive(Debug, Clone)]
pub struct Health {
    /// Its name in the configuration.
    pub device: String,
    /// Whether it answered when it was last asked.
    pub alive: bool,
    /// How many sessions are open.
    pub open: usize,
    /// How many of them are not in use.
    pub idle: usize,
    /// How often it was lost since the start.
    pub losses: u64,
    /// Why it was lost the last time.
    pub last_error: Option<String>,
}

struct State<S> {
    idle: Vec<S>,
    open: usize,
    /// Sinks when the device itself takes no more.
    limit: usize,
    dead_until: Option<Instant>,
    losses: u64,
    last_error: Option<String>,
}

struct All<S> {
    next: usize,
    states: Vec<State<S>>,
}

/// The sessions of one or several devices that hold the same keys.
pub struct Pool<D: Device> {
    devices: Vec<D>,
    limits: Limits,
    all: Mutex<All<D::Session>>,
    returned: Condvar,
}

/// A session in use. Given back when dropped.
struct Lent<'a, D: Device> {
    pool: &'a Pool<D>,
    device: usize,
    session: Option<D::Session>,
}

impl<D: Device> Pool<D> {
    /// A pool of no sessions yet.
    ///
    /// # Errors
    /// [`DeviceError::Configuration`] without a device, without sessions, or with a name twice.
    pub fn new(devices: Vec<D>, limits: Limits) -> Result<Self, DeviceError> {
        let wrong = |what: String, needed| Err(DeviceError::Configuration { what, needed });
        if devices.is_empty() {
            return wrong("no device".to_owned(), "name at least one");
        }
        if limits.sessions == 0 {
            return wrong("sessions = 0".to_owned(), "at least one session to a device");
        }
        for (place, device) in devices.iter().enumerate() {
            if devices[..place].iter().any(|other| other.name() == device.name()) {
                return wrong(format!("device {} twice", device.name()), "each device has a name of its own");
            }
        }
        let state = |_: &D| State {
            idle: Vec::new(),
            open: 0,
            limit: limits.sessions,
            dead_until: None,
            losses: 0,
            last_error: None,
        };
        let all = Mutex::new(All { next: 0, states: devices.iter().map(state).collect() });
        Ok(Self { devices, limits, all, returned: Condvar::new() })
    }

    /// Does `work` on a session of whichever device answers. Devices take turns; a dead one comes last.
    ///
    /// # Errors
    /// What `work` answers; [`DeviceError::Unavailable`] if every device is lost, [`DeviceError::Busy`] and
    /// [`DeviceError::Full`] if there is no session.
    pub fn run<R>(&self, mut work: impl FnMut(&mut D::Session) -> Result<R, KeyError>) -> Result<R, KeyError> {
        let mut tried = Vec::new();
        let mut full = None;
        for device in self.order() {
            match self.run_on(device, &mut work) {
                Err(KeyError::Device(error)) if error.is_lost() => tried.push(error.to_string()),
                Err(KeyError::Device(error @ DeviceError::Full { .. })) => full = Some(error),
                done => return done,
            }
        }
        Err(KeyError::Device(full.unwrap_or_else(|| DeviceError::Unavailable { tried: tried.join("; ") })))
    }

    /// Asks each device whether it answers, dead ones too.
    #[must_use]
    pub fn check(&self) -> Vec<Health> {
        for (index, device) in self.devices.iter().enumerate() {
            // Whatever it answers is noted in its state.
            let _ = self.run_on(index, &mut |session| device.probe(session).map_err(KeyError::Device));
        }
        self.health()
    }

    /// What is known of each device, without asking it.
    #[must_use]
    pub fn health(&self) -> Vec<Health> {
        let all = self.lock();
        let health = |(device, state): (&D, &State<D::Session>)| Health {
            device: device.name().to_owned(),
            alive: state.dead_until.is_none(),
            open: state.open,
            idle: state.idle.len(),
            losses: state.losses,
            last_error: state.last_error.clone(),
        };
        self.devices.iter().zip(&all.states).map(health).collect()
    }

    /// On sessions kept from before until one is not lost, then on a fresh one.
    fn run_on<R>(
        &self,
        device: usize,
        work: &mut impl FnMut(&mut D::Session) -> Result<R, KeyError>,
    ) -> Result<R, KeyError> {
        loop {
            let (mut lent, fresh) = self.lend(device)?;
            let session = lent.session.as_mut().expect("taken only where it is given back");
            let done = work(session);
            match &done {
                Err(KeyError::Device(error)) if error.spoils_session() => {
                    lent.close();
                    if error.is_lost() {
                        self.close_idle(device);
                        if !fresh {
                            continue;
                        }
                        self.lost(device, error);
                    }
                }
                Ok(_) | Err(_) => self.lock().states[device].dead_until = None,
            }
            return done;
        }
    }

    /// A session of this device, and whether it was opened for this.
    fn lend(&self, device: usize) -> Result<(Lent<'_, D>, bool), KeyError> {
        let mut all = self.lock();
        let until = Instant::now() + self.limits.wait;
        loop {
            let state = &mut all.states[device];
            if let Some(session) = state.idle.pop() {
                return Ok((Lent { pool: self, device, session: Some(session) }, false));
            }
            if state.open < state.limit {
                state.open += 1;
                break;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let (sessions, waited_ms) = (state.limit, self.limits.wait.as_millis());
                return Err(DeviceError::Busy { sessions, waited_ms }.into());
            }
            all = self.returned.wait_timeout(all, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(all);
        // Counts as open from here on, and no more if it does not open.
        let mut lent = Lent { pool: self, device, session: None };
        match self.devices[device].connect() {
            Ok(session) => {
                lent.session = Some(session);
                Ok((lent, true))
            }
            Err(error) => {
                drop(lent);
                self.not_opened(device, error)
            }
        }
    }

    /// A device that is full but serves us goes on with the sessions it gave.
    fn not_opened(&self, device: usize, error: DeviceError) -> Result<(Lent<'_, D>, bool), KeyError> {
        if error.is_lost() {
            self.lost(device, &error);
        }
        if !matches!(error, DeviceError::Full { .. }) {
            return Err(error.into());
        }
        let mut all = self.lock();
        let state = &mut all.states[device];
        if state.open == 0 {
            return Err(error.into());
        }
        state.limit = state.open;
        drop(all);
        self.lend(device)
    }

    /// The live ones, beginning with another one each time, and behind them the dead ones.
    fn order(&self) -> Vec<usize> {
        let mut all = self.lock();
        let (count, now) = (all.states.len(), Instant::now());
        let first = all.next % count;
        all.next = first + 1;
        let mut order: Vec<usize> = (first..count).chain(0..first).collect();
        let busy = |state: &State<D::Session>| state.idle.is_empty() && state.open >= state.limit;
        order.sort_by_key(|device| {
            let state = &all.states[*device];
            (state.dead_until.is_some_and(|until| now < until), busy(state))
        });
        order
    }

    fn lost(&self, device: usize, error: &DeviceError) {
        let mut all = self.lock();
        let state = &mut all.states[device];
        state.dead_until = Some(Instant::now() + self.limits.retry_after);
        state.losses += 1;
        state.last_error = Some(error.to_string());
        // After a restart it may take more than before.
        state.limit = self.limits.sessions;
    }

    fn close_idle(&self, device: usize) {
        let mut all = self.lock();
        let state = &mut all.states[device];
        let idle = std::mem::take(&mut state.idle);
        state.open -= idle.len();
        drop(all);
        // Closing calls into the device.
        drop(idle);
        self.returned.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, All<D::Session>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Device> Lent<'_, D> {
    fn close(&mut self) {
        self.session = None;
    }
}

impl<D: Device> Drop for Lent<'_, D> {
    fn drop(&mut self) {
        let session = if std::thread::panicking() { None } else { self.session.take() };
        let mut all = self.pool.lock();
        let state = &mut all.states[self.device];
        match session {
            Some(session) => state.idle.push(session),
            None => state.open -= 1,
        }
        drop(all);
        self.pool.returned.notify_all();
    }
}

/// Prints what is known of the devices.
impl<D: Device> fmt::Debug for Pool<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.health()).finish()
    }
}
