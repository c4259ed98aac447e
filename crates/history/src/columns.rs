//! Columns of a Parquet file as plain vectors: one place that writes them and one that reads a span of rows back.

use std::ops::Range;

use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{BoolType, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::file::statistics::Statistics;

use crate::error::HistoryError;
use crate::lake_file::GroupWriter;
use crate::reader::File;

/// A type of column that this crate uses.
pub(crate) trait Column: DataType {
    /// The value of every row, where the statistics of a group say that they are all the same: then no page is read.
    fn constant(statistics: &Statistics) -> Option<Self::T>;
}

impl Column for Int64Type {
    fn constant(statistics: &Statistics) -> Option<i64> {
        if let Statistics::Int64(values) = statistics { same(values.min_opt(), values.max_opt()) } else { None }
    }
}

impl Column for Int32Type {
    fn constant(statistics: &Statistics) -> Option<i32> {
        if let Statistics::Int32(values) = statistics { same(values.min_opt(), values.max_opt()) } else { None }
    }
}

impl Column for BoolType {
    fn constant(statistics: &Statistics) -> Option<bool> {
        if let Statistics::Boolean(values) = statistics { same(values.min_opt(), values.max_opt()) } else { None }
    }
}

impl Column for ByteArrayType {
    /// Bounds of texts may be cut short, so equal bounds prove nothing.
    fn constant(_: &Statistics) -> Option<Self::T> {
        None
    }
}

fn same<T: PartialEq + Copy>(min: Option<&T>, max: Option<&T>) -> Option<T> {
    min.filter(|min| max == Some(min)).copied()
}

/// A column in which a row may have no value.
pub(crate) struct Optional<T: DataType> {
    /// 1 for a row with a value, 0 for one without.
    levels: Vec<i16>,
    /// The values there are.
    values: Vec<T::T>,
}

impl<T: DataType> Default for Optional<T> {
    fn default() -> Self {
        Self { levels: Vec::new(), values: Vec::new() }
    }
}

impl<T: DataType> Optional<T> {
    pub(crate) fn extend(&mut self, rows: impl Iterator<Item = Option<T::T>>) {
        for value in rows {
            self.levels.push(i16::from(value.is_some()));
            self.values.extend(value);
        }
    }

    pub(crate) fn extend_none(&mut self, rows: usize) {
        self.levels.resize(self.levels.len() + rows, 0);
    }

    pub(crate) fn clear(&mut self) {
        self.levels.clear();
        self.values.clear();
    }

    pub(crate) fn write(&self, group: &mut GroupWriter<'_>) -> Result<(), ParquetError> {
        if self.values.is_empty() {
            return group.nothing(self.levels.len());
        }
        group.values::<T>(&self.values, Some(&self.levels))
    }

    /// One value or none a row, in order.
    pub(crate) fn into_rows(self) -> impl Iterator<Item = Option<T::T>> {
        let mut values = self.values.into_iter();
        self.levels.into_iter().map(move |level| if level == 0 { None } else { values.next() })
    }
}

impl File {
    /// The values of a column without nulls in some rows of a group.
    pub(crate) fn read<T: Column>(
        &self,
        group: usize,
        rows: Range<usize>,
        column: usize,
    ) -> Result<Vec<T::T>, HistoryError> {
        let statistics = self.metadata().row_group(group).column(column).statistics();
        if let Some(value) = statistics.and_then(T::constant) {
            return Ok(vec![value; rows.len()]);
        }
        let mut values = Vec::with_capacity(rows.len());
        self.records::<T>(group, &rows, column, None, &mut values)?;
        Ok(values)
    }

    /// The values of a column with nulls in some rows of a group.
    pub(crate) fn read_optional<T: Column>(
        &self,
        group: usize,
        rows: Range<usize>,
        column: usize,
    ) -> Result<Optional<T>, HistoryError> {
        let statistics = self.metadata().row_group(group).column(column).statistics();
        if statistics.and_then(Statistics::null_count_opt) == Some(self.rows(group) as u64) {
            return Ok(Optional { levels: vec![0; rows.len()], values: Vec::new() });
        }
        let mut found = Optional::default();
        self.records::<T>(group, &rows, column, Some(&mut found.levels), &mut found.values)?;
        Ok(found)
    }

    fn records<T: DataType>(
        &self,
        group: usize,
        rows: &Range<usize>,
        column: usize,
        levels: Option<&mut Vec<i16>>,
        values: &mut Vec<T::T>,
    ) -> Result<(), HistoryError> {
        let read = || {
            let chunk = self.metadata().row_group(group).column(column);
            let pages = self.pages(group, column).to_vec();
            let pages = SerializedPageReader::new(self.bytes(), chunk, self.rows(group), Some(pages))?;
            let mut reader = ColumnReaderImpl::<T>::new(chunk.column_descr_ptr(), Box::new(pages));
            reader.skip_records(rows.start)?;
            reader.read_records(rows.len(), levels, None, values).map(|(records, ..)| records)
        };
        let records = read().map_err(|error| self.failed(column, error))?;
        if records == rows.len() {
            return Ok(());
        }
        let what = format!("group {group} ends {} rows early in column {column}", rows.len() - records);
        Err(HistoryError::broken(self.path(), None, what))
    }
}
