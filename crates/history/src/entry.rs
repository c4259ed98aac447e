//! The columns of an entry and the way there and back.
//!
//! Ids and counts are unsigned 64-bit numbers; amounts are minor units in the account's currency. The business number is
//! three numbers or a text, by its kind:
//!
//! | `business_kind` | `business_id` | `business_number` | `business_index` | `business_text` |
//! |---|---|---|---|---|
//! | 0 bulk posting | stream | number | index | |
//! | 1 the caller's own | | | | the text |
//! | an object, see `object_numbers` below | id | | | |
//!
//! Dimensions without any value are read back as none.

use std::ops::Range;

use domain::book::Side;
use domain::calendar::Date;
use domain::envelope::Time;
use domain::ids::{AccountId, MerchantId, StreamId, VoucherId};
use domain::voucher::{BusinessKind, BusinessNumber, Dimensions, EventCode, PostedEntry};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;

use crate::columns::Optional;
use crate::error::HistoryError;
use crate::lake_file::GroupWriter;
use crate::reader::{File, Span};

/// The columns, in the order of [`EntryColumns`].
pub(crate) const MESSAGE: &str = "
    message entries {
        required int64 account (INTEGER(64,false));
        required int64 number (INTEGER(64,false));
        required int64 voucher (INTEGER(64,false));
        required int64 posted_at (TIMESTAMP(MILLIS,true));
        required int32 date (DATE);
        required boolean debit;
        required int32 event (INTEGER(16,false));
        required int64 amount;
        required int64 balance;
        required int64 counterpart (INTEGER(64,false));
        required int32 business_kind (INTEGER(8,false));
        required int64 business_id (INTEGER(64,false));
        required int64 business_number (INTEGER(64,false));
        required int32 business_index (INTEGER(32,false));
        optional binary business_text (STRING);
        optional int32 legal_entity (INTEGER(16,false));
        optional binary product (STRING);
        optional int32 region (INTEGER(32,false));
        optional binary channel (STRING);
        optional int64 merchant (INTEGER(64,false));
        optional int32 clearing_date (DATE);
    }";

pub(crate) const ACCOUNT: usize = 0;
pub(crate) const NUMBER: usize = 1;
pub(crate) const VOUCHER: usize = 2;
pub(crate) const DATE: usize = 4;
pub(crate) const DEBIT: usize = 5;
pub(crate) const AMOUNT: usize = 7;
pub(crate) const BALANCE: usize = 8;

const BULK: i32 = 0;
const TEXT: i32 = 1;

/// The rows of one group, column by column.
#[derive(Default)]
pub(crate) struct EntryColumns {
    account: Vec<i64>,
    number: Vec<i64>,
    voucher: Vec<i64>,
    posted_at: Vec<i64>,
    date: Vec<i32>,
    debit: Vec<bool>,
    event: Vec<i32>,
    amount: Vec<i64>,
    balance: Vec<i64>,
    counterpart: Vec<i64>,
    business_kind: Vec<i32>,
    business_id: Vec<i64>,
    business_number: Vec<i64>,
    business_index: Vec<i32>,
    business_text: Optional<ByteArrayType>,
    legal_entity: Optional<Int32Type>,
    product: Optional<ByteArrayType>,
    region: Optional<Int32Type>,
    channel: Optional<ByteArrayType>,
    merchant: Optional<Int64Type>,
    clearing_date: Optional<Int32Type>,
}

impl EntryColumns {
    /// Takes the next rows, column by column: the entries lie scattered in memory, and short loops over a few hundred of
    /// them let the processor wait for many at once. (Of `examples/cut` it took 36 % row by row, and takes 8 % so.)
    pub(crate) fn extend(&mut self, entries: &[&PostedEntry]) {
        let rows = || entries.iter().copied();
        self.account.extend(rows().map(|entry| entry.account.0.cast_signed()));
        self.number.extend(rows().map(|entry| entry.number.cast_signed()));
        self.voucher.extend(rows().map(|entry| entry.voucher.0.cast_signed()));
        self.posted_at.extend(rows().map(|entry| entry.posted_at.0));
        self.date.extend(rows().map(|entry| entry.date.0));
        self.debit.extend(rows().map(|entry| entry.side == Side::Debit));
        self.event.extend(rows().map(|entry| i32::from(entry.event.number())));
        self.amount.extend(rows().map(|entry| entry.amount));
        self.balance.extend(rows().map(|entry| entry.balance));
        self.counterpart.extend(rows().map(|entry| entry.counterpart.0.cast_signed()));
        self.extend_business(entries);
        self.extend_dimensions(entries);
    }

