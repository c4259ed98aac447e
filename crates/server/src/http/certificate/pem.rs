//! What a merchant sends in: an X.509 certificate or a public key, in PEM; and a public key back into PEM.

use ark::provider::{KeyKind, PublicKey, Signing};
use domain::certificate::CertificateAlgorithm;
use domain::envelope::Time;
use rustls::pki_types::pem::{PemObject as _, SectionKind};
use x509_cert::Certificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::Time as X509Time;

use super::super::error::ApiError;

/// `rsaEncryption` (RFC 8017).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// `id-ecPublicKey` (RFC 5480).
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// The curve of SM2 (GM/T 0006).
const SM2_CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.301");
/// `SubjectPublicKeyInfo` of an SM2 key up to its point.
const SM2_FRAME: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf,
    0x55, 0x01, 0x82, 0x2d, 0x03, 0x42, 0x00,
];
/// `SubjectPublicKeyInfo` of an RSA key of 2,048 bits with the exponent 65,537 has this many bytes.
const RSA_2048_BYTES: usize = 294;
/// The longest PEM text that is read.
const TEXT_MAX: usize = 16 << 10;

/// What a PEM text said.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) algorithm: CertificateAlgorithm,
    pub(super) key: PublicKey,
    /// The certificate's serial number in hexadecimal; of a bare key the first digits of its SM3.
    pub(super) serial: String,
    /// The common name, or empty.
    pub(super) subject: String,
    /// When the certificate is valid; none of a bare key.
    pub(super) validity: Option<(Time, Time)>,
}

/// Reads a certificate or a public key.
///
/// # Errors
/// `field_malformed`, which says what it is not.
pub(super) fn read(text: &str) -> Result<Read, ApiError> {
    if text.len() > TEXT_MAX {
        return Err(wrong(format!("it has {} bytes; one certificate in PEM has at most {TEXT_MAX}", text.len())));
    }
    let (kind, der) = <(SectionKind, Vec<u8>)>::from_pem_slice(text.as_bytes()).map_err(|_| {
        wrong("it is not PEM: -----BEGIN CERTIFICATE----- or -----BEGIN PUBLIC KEY----- with base64 between")
    })?;
    match kind {
        SectionKind::Certificate => of_certificate(&der),
        SectionKind::PublicKey => of_public_key(&der),
        SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => Err(wrong(
            "it is a private key, and was not kept: make a new pair, for this one has been sent, and send the public half",
        )),
        SectionKind::Crl | SectionKind::Csr | SectionKind::EchConfigList | _ => {
            Err(wrong("it is neither CERTIFICATE nor PUBLIC KEY"))
        }
    }
}

fn of_certificate(der: &[u8]) -> Result<Read, ApiError> {
    let certificate = Certificate::from_der(der).map_err(|_| wrong("it is no X.509 certificate"))?;
    let body = certificate.tbs_certificate();
    let (algorithm, key) = key_of(body.subject_public_key_info())?;
    let serial = hex::encode_upper(body.serial_number().as_bytes());
    let serial = serial.trim_start_matches("00");
    let subject = crate::tls::common_name(body.subject()).unwrap_or_default();
    let at = |time: X509Time| Time(i64::try_from(time.to_unix_duration().as_millis()).unwrap_or(i64::MAX));
    let validity = body.validity();
    let validity = Some((at(validity.not_before), at(validity.not_after)));
    Ok(Read { algorithm, key, serial: serial.to_owned(), subject, validity })
}

fn of_public_key(der: &[u8]) -> Result<Read, ApiError> {
    let info = SubjectPublicKeyInfoOwned::from_der(der).map_err(|_| wrong("it is no public key in DER"))?;
    let (algorithm, key) = key_of(&info)?;
    let serial = hex::encode_upper(&ark::sm3(der)[..8]);
    Ok(Read { algorithm, key, serial, subject: String::new(), validity: None })
}

fn key_of(info: &SubjectPublicKeyInfoOwned) -> Result<(CertificateAlgorithm, PublicKey), ApiError> {
    let der = info.to_der().map_err(|_| wrong("its public key does not read"))?;
    let info = SubjectPublicKeyInfoRef::from_der(&der).map_err(|_| wrong("its public key does not read"))?;
    match info.algorithm.oid {
        RSA if der.len() == RSA_2048_BYTES => {
            Ok((CertificateAlgorithm::Sha256Rsa2048, PublicKey { kind: KeyKind::Rsa2048, bytes: der }))
        }
        RSA => Err(wrong("its RSA key is not of 2,048 bits with the exponent 65,537")),
        EC if info.algorithm.parameters_oid().is_ok_and(|curve| curve == SM2_CURVE) => {
            let point = info.subject_public_key.as_bytes().unwrap_or_default().to_vec();
            Ok((CertificateAlgorithm::Sm2WithSm3, PublicKey { kind: KeyKind::Sm2, bytes: point }))
        }
        EC => Err(wrong("its curve is not that of SM2 (1.2.156.10197.1.301)")),
        other => Err(wrong(format!("its key is of the kind {other}; use SM2, or RSA of 2,048 bits"))),
    }
}

fn wrong(message: impl Into<String>) -> ApiError {
    ApiError::malformed("certificate", message)
}

/// How keys of a kind sign, if the gateway takes them.
pub(super) fn signing_of(kind: KeyKind) -> Option<Signing<'static>> {
    ark::signing::Scheme::ALL.into_iter().find(|scheme| scheme.kind() == kind).and_then(ark::signing::Scheme::signing)
}

/// A public key of the gateway in PEM.
pub(crate) fn of_key(public: &PublicKey) -> String {
    let der = if public.kind == KeyKind::Sm2 { [&SM2_FRAME[..], &public.bytes].concat() } else { public.bytes.clone() };
    ark::pem::encode("PUBLIC KEY", &der)
}
