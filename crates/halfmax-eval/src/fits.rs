//! One fit of an evaluation: a model fitted without some folds, and its predictions for them.

use std::time::Instant;

use halfmax_core::{
    Checkpoint, CheckpointStore, Epoch, Error, FitContext, FittedModel, Progress, Query, Result, Screen,
    Tuples,
};
use serde::{Deserialize, Serialize};

use crate::cross_study::OtherStudy;
use crate::inner_folds::{predict_rows, spread_rows};
use crate::part::Part;
use crate::pilot::Pilot;
use crate::plan::Single;
use crate::{Folds, Protocol, Validation};

const SEED_PAIRS: u64 = 0x7061_6972;

/// The input of an evaluation.
#[derive(Clone, Copy)]
pub(crate) struct Work<'a> {
    pub(crate) screen: &'a Screen,
    pub(crate) folds: &'a Folds,
    pub(crate) protocol: &'a Protocol,
    pub(crate) validation: &'a Validation,
    pub(crate) other: &'a OtherStudy<'a>,
}

/// A model's predictions for the responses of a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Predicted {
    pub(crate) values: Vec<f32>,
    /// The spread of an ensemble's members in these predictions, if the model is an ensemble and intervals are configured.
    pub(crate) spread: Option<Vec<f32>>,
    /// Predictions for the responses of the other study that belong to the fold of the part.
    pub(crate) other: Vec<f32>,
    /// Predictions with pilot measurements, if they are configured and the model uses them.
    pub(crate) pilots: Option<Vec<Pilot>>,
    /// The epochs that the fit reported.
    pub(crate) epochs: Vec<Epoch>,
    pub(crate) fit_seconds: f64,
    pub(crate) predict_seconds: f64,
}

impl Work<'_> {
    /// Fits a model to a part, and predicts the responses that the part leaves out.
    pub(crate) fn fit(
        self,
        single: &Single,
        part: &Part,
        progress: &dyn Progress,
        checkpoints: Option<&dyn CheckpointStore>,
    ) -> Result<Predicted> {
        let Work { screen, protocol, validation, .. } = self;
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
        let epochs = fitted.as_epochwise().map_or(Vec::new(), |fit| fit.epochs().to_vec());
        Ok(Predicted { values, spread, other, pilots, epochs, fit_seconds, predict_seconds })
    }

    fn predict_other(self, fitted: &dyn FittedModel, part: &Part) -> Result<Vec<f32>> {
        let [fold] = part.folds[..] else { return Ok(Vec::new()) };
        let [cells, drugs] = self.other.sides(&self.other.of_fold(fold));
        if cells.is_empty() {
            return Ok(Vec::new());
        }
        let tables = [self.screen.table(0), self.screen.table(1)];
        let said = fitted.predict(&Query { tables: &tables, tuples: Tuples::Listed(&[&cells, &drugs]) })?;
        if said.len() != cells.len() || said.iter().any(|value| !value.is_finite()) {
            return Err(Error::failed(
                "the model did not return one finite number for each response of the other study",
            ));
        }
        Ok(said)
    }
}
