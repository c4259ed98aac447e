//! Terminals (POS 终端): bought, given a key, bound to a merchant at a place, suspended, taken back, scrapped. They sign in
//! over their own protocol (`pos`).
//!
//! A key never comes in the clear: it lies under a transport key that the key service has, or custodians formed it there as
//! `terminal/N/master`.

use ark::Secret;
use ark::financial::TerminalCipher;
use ark::keys::By;
use axum::extract::State;
use domain::ids::{AcquiringId, MerchantId, TerminalId};
use domain::operator::Role;
use domain::terminal::{
    BindTerminal, Binding, LocationReport, Place, SuspensionReason, Terminal, TerminalCommand, TerminalStatus,
    TerminalSuspension,
};
use domain::{Command, Reply};
use engine::Meta;
use node::fields::{self, TERMINAL_ADDRESS};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::acquiring::{ROLES, Reason};
use super::answer::Answered;
use super::ark::error_of;
use super::auth::Caller;
use super::customer::sealing_failed;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::sensitive::Personal;
use super::terminal_key::IssuedKeyView;
use super::terminal_parameter::TerminalParametersView;
use super::wire::{parse, parse_some, time_text, word};
use crate::pos::keys::{MasterUnder, TerminalKeys, beside, check_value};
use crate::shell::clock::wall_ms;

/// A terminal that was bought.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTerminal {
    /// Its maker's serial, 1 to 64 bytes.
    #[schema(example = "N900-0042117")]
    serial: String,
    /// Its maker's name for the model, 1 to 64 bytes.
    #[schema(example = "N900")]
    model: String,
}

/// A terminal's master key: under a transport key, or without a word here as custodians formed it in the key service.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TerminalKeyBody {
    under: Option<KeyUnder>,
}

/// A master key (TMK) under a transport key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyUnder {
    /// The transport key, a `terminal-master` key of the key service.
    #[schema(example = "terminal/transport")]
    key: String,
    /// `3des-2` or `sm4`.
    #[schema(example = "sm4")]
    cipher: String,
    /// Encrypted block by block, in hexadecimal.
    #[schema(example = "3D66234C49E4296FF9C78D8BACBD6A76")]
    encrypted: String,
    /// The start of its check value, 3 to 8 bytes in hexadecimal.
    #[schema(example = "861E83E3")]
    check_value: String,
}

/// With whose acquiring, and where.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBinding {
    #[schema(example = "acq_2")]
    acquiring: String,
    /// Where it will stand.
    #[schema(example = "北京市朝阳区建国路一号院二号楼")]
    address: Personal,
    /// The same on the map.
    place: WirePlace,
    /// How far from there it may report itself, in metres above zero.
    #[schema(example = 500)]
    tolerance_m: u32,
}

/// A place, in millionths of a degree (WGS 84).
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WirePlace {
    /// North of the equator; below zero south of it.
    #[schema(example = 39_908_722)]
    latitude: i32,
    /// East of Greenwich; below zero west of it.
    #[schema(example = 116_397_499)]
    longitude: i32,
}

impl WirePlace {
    fn read(self) -> Place {
        Place { latitude: self.latitude, longitude: self.longitude }
    }

    fn show(of: Place) -> Self {
        Self { latitude: of.latitude, longitude: of.longitude }
    }
}

/// Where a terminal is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Location {
    place: WirePlace,
}

/// A terminal's master key, by its name in the key service.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TerminalKeyView {
    #[schema(example = "terminal/7/master")]
    name: String,
    #[schema(example = "861E83E31FAEBF10")]
    check_value: String,
    loaded_at: String,
}

/// What a terminal goes with (259号文: acquirer and merchant, registration, settlement account, address, serial).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BindingView {
    #[schema(example = "acq_2")]
    acquiring: String,
    #[schema(example = "mch_3")]
    merchant: String,
    /// Acquirer and merchant.
    #[schema(example = "898110065130001")]
    number: String,
    /// Who is registered.
    #[schema(example = "cus_12")]
    registration: String,
    /// The settlement account's mask, as it was when it was bound.
    #[schema(example = "622202******2230")]
    settlement: String,
    /// The address's mask.
    #[schema(example = "北京市朝阳区******")]
    address: String,
    place: WirePlace,
    tolerance_m: u32,
    bound_at: String,
    bound_by: String,
}

