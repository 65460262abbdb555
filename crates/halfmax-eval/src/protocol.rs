use std::collections::HashSet;

use halfmax_core::{AnyModel, Error, Result, Screen, Seed};

use crate::split::check_only;
use crate::{ConformalParams, Folds, PilotParams, ReferenceResponse};

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
    /// Number of draws of the bootstrap behind the intervals of metrics.
    pub bootstrap_draws: usize,
    /// Prediction intervals, if any are wanted.
    pub intervals: Option<ConformalParams>,
    /// The learning curve over pilot measurements, if one is wanted.
    pub pilot: Option<PilotParams>,
    /// Responses of another study to test on too; empty for none. For screens of single drugs.
    pub other_study: Vec<ReferenceResponse>,
    /// Responses above this are positive: see [`crate::Detection`]. None where nothing is to be detected.
    pub positive_above: Option<f64>,
}

impl Default for Protocol {
    /// All features, all folds, seed 2026, 400 draws of the bootstrap, neither prediction intervals nor pilot measurements.
    fn default() -> Self {
        Self {
            top_variance: Vec::new(),
            only_folds: None,
            seed: Seed::new(2026),
            bootstrap_draws: 400,
            intervals: None,
            pilot: None,
            other_study: Vec::new(),
            positive_above: None,
        }
    }
}

impl Protocol {
    /// Checks what is asked for against the models, the folds and the screen.
    pub(crate) fn check(&self, screen: &Screen, folds: &Folds, models: &[NamedModel]) -> Result<()> {
        let protocol = self;
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
                return Err(Error::config(format!(
                    "intervals.models names {unknown:?}, which is not a model of the configuration"
                )));
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
}

fn check_other_study(screen: &Screen, responses: &[ReferenceResponse]) -> Result<()> {
    let fits = |one: &ReferenceResponse| {
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
