//! Agreements: money that leaves its account only by the agreement's rules, or to the receivers that it lists.

use axum::extract::State;
use domain::agreement::{
    Agreement, AgreementCommand, AgreementPayment as Payment, AgreementStatus, CreateAgreement, FulfilCondition,
    NewAgreement as Agreed, PayByRule, PayFromAgreement,
};
use domain::book::Book;
use domain::calendar::Date;
use domain::ids::AgreementId;
use domain::money::Currency;
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::terms::{AmendmentView, ClosingView, ConditionView, RuleView, WireClosing, WireCondition, WireRule};
use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, digest, owner, owner_text, parse, parse_some, time_text, word};

pub(crate) mod terms;

/// What to agree.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAgreement {
    /// The agreement's number.
    #[schema(example = "2026-BJ-0311")]
    number: String,
    /// Whose money it will be: `usr_…` or `mch_…`.
    #[schema(example = "usr_7")]
    party: String,
    /// What it is for.
    #[schema(example = "earnest money")]
    purpose: String,
    /// `RESERVE` (2204) or `CUSTODY` (9201).
    #[schema(example = "RESERVE")]
    book: String,
    #[schema(example = "CNY")]
    currency: String,
    /// The accounts that may receive its money.
    #[schema(example = json!(["acc_43"]))]
    receivers: Vec<String>,
    /// What has to be shown before money leaves; the first is number 1.
    #[serde(default)]
    conditions: Vec<WireCondition>,
    /// By which alone it pays, if there are any; the first is number 1.
    #[serde(default)]
    rules: Vec<WireRule>,
    /// What happens with the rest, and from when on.
    closing: Option<WireClosing>,
    /// The SHA-256 of the agreement's document.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    document: Option<String>,
}

/// Whom to pay from an agreement: by `rule`, which names the receiver, or `to` a listed one where there are no rules.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgreementPayment {
    /// One of its receivers.
    #[schema(example = "acc_43")]
    to: Option<String>,
    /// The number of one of its rules.
    #[schema(example = 1)]
    rule: Option<u16>,
    /// Minor units above zero.
    amount: Amount,
}

/// What fulfils a condition, or a party's share of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fulfilment {
    /// The condition's number.
    #[schema(example = 1)]
    condition: u16,
    /// The SHA-256 of the document that shows it.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    document: String,
    /// Who says so.
    #[schema(example = "Chaoyang real estate registry")]
    said_by: String,
    /// The party that confirms, where parties confirm.
    #[schema(example = "usr_7")]
    party: Option<String>,
}

/// An agreement with its account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgreementView {
    #[schema(example = "agr_2")]
    id: String,
    #[schema(example = "2026-BJ-0311")]
    number: String,
    #[schema(example = "usr_7")]
    party: String,
    purpose: String,
    /// Its account.
    #[schema(example = "acc_60")]
    account: String,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// What lies on it.
    balance: Amount,
    receivers: Vec<String>,
    /// `open` or `closed`.
    status: &'static str,
    /// How many payments it has made.
    payments: u64,
    conditions: Vec<ConditionView>,
    rules: Vec<RuleView>,
    closing: Option<ClosingView>,
    /// The SHA-256 of its document.
    document: Option<String>,
    /// What was changed after birth, oldest first.
    amendments: Vec<AmendmentView>,
    /// Who created it.
    created_by: Option<String>,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

impl AgreementView {
    fn of(state: &domain::State, agreement: &Agreement) -> Self {
        let today = Date::in_shanghai(state.now);
        Self {
            id: agreement.id.to_string(),
            number: agreement.number.clone(),
            party: owner_text(agreement.party),
            purpose: agreement.purpose.clone(),
            account: agreement.account.to_string(),
            currency: agreement.currency.code(),
            balance: Amount(state.accounts.get(agreement.account.0).map_or(0, |account| account.balance)),
            receivers: agreement.receivers.iter().map(ToString::to_string).collect(),
            status: agreement.status.name(),
            payments: agreement.payments,
            conditions: agreement.conditions.iter().map(|it| ConditionView::of(it, today)).collect(),
            rules: agreement.rules.iter().map(|rule| RuleView::of(agreement, rule, today)).collect(),
            closing: agreement.closing.map(ClosingView::of),
            document: agreement.document.map(|digest| hex::encode(*digest)),
            amendments: agreement.amendments.iter().map(AmendmentView::of).collect(),
            created_by: agreement.operator.clone(),
            allowed_actions: agreement.allowed_actions(state.now),
        }
    }
}

