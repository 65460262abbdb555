//! The fitted form that the classical families share: prediction and storage.

use std::collections::HashMap;
use std::fmt;

use halfmax_core::{
    Attributable, Attributor, Encoder, EntityTable, Error, FeatureSpace, FittedModel, PreparedGrid, Query,
    Result, StoredModel, Tensor, TrainView, Tuples, check_entities, malformed,
};
use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::attribution::LinearAttributor;
use super::block::Block;
use super::elastic_net::ElasticNetParams;
use super::forest::{ForestParams, Forests};
use super::knn::{KnnParams, Neighbours};
use super::linear::Linear;
use super::pls::PlsParams;

/// A classical family, by its name in a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Classical {
    /// [`crate::ElasticNetParams`].
    ElasticNet,
    /// [`crate::PlsParams`].
    Pls,
    /// [`crate::KnnParams`].
    Knn,
    /// [`crate::ForestParams`], bootstrapped trees with the best cuts.
    RandomForest,
    /// [`crate::ForestParams`], trees with random cuts.
    ExtraTrees,
}

impl Classical {
    /// All classical families.
    pub const ALL: [Self; 5] = [Self::ElasticNet, Self::Pls, Self::Knn, Self::RandomForest, Self::ExtraTrees];

    /// The name of the family, as in a configuration: "elastic_net".
    pub const fn name(self) -> &'static str {
        match self {
            Self::ElasticNet => "elastic_net",
            Self::Pls => "pls",
            Self::Knn => "knn",
            Self::RandomForest => "random_forest",
            Self::ExtraTrees => "extra_trees",
        }
    }

    /// The family with this name, if there is one.
    ///
    /// ```
    /// use halfmax_baselines::Classical;
    /// assert_eq!(Classical::from_name("pls"), Some(Classical::Pls));
    /// assert_eq!(Classical::from_name("boost"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }
}

/// Predicts a row's deviations from the column means.
pub(crate) enum Predictor {
    Linear(Linear),
    Neighbours(Neighbours),
    Forests(Forests),
}

impl Predictor {
    /// The deviations of one row in some training columns (ascending), given its numbers. Each deviation depends on the
    /// row and the column only.
    fn deviations(&self, row: &[f32], columns: &[u32]) -> Result<Vec<f64>> {
        match self {
            Self::Linear(linear) => Ok(linear.deviations(row, columns)),
            Self::Neighbours(neighbours) => neighbours.deviations(row, columns),
            Self::Forests(forests) => Ok(forests.deviations(row, columns)),
        }
    }

    fn tensors(&self) -> Vec<(&'static str, Tensor)> {
        match self {
            Self::Linear(linear) => linear.tensors(),
            Self::Neighbours(neighbours) => neighbours.tensors(),
            Self::Forests(forests) => forests.tensors(),
        }
    }
}

/// A fitted model of one of the [`Classical`] families.
///
/// A prediction is the mean of its column (a drug, if cell lines are held out) plus a deviation that depends on the features
/// of its row. For a new column, it is the mean of all training responses plus the mean of the row's deviations over all
/// training columns.
pub struct FittedClassical {
    head: Head,
    encoder: Encoder,
    /// The mean of each training column, followed by the mean of all responses.
    means: Vec<f64>,
    predictor: Predictor,
    column_of: HashMap<String, u32>,
}

impl fmt::Debug for FittedClassical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Head { family, params, .. } = &self.head;
        f.debug_struct("FittedClassical")
            .field("family", family)
            .field("params", params)
            .finish_non_exhaustive()
    }
}

/// The stored description.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    family: Classical,
    params: serde_json::Value,
    target: String,
    row_side: usize,
    /// Ids of the training columns.
    columns: Vec<String>,
    space: FeatureSpace,
}

impl FittedClassical {
    pub(crate) fn new(
        family: Classical,
        params: &impl Serialize,
        train: &TrainView,
        block: &Block,
        encoder: Encoder,
        predictor: Predictor,
    ) -> Result<Self> {
        let table = train.screen.table(1 - block.row_side);
        let id = |column: &super::block::Column| table.ids()[column.entity as usize].clone();
        let head = Head {
            family,
            params: serde_json::to_value(params)
                .map_err(|error| Error::failed("the parameters cannot be written").with_source(error))?,
            target: train.screen.target.clone(),
            row_side: block.row_side,
            columns: block.columns.iter().map(id).collect(),
            space: encoder.space.clone(),
        };
        let means = block.columns.iter().map(|column| column.mean).chain([block.overall]).collect();
        Ok(Self::assembled(head, encoder, means, predictor))
    }

