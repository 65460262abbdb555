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
    let (header, rows) = READINGS.split_once('\n').unwrap();
    fs::write(folder.path().join("raw.csv"), format!("{header}\n{}", rows.repeat(200))).unwrap();
    let arguments = ["fit-curves", "raw.csv", "--out", "out.csv", "--part-size", "0.0001"];
    let ran = halfmax(folder.path(), &arguments).env("TMPDIR", "/nowhere").output().unwrap();
    assert_eq!(ran.status.code(), Some(1));
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(said.contains("/nowhere: a temporary file of rows cannot be written there"), "{said}");
    assert!(said.contains("TMPDIR") && !folder.path().join("out.csv").exists(), "{said}");
}

fn said(ran: &std::process::Output) -> String {
    String::from_utf8_lossy(&ran.stderr).into_owned()
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn one_process_writes_an_output_and_clears_what_another_left() {
    let folder = TempDir::new().unwrap();
    let place = |name: &str| folder.path().join(name);
    fs::write(place("raw.csv"), READINGS).unwrap();
    for name in [".out.csv.partial-Ab12Cd", ".out.csv.partial-notes", ".other.csv.partial-Ab12Cd"] {
        fs::write(place(name), "left").unwrap();
    }
    fs::write(place(".out.csv.lock"), "4711 951827696").unwrap();
    let lock = File::open(place(".out.csv.lock")).unwrap();
    lock.lock().unwrap();
    let refused = halfmax(folder.path(), &["fit-curves", "raw.csv", "--out", "out.csv"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let message = said(&refused);
    assert!(message.contains("out.csv: another halfmax process is writing it"), "{message}");
    assert!(message.contains("process 4711, since 2000-02-29 12:34:56 UTC"), "{message}");
    lock.unlock().unwrap();
    let done = halfmax(folder.path(), &["fit-curves", "raw.csv", "--out", "out.csv"]).output().unwrap();
    assert!(done.status.success(), "{}", said(&done));
    assert!(said(&done).contains("removed what a killed command had left: "), "{}", said(&done));
    assert_eq!(
        names_in(folder.path()),
        [".other.csv.partial-Ab12Cd", ".out.csv.partial-notes", "out.csv", "raw.csv"]
    );
}

#[test]
fn a_command_that_was_killed_between_its_files_starts_anew() {
    let folder = TempDir::new().unwrap();
    let place = |name: &str| folder.path().join(name);
    fs::write(place("raw.csv"), READINGS).unwrap();
    let page = ["fit-curves", "raw.csv", "--out", "out.csv", "--html", "page.html"];
    // The table has its name, the page does not.
    fs::write(place("out.csv"), "half").unwrap();
    fs::write(place(".page.html.partial-Zz99zz"), "half").unwrap();
    let names = |from: &str, to: &str| format!("{}\0{}\0\0", place(from).display(), place(to).display());
    let journal = "halfmax-set-1\0".to_owned()
        + &names(".out.csv.partial-Ab12Cd", "out.csv")
        + &names(".page.html.partial-Zz99zz", "page.html")
        + "end\0";
    fs::write(place(".out.csv.set"), journal).unwrap();
    let done = halfmax(folder.path(), &page).output().unwrap();
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(names_in(folder.path()), ["out.csv", "page.html", "raw.csv"]);
    assert!(fs::read_to_string(place("out.csv")).unwrap().lines().count() == 2);
    let again = halfmax(folder.path(), &page).output().unwrap();
    assert_eq!(again.status.code(), Some(2));
    assert!(said(&again).contains("out.csv: already exists"), "{}", said(&again));
}

#[test]
fn what_is_read_is_never_replaced_and_links_are_followed() {
    let folder = TempDir::new().unwrap();
    let place = |name: &str| folder.path().join(name);
    fs::write(place("raw.csv"), READINGS).unwrap();
    std::os::unix::fs::symlink("raw.csv", place("same.csv")).unwrap();
    for out in ["raw.csv", "./raw.csv", "same.csv"] {
        let arguments = ["fit-curves", "raw.csv", "--out", out, "--overwrite"];
        let ran = halfmax(folder.path(), &arguments).output().unwrap();
        assert_eq!(ran.status.code(), Some(2), "{out}: {}", said(&ran));
        assert!(said(&ran).contains("is also an input"), "{}", said(&ran));
    }
    assert_eq!(fs::read_to_string(place("raw.csv")).unwrap(), READINGS);
    let two = ["fit-curves", "raw.csv", "--out", "o.csv", "--plates", "./o.csv"];
    let ran = halfmax(folder.path(), &two).output().unwrap();
    assert!(said(&ran).contains("named by both --out and --plates"), "{}", said(&ran));
    // A link to a file that does not exist yet.
    std::os::unix::fs::symlink("real.csv", place("link.csv")).unwrap();
    let ran = halfmax(folder.path(), &["fit-curves", "raw.csv", "--out", "link.csv"]).output().unwrap();
    assert!(ran.status.success(), "{}", said(&ran));
    assert!(place("link.csv").is_symlink() && place("real.csv").is_file());
    // A pipe is no file.
    assert!(Command::new("mkfifo").arg(place("pipe.csv")).status().unwrap().success());
    let arguments = ["fit-curves", "raw.csv", "--out", "pipe.csv", "--overwrite"];
    let ran = halfmax(folder.path(), &arguments).output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
    assert!(said(&ran).contains("pipe.csv: is not an ordinary file"), "{}", said(&ran));
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_text_are_written() {
    use std::os::unix::ffi::OsStrExt;

    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("raw.csv"), READINGS).unwrap();
    let name = std::ffi::OsStr::from_bytes(b"o\xff.csv");
    let mut command = halfmax(folder.path(), &["fit-curves", "raw.csv", "--json", "--out"]);
    let ran = command.arg(name).output().unwrap();
    assert!(ran.status.success(), "{}", said(&ran));
    assert!(folder.path().join(name).is_file());
}
