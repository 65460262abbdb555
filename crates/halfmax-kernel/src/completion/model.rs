//! The fitted model: prediction, conditioning on a few responses, storage.

use std::collections::{BTreeMap, HashSet};

use halfmax_core::{
    Conditionable, Conditioned, EntityTable, Error, FeatureSpace, FittedModel, PreparedGrid, Query,
    Responses, Result, StoredModel, Tensor, Tuples, malformed,
};
use ndarray::{Array1, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::CompletionParams;
use super::regress::{Measured, Regression};
use crate::linalg::Matrix;
use crate::model::positions;

/// A completed block: effects and factors of the entities of both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedCompletion {
    fitted: Fitted,
}

/// The fitted parts. Pairs of values are in the order rows, columns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fitted {
    pub params: CompletionParams,
    pub target: String,
    pub sides: [SideIds; 2],
    pub mean: f64,
    /// λ, in the unit of the target times the root of a number of pairs.
    pub shrinkage: f64,
    pub noise: f64,
    /// Prior variances of the effects.
    pub variances: [f64; 2],
    /// Prior variances of a row's factors.
    pub row_prior: Array1<f64>,
    /// Prior variances of a column's factors.
    pub column_prior: Array1<f64>,
    pub effects: [Array1<f64>; 2],
    /// Entities × rank.
    pub factors: [Matrix; 2],
}

/// The training entities of a side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SideIds {
    /// The side's name.
    pub name: String,
    /// Their ids.
    pub ids: Vec<String>,
}

impl Fitted {
    /// The regression of an entity of a side on the factors of the other side.
    pub fn regression(&self, side: usize) -> Regression {
        let priors = if side == 0 { &self.row_prior } else { &self.column_prior };
        Regression::new(self.variances[side], priors, self.factors[1 - side].view())
    }

    fn rank(&self) -> usize {
        self.row_prior.len()
    }
}

/// Measured responses of entities that were not in training, by position in a table: (entity of the other side, response, weight).
type Strangers = BTreeMap<u32, Vec<(usize, f64, f64)>>;

impl FittedCompletion {
    pub(super) fn new(fitted: Fitted) -> Result<Self> {
        for (side, (effects, factors)) in fitted.effects.iter().zip(&fitted.factors).enumerate() {
            let finite =
                |at: &usize| effects[*at].is_finite() && factors.row(*at).iter().all(|f| f.is_finite());
            if let Some(at) = (0..effects.len()).find(|at| !finite(at)) {
                return Err(Error::failed(format!(
                    "the factor of {:?} is not finite",
                    fitted.sides[side].ids[at]
                ))
                .with_help("look for huge values among the responses"));
            }
        }
        Ok(Self { fitted })
    }

    /// Number of factors.
    pub fn rank(&self) -> usize {
        self.fitted.rank()
    }

    /// The penalty λ on the nuclear norm, for response weights relative to the largest.
    pub fn shrinkage(&self) -> f64 {
        self.fitted.shrinkage
    }

    /// Variance of a response of weight 1 around the regression of its row, in squared units of the target.
    pub fn noise(&self) -> f64 {
        self.fitted.noise
    }

    /// Ids of the training entities of a side (0: rows, 1: columns), in the order of profiles; empty for other sides.
    pub fn ids(&self, side: usize) -> &[String] {
        self.fitted.sides.get(side).map_or(&[], |side| &side.ids)
    }

