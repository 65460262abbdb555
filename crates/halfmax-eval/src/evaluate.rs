use std::collections::{HashMap, HashSet};
use std::time::Instant;

use halfmax_core::{
    AnyModel, EntityTable, Error, ErrorKind, FeatureSelection, FeatureValues, FitContext, Progress, Query,
    Result, Screen, Seed, TrainView, Tuples,
};
use serde::Serialize;

use crate::bootstrap::{Replicate, intervals};
use crate::folds::DrugSides;
use crate::split::check_only;
use crate::{
    Comparison, DrugMetrics, Folds, Intervals, Leaderboard, Metrics, Resample, Scored, SplitKind, Validation,
};

/// A model to evaluate, and what it is called.
#[derive(Clone)]
pub struct NamedModel<'a> {
    /// Its name in results; unique within an evaluation.
    pub name: String,
    /// Its family, as in a configuration: "boost", "drug_mean".
    pub family: String,
    /// The model, with its parameters.
    pub model: &'a dyn AnyModel,
}

/// How models are evaluated, apart from the folds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// (kind of block, number): of these blocks of the cell lines, models see only so many features, those
    /// that vary most over the training cell lines of each fold.
    pub top_variance: Vec<(String, usize)>,
    /// The folds to run, counted from 0; all if `None`.
    pub only_folds: Option<Vec<usize>>,
    /// The seed of fits and of the bootstrap.
    pub seed: Seed,
    /// Number of bootstrap replicates behind the intervals.
    pub replicates: usize,
}

impl Default for Protocol {
    /// All features, all folds, seed 2026, 400 replicates.
    fn default() -> Self {
        Self { top_variance: Vec::new(), only_folds: None, seed: Seed::new(2026), replicates: 400 }
    }
}

/// What an evaluation found. Serialises as the `models` of `metrics.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// The kind of split.
    #[serde(skip)]
    pub kind: SplitKind,
    /// One result per model, in the order given.
    pub models: Vec<ModelEvaluation>,
    /// How they differ.
    pub comparison: Comparison,
}

/// What an evaluation found for one model.
#[derive(Clone, Debug, Serialize)]
pub struct ModelEvaluation {
    /// The model's name.
    pub name: String,
    /// Its family.
    pub family: String,
    /// Metrics over the test responses of all folds that were run, pooled.
    pub metrics: Metrics,
    /// 95 % intervals of the pooled metrics, by bootstrap over entities.
    pub intervals: Intervals,
    /// Seconds spent on fitting, all folds together.
    pub fit_seconds: f64,
    /// Seconds spent on predicting, all folds together.
    pub predict_seconds: f64,
    /// Each fold by itself.
    pub folds: Vec<FoldEvaluation>,
    /// Each drug by itself, over all folds.
    #[serde(skip)]
    pub per_drug: Vec<DrugMetrics>,
    /// The predictions for the test responses, fold by fold.
    #[serde(skip)]
    pub predictions: Vec<Prediction>,
}

/// What an evaluation found for one model in one fold.
#[derive(Clone, Debug, Serialize)]
pub struct FoldEvaluation {
    /// The fold, counted from 0.
    pub fold: usize,
    /// Metrics over the test responses of the fold.
    pub metrics: Metrics,
    /// Seconds spent on fitting.
    pub fit_seconds: f64,
    /// Seconds spent on predicting.
    pub predict_seconds: f64,
    /// Number of responses trained on.
    pub n_train: usize,
    /// Number of responses tested on.
    pub n_test: usize,
}

/// A prediction for a test response.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// The fold it was tested in, counted from 0.
    pub fold: usize,
    /// Position of the response in the screen.
    pub row: usize,
    /// The prediction, in the unit of the target.
    pub predicted: f32,
}

impl Evaluation {
    /// The models side by side, the best first.
    pub fn leaderboard(&self) -> Leaderboard {
        Leaderboard::new(self.kind, &self.models)
    }
}

