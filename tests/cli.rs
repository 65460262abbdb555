//! The `halfmax` binary as a user meets it: files in, files and messages out.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod command;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use command::halfmax;

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = halfmax(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?} failed:\n{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail with this code, and returns what it says.
fn fails(folder: &Path, code: i32, arguments: &[&str]) -> String {
    let output = halfmax(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}:\n{errors}");
    errors
}

fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "expected {part:?} in:\n{message}");
    }
}

const CONFIG: &str = r#"
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
[[model]]
family = "boost"
rounds = 20
min_leaf_weight = 2
"#;

/// A small screen: sensitivity to even drugs follows the first gene.
fn small_screen() -> TempDir {
    let folder = TempDir::new().unwrap();
    let gene = |cell: usize, gene: usize| ((cell * 37 + gene * 53 + cell * gene * 11) % 101) as f32 / 10.0;
    let mut expression = String::from("cell_line,G1,G2,G3,G4,G5,G6\n");
    let mut response = String::from("CELL_LINE_NAME,DRUG_NAME,LN_IC50\n");
    for cell in 0..30 {
        let genes: Vec<String> = (0..6).map(|g| gene(cell, g).to_string()).collect();
        expression.push_str(&format!("LINE-{cell},{}\n", genes.join(",")));
        for drug in 0..8 {
            let value = if drug % 2 == 0 && gene(cell, 0) > 5.0 { -2.0 } else { 1.0 } + drug as f32 / 4.0;
            response.push_str(&format!("Line {cell},Drug {drug},{value}\n"));
        }
    }
    let mut drugs = String::from("drug,smiles,targets,target_pathway\n");
    for drug in 0..8 {
        let smiles = ["CCO", "c1ccccc1O", "CC(=O)N"][drug % 3];
        let pathway = if drug % 2 == 0 { "even" } else { "odd" };
        drugs.push_str(&format!("Drug {drug},{smiles},EGFR,{pathway}\n"));
    }
    for (name, text) in [("expression.csv", &expression), ("response.csv", &response), ("drugs.csv", &drugs)]
    {
        fs::write(folder.path().join(name), text).unwrap();
    }
    fs::write(folder.path().join("config.toml"), CONFIG).unwrap();
    folder
}

/// Replaces one file of the small screen, evaluates, and returns what is said.
fn evaluate_with(name: &str, text: &str, code: i32) -> String {
    let folder = small_screen();
    fs::write(folder.path().join(name), text).unwrap();
    let message = fails(folder.path(), code, &["evaluate", "config.toml", "--out", "run"]);
    assert!(!folder.path().join("run").exists(), "a failed run left a folder");
    message
}

fn edited(name: &str, from: &str, to: &str) -> String {
    let folder = small_screen();
    let text = fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(text.contains(from));
    text.replacen(from, to, 1)
}

#[test]
fn the_demo_writes_a_complete_run() {
    let folder = TempDir::new().unwrap();
    let text = succeeds(folder.path(), &["demo", "--out", "demo"]);
    says(
        &text,
        &[
            "tissue_drug_mean",
            "Best predicted drugs",
            "K562",
            "A375",
            "MCF7",
            "beats the best naive predictor",
            "The reference study, with",
            "SIMULATED combinations of two drugs",
            "K562: SIMULATED combinations",
            "mechanisms that stand out",
        ],
    );
    let run = folder.path().join("demo");
    for file in [
        "metrics.json",
        "predictions.parquet",
        "leaderboard.csv",
        "config.toml",
        "manifest.json",
        "model.halfmax",
        "report.html",
        "importance.parquet",
        "mechanisms.parquet",
    ] {
        assert!(run.join(file).is_file(), "{file} is missing");
    }
    // What is known of these drugs is what stands out.
    let stands_out = text.split("mechanisms that stand out").nth(1).unwrap();
    for (drug, gene) in
        [("Paclitaxel", "ABCB1"), ("SN-38", "SLFN11"), ("Nutlin-3a (-)", "TP53"), ("Dabrafenib", "BRAF")]
    {
        let line = stands_out.lines().find(|line| line.trim_start().starts_with(drug) && line.contains(gene));
        assert!(line.is_some(), "{drug} without {gene} in:\n{stands_out}");
    }
    let report = fs::read_to_string(run.join("report.html")).unwrap();
    says(&report, &["K562", "Research use only", "within-drug R²", "ABC transporters"]);
    let metrics: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(run.join("metrics.json")).unwrap()).unwrap();
    let model = &metrics["models"][0];
    assert_eq!(model["family"], "boost");
    assert!(model["metrics"]["r2_within_drug"].as_f64().unwrap() > 0.2);
    assert!(model["intervals"]["rmse"][0].as_f64() < model["metrics"]["rmse"].as_f64());
    assert_eq!(model["folds"].as_array().unwrap().len(), 5);
    says(&fails(folder.path(), 2, &["demo", "--out", "demo"]), &["demo", "help:"]);
    let simulated = run.join("simulated-combinations");
    let metrics: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(simulated.join("metrics.json")).unwrap()).unwrap();
    assert!(metrics["name"].as_str().unwrap().contains("simulated"));
    // What is the same for every combination is not learnt of unseen ones; that drugs go together by their targets is.
    let pearson = |model: &serde_json::Value| model["metrics"]["pearson"].as_f64().unwrap();
    let models = metrics["models"].as_array().unwrap();
    let naive = models[1..].iter().map(pearson).fold(-1.0, f64::max);
    assert!((0.65..0.95).contains(&pearson(&models[0])) && pearson(&models[0]) > naive + 0.2, "{naive}");
    let manifest = fs::read_to_string(simulated.join("manifest.json")).unwrap();
    assert!(manifest.contains("\"simulated_synergy.csv\"") && !manifest.contains("partial"), "{manifest}");
    // The folder is a whole one: its configuration works where it lies.
    let config = simulated.join("config.toml");
    succeeds(folder.path(), &["evaluate", config.to_str().unwrap(), "--out", "again"]);
    let again = fs::read_to_string(folder.path().join("again/metrics.json")).unwrap();
    let again: serde_json::Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["models"][0]["metrics"], metrics["models"][0]["metrics"]);
}

