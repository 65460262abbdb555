//! Fitting: the baseline, the profiles, the choice of parameters, the solution.

use halfmax_core::{
    Error, FeatureSpace, FitContext, FitSizes, Model, ResponseBlock, Result, Seed, TrainView,
    ValidationGroup, deal,
};
use ndarray::{Array1, Axis, Zip};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::features::{FittedTerm, SideKernel};
use crate::linalg::{Eigen, Matrix, eigen, product, product_of_columns, product_of_rows};
use crate::model::{FittedKernel, FittedSide};
use crate::params::{KernelKind, KernelParams};
use crate::profile::{Observed, Profile};
use crate::solve::{Decomposed, Gradients, LeaveOneOut, Shares, weighted_mean_square};

/// A Kronecker kernel model with checked parameters, ready to fit. Made by [`KernelParams::check`].
#[derive(Clone, Debug)]
pub struct Kernel {
    pub(crate) params: KernelParams,
}

/// Maximum number of entities of a side. Beyond it, decomposing matrices over its pairs takes many minutes.
const MOST_ENTITIES: usize = 6_000;
/// The start of the search for shares: typical of screens of cell lines.
const FIRST: Shares = Shares { features: 0.7, noise: 0.6 };
/// Shrinkages to try for unseen pairs. Other evaluations use the first one, unless it is set.
const SHRINKAGES: [f64; 3] = [0.2, 0.1, 0.05];
/// Steps of expectation-maximisation that start from profiles of nearly the same block.
const ITERATIONS_ON: usize = 3;
/// Share of the responses that are set aside to choose parameters for unseen pairs.
const SET_ASIDE: f64 = 0.1;
/// If there are more rows, parameters are chosen on this many: only two numbers are chosen, and the time grows with the square.
const ROWS_ASKED: usize = 400;
/// Number of parts in which groups of entities are held out to choose parameters.
const GROUP_PARTS: usize = 5;

impl Model for Kernel {
    type Fitted = FittedKernel;

    /// # Errors
    /// If there are no responses, if the screen has more than two sides or too many entities, if a kernel names features
    /// that do not exist or do not suit it, if a feature is infinite, if a matrix is singular or not finite, or if the
    /// user stopped the fit.
    fn fit(&self, train: &TrainView, context: &FitContext) -> Result<FittedKernel> {
        let fit = || Fit::new(&self.params, train, context)?.run();
        rayon::join(fit, || ()).0
    }

    fn memory(&self, train: &TrainView, context: &FitContext) -> Result<usize> {
        let screen = train.screen;
        screen.expect_two_sides("kernel")?;
        let FitSizes { entities, widths, .. } = FitSizes::new(train);
        refuse_many(train, [entities[0], entities[1]])?;
        let row_side = row_side(&self.params, context);
        let (rows, columns) = (entities[row_side], entities[1 - row_side]);
        let (block, of_rows, of_columns) = (8 * rows * columns, 8 * rows * rows, 8 * columns * columns);
        // The features of both sides, as they are and centred.
        let features = 3 * 4 * (rows * widths[row_side] + columns * widths[1 - row_side]);
        // The peak is either the covariance of profiles and its decomposition, while that of the rows is made, or the
        // solution, whose steps hold a dozen blocks.
        let decomposed = PROFILE_BLOCKS * block + DECOMPOSED * (of_columns + of_rows);
        let solved = SOLUTION_BLOCKS * block + 2 * of_columns + 4 * of_rows;
        let aside = match context.validation {
            ValidationGroup::Response => 5 * block + 2 * of_columns,
            _ => 0,
        };
        Ok(decomposed.max(solved) + aside + features)
    }
}

/// Copies of the block of responses in memory while profiles are estimated.
const PROFILE_BLOCKS: usize = 6;
/// Copies of the block of responses in memory while coefficients are computed.
const SOLUTION_BLOCKS: usize = 17;
/// Number of matrices of the same size in memory while a matrix is decomposed, including the matrix and its sources.
const DECOMPOSED: usize = 7;

/// The side whose entities are the rows. Profiles run over the side whose entities are seen again; if both sides are, over the drugs.
fn row_side(params: &KernelParams, context: &FitContext) -> usize {
    let known = |side| params.seen_again.includes(side, context.validation);
    usize::from(known(0) && !known(1))
}

