//! Asking a channel about the signing of an agreement: for a code to the holder's phone, and with the code that came.
//!
//! Each is written once. An answer that does not come proves nothing: the books stay as they are, and the holder brings the code, or
//! the same code again, under the same serial number.

use ark::Secret;
use channels::{ChannelError, SignUp as Asked, SignedUp};
use domain::channel::ChannelName;
use domain::customer::Customer;
use domain::sealed::Sealed;
use domain::sign_up::{SignUp, SignUpAnswer, SignUpFailure};
use node::executor::Call;
use node::fields::{self, BANK_ACCOUNT, CERTIFICATE_NUMBER, CUSTOMER_NAME, CUSTOMER_PHONE};
use node::site::Errand;

use super::executor::{Executor, Route};

/// Why a channel was not asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignUpError {
    /// No channel is called so.
    #[error("no channel is configured for {0}; add one to [[channels]]")]
    NoChannel(ChannelName),
    /// The channel cannot be asked this.
    #[error(transparent)]
    Channel(#[from] ChannelError),
}

/// The way to a channel that signs agreements.
///
/// # Errors
/// [`SignUpError::NoChannel`]; [`ChannelError::NoSignUp`].
pub(crate) fn route<'a>(executor: &'a Executor, name: &ChannelName) -> Result<&'a Route, SignUpError> {
    let route = executor.routes.get(name).ok_or_else(|| SignUpError::NoChannel(name.clone()))?;
    let manifest = route.channel.manifest();
    if manifest.sign_ups { Ok(route) } else { Err(ChannelError::NoSignUp { channel: manifest.name }.into()) }
}

/// Opens what a bank compares: a card, a phone that it knows, and the registered name and certificate.
pub(super) fn opens<'a>(
    executor: &'a Executor,
    customer: &'a Customer,
    account: &'a Sealed,
    phone: Option<&'a Sealed>,
) -> impl Fn(&Sealed) -> Result<Secret, ark::Error> + 'a {
    move |sealed| {
        let field = if sealed == account {
            BANK_ACCOUNT
        } else if Some(sealed) == phone {
            CUSTOMER_PHONE
        } else if *sealed == customer.name {
            CUSTOMER_NAME
        } else {
            CERTIFICATE_NUMBER
        };
        fields::open(&executor.vault, field, sealed)
    }
}

/// Asks for a code, or brings one; `None` where the answer proves nothing.
///
/// # Errors
/// [`SignUpError`]; nothing was sent then.
pub(crate) async fn ask(
    executor: &Executor,
    row: &SignUp,
    customer: &Customer,
    code: Option<&Secret>,
) -> Result<Option<SignUpAnswer>, SignUpError> {
    let route = route(executor, &row.channel_name())?;
    let open = opens(executor, customer, &row.account, Some(&row.phone));
    let serial = row.serial();
    let asked = Asked {
        serial: &serial,
        requested_at: row.requested_at,
        bank: &row.bank,
        credit: row.credit,
        account: &row.account,
        name: &customer.name,
        certificate: &customer.certificate,
        phone: &row.phone,
    };
    let request = match code {
        None => route.channel.build_sign_up(&asked, &open)?,
        Some(code) => route.channel.build_confirmation(&asked, code)?,
    };
    let step = if code.is_some() { "confirm" } else { "request" };
    let called = executor.call(route, Errand::Send, None, &request).await;
    let said = match called.call {
        Call::Answered(response) => route.channel.signed_up(&request, &response),
        Call::NotWritten | Call::Lost => SignedUp::Unknown,
    };
    let (outcome, answer) = match said {
        SignedUp::CodeSent => ("code_sent", Some(SignUpAnswer::CodeSent)),
        SignedUp::Signed { agreement } => ("signed", Some(SignUpAnswer::Signed { agreement })),
        SignedUp::Refused { class, code } => ("refused", Some(SignUpAnswer::Refused(SignUpFailure { class, code }))),
        SignedUp::Unknown => ("unknown", None),
    };
    metrics::counter!("lintel_sign_ups_total", "step" => step, "outcome" => outcome).increment(1);
    Ok(answer)
}
