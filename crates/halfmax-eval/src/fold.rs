//! The predictions of one model in one fold.

use std::collections::HashMap;
use std::sync::Arc;

use halfmax_core::{Result, Screen};

use crate::conformal::NOMINAL;
use crate::evaluation::FoldEvaluation;
use crate::pilot::{LearningPoint, Pilot};
use crate::predictions::Predictions;
use crate::units::DrugSides;
use crate::{Metrics, Scored};

/// The drug or combination of every response, numbered, and the names.
pub(crate) struct Drugs {
    pub(crate) of_response: Vec<u32>,
    pub(crate) names: Vec<String>,
}

impl Drugs {
    pub(crate) fn of(screen: &Screen) -> Self {
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

/// The predictions of one model in one fold.
pub(crate) struct Fold {
    pub(crate) evaluation: FoldEvaluation,
    pub(crate) test: Arc<[usize]>,
    pub(crate) predicted: Vec<f32>,
    /// Half-widths of the intervals, if any.
    pub(crate) halves: Option<Halves>,
    pub(crate) pilots: Option<Vec<Pilot>>,
    /// Predictions for the responses of the other study that belong to the fold.
    pub(crate) other: Vec<f32>,
}

/// Half-widths of the intervals of a fold's test responses; NaN for responses without an interval.
pub(crate) struct Halves {
    /// At the configured level.
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

/// Moves the predictions out of the results of the folds.
pub(crate) fn take_predictions(found: &mut [Fold]) -> Predictions {
    let mut predictions = Predictions::default();
    for fold in found {
        let halves = fold.halves.take().map(|Halves { asked, .. }| asked);
        let predicted = std::mem::take(&mut fold.predicted);
        predictions.push(fold.evaluation.fold, fold.test.clone(), predicted, halves);
    }
    predictions
}

/// The learning curve of a model over the folds of the run; empty if there is none.
pub(crate) fn learning_curve(
    found: &[Fold],
    score: impl Fn(&[usize], &[f32]) -> Result<Metrics>,
) -> Result<Vec<LearningPoint>> {
    let Some(of_folds) = found.iter().map(|fold| fold.pilots.as_ref()).collect::<Option<Vec<_>>>() else {
        return Ok(Vec::new());
    };
    let points = of_folds.iter().map(|pilots| pilots.len()).min().unwrap_or(0);
    let point = |at: usize| {
        let rows: Vec<usize> = of_folds.iter().flat_map(|pilots| &pilots[at].rows).copied().collect();
        let predicted: Vec<f32> = of_folds.iter().flat_map(|pilots| &pilots[at].predicted).copied().collect();
        Ok(LearningPoint { responses: of_folds[0][at].given, metrics: score(&rows, &predicted)? })
    };
    (0..points).map(point).collect()
}
