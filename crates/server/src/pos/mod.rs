//! Terminals at points of sale: their connections, frames and messages, up to the switch that decides them.
//!
//! ```text
//!  TCP · TLS ─► listener ─► connection ─► frame ─► gateway ─► envelope, message ─► echo │ switch
//!                               ▲                                                        │
//!                               └──────────────── frame ◄─── answer ◄────────────────────┘
//! ```
//!
//! | where | what |
//! |---|---|
//! | [`listener`] | accepts, bounds, stops |
//! | [`connection`] | one connection: time-outs, one message after another |
//! | [`frame`] | two bytes of length, then a frame |
//! | [`envelope`] | what goes before a message: TPDU, LRI, header |
//! | [`gateway`] | what becomes of one frame |
//! | [`acquirer`] | an acquirer's profile: what the dialect leaves open |
//! | [`bin`] | whose a card is, by how its number begins |
//! | [`answer`] | the bytes of an answer |
//! | [`answer_code`] | what field 39 says |
//! | [`session`] | one terminal, one connection |
//! | [`keys`] | the terminals' keys in the key service |
//! | [`terminal_ca`] | whose a terminal's public key is, by its certificate |
//! | [`switch`] | decides messages: keys, books, network |
//! | [`network`] | the boundary to a card network |
//! | [`link`] | the host link: connections to the network |
//! | [`forward`] | what goes to the network until it is answered |
//! | [`card_link`] | link and forwarder of a running platform |
//!
//! Invariants: no content of a message reaches a log or a metric; a peer holds at most one frame and one read of memory; a
//! connection whose framing is lost is closed, every other one is kept.

mod acquirer;
mod answer;
pub(crate) mod answer_code;
pub(crate) mod bin;
pub(crate) mod card_link;
mod connection;
pub(crate) mod envelope;
pub(crate) mod forward;
mod frame;
mod gateway;
pub(crate) mod keys;
pub(crate) mod link;
mod listener;
mod moment;
pub(crate) mod network;
mod session;
mod switch;
pub(crate) mod terminal_ca;
#[cfg(test)]
mod tests;
mod way;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustls::ServerConfig;
use tokio::sync::Semaphore;

use self::acquirer::Acquirer;
use self::bin::Bins;
use self::connection::Patience;
use self::gateway::Gateway;
use self::keys::TerminalKeys;
use self::listener::{Terminals, Transport};
use self::switch::Desk;
use self::way::Way;
use crate::config::PosConfig;
use crate::http::App;
use crate::tls;

/// The gateway of a running platform.
pub(crate) struct Pos {
    terminals: Terminals<Desk<Way>>,
    drain: Duration,
}

impl Pos {
    /// Listens for terminals where the settings say; `None` where they say nowhere.
    ///
    /// # Errors
    /// An acquirer profile or certificate that does not read, or an address that cannot be listened on.
    pub(crate) async fn start(config: &PosConfig, app: &App) -> Result<Option<Self>> {
        let (plain, secure) = config.listens()?;
        if plain.is_none() && secure.is_none() {
            return Ok(None);
        }
        let mut acquirer = Acquirer::load(&config.acquirer)?;
        if let Some(file) = config.bins() {
            acquirer.cards = Bins::load(file)?;
        }
        let (name, ms) = (acquirer.name.clone(), Duration::from_millis);
        let switch = desk(config, app);
        let gateway = Gateway { acquirer, switch, clock: app.clock.clone(), queue: Semaphore::new(config.queue) };
        let patience = Patience {
            read: ms(config.read_timeout_ms),
            write: ms(config.write_timeout_ms),
            idle: ms(config.idle_timeout_ms),
        };
        let terminals = Terminals::new(gateway, patience, config.connections);
        if let Some(address) = plain {
            let address = terminals.listen(address, Transport::Tcp).await?;
            tracing::info!(%address, acquirer = name, "terminals may connect by TCP");
        }
        if let Some(address) = secure {
            let address = terminals.listen(address, Transport::Tls(certificates(config)?)).await?;
            tracing::info!(%address, acquirer = name, "terminals may connect by TLS");
        }
        Ok(Some(Self { terminals, drain: ms(config.drain_ms) }))
    }

    /// Accepts nobody any more and lets the answers out that are under way.
    pub(crate) async fn stop(self) {
        match self.terminals.stop(self.drain).await {
            0 => {}
            connections => {
                tracing::warn!(connections, "terminals are cut off: their answers took longer than pos.drain_ms")
            }
        }
    }
}

/// Whose cards are: by this file, that of the settings, or the acquirer's profile.
///
/// # Errors
/// A file that does not read.
pub(crate) fn cards(config: &PosConfig, file: Option<&Path>) -> Result<Bins> {
    match file.or_else(|| config.bins()) {
        Some(file) => Bins::load(file),
        None => Ok(Acquirer::load(&config.acquirer)?.cards),
    }
}

/// The switch of a running platform.
fn desk(config: &PosConfig, app: &App) -> Desk<Way> {
    let network = app.card_network.clone().map_or(Way::Nowhere, Way::Link);
    let (keys, patience) = (TerminalKeys::new(app.ark.financial()), config.network.answer_timeout());
    let books = (app.platform.clone(), Arc::clone(&app.books.store), app.clock.clone());
    Desk::new(books, keys, Arc::clone(&app.vault), (Arc::new(network), patience))
}

fn certificates(config: &PosConfig) -> Result<Arc<ServerConfig>> {
    let (certificate, key) = (&config.certificate, &config.certificate_key);
    if [certificate, key].iter().any(|path| path.as_os_str().is_empty()) {
        bail!("pos.tls_listen needs pos.certificate (with its chain) and pos.certificate_key, two PEM files");
    }
    let ca = Some(&config.ca).filter(|ca| !ca.as_os_str().is_empty());
    tls::for_anyone(certificate, key, ca.map(|ca| ca as &Path)).context("the terminals' TLS")
}
