//! Elastic nets through `linfa-elasticnet`.

use std::sync::atomic::{AtomicUsize, Ordering};

use halfmax_core::{Error, FitContext, Model, Progress, Result, TrainView, check};
use linfa::DatasetBase;
use linfa::traits::Fit as _;
use linfa_elasticnet::{ElasticNet as LinfaNet, MultiTaskElasticNet};
use linfa_ndarray::{Array1, Array2, ShapeBuilder};
use ndarray::Array2 as Matrix;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::block::Block;
use super::features::encoder;
use super::fitted::{Classical, FittedClassical, Predictor};
use super::inner_parts::{PARTS, parts};
use super::linear::Linear;
use super::sizes::BlockSizes;
use super::time_limit::affordable;

/// Parameters of elastic nets: one net for each column (each drug, if cell lines are held out) on the features of the rows.
/// They are fitted by coordinate descent (`linfa-elasticnet`; Zou & Hastie 2005, Friedman, Hastie & Tibshirani 2010).
///
/// Real features are standardised; bits and levels of categories are 0 or 1. Each column is fitted to its own responses minus
/// their mean. Response weights affect means and the averages of repeated responses, not the fit.
///
/// ```
/// use halfmax_baselines::ElasticNetParams;
/// use halfmax_core::*;
/// use ndarray::Array2;
///
/// // Responses are linear in two genes; the last ten of 60 cell lines were not measured.
/// let genes = Array2::from_shape_fn((60, 2), |(cell, gene)| ((cell * (7 + 4 * gene)) % 13) as f32 / 6.0 - 1.0);
/// let response = |cell: usize, drug: usize| genes[[cell, 0]] * drug as f32 - genes[[cell, 1]] + drug as f32;
/// let pairs: Vec<(u32, u32)> = (0..50).flat_map(|cell| (0..4).map(move |drug| (cell, drug))).collect();
/// let values = pairs.iter().map(|(cell, drug)| response(*cell as usize, *drug as usize)).collect();
/// let sides = vec![pairs.iter().map(|p| p.0).collect(), pairs.iter().map(|p| p.1).collect()];
/// let expression = FeatureBlock::new("expression", ["A", "B"], FeatureValues::real(genes.clone()))?;
/// let cells = EntityTable::new((0..60).map(|c| format!("cell {c}")), "cell line")?.with_block(expression)?;
/// let drugs = EntityTable::new(["w", "x", "y", "z"], "drug")?;
/// let responses = Responses::new(sides, values, None)?;
/// let screen = Screen::new("LN_IC50", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses)?;
///
/// let context = FitContext::new(Seed::new(1), &Silent, ValidationGroup::Entity(0));
/// let fitted = ElasticNetParams::default().check()?.fit(&screen.all(), &context)?;
/// let tables = [&screen.tables[0], &screen.tables[1]];
/// let query = Query { tables: &tables, tuples: Tuples::Listed(&[&[55], &[3]]) };
/// assert!((fitted.predict(&query)?[0] - response(55, 3)).abs() < 0.2);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ElasticNetParams {
    /// The penalty, defined as in linfa and scikit-learn (`alpha`). If not set, the fit chooses one for all columns among
    /// 0.4, 0.2, 0.1, 0.05 and 0.025 times the standard deviation of the responses around their columns' means. It
    /// compares squared errors on three parts of the training rows, each left out once, on at most twelve columns.
    pub penalty: Option<f64>,
    /// Share of the penalty that applies to absolute weights, from 0 (ridge) to 1 (lasso).
    pub l1_ratio: f64,
    /// Whether all columns choose their features together, by a penalty on each feature's weights over the columns: the
    /// multi-task elastic net. It is fitted to the block, with missing responses replaced by their column's mean. It
    /// needs `penalty`, and the best value grows with the square root of the number of columns. One thread fits it and
    /// cannot be stopped; a small penalty can take minutes.
    pub multi_task: bool,
    /// Number of features to use from each block of real numbers: those that vary most over the training rows.
    pub features: usize,
    /// Maximum number of sweeps over the features.
    pub max_iterations: usize,
    /// A fit stops when the weights change by less than this share in a sweep and the duality gap is less than this share
    /// of the sum of squares.
    pub tolerance: f64,
}

impl Default for ElasticNetParams {
    fn default() -> Self {
        Self {
            penalty: None,
            l1_ratio: 0.5,
            multi_task: false,
            features: 1000,
            max_iterations: 1000,
            tolerance: 1e-3,
        }
    }
}

/// Elastic nets with checked parameters, ready to fit. Made by [`ElasticNetParams::check`].
#[derive(Clone, Debug)]
pub struct ElasticNet {
    params: ElasticNetParams,
}

