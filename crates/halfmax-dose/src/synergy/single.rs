//! The curve of each drug alone, with its quality.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lattice::Lattice;
use super::noise::Noise;
use crate::curve::FittedModel;
use crate::distributions::f_upper_tail;
use crate::flags::{Flag, Flags};
use crate::flatness::p_of_trend;
use crate::learnt::{Learnt, Own};
use crate::least_squares::{Level, Limits, Minimum, Pull, descend};
use crate::shape::{LogLogistic, Theta};
use crate::starts::fit;

/// The correction of a nonzero baseline, the inhibition of fitted curves without effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// No correction.
    #[default]
    None,
    /// Subtracted from negative inhibitions only.
    Part,
    /// Subtracted from every inhibition.
    All,
}

impl Baseline {
    /// Corrects inhibitions in percent as SynergyFinder does since version 2.4.2 (Zheng et al. 2022): the baseline `b`
    /// is the lowest inhibition that any drug's fitted curve has at its doses, and `y` becomes `y − b (100 − y) / 100`.
    /// Needs a curve of every drug.
    pub(crate) fn correct(self, lattice: &Lattice, fitting: &Fitting, inhibitions: &mut [f64]) {
        if self == Self::None {
            return;
        }
        let mut baseline = f64::INFINITY;
        for (drug, alone) in fitting.single_agents(lattice, inhibitions).iter().enumerate() {
            let Some(alone) = alone else { return };
            let fitted = lattice.doses(drug).iter().map(|dose| 100.0 * (1.0 - alone.curve().at(*dose)));
            baseline = fitted.fold(baseline, f64::min);
        }
        for value in inhibitions.iter_mut().filter(|value| self == Self::All || **value < 0.0) {
            *value -= baseline * (100.0 - *value) / 100.0;
        }
    }
}

/// The doses, including 0, required for four free parameters. With one fewer, the top is fixed at the reading of dose
/// 0, or at 1.
const DOSES_FOR_FOUR: usize = 5;
/// The largest distance of an EC50 from the tested doses, in decades.
const DECADES_BEYOND: f64 = 2.0;
const HILL: [f64; 2] = [0.1, 10.0];
/// From this p value on, a drug has no clear effect.
const SIGNIFICANCE: f64 = 0.05;
/// With fewer degrees of freedom, an F test finds only nearly exact curves, so a fall of readings with the dose also
/// counts as an effect.
const POWER: f64 = 3.0;

/// The curve of a drug alone, in viability as a fraction of the control, with its quality. Missing numbers are NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SingleAgent {
    /// The curve; `None` for a drug with fewer than three doses, or if no model needs a curve.
    pub curve: Option<LogLogistic>,
    /// The type of the fitted curve; with fewer than four doses, the top is not fitted.
    pub model: FittedModel,
    /// The number of doses above 0 with a reading.
    pub doses: usize,
    /// The share of the variance of the means of doses that the curve explains.
    pub r2: f64,
    /// The residual standard error of the means of doses, in viability. NaN without degrees of freedom.
    pub residual_standard_error: f64,
    /// Warnings to check before using the curve. In matrices, `too_few_doses` means fewer than three.
    pub flags: Flags,
}

impl SingleAgent {
    /// Whether the readings determine the curve too poorly for Loewe and ZIP.
    pub fn is_doubtful(&self) -> bool {
        const DOUBTS: [Flag; 7] = [
            Flag::TooFewDoses,
            Flag::Flat,
            Flag::Increasing,
            Flag::Ec50OutsideRange,
            Flag::NonMonotone,
            Flag::PoorFit,
            Flag::AtLimit,
        ];
        DOUBTS.iter().any(|flag| self.flags.contains(*flag))
    }
}

/// A fitted curve with its data.
#[derive(Clone, Debug)]
pub(crate) struct Fitted {
    line: Line,
    levels: Vec<Level>,
    limits: Limits,
    minimum: Minimum,
}

/// The settings for fitting the curves of a block.
#[derive(Clone, Debug)]
pub(crate) struct Fitting {
    /// The common properties of the curves of all blocks.
    pub learnt: Learnt,
    /// The error of the readings of this block.
    pub noise: Noise,
    /// The starting curves for resampled readings, by line: the curves of the original readings.
    pub starts: HashMap<Line, Theta>,
}

