//! The distribution of responses, overall and by plate, experiment or tissue.

use serde::Serialize;

use super::measurements::{ByPair, GroupNature, Labelled, Measurements, Pair};
use super::polish::without_partners;
use super::robust::{Quantiles, mad, median};

/// The number of bars of a histogram.
const BARS: usize = 60;
/// The largest number of groups to keep per column; the most shifted groups are kept.
const MOST_GROUPS: usize = 300;
/// A group is shifted if it differs by this many MADs from the rest, after subtracting the effects of drugs and cell
/// lines.
const SHIFTED: f64 = 1.5;
/// A group is shifted if it differs by this many MADs from the rest, after subtracting only the medians of drugs.
const SHIFTED_AS_A_WHOLE: f64 = 3.0;
/// The shift of a group must be five times its standard error: 5 × 1.2533 × 1.4826 MADs, divided by the square root of
/// its size.
const STANDARD_ERRORS: f64 = 9.3;
/// The fewest measurements of a group for a judgement.
const FEWEST: usize = 8;

/// The distribution of responses.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Distribution {
    /// All measurements.
    pub overall: Quantiles,
    /// The histogram of all measurements.
    pub histogram: Histogram,
    /// By each column that groups measurements.
    pub groupings: Vec<Grouping>,
}

/// Counts of values in bins of equal width.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Histogram {
    /// The lower end of the first bin.
    pub low: f64,
    /// The upper end of the last bin.
    pub high: f64,
    /// The counts. Values beyond the ends are counted at the ends.
    pub counts: Vec<usize>,
}

/// The groups of a column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Grouping {
    /// The column.
    pub column: String,
    /// The nature of the groups.
    pub nature: GroupNature,
    /// The number of groups.
    pub count: usize,
    /// The groups, the most shifted first; of several hundred groups, only the most shifted.
    pub groups: Vec<Group>,
}

/// Measurements of one plate, experiment or tissue.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its measurements.
    pub values: Quantiles,
    /// The distance of its median from the other groups, in MADs, after subtracting the median of each drug.
    pub shift: Option<f64>,
    /// The same distance after subtracting the effects of drugs and cell lines by median polish.
    pub shift_left: Option<f64>,
    /// Whether the shift is larger than chance and biology explain.
    pub is_shifted: bool,
}

impl Histogram {
    pub(crate) fn of(values: &[f64], quantiles: &Quantiles) -> Self {
        // A single extreme value must not compress all other values into one bar.
        let reach = 3.0 * (quantiles.q95 - quantiles.q05).max(quantiles.max.abs() * 1e-9);
        let low = quantiles.min.max(quantiles.q05 - reach);
        let high = quantiles.max.min(quantiles.q95 + reach);
        let mut counts = vec![0; BARS];
        let width = (high - low) / BARS as f64;
        for value in values.iter().filter(|value| value.is_finite()) {
            let bin = if width > 0.0 { ((value - low) / width).clamp(0.0, BARS as f64 - 1.0) } else { 0.0 };
            counts[bin as usize] += 1;
        }
        Self { low, high, counts }
    }
}

impl Distribution {
    pub(crate) fn of(measured: &Measurements, by_pair: &ByPair, effects: &Effects<'_>) -> Self {
        let overall = Quantiles::of(measured.values.clone()).unwrap_or_default();
        let histogram = Histogram::of(&measured.values, &overall);
        if measured.groupings.is_empty() {
            return Self { overall, histogram, groupings: Vec::new() };
        }
        let of_pairs = without_partners(effects.pairs, measured.partners.names.len());
        // Each measurement minus the expectation for its pair.
        let mut centred = vec![0.0; measured.values.len()];
        let mut left = vec![0.0; measured.values.len()];
        for (pair, rows) in by_pair.iter().enumerate() {
            for row in rows.iter().map(|row| *row as usize) {
                let value = measured.values[row] - effects.pairs[pair].value;
                centred[row] = value + of_pairs[pair];
                left[row] = value + effects.left[pair];
            }
        }
        drop(of_pairs);
        let groupings = measured
            .groupings
            .iter()
            .map(|labelled| Grouping::of(labelled, &measured.values, [&centred, &left]))
            .collect();
        Self { overall, histogram, groupings }
    }
}

/// Pairs, and the residuals of their responses.
pub(crate) struct Effects<'a> {
    pub pairs: &'a [Pair],
    /// The residuals after subtracting the effects of drugs and cell lines.
    pub left: &'a [f64],
}

