//! Success rates of orders, each with numerator and denominator.

use axum::extract::State;
use domain::calendar::Date;
use domain::rates::{Rate, Rates};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::extract::Query;
use super::wire::{date_text, parse_some};

/// As seen on which day.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RatesQuery {
    /// Answers still missing count as lost from the day after their try. Today unless said.
    #[param(example = "2026-03-06")]
    date: Option<String>,
}

/// The success rates of all orders with a try.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RatesView {
    #[schema(example = "2026-03-06")]
    date: String,
    /// 有效成功率: success / (success + failed by a system + still unknown a day later).
    effective: RateView,
    /// 一次支付成功率: paid on the first try / orders tried, without those whose first try failed by payer or risk rule.
    first_try: RateView,
}

/// A rate as it was counted.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RateView {
    #[schema(example = 19_871)]
    numerator: u64,
    #[schema(example = 20_000)]
    denominator: u64,
    /// The quotient in percent with three decimals, rounded half up; null where nothing was counted.
    #[schema(example = "99.355")]
    percent: Option<String>,
}

impl From<Rate> for RateView {
    fn from(Rate { numerator, denominator }: Rate) -> Self {
        Self { numerator, denominator, percent: percent(numerator, denominator) }
    }
}

/// A quotient in percent with three decimals, rounded half up.
fn percent(numerator: u64, denominator: u64) -> Option<String> {
    let (numerator, denominator) = (u128::from(numerator), u128::from(denominator));
    let thousandths = (numerator * 200_000 + denominator).checked_div(denominator * 2)?;
    Some(format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000))
}

/// Success rates
#[utoipa::path(
    get, path = "/v1/rates", tag = "rates", params(RatesQuery), responses((status = OK, body = RatesView))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<RatesQuery>,
) -> Answered<RatesView> {
    caller.operator()?;
    let today = Date::in_shanghai(app.clock.now());
    let date = parse_some(query.date.as_deref(), "date")?.unwrap_or(today);
    app.look(move |state| {
        let Rates { effective, first_try } = Rates::of(state, date);
        Ok(RatesView { date: date_text(date), effective: effective.into(), first_try: first_try.into() })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_has_three_decimals_and_rounds_half_up() {
        let cases = [
            (0, 7, "0.000"),
            (7, 7, "100.000"),
            (2, 3, "66.667"),
            (1, 3, "33.333"),
            (1, 200_000, "0.001"),
            (1, 200_001, "0.000"),
            (19_871, 20_000, "99.355"),
            (u64::MAX, u64::MAX, "100.000"),
        ];
        for (numerator, denominator, text) in cases {
            assert_eq!(percent(numerator, denominator).as_deref(), Some(text), "{numerator} / {denominator}");
        }
        assert_eq!(percent(0, 0), None);
    }
}
