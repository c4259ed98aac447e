//! Payments: one try at an order by a card or at the channel's page, a provident fund, or both together; or from the payer's balance.

use std::collections::BTreeMap;

use axum::extract::State;
use channels::routing::{Asked, Paying};
use domain::Command;
use domain::attempt::{FailureClass, Rail};
use domain::channel::ChannelName;
use domain::fund_batch::{self, Monthly};
use domain::ids::OrderId;
use domain::leg::{Alternative, Instrument, Leg, OnPart};
use domain::limit::Factors;
use domain::money::Minor;
use domain::sign_up::CardFacts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::order::{OrderView, seller};
use super::pay_password::{Asks, Payer};
use super::sensitive::Encrypted;
use super::wait::{Wait, Waited};
use super::wire::{Amount, parse, time_text, word};
use crate::shell::fund_batch as shell;

/// Rails that cards travel over.
pub(super) const CARD_RAILS: [Rail; 2] = [Rail::Epcc, Rail::UnionPay];
/// What stands in place of a rail where no channel carries the money.
pub(super) const NO_RAIL: &str = "balance";
/// Rails over which an agreement is debited that is named with its rail.
const DEBIT_RAILS: [Rail; 3] = [Rail::Epcc, Rail::UnionPay, Rail::PingAn];

/// What pays: Σ amounts = the order's `payable`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Payment {
    /// At most one card or redirect, and one fund; or a balance alone.
    instruments: Vec<WireInstrument>,
    /// The payer's pay password, encrypted: of a user that has one which payments by agreement ask for. A balance always asks for it, and
    /// a merchant takes none without it.
    pay_password: Option<Encrypted>,
}

/// One instrument of a payment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum WireInstrument {
    /// A bank card under a signed agreement (协议支付).
    Card {
        /// The agreement's number at the network `rail` (over `pingan`: `SUB-ACCOUNT-MEMBER`); never a card number.
        #[schema(example = "A20260101000017")]
        agreement: Option<String>,
        /// In place of `rail` and `agreement`: the agreement at each channel over which the card may pay, by the channel's name (`epcc`,
        /// `unionpay`, or a further one of theirs, such as `unionpay_acme`); the rules of routing choose.
        #[serde(default)]
        agreements: BTreeMap<String, String>,
        /// The card as it may be shown: 6 + 4.
        #[schema(example = "622202******2230")]
        mask: String,
        /// `epcc`, `unionpay` or `pingan`: its first channel.
        #[schema(example = "epcc")]
        rail: Option<String>,
        /// The first three digits of the bank's interbank number (联行号), where it is known. Of an agreement that was signed here the
        /// signing's counts.
        #[schema(example = "102")]
        bank: Option<String>,
        /// Minor units above zero; 0 for a card that stands by for a fund's shortfall.
        amount: Amount,
        /// A credit card pays no house price. Of an agreement that was signed here what its signing says counts.
        #[serde(default)]
        credit: bool,
    },
    /// The payer's provident fund (公积金): rent items only.
    Fund {
        /// The lease's number at the centre.
        #[schema(example = "L2026-118")]
        contract: String,
        /// Minor units above zero.
        amount: Amount,
        /// Whether the centre holds money first; true unless said or `period` is.
        holds: Option<bool>,
        /// The month of the rent, where the centre pays by its monthly batch: the payment waits for the batch of this month, and the
        /// card is asked for its part once the centre has paid. Where the city's settings say so it must be asked for before the month's
        /// cut-off (`fund_cut_off_passed`), and the centre is asked at once how much it would pay (`fund_over_quota`,
        /// `fund_lease_unknown`, `fund_months_too_few`, `fund_draws_used_up`).
        #[schema(example = "2026-03")]
        period: Option<String>,
        /// Whether the card pays what the centre does not pay: of a month's batch, or at once, where the channel's setting `in_part` says
        /// that the centre may pay a part. Name a card beside, with amount 0 if it pays nothing else.
        #[serde(default)]
        shortfall_by_card: bool,
    },
    /// The payer pays at the channel's own page (网关支付), which `GET /v1/orders/{id}/front-page` leads to.
    Redirect {
        /// `epcc` or `unionpay`; the rules of routing choose unless said, and always among several channels of one.
        #[schema(example = "unionpay")]
        rail: Option<String>,
        /// Minor units above zero.
        amount: Amount,
        /// Where the payer's browser goes afterwards, `https://…` of at most 256 characters; the channel's setting unless said.
        #[schema(example = "https://shop.example/orders/7")]
        return_url: Option<String>,
    },
    /// The payer's balance with the institution (余额支付): it pays the whole order alone, at once.
    Balance {
        /// The payer's own account, 2201.
        #[schema(example = "acc_42")]
        account: String,
        /// Minor units above zero.
        amount: Amount,
        /// How the payer proved itself: `two_with_certificate`, `two` or `fewer`; `fewer` unless said. The day's limit follows from it. Only
        /// the institution may say more than `fewer`: a merchant has the payer's pay password, which is one factor.
        #[schema(example = "two")]
        factors: Option<String>,
    },
}

