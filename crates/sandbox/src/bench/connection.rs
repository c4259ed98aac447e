//! The least HTTP/1.1 that a load needs: signed requests as whole byte strings, one under way on a connection that stays.
//!
//! A full client costs more than the request it measures; this one is a write, a read and a look for the end of the answer.
//! Anything unexpected (a chunked answer, a closed connection) is an error that ends the run, never a guess.

mod text_at;

use std::borrow::Cow;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use ark::provider::{KeyHandle, Signing};
use ark::signing::{Authorization, Request, Scheme, Stamp, string_to_sign};
use ark::{MacKey, Provider as _, Soft};
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::TcpStream;

use self::text_at::text_at;
use crate::api::authorize;

/// How much room is made for what is read.
const CHUNK: usize = 16 << 10;
/// With less room than this more is made.
const ROOM: usize = 4 << 10;
/// How long to wait when the platform says that it is overloaded.
const OVERLOADED: Duration = Duration::from_millis(20);

/// Who signs, and for which host.
#[derive(Debug, Clone)]
pub(crate) struct Signer {
    /// `127.0.0.1:7880`.
    host: String,
    id: String,
    key: Key,
}

#[derive(Debug, Clone)]
enum Key {
    /// HMAC-SM3.
    Secret(MacKey),
    /// SM2 with SM3, by a pair whose public half is registered under this serial number.
    Pair { keys: Arc<Soft>, pair: KeyHandle, serial: String },
}

impl Signer {
    /// Signs as `id` for the platform at `base` (`http://127.0.0.1:7880`).
    pub(crate) fn new(base: &str, id: &str, key: MacKey) -> Self {
        Self { host: base.trim_start_matches("http://").to_owned(), id: id.to_owned(), key: Key::Secret(key) }
    }

    /// The same caller at the same platform, signing with an SM2 pair.
    pub(crate) fn with_pair(&self, id: &str, keys: Arc<Soft>, pair: KeyHandle, serial: String) -> Self {
        Self { host: self.host.clone(), id: id.to_owned(), key: Key::Pair { keys, pair, serial } }
    }

    fn authorize(&self, request: &Request<'_>) -> Result<Authorization> {
        let (keys, pair, serial) = match &self.key {
            Key::Secret(key) => return authorize(&self.id, key, request),
            Key::Pair { keys, pair, serial } => (keys, *pair, serial),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let stamp = Stamp::random(now)?;
        let signature = keys.sign(pair, Signing::SM2, &string_to_sign(request, &stamp))?;
        Ok(Authorization::of(Scheme::Sm2WithSm3, &self.id, serial, stamp, signature)?)
    }

    /// A whole request, signed now with a new nonce. `headers` are lines, each ended by CR LF.
    ///
    /// # Errors
    /// If the system gives no random bytes or the id cannot be signed for.
    pub(crate) fn request(&self, method: &str, target: &str, headers: &str, body: &[u8]) -> Result<Vec<u8>> {
        let authorization = self.authorize(&Request { method, target, body })?;
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\nauthorization: {authorization}\r\n{headers}content-length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        let mut request = Vec::with_capacity(head.len() + body.len());
        request.extend_from_slice(head.as_bytes());
        request.extend_from_slice(body);
        Ok(request)
    }

    /// A JSON request under an idempotency key.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub(crate) fn json(&self, target: &str, key: &str, body: &str) -> Result<Vec<u8>> {
        let headers = format!("content-type: application/json\r\nidempotency-key: {key}\r\n");
        self.request("POST", target, &headers, body.as_bytes())
    }

    /// Where it is.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply<'a> {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: &'a [u8],
    /// What of the time of an answer that was waited for was the channels', as the platform says.
    pub(crate) channels: Option<Duration>,
    /// All of its time by the platform's own clock, where that was said.
    pub(crate) total: Option<Duration>,
}

impl Reply<'_> {
    /// The text at a key of the JSON body, if the status says it went well.
    ///
    /// # Errors
    /// The platform's own words otherwise.
    pub(crate) fn text(&self, key: &str) -> Result<String> {
        let words = || String::from_utf8_lossy(self.body);
        ensure!(self.status == 200, "{}: {}", self.status, words());
        let found = text_at(key, self.body).context("reading an answer")?;
        found.with_context(|| format!("an answer without '{key}': {}", words()))
    }
}

/// A connection that stays.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// Room that stays from answer to answer.
    buffer: Vec<u8>,
    /// How much of it was read of the present one.
    filled: usize,
}

impl Connection {
    /// Connects to `host` (`127.0.0.1:7880`).
    ///
    /// # Errors
    /// If nobody listens there.
    pub(crate) async fn open(host: &str) -> Result<Self> {
        let stream = TcpStream::connect(host).await.with_context(|| format!("connecting to {host}"))?;
        stream.set_nodelay(true).context("setting TCP_NODELAY")?;
        Ok(Self { stream, buffer: vec![0; CHUNK], filled: 0 })
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// If the connection breaks or the answer is in another form.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Reply<'_>> {
        let head = self.round(request).await?;
        Ok(self.reply(&head))
    }

