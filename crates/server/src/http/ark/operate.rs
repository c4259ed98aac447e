//! Operations with keys. Each asks for a policy that allows it to the caller with this key.

use std::collections::BTreeMap;

use ark::KeyService;
use ark::keys::{By, Error, Proposal};
use ark::provider::KeyError;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{Base64, Body, Calls};
use super::{App, Caller, Why, with};
use crate::http::error::ApiError;
use crate::http::extract::{Id, Query};

/// Letters of a ciphertext, signature or tag at most.
const TEXT_MAX: usize = 1 << 21;

/// What to encrypt.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plain {
    /// At most 1 MiB.
    plaintext: Base64,
    /// Must be the same when it is decrypted.
    #[serde(default)]
    context: BTreeMap<String, String>,
}

/// What to decrypt or move to the current version.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cipher {
    /// `ark:v3:…`
    ciphertext: String,
    /// As it was encrypted with.
    #[serde(default)]
    context: BTreeMap<String, String>,
}

/// Which data key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataKeyWanted {
    /// 16 to 64 bytes.
    #[serde(default = "sixteen")]
    bytes: usize,
    /// Must be the same when it is decrypted.
    #[serde(default)]
    context: BTreeMap<String, String>,
}

fn sixteen() -> usize {
    16
}

/// What to sign or authenticate.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    /// At most 1 MiB.
    message: Base64,
}

/// A signature to verify.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signed {
    /// At most 1 MiB.
    message: Base64,
    /// `ark:v3:…`
    signature: String,
}

/// A tag to verify.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tagged {
    /// At most 1 MiB.
    message: Base64,
    /// `ark:v3:…`
    tag: String,
}

/// How much randomness.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RandomWanted {
    /// At most 65,536.
    bytes: usize,
}

/// What came of it: what the operation makes, or an error; of many, a `batch` in their order.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct Outcome {
    #[serde(skip_serializing_if = "Option::is_none")]
    ciphertext: Option<String>,
    /// In base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    plaintext: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    /// Whether the signature or tag is right.
    #[serde(skip_serializing_if = "Option::is_none")]
    valid: Option<bool>,
    /// In base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    random: Option<String>,
    /// In a batch, in the place of what was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    batch: Option<Vec<Outcome>>,
}

/// Why a value of a batch was refused.
#[derive(Serialize, ToSchema)]
pub(crate) struct Failed {
    #[schema(example = "decryption_failed")]
    code: &'static str,
}

impl Failed {
    /// By the same table as a single value's error, which logs what failed inside.
    pub(super) fn of(error: Error) -> Self {
        Self { code: super::error::of(error).code() }
    }
}

type Answer = Result<Json<Outcome>, ApiError>;

fn ciphertext(text: String) -> Outcome {
    Outcome { ciphertext: Some(text), ..Outcome::default() }
}

fn verified(result: Result<(), Error>) -> Result<Outcome, Error> {
    let valid = match result {
        Ok(()) => true,
        Err(Error::Provider(KeyError::Signature | KeyError::Tag)) => false,
        Err(error) => return Err(error),
    };
    Ok(Outcome { valid: Some(valid), ..Outcome::default() })
}

fn bounded(text: &str) -> Result<&str, Error> {
    let found = text.len();
    if found > TEXT_MAX {
        return Err(Error::TooLarge { what: "ciphertext, signature or tag, letters", found, limit: TEXT_MAX });
    }
    Ok(text)
}

/// Who asks for what with which key.
struct Asked {
    app: App,
    caller: Caller,
    name: String,
    why: Why,
}

