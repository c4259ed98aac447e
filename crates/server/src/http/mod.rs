//! HTTP: one file a feature, each with its own wire types; errors, signatures and the document in files of their own.

pub(crate) mod account;
mod acquiring;
mod advance;
pub(crate) mod agreement;
pub(crate) mod answer;
mod api_key;
pub(crate) mod approval;
pub(crate) mod ark;
mod arrears;
pub(crate) mod attempt;
pub(crate) mod auth;
pub(crate) mod bank_account;
pub(crate) mod bank_card;
mod batch_close;
pub(crate) mod block_list;
pub(crate) mod book;
pub(crate) mod bulk;
pub(crate) mod business_day;
mod calendar;
mod card_clearing;
mod card_fee;
mod card_network;
mod card_transaction;
mod cashier;
mod certificate;
pub(crate) mod channel;
mod channel_rate;
mod chargeback;
pub(crate) mod clearing;
pub(crate) mod conversion;
pub(crate) mod customer;
pub(crate) mod day_balances;
pub(crate) mod day_vouchers;
pub(crate) mod document;
pub(crate) mod error;
pub(crate) mod exchange_rate;
pub(crate) mod extract;
mod fee_plan;
pub(crate) mod freeze;
pub(crate) mod front_page;
pub(crate) mod fund_batch;
pub(crate) mod health;
pub(crate) mod hold;
mod journal_row;
mod kept;
pub(crate) mod limit;
pub(crate) mod list;
pub(crate) mod manual_voucher;
pub(crate) mod merchant;
mod nonces;
pub(crate) mod notice;
mod notification;
pub(crate) mod operator;
pub(crate) mod order;
mod outflow;
mod own_transfer;
mod pay_password;
pub(crate) mod payment;
pub(crate) mod payout;
pub(crate) mod rates;
mod real_name_check;
mod receipt;
mod receiver;
pub(crate) mod refund;
pub(crate) mod refusal;
pub(crate) mod request;
mod reserve_line;
pub(crate) mod restriction;
pub(crate) mod route;
mod sandbox_clock;
pub(crate) mod sealed;
mod sensitive;
pub(crate) mod settlement;
mod sign_up;
pub(crate) mod site_weight;
pub(crate) mod split;
pub(crate) mod split_plan;
pub(crate) mod statement;
pub(crate) mod suspense;
pub(crate) mod task;
mod terminal;
mod terminal_key;
mod terminal_parameter;
pub(crate) mod top_up;
pub(crate) mod totp;
pub(crate) mod transfer;
pub(crate) mod tree;
pub(crate) mod trial_balance;
mod unrouted;
pub(crate) mod user;
mod version;
pub(crate) mod voucher;
mod wait;
pub(crate) mod waiver;
pub(crate) mod webhook;
pub(crate) mod wire;
pub(crate) mod withdrawal;
pub(crate) mod withdrawal_batch;
pub(crate) mod withdrawal_plan;
mod working_day;

use std::ops::Deref;
use std::sync::Arc;

use ::ark::Vault;
use axum::Router;
use axum::extract::FromRef;
use axum::middleware;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use self::api_key::ApiKeys;
use self::certificate::Certificates;
pub(crate) use self::certificate::{platform_signature, public_pem};
use crate::config::PersonalFields;
use crate::shell::books::Books;
use crate::shell::key_service::Ark;
use crate::shell::rewrapper::Rewrapper;
use crate::shell::webhook::WebhookDesk;
use crate::shell::{Clock, Platform};

/// What handlers share: one pointer, for each request takes it several times.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

