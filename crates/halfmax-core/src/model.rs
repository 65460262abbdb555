use std::any::Any;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::combinations::{self, PreparedCombinations};
use crate::{Attributor, EntityTable, Error, FeatureSpace, Progress, Responses, Result, Seed, TrainView};

/// A model family with its parameters, ready to fit.
pub trait Model: Send + Sync {
    /// The fitted form.
    type Fitted: FittedModel;

    /// Fits the model to the responses and features of a view.
    ///
    /// # Errors
    /// If the view holds too little to learn from, or the user stopped it.
    fn fit(&self, train: &TrainView, context: &FitContext) -> Result<Self::Fitted>;

    /// How many bytes of memory a fit to a view takes at its peak, besides the screen: an estimate from sizes, so that a fit which
    /// cannot succeed need not start. Of fits that take hundreds of megabytes it is meant to be between 0.8 and 1.5 of what they take.
    ///
    /// # Errors
    /// If the family does not take data of these sizes: the error that the fit would end with.
    fn memory(&self, train: &TrainView, context: &FitContext) -> Result<usize>;
}

/// A [`Model`] of any family, for lists of models.
pub trait AnyModel: Send + Sync + Any {
    /// See [`Model::fit`].
    ///
    /// # Errors
    /// As [`Model::fit`].
    fn fit_any(&self, train: &TrainView, context: &FitContext) -> Result<Box<dyn FittedModel>>;

    /// See [`Model::memory`].
    ///
    /// # Errors
    /// As [`Model::memory`].
    fn memory_any(&self, train: &TrainView, context: &FitContext) -> Result<usize>;
}

impl<M: Model + 'static> AnyModel for M
where
    M::Fitted: 'static,
{
    fn fit_any(&self, train: &TrainView, context: &FitContext) -> Result<Box<dyn FittedModel>> {
        Ok(Box::new(self.fit(train, context)?))
    }

    fn memory_any(&self, train: &TrainView, context: &FitContext) -> Result<usize> {
        self.memory(train, context)
    }
}

/// A model that has been fitted: it predicts, and it can be taken apart for storage.
pub trait FittedModel: Send + Sync + Any {
    /// The family's name, as in a configuration: "boost", "drug_mean".
    fn family(&self) -> &'static str;

    /// Predictions in the unit of the target: one per listed tuple, or the grid in row-major order (the last side
    /// fastest). A tuple's prediction is the same to the last bit whether it is listed or part of a grid.
    ///
    /// # Errors
    /// If the query's tables lack most of the model's features.
    fn predict(&self, query: &Query) -> Result<Vec<f32>>;

    /// Prepares to score a grid some rows at a time: entities of the first table with these `columns` of the second. What
    /// does not depend on the rows is done once. Scores are those of [`FittedModel::predict`].
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

    /// Prepares to score every combination of `drugs`, positions in the second table, which the third is too, in the order of
    /// their ids. What does not depend on the cell lines is done once. Scores are those of [`FittedModel::predict`].
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

    /// Prepares to attribute predictions for these `entities` of one side's table to their features. None for a family that can
    /// only be asked for predictions.
    ///
    /// # Errors
    /// As [`FittedModel::predict`].
    fn attribute<'a>(
        &'a self,
        tables: &'a [&'a EntityTable],
        side: usize,
        entities: &'a [u32],
    ) -> Result<Option<Box<dyn Attributor + 'a>>> {
        let _ = (tables, side, entities);
        Ok(None)
    }

    /// For each side, the share of the model's features that the query's table has, 0 to 1.
    ///
    /// # Errors
    /// As [`FittedModel::predict`].
    fn feature_share(&self, query: &Query) -> Result<Vec<f64>>;

    /// The features of one side that it was fitted on; none for a model that needs none.
    fn space(&self, _side: usize) -> FeatureSpace {
        FeatureSpace::default()
    }

    /// Whether [`FittedModel::given`] takes responses of entities that were not in training.
    fn takes_responses(&self) -> bool {
        false
    }

    /// The model, informed by measured responses of entities that were not in training (pilot measurements), without
    /// fitting it again. The entities of `measured` are positions in these tables, one for each side.
    ///
    /// # Errors
    /// If the family takes none, a response names an entity that its table lacks, or a matrix is singular.
    fn given(&self, tables: &[&EntityTable], measured: &Responses) -> Result<Informed> {
        let _ = (tables, measured);
        Err(Error::config(format!(
            "family {:?} takes no measured responses once it is fitted",
            self.family()
        ))
        .help("train a model of family \"kernel\" or \"completion\""))
    }

    /// What the fit reported epoch by epoch; empty for one that has no epochs, and for a model that was read from a file.
    fn epochs(&self) -> &[Epoch] {
        &[]
    }

    /// How much the members of an ensemble differ in what they predict: for every tuple, in the order of
    /// [`FittedModel::predict`], the standard deviation in the unit of the target. None for a model of one member.
    ///
    /// # Errors
    /// As [`FittedModel::predict`].
    fn spread(&self, query: &Query) -> Result<Option<Vec<f32>>> {
        let _ = query;
        Ok(None)
    }

    /// The model as data, for a file.
    fn parts(&self) -> Parts;
}