#[test]
fn evaluate_learns_and_reproduces_for_any_number_of_threads() {
    let folder = small_screen();
    succeeds(folder.path(), &["evaluate", "config.toml", "--out", "run", "--threads", "1"]);
    let text = succeeds(folder.path(), &["--threads", "2", "reproduce", "run"]);
    says(&text, &["identical"]);
    let csv = fs::read_to_string(folder.path().join("run/leaderboard.csv")).unwrap();
    assert!(csv.lines().nth(1).unwrap().starts_with("boost"), "{csv}");
    // A changed input is told before anything is compared.
    let response = folder.path().join("response.csv");
    let text = fs::read_to_string(&response).unwrap().replacen("-2", "-1", 1);
    fs::write(response, text).unwrap();
    says(&fails(folder.path(), 4, &["reproduce", "run"]), &["response.csv", "has changed since the run"]);
}

#[test]
fn a_model_scores_cells_and_drugs_whatever_the_order_of_their_features() {
    let folder = small_screen();
    let path = folder.path();
    succeeds(path, &["train", "config.toml", "--out", "run"]);
    let score = |cells: &str, out: &str, more: &[&str]| {
        let start = ["score", "run/model.halfmax", "--cells", cells, "--drugs", "drugs.csv", "--out", out];
        succeeds(path, &[&start[..], more].concat());
        fs::read_to_string(path.join(out)).unwrap_or_default()
    };
    let scores = score("expression.csv", "scores.csv", &[]);
    assert_eq!(scores.lines().count(), 1 + 30 * 8);
    says(&scores, &["cell_line,drug,predicted,ic50_um,percentile,in_domain,feature_share"]);
    let reordered: String = fs::read_to_string(path.join("expression.csv"))
        .unwrap()
        .lines()
        .map(|line| {
            let mut fields: Vec<&str> = line.split(',').collect();
            fields[1..].reverse();
            let extra = if line.starts_with("cell_line") { "EXTRA" } else { "7.5" };
            format!("{},{extra}\n", fields.join(","))
        })
        .collect();
    fs::write(path.join("reordered.csv"), reordered).unwrap();
    assert_eq!(scores, score("reordered.csv", "again.csv", &[]));
    let top = score("expression.csv", "top.csv", &["--top", "2"]);
    assert_eq!(top.lines().count(), 1 + 30 * 2);
    fs::write(path.join("pairs.csv"), "cell_line,drug\nline 3,drug-4\nLINE3,Drug 5\n").unwrap();
    let pairs = score("expression.csv", "pairs_out.csv", &["--pairs", "pairs.csv"]);
    let listed: Vec<&str> = pairs.lines().skip(1).collect();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|line| scores.lines().any(|other| other == *line)), "{pairs}");
    score("expression.csv", "scores.ndjson", &[]);
    score("expression.csv", "scores.parquet", &[]);
    fs::write(path.join("two.csv"), "cell_line,G1,G2\nLINE1,0.5,1.5\n").unwrap();
    let start = ["score", "run/model.halfmax", "--drugs", "drugs.csv", "--out", "none.csv", "--cells"];
    let message = fails(path, 3, &[&start[..], &["two.csv"]].concat());
    says(&message, &["cell line", "33 %", "6 features", "at least half"]);
    assert!(!path.join("none.csv").exists());
}

#[test]
fn a_damaged_model_is_refused() {
    let folder = small_screen();
    let path = folder.path();
    succeeds(path, &["train", "config.toml", "--out", "run"]);
    let model = fs::read(path.join("run/model.halfmax")).unwrap();
    let export = |bytes: &[u8]| {
        fs::write(path.join("bad.halfmax"), bytes).unwrap();
        fails(path, 3, &["export", "bad.halfmax", "--format", "lightgbm", "--out", "model.txt"])
    };
    says(&export(&model[..model.len() / 2]), &["bad.halfmax", "help:"]);
    says(&export(b"not a model at all"), &["bad.halfmax"]);
    let mut altered = model.clone();
    let middle = model.len() / 2;
    altered[middle] ^= 0xFF;
    says(&export(&altered), &["bad.halfmax"]);
    assert!(!path.join("model.txt").exists());
}

#[test]
fn data_that_cannot_be_used_are_refused_with_their_place() {
    says(&evaluate_with("response.csv", "", 3), &["response.csv", "empty"]);
    says(
        &evaluate_with("response.csv", "name,compound_x,activity\nA,B,1\n", 3),
        &["response.csv", "name", "compound_x", "activity"],
    );
    let text = edited("response.csv", "Line 2,Drug 3,1.75", "Line 2,Drug 3,oops");
    says(&evaluate_with("response.csv", &text, 3), &["response.csv", "LN_IC50", "oops", "row 21"]);
    let text = edited("response.csv", "Line 2,Drug 3,1.75", "Line 2,Drug 3,inf");
    says(&evaluate_with("response.csv", &text, 3), &["response.csv", "inf"]);
    let text = edited("expression.csv", "LINE-4,", "LINE-3,");
    says(&evaluate_with("expression.csv", &text, 3), &["expression.csv", "LINE3"]);
    says(
        &evaluate_with("expression.csv", "cell_line,G1\nOTHER-1,1\nOTHER-2,2\n", 3),
        &["expression", "OTHER-1"],
    );
}