    /// The profile of a row that was not in training, from some of its responses. It holds the predicted response to
    /// every column of [`FittedCompletion::ids`]`(1)`, in the unit of the target, including the measured columns.
    ///
    /// `measured` holds pairs of a column's position there and a response. A column may occur more than once. The row's
    /// effect and factor are their posterior means given these responses. The priors are normal, with the variances of
    /// the training rows' effects and penalised factors. The noise has variance [`FittedCompletion::noise`], and the
    /// columns are as fitted. Without responses the profile is mean + column effects. The model does not change. With the
    /// default [`Finish`](super::Finish), a training row's own responses give the training row's predictions.
    ///
    /// # Errors
    /// If a position is not that of a column, or a response is not finite.
    ///
    /// ```
    /// use halfmax_core::*;
    /// use halfmax_kernel::CompletionParams;
    ///
    /// // Cell lines respond to four drugs along one direction.
    /// let slope = [1.0, -1.0, 2.0, 0.5];
    /// let pairs: Vec<(u32, u32)> = (0..60).flat_map(|cell| (0..4).map(move |drug| (cell, drug))).collect();
    /// let factor = |cell: u32| ((cell * 7) % 13) as f32 / 6.0 - 1.0;
    /// let values = pairs.iter().map(|(cell, drug)| factor(*cell) * slope[*drug as usize]).collect();
    /// let sides = vec![pairs.iter().map(|p| p.0).collect(), pairs.iter().map(|p| p.1).collect()];
    /// let cells = EntityTable::new((0..60).map(|c| format!("cell {c}")), "cell line")?;
    /// let drugs = EntityTable::new(["w", "x", "y", "z"], "drug")?;
    /// let responses = Responses::new(sides, values, None)?;
    /// let screen = Screen::new("LN_IC50", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses)?;
    /// let context = FitContext::new(Seed::new(1), &Silent, ValidationGroup::Response);
    /// let fitted = CompletionParams::default().check()?.fit(&screen.all(), &context)?;
    ///
    /// // A new cell line, measured with w and x.
    /// let profile = fitted.row_from(&[(0, 0.8), (1, -0.8)])?;
    /// assert!((profile[2] - 1.6).abs() < 0.2);
    /// assert_eq!(fitted.row_from(&[])?.len(), 4);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn row_from(&self, measured: &[(usize, f64)]) -> Result<Array1<f64>> {
        self.entity_from(0, measured)
    }

    /// The profile of a column that was not in training, from some of its responses: its predicted response with every
    /// row of [`FittedCompletion::ids`]`(0)`. As [`FittedCompletion::row_from`] with the sides exchanged: `measured`
    /// holds positions of rows, and the prior of the factor is the spread of the columns' factors.
    ///
    /// # Errors
    /// If a position is not that of a row, or a response is not finite.
    ///
    /// ```
    /// # use halfmax_core::*;
    /// # use halfmax_kernel::CompletionParams;
    /// # let sides = vec![vec![0, 0, 1, 1], vec![0, 1, 0, 1]];
    /// # let cells = EntityTable::new(["a", "b"], "cell line")?;
    /// # let drugs = EntityTable::new(["x", "y"], "drug")?;
    /// # let responses = Responses::new(sides, vec![1.0, 2.0, 3.0, 4.0], None)?;
    /// # let screen = Screen::new("LN_IC50", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses)?;
    /// # let context = FitContext::new(Seed::new(1), &Silent, ValidationGroup::Response);
    /// let fitted = CompletionParams::default().check()?.fit(&screen.all(), &context)?;
    /// let profile = fitted.column_from(&[(0, 5.0)])?;
    /// assert_eq!(profile.len(), fitted.ids(0).len());
    /// assert!(fitted.column_from(&[(2, 5.0)]).is_err()); // there are two rows
    /// # Ok::<(), Error>(())
    /// ```
    pub fn column_from(&self, measured: &[(usize, f64)]) -> Result<Array1<f64>> {
        self.entity_from(1, measured)
    }

    fn entity_from(&self, side: usize, measured: &[(usize, f64)]) -> Result<Array1<f64>> {
        let Fitted { mean, effects, factors, sides, .. } = &self.fitted;
        let (others, factors) = (&effects[1 - side], &factors[1 - side]);
        for (with, value) in measured {
            if *with >= others.len() {
                let name = &sides[1 - side].name;
                let message = format!("a measured response names {name} number {with} of {}", others.len());
                return Err(Error::data(message));
            }
            if !value.is_finite() {
                return Err(Error::data(format!(
                    "the response measured with {:?} is {value}: expected a finite number",
                    sides[1 - side].ids[*with]
                )));
            }
        }
        let measured: Vec<(usize, f64, f64)> =
            measured.iter().map(|(with, value)| (*with, *value, 1.0)).collect();
        let found = self.coefficients(&self.fitted.regression(side), side, &measured)?;
        Ok(others + *mean + found[0] + factors.dot(&found.slice(s![1..])))
    }

    /// The effect and then the factor of an entity of a side, from responses: (entity of the other side, response, weight).
    fn coefficients(
        &self,
        regression: &Regression,
        side: usize,
        measured: &[(usize, f64, f64)],
    ) -> Result<Array1<f64>> {
        let Fitted { mean, effects, noise, .. } = &self.fitted;
        let rest = |(with, value, weight): &(usize, f64, f64)| Measured {
            with: *with,
            rest: value - mean - effects[1 - side][*with],
            weight: *weight,
        };
        let measured: Vec<Measured> = measured.iter().map(rest).collect();
        let none = || Array1::zeros(1 + self.fitted.rank());
        Ok(regression.coefficients(&measured, &[*noise])?.pop().unwrap_or_else(none))
    }

    /// The model with new entities of both sides added, if they were measured with training entities.
    fn conditioned(&self, tables: &[&EntityTable], measured: &Responses) -> Result<Conditioned> {
        let known = [0, 1].map(|side| positions(&self.fitted.sides[side].ids, tables[side]));
        let mut strangers: [Strangers; 2] = [Strangers::new(), Strangers::new()];
        let mut used = 0;
        for at in 0..measured.len() {
            let pair = [measured.side(0)[at], measured.side(1)[at]];
            let places = [known[0][pair[0] as usize], known[1][pair[1] as usize]];
            let (stranger, with) = match places {
                [None, Some(column)] => (0, column),
                [Some(row), None] => (1, row),
                _ => continue,
            };
            let response = (with, f64::from(measured.values()[at]), f64::from(measured.weight(at)));
            strangers[stranger].entry(pair[stranger]).or_default().push(response);
            used += 1;
        }
        let mut fitted = self.fitted.clone();
        for (side, strangers) in strangers.iter().enumerate().filter(|(_, strangers)| !strangers.is_empty()) {
            let regression = self.fitted.regression(side);
            let (mut effects, mut factors) = (fitted.effects[side].to_vec(), fitted.factors[side].clone());
            for (entity, measured) in strangers {
                let found = self.coefficients(&regression, side, measured)?;
                effects.push(found[0]);
                factors
                    .push_row(found.slice(s![1..]))
                    .map_err(|error| Error::failed("a factor has the wrong length").with_source(error))?;
                fitted.sides[side].ids.push(tables[side].ids()[*entity as usize].clone());
            }
            fitted.effects[side] = effects.into();
            fitted.factors[side] = factors;
        }
        Ok(Conditioned { model: Box::new(Self::new(fitted)?), used })
    }

    fn prepared(&self, tables: &[&EntityTable]) -> Prepared<'_> {
        let known = [0, 1].map(|side| positions(&self.fitted.sides[side].ids, tables[side]));
        Prepared { fitted: &self.fitted, known }
    }
}

