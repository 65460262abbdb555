//! Tables as they are in files: CSV, tab-separated text and Parquet, by the file's ending.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use halfmax_core::{Error, Result, listed};
use polars::prelude::{
    ChunkedArray, Column, CsvParseOptions, CsvReadOptions, DataFrame, DataType, Field, NullValues,
    ParquetReader, PlSmallStr, Schema, SerReader, StringType,
};

use crate::digest::sha256_bytes;
use crate::scan::{Scan, scan};

/// What stands for a missing value in text files.
pub const MISSING: [&str; 9] = ["", "NA", "N/A", "NaN", "nan", "null", "None", "#N/A", "-"];

/// A table as it was read: named columns of text or numbers, and where it came from.
#[derive(Clone, Debug)]
pub struct RawTable {
    label: String,
    names: Vec<String>,
    frame: DataFrame,
    bytes: u64,
    sha256: String,
}

/// A column of text: its distinct texts, and for each row which it is.
#[derive(Clone, Debug)]
pub(crate) struct Labels {
    pub names: Vec<String>,
    /// Positions among the names, or [`Labels::MISSING`].
    pub of_row: Vec<u32>,
}

impl Labels {
    pub const MISSING: u32 = u32::MAX;
}

/// Reads a table; the file's ending says how: `.csv`, `.tsv`, `.txt` (tab-separated), each also with `.gz`, or
/// `.parquet`.
///
/// # Errors
/// If the file is missing, empty, of another kind than its ending says, ragged, or not UTF-8.
pub fn read_table(path: impl AsRef<Path>) -> Result<RawTable> {
    let path = path.as_ref();
    read_bytes(&path.display().to_string(), &read_file(path)?)
}

/// Reads a table from the bytes of a file; `label` names it in messages and its ending says the format.
///
/// # Errors
/// As [`read_table`].
pub fn read_bytes(label: &str, bytes: &[u8]) -> Result<RawTable> {
    let lower = label.to_ascii_lowercase();
    if bytes.is_empty() {
        return Err(Error::data(format!("{label}: the file is empty"))
            .help("a table needs a header row and at least one row of values"));
    }
    let (names, frame) = if lower.ends_with(".parquet") {
        parse_parquet(label, bytes)?
    } else {
        let plain = lower.strip_suffix(".gz").unwrap_or(&lower);
        let separator = match plain.rsplit('.').next() {
            Some("csv") => b',',
            Some("tsv" | "txt" | "tab") => b'\t',
            _ => return Err(unknown_ending(label)),
        };
        let text = if plain.len() < lower.len() { Some(decompress(label, bytes)?) } else { None };
        parse_text(label, text.as_deref().unwrap_or(bytes), separator)?
    };
    refuse_repeated_names(label, &names)?;
    let size = bytes.len() as u64;
    Ok(RawTable { label: label.to_owned(), names, frame, bytes: size, sha256: sha256_bytes(bytes) })
}

pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    let label = path.display();
    let opened = File::open(path).and_then(|mut file| {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map(|_| bytes)
    });
    opened.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::data(format!("{label}: no such file"))
            .help("check the spelling; paths in a configuration are relative to that configuration's folder"),
        _ if path.is_dir() => {
            Error::data(format!("{label}: this is a folder, expected a file")).help("name the file inside it")
        }
        _ => Error::data(format!("{label}: cannot be read: {error}")).because(error),
    })
}

fn unknown_ending(label: &str) -> Error {
    Error::data(format!("{label}: the ending says no known format"))
        .help("expected a file that ends in .csv, .tsv, .txt (each also with .gz) or .parquet")
}

fn decompress(label: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(Error::data(format!("{label}: ends in .gz but is not compressed with gzip"))
            .help("rename it without .gz if it is plain text"));
    }
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut text).map_err(|error| {
        Error::data(format!("{label}: the compressed data are cut short or damaged"))
            .help("copy or download the file again")
            .because(error)
    })?;
    Ok(text)
}