/// Fits every model on the training part of every fold, predicts the test part and scores it.
///
/// Feature selection sees the training cell lines of a fold only. Every model of a fold is fitted with the
/// same seed. Progress counts hundredths of a fit over all folds and models. No naive predictor is added:
/// list those that the result should be held against.
///
/// # Errors
/// If two models share a name, the folds do not suit the screen or let an entity cross, a fold has no
/// training or no test response, `top_variance` names a block that the cell lines do not have or that is not
/// of real numbers; an error of a model, after the model's name and the fold; a prediction that is not a
/// finite number; and if the user stopped it.
pub fn evaluate(
    screen: &Screen,
    folds: &Folds,
    models: &[NamedModel],
    protocol: &Protocol,
    progress: &dyn Progress,
) -> Result<Evaluation> {
    check(folds, models, protocol)?;
    folds.check_no_leak(screen)?;
    let validation = folds.validation(screen)?;
    let drugs = Drugs::of(screen);
    let run: Vec<usize> = protocol.only_folds.clone().unwrap_or_else(|| (0..folds.count()).collect());
    let mut found: Vec<Vec<Fold>> = models.iter().map(|_| Vec::new()).collect();
    for (fold_at, fold) in run.iter().enumerate() {
        let part = Part::of(screen, folds, *fold, protocol)?;
        for (model_at, (named, found)) in models.iter().zip(&mut found).enumerate() {
            progress.check()?;
            let step =
                Step { whole: progress, at: fold_at * models.len() + model_at, of: run.len() * models.len() };
            let context = Fitting { seed: protocol.seed.derive(*fold as u64), validation: &validation, step };
            let placed = |error: Error| match error.kind() {
                ErrorKind::Interrupted => error,
                _ => error.at(format!("model {:?}, fold {fold}", named.name)),
            };
            found.push(part.run(named, &context, &drugs).map_err(placed)?);
            context.step.step(1, 1);
        }
    }
    let (mut results, mut replicates) = (Vec::new(), Vec::new());
    for (named, found) in models.iter().zip(found) {
        progress.check()?;
        let (result, drawn) = pool(screen, folds.kind(), named, found, &drugs, protocol)?;
        results.push(result);
        replicates.push(drawn);
    }
    let comparison = Comparison::new(folds.kind(), &results, &replicates);
    Ok(Evaluation { kind: folds.kind(), models: results, comparison })
}

fn check(folds: &Folds, models: &[NamedModel], protocol: &Protocol) -> Result<()> {
    if models.is_empty() {
        return Err(Error::config("no model to evaluate").help("add a [[model]] to the configuration"));
    }
    let mut names = HashSet::new();
    if let Some(twice) = models.iter().find(|model| !names.insert(&model.name)) {
        return Err(Error::config(format!(
            "two models are called {:?}: expected a name for each",
            twice.name
        )));
    }
    protocol.only_folds.as_deref().map_or(Ok(()), |only| check_only(only, folds.count()))
}

/// The drug or combination of every response, numbered, and the names.
struct Drugs {
    of_response: Vec<u32>,
    names: Vec<String>,
}

impl Drugs {
    fn of(screen: &Screen) -> Self {
        let sides = DrugSides::of(screen);
        let mut numbers: HashMap<Vec<u32>, u32> = HashMap::new();
        let mut names = Vec::new();
        let of_response = (0..screen.responses.len()).map(|at| {
            let key = sides.key(sides.sides.iter().map(|side| screen.responses.side(*side)[at]).collect());
            *numbers.entry(key).or_insert_with_key(|key| {
                names.push(sides.name(key));
                names.len() as u32 - 1
            })
        });
        Self { of_response: of_response.collect(), names }
    }
}

/// One fold: what to train on, what to test on.
struct Part<'a> {
    fold: usize,
    train: TrainView<'a>,
    test: Vec<usize>,
}

/// What one model predicted in one fold.
struct Fold {
    evaluation: FoldEvaluation,
    test: Vec<usize>,
    predicted: Vec<f32>,
}

struct Fitting<'a> {
    seed: Seed,
    validation: &'a Validation,
    step: Step<'a>,
}

impl<'a> Part<'a> {
    fn of(screen: &'a Screen, folds: &Folds, fold: usize, protocol: &Protocol) -> Result<Self> {
        let (rows, test) = folds.train_test(fold);
        for (name, part) in [("train on", &rows), ("test on", &test)] {
            if part.is_empty() {
                return Err(Error::data(format!("fold {fold} has no response to {name}")));
            }
        }
        let mut train = TrainView { screen, rows, features: FeatureSelection::all(screen) };
        let seen = train.seen(0);
        let table = screen.sides[0].table;
        for (kind, most) in &protocol.top_variance {
            let blocks = screen.tables[table].blocks();
            let block = blocks.iter().position(|block| block.kind == *kind);
            match block.map(|block| (block, &blocks[block].values)) {
                Some((block, FeatureValues::Real(_))) => {
                    train.features.keep_most_variable(screen, table, block, *most, &seen);
                }
                Some(_) => {
                    return Err(Error::parameter("top_variance", most, "a block of real numbers")
                        .at(format!("features {kind:?}")));
                }
                None => {
                    let sort = screen.tables[table].sort();
                    return Err(Error::config(format!(
                        "top_variance: the {sort}s have no features {kind:?}"
                    )));
                }
            }
        }
        Ok(Self { fold, train, test })
    }

