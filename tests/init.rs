//! `halfmax init` and `halfmax data convert`: from files to a configuration, and from any files to Parquet.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod command;

use std::path::Path;

use command::halfmax;
use halfmax_data::read_table;

const LINES: [&str; 12] = [
    "A549", "MCF7", "K-562", "HL-60", "PC-3", "SW620", "HT-29", "U-2-OS", "SK-OV-3", "HCT-116", "NCI-H226",
    "A673",
];
const DRUGS: [(&str, &str); 4] = [
    ("Lumetinib", "CC(=O)Oc1ccccc1C(=O)O"),
    ("Corvaxel", "CN1C=NC2=C1C(=O)N(C)C(=O)N2C"),
    ("Nolastat", "CCO"),
    ("Pradizomib", "c1ccccc1"),
];
const GENES: [&str; 4] = ["ABCB1", "KRAS", "TP53", "EGFR"];

/// Writes the files of a small screen.
fn screen(folder: &Path) {
    let number = |at: usize| ((at * 37 + 11) % 101) as f64 / 20.0;
    let mut responses = "Cell line name;inhibitor;IC50 (nM)\n".to_owned();
    let mut expression = format!("gene\t{}\n", LINES.join("\t"));
    for (line, name) in LINES.iter().enumerate() {
        for (drug, (called, _)) in DRUGS.iter().enumerate() {
            responses += &format!(
                "{name};{called};{}\n",
                format!("{:.3}", 10.0 * number(line * 4 + drug) + 1.0).replace('.', ",")
            );
        }
    }
    for (gene, name) in GENES.iter().enumerate() {
        let values: Vec<String> =
            (0..LINES.len()).map(|line| format!("{:.2}", number(gene * 13 + line) + 1.0)).collect();
        expression += &format!("{name}\t{}\n", values.join("\t"));
    }
    let drugs: String = DRUGS.iter().map(|(name, smiles)| format!("{name},{smiles},EGFR\n")).collect();
    std::fs::write(folder.join("ic50.csv"), responses).unwrap();
    std::fs::write(folder.join("rna.txt"), expression).unwrap();
    std::fs::write(folder.join("compounds.csv"), format!("compound_name,smiles,target\n{drugs}")).unwrap();
    std::fs::write(folder.join("readme.csv"), "what,this is\nnotes,nothing\n").unwrap();
}

fn text(output: &std::process::Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

#[test]
fn a_configuration_is_written_that_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    screen(folder.path());
    let output = halfmax(
        folder.path(),
        &["init", "rna.txt", "ic50.csv", "compounds.csv", "readme.csv", "--out", "screen.toml"],
    );
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let written = std::fs::read_to_string(folder.path().join("screen.toml")).unwrap();
    for part in [
        "response = \"ic50.csv\"",
        "kind = \"expression\"",
        "file = \"rna.txt\"",
        "drugs = \"compounds.csv\"",
        "kind = \"lco\"",
        "# Not used: readme.csv",
    ] {
        assert!(written.contains(part), "expected {part:?} in:\n{written}");
    }
    // IC50 in nM: what to decide is said, on the terminal and in the file.
    assert!(
        said.contains("to decide") && written.contains("# TO DECIDE") && written.contains("transform"),
        "{said}\n{written}"
    );
    let checked = halfmax(folder.path(), &["data", "check", "screen.toml"]);
    assert!(checked.status.success(), "{}", text(&checked));
    assert!(text(&checked).contains("48 responses"), "{}", text(&checked));
    let again = halfmax(folder.path(), &["init", "ic50.csv"]);
    assert_eq!(again.status.code(), Some(2), "{}", text(&again));
}

#[test]
fn files_without_responses_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    screen(folder.path());
    let output = halfmax(folder.path(), &["init", "rna.txt", "compounds.csv"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output).contains("none of the files holds responses"), "{}", text(&output));
}

#[test]
fn a_screen_is_written_as_parquet_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    screen(folder.path());
    let config = "[data]\nresponse = \"ic50.csv\"\ndrugs = \"compounds.csv\"\n[[data.cells]]\nkind = \"expression\"\nfile = \"rna.txt\"\n\
                  [target]\ntransform = \"ln\"\n[split]\nkind = \"lco\"\nfolds = 3\n[[model]]\nfamily = \"kernel\"\n";
    std::fs::write(folder.path().join("screen.toml"), config).unwrap();
    let output = halfmax(folder.path(), &["data", "convert", "screen.toml", "--out", "set"]);
    assert!(output.status.success(), "{}", text(&output));
    let set = folder.path().join("set");
    let responses = read_table(set.join("responses.parquet")).unwrap();
    assert_eq!((responses.rows(), responses.names()[2].as_str()), (48, "IC50 (nM)"));
    let drugs = read_table(set.join("drugs.parquet")).unwrap();
    assert_eq!(drugs.names(), ["drug", "smiles", "targets", "target_pathway"]);
    // The same screen gives the same predictions.
    for (config, out) in [("screen.toml", "one"), ("set/screen.toml", "two")] {
        let trained = halfmax(folder.path(), &["train", config, "--out", out]);
        assert!(trained.status.success(), "{}", text(&trained));
        let model = format!("{out}/model.halfmax");
        let scores = format!("{out}.csv");
        let scored = halfmax(
            folder.path(),
            &["score", &model, "--cells", "rna.txt", "--drugs", "compounds.csv", "--out", &scores],
        );
        assert!(scored.status.success(), "{}", text(&scored));
    }
    let predicted = |name: &str| {
        let table = read_table(folder.path().join(name)).unwrap();
        table.numbers(table.find(&["predicted"]).unwrap(), "a number").unwrap()
    };
    assert_eq!(predicted("one.csv"), predicted("two.csv"));
}
