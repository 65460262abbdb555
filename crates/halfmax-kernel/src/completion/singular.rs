//! The leading singular values and vectors of a block.

use halfmax_core::Result;
use ndarray::{Array1, Axis, concatenate, s};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::linalg::{Eigen, Matrix, eigen, orthonormal, product, product_of_columns, product_of_rows};

/// Singular values above a threshold and their vectors.
#[derive(Clone, Debug)]
pub(crate) struct Leading {
    /// The singular values, descending.
    pub values: Array1<f64>,
    /// The block times its right singular vectors: rows × values.
    pub scaled: Matrix,
    /// The right singular vectors: columns × values.
    pub right: Matrix,
}

/// Extra columns of a subspace, beyond those requested (Halko, Martinsson & Tropp 2011, section 4.2).
const OVERSAMPLING: usize = 10;
/// Subspace iterations for each decomposition; the subspace starts from the last one.
const POWERS: usize = 2;
/// A subspace with more than this share of the shorter side costs more than the full decomposition.
const NARROW: f64 = 0.25;

/// Finds leading singular triplets of blocks that change little from one to the next. Each search starts from the last subspace.
pub(crate) struct Subspace {
    /// columns × width.
    basis: Matrix,
    random: ChaCha8Rng,
}

impl Subspace {
    /// A random subspace of the space of a block's `columns`.
    pub fn new(columns: usize, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let basis = draw(columns, 2 * OVERSAMPLING, &mut random);
        Self { basis, random }
    }

    /// The singular triplets with values above `threshold`, at most `most` of them.
    ///
    /// Uses randomised subspace iteration (Halko, Martinsson & Tropp 2011, algorithm 4.4) on a subspace that grows until
    /// its smallest value is at most the threshold. If it is cheaper, uses the eigenvectors of the block's Gram matrix
    /// instead.
    pub fn above(&mut self, block: &Matrix, threshold: f64, most: usize) -> Result<Leading> {
        let side = block.nrows().min(block.ncols());
        let narrow = |width: usize| (width as f64) < NARROW * side as f64;
        while narrow(self.basis.ncols()) {
            let found = self.iterate(block, POWERS)?;
            let width = found.values.len();
            let complete = found.values.last().is_none_or(|least| *least <= threshold);
            if complete || width >= most + OVERSAMPLING {
                let kept = found.values.iter().filter(|value| **value > threshold).count();
                self.start_from(&found.right, kept + OVERSAMPLING);
                return Ok(found.first(kept.min(most)));
            }
            self.start_from(&found.right, 2 * width);
        }
        let found = whole(block, threshold, most)?;
        let width = found.values.len() + OVERSAMPLING;
        // A narrow subspace may be enough for the next block.
        if narrow(width) {
            self.start_from(&found.right, width);
        }
        Ok(found)
    }

    /// The next subspace: these vectors up to its width, and random vectors if there are too few.
    fn start_from(&mut self, vectors: &Matrix, width: usize) {
        let width = width.max(2 * OVERSAMPLING);
        let vectors = vectors.slice(s![.., ..vectors.ncols().min(width)]);
        let more = draw(vectors.nrows(), width - vectors.ncols(), &mut self.random);
        self.basis = concatenate(Axis(1), &[vectors, more.view()]).unwrap_or(more);
    }

    /// The largest singular value, to a relative precision of about 1e-10.
    pub fn largest(&mut self, block: &Matrix) -> Result<f64> {
        let mut last = 0.0;
        for _ in 0..500 {
            let found = self.iterate(block, 1)?;
            let value = found.values.first().copied().unwrap_or(0.0);
            if found.values.is_empty() || (value - last).abs() <= 1e-12 * value {
                return Ok(value);
            }
            last = value;
            self.start_from(&found.right, 2 * OVERSAMPLING);
        }
        Ok(last)
    }

    fn iterate(&self, block: &Matrix, powers: usize) -> Result<Leading> {
        let mut basis = self.basis.clone();
        for _ in 0..powers {
            let image = orthonormal(&product(block.view(), basis.view()));
            basis = orthonormal(&product_of_columns(block.view(), image.view()));
        }
        let image = product(block.view(), basis.view());
        let turn = descending(eigen(&product_of_columns(image.view(), image.view()), "subspace")?);
        Ok(Leading {
            values: turn.values.mapv(f64::sqrt),
            scaled: product(image.view(), turn.vectors.view()),
            right: product(basis.view(), turn.vectors.view()),
        })
    }
}

