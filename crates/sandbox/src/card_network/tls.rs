//! TLS on the network's side: a certificate of its own, and a CA of its members if they must show one.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// Shakes hands by TLS 1.2 and 1.3. With a CA, members without a certificate of it are refused.
///
/// # Errors
/// A file that does not read, or a key that is not the certificate's.
pub fn acceptor(certificate: &Path, key: &Path, ca: Option<&Path>) -> Result<TlsAcceptor> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            for root in read(ca)? {
                roots.add(root).with_context(|| format!("{} holds no CA", ca.display()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.with_context(|| format!("the CA in {}", ca.display()))?)
        }
    };
    let private = PrivateKeyDer::from_pem_file(key).with_context(|| format!("reading a key from {}", key.display()))?;
    let config = builder.with_single_cert(read(certificate)?, private);
    let pair = || format!("the certificate in {} with the key in {}", certificate.display(), key.display());
    Ok(TlsAcceptor::from(Arc::new(config.with_context(pair)?)))
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let reading = || format!("reading certificates from {}", path.display());
    CertificateDer::pem_file_iter(path).with_context(reading)?.collect::<Result<_, _>>().with_context(reading)
}
