//! Success rates of channels, by channel, product and bank, with everything they are made of.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::calendar::Date;
use domain::rates::channel::{self, Direction, RateKey};
use serde::{Deserialize, Serialize};
use store::channel_rate::{self, Ends};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::Query;
use super::rates::RateView;
use super::wire::{date_text, parse_some, word};

/// The most days that are added up at once.
const DAYS: i32 = 400;

/// Which tries, and what they are told apart by.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChannelRatesQuery {
    /// Tries that were asked for on this day or later; on `to` unless said.
    #[param(example = "2026-03-01")]
    from: Option<String>,
    /// On this day or earlier; today unless said.
    #[param(example = "2026-03-06")]
    to: Option<String>,
    /// `in`, `out`, `back`, `check` or `sign_up`; all unless said.
    direction: Option<String>,
    /// Of `date`, `channel`, `product` and `bank`, with commas between: what a row is. `channel` unless said. The direction always is.
    #[param(example = "channel,bank")]
    by: Option<String>,
}

/// By what tries are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Date,
    Channel,
    Product,
    Bank,
}

impl By {
    const ALL: [Self; 4] = [Self::Date, Self::Channel, Self::Product, Self::Bank];

    const fn name(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Channel => "channel",
            Self::Product => "product",
            Self::Bank => "bank",
        }
    }
}

/// Whose failures they were.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailuresView {
    /// Of payers: no money, a wrong code; elements that are not one person's.
    user: u64,
    /// Of risk rules.
    risk: u64,
    /// Of banks.
    bank: u64,
    /// Of systems between.
    system: u64,
    /// The channel never saw them.
    not_found: u64,
}

/// How the tries of one group ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChannelRateView {
    /// `in` from payers, `out` to receivers, `back` to payers; what moves no money: `check`, real-name checks, and `sign_up`, signings of
    /// agreements.
    #[schema(example = "in")]
    direction: &'static str,
    /// The day on which they were asked for; null where days are added up. So with the others.
    date: Option<String>,
    #[schema(example = "epcc")]
    channel: Option<String>,
    /// The payer's product; of what goes out `payout`, `withdrawal`, `deduction` or `advance`.
    #[schema(example = "rent")]
    product: Option<String>,
    /// The first three digits of the bank's interbank number; empty where it is not known, as of pages and of agreements that were signed
    /// elsewhere and are named without it.
    #[schema(example = "102")]
    bank: Option<String>,
    tries: u64,
    success: u64,
    failures: FailuresView,
    /// Asked for on an earlier day, and without an answer.
    unknown: u64,
    /// 有效成功率: success / (success + failures of systems + never seen + unknown).
    effective: RateView,
}

/// Success rates of channels.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChannelRatesView {
    #[schema(example = "2026-03-01")]
    from: String,
    #[schema(example = "2026-03-06")]
    to: String,
    data: Vec<ChannelRateView>,
}

type Group = (Direction, Option<Date>, Option<String>, Option<String>, Option<String>);

fn group(key: &RateKey, by: &[By]) -> Group {
    let is = |wanted| by.contains(&wanted);
    let text = |wanted, text: &str| is(wanted).then(|| text.to_owned());
    let (product, bank) = (text(By::Product, &key.product), text(By::Bank, &key.bank));
    let channel = is(By::Channel).then(|| key.channel.to_string());
    (key.direction, is(By::Date).then_some(key.date), channel, product, bank)
}

fn view((direction, date, channel, product, bank): Group, ends: &Ends) -> ChannelRateView {
    let Ends { success, user, risk, bank: by_bank, system, not_found, unknown } = *ends;
    ChannelRateView {
        direction: direction.name(),
        date: date.map(date_text),
        channel,
        product,
        bank,
        tries: ends.tries(),
        success,
        failures: FailuresView { user, risk, bank: by_bank, system, not_found },
        unknown,
        effective: ends.effective().into(),
    }
}