/// A line of cells: its first cell, which has the lowest dose, and the drug that varies along the line.
pub(crate) type Line = (usize, usize);

impl Fitting {
    /// The curves of the drugs alone; `None` for a drug with too few doses.
    pub fn single_agents(&self, lattice: &Lattice, inhibitions: &[f64]) -> Vec<Option<Fitted>> {
        let alone = |drug: usize| {
            let cells = lattice.alone(drug).into_iter().zip(lattice.doses(drug).iter().copied());
            let levels = levels(cells, inhibitions);
            let free = levels.len() >= DOSES_FOR_FOUR;
            let control =
                levels.iter().find(|level| level.ln_dose.is_infinite()).map_or(1.0, |level| level.mean);
            self.fit((lattice.stride(drug), drug), levels, (!free).then_some(control))
        };
        (0..lattice.drugs()).map(alone).collect()
    }

    /// Fits a curve by least squares, with its top fixed where given. Plateaus stay within the range of the readings,
    /// extended to include 0 and 1. `None` with fewer than three doses above 0.
    pub fn fit(&self, line: Line, levels: Vec<Level>, top: Option<f64>) -> Option<Fitted> {
        let ln_doses = || levels.iter().map(|level| level.ln_dose).filter(|ln| ln.is_finite());
        if ln_doses().count() < 3 {
            return None;
        }
        let around = |values: &mut dyn Iterator<Item = f64>, [low, high]: [f64; 2]| {
            values.fold([low, high], |[low, high], value| [low.min(value), high.max(value)])
        };
        let plateau = around(&mut levels.iter().map(|level| level.mean), [0.0, 1.0]);
        let doses = around(&mut ln_doses(), [f64::INFINITY, f64::NEG_INFINITY]);
        let beyond = DECADES_BEYOND * std::f64::consts::LN_10;
        let limits = Limits::new([
            top.map_or(plateau, |top| [top, top]),
            plateau,
            [doses[0] - beyond, doses[1] + beyond],
            HILL.map(f64::ln),
        ]);
        let mut minimum = match self.starts.get(&line) {
            Some(start) => descend(&levels, &limits, start),
            None => fit(&levels, &limits),
        };
        let pull = self.pull(&levels, &limits, &minimum);
        let limits = Limits { pull, ..limits };
        if pull != Pull::NONE {
            minimum = descend(&levels, &limits, &minimum.theta);
        }
        Some(Fitted { line, levels, limits, minimum })
    }

    /// The priors of a curve from the common properties of all curves.
    fn pull(&self, levels: &[Level], limits: &Limits, minimum: &Minimum) -> Pull {
        let mut pull = Pull::NONE;
        let freedom = freedom(levels, limits);
        let (variance, _) = self.noise.of_means.unwrap_or(self.learnt.moderated(minimum.cost, freedom));
        for (parameter, prior) in [(0, self.learnt.top), (3, self.learnt.ln_hill)] {
            if let Some([mean, spread]) = prior.filter(|_| variance.is_finite()) {
                (pull.at[parameter], pull.weight[parameter]) = (mean, variance / (spread * spread));
            }
        }
        pull
    }
}

impl Fitted {
    /// Its line and parameters, as a starting point for other fits.
    pub fn start(&self) -> (Line, Theta) {
        (self.line, self.minimum.theta)
    }

    pub fn curve(&self) -> LogLogistic {
        LogLogistic::from_theta(&self.minimum.theta)
    }

    /// The curve as input for learning, with the error of its levels from replicates: variance and degrees of freedom.
    pub fn own(self, noise: Option<(f64, f64)>) -> Own {
        let total = total(&self.levels);
        let theta: Theta = self.minimum.theta;
        let falls = theta[1] < theta[0];
        // A parameter at the end of its range does not count as fitted.
        let held = (0..4).filter(|at| self.limits.holds(*at, theta[*at])).count();
        let freedom = freedom(&self.levels, &self.limits);
        let freedom = if freedom > 0 { freedom + held } else { 0 };
        let (variance, replicated) = noise.unwrap_or((0.0, 0.0));
        Own {
            limits: self.limits,
            theta,
            squares: self.minimum.cost + variance * replicated,
            freedom: freedom + replicated as usize,
            explained: if falls { total - self.minimum.cost } else { 0.0 },
            batches: None,
            replicates: None,
            levels: self.levels,
        }
    }

