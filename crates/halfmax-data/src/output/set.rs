//! Several files of one command, which get their names together.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use halfmax_core::Result;
use tempfile::NamedTempFile;

use super::lock::hidden;
use super::{cannot_write, followed, parent, sync_folder};

/// Files that are complete under temporary names. They get their names when the last is complete; a process that is killed meanwhile leaves none of them, once the
/// next one has begun.
#[derive(Debug)]
pub struct OutputSet {
    main: PathBuf,
    files: Mutex<Vec<(NamedTempFile, PathBuf)>>,
}

impl OutputSet {
    /// The files of a command whose main output is `main`, of which its process holds the lock.
    pub fn of(main: &Path) -> Self {
        Self { main: main.to_owned(), files: Mutex::new(Vec::new()) }
    }

    /// Writes a file of the set.
    ///
    /// # Errors
    /// If its folder does not exist or cannot be written, the disk is full, or `write` fails.
    pub fn write(
        &self,
        path: &Path,
        write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<()> {
        self.add(super::complete(path, write)?, path);
        Ok(())
    }

    /// Adds a file that is complete.
    pub(crate) fn add(&self, file: NamedTempFile, path: &Path) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).push((file, path.to_owned()));
    }

    /// Gives the files their names.
    ///
    /// # Errors
    /// If one cannot be renamed: then none has its name.
    pub fn finish(self) -> Result<()> {
        let files = self.files.into_inner().unwrap_or_else(PoisonError::into_inner);
        let journal = journal_of(&self.main).filter(|_| files.len() > 1);
        if let Some(journal) = &journal {
            write_journal(journal, &files).map_err(|error| cannot_write(&self.main, error))?;
        }
        let mut named: Vec<PathBuf> = Vec::new();
        for (file, path) in files {
            let place = followed(&path);
            if let Err(error) = file.persist(&place) {
                // Those that replaced a file cannot bring it back; all are gone, not some.
                named.iter().for_each(|path| drop(fs::remove_file(path)));
                journal.iter().for_each(|journal| drop(fs::remove_file(journal)));
                return Err(cannot_write(&path, error.error));
            }
            named.push(place);
        }
        named.iter().for_each(|path| sync_folder(parent(path)));
        journal.iter().for_each(|journal| drop(fs::remove_file(journal)));
        Ok(())
    }
}

/// Where it stands which files get their names: `.NAME.set` beside the main output.
fn journal_of(main: &Path) -> Option<PathBuf> {
    let name = main.file_name().filter(|_| main.as_os_str() != "-")?;
    Some(parent(main).join(hidden(name, ".set")))
}

/// Writes the temporary and the final name of each file. Without a name that is not UTF-8: such files may be left.
fn write_journal(journal: &Path, files: &[(NamedTempFile, PathBuf)]) -> std::io::Result<()> {
    let names = files.iter().filter_map(|(file, path)| {
        let absolute = std::path::absolute(followed(path)).ok()?;
        let temporary = std::path::absolute(file.path()).ok()?;
        Some(format!("{}\0{}\0", temporary.to_str()?, absolute.to_str()?))
    });
    let text: String = names.collect();
    let mut file = fs::File::create(journal)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    sync_folder(parent(journal));
    Ok(())
}

/// Removes the files of a set that did not get all their names. Returns those that were removed.
pub(super) fn undo_interrupted(main: &Path) -> Vec<PathBuf> {
    let Some(journal) = journal_of(main) else { return Vec::new() };
    let Ok(text) = fs::read_to_string(&journal) else { return Vec::new() };
    let names: Vec<&str> = text.split_terminator('\0').collect();
    let pairs = names.chunks_exact(2).map(|pair| (Path::new(pair[0]), Path::new(pair[1])));
    let mut removed = Vec::new();
    for (temporary, path) in pairs {
        // A file whose temporary name is gone has its final one.
        let left = if temporary.exists() { temporary } else { path };
        if left.is_file() && fs::remove_file(left).is_ok() {
            removed.push(left.to_owned());
        }
    }
    let _ = fs::remove_file(journal);
    removed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::OutputLock;

    #[test]
    fn files_get_their_names_together() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["a.csv", "b.csv"].map(|name| folder.path().join(name));
        let set = OutputSet::of(&a);
        set.write(&a, |file| file.write_all(b"1")).unwrap();
        set.write(&b, |file| file.write_all(b"2")).unwrap();
        assert!(!a.exists() && !b.exists());
        set.finish().unwrap();
        assert_eq!((fs::read(&a).unwrap(), fs::read(&b).unwrap()), (b"1".to_vec(), b"2".to_vec()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_set_that_was_interrupted_is_undone() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b, old] = ["a.csv", "b.csv", "old.csv"].map(|name| folder.path().join(name));
        fs::write(&old, "old").unwrap();
        let set = OutputSet::of(&a);
        for path in [&a, &b, &old] {
            set.write(path, |file| file.write_all(b"new")).unwrap();
        }
        // As if the process was killed behind the first name.
        let mut files = set.files.into_inner().unwrap();
        write_journal(&journal_of(&a).unwrap(), &files).unwrap();
        let (first, path) = files.remove(0);
        first.persist(path).unwrap();
        let kept: Vec<_> = files.into_iter().map(|(file, _)| file.keep().unwrap()).collect();
        let lock = OutputLock::take(&a).unwrap();
        assert_eq!(lock.removed().len(), 1 + kept.len(), "{:?}", lock.removed());
        drop(lock);
        assert_eq!(fs::read_to_string(&old).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
