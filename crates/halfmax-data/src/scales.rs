//! The scale of features: whether cell lines, and files, are on one scale.

use halfmax_core::{FeatureBlock, FeatureValues, listed};

/// A cell line is odd if its larger values are this many times those of the middle cell line.
const ODD: f32 = 4.0;
/// Logarithms of expression are hardly larger.
const LARGEST_LOGARITHM: f32 = 25.0;

/// A sentence that names cell lines whose values are on another scale than those of the others, as counts among logarithms are.
pub(crate) fn odd_lines(block: &FeatureBlock, ids: &[String]) -> Option<String> {
    let FeatureValues::Real(values) = &block.values else { return None };
    if values.nrows() < 4 {
        return None;
    }
    let large: Vec<f32> = values.rows().into_iter().map(|row| upper_decile(row.iter().copied())).collect();
    let mut sorted: Vec<f32> = large.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_by(f32::total_cmp);
    let middle = *sorted.get(sorted.len() / 2)?;
    let odd: Vec<&String> = ids
        .iter()
        .zip(&large)
        .filter(|(_, large)| **large > ODD * middle.abs().max(1.0) && **large > LARGEST_LOGARITHM)
        .map(|(id, _)| id)
        .collect();
    if odd.is_empty() || 2 * odd.len() > ids.len() || middle > LARGEST_LOGARITHM {
        return None;
    }
    Some(format!(
        "the values of {} are on another scale than those of the other {} cell lines (counts among logarithms?): {}",
        if odd.len() == 1 { "one cell line".to_owned() } else { format!("{} cell lines", odd.len()) },
        ids.len() - odd.len(),
        listed(&odd, 5)
    ))
}

/// The value above which a tenth of the values lie.
fn upper_decile(values: impl Iterator<Item = f32>) -> f32 {
    let mut values: Vec<f32> = values.filter(|value| !value.is_nan()).collect();
    if values.is_empty() {
        return f32::NAN;
    }
    let at = (values.len() - 1) * 9 / 10;
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}
