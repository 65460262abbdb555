//! The container format of a file, recognised by its first bytes.

use std::io::{Cursor, Read};

use halfmax_core::{Error, Result, listed};
use zip::ZipArchive;

use super::limit::{unpack_limit, unpacks_beyond_limit};
use crate::formats::{FORMATS, endings_in_archives};

/// A kind of file that halfmax cannot read: its first bytes, its name, and advice.
struct Refused {
    starts: &'static [u8],
    what: &'static str,
    help: &'static str,
}

const ANNDATA: &str = "export its content as tables: adata.to_df().to_parquet(\"expression.parquet\") for the values and \
                       adata.obs.to_csv(\"annotation.csv\") for the samples";
const R_DATA: &str =
    "write its tables from R: write.csv(x, \"file.csv\"), or arrow::write_parquet(x, \"file.parquet\")";
const PICKLE: &str = "opening a pickle can run any program, so write the table from Python: frame.to_parquet(\"file.parquet\")";

const REFUSED: [Refused; 12] = [
    Refused { starts: b"\x89HDF\r\n\x1a\n", what: "an HDF5 file (AnnData .h5ad, .h5, .gctx)", help: ANNDATA },
    Refused { starts: b"RDX", what: "a file of R objects (.RData)", help: R_DATA },
    Refused { starts: b"RDA", what: "a file of R objects (.RData)", help: R_DATA },
    Refused { starts: b"X\n\x00\x00\x00", what: "a file of an R object (.rds)", help: R_DATA },
    Refused { starts: b"\x80\x02", what: "a Python pickle", help: PICKLE },
    Refused { starts: b"\x80\x03", what: "a Python pickle", help: PICKLE },
    Refused { starts: b"\x80\x04", what: "a Python pickle", help: PICKLE },
    Refused { starts: b"\x80\x05", what: "a Python pickle", help: PICKLE },
    Refused {
        starts: b"\x93NUMPY",
        what: "a NumPy array without names",
        help: "write it with the names of its rows and columns: pandas.DataFrame(x, index=…, columns=…).to_csv(\"file.csv\")",
    },
    Refused {
        starts: b"SQLite format 3",
        what: "an SQLite database",
        help: "write the table as CSV: sqlite3 -header -csv FILE \"select * from TABLE\"",
    },
    Refused {
        starts: b"%PDF",
        what: "a PDF",
        help: "take the table from the supplement's workbook or text file",
    },
    Refused {
        starts: b"version https://git-lfs",
        what: "a pointer to a large file, not the file itself",
        help: "fetch the file: git lfs pull",
    },
];

const COMPRESSED: [(&[u8], &str); 4] = [
    (b"BZh", "bunzip2"),
    (b"\xfd7zXZ\x00", "unxz"),
    (b"\x28\xb5\x2f\xfd", "unzstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z x"),
];

/// Refuses a file that is empty or of a known kind that cannot be read: says which, and how to get at the table.
///
/// # Errors
/// If it is.
pub(crate) fn refuse_known_others(label: &str, bytes: &[u8]) -> Result<()> {
    if bytes.is_empty() {
        return Err(super::empty(label));
    }
    if let Some(refused) = REFUSED.iter().find(|refused| bytes.starts_with(refused.starts)) {
        return Err(Error::data(format!("{label}: this is {}", refused.what)).with_help(refused.help));
    }
    if let Some((_, command)) = COMPRESSED.iter().find(|(starts, _)| bytes.starts_with(starts)) {
        return Err(Error::data(format!("{label}: unsupported compression"))
            .with_help(format!("decompress it first ({command} FILE), or compress it with gzip")));
    }
    Ok(())
}

/// Whether a file is a zip archive, as workbooks are, too.
pub(crate) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// Whether a file is text that may hold a table.
///
/// # Errors
/// If it is text of another kind: a web page, XML, JSON.
pub(crate) fn is_text(label: &str, bytes: &[u8]) -> Result<bool> {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(512)])
        .trim_start_matches('\u{feff}')
        .trim_start()
        .to_lowercase();
    if start.starts_with("<!doctype html") || start.starts_with("<html") {
        return Err(Error::data(format!("{label}: this is a web page, not a table")).with_help(
            "the download may have returned a login page or an error page: open the file in a browser",
        ));
    }
    if start.starts_with("<?xml") {
        return Err(Error::data(format!("{label}: this is an XML file, not a table"))
            .with_help("write the table as CSV"));
    }
    if (start.starts_with('{') || start.starts_with("[{")) && start.contains("\":") {
        return Err(Error::data(format!("{label}: this is a JSON file, not a table"))
            .with_help("write it as CSV or Parquet: pandas.read_json(\"FILE\").to_csv(\"file.csv\")"));
    }
    let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let zeros = bytes.iter().take(4096).filter(|byte| **byte == 0).count();
    Ok(zeros == 0 || utf16 || super::text::looks_like_utf16(bytes))
}

pub(crate) fn gunzip(label: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    // The last four bytes give the unpacked length, if it is below 4 GiB and the file has a single member.
    let length = bytes.last_chunk::<4>().map_or(0, |length| u32::from_le_bytes(*length).into());
    let inner = Packed { inner: flate2::read::MultiGzDecoder::new(bytes), length };
    unpacked(label, inner, unpack_limit(), |error| damaged(label, error))
}

/// The error for compressed data that cannot be unpacked.
pub(super) fn damaged(label: &str, error: std::io::Error) -> Error {
    Error::data(format!("{label}: the compressed data are truncated or damaged"))
        .with_help("copy or download the file again")
        .with_source(error)
}

/// Compressed data, with the unpacked size that the file declares.
struct Packed<R> {
    inner: R,
    length: u64,
}

