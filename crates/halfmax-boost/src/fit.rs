//! The boosting loop.

use halfmax_core::{Error, FeatureSpace, FitContext, FitSizes, Model, Result, Screen, Seed, TrainView};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use crate::bins::SideBins;
use crate::block::{Block, Loss, Scales, weighted_quantile};
use crate::grow::{Candidates, Care, Grown, Growth, NodeSide, grow};
use crate::histogram::Pool;
use crate::model::{FittedBoost, FittedSide};
use crate::packed_sums::{Packed, Wide};
use crate::params::{BoostParams, Objective, Trees};
use crate::search::Rule;
use crate::shape::Patterns;
use crate::tree::{Leaves, Test, Tree};

/// Factorised gradient-boosted trees with checked parameters, ready to fit. Made by [`BoostParams::check`].
#[derive(Clone, Debug)]
pub struct Boost {
    params: BoostParams,
    dense: Option<bool>,
}

impl Boost {
    pub(crate) fn from_checked(params: BoostParams) -> Self {
        Self { params, dense: None }
    }

    /// The parameters.
    pub fn params(&self) -> &BoostParams {
        &self.params
    }

    /// Keeps responses as a dense block (`true`) or a list (`false`), whatever share of the block they fill.
    #[must_use]
    pub fn with_dense_block(mut self, dense: bool) -> Self {
        self.dense = Some(dense);
        self
    }
}

impl Model for Boost {
    type Fitted = FittedBoost;

    fn fit(&self, train: &TrainView, context: &FitContext) -> Result<FittedBoost> {
        if train.rows.is_empty() {
            return Err(Error::data("the training data have no responses"));
        }
        // This runs inside the thread pool, so that no step has to wake the pool first.
        let fit = || match self.params.max_bins + 1 {
            0..=16 => Fit::<16>::new(self, train, context)?.run(),
            17..=32 => Fit::<32>::new(self, train, context)?.run(),
            33..=64 => Fit::<64>::new(self, train, context)?.run(),
            65..=128 => Fit::<128>::new(self, train, context)?.run(),
            _ => Fit::<256>::new(self, train, context)?.run(),
        };
        rayon::join(fit, || ()).0
    }

    fn memory(&self, train: &TrainView, context: &FitContext) -> Result<usize> {
        let params = &self.params;
        let screen = train.screen;
        refuse_vectors(params.trees, screen.sides.len())?;
        let FitSizes { responses, entities, widths } = FitSizes::new(train);
        let (sides, pairs) = (entities.len(), entities.iter().product::<usize>());
        let listed = if screen.is_of_combinations() { 2 * responses } else { responses };
        let vectors = params.trees != Trees::Box;
        let dense = if vectors { Some(true) } else { self.dense };
        // Each response has its entities, value, weight and whether it is held out. While the block is made, the
        // entities, residual and weight exist a second time.
        let observed = listed * (4 * sides + 9);
        let made = listed * (4 * sides + 8 + 8);
        let block = match Block::is_dense(sides, listed, pairs, dense) {
            true => 16 * pairs,
            false => listed * (4 * sides + 16),
        };
        let groups = if params.validation_fraction > 0.0 { 28 * responses } else { 0 };
        // One byte for each bin. While bins are made, also the values of one feature for each thread.
        let bins: usize = entities.iter().zip(&widths).map(|(count, width)| count * width).sum();
        let leaves = params.rounds * params.leaves;
        let vectors = match params.trees {
            Trees::Box => 0,
            Trees::CellVector | Trees::Alternate => 4 * leaves * entities.get(1).copied().unwrap_or(0),
            Trees::DrugVector => 4 * leaves * entities[0],
        };
        let known = |side: usize| params.seen_again.includes(side, context.validation);
        let means: usize = (0..sides).filter(|side| known(*side)).map(|side| 12 * entities[side]).sum();
        Ok(observed + groups.max(made) + block + bins + vectors + 64 * leaves + means)
    }
}

