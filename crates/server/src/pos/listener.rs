//! Where terminals connect: TCP, and TLS besides, with a bound on connections and a stop that lets answers out.
//!
//! ```text
//!  accept ─► a place free? ─ no ─► closed at once
//!              │ yes
//!              └► (TLS handshake) ─► connection ─► place given back
//!  stop: nobody is accepted, silent connections end, the others after their answer, at most so long
//! ```

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::connection::{Closed, Patience, serve};
use super::gateway::Gateway;
use super::switch::Switch;

/// After an error of accepting, such as no file descriptor left: others may end meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

/// What a terminal speaks below its frames.
#[derive(Clone)]
pub(crate) enum Transport {
    Tcp,
    /// TLS 1.2 or 1.3.
    Tls(Arc<ServerConfig>),
}

impl Transport {
    fn label(&self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls(_) => "tls",
        }
    }
}

/// The gateway with its open connections.
pub(crate) struct Terminals<S> {
    gateway: Arc<Gateway<S>>,
    patience: Patience,
    /// A place for each connection that may be.
    places: Arc<Semaphore>,
    connections: u32,
    stop: watch::Sender<bool>,
}

impl<S: Switch> Terminals<S> {
    /// For at most so many connections at once.
    pub(crate) fn new(gateway: Gateway<S>, patience: Patience, connections: u32) -> Self {
        let places = Arc::new(Semaphore::new(usize::try_from(connections).unwrap_or(Semaphore::MAX_PERMITS)));
        Self { gateway: Arc::new(gateway), patience, places, connections, stop: watch::Sender::new(false) }
    }

    /// Listens from now on; says where.
    ///
    /// # Errors
    /// An address that cannot be listened on.
    pub(crate) async fn listen(&self, address: SocketAddr, transport: Transport) -> Result<SocketAddr> {
        let listening = || format!("listening for terminals on {address}");
        let listener = TcpListener::bind(address).await.with_context(listening)?;
        let local = listener.local_addr().with_context(listening)?;
        let door = Door {
            gateway: Arc::clone(&self.gateway),
            patience: self.patience,
            places: Arc::clone(&self.places),
            stop: self.stop.subscribe(),
            transport,
        };
        tokio::spawn(door.accept(listener));
        Ok(local)
    }

    /// Accepts nobody any more, and waits until the connections have ended, at most `within`; how many have not.
    pub(crate) async fn stop(&self, within: Duration) -> usize {
        self.stop.send_replace(true);
        match timeout(within, self.places.acquire_many(self.connections)).await {
            Ok(_) => 0,
            Err(_) => usize::try_from(self.connections).unwrap_or(usize::MAX) - self.places.available_permits(),
        }
    }
}

/// One address that is listened on.
struct Door<S> {
    gateway: Arc<Gateway<S>>,
    patience: Patience,
    places: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
    transport: Transport,
}

impl<S: Switch> Door<S> {
    async fn accept(self, listener: TcpListener) {
        let transport = self.transport.label();
        let mut stop = self.stop.clone();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "accepting a terminal");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                ended("full", transport);
                continue;
            };
            metrics::counter!("lintel_pos_connections_total", "transport" => transport).increment(1);
            metrics::gauge!("lintel_pos_connections", "transport" => transport).increment(1.0);
            let connection = Connection {
                gateway: Arc::clone(&self.gateway),
                patience: self.patience,
                stop: self.stop.clone(),
                transport,
                _place: place,
            };
            match &self.transport {
                Transport::Tcp => drop(tokio::spawn(connection.plain(stream))),
                Transport::Tls(config) => drop(tokio::spawn(connection.tls(stream, Arc::clone(config)))),
            }
        }
    }
}

/// A connection and its place.
struct Connection<S> {
    gateway: Arc<Gateway<S>>,
    patience: Patience,
    stop: watch::Receiver<bool>,
    transport: &'static str,
    _place: OwnedSemaphorePermit,
}

impl<S: Switch> Connection<S> {
    async fn plain(self, stream: TcpStream) {
        let closed = match stream.set_nodelay(true) {
            Ok(()) => serve(stream, &self.gateway, self.patience, self.stop.clone()).await,
            Err(_) => Closed::CutOff,
        };
        self.end(closed.label());
    }

    async fn tls(self, stream: TcpStream, config: Arc<ServerConfig>) {
        let acceptor = TlsAcceptor::from(config);
        let handshake = async {
            stream.set_nodelay(true)?;
            acceptor.accept(stream).await
        };
        // In a box: a handshake takes more than what a silent connection holds.
        let shaken: Result<io::Result<_>, _> = timeout(self.patience.read, Box::pin(handshake)).await;
        let closed = match shaken {
            Ok(Ok(stream)) => serve(stream, &self.gateway, self.patience, self.stop.clone()).await.label(),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake of a terminal");
                "handshake"
            }
            Err(_) => "slow_handshake",
        };
        self.end(closed);
    }

    fn end(self, why: &'static str) {
        metrics::gauge!("lintel_pos_connections", "transport" => self.transport).decrement(1.0);
        ended(why, self.transport);
    }
}

/// Counts an end, or somebody for whom there was no place.
fn ended(why: &'static str, transport: &'static str) {
    metrics::counter!("lintel_pos_closed_total", "transport" => transport, "why" => why).increment(1);
}