/// Unpacks a compressed file.
///
/// # Errors
/// If the file is damaged, or unpacks to more than `most` bytes.
fn unpacked(
    label: &str,
    packed: Packed<impl Read>,
    most: u64,
    damaged: impl FnOnce(std::io::Error) -> Error,
) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One extra byte shows that the end was reached. If the memory cannot be reserved at once, it is allocated as
    // needed.
    let _ = bytes.try_reserve_exact(packed.length.min(most).saturating_add(1) as usize);
    if let Err(error) = packed.inner.take(most.saturating_add(1)).read_to_end(&mut bytes) {
        return Err(damaged(error));
    }
    if bytes.len() as u64 > most {
        return Err(unpacks_beyond_limit(label));
    }
    Ok(bytes)
}

fn archive<'a>(label: &str, bytes: &'a [u8]) -> Result<ZipArchive<Cursor<&'a [u8]>>> {
    ZipArchive::new(Cursor::new(bytes)).map_err(|error| {
        Error::data(format!("{label}: the archive is truncated or damaged"))
            .with_help("copy or download the file again")
            .with_source(error)
    })
}

/// The names of the files in an archive.
pub(crate) fn members(label: &str, bytes: &[u8]) -> Result<Vec<String>> {
    let archive = archive(label, bytes)?;
    let names: Result<Vec<String>, _> =
        archive.file_names().map(|name| name.map(std::borrow::Cow::into_owned)).collect();
    names.map_err(|error| {
        Error::data(format!("{label}: the name of a file in the archive is damaged")).with_source(error)
    })
}

/// The files of an archive that may be tables: not folders, hidden files or documentation.
pub(crate) fn tables_of_archive(members: &[String]) -> Vec<&str> {
    let table = |name: &&str| {
        let file = name.rsplit('/').next().unwrap_or_default();
        let lower = file.to_lowercase();
        let text = ["readme", "license", "licence", "changelog", "manifest"]
            .iter()
            .any(|start| lower.starts_with(start));
        let ending = |ending: &&str| lower.strip_suffix(ending).is_some_and(|name| name.ends_with('.'));
        !file.is_empty()
            && !name.starts_with("__MACOSX")
            && !file.starts_with('.')
            && !text
            && FORMATS.iter().flat_map(|format| format.endings_in_archives()).any(ending)
    };
    members.iter().map(String::as_str).filter(table).collect()
}

/// The only table of an archive, or the wanted table: its name and its bytes.
pub(crate) fn unzip(label: &str, bytes: &[u8], wanted: Option<&str>) -> Result<(String, Vec<u8>)> {
    let members = members(label, bytes)?;
    let tables = tables_of_archive(&members);
    let choose =
        || format!("choose a table: sheet = {:?} (`--sheet`)", tables.first().copied().unwrap_or("NAME"));
    let named = |name: &str| {
        let same = |member: &&str| **member == *name || member.rsplit('/').next() == Some(name);
        members.iter().map(String::as_str).find(same)
    };
    let member = match (wanted, tables.as_slice()) {
        (Some(name), _) => named(name).ok_or_else(|| {
            Error::data(format!("{label}: the archive has no file {name:?}; it has {}", listed(&members, 8)))
                .with_help(choose())
        })?,
        (None, [one]) => *one,
        (None, []) => {
            return Err(Error::data(format!("{label}: the archive holds no table: {}", listed(&members, 8)))
                .with_help(format!("expected a file inside that ends in {}", endings_in_archives())));
        }
        (None, several) => {
            return Err(Error::data(format!(
                "{label}: the archive holds {} tables: {}",
                several.len(),
                listed(several, 8)
            ))
            .with_help(choose()));
        }
    };
    Ok((member.to_owned(), extract(label, bytes, member)?))
}

/// The bytes of one file of an archive.
pub(crate) fn extract(label: &str, bytes: &[u8], member: &str) -> Result<Vec<u8>> {
    let damaged = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::data(format!("{label}: {member} in the archive cannot be read"))
            .with_help("copy or download the file again")
            .with_source(error)
    };
    let mut archive = archive(label, bytes)?;
    let file = archive.by_name(member).map_err(|error| damaged(error.into()))?;
    let packed = Packed { length: file.size(), inner: file };
    unpacked(&format!("{label}/{member}"), packed, unpack_limit(), |error| damaged(error.into()))
}

/// Refuses an archive whose files together unpack to more than the limit. The reader refuses files that cannot be
/// unpacked.
///
/// # Errors
/// If they exceed the limit.
pub(super) fn refuse_beyond_limit_in_all(label: &str, bytes: &[u8]) -> Result<()> {
    let mut archive = archive(label, bytes)?;
    let mut left = unpack_limit();
    for at in 0..archive.len() {
        let Ok(file) = archive.by_index(at) else { continue };
        let mut counted = Counted(0);
        // Bytes before the damage count as well.
        let _ = std::io::copy(&mut file.take(left.saturating_add(1)), &mut counted);
        left = left.checked_sub(counted.0).ok_or_else(|| unpacks_beyond_limit(label))?;
    }
    Ok(())
}

/// A writer that counts bytes and discards them.
struct Counted(u64);

impl std::io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_unpacks_without_end_is_refused() {
        let read = |most| {
            let packed = Packed { inner: std::io::repeat(b'0').take(1000), length: 10 };
            unpacked("t.csv.gz", packed, most, |error| Error::data(error.to_string()))
        };
        assert_eq!(read(1000).unwrap().len(), 1000);
        let error = read(999).unwrap_err();
        assert!(error.to_string().starts_with("t.csv.gz: unpacks to more than"), "{error}");
    }
}
