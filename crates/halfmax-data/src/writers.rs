//! Writes tables and scores in the format of the file ending.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use halfmax_core::{Error, Result};
use polars_error::PolarsError;
use tempfile::NamedTempFile;

use crate::formats::{NewFile, TableSink, standard_output, written_endings, written_to};
use crate::output::{OutputSet, cannot_write, named, temporary_file};

/// One column of a table to write.
#[derive(Clone, Debug)]
pub enum OutputColumn<'a> {
    /// Text.
    Text(&'a [&'a str]),
    /// Numbers; NaN is written as missing.
    F32(&'a [f32]),
    /// Numbers; NaN is written as missing.
    F64(&'a [f64]),
    /// Whole numbers.
    U32(&'a [u32]),
    /// Small whole numbers.
    I8(&'a [i8]),
}

impl OutputColumn<'_> {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::U32(values) => values.len(),
            Self::I8(values) => values.len(),
        }
    }

    /// Whether the column is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn json(&self, row: usize) -> serde_json::Value {
        match self {
            Self::Text(values) => values[row].into(),
            // Convert through the shortest text: 0.1, not 0.10000000149011612.
            Self::F32(values) => {
                values[row].to_string().parse::<f64>().map_or(serde_json::Value::Null, Into::into)
            }
            Self::F64(values) => values[row].into(),
            Self::U32(values) => values[row].into(),
            Self::I8(values) => values[row].into(),
        }
    }
}

/// Writes a table in blocks of rows; nothing is under the final name until [`TableWriter::finish`].
pub struct TableWriter {
    path: PathBuf,
    sink: Box<dyn TableSink>,
    names: Vec<String>,
}

impl TableWriter {
    /// Opens a temporary file beside `path`, in the format of its ending ([`FORMATS`](crate::FORMATS)); `-` is CSV on standard output.
    ///
    /// # Errors
    /// If the ending is unknown or the folder cannot be written.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        Self::create_with_notes(path.as_ref(), Vec::new())
    }

    /// As [`Self::create`], with keys and values to store in the file, if its format has a place for them.
    fn create_with_notes(path: &Path, notes: Vec<(String, String)>) -> Result<Self> {
        let sink = match written_to(path) {
            Some(format) => format.begin(NewFile { path, file: temporary_file(path)?, notes })?,
            None if path.as_os_str() == "-" => standard_output(path),
            None => {
                return Err(Error::config(format!("{}: unknown file ending", path.display()))
                    .with_help(format!("use {}, or - for CSV on standard output", written_endings())));
            }
        };
        Ok(Self { path: path.to_owned(), sink, names: Vec::new() })
    }

    /// Writes some rows. Every block has the same columns.
    ///
    /// # Errors
    /// If two columns share a name, columns differ in length or from those of the first block, or writing fails.
    pub fn write(&mut self, columns: &[(&str, OutputColumn)]) -> Result<()> {
        let rows = rows_of(columns);
        if let Some((name, column)) = columns.iter().find(|(_, column)| column.len() != rows) {
            return Err(Error::failed(format!("column {name} has {} values, expected {rows}", column.len())));
        }
        let names: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        if self.names.is_empty() {
            if let Some(name) = twice(&names) {
                return Err(Error::failed(format!("two columns {name:?}")));
            }
            self.names = names;
        } else if self.names != names {
            return Err(Error::failed(format!("columns {names:?}, expected {:?}", self.names)));
        }
        self.sink.write(columns)
    }

    /// Adds the rows of a file that another writer wrote with the same columns and format. Returns the number of rows.
    ///
    /// # Errors
    /// If it cannot be read, or writing fails.
    pub fn append(&mut self, piece: &Path) -> Result<usize> {
        self.sink.append(piece)
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// If the last bytes cannot be written or the file cannot be renamed.
    pub fn finish(self) -> Result<()> {
        let path = self.path.clone();
        self.finish_as(&path)
    }

    /// As [`TableWriter::finish`], under another name on the same file system.
    ///
    /// # Errors
    /// As [`TableWriter::finish`].
    pub fn finish_as(self, path: &Path) -> Result<()> {
        self.sink.finish(path)?.map_or(Ok(()), |file| named(file, path))
    }

    /// Completes the file under its temporary name; `None` for standard output.
    ///
    /// # Errors
    /// If the last bytes cannot be written.
    pub(crate) fn finish_unnamed(self) -> Result<Option<NamedTempFile>> {
        self.sink.finish(&self.path)
    }

    /// Completes the file, which gets its name with the others of a set.
    ///
    /// # Errors
    /// If the last bytes cannot be written.
    pub fn finish_into(self, set: &OutputSet) -> Result<()> {
        if let Some(file) = self.sink.finish(&self.path)? {
            set.add(file, &self.path);
        }
        Ok(())
    }
}

/// The number of rows of a block, by its first column.
pub(crate) fn rows_of(columns: &[(&str, OutputColumn)]) -> usize {
    columns.first().map_or(0, |(_, column)| column.len())
}