/// # Errors
/// If leaves are vectors and the sides are not cell lines and drugs.
fn refuse_vectors(trees: Trees, sides: usize) -> Result<()> {
    if trees == Trees::Box || sides == 2 {
        return Ok(());
    }
    Err(Error::config(format!(
        "trees = \"{}\" needs a screen with two sides, this screen has {sides}",
        trees_name(trees)
    ))
    .with_help("set trees = \"box\""))
}

/// Parts of the seed.
const SEED_VALIDATION: u64 = 1;
const SEED_ROUNDS: u64 = 2;
const SEED_ROWS: u64 = 0;
const SEED_ENTITIES: u64 = 1;
const SEED_FEATURES: u64 = 2;
pub(crate) const SEED_SKETCH: u64 = 3;

/// The responses of a fit: their entities numbered within the training entities of each side.
struct Observed {
    entities: Vec<Vec<u32>>,
    values: Vec<f32>,
    weights: Vec<f32>,
    /// Whether the response is set aside for validation.
    held_out: Vec<bool>,
}

impl Observed {
    /// Lists every response twice, each time with half its weight: once for each order of its drugs.
    fn mirror(&mut self) {
        self.values.extend_from_within(..);
        self.held_out.extend_from_within(..);
        self.weights.extend_from_within(..);
        self.weights.iter_mut().for_each(|weight| *weight /= 2.0);
    }
}

/// The side that an entity of this side moves to when the drugs of a combination swap; `None` for single drugs.
fn other_order(screen: &Screen, side: usize) -> Option<usize> {
    screen.is_of_combinations().then(|| if side > 0 { 3 - side } else { side })
}

/// A fit in progress.
pub(crate) struct Fit<'a, const BINS: usize> {
    pub(crate) params: &'a BoostParams,
    context: &'a FitContext<'a>,
    pub(crate) loss: Loss,
    sides: Vec<FittedSide>,
    pub(crate) bins: Vec<SideBins>,
    pub(crate) care: Vec<Care>,
    observed: Observed,
    pub(crate) block: Block,
    intercept: f64,
    pub(crate) quantum: f64,
    pool: Pool<Packed, BINS>,
    target: String,
    symmetric: bool,
}

impl<'a, const BINS: usize> Fit<'a, BINS> {
    fn new(boost: &'a Boost, train: &TrainView, context: &'a FitContext<'a>) -> Result<Self> {
        let params = &boost.params;
        let screen = train.screen;
        refuse_vectors(params.trees, screen.sides.len())?;
        let mut entities = Vec::new();
        let mut rows_of_side = Vec::new();
        for side in 0..screen.sides.len() {
            let (rows, compact) = compact(&train.seen(side));
            let mut own: Vec<u32> = Vec::new();
            // Each response of a combination is listed twice, the second time with its drugs swapped.
            for side in [Some(side), other_order(screen, side)].into_iter().flatten() {
                let all = screen.responses.side(side);
                own.extend(train.rows.iter().map(|row| compact[all[*row] as usize]));
            }
            entities.push(own);
            rows_of_side.push(rows);
        }
        let mut observed = Observed {
            values: train.rows.iter().map(|row| screen.responses.values()[*row]).collect(),
            weights: train.rows.iter().map(|row| screen.responses.weight(*row)).collect(),
            held_out: held_out(params, train, context)?,
            entities,
        };
        if screen.is_of_combinations() {
            observed.mirror();
        }
        let loss = match params.objective {
            Objective::Squared => Loss::Squared,
            Objective::Huber => Loss::Huber(params.huber_delta as f32),
            Objective::Quantile => Loss::Quantile(params.quantile as f32),
        };
        let counts: Vec<usize> = rows_of_side.iter().map(Vec::len).collect();
        let means = Means::of(params, context, &observed, &counts);
        let (mut sides, mut bins, mut care) = (Vec::new(), Vec::new(), Vec::new());
        for (side, rows) in rows_of_side.iter().enumerate() {
            let table = screen.table(side);
            let space = FeatureSpace::selected(table, screen.sides[side].table, &train.features);
            let known = params.seen_again.includes(side, context.validation);
            let alignment = space.align(table)?;
            let identity = known && params.identity_feature;
            bins.push(SideBins::build(
                &space,
                &alignment,
                &means.features[side],
                identity,
                rows,
                params.max_bins,
            ));
            care.push(Care {
                lambda: if known { 0.0 } else { params.entity_l2 },
                least: if known { 0.0 } else { params.min_leaf_entities as f64 },
            });
            sides.push(FittedSide {
                name: screen.sides[side].name.clone(),
                ids: rows.iter().map(|row| table.ids()[*row as usize].clone()).collect(),
                offsets: means.offsets[side].clone(),
                means: means.features[side].clone(),
                space,
            });
        }
        let residual: Vec<f32> = (0..observed.values.len())
            .map(|at| (f64::from(observed.values[at]) - means.baseline(&observed.entities, at)) as f32)
            .collect();
        let largest = residual.iter().fold(0.0f64, |most, r| most.max(f64::from(r.abs())));
        let weight = observed.weights.iter().zip(&observed.held_out);
        let weight: Vec<f32> = weight.map(|(weight, out)| if *out { 0.0 } else { *weight }).collect();
        let dense = if params.trees == Trees::Box { boost.dense } else { Some(true) };
        let block = Block::new(observed.entities.clone(), counts, residual, weight, dense);
        Ok(Self {
            params,
            context,
            loss,
            sides,
            bins,
            care,
            observed,
            block,
            intercept: means.intercept,
            // A sum of trees may exceed the largest residual 128-fold before it overflows.
            quantum: if largest > 0.0 { (largest.log2().ceil() - 24.0).exp2() } else { 1.0 },
            pool: Pool::new(),
            target: screen.target.clone(),
            symmetric: screen.is_of_combinations(),
        })
    }

