//! The fitted model: prediction, variance, feature weights, storage.

use std::collections::{BTreeMap, HashMap};

use halfmax_core::{
    Attributable, Attributor, Conditionable, Conditioned, EntityTable, Error, FeatureSpace, FittedModel,
    PreparedGrid, Query, Responses, Result, StoredModel, Tensor, Tuples, check_entities, malformed,
};
use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};

use crate::attribution::KernelAttributor;
use crate::features::{FittedTerm, SideKernel};
use crate::linalg::{Matrix, inverse, product, product_of_rows};
use crate::params::{KernelKind, KernelParams};
use crate::pilot::Decompositions;
use crate::solve::{Shares, variances};

/// A fitted Kronecker kernel model.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedKernel {
    pub(crate) fitted: Fitted,
    /// Coefficients times the covariance of columns. A row's covariances are multiplied by it.
    pub(crate) profiles: Matrix,
    /// The shift of the profile by measured responses, for rows that were not in training, by id.
    pub(crate) pilots: BTreeMap<String, Array1<f64>>,
    pub(crate) decompositions: Decompositions,
}

/// The fitted parts. Sides are in the order rows, columns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fitted {
    pub params: KernelParams,
    pub target: String,
    pub row_side: usize,
    pub sides: [FittedSide; 2],
    pub shares: Shares,
    pub noise: f64,
    pub column_ridge: f64,
    pub baseline: Array1<f64>,
    pub covariance: Matrix,
    pub coefficients: Matrix,
}

/// One side of a fitted model.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedSide {
    /// The side's name.
    pub name: String,
    /// Ids of the training entities.
    pub ids: Vec<String>,
    /// The features and kernel of the training entities.
    pub(crate) kernel: SideKernel,
}

/// Number of rows that are predicted at a time.
const ROWS: usize = 960;

impl FittedKernel {
    pub(crate) fn new(fitted: Fitted) -> Result<Self> {
        let profiles = product(fitted.coefficients.view(), fitted.covariance.view());
        if let Some(((row, column), value)) = profiles.indexed_iter().find(|(_, value)| !value.is_finite()) {
            return Err(Error::failed(format!(
                "the solution for {:?} and {:?} is {value}: expected a finite number",
                fitted.sides[0].ids[row], fitted.sides[1].ids[column]
            ))
            .with_help("look for huge values among the features or responses"));
        }
        let decompositions = Decompositions::default();
        Ok(Self { fitted, profiles, pilots: BTreeMap::new(), decompositions })
    }

    /// The share of the variation between the entities of the rows' side that their features explain, 0 to 1.
    pub fn feature_share(&self) -> f64 {
        self.fitted.shares.features
    }

    /// The variance of the noise, in squared units of the target.
    pub fn noise(&self) -> f64 {
        self.fitted.noise
    }

    /// The terms of the kernel of a side (0: cell lines, 1: drugs).
    pub fn terms(&self, side: usize) -> &[FittedTerm] {
        &self.side(side).kernel.terms
    }

    fn side(&self, side: usize) -> &FittedSide {
        &self.fitted.sides[usize::from(side != self.fitted.row_side)]
    }

    /// The covariance of entities of a table with the training rows.
    pub(crate) fn row_covariance(&self, table: &EntityTable, entities: &[u32]) -> Result<Matrix> {
        let side = &self.fitted.sides[0];
        let shares = self.fitted.shares;
        let mut covariance = side.kernel.between(table, entities)? * shares.features;
        let known = positions(&side.ids, table);
        for (row, entity) in entities.iter().enumerate() {
            if let Some(known) = known[*entity as usize] {
                // A row has similarity 1 to itself, even if its features are not known.
                covariance[[row, known]] += 1.0 - shares.features;
            }
        }
        Ok(covariance)
    }