impl BindingView {
    fn of(binding: &Binding) -> Self {
        Self {
            acquiring: binding.acquiring.to_string(),
            merchant: binding.merchant.to_string(),
            number: binding.number.to_string(),
            registration: binding.registration.to_string(),
            settlement: binding.settlement.account.mask.clone(),
            address: binding.address.mask.clone(),
            place: WirePlace::show(binding.place),
            tolerance_m: binding.tolerance_m,
            bound_at: time_text(binding.bound_at),
            bound_by: binding.bound_by.clone(),
        }
    }
}

/// Where a terminal said that it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LocationView {
    place: WirePlace,
    /// How far that is from its address.
    distance_m: u32,
    at: String,
}

impl LocationView {
    fn of(report: LocationReport) -> Self {
        Self { place: WirePlace::show(report.place), distance_m: report.distance_m, at: time_text(report.at) }
    }
}

/// Why a terminal takes nothing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SuspensionView {
    /// `asked`, `moved`, `foreign_serial` or `foreign_merchant`.
    #[schema(example = "moved")]
    reason: &'static str,
    /// What was said, if someone asked for it.
    text: Option<String>,
    /// How far it moved.
    distance_m: Option<u32>,
    at: String,
    by: String,
}

impl SuspensionView {
    fn of(suspension: &TerminalSuspension) -> Self {
        let (text, distance_m) = match &suspension.reason {
            SuspensionReason::Asked(text) => (Some(text.clone()), None),
            SuspensionReason::Moved { distance_m } => (None, Some(*distance_m)),
            SuspensionReason::ForeignSerial | SuspensionReason::ForeignMerchant => (None, None),
        };
        let (reason, at) = (suspension.reason.name(), time_text(suspension.at));
        Self { reason, text, distance_m, at, by: suspension.by.clone() }
    }
}

/// A terminal.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TerminalView {
    #[schema(example = "trm_7")]
    id: String,
    /// Its number at the network (F41).
    #[schema(example = "00000007")]
    number: String,
    serial: String,
    model: String,
    /// `stock`, `keys_loaded`, `bound`, `online`, `suspended`, `recovered` or `scrapped`.
    #[schema(example = "online")]
    status: &'static str,
    key: Option<TerminalKeyView>,
    binding: Option<BindingView>,
    /// The batch that it takes cards in.
    batch: u32,
    /// The trace of the last transaction that was asked for.
    trace: u32,
    location: Option<LocationView>,
    suspended: Option<SuspensionView>,
    /// Which parameters it uses, and the versions that it has of each part.
    parameters: Option<TerminalParametersView>,
    /// Its public key of SM2, `04 ‖ x ‖ y` in hexadecimal.
    public_key: Option<String>,
    /// The master key that it may fetch, encrypted by SM2 for its public key.
    issued: Option<IssuedKeyView>,
    signed_in_at: Option<String>,
    registered_at: String,
    /// What may be done with it now; it signs in by itself.
    allowed_actions: Vec<&'static str>,
}

impl TerminalView {
    fn of(terminal: &Terminal) -> Self {
        Self {
            id: terminal.id.to_string(),
            number: terminal.number(),
            serial: terminal.serial.clone(),
            model: terminal.model.clone(),
            status: terminal.status.name(),
            key: terminal.key.as_ref().map(|key| TerminalKeyView {
                name: key.name.clone(),
                check_value: key.check_value.clone(),
                loaded_at: time_text(key.loaded_at),
            }),
            binding: terminal.binding.as_ref().map(BindingView::of),
            batch: terminal.batch,
            trace: terminal.trace,
            location: terminal.location.map(LocationView::of),
            suspended: terminal.suspended.as_ref().map(SuspensionView::of),
            parameters: terminal.parameters.as_ref().map(TerminalParametersView::of),
            public_key: terminal.public_key.as_ref().map(hex::encode_upper),
            issued: terminal.issued.as_ref().map(IssuedKeyView::of),
            signed_in_at: terminal.signed_in_at.map(time_text),
            registered_at: time_text(terminal.registered_at),
            allowed_actions: terminal.allowed_actions().to_vec(),
        }
    }
}

/// Register a terminal that was bought
///
/// A serial is registered once.
#[utoipa::path(post, path = "/v1/terminals", tag = "terminal", responses((status = OK, body = TerminalView)))]
pub(crate) async fn register(
    State(app): State<App>,
    caller: Caller,
    Json(NewTerminal { serial, model }): Json<NewTerminal>,
) -> Answered<TerminalView> {
    caller.operator_with(ROLES)?;
    change(&app, &caller, TerminalCommand::Register { serial, model }).await
}

