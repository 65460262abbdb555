//! One dose–response curve from its readings, and everything that is read off it.

use std::f64::consts::LN_10;

use halfmax_core::{Error, Progress, Result};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::distributions::f_upper_tail;
use crate::estimate::{Estimate, Uncertainty};
use crate::flags::{Flag, Flags};
use crate::growth::{GrowthMetrics, growth_metrics};
use crate::learnt::{Learnt, Own};
use crate::least_squares::{Level, Limits, MOST_BATCHES, Minimum, Pull, cost, descend, fit};
use crate::params::{CurveParams, HillPrior, ModelChoice, Outliers};
use crate::picture::Band;
use crate::profile::{Function, Region};
use crate::robust::{Sorted, fit_without_outliers};
use crate::shape::{LogLogistic, Theta, softplus};

/// The readings of one curve. All lists are of one length; entries that are not finite, and doses of 0 (control wells) or
/// less, are passed over.
#[derive(Clone, Copy, Debug)]
pub struct CurveReadings<'a> {
    /// The doses in µM.
    pub dose_um: &'a [f64],
    /// The viabilities, as fractions of the control.
    pub viability: &'a [f64],
    /// How often the control divided during the assay, where growth-rate metrics are wanted.
    pub divisions: Option<f64>,
    /// For each reading its batch (experiment, plate, replicate), where a column says it. The readings of one batch differ together; whether they do
    /// is learnt from all curves. Where one curve has more than 16 batches, its batches are not told apart.
    pub batch: Option<&'a [u32]>,
}

/// What was fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FittedModel {
    /// Nothing: too few doses.
    None,
    /// The mean of the readings.
    Constant,
    /// Bottom, EC50 and Hill slope, with the top fixed.
    ThreeParameter,
    /// Top, bottom, EC50 and Hill slope.
    FourParameter,
}

impl FittedModel {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Constant => "constant",
            Self::ThreeParameter => "three_parameter",
            Self::FourParameter => "four_parameter",
        }
    }

    fn parameters(self) -> usize {
        match self {
            Self::None => 0,
            Self::Constant => 1,
            Self::ThreeParameter => 3,
            Self::FourParameter => 4,
        }
    }
}

/// Where a dose lies that was read off a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// Between the lowest and the highest tested dose: measured.
    Within,
    /// Below the lowest tested dose: extrapolated.
    Below,
    /// Above the highest tested dose: extrapolated.
    Above,
    /// There is no such dose.
    Nowhere,
}

impl Position {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Within => "within",
            Self::Below => "below",
            Self::Above => "above",
            Self::Nowhere => "none",
        }
    }
}

/// A fitted curve. Viabilities are fractions of the control; numbers that are not there are NaN. Intervals hold 95 %, from
/// Student's t: by the curvature at the minimum (delta method) where the sum of squares is quadratic that far, else by the profile of the
/// sum of squares. They take readings as independent. Where the data chose three parameters over four, intervals allow for the top as if it had
/// been fitted. An end that the readings do not bound, or only further than a decade beyond the tested doses, is NaN.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurveFit {
    /// What was fitted.
    pub model: FittedModel,
    /// The plateau at low doses. Exact where it was fixed.
    pub top: Estimate,
    /// The plateau at high doses, which the tested doses need not reach.
    pub bottom: Estimate,
    /// The Hill slope. The interval is that of its logarithm, the standard error its own.
    pub hill: Estimate,
    /// The EC50 in µM, half way between the plateaus: the relative IC50. The standard error is that of log10 EC50.
    pub ec50: Estimate,
    /// Where the EC50 lies.
    pub ec50_position: Position,
    /// The absolute IC50 in µM, where the curve is at a viability of 0.5. The standard error is that of log10 IC50. It is a
    /// measured value only if [`CurveFit::ic50_position`] is [`Position::Within`], else an extrapolation.
    pub ic50: Estimate,
    /// Where the absolute IC50 lies. `Below` without a value: every fitted viability is below 0.5.
    pub ic50_position: Position,
    /// The area under the viability curve over log dose from the lowest to the highest tested dose, divided by the width of
    /// that range: 1 without effect, 0 if all are dead at every dose.
    pub auc: Estimate,
    /// The viability of the curve at the highest tested dose.
    pub emax: Estimate,
    /// The mean reading at the highest tested dose, outliers left out.
    pub emax_observed: f64,
    /// The share of the variance of the readings kept that the curve explains.
    pub r2: f64,
    /// The residual standard error, in viability.
    pub residual_standard_error: f64,
    /// The p value of the F test of the curve against a constant. NaN without degrees of freedom.
    pub p_flat: f64,
    /// Readings used.
    pub readings: usize,
    /// Readings left out as outliers.
    pub outliers: usize,
    /// Nominal doses above 0: doses that differ only by the error of a dispenser count once.
    pub doses: usize,
    /// The lowest and the highest tested dose above 0, in µM.
    pub dose_range: [f64; 2],
    /// Growth-rate metrics, where the divisions of the control were given.
    pub growth: GrowthMetrics,
    /// What to know before the curve is used.
    pub flags: Flags,
}

