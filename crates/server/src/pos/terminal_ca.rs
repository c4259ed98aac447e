//! Whose a terminal's public key is: the certificate that its maker gave it says so, up to a CA of the settings
//! (`pos.terminal_ca`).
//!
//! ```text
//!  the terminal: its serial, an SM2 key for encryption ◄─ signed by ─ a CA between, if any ◄─ signed by ─ one of pos.terminal_ca
//! ```
//! Invariants: every signature of the chain is SM2 with SM3 (GB/T 32918.2, the usual id) and was verified; every certificate of
//! it is of now; who signs is a CA that may; what a certificate says is critical is known or the certificate is refused. Lists of
//! revoked certificates are not read: a CA is taken back by its file.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use ark::provider::{Check, KeyError, KeyKind, PublicKey, Signing};
use ark::{Provider as _, Soft};
use domain::envelope::Time;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_cert::Certificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode as _, Encode as _, Reader as _, SliceReader};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::name::Name;
use x509_cert::spki::SubjectPublicKeyInfoRef;

use crate::tls;

/// `id-ecPublicKey` (RFC 5480), and the curve of SM2 (GM/T 0006).
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SM2_CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.301");
/// A signature of SM2 with SM3 (GM/T 0006).
const SM2_WITH_SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.501");
/// What a certificate may say is critical: `basicConstraints` and `keyUsage` (RFC 5280).
const KNOWN: [ObjectIdentifier; 2] =
    [ObjectIdentifier::new_unwrap("2.5.29.19"), ObjectIdentifier::new_unwrap("2.5.29.15")];
/// `serialNumber` of a name (X.520).
const SERIAL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.5");
/// The most certificates of a chain, and the longest text of one.
const CHAIN_MAX: usize = 4;
const TEXT_MAX: usize = 64 << 10;

/// Why a certificate does not say whose the key is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// It does not read.
    #[error("{0}")]
    Malformed(String),
    /// It reads, and proves nothing.
    #[error("{0}")]
    Untrusted(String),
}

fn untrusted(message: impl Into<String>) -> Refused {
    Refused::Untrusted(message.into())
}

/// CAs of terminals' makers.
pub(crate) struct TerminalCa {
    roots: Vec<Signed>,
    soft: Soft,
}

/// A certificate, what its signature is over, and its key.
#[derive(PartialEq, Eq)]
struct Signed {
    certificate: Certificate,
    body: Vec<u8>,
    point: Vec<u8>,
}

impl TerminalCa {
    /// The CAs of a file in PEM.
    ///
    /// # Errors
    /// A file that does not read, or holds something else than certificates of CAs with keys of SM2.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let reading = || format!("reading the CAs of terminals (pos.terminal_ca) from {}", path.display());
        let text = std::fs::read(path).with_context(reading)?;
        let roots = read_all(&text).and_then(|roots| {
            roots.iter().try_for_each(|root| root.require_signer(0))?;
            Ok(roots)
        });
        let roots = roots.with_context(reading)?;
        if roots.is_empty() {
            bail!("{} holds no certificate; it should be PEM", path.display());
        }
        Ok(Self { roots, soft: Soft::new().context("the arithmetic of terminals' certificates")? })
    }

    /// The SM2 key, `04 ‖ x ‖ y`, of the terminal of this serial: of a certificate in PEM, and those of the CAs between it and ours
    /// behind it, each followed by who signed it.
    ///
    /// # Errors
    /// [`Refused`] says what is wrong with which of them.
    pub(crate) fn key_of(&self, text: &str, serial: &str, now: Time) -> Result<Vec<u8>, Refused> {
        if text.len() > TEXT_MAX {
            let message = format!("it has {} bytes; a chain in PEM has at most {TEXT_MAX}", text.len());
            return Err(Refused::Malformed(message));
        }
        let mut chain = read_all(text.as_bytes())?;
        // Some bring our own CA along.
        if chain.len() > 1 && chain.last().is_some_and(|last| self.roots.contains(last)) {
            chain.pop();
        }
        let Some((terminal, between)) = chain.split_first() else {
            return Err(Refused::Malformed(
                "it is not PEM: -----BEGIN CERTIFICATE----- with base64 between, the terminal's own first".to_owned(),
            ));
        };
        if between.len() >= CHAIN_MAX {
            return Err(untrusted(format!("{} certificates; a chain has at most {CHAIN_MAX}", chain.len())));
        }
        terminal.require_terminal(serial)?;
        self.require_chain(terminal, between, now)?;
        Ok(terminal.point.clone())
    }

    fn require_chain(&self, terminal: &Signed, between: &[Signed], now: Time) -> Result<(), Refused> {
        let mut child = terminal;
        child.require_valid(now)?;
        for (below, issuer) in between.iter().enumerate() {
            if child.issuer() != issuer.subject() || !self.has_signed(issuer, child)? {
                return Err(untrusted(format!("'{}' did not sign '{}'", issuer.shown(), child.shown())));
            }
            issuer.require_signer(below)?;
            issuer.require_valid(now)?;
            child = issuer;
        }
        for root in self.roots.iter().filter(|root| root.subject() == child.issuer()) {
            if self.has_signed(root, child)? {
                root.require_signer(between.len())?;
                return root.require_valid(now);
            }
        }
        Err(untrusted(format!("'{}' is signed by no CA of pos.terminal_ca", child.shown())))
    }

    fn has_signed(&self, issuer: &Signed, child: &Signed) -> Result<bool, Refused> {
        let certificate = &child.certificate;
        let algorithms = [certificate.signature_algorithm().oid, certificate.tbs_certificate().signature().oid];
        if algorithms != [SM2_WITH_SM3; 2] {
            let message = format!("'{}' is signed by {}; use SM2 with SM3", child.shown(), algorithms[0]);
            return Err(untrusted(message));
        }
        let public = PublicKey { kind: KeyKind::Sm2, bytes: issuer.point.clone() };
        let signature = certificate.signature().as_bytes().unwrap_or_default();
        let check = Check { public: &public, scheme: Signing::SM2, message: &child.body, signature };
        match self.soft.verify(&check) {
            Ok(()) => Ok(true),
            Err(KeyError::Signature) => Ok(false),
            Err(error) => Err(untrusted(format!("the key of '{}': {error}", issuer.shown()))),
        }
    }
}

