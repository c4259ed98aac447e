//! The platform's keys in a key service that is a process of its own: [`KeyUse`] and [`ark::keys::FinancialUse`] over
//! HTTPS with a certificate.
//!
//! Calls block until the answer is there, like those of a key service in this process, and may come from any thread: the
//! connections have a runtime of their own. Connections are kept. A connection that broke is asked again once, for every
//! call may be done twice: each encryption is another one, and a key that is made twice exists. What does not answer within
//! its time is [`Error::Unavailable`].
//!
//! Whether it is sealed is asked in the background each second, and known from each answer in between; a service that does
//! not answer counts as sealed.

mod financial;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::{Context as _, bail};
use ark::keys::{BATCH_MAX, By, Context, Error, Info, KeyUse, Kind, Many, Purpose, Rotation, Spec, State, VersionInfo};
use ark::provider::{KeyError, KeyKind, PublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use crate::cli::client::target;
use crate::config::ArkRemote;
use crate::http::ark::CODES as ARK_CODES;
use crate::http::error::CODES;
use crate::tls::Files;

/// How often it is asked whether it is sealed.
const EVERY: Duration = Duration::from_secs(1);
/// Threads that read and write the connections.
const THREADS: usize = 2;
/// Connections that are kept while nobody uses them.
const IDLE_MAX: usize = 64;

/// A key service elsewhere.
pub(crate) struct RemoteKeys {
    link: Arc<Link>,
    /// Taken at the end, which must not wait.
    runtime: Option<Runtime>,
}

/// What asks.
struct Link {
    url: String,
    http: reqwest::Client,
    sealed: AtomicBool,
}

/// What one request came to.
enum Answered {
    Body(Vec<u8>),
    Refused { status: u16, body: Vec<u8> },
}

impl RemoteKeys {
    /// The key service of the settings; it need not answer yet.
    ///
    /// # Errors
    /// Settings that are missing, or certificates that do not read.
    pub(crate) fn new(config: &ArkRemote) -> anyhow::Result<Self> {
        let url = config.url.trim_end_matches('/').to_owned();
        if !url.starts_with("https://") {
            bail!("ark.remote.url is '{url}': it begins with https://, for keys do not travel in clear");
        }
        let files = Files::of(&config.certificate, &config.certificate_key, &config.ca).context("[ark.remote]")?;
        let files = files.context("ark.remote.url needs certificate, certificate_key and ca beside it")?;
        let tls = files.client().context("[ark.remote]")?;
        let timeout = Duration::from_millis(config.timeout_ms.max(1));
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let http = http.tls_backend_preconfigured(tls).timeout(timeout).connect_timeout(timeout);
        let http = http.pool_max_idle_per_host(IDLE_MAX).build().context("making an HTTP client")?;
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime
            .worker_threads(THREADS)
            .enable_all()
            .thread_name("remote-keys")
            .build()
            .context("starting a runtime")?;
        let link = Arc::new(Link { url, http, sealed: AtomicBool::new(true) });
        runtime.spawn(watch(Arc::clone(&link)));
        Ok(Self { link, runtime: Some(runtime) })
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.link.url
    }

    /// Asks, and waits for the answer.
    fn ask<T: DeserializeOwned>(&self, target: String, body: Option<Value>) -> Result<T, Error> {
        let (sender, answer) = mpsc::sync_channel(1);
        let link = Arc::clone(&self.link);
        let Some(runtime) = &self.runtime else { return Err(self.link.unavailable("this process stops")) };
        runtime.spawn(async move { sender.send(link.ask(&target, body.as_ref()).await) });
        let body = answer.recv().map_err(|_| self.link.unavailable("this process stops"))??;
        // The error names no value: it may be a secret.
        serde_json::from_slice(&body).map_err(|_| self.link.unavailable("its answer has another form than it should"))
    }

    fn operate(&self, by: &By<'_>, operation: &str, name: &str, body: Value) -> Result<Outcome, Error> {
        let answered = self.ask(path(by, &[operation, name]), Some(body));
        answered.map_err(|error| named(error, name))
    }

    fn each<T>(
        &self,
        by: &By<'_>,
        operation: &str,
        name: &str,
        batch: Vec<Value>,
        of: impl Fn(Outcome) -> Option<T>,
    ) -> Many<T> {
        let (found, limit) = (batch.len(), BATCH_MAX);
        if found > limit {
            return Err(Error::BatchTooLarge { found, limit });
        }
        let outcomes = self.operate(by, operation, name, json!({"batch": batch}))?.batch.unwrap_or_default();
        if outcomes.len() != found {
            return Err(self.link.unavailable("its answer has another number of values than were asked for"));
        }
        let one = |mut outcome: Outcome| match outcome.error.take() {
            Some(Failed { code }) => Err(named(self.link.refused(&code, &code), name)),
            None => of(outcome).ok_or_else(|| self.lacks()),
        };
        Ok(outcomes.into_iter().map(one).collect())
    }

    fn lacks(&self) -> Error {
        self.link.unavailable("its answer lacks what was asked for")
    }

    fn make(&self, by: &By<'_>, spec: &Spec<'_>) -> Result<Info, Error> {
        let body = Some(new_key(spec));
        let made: Key = self.ask(path(by, &["keys"]), body).map_err(|error| named(error, spec.name))?;
        made.info().ok_or_else(|| self.lacks())
    }
}

/// What still waits for an answer hears that there is none.
impl Drop for RemoteKeys {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Prints where it is.
impl fmt::Debug for RemoteKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RemoteKeys").field("url", &self.link.url).finish_non_exhaustive()
    }
}

