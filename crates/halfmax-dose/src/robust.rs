//! Outliers: readings that no curve explains, found by M-estimation and left out.
//!
//! The fit starts with least squares. Then follows iterative reweighting with Huber's function (1.345), which is robust
//! to the start, and with Tukey's biweight (4.685), which rejects outliers fully. Both constants give 95 % efficiency
//! for normal errors. The scale is the median absolute residual divided by 0.6745, corrected for the fitted parameters.
//! If it is larger, the scale of the replicates of a dose about their median is used instead: batches differ more on
//! the steep part of a curve, and a quiet plateau does not show this. Readings to which the biweight gives weight 0 are
//! outliers; the curve is fitted to the other readings by plain least squares, so that standard errors and tests are
//! standard.
//!
//! A reading with support from other readings is kept, because then the curve is wrong (a hook, a second phase). The
//! support comes from the other readings of its dose, if there are any: the reading is kept if its distance from their
//! median is below 0.6 of its distance from the curve. For a dose with a single reading, the support comes from the
//! neighbouring doses: the reading is kept if one of them deviates to the same side by at least 0.4 of its residual. No
//! dose beyond the lowest or the highest dose could contradict them, so their only reading is kept. If more than a
//! quarter of the readings would be outliers, none is.

use crate::least_squares::{Level, Limits, Minimum, descend};
use crate::shape::{Theta, share_of_top};
use crate::starts::fit;

/// Readings of one curve, by dose.
#[derive(Clone, Debug)]
pub(crate) struct Sorted {
    /// The natural logarithms of the distinct doses, ascending.
    pub ln_doses: Vec<f64>,
    /// The position of each reading's dose.
    pub place: Vec<u32>,
    /// The readings.
    pub values: Vec<f64>,
    /// The batch of each reading, numbered from 0; empty if batches are ignored.
    pub batch: Vec<u32>,
}

/// Doses that differ by less than this fraction are equal; the difference comes from a change of units.
const SAME_DOSE: f64 = 1e-9;
/// Doses within this fraction of the lowest are one nominal dose, because dispensers err by 1 to 2 %.
const SAME_NOMINAL_DOSE: f64 = 0.04;

impl Sorted {
    /// The number of nominal doses. Doses that differ only by dispensing error count once.
    pub fn nominal_doses(&self) -> usize {
        self.nominal_places().last().map_or(0, |last| last + 1)
    }

    /// The position of the nominal dose of each distinct dose.
    pub fn nominal_places(&self) -> Vec<usize> {
        let (mut lowest, mut count) = (f64::NEG_INFINITY, 0);
        let place = |ln_dose: &f64| {
            if count == 0 || *ln_dose - lowest > SAME_NOMINAL_DOSE {
                (lowest, count) = (*ln_dose, count + 1);
            }
            count - 1
        };
        self.ln_doses.iter().map(place).collect()
    }

    /// Sorts readings: ln dose, reading, and batch, if batches are used.
    pub fn with_batches(mut readings: Vec<(f64, f64, u32)>) -> Self {
        readings.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut sorted = Self::new(readings.iter().map(|(ln_dose, value, _)| (*ln_dose, *value)).collect());
        sorted.batch = readings.iter().map(|(_, _, batch)| *batch).collect();
        sorted
    }

    /// The readings of each dose and batch.
    pub fn levels_by_batch(&self) -> Vec<Level> {
        let mut levels: Vec<Level> = Vec::with_capacity(self.values.len());
        for (at, (place, value)) in self.readings().enumerate() {
            let (ln_dose, batch) = (self.ln_doses[place], self.batch.get(at).copied().unwrap_or(0));
            let same = levels.iter_mut().rev().take_while(|level| level.ln_dose == ln_dose);
            match same.into_iter().find(|level| level.batch == batch) {
                Some(level) => {
                    level.mean = (level.mean * level.weight + value) / (level.weight + 1.0);
                    level.weight += 1.0;
                }
                None => levels.push(Level { ln_dose, weight: 1.0, mean: value, batch }),
            }
        }
        levels
    }

    /// Sorts pairs of ln dose and reading.
    pub fn new(mut readings: Vec<(f64, f64)>) -> Self {
        readings.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut sorted = Self {
            ln_doses: Vec::with_capacity(12),
            place: Vec::new(),
            values: Vec::new(),
            batch: Vec::new(),
        };
        sorted.place.reserve_exact(readings.len());
        sorted.values.reserve_exact(readings.len());
        for (ln_dose, value) in readings {
            // Dose 0 is minus infinity, and its difference from itself is NaN.
            let same = |last: &f64| *last == ln_dose || ln_dose - *last < SAME_DOSE;
            if !sorted.ln_doses.last().is_some_and(same) {
                sorted.ln_doses.push(ln_dose);
            }
            sorted.place.push(sorted.ln_doses.len() as u32 - 1);
            sorted.values.push(value);
        }
        sorted
    }