/// Refuses a side with too many entities to decompose its matrices.
fn refuse_many(train: &TrainView, entities: [usize; 2]) -> Result<()> {
    let Some(side) = entities.iter().position(|count| *count > MOST_ENTITIES) else { return Ok(()) };
    let (count, entity_kind) = (entities[side], train.screen.table(side).entity_kind());
    Err(Error::data(format!(
        "family \"kernel\" takes at most {MOST_ENTITIES} {entity_kind}s, these data have {count}"
    ))
    .with_help("use family = \"boost\": its cost does not grow with the cube of their number"))
}

struct Fit<'a> {
    params: &'a KernelParams,
    context: &'a FitContext<'a>,
    train: &'a TrainView<'a>,
    /// The side whose entities are the rows. The response profiles of the other side are known.
    row_side: usize,
    /// The training entities of both sides of the screen, as positions in their tables.
    entities: [Vec<u32>; 2],
    baseline: Array1<f64>,
    observed: Observed,
}

impl<'a> Fit<'a> {
    fn new(params: &'a KernelParams, train: &'a TrainView<'a>, context: &'a FitContext<'a>) -> Result<Self> {
        let screen = train.screen;
        if train.rows.is_empty() {
            return Err(Error::data("the training data have no responses"));
        }
        screen.expect_two_sides("kernel")?;
        let row_side = row_side(params, context);
        let (cells, drugs) = (train.entities(0), train.entities(1));
        let (entities, numbers) = ([cells.0, drugs.0], [cells.1, drugs.1]);
        refuse_many(train, [entities[0].len(), entities[1].len()])?;
        let shape = (entities[row_side].len(), entities[1 - row_side].len());
        let responses = &screen.responses;
        let place = |_, row: usize| {
            [row_side, 1 - row_side].map(|side| numbers[side][responses.side(side)[row] as usize])
        };
        let block = ResponseBlock::new(train, shape, place);
        let baseline = column_means(&block.sums, &block.weights, block.mean());
        let (mut values, weights) = block.into_means();
        Zip::indexed(&mut values).and(&weights).for_each(|(_, column), value, weight| {
            if *weight > 0.0 {
                *value -= baseline[column];
            }
        });
        let observed = Observed { values, weights };
        Ok(Self { params, context, train, row_side, entities, baseline, observed })
    }

    fn side_kernel(&self, side: usize) -> Result<SideKernel> {
        let screen = self.train.screen;
        let terms = if side == 0 { &self.params.cell_kernels } else { &self.params.drug_kernels };
        let whole =
            FeatureSpace::selected(screen.table(side), screen.sides[side].table, &self.train.features);
        SideKernel::new(&whole, screen.table(side), &self.entities[side], terms, side == 0)
    }

    fn run(self) -> Result<FittedKernel> {
        let progress = self.context.progress;
        progress.step(0, 10);
        let column_side = 1 - self.row_side;
        let question = Question::new(&self)?;
        // Independent parts run in parallel.
        let profiles = || {
            let (shrinkage, near) = question.profile(self.params);
            let profile = self.profile(&self.observed, shrinkage, near)?;
            let columns = eigen(&profile.covariance, "covariance of response profiles")?;
            let unseen = self.columns(column_side, &profile, &(&self.baseline + &profile.mean))?;
            Ok::<_, Error>((profile, columns, unseen))
        };
        let features = || {
            let mut rows = self.side_kernel(self.row_side)?;
            let kernels = rows.scale_terms();
            let kernel = weighted(&rows, &kernels);
            let decomposed = eigen(&kernel, "kernel of the features")?;
            Ok::<_, Error>((rows, kernels, kernel, decomposed))
        };
        let (profiles, features) = rayon::join(profiles, features);
        let (profile, columns, (column_kernel, column_ridge)) = profiles?;
        let (mut rows, kernels, kernel, decomposed) = features?;
        progress.step(4, 10);
        let (kernel, row_eigen, shares) =
            self.choose(&question, &mut rows, kernels, (kernel, decomposed), &profile, &columns)?;
        progress.step(7, 10);
        let covariance = row_covariance(&kernel, shares);
        let mean = &profile.mean;
        let centred = centred(&self.observed, mean);
        let gradients = self.gradients(&row_eigen, &columns, &covariance, &profile.covariance);
        let coefficients = gradients.solve(&centred, shares, None, progress)?;
        let baseline = &self.baseline + mean;
        let side = |side: usize, kernel: SideKernel| {
            let table = self.train.screen.table(side);
            FittedSide {
                name: self.train.screen.sides[side].name.clone(),
                ids: self.entities[side].iter().map(|at| table.ids()[*at as usize].clone()).collect(),
                kernel,
            }
        };
        let sides = [side(self.row_side, rows), side(column_side, column_kernel)];
        FittedKernel::new(crate::model::Fitted {
            params: self.params.clone(),
            target: self.train.screen.target.clone(),
            row_side: self.row_side,
            sides,
            shares,
            noise: shares.noise * columns.values.mean().unwrap_or(1.0),
            column_ridge,
            baseline,
            covariance: profile.covariance,
            coefficients,
        })
    }

