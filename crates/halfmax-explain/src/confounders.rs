//! Confounders of explanations: tissue and general sensitivity.

use halfmax_core::Category;
use ndarray::{Array2, ArrayView1, ArrayViewMut1, Axis};
use rayon::prelude::*;

/// Factors besides mechanisms that make the responses of cell lines similar: their tissue, and their general
/// sensitivity.
///
/// For a drug d, general sensitivity is the mean of a cell line's predictions over all other partners (drugs).
/// Contributions of features are additive, so the contributions to general sensitivity are exactly the means of the
/// contributions. The adjusted contributions of a drug are `φ'_d = φ_d − β_d φ̄ − (the tissue mean of this
/// difference)`. Here φ̄ is the mean over the other drugs, and β_d is the slope of the drug's predictions on general
/// sensitivity, within tissues. With a single partner, there is no general sensitivity to adjust for.
pub struct Confounders {
    tissue: Vec<usize>,
    sizes: Vec<usize>,
    /// Whether the tissues are known.
    known: bool,
    /// The mean prediction of each entity over all partners.
    means: Vec<f64>,
    /// Number of partners.
    partners: usize,
}

/// The fraction of the variance of a drug's predictions that each confounder explains, 0 to 1; `None` if the confounder
/// is unknown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConfounderR2 {
    /// By tissue.
    pub tissue: Option<f64>,
    /// By general sensitivity.
    pub general: Option<f64>,
}

impl Confounders {
    /// The confounders of entities with these mean predictions over some partners. Entities without a tissue form a
    /// separate tissue, "unknown".
    pub fn new(means: Vec<f64>, partners: usize, tissue: Option<&Category>, entities: &[u32]) -> Self {
        let code = |entity: &u32| {
            let code = tissue.and_then(|tissue| tissue.codes.get(*entity as usize).copied().flatten());
            code.map_or(0, |code| usize::from(code) + 1)
        };
        let codes: Vec<usize> = entities.iter().map(code).collect();
        let mut sizes = vec![0; codes.iter().max().map_or(1, |most| most + 1)];
        codes.iter().for_each(|code| sizes[*code] += 1);
        Self { tissue: codes, sizes, known: tissue.is_some(), means, partners }
    }

    /// The tissue of an entity, by number.
    pub fn tissue(&self, entity: usize) -> usize {
        self.tissue[entity]
    }

    /// General sensitivity for the partner with these predictions; `None` if it is the only partner.
    fn general(&self, predicted: &[f64]) -> Option<Vec<f64>> {
        let others = self.partners.checked_sub(1).filter(|others| *others > 0)? as f64;
        let share = |(mean, own): (&f64, &f64)| (mean * self.partners as f64 - own) / others;
        Some(self.means.iter().zip(predicted).map(share).collect())
    }

    /// Subtracts the tissue mean from every entity's value.
    pub fn centre(&self, values: &mut [f64]) {
        let mut sums = vec![0.0; self.sizes.len()];
        self.tissue.iter().zip(&*values).for_each(|(code, value)| sums[*code] += value);
        for (value, code) in values.iter_mut().zip(&self.tissue) {
            *value -= sums[*code] / self.sizes[*code] as f64;
        }
    }

    fn centre_row(&self, mut row: ArrayViewMut1<'_, f32>) {
        let mut sums = vec![0.0f64; self.sizes.len()];
        self.tissue.iter().zip(&row).for_each(|(code, value)| sums[*code] += f64::from(*value));
        let means: Vec<f32> =
            sums.iter().zip(&self.sizes).map(|(sum, size)| (sum / (*size).max(1) as f64) as f32).collect();
        row.iter_mut().zip(&self.tissue).for_each(|(value, code)| *value -= means[*code]);
    }

    /// The slope of a drug's predictions on general sensitivity, within tissues; 0 without general sensitivity.
    pub fn slope(&self, predicted: &[f64]) -> f64 {
        let Some(mut general) = self.general(predicted) else { return 0.0 };
        let mut own = predicted.to_vec();
        self.centre(&mut own);
        self.centre(&mut general);
        let variance: f64 = general.iter().map(|value| value * value).sum();
        let product: f64 = general.iter().zip(&own).map(|(a, b)| a * b).sum();
        if variance > 1e-12 { product / variance } else { 0.0 }
    }

    /// Adjusts contributions to a drug's predictions (features × entities): subtracts the contributions to general
    /// sensitivity times the drug's slope, and the tissue means. `mean` holds the mean contributions over all partners.
    pub fn adjust(&self, contributions: &mut Array2<f32>, mean: &Array2<f32>, predicted: &[f64]) {
        // φ − β (N φ̄ − φ) / (N − 1)
        let share = self.slope(predicted) / self.partners.saturating_sub(1).max(1) as f64;
        let (own_factor, mean_factor) = ((1.0 + share) as f32, (share * self.partners as f64) as f32);
        contributions.axis_iter_mut(Axis(0)).into_par_iter().zip(mean.axis_iter(Axis(0))).for_each(
            |(mut own, mean)| {
                own.zip_mut_with(&mean, |own, mean| *own = *own * own_factor - mean * mean_factor);
                self.centre_row(own);
            },
        );
    }

    /// Standardised values (features × entities), standardised again within tissues.
    pub fn within_tissues(&self, standard: &Array2<f32>) -> Array2<f32> {
        let mut within = standard.clone();
        within.axis_iter_mut(Axis(0)).into_par_iter().for_each(|mut row| {
            self.centre_row(row.view_mut());
            let square = f64::from(row.dot(&row)) / row.len().max(1) as f64;
            let factor = if square > 1e-9 { (1.0 / square.sqrt()) as f32 } else { 0.0 };
            row.mapv_inplace(|value| value * factor);
        });
        within
    }

    /// The fractions of the variance of a drug's predictions that the confounders explain.
    pub fn explained(&self, predicted: &[f64]) -> ConfounderR2 {
        let mut within = predicted.to_vec();
        self.centre(&mut within);
        let total = variance(predicted);
        let tissue = (self.known && total > 0.0).then(|| 1.0 - variance(&within) / total);
        let general = self.general(predicted).map(|general| correlation(predicted, &general).powi(2));
        ConfounderR2 { tissue, general }
    }
}

fn variance(values: &[f64]) -> f64 {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count
}

/// Pearson's correlation; 0 if one side does not vary.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ArrayView1::from(a), ArrayView1::from(b));
    let centred = |values: ArrayView1<'_, f64>| {
        let mean = values.mean().unwrap_or(0.0);
        values.mapv(|value| value - mean)
    };
    let (a, b) = (centred(a), centred(b));
    let norm = (a.dot(&a) * b.dot(&b)).sqrt();
    if norm > 1e-12 { a.dot(&b) / norm } else { 0.0 }
}
