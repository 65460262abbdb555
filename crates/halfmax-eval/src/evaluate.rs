use std::any::Any;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use halfmax_core::{
    AnyModel, CheckpointStore, Epoch, Error, ErrorKind, FeatureSelection, Progress, Result, Screen, Seed,
    TrainView,
};
use serde::Serialize;

use crate::bootstrap::Bootstrap;
use crate::conformal::NOMINAL;
use crate::cross::OtherStudy;
use crate::fits::{Fits, Part, Plan, Work};
use crate::folds::DrugSides;
use crate::inner::groups_of;
use crate::pilot::{LearningPoint, Pilot, PilotParams, learning_curve};
use crate::predictions::Predictions;
use crate::split::check_only;
use crate::{
    Comparison, ConformalParams, Coverage, CrossStudy, Detection, DrugMetrics, Folds, Intervals, Leaderboard,
    Metrics, Replicate, Resample, Scored, SplitKind, Stack, Validation,
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
#[derive(Clone, Debug, PartialEq)]
pub struct Protocol {
    /// (kind of block, number): of these blocks of the cell lines, models see only so many features, those
    /// that vary most over the training cell lines of each fold.
    pub top_variance: Vec<(String, usize)>,
    /// The folds to run, counted from 0; all if `None`.
    pub only_folds: Option<Vec<usize>>,
    /// The seed of fits and of the bootstrap.
    pub seed: Seed,
    /// Number of bootstrap replicates behind the intervals of metrics.
    pub replicates: usize,
    /// Prediction intervals, if any are wanted.
    pub intervals: Option<ConformalParams>,
    /// The learning curve over pilot measurements, if one is wanted.
    pub pilot: Option<PilotParams>,
    /// Responses of another study to test on too; empty for none. For screens of single drugs.
    pub other_study: Vec<Replicate>,
    /// Responses above this are positive: see [`Detection`]. None where nothing is to be detected.
    pub positive_above: Option<f64>,
}

impl Default for Protocol {
    /// All features, all folds, seed 2026, 400 replicates, neither prediction intervals nor pilot measurements.
    fn default() -> Self {
        Self {
            top_variance: Vec::new(),
            only_folds: None,
            seed: Seed::new(2026),
            replicates: 400,
            intervals: None,
            pilot: None,
            other_study: Vec::new(),
            positive_above: None,
        }
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
    /// Models that failed and may: members of stacks that go on without them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Failure>,
    /// How they differ.
    pub comparison: Comparison,
    /// What fits reported epoch by epoch, of models that have epochs, in the order of the fits.
    #[serde(skip)]
    pub training: Vec<TrainingLog>,
    /// Seconds that the whole evaluation took. Fits that models share are done once.
    pub run_seconds: f64,
}

/// What one fit reported epoch by epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingLog {
    /// The model's name.
    pub model: String,
    /// The folds that it did not see.
    pub left_out: Vec<usize>,
    /// Its epochs.
    pub epochs: Vec<Epoch>,
}

/// A model that failed where it may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The model's name.
    pub name: String,
    /// What went wrong, with the fold.
    pub error: String,
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
    /// The squared error and the detection of positive responses: of a screen of combinations, or where a threshold is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detection: Option<Detection>,
    /// Seconds of its fits, all folds together. A stack's are those of its members, with those that its weights come from,
    /// though the evaluation does each of those but once, two at a time; fits for intervals are not counted.
    pub fit_seconds: f64,
    /// Seconds spent on predicting, all folds together.
    pub predict_seconds: f64,
    /// Each fold by itself.
    pub folds: Vec<FoldEvaluation>,
    /// What its prediction intervals held of the test responses, for some nominal shares; empty without intervals.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calibration: Vec<Coverage>,
    /// How much pilot measurements of the entities that are held out help; empty if that was not asked for, the model does
    /// not take any, or the split holds out single pairs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub learning_curve: Vec<LearningPoint>,
    /// How it does on another study, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_study: Option<CrossStudy>,
    /// Number of drugs for which it predicts the same for all cell lines of the test sets, of those that have enough of
    /// them for the per-drug Pearson, where each counts as 0.
    pub constant_drugs: usize,
    /// Each drug by itself, over all folds.
    #[serde(skip)]
    pub per_drug: Vec<DrugMetrics>,
    /// The predictions for the test responses, fold by fold.
    #[serde(skip)]
    pub predictions: Predictions,
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
    /// The weights of a stack's members; empty for other models.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, f64>,
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
/// Stacks and prediction intervals need predictions for the training part of a fold by models that did not see them. Their
/// inner folds are the evaluation's other folds: a model fitted without folds *i* and *j* serves the training parts of both,
/// so that five folds take ten such fits and not twenty, whatever number of stacks and intervals use them. With two folds
/// only, a stack draws inner folds of its own, and there are no intervals.
///
/// # Errors
/// If two models share a name, the folds do not suit the screen or let an entity cross, a fold has no
/// training or no test response, `top_variance` names a block that the cell lines do not have or that is not
/// of real numbers; an error of a model, after the model's name and the fold; a prediction that is not a
/// finite number; intervals of two folds or of a level that the number of entities does not allow; and if the user stopped
/// it.
pub fn evaluate(
    screen: &Screen,
    folds: &Folds,
    models: &[NamedModel],
    protocol: &Protocol,
    progress: &dyn Progress,
) -> Result<Evaluation> {
    evaluate_resumable(screen, folds, models, protocol, progress, None)
}

/// As [`evaluate`], with fits that keep their states in `checkpoints` and go on from those that are there.
///
/// # Errors
/// As [`evaluate`]; and if a state is of another run, or cannot be read or written.
pub fn evaluate_resumable(
    screen: &Screen,
    folds: &Folds,
    models: &[NamedModel],
    protocol: &Protocol,
    progress: &dyn Progress,
    checkpoints: Option<&dyn CheckpointStore>,
) -> Result<Evaluation> {
    check(screen, folds, models, protocol)?;
    folds.check_no_leak(screen)?;
    let start = Instant::now();
    let validation = folds.validation(screen)?;
    let run: Vec<usize> = protocol.only_folds.clone().unwrap_or_else(|| (0..folds.count()).collect());
    let plan = Plan::new(models, folds, protocol);
    let other = OtherStudy::new(screen, folds, &validation, &protocol.other_study, &run);
    let work =
        Work { screen, folds, protocol, validation: &validation, other: &other, progress, checkpoints };
    let mut fits = Fits::new(work, &plan, &run);
    let drugs = Drugs::of(screen);
    let mut found: Vec<Vec<Fold>> = models.iter().map(|_| Vec::new()).collect();
    for fold in &run {
        let part = Part::of(screen, folds, &[*fold], protocol)?;
        fits.run(&part)?;
        for (model, found) in found.iter_mut().enumerate() {
            progress.check()?;
            let placed = |error: Error| match error.kind() {
                ErrorKind::Interrupted => error,
                _ => error.at(format!("model {:?}, fold {fold}", models[model].name)),
            };
            found.extend(fits.result(model, &part, &drugs).map_err(placed)?);
        }
    }
    let (mut results, mut drawn) = (Vec::new(), Vec::new());
    for (named, found) in models.iter().zip(found) {
        progress.check()?;
        // A model that failed, and may, is left out.
        if found.len() < run.len() {
            continue;
        }
        let (result, replicates) = pool(work, named, found, &drugs)?;
        results.push(result);
        drawn.push(replicates);
    }
    let comparison = Comparison::new(folds.kind(), &results, &drawn);
    Ok(Evaluation {
        kind: folds.kind(),
        models: results,
        failed: fits.failed,
        training: fits.training,
        comparison,
        run_seconds: start.elapsed().as_secs_f64(),
    })
}

fn check(screen: &Screen, folds: &Folds, models: &[NamedModel], protocol: &Protocol) -> Result<()> {
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
    if let Some(intervals) = &protocol.intervals {
        intervals.check()?;
        if let Some(unknown) = intervals.models.iter().find(|name| !names.contains(name)) {
            return Err(Error::config(format!("intervals.models names {unknown:?}, which is no model")));
        }
        if folds.count() < 3 {
            return Err(Error::config(format!(
                "intervals with {} folds: expected at least 3, so that a model's training part can be parted again",
                folds.count()
            )));
        }
    }
    if screen.sides.len() > 2 && !protocol.other_study.is_empty() {
        return Err(Error::config("another study of drug combinations: expected one of single drugs"));
    }
    check_other_study(screen, &protocol.other_study)?;
    if let Some(pilot) = &protocol.pilot {
        pilot.check()?;
    }
    protocol.only_folds.as_deref().map_or(Ok(()), |only| check_only(only, folds.count()))
}

fn check_other_study(screen: &Screen, responses: &[Replicate]) -> Result<()> {
    let fits = |one: &Replicate| {
        let there = |side: usize, entity: u32| (entity as usize) < screen.table(side).len();
        there(0, one.cell) && there(1, one.drug) && one.value.is_finite()
    };
    match responses.iter().find(|one| !fits(one)) {
        None => Ok(()),
        Some(one) => Err(Error::data(format!(
            "a response of the other study is {} of cell line number {} to drug number {}: expected a finite number, and \
             entities of the screen",
            one.value, one.cell, one.drug
        ))),
    }
}

/// The stack that a model is, if it is one.
pub(crate) fn as_stack(model: &dyn AnyModel) -> Option<&Stack> {
    (model as &dyn Any).downcast_ref::<Stack>()
}

/// The drug or combination of every response, numbered, and the names.
pub(crate) struct Drugs {
    of_response: Vec<u32>,
    names: Vec<String>,
}

impl Drugs {
    fn of(screen: &Screen) -> Self {
        let sides = DrugSides::of(screen);
        let mut numbers: HashMap<Vec<u32>, u32> = HashMap::new();
        let mut names = Vec::new();
        let of_response = (0..screen.responses.len()).map(|at| {
            *numbers.entry(screen.members(at)).or_insert_with_key(|key| {
                names.push(sides.name(key));
                names.len() as u32 - 1
            })
        });
        Self { of_response: of_response.collect(), names }
    }
}

/// What one model predicted in one fold.
pub(crate) struct Fold {
    pub(crate) evaluation: FoldEvaluation,
    pub(crate) test: Arc<[usize]>,
    pub(crate) predicted: Vec<f32>,
    /// Half-widths of the intervals, if there are any.
    pub(crate) halves: Option<Halves>,
    pub(crate) pilots: Option<Vec<Pilot>>,
    /// Predictions for the responses of the other study that belong to the fold.
    pub(crate) other: Vec<f32>,
}

/// Half-widths of the intervals of a fold's test responses; NaN where there is none.
pub(crate) struct Halves {
    /// At the level asked for.
    pub(crate) asked: Vec<f32>,
    /// At each of [`NOMINAL`].
    pub(crate) nominal: [Vec<f32>; NOMINAL.len()],
}

pub(crate) fn score(screen: &Screen, rows: &[usize], predicted: &[f32], drugs: &Drugs) -> Result<Scored> {
    let cells: Vec<u32> = rows.iter().map(|row| screen.responses.side(0)[*row]).collect();
    let of: Vec<u32> = rows.iter().map(|row| drugs.of_response[*row]).collect();
    let observed: Vec<f32> = rows.iter().map(|row| screen.responses.values()[*row]).collect();
    Scored::new(&cells, &of, &observed, predicted)
}

/// Scores the test responses of all folds together.
fn pool(
    work: Work,
    named: &NamedModel,
    mut found: Vec<Fold>,
    drugs: &Drugs,
) -> Result<(ModelEvaluation, Bootstrap)> {
    let Work { screen, folds, protocol, validation, other, .. } = work;
    let of_other: Vec<usize> = found.iter().flat_map(|fold| other.of_fold(fold.evaluation.fold)).collect();
    let said_of_other: Vec<f32> = found.iter().flat_map(|fold| &fold.other).copied().collect();
    let rows: Vec<usize> = found.iter().flat_map(|fold| &*fold.test).copied().collect();
    let predicted: Vec<f32> = found.iter().flat_map(|fold| &fold.predicted).copied().collect();
    let scored = score(screen, &rows, &predicted, drugs)?;
    let resample = if folds.kind().leaves_drugs_out() { Resample::Drugs } else { Resample::Cells };
    let drawn = scored.bootstrap(resample, protocol.replicates, protocol.seed.derive(u64::MAX))?;
    let metrics = scored.metrics();
    let per_drug = scored.per_drug(|drug| drugs.names[drug as usize].clone());
    drop(scored);
    let evaluation = ModelEvaluation {
        name: named.name.clone(),
        family: named.family.clone(),
        metrics,
        intervals: drawn.intervals(metrics.per_drug_pearson),
        detection: detection(screen, &rows, &predicted, protocol)?,
        fit_seconds: found.iter().map(|fold| fold.evaluation.fit_seconds).sum(),
        predict_seconds: found.iter().map(|fold| fold.evaluation.predict_seconds).sum(),
        calibration: coverage(screen, &found, validation),
        learning_curve: learning_curve(&found, |rows, predicted| {
            Ok(score(screen, rows, predicted, drugs)?.metrics())
        })?,
        cross_study: other.score(&of_other, &said_of_other)?,
        constant_drugs: constant_drugs(&found, drugs),
        per_drug,
        predictions: Predictions::of(&mut found),
        folds: found.into_iter().map(|fold| fold.evaluation).collect(),
    };
    Ok((evaluation, drawn))
}

fn detection(
    screen: &Screen,
    rows: &[usize],
    predicted: &[f32],
    protocol: &Protocol,
) -> Result<Option<Detection>> {
    if !screen.is_of_combinations() && protocol.positive_above.is_none() {
        return Ok(None);
    }
    let observed: Vec<f32> = rows.iter().map(|row| screen.responses.values()[*row]).collect();
    Detection::of(&observed, predicted, protocol.positive_above).map(Some)
}

/// The number of drugs with enough cell lines whose predictions are all the same.
fn constant_drugs(found: &[Fold], drugs: &Drugs) -> usize {
    let mut of_drug: HashMap<u32, (usize, f32, f32)> = HashMap::new();
    for fold in found {
        for (row, predicted) in fold.test.iter().zip(&fold.predicted) {
            let first = (0, f32::INFINITY, f32::NEG_INFINITY);
            let own = of_drug.entry(drugs.of_response[*row]).or_insert(first);
            *own = (own.0 + 1, own.1.min(*predicted), own.2.max(*predicted));
        }
    }
    of_drug.values().filter(|own| own.0 >= Scored::LEAST_CELLS && own.1 == own.2).count()
}

/// How many of the test responses of all folds the intervals held.
fn coverage(screen: &Screen, found: &[Fold], validation: &Validation) -> Vec<Coverage> {
    if found.iter().any(|fold| fold.halves.is_none()) {
        return Vec::new();
    }
    let rows: Vec<usize> = found.iter().flat_map(|fold| &*fold.test).copied().collect();
    let view = TrainView { screen, rows, features: FeatureSelection::all(screen) };
    let groups = groups_of(&view, validation.group());
    let at_level = |level: usize| {
        let mut group = groups.iter();
        let mut held = Vec::new();
        for fold in found {
            let halves = fold.halves.as_ref()?;
            for (at, row) in fold.test.iter().enumerate() {
                let (group, half) = (*group.next()?, f64::from(halves.nominal[level][at]));
                let error = f64::from(screen.responses.values()[*row]) - f64::from(fold.predicted[at]);
                if !half.is_nan() {
                    held.push((group, error.abs(), half));
                }
            }
        }
        Coverage::of(NOMINAL[level], &held)
    };
    (0..NOMINAL.len()).filter_map(at_level).collect()
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

    fn detail(&self, text: &str) {
        self.whole.detail(text);
    }

    fn warn(&self, text: &str) {
        self.whole.warn(text);
    }

    fn stopped(&self) -> bool {
        self.whole.stopped()
    }
}