    fn profile(&self, observed: &Observed, shrinkage: f64, from: Option<&Profile>) -> Result<Profile> {
        let most = self.params.profile_iterations;
        let iterations = if from.is_some() { most.min(ITERATIONS_ON) } else { most };
        Profile::estimate(observed, shrinkage, iterations, from, self.context.progress)
    }

    fn gradients<'b>(
        &self,
        rows: &'b Eigen,
        columns: &'b Eigen,
        covariance: &'b Matrix,
        of_columns: &'b Matrix,
    ) -> Gradients<'b> {
        Gradients {
            decomposed: Decomposed { rows, columns },
            rows: covariance,
            columns: of_columns,
            steps: self.params.max_iterations,
            tolerance: self.params.tolerance,
        }
    }

    /// Chooses the weights of the row kernel's terms and the shares, on training data only. It asks the same question as
    /// the evaluation: it leaves out whole rows, groups of rows, or single responses.
    fn choose(
        &self,
        question: &Question,
        side: &mut SideKernel,
        mut kernels: Vec<Matrix>,
        (mut kernel, mut rows): (Matrix, Eigen),
        profile: &Profile,
        columns: &Eigen,
    ) -> Result<(Matrix, Eigen, Shares)> {
        let progress = self.context.progress;
        let fixed = Shares {
            features: if kernels.is_empty() {
                0.0
            } else {
                self.params.feature_share.unwrap_or(FIRST.features)
            },
            noise: self.params.noise_ratio.unwrap_or(FIRST.noise),
        };
        let weights = &self.observed.weights;
        let (mut shares, mut loss) = self.search(
            &mut question.ask(&kernel, &rows, profile, columns, weights)?,
            fixed,
            kernels.is_empty(),
        )?;
        if matches!(question, Question::Responses(_)) {
            return Ok((kernel, rows, shares));
        }
        let changes = self.changes(side);
        for (term, alternatives) in &changes {
            for change in alternatives {
                progress.check()?;
                let mut tried_side = side.clone();
                let tried_term = change.of(&mut tried_side, *term, &kernels[*term]);
                let own = std::mem::replace(&mut kernels[*term], tried_term);
                let tried = weighted(&tried_side, &kernels);
                let decomposed = eigen(&tried, "kernel of the features")?;
                let found = question.ask(&tried, &decomposed, profile, columns, weights)?.loss(shares)?;
                // A gain of less than a thousandth is noise.
                if found < 0.999 * loss {
                    (kernel, rows, loss) = (tried, decomposed, found);
                    *side = tried_side;
                    break;
                }
                kernels[*term] = own;
            }
        }
        if !changes.is_empty() {
            let mut asked = question.ask(&kernel, &rows, profile, columns, weights)?;
            (shares, _) = self.search(&mut asked, shares, false)?;
        }
        Ok((kernel, rows, shares))
    }

    /// The changes to try for the terms of a side's kernel, in order. Each entry lists changes of a term; the first that helps is kept.
    fn changes(&self, side: &SideKernel) -> Vec<(usize, [Change; 2])> {
        let mut changes = Vec::new();
        if self.params.tune_weights && side.terms.len() > 1 {
            let weights = [Change::Weight(3.0), Change::Weight(1.0 / 3.0)];
            changes.extend((0..side.terms.len()).map(|term| (term, weights)));
        }
        if self.params.tune_lengthscales {
            let alone =
                |term: &FittedTerm| term.factors.len() == 1 && term.factors[0].kernel == KernelKind::Rbf;
            let scales = [Change::Lengthscale(0.5), Change::Lengthscale(2.0)];
            let terms = side.terms.iter().enumerate().filter(|(_, term)| alone(term));
            changes.extend(terms.map(|(term, _)| (term, scales)));
        }
        changes
    }

    /// Pattern search over the shares that are not set (Hooke & Jeeves 1961), with halving steps.
    fn search(&self, question: &mut Asked, from: Shares, without_features: bool) -> Result<(Shares, f64)> {
        let logit = |share: f64| (share / (1.0 - share)).ln();
        let share = |logit: f64| 1.0 / (1.0 + (-logit).exp());
        let free =
            [self.params.feature_share.is_none() && !without_features, self.params.noise_ratio.is_none()];
        let at = |point: [f64; 2]| Shares {
            features: if free[0] { share(point[0]) } else { from.features },
            noise: point[1].exp(),
        };
        let mut point = [if free[0] { logit(from.features) } else { 0.0 }, from.noise.ln()];
        let mut best = question.loss(at(point))?;
        let mut step = 0.7;
        while step > 0.2 {
            self.context.progress.check()?;
            let mut moved = false;
            for axis in (0..2).filter(|axis| free[*axis]) {
                for sign in [1.0, -1.0] {
                    let mut tried = point;
                    tried[axis] += sign * step;
                    if !(-4.0..=4.0).contains(&tried[axis]) {
                        continue;
                    }
                    let loss = question.loss(at(tried))?;
                    if loss < best {
                        (point, best, moved) = (tried, loss, true);
                        break;
                    }
                }
            }
            if !moved {
                step /= 2.0;
            }
        }
        Ok((at(point), best))
    }

    /// The kernel between columns, and the ridge for predicting a new column from its features. Both are chosen by
    /// leaving training columns out.
    fn columns(&self, side: usize, profile: &Profile, baseline: &Array1<f64>) -> Result<(SideKernel, f64)> {
        let mut columns = self.side_kernel(side)?;
        let kernels = columns.scale_terms();
        if kernels.is_empty() {
            return Ok((columns, 1.0));
        }
        let kernel = weighted(&columns, &kernels);
        let found = eigen(&kernel, "kernel of the features")?;
        let mut profiles = (&profile.filled + baseline).reversed_axes().as_standard_layout().into_owned();
        let mean = profiles.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(profiles.ncols()));
        profiles -= &mean;
        let turned = product_of_columns(found.vectors.view(), profiles.view());
        let mut best = (f64::INFINITY, 1.0);
        for exponent in -6..=6 {
            let ridge = f64::from(exponent).exp2();
            let inverse = found.values.mapv(|value| 1.0 / (value + ridge));
            let scaled = &turned * &inverse.view().insert_axis(Axis(1));
            let solved = product(found.vectors.view(), scaled.view());
            let own = found.vectors.mapv(|value| value * value).dot(&inverse);
            let residuals = solved / own.insert_axis(Axis(1));
            let loss: f64 = residuals.iter().map(|value| value * value).sum();
            if loss < best.0 {
                best = (loss, ridge);
            }
        }
        Ok((columns, best.1))
    }
}

