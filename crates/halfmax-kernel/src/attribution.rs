//! The contributions of features to the predictions of a kernel model.
//!
//! With coefficients α, the features' part of a prediction is `f(x) = Σ_i α_i Σ_terms w Π_factors k(x, x_i)`. It is divided
//! among the features by the path integral from the mean training entity b, `φ_g = (x_g − b_g) ∫₀¹ ∂f/∂x_g (b + t (x − b))
//! dt`. These are integrated gradients (Sundararajan, Taly & Yan 2017), the values of Aumann & Shapley (1974). For linear
//! kernels and for agreement of categories they equal the Shapley values.
//!
//! Every kernel here has a slope of the form `P_i x_ig + O_i z_g`. x_i is a training entity, and z is the difference x − b
//! (or 1). P and O, integrated over the path, do not depend on the coefficients. A partner therefore costs one matrix
//! product: `φ = z ∘ ((P ∘ α) X + (O α) z)`.

use std::ops::Range;

use halfmax_core::{
    Attribution, Attributor, Domain, EntityTable, Error, FeatureSpace, Progress, Result, check_partners,
    gauss_legendre,
};
use ndarray::{Array1, Array2, Axis, Zip};
use rayon::prelude::*;

use crate::features::{FittedFactor, SideKernel};
use crate::linalg::{Matrix, product_of_rows};
use crate::model::{Columns, FittedKernel};
use crate::params::KernelKind;

/// Numbers of nodes to try for the integral, in this order.
const NODES: [usize; 4] = [8, 16, 32, 64];
/// The largest allowed gap between a kernel's value, which is of the order of 1, and the sum of the contributions to it.
const SMALL: f64 = 1e-6;

/// Attributes predictions for some entities of the rows' side.
pub(crate) struct KernelAttributor<'a> {
    model: &'a FittedKernel,
    tables: &'a [&'a EntityTable],
    parts: Vec<Inputs>,
    additive: bool,
    /// Entities × all columns of their table.
    predicted: Array2<f32>,
}

/// The numbers that one or more kernels read from a block of features, and how the kernels use them.
struct Inputs {
    reads: Reads,
    standardised: bool,
    range: Range<usize>,
    /// For each number, its feature within the block.
    feature: Vec<usize>,
    /// The difference between an entity and the start of its path: numbers × entities.
    own: Array2<f32>,
    /// Numbers × training entities.
    training: Array2<f32>,
    /// P where it is the same for all.
    uniform: f64,
    /// P: entities × training entities.
    through: Option<Matrix>,
    /// O: entities × training entities.
    back: Option<Matrix>,
}

/// How a kernel reads its features.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// As differences from the training mean. The path starts at the mean.
    Differences,
    /// As bits. The path starts with no bit set.
    Bits,
    /// As one number for each level of a category. The path starts at the shares of the levels in training.
    Levels,
}

impl Reads {
    const fn of(kernel: KernelKind) -> Self {
        match kernel {
            KernelKind::Linear | KernelKind::Rbf => Self::Differences,
            KernelKind::Tanimoto => Self::Bits,
            KernelKind::Match => Self::Levels,
        }
    }
}

/// A kernel along the paths of all entities.
struct Path<'a> {
    factor: &'a FittedFactor,
    /// Products of the entities' differences with the training entities: entities × training entities.
    dots: Matrix,
    /// For each entity, the sum that multiplies O: a sum of squares, or of bits.
    own: Array1<f64>,
    /// The same for each training entity.
    training: Array1<f64>,
    /// For each training entity, the value at the start of the path times the scale, where it is not 0.
    start: Array1<f64>,
}

/// A kernel at one point of a path: its value and the terms of its slope.
#[derive(Clone, Copy, Default)]
struct Slope {
    value: f64,
    through: f64,
    back: f64,
}

/// P of a kernel whose slope is the same everywhere; `None` for other kernels.
fn constant_slope(factor: &FittedFactor) -> Option<f64> {
    match factor.kernel {
        KernelKind::Linear => Some(1.0 / factor.scale),
        KernelKind::Match => Some(1.0 / factor.range.len() as f64),
        KernelKind::Rbf | KernelKind::Tanimoto => None,
    }
}

