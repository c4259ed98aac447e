//! Merchants' API certificates (商户API证书): the public keys by which the gateway knows a merchant's signature.
//!
//! ```text
//!  register ─► NOT YET VALID ─ its time comes ─► VALID ─ its time is over ─► EXPIRED
//!                   └───────────── revoke ────────┴─► REVOKED
//! ```
//! A certificate is rotated by overlap: the new one is registered beside the old one, both sign until the old one is revoked
//! or expires. Which key signs a request is named by the merchant and a serial number, unique within the merchant for ever,
//! so that a revoked one never comes back under another key. A key belongs to one merchant: registered by another it would
//! sign for both. The private half is never here. Whether a certificate signs is decided against the wall clock, as the
//! signature's own time is, and not against the books' clock.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{CertificateId, MerchantId};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

#[cfg(test)]
mod tests;

/// The most certificates of a merchant that were not revoked: two of each algorithm and room for a rotation.
pub const MAX_LIVE: usize = 8;
/// The most bytes of a serial number, as headers take them.
const MAX_SERIAL: usize = 64;
/// The most bytes of a name or a reason.
const MAX_TEXT: usize = 128;
/// The most bytes of a public key: RSA of 2,048 bits in DER takes 294.
const MAX_KEY: usize = 512;

/// What a certificate's key signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum CertificateAlgorithm {
    /// SM2 with SM3.
    #[n(0)]
    Sm2WithSm3,
    /// RSA of 2,048 bits with SHA-256.
    #[n(1)]
    Sha256Rsa2048,
}

impl CertificateAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 2] = [Self::Sm2WithSm3, Self::Sha256Rsa2048];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sm2WithSm3 => "sm2_with_sm3",
            Self::Sha256Rsa2048 => "sha256_rsa2048",
        }
    }
}

/// How a certificate was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Revocation {
    /// Why.
    #[n(0)]
    pub reason: String,
    /// When.
    #[n(1)]
    pub at: Time,
    /// Who revoked it.
    #[n(2)]
    pub by: String,
}

/// A public key that signs for a merchant.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Certificate {
    /// Its id.
    #[n(0)]
    pub id: CertificateId,
    /// Whose it is.
    #[n(1)]
    pub merchant: MerchantId,
    /// By what headers name it: letters, digits, `_` and `-`.
    #[n(2)]
    pub serial: String,
    /// What it signs with.
    #[n(3)]
    pub algorithm: CertificateAlgorithm,
    /// SM2: the point `04 ‖ x ‖ y`. RSA: `SubjectPublicKeyInfo` in DER. Checked before it came here.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub public_key: Vec<u8>,
    /// The common name of an X.509 certificate; empty of a bare key.
    #[n(5)]
    pub subject: String,
    /// When it begins to sign.
    #[n(6)]
    pub not_before: Time,
    /// When it ends.
    #[n(7)]
    pub not_after: Time,
    /// When it was registered.
    #[n(8)]
    pub registered_at: Time,
    /// Who registered it.
    #[n(9)]
    pub registered_by: String,
    /// How it was revoked.
    #[n(10)]
    pub revoked: Option<Revocation>,
}

impl Certificate {
    /// Where it stands at `now`: `not_yet_valid`, `valid`, `expired` or `revoked`.
    #[must_use]
    pub fn status(&self, now: Time) -> &'static str {
        match self.revoked {
            Some(_) => "revoked",
            None if now < self.not_before => "not_yet_valid",
            None if now < self.not_after => "valid",
            None => "expired",
        }
    }

    /// What may be done with it.
    #[must_use]
    pub const fn allowed_actions(&self) -> &'static [&'static str] {
        match self.revoked {
            None => &["revoke"],
            Some(_) => &[],
        }
    }
}

/// Registers a public key of a merchant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterCertificate {
    /// Whose it is.
    pub merchant: MerchantId,
    /// By what headers will name it.
    pub serial: String,
    /// What it signs with.
    pub algorithm: CertificateAlgorithm,
    /// As [`Certificate::public_key`].
    pub public_key: Vec<u8>,
    /// The common name, or empty.
    pub subject: String,
    /// When it begins to sign.
    pub not_before: Time,
    /// When it ends: after it begins.
    pub not_after: Time,
    /// The wall clock's time: what has ended by then is refused.
    pub wall: Time,
}

/// What is wanted of certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateCommand {
    /// Register one.
    Register(RegisterCertificate),
    /// Revoke one, at once and for ever.
    Revoke {
        /// Which one.
        certificate: CertificateId,
        /// Why.
        reason: String,
        /// The wall clock's time.
        wall: Time,
    },
}

/// What happened to certificates.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum CertificateEvent {
    /// One was registered.
    #[n(0)]
    Registered(#[n(0)] Certificate),
    /// One was revoked.
    #[n(1)]
    Revoked {
        /// Which one.
        #[n(0)]
        certificate: CertificateId,
        /// How.
        #[n(1)]
        revocation: Revocation,
    },
}

/// Changes a merchant's certificates.
///
/// # Errors
/// Register: `merchant_unknown`, `value_invalid`, `certificate_exists` for a serial number of the merchant's or a key of
/// anyone's, `certificates_too_many`. Revoke: `certificate_unknown`, `certificate_state`, `value_invalid` for the reason.
pub fn decide(draft: &mut Draft<'_>, command: CertificateCommand) -> Result<Reply, Refusal> {
    match command {
        CertificateCommand::Register(command) => register(draft, command),
        CertificateCommand::Revoke { certificate, reason, wall } => revoke(draft, certificate, reason, wall),
    }
}