impl CurveFit {
    fn empty(sorted: &Sorted) -> Self {
        let range = [sorted.ln_doses.first(), sorted.ln_doses.last()];
        Self {
            model: FittedModel::None,
            top: Estimate::NONE,
            bottom: Estimate::NONE,
            hill: Estimate::NONE,
            ec50: Estimate::NONE,
            ec50_position: Position::Nowhere,
            ic50: Estimate::NONE,
            ic50_position: Position::Nowhere,
            auc: Estimate::NONE,
            emax: Estimate::NONE,
            emax_observed: sorted.levels(|_| 1.0).last().map_or(f64::NAN, |level| level.mean),
            r2: f64::NAN,
            residual_standard_error: f64::NAN,
            p_flat: f64::NAN,
            readings: sorted.values.len(),
            outliers: 0,
            doses: sorted.nominal_doses(),
            dose_range: range.map(|ln_dose| ln_dose.map_or(f64::NAN, |ln| ln.exp())),
            growth: GrowthMetrics::NONE,
            flags: Flags::default(),
        }
    }

    /// The fitted curve; none where there is none, or a constant.
    pub fn shape(&self) -> Option<LogLogistic> {
        self.ec50.is_known().then_some(LogLogistic {
            top: self.top.value,
            bottom: self.bottom.value,
            ec50: self.ec50.value,
            hill: self.hill.value,
        })
    }
}

/// Fits curves; made by [`CurveParams::check`].
#[derive(Clone, Debug)]
pub struct CurveFitter {
    params: CurveParams,
    /// What the curves that are fitted together have in common, once it was learnt.
    learnt: Option<Learnt>,
}

/// One curve tried on the readings kept.
struct Candidate {
    model: FittedModel,
    limits: Limits,
    theta: Theta,
    /// The sum of squares of the readings about the curve, without the pull.
    squares: f64,
    /// The variance of a reading, with what other curves say of it, and its degrees of freedom.
    variance: (f64, f64),
    /// What intervals are taken from.
    spread: Spread,
}

/// What the intervals of a curve are taken from: the curve itself, or the larger one that it was preferred to. That the top is
/// the control's was then found in these same readings; intervals that took it as known held the truth in 92 % of cases.
#[derive(Clone, Copy)]
struct Spread {
    limits: Limits,
    minimum: Minimum,
    variance: (f64, f64),
}

/// The readings kept, as every candidate sees them.
struct Kept {
    /// The readings of each dose, and batch where batches differ.
    levels: Vec<Level>,
    /// The readings of each dose.
    doses: Vec<Level>,
    n: usize,
    /// What readings of one dose differ by: no curve explains it.
    within: f64,
    /// The sum of squares about the mean.
    total: f64,
    mean: f64,
    /// The degrees of freedom that the factors of batches take.
    spent: f64,
}

impl Kept {
    fn new(sorted: &Sorted) -> Self {
        let doses = sorted.levels(|_| 1.0);
        let n = sorted.values.len();
        let mean = sorted.values.iter().sum::<f64>() / n as f64;
        let places = sorted.place.iter().zip(&sorted.values);
        let within = places.map(|(place, value)| (value - doses[*place as usize].mean).powi(2)).sum();
        let total = sorted.values.iter().map(|value| (value - mean).powi(2)).sum();
        Self { levels: doses.clone(), doses, n, within, total, mean, spent: 0.0 }
    }

