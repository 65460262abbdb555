//! Kernels between entities, computed from their features.

use std::ops::Range;

use halfmax_core::{CellKind, Domain, EntityTable, Error, FeatureSpace, Result};
use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::linalg::{Matrix, product_of_rows};
use crate::params::{KernelFactor, KernelKind, KernelTerm};

/// The features of one side's training entities and the kernels over them.
#[derive(Clone, Debug, PartialEq)]
pub struct SideKernel {
    /// The features in use, block by block.
    pub space: FeatureSpace,
    /// The training values of the features, entities × features. Categories are positions of levels; NaN where missing.
    pub values: Array2<f32>,
    /// The terms of the kernel.
    pub terms: Vec<FittedTerm>,
}

/// One term of a side's kernel: a weighted product of kernels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedTerm {
    /// The kernels that are multiplied.
    pub factors: Vec<FittedFactor>,
    /// The weight of the term. The weights of a side add up to 1.
    pub weight: f64,
}

/// A kernel on one block of features, scaled so that its mean over the training entities' diagonal is 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedFactor {
    /// The kind of its feature block.
    pub features: String,
    /// The kernel.
    pub kernel: KernelKind,
    /// The divisor of a dot product (linear) or squared distance (RBF).
    pub scale: f64,
    /// Whether features are divided by their standard deviation first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standardise: bool,
    /// The positions of its features.
    pub range: Range<usize>,
}

/// Similarities without their scale: dot products for linear kernels, squared distances for RBF, similarities for the other kernels.
struct Raw {
    between: Matrix,
    own: Array1<f64>,
}

impl Raw {
    /// Replaces every dot product by a function of the dot product and both squared norms.
    fn combine(&mut self, others: &Array1<f64>, of: impl Fn(f64, f64, f64) -> f64) {
        for (mut row, own) in self.between.axis_iter_mut(Axis(0)).zip(&self.own) {
            row.iter_mut().zip(others).for_each(|(value, other)| *value = of(*value, *own, *other));
        }
    }
}

fn dots(a: &Array2<f32>, b: &Array2<f32>) -> Matrix {
    product_of_rows(a.view(), b.view()).mapv(f64::from)
}

/// The squared norm of every row.
fn squares(matrix: &Array2<f32>) -> Array1<f64> {
    let square = |row: ndarray::ArrayView1<f32>| row.iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
    matrix.axis_iter(Axis(0)).map(square).collect()
}

impl SideKernel {
    /// Gathers the features of `whole` that `terms` name, for the entities `rows` of a table. Without terms, uses the
    /// kernels that suit the features: see [`crate::KernelParams`].
    pub fn new(
        whole: &FeatureSpace,
        table: &EntityTable,
        rows: &[u32],
        terms: &[KernelTerm],
        of_cells: bool,
    ) -> Result<Self> {
        let automatic;
        let terms = if terms.is_empty() {
            automatic = suitable(whole, of_cells);
            &automatic
        } else {
            terms
        };
        let mut space = FeatureSpace::default();
        let mut fitted = Vec::new();
        for term in terms {
            let mut factors = Vec::new();
            for factor in term.factors() {
                let range = place(&mut space, whole, table, &factor.features)?;
                check_kernel(&factor, &space.features[range.start].domain)?;
                let KernelFactor { features, kernel, lengthscale, standardise } = factor;
                factors.push(FittedFactor { features, kernel, scale: lengthscale, standardise, range });
            }
            fitted.push(FittedTerm { factors, weight: term.weight });
        }
        let values = gather(&space, table, rows)?;
        Ok(Self { space, values, terms: fitted })
    }

    /// Whether every term has features, a scale and a weight. A damaged file may lack them.
    pub fn is_possible(&self) -> bool {
        let possible = |factor: &FittedFactor| {
            let fits = factor.range.end <= self.space.len() && factor.range.start < factor.range.end;
            fits && factor.scale > 0.0
        };
        let all = |term: &FittedTerm| term.factors.iter().all(possible);
        self.terms.iter().all(|term| term.weight > 0.0 && !term.factors.is_empty() && all(term))
    }

    /// Number of training entities.
    pub fn len(&self) -> usize {
        self.values.nrows()
    }

