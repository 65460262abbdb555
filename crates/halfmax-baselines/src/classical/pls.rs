//! Partial least squares through `linfa-pls`.

use halfmax_core::{Error, FitContext, Model, Result, TrainView, check};
use linfa::DatasetBase;
use linfa::traits::Fit as _;
use linfa_ndarray::{Array1, Array2, Axis, ShapeBuilder, s};
use linfa_pls::PlsRegression;
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

/// Parameters of partial least squares: a regression of the whole block on the few directions of the features that covary
/// most with it, by NIPALS (`linfa-pls`; Wegelin 2000).
///
/// Real features are standardised; bits and levels of categories are 0 or 1. Missing responses are replaced by their column's
/// mean. Columns are not standardised, so a column that varies more counts more. Response weights affect means and the
/// averages of repeated responses, not the fit.
///
/// ```
/// use halfmax_baselines::PlsParams;
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
/// let fitted = PlsParams::default().check()?.fit(&screen.all(), &context)?;
/// let tables = [&screen.tables[0], &screen.tables[1]];
/// let query = Query { tables: &tables, tuples: Tuples::Listed(&[&[55], &[3]]) };
/// assert!((fitted.predict(&query)?[0] - response(55, 3)).abs() < 0.01);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PlsParams {
    /// Number of directions, 1 to 1000. Fewer are used if the features or rows do not have that many. If not set, the fit
    /// chooses from 1 to 20 by the squared error on three parts of the training rows, each left out once.
    pub components: Option<usize>,
    /// Number of features to use from each block of real numbers: those that vary most over the training rows.
    pub features: usize,
    /// Maximum number of steps of the power method for one direction.
    pub max_iterations: usize,
    /// The power method stops when a direction changes by less than this, as a squared distance.
    pub tolerance: f64,
}

impl Default for PlsParams {
    fn default() -> Self {
        Self { components: None, features: 2000, max_iterations: 500, tolerance: 1e-6 }
    }
}

/// Partial least squares with checked parameters, ready to fit. Made by [`PlsParams::check`].
#[derive(Clone, Debug)]
pub struct Pls {
    params: PlsParams,
}

impl PlsParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// If a parameter is out of range. The error names the first such parameter, its value and the allowed values.
    pub fn check(self) -> Result<Pls> {
        self.components.map_or(Ok(()), |components| check::within("components", components, 1..=1000))?;
        check::within("features", self.features, 1..=1_000_000)?;
        check::within("max_iterations", self.max_iterations, 1..=1_000_000)?;
        check::positive("tolerance", self.tolerance)?;
        Ok(Pls { params: self })
    }
}

/// Maximum number of components to try.
const MOST_TRIED: usize = 20;
/// Approximate number of steps of the power method for a direction, and time for one number in a step, measured on GDSC2.
const STEPS: f64 = 20.0;
const NANOSECONDS: f64 = 1.5;

impl Model for Pls {
    type Fitted = FittedClassical;

    /// # Errors
    /// If there are no responses, if the screen has more than two sides, if a feature is infinite, if the power method
    /// does not converge, if the fit would take more than ten minutes, or if the user stopped it.
    fn fit(&self, train: &TrainView, context: &FitContext) -> Result<FittedClassical> {
        let family = Classical::Pls;
        let block = Block::of(family.name(), train, context)?;
        let (encoder, values) = encoder(train, &block, self.params.features)?;
        let columns = block.learnable(encoder.width());
        let mut params = self.params.clone();
        let mut linear = Linear::zeros(encoder.width(), block.columns.len());
        if !columns.is_empty() {
            let fit = Fit { params: &self.params, context, block: &block, columns, values };
            let (rows, width) = fit.values.dim();
            afford(fit.params, rows, width, fit.columns.len())?;
            let components = fit.components()?;
            let all: Vec<usize> = (0..block.rows.len()).collect();
            let directions = fit.directions(&all, components)?;
            params.components = Some(directions.count());
            let weights = directions.weights(directions.count());
            let intercepts = &directions.target_means - directions.means.dot(&weights);
            for (task, at) in fit.columns.iter().enumerate() {
                linear.set(*at, weights.column(task).iter().copied(), intercepts[task]);
            }
        }
        FittedClassical::new(family, &params, train, &block, encoder, Predictor::Linear(linear))
    }

    fn memory(&self, train: &TrainView, context: &FitContext) -> Result<usize> {
        let sizes = BlockSizes::of(Classical::Pls.name(), train, context, self.params.features)?;
        let BlockSizes { rows, columns, learnable, width, .. } = sizes;
        if learnable > 0 {
            afford(&self.params, rows, width, learnable)?;
        }
        // Features and responses in double precision: unchanged, centred, and without the part that components
        // explain. The parts for choosing the number of components run in parallel.
        let parts =
            if self.params.components.is_none() { PARTS.min(rayon::current_num_threads()) } else { 1 };
        let fit = 3 * 8 * rows * (width + learnable);
        let fits = fit.max(parts * fit * (PARTS - 1) / PARTS);
        let weights = 8 * width * learnable + 4 * width * columns;
        Ok(sizes.gathered().max(sizes.kept() + 2 * sizes.features() + fits.max(fit + weights)))
    }
}

/// # Errors
/// If the fit would take too long.
fn afford(params: &PlsParams, rows: usize, width: usize, columns: usize) -> Result<()> {
    let fits = if params.components.is_none() { 1.0 + PARTS as f64 / 2.0 } else { 1.0 };
    let steps = STEPS * params.components.unwrap_or(MOST_TRIED) as f64;
    affordable(
        Classical::Pls.name(),
        &format!("{rows} rows, {width} features and {columns} columns"),
        fits * rows as f64 * (width + columns) as f64 * steps,
        NANOSECONDS,
        "lower `features` or `components`, or use family = \"kernel\" or \"boost\"",
    )
}