    fn extend_business(&mut self, entries: &[&PostedEntry]) {
        for entry in entries {
            let (kind, id, number, index) = match &entry.business {
                BusinessNumber::Bulk { stream, number, index } => (BULK, stream.0, *number, *index),
                BusinessNumber::Text(_) => (TEXT, 0, 0, 0),
                BusinessNumber::Object { kind, id } => (object_number(*kind), *id, 0, 0),
                BusinessNumber::Step { kind, id, step } => (object_number(*kind), *id, 0, *step),
            };
            self.business_kind.push(kind);
            self.business_id.push(id.cast_signed());
            self.business_number.push(number.cast_signed());
            self.business_index.push(index.cast_signed());
        }
        self.business_text.extend(entries.iter().map(|entry| match &entry.business {
            BusinessNumber::Text(text) => Some(ByteArray::from(&**text)),
            BusinessNumber::Bulk { .. } | BusinessNumber::Object { .. } | BusinessNumber::Step { .. } => None,
        }));
    }

    fn extend_dimensions(&mut self, entries: &[&PostedEntry]) {
        if entries.iter().all(|entry| entry.dimensions.is_none()) {
            self.legal_entity.extend_none(entries.len());
            self.product.extend_none(entries.len());
            self.region.extend_none(entries.len());
            self.channel.extend_none(entries.len());
            self.merchant.extend_none(entries.len());
            self.clearing_date.extend_none(entries.len());
            return;
        }
        let rows = || entries.iter().map(|entry| entry.dimensions.as_deref());
        let text = |text: &Option<String>| text.as_deref().map(ByteArray::from);
        self.legal_entity.extend(rows().map(|of| of?.legal_entity.map(i32::from)));
        self.product.extend(rows().map(|of| text(&of?.product)));
        self.region.extend(rows().map(|of| of?.region.map(u32::cast_signed)));
        self.channel.extend(rows().map(|of| text(&of?.channel)));
        self.merchant.extend(rows().map(|of| of?.merchant.map(|merchant| merchant.0.cast_signed())));
        self.clearing_date.extend(rows().map(|of| of?.clearing_date.map(|date| date.0)));
    }

    /// Empties the columns and keeps their memory.
    pub(crate) fn clear(&mut self) {
        for column in [
            &mut self.account,
            &mut self.number,
            &mut self.voucher,
            &mut self.posted_at,
            &mut self.amount,
            &mut self.balance,
            &mut self.counterpart,
            &mut self.business_id,
            &mut self.business_number,
        ] {
            column.clear();
        }
        for column in [&mut self.date, &mut self.event, &mut self.business_kind, &mut self.business_index] {
            column.clear();
        }
        self.debit.clear();
        self.business_text.clear();
        self.legal_entity.clear();
        self.product.clear();
        self.region.clear();
        self.channel.clear();
        self.merchant.clear();
        self.clearing_date.clear();
    }

    /// Writes them as a row group, in the order of [`MESSAGE`].
    pub(crate) fn write(&self, group: &mut GroupWriter<'_>) -> Result<(), ParquetError> {
        group.numbers(&self.account)?;
        group.numbers(&self.number)?;
        group.numbers(&self.voucher)?;
        group.numbers(&self.posted_at)?;
        group.numbers(&self.date)?;
        group.values::<BoolType>(&self.debit, None)?;
        group.numbers(&self.event)?;
        group.numbers(&self.amount)?;
        group.numbers(&self.balance)?;
        group.numbers(&self.counterpart)?;
        group.numbers(&self.business_kind)?;
        group.numbers(&self.business_id)?;
        group.numbers(&self.business_number)?;
        group.numbers(&self.business_index)?;
        self.business_text.write(group)?;
        self.legal_entity.write(group)?;
        self.product.write(group)?;
        self.region.write(group)?;
        self.channel.write(group)?;
        self.merchant.write(group)?;
        self.clearing_date.write(group)
    }

    /// Reads them back, in the order of [`MESSAGE`].
    fn read(file: &File, group: usize, rows: &Range<usize>) -> Result<Self, HistoryError> {
        let mut columns = 0..;
        let mut next = || columns.next().unwrap_or_default();
        Ok(Self {
            account: file.read::<Int64Type>(group, rows.clone(), next())?,
            number: file.read::<Int64Type>(group, rows.clone(), next())?,
            voucher: file.read::<Int64Type>(group, rows.clone(), next())?,
            posted_at: file.read::<Int64Type>(group, rows.clone(), next())?,
            date: file.read::<Int32Type>(group, rows.clone(), next())?,
            debit: file.read::<BoolType>(group, rows.clone(), next())?,
            event: file.read::<Int32Type>(group, rows.clone(), next())?,
            amount: file.read::<Int64Type>(group, rows.clone(), next())?,
            balance: file.read::<Int64Type>(group, rows.clone(), next())?,
            counterpart: file.read::<Int64Type>(group, rows.clone(), next())?,
            business_kind: file.read::<Int32Type>(group, rows.clone(), next())?,
            business_id: file.read::<Int64Type>(group, rows.clone(), next())?,
            business_number: file.read::<Int64Type>(group, rows.clone(), next())?,
            business_index: file.read::<Int32Type>(group, rows.clone(), next())?,
            business_text: file.read_optional(group, rows.clone(), next())?,
            legal_entity: file.read_optional(group, rows.clone(), next())?,
            product: file.read_optional(group, rows.clone(), next())?,
            region: file.read_optional(group, rows.clone(), next())?,
            channel: file.read_optional(group, rows.clone(), next())?,
            merchant: file.read_optional(group, rows.clone(), next())?,
            clearing_date: file.read_optional(group, rows.clone(), next())?,
        })
    }

