//! Pay passwords (支付密码): they come encrypted, leave a tag that only the key service makes, and are compared there.
//!
//! ```text
//!  a try, counted and durable ─► the tag, in the key service ─┬─ right ─► the count goes back ─► what was to be paid
//!                                                             └─ wrong ─► pay_password_wrong, with what is left
//! ```
//! A user that has one brings it with a transfer or a payment from the balance, and with payments by agreement if it said so. A merchant
//! takes no balance without it. No clear password is ever taken, kept, logged or journaled.
//!
//! A change that is asked again brings what was the old one. Its try is counted first, so that no question goes uncounted; then its
//! key and words say that it was answered before. The count goes back only if the password that it set still stands: a change that is
//! overtaken proves nothing of the one that is right now.

use std::sync::Arc;

use ::ark::keys::{Error as KeysError, KeyUse, PAY_PASSWORD_KEY, by_platform};
use ::ark::provider::KeyError;
use ::ark::signing::Stamp;
use ::ark::{CustomerId as Person, Secret, Vault};
use axum::extract::State;
use domain::account::Owner;
use domain::ids::{AccountId, OrderId, SignUpId, UserId};
use domain::pay_password::{MAX_TRIES, PayPassword, PayPasswordCommand, SetBy};
use domain::sealed::Sealed;
use domain::{Actor, Command, Origin, Refusal, Reply};
use engine::Meta;
use node::fields::{self, CERTIFICATE_NUMBER, CUSTOMER_PHONE, PAY_PASSWORD};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::{Answer, Answered};
use super::auth::Caller;
use super::customer::sealing_failed;
use super::error::ApiError;
use super::extract::{Id, Json};
use super::sensitive::Encrypted;
use super::wire::{parse, time_text};

/// Why the key is used, for the trail.
const REASON: &str = "pay password";
/// Digits of a password.
const DIGITS: usize = 6;

/// A pay password to be set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPayPassword {
    /// Six digits, encrypted.
    password: Encrypted,
    /// Whether payments by agreement ask for it too; payments from the balance always do.
    agreements: Option<bool>,
}

/// A pay password in place of another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangedPayPassword {
    /// The one that is right now, encrypted.
    old: Encrypted,
    /// Six digits, encrypted.
    password: Encrypted,
    /// As it is unless said.
    agreements: Option<bool>,
}

/// A pay password whose user forgot it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetPayPassword {
    /// Six digits, encrypted.
    password: Encrypted,
    /// The agreement that the user just signed: the bank compared name, certificate, card and phone within fifteen minutes. Without it the
    /// institution vouches for the user.
    #[schema(example = "sgn_2")]
    sign_up: Option<String>,
    /// As it is unless said.
    agreements: Option<bool>,
}

/// A pay password to be compared.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BroughtPayPassword {
    /// Encrypted.
    password: Encrypted,
}

/// How a user's pay password stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PayPasswordView {
    #[schema(example = "usr_7")]
    user: String,
    /// Whether payments by agreement ask for it too.
    agreements: bool,
    set_at: String,
    /// How often it was set, changed or reset.
    version: u32,
    /// Wrong tries that are left before it is locked.
    tries_left: u32,
    /// Until when no try is taken.
    locked_until: Option<String>,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

impl PayPasswordView {
    fn of(state: &domain::State, row: &PayPassword) -> Self {
        let locked = row.locked_until(state.now);
        Self {
            user: row.id.to_string(),
            agreements: row.agreements,
            set_at: time_text(row.set_at),
            version: row.version,
            tries_left: row.tries_left(state.now),
            locked_until: locked.map(time_text),
            allowed_actions: if locked.is_some() { vec!["reset"] } else { vec!["verify", "change", "reset"] },
        }
    }
}

/// The digits of a password.
fn digits<'a>(password: &'a Encrypted, param: &str) -> Result<&'a Secret, ApiError> {
    let text = password.checked(param)?;
    if text.expose().len() == DIGITS && text.expose().bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text);
    }
    Err(ApiError::malformed(param, "a pay password is six digits"))
}

