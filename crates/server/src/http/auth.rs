//! Who asks: every `/v1` request is signed, fresh, not older than this node's start, and its nonce new; its answer is signed in
//! return.
//!
//! Merchants sign with a certificate (`LINTEL-SM2-WITH-SM3`, `LINTEL-SHA256-RSA2048`; see [`super::certificate`]) or, like
//! everyone else, with a secret (`LINTEL-HMAC-SM3`). Secrets are derived from the vault's MAC root, which the key service wraps: `HMAC-SM3(derived key, "api-key" ‖ id ‖ serial)`;
//! while that is sealed every request is told so. The id `operator` is the
//! institution's own programs'; a merchant's id is its `mch_…`, an operator's its `opr_…`. The programs do what takes one
//! person at most. An operator reads everything, decides approvals, and changes by itself only what [`super::people`] lists.

use std::borrow::Cow;
use std::sync::Arc;

use ark::signing::{Authorization, Request as Signed, Scheme, SigningError};
use ark::vault::RequestKeys;
use ark::{FingerprintKey, MacKey};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use domain::account::Owner;
use domain::ids::{MerchantId, OperatorId};
use domain::operator::{Operator, Role};
use domain::{Actor, Origin};
use engine::Meta;
use http::Method;
use http::request::Parts;

use super::App;
use super::certificate::AnswerKey;
use super::customer::sealing_failed;
use super::error::ApiError;
use super::version::{self, ApiVersion};
use crate::shell::clock::wall_ms;

/// The largest body that is read.
pub(crate) const BODY_LIMIT: usize = 32 << 20;
/// The id under which the institution's own programs sign.
pub(crate) const OPERATOR: &str = "operator";
/// The serial of everyone's first secret: that of whoever never rotated.
pub(crate) const KEY_SERIAL: &str = "1";

/// The code of a request that was signed before this node began to know nonces: to be signed anew.
pub(crate) const SIGNED_BEFORE_START: &str = "signed_before_start";

/// The longest number of a caller's own, in bytes.
const NUMBER_MAX: usize = 64;

/// The header that makes a request safe to send twice.
pub(super) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The key of an id and serial.
pub(crate) fn api_key(root: &MacKey, id: &str, serial: &str) -> MacKey {
    MacKey::from_bytes(root.tag(format!("api-key\0{id}\0{serial}").as_bytes()))
}

/// Who asks, and what it sent.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The actor that the journal keeps.
    pub(crate) actor: Actor,
    /// The merchant, if one asks.
    pub(crate) merchant: Option<MerchantId>,
    /// The person of the institution, if one asks.
    person: Option<Operator>,
    scope: Arc<str>,
    fingerprint: [u8; 16],
    idempotency_key: Option<Arc<str>>,
}

impl Caller {
    /// The id that the request is signed with.
    pub(crate) fn id(&self) -> &str {
        &self.scope
    }

    /// The meta of a command, bound to its `Idempotency-Key`.
    ///
    /// # Errors
    /// `idempotency_key_missing`.
    pub(crate) fn meta(&self) -> Result<Meta, ApiError> {
        let key = self.idempotency_key()?;
        Ok(self.keyed(self.scope.to_string(), vec![format!("{IDEMPOTENCY_KEY}:{key}")]))
    }

    /// As [`Self::meta`], bound to a key of the business too.
    ///
    /// # Errors
    /// `idempotency_key_missing`.
    pub(crate) fn meta_with(&self, param: &str, key: &str) -> Result<Meta, ApiError> {
        let mut meta = self.meta()?;
        meta.keys.push(format!("{param}:{key}"));
        Ok(meta)
    }

    /// As [`Self::meta`], bound to a number of the caller's own too, where it names one: unlike the header it is signed.
    ///
    /// # Errors
    /// `idempotency_key_missing`, and `field_malformed` for a number that is empty or too long.
    pub(crate) fn meta_numbered(&self, param: &str, number: Option<&str>) -> Result<Meta, ApiError> {
        let Some(number) = number else { return self.meta() };
        if !(1..=NUMBER_MAX).contains(&number.len()) {
            return Err(ApiError::malformed(param, format!("it has {} bytes; use 1 to {NUMBER_MAX}", number.len())));
        }
        self.meta_with(param, number)
    }

