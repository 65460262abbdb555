//! Derives all quantities of a fitted curve, with intervals.

use std::f64::consts::LN_10;

use crate::curve::{CurveFit, FittedModel, Position, SecondPhase, Shape};
use crate::distributions::Quantiles;
use crate::effects::{Effect, EffectDose, SensitivityScores};
use crate::estimate::{Estimate, Uncertainty};
use crate::flags::Flag;
use crate::flatness::{has_power, p_of_trend, varies};
use crate::hormesis::BrainCousens;
use crate::kept::{Candidate, Kept};
use crate::lack_of_fit::LackOfFit;
use crate::least_squares::{Limits, Pull, descend};
use crate::model::{Curve, Target};
use crate::params::CurveParams;
use crate::phases::Wider;
use crate::picture::Band;
use crate::profile::{Function, Region};
use crate::robust::Sorted;
use crate::shape::LogLogistic;
use crate::two_phase::{TwoPhase, TwoPhaseTheta};

/// The viability that defines the absolute IC50.
const HALF: f64 = 0.5;
/// The p value of the lack-of-fit test below which a curve gets its flag.
const LACK_OF_FIT: f64 = 0.01;
/// The p value below which the test is repeated without priors.
const SUSPICIOUS: f64 = 0.05;

/// The inputs of a curve's description.
pub(crate) struct Described<'a> {
    pub kept: &'a Kept,
    /// The kept readings.
    pub used: &'a Sorted,
    pub params: &'a CurveParams,
    /// The quantiles for intervals.
    pub quantiles: &'a Quantiles,
}

