//! Selects and fits the curve for readings, with information from the other curves of the file.

use std::f64::consts::LN_10;

use halfmax_core::{Error, Progress, Result};
use rayon::prelude::*;

use crate::curve::{CurveFit, CurveReadings, FittedModel};
use crate::describe::Described;
use crate::distributions::Quantiles;
use crate::flags::Flag;
use crate::flatness::{has_power, p_of_trend};
use crate::growth::{Grown, growth_metrics};
use crate::kept::{Candidate, Kept};
use crate::learnt::{Learnt, Own, Replicates};
use crate::least_squares::{Level, Limits, MOST_BATCHES, Minimum, Pull, descend};
use crate::params::{CurveParams, Curves, HillPrior, ModelChoice, Outliers};
use crate::phases::{Search, Wider};
use crate::picture::Band;
use crate::robust::{Sorted, fit_without_outliers};
use crate::sample::sample;
use crate::starts::fit;

/// Fits curves; made by [`CurveParams::check`].
#[derive(Clone, Debug)]
pub struct CurveFitter {
    params: CurveParams,
    /// The common properties of the curves that are fitted together, once learnt.
    learnt: Option<Learnt>,
    /// The quantiles for intervals.
    quantiles: Quantiles,
}

/// The nominal doses required for each curve.
const DOSES_FOR_THREE: usize = 4;
const DOSES_FOR_FOUR: usize = 5;

impl CurveFitter {
    pub(crate) fn new(params: CurveParams) -> Self {
        let quantiles = Quantiles::of(params.confidence);
        Self { params, learnt: None, quantiles }
    }

    /// Fits one curve. There is always a result; its flags describe problems.
    pub fn fit(&self, readings: &CurveReadings) -> CurveFit {
        self.fit_sorted(&sorted(readings), readings.divisions, &mut Band::default()).0
    }

    /// The fit, its curve at the doses of a band, and the readings without outliers, if there are any.
    pub(crate) fn fit_sorted(
        &self,
        sorted: &Sorted,
        divisions: Option<f64>,
        band: &mut Band,
    ) -> (CurveFit, Option<Sorted>) {
        let mut fit = CurveFit { confidence: self.quantiles.level(), ..CurveFit::empty(sorted) };
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
        let learnt = self.learnt();
        let free = limits.free();
        let not_told = learnt.batches_not_told && used.batch.iter().all(|batch| *batch == 0);
        let (within, freedom) = match not_told {
            true => (0.0, kept.doses.len().saturating_sub(free)),
            false => (kept.within, kept.freedom(free)),
        };
        let (variance, _) = learnt.moderated(within + minimum.cost, freedom);
        let mut limits = Limits { pull: self.pull(variance, used), ..limits };
        if not_told {
            kept = kept.means(limits.pull.batches);
        } else if limits.pull.batches > 0.0 {
            let apart = Kept::new(used).by_batch(used, limits.pull.batches, &minimum.theta);
            // Without a remaining degree of freedom, the error of readings would be unknown.
            if apart.freedom(free) > 0 {
                kept = apart;
            } else {
                limits.pull.batches = 0.0;
            }
        }
        let minimum = descend(&kept.levels, &limits, &minimum.theta);
        let largest = kept.candidate(limits, &minimum, &learnt);
        let (wider, p_phases) = self.wider(used, &kept, &largest);
        fit.p_phases = p_phases;
        let readings_kept = Described { kept: &kept, used, params: &self.params, quantiles: &self.quantiles };
        match wider {
            Some(wider) if self.params.curves == Curves::Any => readings_kept.wider(&mut fit, &wider, band),
            wider => {
                let (chosen, model) = self.choose(&kept, largest, &sorted.ln_doses);
                readings_kept.plain(&mut fit, &chosen, model, band);
                // The user requested a log-logistic curve, so only flag what it does not show.
                if let Some(wider) = wider {
                    fit.flags.insert(wider.flag());
                }
            }
        }
        // Use all readings, because a rise that was left out is still a rise.
        let all = Kept::new(sorted);
        if rises(&all, usual_error(&all, &fit)) {
            fit.flags.insert(Flag::NonMonotone);
        }
        if let Some(divisions) = divisions.filter(|divisions| *divisions > 0.0) {
            let grown = Grown { used, kept: &kept, learnt: &learnt, divisions };
            fit.growth = growth_metrics(&grown, &self.quantiles, &mut fit.effect_doses);
        }
        (fit, rest)
    }

    /// A second phase or a rise at low doses, if the data select the curve, and the p value of the test.
    fn wider(&self, used: &Sorted, kept: &Kept, largest: &Candidate) -> (Option<Wider>, f64) {
        if !matches!(self.params.model, ModelChoice::Auto | ModelChoice::AutoFixedTop) {
            return (None, f64::NAN);
        }
        let learnt = self.learnt();
        Search { params: &self.params, learnt: &learnt, sorted: used, kept, plain: largest }.run()
    }

