//! Sending, sending again, believing.
//!
//! | what came | then |
//! |---|---|
//! | no connection, no answer in time, 5xx, `retryable` | the same body under the same key with a new nonce, until tries or patience end |
//! | 2xx, or a refusal, with a good signature | that; a path that there is not and a field that does not open are refusals too |
//! | 401 | the platform does not believe who asks; not signed, anyone between may have written it, and [`ApiError::signed`] says so |
//! | anything without a good signature | [`Error::Forged`]: nothing of it counts; `body_too_large` is so, for the platform read no body |
//! | another secret's serial number than that of the one that asked | [`Error::Forged`] as well: while two overlap, each signs for itself |
//! | a key of the platform that is not known | [`Error::PlatformKey`]: it was rotated; take the list anew, by the secret. Taken daily it has a next key before that signs |

use std::fmt;
use std::time::{Duration, Instant};

use ark::signing::{NONCE_HEADER, Request, SERIAL_HEADER, SIGNATURE_HEADER, Stamp, TIMESTAMP_HEADER, verify_answer};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::credential::{Credential, now};
use crate::error::{ApiError, Error};
use crate::pages::Pages;
use crate::platform_keys::{PlatformKeys, Sealer};

/// The version of the API that this client speaks, as it names it in each request (`Lintel-Version`).
pub const API_VERSION: &str = "2026-11-29";

/// A word under which something is done once, however often it is asked: 1 to 128 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// One of the caller's own, who keeps it with what is asked: then a call after a crash is the same one.
    ///
    /// # Errors
    /// [`Error::Key`].
    pub fn of(text: &str) -> Result<Self, Error> {
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(Self(text.to_owned())) } else { Err(Error::Key) }
    }

    /// A random one.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn random() -> Result<Self, Error> {
        Stamp::random(0).map(|stamp| Self(stamp.nonce().to_owned())).map_err(|_| Error::Random)
    }
}

/// How long a call goes on asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How often at most.
    pub tries: u32,
    /// For how long at most, all tries together.
    pub whole: Duration,
    /// How long one try waits for its answer.
    pub each: Duration,
    /// The pause before the second try; each next one is twice as long, up to five seconds.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            tries: 6,
            whole: Duration::from_secs(60),
            each: Duration::from_secs(35),
            pause: Duration::from_millis(200),
        }
    }
}

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A caller of the platform. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    base: String,
    http: reqwest::Client,
    credential: Credential,
    keys: PlatformKeys,
    patience: Patience,
}

/// Shows where and who, and no key.
impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Client({} as {:?})", self.base, self.credential)
    }
}

/// What is sent.
#[derive(Default)]
struct Body {
    bytes: Vec<u8>,
    /// The key of its encrypted fields.
    sealed_for: Option<String>,
}

/// What one try brought.
enum Tried {
    Body(Vec<u8>),
    Again { why: String, after: Option<Duration> },
}

impl Client {
    /// A caller of the platform at `base`: `https://pay.example`, without a path.
    ///
    /// # Errors
    /// [`Error::Address`].
    pub fn new(base: &str, credential: Credential) -> Result<Self, Error> {
        let base = base.trim_end_matches('/');
        let wrong = || Error::Address(base.to_owned());
        let parsed: reqwest::Url = base.parse().map_err(|_| wrong())?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.path() != "/" || parsed.query().is_some() {
            return Err(wrong());
        }
        // An answer from elsewhere than was asked would not be signed for it, and a redirect would carry the request on.
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        let (keys, patience) = (PlatformKeys::default(), Patience::default());
        Ok(Self { base: base.to_owned(), http: http.map_err(|_| wrong())?, credential, keys, patience })
    }

    /// With these keys of the platform: who signs with a pair needs them.
    #[must_use]
    pub fn trusting(mut self, keys: PlatformKeys) -> Self {
        self.keys = keys;
        self
    }

    /// With this patience.
    #[must_use]
    pub const fn patient(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Asks for something.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, Error> {
        self.call("GET", target, None, Body::default()).await
    }

    /// Has something done, once.
    ///
    /// # Errors
    /// [`Error`]; after [`Error::Unanswered`], [`Error::Forged`] and [`Error::PlatformKey`] it may be done: ask again under the same key.
    pub async fn post<T: DeserializeOwned>(
        &self,
        target: &str,
        key: &IdempotencyKey,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let body = Body { bytes: serde_json::to_vec(body).map_err(Error::Body)?, sealed_for: None };
        self.call("POST", target, Some(key), body).await
    }

    /// As [`Client::post`], with a body in which this sealer encrypted fields.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub async fn post_sealed<T: DeserializeOwned>(
        &self,
        target: &str,
        key: &IdempotencyKey,
        body: &impl Serialize,
        sealer: &Sealer,
    ) -> Result<T, Error> {
        let sealed_for = Some(sealer.serial().to_owned());
        let body = Body { bytes: serde_json::to_vec(body).map_err(Error::Body)?, sealed_for };
        self.call("POST", target, Some(key), body).await
    }

