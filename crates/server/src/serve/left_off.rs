//! What guards money and is off until somebody sets it: said in the log at each start of a production, and never to a sandbox.

use channels::{Manifest, OperationKind};
use domain::State;
use domain::attempt::Rail;
use domain::channel::ChannelName;
use domain::money::Currency;

use crate::config::{ChannelConfig, SiteConfig};

/// What the books say of it.
#[derive(Debug)]
pub(super) struct LeftOff {
    sandbox: bool,
    /// What may leave by these in an hour is bounded.
    bounded: Vec<(Rail, Currency)>,
}

impl LeftOff {
    /// What these books say.
    pub(super) fn of(state: &State, sandbox: bool) -> Self {
        let bounded = state.outflows.iter().map(|(_, row)| row).filter(|row| row.bound.is_some());
        Self { sandbox, bounded: bounded.map(|row| (row.rail, row.currency)).collect() }
    }

    /// Warns of what is off at a channel.
    pub(super) fn tell(&self, (name, manifest): (&ChannelName, &Manifest), channel: &ChannelConfig) {
        for what in self.at(manifest, &channel.sites) {
            tracing::warn!(channel = %name, "{what}");
        }
    }

    fn at(&self, manifest: &Manifest, sites: &[SiteConfig]) -> Vec<String> {
        if self.sandbox {
            return Vec::new();
        }
        let rail = manifest.rail;
        let leaves = [OperationKind::Pay, OperationKind::Refund].iter().any(|kind| manifest.supported(*kind).is_some());
        let unbounded = manifest.currencies.iter().filter(|currency| !self.bounded.contains(&(rail, **currency)));
        let mut off: Vec<String> = unbounded
            .filter(|_| leaves)
            .map(|currency| {
                format!(
                    "nothing bounds what leaves by {} in {}: two people set it with `lintel outflow bound {}`",
                    rail.name(),
                    currency.code(),
                    rail.name()
                )
            })
            .collect();
        let unknown: Vec<&str> =
            sites.iter().filter(|site| site.capacity == 0).map(|site| site.name.as_str()).collect();
        if sites.len() > 1 && !unknown.is_empty() {
            off.push(format!(
                "nobody checks whether the sites of {} that are left carry its peak when one is drained: set capacity of {}",
                rail.name(),
                unknown.join(", ")
            ));
        }
        off
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sites(of: &[(&str, u32)]) -> Vec<SiteConfig> {
        let site = |(name, capacity): &(&str, u32)| {
            let site = json!({"name": name, "url": "https://bank.example", "capacity": capacity});
            serde_json::from_value(site).unwrap()
        };
        of.iter().map(site).collect()
    }

    #[test]
    fn a_production_is_warned_of_bounds_and_capacities_that_nobody_set() {
        let settings = json!({"rail": "epcc", "institution": "lintel", "key": "5a".repeat(32)});
        let channel = channels::registry::by_name("sandbox_bank", &settings).unwrap();
        let manifest = channel.manifest();
        let of = |sandbox: bool, bounded: &[Currency]| LeftOff {
            sandbox,
            bounded: bounded.iter().map(|currency| (manifest.rail, *currency)).collect(),
        };
        let one = sites(&[("only", 0)]);
        let said = of(false, &[]).at(manifest, &one);
        assert_eq!(said.len(), manifest.currencies.len(), "{said:?}");
        assert!(said[0].contains("lintel outflow bound epcc"), "{said:?}");
        assert_eq!(of(false, manifest.currencies).at(manifest, &one), [""; 0], "one site has nothing to fall back on");

        let said = of(false, manifest.currencies).at(manifest, &sites(&[("north", 400), ("south", 0)]));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].ends_with("set capacity of south"), "{said:?}");
        let both = sites(&[("north", 400), ("south", 400)]);
        assert_eq!(of(false, manifest.currencies).at(manifest, &both), [""; 0]);
        assert_eq!(of(true, &[]).at(manifest, &sites(&[("north", 0), ("south", 0)])), [""; 0], "a sandbox");
    }
}
