//! Searches for parameters inside the training part.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use halfmax_core::{AnyModel, Error, ErrorKind, FitContext, FittedModel, Result, Seed, TrainView, check};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::inner_folds::InnerFolds;
use crate::step::Step;

/// Parameters of a model by name.
pub type Params = BTreeMap<String, Value>;

/// How parameters are searched: the `[tune]` table of a configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TuneParams {
    /// The model whose parameters are searched. It may be left out if only one model is neither naive nor a stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The method of search.
    #[serde(default)]
    pub method: Method,
    /// Number of sets of parameters to try, 2 to 100,000. The first set is the model's own parameters.
    #[serde(default = "default_trials")]
    pub trials: usize,
    /// Time limit of a search in seconds of fits: after it, no further set is tried. The result then depends on the speed
    /// of the machine. Every training part has its own search: five in an evaluation of five folds, fifteen with stacks
    /// or intervals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Number of inner folds, 2 to 20. They leave out what the split leaves out.
    #[serde(default = "default_folds")]
    pub folds: usize,
    /// The search space: a range or a list of values for each parameter.
    pub space: BTreeMap<String, Range>,
}

const fn default_trials() -> usize {
    20
}

const fn default_folds() -> usize {
    3
}

/// A method of search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Random sets (Bergstra & Bengio 2012). All inner folds evaluate each set.
    #[default]
    Random,
    /// Successive halving (Jamieson & Talwalkar 2016). All sets are evaluated by fits on a share of the groups (cell
    /// lines, drugs, …), the best third by fits on three times as many groups, and so on up to all groups.
    Halving,
}

/// The values that a parameter may take.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Range {
    /// One of these values.
    OneOf(Vec<Value>),
    /// A number from `low` to `high`, including both. It is whole if both ends are whole.
    Between(Between),
}

/// A range of numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Between {
    /// The smallest value.
    pub low: serde_json::Number,
    /// The largest value.
    pub high: serde_json::Number,
    /// Whether equal ratios are equally likely, instead of equal differences.
    #[serde(default)]
    pub log: bool,
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Range;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of values, or a range { low = ..., high = ..., log = true }")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> std::result::Result<Range, A::Error> {
                Deserialize::deserialize(SeqAccessDeserializer::new(values)).map(Range::OneOf)
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> std::result::Result<Range, A::Error> {
                Deserialize::deserialize(MapAccessDeserializer::new(fields)).map(Range::Between)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl Range {
    fn check(&self, name: &str) -> Result<()> {
        let place = format!("tune.space.{name}");
        match self {
            Self::OneOf(values) if values.is_empty() => {
                Err(Error::parameter(&place, "[]", "at least one value"))
            }
            Self::OneOf(_) => Ok(()),
            Self::Between(Between { low, high, log }) => {
                let (least, greatest) = (low.as_f64().unwrap_or(f64::NAN), high.as_f64().unwrap_or(f64::NAN));
                if !(least < greatest && greatest.is_finite()) {
                    return Err(Error::parameter(&place, format!("{low} to {high}"), "low below high"));
                }
                if low.is_u64() && high.is_u64() && high.as_i64().is_none() {
                    return Err(Error::parameter(
                        &place,
                        format!("{low} to {high}"),
                        "whole numbers below 2^63",
                    ));
                }
                if *log && least <= 0.0 {
                    return Err(Error::parameter(
                        &place,
                        format!("{low} to {high}"),
                        "low above 0, because log = true",
                    ));
                }
                Ok(())
            }
        }
    }

    /// The extreme values: the ends of a range, or all values of a list.
    pub fn extremes(&self) -> Vec<Value> {
        match self {
            Self::OneOf(values) => values.clone(),
            Self::Between(Between { low, high, .. }) => vec![low.clone().into(), high.clone().into()],
        }
    }

    fn draw(&self, random: &mut ChaCha8Rng) -> Value {
        match self {
            Self::OneOf(values) => values[random.random_range(0..values.len() as u64) as usize].clone(),
            Self::Between(Between { low, high, log }) => {
                let whole = low.as_i64().zip(high.as_i64());
                // A whole number represents all numbers that round to it.
                let half = if whole.is_some() { 0.5 } else { 0.0 };
                let ends = [low.as_f64().unwrap_or(0.0) - half, high.as_f64().unwrap_or(0.0) + half];
                let share: f64 = random.random();
                let value = match log {
                    true => (ends[0].ln() + share * (ends[1].ln() - ends[0].ln())).exp(),
                    false => ends[0] + share * (ends[1] - ends[0]),
                };
                match whole {
                    Some((low, high)) => (value.round() as i64).clamp(low, high).into(),
                    // Rounding must not leave the range.
                    None => value.clamp(ends[0], ends[1]).into(),
                }
            }
        }
    }
}

impl TuneParams {
    /// Checks every parameter.
    ///
    /// # Errors
    /// If a parameter is out of range. The error names the first such parameter, its value and the allowed values.
    pub fn check(&self) -> Result<()> {
        check::within("tune.trials", self.trials, 2..=100_000)?;
        check::within("tune.folds", self.folds, 2..=20)?;
        self.seconds.map_or(Ok(()), |seconds| check::positive("tune.seconds", seconds))?;
        if self.space.is_empty() {
            return Err(Error::config("tune.space is empty: expected a parameter to search").with_help(
                "for example: space = { learning_rate = { low = 0.01, high = 0.3, log = true } }",
            ));
        }
        self.space.iter().try_for_each(|(name, range)| range.check(name))
    }

    /// The set of parameters of a trial. It is empty for the first trial, which uses the model's own parameters.
    fn draw(&self, trial: usize, seed: Seed) -> Params {
        if trial == 0 {
            return Params::new();
        }
        let mut random = ChaCha8Rng::seed_from_u64(seed.derive(SEED_DRAWS).derive(trial as u64).value());
        self.space.iter().map(|(name, range)| (name.clone(), range.draw(&mut random))).collect()
    }
}

const SEED_DRAWS: u64 = 31;
const SEED_FITS: u64 = 32;
/// Successive halving keeps one of this many sets of parameters.
const HALVING: usize = 3;
/// Fewer groups than this are too few to compare sets.
const LEAST_GROUPS: f64 = 20.0;

/// One evaluation of one set of parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// The model.
    pub model: String,
    /// The name of the training part.
    pub part: String,
    /// The number of the set of parameters.
    pub trial: usize,
    /// The share of the training part's groups that the fits saw.
    pub share: f64,
    /// The changed parameters of the model.
    pub params: Params,
    /// Root mean squared error over the inner folds, in the unit of the target; `None` if the trial failed.
    pub rmse: Option<f64>,
    /// The error of a failed trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Seconds of the trial; 0 if unknown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub trial_seconds: f64,
    /// Whether the search ended after this trial because the time was up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub out_of_time: bool,
}

