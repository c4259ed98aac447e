//! Clearing files (清算文件): taken by hand or fetched from the channel, and the returns of payouts (退票) beside them.

use axum::extract::State;
use domain::attempt::Rail;
use domain::channel::ChannelName;
use domain::clearing::{Clearing, ClearingLine, Difference, LineKind, TakeClearingFile};
use domain::ids::ClearingId;
use domain::money::Currency;
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::{Answer, Answered};
use super::auth::Caller;
use super::channel::named;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, date_text, parse, parse_some, time_text, word};
use crate::shell::clearing::{self as shell, FetchError, Fetched, Returned};

pub(crate) mod difference;

/// How many differences the answer to a fetch shows; the parts list them all.
const DIFFERENCES_SHOWN: usize = 20;

/// A part of a clearing file.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewClearing {
    /// Whose file: `epcc`, `unionpay`, `fund` or `pingan`; of a further channel of one its name, such as `unionpay_acme`.
    #[schema(example = "epcc")]
    rail: String,
    /// The network's clearing date.
    #[schema(example = "2026-03-05")]
    date: String,
    /// Which part, from 1. Each is taken once.
    #[schema(example = 1)]
    part: u32,
    /// Whether it is the last one: then what is in no part is a difference.
    last: bool,
    /// At most 5,000.
    lines: Vec<WireLine>,
}

/// A line of a clearing file.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireLine {
    /// The attempt's serial; of a return, the payment's.
    #[schema(example = "2026030500000000000000070000007")]
    serial: String,
    /// `debit`, `refund`, `pay` or `return`.
    #[schema(example = "debit")]
    kind: String,
    amount: Amount,
    #[schema(example = "CNY")]
    currency: String,
    /// The channel's own reference, 1 to 64 bytes, where the file has one. Over UnionPay the queryId: what was not known before is
    /// refunded by it.
    #[schema(example = "472603051000000000018")]
    reference: Option<String>,
}

/// A part of a clearing file as it was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClearingView {
    #[schema(example = "clr_1")]
    id: String,
    /// `epcc`, `unionpay`, `fund` or `pingan`.
    rail: &'static str,
    /// Whose file: called as its rail, or a further channel of that.
    #[schema(example = "epcc")]
    channel: String,
    #[schema(example = "2026-03-05")]
    date: String,
    part: u32,
    last: bool,
    /// How many lines it had.
    lines: u32,
    #[serde(flatten)]
    sums: SumsView,
    /// The first 1,000 of the differences.
    differences: Vec<DifferenceView>,
    /// What booked the net of a file that an earlier version took; else none, as the session's line of the statement
    /// books it.
    #[schema(example = "vch_1042")]
    voucher: Option<String>,
    #[schema(example = "2026-03-06T01:00:00Z")]
    taken_at: String,
    /// Nothing: a file is taken once.
    allowed_actions: Vec<&'static str>,
}

/// What matched and what did not.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct SumsView {
    /// How many lines matched.
    matched: u64,
    /// How many lines, or attempts and returns in no file, differ.
    different: u64,
    /// Σ matched debits.
    debited: Amount,
    /// Σ matched refunds.
    refunded: Amount,
    /// Σ matched payouts.
    paid: Amount,
    /// Σ matched returns of payouts.
    returned: Amount,
    /// debited − refunded − paid + returned: what the session's line of the statement brings to the central bank
    /// account; below zero if more went out.
    net: Amount,
}

/// A difference between a file and what these books know.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DifferenceView {
    /// `unknown_serial`, `other_content`, `repeated`, `failed_here` or `missing`.
    kind: &'static str,
    serial: String,
    amount: Amount,
}

/// Which file to fetch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fetch {
    /// Whose file: `epcc`, `unionpay`, `fund` or `pingan`; of a further channel of one its name, such as `unionpay_acme`.
    #[schema(example = "epcc")]
    rail: String,
    /// The network's clearing date.
    #[schema(example = "2026-03-05")]
    date: String,
}

