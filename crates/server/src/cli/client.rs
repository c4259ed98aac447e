//! A client of a running platform or key service, signed or with a certificate, for one command: it asks, waits, and gives back what was answered.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use ark::MacKey;
use ark::signing::{Authorization, Credential, Request, Stamp};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ark_serve::CALLER;
use crate::http::auth::SIGNED_BEFORE_START;
use crate::tls::Files;

/// How long an answer may take; fetching a large clearing file takes longest.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How often a request is signed at most where the platform says that it started after the signature.
const SIGNED_MAX: u32 = 5;
/// The pause before it is signed anew.
const SIGN_AGAIN: Duration = Duration::from_secs(1);

/// Someone who asks, at one platform.
#[derive(Debug)]
pub(crate) struct Client {
    base: String,
    proof: Proof,
    idempotency_key: String,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

/// How it shows who asks.
#[derive(Debug)]
pub(crate) enum Proof {
    /// Each request is signed.
    Key {
        /// Who.
        id: String,
        /// The secret.
        key: MacKey,
        /// Its serial number.
        serial: String,
    },
    /// The connection has a certificate.
    Certificate(Files),
    /// It says so, where that is believed.
    Said(String),
    /// It does not: for what takes no proof.
    Nothing,
}

impl Client {
    /// A client of the platform at `base` (`http://127.0.0.1:7880`). What it changes is bound to `idempotency_key`, a new
    /// one if there is none.
    ///
    /// # Errors
    /// If the machine has no randomness, or no client can be made.
    pub(crate) fn new(base: &str, proof: Proof, idempotency_key: Option<String>) -> Result<Self> {
        let idempotency_key = match idempotency_key {
            Some(given) => given,
            None => format!("cli-{}", stamp()?.nonce()),
        };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
        let mut http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT);
        if let Proof::Certificate(files) = &proof {
            http = http.tls_backend_preconfigured(files.client()?);
        }
        let http = http.build().context("making an HTTP client")?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { base, proof, idempotency_key, http, runtime })
    }

    /// Whether requests are signed, so that people prove that they are there by one-time codes.
    pub(crate) fn signs(&self) -> bool {
        matches!(self.proof, Proof::Key { .. })
    }

    /// Asks for something.
    ///
    /// # Errors
    /// No answer, or the platform's refusal with its code.
    pub(crate) fn get(&self, target: &str) -> Result<Value> {
        let body = self.send("GET", target, "application/json", Vec::new())?;
        serde_json::from_slice(&body).with_context(|| format!("the answer of {target} is not JSON"))
    }

    /// Asks for something whose shape is known.
    ///
    /// # Errors
    /// As [`Self::get`], and an answer of another shape.
    pub(crate) fn get_as<T: DeserializeOwned>(&self, target: &str) -> Result<T> {
        let body = self.send("GET", target, "application/json", Vec::new())?;
        serde_json::from_slice(&body)
            .with_context(|| format!("the answer of {target} is not of the shape it should be"))
    }

    /// Asks for something as CSV.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) fn get_csv(&self, target: &str) -> Result<String> {
        String::from_utf8(self.send("GET", target, "text/csv", Vec::new())?)
            .with_context(|| format!("the answer of {target} is not UTF-8"))
    }

    /// Asks for bytes.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) fn get_bytes(&self, target: &str) -> Result<Vec<u8>> {
        self.send("GET", target, "application/octet-stream", Vec::new())
    }

    /// Has something done.
    ///
    /// # Errors
    /// As [`Self::get`]. Where no answer came, the error names the idempotency key under which to ask again.
    pub(crate) fn post(&self, target: &str, body: &Value) -> Result<Value> {
        self.post_keyed(target, &self.idempotency_key, body.to_string().into_bytes())
    }

    /// Has something done once under this key, however often it is asked for.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub(crate) fn post_keyed(&self, target: &str, key: &str, body: Vec<u8>) -> Result<Value> {
        let answer = self.send_keyed("POST", target, "application/json", (key, None), body)?;
        serde_json::from_slice(&answer).with_context(|| format!("the answer of {target} is not JSON"))
    }

    /// As [`Self::post`], with fields that were encrypted for this key of the platform.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub(crate) fn post_sealed(&self, target: &str, body: &Value, serial: &str) -> Result<Value> {
        let named = (self.idempotency_key.as_str(), Some(serial));
        let answer = self.send_keyed("POST", target, "application/json", named, body.to_string().into_bytes())?;
        serde_json::from_slice(&answer).with_context(|| format!("the answer of {target} is not JSON"))
    }

    fn send(&self, method: &str, target: &str, accept: &str, body: Vec<u8>) -> Result<Vec<u8>> {
        self.send_keyed(method, target, accept, (&self.idempotency_key, None), body)
    }

    fn send_keyed(
        &self,
        method: &str,
        target: &str,
        accept: &str,
        named: (&str, Option<&str>),
        body: Vec<u8>,
    ) -> Result<Vec<u8>> {
        let mut signed = 1;
        loop {
            let (status, answer) = self.once(method, target, accept, named, body.clone())?;
            if status.is_success() {
                return Ok(answer);
            }
            if signed >= SIGNED_MAX || code(&answer).as_deref() != Some(SIGNED_BEFORE_START) {
                bail!("{}", refusal(status.as_u16(), &answer));
            }
            signed += 1;
            std::thread::sleep(SIGN_AGAIN);
        }
    }

    /// Signs it now, and sends it once.
    fn once(
        &self,
        method: &str,
        target: &str,
        accept: &str,
        (key, sealed_for): (&str, Option<&str>),
        body: Vec<u8>,
    ) -> Result<(StatusCode, Vec<u8>)> {
        let changes = method == "POST";
        let mut request = self
            .http
            .request(method.parse().context("the method")?, format!("{}{target}", self.base))
            .header("accept", accept);
        request = match &self.proof {
            Proof::Key { id, key, serial } => {
                let credential = Credential { merchant: id, serial, key };
                let signed = Authorization::sign(&credential, stamp()?, &Request { method, target, body: &body })?;
                request.header("authorization", signed.to_string())
            }
            Proof::Certificate(_) | Proof::Nothing => request,
            Proof::Said(name) => request.header(CALLER, name),
        };
        if changes {
            let headers = [("content-type", "application/json"), ("idempotency-key", key)];
            let sealed_for = sealed_for.map(|serial| ("lintel-encryption-serial", serial));
            let headers = headers.into_iter().chain(sealed_for);
            request = headers.fold(request, |request, (name, value)| request.header(name, value));
        }
        let exchange = async {
            let response = request.body(body).send().await?;
            let status = response.status();
            Ok::<_, reqwest::Error>((status, response.bytes().await?))
        };
        let no_answer = || {
            let again = format!("; to ask again and have it done once, add --idempotency-key {key}");
            let own = changes && key == self.idempotency_key;
            format!("no answer from {}{}", self.base, if own { &again } else { "" })
        };
        let (status, answer) = self.runtime.block_on(exchange).with_context(no_answer)?;
        Ok((status, answer.to_vec()))
    }
}

