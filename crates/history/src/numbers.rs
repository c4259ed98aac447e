//! A column of whole numbers as a chunk of a row group: pages of delta encoding, LZ4 where it makes a page smaller.
//!
//! The column writer of `parquet` does the same for one value at a time and for any type. Numbers are nine tenths of an
//! entry, so they are encoded here a page at a time and spliced in; the rest goes through the library. A column of one
//! value has one page, written as often as there are pages.

use bytes::Bytes;
use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};
use parquet::basic::{BoundaryOrder, Compression, Encoding, PageType, SortOrder, Type};
use parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::PageEncodingStats;
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use crate::delta::{self, Whole};
use crate::lake_file::PAGE_ROWS;

/// Of a page that LZ4 leaves above this share of itself, in hundredths, the page as it was is written: it reads faster.
const WORTH_IT: usize = 90;

/// A type of number that a column can have.
pub(crate) trait Number: Whole {
    /// In a file's footer.
    fn statistics(min: Self, max: Self) -> Statistics;
    /// In a page index.
    fn bytes(self) -> Vec<u8>;
    /// Its bits, for columns of unsigned numbers.
    fn unsigned(self) -> u64;
}

impl Number for i64 {
    fn statistics(min: Self, max: Self) -> Statistics {
        Statistics::int64(Some(min), Some(max), None, Some(0), false)
    }

    fn bytes(self) -> Vec<u8> {
        self.to_le_bytes().to_vec()
    }

    fn unsigned(self) -> u64 {
        self.cast_unsigned()
    }
}

impl Number for i32 {
    fn statistics(min: Self, max: Self) -> Statistics {
        Statistics::int32(Some(min), Some(max), None, Some(0), false)
    }

    fn bytes(self) -> Vec<u8> {
        self.to_le_bytes().to_vec()
    }

    fn unsigned(self) -> u64 {
        self.cast_unsigned().into()
    }
}

/// Encodes columns and keeps the memory it needs for it.
#[derive(Default)]
pub(crate) struct Encoder {
    encoded: Vec<u8>,
    compressed: Vec<u8>,
    table: CompressTable,
}

/// An encoded column of a row group, to be appended to a file.
pub(crate) struct Encoded {
    pub(crate) bytes: Bytes,
    pub(crate) close: ColumnCloseResult,
}

impl Encoder {
    /// The pages of a column and what the footer says of it. `is_key` asks for the bounds of each page, of a column whose
    /// values rise.
    pub(crate) fn encode<N: Number>(
        &mut self,
        column: ColumnDescPtr,
        values: &[N],
        is_key: bool,
    ) -> Result<Encoded, ParquetError> {
        let bounds = bounds(&column, values);
        let is_constant = bounds.is_some_and(|(min, max)| min == max);
        let mut sink = TrackedWrite::new(Vec::new());
        let mut chunk = Chunk::new(is_key.then(|| column.physical_type()));
        let mut kept: Option<(usize, CompressedPage)> = None;
        let mut try_lz4 = true;
        for values in values.chunks(PAGE_ROWS) {
            let page = match kept.take().filter(|(rows, _)| is_constant && *rows == values.len()) {
                Some((_, page)) => page,
                None => self.page(values, &mut try_lz4),
            };
            let again =
                is_constant.then(|| CompressedPage::new(page.compressed_page().clone(), page.uncompressed_size()));
            kept = again.map(|page| (values.len(), page));
            let spec = SerializedPageWriter::new(&mut sink).write_page(page)?;
            chunk.add(&spec, u32::try_from(values.len())?)?;
            if let (Some(first), Some(last)) = (values.first(), values.last()) {
                chunk.bound(first.bytes(), last.bytes());
            }
        }
        let bytes = sink.into_inner()?.into();
        let statistics = bounds.map(|(min, max)| N::statistics(min, max));
        Ok(Encoded { bytes, close: chunk.close(column, values.len(), Encoding::DELTA_BINARY_PACKED, statistics)? })
    }

