//! How a link reaches the network: TCP, or TLS over it where the settings name a CA.
//!
//! TLS 1.2 and 1.3. The network shows a certificate of that CA for the host that the link names; we show our own, if the
//! settings name one.

use std::io;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::settings::LinkConfig;

/// What comes from the network, and what goes there.
pub(super) type Reading = Box<dyn AsyncRead + Send + Unpin>;
pub(super) type Writing = Box<dyn AsyncWrite + Send + Unpin>;

/// Where a link connects, and how.
pub(super) struct Door {
    address: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Door {
    /// # Errors
    /// With TLS, a link whose host is no name that a certificate could be of.
    pub(super) fn of(link: &LinkConfig, tls: Option<&Arc<ClientConfig>>) -> Result<Self> {
        let address = link.address.clone();
        let Some(config) = tls else { return Ok(Self { address, tls: None }) };
        let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host).trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).with_context(|| {
            format!("the address of link \"{}\" is \"{address}\": no certificate names that", link.name)
        })?;
        Ok(Self { tls: Some((TlsConnector::from(Arc::clone(config)), name)), address })
    }

    /// Connects, and shakes hands.
    ///
    /// # Errors
    /// Nobody there, or nobody whom the CA knows.
    pub(super) async fn connect(&self) -> io::Result<(Reading, Writing)> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => {
                let (reading, writing) = stream.into_split();
                Ok((Box::new(reading), Box::new(writing)))
            }
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await?;
                let (reading, writing) = tokio::io::split(stream);
                Ok((Box::new(reading), Box::new(writing)))
            }
        }
    }
}