    fn run(&self, named: &NamedModel, context: &Fitting, drugs: &Drugs) -> Result<Fold> {
        let screen = self.train.screen;
        let start = Instant::now();
        let context = FitContext {
            seed: context.seed,
            progress: &context.step,
            validation: context.validation.group(),
        };
        let fitted = named.model.fit_any(&self.train, &context)?;
        let fit_seconds = start.elapsed().as_secs_f64();
        context.progress.check()?;
        let tables: Vec<&EntityTable> = (0..screen.sides.len()).map(|side| screen.table(side)).collect();
        let entity = |side: usize| self.test.iter().map(|row| screen.responses.side(side)[*row]).collect();
        let sides: Vec<Vec<u32>> = (0..screen.sides.len()).map(entity).collect();
        let listed: Vec<&[u32]> = sides.iter().map(Vec::as_slice).collect();
        let start = Instant::now();
        let predicted = fitted.predict(&Query { tables: &tables, tuples: Tuples::Listed(&listed) })?;
        let predict_seconds = start.elapsed().as_secs_f64();
        self.check(&predicted, drugs)?;
        let metrics = score(screen, &self.test, &predicted, drugs)?.metrics();
        let (n_train, n_test) = (self.train.rows.len(), self.test.len());
        let evaluation =
            FoldEvaluation { fold: self.fold, metrics, fit_seconds, predict_seconds, n_train, n_test };
        Ok(Fold { evaluation, test: self.test.clone(), predicted })
    }

    fn check(&self, predicted: &[f32], drugs: &Drugs) -> Result<()> {
        if predicted.len() != self.test.len() {
            return Err(Error::failed(format!(
                "{} predictions for {} test responses",
                predicted.len(),
                self.test.len()
            )));
        }
        let Some(at) = predicted.iter().position(|value| !value.is_finite()) else { return Ok(()) };
        let (screen, row) = (self.train.screen, self.test[at]);
        let cells = screen.table(0);
        Err(Error::failed(format!(
            "the prediction for {} {:?} and drug {:?} is {}: expected a finite number",
            cells.sort(),
            cells.ids()[screen.responses.side(0)[row] as usize],
            drugs.names[drugs.of_response[row] as usize],
            predicted[at]
        )))
    }
}

fn score(screen: &Screen, rows: &[usize], predicted: &[f32], drugs: &Drugs) -> Result<Scored> {
    let cells: Vec<u32> = rows.iter().map(|row| screen.responses.side(0)[*row]).collect();
    let of: Vec<u32> = rows.iter().map(|row| drugs.of_response[*row]).collect();
    let observed: Vec<f32> = rows.iter().map(|row| screen.responses.values()[*row]).collect();
    Scored::new(&cells, &of, &observed, predicted)
}

/// Scores the test responses of all folds together.
fn pool(
    screen: &Screen,
    kind: SplitKind,
    named: &NamedModel,
    found: Vec<Fold>,
    drugs: &Drugs,
    protocol: &Protocol,
) -> Result<(ModelEvaluation, Vec<Replicate>)> {
    let rows: Vec<usize> = found.iter().flat_map(|fold| &fold.test).copied().collect();
    let predicted: Vec<f32> = found.iter().flat_map(|fold| &fold.predicted).copied().collect();
    let scored = score(screen, &rows, &predicted, drugs)?;
    let resample = if kind.leaves_drugs_out() { Resample::Drugs } else { Resample::Cells };
    let seed = protocol.seed.derive(u64::MAX);
    let of_fold = |fold: &Fold| {
        let number = fold.evaluation.fold;
        let both = fold.test.iter().zip(&fold.predicted);
        both.map(|(row, predicted)| Prediction { fold: number, row: *row, predicted: *predicted })
            .collect::<Vec<_>>()
    };
    let drawn = scored.replicates(resample, protocol.replicates, seed)?;
    let evaluation = ModelEvaluation {
        name: named.name.clone(),
        family: named.family.clone(),
        metrics: scored.metrics(),
        intervals: intervals(&drawn),
        fit_seconds: found.iter().map(|fold| fold.evaluation.fit_seconds).sum(),
        predict_seconds: found.iter().map(|fold| fold.evaluation.predict_seconds).sum(),
        per_drug: scored.per_drug(|drug| drugs.names[drug as usize].clone()),
        predictions: found.iter().flat_map(of_fold).collect(),
        folds: found.into_iter().map(|fold| fold.evaluation).collect(),
    };
    Ok((evaluation, drawn))
}

/// The progress of one fit as a part of the whole, in hundredths of a fit.
pub(crate) struct Step<'a> {
    pub(crate) whole: &'a dyn Progress,
    pub(crate) at: usize,
    pub(crate) of: usize,
}

impl Progress for Step<'_> {
    fn step(&self, done: usize, total: usize) {
        let within = (100 * done.min(total)).checked_div(total).unwrap_or(0);
        self.whole.step(100 * self.at + within, 100 * self.of);
    }

    fn stopped(&self) -> bool {
        self.whole.stopped()
    }
}