/// Whether others would try it first: one digit, up or down in steps of one, or within the certificate's number or the phone's.
fn is_weak(password: &str, personal: &[Secret]) -> bool {
    let steps: Vec<i16> = password.as_bytes().windows(2).map(|pair| i16::from(pair[1]) - i16::from(pair[0])).collect();
    let even = [0, 1, -1].iter().any(|step| steps.iter().all(|found| found == step));
    // Within 19900307 stand 199003 and 900307, the usual birthdays.
    even || personal.iter().any(|text| text.expose().contains(password))
}

/// What the tag is made of: bound to the user and to a salt.
fn message(user: UserId, salt: &str, password: &Secret) -> zeroize::Zeroizing<Vec<u8>> {
    let head = format!("lintel/pay-password/1/{user}/");
    zeroize::Zeroizing::new([head.as_bytes(), salt.as_bytes(), b"/", password.expose().as_bytes()].concat())
}

/// Salt and tag of a new password, sealed for its customer.
fn verifier(
    vault: &Vault,
    keys: &dyn KeyUse,
    user: UserId,
    customer: Person,
    password: &Secret,
) -> Result<Sealed, ApiError> {
    let salt = Stamp::random(0).map_err(|error| ApiError::internal("making a salt", &error))?.nonce().to_owned();
    let tag = keys.hmac(&by_platform(REASON), PAY_PASSWORD_KEY, &message(user, &salt, password));
    let tag = tag.map_err(|error| super::ark::error_of(&error))?;
    let text = Secret::new(format!("{salt}/{tag}"));
    fields::seal(vault, customer, PAY_PASSWORD, &text).map_err(sealing_failed)
}

/// Whether a password is the one that was kept.
fn is_right(vault: &Vault, keys: &dyn KeyUse, row: &PayPassword, password: &Secret) -> Result<bool, ApiError> {
    let kept = fields::open(vault, PAY_PASSWORD, &row.verifier).map_err(sealing_failed)?;
    let broken = || ApiError::new("internal", None, "what is kept of the pay password does not read; have it reset");
    let (salt, tag) = kept.expose().split_once('/').ok_or_else(broken)?;
    match keys.verify_hmac(&by_platform(REASON), PAY_PASSWORD_KEY, &message(row.id, salt, password), tag) {
        Ok(()) => Ok(true),
        Err(KeysError::Provider(KeyError::Tag)) => Ok(false),
        Err(error) => Err(super::ark::error_of(&error)),
    }
}

/// A password that was compared; its try is counted.
struct Compared {
    right: bool,
    /// With which version.
    version: u32,
    /// Tries that are left if it is wrong.
    left: u32,
}

impl Compared {
    /// Counts what came of it.
    fn count(outcome: &'static str) {
        metrics::counter!("lintel_pay_passwords_total", "outcome" => outcome).increment(1);
    }

    fn wrong(&self, param: &'static str) -> ApiError {
        let message = match self.left {
            0 => {
                format!(
                    "it is not the one that is set; after {MAX_TRIES} tries it is locked for a day: reset it, or wait"
                )
            }
            left => format!("it is not the one that is set; {left} of {MAX_TRIES} tries are left"),
        };
        ApiError::new("pay_password_wrong", Some(param), message)
    }
}

impl App {
    /// Takes a try, compares, and takes the try back if it is right.
    ///
    /// # Errors
    /// `pay_password_unknown`, `pay_password_locked`, `pay_password_wrong`; those of the key service, with the try counted.
    async fn prove(&self, actor: &Actor, user: UserId, password: &Secret, param: &'static str) -> Result<(), ApiError> {
        let compared = self.compare(actor, user, password).await?;
        Compared::count(if compared.right { "right" } else { "wrong" });
        if !compared.right {
            return Err(compared.wrong(param));
        }
        self.take_back(actor, user, compared.version).await
    }

    /// Takes a try and compares.
    async fn compare(&self, actor: &Actor, user: UserId, password: &Secret) -> Result<Compared, ApiError> {
        let row =
            move |state: &domain::State, _: &Reply| state.pay_password(user).ok().map(|row| (row.clone(), state.now));
        let meta = Meta::unkeyed(actor.clone(), Origin::Api);
        let tried = self.change(meta, Command::PayPassword(PayPasswordCommand::Try(user)), row).await?;
        let (row, now) = tried.view;
        let (version, left) = (row.version, row.tries_left(now));
        Ok(Compared { right: self.is_that(row, password).await?, version, left })
    }

