//! Exchange rates: look at them, withdraw one. Setting one takes two people, so it is a proposal.

use axum::extract::State;
use domain::exchange_rate::{ExchangeRate, ExchangeRateCommand, RateDirection, SetExchangeRate};
use domain::ids::ExchangeRateId;
use domain::money::Currency;
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::approval::Wire;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{digest, time, time_text, word};

/// A rate to set, as two people decide it: 1 of `base` is `value` / 10^`decimals` of `quote`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExchangeRateBody {
    #[schema(example = "USD")]
    base: String,
    #[schema(example = "CNY")]
    quote: String,
    /// `base_to_quote` for who gives the base currency, `quote_to_base` for who gives the quote currency.
    #[schema(example = "base_to_quote")]
    direction: String,
    /// Above zero.
    #[schema(example = 71_234)]
    value: i64,
    /// At most 8.
    #[schema(example = 4)]
    decimals: u8,
    /// Who published it.
    #[schema(example = "Bank of China")]
    source: String,
    /// The SHA-256 of the document that shows it.
    document: String,
    /// It converts from then on.
    #[schema(example = "2026-03-05T01:30:00Z")]
    valid_from: String,
    /// It converts until before then.
    #[schema(example = "2026-03-06T01:30:00Z")]
    valid_until: String,
}

impl Wire for ExchangeRateBody {
    type Of = SetExchangeRate;

    fn read(self) -> Result<SetExchangeRate, ApiError> {
        Ok(SetExchangeRate {
            base: Currency::parse(&self.base)?,
            quote: Currency::parse(&self.quote)?,
            direction: word(&self.direction, "direction", &RateDirection::ALL, RateDirection::name)?,
            value: self.value,
            decimals: self.decimals,
            source: self.source,
            document: digest(&self.document, "document")?,
            valid_from: time(&self.valid_from, "valid_from")?,
            valid_until: time(&self.valid_until, "valid_until")?,
        })
    }

    fn show(of: &SetExchangeRate) -> Self {
        Self {
            base: of.base.code().to_owned(),
            quote: of.quote.code().to_owned(),
            direction: of.direction.name().to_owned(),
            value: of.value,
            decimals: of.decimals,
            source: of.source.clone(),
            document: hex::encode(*of.document),
            valid_from: time_text(of.valid_from),
            valid_until: time_text(of.valid_until),
        }
    }
}

/// An exchange rate: 1 of `base` is `value` / 10^`decimals` of `quote`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExchangeRateView {
    #[schema(example = "fxr_1")]
    id: String,
    #[schema(example = "USD")]
    base: &'static str,
    #[schema(example = "CNY")]
    quote: &'static str,
    /// `base_to_quote` for who gives the base currency, `quote_to_base` for who gives the quote currency.
    direction: &'static str,
    #[schema(example = 71_234)]
    value: i64,
    #[schema(example = 4)]
    decimals: u8,
    /// Who published it.
    source: String,
    /// The SHA-256 of the document that shows it.
    document: String,
    valid_from: String,
    valid_until: String,
    /// `future`, `valid`, `expired` or `withdrawn`.
    status: &'static str,
    set_at: String,
    /// Who proposed it.
    operator: String,
    /// Who approved it.
    approver: Option<String>,
    withdrawn_at: Option<String>,
    withdrawn_by: Option<String>,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

impl ExchangeRateView {
    fn of(state: &domain::State, rate: &ExchangeRate) -> Self {
        let ExchangeRate { id, terms, set_at, operator, approver, withdrawn } = rate;
        Self {
            id: id.to_string(),
            base: terms.base.code(),
            quote: terms.quote.code(),
            direction: terms.direction.name(),
            value: terms.value,
            decimals: terms.decimals,
            source: terms.source.clone(),
            document: hex::encode(*terms.document),
            valid_from: time_text(terms.valid_from),
            valid_until: time_text(terms.valid_until),
            status: rate.status(state.now),
            set_at: time_text(*set_at),
            operator: operator.clone(),
            approver: approver.clone(),
            withdrawn_at: withdrawn.as_ref().map(|it| time_text(it.at)),
            withdrawn_by: withdrawn.as_ref().map(|it| it.operator.clone()),
            allowed_actions: rate.allowed_actions(state.now).to_vec(),
        }
    }
}

/// Withdraw an exchange rate
///
/// Nothing converts at it from then on; what was converted stays.
#[utoipa::path(
    post, path = "/v1/exchange-rates/{id}/withdraw", tag = "exchange_rate",
    params(("id" = String, Path, example = "fxr_1")), responses((status = OK, body = ExchangeRateView))
)]
pub(crate) async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    Id(rate): Id<ExchangeRateId>,
) -> Answered<ExchangeRateView> {
    caller.operator()?;
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::ExchangeRate(id) = reply else { return None };
        state.exchange_rates.get(id.0).map(|rate| ExchangeRateView::of(state, rate))
    };
    app.change(caller.meta()?, Command::ExchangeRate(ExchangeRateCommand::Withdraw(rate)), view).await
}

/// Look at an exchange rate
#[utoipa::path(
    get, path = "/v1/exchange-rates/{id}", tag = "exchange_rate", params(("id" = String, Path, example = "fxr_1")),
    responses((status = OK, body = ExchangeRateView))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExchangeRateId>,
) -> Answered<ExchangeRateView> {
    caller.operator()?;
    app.look(move |state| state.exchange_rate(id).map(|rate| ExchangeRateView::of(state, rate))).await
}

list_query! {
    /// Which exchange rates.
    pub(crate) struct ExchangeRateQuery {
        /// For who gives this currency.
        sold,
        /// For who gets this currency.
        bought,
    }
}

/// List exchange rates
#[utoipa::path(
    get, path = "/v1/exchange-rates", tag = "exchange_rate", params(ExchangeRateQuery),
    responses((status = OK, body = PageView<ExchangeRateView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ExchangeRateQuery>,
) -> ListAnswer<ExchangeRateView> {
    caller.operator()?;
    let filter = store::exchange_rate::ExchangeRateFilter {
        sold: query.sold.as_deref().map(Currency::parse).transpose()?,
        bought: query.bought.as_deref().map(Currency::parse).transpose()?,
    };
    app.list(filter, query.page(), ExchangeRateView::of).await
}
