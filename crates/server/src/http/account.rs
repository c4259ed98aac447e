//! Accounts: open, close, look at one.

use axum::extract::State;
use domain::account::{Account, AccountStatus, OpenAccount, Owner};
use domain::book::Subject;
use domain::ids::AccountId;
use domain::money::Currency;
use domain::restriction::Bars;
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, owner, owner_text, parse, word};

/// What to open.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccount {
    /// The subject's code: 2201, 2202, 2203, 2206, 2251 or 9201.
    #[schema(example = 2201)]
    subject: u16,
    /// ISO 4217.
    #[schema(example = "CNY")]
    currency: String,
    /// `usr_…`, `mch_…` or `institution`.
    #[schema(example = "usr_7")]
    owner: String,
    /// May it go below zero? Never for 2201–2206.
    #[serde(default)]
    overdraft: bool,
}

/// An account. Amounts are minor units on the side on which its subject grows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountView {
    #[schema(example = "acc_42")]
    id: String,
    /// The subject's code; `GET /v1/subjects` lists them.
    #[schema(example = 2201)]
    subject: u16,
    /// The book: RESERVE, OWN or CUSTODY.
    #[schema(example = "RESERVE")]
    book: &'static str,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// `usr_…`, `mch_…` or `institution`.
    #[schema(example = "usr_7")]
    owner: String,
    /// The agreement whose account it is.
    #[schema(example = "agr_2")]
    agreement: Option<String>,
    /// `open` or `closed`.
    status: &'static str,
    /// No money comes in: the institution restricted it, or a freeze bars it.
    in_barred: bool,
    /// No money goes out: the institution restricted it, or a freeze bars it.
    out_barred: bool,
    /// Posted.
    balance: Amount,
    /// Reserved to go out.
    held: Amount,
    /// Announced to come in; never available.
    held_in: Amount,
    /// What its own freezes bite on now.
    frozen: Amount,
    /// What the freezes of its customer bite on in it now.
    frozen_by_customer: Amount,
    /// What may go out now: less than balance, held and frozen leave if freezes of the customer, over all its accounts,
    /// leave less.
    available: Amount,
    /// How many entries it has.
    entries: u64,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

impl AccountView {
    /// The account as callers see it.
    pub(crate) fn of(state: &domain::State, account: &Account) -> Self {
        let (available, barred) = (state.available(account), account.barred());
        let open = account.status == AccountStatus::Open;
        let amounts = [account.balance, account.held_out, account.rare.held_in, account.rare.frozen];
        let empty = amounts == [0; 4] && account.rare.freezes == Bars::default();
        let own = account.owner == Owner::Institution;
        let actions = [("hold", open && available > 0), ("restrict", open && !own), ("close", open && empty && !own)];
        Self {
            id: account.id.to_string(),
            subject: account.subject.code(),
            book: account.subject.book().name(),
            currency: account.currency.code(),
            owner: owner_text(account.owner),
            agreement: account.rare.agreement.map(|id| id.to_string()),
            status: status_name(account.status),
            in_barred: barred.in_barred,
            out_barred: barred.out_barred,
            balance: Amount(account.balance),
            held: Amount(account.held_out),
            held_in: Amount(account.rare.held_in),
            frozen: Amount(account.effective_frozen()),
            frozen_by_customer: Amount(state.frozen_by_customer(account)),
            available: Amount(available),
            entries: account.entries,
            allowed_actions: actions.into_iter().filter(|(_, allowed)| *allowed).map(|(name, _)| name).collect(),
        }
    }
}

const fn status_name(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Open => "open",
        AccountStatus::Closed => "closed",
    }
}

/// Reads a subject's code.
pub(crate) fn subject(code: u16) -> Result<Subject, ApiError> {
    Subject::from_code(code).ok_or_else(|| {
        let message = format!("{code} is no subject of the chart of accounts; GET /v1/subjects lists them");
        ApiError::malformed("subject", message)
    })
}

/// Open an account
///
/// Merchants get theirs when they are opened, agreements when they are made.
#[utoipa::path(post, path = "/v1/accounts", tag = "account", responses((status = OK, body = AccountView)))]
pub(crate) async fn open(State(app): State<App>, caller: Caller, Json(new): Json<NewAccount>) -> Answered<AccountView> {
    caller.operator()?;
    change(&app, &caller, Command::OpenAccount(new.open()?)).await
}