    fn page<N: Number>(&mut self, values: &[N], try_lz4: &mut bool) -> CompressedPage {
        self.encoded.clear();
        delta::encode(values, &mut self.encoded);
        let whole = self.encoded.len();
        let small = if *try_lz4 { self.compress() } else { None };
        // A column whose page does not compress is of numbers that do not: its next pages are not tried.
        *try_lz4 = small.is_some();
        let rows = u32::try_from(values.len()).expect("a page has few rows");
        let page = Page::DataPageV2 {
            buf: Bytes::copy_from_slice(small.map_or(&self.encoded, |small| &self.compressed[..small])),
            num_values: rows,
            encoding: Encoding::DELTA_BINARY_PACKED,
            num_nulls: 0,
            num_rows: rows,
            def_levels_byte_len: 0,
            rep_levels_byte_len: 0,
            is_compressed: small.is_some(),
            statistics: None,
        };
        CompressedPage::new(page, whole)
    }

    /// The length of the compressed page, where that is worth it.
    fn compress(&mut self) -> Option<usize> {
        self.compressed.resize(get_maximum_output_size(self.encoded.len()), 0);
        let length = compress_into_with_table(&self.encoded, &mut self.compressed, &mut self.table).ok()?;
        (length * 100 < self.encoded.len() * WORTH_IT).then_some(length)
    }
}

/// A column of which no row has a value: the levels of each page are one run of zeros.
pub(crate) fn encode_nothing(column: ColumnDescPtr, rows: usize) -> Result<Encoded, ParquetError> {
    let mut sink = TrackedWrite::new(Vec::new());
    let mut chunk = Chunk::new(None);
    let mut left = rows;
    while left > 0 {
        let rows = left.min(PAGE_ROWS);
        left -= rows;
        let levels = delta::run_of_zeros(rows);
        let (whole, rows) = (levels.len(), u32::try_from(rows)?);
        let page = Page::DataPageV2 {
            def_levels_byte_len: u32::try_from(whole)?,
            buf: levels.into(),
            num_values: rows,
            encoding: Encoding::PLAIN,
            num_nulls: rows,
            num_rows: rows,
            rep_levels_byte_len: 0,
            is_compressed: false,
            statistics: None,
        };
        let spec = SerializedPageWriter::new(&mut sink).write_page(CompressedPage::new(page, whole))?;
        chunk.add(&spec, rows)?;
    }
    let nulls = rows as u64;
    let statistics = match column.physical_type() {
        Type::INT32 => Statistics::int32(None, None, None, Some(nulls), false),
        Type::INT64 => Statistics::int64(None, None, None, Some(nulls), false),
        Type::BYTE_ARRAY => Statistics::byte_array(None, None, None, Some(nulls), false),
        kind @ (Type::BOOLEAN | Type::INT96 | Type::FLOAT | Type::DOUBLE | Type::FIXED_LEN_BYTE_ARRAY) => {
            return Err(ParquetError::General(format!("no column of {kind} is without values here")));
        }
    };
    let bytes = sink.into_inner()?.into();
    Ok(Encoded { bytes, close: chunk.close(column, rows, Encoding::PLAIN, Some(statistics))? })
}

/// The lowest and the highest value, in the order of the column.
fn bounds<N: Number>(column: &ColumnDescPtr, values: &[N]) -> Option<(N, N)> {
    let first = *values.first()?;
    Some(if column.sort_order() == SortOrder::UNSIGNED {
        values.iter().fold((first, first), |(min, max), value| {
            (
                if value.unsigned() < min.unsigned() { *value } else { min },
                if value.unsigned() > max.unsigned() { *value } else { max },
            )
        })
    } else {
        values.iter().fold((first, first), |(min, max), value| {
            (if value.wide() < min.wide() { *value } else { min }, if value.wide() > max.wide() { *value } else { max })
        })
    })
}

/// What the footer will say of the pages so far.
struct Chunk {
    offsets: OffsetIndexBuilder,
    bounds: Option<ColumnIndexBuilder>,
    pages: i32,
    compressed: usize,
    uncompressed: usize,
}

impl Chunk {
    fn new(bounds_of: Option<Type>) -> Self {
        let bounds = bounds_of.map(|kind| {
            let mut builder = ColumnIndexBuilder::new(kind);
            builder.set_boundary_order(BoundaryOrder::ASCENDING);
            builder
        });
        Self { offsets: OffsetIndexBuilder::new(), bounds, pages: 0, compressed: 0, uncompressed: 0 }
    }