/// Asks each second whether it is sealed.
async fn watch(link: Arc<Link>) {
    let mut every = tokio::time::interval(EVERY);
    let mut was = None;
    loop {
        every.tick().await;
        let failed = link.ask("/health/ready", None).await.err();
        let code = failed.as_ref().map(Error::code);
        if was != Some(code) {
            match &failed {
                None => tracing::info!(url = link.url, "the key service is open"),
                Some(error) => tracing::warn!(url = link.url, %error, "the key service is not open"),
            }
        }
        was = Some(code);
    }
}

impl Link {
    /// Asks; once more if the connection broke before an answer.
    async fn ask(&self, target: &str, body: Option<&Value>) -> Result<Vec<u8>, Error> {
        let mut answered = self.send(target, body).await;
        if answered.as_ref().is_err_and(|error| !error.is_timeout() && !error.is_connect()) {
            answered = self.send(target, body).await;
        }
        let result = match answered {
            Ok(Answered::Body(body)) => Ok(body),
            Ok(Answered::Refused { status, body }) => Err(self.refusal(status, &body)),
            Err(error) => Err(self.unavailable(&problem(&error))),
        };
        match &result {
            Err(Error::Sealed | Error::Unavailable { .. }) => self.sealed.store(true, Ordering::Relaxed),
            Ok(_) => self.sealed.store(false, Ordering::Relaxed),
            // It did not get as far as the keys, or it did: what was known stays.
            Err(_) => {}
        }
        result
    }

    async fn send(&self, target: &str, body: Option<&Value>) -> reqwest::Result<Answered> {
        let url = format!("{}{target}", self.url);
        let request = match body {
            Some(body) => self.http.post(url).json(body),
            None => self.http.get(url),
        };
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.bytes().await?.to_vec();
        Ok(if status.is_success() { Answered::Body(body) } else { Answered::Refused { status: status.as_u16(), body } })
    }

    fn refusal(&self, status: u16, body: &[u8]) -> Error {
        match serde_json::from_slice::<Refusal>(body) {
            Ok(Refusal { error: Said { code, message } }) => self.refused(&code, &message),
            Err(_) => self.unavailable(&format!("it answered with status {status} and no error of this API")),
        }
    }

    /// The error of one of its codes.
    fn refused(&self, code: &str, message: &str) -> Error {
        match code {
            "sealed" => Error::Sealed,
            "decryption_failed" => Error::Decryption,
            "key_not_found" => Error::Unknown(String::new()),
            "key_exists" => Error::Exists(String::new()),
            "ark_not_made" | "internal" | "unavailable" | "device_unavailable" => self.unavailable(message),
            other => {
                let mut known = ARK_CODES.iter().chain(CODES).map(|(code, _, _)| *code);
                match known.find(|code| *code == other) {
                    Some(code) => Error::Elsewhere { code, message: message.to_owned() },
                    None => self.unavailable(message),
                }
            }
        }
    }

