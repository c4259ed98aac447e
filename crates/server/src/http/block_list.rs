//! Block lists (黑名单): putting someone on one takes one of risk control, taking an entry away two people by an approval of
//! kind `remove_block`.

use axum::extract::State;
use domain::block_list::{AddBlock, BlockEntry, BlockListCommand, Blocked, Removal, RemoveBlock};
use domain::ids::BlockEntryId;
use domain::operator::Role;
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::approval::Wire;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::sensitive::Personal;
use super::wire::{parse, parse_some, time, time_text};

/// The lists.
const LISTS: [&str; 5] = ["customer", "card", "merchant", "terminal", "device"];

/// Whom to block.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBlock {
    /// `customer`, `card`, `merchant`, `terminal` or `device`.
    #[schema(example = "card")]
    list: String,
    /// What names it there: `cus_…`, `mch_…`, a card's token or the number of its agreement, a terminal's serial number, a
    /// device's name. A card may be named by `number` in its place.
    #[schema(example = "crd_5f0c1b7a90e2d4c35f0c1b7a90e2d4c3")]
    key: Option<String>,
    /// The number of a card or bank account; only its token is kept.
    number: Option<Personal>,
    /// Why, 1 to 128 bytes.
    #[schema(example = "case 2026-118")]
    reason: String,
    /// Who says so, 1 to 128 bytes: an authority, the network, our own risk control.
    #[schema(example = "police")]
    source: String,
    /// When it ends by itself.
    #[schema(example = "2026-09-05T00:00:00+08:00")]
    until: Option<String>,
}

/// Which entry to take away.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemovalBody {
    /// The entry.
    #[schema(example = "blk_4")]
    entry: String,
    /// Why, 1 to 128 bytes.
    #[schema(example = "mistaken identity")]
    reason: String,
}

impl Wire for RemovalBody {
    type Of = RemoveBlock;

    fn read(self) -> Result<RemoveBlock, ApiError> {
        Ok(RemoveBlock { entry: parse(&self.entry, "entry")?, reason: self.reason })
    }

    fn show(of: &RemoveBlock) -> Self {
        Self { entry: of.entry.to_string(), reason: of.reason.clone() }
    }
}

/// How an entry was taken away.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RemovalView {
    reason: String,
    at: String,
    /// Who proposed it.
    operator: String,
    approver: Option<String>,
}

impl RemovalView {
    fn of(removal: &Removal) -> Self {
        Self {
            reason: removal.reason.clone(),
            at: time_text(removal.at),
            operator: removal.by.clone(),
            approver: removal.approver.clone(),
        }
    }
}

/// An entry of a block list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BlockEntryView {
    #[schema(example = "blk_4")]
    id: String,
    /// `customer`, `card`, `merchant`, `terminal` or `device`.
    #[schema(example = "card")]
    list: &'static str,
    /// What names it there.
    #[schema(example = "crd_5f0c1b7a90e2d4c35f0c1b7a90e2d4c3")]
    key: String,
    reason: String,
    source: String,
    /// When it ends by itself.
    until: Option<String>,
    put_at: String,
    put_by: String,
    /// Whether it blocks now.
    in_force: bool,
    removed: Option<RemovalView>,
    /// What may be proposed for it now.
    allowed_actions: Vec<&'static str>,
}

impl BlockEntryView {
    fn of(state: &domain::State, entry: &BlockEntry) -> Self {
        Self {
            id: entry.id.to_string(),
            list: entry.blocked.list(),
            key: entry.blocked.key(),
            reason: entry.reason.clone(),
            source: entry.source.clone(),
            until: entry.until.map(time_text),
            put_at: time_text(entry.put_at),
            put_by: entry.put_by.clone(),
            in_force: entry.in_force(state.now),
            removed: entry.removed.as_ref().map(RemovalView::of),
            allowed_actions: entry.allowed_actions().to_vec(),
        }
    }
}

fn blocked(app: &App, list: &str, key: Option<String>, number: Option<&Personal>) -> Result<Blocked, ApiError> {
    let key = match (list, key, number) {
        ("card", None, Some(number)) => app.card_token(number, "number")?,
        (_, Some(key), None) => key,
        ("card", ..) => {
            return Err(ApiError::malformed("key", "name the card by its key or by its number, one of them"));
        }
        (_, _, Some(_)) => return Err(ApiError::malformed("number", "only a card has a number; send its key")),
        (_, None, None) => return Err(ApiError::malformed("key", "say whom to block: send its key")),
    };
    match list {
        "customer" => Ok(Blocked::Customer(parse(&key, "key")?)),
        "card" => Ok(Blocked::Card(key)),
        "merchant" => Ok(Blocked::Merchant(parse(&key, "key")?)),
        "terminal" => Ok(Blocked::Terminal(key)),
        "device" => Ok(Blocked::Device(key)),
        _ => Err(no_list(list)),
    }
}

fn no_list(text: &str) -> ApiError {
    ApiError::malformed("list", format!("'{text:.64}' is none of {}", LISTS.join(", ")))
}

/// Put someone on a block list
#[utoipa::path(post, path = "/v1/block-list", tag = "block_list", responses((status = OK, body = BlockEntryView)))]
pub(crate) async fn add(State(app): State<App>, caller: Caller, Json(new): Json<NewBlock>) -> Answered<BlockEntryView> {
    caller.operator_with(&[Role::Risk])?;
    let NewBlock { list, key, number, reason, source, until } = new;
    let blocked = blocked(&app, &list, key, number.as_ref())?;
    let until = until.map(|text| time(&text, "until")).transpose()?;
    let command = BlockListCommand::Add(AddBlock { blocked, reason, source, until });
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::BlockEntry(id) = reply else { return None };
        state.block_entry(*id).ok().map(|entry| BlockEntryView::of(state, entry))
    };
    app.change(caller.meta()?, Command::BlockList(command), view).await
}

/// Look at an entry of a block list
#[utoipa::path(
    get, path = "/v1/block-list/{id}", tag = "block_list", params(("id" = String, Path, example = "blk_4")),
    responses((status = OK, body = BlockEntryView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<BlockEntryId>) -> Answered<BlockEntryView> {
    caller.operator()?;
    app.look(move |state| state.block_entry(id).map(|entry| BlockEntryView::of(state, entry))).await
}

list_query! {
    /// Which entries.
    pub(crate) struct BlockListQuery {
        /// `customer`, `card`, `merchant`, `terminal` or `device`.
        list,
        /// What names it there.
        key,
        /// `true` for those that were taken away, `false` for the others.
        removed,
    }
}

/// List entries of block lists
#[utoipa::path(
    get, path = "/v1/block-list", tag = "block_list", params(BlockListQuery),
    responses((status = OK, body = PageView<BlockEntryView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<BlockListQuery>,
) -> ListAnswer<BlockEntryView> {
    caller.operator()?;
    if let Some(unknown) = query.list.as_deref().filter(|list| !LISTS.contains(list)) {
        return Err(no_list(unknown));
    }
    let (page, removed) = (query.page(), parse_some(query.removed.as_deref(), "removed")?);
    let filter = store::block_list::BlockEntryFilter { list: query.list, party: query.key, removed };
    app.list(filter, page, BlockEntryView::of).await
}
