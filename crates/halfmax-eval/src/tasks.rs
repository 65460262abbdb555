//! An evaluation as tasks. Each task is one fit and may run anywhere.

use halfmax_core::{CheckpointStore, Error, ErrorKind, Progress, Result, Screen};

use crate::cross_study::OtherStudy;
use crate::fit_result::{EvaluationTask, FitResult, Outcome};
use crate::fits::Work;
use crate::fold::{Drugs, Fold};
use crate::merge::Merge;
use crate::part::Part;
use crate::plan::Plan;
use crate::pool::pool;
use crate::step::Step;
use crate::{Comparison, Evaluation, Folds, NamedModel, Protocol, Stack, Validation};

/// An evaluation as tasks. Each task is one fit and may run in another process or on another machine. The results are merged into one.
///
/// ```
/// # use halfmax_baselines::Naive;
/// # use halfmax_core::{EntityTable, Responses, Screen, Side, Silent};
/// # use halfmax_eval::{EvaluationPlan, FitResult, NamedModel, Protocol, Split, SplitKind, evaluate};
/// # let cells = EntityTable::new((0..40).map(|cell| format!("cell {cell}")), "cell line")?;
/// # let drugs = EntityTable::new(["Paclitaxel", "Erlotinib"], "drug")?;
/// # let (cell, drug) = ((0..80).map(|at| at / 2).collect(), (0..80).map(|at| at % 2).collect());
/// # let responses = Responses::new(vec![cell, drug], (0..80).map(|at| (at % 7) as f32).collect(), None)?;
/// # let sides = vec![Side::cell_line(0), Side::drug(1)];
/// # let screen = Screen::new("LN_IC50", vec![cells, drugs], sides, responses)?;
/// # let folds = Split::new(SplitKind::LCO).draw(&screen)?;
/// # let models = [NamedModel { name: "mean".into(), family: "drug_mean".into(), model: &Naive::DrugMean }];
/// let protocol = Protocol::default();
/// let plan = EvaluationPlan::new(&screen, &folds, &models, &protocol)?;
/// let mut results = Vec::new();
/// for task in plan.tasks() {
///     // As text, as if another machine had done it.
///     let text = serde_json::to_string(&plan.run(task, &Silent, None)?).unwrap();
///     results.push(serde_json::from_str::<FitResult>(&text).unwrap());
/// }
/// let merged = plan.merge(results, &Silent)?;
/// let here = evaluate(&screen, &folds, &models, &protocol, &Silent)?;
/// assert_eq!(merged.models[0].metrics, here.models[0].metrics);
/// # Ok::<(), halfmax_core::Error>(())
/// ```
pub struct EvaluationPlan<'a> {
    screen: &'a Screen,
    folds: &'a Folds,
    models: &'a [NamedModel<'a>],
    protocol: &'a Protocol,
    validation: Validation,
    other: OtherStudy<'a>,
    plan: Plan<'a>,
    /// The folds of the run.
    run: Vec<usize>,
    tasks: Vec<EvaluationTask>,
    /// For every fold of the run, where its tasks end.
    ends: Vec<usize>,
    fingerprint: u64,
}

