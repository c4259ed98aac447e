//! What webhooks are to be told, and what became of it: outside the journal, behind its position.
//!
//! ```text
//!  checkpoint ─► NEW ─ admitted ─► READY ◄──────────────┐ the one before it of the same object ended
//!                 ▲                 │ └ an earlier one ─► BEHIND
//!                 │                 ├─ taken by the receiver ─► ACCEPTED ┐
//!                 │                 ├─ its time is over, or its webhook removed ─► GIVEN UP
//!                 └─ replay ────────┴────────────────────────────────────┘
//! ```
//! A row is written in the transaction of the checkpoint that holds its event, so that what the store has is exactly what the
//! journal announced up to there: nothing is missed by a crash, and nothing is found twice. From then on only whoever delivers
//! changes its state; there is one of those, beside the leader. Of an object (an order, a refund …) one row is READY at most, the
//! earliest: that is the order per object. A power cut may take the last states back, never a row: then it is told again, under
//! the same name.

use std::fmt;
use std::str::FromStr;

use domain::ids::{MerchantId, WebhookId};
use domain::webhook::{Announced, Announcement};

use crate::checkpoint;
use crate::db::{Database, Row, Session, Value};
use crate::error::StoreError;

const TABLE: &str = "webhook_deliveries";
const COLUMNS: &str = "webhook, position, checksum, blob, state, next_at, attempts, since, ended_at";
/// What a journal that is read into an empty store announced earlier than so long before its end is not told again.
const REPLAYED_MS: i64 = 86_400_000;
/// Rows that are copied at once.
const PAGE_ROWS: u32 = 1_024;

/// The name of a delivery: the webhook and the event's position, the same for every try and after every recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeliveryId {
    /// The webhook.
    pub webhook: WebhookId,
    /// The event's position in the journal.
    pub position: u64,
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "whd_{}_{}", self.position, self.webhook.0)
    }
}

/// A text that names no delivery.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not the id of a delivery; it looks like whd_1042_3")]
pub struct DeliveryIdError(String);

impl FromStr for DeliveryId {
    type Err = DeliveryIdError;

    fn from_str(text: &str) -> Result<Self, DeliveryIdError> {
        let wrong = || DeliveryIdError(text.chars().take(64).collect());
        let (position, webhook) = text.strip_prefix("whd_").and_then(|rest| rest.split_once('_')).ok_or_else(wrong)?;
        let number = |text: &str| {
            let canonical = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
            canonical.then(|| text.parse().ok()).flatten().ok_or_else(wrong)
        };
        Ok(Self { webhook: WebhookId(number(webhook)?), position: number(position)? })
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Written, and not looked at yet.
    New,
    /// To be sent when its time comes.
    Ready,
    /// An earlier one of its object is outstanding.
    Behind,
    /// The receiver took it.
    Accepted,
    /// It is not sent any more.
    GivenUp,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::New, Self::Ready, Self::Behind, Self::Accepted, Self::GivenUp];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Ready => "ready",
            Self::Behind => "behind",
            Self::Accepted => "accepted",
            Self::GivenUp => "given_up",
        }
    }

    /// Whether it is to be told still.
    #[must_use]
    pub const fn is_outstanding(self) -> bool {
        match self {
            Self::New | Self::Ready | Self::Behind => true,
            Self::Accepted | Self::GivenUp => false,
        }
    }

    const fn number(self) -> i64 {
        match self {
            Self::New => 0,
            Self::Ready => 1,
            Self::Behind => 2,
            Self::Accepted => 3,
            Self::GivenUp => 4,
        }
    }
}

/// One thing that one webhook is to be told. Times are milliseconds of Unix time by the wall clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What.
    pub announcement: Announcement,
    /// Where it stands.
    pub state: DeliveryState,
    /// When it is sent next, while it is ready.
    pub next_at: i64,
    /// How many tries were made.
    pub attempts: u32,
    /// Since when it is outstanding: admitted, or replayed.
    pub since: Option<i64>,
    /// When it was accepted or given up.
    pub ended_at: Option<i64>,
}

