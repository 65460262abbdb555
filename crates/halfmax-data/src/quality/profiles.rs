//! Features of cell lines: identical profiles, unusual cell lines, constant features.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use halfmax_core::{FeatureBlock, FeatureValues};
use ndarray::{Array2, ArrayView2};
use serde::Serialize;

use super::robust::{mad, median, pearson};
use super::twins::Twins;
use crate::features::varying;
use crate::scales::odd_lines;

/// Profiles that correlate more than this are the same.
const SAME: f64 = 0.999;
/// Profiles are compared in full if a sample of their features correlates more than this.
const CANDIDATES: f32 = 0.97;
/// The largest number of sampled features.
const SAMPLED: usize = 512;
/// The fewest features that distinguish a profile.
const FEWEST: usize = 10;
/// The fewest set bits for which equal bit profiles are more than chance.
const BITS: usize = 10;
/// The limit on operations for comparing all cell lines.
const WORK: usize = 1_500_000_000;
/// The largest number of cell lines that are compared with each other.
const COMPARED: usize = 5_000;
/// The largest number of names to keep.
const MOST: usize = 200;

/// Features of one kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FeatureQuality {
    /// The kind: "expression".
    pub kind: String,
    /// The number of cell lines.
    pub cell_lines: usize,
    /// The number of features.
    pub features: usize,
    /// The share of values that are missing, 0 to 1.
    pub missing_share: f64,
    /// The number of constant features.
    pub constant: usize,
    /// The names of the first constant features.
    pub constant_names: Vec<String>,
    /// Cell lines with the same profile.
    pub same: Vec<Twins>,
    /// Whether cell lines were compared with each other. They are not with more than 5,000 cell lines or fewer than 10
    /// features.
    pub compared: bool,
    /// Each cell line, the least similar to the others first. With many cell lines, only the first ones; empty if the
    /// kind of features has no common profile.
    pub least_like: Vec<Likeness>,
    /// The median correlation of cell lines with the median profile.
    pub median_correlation: Option<f64>,
    /// The number of cell lines that differ from the others.
    pub unlike: usize,
    /// Cell lines on another scale than the others, in a sentence.
    pub other_scale: Option<String>,
}

/// The similarity of a cell line's profile to the others.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Likeness {
    /// The cell line.
    pub cell_line: String,
    /// The correlation with the median profile.
    pub correlation: f64,
    /// The fraction of its values that are missing.
    pub missing_share: f64,
    /// Whether the cell line differs from the others.
    pub is_unlike: bool,
}

impl FeatureQuality {
    pub(crate) fn of(block: &FeatureBlock, ids: &[String]) -> Self {
        let varying = varying(block);
        let is_varying: BTreeSet<usize> = varying.iter().copied().collect();
        let constant: Vec<&String> =
            (0..block.len()).filter(|at| !is_varying.contains(at)).map(|at| &block.names[at]).collect();
        let mut found = Self {
            kind: block.kind.clone(),
            cell_lines: ids.len(),
            features: block.len(),
            missing_share: block.missing_share(),
            // With a single cell line, every feature would be constant.
            constant: if ids.len() > 1 { constant.len() } else { 0 },
            ..Self::default()
        };
        if found.constant > 0 {
            found.constant_names = constant.into_iter().take(MOST).cloned().collect();
        }
        match &block.values {
            FeatureValues::Real(values) => {
                found.compared = ids.len() <= COMPARED && varying.len() >= FEWEST;
                found.same = same_profiles(values.view(), &varying, ids);
                found.compare_with_the_middle(values.view(), &varying, ids);
                found.other_scale = odd_lines(block, ids);
            }
            FeatureValues::Binary(bits) => {
                let row = |cell: usize| -> Vec<Option<bool>> {
                    varying.iter().map(|column| bits.get(cell, *column)).collect()
                };
                found.compared = true;
                found.same = same_bits(&row, ids);
            }
            FeatureValues::Category(_) => {}
        }
        found
    }

    /// Correlates cell lines with the median profile, if they share a common profile.
    fn compare_with_the_middle(&mut self, values: ArrayView2<'_, f32>, varying: &[usize], ids: &[String]) {
        let sample = sampled(varying, SAMPLED);
        if sample.len() < FEWEST || ids.len() < 8 {
            return;
        }
        let middle: Vec<f64> = sample.iter().map(|column| median_of(values, *column)).collect();
        let mut each: Vec<Likeness> = Vec::new();
        for (cell, id) in ids.iter().enumerate() {
            let pairs: Vec<(f64, f64)> = sample
                .iter()
                .zip(&middle)
                .map(|(column, middle)| (f64::from(values[[cell, *column]]), *middle))
                .filter(|(own, _)| own.is_finite())
                .collect();
            let missing_share = 1.0 - pairs.len() as f64 / sample.len() as f64;
            if let Some(correlation) = pearson(&pairs) {
                each.push(Likeness { cell_line: id.clone(), correlation, missing_share, is_unlike: false });
            }
        }
        let correlations: Vec<f64> = each.iter().map(|one| one.correlation).collect();
        let typical = median(&mut correlations.clone());
        // Standardised features have no common profile.
        if typical.is_nan() || typical < 0.5 {
            return;
        }
        let least = typical - (8.0 * mad(&correlations)).max(0.25);
        each.iter_mut().for_each(|one| one.is_unlike = one.correlation < least);
        each.sort_by(|a, b| a.correlation.total_cmp(&b.correlation));
        self.unlike = each.iter().filter(|one| one.is_unlike).count();
        each.truncate(MOST);
        self.least_like = each;
        self.median_correlation = Some(typical);
    }
}

