//! Dense products and decompositions whose results do not depend on the number of threads. Every product is cut into panels
//! of a fixed size, and one thread computes each panel.

use std::borrow::Cow;

use faer::linalg::matmul::matmul;
use faer::traits::RealField;
use faer::{Accum, MatMut, MatRef, Par, Side};
use halfmax_core::{Error, Result};
use ndarray::{Array1, Array2, ArrayView2, CowArray, Ix2};
use rayon::prelude::*;

/// A matrix in row-major order.
pub type Matrix = Array2<f64>;

/// Number of rows of a product that one thread computes at a time.
const PANEL: usize = 96;

/// The element type of a matrix: f32 or f64.
pub trait Number: RealField + Copy + Default + Send + Sync {}

impl Number for f32 {}
impl Number for f64 {}

/// The numbers of a matrix in row-major order.
fn flat<'a, T: Number>(matrix: &'a CowArray<'_, T, Ix2>) -> &'a [T] {
    matrix.as_slice().unwrap_or_default()
}

/// Computes a product panel by panel. `fill(out, first)` computes `PANEL` rows, starting at row `first`. Rows past the end
/// count as zeros. Each number is therefore computed in the same steps whatever the number of rows.
fn panels<T: Number>(
    rows: usize,
    columns: usize,
    inner: usize,
    fill: impl Fn(MatMut<'_, T>, usize) + Sync,
) -> Array2<T> {
    let mut out = Array2::from_elem((rows, columns), T::default());
    if rows == 0 || columns == 0 || inner == 0 {
        return out;
    }
    let all = out.as_slice_mut().unwrap_or_default();
    all.par_chunks_mut(PANEL * columns).enumerate().for_each(|(at, chunk)| {
        if chunk.len() == PANEL * columns {
            return fill(MatMut::from_row_major_slice_mut(chunk, PANEL, columns), at * PANEL);
        }
        let mut whole = vec![T::default(); PANEL * columns];
        fill(MatMut::from_row_major_slice_mut(&mut whole, PANEL, columns), at * PANEL);
        chunk.copy_from_slice(&whole[..chunk.len()]);
    });
    out
}

/// `PANEL` rows of a matrix, starting at `first`, with zeros past its end.
fn rows_from<T: Number>(all: &[T], columns: usize, first: usize) -> Cow<'_, [T]> {
    let rest = &all[first * columns..];
    match rest.get(..PANEL * columns) {
        Some(panel) => Cow::Borrowed(panel),
        None => {
            let mut padded = rest.to_vec();
            padded.resize(PANEL * columns, T::default());
            Cow::Owned(padded)
        }
    }
}

/// `a · b`.
pub fn product<T: Number>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<T> {
    let (left, right) = (a.as_standard_layout(), b.as_standard_layout());
    let (left, right) = (flat(&left), flat(&right));
    panels(a.nrows(), b.ncols(), a.ncols(), |out, first| {
        let rows = rows_from(left, a.ncols(), first);
        let rows = MatRef::from_row_major_slice(&rows, PANEL, a.ncols());
        let right = MatRef::from_row_major_slice(right, b.nrows(), b.ncols());
        matmul(out, Accum::Replace, rows, right, T::one_impl(), Par::Seq);
    })
}

/// `a · bᵀ`: products of the rows of `a` with the rows of `b`.
pub fn product_of_rows<T: Number>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<T> {
    let (left, right) = (a.as_standard_layout(), b.as_standard_layout());
    let (left, right) = (flat(&left), flat(&right));
    panels(a.nrows(), b.nrows(), a.ncols(), |out, first| {
        let rows = rows_from(left, a.ncols(), first);
        let rows = MatRef::from_row_major_slice(&rows, PANEL, a.ncols());
        let right = MatRef::from_row_major_slice(right, b.nrows(), b.ncols());
        matmul(out, Accum::Replace, rows, right.transpose(), T::one_impl(), Par::Seq);
    })
}

/// `aᵀ · b`: products of the columns of `a` with the columns of `b`.
pub fn product_of_columns<T: Number>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<T> {
    product(a.t(), b)
}

/// Eigenvalues, ascending, and eigenvectors (columns) of a symmetric matrix.
#[derive(Clone, Debug)]
pub struct Eigen {
    /// The eigenvalues. Values that are negative from rounding are set to 0.
    pub values: Array1<f64>,
    /// The eigenvectors, one per column.
    pub vectors: Matrix,
}

/// Decomposes a symmetric positive semi-definite matrix.
///
/// # Errors
/// If it holds a value that is not finite, or the iteration does not converge.
pub fn eigen(matrix: &Matrix, what: &str) -> Result<Eigen> {
    let n = matrix.nrows();
    if n == 0 {
        return Ok(Eigen { values: Array1::zeros(0), vectors: Matrix::zeros((0, 0)) });
    }
    if let Some(((row, column), value)) = matrix.indexed_iter().find(|(_, value)| !value.is_finite()) {
        return Err(Error::failed(format!("the {what} holds {value} at ({row}, {column})"))
            .with_help("look for huge values among the features, or standardise them"));
    }
    let whole = matrix.as_standard_layout();
    let view = MatRef::from_row_major_slice(flat(&whole), n, n);
    let found = view
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| Error::failed(format!("the eigenvalues of the {what} do not converge")))?;
    let (values, vectors) = (found.S().column_vector(), found.U());
    Ok(Eigen {
        values: Array1::from_shape_fn(n, |at| values[at].max(0.0)),
        vectors: Matrix::from_shape_fn((n, n), |(row, column)| vectors[(row, column)]),
    })
}

