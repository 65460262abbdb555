//! Every command is stopped at each system call by which it changes files: it is killed there, the call fails, or the disk is full from there on. Whatever
//! happens, nothing incomplete has a final name, and the same command comes to the same bytes afterwards.
//!
//! `cargo test --release --test injection -- --nocapture` says how many points each command has.

#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod tracing;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use nix::errno::Errno;
use tempfile::TempDir;
use tracing::{Call, Ended, Fault};

/// A command, and what it leaves.
struct Case {
    arguments: String,
    /// Its files and folders.
    outputs: &'static [&'static str],
    /// What is there before: files with what they hold, folders without.
    before: &'static [(&'static str, Option<&'static str>)],
    /// Files that may differ from run to run: seconds.
    differ: &'static [&'static str],
}

impl Case {
    fn new(arguments: &str, outputs: &'static [&'static str]) -> Self {
        Self { arguments: arguments.to_owned(), outputs, before: &[], differ: &[] }
    }

    fn words(&self) -> Vec<&str> {
        self.arguments.split(' ').collect()
    }

    fn overwrites(&self) -> bool {
        self.arguments.contains("--overwrite")
    }
}

/// Files with what they hold, and folders.
type Files = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// The files of a folder, whatever it is called: runs name their inputs.
fn files_in(folder: &Path) -> Files {
    let anywhere = |bytes: Vec<u8>| match String::from_utf8(bytes) {
        Ok(text) => text.replace(folder.to_str().unwrap(), "FOLDER").into_bytes(),
        Err(error) => error.into_bytes(),
    };
    files_of(folder).into_iter().map(|(path, bytes)| (path, bytes.map(anywhere))).collect()
}

fn files_of(folder: &Path) -> Files {
    fn walk(root: &Path, folder: &Path, found: &mut Files) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_owned();
            if path.is_dir() {
                found.insert(name, None);
                walk(root, &path, found);
            } else {
                found.insert(name, Some(fs::read(&path).unwrap()));
            }
        }
    }
    let mut found = Files::new();
    walk(folder, folder, &mut found);
    found
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_halfmax"))
}

fn run(folder: &Path, words: &[&str]) -> Output {
    Command::new(program()).current_dir(folder).args(words).output().unwrap()
}

fn succeeds(folder: &Path, words: &[&str]) {
    let ran = run(folder, words);
    assert!(ran.status.success(), "{words:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

const SCREEN: &str = r#"
name = "small"
[data]
response = "response.csv"
drugs = "drugs.csv"
[[data.cells]]
kind = "expression"
file = "expression.csv"
[split]
kind = "lco"
folds = 3
"#;

/// The inputs of all commands: a small screen, configurations, models, readings, a dose matrix.
fn inputs() -> &'static Path {
    static INPUTS: OnceLock<TempDir> = OnceLock::new();
    INPUTS
        .get_or_init(|| {
            let folder = TempDir::new().unwrap();
            let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
            let gene =
                |cell: usize, gene: usize| ((cell * 37 + gene * 53 + cell * gene * 11) % 101) as f32 / 10.0;
            let mut expression = String::from("cell_line,ABCB1,SLFN11,TP53,G4,G5,G6\n");
            let (mut response, mut synergy) =
                (String::from("cell_line,drug,LN_IC50\n"), String::from("cell_line,drug_a,drug_b,synergy\n"));
            for cell in 0..24 {
                let genes: Vec<String> = (0..6).map(|g| gene(cell, g).to_string()).collect();
                writeln!(expression, "LINE-{cell},{}", genes.join(",")).unwrap();
                for drug in 0..6 {
                    let value = if drug % 2 == 0 { gene(cell, 0) } else { gene(cell, 2) } + drug as f32 / 4.0;
                    writeln!(response, "LINE-{cell},Drug {drug},{value}").unwrap();
                    for other in 0..drug {
                        writeln!(
                            synergy,
                            "LINE-{cell},Drug {drug},Drug {other},{}",
                            value + gene(cell, other)
                        )
                        .unwrap();
                    }
                }
            }
            let mut drugs = String::from("drug,smiles,target_pathway\n");
            for drug in 0..6 {
                writeln!(drugs, "Drug {drug},{}{},p", "C".repeat(drug + 1), ["O", "N"][drug % 2]).unwrap();
            }
            let (mut raw, mut matrix) = (
                String::from("cell_line,drug,plate,dose_um,viability\n"),
                String::from("cell_line,drug_a,drug_b,dose_a_um,dose_b_um,inhibition\n"),
            );
            let effect = |dose: f64| dose / (1.0 + dose);
            for (cell, drug) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                for dose in [0.01, 0.1, 1.0, 10.0, 100.0] {
                    let value = 100.0 * (1.0 - effect(dose * f64::from(1 + cell + drug)));
                    writeln!(raw, "LINE-{cell},Drug {drug},P{cell},{dose},{value:.3}").unwrap();
                }
            }
            for a in [0.0, 0.1, 1.0, 10.0] {
                for b in [0.0, 0.1, 1.0, 10.0] {
                    let value = 100.0 * (1.0 - (1.0 - effect(a)) * (1.0 - effect(b)));
                    writeln!(matrix, "LINE-0,Drug 0,Drug 1,{a},{b},{value:.3}").unwrap();
                }
            }
            write("expression.csv", &expression);
            write("response.csv", &response);
            write("synergy.csv", &synergy);
            write("drugs.csv", &drugs);
            write("raw.csv", &raw);
            write("matrix.csv", &matrix);
            write("knn.toml", &format!("{SCREEN}[[model]]\nfamily = \"knn\"\n"));
            let boost = "[[model]]\nfamily = \"boost\"\nrounds = 5\nmin_leaf_weight = 2\n";
            write("boost.toml", &format!("{SCREEN}{boost}"));
            let neural = "[[model]]\nfamily = \"neural\"\nepochs = 3\nensemble_size = 1\n";
            write("neural.toml", &format!("{SCREEN}{neural}"));
            let search = "[tune]\ntrials = 2\n[tune.space]\nrounds = [3, 6]\n";
            write("search.toml", &format!("{SCREEN}{search}{boost}"));
            write(
                "kernel.toml",
                &format!("{SCREEN}[[model]]\nfamily = \"kernel\"\n").replace("response.csv", "synergy.csv"),
            );
            succeeds(folder.path(), &["train", "boost.toml", "--out", "boost", "--quiet"]);
            succeeds(folder.path(), &["train", "kernel.toml", "--out", "pairs", "--quiet"]);
            folder
        })
        .path()
}

