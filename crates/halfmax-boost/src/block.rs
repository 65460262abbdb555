//! The responses of a screen during training: residuals, weights, and this round's integer gradients.

use halfmax_core::Seed;
use rayon::prelude::*;

use crate::grow::{NodeSide, Source};
use crate::packed_sums::{Lanes, Packed, grid};
use crate::shape::{Patterns, common_leaf};

/// A loss, as a function of a residual `r = y - prediction`.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    /// `r²/2`.
    Squared,
    /// `r²/2` up to δ, `δ(|r| - δ/2)` beyond.
    Huber(f32),
    /// `τ·r` for positive, `(τ - 1)·r` for negative residuals.
    Quantile(f32),
}

impl Loss {
    /// The negative gradient with respect to the prediction.
    #[inline(always)]
    pub fn pull(self, residual: f32) -> f32 {
        match self {
            Self::Squared => residual,
            Self::Huber(delta) => residual.clamp(-delta, delta),
            Self::Quantile(tau) => {
                if residual >= 0.0 {
                    tau
                } else {
                    tau - 1.0
                }
            }
        }
    }

    /// The loss of a residual.
    pub fn value(self, residual: f32) -> f64 {
        let r = f64::from(residual);
        match self {
            Self::Squared => r * r / 2.0,
            Self::Huber(delta) => {
                let delta = f64::from(delta);
                if r.abs() <= delta { r * r / 2.0 } else { delta * (r.abs() - delta / 2.0) }
            }
            Self::Quantile(tau) => {
                let tau = f64::from(tau);
                if r >= 0.0 { tau * r } else { (tau - 1.0) * r }
            }
        }
    }
}

/// The smallest value at which the values up to it hold at least a share `at` of the weight; 0 without values.
pub fn weighted_quantile(mut values: Vec<(f32, f32)>, at: f64) -> f64 {
    values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = values.iter().map(|value| f64::from(value.1)).sum();
    let mut sum = 0.0;
    let reached = values.iter().find(|value| {
        sum += f64::from(value.1);
        sum >= at * total
    });
    reached.or(values.last()).map_or(0.0, |value| f64::from(value.0))
}

/// The powers of two by which gradients and weights were multiplied this round.
#[derive(Clone, Copy, Debug)]
pub struct Scales {
    /// For gradients.
    pub gradient: f64,
    /// For weights.
    pub weight: f64,
}

/// The responses: a dense block for two sides, or a list for any number of sides.
#[derive(Debug)]
pub enum Block {
    /// First side × second side, row-major.
    Dense(Dense),
    /// One entry per response.
    List(List),
}

/// A dense block. Side 0 holds the rows.
#[derive(Debug)]
pub struct Dense {
    rows: usize,
    columns: usize,
    /// Residuals; arbitrary where no response was observed.
    pub residual: Vec<f32>,
    /// Weights; 0 where there is no response to learn from.
    pub weight: Vec<f32>,
    packed: Vec<Packed>,
    unit_weights: bool,
}

/// A list of responses.
#[derive(Debug)]
pub struct List {
    entities: Vec<Vec<u32>>,
    counts: Vec<usize>,
    residual: Vec<f32>,
    weight: Vec<f32>,
    packed: Vec<Packed>,
    unit_weights: bool,
}

/// If a smaller share of pairs is observed, a list is faster than a dense block.
const DENSE_SHARE: f64 = 0.2;

/// The fewest rows worth a separate task.
const MIN_ROWS: usize = 64;

impl Block {
    /// Whether to hold this many responses of this many pairs as a dense block. `said` overrides the default rule.
    pub fn is_dense(sides: usize, responses: usize, pairs: usize, said: Option<bool>) -> bool {
        sides == 2 && said.unwrap_or(responses as f64 / pairs.max(1) as f64 >= DENSE_SHARE)
    }