fn read_all(text: &[u8]) -> Result<Vec<Signed>, Refused> {
    let one = |der: Result<CertificateDer<'_>, _>| {
        der.ok().and_then(|der| Signed::read(&der)).ok_or_else(|| {
            Refused::Malformed("it is no certificate in PEM with a key of SM2 (curve 1.2.156.10197.1.301)".to_owned())
        })
    };
    CertificateDer::pem_slice_iter(text).map(one).collect()
}

impl Signed {
    fn read(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let mut outer = SliceReader::new(der).ok()?;
        let body = outer.sequence(|inner| -> x509_cert::der::Result<_> {
            let body = inner.tlv_bytes()?.to_vec();
            inner.tlv_bytes()?;
            inner.tlv_bytes()?;
            Ok(body)
        });
        let point = point(&certificate)?;
        Some(Self { certificate, body: body.ok()?, point })
    }

    fn subject(&self) -> &Name {
        self.certificate.tbs_certificate().subject()
    }

    fn issuer(&self) -> &Name {
        self.certificate.tbs_certificate().issuer()
    }

    /// Its subject, for messages.
    fn shown(&self) -> String {
        self.subject().to_string().chars().take(128).collect()
    }

    fn require_valid(&self, now: Time) -> Result<(), Refused> {
        let validity = self.certificate.tbs_certificate().validity();
        let at = |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_millis()).unwrap_or(i64::MAX);
        if now.0 < at(validity.not_before) {
            return Err(untrusted(format!("'{}' begins at {}", self.shown(), validity.not_before)));
        }
        if now.0 > at(validity.not_after) {
            return Err(untrusted(format!("'{}' ended at {}", self.shown(), validity.not_after)));
        }
        Ok(())
    }

    /// What it says of itself: whether it is a CA and of how many below it at most, and what its key is for.
    fn said(&self) -> Result<(Option<BasicConstraints>, Option<KeyUsage>), Refused> {
        let body = self.certificate.tbs_certificate();
        let unknown =
            body.extensions().into_iter().flatten().find(|said| said.critical && !KNOWN.contains(&said.extn_id));
        if let Some(unknown) = unknown {
            let message =
                format!("'{}' has the critical extension {}, which is not known", self.shown(), unknown.extn_id);
            return Err(untrusted(message));
        }
        let wrong = |_| untrusted(format!("'{}' has extensions that do not read, or twice", self.shown()));
        let constraints = body.get_extension::<BasicConstraints>().map_err(wrong)?;
        let usage = body.get_extension::<KeyUsage>().map_err(wrong)?;
        Ok((constraints.map(|(_, said)| said), usage.map(|(_, said)| said)))
    }

    /// Refuses who may not sign a certificate that has so many CAs below it.
    fn require_signer(&self, below: usize) -> Result<(), Refused> {
        let (constraints, usage) = self.said()?;
        let Some(constraints) = constraints.filter(|said| said.ca) else {
            return Err(untrusted(format!("'{}' is no CA", self.shown())));
        };
        if constraints.path_len_constraint.is_some_and(|most| usize::from(most) < below) {
            return Err(untrusted(format!("'{}' allows fewer CAs below it", self.shown())));
        }
        if usage.is_some_and(|usage| !usage.key_cert_sign()) {
            return Err(untrusted(format!("'{}' signs no certificates, as it says itself", self.shown())));
        }
        Ok(())
    }

    /// Refuses what is not the certificate by which keys are encrypted for the terminal of this serial.
    fn require_terminal(&self, serial: &str) -> Result<(), Refused> {
        let (constraints, usage) = self.said()?;
        if constraints.is_some_and(|said| said.ca) {
            return Err(untrusted(format!("'{}' is a CA and no terminal", self.shown())));
        }
        let encrypts = |usage: KeyUsage| usage.key_encipherment() || usage.data_encipherment() || usage.key_agreement();
        if usage.is_some_and(|usage| !encrypts(usage)) {
            let message = format!("'{}' is not for encryption: take the terminal's other certificate", self.shown());
            return Err(untrusted(message));
        }
        let named = if self.subject().iter().any(|part| part.oid == SERIAL_NUMBER) {
            tls::attribute(self.subject(), SERIAL_NUMBER)
        } else {
            tls::common_name(self.subject())
        };
        match named {
            Some(named) if named == serial => Ok(()),
            Some(_) | None => {
                let message = format!("'{}' names another terminal; this one's serial is {serial}", self.shown());
                Err(untrusted(message))
            }
        }
    }
}