    /// The same with batches told apart, whose factors are penalised so (see [`Pull::batches`]), about a curve.
    fn by_batch(self, sorted: &Sorted, pull: &Pull, theta: &Theta) -> Self {
        let levels = sorted.levels_by_batch();
        let between: f64 = levels.iter().map(|level| level.weight * level.mean * level.mean).sum();
        let all: f64 = sorted.values.iter().map(|value| value * value).sum();
        let mut curve = [0.0; MOST_BATCHES];
        let shape = LogLogistic::from_theta(theta);
        levels.iter().for_each(|level| {
            curve[level.batch as usize] += level.weight * shape.at(level.ln_dose.exp()).powi(2);
        });
        let spent = curve.iter().map(|curve| curve / (pull.batches + curve)).sum();
        // About a constant batches differ as well.
        let flat: Theta = [self.mean, self.mean, 0.0, 0.0];
        let within = (all - between).max(0.0);
        let only = Pull { batches: pull.batches, ..Pull::default() };
        let total = within + cost(&levels, &only, &flat);
        Self { levels, within, total, spent, ..self }
    }

    fn candidate(&self, model: FittedModel, limits: Limits, minimum: &Minimum, learnt: &Learnt) -> Candidate {
        let squares = self.within + minimum.cost - limits.pull.cost(&minimum.theta);
        let variance = learnt.moderated(squares, self.freedom(model));
        let spread = Spread { limits, minimum: *minimum, variance };
        Candidate { model, limits, theta: minimum.theta, squares, variance, spread }
    }

    fn freedom(&self, model: FittedModel) -> usize {
        self.n.saturating_sub(model.parameters() + self.spent.round() as usize)
    }

    /// The p value of the F test against the mean; NaN without degrees of freedom.
    fn p_against_mean(&self, candidate: &Candidate) -> f64 {
        let more = candidate.model.parameters() as f64 - 1.0;
        let (variance, freedom) = candidate.variance;
        let f = (self.total - candidate.squares) / more / variance.max(1e-300);
        if freedom > 0.0 { f_upper_tail(f, more, freedom) } else { f64::NAN }
    }

    /// Akaike's criterion with the correction for few readings, the variance counted as a parameter.
    fn aicc(&self, candidate: &Candidate) -> f64 {
        let (n, k) = (self.n as f64, candidate.model.parameters() as f64 + 1.0);
        if n - k - 1.0 <= 0.0 {
            return f64::INFINITY;
        }
        n * (candidate.squares / n).max(1e-12).ln() + 2.0 * k + 2.0 * k * (k + 1.0) / (n - k - 1.0)
    }
}

/// Nominal doses that the curves need.
const DOSES_FOR_THREE: usize = 4;
const DOSES_FOR_FOUR: usize = 5;

impl CurveFitter {
    pub(crate) fn new(params: CurveParams) -> Self {
        Self { params, learnt: None }
    }

    /// Fits one curve. Whatever the readings are there is an answer; what is wrong with it is in its flags.
    pub fn fit(&self, readings: &CurveReadings) -> CurveFit {
        self.fit_sorted(&sorted(readings), readings.divisions, &mut Band::default()).0
    }

    /// The fit, its curve at the doses of a band, and the readings without outliers, where there are any.
    pub(crate) fn fit_sorted(
        &self,
        sorted: &Sorted,
        divisions: Option<f64>,
        band: &mut Band,
    ) -> (CurveFit, Option<Sorted>) {
        let mut fit = CurveFit::empty(sorted);
        let Some(wanted) = self.wanted(fit.doses) else {
            fit.flags.insert(Flag::TooFewDoses);
            return (fit, None);
        };
        let limits = self.limits(wanted, &sorted.ln_doses);
        let (rest, minimum, outliers) = self.without_outliers(sorted, &limits);
        let used = rest.as_ref().unwrap_or(sorted);
        let mut kept = Kept::new(used);
        fit.outliers = outliers;
        fit.readings = kept.n;
        fit.emax_observed = highest(&kept, fit.dose_range[1]);
        let (variance, _) = self.learnt().moderated(kept.within + minimum.cost, kept.freedom(wanted));
        let limits = Limits { pull: self.pull(variance, used), ..limits };
        if limits.pull.batches > 0.0 {
            kept = kept.by_batch(used, &limits.pull, &minimum.theta);
        }
        let minimum = descend(&kept.levels, &limits, &minimum.theta);
        let largest = kept.candidate(wanted, limits, &minimum, &self.learnt());
        let chosen = self.choose(&kept, largest, &sorted.ln_doses);
        self.describe(&mut fit, &kept, &chosen, band);
        // By all readings: a rise that was left out is a rise.
        let all = Kept::new(sorted);
        if rises(&all, usual_error(&all, &fit)) {
            fit.flags.insert(Flag::NonMonotone);
        }
        if let Some(divisions) = divisions.filter(|divisions| *divisions > 0.0) {
            fit.growth = growth_metrics(used, divisions);
        }
        (fit, rest)
    }