impl ElasticNetParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// If a parameter is out of range. The error names the first such parameter, its value and the allowed values.
    pub fn check(self) -> Result<ElasticNet> {
        self.penalty.map_or(Ok(()), |penalty| check::positive("penalty", penalty))?;
        if self.multi_task && self.penalty.is_none() {
            return Err(Error::config(
                "penalty is missing: multi_task = true needs a finite number above 0",
            )
            .with_help(
                "start with the standard deviation of the responses around their columns' means, then try smaller values",
            ));
        }
        check::share("l1_ratio", self.l1_ratio)?;
        check::within("features", self.features, 1..=1_000_000)?;
        check::within("max_iterations", self.max_iterations, 1..=1_000_000)?;
        check::positive("tolerance", self.tolerance)?;
        Ok(ElasticNet { params: self })
    }
}

/// Penalties to try, as shares of the responses' standard deviation.
const PENALTIES: [f64; 5] = [0.4, 0.2, 0.1, 0.05, 0.025];
/// Maximum number of columns that the penalty is chosen on.
const MOST_ASKED: usize = 12;
/// Approximate number of sweeps of a fit, and time for one number in a sweep, measured on GDSC2.
const SWEEPS: f64 = 60.0;
const NANOSECONDS: f64 = 0.25;
/// Factor on the time for a number if columns are fitted together. The number of sweeps is not known in advance.
const TOGETHER: f64 = 10.0;

impl Model for ElasticNet {
    type Fitted = FittedClassical;

    /// # Errors
    /// If there are no responses, if the screen has more than two sides, if a feature is infinite, if the fit would take
    /// more than ten minutes, or if the user stopped it.
    fn fit(&self, train: &TrainView, context: &FitContext) -> Result<FittedClassical> {
        let family = Classical::ElasticNet;
        let block = Block::of(family.name(), train, context)?;
        let (encoder, values) = encoder(train, &block, self.params.features)?;
        let columns = block.learnable(encoder.width());
        let fit = Fit { params: &self.params, context, block: &block, columns, turned: turned(&values) };
        let (width, rows) = fit.turned.dim();
        afford(fit.params, rows, width, fit.columns.len())?;
        let mut params = self.params.clone();
        let mut linear = Linear::zeros(encoder.width(), block.columns.len());
        if !fit.columns.is_empty() {
            let penalty = fit.penalty()?;
            params.penalty = Some(penalty);
            if params.multi_task {
                fit.together(penalty, &mut linear)?
            } else {
                fit.each(penalty, &mut linear)?
            }
        }
        FittedClassical::new(family, &params, train, &block, encoder, Predictor::Linear(linear))
    }

    fn memory(&self, train: &TrainView, context: &FitContext) -> Result<usize> {
        let sizes = BlockSizes::of(Classical::ElasticNet.name(), train, context, self.params.features)?;
        let BlockSizes { rows, columns, learnable, width, .. } = sizes;
        afford(&self.params, rows, width, learnable)?;
        // Each fit holds the features of its own rows in double precision, twice. If columns are fitted together, there is one fit.
        let fits = if self.params.multi_task { 1 } else { rayon::current_num_threads() };
        let designs = 2 * 8 * rows * width.max(rows) * fits.min(learnable);
        let weights = 8 * width * learnable + 4 * width * columns;
        Ok(sizes.gathered().max(sizes.kept() + 2 * sizes.features() + designs + weights))
    }
}

/// # Errors
/// If the fit would take too long.
fn afford(params: &ElasticNetParams, rows: usize, width: usize, columns: usize) -> Result<()> {
    let asked = MOST_ASKED.min(columns) * PARTS * PENALTIES.len();
    let fits = columns + if params.penalty.is_none() { asked } else { 0 };
    let most = params.max_iterations as f64;
    let (sweeps, slower) = if params.multi_task { (most, TOGETHER) } else { (SWEEPS.min(most), 1.0) };
    affordable(
        Classical::ElasticNet.name(),
        &format!("{rows} rows, {width} features and {columns} columns"),
        fits as f64 * width as f64 * rows as f64 * sweeps * slower,
        NANOSECONDS,
        "lower `features` or `max_iterations`, or use family = \"kernel\" or \"boost\"",
    )
}

/// Features × rows.
fn turned(values: &Matrix<f32>) -> Matrix<f32> {
    values.t().as_standard_layout().into_owned()
}

struct Fit<'a> {
    params: &'a ElasticNetParams,
    context: &'a FitContext<'a>,
    block: &'a Block,
    /// The columns that are learnt.
    columns: Vec<usize>,
    /// Features × rows.
    turned: Matrix<f32>,
}

/// Weights and an intercept.
type Net = (Array1<f64>, f64);