    /// As [`Client::post`], for what takes no idempotency key, because asked twice it does no harm.
    pub(crate) async fn post_unkeyed<T: DeserializeOwned>(
        &self,
        target: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Error> {
        let bytes = body.map(serde_json::to_vec).transpose().map_err(Error::Body)?.unwrap_or_default();
        self.call("POST", target, None, Body { bytes, sealed_for: None }).await
    }

    /// The platform's keys that this client was given.
    pub(crate) const fn trusted(&self) -> &PlatformKeys {
        &self.keys
    }

    /// What encrypts sensitive fields: of the keys that this client trusts, or of those that it asks for over a request signed with its
    /// secret.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Encryption`] where the platform has no key for it.
    pub async fn sealer(&self) -> Result<Sealer, Error> {
        if let Some(sealer) = self.keys.sealer() {
            return Ok(sealer);
        }
        self.platform_keys().await?.sealer().ok_or(Error::Encryption)
    }

    /// As [`Client::post`], without a body.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub async fn post_nothing<T: DeserializeOwned>(&self, target: &str, key: &IdempotencyKey) -> Result<T, Error> {
        self.call("POST", target, Some(key), Body::default()).await
    }

    /// The rows of a list, page by page; `target` is its path with whatever narrows it.
    #[must_use]
    pub fn list<T: DeserializeOwned>(&self, target: &str) -> Pages<T> {
        Pages::new(self.clone(), target)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        target: &str,
        key: Option<&IdempotencyKey>,
        body: Body,
    ) -> Result<T, Error> {
        let what = format!("{method} {}", target.split('?').next().unwrap_or_default());
        let until = Instant::now().checked_add(self.patience.whole);
        let (mut tries, mut pause) = (0_u32, self.patience.pause);
        loop {
            tries = tries.saturating_add(1);
            let (last, after) = match self.once(method, target, key, &body).await? {
                Tried::Body(bytes) => {
                    return serde_json::from_slice(&bytes).map_err(|source| Error::Answer { what, source });
                }
                Tried::Again { why, after } => (why, after),
            };
            let wait = after.unwrap_or(pause).min(PAUSE_MAX);
            let over = until.zip(Instant::now().checked_add(wait)).is_some_and(|(until, next)| next >= until);
            if tries >= self.patience.tries || over {
                return Err(Error::Unanswered { what, tries, last });
            }
            tokio::time::sleep(wait).await;
            pause = pause.saturating_mul(2).min(PAUSE_MAX);
        }
    }

