//! What a fitted model can do. Every model predicts and names its further capabilities.

use std::any::Any;

use serde::{Deserialize, Serialize};

use crate::combinations::{self, PreparedCombinations};
use crate::{Attributor, EntityTable, FeatureSpace, Query, Responses, Result, StoredModel, Tuples};

/// A model that has been fitted. Every model predicts and can be stored. Some families can do more. Each such capability is a
/// separate trait, and a method `as_…` returns it if the model has it.
///
/// ```
/// use halfmax_core::{EntityTable, FeatureSpace, FittedModel, Query, Result, StoredModel, Tuples};
///
/// struct Constant(f32);
/// impl FittedModel for Constant {
///     fn family(&self) -> &'static str { "constant" }
///     fn sides(&self) -> usize { 2 }
///     fn space(&self, _side: usize) -> &FeatureSpace { FeatureSpace::none() }
///     fn predict(&self, query: &Query) -> Result<Vec<f32>> { Ok(vec![self.0; query.tuples.len()]) }
///     fn stored(&self) -> Result<StoredModel> { Ok(StoredModel::default()) }
/// }
///
/// let (cells, drugs) = (EntityTable::new(["A549"], "cell line")?, EntityTable::new(["SN-38", "AZD1775"], "drug")?);
/// let tables = [&cells, &drugs];
/// let model = Constant(1.5);
/// assert_eq!(model.predict(&Query { tables: &tables, tuples: Tuples::Grid(&[&[0], &[0, 1]]) })?, [1.5, 1.5]);
/// assert_eq!(model.feature_shares(&tables)?, [1.0, 1.0]);
/// assert!(model.as_attributable(0).is_none());
/// # Ok::<(), halfmax_core::Error>(())
/// ```
pub trait FittedModel: Send + Sync + Any {
    /// The family's name, as in a configuration: "boost", "drug_mean".
    fn family(&self) -> &'static str;

    /// Number of sides of its queries: 2 for cell lines and drugs, 3 for cell lines and pairs of drugs.
    fn sides(&self) -> usize;

    /// The features of one side that the model was fitted on. [`FeatureSpace::none`] for a side whose features the model does not use.
    fn space(&self, side: usize) -> &FeatureSpace;

    /// Predictions in the unit of the target: one per listed tuple, or the grid in row-major order (the last side
    /// fastest). A tuple's prediction is the same to the last bit whether it is listed or part of a grid.
    ///
    /// # Errors
    /// If the query's tables lack most of the model's features.
    fn predict(&self, query: &Query) -> Result<Vec<f32>>;

    /// The model as data, for a file.
    ///
    /// # Errors
    /// If the model's description cannot be written as JSON.
    fn stored(&self) -> Result<StoredModel>;

    /// For each side, the share of the model's features that the table has, 0 to 1. It is 1 for a side whose features the
    /// model does not use.
    ///
    /// # Errors
    /// If the numbers of tables and sides differ, or a table has less than half of the features.
    fn feature_shares(&self, tables: &[&EntityTable]) -> Result<Vec<f64>> {
        Query::check_tables(tables, self.sides())?;
        tables.iter().enumerate().map(|(side, table)| Ok(self.space(side).align(table)?.share())).collect()
    }

    /// Prepares to score a grid some rows at a time: entities of the first table with these `columns` of the second
    /// table. A family overrides this method to do the work that is the same for all rows once. Scores equal those of
    /// [`FittedModel::predict`].
    ///
    /// # Errors
    /// As [`FittedModel::predict`].
    fn prepare<'a>(
        &'a self,
        tables: &'a [&'a EntityTable],
        columns: &'a [u32],
    ) -> Result<Box<dyn PreparedGrid + 'a>> {
        Ok(Box::new(Unprepared { model: self, tables, columns }))
    }

    /// Prepares to score every combination of `drugs`. These are positions in the second table, in the order of their
    /// ids; the third table is the same table. A family overrides this method to do the work that is the same for
    /// all cell lines once. Scores equal those of [`FittedModel::predict`].
    ///
    /// # Errors
    /// As [`FittedModel::predict`].
    fn prepare_combinations<'a>(
        &'a self,
        tables: &'a [&'a EntityTable],
        drugs: &'a [u32],
    ) -> Result<Box<dyn PreparedCombinations + 'a>> {
        Ok(Box::new(combinations::Unprepared { model: self, tables, drugs }))
    }

    /// The model, if it can attribute predictions to the features of this side.
    fn as_attributable(&self, _side: usize) -> Option<&dyn Attributable> {
        None
    }

    /// The model, if it can take measured responses of new entities without another fit.
    fn as_conditionable(&self) -> Option<&dyn Conditionable> {
        None
    }

    /// The model, if it has several members whose predictions differ.
    fn as_ensemble(&self) -> Option<&dyn Ensemble> {
        None
    }

    /// The model, if it was fitted in epochs and still has their record. A stored model does not keep this record.
    fn as_epochwise(&self) -> Option<&dyn Epochwise> {
        None
    }
}

