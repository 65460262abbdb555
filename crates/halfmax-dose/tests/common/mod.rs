//! Shared helpers of curve tests: draws, doses and simulated readings.

// Each test uses only a part.
#![allow(dead_code)]

use halfmax_core::Seed;
use halfmax_dose::{CurveFit, CurveParams, CurveReadings, LogLogistic, Shape};

/// A standard normal number, from its place in a seeded sequence.
pub fn normal(seed: u64, at: u64) -> f64 {
    normal_of(Seed::new(seed), at)
}

/// The same for any seed.
pub fn normal_of(seed: Seed, at: u64) -> f64 {
    let uniform = |which: u64| {
        let bits = seed.derive(2 * at + which).value() >> 11;
        (bits as f64 + 0.5) / (1u64 << 53) as f64
    };
    (-2.0 * uniform(0).ln()).sqrt() * (std::f64::consts::TAU * uniform(1)).cos()
}

/// Eight doses over 3.5 decades, each `replicates` times.
pub fn doses(replicates: usize) -> Vec<f64> {
    half_decades(0.005, 8, replicates)
}

/// Doses half a decade apart, each `replicates` times.
pub fn half_decades(lowest: f64, count: usize, replicates: usize) -> Vec<f64> {
    (0..count * replicates).map(|at| lowest * 10.0_f64.powf(0.5 * (at / replicates) as f64)).collect()
}

/// The true curve of simulated readings.
pub trait Truth {
    /// The viability at a dose.
    fn viability(&self, dose: f64) -> f64;
}

impl Truth for LogLogistic {
    fn viability(&self, dose: f64) -> f64 {
        self.at(dose)
    }
}

impl Truth for Shape {
    fn viability(&self, dose: f64) -> f64 {
        self.at(dose)
    }
}

/// Readings of a curve with independent normal errors.
pub fn simulated(truth: &impl Truth, sigma: f64, seed: u64, doses: &[f64]) -> Vec<f64> {
    doses.iter().zip(0..).map(|(dose, at)| truth.viability(*dose) + sigma * normal(seed, at)).collect()
}

/// The fit of one curve.
pub fn fitted(params: CurveParams, dose_um: &[f64], viability: &[f64]) -> CurveFit {
    params.check().unwrap().fit(&CurveReadings { dose_um, viability, divisions: None, batch: None })
}

/// Fails if two numbers are not close.
pub fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found}, expected {expected} ± {tolerance}");
}
