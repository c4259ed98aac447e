//! Signings of agreements (协议签约): card and phone come encrypted, the bank sends a code to the phone, the code signs.
//!
//! The books are told before the channel is asked, and what it answers after: whatever breaks in between, nothing is asked twice.

use ark::{Secret, Vault};
use axum::extract::State;
use channels::ChannelError;
use domain::account::Owner;
use domain::attempt::Rail;
use domain::customer::Customer;
use domain::ids::{CustomerId, MerchantId, SignUpId, UserId};
use domain::sealed::Sealed;
use domain::sign_up::{RequestSignUp, SignUp, SignUpAnswer, SignUpCommand, SignUpStatus, Verdict};
use domain::{Command, RefusalCode, Reply};
use engine::Meta;
use node::fields::{self, CERTIFICATE_NUMBER, CUSTOMER_NAME, CUSTOMER_PHONE};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::customer::sealing_failed;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::payment::card_channel;
use super::payout::FailureView;
use super::sensitive::Encrypted;
use super::wire::{parse, parse_some, time_text, word};
use crate::shell::sign_up::{SignUpError, ask, route};

/// What to sign. The four elements (四要素) are taken encrypted alone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSignUp {
    /// The user who will pay.
    #[schema(example = "usr_7")]
    payer: String,
    /// The network, `epcc` unless said, or a further channel of it: where it is signed it pays, and nowhere else.
    #[schema(example = "epcc")]
    rail: Option<String>,
    /// The bank's interbank number (联行号), 12 digits.
    #[schema(example = "102100099996")]
    bank: String,
    /// Whether it is a credit card.
    #[serde(default)]
    credit: bool,
    /// The card's number.
    account: Encrypted,
    /// The holder's name: the payer's registered one.
    name: Encrypted,
    /// The number of the holder's certificate: the payer's registered one.
    certificate: Encrypted,
    /// The phone that the bank knows.
    phone: Encrypted,
}

/// The code on the holder's phone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeBody {
    /// 4 to 8 digits, encrypted.
    code: Encrypted,
}

/// What the bank said of the four elements.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VerdictView {
    /// Whether account, name, certificate and phone belong together.
    matched: bool,
    /// The channel's code where they do not.
    code: Option<String>,
    at: String,
}

impl VerdictView {
    fn of(verdict: &Verdict) -> Self {
        Self { matched: verdict.matched, code: verdict.code.clone(), at: time_text(verdict.at) }
    }
}

/// A signing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignUpView {
    #[schema(example = "sgn_2")]
    id: String,
    /// The merchant that asked; none: the institution.
    #[schema(example = "mch_3")]
    merchant: Option<String>,
    #[schema(example = "usr_7")]
    payer: String,
    #[schema(example = "epcc")]
    rail: &'static str,
    /// The channel that signs: called as its rail, or a further one of that. Payments name it in `agreements`.
    #[schema(example = "epcc")]
    channel: String,
    /// The serial number that the channel knows it by.
    #[schema(example = "2026030590000000000000020000002")]
    serial: String,
    #[schema(example = "102100099996")]
    bank: String,
    credit: bool,
    /// The card's mask, which payments and top-ups take as `mask`.
    #[schema(example = "622202******2230")]
    account: String,
    #[schema(example = "138****1234")]
    phone: String,
    /// `requested`, `code_sent`, `confirming`, `signed`, `failed`, `expired` or `cancelled`. What the channel said is not known in
    /// `requested` and `confirming`: bring the code, or bring it again.
    #[schema(example = "code_sent")]
    status: &'static str,
    /// What the bank said of name, certificate, card and phone (实名核验).
    verdict: Option<VerdictView>,
    /// How many codes were wrong; three end it.
    wrong_codes: u32,
    /// The agreement's number, once signed: what payments and top-ups take as `agreement`.
    agreement: Option<String>,
    /// The channel's last refusal.
    failure: Option<FailureView>,
    requested_at: String,
    /// Until when a code is taken.
    expires_at: String,
    signed_at: Option<String>,
    ended_at: Option<String>,
    allowed_actions: Vec<&'static str>,
}

impl SignUpView {
    fn of(state: &domain::State, row: &SignUp) -> Self {
        let failure = row.failure.as_ref();
        Self {
            id: row.id.to_string(),
            merchant: row.merchant.map(|id| id.to_string()),
            payer: row.payer.to_string(),
            rail: row.rail.name(),
            channel: row.channel_name().to_string(),
            serial: row.serial(),
            bank: row.bank.clone(),
            credit: row.credit,
            account: row.account.mask.clone(),
            phone: row.phone.mask.clone(),
            status: row.status.name(),
            verdict: row.verdict.as_ref().map(VerdictView::of),
            wrong_codes: row.wrong_codes,
            agreement: row.agreement.clone().filter(|_| row.status == SignUpStatus::Signed),
            failure: failure.map(|failure| FailureView::of(failure.class, &failure.code)),
            requested_at: time_text(row.requested_at),
            expires_at: time_text(row.expires_at),
            signed_at: row.signed_at.map(time_text),
            ended_at: row.ended_at.map(time_text),
            allowed_actions: row.allowed_actions(state.now).to_vec(),
        }
    }

