//! Fetches datasets from a folder, with a fake pip, and without a network.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use halfmax_core::{Error, ErrorKind, Progress, Silent};
use halfmax_data::datasets::{DatasetFolder, Manifest, State, Verified};
use halfmax_data::sha256_bytes;
use halfmax_fetch::{Action, Fetcher, Http, Pip};

const RESPONSES: &[u8] = b"CELL_LINE_NAME,DRUG_NAME,LN_IC50\nA549,Erlotinib,1.5\n";
const PICKLE: &[u8] = include_bytes!("../../halfmax-data/src/pickle/fixtures/tensors-protocol-4.pkl");

/// A wheel with a pickle and a list of genes.
fn wheel() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut zip = zip::ZipWriter::new(&mut bytes);
    for (name, content) in [("made_up/cells.pkl", PICKLE), ("made_up/genes.txt", b"TP53\nKRAS\nMYC\n")] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
    bytes.into_inner()
}

/// A dataset with a file at an unreachable address, without a checksum, and a table from a package.
fn manifest() -> Manifest {
    let text = format!(
        r#"
        name = "made-up"
        title = "A made-up dataset"
        version = "1"
        licence = "CC0"
        citation = ["Nobody 2020"]
        homepage = "https://example.org"
        tried = false
        [[source]]
        id = "responses"
        url = "https://127.0.0.1:9/published-name.csv"
        archive = "published-name.csv"
        [[source]]
        id = "cells"
        package = "made-up"
        version = "1.0"
        archive = "made_up-1.0-py3-none-any.whl"
        sha256 = "{}"
        [[file]]
        name = "responses.csv"
        role = "response"
        table = "made-up"
        from = [{{ source = "responses" }}]
        [[file]]
        name = "expression.csv"
        role = "cells"
        kind = "expression"
        make = "cells_by_genes"
        from = [
            {{ source = "cells", member = "made_up/cells.pkl" }},
            {{ source = "cells", member = "made_up/genes.txt" }},
        ]
        "#,
        sha256_bytes(&wheel())
    );
    Manifest::parse(&text).unwrap()
}

/// The folders of a test.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("given")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn own(&self, name: &str) -> PathBuf {
        self.path("data/made-up").join(name)
    }

    fn give(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path("given").join(name), bytes).unwrap();
    }

    fn fetcher(&self) -> Fetcher {
        Fetcher {
            data_dir: self.path("data"),
            from: Some(self.path("given")),
            http: Http { retries: 0, pause: Duration::from_millis(1), stall: Duration::from_millis(300) },
            pip: Pip::with_command(vec!["there-is-no-such-pip".into()]),
        }
    }

    fn state(&self) -> State {
        DatasetFolder::new(manifest(), &self.path("data")).state().unwrap()
    }
}

fn actions(fetcher: &Fetcher) -> Vec<(String, Action, Verified)> {
    let fetched = fetcher.fetch(&manifest(), &Silent).unwrap();
    fetched.files.into_iter().map(|one| (one.file.name, one.action, one.file.verified)).collect()
}

fn advice(error: &Error) -> String {
    error.help().unwrap_or_default().to_owned()
}

#[test]
fn files_of_a_folder_are_taken_by_the_names_of_their_publishers() {
    let place = Place::new();
    place.give("published-name.csv", RESPONSES);
    place.give("made_up-1.0-py3-none-any.whl", &wheel());
    assert_eq!(
        actions(&place.fetcher()),
        [
            ("responses.csv".into(), Action::Downloaded, Verified::FirstFetch),
            ("expression.csv".into(), Action::Downloaded, Verified::Manifest)
        ]
    );
    let table = std::fs::read_to_string(place.own("expression.csv")).unwrap();
    assert_eq!(table, "cell_line,TP53,KRAS,MYC\nA549,1.5,-2.25,0.5\nHELA,0.0,3.0,-1.0\n");
    assert_eq!(std::fs::read(place.own("responses.csv")).unwrap(), RESPONSES);
    assert_eq!(place.state(), State::Fetched);
    // The second fetch finds everything.
    std::fs::remove_dir_all(place.path("given")).unwrap();
    assert!(actions(&place.fetcher()).iter().all(|(_, action, _)| *action == Action::Kept));
}

#[test]
fn files_of_a_folder_are_taken_by_the_names_of_the_dataset() {
    let place = Place::new();
    place.give("responses.csv", RESPONSES);
    place.give("made_up-1.0-py3-none-any.whl", &wheel());
    assert_eq!(actions(&place.fetcher())[0].1, Action::Copied);
    // A file that is changed later is replaced only by the file that was fetched first.
    std::fs::write(place.own("responses.csv"), b"changed").unwrap();
    assert_eq!(actions(&place.fetcher())[0].1, Action::Copied);
    std::fs::write(place.own("responses.csv"), b"changed").unwrap();
    place.give("responses.csv", b"another release");
    let error = place.fetcher().fetch(&manifest(), &Silent).unwrap_err();
    assert!(error.to_string().contains("differs from the file that was fetched first"), "{error}");
    assert!(advice(&error).contains("fetched.toml"));
}