impl Described<'_> {
    /// Describes a log-logistic curve, or the constant that was selected instead.
    pub fn plain(&self, fit: &mut CurveFit, chosen: &Candidate, model: FittedModel, band: &mut Band) {
        fit.model = model;
        let constant = model == FittedModel::Constant;
        // The p value of the deciding test.
        fit.p_flat = match has_power(chosen) {
            true => self.kept.p_against_mean(chosen),
            false => p_of_trend(&self.kept.doses),
        };
        if constant && !has_power(chosen) && varies(self.kept) {
            fit.flags.insert(Flag::TooFewToTell);
        } else if fit.p_flat.is_nan() || fit.p_flat >= self.params.significance {
            fit.flags.insert(Flag::Flat);
        }
        if constant {
            self.constant(fit, band);
        } else {
            fit.curve = Some(Shape::LogLogistic(LogLogistic::from_theta(&chosen.theta)));
            self.curve(fit, chosen, Half::OfParameter).band(band);
        }
        self.quality(fit);
    }

    /// Describes a curve with a second phase or a rise at low doses.
    pub fn wider(&self, fit: &mut CurveFit, wider: &Wider, band: &mut Band) {
        fit.flags.insert(wider.flag());
        match wider {
            Wider::Hormetic(chosen) => {
                fit.model = FittedModel::BrainCousens;
                fit.p_flat = self.kept.p_against_mean(chosen);
                fit.curve = Some(Shape::BrainCousens(BrainCousens::from_theta(&chosen.theta)));
                let reader = self.curve(fit, chosen, Half::OfFall);
                reader.band(band);
                (fit.peak, fit.peak_um) = reader.peak();
            }
            Wider::TwoPhase(chosen) => {
                fit.model = FittedModel::TwoPhase;
                fit.p_flat = self.kept.p_against_mean(chosen);
                fit.curve = Some(Shape::TwoPhase(TwoPhase::from_theta(&chosen.theta)));
                let rises = wider.flag() == Flag::Hormetic;
                let half = if rises { Half::OfFall } else { Half::OfParameter };
                let reader = self.curve(fit, chosen, half);
                reader.band(band);
                fit.second = reader.second();
                if rises {
                    (fit.peak, fit.peak_um) = reader.peak();
                }
            }
        }
        self.quality(fit);
    }

    fn quality(&self, fit: &mut CurveFit) {
        if fit.outliers > 0 {
            fit.flags.insert(Flag::Outliers);
        }
        let poor = fit.r2 < 0.5 && !fit.flags.contains(Flag::Flat);
        if poor || fit.residual_standard_error > 0.25 {
            fit.flags.insert(Flag::PoorFit);
        }
        if fit.p_lack_of_fit < LACK_OF_FIT {
            fit.flags.insert(Flag::LackOfFit);
        }
    }

    fn constant(&self, fit: &mut CurveFit, band: &mut Band) {
        let kept = self.kept;
        let freedom = kept.freedom(1);
        let variance = kept.total / freedom as f64;
        let standard_error = (variance * kept.uncertainty_of_mean()).sqrt();
        let half = self.quantiles.at(freedom as f64) * standard_error;
        let level =
            Estimate { value: kept.mean, standard_error, lower: kept.mean - half, upper: kept.mean + half };
        (fit.top, fit.bottom, fit.auc, fit.emax) = (level, level, level, level);
        band.fill(|_| level);
        fit.curve = Some(Shape::Constant(kept.mean));
        fit.residual_standard_error = variance.sqrt();
        fit.r2 = 0.0;
        fit.p_lack_of_fit = self.lack_of_fit(|_| kept.mean, kept.total, 1);
        fit.sensitivity = SensitivityScores::of_constant(kept.mean);
        let told = !fit.flags.contains(Flag::TooFewToTell);
        fit.effect_doses = self.effects(|level| match told && level > level_of(&fit.emax) {
            true => Position::Below,
            false => Position::Nowhere,
        });
        if !told {
            return;
        }
        if kept.mean < HALF {
            fit.ic50_position = Position::Below;
            fit.flags.insert(Flag::Ic50BelowRange);
        } else {
            fit.flags.insert(Flag::NoIc50);
        }
    }

    /// The doses of effects for a constant, which have only positions.
    fn effects(&self, position: impl Fn(f64) -> Position) -> Vec<EffectDose> {
        let of = |effect: &Effect| match effect {
            Effect::Inhibitory(percent) => position(1.0 - percent / 100.0),
            Effect::Effective(_) | Effect::GrowthRate(_) => Position::Nowhere,
        };
        let one =
            |effect: &Effect| EffectDose { effect: *effect, dose: Estimate::NONE, position: of(effect) };
        self.params.effects.iter().map(one).collect()
    }

    fn lack_of_fit(&self, curve: impl Fn(f64) -> f64, squares: f64, parameters: usize) -> f64 {
        let fitted = self.used.ln_doses.iter().map(|ln_dose| curve(*ln_dose)).collect();
        LackOfFit {
            sorted: self.used,
            fitted,
            squares: squares + self.kept.set_aside.unwrap_or(0.0),
            parameters,
            // Unmarked batches are part of the variation of replicates.
            batches: if self.kept.set_aside.is_some() { 0.0 } else { self.kept.batches },
            spent: self.kept.spent,
        }
        .p_value()
    }

    fn lack_of_fit_of<const N: usize>(&self, theta: &[f64; N], squares: f64, parameters: usize) -> f64
    where
        [f64; N]: Curve<N>,
    {
        let ready = theta.ready();
        self.lack_of_fit(|ln_dose| <[f64; N]>::value(&ready, ln_dose), squares, parameters)
    }

    /// Fills in the quantities that all curves have.
    fn curve<'b, const N: usize>(
        &'b self,
        fit: &mut CurveFit,
        chosen: &'b Candidate<N>,
        half: Half,
    ) -> Reader<'b, N>
    where
        [f64; N]: Curve<N>,
    {
        let (kept, theta, limits) = (self.kept, &chosen.theta, &chosen.limits);
        let reader = Reader::new(kept, chosen, fit.dose_range.map(f64::ln), self.quantiles);
        let range = reader.range;
        let [top, bottom] = [theta[0], theta[1]];
        fit.top = match limits.is_free(0) {
            true => reader.parameter(0, ANYWHERE),
            false => Estimate::exact(top),
        };
        fit.bottom = reader.parameter(1, ANYWHERE);
        fit.hill = reader.slope(3);
        (fit.ec50, fit.ec50_position) = match half {
            Half::OfParameter => {
                let ec50 = reader.dose_of(&|theta: &[f64; N]| Some((theta[2], unit(2))));
                (ec50.unwrap_or(Estimate::NONE), Position::of(theta[2], range))
            }
            Half::OfFall => reader.dose(Target::Effect(HALF)).unwrap_or((Estimate::NONE, Position::Nowhere)),
        };
        if fit.ec50_position != Position::Within {
            fit.flags.insert(Flag::Ec50OutsideRange);
        }
        if (0..N).any(|at| !PLATEAUS.contains(&at) && limits.holds(at, theta[at])) {
            fit.flags.insert(Flag::AtLimit);
        }
        fit.auc = reader.derived(&|theta: &[f64; N]| Some(theta.area(range)));
        fit.emax = reader.derived(&|theta: &[f64; N]| Some(<[f64; N]>::slopes(&theta.ready(), range[1])));
        fit.residual_standard_error = (chosen.squares / kept.freedom(limits.free()) as f64).sqrt();
        fit.r2 = if kept.total > 0.0 { 1.0 - chosen.squares / kept.total } else { f64::NAN };
        let ready = theta.ready();
        let [first, last] = range.map(|ln_dose| <[f64; N]>::value(&ready, ln_dose));
        // If a curve both falls and rises, its plateaus do not decide whether it rises.
        let rises = if N == 4 { bottom > top } else { last > first };
        if rises {
            fit.flags.insert(Flag::Increasing);
        }
        (fit.ic50, fit.ic50_position) = reader.absolute(HALF);
        match fit.ic50_position {
            Position::Within => {}
            Position::Below => fit.flags.insert(Flag::Ic50BelowRange),
            Position::Above => fit.flags.insert(Flag::Ic50AboveRange),
            Position::Nowhere => fit.flags.insert(Flag::NoIc50),
        }
        let open =
            |estimate: &Estimate| estimate.is_known() && (estimate.lower.is_nan() || estimate.upper.is_nan());
        if open(&fit.ic50) || open(&fit.ec50) {
            fit.flags.insert(Flag::OpenInterval);
        }
        fit.p_lack_of_fit = self.lack_of_fit_of(theta, chosen.squares, limits.free());
        if fit.p_lack_of_fit < SUSPICIOUS {
            // The test uses plain least squares, because the cost of priors is not a lack of fit.
            let limits = Limits { pull: Pull::of_batches(kept.batches), ..*limits };
            let least = descend(&kept.levels, &limits, theta);
            fit.p_lack_of_fit = self
                .lack_of_fit_of(&least.theta, kept.within + least.cost, limits.free())
                .max(fit.p_lack_of_fit);
        }
        fit.sensitivity = SensitivityScores::of_curve(theta, range);
        fit.effect_doses = self.params.effects.iter().map(|effect| reader.effect(*effect)).collect();
        reader
    }
}

