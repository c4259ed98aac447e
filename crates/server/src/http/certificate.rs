//! Merchants' API certificates (商户API证书): the public keys by which the gateway knows a merchant's signature, and the
//! platform's own.
//!
//! A merchant registers its next certificate itself, signed by a key that it has; the institution's programs register its
//! first one. Whoever may register may revoke, and so may one of risk control, at once: a lost key must not wait for two people.

mod known;
mod pem;
pub(super) mod platform_key;

pub(crate) use self::known::Certificates;
pub(crate) use self::pem::of_key as public_pem;
pub(crate) use self::platform_key::{AnswerKey, SM2_SERIAL, platform_signature, signed};

use axum::extract::State;
use domain::certificate::{Certificate, CertificateAlgorithm, CertificateCommand, RegisterCertificate};
use domain::envelope::Time;
use domain::ids::{CertificateId, MerchantId};
use domain::operator::Role;
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::pem::Read;
use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{parse_some, time, time_text};
use crate::shell::clock::wall_ms;

/// How long a bare key signs unless said: two years.
const BARE_KEY_MS: i64 = 2 * 365 * 86_400_000;

/// A merchant's certificate or bare public key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCertificate {
    /// PEM: `BEGIN CERTIFICATE` (X.509, whoever issued it: being registered is what makes it trusted) or `BEGIN PUBLIC KEY`.
    /// SM2, or RSA of 2,048 bits with the exponent 65,537.
    #[schema(example = "-----BEGIN PUBLIC KEY-----\n…\n-----END PUBLIC KEY-----\n")]
    certificate: String,
    /// By what `Authorization` will name it, 1 to 64 letters, digits, `_` or `-`; the certificate's own serial number in
    /// hexadecimal unless said, or for a bare key the first 16 digits of the SM3 of its PEM's bytes.
    #[schema(example = "7A10F3C2")]
    serial_no: Option<String>,
    /// When a bare key begins to sign; now unless said. A certificate says it itself.
    #[schema(example = "2026-12-01T00:00:00+08:00")]
    not_before: Option<String>,
    /// When a bare key ends; two years later unless said.
    #[schema(example = "2028-12-01T00:00:00+08:00")]
    not_after: Option<String>,
}

/// Why a certificate is revoked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevocationBody {
    /// Why, 1 to 128 bytes.
    #[schema(example = "rotated")]
    reason: String,
}

/// How a certificate was revoked.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RevocationView {
    reason: String,
    at: String,
    by: String,
}

/// A public key that signs for a merchant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CertificateView {
    #[schema(example = "crt_2")]
    id: String,
    #[schema(example = "mch_3")]
    merchant: String,
    /// What `Authorization` names it by.
    #[schema(example = "7A10F3C2")]
    serial_no: String,
    /// `sm2_with_sm3` or `sha256_rsa2048`.
    #[schema(example = "sm2_with_sm3")]
    algorithm: &'static str,
    /// In PEM.
    public_key: String,
    /// The certificate's common name; empty of a bare key.
    subject: String,
    not_before: String,
    not_after: String,
    /// `not_yet_valid`, `valid`, `expired` or `revoked`, by the wall clock.
    #[schema(example = "valid")]
    status: &'static str,
    registered_at: String,
    registered_by: String,
    revoked: Option<RevocationView>,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

impl CertificateView {
    fn of(certificate: &Certificate) -> Self {
        Self {
            id: certificate.id.to_string(),
            merchant: certificate.merchant.to_string(),
            serial_no: certificate.serial.clone(),
            algorithm: certificate.algorithm.name(),
            public_key: pem::of_key(&known::public_key(certificate)),
            subject: certificate.subject.clone(),
            not_before: time_text(certificate.not_before),
            not_after: time_text(certificate.not_after),
            status: certificate.status(Time(wall_ms())),
            registered_at: time_text(certificate.registered_at),
            registered_by: certificate.registered_by.clone(),
            revoked: certificate.revoked.as_ref().map(|revoked| RevocationView {
                reason: revoked.reason.clone(),
                at: time_text(revoked.at),
                by: revoked.by.clone(),
            }),
            allowed_actions: certificate.allowed_actions().to_vec(),
        }
    }
}

