//! Scores of mechanisms and gene sets, which are tested like features.

use halfmax_association::{FeatureMatrix, Form};
use halfmax_core::Result;
use halfmax_mechanisms::Mechanisms;

use super::MECHANISM;

/// The fewest genes of a score.
const GENES: usize = 3;

/// Adds the score of each mechanism of the catalogue: the mean expression of its genes in standard deviations, with the opposite sign for
/// genes whose loss confers resistance. Without expression, or with fewer than three genes, a mechanism has no score.
pub(super) fn with_mechanisms(
    features: FeatureMatrix,
    cells: usize,
    catalogue: &Mechanisms,
    leave_out: &[String],
) -> Result<FeatureMatrix> {
    if leave_out.iter().any(|kind| kind == MECHANISM) {
        return Ok(features);
    }
    let mut rows_of_gene: std::collections::HashMap<String, Vec<usize>> = std::collections::HashMap::new();
    for (row, feature) in features.features().iter().enumerate() {
        if feature.kind == "expression" && feature.form == Form::Real {
            for reading in catalogue.genes_of_feature(&feature.kind, &feature.name) {
                rows_of_gene.entry(reading.gene).or_default().push(row);
            }
        }
    }
    let mut scores = Vec::new();
    for mechanism in &catalogue.list {
        let members: Vec<(usize, f32)> = mechanism
            .genes()
            .filter_map(|gene| {
                let row = rows_of_gene.get(gene)?.first()?;
                let less = mechanism.down.iter().any(|down| down == gene);
                Some((*row, if less { -1.0 } else { 1.0 }))
            })
            .collect();
        if members.len() < GENES {
            continue;
        }
        let (mut sums, mut counts) = (vec![0f32; cells], vec![0f32; cells]);
        for (row, sign) in members {
            for (at, value) in standard(&features, row).into_iter().enumerate() {
                if value.is_finite() {
                    sums[at] += sign * value;
                    counts[at] += 1.0;
                }
            }
        }
        let score = sums.iter().zip(&counts).map(|(sum, count)| sum / count).collect();
        scores.push((mechanism.id.clone(), score));
    }
    features.with_scores(MECHANISM, &scores)
}

/// The values of a feature in standard deviations from the mean.
fn standard(features: &FeatureMatrix, row: usize) -> Vec<f32> {
    let values = features.values(row);
    let known = || values.iter().copied().filter(|value| value.is_finite()).map(f64::from);
    let count = known().count().max(1) as f64;
    let mean = known().sum::<f64>() / count;
    let deviation = (known().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    let factor = if deviation > 0.0 { 1.0 / deviation } else { 0.0 };
    values.iter().map(|value| ((f64::from(*value) - mean) * factor) as f32).collect()
}