    /// Fits curves on all threads, in their order. What they have in common is learnt from all of them first: the distribution of Hill slopes
    /// (where [`CurveParams::hill_prior`] is so), tops, what batches differ by, and what readings err by, which helps curves of few readings. With
    /// [`HillPrior::None`] nothing is learnt: each curve is fitted as if it were alone.
    ///
    /// # Errors
    /// If a curve's lists differ in length (doses, viabilities, batches where given), or the user asked to stop.
    pub fn fit_all(&self, curves: &[CurveReadings], progress: &dyn Progress) -> Result<Vec<CurveFit>> {
        /// Curves fitted between two looks at whether to stop.
        const AT_A_TIME: usize = 4096;
        if let Some(at) = curves.iter().position(|curve| curve.dose_um.len() != curve.viability.len()) {
            let (doses, values) = (curves[at].dose_um.len(), curves[at].viability.len());
            return Err(Error::data(format!("curve {at}: {doses} doses and {values} viabilities")));
        }
        let differs =
            |curve: &CurveReadings| curve.batch.is_some_and(|batch| batch.len() != curve.dose_um.len());
        if let Some(at) = curves.iter().position(differs) {
            let (doses, batches) = (curves[at].dose_um.len(), curves[at].batch.map_or(0, <[u32]>::len));
            return Err(Error::data(format!("curve {at}: {doses} doses and {batches} batches")));
        }
        let fitter = if self.learnt.is_some() { self.clone() } else { self.learning_from(curves) };
        let mut fits = Vec::with_capacity(curves.len());
        for some in curves.chunks(AT_A_TIME) {
            progress.check()?;
            fits.par_extend(some.par_iter().with_min_len(16).map(|curve| fitter.fit(curve)));
        }
        Ok(fits)
    }

    /// Of so many curves, which one in how many is learnt from: a thousand at most say what all have in common.
    pub fn learns_from_every(curves: usize) -> usize {
        const MOST: usize = 1000;
        curves.div_ceil(MOST).max(1)
    }

    /// The fitter with what some curves have in common, as at most a thousand of them say, evenly taken; nothing with [`HillPrior::None`]. It is
    /// then used for all that the fitter fits, as where a file is fitted part by part.
    #[must_use]
    pub fn learning_from(&self, curves: &[CurveReadings]) -> Self {
        if self.params.hill_prior == HillPrior::None {
            return Self { params: self.params.clone(), learnt: Some(Learnt::default()) };
        }
        let every = Self::learns_from_every(curves.len());
        let some: Vec<&CurveReadings> = curves.iter().step_by(every).collect();
        let own: Vec<Own> = some.par_iter().with_min_len(16).filter_map(|curve| self.own(curve)).collect();
        Self { params: self.params.clone(), learnt: Some(Learnt::of(&own)) }
    }

    /// What was learnt from curves that are fitted together; nothing before.
    pub fn learnt(&self) -> Learnt {
        self.learnt.unwrap_or_default()
    }

    /// A curve by itself, by least squares; none with too few doses.
    fn own(&self, readings: &CurveReadings) -> Option<Own> {
        let sorted = sorted(readings);
        let wanted = self.wanted(sorted.nominal_doses())?;
        let limits = self.limits(wanted, &sorted.ln_doses);
        let (rest, minimum, _) = self.without_outliers(&sorted, &limits);
        let kept = Kept::new(rest.as_ref().unwrap_or(&sorted));
        let alone = kept.candidate(wanted, limits, &minimum, &Learnt::default());
        let falls = alone.theta[1] < alone.theta[0];
        let explained = if falls { kept.total - alone.squares } else { 0.0 };
        // A parameter at the end of its range explains nothing.
        let held = (0..4).filter(|at| limits.holds(*at, alone.theta[*at])).count();
        let freedom = kept.freedom(wanted) + if kept.freedom(wanted) > 0 { held } else { 0 };
        let mut own = Own {
            levels: kept.levels,
            limits,
            theta: alone.theta,
            squares: alone.squares,
            freedom,
            explained,
            batches: None,
        };
        own.tell_batches_apart(&rest.as_ref().unwrap_or(&sorted).levels_by_batch());
        Some(own)
    }

