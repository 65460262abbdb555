//! Checks whether cell lines and files have features on one scale.

use std::collections::HashSet;

use halfmax_core::{EntityTable, Error, FeatureBlock, FeatureSpace, FeatureValues, Result, listed};
use serde::{Deserialize, Serialize};

/// A cell line is odd if its upper decile is this many times that of the median cell line.
const ODD: f32 = 4.0;
/// The largest plausible logarithm of expression.
const LARGEST_LOGARITHM: f32 = 25.0;

/// A sentence that names cell lines with values on another scale than the others, such as counts among logarithms.
pub(crate) fn odd_lines(block: &FeatureBlock, ids: &[String]) -> Option<String> {
    let FeatureValues::Real(values) = &block.values else { return None };
    if values.nrows() < 4 {
        return None;
    }
    // If all values could be logarithms, no line is odd.
    if !values.t().iter().any(|value| *value > LARGEST_LOGARITHM) {
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
        "the values of {} are on another scale than the other {} cell lines (counts among logarithms?): {}",
        if odd.len() == 1 { "one cell line".to_owned() } else { format!("{} cell lines", odd.len()) },
        ids.len() - odd.len(),
        listed(&odd, 5)
    ))
}

/// The 90 % quantile of the values.
fn upper_decile(values: impl Iterator<Item = f32>) -> f32 {
    let mut values: Vec<f32> = values.filter(|value| !value.is_nan()).collect();
    if values.is_empty() {
        return f32::NAN;
    }
    let at = (values.len() - 1) * 9 / 10;
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}

/// The quantiles of one kind of features. A model stores those of its training data to detect values on another scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureScale {
    /// The kind of features: "expression".
    pub kind: String,
    /// The 1st, 10th, 25th, 50th, 75th, 90th and 99th percentile of all values.
    pub quantiles: [f32; 7],
}

/// The stored percentiles, as fractions.
const SHARES: [f64; 7] = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99];
/// The fewest values that show a scale.
const FEW: usize = 8;
/// The largest allowed ratio of interquartile ranges.
const WIDTHS: f32 = 4.0;

/// The scales of a table's blocks of real numbers, for the features that a model uses. Single-agent responses have
/// separate scales.
pub fn scales_of(table: &EntityTable, space: &FeatureSpace) -> Vec<FeatureScale> {
    let blocks = table.blocks().iter().filter(|block| block.kind != halfmax_core::SINGLE_AGENT);
    blocks.filter_map(|block| scale_of(block, space)).collect()
}

fn scale_of(block: &FeatureBlock, space: &FeatureSpace) -> Option<FeatureScale> {
    let FeatureValues::Real(values) = &block.values else { return None };
    let used: HashSet<&str> = space
        .features
        .iter()
        .filter(|feature| feature.kind == block.kind)
        .map(|feature| feature.name.as_str())
        .collect();
    let columns = block.names.iter().zip(values.columns()).filter(|(name, _)| used.contains(name.as_str()));
    let mut all: Vec<f32> = columns
        .flat_map(|(_, column)| column.iter().copied().collect::<Vec<f32>>())
        .filter(|value| !value.is_nan())
        .collect();
    if all.len() < FEW {
        return None;
    }
    all.sort_by(f32::total_cmp);
    let quantiles = SHARES.map(|share| all[((all.len() - 1) as f64 * share).round() as usize]);
    Some(FeatureScale { kind: block.kind.clone(), quantiles })
}

/// Refuses values on another scale than the training data: TPM instead of log2(TPM + 1), z-scores, counts.
///
/// # Errors
/// If the median of a kind's values is outside the 10th to 90th percentile of training, or their interquartile ranges
/// differ by more than a factor of four. The error names the kind and both ranges, and guesses the scale.
pub fn refuse_other_scales(stored: &[FeatureScale], table: &EntityTable, space: &FeatureSpace) -> Result<()> {
    for own in scales_of(table, space) {
        let Some(known) = stored.iter().find(|known| known.kind == own.kind) else { continue };
        if own.fits(known) {
            continue;
        }
        let range = |scale: &FeatureScale| {
            let [low, _, _, middle, _, _, high] = scale.quantiles;
            format!("{low:.2} to {high:.2}, median {middle:.2}")
        };
        return Err(Error::data(format!(
            "the values of {} are on another scale than the training data of the model: {} here, {} in training",
            own.kind,
            range(&own),
            range(known)
        ))
        .with_help(format!(
            "{}; or, if the difference is intended, allow any scale (`--any-scale`)",
            own.looks_like(known).unwrap_or("convert them to the scale of the training data")
        )));
    }
    Ok(())
}

impl FeatureScale {
    fn width(&self) -> f32 {
        self.quantiles[4] - self.quantiles[2]
    }

    fn fits(&self, known: &Self) -> bool {
        let middle = (known.quantiles[1]..=known.quantiles[5]).contains(&self.quantiles[3]);
        let (own, there) = (self.width(), known.width());
        // Values that are nearly constant (copy numbers) have no width to compare.
        let widths = there <= 0.0 || own <= 0.0 || (own / there <= WIDTHS && there / own <= WIDTHS);
        middle && widths
    }

    /// The likely scale of the values compared with training, and how to convert them.
    fn looks_like(&self, known: &Self) -> Option<&'static str> {
        let positive = self.quantiles[0] >= 0.0;
        let logarithms = Self { quantiles: self.quantiles.map(|value| (value + 1.0).log2()), ..self.clone() };
        let centred = |scale: &Self| scale.quantiles[3].abs() < 0.5 && (0.5..=3.0).contains(&scale.width());
        match () {
            () if positive && logarithms.fits(known) => {
                Some("they look like TPM, counts or intensities: take log2(x + 1)")
            }
            () if centred(self) && !centred(known) => {
                Some("they look like z-scores: use the values before standardisation")
            }
            () if centred(known) && !centred(self) => {
                Some("the training data look standardised: standardise these values in the same way")
            }
            () if positive && self.quantiles[6] > 100.0 => {
                Some("they look like TPM, counts or intensities, but the training data do not")
            }
            () => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfmax_core::FeatureBlock;
    use ndarray::Array2;

    fn table(of: impl Fn(usize, usize) -> f32) -> (EntityTable, FeatureSpace) {
        let names: Vec<String> = (0..20).map(|gene| format!("G{gene}")).collect();
        let values = Array2::from_shape_fn((10, 20), |(row, column)| of(row, column));
        let block = FeatureBlock::new("expression", names, FeatureValues::real(values)).unwrap();
        let table = EntityTable::new((0..10).map(|line| format!("L{line}")), "cell line").unwrap();
        let table = table.with_block(block).unwrap();
        let space = FeatureSpace::whole(&table);
        (table, space)
    }

    #[test]
    fn values_on_another_scale_are_named() {
        let log = |row: usize, column: usize| 2.0 + ((row * 7 + column * 13) % 60) as f32 / 10.0;
        let (trained, space) = table(log);
        let stored = scales_of(&trained, &space);
        let check = |of: &dyn Fn(usize, usize) -> f32| refuse_other_scales(&stored, &table(of).0, &space);
        assert!(check(&log).is_ok());
        assert!(check(&|row, column| log(row, column) + 0.4).is_ok());
        let tpm = check(&|row, column| log(row, column).exp2() - 1.0).unwrap_err();
        assert!(
            tpm.to_string().contains("expression") && tpm.help().unwrap().contains("log2(x + 1)"),
            "{tpm}"
        );
        let z = check(&|row, column| (log(row, column) - 5.0) / 1.7).unwrap_err();
        assert!(z.help().unwrap().contains("z-scores"), "{z}");
    }
}