    /// A block of responses: their entities by side (numbered below `counts` of the side), residuals and weights. A
    /// response with weight 0 takes no part in training, but its residual stays up to date.
    pub fn new(
        entities: Vec<Vec<u32>>,
        counts: Vec<usize>,
        residual: Vec<f32>,
        weight: Vec<f32>,
        dense: Option<bool>,
    ) -> Self {
        let cells: usize = counts.iter().product();
        let unit_weights = weight.iter().all(|weight| *weight == 0.0 || *weight == 1.0);
        if !Self::is_dense(counts.len(), residual.len(), cells, dense) {
            let packed = vec![Packed::default(); residual.len()];
            return Self::List(List { entities, counts, residual, weight, packed, unit_weights });
        }
        let (rows, columns) = (counts[0], counts[1]);
        let mut block = Dense {
            rows,
            columns,
            residual: vec![0.0; cells],
            weight: vec![0.0; cells],
            packed: vec![Packed::default(); cells],
            unit_weights,
        };
        for (at, (row, column)) in entities[0].iter().zip(&entities[1]).enumerate() {
            let cell = *row as usize * columns + *column as usize;
            block.residual[cell] = residual[at];
            block.weight[cell] = weight[at];
        }
        Self::Dense(block)
    }

    /// The residual of the response at position `at` of the list that the block was made from, with these entities.
    pub fn residual(&self, at: usize, entities: &[Vec<u32>]) -> f32 {
        match self {
            Self::Dense(block) => {
                block.residual[entities[0][at] as usize * block.columns + entities[1][at] as usize]
            }
            Self::List(list) => list.residual[at],
        }
    }

    /// Computes this round's integer gradients, for a sample of the responses. A response takes part only if all its
    /// entities are in this round's bag.
    pub fn draw(&mut self, loss: Loss, fraction: f64, bags: &[Vec<bool>], seed: Seed) -> Scales {
        match self {
            Self::Dense(block) => block.draw(loss, fraction, bags, seed),
            Self::List(list) => list.draw(loss, fraction, bags, seed),
        }
    }

    /// For each side, the sum over every entity's responses.
    pub fn sums(&self) -> Vec<Vec<Packed>> {
        match self {
            Self::Dense(block) => {
                let rows: Vec<u32> = (0..block.rows as u32).collect();
                let (of_rows, of_columns) =
                    rayon::join(|| block.row_sums(&rows, None), || block.column_sums(&rows));
                vec![of_rows, of_columns]
            }
            Self::List(list) => {
                (0..list.counts.len()).map(|side| list.sums(side, 0..list.residual.len())).collect()
            }
        }
    }

    /// For each leaf of a tree, a quantile of its residuals.
    pub fn leaf_quantiles(&self, patterns: &[Patterns], leaves: usize, at: f64) -> Vec<f64> {
        let mut members: Vec<Vec<(f32, f32)>> = vec![Vec::new(); leaves];
        match self {
            Self::Dense(block) => {
                let (rows, columns) = (&patterns[0], &patterns[1]);
                let leaf =
                    |row: &Vec<u64>, column: &Vec<u64>| common_leaf([row.as_slice(), column].into_iter());
                let of_pattern =
                    |row: &Vec<u64>| columns.leaves.iter().map(|column| leaf(row, column)).collect();
                let table: Vec<Vec<usize>> = rows.leaves.iter().map(of_pattern).collect();
                let cells = block.residual.chunks(block.columns).zip(block.weight.chunks(block.columns));
                for ((residuals, weights), pattern) in cells.zip(&rows.of_entity) {
                    let leaves = &table[*pattern as usize];
                    for ((residual, weight), pattern) in residuals.iter().zip(weights).zip(&columns.of_entity)
                    {
                        if *weight > 0.0 {
                            members[leaves[*pattern as usize]].push((*residual, *weight));
                        }
                    }
                }
            }
            Self::List(list) => {
                for at in (0..list.residual.len()).filter(|at| list.weight[*at] > 0.0) {
                    members[list.leaf(patterns, at)].push((list.residual[at], list.weight[at]));
                }
            }
        }
        members.into_par_iter().map(|members| weighted_quantile(members, at)).collect()
    }

    /// For each leaf of a tree, the number of responses with a weight that reach it.
    pub fn covers(&self, patterns: &[Patterns], leaves: usize) -> Vec<u32> {
        match self {
            Self::Dense(block) => block.covers(&patterns[0], &patterns[1], leaves),
            Self::List(list) => list.covers(patterns, leaves),
        }
    }

    /// Subtracts a tree's leaf values from the residuals. `value(leaf, column)` is the value of a leaf for an entity of the last side.
    pub fn subtract(&mut self, patterns: &[Patterns], value: impl Fn(usize, usize) -> f32 + Sync) {
        match self {
            Self::Dense(block) => block.subtract(&patterns[0], &patterns[1], value),
            Self::List(list) => list.subtract(patterns, value),
        }
    }
}