impl App {
    /// What is to be shared.
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl FromRef<App> for Arc<Ark> {
    fn from_ref(app: &App) -> Self {
        Arc::clone(&app.ark)
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What [`App`] points to.
pub(crate) struct Parts {
    /// The way to the writer.
    pub(crate) platform: Platform,
    /// Personal data.
    pub(crate) vault: Arc<Vault>,
    /// What moves it under a new version of its key.
    pub(crate) rewrapper: Rewrapper,
    /// The key service.
    pub(crate) ark: Arc<Ark>,
    /// What time it is.
    pub(crate) clock: Clock,
    /// How merchants send personal texts.
    pub(crate) personal_fields: PersonalFields,
    /// How commissions are split by role where nobody set it in the books.
    pub(crate) split_plans: Vec<split_plan::SettingsPlan>,
    /// Under which address others reach it.
    pub(crate) public_url: String,
    /// What is remembered of callers.
    pub(crate) callers: Callers,
    /// What follows the journal: tables, files, tail.
    pub(crate) books: Books,
    /// The network of the channels.
    pub(crate) executor: crate::shell::executor::Executor,
    /// The links to a card network, where there is one.
    pub(crate) card_network: Option<Arc<crate::pos::link::Network>>,
    /// Who says whose a terminal's public key is, if certificates do.
    pub(crate) terminal_ca: Option<crate::pos::terminal_ca::TerminalCa>,
    /// What chooses channels.
    pub(crate) router: crate::shell::routing::Router,
    /// The way to what tells webhooks.
    pub(crate) webhooks: WebhookDesk,
    /// At which times the platform takes the steps of a working day.
    pub(crate) working_day: node::working_day::Schedule,
}

/// What the gateway remembers of its callers, in this process alone.
pub(crate) struct Callers {
    /// Nonces in use.
    pub(crate) nonces: Arc<nonces::Nonces>,
    /// Merchants' certificates that signed of late.
    pub(crate) certificates: Certificates,
    /// Serial numbers of secrets that sign.
    pub(crate) api_keys: ApiKeys,
    /// Wrong one-time codes of late.
    pub(crate) codes: Arc<totp::Codes>,
}

impl Callers {
    /// Nobody yet.
    ///
    /// # Errors
    /// As [`Certificates::new`].
    pub(crate) fn new() -> Result<Self, ::ark::provider::KeyError> {
        let (certificates, api_keys) = (Certificates::new()?, api_key::none_kept());
        Ok(Self { nonces: Arc::default(), certificates, api_keys, codes: Arc::default() })
    }
}

/// The routes and the document they are described by.
pub(crate) fn routes(app: App) -> (Router, OpenApi) {
    let document = document();
    tokio::spawn(health::keep_up_metrics());
    // Few layers: each boxes every request's way through it and copies the service below.
    let authenticate = |who| middleware::from_fn_with_state(auth::Gate { app: app.clone(), who }, auth::authenticate);
    let (router, _) = programs()
        .route_layer(authenticate(auth::Who::Programs))
        .merge(people().merge(keys()).route_layer(authenticate(auth::Who::Everyone)))
        .merge(unsigned())
        .merge(cashier::routes().route_layer(middleware::from_fn_with_state(app.clone(), cashier::authenticate)))
        .merge(cashier::preflights())
        .merge(self::ark::ceremony())
        .split_for_parts();
    let router = router
        .merge(SwaggerUi::new("/docs").url("/openapi.json", document.clone()))
        .fallback(unrouted::route_unknown)
        .method_not_allowed_fallback(unrouted::method_not_allowed)
        .layer(middleware::from_fn(request::observe))
        .with_state(app);
    (router, document)
}

/// The document alone.
pub(crate) fn document() -> OpenApi {
    let router = OpenApiRouter::with_openapi(document::base()).merge(programs()).merge(people());
    let router = router.merge(keys()).merge(unsigned()).merge(cashier::routes());
    let (_, mut document) = router.merge(self::ark::ceremony()).split_for_parts();
    document::complete(&mut document);
    document
}

/// What anyone may ask, and what channels tell under signatures of their own.
fn unsigned() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .routes(routes!(notification::notify))
        .routes(routes!(receipt::verify))
        .routes(routes!(receipt::verified))
}

/// What the institution's programs and merchants do, and everyone may read.
fn programs() -> OpenApiRouter<App> {
    parties().merge(accounts()).merge(trees()).merge(money_in()).merge(money_out()).merge(wallets()).merge(running())
}

/// The key service, and what the platform does with the keys that it holds itself.
fn keys() -> OpenApiRouter<App> {
    self::ark::routes().merge(self::ark::of_platform())
}

/// What an operator may change with its own key; handlers ask for the role.
fn people() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(operator::register, operator::list))
        .routes(routes!(operator::get))
        .routes(routes!(operator::enrol_totp))
        .routes(routes!(api_key::get))
        .routes(routes!(api_key::rotate))
        .routes(routes!(api_key::end))
        .routes(routes!(approval::propose, approval::list))
        .routes(routes!(approval::get))
        .routes(routes!(approval::approve))
        .routes(routes!(approval::reject))
        .routes(routes!(approval::withdraw))
        .routes(routes!(restriction::restrict))
        .routes(routes!(reserve_line::take, reserve_line::list))
        .routes(routes!(reserve_line::awaited))
        .routes(routes!(reserve_line::get))
        .routes(routes!(reserve_line::take_balance, reserve_line::balances))
        .routes(routes!(own_transfer::list))
        .routes(routes!(own_transfer::get))
        .routes(routes!(own_transfer::cancel))
        .routes(routes!(arrears::list))
        .routes(routes!(arrears::get))
        .routes(routes!(arrears::collect))
        .routes(routes!(chargeback::receive, chargeback::list))
        .routes(routes!(chargeback::get))
        .routes(routes!(chargeback::book))
        .routes(routes!(chargeback::win))
        .routes(routes!(advance::request, advance::list))
        .routes(routes!(advance::get))
        .routes(routes!(advance::repay))
        .routes(routes!(advance::take_back))
        .routes(routes!(advance::policies))
        .routes(routes!(freeze::place, freeze::list))
        .routes(routes!(freeze::get))
        .routes(routes!(freeze::renew))
        .routes(routes!(freeze::stop_payment))
        .routes(routes!(freeze::proposal::deduct))
        .routes(routes!(block_list::add, block_list::list))
        .routes(routes!(block_list::get))
        .routes(routes!(certificate::revoke))
        .routes(routes!(limit::classify))
        .routes(routes!(site_weight::undo))
        .routes(routes!(outflow::stop_outflow))
        .routes(routes!(task::legs))
        .routes(routes!(task::refunds))
        .routes(routes!(task::payouts))
        .routes(routes!(task::suspense))
        .routes(routes!(task::advances))
        .routes(routes!(task::get))
        .routes(routes!(task::retry))
        .merge(points_of_sale())
        .routes(routes!(business_day::list))
        .routes(routes!(business_day::get))
        .routes(routes!(business_day::cut))
        .routes(routes!(business_day::close))
        .routes(routes!(working_day::working_day))
        .routes(routes!(calendar::calendars))
        .routes(routes!(calendar::calendar))
}