impl<'a> EvaluationPlan<'a> {
    /// The tasks of an evaluation.
    ///
    /// # Errors
    /// As [`crate::evaluate`], except for errors of models.
    pub fn new(
        screen: &'a Screen,
        folds: &'a Folds,
        models: &'a [NamedModel<'a>],
        protocol: &'a Protocol,
    ) -> Result<Self> {
        protocol.check(screen, folds, models)?;
        folds.check_no_leak(screen)?;
        let validation = folds.validation(screen)?;
        let run: Vec<usize> = protocol.only_folds.clone().unwrap_or_else(|| (0..folds.count()).collect());
        let plan = Plan::new(models, folds, protocol);
        let other = OtherStudy::new(screen, folds, &validation, &protocol.other_study, &run);
        let (tasks, ends) = tasks_of(&plan, &run, folds.count());
        let fingerprint = fingerprint(screen, folds, protocol, &tasks);
        Ok(Self { screen, folds, models, protocol, validation, other, plan, run, tasks, ends, fingerprint })
    }

    /// The tasks, in the order in which this process runs them.
    pub fn tasks(&self) -> &[EvaluationTask] {
        &self.tasks
    }

    fn work(&self) -> Work<'_> {
        let Self { screen, folds, protocol, validation, other, .. } = self;
        Work { screen, folds, protocol, validation, other }
    }

    /// Runs a task.
    ///
    /// # Errors
    /// If the task belongs to another evaluation, if a required model cannot be fitted, or if the user stopped the fit.
    pub fn run(
        &self,
        task: &EvaluationTask,
        progress: &dyn Progress,
        checkpoints: Option<&dyn CheckpointStore>,
    ) -> Result<FitResult> {
        if !self.tasks.contains(task) {
            return Err(Error::config(format!("{task}: this task does not belong to the evaluation"))
                .with_help("make the plan from the same screen, folds, models and protocol"));
        }
        let part = Part::of(self.screen, self.folds, &task.left_out, self.protocol)?;
        self.run_on(&part, task, progress, checkpoints)
    }

    fn run_on(
        &self,
        part: &Part,
        task: &EvaluationTask,
        progress: &dyn Progress,
        checkpoints: Option<&dyn CheckpointStore>,
    ) -> Result<FitResult> {
        let single = &self.plan.singles[task.single];
        let outcome = match self.work().fit(single, part, progress, checkpoints) {
            Ok(predicted) => Outcome::Fitted(Box::new(predicted)),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(error) if single.optional => Outcome::Failed(error.with_context(part.name()).to_string()),
            Err(error) if single.only_member => {
                return Err(Stack::blame(&single.name, error.with_context(part.name())));
            }
            Err(error) => return Err(error.with_context(task)),
        };
        Ok(FitResult { task: task.clone(), evaluation: self.fingerprint, outcome })
    }

    /// Merges the results of all tasks, in any order. The evaluation is the same to the last bit, wherever the results
    /// were made. Its `run_seconds` are the sum over all fits and predictions.
    ///
    /// Results of other responses, folds or protocols (except `bootstrap_draws` and `positive_above`) are refused. Results with other features, or from models with other
    /// parameters under the same name, cannot be detected: keep the results of each configuration together.
    ///
    /// # Errors
    /// If the result of a task is missing, occurs twice, or belongs to another evaluation; and as [`crate::evaluate`].
    pub fn merge(&self, results: Vec<FitResult>, progress: &dyn Progress) -> Result<Evaluation> {
        if let Some(other) = results.iter().find(|result| result.evaluation != self.fingerprint) {
            return Err(Error::data(format!("the result of {} belongs to another evaluation", other.task))
                .with_help(
                    "merge results of the same screen, folds, models and protocol, made by the same version",
                ));
        }
        let seconds = |result: &FitResult| match &result.outcome {
            Outcome::Fitted(found) => found.fit_seconds + found.predict_seconds,
            Outcome::Failed(_) => 0.0,
        };
        let run_seconds = results.iter().map(seconds).sum();
        let mut merging = Merging::new(self);
        merging.merge.add(results)?;
        for at in 0..self.run.len() {
            merging.fold(at, progress)?;
        }
        Ok(Evaluation { run_seconds, ..merging.finish(progress)? })
    }

    /// Runs every task here and merges the results fold by fold, so that an error in the first fold is reported before
    /// the last fold runs.
    pub(crate) fn evaluate(
        &self,
        progress: &dyn Progress,
        checkpoints: Option<&dyn CheckpointStore>,
    ) -> Result<Evaluation> {
        let mut here =
            Here { plan: self, gone: vec![false; self.plan.singles.len()], results: Vec::new(), done: 0 };
        let mut merging = Merging::new(self);
        for at in 0..self.run.len() {
            let (alone, pairs) = self.of_fold(at).split_at(self.plan.singles.len());
            here.one_by_one(alone, progress, checkpoints)?;
            here.two_at_a_time(pairs, progress, checkpoints)?;
            merging.merge.add(std::mem::take(&mut here.results))?;
            merging.fold(at, progress)?;
        }
        merging.finish(progress)
    }

    /// The tasks of a fold of the run: each model without the fold, then the fits that leave out one more fold.
    fn of_fold(&self, at: usize) -> &[EvaluationTask] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.tasks[start..self.ends[at]]
    }
}

