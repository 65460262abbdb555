//! A lock: one fetch at a time per folder.

use std::fs::{File, TryLockError};
use std::path::Path;

use halfmax_core::{Error, Result};

/// Locks a folder until it is dropped or the process ends. The locked file is `.NAME.lock` beside the folder. The empty
/// file stays and has no meaning unless a process holds it.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Locks a folder.
    ///
    /// # Errors
    /// If another process holds it, or the folder cannot be written.
    pub fn of(folder: &Path) -> Result<Self> {
        let mut name = std::ffi::OsString::from(".");
        name.push(folder.file_name().unwrap_or_default());
        name.push(".lock");
        let path = folder.with_file_name(name);
        let failed = |error: std::io::Error| {
            Error::failed(format!("{}: cannot be written", path.display()))
                .with_help("set another folder of datasets (`--data-dir`)")
                .with_source(error)
        };
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::config(format!(
                "{}: another process is fetching into this folder",
                folder.display()
            ))
            .with_help("wait until it is done, then fetch again: fetched files are kept")),
            // Some network file systems have no locks. Two simultaneous fetches there can at worst damage a file, which
            // verification then detects.
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {
                Ok(Self { _file: file })
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_fetched_into_once_at_a_time() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("made-up");
        let lock = Lock::of(&folder).unwrap();
        let error = Lock::of(&folder).unwrap_err();
        assert!(error.to_string().contains("another process is fetching into this folder"), "{error}");
        drop(lock);
        assert!(Lock::of(&folder).is_ok());
    }
}
