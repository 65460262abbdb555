//! The `halfmax` binary, run as a user does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs a command in a folder. What fits curves is run a second time in a copy of the folder, with its table read in the smallest parts: what comes out
/// must be the same to the last byte.
pub fn halfmax(folder: &Path, arguments: &[&str]) -> Output {
    let out = arguments.iter().skip_while(|argument| **argument != "--out").nth(1);
    let own = folder.starts_with(std::env::temp_dir()) && out.is_some_and(|out| Path::new(out).is_relative());
    if arguments.first() != Some(&"fit-curves") || arguments.contains(&"--part-size") || !own {
        return run(folder, arguments);
    }
    let copy = tempfile::TempDir::new().unwrap();
    for (path, bytes) in files(folder) {
        let to = copy.path().join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
    }
    let whole = run(folder, arguments);
    let in_parts = run(copy.path(), &[arguments, &["--part-size", "0.0001"]].concat());
    assert_eq!(said(&in_parts), said(&whole), "{arguments:?}");
    assert_eq!(in_parts.stdout, whole.stdout, "{arguments:?}");
    assert_eq!(in_parts.status.code(), whole.status.code(), "{arguments:?}");
    let (files, others) = (files(folder), files(copy.path()));
    assert!(files.keys().eq(others.keys()), "{:?} {:?}", files.keys(), others.keys());
    for (path, bytes) in files {
        assert!(others[&path] == bytes, "{} differs: {arguments:?}", path.display());
    }
    whole
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_halfmax")).current_dir(folder).args(arguments).output().unwrap()
}

/// What a command said, but for how it read.
fn said(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().filter(|line| !line.contains("read part by part")).map(str::to_owned).collect()
}

/// The files of a folder with what they hold.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = PathBuf::from(path.file_name().unwrap());
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(inner, bytes)| (name.join(inner), bytes)));
        } else {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}
