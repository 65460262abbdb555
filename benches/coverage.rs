//! How often the 95 % intervals of fitted curves hold the truth, and how far IC50 are off, in simulated screens of many kinds.
//!
//! `cargo run --release -p halfmax-dose --example coverage [CURVES] [REGIME] [SEED]` (a REGIME of "" for all). Draws are fixed, so that two runs agree; another SEED draws others, for
//! what is chosen by simulation. Each regime is a screen
//! of its own: what a fit learns from the whole file it learns from these curves.
//!
//! Column "wider" is the share of curves, in %, taken for ones with a second phase or a rise at low doses, "lack" that with the flag `lack_of_fit`: of ordinary
//! curves both are false alarms.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod common;

use common::{Draw, Draws};
use halfmax_core::{Seed, Silent};
use halfmax_dose::{
    BrainCousens, CurveFit, CurveParams, CurveReadings, Estimate, Flag, LogLogistic, Position, Shape,
    TwoPhase,
};

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
    /// The range of the bottom.
    bottom: [f64; 2],
    /// The range of the EC50, as a share of the range of doses (logarithms): 0.2 to 0.8 lies well within.
    ec50: [f64; 2],
    /// The share of gross outliers.
    outliers: f64,
    /// The standard deviation of the factor of each replicate (a batch).
    batch: f64,
    /// Whether a column tells batches apart.
    told: bool,
    /// What every seventh curve is, and the only ones then counted; the others are log-logistic. Where they have a second phase or a rise, intervals are
    /// those of the curves found to have one (column "wider").
    kind: Kind,
}

/// What the curves of a screen are.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    LogLogistic,
    /// A first phase to a plateau of 0.55 to 0.75, a second one to the bottom.
    TwoPhase,
    /// A rise of 0.15 to 0.4 at low doses.
    Hormetic,
    /// No effect.
    Inactive,
}

const ORDINARY: Regime = Regime {
    name: "ordinary",
    doses: 8,
    factor: 3.1623,
    replicates: 3,
    error: 0.05,
    hill: (1.2, 0.4),
    bottom: [0.0, 0.3],
    ec50: [0.3, 0.75],
    outliers: 0.0,
    batch: 0.0,
    told: true,
    kind: Kind::LogLogistic,
};

const REGIMES: [Regime; 26] = [
    ORDINARY,
    Regime { name: "one replicate", replicates: 1, ..ORDINARY },
    Regime { name: "steep", hill: (4.0, 0.3), ..ORDINARY },
    Regime { name: "steep, one replicate", hill: (4.0, 0.3), replicates: 1, ..ORDINARY },
    Regime { name: "steep among others", hill: (1.8, 0.7), ..ORDINARY },
    Regime { name: "shallow", hill: (0.5, 0.25), ..ORDINARY },
    Regime { name: "partial", bottom: [0.25, 0.45], ..ORDINARY },
    Regime { name: "potent", ec50: [0.05, 0.3], ..ORDINARY },
    Regime { name: "weak", ec50: [0.7, 0.95], ..ORDINARY },
    Regime { name: "five doses", doses: 5, factor: 4.0, replicates: 2, ..ORDINARY },
    Regime { name: "five doses, one replicate", doses: 5, factor: 4.0, replicates: 1, ..ORDINARY },
    Regime { name: "outliers", outliers: 0.05, ..ORDINARY },
    Regime { name: "errors of 15 %", error: 0.15, ..ORDINARY },
    Regime { name: "batches", batch: 0.08, ..ORDINARY },
    Regime { name: "batches, not told", batch: 0.08, told: false, ..ORDINARY },
    Regime {
        name: "nine doses, GDSC",
        doses: 9,
        factor: 2.0,
        replicates: 1,
        error: 0.07,
        hill: (1.2, 0.5),
        ..ORDINARY
    },
    Regime {
        name: "eight doses, O'Neil",
        doses: 8,
        factor: 2.2,
        replicates: 6,
        error: 0.06,
        hill: (1.8, 0.7),
        ..ORDINARY
    },
    Regime { name: "inactive", kind: Kind::Inactive, ..ORDINARY },
    Regime { name: "outliers, one replicate", replicates: 1, outliers: 0.05, ..ORDINARY },
    Regime {
        name: "two phases",
        kind: Kind::TwoPhase,
        doses: 10,
        hill: (1.5, 0.3),
        bottom: [0.0, 0.15],
        ..ORDINARY
    },
    Regime {
        name: "two phases, one replicate",
        kind: Kind::TwoPhase,
        doses: 10,
        replicates: 1,
        hill: (1.5, 0.3),
        bottom: [0.0, 0.15],
        ..ORDINARY
    },
    Regime { name: "hormesis", kind: Kind::Hormetic, hill: (2.0, 0.15), ..ORDINARY },
    Regime { name: "batches of 4 %, not told", batch: 0.04, told: false, ..ORDINARY },
    Regime { name: "inactive, batches", kind: Kind::Inactive, batch: 0.08, ..ORDINARY },
    Regime { name: "inactive, not told", kind: Kind::Inactive, batch: 0.08, told: false, ..ORDINARY },
    Regime { name: "five doses, not told", doses: 5, factor: 4.0, batch: 0.08, told: false, ..ORDINARY },
];

