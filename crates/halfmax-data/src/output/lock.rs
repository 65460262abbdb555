//! Locks: only one process at a time writes an output. It removes the remains of killed processes.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use halfmax_core::{Error, Result};

use super::names::{is_journal, undo_interrupted};
use super::obsolete::{DONE, is_note, remove_noted};
use super::set::journal_of;
use super::{cannot_write, parent};

/// Prevents other processes from writing an output, as long as it lives: a locked file `.NAME.lock` beside the output.
#[derive(Debug)]
pub struct OutputLock {
    /// `None` if the file system does not support locks.
    held: Option<(File, PathBuf)>,
    removed: Vec<PathBuf>,
}

impl OutputLock {
    /// Takes the lock of an output, and removes the remains of a killed process. Standard output (`-`) has no lock.
    ///
    /// # Errors
    /// If another process holds the lock (the error names the process), or the folder cannot be written.
    pub fn take(output: &Path) -> Result<Self> {
        let name = output.file_name().filter(|_| output.as_os_str() != "-");
        let Some(name) = name else { return Ok(Self { held: None, removed: Vec::new() }) };
        let path = parent(output).join(hidden(name, LOCK));
        let held = loop {
            let mut options = OpenOptions::new();
            let mut file = options
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(|error| cannot_write(output, error))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(taken(output, &mut file)),
                Err(TryLockError::Error(_)) => {
                    let _ = fs::remove_file(&path);
                    break None;
                }
            }
            // The previous holder may have removed the file before we locked it.
            if is_still(&file, &path) {
                say_who(&mut file);
                break Some((file, path));
            }
        };
        let mut removed = undo_interrupted(&journal_of(output));
        removed.extend(remove_partial(parent(output), name));
        removed.extend(remove_noted(output));
        if output.is_dir() {
            // If nothing can be renamed onto a folder, it is filled from inside.
            removed.extend(undo_interrupted(&journal_of(&output.join(name))));
            removed.extend(remove_partial(output, name));
        }
        Ok(Self { held, removed })
    }

    /// The remains of a killed process that were removed.
    pub fn removed(&self) -> &[PathBuf] {
        &self.removed
    }
}

impl Drop for OutputLock {
    fn drop(&mut self) {
        if let Some((_, path)) = &self.held {
            // A remaining file does no harm, because it is not locked.
            let _ = fs::remove_file(path);
        }
    }
}

/// A hidden name that belongs to an output: `.NAME.lock`.
pub(super) fn hidden(name: &OsStr, ending: &str) -> OsString {
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(ending);
    hidden
}

#[cfg(unix)]
fn is_still(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let same = |own: fs::Metadata, named: fs::Metadata| (own.dev(), own.ino()) == (named.dev(), named.ino());
    file.metadata().ok().zip(fs::metadata(path).ok()).is_some_and(|(own, named)| same(own, named))
}

#[cfg(not(unix))]
fn is_still(_: &File, path: &Path) -> bool {
    path.exists()
}

/// Writes the holder of a lock: the process and the seconds since 1970. If this fails, the lock is still valid.
fn say_who(file: &mut File) {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let _ = file.set_len(0);
    let _ = write!(file, "{} {seconds}", std::process::id());
}

fn taken(output: &Path, file: &mut File) -> Error {
    let mut text = String::new();
    let _ = file.rewind();
    let _ = file.take(64).read_to_string(&mut text);
    let mut words = text.split(' ').map(|word| word.parse::<u64>().ok());
    let who = match (words.next().flatten(), words.next().flatten()) {
        (Some(process), Some(seconds)) => format!("process {process}, since {}", clock(seconds)),
        _ => "just started".to_owned(),
    };
    Error::failed(format!("{}: another halfmax process is writing it ({who})", output.display()))
        .with_help("wait until it ends, or choose another name")
}