fn is_zero(seconds: &f64) -> bool {
    *seconds == 0.0
}

/// Receives every new trial.
type Sink = Box<dyn FnMut(&Trial) -> Result<()> + Send>;

/// All trials of a run. Trials of an earlier, interrupted run need not be repeated.
#[derive(Default)]
pub struct TrialLog {
    state: Mutex<LogState>,
}

#[derive(Default)]
struct LogState {
    known: BTreeMap<(String, String, usize, u64), Trial>,
    done: Vec<Trial>,
    sink: Option<Sink>,
}

impl TrialLog {
    /// A log with earlier trials, and a function to call with every new trial.
    pub fn new(known: Vec<Trial>, sink: impl FnMut(&Trial) -> Result<()> + Send + 'static) -> Self {
        let known = known.into_iter().map(|trial| (key(&trial), trial)).collect();
        Self { state: Mutex::new(LogState { known, done: Vec::new(), sink: Some(Box::new(sink)) }) }
    }

    /// The trials so far, in the order in which they were made or looked up.
    pub fn trials(&self) -> Vec<Trial> {
        self.state.lock().map(|state| state.done.clone()).unwrap_or_default()
    }

    fn find(&self, wanted: &(String, String, usize, u64)) -> Option<Trial> {
        let mut state = self.state.lock().ok()?;
        let found = state.known.get(wanted).cloned()?;
        state.done.push(found.clone());
        Some(found)
    }

    fn record(&self, trial: &Trial) -> Result<()> {
        let Ok(mut state) = self.state.lock() else {
            return Err(Error::failed("the log of trials cannot be used after a panic"));
        };
        state.done.push(trial.clone());
        match &mut state.sink {
            Some(sink) => sink(trial),
            None => Ok(()),
        }
    }
}

fn key(trial: &Trial) -> (String, String, usize, u64) {
    (trial.model.clone(), trial.part.clone(), trial.trial, trial.share.to_bits())
}

/// Makes a model from the changed parameters.
pub type Builder = Arc<dyn Fn(&Params) -> Result<Arc<dyn AnyModel>> + Send + Sync>;