    fn readings(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        self.place.iter().map(|place| *place as usize).zip(self.values.iter().copied())
    }

    /// The levels of the readings with a weight above 0.
    pub fn levels(&self, weight: impl Fn(usize) -> f64) -> Vec<Level> {
        let mut sums = vec![(0.0, 0.0); self.ln_doses.len()];
        for (at, (place, value)) in self.readings().enumerate() {
            let weight = weight(at);
            sums[place].0 += weight;
            sums[place].1 += weight * value;
        }
        let levels = self.ln_doses.iter().zip(sums);
        let level = |(ln_dose, (weight, sum)): (&f64, (f64, f64))| {
            (weight > 0.0).then(|| Level { ln_dose: *ln_dose, weight, mean: sum / weight, batch: 0 })
        };
        levels.filter_map(level).collect()
    }

    fn residuals_into(&self, theta: &Theta, into: &mut Vec<f64>) {
        let hill = theta[3].exp();
        let curve =
            |ln_dose: &f64| theta[1] + (theta[0] - theta[1]) * share_of_top(*ln_dose, theta[2], hill).0;
        let fitted: Vec<f64> = self.ln_doses.iter().map(curve).collect();
        into.clear();
        into.extend(self.readings().map(|(place, value)| value - fitted[place]));
    }

    /// The spread of the replicates of each dose: the median absolute deviation from their median, divided by 0.6745. 0
    /// for fewer than [`LEAST_REPLICATES`].
    fn spreads(&self) -> Vec<f64> {
        let mut rest = self.values.as_slice();
        let spread = |run: &[u32]| {
            // The readings of a dose are consecutive and sorted.
            let (values, others) = rest.split_at(run.len());
            rest = others;
            let middle = median(values);
            let mut deviations: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
            deviations.sort_unstable_by(f64::total_cmp);
            if run.len() < LEAST_REPLICATES { 0.0 } else { median(&deviations) / 0.6745 }
        };
        self.place.chunk_by(|a, b| a == b).map(spread).collect()
    }

    /// The kept readings.
    pub fn without(&self, kept: &[bool]) -> Self {
        let batch = |at: usize| self.batch.get(at).copied().unwrap_or(0);
        let chosen = |(at, (place, value)): (usize, (usize, f64))| {
            kept[at].then(|| (self.ln_doses[place], value, batch(at)))
        };
        let mut rest = Self::with_batches(self.readings().enumerate().filter_map(chosen).collect());
        if self.batch.is_empty() {
            rest.batch.clear();
        }
        rest
    }
}

/// The smallest accepted scale, as a fraction of the control: the precision of plate readers.
const LEAST_SCALE: f64 = 0.005;
/// The fewest replicates for a useful spread.
const LEAST_REPLICATES: usize = 4;
const HUBER: f64 = 1.345;
const BIWEIGHT: f64 = 4.685;
/// The fewest residual degrees of freedom. With fewer, an outlier cannot be distinguished from the curve.
const LEAST_FREEDOM: usize = 6;
/// Reweighting stops when no weight changes by more.
const SETTLED: f64 = 0.02;

fn scale(residuals: &[f64], parameters: usize, buffer: &mut Vec<f64>) -> f64 {
    buffer.clear();
    buffer.extend(residuals.iter().map(|residual| residual.abs()));
    let middle = buffer.len() / 2;
    let (_, median, _) = buffer.select_nth_unstable_by(middle, f64::total_cmp);
    let n = residuals.len() as f64;
    let correction = (n / (n - parameters as f64)).sqrt();
    (*median / 0.6745 * correction).max(LEAST_SCALE)
}

/// The median of sorted numbers, at least one.
fn median(sorted: &[f64]) -> f64 {
    let n = sorted.len();
    (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0
}

fn huber(r: f64) -> f64 {
    if r.abs() <= HUBER { 1.0 } else { HUBER / r.abs() }
}

fn biweight(r: f64) -> f64 {
    let rest = 1.0 - (r / BIWEIGHT).powi(2);
    if rest > 0.0 { rest * rest } else { 0.0 }
}

/// The largest share of the readings that may be outliers; if there are more, the curve is wrong.
const MOST_OUTLIERS: f64 = 0.25;

/// Reweighting in progress.
struct Reweighting<'a> {
    sorted: &'a Sorted,
    limits: &'a Limits,
    minimum: Minimum,
    residuals: Vec<f64>,
    weights: Vec<f64>,
    buffer: Vec<f64>,
    /// The scale of all residuals.
    scale: f64,
    /// The spread of the replicates of each dose.
    spreads: Vec<f64>,
}

