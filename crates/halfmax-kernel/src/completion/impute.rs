//! Nuclear-norm completion.

use halfmax_core::{Progress, Result};
use ndarray::{Array1, Zip};

use super::singular::Subspace;
use crate::linalg::{Matrix, product_of_rows};

/// A completed block of low rank: `left · rightᵀ`.
#[derive(Clone, Debug)]
pub(crate) struct Completed {
    /// Left singular vectors times singular values: rows × rank.
    pub left: Matrix,
    /// Right singular vectors: columns × rank.
    pub right: Matrix,
    /// The block itself: rows × columns.
    pub block: Matrix,
}

impl Completed {
    /// Zeros, of rank 0.
    pub fn zeros((rows, columns): (usize, usize)) -> Self {
        let (left, right) = (Matrix::zeros((rows, 0)), Matrix::zeros((columns, 0)));
        Self { left, right, block: Matrix::zeros((rows, columns)) }
    }
}

/// `min over M of ½ Σ w (x − M)² + λ ‖M‖_*` for one block of responses x with weights w of at most 1, and any λ.
pub(crate) struct Problem<'a> {
    /// Responses minus their effects; 0 where not observed.
    responses: &'a Matrix,
    weights: Matrix,
    subspace: Subspace,
    /// The smallest λ with solution 0: the largest singular value of `w x`.
    pub largest: f64,
}

/// When to stop, and the maximum rank.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub rank: usize,
    pub iterations: usize,
    /// Iterations stop when a step changes the block by less than this share of its norm.
    pub tolerance: f64,
}

impl<'a> Problem<'a> {
    /// `weights` are the weights of the responses, 0 where there is no response. They are divided by the largest weight.
    pub fn new(responses: &'a Matrix, weights: &Matrix, seed: u64) -> Result<Self> {
        let most = weights.iter().fold(0.0f64, |most, weight| most.max(*weight));
        let weights = weights / if most > 0.0 { most } else { 1.0 };
        let mut subspace = Subspace::new(responses.ncols(), seed);
        let largest = subspace.largest(&(responses * &weights))?;
        Ok(Self { responses, weights, subspace, largest })
    }

    /// The solution for a penalty λ, starting from the solution for another penalty.
    ///
    /// Soft-impute (Mazumder, Hastie & Tibshirani 2010): missing responses are filled in with the current solution, then
    /// singular values are lowered by λ. Steps are extrapolated (Beck & Teboulle 2009). The extrapolation restarts when
    /// it leads away from the solution (O'Donoghue & Candès 2015).
    pub fn solve(
        &mut self,
        penalty: f64,
        from: Completed,
        limits: Limits,
        progress: &dyn Progress,
    ) -> Result<Completed> {
        let mut now = from;
        let mut point = now.block.clone();
        let mut momentum = 1.0f64;
        for _ in 0..limits.iterations {
            progress.check()?;
            let next = self.step(&point, penalty, limits.rank)?;
            let moved = &next.block - &now.block;
            let length = square(&next.block).sqrt();
            let astray = Zip::from(&point)
                .and(&next.block)
                .and(&moved)
                .fold(0.0, |sum, point, next, moved| sum + (point - next) * moved);
            let done = square(&moved).sqrt() <= limits.tolerance * length;
            let following = f64::midpoint(1.0, (1.0 + 4.0 * momentum * momentum).sqrt());
            let ahead = if astray > 0.0 { 0.0 } else { (momentum - 1.0) / following };
            momentum = if astray > 0.0 { 1.0 } else { following };
            point.assign(&next.block);
            point.scaled_add(ahead, &moved);
            now = next;
            if done {
                break;
            }
        }
        Ok(now)
    }

    /// One step of soft-impute: fill, decompose, shrink.
    fn step(&mut self, point: &Matrix, penalty: f64, rank: usize) -> Result<Completed> {
        let mut filled = point.clone();
        Zip::from(&mut filled)
            .and(self.responses)
            .and(&self.weights)
            .par_for_each(|value, response, weight| *value += weight * (response - *value));
        let found = self.subspace.above(&filled, penalty, rank)?;
        let kept: Array1<f64> = found.values.mapv(|value| (value - penalty) / value);
        let left = found.scaled * &kept;
        let block = product_of_rows(left.view(), found.right.view());
        Ok(Completed { left, right: found.right, block })
    }
}

fn square(matrix: &Matrix) -> f64 {
    matrix.iter().map(|value| value * value).sum()
}