impl Delivery {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> DeliveryId {
        DeliveryId { webhook: self.announcement.webhook, position: self.announcement.position }
    }
}

/// One try at a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which of its delivery, from 1.
    pub number: u32,
    /// When it began.
    pub at: i64,
    /// HTTP's status; `None` where no answer came.
    pub status: Option<u16>,
    /// How long it took.
    pub duration_ms: u64,
    /// Why it was not taken, without personal data; empty if it was.
    pub error: String,
}

/// What a try came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It was taken.
    Accepted,
    /// It is sent again.
    Again {
        /// When.
        at: i64,
    },
    /// It is not.
    GivenUp,
}

/// A try that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Of which delivery.
    pub id: DeliveryId,
    /// How.
    pub attempt: Attempt,
    /// And then.
    pub next: Next,
}

/// The object that an announcement is about, as its id.
#[must_use]
pub fn object(announced: &Announced) -> String {
    match announced {
        Announced::Order { id, .. } => id.to_string(),
        Announced::Refund { id, .. } => id.to_string(),
        Announced::Payout { id, .. } => id.to_string(),
        Announced::Settlement { id, .. } => id.to_string(),
        Announced::TopUp { id, .. } => id.to_string(),
        Announced::Transfer { id, .. } => id.to_string(),
        Announced::CardTransaction { id, .. } => id.to_string(),
        Announced::Advance { id, .. } => id.to_string(),
        Announced::Webhook { id } => id.to_string(),
    }
}

/// Writes what a checkpoint's events announced. A commit that is sent again finds its rows.
pub(crate) fn insert(session: &dyn Session, announced: &[Announcement]) -> Result<(), StoreError> {
    let sql = "INSERT INTO webhook_deliveries \
        (webhook, position, merchant, object, kind, event_at, checksum, blob, state, next_at, attempts) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, 0) ON CONFLICT (webhook, position) DO NOTHING";
    for told in announced {
        let blob = minicbor::to_vec(told).expect("writing CBOR to memory cannot fail");
        let values: [Value; 8] = [
            told.webhook.0.into(),
            told.position.into(),
            told.merchant.0.into(),
            object(&told.object).into(),
            told.kind.name().into(),
            told.at.0.into(),
            crc32fast::hash(&blob).into(),
            blob.into(),
        ];
        session.execute(sql, &values)?;
    }
    Ok(())
}

/// After a whole journal was read into an empty store, at `now` of the books: what it announced long ago counts as told.
pub(crate) fn settle_replayed(session: &dyn Session, now: i64) -> Result<u64, StoreError> {
    let sql = "UPDATE webhook_deliveries SET state = 4, ended_at = $1 WHERE state = 0 AND event_at < $2";
    session.execute(sql, &[now.into(), now.saturating_sub(REPLAYED_MS).into()])
}

/// As the first checkpoint of an empty store does: for one that a rebuild filled by several.
///
/// # Errors
/// [`StoreError::Database`], [`StoreError::Corrupt`].
pub fn settle_rebuilt(database: &Database) -> Result<u64, StoreError> {
    database.transaction(|session| {
        let now = checkpoint::read_core(session)?.map_or(0, |core| core.now.0);
        settle_replayed(session, now)
    })
}

/// Carries what became of deliveries from a store to one that was rebuilt of the same journal: what the old one had forgotten
/// is forgotten, what it had not seen is new.
///
/// # Errors
/// [`StoreError::Database`] and [`StoreError::Corrupt`] of either.
pub fn carry(old: &Database, new: &Database) -> Result<(), StoreError> {
    let seen = checkpoint::latest(old)?.map_or(0, |checkpoint| checkpoint.position);
    new.execute("DELETE FROM webhook_deliveries WHERE position <= $1", &[seen.into()])?;
    let all = "webhook, position, merchant, object, kind, event_at, checksum, blob, state, next_at, attempts, since, ended_at";
    copy(old, new, TABLE, all, 13, "webhook, position")?;
    let all = "webhook, position, number, at, status, duration_ms, error";
    copy(old, new, "webhook_attempts", all, 7, "webhook, position, number")
}

