//! What leaves by channels, for who watches: gauges, and an alarm when the breaker stops a channel.

use std::collections::BTreeSet;

use domain::envelope::Time;
use domain::ids::OutflowId;
use domain::outflow::Outflow;

/// The channels that were stopped at the last look.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    stopped: BTreeSet<OutflowId>,
}

impl Watch {
    /// Looks at what leaves by a channel as a batch left it.
    pub(crate) fn see(&mut self, row: &Outflow, now: Time) {
        let (channel, currency) = (row.rail.name(), row.currency.code());
        let labels = [("channel", channel), ("currency", currency)];
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and nobody books from it")]
        metrics::gauge!("lintel_outflow_last_hour", &labels).set(row.last_hour(now) as f64);
        metrics::gauge!("lintel_outflow_stopped", &labels).set(if row.stopped.is_some() { 1.0 } else { 0.0 });
        match &row.stopped {
            Some(stop) if self.stopped.insert(row.id) => {
                let (hour, bound, by) = (stop.hour, stop.bound, stop.by.as_deref());
                tracing::error!(channel, currency, hour, bound, by, "nothing leaves by a channel: two people decide");
            }
            None if self.stopped.remove(&row.id) => {
                tracing::warn!(channel, currency, "money leaves by a channel again");
            }
            Some(_) | None => {}
        }
    }
}