/// Results that are merged fold by fold.
struct Merging<'a> {
    plan: &'a EvaluationPlan<'a>,
    merge: Merge<'a>,
    drugs: Drugs,
    /// For every evaluated model, its predictions in the folds so far.
    found: Vec<Vec<Fold>>,
}

impl<'a> Merging<'a> {
    fn new(plan: &'a EvaluationPlan<'a>) -> Self {
        let found = plan.models.iter().map(|_| Vec::new()).collect();
        Self { plan, merge: Merge::new(plan.work(), &plan.plan), drugs: Drugs::of(plan.screen), found }
    }

    /// Merges the predictions of the models in a fold.
    fn fold(&mut self, at: usize, progress: &dyn Progress) -> Result<()> {
        let EvaluationPlan { screen, folds, models, protocol, run, .. } = self.plan;
        self.merge.note(self.plan.of_fold(at))?;
        let fold = run[at];
        let part = Part::of(screen, folds, &[fold], protocol)?;
        for (model, found) in self.found.iter_mut().enumerate() {
            progress.check()?;
            let placed = |error: Error| match error.kind() {
                ErrorKind::Interrupted => error,
                _ => error.with_context(format!("model {:?}, fold {fold}", models[model].name)),
            };
            found.extend(self.merge.result(model, &part, &self.drugs).map_err(placed)?);
        }
        self.merge.forget(fold);
        Ok(())
    }

    /// The evaluation, after all folds are merged.
    fn finish(self, progress: &dyn Progress) -> Result<Evaluation> {
        let EvaluationPlan { folds, models: named, run, .. } = self.plan;
        let (mut models, mut drawn) = (Vec::new(), Vec::new());
        for (named, found) in named.iter().zip(self.found) {
            progress.check()?;
            // An optional model that failed is left out.
            if found.len() < run.len() {
                continue;
            }
            let (result, draws) = pool(self.plan.work(), named, found, &self.drugs)?;
            models.push(result);
            drawn.push(draws);
        }
        let comparison = Comparison::new(folds.kind(), &models, &drawn);
        let Merge { failed, training, .. } = self.merge;
        Ok(Evaluation { kind: folds.kind(), models, failed, training, comparison, run_seconds: 0.0 })
    }
}

/// For every fold of the run, each model without the fold, then the fits without one more fold that are needed and not done
/// yet. Also returns where the tasks of each fold end.
fn tasks_of(plan: &Plan, run: &[usize], folds: usize) -> (Vec<EvaluationTask>, Vec<usize>) {
    let task = |single: usize, left_out: &[usize]| EvaluationTask {
        single,
        model: plan.singles[single].name.clone(),
        left_out: left_out.to_vec(),
    };
    let all = 0..plan.singles.len();
    let nested: Vec<usize> = all.clone().filter(|at| plan.singles[*at].nested).collect();
    let (mut tasks, mut ends, mut paired) = (Vec::new(), Vec::new(), Vec::new());
    for fold in run {
        tasks.extend(all.clone().map(|single| task(single, &[*fold])));
        for other in (0..folds).filter(|other| other != fold) {
            let pair = [*fold.min(&other), *fold.max(&other)];
            if !paired.contains(&pair) {
                paired.push(pair);
                tasks.extend(nested.iter().map(|single| task(*single, &pair)));
            }
        }
        ends.push(tasks.len());
    }
    (tasks, ends)
}

