//! Several output files of one command that get their names together.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use halfmax_core::Result;
use tempfile::{NamedTempFile, TempDir};

use super::lock::hidden;
use super::names::{Move, give_names};
use super::{cannot_write, followed, parent, temporary_folder};

/// Files and folders that are complete under temporary names. They get their names when all are complete. If the
/// process is killed before that, the next process removes all of them.
#[derive(Debug)]
pub struct OutputSet {
    main: PathBuf,
    files: Mutex<Vec<(NamedTempFile, PathBuf)>>,
    folders: Mutex<Vec<Folder>>,
}

/// A folder of a set.
#[derive(Debug)]
struct Folder {
    meanwhile: TempDir,
    place: PathBuf,
    /// Whether the folder existed before. Its files then get their names one by one.
    was_there: bool,
}

impl OutputSet {
    /// The files of a command whose main output is `main`. The process holds the locks of all files.
    pub fn of(main: &Path) -> Self {
        Self { main: main.to_owned(), files: Mutex::default(), folders: Mutex::default() }
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

    /// Adds a complete file.
    pub(crate) fn add(&self, file: NamedTempFile, path: &Path) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).push((file, path.to_owned()));
    }

    /// Makes a folder of the set. Returns the temporary folder for its files. If the folder exists, its files with
    /// other names stay.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn folder(&self, path: &Path) -> Result<PathBuf> {
        let place = followed(path);
        let was_there = place.is_dir();
        // An existing folder may be a mount point, and nothing can be renamed onto a mount point.
        let within = if was_there { &place } else { parent(&place) };
        fs::create_dir_all(within).map_err(|error| cannot_write(path, error))?;
        let meanwhile = temporary_folder(&place, within)?;
        let files = meanwhile.path().to_owned();
        let folder = Folder { meanwhile, place, was_there };
        self.folders.lock().unwrap_or_else(PoisonError::into_inner).push(folder);
        Ok(files)
    }

    /// Gives the files their names.
    ///
    /// # Errors
    /// If a file cannot be renamed. Then no file has its final name.
    pub fn finish(self) -> Result<()> {
        let files = self.files.into_inner().unwrap_or_else(PoisonError::into_inner);
        let folders = self.folders.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut moves = Vec::new();
        for Folder { meanwhile, place, was_there } in &folders {
            if !was_there {
                moves.push(Move { from: meanwhile.path().to_owned(), to: place.clone() });
                continue;
            }
            for entry in fs::read_dir(meanwhile.path()).map_err(|error| cannot_write(place, error))? {
                let entry = entry.map_err(|error| cannot_write(place, error))?;
                moves.push(Move { from: entry.path(), to: place.join(entry.file_name()) });
            }
        }
        // From here on, their guards no longer remove them.
        let mut kept = Vec::new();
        for (file, path) in files {
            let from = file.path().to_owned();
            let (_, file) = file.keep().map_err(|error| cannot_write(&path, error.error))?;
            moves.push(Move { from, to: followed(&path) });
            kept.push(file);
        }
        let first = moves.iter().map(|one| &one.to).next_back();
        let main = if self.main.as_os_str() == "-" { first.unwrap_or(&self.main) } else { &self.main };
        give_names(&journal_of(main), &moves).map_err(|(place, error)| {
            kept.iter().for_each(|file| drop(fs::remove_file(file)));
            cannot_write(&place, error)
        })?;
        // Renamed folders need no guard; emptied folders are removed.
        folders.into_iter().filter(|one| !one.was_there).for_each(|one| drop(one.meanwhile.keep()));
        Ok(())
    }
}

/// The path of the journal: `.NAME.set` beside the main output.
pub(super) fn journal_of(main: &Path) -> PathBuf {
    parent(main).join(hidden(main.file_name().unwrap_or_default(), ".set"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders_get_their_names_together() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let names = || {
            let entries = fs::read_dir(folder.path()).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
        };
        fs::create_dir(place("there")).unwrap();
        fs::write(place("there/1.svg"), "old").unwrap();
        fs::write(place("there/other"), "stays").unwrap();
        let set = OutputSet::of(&place("a.csv"));
        set.write(&place("a.csv"), |file| file.write_all(b"1")).unwrap();
        set.write(&place("b.csv"), |file| file.write_all(b"2")).unwrap();
        for name in ["new", "there"] {
            fs::write(set.folder(&place(name)).unwrap().join("1.svg"), name).unwrap();
        }
        assert!(["a.csv", "b.csv", "new"].iter().all(|name| !place(name).exists()));
        set.finish().unwrap();
        let read = |name: &str| fs::read_to_string(place(name)).unwrap();
        assert_eq!(
            ["a.csv", "b.csv", "new/1.svg", "there/1.svg", "there/other"].map(read),
            ["1", "2", "new", "there", "stays"]
        );
        assert_eq!((names().len(), fs::read_dir(place("there")).unwrap().count()), (4, 2));
    }

    #[test]
    fn a_set_of_nothing_writes_nothing() {
        // This happens if a table goes to standard output: the folder need not be writable.
        assert!(OutputSet::of(Path::new("/nowhere/at/all")).finish().is_ok());
    }

    #[test]
    fn a_set_that_is_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let set = OutputSet::of(&folder.path().join("a"));
        set.write(&folder.path().join("a"), |file| file.write_all(b"1")).unwrap();
        fs::write(set.folder(&folder.path().join("d")).unwrap().join("1"), "1").unwrap();
        drop(set);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