    /// The training kernel of every term, after scaling it. Terms whose features do not vary are removed, and the weights
    /// of the others are rescaled to add up to 1.
    pub fn scale_terms(&mut self) -> Vec<Matrix> {
        let mut kernels = Vec::new();
        let mut kept = Vec::new();
        for mut term in std::mem::take(&mut self.terms) {
            let factors: Option<Vec<Matrix>> =
                term.factors.iter_mut().map(|factor| self.scale_factor(factor)).collect();
            if let Some(kernel) = factors.and_then(|factors| factors.into_iter().reduce(|a, b| a * b))
                && term.weight > 0.0
            {
                kernels.push(kernel);
                kept.push(term);
            }
        }
        let total: f64 = kept.iter().map(|term| term.weight).sum();
        kept.iter_mut().for_each(|term| term.weight /= total);
        self.terms = kept;
        kernels
    }

    /// Scales a kernel. Returns the kernel between the training entities, or `None` if its features do not vary.
    fn scale_factor(&self, factor: &mut FittedFactor) -> Option<Matrix> {
        let raw = self.raw(factor, self.values.view());
        let scale = match factor.kernel {
            KernelKind::Linear => raw.own.mean().unwrap_or(0.0),
            KernelKind::Rbf => 2.0 * factor.scale * factor.scale * median_off_diagonal(&raw.between),
            KernelKind::Tanimoto | KernelKind::Match => 1.0,
        };
        factor.scale = scale;
        (scale > 0.0).then(|| finished_training(factor, raw.between))
    }

    /// The kernel between the training entities, after its terms are scaled.
    pub fn training(&self) -> Matrix {
        let of =
            |factor: &FittedFactor| finished_training(factor, self.raw(factor, self.values.view()).between);
        self.sum(self.len(), of)
    }

    /// The kernel of entities of a table with themselves.
    pub fn own(&self, table: &EntityTable, entities: &[u32]) -> Result<Array1<f64>> {
        let values = self.gather(table, entities)?;
        let mut sum = Array1::zeros(entities.len());
        for term in &self.terms {
            let mut product = Array1::from_elem(entities.len(), term.weight);
            for factor in term.factors.iter().filter(|factor| factor.kernel == KernelKind::Linear) {
                product *= &(squares(&self.centred(factor, values.view())) / factor.scale);
            }
            sum += &product;
        }
        Ok(sum)
    }

    /// The kernel between entities of a table (rows) and the training entities (columns).
    pub fn between(&self, table: &EntityTable, entities: &[u32]) -> Result<Matrix> {
        let values = self.gather(table, entities)?;
        let of = |factor: &FittedFactor| finished(factor, self.raw(factor, values.view()).between);
        Ok(self.sum(entities.len(), of))
    }

    /// As [`SideKernel::between`], but each term separately and without its weight.
    pub fn between_terms(&self, table: &EntityTable, entities: &[u32]) -> Result<Vec<Matrix>> {
        let values = self.gather(table, entities)?;
        let empty = || Matrix::zeros((entities.len(), self.len()));
        let of = |factor: &FittedFactor| finished(factor, self.raw(factor, values.view()).between);
        let one = |term: &FittedTerm| term.factors.iter().map(of).reduce(|a, b| a * b).unwrap_or_else(empty);
        Ok(self.terms.iter().map(one).collect())
    }

    /// The weighted sum over terms of the products of their kernels.
    fn sum(&self, rows: usize, of: impl Fn(&FittedFactor) -> Matrix) -> Matrix {
        let mut sum = Matrix::zeros((rows, self.len()));
        for term in &self.terms {
            if let Some(kernel) = term.factors.iter().map(&of).reduce(|a, b| a * b) {
                sum.scaled_add(term.weight, &kernel);
            }
        }
        sum
    }

    /// The means of a kernel's features over the training entities. They replace missing values, and linear kernels subtract them.
    pub fn centre(&self, factor: &FittedFactor) -> Array1<f32> {
        let own = self.values.slice(s![.., factor.range.clone()]);
        own.axis_iter(Axis(1))
            .map(|column| {
                let (sum, count) = column
                    .iter()
                    .filter(|value| !value.is_nan())
                    .fold((0.0f64, 0usize), |(sum, count), value| (sum + f64::from(*value), count + 1));
                if count > 0 { (sum / count as f64) as f32 } else { 0.0 }
            })
            .collect()
    }