    fn without_outliers(&self, sorted: &Sorted, limits: &Limits) -> (Option<Sorted>, Minimum, usize) {
        match self.params.outliers {
            Outliers::LeftOut => fit_without_outliers(sorted, limits),
            Outliers::Kept => (None, fit(&sorted.levels(|_| 1.0), limits), 0),
        }
    }

    /// The largest curve that so many doses allow; none where there are too few.
    fn wanted(&self, doses: usize) -> Option<FittedModel> {
        let wanted = match self.params.model {
            ModelChoice::ThreeParameter | ModelChoice::AutoFixedTop => FittedModel::ThreeParameter,
            ModelChoice::FourParameter if doses < DOSES_FOR_FOUR => return None,
            _ if doses < DOSES_FOR_FOUR => FittedModel::ThreeParameter,
            _ => FittedModel::FourParameter,
        };
        (doses >= DOSES_FOR_THREE).then_some(wanted)
    }

    /// How much the top and the slope are drawn to usual ones, for readings of this variance.
    fn pull(&self, variance: f64, sorted: &Sorted) -> Pull {
        let ln_hill = match self.params.hill_prior {
            HillPrior::None => None,
            HillPrior::Given { median, spread } => Some([median.ln(), spread]),
            HillPrior::Learnt => Some(self.learnt().ln_hill.unwrap_or(HillPrior::WEAK)),
        };
        // Without a degree of freedom nothing says what readings err by: as plate readers do.
        let variance =
            if variance.is_finite() { variance.max(LEAST_ERROR.powi(2)) } else { USUAL_ERROR.powi(2) };
        let mut pull = Pull::default();
        let several = sorted.batch.iter().any(|batch| *batch != 0);
        if let Some(spread) = self.learnt().batches.filter(|_| several) {
            // Of the readings without what batches differ by.
            let variance = self.learnt().variance.map_or(variance, |[variance, _]| variance);
            pull.batches = variance / (spread * spread);
        }
        for (parameter, prior) in [(0, self.learnt().top), (3, ln_hill)] {
            if let Some([mean, spread]) = prior {
                (pull.at[parameter], pull.weight[parameter]) = (mean, variance / (spread * spread));
            }
        }
        pull
    }

    fn limits(&self, model: FittedModel, ln_doses: &[f64]) -> Limits {
        let params = &self.params;
        let beyond = params.decades_beyond * LN_10;
        let ends = [ln_doses.first(), ln_doses.last()].map(|ln| ln.copied().unwrap_or(0.0));
        let top = match model {
            FittedModel::FourParameter => params.top,
            _ => [params.fixed_top; 2],
        };
        let hill = params.hill.map(f64::ln);
        Limits::new([top, params.bottom, [ends[0] - beyond, ends[1] + beyond], hill])
    }

    /// The curve that is kept: the largest, a smaller one, or a constant.
    fn choose(&self, kept: &Kept, largest: Candidate, ln_doses: &[f64]) -> Candidate {
        if !matches!(self.params.model, ModelChoice::Auto | ModelChoice::AutoFixedTop) {
            return largest;
        }
        let mut best = largest;
        if best.model == FittedModel::FourParameter {
            let limits =
                Limits { pull: best.limits.pull, ..self.limits(FittedModel::ThreeParameter, ln_doses) };
            let minimum = descend(&kept.levels, &limits, &best.theta);
            let smaller = kept.candidate(FittedModel::ThreeParameter, limits, &minimum, &self.learnt());
            if kept.aicc(&smaller) <= kept.aicc(&best) {
                best = Candidate { spread: best.spread, ..smaller };
            }
        }
        let p = kept.p_against_mean(&best);
        let better = p < self.params.significance
            || (!has_power(&best) && p_of_trend(&kept.doses) < self.params.significance);
        if !better {
            best.model = FittedModel::Constant;
        }
        best
    }

