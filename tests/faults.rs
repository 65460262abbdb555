//! What happens around a command must not harm it.

#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

const READINGS: &str = "cell_line,drug,dose_um,viability\n\
    L1,D,0.01,0.99\nL1,D,0.1,0.91\nL1,D,1,0.5\nL1,D,10,0.09\nL1,D,100,0.01\n";

fn halfmax(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_halfmax"));
    command.current_dir(folder).args(arguments);
    command
}

#[test]
fn notes_that_nobody_can_read_do_not_stop_a_command() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("raw.csv"), READINGS).unwrap();
    let whole = halfmax(folder.path(), &["fit-curves", "raw.csv", "--out", "whole.csv"]).output().unwrap();
    assert!(whole.status.success() && !whole.stderr.is_empty());
    // A disk without space, where there is such a device.
    if let Ok(full) = File::options().write(true).open("/dev/full") {
        let mut command = halfmax(folder.path(), &["fit-curves", "raw.csv", "--out", "full.csv"]);
        assert!(command.stderr(Stdio::from(full)).status().unwrap().success());
        assert_eq!(
            fs::read(folder.path().join("full.csv")).unwrap(),
            fs::read(folder.path().join("whole.csv")).unwrap()
        );
    }
    // A reader that is gone: the pipe is closed before the command writes.
    let mut command = halfmax(folder.path(), &["fit-curves", "raw.csv", "--out", "closed.csv"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert!(child.wait_with_output().unwrap().status.success());
    assert_eq!(
        fs::read(folder.path().join("closed.csv")).unwrap(),
        fs::read(folder.path().join("whole.csv")).unwrap()
    );
    // An error has its exit code all the same.
    let mut command = halfmax(folder.path(), &["fit-curves", "nothing.csv", "--out", "none.csv"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

#[test]
fn names_cannot_command_a_terminal() {
    let folder = TempDir::new().unwrap();
    let hostile = READINGS.replace("L1,D,1,0.5", "L1,D,x\u{1b}]0;pwned\u{7}\u{1b}[31m,0.5");
    fs::write(folder.path().join("raw.csv"), hostile).unwrap();
    let ran = halfmax(folder.path(), &["fit-curves", "raw.csv", "--out", "out.csv"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(3));
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(said.contains("x\\u{1b}]0;pwned\\u{7}\\u{1b}[31m"), "{said}");
    assert!(!said.contains(['\u{1b}', '\u{7}']), "{said}");
}

#[test]
fn a_folder_without_room_for_temporary_files_is_named() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("raw.csv"), READINGS.repeat(200)).unwrap();
    let arguments = ["fit-curves", "raw.csv", "--out", "out.csv", "--part-size", "0.0001"];
    let ran = halfmax(folder.path(), &arguments).env("TMPDIR", "/nowhere").output().unwrap();
    assert_eq!(ran.status.code(), Some(1));
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(said.contains("/nowhere: a temporary file of rows cannot be kept there"), "{said}");
    assert!(said.contains("TMPDIR") && !folder.path().join("out.csv").exists(), "{said}");
}
