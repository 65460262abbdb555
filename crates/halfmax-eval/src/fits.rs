//! The fits of an evaluation: each model on each training part, and without pairs of folds where stacks and intervals need
//! out-of-fold predictions. Every fit is done once, whoever uses it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use halfmax_core::{
    AnyModel, Checkpoint, CheckpointStore, EntityTable, Epoch, Error, ErrorKind, FeatureSelection,
    FeatureValues, FitContext, FittedModel, Progress, Query, Result, Screen, TrainView, Tuples,
};

use crate::conformal::{NOMINAL, Widths};
use crate::cross::OtherStudy;
use crate::evaluate::{
    Drugs, Failure, Fold, FoldEvaluation, Halves, NamedModel, Protocol, Step, TrainingLog, as_stack, score,
};
use crate::inner::{predict_rows, spread_rows};
use crate::pilot::Pilot;
use crate::stack::Blend;
use crate::{Calibration, Folds, Stack, Validation};

const SEED_PAIRS: u64 = 0x7061_6972;

/// What an evaluation works on.
#[derive(Clone, Copy)]
pub(crate) struct Work<'a> {
    pub(crate) screen: &'a Screen,
    pub(crate) folds: &'a Folds,
    pub(crate) protocol: &'a Protocol,
    pub(crate) validation: &'a Validation,
    pub(crate) other: &'a OtherStudy<'a>,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) checkpoints: Option<&'a dyn CheckpointStore>,
}

/// What to fit, and what the evaluated models make of it.
pub(crate) struct Plan<'a> {
    /// Every model that is fitted: those evaluated, and members of stacks.
    singles: Vec<Single<'a>>,
    /// For every evaluated model what it is.
    roles: Vec<Role<'a>>,
}

struct Single<'a> {
    name: String,
    model: &'a dyn AnyModel,
    /// Whether its out-of-fold predictions are needed.
    nested: bool,
    /// Whether the evaluation goes on if it fails.
    optional: bool,
    /// Whether it is there for a stack only, so that its errors are the stack's.
    only_member: bool,
}

enum Role<'a> {
    /// One of the singles.
    Single { at: usize, intervals: bool },
    /// A stack of some of them.
    Stack { stack: &'a Stack, members: Vec<usize>, intervals: bool },
}

impl<'a> Plan<'a> {
    pub(crate) fn new(models: &[NamedModel<'a>], folds: &Folds, protocol: &Protocol) -> Self {
        let nestable = folds.count() >= 3;
        let stack_of = |named: &NamedModel<'a>| as_stack(named.model).filter(|_| nestable);
        let intervals = |name: &str| protocol.intervals.as_ref().is_some_and(|own| own.includes(name));
        let mut plan = Self { singles: Vec::new(), roles: Vec::new() };
        for named in models.iter().filter(|named| stack_of(named).is_none()) {
            plan.single(&named.name, named.model, false);
        }
        for named in models {
            let intervals = intervals(&named.name);
            let role = match stack_of(named) {
                None => {
                    let at = plan.single(&named.name, named.model, false);
                    plan.singles[at].nested |= intervals;
                    Role::Single { at, intervals }
                }
                Some(stack) => {
                    let mut members = Vec::new();
                    for (name, model) in stack.members() {
                        let at = plan.single(name, &**model, true);
                        plan.singles[at].nested = true;
                        plan.singles[at].optional |= stack.skips_failed();
                        members.push(at);
                    }
                    Role::Stack { stack, members, intervals }
                }
            };
            plan.roles.push(role);
        }
        plan
    }

    /// The number of a single, added if it is not there yet. A model is what it is where it lies: two models of one name are
    /// not the same.
    fn single(&mut self, name: &str, model: &'a dyn AnyModel, only_member: bool) -> usize {
        let same = |single: &Single| std::ptr::addr_eq(single.model, model) && single.name == name;
        if let Some(at) = self.singles.iter().position(same) {
            return at;
        }
        self.singles.push(Single { name: name.into(), model, nested: false, optional: false, only_member });
        self.singles.len() - 1
    }
}

/// Some folds left out: what to train on, what to test on.
pub(crate) struct Part<'a> {
    /// The folds left out.
    folds: Vec<usize>,
    train: TrainView<'a>,
    test: Arc<[usize]>,
}

