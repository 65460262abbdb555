//! How many dose–response curves are fitted in a second, on all threads.
//!
//! `cargo bench --workspace --bench dose`.

#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use halfmax_core::{Seed, Silent};
use halfmax_dose::{CurveParams, CurveReadings, LogLogistic};

/// A number from 0 to 1 that looks random.
fn noise(seed: usize) -> f64 {
    (Seed::new(seed as u64).derive(7).value() >> 11) as f64 / (1u64 << 53) as f64
}

/// Curves of 8 doses over 3.5 decades, with errors of 5 %.
fn curves(count: usize, replicates: usize) -> Vec<(Vec<f64>, Vec<f64>)> {
    let one = |curve: usize| {
        let draw = |at: usize| noise(curve * 1000 + at);
        let shape = LogLogistic {
            top: 1.0,
            bottom: 0.6 * draw(0),
            ec50: 10.0_f64.powf(-2.0 + 4.0 * draw(1)),
            hill: 0.6 + 2.0 * draw(2),
        };
        let doses: Vec<f64> =
            (0..8 * replicates).map(|at| 0.005 * 10.0_f64.powf(0.5 * (at / replicates) as f64)).collect();
        let error = |at: usize| 0.05 * ((0..12).map(|i| draw(10 + 12 * at + i)).sum::<f64>() - 6.0);
        let values = doses.iter().enumerate().map(|(at, dose)| shape.at(*dose) + error(at)).collect();
        (doses, values)
    };
    (0..count).map(one).collect()
}

fn throughput(criterion: &mut Criterion) {
    const CURVES: usize = 20_000;
    let fitter = CurveParams::default().check().unwrap();
    let mut group = criterion.benchmark_group("fit");
    group.throughput(Throughput::Elements(CURVES as u64)).sample_size(10);
    for replicates in [1, 3] {
        let data = curves(CURVES, replicates);
        let curves: Vec<CurveReadings> = data
            .iter()
            .map(|(dose_um, viability)| CurveReadings { dose_um, viability, divisions: None, batch: None })
            .collect();
        group.bench_function(BenchmarkId::new("8 doses, replicates", replicates), |bencher| {
            bencher.iter(|| fitter.fit_all(&curves, &Silent).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, throughput);
criterion_main!(benches);