    /// Fits curves on all threads and returns them in order. First learns their common properties: the distribution of
    /// Hill slopes (if [`CurveParams::hill_prior`] is learnt), tops, the variation of batches, and the error of
    /// readings. This helps curves with few readings. With [`HillPrior::None`], nothing is learnt and each curve is
    /// fitted alone.
    ///
    /// # Errors
    /// If a curve's lists differ in length (doses, viabilities, batches if given), or the user asked to stop.
    pub fn fit_all(&self, curves: &[CurveReadings], progress: &dyn Progress) -> Result<Vec<CurveFit>> {
        /// The number of curves fitted between two checks for a stop.
        const AT_A_TIME: usize = 4096;
        if let Some(at) = curves.iter().position(|curve| curve.dose_um.len() != curve.viability.len()) {
            let (doses, values) = (curves[at].dose_um.len(), curves[at].viability.len());
            return Err(Error::data(format!(
                "curve {at}: {doses} doses but {values} viabilities, expected the same number"
            )));
        }
        let differs =
            |curve: &CurveReadings| curve.batch.is_some_and(|batch| batch.len() != curve.dose_um.len());
        if let Some(at) = curves.iter().position(differs) {
            let (doses, batches) = (curves[at].dose_um.len(), curves[at].batch.map_or(0, <[u32]>::len));
            return Err(Error::data(format!(
                "curve {at}: {doses} doses but {batches} batches, expected the same number"
            )));
        }
        let fitter = if self.learnt.is_some() { self.clone() } else { self.learning_from(curves) };
        let mut fits = Vec::with_capacity(curves.len());
        for some in curves.chunks(AT_A_TIME) {
            progress.check()?;
            fits.par_extend(some.par_iter().with_min_len(16).map(|curve| fitter.fit(curve)));
        }
        Ok(fits)
    }

    /// The positions of the curves to learn from, out of `curves` curves: all, or a thousand spread evenly over the
    /// file.
    pub fn learns_from(curves: usize) -> Vec<usize> {
        sample(curves)
    }

    /// The fitter with the common properties of some curves, learnt from at most a thousand of them (see
    /// [`Self::learns_from`]). With [`HillPrior::None`], nothing is learnt. The fitter then applies these properties to
    /// every fit, for example if a file is fitted in parts.
    #[must_use]
    pub fn learning_from(&self, curves: &[CurveReadings]) -> Self {
        if self.params.hill_prior == HillPrior::None {
            return Self { learnt: Some(Learnt::default()), ..self.clone() };
        }
        let some: Vec<&CurveReadings> = sample(curves.len()).into_iter().map(|at| &curves[at]).collect();
        let own: Vec<Own> = some.par_iter().with_min_len(16).filter_map(|curve| self.own(curve)).collect();
        Self { learnt: Some(Learnt::of(own)), ..self.clone() }
    }

    /// The parameters of the fitter.
    pub fn params(&self) -> &CurveParams {
        &self.params
    }

    /// The properties learnt from curves that are fitted together; empty before learning.
    pub fn learnt(&self) -> Learnt {
        self.learnt.unwrap_or_default()
    }

    /// A single curve by least squares; `None` with too few doses.
    fn own(&self, readings: &CurveReadings) -> Option<Own> {
        let sorted = sorted(readings);
        let wanted = self.wanted(sorted.nominal_doses())?;
        let limits = self.limits(wanted, &sorted.ln_doses);
        let (rest, minimum, _) = self.without_outliers(&sorted, &limits);
        let kept = Kept::new(rest.as_ref().unwrap_or(&sorted));
        let alone = kept.candidate(limits, &minimum, &Learnt::default());
        let falls = alone.theta[1] < alone.theta[0];
        let explained = if falls { kept.total - alone.squares } else { 0.0 };
        // A parameter at the end of its range does not count as fitted.
        let held = (0..4).filter(|at| limits.holds(*at, alone.theta[*at])).count();
        let freedom = kept.freedom(limits.free());
        let freedom = freedom + if freedom > 0 { held } else { 0 };
        let used = rest.as_ref().unwrap_or(&sorted);
        let told = used.batch.iter().any(|batch| *batch != 0);
        let replicates = (!told)
            .then(|| Replicates::of(used, &kept.levels, &limits, &alone.theta, alone.squares - kept.within))
            .flatten();
        let mut own = Own {
            replicates,
            levels: kept.levels,
            limits,
            theta: alone.theta,
            squares: alone.squares,
            freedom,
            explained,
            batches: None,
        };
        own.tell_batches_apart(&used.levels_by_batch());
        Some(own)
    }

