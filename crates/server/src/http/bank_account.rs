//! Bank accounts that money is paid to: number and holder come in plain, are sealed at once, and only masks go out.

use std::sync::Arc;

use ark::{CustomerId as Person, MacKey, Secret, Vault};
use domain::account::Owner;
use domain::customer::Customer;
use domain::ids::CustomerId;
use domain::merchant::SettlementAccount;
use domain::payout::Receiver;
use domain::sealed::Sealed;
use domain::{Refusal, State};
use node::fields::{self, BANK_ACCOUNT, BANK_ACCOUNT_NAME, CUSTOMER_NAME};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::customer::sealing_failed;
use super::error::ApiError;
use super::sensitive::Personal;

/// A bank account.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireBankAccount {
    /// Its number.
    #[schema(example = "6222020200112230")]
    account: Personal,
    /// Its holder's name.
    #[schema(example = "张三")]
    holder: Personal,
}

/// A bank account; only what masks show.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct BankAccountView {
    /// The number's mask.
    #[schema(example = "622202******2230")]
    account: String,
    /// The holder's mask.
    #[schema(example = "张*")]
    holder: String,
}

impl BankAccountView {
    /// What masks show.
    pub(crate) fn of(account: &Sealed, holder: &Sealed) -> Self {
        Self { account: account.mask.clone(), holder: holder.mask.clone() }
    }
}

/// A sealed bank account, and whether its holder is the customer whose account pays.
#[derive(Debug)]
pub(crate) struct SealedBankAccount {
    pub(crate) account: Sealed,
    pub(crate) holder: Sealed,
    pub(crate) own: bool,
    /// What block lists and stopped cards know the number by.
    pub(crate) token: String,
}

impl SealedBankAccount {
    /// As the receiver of a payout.
    pub(crate) fn receiver(self) -> Receiver {
        let Self { account, holder: name, own, token } = self;
        Receiver { account, name, own, token: Some(token) }
    }
}

impl App {
    /// Seals a bank account under a customer's key and compares the holder with the customer's own name.
    pub(crate) async fn seal_bank_account(
        &self,
        customer: CustomerId,
        wire: WireBankAccount,
        param: &'static str,
    ) -> Result<SealedBankAccount, ApiError> {
        let name = self.look(move |state| state.customer(customer).map(|customer| customer.name.clone())).await?.view;
        let vault = Arc::clone(&self.vault);
        self.blocking(move || seal(&vault, customer, &name, &wire).map_err(|error| error.within(param))).await
    }

    /// The token of a bank account's or card's number: the same for every customer, and nothing leads back from it.
    pub(crate) fn card_token(&self, number: &Personal, param: &'static str) -> Result<String, ApiError> {
        let keys = self.vault.request_keys().map_err(sealing_failed)?;
        token(&keys.root, number.checked(param)?.expose(), param)
    }

    /// As [`Self::seal_bank_account`], for an account that must be the customer's own.
    pub(crate) async fn seal_settlement_account(
        &self,
        customer: CustomerId,
        wire: WireBankAccount,
        param: &'static str,
    ) -> Result<SettlementAccount, ApiError> {
        let SealedBankAccount { account, holder: name, own, .. } =
            self.seal_bank_account(customer, wire, param).await?;
        if own {
            return Ok(SettlementAccount { account, name });
        }
        let message =
            format!("the holder's name is not that of {customer}; settlements go to an account in its own name");
        Err(ApiError::new("holder_mismatch", Some(&format!("{param}.holder")), message))
    }
}

/// The number without blanks, which is what is compared.
fn digits(number: &str, param: &str) -> Result<String, ApiError> {
    let digits: String = number.chars().filter(|letter| *letter != ' ').collect();
    if digits.bytes().all(|byte| byte.is_ascii_digit()) && (6..=34).contains(&digits.len()) {
        return Ok(digits);
    }
    Err(ApiError::malformed(param, "a bank account's number has 6 to 34 digits"))
}

/// A keyed digest of the number.
fn token(root: &MacKey, number: &str, param: &str) -> Result<String, ApiError> {
    Ok(ark::vault::card_token(root, &Secret::new(digits(number, param)?)))
}

/// A card's number, sealed for its holder, and its token.
pub(super) fn seal_card(vault: &Vault, customer: CustomerId, number: &Secret) -> Result<(Sealed, String), ApiError> {
    let token = token(&vault.request_keys().map_err(sealing_failed)?.root, number.expose(), "account")?;
    let plain = Secret::new(digits(number.expose(), "account")?);
    let sealed = fields::seal(vault, Person(customer.0), BANK_ACCOUNT, &plain).map_err(sealing_failed)?;
    Ok((sealed, token))
}

fn seal(
    vault: &Vault,
    customer: CustomerId,
    name: &Sealed,
    wire: &WireBankAccount,
) -> Result<SealedBankAccount, ApiError> {
    let (number, holder) = (wire.account.checked("account")?, wire.holder.checked("holder")?);
    let token = token(&vault.request_keys().map_err(sealing_failed)?.root, number.expose(), "account")?;
    let own = fields::open(vault, CUSTOMER_NAME, name).map_err(sealing_failed)?.expose() == holder.expose();
    let seal = |field, text| fields::seal(vault, Person(customer.0), field, text).map_err(sealing_failed);
    Ok(SealedBankAccount { account: seal(BANK_ACCOUNT, number)?, holder: seal(BANK_ACCOUNT_NAME, holder)?, own, token })
}

/// The customer behind an owner.
///
/// # Errors
/// `user_unknown`, `merchant_unknown`, `customer_unknown`; `subject_not_allowed` for the institution.
pub(crate) fn customer_of(state: &State, owner: Owner) -> Result<&Customer, Refusal> {
    match owner {
        Owner::User(id) => state.customer(state.user(id)?.customer),
        Owner::Merchant(id) => state.customer(state.merchant(id)?.customer),
        Owner::Institution => {
            let message = "the institution's own accounts pay nobody here; name an account of a user or merchant";
            Err(Refusal::new(domain::RefusalCode::SubjectNotAllowed, "account", message))
        }
    }
}
