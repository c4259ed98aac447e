//! Channels and their sites as they stand in this process: who gets which share of new requests, and why.

use axum::extract::State;
use domain::attempt::Rail;
use domain::channel::ChannelName;
use node::site::{Standing, Sums};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::answer::{Answer, Answered};
use super::auth::Caller;
use super::error::ApiError;
use super::extract::Id;
use super::notification::RailName;
use super::wire::word;
use crate::shell::executor::Route;
use crate::shell::site::Seen;

/// A channel.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChannelView {
    /// What it is called here: by the rail that it carries; a further one of its rail by the `id` of the settings, such as
    /// `unionpay_acme`.
    #[schema(example = "epcc")]
    channel: String,
    /// What the registry calls it.
    #[schema(example = "sandbox_bank")]
    name: &'static str,
    /// Its breaker: `closed`; `open` or `half_open` while nothing gets through and sends wait.
    #[schema(example = "closed")]
    breaker: &'static str,
    /// The most calls in a second of the last hour, or the setting if that is more: what its sites must be able to carry.
    #[schema(example = 120)]
    peak: u32,
    /// Calls of late, over all sites.
    calls: u32,
    /// Those of them that got no answer, or one that is an error of the other side's own.
    failed: u32,
    /// How many sites it has.
    sites: usize,
    /// Sites that get all of their weight.
    up: usize,
}

/// All channels.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChannelsView {
    data: Vec<ChannelView>,
}

/// A site of a channel.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SiteView {
    #[schema(example = "beijing")]
    site: String,
    #[schema(example = "https://bj.bank.example")]
    url: String,
    /// The weight in force.
    #[schema(example = 8)]
    weight: u32,
    /// The weight of the settings.
    #[schema(example = 8)]
    settings_weight: u32,
    /// How much of its weight it gets now, in percent.
    #[schema(example = 100)]
    percent: u32,
    /// `up`; `drained`: sick, and gets nothing new; `ramp`: comes back; `kept`: sick, and the others cannot carry the peak.
    #[schema(example = "up")]
    state: &'static str,
    /// Calls a second that it can carry; 0: as many as come.
    #[schema(example = 400)]
    capacity: u32,
    /// Calls under way.
    open: u32,
    /// Calls of late.
    calls: u32,
    /// Those of them that failed.
    failed: u32,
    /// Probes in a row that failed.
    probe_failures: u32,
}

/// The sites of a channel.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SitesView {
    channel: ChannelView,
    /// The version of the weights in force; null if they are those of the settings.
    #[schema(example = 3)]
    version: Option<u64>,
    data: Vec<SiteView>,
}

impl ChannelView {
    fn of(called: &ChannelName, route: &Route, seen: &Seen) -> Self {
        let Sums { calls, failed } = seen.sums;
        let up = seen.sites.iter().filter(|(site, _)| site.health.percent() == 100).count();
        let (channel, name, breaker) = (called.to_string(), route.channel.manifest().name, seen.circuit.name());
        Self { channel, name, breaker, peak: seen.peak, calls, failed, sites: seen.sites.len(), up }
    }
}

impl SiteView {
    fn of((standing, url): (Standing, String)) -> Self {
        let Standing { name, weight, settings_weight, capacity, health, open, sums, probe_failures } = standing;
        let (state, percent, Sums { calls, failed }) = (health.name(), health.percent(), sums);
        Self { site: name, url, weight, settings_weight, percent, state, capacity, open, calls, failed, probe_failures }
    }
}

/// The rail of a channel's name, whether a channel is configured for it or not.
///
/// # Errors
/// `value_invalid`, with the names there are.
pub(crate) fn rail(RailName(name): &RailName) -> Result<Rail, ApiError> {
    word(name, "rail", &Rail::ALL, Rail::name)
}

/// The name of a channel in a path, whether one is configured under it or not.
///
/// # Errors
/// As [`named`].
pub(crate) fn name(RailName(text): &RailName) -> Result<ChannelName, ApiError> {
    named(text, "rail")
}

/// The name of a channel in `param`.
///
/// # Errors
/// `field_malformed`, with the names there are.
pub(crate) fn named(text: &str, param: &str) -> Result<ChannelName, ApiError> {
    ChannelName::parse(&text.to_ascii_lowercase()).ok_or_else(|| {
        let names = Rail::ALL.map(Rail::name).join(", ");
        let message = format!("'{text:.64}' is none of {names}, and no further channel of theirs, such as unionpay_b");
        ApiError::malformed(param, message)
    })
}

/// The channel of a name.
///
/// # Errors
/// `channel_unknown`.
pub(crate) fn route<'a>(app: &'a App, name: &ChannelName) -> Result<&'a Route, ApiError> {
    let unknown = || {
        let message = format!("no channel is configured for {name}; add one to [[channels]]");
        ApiError::new("channel_unknown", Some("rail"), message)
    };
    app.executor.routes.get(name).ok_or_else(unknown)
}

/// List channels
#[utoipa::path(get, path = "/v1/channels", tag = "channel", responses((status = OK, body = ChannelsView)))]
pub(crate) async fn list(State(app): State<App>, caller: Caller) -> Answered<ChannelsView> {
    caller.operator()?;
    let routes = app.executor.routes.iter();
    let data = routes.map(|(name, route)| ChannelView::of(name, route, &route.sites.seen())).collect();
    // What is not of the state is shown with the state's position, as everything.
    let ((), position) = app.platform.read(|_| ()).await?;
    Ok(Answer { view: ChannelsView { data }, position, repeated: false })
}

/// List a channel's sites
///
/// As they stand in the process that answers.
#[utoipa::path(
    get, path = "/v1/channels/{rail}/sites", tag = "channel",
    params(("rail" = String, Path, example = "epcc")), responses((status = OK, body = SitesView))
)]
pub(crate) async fn sites(State(app): State<App>, caller: Caller, Id(called): Id<RailName>) -> Answered<SitesView> {
    caller.operator()?;
    let name = name(&called)?;
    let route = route(&app, &name)?;
    let seen = route.sites.seen();
    let channel = ChannelView::of(&name, route, &seen);
    let data = seen.sites.into_iter().map(SiteView::of).collect();
    let version = move |state: &domain::State| state.site_weights_of(&name).map(|weights| weights.version);
    let (version, position) = app.platform.read(version).await?;
    Ok(Answer { view: SitesView { channel, version, data }, position, repeated: false })
}
