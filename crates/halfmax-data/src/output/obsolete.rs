//! Files that are kept until an output is complete and then become useless.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::lock::hidden;
use super::names::{path_of, terminated};
use super::{parent, temporary_folder};

const HEADER: &[u8] = b"halfmax-done-1\0";
const END: &[u8] = b"end\0";

/// The ending of the hidden name of an output's note.
pub(super) const DONE: &str = ".done";

/// Files and folders that are removed when an output gets its final name. If the process is killed in between, the next
/// process removes them.
#[derive(Debug)]
pub struct Obsolete {
    output: PathBuf,
    paths: Vec<PathBuf>,
}

impl Obsolete {
    /// Notes the paths that become useless. `complete` is the output under its temporary name.
    pub fn note(output: &Path, complete: &Path, paths: Vec<PathBuf>) -> Self {
        let obsolete = Self { output: output.to_owned(), paths };
        if obsolete.paths.is_empty() {
            return obsolete;
        }
        let mut bytes = HEADER.to_vec();
        bytes.extend(terminated(marks_of(complete).unwrap_or_default().as_ref()));
        let absolute = obsolete.paths.iter().filter_map(|path| std::path::absolute(path).ok());
        absolute.for_each(|path| bytes.extend(terminated(&path)));
        bytes.extend(END);
        // Without the note, this process still removes the paths, unless it is killed.
        let _ = fs::write(note_of(output), bytes);
        obsolete
    }

    /// Removes the paths, because the output has its final name.
    pub fn remove(self) {
        let gone = self.paths.iter().filter(|path| removed(path).is_some()).count();
        // The next command tries again to remove the rest.
        if gone == self.paths.len() {
            self.keep();
        }
    }

    /// Removes the note: the output did not get its name, or the paths are gone.
    pub fn keep(self) {
        if !self.paths.is_empty() {
            let _ = fs::remove_file(note_of(&self.output));
        }
    }
}

/// Removes the paths that a killed process had noted, if the output is the output of that process. Returns the removed
/// paths.
pub(super) fn remove_noted(output: &Path) -> Vec<PathBuf> {
    let note = note_of(output);
    let Ok(bytes) = fs::read(&note) else { return Vec::new() };
    if !is_note(&bytes) {
        return Vec::new();
    }
    let names = bytes.strip_prefix(HEADER).and_then(|names| names.strip_suffix(END)).unwrap_or_default();
    let mut names = names.split(|byte| *byte == 0).map(path_of);
    let marks = names.next().unwrap_or_default();
    let is_complete = marks_of(output).is_some_and(|own| Path::new(&own) == marks);
    let paths = names.filter(|path| is_complete && !path.as_os_str().is_empty());
    let gone = paths.filter_map(|path| removed(&path)).collect();
    let _ = fs::remove_file(note);
    gone
}

/// Whether a file is a note or the beginning of a note.
pub(super) fn is_note(bytes: &[u8]) -> bool {
    bytes.starts_with(HEADER) || (!bytes.is_empty() && HEADER.starts_with(bytes))
}

fn note_of(output: &Path) -> PathBuf {
    parent(output).join(hidden(output.file_name().unwrap_or_default(), DONE))
}

/// Marks that identify an output and survive a rename: the size and modification time of a file; for a folder, that it
/// is not empty.
fn marks_of(output: &Path) -> Option<String> {
    if output.is_dir() {
        return fs::read_dir(output).ok()?.next().map(|_| "folder".to_owned());
    }
    let facts = fs::metadata(output).ok()?;
    let written = facts.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {}", facts.len(), written.as_nanos()))
}

/// Removes a file or a folder. A folder is renamed first if possible, so that no part of it is left under its name.
fn removed(path: &Path) -> Option<PathBuf> {
    let gone = if path.is_dir() {
        let away = temporary_folder(path, parent(path)).ok();
        away.is_some_and(|away| fs::rename(path, away.path()).is_ok()) || fs::remove_dir_all(path).is_ok()
    } else {
        fs::remove_file(path).is_ok()
    };
    gone.then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::OutputLock;

    /// A folder with an output under a temporary name, and paths that become useless.
    fn prepared() -> (tempfile::TempDir, [PathBuf; 4]) {
        let folder = tempfile::tempdir().unwrap();
        let places =
            ["out", "temporary", "out.unfinished", "out.trials"].map(|name| folder.path().join(name));
        fs::write(&places[1], "new").unwrap();
        fs::create_dir(&places[2]).unwrap();
        fs::write(places[2].join("piece"), "piece").unwrap();
        fs::write(&places[3], "trials").unwrap();
        (folder, places)
    }

    fn count(folder: &tempfile::TempDir) -> usize {
        fs::read_dir(folder.path()).unwrap().count()
    }

    #[test]
    fn what_is_of_no_use_is_removed() {
        let (folder, [out, temporary, pieces, trials]) = prepared();
        let obsolete = Obsolete::note(&out, &temporary, vec![pieces, trials]);
        fs::rename(temporary, out).unwrap();
        obsolete.remove();
        assert_eq!(count(&folder), 1);
    }

    #[test]
    fn a_process_that_was_killed_leaves_it_to_the_next() {
        let (folder, [out, temporary, pieces, trials]) = prepared();
        Obsolete::note(&out, &temporary, vec![pieces.clone(), trials.clone()]);
        // Killed before the output got its name: an older output exists.
        fs::write(&out, "an older one").unwrap();
        assert!(OutputLock::take(&out).unwrap().removed().is_empty());
        assert!(pieces.is_dir() && trials.is_file());
        Obsolete::note(&out, &temporary, vec![pieces.clone(), trials.clone()]);
        fs::rename(temporary, &out).unwrap();
        // Killed after that.
        assert_eq!(OutputLock::take(&out).unwrap().removed(), [pieces, trials]);
        assert_eq!(count(&folder), 1);
    }
}