    /// Prepares to pair some entities of the two sides' tables.
    fn prepared(&self, tables: &[&EntityTable], sides: [&[u32]; 2]) -> Result<Prepared<'_>> {
        let row_side = self.fitted.row_side;
        let asked = distinct(sides[row_side]);
        let covariances = self.row_covariance(tables[row_side], &asked)?;
        let mut row_of = vec![usize::MAX; tables[row_side].len()];
        asked.iter().enumerate().for_each(|(row, entity)| row_of[*entity as usize] = row);
        let columns = Columns::new(&self.fitted, tables[1 - row_side], &distinct(sides[1 - row_side]))?;
        let pilot = |entity: &u32| self.pilots.get(&tables[row_side].ids()[*entity as usize]);
        let pilots = asked.iter().map(pilot).collect();
        Ok(Prepared { model: self, row_of, covariances, pilots, columns })
    }

    /// Predictions for all pairs of some rows and columns, row by row.
    pub(crate) fn block(
        &self,
        tables: &[&EntityTable],
        rows: &[u32],
        columns: &[u32],
    ) -> Result<Array2<f32>> {
        let sides = if self.fitted.row_side == 0 { [rows, columns] } else { [columns, rows] };
        Ok(self.prepared(tables, sides)?.block(rows, columns))
    }

    /// The exact linear weights of the features of one block on side `rows`: features × training columns, in units of the
    /// target per unit of the feature. `None` unless the model has a linear kernel on the block that is not multiplied
    /// with other kernels. The linear term adds to a prediction the sum over features of weight × (value − training
    /// mean).
    ///
    /// Returns the names of the features, the training means, and the weights.
    pub fn linear_weights(&self, features: &str) -> Option<(Vec<String>, Array1<f32>, Matrix)> {
        let side = &self.fitted.sides[0].kernel;
        let (weight, linear) = side.terms.iter().find_map(|term| match term.factors.as_slice() {
            [only] if only.features == features && only.kernel == KernelKind::Linear => {
                Some((term.weight, only))
            }
            _ => None,
        })?;
        let training = side.centred(linear, side.values.view()).mapv(f64::from);
        let factor = self.fitted.shares.features * weight / linear.scale;
        let weights = crate::linalg::product_of_columns(training.view(), self.profiles.view()) * factor;
        // Per unit of the original feature.
        let centre = side.centre(linear);
        let weights = weights * side.factors(linear, &centre).mapv(f64::from).insert_axis(Axis(1));
        let names =
            side.space.features[linear.range.clone()].iter().map(|feature| feature.name.clone()).collect();
        Some((names, centre, weights))
    }

    /// The predictive variance, noise included, of the response profiles of a table's rows (entities of the rows' side)
    /// over the training columns. It is computed as if the training block were complete. Rows × columns, in squared units
    /// of the target.
    ///
    /// # Errors
    /// As [`FittedModel::predict`].
    pub fn profile_variance(&self, table: &EntityTable) -> Result<Matrix> {
        let fitted = &self.fitted;
        let rows = &fitted.sides[0].kernel;
        let all: Vec<u32> = (0..table.len() as u32).collect();
        let between = self.row_covariance(table, &all)?;
        let own =
            rows.own(table, &all)?.mapv(|own| fitted.shares.features * own + 1.0 - fitted.shares.features);
        Ok(variances(&self.decomposed()?, fitted.shares, &between, &own, &fitted.covariance) + fitted.noise)
    }
}

/// The position of each entity of a table among training ids.
pub(crate) fn positions(ids: &[String], table: &EntityTable) -> Vec<Option<usize>> {
    let known: HashMap<&str, usize> = ids.iter().map(String::as_str).zip(0..).collect();
    table.ids().iter().map(|id| known.get(id.as_str()).copied()).collect()
}

/// The columns of a query in terms of training columns.
pub(crate) struct Columns {
    pub(crate) known: Vec<Option<usize>>,
    /// For each new column, the weights of the training columns' deviations from their mean.
    pub(crate) weights: Matrix,
    /// For each column, its row in `weights`.
    unknown: Vec<usize>,
}