    fn unavailable(&self, problem: &str) -> Error {
        Error::Unavailable { at: self.url.clone(), problem: problem.to_owned() }
    }
}

/// Why no answer came, without the address, which the error names already.
fn problem(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    format!("{what} ({cause})")
}

/// The error about this key: the codes alone do not say which.
fn named(error: Error, name: &str) -> Error {
    if matches!(error, Error::Unknown(_)) {
        Error::Unknown(name.to_owned())
    } else if matches!(error, Error::Exists(_)) {
        Error::Exists(name.to_owned())
    } else {
        error
    }
}

/// A path below `/v1/ark`, with the reason.
fn path(by: &By<'_>, segments: &[&str]) -> String {
    let reason = Some(by.reason).filter(|reason| !reason.is_empty());
    target(&[&["v1", "ark"][..], segments].concat(), &[("reason", reason)])
}

/// Milliseconds of Unix time.
fn time(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

fn text(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

#[derive(Deserialize)]
struct Refusal {
    error: Said,
}

#[derive(Deserialize)]
struct Said {
    code: String,
    message: String,
}

/// What came of an operation.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Outcome {
    ciphertext: Option<String>,
    plaintext: Option<String>,
    signature: Option<String>,
    tag: Option<String>,
    valid: Option<bool>,
    error: Option<Failed>,
    batch: Option<Vec<Outcome>>,
}

#[derive(Deserialize)]
struct Failed {
    code: String,
}

impl Outcome {
    fn opened(self) -> Option<Zeroizing<Vec<u8>>> {
        let plaintext = Zeroizing::new(self.plaintext?);
        BASE64_STANDARD.decode(plaintext.as_bytes()).ok().map(Zeroizing::new)
    }
}

/// What is told of a key.
#[derive(Deserialize)]
struct Key {
    name: String,
    kind: String,
    purpose: String,
    exportable: bool,
    rotate_after_ms: Option<i64>,
    rotate_after_uses: Option<u64>,
    destroy_wait_ms: i64,
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
    state: String,
    created_at: String,
    /// Not told by one of before.
    signs_from: Option<String>,
    destroy_at: Option<String>,
    uses: u64,
    check_value: Option<String>,
    public_key: Option<String>,
}

impl Key {
    /// `None` if a word is none that this program knows.
    fn info(self) -> Option<Info> {
        let purpose = Purpose::of(&self.purpose)?;
        let kind = Kind::of(&self.kind, purpose)?;
        let pairs = KeyKind::ALL.into_iter().find(|pair| kind.is(*pair));
        let version = |version: Version| {
            let public = version.public_key.map(|text| BASE64_STANDARD.decode(text).ok());
            let public = public.map(|bytes| Some(PublicKey { kind: pairs?, bytes: bytes? }));
            let check_value = version.check_value.map(|text| hex::decode(text).ok()?.try_into().ok());
            Some(VersionInfo {
                version: version.version,
                state: State::of(&version.state)?,
                created: time(&version.created_at)?,
                signs_from: version.signs_from.map_or(Some(None), |text| time(&text).map(Some))?,
                destroy_at: version.destroy_at.map_or(Some(None), |text| time(&text).map(Some))?,
                uses: version.uses,
                check_value: check_value.map_or(Some(None), |value| value.map(Some))?,
                public: public.map_or(Some(None), |public| public.map(Some))?,
            })
        };
        Some(Info {
            name: self.name,
            kind,
            purpose,
            exportable: self.exportable,
            rotation: Rotation { age: self.rotate_after_ms, uses: self.rotate_after_uses },
            wait_ms: self.destroy_wait_ms,
            versions: self.versions.into_iter().map(version).collect::<Option<_>>()?,
        })
    }
}

impl KeyUse for RemoteKeys {
    fn ensure(&self, by: &By<'_>, spec: &Spec<'_>) -> Result<Info, Error> {
        let found = match self.info(spec.name) {
            Err(Error::Unknown(_)) => match self.make(by, spec) {
                // Another caller made it meanwhile.
                Err(Error::Exists(_)) => self.info(spec.name)?,
                made => return made,
            },
            found => found?,
        };
        let same = found.kind == spec.kind && found.purpose == spec.purpose && (spec.exportable || !found.exportable);
        if same { Ok(found) } else { Err(Error::OtherKey(spec.name.to_owned())) }
    }

    fn info(&self, name: &str) -> Result<Info, Error> {
        let found: Key =
            self.ask(target(&["v1", "ark", "keys", name], &[]), None).map_err(|error| named(error, name))?;
        found.info().ok_or_else(|| self.lacks())
    }

    fn is_sealed(&self) -> bool {
        self.link.sealed.load(Ordering::Relaxed)
    }

    fn encrypt(&self, by: &By<'_>, name: &str, context: &Context, message: &[u8]) -> Result<String, Error> {
        let done = self.operate(by, "encrypt", name, sealing(context, message))?;
        done.ciphertext.ok_or_else(|| self.lacks())
    }

    fn encrypt_many(&self, by: &By<'_>, name: &str, values: &[(&Context, &[u8])]) -> Many<String> {
        let batch = values.iter().map(|(context, message)| sealing(context, message)).collect();
        self.each(by, "encrypt", name, batch, |outcome| outcome.ciphertext)
    }

    fn decrypt(&self, by: &By<'_>, name: &str, context: &Context, text: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.operate(by, "decrypt", name, opening(context, text))?.opened().ok_or_else(|| self.lacks())
    }

    fn decrypt_many(&self, by: &By<'_>, name: &str, values: &[(&Context, &str)]) -> Many<Zeroizing<Vec<u8>>> {
        let batch = values.iter().map(|(context, text)| opening(context, text)).collect();
        self.each(by, "decrypt", name, batch, Outcome::opened)
    }

    fn hmac(&self, by: &By<'_>, name: &str, message: &[u8]) -> Result<String, Error> {
        let done = self.operate(by, "hmac", name, json!({"message": text(message)}))?;
        done.tag.ok_or_else(|| self.lacks())
    }

    fn verify_hmac(&self, by: &By<'_>, name: &str, message: &[u8], tag: &str) -> Result<(), Error> {
        let done = self.operate(by, "verify-hmac", name, json!({"message": text(message), "tag": tag}))?;
        self.valid(&done, KeyError::Tag)
    }

    fn sign(&self, by: &By<'_>, name: &str, message: &[u8]) -> Result<String, Error> {
        let done = self.operate(by, "sign", name, json!({"message": text(message)}))?;
        done.signature.ok_or_else(|| self.lacks())
    }

    fn verify(&self, by: &By<'_>, name: &str, message: &[u8], signature: &str) -> Result<(), Error> {
        let done = self.operate(by, "verify", name, json!({"message": text(message), "signature": signature}))?;
        self.valid(&done, KeyError::Signature)
    }
}

impl RemoteKeys {
    fn valid(&self, done: &Outcome, otherwise: KeyError) -> Result<(), Error> {
        match done.valid {
            Some(true) => Ok(()),
            Some(false) => Err(Error::Provider(otherwise)),
            None => Err(self.lacks()),
        }
    }
}

fn new_key(spec: &Spec<'_>) -> Value {
    json!({
        "name": spec.name, "kind": spec.kind.name(), "purpose": spec.purpose.name(), "exportable": spec.exportable,
        "pre_active": spec.pre_active, "rotate_after_ms": spec.rotation.age,
        "rotate_after_uses": spec.rotation.uses, "destroy_wait_ms": spec.wait_ms,
    })
}

fn sealing(context: &BTreeMap<String, String>, message: &[u8]) -> Value {
    json!({"plaintext": text(message), "context": context})
}

fn opening(context: &BTreeMap<String, String>, text: &str) -> Value {
    json!({"ciphertext": text, "context": context})
}
