//! Earlier findings of the fuzz targets, and their seed files. Every reader must finish each file quickly, without a
//! panic and without more memory than a small file may take.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../../fuzz/src/readers.rs"]
mod readers;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The time limit for the readers of one file, on a busy machine without optimisation.
const LONGEST: Duration = Duration::from_secs(60);

/// The memory limit of the whole process, in kB.
const MOST_MEMORY: u64 = 1 << 20;

type Reader = fn(&[u8]);

const TARGETS: [(&str, Reader); 8] = [
    ("text", readers::text),
    ("workbook", readers::workbook),
    ("parquet", readers::parquet),
    ("parts", readers::parts),
    ("smiles", readers::smiles),
    ("gmt", readers::gmt),
    ("config", readers::config),
    ("model", readers::model),
];

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Reads a file in a separate thread, so that a hanging reader is noticed.
fn read_in_time(file: &Path, reader: Reader) {
    let bytes = fs::read(file).unwrap();
    let (done, wait) = mpsc::channel();
    let worker = thread::spawn(move || {
        reader(&bytes);
        let _ = done.send(());
    });
    match wait.recv_timeout(LONGEST) {
        Ok(()) => worker.join().unwrap(),
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{}: not read in {LONGEST:?}", file.display()),
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("{}: the reader panicked", file.display()),
    }
}

fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn read_all(kind: &str) {
    for (target, reader) in TARGETS {
        for file in files_in(&fuzz_folder().join(kind).join(target)) {
            read_in_time(&file, reader);
            if let Some(peak) = peak_memory() {
                assert!(peak < MOST_MEMORY, "{}: {peak} kB of memory", file.display());
            }
        }
    }
}

#[test]
fn what_was_found_is_read_or_refused() {
    let found = TARGETS.map(|(target, _)| files_in(&fuzz_folder().join("corpus-found").join(target)).len());
    assert!(found.iter().sum::<usize>() > 0, "fuzz/corpus-found is empty");
    read_all("corpus-found");
}

#[test]
fn what_fuzzing_starts_from_is_read() {
    for (target, _) in TARGETS {
        assert!(!files_in(&fuzz_folder().join("seeds").join(target)).is_empty(), "no seeds for {target}");
    }
    read_all("seeds");
}

#[test]
fn sound_files_among_the_seeds_are_tables() {
    let folder = fuzz_folder().join("seeds");
    let rows = |file: &Path, skip: usize| {
        let bytes = fs::read(file).unwrap();
        let table = halfmax_data::read_bytes(&file.display().to_string(), &bytes[skip..]);
        table.unwrap_or_else(|error| panic!("{error}")).rows()
    };
    let sound = readers::workbook_with("", b"");
    let table = halfmax_data::read_bytes("sound.xlsx", &sound).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(table.rows(), 1);
    let content = fs::read(folder.join("workbook/ods-content")).unwrap();
    let sound = readers::open_document_with(&content[1..]);
    let table = halfmax_data::read_bytes("sound.ods", &sound).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(table.rows(), 3);
    for (name, expected) in [("one.xlsx", 3), ("one.xls", 2), ("one.ods", 3), ("table.zip", 2)] {
        // The first byte says that the rest is the whole file.
        assert_eq!(rows(&folder.join("workbook").join(name), 1), expected, "{name}");
    }
    for file in files_in(&folder.join("parquet")) {
        assert_eq!(rows(&file, 0), 3, "{}", file.display());
    }
}
