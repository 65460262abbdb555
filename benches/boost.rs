//! How the time of a fit grows with drugs and with genes, and how many pairs a model scores and explains in a second.
//!
//! `cargo bench -p halfmax-boost`; the cost formula for this growth is in docs/design/trees.md.

#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use halfmax_boost::{BoostParams, FittedBoost};
use halfmax_core::*;
use ndarray::Array2;
use rayon::prelude::*;

/// A number from 0 to 1 that looks random.
fn noise(seed: usize) -> f32 {
    (Seed::new(seed as u64).derive(7).value() >> 40) as f32 / (1u64 << 24) as f32
}

/// A complete screen: genes with three informative ones, drugs with 256 random bits.
fn screen(cells: usize, drugs: usize, genes: usize) -> Screen {
    let values = Array2::from_shape_fn((cells, genes), |(cell, gene)| noise(cell * genes + gene));
    let effect = |cell: usize, drug: usize| {
        let gene = drug % 3;
        4.0 * values[[cell, gene]] * noise(drug + 1_000_000) + noise(cell * drugs + drug + 2_000_000)
    };
    let pairs = cells * drugs;
    let responses: Vec<f32> = (0..pairs).map(|pair| effect(pair / drugs, pair % drugs)).collect();
    let sides = vec![
        (0..pairs).map(|pair| (pair / drugs) as u32).collect(),
        (0..pairs).map(|pair| (pair % drugs) as u32).collect(),
    ];
    let names = (0..genes).map(|gene| format!("G{gene}"));
    let expression = FeatureBlock::new("expression", names, FeatureValues::real(values.clone())).unwrap();
    let bits = BitColumns::from_fn(drugs, 256, |drug, bit| Some(noise(drug * 256 + bit + 3_000_000) < 0.1));
    let names = (0..256).map(|bit| format!("bit{bit}"));
    let fingerprint = FeatureBlock::new("fingerprint", names, FeatureValues::Binary(bits)).unwrap();
    let ids = |letter: &str, count: usize| (0..count).map(|at| format!("{letter}{at}")).collect::<Vec<_>>();
    let cell_table = EntityTable::new(ids("c", cells), "cell line").unwrap().with_block(expression).unwrap();
    let drug_table = EntityTable::new(ids("d", drugs), "drug").unwrap().with_block(fingerprint).unwrap();
    let responses = Responses::new(sides, responses, None).unwrap();
    let sides = vec![Side::cell_line(0), Side::drug(1)];
    Screen::new("LN_IC50", vec![cell_table, drug_table], sides, responses).unwrap()
}

fn fit(screen: &Screen, rounds: usize) -> FittedBoost {
    let context = FitContext::new(Seed::new(1), &Silent, ValidationGroup::Entity(0));
    let model = BoostParams { rounds, ..BoostParams::default() }.check().unwrap();
    model.fit(&screen.all(), &context).unwrap()
}

fn growth(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fit, 800 cell lines, 1,000 genes, 50 rounds, by drugs");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for drugs in [75, 150, 300, 600] {
        let screen = screen(800, drugs, 1000);
        group.bench_function(BenchmarkId::from_parameter(drugs), |bencher| bencher.iter(|| fit(&screen, 50)));
    }
    group.finish();
    let mut group = criterion.benchmark_group("fit, 800 cell lines, 300 drugs, 50 rounds, by genes");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for genes in [500, 1000, 2000, 4000] {
        let screen = screen(800, 300, genes);
        group.bench_function(BenchmarkId::from_parameter(genes), |bencher| bencher.iter(|| fit(&screen, 50)));
    }
    group.finish();
}

fn scoring(criterion: &mut Criterion) {
    let trained = screen(400, 300, 200);
    let fitted = fit(&trained, 300);
    let rows: Vec<u32> = (0..1000).collect();
    let mut group = criterion.benchmark_group("score, 300 trees, 1,000 cell lines");
    group.sample_size(10);
    // The first 300 drugs are those that the model was trained on, which it can tell apart one by one.
    for drugs in [300, 5000] {
        let query = screen(1000, drugs as usize, 200);
        let tables = [&query.tables[0], &query.tables[1]];
        let columns: Vec<u32> = (0..drugs).collect();
        group.throughput(Throughput::Elements(1000 * u64::from(drugs)));
        group.bench_function(format!("× {drugs} drugs"), |bencher| {
            bencher.iter(|| {
                let grid: [&[u32]; 2] = [&rows, &columns];
                fitted.predict(&Query { tables: &tables, tuples: Tuples::Grid(&grid) }).unwrap()
            });
        });
    }
    group.finish();
}

/// For each drug the mean size of every gene's contribution, over all cell lines of a screen of GDSC2's size.
fn shapley(criterion: &mut Criterion) {
    let (cells, drugs) = (913u32, 286u32);
    let screen = screen(cells as usize, drugs as usize, 2000);
    let fitted = fit(&screen, 300);
    let tables = [&screen.tables[0], &screen.tables[1]];
    let entities: Vec<u32> = (0..cells).collect();
    let mean_sizes = |attributor: &dyn Attributor, drug: u32| -> Vec<f32> {
        let values = attributor.contributions(&[drug]).unwrap().values;
        values
            .rows()
            .into_iter()
            .map(|row| row.iter().map(|value| value.abs()).sum::<f32>() / cells as f32)
            .collect()
    };
    let mut group = criterion.benchmark_group("shapley, 300 trees of 31 leaves, 913 cell lines × 286 drugs");
    group.sample_size(10).throughput(Throughput::Elements(u64::from(cells * drugs)));
    group.bench_function("contributions of all genes", |bencher| {
        bencher.iter(|| {
            let attributor = fitted.as_attributable(0).unwrap().attribute(&tables, 0, &entities).unwrap();
            let drugs = (0..drugs).into_par_iter();
            drugs.map(|drug| mean_sizes(attributor.as_ref(), drug)).collect::<Vec<_>>()
        });
    });
    group.finish();
}

criterion_group!(benches, growth, scoring, shapley);
criterion_main!(benches);
