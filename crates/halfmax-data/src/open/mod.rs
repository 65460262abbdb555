//! Opening: from the bytes of a file to a plain table, whatever it is packed in.
//!
//! What a file is, its first bytes say, not its ending: text (plain or gzip), Parquet, Arrow (Feather), a workbook, or a zip archive
//! with one table. Text is read whatever its encoding, line ends, separator and preamble; what was decided beyond the ordinary
//! is a note of the table.

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

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use halfmax_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::digest::sha256_bytes;
use crate::table::RawTable;

pub(crate) use container::{Container, extract, members};
pub use limit::{DEFAULT_UNPACK_LIMIT, parse_size, set_unpack_limit};
pub(crate) use limit::{unpack_limit, unpacks_beyond};
pub(crate) use parquet_parts::{ParquetParts, mapped};
pub use plain::{PlainColumn, PlainValue, plain_columns};
pub(crate) use survey::ChosenRows;
pub(crate) use text::TextParts;

/// How a file is to be opened, where that is said instead of found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OpenOptions {
    /// The sheet of a workbook, by its name or its number from 1; of an archive, the name of the file inside.
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
    /// If it is none of the names and not one ASCII character.
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

/// Reads a table from a file: delimited text (also gzip), Parquet, Arrow (Feather), a workbook with one table (xlsx, xls, ods), or
/// a zip archive with one of these.
///
/// # Errors
/// If the file is missing, empty, damaged, of a kind that holds no table, or holds several.
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
    let (sha256, table) = match container::container_of(label, &bytes)? {
        // Nothing takes these bytes, so that both can be done at once.
        Container::Parquet => rayon::join(|| sha256_bytes(&bytes), || columnar::read_parquet(label, &bytes)),
        _ => (sha256_bytes(&bytes), open_inner(label, bytes, options)),
    };
    let mut table = table?;
    (table.bytes, table.sha256) = (size, sha256);
    Ok(table)
}

fn open_inner(label: &str, bytes: Vec<u8>, options: &OpenOptions) -> Result<RawTable> {
    match container::container_of(label, &bytes)? {
        Container::Gzip => {
            let inner = container::gunzip(label, &bytes)?;
            drop(bytes);
            if matches!(container::container_of(label, &inner)?, Container::Gzip) {
                return Err(Error::data(format!("{label}: is compressed twice"))
                    .help("decompress it once: gunzip FILE"));
            }
            open_inner(label, inner, options)
        }
        Container::Parquet => columnar::read_parquet(label, &bytes),
        Container::Arrow => columnar::read_arrow(label, &bytes),
        Container::Workbook => workbook::read_workbook(label, bytes, options.sheet.as_deref()),
        Container::Zip => {
            let (member, inner) = container::unzip(label, &bytes, options.sheet.as_deref())?;
            drop(bytes);
            let options = OpenOptions { sheet: None, ..options.clone() };
            let mut table = open_inner(&format!("{label}/{member}"), inner, &options)?;
            table.notes.insert(0, format!("read from {member} in the archive").into());
            Ok(table)
        }
        Container::Text => text::read_text(label, bytes, options.separator()?),
    }
}

/// The tables of a file that may hold several: the sheets of a workbook, the files of an archive. One or none for other files.
///
/// # Errors
/// If the file cannot be read.
pub(crate) fn parts_of(path: &Path) -> Result<Vec<String>> {
    let label = path.display().to_string();
    let bytes = read_file(path)?;
    match container::container_of(&label, &bytes)? {
        Container::Workbook => workbook::tables(&label, bytes),
        Container::Zip => {
            Ok(container::tables(&members(&label, &bytes)?).into_iter().map(str::to_owned).collect())
        }
        _ => Ok(Vec::new()),
    }
}

pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    let label = path.display();
    File::open(path).and_then(whole).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::data(format!("{label}: no such file"))
            .help("check the spelling; paths in a configuration are relative to that configuration's folder"),
        _ if path.is_dir() => {
            Error::data(format!("{label}: this is a folder, expected a file")).help("name the file inside it")
        }
        _ => Error::data(format!("{label}: cannot be read: {error}")).because(error),
    })
}

/// All bytes of a file. Most of the time goes into giving the memory out, so a large file is read on all cores.
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
            // What was added meanwhile is read as well.
            file.seek(SeekFrom::Start(size as u64))?;
            file.read_to_end(&mut bytes)?;
            return Ok(bytes);
        }
    }
    let mut bytes = Vec::with_capacity(file.metadata().map_or(0, |about| about.len() as usize + 1));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The error of a file that is not as it was when it was looked at.
fn changed(label: &str) -> Error {
    Error::data(format!("{label}: the file changed while it was read"))
        .help("start again when the file is complete")
}

/// The error of a file without a row of values.
fn no_rows(label: &str) -> Error {
    Error::data(format!("{label}: the file has a header but no rows")).help("add at least one row of values")
}

fn empty(label: &str) -> Error {
    Error::data(format!("{label}: the file is empty"))
        .help("a table needs a header row and at least one row of values")
}