    /// Sends it once, with a signature and a nonce of its own.
    async fn once(
        &self,
        method: &'static str,
        target: &str,
        key: Option<&IdempotencyKey>,
        body: &Body,
    ) -> Result<Tried, Error> {
        let again = |why: String| Ok(Tried::Again { why, after: None });
        let authorization = self.credential.authorize(&Request { method, target, body: &body.bytes })?;
        let sent = if method == "GET" { reqwest::Method::GET } else { reqwest::Method::POST };
        let mut request = self.http.request(sent, format!("{}{target}", self.base)).timeout(self.patience.each);
        request = request.header("authorization", authorization.to_string()).header("accept", "application/json");
        request = request.header("lintel-version", API_VERSION);
        if !body.bytes.is_empty() {
            request = request.header("content-type", "application/json").body(body.bytes.clone());
        }
        if let Some(serial) = &body.sealed_for {
            request = request.header("lintel-encryption-serial", serial);
        }
        if let Some(IdempotencyKey(key)) = key {
            request = request.header("idempotency-key", key);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return again(error.without_url().to_string()),
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        match response.bytes().await {
            Ok(bytes) => self.believed(status, &headers, bytes.to_vec()),
            Err(error) => again(error.without_url().to_string()),
        }
    }

    /// What an answer comes to.
    fn believed(&self, status: u16, headers: &HeaderMap, body: Vec<u8>) -> Result<Tried, Error> {
        if let 500.. = status {
            // Signed or not, it proves nothing: the same question again.
            let why = refusal(status, headers, &body).map_or_else(|| format!("status {status}"), |told| told.message);
            return Ok(Tried::Again { why, after: retry_after(headers) });
        }
        if status == 401 {
            // Where the platform does not know the key it cannot sign with it.
            let signed = self.check(headers, &body).is_ok();
            let told = refusal(status, headers, &body).map(|told| ApiError { signed, ..told });
            return Err(told.map_or(Error::Forged, |told| Error::Api(Box::new(told))));
        }
        self.check(headers, &body)?;
        if (200..300).contains(&status) {
            return Ok(Tried::Body(body));
        }
        match refusal(status, headers, &body) {
            Some(told) if told.retryable => Ok(Tried::Again { why: told.message, after: told.retry_after }),
            Some(told) => Err(Error::Api(Box::new(told))),
            None => Err(Error::Forged),
        }
    }

    /// Checks an answer's signature, its time, and that it names the key that it must.
    fn check(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Error> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).ok_or(Error::Forged);
        let stamp = Stamp::parse(header(TIMESTAMP_HEADER)?, header(NONCE_HEADER)?).map_err(|_| Error::Forged)?;
        stamp.check_fresh(now()).map_err(|_| Error::Forged)?;
        let (serial, signature) = (header(SERIAL_HEADER)?, header(SIGNATURE_HEADER)?);
        match self.credential.shared() {
            // The platform signs with the secret that asked, and with no other one that overlaps.
            Some((_, own)) if serial != own => Err(Error::Forged),
            Some((key, _)) => verify_answer(key, &stamp, body, signature).map_err(|_| Error::Forged),
            None => self.keys.check(serial, &stamp, body, signature),
        }
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// What a refusal says, whose signature whoever asks has checked.
fn refusal(status: u16, headers: &HeaderMap, body: &[u8]) -> Option<ApiError> {
    let mut value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let told: ApiError = serde_json::from_value(value.get_mut("error")?.take()).ok()?;
    Some(ApiError { status, retry_after: retry_after(headers), signed: true, ..told })
}

#[cfg(test)]
mod tests {
    use ark::MacKey;
    use ark::signing::sign_answer;

    use super::*;

    #[test]
    fn addresses_and_keys_are_checked_before_anything_is_sent() {
        let credential = Credential::secret("mch_3", &"5a".repeat(32)).unwrap();
        for wrong in ["", "pay.example", "ftp://pay.example", "https://pay.example/v1", "https://pay.example?a=b"] {
            assert!(matches!(Client::new(wrong, credential.clone()), Err(Error::Address(_))), "{wrong}");
        }
        let client = Client::new("https://pay.example/", credential).unwrap();
        assert_eq!(format!("{client:?}"), "Client(https://pay.example as Credential(mch_3, 1))");
        for wrong in ["", "two words", "ü", &"k".repeat(129)] {
            assert!(matches!(IdempotencyKey::of(wrong), Err(Error::Key)), "{wrong}");
        }
        assert_ne!(IdempotencyKey::random().unwrap(), IdempotencyKey::random().unwrap());
    }

    /// What stands over an answer that this secret signed under this serial number.
    fn signed(serial: &str, secret: &str, body: &[u8]) -> HeaderMap {
        let (key, stamp) = (MacKey::from_hex(secret).unwrap(), Stamp::random(now()).unwrap());
        let mut headers = HeaderMap::new();
        headers.insert(TIMESTAMP_HEADER, stamp.timestamp().into());
        headers.insert(NONCE_HEADER, stamp.nonce().parse().unwrap());
        headers.insert(SERIAL_HEADER, serial.parse().unwrap());
        headers.insert(SIGNATURE_HEADER, sign_answer(&key, &stamp, body).parse().unwrap());
        headers
    }

    #[test]
    fn an_answer_is_believed_under_the_serial_number_of_the_secret_that_asked_alone() {
        let (secret, body) = ("5a".repeat(32), b"{}");
        let first = Credential::secret("mch_3", &secret).unwrap();
        let second = first.clone().of_serial("2");
        for (credential, own, other) in [(first, "1", "2"), (second, "2", "1")] {
            let client = Client::new("https://pay.example", credential).unwrap();
            let told = |headers: &HeaderMap| client.believed(200, headers, body.to_vec());
            assert!(matches!(told(&signed(own, &secret, body)), Ok(Tried::Body(bytes)) if bytes == body), "{own}");
            assert!(matches!(told(&signed(other, &secret, body)), Err(Error::Forged)), "{own} was asked by");
            let mut unnamed = signed(own, &secret, body);
            unnamed.remove(SERIAL_HEADER);
            assert!(matches!(told(&unnamed), Err(Error::Forged)), "{own} is not named");
        }
    }

    #[test]
    fn a_401_that_the_platform_did_not_sign_says_so() {
        let secret = "5a".repeat(32);
        let client = Client::new("https://pay.example", Credential::secret("mch_3", &secret).unwrap()).unwrap();
        let body = br#"{"error": {"type": "authentication", "code": "signature_key_unknown", "message": "no such key",
            "param": null, "request_id": null, "retryable": false}}"#;
        let told = |headers: &HeaderMap| {
            let Err(Error::Api(told)) = client.believed(401, headers, body.to_vec()) else { panic!("no refusal") };
            told
        };
        for headers in [HeaderMap::new(), signed("1", &"a5".repeat(32), body), signed("2", &secret, body)] {
            let told = told(&headers);
            assert!(!told.signed && told.to_string().contains("not signed by the platform"), "{told}");
            assert!(told.to_string().contains("change no key") && told.code == "signature_key_unknown", "{told}");
        }
        let told = told(&signed("1", &secret, body));
        assert!(told.signed && told.to_string().ends_with("register this key with the platform)"), "{told}");
    }
}