/// The places of a query's entities in the block.
struct Prepared<'a> {
    fitted: &'a Fitted,
    known: [Vec<Option<usize>>; 2],
}

impl Prepared<'_> {
    fn score(&self, row: u32, column: u32) -> f32 {
        let Fitted { mean, effects, factors, .. } = self.fitted;
        let [row, column] = [self.known[0][row as usize], self.known[1][column as usize]];
        let effect = |side: usize, at: Option<usize>| at.map_or(0.0, |at: usize| effects[side][at]);
        let product = match (row, column) {
            (Some(row), Some(column)) => factors[0].row(row).dot(&factors[1].row(column)),
            _ => 0.0,
        };
        (mean + effect(0, row) + effect(1, column) + product) as f32
    }
}

/// A grid whose columns (entities of the query's second table) are given.
struct Grid<'a> {
    prepared: Prepared<'a>,
    columns: &'a [u32],
}

impl PreparedGrid for Grid<'_> {
    fn scores(&self, rows: &[u32]) -> Result<Vec<f32>> {
        let row = |row: &u32| {
            let score = |column: &u32| self.prepared.score(*row, *column);
            self.columns.iter().map(score).collect::<Vec<f32>>()
        };
        Ok(rows.par_iter().flat_map_iter(row).collect())
    }
}

