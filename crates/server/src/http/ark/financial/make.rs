//! How keys of terminals and zones come: at random, of components, under a master key, from a factor.

use ark::KeyService;
use ark::keys::{Birth, By, Error, Formed, KeyAt, Role};
use ark::provider::{KeyKind, PublicKey};
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Answer, Asked, FinancialOutcome, text};
use crate::http::ark::body::{Base64, Calls};
use crate::http::ark::keys::{ArkKeyView, MAKERS, NewKey};
use crate::http::ark::{App, Caller, Why};
use crate::http::error::ApiError;
use crate::http::extract::{Id, Query};

/// A key to be made at random.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Generate {
    /// As it shall be here.
    key: NewKey,
    /// It is the next version of the key of this name, kind and purpose.
    #[serde(default)]
    next_version: bool,
}

/// A terminal's master key to be made for its public key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GenerateFor {
    /// As it shall be here: exportable.
    key: NewKey,
    /// It is the next version of the key of this name, kind and purpose.
    #[serde(default)]
    next_version: bool,
    /// The terminal's public key of SM2: `04 ‖ x ‖ y`, 65 bytes in base64.
    to: Base64,
}

/// A key to be formed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Form {
    /// As it shall be here.
    key: NewKey,
    /// It is the next version of the key of this name, kind and purpose.
    #[serde(default)]
    next_version: bool,
    /// Of how many components: two to nine.
    #[schema(example = 3)]
    components: usize,
}

/// A custodian's part of a key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Component {
    /// In base64.
    component: Base64,
}

/// A key that comes under a master key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FinancialImport {
    /// As it shall be here.
    key: NewKey,
    /// It is the next version of the key of this name, kind and purpose.
    #[serde(default)]
    next_version: bool,
    /// Encrypted block by block, in base64.
    encrypted: Base64,
    /// The start of its check value, 3 to 8 bytes in hexadecimal.
    #[schema(example = "ad67e3b4")]
    check_value: String,
    /// The master key of the same side.
    #[schema(example = "t1/tmk")]
    under: String,
}

/// A key to be derived.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Derive {
    /// As it shall be here; of the kind of the key that it comes from.
    key: NewKey,
    /// It is the next version of the key of this name, kind and purpose.
    #[serde(default)]
    next_version: bool,
    /// The key that derives, of the same side.
    from: String,
    /// Which version of it; the current one unless said.
    from_version: Option<u32>,
    /// Eight bytes, in base64.
    factor: Base64,
}

const fn birth(next_version: bool) -> Birth {
    if next_version { Birth::Version } else { Birth::Key }
}

/// New keys that cannot be are refused as a malformed body is, all of it.
fn checked<'a, I: 'a>(calls: &'a Calls<I>, key: impl Fn(&'a I) -> &'a NewKey) -> Result<(), ApiError> {
    match calls {
        Calls::One(item) => key(item).spec().map(drop),
        Calls::Many(items) => items.iter().try_for_each(|item| key(item).spec().map(drop)),
    }
}

fn made(info: ark::keys::Info) -> FinancialOutcome {
    FinancialOutcome { key: Some(ArkKeyView::of(info)), ..FinancialOutcome::default() }
}

fn formed(formed: Formed) -> FinancialOutcome {
    let Formed { found, wanted, key } = formed;
    FinancialOutcome {
        found: Some(found),
        wanted: Some(wanted),
        key: key.map(ArkKeyView::of),
        ..FinancialOutcome::default()
    }
}

/// It was checked.
fn spec(key: &NewKey) -> Result<ark::keys::Spec<'_>, Error> {
    key.spec().map_err(|_| Error::Name(String::new()))
}

/// Make a key of a terminal or zone at random
///
/// One, or up to 1,000 as `{"batch": […]}`.
#[utoipa::path(
    post, path = "/v1/ark/financial/generate", tag = "ark_financial", request_body = Generate, params(Why),
    responses((status = OK, body = FinancialOutcome))
)]
pub(crate) async fn generate(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    calls: Calls<Generate>,
) -> Answer {
    checked(&calls, |item| &item.key)?;
    let one = |service: &KeyService, by: &By<'_>, item: &Generate| {
        service.check_role(by, MAKERS, item.key.name(), "create")?;
        service.generate_terminal_key(by, &spec(&item.key)?, birth(item.next_version)).map(made)
    };
    Asked { app, caller, why }.each(calls, one).await
}

