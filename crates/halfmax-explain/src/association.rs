//! Tests whether measured responses depend on the genes of a set, without any model.

use halfmax_core::Seed;
use ndarray::{Array2, ArrayView1};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::sets::FeatureSet;

/// Measured responses of one partner (drug): entities (positions among the explained entities) and values.
pub struct Measured {
    /// The positions of the entities.
    pub entities: Vec<usize>,
    /// Their responses.
    pub values: Vec<f64>,
    /// The tissue of each, by number.
    pub tissues: Vec<usize>,
}

impl Measured {
    /// Subtracts from the responses the tissue means and the part that `others` explain within tissues.
    pub(crate) fn adjust(&mut self, mut others: Vec<f64>) {
        let strata = strata(&self.tissues);
        centre(&mut self.values, &strata);
        centre(&mut others, &strata);
        let square: f64 = others.iter().map(|other| other * other).sum();
        let product: f64 = self.values.iter().zip(&others).map(|(a, b)| a * b).sum();
        let slope = if square > 1e-12 { product / square } else { 0.0 };
        self.values.iter_mut().zip(&others).for_each(|(value, other)| *value -= slope * other);
    }
}

/// The fewest entities for a test, beyond one for each tissue.
const LEAST: usize = 15;
/// The number of permutations that are compared at a time.
const BLOCK: usize = 250;

/// The p value of each set: the probability that responses independent of its features correlate as strongly with them.
/// The statistic is the mean squared correlation within tissues (the global test of Goeman et al. 2004, Bioinformatics
/// 20:93). The entities of a tissue are permuted, so the features of a set keep their correlations. This null
/// hypothesis is self-contained: it does not involve other genes.
///
/// `None` with too few responses (fewer than 15 beyond one for each tissue), or if no feature of the set varies.
pub fn self_contained(
    standard: &Array2<f32>,
    measured: &Measured,
    sets: &[FeatureSet],
    permutations: usize,
    seed: Seed,
) -> Vec<Option<f64>> {
    let count = measured.entities.len();
    let strata = strata(&measured.tissues);
    if count < LEAST + strata.len() {
        return vec![None; sets.len()];
    }
    let mut used: Vec<u32> = sets.iter().flat_map(FeatureSet::features).collect();
    used.sort_unstable();
    used.dedup();
    let mut features = Array2::<f32>::zeros((count, used.len()));
    for (column, feature) in used.iter().enumerate() {
        let row = standard.row(*feature as usize);
        let mut own: Vec<f64> = measured.entities.iter().map(|entity| f64::from(row[*entity])).collect();
        centre(&mut own, &strata);
        for (place, value) in features.column_mut(column).iter_mut().zip(standardised(&own)) {
            *place = value as f32;
        }
    }
    let place = |feature: u32| used.binary_search(&feature).unwrap_or_default();
    let places: Vec<Vec<usize>> =
        sets.iter().map(|set| set.features().into_iter().map(place).collect()).collect();
    let mut response = measured.values.clone();
    centre(&mut response, &strata);
    let response: Vec<f32> = standardised(&response).into_iter().map(|value| value as f32).collect();
    let statistics = |products: ArrayView1<'_, f32>| -> Vec<f32> {
        places.iter().map(|places| places.iter().map(|place| products[*place].powi(2)).sum()).collect()
    };
    let found = statistics(ArrayView1::from(&response).dot(&features).view());
    let mut more = vec![0usize; sets.len()];
    let mut rng = ChaCha8Rng::seed_from_u64(seed.value());
    let mut shuffled = response.clone();
    let mut left = permutations;
    while left > 0 {
        let rows = left.min(BLOCK);
        let mut block = Array2::zeros((rows, count));
        for mut row in block.rows_mut() {
            for stratum in &strata {
                let mut own: Vec<f32> = stratum.iter().map(|at| shuffled[*at]).collect();
                own.shuffle(&mut rng);
                stratum.iter().zip(own).for_each(|(at, value)| shuffled[*at] = value);
            }
            row.assign(&ArrayView1::from(&shuffled));
        }
        for products in block.dot(&features).rows() {
            for ((more, own), found) in more.iter_mut().zip(statistics(products)).zip(&found) {
                *more += usize::from(own >= *found);
            }
        }
        left -= rows;
    }
    let p =
        |(more, found): (&usize, &f32)| (*found > 0.0).then(|| (more + 1) as f64 / (permutations + 1) as f64);
    more.iter().zip(&found).map(p).collect()
}

/// The positions of the entities of each tissue.
fn strata(tissues: &[usize]) -> Vec<Vec<usize>> {
    let mut by_tissue: std::collections::BTreeMap<usize, Vec<usize>> = std::collections::BTreeMap::new();
    tissues.iter().enumerate().for_each(|(at, tissue)| by_tissue.entry(*tissue).or_default().push(at));
    by_tissue.into_values().collect()
}

/// Subtracts the mean of its stratum from every value.
fn centre(values: &mut [f64], strata: &[Vec<usize>]) {
    for stratum in strata {
        let mean = stratum.iter().map(|at| values[*at]).sum::<f64>() / stratum.len() as f64;
        stratum.iter().for_each(|at| values[*at] -= mean);
    }
}

/// Values minus their mean, divided by their norm; zeros if all values are equal.
fn standardised(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let norm = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>().sqrt();
    values.iter().map(|value| if norm > 1e-9 { (value - mean) / norm } else { 0.0 }).collect()
}