impl<'a> Part<'a> {
    pub(crate) fn of(
        screen: &'a Screen,
        folds: &Folds,
        left_out: &[usize],
        protocol: &Protocol,
    ) -> Result<Self> {
        let (rows, test) = folds.train_test(left_out);
        for (name, part) in [("train on", &rows), ("test on", &test)] {
            if part.is_empty() {
                return Err(Error::data(format!("{} has no response to {name}", name_of(left_out))));
            }
        }
        let mut train = TrainView { screen, rows, features: FeatureSelection::all(screen) };
        select(&mut train, protocol)?;
        Ok(Self { folds: left_out.to_vec(), train, test: test.into() })
    }

    fn name(&self) -> String {
        name_of(&self.folds)
    }
}

fn name_of(left_out: &[usize]) -> String {
    match left_out {
        [fold] => format!("fold {fold}"),
        _ => {
            let folds: Vec<String> = left_out.iter().map(usize::to_string).collect();
            format!("without folds {}", folds.join(" and "))
        }
    }
}

/// Keeps the most variable features where the protocol says so, and no single-agent feature of what is held out.
fn select(train: &mut TrainView, protocol: &Protocol) -> Result<()> {
    let screen = train.screen;
    train.leave_out_unseen_single_agents();
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
                return Err(Error::config(format!("top_variance: the {sort}s have no features {kind:?}")));
            }
        }
    }
    Ok(())
}

/// What a single predicted for the responses of a part.
struct Predicted {
    values: Vec<f32>,
    /// How much members of an ensemble differ in them, where the model is one and intervals are asked for.
    spread: Option<Vec<f32>>,
    /// For the responses of the other study that belong to the part's fold.
    other: Vec<f32>,
    /// What the fit reported epoch by epoch.
    epochs: Vec<Epoch>,
    fit_seconds: f64,
    predict_seconds: f64,
}

/// What a fit gave: predictions, and those with pilot measurements.
type Found = (Predicted, Option<Vec<Pilot>>);

/// The fits that are done.
pub(crate) struct Fits<'a> {
    work: Work<'a>,
    plan: &'a Plan<'a>,
    /// Of the fold that was run last, for every single; none if it failed.
    now: Vec<Option<Found>>,
    /// By single and pair of folds.
    pairs: HashMap<(usize, [usize; 2]), Predicted>,
    /// The pairs of folds that were run.
    paired: HashSet<[usize; 2]>,
    /// The singles that failed and may.
    gone: Vec<bool>,
    pub(crate) failed: Vec<Failure>,
    pub(crate) training: Vec<TrainingLog>,
    done: usize,
    total: usize,
}

impl<'a> Fits<'a> {
    pub(crate) fn new(work: Work<'a>, plan: &'a Plan<'a>, run: &[usize]) -> Self {
        let nested = plan.singles.iter().filter(|single| single.nested).count();
        let pairs = pairs(run, work.folds.count());
        let total = run.len() * plan.singles.len() + pairs * nested;
        let gone = vec![false; plan.singles.len()];
        Self {
            work,
            plan,
            now: Vec::new(),
            pairs: HashMap::new(),
            paired: HashSet::new(),
            gone,
            failed: Vec::new(),
            training: Vec::new(),
            done: 0,
            total,
        }
    }

    /// Fits every single on the training part of a fold, and where needed without one more fold each.
    pub(crate) fn run(&mut self, part: &Part<'a>) -> Result<()> {
        self.now.clear();
        for at in 0..self.plan.singles.len() {
            let found = self.attempt(at, part)?;
            self.now.push(found);
        }
        match part.folds[..] {
            [fold] => self.run_pairs(fold),
            _ => Ok(()),
        }
    }

