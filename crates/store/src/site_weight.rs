//! Versions of the weights of channels' sites as rows.

use domain::channel::ChannelName;
use domain::ids::SiteWeightsId;
use domain::site_weight::SiteWeights;

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for SiteWeights {
    type Id = SiteWeightsId;
    const TABLE: &'static str = "site_weights";
    const COLUMNS: &'static [&'static str] = &["rail", "version"];

    fn id(&self) -> SiteWeightsId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.channel_name().to_string().into(), self.version.cast_signed().into()]
    }
}

/// What lists of versions may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct SiteWeightsFilter {
    /// Of this channel.
    pub channel: Option<ChannelName>,
}

impl Filter for SiteWeightsFilter {
    type Of = SiteWeights;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![self.channel.as_ref().map(|channel| Term::equal("rail", channel.to_string()))]
    }
}
