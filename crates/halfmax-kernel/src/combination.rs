//! Combinations of two drugs: a Gaussian process over combinations × cell lines.
//!
//! `y_pc = baseline_c + f_pc + ε`, `f ~ N(0, V ⊗ S)`. V is the covariance of combinations, a sum of components. The
//! components are made of kernels between drugs (structure, targets, single-agent profiles, and the identity of the drug).
//! Each component is the same for both orders of the drugs:
//!
//! - the effect of a drug with any partner: `k(a,c) + k(a,d) + k(b,c) + k(b,d)` for combinations {a, b} and {c, d};
//! - the joint effect of two drugs: `k(a,c) l(b,d) + k(a,d) l(b,c)`, and the same with k and l exchanged.
//!
//! S has three parts: a part that all cell lines share, a part that their features explain, and a part of each single cell
//! line. The weights of V's components maximise the marginal likelihood of the cell lines, which are treated as independent.
//! They are found by minorisation–maximisation (Zhou, Hu, Zhou & Lange 2019, *MM algorithms for variance components models*,
//! equation 2.3). Then the weights of S and the noise are found in the eigenbasis of V.

use std::collections::HashMap;

use halfmax_core::{
    Error, FeatureSpace, FitContext, FitSizes, Progress, ResponseBlock, Result, SINGLE_AGENT, Screen,
    TrainView, ValidationGroup,
};
use ndarray::{Array1, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::features::SideKernel;
use crate::linalg::{Eigen, Matrix, eigen, inverse, product, product_of_columns};
use crate::params::{KernelKind, KernelParams, KernelTerm};
use crate::profile::Observed;
use crate::solve::{Decomposed, Gradients, Shares};

mod model;
mod scores;

pub use model::FittedCombinations;

/// Maximum number of combinations. Beyond it, decomposing their covariance takes many minutes.
const MOST_COMBINATIONS: usize = 6_000;
/// If there are more combinations, the weights are chosen on this many.
const DECIDING: usize = 1_000;
/// If cell lines were measured with different combinations: the maximum sum of cubes of the numbers of combinations, over the
/// cell lines that the weights are chosen on.
const DECIDING_CUBES: usize = 10_000_000_000;
const ITERATIONS: usize = 80;
/// The weights are final when no component changes by more than this share of the variance.
const SETTLED: f64 = 5e-4;
/// A cell line's mean shrinks to the overall mean as if the cell line had this many more responses there.
const PRIOR_RESPONSES: f64 = 5.0;

/// The kernels between drugs, by number, that make a component of the covariance of combinations. 0 is the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The effect of each drug with any partner.
    Members(usize),
    /// The joint effect of two drugs.
    Both(usize, usize),
}

/// A component with its weight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// The kernels that make the component.
    pub part: Part,
    /// Its weight.
    pub weight: f64,
}

impl Part {
    /// All components of some kernels, except the component of the combination's identity: it counts as noise.
    fn all(kernels: usize) -> Vec<Self> {
        let members = (0..kernels).map(Self::Members);
        let both = (0..kernels).flat_map(|k| (k..kernels).map(move |l| Self::Both(k, l)));
        members.chain(both.filter(|part| *part != Self::Both(0, 0))).collect()
    }

    /// The covariance of two combinations, given the kernels between their drugs.
    fn of(self, kernels: &[Matrix], [a, b]: [usize; 2], [c, d]: [usize; 2]) -> f64 {
        match self {
            Self::Members(k) => {
                let k = &kernels[k];
                (k[[a, c]] + k[[b, d]]) + (k[[a, d]] + k[[b, c]])
            }
            Self::Both(k, l) if k == l => {
                let k = &kernels[k];
                k[[a, c]] * k[[b, d]] + k[[a, d]] * k[[b, c]]
            }
            Self::Both(k, l) => {
                let (k, l) = (&kernels[k], &kernels[l]);
                (k[[a, c]] * l[[b, d]] + l[[a, c]] * k[[b, d]])
                    + (k[[a, d]] * l[[b, c]] + l[[a, d]] * k[[b, c]])
            }
        }
    }
}