    fn without_outliers(&self, sorted: &Sorted, limits: &Limits) -> (Option<Sorted>, Minimum, usize) {
        match self.params.outliers {
            Outliers::LeftOut => fit_without_outliers(sorted, limits),
            Outliers::Kept => (None, fit(&sorted.levels(|_| 1.0), limits), 0),
        }
    }

    /// The largest curve for this number of doses; `None` if there are too few.
    fn wanted(&self, doses: usize) -> Option<FittedModel> {
        let wanted = match self.params.model {
            ModelChoice::ThreeParameter | ModelChoice::AutoFixedTop => FittedModel::ThreeParameter,
            ModelChoice::FourParameter if doses < DOSES_FOR_FOUR => return None,
            _ if doses < DOSES_FOR_FOUR => FittedModel::ThreeParameter,
            _ => FittedModel::FourParameter,
        };
        (doses >= DOSES_FOR_THREE).then_some(wanted)
    }

    /// The priors on the top and the slope, for readings of this variance.
    fn pull(&self, variance: f64, sorted: &Sorted) -> Pull {
        let ln_hill = match self.params.hill_prior {
            HillPrior::None => None,
            HillPrior::Given { median, spread } => Some([median.ln(), spread]),
            HillPrior::Learnt => Some(self.learnt().ln_hill.unwrap_or(HillPrior::WEAK)),
        };
        // Without a degree of freedom the error is unknown, so assume the error of plate readers.
        let variance =
            if variance.is_finite() { variance.max(LEAST_ERROR.powi(2)) } else { USUAL_ERROR.powi(2) };
        let mut pull = Pull::NONE;
        let several = sorted.batch.iter().any(|batch| *batch != 0);
        let not_told = self.learnt().batches_not_told && !several;
        if let Some(spread) = self.learnt().batches.filter(|_| several || not_told) {
            // The variance of readings without the variation of batches.
            let variance = self.learnt().variance.map_or(variance, |[variance, _]| variance);
            // The mean of a dose contains the mean of as many batch factors as the dose has readings.
            let count =
                if not_told { sorted.values.len() as f64 / sorted.ln_doses.len() as f64 } else { 1.0 };
            pull.batches = variance * count / (spread * spread);
        }
        for (parameter, prior) in [(0, self.learnt().top), (1, self.learnt().bottom), (3, ln_hill)] {
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

    /// Selects the log-logistic curve: the largest, a smaller one, or a constant.
    fn choose(&self, kept: &Kept, largest: Candidate, ln_doses: &[f64]) -> (Candidate, FittedModel) {
        let model = |candidate: &Candidate| match candidate.limits.is_free(0) {
            true => FittedModel::FourParameter,
            false => FittedModel::ThreeParameter,
        };
        if !matches!(self.params.model, ModelChoice::Auto | ModelChoice::AutoFixedTop) {
            return (largest, model(&largest));
        }
        let mut best = largest;
        if best.limits.is_free(0) {
            let limits =
                Limits { pull: best.limits.pull, ..self.limits(FittedModel::ThreeParameter, ln_doses) };
            let minimum = descend(&kept.levels, &limits, &best.theta);
            let smaller = kept.candidate(limits, &minimum, &self.learnt());
            if kept.aicc(&smaller) <= kept.aicc(&best) {
                best = Candidate { spread: best.spread, ..smaller };
            }
        }
        let p = kept.p_against_mean(&best);
        let better = p < self.params.significance
            || (!has_power(&best) && p_of_trend(&kept.doses) < self.params.significance);
        (best, if better { model(&best) } else { FittedModel::Constant })
    }
}

/// The mean of the kept readings at the highest tested dose.
fn highest(kept: &Kept, dose: f64) -> f64 {
    let last = kept.doses.last().filter(|level| level.ln_dose >= dose.ln() - 1e-9);
    last.map_or(f64::NAN, |level| level.mean)
}

/// The smallest error of readings, and the error if it is unknown, as a fraction of the control.
const LEAST_ERROR: f64 = 0.001;
pub(crate) const USUAL_ERROR: f64 = 0.05;

/// The usable readings of a curve, by dose.
pub(crate) fn sorted(readings: &CurveReadings) -> Sorted {
    let pairs = || readings.dose_um.iter().zip(readings.viability).enumerate();
    let usable =
        |(_, (dose, value)): &(usize, (&f64, &f64))| **dose > 0.0 && dose.is_finite() && value.is_finite();
    let Some(batch) = readings.batch.filter(|batch| batch.len() == readings.dose_um.len()) else {
        return Sorted::new(pairs().filter(usable).map(|(_, (dose, value))| (dose.ln(), *value)).collect());
    };
    // Batches are renumbered for each curve; with too many batches, all are ignored.
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

/// The error of readings: the median distance of each dose from the interpolation of its neighbours (Gasser, Sroka &
/// Jennen-Steinmetz 1986). The residual standard error cannot be used, because a rise inflates it and would hide
/// itself.
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
