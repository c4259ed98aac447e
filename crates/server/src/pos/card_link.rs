//! A running platform's way to its card network: the links, what goes out until it is answered, and what answers come late.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use ark::Vault;
use ark::keys::FinancialUse;
use store::Database;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::forward::{Forward, Pace};
use super::link::Network;
use crate::config::Config;
use crate::shell::{Clock, Platform};

/// It, running.
pub(crate) struct CardLink {
    network: Arc<Network>,
    forwarding: JoinHandle<()>,
    telling: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl CardLink {
    /// Connects to the network of the settings, on this runtime; `None` where there is none.
    ///
    /// # Errors
    /// Settings that no link can run with.
    pub(crate) fn start(
        runtime: &Handle,
        config: &Config,
        (platform, store, clock): (&Platform, &Arc<Database>, &Clock),
        vault: &Arc<Vault>,
        keys: Arc<dyn FinancialUse>,
    ) -> Result<Option<Self>> {
        let config = &config.pos.network;
        if !config.is_on() {
            return Ok(None);
        }
        let _around = runtime.enter();
        let (network, late) = Network::start(config, clock, keys).context("the link to the card network")?;
        let (ms, stop) = (Duration::from_millis, watch::Sender::new(false));
        let forward = Arc::new(Forward {
            platform: platform.clone(),
            store: Arc::clone(store),
            clock: clock.clone(),
            network: Arc::clone(&network),
            vault: Arc::clone(vault),
            pace: Pace {
                every: ms(config.forward_ms),
                longest: ms(config.forward_max_ms.max(config.forward_ms)),
                answer: config.answer_timeout(),
            },
            traces: network.traces(),
        });
        let forwarding = tokio::spawn(forward.run(stop.subscribe()));
        let telling = tokio::spawn(late.run(platform.clone(), Arc::clone(store), clock.clone()));
        Ok(Some(Self { network, forwarding, telling, stop }))
    }

    /// The network, for whoever asks something of it.
    pub(crate) fn network(&self) -> Arc<Network> {
        Arc::clone(&self.network)
    }

    /// Sends nothing new, lets answers in, signs off. What is unanswered then goes out again at the next start.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        self.network.stop().await;
        self.forwarding.abort();
        self.telling.abort();
    }
}
