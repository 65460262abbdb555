//! Random forests and extremely randomised trees through `smartcore`.

use halfmax_core::{
    Error, FitContext, Model, Result, Seed, StoredModel, Tensor, TrainView, check, malformed,
};
use ndarray::{Array2, Axis};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smartcore::ensemble::extra_trees_regressor::{ExtraTreesRegressor, ExtraTreesRegressorParameters};
use smartcore::ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;

use super::block::{Block, Column};
use super::elastic_net::Done;
use super::features::encoder;
use super::fitted::{Classical, FittedClassical, Predictor};
use super::sizes::BlockSizes;
use super::smartcore_forest::trees_of;
use super::time_limit::affordable;

/// Parameters of forests: one forest for each column (each drug, if cell lines are held out) on features of the rows. They
/// are grown by `smartcore` (random forests: Breiman 2001; extremely randomised trees: Geurts, Ernst & Wehenkel 2006).
///
/// Each forest sees the features that correlate most with its column's responses, chosen on the training rows. Real features
/// are standardised; bits and levels of categories are 0 or 1. Response weights affect means and the averages of repeated
/// responses, not the fit.
///
/// ```
/// use halfmax_baselines::{ForestKind, ForestParams};
/// use halfmax_core::*;
/// use ndarray::Array2;
///
/// // A gene that is on or off determines the response. The last ten of 60 cell lines were not measured.
/// let genes = Array2::from_shape_fn((60, 2), |(cell, gene)| ((cell * (7 + 4 * gene)) % 13) as f32);
/// let response = |cell: usize, drug: usize| f32::from(genes[[cell, 0]] > 6.0) * drug as f32;
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
/// let forest = ForestParams { features_per_split: Some(2), ..ForestParams::default() };
/// let fitted = forest.check(ForestKind::Random)?.fit(&screen.all(), &context)?;
/// let tables = [&screen.tables[0], &screen.tables[1]];
/// let query = Query { tables: &tables, tuples: Tuples::Listed(&[&[55], &[3]]) };
/// assert!((fitted.predict(&query)?[0] - response(55, 3)).abs() < 0.3);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ForestParams {
    /// Number of trees of each column's forest, 1 to 100000.
    pub trees: usize,
    /// Maximum number of levels of a tree, including the root. If not set, there is no limit.
    pub max_depth: Option<usize>,
    /// Minimum number of rows in a leaf.
    pub min_samples_leaf: usize,
    /// Number of random features that each split chooses from. If not set: the square root of the number of features, rounded down.
    pub features_per_split: Option<usize>,
    /// Number of features that each column's forest sees: those that correlate most with its responses.
    pub features: usize,
}

impl Default for ForestParams {
    fn default() -> Self {
        Self { trees: 50, max_depth: None, min_samples_leaf: 5, features_per_split: None, features: 100 }
    }
}

/// The kind of trees of a forest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForestKind {
    /// Each tree is grown on a bootstrap sample of the rows, with the best cut of each feature: family "random_forest".
    Random,
    /// Each tree is grown on all rows, with a random cut of each feature: family "extra_trees".
    Extra,
}

/// Forests with checked parameters, ready to fit. Made by [`ForestParams::check`].
#[derive(Clone, Debug)]
pub struct Forest {
    params: ForestParams,
    kind: ForestKind,
}

impl ForestParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// If a parameter is out of range. The error names the first such parameter, its value and the allowed values.
    pub fn check(self, kind: ForestKind) -> Result<Forest> {
        check::within("trees", self.trees, 1..=100_000)?;
        self.max_depth.map_or(Ok(()), |depth| check::within("max_depth", depth, 1..=1000))?;
        check::within("min_samples_leaf", self.min_samples_leaf, 1..=100_000)?;
        self.features_per_split
            .map_or(Ok(()), |features| check::within("features_per_split", features, 1..=1_000_000))?;
        check::within("features", self.features, 1..=1_000_000)?;
        Ok(Forest { params: self, kind })
    }
}

/// Maximum numbers of entities and of numbers that a stored split can refer to.
const MOST_ROWS: usize = 1 << 15;
const MOST_NUMBERS: usize = 1 << 16;
/// Time for a row, a feature and a level of a tree, measured on GDSC2.
const NANOSECONDS: f64 = 0.4;

impl Model for Forest {
    type Fitted = FittedClassical;

    /// # Errors
    /// If there are no responses, if the screen has more than two sides, 32,768 rows or 65,536 features, if a feature is
    /// infinite, if the fit would take more than ten minutes, or if the user stopped it.
    fn fit(&self, train: &TrainView, context: &FitContext) -> Result<FittedClassical> {
        let family = self.family();
        let block = Block::of(family.name(), train, context)?;
        let (encoder, values) = encoder(train, &block, usize::MAX)?;
        let columns = block.learnable(encoder.width());
        self.afford(block.rows.len(), encoder.width(), columns.len())?;
        let relevance = relevance(&block, &values);
        let done = Done::new(context.progress, columns.len());
        let one = |at: &usize| {
            let chosen = most_relevant(&relevance.row(*at).to_vec(), self.params.features);
            let seed = context.seed.derive(u64::from(block.columns[*at].entity));
            let trees = self.grow(&block.columns[*at], &values, &chosen, seed)?;
            done.one()?;
            Ok((*at, trees))
        };
        let grown = columns.par_iter().map(one).collect::<Result<Vec<(usize, Vec<Tree>)>>>()?;
        let forests = Forests::new(block.columns.len(), grown);
        FittedClassical::new(family, &self.params, train, &block, encoder, Predictor::Forests(forests))
    }