impl Fit<'_> {
    /// The configured penalty, or the best of [`PENALTIES`].
    fn penalty(&self) -> Result<f64> {
        if let Some(penalty) = self.params.penalty {
            return Ok(penalty);
        }
        let parts = parts(self.block, self.context);
        let spread = self.block.spread();
        let step = self.columns.len().div_ceil(MOST_ASKED);
        let mut cases = Vec::new();
        for column in self.columns.iter().step_by(step) {
            for part in 0..PARTS {
                cases.extend(PENALTIES.iter().enumerate().map(|(at, _)| (*column, part, at)));
            }
        }
        let lost = cases
            .par_iter()
            .map(|(column, part, at)| {
                self.context.progress.check()?;
                let own = &self.block.columns[*column];
                let (rows, values) = own.only(|row| parts[row] != *part);
                let (held, truth) = own.only(|row| parts[row] == *part);
                if rows.len() < 2 {
                    return Ok((*at, 0.0));
                }
                let net = self.net(&rows, &values, PENALTIES[*at] * spread)?;
                let predicted = held.iter().map(|row| self.predicted(&net, *row as usize));
                Ok((*at, predicted.zip(truth).map(|(a, b)| (a - b).powi(2)).sum()))
            })
            .collect::<Result<Vec<(usize, f64)>>>()?;
        let mut losses = [0.0; PENALTIES.len()];
        lost.into_iter().for_each(|(at, loss)| losses[at] += loss);
        let best = (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap_or(0);
        Ok(PENALTIES[best] * spread)
    }

    fn predicted(&self, (weights, intercept): &Net, row: usize) -> f64 {
        let numbers = self.turned.column(row);
        intercept + weights.iter().zip(numbers).map(|(weight, value)| weight * f64::from(*value)).sum::<f64>()
    }

    fn each(&self, penalty: f64, linear: &mut Linear) -> Result<()> {
        let done = Done::new(self.context.progress, self.columns.len());
        let fitted = self
            .columns
            .par_iter()
            .map(|at| {
                let column = &self.block.columns[*at];
                let net = self.net(&column.rows, &column.deviations, penalty)?;
                done.one()?;
                Ok(net)
            })
            .collect::<Result<Vec<Net>>>()?;
        for (at, (weights, intercept)) in self.columns.iter().zip(fitted) {
            linear.set(*at, weights.into_iter(), intercept);
        }
        Ok(())
    }

    /// One elastic net on some rows.
    fn net(&self, rows: &[u32], values: &[f64], penalty: f64) -> Result<Net> {
        let width = self.turned.nrows();
        let (x, centres) = self.design(rows)?;
        let fitted = LinfaNet::params()
            .penalty(penalty)
            .l1_ratio(self.params.l1_ratio)
            .max_iterations(self.params.max_iterations as u32)
            .tolerance(self.params.tolerance)
            .fit(&DatasetBase::new(x, Array1::from(values.to_vec())))
            .map_err(failed)?;
        let weights = fitted.hyperplane().slice(linfa_ndarray::s![..width]).to_owned();
        let intercept = fitted.intercept() - weights.dot(&centres);
        Ok((weights, intercept))
    }

    fn together(&self, penalty: f64, linear: &mut Linear) -> Result<()> {
        let all: Vec<usize> = (0..self.block.rows.len()).collect();
        let rows: Vec<u32> = (0..self.block.rows.len() as u32).collect();
        let (x, centres) = self.design(&rows)?;
        let fitted = MultiTaskElasticNet::params()
            .penalty(penalty)
            .l1_ratio(self.params.l1_ratio)
            .max_iterations(self.params.max_iterations as u32)
            .tolerance(self.params.tolerance)
            .fit(&DatasetBase::new(x, self.block.filled(&self.columns, &all)))
            .map_err(failed)?;
        for (task, at) in self.columns.iter().enumerate() {
            let weights = fitted.hyperplane().slice(linfa_ndarray::s![..centres.len(), task]);
            let intercept = fitted.intercept()[task] - weights.dot(&centres);
            linear.set(*at, weights.iter().copied(), intercept);
        }
        Ok(())
    }

    /// Features of some rows, column-major and centred, and the centres. If there are fewer features than rows, features
    /// of zeros are added. They change no weight. Without them linfa would also compute the variances of the weights,
    /// which takes longer than the fit.
    fn design(&self, rows: &[u32]) -> Result<(Array2<f64>, Array1<f64>)> {
        let (width, count) = (self.turned.nrows(), rows.len());
        let padded = width.max(count);
        let mut values = Vec::with_capacity(padded * count);
        let mut centres = Vec::with_capacity(width);
        for numbers in self.turned.rows() {
            let own = || rows.iter().map(|row| f64::from(numbers[*row as usize]));
            let centre = own().sum::<f64>() / count as f64;
            values.extend(own().map(|value| value - centre));
            centres.push(centre);
        }
        values.resize(padded * count, 0.0);
        let x = Array2::from_shape_vec((count, padded).f(), values).map_err(|error| {
            Error::failed("the number of feature values does not fit their matrix").with_source(error)
        })?;
        Ok((x, centres.into()))
    }
}

fn failed(error: linfa_elasticnet::ElasticNetError) -> Error {
    Error::failed("an elastic net could not be fitted").with_source(error)
}

/// Counts finished columns, from any thread.
pub(crate) struct Done<'a> {
    progress: &'a dyn Progress,
    done: AtomicUsize,
    total: usize,
}

impl<'a> Done<'a> {
    pub(crate) fn new(progress: &'a dyn Progress, total: usize) -> Self {
        Self { progress, done: AtomicUsize::new(0), total }
    }

    /// Counts one more finished column.
    ///
    /// # Errors
    /// If the user stopped the fit.
    pub(crate) fn one(&self) -> Result<()> {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        self.progress.step(done, self.total);
        self.progress.check()
    }
}
