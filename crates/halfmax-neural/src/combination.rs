//! Combinations of two drugs: combines two drugs into one column that is the same for both orders.
//!
//! Both drugs go through the same tower, once each. A network gets the sum of the two codes, their product and their absolute
//! difference, number by number. Its output is added to the sum. None of these operations depends on the order of the drugs,
//! not even in its rounding.

use std::collections::BTreeMap;

use burn::tensor::Tensor as Numbers;
use halfmax_core::{EntityTable, Result, Tuples};
use ndarray::{Array1, Array2, Axis};

use crate::model::{Codes, FittedNeural};
use crate::network::{Network, on_device};
use crate::random::Dropout;

/// Rounds of backfitting.
const ROUNDS: usize = 50;

/// For each value, its position among the distinct values; and the distinct values, ascending.
pub(crate) fn numbered<T: Copy + Ord>(things: Vec<T>) -> (Vec<usize>, Vec<T>) {
    let mut places: BTreeMap<T, usize> = things.iter().map(|thing| (*thing, 0)).collect();
    places.values_mut().zip(0..).for_each(|(place, at)| *place = at);
    (things.iter().map(|thing| places[thing]).collect(), places.into_keys().collect())
}

/// The effect of each drug on its combinations, by least squares. Effects shrink to 0 as if there were responses of 0 with a
/// total weight of `prior`. `left` and `weights` are cell lines × combinations, `pairs` the drugs of each combination.
pub(crate) fn drug_effects(
    left: &Array2<f64>,
    weights: &Array2<f64>,
    pairs: &[[usize; 2]],
    drugs: usize,
    prior: f64,
) -> Vec<f64> {
    let sums: Array1<f64> = (left * weights).sum_axis(Axis(0));
    let weights = weights.sum_axis(Axis(0));
    let mut of_drug = vec![Vec::new(); drugs];
    for (column, [a, b]) in pairs.iter().enumerate() {
        of_drug[*a].push((column, *b));
        if a != b {
            of_drug[*b].push((column, *a));
        }
    }
    let mut effects = vec![0.0; drugs];
    for _ in 0..ROUNDS {
        for (drug, own) in of_drug.iter().enumerate() {
            let (mut sum, mut weight) = (0.0, prior);
            for (column, partner) in own {
                // A drug combined with itself adds its effect twice.
                let (times, rest) = if *partner == drug { (2.0, 0.0) } else { (1.0, effects[*partner]) };
                sum += times * (sums[*column] - weights[*column] * rest);
                weight += times * times * weights[*column];
            }
            effects[drug] = sum / weight;
        }
    }
    effects
}

impl Network {
    /// The codes of combinations, from the codes of their two drugs: members × combinations × (rank + 1).
    pub(crate) fn combined(
        &self,
        weights: &[Numbers<3>],
        first: Numbers<3>,
        second: Numbers<3>,
        dropout: Option<(f64, Dropout)>,
    ) -> Numbers<3> {
        let sum = first.clone() + second.clone();
        let Some(combiner) = &self.combiner else { return sum };
        let apart = (first.clone() - second.clone()).abs();
        let both = Numbers::cat(vec![sum.clone(), first * second, apart], 2);
        match self.through(combiner, weights, both, dropout) {
            Some(made) => sum + made,
            None => sum,
        }
    }
}

/// A drug of a query: the side whose table holds it, and its position there.
type Drug = (usize, u32);

impl FittedNeural {
    /// The codes of the combinations of a query, and for each tuple (in a grid: each two drugs) the combination that it
    /// belongs to. `tables` are those of the two drug sides.
    pub(crate) fn combinations(
        &self,
        tables: [&EntityTable; 2],
        tuples: Tuples,
        [first, second]: [&[u32]; 2],
    ) -> Result<(Codes, Vec<u32>)> {
        let pairs: Vec<[Drug; 2]> = match tuples {
            Tuples::Listed(_) => first.iter().zip(second).map(|(a, b)| [(0, *a), (1, *b)]).collect(),
            Tuples::Grid(_) => first.iter().flat_map(|a| second.iter().map(|b| [(0, *a), (1, *b)])).collect(),
        };
        let (columns, asked) = numbered(pairs);
        let columns = columns.into_iter().map(|column| column as u32).collect();
        let drugs = [self.plain_codes(tables[0], first)?, self.plain_codes(tables[1], second)?];
        let (members, width) = (self.members(), self.network.rank + 1);
        let gathered = |chunk: &[[Drug; 2]], at: usize| {
            let mut numbers = vec![0.0; members * Self::AT_ONCE * width];
            for (place, pair) in chunk.iter().enumerate() {
                let (side, drug) = pair[at];
                for (member, code) in drugs[side].of(drug).chunks_exact(width).enumerate() {
                    numbers[(member * Self::AT_ONCE + place) * width..][..width].copy_from_slice(code);
                }
            }
            on_device(numbers, [members, Self::AT_ONCE, width], self.device())
        };
        let codes = self.rows(&asked, self.network.code_width(), |chunk| {
            let weights = self.weights();
            let made = self.network.combined(weights, gathered(chunk, 0), gathered(chunk, 1), None);
            Ok(self.network.encoded(1, weights, made))
        })?;
        let id = |(side, drug): Drug| tables[side].ids()[drug as usize].as_str();
        let bases = asked.iter().map(|pair| self.base_of(pair.map(id))).collect();
        Ok((Codes { row_of: (0..asked.len()).collect(), codes, bases }, columns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_of_drugs_are_found_also_where_a_drug_meets_itself() {
        let effects = [3.0, -1.0, 0.5, 2.0];
        let pairs = [[0, 0], [0, 1], [1, 2], [1, 3], [2, 3]];
        let left =
            Array2::from_shape_fn((3, 5), |(_, at)| pairs[at].map(|drug: usize| effects[drug]).iter().sum());
        let weights = Array2::from_shape_fn((3, 5), |(cell, at)| ((cell + at) % 3 + 1) as f64);
        let found = drug_effects(&left, &weights, &pairs, 4, 1e-9);
        assert!(found.iter().zip(effects).all(|(found, effect)| (found - effect).abs() < 1e-6), "{found:?}");
    }

    #[test]
    fn distinct_things_are_numbered_in_ascending_order() {
        assert_eq!(numbered(vec![[2, 1], [0, 5], [2, 1]]), (vec![1, 0, 1], vec![[0, 5], [2, 1]]));
    }
}