/// Some of the columns, evenly spaced.
fn sampled(columns: &[usize], most: usize) -> Vec<usize> {
    let count = columns.len().min(most);
    (0..count).map(|at| columns[at * columns.len() / count]).collect()
}

fn median_of(values: ArrayView2<'_, f32>, column: usize) -> f64 {
    let own = values.column(column);
    let finite = own.iter().filter(|value| value.is_finite());
    median(&mut finite.map(|value| f64::from(*value)).collect::<Vec<f64>>())
}

/// Each feature minus its mean, divided by its standard deviation; 0 for missing values.
fn standardised(values: ArrayView2<'_, f32>, columns: &[usize]) -> Array2<f32> {
    let mut result = Array2::zeros((values.nrows(), columns.len()));
    for (at, column) in columns.iter().enumerate() {
        let own = values.column(*column);
        let finite = || own.iter().filter(|value| value.is_finite()).map(|value| f64::from(*value));
        let n = finite().count().max(1) as f64;
        let mean = finite().sum::<f64>() / n;
        let deviation = (finite().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
        if deviation > 0.0 && deviation.is_finite() {
            for (row, value) in own.iter().enumerate().filter(|(_, value)| value.is_finite()) {
                result[[row, at]] = ((f64::from(*value) - mean) / deviation) as f32;
            }
        }
    }
    result
}

/// Scales each row to length 1 about its mean, so that products are correlations.
fn unit_rows(mut rows: Array2<f32>) -> Array2<f32> {
    for mut row in rows.rows_mut() {
        let mean = row.sum() / row.len().max(1) as f32;
        row.mapv_inplace(|value| value - mean);
        let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        if length > 0.0 {
            row.mapv_inplace(|value| value / length);
        }
    }
    rows
}

/// Cell lines whose profiles are nearly equal. A sample of features selects candidates; all features decide.
fn same_profiles(values: ArrayView2<'_, f32>, varying: &[usize], ids: &[String]) -> Vec<Twins> {
    let most = (WORK / (ids.len() * ids.len()).max(1)).min(SAMPLED);
    if varying.len() < FEWEST || ids.len() > COMPARED {
        return Vec::new();
    }
    let sample = unit_rows(standardised(values, &sampled(varying, most)));
    let products = sample.dot(&sample.t());
    let candidates: Vec<(usize, usize)> = (0..ids.len())
        .flat_map(|first| (first + 1..ids.len()).map(move |second| (first, second)))
        .filter(|(first, second)| products[[*first, *second]] > CANDIDATES)
        .take(5 * MOST)
        .collect();
    if candidates.is_empty() {
        return Vec::new();
    }
    let all = standardised(values, varying);
    let same = |(first, second): &(usize, usize)| {
        let shared: Vec<usize> = (0..varying.len())
            .filter(|at| [first, second].iter().all(|row| values[[**row, varying[*at]]].is_finite()))
            .collect();
        let of = |first: f32, second: f32| (f64::from(first), f64::from(second));
        let plain: Vec<(f64, f64)> = shared
            .iter()
            .map(|at| of(values[[*first, varying[*at]]], values[[*second, varying[*at]]]))
            .collect();
        let scaled: Vec<(f64, f64)> =
            shared.iter().map(|at| of(all[[*first, *at]], all[[*second, *at]])).collect();
        let correlation = pearson(&scaled).filter(|_| shared.len() >= FEWEST)?;
        let close = correlation > SAME || (correlation > 0.98 && pearson(&plain)? > SAME);
        close.then(|| Twins {
            first: ids[*first].clone(),
            second: ids[*second].clone(),
            shared: shared.len(),
            pearson: correlation,
            identical: plain.iter().all(|(first, second)| first == second),
        })
    };
    candidates.iter().filter_map(same).take(MOST).collect()
}

/// Cell lines whose bits are equal, if enough bits are set.
fn same_bits(row: &dyn Fn(usize) -> Vec<Option<bool>>, ids: &[String]) -> Vec<Twins> {
    let mut seen: HashMap<u64, Vec<usize>> = HashMap::new();
    let mut twins = Vec::new();
    for (cell, id) in ids.iter().enumerate() {
        let bits = row(cell);
        if bits.iter().filter(|bit| **bit == Some(true)).count() < BITS {
            continue;
        }
        let mut hasher = DefaultHasher::new();
        bits.hash(&mut hasher);
        let equal = seen.entry(hasher.finish()).or_default();
        if let Some(other) = equal.iter().find(|other| row(**other) == bits) {
            twins.push(Twins {
                first: ids[*other].clone(),
                second: id.clone(),
                shared: bits.iter().flatten().count(),
                pearson: 1.0,
                identical: true,
            });
        }
        equal.push(cell);
    }
    twins.truncate(MOST);
    twins
}