struct Curve {
    truth: Shape,
    dose_um: Vec<f64>,
    viability: Vec<f64>,
    batch: Vec<u32>,
}

impl Regime {
    fn shape(&self, plain: LogLogistic, decades: f64, draws: &mut Draws) -> Shape {
        let LogLogistic { top, bottom, ec50, hill } = plain;
        match self.kind {
            Kind::LogLogistic => Shape::LogLogistic(plain),
            Kind::Inactive => Shape::Constant(1.0),
            Kind::TwoPhase => Shape::TwoPhase(TwoPhase {
                top,
                bottom,
                ec50: 0.01 * 10.0_f64.powf(decades * draws.between([0.15, 0.35])),
                hill,
                plateau: draws.between([0.55, 0.75]),
                ec50_2: 0.01 * 10.0_f64.powf(decades * draws.between([0.65, 0.85])),
                hill_2: self.hill.0 * (self.hill.1 * draws.normal()).exp(),
            }),
            Kind::Hormetic => {
                // The rise at the dose of the scale that makes a peak so high.
                let peak = draws.between([1.15, 1.4]);
                let curve = |rise: f64| BrainCousens {
                    top,
                    bottom,
                    scale: ec50,
                    hill: hill + 1.0,
                    rise: rise / ec50,
                };
                let highest = |rise: f64| {
                    (0..400).map(|at| curve(rise).at(ec50 * 1.03_f64.powi(at - 300))).fold(0.0, f64::max)
                };
                let rise = (0..400).map(|at| f64::from(at) * 0.02).find(|rise| highest(*rise) >= peak);
                Shape::BrainCousens(curve(rise.unwrap()))
            }
        }
    }

    fn curve(&self, seed: Seed, at: usize) -> Curve {
        let mut draws = Draws::new(seed);
        let decades = (self.doses - 1) as f64 * self.factor.log10();
        let plain = LogLogistic {
            top: 1.0,
            bottom: draws.between(self.bottom),
            ec50: 0.01 * 10.0_f64.powf(decades * draws.between(self.ec50)),
            hill: self.hill.0 * (self.hill.1 * draws.normal()).exp(),
        };
        let truth = if at.is_multiple_of(7) {
            self.shape(plain, decades, &mut draws)
        } else {
            Shape::LogLogistic(plain)
        };
        let (mut dose_um, mut viability, mut batches) = (Vec::new(), Vec::new(), Vec::new());
        for replicate in 0..self.replicates {
            let batch = 1.0 + self.batch * draws.normal();
            for dose in 0..self.doses {
                let dose = 0.01 * self.factor.powi(dose as i32);
                let gross = if draws.uniform() < self.outliers { draws.between([-0.6, 0.6]) } else { 0.0 };
                dose_um.push(dose);
                batches.push(replicate as u32);
                viability.push(batch * truth.at(dose) + self.error * draws.normal() + gross);
            }
        }
        Curve { truth, dose_um, viability, batch: batches }
    }
}

/// Where a curve falls through one half, by a search from the lowest dose.
fn ic50(truth: &Shape) -> Option<f64> {
    if let Shape::LogLogistic(curve) = truth {
        return curve.dose_at(0.5);
    }
    let place = |at: i32| 1e-6 * 10.0_f64.powf(f64::from(at) / 1000.0);
    let mut falls = (1..14_000).filter(|at| truth.at(place(at - 1)) > 0.5 && truth.at(place(*at)) <= 0.5);
    falls.next().map(place)
}

/// The dose half way from the top to the bottom, or, of two phases, from the top to the plateau.
fn ec50(truth: &Shape) -> Option<f64> {
    let (top, bottom) = match truth {
        Shape::LogLogistic(curve) => return Some(curve.ec50),
        Shape::TwoPhase(curve) => return Some(curve.ec50),
        Shape::Constant(_) => return None,
        Shape::BrainCousens(curve) => (curve.top, curve.bottom),
    };
    let place = |at: i32| 1e-6 * 10.0_f64.powf(f64::from(at) / 1000.0);
    (1..14_000).rev().find(|at| truth.at(place(at - 1)) > f64::midpoint(top, bottom)).map(place)
}

