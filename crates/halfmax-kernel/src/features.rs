//! Kernels between entities, from their features.

use std::ops::Range;

use halfmax_core::{Domain, EntityTable, Error, FeatureSpace, Result};
use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::linalg::{Matrix, product_of_rows};
use crate::params::{KernelKind, KernelTerm};

/// The features of one side's training entities and the kernels over them.
#[derive(Clone, Debug, PartialEq)]
pub struct SideKernel {
    /// The features in use, block by block.
    pub space: FeatureSpace,
    /// Their training values, entities × features; categories as positions of levels, NaN where missing.
    pub values: Array2<f32>,
    /// The terms of the kernel.
    pub terms: Vec<FittedTerm>,
}

/// One term of a side's kernel, scaled so that its mean over the training entities' diagonal is 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedTerm {
    /// The kind of its feature block.
    pub features: String,
    /// The kernel.
    pub kernel: KernelKind,
    /// Its weight; the weights of a side add up to 1.
    pub weight: f64,
    /// What a dot product (linear) or squared distance (RBF) is divided by.
    pub scale: f64,
    /// Where its features are.
    pub range: Range<usize>,
}

/// Similarities without their scale: dot products for linear, squared distances for RBF, similarities for the others.
struct Raw {
    between: Matrix,
    own: Array1<f64>,
}