/// Where cards are taken.
fn points_of_sale() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(acquiring::open, acquiring::list))
        .routes(routes!(acquiring::get))
        .routes(routes!(acquiring::set_terms))
        .routes(routes!(acquiring::suspend))
        .routes(routes!(acquiring::resume))
        .routes(routes!(terminal::register, terminal::list))
        .routes(routes!(terminal::get))
        .routes(routes!(terminal::load_key))
        .routes(routes!(terminal_key::register_public_key))
        .routes(routes!(terminal_key::issue))
        .routes(routes!(terminal_parameter::set, terminal_parameter::list_sets))
        .routes(routes!(terminal_parameter::get_set))
        .routes(routes!(terminal_parameter::assign))
        .routes(routes!(terminal::bind))
        .routes(routes!(terminal::report_location))
        .routes(routes!(terminal::suspend))
        .routes(routes!(terminal::resume))
        .routes(routes!(terminal::recover))
        .routes(routes!(terminal::scrap))
}

fn parties() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(customer::register, customer::list))
        .routes(routes!(customer::register_batch))
        .routes(routes!(customer::get))
        .routes(routes!(user::open, user::list))
        .routes(routes!(user::get))
        .routes(routes!(real_name_check::request, real_name_check::list))
        .routes(routes!(real_name_check::get))
        .routes(routes!(pay_password::set, pay_password::get))
        .routes(routes!(pay_password::change))
        .routes(routes!(pay_password::reset))
        .routes(routes!(pay_password::verify))
        .routes(routes!(merchant::open, merchant::list))
        .routes(routes!(merchant::get))
        .routes(routes!(merchant::verify_settlement))
        .routes(routes!(merchant::key))
        .routes(routes!(certificate::register))
        .routes(routes!(certificate::list))
        .routes(routes!(certificate::get))
        .routes(routes!(certificate::platform_key::platform_keys))
        .routes(routes!(receiver::register))
        .routes(routes!(receiver::list))
        .routes(routes!(receiver::get))
        .routes(routes!(receiver::remove))
        .routes(routes!(webhook::register))
        .routes(routes!(webhook::list))
        .routes(routes!(webhook::get))
        .routes(routes!(webhook::change))
        .routes(routes!(webhook::remove))
        .routes(routes!(webhook::ping))
        .routes(routes!(webhook::deliveries))
        .routes(routes!(webhook::replay_since))
        .routes(routes!(webhook::delivery))
        .routes(routes!(webhook::replay))
}