/// Make an agreement
///
/// Opens its account. Number, party and purpose together name it.
#[utoipa::path(post, path = "/v1/agreements", tag = "agreement", responses((status = OK, body = AgreementView)))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewAgreement>,
) -> Answered<AgreementView> {
    caller.operator()?;
    let receivers = new.receivers.iter().map(|text| parse(text, "receivers")).collect::<Result<_, _>>()?;
    let conditions = terms::conditions(&new.conditions)?;
    let rules = terms::rules(&new.rules)?;
    let closing = new.closing.as_ref().map(WireClosing::closing).transpose()?;
    let document = new.document.as_deref().map(|text| digest(text, "document")).transpose()?;
    let agreement = CreateAgreement {
        number: new.number,
        party: owner(&new.party, "party")?,
        purpose: new.purpose,
        book: word(&new.book, "book", &Book::ALL, Book::name)?,
        currency: Currency::parse(&new.currency)?,
        receivers,
    };
    let agreed = Agreed { agreement, conditions, rules, closing, document };
    change(&app, &caller, Command::Agreement(AgreementCommand::Create(agreed))).await
}

/// Pay by a rule, or a listed receiver
///
/// An agreement with rules pays by no other way.
#[utoipa::path(
    post, path = "/v1/agreements/{id}/pay", tag = "agreement", params(("id" = String, Path, example = "agr_2")),
    responses((status = OK, body = AgreementView))
)]
pub(crate) async fn pay(
    State(app): State<App>,
    caller: Caller,
    Id(agreement): Id<AgreementId>,
    Json(body): Json<AgreementPayment>,
) -> Answered<AgreementView> {
    caller.operator()?;
    let amount = body.amount.0;
    let command = match (body.to, body.rule) {
        (Some(to), None) => Command::PayFromAgreement(PayFromAgreement { agreement, to: parse(&to, "to")?, amount }),
        (None, Some(rule)) => Command::Agreement(AgreementCommand::Pay(PayByRule { agreement, rule, amount })),
        (None, None) | (Some(_), Some(_)) => {
            let message = "name either a rule, which names the receiver, or a listed receiver";
            return Err(ApiError::malformed("rule", message.to_owned()));
        }
    };
    paid(&app, &caller, agreement, command).await
}

/// Fulfil a condition
///
/// With a document; a condition that parties confirm, once by each of them.
#[utoipa::path(
    post, path = "/v1/agreements/{id}/fulfil", tag = "agreement", params(("id" = String, Path, example = "agr_2")),
    responses((status = OK, body = AgreementView))
)]
pub(crate) async fn fulfil(
    State(app): State<App>,
    caller: Caller,
    Id(agreement): Id<AgreementId>,
    Json(body): Json<Fulfilment>,
) -> Answered<AgreementView> {
    caller.operator()?;
    let command = FulfilCondition {
        agreement,
        condition: body.condition,
        document: digest(&body.document, "document")?,
        said_by: body.said_by,
        party: body.party.as_deref().map(|text| owner(text, "party")).transpose()?,
    };
    change(&app, &caller, Command::Agreement(AgreementCommand::Fulfil(command))).await
}

/// Return the rest to the party
///
/// After the end date, or once every rule is used up.
#[utoipa::path(
    post, path = "/v1/agreements/{id}/return-rest", tag = "agreement", params(("id" = String, Path, example = "agr_2")),
    responses((status = OK, body = AgreementView))
)]
pub(crate) async fn return_rest(
    State(app): State<App>,
    caller: Caller,
    Id(agreement): Id<AgreementId>,
) -> Answered<AgreementView> {
    caller.operator()?;
    paid(&app, &caller, agreement, Command::Agreement(AgreementCommand::ReturnRest(agreement))).await
}

/// Makes a payment and answers with its agreement.
async fn paid(app: &App, caller: &Caller, agreement: AgreementId, command: Command) -> Answered<AgreementView> {
    let view = move |state: &domain::State, reply: &Reply| {
        let Reply::Voucher(_) = reply else { return None };
        state.agreements.get(agreement.0).map(|agreement| AgreementView::of(state, agreement))
    };
    app.change(caller.meta()?, command, view).await
}