/// A change of a kernel term by a factor.
#[derive(Clone, Copy)]
enum Change {
    /// Changes the weight. The weights of all terms are rescaled to add up to 1.
    Weight(f64),
    /// Changes the length scale of the term's only kernel, an RBF.
    Lengthscale(f64),
}

impl Change {
    /// Changes a term. Returns its new kernel between the training entities.
    fn of(self, side: &mut SideKernel, term: usize, kernel: &Matrix) -> Matrix {
        match self {
            Self::Weight(factor) => {
                side.terms[term].weight *= factor;
                let total: f64 = side.terms.iter().map(|term| term.weight).sum();
                side.terms.iter_mut().for_each(|term| term.weight /= total);
                kernel.clone()
            }
            Self::Lengthscale(factor) => {
                let square = factor * factor;
                side.terms[term].factors.iter_mut().for_each(|own| own.scale *= square);
                kernel.mapv(|value| value.powf(1.0 / square))
            }
        }
    }
}

/// What is left out to choose parameters.
enum Question<'a> {
    /// Leave one row out.
    Rows,
    /// Leave groups of rows out. Each part lists the rows that it holds out.
    Groups(Vec<Vec<bool>>),
    /// Leave single responses out.
    Responses(Box<SetAside<'a>>),
}

/// Responses set aside, and the profiles without them.
struct SetAside<'a> {
    fit: &'a Fit<'a>,
    /// The shrinkage of the covariance of profiles.
    shrinkage: f64,
    /// The rows with held-out responses.
    rows: Vec<usize>,
    profile: Profile,
    columns: Eigen,
    /// The observed responses of these rows, minus the mean profile.
    observed: Matrix,
    /// The remaining responses, minus the mean profile.
    kept: Observed,
    /// Weights of the responses set aside.
    held: Matrix,
}

