//! Gives complete files and folders their final names: all of them or none.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, TempPath};

use super::lock::{PARTIAL, hidden};
use super::{parent, sync_folder};

/// The beginning of a journal, which distinguishes it from files of other programs.
const HEADER: &[u8] = b"halfmax-set-1\0";
/// The end of a journal. Without it, the process was killed while writing the journal, and nothing had its final name.
const END: &[u8] = b"end\0";

/// The temporary and the final name of a file or a folder.
#[derive(Debug)]
pub(super) struct Move {
    pub from: PathBuf,
    pub to: PathBuf,
}

/// Gives all of them their names, in order. If this fails, or if the process is killed and [`undo_interrupted`] is
/// called for the journal, none has its final name, and replaced files are restored.
///
/// # Errors
/// If a file cannot be renamed, or the journal cannot be written: the path and the reason. All files then have their
/// temporary names.
pub(super) fn give_names(journal: &Path, moves: &[Move]) -> Result<(), (PathBuf, io::Error)> {
    if moves.is_empty() {
        return Ok(());
    }
    if let [Move { from, to }] = moves {
        rename(from, to).map_err(|error| (to.clone(), error))?;
        sync_folder(parent(to));
        return Ok(());
    }
    // These are removed at the end.
    let replaced: Vec<Option<NamedTempFile<()>>> = moves.iter().map(second_name).collect();
    write_journal(journal, moves, &replaced).map_err(|error| {
        forget(journal);
        (journal.to_owned(), error)
    })?;
    for (at, Move { from, to }) in moves.iter().enumerate() {
        let Err(error) = rename(from, to) else { continue };
        for (Move { from, to }, replaced) in moves.iter().zip(replaced).take(at) {
            let _ = fs::rename(to, from);
            if let Some(replaced) = replaced {
                let _ = replaced.persist(to);
            }
        }
        forget(journal);
        return Err((to.clone(), error));
    }
    let mut folders: Vec<&Path> = moves.iter().map(|one| parent(&one.to)).collect();
    folders.sort_unstable();
    folders.dedup();
    folders.into_iter().for_each(sync_folder);
    forget(journal);
    Ok(())
}

/// Gives a temporary file or folder its final name. On Windows, this also clears the mark of temporary files.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    TempPath::try_from_path(from)?.persist(to).map_err(|error| {
        let _ = error.path.keep();
        error.error
    })
}

/// A second name (hard link) for a file that will be replaced, beside the new file, if the file system supports it.
fn second_name(Move { from, to }: &Move) -> Option<NamedTempFile<()>> {
    let prefix = hidden(to.file_name().filter(|_| to.is_file())?, PARTIAL);
    Builder::new().prefix(&prefix).make_in(parent(from), |second| fs::hard_link(to, second)).ok()
}

/// Removes a journal. If it cannot be removed, it is emptied, so that nothing is undone.
fn forget(journal: &Path) {
    if fs::remove_file(journal).is_err() && journal.exists() {
        let _ = fs::write(journal, [HEADER, END].concat());
    }
}

/// Writes the temporary name, the final name and the second name of the replaced file for each file. Folders follow
/// their files.
fn write_journal(journal: &Path, moves: &[Move], replaced: &[Option<NamedTempFile<()>>]) -> io::Result<()> {
    let mut lines: Vec<[PathBuf; 3]> = Vec::new();
    for (Move { from, to }, replaced) in moves.iter().zip(replaced) {
        let [from, to] = [std::path::absolute(from)?, std::path::absolute(to)?];
        let replaced = replaced.as_ref().map(|second| std::path::absolute(second.path()));
        list(&from, &to, replaced.transpose()?.unwrap_or_default(), &mut lines)?;
    }
    let mut bytes = HEADER.to_vec();
    lines.iter().flatten().for_each(|name| bytes.extend(terminated(name)));
    bytes.extend(END);
    let mut file = fs::File::create(journal)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    sync_folder(parent(journal));
    Ok(())
}

fn list(from: &Path, to: &Path, replaced: PathBuf, lines: &mut Vec<[PathBuf; 3]>) -> io::Result<()> {
    if from.is_dir() {
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            list(&from.join(&name), &to.join(&name), PathBuf::new(), lines)?;
        }
    }
    lines.push([from.to_owned(), to.to_owned(), replaced]);
    Ok(())
}