/// The date and time when a process began: `2026-11-27 02:53:10 UTC`.
fn clock(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Hinnant's civil_from_days, for days since 1970.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let place = (5 * of_year + 2) / 153;
    let day = of_year - (153 * place + 2) / 5 + 1;
    let month = if place < 10 { place + 3 } else { place - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Letters of a temporary name.
const LETTERS: usize = 6;

/// Removes the temporary files and folders of an output. The lock shows that no other process writes it, so they belong
/// to a killed process.
fn remove_partial(folder: &Path, name: &OsStr) -> Vec<PathBuf> {
    let mut plain = OsString::from(name);
    plain.push(PARTIAL);
    let prefixes = [hidden(name, PARTIAL), plain];
    let is_partial = |name: &OsStr| {
        prefixes.iter().any(|prefix| {
            let rest = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
            rest.is_some_and(|rest| rest.len() == LETTERS && rest.iter().all(u8::is_ascii_alphanumeric))
        })
    };
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let left = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let left = left.filter(|path| path.file_name().is_some_and(is_partial));
    left.filter(|path| if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.is_ok())
        .collect()
}

/// Removes the remains of killed commands in a folder (not in its subfolders): temporary files and folders, unused
/// locks, incomplete sets of files. Returns the removed paths, and the outputs that other processes are writing.
///
/// # Errors
/// If the folder cannot be read.
pub fn remove_leftovers(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let unreadable = |error: std::io::Error| {
        Error::data(format!("{}: cannot be read: {error}", folder.display())).with_source(error)
    };
    let mut outputs: Vec<OsString> = Vec::new();
    let mut locks = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let Some((name, is_lock)) = path.file_name().and_then(|name| output_of(name, &path)) else {
            continue;
        };
        if is_lock {
            locks.push(path);
        }
        if !outputs.contains(&name) {
            outputs.push(name);
        }
    }
    let (mut removed, mut held) = (Vec::new(), Vec::new());
    let own = folder.canonicalize().map_err(unreadable)?;
    // Temporary files with the folder's own name belong to a command that fills the folder.
    let of_folder = |name: &OsString| own.file_name() == Some(name.as_os_str());
    let place = |name| if of_folder(name) { own.clone() } else { folder.join(name) };
    for output in outputs.iter().map(place) {
        match OutputLock::take(&output) {
            Ok(lock) => removed.extend(lock.removed().iter().cloned()),
            Err(_) => held.push(output),
        }
    }
    // Our lock disappeared together with its output.
    removed.extend(locks.into_iter().filter(|path| !path.exists()));
    removed.sort_unstable();
    Ok((removed, held))
}

/// The output to which a leftover belongs, and whether the leftover is its lock; `None` for other files.
fn output_of(name: &OsStr, path: &Path) -> Option<(OsString, bool)> {
    // If a name is not valid text, the next command of its output removes the file.
    let text = name.to_str()?;
    let plain = text.strip_prefix('.').unwrap_or(text);
    if let Some((output, letters)) = plain.rsplit_once(PARTIAL) {
        let is_ours = letters.len() == LETTERS && letters.bytes().all(|byte| byte.is_ascii_alphanumeric());
        return is_ours.then(|| (output.into(), false));
    }
    let hidden = text.strip_prefix('.')?;
    let held = |output: &str| -> Option<String> {
        let content = fs::read_to_string(path).ok().filter(|content| content.len() <= 64)?;
        let (process, seconds) = content.split_once(' ')?;
        let is_ours = process.parse::<u32>().is_ok() && seconds.parse::<u64>().is_ok();
        is_ours.then(|| output.to_owned())
    };
    let is = |what: fn(&[u8]) -> bool| fs::read(path).is_ok_and(|bytes| what(&bytes));
    let of_set = hidden.strip_suffix(".set").filter(|_| is(is_journal));
    let of_note = hidden.strip_suffix(DONE).filter(|_| is(is_note));
    match (hidden.strip_suffix(LOCK), of_set.or(of_note)) {
        (Some(output), _) => Some((held(output)?.into(), true)),
        (_, Some(output)) => Some((output.into(), false)),
        _ => None,
    }
}

/// The part of a temporary name before its six random letters.
pub(super) const PARTIAL: &str = ".partial-";
/// The ending of a lock's hidden name.
pub(super) const LOCK: &str = ".lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        assert_eq!(clock(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(clock(951_827_696), "2000-02-29 12:34:56 UTC");
        assert_eq!(clock(1_795_748_390), "2026-11-27 02:59:50 UTC");
    }

    #[test]
    fn one_process_holds_an_output_and_leftovers_go() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out.csv");
        for name in [".out.csv.partial-Ab12Cd", "out.csv.partial-x", ".out.csv.partial-results", "other.csv"]
        {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        fs::create_dir(folder.path().join("out.csv.partial-Zz99zz")).unwrap();
        let lock = OutputLock::take(&output).unwrap();
        assert_eq!(lock.removed().len(), 2, "{:?}", lock.removed());
        let error = OutputLock::take(&output).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        assert!(OutputLock::take(&folder.path().join("other.csv")).is_ok());
        drop(lock);
        let mut names: Vec<String> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(names, [".out.csv.partial-results", "other.csv", "out.csv.partial-x"]);
        assert!(OutputLock::take(&output).is_ok());
    }

    #[test]
    fn what_killed_commands_left_is_removed_from_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        for (name, content) in [
            (".a.csv.partial-Ab12Cd", "x"),
            ("run.partial-Zz99zz", "x"),
            (".b.csv.lock", "4711 951827696"),
            (".held.csv.partial-Ab12Cd", "x"),
            (".package.lock", "another program's"),
            (".list.set", "another program's"),
            ("a.csv.partial-results", "x"),
            ("a.csv", "x"),
        ] {
            fs::write(place(name), content).unwrap();
        }
        let held = OutputLock::take(&place("other.csv")).unwrap();
        fs::write(place(".other.csv.partial-Ab12Cd"), "x").unwrap();
        let (removed, writing) = remove_leftovers(folder.path()).unwrap();
        let names =
            [".a.csv.partial-Ab12Cd", ".b.csv.lock", ".held.csv.partial-Ab12Cd", "run.partial-Zz99zz"];
        assert_eq!(removed, names.map(place));
        assert_eq!(writing, [place("other.csv")]);
        drop(held);
        assert!(
            ["a.csv", ".package.lock", ".list.set", "a.csv.partial-results"]
                .map(place)
                .iter()
                .all(|p| p.is_file())
        );
        assert!(remove_leftovers(&place("nowhere")).is_err());
    }
}
