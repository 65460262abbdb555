//! Tables and scores as Parquet, CSV or NDJSON, by the file's ending.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufWriter, Write};
use std::path::{Path, PathBuf};

use halfmax_core::{Error, Result};
use polars_arrow::array::ArrayRef;
use polars_arrow::datatypes::ArrowSchema;
use polars_error::PolarsError;
use tempfile::NamedTempFile;

use crate::csv_rows::{write_names, write_rows};
use crate::open::mapped;
use crate::output::{OutputSet, cannot_write, completed, named, temporary_file};
use crate::parquet_out::ParquetOut;
use crate::row_groups::{RowGroups, array_of, schema_of};

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

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn json(&self, row: usize) -> serde_json::Value {
        match self {
            Self::Text(values) => values[row].into(),
            // Through its shortest text: 0.1, not 0.10000000149011612.
            Self::F32(values) => {
                values[row].to_string().parse::<f64>().map_or(serde_json::Value::Null, Into::into)
            }
            Self::F64(values) => values[row].into(),
            Self::U32(values) => values[row].into(),
            Self::I8(values) => values[row].into(),
        }
    }
}

/// The formats of tables that halfmax writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Parquet,
    Csv,
    Ndjson,
}

fn format_of(path: &Path) -> Result<Format> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("parquet") => Ok(Format::Parquet),
        Some("csv") => Ok(Format::Csv),
        Some("ndjson" | "jsonl") => Ok(Format::Ndjson),
        _ if path.as_os_str() == "-" => Ok(Format::Csv),
        _ => Err(Error::config(format!("{}: the ending says no known format", path.display()))
            .help("end it in .parquet, .csv or .ndjson, or give - for CSV on standard output")),
    }
}

enum Target {
    Standard,
    Text(BufWriter<NamedTempFile>),
    Parquet { file: NamedTempFile, writer: Option<Box<ParquetTarget>> },
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

    /// The error of the system, where that is why writing failed.
    fn failed(&self, path: &Path, error: PolarsError) -> Error {
        match self.out.take_error() {
            Some(error) => cannot_write(path, error),
            None => failed(path, error),
        }
    }
}

/// Writes a table in blocks of rows; nothing is under the final name until [`TableWriter::finish`].
pub struct TableWriter {
    path: PathBuf,
    format: Format,
    target: Target,
    names: Vec<String>,
    notes: Vec<(String, String)>,
    /// Whether a file was appended.
    appended: bool,
}