/// Copies a table, page by page; the first columns are its key.
fn copy(old: &Database, new: &Database, table: &str, all: &str, columns: usize, key: &str) -> Result<(), StoreError> {
    let keys = key.split(", ").count();
    let marks = |from: usize, count: usize| {
        (from..from + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
    };
    let page =
        format!("SELECT {all} FROM {table} WHERE ({key}) > ({}) ORDER BY {key} LIMIT ${}", marks(1, keys), keys + 1);
    let insert = format!("INSERT INTO {table} ({all}) VALUES ({}) ON CONFLICT ({key}) DO NOTHING", marks(1, columns));
    let mut after: Vec<Value> = vec![(-1_i64).into(); keys];
    loop {
        let mut parameters = after.clone();
        parameters.push(PAGE_ROWS.into());
        let rows = old.query(&page, &parameters)?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.0.iter().take(keys).cloned().collect();
        new.transaction(|session| rows.iter().try_for_each(|row| session.execute(&insert, &row.0).map(drop)))?;
    }
}

/// Takes new rows up, in the order of the journal, `limit` at most; says which webhooks they are of, a webhook a row.
///
/// # Errors
/// [`StoreError::Database`].
pub fn admit(database: &Database, now: i64, limit: u32) -> Result<Vec<(WebhookId, MerchantId)>, StoreError> {
    let new =
        "SELECT webhook, position, object, merchant FROM webhook_deliveries WHERE state = 0 ORDER BY position LIMIT $1";
    // Mostly there is nothing, and no writer need wait for that.
    if database.query(new, &[1.into()])?.is_empty() {
        return Ok(Vec::new());
    }
    let take = "UPDATE webhook_deliveries SET state = 1, since = $1, next_at = $2, ended_at = NULL \
        WHERE webhook = $3 AND position = $4";
    database.transaction(|session| {
        let rows = session.query(new, &[limit.into()])?;
        let mut admitted = Vec::with_capacity(rows.len());
        for row in &rows {
            let (webhook, position) = (row.unsigned(0)?, row.unsigned(1)?);
            session.execute(take, &[now.into(), now.into(), webhook.into(), position.into()])?;
            place(session, webhook, row.text(2)?)?;
            admitted.push((WebhookId(webhook), MerchantId(row.unsigned(3)?)));
        }
        Ok(admitted)
    })
}

/// Of what is outstanding of an object the earliest is ready, and the others are behind it.
fn place(session: &dyn Session, webhook: u64, object: &str) -> Result<(), StoreError> {
    let first = "SELECT MIN(position) FROM webhook_deliveries WHERE webhook = $1 AND object = $2 AND state IN (1, 2)";
    let first = session.query(first, &[webhook.into(), object.into()])?;
    let Some(first) = first.first().filter(|row| !row.is_null(0)) else { return Ok(()) };
    let first = first.unsigned(0)?;
    let behind =
        "UPDATE webhook_deliveries SET state = 2 WHERE webhook = $1 AND object = $2 AND position > $3 AND state = 1";
    session.execute(behind, &[webhook.into(), object.into(), first.into()])?;
    let ready = "UPDATE webhook_deliveries SET state = 1 WHERE webhook = $1 AND position = $2 AND state = 2";
    session.execute(ready, &[webhook.into(), first.into()]).map(drop)
}

/// The webhooks for which something is ready, whose they are, and when the first of it is due.
///
/// # Errors
/// [`StoreError::Database`].
pub fn lanes(database: &Database) -> Result<Vec<(WebhookId, MerchantId, i64)>, StoreError> {
    let sql =
        "SELECT webhook, merchant, MIN(next_at) FROM webhook_deliveries WHERE state = 1 GROUP BY webhook, merchant";
    let rows = database.query(sql, &[])?;
    rows.iter().map(|row| Ok((WebhookId(row.unsigned(0)?), MerchantId(row.unsigned(1)?), row.int(2)?))).collect()
}

/// What is ready of a webhook, the first due first, whether its time has come or not.
///
/// # Errors
/// [`StoreError::Database`]; [`StoreError::Corrupt`] naming a row that is not what was written.
pub fn ready(database: &Database, webhook: WebhookId, limit: usize) -> Result<Vec<Delivery>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM {TABLE} WHERE webhook = $1 AND state = 1 ORDER BY next_at, position LIMIT $2");
    database.query(&sql, &[webhook.0.into(), (limit as u64).into()])?.iter().map(decode).collect()
}

