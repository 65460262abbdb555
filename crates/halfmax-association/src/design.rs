//! The covariates and responses of one partner, with the covariates projected out.

use std::ops::Range;

/// The part of a linear model that does not depend on the tested feature, for one partner: which cell lines it uses, their
/// weights, an orthonormal basis of the covariates, and the responses with the covariates projected out.
#[derive(Clone, Debug)]
pub(crate) struct Design {
    /// The cell lines, stratum by stratum.
    pub rows: Vec<usize>,
    /// The weight of each row.
    pub weights: Vec<f64>,
    /// The rows of each stratum.
    pub strata: Vec<Range<usize>>,
    /// The summed weight of each stratum.
    pub sizes: Vec<f64>,
    /// Columns that span the covariates beyond the strata: orthonormal by weight, with a mean of 0 in every stratum.
    pub basis: Vec<Vec<f64>>,
    /// The responses without the covariates' part.
    pub residuals: Vec<f64>,
    /// Their sum of squares by weight.
    pub square: f64,
    /// The same about the mean, before the covariates.
    pub total: f64,
}

/// A column whose norm falls below this share of its own is a combination of earlier columns.
const DEPENDENT: f64 = 1e-6;

impl Design {
    /// `rows` has the measured cell lines, `strata` and `columns` the covariates of all cell lines, `weight` and `response` the
    /// response of a row.
    pub fn new(
        mut rows: Vec<usize>,
        strata: &[usize],
        columns: &[&[f64]],
        weight: impl Fn(usize) -> f64,
        response: impl Fn(usize) -> f64,
    ) -> Self {
        rows.sort_by_key(|row| strata[*row]);
        let weights: Vec<f64> = rows.iter().map(|row| weight(*row)).collect();
        let mut ranges = Vec::new();
        let mut first = 0;
        for same in rows.chunk_by(|a, b| strata[*a] == strata[*b]) {
            ranges.push(first..first + same.len());
            first += same.len();
        }
        let sizes = ranges.iter().map(|range| weights[range.clone()].iter().sum()).collect();
        let whole: f64 = weights.iter().sum();
        let mut design = Self {
            rows,
            weights,
            strata: ranges,
            sizes,
            basis: Vec::new(),
            residuals: Vec::new(),
            square: 0.0,
            total: 0.0,
        };
        for column in columns {
            let mut own: Vec<f64> = design.rows.iter().map(|row| column[*row]).collect();
            let mean = dot(&design.weights, &own) / whole;
            own.iter_mut().for_each(|value| *value -= mean);
            design.extend(own);
        }
        design.set_responses(response);
        design
    }

    /// Sets other responses of the same cell lines.
    pub fn set_responses(&mut self, response: impl Fn(usize) -> f64) {
        let mut residuals: Vec<f64> = self.rows.iter().map(|row| response(*row)).collect();
        let mean = dot(&self.weights, &residuals) / self.weights.iter().sum::<f64>();
        self.total = self.weights.iter().zip(&residuals).map(|(w, y)| w * (y - mean).powi(2)).sum();
        self.project(&mut residuals);
        self.square = self.norm(&residuals);
        self.residuals = residuals;
    }

    /// Adds a column to the basis unless the earlier columns determine it. Returns whether it was added.
    pub fn extend(&mut self, mut column: Vec<f64>) -> bool {
        let before = self.norm(&column);
        // Twice: the first pass leaves rounding errors if the column nearly depends on the others.
        self.project(&mut column);
        self.project(&mut column);
        let after = self.norm(&column);
        if after <= before * DEPENDENT * DEPENDENT || after <= 0.0 {
            return false;
        }
        let factor = 1.0 / after.sqrt();
        column.iter_mut().for_each(|value| *value *= factor);
        self.basis.push(column);
        true
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The degrees of freedom of the residuals of a model with one feature; 0 or less: nothing can be tested.
    pub fn df(&self) -> i64 {
        self.len() as i64 - self.strata.len() as i64 - self.basis.len() as i64 - 1
    }

    /// Whether the covariates explain every response.
    pub fn is_explained(&self) -> bool {
        self.square <= self.total * 1e-20 || self.square <= 0.0
    }

    /// Subtracts the part of a column that the covariates explain.
    pub fn project(&self, column: &mut [f64]) {
        self.centre(column);
        for basis in &self.basis {
            let along: f64 =
                basis.iter().zip(&*column).zip(&self.weights).map(|((b, value), w)| b * value * w).sum();
            column.iter_mut().zip(basis).for_each(|(value, b)| *value -= along * b);
        }
    }

    /// Subtracts the mean of each stratum.
    fn centre(&self, column: &mut [f64]) {
        for (range, size) in self.strata.iter().zip(&self.sizes) {
            let mean = dot(&self.weights[range.clone()], &column[range.clone()]) / size;
            column[range.clone()].iter_mut().for_each(|value| *value -= mean);
        }
    }

    /// The sum of squares of a column by weight.
    pub fn norm(&self, column: &[f64]) -> f64 {
        column.iter().zip(&self.weights).map(|(value, weight)| weight * value * value).sum()
    }

    /// The product of two columns by weight.
    pub fn product(&self, a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).zip(&self.weights).map(|((a, b), weight)| a * b * weight).sum()
    }

    /// The leverage of each row in the model of the covariates alone.
    pub fn leverages(&self) -> Vec<f64> {
        let mut leverages = self.weights.clone();
        for (range, size) in self.strata.iter().zip(&self.sizes) {
            leverages[range.clone()].iter_mut().for_each(|value| *value /= size);
        }
        for basis in &self.basis {
            for ((value, b), weight) in leverages.iter_mut().zip(basis).zip(&self.weights) {
                *value += weight * b * b;
            }
        }
        leverages
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
