//! Associations of the size of GDSC2: 6,844 features × 286 drugs × 938 cell lines, with tissue as a covariate.

#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{Criterion, criterion_group, criterion_main};
use halfmax_association::{
    Covariates, FeatureMatrix, ResponseMatrix, ScanOptions, SelectionOptions, scan, select,
};
use halfmax_core::{
    BitColumns, Category, EntityTable, FeatureBlock, FeatureValues, Responses, Screen, Seed, Side, Silent,
};
use ndarray::Array2;

const CELLS: usize = 938;
const DRUGS: usize = 286;
const GENES: usize = 6_163;
const EVENTS: usize = 681;
const TISSUES: usize = 28;

/// A number from −1 to 1.
fn noise(a: usize, b: usize) -> f64 {
    (Seed::new(1).derive((a * 10_000 + b) as u64).value() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

fn screen() -> Screen {
    let names = |prefix: &str, count: usize| (0..count).map(|at| format!("{prefix}{at}")).collect::<Vec<_>>();
    let genes = Array2::from_shape_fn((CELLS, GENES), |(cell, gene)| noise(cell, gene) as f32);
    let events = BitColumns::from_fn(CELLS, EVENTS, |cell, event| {
        Some(noise(cell, 7_000 + event) > 0.99 - event as f64 / 1_000.0)
    });
    let labels: Vec<Option<String>> = (0..CELLS)
        .map(|cell| Some(format!("tissue {}", (noise(cell, 9_000).abs() * TISSUES as f64) as usize)))
        .collect();
    let cells = EntityTable::new(names("cell ", CELLS), "cell line")
        .unwrap()
        .with_block(FeatureBlock::new("expression", names("G", GENES), FeatureValues::real(genes)).unwrap())
        .unwrap()
        .with_block(FeatureBlock::new("events", names("E", EVENTS), FeatureValues::Binary(events)).unwrap())
        .unwrap()
        .with_group("tissue", Category::from_labels(&labels).unwrap())
        .unwrap();
    let drugs = EntityTable::new(names("drug ", DRUGS), "drug").unwrap();
    let pairs: Vec<(usize, usize)> = (0..CELLS)
        .flat_map(|cell| (0..DRUGS).map(move |drug| (cell, drug)))
        .filter(|(cell, drug)| noise(*cell, 9_100 + drug) > -0.7)
        .collect();
    let sides = vec![
        pairs.iter().map(|pair| pair.0 as u32).collect(),
        pairs.iter().map(|pair| pair.1 as u32).collect(),
    ];
    let value = |(cell, drug): (usize, usize)| (noise(cell, 9_500 + drug) + noise(cell, drug)) as f32;
    let values = pairs.into_iter().map(value).collect();
    let responses = Responses::new(sides, values, None).unwrap();
    Screen::new("LN_IC50", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses).unwrap()
}

fn associations(criterion: &mut Criterion) {
    let screen = screen();
    let responses = ResponseMatrix::new(&screen);
    let table = screen.table(0);
    let features = FeatureMatrix::new(table, &responses.cells, &[]);
    let covariates =
        Covariates::none().with_category("tissue", table.group("tissue").unwrap(), &responses.cells);
    let mut group = criterion.benchmark_group("associations");
    group.sample_size(10);
    for (name, robust_below) in [("scan", 0.0), ("scan with robust errors below 0.05", 0.05)] {
        let options = ScanOptions { robust_below, ..ScanOptions::default() };
        group.bench_function(name, |bencher| {
            bencher.iter(|| scan(&responses, &features, &covariates, &options, &Silent).unwrap());
        });
    }
    let tests = scan(&responses, &features, &covariates, &ScanOptions::default(), &Silent).unwrap();
    group.bench_function("selection", |bencher| {
        bencher.iter(|| select(&responses, &features, &covariates, &tests, &SelectionOptions::default()));
    });
    group.finish();
}

criterion_group!(benches, associations);
criterion_main!(benches);