    fn run(mut self) -> Result<FittedBoost> {
        let stopping = self.observed.held_out.contains(&true);
        let mut trees: Vec<Tree> = Vec::with_capacity(self.params.rounds);
        let mut best = (f64::INFINITY, 0);
        let mut wide = (Pool::<Wide<8>, BINS>::new(), Pool::<Wide<16>, BINS>::new());
        for round in 0..self.params.rounds {
            self.context.progress.check()?;
            let seed = self.context.seed.derive(SEED_ROUNDS).derive(round as u64);
            let vector = match self.params.trees {
                Trees::Box => None,
                Trees::CellVector => Some(0),
                Trees::DrugVector => Some(1),
                Trees::Alternate => (round % 2 == 0).then_some(0),
            };
            let tree = match (vector, self.params.sketch) {
                (None, _) => None,
                (Some(side), 7) => self.vector_tree(side, seed, &mut wide.0),
                (Some(side), _) => self.vector_tree(side, seed, &mut wide.1),
            };
            trees.push(tree.unwrap_or_else(|| self.box_tree(seed)));
            self.context.progress.step(round + 1, self.params.rounds);
            if stopping {
                let loss = self.validation_loss();
                if loss < best.0 {
                    best = (loss, round + 1);
                } else if round + 1 >= best.1 + self.params.patience {
                    break;
                }
            }
        }
        if stopping {
            trees.truncate(best.1);
        }
        Ok(FittedBoost {
            target: self.target,
            symmetric: self.symmetric,
            params: self.params.clone(),
            intercept: self.intercept,
            quantum: self.quantum,
            sides: self.sides,
            trees,
        })
    }

    fn validation_loss(&self) -> f64 {
        let held = (0..self.observed.values.len()).filter(|at| self.observed.held_out[*at]);
        let (mut loss, mut weight) = (0.0, 0.0);
        for at in held {
            let w = f64::from(self.observed.weights[at]);
            loss += w * self.loss.value(self.block.residual(at, &self.observed.entities));
            weight += w;
        }
        loss / weight
    }

    /// Whether each entity of a side is in this round's bag.
    pub(crate) fn bag(params: &BoostParams, bins: &[SideBins], side: usize, seed: Seed) -> Vec<bool> {
        let fraction = if side == 0 { params.cell_fraction } else { params.drug_fraction };
        let entities = bins[side].entities;
        if fraction >= 1.0 {
            return vec![true; entities];
        }
        let mut rng = rng(seed.derive(SEED_ENTITIES).derive(side as u64));
        let kept = ((entities as f64 * fraction).round() as usize).max(1);
        let mut bag = vec![false; entities];
        index::sample(&mut rng, entities, kept).into_iter().for_each(|entity| bag[entity] = true);
        bag
    }