impl NewAccount {
    fn open(&self) -> Result<OpenAccount, ApiError> {
        Ok(OpenAccount {
            subject: subject(self.subject)?,
            currency: Currency::parse(&self.currency)?,
            owner: owner(&self.owner, "owner")?,
            overdraft: self.overdraft,
        })
    }
}

/// Accounts to open together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccounts {
    /// 1 to 10,000.
    accounts: Vec<NewAccount>,
}

/// Accounts that were opened together.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenedAccounts {
    /// The first; the others count up by one, in the order in which they were asked for.
    #[schema(example = "acc_42")]
    first: String,
    /// How many.
    count: u32,
}

/// Open many accounts
///
/// All or none.
#[utoipa::path(post, path = "/v1/accounts/batch", tag = "account", responses((status = OK, body = OpenedAccounts)))]
pub(crate) async fn open_many(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewAccounts>,
) -> Answered<OpenedAccounts> {
    caller.operator()?;
    let one = |(at, new): (usize, &NewAccount)| new.open().map_err(|error| error.within(&format!("accounts[{at}]")));
    let accounts = new.accounts.iter().enumerate().map(one).collect::<Result<_, _>>()?;
    let view = |_: &domain::State, reply: &Reply| {
        let Reply::Accounts { first, count } = reply else { return None };
        Some(OpenedAccounts { first: first.to_string(), count: *count })
    };
    app.change(caller.meta()?, Command::OpenAccounts(accounts), view).await
}

/// Close an account for ever
///
/// At zero, with nothing held, frozen or on its way.
#[utoipa::path(
    post, path = "/v1/accounts/{id}/close", tag = "account", params(("id" = String, Path, example = "acc_42")),
    responses((status = OK, body = AccountView))
)]
pub(crate) async fn close(State(app): State<App>, caller: Caller, Id(account): Id<AccountId>) -> Answered<AccountView> {
    caller.operator()?;
    change(&app, &caller, Command::CloseAccount(account)).await
}

async fn change(app: &App, caller: &Caller, command: Command) -> Answered<AccountView> {
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Account(id) = reply else { return None };
        state.accounts.get(id.0).map(|account| AccountView::of(state, account))
    };
    app.change(caller.meta()?, command, view).await
}

/// Look at an account
#[utoipa::path(
    get, path = "/v1/accounts/{id}", tag = "account", params(("id" = String, Path, example = "acc_42")),
    responses((status = OK, body = AccountView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<AccountId>) -> Answered<AccountView> {
    app.owned(&caller, move |state| Ok(state.account(id, "id")?.owner)).await?;
    app.look(move |state| state.account(id, "id").map(|account| AccountView::of(state, account))).await
}

list_query! {
    /// Which accounts.
    pub(crate) struct AccountQuery {
        /// `usr_…`, `mch_…` or `institution`; a merchant sees its own.
        owner,
        /// The subject's code.
        subject,
        /// `open` or `closed`.
        status,
    }
}

/// List accounts
///
/// Balances are of now, not of the list's position.
#[utoipa::path(
    get, path = "/v1/accounts", tag = "account", params(AccountQuery),
    responses((status = OK, body = PageView<AccountView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AccountQuery>,
) -> ListAnswer<AccountView> {
    let own = caller.merchant.map(Owner::Merchant);
    let asked = query.owner.as_deref().map(|text| owner(text, "owner")).transpose()?;
    if let Some(asked) = asked {
        caller.owner_or_operator(asked)?;
    }
    let all = [AccountStatus::Open, AccountStatus::Closed];
    let code = query.subject.as_deref().map(|text| parse(text, "subject")).transpose()?;
    let filter = store::account::AccountFilter {
        owner: asked.or(own),
        subject: code.map(subject).transpose()?,
        status: query.status.as_deref().map(|text| word(text, "status", &all, status_name)).transpose()?,
    };
    let view =
        |state: &domain::State, row: &Account| AccountView::of(state, state.accounts.get(row.id.0).unwrap_or(row));
    app.list(filter, query.page(), view).await
}
