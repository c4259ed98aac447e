//! Connections to a site, each driven by the call that uses it (ADR 0109).
//!
//! ```text
//!  call ─ an idle one, or a new one ─► the request's bytes ─► the answer, whole ─► idle again, unless it was closed
//!           │ closed meanwhile: nothing was written ─► the next idle one, or a new one
//!           └ none could be made ─► not written
//! ```
//! A client with a task for each connection passes a call from task to task, there and back, for its head and for its body. Here who
//! calls writes and reads by itself; the codec is hyper's all the same. While a connection is idle nobody looks at it: that it was closed
//! is seen before anything is written on it.
//!
//! Invariant: a request is given to one connection, and to another only when the codec gave it back, which it does before its first byte.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::body::{Body, HttpBody as _};
use channels::{Request, Response};
use http::header::{ACCEPT, HOST};
use http::{HeaderValue, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use node::executor::Call;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::Broken;

/// After which an idle connection is used no more: before a firewall on the way forgets it without a word, which the first
/// request over it would find out by its time-out.
const IDLE: Duration = Duration::from_secs(30);

/// What carries a connection's bytes; whoever waits for them polls it.
type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// A connection between calls, or under one.
struct Connection {
    sender: SendRequest<Body>,
    driver: Driver,
}

/// How a call on one connection ended.
enum Ended {
    /// The answer is whole; the connection, if it can be used again.
    Answered(Response, Option<Connection>),
    /// Nothing was written, and this is the request.
    NotWritten(http::Request<Body>),
    /// Written, or part of it, and no answer came.
    Lost,
    /// The body of its answer did not come, or not whole.
    Broken(Broken),
}

/// The connections to one site.
pub(super) struct Connections {
    host: String,
    port: u16,
    /// Host and port as requests name them.
    authority: HeaderValue,
    /// What stands before the path of each request.
    prefix: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    timeout: Duration,
    connect_timeout: Duration,
    idle: Mutex<VecDeque<(Instant, Connection)>>,
    idle_max: usize,
}

impl Connections {
    /// None yet, to a site at `url`; over TLS with these settings, or without it. `None` of a URL that says what is not done here: a name
    /// and a password, or TLS without settings.
    ///
    /// # Errors
    /// A URL that does not read.
    pub(super) fn new(
        url: &str,
        tls: Option<ClientConfig>,
        (timeout, connect_timeout): (Duration, Duration),
        idle_max: usize,
    ) -> Result<Option<Self>> {
        let uri: Uri = url.parse().with_context(|| format!("reading the url {url}"))?;
        let (Some(authority), Some(scheme)) = (uri.authority(), uri.scheme_str()) else { return Ok(None) };
        let secure = scheme == "https";
        if authority.as_str().contains('@') || secure != tls.is_some() {
            return Ok(None);
        }
        let usual = if secure { 443 } else { 80 };
        let port = authority.port_u16().unwrap_or(usual);
        let named = if port == usual { authority.host().to_owned() } else { format!("{}:{port}", authority.host()) };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = tls.map(|mut config| {
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            let name =
                ServerName::try_from(host.clone()).with_context(|| format!("'{host}' is no name of a server"))?;
            anyhow::Ok((TlsConnector::from(Arc::new(config)), name))
        });
        // Behind the scheme: a host may be called `p`.
        let (_, rest) = url.split_once("://").unwrap_or_default();
        let (_, behind) = rest.split_once(authority.as_str()).unwrap_or_default();
        Ok(Some(Self {
            host,
            port,
            authority: HeaderValue::try_from(named).context("the host of a url")?,
            prefix: behind.to_owned(),
            tls: tls.transpose()?,
            timeout,
            connect_timeout,
            idle: Mutex::default(),
            idle_max,
        }))
    }

    /// Sends a request and reads the answer whole, of which the body has `most` bytes at most.
    pub(super) async fn call(&self, request: &Request, most: usize) -> Result<Call, Broken> {
        let Some(mut message) = self.message(request) else { return Ok(Call::NotWritten) };
        let until = Instant::now() + self.timeout;
        loop {
            let (connection, fresh) = match self.take() {
                Some(idle) => (idle, false),
                None => match timeout(self.connect_timeout.min(self.timeout), self.connect()).await {
                    Ok(Ok(made)) => (made, true),
                    Ok(Err(_)) | Err(_) => return Ok(Call::NotWritten),
                },
            };
            let mut begun = false;
            let ended = timeout_at(until, connection.exchange(message, most, &mut begun)).await;
            match ended {
                Ok(Ended::Answered(response, connection)) => {
                    connection.into_iter().for_each(|connection| self.keep(connection));
                    return Ok(Call::Answered(response));
                }
                Ok(Ended::NotWritten(_)) if fresh => return Ok(Call::NotWritten),
                Ok(Ended::NotWritten(back)) => message = back,
                Ok(Ended::Broken(broken)) => return Err(broken),
                Err(_) if begun => return Err(Broken::Off),
                Ok(Ended::Lost) | Err(_) => return Ok(Call::Lost),
            }
        }
    }

    /// The request as it goes; nothing if it cannot be put so.
    fn message(&self, request: &Request) -> Option<http::Request<Body>> {
        let target = format!("{}{}", self.prefix, request.path);
        let target = if target.is_empty() { "/".to_owned() } else { target };
        let mut builder = http::Request::builder().method(request.method).uri(target).header(HOST, &self.authority);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        if !builder.headers_ref().is_some_and(|headers| headers.contains_key(ACCEPT)) {
            builder = builder.header(ACCEPT, "*/*");
        }
        builder.body(Body::from(request.body().to_vec())).ok()
    }

    async fn connect(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => begin(stream).await,
            Some((tls, name)) => begin(tls.connect(name.clone(), stream).await?).await,
        }
    }

    /// The idle connection that was used last.
    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle();
        let (since, connection) = idle.pop_back()?;
        if since.elapsed() < IDLE {
            return Some(connection);
        }
        // Those before it were used earlier still. They are closed beside the lock.
        let old = std::mem::take(&mut *idle);
        drop(idle);
        drop((old, connection));
        None
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle();
        let old = idle.front().is_some_and(|(since, _)| since.elapsed() >= IDLE);
        // Closed beside the lock.
        let first = if old || idle.len() >= self.idle_max { idle.pop_front() } else { None };
        idle.push_back((Instant::now(), connection));
        drop(idle);
        drop(first);
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<(Instant, Connection)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn begin<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(stream: S) -> io::Result<Connection> {
    let (sender, driver) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    Ok(Connection { sender, driver: Box::pin(driver) })
}

impl Connection {
    /// A request and its answer; `begun` says whether the answer's head came.
    async fn exchange(self, message: http::Request<Body>, most: usize, begun: &mut bool) -> Ended {
        let Self { mut sender, driver } = self;
        let mut driver = Some(driver);
        let sent = sender.try_send_request(message);
        let work = async {
            let answer = match sent.await {
                Ok(answer) => answer,
                Err(mut error) => return Err(error.take_message().map_or(Ended::Lost, Ended::NotWritten)),
            };
            *begun = true;
            let (head, body) = answer.into_parts();
            let status = head.status.as_u16();
            let headers = head.headers.iter();
            let headers = headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
            let headers = headers.collect();
            Ok(Response { status, headers, body: whole(body, most).await.map_err(Ended::Broken)? })
        };
        let answered = driven(&mut driver, work).await;
        match answered {
            Ok(response) => Ended::Answered(response, reusable(sender, driver).await),
            Err(ended) => ended,
        }
    }
}

/// Does some work that waits for what the driver carries; a driver that ended is dropped, which tells all who wait.
async fn driven<T>(driver: &mut Option<Driver>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| {
        if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(context).is_ready()) {
            *driver = None;
        }
        work.as_mut().poll(context)
    })
    .await
}