    /// This round's features of these sides, drawn from all their features together.
    pub(crate) fn features(
        params: &BoostParams,
        bins: &[SideBins],
        sides: &[usize],
        seed: Seed,
    ) -> Vec<Vec<usize>> {
        let drawn = |bins: &SideBins| bins.len() - usize::from(bins.identity);
        let counts: Vec<usize> = sides.iter().map(|side| drawn(&bins[*side])).collect();
        let total: usize = counts.iter().sum();
        let kept = ((total as f64 * params.feature_fraction).round() as usize).clamp(total.min(1), total);
        let mut chosen = if kept == total {
            (0..total).collect()
        } else {
            index::sample(&mut rng(seed.derive(SEED_FEATURES)), total, kept).into_vec()
        };
        chosen.sort_unstable();
        let mut from = 0;
        let mut by_side = Vec::new();
        for (side, count) in sides.iter().zip(counts) {
            let until = from + count;
            let own = chosen.iter().filter(|at| (from..until).contains(*at));
            let mut own: Vec<usize> = own.map(|at| at - from).collect();
            own.extend(bins[*side].identity.then_some(count));
            by_side.push(own);
            from = until;
        }
        by_side
    }

    fn box_tree(&mut self, seed: Seed) -> Tree {
        let bags: Vec<Vec<bool>> =
            (0..self.bins.len()).map(|side| Self::bag(self.params, &self.bins, side, seed)).collect();
        let scales = self.block.draw(self.loss, self.params.row_fraction, &bags, seed.derive(SEED_ROWS));
        let sides: Vec<usize> = (0..self.bins.len()).collect();
        let chosen = Self::features(self.params, &self.bins, &sides, seed);
        let candidates: Vec<Candidates> = (0..sides.len())
            .map(|side| Candidates::new(&self.bins[side], &chosen[side], self.care[side]))
            .collect();
        let root: Vec<NodeSide<Packed>> = self.block.sums().into_iter().map(NodeSide::of_present).collect();
        let rows = match &self.block {
            Block::Dense(_) => Vec::new(),
            Block::List(list) => list.active(),
        };
        let growth = Self::growth(self.params, scales, self.params.min_leaf_weight * scales.weight);
        let grown = grow(&candidates, &self.block, root, rows, growth, &mut self.pool);
        let patterns = self.patterns(&grown);
        let values: Vec<i32> = match self.loss {
            Loss::Squared | Loss::Huber(_) => {
                let leaf = |(total, present): (&Packed, &Vec<f64>)| self.leaf(*total, present, scales, None);
                grown.totals.iter().zip(&grown.present).map(leaf).collect()
            }
            Loss::Quantile(_) => {
                let quantiles =
                    self.block.leaf_quantiles(&patterns, grown.totals.len(), self.params.quantile);
                let leaves = grown.totals.iter().zip(&grown.present).zip(quantiles);
                leaves.map(|((total, present), q)| self.leaf(*total, present, scales, Some(q))).collect()
            }
        };
        let steps: Vec<f32> = values.iter().map(|value| (f64::from(*value) * self.quantum) as f32).collect();
        self.block.subtract(&patterns, |leaf, _| steps[leaf]);
        let covers = self.block.covers(&patterns, values.len());
        self.tree(grown, Leaves::Scalar(values), covers)
    }

    /// A leaf's value in quanta: the shrunken Newton step. The pinball loss has no curvature, so its leaves use the
    /// shrunken quantile of their residuals instead.
    fn leaf(&self, total: Packed, present: &[f64], scales: Scales, quantile: Option<f64>) -> i32 {
        use crate::packed_sums::Lanes;
        let (gradient, weight) = (total.gradient(0) / scales.gradient, total.weight() / scales.weight);
        let stretch = self.care.iter().zip(present).map(|(care, entities)| care.lambda / entities);
        let stretched = weight * (1.0 + stretch.sum::<f64>());
        let gradient = quantile.map_or(gradient, |quantile| quantile * weight);
        quanta(self.params.learning_rate * step(gradient, stretched, self.params.l2), self.quantum)
    }

