//! How tries at channels ended, for Prometheus: counted as batches become durable, from this process's start on.

use std::collections::BTreeMap;

use domain::rates::channel::{EndedTry, RateKey};
use metrics::Counter;

/// The most keys whose counters are kept; past it all are looked up anew.
const KEPT: usize = 10_000;

/// The counters by what tries are told apart by, then by how they ended. Each is looked up by its labels once: that takes longer than
/// counting.
#[derive(Default)]
pub(crate) struct Counters(BTreeMap<RateKey, BTreeMap<&'static str, Series>>);

struct Series {
    tries: Counter,
    /// Once an order's first try ended so.
    first: Option<Counter>,
}

impl Counters {
    /// Counts what a durable batch ended. A counter never goes down, so a success after a refusal counts beside it, as `late`. Tries of
    /// orders' first tries count a second time by themselves.
    pub(crate) fn count(&mut self, ended: &[EndedTry]) {
        let Self(kept) = self;
        for EndedTry { key, end, before, first, position: _ } in ended {
            let outcome = if before.is_some() { "late" } else { end.name() };
            let of_key = match kept.get_mut(key) {
                Some(of_key) => of_key,
                None => {
                    if kept.len() >= KEPT {
                        kept.clear();
                    }
                    kept.entry(key.clone()).or_default()
                }
            };
            let series = of_key.entry(outcome).or_insert_with(|| Series {
                tries: metrics::counter!("lintel_channel_tries_total", &labels(key, outcome)),
                first: None,
            });
            series.tries.increment(1);
            if *first {
                let counter = || metrics::counter!("lintel_channel_first_tries_total", &labels(key, outcome));
                series.first.get_or_insert_with(counter).increment(1);
            }
        }
    }
}

fn labels(key: &RateKey, outcome: &'static str) -> [(&'static str, String); 5] {
    [
        ("direction", key.direction.name().to_owned()),
        ("channel", key.channel.to_string()),
        ("product", key.product.clone()),
        ("bank", key.bank.clone()),
        ("outcome", outcome.to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use domain::attempt::{FailureClass, Rail};
    use domain::rates::channel::{Direction, TryEnd};
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
        let mut counters = Counters::default();
        metrics::with_local_recorder(&recorder, || counters.count(&all));
        let shown = recorder.handle().render();
        for outcome in ["success", "user", "risk", "bank", "system", "not_found", "late"] {
            let labels =
                format!("direction=\"in\",channel=\"epcc\",product=\"rent\",bank=\"102\",outcome=\"{outcome}\"");
            assert!(shown.contains(&format!("lintel_channel_tries_total{{{labels}}} 1\n")), "{outcome}: {shown}");
            let first = shown.contains(&format!("lintel_channel_first_tries_total{{{labels}}} 1\n"));
            assert_eq!(first, outcome != "late", "{outcome}: {shown}");
        }
        metrics::with_local_recorder(&recorder, || counters.count(&all));
        let (shown, twice) = (recorder.handle().render(), "bank=\"102\",outcome=\"success\"} 2\n");
        assert_eq!(shown.matches(twice).count(), 2, "of all tries and of first ones: {shown}");
    }
}
