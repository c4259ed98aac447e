//! Writing a file so that it is whole or not there: under another name, synced as it grows, renamed, directory synced.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{SchemaDescPtr, TypePtr};

use crate::error::HistoryError;
use crate::numbers::{Encoded, Encoder, Number, encode_nothing};

/// Rows a page: a statement of one account reads whole pages.
pub(crate) const PAGE_ROWS: usize = 2_048;
/// Rows a group: what the writer holds in memory beside the entries themselves.
pub(crate) const GROUP_ROWS: usize = 64 * PAGE_ROWS;
/// Bytes between two syncs. One long sync at the end would hold up the journal's own on the same disk.
const SYNC_BYTES: u64 = 4 << 20;

/// A writer of one row group, column by column in the order of the schema.
pub(crate) struct GroupWriter<'a> {
    writer: SerializedRowGroupWriter<'a, Sink>,
    schema: SchemaDescPtr,
    encoder: &'a mut Encoder,
    next: usize,
}

impl GroupWriter<'_> {
    /// Writes the next column, of whole numbers.
    pub(crate) fn numbers<N: Number>(&mut self, values: &[N]) -> Result<(), ParquetError> {
        let column = self.schema.column(self.next);
        // Every file is sorted by its first column: its pages are found by their bounds.
        let Encoded { bytes, close } = self.encoder.encode(column, values, self.next == 0)?;
        self.next += 1;
        self.writer.append_column(&bytes, close)
    }

    /// Writes the next column, of any type.
    pub(crate) fn values<T: DataType>(&mut self, values: &[T::T], levels: Option<&[i16]>) -> Result<(), ParquetError> {
        let mut column = self.writer.next_column()?.expect("the schema has a column for each list of values");
        self.next += 1;
        column.typed::<T>().write_batch(values, levels, None)?;
        column.close()
    }

    /// Writes the next column, of which no row has a value.
    pub(crate) fn nothing(&mut self, rows: usize) -> Result<(), ParquetError> {
        let column = self.schema.column(self.next);
        let Encoded { bytes, close } = encode_nothing(column, rows)?;
        self.next += 1;
        self.writer.append_column(&bytes, close)
    }
}

/// What the catalogue keeps of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) bytes: u64,
    pub(crate) checksum: u32,
}

/// A sorted Parquet file in the making.
pub(crate) struct LakeFile<'a> {
    path: String,
    temporary: Temporary<'a>,
    writer: SerializedFileWriter<Sink>,
    encoder: Encoder,
}

/// The name of a file in the making. A file that is not finished goes away with it: on a full disk it would keep the space
/// that is missing.
struct Temporary<'a> {
    root: &'a Path,
    name: String,
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        // It was renamed, or what keeps it from being removed has been told already.
        std::fs::remove_file(self.root.join(&self.name)).ok();
    }
}

impl<'a> LakeFile<'a> {
    /// Begins a file of `message`'s columns, sorted by its first `sorted_by` columns, at `path` below `root`.
    pub(crate) fn create(root: &'a Path, path: String, message: &str, sorted_by: i32) -> Result<Self, HistoryError> {
        let (folder, name) = path.rsplit_once('/').expect("every file of the lake lies in a folder");
        make_folders(root, folder)?;
        // The name ends differently, so that no reader of `*.parquet` takes it for a file of the lake.
        let temporary = Temporary { root, name: format!("{folder}/{name}.part") };
        let doing = || format!("creating {}", temporary.name);
        let file = File::create(root.join(&temporary.name)).map_err(|error| HistoryError::io(doing(), error))?;
        let sink = Sink { file, hasher: crc32fast::Hasher::new(), bytes: 0, unsynced: 0 };
        let sorting =
            (0..sorted_by).map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: false });
        let properties = properties().set_sorting_columns(Some(sorting.collect())).build();
        let writer = SerializedFileWriter::new(sink, schema(message), Arc::new(properties))
            .map_err(|error| HistoryError::parquet(doing(), error))?;
        Ok(Self { path, temporary, writer, encoder: Encoder::default() })
    }

    /// Appends one row group; `fill` writes its columns in the order of the schema.
    pub(crate) fn group(
        &mut self,
        fill: impl FnOnce(&mut GroupWriter<'_>) -> Result<(), ParquetError>,
    ) -> Result<(), HistoryError> {
        let write = || {
            let schema = Arc::new(self.writer.schema_descr().clone());
            let writer = self.writer.next_row_group()?;
            let mut group = GroupWriter { writer, schema, encoder: &mut self.encoder, next: 0 };
            fill(&mut group)?;
            group.writer.close().map(|_| ())
        };
        write().map_err(|error| HistoryError::parquet(format!("writing {}", self.temporary.name), error))
    }

    /// Ends the file and gives it its name.
    pub(crate) fn commit(self) -> Result<Written, HistoryError> {
        let Self { path, temporary: file, writer, encoder: _ } = self;
        let (root, temporary) = (file.root, &file.name);
        let sink =
            writer.into_inner().map_err(|error| HistoryError::parquet(format!("finishing {temporary}"), error))?;
        sink.file.sync_all().map_err(|error| HistoryError::io(format!("syncing {temporary}"), error))?;
        std::fs::rename(root.join(temporary), root.join(&path))
            .map_err(|error| HistoryError::io(format!("renaming {temporary} to {path}"), error))?;
        let (folder, _) = path.rsplit_once('/').expect("create() found the folder");
        // Without this its name may be gone after a power cut; then it must not be there at all.
        sync_folder(&root.join(folder)).inspect_err(|_| drop(std::fs::remove_file(root.join(&path))))?;
        Ok(Written { bytes: sink.bytes, checksum: sink.hasher.finalize() })
    }
}

/// The schema of a message type.
pub(crate) fn schema(message: &str) -> TypePtr {
    Arc::new(parse_message_type(message).expect("the message types of this crate are well formed"))
}

/// For the columns that are not of whole numbers. Those have LZ4 and no dictionaries too.
fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_dictionary_enabled(false)
        .set_compression(Compression::LZ4_RAW)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by("lintel history".to_owned())
}

/// Makes the folders of a path below `root`, each durable in the one above it.
fn make_folders(root: &Path, folders: &str) -> Result<(), HistoryError> {
    let mut path = root.to_path_buf();
    for folder in folders.split('/') {
        let above = path.clone();
        path.push(folder);
        match std::fs::create_dir(&path) {
            Ok(()) => sync_folder(&above)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(HistoryError::io(format!("making the folder {}", path.display()), error)),
        }
    }
    Ok(())
}

fn sync_folder(folder: &Path) -> Result<(), HistoryError> {
    File::open(folder)
        .and_then(|file| file.sync_all())
        .map_err(|error| HistoryError::io(format!("syncing the folder {}", folder.display()), error))
}

/// Counts, sums and syncs what goes into a file.
pub(crate) struct Sink {
    file: File,
    hasher: crc32fast::Hasher,
    bytes: u64,
    unsynced: u64,
}

impl Write for Sink {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buffer)?;
        self.hasher.update(buffer.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        self.unsynced += written as u64;
        if self.unsynced >= SYNC_BYTES {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
