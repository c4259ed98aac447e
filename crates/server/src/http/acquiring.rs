//! Acquiring (收单): under which number, category, plan of fees and limits a merchant takes cards.

use axum::extract::State;
use domain::acquiring::{Acquiring, AcquiringCommand, AcquiringTerms, CardLimit, CardRules, OpenAcquiring};
use domain::ids::AcquiringId;
use domain::operator::Role;
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, date_text, parse, parse_some, time_text};

/// Who decides what merchants take cards under.
pub(super) const ROLES: &[Role] = &[Role::Administrator, Role::Risk];

/// How much is taken of one type of card, in fen; what is left out is not bounded.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireCardLimit {
    /// The most of one transaction.
    single: Option<Amount>,
    /// The most of a day.
    daily: Option<Amount>,
}

impl WireCardLimit {
    fn read(self) -> CardLimit {
        CardLimit { single: self.single.map(|bound| bound.0), daily: self.daily.map(|bound| bound.0) }
    }

    fn show(of: CardLimit) -> Self {
        Self { single: of.single.map(Amount), daily: of.daily.map(Amount) }
    }
}

/// What the network's rules bound.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireCardRules {
    /// How much of a pre-authorisation its completion may come to, in per cent: 100 to 200.
    #[schema(example = 115)]
    completion_percent: u16,
    /// How many days a pre-authorisation holds: 1 to 90.
    #[schema(example = 30)]
    preauthorisation_days: u16,
    /// How much of a sale its tip may come to, in per cent: 0 to 100.
    #[schema(example = 20)]
    tip_percent: u16,
}

impl WireCardRules {
    fn read(self) -> CardRules {
        let Self { completion_percent, preauthorisation_days, tip_percent } = self;
        CardRules { completion_percent, preauthorisation_days, tip_percent }
    }

    fn show(of: CardRules) -> Self {
        let CardRules { completion_percent, preauthorisation_days, tip_percent } = of;
        Self { completion_percent, preauthorisation_days, tip_percent }
    }
}

/// What a merchant takes cards under.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireTerms {
    /// The name of its plan of card fees, which two people set.
    #[schema(example = "standard")]
    fee_plan: String,
    /// Of debit cards.
    #[serde(default)]
    debit: WireCardLimit,
    /// Of credit cards.
    #[serde(default)]
    credit: WireCardLimit,
    /// 115 %, 30 days and 20 % unless said.
    rules: Option<WireCardRules>,
}

impl WireTerms {
    fn read(self) -> AcquiringTerms {
        let Self { fee_plan, debit, credit, rules } = self;
        let rules = rules.map_or_else(CardRules::default, WireCardRules::read);
        AcquiringTerms { fee_plan, debit: debit.read(), credit: credit.read(), rules }
    }

    fn show(of: &AcquiringTerms) -> Self {
        Self {
            fee_plan: of.fee_plan.clone(),
            debit: WireCardLimit::show(of.debit),
            credit: WireCardLimit::show(of.credit),
            rules: Some(WireCardRules::show(of.rules)),
        }
    }
}

/// Whose acquiring to open.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAcquiring {
    #[schema(example = "mch_3")]
    merchant: String,
    /// The institution's own number at the network, 3 digits.
    #[schema(example = "898")]
    acquirer: String,
    /// The network's number of the area, 4 digits.
    #[schema(example = "1100")]
    area: String,
    /// The merchant's category, 4 digits (MCC).
    #[schema(example = "6513")]
    category: String,
    terms: WireTerms,
}

/// What it takes cards under from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TermsChange {
    terms: WireTerms,
}

/// Why it takes none for now.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reason {
    /// 1 to 512 bytes.
    #[schema(example = "complaints under review")]
    pub(super) reason: String,
}

/// A suspension.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AcquiringSuspensionView {
    reason: String,
    at: String,
    by: String,
}

/// What was taken on a day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CardUseView {
    #[schema(example = "2026-03-05")]
    date: String,
    debit: Amount,
    credit: Amount,
}

/// A merchant's acquiring.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AcquiringView {
    #[schema(example = "acq_2")]
    id: String,
    #[schema(example = "mch_3")]
    merchant: String,
    /// 15 digits: acquirer 3, area 4, category 4, serial 4.
    #[schema(example = "898110065130001")]
    number: String,
    terms: WireTerms,
    /// `active` or `suspended`.
    #[schema(example = "active")]
    status: &'static str,
    suspended: Option<AcquiringSuspensionView>,
    /// On the last day on which it took anything.
    used: Option<CardUseView>,
    opened_at: String,
    opened_by: String,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

