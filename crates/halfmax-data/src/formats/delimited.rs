//! Delimited text: CSV, TSV and similar files.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use halfmax_core::Result;
use tempfile::NamedTempFile;

use super::lines::{LineOut, Piece};
use super::{NewFile, PartReader, TableFormat, TableSink};
use crate::csv_rows::{write_names, write_rows};
use crate::open::{OpenOptions, Packing, TextParts, is_text, read_text};
use crate::output::cannot_write;
use crate::parts::PartSize;
use crate::table::RawTable;
use crate::writers::{OutputColumn, rows_of};

/// Text with columns separated by commas, tabs or other characters. It is written with commas.
pub(super) struct Delimited;

/// The endings of delimited text. All except the first imply tabs.
pub(crate) const ENDINGS: &[&str] = &["csv", "tsv", "txt", "tab", "gct", "maf", "gmt", "bed"];

impl TableFormat for Delimited {
    fn name(&self) -> &'static str {
        "delimited text"
    }

    fn endings(&self) -> &'static [&'static str] {
        ENDINGS
    }

    fn endings_in_archives(&self) -> &'static [&'static str] {
        &["csv", "tsv", "txt", "tab", "gct", "maf", "gmt"]
    }

    fn written_endings(&self) -> &'static [&'static str] {
        &["csv"]
    }

    fn recognises(&self, label: &str, bytes: &[u8]) -> Result<bool> {
        is_text(label, bytes)
    }

    fn read(&self, label: &str, bytes: Cow<'_, [u8]>, options: &OpenOptions) -> Result<RawTable> {
        read_text(label, bytes.into_owned(), options.separator()?)
    }

    fn parts(
        &self,
        path: &Path,
        options: &OpenOptions,
        size: PartSize,
    ) -> Result<Option<Box<dyn PartReader>>> {
        TextParts::survey(path, Packing::Plain, options.separator()?, size)
    }

    fn begin(&self, file: NewFile) -> Result<Box<dyn TableSink>> {
        Ok(Box::new(DelimitedSink::new(file.path, LineOut::of(file.file), b',')))
    }
}

/// CSV on standard output.
pub(crate) fn standard_output(path: &Path) -> Box<dyn TableSink> {
    Box::new(DelimitedSink::new(path, LineOut::Standard, b','))
}

/// Delimited text during writing.
pub(super) struct DelimitedSink {
    path: PathBuf,
    out: LineOut,
    separator: u8,
    /// Whether the header has been written.
    begun: bool,
    appended: bool,
}

impl DelimitedSink {
    pub fn new(path: &Path, out: LineOut, separator: u8) -> Self {
        Self { path: path.to_owned(), out, separator, begun: false, appended: false }
    }
}

impl TableSink for DelimitedSink {
    fn write(&mut self, columns: &[(&str, OutputColumn)]) -> Result<()> {
        let failed = |error| cannot_write(&self.path, error);
        let mut out = self.out.writer();
        if !std::mem::replace(&mut self.begun, true) {
            write_names(&mut out, columns.iter().map(|(name, _)| *name), self.separator).map_err(failed)?;
        }
        write_rows(&mut out, columns, rows_of(columns), self.separator).map_err(failed)
    }

    fn append(&mut self, piece: &Path) -> Result<usize> {
        let behind = std::mem::replace(&mut self.appended, true);
        self.out.append(&self.path, piece, if behind { Piece::NextTable } else { Piece::FirstTable })
    }

    fn finish(self: Box<Self>, path: &Path) -> Result<Option<NamedTempFile>> {
        self.out.finish(path)
    }
}