impl Leading {
    fn first(self, count: usize) -> Self {
        Self {
            values: self.values.slice(s![..count]).to_owned(),
            scaled: self.scaled.slice(s![.., ..count]).to_owned(),
            right: self.right.slice(s![.., ..count]).to_owned(),
        }
    }
}

/// All triplets above a threshold, from the Gram matrix of the shorter side.
fn whole(block: &Matrix, threshold: f64, most: usize) -> Result<Leading> {
    let wide = block.ncols() > block.nrows();
    let gram = if wide {
        product_of_rows(block.view(), block.view())
    } else {
        product_of_columns(block.view(), block.view())
    };
    let found = descending(eigen(&gram, "Gram matrix of the block")?);
    let values = found.values.mapv(f64::sqrt);
    let count = values.iter().take(most).take_while(|value| **value > threshold).count();
    let vectors = found.vectors.slice(s![.., ..count]);
    let values = values.slice(s![..count]).to_owned();
    if wide {
        let right = product_of_columns(block.view(), vectors) / &values;
        return Ok(Leading { scaled: &vectors * &values, right, values });
    }
    Ok(Leading { scaled: product(block.view(), vectors), right: vectors.to_owned(), values })
}

fn descending(mut found: Eigen) -> Eigen {
    found.values.invert_axis(Axis(0));
    found.vectors.invert_axis(Axis(1));
    found
}

/// Random numbers from −1 to 1.
fn draw(rows: usize, columns: usize, random: &mut impl Rng) -> Matrix {
    Matrix::from_shape_simple_fn((rows, columns), || random.random_range(-1.0..1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block with singular values 2^0, 2^-1, ... on discrete cosines.
    fn block(rows: usize, columns: usize, rank: usize) -> Matrix {
        let cosine = |n: usize, i: usize, k: usize| {
            let angle = std::f64::consts::PI / n as f64 * (i as f64 + 0.5) * (k as f64 + 1.0);
            (2.0 / n as f64).sqrt() * angle.cos()
        };
        Matrix::from_shape_fn((rows, columns), |(i, j)| {
            (0..rank).map(|k| 0.5f64.powi(k as i32) * cosine(rows, i, k) * cosine(columns, j, k)).sum()
        })
    }

    #[test]
    fn leading_triplets_are_found_whatever_the_way() -> Result<()> {
        // Exact, wide and tall; by subspace iteration; by a subspace that must grow.
        for (rows, columns, rank) in [(30, 12, 5), (12, 30, 5), (200, 150, 6), (260, 250, 40)] {
            let block = block(rows, columns, rank);
            let threshold = 0.5f64.powi(rank as i32).max(1e-7);
            let mut subspace = Subspace::new(columns, 1);
            let found = subspace.above(&block, threshold, 100)?;
            let expected = (0..rank).filter(|k| 0.5f64.powi(*k as i32) > threshold).count();
            assert_eq!(found.values.len(), expected, "{rows} x {columns}");
            for (k, value) in found.values.iter().enumerate() {
                assert!((value - 0.5f64.powi(k as i32)).abs() < 1e-8, "{rows} x {columns}: {value}");
            }
            let rebuilt = found.scaled.dot(&found.right.t());
            assert!((&rebuilt - &block).iter().all(|rest| rest.abs() < 1e-6), "{rows} x {columns}");
            assert_eq!(subspace.above(&block, threshold, 2)?.values.len(), 2);
            assert!((subspace.largest(&block)? - 1.0).abs() < 1e-9);
        }
        Ok(())
    }

    #[test]
    fn a_block_of_zeros_has_no_triplet() -> Result<()> {
        for shape in [(3, 2), (200, 200)] {
            let mut subspace = Subspace::new(shape.1, 1);
            assert_eq!(subspace.largest(&Matrix::zeros(shape))?, 0.0);
            assert!(subspace.above(&Matrix::zeros(shape), 0.1, 5)?.values.is_empty());
        }
        Ok(())
    }
}