/// Samples responses: keeps a response if its random number is below the share to keep.
#[derive(Clone, Copy)]
struct Sampler {
    seed: u32,
    keep_up_to: u32,
}

impl Sampler {
    fn new(fraction: f64, seed: Seed) -> Self {
        let keep_up_to = (fraction * (f64::from(u32::MAX) + 1.0)).round() as u64;
        Self { seed: seed.value() as u32, keep_up_to: keep_up_to.saturating_sub(1) as u32 }
    }

    /// All bits set for a kept response, no bits for the others.
    #[inline(always)]
    fn mask(self, at: u32) -> i64 {
        // A Weyl sequence through the finaliser of MurmurHash3 (Appleby 2011).
        let mut number = at.wrapping_mul(0x9E37_79B9) ^ self.seed;
        number = (number ^ (number >> 16)).wrapping_mul(0x85EB_CA6B);
        number = (number ^ (number >> 13)).wrapping_mul(0xC2B2_AE35);
        number ^= number >> 16;
        -i64::from(number <= self.keep_up_to)
    }
}

/// Sums of the gradients' magnitudes and of the weights, in eight interleaved parts.
#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma+bmi1+bmi2+lzcnt+popcnt",
    "x86_64+avx2+fma+bmi1+bmi2+lzcnt+popcnt"
))]
fn magnitude(loss: Loss, residuals: &[f32], weights: &[f32]) -> (f32, f32) {
    let mut sums = ([0.0f32; 8], [0.0f32; 8]);
    for (residuals, weights) in residuals.chunks(8).zip(weights.chunks(8)) {
        for (lane, (residual, weight)) in residuals.iter().zip(weights).enumerate() {
            sums.0[lane] += (loss.pull(*residual) * weight).abs();
            sums.1[lane] += weight;
        }
    }
    (sums.0.iter().sum(), sums.1.iter().sum())
}

#[inline(always)]
fn pack(loss: Loss, residual: f32, weight: f32, scales: Scales) -> Packed {
    let gradient = (loss.pull(residual) * weight * scales.gradient as f32).round_ties_even();
    Packed::new(gradient as i32, (weight * scales.weight as f32).round_ties_even() as u32)
}

#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma+bmi1+bmi2+lzcnt+popcnt",
    "x86_64+avx2+fma+bmi1+bmi2+lzcnt+popcnt"
))]
fn pack_row(
    loss: Loss,
    scales: Scales,
    sampler: Sampler,
    (residuals, weights): (&[f32], &[f32]),
    packed: &mut [Packed],
) {
    for (at, (packed, (residual, weight))) in (0..).zip(packed.iter_mut().zip(residuals.iter().zip(weights)))
    {
        packed.0 = pack(loss, *residual, *weight, scales).0 & sampler.mask(at);
    }
}

#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma+bmi1+bmi2+lzcnt+popcnt",
    "x86_64+avx2+fma+bmi1+bmi2+lzcnt+popcnt"
))]
fn sum_masked(packed: &[Packed], mask: &[i64]) -> i64 {
    packed.iter().zip(mask).map(|(packed, mask)| packed.0 & mask).sum()
}

#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma+bmi1+bmi2+lzcnt+popcnt",
    "x86_64+avx2+fma+bmi1+bmi2+lzcnt+popcnt"
))]
fn add_row(sums: &mut [Packed], packed: &[Packed]) {
    sums.iter_mut().zip(packed).for_each(|(sum, packed)| sum.add(*packed));
}

/// Adds 1 to the count of each column that has a weight.
#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma+bmi1+bmi2+lzcnt+popcnt",
    "x86_64+avx2+fma+bmi1+bmi2+lzcnt+popcnt"
))]
fn count_present(weights: &[f32], counts: &mut [u32]) {
    counts.iter_mut().zip(weights).for_each(|(count, weight)| *count += u32::from(*weight > 0.0));
}

fn scales_for(magnitude: f64, weights: f64, unit_weights: bool) -> Scales {
    Scales { gradient: grid(magnitude), weight: if unit_weights { 1.0 } else { grid(weights) } }
}

