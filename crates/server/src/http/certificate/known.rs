//! Which key verifies: looked up in the state once, then kept until something is revoked.
//!
//! ```text
//!  (merchant, serial) ─► kept ──────────────────────────────────────► its time ─► the arithmetic, with tables of known keys
//!         └ not kept ─► the state, behind its gate ─► kept, unless something was revoked meanwhile
//! ```
//! Invariant: once a revocation was answered, nothing that was read before it verifies a request.

use std::sync::Arc;

use ark::provider::{Check, KeyError, PublicKey};
use ark::signing::{Authorization, Request as Signed, SigningError};
use ark::{Provider as _, Soft};
use domain::certificate::Certificate;
use domain::envelope::Time;
use domain::ids::MerchantId;

use super::super::App;
use super::super::error::ApiError;
use super::super::kept::Kept;
use super::scheme_of;
use crate::shell::clock::wall_ms;

/// The most certificates that are kept; past it all are asked for anew.
const KEPT: usize = 10_000;

/// Certificates that signed of late, and the arithmetic of their keys.
pub(crate) struct Certificates {
    soft: Soft,
    /// By merchant and serial number, until something is revoked.
    kept: Kept<(MerchantId, String), Arc<Certificate>>,
}

impl Certificates {
    /// None yet.
    ///
    /// # Errors
    /// [`KeyError::SelfTest`] if a known answer did not come out.
    pub(crate) fn new() -> Result<Self, KeyError> {
        Ok(Self { soft: Soft::new()?, kept: Kept::new(KEPT) })
    }

    /// Asks for everything anew: something was revoked.
    pub(super) fn forget(&self) {
        self.kept.forget();
    }

    /// Whether these bytes are a key.
    pub(super) fn is_key(&self, public: &PublicKey) -> bool {
        let Some(scheme) = super::pem::signing_of(public.kind) else { return false };
        // A key that is none is refused before the signature is looked at.
        let check = Check { public, scheme, message: b"", signature: b"" };
        !matches!(self.soft.verify(&check), Err(KeyError::PublicKey { .. } | KeyError::WrongKind { .. }))
    }
}

/// The public key of a certificate.
pub(super) fn public_key(certificate: &Certificate) -> PublicKey {
    PublicKey { kind: scheme_of(certificate.algorithm).kind(), bytes: certificate.public_key.clone() }
}

impl App {
    /// Verifies a request that a merchant's pair signed.
    ///
    /// # Errors
    /// `signature_malformed` for an id that is no merchant's, `signature_key_unknown` for a serial number under which nothing signs
    /// now, `signature_mismatch`.
    pub(crate) async fn verify_by_certificate(
        &self,
        authorization: &Authorization,
        signed: &Signed<'_>,
    ) -> Result<(), ApiError> {
        let refused = |error: SigningError| ApiError::new(error.code(), Some(error.parameter()), error.to_string());
        let merchant: MerchantId = authorization.merchant().parse().map_err(|_| {
            let message =
                "certificates are merchants': programs and operators of the institution sign with LINTEL-HMAC-SM3";
            ApiError::new("signature_malformed", Some("mch_id"), message)
        })?;
        let certificate = self.certificate(merchant, authorization.serial()).await?;
        if scheme_of(certificate.algorithm) != authorization.scheme() {
            return Err(refused(SigningError::OtherScheme));
        }
        let public = public_key(&certificate);
        authorization.verify_by(&self.callers.certificates.soft, &public, signed).map_err(refused)
    }

    /// The certificate that signs for a merchant now under a serial number.
    async fn certificate(&self, merchant: MerchantId, serial: &str) -> Result<Arc<Certificate>, ApiError> {
        let key = (merchant, serial.to_owned());
        let (kept, epoch) = self.callers.certificates.kept.find(&key);
        let certificate = match kept {
            Some(certificate) => Some(certificate),
            None => {
                let (_, wanted) = key.clone();
                let found = self.see(move |state| state.certificate_of(merchant, &wanted).ok().cloned()).await?.0;
                found.map(Arc::new).inspect(|found| self.callers.certificates.kept.keep(epoch, key, Arc::clone(found)))
            }
        };
        let signs = |certificate: &Arc<Certificate>| certificate.status(Time(wall_ms())) == "valid";
        certificate.filter(signs).ok_or_else(|| {
            let message = format!(
                "{merchant} has no certificate {serial} that signs now: register it, or sign with one that is valid and not revoked"
            );
            ApiError::new("signature_key_unknown", Some("serial_no"), message)
        })
    }
}