/// A question about one kernel. Its decompositions work for any shares.
enum Asked<'q> {
    Rows(LeaveOneOut<'q>),
    Groups(Vec<HeldOut>, &'q Eigen, &'q Matrix),
    Responses { aside: &'q SetAside<'q>, kernel: Matrix, rows: Eigen, last: Option<Matrix> },
}

impl<'a> Question<'a> {
    /// The shrinkage of the covariance of profiles, and profiles that are near those of the whole block.
    fn profile(&self, params: &KernelParams) -> (f64, Option<&Profile>) {
        match self {
            Self::Responses(aside) => (aside.shrinkage, Some(&aside.profile)),
            _ => (params.profile_shrinkage.unwrap_or(SHRINKAGES[0]), None),
        }
    }

    fn new(fit: &'a Fit<'a>) -> Result<Self> {
        Ok(match fit.context.validation {
            ValidationGroup::Groups(side, groups) if side == fit.row_side => {
                let of_row: Vec<usize> =
                    fit.entities[side].iter().map(|entity| groups[*entity as usize]).collect();
                let parts = parts(&of_row, fit.context.seed);
                if parts.len() < 2 { Self::Rows } else { Self::Groups(parts) }
            }
            ValidationGroup::Response => match SetAside::new(fit)? {
                Some(aside) => Self::Responses(Box::new(aside)),
                None => Self::Rows,
            },
            _ => Self::Rows,
        })
    }

    fn ask<'q>(
        &'q self,
        kernel: &'q Matrix,
        rows: &'q Eigen,
        profile: &Profile,
        columns: &'q Eigen,
        weights: &'q Matrix,
    ) -> Result<Asked<'q>> {
        Ok(match self {
            Self::Rows => {
                Asked::Rows(LeaveOneOut::new(Decomposed { rows, columns }, &profile.filled, weights))
            }
            Self::Groups(parts) => {
                let turned = product(profile.filled.view(), columns.vectors.view());
                let held =
                    parts.iter().map(|part| HeldOut::new(kernel, part, &turned)).collect::<Result<_>>()?;
                Asked::Groups(held, columns, weights)
            }
            Self::Responses(aside) => {
                let kernel = kernel.select(Axis(0), &aside.rows).select(Axis(1), &aside.rows);
                let rows = eigen(&kernel, "kernel of the features")?;
                Asked::Responses { aside, kernel, rows, last: None }
            }
        })
    }
}

impl Asked<'_> {
    /// The mean squared error of predictions for the part that is left out.
    fn loss(&mut self, shares: Shares) -> Result<f64> {
        match self {
            Self::Rows(rows) => Ok(rows.loss(shares)),
            Self::Groups(parts, columns, weights) => {
                let mut residuals = Matrix::zeros(weights.raw_dim());
                parts.iter().for_each(|part| part.residuals(columns, shares, &mut residuals));
                Ok(weighted_mean_square(&residuals, weights))
            }
            Self::Responses { aside, kernel, rows, last } => {
                let SetAside { fit, profile, columns, observed, kept, held, .. } = aside;
                let covariance = row_covariance(kernel, shares);
                let mut gradients = fit.gradients(rows, columns, &covariance, &profile.covariance);
                // The settings are only compared, none is kept.
                gradients.tolerance = gradients.tolerance.max(COARSE_TOLERANCE);
                let solved = gradients.solve(kept, shares, last.take(), fit.context.progress)?;
                let fitted =
                    product(product(covariance.view(), solved.view()).view(), profile.covariance.view());
                *last = Some(solved);
                let residuals = observed - &fitted;
                Ok(weighted_mean_square(&residuals, held))
            }
        }
    }
}