/// The connection, if it takes a further request now. One that would have to be waited for is closed.
async fn reusable(mut sender: SendRequest<Body>, mut driver: Option<Driver>) -> Option<Connection> {
    let ready = driven(&mut driver, poll_fn(|context| Poll::Ready(sender.poll_ready(context)))).await;
    match (ready, driver) {
        (Poll::Ready(Ok(())), Some(driver)) => Some(Connection { sender, driver }),
        (Poll::Ready(Ok(()) | Err(_)) | Poll::Pending, Some(_) | None) => None,
    }
}

/// The body of an answer, whole.
async fn whole(mut body: Incoming, most: usize) -> Result<Vec<u8>, Broken> {
    if body.size_hint().lower() > most as u64 {
        return Err(Broken::TooLong);
    }
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(data) = frame.map_err(|_| Broken::Off)?.into_data() else { continue };
        if bytes.len().saturating_add(data.len()) > most {
            return Err(Broken::TooLong);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::mpsc;
    use std::thread;

    use serde_json::json;

    use super::*;

    const DONE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    const LONG: Duration = Duration::from_secs(20);

    fn request() -> Request {
        let settings = json!({"rail": "epcc", "institution": "lintel", "key": "5a".repeat(32)});
        let channel = channels::registry::by_name("sandbox_bank", &settings).unwrap();
        channel.build_returns("2026-03-05".parse().unwrap(), "0123456789abcdef").unwrap()
    }

    /// A site that takes one connection after the other; on each it answers with these texts and closes it behind them, which it tells.
    fn site(script: Vec<Vec<&'static str>>) -> (Connections, mpsc::Receiver<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, closed) = mpsc::channel();
        thread::spawn(move || {
            for answers in script {
                let (mut stream, _) = listener.accept().unwrap();
                for answer in answers {
                    let (mut asked, mut some) = (Vec::new(), [0; 1024]);
                    while !asked.ends_with(b"\r\n\r\n") {
                        let read = stream.read(&mut some).unwrap();
                        assert!(read > 0, "closed before it asked: {}", String::from_utf8_lossy(&asked));
                        asked.extend_from_slice(&some[..read]);
                    }
                    stream.write_all(answer.as_bytes()).unwrap();
                }
                drop(stream);
                // A test that is over needs no telling.
                tell.send(()).ok();
            }
        });
        (Connections::new(&url, None, (LONG, LONG), 4).unwrap().unwrap(), closed)
    }

    fn is_done(called: &Result<Call, Broken>) -> bool {
        matches!(called, Ok(Call::Answered(response)) if response.status == 200 && response.body == b"{}")
    }

    #[tokio::test]
    async fn a_connection_carries_one_call_after_the_other() {
        let (connections, _) = site(vec![vec![DONE, DONE, DONE]]);
        for _ in 0..3 {
            let called = connections.call(&request(), 100).await;
            assert!(is_done(&called), "{called:?}");
        }
    }

    #[tokio::test]
    async fn one_that_was_closed_meanwhile_is_not_written_on() {
        let (connections, closed) = site(vec![vec![DONE], vec![DONE]]);
        let called = connections.call(&request(), 100).await;
        assert!(is_done(&called), "{called:?}");
        // The runtime hears of the end while it waits for this.
        let closed = tokio::task::spawn_blocking(move || closed.recv().map(|()| closed)).await.unwrap();
        let called = connections.call(&request(), 100).await;
        assert!(is_done(&called), "{called:?}");
        drop(closed);
    }

    #[tokio::test]
    async fn how_a_call_ended_is_told_apart() {
        let cut = site(vec![vec![""]]).0.call(&request(), 100).await;
        assert!(matches!(cut, Ok(Call::Lost)), "{cut:?}");
        let half = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
        assert_eq!(site(vec![vec![half]]).0.call(&request(), 100).await.unwrap_err(), Broken::Off);
        let long = "HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n";
        assert_eq!(site(vec![vec![long]]).0.call(&request(), 100).await.unwrap_err(), Broken::TooLong);
        let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n60\r\n";
        let chunks: &'static str = format!("{chunks}{}\r\n60\r\n{0}\r\n0\r\n\r\n", "x".repeat(0x60)).leak();
        assert_eq!(site(vec![vec![chunks]]).0.call(&request(), 100).await.unwrap_err(), Broken::TooLong);
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let connections = Connections::new(&format!("http://{nobody}"), None, (LONG, LONG), 4).unwrap().unwrap();
        let called = connections.call(&request(), 100).await;
        assert!(matches!(called, Ok(Call::NotWritten)), "{called:?}");
    }

    #[test]
    fn a_url_says_where_requests_go_and_who_carries_them() {
        let of = |url: &str| Connections::new(url, None, (LONG, LONG), 4).unwrap();
        for (url, host, port, authority, prefix) in [
            ("http://bank.example", "bank.example", 80, "bank.example", ""),
            ("http://bank.example:80/a", "bank.example", 80, "bank.example", "/a"),
            ("http://[::1]:7900/a/b", "::1", 7900, "[::1]:7900", "/a/b"),
            ("http://p/a", "p", 80, "p", "/a"),
        ] {
            let found = of(url).unwrap();
            let named = found.authority.to_str().unwrap();
            assert_eq!((&*found.host, found.port, named, &*found.prefix), (host, port, authority, prefix), "{url}");
        }
        assert!(of("https://bank.example").is_none() && of("http://me:secret@bank.example").is_none());
    }
}