fn accounts() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(account::open, account::list))
        .routes(routes!(account::open_many))
        .routes(routes!(account::get))
        .routes(routes!(account::close))
        .routes(routes!(statement::get))
        .routes(routes!(voucher::post))
        .routes(routes!(bulk::post_bulk))
        .routes(routes!(bulk::stream))
        .routes(routes!(journal_row::list))
        .routes(routes!(hold::place, hold::list))
        .routes(routes!(hold::get))
        .routes(routes!(hold::confirm))
        .routes(routes!(hold::cancel))
        .routes(routes!(hold::extend))
        .routes(routes!(agreement::create, agreement::list))
        .routes(routes!(agreement::get))
        .routes(routes!(agreement::pay))
        .routes(routes!(agreement::close))
        .routes(routes!(agreement::fulfil))
        .routes(routes!(agreement::return_rest))
        .routes(routes!(agreement::payments))
        .routes(routes!(exchange_rate::list))
        .routes(routes!(exchange_rate::get))
        .routes(routes!(exchange_rate::withdraw))
        .routes(routes!(conversion::convert, conversion::list))
        .routes(routes!(conversion::get))
}

fn trees() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(tree::link, tree::list))
        .routes(routes!(tree::get))
        .routes(routes!(tree::end))
        .routes(routes!(tree::set_rule))
        .routes(routes!(tree::remove_rule))
        .routes(routes!(tree::set_quota))
        .routes(routes!(tree::remove_quota))
        .routes(routes!(tree::children))
        .routes(routes!(tree::roll_up::get_roll_up))
        .routes(routes!(tree::run::sweep))
        .routes(routes!(tree::run::allocate))
        .routes(routes!(tree::run::run))
        .routes(routes!(tree::run::list_runs))
        .routes(routes!(tree::run::get_run))
}

fn money_in() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(order::create, order::list))
        .routes(routes!(order::get))
        .routes(routes!(order::close))
        .routes(routes!(payment::pay))
        .routes(routes!(front_page::get))
        .routes(routes!(cashier::open))
        .routes(routes!(split::make))
        .routes(routes!(split::list))
        .routes(routes!(split::get))
        .routes(routes!(split::give_back))
        .routes(routes!(split_plan::plans))
        .routes(routes!(refund::create))
        .routes(routes!(refund::list))
        .routes(routes!(refund::get))
        .routes(routes!(receipt::get))
        .routes(routes!(receipt::page))
        .routes(routes!(receipt::pdf))
}