fn parse_parquet(label: &str, bytes: &[u8]) -> Result<(Vec<String>, DataFrame)> {
    if !bytes.starts_with(b"PAR1") {
        return Err(Error::data(format!("{label}: ends in .parquet but is no Parquet file"))
            .help("give it the ending of what it is (.csv, .tsv), or write it as Parquet"));
    }
    if bytes.len() < 12 || !bytes.ends_with(b"PAR1") {
        return Err(Error::data(format!("{label}: the Parquet file is cut short"))
            .help("copy or download the file again"));
    }
    let frame = ParquetReader::new(Cursor::new(bytes)).finish().map_err(|error| {
        Error::data(format!("{label}: the Parquet file cannot be read: {error}"))
            .help("write it again with plain columns of text and numbers")
            .because(error)
    })?;
    if frame.height() == 0 {
        return Err(no_rows(label));
    }
    let names = frame.columns().iter().map(|column| column.name().to_string()).collect();
    Ok((names, frame))
}

fn no_rows(label: &str) -> Error {
    Error::data(format!("{label}: the file has a header but no rows")).help("add at least one row of values")
}

fn parse_text(label: &str, bytes: &[u8], separator: u8) -> Result<(Vec<String>, DataFrame)> {
    let Scan { names, body, rows } = scan(label, bytes, separator)?;
    if rows == 0 {
        return Err(no_rows(label));
    }
    // Identifiers stay text even where they look like numbers: a COSMIC id, the drug "123138".
    let texts = names.iter().enumerate().filter(|(at, name)| *at == 0 || crate::columns::is_identifier(name));
    let texts: Schema = texts
        .map(|(at, _)| Field::new(PlSmallStr::from(format!("column_{}", at + 1)), DataType::String))
        .collect();
    let missing = MISSING.iter().filter(|token| !token.is_empty()).map(|token| PlSmallStr::from(*token));
    let parse = CsvParseOptions::default()
        .with_separator(separator)
        .with_null_values(Some(NullValues::AllColumns(missing.collect())));
    let mut frame = CsvReadOptions::default()
        .with_has_header(false)
        .with_infer_schema_length(None)
        .with_schema_overwrite(Some(texts.into()))
        .with_parse_options(parse)
        .into_reader_with_file_handle(Cursor::new(body))
        .finish()
        .map_err(|error| {
            Error::data(format!("{label}: cannot be read as a table: {error}")).because(error)
        })?;
    if frame.width() != names.len() || frame.height() != rows {
        return Err(Error::data(format!(
            "{label}: read as {} rows × {} columns, expected {rows} × {}",
            frame.height(),
            frame.width(),
            names.len()
        ))
        .help("look for blank lines and stray quotation marks"));
    }
    refuse_repeated_names(label, &names)?;
    frame.set_column_names(&names).map_err(|error| {
        Error::data(format!("{label}: column names cannot be used: {error}")).because(error)
    })?;
    Ok((names, frame))
}

fn refuse_repeated_names(label: &str, names: &[String]) -> Result<()> {
    let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    let mut repeated: Vec<String> =
        sorted.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| format!("{:?}", pair[0])).collect();
    repeated.dedup();
    if repeated.is_empty() {
        return Ok(());
    }
    Err(Error::data(format!("{label}: columns occur twice: {}", listed(&repeated, 5)))
        .help("keep one column of each name, or average them"))
}

/// Whether a text stands for a missing value.
pub(crate) fn is_missing(text: &str) -> bool {
    MISSING.contains(&text.trim())
}

impl RawTable {
    /// Where it was read from, as messages name it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The column names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of rows, without the header.
    pub fn rows(&self) -> usize {
        self.frame.height()
    }

    /// The columns as polars has them.
    pub fn frame(&self) -> &DataFrame {
        &self.frame
    }

    /// The size of the file in bytes, compressed as it was.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The SHA-256 of the file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The row of the file that holds entry `at` of a column: the header is row 1.
    pub fn row_of(&self, at: usize) -> usize {
        at + 2
    }

    fn column(&self, column: usize) -> &Column {
        &self.frame.columns()[column]
    }