/// Close an agreement and its account
///
/// At zero, with nothing held or frozen.
#[utoipa::path(
    post, path = "/v1/agreements/{id}/close", tag = "agreement", params(("id" = String, Path, example = "agr_2")),
    responses((status = OK, body = AgreementView))
)]
pub(crate) async fn close(
    State(app): State<App>,
    caller: Caller,
    Id(agreement): Id<AgreementId>,
) -> Answered<AgreementView> {
    caller.operator()?;
    change(&app, &caller, Command::CloseAgreement(agreement)).await
}

async fn change(app: &App, caller: &Caller, command: Command) -> Answered<AgreementView> {
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Agreement(id) = reply else { return None };
        state.agreements.get(id.0).map(|agreement| AgreementView::of(state, agreement))
    };
    app.change(caller.meta()?, command, view).await
}

/// Look at an agreement
#[utoipa::path(
    get, path = "/v1/agreements/{id}", tag = "agreement", params(("id" = String, Path, example = "agr_2")),
    responses((status = OK, body = AgreementView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<AgreementId>) -> Answered<AgreementView> {
    app.owned(&caller, move |state| Ok(state.agreement(id)?.party)).await?;
    app.look(move |state| Ok(AgreementView::of(state, state.agreement(id)?))).await
}

list_query! {
    /// Which agreements.
    pub(crate) struct AgreementQuery {
        /// With this number.
        number,
        /// Of this party: `usr_…` or `mch_…`.
        party,
        /// With this account.
        account,
        /// `open` or `closed`.
        status,
    }
}

/// List agreements
#[utoipa::path(
    get, path = "/v1/agreements", tag = "agreement", params(AgreementQuery),
    responses((status = OK, body = PageView<AgreementView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AgreementQuery>,
) -> ListAnswer<AgreementView> {
    caller.operator()?;
    let all = [AgreementStatus::Open, AgreementStatus::Closed];
    let page = query.page();
    let filter = store::agreement::AgreementFilter {
        party: query.party.as_deref().map(|text| owner(text, "party")).transpose()?,
        account: parse_some(query.account.as_deref(), "account")?,
        status: query.status.as_deref().map(|text| word(text, "status", &all, AgreementStatus::name)).transpose()?,
        number: query.number,
    };
    app.list(filter, page, AgreementView::of).await
}

/// A payment out of an agreement's account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgreementPaymentView {
    #[schema(example = "agp_9")]
    id: String,
    #[schema(example = "agr_2")]
    agreement: String,
    /// Its number within the agreement, from 1.
    #[schema(example = 1)]
    number: u64,
    /// The rule it was made by.
    rule: Option<u16>,
    #[schema(example = "acc_43")]
    to: String,
    /// What for.
    purpose: String,
    amount: Amount,
    #[schema(example = "CNY")]
    currency: &'static str,
    voucher: String,
    at: String,
    /// Who paid.
    operator: String,
}

impl AgreementPaymentView {
    fn of(payment: &Payment) -> Self {
        Self {
            id: payment.id.to_string(),
            agreement: payment.agreement.to_string(),
            number: payment.number,
            rule: payment.rule,
            to: payment.to.to_string(),
            purpose: payment.purpose.clone(),
            amount: Amount(payment.amount),
            currency: payment.currency.code(),
            voucher: payment.voucher.to_string(),
            at: time_text(payment.at),
            operator: payment.operator.clone(),
        }
    }
}

list_query! {
    /// Which payments out of agreement accounts.
    pub(crate) struct AgreementPaymentQuery {
        /// Of this agreement.
        agreement,
        /// By the rule of this number.
        rule,
        /// To this account.
        to,
    }
}

/// List payments out of agreement accounts
#[utoipa::path(
    get, path = "/v1/agreement-payments", tag = "agreement", params(AgreementPaymentQuery),
    responses((status = OK, body = PageView<AgreementPaymentView>))
)]
pub(crate) async fn payments(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AgreementPaymentQuery>,
) -> ListAnswer<AgreementPaymentView> {
    caller.operator()?;
    let filter = store::agreement::AgreementPaymentFilter {
        agreement: parse_some(query.agreement.as_deref(), "agreement")?,
        rule: parse_some(query.rule.as_deref(), "rule")?,
        to: parse_some(query.to.as_deref(), "to")?,
    };
    app.list(filter, query.page(), |_, payment| AgreementPaymentView::of(payment)).await
}
