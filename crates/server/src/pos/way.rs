//! The way to the card network that the settings name, or to none.

use super::network::{CardNetwork, Exchange, Outgoing};

/// No transaction goes anywhere: each is told that the network was not reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nowhere;

impl CardNetwork for Nowhere {
    async fn exchange(&self, _: Outgoing) -> Exchange {
        Exchange::NotSent { reason: "no_network" }
    }

    fn pin_key(&self) -> &'static str {
        ""
    }

    fn track_key(&self) -> Option<&str> {
        None
    }
}