impl FittedModel for FittedCompletion {
    fn family(&self) -> &'static str {
        "completion"
    }

    fn sides(&self) -> usize {
        2
    }

    fn space(&self, _side: usize) -> &FeatureSpace {
        FeatureSpace::none()
    }

    fn predict(&self, query: &Query) -> Result<Vec<f32>> {
        query.check(2)?;
        let prepared = self.prepared(query.tables);
        match query.tuples {
            Tuples::Grid([rows, columns]) => Grid { prepared, columns }.scores(rows),
            Tuples::Listed([rows, columns]) => {
                let pairs = rows.par_iter().zip(columns.par_iter());
                Ok(pairs.map(|(row, column)| prepared.score(*row, *column)).collect())
            }
            Tuples::Grid(_) | Tuples::Listed(_) => Ok(Vec::new()),
        }
    }

    fn prepare<'a>(
        &'a self,
        tables: &'a [&'a EntityTable],
        columns: &'a [u32],
    ) -> Result<Box<dyn PreparedGrid + 'a>> {
        Query { tables, tuples: Tuples::Grid(&[&[], columns]) }.check(2)?;
        Ok(Box::new(Grid { prepared: self.prepared(tables), columns }))
    }

    fn as_conditionable(&self) -> Option<&dyn Conditionable> {
        Some(self)
    }

    fn stored(&self) -> Result<StoredModel> {
        let fitted = &self.fitted;
        let description = Description {
            params: fitted.params.clone(),
            target: fitted.target.clone(),
            rank: self.rank(),
            sides: fitted.sides.clone(),
        };
        let [row_variance, column_variance] = fitted.variances;
        let numbers = vec![fitted.mean, fitted.shrinkage, fitted.noise, row_variance, column_variance];
        let tensors = [
            ("numbers", numbers),
            ("row_prior", fitted.row_prior.to_vec()),
            ("column_prior", fitted.column_prior.to_vec()),
            ("row_effects", fitted.effects[0].to_vec()),
            ("column_effects", fitted.effects[1].to_vec()),
            ("row_factors", fitted.factors[0].iter().copied().collect()),
            ("column_factors", fitted.factors[1].iter().copied().collect()),
        ];
        StoredModel::new(&description, tensors.map(|(name, values)| (name, Tensor::F64(values))))
    }
}

impl Conditionable for FittedCompletion {
    fn condition_on(&self, tables: &[&EntityTable], measured: &Responses) -> Result<Conditioned> {
        let sides: Vec<&[u32]> = (0..measured.sides()).map(|side| measured.side(side)).collect();
        Query { tables, tuples: Tuples::Listed(&sides) }.check(2)?;
        self.conditioned(tables, measured)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    params: CompletionParams,
    target: String,
    rank: usize,
    sides: [SideIds; 2],
}

impl FittedCompletion {
    /// Reads a model from its [`FittedModel::stored`] form, exactly as it was.
    ///
    /// # Errors
    /// If the description is not that of a completion, a parameter is out of range, an id occurs twice, or a tensor is
    /// missing, has the wrong type or length, or holds an invalid number.
    pub fn from_stored(stored: &StoredModel) -> Result<Self> {
        let fitted = Self::read(stored)?;
        stored.refuse_unknown(&fitted.stored()?)?;
        Ok(fitted)
    }

    fn read(stored: &StoredModel) -> Result<Self> {
        let Description { params, target, rank, sides } = stored.described()?;
        params.clone().check().map_err(|error| malformed("its parameters are invalid").with_source(error))?;
        let counts = counts(&sides, rank)?;
        let [mean, shrinkage, noise, row_variance, column_variance] = *stored.f64s("numbers", 5)? else {
            return Err(malformed("its \"numbers\" array is incomplete"));
        };
        if !(noise > 0.0 && shrinkage >= 0.0 && row_variance >= 0.0 && column_variance >= 0.0) {
            return Err(malformed("its noise, penalty or variances are invalid"));
        }
        let list = |name: &str, length: usize| stored.f64s(name, length).map(|list| list.to_vec().into());
        let matrix = |name: &str, rows: usize| {
            let values = stored.f64s(name, rows * rank)?.to_vec();
            Matrix::from_shape_vec((rows, rank), values).map_err(|error| malformed(name).with_source(error))
        };
        let (row_prior, column_prior): (Array1<f64>, Array1<f64>) =
            (list("row_prior", rank)?, list("column_prior", rank)?);
        if row_prior.iter().chain(&column_prior).any(|variance| *variance < 0.0) {
            return Err(malformed("a prior variance is negative"));
        }
        Self::new(Fitted {
            params,
            target,
            mean,
            shrinkage,
            noise,
            variances: [row_variance, column_variance],
            row_prior,
            column_prior,
            effects: [list("row_effects", counts[0])?, list("column_effects", counts[1])?],
            factors: [matrix("row_factors", counts[0])?, matrix("column_factors", counts[1])?],
            sides,
        })
    }
}

/// The numbers of entities of the sides. Refuses an id that occurs twice, and a rank that the block cannot have.
fn counts(sides: &[SideIds; 2], rank: usize) -> Result<[usize; 2]> {
    for side in sides {
        let mut seen = HashSet::new();
        if let Some(twice) = side.ids.iter().find(|id| !seen.insert(id.as_str())) {
            return Err(malformed(format!("{twice:?} occurs twice")));
        }
    }
    let [rows, columns] = [0, 1].map(|side: usize| sides[side].ids.len());
    if rank > rows.min(columns) {
        return Err(malformed(format!("its rank is {rank}, too large for a block of {rows} x {columns}")));
    }
    Ok([rows, columns])
}