    /// Fills in everything that is read off the curve.
    fn describe(&self, fit: &mut CurveFit, kept: &Kept, chosen: &Candidate, band: &mut Band) {
        fit.model = chosen.model;
        // Of a constant, the p value is that of the curve it was preferred to.
        let tried = match (chosen.model, chosen.limits.is_free(0)) {
            (FittedModel::Constant, true) => FittedModel::FourParameter,
            (FittedModel::Constant, false) => FittedModel::ThreeParameter,
            (model, _) => model,
        };
        fit.p_flat = kept.p_against_mean(&Candidate { model: tried, ..*chosen });
        if !has_power(chosen) {
            // The p value of the test that decided.
            fit.p_flat = p_of_trend(&kept.doses);
        }
        let undecided = chosen.model == FittedModel::Constant && !has_power(chosen) && varies(kept);
        if undecided {
            fit.flags.insert(Flag::TooFewToTell);
        } else if fit.p_flat.is_nan() || fit.p_flat >= self.params.significance {
            fit.flags.insert(Flag::Flat);
        }
        if chosen.model == FittedModel::Constant {
            describe_constant(fit, kept, band);
        } else {
            describe_curve(fit, kept, chosen, band);
        }
        if fit.outliers > 0 {
            fit.flags.insert(Flag::Outliers);
        }
        let poor = fit.r2 < 0.5 && !fit.flags.contains(Flag::Flat);
        if poor || fit.residual_standard_error > 0.25 {
            fit.flags.insert(Flag::PoorFit);
        }
    }
}

/// The mean of the readings kept at the highest tested dose.
fn highest(kept: &Kept, dose: f64) -> f64 {
    let last = kept.doses.last().filter(|level| level.ln_dose >= dose.ln() - 1e-9);
    last.map_or(f64::NAN, |level| level.mean)
}

fn describe_constant(fit: &mut CurveFit, kept: &Kept, band: &mut Band) {
    let freedom = kept.freedom(FittedModel::Constant);
    let variance = kept.total / freedom as f64;
    let standard_error = (variance / kept.n as f64).sqrt();
    let half = crate::distributions::t_quantile_95(freedom) * standard_error;
    let level =
        Estimate { value: kept.mean, standard_error, lower: kept.mean - half, upper: kept.mean + half };
    (fit.top, fit.bottom, fit.auc, fit.emax) = (level, level, level, level);
    band.fill(|_| level);
    fit.residual_standard_error = variance.sqrt();
    fit.r2 = 0.0;
    if fit.flags.contains(Flag::TooFewToTell) {
        return;
    }
    if kept.mean < 0.5 {
        fit.ic50_position = Position::Below;
        fit.flags.insert(Flag::Ic50BelowRange);
    } else {
        fit.flags.insert(Flag::NoIc50);
    }
}

/// Readings err by at least as much, and by as much where nothing says it, as fractions of the control.
const LEAST_ERROR: f64 = 0.001;
const USUAL_ERROR: f64 = 0.05;

/// The readings of a curve that can be used, by dose.
pub(crate) fn sorted(readings: &CurveReadings) -> Sorted {
    let pairs = || readings.dose_um.iter().zip(readings.viability).enumerate();
    let usable =
        |(_, (dose, value)): &(usize, (&f64, &f64))| **dose > 0.0 && dose.is_finite() && value.is_finite();
    let Some(batch) = readings.batch.filter(|batch| batch.len() == readings.dose_um.len()) else {
        return Sorted::new(pairs().filter(usable).map(|(_, (dose, value))| (dose.ln(), *value)).collect());
    };
    // Numbered anew for each curve; of more than can be told apart, none are.
    let mut known: Vec<u32> = pairs().filter(usable).map(|(at, _)| batch[at]).collect();
    known.sort_unstable();
    known.dedup();
    let number = |at: usize| match known.len() <= MOST_BATCHES {
        true => known.binary_search(&batch[at]).unwrap_or_default() as u32,
        false => 0,
    };
    let triples = pairs().filter(usable).map(|(at, (dose, value))| (dose.ln(), *value, number(at)));
    Sorted::with_batches(triples.collect())
}

/// Whether the F test of a curve against a constant can find anything: with fewer degrees of freedom only what is nearly exact is found.
fn has_power(candidate: &Candidate) -> bool {
    candidate.variance.1 >= 3.0
}