/// The covariance between combinations. The first have drugs that are the kernels' rows, the second drugs that are their columns.
fn covariance(
    components: &[Component],
    kernels: &[Matrix],
    rows: &[[usize; 2]],
    columns: &[[usize; 2]],
) -> Matrix {
    let mut out = Matrix::zeros((rows.len(), columns.len()));
    out.axis_iter_mut(Axis(0)).into_par_iter().zip(rows).for_each(|(mut out, row)| {
        for (value, column) in out.iter_mut().zip(columns) {
            *value = components.iter().map(|one| one.weight * one.part.of(kernels, *row, *column)).sum();
        }
    });
    out
}

/// How cell lines vary together: `common 11ᵀ + features K + own I`; and the noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellVariances {
    /// The part that all cell lines share.
    pub common: f64,
    /// The part that their features explain.
    pub features: f64,
    /// The part of each single cell line.
    pub own: f64,
    /// The variance of the noise, in squared units of the target.
    pub noise: f64,
}

impl CellVariances {
    /// The covariance of the training cell lines.
    fn of(&self, kernel: &Matrix) -> Matrix {
        let mut out = kernel * self.features + self.common;
        out.diag_mut().mapv_inplace(|value| value + self.own);
        out
    }
}

/// The training part as a block: combinations × cell lines.
struct Training {
    cells: Vec<u32>,
    drugs: Vec<u32>,
    /// The drugs of each combination, as positions in `drugs`.
    combinations: Vec<[usize; 2]>,
    baseline: Array1<f64>,
    observed: Observed,
}

impl Training {
    fn of(train: &TrainView) -> Result<Self> {
        let responses = &train.screen.responses;
        if train.rows.is_empty() {
            return Err(Error::data("the training data have no responses"));
        }
        let (cells, cell_of) = train.entities(0);
        let (drugs, drug_of) = train.entities(1);
        let pair = |row: usize| {
            let mut pair = [1, 2].map(|side| drug_of[responses.side(side)[row] as usize]);
            pair.sort_unstable();
            pair
        };
        let mut combinations: Vec<[usize; 2]> = train.rows.iter().map(|row| pair(*row)).collect();
        combinations.sort_unstable();
        combinations.dedup();
        refuse_many(combinations.len())?;
        let place: HashMap<[usize; 2], usize> = combinations.iter().copied().zip(0..).collect();
        let shape = (combinations.len(), cells.len());
        let at = |_, row: usize| [place[&pair(row)], cell_of[responses.side(0)[row] as usize]];
        let block = ResponseBlock::new(train, shape, at);
        let overall = block.mean();
        let (mut values, weights) = block.into_means();
        let count = weights.mapv(|weight| if weight > 0.0 { 1.0 } else { 0.0 });
        let own = (values.sum_axis(Axis(0)) + PRIOR_RESPONSES * overall)
            / (count.sum_axis(Axis(0)) + PRIOR_RESPONSES);
        values = (values - &own) * &count;
        Ok(Self { cells, drugs, combinations, baseline: own, observed: Observed { values, weights } })
    }
}

fn refuse_many(combinations: usize) -> Result<()> {
    if combinations <= MOST_COMBINATIONS {
        return Ok(());
    }
    Err(Error::data(format!(
        "family \"kernel\" takes at most {MOST_COMBINATIONS} combinations, these data have {combinations}"
    ))
    .with_help("use family = \"boost\": its cost does not grow with the cube of their number"))
}

/// Peak memory in bytes of a fit to the combinations of a view.
///
/// # Errors
/// If there are too many combinations.
pub(crate) fn memory(train: &TrainView) -> Result<usize> {
    let combinations = train.groups(ValidationGroup::Combination).count();
    refuse_many(combinations)?;
    let FitSizes { entities, widths, .. } = FitSizes::new(train);
    let (cells, drugs) = (entities[0], entities[1]);
    let block = 8 * combinations * cells;
    let features = 3 * 4 * (cells * widths[0] + drugs * widths[1]);
    Ok(12 * block + 9 * 8 * combinations * combinations + 7 * 8 * (cells * cells + drugs * drugs) + features)
}