    fn add(&mut self, page: &PageWriteSpec, rows: u32) -> Result<(), ParquetError> {
        self.pages += 1;
        self.compressed += page.compressed_size;
        self.uncompressed += page.uncompressed_size;
        self.offsets.append_row_count(rows.into());
        self.offsets.append_offset_and_size(page.offset.try_into()?, page.compressed_size.try_into()?);
        Ok(())
    }

    /// Says what lies in the page just added.
    fn bound(&mut self, first: Vec<u8>, last: Vec<u8>) {
        if let Some(index) = &mut self.bounds {
            index.append(false, first, last, 0);
        }
    }

    fn close(
        self,
        column: ColumnDescPtr,
        rows: usize,
        encoding: Encoding,
        statistics: Option<Statistics>,
    ) -> Result<ColumnCloseResult, ParquetError> {
        let stats = PageEncodingStats { page_type: PageType::DATA_PAGE_V2, encoding, count: self.pages };
        let mut metadata = ColumnChunkMetaData::builder(column)
            .set_compression(Compression::LZ4_RAW)
            .set_encodings(vec![Encoding::RLE, encoding])
            .set_page_encoding_stats(vec![stats])
            .set_total_compressed_size(self.compressed.try_into()?)
            .set_total_uncompressed_size(self.uncompressed.try_into()?)
            .set_num_values(rows.try_into()?)
            .set_data_page_offset(0);
        if let Some(statistics) = statistics {
            metadata = metadata.set_statistics(statistics);
        }
        Ok(ColumnCloseResult {
            bytes_written: self.compressed as u64,
            rows_written: rows as u64,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: self.bounds.map(ColumnIndexBuilder::build).transpose()?,
            offset_index: Some(self.offsets.build()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::column::reader::ColumnReaderImpl;
    use parquet::data_type::{DataType, Int32Type, Int64Type};
    use parquet::file::serialized_reader::SerializedPageReader;
    use parquet::schema::types::SchemaDescriptor;
    use proptest::prelude::*;

    use super::{Encoder, Number};
    use crate::lake_file::{PAGE_ROWS, schema};

    /// What the library reads of a column that was written here.
    fn read_back<T: DataType>(column: &str, values: &[T::T]) -> Vec<T::T>
    where
        T::T: Number,
    {
        let descriptor = SchemaDescriptor::new(schema(&format!("message m {{ required {column}; }}"))).column(0);
        let encoded = Encoder::default().encode(descriptor.clone(), values, false).unwrap();
        let close = encoded.close;
        let pages = close.offset_index.unwrap().page_locations().clone();
        let pages = SerializedPageReader::<bytes::Bytes>::new(
            Arc::new(encoded.bytes),
            &close.metadata,
            values.len(),
            Some(pages),
        );
        let mut reader = ColumnReaderImpl::<T>::new(descriptor, Box::new(pages.unwrap()));
        let mut found = Vec::new();
        let (records, ..) = reader.read_records(values.len() + 1, None, None, &mut found).unwrap();
        assert_eq!(records, values.len());
        found
    }

    /// Numbers of all widths, among them the bounds of the type.
    fn numbers() -> impl Strategy<Value = Vec<i64>> {
        let any_width = (any::<i64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift);
        let bound = prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0)];
        proptest::collection::vec(prop_oneof![6 => any_width, 1 => bound], 1..400)
    }

    proptest! {
        #[test]
        fn the_library_reads_what_is_written_here(numbers in numbers()) {
            prop_assert_eq!(&read_back::<Int64Type>("int64 a", &numbers), &numbers);
            let small: Vec<i32> = numbers.iter().map(|number| *number as i32).collect();
            prop_assert_eq!(&read_back::<Int32Type>("int32 a (INTEGER(32,false))", &small), &small);
        }
    }

    #[test]
    fn columns_of_many_pages_come_back() {
        let rising: Vec<i64> = (0..3 * PAGE_ROWS as i64 + 5).map(|number| number / 7).collect();
        let constant = vec![-4_i64; 3 * PAGE_ROWS + 5];
        for values in [rising, constant] {
            assert_eq!(read_back::<Int64Type>("int64 a (INTEGER(64,false))", &values), values);
        }
    }
}