    /// The curve with its quality.
    pub fn described(&self, fitting: &Fitting) -> SingleAgent {
        let (levels, limits, theta) = (&self.levels, &self.limits, &self.minimum.theta);
        let freedom = freedom(levels, limits);
        let squares = (self.minimum.cost - limits.pull.cost(theta)).max(0.0);
        let total = total(levels);
        let mut flags = Flags::default();
        let (variance, worth) = fitting.noise.of_means.unwrap_or(fitting.learnt.moderated(squares, freedom));
        let more = limits.free() as f64;
        let p = match worth > 0.0 {
            true => f_upper_tail((total - squares) / more / variance.max(1e-300), more, worth),
            false => f64::NAN,
        };
        let falls = worth < POWER && p_of_trend(levels) < SIGNIFICANCE;
        let r2 = if total > 0.0 { 1.0 - squares / total } else { f64::NAN };
        let residual = (squares / freedom as f64).sqrt();
        if !falls && (p.is_nan() || p >= SIGNIFICANCE) {
            flags.insert(Flag::Flat);
        } else if theta[1] > theta[0] {
            flags.insert(Flag::Increasing);
        }
        let doses: Vec<f64> = levels.iter().map(|level| level.ln_dose).filter(|ln| ln.is_finite()).collect();
        let outside = |ends: (Option<&f64>, Option<&f64>)| match ends {
            (Some(low), Some(high)) => theta[2] < *low || theta[2] > *high,
            _ => true,
        };
        if outside((doses.first(), doses.last())) {
            flags.insert(Flag::Ec50OutsideRange);
        }
        if fitting.noise.rises(levels.iter().map(|level| level.mean)) {
            flags.insert(Flag::NonMonotone);
        }
        if (r2 < 0.5 && !flags.contains(Flag::Flat)) || residual > 0.25 {
            flags.insert(Flag::PoorFit);
        }
        if limits.holds(2, theta[2]) || limits.holds(3, theta[3]) {
            flags.insert(Flag::AtLimit);
        }
        let model = if limits.is_free(0) { FittedModel::FourParameter } else { FittedModel::ThreeParameter };
        let residual_standard_error = if freedom > 0 { residual } else { f64::NAN };
        SingleAgent {
            curve: Some(self.curve()),
            model,
            doses: doses.len(),
            r2,
            residual_standard_error,
            flags,
        }
    }
}

/// The description of a drug without a curve.
pub(crate) fn without_curve(lattice: &Lattice, inhibitions: &[f64], drug: usize) -> SingleAgent {
    let present = |cell: &usize| !inhibitions[*cell].is_nan();
    let doses = lattice.alone(drug).iter().skip(1).filter(|cell| present(cell)).count();
    let mut flags = Flags::default();
    if doses < 3 {
        flags.insert(Flag::TooFewDoses);
    }
    let none = f64::NAN;
    SingleAgent {
        curve: None,
        model: FittedModel::None,
        doses,
        r2: none,
        residual_standard_error: none,
        flags,
    }
}

/// The degrees of freedom of a curve. A control that fixes the top does not count.
fn freedom(levels: &[Level], limits: &Limits) -> usize {
    let counts = |level: &&Level| limits.is_free(0) || level.ln_dose.is_finite();
    levels.iter().filter(counts).count().saturating_sub(limits.free())
}

/// The sum of squares of the levels' means about their mean.
fn total(levels: &[Level]) -> f64 {
    let mean = levels.iter().map(|level| level.mean).sum::<f64>() / levels.len() as f64;
    levels.iter().map(|level| (level.mean - mean).powi(2)).sum()
}

/// The readings of cells at their doses, as viabilities, without missing readings.
pub(crate) fn levels(cells: impl Iterator<Item = (usize, f64)>, inhibitions: &[f64]) -> Vec<Level> {
    let present = cells.filter(|(cell, _)| !inhibitions[*cell].is_nan());
    let level = |(cell, dose): (usize, f64)| Level {
        ln_dose: dose.ln(),
        weight: 1.0,
        mean: 1.0 - inhibitions[cell] / 100.0,
        batch: 0,
    };
    present.map(level).collect()
}