#[test]
fn odd_data_are_used_and_told() {
    let folder = small_screen();
    let path = folder.path();
    let change =
        |name: &str, from: &str, to: &str| fs::write(path.join(name), edited(name, from, to)).unwrap();
    change("response.csv", "Line 2,Drug 3,1.75", "Line 2,Drug 3,NaN");
    change("drugs.csv", "Drug 1,c1ccccc1O", "Drug 1,c1ccccc1O)(");
    let text = succeeds(path, &["data", "check", "config.toml"]);
    says(&text, &["239 responses", "Drug 1", "30 cell lines"]);
    let transposed = |text: &str| -> String {
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        let line = |at: usize| rows.iter().map(|row| row[at]).collect::<Vec<_>>().join(",") + "\n";
        (0..rows[0].len()).map(line).collect()
    };
    let expression = fs::read_to_string(path.join("expression.csv")).unwrap();
    succeeds(path, &["evaluate", "config.toml", "--out", "a"]);
    let transposed = transposed(&expression).replacen("cell_line", "gene", 1);
    fs::write(path.join("expression.csv"), transposed).unwrap();
    succeeds(path, &["evaluate", "config.toml", "--out", "b"]);
    let predictions = |run: &str| fs::read(path.join(run).join("predictions.parquet")).unwrap();
    assert_eq!(predictions("a"), predictions("b"), "the orientation of a file changed the result");
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    let with = |from: &str, to: &str| evaluate_with("config.toml", &CONFIG.replacen(from, to, 1), 2);
    says(&with("rounds = 20", "ruonds = 20"), &["ruonds", "did you mean `rounds`?"]);
    says(&with("[data]\nresponse", "[data]\nrespones"), &["config.toml", "line", "did you mean `response`?"]);
    says(&with("rounds = 20", "rounds = 0"), &["rounds = 0", "1 to 1000000"]);
    says(&with("rounds = 20", "learning_rate = -0.5"), &["learning_rate = -0.5", "above 0"]);
    says(&with("family = \"boost\"", "family = \"bost\""), &["bost", "did you mean \"boost\"?"]);
    says(&with("rounds = 20", "seen_again = \"drugs\""), &["seen_again", "`drugs`", "did you mean `drug`?"]);
    says(&with("rounds = 20", "rounds = \"many\""), &["rounds: ", "\"many\"", "expected a whole number"]);
    says(&with("folds = 3", "folds = 1"), &["folds = 1"]);
    says(&with("[split]\nkind = \"lco\"\nfolds = 3", ""), &["[split]", "is missing"]);
    let folder = small_screen();
    says(
        &fails(folder.path(), 2, &["evaluate", "none.toml", "--out", "run"]),
        &["none.toml", "cannot be read"],
    );
    fs::write(folder.path().join("config.toml"), CONFIG.replace("expression.csv", "absent.csv")).unwrap();
    says(&fails(folder.path(), 3, &["evaluate", "config.toml", "--out", "run"]), &["absent.csv"]);
    says(&fails(folder.path(), 2, &["frobnicate"]), &["frobnicate"]);
}

#[test]
fn overrides_and_json_lines_work() {
    let folder = small_screen();
    let arguments =
        ["--json", "--quiet", "--config-override", "model.0.rounds=5", "--config-override", "split.kind=ldo"];
    let text =
        succeeds(folder.path(), &[&arguments[..], &["evaluate", "config.toml", "--out", "run"]].concat());
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["event"], "leaderboard");
    let config = fs::read_to_string(folder.path().join("run/config.toml")).unwrap();
    says(&config, &["rounds = 5", "kind = \"ldo\""]);
}