impl TableWriter {
    /// Opens a temporary file beside `path`; `-` is CSV on standard output.
    ///
    /// # Errors
    /// If the ending is not known or the folder cannot be written.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let format = format_of(path)?;
        let target = match format {
            _ if path.as_os_str() == "-" => Target::Standard,
            Format::Parquet => Target::Parquet { file: temporary_file(path)?, writer: None },
            _ => Target::Text(BufWriter::new(temporary_file(path)?)),
        };
        Ok(Self {
            path: path.to_owned(),
            format,
            target,
            names: Vec::new(),
            notes: Vec::new(),
            appended: false,
        })
    }

    /// Writes some rows. Every block has the same columns.
    ///
    /// # Errors
    /// If columns differ in length or from those of the first block, or writing fails.
    pub fn write(&mut self, columns: &[(&str, OutputColumn)]) -> Result<()> {
        let rows = columns.first().map_or(0, |(_, column)| column.len());
        if let Some((name, column)) = columns.iter().find(|(_, column)| column.len() != rows) {
            return Err(Error::failed(format!("column {name} has {} values, expected {rows}", column.len())));
        }
        let first = self.names.is_empty();
        let names: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        if first {
            if let Some(name) = twice(&names) {
                return Err(Error::failed(format!("two columns {name:?}")));
            }
            self.names = names;
        } else if self.names != names {
            return Err(Error::failed(format!("columns {names:?}, expected {:?}", self.names)));
        }
        let path = &self.path;
        match &mut self.target {
            Target::Parquet { file, writer } => write_parquet(path, file, writer, &self.notes, columns, rows),
            Target::Text(out) if self.format == Format::Ndjson => write_ndjson(path, out, columns, rows),
            Target::Text(out) => write_csv(path, out, columns, rows, first),
            Target::Standard => write_csv(path, &mut std::io::stdout().lock(), columns, rows, first),
        }
    }

    /// Adds the rows of a file that another writer of the same columns wrote in the same format. Returns how many they are.
    ///
    /// # Errors
    /// If it cannot be read, or writing fails.
    pub fn append(&mut self, piece: &Path) -> Result<usize> {
        let unreadable = |error: std::io::Error| {
            Error::failed(format!("{}: cannot be read: {error}", piece.display())).because(error)
        };
        let path = &self.path;
        let behind = std::mem::replace(&mut self.appended, true);
        let file = File::open(piece).map_err(unreadable)?;
        match &mut self.target {
            Target::Parquet { file: out, writer } => {
                let label = piece.display().to_string();
                let piece = mapped(&file).map_err(|error| failed(piece, error))?;
                let writer = parquet_writer(path, out, writer, &self.notes, || piece.schema.clone())?;
                let mut rows = 0;
                for group in piece.each_group(&label) {
                    let group = group?;
                    rows += group.rows;
                    let of_group = group.rows;
                    let arrays = group.joined().map_err(|error| failed(path, error))?;
                    writer.write(path, of_group, &arrays)?;
                }
                Ok(rows)
            }
            Target::Text(out) => {
                let mut file = std::io::BufReader::with_capacity(1 << 20, file);
                let quoting = self.format == Format::Csv;
                if quoting && behind {
                    file.skip_until(b'\n').map_err(unreadable)?;
                }
                let (mut rows, mut inside) = (0, false);
                loop {
                    let bytes = file.fill_buf().map_err(unreadable)?;
                    if bytes.is_empty() {
                        break;
                    }
                    for byte in bytes {
                        inside ^= quoting && *byte == b'"';
                        rows += usize::from(*byte == b'\n' && !inside);
                    }
                    out.write_all(bytes).map_err(|error| cannot_write(path, error))?;
                    let read = bytes.len();
                    file.consume(read);
                }
                // The header of the first piece is kept, and is no row.
                Ok(rows - usize::from(quoting && !behind && rows > 0))
            }
            Target::Standard => Err(Error::failed("pieces of standard output")),
        }
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
        self.complete(path, named)
    }

    /// Completes the file, which keeps its temporary name; none for standard output.
    ///
    /// # Errors
    /// If the last bytes cannot be written.
    pub(crate) fn finish_unnamed(self) -> Result<Option<NamedTempFile>> {
        let (path, mut complete) = (self.path.clone(), None);
        self.complete(&path, |file, _| {
            complete = Some(file);
            Ok(())
        })?;
        Ok(complete)
    }

    /// Completes the file, which gets its name with the others of a set.
    ///
    /// # Errors
    /// If the last bytes cannot be written.
    pub fn finish_into(self, set: &OutputSet) -> Result<()> {
        let path = self.path.clone();
        self.complete(&path, |file, path| {
            set.add(file, path);
            Ok(())
        })
    }

    fn complete(self, path: &Path, give: impl FnOnce(NamedTempFile, &Path) -> Result<()>) -> Result<()> {
        match self.target {
            Target::Standard => std::io::stdout().flush().map_err(|error| cannot_write(path, error)),
            Target::Text(out) => give(completed(out, path)?, path),
            Target::Parquet { file, writer } => {
                let Some(writer) = writer else {
                    return Err(Error::failed(format!("{}: no rows were written", path.display())));
                };
                writer.finish(path)?;
                give(completed(BufWriter::new(file), path)?, path)
            }
        }
    }
}

fn failed(path: &Path, error: PolarsError) -> Error {
    match error {
        PolarsError::IO { error, .. } => {
            cannot_write(path, std::io::Error::new(error.kind(), error.to_string()))
        }
        other => Error::failed(format!("{}: cannot be written: {other}", path.display())).because(other),
    }
}

