//! How far synergy scores are off the truth, how often their intervals hold it, and how p values of blocks without synergy are distributed, in
//! simulated matrices of many kinds.
//!
//! `cargo run --release -p halfmax-dose --example surfaces [MATRICES] [REGIME] [MODEL]`. Draws are fixed, so that two runs agree. Each regime is a screen
//! of its own: what is learnt from the whole file is learnt from these matrices. ZIP and Bliss are held against drugs that act independently but for
//! a potentiation, Loewe against drugs of which one is a dilution of the other, with the same.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod common;

use std::time::Instant;

use common::{Draw, Draws};
use halfmax_core::Seed;
use halfmax_dose::synergy::{DoseMatrix, SynergyModel, SynergyParams, SynergyScorer, loewe_reference};
use halfmax_dose::{LogLogistic, Potentiation};
use rayon::prelude::*;

/// A kind of screen.
#[derive(Clone, Copy)]
struct Regime {
    name: &'static str,
    /// The number of doses of each drug above 0, the factor between two, and the replicates of each cell.
    doses: usize,
    factor: f64,
    replicates: usize,
    /// The standard error of a reading, as a fraction of the control.
    error: f64,
    /// The Hill slope: its middle, and the standard deviation of its logarithm.
    hill: (f64, f64),
    /// The range of the bottom.
    bottom: [f64; 2],
    /// The range of the EC50, as a share of the range of doses (logarithms).
    ec50: [f64; 2],
    /// The share of gross outliers.
    outliers: f64,
    /// The range of decades by which each drug makes the other more potent.
    decades: [f64; 2],
}

const ORDINARY: Regime = Regime {
    name: "ordinary",
    doses: 6,
    factor: 3.1623,
    replicates: 1,
    error: 0.05,
    hill: (1.2, 0.4),
    bottom: [0.0, 0.3],
    ec50: [0.3, 0.75],
    outliers: 0.0,
    decades: [-0.5, 1.0],
};

const REGIMES: [Regime; 16] = [
    ORDINARY,
    Regime { name: "two replicates", replicates: 2, ..ORDINARY },
    Regime { name: "three replicates", replicates: 3, ..ORDINARY },
    Regime { name: "additive, two replicates", replicates: 2, decades: [0.0, 0.0], ..ORDINARY },
    Regime { name: "additive, four replicates", replicates: 4, decades: [0.0, 0.0], ..ORDINARY },
    Regime { name: "steep", hill: (4.0, 0.3), ..ORDINARY },
    Regime {
        name: "steep, additive, 3 repl.",
        hill: (4.0, 0.3),
        replicates: 3,
        decades: [0.0; 2],
        ..ORDINARY
    },
    Regime { name: "shallow", hill: (0.5, 0.25), ..ORDINARY },
    Regime { name: "partial", bottom: [0.4, 0.7], ..ORDINARY },
    Regime { name: "weak", ec50: [0.75, 1.1], ..ORDINARY },
    Regime { name: "unequal potency", ec50: [0.05, 0.95], ..ORDINARY },
    Regime { name: "four doses", doses: 4, ..ORDINARY },
    Regime { name: "three doses, two repl.", doses: 3, factor: 5.0, replicates: 2, ..ORDINARY },
    Regime { name: "errors of 2 %", error: 0.02, ..ORDINARY },
    Regime { name: "errors of 15 %", error: 0.15, ..ORDINARY },
    Regime { name: "outliers", outliers: 0.05, replicates: 2, ..ORDINARY },
];

/// A matrix and the true scores of its cells, in percentage points.
struct Simulated {
    matrix: DoseMatrix,
    truth: Vec<f64>,
}

impl Regime {
    fn dose(&self, at: usize) -> f64 {
        if at == 0 { 0.0 } else { 0.01 * self.factor.powi(at as i32 - 1) }
    }

    fn drug(&self, draws: &mut Draws) -> LogLogistic {
        let decades = (self.doses - 1) as f64 * self.factor.log10();
        LogLogistic {
            top: 1.0,
            bottom: draws.between(self.bottom),
            ec50: 0.01 * 10.0_f64.powf(decades * draws.between(self.ec50)),
            hill: self.hill.0 * (self.hill.1 * draws.normal()).exp(),
        }
    }

