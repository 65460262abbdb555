//! How often the 95 % intervals of doses of effects (ICx, ECx, GRx) hold the truth in simulated screens.
//!
//! `cargo run --release -p halfmax-dose --example effects [CURVES] [SEED]`. Draws are fixed, so that two runs agree. Each regime is a screen of its
//! own: what a fit learns from the whole file it learns from these curves. Counted are effects whose true dose lies within the tested ones; in brackets stands the
//! share of them, in %, that were given a dose, and the share of those whose interval has an open end.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod common;

use common::{Draw, Draws};
use halfmax_core::{Seed, Silent};
use halfmax_dose::{CurveFit, CurveParams, CurveReadings, Effect, LogLogistic};

/// A kind of screen.
struct Regime {
    name: &'static str,
    /// The number of doses, the factor between two, and the replicates of each.
    doses: usize,
    factor: f64,
    replicates: usize,
    /// The standard error of a reading.
    error: f64,
    /// The Hill slope: its middle, and the standard deviation of its logarithm.
    hill: (f64, f64),
    /// The range of the bottom: a viability, or a growth rate.
    bottom: [f64; 2],
    /// The range of the EC50, as a share of the range of doses (logarithms).
    ec50: [f64; 2],
    /// The range of the control's divisions, where growth rates are read off.
    divisions: Option<[f64; 2]>,
    /// Whether growth rates follow a log-logistic curve, else viabilities.
    rates: bool,
}

const VIABILITY: Regime = Regime {
    name: "ordinary",
    doses: 8,
    factor: 3.1623,
    replicates: 3,
    error: 0.05,
    hill: (1.2, 0.4),
    bottom: [0.0, 0.3],
    ec50: [0.3, 0.75],
    divisions: None,
    rates: false,
};

/// From most cells dead to cells that still grow at a third of the rate.
const GROWTH: Regime = Regime {
    name: "growth rates",
    bottom: [-0.6, 0.3],
    divisions: Some([1.0, 3.0]),
    rates: true,
    ..VIABILITY
};

const REGIMES: [Regime; 18] = [
    VIABILITY,
    Regime { name: "one replicate", replicates: 1, ..VIABILITY },
    Regime { name: "steep", hill: (4.0, 0.3), ..VIABILITY },
    Regime { name: "shallow", hill: (0.5, 0.25), ..VIABILITY },
    Regime { name: "potent", ec50: [0.05, 0.3], ..VIABILITY },
    Regime { name: "weak", ec50: [0.7, 0.95], ..VIABILITY },
    Regime { name: "five doses", doses: 5, factor: 4.0, replicates: 2, ..VIABILITY },
    Regime { name: "errors of 15 %", error: 0.15, ..VIABILITY },
    GROWTH,
    Regime { name: "GR, one replicate", replicates: 1, ..GROWTH },
    Regime { name: "GR, steep", hill: (3.0, 0.3), ..GROWTH },
    Regime { name: "GR, potent", ec50: [0.05, 0.3], ..GROWTH },
    Regime { name: "GR, weak", ec50: [0.7, 0.95], ..GROWTH },
    Regime { name: "GR, five doses", doses: 5, factor: 4.0, replicates: 2, ..GROWTH },
    Regime { name: "GR, errors of 10 %", error: 0.1, ..GROWTH },
    Regime { name: "GR, one division", divisions: Some([0.7, 1.0]), ..GROWTH },
    Regime { name: "GR, six replicates", replicates: 6, ..GROWTH },
    Regime { name: "GR of viabilities", divisions: Some([1.0, 3.0]), ..VIABILITY },
];

struct Curve {
    truth: LogLogistic,
    divisions: Option<f64>,
    dose_um: Vec<f64>,
    viability: Vec<f64>,
}