    /// As [`Self::meta_with`], for a key that a merchant keeps unique whoever asks for it.
    ///
    /// # Errors
    /// `idempotency_key_missing`.
    pub(crate) fn meta_of(&self, merchant: MerchantId, param: &str, key: &str) -> Result<Meta, ApiError> {
        let own = self.idempotency_key()?;
        let own = match self.merchant {
            Some(_) => format!("{IDEMPOTENCY_KEY}:{own}"),
            None => format!("{IDEMPOTENCY_KEY}:{OPERATOR}/{own}"),
        };
        Ok(self.keyed(merchant.to_string(), vec![own, format!("{param}:{key}")]))
    }

    /// The meta of one of several commands that a request stands for.
    ///
    /// # Errors
    /// `idempotency_key_missing`.
    pub(crate) fn meta_part(&self, index: usize) -> Result<Meta, ApiError> {
        let key = self.idempotency_key()?;
        Ok(self.keyed(self.scope.to_string(), vec![format!("{IDEMPOTENCY_KEY}:{key}/{index}")]))
    }

    fn idempotency_key(&self) -> Result<&str, ApiError> {
        self.idempotency_key.as_deref().ok_or_else(key_missing)
    }

    fn keyed(&self, scope: String, keys: Vec<String>) -> Meta {
        let (fingerprint, actor) = (self.fingerprint, self.actor.clone());
        Meta { scope, keys, fingerprint, actor, approval: None, origin: Origin::Api }
    }

    /// The meta of a command that is identified otherwise, as a bulk posting is by its number.
    pub(crate) fn unkeyed(&self) -> Meta {
        Meta::unkeyed(self.actor.clone(), Origin::Api)
    }

    /// A keyed digest of what the caller asked for.
    pub(crate) fn fingerprint(&self) -> [u8; 16] {
        self.fingerprint
    }

    /// The person of the institution who asks.
    ///
    /// # Errors
    /// `not_permitted` for programs and merchants.
    pub(crate) fn person(&self) -> Result<&Operator, ApiError> {
        let message = "a person decides this: sign with the key of a registered operator";
        self.person.as_ref().ok_or_else(|| ApiError::forbidden(message))
    }

    /// Refuses merchants, and operators without one of these roles.
    pub(crate) fn operator_with(&self, roles: &[Role]) -> Result<(), ApiError> {
        self.operator()?;
        let Some(person) = self.person.as_ref().filter(|person| !person.has_any(roles)) else { return Ok(()) };
        let names = roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" or ");
        Err(ApiError::forbidden(format!("{} may not do this; it takes {names}", person.id)))
    }

    /// Refuses everyone but the institution's own programs.
    pub(crate) fn program(&self) -> Result<(), ApiError> {
        self.operator()?;
        let Some(person) = &self.person else { return Ok(()) };
        Err(ApiError::forbidden(format!("{} may not do this; it is for the institution's programs", person.id)))
    }

    /// Refuses everyone but the institution's programs and people.
    pub(crate) fn operator(&self) -> Result<(), ApiError> {
        match self.merchant {
            None => Ok(()),
            Some(merchant) => Err(ApiError::forbidden(format!("{merchant} may not do this; it is for operators"))),
        }
    }

    /// Refuses merchants other than `merchant`.
    pub(crate) fn merchant_or_operator(&self, merchant: MerchantId) -> Result<(), ApiError> {
        self.owner_or_operator(Owner::Merchant(merchant))
    }

    /// Refuses merchants what belongs to someone else than themselves.
    pub(crate) fn owner_or_operator(&self, owner: Owner) -> Result<(), ApiError> {
        match self.merchant {
            Some(own) if owner != Owner::Merchant(own) => {
                Err(ApiError::forbidden(format!("this does not belong to {own}")))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(unsigned)
    }
}

/// A request that changes something came without a key.
pub(super) fn key_missing() -> ApiError {
    let message = "send an Idempotency-Key header: a text of your own, new for each thing you want done";
    ApiError::new("idempotency_key_missing", Some(IDEMPOTENCY_KEY), message)
}

fn unsigned() -> ApiError {
    let message = "sign the request: Authorization: LINTEL-HMAC-SM3 mch_id=\"…\",nonce=\"…\",timestamp=\"…\",\
                   serial_no=\"…\",signature=\"…\"";
    ApiError::new("signature_missing", Some("Authorization"), message)
}

/// Who may change something behind a route; whoever has a key may read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who {
    /// The institution's programs and merchants, no person by itself.
    Programs,
    /// People too; the handler asks for their role.
    Everyone,
}

