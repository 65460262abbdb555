//! Readings that no curve explains: found by M-estimation, then left out.
//!
//! Least squares first. Then iterated reweighting with Huber's function (1.345), which starts well, and Tukey's biweight
//! (4.685), which ends well; both constants give 95 % efficiency for normal errors. The scale is the median absolute residual,
//! over 0.6745, with a correction for the parameters fitted; or, where that is larger, the same of the replicates of one dose
//! about their median: on the steep part of a curve batches differ more, and a quiet plateau says nothing of them. Readings to
//! which the biweight gives weight 0 are outliers; the curve is fitted to the others by plain least squares, so that standard
//! errors and tests are the textbook's.
//!
//! A reading with fellows is kept all the same: where other readings tell what it tells, the curve is wrong, not they (a hook, a second phase). The
//! fellows of a reading are the other readings of its dose, where there are any: it stays where it lies nearer to their median than 0.6 of its
//! distance from the curve. A dose with one reading has the doses beside it for fellows: it stays where one of them lies off to the same side,
//! by at least 0.4 of its residual. The lowest and the highest dose have nothing beyond that could contradict them: their only reading stays. Where more
//! than a quarter of the readings would be outliers, none is.

use crate::least_squares::{Level, Limits, Minimum, descend};
use crate::shape::{Theta, share_of_top};
use crate::starts::fit;

/// Readings of one curve, by dose.
#[derive(Clone, Debug)]
pub(crate) struct Sorted {
    /// The natural logarithms of the distinct doses, ascending.
    pub ln_doses: Vec<f64>,
    /// For each reading the position of its dose.
    pub place: Vec<u32>,
    /// The readings.
    pub values: Vec<f64>,
    /// For each reading its batch, numbered from 0; empty where batches are not told apart.
    pub batch: Vec<u32>,
}

/// Doses that differ by less than this share are one: what is left of a change of units.
const SAME_DOSE: f64 = 1e-9;
/// Doses within this share of the lowest of them are one nominal dose: dispensers err by 1 to 2 %.
const SAME_NOMINAL_DOSE: f64 = 0.04;

impl Sorted {
    /// The number of nominal doses: doses that differ only by the error of a dispenser count once.
    pub fn nominal_doses(&self) -> usize {
        self.nominal_places().last().map_or(0, |last| last + 1)
    }

    /// For each distinct dose the position of its nominal dose.
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

    /// Sorts readings: ln dose, reading, and batch, where batches are told apart.
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
            // Dose 0 is minus infinity, whose difference from itself is no number.
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

    /// The levels of the readings that have a weight.
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

    /// For each dose by how much its replicates differ: the median absolute deviation from their median, over 0.6745. 0 for
    /// fewer than [`LEAST_REPLICATES`].
    fn spreads(&self) -> Vec<f64> {
        let mut rest = self.values.as_slice();
        let spread = |run: &[u32]| {
            // The readings of one dose stand together, in order.
            let (values, others) = rest.split_at(run.len());
            rest = others;
            let middle = median(values);
            let mut deviations: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
            deviations.sort_unstable_by(f64::total_cmp);
            if run.len() < LEAST_REPLICATES { 0.0 } else { median(&deviations) / 0.6745 }
        };
        self.place.chunk_by(|a, b| a == b).map(spread).collect()
    }

    /// The readings that are kept.
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

/// The smallest scale that is believed, as a fraction of the control: plate readers are no better.
const LEAST_SCALE: f64 = 0.005;
/// With fewer replicates their spread says little.
const LEAST_REPLICATES: usize = 4;
const HUBER: f64 = 1.345;
const BIWEIGHT: f64 = 4.685;
/// With fewer readings beyond the parameters an outlier cannot be told from the curve.
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

/// The median of numbers in order, at least one.
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

/// The largest share of the readings that may be outliers; where there would be more, the curve is wrong, not they.
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

    /// Whether other readings tell the same as one that the curve does not explain: those of its dose agree with it rather than with the curve,
    /// or, where it has no replicate, a dose beside it lies off to the same side. At the ends, nothing beyond says otherwise. It is then the curve
    /// that is wrong: a second phase, a hook.
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

/// A reading agrees with its fellows where it is this much nearer to their median than to the curve.
const AGREES: f64 = 0.6;
/// A dose beside lies off to the same side where it does so by this share.
const BESIDE: f64 = 0.4;

/// The readings without outliers, the curve through them, and how many outliers there were.
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
    // Where least squares leaves nothing that stands out, reweighting would find no outlier either.
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