fn stamp() -> Result<Stamp> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?;
    Ok(Stamp::random(now.as_secs())?)
}

/// The stable code of what the platform did not do, if it says one.
fn code(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body.pointer("/error/code").and_then(Value::as_str).map(str::to_owned)
}

/// The platform's own words for what it did not do.
fn refusal(status: u16, body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| body.pointer(&format!("/error/{name}")).and_then(Value::as_str);
    let (Some(message), Some(code)) = (text("message"), text("code")) else {
        return format!("answered with status {status} and no error of this API; is that Lintel's address?");
    };
    let of = |label: &str, name: &str| text(name).map(|value| format!(", {label} {value}")).unwrap_or_default();
    format!("{message} ({code}{}{})", of("parameter", "param"), of("request", "request_id"))
}

/// A path and a query with what stands in them, each value encoded: what is signed is what is sent.
pub(crate) fn target(path: &[&str], query: &[(&str, Option<&str>)]) -> String {
    let mut target = String::new();
    for segment in path {
        target.push('/');
        encode(segment, &mut target);
    }
    let mut separator = '?';
    for (name, value) in query {
        if let Some(value) = value {
            target.push(separator);
            target.push_str(name);
            target.push('=');
            encode(value, &mut target);
            separator = '&';
        }
    }
    target
}

/// RFC 3986: all but the unreserved characters.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// A platform that started a moment ago.
    #[test]
    fn what_was_signed_before_a_start_is_signed_anew() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let put_off = r#"{"error":{"code":"signed_before_start","message":"sign it anew"}}"#;
        let answers = [("503 Service Unavailable", put_off), ("200 OK", r#"{"id":"ord_7"}"#)];
        let platform = std::thread::spawn(move || {
            answers.map(|(status, body)| {
                let (stream, _) = listener.accept().unwrap();
                let lines = BufReader::new(&stream).lines().map(Result::unwrap);
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let length = body.len();
                write!(&stream, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
                    .unwrap();
                let signed = head.iter().find_map(|line| line.strip_prefix("authorization: ")).unwrap();
                Authorization::parse(signed).unwrap().stamp().nonce().to_owned()
            })
        });
        let proof = Proof::Key { id: "operator".into(), key: MacKey::from_bytes([7; 32]), serial: "1".into() };
        let client = Client::new(&base, proof, None).unwrap();
        assert_eq!(client.get("/v1/orders/ord_7").unwrap()["id"], "ord_7");
        let [first, second] = platform.join().unwrap();
        assert_ne!(first, second);
    }

    #[test]
    fn a_target_holds_what_was_said_and_nothing_else() {
        assert_eq!(target(&["v1", "days"], &[]), "/v1/days");
        let query = [("status", Some("paying")), ("cursor", None), ("out_trade_no", Some("R 1&x=房"))];
        assert_eq!(
            target(&["v1", "or/ders"], &query),
            "/v1/or%2Fders?status=paying&out_trade_no=R%201%26x%3D%E6%88%BF"
        );
    }

    #[test]
    fn a_refusal_is_told_with_its_code_and_what_it_is_about() {
        let body = br#"{"error":{"code":"day_state","message":"the day is open","param":"date","request_id":"req_1"}}"#;
        assert_eq!(refusal(409, body), "the day is open (day_state, parameter date, request req_1)");
        assert!(refusal(502, b"<html>").contains("status 502"));
    }
}