impl Dense {
    fn draw(&mut self, loss: Loss, fraction: f64, bags: &[Vec<bool>], seed: Seed) -> Scales {
        let columns = self.columns;
        let rows = self.residual.par_chunks(columns).zip(self.weight.par_chunks(columns));
        let magnitudes: Vec<(f32, f32)> = rows
            .with_min_len(MIN_ROWS)
            .map(|(residuals, weights)| magnitude(loss, residuals, weights))
            .collect();
        let total =
            |which: fn(&(f32, f32)) -> f32| magnitudes.iter().map(|m| f64::from(which(m))).sum::<f64>();
        let scales = scales_for(total(|m| m.0), total(|m| m.1), self.unit_weights);
        let column_bag: Option<&[bool]> = bags[1].contains(&false).then_some(&bags[1]);
        let (residual, weight) = (&self.residual, &self.weight);
        let rows = self.packed.par_chunks_mut(columns).enumerate().with_min_len(MIN_ROWS);
        rows.for_each(|(row, packed)| {
            let range = row * columns..(row + 1) * columns;
            if !bags[0][row] {
                packed.fill(Packed::default());
                return;
            }
            let sampler = Sampler::new(fraction, seed.derive(row as u64));
            pack_row(loss, scales, sampler, (&residual[range.clone()], &weight[range]), packed);
            if let Some(bag) = column_bag {
                packed.iter_mut().zip(bag).for_each(|(packed, kept)| packed.0 &= -i64::from(*kept));
            }
        });
        scales
    }

    /// The sum of each of these rows, over all columns or the listed columns.
    pub fn row_sums(&self, rows: &[u32], columns: Option<&[u32]>) -> Vec<Packed> {
        let row_of = |row: u32| &self.packed[row as usize * self.columns..(row as usize + 1) * self.columns];
        match columns {
            Some(columns) if columns.len() * 4 < self.columns => rows
                .iter()
                .map(|row| {
                    let packed = row_of(*row);
                    Packed(columns.iter().fold(0, |sum, column| sum + packed[*column as usize].0))
                })
                .collect(),
            Some(columns) => {
                let mut mask = vec![0i64; self.columns];
                columns.iter().for_each(|column| mask[*column as usize] = -1);
                rows.iter().map(|row| Packed(sum_masked(row_of(*row), &mask))).collect()
            }
            None => rows.iter().map(|row| Packed(row_of(*row).iter().map(|packed| packed.0).sum())).collect(),
        }
    }

    /// The sum of every column over these rows.
    pub fn column_sums(&self, rows: &[u32]) -> Vec<Packed> {
        let mut sums = vec![Packed::default(); self.columns];
        for row in rows {
            let from = *row as usize * self.columns;
            add_row(&mut sums, &self.packed[from..from + self.columns]);
        }
        sums
    }

    fn subtract(&mut self, rows: &Patterns, columns: &Patterns, value: impl Fn(usize, usize) -> f32 + Sync) {
        // Rows that reach the same leaves change by the same values.
        let deltas: Vec<Vec<f32>> = rows
            .leaves
            .par_iter()
            .map(|reach| {
                let leaf = |pattern: &Vec<u64>| common_leaf([reach.as_slice(), pattern].into_iter());
                let leaves: Vec<usize> = columns.leaves.iter().map(leaf).collect();
                let of = |(column, pattern): (usize, &u32)| value(leaves[*pattern as usize], column);
                columns.of_entity.iter().enumerate().map(of).collect()
            })
            .collect();
        let residuals =
            self.residual.par_chunks_mut(self.columns).zip(&rows.of_entity).with_min_len(MIN_ROWS);
        residuals.for_each(|(residuals, pattern)| {
            let delta = &deltas[*pattern as usize];
            residuals.iter_mut().zip(delta).for_each(|(residual, delta)| *residual -= delta);
        });
    }

    fn covers(&self, rows: &Patterns, columns: &Patterns, leaves: usize) -> Vec<u32> {
        // Rows that reach the same leaves are counted together, column by column.
        let mut counts = vec![0u32; rows.leaves.len() * self.columns];
        for (weights, pattern) in self.weight.chunks(self.columns).zip(&rows.of_entity) {
            count_present(weights, &mut counts[*pattern as usize * self.columns..][..self.columns]);
        }
        let mut covers = vec![0; leaves];
        for (reach, counts) in rows.leaves.iter().zip(counts.chunks(self.columns)) {
            let leaf = |pattern: &Vec<u64>| common_leaf([reach.as_slice(), pattern].into_iter());
            let leaf_of: Vec<usize> = columns.leaves.iter().map(leaf).collect();
            for (count, pattern) in counts.iter().zip(&columns.of_entity) {
                covers[leaf_of[*pattern as usize]] += count;
            }
        }
        covers
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }
}