/// The inverse of a symmetric positive definite matrix.
///
/// # Errors
/// If it is singular to working precision.
pub fn inverse(matrix: &Matrix, what: &str) -> Result<Matrix> {
    use faer::linalg::solvers::DenseSolveCore;
    let n = matrix.nrows();
    let whole = matrix.as_standard_layout();
    let view = MatRef::from_row_major_slice(flat(&whole), n, n);
    let factor = view.llt(Side::Lower).map_err(|_| {
        Error::failed(format!("the {what} is singular to working precision"))
            .with_help("leave out duplicate features")
    })?;
    let inverse = factor.inverse();
    Ok(Matrix::from_shape_fn((n, n), |(row, column)| inverse[(row, column)]))
}

/// An orthonormal basis of a space that contains the columns of a matrix, by Householder reflections. It has as many vectors
/// as the matrix has columns, or rows if these are fewer.
pub fn orthonormal(matrix: &Matrix) -> Matrix {
    let (rows, columns) = matrix.dim();
    let whole = matrix.as_standard_layout();
    let basis = MatRef::from_row_major_slice(flat(&whole), rows, columns).qr().compute_thin_Q();
    Matrix::from_shape_fn((rows, columns.min(rows)), |(row, column)| basis[(row, column)])
}

/// `aᵀ · a`, computed by the calling thread alone: for many small matrices, each with its own thread.
pub fn gram(a: ArrayView2<'_, f64>) -> Matrix {
    let n = a.ncols();
    let mut out = Matrix::zeros((n, n));
    let whole = a.as_standard_layout();
    let view = MatRef::from_row_major_slice(flat(&whole), a.nrows(), n);
    let all = out.as_slice_mut().unwrap_or_default();
    let all = MatMut::from_row_major_slice_mut(all, n, n);
    matmul(all, Accum::Replace, view.transpose(), view, 1.0, Par::Seq);
    out
}

/// The solution x of `matrix · x = right` for a symmetric positive definite matrix, computed by the calling thread alone.
///
/// # Errors
/// If the matrix is singular to working precision.
pub fn solve(matrix: &Matrix, right: &Array1<f64>, what: &str) -> Result<Array1<f64>> {
    use faer::linalg::solvers::Solve;
    let n = matrix.nrows();
    let whole = matrix.as_standard_layout();
    let view = MatRef::from_row_major_slice(flat(&whole), n, n);
    let factor = view.llt(Side::Lower).map_err(|_| {
        Error::failed(format!("the {what} is singular to working precision"))
            .with_help("look for huge values among the responses")
    })?;
    let right = right.as_standard_layout();
    let solution = factor.solve(MatRef::from_column_major_slice(right.as_slice().unwrap_or_default(), n, 1));
    Ok(Array1::from_shape_fn(n, |at| solution[(at, 0)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn products_are_those_of_ndarray() {
        let a = Matrix::from_shape_fn((200, 7), |(i, j)| ((i * 7 + j * 3) % 11) as f64);
        let b = Matrix::from_shape_fn((7, 5), |(i, j)| ((i * 5 + j) % 4) as f64);
        assert_eq!(product(a.view(), b.view()), a.dot(&b));
        assert_eq!(product_of_rows(a.view(), a.view()), a.dot(&a.t()));
        assert_eq!(product_of_columns(a.view(), a.view()), a.t().dot(&a));
        assert_eq!(gram(a.view()), a.t().dot(&a));
    }

    #[test]
    fn eigenvectors_rebuild_their_matrix() -> Result<()> {
        let matrix = array![[2.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 1.0]];
        let found = eigen(&matrix, "test")?;
        let rebuilt = found.vectors.dot(&Matrix::from_diag(&found.values)).dot(&found.vectors.t());
        assert!((&rebuilt - &matrix).iter().all(|difference| difference.abs() < 1e-12));
        let identity = inverse(&matrix, "test")?.dot(&matrix);
        assert!((identity - Matrix::eye(3)).iter().all(|difference| difference.abs() < 1e-12));
        let solved = matrix.dot(&solve(&matrix, &array![1.0, -2.0, 0.5], "test")?);
        assert!((solved - array![1.0, -2.0, 0.5]).iter().all(|difference| difference.abs() < 1e-12));
        Ok(())
    }

    #[test]
    fn a_matrix_that_is_not_finite_is_refused_with_its_place() {
        let error = eigen(&array![[1.0, f64::NAN], [0.0, 1.0]], "kernel").err().map(|e| e.to_string());
        assert_eq!(error.as_deref(), Some("the kernel holds NaN at (0, 1)"));
        assert!(inverse(&array![[1.0, 1.0], [1.0, 1.0]], "covariance").is_err());
    }
}
