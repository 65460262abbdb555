//! Nearest neighbours through `smartcore`.

use halfmax_core::{Error, FitContext, Model, Result, StoredModel, Tensor, TrainView, check, malformed};
use ndarray::Array2;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smartcore::algorithm::neighbour::linear_search::LinearKNNSearch;
use smartcore::metrics::distance::euclidian::Euclidian;

use super::block::Block;
use super::elastic_net::Done;
use super::features::encoder;
use super::fitted::{Classical, FittedClassical, Predictor};
use super::inner_parts::parts;
use super::sizes::BlockSizes;
use super::time_limit::affordable;

/// Parameters of nearest neighbours. A response is the mean over the training rows (cell lines, if these are held out) with
/// the nearest features, among the rows measured in its column (distances by `smartcore`; Fix & Hodges 1951).
///
/// Distances are Euclidean, between standardised real features, bits, and levels of categories as bits. Response weights
/// affect means and the averages of repeated responses, not the neighbours.
///
/// ```
/// use halfmax_baselines::KnnParams;
/// use halfmax_core::*;
/// use ndarray::Array2;
///
/// // Cell lines have one of three expression profiles, which determines their response. The last cell line was not measured.
/// let genes = Array2::from_shape_fn((31, 2), |(cell, gene)| ((cell % 3) * (gene + 1)) as f32);
/// let pairs: Vec<(u32, u32)> = (0..30).flat_map(|cell| (0..2).map(move |drug| (cell, drug))).collect();
/// let values = pairs.iter().map(|(cell, drug)| (cell % 3 + 5 * drug) as f32).collect();
/// let sides = vec![pairs.iter().map(|p| p.0).collect(), pairs.iter().map(|p| p.1).collect()];
/// let expression = FeatureBlock::new("expression", ["A", "B"], FeatureValues::real(genes))?;
/// let cells = EntityTable::new((0..31).map(|c| format!("cell {c}")), "cell line")?.with_block(expression)?;
/// let drugs = EntityTable::new(["x", "y"], "drug")?;
/// let responses = Responses::new(sides, values, None)?;
/// let screen = Screen::new("LN_IC50", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses)?;
///
/// let context = FitContext::new(Seed::new(1), &Silent, ValidationGroup::Entity(0));
/// let fitted = KnnParams { k: Some(3), ..KnnParams::default() }.check()?.fit(&screen.all(), &context)?;
/// let tables = [&screen.tables[0], &screen.tables[1]];
/// let query = Query { tables: &tables, tuples: Tuples::Listed(&[&[30], &[1]]) };
/// assert!((fitted.predict(&query)?[0] - 5.0).abs() < 1e-5);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KnnParams {
    /// Number of neighbours, 1 to 10000. If not set, the fit chooses among 5, 10, 20, 40 and 80. It compares squared
    /// errors on three parts of the training rows, each predicted from the other two.
    pub k: Option<usize>,
    /// The weight of each neighbour.
    pub weights: NeighbourWeights,
    /// Number of features to use from each block of real numbers: those that vary most over the training rows.
    pub features: usize,
}

/// The weight of each neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NeighbourWeights {
    /// All neighbours have the same weight.
    Uniform,
    /// The inverse of the distance. If neighbours have exactly the same features, only these count.
    Distance,
}

impl Default for KnnParams {
    fn default() -> Self {
        Self { k: None, weights: NeighbourWeights::Uniform, features: 1000 }
    }
}

/// Nearest neighbours with checked parameters, ready to fit. Made by [`KnnParams::check`].
#[derive(Clone, Debug)]
pub struct Knn {
    params: KnnParams,
}

impl KnnParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// If a parameter is out of range. The error names the first such parameter, its value and the allowed values.
    pub fn check(self) -> Result<Knn> {
        self.k.map_or(Ok(()), |k| check::within("k", k, 1..=10_000))?;
        check::within("features", self.features, 1..=1_000_000)?;
        Ok(Knn { params: self })
    }
}

/// Numbers of neighbours to try.
const TRIED: [usize; 5] = [5, 10, 20, 40, 80];
/// Time for one number of a distance, measured on GDSC2.
const NANOSECONDS: f64 = 2.5;

impl Model for Knn {
    type Fitted = FittedClassical;