struct Fit<'a> {
    params: &'a PlsParams,
    context: &'a FitContext<'a>,
    block: &'a Block,
    /// The columns that are learnt.
    columns: Vec<usize>,
    /// Rows × features.
    values: Matrix<f32>,
}

/// A fitted model. The first k rotations and loadings give the weights of k components.
struct Directions {
    means: Array1<f64>,
    target_means: Array1<f64>,
    rotations: Array2<f64>,
    loadings: Array2<f64>,
}

impl Directions {
    fn count(&self) -> usize {
        self.rotations.ncols()
    }

    /// Width × columns.
    fn weights(&self, components: usize) -> Array2<f64> {
        self.rotations.slice(s![.., ..components]).dot(&self.loadings.slice(s![.., ..components]).t())
    }
}

impl Fit<'_> {
    /// The configured number of components, or the best one.
    fn components(&self) -> Result<usize> {
        if let Some(components) = self.params.components {
            return Ok(components);
        }
        let parts = parts(self.block, self.context);
        let losses: Vec<Vec<f64>> =
            (0..PARTS).into_par_iter().map(|part| self.losses(&parts, part)).collect::<Result<_>>()?;
        let tried = losses.iter().filter(|own| !own.is_empty()).map(Vec::len).min().unwrap_or(1);
        let total = |at: usize| losses.iter().filter_map(|own| own.get(at)).sum::<f64>();
        Ok(1 + (0..tried).min_by(|a, b| total(*a).total_cmp(&total(*b))).unwrap_or(0))
    }

    /// The squared errors on one part for 1, 2, … components; empty if nothing is left to learn from.
    fn losses(&self, parts: &[usize], part: usize) -> Result<Vec<f64>> {
        let rows =
            |held: bool| (0..parts.len()).filter(|row| (parts[*row] == part) == held).collect::<Vec<_>>();
        let (kept, held) = (rows(false), rows(true));
        let varies = self.block.filled(&self.columns, &kept).iter().any(|value| value.abs() > 1e-9);
        if kept.len() < 2 || held.is_empty() || !varies {
            return Ok(Vec::new());
        }
        let directions = self.directions(&kept, MOST_TRIED)?;
        let x = self.design(&held) - &directions.means;
        let mut losses = Vec::new();
        let scores = x.dot(&directions.rotations);
        for components in 1..=directions.count() {
            let part = scores.slice(s![.., ..components]);
            let predicted =
                part.dot(&directions.loadings.slice(s![.., ..components]).t()) + &directions.target_means;
            losses.push(self.error(&held, &predicted));
        }
        Ok(losses)
    }

    /// The squared error of the measured responses.
    fn error(&self, held: &[usize], predicted: &Array2<f64>) -> f64 {
        let mut place = vec![None; self.block.rows.len()];
        held.iter().enumerate().for_each(|(at, row)| place[*row] = Some(at));
        let mut sum = 0.0;
        for (task, at) in self.columns.iter().enumerate() {
            let column = &self.block.columns[*at];
            for (row, value) in column.rows.iter().zip(&column.deviations) {
                if let Some(row) = place[*row as usize] {
                    sum += (predicted[[row, task]] - value).powi(2);
                }
            }
        }
        sum
    }

    /// Column-major numbers of some rows.
    fn design(&self, rows: &[usize]) -> Array2<f64> {
        let shape = (rows.len(), self.values.ncols()).f();
        Array2::from_shape_fn(shape, |(row, at)| f64::from(self.values[[rows[row], at]]))
    }

    /// At most `components` directions on some rows. There are fewer if nothing is left to explain.
    fn directions(&self, rows: &[usize], components: usize) -> Result<Directions> {
        let x = self.design(rows);
        let y = self.block.filled(&self.columns, rows);
        let mean = |matrix: &Array2<f64>| matrix.mean_axis(Axis(0)).unwrap_or_default();
        let (means, target_means) = (mean(&x), mean(&y));
        let most = components.min(rank_bound(&x, rows.len()));
        let data = DatasetBase::new(x, y);
        let mut refused = None;
        for components in (1..=most).rev() {
            self.context.progress.check()?;
            let fitted = PlsRegression::params(components)
                .scale(false)
                .max_iterations(self.params.max_iterations)
                .tolerance(self.params.tolerance)
                .fit(&data);
            match fitted {
                Ok(fitted) => {
                    let (rotations, loadings) = (fitted.rotations().0, fitted.loadings().1);
                    if rotations.iter().chain(loadings).all(|value| value.is_finite()) {
                        let (rotations, loadings) = (rotations.to_owned(), loadings.to_owned());
                        return Ok(Directions { means, target_means, rotations, loadings });
                    }
                }
                // Nothing is left to explain, so fewer directions are enough.
                Err(linfa_pls::PlsError::PowerMethodConstantResidualError()) => {}
                Err(error) => refused = Some(error),
            }
            if let Some(error) = refused.take() {
                return Err(Error::failed(format!(
                    "partial least squares with {components} components failed"
                ))
                .with_source(error)
                .with_help("lower `components`, or raise `max_iterations` or `tolerance`"));
            }
        }
        let (width, tasks) = (data.records.ncols(), data.targets.ncols());
        let (rotations, loadings) = (Array2::zeros((width, 0)), Array2::zeros((tasks, 0)));
        Ok(Directions { means, target_means, rotations, loadings })
    }
}

/// The maximum number of directions: the number of features that vary, or the number of rows minus one if that is smaller.
fn rank_bound(x: &Array2<f64>, rows: usize) -> usize {
    let varying =
        x.columns().into_iter().filter(|column| column.iter().any(|value| *value != column[0])).count();
    varying.min(rows.saturating_sub(1))
}
