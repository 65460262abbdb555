//! `halfmax score` of combinations as a user meets it.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod command;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use command::halfmax;

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = halfmax(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

fn fails(folder: &Path, code: i32, arguments: &[&str]) -> String {
    let output = halfmax(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}

fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "expected {part:?} in:\n{message}");
    }
}

const CELLS: usize = 12;
const DRUGS: usize = 9;

/// Drugs whose structures differ: chains of some length with some end.
fn drug(at: usize) -> String {
    format!(
        "D{at:04},{}{}",
        "C".repeat(1 + at % 23),
        ["O", "N", "c1ccccc1", "C(=O)O", "Cl", "S", "F"][at % 7]
    )
}

fn drugs(count: usize) -> String {
    let rows = (0..count).map(drug).collect::<Vec<String>>().join("\n");
    format!("drug,smiles\n{rows}\n")
}

fn expression(cells: usize) -> String {
    let mut text = String::from("cell_line,G1,G2,G3\n");
    for cell in 0..cells {
        let value = |gene: usize| ((cell * 7 + gene * 13) as f64 * 0.7).sin() + 0.01 * cell as f64;
        writeln!(text, "C{cell:04},{:.4},{:.4},{:.4}", value(0), value(1), value(2)).unwrap();
    }
    text
}

/// A folder with screens of synergy and of ln IC50 of the same drugs in the same cell lines, which are random names.
fn screens() -> TempDir {
    let folder = TempDir::new().unwrap();
    let (mut synergy, mut single, mut alone) = (
        String::from("cell_line,drug_a,drug_b,synergy\n"),
        String::from("cell_line,drug,LN_IC50\n"),
        String::from("cell_line,drug,auc,emax\n"),
    );
    let strength = |cell: usize, drug: usize| ((cell * 3 + drug * 5) as f64 * 0.9).sin();
    for cell in 0..CELLS {
        for a in 0..DRUGS {
            writeln!(single, "C{cell:04},D{a:04},{:.3}", 2.0 * strength(cell, a) + a as f64 * 0.2).unwrap();
            writeln!(alone, "C{cell:04},D{a:04},{:.3},{:.3}", 0.5 + 0.4 * strength(cell, a), 0.3).unwrap();
            for b in a + 1..DRUGS {
                let value = 20.0 * strength(cell, a) * strength(cell, b) + (a + b) as f64;
                writeln!(synergy, "C{cell:04},D{b:04},D{a:04},{value:.3}").unwrap();
            }
        }
    }
    let config = |response: &str, more: &str, kind: &str| {
        format!(
            "name = \"small\"\n[data]\nresponse = \"{response}\"\ndrugs = \"drugs.csv\"\n{more}\n[[data.cells]]\n\
             kind = \"expression\"\nfile = \"expression.csv\"\n[split]\nkind = \"{kind}\"\n[intervals]\nlevel = 0.8\n\
             [[model]]\nfamily = \"kernel\"\n"
        )
    };
    let files = [
        ("synergy.csv", synergy),
        ("single.csv", single),
        ("alone.csv", alone),
        ("drugs.csv", drugs(DRUGS)),
        ("expression.csv", expression(CELLS)),
        ("pairs.toml", config("synergy.csv", "single_agent = \"alone.csv\"", "leave_combination")),
        ("plain.toml", config("synergy.csv", "", "leave_combination")),
        ("single.toml", config("single.csv", "", "lpo")),
        // More drugs and cell lines than were trained on.
        ("more_drugs.csv", drugs(20)),
        ("more_cells.csv", expression(16)),
    ];
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const MORE: [&str; 6] =
    ["--cells", "more_cells.csv", "--drugs", "more_drugs.csv", "--single-agent", "alone.csv"];

fn rows(folder: &Path, file: &str) -> Vec<String> {
    fs::read_to_string(folder.join(file)).unwrap().lines().map(str::to_owned).collect()
}

/// Scores by cell line and both drugs in the order of their names, and the rest of the row.
fn by_tuple(rows: &[String]) -> BTreeMap<[String; 3], String> {
    let one = |row: &String| {
        let fields: Vec<&str> = row.splitn(4, ',').collect();
        let mut drugs = [fields[1], fields[2]];
        drugs.sort_unstable();
        ([fields[0], drugs[0], drugs[1]].map(str::to_owned), fields[3].to_owned())
    };
    rows[1..].iter().map(one).collect()
}

#[test]
fn every_combination_is_what_a_list_says_and_shards_are_the_whole() {
    let folder = screens();
    let path = folder.path();
    succeeds(path, &["train", "pairs.toml", "--out", "run"]);
    let score = |more: &[&str], out: &str| {
        let said =
            succeeds(path, &[&["score", "run/model.halfmax"], &MORE[..], more, &["--out", out]].concat());
        (rows(path, out), said)
    };
    let (all, _) = score(&["--all-combinations", "--threads", "1"], "all.csv");
    assert_eq!(all[0], "cell_line,drug,drug_b,predicted,lower,upper,percentile,in_domain,feature_share");
    assert_eq!(all.len(), 1 + 16 * 190);
    assert_eq!(score(&["--all-combinations", "--threads", "3"], "threads.csv").0, all);
    let whole = by_tuple(&all);
    assert_eq!(whole.len(), 16 * 190, "a combination is there twice");
    // Training combinations have intervals and are in the domain; others may not be.
    let known = &whole[&["C0003", "D0001", "D0002"].map(str::to_owned)];
    let fields: Vec<f64> = known.split(',').map(|field| field.parse().unwrap()).collect();
    assert!(fields[1] < fields[0] && fields[0] < fields[2] && fields[4] == 1.0, "{known}");
    assert!(whole[&["C0015", "D0011", "D0019"].map(str::to_owned)].contains(",,"));

    let mut parts = Vec::new();
    for part in ["1/3", "2/3", "3/3"] {
        let name = format!("part{}.csv", &part[..1]);
        parts.extend(score(&["--all-combinations", "--shard", part], &name).0.split_off(1));
    }
    assert_eq!(parts, all[1..]);

    // A list in the other order, with cell lines or without.
    let mut list = String::from("cell_line,drug_a,drug_b\n");
    all[1..].iter().step_by(7).for_each(|row| {
        let fields: Vec<&str> = row.split(',').collect();
        writeln!(list, "{},{},{}", fields[0], fields[2], fields[1]).unwrap();
    });
    list.push_str("C0001,D0001,d0001\nC0001,D0001,Nothing\n");
    fs::write(path.join("list.csv"), &list).unwrap();
    let (listed, said) = score(&["--combinations", "list.csv"], "listed.csv");
    says(
        &said,
        &[
            "1 combinations name a cell line or drug",
            "Nothing",
            "1 combinations combine a drug with itself",
            "row 437",
        ],
    );
    assert_eq!(listed.len(), 1 + (16usize * 190).div_ceil(7));
    assert!(by_tuple(&listed).iter().all(|(tuple, rest)| whole[tuple] == *rest));
    fs::write(path.join("two.csv"), "drug_row,drug_col\nD0019,D0001\nD0002,D0003\n").unwrap();
    let (two, _) = score(&["--combinations", "two.csv"], "two_out.csv");
    assert_eq!(two.len(), 1 + 2 * 16);
    assert!(by_tuple(&two).iter().all(|(tuple, rest)| whole[tuple] == *rest));

    // The best: those of the sorted whole, of a list with cell lines too.
    let predicted = |row: &String| row.split(',').nth(3).unwrap().parse::<f64>().unwrap();
    let cell = |row: &String| row.split(',').next().unwrap().to_owned();
    let best = |rows: &[String], sign: f64, least: f64| {
        let mut of_cells: BTreeMap<String, Vec<String>> = BTreeMap::new();
        rows[1..].iter().filter(|row| predicted(row) >= least).for_each(|row| {
            of_cells.entry(cell(row)).or_default().push(row.clone());
        });
        for own in of_cells.values_mut() {
            own.sort_by(|a, b| (sign * predicted(b)).total_cmp(&(sign * predicted(a))));
            own.truncate(5);
        }
        of_cells.into_values().flatten().collect::<Vec<String>>()
    };
    assert_eq!(score(&["--all-combinations", "--top", "5"], "top.csv").0[1..], best(&all, 1.0, f64::MIN));
    let least = ["--all-combinations", "--top", "5", "--min-score", "12.5"];
    assert_eq!(score(&least, "least.csv").0[1..], best(&all, 1.0, 12.5));
    let lowest = ["--all-combinations", "--top", "5", "--best", "lowest"];
    assert_eq!(score(&lowest, "lowest.csv").0[1..], best(&all, -1.0, f64::MIN));
    assert_eq!(
        score(&["--combinations", "list.csv", "--top", "5"], "top_list.csv").0[1..],
        best(&listed, 1.0, f64::MIN)
    );
    let above = score(&["--all-combinations", "--min-score", "12.5"], "above.csv").0;
    assert_eq!(above[1..], all[1..].iter().filter(|row| predicted(row) >= 12.5).cloned().collect::<Vec<_>>());
}

#[test]
fn a_model_of_single_drugs_adds_what_they_do_alone() {
    let folder = screens();
    let path = folder.path();
    succeeds(path, &["train", "plain.toml", "--out", "pairs"]);
    succeeds(path, &["train", "single.toml", "--out", "single"]);
    let start = ["--cells", "more_cells.csv", "--drugs", "more_drugs.csv", "--out"];
    succeeds(path, &[&["score", "single/model.halfmax"], &start[..], &["single_scores.csv"]].concat());
    let header = rows(path, "single_scores.csv")[0].clone();
    let ic50 = header.split(',').position(|name| name == "ic50_um").unwrap();
    let alone: BTreeMap<[String; 2], String> = rows(path, "single_scores.csv")[1..]
        .iter()
        .map(|row| row.split(',').map(str::to_owned).collect::<Vec<String>>())
        .map(|fields| ([fields[0].clone(), fields[1].clone()], fields[ic50].clone()))
        .collect();
    let more = ["pairs.csv", "--all-combinations", "--top", "20", "--monotherapy", "single/model.halfmax"];
    succeeds(path, &[&["score", "pairs/model.halfmax"], &start[..], &more].concat());
    let found = rows(path, "pairs.csv");
    let names: Vec<&str> = found[0].split(',').collect();
    let place = |name: &str| names.iter().position(|other| *other == name).unwrap();
    let (a, b) = (place("ic50_um"), place("ic50_b_um"));
    assert_eq!(found.len(), 1 + 16 * 20);
    for row in &found[1..] {
        let fields: Vec<String> = row.split(',').map(str::to_owned).collect();
        assert_eq!(fields[a], alone[&[fields[0].clone(), fields[1].clone()]], "{row}");
        assert_eq!(fields[b], alone[&[fields[0].clone(), fields[2].clone()]], "{row}");
    }
    let wrong =
        [&["score", "pairs/model.halfmax"], &start[..], &["x.csv", "--all-combinations", "--monotherapy"]];
    let wrong = wrong.concat();
    says(&fails(path, 2, &[&wrong[..], &["pairs/model.halfmax"]].concat()), &["of combinations", "LN_IC50"]);
}

#[test]
fn interrupted_scoring_goes_on_where_it_was() {
    let folder = screens();
    let path = folder.path();
    succeeds(path, &["train", "plain.toml", "--out", "run"]);
    fs::write(path.join("many_drugs.csv"), drugs(2500)).unwrap();
    fs::write(path.join("many_cells.csv"), expression(1500)).unwrap();
    for ending in ["csv", "ndjson"] {
        let out = format!("scores.{ending}");
        let start = ["score", "run/model.halfmax", "--cells", "many_cells.csv", "--drugs", "many_drugs.csv"];
        let arguments =
            [&start[..], &["--all-combinations", "--any-scale", "--min-score", "13.5", "--out", &out]]
                .concat();
        let kept = format!("{out}.unfinished");
        // Stopped before there was anything to keep, it is given more time.
        for wait in [500, 1000, 2000, 4000, 8000] {
            let mut child = Command::new(env!("CARGO_BIN_EXE_halfmax"))
                .current_dir(path)
                .args(&arguments)
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(wait));
            assert!(child.try_wait().unwrap().is_none(), "it was over before it could be interrupted");
            assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
            assert_eq!(child.wait().unwrap().code(), Some(130));
            assert!(!path.join(&out).exists(), "half a file under its final name");
            if path.join(&kept).is_dir() {
                break;
            }
        }
        // Other work does not go on from there.
        let other = [&arguments[..], &["--top", "3"]].concat();
        says(&fails(path, 2, &other), &[&kept, "another command", "help:"]);
        says(&succeeds(path, &arguments), &["continuing after"]);
        assert!(!path.join(&kept).exists());
        let resumed = fs::read(path.join(&out)).unwrap();
        says(&fails(path, 2, &arguments), &[&out, "already exists", "--overwrite"]);
        succeeds(path, &[&arguments[..], &["--overwrite"]].concat());
        assert!(resumed == fs::read(path.join(&out)).unwrap() && resumed.len() > 1000, "{}", resumed.len());
    }
}