/// The instruments of a request, an error naming which is wrong. Where one names no channel, the rules of routing choose.
pub(crate) async fn instruments(app: &App, wire: Vec<WireInstrument>) -> Result<Vec<Instrument>, ApiError> {
    let mut instruments = Vec::with_capacity(wire.len());
    for (index, wire) in wire.into_iter().enumerate() {
        let instrument = wire.instrument(app).await;
        instruments.push(instrument.map_err(|error| error.within(&format!("instruments[{index}]")))?);
    }
    Ok(instruments)
}

impl WireInstrument {
    async fn instrument(self, app: &App) -> Result<Instrument, ApiError> {
        Ok(match self {
            Self::Card { agreement, agreements, mask, rail, bank, amount: Amount(amount), credit } => {
                let mut route = match (rail, agreement) {
                    (Some(rail), Some(agreement)) if agreements.is_empty() => {
                        let rail = word(&rail, "rail", &DEBIT_RAILS, Rail::name)?;
                        vec![Alternative { rail, agreement, channel: None }]
                    }
                    (None, None) if !agreements.is_empty() => {
                        let offered = offered(&agreements)?;
                        let channels = offered.iter().map(Alternative::channel_name).collect();
                        let facts = recorded(app, &offered, CardFacts { credit, bank: bank.clone() }).await?;
                        let paying = if facts.credit { Paying::CreditCard } else { Paying::DebitCard };
                        let asked = Asked { paying, bank: facts.bank, amount, offered: channels };
                        let route = routed(app, &asked).await?;
                        let of = |name: &ChannelName| offered.iter().find(|it| it.channel_name() == *name).cloned();
                        route.iter().filter_map(of).collect()
                    }
                    _ => {
                        let message = "name rail and agreement, or agreements alone, and the rules of routing choose";
                        return Err(ApiError::malformed("agreement", message));
                    }
                };
                if route.is_empty() {
                    return Err(nowhere());
                }
                let Alternative { rail, agreement, channel } = route.remove(0);
                Instrument::Card { agreement, mask, rail, amount, credit, bank, alternatives: route, channel }
            }
            Self::Fund { contract, amount: Amount(amount), holds, period, shortfall_by_card } => {
                let holds = holds.unwrap_or(period.is_none());
                let on_part = if period.is_none() { on_part(app, shortfall_by_card)? } else { None };
                let monthly = monthly(app, &contract, period, shortfall_by_card).await?;
                Instrument::Fund { contract, amount, holds, monthly, on_part }
            }
            Self::Redirect { rail, amount: Amount(amount), return_url } => {
                let ChannelName { rail, word: channel } = page_channel(app, rail.as_deref(), amount).await?;
                Instrument::Redirect { rail, amount, return_url, channel }
            }
            Self::Balance { account, amount: Amount(amount), factors } => Instrument::Balance {
                account: parse(&account, "account")?,
                amount,
                factors: match factors {
                    Some(factors) => word(&factors, "factors", &Factors::ALL, Factors::name)?,
                    None => Factors::Fewer,
                },
            },
        })
    }
}

/// The channel whose page the payer is sent to: the only one of the network that is named, or where the rules of routing send such a
/// payment among those of that network, or of all.
pub(super) async fn page_channel(app: &App, rail: Option<&str>, amount: Minor) -> Result<ChannelName, ApiError> {
    let rail = rail.map(|rail| word(rail, "rail", &CARD_RAILS, Rail::name)).transpose()?;
    let may = |name: &&ChannelName| rail.map_or(CARD_RAILS.contains(&name.rail), |rail| rail == name.rail);
    let offered: Vec<_> = app.executor.routes.keys().filter(may).cloned().collect();
    match rail {
        Some(rail) if offered.len() < 2 => Ok(ChannelName::from(rail)),
        Some(_) | None => {
            let asked = Asked { paying: Paying::Redirect, bank: None, amount, offered };
            routed(app, &asked).await?.into_iter().next().ok_or_else(nowhere)
        }
    }
}