/// Writes tries down, and what follows of them, all or none.
///
/// # Errors
/// [`StoreError::Database`].
pub fn record(database: &Database, tried: &[Tried]) -> Result<(), StoreError> {
    database.transaction(|session| tried.iter().try_for_each(|tried| record_one(session, tried)))
}

fn record_one(session: &dyn Session, Tried { id, attempt, next }: &Tried) -> Result<(), StoreError> {
    let insert = "INSERT INTO webhook_attempts (webhook, position, number, at, status, duration_ms, error) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (webhook, position, number) DO NOTHING";
    let values: [Value; 7] = [
        id.webhook.0.into(),
        id.position.into(),
        attempt.number.into(),
        attempt.at.into(),
        attempt.status.into(),
        attempt.duration_ms.into(),
        attempt.error.as_str().into(),
    ];
    session.execute(insert, &values)?;
    // One that ended meanwhile, by the removal of its webhook, stays so unless the receiver took it.
    let (state, next_at, ended, any) = match next {
        Next::Accepted => (DeliveryState::Accepted, 0, true, 1),
        Next::Again { at } => (DeliveryState::Ready, *at, false, 0),
        Next::GivenUp => (DeliveryState::GivenUp, 0, true, 0),
    };
    let ended_at = ended.then(|| attempt.at.saturating_add_unsigned(attempt.duration_ms));
    let update = "UPDATE webhook_deliveries SET state = $1, next_at = $2, attempts = $3, ended_at = $4 \
        WHERE webhook = $5 AND position = $6 AND (state IN (1, 2) OR $7 = 1)";
    let values: [Value; 7] = [
        state.number().into(),
        next_at.into(),
        attempt.number.into(),
        ended_at.into(),
        id.webhook.0.into(),
        id.position.into(),
        any.into(),
    ];
    session.execute(update, &values)?;
    place_of(session, *id)
}

fn place_of(session: &dyn Session, id: DeliveryId) -> Result<(), StoreError> {
    let sql = "SELECT object FROM webhook_deliveries WHERE webhook = $1 AND position = $2";
    let rows = session.query(sql, &[id.webhook.0.into(), id.position.into()])?;
    rows.first().map_or(Ok(()), |row| place(session, id.webhook.0, row.text(0)?))
}

/// Gives up what of a webhook is outstanding (`since` it was, or earlier), `limit` at most; how many they were. With `since`
/// only what is ready is looked at: what is behind comes after it.
///
/// # Errors
/// [`StoreError::Database`].
pub fn give_up(
    database: &Database,
    webhook: WebhookId,
    since: Option<i64>,
    now: i64,
    limit: u32,
) -> Result<u64, StoreError> {
    let ready = "SELECT position, object, since FROM webhook_deliveries WHERE webhook = $1 AND state = 1 \
        ORDER BY next_at, position LIMIT $2";
    let all = "SELECT position, object, since FROM webhook_deliveries WHERE webhook = $1 AND state IN (0, 1, 2) \
        ORDER BY position LIMIT $2";
    let end = "UPDATE webhook_deliveries SET state = 4, ended_at = $1 WHERE webhook = $2 AND position = $3";
    database.transaction(|session| {
        let rows = session.query(if since.is_some() { ready } else { all }, &[webhook.0.into(), limit.into()])?;
        let mut given_up = 0;
        for row in &rows {
            if since.is_some_and(|since| row.int(2).is_ok_and(|own| own > since)) {
                continue;
            }
            session.execute(end, &[now.into(), webhook.0.into(), row.unsigned(0)?.into()])?;
            place(session, webhook.0, row.text(1)?)?;
            given_up += 1;
        }
        Ok(given_up)
    })
}

