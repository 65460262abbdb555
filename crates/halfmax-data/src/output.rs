//! Files that are complete or not there: everything is written under another name first.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use halfmax_core::{Error, Result};
use tempfile::{Builder, NamedTempFile, TempDir};

use crate::writers::{PredictionColumns, write_predictions};

/// Writes a file under a temporary name in the same folder and renames it once complete. If writing fails nothing is
/// left behind, and an older file of that name stays as it was.
///
/// # Errors
/// If the folder does not exist or cannot be written, the disk is full, or `write` fails.
pub fn write_atomically(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<()> {
    let path = path.as_ref();
    let mut file = BufWriter::new(temporary_file(path)?);
    write(&mut file).map_err(|error| cannot_write(path, error))?;
    persist(file, path)
}

/// Refuses to write a file over one that exists. `-` is standard output.
///
/// # Errors
/// If there is something of this name.
pub fn refuse_existing(path: &Path) -> Result<()> {
    if path.as_os_str() != "-" && path.exists() {
        return Err(Error::config(format!("{}: exists already", path.display()))
            .help("give another name, or --overwrite to replace it"));
    }
    Ok(())
}

pub(crate) fn persist(file: BufWriter<NamedTempFile>, path: &Path) -> Result<()> {
    let file = file.into_inner().map_err(|error| cannot_write(path, error.into_error()))?;
    file.as_file().sync_all().map_err(|error| cannot_write(path, error))?;
    file.persist(path).map(|_| ()).map_err(|error| cannot_write(path, error.error))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

pub(crate) fn temporary_file(path: &Path) -> Result<NamedTempFile> {
    let Some(name) = path.file_name().filter(|_| !path.is_dir()) else {
        return Err(Error::config(format!("{}: is a folder, expected the name of a file", path.display())));
    };
    let prefix = format!(".{}.partial-", name.to_string_lossy());
    let mut builder = Builder::new();
    builder.prefix(&prefix);
    #[cfg(unix)]
    let builder = builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(parent(path)).map_err(|error| cannot_write(path, error))
}

/// The error of a path that cannot be written.
pub(crate) fn cannot_write(path: &Path, error: std::io::Error) -> Error {
    let folder = parent(path).display();
    let (reason, help) = match error.kind() {
        std::io::ErrorKind::NotFound => (format!("the folder {folder} does not exist"), "create it first"),
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => (
            format!("the folder {folder} may not be written"),
            "choose another place, or change its permissions",
        ),
        std::io::ErrorKind::NotADirectory => (format!("{folder} is no folder"), "choose another place"),
        kind if is_full(kind, &error) => {
            ("the disk is full".to_owned(), "free some space, or choose another place")
        }
        _ => (error.to_string(), "choose another place"),
    };
    Error::failed(format!("{}: cannot be written: {reason}", path.display())).help(help).because(error)
}

/// Whether there is no space left; the Parquet writer wraps the system's error in words of its own.
fn is_full(kind: std::io::ErrorKind, error: &std::io::Error) -> bool {
    matches!(kind, std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
        || error.to_string().contains("(os error 28)")
}

/// The folder of a run: files go into `NAME.partial-XXXX`, which becomes `NAME` when [`RunFolder::finish`] is called and
/// is removed if it never is.
#[derive(Debug)]
pub struct RunFolder {
    target: PathBuf,
    partial: TempDir,
}

impl RunFolder {
    /// Makes the temporary folder.
    ///
    /// # Errors
    /// If the target exists and is not empty, or its parent folder cannot be written.
    pub fn create(target: impl AsRef<Path>) -> Result<Self> {
        let target = target.as_ref();
        refuse_occupied(target)?;
        let Some(name) = target.file_name() else {
            return Err(Error::config(format!("{}: expected the name of a folder", target.display())));
        };
        let above = parent(target);
        fs::create_dir_all(above).map_err(|error| cannot_write(target, error))?;
        let prefix = format!("{}.partial-", name.to_string_lossy());
        let mut builder = Builder::new();
        builder.prefix(&prefix);
        #[cfg(unix)]
        let builder = builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        let partial = builder.tempdir_in(above).map_err(|error| cannot_write(target, error))?;
        Ok(Self { target: target.to_owned(), partial })
    }

    /// The place of a file of the run while it is written.
    pub fn path(&self, name: &str) -> PathBuf {
        self.partial.path().join(name)
    }

    /// Writes a file of the run.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        write_atomically(self.path(name), |file| file.write_all(bytes))
    }

    /// Writes predictions into a file of the run; see [`write_predictions`].
    ///
    /// # Errors
    /// As [`write_predictions`].
    pub fn write_predictions(
        &self,
        name: &str,
        columns: &PredictionColumns,
        cell_lines: &[String],
        drugs: &[String],
    ) -> Result<()> {
        write_predictions(self.path(name), columns, cell_lines, drugs)
    }

    /// Gives the folder its final name.
    ///
    /// # Errors
    /// If the target has come into being meanwhile, or the folder cannot be renamed.
    pub fn finish(self) -> Result<PathBuf> {
        refuse_occupied(&self.target)?;
        if self.target.is_dir() {
            fs::remove_dir(&self.target).map_err(|error| cannot_write(&self.target, error))?;
        }
        fs::rename(self.partial.path(), &self.target).map_err(|error| cannot_write(&self.target, error))?;
        // Nothing is left under the temporary name; the guard must not look for it.
        let _ = self.partial.keep();
        Ok(self.target)
    }
}

fn refuse_occupied(target: &Path) -> Result<()> {
    if target.is_file() {
        return Err(Error::config(format!("{}: is a file, expected a folder to create", target.display()))
            .help("give another name"));
    }
    let occupied = fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        return Err(Error::config(format!("{}: the folder exists and is not empty", target.display()))
            .help("give another name, or remove it first"));
    }
    Ok(())
}