/// A model whose parameters are searched again in every training part, by inner folds that leave out what the evaluation's
/// split leaves out. It is then fitted with the best parameters. The test responses have no part in the search.
#[derive(Clone)]
pub struct Tuned {
    name: String,
    params: TuneParams,
    build: Builder,
    log: Arc<TrialLog>,
}

impl Tuned {
    /// A search for the parameters of the model `name`, which `build` makes.
    ///
    /// # Errors
    /// If a parameter of the search is out of range, or the model refuses an end of a range or a value of a list.
    pub fn new(name: &str, params: TuneParams, build: Builder, log: Arc<TrialLog>) -> Result<Self> {
        params.check()?;
        for (parameter, range) in &params.space {
            for value in range.extremes() {
                build(&Params::from([(parameter.clone(), value)]))
                    .map_err(|error| error.with_context(format!("tune.space.{parameter}")))?;
            }
        }
        Ok(Self { name: name.to_owned(), params, build, log })
    }
}

impl AnyModel for Tuned {
    /// # Errors
    /// If there are fewer groups than inner folds, if every set of parameters fails, if a trial cannot be saved, or if
    /// the user stopped the search.
    fn fit_any(&self, train: &TrainView, context: &FitContext) -> Result<Box<dyn FittedModel>> {
        if train.rows.is_empty() {
            return Err(Error::data("the training data have no responses"));
        }
        let search = Search::new(self, train, context)?;
        let best = search.run()?;
        let progress = Step { whole: context.progress, at: search.steps, of: search.steps + 1 };
        (self.build)(&best)?.fit_any(train, &FitContext { progress: &progress, ..*context })
    }

    /// The largest memory of the model over the ends of each parameter's range, with the other parameters as they are.
    fn memory_any(&self, train: &TrainView, context: &FitContext) -> Result<usize> {
        let mut most = (self.build)(&Params::new())?.memory_any(train, context)?;
        for (parameter, range) in &self.params.space {
            for value in range.extremes() {
                let model = (self.build)(&Params::from([(parameter.clone(), value)]))?;
                // The search skips a set that cannot be fitted.
                most = most.max(model.memory_any(train, context).unwrap_or(0));
            }
        }
        Ok(most)
    }
}

/// One search in one training part.
struct Search<'a> {
    tuned: &'a Tuned,
    train: &'a TrainView<'a>,
    context: &'a FitContext<'a>,
    folds: InnerFolds,
    part: String,
    /// For every rung, the share of groups and the number of sets.
    rungs: Vec<(f64, usize)>,
    steps: usize,
}

impl<'a> Search<'a> {
    fn new(tuned: &'a Tuned, train: &'a TrainView<'a>, context: &'a FitContext<'a>) -> Result<Self> {
        let folds = InnerFolds::draw(train, context, tuned.params.folds)?;
        let trials = tuned.params.trials;
        let rungs = match tuned.params.method {
            Method::Random => vec![(1.0, trials)],
            Method::Halving => rungs(trials, folds.groups()),
        };
        let steps = rungs.iter().map(|(_, sets)| sets * folds.count()).sum();
        let seed = train.rows.iter().fold(context.seed, |seed, row| seed.derive(*row as u64));
        Ok(Self { tuned, train, context, folds, part: format!("{:016x}", seed.value()), rungs, steps })
    }

    /// The best set of parameters.
    fn run(&self) -> Result<Params> {
        let params = &self.tuned.params;
        let mut sets: Vec<usize> = (0..params.trials).collect();
        let (mut seconds, mut step) = (0.0, 0);
        let mut best: Option<Trial> = None;
        let mut last_error = String::new();
        for (share, count) in &self.rungs {
            sets.truncate(*count);
            let mut judged: Vec<Trial> = Vec::new();
            for set in &sets {
                let trial = self.judge(*set, *share, step, seconds)?;
                step += self.folds.count();
                seconds += trial.trial_seconds;
                let out_of_time = trial.out_of_time;
                last_error = trial.error.clone().unwrap_or(last_error);
                judged.push(trial);
                if out_of_time {
                    break;
                }
            }
            let out_of_time = judged.last().is_some_and(|trial| trial.out_of_time);
            judged.retain(|trial| trial.rmse.is_some());
            judged.sort_by(|a, b| a.rmse.unwrap_or(f64::MAX).total_cmp(&b.rmse.unwrap_or(f64::MAX)));
            sets = judged.iter().map(|trial| trial.trial).collect();
            if let Some(first) = judged.into_iter().next() {
                best = Some(first);
            }
            if out_of_time {
                break;
            }
        }
        let best = best.ok_or_else(|| {
            Error::failed(format!("no set of parameters could be fitted; the last error is: {last_error}"))
        })?;
        Ok(best.params)
    }

