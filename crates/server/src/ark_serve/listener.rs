//! Who comes in: connections with a certificate that names a caller, or those of this machine where there are none.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use crate::http::ark::is_name;
use crate::tls;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes under way at once; further connections wait in the system's queue.
const HANDSHAKES: usize = 256;
/// How long after the system had no descriptor for another connection.
const BREATH: Duration = Duration::from_millis(100);

/// The other side of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// As its certificate names it; `None` where there are no certificates.
    pub(super) name: Option<Arc<str>>,
}

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.remote_addr().clone()
    }
}

/// A connection, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

type Come = (Box<dyn Stream>, Peer);

/// Where callers come in. Handshakes run beside each other: one that is slow keeps nobody waiting.
pub(crate) struct Door {
    come: mpsc::Receiver<Come>,
    accepting: AbortHandle,
}

impl Door {
    /// Begins to take connections; with `tls` only those with a certificate that names a caller.
    pub(super) fn open(listener: TcpListener, tls: Option<Arc<ServerConfig>>) -> Self {
        let (sender, come) = mpsc::channel(HANDSHAKES);
        let accepting = tokio::spawn(accept(listener, tls.map(TlsAcceptor::from), sender)).abort_handle();
        Self { come, accepting }
    }
}

/// Closes the address; connections that came in stay.
impl Drop for Door {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Listener for Door {
    type Io = Box<dyn Stream>;
    type Addr = Peer;

    async fn accept(&mut self) -> Come {
        match self.come.recv().await {
            Some(come) => come,
            // Only while the process ends.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Peer> {
        Ok(Peer { name: None })
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, come: mpsc::Sender<Come>) {
    let places = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "could not take a connection");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let (tls, come) = (tls.clone(), come.clone());
        tokio::spawn(async move {
            match welcome(stream, tls).await {
                Ok(welcome) => drop(come.send(welcome).await),
                Err(error) => tracing::warn!(%address, "refused a connection: {error:#}"),
            }
            drop(place);
        });
    }
}

async fn welcome(stream: TcpStream, tls: Option<TlsAcceptor>) -> Result<Come> {
    stream.set_nodelay(true).context("setting up the connection")?;
    let Some(tls) = tls else { return Ok((Box::new(stream), Peer { name: None })) };
    let stream = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await.context("the handshake took too long")?;
    let stream = stream.context("the handshake")?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let name = certificate.and_then(tls::name_of).context("its certificate has not exactly one common name")?;
    if !is_name(&name) {
        bail!("the common name of its certificate names no caller: use 1 to 64 of a-z, A-Z, 0-9, `-`, `_`, `.`, `@`");
    }
    Ok((Box::new(stream), Peer { name: Some(name.into()) }))
}
