//! Random sets of features like a given one.

use halfmax_core::{Domain, Seed};
use ndarray::{Array2, ArrayView1};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashSet};

use crate::values::Values;

/// The approximate number of features in a bin.
const BIN: usize = 40;
/// The number of candidates for replacing a feature; the candidate with the most similar correlation is taken.
const CANDIDATES: usize = 20;

/// Bins of similar features: the same kind, with similar mean and variance.
pub(crate) struct Bins {
    /// The bin of each feature.
    of: Vec<usize>,
    features: Vec<Vec<u32>>,
}

impl Bins {
    /// Bins the features of each kind by their mean, and within that by their variance; bits by their frequency.
    pub(crate) fn new(values: &Values) -> Self {
        let mut kinds: BTreeMap<(&str, bool), Vec<u32>> = BTreeMap::new();
        for (at, feature) in values.space.features.iter().enumerate() {
            let is_real = feature.domain == Domain::Real;
            kinds.entry((&feature.kind, is_real)).or_default().push(at as u32);
        }
        let mut bins = Self { of: vec![0; values.space.len()], features: Vec::new() };
        for ((_, is_real), mut members) in kinds {
            let count = members.len() / BIN;
            let (levels, spreads) = if is_real { (count.isqrt(), count.isqrt()) } else { (count, 1) };
            let by = |numbers: &[f64]| {
                let numbers = numbers.to_vec();
                move |a: &u32, b: &u32| numbers[*a as usize].total_cmp(&numbers[*b as usize]).then(a.cmp(b))
            };
            members.sort_by(by(&values.means));
            for level in parts(&members, levels) {
                let mut level = level.to_vec();
                level.sort_by(by(&values.deviations));
                for bin in parts(&level, spreads) {
                    bin.iter().for_each(|feature| bins.of[*feature as usize] = bins.features.len());
                    bins.features.push(bin.to_vec());
                }
            }
        }
        bins
    }

    fn like(&self, feature: u32) -> &[u32] {
        &self.features[self.of[feature as usize]]
    }
}

/// A list in `count` parts of almost the same size.
fn parts<T>(list: &[T], count: usize) -> impl Iterator<Item = &[T]> {
    let count = count.max(1);
    (0..count).map(move |at| &list[at * list.len() / count..(at + 1) * list.len() / count])
}

/// `count` random sets like a set of features, given their standardised values (features × entities): each feature is
/// replaced by a feature of its bin that is in neither set. Among some candidates, the best match is taken: its mean
/// correlation with the preceding features is nearest to that of the original feature in its set. This matters because
/// a sum over correlated features varies more. `None` if a bin is too small.
pub(crate) fn random_sets(
    standard: &Array2<f32>,
    bins: &Bins,
    set: &[u32],
    count: usize,
    seed: Seed,
) -> Option<Vec<Vec<u32>>> {
    let own: HashSet<u32> = set.iter().copied().collect();
    let pools: Vec<Vec<u32>> = set
        .iter()
        .map(|feature| bins.like(*feature).iter().copied().filter(|other| !own.contains(other)).collect())
        .collect();
    // All features of the set may fall in one bin.
    if pools.iter().any(|pool: &Vec<u32>| pool.len() < set.len().clamp(5, BIN / 4)) {
        return None;
    }
    let targets = correlations_with_those_before(standard, set);
    let draw = |at: usize| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed.derive(at as u64).value());
        one_set(standard, &pools, &targets, &mut rng)
    };
    (0..count).into_par_iter().map(draw).collect()
}

fn one_set(
    standard: &Array2<f32>,
    pools: &[Vec<u32>],
    targets: &[f32],
    rng: &mut ChaCha8Rng,
) -> Option<Vec<u32>> {
    let mut sum = vec![0.0f32; standard.ncols()];
    let mut chosen: Vec<u32> = Vec::with_capacity(pools.len());
    for (pool, target) in pools.iter().zip(targets) {
        let free: Vec<u32> = if chosen.is_empty() {
            vec![*pool.choose(rng)?]
        } else {
            let candidates: Vec<u32> =
                (0..CANDIDATES).map(|_| pool[rng.random_range(0..pool.len())]).collect();
            let mut free: Vec<u32> =
                candidates.into_iter().filter(|candidate| !chosen.contains(candidate)).collect();
            if free.is_empty() {
                free.extend(pool.iter().filter(|candidate| !chosen.contains(candidate)).take(1));
            }
            free
        };
        let miss = |candidate: u32| {
            let found = mean_correlation(standard, candidate, &sum, chosen.len());
            (found - target).abs()
        };
        let nearest = free
            .into_iter()
            .map(|candidate| (miss(candidate), candidate))
            .min_by(|a, b| a.0.total_cmp(&b.0))?;
        let row = standard.row(nearest.1 as usize);
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        chosen.push(nearest.1);
    }
    Some(chosen)
}

/// The mean correlation of each feature of a set with the preceding features.
fn correlations_with_those_before(standard: &Array2<f32>, set: &[u32]) -> Vec<f32> {
    let mut sum = vec![0.0f32; standard.ncols()];
    let mut found = Vec::with_capacity(set.len());
    for (count, feature) in set.iter().enumerate() {
        found.push(mean_correlation(standard, *feature, &sum, count));
        let row = standard.row(*feature as usize);
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    found
}

/// The mean correlation of a feature with `count` others, given the sum of their standardised values.
fn mean_correlation(standard: &Array2<f32>, feature: u32, sum: &[f32], count: usize) -> f32 {
    if count == 0 {
        return 0.0;
    }
    let product = standard.row(feature as usize).dot(&ArrayView1::from(sum));
    product / (count * standard.ncols().max(1)) as f32
}