impl Path<'_> {
    fn at(&self, t: f64, entity: usize, other: usize) -> Slope {
        let dot = self.dots[[entity, other]];
        let scale = self.factor.scale;
        match self.factor.kernel {
            KernelKind::Linear => Slope { value: t * dot / scale, through: 1.0 / scale, back: 0.0 },
            KernelKind::Match => {
                let through = 1.0 / self.factor.range.len() as f64;
                Slope { value: (self.start[other] + t * dot) * through, through, back: 0.0 }
            }
            KernelKind::Rbf => {
                let distance = t * t * self.own[entity] - 2.0 * t * dot + self.training[other];
                let value = (-distance.max(0.0) / scale).exp();
                Slope { value, through: 2.0 / scale * value, back: -2.0 / scale * value * t }
            }
            KernelKind::Tanimoto => {
                let both = t * dot;
                let either = t * self.own[entity] + self.training[other] - both;
                if either <= 0.0 {
                    return Slope::default();
                }
                let square = either * either;
                Slope { value: both / either, through: (either + both) / square, back: -both / square }
            }
        }
    }
}

impl<'a> KernelAttributor<'a> {
    /// Prepares the attribution for these entities of the rows' table.
    pub(crate) fn new(
        model: &'a FittedKernel,
        tables: &'a [&'a EntityTable],
        entities: &'a [u32],
    ) -> Result<Self> {
        let side = &model.fitted.sides[0].kernel;
        let values = side.gather(tables[model.fitted.row_side], entities)?;
        let mut parts: Vec<Inputs> = Vec::new();
        for term in &side.terms {
            let places: Vec<usize> =
                term.factors.iter().map(|factor| place(&mut parts, side, factor, &values)).collect();
            let paths: Vec<Path> =
                term.factors.iter().zip(&places).map(|(factor, at)| parts[*at].path(factor)).collect();
            if let [only] = term.factors.as_slice()
                && let Some(slope) = constant_slope(only)
            {
                parts[places[0]].uniform += term.weight * slope;
                continue;
            }
            for (at, (through, back)) in places.iter().zip(integrated(&paths, term.weight)?) {
                add(&mut parts[*at].through, through);
                add(&mut parts[*at].back, back);
            }
        }
        let additive = parts.iter().all(|inputs| inputs.through.is_none());
        let columns: Vec<u32> = (0..tables[1 - model.fitted.row_side].len() as u32).collect();
        let predicted = model.block(tables, entities, &columns)?;
        Ok(Self { model, tables, parts, additive, predicted })
    }

    /// The column that a list of partners names.
    fn column(&self, partners: &[u32]) -> Result<u32> {
        check_partners(self.tables, self.model.fitted.row_side, partners)?;
        Ok(partners[0])
    }

    /// Contributions to these predictions, given the coefficients of the training rows.
    fn contributions(&self, coefficients: &Array1<f64>, predicted: &[f32]) -> Attribution {
        let mut values = Array2::zeros((self.space().len(), self.predicted.nrows()));
        for inputs in &self.parts {
            let found = inputs.contributions(coefficients);
            for (feature, row) in inputs.feature.iter().zip(found.axis_iter(Axis(0))) {
                let mut place = values.row_mut(inputs.range.start + feature);
                place += &row;
            }
        }
        Attribution::new(values, predicted)
    }

    /// The coefficients of the training rows for one column.
    fn coefficients(&self, column: u32) -> Result<Array1<f64>> {
        let fitted = &self.model.fitted;
        let columns = Columns::new(fitted, self.tables[1 - fitted.row_side], &[column])?;
        let profiles = &self.model.profiles;
        let own = columns.known[column as usize].map_or_else(
            || {
                // The mean over the training columns, and the part that comes from the column's similarity to them.
                let weights = columns.weights.row(0);
                let count = profiles.ncols() as f64;
                profiles.dot(&(&weights + (1.0 - weights.sum()) / count))
            },
            |known| profiles.column(known).to_owned(),
        );
        Ok(own * fitted.shares.features)
    }
}

