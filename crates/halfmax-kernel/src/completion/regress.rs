//! An entity's effect and factor from its responses.

use halfmax_core::Result;
use ndarray::{Array1, ArrayView2, Axis, concatenate};

use crate::linalg::{Matrix, gram, solve};

/// One measured response of an entity: the entity of the other side, the response minus the mean and that entity's effect,
/// and its weight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub with: usize,
    pub rest: f64,
    pub weight: f64,
}

/// Bayesian linear regression of responses on a constant and the factors of the other side (Bishop 2006, section 3.3).
/// Coefficients have normal priors with mean 0. The variance of a response is the noise variance divided by its weight.
#[derive(Clone, Debug)]
pub(crate) struct Regression {
    /// Standard deviations of the priors: the effect's, then one per factor.
    scale: Array1<f64>,
    /// Entities of the other side × (1 + rank): a constant and the factors, times the priors' standard deviations.
    design: Matrix,
}

impl Regression {
    /// From the prior variances of the effect and of each factor, and the factors of the other side (entities × rank).
    pub fn new(effect: f64, priors: &Array1<f64>, factors: ArrayView2<'_, f64>) -> Self {
        let scale: Array1<f64> = [effect].iter().chain(priors).map(|variance| variance.sqrt()).collect();
        let constant = Matrix::ones((factors.nrows(), 1));
        let design = concatenate(Axis(1), &[constant.view(), factors]).unwrap_or(constant) * &scale;
        Self { scale, design }
    }

    /// The posterior means of effect and factors, in this order, for each noise variance.
    ///
    /// # Errors
    /// If the numbers are so large that the system is singular to working precision.
    pub fn coefficients(&self, measured: &[Measured], noises: &[f64]) -> Result<Vec<Array1<f64>>> {
        let with: Vec<usize> = measured.iter().map(|measured| measured.with).collect();
        let mut design = self.design.select(Axis(0), &with);
        let mut rest = Array1::zeros(measured.len());
        for ((measured, rest), mut row) in measured.iter().zip(&mut rest).zip(design.rows_mut()) {
            let root = measured.weight.sqrt();
            *rest = root * measured.rest;
            row *= root;
        }
        let right = design.t().dot(&rest);
        let mut system = gram(design.view());
        let diagonal = system.diag().to_owned();
        let solved = noises.iter().map(|noise| {
            system.diag_mut().assign(&(&diagonal + *noise));
            Ok(solve(&system, &right, "regression on the factors")? * &self.scale)
        });
        solved.collect()
    }
}