/// A model that was given measured responses after it was fitted.
pub struct Informed {
    /// The model.
    pub model: Box<dyn FittedModel>,
    /// How many of the responses it could use: those of entities that were not in training, with partners that were.
    pub used: usize,
}

/// A grid of which only the rows are left to choose. Made by [`FittedModel::prepare`].
pub trait PreparedGrid: Send + Sync {
    /// The predictions for these rows and all columns, row-major.
    ///
    /// # Errors
    /// As [`FittedModel::predict`].
    fn scores(&self, rows: &[u32]) -> Result<Vec<f32>>;
}

/// The grid of a model that has nothing to prepare: every call predicts.
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

/// What a fit may depend on besides the data.
#[derive(Clone, Copy)]
pub struct FitContext<'a> {
    /// The seed of everything random in the fit.
    pub seed: Seed,
    /// Where progress goes.
    pub progress: &'a dyn Progress,
    /// What stays together when a fit sets a validation part aside.
    pub validation: ValidationGroup<'a>,
    /// Where a long fit keeps how far it got, so that it can go on there after an interruption.
    pub checkpoint: Option<Checkpoint<'a>>,
}

impl<'a> FitContext<'a> {
    /// A context without checkpoints.
    pub const fn new(seed: Seed, progress: &'a dyn Progress, validation: ValidationGroup<'a>) -> Self {
        Self { seed, progress, validation, checkpoint: None }
    }

    /// The name for the checkpoints of a fit that is a part of this one; empty without checkpoints.
    pub fn name_of(&self, part: &str) -> String {
        self.checkpoint.map_or_else(String::new, |checkpoint| format!("{}, {part}", checkpoint.name))
    }

    /// The checkpoints of this fit's store under another name.
    pub fn checkpoint_at(&self, name: &'a str) -> Option<Checkpoint<'a>> {
        self.checkpoint.map(|checkpoint| Checkpoint { name, ..checkpoint })
    }
}

/// Where the states of fits that take long are kept until the run is complete.
pub trait CheckpointStore: Sync {
    /// The last state kept under a name, if there is one.
    ///
    /// # Errors
    /// If it cannot be read.
    fn load(&self, name: &str) -> Result<Option<Parts>>;

    /// Keeps a state under a name, in place of the last one; complete or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    fn save(&self, name: &str, state: &Parts) -> Result<()>;

    /// Where states are kept, for messages.
    fn place(&self) -> String;
}

/// The checkpoints of one fit: those whose name begins with its own.
#[derive(Clone, Copy)]
pub struct Checkpoint<'a> {
    /// Where they are kept.
    pub store: &'a dyn CheckpointStore,
    /// The name of the fit.
    pub name: &'a str,
}

/// What a fit that learns step by step reports of one pass over its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// Which member of an ensemble, from 0.
    pub member: usize,
    /// Which epoch, from 1.
    pub epoch: usize,
    /// The learning rate of its last step.
    pub learning_rate: f64,
    /// The mean training loss, of standardised responses and with dropout.
    pub training_loss: f64,
    /// The root mean square error of the validation part, in the unit of the target; none without one. Means that predictions
    /// are relative to (of drugs, say) include that part, so it flatters a little.
    pub validation_rmse: Option<f64>,
    /// The share of the validation part's variance within drugs (columns) that is explained; none without one.
    pub validation_r2_within: Option<f64>,
    /// Seconds since the training of its member began, without those before an interruption.
    pub seconds: f64,
}

/// What stays together when responses are set aside for validation, so that they ask the question of the evaluation.
#[derive(Clone, Copy, Debug)]
pub enum ValidationGroup<'a> {
    /// Single responses.
    Response,
    /// All responses of an entity of this side.
    Entity(usize),
    /// All responses of the entities of this side that have the same group number.
    Groups(usize, &'a [usize]),
    /// All responses to a combination: the same entities on every side but the first, in whatever order.
    Combination,
    /// All responses to combinations that an entity is part of, on any side but the first. A combination of two drugs
    /// belongs to both.
    Member,
}