    /// # Errors
    /// If there are no responses, if the screen has more than two sides, if a feature is infinite, if choosing `k` would
    /// take more than ten minutes, or if the user stopped it.
    fn fit(&self, train: &TrainView, context: &FitContext) -> Result<FittedClassical> {
        let family = Classical::Knn;
        let block = Block::of(family.name(), train, context)?;
        let (encoder, values) = encoder(train, &block, self.params.features)?;
        let columns = block.learnable(encoder.width());
        let responses = responses(&block, &columns);
        let k = self.params.k.unwrap_or(TRIED[0]);
        let mut neighbours = Neighbours::new(values, responses, k, self.params.weights)?;
        if self.params.k.is_none() && !columns.is_empty() {
            afford(block.rows.len(), encoder.width())?;
            neighbours.k = neighbours.choose(&block, context)?;
        }
        let params = KnnParams { k: Some(neighbours.k), ..self.params.clone() };
        FittedClassical::new(family, &params, train, &block, encoder, Predictor::Neighbours(neighbours))
    }

    fn memory(&self, train: &TrainView, context: &FitContext) -> Result<usize> {
        let sizes = BlockSizes::of(Classical::Knn.name(), train, context, self.params.features)?;
        if self.params.k.is_none() && sizes.learnable > 0 {
            afford(sizes.rows, sizes.width)?;
        }
        // The features for the search, besides those that `k` is chosen with.
        let fitted = sizes.kept() + 3 * sizes.features() + 4 * sizes.rows * sizes.columns;
        Ok(sizes.gathered().max(fitted))
    }
}

fn afford(rows: usize, width: usize) -> Result<()> {
    affordable(
        Classical::Knn.name(),
        &format!("{rows} rows and {width} features"),
        (rows * rows) as f64 * width as f64,
        NANOSECONDS,
        "set `k`, lower `features`, or use family = \"boost\"",
    )
}

/// Deviations, rows × all columns of the block. NaN where nothing was measured, and in columns that are not learnt.
fn responses(block: &Block, learnt: &[usize]) -> Array2<f32> {
    let mut values = Array2::from_elem((block.rows.len(), block.columns.len()), f32::NAN);
    for at in learnt {
        let column = &block.columns[*at];
        for (row, value) in column.rows.iter().zip(&column.deviations) {
            values[[*row as usize, *at]] = *value as f32;
        }
    }
    values
}

/// Training rows, ready to search.
pub(crate) struct Neighbours {
    search: LinearKNNSearch<Vec<f32>, Euclidian<f32>>,
    /// Rows × width.
    values: Array2<f32>,
    /// Rows × columns, NaN where nothing was measured.
    responses: Array2<f32>,
    k: usize,
    weights: NeighbourWeights,
}

impl Neighbours {
    fn new(values: Array2<f32>, responses: Array2<f32>, k: usize, weights: NeighbourWeights) -> Result<Self> {
        let rows = values.rows().into_iter().map(|row| row.to_vec()).collect();
        let search = LinearKNNSearch::new(rows, Euclidian::new()).map_err(failed)?;
        Ok(Self { search, values, responses, k, weights })
    }

    /// All training rows and their distances, the nearest first.
    fn ordered(&self, row: &[f32]) -> Result<Vec<(usize, f64)>> {
        let found = self.search.find_radius(&row.to_vec(), f64::INFINITY).map_err(failed)?;
        let mut ordered: Vec<(usize, f64)> =
            found.into_iter().map(|(at, distance, _)| (at, distance)).collect();
        ordered.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        Ok(ordered)
    }

    pub(crate) fn deviations(&self, row: &[f32], columns: &[u32]) -> Result<Vec<f64>> {
        let ordered = self.ordered(row)?;
        Ok(columns.iter().map(|column| self.mean(&ordered, *column as usize, &[self.k])[0]).collect())
    }