    fn memory(&self, train: &TrainView, context: &FitContext) -> Result<usize> {
        let sizes = BlockSizes::of(self.family().name(), train, context, usize::MAX)?;
        let BlockSizes { rows, columns, learnable, width, .. } = sizes;
        self.afford(rows, width, learnable)?;
        let params = &self.params;
        let deepest = params
            .max_depth
            .map_or(usize::MAX, |depth| 1usize.checked_shl(depth as u32).unwrap_or(usize::MAX));
        // Leaves are usually larger than the minimum. A tree has about twice as many nodes as leaves, of 8 bytes each.
        let leaves = (rows * 2 / (3 * params.min_samples_leaf)).clamp(1, deepest);
        let forest = 2 * leaves * params.trees;
        // While it is grown, a node takes about 120 bytes, then the same again in its serialised form.
        let growing = rayon::current_num_threads() * (8 * rows * params.features.min(width) + 160 * forest);
        let relevance = 4 * columns * (width + rows);
        let grown = 2 * 8 * forest * learnable;
        Ok(sizes.gathered().max(sizes.kept() + sizes.features() + relevance + growing + grown))
    }
}

impl Forest {
    fn family(&self) -> Classical {
        match self.kind {
            ForestKind::Random => Classical::RandomForest,
            ForestKind::Extra => Classical::ExtraTrees,
        }
    }

    fn afford(&self, rows: usize, width: usize, columns: usize) -> Result<()> {
        let family = self.family();
        if rows > MOST_ROWS || width > MOST_NUMBERS {
            return Err(Error::data(format!(
                "family {:?} cannot use {rows} rows and {width} features: expected at most {MOST_ROWS} and {MOST_NUMBERS}",
                family.name()
            ))
            .with_help("use family = \"boost\""));
        }
        let params = &self.params;
        let features = params.features.min(width);
        let deepest = params.max_depth.map_or(f64::INFINITY, |depth| depth as f64);
        let levels = (2.0 * (rows as f64 / params.min_samples_leaf as f64).max(2.0).log2()).min(deepest);
        affordable(
            family.name(),
            &format!("{rows} rows, {features} features, {columns} columns and {} trees", params.trees),
            rows as f64 * features as f64 * levels * columns as f64 * params.trees as f64,
            NANOSECONDS,
            "lower `trees` or `features`, or use family = \"boost\"",
        )
    }

    /// The forest of one column on the chosen numbers.
    fn grow(&self, column: &Column, values: &Array2<f32>, chosen: &[u32], seed: Seed) -> Result<Vec<Tree>> {
        let params = &self.params;
        let number = |row: &u32, at: &u32| values[[*row as usize, *at as usize]];
        let numbers =
            chosen.iter().flat_map(|at| column.rows.iter().map(move |row| number(row, at))).collect();
        let x = DenseMatrix::new(column.rows.len(), chosen.len(), numbers, true).map_err(failed)?;
        let y = &column.deviations;
        let depth = params.max_depth.map(|depth| depth as u16);
        let stored = match self.kind {
            ForestKind::Random => {
                let settings = RandomForestRegressorParameters {
                    max_depth: depth,
                    min_samples_leaf: params.min_samples_leaf,
                    n_trees: params.trees,
                    m: params.features_per_split,
                    seed: seed.value(),
                    ..RandomForestRegressorParameters::default()
                };
                postcard::to_allocvec(&RandomForestRegressor::fit(&x, y, settings).map_err(failed)?)
            }
            ForestKind::Extra => {
                let settings = ExtraTreesRegressorParameters {
                    max_depth: depth,
                    min_samples_leaf: params.min_samples_leaf,
                    n_trees: params.trees,
                    m: params.features_per_split,
                    seed: seed.value(),
                    ..ExtraTreesRegressorParameters::default()
                };
                postcard::to_allocvec(&ExtraTreesRegressor::fit(&x, y, settings).map_err(failed)?)
            }
        };
        let stored =
            stored.map_err(|error| Error::failed("a forest could not be serialised").with_source(error))?;
        trees_of(&stored, chosen)
    }
}

/// For each column and number, the size of their correlation over the training rows, up to a factor for each column. Missing
/// responses count as their column's mean.
fn relevance(block: &Block, values: &Array2<f32>) -> Array2<f32> {
    let mut deviations = Array2::zeros((block.columns.len(), block.rows.len()));
    for (mut out, column) in deviations.axis_iter_mut(Axis(0)).zip(&block.columns) {
        for (row, value) in column.rows.iter().zip(&column.deviations) {
            out[*row as usize] = *value as f32;
        }
    }
    let mut relevance = deviations.dot(values);
    for (mut of, numbers) in relevance.axis_iter_mut(Axis(1)).zip(values.axis_iter(Axis(1))) {
        let size = numbers.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt() as f32;
        of.mapv_inplace(|product| if size > 0.0 { (product / size).abs() } else { 0.0 });
    }
    relevance
}