/// What follows where a fund pays a part at once: only of a centre that may, by the settings of its channel.
fn on_part(app: &App, converts: bool) -> Result<Option<OnPart>, ApiError> {
    let takes = app.executor.first(Rail::Fund).is_some_and(|route| route.channel.manifest().in_part);
    match (takes, converts) {
        (true, true) => Ok(Some(OnPart::Convert)),
        (true, false) => Ok(Some(OnPart::Undo)),
        (false, false) => Ok(None),
        (false, true) => {
            let message =
                "this centre pays all or nothing at once; a shortfall is one of a month's batch: name its period";
            Err(ApiError::malformed("shortfall_by_card", message))
        }
    }
}

/// How a fund pays by a month's batch: to whom and until when are settings of the city's channel, and how much is what its centre says now.
async fn monthly(
    app: &App,
    contract: &str,
    period: Option<String>,
    converts: bool,
) -> Result<Option<Monthly>, ApiError> {
    let Some(period) = period else { return Ok(None) };
    let Some(centre) = shell::route(&app.executor)?.channel.fund_centre() else { return Ok(None) };
    let month = fund_batch::month_of(&period)?;
    fund_batch::check_contract(contract)?;
    let quota = shell::quota(&app.executor, contract, &period).await?;
    let quota = quota.map(|(rules, lease)| rules.judge(lease.as_ref(), month));
    let cut_off = match centre.cut_off {
        None => None,
        Some(cut_off) => {
            let period = period.clone();
            Some(app.look(move |state| cut_off.of(&period, &state.calendar)).await?.view)
        }
    };
    Ok(Some(Monthly { period, route: centre.route, converts, cut_off, quota }))
}

/// The channels at which a card has agreements.
fn offered(agreements: &BTreeMap<String, String>) -> Result<Vec<Alternative>, ApiError> {
    let offer = |(name, agreement): (&String, &String)| {
        let ChannelName { rail, word: channel } = card_channel(name, "agreements")?;
        Ok(Alternative { rail, agreement: agreement.clone(), channel })
    };
    agreements.iter().map(offer).collect()
}

/// The name of a channel that carries cards.
///
/// # Errors
/// `field_malformed`.
pub(super) fn card_channel(text: &str, param: &str) -> Result<ChannelName, ApiError> {
    let name = super::channel::named(text, param)?;
    if CARD_RAILS.contains(&name.rail) {
        return Ok(name);
    }
    Err(ApiError::malformed(param, format!("cards do not travel over {name}: use a channel of epcc or unionpay")))
}

/// What the rules of routing go by: what signings of the card here recorded, and of others what is said of it. Whose they are the try's
/// own checks ask.
async fn recorded(app: &App, offered: &[Alternative], said: CardFacts) -> Result<CardFacts, ApiError> {
    let offered = offered.to_vec();
    let look = move |state: &domain::State| {
        let agreements = offered.iter().map(|other| (other.channel_name(), other.agreement.as_str()));
        Ok(said.clone().recorded(state, None, agreements))
    };
    Ok(app.look(look).await?.view)
}

/// Where the rules of routing send it: first the one that is asked, then where a definite failure goes on.
pub(super) async fn routed(app: &App, asked: &Asked) -> Result<Vec<ChannelName>, ApiError> {
    let route = app.router.route(asked).await.map_err(|error| ApiError::internal("choosing a channel", &error))?;
    let (rule, channels) = (route.rule.as_deref().unwrap_or("none"), &route.channels);
    tracing::debug!(rule, ?channels, amount = asked.amount, "a payment was routed");
    metrics::counter!("lintel_routed_total", "rule" => rule.to_owned()).increment(1);
    Ok(route.channels)
}

fn nowhere() -> ApiError {
    let message = "no channel that is configured may carry it: see `lintel route explain`";
    ApiError::new("channel_unknown", Some("agreements"), message)
}