/// Load a terminal's master key
///
/// Either it lies under a transport key, or custodians formed it in the key service as `terminal/N/master`: then send `{}`.
#[utoipa::path(
    post, path = "/v1/terminals/{id}/key", tag = "terminal", params(("id" = String, Path, example = "trm_7")),
    request_body = TerminalKeyBody, responses((status = OK, body = TerminalView))
)]
pub(crate) async fn load_key(
    State(app): State<App>,
    caller: Caller,
    Id(terminal): Id<TerminalId>,
    Json(body): Json<TerminalKeyBody>,
) -> Answered<TerminalView> {
    caller.operator_with(&[Role::Administrator])?;
    // Before the key service is asked: a key that nobody may load is not imported.
    let may = move |state: &domain::State| {
        state.terminal(terminal).map(|terminal| terminal.allowed_actions().contains(&"load_key"))
    };
    let keys = TerminalKeys::new(app.ark.financial());
    let info = if app.look(may).await?.view {
        let under = body.under.map(Unlocked::of).transpose()?;
        let who = caller.id().to_owned();
        let load = move |keys: &TerminalKeys| match &under {
            Some(under) => keys.load(&By::new(&who, "terminal key", wall_ms()), terminal, &under.borrowed()),
            None => keys.master(terminal),
        };
        beside(&keys, load).await.map_err(|error| error_of(&error))?
    } else {
        // The command says what is wrong.
        return change(&app, &caller, named(terminal, String::new(), String::from("00000000"))).await;
    };
    let check_value = check_value(&info).ok_or_else(|| {
        let message = format!("no version of `{}` is active; form it anew", info.name);
        ApiError::new("key_state", Some("under"), message)
    })?;
    change(&app, &caller, named(terminal, info.name, check_value)).await
}

fn named(terminal: TerminalId, name: String, check_value: String) -> TerminalCommand {
    TerminalCommand::LoadKey { terminal, name, check_value }
}

/// A body's key, read.
struct Unlocked {
    key: String,
    cipher: TerminalCipher,
    encrypted: Vec<u8>,
    check: Vec<u8>,
}

impl Unlocked {
    fn of(under: KeyUnder) -> Result<Self, ApiError> {
        let bytes = |text: &str, param| {
            let wrong = |_| ApiError::malformed(param, "it is not an even number of hexadecimal digits");
            hex::decode(text).map_err(wrong)
        };
        let ciphers = [TerminalCipher::TripleDes2, TerminalCipher::Sm4];
        Ok(Self {
            cipher: word(&under.cipher, "under.cipher", &ciphers, TerminalCipher::name)?,
            encrypted: bytes(&under.encrypted, "under.encrypted")?,
            check: bytes(&under.check_value, "under.check_value")?,
            key: under.key,
        })
    }

    fn borrowed(&self) -> MasterUnder<'_> {
        MasterUnder { cipher: self.cipher, encrypted: &self.encrypted, check: &self.check, under: &self.key }
    }
}

/// Bind a terminal to a merchant at a place
///
/// With the merchant's number, registration and settlement account as they are now.
#[utoipa::path(
    post, path = "/v1/terminals/{id}/bind", tag = "terminal", params(("id" = String, Path, example = "trm_7")),
    responses((status = OK, body = TerminalView))
)]
pub(crate) async fn bind(
    State(app): State<App>,
    caller: Caller,
    Id(terminal): Id<TerminalId>,
    Json(new): Json<NewBinding>,
) -> Answered<TerminalView> {
    caller.operator_with(ROLES)?;
    let NewBinding { acquiring, address, place, tolerance_m } = new;
    let acquiring: AcquiringId = parse(&acquiring, "acquiring")?;
    let whose = move |state: &domain::State| state.merchant(state.acquiring(acquiring)?.merchant).map(|it| it.customer);
    let customer = app.look(whose).await?.view;
    let text: Secret = address.checked("address")?.clone();
    let vault = app.vault.clone();
    let seal =
        move || fields::seal(&vault, ::ark::CustomerId(customer.0), TERMINAL_ADDRESS, &text).map_err(sealing_failed);
    let address = app.blocking(seal).await?;
    let command = BindTerminal { terminal, acquiring, address, place: place.read(), tolerance_m };
    change(&app, &caller, TerminalCommand::Bind(command)).await
}