/// A file that was fetched and taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FetchView {
    /// `epcc`, `unionpay`, `fund` or `pingan`.
    rail: &'static str,
    /// Whose file: called as its rail, or a further channel of that.
    #[schema(example = "epcc")]
    channel: String,
    #[schema(example = "2026-03-05")]
    date: String,
    /// In how many parts of at most 5,000 lines it was taken.
    parts: usize,
    /// How many of them had been taken before.
    repeated_parts: usize,
    /// How many lines it has.
    lines: u64,
    #[serde(flatten)]
    sums: SumsView,
    /// The first 20 of the differences.
    differences: Vec<DifferenceView>,
}

/// Which list of returns to fetch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FetchReturns {
    /// The date on which the payments came back.
    #[schema(example = "2026-03-06")]
    date: String,
}

/// What a list of returns brought.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReturnsView {
    #[schema(example = "2026-03-06")]
    date: String,
    /// How many were listed; the same return may be listed twice.
    listed: usize,
    /// How many were booked now.
    booked: usize,
    /// How many had been booked before, by an earlier list or a clearing file.
    already: usize,
    /// What could not be booked: for a person, or for the next fetch once its payment is answered.
    refused: Vec<RefusedReturn>,
}

/// A return that could not be booked.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusedReturn {
    serial: String,
    /// The stable code.
    #[schema(example = "payout_state")]
    code: &'static str,
    message: String,
}

impl SumsView {
    fn of<'a>(parts: impl IntoIterator<Item = &'a Clearing>) -> Self {
        let zero = Amount(0);
        let (matched, different) = (0, 0);
        let start = Self { matched, different, debited: zero, refunded: zero, paid: zero, returned: zero, net: zero };
        // A part's sums are checked when it is taken; a day's are far from 64 bits.
        let add = |sum: Amount, amount| Amount(sum.0.saturating_add(amount));
        parts.into_iter().fold(start, |sums, part| Self {
            matched: sums.matched + u64::from(part.matched),
            different: sums.different + u64::from(part.different),
            debited: add(sums.debited, part.debited),
            refunded: add(sums.refunded, part.refunded),
            paid: add(sums.paid, part.paid),
            returned: add(sums.returned, part.returned),
            net: add(sums.net, part.net()),
        })
    }
}

impl DifferenceView {
    pub(crate) fn of(difference: &Difference) -> Self {
        let Difference { kind, serial, amount, .. } = difference.clone();
        Self { kind: kind.name(), serial, amount: Amount(amount) }
    }
}

impl ClearingView {
    fn of(clearing: &Clearing) -> Self {
        Self {
            id: clearing.id.to_string(),
            rail: clearing.rail.name(),
            channel: clearing.channel_name().to_string(),
            date: date_text(clearing.date),
            part: clearing.part,
            last: clearing.last,
            lines: clearing.lines,
            sums: SumsView::of([clearing]),
            differences: clearing.differences.iter().map(DifferenceView::of).collect(),
            voucher: clearing.voucher.map(|id| id.to_string()),
            taken_at: time_text(clearing.taken_at),
            allowed_actions: Vec::new(),
        }
    }
}

