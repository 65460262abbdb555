//! The formats of tables, by name: each is a file here, and a line in [`FORMATS`].

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

/// Every format of tables. Opening, writing, archives, messages and the help of the program go through this list.
///
/// A file is read by the first format that recognises it. Delimited text takes every text, so that formats of text stand before it.
pub static FORMATS: &[&dyn TableFormat] = &[
    &gzip::Gzip,
    &parquet::Parquet,
    &feather::Feather,
    &workbook::Workbook,
    &zip::Zip,
    &delimited::Delimited,
    &ndjson::Ndjson,
];

/// A format of tables: how its files are recognised, read and written. A format may be read, written, or both.
pub trait TableFormat: Sync {
    /// The name, as in messages: "Parquet".
    fn name(&self) -> &'static str;

    /// The endings of its files without the dot, the usual one first.
    fn endings(&self) -> &'static [&'static str];

    /// The endings that mark a table among the other files of an archive.
    fn endings_in_archives(&self) -> &'static [&'static str] {
        self.endings()
    }

    /// The endings that a file is written in this format for; none of a format that is only read.
    fn written_endings(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether it is written, but not read.
    fn is_only_written(&self) -> bool {
        false
    }

    /// Whether its files are packed, so that a file is large at a smaller size than one of plain text.
    fn is_packed(&self) -> bool {
        false
    }

    /// Whether a file is of this format, by its first bytes. `label` is its name; `bytes` may be no more than its beginning.
    ///
    /// # Errors
    /// If it is one that cannot be read: says why.
    fn recognises(&self, _label: &str, _bytes: &[u8]) -> Result<bool> {
        Ok(false)
    }

    /// Whether reading leaves the bytes as they are, so that their digest can be computed at the same time.
    fn leaves_bytes(&self) -> bool {
        false
    }

    /// Reads the table of a file.
    ///
    /// # Errors
    /// If the file is damaged, holds no table or several, or more comes out of it than the limit allows.
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

    /// Looks at a whole file that can be read part by part. None of a format, or a file, that is read at once.
    ///
    /// # Errors
    /// If the file is damaged or has no row.
    fn parts(
        &self,
        _path: &Path,
        _options: &OpenOptions,
        _size: PartSize,
    ) -> Result<Option<Box<dyn PartReader>>> {
        Ok(None)
    }

    /// Begins a file, for one of [`Self::written_endings`].
    ///
    /// # Errors
    /// If it cannot be written.
    fn begin(&self, file: NewFile) -> Result<Box<dyn TableSink>> {
        Err(Error::failed(format!("{}: {} is read, but not written", file.path.display(), self.name())))
    }
}

/// A file that can be read part by part.
pub trait PartReader: Send + Sync {
    /// A sample of the rows, by which everything can be decided that is the same for all parts.
    fn sample(&self) -> &RawTable;

    /// Reads one part after the other, without notes of their own.
    ///
    /// # Errors
    /// If the file is not any more as it was, or what is done with a part fails.
    fn each(&self, take: &mut dyn FnMut(RawTable) -> Result<()>) -> Result<()>;
}

/// A file that is to be written.
pub struct NewFile<'a> {
    /// Where it will be, for messages.
    pub path: &'a Path,
    /// The temporary file that takes what is written.
    pub file: NamedTempFile,
    /// Keys and values that are noted in the file, where the format has a place for them.
    pub notes: Vec<(String, String)>,
}

/// A table that is being written.
pub trait TableSink: Send {
    /// Writes some rows. Every block has the same columns, all columns of a block are of one length.
    ///
    /// # Errors
    /// If writing fails.
    fn write(&mut self, columns: &[(&str, OutputColumn)]) -> Result<()>;

    /// Adds the rows of a file of the same columns and format. Returns how many they are.
    ///
    /// # Errors
    /// If it cannot be read, or writing fails.
    fn append(&mut self, piece: &Path) -> Result<usize>;

    /// Completes the file; none for standard output. `path` is its name, for messages.
    ///
    /// # Errors
    /// If the last bytes cannot be written.
    fn finish(self: Box<Self>, path: &Path) -> Result<Option<NamedTempFile>>;
}

/// The format that a file is read in.
///
/// # Errors
/// If it is empty or of a kind that cannot be read: says which, and how to get at the table.
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

/// The format that a file of this name is written in; none where its ending is not known.
pub(crate) fn written_to(path: &Path) -> Option<&'static dyn TableFormat> {
    let ending = path.extension()?.to_str()?;
    FORMATS.iter().copied().find(|format| format.written_endings().contains(&ending))
}

/// The endings of tables that are written, the usual one of each format, in words: ".parquet, .csv or .ndjson".
pub fn written_endings() -> String {
    let usual = FORMATS.iter().filter_map(|format| format.written_endings().first());
    alternatives(&usual.map(|ending| format!(".{ending}")).collect::<Vec<_>>())
}

/// The endings of tables in archives, in words.
pub(crate) fn endings_in_archives() -> String {
    let endings = FORMATS.iter().flat_map(|format| format.endings_in_archives());
    alternatives(&endings.map(|ending| format!(".{ending}")).collect::<Vec<_>>())
}

/// Whether a file has one of some endings, in any case; that of gzip is passed over.
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