fn register(draft: &mut Draft<'_>, command: RegisterCertificate) -> Result<Reply, Refusal> {
    let RegisterCertificate { merchant, serial, algorithm, public_key, subject, not_before, not_after, wall } = command;
    draft.state.merchant(merchant)?;
    serial_fits(&serial)?;
    if subject.len() > MAX_TEXT {
        return Err(invalid("certificate", format!("its common name has {} bytes; use {MAX_TEXT}", subject.len())));
    }
    if public_key.is_empty() || public_key.len() > MAX_KEY {
        return Err(invalid("certificate", format!("its key has {} bytes; use 1 to {MAX_KEY}", public_key.len())));
    }
    if not_after <= not_before || not_after <= wall {
        let message = "its time is over, or ends before it begins; register one that will be valid";
        return Err(invalid("certificate", String::from(message)));
    }
    if draft.state.certificate_of(merchant, &serial).is_ok() {
        let message = format!("{merchant} has a certificate {serial}, valid or not; take another serial number");
        return Err(Refusal::new(RefusalCode::CertificateExists, "serial_no", message));
    }
    if draft.state.certificate_keys.get(&public_key).is_some() {
        let message = "this key is registered already; a key signs for one merchant under one serial number";
        return Err(Refusal::new(RefusalCode::CertificateExists, "certificate", message));
    }
    let live = draft.state.certificates_of(merchant).filter(|certificate| certificate.revoked.is_none()).count();
    if live >= MAX_LIVE {
        let message = format!("{merchant} has {live} that were not revoked, and may have {MAX_LIVE}; revoke one first");
        return Err(Refusal::new(RefusalCode::CertificatesTooMany, "certificate", message));
    }
    let id = CertificateId(draft.state.certificates.next_id());
    let (registered_at, registered_by) = (wall, draft.operator());
    draft.emit(Event::Certificate(CertificateEvent::Registered(Certificate {
        id,
        merchant,
        serial,
        algorithm,
        public_key,
        subject,
        not_before,
        not_after,
        registered_at,
        registered_by,
        revoked: None,
    })));
    Ok(Reply::Certificate(id))
}

fn revoke(draft: &mut Draft<'_>, certificate: CertificateId, reason: String, wall: Time) -> Result<Reply, Refusal> {
    if draft.state.certificate(certificate)?.revoked.is_some() {
        let message = format!("{certificate} is revoked already");
        return Err(Refusal::new(RefusalCode::CertificateState, "certificate", message));
    }
    if reason.trim().is_empty() || reason.len() > MAX_TEXT {
        let message = format!("it has {} bytes; use 1 to {MAX_TEXT}, not only blanks", reason.len());
        return Err(invalid("reason", message));
    }
    let revocation = Revocation { reason, at: wall, by: draft.operator() };
    draft.emit(Event::Certificate(CertificateEvent::Revoked { certificate, revocation }));
    Ok(Reply::Certificate(certificate))
}

fn serial_fits(serial: &str) -> Result<(), Refusal> {
    let plain = serial.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if plain && (1..=MAX_SERIAL).contains(&serial.len()) {
        return Ok(());
    }
    Err(invalid("serial_no", format!("'{serial:.64}' is not 1 to {MAX_SERIAL} letters, digits, `_` or `-`")))
}

fn invalid(param: &'static str, message: String) -> Refusal {
    Refusal::new(RefusalCode::ValueInvalid, param, message)
}

impl State {
    /// The certificate of this id.
    ///
    /// # Errors
    /// `certificate_unknown`.
    pub fn certificate(&self, id: CertificateId) -> Result<&Certificate, Refusal> {
        let unknown =
            || Refusal::new(RefusalCode::CertificateUnknown, "certificate", format!("there is no certificate {id}"));
        self.certificates.get(id.0).ok_or_else(unknown)
    }

    /// The certificate of this merchant with this serial number, valid or not.
    ///
    /// # Errors
    /// `certificate_unknown`.
    pub fn certificate_of(&self, merchant: MerchantId, serial: &str) -> Result<&Certificate, Refusal> {
        let found = self.certificates_of(merchant).find(|certificate| certificate.serial == serial);
        found.ok_or_else(|| {
            let message = format!("{merchant} has no certificate with the serial number '{serial:.64}'");
            Refusal::new(RefusalCode::CertificateUnknown, "serial_no", message)
        })
    }

    /// Every certificate that this merchant ever had, the oldest first.
    pub fn certificates_of(&self, merchant: MerchantId) -> impl Iterator<Item = &Certificate> {
        let all = (merchant, CertificateId(0))..=(merchant, CertificateId(u64::MAX));
        self.merchant_certificates.range(all).filter_map(|((_, id), ())| self.certificates.get(id.0))
    }
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &CertificateEvent) {
    match event {
        CertificateEvent::Registered(certificate) => {
            state.merchant_certificates.insert((certificate.merchant, certificate.id), ());
            state.certificate_keys.insert(certificate.public_key.clone(), certificate.id);
            state.certificates.insert(certificate.id.0, certificate.clone());
        }
        CertificateEvent::Revoked { certificate, revocation } => {
            let row = state.certificates.get_mut(certificate.0).expect("decide checked the certificate");
            row.revoked = Some(revocation.clone());
        }
    }
}
