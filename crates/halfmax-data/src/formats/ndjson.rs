//! Newline-delimited JSON.

use std::io::Write;
use std::path::{Path, PathBuf};

use halfmax_core::Result;
use tempfile::NamedTempFile;

use super::lines::{LineOut, Piece};
use super::{NewFile, TableFormat, TableSink};
use crate::output::cannot_write;
use crate::writers::{OutputColumn, rows_of};

/// The format with one JSON object per line. It is only written.
pub(super) struct Ndjson;

impl TableFormat for Ndjson {
    fn name(&self) -> &'static str {
        "NDJSON"
    }

    fn endings(&self) -> &'static [&'static str] {
        &["ndjson", "jsonl"]
    }

    fn endings_in_archives(&self) -> &'static [&'static str] {
        &[]
    }

    fn written_endings(&self) -> &'static [&'static str] {
        self.endings()
    }

    fn is_only_written(&self) -> bool {
        true
    }

    fn begin(&self, file: NewFile) -> Result<Box<dyn TableSink>> {
        Ok(Box::new(NdjsonSink { path: file.path.to_owned(), out: LineOut::of(file.file) }))
    }
}

struct NdjsonSink {
    path: PathBuf,
    out: LineOut,
}

impl TableSink for NdjsonSink {
    fn write(&mut self, columns: &[(&str, OutputColumn)]) -> Result<()> {
        let mut out = self.out.writer();
        for row in 0..rows_of(columns) {
            let record: serde_json::Map<String, serde_json::Value> =
                columns.iter().map(|(name, column)| ((*name).to_owned(), column.json(row))).collect();
            serde_json::to_writer(&mut out, &record)
                .map_err(std::io::Error::from)
                .and_then(|()| out.write_all(b"\n"))
                .map_err(|error| cannot_write(&self.path, error))?;
        }
        Ok(())
    }

    fn append(&mut self, piece: &Path) -> Result<usize> {
        self.out.append(&self.path, piece, Piece::Lines)
    }

    fn finish(self: Box<Self>, path: &Path) -> Result<Option<NamedTempFile>> {
        self.out.finish(path)
    }
}