impl AcquiringView {
    fn of(acquiring: &Acquiring) -> Self {
        let suspended = acquiring.suspended.as_ref().map(|suspension| AcquiringSuspensionView {
            reason: suspension.reason.clone(),
            at: time_text(suspension.at),
            by: suspension.by.clone(),
        });
        let used = acquiring.used.map(|used| CardUseView {
            date: date_text(used.date),
            debit: Amount(used.debit),
            credit: Amount(used.credit),
        });
        Self {
            id: acquiring.id.to_string(),
            merchant: acquiring.merchant.to_string(),
            number: acquiring.number.to_string(),
            terms: WireTerms::show(&acquiring.terms),
            status: acquiring.status(),
            suspended,
            used,
            opened_at: time_text(acquiring.opened_at),
            opened_by: acquiring.opened_by.clone(),
            allowed_actions: acquiring.allowed_actions().to_vec(),
        }
    }
}

/// Digits of a merchant's number.
fn part(text: &str, param: &'static str, length: usize) -> Result<u16, ApiError> {
    let digits = Some(text).filter(|text| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| ApiError::malformed(param, format!("'{text:.32}' is not {length} digits")))
}

/// Open a merchant's acquiring
///
/// It gets the next number of its acquirer, area and category.
#[utoipa::path(post, path = "/v1/acquirings", tag = "acquiring", responses((status = OK, body = AcquiringView)))]
pub(crate) async fn open(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewAcquiring>,
) -> Answered<AcquiringView> {
    caller.operator_with(ROLES)?;
    let command = AcquiringCommand::Open(OpenAcquiring {
        merchant: parse(&new.merchant, "merchant")?,
        acquirer: part(&new.acquirer, "acquirer", 3)?,
        area: part(&new.area, "area", 4)?,
        category: part(&new.category, "category", 4)?,
        terms: new.terms.read(),
    });
    change(&app, &caller, command).await
}

/// Change what a merchant takes cards under
#[utoipa::path(
    post, path = "/v1/acquirings/{id}/terms", tag = "acquiring", params(("id" = String, Path, example = "acq_2")),
    responses((status = OK, body = AcquiringView))
)]
pub(crate) async fn set_terms(
    State(app): State<App>,
    caller: Caller,
    Id(acquiring): Id<AcquiringId>,
    Json(body): Json<TermsChange>,
) -> Answered<AcquiringView> {
    caller.operator_with(ROLES)?;
    change(&app, &caller, AcquiringCommand::Change { acquiring, terms: body.terms.read() }).await
}

/// Let a merchant take no card
///
/// Refunds and reversals go on.
#[utoipa::path(
    post, path = "/v1/acquirings/{id}/suspend", tag = "acquiring", params(("id" = String, Path, example = "acq_2")),
    responses((status = OK, body = AcquiringView))
)]
pub(crate) async fn suspend(
    State(app): State<App>,
    caller: Caller,
    Id(acquiring): Id<AcquiringId>,
    Json(Reason { reason }): Json<Reason>,
) -> Answered<AcquiringView> {
    caller.operator_with(ROLES)?;
    change(&app, &caller, AcquiringCommand::Suspend { acquiring, reason }).await
}

/// Let a merchant take cards again
#[utoipa::path(
    post, path = "/v1/acquirings/{id}/resume", tag = "acquiring", params(("id" = String, Path, example = "acq_2")),
    responses((status = OK, body = AcquiringView))
)]
pub(crate) async fn resume(
    State(app): State<App>,
    caller: Caller,
    Id(acquiring): Id<AcquiringId>,
) -> Answered<AcquiringView> {
    caller.operator_with(ROLES)?;
    change(&app, &caller, AcquiringCommand::Resume(acquiring)).await
}

async fn change(app: &App, caller: &Caller, command: AcquiringCommand) -> Answered<AcquiringView> {
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Acquiring(id) = reply else { return None };
        state.acquiring(*id).ok().map(AcquiringView::of)
    };
    app.change(caller.meta()?, Command::Acquiring(command), view).await
}

/// Look at a merchant's acquiring
#[utoipa::path(
    get, path = "/v1/acquirings/{id}", tag = "acquiring", params(("id" = String, Path, example = "acq_2")),
    responses((status = OK, body = AcquiringView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<AcquiringId>) -> Answered<AcquiringView> {
    caller.operator()?;
    app.look(move |state| state.acquiring(id).map(AcquiringView::of)).await
}

list_query! {
    /// Whose acquiring.
    pub(crate) struct AcquiringQuery {
        /// Of this merchant.
        merchant,
        /// Under this number.
        number,
        /// `active` or `suspended`.
        status,
    }
}

/// List acquiring
#[utoipa::path(
    get, path = "/v1/acquirings", tag = "acquiring", params(AcquiringQuery),
    responses((status = OK, body = PageView<AcquiringView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AcquiringQuery>,
) -> ListAnswer<AcquiringView> {
    caller.operator()?;
    let page = query.page();
    let status = |text: &str| super::wire::word(text, "status", &["active", "suspended"], |name| name);
    let filter = store::acquiring::AcquiringFilter {
        merchant: parse_some(query.merchant.as_deref(), "merchant")?,
        number: parse_some(query.number.as_deref(), "number")?,
        status: query.status.as_deref().map(status).transpose()?,
    };
    app.list(filter, page, |_, acquiring| AcquiringView::of(acquiring)).await
}