    /// The factors of a kernel's features: 1, or one over the standard deviation over the training entities (with missing
    /// values at the mean). 0 for a feature that does not vary.
    pub fn factors(&self, factor: &FittedFactor, centre: &Array1<f32>) -> Array1<f32> {
        if !factor.standardise {
            return Array1::ones(factor.range.len());
        }
        let own = self.values.slice(s![.., factor.range.clone()]);
        let one = |(column, centre): (ndarray::ArrayView1<'_, f32>, &f32)| {
            let known = column.iter().filter(|value| !value.is_nan());
            let square: f64 = known.map(|value| f64::from(value - centre).powi(2)).sum();
            let deviation = (square / column.len().max(1) as f64).sqrt();
            if deviation > 1e-6 { (1.0 / deviation) as f32 } else { 0.0 }
        };
        own.axis_iter(Axis(1)).zip(centre).map(one).collect()
    }

    /// Values of a linear or RBF kernel: centred by the training means, standardised if configured, 0 where missing.
    pub fn centred(&self, factor: &FittedFactor, values: ArrayView2<'_, f32>) -> Array2<f32> {
        let centre = self.centre(factor);
        let factors = self.factors(factor, &centre);
        let mut own = values.slice(s![.., factor.range.clone()]).to_owned();
        own.axis_iter_mut(Axis(0)).into_par_iter().for_each(|mut row| {
            for ((value, centre), factor) in row.iter_mut().zip(&centre).zip(&factors) {
                *value = if value.is_nan() { 0.0 } else { (*value - centre) * factor };
            }
        });
        own
    }

    /// The values of the kernels' features for some entities of a table.
    pub fn gather(&self, table: &EntityTable, entities: &[u32]) -> Result<Array2<f32>> {
        gather(&self.space, table, entities)
    }

    fn raw(&self, factor: &FittedFactor, values: ArrayView2<'_, f32>) -> Raw {
        match factor.kernel {
            KernelKind::Linear | KernelKind::Rbf => {
                let training = self.centred(factor, self.values.view());
                let own = self.centred(factor, values);
                let mut raw = Raw { between: dots(&own, &training), own: squares(&own) };
                if factor.kernel == KernelKind::Rbf {
                    raw.combine(&squares(&training), |dot, own, other| (own + other - 2.0 * dot).max(0.0));
                }
                raw
            }
            KernelKind::Tanimoto => {
                let known = |values: ArrayView2<'_, f32>| {
                    values
                        .slice(s![.., factor.range.clone()])
                        .mapv(|value| if value.is_nan() { 0.0 } else { value })
                };
                let (own, training) = (known(values), known(self.values.view()));
                let mut raw = Raw { between: dots(&own, &training), own: squares(&own) };
                raw.combine(&squares(&training), |both, own, other| {
                    let either = own + other - both;
                    if either > 0.0 { both / either } else { 0.0 }
                });
                raw
            }
            KernelKind::Match => {
                let own = values.slice(s![.., factor.range.clone()]);
                let training = self.values.slice(s![.., factor.range.clone()]);
                let share = |a: usize, b: usize| {
                    let same = own.row(a).iter().zip(training.row(b)).filter(|(a, b)| a == b).count();
                    same as f64 / factor.range.len() as f64
                };
                let between = Matrix::from_shape_fn((own.nrows(), training.nrows()), |(a, b)| share(a, b));
                Raw { between, own: Array1::ones(own.nrows()) }
            }
        }
    }
}

/// Turns raw similarities into the kernel.
fn finished(factor: &FittedFactor, mut raw: Matrix) -> Matrix {
    match factor.kernel {
        KernelKind::Linear => raw.mapv_inplace(|dot| dot / factor.scale),
        KernelKind::Rbf => raw.par_mapv_inplace(|distance| (-distance / factor.scale).exp()),
        KernelKind::Tanimoto | KernelKind::Match => {}
    }
    raw
}

/// As [`finished`], between the training entities.
fn finished_training(factor: &FittedFactor, raw: Matrix) -> Matrix {
    let mut kernel = finished(factor, raw);
    if factor.kernel.is_bounded() {
        // An entity without known features still has similarity 1 to itself.
        kernel.diag_mut().fill(1.0);
    }
    kernel
}