impl Asked {
    async fn each<I: Send + 'static>(
        self,
        operation: &'static str,
        calls: Calls<I>,
        one: impl Fn(&KeyService, &By<'_>, &str, &I) -> Result<Outcome, Error> + Send + 'static,
    ) -> Answer {
        let Self { app, caller, name, why } = self;
        let approval = why.approval;
        let work = move |service: &KeyService, by: &By<'_>| {
            service.check_policy(by, &name, operation)?;
            let mut by = *by;
            if approval.is_some() {
                service.redeem(&by, approval, &Proposal::compromised(&name))?;
                by.compromised_too = true;
            }
            let items = match calls {
                Calls::One(item) => return one(service, &by, &name, &item),
                Calls::Many(items) => items,
            };
            let failed = |error: Error| Outcome { error: Some(Failed::of(error)), ..Outcome::default() };
            let batch = items.iter().map(|item| one(service, &by, &name, item).unwrap_or_else(failed)).collect();
            Ok(Outcome { batch: Some(batch), ..Outcome::default() })
        };
        with(&app, &caller, &why, work).await.map(Json)
    }
}

macro_rules! asked {
    ($app:ident, $caller:ident, $name:ident, $why:ident) => {
        Asked { app: $app, caller: $caller, name: $name, why: $why }
    };
}

/// Encrypt
///
/// One value, or up to 1,000 as `{"batch": […]}`.
#[utoipa::path(
    post, path = "/v1/ark/encrypt/{name}", tag = "ark", request_body = Plain,
    params(("name" = String, Path, example = "orders"), Why), responses((status = OK, body = Outcome))
)]
pub(crate) async fn encrypt(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<String>,
    Query(why): Query<Why>,
    calls: Calls<Plain>,
) -> Answer {
    let one = |service: &KeyService, by: &By<'_>, name: &str, item: &Plain| {
        service.encrypt(by, name, &item.context, item.plaintext.bounded()?).map(ciphertext)
    };
    asked!(app, caller, name, why).each("encrypt", calls, one).await
}

/// Decrypt
///
/// One value, or up to 1,000 as `{"batch": […]}`. Whatever is wrong is `decryption_failed`. With an approval, compromised
/// versions open too, in this call.
#[utoipa::path(
    post, path = "/v1/ark/decrypt/{name}", tag = "ark", request_body = Cipher,
    params(("name" = String, Path, example = "orders"), Why), responses((status = OK, body = Outcome))
)]
pub(crate) async fn decrypt(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<String>,
    Query(why): Query<Why>,
    calls: Calls<Cipher>,
) -> Answer {
    let one = |service: &KeyService, by: &By<'_>, name: &str, item: &Cipher| {
        let plain = service.decrypt(by, name, &item.context, bounded(&item.ciphertext)?)?;
        Ok(Outcome { plaintext: Some(Base64::text(&plain)), ..Outcome::default() })
    };
    asked!(app, caller, name, why).each("decrypt", calls, one).await
}

/// Move to the current version
///
/// One ciphertext, or up to 1,000 as `{"batch": […]}`; the caller does not see what is in it.
#[utoipa::path(
    post, path = "/v1/ark/rewrap/{name}", tag = "ark", request_body = Cipher,
    params(("name" = String, Path, example = "orders"), Why), responses((status = OK, body = Outcome))
)]
pub(crate) async fn rewrap(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<String>,
    Query(why): Query<Why>,
    calls: Calls<Cipher>,
) -> Answer {
    let one = |service: &KeyService, by: &By<'_>, name: &str, item: &Cipher| {
        service.rewrap(by, name, &item.context, bounded(&item.ciphertext)?).map(ciphertext)
    };
    asked!(app, caller, name, why).each("rewrap", calls, one).await
}

/// Make a data key
///
/// In clear for the caller, and encrypted for keeping. One, or up to 1,000 as `{"batch": […]}`.
#[utoipa::path(
    post, path = "/v1/ark/datakey/{name}", tag = "ark", request_body = DataKeyWanted,
    params(("name" = String, Path, example = "orders"), Why), responses((status = OK, body = Outcome))
)]
pub(crate) async fn datakey(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<String>,
    Query(why): Query<Why>,
    calls: Calls<DataKeyWanted>,
) -> Answer {
    let one = |service: &KeyService, by: &By<'_>, name: &str, item: &DataKeyWanted| {
        let made = service.datakey(by, name, &item.context, item.bytes)?;
        let plaintext = Some(Base64::text(&made.plaintext));
        Ok(Outcome { plaintext, ciphertext: Some(made.ciphertext), ..Outcome::default() })
    };
    asked!(app, caller, name, why).each("datakey", calls, one).await
}