    /// The signing that a command was about.
    fn replied(state: &domain::State, reply: &Reply) -> Option<Self> {
        let Reply::SignUp(id) = reply else { return None };
        state.sign_up(*id).ok().map(|row| Self::of(state, row))
    }
}

impl From<SignUpError> for ApiError {
    fn from(error: SignUpError) -> Self {
        if let SignUpError::Channel(channel) = &error
            && let Some(error) = channel.of_keys()
        {
            return super::ark::error_of(error);
        }
        let message = error.to_string();
        match error {
            SignUpError::NoChannel(_) => Self::new("channel_unknown", Some("rail"), message),
            SignUpError::Channel(ChannelError::NoSignUp { .. }) => {
                Self::new("channel_no_sign_up", Some("rail"), message)
            }
            SignUpError::Channel(ChannelError::NoRealNameCheck { .. }) => {
                Self::new("channel_no_real_name_check", Some("rail"), message)
            }
            SignUpError::Channel(ChannelError::Subject { field, reason, .. }) => Self::malformed(field, reason),
            SignUpError::Channel(error) => Self::internal("asking a channel about the holder of a card", &error),
        }
    }
}

/// Where cards are.
pub(super) const RAILS: [Rail; 2] = [Rail::Epcc, Rail::UnionPay];

/// Refuses another name or certificate than the customer is registered with.
pub(super) fn check_holder(
    vault: &Vault,
    customer: &Customer,
    name: &Encrypted,
    certificate: &Encrypted,
) -> Result<(), ApiError> {
    let elements = [
        ("name", CUSTOMER_NAME, &customer.name, name),
        ("certificate", CERTIFICATE_NUMBER, &customer.certificate, certificate),
    ];
    for (param, field, registered, given) in elements {
        let registered = fields::open(vault, field, registered).map_err(sealing_failed)?;
        if registered.expose() != given.checked(param)?.expose() {
            let message =
                format!("it is not the one that {} is registered with; a card is its holder's alone", customer.id);
            return Err(ApiError::new("holder_mismatch", Some(param), message));
        }
    }
    Ok(())
}

/// The row, the customer whose name the bank compares.
async fn known(app: &App, id: SignUpId) -> Result<(SignUp, Customer), ApiError> {
    let look = move |state: &domain::State| {
        let row = state.sign_up(id)?;
        Ok((row.clone(), state.customer(row.customer)?.clone()))
    };
    Ok(app.look(look).await?.view)
}

/// Seals the phone that the bank knows.
pub(super) fn seal_phone(vault: &Vault, customer: CustomerId, phone: &Encrypted) -> Result<Sealed, ApiError> {
    let phone = phone.checked("phone")?;
    fields::seal(vault, ark::CustomerId(customer.0), CUSTOMER_PHONE, phone).map_err(sealing_failed)
}

/// Whose it is what a merchant, or else the institution, asked for.
pub(super) fn asked_by(merchant: Option<MerchantId>) -> Owner {
    merchant.map_or(Owner::Institution, Owner::Merchant)
}

/// Refuses a merchant what another asked for.
async fn own(app: &App, caller: &Caller, id: SignUpId) -> Result<(), ApiError> {
    app.owned(caller, move |state| Ok(asked_by(state.sign_up(id)?.merchant))).await
}

impl App {
    /// Seals card and phone; name and certificate must be the payer's.
    async fn seal_sign_up(
        &self,
        customer: Customer,
        merchant: Option<MerchantId>,
        payer: UserId,
        new: NewSignUp,
    ) -> Result<RequestSignUp, ApiError> {
        let channel = new.rail.as_deref().map_or(Ok(Rail::Epcc.into()), |name| card_channel(name, "rail"))?;
        route(&self.executor, &channel)?;
        let vault = std::sync::Arc::clone(&self.vault);
        self.blocking(move || {
            check_holder(&vault, &customer, &new.name, &new.certificate)?;
            let (account, token) =
                super::bank_account::seal_card(&vault, customer.id, new.account.checked("account")?)?;
            let phone = seal_phone(&vault, customer.id, &new.phone)?;
            let NewSignUp { bank, credit, .. } = new;
            Ok(RequestSignUp { merchant, payer, channel, bank, credit, account, token, phone })
        })
        .await
    }

    /// Has a step written down, asks the channel, and writes down what it said. A step that was asked for before is not asked again.
    async fn step_sign_up(&self, meta: Meta, command: SignUpCommand, code: Option<Secret>) -> Answered<SignUpView> {
        let view = |state: &domain::State, reply: &Reply| {
            let Reply::SignUp(id) = reply else { return None };
            Some((*id, SignUpView::replied(state, reply)?))
        };
        let actor = meta.actor.clone();
        let answer = self.change(meta, Command::SignUp(command), view).await?;
        let id = answer.view.0;
        let unchanged = answer.map(|(_, view)| view);
        if unchanged.repeated {
            return Ok(unchanged);
        }
        let (row, customer) = known(self, id).await?;
        let Some(said) = ask(&self.executor, &row, &customer, code.as_ref()).await? else { return Ok(unchanged) };
        self.answer_sign_up(Meta::unkeyed(actor, domain::Origin::Channel), id, said).await
    }

