//! Payouts and withdrawals: money from an account to a bank account.

use axum::extract::State;
use channels::routing::{Asked, Paying};
use domain::account::Owner;
use domain::attempt::FailureClass;
use domain::ids::{AccountId, PayoutId};
use domain::leg::bank_of_number;
use domain::money::{Currency, Minor};
use domain::payout::{
    Bank, CancelReason, CreatePayout, Destination, PayTo, Payout, PayoutAction, PayoutKind, PayoutStatus,
};
use domain::{Command, Refusal, Reply};
use engine::Meta;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::bank_account::{BankAccountView, WireBankAccount, customer_of};
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::payment::routed;
use super::wire::{Amount, parse, parse_some, time_text, word};

/// What to pay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPayout {
    /// The account that pays: 2201 (to an own bank account), 2203 (to the settlement account or the own 2206) or 2206.
    #[schema(example = "acc_51")]
    account: String,
    /// To whom.
    to: WireDestination,
    /// Minor units that shall arrive.
    amount: Amount,
    /// Minor units of fee beside them. Left out, or 0, it is what the fee plan says, or nothing without one; the
    /// institution may name another, a merchant may not.
    #[serde(default = "nothing")]
    fee: Amount,
    /// The account's currency.
    #[schema(example = "CNY")]
    currency: String,
    /// Send it in the same step.
    #[serde(default)]
    send_now: bool,
    /// The caller's own number of it, 1 to 64 bytes: a key beside the `Idempotency-Key`, and signed with the body. The
    /// same number with the same body gets the first answer. It is bound alone: no answer shows it.
    out_payout_no: Option<String>,
    /// The receiver's bank, where the institution knows it; a merchant leaves it out. Rules of routing may go by it.
    bank: Option<WireBank>,
}

const fn nothing() -> Amount {
    Amount(0)
}

/// Where a payout goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum WireDestination {
    /// A bank account. Whether it is the payer's own follows from the holder's name.
    Bank {
        /// The account.
        bank_account: WireBankAccount,
    },
    /// The merchant's settlement account.
    Settlement,
    /// The merchant's own 2206.
    Company,
}

/// A bank, as the networks name it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireBank {
    /// Its name.
    #[schema(example = "Bank of Shanghai")]
    name: String,
    /// Its number at the clearing houses: 12 digits (联行号).
    #[schema(example = "313290000017")]
    code: String,
}

impl WireBank {
    /// The bank that it stands for; whether a request may name it is the domain's to say.
    pub(crate) fn bank(self) -> Bank {
        Bank { name: self.name, code: self.code }
    }

    /// How a bank is shown.
    pub(crate) fn show(bank: &Bank) -> Self {
        Self { name: bank.name.clone(), code: bank.code.clone() }
    }
}

/// A payout that came back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Return {
    /// The channel's reference.
    #[schema(example = "RT20260306000001")]
    reference: String,
    /// The network's clearing date of the return.
    #[schema(example = "2026-03-06")]
    date: String,
}

/// Why a payout failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PayoutFailureView)]
pub(crate) struct FailureView {
    /// Whose failure: `user`, `risk`, `bank` or `system`.
    class: &'static str,
    /// The channel's code.
    code: String,
}

impl FailureView {
    /// What a channel said.
    pub(crate) fn of(class: FailureClass, code: &str) -> Self {
        Self { class: class.name(), code: code.to_owned() }
    }
}

/// A payout or withdrawal.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PayoutView {
    #[schema(example = "pay_5")]
    id: String,
    /// `payout` (to another), `withdrawal` (to oneself) or `deduction` (from a freeze, to its authority).
    kind: &'static str,
    #[schema(example = "acc_51")]
    account: String,
    /// `bank`, `settlement` or `company`.
    to: &'static str,
    /// The bank account that it goes to, as it was when the payout was created.
    bank_account: Option<BankAccountView>,
    amount: Amount,
    fee: Amount,
    /// The version of the fee plan that gave the fee; none without one, or if the institution named the fee.
    #[schema(example = "fpl_2")]
    fee_plan: Option<String>,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// `created`, `held`, `sent`, `unknown`, `success`, `failed`, `cancelled` or `returned`.
    #[schema(example = "success")]
    status: String,
    created_at: String,
    ended_at: Option<String>,
    hold: Option<String>,
    attempt: Option<String>,
    failure: Option<FailureView>,
    /// Why it was cancelled: `asked`, `restricted`, `frozen`, `settlement_suspended` or `card_stopped`.
    cancelled: Option<&'static str>,
    /// The channel's reference of its success.
    reference: Option<String>,
    /// The channel's reference of its return.
    return_reference: Option<String>,
    return_date: Option<String>,
    /// The freeze that a deduction was taken from.
    #[schema(example = "frz_2")]
    freeze: Option<String>,
    /// The token of the bank account's number: block lists and stopped cards know it by that.
    #[schema(example = "crd_5f0c1b7a90e2d4c35f0c1b7a90e2d4c3")]
    card: Option<String>,
    /// The receiver's bank, where it is known.
    bank: Option<WireBank>,
    /// The channel that it leaves by: called as its network, or a further one of that; null of one to the own 2206.
    #[schema(example = "epcc")]
    channel: Option<String>,
    /// The automatic withdrawal that it is a try of.
    #[schema(example = "wdr_4")]
    withdrawal: Option<String>,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

