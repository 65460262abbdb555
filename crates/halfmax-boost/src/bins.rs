//! The features of one side, in the form that histograms are built from.

use halfmax_core::{Alignment, Domain, FeatureSpace};
use rayon::prelude::*;

/// Code 0 of a numeric or categorical feature means that the value is missing.
pub const MISSING: u8 = 0;

/// The features of one side's training entities: numeric features as bins, binary features as bit sets, categories as levels.
#[derive(Debug)]
pub struct SideBins {
    /// Number of training entities.
    pub entities: usize,
    /// Numeric features.
    pub numeric: Vec<NumericFeature>,
    /// Codes of the numeric features, feature by feature.
    pub codes: Vec<u8>,
    /// Binary features.
    pub binary: Vec<BinaryFeature>,
    /// Categorical features.
    pub category: Vec<CategoryFeature>,
    /// Whether the last category has a separate level for every entity.
    pub identity: bool,
}

/// A numeric feature: its number in the feature space and the cuts between its bins.
#[derive(Debug)]
pub struct NumericFeature {
    /// Number in the feature space.
    pub feature: usize,
    /// Value `v` is in bin `1 + #{cut < v}`; cuts ascend.
    pub cuts: Vec<f32>,
}

/// A binary feature: the training entities that have it, and those whose value is missing.
#[derive(Debug)]
pub struct BinaryFeature {
    /// Number in the feature space.
    pub feature: usize,
    /// Entities with value 1.
    pub set: Vec<u32>,
    /// Entities whose value is missing.
    pub missing: Vec<u32>,
}

/// A categorical feature.
#[derive(Debug)]
pub struct CategoryFeature {
    /// Number in the feature space.
    pub feature: usize,
    /// Number of levels.
    pub levels: usize,
    /// For each entity, 0 (missing) or 1 + its level.
    pub codes: Vec<u16>,
}

impl SideBins {
    /// Bins the features of an alignment for the entities `rows` of its table, then the mean responses of those entities
    /// if they are a feature. Features without two different values among the entities are left out: no split could use
    /// them. With `identity`, the last category has a separate level for every entity.
    pub fn build(
        space: &FeatureSpace,
        alignment: &Alignment,
        means: &[f32],
        identity: bool,
        rows: &[u32],
        max_bins: usize,
    ) -> Self {
        let known = space.features.par_iter().enumerate().map(|(feature, description)| {
            let column = alignment.column(feature);
            let values: Vec<f32> = rows.iter().map(|row| column[*row as usize]).collect();
            Column::of(&description.domain, &values, max_bins)
        });
        let mut columns: Vec<Column> = known.collect();
        if !means.is_empty() {
            columns.push(Column::of(&Domain::Real, means, max_bins));
        }
        let mut side = Self {
            entities: rows.len(),
            numeric: vec![],
            codes: vec![],
            binary: vec![],
            category: vec![],
            identity: false,
        };
        for (feature, column) in columns.into_iter().enumerate() {
            match column {
                Column::Constant => {}
                Column::Numeric(cuts, codes) => {
                    side.numeric.push(NumericFeature { feature, cuts });
                    side.codes.extend(codes);
                }
                Column::Binary(set, missing) => side.binary.push(BinaryFeature { feature, set, missing }),
                Column::Category(levels, codes) => {
                    side.category.push(CategoryFeature { feature, levels, codes });
                }
            }
        }
        if identity && rows.len() < usize::from(u16::MAX) {
            let (feature, levels) = (space.len() + 1, rows.len());
            side.category.push(CategoryFeature { feature, levels, codes: (1..=levels as u16).collect() });
            side.identity = true;
        }
        side
    }

    /// Codes of one numeric feature, one per entity.
    pub fn codes_of(&self, numeric: usize) -> &[u8] {
        &self.codes[numeric * self.entities..(numeric + 1) * self.entities]
    }

    /// Number of features that a tree can split on.
    pub fn len(&self) -> usize {
        self.numeric.len() + self.binary.len() + self.category.len()
    }
}