/// A fresh folder with the inputs, and what is there before.
fn fresh(case: &Case) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in files_of(inputs()) {
        match bytes {
            Some(bytes) => fs::write(folder.path().join(name), bytes).unwrap(),
            None => fs::create_dir(folder.path().join(name)).unwrap(),
        }
    }
    for (name, text) in case.before {
        match text {
            Some(text) => fs::write(folder.path().join(name), text).unwrap(),
            None => fs::create_dir(folder.path().join(name)).unwrap(),
        }
    }
    folder
}

/// Whether a path says of itself that it is not complete.
fn is_temporary(path: &Path) -> bool {
    path.to_string_lossy().contains(".partial-")
}

/// What a case is compared with.
struct Reference {
    before: Files,
    after: Files,
    calls: Vec<Call>,
}

impl Reference {
    /// What the undisturbed command does.
    fn of(case: &Case) -> Self {
        let (folder, own) = (fresh(case), TempDir::new().unwrap());
        let before = files_in(folder.path());
        let ended = tracing::run(program(), &case.words(), folder.path(), own.path(), None);
        assert!(ended.status.success(), "{}: {}", case.arguments, ended.said);
        let after = files_in(folder.path());
        let new: BTreeSet<&Path> =
            after.keys().filter_map(|path| path.iter().next().map(Path::new)).collect();
        for output in case.outputs {
            assert!(new.contains(Path::new(output)), "{}: no {output}", case.arguments);
        }
        let others = after.keys().filter(|path| !before.contains_key(*path));
        for path in others {
            let is_output = case.outputs.iter().any(|output| path.starts_with(output));
            assert!(is_output && !is_temporary(path), "{} is left", path.display());
        }
        Self { before, after, calls: ended.calls }
    }

    /// What of the outputs is there: which are as they were before, which as they ought to be.
    fn standing(&self, case: &Case, now: &Files) -> Result<Vec<Standing>, String> {
        case.outputs
            .iter()
            .map(|output| {
                let of = |files: &Files| -> Files {
                    let is_own = |path: &Path| path.starts_with(output) && !is_temporary(path);
                    let own = files.iter().filter(|(path, _)| is_own(path));
                    let plain = |(path, bytes): (&PathBuf, &Option<Vec<u8>>)| {
                        let free = case.differ.iter().any(|name| path.ends_with(name));
                        (path.clone(), if free { Some(Vec::new()) } else { bytes.clone() })
                    };
                    own.map(plain).collect()
                };
                let now = of(now);
                if now == of(&self.after) {
                    Ok(Standing::Complete)
                } else if now == of(&self.before) {
                    Ok(Standing::Before)
                } else {
                    let names: Vec<_> = now.keys().map(|path| path.display().to_string()).collect();
                    Err(format!("{output} is incomplete: {names:?}"))
                }
            })
            .collect()
    }