/// A model that says how much each feature contributes to its predictions.
pub trait Attributable {
    /// Prepares to attribute predictions for these `entities` of a side's table to their features. `side` is the side that was
    /// given to [`FittedModel::as_attributable`].
    ///
    /// # Errors
    /// If an entity is not in its table, or the tables lack most of the model's features.
    fn attribute<'a>(
        &'a self,
        tables: &'a [&'a EntityTable],
        side: usize,
        entities: &'a [u32],
    ) -> Result<Box<dyn Attributor + 'a>>;
}

/// A model that can use a few measured responses of new entities (pilot measurements) without another fit.
pub trait Conditionable {
    /// The model conditioned on these responses. The entities of `measured` are positions in these tables, one table for each side.
    ///
    /// # Errors
    /// If a response names an entity that its table lacks, or a matrix is singular.
    fn condition_on(&self, tables: &[&EntityTable], measured: &Responses) -> Result<Conditioned>;
}

/// A model of several members, each of which predicts.
pub trait Ensemble {
    /// How much the members differ: the standard deviation of their predictions, in the unit of the target. One value for
    /// each tuple, in the order of [`FittedModel::predict`].
    ///
    /// # Errors
    /// As [`FittedModel::predict`].
    fn spread(&self, query: &Query) -> Result<Vec<f32>>;
}

/// A model that was fitted in epochs.
pub trait Epochwise {
    /// What the fit reported, epoch by epoch.
    fn epochs(&self) -> &[Epoch];
}

/// A model conditioned on measured responses. Made by [`Conditionable::condition_on`].
pub struct Conditioned {
    /// The model.
    pub model: Box<dyn FittedModel>,
    /// Number of responses that it could use: responses of entities that were not in training, with partners that were.
    pub used: usize,
}

/// A grid with fixed columns, ready to score rows. Made by [`FittedModel::prepare`].
pub trait PreparedGrid: Send + Sync {
    /// The predictions for these rows and all columns, row-major.
    ///
    /// # Errors
    /// As [`FittedModel::predict`].
    fn scores(&self, rows: &[u32]) -> Result<Vec<f32>>;
}

/// The grid of a model that prepares nothing: every call predicts.
struct Unprepared<'a, M: ?Sized> {
    model: &'a M,
    tables: &'a [&'a EntityTable],
    columns: &'a [u32],
}

impl<M: FittedModel + ?Sized> PreparedGrid for Unprepared<'_, M> {
    fn scores(&self, rows: &[u32]) -> Result<Vec<f32>> {
        self.model.predict(&Query { tables: self.tables, tuples: Tuples::Grid(&[rows, self.columns]) })
    }
}

/// What an iterative fit reports about one pass over its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// The number of the ensemble member, from 0.
    pub member: usize,
    /// The number of the epoch, from 1.
    pub epoch: usize,
    /// The learning rate of the epoch's last step.
    pub learning_rate: f64,
    /// The mean training loss, on standardised responses and with dropout.
    pub training_loss: f64,
    /// The root mean square error on the validation part, in the unit of the target; `None` without a validation part.
    /// Means that predictions are relative to (for example drug means) include the validation part, so this error is
    /// slightly optimistic.
    pub validation_rmse: Option<f64>,
    /// The share of the validation part's variance within drugs (columns) that is explained; `None` without a validation part.
    pub validation_r2_within: Option<f64>,
    /// Seconds since the training of this member began. Time before an interruption is not counted.
    pub seconds: f64,
}