impl Attributor for KernelAttributor<'_> {
    fn space(&self) -> &FeatureSpace {
        &self.model.fitted.sides[0].kernel.space
    }

    fn method(&self) -> String {
        if self.additive {
            return "exact Shapley values of a linear model".into();
        }
        if self.parts.iter().any(|inputs| inputs.reads == Reads::Bits) {
            return "integrated gradients from the mean of the training, of bits from none (Aumann–Shapley values)".into();
        }
        "integrated gradients from the mean of the training (Aumann–Shapley values)".into()
    }

    fn contributions(&self, partners: &[u32]) -> Result<Attribution> {
        let column = self.column(partners)?;
        let predicted = self.predicted.column(column as usize).to_vec();
        Ok(self.contributions(&self.coefficients(column)?, &predicted))
    }

    /// Contributions are linear in the coefficients, so the mean contributions need one product only.
    fn mean_contributions(&self, partners: &[Vec<u32>], progress: &dyn Progress) -> Result<Attribution> {
        progress.check()?;
        let mut coefficients = Array1::zeros(self.model.profiles.nrows());
        let mut predicted = Array1::<f64>::zeros(self.predicted.nrows());
        for partner in partners {
            let column = self.column(partner)?;
            coefficients += &self.coefficients(column)?;
            predicted += &self.predicted.column(column as usize).mapv(f64::from);
        }
        if partners.is_empty() {
            return Err(Error::data("the mean of contributions needs at least one list of partners"));
        }
        let count = partners.len() as f64;
        let predicted: Vec<f32> = predicted.iter().map(|sum| (sum / count) as f32).collect();
        Ok(self.contributions(&(coefficients / count), &predicted))
    }
}

impl Inputs {
    fn new(side: &SideKernel, factor: &FittedFactor, values: &Array2<f32>) -> Self {
        let reads = Reads::of(factor.kernel);
        let (own, training, feature) = match reads {
            Reads::Differences => {
                let of = |values: &Array2<f32>| side.centred(factor, values.view()).t().to_owned();
                (of(values), of(&side.values), (0..factor.range.len()).collect())
            }
            Reads::Bits => {
                let known = |value: f32| if value.is_nan() { 0.0 } else { value };
                let of = |values: &Array2<f32>| {
                    values.slice(ndarray::s![.., factor.range.clone()]).mapv(known).t().to_owned()
                };
                (of(values), of(&side.values), (0..factor.range.len()).collect())
            }
            Reads::Levels => levels(side, factor, values),
        };
        // Row-major in memory, as the products read them.
        let (own, training) =
            (own.as_standard_layout().into_owned(), training.as_standard_layout().into_owned());
        Self {
            reads,
            standardised: factor.standardise,
            range: factor.range.clone(),
            feature,
            own,
            training,
            uniform: 0.0,
            through: None,
            back: None,
        }
    }

    fn path<'a>(&self, factor: &'a FittedFactor) -> Path<'a> {
        let (own, training) = (self.own.mapv(f64::from), self.training.mapv(f64::from));
        let power = if self.reads == Reads::Bits { 1 } else { 2 };
        let total = |numbers: &Matrix| numbers.mapv(|number| number.powi(power)).sum_axis(Axis(0));
        let mean = |row: ndarray::ArrayView1<f64>| row.sum() / row.len().max(1) as f64;
        let start = match self.reads {
            Reads::Levels => training.axis_iter(Axis(0)).map(mean).collect::<Array1<f64>>().dot(&training),
            Reads::Differences | Reads::Bits => Array1::zeros(0),
        };
        Path {
            factor,
            dots: product_of_rows(own.t(), training.t()),
            own: total(&own),
            training: total(&training),
            start,
        }
    }

    /// Numbers × entities, for one partner's coefficients.
    fn contributions(&self, coefficients: &Array1<f64>) -> Array2<f32> {
        let same = self.training.dot(&coefficients.mapv(|value| (value * self.uniform) as f32));
        let mut found = match &self.through {
            Some(through) => {
                let weights = (through * coefficients).mapv(|weight| weight as f32);
                product_of_rows(self.training.view(), weights.view())
            }
            None => Array2::zeros(self.own.dim()),
        };
        let back = self.back.as_ref().map(|back| back.dot(coefficients).mapv(|value| value as f32));
        let bits = self.reads == Reads::Bits;
        Zip::from(found.rows_mut()).and(self.own.rows()).and(&same).par_for_each(|mut found, own, same| {
            for (at, (value, own)) in found.iter_mut().zip(own).enumerate() {
                let factor = if bits { 1.0 } else { *own };
                let back = back.as_ref().map_or(0.0, |back| back[at] * factor);
                *value = *own * (*value + same + back);
            }
        });
        found
    }
}