    async fn answer_sign_up(&self, meta: Meta, sign_up: SignUpId, answer: SignUpAnswer) -> Answered<SignUpView> {
        let command = Command::SignUp(SignUpCommand::Answer { sign_up, answer });
        match self.change(meta, command, SignUpView::replied).await {
            // Another code, or somebody who cancelled, was faster.
            Err(error) if error.code() == RefusalCode::SignUpState.name() => {
                self.look(move |state| Ok(SignUpView::of(state, state.sign_up(sign_up)?))).await
            }
            answered => answered,
        }
    }
}

/// Sign an agreement to debit a card (协议签约)
///
/// The bank compares the four elements and sends a code to the phone. Bring it with `confirm` within fifteen minutes. Where the bank's
/// answer does not come the signing stays `requested`: a code that came is taken all the same.
#[utoipa::path(post, path = "/v1/sign-ups", tag = "sign_up", responses((status = OK, body = SignUpView)))]
pub(crate) async fn request(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewSignUp>,
) -> Answered<SignUpView> {
    let meta = caller.meta()?;
    let payer: UserId = parse(&new.payer, "payer")?;
    let look = move |state: &domain::State| state.customer(state.user(payer)?.customer).cloned();
    let customer = app.look(look).await?.view;
    let command = app.seal_sign_up(customer, caller.merchant, payer, new).await?;
    app.step_sign_up(meta, SignUpCommand::Request(Box::new(command)), None).await
}

/// Bring the code that the holder's phone shows
///
/// A right one signs the agreement. Three wrong ones end it. Where the bank's answer does not come the signing is `confirming`, not
/// failed: bring the same code again, under a new `Idempotency-Key`.
#[utoipa::path(
    post, path = "/v1/sign-ups/{id}/confirm", tag = "sign_up", params(("id" = String, Path, example = "sgn_2")),
    responses((status = OK, body = SignUpView))
)]
pub(crate) async fn confirm(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<SignUpId>,
    Json(body): Json<CodeBody>,
) -> Answered<SignUpView> {
    let meta = caller.meta()?;
    own(&app, &caller, id).await?;
    let code = body.code.checked("code")?;
    if !(4..=8).contains(&code.expose().len()) || !code.expose().bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ApiError::malformed("code", "a code is 4 to 8 digits"));
    }
    app.step_sign_up(meta, SignUpCommand::BringCode(id), Some(code.clone())).await
}

/// Cancel a signing, or end its agreement here (解约)
///
/// No order and no top-up is paid with it any more; what is with the bank already arrives. The bank's side of the agreement stays
/// until its holder ends it there.
#[utoipa::path(
    post, path = "/v1/sign-ups/{id}/cancel", tag = "sign_up", params(("id" = String, Path, example = "sgn_2")),
    responses((status = OK, body = SignUpView))
)]
pub(crate) async fn cancel(State(app): State<App>, caller: Caller, Id(id): Id<SignUpId>) -> Answered<SignUpView> {
    own(&app, &caller, id).await?;
    app.change(caller.meta()?, Command::SignUp(SignUpCommand::Cancel(id)), SignUpView::replied).await
}

/// Look at a signing
#[utoipa::path(
    get, path = "/v1/sign-ups/{id}", tag = "sign_up", params(("id" = String, Path, example = "sgn_2")),
    responses((status = OK, body = SignUpView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<SignUpId>) -> Answered<SignUpView> {
    own(&app, &caller, id).await?;
    app.look(move |state| Ok(SignUpView::of(state, state.sign_up(id)?))).await
}

list_query! {
    /// Which signings.
    pub(crate) struct SignUpQuery {
        /// Asked for by this merchant; a merchant sees its own.
        merchant,
        /// Of this payer.
        payer,
        /// `requested`, `code_sent`, `confirming`, `signed`, `failed`, `expired` or `cancelled`.
        status,
    }
}

/// List signings
#[utoipa::path(
    get, path = "/v1/sign-ups", tag = "sign_up", params(SignUpQuery),
    responses((status = OK, body = PageView<SignUpView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<SignUpQuery>,
) -> ListAnswer<SignUpView> {
    let asked: Option<MerchantId> = parse_some(query.merchant.as_deref(), "merchant")?;
    if let Some(merchant) = asked {
        caller.merchant_or_operator(merchant)?;
    }
    let status = query.status.as_deref().map(|text| word(text, "status", &SignUpStatus::ALL, SignUpStatus::name));
    let filter = store::sign_up::SignUpFilter {
        merchant: asked.or(caller.merchant),
        payer: parse_some(query.payer.as_deref(), "payer")?,
        status: status.transpose()?,
    };
    app.list(filter, query.page(), SignUpView::of).await
}