/// Whether the doses' means differ by more than readings usually err by.
fn varies(kept: &Kept) -> bool {
    let range = kept.doses.iter().map(|level| level.mean);
    let [low, high] =
        range.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], mean| [low.min(mean), high.max(mean)]);
    high - low > 4.0 * USUAL_ERROR
}

/// The probability that the means of the doses fall as much or more by chance, by the number of pairs that fall (Mann 1945; exact).
pub(crate) fn p_of_trend(levels: &[Level]) -> f64 {
    let n = levels.len();
    let rising = |at: usize| levels[at + 1..].iter().filter(|level| level.mean >= levels[at].mean).count();
    let inversions: usize = (0..n).map(rising).sum();
    // The number of orders of n values by their number of rising pairs.
    let mut orders = vec![1.0_f64];
    for more in 1..n {
        let mut next = vec![0.0; orders.len() + more];
        for (at, count) in orders.iter().enumerate() {
            next[at..=at + more].iter_mut().for_each(|sum| *sum += count);
        }
        orders = next;
    }
    orders.iter().take(inversions + 1).sum::<f64>() / orders.iter().sum::<f64>()
}

fn describe_curve(fit: &mut CurveFit, kept: &Kept, chosen: &Candidate, band: &mut Band) {
    let (limits, theta, spread) = (&chosen.limits, &chosen.theta, &chosen.spread);
    let (variance, freedom) = spread.variance;
    let uncertainty = Uncertainty::new(&kept.levels, &spread.limits, theta, variance, freedom);
    let region = Region {
        levels: &kept.levels,
        limits: &spread.limits,
        minimum: spread.minimum.theta,
        least: spread.minimum.cost,
        allowed: uncertainty.allowed(variance),
    };
    let unit = |at: usize| std::array::from_fn(|other| if other == at { 1.0 } else { 0.0 });
    let parameter = |at: usize, bounds: [f64; 2]| {
        let function = move |theta: &Theta| Some((theta[at], unit(at)));
        uncertainty.ends(&region, &function, theta[at], &unit(at), bounds)
    };
    let [top, bottom, ln_ec50, ln_hill] = *theta;
    let anywhere = [f64::NEG_INFINITY, f64::INFINITY];
    fit.top = match limits.is_free(0) {
        true => uncertainty.plain(top, &unit(0), parameter(0, anywhere)),
        false => Estimate::exact(top),
    };
    fit.bottom = uncertainty.plain(bottom, &unit(1), parameter(1, anywhere));
    let range = fit.dose_range.map(f64::ln);
    let near = [range[0] - LN_10, range[1] + LN_10];
    fit.ec50 = uncertainty.logarithmic(ln_ec50, &unit(2), parameter(2, near));
    // A slope that may be as steep as is allowed may be steeper.
    let [low, high] = spread.limits.ranges[3];
    let within = [low + 1e-9, high - 1e-9];
    fit.hill = uncertainty.logarithmic(ln_hill, &unit(3), parameter(3, within));
    // Of the slope itself, not of its logarithm.
    fit.hill.standard_error *= LN_10 * fit.hill.value;
    fit.ec50_position = position(ln_ec50, range);
    if fit.ec50_position != Position::Within {
        fit.flags.insert(Flag::Ec50OutsideRange);
    }
    if limits.holds(2, ln_ec50) || limits.holds(3, ln_hill) {
        fit.flags.insert(Flag::AtLimit);
    }
    let derived = |function: Function<'_>| {
        let (value, gradient) = function(theta)?;
        Some(uncertainty.plain(
            value,
            &gradient,
            uncertainty.ends(&region, function, value, &gradient, anywhere),
        ))
    };
    fit.auc = derived(&|theta| Some(area(theta, range))).unwrap_or(Estimate::NONE);
    fit.emax = derived(&|theta| Some(at_dose(theta, range[1]))).unwrap_or(Estimate::NONE);
    band.fill(|ln_dose| derived(&|theta| Some(at_dose(theta, ln_dose))).unwrap_or(Estimate::NONE));
    fit.residual_standard_error = (chosen.squares / kept.freedom(chosen.model) as f64).sqrt();
    fit.r2 = if kept.total > 0.0 { 1.0 - chosen.squares / kept.total } else { f64::NAN };
    if bottom > top {
        fit.flags.insert(Flag::Increasing);
    }
    match ln_ic50(theta) {
        Some((value, gradient)) => {
            let ends = uncertainty.ends(&region, &ln_ic50, value, &gradient, near);
            fit.ic50 = uncertainty.logarithmic(value, &gradient, ends);
            fit.ic50_position = position(value, range);
        }
        None if top <= HALF && bottom < HALF => fit.ic50_position = Position::Below,
        None => {}
    }
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
}