impl Grouping {
    fn of(labelled: &Labelled, values: &[f64], [centred, left]: [&[f64]; 2]) -> Self {
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); labelled.names.len()];
        for (row, group) in labelled.of.iter().enumerate() {
            if let Some(group) = group {
                members[*group as usize].push(row);
            }
        }
        let (centred, left) = (Reference::of(centred), Reference::of(left));
        let mut groups: Vec<Group> = labelled
            .names
            .iter()
            .zip(&members)
            .filter(|(_, rows)| !rows.is_empty())
            .map(|(name, rows)| {
                let take = |of: &[f64]| rows.iter().map(|row| of[*row]).collect::<Vec<f64>>();
                let shift = centred.shift(rows);
                // Subtracting the effects of cell lines also removes the effect of their tissue.
                let shift_left = left.shift(rows).filter(|_| labelled.nature == GroupNature::Technical);
                Group {
                    name: name.clone(),
                    values: Quantiles::of(take(values)).unwrap_or_default(),
                    shift,
                    shift_left,
                    is_shifted: is_shifted(rows.len(), shift, SHIFTED_AS_A_WHOLE)
                        || is_shifted(rows.len(), shift_left, SHIFTED),
                }
            })
            .collect();
        let size = |group: &Group| {
            let largest = |shift: Option<f64>, least: f64| shift.map_or(0.0, f64::abs) / least;
            largest(group.shift, SHIFTED_AS_A_WHOLE).max(largest(group.shift_left, SHIFTED))
        };
        groups.sort_by(|a, b| {
            b.is_shifted
                .cmp(&a.is_shifted)
                .then_with(|| size(b).total_cmp(&size(a)))
                .then_with(|| a.name.cmp(&b.name))
        });
        let count = groups.len();
        groups.truncate(MOST_GROUPS);
        Self { column: labelled.column.clone(), nature: labelled.nature, count, groups }
    }
}

/// The reference for the measurements of a group.
struct Reference<'a> {
    values: &'a [f64],
    median: f64,
    mad: f64,
}

impl<'a> Reference<'a> {
    fn of(values: &'a [f64]) -> Self {
        Self { values, median: median(&mut values.to_vec()), mad: mad(values) }
    }

    /// The distance of the median of some rows from the median of the others, in MADs of all rows.
    fn shift(&self, rows: &[usize]) -> Option<f64> {
        let Self { values, .. } = *self;
        if rows.len() < FEWEST || values.len() < rows.len() + FEWEST || self.mad <= 0.0 || self.mad.is_nan() {
            return None;
        }
        let mut own: Vec<f64> = rows.iter().map(|row| values[*row]).collect();
        Some((median(&mut own) - self.others(rows)) / self.mad)
    }

    /// The median without some rows; if these are few, the median of all rows.
    fn others(&self, rows: &[usize]) -> f64 {
        if 10 * rows.len() < self.values.len() {
            return self.median;
        }
        let mut is_own = vec![false; self.values.len()];
        rows.iter().for_each(|row| is_own[*row] = true);
        let others = self.values.iter().zip(is_own).filter(|(_, is_own)| !is_own);
        median(&mut others.map(|(value, _)| *value).collect::<Vec<f64>>())
    }
}

fn is_shifted(count: usize, shift: Option<f64>, least: f64) -> bool {
    shift.is_some_and(|shift| shift.abs() >= least.max(STANDARD_ERRORS / (count as f64).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_value_leaves_bars_for_the_others() {
        let values: Vec<f64> = (0..200).map(|at| f64::from(at) / 100.0).chain([1e6]).collect();
        let quantiles = Quantiles::of(values.clone()).unwrap();
        let histogram = Histogram::of(&values, &quantiles);
        assert_eq!(histogram.counts.iter().sum::<usize>(), 201);
        assert!(histogram.counts.iter().filter(|count| **count > 0).count() > 10);
        let constant = Quantiles::of(vec![2.0; 5]).unwrap();
        assert_eq!(Histogram::of(&[2.0; 5], &constant).counts[0], 5);
    }

    #[test]
    fn few_measurements_are_no_shift() {
        assert!(is_shifted(100, Some(-1.6), SHIFTED));
        assert!(!is_shifted(10, Some(2.0), SHIFTED));
        assert!(!is_shifted(1000, None, SHIFTED));
    }
}
