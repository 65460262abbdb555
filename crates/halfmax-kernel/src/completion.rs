//! Completion: the block of responses, after main effects, as a matrix of low rank.
//!
//! A response is `y_ij = μ + a_i + b_j + m_ij + ε`. The rows (the first side, cell lines) have effects a, the columns (drugs)
//! effects b. The nuclear norm of the matrix m, the sum of its singular values, is penalised:
//!
//! `min over M of ½ Σ w_ij (y_ij − μ − a_i − b_j − m_ij)² + λ ‖M‖_*`
//!
//! over the observed pairs, with weights relative to the largest (Mazumder, Hastie & Tibshirani 2010). The penalty sets small
//! singular values to 0, so it also chooses the rank. (If there are few responses, several matrices may be optimal. They
//! agree on the observed pairs, and the fit finds one of them.) The penalty lowers large singular values by as much as small
//! ones, which is too much. By default, each row's effect and factor are therefore regressed again on its responses, with the
//! spread of the penalised factors as prior ([`Finish`]). The same regression accounts for a few responses of a new row
//! ([`FittedCompletion::row_from`]) or column without another fit.
//!
//! Completion uses no features. It always learns from pairs, whatever the evaluation holds out: λ and the noise are chosen on
//! a random tenth of the training *pairs*, even if whole cell lines are held out. An entity that was not in training has
//! effect 0 and no factor. An unseen cell line is therefore predicted to respond like the average cell line.

mod effects;
mod impute;
mod model;
mod regress;
mod singular;

use halfmax_core::{Error, FitContext, FitSizes, Model, Progress, ResponseBlock, Result, TrainView, check};
use ndarray::{Array1, ArrayViewMut1, Axis, Zip, s};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fit::set_aside;
use crate::linalg::Matrix;
use crate::profile::Observed;
use effects::Effects;
use impute::{Completed, Limits, Problem};
pub use model::FittedCompletion;
use model::{Fitted, SideIds};
use regress::{Measured, Regression};

/// Parameters of completion. Parameters that are not set are chosen on a tenth of the training pairs.
///
/// ```
/// use halfmax_kernel::CompletionParams;
/// let model = CompletionParams { max_rank: 20, ..CompletionParams::default() }.check()?;
/// let error = CompletionParams { nuclear_penalty: Some(0.0), ..CompletionParams::default() }.check().err();
/// let message = error.map(|error| error.to_string());
/// assert_eq!(message.as_deref(), Some("nuclear_penalty = 0: expected a number above 0, at most 1"));
/// # Ok::<(), halfmax_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CompletionParams {
    /// Maximum number of singular values, 1 to 10000. If this cuts off values that the penalty would keep, the completed
    /// block is no longer the optimum of the penalty.
    pub max_rank: usize,
    /// The penalty λ as a share of the largest singular value of the weighted block after main effects, above 0 and at
    /// most 1. A larger value gives a lower rank; 1 leaves main effects only. Chosen on the training pairs if not set.
    pub nuclear_penalty: Option<f64>,
    /// Variance of a response of weight 1 around the regression of its row, in squared units of the target. Chosen on the
    /// training pairs if not set.
    pub noise_variance: Option<f64>,
    /// How rows are predicted after the block is complete.
    pub finish: Finish,
    /// Maximum number of steps for each λ of the path, 1 to 10000.
    pub max_iterations: usize,
    /// The steps stop when they change the completed block by less than this share of its norm.
    pub tolerance: f64,
}

/// How the rows of a completed block are predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// From each row's effect and factor, regressed on its responses given the factors of the columns.
    Regression,
    /// From the nuclear-norm solution, unchanged.
    Shrunken,
}

impl Default for CompletionParams {
    fn default() -> Self {
        Self {
            max_rank: 300,
            nuclear_penalty: None,
            noise_variance: None,
            finish: Finish::Regression,
            max_iterations: 100,
            tolerance: 1e-4,
        }
    }
}

impl CompletionParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// If a parameter is out of range. The error names the first such parameter, its value and the allowed values.
    pub fn check(self) -> Result<Completion> {
        check::within("max_rank", self.max_rank, 1..=10_000)?;
        check::within("max_iterations", self.max_iterations, 1..=10_000)?;
        self.nuclear_penalty.map_or(Ok(()), |value| check::fraction("nuclear_penalty", value))?;
        self.noise_variance.map_or(Ok(()), |value| check::positive("noise_variance", value))?;
        check::positive("tolerance", self.tolerance)?;
        Ok(Completion { params: self })
    }
}

/// Completion with checked parameters, ready to fit. Made by [`CompletionParams::check`].
#[derive(Clone, Debug)]
pub struct Completion {
    params: CompletionParams,
}

