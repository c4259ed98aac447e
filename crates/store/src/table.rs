//! An aggregate as a row: `(id, position, checksum, blob, columns for queries)`.
//!
//! The blob is the aggregate, in the encoding the journal uses; the columns repeat what lists filter by and nothing is
//! ever read back from them. The checksum is the CRC-32 of the blob.

use std::borrow::Cow;
use std::fmt::Debug;

use domain::calendar::Date;
use domain::ids;
use domain::recall::{Kind, Left, RowId};
use minicbor::{Decode, Encode};

use crate::db::{Row, Session, Value};
use crate::error::StoreError;

/// An aggregate that has a table.
pub trait Stored: Clone + Debug + PartialEq + Encode<()> + for<'b> Decode<'b, ()> {
    /// Its id in the business.
    type Id: Key;

    /// The table's name.
    const TABLE: &'static str;

    /// The columns beside id, position, checksum and blob.
    const COLUMNS: &'static [&'static str];

    /// Which kind it is of those whose closed rows leave memory. Such a table has a column `closed`, which is 1 for them and
    /// 0 for others.
    const KIND: Option<Kind> = None;

    /// The aggregate's own id.
    fn id(&self) -> Self::Id;

    /// The values of [`Self::COLUMNS`].
    fn columns(&self) -> Vec<Value>;

    /// What of it is stored: all, unless a part lies elsewhere.
    fn image(&self) -> Cow<'_, Self> {
        Cow::Borrowed(self)
    }
}

/// An id as the number that its row has.
pub trait Key: Copy {
    /// The number. An id beyond 2^63, which nothing has, becomes negative and finds nothing.
    fn number(self) -> i64;
}

macro_rules! keys {
    ($($id:ident)*) => {
        $(impl Key for ids::$id {
            fn number(self) -> i64 {
                self.0.cast_signed()
            }
        })*
    };
}

keys! {
    AccountId HoldId CustomerId UserId MerchantId StreamId AttemptId OrderId LegId SplitId RefundId ClearingId
    SettlementId PayoutId AgreementId FreezeId
    TopUpId TransferId WithdrawalPlanId WithdrawalBatchId WithdrawalId RetryRuleId NoticeId LimitPolicyId BlockEntryId
    BankCardId CertificateId WebhookId SignUpId ApiKeyId ReceiverId RealNameCheckId
    TreeLinkId TreeRunId QuotaChargeId
    OperatorId ApprovalId TemplateId SuspenseId
    AgreementPaymentId ExchangeRateId ConversionId
    ReserveLineId ReserveBalanceId OwnTransferId ArrearsId ChargebackId AdvanceId AdvancePolicyId
    SiteWeightsId ParameterSetId OutflowId FundBatchId
    FeePlanId CardFeePlanId CardCostId AcquiringId TerminalId CardTransactionId BatchCloseId CardClearingId
}

impl Key for Date {
    fn number(self) -> i64 {
        self.0.into()
    }
}

/// The most parameters of one statement; SQLite takes 32,766, PostgreSQL 65,535.
const MAX_PARAMETERS: usize = 32_766;
/// Rows that are handed over together where each is a statement of its own.
const ROWS_TOGETHER: usize = 128;
/// Bytes of values at which a statement is full, so that no statement is large beside the memory of either end.
const FULL_BYTES: usize = 1 << 20;

/// Rows to be written to one table, as many a statement as the database likes best.
pub(crate) struct Upsert<'a> {
    session: &'a dyn Session,
    head: String,
    tail: String,
    columns: usize,
    values: Vec<Value>,
    bytes: usize,
    /// The statement as it was last written, and for how many values.
    statement: (usize, String),
}