impl Columns {
    /// For the entities `asked` of a table.
    pub(crate) fn new(fitted: &Fitted, table: &EntityTable, asked: &[u32]) -> Result<Self> {
        let side = &fitted.sides[1];
        let known = positions(&side.ids, table);
        // A table is accepted or refused independently of the entities in the query.
        if known.iter().any(Option::is_none) {
            side.kernel.space.align(table)?;
        }
        let strangers: Vec<u32> =
            asked.iter().copied().filter(|entity| known[*entity as usize].is_none()).collect();
        let mut unknown = vec![usize::MAX; known.len()];
        strangers.iter().enumerate().for_each(|(row, entity)| unknown[*entity as usize] = row);
        let mut weights = Matrix::zeros((strangers.len(), side.ids.len()));
        if !strangers.is_empty() && !side.kernel.terms.is_empty() {
            let mut kernel = side.kernel.training();
            kernel.diag_mut().mapv_inplace(|value| value + fitted.column_ridge);
            let between = side.kernel.between(table, &strangers)?;
            weights = product(between.view(), inverse(&kernel, "kernel of the features")?.view());
        }
        Ok(Self { known, weights, unknown })
    }
}

/// The entities of a list, each once, in ascending order.
fn distinct(entities: &[u32]) -> Vec<u32> {
    let mut distinct = entities.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    distinct
}

/// A query's entities, ready to be paired.
struct Prepared<'a> {
    model: &'a FittedKernel,
    /// For each entity of the rows' table, its row in the covariances.
    row_of: Vec<usize>,
    /// Query rows × training rows.
    covariances: Matrix,
    /// For each query row, the shift of its profile by measured responses.
    pilots: Vec<Option<&'a Array1<f64>>>,
    columns: Columns,
}

impl Prepared<'_> {
    /// Predictions for rows and columns of the block, row-major.
    fn block(&self, rows: &[u32], columns: &[u32]) -> Array2<f32> {
        let chosen: Vec<usize> = rows.iter().map(|row| self.row_of[*row as usize]).collect();
        let covariances = self.covariances.select(Axis(0), &chosen);
        let fitted = &self.model.fitted;
        let mut profiles = product(covariances.view(), self.model.profiles.view()) + &fitted.baseline;
        for (mut profile, row) in profiles.axis_iter_mut(Axis(0)).zip(&chosen) {
            if let Some(shift) = self.pilots[*row] {
                profile += shift;
            }
        }
        let means = profiles.sum_axis(Axis(1)) / profiles.ncols() as f64;
        let others = (self.columns.weights.nrows() > 0).then(|| {
            let deviations = &profiles - &means.view().insert_axis(Axis(1));
            product_of_rows(deviations.view(), self.columns.weights.view())
        });
        Array2::from_shape_fn((rows.len(), columns.len()), |(row, column)| {
            let column = columns[column] as usize;
            let value = match (self.columns.known[column], &others) {
                (Some(known), _) => profiles[[row, known]],
                (None, Some(others)) => means[row] + others[[row, self.columns.unknown[column]]],
                (None, None) => means[row],
            };
            value as f32
        })
    }

    fn listed(&self, rows: &[u32], columns: &[u32]) -> Vec<f32> {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|at| rows[*at]);
        let mut out = vec![0.0; rows.len()];
        let distinct = distinct(columns);
        let number: HashMap<u32, usize> = distinct.iter().copied().zip(0..).collect();
        let runs: Vec<&[usize]> = order.chunk_by(|a, b| rows[*a] == rows[*b]).collect();
        for runs in runs.chunks(ROWS) {
            let here: Vec<u32> = runs.iter().map(|run| rows[run[0]]).collect();
            let block = self.block(&here, &distinct);
            for (at, run) in runs.iter().enumerate() {
                run.iter().for_each(|tuple| out[*tuple] = block[[at, number[&columns[*tuple]]]]);
            }
        }
        out
    }
}

/// A grid whose columns (entities of the query's second table) are given.
struct Grid<'a> {
    prepared: Prepared<'a>,
    columns: &'a [u32],
}

