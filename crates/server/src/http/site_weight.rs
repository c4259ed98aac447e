//! Weights of a channel's sites: the versions that were set, and taking the newest back. Setting them takes two people, by
//! an approval of kind `site_weights`.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::approval::Proposal;
use domain::channel::ChannelName;
use domain::operator::Role;
use domain::site_weight::{SetSiteWeights, SiteWeight, SiteWeightCommand, SiteWeights};
use domain::{Command, Refusal, RefusalCode, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::approval::Wire;
use super::auth::Caller;
use super::channel::{name, named, route};
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::notification::RailName;
use super::wire::time_text;

/// Weights to set.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SiteWeightsBody {
    /// The channel, by the rail that it carries; a further one by its own name.
    #[schema(example = "epcc")]
    channel: String,
    /// A weight a site: 0, which takes it out, to 1,000. A site that is not named gets that of the settings.
    #[schema(example = json!({"beijing": 8, "shanghai": 1}))]
    weights: BTreeMap<String, u32>,
}

impl Wire for SiteWeightsBody {
    type Of = SetSiteWeights;

    fn read(self) -> Result<SetSiteWeights, ApiError> {
        let ChannelName { rail, word: channel } = named(&self.channel, "channel")?;
        let weights = self.weights.into_iter().map(|(site, weight)| SiteWeight { site, weight }).collect();
        Ok(SetSiteWeights { rail, weights, channel })
    }

    fn show(of: &SetSiteWeights) -> Self {
        Self { channel: of.channel_name().to_string(), weights: by_name(&of.weights) }
    }
}

/// A version of the weights.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SiteWeightsView {
    #[schema(example = "swt_3")]
    id: String,
    #[schema(example = "epcc")]
    channel: String,
    /// The newest is in force.
    #[schema(example = 3)]
    version: u64,
    /// A weight a site; empty says that those of the settings are in force.
    #[schema(example = json!({"beijing": 8, "shanghai": 1}))]
    weights: BTreeMap<String, u32>,
    /// The version that it took back.
    undoes: Option<u64>,
    #[schema(example = "2026-03-05T01:00:00Z")]
    set_at: String,
    /// Who proposed it, or took back.
    operator: String,
    /// Who approved it.
    approver: Option<String>,
}

impl SiteWeightsView {
    fn of(of: &SiteWeights) -> Self {
        Self {
            id: of.id.to_string(),
            channel: of.channel_name().to_string(),
            version: of.version,
            weights: by_name(&of.weights),
            undoes: of.undoes,
            set_at: time_text(of.set_at),
            operator: of.set_by.clone(),
            approver: of.approver.clone(),
        }
    }
}

/// Which version to take back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Undo {
    /// The newest: named, so that two who undo at once take one version back.
    #[schema(example = 3)]
    version: u64,
}

/// Weights by the site's name.
pub(crate) fn by_name(weights: &[SiteWeight]) -> BTreeMap<String, u32> {
    weights.iter().map(|weight| (weight.site.clone(), weight.weight)).collect()
}

/// Refuses weights of sites that the settings do not name: the domain does not know them.
///
/// # Errors
/// `channel_unknown`; `value_invalid` with the names there are.
pub(crate) fn check(app: &App, proposal: &Proposal) -> Result<(), ApiError> {
    let Proposal::SiteWeights(set) = proposal else { return Ok(()) };
    let channel = set.channel_name();
    let known: Vec<String> =
        route(app, &channel)?.sites.seen().sites.into_iter().map(|(standing, _)| standing.name).collect();
    match set.weights.iter().find(|weight| !known.contains(&weight.site)) {
        None => Ok(()),
        Some(SiteWeight { site, .. }) => {
            let known = known.join(", ");
            let message = format!("'{site:.40}' is no site of {channel}; its sites are {known}");
            Err(Refusal::new(RefusalCode::ValueInvalid, "weights", message).into())
        }
    }
}

list_query! {
    /// Which page of the versions.
    pub(crate) struct SiteWeightsQuery {}
}

/// List the versions of the weights of a channel's sites
#[utoipa::path(
    get, path = "/v1/channels/{rail}/weights", tag = "channel",
    params(("rail" = String, Path, example = "epcc"), SiteWeightsQuery),
    responses((status = OK, body = PageView<SiteWeightsView>))
)]
pub(crate) async fn weights(
    State(app): State<App>,
    caller: Caller,
    Id(called): Id<RailName>,
    Query(query): Query<SiteWeightsQuery>,
) -> ListAnswer<SiteWeightsView> {
    caller.operator()?;
    let filter = store::site_weight::SiteWeightsFilter { channel: Some(name(&called)?) };
    app.list(filter, query.page(), |_, weights| SiteWeightsView::of(weights)).await
}

/// Take the newest version of the weights back
///
/// What stood before it is in force again, at once: it was set by two people, or by the settings. One person with the role
/// `treasurer` or `administrator` is enough.
#[utoipa::path(
    post, path = "/v1/channels/{rail}/weights/undo", tag = "channel",
    params(("rail" = String, Path, example = "epcc")), responses((status = OK, body = SiteWeightsView))
)]
pub(crate) async fn undo(
    State(app): State<App>,
    caller: Caller,
    Id(called): Id<RailName>,
    Json(body): Json<Undo>,
) -> Answered<SiteWeightsView> {
    caller.operator_with(&[Role::Treasurer, Role::Administrator])?;
    let command = SiteWeightCommand::Undo { channel: name(&called)?, version: body.version };
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::SiteWeights(id) = reply else { return None };
        state.site_weights.get(id.0).map(SiteWeightsView::of)
    };
    app.change(caller.meta()?, Command::SiteWeight(command), view).await
}
