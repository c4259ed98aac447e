//! The way to the card network that the settings name, or to none.

use std::sync::Arc;

use super::link::Network;
use super::network::{CardNetwork, Exchange, Outgoing};

/// Where transactions go.
#[derive(Clone)]
pub(crate) enum Way {
    /// No network is named: each transaction is told that none was reached.
    Nowhere,
    /// By the host link.
    Link(Arc<Network>),
}

impl CardNetwork for Way {
    async fn exchange(&self, request: Outgoing) -> Exchange {
        match self {
            Self::Nowhere => Exchange::NotSent { reason: "no_network" },
            Self::Link(network) => network.exchange(request).await,
        }
    }

    fn pin_key(&self) -> &str {
        match self {
            Self::Nowhere => "",
            Self::Link(network) => network.pin_key(),
        }
    }

    fn track_key(&self) -> Option<&str> {
        match self {
            Self::Nowhere => None,
            Self::Link(network) => network.track_key(),
        }
    }

    fn member(&self) -> &str {
        match self {
            Self::Nowhere => "",
            Self::Link(network) => network.member(),
        }
    }
}