/// The upper end of a constant's interval, or its value without an interval.
fn level_of(constant: &Estimate) -> f64 {
    if constant.upper.is_nan() { constant.value } else { constant.upper }
}

/// The definition of the EC50.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    /// The third parameter: half way between two plateaus.
    OfParameter,
    /// The dose at which the curve has fallen half way from its top to its bottom.
    OfFall,
}

const ANYWHERE: [f64; 2] = [f64::NEG_INFINITY, f64::INFINITY];
/// The parameters that are viabilities: top, bottom, and the plateau between phases or the rise.
const PLATEAUS: [usize; 3] = [0, 1, 4];

fn unit<const N: usize>(at: usize) -> [f64; N] {
    std::array::from_fn(|other| if other == at { 1.0 } else { 0.0 })
}

/// Derives estimates from a fitted curve.
pub(crate) struct Reader<'a, const N: usize> {
    theta: &'a [f64; N],
    uncertainty: Uncertainty<N>,
    region: Region<'a, N>,
    /// The range of tested ln doses.
    range: [f64; 2],
    /// The range in which ends of dose intervals are searched.
    near: [f64; 2],
}

impl<'a, const N: usize> Reader<'a, N>
where
    [f64; N]: Curve<N>,
{
    pub fn new(kept: &'a Kept, chosen: &'a Candidate<N>, range: [f64; 2], quantiles: &Quantiles) -> Self {
        let (theta, spread) = (&chosen.theta, &chosen.spread);
        let (variance, _) = spread.variance;
        let uncertainty = Uncertainty::new(&kept.levels, &spread.limits, theta, spread.variance, quantiles);
        let region = Region {
            levels: &kept.levels,
            limits: &spread.limits,
            minimum: spread.minimum.theta,
            least: spread.minimum.cost,
            allowed: uncertainty.allowed(variance),
        };
        Self { theta, uncertainty, region, range, near: [range[0] - LN_10, range[1] + LN_10] }
    }

    fn parameter(&self, at: usize, bounds: [f64; 2]) -> Estimate {
        let function = |theta: &[f64; N]| Some((theta[at], unit(at)));
        let ends = self.uncertainty.ends(&self.region, &function, self.theta[at], &unit(at), bounds);
        self.uncertainty.plain(self.theta[at], &unit(at), ends)
    }

    /// A Hill slope; the parameter is its logarithm.
    fn slope(&self, at: usize) -> Estimate {
        // If the interval reaches a limit of the slope, that end is open.
        let [low, high] = self.region.limits.ranges[at];
        let within = [low + 1e-9, high - 1e-9];
        let function = |theta: &[f64; N]| Some((theta[at], unit(at)));
        let ends = self.uncertainty.ends(&self.region, &function, self.theta[at], &unit(at), within);
        let mut slope = self.uncertainty.logarithmic(self.theta[at], &unit(at), ends);
        // The error of the slope itself, not of its logarithm.
        slope.standard_error *= LN_10 * slope.value;
        slope
    }

    /// A dose; its logarithm is a function of the parameters.
    fn dose_of(&self, function: Function<'_, N>) -> Option<Estimate> {
        let (value, gradient) = function(self.theta)?;
        let ends = self.uncertainty.ends(&self.region, function, value, &gradient, self.near);
        Some(self.uncertainty.logarithmic(value, &gradient, ends))
    }

    fn derived(&self, function: Function<'_, N>) -> Estimate {
        let Some((value, gradient)) = function(self.theta) else { return Estimate::NONE };
        let ends = self.uncertainty.ends(&self.region, function, value, &gradient, ANYWHERE);
        self.uncertainty.plain(value, &gradient, ends)
    }

    /// Evaluates the curve at each dose of a band.
    fn band(&self, band: &mut Band) {
        band.fill(|ln_dose| {
            self.derived(&|theta: &[f64; N]| Some(<[f64; N]>::slopes(&theta.ready(), ln_dose)))
        });
    }

    /// The lowest dose at which the curve falls to a level, and its position.
    pub fn dose(&self, target: Target) -> Option<(Estimate, Position)> {
        let function = |theta: &[f64; N]| target.ln_dose(theta);
        let (value, _) = function(self.theta)?;
        Some((self.dose_of(&function)?, Position::of(value, self.range)))
    }

    /// The lowest dose at which the curve falls to a viability; `Below` without a value if the whole curve lies below
    /// this viability.
    fn absolute(&self, level: f64) -> (Estimate, Position) {
        let below = self.theta[0] <= level && self.theta[1] < level;
        self.dose(Target::Viability(level)).unwrap_or(match below {
            true => (Estimate::NONE, Position::Below),
            false => (Estimate::NONE, Position::Nowhere),
        })
    }

    fn effect(&self, effect: Effect) -> EffectDose {
        let nowhere = (Estimate::NONE, Position::Nowhere);
        let (dose, position) = match effect {
            Effect::Inhibitory(percent) => self.absolute(1.0 - percent / 100.0),
            Effect::Effective(percent) => self.dose(Target::Effect(percent / 100.0)).unwrap_or(nowhere),
            // These come from the growth-rate curve.
            Effect::GrowthRate(_) => nowhere,
        };
        EffectDose { effect, dose, position }
    }

    /// The highest viability within the tested doses and its dose.
    fn peak(&self) -> (Estimate, f64) {
        let [low, high] = self.range;
        let highest = |theta: &[f64; N]| {
            const GRID: usize = 60;
            let ready = theta.ready();
            let value = |ln_dose: f64| <[f64; N]>::value(&ready, ln_dose);
            let place = |at: usize| low + (high - low) * at as f64 / GRID as f64;
            let best = (0..=GRID).max_by(|a, b| value(place(*a)).total_cmp(&value(place(*b)))).unwrap_or(0);
            let (mut from, mut to) = (place(best.saturating_sub(1)), place((best + 1).min(GRID)));
            for _ in 0..40 {
                let third = (to - from) / 3.0;
                if value(from + third) < value(to - third) { from += third } else { to -= third }
            }
            f64::midpoint(from, to)
        };
        // The dose of the peak depends on the parameters, but this does not change the slope of its height (envelope
        // theorem).
        let function = |theta: &[f64; N]| Some(<[f64; N]>::slopes(&theta.ready(), highest(theta)));
        (self.derived(&function), highest(self.theta).exp())
    }
}

impl Reader<'_, 7> {
    fn second(&self) -> SecondPhase {
        let ln_ec50 =
            |theta: &TwoPhaseTheta| Some((theta[2] + theta[5], [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]));
        SecondPhase {
            plateau: self.parameter(4, ANYWHERE),
            ec50: self.dose_of(&ln_ec50).unwrap_or(Estimate::NONE),
            hill: self.slope(6),
        }
    }
}