    /// Fits without the fold and one more, two at a time: most fits leave threads idle now and then.
    fn run_pairs(&mut self, fold: usize) -> Result<()> {
        let nested: Vec<usize> =
            (0..self.plan.singles.len()).filter(|at| self.plan.singles[*at].nested).collect();
        let others = (0..self.work.folds.count()).filter(|other| *other != fold);
        // Those with folds that were run are done.
        let pairs =
            others.map(|other| [fold.min(other), fold.max(other)]).filter(|pair| !self.paired.contains(pair));
        let pairs: Vec<[usize; 2]> = pairs.collect();
        let tasks: Vec<(usize, [usize; 2])> =
            pairs.iter().flat_map(|pair| nested.iter().map(|at| (*at, *pair))).collect();
        self.paired.extend(&pairs);
        for two in tasks.chunks(2) {
            self.work.progress.check()?;
            let fit = |which: usize| {
                let (at, pair) = two.get(which).filter(|(at, _)| !self.gone[*at])?;
                let step = Step { whole: self.work.progress, at: self.done + which, of: self.total };
                let Work { screen, folds, protocol, .. } = self.work;
                let part = Part::of(screen, folds, pair, protocol);
                Some(part.and_then(|part| self.fit(&self.plan.singles[*at], &part, &step)))
            };
            let (first, second) = rayon::join(|| fit(0), || fit(1));
            for ((at, pair), found) in two.iter().zip([first, second]) {
                self.done += 1;
                self.work.progress.step(100 * self.done, 100 * self.total);
                let Some(found) = found else { continue };
                if let Some((predicted, _)) = self.judged(*at, pair, found)? {
                    self.pairs.insert((*at, *pair), predicted);
                }
            }
        }
        Ok(())
    }

    /// Fits and predicts; none if it fails and may.
    fn attempt(&mut self, at: usize, part: &Part) -> Result<Option<Found>> {
        self.work.progress.check()?;
        let step = Step { whole: self.work.progress, at: self.done, of: self.total };
        let found = (!self.gone[at]).then(|| self.fit(&self.plan.singles[at], part, &step));
        step.step(1, 1);
        self.done += 1;
        found.map_or(Ok(None), |found| self.judged(at, &part.folds, found))
    }