    fn assembled(head: Head, encoder: Encoder, means: Vec<f64>, predictor: Predictor) -> Self {
        let column_of = head.columns.iter().cloned().zip(0..).collect();
        Self { head, encoder, means, predictor, column_of }
    }

    /// The family of the model.
    pub fn classical(&self) -> Classical {
        self.head.family
    }

    /// The settings of the fit, including values that were chosen on the training data.
    pub fn params(&self) -> &serde_json::Value {
        &self.head.params
    }

    /// Reads a model from its [`FittedModel::stored`] form, exactly as it was.
    ///
    /// # Errors
    /// If the description is not that of a classical family, or a tensor is missing, has the wrong type or length, or
    /// holds an invalid number.
    pub fn from_stored(stored: &StoredModel) -> Result<Self> {
        let fitted = Self::read(stored)?;
        stored.refuse_unknown(&fitted.stored()?)?;
        Ok(fitted)
    }

    fn read(stored: &StoredModel) -> Result<Self> {
        let head: Head = stored.described()?;
        if head.row_side > 1 {
            return Err(malformed(format!("its rows are on side {}: expected side 0 or 1", head.row_side)));
        }
        check_params(head.family, &head.params)
            .map_err(|error| malformed(format!("its parameters cannot be read: {error}")))?;
        let columns = head.columns.len();
        let plain = Encoder::width_of(&head.space);
        let encoder = Encoder {
            space: head.space.clone(),
            centres: stored.f32s("feature_centres", plain)?.to_vec(),
            scales: stored.f32s("feature_scales", plain)?.to_vec(),
        };
        if encoder.scales.iter().any(|scale| *scale <= 0.0) {
            return Err(malformed("a feature's scale is not above 0"));
        }
        let means = stored.f64s("means", columns + 1)?.to_vec();
        let predictor = match head.family {
            Classical::ElasticNet | Classical::Pls => {
                Predictor::Linear(Linear::from_stored(stored, plain, columns)?)
            }
            Classical::Knn => Predictor::Neighbours(Neighbours::from_stored(stored, plain, columns)?),
            Classical::RandomForest | Classical::ExtraTrees => {
                Predictor::Forests(Forests::from_stored(stored, plain, columns)?)
            }
        };
        let fitted = Self::assembled(head, encoder, means, predictor);
        if fitted.column_of.len() != columns {
            return Err(malformed("a column occurs twice"));
        }
        Ok(fitted)
    }

    fn linear(&self) -> Option<&Linear> {
        match &self.predictor {
            Predictor::Linear(linear) => Some(linear),
            Predictor::Neighbours(_) | Predictor::Forests(_) => None,
        }
    }

    pub(super) const fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    pub(super) const fn row_side(&self) -> usize {
        self.head.row_side
    }

    /// For each of some entities of the column side, its training column, if it has one.
    pub(super) fn columns(&self, table: &EntityTable, entities: &[u32]) -> Vec<Option<u32>> {
        let of = |entity: &u32| self.column_of.get(&table.ids()[*entity as usize]).copied();
        entities.iter().map(of).collect()
    }

    /// Predictions for rows (their numbers) and columns, row-major.
    fn block(&self, rows: &[&[f32]], columns: &[Option<u32>]) -> Result<Array2<f32>> {
        let training = self.head.columns.len() as u32;
        let mut needed: Vec<u32> = if columns.iter().any(Option::is_none) {
            (0..training).collect()
        } else {
            columns.iter().flatten().copied().collect()
        };
        needed.sort_unstable();
        needed.dedup();
        let place: HashMap<u32, usize> = needed.iter().copied().zip(0..).collect();
        let overall = self.means[training as usize];
        let of_row = |row: &&[f32]| -> Result<Vec<f32>> {
            let deviations = self.predictor.deviations(row, &needed)?;
            let value = |column: &Option<u32>| match column {
                Some(column) => self.means[*column as usize] + deviations[place[column]],
                None => overall + deviations.iter().sum::<f64>() / f64::from(training),
            };
            Ok(columns.iter().map(|column| value(column) as f32).collect())
        };
        let values: Vec<Vec<f32>> = rows.par_iter().map(of_row).collect::<Result<_>>()?;
        Array2::from_shape_vec((rows.len(), columns.len()), values.concat()).map_err(|error| {
            Error::failed("the number of predictions does not fit their block").with_source(error)
        })
    }

    fn listed(&self, tables: &[&EntityTable], rows: &[u32], columns: &[u32]) -> Result<Vec<f32>> {
        let row_side = self.head.row_side;
        let (row_list, row_at) = distinct(rows);
        let (column_list, column_at) = distinct(columns);
        let numbers = self.encoder.encode(tables[row_side], &row_list)?;
        let numbers: Vec<&[f32]> = numbers.rows().into_iter().filter_map(|row| row.to_slice()).collect();
        let known = self.columns(tables[1 - row_side], &column_list);
        let block = self.block(&numbers, &known)?;
        Ok(row_at.into_iter().zip(column_at).map(|at| block[at]).collect())
    }
}