/// The average of a curve over log dose.
fn area(truth: &Shape, [low, high]: [f64; 2]) -> f64 {
    if let Shape::LogLogistic(curve) = truth {
        return curve.area(low, high);
    }
    let place = |at: usize| low * (high / low).powf((at as f64 + 0.5) / 2000.0);
    (0..2000).map(|at| truth.at(place(at))).sum::<f64>() / 2000.0
}

/// How often an interval held the truth, of how many, and how many had no end.
struct Held {
    held: usize,
    all: usize,
    open: usize,
}

impl Held {
    fn add(&mut self, estimate: &Estimate, truth: f64) {
        if !estimate.is_known() {
            return;
        }
        self.all += 1;
        let (low, high) = (estimate.lower, estimate.upper);
        self.open += usize::from(!(low.is_finite() && high.is_finite()));
        self.held += usize::from(!(low > truth || high < truth));
    }
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let share = |part: usize| 100.0 * part as f64 / self.all.max(1) as f64;
        write!(f, "{:5.1} ({:3.0})", share(self.held), share(self.open))
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().map_or(2000, |count| count.parse().unwrap());
    let only = arguments.next();
    let first: u64 = arguments.next().map_or(0, |seed| seed.parse().unwrap());
    let fitter = CurveParams::default().check().unwrap();
    println!(
        "95 % intervals that hold the truth, in % (those without an end); errors of log10 IC50 within the doses"
    );
    println!(
        "{:26} {:>11} {:>11} {:>11} {:>11} {:>7} {:>7} {:>6} {:>6} {:>6}",
        "", "IC50", "EC50", "Emax", "AUC", "rms", "bias", "curves", "wider", "lack"
    );
    let wanted = |regime: &Regime| only.as_ref().is_none_or(|only| only.is_empty() || regime.name == only);
    for (number, regime) in REGIMES.iter().enumerate().filter(|(_, regime)| wanted(regime)) {
        let seed = Seed::new(first + number as u64);
        let curves: Vec<Curve> = (0..count).map(|at| regime.curve(seed.derive(at as u64), at)).collect();
        let readings: Vec<CurveReadings> = curves
            .iter()
            .map(|curve| CurveReadings {
                dose_um: &curve.dose_um,
                viability: &curve.viability,
                divisions: None,
                batch: regime.told.then_some(&curve.batch[..]),
            })
            .collect();
        let every = if regime.kind == Kind::LogLogistic { 1 } else { 7 };
        let fits = fitter.fit_all(&readings, &Silent).unwrap();
        let (curves, fits): (Vec<Curve>, Vec<CurveFit>) = curves.into_iter().zip(fits).step_by(every).unzip();
        let count = fits.len();
        let [mut ic50_held, mut ec50_held, mut emax, mut auc] =
            [const { Held { held: 0, all: 0, open: 0 } }; 4];
        let (mut squares, mut sum, mut within, mut shaped) = (0.0, 0.0, 0, 0);
        let share = |flags: &[Flag]| {
            let set = fits.iter().filter(|fit| flags.iter().any(|flag| fit.flags.contains(*flag))).count();
            100.0 * set as f64 / count as f64
        };
        // Of a second phase that is not found, log-logistic intervals cannot hold what they promise.
        let found = |fit: &CurveFit| match regime.kind {
            Kind::TwoPhase | Kind::Hormetic => {
                matches!(fit.curve, Some(Shape::TwoPhase(_) | Shape::BrainCousens(_)))
            }
            Kind::LogLogistic | Kind::Inactive => true,
        };
        for (curve, fit) in curves.iter().zip(&fits).filter(|(_, fit)| found(fit)) {
            let [low, high] = fit.dose_range;
            shaped += usize::from(fit.ec50.is_known());
            if let Some(truth) = ic50(&curve.truth) {
                ic50_held.add(&fit.ic50, truth);
                if fit.ic50_position == Position::Within && (low..=high).contains(&truth) {
                    let error = (fit.ic50.value / truth).log10();
                    (squares, sum, within) = (squares + error * error, sum + error, within + 1);
                }
            }
            if let Some(truth) = ec50(&curve.truth) {
                ec50_held.add(&fit.ec50, truth);
            }
            emax.add(&fit.emax, curve.truth.at(high));
            auc.add(&fit.auc, area(&curve.truth, [low, high]));
        }
        let n = f64::from(within.max(1));
        println!(
            "{:26} {ic50_held:>11} {ec50_held:>11} {emax:>11} {auc:>11} {:7.4} {:7.4} {:6.1} {:6.2} {:6.2}",
            regime.name,
            (squares / n).sqrt(),
            sum / n,
            100.0 * f64::from(shaped as u32) / count as f64,
            share(&[Flag::Biphasic, Flag::Hormetic]),
            share(&[Flag::LackOfFit]),
        );
    }
}