    fn into_entries(self) -> Result<Vec<PostedEntry>, String> {
        let mut texts = self.business_text.into_rows();
        let mut legal_entities = self.legal_entity.into_rows();
        let mut products = self.product.into_rows();
        let mut regions = self.region.into_rows();
        let mut channels = self.channel.into_rows();
        let mut merchants = self.merchant.into_rows();
        let mut clearing_dates = self.clearing_date.into_rows();
        let mut entries = Vec::with_capacity(self.account.len());
        for row in 0..self.account.len() {
            let dimensions = Dimensions {
                legal_entity: legal_entities.next().flatten().map(small).transpose()?,
                product: products.next().flatten().map(string).transpose()?,
                region: regions.next().flatten().map(i32::cast_unsigned),
                channel: channels.next().flatten().map(string).transpose()?,
                merchant: merchants.next().flatten().map(|merchant| MerchantId(merchant.cast_unsigned())),
                clearing_date: clearing_dates.next().flatten().map(Date),
            };
            let event = small(self.event[row])?;
            let numbers = (
                self.business_id[row].cast_unsigned(),
                self.business_number[row].cast_unsigned(),
                self.business_index[row],
            );
            let text = texts.next().flatten();
            entries.push(PostedEntry {
                account: AccountId(self.account[row].cast_unsigned()),
                number: self.number[row].cast_unsigned(),
                voucher: VoucherId(self.voucher[row].cast_unsigned()),
                posted_at: Time(self.posted_at[row]),
                date: Date(self.date[row]),
                side: if self.debit[row] { Side::Debit } else { Side::Credit },
                event: EventCode::from_number(event).ok_or_else(|| format!("no event has the number {event}"))?,
                amount: self.amount[row],
                balance: self.balance[row],
                counterpart: AccountId(self.counterpart[row].cast_unsigned()),
                business: business(self.business_kind[row], numbers, text)?,
                dimensions: (dimensions != Dimensions::default()).then(|| Box::new(dimensions)),
            });
        }
        Ok(entries)
    }
}

/// The entries of some rows of a file.
pub(crate) fn read_entries(file: &File, span: &Span) -> Result<Vec<PostedEntry>, HistoryError> {
    let columns = EntryColumns::read(file, span.group, &span.rows)?;
    let first_row = file.first_row(span.group) + span.rows.start as u64;
    columns.into_entries().map_err(|what| {
        let what = format!("{what}, in the {} rows from here", span.rows.len());
        HistoryError::broken(file.path(), Some(first_row), what)
    })
}

fn business(kind: i32, numbers: (u64, u64, i32), text: Option<ByteArray>) -> Result<BusinessNumber, String> {
    let (id, number, index) = numbers;
    match (kind, text) {
        (BULK, None) => Ok(BusinessNumber::Bulk { stream: StreamId(id), number, index: index.cast_unsigned() }),
        (TEXT, Some(text)) => Ok(BusinessNumber::Text(string(text)?.into_boxed_str())),
        (other, text) => {
            let kind = object_kind(other).filter(|_| text.is_none());
            let kind = kind.ok_or_else(|| format!("no business number is of kind {other} with such columns"))?;
            // Steps count from 1: an index of 0 is an object's only one.
            Ok(match index.cast_unsigned() {
                0 => BusinessNumber::Object { kind, id },
                step => BusinessNumber::Step { kind, id, step },
            })
        }
    }
}

fn small(value: i32) -> Result<u16, String> {
    u16::try_from(value).map_err(|_| format!("{value} is not a 16-bit number"))
}

fn string(bytes: ByteArray) -> Result<String, String> {
    bytes.as_utf8().map(str::to_owned).map_err(|error| format!("a text that is not UTF-8: {error}"))
}

macro_rules! object_numbers {
    ($($number:literal $kind:ident)*) => {
        /// The number of an object's kind in files, for ever.
        const fn object_number(kind: BusinessKind) -> i32 {
            match kind { $(BusinessKind::$kind => $number,)* }
        }

        const fn object_kind(number: i32) -> Option<BusinessKind> {
            match number {
                $($number => Some(BusinessKind::$kind),)*
                _ => None,
            }
        }
    };
}

object_numbers! {
    10 Order 11 Leg 12 Split 13 Refund 14 Payout 15 Settlement 16 Clearing 17 Hold 18 Agreement 19 Attempt
    20 Suspense 21 Approval 28 TreeRun 31 Conversion
    34 ReserveLine 35 OwnTransfer 36 Arrears 37 Chargeback 38 Advance 40 TopUp 41 Transfer 50 CardTransaction 51 CardClearing
}