/// Whether the parameters are those of the family.
fn check_params(family: Classical, params: &serde_json::Value) -> Result<(), serde_json::Error> {
    match family {
        Classical::ElasticNet => ElasticNetParams::deserialize(params).map(drop),
        Classical::Pls => PlsParams::deserialize(params).map(drop),
        Classical::Knn => KnnParams::deserialize(params).map(drop),
        Classical::RandomForest | Classical::ExtraTrees => ForestParams::deserialize(params).map(drop),
    }
}

/// The different entities of a list in ascending order, and for each entry of the list its position among them.
fn distinct(list: &[u32]) -> (Vec<u32>, Vec<usize>) {
    let mut all = list.to_vec();
    all.sort_unstable();
    all.dedup();
    let place: HashMap<u32, usize> = all.iter().copied().zip(0..).collect();
    let at = list.iter().map(|entity| place[entity]).collect();
    (all, at)
}

/// A grid whose columns (entities of the query's second table) are given.
struct Grid<'a> {
    model: &'a FittedClassical,
    tables: &'a [&'a EntityTable],
    columns: &'a [u32],
    /// The numbers of all entities of the row side's table.
    numbers: Array2<f32>,
}

impl PreparedGrid for Grid<'_> {
    fn scores(&self, rows: &[u32]) -> Result<Vec<f32>> {
        let row_side = self.model.head.row_side;
        let sides = [rows, self.columns];
        let numbers: Vec<&[f32]> =
            sides[row_side].iter().filter_map(|row| self.numbers.row(*row as usize).to_slice()).collect();
        let known = self.model.columns(self.tables[1 - row_side], sides[1 - row_side]);
        let block = self.model.block(&numbers, &known)?;
        if row_side == 0 {
            return Ok(block.into_iter().collect());
        }
        Ok(block.t().iter().copied().collect())
    }
}

impl FittedModel for FittedClassical {
    fn family(&self) -> &'static str {
        self.head.family.name()
    }

    fn sides(&self) -> usize {
        2
    }

    /// The features of the row side. Features of the column side are not used.
    fn space(&self, side: usize) -> &FeatureSpace {
        if side == self.head.row_side { &self.head.space } else { FeatureSpace::none() }
    }

    fn predict(&self, query: &Query) -> Result<Vec<f32>> {
        query.check(2)?;
        match query.tuples {
            Tuples::Grid([rows, columns]) => self.prepare(query.tables, columns)?.scores(rows),
            Tuples::Listed([cells, drugs]) if self.head.row_side == 0 => {
                self.listed(query.tables, cells, drugs)
            }
            Tuples::Listed([cells, drugs]) => self.listed(query.tables, drugs, cells),
            Tuples::Grid(_) | Tuples::Listed(_) => Ok(Vec::new()),
        }
    }

    fn prepare<'a>(
        &'a self,
        tables: &'a [&'a EntityTable],
        columns: &'a [u32],
    ) -> Result<Box<dyn PreparedGrid + 'a>> {
        Query { tables, tuples: Tuples::Grid(&[&[], columns]) }.check(2)?;
        let table = tables[self.head.row_side];
        let all: Vec<u32> = (0..table.len() as u32).collect();
        let numbers = self.encoder.encode(table, &all)?;
        Ok(Box::new(Grid { model: self, tables, columns, numbers }))
    }

    /// For the linear families, and entities of the row side.
    fn as_attributable(&self, side: usize) -> Option<&dyn Attributable> {
        (self.linear().is_some() && side == self.head.row_side).then_some(self as _)
    }

    fn stored(&self) -> Result<StoredModel> {
        let common = [
            ("means", Tensor::F64(self.means.clone())),
            ("feature_centres", Tensor::F32(self.encoder.centres.clone())),
            ("feature_scales", Tensor::F32(self.encoder.scales.clone())),
        ];
        StoredModel::new(&self.head, common.into_iter().chain(self.predictor.tensors()))
    }
}

impl Attributable for FittedClassical {
    fn attribute<'a>(
        &'a self,
        tables: &'a [&'a EntityTable],
        side: usize,
        entities: &'a [u32],
    ) -> Result<Box<dyn Attributor + 'a>> {
        check_entities(self, tables, side, entities)?;
        let linear = self.linear().ok_or_else(|| Error::failed("the model has no linear weights"))?;
        Ok(Box::new(LinearAttributor::new(self, linear, tables, entities)?))
    }
}