fn money_out() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(clearing::take, clearing::list))
        .routes(routes!(clearing::fetch))
        .routes(routes!(clearing::difference::differences))
        .routes(routes!(clearing::get))
        .routes(routes!(clearing::fetch_returns))
        .routes(routes!(fund_batch::close, fund_batch::list))
        .routes(routes!(fund_batch::get))
        .routes(routes!(fund_batch::fetch))
        .routes(routes!(fund_batch::take_result))
        .routes(routes!(fund_batch::quota))
        .routes(routes!(settlement::settle, settlement::list))
        .routes(routes!(settlement::due))
        .routes(routes!(settlement::get))
        .routes(routes!(payout::create, payout::list))
        .routes(routes!(payout::get))
        .routes(routes!(payout::send))
        .routes(routes!(payout::cancel))
        .routes(routes!(payout::take_back))
}

fn wallets() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(top_up::create, top_up::list))
        .routes(routes!(top_up::get))
        .routes(routes!(top_up::close))
        .routes(routes!(top_up::front_page))
        .routes(routes!(sign_up::request, sign_up::list))
        .routes(routes!(sign_up::get))
        .routes(routes!(sign_up::confirm))
        .routes(routes!(sign_up::cancel))
        .routes(routes!(transfer::make, transfer::list))
        .routes(routes!(transfer::get))
        .routes(routes!(bank_card::list))
        .routes(routes!(bank_card::get))
        .routes(routes!(bank_card::verify))
        .routes(routes!(withdrawal_plan::create, withdrawal_plan::list))
        .routes(routes!(withdrawal_plan::get))
        .routes(routes!(withdrawal_plan::change_terms))
        .routes(routes!(withdrawal_plan::suspend))
        .routes(routes!(withdrawal_plan::resume))
        .routes(routes!(withdrawal_plan::end))
        .routes(routes!(withdrawal_batch::run, withdrawal_batch::list))
        .routes(routes!(withdrawal_batch::due))
        .routes(routes!(withdrawal_batch::get))
        .routes(routes!(withdrawal_batch::set_retry_rule, withdrawal_batch::list_retry_rules))
        .routes(routes!(withdrawal_batch::retry_rule))
        .routes(routes!(withdrawal::list))
        .routes(routes!(withdrawal::get))
        .routes(routes!(notice::list))
        .routes(routes!(notice::get))
        .routes(routes!(card_fee::list_plans))
        .routes(routes!(card_fee::list_costs))
        .routes(routes!(fee_plan::list))
        .routes(routes!(card_transaction::list))
        .routes(routes!(card_transaction::get))
        .routes(routes!(batch_close::list))
        .routes(routes!(batch_close::get))
        .routes(routes!(card_clearing::take, card_clearing::list))
        .routes(routes!(card_clearing::get))
        .routes(routes!(limit::in_force))
        .routes(routes!(limit::list_policies))
        .routes(routes!(limit::get_policy))
        .routes(routes!(limit::of_account))
        .routes(routes!(limit::of_customer))
}

fn running() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(channel::list))
        .routes(routes!(channel::sites))
        .routes(routes!(card_network::get))
        .routes(routes!(site_weight::weights))
        .routes(routes!(outflow::outflows))
        .routes(routes!(attempt::outbox))
        .routes(routes!(attempt::get))
        .routes(routes!(manual_voucher::list))
        .routes(routes!(manual_voucher::get))
        .routes(routes!(suspense::list))
        .routes(routes!(suspense::ageing))
        .routes(routes!(suspense::get))
        .routes(routes!(trial_balance::get))
        .routes(routes!(day_balances::list))
        .routes(routes!(day_vouchers::list))
        .routes(routes!(rates::get))
        .routes(routes!(channel_rate::channels))
        .routes(routes!(route::explain))
        .routes(routes!(book::subjects))
        .routes(routes!(refusal::codes))
        .routes(routes!(sandbox_clock::get_clock, sandbox_clock::set_clock))
}