/// Maximum number of pairs of a block. A larger block does not fit into the memory of a small machine.
const MOST_PAIRS: usize = 36_000_000;
/// The path of penalties is geometric. Each step divides by √2, for at most this many steps: down to 1/128.
const PATH: i32 = 14;
/// The path ends after this many steps without a gain.
const PATIENCE: usize = 2;
/// The penalty if there are too few responses to set any aside.
const SHRINKAGE: f64 = 0.1;
/// Candidates for the noise are the variance around the effects divided by powers of two, up to this power.
const NOISES: i32 = 7;
/// The noise is chosen by the held-out responses of this many rows.
const NOISE_ROWS: usize = 200;
/// Tolerance for comparing penalties.
const COARSE_TOLERANCE: f64 = 1e-3;

const SEED_ASIDE: u64 = 21;
const SEED_SUBSPACE: u64 = 22;

impl Model for Completion {
    type Fitted = FittedCompletion;

    /// # Errors
    /// If there are no responses, if the screen has more than two sides or too many pairs, if responses are so large that
    /// sums of squares overflow, or if the user stopped the fit.
    fn fit(&self, train: &TrainView, context: &FitContext) -> Result<FittedCompletion> {
        let fit = || Fit::new(&self.params, train, context)?.run();
        rayon::join(fit, || ()).0
    }

    fn memory(&self, train: &TrainView, _: &FitContext) -> Result<usize> {
        train.screen.expect_two_sides("completion")?;
        let FitSizes { entities, .. } = FitSizes::new(train);
        let (rows, columns) = (entities[0], entities[1]);
        refuse_many((rows, columns))?;
        let rank = self.params.max_rank.min(rows).min(columns);
        Ok(BLOCKS * 8 * rows * columns + 6 * 8 * (rows + columns) * rank)
    }
}

/// Copies of the block of responses in memory while the path of penalties is followed.
const BLOCKS: usize = 17;

fn refuse_many((rows, columns): (usize, usize)) -> Result<()> {
    if rows.saturating_mul(columns) <= MOST_PAIRS {
        return Ok(());
    }
    Err(Error::data(format!(
        "family \"completion\" takes at most {MOST_PAIRS} pairs, these data have {rows} x {columns} entities"
    ))
    .with_help("use family = \"boost\": it stores no block if few of the pairs are observed"))
}

struct Fit<'a> {
    params: &'a CompletionParams,
    context: &'a FitContext<'a>,
    target: &'a str,
    sides: [SideIds; 2],
    observed: Observed,
}

/// A block's main effects and the residuals.
struct Centred {
    effects: Effects,
    rest: Matrix,
}

impl Centred {
    fn of(observed: &Observed, context: &FitContext) -> Result<Self> {
        let effects = Effects::estimate(observed, context.progress)?;
        let rest = effects.residuals(observed);
        Ok(Self { effects, rest })
    }
}

/// The values that are chosen on the pairs that are set aside.
#[derive(Clone, Copy)]
struct Chosen {
    shrinkage: f64,
    /// `None` if there were no pairs to choose it on.
    noise: Option<f64>,
}

impl<'a> Fit<'a> {
    fn new(
        params: &'a CompletionParams,
        train: &'a TrainView<'a>,
        context: &'a FitContext<'a>,
    ) -> Result<Self> {
        let screen = train.screen;
        if train.rows.is_empty() {
            return Err(Error::data("the training data have no responses"));
        }
        screen.expect_two_sides("completion")?;
        let of_sides = [train.entities(0), train.entities(1)];
        let sides = [0, 1].map(|side: usize| {
            let ids = screen.table(side).ids();
            let own = of_sides[side].0.iter().map(|entity| ids[*entity as usize].clone());
            SideIds { name: screen.sides[side].name.clone(), ids: own.collect() }
        });
        let shape = (sides[0].ids.len(), sides[1].ids.len());
        refuse_many(shape)?;
        let observed = averaged(train, &of_sides.map(|(_, numbers)| numbers), shape);
        Ok(Self { params, context, target: &screen.target, sides, observed })
    }

