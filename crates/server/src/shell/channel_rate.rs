//! How tries at channels ended, for Prometheus: counted as batches become durable, from this process's start on.

use domain::rates::channel::EndedTry;

/// Counts what a durable batch ended. A counter never goes down, so a success after a refusal counts beside it, as `late`.
pub(crate) fn count(ended: &[EndedTry]) {
    for EndedTry { key, end, before, position: _ } in ended {
        let labels = [
            ("direction", key.direction.name().to_owned()),
            ("channel", key.rail.name().to_owned()),
            ("product", key.product.clone()),
            ("bank", key.bank.clone()),
            ("outcome", if before.is_some() { "late".to_owned() } else { end.name().to_owned() }),
        ];
        metrics::counter!("lintel_channel_tries_total", &labels).increment(1);
    }
}