    async fn is_that(&self, row: PayPassword, password: &Secret) -> Result<bool, ApiError> {
        let (vault, keys, password) = (Arc::clone(&self.vault), self.ark.keys(), password.clone());
        self.blocking(move || is_right(&vault, &*keys, &row, &password)).await
    }

    /// The right one was brought: the tries go back.
    async fn take_back(&self, actor: &Actor, user: UserId, version: u32) -> Result<(), ApiError> {
        let meta = Meta::unkeyed(actor.clone(), Origin::Api);
        let done = |_: &domain::State, _: &Reply| Some(());
        self.change(meta, Command::PayPassword(PayPasswordCommand::Match { user, version }), done).await?;
        Ok(())
    }

    /// The answer of a change that was made before, if this is it once more: the same key and the same words.
    ///
    /// # Errors
    /// The refusal with which it was answered; `idempotency_key_missing`.
    async fn answered_before(
        &self,
        caller: &Caller,
        user: UserId,
        password: &Secret,
    ) -> Result<Option<Answer<PayPasswordView>>, ApiError> {
        let row = move |state: &domain::State, _: &Reply| state.pay_password(user).ok().cloned();
        let again = Command::PayPassword(PayPasswordCommand::Again(user));
        let row = match self.change(caller.meta()?, again, row).await {
            Ok(Answer { view, repeated: true, .. }) => view,
            Ok(_) => return Ok(None),
            // Other words under its key: whoever guesses learns no more than from any wrong try.
            Err(error) if error.code() == "key_reused" => return Ok(None),
            Err(error) => return Err(error),
        };
        let version = row.version;
        if self.is_that(row, password).await? {
            match self.take_back(&caller.actor, user, version).await {
                // It was set anew in this moment, which took the tries back.
                Err(error) if error.code() == "pay_password_state" => {}
                other => other?,
            }
        }
        let shown = look(self, user).await?;
        Ok(Some(Answer { repeated: true, ..shown }))
    }

    /// Asks for the pay password of a transfer's payer, if it has one and pays from its balance.
    ///
    /// # Errors
    /// `pay_password_required`; as [`Self::prove`].
    pub(super) async fn prove_transfer(
        &self,
        actor: &Actor,
        from: AccountId,
        password: Option<&Encrypted>,
    ) -> Result<(), ApiError> {
        let look = move |state: &domain::State| {
            let Owner::User(user) = state.account(from, "from")?.owner else { return Ok(None) };
            Ok(state.pay_passwords.get(user.0).map(|_| user))
        };
        let asked = self.look(look).await?.view;
        self.prove_if(actor, asked, password).await
    }

    /// Asks for the pay password of an order's payer, if it has one and what pays asks for it. The institution's programs vouch for a payer
    /// without one who pays from the balance, as they do for a transfer; merchants cannot, nor for more factors than the password.
    ///
    /// # Errors
    /// As [`Self::prove_transfer`]; of a merchant that takes a balance `pay_password_unknown`, and `not_permitted` for its word on factors.
    pub(super) async fn prove_payment(
        &self,
        actor: &Actor,
        payer: Payer,
        asks: Asks,
        password: Option<&Encrypted>,
    ) -> Result<(), ApiError> {
        let (brought, by_merchant) = (password.is_some(), is_merchant(actor, asks)?);
        let look = move |state: &domain::State| {
            let user = match payer {
                Payer::User(user) => user,
                Payer::Of(order) => state.order(order)?.payer,
            };
            asked(state, user, asks, (brought, by_merchant))
        };
        let asked = self.look(look).await?.view;
        self.prove_if(actor, asked, password).await
    }

    async fn prove_if(
        &self,
        actor: &Actor,
        asked: Option<UserId>,
        password: Option<&Encrypted>,
    ) -> Result<(), ApiError> {
        match (asked, password) {
            (Some(user), Some(password)) => {
                self.prove(actor, user, digits(password, "pay_password")?, "pay_password").await
            }
            (None, None) => Ok(()),
            (Some(user), None) => Err(required(user)),
            (None, Some(_)) => {
                let message = "the payer has no pay password; leave it out, or set one first";
                Err(ApiError::malformed("pay_password", message))
            }
        }
    }