const COARSE_TOLERANCE: f64 = 1e-2;

impl<'a> SetAside<'a> {
    /// Sets responses aside; `None` if there are too few. Unless the shrinkage is set, uses the one with which the
    /// profiles alone predict these responses best.
    fn new(fit: &'a Fit<'a>) -> Result<Option<Self>> {
        let mut rows: Vec<usize> = (0..fit.observed.values.nrows()).collect();
        rows.shuffle(&mut ChaCha8Rng::seed_from_u64(fit.context.seed.derive(SEED_ROWS).value()));
        rows.truncate(ROWS_ASKED);
        rows.sort_unstable();
        let (left, held) = set_aside(&fit.observed, &rows, fit.context.seed);
        if held.sum() == 0.0 {
            return Ok(None);
        }
        let held = held.select(Axis(0), &rows);
        if let Some(shrinkage) = fit.params.profile_shrinkage {
            return Self::shrunk(fit, &rows, &left, held, (shrinkage, None)).map(Some);
        }
        let mut best = Self::shrunk(fit, &rows, &left, held, (SHRINKAGES[0], None))?;
        let from = Shares { features: 0.0, noise: fit.params.noise_ratio.unwrap_or(FIRST.noise) };
        let (shares, mut least) = fit.search(&mut best.profiles_alone()?, from, true)?;
        for shrinkage in &SHRINKAGES[1..] {
            let held = best.held.clone();
            let aside = Self::shrunk(fit, &rows, &left, held, (*shrinkage, Some(&best.profile)))?;
            let loss = aside.profiles_alone()?.loss(shares)?;
            if loss < least {
                (best, least) = (aside, loss);
            }
        }
        Ok(Some(best))
    }

    fn shrunk(
        fit: &'a Fit<'a>,
        rows: &[usize],
        left: &Observed,
        held: Matrix,
        (shrinkage, near): (f64, Option<&Profile>),
    ) -> Result<Self> {
        let profile = fit.profile(left, shrinkage, near)?;
        let columns = eigen(&profile.covariance, "covariance of response profiles")?;
        let kept = centred(left, &profile.mean);
        let kept = Observed {
            values: kept.values.select(Axis(0), rows),
            weights: kept.weights.select(Axis(0), rows),
        };
        let observed = fit.observed.values.select(Axis(0), rows) - &profile.mean;
        Ok(Self { fit, shrinkage, rows: rows.to_vec(), profile, columns, observed, kept, held })
    }

    /// The question without a kernel between rows.
    fn profiles_alone(&self) -> Result<Asked<'_>> {
        let kernel = Matrix::zeros((self.rows.len(), self.rows.len()));
        let rows = eigen(&kernel, "kernel of the features")?;
        Ok(Asked::Responses { aside: self, kernel, rows, last: None })
    }
}

/// Rows that are held out, and the decomposed kernel of the other rows.
struct HeldOut {
    held: Vec<usize>,
    /// Their responses in the components of the columns.
    responses: Matrix,
    /// Their kernel with the eigenvectors of the other rows.
    between: Matrix,
    rows: Eigen,
    /// The other rows' responses in the components of both sides.
    turned: Matrix,
}

impl HeldOut {
    fn new(kernel: &Matrix, part: &[bool], responses: &Matrix) -> Result<Self> {
        let which = |held: bool| (0..part.len()).filter(|row| part[*row] == held).collect::<Vec<usize>>();
        let (kept, held) = (which(false), which(true));
        let pick = |a: &[usize]| kernel.select(Axis(0), a).select(Axis(1), &kept);
        let rows = eigen(&pick(&kept), "kernel of the features")?;
        let turned = product_of_columns(rows.vectors.view(), responses.select(Axis(0), &kept).view());
        let between = product(pick(&held).view(), rows.vectors.view());
        Ok(Self { responses: responses.select(Axis(0), &held), held, between, rows, turned })
    }

