//! A platform inside this command, for as long as the command lasts: the same server on a port of its own, under the lock of
//! the data directory. Nobody else is told where it listens, no terminal is let in, and it sends nothing to banks: it does not begin on books with
//! attempts under way.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail};
use domain::State;
use domain::calendar::Date;
use journal::{DirectoryLock, JournalError};
use tokio::sync::oneshot;

use crate::config::{ClockKind, Config};
use crate::serve;

/// A platform that runs on threads of this process.
#[derive(Debug)]
pub(crate) struct Inside {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<()>>,
}

/// Whether another process holds the data directory.
///
/// # Errors
/// A directory that cannot be looked at.
pub(crate) fn is_held(config: &Config) -> Result<bool> {
    match DirectoryLock::acquire(&config.data_dir) {
        Ok(_) => Ok(false),
        Err(JournalError::Locked { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

impl Inside {
    /// Starts it; books that are not there yet begin with this day.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub(crate) fn start(mut config: Config, first_day: Date) -> Result<Self> {
        config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.first_day = first_day.to_string();
        config.clock = ClockKind::Wall;
        config.pos.listen_nowhere();
        let (stop, stopped) = oneshot::channel();
        let (ready, address) = mpsc::channel();
        let work = move || {
            // Whoever waits for the address may be gone; then the platform is stopped at once.
            let ready = move |address| ready.send(address).context("the command went away");
            let stopped = async { drop(stopped.await) };
            serve::run_until(&config, serve::WhileSealed::Refuse, refuse_attempts, ready, stopped)
        };
        let thread =
            std::thread::Builder::new().name("platform".into()).spawn(work).context("starting the platform")?;
        match address.recv() {
            Ok(address) => Ok(Self { address, stop, thread }),
            Err(mpsc::RecvError) => {
                joined(thread)?;
                bail!("the platform ended before it listened")
            }
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has it finish what waits, and waits for that.
    ///
    /// # Errors
    /// Why it stopped by itself before.
    pub(crate) fn stop(self) -> Result<()> {
        // A platform that has ended already needs no telling.
        self.stop.send(()).ok();
        joined(self.thread)
    }
}

fn joined(thread: JoinHandle<Result<()>>) -> Result<()> {
    thread.join().unwrap_or_else(|_| bail!("the platform panicked; its words are above"))
}

/// An import does not send payments on the side.
fn refuse_attempts(state: &State) -> Result<()> {
    let waiting = state.outbox.iter().count();
    if waiting > 0 {
        bail!("the books have {waiting} attempts at banks under way: run `lintel serve`, and name it with --url");
    }
    Ok(())
}