    fn run(self) -> Result<FittedCompletion> {
        let progress = self.context.progress;
        progress.step(0, 10);
        let chosen = self.choose()?;
        progress.step(6, 10);
        let Centred { effects, rest } = Centred::of(&self.observed, self.context)?;
        let mut problem = self.problem(&rest, &self.observed.weights)?;
        let penalty = chosen.shrinkage * problem.largest;
        let completed = self.complete(&mut problem, chosen.shrinkage)?;
        progress.step(8, 10);
        let noise = self.params.noise_variance.or(chosen.noise).unwrap_or(effects.rest);
        let noise = if noise > 0.0 { noise } else { 1.0 };
        let mut fitted = Fitted {
            params: self.params.clone(),
            target: self.target.to_owned(),
            sides: self.sides,
            mean: effects.mean,
            shrinkage: penalty,
            noise,
            variances: effects.variances,
            row_prior: mean_squares(&completed.left),
            column_prior: mean_squares(&completed.right),
            effects: [effects.rows, effects.columns],
            factors: [completed.left, completed.right],
        };
        if self.params.finish == Finish::Regression {
            let regression = fitted.regression(0);
            let (rows, factors) = regress_rows(&regression, &self.observed, &fitted, progress)?;
            fitted.effects[0] = rows;
            fitted.factors[0] = factors;
        }
        progress.step(10, 10);
        FittedCompletion::new(fitted)
    }

    fn limits(&self) -> Limits {
        let CompletionParams { max_rank, max_iterations, tolerance, .. } = *self.params;
        Limits { rank: max_rank, iterations: max_iterations, tolerance }
    }

    fn problem<'b>(&self, rest: &'b Matrix, weights: &Matrix) -> Result<Problem<'b>> {
        Problem::new(rest, weights, self.context.seed.derive(SEED_SUBSPACE).value())
    }

    /// The solution for one penalty, reached through larger penalties.
    fn complete(&self, problem: &mut Problem<'_>, shrinkage: f64) -> Result<Completed> {
        let mut completed = Completed::zeros((self.sides[0].ids.len(), self.sides[1].ids.len()));
        let limits = self.limits();
        // On the way, the path need not be followed closely.
        let passing = Limits { iterations: limits.iterations.min(10), tolerance: 1e-2, ..limits };
        let mut at = 0.5;
        while at > shrinkage * 1.01 {
            completed = problem.solve(at * problem.largest, completed, passing, self.context.progress)?;
            at /= 2.0;
        }
        problem.solve(shrinkage * problem.largest, completed, limits, self.context.progress)
    }

    /// Chooses penalty and noise on responses that are set aside, unless they are set.
    fn choose(&self) -> Result<Chosen> {
        let given = Chosen {
            shrinkage: self.params.nuclear_penalty.unwrap_or(SHRINKAGE),
            noise: self.params.noise_variance,
        };
        if self.params.nuclear_penalty.is_some() && self.params.noise_variance.is_some() {
            return Ok(given);
        }
        let rows: Vec<usize> = (0..self.observed.values.nrows()).collect();
        let (kept, held) = set_aside(&self.observed, &rows, self.context.seed.derive(SEED_ASIDE));
        if held.sum() == 0.0 {
            return Ok(given);
        }
        let centred = Centred::of(&kept, self.context)?;
        let mut problem = self.problem(&centred.rest, &kept.weights)?;
        let (shrinkage, completed) = match self.params.nuclear_penalty {
            Some(shrinkage) => (shrinkage, self.complete(&mut problem, shrinkage)?),
            None => self.follow(&mut problem, &centred.effects, &held)?,
        };
        let noise = match self.params.noise_variance {
            Some(noise) => noise,
            None => self.choose_noise(&kept, &held, &centred.effects, &completed)?,
        };
        Ok(Chosen { shrinkage, noise: (noise > 0.0).then_some(noise) })
    }

    /// Follows the path of penalties while predictions of held-out responses improve. Returns the best penalty and its solution.
    fn follow(
        &self,
        problem: &mut Problem<'_>,
        effects: &Effects,
        held: &Matrix,
    ) -> Result<(f64, Completed)> {
        let progress = self.context.progress;
        let limits = self.limits();
        let limits = Limits { tolerance: limits.tolerance.max(COARSE_TOLERANCE), ..limits };
        let out = Observed { values: self.observed.values.clone(), weights: held.clone() };
        let rest = effects.residuals(&out);
        let mut now = Completed::zeros(rest.dim());
        let mut best = (1.0, now.clone());
        let mut least = held_error(&rest, held, &now.block);
        let mut since = 0;
        for step in 1..=PATH {
            let shrinkage = 0.5f64.powf(f64::from(step) / 2.0);
            now = problem.solve(shrinkage * problem.largest, now, limits, progress)?;
            let error = held_error(&rest, held, &now.block);
            if error < least {
                (least, best, since) = (error, (shrinkage, now.clone()), 0);
            } else {
                since += 1;
            }
            if since == PATIENCE {
                break;
            }
        }
        Ok(best)
    }

    /// The noise with which regressions of some rows best predict their held-out responses. It is the minimum of a
    /// parabola through the best value of a geometric series and its neighbours.
    fn choose_noise(
        &self,
        kept: &Observed,
        held: &Matrix,
        effects: &Effects,
        completed: &Completed,
    ) -> Result<f64> {
        if effects.rest == 0.0 {
            return Ok(0.0);
        }
        let noises: Vec<f64> = (0..=NOISES).map(|power| effects.rest * 0.5f64.powi(power)).collect();
        let spread = mean_squares(&completed.left);
        let regression = Regression::new(effects.variances[0], &spread, completed.right.view());
        let base = &effects.columns + effects.mean;
        let losses = |row: usize| {
            self.context.progress.check()?;
            let measured = measured(kept, row, &base);
            let rest = &self.observed.values.row(row) - &base;
            let loss = |found: &Array1<f64>| {
                let predicted = completed.right.dot(&found.slice(s![1..])) + found[0];
                let squares = (&rest - &predicted).mapv(|error| error * error);
                held.row(row).dot(&squares)
            };
            let found = regression.coefficients(&measured, &noises)?;
            Ok(found.iter().map(loss).collect::<Array1<f64>>())
        };
        let rows = held.nrows();
        let some = (0..rows).into_par_iter().step_by(rows.div_ceil(NOISE_ROWS));
        let losses: Vec<Array1<f64>> = some.map(losses).collect::<Result<_>>()?;
        // Added up in the order of the rows.
        let total = losses.iter().fold(Array1::zeros(noises.len()), |total, losses| total + losses);
        Ok(effects.rest * 0.5f64.powf(least_of_parabola(&total)))
    }
}