    /// What is there besides outputs and inputs.
    fn leftovers(&self, case: &Case, now: &Files) -> Vec<String> {
        let is_left = |path: &&PathBuf| {
            let is_output = case.outputs.iter().any(|output| path.starts_with(output));
            !self.before.contains_key(*path) && (!is_output || is_temporary(path))
        };
        now.keys().filter(is_left).map(|path| path.display().to_string()).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Before,
    Complete,
}

fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said.trim_end().lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n    ")
}

/// Disturbs a command at one point. Says what was wrong.
fn disturbed(case: &Case, reference: &Reference, at: usize, fault: Fault) -> Result<(), String> {
    let (folder, own) = (fresh(case), TempDir::new().unwrap());
    let words = case.words();
    let ended = tracing::run(program(), &words, folder.path(), own.path(), Some((at, fault)));
    let Ended { status, said, .. } = &ended;
    let wrong = |what: &str| Err(format!("{what} ({status}): {}", last_lines(said)));
    if said.contains("panicked") || status.code().is_none() && fault != Fault::Kill {
        return wrong("ended by a panic or a signal");
    }
    let now = files_in(folder.path());
    // Where folders are given their names one file at a time, a kill leaves a part until the next command.
    let standing = match (reference.standing(case, &now), status.code()) {
        (Err(_), None) if now.keys().any(|path| path.to_string_lossy().ends_with(".set")) => {
            vec![Standing::Before]
        }
        (standing, _) => standing.or_else(|error| wrong(&error).map(|()| Vec::new()))?,
    };
    let all_complete = standing.iter().all(|one| *one == Standing::Complete);
    let none_complete = standing.iter().all(|one| *one == Standing::Before);
    match status.code() {
        Some(0) if !all_complete => return wrong("said to be done, and is not"),
        Some(0) => {}
        Some(_) if !all_complete && !none_complete => return wrong("some outputs are there, not all"),
        Some(_)
            if said.is_empty() && !matches!(reference.calls.get(at), Some(Call::Write { descriptor: 2 })) =>
        {
            return wrong("failed without a word");
        }
        _ => {}
    }
    let again = run(folder.path(), &words);
    let said_again = last_lines(&String::from_utf8_lossy(&again.stderr));
    if !again.status.success() {
        // What is complete need not be made again.
        let is_refused =
            said_again.contains("already exists") || said_again.contains("exists and is not empty");
        if !(all_complete && is_refused && !case.overwrites()) {
            return Err(format!("the same command fails afterwards: {said_again}"));
        }
    }
    let now = files_in(folder.path());
    match reference.standing(case, &now) {
        Ok(standing) if standing.iter().all(|one| *one == Standing::Complete) => {}
        other => {
            return Err(format!("the same command gives something else afterwards: {other:?}; {said_again}"));
        }
    }
    let mut left = reference.leftovers(case, &now);
    // A run that could not get its name is kept, which is said.
    if said.contains("the complete results are in") {
        left.retain(|path| !path.contains(".complete-"));
    }
    if !left.is_empty() {
        succeeds(folder.path(), &["clean", "."]);
        let kept = reference.leftovers(case, &files_in(folder.path()));
        // A successful command leaves nothing; what a refused one did not come to, `clean` removes.
        if again.status.success() || !kept.is_empty() {
            return Err(format!("{left:?} is left; {said_again}"));
        }
    }
    Ok(())
}