#[test]
fn what_cannot_be_scored_is_refused() {
    let folder = screens();
    let path = folder.path();
    succeeds(path, &["train", "pairs.toml", "--out", "pairs"]);
    succeeds(path, &["train", "single.toml", "--out", "single"]);
    let refused = |model: &str, code: i32, more: &[&str], parts: &[&str]| {
        let model = format!("{model}/model.halfmax");
        says(&fails(path, code, &[&["score", &model, "--out", "no.csv"], more].concat()), parts);
        assert!(!path.join("no.csv").exists() && !path.join("no.csv.unfinished").exists());
    };
    let plain = &MORE[..4];
    let all = [&MORE[..], &["--all-combinations"]].concat();
    refused("single", 2, &[plain, &["--all-combinations"]].concat(), &["to single drugs", "help:"]);
    refused("pairs", 2, &MORE, &["combinations of two drugs", "--all-combinations"]);
    refused(
        "pairs",
        2,
        &[plain, &["--all-combinations"]].concat(),
        &["single-agent responses", "--single-agent"],
    );
    refused("pairs", 2, &[&all[..], &["--shard", "4/3"]].concat(), &["--shard", "1/16"]);
    refused("pairs", 2, &[&all[..], &["--shard", "1/17"]].concat(), &["16 cell lines", "at most 16 parts"]);
    refused("pairs", 2, &[&all[..], &["--top", "0"]].concat(), &["top = 0"]);
    refused("pairs", 2, &[&all[..], &["--combinations", "drugs.csv"]].concat(), &["cannot be used with"]);
    let list = |text: &str| fs::write(path.join("list.csv"), text).unwrap();
    let listed = [&MORE[..], &["--combinations", "list.csv"]].concat();
    list("drug_a,drug_b\nD0001,D0001\n");
    refused(
        "pairs",
        3,
        &listed,
        &["list.csv", "no combinations can be scored", "a drug with itself", "row 2"],
    );
    list("drug_a,drug_b\nD0001,Unknown\n");
    refused("pairs", 3, &listed, &["no combinations can be scored", "D0001 with Unknown"]);
    list("drug_a,beside\nD0001,D0002\n");
    refused("pairs", 3, &listed, &["no column of second drugs", "drug_b"]);
    list("drug_a,drug_b\n");
    refused("pairs", 3, &listed, &["list.csv"]);
    fs::write(path.join("one.csv"), "drug,smiles\nD0001,CCO\n").unwrap();
    let one = [
        "--cells",
        "expression.csv",
        "--drugs",
        "one.csv",
        "--single-agent",
        "alone.csv",
        "--all-combinations",
    ];
    refused("pairs", 3, &one, &["at least two to combine"]);
    // No trees, but also no pairs of drugs, in LightGBM's format.
    let export = ["export", "pairs/model.halfmax", "--format", "lightgbm", "--out", "no.txt"];
    says(&fails(path, 2, &export), &["no trees"]);
}