/// The block of responses, given each entity's place in it. Repeated responses are averaged.
fn averaged(train: &TrainView, numbers: &[Vec<usize>; 2], shape: (usize, usize)) -> Observed {
    let responses = &train.screen.responses;
    let place = |_, row: usize| [0, 1].map(|side| numbers[side][responses.side(side)[row] as usize]);
    let (values, weights) = ResponseBlock::new(train, shape, place).into_means();
    Observed { values, weights }
}

/// The weighted mean squared difference between a block and its held-out responses.
fn held_error(rest: &Matrix, held: &Matrix, block: &Matrix) -> f64 {
    let sum = Zip::from(rest)
        .and(held)
        .and(block)
        .fold(0.0, |sum, rest, weight, block| sum + weight * (rest - block) * (rest - block));
    sum / held.sum()
}

/// The minimum of a parabola through the smallest value and its neighbours, at the points 0, 1, 2, ...
fn least_of_parabola(values: &Array1<f64>) -> f64 {
    let best = (0..values.len()).min_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or(0);
    if best == 0 || best + 1 == values.len() {
        return best as f64;
    }
    let (before, here, after) = (values[best - 1], values[best], values[best + 1]);
    let curvature = before + after - 2.0 * here;
    if curvature > 0.0 { best as f64 + 0.5 * (before - after) / curvature } else { best as f64 }
}

/// The mean square of every column of factors.
fn mean_squares(factors: &Matrix) -> Array1<f64> {
    factors.mapv(|value| value * value).sum_axis(Axis(0)) / factors.nrows() as f64
}

/// The observed responses of a row minus the columns' expectations without the row.
fn measured(observed: &Observed, row: usize, base: &Array1<f64>) -> Vec<Measured> {
    let there = |column: &usize| observed.weights[[row, *column]] > 0.0;
    let measured = |column: usize| Measured {
        with: column,
        rest: observed.values[[row, column]] - base[column],
        weight: observed.weights[[row, column]],
    };
    (0..base.len()).filter(there).map(measured).collect()
}

/// Effects and factors of all rows, each regressed on its responses.
fn regress_rows(
    regression: &Regression,
    observed: &Observed,
    fitted: &Fitted,
    progress: &dyn Progress,
) -> Result<(Array1<f64>, Matrix)> {
    let mut effects = Array1::zeros(observed.values.nrows());
    let mut factors = Matrix::zeros(fitted.factors[0].raw_dim());
    let base = &fitted.effects[1] + fitted.mean;
    let regress = |(row, (effect, mut factor)): (usize, (&mut f64, ArrayViewMut1<'_, f64>))| {
        progress.check()?;
        let measured = measured(observed, row, &base);
        for found in regression.coefficients(&measured, &[fitted.noise])? {
            *effect = found[0];
            factor.assign(&found.slice(s![1..]));
        }
        Ok(())
    };
    let slots: Vec<_> = effects.iter_mut().zip(factors.rows_mut()).enumerate().collect();
    slots.into_par_iter().map(regress).collect::<Result<()>>()?;
    Ok((effects, factors))
}