/// Disturbs a command at its points, in turn with each fault.
fn withstands(case: &Case) {
    let reference = Reference::of(case);
    let all: Vec<(usize, Fault)> = (0..reference.calls.len())
        .flat_map(|at| {
            [Fault::Kill, Fault::Error(Errno::EIO), Fault::NoSpace, Fault::Error(Errno::EBADF)]
                .map(|fault| (at, fault))
        })
        .filter(|(at, fault)| match (fault, reference.calls[*at]) {
            // A closed descriptor is that of something printed.
            (Fault::Error(Errno::EBADF), call) => matches!(call, Call::Write { descriptor: 1 | 2 }),
            _ => true,
        })
        .collect();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((at, fault)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = disturbed(case, &reference, *at, *fault) {
                        let call = reference.calls[*at];
                        wrong.lock().unwrap().push(format!("{fault:?} at call {at}, {call:?}: {error}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    eprintln!("{}: {} points, {} wrong", case.arguments, all.len(), wrong.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

#[test]
fn curves() {
    withstands(&Case::new(
        "fit-curves raw.csv --out o.csv --html o.html --svg pictures",
        &["o.csv", "o.html", "pictures"],
    ));
    withstands(&Case::new("fit-curves raw.csv --out o.parquet --part-size 0.0001", &["o.parquet"]));
}

#[test]
fn curves_in_the_place_of_older_ones() {
    withstands(&Case {
        before: &[("o.csv", Some("old")), ("pictures", None), ("pictures/LINE-0__Drug-0.svg", Some("old"))],
        ..Case::new(
            "fit-curves raw.csv --out o.csv --html o.html --svg pictures --overwrite",
            &["o.csv", "o.html", "pictures"],
        )
    });
}

#[test]
fn synergy() {
    withstands(&Case::new(
        "synergy matrix.csv --out o.parquet --summary s.csv --html o.html --svg pictures --bootstrap 20",
        &["o.parquet", "s.csv", "o.html", "pictures"],
    ));
}

#[test]
fn evaluations() {
    let case = Case { differ: &["metrics.json"], ..Case::new("evaluate knn.toml --out run", &["run"]) };
    withstands(&case);
    withstands(&Case { before: &[("run", None)], ..case });
    withstands(&Case { differ: &["metrics.json"], ..Case::new("evaluate search.toml --out run", &["run"]) });
}

#[test]
fn training() {
    withstands(&Case::new("train boost.toml --out run", &["run"]));
}

#[test]
fn scores() {
    withstands(&Case::new(
        "score boost/model.halfmax --cells expression.csv --drugs drugs.csv --out o.csv",
        &["o.csv"],
    ));
    withstands(&Case::new(
        "score boost/model.halfmax --cells expression.csv --drugs drugs.csv --top 2 --out o.parquet",
        &["o.parquet"],
    ));
    let pairs = "score pairs/model.halfmax --cells expression.csv --drugs drugs.csv --all-combinations --checkpoint-every 0";
    withstands(&Case::new(&format!("{pairs} --top 3 --out o.csv"), &["o.csv"]));
    withstands(&Case::new(&format!("{pairs} --out o.csv"), &["o.csv"]));
}

#[test]
fn explanations() {
    withstands(&Case::new(
        "explain boost/model.halfmax --out why.html --permutations 100",
        &["why.html", "importance.parquet", "mechanisms.parquet", "findings.parquet"],
    ));
}

#[test]
fn associations() {
    withstands(&Case::new("associate knn.toml --out run", &["run"]));
}

#[test]
fn exports() {
    withstands(&Case::new(
        "export boost/model.halfmax --format lightgbm --out o.txt",
        &["o.txt", "o.txt.columns.json"],
    ));
}

#[test]
fn networks_that_are_trained() {
    let case = Case::new("train neural.toml --out run", &["run"]);
    withstands(&case);
}

/// Where nobody reads standard output any more, every command ends alike.
#[test]
fn a_closed_standard_output_is_the_same_for_every_command() {
    for arguments in [
        "data list",
        "data inspect raw.csv",
        "data check knn.toml",
        "init response.csv drugs.csv expression.csv --out o.toml",
        "data convert knn.toml --out set",
        "evaluate knn.toml --out run",
        "train boost.toml --out run",
        "score boost/model.halfmax --cells expression.csv --drugs drugs.csv --out -",
        "score boost/model.halfmax --cells expression.csv --drugs drugs.csv --out o.csv",
        "fit-curves raw.csv --out -",
        "fit-curves raw.csv --out o.csv",
        "synergy matrix.csv --out -",
        "synergy matrix.csv --out o.csv",
        "explain boost/model.halfmax --out why.html --permutations 100",
        "associate knn.toml --out run",
        "export boost/model.halfmax --format lightgbm --out o.txt",
        "reproduce boost",
        "clean .",
    ] {
        let folder = fresh(&Case::new(arguments, &[]));
        let mut child = Command::new(program())
            .current_dir(folder.path())
            .args(arguments.split(' '))
            .args(["--json", "--quiet"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(130), "{arguments}: {said}");
        assert_eq!(
            said.trim(),
            "error: standard output was closed before everything was written",
            "{arguments}"
        );
    }
}

#[test]
fn configurations_and_reports_of_data() {
    withstands(&Case::new("init response.csv drugs.csv expression.csv --out o.toml", &["o.toml"]));
    withstands(&Case::new("data check knn.toml --html o.html", &["o.html"]));
    withstands(&Case::new("data convert knn.toml --out set", &["set"]));
}