impl<'a> Upsert<'a> {
    /// Begins; a row whose `keys` are there is replaced.
    pub(crate) fn new(session: &'a dyn Session, table: &str, keys: &[&str], others: &[&str]) -> Self {
        let columns: Vec<&str> = keys.iter().chain(others).copied().collect();
        let replaced: Vec<String> = others.iter().map(|column| format!("{column} = excluded.{column}")).collect();
        Self {
            session,
            head: format!("INSERT INTO {table} ({}) VALUES ", columns.join(", ")),
            tail: format!(" ON CONFLICT ({}) DO UPDATE SET {}", keys.join(", "), replaced.join(", ")),
            columns: columns.len(),
            values: Vec::new(),
            bytes: 0,
            statement: (0, String::new()),
        }
    }

    /// Adds a row, its values in the order of the columns. Within one [`Self::finish`] no two rows may have the same
    /// key.
    pub(crate) fn add(&mut self, row: impl IntoIterator<Item = Value>) -> Result<(), StoreError> {
        let before = self.values.len();
        self.values.extend(row);
        let added = self.values.get(before..).unwrap_or_default();
        debug_assert_eq!(added.len(), self.columns, "one value a column: {}", self.head);
        self.bytes += added.iter().map(size).sum::<usize>();
        let rows = if self.is_one_by_one() { ROWS_TOGETHER } else { self.session.rows_at_once() };
        let full = self.values.len() + self.columns > MAX_PARAMETERS.min(rows * self.columns);
        if full || self.bytes >= FULL_BYTES { self.finish() } else { Ok(()) }
    }

    /// Writes what was added.
    pub(crate) fn finish(&mut self) -> Result<(), StoreError> {
        if self.values.is_empty() {
            return Ok(());
        }
        let one_by_one = self.is_one_by_one();
        let values = if one_by_one { self.columns } else { self.values.len() };
        if self.statement.0 != values {
            self.statement = (values, self.written(values));
        }
        if one_by_one {
            self.session.execute_each(&self.statement.1, self.columns, &self.values)?;
        } else {
            self.session.execute(&self.statement.1, &self.values)?;
        }
        self.values.clear();
        self.bytes = 0;
        Ok(())
    }

    /// Whether each row is a statement of its own.
    fn is_one_by_one(&self) -> bool {
        self.session.rows_at_once() == 1
    }

    /// The statement for so many values.
    fn written(&self, values: usize) -> String {
        let mut sql = self.head.clone();
        for (at, number) in (0..values).zip(1_usize..) {
            let begin = if at == 0 { "($" } else { ", ($" };
            sql.push_str(if at % self.columns == 0 { begin } else { ", $" });
            sql.push_str(&number.to_string());
            if number % self.columns == 0 {
                sql.push(')');
            }
        }
        sql.push_str(&self.tail);
        sql
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Int(_) => 8,
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
    }
}

/// Writes rows as they are at `position`.
pub(crate) fn write<'r, X: Stored + 'r>(
    session: &dyn Session,
    position: u64,
    rows: impl IntoIterator<Item = &'r X>,
) -> Result<(), StoreError> {
    let others: Vec<&str> = ["position", "checksum", "blob"].into_iter().chain(X::COLUMNS.iter().copied()).collect();
    let mut upsert = Upsert::new(session, X::TABLE, &["id"], &others);
    for row in rows {
        let blob = encode(row);
        let checksum = crc32fast::hash(&blob);
        let first = [row.id().number().into(), position.into(), checksum.into(), Value::Bytes(blob)];
        upsert.add(first.into_iter().chain(row.columns()))?;
    }
    upsert.finish()
}

/// The bytes of an aggregate as its row keeps it.
pub(crate) fn encode<X: Stored>(row: &X) -> Vec<u8> {
    minicbor::to_vec(row.image().as_ref()).expect("writing CBOR to memory cannot fail")
}