/// Has one delivery that ended told again; false if it is outstanding anyway, `None` if there is none of this name.
///
/// # Errors
/// [`StoreError::Database`].
pub fn replay(database: &Database, id: DeliveryId) -> Result<Option<bool>, StoreError> {
    let sql = "UPDATE webhook_deliveries SET state = 0, ended_at = NULL WHERE webhook = $1 AND position = $2 \
        AND state IN (3, 4)";
    let key: [Value; 2] = [id.webhook.0.into(), id.position.into()];
    database.transaction(|session| {
        let changed = session.execute(sql, &key)? == 1;
        let there = "SELECT position FROM webhook_deliveries WHERE webhook = $1 AND position = $2";
        Ok((changed || !session.query(there, &key)?.is_empty()).then_some(changed))
    })
}

/// Has everything of a webhook told again that happened at `since` of the books or later and ended; how many they are.
///
/// # Errors
/// [`StoreError::Database`].
pub fn replay_since(database: &Database, webhook: WebhookId, since: i64) -> Result<u64, StoreError> {
    let sql = "UPDATE webhook_deliveries SET state = 0, ended_at = NULL WHERE webhook = $1 AND event_at >= $2 \
        AND state IN (3, 4)";
    database.execute(sql, &[webhook.0.into(), since.into()])
}

/// Which deliveries are wanted.
#[derive(Debug, Clone)]
pub struct DeliveryFilter {
    /// Of this webhook.
    pub webhook: WebhookId,
    /// Standing like this.
    pub state: Option<DeliveryState>,
    /// Of this object, by its id.
    pub object: Option<String>,
}

