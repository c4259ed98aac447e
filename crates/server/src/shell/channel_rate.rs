//! How tries at channels ended, for Prometheus: counted as batches become durable, from this process's start on.

use domain::rates::channel::EndedTry;

/// Counts what a durable batch ended. A counter never goes down, so a success after a refusal counts beside it, as `late`. Tries of
/// orders' first tries count a second time by themselves.
pub(crate) fn count(ended: &[EndedTry]) {
    for EndedTry { key, end, before, first, position: _ } in ended {
        let labels = [
            ("direction", key.direction.name().to_owned()),
            ("channel", key.channel.to_string()),
            ("product", key.product.clone()),
            ("bank", key.bank.clone()),
            ("outcome", if before.is_some() { "late".to_owned() } else { end.name().to_owned() }),
        ];
        metrics::counter!("lintel_channel_tries_total", &labels).increment(1);
        if *first {
            metrics::counter!("lintel_channel_first_tries_total", &labels).increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::attempt::{FailureClass, Rail};
    use domain::rates::channel::{Direction, RateKey, TryEnd};
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn every_end_of_a_try_is_a_series_of_its_own() {
        let (product, bank) = (String::from("rent"), String::from("102"));
        let date = "2026-03-05".parse().unwrap();
        let key = RateKey { date, direction: Direction::In, channel: Rail::Epcc.into(), product, bank };
        let ended = |end, before| EndedTry { position: 1, key: key.clone(), end, before, first: before.is_none() };
        let late = ended(TryEnd::Success, Some(TryEnd::Failure(FailureClass::Bank)));
        let all: Vec<EndedTry> = TryEnd::ALL.into_iter().map(|end| ended(end, None)).chain([late]).collect();
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || count(&all));
        let shown = recorder.handle().render();
        for outcome in ["success", "user", "risk", "bank", "system", "not_found", "late"] {
            let labels =
                format!("direction=\"in\",channel=\"epcc\",product=\"rent\",bank=\"102\",outcome=\"{outcome}\"");
            assert!(shown.contains(&format!("lintel_channel_tries_total{{{labels}}} 1\n")), "{outcome}: {shown}");
            let first = shown.contains(&format!("lintel_channel_first_tries_total{{{labels}}} 1\n"));
            assert_eq!(first, outcome != "late", "{outcome}: {shown}");
        }
    }
}
