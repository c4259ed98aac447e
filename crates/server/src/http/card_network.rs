//! The card network as this process is connected to it: its links, and how each stands.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::answer::{Answer, Answered};
use super::auth::Caller;
use super::error::ApiError;
use crate::pos::link::Network;
use crate::pos::link::status::{LinkStatus, NetworkStatus};
use crate::pos::network::CardNetwork as _;

/// A link.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CardNetworkLinkView)]
pub(crate) struct LinkView {
    #[schema(example = "a")]
    link: String,
    /// Host and port.
    #[schema(example = "192.0.2.10:7800")]
    address: String,
    /// Its share of requests; 0: none.
    #[schema(example = 3)]
    weight: u32,
    /// `up`; `down`, `connecting`, `signing_on`; `resting`: the network signed off and takes nothing new; `stopped`.
    #[schema(example = "up")]
    state: &'static str,
    /// How long it has stood so.
    #[schema(example = 86_400_000)]
    for_ms: u64,
    /// How long ago something came by it; null before anything did.
    #[schema(example = 1_200)]
    heard_ms: Option<u64>,
    /// Connections made since the start.
    connects: u64,
    /// Messages written since the start.
    sent: u64,
    /// Messages read since the start.
    came: u64,
}

/// A card network.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CardNetworkView {
    #[schema(example = "unionpay")]
    network: String,
    /// The institution's code there.
    #[schema(example = "48021000")]
    member: String,
    /// The key into which PINs are translated.
    #[schema(example = "zone/unionpay/pin")]
    pin_key: String,
    /// The key into which tracks are translated; null where they go out readable.
    track_key: Option<String>,
    /// Requests whose answer is waited for.
    waiting: usize,
    /// How many links are up.
    up: usize,
    links: Vec<LinkView>,
}

impl CardNetworkView {
    fn of(network: &Arc<Network>) -> Self {
        let NetworkStatus { name, waiting, links } = network.status();
        let (member, pin_key) = (network.member().to_owned(), network.pin_key().to_owned());
        let track_key = network.track_key().map(ToOwned::to_owned);
        let links: Vec<LinkView> = links.into_iter().map(LinkView::of).collect();
        let up = links.iter().filter(|link| link.state == "up").count();
        Self { network: name, member, pin_key, track_key, waiting, up, links }
    }
}

impl LinkView {
    fn of(status: LinkStatus) -> Self {
        let LinkStatus { name, address, weight, state, for_ms, heard_ms, connects, sent, came } = status;
        Self { link: name, address, weight, state, for_ms, heard_ms, connects, sent, came }
    }
}

/// Look at the card network's links
///
/// `channel_unknown` where the settings name no card network.
#[utoipa::path(get, path = "/v1/card-network", tag = "channel", responses((status = OK, body = CardNetworkView)))]
pub(crate) async fn get(State(app): State<App>, caller: Caller) -> Answered<CardNetworkView> {
    caller.operator()?;
    let unknown = || {
        let message = "no card network is configured; set pos.network.name and its links";
        ApiError::new("channel_unknown", None, message)
    };
    let view = CardNetworkView::of(app.card_network.as_ref().ok_or_else(unknown)?);
    // What is not of the state is shown with the state's position, as everything.
    let ((), position) = app.platform.read(|_| ()).await?;
    Ok(Answer { view, position, repeated: false })
}