/// One feature's values in the form that suits it.
enum Column {
    Constant,
    Numeric(Vec<f32>, Vec<u8>),
    Binary(Vec<u32>, Vec<u32>),
    Category(usize, Vec<u16>),
}

impl Column {
    fn of(domain: &Domain, values: &[f32], max_bins: usize) -> Self {
        match domain {
            Domain::Real => Self::numeric(values, max_bins),
            Domain::Binary => Self::binary(values, max_bins),
            Domain::Category(levels) => Self::category(levels.len(), values),
        }
    }

    fn numeric(values: &[f32], max_bins: usize) -> Self {
        let cuts = cuts(values, max_bins);
        let missing = values.iter().filter(|value| value.is_nan()).count();
        if cuts.is_empty() && (missing == 0 || missing == values.len()) {
            return Self::Constant;
        }
        let code = |value: &f32| {
            if value.is_nan() { MISSING } else { 1 + cuts.partition_point(|cut| cut < value) as u8 }
        };
        let codes = values.iter().map(code).collect();
        Self::Numeric(cuts, codes)
    }

    fn binary(values: &[f32], max_bins: usize) -> Self {
        let which = |wanted: fn(f32) -> bool| {
            let all = (0u32..).zip(values);
            all.filter(|(_, value)| wanted(**value)).map(|(at, _)| at).collect::<Vec<u32>>()
        };
        let (set, missing) = (which(|value| value > 0.5), which(f32::is_nan));
        if !set.is_empty() && set.len() + missing.len() < values.len() {
            return Self::Binary(set, missing);
        }
        // All known values are equal. Only missingness can separate entities.
        Self::numeric(values, max_bins)
    }

    fn category(levels: usize, values: &[f32]) -> Self {
        let code = |value: &f32| if value.is_nan() { 0 } else { 1 + *value as u16 };
        let codes: Vec<u16> = values.iter().map(code).collect();
        if codes.iter().all(|code| *code == codes[0]) {
            return Self::Constant;
        }
        Self::Category(levels, codes)
    }
}

/// Cuts that divide the values into at most `max_bins` bins of about equal size. Each cut is midway between two neighbouring
/// values. If there are few different values, each gets its own bin.
fn cuts(values: &[f32], max_bins: usize) -> Vec<f32> {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let starts: Vec<usize> = (1..sorted.len()).filter(|at| sorted[*at - 1] < sorted[*at]).collect();
    let between = |at: usize| midpoint(sorted[at - 1], sorted[at]);
    if starts.len() < max_bins {
        return starts.into_iter().map(between).collect();
    }
    let mut chosen = Vec::with_capacity(max_bins - 1);
    let mut last = 0;
    for bin in 1..max_bins {
        // The first change of value at or after the bin's share of the entities.
        let ideal = (bin * sorted.len()).div_ceil(max_bins);
        let Some(start) = starts.get(starts.partition_point(|start| *start < ideal)) else { break };
        if *start > last {
            chosen.push(between(*start));
            last = *start;
        }
    }
    chosen
}

/// A threshold `t` with `low <= t < high`.
fn midpoint(low: f32, high: f32) -> f32 {
    let middle = low + (high - low) / 2.0;
    if middle.is_finite() && middle < high { middle } else { low }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_get_a_bin_each() {
        assert_eq!(cuts(&[3.0, 1.0, f32::NAN, 1.0, 2.0], 63), vec![1.5, 2.5]);
        assert!(cuts(&[2.0, 2.0], 63).is_empty());
    }

    #[test]
    fn many_values_are_parted_evenly() {
        let values: Vec<f32> = (0..100).map(|v| v as f32).collect();
        let cuts = cuts(&values, 4);
        assert_eq!(cuts, vec![24.5, 49.5, 74.5]);
    }

    #[test]
    fn a_threshold_lies_between_neighbours() {
        let low = 1.0f32;
        let high = f32::from_bits(low.to_bits() + 1);
        assert_eq!(midpoint(low, high), low);
        let extremes = midpoint(f32::MIN, f32::MAX);
        assert!((f32::MIN..f32::MAX).contains(&extremes));
    }
}