const KINDS: [PayoutKind; 3] = [PayoutKind::Payout, PayoutKind::Withdrawal, PayoutKind::Deduction];
const STATUSES: [PayoutStatus; 8] = [
    PayoutStatus::Created,
    PayoutStatus::Held,
    PayoutStatus::Sent,
    PayoutStatus::Unknown,
    PayoutStatus::Success,
    PayoutStatus::Failed,
    PayoutStatus::Cancelled,
    PayoutStatus::Returned,
];

impl PayoutView {
    fn of(payout: &Payout) -> Self {
        let receiver = payout.destination.receiver();
        Self {
            id: payout.id.to_string(),
            kind: payout.kind.name(),
            account: payout.account.to_string(),
            to: match payout.destination {
                Destination::Bank(_) => "bank",
                Destination::Settlement(_) => "settlement",
                Destination::Company(_) => "company",
            },
            bank_account: receiver.map(|receiver| BankAccountView::of(&receiver.account, &receiver.name)),
            amount: Amount(payout.amount),
            fee: Amount(payout.fee),
            fee_plan: payout.fee_plan.map(|id| id.to_string()),
            currency: payout.currency.code(),
            status: payout.status.name().to_owned(),
            created_at: time_text(payout.created_at),
            ended_at: payout.ended_at.map(time_text),
            hold: payout.hold.map(|id| id.to_string()),
            attempt: payout.attempt.map(|id| id.to_string()),
            failure: payout.failure.as_ref().map(|failure| FailureView::of(failure.class, &failure.code)),
            cancelled: payout.cancelled.map(CancelReason::name),
            reference: payout.reference.clone(),
            return_reference: payout.return_reference.clone(),
            return_date: payout.return_date.map(|date| date.to_string()),
            freeze: payout.freeze.map(|id| id.to_string()),
            card: receiver.and_then(|receiver| receiver.token.clone()),
            bank: payout.bank.as_ref().map(WireBank::show),
            channel: receiver.map(|_| payout.channel_name().to_string()),
            withdrawal: payout.withdrawal.map(|id| id.to_string()),
            allowed_actions: payout.allowed_actions().iter().copied().map(PayoutAction::name).collect(),
        }
    }
}

fn payer(state: &domain::State, id: PayoutId) -> Result<Owner, Refusal> {
    Ok(state.account(state.payout(id)?.account, "account")?.owner)
}

/// The word of the channel that what leaves goes by, as the rules of routing choose; none for the first. Where one alone pays out it is
/// that one.
pub(super) async fn leaves_by(app: &App, bank: Option<&Bank>, amount: Minor) -> Result<Option<String>, ApiError> {
    let offered = app.router.paying_out();
    if offered.len() < 2 {
        return Ok(offered.first().and_then(|only| only.word.clone()));
    }
    let bank = bank.and_then(|bank| bank_of_number(&bank.code));
    let asked = Asked { paying: Paying::Payout, bank, amount, offered: offered.to_vec() };
    Ok(routed(app, &asked).await?.into_iter().next().and_then(|channel| channel.word))
}

async fn pay_to(app: &App, account: AccountId, to: WireDestination) -> Result<PayTo, ApiError> {
    match to {
        WireDestination::Settlement => Ok(PayTo::Settlement),
        WireDestination::Company => Ok(PayTo::Company),
        WireDestination::Bank { bank_account } => {
            let customer = move |state: &domain::State| {
                customer_of(state, state.account(account, "account")?.owner).map(|customer| customer.id)
            };
            let customer = app.look(customer).await?.view;
            let sealed = app.seal_bank_account(customer, bank_account, "to.bank_account").await?;
            Ok(PayTo::Bank(sealed.receiver()))
        }
    }
}