    /// Keeps a password.
    async fn keep(
        &self,
        caller: &Caller,
        user: UserId,
        password: &Encrypted,
        agreements: Option<bool>,
        by: SetBy,
    ) -> Answered<PayPasswordView> {
        let (meta, password) = (caller.meta()?, digits(password, "password")?.clone());
        let look = move |state: &domain::State| state.customer(state.user(user)?.customer).cloned();
        let customer = self.look(look).await?.view;
        let (vault, keys) = (Arc::clone(&self.vault), self.ark.keys());
        let verifier = self
            .blocking(move || {
                let opened = |field, sealed| fields::open(&vault, field, sealed).map_err(sealing_failed);
                let mut personal = vec![opened(CERTIFICATE_NUMBER, &customer.certificate)?];
                if let Some(phone) = &customer.phone {
                    personal.push(opened(CUSTOMER_PHONE, phone)?);
                }
                if is_weak(password.expose(), &personal) {
                    let message = "others would try it first: take one that is no series, and not within the certificate's or the phone's number";
                    return Err(ApiError::new("pay_password_weak", Some("password"), message));
                }
                verifier(&vault, &*keys, user, Person(customer.id.0), &password)
            })
            .await?;
        let command = PayPasswordCommand::Set { user, verifier, agreements, by };
        self.change(meta, Command::PayPassword(command), shown).await
    }
}

/// Whether a merchant takes a payment.
///
/// # Errors
/// `not_permitted` for a merchant's word on factors.
fn is_merchant(actor: &Actor, asks: Asks) -> Result<bool, ApiError> {
    let by_merchant = !matches!(actor, Actor::Operator(_));
    if by_merchant && asks == (Asks::Balance { more_factors: true }) {
        let message =
            "a merchant does not say how a payer proved itself: leave factors out, and bring the pay password";
        return Err(ApiError::forbidden(message));
    }
    Ok(by_merchant)
}

/// The payer, if its pay password is asked for: whether one was brought, and whether a merchant takes it.
fn asked(
    state: &domain::State,
    user: UserId,
    asks: Asks,
    (brought, by_merchant): (bool, bool),
) -> Result<Option<UserId>, Refusal> {
    let row = match asks {
        Asks::Balance { .. } if by_merchant => Some(state.pay_password(user)?),
        Asks::Nothing | Asks::Agreement | Asks::Balance { .. } => state.pay_passwords.get(user.0),
    };
    let asked = |row: &&PayPassword| match asks {
        Asks::Nothing => brought,
        Asks::Agreement => brought || row.agreements,
        Asks::Balance { .. } => true,
    };
    Ok(row.filter(asked).map(|row| row.id))
}

fn required(user: UserId) -> ApiError {
    let message = format!("{user} has a pay password: bring it, encrypted, as pay_password");
    ApiError::new("pay_password_required", Some("pay_password"), message)
}

/// What a payment that brings no pay password is refused for, by the state that it would be decided on.
///
/// # Errors
/// As [`App::prove_payment`], both what is returned and what that says.
pub(super) fn unproved(
    actor: &Actor,
    payer: UserId,
    asks: Asks,
) -> Result<impl FnOnce(&domain::State) -> Result<(), ApiError> + Send + use<>, ApiError> {
    let by_merchant = is_merchant(actor, asks)?;
    Ok(move |state: &domain::State| -> Result<(), ApiError> {
        asked(state, payer, asks, (false, by_merchant))?.map_or(Ok(()), |user| Err(required(user)))
    })
}

/// Which pay password a payment asks for; of several instruments the greatest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asks {
    /// None, unless it is brought.
    Nothing,
    /// A card under an agreement: that of a user who said so.
    Agreement,
    /// A balance: always.
    Balance {
        /// The caller says that the payer proved itself by more than the password.
        more_factors: bool,
    },
}

/// Whose order it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Payer {
    /// This user's.
    User(UserId),
    /// That of this order's payer.
    Of(OrderId),
}

fn shown(state: &domain::State, reply: &Reply) -> Option<PayPasswordView> {
    let Reply::PayPassword(user) = reply else { return None };
    state.pay_password(*user).ok().map(|row| PayPasswordView::of(state, row))
}

/// Set a user's pay password
///
/// The first one; later it is changed or reset.
#[utoipa::path(
    post, path = "/v1/users/{id}/pay-password", tag = "pay_password", params(("id" = String, Path, example = "usr_7")),
    responses((status = OK, body = PayPasswordView))
)]
pub(crate) async fn set(
    State(app): State<App>,
    caller: Caller,
    Id(user): Id<UserId>,
    Json(new): Json<NewPayPassword>,
) -> Answered<PayPasswordView> {
    caller.operator()?;
    app.keep(&caller, user, &new.password, new.agreements, SetBy::First).await
}