/// The first name that another column has, too.
fn twice(names: &[String]) -> Option<&str> {
    let mut known = HashSet::new();
    names.iter().map(String::as_str).find(|name| !known.insert(*name))
}

/// The writer of a Parquet file, which is made when the columns are known.
fn parquet_writer<'a>(
    path: &Path,
    file: &NamedTempFile,
    writer: &'a mut Option<Box<ParquetTarget>>,
    notes: &[(String, String)],
    schema: impl FnOnce() -> ArrowSchema,
) -> Result<&'a mut ParquetTarget> {
    let made = match writer.take() {
        Some(made) => made,
        None => {
            let out = ParquetOut::new(file.reopen().map_err(|error| cannot_write(path, error))?);
            let groups = RowGroups::new(out.clone(), schema(), notes).map_err(|error| failed(path, error))?;
            Box::new(ParquetTarget { groups, out })
        }
    };
    Ok(writer.insert(made))
}

fn write_parquet(
    path: &Path,
    file: &NamedTempFile,
    writer: &mut Option<Box<ParquetTarget>>,
    notes: &[(String, String)],
    columns: &[(&str, OutputColumn)],
    rows: usize,
) -> Result<()> {
    let writer = parquet_writer(path, file, writer, notes, || schema_of(columns))?;
    if rows > 0 {
        let arrays: Vec<ArrayRef> = columns.iter().map(|(_, column)| array_of(column)).collect();
        writer.write(path, rows, &arrays)?;
    }
    Ok(())
}

fn write_csv(
    path: &Path,
    out: &mut dyn Write,
    columns: &[(&str, OutputColumn)],
    rows: usize,
    header: bool,
) -> Result<()> {
    let names = if header { write_names(out, columns.iter().map(|(name, _)| *name)) } else { Ok(()) };
    names.and_then(|()| write_rows(out, columns, rows)).map_err(|error| cannot_write(path, error))
}

fn write_ndjson(
    path: &Path,
    out: &mut dyn Write,
    columns: &[(&str, OutputColumn)],
    rows: usize,
) -> Result<()> {
    for row in 0..rows {
        let record: serde_json::Map<String, serde_json::Value> =
            columns.iter().map(|(name, column)| ((*name).to_owned(), column.json(row))).collect();
        serde_json::to_writer(&mut *out, &record)
            .map_err(std::io::Error::from)
            .and_then(|()| out.write_all(b"\n"))
            .map_err(|error| cannot_write(path, error))?;
    }
    Ok(())
}

/// A block of scores; all lists are of one length.
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
    /// IC50 in µM, where the target is an IC50 whose scale and unit are known; NaN where that is not a finite number above 0.
    pub ic50_um: Option<&'a [f32]>,
    /// The IC50 in µM of each drug of a combination by itself, where a model of single drugs says it.
    pub single_ic50_um: Option<[&'a [f32]; 2]>,
    /// The percentile among the training responses of the drug, 0 to 100, of a combination among all: the share of them that is
    /// lower than the prediction, whichever end is sensitive. `None` for a drug not trained on.
    pub percentile: &'a [Option<f32>],
    /// The ends of the predictions' intervals, where the model has intervals; NaN for a prediction that has none.
    pub interval: Option<[&'a [f32]; 2]>,
    /// How close the cell line and the drug are to those of the training, 0 to 1.
    pub in_domain: Option<&'a [f32]>,
    /// The share of the model's features that the input had, 0 to 1.
    pub feature_share: f32,
}

/// Writes scores in blocks, so that memory does not grow with their number.
pub struct ScoreWriter {
    table: TableWriter,
}

impl ScoreWriter {
    /// Opens the output: Parquet, CSV or NDJSON by the ending, `-` for CSV on standard output. A Parquet file notes
    /// the target among its metadata.
    ///
    /// # Errors
    /// As [`TableWriter::create`].
    pub fn create(path: impl AsRef<Path>, target: &str) -> Result<Self> {
        let mut table = TableWriter::create(path)?;
        table.notes.push(("target".into(), target.into()));
        Ok(Self { table })
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