/// The position of a factor's numbers in `parts`. Adds them if they are not there yet.
fn place(parts: &mut Vec<Inputs>, side: &SideKernel, factor: &FittedFactor, values: &Array2<f32>) -> usize {
    let reads = Reads::of(factor.kernel);
    let same = |inputs: &Inputs| {
        inputs.reads == reads && inputs.range == factor.range && inputs.standardised == factor.standardise
    };
    parts.iter().position(same).unwrap_or_else(|| {
        parts.push(Inputs::new(side, factor, values));
        parts.len() - 1
    })
}

/// Categories as one number for each level: for the entities minus the shares in training, and for the training entities.
fn levels(
    side: &SideKernel,
    factor: &FittedFactor,
    values: &Array2<f32>,
) -> (Array2<f32>, Array2<f32>, Vec<usize>) {
    let places: Vec<(usize, f32)> = factor
        .range
        .clone()
        .flat_map(|feature| {
            let count = match &side.space.features[feature].domain {
                Domain::Category(levels) => levels.len(),
                Domain::Real | Domain::Binary => 0,
            };
            (0..count).map(move |level| (feature, level as f32))
        })
        .collect();
    let of = |values: &Array2<f32>| {
        let is = |(number, entity): (usize, usize)| {
            let (feature, level) = places[number];
            if values[[entity, feature]] == level { 1.0 } else { 0.0 }
        };
        Array2::from_shape_fn((places.len(), values.nrows()), is)
    };
    let training = of(&side.values);
    let shares = training.sum_axis(Axis(1)) / training.ncols().max(1) as f32;
    let own = of(values) - &shares.insert_axis(Axis(1));
    (own, training, places.iter().map(|(feature, _)| feature - factor.range.start).collect())
}

/// P and O of every factor of a term, integrated over the path by the Gauss–Legendre rule. Takes as many nodes as the precision needs.
fn integrated(paths: &[Path], weight: f64) -> Result<Vec<(Matrix, Matrix)>> {
    let (entities, training) = paths[0].dots.dim();
    let mut gap = f64::INFINITY;
    for count in NODES {
        let nodes = gauss_legendre(count);
        let empty = || (Matrix::zeros((entities, training)), Matrix::zeros((entities, training)));
        let mut sums: Vec<(Matrix, Matrix)> = paths.iter().map(|_| empty()).collect();
        for (at, (through, back)) in sums.iter_mut().enumerate() {
            Zip::indexed(through).and(back).par_for_each(|(entity, other), through, back| {
                for (t, share) in &nodes {
                    let slope = paths[at].at(*t, entity, other);
                    let others = paths.iter().enumerate().filter(|(path, _)| *path != at);
                    let rest: f64 = others.map(|(_, path)| path.at(*t, entity, other).value).product();
                    *through += share * rest * slope.through;
                    *back += share * rest * slope.back;
                }
            });
        }
        gap = widest_gap(paths, &sums);
        if gap <= SMALL {
            let weighted = |(through, back): (Matrix, Matrix)| (through * weight, back * weight);
            return Ok(sums.into_iter().map(weighted).collect());
        }
    }
    Err(Error::failed(format!(
        "the contributions to the kernel miss its value by {gap:.1e}: expected at most {SMALL:.0e}"
    ))
    .with_help("train with a larger lengthscale"))
}

/// The largest gap between the contributions' sum and a product of kernels.
fn widest_gap(paths: &[Path], sums: &[(Matrix, Matrix)]) -> f64 {
    let (entities, training) = paths[0].dots.dim();
    let gap = |entity: usize, other: usize| {
        let value = |t: f64| paths.iter().map(|path| path.at(t, entity, other).value).product::<f64>();
        let part = |(path, (through, back)): (&Path, &(Matrix, Matrix))| {
            through[[entity, other]] * path.dots[[entity, other]] + back[[entity, other]] * path.own[entity]
        };
        let sum: f64 = paths.iter().zip(sums).map(part).sum();
        (sum - (value(1.0) - value(0.0))).abs()
    };
    let of_entity = |entity: usize| (0..training).map(|other| gap(entity, other)).fold(0.0, f64::max);
    (0..entities).into_par_iter().map(of_entity).reduce(|| 0.0, f64::max)
}

fn add(sum: &mut Option<Matrix>, part: Matrix) {
    match sum {
        Some(sum) => *sum += &part,
        None => *sum = Some(part),
    }
}