    /// Sends what `make` makes, and while the platform says that it is overloaded waits and sends what it makes then, for a nonce
    /// is good once. `wait` is told of each such answer and says whether to go on; the last answer, whatever it is.
    ///
    /// # Errors
    /// As [`Self::exchange`]; those of `make`.
    pub(crate) async fn patiently<'r>(
        &mut self,
        mut make: impl FnMut() -> Result<Cow<'r, [u8]>>,
        wait: impl Fn() -> bool,
    ) -> Result<Reply<'_>> {
        let mut head = self.round(&make()?).await?;
        while head.status == 503 && wait() {
            tokio::time::sleep(OVERLOADED).await;
            head = self.round(&make()?).await?;
        }
        Ok(self.reply(&head))
    }

    fn reply(&self, head: &Head) -> Reply<'_> {
        let body = &self.buffer[head.length..head.length + head.content_length];
        Reply { status: head.status, body, channels: head.channels, total: head.total }
    }

    /// There and back; the answer lies in the buffer then.
    async fn round(&mut self, request: &[u8]) -> Result<Head> {
        self.write(request).await?;
        self.filled = 0;
        let head = loop {
            self.read().await?;
            if let Some(head) = Head::parse(&self.buffer[..self.filled])? {
                break head;
            }
        };
        let end = head.length + head.content_length;
        while self.filled < end {
            self.read().await?;
        }
        ensure!(self.filled == end, "{} bytes follow an answer", self.filled - end);
        Ok(head)
    }

    async fn write(&mut self, mut rest: &[u8]) -> Result<()> {
        while !rest.is_empty() {
            match self.stream.try_write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.stream.writable().await?,
                Err(error) => return Err(error).context("sending a request"),
            }
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<()> {
        if self.buffer.len() - self.filled < ROOM {
            self.buffer.resize(self.filled + CHUNK, 0);
        }
        let Self { stream, buffer, filled } = self;
        // Not `readable` and `try_read`: what is left of the readiness for the answer before would cost a call that finds nothing.
        let mut room = ReadBuf::new(&mut buffer[*filled..]);
        poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut room)).await.context("reading an answer")?;
        let read = room.filled().len();
        *filled += read;
        ensure!(read > 0, "the platform closed the connection before it answered");
        Ok(())
    }
}

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Up to and with the empty line.
    length: usize,
    content_length: usize,
    channels: Option<Duration>,
    total: Option<Duration>,
}

impl Head {
    /// Reads it; `None` until all of it is there.
    fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
        let text = std::str::from_utf8(&bytes[..end]).context("the head of an answer is not a text")?;
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("'{first}' is no status line"))?;
        let (mut length, mut channels, mut total) = (None, None, None);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim());
            } else if name.eq_ignore_ascii_case("server-timing") {
                (channels, total) = (duration(value, "channel"), duration(value, "total"));
            }
        }
        let Some(length) = length else { bail!("an answer without content-length:\n{text}") };
        let content_length = length.parse().with_context(|| format!("content-length '{length}'"))?;
        Ok(Some(Self { status, length: end + 4, content_length, channels, total }))
    }
}

/// How long a metric of a header `Server-Timing` lasted: `channel;dur=20.125, other;dur=3`, in milliseconds (W3C Server Timing).
fn duration(header: &str, metric: &str) -> Option<Duration> {
    let mut metrics = header.split(',').map(|entry| entry.trim().split(';'));
    let mut found = metrics.find_map(|mut parts| (parts.next()?.trim() == metric).then_some(parts))?;
    let ms: f64 = found.find_map(|part| part.trim().strip_prefix("dur=")?.parse().ok())?;
    Duration::try_from_secs_f64(ms / 1_000.0).ok()
}

#[cfg(test)]
mod tests {
    use ark::signing::Authorization;

    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let answer =
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nserver-timing: channel;dur=20.125, total;dur=22.5\r\n\r\n{}";
        for end in 0..answer.len() - 2 {
            assert_eq!(Head::parse(&answer[..end]).unwrap(), None, "{end}");
        }
        let head = Head::parse(answer).unwrap().unwrap();
        let (channels, total) = (Some(Duration::from_micros(20_125)), Some(Duration::from_micros(22_500)));
        assert_eq!(head, Head { status: 200, length: answer.len() - 2, content_length: 2, channels, total });
    }

    #[test]
    fn a_metric_of_server_timing_is_found_by_its_name() {
        assert_eq!(duration("db;dur=3, channel;desc=\"x\";dur=1.5", "channel"), Some(Duration::from_micros(1_500)));
        for without in ["", "channel", "channel;dur=x", "channel;dur=-1", "channels;dur=3"] {
            assert_eq!(duration(without, "channel"), None, "{without}");
        }
    }

    #[test]
    fn an_answer_of_unknown_length_is_an_error_that_shows_it() {
        let error = Head::parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap_err();
        assert!(error.to_string().contains("chunked"), "{error}");
        assert!(Head::parse(b"nothing\r\n\r\n").unwrap_err().to_string().contains("'nothing'"));
    }

    #[test]
    fn a_request_carries_a_signature_over_what_it_says() {
        let key = MacKey::from_bytes([7; 32]);
        let signer = Signer::new("http://127.0.0.1:1", "operator", key.clone());
        let request = String::from_utf8(signer.json("/v1/holds", "k1", "{}").unwrap()).unwrap();
        let line = request.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap();
        let authorization = Authorization::parse(line).unwrap();
        let signed = Request { method: "POST", target: "/v1/holds", body: b"{}" };
        authorization.verify(&key, &signed).unwrap();
        assert!(
            request.starts_with("POST /v1/holds HTTP/1.1\r\nhost: 127.0.0.1:1\r\n") && request.ends_with("\r\n\r\n{}")
        );
    }
}
