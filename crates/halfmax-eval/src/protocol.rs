//! The settings of an evaluation.

use std::collections::HashSet;

use halfmax_core::{AnyModel, Error, Result, Screen, Seed};

use crate::split::check_only;
use crate::{ConformalParams, Folds, PilotParams, ReferenceResponse};

/// A model to evaluate, with its name.
#[derive(Clone)]
pub struct NamedModel<'a> {
    /// The name in results; unique within an evaluation.
    pub name: String,
    /// The family, as in a configuration: "boost", "drug_mean".
    pub family: String,
    /// The model, with its parameters.
    pub model: &'a dyn AnyModel,
}

/// How models are evaluated, without the folds.
#[derive(Clone, Debug, PartialEq)]
pub struct Protocol {
    /// (kind of block, number): for these blocks of the cell lines, models see only this many features. They are those
    /// that vary most over the training cell lines of each fold.
    pub top_variance: Vec<(String, usize)>,
    /// The folds to run, counted from 0; `None` for all folds.
    pub only_folds: Option<Vec<usize>>,
    /// The seed of fits and of the bootstrap.
    pub seed: Seed,
    /// Number of bootstrap draws for the intervals of metrics.
    pub bootstrap_draws: usize,
    /// Prediction intervals, if any.
    pub intervals: Option<ConformalParams>,
    /// The learning curve over pilot measurements, if any.
    pub pilot: Option<PilotParams>,
    /// Responses of another study to test on as well; empty for none. For screens of single drugs.
    pub other_study: Vec<ReferenceResponse>,
    /// Responses above this are positive: see [`crate::Detection`]. `None` without detection.
    pub positive_above: Option<f64>,
}

impl Default for Protocol {
    /// All features, all folds, seed 2026, 400 bootstrap draws, no prediction intervals and no pilot measurements.
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
    /// Checks the protocol against the models, the folds and the screen.
    pub(crate) fn check(&self, screen: &Screen, folds: &Folds, models: &[NamedModel]) -> Result<()> {
        let protocol = self;
        if models.is_empty() {
            return Err(Error::config("there is no model to evaluate")
                .with_help("add a [[model]] to the configuration"));
        }
        let mut names = HashSet::new();
        if let Some(twice) = models.iter().find(|model| !names.insert(&model.name)) {
            return Err(Error::config(format!(
                "two models are called {:?}: expected different names",
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
                    "prediction intervals need at least 3 folds, but the split has {}: a model's training part must be split again",
                    folds.count()
                )));
            }
        }
        if screen.sides.len() > 2 && !protocol.other_study.is_empty() {
            return Err(Error::config(
                "a second study cannot be used with drug combinations: expected a screen of single drugs",
            ));
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
            "a response of the other study, of cell line number {} to drug number {}, is {}: expected a finite number, and \
             entities of the screen",
            one.cell, one.drug, one.value
        ))),
    }
}