/// The sides whose entities a model may know one by one. Unseen entities have no mean and follow the
/// majority branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// Those that the split does not hold out: drugs for unseen cell lines, cell lines for unseen drugs, both for
    /// unseen pairs and unseen combinations.
    Auto,
    /// Neither.
    None,
    /// Cell lines.
    Cell,
    /// Drugs.
    Drug,
    /// Cell lines and drugs.
    Both,
}

impl Known {
    /// Whether the entities of a side are known, given what the evaluation holds out.
    ///
    /// ```
    /// use halfmax_core::{Known, ValidationGroup};
    /// assert!(!Known::Auto.includes(0, ValidationGroup::Entity(0)));
    /// assert!(Known::Auto.includes(1, ValidationGroup::Entity(0)));
    /// assert!(!Known::Drug.includes(0, ValidationGroup::Response));
    /// ```
    pub fn includes(self, side: usize, validation: ValidationGroup) -> bool {
        match self {
            Self::None => false,
            Self::Cell => side == 0,
            Self::Drug => side != 0,
            Self::Both => true,
            Self::Auto => match validation {
                // Each drug of an unseen combination was seen with others.
                ValidationGroup::Response | ValidationGroup::Combination => true,
                ValidationGroup::Member => side == 0,
                ValidationGroup::Entity(held) | ValidationGroup::Groups(held, _) => side != held,
            },
        }
    }
}

/// What to predict: tuples of entities out of tables, one table per side.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// For each side the table its entities are in.
    pub tables: &'a [&'a EntityTable],
    /// Which tuples.
    pub tuples: Tuples<'a>,
}

impl Query<'_> {
    /// Whether it has this many sides, lists of one length, and only entities that its tables have. A grid or list without
    /// any side asks for nothing.
    ///
    /// # Errors
    /// The first of these that does not hold.
    ///
    /// ```
    /// use halfmax_core::{EntityTable, Query, Tuples};
    /// let (cells, drugs) = (EntityTable::new(["A549"], "cell line")?, EntityTable::new(["Paclitaxel"], "drug")?);
    /// let query = Query { tables: &[&cells, &drugs], tuples: Tuples::Listed(&[&[0], &[1]]) };
    /// assert_eq!(query.check(2).unwrap_err().to_string(), "a query names drug number 1 of 1");
    /// # Ok::<(), halfmax_core::Error>(())
    /// ```
    pub fn check(&self, sides: usize) -> Result<()> {
        let (Tuples::Listed(lists) | Tuples::Grid(lists)) = self.tuples;
        if self.tables.len() != sides || !(lists.len() == sides || lists.is_empty()) {
            return Err(Error::data(format!(
                "a query of {} tables and {} sides for a model of {sides}",
                self.tables.len(),
                lists.len()
            )));
        }
        let listed = matches!(self.tuples, Tuples::Listed(_));
        if listed && lists.iter().any(|list| list.len() != lists[0].len()) {
            return Err(Error::data("the sides of a query differ in length"));
        }
        for (table, list) in self.tables.iter().zip(lists) {
            if let Some(entity) = list.iter().find(|entity| **entity as usize >= table.len()) {
                let (sort, count) = (table.sort(), table.len());
                return Err(Error::data(format!("a query names {sort} number {entity} of {count}")));
            }
        }
        Ok(())
    }
}

/// Tuples of entities, as positions in the tables of a [`Query`].
#[derive(Clone, Copy, Debug)]
pub enum Tuples<'a> {
    /// One list of positions per side, all of one length.
    Listed(&'a [&'a [u32]]),
    /// Every combination of these entities, one list per side.
    Grid(&'a [&'a [u32]]),
}