/// The aggregate of a row whose columns from `at` on are id, checksum and blob.
pub(crate) fn decode<X: Stored>(row: &Row, at: usize) -> Result<X, StoreError> {
    let key = row.int(at)?;
    let corrupt = |reason: String| StoreError::corrupt(X::TABLE, key, reason);
    let (Ok(stored), Ok(blob)) = (row.int(at + 1), row.bytes(at + 2)) else {
        return Err(corrupt("its checksum or its blob is of another type".to_owned()));
    };
    let computed = i64::from(crc32fast::hash(blob));
    if stored != computed {
        return Err(corrupt(format!("its checksum is {stored} and that of its blob {computed}")));
    }
    let decoded: X = minicbor::decode(blob).map_err(|error| corrupt(format!("its blob cannot be read: {error}")))?;
    if decoded.id().number() != key {
        return Err(corrupt(format!("its blob is that of row {}", decoded.id().number())));
    }
    Ok(decoded)
}

/// Rows that are read at once.
const PAGE_ROWS: i64 = 4_096;

/// Every row that was in memory at the checkpoint, page after page: all, or, where closed ones leave it, those that are open and
/// those that were written since closed ones left last. Of kinds that leave it, when it was written comes with each.
pub(crate) fn read_open<X: Stored>(
    session: &dyn Session,
    left: Left,
    mut each: impl FnMut(X, Option<(RowId, u64)>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let Some(kind) = X::KIND else { return pages(session, X::TABLE, &[], "", |row| each(decode(row, 0)?, None)) };
    let mut with_position = |row: &Row| {
        let value: X = decode(row, 0)?;
        let id = RowId { kind, id: value.id().number().cast_unsigned() };
        each(value, Some((id, row.unsigned(3)?)))
    };
    if kind.since() > left.generation {
        return pages(session, X::TABLE, &["position"], "", with_position);
    }
    pages(session, X::TABLE, &["position"], "closed = 0 AND ", &mut with_position)?;
    // Of what left before a generation was written down nothing changes once it is closed.
    if left.generation > 0 { closed_since(session, X::TABLE, left.checkpointed, with_position) } else { Ok(()) }
}

/// Rows that are closed and were written later than `position`.
fn closed_since(
    session: &dyn Session,
    table: &str,
    position: u64,
    mut each: impl FnMut(&Row) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT id, checksum, blob, position FROM {table} WHERE closed = 1 AND (position, id) > ($1, $2) \
         ORDER BY position, id LIMIT $3"
    );
    let mut after = (position.cast_signed(), i64::MAX);
    loop {
        let page = session.query(&sql, &[after.0.into(), after.1.into(), PAGE_ROWS.into()])?;
        let Some(last) = page.last() else { return Ok(()) };
        after = (last.int(3)?, last.int(0)?);
        page.iter().try_for_each(&mut each)?;
    }
}

/// Every row, with the values of `columns` beside each.
pub(crate) fn read_with<X: Stored>(
    session: &dyn Session,
    columns: &[&str],
    mut each: impl FnMut(X, &[Value]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    pages(session, X::TABLE, columns, "", |row| each(decode(row, 0)?, row.0.get(3..).unwrap_or_default()))
}

/// As [`read_with`], with the id's number, and rows that are not what was written among them.
pub(crate) fn read_each<X: Stored>(
    session: &dyn Session,
    columns: &[&str],
    mut each: impl FnMut(i64, Result<X, StoreError>, &[Value]),
) -> Result<(), StoreError> {
    pages(session, X::TABLE, columns, "", |row| {
        each(row.int(0)?, decode(row, 0), row.0.get(3..).unwrap_or_default());
        Ok(())
    })
}

/// `only` stands before the condition that pages, and ends in `AND` unless it is empty.
fn pages(
    session: &dyn Session,
    table: &str,
    columns: &[&str],
    only: &str,
    mut each: impl FnMut(&Row) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let columns = ["id", "checksum", "blob"].iter().chain(columns).copied().collect::<Vec<_>>().join(", ");
    let sql = format!("SELECT {columns} FROM {table} WHERE {only}id > $1 ORDER BY id LIMIT $2");
    let mut after = i64::MIN;
    loop {
        let page = session.query(&sql, &[after.into(), PAGE_ROWS.into()])?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.int(0)?;
        page.iter().try_for_each(&mut each)?;
    }
}