impl Regime {
    fn curve(&self, seed: Seed) -> Curve {
        let mut draws = Draws::new(seed);
        let decades = (self.doses - 1) as f64 * self.factor.log10();
        let truth = LogLogistic {
            top: 1.0,
            bottom: draws.between(self.bottom),
            ec50: 0.01 * 10.0_f64.powf(decades * draws.between(self.ec50)),
            hill: self.hill.0 * (self.hill.1 * draws.normal()).exp(),
        };
        let divisions = self.divisions.map(|range| draws.between(range));
        let viability = |dose: f64| match divisions {
            Some(divisions) if self.rates => left(truth.at(dose), divisions),
            _ => truth.at(dose),
        };
        let dose_um: Vec<f64> = (0..self.doses * self.replicates)
            .map(|at| 0.01 * self.factor.powi((at % self.doses) as i32))
            .collect();
        let viability = dose_um.iter().map(|dose| viability(*dose) + self.error * draws.normal()).collect();
        Curve { truth, divisions, dose_um, viability }
    }

    /// The effects read off.
    fn effects(&self) -> Vec<Effect> {
        match self.divisions {
            Some(_) => [25.0, 50.0, 75.0, 100.0].map(Effect::GrowthRate).to_vec(),
            None => vec![
                Effect::Inhibitory(25.0),
                Effect::Inhibitory(75.0),
                Effect::Inhibitory(90.0),
                Effect::Effective(10.0),
                Effect::Effective(25.0),
                Effect::Effective(90.0),
            ],
        }
    }
}

/// What a growth rate leaves of the control (Hafner et al. 2016, equation 1, the other way round).
fn left(rate: f64, divisions: f64) -> f64 {
    (divisions * ((rate + 1.0).log2() - 1.0)).exp2()
}

impl Curve {
    /// The true dose of an effect.
    fn dose(&self, effect: Effect, rates: bool) -> Option<f64> {
        let LogLogistic { top, bottom, .. } = self.truth;
        let level = match (effect, self.divisions) {
            (Effect::Effective(percent), _) => top - percent / 100.0 * (top - bottom),
            (Effect::GrowthRate(percent), Some(divisions)) if !rates => {
                left(1.0 - percent / 100.0, divisions)
            }
            (Effect::Inhibitory(percent) | Effect::GrowthRate(percent), _) => 1.0 - percent / 100.0,
        };
        self.truth.dose_at(level)
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().map_or(4000, |count| count.parse().unwrap());
    let first: u64 = arguments.next().map_or(0, |seed| seed.parse().unwrap());
    println!(
        "95 % intervals that hold the true dose, in % (those given a dose, those with an open end), and the error of log10 of the dose"
    );
    for (number, regime) in REGIMES.iter().enumerate() {
        let params = CurveParams { effects: regime.effects(), ..CurveParams::default() };
        let fitter = params.check().unwrap();
        let seed = Seed::new(first + number as u64);
        let curves: Vec<Curve> = (0..count).map(|at| regime.curve(seed.derive(at as u64))).collect();
        let readings: Vec<CurveReadings> = curves
            .iter()
            .map(|curve| CurveReadings {
                dose_um: &curve.dose_um,
                viability: &curve.viability,
                divisions: curve.divisions,
                batch: None,
            })
            .collect();
        let fits: Vec<CurveFit> = fitter.fit_all(&readings, &Silent).unwrap();
        print!("{:20}", regime.name);
        for (at, effect) in regime.effects().into_iter().enumerate() {
            let (mut held, mut given, mut all, mut open, mut squares) = (0, 0, 0, 0, 0.0);
            for (curve, fit) in curves.iter().zip(&fits) {
                let [low, high] = fit.dose_range;
                let Some(truth) = curve.dose(effect, regime.rates).filter(|dose| (low..=high).contains(dose))
                else {
                    continue;
                };
                all += 1;
                let found = &fit.effect_doses[at].dose;
                if found.is_known() {
                    given += 1;
                    open += usize::from(found.lower.is_nan() || found.upper.is_nan());
                    held += usize::from(!(found.lower > truth || found.upper < truth));
                    squares += (found.value / truth).log10().powi(2);
                }
            }
            let share = |part: usize, of: usize| 100.0 * part as f64 / of.max(1) as f64;
            print!(
                "  {} {:5.1} ({:3.0}, {:2.0}) {:.3}",
                effect.name(),
                share(held, given),
                share(given, all),
                share(open, given),
                (squares / f64::from(given.max(1) as u32)).sqrt()
            );
        }
        println!();
    }
}
