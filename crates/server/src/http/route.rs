//! Where a payment would go now: the rules in force, with the rates of success that they see.

use axum::extract::State;
use channels::routing::{Asked, Paying, Verdict, is_bank};
use domain::channel::ChannelName;
use domain::money::Minor;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::answer::{Answer, Answered};
use super::auth::Caller;
use super::error::ApiError;
use super::extract::Query;
use super::payment::card_channel;
use super::rates::RateView;
use super::wire::word;

/// A payment that names no channel, or a payout.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RouteQuery {
    /// `debit_card`, `credit_card`, `redirect` or `payout`.
    #[param(example = "debit_card")]
    instrument: String,
    /// The first three digits of the bank's interbank number.
    #[param(example = "102")]
    bank: Option<String>,
    /// Minor units.
    #[param(example = 500_000)]
    amount: Minor,
    /// Channels that the card has agreements at, by name, with commas between; all that are configured unless said. Of a payout all that
    /// pay out.
    #[param(example = "epcc,unionpay,unionpay_acme")]
    offered: Option<String>,
}

/// What became of a rule.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VerdictView {
    rule: String,
    /// Whether it chose.
    matched: bool,
    /// Why it did not match, or what it left out.
    why: Vec<String>,
}

impl From<Verdict> for VerdictView {
    fn from(Verdict { rule, matched, why }: Verdict) -> Self {
        Self { rule, matched, why }
    }
}

/// How often a channel succeeds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChannelSuccessView {
    #[schema(example = "epcc")]
    channel: String,
    effective: RateView,
}

/// Where a payment would go.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RouteView {
    /// The rule that chose; null if none matched.
    rule: Option<String>,
    /// The channels in the order in which they are asked: further ones only after a definite failure. Empty: nothing carries it.
    #[schema(example = json!(["unionpay", "epcc"]))]
    channels: Vec<String>,
    /// Every rule that was looked at.
    rules: Vec<VerdictView>,
    /// What the rules know of channels: the success of the last `routing.success_days` days.
    success: Vec<ChannelSuccessView>,
}

/// Say where a payment would go now
///
/// By the rules in force and the rates of success that they see, at most ten seconds old. Nothing is paid.
#[utoipa::path(get, path = "/v1/routes", tag = "route", params(RouteQuery), responses((status = OK, body = RouteView)))]
pub(crate) async fn explain(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<RouteQuery>,
) -> Answered<RouteView> {
    caller.operator()?;
    let paying = word(&query.instrument, "instrument", &Paying::ALL, Paying::name)?;
    if let Some(bank) = query.bank.as_deref().filter(|bank| !is_bank(bank)) {
        let message = format!("'{bank}': use the first three digits of the bank's interbank number, such as 102");
        return Err(ApiError::malformed("bank", message));
    }
    if query.amount <= 0 {
        return Err(ApiError::malformed("amount", format!("{} is no amount to pay: use 1 or more", query.amount)));
    }
    let offered = match query.offered.as_deref() {
        None => app.router.offered(paying),
        Some(names) => {
            let named = names.split(',').map(|name| card_channel(name.trim(), "offered"));
            let mut named = named.collect::<Result<Vec<_>, _>>()?;
            named.retain(|name| paying.travels(name.rail));
            named
        }
    };
    let asked = Asked { paying, bank: query.bank, amount: query.amount, offered };
    let explained = app.router.explain(&asked).await;
    let (route, success) = explained.map_err(|error| ApiError::internal("reading rates of success", &error))?;
    let view = RouteView {
        rule: route.rule,
        channels: route.channels.iter().map(ChannelName::to_string).collect(),
        rules: route.verdicts.into_iter().map(VerdictView::from).collect(),
        success: success
            .into_iter()
            .map(|(name, rate)| ChannelSuccessView { channel: name.to_string(), effective: rate.into() })
            .collect(),
    };
    let Answer { position, .. } = app.look(|_| Ok(())).await?;
    Ok(Answer { view, position, repeated: false })
}
