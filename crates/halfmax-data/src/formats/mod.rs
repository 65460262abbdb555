//! The formats of tables, by name. Each format is a file here, and a line in [`FORMATS`].

mod delimited;
mod feather;
mod gzip;
mod lines;
mod ndjson;
mod parquet;
mod workbook;
mod zip;

use std::borrow::Cow;
use std::path::Path;

use halfmax_core::{Error, Result};
use tempfile::NamedTempFile;

use crate::open::{OpenOptions, refuse_known_others};
use crate::parts::PartSize;
use crate::table::RawTable;
use crate::writers::OutputColumn;

pub(crate) use delimited::{ENDINGS as DELIMITED_ENDINGS, standard_output};

/// All formats of tables. Opening, writing, archives, messages and the help of the program use this list.
///
/// The first format that recognises a file reads it. Delimited text accepts every text, so other text formats that are read come before it.
pub static FORMATS: &[&dyn TableFormat] = &[
    &gzip::Gzip,
    &parquet::Parquet,
    &feather::Feather,
    &workbook::Workbook,
    &zip::Zip,
    &delimited::Delimited,
    &ndjson::Ndjson,
];

/// A format of tables: recognises, reads and writes its files. A format may support reading, writing, or both.
pub trait TableFormat: Sync {
    /// The name in messages: "Parquet".
    fn name(&self) -> &'static str;

    /// The endings of its files without the dot, the usual ending first.
    fn endings(&self) -> &'static [&'static str];

    /// The endings that mark a table among the other files of an archive.
    fn endings_in_archives(&self) -> &'static [&'static str] {
        self.endings()
    }

    /// The endings of output files in this format; none for a format that is only read.
    fn written_endings(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether the format is only written.
    fn is_only_written(&self) -> bool {
        false
    }

    /// Whether it can be read in parts and its files are compressed, so that even a small file can hold a large table.
    fn is_packed(&self) -> bool {
        false
    }

    /// Whether a file has this format, by its first bytes. `label` is its name; `bytes` may hold only its beginning.
    ///
    /// # Errors
    /// If the file has a variant that cannot be read. The error names the reason.
    fn recognises(&self, _label: &str, _bytes: &[u8]) -> Result<bool> {
        Ok(false)
    }

    /// Whether to compute the digest of the bytes while they are read. Reading must then leave them unchanged.
    fn leaves_bytes(&self) -> bool {
        false
    }

    /// Reads the table of a file.
    ///
    /// # Errors
    /// If the file is damaged, holds no table or several, or expands beyond the limit.
    fn read(&self, label: &str, _bytes: Cow<'_, [u8]>, _options: &OpenOptions) -> Result<RawTable> {
        Err(Error::failed(format!("{label}: {} is written, but not read", self.name())))
    }

    /// The names of the tables in a file that may hold several: the sheets of a workbook.
    ///
    /// # Errors
    /// If the file cannot be read.
    fn tables(&self, _label: &str, _bytes: Vec<u8>) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Scans a file that can be read part by part. `None` for a format, or a file, that is read at once.
    ///
    /// # Errors
    /// If the file is damaged or has no rows.
    fn parts(
        &self,
        _path: &Path,
        _options: &OpenOptions,
        _size: PartSize,
    ) -> Result<Option<Box<dyn PartReader>>> {
        Ok(None)
    }

    /// Starts a file with one of [`Self::written_endings`].
    ///
    /// # Errors
    /// If the file cannot be written.
    fn begin(&self, file: NewFile) -> Result<Box<dyn TableSink>> {
        Err(Error::failed(format!("{}: {} is read, but not written", file.path.display(), self.name())))
    }
}

/// A file that can be read part by part.
pub trait PartReader: Send + Sync {
    /// A sample of the rows, for decisions that hold for all parts.
    fn sample(&self) -> &RawTable;

    /// Reads the parts in order, without notes for single parts.
    ///
    /// # Errors
    /// If the file has changed, or the work on a part fails.
    fn each(&self, take: &mut dyn FnMut(RawTable) -> Result<()>) -> Result<()>;
}

/// An output file.
pub struct NewFile<'a> {
    /// Its final path, for messages.
    pub path: &'a Path,
    /// The temporary file to write.
    pub file: NamedTempFile,
    /// Keys and values to store in the file, if the format has a place for them.
    pub notes: Vec<(String, String)>,
}

/// A table during writing.
pub trait TableSink: Send {
    /// Writes some rows. Every block has the same columns. All columns of a block have equal length.
    ///
    /// # Errors
    /// If writing fails.
    fn write(&mut self, columns: &[(&str, OutputColumn)]) -> Result<()>;

    /// Adds the rows of a file with the same columns and format. Returns their number.
    ///
    /// # Errors
    /// If the file cannot be read, or writing fails.
    fn append(&mut self, piece: &Path) -> Result<usize>;

    /// Completes and returns the file; `None` for standard output. `path` is its name, for messages.
    ///
    /// # Errors
    /// If the last bytes cannot be written.
    fn finish(self: Box<Self>, path: &Path) -> Result<Option<NamedTempFile>>;
}

/// The format of a file to read.
///
/// # Errors
/// If the file is empty or of an unreadable kind. The error names the kind, and the way to get the table.
pub(crate) fn recognised(label: &str, bytes: &[u8]) -> Result<&'static dyn TableFormat> {
    refuse_known_others(label, bytes)?;
    for format in FORMATS {
        if format.recognises(label, bytes)? {
            return Ok(*format);
        }
    }
    let read = FORMATS.iter().filter(|format| !format.is_only_written());
    let read: Vec<String> =
        read.map(|format| format!("{} (.{})", format.name(), format.endings()[0])).collect();
    Err(Error::data(format!("{label}: is not a text file, nor a file of another known kind"))
        .with_help(format!("expected {}", alternatives(&read))))
}

/// The format for an output file of this name; `None` if its ending is unknown.
pub(crate) fn written_to(path: &Path) -> Option<&'static dyn TableFormat> {
    let ending = path.extension()?.to_str()?;
    FORMATS.iter().copied().find(|format| format.written_endings().contains(&ending))
}

/// The usual endings of output tables, in words: ".parquet, .csv or .ndjson".
pub fn written_endings() -> String {
    let usual = FORMATS.iter().filter_map(|format| format.written_endings().first());
    alternatives(&usual.map(|ending| format!(".{ending}")).collect::<Vec<_>>())
}

/// The endings of tables in archives, in words.
pub(crate) fn endings_in_archives() -> String {
    let endings = FORMATS.iter().flat_map(|format| format.endings_in_archives());
    alternatives(&endings.map(|ending| format!(".{ending}")).collect::<Vec<_>>())
}

/// Whether a file has one of these endings, ignoring case and a gzip ending.
pub(crate) fn has_ending(label: &str, endings: &[&str]) -> bool {
    let lower = label.to_ascii_lowercase();
    let plain = lower.strip_suffix(".gz").unwrap_or(&lower);
    plain.rsplit_once('.').is_some_and(|(_, own)| endings.contains(&own))
}

fn alternatives(all: &[String]) -> String {
    match all {
        [first @ .., second, last] => {
            let first: String = first.iter().map(|text| format!("{text}, ")).collect();
            format!("{first}{second} or {last}")
        }
        _ => all.concat(),
    }
}