    /// For each number of neighbours (ascending), their mean in one column; 0 if none was measured.
    fn mean(&self, ordered: &[(usize, f64)], column: usize, numbers: &[usize]) -> Vec<f64> {
        let measured = ordered.iter().filter(|(row, _)| !self.responses[[*row, column]].is_nan());
        let mut means = Vec::with_capacity(numbers.len());
        let (mut sum, mut total, mut same) = (0.0, 0.0, false);
        let mut taken = 0;
        for (row, distance) in measured {
            if means.len() == numbers.len() || (same && *distance > 0.0) {
                break;
            }
            let weight = match self.weights {
                NeighbourWeights::Uniform => 1.0,
                NeighbourWeights::Distance if *distance == 0.0 => {
                    same = true;
                    1.0
                }
                NeighbourWeights::Distance => 1.0 / distance,
            };
            sum += weight * f64::from(self.responses[[*row, column]]);
            total += weight;
            taken += 1;
            if numbers.get(means.len()) == Some(&taken) {
                means.push(sum / total);
            }
        }
        means.resize(numbers.len(), if total > 0.0 { sum / total } else { 0.0 });
        means
    }

    fn choose(&self, block: &Block, context: &FitContext) -> Result<usize> {
        let parts = parts(block, context);
        let done = Done::new(context.progress, block.rows.len());
        let losses: Vec<[f64; TRIED.len()]> = (0..block.rows.len())
            .into_par_iter()
            .map(|row| {
                let mut ordered = self.ordered(&self.values.row(row).to_vec())?;
                ordered.retain(|(other, _)| parts[*other] != parts[row]);
                let mut losses = [0.0; TRIED.len()];
                for (column, truth) in self.responses.row(row).iter().enumerate() {
                    if !truth.is_nan() {
                        let means = self.mean(&ordered, column, &TRIED);
                        losses
                            .iter_mut()
                            .zip(means)
                            .for_each(|(loss, mean)| *loss += (mean - f64::from(*truth)).powi(2));
                    }
                }
                done.one()?;
                Ok(losses)
            })
            .collect::<Result<_>>()?;
        let total = |at: usize| losses.iter().map(|own| own[at]).sum::<f64>();
        Ok(TRIED[(0..TRIED.len()).min_by(|a, b| total(*a).total_cmp(&total(*b))).unwrap_or(0)])
    }

    pub(crate) fn tensors(&self) -> Vec<(&'static str, Tensor)> {
        let weights = u32::from(self.weights == NeighbourWeights::Distance);
        vec![
            ("neighbours", Tensor::U32(vec![self.k as u32, weights])),
            ("rows", Tensor::F32(self.values.iter().copied().collect())),
            (
                "responses",
                Tensor::F32(self.responses.iter().map(|v| if v.is_nan() { 0.0 } else { *v }).collect()),
            ),
            ("measured", Tensor::U8(self.responses.iter().map(|v| u8::from(!v.is_nan())).collect())),
        ]
    }

    pub(crate) fn from_stored(stored: &StoredModel, width: usize, columns: usize) -> Result<Self> {
        let (k, weights) = match stored.u32s("neighbours", 2)? {
            [0, _] => return Err(malformed("its number of neighbours is 0")),
            [k, 0] => (*k as usize, NeighbourWeights::Uniform),
            [k, 1] => (*k as usize, NeighbourWeights::Distance),
            _ => return Err(malformed("the weights of its neighbours have an unknown code")),
        };
        let length = match stored.tensors.get("responses") {
            Some(Tensor::F32(responses)) => responses.len(),
            _ => 0,
        };
        let rows = length.checked_div(columns).unwrap_or(0);
        let matrix = |values: &[f32], width: usize| {
            Array2::from_shape_vec((rows, width), values.to_vec()).map_err(|error| {
                malformed("the number of values of its neighbours does not fit their block")
                    .with_source(error)
            })
        };
        let values = matrix(stored.f32s("rows", rows * width)?, width)?;
        let mut responses = matrix(stored.f32s("responses", rows * columns)?, columns)?;
        let measured = stored.u8s("measured", rows * columns)?;
        if measured.iter().any(|bit| *bit > 1) {
            return Err(malformed("a mark of a measured response is neither 0 nor 1"));
        }
        let gaps = responses.iter_mut().zip(measured).filter(|(_, measured)| **measured == 0);
        gaps.for_each(|(value, _)| *value = f32::NAN);
        Self::new(values, responses, k, weights)
    }
}

fn failed(error: smartcore::error::Failed) -> Error {
    Error::failed("the search for neighbours failed").with_source(error)
}