/// A page of deliveries, the newest first, before the position `before` if there is one; `limit` at most.
///
/// # Errors
/// As for [`ready`].
pub fn list(
    database: &Database,
    filter: &DeliveryFilter,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<Delivery>, StoreError> {
    let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
    let mut parameters: Vec<Value> = vec![filter.webhook.0.into(), before.into()];
    let mut conditions = String::from("webhook = $1 AND position < $2");
    let terms = [
        ("state", filter.state.map(|state| Value::from(state.number()))),
        ("object", filter.object.as_deref().map(Value::from)),
    ];
    for (column, value) in terms {
        if let Some(value) = value {
            parameters.push(value);
            conditions.push_str(&format!(" AND {column} = ${}", parameters.len()));
        }
    }
    parameters.push(limit.into());
    let sql =
        format!("SELECT {COLUMNS} FROM {TABLE} WHERE {conditions} ORDER BY position DESC LIMIT ${}", parameters.len());
    database.query(&sql, &parameters)?.iter().map(decode).collect()
}

/// A delivery and its tries, the oldest first.
///
/// # Errors
/// As for [`ready`].
pub fn get(database: &Database, id: DeliveryId) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError> {
    let key: [Value; 2] = [id.webhook.0.into(), id.position.into()];
    let delivery = format!("SELECT {COLUMNS} FROM {TABLE} WHERE webhook = $1 AND position = $2");
    let attempts = "SELECT number, at, status, duration_ms, error FROM webhook_attempts \
        WHERE webhook = $1 AND position = $2 ORDER BY number";
    database.snapshot(|session| {
        let rows = session.query(&delivery, &key)?;
        let Some(delivery) = rows.first().map(decode).transpose()? else { return Ok(None) };
        let attempts = session.query(attempts, &key)?.iter().map(decode_attempt).collect::<Result<_, _>>()?;
        Ok(Some((delivery, attempts)))
    })
}

/// What is outstanding: how many, and since when the oldest is.
///
/// # Errors
/// [`StoreError::Database`].
pub fn outstanding(database: &Database) -> Result<(u64, Option<i64>), StoreError> {
    let sql = "SELECT COUNT(*), MIN(since) FROM webhook_deliveries WHERE state IN (0, 1, 2)";
    let rows = database.query(sql, &[])?;
    let Some(row) = rows.first() else { return Ok((0, None)) };
    Ok((row.unsigned(0)?, if row.is_null(1) { None } else { Some(row.int(1)?) }))
}

/// Forgets what ended before `ended_before`, `limit` at most; how many they were.
///
/// # Errors
/// [`StoreError::Database`].
pub fn forget(database: &Database, ended_before: i64, limit: u32) -> Result<u64, StoreError> {
    let old = "SELECT webhook, position FROM webhook_deliveries WHERE ended_at < $1 \
        ORDER BY ended_at, webhook, position LIMIT $2";
    let which: [Value; 2] = [ended_before.into(), limit.into()];
    database.transaction(|session| {
        session.execute(&format!("DELETE FROM webhook_attempts WHERE (webhook, position) IN ({old})"), &which)?;
        session.execute(&format!("DELETE FROM webhook_deliveries WHERE (webhook, position) IN ({old})"), &which)
    })
}

fn decode(row: &Row) -> Result<Delivery, StoreError> {
    let id = DeliveryId { webhook: WebhookId(row.unsigned(0)?), position: row.unsigned(1)? };
    let corrupt = |reason: String| StoreError::corrupt(TABLE, id, reason);
    let (stored, blob) = (row.int(2)?, row.bytes(3)?);
    let computed = i64::from(crc32fast::hash(blob));
    if stored != computed {
        return Err(corrupt(format!("its checksum is {stored} and that of its blob {computed}")));
    }
    let announcement: Announcement =
        minicbor::decode(blob).map_err(|error| corrupt(format!("its blob cannot be read: {error}")))?;
    if (announcement.webhook, announcement.position) != (id.webhook, id.position) {
        return Err(corrupt("its blob is another delivery's".to_owned()));
    }
    let number = row.int(4)?;
    let state = DeliveryState::ALL.into_iter().find(|state| state.number() == number);
    let state = state.ok_or_else(|| corrupt(format!("it has the state {number}")))?;
    let some = |column| if row.is_null(column) { Ok(None) } else { row.int(column).map(Some) };
    let attempts = u32::try_from(row.unsigned(6)?).map_err(|_| corrupt("it has too many tries".to_owned()))?;
    Ok(Delivery { announcement, state, next_at: row.int(5)?, attempts, since: some(7)?, ended_at: some(8)? })
}

fn decode_attempt(row: &Row) -> Result<Attempt, StoreError> {
    let status = if row.is_null(2) { None } else { u16::try_from(row.int(2)?).ok() };
    let number = u32::try_from(row.unsigned(0)?).unwrap_or(u32::MAX);
    Ok(Attempt { number, at: row.int(1)?, status, duration_ms: row.unsigned(3)?, error: row.text(4)?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_delivery_reads_back_and_nothing_else_does() {
        let id = DeliveryId { webhook: WebhookId(3), position: 1_042 };
        assert_eq!((id.to_string().as_str(), id.to_string().parse()), ("whd_1042_3", Ok(id)));
        for text in [
            "",
            "whd_",
            "whd_1",
            "whd_01_3",
            "whd_1_",
            "whd_-1_3",
            "whk_1_3",
            "whd_1_3_4",
            "whd_1_99999999999999999999",
        ] {
            assert!(text.parse::<DeliveryId>().is_err(), "{text}");
        }
    }
}