/// The viability that defines the absolute IC50.
const HALF: f64 = 0.5;

/// The logarithm of the absolute IC50 and its gradient; none where the curve does not fall through one half.
fn ln_ic50([top, bottom, ln_ec50, ln_hill]: &Theta) -> Option<(f64, [f64; 4])> {
    if !(*top > HALF && HALF > *bottom) {
        return None;
    }
    let hill = ln_hill.exp();
    let exponent = ((top - HALF) / (HALF - bottom)).ln();
    let gradient = [1.0 / (hill * (top - HALF)), 1.0 / (hill * (HALF - bottom)), 1.0, -exponent / hill];
    Some((ln_ec50 + exponent / hill, gradient))
}

fn position(ln_dose: f64, [low, high]: [f64; 2]) -> Position {
    if ln_dose < low {
        Position::Below
    } else if ln_dose > high {
        Position::Above
    } else {
        Position::Within
    }
}

/// The viability at a dose and its gradient.
fn at_dose([top, bottom, ln_ec50, ln_hill]: &Theta, ln_dose: f64) -> (f64, [f64; 4]) {
    let hill = ln_hill.exp();
    let (share, exponent) = crate::shape::share_of_top(ln_dose, *ln_ec50, hill);
    let steep = (top - bottom) * share * (1.0 - share);
    (bottom + (top - bottom) * share, [share, 1.0 - share, steep * hill, -steep * exponent])
}

/// The average viability over a range of ln doses and its gradient: see [`LogLogistic::area`].
fn area(theta: &Theta, [low, high]: [f64; 2]) -> (f64, [f64; 4]) {
    let [top, bottom, ln_ec50, ln_hill] = *theta;
    let hill = ln_hill.exp();
    let ends = [low, high].map(|ln_dose| crate::shape::share_of_top(ln_dose, ln_ec50, hill));
    let [(share_low, u_low), (share_high, u_high)] = ends;
    let width = hill * (high - low);
    let share = (softplus(-u_low) - softplus(-u_high)) / width;
    let by_ec50 = (share_low - share_high) / (high - low);
    let by_hill = -share + (u_high * share_high - u_low * share_low) / width;
    let value = bottom + (top - bottom) * share;
    (value, [share, 1.0 - share, (top - bottom) * by_ec50, (top - bottom) * by_hill])
}

/// What readings err by, by how far each dose lies from the middle of those beside it (Gasser, Sroka & Jennen-Steinmetz 1986), the middle such
/// distance: a rise makes the residual standard error large, and would hide itself.
fn usual_error(all: &Kept, fit: &CurveFit) -> f64 {
    let off = |three: &[Level]| {
        ((three[0].mean + three[2].mean) / 2.0 - three[1].mean).abs() * three[1].weight.sqrt()
    };
    let mut off: Vec<f64> = all.doses.windows(3).map(off).collect();
    off.sort_unstable_by(f64::total_cmp);
    let middle = off.get(off.len() / 2).map_or(f64::NAN, |middle| middle / 0.6745 * (2.0_f64 / 3.0).sqrt());
    fit.residual_standard_error.min(middle)
}

/// Whether the mean rises from one dose to a higher one by more than 0.15 and four standard errors.
fn rises(kept: &Kept, residual: f64) -> bool {
    let replicated = kept.n.saturating_sub(kept.doses.len());
    let error = if replicated >= 4 { (kept.within / replicated as f64).sqrt() } else { residual };
    let mut lowest: Option<&Level> = None;
    for level in &kept.doses {
        let Some(low) = lowest else {
            lowest = Some(level);
            continue;
        };
        let allowed = (4.0 * error * (1.0 / low.weight + 1.0 / level.weight).sqrt()).max(0.15);
        if level.mean - low.mean > allowed {
            return true;
        }
        if level.mean < low.mean {
            lowest = Some(level);
        }
    }
    false
}