/// Fits the model to the combinations of a view.
///
/// # Errors
/// As the fit of [`crate::Kernel`].
pub(crate) fn fit(
    params: &KernelParams,
    train: &TrainView,
    context: &FitContext,
) -> Result<FittedCombinations> {
    let progress = context.progress;
    progress.step(0, 10);
    let training = Training::of(train)?;
    let screen = train.screen;
    let kernel_of = |side: usize, entities: &[u32], terms| {
        let whole = FeatureSpace::selected(screen.table(side), screen.sides[side].table, &train.features);
        SideKernel::new(&whole, screen.table(side), entities, terms, side == 0)
    };
    let mut drugs = kernel_of(1, &training.drugs, &params.drug_kernels)?;
    let mut kernels = vec![Matrix::eye(training.drugs.len())];
    kernels.extend(drugs.scale_terms());
    let of_cells = cell_terms(params, screen);
    let mut cells = kernel_of(0, &training.cells, &of_cells)?;
    let cell_kernel = if cells.scale_terms().is_empty() {
        Matrix::zeros((training.cells.len(), training.cells.len()))
    } else {
        cells.training()
    };
    let (mut components, noise) = weights(&training, &kernels, context)?;
    progress.step(6, 10);
    // A combination's own effect may be shared by all cell lines or differ between them. Here half of it counts as shared.
    // The next step finds how much of the rest is noise.
    let own = 0.5 * noise;
    let mut v = covariance(&components, &kernels, &training.combinations, &training.combinations);
    v.diag_mut().mapv_inplace(|value| value + own);
    let scale = v.diag().mean().unwrap_or(1.0);
    v /= scale;
    components.iter_mut().for_each(|one| one.weight /= scale);
    let rows = eigen(&v, "covariance of combinations")?;
    let plain = CellVariances { common: 0.0, features: 0.0, own: scale, noise: 0.5 * noise };
    let filled = filled(params, &training, &v, &rows, &cell_kernel, plain, progress)?;
    let variances = choose(&filled, &rows, &cell_kernel, plain, progress)?;
    progress.step(9, 10);
    let coefficients =
        solved(params, &training, &v, &rows, &variances.of(&cell_kernel), variances.noise, progress)?;
    FittedCombinations::new(model::Fitted {
        params: params.clone(),
        target: screen.target.clone(),
        cell_ids: ids(screen, 0, &training.cells),
        drug_ids: ids(screen, 1, &training.drugs),
        cells,
        drugs,
        components,
        own: own / scale,
        variances,
        baseline: training.baseline,
        combinations: training.combinations,
        coefficients,
    })
}

/// The kernels of cell lines: the configured ones, otherwise a kernel on the single-agent effects if these are known. Here
/// they say more about a cell line than its expression. Otherwise the kernels that suit the features.
fn cell_terms(params: &KernelParams, screen: &Screen) -> Vec<KernelTerm> {
    if !params.cell_kernels.is_empty() || screen.table(0).block(SINGLE_AGENT).is_none() {
        return params.cell_kernels.clone();
    }
    vec![KernelTerm {
        features: SINGLE_AGENT.into(),
        kernel: KernelKind::Rbf,
        weight: 1.0,
        lengthscale: 1.0,
        standardise: false,
        times: Vec::new(),
    }]
}

fn ids(screen: &Screen, side: usize, entities: &[u32]) -> Vec<String> {
    entities.iter().map(|entity| screen.table(side).ids()[*entity as usize].clone()).collect()
}

/// Cell lines that were measured with the same combinations, and these combinations as positions among the deciding ones.
struct Pattern {
    rows: Vec<usize>,
    values: Matrix,
}

impl Pattern {
    /// The part of a matrix over the deciding combinations that belongs to the pattern.
    fn of(&self, matrix: &Matrix) -> Matrix {
        Matrix::from_shape_fn((self.rows.len(), self.rows.len()), |(i, j)| {
            matrix[[self.rows[i], self.rows[j]]]
        })
    }
}

/// The cell lines that the weights are chosen on, grouped by the deciding combinations that were measured in them.
fn patterns(training: &Training, deciding: &[usize]) -> Vec<Pattern> {
    let mut by_rows: Vec<(Vec<usize>, Vec<usize>)> = Vec::new();
    for cell in 0..training.cells.len() {
        let measured = |place: &usize| training.observed.weights[[deciding[*place], cell]] > 0.0;
        let rows: Vec<usize> = (0..deciding.len()).filter(measured).collect();
        match by_rows.iter_mut().find(|(other, _)| *other == rows) {
            Some((_, cells)) => cells.push(cell),
            None => by_rows.push((rows, vec![cell])),
        }
    }
    by_rows.sort_by_key(|(rows, cells)| std::cmp::Reverse((cells.len(), rows.len())));
    let mut cubes = 0;
    by_rows.retain(|(rows, _)| {
        let first = cubes == 0;
        cubes += rows.len().pow(3);
        !rows.is_empty() && (first || cubes <= DECIDING_CUBES)
    });
    let pattern = |(rows, cells): (Vec<usize>, Vec<usize>)| {
        let value =
            |(row, cell): (usize, usize)| training.observed.values[[deciding[rows[row]], cells[cell]]];
        let values = Matrix::from_shape_fn((rows.len(), cells.len()), value);
        Pattern { rows, values }
    };
    by_rows.into_iter().map(pattern).collect()
}

