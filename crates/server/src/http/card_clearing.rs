//! The card network's daily files (ZM): taken whole, part by part into the books.

use axum::extract::State;
use channels::card_file::CardFile;
use domain::card_clearing::{CardClearing, TakeCardFile};
use domain::ids::CardClearingId;
use domain::{Command, Refusal, RefusalCode, Reply};
use engine::Request;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::{Answer, Answered};
use super::auth::Caller;
use super::clearing::DifferenceView;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, date_text, parse_some, time_text};
use crate::pos::network::CardNetwork as _;
use crate::shell::Unavailable;
use crate::shell::clearing::{differs, file_refused};

/// As rails have names in metrics.
const NETWORK: &str = "card_network";

/// A file of the card network.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCardFile {
    /// The file's text, as the network made it.
    file: String,
}

/// A part of a file as it was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CardClearingView {
    #[schema(example = "ccl_1")]
    id: String,
    /// The network's clearing date.
    #[schema(example = "2026-03-05")]
    date: String,
    part: u32,
    last: bool,
    /// How many lines it had.
    lines: u32,
    /// How many of them matched.
    matched: u32,
    /// How many lines, or transactions that are in no file, differ.
    different: u32,
    /// Σ matched that came in.
    paid: Amount,
    /// Σ matched that went out.
    refunded: Amount,
    /// What issuers and network kept of the matched, less what they gave back.
    cost: Amount,
    /// By how much that is more than what was booked for them.
    cost_difference: Amount,
    /// What of that difference 2291 could not pay; it stays on 1122.
    uncovered: Amount,
    /// paid − refunded − cost: what the statement brings to the central bank account, with the rest of UnionPay's
    /// session of the date; below zero if more went out.
    net: Amount,
    /// The first 1,000 of the differences.
    differences: Vec<DifferenceView>,
    /// What booked the net of a file that an earlier version took; else none, as the session's line of the statement
    /// books it.
    voucher: Option<String>,
    /// What booked the difference in cost; none at zero.
    cost_voucher: Option<String>,
    taken_at: String,
    /// Nothing: a file is taken once.
    allowed_actions: Vec<&'static str>,
}

/// A file that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CardFileView {
    #[schema(example = "2026-03-05")]
    date: String,
    /// How many lines it has.
    lines: usize,
    /// How many of its parts had been taken before.
    repeated_parts: usize,
    parts: Vec<CardClearingView>,
}

impl CardClearingView {
    fn of(clearing: &CardClearing) -> Self {
        Self {
            id: clearing.id.to_string(),
            date: date_text(clearing.date),
            part: clearing.part,
            last: clearing.last,
            lines: clearing.lines,
            matched: clearing.matched,
            different: clearing.different,
            paid: Amount(clearing.paid),
            refunded: Amount(clearing.refunded),
            cost: Amount(clearing.cost),
            cost_difference: Amount(clearing.cost_difference),
            uncovered: Amount(clearing.uncovered),
            net: Amount(clearing.net()),
            differences: clearing.differences.iter().map(DifferenceView::of).collect(),
            voucher: clearing.voucher.map(|id| id.to_string()),
            cost_voucher: clearing.cost_voucher.map(|id| id.to_string()),
            taken_at: time_text(clearing.taken_at),
            allowed_actions: Vec::new(),
        }
    }
}

/// Take a daily file of the card network
///
/// Matches its lines with what these books approved and books the difference in cost. The net is awaited as a line of
/// the reserve account's statement, which books it. May be asked for again: parts that were taken before are told, not
/// taken twice. Where a card network is configured, the file must be of its member.
#[utoipa::path(post, path = "/v1/card-clearing", tag = "card_clearing", responses((status = OK, body = CardFileView)))]
pub(crate) async fn take(
    State(app): State<App>,
    caller: Caller,
    Json(NewCardFile { file }): Json<NewCardFile>,
) -> Answered<CardFileView> {
    caller.operator()?;
    let member = app.card_network.as_ref().map(|network| network.member().to_owned());
    let read = CardFile::read(&file, member.as_deref());
    let file = read.map_err(|error| {
        let message = error.to_string();
        file_refused(NETWORK, "card_clearing", &message);
        ApiError::malformed("file", message)
    })?;
    let mut view =
        CardFileView { date: date_text(file.date), lines: file.lines.len(), repeated_parts: 0, parts: Vec::new() };
    let mut last = 0;
    for part in file.parts() {
        let (clearing, repeated, position) = take_part(&app, &caller, part).await?;
        view.repeated_parts += usize::from(repeated);
        view.parts.push(CardClearingView::of(&clearing));
        last = position;
    }
    Ok(Answer { view, position: last, repeated: false })
}

fn refused(refusal: Refusal) -> ApiError {
    file_refused(NETWORK, "card_clearing", &refusal.to_string());
    refusal.into()
}

/// Takes a part; `true` if it had been taken before, with as many lines.
async fn take_part(app: &App, caller: &Caller, part: TakeCardFile) -> Result<(CardClearing, bool, u64), ApiError> {
    let (date, number, last, lines) = (part.date, part.part, part.last, part.lines.len());
    let request = Request { command: Command::TakeCardFile(part), meta: caller.unkeyed() };
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::CardClearing(id) = reply else { return None };
        state.card_clearings.get(id.0).cloned()
    };
    let seen = app.platform.submit_and_view(request, view).await?;
    let refusal = match seen.result {
        Ok(Some(clearing)) => {
            differs(NETWORK, u64::from(clearing.different), &clearing.differences);
            return Ok((clearing, false, seen.position));
        }
        Ok(None) => return Err(Unavailable::Stopped.into()),
        Err(refusal) if refusal.code == RefusalCode::ClearingDuplicate => refusal,
        Err(refusal) => return Err(refused(refusal)),
    };
    let look = move |state: &domain::State| {
        let id = state.card_files.get(&(date, number))?;
        state.card_clearings.get(id.0).cloned()
    };
    let (before, position) = app.platform.read(look).await?;
    // What was taken before with other lines is not this part.
    let same = before.filter(|before| before.last == last && usize::try_from(before.lines) == Ok(lines));
    Ok((same.ok_or_else(|| refused(refusal))?, true, position))
}

/// Look at a part of a card network's file
#[utoipa::path(
    get, path = "/v1/card-clearing/{id}", tag = "card_clearing", params(("id" = String, Path, example = "ccl_1")),
    responses((status = OK, body = CardClearingView))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<CardClearingId>,
) -> Answered<CardClearingView> {
    caller.operator()?;
    app.look(move |state| state.card_clearing(id).map(CardClearingView::of)).await
}

list_query! {
    /// Which parts of a card network's files.
    pub(crate) struct CardClearingQuery {
        /// Of this clearing date.
        date,
    }
}

/// List parts of the card network's files
#[utoipa::path(
    get, path = "/v1/card-clearing", tag = "card_clearing", params(CardClearingQuery),
    responses((status = OK, body = PageView<CardClearingView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<CardClearingQuery>,
) -> ListAnswer<CardClearingView> {
    caller.operator()?;
    let filter = store::card_clearing::CardClearingFilter { date: parse_some(query.date.as_deref(), "date")? };
    app.list(filter, query.page(), |_, clearing| CardClearingView::of(clearing)).await
}
