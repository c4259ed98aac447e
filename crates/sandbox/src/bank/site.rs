//! The bank's sites: the addresses it listens on, each of which can go down and come back while the books stand where they are.
//!
//! ```text
//!  UP ─ POST /sandbox/site, or an [[outage]] of the plan ─► DOWN: no connection is taken; what comes on an open one is carried
//!   ▲                                                        │      out, and its answer is lost
//!   └────────────────────────────────────────────────────────┘
//! ```

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use super::plan::Outage;

/// Connections that may wait to be taken.
const BACKLOG: u32 = 1_024;
/// The pause before an address that is not free yet is tried again.
const AGAIN: Duration = Duration::from_millis(10);

/// Whether a site is up. Clones are of the same site.
#[derive(Debug, Clone)]
pub(super) struct Switch(Arc<watch::Sender<bool>>);

impl Switch {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::channel(true).0))
    }

    pub(super) fn is_up(&self) -> bool {
        *self.0.borrow()
    }

    pub(super) fn set(&self, up: bool) {
        self.0.send_replace(up);
    }

    /// Ends once the site is as asked for.
    pub(super) async fn until(&self, up: bool) {
        // It ends with an error only if the sender is gone, which is this.
        drop(self.0.subscribe().wait_for(|now| *now == up).await);
    }
}

/// The switches of all sites, in the order of their addresses.
#[derive(Debug, Default)]
pub(super) struct Sites(Mutex<Vec<Switch>>);

/// A site that there is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no site {asked}; this bank has {sites}, the first is 1")]
pub struct NoSite {
    /// The number asked for.
    pub asked: usize,
    /// How many there are.
    pub sites: usize,
}

impl Sites {
    pub(super) fn add(&self) -> Switch {
        let switch = Switch::new();
        self.all().push(switch.clone());
        switch
    }

    pub(super) fn set(&self, number: usize, up: bool) -> Result<(), NoSite> {
        self.get(number).map(|switch| switch.set(up))
    }

    /// Lets the outages of a plan begin and end in their time.
    pub(super) fn plan(&self, outages: &[Outage]) -> Result<(), NoSite> {
        for outage in outages.iter().copied() {
            let switch = self.get(outage.site)?;
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(outage.after_ms)).await;
                switch.set(false);
                tokio::time::sleep(Duration::from_millis(outage.for_ms)).await;
                switch.set(true);
            });
        }
        Ok(())
    }

    fn get(&self, number: usize) -> Result<Switch, NoSite> {
        let all = self.all();
        let found = number.checked_sub(1).and_then(|at| all.get(at));
        found.cloned().ok_or(NoSite { asked: number, sites: all.len() })
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Switch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An address that is listened on, or kept while its site is down: it must be the site's when it comes back.
#[derive(Debug)]
pub(super) enum Door {
    /// Connections are taken.
    Open(TcpListener),
    /// Nobody has the address, for the moment that it takes to keep it.
    Closing,
    /// Connections are refused by the system. The socket holds the address.
    Shut(#[expect(dead_code, reason = "it is there to be held")] TcpSocket),
}

/// Stops listening; what the system had taken by then.
pub(super) fn rest(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let Ok(listener) = listener.into_std() else { return Vec::new() };
    let taken = std::iter::from_fn(|| listener.accept().ok());
    let taken = taken.filter_map(|(stream, address)| {
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, address))
    });
    taken.collect()
}

/// Keeps an address without listening on it.
pub(super) async fn shut(address: SocketAddr) -> TcpSocket {
    loop {
        match socket(address) {
            Ok(socket) => return socket,
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}

/// Listens on an address that was kept.
pub(super) async fn open(address: SocketAddr) -> TcpListener {
    loop {
        match socket(address).and_then(|socket| socket.listen(BACKLOG)) {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
