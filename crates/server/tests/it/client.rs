//! A client over plain TCP, one connection a request, so that a test can also send what no library would.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ark::MacKey;
use ark::signing::{Authorization, Credential, Request, Stamp};
use serde_json::Value;

/// Who asks, and where.
pub(crate) struct Client {
    address: String,
    id: String,
    key: MacKey,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body of an answer that must have gone well.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// Status, code and parameter of an error, which must have the form of all errors.
    #[track_caller]
    pub(crate) fn error(&self) -> (u16, String, String) {
        let body = self.json();
        let error = &body["error"];
        assert!(error["message"].as_str().is_some_and(|message| message.len() > 10), "{body}");
        assert_eq!(error["request_id"].as_str(), self.header("lintel-request-id"), "{body}");
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        (self.status, text("code"), text("param"))
    }

    #[track_caller]
    pub(crate) fn position(&self) -> u64 {
        self.header("lintel-position").unwrap().parse().unwrap()
    }

    pub(crate) fn repeated(&self) -> bool {
        self.header("lintel-repeated") == Some("true")
    }
}

/// Seconds of the machine's clock, by which signatures are checked.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Client {
    pub(crate) fn new(address: &str, id: &str, key: MacKey) -> Self {
        Self { address: address.to_owned(), id: id.to_owned(), key }
    }

    /// The tag of a message under the secret.
    pub(crate) fn tag(&self, message: &[u8]) -> [u8; 32] {
        self.key.tag(message)
    }

    /// The `Authorization` header of a request.
    pub(crate) fn authorization(&self, stamp: Stamp, method: &str, target: &str, body: &[u8]) -> String {
        let credential = Credential { merchant: &self.id, serial: "1", key: &self.key };
        Authorization::sign(&credential, stamp, &Request { method, target, body }).unwrap().to_string()
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], b"")
    }

    /// GET with a header of its own.
    pub(crate) fn get_with(&self, target: &str, header: (&str, &str)) -> Answer {
        self.send("GET", target, &[header], b"")
    }

    /// POST under a key that was never used.
    pub(crate) fn post(&self, target: &str, body: &Value) -> Answer {
        let nonce = Stamp::random(now()).unwrap().nonce().to_owned();
        self.post_keyed(target, &nonce, body)
    }

    pub(crate) fn post_keyed(&self, target: &str, key: &str, body: &Value) -> Answer {
        self.send("POST", target, &[("idempotency-key", key)], body.to_string().as_bytes())
    }

    /// Signs a request and sends it.
    pub(crate) fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let authorization = self.authorization(Stamp::random(now()).unwrap(), method, target, body);
        let headers: Vec<_> = headers.iter().copied().chain([("authorization", authorization.as_str())]).collect();
        exchange(&self.address, method, target, &headers, body).expect("the server answers")
    }
}

/// One request and its answer, on a connection of their own.
pub(crate) fn exchange(
    address: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Answer> {
    let length = body.len().to_string();
    let declared = headers.iter().any(|(name, _)| *name == "content-length");
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: lintel\r\nconnection: close\r\n");
    let length = [("content-length", length.as_str())];
    for (name, value) in headers.iter().chain(if declared { &[] } else { length.as_slice() }) {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    head.push_str("\r\n");
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    read(&mut stream)
}

fn read(stream: &mut TcpStream) -> std::io::Result<Answer> {
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw)?;
    let broken = || std::io::Error::other("the connection ended before the answer did");
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(broken)?;
    let head = String::from_utf8_lossy(&raw[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or_else(broken)?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
    let answer = Answer { status, headers, body: raw[end + 4..].to_vec() };
    match answer.header("content-length").and_then(|length| length.parse::<usize>().ok()) {
        Some(length) if answer.body.len() != length => Err(broken()),
        Some(_) | None => Ok(answer),
    }
}