/// What stands before a route.
#[derive(Clone)]
pub(crate) struct Gate {
    /// What is asked about a key.
    pub(crate) app: App,
    /// Who may change something.
    pub(crate) who: Who,
}

/// The middleware: verifies the signature over the body and leaves a [`Caller`] for the handlers.
pub(crate) async fn authenticate(State(gate): State<Gate>, request: Request, next: Next) -> Result<Response, ApiError> {
    let header = request.headers().get(http::header::AUTHORIZATION).cloned();
    let told = |error: &ApiError| tell_of(error, header.as_ref());
    let (believed, answer_key) = believe(&gate.app, request).await.inspect_err(told)?;
    let asked = believed.version();
    let version = asked.as_ref().ok().copied();
    let admitted = admit(&gate, believed).await.inspect_err(told);
    // From here on every answer is signed, what the gate itself refuses too: who asks shall believe that nothing was done.
    let mut response = match admitted.and_then(|request| asked.map(|_| request)) {
        Ok(request) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    sign_by(&mut response, answer_key, version);
    Ok(response)
}

/// The answer to a request that was signed and that no route takes: this refusal, signed in return. What its signature is refused with
/// comes first, as at a route.
///
/// # Errors
/// Those of a signature, and what keeps it from being verified.
pub(super) async fn refuse_signed(app: &App, request: Request, refusal: ApiError) -> Result<Response, ApiError> {
    let header = request.headers().get(http::header::AUTHORIZATION).cloned();
    let believed = believe(app, request).await.inspect_err(|error| tell_of(error, header.as_ref()));
    let (believed, answer_key) = believed?;
    let mut response = refusal.into_response();
    sign_by(&mut response, answer_key, believed.version().ok());
    Ok(response)
}

/// Has the outermost layer sign an answer, and name the version that it is in.
fn sign_by(response: &mut Response, key: AnswerKey, version: Option<ApiVersion>) {
    response.extensions_mut().insert(key);
    if let Some(version) = version {
        response.extensions_mut().insert(version);
    }
}

/// A signature that is refused, or put off, is counted, and written down with the id that it claims: who claims it is not
/// known.
fn tell_of(error: &ApiError, header: Option<&http::HeaderValue>) {
    if !error.is_unauthenticated() && error.code() != SIGNED_BEFORE_START {
        return;
    }
    metrics::counter!("lintel_signatures_refused_total", "reason" => error.code()).increment(1);
    let claimed = header.and_then(|value| Authorization::parse(value.to_str().ok()?).ok());
    match claimed {
        Some(claimed) => {
            let (claimed, serial) = (claimed.merchant(), claimed.serial());
            tracing::warn!(claimed, serial, reason = error.code(), "the signature of a request is refused");
        }
        None => tracing::debug!(reason = error.code(), "a request without a signature is refused"),
    }
}

/// A request whose signature holds and whose nonce is new.
struct Believed {
    parts: Parts,
    body: Bytes,
    target: String,
    authorization: Authorization,
    keys: Arc<RequestKeys>,
}

impl Believed {
    /// In which version it is served.
    fn version(&self) -> Result<ApiVersion, ApiError> {
        version::asked(&self.parts.headers)
    }
}

/// Verifies a request's signature over its body and takes its nonce; gives what its answer is signed with.
async fn believe(app: &App, request: Request) -> Result<(Believed, AnswerKey), ApiError> {
    let (parts, body) = request.into_parts();
    let header = parts.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let authorization = Authorization::parse(header.ok_or_else(unsigned)?).map_err(refused)?;
    let now = u64::try_from(wall_ms() / 1_000).unwrap_or_default();
    authorization.check_fresh(now).map_err(refused)?;
    check_since_start(authorization.stamp().timestamp(), app.callers.nonces.began())?;
    let body = read_declared(&parts, body).await?;
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let signed = Signed { method: parts.method.as_str(), target: &target, body: &body };
    let keys = app.request_keys().await?;
    let answer_key = verify(app, &authorization, &keys.root, &signed).await?;
    if !app.callers.nonces.is_new(authorization.merchant(), authorization.stamp().nonce(), now) {
        let message = "this nonce was used before; sign each request with a new one";
        return Err(ApiError::new("nonce_reused", Some("nonce"), message));
    }
    tracing::Span::current().record("caller", authorization.merchant());
    Ok((Believed { parts, body, target, authorization, keys }, answer_key))
}

/// A request that is believed, with its [`Caller`].
async fn admit(gate: &Gate, believed: Believed) -> Result<Request, ApiError> {
    let app = &gate.app;
    let Believed { mut parts, body, target, authorization, keys } = believed;
    let (id, serial) = (authorization.merchant(), authorization.serial());
    let (actor, merchant, person) = who(app, id, serial).await?;
    let opening = app.open_sensitive(&parts.headers, &body, merchant.is_some()).await?;
    let clear = opening.as_ref().map_or(&body[..], |opening| &opening.clear);
    let asked = Signed { method: parts.method.as_str(), target: &target, body: clear };
    let caller = Caller {
        scope: id.into(),
        merchant,
        actor,
        person,
        fingerprint: fingerprint(&keys.fingerprints, &asked),
        idempotency_key: idempotency_key(&parts.headers)?,
    };
    match gate.who {
        Who::Programs => programs_change(&caller, &parts.method)?,
        Who::Everyone => {}
    }
    if let Some(opening) = opening {
        parts.extensions.insert(opening.opened);
    }
    parts.extensions.insert(caller);
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// Verifies a request by the secret or the certificate that it names; gives what its answer is signed with.
async fn verify(
    app: &App,
    authorization: &Authorization,
    root: &MacKey,
    signed: &Signed<'_>,
) -> Result<AnswerKey, ApiError> {
    match authorization.scheme() {
        Scheme::HmacSm3 => {
            let key = api_key(root, authorization.merchant(), authorization.serial());
            authorization.verify(&key, signed).map_err(refused)?;
            app.check_api_key(authorization.merchant(), authorization.serial()).await?;
            Ok(AnswerKey::Shared { key, serial: authorization.serial().to_owned() })
        }
        scheme @ (Scheme::Sm2WithSm3 | Scheme::Sha256Rsa2048) => {
            app.verify_by_certificate(authorization, signed).await?;
            Ok(AnswerKey::Platform { keys: app.ark.keys(), scheme })
        }
    }
}

impl App {
    /// The keys of requests: kept, unless the key service was sealed since.
    ///
    /// # Errors
    /// `sealed`.
    pub(super) async fn request_keys(&self) -> Result<Arc<RequestKeys>, ApiError> {
        if let Some(keys) = self.vault.kept_request_keys() {
            return Ok(keys);
        }
        let vault = Arc::clone(&self.vault);
        self.blocking(move || vault.request_keys().map_err(sealing_failed)).await
    }
}

/// Puts off what was signed before the second in which this node began to know nonces. Whoever has the key signs anew;
/// whoever caught it cannot.
fn check_since_start(signed: u64, began: u64) -> Result<(), ApiError> {
    if signed >= began {
        return Ok(());
    }
    let message = format!(
        "`timestamp` {signed} lies before this node's start, {began}, and it cannot know whether the request was taken \
         before: sign it anew with a new time and nonce, under the same Idempotency-Key; if that is answered so too, set \
         the clock"
    );
    Err(ApiError::new(SIGNED_BEFORE_START, Some("timestamp"), message))
}

fn refused(error: SigningError) -> ApiError {
    ApiError::new(error.code(), Some(error.parameter()), error.to_string())
}

/// Refuses an operator's key what only the institution's programs change.
fn programs_change(caller: &Caller, method: &Method) -> Result<(), ApiError> {
    match &caller.person {
        Some(person) if method != Method::GET => Err(ApiError::forbidden(format!(
            "{} may not change this by itself: propose it as an approval, or leave it to the institution's programs",
            person.id
        ))),
        Some(_) | None => Ok(()),
    }
}

/// Who a key's id is: the institution's own programs, one of its people, or a merchant.
async fn who(app: &App, id: &str, serial: &str) -> Result<(Actor, Option<MerchantId>, Option<Operator>), ApiError> {
    if id == OPERATOR {
        return Ok((Actor::Operator(OPERATOR.into()), None, None));
    }
    if let Ok(operator) = id.parse::<OperatorId>() {
        let person = app.look(move |state| state.operator(operator).cloned()).await?.view;
        if !person.is_active() {
            let message = format!("{operator} is suspended; an administrator must resume it first");
            return Err(ApiError::new("operator_suspended", Some("mch_id"), message));
        }
        return Ok((Actor::Operator(person.login.clone()), None, Some(person)));
    }
    let wrong = |error: domain::ids::IdError| ApiError::new("signature_malformed", Some("mch_id"), error.to_string());
    let merchant = id.parse().map_err(wrong)?;
    Ok((Actor::Merchant { merchant, key: serial.into() }, Some(merchant), None))
}

/// A keyed digest of what was asked, without what differs from one sending to the next.
pub(super) fn fingerprint(key: &FingerprintKey, signed: &Signed<'_>) -> [u8; 16] {
    key.of(&[signed.method.as_bytes(), asked_for(signed.target).as_bytes(), signed.body])
}

/// The path and query without how long the answer may wait: that is how it is told, and not what is to be done. Who got none may ask
/// again with more patience, or with less.
fn asked_for(target: &str) -> Cow<'_, str> {
    let Some((path, query)) = target.split_once('?') else { return target.into() };
    let is_wait = |pair: &&str| pair.split('=').next() == Some(super::wait::PARAMETER);
    if !query.split('&').any(|pair| is_wait(&pair)) {
        return target.into();
    }
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_wait(pair)).collect();
    if kept.is_empty() { path.into() } else { format!("{path}?{}", kept.join("&")).into() }
}