    /// Whether a column holds numbers only.
    pub fn is_numeric(&self, column: usize) -> bool {
        let kind = self.column(column).dtype();
        if kind.is_primitive_numeric() || kind.is_bool() || matches!(kind, DataType::Null) {
            return true;
        }
        let is_number = |text: &str| is_missing(text) || text.trim().parse::<f64>().is_ok();
        self.column(column).str().is_ok_and(|texts| texts.iter().flatten().all(is_number))
    }

    /// Whether a column holds text.
    pub fn is_text(&self, column: usize) -> bool {
        !self.is_numeric(column)
    }

    /// A column as text, surrounding blanks removed; `None` where a value is missing.
    ///
    /// # Errors
    /// If the column is of a type that has no text form (lists, structures).
    pub fn texts(&self, column: usize) -> Result<Vec<Option<String>>> {
        let text = self.text_column(column)?;
        Ok(text
            .iter()
            .map(|value| value.map(str::trim).filter(|value| !is_missing(value)).map(str::to_owned))
            .collect())
    }

    /// A column as text of which each distinct one is kept once.
    ///
    /// # Errors
    /// As [`RawTable::texts`].
    pub(crate) fn labels(&self, column: usize) -> Result<Labels> {
        let text = self.text_column(column)?;
        let mut known: HashMap<&str, u32> = HashMap::new();
        let mut names = Vec::new();
        let mut of_row = Vec::with_capacity(text.len());
        for value in text.iter() {
            let value = value.map(str::trim).filter(|value| !is_missing(value));
            of_row.push(value.map_or(Labels::MISSING, |value| {
                *known.entry(value).or_insert_with(|| {
                    names.push(value.to_owned());
                    names.len() as u32 - 1
                })
            }));
        }
        Ok(Labels { names, of_row })
    }

    fn text_column(&self, column: usize) -> Result<ChunkedArray<StringType>> {
        let cast = self.column(column).cast(&DataType::String);
        cast.and_then(|cast| cast.str().cloned()).map_err(|error| {
            Error::data(format!(
                "{}: column {:?} holds {}, expected text or numbers",
                self.label,
                self.names[column],
                self.column(column).dtype()
            ))
            .because(error)
        })
    }

    /// A column as numbers, NaN where a value is missing.
    ///
    /// # Errors
    /// If a value is text: names the file, the column, the row, the value and what was expected.
    pub fn numbers(&self, column: usize, expected: &str) -> Result<Vec<f64>> {
        if !matches!(self.column(column).dtype(), DataType::String) {
            let cast = self.column(column).cast(&DataType::Float64);
            let cast = cast.and_then(|cast| cast.f64().cloned());
            let cast = cast.map_err(|error| {
                Error::data(format!("{}: column {:?}: {error}", self.label, self.names[column]))
                    .because(error)
            })?;
            return Ok(cast.iter().map(|value| value.unwrap_or(f64::NAN)).collect());
        }
        let parse = |(at, value): (usize, Option<&str>)| match value.map(str::trim) {
            None => Ok(f64::NAN),
            Some(text) if is_missing(text) => Ok(f64::NAN),
            Some(text) => text.parse().map_err(|_| self.bad_value(column, at, text, expected)),
        };
        self.text_column(column)?.iter().enumerate().map(parse).collect()
    }

    /// The error of one value: names the file, the column, the row, the value and what was expected.
    pub(crate) fn bad_value(
        &self,
        column: usize,
        at: usize,
        value: impl std::fmt::Display,
        expected: &str,
    ) -> Error {
        let name = &self.names[column];
        let row = self.row_of(at);
        Error::data(format!("{}: column {name:?}, row {row}: \"{value}\": expected {expected}", self.label))
            .help("correct the value, leave it empty if it is missing, or remove the column")
    }

    /// The first column that has one of these names; case, blanks, hyphens and underscores do not matter.
    pub fn find(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|wanted| {
            let wanted = crate::columns::plain(wanted);
            self.names.iter().position(|name| crate::columns::plain(name) == wanted)
        })
    }
}