/// A fingerprint. Two evaluations by the same version of halfmax share it only if they have the same responses, entities,
/// folds and tasks, and the same parts of the protocol that affect fits. It does not cover features, parameters of models,
/// `bootstrap_draws` and `positive_above`.
fn fingerprint(screen: &Screen, folds: &Folds, protocol: &Protocol, tasks: &[EvaluationTask]) -> u64 {
    let mut mixed = protocol.seed;
    let mut mix = |number: u64| mixed = mixed.derive(number);
    let responses = &screen.responses;
    for (at, value) in responses.values().iter().enumerate() {
        mix(u64::from(value.to_bits()));
        mix(u64::from(responses.weight(at).to_bits()));
        (0..responses.sides()).for_each(|side| mix(u64::from(responses.side(side)[at])));
    }
    folds.of_response().iter().for_each(|fold| mix(fold.map_or(u64::MAX, u64::from)));
    for one in &protocol.other_study {
        [u64::from(one.cell), u64::from(one.drug), u64::from(one.value.to_bits())]
            .into_iter()
            .for_each(&mut mix);
    }
    let Protocol { top_variance, intervals, pilot, .. } = protocol;
    let (version, kind) = (env!("CARGO_PKG_VERSION"), folds.kind());
    let asked = format!("{version} {kind} {top_variance:?} {intervals:?} {pilot:?}");
    let ids = screen.tables.iter().flat_map(|table| table.ids()).map(String::as_str);
    let models = tasks.iter().map(|task| task.model.as_str());
    for text in std::iter::once(asked.as_str()).chain(ids).chain(models) {
        mix(text.len() as u64);
        text.bytes().for_each(|byte| mix(u64::from(byte)));
    }
    for task in tasks {
        mix(task.single as u64);
        task.left_out.iter().for_each(|fold| mix(*fold as u64));
    }
    mixed.value()
}

/// Tasks that this process runs, one after the other.
struct Here<'a> {
    plan: &'a EvaluationPlan<'a>,
    /// The optional models that failed. They are not tried again.
    gone: Vec<bool>,
    results: Vec<FitResult>,
    done: usize,
}

impl Here<'_> {
    fn one_by_one(
        &mut self,
        tasks: &[EvaluationTask],
        progress: &dyn Progress,
        checkpoints: Option<&dyn CheckpointStore>,
    ) -> Result<()> {
        let EvaluationPlan { screen, folds, protocol, .. } = self.plan;
        let Some(first) = tasks.first() else { return Ok(()) };
        let part = Part::of(screen, folds, &first.left_out, protocol)?;
        for task in tasks {
            progress.check()?;
            let step = Step { whole: progress, at: self.done, of: self.plan.tasks.len() };
            let result = (!self.gone[task.single])
                .then(|| self.plan.run_on(&part, task, &step, checkpoints))
                .transpose()?;
            step.step(1, 1);
            self.done += 1;
            self.keep(result);
        }
        Ok(())
    }

    /// Two fits at a time, because most fits leave threads idle now and then.
    fn two_at_a_time(
        &mut self,
        tasks: &[EvaluationTask],
        progress: &dyn Progress,
        checkpoints: Option<&dyn CheckpointStore>,
    ) -> Result<()> {
        let total = self.plan.tasks.len();
        for two in tasks.chunks(2) {
            progress.check()?;
            let fit = |which: usize| {
                let task = two.get(which).filter(|task| !self.gone[task.single])?;
                let step = Step { whole: progress, at: self.done + which, of: total };
                Some(self.plan.run(task, &step, checkpoints))
            };
            let (first, second) = rayon::join(|| fit(0), || fit(1));
            for result in [first, second].into_iter().take(two.len()) {
                self.done += 1;
                progress.step(100 * self.done, 100 * total);
                self.keep(result.transpose()?);
            }
        }
        Ok(())
    }

    fn keep(&mut self, result: Option<FitResult>) {
        let Some(result) = result else { return };
        self.gone[result.task.single] |= matches!(result.outcome, Outcome::Failed(_));
        self.results.push(result);
    }
}
