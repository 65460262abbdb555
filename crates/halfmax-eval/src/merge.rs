//! Combines the fits of an evaluation: stacks, intervals, metrics.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use halfmax_core::{EntityTable, Error, Result, Screen};

use crate::conformal::{NOMINAL, Widths};
use crate::evaluation::{Failure, FoldEvaluation, TrainingLog};
use crate::fit_result::{EvaluationTask, FitResult, Outcome};
use crate::fits::{Predicted, Work};
use crate::fold::{Drugs, Fold, Halves, score};
use crate::part::Part;
use crate::plan::{Plan, Role};
use crate::stack::Blend;
use crate::{Calibration, Stack};

/// The results of fits, by model and left-out folds.
pub(crate) struct Merge<'a> {
    work: Work<'a>,
    plan: &'a Plan<'a>,
    found: HashMap<EvaluationTask, Predicted>,
    failures: HashMap<EvaluationTask, String>,
    /// The optional models that have failed in the folds so far.
    gone: Vec<bool>,
    pub(crate) failed: Vec<Failure>,
    pub(crate) training: Vec<TrainingLog>,
}

impl<'a> Merge<'a> {
    pub(crate) fn new(work: Work<'a>, plan: &'a Plan<'a>) -> Self {
        Self {
            work,
            plan,
            found: HashMap::new(),
            failures: HashMap::new(),
            gone: vec![false; plan.singles.len()],
            failed: Vec::new(),
            training: Vec::new(),
        }
    }

    /// Adds results of fits.
    ///
    /// # Errors
    /// If a fit has two results.
    pub(crate) fn add(&mut self, results: Vec<FitResult>) -> Result<()> {
        for FitResult { task, outcome, .. } in results {
            let twice = match outcome {
                Outcome::Fitted(predicted) => self.found.insert(task.clone(), *predicted).is_some(),
                Outcome::Failed(error) => self.failures.insert(task.clone(), error).is_some(),
            };
            if twice {
                return Err(Error::data(format!("there are two results of {task}"))
                    .with_help("pass each result once"));
            }
        }
        Ok(())
    }

    /// Records the fits of a fold: which fits failed, and the epochs that they reported.
    ///
    /// # Errors
    /// If a result is missing.
    pub(crate) fn note(&mut self, tasks: &[EvaluationTask]) -> Result<()> {
        for task in tasks {
            if self.gone[task.single] {
                continue;
            }
            if let Some(error) = self.failures.get(task) {
                self.gone[task.single] = true;
                self.failed.push(Failure { name: task.model.clone(), error: error.clone() });
                continue;
            }
            let Some(predicted) = self.found.get_mut(task) else {
                return Err(Error::data(format!("the result of {task} is missing"))
                    .with_help("run that task, and merge its result with the others"));
            };
            let epochs = std::mem::take(&mut predicted.epochs);
            if !epochs.is_empty() {
                let (model, left_out) = (task.model.clone(), task.left_out.clone());
                self.training.push(TrainingLog { model, left_out, epochs });
            }
        }
        Ok(())
    }

    /// Drops the predictions of single models for a finished fold.
    pub(crate) fn forget(&mut self, fold: usize) {
        self.found.retain(|task, _| task.left_out != [fold]);
    }

    fn of(&self, single: usize, left_out: &[usize]) -> Option<&Predicted> {
        let model = self.plan.singles[single].name.clone();
        self.found.get(&EvaluationTask { single, model, left_out: left_out.to_vec() })
    }

    /// A model's predictions for a part; `None` if the model is optional and failed.
    fn now(&self, single: usize, part: &Part) -> Option<&Predicted> {
        self.of(single, &part.folds).filter(|_| !self.gone[single])
    }

    /// The predictions of an evaluated model in a fold; `None` if the model is optional and failed.
    pub(crate) fn result(&self, model: usize, part: &Part, drugs: &Drugs) -> Result<Option<Fold>> {
        match &self.plan.roles[model] {
            Role::Single { at, intervals } => {
                let Some(predicted) = self.now(*at, part) else { return Ok(None) };
                let mut fold = self.fold(part, predicted.values.clone(), predicted.other.clone(), drugs)?;
                fold.evaluation.predict_seconds = predicted.predict_seconds;
                fold.evaluation.fit_seconds = self.seconds(*at, part, false);
                if *intervals {
                    let out_of_fold = self.out_of_fold(*at, part, |found| Some(&found.values));
                    let spread = predicted.spread.as_deref();
                    let spreads = spread.map(|_| self.out_of_fold(*at, part, |found| found.spread.as_ref()));
                    fold.halves = Some(self.halves(&out_of_fold, spreads.as_deref().zip(spread), part)?);
                }
                fold.pilots.clone_from(&predicted.pilots);
                Ok(Some(fold))
            }
            Role::Stack { stack, members, intervals } => {
                self.stacked(stack, members, *intervals, part, drugs).map(Some)
            }
        }
    }

