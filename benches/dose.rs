//! How many dose–response curves, and response surfaces of two drugs, are fitted in a second, on all threads.
//!
//! `cargo bench --workspace --bench dose`.

#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use halfmax_core::{Seed, Silent};
use halfmax_dose::synergy::{Cooperativity, DoseMatrix, MaximalEffect, MusycSurface, fit_braid, fit_musyc};
use halfmax_dose::{CurveParams, CurveReadings, LogLogistic};
use rayon::prelude::*;

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

/// Matrices of 8 × 8 doses over four decades, with errors of 5 %.
fn matrices(count: usize) -> Vec<DoseMatrix> {
    let doses: Vec<f64> =
        std::iter::once(0.0).chain((0..7).map(|at| 0.01 * 10.0_f64.powf(4.0 * at as f64 / 6.0))).collect();
    let one = |block: usize| {
        let draw = |at: usize| noise(block * 10_000 + at);
        let effects = [1.0, 0.1 + 0.5 * draw(0), 0.1 + 0.5 * draw(1), 0.1 * draw(2)];
        let surface = MusycSurface {
            effects,
            hill: [0.8 + draw(3), 0.8 + draw(4)],
            ec50: [0.1 * 30.0_f64.powf(draw(5)), 0.1 * 30.0_f64.powf(draw(6))],
            alpha: [10.0_f64.powf(1.6 * draw(7) - 0.8), 10.0_f64.powf(1.6 * draw(8) - 0.8)],
            gamma: [1.0, 1.0],
        };
        let error = |at: usize| 0.05 * ((0..12).map(|i| draw(10 + 12 * at + i)).sum::<f64>() - 6.0);
        let pair = |at: usize| [doses[at / 8], doses[at % 8]];
        let reading = |at: usize| {
            let [a, b] = pair(at);
            [a, b, 100.0 * (1.0 - surface.viability([a, b]) - error(at))]
        };
        DoseMatrix::new(&(0..64).map(reading).collect::<Vec<[f64; 3]>>()).unwrap()
    };
    (0..count).map(one).collect()
}

fn surfaces(criterion: &mut Criterion) {
    const BLOCKS: usize = 400;
    let matrices = matrices(BLOCKS);
    let mut group = criterion.benchmark_group("surfaces");
    group.throughput(Throughput::Elements(BLOCKS as u64)).sample_size(10);
    group.bench_function("musyc, 8 × 8 doses", |bencher| {
        bencher.iter(|| {
            matrices
                .par_iter()
                .filter(|matrix| fit_musyc(matrix, Cooperativity::Fitted, 0.95).is_ok())
                .count()
        });
    });
    group.bench_function("braid, 8 × 8 doses", |bencher| {
        bencher.iter(|| {
            matrices
                .par_iter()
                .filter(|matrix| fit_braid(matrix, MaximalEffect::Fitted, 0.95).is_ok())
                .count()
        });
    });
    group.finish();
}

criterion_group!(benches, throughput, surfaces);
criterion_main!(benches);
