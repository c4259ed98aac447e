//! Card fees: what merchants' plans pay and what card schemes cost. Setting either takes two people, by an approval of kind
//! `card_fee`.

use axum::extract::State;
use domain::card_fee::{CardCost, CardFeeCommand, CardFeePlan, CardRate, CardScheme, SetCardCost, SetCardFeePlan};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::approval::Wire;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::Query;
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, date_text, parse, time_text, word};

/// A rate with a cap.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireCardRate {
    /// In millionths: 0.60 % is 6000.
    #[schema(example = 6_000)]
    rate: i64,
    /// The most it comes to, in fen; left out for no cap.
    #[schema(example = 1_300)]
    cap: Option<Amount>,
}

impl WireCardRate {
    fn read(self) -> CardRate {
        CardRate { rate: self.rate, cap: self.cap.map(|cap| cap.0) }
    }

    fn show(of: CardRate) -> Self {
        Self { rate: of.rate, cap: of.cap.map(Amount) }
    }
}

/// An approval's change of card fees.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum CardFeeChange {
    /// Set what merchants of a plan pay from a day on.
    SetPlan {
        /// The plan's name; 1 to 64 bytes.
        code: String,
        /// The first day on which it holds; not one that has passed.
        from: String,
        /// For debit cards.
        debit: WireCardRate,
        /// For credit cards.
        credit: WireCardRate,
    },
    /// Set what a scheme's issuers and its network keep from a day on.
    SetCost {
        /// `unionpay`, `visa`, `mastercard`, `american_express`, `jcb` or `diners_club`.
        scheme: String,
        /// The first day on which it holds; not one that has passed.
        from: String,
        /// The issuer's, for debit cards.
        debit: WireCardRate,
        /// The issuer's, for credit cards.
        credit: WireCardRate,
        /// The network's.
        network: WireCardRate,
    },
}

impl Wire for CardFeeChange {
    type Of = CardFeeCommand;

    fn read(self) -> Result<CardFeeCommand, ApiError> {
        Ok(match self {
            Self::SetPlan { code, from, debit, credit } => {
                let from = parse(&from, "from")?;
                CardFeeCommand::SetPlan(SetCardFeePlan { code, from, debit: debit.read(), credit: credit.read() })
            }
            Self::SetCost { scheme, from, debit, credit, network } => CardFeeCommand::SetCost(SetCardCost {
                scheme: word(&scheme, "scheme", &CardScheme::ALL, CardScheme::name)?,
                from: parse(&from, "from")?,
                debit: debit.read(),
                credit: credit.read(),
                network: network.read(),
            }),
        })
    }

    fn show(of: &CardFeeCommand) -> Self {
        match of {
            CardFeeCommand::SetPlan(SetCardFeePlan { code, from, debit, credit }) => Self::SetPlan {
                code: code.clone(),
                from: date_text(*from),
                debit: WireCardRate::show(*debit),
                credit: WireCardRate::show(*credit),
            },
            CardFeeCommand::SetCost(SetCardCost { scheme, from, debit, credit, network }) => Self::SetCost {
                scheme: scheme.name().to_owned(),
                from: date_text(*from),
                debit: WireCardRate::show(*debit),
                credit: WireCardRate::show(*credit),
                network: WireCardRate::show(*network),
            },
        }
    }
}

/// A version of what the merchants of a plan pay.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CardFeePlanView {
    #[schema(example = "cfp_1")]
    id: String,
    #[schema(example = "standard")]
    code: String,
    /// The first day on which it holds, until a later version does.
    #[schema(example = "2026-04-01")]
    from: String,
    debit: WireCardRate,
    credit: WireCardRate,
    set_at: String,
    /// Who proposed it.
    operator: String,
    approver: Option<String>,
    /// Nothing: a later version takes its place.
    allowed_actions: Vec<&'static str>,
}

impl CardFeePlanView {
    fn of(plan: &CardFeePlan) -> Self {
        Self {
            id: plan.id.to_string(),
            code: plan.code.clone(),
            from: date_text(plan.from),
            debit: WireCardRate::show(plan.debit),
            credit: WireCardRate::show(plan.credit),
            set_at: time_text(plan.set_at),
            operator: plan.set_by.clone(),
            approver: plan.approver.clone(),
            allowed_actions: Vec::new(),
        }
    }
}

/// A version of what a scheme's issuers and its network keep.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CardCostView {
    #[schema(example = "cco_1")]
    id: String,
    #[schema(example = "unionpay")]
    scheme: &'static str,
    /// The first day on which it holds, until a later version does.
    #[schema(example = "2026-04-01")]
    from: String,
    debit: WireCardRate,
    credit: WireCardRate,
    network: WireCardRate,
    set_at: String,
    /// Who proposed it.
    operator: String,
    approver: Option<String>,
    /// Nothing: a later version takes its place.
    allowed_actions: Vec<&'static str>,
}

impl CardCostView {
    fn of(cost: &CardCost) -> Self {
        Self {
            id: cost.id.to_string(),
            scheme: cost.scheme.name(),
            from: date_text(cost.from),
            debit: WireCardRate::show(cost.debit),
            credit: WireCardRate::show(cost.credit),
            network: WireCardRate::show(cost.network),
            set_at: time_text(cost.set_at),
            operator: cost.set_by.clone(),
            approver: cost.approver.clone(),
            allowed_actions: Vec::new(),
        }
    }
}

list_query! {
    /// Which versions of plans.
    pub(crate) struct CardFeePlanQuery {
        /// Of this name.
        code,
    }
}

/// List versions of the plans of card fees
#[utoipa::path(
    get, path = "/v1/card-fee-plans", tag = "card_fee", params(CardFeePlanQuery),
    responses((status = OK, body = PageView<CardFeePlanView>))
)]
pub(crate) async fn list_plans(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<CardFeePlanQuery>,
) -> ListAnswer<CardFeePlanView> {
    caller.operator()?;
    let page = query.page();
    let filter = store::card_fee::CardFeePlanFilter { code: query.code };
    app.list(filter, page, |_, plan| CardFeePlanView::of(plan)).await
}

list_query! {
    /// Which versions of costs.
    pub(crate) struct CardCostQuery {
        /// Of this scheme.
        scheme,
    }
}

/// List versions of what card schemes cost
#[utoipa::path(
    get, path = "/v1/card-costs", tag = "card_fee", params(CardCostQuery),
    responses((status = OK, body = PageView<CardCostView>))
)]
pub(crate) async fn list_costs(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<CardCostQuery>,
) -> ListAnswer<CardCostView> {
    caller.operator()?;
    let page = query.page();
    let scheme = |text: &str| word(text, "scheme", &CardScheme::ALL, CardScheme::name);
    let filter = store::card_fee::CardCostFilter { scheme: query.scheme.as_deref().map(scheme).transpose()? };
    app.list(filter, page, |_, cost| CardCostView::of(cost)).await
}
