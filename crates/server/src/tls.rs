//! TLS with certificates on both sides: files into settings of rustls, and a certificate into the name of who has it.
//!
//! TLS 1.2 and 1.3, by `rustls`. Who asks is the common name (CN) of a certificate that a CA of the file has signed: a
//! name outlives the certificate, so a renewed one needs no new policies.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use x509_cert::der::Decode as _;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::ext::pkix::name::DirectoryString;
use x509_cert::name::Name;

/// `id-at-commonName`.
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// One side's certificate with its chain, its private key, and the CA of the other side; all PEM.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) ca: PathBuf,
}

/// Refuses a private key that others than the owner of its file may read or write. A file that is not there is somebody else's
/// matter: whoever reads it says so.
///
/// # Errors
/// Names the setting, the file and its mode.
pub(crate) fn refuse_shared(setting: &str, path: &Path) -> Result<()> {
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(()) };
    if let Some(mode) = ark::key_file::shared_mode(&metadata) {
        bail!(
            "ark.profile = \"production\", and others may read or write {setting} {} (mode {mode:04o}), which has a private key: \
             chmod 600 it",
            path.display()
        );
    }
    Ok(())
}

impl Files {
    /// The three, or none of them.
    ///
    /// # Errors
    /// If some are missing.
    pub(crate) fn of(certificate: &Path, key: &Path, ca: &Path) -> Result<Option<Self>> {
        let named = [certificate, key, ca].map(|path| !path.as_os_str().is_empty());
        match named {
            [false, false, false] => Ok(None),
            [true, true, true] => Ok(Some(Self { certificate: certificate.into(), key: key.into(), ca: ca.into() })),
            [_, _, _] => bail!(
                "certificates need three files: certificate (one's own, with its chain), certificate_key (its private \
                 key) and ca (who signs the other side's)"
            ),
        }
    }

    /// For who listens: callers without a certificate of the CA are refused.
    ///
    /// # Errors
    /// A file that does not read, or a key that is not the certificate's.
    pub(crate) fn server(&self) -> Result<Arc<ServerConfig>> {
        let provider = provider();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()?), Arc::clone(&provider));
        let verifier = verifier.build().with_context(|| format!("the CA in {}", self.ca.display()))?;
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let builder = builder.with_client_cert_verifier(verifier);
        let (chain, key) = self.own()?;
        let mut config = builder.with_single_cert(chain, key).with_context(|| self.pair())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// For who asks: a server without a certificate of the CA, for the name it is asked by, is refused.
    ///
    /// # Errors
    /// As [`Self::server`].
    pub(crate) fn client(&self) -> Result<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let (chain, key) = self.own()?;
        let builder = builder.with_root_certificates(self.roots()?);
        builder.with_client_auth_cert(chain, key).with_context(|| self.pair())
    }

    fn own(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        own(&self.certificate, &self.key)
    }

    fn roots(&self) -> Result<RootCertStore> {
        roots(&self.ca)
    }

    fn pair(&self) -> String {
        pair(&self.certificate, &self.key)
    }
}

/// For who listens to callers that need no certificate; with a CA, callers without one of that CA are refused.
///
/// # Errors
/// A file that does not read, or a key that is not the certificate's.
pub(crate) fn for_anyone(certificate: &Path, key: &Path, ca: Option<&Path>) -> Result<Arc<ServerConfig>> {
    let provider = provider();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca)?), provider);
            builder.with_client_cert_verifier(verifier.build().with_context(|| format!("the CA in {}", ca.display()))?)
        }
    };
    let (chain, private) = own(certificate, key)?;
    Ok(Arc::new(builder.with_single_cert(chain, private).with_context(|| pair(certificate, key))?))
}

/// For who asks a server of this CA, with a certificate of its own or without.
///
/// # Errors
/// A file that does not read, or a key that is not the certificate's.
pub(crate) fn to_network(ca: &Path, certificate: Option<(&Path, &Path)>) -> Result<Arc<ClientConfig>> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(roots(ca)?);
    Ok(Arc::new(match certificate {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let (chain, private) = own(certificate, key)?;
            builder.with_client_auth_cert(chain, private).with_context(|| pair(certificate, key))?
        }
    }))
}

fn own(certificate: &Path, key: &Path) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let private = PrivateKeyDer::from_pem_file(key);
    let private = private.with_context(|| format!("reading a private key in PEM from {}", key.display()))?;
    Ok((certificates(certificate)?, private))
}

fn roots(ca: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca)? {
        roots.add(certificate).with_context(|| format!("{} holds no CA", ca.display()))?;
    }
    Ok(roots)
}

fn pair(certificate: &Path, key: &Path) -> String {
    format!("the certificate in {} with the key in {}", certificate.display(), key.display())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let reading = || format!("reading certificates in PEM from {}", path.display());
    let found = CertificateDer::pem_file_iter(path).with_context(reading)?;
    let found = found.collect::<Result<Vec<_>, _>>().with_context(reading)?;
    if found.is_empty() {
        bail!("{} holds no certificate; it should be PEM", path.display());
    }
    Ok(found)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The common name of who has a certificate; `None` unless it has exactly one.
pub(crate) fn name_of(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    common_name(certificate.tbs_certificate().subject())
}

/// The common name of a name; `None` unless it has exactly one.
pub(crate) fn common_name(name: &Name) -> Option<String> {
    attribute(name, COMMON_NAME)
}

/// What a name has under this type; `None` unless it has exactly one.
pub(crate) fn attribute(name: &Name, kind: ObjectIdentifier) -> Option<String> {
    let mut names = name.iter().filter(|part| part.oid == kind);
    let (name, None) = (names.next()?, names.next()) else { return None };
    Some(DirectoryString::try_from(&name.value).ok()?.value().into_owned())
}