impl NewCertificate {
    fn command(self, app: &App, merchant: MerchantId) -> Result<RegisterCertificate, ApiError> {
        let wall = Time(wall_ms());
        let Read { algorithm, key, serial, subject, validity } = pem::read(&self.certificate)?;
        if !app.callers.certificates.is_key(&key) {
            return Err(ApiError::malformed("certificate", "its public key is no point of the curve, or no RSA key"));
        }
        let (not_before, not_after) = match validity {
            Some(_) if self.not_before.is_some() || self.not_after.is_some() => {
                let message = "a certificate says itself when it is valid; send this with a bare key only";
                return Err(ApiError::malformed("not_before", message));
            }
            Some(validity) => validity,
            None => {
                let not_before = self.not_before.map_or(Ok(wall), |text| time(&text, "not_before"))?;
                let end = || Time(not_before.0.saturating_add(BARE_KEY_MS));
                (not_before, self.not_after.map_or_else(|| Ok(end()), |text| time(&text, "not_after"))?)
            }
        };
        let (serial, public_key) = (self.serial_no.unwrap_or(serial), key.bytes);
        Ok(RegisterCertificate { merchant, serial, algorithm, public_key, subject, not_before, not_after, wall })
    }
}

/// Register a merchant's certificate
///
/// The next one beside the present one: both sign until one is revoked or its time is over.
#[utoipa::path(
    post, path = "/v1/merchants/{id}/certificates", tag = "certificate",
    params(("id" = String, Path, example = "mch_3")), responses((status = OK, body = CertificateView))
)]
pub(crate) async fn register(
    State(app): State<App>,
    caller: Caller,
    Id(merchant): Id<MerchantId>,
    Json(new): Json<NewCertificate>,
) -> Answered<CertificateView> {
    caller.merchant_or_operator(merchant)?;
    let command = new.command(&app, merchant)?;
    platform_key::ensure(&app, command.algorithm).await?;
    change(&app, &caller, CertificateCommand::Register(command)).await
}

/// Revoke a certificate
///
/// At once and for ever: its serial number and its key are never taken again.
#[utoipa::path(
    post, path = "/v1/certificates/{id}/revoke", tag = "certificate", params(("id" = String, Path, example = "crt_2")),
    responses((status = OK, body = CertificateView))
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Id(certificate): Id<CertificateId>,
    Json(body): Json<RevocationBody>,
) -> Answered<CertificateView> {
    if caller.merchant.is_none() {
        caller.operator_with(&[Role::Risk])?;
    }
    let owner = app.look(move |state| state.certificate(certificate).map(|found| found.merchant)).await?.view;
    caller.merchant_or_operator(owner)?;
    let command = CertificateCommand::Revoke { certificate, reason: body.reason, wall: Time(wall_ms()) };
    let revoked = change(&app, &caller, command).await;
    // Whatever came of it: what may have been revoked is asked for anew.
    app.callers.certificates.forget();
    revoked
}

async fn change(app: &App, caller: &Caller, command: CertificateCommand) -> Answered<CertificateView> {
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Certificate(id) = reply else { return None };
        state.certificate(*id).ok().map(CertificateView::of)
    };
    app.change(caller.meta()?, Command::Certificate(command), view).await
}

/// Look at a certificate
#[utoipa::path(
    get, path = "/v1/certificates/{id}", tag = "certificate", params(("id" = String, Path, example = "crt_2")),
    responses((status = OK, body = CertificateView))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<CertificateId>,
) -> Answered<CertificateView> {
    let answer =
        app.look(move |state| state.certificate(id).map(|found| (found.merchant, CertificateView::of(found)))).await?;
    caller.merchant_or_operator(answer.view.0)?;
    Ok(answer.map(|(_, view)| view))
}

list_query! {
    /// Which certificates.
    pub(crate) struct CertificateQuery {
        /// Of this merchant; a merchant sees its own.
        merchant,
        /// `true` for those that were revoked, `false` for the others.
        revoked,
    }
}

/// List certificates
#[utoipa::path(
    get, path = "/v1/certificates", tag = "certificate", params(CertificateQuery),
    responses((status = OK, body = PageView<CertificateView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<CertificateQuery>,
) -> ListAnswer<CertificateView> {
    let asked = parse_some(query.merchant.as_deref(), "merchant")?;
    if let Some(merchant) = asked {
        caller.merchant_or_operator(merchant)?;
    }
    let (page, revoked) = (query.page(), parse_some(query.revoked.as_deref(), "revoked")?);
    let filter = store::certificate::CertificateFilter { merchant: asked.or(caller.merchant), revoked };
    app.list(filter, page, |_, certificate| CertificateView::of(certificate)).await
}

/// The algorithms by the names of schemes.
pub(crate) const fn scheme_of(algorithm: CertificateAlgorithm) -> ::ark::signing::Scheme {
    match algorithm {
        CertificateAlgorithm::Sm2WithSm3 => ::ark::signing::Scheme::Sm2WithSm3,
        CertificateAlgorithm::Sha256Rsa2048 => ::ark::signing::Scheme::Sha256Rsa2048,
    }
}