impl Raw {
    /// Replaces every dot product by a function of it and of both squared norms.
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
    /// Gathers the features of `whole` that `terms` name of the entities `rows` of a table; without terms, those that suit
    /// them: see [`crate::KernelParams`].
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
        let mut blocks: Vec<(String, Range<usize>)> = Vec::new();
        let mut features = Vec::new();
        for term in terms {
            if blocks.iter().any(|(kind, _)| *kind == term.features) {
                continue;
            }
            let own = whole.features.iter().filter(|feature| feature.kind == term.features).cloned();
            let from = features.len();
            features.extend(own);
            if features.len() == from {
                let kinds: Vec<&str> = table.blocks().iter().map(|block| block.kind.as_str()).collect();
                return Err(Error::config(format!(
                    "a kernel on the features {:?} of the {}s: expected one of {}",
                    term.features,
                    table.sort(),
                    kinds.join(", ")
                )));
            }
            blocks.push((term.features.clone(), from..features.len()));
        }
        let space = FeatureSpace { features };
        let values = gather(&space, table, rows)?;
        let mut fitted = Vec::new();
        for term in terms {
            let Some((_, range)) = blocks.iter().find(|(kind, _)| *kind == term.features) else { continue };
            check_kernel(term, &space.features[range.start].domain)?;
            fitted.push(FittedTerm {
                features: term.features.clone(),
                kernel: term.kernel,
                weight: term.weight,
                scale: term.lengthscale,
                range: range.clone(),
            });
        }
        Ok(Self { space, values, terms: fitted })
    }

    /// Whether every term has features, a scale and a weight: not so where a file was tampered with.
    pub fn is_possible(&self) -> bool {
        self.terms.iter().all(|term| {
            let fits = term.range.end <= self.space.len() && term.range.start < term.range.end;
            fits && term.scale > 0.0 && term.weight > 0.0
        })
    }

    /// Number of training entities.
    pub fn len(&self) -> usize {
        self.values.nrows()
    }

    /// The training kernel of every term, after scaling it; terms whose features do not vary are taken out, and the
    /// weights of the others made to add up to 1.
    pub fn scale_terms(&mut self) -> Vec<Matrix> {
        let raws: Vec<Raw> = self.terms.iter().map(|term| self.raw(term, self.values.view())).collect();
        let mut kernels = Vec::new();
        let mut kept = Vec::new();
        for (mut term, raw) in self.terms.drain(..).zip(raws) {
            let scale = match term.kernel {
                KernelKind::Linear => raw.own.mean().unwrap_or(0.0),
                KernelKind::Rbf => 2.0 * term.scale * term.scale * median_off_diagonal(&raw.between),
                KernelKind::Tanimoto | KernelKind::Match => 1.0,
            };
            if scale > 0.0 && term.weight > 0.0 {
                term.scale = scale;
                let mut kernel = raw.between;
                finish(&term, &mut kernel);
                if term.kernel.is_bounded() {
                    // An entity without known features is still like itself.
                    kernel.diag_mut().fill(1.0);
                }
                kernels.push(kernel);
                kept.push(term);
            }
        }
        let total: f64 = kept.iter().map(|term| term.weight).sum();
        kept.iter_mut().for_each(|term| term.weight /= total);
        self.terms = kept;
        kernels
    }

    /// The kernel between the training entities, once its terms are scaled.
    pub fn training(&self) -> Matrix {
        let mut sum = Matrix::zeros((self.len(), self.len()));
        for term in &self.terms {
            let mut kernel = self.raw(term, self.values.view()).between;
            finish(term, &mut kernel);
            sum.scaled_add(term.weight, &kernel);
        }
        self.like_itself(&mut sum);
        sum
    }

    /// Gives terms of bits and categories their diagonal: an entity without known features is still like itself.
    fn like_itself(&self, training: &mut Matrix) {
        for term in self.terms.iter().filter(|term| term.kernel.is_bounded()) {
            for (row, values) in self.values.slice(s![.., term.range.clone()]).rows().into_iter().enumerate()
            {
                let own = match term.kernel {
                    KernelKind::Match => {
                        values.iter().filter(|value| !value.is_nan()).count() as f64 / values.len() as f64
                    }
                    _ => f64::from(u8::from(values.iter().any(|value| *value > 0.0))),
                };
                training[[row, row]] += term.weight * (1.0 - own);
            }
        }
    }

    /// The kernel of entities of a table with themselves.
    pub fn own(&self, table: &EntityTable, entities: &[u32]) -> Result<Array1<f64>> {
        let values = gather(&self.space, table, entities)?;
        let mut sum = Array1::zeros(entities.len());
        for term in &self.terms {
            match term.kernel {
                KernelKind::Linear => {
                    sum.scaled_add(term.weight / term.scale, &squares(&self.centred(term, values.view())))
                }
                _ => sum += term.weight,
            }
        }
        Ok(sum)
    }

    /// The kernel between entities of a table (rows) and the training entities (columns).
    pub fn between(&self, table: &EntityTable, entities: &[u32]) -> Result<Matrix> {
        let values = gather(&self.space, table, entities)?;
        let mut sum = Matrix::zeros((entities.len(), self.len()));
        for term in &self.terms {
            let mut kernel = self.raw(term, values.view()).between;
            finish(term, &mut kernel);
            sum.scaled_add(term.weight, &kernel);
        }
        Ok(sum)
    }

    /// The means over the training entities of the features of a term, with which missing values are filled in and
    /// which linear kernels are centred by.
    pub fn centre(&self, term: &FittedTerm) -> Array1<f32> {
        let own = self.values.slice(s![.., term.range.clone()]);
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

    /// The training values of a linear or RBF term, centred, 0 where missing.
    pub fn centred(&self, term: &FittedTerm, values: ArrayView2<'_, f32>) -> Array2<f32> {
        let centre = self.centre(term);
        let mut own = values.slice(s![.., term.range.clone()]).to_owned();
        own.axis_iter_mut(Axis(0)).into_par_iter().for_each(|mut row| {
            row.iter_mut().zip(&centre).for_each(|(value, centre)| {
                *value = if value.is_nan() { 0.0 } else { *value - centre };
            });
        });
        own
    }

    fn raw(&self, term: &FittedTerm, values: ArrayView2<'_, f32>) -> Raw {
        match term.kernel {
            KernelKind::Linear | KernelKind::Rbf => {
                let training = self.centred(term, self.values.view());
                let own = self.centred(term, values);
                let mut raw = Raw { between: dots(&own, &training), own: squares(&own) };
                if term.kernel == KernelKind::Rbf {
                    raw.combine(&squares(&training), |dot, own, other| (own + other - 2.0 * dot).max(0.0));
                }
                raw
            }
            KernelKind::Tanimoto => {
                let known = |values: ArrayView2<'_, f32>| {
                    values
                        .slice(s![.., term.range.clone()])
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
                let own = values.slice(s![.., term.range.clone()]);
                let training = self.values.slice(s![.., term.range.clone()]);
                let share = |a: usize, b: usize| {
                    let same = own.row(a).iter().zip(training.row(b)).filter(|(a, b)| a == b).count();
                    same as f64 / term.range.len() as f64
                };
                let between = Matrix::from_shape_fn((own.nrows(), training.nrows()), |(a, b)| share(a, b));
                Raw { between, own: Array1::ones(own.nrows()) }
            }
        }
    }
}