    fn stacked(
        &self,
        stack: &Stack,
        members: &[usize],
        intervals: bool,
        part: &Part,
        drugs: &Drugs,
    ) -> Result<Fold> {
        let (mut found, mut tests, mut others) = (Vec::new(), Vec::new(), Vec::new());
        let (mut names, mut fit_seconds, mut predict_seconds) = (Vec::new(), 0.0, 0.0);
        for (member, (name, _)) in members.iter().zip(stack.members()) {
            let Some(predicted) = self.now(*member, part) else {
                continue;
            };
            found.push(self.out_of_fold(*member, part, |found| Some(&found.values)));
            tests.push(predicted.values.as_slice());
            others.push(predicted.other.as_slice());
            names.push(name.clone());
            fit_seconds += self.seconds(*member, part, true);
            predict_seconds += predicted.predict_seconds;
        }
        let start = Instant::now();
        let found: Vec<&[f32]> = found.iter().map(Vec::as_slice).collect();
        let blend = Blend::new(stack.weights(), &found, &part.train)?;
        fit_seconds += start.elapsed().as_secs_f64();
        let mut fold = self.fold(part, blend.of(&tests), blend.of(&others), drugs)?;
        fold.evaluation.fit_seconds = fit_seconds;
        fold.evaluation.predict_seconds = predict_seconds;
        fold.evaluation.weights = names.into_iter().zip(blend.weights.iter().copied()).collect();
        if intervals {
            fold.halves = Some(self.halves(&blend.of(&found), None, part)?);
        }
        Ok(fold)
    }

    fn fold(&self, part: &Part, predicted: Vec<f32>, other: Vec<f32>, drugs: &Drugs) -> Result<Fold> {
        let metrics = score(self.work.screen, &part.test, &predicted, drugs)?.metrics();
        let evaluation = FoldEvaluation {
            fold: part.folds[0],
            metrics,
            fit_seconds: 0.0,
            predict_seconds: 0.0,
            n_train: part.train.rows.len(),
            n_test: part.test.len(),
            weights: BTreeMap::new(),
        };
        Ok(Fold { evaluation, test: part.test.clone(), predicted, halves: None, pilots: None, other })
    }

    /// The pairs of a fold's part with the other folds.
    fn pairs_of(&self, part: &Part) -> impl Iterator<Item = [usize; 2]> {
        let fold = part.folds[0];
        let others = (0..self.work.folds.count()).filter(move |other| *other != fold);
        others.map(move |other| [fold.min(other), fold.max(other)])
    }

    fn seconds(&self, single: usize, part: &Part, nested: bool) -> f64 {
        let seconds = |left_out: &[usize]| self.of(single, left_out).map_or(0.0, |found| found.fit_seconds);
        let of_pairs: f64 = if nested { self.pairs_of(part).map(|pair| seconds(&pair)).sum() } else { 0.0 };
        seconds(&part.folds) + of_pairs
    }

    /// A value for every training response of a part (for example a single model's predictions), from models that saw
    /// neither the response's fold nor the part's test responses.
    fn out_of_fold(
        &self,
        single: usize,
        part: &Part,
        of: impl Fn(&Predicted) -> Option<&Vec<f32>>,
    ) -> Vec<f32> {
        let fold_of = self.work.folds.of_response();
        let mut by_row = vec![f32::NAN; fold_of.len()];
        for pair in self.pairs_of(part) {
            let Some(found) = self.of(single, &pair) else { continue };
            let tested = (0..fold_of.len())
                .filter(|row| fold_of[*row].is_some_and(|fold| pair.contains(&usize::from(fold))));
            tested.zip(of(found).into_iter().flatten()).for_each(|(row, value)| by_row[row] = *value);
        }
        part.train.rows.iter().map(|row| by_row[*row]).collect()
    }

    /// Half-widths from out-of-fold predictions. `spreads` are those of an ensemble's members: for these predictions, and
    /// for the predictions of the test responses.
    fn halves(&self, out_of_fold: &[f32], spreads: Option<(&[f32], &[f32])>, part: &Part) -> Result<Halves> {
        let Work { screen, protocol, validation, .. } = self.work;
        let level = protocol.intervals.as_ref().map_or(NOMINAL[2], |intervals| intervals.level);
        let calibration =
            Calibration::new(&part.train, out_of_fold, spreads.map(|own| own.0), validation.group(), level)?;
        let tables: Vec<&EntityTable> = (0..screen.sides.len()).map(|side| screen.table(side)).collect();
        let widths = calibration.widths(&tables)?;
        let at = |level: f64| half_widths(&widths, level, screen, &part.test, spreads.map(|own| own.1));
        Ok(Halves { asked: at(level), nominal: NOMINAL.map(at) })
    }
}

fn half_widths(
    widths: &Widths,
    level: f64,
    screen: &Screen,
    rows: &[usize],
    spread: Option<&[f32]>,
) -> Vec<f32> {
    let mut tuple = vec![0; screen.sides.len()];
    let half = |(at, row): (usize, &usize)| {
        for (side, entity) in tuple.iter_mut().enumerate() {
            *entity = screen.responses.side(side)[*row];
        }
        widths.half_at(level, &tuple, spread.map(|spread| spread[at])).map_or(f32::NAN, |half| half as f32)
    };
    rows.iter().enumerate().map(half).collect()
}
