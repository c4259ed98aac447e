//! Differences of clearing files: what is open, since when, and how each ended. Two people settle one, by approvals of kind
//! `settle_difference`.

use axum::extract::State;
use domain::clearing::LineKind;
use domain::clearing::difference::{DifferenceEnd, SettleDifference};
use serde::{Deserialize, Serialize};
use store::clearing::{DifferenceFilter, FoundDifference};
use utoipa::ToSchema;

use super::rail;
use crate::http::App;
use crate::http::approval::Wire;
use crate::http::auth::Caller;
use crate::http::error::ApiError;
use crate::http::extract::Query;
use crate::http::list::{ListAnswer, PageView, list_query};
use crate::http::manual_voucher::ManualVoucherBody;
use crate::http::wire::{Amount, date_text, parse, time_text, word};

/// What two people say of a difference.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DifferenceSettlementBody {
    /// Which.
    #[schema(example = "clr_3_17")]
    difference: String,
    /// Whether its line stands, or what is missing did move: then it is as if the file had matched it, its session
    /// awaits it on the statement with the rest, and an order whose other legs are cleared is due. Otherwise nothing of
    /// it reaches the reserve account, and its order is not due by it.
    accepted: bool,
    /// What takes from the channel's clearing account what the settlement leaves there; nothing where it leaves nothing.
    voucher: Option<ManualVoucherBody>,
}

impl Wire for DifferenceSettlementBody {
    type Of = SettleDifference;

    fn read(self) -> Result<SettleDifference, ApiError> {
        let voucher = self.voucher.map(ManualVoucherBody::read).transpose();
        let voucher = voucher.map_err(|error| error.within("voucher"))?;
        Ok(SettleDifference { difference: parse(&self.difference, "difference")?, accepted: self.accepted, voucher })
    }

    fn show(of: &SettleDifference) -> Self {
        let (difference, voucher) = (of.difference.to_string(), of.voucher.as_ref().map(ManualVoucherBody::show));
        Self { difference, accepted: of.accepted, voucher }
    }
}

/// A difference of a clearing file, and how it ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListedDifferenceView {
    /// Its file and its place in it.
    #[schema(example = "clr_3_17")]
    id: String,
    /// The part of a file that told of it.
    #[schema(example = "clr_3")]
    clearing: String,
    /// `epcc`, `unionpay`, `fund` or `pingan`.
    rail: &'static str,
    /// Whose file: called as its rail, or a further channel of that.
    #[schema(example = "epcc")]
    channel: String,
    /// The clearing date of the file.
    #[schema(example = "2026-03-05")]
    date: String,
    /// When the file was taken.
    #[schema(example = "2026-03-06T01:00:00Z")]
    since: String,
    /// `unknown_serial`, `other_content`, `repeated`, `failed_here` or `missing`.
    #[schema(example = "missing")]
    kind: &'static str,
    /// What kind of line it is, or would be of what is missing: `debit`, `refund`, `pay` or `return`; null in files of before that was
    /// kept.
    #[schema(example = "debit")]
    line: Option<&'static str>,
    serial: String,
    amount: Amount,
    /// Whether nothing ended it.
    open: bool,
    /// `matched` by a file, `settled` by two people, or told `again` of one that is told of already; null while it is open.
    #[schema(example = "settled")]
    ended: Option<&'static str>,
    /// The file, the approval or the other difference that ended it.
    #[schema(example = "apr_7")]
    ended_by: Option<String>,
    /// Of one that two people settled whether its line stands.
    accepted: Option<bool>,
    /// What its session awaits by that on the reserve account's statement; below zero if it takes out.
    booked: Option<Amount>,
    /// Of a `repeated` line the difference of another channel's file by which two people had let it stand: look whether
    /// both moved.
    #[schema(example = "clr_1_4")]
    before: Option<String>,
    /// `settle` by two people.
    allowed_actions: Vec<&'static str>,
}

impl ListedDifferenceView {
    fn of(found: &FoundDifference) -> Self {
        let FoundDifference { id, channel, date, since, difference } = found;
        let (ended, ended_by, accepted, booked) = match difference.end {
            None => (None, None, None, None),
            Some(DifferenceEnd::Again(other)) => (Some("again"), Some(other.to_string()), None, None),
            Some(DifferenceEnd::Matched(file)) => (Some("matched"), Some(file.to_string()), None, None),
            Some(DifferenceEnd::Settled { approval, accepted, booked, .. }) => {
                (Some("settled"), Some(approval.to_string()), Some(accepted), Some(Amount(booked)))
            }
        };
        Self {
            id: id.to_string(),
            clearing: id.clearing.to_string(),
            rail: channel.rail.name(),
            channel: channel.to_string(),
            date: date_text(*date),
            since: time_text(*since),
            kind: difference.kind.name(),
            line: difference.line.map(LineKind::name),
            serial: difference.serial.clone(),
            amount: Amount(difference.amount),
            open: difference.is_open(),
            ended,
            ended_by,
            accepted,
            booked,
            before: difference.before.map(|before| before.to_string()),
            allowed_actions: if difference.is_open() { vec!["settle"] } else { Vec::new() },
        }
    }
}

list_query! {
    /// Which differences.
    pub(crate) struct DifferenceQuery {
        /// `true` those that have not ended, `false` those that have; all unless said.
        open,
        /// `epcc`, `unionpay`, `fund` or `pingan`.
        rail,
    }
}

/// List differences of clearing files
///
/// What files and books do not agree on, oldest file first. An open one ends by itself once a later file has its line, or by two people's
/// `settle_difference`.
#[utoipa::path(
    get, path = "/v1/clearing/differences", tag = "clearing", params(DifferenceQuery),
    responses((status = OK, body = PageView<ListedDifferenceView>))
)]
pub(crate) async fn differences(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<DifferenceQuery>,
) -> ListAnswer<ListedDifferenceView> {
    caller.operator()?;
    let yes = |text: &str| word(text, "open", &[true, false], |yes| if yes { "true" } else { "false" });
    let filter = DifferenceFilter {
        rail: query.rail.as_deref().map(rail).transpose()?,
        open: query.open.as_deref().map(yes).transpose()?,
    };
    let read =
        move |store: &store::Database, cursor, limit| store::clearing::differences(store, &filter, cursor, limit);
    app.list_read(query.page(), read, ListedDifferenceView::of).await
}
