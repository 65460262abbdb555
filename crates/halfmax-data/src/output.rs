//! Atomic output: files are written under a temporary name and renamed when complete.

mod lock;
mod names;
mod obsolete;
mod set;

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use halfmax_core::{Error, Result};
use tempfile::{Builder, NamedTempFile, TempDir};

use self::lock::{LOCK, PARTIAL};
pub use self::lock::{OutputLock, remove_leftovers};
use self::names::{Move, give_names};
pub use self::obsolete::Obsolete;
pub use self::set::OutputSet;

/// Writes a file under a temporary name in the same folder and renames it once complete. If writing fails, nothing is
/// left behind, and an older file of that name stays unchanged.
///
/// # Errors
/// If the folder does not exist or cannot be written, the disk is full, or `write` fails.
pub fn write_atomically(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<()> {
    let path = path.as_ref();
    let file = complete(path, write)?;
    named(file, path)
}

/// As [`write_atomically`], for a file that is kept beside an output until the output is complete. The temporary file
/// is named as a temporary file of the output, so the next holder of the output's lock removes it.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_beside(
    output: &Path,
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<()> {
    let mut file = BufWriter::new(temporary_file_of(output, path)?);
    write(&mut file).map_err(|error| cannot_write(path, error))?;
    named(completed(file, path)?, path)
}

/// Writes a file in a folder that still has its temporary name, and syncs the bytes to the disk.
///
/// # Errors
/// If it cannot be written.
pub fn write_meanwhile(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = fs::File::create(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| cannot_write(path, error))
}

/// A file that is complete under a temporary name.
fn complete(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<NamedTempFile> {
    let mut file = BufWriter::new(temporary_file(path)?);
    write(&mut file).map_err(|error| cannot_write(path, error))?;
    completed(file, path)
}

/// Refuses to write a file over one that exists. `-` is standard output.
///
/// # Errors
/// If a file or folder has this name.
pub fn refuse_existing(path: &Path) -> Result<()> {
    if path.as_os_str() != "-" && path.exists() {
        return Err(Error::config(format!("{}: already exists", path.display()))
            .with_help("choose another name, or remove it (`--overwrite` replaces it)"));
    }
    Ok(())
}

/// Syncs all bytes of a file to the disk.
pub(crate) fn completed(file: BufWriter<NamedTempFile>, path: &Path) -> Result<NamedTempFile> {
    let file = file.into_inner().map_err(|error| cannot_write(path, error.into_error()))?;
    file.as_file().sync_all().map_err(|error| cannot_write(path, error))?;
    Ok(file)
}

/// Gives a complete file its final name.
pub(crate) fn named(file: NamedTempFile, path: &Path) -> Result<()> {
    let place = followed(path);
    file.persist(&place).map_err(|error| cannot_write(path, error.error))?;
    sync_folder(parent(&place));
    Ok(())
}

/// Syncs the names of a folder to the disk. If the file system cannot do that, only a power failure could lose data.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = fs::File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// The file that a path refers to. Links are followed, even to a file that does not exist yet.
pub fn followed(path: &Path) -> PathBuf {
    let mut place = path.to_owned();
    // More links than this form a circle, which cannot be written.
    for _ in 0..40 {
        let Ok(to) = fs::read_link(&place) else { break };
        place = parent(&place).join(to);
    }
    place
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

pub(crate) fn temporary_file(path: &Path) -> Result<NamedTempFile> {
    temporary_file_of(path, path)
}

/// A temporary file for `path`, named as a temporary file of `output`.
fn temporary_file_of(output: &Path, path: &Path) -> Result<NamedTempFile> {
    let place = followed(path);
    if path.is_dir() || place.file_name().is_none() {
        return Err(Error::config(format!("{}: is a folder, expected the name of a file", path.display())));
    }
    let prefix = lock::hidden(followed(output).file_name().unwrap_or_default(), PARTIAL);
    let mut builder = Builder::new();
    builder.prefix(&prefix);
    #[cfg(unix)]
    let builder = builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(parent(&place)).map_err(|error| cannot_write(path, error))
}

/// A temporary folder for `target`, in the folder `within`.
fn temporary_folder(target: &Path, within: &Path) -> Result<TempDir> {
    let mut prefix = target.file_name().unwrap_or_default().to_owned();
    prefix.push(PARTIAL);
    let mut builder = Builder::new();
    builder.prefix(&prefix);
    #[cfg(unix)]
    let builder = builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    builder.tempdir_in(within).map_err(|error| cannot_write(target, error))
}

/// The error for a path that cannot be written.
pub(crate) fn cannot_write(path: &Path, error: std::io::Error) -> Error {
    if path.as_os_str() == "-" {
        return Error::standard_output(error);
    }
    let folder = parent(path).display();
    let (reason, help) = match error.kind() {
        std::io::ErrorKind::NotFound => (format!("the folder {folder} does not exist"), "create it first"),
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => (
            format!("the folder {folder} is write-protected"),
            "choose another place, or change its permissions",
        ),
        std::io::ErrorKind::NotADirectory => (format!("{folder} is not a folder"), "choose another place"),
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            ("the disk is full".to_owned(), "free some space, or choose another place")
        }
        _ => (error.to_string(), "choose another place"),
    };
    Error::failed(format!("{}: cannot be written: {reason}", path.display()))
        .with_help(help)
        .with_source(error)
}

/// The folder of a run: files go into `NAME.partial-XXXX`, which [`RunFolder::finish`] renames to `NAME`. Without that
/// call, the temporary folder is removed. Only one process at a time can make a folder of one name.
#[derive(Debug)]
pub struct RunFolder {
    target: PathBuf,
    partial: TempDir,
    /// Whether the temporary folder is inside the target. This is so if the target cannot be replaced: a mount point,
    /// or a folder inside a write-protected folder.
    inside: bool,
    lock: OutputLock,
}

impl RunFolder {
    /// Makes the temporary folder that later becomes the target. An empty target folder is replaced, or filled at the
    /// end if it cannot be replaced. Links are followed.
    ///
    /// # Errors
    /// If the target exists and is not empty, another process is making it, or its parent folder cannot be written.
    pub fn create(target: impl AsRef<Path>) -> Result<Self> {
        // Drops the dots of "run/." and "./run".
        let named: PathBuf = target.as_ref().components().collect();
        let target = followed(&named);
        refuse_file(&target, &named)?;
        let Some(name) = target.file_name() else {
            return Err(Error::config(format!("{}: expected the name of a folder", target.display())));
        };
        let above = parent(&target);
        fs::create_dir_all(above).map_err(|error| cannot_write(&target, error))?;
        let exists = target.is_dir();
        let lock = match OutputLock::take(&target) {
            // If nothing can be written beside the folder, the lock is inside.
            Err(_) if exists && !is_writable(above) => OutputLock::take(&target.join(name))?,
            taken => taken?,
        };
        refuse_occupied(&target, &named)?;
        let beside = || temporary_folder(&target, above);
        let partial = match exists {
            false => Some(beside()?),
            // Try to rename an empty folder to the target, as the run will be renamed.
            true => beside().ok().filter(|trial| {
                fs::rename(trial.path(), &target).is_ok() && fs::create_dir(trial.path()).is_ok()
            }),
        };
        let (partial, inside) = match partial {
            Some(partial) => (partial, false),
            None => (temporary_folder(&target, &target)?, true),
        };
        Ok(Self { target, partial, inside, lock })
    }

    /// The remains of a killed process that were removed.
    pub fn removed(&self) -> &[PathBuf] {
        self.lock.removed()
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
        write_meanwhile(&self.path(name), bytes)
    }

    /// As [`Self::finish`], and removes files that were kept beside the folder until it was complete.
    ///
    /// # Errors
    /// As [`Self::finish`]; then nothing is removed.
    pub fn finish_and_remove(self, paths: Vec<PathBuf>) -> Result<PathBuf> {
        let obsolete = Obsolete::note(&self.target, self.partial.path(), paths);
        let finished = self.finish();
        if finished.is_ok() {
            obsolete.remove()
        } else {
            obsolete.keep()
        }
        finished
    }

    /// Gives the folder its final name.
    ///
    /// # Errors
    /// If the target was created meanwhile, or the folder cannot be renamed. The folder is then kept, and the error
    /// says where.
    pub fn finish(self) -> Result<PathBuf> {
        let finished = match self.inside {
            true => fill(self.partial.path(), &self.target),
            false => replace(self.partial.path(), &self.target),
        };
        let Err(error) = finished else {
            sync_folder(parent(&self.target));
            if !self.inside {
                // Nothing is left under the temporary name, so the guard must not remove it.
                let _ = self.partial.keep();
            }
            return Ok(self.target);
        };
        // Keep it under a name that no later command treats as a leftover.
        let partial = self.partial.keep();
        // Only the folder's own name changes, because a parent folder may be temporary too.
        let name = partial.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let complete = name.rsplit_once(PARTIAL).map(|(name, letters)| format!("{name}.complete-{letters}"));
        let kept = complete.map(|name| partial.with_file_name(name));
        let kept = kept.filter(|kept| fs::rename(&partial, kept).is_ok()).unwrap_or(partial);
        let help = format!("the complete results are in {}: move them where you want them", kept.display());
        Err(Error::failed(error.to_string()).with_help(help).with_source(error))
    }
}

/// Whether files can be made in a folder.
fn is_writable(folder: &Path) -> bool {
    tempfile::tempfile_in(folder).is_ok()
}

/// Moves a folder to a target that is empty or missing.
fn replace(partial: &Path, target: &Path) -> Result<()> {
    refuse_occupied(target, target)?;
    match fs::rename(partial, target) {
        // Not every system can rename onto an empty folder.
        Err(_) if target.is_dir() => fs::remove_dir(target).map_err(|error| cannot_write(target, error))?,
        renamed => return renamed.map_err(|error| cannot_write(target, error)),
    }
    fs::rename(partial, target).map_err(|error| cannot_write(target, error))
}

/// Moves the content of a folder into its parent folder.
fn fill(partial: &Path, target: &Path) -> Result<()> {
    let failed = |error| cannot_write(target, error);
    let mut moves = Vec::new();
    for entry in fs::read_dir(partial).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        moves.push(Move { from: entry.path(), to: target.join(entry.file_name()) });
    }
    give_names(&journal_within(target), &moves).map_err(|(place, error)| cannot_write(&place, error))
}

/// The journal of a folder that is filled.
fn journal_within(target: &Path) -> PathBuf {
    set::journal_of(&target.join(target.file_name().unwrap_or_default()))
}

fn refuse_file(target: &Path, named: &Path) -> Result<()> {
    if target.is_file() {
        return Err(Error::config(format!(
            "{}: this is a file, expected a folder to create",
            named.display()
        ))
        .with_help("choose another name"));
    }
    Ok(())
}

/// Refuses a file, and a folder that holds more than its lock. Errors use the user's name of the folder.
///
/// # Errors
/// If `target` is a file or an occupied folder.
pub fn refuse_occupied(target: &Path, named: &Path) -> Result<()> {
    refuse_file(target, named)?;
    let lock = lock::hidden(target.file_name().unwrap_or_default(), LOCK);
    let occupied = |entry: std::io::Result<fs::DirEntry>| entry.is_ok_and(|entry| entry.file_name() != lock);
    if fs::read_dir(target).is_ok_and(|entries| entries.into_iter().any(occupied)) {
        return Err(Error::config(format!("{}: the folder exists and is not empty", named.display()))
            .with_help("choose another name, or remove the folder first"));
    }
    Ok(())
}