/// Create a payout or withdrawal
///
/// Amount and fee are held at once; it leaves when it is sent. The fee is that of the fee plan of today. Where several channels pay out,
/// the rules of routing choose one now. `out_payout_no` is a key of its own, where it is named.
#[utoipa::path(post, path = "/v1/payouts", tag = "payout", responses((status = OK, body = PayoutView)))]
pub(crate) async fn create(State(app): State<App>, caller: Caller, Json(new): Json<NewPayout>) -> Answered<PayoutView> {
    let account: AccountId = parse(&new.account, "account")?;
    app.owned(&caller, move |state| Ok(state.account(account, "account")?.owner)).await?;
    if new.fee.0 != 0 && caller.merchant.is_some() {
        return Err(ApiError::forbidden("the fee plan or the institution sets the fee of a payout; leave it out"));
    }
    let meta = caller.meta_numbered("out_payout_no", new.out_payout_no.as_deref())?;
    if new.bank.is_some() && caller.merchant.is_some() {
        return Err(ApiError::forbidden("only the institution says at which bank a receiver is; leave bank out"));
    }
    let bank = new.bank.map(WireBank::bank);
    let channel = match &new.to {
        WireDestination::Bank { .. } | WireDestination::Settlement => {
            leaves_by(&app, bank.as_ref(), new.amount.0).await?
        }
        WireDestination::Company => None,
    };
    let command = CreatePayout {
        account,
        to: pay_to(&app, account, new.to).await?,
        amount: new.amount.0,
        fee: new.fee.0,
        currency: Currency::parse(&new.currency)?,
        send_now: new.send_now,
        bank,
        channel,
    };
    change(&app, meta, Command::CreatePayout(command)).await
}

/// Send a held payout
#[utoipa::path(
    post, path = "/v1/payouts/{id}/send", tag = "payout", params(("id" = String, Path, example = "pay_5")),
    responses((status = OK, body = PayoutView))
)]
pub(crate) async fn send(State(app): State<App>, caller: Caller, Id(id): Id<PayoutId>) -> Answered<PayoutView> {
    app.owned(&caller, move |state| payer(state, id)).await?;
    change(&app, caller.meta()?, Command::SendPayout(id)).await
}

/// Cancel a payout that was not sent
#[utoipa::path(
    post, path = "/v1/payouts/{id}/cancel", tag = "payout", params(("id" = String, Path, example = "pay_5")),
    responses((status = OK, body = PayoutView))
)]
pub(crate) async fn cancel(State(app): State<App>, caller: Caller, Id(id): Id<PayoutId>) -> Answered<PayoutView> {
    app.owned(&caller, move |state| payer(state, id)).await?;
    change(&app, caller.meta()?, Command::CancelPayout(id)).await
}

/// Book a payout that came back after success (退票)
///
/// The money goes back to the account; a settlement account that sent it back takes nothing more until it is verified.
#[utoipa::path(
    post, path = "/v1/payouts/{id}/return", tag = "payout", params(("id" = String, Path, example = "pay_5")),
    responses((status = OK, body = PayoutView))
)]
pub(crate) async fn take_back(
    State(app): State<App>,
    caller: Caller,
    Id(payout): Id<PayoutId>,
    Json(body): Json<Return>,
) -> Answered<PayoutView> {
    caller.operator()?;
    let command = Command::ReturnPayout { payout, reference: body.reference, date: parse(&body.date, "date")? };
    change(&app, caller.meta()?, command).await
}

async fn change(app: &App, meta: Meta, command: Command) -> Answered<PayoutView> {
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Payout(id) = reply else { return None };
        state.payouts.get(id.0).map(PayoutView::of)
    };
    app.change(meta, command, view).await
}

/// Look at a payout
#[utoipa::path(
    get, path = "/v1/payouts/{id}", tag = "payout", params(("id" = String, Path, example = "pay_5")),
    responses((status = OK, body = PayoutView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<PayoutId>) -> Answered<PayoutView> {
    app.owned(&caller, move |state| payer(state, id)).await?;
    app.look(move |state| state.payout(id).map(PayoutView::of)).await
}

list_query! {
    /// Which payouts.
    pub(crate) struct PayoutQuery {
        /// From this account; merchants name one of their own.
        account,
        /// `payout`, `withdrawal` or `deduction`.
        kind,
        /// `created`, `held`, `sent`, `unknown`, `success`, `failed`, `cancelled` or `returned`.
        status,
        /// Created on this date or later.
        created_from,
        /// Created on this date or earlier.
        created_to,
    }
}

/// List payouts
#[utoipa::path(
    get, path = "/v1/payouts", tag = "payout", params(PayoutQuery),
    responses((status = OK, body = PageView<PayoutView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PayoutQuery>,
) -> ListAnswer<PayoutView> {
    let account: Option<AccountId> = parse_some(query.account.as_deref(), "account")?;
    match account {
        Some(account) => app.owned(&caller, move |state| Ok(state.account(account, "account")?.owner)).await?,
        None => caller.operator()?,
    }
    let filter = store::payout::PayoutFilter {
        account,
        kind: query.kind.as_deref().map(|text| word(text, "kind", &KINDS, PayoutKind::name)).transpose()?,
        status: query.status.as_deref().map(|text| word(text, "status", &STATUSES, PayoutStatus::name)).transpose()?,
        created_from: parse_some(query.created_from.as_deref(), "created_from")?,
        created_to: parse_some(query.created_to.as_deref(), "created_to")?,
        needs_person: None,
    };
    app.list(filter, query.page(), |_, payout| PayoutView::of(payout)).await
}
