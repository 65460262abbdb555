//! Whether untreated wells (dose 0) help the curves of readings that were divided by them: errors of log10 IC50 with and without them.
//!
//! `cargo run --release -p halfmax-dose --example untreated`. Draws are fixed. A file has 20 plates of 32 curves; readings are divided by the mean of the
//! plate's untreated wells, whose error all its curves share. With them, each untreated well is one more reading of each curve of its plate, at a
//! thousandth of the lowest dose.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod common;

use common::{Draw, Sequence};
use halfmax_core::Silent;
use halfmax_dose::{CurveFit, CurveFitter, CurveParams, CurveReadings, Position};

struct Regime {
    name: &'static str,
    doses: usize,
    factor: f64,
    /// The range of log10 IC50, as a share of the range of doses.
    ic50: [f64; 2],
    untreated: usize,
    error: f64,
}

const ORDINARY: Regime =
    Regime { name: "8 doses", doses: 8, factor: 3.1623, ic50: [0.3, 0.75], untreated: 8, error: 0.08 };

const REGIMES: [Regime; 6] = [
    ORDINARY,
    Regime { name: "potent", ic50: [0.0, 0.2], ..ORDINARY },
    Regime { name: "5 doses", doses: 5, factor: 4.0, ..ORDINARY },
    Regime { name: "5 doses, potent", doses: 5, factor: 4.0, ic50: [0.0, 0.2], ..ORDINARY },
    Regime { name: "2 untreated wells", untreated: 2, ..ORDINARY },
    Regime { name: "errors of 15 %", error: 0.15, ..ORDINARY },
];

/// Doses, viabilities and the true log10 IC50 of each curve; the first readings are those of untreated wells.
fn file(regime: &Regime) -> Vec<(Vec<f64>, Vec<f64>, f64)> {
    let mut draws = Sequence(2026);
    let mut curves = Vec::new();
    let doses: Vec<f64> = (0..regime.doses).map(|at| 0.01 * regime.factor.powi(at as i32)).collect();
    let range = (doses[regime.doses - 1] / doses[0]).log10();
    for _ in 0..20 {
        let untreated: Vec<f64> =
            (0..regime.untreated).map(|_| 1.0 + regime.error * draws.normal()).collect();
        let mean = untreated.iter().sum::<f64>() / untreated.len() as f64;
        for _ in 0..32 {
            let share = regime.ic50[0] + (regime.ic50[1] - regime.ic50[0]) * draws.uniform();
            let log_ic50 = doses[0].log10() + share * range;
            let hill = (0.2 + 0.4 * draws.normal()).exp();
            let value = |dose: f64, noise: f64| {
                (1.0 / (1.0 + (dose / 10.0_f64.powf(log_ic50)).powf(hill)) + regime.error * noise) / mean
            };
            let mut dose_um = vec![doses[0] / 1000.0; regime.untreated];
            let mut viability: Vec<f64> = untreated.iter().map(|signal| signal / mean).collect();
            for dose in &doses {
                dose_um.push(*dose);
                viability.push(value(*dose, draws.normal()));
            }
            curves.push((dose_um, viability, log_ic50));
        }
    }
    curves
}

/// The error of log10 IC50 of each curve whose IC50 lies within the tested doses.
fn errors(curves: &[(Vec<f64>, Vec<f64>, f64)], from: usize, lowest: f64) -> Vec<Option<f64>> {
    let readings: Vec<CurveReadings> = curves
        .iter()
        .map(|(doses, viability, _)| CurveReadings {
            dose_um: &doses[from..],
            viability: &viability[from..],
            batch: None,
            divisions: None,
        })
        .collect();
    let fitter: CurveFitter = CurveParams::default().check().unwrap().learning_from(&readings);
    let fits = fitter.fit_all(&readings, &Silent).unwrap();
    let error = |(fit, (_, _, truth)): (&CurveFit, &(Vec<f64>, Vec<f64>, f64))| {
        let within = fit.ic50_position == Position::Within && fit.ic50.value >= lowest;
        within.then(|| fit.ic50.value.log10() - truth)
    };
    fits.iter().zip(curves).map(error).collect()
}

fn main() {
    println!("| regime | without | with untreated wells | curves |");
    println!("|---|---|---|---|");
    for regime in &REGIMES {
        let curves = file(regime);
        let without = errors(&curves, regime.untreated, 0.01);
        let with = errors(&curves, 0, 0.01);
        let both: Vec<[f64; 2]> =
            without.iter().zip(&with).filter_map(|(a, b)| Some([(*a)?, (*b)?])).collect();
        let square =
            |way: usize| (both.iter().map(|pair| pair[way].powi(2)).sum::<f64>() / both.len() as f64).sqrt();
        println!("| {} | {:.4} | {:.4} | {} |", regime.name, square(0), square(1), both.len());
    }
}
