//! How many combinations of two drugs are scored in a second: the whole command, on all threads, the best hundred of each
//! cell line kept.
//!
//! `cargo bench --workspace --bench combinations`.

#![allow(missing_docs, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// As many as O'Neil's screen has.
const TRAINING_CELLS: usize = 39;
const TRAINING_DRUGS: usize = 38;
const GENES: usize = 500;
const DRUGS: usize = 2_000;
const CELLS: usize = 100;

fn halfmax(folder: &Path, arguments: &[&str]) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_halfmax")).current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A number from −1 to 1 that looks random.
fn noise(at: usize) -> f64 {
    ((at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64 / (1u64 << 23) as f64 - 1.0
}

fn drugs(count: usize) -> String {
    let ends = ["O", "N", "c1ccccc1", "C(=O)O", "Cl", "S", "F", "C#N", "c1ccncc1", "OC", "C1CCNCC1"];
    let part = |at: usize| ends[at % ends.len()];
    let mut text = String::from("drug,smiles\n");
    for at in 0..count {
        let (chain, ring) = ("C".repeat(1 + at % 13), part(at / 3));
        writeln!(text, "D{at:05},O=C(N{chain}{})c1ccc({ring})cc1", part(at)).unwrap();
    }
    text
}

fn expression(cells: usize) -> String {
    let genes: Vec<String> = (0..GENES).map(|gene| format!("G{gene}")).collect();
    let mut text = format!("cell_line,{}\n", genes.join(","));
    for cell in 0..cells {
        let values: Vec<String> =
            (0..GENES).map(|gene| format!("{:.3}", noise(cell * GENES + gene))).collect();
        writeln!(text, "C{cell:05},{}", values.join(",")).unwrap();
    }
    text
}

fn synergy() -> String {
    let mut text = String::from("cell_line,drug_a,drug_b,synergy\n");
    for cell in 0..TRAINING_CELLS {
        for a in 0..TRAINING_DRUGS {
            for b in a + 1..TRAINING_DRUGS {
                let together = noise(a * 7 + 1) * noise(b * 7 + 1) * (1.0 + noise(cell * GENES));
                let value = 20.0 * together + 5.0 * noise(cell * 9_999 + a * 99 + b);
                writeln!(text, "C{cell:05},D{a:05},D{b:05},{value:.3}").unwrap();
            }
        }
    }
    text
}

const CONFIG: &str = "name = \"bench\"\n[data]\nresponse = \"synergy.csv\"\ndrugs = \"drugs.csv\"\n[[data.cells]]\n\
                      kind = \"expression\"\nfile = \"expression.csv\"\n[split]\nkind = \"leave_combination\"\n\
                      [[model]]\nfamily = \"kernel\"\n";

fn throughput(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("config.toml", CONFIG.to_owned()),
        ("synergy.csv", synergy()),
        ("drugs.csv", drugs(TRAINING_DRUGS)),
        ("expression.csv", expression(TRAINING_CELLS)),
        ("library.csv", drugs(DRUGS)),
        ("cells.csv", expression(CELLS)),
    ];
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    halfmax(folder.path(), &["train", "config.toml", "--out", "run"]);
    let mut group = criterion.benchmark_group("score");
    let scores = CELLS * DRUGS * (DRUGS - 1) / 2;
    group.throughput(Throughput::Elements(scores as u64)).sample_size(10);
    let start = ["score", "run/model.halfmax", "--cells", "cells.csv", "--drugs", "library.csv"];
    let rest = ["--all-combinations", "--top", "100", "--out", "top.parquet", "--overwrite"];
    let arguments = [&start[..], &rest].concat();
    group.bench_function("every combination of 2,000 drugs in 100 cell lines", |bencher| {
        bencher.iter(|| halfmax(folder.path(), &arguments));
    });
    group.finish();
}

criterion_group!(benches, throughput);
criterion_main!(benches);