/// Turns raw similarities into the kernel.
fn finish(term: &FittedTerm, raw: &mut Matrix) {
    match term.kernel {
        KernelKind::Linear => raw.mapv_inplace(|dot| dot / term.scale),
        KernelKind::Rbf => raw.par_mapv_inplace(|distance| (-distance / term.scale).exp()),
        KernelKind::Tanimoto | KernelKind::Match => {}
    }
}

/// The kernels that suit some features.
fn suitable(space: &FeatureSpace, of_cells: bool) -> Vec<KernelTerm> {
    let term = |features: &str, kernel| KernelTerm {
        features: features.into(),
        kernel,
        weight: 1.0,
        lengthscale: 1.0,
    };
    let of_block = |(kind, domain): &(&str, &Domain)| match domain {
        Domain::Real => vec![term(kind, KernelKind::Linear), term(kind, KernelKind::Rbf)],
        Domain::Binary => vec![term(kind, KernelKind::Tanimoto)],
        Domain::Category(_) => vec![term(kind, KernelKind::Match)],
    };
    let mut blocks: Vec<(&str, &Domain)> = Vec::new();
    for feature in &space.features {
        if blocks.last().is_none_or(|(kind, _)| *kind != feature.kind) {
            blocks.push((&feature.kind, &feature.domain));
        }
    }
    if of_cells {
        let real = |(_, domain): &&(&str, &Domain)| matches!(domain, Domain::Real);
        if let Some(expression) = blocks.iter().filter(real).find(|(kind, _)| *kind == "expression") {
            return of_block(expression);
        }
        let numbers: Vec<KernelTerm> = blocks.iter().filter(real).flat_map(of_block).collect();
        if !numbers.is_empty() {
            return numbers;
        }
    }
    blocks.iter().flat_map(of_block).collect()
}

fn check_kernel(term: &KernelTerm, domain: &Domain) -> Result<()> {
    let fits = match (domain, term.kernel) {
        (Domain::Category(_), kernel) => kernel == KernelKind::Match,
        (Domain::Binary, kernel) => kernel != KernelKind::Match,
        (Domain::Real, kernel) => matches!(kernel, KernelKind::Linear | KernelKind::Rbf),
    };
    if fits {
        return Ok(());
    }
    let expected = match domain {
        Domain::Category(_) => "\"match\", since they are categories",
        Domain::Binary => "\"linear\", \"rbf\" or \"tanimoto\", since they are 0 or 1",
        Domain::Real => "\"linear\" or \"rbf\", since they are real numbers",
    };
    Err(Error::config(format!(
        "the kernel {:?} on the features {:?}: expected {expected}",
        term.kernel.name(),
        term.features
    )))
}

/// The values of the features of some entities.
fn gather(space: &FeatureSpace, table: &EntityTable, entities: &[u32]) -> Result<Array2<f32>> {
    let alignment = space.align(table)?;
    let columns: Vec<Vec<f32>> =
        (0..space.len()).into_par_iter().map(|at| alignment.values(at, entities)).collect();
    for (feature, column) in space.features.iter().zip(&columns) {
        if let Some(at) = column.iter().position(|value| value.is_infinite()) {
            return Err(Error::data(format!(
                "feature {:?} of the {} features is infinite for {} {:?}: its kernel would not be finite",
                feature.name,
                feature.kind,
                table.sort(),
                table.ids()[entities[at] as usize]
            ))
            .help("leave the value empty if it is not known"));
        }
    }
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