/// The point of a key of SM2.
fn point(certificate: &Certificate) -> Option<Vec<u8>> {
    let der = certificate.tbs_certificate().subject_public_key_info().to_der().ok()?;
    let info = SubjectPublicKeyInfoRef::from_der(&der).ok()?;
    let is_sm2 = info.algorithm.oid == EC && info.algorithm.parameters_oid().is_ok_and(|curve| curve == SM2_CURVE);
    is_sm2.then(|| info.subject_public_key.as_bytes().map(<[u8]>::to_vec))?
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::*;
    use crate::maker::Maker;
    use crate::shell::clock::wall_ms;

    const SERIAL: &str = "N900-0042117";

    fn said(refused: Result<Vec<u8>, Refused>) -> String {
        match refused {
            Ok(_) => panic!("it was believed"),
            Err(Refused::Malformed(said) | Refused::Untrusted(said)) => said,
        }
    }

    /// The key of `NAME.key`, as openssl shows it.
    fn trusts(maker: &Maker) -> impl Fn(&str, i64) -> Result<Vec<u8>, Refused> {
        let ca = TerminalCa::load(&maker.path("ca.pem")).unwrap();
        move |text: &str, later_ms: i64| ca.key_of(text, SERIAL, Time(wall_ms() + later_ms))
    }

    #[test]
    fn a_certificate_of_the_ca_says_whose_the_key_is() {
        let Some(maker) = Maker::new() else { return };
        let key_of = trusts(&maker);
        maker.issue("terminal", &format!("/O=Maker/CN={SERIAL}"), &[]);
        assert_eq!(key_of(&maker.read("terminal.pem"), 0), Ok(maker.point("terminal")));
        // By its serial number, whatever its common name; and with our own CA behind it.
        maker.issue("numbered", &format!("/CN=terminal/serialNumber={SERIAL}"), &[]);
        assert_eq!(key_of(&maker.read("numbered.pem"), 0), Ok(maker.point("numbered")));
        let with_ca = [maker.read("terminal.pem"), maker.read("ca.pem")].concat();
        assert_eq!(key_of(&with_ca, 0), Ok(maker.point("terminal")));
        // By a CA between.
        maker.issue("plant", "/CN=plant", Maker::CA).signed_by("plant", "below", &format!("/CN={SERIAL}"), &[]);
        let chain = [maker.read("below.pem"), maker.read("plant.pem")].concat();
        assert_eq!(key_of(&chain, 0), Ok(maker.point("below")));
        assert!(said(key_of(&maker.read("below.pem"), 0)).contains("signed by no CA"));
        let turned = [maker.read("plant.pem"), maker.read("below.pem")].concat();
        assert!(said(key_of(&turned, 0)).contains("is a CA and no terminal"));
    }

    #[test]
    fn what_proves_nothing_is_refused_by_what_is_wrong() {
        let (Some(maker), Some(other)) = (Maker::new(), Maker::new()) else { return };
        let key_of = trusts(&maker);
        let subject = format!("/CN={SERIAL}");
        maker.issue("terminal", &subject, &[]);
        let terminal = maker.read("terminal.pem");
        let day = 86_400_000;
        assert!(said(key_of(&terminal, 3 * day)).contains("ended at"));
        assert!(said(key_of(&terminal, -day)).contains("begins at"));
        // A CA of the same name, whose key is another.
        other.issue("terminal", &subject, &[]);
        assert!(said(key_of(&other.read("terminal.pem"), 0)).contains("signed by no CA of pos.terminal_ca"));
        for (name, subject, what) in [
            ("stranger", "/CN=N900-0042118".to_owned(), "names another terminal; this one's serial is N900-0042117"),
            ("nameless", "/O=Maker".to_owned(), "names another terminal"),
            ("two", format!("/CN={SERIAL}/CN=N900-0042118"), "names another terminal"),
            ("both", format!("/CN={SERIAL}/serialNumber=N900-0042118"), "names another terminal"),
        ] {
            maker.issue(name, &subject, &[]);
            assert!(said(key_of(&maker.read(&format!("{name}.pem")), 0)).contains(what), "{name}");
        }
        maker.issue("signs", &subject, &["keyUsage = critical,digitalSignature"]);
        assert!(said(key_of(&maker.read("signs.pem"), 0)).contains("is not for encryption"));
        maker.issue("critical", &subject, &["1.2.3.4 = critical,DER:0500"]);
        assert!(said(key_of(&maker.read("critical.pem"), 0)).contains("critical extension 1.2.3.4"));
        // Another terminal's certificate signs nothing.
        maker.issue("mate", "/CN=N900-0000001", &[]).signed_by("mate", "forged", &subject, &[]);
        let forged = [maker.read("forged.pem"), maker.read("mate.pem")].concat();
        assert!(said(key_of(&forged, 0)).contains("is no CA"));
        // A CA that allows none below it has one.
        maker.issue("last", "/CN=last", &["basicConstraints = critical,CA:TRUE,pathlen:0"]);
        maker.signed_by("last", "deeper", "/CN=deeper", Maker::CA).signed_by("deeper", "deepest", &subject, &[]);
        let chain = ["deepest.pem", "deeper.pem", "last.pem"].map(|file| maker.read(file)).concat();
        assert!(said(key_of(&chain, 0)).contains("'CN=last' allows fewer CAs below it"));
        let gap = ["deepest.pem", "last.pem"].map(|file| maker.read(file)).concat();
        assert!(said(key_of(&gap, 0)).contains("did not sign"));
        // Nothing that reads; and one bit of what was signed.
        for text in ["", "04AB", &maker.read("terminal.key")] {
            assert!(matches!(key_of(text, 0), Err(Refused::Malformed(_))), "{text:.20}");
        }
        let mut der = CertificateDer::from_pem_slice(terminal.as_bytes()).unwrap().to_vec();
        let at = der.windows(SERIAL.len()).position(|window| window == b"N900-0042117").unwrap();
        der[at] = b'M';
        let ca = TerminalCa::load(&maker.path("ca.pem")).unwrap();
        let lines = BASE64_STANDARD.encode(der);
        let text = format!("-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n");
        let altered = ca.key_of(&text, "M900-0042117", Time(wall_ms()));
        assert!(said(altered).contains("signed by no CA"));
    }

    #[test]
    fn only_cas_are_taken_for_cas() {
        let Some(maker) = Maker::new() else { return };
        maker.issue("terminal", &format!("/CN={SERIAL}"), &[]);
        let refused = |file: &str| {
            let error = TerminalCa::load(&maker.path(file)).map(drop).unwrap_err();
            format!("{error:#}")
        };
        assert!(refused("terminal.pem").contains("is no CA"));
        assert!(refused("terminal.key").contains("holds no certificate"));
        assert!(refused("nothing.pem").contains("pos.terminal_ca"));
    }
}