pub(crate) fn failed(path: &Path, error: PolarsError) -> Error {
    match error {
        PolarsError::IO { error, .. } => {
            cannot_write(path, std::io::Error::new(error.kind(), error.to_string()))
        }
        other => Error::failed(format!("{}: cannot be written: {other}", path.display())).with_source(other),
    }
}

pub(crate) fn unreadable_piece(piece: &Path, error: std::io::Error) -> Error {
    Error::failed(format!("{}: cannot be read: {error}", piece.display())).with_source(error)
}

/// The first repeated name.
fn twice(names: &[String]) -> Option<&str> {
    let mut known = HashSet::new();
    names.iter().map(String::as_str).find(|name| !known.insert(*name))
}

/// A block of scores. All lists have the same length.
#[derive(Clone, Copy, Debug)]
pub struct ScoreBlock<'a> {
    /// The cell lines.
    pub cell_lines: &'a [&'a str],
    /// The drugs.
    pub drugs: &'a [&'a str],
    /// The second drugs of combinations.
    pub drugs_b: Option<&'a [&'a str]>,
    /// The predictions, in the unit of the target.
    pub predicted: &'a [f32],
    /// IC50 in µM, if the target is an IC50 of known scale and unit; NaN if it is not a finite number above 0.
    pub ic50_um: Option<&'a [f32]>,
    /// The IC50 in µM of each drug of a combination alone, if a model of single drugs predicts it.
    pub single_ic50_um: Option<[&'a [f32]; 2]>,
    /// The percentile among the drug's training responses, 0 to 100; for a combination, among all training responses.
    /// It is the percentage of responses below the prediction, whichever end is sensitive. `None` for a drug not
    /// trained on.
    pub percentile: &'a [Option<f32>],
    /// The ends of the prediction intervals, if the model has intervals; NaN for predictions without an interval.
    pub interval: Option<[&'a [f32]; 2]>,
    /// The closeness of the cell line and the drug to the training entities, 0 to 1.
    pub in_domain: Option<&'a [f32]>,
    /// The fraction of the model's features that the input has, 0 to 1.
    pub feature_share: f32,
}

/// Writes scores in blocks, so that memory does not grow with their number.
pub struct ScoreWriter {
    table: TableWriter,
}

impl ScoreWriter {
    /// Opens the output, in the format of its ending; `-` is CSV on standard output. A Parquet file notes the target among its
    /// metadata.
    ///
    /// # Errors
    /// As [`TableWriter::create`].
    pub fn create(path: impl AsRef<Path>, target: &str) -> Result<Self> {
        let notes = vec![("target".into(), target.into())];
        Ok(Self { table: TableWriter::create_with_notes(path.as_ref(), notes)? })
    }

    /// Writes some scores.
    ///
    /// # Errors
    /// If the lists differ in length, or writing fails.
    pub fn write_block(&mut self, block: &ScoreBlock) -> Result<()> {
        let percentile: Vec<f32> = block.percentile.iter().map(|value| value.unwrap_or(f32::NAN)).collect();
        let feature_share = vec![block.feature_share; block.predicted.len()];
        let mut columns = vec![
            ("cell_line", OutputColumn::Text(block.cell_lines)),
            ("drug", OutputColumn::Text(block.drugs)),
        ];
        columns.extend(block.drugs_b.map(|drugs| ("drug_b", OutputColumn::Text(drugs))));
        columns.push(("predicted", OutputColumn::F32(block.predicted)));
        if let Some([lower, upper]) = block.interval {
            columns.push(("lower", OutputColumn::F32(lower)));
            columns.push(("upper", OutputColumn::F32(upper)));
        }
        columns.extend(block.ic50_um.map(|values| ("ic50_um", OutputColumn::F32(values))));
        if let Some([a, b]) = block.single_ic50_um {
            columns.push(("ic50_um", OutputColumn::F32(a)));
            columns.push(("ic50_b_um", OutputColumn::F32(b)));
        }
        columns.push(("percentile", OutputColumn::F32(&percentile)));
        columns.extend(block.in_domain.map(|values| ("in_domain", OutputColumn::F32(values))));
        columns.push(("feature_share", OutputColumn::F32(&feature_share)));
        self.table.write(&columns)
    }

    /// Completes the output.
    ///
    /// # Errors
    /// As [`TableWriter::finish`].
    pub fn finish(self) -> Result<()> {
        self.table.finish()
    }

    /// As [`TableWriter::finish_as`].
    ///
    /// # Errors
    /// As [`TableWriter::finish`].
    pub fn finish_as(self, path: &Path) -> Result<()> {
        self.table.finish_as(path)
    }

    /// As [`TableWriter::finish_unnamed`].
    pub(crate) fn finish_unnamed(self) -> Result<Option<NamedTempFile>> {
        self.table.finish_unnamed()
    }

    /// As [`TableWriter::append`].
    ///
    /// # Errors
    /// As [`TableWriter::append`].
    pub fn append(&mut self, piece: &Path) -> Result<usize> {
        self.table.append(piece)
    }
}