impl From<FetchError> for ApiError {
    fn from(error: FetchError) -> Self {
        if let FetchError::Channel(error) = &error
            && let Some(error) = error.of_keys()
        {
            return super::ark::error_of(error);
        }
        let message = error.to_string();
        match error {
            FetchError::NoChannel(_) | FetchError::NotCalled(_) => Self::new("channel_unknown", Some("rail"), message),
            FetchError::NotReady { .. } => Self::new("clearing_not_ready", Some("date"), message),
            FetchError::NoAnswer { .. } => Self::new("channel_unavailable", None, message),
            FetchError::TooLong { .. }
            | FetchError::Status { .. }
            | FetchError::OtherFile { .. }
            | FetchError::Channel(_) => Self::new("channel_rejected", None, message),
            FetchError::Refused(refusal) => refusal.into(),
            FetchError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

/// Rails with clearing files.
const RAILS: [Rail; 4] = [Rail::Epcc, Rail::UnionPay, Rail::Fund, Rail::PingAn];

fn rail(text: &str) -> Result<Rail, ApiError> {
    word(text, "rail", &RAILS, Rail::name)
}

/// Whose file.
fn channel(text: &str) -> Result<ChannelName, ApiError> {
    let name = named(text, "rail")?;
    if RAILS.contains(&name.rail) {
        return Ok(name);
    }
    Err(ApiError::malformed(
        "rail",
        format!("{name} has no clearing file: use a channel of epcc, unionpay, fund or pingan"),
    ))
}

fn line(line: WireLine) -> Result<ClearingLine, ApiError> {
    let kind = word(&line.kind, "kind", &LineKind::ALL, LineKind::name)?;
    let currency = Currency::parse(&line.currency)?;
    Ok(ClearingLine { serial: line.serial, kind, amount: line.amount.0, currency, reference: line.reference })
}

/// Take a part of a clearing file
///
/// Matches its lines with what these books know. Its session awaits the net as a line of the reserve account's
/// statement, which books it. Each part is taken once (`clearing_duplicate`).
#[utoipa::path(post, path = "/v1/clearing", tag = "clearing", responses((status = OK, body = ClearingView)))]
pub(crate) async fn take(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewClearing>,
) -> Answered<ClearingView> {
    caller.operator()?;
    let NewClearing { rail: name, date, part, last, lines } = new;
    let (ChannelName { rail, word: channel }, date) = (channel(&name)?, parse(&date, "date")?);
    let read = |(index, wire)| line(wire).map_err(|error| error.within(&format!("lines[{index}]")));
    let lines = lines.into_iter().enumerate().map(read).collect::<Result<_, ApiError>>()?;
    let command = Command::TakeClearingFile(TakeClearingFile { rail, date, part, last, lines, channel });
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Clearing(id) = reply else { return None };
        state.clearings.get(id.0).map(|clearing| (ClearingView::of(clearing), clearing.differences.clone()))
    };
    let taken = app.change(caller.meta()?, command, view).await?;
    if !taken.repeated {
        let (shown, differences) = &taken.view;
        shell::differs(shown.rail, shown.sums.different, differences);
    }
    Ok(taken.map(|(shown, _)| shown))
}

/// Look at a part of a clearing file
#[utoipa::path(
    get, path = "/v1/clearing/{id}", tag = "clearing", params(("id" = String, Path, example = "clr_1")),
    responses((status = OK, body = ClearingView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<ClearingId>) -> Answered<ClearingView> {
    caller.operator()?;
    app.look(move |state| state.clearing(id).map(ClearingView::of)).await
}

list_query! {
    /// Which parts of clearing files.
    pub(crate) struct ClearingQuery {
        /// `epcc`, `unionpay`, `fund` or `pingan`.
        rail,
        /// Of this clearing date.
        date,
    }
}

/// List parts of clearing files
#[utoipa::path(
    get, path = "/v1/clearing", tag = "clearing", params(ClearingQuery),
    responses((status = OK, body = PageView<ClearingView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ClearingQuery>,
) -> ListAnswer<ClearingView> {
    caller.operator()?;
    let filter = store::clearing::ClearingFilter {
        rail: query.rail.as_deref().map(rail).transpose()?,
        date: parse_some(query.date.as_deref(), "date")?,
    };
    app.list(filter, query.page(), |_, clearing| ClearingView::of(clearing)).await
}

/// Fetch a clearing file from its channel and take it
///
/// `clearing_not_ready` while the day is not over there. May be asked for again at any time: parts that were taken before
/// are told, not taken twice.
#[utoipa::path(post, path = "/v1/clearing/fetch", tag = "clearing", responses((status = OK, body = FetchView)))]
pub(crate) async fn fetch(State(app): State<App>, caller: Caller, Json(fetch): Json<Fetch>) -> Answered<FetchView> {
    caller.operator()?;
    let (channel, date) = (channel(&fetch.rail)?, parse(&fetch.date, "date")?);
    let fetched = shell::fetch(&app.executor, &caller.unkeyed(), &channel, date).await?;
    let Fetched { parts, repeated, position } = fetched;
    let differences = parts.iter().flat_map(|part| &part.differences);
    let view = FetchView {
        rail: channel.rail.name(),
        channel: channel.to_string(),
        date: date_text(date),
        parts: parts.len(),
        repeated_parts: repeated,
        lines: parts.iter().map(|part| u64::from(part.lines)).sum(),
        sums: SumsView::of(&parts),
        differences: differences.take(DIFFERENCES_SHOWN).map(DifferenceView::of).collect(),
    };
    Ok(Answer { repeated: repeated == parts.len(), view, position })
}

/// Fetch the payouts and advances that came back and book them
///
/// May be asked for again at any time: each comes back once.
#[utoipa::path(
    post, path = "/v1/payouts/returns/fetch", tag = "clearing", responses((status = OK, body = ReturnsView))
)]
pub(crate) async fn fetch_returns(
    State(app): State<App>,
    caller: Caller,
    Json(fetch): Json<FetchReturns>,
) -> Answered<ReturnsView> {
    caller.operator()?;
    let date = parse(&fetch.date, "date")?;
    let Returned { listed, booked, already, refused, position } =
        shell::fetch_returns(&app.executor, &caller.unkeyed(), date).await?;
    let refused = refused.into_iter().map(|(serial, refusal)| {
        let (code, message) = (refusal.code.name(), refusal.message);
        RefusedReturn { serial, code, message }
    });
    let view = ReturnsView { date: date_text(date), listed, booked, already, refused: refused.collect() };
    Ok(Answer { view, position, repeated: listed > 0 && already == listed })
}

#[cfg(test)]
mod tests {
    use domain::calendar::Date;
    use domain::clearing::DifferenceKind;
    use domain::envelope::Time;

    use super::*;

    fn part(number: u32) -> Clearing {
        let (kind, serial) = (DifferenceKind::Missing, "7".into());
        let difference = Difference { kind, serial, amount: 9, line: None, end: None, before: None };
        Clearing {
            id: ClearingId(u64::from(number)),
            rail: Rail::Epcc,
            date: Date(20_517),
            part: number,
            last: number == 2,
            lines: 4,
            matched: 3,
            debited: 5_000,
            refunded: 300,
            paid: 1_000,
            different: 1,
            differences: vec![difference],
            voucher: None,
            taken_at: Time(0),
            returned: 100,
            channel: None,
        }
    }

    #[test]
    fn the_sums_of_a_file_are_those_of_its_parts() {
        let sums = SumsView::of([&part(1), &part(2)]);
        assert_eq!((sums.matched, sums.different), (6, 2));
        let amounts = [sums.debited, sums.refunded, sums.paid, sums.returned, sums.net].map(|amount| amount.0);
        assert_eq!(amounts, [10_000, 600, 2_000, 200, 7_600]);
    }

    #[test]
    fn a_part_shows_its_sums_beside_its_own_fields() {
        let json = serde_json::to_value(ClearingView::of(&part(1))).unwrap();
        assert_eq!(
            (&json["id"], &json["rail"], &json["net"], &json["matched"]),
            (&"clr_1".into(), &"epcc".into(), &3_800.into(), &3.into())
        );
        let further = Clearing { channel: Some("b".into()), ..part(1) };
        assert_eq!((json["channel"].as_str(), ClearingView::of(&further).channel.as_str()), (Some("epcc"), "epcc_b"));
        assert_eq!(json["differences"][0]["kind"], "missing");
    }

    #[test]
    fn what_keeps_a_file_from_being_fetched_has_its_code() {
        let (channel, date) = ("sandbox_bank", Date(20_517));
        let code = |error: FetchError| ApiError::from(error).code();
        assert_eq!(code(FetchError::NotReady { channel, date }), "clearing_not_ready");
        assert_eq!(code(FetchError::NoChannel("fund")), "channel_unknown");
        assert_eq!(code(FetchError::NoAnswer { channel }), "channel_unavailable");
        assert_eq!(code(FetchError::Status { channel, status: 500, date }), "channel_rejected");
        assert_eq!(code(FetchError::OtherFile { rail: "fund", date }), "channel_rejected");
    }
}
