//! How often the 95 % intervals of metrics hold the truth, in simulated test sets of many sizes and densities.
//!
//! `cargo run --release -p halfmax-eval --example intervals [TEST SETS]`. Draws are fixed, so that two runs agree. The truth of a metric is its
//! mean over the test sets of a grid's cell: the same drugs, and cell lines drawn anew (or the same cell lines, and drugs drawn anew).

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

use halfmax_core::Seed;
use halfmax_eval::{Intervals, Metrics, Resample, Scored};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A kind of test set.
struct Design {
    cells: usize,
    drugs: usize,
    /// The share of pairs that were measured.
    density: f64,
    resample: Resample,
}

const fn cells(cells: usize, drugs: usize, density: f64) -> Design {
    Design { cells, drugs, density, resample: Resample::Cells }
}

const fn drugs(cells: usize, drugs: usize, density: f64) -> Design {
    Design { cells, drugs, density, resample: Resample::Drugs }
}

const DESIGNS: [Design; 12] = [
    cells(25, 60, 1.0),
    cells(25, 60, 0.4),
    cells(60, 60, 1.0),
    cells(60, 60, 0.1),
    cells(60, 200, 0.1),
    cells(180, 60, 0.055),
    cells(180, 60, 0.5),
    cells(400, 100, 0.02),
    cells(400, 100, 1.0),
    drugs(200, 25, 1.0),
    drugs(200, 60, 0.1),
    drugs(200, 60, 1.0),
];

/// How many hidden traits of cell lines drugs respond to.
const TRAITS: usize = 3;

/// Standard normal draws.
struct Normal(ChaCha8Rng);

impl Normal {
    fn new(seed: Seed) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed.value()))
    }

    fn share(&mut self) -> f64 {
        self.0.random_range(f64::MIN_POSITIVE..1.0)
    }

    fn draw(&mut self) -> f64 {
        (-2.0 * self.share().ln()).sqrt() * (std::f64::consts::TAU * self.share()).cos()
    }

    /// General sensitivity (or the level of a drug), then the traits.
    fn entity(&mut self) -> [f64; 1 + TRAITS] {
        std::array::from_fn(|_| self.draw())
    }
}

/// One test set: what is not drawn anew comes from `fixed`.
fn test_set(design: &Design, fixed: Seed, fresh: Seed) -> Scored {
    let of = |drawn: Resample| if design.resample == drawn { fresh } else { fixed };
    let mut draws = Normal::new(of(Resample::Cells).derive(1));
    let lines: Vec<_> = (0..design.cells).map(|_| draws.entity()).collect();
    let mut draws = Normal::new(of(Resample::Drugs).derive(2));
    let compounds: Vec<_> = (0..design.drugs).map(|_| draws.entity()).collect();
    let mut draws = Normal::new(fresh.derive(3));
    let (mut cell, mut drug, mut observed, mut predicted) = (vec![], vec![], vec![], vec![]);
    for (line_number, line) in lines.iter().enumerate() {
        for (drug_number, compound) in compounds.iter().enumerate() {
            if draws.share() > design.density {
                continue;
            }
            let common: f64 = line[1..].iter().zip(&compound[1..]).map(|(a, b)| 0.5 * a * b).sum();
            let level = 1.5 * compound[0];
            cell.push(line_number as u32);
            drug.push(drug_number as u32);
            observed.push((level + 0.7 * line[0] + common + 0.8 * draws.draw()) as f32);
            predicted.push((level + 0.35 * line[0] + 0.6 * common + 0.3 * draws.draw()) as f32);
        }
    }
    Scored::new(&cell, &drug, &observed, &predicted).unwrap()
}

/// The metrics whose intervals are looked at.
const NAMES: [&str; 7] = ["rmse", "mae", "r2", "pearson", "spearman", "per_drug_pearson", "r2_within_drug"];

fn values(metrics: &Metrics) -> [Option<f64>; 7] {
    NAMES.map(|name| metrics.get(name))
}

fn ends(intervals: &Intervals) -> [Option<[f64; 2]>; 7] {
    NAMES.map(|name| intervals.get(name))
}

fn main() {
    let test_sets: u64 = std::env::args().nth(1).map_or(500, |text| text.parse().unwrap());
    println!("{test_sets} test sets of each design; per cent of 95 % intervals that hold the truth");
    println!("cells  drugs  density  drawn   rmse   mae    r2     pearson  spearman  per-drug  within-drug");
    for (number, design) in DESIGNS.iter().enumerate() {
        let fixed = Seed::new(1000 + number as u64);
        let found: Vec<_> = (0..test_sets)
            .map(|at| {
                let scored = test_set(design, fixed, fixed.derive(100 + at));
                let intervals = scored.intervals(design.resample, 500, fixed.derive(at)).unwrap();
                (values(&scored.metrics()), ends(&intervals))
            })
            .collect();
        // Where few test sets define a metric, those are no fair draw of all.
        let held = |metric: usize| {
            let known: Vec<f64> = found.iter().filter_map(|one| one.0[metric]).collect();
            let truth = known.iter().sum::<f64>() / known.len() as f64;
            let inside = found
                .iter()
                .filter(|one| one.1[metric].is_some_and(|[low, high]| low <= truth && truth <= high));
            if 2 * known.len() < found.len() {
                f64::NAN
            } else {
                100.0 * inside.count() as f64 / known.len() as f64
            }
        };
        let drawn = if design.resample == Resample::Cells { "cells" } else { "drugs" };
        println!(
            "{:>5}  {:>5}  {:>7}  {drawn:<6}  {:<5.1}  {:<5.1}  {:<5.1}  {:<7.1}  {:<8.1}  {:<8.1}  {:<5.1}",
            design.cells,
            design.drugs,
            design.density,
            held(0),
            held(1),
            held(2),
            held(3),
            held(4),
            held(5),
            held(6)
        );
    }
}