/// Take a terminal's report of where it is
///
/// Too far from its address it is suspended.
#[utoipa::path(
    post, path = "/v1/terminals/{id}/location", tag = "terminal", params(("id" = String, Path, example = "trm_7")),
    responses((status = OK, body = TerminalView))
)]
pub(crate) async fn report_location(
    State(app): State<App>,
    caller: Caller,
    Id(terminal): Id<TerminalId>,
    Json(Location { place }): Json<Location>,
) -> Answered<TerminalView> {
    caller.operator()?;
    change(&app, &caller, TerminalCommand::ReportLocation { terminal, place: place.read() }).await
}

/// Take nothing from a terminal
#[utoipa::path(
    post, path = "/v1/terminals/{id}/suspend", tag = "terminal", params(("id" = String, Path, example = "trm_7")),
    responses((status = OK, body = TerminalView))
)]
pub(crate) async fn suspend(
    State(app): State<App>,
    caller: Caller,
    Id(terminal): Id<TerminalId>,
    Json(Reason { reason }): Json<Reason>,
) -> Answered<TerminalView> {
    caller.operator_with(ROLES)?;
    change(&app, &caller, TerminalCommand::Suspend { terminal, reason }).await
}

/// Let a terminal sign in again
#[utoipa::path(
    post, path = "/v1/terminals/{id}/resume", tag = "terminal", params(("id" = String, Path, example = "trm_7")),
    responses((status = OK, body = TerminalView))
)]
pub(crate) async fn resume(
    State(app): State<App>,
    caller: Caller,
    Id(terminal): Id<TerminalId>,
) -> Answered<TerminalView> {
    caller.operator_with(ROLES)?;
    change(&app, &caller, TerminalCommand::Resume(terminal)).await
}

/// Take a terminal back from its merchant
///
/// Its key and its binding are over.
#[utoipa::path(
    post, path = "/v1/terminals/{id}/recover", tag = "terminal", params(("id" = String, Path, example = "trm_7")),
    responses((status = OK, body = TerminalView))
)]
pub(crate) async fn recover(
    State(app): State<App>,
    caller: Caller,
    Id(terminal): Id<TerminalId>,
) -> Answered<TerminalView> {
    caller.operator_with(ROLES)?;
    change(&app, &caller, TerminalCommand::Recover(terminal)).await
}

/// Scrap a terminal, for good
#[utoipa::path(
    post, path = "/v1/terminals/{id}/scrap", tag = "terminal", params(("id" = String, Path, example = "trm_7")),
    responses((status = OK, body = TerminalView))
)]
pub(crate) async fn scrap(
    State(app): State<App>,
    caller: Caller,
    Id(terminal): Id<TerminalId>,
) -> Answered<TerminalView> {
    caller.operator_with(ROLES)?;
    change(&app, &caller, TerminalCommand::Scrap(terminal)).await
}

pub(super) async fn change(app: &App, caller: &Caller, command: TerminalCommand) -> Answered<TerminalView> {
    change_as(app, caller.meta()?, command).await
}

/// The same, by another meta than the request's own.
pub(super) async fn change_as(app: &App, meta: Meta, command: TerminalCommand) -> Answered<TerminalView> {
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Terminal(id) = reply else { return None };
        state.terminal(*id).ok().map(TerminalView::of)
    };
    app.change(meta, Command::Terminal(command), view).await
}

/// Look at a terminal
#[utoipa::path(
    get, path = "/v1/terminals/{id}", tag = "terminal", params(("id" = String, Path, example = "trm_7")),
    responses((status = OK, body = TerminalView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<TerminalId>) -> Answered<TerminalView> {
    caller.operator()?;
    app.look(move |state| state.terminal(id).map(TerminalView::of)).await
}

list_query! {
    /// Which terminals.
    pub(crate) struct TerminalQuery {
        /// Of this serial.
        serial,
        /// Standing so.
        status,
        /// With this merchant now.
        merchant,
    }
}

/// List terminals
#[utoipa::path(
    get, path = "/v1/terminals", tag = "terminal", params(TerminalQuery),
    responses((status = OK, body = PageView<TerminalView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<TerminalQuery>,
) -> ListAnswer<TerminalView> {
    caller.operator()?;
    let page = query.page();
    let status = |text: &str| word(text, "status", &TerminalStatus::ALL, TerminalStatus::name);
    let filter = store::terminal::TerminalFilter {
        merchant: parse_some::<MerchantId>(query.merchant.as_deref(), "merchant")?,
        status: query.status.as_deref().map(status).transpose()?,
        serial: query.serial,
    };
    app.list(filter, page, |_, terminal| TerminalView::of(terminal)).await
}