/// The ascending positions of the `most` largest values. On ties the first wins.
fn most_relevant(relevance: &[f32], most: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..relevance.len() as u32).collect();
    if most < order.len() {
        let larger =
            |a: &u32, b: &u32| relevance[*b as usize].total_cmp(&relevance[*a as usize]).then(a.cmp(b));
        order.select_nth_unstable_by(most, larger);
        order.truncate(most);
        order.sort_unstable();
    }
    order
}

/// One tree. Its nodes are ordered so that children come after their parent and next to each other.
pub(crate) struct Tree {
    /// The high 16 bits hold the position of the compared number. The low 16 bits hold the distance to the first child; 0 in a leaf.
    pub(crate) splits: Vec<u32>,
    /// A row goes to the first child if its number is at most this value, otherwise to the second. In a leaf: the deviation.
    pub(crate) values: Vec<f32>,
}

/// The forests of all columns.
pub(crate) struct Forests {
    /// Where the trees of each column start; the last entry is the number of trees.
    trees: Vec<u32>,
    /// Where the nodes of each tree start; the last entry is the number of nodes.
    nodes: Vec<u32>,
    splits: Vec<u32>,
    values: Vec<f32>,
}

impl Forests {
    /// The forests of some columns (ascending). The other columns have none.
    fn new(columns: usize, grown: Vec<(usize, Vec<Tree>)>) -> Self {
        let (mut nodes, mut splits, mut values) = (vec![0], Vec::new(), Vec::new());
        let mut trees = vec![0; columns + 1];
        for (column, forest) in grown {
            trees[column + 1] = forest.len() as u32;
            for tree in forest {
                splits.extend(tree.splits);
                values.extend(tree.values);
                nodes.push(splits.len() as u32);
            }
        }
        for at in 0..columns {
            trees[at + 1] += trees[at];
        }
        Self { trees, nodes, splits, values }
    }

    pub(crate) fn deviations(&self, row: &[f32], columns: &[u32]) -> Vec<f64> {
        let of = |column: &u32| {
            let trees = self.trees[*column as usize]..self.trees[*column as usize + 1];
            let count = trees.len();
            let sum: f64 = trees.map(|tree| self.leaf(self.nodes[tree as usize] as usize, row)).sum();
            if count > 0 { sum / count as f64 } else { 0.0 }
        };
        columns.iter().map(of).collect()
    }

    fn leaf(&self, root: usize, row: &[f32]) -> f64 {
        let mut at = root;
        loop {
            let split = self.splits[at];
            let onward = (split & 0xFFFF) as usize;
            if onward == 0 {
                return f64::from(self.values[at]);
            }
            let goes_on = row[(split >> 16) as usize] > self.values[at];
            at += onward + usize::from(goes_on);
        }
    }

    pub(crate) fn tensors(&self) -> Vec<(&'static str, Tensor)> {
        vec![
            ("trees", Tensor::U32(self.trees.clone())),
            ("nodes", Tensor::U32(self.nodes.clone())),
            ("splits", Tensor::U32(self.splits.clone())),
            ("values", Tensor::F32(self.values.clone())),
        ]
    }

    pub(crate) fn from_stored(stored: &StoredModel, width: usize, columns: usize) -> Result<Self> {
        let trees = stored.u32s("trees", columns + 1)?.to_vec();
        let count = starts(&trees, "trees")?;
        let nodes = stored.u32s("nodes", count + 1)?.to_vec();
        let count = starts(&nodes, "nodes")?;
        let splits = stored.u32s("splits", count)?.to_vec();
        let values = stored.f32s("values", count)?.to_vec();
        for tree in nodes.windows(2) {
            let (from, to) = (tree[0] as usize, tree[1] as usize);
            let fits = |(at, split): (usize, &u32)| {
                let onward = (split & 0xFFFF) as usize;
                onward == 0 || ((split >> 16) as usize) < width && at + onward + 1 < to
            };
            if from == to || !(from..to).zip(&splits[from..to]).all(fits) {
                return Err(malformed("a split of a tree refers to a node or number that does not exist"));
            }
        }
        Ok(Self { trees, nodes, splits, values })
    }
}

/// Checks that the starts begin with 0 and do not fall. Returns the last one.
fn starts(starts: &[u32], name: &str) -> Result<usize> {
    if starts.first() != Some(&0) || starts.windows(2).any(|pair| pair[0] > pair[1]) {
        return Err(malformed(format!("the starts of {name} are out of order")));
    }
    Ok(starts.last().copied().unwrap_or(0) as usize)
}

fn failed(error: smartcore::error::Failed) -> Error {
    Error::failed("a forest could not be grown").with_source(error)
}