impl Tuples<'_> {
    /// Number of tuples.
    pub fn len(&self) -> usize {
        match self {
            Self::Listed(sides) => sides.first().map_or(0, |side| side.len()),
            Self::Grid(sides) => sides.iter().map(|side| side.len()).product(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entity on each side of tuple `at`.
    pub fn get(&self, at: usize, tuple: &mut [u32]) {
        match self {
            Self::Listed(sides) => {
                for (entity, side) in tuple.iter_mut().zip(*sides) {
                    *entity = side[at];
                }
            }
            Self::Grid(sides) => {
                let mut rest = at;
                for (entity, side) in tuple.iter_mut().zip(*sides).rev() {
                    *entity = side[rest % side.len()];
                    rest /= side.len();
                }
            }
        }
    }
}

/// A fitted model as data: a description and named arrays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts {
    /// Parameters, feature names, everything that is not a large array; JSON.
    pub description: serde_json::Value,
    /// The arrays, by name.
    pub tensors: BTreeMap<String, Tensor>,
}

impl Parts {
    /// Finite double-precision numbers of this name.
    ///
    /// # Errors
    /// If there is no such tensor, it is of another type or length, or holds a number that is not finite.
    pub fn f64s(&self, name: &str, length: usize) -> Result<&[f64]> {
        let values = match self.tensors.get(name) {
            Some(Tensor::F64(values)) => Some(values.as_slice()),
            _ => None,
        };
        checked(values, name, length, |value| value.is_finite())
    }

    /// Finite single-precision numbers of this name.
    ///
    /// # Errors
    /// As [`Parts::f64s`].
    pub fn f32s(&self, name: &str, length: usize) -> Result<&[f32]> {
        let values = match self.tensors.get(name) {
            Some(Tensor::F32(values)) => Some(values.as_slice()),
            _ => None,
        };
        checked(values, name, length, |value| value.is_finite())
    }

    /// Whole numbers of this name.
    ///
    /// # Errors
    /// As [`Parts::f64s`].
    pub fn u32s(&self, name: &str, length: usize) -> Result<&[u32]> {
        let values = match self.tensors.get(name) {
            Some(Tensor::U32(values)) => Some(values.as_slice()),
            _ => None,
        };
        checked(values, name, length, |_| true)
    }

    /// Bytes of this name.
    ///
    /// # Errors
    /// As [`Parts::f64s`].
    pub fn u8s(&self, name: &str, length: usize) -> Result<&[u8]> {
        let values = match self.tensors.get(name) {
            Some(Tensor::U8(values)) => Some(values.as_slice()),
            _ => None,
        };
        checked(values, name, length, |_| true)
    }
}

impl Parts {
    /// Refuses arrays and keys that a model of its family does not have. `known` is what the model that was loaded is stored as.
    ///
    /// # Errors
    /// If there is one: names it.
    ///
    /// ```
    /// use halfmax_core::Parts;
    /// let parts = |description| Parts { description, ..Parts::default() };
    /// let file = parts(serde_json::json!({"sides": [{"ids": [], "weigths": 1}]}));
    /// let known = parts(serde_json::json!({"sides": [{"ids": [], "weights": 1}]}));
    /// let error = file.refuse_unknown(&known).unwrap_err();
    /// assert!(error.to_string().contains("\"sides[0].weigths\""));
    /// ```
    pub fn refuse_unknown(&self, known: &Parts) -> Result<()> {
        let unknown = |what: String| {
            Err(Error::data(format!("the model is malformed: {what} is not known to its family"))
                .help("copy the file again, or use the version of halfmax that wrote it"))
        };
        if let Some(name) = self.tensors.keys().find(|name| !known.tensors.contains_key(*name)) {
            return unknown(format!("array {name:?}"));
        }
        match unknown_key(&self.description, &known.description) {
            Some(key) => unknown(format!("key {key:?}")),
            None => Ok(()),
        }
    }
}

/// The first key of a JSON value that another one of the same kind does not have, as a path: `sides[0].ids`.
pub fn unknown_key(value: &serde_json::Value, known: &serde_json::Value) -> Option<String> {
    use serde_json::Value;
    match (value, known) {
        (Value::Object(own), Value::Object(known)) => own.iter().find_map(|(key, value)| {
            let Some(known) = known.get(key) else { return Some(key.clone()) };
            let inner = unknown_key(value, known)?;
            let dot = if inner.starts_with('[') { "" } else { "." };
            Some(format!("{key}{dot}{inner}"))
        }),
        (Value::Array(own), Value::Array(known)) => {
            own.iter().zip(known).enumerate().find_map(|(at, (value, known))| {
                let inner = unknown_key(value, known)?;
                let dot = if inner.starts_with('[') { "" } else { "." };
                Some(format!("[{at}]{dot}{inner}"))
            })
        }
        _ => None,
    }
}

fn checked<'a, T>(
    values: Option<&'a [T]>,
    name: &str,
    length: usize,
    fits: impl Fn(&T) -> bool,
) -> Result<&'a [T]> {
    let what = match values {
        None => format!("{name} is missing or of another type"),
        Some(values) if values.len() != length => {
            format!("{name} has {} numbers, expected {length}", values.len())
        }
        Some(values) if values.iter().all(fits) => return Ok(values),
        Some(_) => format!("{name} holds a number that is not finite"),
    };
    Err(Error::data(format!("the model is malformed: {what}"))
        .help("copy the file again, or train the model anew"))
}

/// An array of a model file.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Tensor {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I32(Vec<i32>),
    U32(Vec<u32>),
    U8(Vec<u8>),
}