/// The position in `space` of the features of a kind. If they are not there yet, they are added from `whole`.
fn place(
    space: &mut FeatureSpace,
    whole: &FeatureSpace,
    table: &EntityTable,
    kind: &str,
) -> Result<Range<usize>> {
    let of_kind = |space: &FeatureSpace| {
        let first = space.features.iter().position(|feature| feature.kind == kind)?;
        let count = space.features.iter().filter(|feature| feature.kind == kind).count();
        Some(first..first + count)
    };
    if let Some(range) = of_kind(space) {
        return Ok(range);
    }
    space.features.extend(whole.features.iter().filter(|feature| feature.kind == kind).cloned());
    of_kind(space).ok_or_else(|| {
        let kinds: Vec<&str> = table.blocks().iter().map(|block| block.kind.as_str()).collect();
        Error::config(format!(
            "a kernel names the features {kind:?} of the {}s: expected one of {}",
            table.entity_kind(),
            kinds.join(", ")
        ))
    })
}

/// The kernels that suit some features.
fn suitable(space: &FeatureSpace, of_cells: bool) -> Vec<KernelTerm> {
    let term = |features: &str, kernel| KernelTerm {
        features: features.into(),
        kernel,
        weight: 1.0,
        lengthscale: 1.0,
        standardise: false,
        times: Vec::new(),
    };
    let of_block = |(kind, domain): &(&str, &Domain)| match domain {
        Domain::Real => vec![term(kind, KernelKind::Linear), term(kind, KernelKind::Rbf)],
        Domain::Binary => vec![term(kind, KernelKind::Tanimoto)],
        Domain::Category(_) => vec![term(kind, KernelKind::Match)],
    };
    let mut blocks: Vec<(&str, &Domain)> = Vec::new();
    for feature in &space.features {
        if blocks.iter().all(|(kind, _)| *kind != feature.kind) {
            blocks.push((&feature.kind, &feature.domain));
        }
    }
    if of_cells {
        let real = |(_, domain): &&(&str, &Domain)| matches!(domain, Domain::Real);
        let suffices = |kind: &str| CellKind::named(kind).is_some_and(|kind| kind.suffices_for_kernels());
        if let Some(block) = blocks.iter().filter(real).find(|(kind, _)| suffices(kind)) {
            return of_block(block);
        }
        let numbers: Vec<KernelTerm> = blocks.iter().filter(real).flat_map(of_block).collect();
        if !numbers.is_empty() {
            return numbers;
        }
    }
    blocks.iter().flat_map(of_block).collect()
}

fn check_kernel(factor: &KernelFactor, domain: &Domain) -> Result<()> {
    let fits = match (domain, factor.kernel) {
        (Domain::Category(_), kernel) => kernel == KernelKind::Match,
        (Domain::Binary, kernel) => kernel != KernelKind::Match,
        (Domain::Real, kernel) => matches!(kernel, KernelKind::Linear | KernelKind::Rbf),
    };
    if fits {
        return Ok(());
    }
    let expected = match domain {
        Domain::Category(_) => "\"match\", because they are categories",
        Domain::Binary => "\"linear\", \"rbf\" or \"tanimoto\", because they are 0 or 1",
        Domain::Real => "\"linear\" or \"rbf\", because they are real numbers",
    };
    Err(Error::config(format!(
        "the kernel {:?} does not suit the features {:?}: expected {expected}",
        factor.kernel.name(),
        factor.features
    )))
}

/// The values of the features of some entities.
fn gather(space: &FeatureSpace, table: &EntityTable, entities: &[u32]) -> Result<Array2<f32>> {
    let alignment = space.align(table)?;
    let columns: Vec<Vec<f32>> = (0..space.len())
        .into_par_iter()
        .map(|at| alignment.finite_values(at, entities))
        .collect::<Result<_>>()?;
    let mut values = Array2::zeros((entities.len(), space.len()));
    values.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(at, mut out)| {
        out.iter_mut().zip(&columns).for_each(|(out, column)| *out = column[at]);
    });
    Ok(values)
}

fn median_off_diagonal(matrix: &Matrix) -> f64 {
    let n = matrix.nrows();
    let mut upper: Vec<f64> = (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|at| matrix[at]).collect();
    if upper.is_empty() {
        return 0.0;
    }
    let middle = upper.len() / 2;
    *upper.select_nth_unstable_by(middle, f64::total_cmp).1
}
