//! What `data inspect` says of every file at hand, in one snapshot: a change of words or of meaning is seen. The files are beside the
//! repository; without them the test is skipped. `INSTA_UPDATE=always` writes the snapshot again.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use halfmax_data::inspect;

/// Files whose content must not be repeated: only what they are taken for is.
const NOT_REPEATED: [&str; 2] = ["data/oneil", "data/combinations"];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn what_every_file_is_taken_for() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    if !shared.join("cases").is_dir() || !shared.join("data").is_dir() {
        eprintln!("skipped: ../shared/cases and ../shared/data are not here");
        return;
    }
    let shared = std::fs::canonicalize(shared).unwrap();
    let mut all = Vec::new();
    for part in ["cases", "data"] {
        files(&shared.join(part), &mut all);
    }
    let kinds = ["csv", "tsv", "txt", "gz", "parquet", "xlsx", "feather", "gmt", "maf"];
    let tables = all.iter().filter(|path| {
        let ending = path.extension().map(|ending| ending.to_string_lossy().into_owned()).unwrap_or_default();
        kinds.contains(&ending.as_str()) && !path.to_string_lossy().contains("cases/faults")
    });
    let mut said = String::new();
    for path in tables {
        let name = path.strip_prefix(&shared).unwrap().display().to_string();
        let text = match inspect(path) {
            Ok(found) => found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            Err(error) => format!("refused: {error}"),
        };
        let text = text.replace(&format!("{}/", shared.display()), "");
        let text = if NOT_REPEATED.iter().any(|part| name.starts_with(part)) {
            text.lines().next().unwrap_or_default().to_owned()
        } else {
            text
        };
        said.push_str(&format!("{text}\n\n"));
    }
    insta::assert_snapshot!(said);
}
