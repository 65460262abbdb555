//! Trees that split on one side and whose leaves hold one value for every entity of the other side.

use halfmax_core::Seed;
use rayon::prelude::*;

use crate::block::{Block, Dense, Loss, OneSide, Scales, weighted_quantile};
use crate::fit::{Fit, SEED_SKETCH, quanta, step};
use crate::grow::{Candidates, Care, NodeSide, grow};
use crate::histogram::Pool;
use crate::packed_sums::{Wide, grid};
use crate::tree::{Leaves, Tree};

/// Gradient and weight sums of one leaf, for every entity of the other side.
#[derive(Clone)]
struct LeafSums {
    gradient: Vec<f32>,
    weight: Vec<f32>,
}

impl<const BINS: usize> Fit<'_, BINS> {
    /// Grows a tree on the features of `side`. Splits are searched on a random projection of the gradient block to
    /// `W - 1` columns (the sketch of Iosipoi & Vakhrushev 2022, SketchBoost). Leaf values are computed on the whole block.
    pub(crate) fn vector_tree<const W: usize>(
        &mut self,
        side: usize,
        seed: Seed,
        pool: &mut Pool<Wide<W>, BINS>,
    ) -> Option<Tree> {
        let Block::Dense(block) = &mut self.block else { return None };
        let other = 1 - side;
        let bag = Self::bag(self.params, &self.bins, side, seed);
        let signs = signs::<W>(self.bins[other].entities, seed.derive(SEED_SKETCH));
        let sketch = block.sketch(self.loss, side, &signs);
        let magnitude = |column: usize| sketch.iter().map(|row| f64::from(row[column].abs())).sum::<f64>();
        let scale = grid((0..W - 1).map(magnitude).fold(0.0, f64::max));
        let lane = |row: &[f32; W]| {
            let mut lane = row.map(|value| (f64::from(value) * scale).round_ties_even() as i32);
            lane[W - 1] = 1;
            Wide(lane)
        };
        let present = (0u32..).zip(&sketch).filter(|(entity, row)| bag[*entity as usize] && row[W - 1] > 0.0);
        let (entities, lanes): (Vec<u32>, Vec<Wide<W>>) = present.map(|(at, row)| (at, lane(row))).unzip();
        let chosen = Self::features(self.params, &self.bins, &[side], seed);
        let care = Care { least: self.params.min_leaf_entities as f64, ..self.care[side] };
        let candidates = [Candidates::new(&self.bins[side], &chosen[0], care)];
        let root = vec![NodeSide { entities: entities.into(), lanes: lanes.into() }];
        let scales = Scales { gradient: scale, weight: 1.0 };
        let mut growth = Self::growth(self.params, scales, 0.0);
        // The expected square of a projection onto random signs is the sum of squares. The `W - 1` columns therefore
        // count it `W - 1` times.
        growth.min_gain *= (W - 1) as f64;
        let mut grown = grow(&candidates, &OneSide, root, Vec::new(), growth, pool);
        grown.shape.sides.fill(side as u8);
        let patterns = self.patterns(&grown);
        let leaf_of: Vec<usize> =
            patterns[side].of_entity.iter().map(|p| single(&patterns[side].leaves[*p as usize])).collect();
        let Block::Dense(block) = &mut self.block else { return None };
        let leaves = grown.shape.leaves();
        let sums = block.leaf_sums(self.loss, side, &leaf_of, &bag, leaves);
        let quantiles = match self.loss {
            Loss::Squared | Loss::Huber(_) => None,
            Loss::Quantile(_) => {
                Some(block.leaf_quantiles(side, &leaf_of, &bag, leaves, self.params.quantile))
            }
        };
        let lambda = self.params.l2 + care.lambda;
        let mut values = Vec::with_capacity(sums.len() * (self.bins[other].entities + 1));
        for (leaf, sums) in sums.iter().enumerate() {
            let total = |sums: &[f32]| sums.iter().map(|sum| f64::from(*sum)).sum::<f64>();
            let all = (total(&sums.gradient), total(&sums.weight));
            let each = sums.gradient.iter().zip(&sums.weight).map(|(g, h)| (f64::from(*g), f64::from(*h)));
            values.extend(each.chain([all]).enumerate().map(|(entity, (gradient, weight))| {
                let gradient = quantiles.as_ref().map_or(gradient, |q| q[leaf][entity] * weight);
                quanta(self.params.learning_rate * step(gradient, weight, lambda), self.quantum)
            }));
        }
        let width = self.bins[other].entities + 1;
        let steps: Vec<f32> = values.iter().map(|value| (f64::from(*value) * self.quantum) as f32).collect();
        block.subtract_vectors(side, &leaf_of, &steps, width);
        let covers = self.block.covers(&patterns, leaves);
        Some(self.tree(grown, Leaves::Vector { side: other as u8, values }, covers))
    }
}

/// The only leaf of a pattern, for trees that test one side.
fn single(leaves: &[u64]) -> usize {
    let word = leaves.iter().position(|word| *word != 0).unwrap_or(0);
    word * 64 + leaves[word].trailing_zeros() as usize
}

/// Random signs, `W - 1` for every entity. The last lane counts.
fn signs<const W: usize>(entities: usize, seed: Seed) -> Vec<[f32; W]> {
    let of = |entity: usize| {
        let bits = seed.derive(entity as u64).value();
        let mut signs: [f32; W] = std::array::from_fn(|at| if bits >> at & 1 == 1 { 1.0 } else { -1.0 });
        signs[W - 1] = 0.0;
        signs
    };
    (0..entities).map(of).collect()
}

