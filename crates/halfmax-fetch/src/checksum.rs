//! Checksums and sizes of published files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use halfmax_core::{Error, Result};
use halfmax_data::datasets::Source;
use md5::Md5;
use sha2::{Digest, Sha256};

/// The known checksums and size of a file before it is fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checksum {
    /// Its SHA-256.
    pub sha256: Option<String>,
    /// Its MD5.
    pub md5: Option<String>,
    /// Its size in bytes.
    pub bytes: Option<u64>,
}

impl Checksum {
    /// The checksum of a source.
    pub fn of(source: &Source) -> Self {
        Self { sha256: source.sha256.clone(), md5: source.md5.clone(), bytes: source.bytes }
    }

    /// Whether it identifies a file.
    pub fn is_known(&self) -> bool {
        self.sha256.is_some() || self.md5.is_some()
    }

    /// Compares a file with this checksum. Returns the file's SHA-256 and size.
    ///
    /// # Errors
    /// If the file cannot be read or differs.
    pub fn check(&self, path: &Path) -> Result<(String, u64)> {
        let (sha256, md5, bytes) = digests(path)?;
        let differs = |what: &str, found: &str, expected: &str| {
            Err(Error::data(format!(
                "{}: not the published file: its {what} is {found}, expected {expected}",
                path.display()
            ))
            .with_help(
                "it was changed, or the download was damaged: remove it, then fetch the dataset again",
            ))
        };
        match (self.bytes, &self.sha256, &self.md5) {
            (Some(expected), _, _) if expected != bytes => {
                differs("size in bytes", &bytes.to_string(), &expected.to_string())
            }
            (_, Some(expected), _) if *expected != sha256 => differs("SHA-256", &sha256, expected),
            (_, _, Some(expected)) if *expected != md5 => differs("MD5", &md5, expected),
            _ => Ok((sha256, bytes)),
        }
    }
}

/// The SHA-256, MD5 and size of a file.
fn digests(path: &Path) -> Result<(String, String, u64)> {
    let failed = |error: std::io::Error| {
        Error::data(format!("{}: cannot be read: {error}", path.display())).with_source(error)
    };
    let mut file = File::open(path).map_err(failed)?;
    let (mut sha256, mut md5, mut size) = (Sha256::new(), Md5::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok((hexadecimal(&sha256.finalize()), hexadecimal(&md5.finalize()), size)),
            read => {
                sha256.update(&buffer[..read]);
                md5.update(&buffer[..read]);
                size += read as u64;
            }
        }
    }
}

pub(crate) fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
