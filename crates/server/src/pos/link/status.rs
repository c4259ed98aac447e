//! How a network's links stand, for whoever runs the platform.

use std::sync::atomic::Ordering;

use super::Network;

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkStatus {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) weight: u32,
    pub(crate) state: &'static str,
    /// Milliseconds in this state.
    pub(crate) for_ms: u64,
    /// Milliseconds since something came by it.
    pub(crate) heard_ms: Option<u64>,
    /// Connections made since the start.
    pub(crate) connects: u64,
    /// Messages written since the start.
    pub(crate) sent: u64,
    /// Messages read since the start.
    pub(crate) came: u64,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NetworkStatus {
    pub(crate) name: String,
    /// Requests under way.
    pub(crate) waiting: usize,
    pub(crate) links: Vec<LinkStatus>,
}

impl Network {
    /// As it stands now.
    pub(crate) fn status(&self) -> NetworkStatus {
        let ms = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let links = self.lines.iter().map(|line| {
            let (state, since, heard) = line.standing();
            let count = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
            LinkStatus {
                name: line.name.clone(),
                address: line.address.clone(),
                weight: line.weight(),
                state: state.name(),
                for_ms: ms(since),
                heard_ms: heard.map(ms),
                connects: count(&line.counts.connects),
                sent: count(&line.counts.sent),
                came: count(&line.counts.came),
            }
        });
        let links = links.collect();
        NetworkStatus { name: self.config.name.clone(), waiting: self.shared.mux.len(), links }
    }
}
