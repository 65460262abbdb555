//! A model's predictions for the test responses of all folds.

use std::sync::Arc;

/// A prediction for a test response.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// The fold that tests the response, counted from 0.
    pub fold: usize,
    /// Position of the response in the screen.
    pub row: usize,
    /// The prediction, in the unit of the target.
    pub predicted: f32,
    /// The ends of its interval, if the model has intervals.
    pub interval: Option<[f32; 2]>,
}

/// Predictions for test responses, fold by fold. Models share the positions of their test responses.
#[derive(Clone, Debug, Default)]
pub struct Predictions {
    folds: Vec<OfFold>,
}

#[derive(Clone, Debug)]
struct OfFold {
    fold: usize,
    rows: Arc<[usize]>,
    predicted: Vec<f32>,
    /// Half-widths of intervals, NaN for responses without an interval; `None` if the model has no intervals.
    halves: Option<Vec<f32>>,
}

impl OfFold {
    fn prediction(&self, at: usize) -> Prediction {
        let half = self.halves.as_ref().map(|halves| halves[at]).filter(|half| !half.is_nan());
        let predicted = self.predicted[at];
        let interval = half.map(|half| [predicted - half, predicted + half]);
        Prediction { fold: self.fold, row: self.rows[at], predicted, interval }
    }
}

impl Predictions {
    /// Adds the predictions of a fold: their rows, their values, and the half-widths of their intervals, NaN without an interval.
    pub(crate) fn push(
        &mut self,
        fold: usize,
        rows: Arc<[usize]>,
        predicted: Vec<f32>,
        halves: Option<Vec<f32>>,
    ) {
        self.folds.push(OfFold { fold, rows, predicted, halves });
    }

    /// Number of predictions.
    pub fn len(&self) -> usize {
        self.folds.iter().map(|fold| fold.predicted.len()).sum()
    }

    /// Whether there are no predictions.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The predictions, fold by fold.
    pub fn iter(&self) -> impl Iterator<Item = Prediction> + Clone {
        self.folds.iter().flat_map(|fold| (0..fold.predicted.len()).map(|at| fold.prediction(at)))
    }
}