/// Sign
///
/// One message, or up to 1,000 as `{"batch": […]}`.
#[utoipa::path(
    post, path = "/v1/ark/sign/{name}", tag = "ark", request_body = Message,
    params(("name" = String, Path, example = "gateway"), Why), responses((status = OK, body = Outcome))
)]
pub(crate) async fn sign(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<String>,
    Query(why): Query<Why>,
    calls: Calls<Message>,
) -> Answer {
    let one = |service: &KeyService, by: &By<'_>, name: &str, item: &Message| {
        let signature = Some(service.sign(by, name, item.message.bounded()?)?);
        Ok(Outcome { signature, ..Outcome::default() })
    };
    asked!(app, caller, name, why).each("sign", calls, one).await
}

/// Verify a signature
///
/// One, or up to 1,000 as `{"batch": […]}`. With an approval, compromised versions verify too, in this call.
#[utoipa::path(
    post, path = "/v1/ark/verify/{name}", tag = "ark", request_body = Signed,
    params(("name" = String, Path, example = "gateway"), Why), responses((status = OK, body = Outcome))
)]
pub(crate) async fn verify(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<String>,
    Query(why): Query<Why>,
    calls: Calls<Signed>,
) -> Answer {
    let one = |service: &KeyService, by: &By<'_>, name: &str, item: &Signed| {
        verified(service.verify(by, name, item.message.bounded()?, bounded(&item.signature)?))
    };
    asked!(app, caller, name, why).each("verify", calls, one).await
}

/// Make a tag
///
/// HMAC-SM3 or CMAC, by the key's kind. One message, or up to 1,000 as `{"batch": […]}`.
#[utoipa::path(
    post, path = "/v1/ark/hmac/{name}", tag = "ark", request_body = Message,
    params(("name" = String, Path, example = "notices"), Why), responses((status = OK, body = Outcome))
)]
pub(crate) async fn hmac(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<String>,
    Query(why): Query<Why>,
    calls: Calls<Message>,
) -> Answer {
    let one = |service: &KeyService, by: &By<'_>, name: &str, item: &Message| {
        Ok(Outcome { tag: Some(service.hmac(by, name, item.message.bounded()?)?), ..Outcome::default() })
    };
    asked!(app, caller, name, why).each("hmac", calls, one).await
}

/// Verify a tag
///
/// One, or up to 1,000 as `{"batch": […]}`. With an approval, compromised versions verify too, in this call.
#[utoipa::path(
    post, path = "/v1/ark/verify-hmac/{name}", tag = "ark", request_body = Tagged,
    params(("name" = String, Path, example = "notices"), Why), responses((status = OK, body = Outcome))
)]
pub(crate) async fn verify_hmac(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<String>,
    Query(why): Query<Why>,
    calls: Calls<Tagged>,
) -> Answer {
    let one = |service: &KeyService, by: &By<'_>, name: &str, item: &Tagged| {
        verified(service.verify_hmac(by, name, item.message.bounded()?, bounded(&item.tag)?))
    };
    asked!(app, caller, name, why).each("verify-hmac", calls, one).await
}

/// Random bytes
#[utoipa::path(
    post, path = "/v1/ark/random", tag = "ark", request_body = RandomWanted, params(Why),
    responses((status = OK, body = Outcome))
)]
pub(crate) async fn random(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    Body(wanted): Body<RandomWanted>,
) -> Answer {
    let work = move |service: &KeyService, by: &By<'_>| {
        service.check_policy(by, "", "random")?;
        let random = Some(Base64::text(&service.random(by, wanted.bytes)?));
        Ok(Outcome { random, ..Outcome::default() })
    };
    with(&app, &caller, &why, work).await.map(Json)
}