    fn residuals(&self, columns: &Eigen, shares: Shares, out: &mut Matrix) {
        let noise = Decomposed { rows: &self.rows, columns }.noise(shares);
        let mut scaled = self.turned.clone();
        Zip::indexed(&mut scaled).for_each(|(row, column), value| {
            let spread = shares.features * self.rows.values[row] + 1.0 - shares.features;
            let variance = columns.values[column];
            *value *= shares.features * variance / (spread * variance + noise);
        });
        let rest = &self.responses - product(self.between.view(), scaled.view());
        let rest = product_of_rows(rest.view(), columns.vectors.view());
        for (row, rest) in self.held.iter().zip(rest.rows()) {
            out.row_mut(*row).assign(&rest);
        }
    }
}

/// Parts of whole groups: for each part, the rows that it holds out.
fn parts(of_row: &[usize], seed: Seed) -> Vec<Vec<bool>> {
    let part_of = deal(of_row, GROUP_PARTS, seed.derive(SEED_PARTS));
    let used = part_of.iter().max().map_or(0, |last| last + 1);
    (0..used).map(|part| part_of.iter().map(|own| *own == part).collect()).collect()
}

const SEED_PARTS: u64 = 11;
const SEED_ASIDE: u64 = 12;
const SEED_ROWS: u64 = 13;

/// The block without a tenth of the responses of some rows, and the weights of these responses.
pub(crate) fn set_aside(observed: &Observed, rows: &[usize], seed: Seed) -> (Observed, Matrix) {
    let pairs = rows.iter().flat_map(|row| (0..observed.weights.ncols()).map(move |column| (*row, column)));
    let mut there: Vec<(usize, usize)> = pairs.filter(|at| observed.weights[*at] > 0.0).collect();
    there.shuffle(&mut ChaCha8Rng::seed_from_u64(seed.derive(SEED_ASIDE).value()));
    let mut kept = observed.clone();
    let mut held = Matrix::zeros(observed.weights.raw_dim());
    for at in &there[..(there.len() as f64 * SET_ASIDE) as usize] {
        held[*at] = kept.weights[*at];
        kept.weights[*at] = 0.0;
        kept.values[*at] = 0.0;
    }
    (kept, held)
}

/// The observed responses minus the mean profile.
fn centred(observed: &Observed, mean: &Array1<f64>) -> Observed {
    let mut values = &observed.values - mean;
    Zip::from(&mut values).and(&observed.weights).for_each(|value, weight| {
        if *weight == 0.0 {
            *value = 0.0;
        }
    });
    Observed { values, weights: observed.weights.clone() }
}

/// The weighted sum of a side's terms.
pub(crate) fn weighted(side: &SideKernel, kernels: &[Matrix]) -> Matrix {
    let mut sum = Matrix::zeros((side.len(), side.len()));
    for (term, kernel) in side.terms.iter().zip(kernels) {
        sum.scaled_add(term.weight, kernel);
    }
    sum
}

/// `w K + (1 − w) I`.
pub(crate) fn row_covariance(kernel: &Matrix, shares: Shares) -> Matrix {
    let mut covariance = kernel * shares.features;
    covariance.diag_mut().mapv_inplace(|value| value + 1.0 - shares.features);
    covariance
}

/// The mean of every column, shrunken towards the overall mean. Columns with few responses shrink more: the empirical Bayes
/// estimate of a one-way layout.
fn column_means(sums: &Matrix, weights: &Matrix, overall: f64) -> Array1<f64> {
    let axis = Axis(0);
    let (totals, counts) = (sums.sum_axis(axis), weights.sum_axis(axis));
    let means: Vec<f64> = totals.iter().zip(&counts).map(|(sum, count)| sum / count).collect();
    let within: f64 = sums
        .indexed_iter()
        .zip(weights)
        .filter(|(_, weight)| **weight > 0.0)
        .map(|(((_, column), sum), weight)| weight * (sum / weight - means[column]).powi(2))
        .sum::<f64>()
        / weights.sum();
    let between = means.iter().map(|mean| (mean - overall).powi(2)).sum::<f64>() / means.len() as f64;
    let prior = if between > 0.0 { within / between } else { 0.0 };
    totals.iter().zip(&counts).map(|(sum, count)| (sum + prior * overall) / (count + prior)).collect()
}