impl List {
    fn draw(&mut self, loss: Loss, fraction: f64, bags: &[Vec<bool>], seed: Seed) -> Scales {
        let (mut magnitude, mut weights) = (0.0, 0.0);
        for (residual, weight) in self.residual.iter().zip(&self.weight) {
            magnitude += f64::from((loss.pull(*residual) * weight).abs());
            weights += f64::from(*weight);
        }
        let scales = scales_for(magnitude, weights, self.unit_weights);
        let sampler = Sampler::new(fraction, seed);
        for (at, packed) in self.packed.iter_mut().enumerate() {
            let bagged = self.entities.iter().zip(bags).all(|(side, bag)| bag[side[at] as usize]);
            let value = pack(loss, self.residual[at], self.weight[at], scales);
            packed.0 = if bagged { value.0 & sampler.mask(at as u32) } else { 0 };
        }
        scales
    }

    /// For every entity of a side, the sum over its responses in `rows`.
    pub fn sums(&self, side: usize, rows: impl Iterator<Item = usize>) -> Vec<Packed> {
        let mut sums = vec![Packed::default(); self.counts[side]];
        for row in rows {
            sums[self.entities[side][row] as usize].add(self.packed[row]);
        }
        sums
    }

    /// Positions of the responses with a weight this round.
    pub fn active(&self) -> Vec<u32> {
        (0..self.packed.len() as u32).filter(|row| self.packed[*row as usize].0 != 0).collect()
    }

    fn covers(&self, patterns: &[Patterns], leaves: usize) -> Vec<u32> {
        let mut covers = vec![0; leaves];
        for at in (0..self.weight.len()).filter(|at| self.weight[*at] > 0.0) {
            covers[self.leaf(patterns, at)] += 1;
        }
        covers
    }

    fn subtract(&mut self, patterns: &[Patterns], value: impl Fn(usize, usize) -> f32 + Sync) {
        // Taken out for now: computing a step borrows the rest of the list.
        let mut residuals = std::mem::take(&mut self.residual);
        let column = |at: usize| self.entities.last().map_or(0, |side| side[at] as usize);
        let step = |at: usize| value(self.leaf(patterns, at), column(at));
        residuals.par_iter_mut().enumerate().for_each(|(at, residual)| *residual -= step(at));
        self.residual = residuals;
    }

    /// The leaf that a response reaches.
    fn leaf(&self, patterns: &[Patterns], at: usize) -> usize {
        common_leaf(patterns.iter().zip(&self.entities).map(|(patterns, side)| {
            patterns.leaves[patterns.of_entity[side[at] as usize] as usize].as_slice()
        }))
    }
}

impl Source<Packed> for Block {
    fn sums(&self, sides: &[NodeSide<Packed>], rows: &[u32], side: usize) -> Vec<Packed> {
        match self {
            Self::Dense(block) if side == 0 => block.row_sums(&sides[0].entities, Some(&sides[1].entities)),
            Self::Dense(block) => {
                let sums = block.column_sums(&sides[0].entities);
                sides[1].entities.iter().map(|column| sums[*column as usize]).collect()
            }
            Self::List(list) => {
                let sums = list.sums(side, rows.iter().map(|row| *row as usize));
                sides[side].entities.iter().map(|entity| sums[*entity as usize]).collect()
            }
        }
    }

    fn part(&self, rows: &[u32], side: usize, goes_left: &[bool]) -> (Vec<u32>, Vec<u32>) {
        match self {
            Self::Dense(_) => (Vec::new(), Vec::new()),
            Self::List(list) => {
                rows.iter().partition(|row| goes_left[list.entities[side][**row as usize] as usize])
            }
        }
    }
}

/// The source for trees that split on one side only. A split changes no other sums.
pub struct OneSide;

impl<L> Source<L> for OneSide {
    fn sums(&self, _sides: &[NodeSide<L>], _rows: &[u32], _side: usize) -> Vec<L> {
        Vec::new()
    }

    fn part(&self, _rows: &[u32], _side: usize, _goes_left: &[bool]) -> (Vec<u32>, Vec<u32>) {
        (Vec::new(), Vec::new())
    }
}