#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma+bmi1+bmi2+lzcnt+popcnt",
    "x86_64+avx2+fma+bmi1+bmi2+lzcnt+popcnt"
))]
fn project<const W: usize>(loss: Loss, residuals: &[f32], weights: &[f32], signs: &[[f32; W]]) -> [f32; W] {
    let mut sums = [0.0f32; W];
    for ((residual, weight), signs) in residuals.iter().zip(weights).zip(signs) {
        let gradient = loss.pull(*residual) * weight;
        for lane in 0..W {
            sums[lane] += gradient * signs[lane];
        }
        sums[W - 1] += weight;
    }
    sums
}

#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma+bmi1+bmi2+lzcnt+popcnt",
    "x86_64+avx2+fma+bmi1+bmi2+lzcnt+popcnt"
))]
fn add_gradients(loss: Loss, residuals: &[f32], weights: &[f32], sums: &mut LeafSums) {
    let gradients = sums.gradient.iter_mut().zip(residuals).zip(weights);
    gradients.for_each(|((sum, residual), weight)| *sum += loss.pull(*residual) * weight);
    sums.weight.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
}

impl Dense {
    /// For every entity of `side`, the projection of its gradients onto the signs of the other side's entities. The last
    /// lane holds the sum of its weights.
    fn sketch<const W: usize>(&self, loss: Loss, side: usize, signs: &[[f32; W]]) -> Vec<[f32; W]> {
        let columns = self.columns();
        let rows = self.residual.par_chunks(columns).zip(self.weight.par_chunks(columns));
        if side == 0 {
            let project = |(residuals, weights): (&[f32], &[f32])| project(loss, residuals, weights, signs);
            return rows.with_min_len(32).map(project).collect();
        }
        let mut sums = vec![[0.0f32; W]; columns];
        let rows = self.residual.chunks(columns).zip(self.weight.chunks(columns)).zip(signs);
        for ((residuals, weights), signs) in rows {
            for ((sums, residual), weight) in sums.iter_mut().zip(residuals).zip(weights) {
                let gradient = loss.pull(*residual) * weight;
                sums.iter_mut().zip(signs).for_each(|(sum, sign)| *sum += gradient * sign);
                sums[W - 1] += weight;
            }
        }
        sums
    }

    /// For every leaf and every entity of the other side, the sums over the leaf's entities in the bag.
    fn leaf_sums(
        &self,
        loss: Loss,
        side: usize,
        leaf_of: &[usize],
        bag: &[bool],
        leaves: usize,
    ) -> Vec<LeafSums> {
        let columns = self.columns();
        let range = |row: usize| row * columns..(row + 1) * columns;
        let zeros = |width| LeafSums { gradient: vec![0.0; width], weight: vec![0.0; width] };
        if side == 0 {
            let sum = |leaf: usize| {
                let mut sums = zeros(columns);
                for row in (0..self.rows()).filter(|row| leaf_of[*row] == leaf && bag[*row]) {
                    add_gradients(loss, &self.residual[range(row)], &self.weight[range(row)], &mut sums);
                }
                sums
            };
            return (0..leaves).into_par_iter().map(sum).collect();
        }
        let mut sums = vec![zeros(self.rows()); leaves];
        for row in 0..self.rows() {
            let cells = self.residual[range(row)].iter().zip(&self.weight[range(row)]);
            for (column, (residual, weight)) in cells.enumerate().filter(|(column, _)| bag[*column]) {
                let sums = &mut sums[leaf_of[column]];
                sums.gradient[row] += loss.pull(*residual) * weight;
                sums.weight[row] += weight;
            }
        }
        sums
    }

    /// For every leaf, a quantile of the residuals over its entities in the bag: one for every entity of the other side,
    /// then one for all of them together.
    fn leaf_quantiles(
        &self,
        side: usize,
        leaf_of: &[usize],
        bag: &[bool],
        leaves: usize,
        at: f64,
    ) -> Vec<Vec<f64>> {
        let others = if side == 0 { self.columns() } else { self.rows() };
        let of_leaf = |leaf: usize| {
            let entities: Vec<usize> =
                (0..leaf_of.len()).filter(|entity| leaf_of[*entity] == leaf && bag[*entity]).collect();
            let mut all = Vec::new();
            let mut quantiles = Vec::with_capacity(others + 1);
            for other in 0..others {
                let cell = |entity: &usize| {
                    let (row, column) = if side == 0 { (*entity, other) } else { (other, *entity) };
                    let cell = row * self.columns() + column;
                    (self.residual[cell], self.weight[cell])
                };
                let residuals: Vec<(f32, f32)> =
                    entities.iter().map(cell).filter(|cell| cell.1 > 0.0).collect();
                all.extend_from_slice(&residuals);
                quantiles.push(weighted_quantile(residuals, at));
            }
            quantiles.push(weighted_quantile(all, at));
            quantiles
        };
        (0..leaves).into_par_iter().map(of_leaf).collect()
    }

    /// Subtracts the leaves' vectors from the residuals.
    fn subtract_vectors(&mut self, side: usize, leaf_of: &[usize], steps: &[f32], width: usize) {
        let columns = self.columns();
        let rows = self.residual.par_chunks_mut(columns).enumerate().with_min_len(64);
        rows.for_each(|(row, residuals)| {
            if side == 0 {
                let steps = &steps[leaf_of[row] * width..][..columns];
                residuals.iter_mut().zip(steps).for_each(|(residual, step)| *residual -= step);
            } else {
                let of = |leaf: &usize| steps[leaf * width + row];
                residuals.iter_mut().zip(leaf_of).for_each(|(residual, leaf)| *residual -= of(leaf));
            }
        });
    }
}