#[test]
fn a_package_that_is_another_one_is_refused() {
    let place = Place::new();
    place.give("responses.csv", RESPONSES);
    place.give("made_up-1.0-py3-none-any.whl", b"another package");
    let error = place.fetcher().fetch(&manifest(), &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains("SHA-256"), "{error}");
    assert!(!place.own("expression.csv").exists());
    assert_eq!(place.state(), State::Partly);
}

#[test]
fn what_cannot_be_had_is_listed_with_the_place_to_put_it() {
    let place = Place::new();
    let error = place.fetcher().fetch(&manifest(), &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    let advice = advice(&error);
    for expected in [
        "published-name.csv from https://127.0.0.1:9/published-name.csv",
        "made_up-1.0-py3-none-any.whl from pip download --no-deps made-up==1.0",
        &place.path("data/made-up").display().to_string(),
    ] {
        assert!(advice.contains(expected), "{advice}");
    }
    // With the missing file, the same command continues.
    std::fs::write(place.own("published-name.csv"), RESPONSES).unwrap();
    let error = place.fetcher().fetch(&manifest(), &Silent).unwrap_err();
    assert!(error.to_string().contains("pip not found"), "{error}");
    assert!(!error.help().unwrap().contains("published-name.csv from"));
    std::fs::write(place.own("made_up-1.0-py3-none-any.whl"), wheel()).unwrap();
    place.fetcher().fetch(&manifest(), &Silent).unwrap();
    assert_eq!(place.state(), State::Fetched);
}

/// A fake pip that copies a file to the given folder and prints a text.
#[cfg(unix)]
fn pip(place: &Path, script: &str) -> Pip {
    let path = place.join("pip.sh");
    std::fs::write(&path, script).unwrap();
    Pip::with_command(vec!["sh".into(), path.display().to_string()])
}

#[cfg(unix)]
#[test]
fn a_package_is_downloaded_by_pip() {
    let place = Place::new();
    place.give("responses.csv", RESPONSES);
    let wheel_path = place.path("made_up-1.0-py3-none-any.whl");
    std::fs::write(&wheel_path, wheel()).unwrap();
    let (wheel_path, said) = (wheel_path.display(), place.path("said"));
    // The folder is the last argument, and the requirement with its hash is the third from last.
    let script = format!(
        "for last; do before=$requirement; requirement=$folder; folder=$last; done\n\
         cp {wheel_path} $folder\ncat $before > {said}\necho \"$@\" >> {said}\n",
        said = said.display()
    );
    let fetcher = Fetcher { pip: pip(place.folder.path(), &script), ..place.fetcher() };
    assert_eq!(actions(&fetcher)[1].1, Action::Downloaded);
    let said = std::fs::read_to_string(said).unwrap();
    assert!(said.starts_with(&format!("made-up==1.0 --hash=sha256:{}", sha256_bytes(&wheel()))), "{said}");
    assert!(said.contains("download --no-deps --require-hashes") && said.contains("--only-binary"), "{said}");
    // Only the tables remain.
    let mut left: Vec<_> = std::fs::read_dir(place.path("data/made-up"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["expression.csv", "fetched.toml", "responses.csv"]);
}

#[cfg(unix)]
#[test]
fn what_pip_says_is_passed_on() {
    let place = Place::new();
    place.give("responses.csv", RESPONSES);
    let pip = pip(place.folder.path(), "echo 'ERROR: No matching distribution' >&2\nexit 1\n");
    let error = Fetcher { pip, ..place.fetcher() }.fetch(&manifest(), &Silent).unwrap_err();
    assert!(error.to_string().contains("ERROR: No matching distribution"), "{error}");
    assert!(advice(&error).contains("made_up-1.0-py3-none-any.whl from"));
}

/// Records the messages.
#[derive(Default)]
struct Listening(Mutex<Vec<String>>);

impl Progress for Listening {
    fn step(&self, _: usize, _: usize) {}

    fn warn(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }

    fn stopped(&self) -> bool {
        false
    }
}

#[test]
fn a_file_without_a_checksum_is_said_to_be_unverified() {
    let place = Place::new();
    place.give("responses.csv", RESPONSES);
    place.give("made_up-1.0-py3-none-any.whl", &wheel());
    let listening = Listening::default();
    place.fetcher().fetch(&manifest(), &listening).unwrap();
    let said = listening.0.into_inner().unwrap();
    assert!(
        said.iter().any(|text| text.contains("responses.csv: no checksum of this file is known")),
        "{said:?}"
    );
}