impl PreparedGrid for Grid<'_> {
    fn scores(&self, rows: &[u32]) -> Result<Vec<f32>> {
        let Self { prepared, columns } = self;
        if prepared.model.fitted.row_side == 0 {
            return Ok(prepared.block(rows, columns).into_iter().collect());
        }
        Ok(prepared.block(columns, rows).t().iter().copied().collect())
    }
}

impl FittedModel for FittedKernel {
    fn family(&self) -> &'static str {
        "kernel"
    }

    fn sides(&self) -> usize {
        2
    }

    fn space(&self, side: usize) -> &FeatureSpace {
        &self.side(side).kernel.space
    }

    fn predict(&self, query: &Query) -> Result<Vec<f32>> {
        query.check(2)?;
        let (Tuples::Listed(&[cells, drugs]) | Tuples::Grid(&[cells, drugs])) = query.tuples else {
            return Ok(Vec::new());
        };
        let prepared = self.prepared(query.tables, [cells, drugs])?;
        match query.tuples {
            Tuples::Grid(_) => Grid { prepared, columns: drugs }.scores(cells),
            Tuples::Listed(_) if self.fitted.row_side == 0 => Ok(prepared.listed(cells, drugs)),
            Tuples::Listed(_) => Ok(prepared.listed(drugs, cells)),
        }
    }

    fn prepare<'a>(
        &'a self,
        tables: &'a [&'a EntityTable],
        columns: &'a [u32],
    ) -> Result<Box<dyn PreparedGrid + 'a>> {
        Query::check_tables(tables, 2)?;
        let rows: Vec<u32> = (0..tables[0].len() as u32).collect();
        Ok(Box::new(Grid { prepared: self.prepared(tables, [&rows, columns])?, columns }))
    }

    /// The rows' side can be attributed if it has features.
    fn as_attributable(&self, side: usize) -> Option<&dyn Attributable> {
        (side == self.fitted.row_side && !self.terms(side).is_empty()).then_some(self as _)
    }

    fn as_conditionable(&self) -> Option<&dyn Conditionable> {
        Some(self)
    }

    fn stored(&self) -> Result<StoredModel> {
        let fitted = &self.fitted;
        let side = |at: usize| {
            let FittedSide { name, ids, kernel } = &fitted.sides[at];
            SideDescription {
                name: name.clone(),
                ids: ids.clone(),
                space: kernel.space.clone(),
                terms: kernel.terms.clone(),
            }
        };
        let description = Description {
            params: fitted.params.clone(),
            target: fitted.target.clone(),
            row_side: fitted.row_side,
            sides: [side(0), side(1)],
            pilots: self.pilots.keys().cloned().collect(),
        };
        let pilots = self.pilots.values().flatten().copied().collect();
        let numbers = vec![fitted.shares.features, fitted.shares.noise, fitted.noise, fitted.column_ridge];
        let doubles = |matrix: &Matrix| Tensor::F64(matrix.iter().copied().collect());
        let values = |side: usize| Tensor::F32(fitted.sides[side].kernel.values.iter().copied().collect());
        let tensors = [
            ("numbers", Tensor::F64(numbers)),
            ("baseline", Tensor::F64(fitted.baseline.to_vec())),
            ("covariance", doubles(&fitted.covariance)),
            ("coefficients", doubles(&fitted.coefficients)),
            ("row_features", values(0)),
            ("column_features", values(1)),
            ("pilots", Tensor::F64(pilots)),
        ];
        StoredModel::new(&description, tensors)
    }
}

impl Attributable for FittedKernel {
    fn attribute<'a>(
        &'a self,
        tables: &'a [&'a EntityTable],
        side: usize,
        entities: &'a [u32],
    ) -> Result<Box<dyn Attributor + 'a>> {
        check_entities(self, tables, side, entities)?;
        Ok(Box::new(KernelAttributor::new(self, tables, entities)?))
    }
}