/// Change a user's pay password
///
/// By the one that is right now; a wrong one is a try. Asked again under its key because the answer was lost, it is answered again
/// (`Lintel-Repeated`), unless the password is locked meanwhile: then nothing is compared.
#[utoipa::path(
    post, path = "/v1/users/{id}/pay-password/change", tag = "pay_password",
    params(("id" = String, Path, example = "usr_7")), responses((status = OK, body = PayPasswordView))
)]
pub(crate) async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(user): Id<UserId>,
    Json(new): Json<ChangedPayPassword>,
) -> Answered<PayPasswordView> {
    caller.operator()?;
    caller.meta()?;
    let (old, password) = (digits(&new.old, "old")?, digits(&new.password, "password")?);
    let compared = app.compare(&caller.actor, user, old).await?;
    let proved = match compared.right {
        true => app.take_back(&caller.actor, user, compared.version).await,
        false => Err(compared.wrong("old")),
    };
    // The old one is no more: this change itself may have seen to that.
    if let Err(error) = &proved
        && matches!(error.code(), "pay_password_wrong" | "pay_password_state")
        && let Some(answer) = app.answered_before(&caller, user, password).await?
    {
        Compared::count("repeated");
        return Ok(answer);
    }
    Compared::count(if compared.right { "right" } else { "wrong" });
    proved?;
    app.keep(&caller, user, &new.password, new.agreements, SetBy::Old).await
}

/// Reset a user's pay password
///
/// By an agreement that the user just signed, or by the institution, which knows the user. It is not locked any more.
#[utoipa::path(
    post, path = "/v1/users/{id}/pay-password/reset", tag = "pay_password",
    params(("id" = String, Path, example = "usr_7")), responses((status = OK, body = PayPasswordView))
)]
pub(crate) async fn reset(
    State(app): State<App>,
    caller: Caller,
    Id(user): Id<UserId>,
    Json(new): Json<ResetPayPassword>,
) -> Answered<PayPasswordView> {
    caller.operator()?;
    let by = match new.sign_up.as_deref() {
        Some(id) => SetBy::SignUp(parse::<SignUpId>(id, "sign_up")?),
        None => SetBy::Institution,
    };
    app.keep(&caller, user, &new.password, new.agreements, by).await
}

/// Compare a pay password
///
/// A right one takes the wrong tries back; the fifth wrong one locks it for a day. It takes no Idempotency-Key: sent again it is
/// compared again, and a wrong one is another try.
#[utoipa::path(
    post, path = "/v1/users/{id}/pay-password/verify", tag = "pay_password",
    params(("id" = String, Path, example = "usr_7")), responses((status = OK, body = PayPasswordView))
)]
pub(crate) async fn verify(
    State(app): State<App>,
    caller: Caller,
    Id(user): Id<UserId>,
    Json(brought): Json<BroughtPayPassword>,
) -> Answered<PayPasswordView> {
    caller.operator()?;
    app.prove(&caller.actor, user, digits(&brought.password, "password")?, "password").await?;
    look(&app, user).await
}

/// Look at how a user's pay password stands
#[utoipa::path(
    get, path = "/v1/users/{id}/pay-password", tag = "pay_password", params(("id" = String, Path, example = "usr_7")),
    responses((status = OK, body = PayPasswordView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(user): Id<UserId>) -> Answered<PayPasswordView> {
    caller.operator()?;
    look(&app, user).await
}

async fn look(app: &App, user: UserId) -> Result<Answer<PayPasswordView>, ApiError> {
    app.look(move |state| Ok(PayPasswordView::of(state, state.pay_password(user)?))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_would_try_first_is_weak() {
        let personal = [Secret::from("110101199003070134"), Secret::from("13800138000")];
        for weak in ["000000", "123456", "654321", "199003", "900307", "070134", "138001", "013800"] {
            assert!(is_weak(weak, &personal), "{weak}");
        }
        for good in ["135790", "112233", "908172", "012346"] {
            assert!(!is_weak(good, &personal), "{good}");
        }
    }
}