    /// Evaluates a set of parameters, or looks up its earlier evaluation.
    fn judge(&self, set: usize, share: f64, step: usize, before: f64) -> Result<Trial> {
        self.context.progress.check()?;
        let Tuned { name, params, log, build } = self.tuned;
        if let Some(known) = log.find(&(name.clone(), self.part.clone(), set, share.to_bits())) {
            return Ok(known);
        }
        let drawn = params.draw(set, self.context.seed);
        let start = Instant::now();
        let seed = self.context.seed.derive(SEED_FITS);
        let context = FitContext { seed, checkpoint: None, ..*self.context };
        let steps = (step, self.steps + 1);
        let found = build(&drawn)
            .and_then(|model| self.folds.predict_from(share, &*model, self.train, &context, steps));
        let (rmse, error) = match found {
            Ok(predicted) => (Some(self.rmse(&predicted)), None),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(error) => (None, Some(error.to_string())),
        };
        let trial_seconds = start.elapsed().as_secs_f64();
        let out_of_time = params.seconds.is_some_and(|most| before + trial_seconds >= most);
        let trial = Trial {
            model: name.clone(),
            part: self.part.clone(),
            trial: set,
            share,
            params: drawn,
            rmse,
            error,
            trial_seconds,
            out_of_time,
        };
        log.record(&trial)?;
        Ok(trial)
    }

    fn rmse(&self, predicted: &[f32]) -> f64 {
        let responses = &self.train.screen.responses;
        let (mut squares, mut weights) = (0.0, 0.0);
        for (row, predicted) in self.train.rows.iter().zip(predicted) {
            let weight = f64::from(responses.weight(*row));
            squares += weight * (f64::from(responses.values()[*row]) - f64::from(*predicted)).powi(2);
            weights += weight;
        }
        (squares / weights).sqrt()
    }
}

/// The rungs of successive halving: (share of the groups, number of sets), up to all groups.
fn rungs(trials: usize, groups: usize) -> Vec<(f64, usize)> {
    let mut rungs = vec![(1.0, 1.max(trials))];
    let (mut share, mut depth) = (1.0, 0);
    while trials / HALVING.pow(depth + 1) > 0 && share / HALVING as f64 * groups as f64 >= LEAST_GROUPS {
        share /= HALVING as f64;
        depth += 1;
        rungs.insert(0, (share, trials));
    }
    for (rung, (_, sets)) in rungs.iter_mut().enumerate() {
        *sets = (trials / HALVING.pow(rung as u32)).max(1);
    }
    rungs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_third_the_sets_and_treble_the_groups() {
        let third = 1.0 / 3.0;
        assert_eq!(rungs(27, 900), [(third / 3.0 / 3.0, 27), (third / 3.0, 9), (third, 3), (1.0, 1)]);
        assert_eq!(rungs(10, 100), [(third, 10), (1.0, 3)]);
        assert_eq!(rungs(2, 900), [(1.0, 2)]);
        assert_eq!(rungs(20, 30), [(1.0, 20)]);
    }

    #[test]
    fn draws_stay_in_their_ranges() {
        let text = r#"{ "space": {
            "whole": { "low": 2, "high": 4 },
            "rate": { "low": 0.001, "high": 1.0, "log": true },
            "kind": ["a", "b"] } }"#;
        let params: TuneParams = serde_json::from_str(text).unwrap_or_else(|_| unreachable!());
        assert!(params.check().is_ok());
        assert!(params.draw(0, Seed::new(1)).is_empty());
        let draws: Vec<Params> = (1..2000).map(|trial| params.draw(trial, Seed::new(1))).collect();
        let count = |name: &str, value: Value| draws.iter().filter(|draw| draw[name] == value).count();
        for value in 2..=4 {
            assert!((570..760).contains(&count("whole", value.into())));
        }
        assert!((900..1100).contains(&count("kind", "a".into())));
        let rates: Vec<f64> = draws.iter().filter_map(|draw| draw["rate"].as_f64()).collect();
        assert!(rates.iter().all(|rate| (0.001..=1.0).contains(rate)));
        assert!((570..760).contains(&rates.iter().filter(|rate| **rate < 0.01).count()));
    }
}
