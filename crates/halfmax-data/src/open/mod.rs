//! Opens a file as a plain table, whatever its container format.
//!
//! The first bytes of a file, not its ending, decide the format: text (plain or gzip), Parquet, Arrow (Feather), a
//! workbook, or a zip archive with one table. Text may have any encoding, line ends, separator and preamble. Unusual
//! decisions become notes of the table.

mod array_values;
mod arrays;
mod arrow;
mod columnar;
mod container;
mod guard;
mod header;
mod kinds;
mod limit;
mod ods;
mod pages;
mod parquet_parts;
mod plain;
mod prefixes;
mod survey;
mod text;
mod workbook;
mod xls;

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use halfmax_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::digest::sha256_bytes;
use crate::formats::{PartReader, recognised};
use crate::parts::PartSize;
use crate::table::RawTable;

pub(crate) use columnar::{read_arrow, read_parquet};
pub(crate) use container::{
    extract, gunzip, is_text, is_zip, members, refuse_known_others, tables_of_archive, unzip,
};
pub use limit::{DEFAULT_UNPACK_LIMIT, parse_size, set_unpack_limit};
pub(crate) use limit::{unpack_limit, unpacks_beyond};
pub(crate) use parquet_parts::{ParquetParts, mapped};
pub use plain::{PlainColumn, PlainValue, plain_columns};
pub(crate) use survey::ChosenRows;
pub(crate) use text::{Packing, TextParts, read_text};
pub(crate) use workbook::{read_workbook, sheets_of_workbook};

/// Options for opening a file that replace automatic detection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OpenOptions {
    /// The sheet of a workbook (its name, or its number from 1), or the name of the file inside an archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// The separator of a text file: one character, or `tab`, `comma`, `semicolon`, `blank`, `pipe`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
}

impl OpenOptions {
    /// The separator as a byte.
    ///
    /// # Errors
    /// If the text is neither a known name nor a single ASCII character.
    pub(crate) fn separator(&self) -> Result<Option<u8>> {
        let Some(said) = &self.separator else { return Ok(None) };
        let byte = match said.to_lowercase().as_str() {
            "tab" | "\\t" => b'\t',
            "comma" => b',',
            "semicolon" => b';',
            "blank" | "space" => b' ',
            "pipe" => b'|',
            _ => match said.as_bytes() {
                [byte]
                    if byte.is_ascii()
                        && !byte.is_ascii_alphanumeric()
                        && !matches!(byte, b'"' | b'\n' | b'\r') =>
                {
                    *byte
                }
                _ => {
                    return Err(Error::parameter(
                        "separator",
                        format!("{said:?}"),
                        "tab, comma, semicolon, blank, pipe, or one other character",
                    ));
                }
            },
        };
        Ok(Some(byte))
    }
}

/// Reads a table from a file of any of the [`FORMATS`](crate::FORMATS) that are read.
///
/// # Errors
/// If the file is missing, empty, damaged, of a kind that holds no table, or holds several tables.
pub fn read_table(path: impl AsRef<Path>) -> Result<RawTable> {
    read_table_with(path, &OpenOptions::default())
}

/// Reads a table from a file, opened as the options say.
///
/// # Errors
/// As [`read_table`]; also if an option does not fit the file.
pub fn read_table_with(path: impl AsRef<Path>, options: &OpenOptions) -> Result<RawTable> {
    let path = path.as_ref();
    open(&path.display().to_string(), read_file(path)?, options)
}

/// Reads a table from the bytes of a file; `label` names it in messages.
///
/// # Errors
/// As [`read_table`].
pub fn read_bytes(label: &str, bytes: &[u8]) -> Result<RawTable> {
    open(label, bytes.to_vec(), &OpenOptions::default())
}

/// Opens the bytes of a file.
pub(crate) fn open(label: &str, bytes: Vec<u8>, options: &OpenOptions) -> Result<RawTable> {
    let size = bytes.len() as u64;
    let format = recognised(label, &bytes)?;
    let (sha256, table) = match format.leaves_bytes() {
        true => rayon::join(|| sha256_bytes(&bytes), || format.read(label, Cow::Borrowed(&bytes), options)),
        false => (sha256_bytes(&bytes), format.read(label, Cow::Owned(bytes), options)),
    };
    let mut table = table?;
    (table.bytes, table.sha256) = (size, sha256);
    Ok(table)
}

/// The tables of a file that may hold several: the sheets of a workbook, the files of an archive. One or none for other files.
///
/// # Errors
/// If the file cannot be read.
pub(crate) fn parts_of(path: &Path) -> Result<Vec<String>> {
    let label = path.display().to_string();
    let bytes = read_file(path)?;
    recognised(&label, &bytes)?.tables(&label, bytes)
}

/// Scans a file that can be read in parts; `None` for a file that is read at once.
///
/// # Errors
/// As [`crate::TableFormat::parts`].
pub(crate) fn divided(
    path: &Path,
    options: &OpenOptions,
    size: PartSize,
) -> Result<Option<Box<dyn PartReader>>> {
    let mut start = Vec::new();
    let Ok(file) = File::open(path) else { return Ok(None) };
    // The directory of an archive is at its end.
    if file.take(4096).read_to_end(&mut start).is_err() || is_zip(&start) {
        return Ok(None);
    }
    recognised(&path.display().to_string(), &start)?.parts(path, options, size)
}

pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    let label = path.display();
    File::open(path).and_then(whole).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::data(format!("{label}: no such file")).with_help(
            "check the spelling; paths in a configuration are relative to that configuration's folder",
        ),
        _ if path.is_dir() => Error::data(format!("{label}: this is a folder, expected a file"))
            .with_help("name the file inside the folder"),
        _ => Error::data(format!("{label}: cannot be read: {error}")).with_source(error),
    })
}

/// All bytes of a file. Most of the time goes into allocating memory, so a large file is read on all cores.
fn whole(mut file: File) -> std::io::Result<Vec<u8>> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileExt;

        use rayon::prelude::*;

        const PART: usize = 1 << 23;
        let about = file.metadata()?;
        let size = usize::try_from(about.len()).unwrap_or(usize::MAX);
        if about.is_file() && (2 * PART..=isize::MAX as usize).contains(&size) {
            let mut bytes = vec![0; size];
            let parts = bytes.par_chunks_mut(PART).enumerate();
            parts.try_for_each(|(at, part)| file.read_exact_at(part, (at * PART) as u64))?;
            // Bytes appended meanwhile are read as well.
            file.seek(SeekFrom::Start(size as u64))?;
            file.read_to_end(&mut bytes)?;
            return Ok(bytes);
        }
    }
    let mut bytes = Vec::with_capacity(file.metadata().map_or(0, |about| about.len() as usize + 1));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The error for a file that changed after the first look.
fn changed(label: &str) -> Error {
    Error::data(format!("{label}: the file changed while it was read"))
        .with_help("try again when the file is complete")
}

/// The error for a file without a row of values.
fn no_rows(label: &str) -> Error {
    Error::data(format!("{label}: the file has a header but no rows"))
        .with_help("add at least one row of values")
}

fn empty(label: &str) -> Error {
    Error::data(format!("{label}: the file is empty"))
        .with_help("write a header row and at least one row of values")
}