    /// What a fit gave; none if it failed and may, which is noted.
    fn judged(&mut self, at: usize, left_out: &[usize], found: Result<Found>) -> Result<Option<Found>> {
        let single = &self.plan.singles[at];
        let part = name_of(left_out);
        match found {
            Ok(mut found) => {
                let epochs = std::mem::take(&mut found.0.epochs);
                if !epochs.is_empty() {
                    let (model, left_out) = (single.name.clone(), left_out.to_vec());
                    self.training.push(TrainingLog { model, left_out, epochs });
                }
                Ok(Some(found))
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
            Err(error) if single.optional => {
                self.gone[at] = true;
                let error = error.at(part).to_string();
                self.failed.push(Failure { name: single.name.clone(), error });
                Ok(None)
            }
            Err(error) if single.only_member => Err(Stack::blame(&single.name, error.at(part))),
            Err(error) => Err(error.at(format!("model {:?}, {part}", single.name))),
        }
    }

    fn fit(&self, single: &Single, part: &Part, progress: &dyn Progress) -> Result<Found> {
        let Work { screen, protocol, validation, checkpoints, .. } = self.work;
        let name = format!("{}, {}", single.name, part.name());
        let checkpoint = checkpoints.map(|store| Checkpoint { store, name: &name });
        let seed = match part.folds[..] {
            [fold] => protocol.seed.derive(fold as u64),
            _ => part.folds.iter().fold(protocol.seed.derive(SEED_PAIRS), |seed, f| seed.derive(*f as u64)),
        };
        let validation = validation.group();
        let start = Instant::now();
        let context = FitContext { checkpoint, ..FitContext::new(seed, progress, validation) };
        let fitted = single.model.fit_any(&part.train, &context)?;
        let fit_seconds = start.elapsed().as_secs_f64();
        progress.check()?;
        let start = Instant::now();
        let values = predict_rows(&*fitted, screen, &part.test)?;
        let predict_seconds = start.elapsed().as_secs_f64();
        let pilots = match &protocol.pilot {
            Some(pilot) if part.folds.len() == 1 => {
                pilot.run(&*fitted, screen, &part.test, validation, seed, progress)?
            }
            _ => None,
        };
        let other = self.predict_other(&*fitted, part)?;
        let spread = match &protocol.intervals {
            Some(_) => spread_rows(&*fitted, screen, &part.test)?,
            None => None,
        };
        let epochs = fitted.epochs().to_vec();
        Ok((Predicted { values, spread, other, epochs, fit_seconds, predict_seconds }, pilots))
    }

    fn predict_other(&self, fitted: &dyn FittedModel, part: &Part) -> Result<Vec<f32>> {
        let [fold] = part.folds[..] else { return Ok(Vec::new()) };
        let [cells, drugs] = self.work.other.sides(&self.work.other.of_fold(fold));
        if cells.is_empty() {
            return Ok(Vec::new());
        }
        let tables = [self.work.screen.table(0), self.work.screen.table(1)];
        let said = fitted.predict(&Query { tables: &tables, tuples: Tuples::Listed(&[&cells, &drugs]) })?;
        if said.len() != cells.len() || said.iter().any(|value| !value.is_finite()) {
            return Err(Error::failed(
                "predictions for the other study are not one finite number for each response",
            ));
        }
        Ok(said)
    }

    /// What an evaluated model predicts in the fold that was run last; none if it failed and may.
    pub(crate) fn result(&mut self, model: usize, part: &Part, drugs: &Drugs) -> Result<Option<Fold>> {
        let plan = self.plan;
        match &plan.roles[model] {
            Role::Single { at, intervals } => {
                let now = self.now[*at].as_ref().filter(|_| !self.gone[*at]);
                let Some((predicted, _)) = now else { return Ok(None) };
                let (values, predict_seconds) = (predicted.values.clone(), predicted.predict_seconds);
                let other = predicted.other.clone();
                let mut fold = self.fold(part, values, other, drugs)?;
                fold.evaluation.predict_seconds = predict_seconds;
                fold.evaluation.fit_seconds = self.seconds(*at, part, false);
                if *intervals {
                    let out_of_fold = self.out_of_fold(*at, part, |found| Some(&found.values));
                    let spread = predicted.spread.as_deref();
                    let spreads = spread.map(|_| self.out_of_fold(*at, part, |found| found.spread.as_ref()));
                    fold.halves = Some(self.halves(&out_of_fold, spreads.as_deref().zip(spread), part)?);
                }
                fold.pilots = self.now[*at].as_mut().and_then(|(_, pilots)| pilots.take());
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
            let Some((predicted, _)) = self.now[*member].as_ref().filter(|_| !self.gone[*member]) else {
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
        let own = self.now[single].as_ref().map_or(0.0, |(predicted, _)| predicted.fit_seconds);
        let of = |pair: [usize; 2]| self.pairs.get(&(single, pair)).map_or(0.0, |found| found.fit_seconds);
        own + if nested { self.pairs_of(part).map(of).sum() } else { 0.0 }
    }

    /// What was found for every training response of a part, a single's predictions for example, by models that saw neither
    /// the response's fold nor the part's test responses.
    fn out_of_fold(
        &self,
        single: usize,
        part: &Part,
        of: impl Fn(&Predicted) -> Option<&Vec<f32>>,
    ) -> Vec<f32> {
        let fold_of = self.work.folds.of_response();
        let mut by_row = vec![f32::NAN; fold_of.len()];
        for pair in self.pairs_of(part) {
            let Some(found) = self.pairs.get(&(single, pair)) else { continue };
            let tested = (0..fold_of.len())
                .filter(|row| fold_of[*row].is_some_and(|fold| pair.contains(&usize::from(fold))));
            tested.zip(of(found).into_iter().flatten()).for_each(|(row, value)| by_row[row] = *value);
        }
        part.train.rows.iter().map(|row| by_row[*row]).collect()
    }

    /// Half-widths from out-of-fold predictions; where the model has them with the spreads of its members, for those
    /// predictions and for those of the test responses.
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

/// The number of pairs of folds of which at least one is run.
fn pairs(run: &[usize], folds: usize) -> usize {
    let left = folds - run.len();
    (folds * folds.saturating_sub(1) - left * left.saturating_sub(1)) / 2
}