#[test]
fn a_full_or_closed_place_is_told() {
    let folder = small_screen();
    let message = fails(folder.path(), 1, &["evaluate", "config.toml", "--out", "/proc/nothing/run"]);
    says(&message, &["/proc/nothing"]);
    succeeds(folder.path(), &["train", "config.toml", "--out", "run"]);
    let start = ["score", "run/model.halfmax", "--cells", "expression.csv", "--drugs", "drugs.csv", "--out"];
    says(&fails(folder.path(), 1, &[&start[..], &["/proc/nothing/scores.csv"]].concat()), &["/proc/nothing"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_and_an_unwritable_folder_are_told() {
    use std::os::unix::fs::PermissionsExt;
    let folder = small_screen();
    succeeds(folder.path(), &["train", "config.toml", "--out", "run"]);
    // A device on which every write fails for want of space.
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_halfmax"))
        .current_dir(folder.path())
        .args([
            "score",
            "run/model.halfmax",
            "--cells",
            "expression.csv",
            "--drugs",
            "drugs.csv",
            "--out",
            "-",
        ])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    says(&String::from_utf8_lossy(&output.stderr), &["No space left"]);
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(closed.join("probe"), "").is_ok() {
        eprintln!("skipped: this user may write where nobody may");
        return;
    }
    let message = fails(folder.path(), 1, &["evaluate", "config.toml", "--out", "closed/run"]);
    says(&message, &["closed", "Permission denied"]);
}

/// The folder of real screens, where it is there.
fn real_screens() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let found = folder.join("data/gdsc/gdsc2_response.csv.gz").is_file();
    if !found {
        eprintln!("skipped: {} has no real screens", folder.display());
    }
    found.then_some(folder)
}

/// Fetches a dataset from the folder of real screens, where that is there. Returns whether it is.
fn fetched(folder: &Path, dataset: &str, screen: &str) -> bool {
    let Some(shared) = real_screens() else { return false };
    let from = shared.join("data").join(screen);
    let arguments = ["data", "fetch", dataset, "--from", from.to_str().unwrap(), "--data-dir", "datasets"];
    succeeds(folder, &arguments);
    true
}

#[test]
fn synergy_of_unseen_combinations_is_learnt() {
    let folder = TempDir::new().unwrap();
    if !fetched(folder.path(), "oneil", "oneil") {
        return;
    }
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/oneil-synergy.toml");
    // The recipe as it ships.
    succeeds(folder.path(), &["data", "check", recipe.to_str().unwrap(), "--data-dir", "datasets"]);
    // The kernel model alone, whose fits take seconds.
    let text = fs::read_to_string(&recipe).unwrap();
    let kernel = text.split("[[model]]\nname = \"boost\"").next().unwrap();
    let shared = real_screens().unwrap();
    fs::write(folder.path().join("config.toml"), kernel).unwrap();
    succeeds(folder.path(), &["evaluate", "config.toml", "--out", "run", "--data-dir", "datasets"]);
    succeeds(folder.path(), &["reproduce", "run", "--data-dir", "datasets"]);
    let metrics = fs::read_to_string(folder.path().join("run/metrics.json")).unwrap();
    let metrics: serde_json::Value = serde_json::from_str(&metrics).unwrap();
    let model = &metrics["models"][0]["metrics"];
    let squared = model["rmse"].as_f64().unwrap().powi(2);
    let detection = &metrics["models"][0]["detection"];
    assert!((detection["mse"].as_f64().unwrap() - squared).abs() < 1e-6 * squared, "{detection}");
    assert!(detection["threshold"] == 30.0 && detection["roc_auc"].as_f64().unwrap() > 0.85, "{detection}");
    assert_eq!((model["n"].as_u64(), metrics["models"][0]["name"].as_str()), (Some(18_095), Some("kernel")));
    // Better than what was published, and not so good that something must have leaked.
    assert!((190.0..222.0).contains(&squared), "mean squared error {squared}");
    // Without the choice of what to do with it, the combination in two folds is refused.
    let wrong =
        ["evaluate", "config.toml", "--out", "other", "--config-override", "split.conflicts=\"error\""];
    let wrong = [&wrong[..], &["--data-dir", "datasets"]].concat();
    says(&fails(folder.path(), 3, &wrong), &["BEZ-235 + MK-8776", "rows 51 and 54", "majority"]);
    // A model of combinations is trained; other commands say what they do not do.
    succeeds(folder.path(), &["train", "config.toml", "--out", "model", "--data-dir", "datasets"]);
    let drugs = shared.join("data/oneil/drugs.csv");
    let score = ["score", "model/model.halfmax", "--cells", "config.toml", "--out", "scores.csv", "--drugs"];
    let score = [&score[..], &[drugs.to_str().unwrap()]].concat();
    says(&fails(folder.path(), 2, &score), &["combinations"]);
}

#[test]
fn gdsc2_is_learnt_on_unseen_cell_lines() {
    let folder = TempDir::new().unwrap();
    if !fetched(folder.path(), "gdsc2", "gdsc") {
        return;
    }
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/boost-best.toml");
    let recipe = recipe.to_str().unwrap();
    let overrides = ["--config-override", "split.only_folds=[0]", "--config-override", "model.0.rounds=300"];
    succeeds(
        folder.path(),
        &[&["evaluate", recipe, "--out", "run", "--data-dir", "datasets"], &overrides[..]].concat(),
    );
    let metrics = fs::read_to_string(folder.path().join("run/metrics.json")).unwrap();
    let metrics: serde_json::Value = serde_json::from_str(&metrics).unwrap();
    let fold = &metrics["models"][0]["folds"][0];
    let within = fold["metrics"]["r2_within_drug"].as_f64().unwrap();
    // Better than trees on joined rows, and not so good that something must have leaked.
    assert!((0.32..0.45).contains(&within), "within-drug R² {within}");
    assert!(fold["n_test"].as_u64().unwrap() > 40_000);
    assert!(metrics["models"].as_array().unwrap().len() >= 6);
}

#[test]
fn intervals_hold_nine_of_ten_responses_of_cell_lines_of_gdsc2_that_were_never_seen() {
    let folder = TempDir::new().unwrap();
    if !fetched(folder.path(), "gdsc2", "gdsc") {
        return;
    }
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/gdsc2-kernel.toml");
    let recipe = recipe.to_str().unwrap();
    succeeds(folder.path(), &["evaluate", recipe, "--out", "run", "--data-dir", "datasets"]);
    let metrics = fs::read_to_string(folder.path().join("run/metrics.json")).unwrap();
    let metrics: serde_json::Value = serde_json::from_str(&metrics).unwrap();
    let kernel = &metrics["models"][0];
    let ninety = kernel["calibration"].as_array().unwrap().iter().find(|one| one["nominal"] == 0.9).unwrap();
    let held = ninety["observed"].as_f64().unwrap();
    assert!((0.88..=0.92).contains(&held), "{ninety}");
    assert!(ninety["n"].as_u64().unwrap() > 220_000);
    // Narrower than those of a drug's mean, which hold as many.
    let naive =
        metrics["models"].as_array().unwrap().iter().find(|model| model["name"] == "drug_mean").unwrap();
    let width = |model: &serde_json::Value| model["calibration"][2]["mean_width"].as_f64().unwrap();
    assert!(width(kernel) < 0.85 * width(naive));
    // Twenty measured responses of a new cell line are worth more than everything else known of it.
    let point = |at: usize| kernel["learning_curve"][at]["metrics"]["per_drug_pearson"].as_f64().unwrap();
    assert!(point(0) > 0.57 && point(5) > 0.7 && point(5) < 0.8, "{kernel}");
}

#[test]
#[cfg(unix)]
fn an_interrupted_run_leaves_nothing_behind() {
    let folder = small_screen();
    let path = folder.path();
    let before = fs::read_dir(path).unwrap().count();
    let child = Command::new(env!("CARGO_BIN_EXE_halfmax"))
        .current_dir(path)
        .args(["--config-override", "model.0.rounds=1000000", "train", "config.toml", "--out", "run"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The folder under its temporary name shows that the work has begun.
    let start = std::time::Instant::now();
    while fs::read_dir(path).unwrap().count() == before {
        assert!(start.elapsed().as_secs() < 60, "the run did not begin");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    std::thread::sleep(std::time::Duration::from_millis(200));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    says(&String::from_utf8_lossy(&output.stderr), &["interrupted"]);
    assert_eq!(fs::read_dir(path).unwrap().count(), before, "something was left behind");
}

#[test]
fn features_that_do_not_vary_are_used_without_harm() {
    let folder = small_screen();
    let path = folder.path();
    let text = fs::read_to_string(path.join("expression.csv")).unwrap();
    let constant = text.lines().map(|line| {
        let value = if line.starts_with("cell_line") { "FLAT" } else { "3.5" };
        format!("{line},{value}\n")
    });
    fs::write(path.join("expression.csv"), constant.collect::<String>()).unwrap();
    let report = succeeds(path, &["data", "inspect", "expression.csv"]);
    says(&report, &["FLAT"]);
    succeeds(path, &["evaluate", "config.toml", "--out", "run"]);
}

#[test]
fn kernels_and_stacks_train_score_and_reproduce() {
    let folder = small_screen();
    let config = fs::read_to_string(folder.path().join("config.toml")).unwrap();
    let start = config.find("[[model]]").unwrap();
    let models = "[[model]]\nfamily = \"stack\"\n\n[[model]]\nfamily = \"kernel\"\n\n[[model]]\nname = \"trees\"\n\
                  family = \"boost\"\nrounds = 30\n";
    fs::write(folder.path().join("config.toml"), format!("{}{models}", &config[..start])).unwrap();
    fs::copy(folder.path().join("response.csv"), folder.path().join("again.csv")).unwrap();
    let text = succeeds(
        folder.path(),
        &["evaluate", "config.toml", "--out", "run", "--config-override", "data.replicate=again.csv"],
    );
    says(&text, &["stack", "kernel", "trees", "Friedman", "mean per-drug Pearson of 1.000"]);
    let metrics: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("run/metrics.json")).unwrap()).unwrap();
    assert!(metrics["comparison"]["pairs"].as_array().is_some_and(|pairs| pairs.len() > 20));
    assert_eq!(metrics["ceiling"]["rmse"], 0.0);
    succeeds(folder.path(), &["reproduce", "run"]);
    // A reference study of other cell lines is refused, not ignored.
    fs::write(folder.path().join("again.csv"), "CELL_LINE_NAME,DRUG_NAME,LN_IC50\nElsewhere,Drug 1,2.0\n")
        .unwrap();
    let message = fails(
        folder.path(),
        3,
        &["evaluate", "config.toml", "--out", "other", "--config-override", "data.reference_study=again.csv"],
    );
    says(&message, &["the reference study and the screen have no pair of cell line and drug in common"]);
    succeeds(folder.path(), &["train", "config.toml", "--out", "trained"]);
    let score = ["score", "trained/model.halfmax", "--cells", "expression.csv", "--drugs", "drugs.csv"];
    succeeds(folder.path(), &[&score[..], &["--out", "scores.csv"]].concat());
    let scores = fs::read_to_string(folder.path().join("scores.csv")).unwrap();
    assert!(scores.lines().count() > 100, "{scores}");
    let message = fails(
        folder.path(),
        2,
        &["export", "trained/model.halfmax", "--format", "lightgbm", "--out", "model.txt"],
    );
    says(&message, &["family \"stack\" has no trees to export"]);
}

#[test]
fn a_stack_names_members_that_are_not_there_and_a_kernel_its_parameters() {
    let with = |models: &str| {
        let config = edited("config.toml", "[[model]]", models);
        evaluate_with("config.toml", &config, 2)
    };
    let message = with("[[model]]\nfamily = \"stack\"\nmembers = [\"bost\"]\n\n[[model]]");
    says(
        &message,
        &["family \"stack\"", "members names \"bost\", which is not a single model of the configuration"],
    );
    let message = with("[[model]]\nfamily = \"kernel\"\nshrinkage = 3\n\n[[model]]");
    says(&message, &["family \"kernel\"", "profile_shrinkage = 3: expected a number from 0 to 1"]);
    let message = with("[[model]]\nfamily = \"kernel\"\nlenghtscale = 3\n\n[[model]]");
    says(&message, &["unknown field `lenghtscale`"]);
}

/// The small screen with a kernel model, and whatever sections more.
fn with_kernel(sections: &str) -> TempDir {
    let folder = small_screen();
    let path = folder.path().join("config.toml");
    let config = fs::read_to_string(&path).unwrap();
    let start = config.find("[[model]]").unwrap();
    fs::write(&path, format!("{}{sections}\n[[model]]\nfamily = \"kernel\"\n", &config[..start])).unwrap();
    folder
}

/// A CSV file as one map from column to text for each row.
fn rows_of(path: &Path) -> Vec<std::collections::BTreeMap<String, String>> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| {
        names.iter().zip(line.split(',')).map(|(name, value)| ((*name).into(), value.into())).collect()
    };
    lines.map(row).collect()
}

#[test]
fn scores_have_intervals_say_how_near_the_training_is_and_take_measured_responses() {
    let folder = with_kernel("[intervals]\nlevel = 0.8\n");
    let path = folder.path();
    succeeds(path, &["train", "config.toml", "--out", "run"]);
    let cells = "cell_line,G1,G2,G3,G4,G5,G6\nLINE-3,1,2,3,4,5,6\nNew,1,2,3,4,5,6\nFar,900,2,-800,4,500,6\n";
    fs::write(path.join("new.csv"), cells).unwrap();
    let drugs = fs::read_to_string(path.join("drugs.csv")).unwrap() + "Drug X,CCN,EGFR,odd\n";
    fs::write(path.join("more.csv"), drugs).unwrap();
    let score = |out: &str, more: &[&str]| {
        let start = ["score", "run/model.halfmax", "--cells", "new.csv", "--drugs", "more.csv", "--out", out];
        succeeds(path, &[&start[..], more].concat());
        rows_of(&path.join(out))
    };
    let number = |text: &str| text.parse::<f64>().unwrap();
    let before = score("before.csv", &[]);
    assert_eq!(before.len(), 3 * 9);
    for row in &before {
        let (in_domain, known) = (number(&row["in_domain"]), row["drug"] != "Drug X");
        // Intervals were calibrated for unseen cell lines and known drugs.
        assert_eq!(row["lower"].is_empty(), !known, "{row:?}");
        if known {
            let ends = [number(&row["lower"]), number(&row["predicted"]), number(&row["upper"])];
            assert!(ends[0] < ends[1] && ends[1] < ends[2], "{row:?}");
        }
        match row["cell_line"].as_str() {
            "LINE3" if known => assert_eq!(in_domain, 1.0),
            "FAR" => assert_eq!(in_domain, 0.0),
            _ => assert!((0.0..=1.0).contains(&in_domain)),
        }
        assert_eq!(row["feature_share"], "1.0");
    }
    // The new cell line turns out to be far more resistant than it was predicted to be.
    let measured =
        "cell_line,drug,LN_IC50\nNEW,Drug 1,6.0\nNew,drug 3,6.0\nLINE-3,Drug 1,6.0\nElse,Drug 1,6.0\n";
    fs::write(path.join("measured.csv"), measured).unwrap();
    let after = score("after.csv", &["--responses", "measured.csv"]);
    for (before, after) in before.iter().zip(&after) {
        let moved = number(&after["predicted"]) - number(&before["predicted"]);
        match before["cell_line"].as_str() {
            "NEW" if ["Drug 1", "Drug 3"].contains(&before["drug"].as_str()) => {
                assert!(moved > 0.3, "{moved}")
            }
            "NEW" => {}
            _ => assert_eq!(moved, 0.0),
        }
    }
    let start = ["score", "run/model.halfmax", "--cells", "new.csv", "--drugs", "more.csv"];
    let message =
        run_with_notes(path, &[&start[..], &["--out", "x.csv", "--responses", "measured.csv"]].concat());
    says(
        &message,
        &[
            "2 of 4 responses are used; 1 are for cell lines or drugs that are not scored, 1 for training entities",
        ],
    );
    fs::write(path.join("measured.csv"), "cell_line,drug,LN_IC50\nNobody,Drug 1,6.0\n").unwrap();
    let message = fails(path, 3, &[&start[..], &["--out", "y.csv", "--responses", "measured.csv"]].concat());
    says(
        &message,
        &["measured.csv: none of its 1 responses is for a cell line and a drug of the given files"],
    );
    fs::write(path.join("measured.csv"), "cell_line,drug,AUC\nNew,Drug 1,0.5\n").unwrap();
    let message = fails(path, 3, &[&start[..], &["--out", "y.csv", "--responses", "measured.csv"]].concat());
    says(
        &message,
        &["measured.csv: has no column LN_IC50, which the model predicts", "cell_line, drug, AUC"],
    );
    fs::write(path.join("measured.csv"), "cell_line,drug,LN_IC50\nLINE-3,Drug 1,6.0\n").unwrap();
    let message = fails(path, 3, &[&start[..], &["--out", "y.csv", "--responses", "measured.csv"]].concat());
    says(&message, &["can use none of the 1 responses", "split lco"]);
    // Trees take none.
    let trees = small_screen();
    succeeds(trees.path(), &["train", "config.toml", "--out", "run"]);
    fs::write(trees.path().join("measured.csv"), "cell_line,drug,LN_IC50\nLINE-3,Drug 1,6.0\n").unwrap();
    let start = ["score", "run/model.halfmax", "--cells", "expression.csv", "--drugs", "drugs.csv"];
    let message =
        fails(trees.path(), 2, &[&start[..], &["--out", "y.csv", "--responses", "measured.csv"]].concat());
    says(&message, &["family \"boost\" takes no measured responses", "family \"kernel\""]);
}

/// Standard error of a run that succeeds.
fn run_with_notes(folder: &Path, arguments: &[&str]) -> String {
    let output = halfmax(folder, arguments);
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_evaluation_tells_of_intervals_pilot_measurements_and_another_study() {
    let folder = with_kernel("[intervals]\nmodels = [\"kernel\"]\n[pilot]\nresponses = [0, 2, 4]\n");
    let path = folder.path();
    let response = fs::read_to_string(path.join("response.csv")).unwrap();
    let again: String =
        response.lines().filter(|line| !line.contains("Drug 7")).map(|l| format!("{l}\n")).collect();
    fs::write(path.join("again.csv"), again).unwrap();
    let text = succeeds(
        path,
        &["evaluate", "config.toml", "--out", "run", "--config-override", "data.reference_study=again.csv"],
    );
    says(&text, &["intervals of", "95 % held", "given responses", "kernel, within-drug R²", "other study"]);
    let metrics: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path.join("run/metrics.json")).unwrap()).unwrap();
    let models = metrics["models"].as_array().unwrap();
    let kernel = models.iter().find(|model| model["name"] == "kernel").unwrap();
    let nominal: Vec<f64> = kernel["calibration"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["nominal"].as_f64().unwrap())
        .collect();
    assert_eq!(nominal, [0.5, 0.8, 0.9, 0.95]);
    let curve = kernel["learning_curve"].as_array().unwrap();
    assert_eq!(curve.iter().map(|point| point["responses"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 2, 4]);
    let error = |at: usize| curve[at]["metrics"]["rmse"].as_f64().unwrap();
    assert!(error(2) < error(0), "{curve:?}");
    // The other study repeats this one, without a drug.
    let cross = &kernel["cross_study"];
    assert_eq!((cross["within"]["n"].as_u64(), cross["drop"]["rmse"].as_f64()), (Some(30 * 7), Some(0.0)));
    assert!(models.iter().all(|model| model["name"] == "kernel" || model.get("calibration").is_none()));
    succeeds(path, &["reproduce", "run"]);
    let message = evaluate_with(
        "config.toml",
        &edited("config.toml", "[[model]]", "[intervals]\nmodels = [\"bost\"]\n[[model]]"),
        2,
    );
    says(&message, &["intervals.models names \"bost\"", "did you mean \"boost\"?"]);
    let message = evaluate_with(
        "config.toml",
        &edited("config.toml", "[[model]]", "[pilot]\nresponses = [2, 1]\n[[model]]"),
        2,
    );
    says(&message, &["pilot.responses = [2, 1]: expected ascending numbers"]);
}

const SEARCH: &str = "[tune]\ntrials = 4\nfolds = 2\n[tune.space]\nrounds = { low = 1, high = 40 }\n\
                      learning_rate = { low = 0.01, high = 0.5, log = true }\n[[model]]";

#[test]
fn a_search_keeps_every_trial_and_goes_on_where_it_was_interrupted() {
    let folder = small_screen();
    let path = folder.path();
    fs::write(path.join("config.toml"), edited("config.toml", "[[model]]", SEARCH)).unwrap();
    succeeds(path, &["evaluate", "config.toml", "--out", "run"]);
    assert!(!path.join("run.trials.jsonl").exists());
    let whole = fs::read_to_string(path.join("run/trials.jsonl")).unwrap();
    let trials: Vec<serde_json::Value> =
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // Three folds, each with a search of its own; the model's own parameters come first.
    assert_eq!(trials.len(), 3 * 4);
    assert!(trials.iter().all(|trial| trial["rmse"].as_f64().unwrap() > 0.0 && trial["model"] == "boost"));
    assert_eq!(trials[4]["params"], serde_json::json!({}));
    assert!(trials[5]["params"]["rounds"].as_u64().unwrap() <= 40);
    succeeds(path, &["reproduce", "run"]);
    // As if a run had been killed within its sixth trial.
    let header = kept_header(path);
    let five: Vec<&str> = whole.lines().take(5).collect();
    let sixth = whole.lines().nth(5).unwrap();
    let marked = five.join("\n").replace("\"trial\":", "\"trial_seconds\":1000,\"trial\":");
    let killed = format!("{header}\n{marked}\n{}", &sixth[..20]);
    fs::write(path.join("resumed.trials.jsonl"), &killed).unwrap();
    let notes = run_with_notes(path, &["evaluate", "config.toml", "--out", "resumed"]);
    says(&notes, &["resumed.trials.jsonl: found 5 earlier trials"]);
    let resumed = fs::read_to_string(path.join("resumed/trials.jsonl")).unwrap();
    assert_eq!(resumed.lines().count(), 12);
    assert!(resumed == whole);
    let metrics: serde_json::Value =
        serde_json::from_slice(&fs::read(path.join("resumed/metrics.json")).unwrap()).unwrap();
    let seconds = metrics["trial_seconds"].as_array().unwrap();
    assert_eq!(seconds.len(), 12);
    assert!(seconds[..5].iter().all(|one| one == 1000.0), "trials were made again: {seconds:?}");
    let predictions = |run: &str| fs::read(path.join(run).join("predictions.parquet")).unwrap();
    assert!(predictions("run") == predictions("resumed"));
    // Trials of another configuration are not taken for those of this one.
    fs::write(path.join("other.trials.jsonl"), &killed).unwrap();
    let message = fails(
        path,
        2,
        &["evaluate", "config.toml", "--out", "other", "--config-override", "model.0.leaves=5"],
    );
    says(&message, &["other.trials.jsonl: holds trials of another configuration", "remove that file"]);
}

/// The first line that a search of the folder's configuration keeps, from a run that is killed while it searches.
fn kept_header(path: &Path) -> String {
    let mut run = Command::new(env!("CARGO_BIN_EXE_halfmax"))
        .current_dir(path)
        .args(["evaluate", "config.toml", "--out", "killed"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let kept = path.join("killed.trials.jsonl");
    let header = loop {
        let text = fs::read_to_string(&kept).unwrap_or_default();
        if let Some((first, _)) = text.split_once('\n') {
            break first.to_owned();
        }
        assert!(run.try_wait().unwrap().is_none() || kept.exists(), "it ended before it kept anything");
    };
    let _ = run.kill();
    let _ = run.wait();
    header
}

#[test]
fn a_search_that_cannot_work_is_refused() {
    let with = |search: &str| {
        evaluate_with("config.toml", &edited("config.toml", "[[model]]", &format!("{search}\n[[model]]")), 2)
    };
    let space = "[tune.space]\nrounds = { low = 1, high = 40 }";
    says(&with(&format!("[tune]\ntrials = 1\n{space}")), &["tune.trials = 1: expected 2 to 100000"]);
    let message = with("[tune]\n[tune.space]\nround = [1, 2]");
    says(&message, &["tune.space.round", "unknown field `round`", "did you mean `rounds`?"]);
    let message = with("[tune]\n[tune.space]\nlearning_rate = { low = 0.1, high = 7.0 }");
    says(&message, &["tune.space.learning_rate", "learning_rate = 7"]);
    let message = with("[tune]\n[tune.space]\nlearning_rate = { low = 0.0, high = 0.5, log = true }");
    says(&message, &["tune.space.learning_rate = 0.0 to 0.5: expected low above 0"]);
    let message = with("[tune]\n[tune.space]\nlearning_rate = { low = 0.1, hgih = 0.5 }");
    says(&message, &["unknown field `hgih`", "did you mean `high`?"]);
    says(&with("[tune]\n[tune.space]\nleaves = 4"), &["a list of values, or a range"]);
    let twice = "[[model]]\nfamily = \"boost\"\nrounds = 3\n";
    says(&with(twice), &["two models are called \"boost\"", "another name"]);
    let message = with(&format!("[tune]\nmodel = \"bost\"\n{space}"));
    says(&message, &["tune.model names \"bost\"", "did you mean \"boost\"?"]);
    let two = format!("[tune]\n{space}\n[[model]]\nfamily = \"kernel\"");
    says(&with(&two), &["tune.model is missing, and there are 2 models"]);
}

#[test]
fn drugs_that_say_little_and_constant_predictions_are_told() {
    let folder = with_kernel("");
    let path = folder.path();
    let mut response = fs::read_to_string(path.join("response.csv")).unwrap();
    response.push_str("Line 0,Drug few,1.5\n");
    (0..30).for_each(|cell| response.push_str(&format!("Line {cell},Drug same,2.5\n")));
    fs::write(path.join("response.csv"), response).unwrap();
    let notes = run_with_notes(path, &["evaluate", "config.toml", "--out", "run"]);
    says(
        &notes,
        &[
            "1 drugs have fewer than 5 responses, so models learn little about them: Drug few",
            "5 drugs have the same response in every cell line, so models learn nothing about them: Drug 1,",
            "model \"kernel\" predicts the same value for all cell lines of 5 drugs: their Pearson correlation counts as 0",
        ],
    );
}

const NEURAL: &str = "[[model]]\nfamily = \"neural\"\nensemble_size = 2\nhidden = [16]\nrank = 4\nbatch = 8\nepochs = 20\n\
                      learning_rate = 0.02\nvalidation_fraction = 0.2\ndevice = \"cpu\"\n";

/// The small screen with a neural model, and whatever sections before it.
fn with_networks(sections: &str) -> TempDir {
    let folder = small_screen();
    let path = folder.path().join("config.toml");
    let config = fs::read_to_string(&path).unwrap();
    let start = config.find("[[model]]").unwrap();
    fs::write(&path, format!("{}{sections}\n{NEURAL}", &config[..start])).unwrap();
    folder
}

#[test]
fn networks_train_score_reproduce_and_write_their_epochs() {
    let folder = with_networks("[intervals]\nlevel = 0.8\n");
    let path = folder.path();
    says(&succeeds(path, &["evaluate", "config.toml", "--out", "run"]), &["neural", "80 %"]);
    let epochs = rows_of(&path.join("run/training.csv"));
    // Three folds, and three pairs of folds for the intervals; two members of twenty epochs at most.
    assert!(epochs.len() > 6 * 2 * 10 && epochs.len() <= 6 * 2 * 20, "{}", epochs.len());
    assert_eq!(epochs[0]["model"], "\"neural\"");
    let number = |row: usize, name: &str| epochs[row][name].parse::<f64>().unwrap();
    assert!(number(9, "training_loss") < number(0, "training_loss"));
    assert!(number(9, "validation_rmse") < number(0, "validation_rmse"));
    succeeds(path, &["reproduce", "run"]);
    succeeds(path, &["train", "config.toml", "--out", "trained"]);
    assert_eq!(rows_of(&path.join("trained/training.csv"))[0]["left_out"], "");
    let score = ["score", "trained/model.halfmax", "--cells", "expression.csv", "--drugs", "drugs.csv"];
    succeeds(path, &[&score[..], &["--out", "scores.csv"]].concat());
    for row in rows_of(&path.join("scores.csv")) {
        let number = |name: &str| row[name].parse::<f64>().unwrap();
        assert!(number("lower") < number("predicted") && number("predicted") < number("upper"), "{row:?}");
    }
}

#[test]
#[cfg(unix)]
fn training_that_was_interrupted_goes_on_and_comes_to_the_same() {
    let folder = with_networks("");
    let path = folder.path();
    let endless =
        ["--config-override", "model.0.epochs=4000", "--config-override", "model.0.patience=100000"];
    let train = |out: &'static str| [&["train", "config.toml", "--out", out][..], &endless].concat();
    // Stopped later and later, until training had begun.
    let mut wait = std::time::Duration::from_millis(300);
    let message = loop {
        let child = Command::new(env!("CARGO_BIN_EXE_halfmax"))
            .current_dir(path)
            .args(train("run"))
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(wait);
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert!(!output.status.success(), "it was finished after {wait:?}");
        if path.join("run.checkpoints").is_dir() {
            assert_eq!(output.status.code(), Some(130));
            break String::from_utf8_lossy(&output.stderr).into_owned();
        }
        wait *= 2;
    };
    says(&message, &["kept in run.checkpoints", "run the same command to continue"]);
    assert!(!path.join("run").exists());
    let wider = [&train("run")[..], &["--config-override", "model.0.hidden=[17]"]].concat();
    says(
        &fails(path, 2, &wider),
        &["run.checkpoints", "the checkpoint belongs to another architecture", "help: "],
    );
    succeeds(path, &train("run"));
    assert!(!path.join("run.checkpoints").exists());
    succeeds(path, &train("whole"));
    let model = |out: &str| fs::read(path.join(out).join("model.halfmax")).unwrap();
    assert!(model("run") == model("whole"), "other models");
}

#[test]
fn networks_that_cannot_be_are_refused() {
    let with = |lines: &str| {
        let config = edited("config.toml", "family = \"boost\"\nrounds = 20\nmin_leaf_weight = 2\n", lines);
        evaluate_with("config.toml", &config, 2)
    };
    let message = with("family = \"neural\"\nbatch = 0\n");
    says(&message, &["family \"neural\"", "batch = 0: expected at least 1"]);
    let message = with("family = \"neural\"\ndevice = \"cuda:0\"\n");
    if cfg!(not(feature = "cuda")) {
        says(&message, &["this build has no support for it", "cargo build --release --features cuda"]);
    }
    let message = with("family = \"neural\"\nhiden = [3]\n");
    says(&message, &["unknown field `hiden`"]);
    let message = with("family = \"neural\"\nmechanisms = \"nowhere.toml\"\n");
    says(&message, &["mechanisms = \"nowhere.toml\": the catalogue cannot be read"]);
}

#[test]
fn a_model_is_trained_by_its_name() {
    let folder = small_screen();
    let two = format!("{CONFIG}\n[[model]]\nname = \"near\"\nfamily = \"knn\"\n");
    fs::write(folder.path().join("two.toml"), two).unwrap();
    let error = fails(folder.path(), 2, &["train", "two.toml", "--model", "nera", "--out", "run"]);
    says(&error, &["two.toml: no [[model]] is called \"nera\"", "did you mean \"near\"?"]);
    assert!(!folder.path().join("run").exists());
    let said = succeeds(folder.path(), &["train", "two.toml", "--model", "near", "--out", "run", "--json"]);
    says(&said, &["\"family\":\"knn\"", "\"name\":\"near\""]);
    // The run says which model it is of: it can be run again, and explained.
    succeeds(folder.path(), &["reproduce", "run"]);
    let first = halfmax(folder.path(), &["train", "two.toml", "--out", "first"]);
    says(&String::from_utf8_lossy(&first.stderr), &["training \"boost\", the first of 2 models"]);
}

#[test]
fn shells_and_manuals_know_every_command() {
    let folder = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = succeeds(folder.path(), &["shell", "completions", shell]);
        says(&script, &["fit-curves", "checkpoint-every"]);
    }
    succeeds(folder.path(), &["shell", "man", "--out", "man"]);
    for page in ["halfmax.1", "halfmax-score.1", "halfmax-data-fetch.1", "halfmax-shell-man.1"] {
        assert!(folder.path().join("man").join(page).is_file(), "{page}");
    }
    let page = fs::read_to_string(folder.path().join("man/halfmax-train.1")).unwrap();
    says(&page, &["The name of the model to train"]);
}

#[test]
fn the_reference_of_commands_is_current() {
    let folder = TempDir::new().unwrap();
    succeeds(folder.path(), &["shell", "reference", "--out", "."]);
    let made = fs::read_to_string(folder.path().join("commands.md")).unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/commands.md");
    assert!(fs::read_to_string(page).unwrap_or_default() == made, "cargo xtask reference");
    says(&made, &["## `halfmax data fetch`", "--checkpoint-every SECONDS", "Default: `20`"]);
}

#[test]
fn keys_of_a_configuration_are_explained() {
    let folder = TempDir::new().unwrap();
    let said = succeeds(folder.path(), &["config", "--explain", "split.kind"]);
    says(&said, &["split.kind", "required", "lco or leave_cell_line: ", "leave_drug: "]);
    let said = succeeds(folder.path(), &["config", "--explain", "rounds"]);
    says(&said, &["model.boost.rounds: whole number, by default"]);
    let error = fails(folder.path(), 2, &["config", "--explain", "top_varaince"]);
    says(&error, &["did you mean \"top_variance\"?"]);
    let schema = succeeds(folder.path(), &["config", "--schema"]);
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert!(schema.pointer("/properties/model/items/oneOf").unwrap().as_array().unwrap().len() > 10);
}
