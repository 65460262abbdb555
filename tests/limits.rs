//! Work that a machine or a family cannot do is refused before it starts.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// A screen of so many cell lines and drugs, three genes, and a configuration for a family.
fn screen(cell_lines: usize, drugs: usize, family: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let (mut responses, mut expression) =
        (String::from("cell_line,drug,auc\n"), String::from("cell_line,TP53,EGFR,KRAS\n"));
    for line in 0..cell_lines {
        writeln!(expression, "LINE-{line},{},{}.5,{}", line % 7, line % 5, line * line % 11).unwrap();
        for drug in 0..drugs {
            writeln!(responses, "LINE-{line},Drug {drug},0.{:03}", (line * 31 + drug * 17) % 997).unwrap();
        }
    }
    fs::write(folder.path().join("responses.csv"), responses).unwrap();
    fs::write(folder.path().join("expression.csv"), expression).unwrap();
    let config = format!(
        "[data]\nresponse = \"responses.csv\"\n[[data.cells]]\nkind = \"expression\"\nfile = \"expression.csv\"\n\
         [target]\ncolumn = \"auc\"\n[split]\nkind = \"lco\"\nfolds = 3\n[[model]]\nfamily = \"{family}\"\n"
    );
    fs::write(folder.path().join("m.toml"), config).unwrap();
    folder
}

fn halfmax(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_halfmax")).current_dir(folder).args(arguments).output().unwrap()
}

fn said(ran: &Output) -> String {
    String::from_utf8_lossy(&ran.stderr).into_owned()
}

#[test]
fn fits_that_need_more_memory_than_there_is_do_not_start() {
    let folder = screen(30, 40, "kernel");
    for command in ["evaluate", "train"] {
        let ran = halfmax(folder.path(), &[command, "m.toml", "--out", "run", "--memory", "1MB"]);
        let said = said(&ran);
        assert_eq!(ran.status.code(), Some(1), "{said}");
        for words in [
            "of memory for model \"kernel\" (",
            "40 drugs",
            "3 features of a cell line",
            "; 1 MB is available (the limit `--memory`)",
            "help: take fewer features",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert!(!folder.path().join("run").exists());
    }
    let ran = halfmax(folder.path(), &["data", "check", "m.toml", "--memory", "1MB"]);
    let problems = said(&ran);
    assert_eq!(ran.status.code(), Some(4), "{problems}");
    assert!(
        problems.contains("evaluate needs about") && problems.contains("; train needs about"),
        "{problems}"
    );
    // Enough, and whatever the machine has.
    for memory in ["4GB", "unlimited"] {
        let ran = halfmax(folder.path(), &["data", "check", "m.toml", "--memory", memory]);
        assert!(ran.status.success(), "{}", said(&ran));
        let out = format!("run-{memory}");
        let ran = halfmax(folder.path(), &["train", "m.toml", "--out", &out, "--memory", memory]);
        assert!(ran.status.success(), "{}", said(&ran));
    }
    let ran = halfmax(folder.path(), &["data", "check", "m.toml", "--memory", "lots"]);
    assert_eq!(ran.status.code(), Some(2));
    assert!(said(&ran).contains("memory (`--memory`) = lots: expected a size such as 8GB"), "{}", said(&ran));
}

#[test]
fn a_check_says_what_models_need() {
    let folder = screen(30, 40, "knn");
    let ran = halfmax(folder.path(), &["data", "check", "m.toml", "--json"]);
    let text = String::from_utf8(ran.stdout).unwrap();
    let events: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |work: &str| -> Vec<&str> {
        let forecasts = events.iter().filter(|event| event["event"] == "memory" && event["work"] == work);
        forecasts.map(|event| event["model"].as_str().unwrap()).collect()
    };
    assert_eq!(of("train"), ["knn"]);
    // The naive predictors are evaluated, too.
    assert!(of("evaluate").contains(&"knn") && of("evaluate").contains(&"drug_mean"), "{text}");
    assert!(events.iter().all(|event| event["event"] != "memory" || event["bytes"].as_u64() > Some(0)));
}

#[test]
fn a_check_says_what_a_family_does_not_take() {
    let folder = screen(4, 6001, "kernel");
    let words = "family \"kernel\" takes at most 6000 drugs, these data have 6001";
    let ran = halfmax(folder.path(), &["data", "check", "m.toml"]);
    assert_eq!(ran.status.code(), Some(4));
    assert!(said(&ran).contains(words) && said(&ran).contains("family = \"boost\""), "{}", said(&ran));
    // Before any fit: the naive predictors come later.
    let ran = halfmax(folder.path(), &["evaluate", "m.toml", "--out", "run"]);
    assert_eq!(ran.status.code(), Some(3));
    assert!(said(&ran).contains(&format!("model \"kernel\", fold 0: {words}")), "{}", said(&ran));
    // Forests store a feature in 16 bits.
    let folder = screen(30, 5, "random_forest");
    let path = folder.path().join("expression.csv");
    let header: Vec<String> = (0..65_537).map(|gene| format!("GENE{gene}")).collect();
    let mut table = format!("cell_line,{}\n", header.join(","));
    for line in 0..30 {
        let values: Vec<String> = (0..65_537).map(|gene| ((line * 7 + gene) % 13).to_string()).collect();
        writeln!(table, "LINE-{line},{}", values.join(",")).unwrap();
    }
    fs::write(path, table).unwrap();
    let ran = halfmax(folder.path(), &["data", "check", "m.toml"]);
    assert_eq!(ran.status.code(), Some(4));
    assert!(said(&ran).contains("65537 features: expected at most 32768 and 65536"), "{}", said(&ran));
}

/// A user who may start few processes. The limit does not hold for root, who becomes another user here; others skip this: how many processes
/// they run already, nobody knows.
#[cfg(target_os = "linux")]
#[test]
fn few_threads_are_done_with_or_refused() {
    use std::os::unix::fs::PermissionsExt;

    let is_root = Command::new("id").arg("-u").output().is_ok_and(|ran| ran.stdout == b"0\n");
    let can_change = Command::new("setpriv").arg("--version").output().is_ok_and(|ran| ran.status.success());
    if !is_root || !can_change {
        return;
    }
    let folder = screen(30, 10, "knn");
    let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    let program = folder.path().join("halfmax");
    fs::copy(env!("CARGO_BIN_EXE_halfmax"), &program).unwrap();
    open(folder.path());
    open(&program);
    let run = |processes: usize| {
        // A number that no other test or person has.
        let script = format!(
            "ulimit -u {processes}; exec ./halfmax evaluate m.toml --out run-{processes} --threads 4"
        );
        let user = ["--reuid", "64123", "--clear-groups", "bash", "-c", &script];
        Command::new("setpriv").args(user).current_dir(folder.path()).output().unwrap()
    };
    let codes: Vec<Option<i32>> = (1..=8)
        .map(|processes| {
            let ran = run(processes);
            let said = said(&ran);
            assert!(!said.contains("panicked"), "{processes}: {said}");
            match ran.status.code() {
                Some(0) => {
                    assert!(said.contains("threads: the system cannot start more"), "{processes}: {said}")
                }
                Some(1) => assert!(
                    said.contains("further threads can be started") && said.contains("ulimit -u"),
                    "{processes}: {said}"
                ),
                other => panic!("{processes}: {other:?}: {said}"),
            }
            ran.status.code()
        })
        .collect();
    assert_eq!((codes[1], codes[7]), (Some(1), Some(0)), "{codes:?}");
}