/// Make a terminal's master key at random and give it out by SM2
///
/// It leaves at its birth, for whoever has the private key of `to`: no key that is in use leaves so, which takes one person and
/// the policy `terminal-issue` for its name. Who asks again gets another key. One, or up to 1,000 as `{"batch": […]}`.
#[utoipa::path(
    post, path = "/v1/ark/financial/generate-for", tag = "ark_financial", request_body = GenerateFor, params(Why),
    responses((status = OK, body = FinancialOutcome))
)]
pub(crate) async fn generate_for(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    calls: Calls<GenerateFor>,
) -> Answer {
    checked(&calls, |item| &item.key)?;
    let one = |service: &KeyService, by: &By<'_>, item: &GenerateFor| {
        service.check_role(by, MAKERS, item.key.name(), "terminal-issue")?;
        service.check_policy(by, item.key.name(), "terminal-issue")?;
        let to = PublicKey { kind: KeyKind::Sm2, bytes: item.to.bounded()?.to_vec() };
        let born = birth(item.next_version);
        let (info, out) = service.generate_terminal_key_for(by, &spec(&item.key)?, born, &to)?;
        let check_value = Some(hex::encode(out.check_value));
        Ok(FinancialOutcome { encrypted: text(&out.encrypted), check_value, ..made(info) })
    };
    Asked { app, caller, why }.each(calls, one).await
}

/// Begin to form a key of components
///
/// Custodians then bring them, each by a request of their own, within the hour.
#[utoipa::path(
    post, path = "/v1/ark/financial/form", tag = "ark_financial", request_body = Form, params(Why),
    responses((status = OK, body = FinancialOutcome))
)]
pub(crate) async fn form(State(app): State<App>, caller: Caller, Query(why): Query<Why>, calls: Calls<Form>) -> Answer {
    checked(&calls, |item| &item.key)?;
    let one = |service: &KeyService, by: &By<'_>, item: &Form| {
        service.check_role(by, MAKERS, item.key.name(), "terminal-begin")?;
        service.begin_terminal_key(by, &spec(&item.key)?, birth(item.next_version), item.components).map(formed)
    };
    Asked { app, caller, why }.each(calls, one).await
}

/// Bring a component
///
/// By a custodian who brought none of this key. With the last one the key is there; its check value proves it.
#[utoipa::path(
    post, path = "/v1/ark/financial/component/{name}", tag = "ark_financial", request_body = Component,
    params(("name" = String, Path, example = "t1/tmk"), Why), responses((status = OK, body = FinancialOutcome))
)]
pub(crate) async fn component(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<String>,
    Query(why): Query<Why>,
    calls: Calls<Component>,
) -> Answer {
    let one = move |service: &KeyService, by: &By<'_>, item: &Component| {
        service.check_role(by, &[Role::Custodian], &name, "terminal-component")?;
        service.bring_component(by, &name, item.component.bounded()?).map(formed)
    };
    Asked { app, caller, why }.each(calls, one).await
}

/// Take in a key under a master key
///
/// As a sign-in answer brings it. Takes the policy `terminal-import` for the master key. One, or up to 1,000 as
/// `{"batch": […]}`. Whatever is wrong with key or check value is `decryption_failed`.
#[utoipa::path(
    post, path = "/v1/ark/financial/import", tag = "ark_financial", request_body = FinancialImport, params(Why),
    responses((status = OK, body = FinancialOutcome))
)]
pub(crate) async fn import(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    calls: Calls<FinancialImport>,
) -> Answer {
    checked(&calls, |item| &item.key)?;
    let one = |service: &KeyService, by: &By<'_>, item: &FinancialImport| {
        service.check_role(by, MAKERS, item.key.name(), "terminal-import")?;
        service.check_policy(by, &item.under, "terminal-import")?;
        // What is no hexadecimal text is no check value.
        let check = hex::decode(&item.check_value).unwrap_or_default();
        let brought = (item.encrypted.bounded()?, check.as_slice());
        service.import_terminal_key(by, &spec(&item.key)?, birth(item.next_version), brought, &item.under).map(made)
    };
    Asked { app, caller, why }.each(calls, one).await
}

/// Derive a key from a factor
///
/// Takes the policy `terminal-derive` for the key that derives. One, or up to 1,000 as `{"batch": […]}`.
#[utoipa::path(
    post, path = "/v1/ark/financial/derive", tag = "ark_financial", request_body = Derive, params(Why),
    responses((status = OK, body = FinancialOutcome))
)]
pub(crate) async fn derive(
    State(app): State<App>,
    caller: Caller,
    Query(why): Query<Why>,
    calls: Calls<Derive>,
) -> Answer {
    checked(&calls, |item| &item.key)?;
    let one = |service: &KeyService, by: &By<'_>, item: &Derive| {
        service.check_role(by, MAKERS, item.key.name(), "terminal-derive")?;
        service.check_policy(by, &item.from, "terminal-derive")?;
        let factor = item.factor.0.as_slice();
        let needed = "a factor has eight bytes";
        let length = ark::provider::KeyError::Length { what: "factor", found: factor.len(), needed };
        let factor: &[u8; 8] = factor.try_into().map_err(|_| Error::Provider(length))?;
        let from = KeyAt { name: &item.from, version: item.from_version };
        service.derive_terminal_key(by, &spec(&item.key)?, birth(item.next_version), from, factor).map(made)
    };
    Asked { app, caller, why }.each(calls, one).await
}