    pub(crate) fn growth(params: &BoostParams, scales: Scales, min_weight: f64) -> Growth {
        let square = scales.gradient * scales.gradient / scales.weight;
        Growth {
            lambda: params.l2 * scales.weight,
            min_weight,
            category_smoothing: params.category_smoothing * scales.weight,
            leaves: params.leaves,
            max_depth: params.max_depth,
            min_gain: params.min_gain * square,
        }
    }

    pub(crate) fn patterns<L>(&self, grown: &Grown<L>) -> Vec<Patterns> {
        (0u8..)
            .zip(&self.bins)
            .map(|(side, bins)| {
                let all: Vec<u32> = (0..bins.entities as u32).collect();
                grown.shape.patterns(side, bins.entities, |node, goes_left| {
                    grown.rules[node].decide(bins, &all, goes_left);
                })
            })
            .collect()
    }

    pub(crate) fn tree<L>(&self, grown: Grown<L>, leaves: Leaves, covers: Vec<u32>) -> Tree {
        let tests = grown
            .rules
            .iter()
            .zip(&grown.features)
            .zip(&grown.shape.sides)
            .map(|((rule, feature), side)| (*feature as u32, test(rule, &self.bins[usize::from(*side)])))
            .collect();
        Tree { shape: grown.shape, tests, leaves, covers }
    }
}

/// The rule in terms of values instead of codes.
fn test(rule: &Rule, bins: &SideBins) -> Test {
    match rule {
        Rule::UpTo { numeric, last, missing_left } => {
            let cuts = &bins.numeric[*numeric].cuts;
            // Beyond the last cut every known value goes left.
            let threshold = cuts.get(usize::from(*last) - 1).copied().unwrap_or(f32::MAX);
            Test::AtMost { threshold, missing_left: *missing_left }
        }
        Rule::Binary { both, missing_left, .. } => {
            let threshold = if *both { f32::MAX } else { 0.5 };
            Test::AtMost { threshold, missing_left: *missing_left }
        }
        Rule::OneOf { codes, .. } => {
            let most = codes.last().map_or(0, |code| usize::from(*code));
            let mut levels = vec![0u64; most.div_ceil(64)];
            for code in codes {
                let level = usize::from(*code) - 1;
                levels[level / 64] |= 1 << (level % 64);
            }
            Test::OneOf(levels)
        }
    }
}

/// `G / (H + λ)`; 0 without weight.
pub(crate) fn step(gradient: f64, weight: f64, l2: f64) -> f64 {
    if weight > 0.0 { gradient / (weight + l2) } else { 0.0 }
}

pub(crate) fn quanta(value: f64, quantum: f64) -> i32 {
    (value / quantum).round_ties_even() as i32
}

fn rng(seed: Seed) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed.value())
}

pub(crate) fn trees_name(trees: Trees) -> &'static str {
    match trees {
        Trees::Box => "box",
        Trees::CellVector => "cell_vector",
        Trees::DrugVector => "drug_vector",
        Trees::Alternate => "alternate",
    }
}

impl NodeSide<Packed> {
    /// The entities that have a weight.
    fn of_present(sums: Vec<Packed>) -> Self {
        use crate::packed_sums::Lanes;
        let present = (0u32..).zip(sums).filter(|(_, lane)| lane.weight() > 0.0);
        let (entities, lanes): (Vec<u32>, Vec<Packed>) = present.unzip();
        Self { entities: entities.into(), lanes: lanes.into() }
    }
}

/// Positions of the marked entities, and for every entity its number among them.
fn compact(seen: &[bool]) -> (Vec<u32>, Vec<u32>) {
    let mut numbers = vec![u32::MAX; seen.len()];
    let mut rows = Vec::new();
    for (at, seen) in seen.iter().enumerate() {
        if *seen {
            numbers[at] = rows.len() as u32;
            rows.push(at as u32);
        }
    }
    (rows, numbers)
}