impl Reweighting<'_> {
    fn measure(&mut self) {
        self.sorted.residuals_into(&self.minimum.theta, &mut self.residuals);
        self.scale = scale(&self.residuals, self.limits.free(), &mut self.buffer);
    }

    /// The scale of one reading.
    fn scale_of(&self, at: usize) -> f64 {
        self.scale.max(self.spreads[self.sorted.place[at] as usize])
    }

    fn iterate(&mut self, weight: fn(f64) -> f64, most: usize) {
        for _ in 0..most {
            let mut changed = 0.0_f64;
            for at in 0..self.weights.len() {
                let new = weight(self.residuals[at] / self.scale_of(at));
                changed = changed.max((new - self.weights[at]).abs());
                self.weights[at] = new;
            }
            if changed < SETTLED {
                break;
            }
            let levels = self.sorted.levels(|at| self.weights[at]);
            if levels.len() <= self.limits.free() {
                break;
            }
            self.minimum = descend(&levels, self.limits, &self.minimum.theta);
            self.measure();
        }
    }

    /// Whether other readings support a reading that the curve does not explain. Either its replicates agree with it
    /// rather than with the curve, or, without replicates, a neighbouring dose deviates to the same side. At the ends,
    /// no dose beyond could contradict it. The curve is then wrong: a second phase, a hook.
    fn has_fellows(&self, at: usize) -> bool {
        let residual = self.residuals[at];
        let place = self.sorted.place[at];
        let of_dose = |place: u32| {
            let rows = (0..self.residuals.len()).filter(move |other| self.sorted.place[*other] == place);
            rows.map(|other| (other, self.residuals[other]))
        };
        let mut fellows: Vec<f64> =
            of_dose(place).filter(|(other, _)| *other != at).map(|(_, residual)| residual).collect();
        if !fellows.is_empty() {
            fellows.sort_unstable_by(f64::total_cmp);
            return (residual - median(&fellows)).abs() < AGREES * residual.abs();
        }
        let last = self.sorted.ln_doses.len() as u32 - 1;
        let beside = |place: u32| {
            let mut all: Vec<f64> = of_dose(place).map(|(_, residual)| residual).collect();
            all.sort_unstable_by(f64::total_cmp);
            median(&all) * residual.signum() > BESIDE * residual.abs()
        };
        place == 0 || place == last || beside(place - 1) || beside(place + 1)
    }
}

/// A reading agrees with its replicates if its distance from their median is below this fraction of its distance from
/// the curve.
const AGREES: f64 = 0.6;
/// A neighbouring dose deviates to the same side if it does so by this fraction of the residual.
const BESIDE: f64 = 0.4;

/// The readings without outliers, the curve through them, and the number of outliers.
pub(crate) fn fit_without_outliers(sorted: &Sorted, limits: &Limits) -> (Option<Sorted>, Minimum, usize) {
    let minimum = fit(&sorted.levels(|_| 1.0), limits);
    let readings = sorted.values.len();
    if readings < limits.free() + LEAST_FREEDOM {
        return (None, minimum, 0);
    }
    let mut work = Reweighting {
        sorted,
        limits,
        minimum,
        residuals: Vec::with_capacity(readings),
        weights: vec![1.0; readings],
        buffer: Vec::with_capacity(readings),
        scale: 0.0,
        spreads: sorted.spreads(),
    };
    work.measure();
    let largest = work.residuals.iter().fold(0.0_f64, |most, residual| most.max(residual.abs()));
    // If no residual of least squares stands out, reweighting would not find an outlier either.
    if largest < 2.5 * work.scale {
        return (None, minimum, 0);
    }
    work.iterate(huber, 5);
    work.iterate(biweight, 15);
    let kept: Vec<bool> = (0..readings)
        .map(|at| work.residuals[at].abs() < BIWEIGHT * work.scale_of(at) || work.has_fellows(at))
        .collect();
    let outliers = kept.iter().filter(|kept| !**kept).count();
    if outliers == 0 || outliers as f64 > MOST_OUTLIERS * readings as f64 {
        return (None, minimum, 0);
    }
    let rest = sorted.without(&kept);
    if rest.ln_doses.len() <= limits.free() {
        return (None, minimum, 0);
    }
    let minimum = descend(&rest.levels(|_| 1.0), limits, &work.minimum.theta);
    (Some(rest), minimum, outliers)
}
