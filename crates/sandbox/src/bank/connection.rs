//! Connections that can be cut without an answer, as a network cuts them, and a listener whose site may go down.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::{fmt, io};

use axum::extract::connect_info::Connected;
use axum::serve::{self, IncomingStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::site::{self, Door, Switch};

/// Cuts the connection that a request came on: from then on not a byte goes either way.
#[derive(Clone, Default)]
pub(crate) struct Cutter(Arc<AtomicBool>);

impl Cutter {
    /// Cuts it. The response that the handler still returns is never written.
    pub(crate) fn cut(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::Acquire) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl fmt::Debug for Cutter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Cutter")
    }
}

impl Connected<IncomingStream<'_, Listener>> for Cutter {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        stream.io().cutter.clone()
    }
}

/// A TCP listener of a site, whose connections can be cut.
#[derive(Debug)]
pub(crate) struct Listener {
    address: SocketAddr,
    door: Door,
    /// What the system took before the site went down: it may hold a request.
    taken: VecDeque<(TcpStream, SocketAddr)>,
    site: Switch,
}

impl Listener {
    /// # Errors
    /// If the listener does not know its address.
    pub(super) fn new(listener: TcpListener, site: Switch) -> io::Result<Self> {
        let address = listener.local_addr()?;
        Ok(Self { address, door: Door::Open(listener), taken: VecDeque::new(), site })
    }

    fn connection(&self, (stream, address): (TcpStream, SocketAddr)) -> (Connection, SocketAddr) {
        // Small answers must not wait for more to fill a packet; where that cannot be set they are only later.
        let _ = stream.set_nodelay(true);
        (Connection { stream, cutter: Cutter::default(), site: self.site.clone() }, address)
    }

    /// Closes the door behind what came in.
    fn close(&mut self) {
        if let Door::Open(listener) = std::mem::replace(&mut self.door, Door::Closing) {
            self.taken.extend(site::rest(listener));
        }
    }
}

impl serve::Listener for Listener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            if let Some(taken) = self.taken.pop_front() {
                return self.connection(taken);
            }
            match &mut self.door {
                Door::Open(listener) => {
                    let taken = tokio::select! {
                        taken = serve::Listener::accept(listener) => Some(taken),
                        () = self.site.until(false) => None,
                    };
                    match taken {
                        Some(taken) => return self.connection(taken),
                        None => self.close(),
                    }
                }
                Door::Closing => self.door = Door::Shut(site::shut(self.address).await),
                Door::Shut(_) => {
                    self.site.until(true).await;
                    self.door = Door::Open(site::open(self.address).await);
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// A TCP connection that can be cut.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    cutter: Cutter,
    site: Switch,
}

impl Connection {
    /// Nothing is written by a site that is down.
    fn check_writing(&self) -> io::Result<()> {
        self.cutter.check()?;
        if self.site.is_up() { Ok(()) } else { Err(io::ErrorKind::ConnectionReset.into()) }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.cutter.check()?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check_writing()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_writing()?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
