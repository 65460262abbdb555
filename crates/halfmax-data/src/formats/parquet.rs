use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use halfmax_core::{Error, Result};
use polars::error::PolarsError;
use polars::io::parquet::write::{BatchedWriter, KeyValueMetadata};
use polars::prelude::{
    DataFrame, Field, ParquetCompression, ParquetReader, ParquetWriter, PlSmallStr, Schema, SerReader,
};
use tempfile::NamedTempFile;

use super::{NewFile, PartReader, TableFormat, TableSink};
use crate::open::{OpenOptions, ParquetParts, read_parquet};
use crate::output::{cannot_write, completed};
use crate::parquet_out::ParquetOut;
use crate::parts::PartSize;
use crate::table::RawTable;
use crate::writers::{OutputColumn, failed, frame, rows_of, unreadable_piece};

/// Parquet; it is written with Zstandard.
pub(super) struct Parquet;

impl TableFormat for Parquet {
    fn name(&self) -> &'static str {
        "Parquet"
    }

    fn endings(&self) -> &'static [&'static str] {
        &["parquet", "pq"]
    }

    fn endings_in_archives(&self) -> &'static [&'static str] {
        self.written_endings()
    }

    fn written_endings(&self) -> &'static [&'static str] {
        &["parquet"]
    }

    fn is_packed(&self) -> bool {
        true
    }

    fn recognises(&self, _label: &str, bytes: &[u8]) -> Result<bool> {
        Ok(bytes.starts_with(b"PAR1"))
    }

    fn leaves_bytes(&self) -> bool {
        true
    }

    fn read(&self, label: &str, bytes: Cow<'_, [u8]>, _options: &OpenOptions) -> Result<RawTable> {
        read_parquet(label, &bytes)
    }

    fn parts(
        &self,
        path: &Path,
        _options: &OpenOptions,
        size: PartSize,
    ) -> Result<Option<Box<dyn PartReader>>> {
        ParquetParts::survey(path, size)
    }

    fn begin(&self, file: NewFile) -> Result<Box<dyn TableSink>> {
        let NewFile { path, file, notes } = file;
        Ok(Box::new(ParquetSink { path: path.to_owned(), file, notes, writer: None }))
    }
}

/// A Parquet file that is being written.
struct ParquetSink {
    path: PathBuf,
    file: NamedTempFile,
    notes: Vec<(String, String)>,
    /// Made when the columns are known.
    writer: Option<Box<ParquetTarget>>,
}

impl ParquetSink {
    fn writer(&mut self, schema: impl FnOnce() -> Schema) -> Result<&mut ParquetTarget> {
        let made = match self.writer.take() {
            Some(made) => made,
            None => {
                let file = self.file.reopen().map_err(|error| cannot_write(&self.path, error))?;
                let out = ParquetOut::new(file);
                let notes =
                    (!self.notes.is_empty()).then(|| KeyValueMetadata::from_static(self.notes.clone()));
                let writer = ParquetWriter::new(out.clone())
                    .with_compression(ParquetCompression::Zstd(None))
                    .with_key_value_metadata(notes)
                    .batched(&schema())
                    .map_err(|error| failed(&self.path, error))?;
                Box::new(ParquetTarget { writer, out })
            }
        };
        Ok(self.writer.insert(made))
    }
}

impl TableSink for ParquetSink {
    fn write(&mut self, columns: &[(&str, OutputColumn)]) -> Result<()> {
        let fields =
            || columns.iter().map(|(name, column)| Field::new(PlSmallStr::from(*name), column.data_type()));
        let path = self.path.clone();
        let writer = self.writer(|| fields().collect())?;
        if rows_of(columns) > 0 {
            writer.write(&path, &frame(&path, columns)?)?;
        }
        Ok(())
    }

    fn append(&mut self, piece: &Path) -> Result<usize> {
        let file = File::open(piece).map_err(|error| unreadable_piece(piece, error))?;
        let frame = ParquetReader::new(file).finish().map_err(|error| failed(piece, error))?;
        let path = self.path.clone();
        self.writer(|| (**frame.schema()).clone())?.write(&path, &frame)?;
        Ok(frame.height())
    }

    fn finish(self: Box<Self>, path: &Path) -> Result<Option<NamedTempFile>> {
        let Some(writer) = self.writer else {
            return Err(Error::failed(format!("{}: no rows were written", path.display())));
        };
        writer.finish(path)?;
        completed(BufWriter::new(self.file), path).map(Some)
    }
}

/// A Parquet file whose columns are known.
struct ParquetTarget {
    writer: BatchedWriter<ParquetOut>,
    out: ParquetOut,
}

impl ParquetTarget {
    fn write(&mut self, path: &Path, frame: &DataFrame) -> Result<()> {
        self.writer.write_batch(frame).map_err(|error| self.failed(path, error))
    }

    fn finish(mut self, path: &Path) -> Result<()> {
        self.writer.finish().map_err(|error| self.failed(path, error))?;
        self.out.flush().map_err(|error| cannot_write(path, error))
    }

    /// The error of the system, where that is why writing failed.
    fn failed(&self, path: &Path, error: PolarsError) -> Error {
        match self.out.take_error() {
            Some(error) => cannot_write(path, error),
            None => failed(path, error),
        }
    }
}