/// Success rates of channels
///
/// By direction and what you ask for: how many tries, how each kind ended, and the effective success with numerator and
/// denominator. A try counts on the day on which it was asked for, whenever it was answered.
#[utoipa::path(
    get, path = "/v1/rates/channels", tag = "rates", params(ChannelRatesQuery),
    responses((status = OK, body = ChannelRatesView))
)]
pub(crate) async fn channels(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ChannelRatesQuery>,
) -> Answered<ChannelRatesView> {
    caller.operator()?;
    let today = Date::in_shanghai(app.clock.now());
    let to = parse_some(query.to.as_deref(), "to")?.unwrap_or(today);
    let from = parse_some(query.from.as_deref(), "from")?.unwrap_or(to);
    if from > to || to.0.saturating_sub(from.0) > DAYS {
        let message =
            format!("{} to {} is no span; use up to {DAYS} days, the earlier first", date_text(from), date_text(to));
        return Err(ApiError::malformed("from", message));
    }
    let direction = query.direction.as_deref();
    let direction = direction.map(|text| word(text, "direction", &Direction::ALL, Direction::name)).transpose()?;
    let by = query.by.as_deref().unwrap_or("channel").split(',');
    let by = by.map(|text| word(text.trim(), "by", &By::ALL, By::name)).collect::<Result<Vec<_>, _>>()?;

    let missing = move |state: &domain::State| Ok(channel::unknown(state, today).collect::<Vec<_>>());
    let answer = app.look(missing).await?;
    let store = app.books.store.clone();
    let failed = |error| ApiError::internal("reading rates", &error);
    let counted = app.blocking(move || channel_rate::between(&store, from, to).map_err(failed)).await?;
    Ok(answer.map(|unknown| {
        let mut groups: BTreeMap<Group, Ends> = BTreeMap::new();
        let wanted = |key: &RateKey| {
            (from..=to).contains(&key.date) && direction.is_none_or(|direction| direction == key.direction)
        };
        let unknown = unknown.into_iter().map(|key| (key, Ends { unknown: 1, ..Ends::default() }));
        for (key, ends) in counted.into_iter().chain(unknown).filter(|(key, _)| wanted(key)) {
            groups.entry(group(&key, &by)).or_default().add(&ends);
        }
        let data = groups.into_iter().map(|(group, ends)| view(group, &ends)).collect();
        ChannelRatesView { from: date_text(from), to: date_text(to), data }
    }))
}

#[cfg(test)]
mod tests {
    use domain::attempt::Rail;
    use serde_json::json;

    use super::*;

    /// Each class of failure under its own name; payers, risk rules and banks are not in the denominator, and what nobody knows is.
    #[test]
    fn every_class_of_failure_is_shown_and_the_rate_has_those_of_systems() {
        let (product, bank) = (String::from("rent"), String::from("102"));
        let date = "2026-03-05".parse().unwrap();
        let key = RateKey { date, direction: Direction::In, channel: Rail::Epcc.into(), product, bank };
        let ends = Ends { success: 92, user: 20, risk: 30, bank: 40, system: 5, not_found: 2, unknown: 1 };
        let shown = |by: &[By]| serde_json::to_value(view(group(&key, by), &ends)).unwrap();
        assert_eq!(
            shown(&[By::Channel, By::Product, By::Bank]),
            json!({
                "direction": "in", "date": null, "channel": "epcc", "product": "rent", "bank": "102",
                "tries": 190, "success": 92,
                "failures": {"user": 20, "risk": 30, "bank": 40, "system": 5, "not_found": 2}, "unknown": 1,
                "effective": {"numerator": 92, "denominator": 100, "percent": "92.000"},
            })
        );
        let by_day = shown(&[By::Date]);
        assert_eq!(
            (&by_day["date"], &by_day["channel"], &by_day["bank"]),
            (&json!("2026-03-05"), &json!(null), &json!(null))
        );
    }
}