/// Marks the responses that are set aside for validation.
fn held_out(params: &BoostParams, train: &TrainView, context: &FitContext) -> Result<Vec<bool>> {
    let rows = &train.rows;
    if params.validation_fraction == 0.0 {
        return Ok(vec![false; rows.len()]);
    }
    let groups = train.groups(context.validation);
    let held = ((groups.count() as f64 * params.validation_fraction).round() as usize).max(1);
    if held >= groups.count() {
        return Err(Error::parameter(
            "validation_fraction",
            params.validation_fraction,
            &format!("a share that leaves at least one of the {} groups to train on", groups.count()),
        ));
    }
    Ok(groups.hold_out(held, context.seed.derive(SEED_VALIDATION)))
}

/// Mean responses: overall, and for the entities of each side.
struct Means {
    intercept: f64,
    /// For each side, the offsets that the first tree starts from; empty if offsets are not used.
    offsets: Vec<Vec<f64>>,
    /// For each side, the mean response of every entity if it is a feature, otherwise empty. NaN for entities without a response.
    features: Vec<Vec<f32>>,
}

impl Means {
    fn of(params: &BoostParams, context: &FitContext, observed: &Observed, counts: &[usize]) -> Self {
        let learnt: Vec<usize> = (0..observed.values.len()).filter(|at| !observed.held_out[*at]).collect();
        let intercept = match params.objective {
            Objective::Quantile => {
                let response = |at: &usize| (observed.values[*at], observed.weights[*at]);
                weighted_quantile(learnt.iter().map(response).collect(), params.quantile)
            }
            _ => {
                let weight = |at: &usize| f64::from(observed.weights[*at]);
                let sum: f64 = learnt.iter().map(|at| weight(at) * f64::from(observed.values[*at])).sum();
                sum / learnt.iter().map(weight).sum::<f64>()
            }
        };
        let mut means = Self {
            intercept,
            offsets: vec![Vec::new(); counts.len()],
            features: vec![Vec::new(); counts.len()],
        };
        // A few sweeps over the sides are enough for the offsets of a two-way layout.
        let offset_sides: Vec<usize> = (0..counts.len())
            .filter(|side| params.baseline && params.seen_again.includes(*side, context.validation))
            .collect();
        for side in &offset_sides {
            means.offsets[*side] = vec![0.0; counts[*side]];
        }
        let sweeps = if offset_sides.len() > 1 { 10 } else { 1 };
        for _ in 0..sweeps {
            for side in &offset_sides {
                let (mut sums, mut weights) = (vec![0.0; counts[*side]], vec![0.0; counts[*side]]);
                for at in &learnt {
                    let entity = observed.entities[*side][*at] as usize;
                    let weight = f64::from(observed.weights[*at]);
                    let others = means.baseline(&observed.entities, *at) - means.offsets[*side][entity];
                    sums[entity] += weight * (f64::from(observed.values[*at]) - others);
                    weights[entity] += weight;
                }
                let shrunk = sums.iter().zip(&weights).map(|(sum, weight)| step(*sum, *weight, params.l2));
                means.offsets[*side] = shrunk.collect();
            }
        }
        let known =
            |side: &usize| params.mean_feature && params.seen_again.includes(*side, context.validation);
        for side in (0..counts.len()).filter(known) {
            let (mut sums, mut weights) = (vec![0.0; counts[side]], vec![0.0; counts[side]]);
            for at in &learnt {
                let entity = observed.entities[side][*at] as usize;
                sums[entity] += f64::from(observed.weights[*at]) * f64::from(observed.values[*at]);
                weights[entity] += f64::from(observed.weights[*at]);
            }
            // 0 / 0 is NaN: missing.
            means.features[side] = sums.iter().zip(&weights).map(|(s, w)| (s / w) as f32).collect();
        }
        means
    }

    fn baseline(&self, entities: &[Vec<u32>], at: usize) -> f64 {
        let offset = |(offsets, side): (&Vec<f64>, &Vec<u32>)| offsets.get(side[at] as usize).copied();
        self.offsets.iter().zip(entities).filter_map(offset).fold(self.intercept, |sum, offset| sum + offset)
    }
}
