//! What the program says, word for word: the help of every command, the text of the demo, and errors that users meet.
//!
//! `INSTA_UPDATE=always cargo test --release --workspace --test words` writes the snapshots; read the difference.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod command;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use command::halfmax;

/// The names of the commands that a help lists.
fn commands(help: &str) -> Vec<String> {
    let list = help.split("Commands:\n").nth(1).unwrap_or_default();
    let names = list.lines().take_while(|line| line.starts_with("  "));
    let name =
        |line: &str| line.split_whitespace().next().filter(|_| !line.starts_with("    ")).map(str::to_owned);
    names.filter_map(name).filter(|name| name != "help").collect()
}

fn help_of(folder: &Path, words: &[&str], into: &mut String) {
    let output = halfmax(folder, &[words, &["--help"]].concat());
    assert!(output.status.success() && output.stderr.is_empty());
    let text = String::from_utf8(output.stdout).unwrap();
    into.push_str(&format!("$ halfmax {} --help\n{text}\n", words.join(" ")));
    for name in commands(&text) {
        help_of(folder, &[words, &[name.as_str()]].concat(), into);
    }
}

#[test]
fn the_help_of_every_command() {
    let mut text = String::new();
    help_of(TempDir::new().unwrap().path(), &[], &mut text);
    assert!(text.matches("$ halfmax").count() > 20);
    insta::assert_snapshot!(text);
}

#[test]
fn the_text_of_the_demo() {
    let folder = TempDir::new().unwrap();
    let output = halfmax(folder.path(), &["demo", "--out", "demo"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    // The seconds of fits stand at the ends of the lines of a leaderboard.
    let without_seconds = |line: &str| match line.rsplit_once("  ") {
        Some((start, last)) if line.contains('[') && last.trim().parse::<f64>().is_ok() => {
            start.trim_end().to_owned()
        }
        _ => line.trim_end().to_owned(),
    };
    let lines: Vec<String> = text.lines().map(without_seconds).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

const RESPONSES: &str =
    "cell_line,drug,LN_IC50\nA375,Dabrafenib,-1\nA375,Paclitaxel,2\nMCF7,Dabrafenib,3\nMCF7,Paclitaxel,1\n";
const CONFIG: &str = "[data]\nresponse = \"responses.csv\"\n\n[split]\nkind = \"lco\"\nfolds = 2\n\n[[model]]\nfamily = \"knn\"\n";

#[test]
fn errors_that_users_meet() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("responses.csv", RESPONSES);
    write("bad.csv", &RESPONSES.replace(",3\n", ",high\n"));
    write("plain.toml", CONFIG);
    write("typo.toml", &CONFIG.replace("response =", "reponse ="));
    write("family.toml", &CONFIG.replace("knn", "xgboost"));
    write("split.toml", &CONFIG.replace("lco", "lcp"));
    write("missing.toml", &CONFIG.replace("responses.csv", "nowhere.csv"));
    write("number.toml", &CONFIG.replace("responses.csv", "bad.csv"));
    write("folds.toml", &CONFIG.replace("folds = 2", "folds = 1"));
    write("one_dose.csv", "cell_line,drug,dose_um,viability\nA375,Dabrafenib,1,0.5\n");
    write("not_a_model.halfmax", "text");
    write("there.csv", "");
    let calls: [&[&str]; 12] = [
        &["evaluate", "none.toml"],
        &["evaluate", "typo.toml"],
        &["evaluate", "family.toml"],
        &["evaluate", "split.toml"],
        &["evaluate", "folds.toml"],
        &["evaluate", "missing.toml", "--out", "run"],
        &["evaluate", "number.toml", "--out", "run"],
        &["evaluate", "plain.toml", "--config-override", "model.0.neighbours=0", "--out", "run"],
        &["train", "plain.toml", "--model", "kernel", "--out", "run"],
        &[
            "score",
            "not_a_model.halfmax",
            "--cells",
            "responses.csv",
            "--drugs",
            "responses.csv",
            "--out",
            "scores.csv",
        ],
        &["fit-curves", "one_dose.csv", "--out", "curves.xlsx"],
        &["fit-curves", "one_dose.csv", "--out", "there.csv"],
    ];
    let mut text = String::new();
    for call in calls {
        let output = halfmax(folder.path(), call);
        let said = String::from_utf8_lossy(&output.stderr).replace(folder.path().to_str().unwrap(), "FOLDER");
        let code = output.status.code().unwrap();
        assert!(code != 0, "{call:?}");
        text.push_str(&format!("$ halfmax {}\n{said}exit code {code}\n\n", call.join(" ")));
    }
    insta::assert_snapshot!(text);
}