/// The components of the covariance of combinations with their weights, and the variance of single responses.
fn weights(training: &Training, kernels: &[Matrix], context: &FitContext) -> Result<(Vec<Component>, f64)> {
    let every = training.combinations.len().div_ceil(DECIDING).max(1);
    let deciding: Vec<usize> = (0..training.combinations.len()).step_by(every).collect();
    let patterns = patterns(training, &deciding);
    let count: usize = patterns.iter().map(|pattern| pattern.values.len()).sum();
    let squares: f64 = patterns.iter().flat_map(|pattern| &pattern.values).map(|value| value * value).sum();
    let variance = squares / count.max(1) as f64;
    let parts = Part::all(kernels.len());
    if variance <= 0.0 {
        // The responses do not vary.
        return Ok((parts.into_iter().map(|part| Component { part, weight: 0.0 }).collect(), 1.0));
    }
    let matrices = components_of(&parts, kernels, training, &deciding);
    // Components start with equal shares of the variance.
    let mean = |at: usize| matrices[at].diag().mean().unwrap_or(0.0);
    let share = variance / (parts.len() + 1) as f64;
    let mut found: Vec<f64> = (0..parts.len()).map(|at| share / mean(at).max(1e-12)).collect();
    let scales: Vec<f64> = (0..parts.len()).map(mean).chain([1.0]).collect();
    found.push(share);
    for _ in 0..ITERATIONS {
        context.progress.check()?;
        let next = improved(&patterns, &matrices, &found)?;
        let moved =
            next.iter().zip(&found).zip(&scales).map(|((next, old), scale)| (next - old).abs() * scale);
        let moved = moved.fold(0.0, f64::max);
        found = next;
        if moved < SETTLED * variance {
            break;
        }
    }
    let noise = found.pop().unwrap_or(share);
    let component = |(part, weight)| Component { part, weight };
    Ok((parts.into_iter().zip(found).map(component).collect(), noise))
}

fn components_of(parts: &[Part], kernels: &[Matrix], training: &Training, rows: &[usize]) -> Vec<Matrix> {
    let combinations: Vec<[usize; 2]> = rows.iter().map(|row| training.combinations[*row]).collect();
    let one = |part: &Part| {
        covariance(&[Component { part: *part, weight: 1.0 }], kernels, &combinations, &combinations)
    };
    parts.iter().map(one).collect()
}

/// One step of minorisation–maximisation: `w ← w √(Σ αᵀKα / Σ tr V⁻¹K)` with `α = V⁻¹y`.
fn improved(patterns: &[Pattern], matrices: &[Matrix], weights: &[f64]) -> Result<Vec<f64>> {
    let mut sums = vec![(0.0, 0.0); weights.len()];
    let last = weights.len() - 1;
    let mut whole = Matrix::zeros(matrices.first().map_or((0, 0), Matrix::dim));
    for (matrix, weight) in matrices.iter().zip(weights) {
        ndarray::Zip::from(&mut whole).and(matrix).par_for_each(|v, k| *v += weight * k);
    }
    for pattern in patterns {
        let mut v = pattern.of(&whole);
        v.diag_mut().mapv_inplace(|value| value + weights[last]);
        let inverted = inverse(&v, "covariance of combinations")?;
        let alpha = product(inverted.view(), pattern.values.view());
        let outer = product(alpha.view(), alpha.t());
        let cells = pattern.values.ncols() as f64;
        let found: Vec<(f64, f64)> = matrices
            .par_iter()
            .map(|matrix| {
                let matrix = pattern.of(matrix);
                let sum = |with: &Matrix| with.iter().zip(&matrix).map(|(a, b)| a * b).sum::<f64>();
                (sum(&outer), cells * sum(&inverted))
            })
            .collect();
        let of_noise = (outer.diag().sum(), cells * inverted.diag().sum());
        for (sum, (squares, trace)) in sums.iter_mut().zip(found.into_iter().chain([of_noise])) {
            *sum = (sum.0 + squares, sum.1 + trace);
        }
    }
    let step = |(weight, (squares, trace)): (&f64, &(f64, f64))| {
        if *trace > 0.0 { weight * (squares.max(0.0) / trace).sqrt() } else { 0.0 }
    };
    let mut next: Vec<f64> = weights.iter().zip(&sums).map(step).collect();
    // Without noise the covariance would be singular.
    let total: f64 = next.iter().sum();
    next[last] = next[last].max(1e-6 * total);
    Ok(next)
}