/// One instrument's share of a try.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LegView {
    #[schema(example = "leg_9")]
    id: String,
    /// The order's try, from 1.
    try_number: u8,
    /// `card`, `fund`, `redirect` or `balance`.
    r#type: &'static str,
    /// The card's mask.
    mask: Option<String>,
    /// `epcc`, `unionpay`, `fund` or `pingan`; `balance` where no channel carries it.
    rail: &'static str,
    /// The channel that carries it: called as its rail, or a further one of that; `balance` where none does.
    #[schema(example = "unionpay_acme")]
    channel: String,
    amount: Amount,
    /// `created`, `sent`, `held`, `captured`, `failed`, `unknown`, `released` or `reversed`.
    #[schema(example = "captured")]
    status: String,
    /// The attempt whose answer it waits for.
    open_attempt: Option<String>,
    /// Whose failure it was: `user`, `risk`, `bank` or `system`.
    failure: Option<&'static str>,
    /// Nobody paid at its page before that expired, or before the order was closed.
    expired: bool,
    /// Its money lies where only a person can move it.
    needs_person: bool,
    /// The month whose batch it waits for, or was in.
    #[schema(example = "2026-03")]
    period: Option<String>,
    /// When the platform closes that batch by itself; nothing where the city's settings do not say.
    #[schema(example = "2026-03-25T09:00:00Z")]
    cut_off: Option<String>,
    /// To whom the centre pays the batch: `reserve`, or `direct` for the landlord, which is a memo here.
    #[schema(example = "reserve")]
    fund_route: Option<&'static str>,
    /// The clearing date that the network named.
    clearing_date: Option<String>,
    /// The clearing file's date that it was matched in; of a balance the day on which it paid.
    cleared: Option<String>,
    /// Refunded, or on its way back.
    refunded: Amount,
}

impl LegView {
    /// The leg as callers see it.
    pub(crate) fn of(leg: &Leg) -> Self {
        let (r#type, mask) = match &leg.instrument {
            Instrument::Card { mask, .. } => ("card", Some(mask.clone())),
            Instrument::Fund { .. } => ("fund", None),
            Instrument::Redirect { .. } => ("redirect", None),
            Instrument::Balance { .. } => ("balance", None),
        };
        Self {
            id: leg.id.to_string(),
            try_number: leg.try_number,
            r#type,
            mask,
            rail: leg.instrument.rail().map_or(NO_RAIL, Rail::name),
            channel: leg.instrument.channel_name().map_or_else(|| NO_RAIL.to_owned(), |name| name.to_string()),
            amount: Amount(leg.amount()),
            status: leg.status.name().to_owned(),
            open_attempt: leg.open.map(|id| id.to_string()),
            failure: leg.failure.map(FailureClass::name),
            expired: leg.expired,
            needs_person: leg.needs_person,
            period: leg.instrument.monthly().map(|monthly| monthly.period.clone()),
            cut_off: leg.instrument.monthly().and_then(|monthly| monthly.cut_off).map(time_text),
            fund_route: leg.instrument.monthly().map(|monthly| monthly.route.name()),
            clearing_date: leg.clearing_date.map(|date| date.to_string()),
            cleared: leg.cleared.map(|date| date.to_string()),
            refunded: Amount(leg.refunded),
        }
    }
}

/// Which of them ask for the payer's pay password.
pub(super) fn asks(instruments: &[WireInstrument]) -> Asks {
    let one = |instrument: &WireInstrument| match instrument {
        WireInstrument::Balance { factors, .. } => {
            let more = factors.as_deref().is_some_and(|factors| factors != Factors::Fewer.name());
            Asks::Balance { more_factors: more }
        }
        WireInstrument::Card { .. } => Asks::Agreement,
        WireInstrument::Fund { .. } | WireInstrument::Redirect { .. } => Asks::Nothing,
    };
    instruments.iter().map(one).max().unwrap_or(Asks::Nothing)
}

/// Pay an order
///
/// One try, answered once it is durably on its way, or with `wait` once it has ended; else how it ends is seen on the order.
/// Together with a fund the card is taken after the fund holds, and the fund is captured last; a fund with a `period` waits for its
/// monthly batch, and the card for what the centre says. Where the centre may pay a part at once, the card is asked for the shortfall if
/// `shortfall_by_card` says so (by a further leg, if it had paid its share before), else what was held or taken goes back. A `redirect`
/// waits for its payer, who is sent on by the order's front page. A `balance` has paid when this is answered.
#[utoipa::path(
    post, path = "/v1/orders/{id}/pay", tag = "payment", params(("id" = String, Path, example = "ord_7"), Wait),
    responses((status = OK, body = OrderView))
)]
pub(crate) async fn pay(
    State(app): State<App>,
    caller: Caller,
    Id(order): Id<OrderId>,
    Query(wait): Query<Wait>,
    Json(payment): Json<Payment>,
) -> Result<Waited, ApiError> {
    app.owned(&caller, move |state| seller(state, order)).await?;
    let meta = caller.meta()?;
    let asks = asks(&payment.instruments);
    let instruments = instruments(&app, payment.instruments).await?;
    app.prove_payment(&caller.actor, Payer::Of(order), asks, payment.pay_password.as_ref()).await?;
    app.change_order(meta, Command::PayOrder { order, instruments }, &wait).await
}