impl Conditionable for FittedKernel {
    fn condition_on(&self, tables: &[&EntityTable], measured: &Responses) -> Result<Conditioned> {
        let sides: Vec<&[u32]> = (0..measured.sides()).map(|side| measured.side(side)).collect();
        Query { tables, tuples: Tuples::Listed(&sides) }.check(2)?;
        self.conditioned(tables, measured)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    params: KernelParams,
    target: String,
    row_side: usize,
    sides: [SideDescription; 2],
    pilots: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SideDescription {
    name: String,
    ids: Vec<String>,
    space: FeatureSpace,
    terms: Vec<FittedTerm>,
}

impl FittedKernel {
    /// Reads a model from its [`FittedModel::stored`] form, exactly as it was.
    ///
    /// # Errors
    /// If the description is not that of a kernel model, or a tensor is missing, has the wrong type or length, or holds
    /// an invalid number.
    pub fn from_stored(stored: &StoredModel) -> Result<Self> {
        let fitted = Self::read(stored)?;
        stored.refuse_unknown(&fitted.stored()?)?;
        Ok(fitted)
    }

    fn read(stored: &StoredModel) -> Result<Self> {
        let Description { params, target, row_side, sides, pilots: informed } = stored.described()?;
        if row_side > 1 {
            return Err(malformed(format!("its rows are on side {row_side}: expected side 0 or 1")));
        }
        let (rows, columns) = (sides[0].ids.len(), sides[1].ids.len());
        let [features, share, noise, column_ridge] = *stored.f64s("numbers", 4)? else {
            return Err(malformed("its \"numbers\" array is incomplete"));
        };
        let possible = noise > 0.0 && column_ridge > 0.0 && share > 0.0;
        if !((0.0..=1.0).contains(&features) && possible) {
            return Err(malformed("its noise or shares are invalid"));
        }
        let matrix = |name: &str, shape: (usize, usize)| {
            let values = stored.f64s(name, shape.0 * shape.1)?.to_vec();
            Matrix::from_shape_vec(shape, values).map_err(|error| malformed(name).with_source(error))
        };
        let covariance = matrix("covariance", (columns, columns))?;
        let coefficients = matrix("coefficients", (rows, columns))?;
        let baseline = stored.f64s("baseline", columns)?.to_vec().into();
        let [first, second] = sides;
        let sides = [side(stored, "row_features", first)?, side(stored, "column_features", second)?];
        let shares = Shares { features, noise: share };
        let mut model = Self::new(Fitted {
            params,
            target,
            row_side,
            sides,
            shares,
            noise,
            column_ridge,
            baseline,
            covariance,
            coefficients,
        })?;
        let shifts = stored.f64s("pilots", informed.len() * columns)?;
        let shifts = shifts.chunks(columns.max(1)).map(|shift| Array1::from(shift.to_vec()));
        model.pilots = informed.into_iter().zip(shifts).collect();
        Ok(model)
    }
}

fn side(stored: &StoredModel, tensor: &str, described: SideDescription) -> Result<FittedSide> {
    let SideDescription { name, ids, space, terms } = described;
    let kernel = stored_kernel(stored, tensor, ids.len(), space, terms)?;
    Ok(FittedSide { name, ids, kernel })
}

/// The kernel of a side whose features are in a tensor.
pub(crate) fn stored_kernel(
    stored: &StoredModel,
    tensor: &str,
    entities: usize,
    space: FeatureSpace,
    terms: Vec<FittedTerm>,
) -> Result<SideKernel> {
    let shape = (entities, space.len());
    // NaN where a feature is missing.
    let values = match stored.tensors.get(tensor) {
        Some(Tensor::F32(values)) if values.len() == shape.0.saturating_mul(shape.1) => values.clone(),
        _ => return Err(malformed(format!("{tensor} are missing or have the wrong length"))),
    };
    if values.iter().any(|value| value.is_infinite()) {
        return Err(malformed(format!("{tensor} hold an infinite number")));
    }
    let values =
        Array2::from_shape_vec(shape, values).map_err(|error| malformed(tensor).with_source(error))?;
    let kernel = SideKernel { space, values, terms };
    if kernel.is_possible() { Ok(kernel) } else { Err(malformed(format!("a kernel of {tensor} is invalid"))) }
}