/// The coefficients `(V ⊗ S + σ²)⁻¹ y` of the observed responses.
fn solved(
    params: &KernelParams,
    training: &Training,
    v: &Matrix,
    rows: &Eigen,
    cells: &Matrix,
    noise: f64,
    progress: &dyn Progress,
) -> Result<Matrix> {
    let columns = eigen(cells, "covariance of cell lines")?;
    let mean = columns.values.mean().unwrap_or(1.0);
    let gradients = Gradients {
        decomposed: Decomposed { rows, columns: &columns },
        rows: v,
        columns: cells,
        steps: params.max_iterations,
        tolerance: params.tolerance,
    };
    gradients.solve(&training.observed, Shares { features: 1.0, noise: noise / mean }, None, progress)
}

/// The block with expectations in place of missing responses, each cell line by itself.
fn filled(
    params: &KernelParams,
    training: &Training,
    v: &Matrix,
    rows: &Eigen,
    kernel: &Matrix,
    variances: CellVariances,
    progress: &dyn Progress,
) -> Result<Matrix> {
    let observed = &training.observed;
    if observed.weights.iter().all(|weight| *weight > 0.0) {
        return Ok(observed.values.clone());
    }
    let cells = variances.of(kernel);
    let coefficients = solved(params, training, v, rows, &cells, variances.noise, progress)?;
    let mut block = product(product(v.view(), coefficients.view()).view(), cells.view());
    ndarray::Zip::from(&mut block).and(&observed.values).and(&observed.weights).for_each(
        |out, value, weight| {
            if *weight > 0.0 {
                *out = *value;
            }
        },
    );
    Ok(block)
}

/// The variances of cell lines and the noise that maximise the marginal likelihood of a complete block. They are found by
/// pattern search on their logarithms.
fn choose(
    block: &Matrix,
    rows: &Eigen,
    kernel: &Matrix,
    from: CellVariances,
    progress: &dyn Progress,
) -> Result<CellVariances> {
    let turned = product_of_columns(rows.vectors.view(), block.view());
    let with_features = kernel.iter().any(|value| *value != 0.0);
    let total = from.own + from.noise;
    let at = |point: [f64; 4]| {
        let [common, features, own, noise] = point.map(|log| total * log.exp());
        CellVariances { common, features: if with_features { features } else { 0.0 }, own, noise }
    };
    let loss = |point: [f64; 4]| -> Result<f64> {
        let variances = at(point);
        let columns = eigen(&variances.of(kernel), "covariance of cell lines")?;
        let both = product(turned.view(), columns.vectors.view());
        let one = |((i, j), value): ((usize, usize), &f64)| {
            let variance = rows.values[i] * columns.values[j] + variances.noise;
            variance.ln() + value * value / variance
        };
        Ok(both.indexed_iter().map(one).sum())
    };
    let mut point = [0.2f64.ln(), 0.2f64.ln(), (from.own / total).ln(), (from.noise / total).max(1e-3).ln()];
    let mut best = loss(point)?;
    let mut step = 1.0;
    while step > 0.2 {
        progress.check()?;
        let mut moved = false;
        for axis in (0..4).filter(|axis| with_features || *axis != 1) {
            for sign in [1.0, -1.0] {
                let mut tried = point;
                tried[axis] += sign * step;
                if !(-9.0..=3.0).contains(&tried[axis]) {
                    continue;
                }
                let found = loss(tried)?;
                if found < best {
                    (point, best, moved) = (tried, found, true);
                    break;
                }
            }
        }
        if !moved {
            step /= 2.0;
        }
    }
    Ok(at(point))
}