    /// The true viability with both drugs, and without interaction.
    fn matrix(&self, seed: Seed, model: SynergyModel) -> Simulated {
        let mut draws = Draws::new(seed);
        let first = self.drug(&mut draws);
        let second = match model {
            SynergyModel::Loewe => LogLogistic { ec50: self.drug(&mut draws).ec50, ..first },
            _ => self.drug(&mut draws),
        };
        let decades = draws.between(self.decades);
        let surface = |a: f64, b: f64| -> [f64; 2] {
            match model {
                SynergyModel::Loewe => {
                    // A dilution: doses add once both are in units of their EC50; each makes the sum more potent by its share of the effect.
                    let together = a + b * first.ec50 / second.ec50;
                    let both = [first.at(a), second.at(b)].map(|alone| 1.0 - alone);
                    let more =
                        10.0_f64.powf(decades * 4.0 * both[0] * both[1] / (1.0 - first.bottom).powi(2));
                    let expected = match a > 0.0 && b > 0.0 {
                        true => 1.0 - loewe_reference([&first, &second], [a, b]) / 100.0,
                        false => first.at(together),
                    };
                    [first.at(together * more), expected]
                }
                _ => {
                    let drugs = Potentiation { drugs: [first, second], decades };
                    [drugs.viability([a, b]), first.at(a) * second.at(b)]
                }
            }
        };
        let (mut readings, mut truth) = (Vec::new(), Vec::new());
        for (a, b) in (0..=self.doses).flat_map(|a| (0..=self.doses).map(move |b| (a, b))) {
            let (a, b) = (self.dose(a), self.dose(b));
            let [found, expected] = surface(a, b);
            truth.push(100.0 * (expected - found));
            for _ in 0..self.replicates {
                let gross = if draws.uniform() < self.outliers { draws.between([-0.6, 0.6]) } else { 0.0 };
                readings.push([a, b, 100.0 * (1.0 - found - self.error * draws.normal() - gross)]);
            }
        }
        Simulated { matrix: DoseMatrix::new(&readings).unwrap(), truth }
    }
}

/// What the scores of one model are like.
#[derive(Default)]
struct Tally {
    squares: f64,
    cells: f64,
    means: f64,
    bias: f64,
    held_cells: f64,
    with_interval: f64,
    held_means: f64,
    below: f64,
    p_values: f64,
    blocks: f64,
}

impl Tally {
    fn of(regime: &Regime, model: SynergyModel, count: usize, scorer: &SynergyScorer, seed: Seed) -> Self {
        let simulated: Vec<Simulated> =
            (0..count).map(|at| regime.matrix(seed.derive(at as u64), model)).collect();
        let matrices: Vec<DoseMatrix> = simulated.iter().map(|one| one.matrix.clone()).collect();
        let scorer = scorer.learning_from(&matrices);
        let scored: Vec<_> = simulated
            .par_iter()
            .enumerate()
            .map(|(at, one)| scorer.score(&one.matrix, seed.derive(at as u64)))
            .collect();
        let mut tally = Self::default();
        for (one, scores) in simulated.iter().zip(scored) {
            let scores = scores.of(model).unwrap();
            let known: Vec<usize> =
                (0..one.truth.len()).filter(|cell| !scores.score[*cell].is_nan()).collect();
            if known.is_empty() {
                continue;
            }
            let mut truth = 0.0;
            for cell in known.iter().copied() {
                let error = scores.score[cell] - one.truth[cell];
                tally.squares += error * error;
                tally.cells += 1.0;
                truth += one.truth[cell] / known.len() as f64;
                let [low, high] = [0, 1].map(|end: usize| scores.interval[end][cell]);
                if !low.is_nan() {
                    tally.with_interval += 1.0;
                    tally.held_cells +=
                        f64::from(u8::from(low <= one.truth[cell] && one.truth[cell] <= high));
                }
            }
            let error = scores.summary.mean - truth;
            tally.means += error * error;
            tally.bias += error;
            tally.blocks += 1.0;
            let [low, high] = scores.summary.interval;
            if !low.is_nan() {
                tally.held_means += f64::from(u8::from(low <= truth && truth <= high));
                tally.p_values += 1.0;
                tally.below += f64::from(u8::from(scores.summary.p_value < 0.05));
            }
        }
        tally
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().map_or(400, |count| count.parse().unwrap());
    let only = arguments.next();
    let models = arguments.next().and_then(|name| SynergyModel::named(&name)).map(|model| vec![model]);
    let models = models.unwrap_or_else(|| vec![SynergyModel::Bliss, SynergyModel::Zip, SynergyModel::Loewe]);
    println!(
        "root mean square errors of cells and of means, bias of means (percentage points); cells and means that 95 % intervals hold, p < 0.05 (%)"
    );
    for (number, regime) in REGIMES.iter().enumerate() {
        if only.as_ref().is_some_and(|only| !regime.name.contains(only.as_str())) {
            continue;
        }
        print!("{:26}", regime.name);
        let start = Instant::now();
        for model in models.iter().copied() {
            let bootstrap = if regime.replicates > 1 { 200 } else { 0 };
            let params = SynergyParams { models: vec![model], bootstrap, ..SynergyParams::default() };
            let seed = Seed::new(1000 + number as u64);
            let tally = Tally::of(regime, model, count, &params.check().unwrap(), seed);
            let root = |squares: f64, of: f64| (squares / of).sqrt();
            print!(
                " | {} {:5.2} {:5.2} {:5.2}",
                &model.name()[..1],
                root(tally.squares, tally.cells),
                root(tally.means, tally.blocks),
                tally.bias / tally.blocks
            );
            if tally.p_values > 0.0 {
                print!(
                    " {:4.1} {:4.1} {:4.1}",
                    100.0 * tally.held_cells / tally.with_interval,
                    100.0 * tally.held_means / tally.p_values,
                    100.0 * tally.below / tally.p_values
                );
            }
        }
        println!(" | {:.0} s", start.elapsed().as_secs_f64());
    }
}
