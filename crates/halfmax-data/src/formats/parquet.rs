//! Parquet files.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use halfmax_core::{Error, Result};
use polars_arrow::array::ArrayRef;
use polars_arrow::datatypes::ArrowSchema;
use polars_error::PolarsError;
use tempfile::NamedTempFile;

use super::{NewFile, PartReader, TableFormat, TableSink};
use crate::open::{OpenOptions, ParquetParts, mapped, read_parquet};
use crate::output::{cannot_write, completed};
use crate::parquet_out::ParquetOut;
use crate::parts::PartSize;
use crate::row_groups::{RowGroups, array_of, schema_of};
use crate::table::RawTable;
use crate::writers::{OutputColumn, failed, rows_of, unreadable_piece};

/// The Parquet format, written with Zstandard.
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

/// A Parquet file during writing.
struct ParquetSink {
    path: PathBuf,
    file: NamedTempFile,
    notes: Vec<(String, String)>,
    /// Created when the columns are known.
    writer: Option<Box<ParquetTarget>>,
}

impl ParquetSink {
    fn writer(&mut self, schema: impl FnOnce() -> ArrowSchema) -> Result<&mut ParquetTarget> {
        let made = match self.writer.take() {
            Some(made) => made,
            None => {
                let file = self.file.reopen().map_err(|error| cannot_write(&self.path, error))?;
                let out = ParquetOut::new(file);
                let groups = RowGroups::new(out.clone(), schema(), &self.notes)
                    .map_err(|error| failed(&self.path, error))?;
                Box::new(ParquetTarget { groups, out })
            }
        };
        Ok(self.writer.insert(made))
    }
}

impl TableSink for ParquetSink {
    fn write(&mut self, columns: &[(&str, OutputColumn)]) -> Result<()> {
        let path = self.path.clone();
        let writer = self.writer(|| schema_of(columns))?;
        let rows = rows_of(columns);
        if rows > 0 {
            let arrays: Vec<ArrayRef> = columns.iter().map(|(_, column)| array_of(column)).collect();
            writer.write(&path, rows, &arrays)?;
        }
        Ok(())
    }

    fn append(&mut self, piece: &Path) -> Result<usize> {
        let file = File::open(piece).map_err(|error| unreadable_piece(piece, error))?;
        let label = piece.display().to_string();
        let piece = mapped(&file).map_err(|error| failed(piece, error))?;
        let path = self.path.clone();
        let writer = self.writer(|| piece.schema.clone())?;
        let mut rows = 0;
        for group in piece.each_group(&label) {
            let group = group?;
            let of_group = group.rows;
            let arrays = group.joined().map_err(|error| failed(&path, error))?;
            writer.write(&path, of_group, &arrays)?;
            rows += of_group;
        }
        Ok(rows)
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
    groups: RowGroups<ParquetOut>,
    out: ParquetOut,
}

impl ParquetTarget {
    fn write(&mut self, path: &Path, rows: usize, arrays: &[ArrayRef]) -> Result<()> {
        self.groups.write(rows, arrays).map_err(|error| self.failed(path, error))
    }

    fn finish(mut self, path: &Path) -> Result<()> {
        self.groups.finish().map_err(|error| self.failed(path, error))?;
        self.out.flush().map_err(|error| cannot_write(path, error))
    }

    /// The error of the system, if it caused the failure.
    fn failed(&self, path: &Path, error: PolarsError) -> Error {
        match self.out.take_error() {
            Some(error) => cannot_write(path, error),
            None => failed(path, error),
        }
    }
}