/// Undoes the renames of a process that was killed while renaming. Returns the removed paths.
pub(super) fn undo_interrupted(journal: &Path) -> Vec<PathBuf> {
    let Ok(bytes) = fs::read(journal) else { return Vec::new() };
    if !is_journal(&bytes) {
        return Vec::new();
    }
    let names = bytes.strip_prefix(HEADER).and_then(|names| names.strip_suffix(END)).unwrap_or_default();
    let names: Vec<PathBuf> = names.split(|byte| *byte == 0).map(path_of).collect();
    let mut removed = Vec::new();
    for line in names.chunks_exact(3) {
        let [from, to, replaced] = [&line[0], &line[1], &line[2]];
        // Without its temporary name, the file has its final name.
        let left = if from.exists() { from } else { to };
        let gone = match left.is_dir() {
            // A folder with other content stays.
            true => fs::remove_dir(left).is_ok(),
            false => left.is_file() && fs::remove_file(left).is_ok(),
        };
        if gone {
            removed.push(left.to_owned());
        }
        if !replaced.as_os_str().is_empty() && replaced.is_file() {
            let _ = fs::rename(replaced, to);
            // Rename does nothing if both names belong to one file, so remove the second name.
            let _ = fs::remove_file(replaced);
        }
    }
    forget(journal);
    removed
}

/// Whether a file is a journal or the beginning of a journal.
pub(super) fn is_journal(bytes: &[u8]) -> bool {
    bytes.starts_with(HEADER) || (!bytes.is_empty() && HEADER.starts_with(bytes))
}

/// A path as written in a journal.
pub(super) fn terminated(path: &Path) -> Vec<u8> {
    [path.as_os_str().as_encoded_bytes(), &[0]].concat()
}

/// The path from its bytes in a journal.
#[cfg(unix)]
pub(super) fn path_of(name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;

    OsStr::from_bytes(name).into()
}

#[cfg(not(unix))]
pub(super) fn path_of(name: &[u8]) -> PathBuf {
    OsStr::new(String::from_utf8_lossy(name).as_ref()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    fn names_in(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    /// New files a and b, and a folder d with two files; b replaces an old file.
    fn prepared(folder: &Path) -> Vec<Move> {
        let place = |name: &str| folder.join(name);
        fs::write(place("a.new"), "new a").unwrap();
        fs::write(place("b.new"), "new b").unwrap();
        fs::create_dir(place("d.new")).unwrap();
        ["1", "2"].iter().for_each(|name| fs::write(place("d.new").join(name), "new").unwrap());
        fs::write(place("b"), "old b").unwrap();
        ["b", "a", "d"].map(|name| Move { from: place(&format!("{name}.new")), to: place(name) }).into()
    }

    #[test]
    fn all_get_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let moves = prepared(folder.path());
        give_names(&folder.path().join("journal"), &moves).unwrap();
        assert_eq!(names_in(folder.path()), ["a", "b", "d"]);
        assert_eq!(text(&folder.path().join("b")), "new b");
        assert_eq!(names_in(&folder.path().join("d")), ["1", "2"]);
    }

    #[test]
    fn one_that_fails_leaves_all_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let mut moves = prepared(folder.path());
        moves[2].to = folder.path().join("nowhere/d");
        let before = names_in(folder.path());
        let (place, _) = give_names(&folder.path().join("journal"), &moves).unwrap_err();
        assert_eq!((place, names_in(folder.path())), (moves[2].to.clone(), before));
        assert_eq!(text(&folder.path().join("b")), "old b");
    }

    #[test]
    fn what_a_killed_process_did_is_undone() {
        for done in 0..=3 {
            let folder = tempfile::tempdir().unwrap();
            let (moves, journal) = (prepared(folder.path()), folder.path().join("journal"));
            let replaced: Vec<_> = moves.iter().map(second_name).collect();
            write_journal(&journal, &moves, &replaced).unwrap();
            moves.iter().take(done).for_each(|one| fs::rename(&one.from, &one.to).unwrap());
            // The process does not end here, so keep its second names.
            replaced.into_iter().flatten().for_each(|second| drop(second.into_temp_path().keep().unwrap()));
            assert!(is_journal(&fs::read(&journal).unwrap()));
            assert_eq!(undo_interrupted(&journal).len(), 5, "{done}");
            assert_eq!(names_in(folder.path()), ["b"], "{done}");
            assert_eq!(text(&folder.path().join("b")), "old b", "{done}");
        }
    }

    #[test]
    fn a_journal_that_was_being_written_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (moves, journal) = (prepared(folder.path()), folder.path().join("journal"));
        write_journal(&journal, &moves, &[None, None, None]).unwrap();
        let whole = fs::read(&journal).unwrap();
        let before = names_in(folder.path());
        for length in 1..whole.len() {
            fs::write(&journal, &whole[..length]).unwrap();
            assert!(undo_interrupted(&journal).is_empty());
            assert!(!journal.exists());
            fs::write(&journal, "").unwrap();
            assert_eq!(names_in(folder.path()), before);
        }
    }

    #[test]
    fn what_is_no_journal_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join(".list.set");
        fs::write(&other, "another program's\0").unwrap();
        assert!(
            !is_journal(&fs::read(&other).unwrap()) && undo_interrupted(&other).is_empty() && other.is_file()
        );
    }
}