/// What a request names as its key.
///
/// # Errors
/// `idempotency_key_malformed`.
pub(super) fn idempotency_key(headers: &http::HeaderMap) -> Result<Option<Arc<str>>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| (1..=128).contains(&text.len()));
    let message = "use 1 to 128 visible ASCII characters";
    let wrong = || ApiError::new("idempotency_key_malformed", Some(IDEMPOTENCY_KEY), message);
    text.map(|text| Some(text.into())).ok_or_else(wrong)
}

/// Reads a body unless its own header says that it is too large, so that nobody sends 32 MiB to hear no.
pub(super) async fn read_declared(parts: &Parts, body: Body) -> Result<Bytes, ApiError> {
    let declared = parts.headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > BODY_LIMIT as u64) {
        return Err(too_large());
    }
    read(body).await
}

/// Reads a body up to the limit.
pub(super) async fn read(body: Body) -> Result<Bytes, ApiError> {
    to_bytes(body, BODY_LIMIT).await.map_err(|_| too_large())
}

fn too_large() -> ApiError {
    let message = format!("the body is larger than {BODY_LIMIT} bytes or broke off; send less in one request");
    ApiError::new("body_too_large", Some("body"), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_an_answer_may_wait_is_no_part_of_what_is_asked_for() {
        for (target, asked) in [
            ("/v1/orders", "/v1/orders"),
            ("/v1/orders?wait=10", "/v1/orders"),
            ("/v1/orders?wait", "/v1/orders"),
            ("/v1/orders?a=1&wait=10&b=2", "/v1/orders?a=1&b=2"),
            ("/v1/orders?waits=10", "/v1/orders?waits=10"),
            ("/v1/orders?a=wait&b=wait=1", "/v1/orders?a=wait&b=wait=1"),
            ("/v1/orders?", "/v1/orders?"),
        ] {
            assert_eq!(asked_for(target), asked, "{target}");
        }
    }
}
