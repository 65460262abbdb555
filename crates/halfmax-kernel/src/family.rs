//! The kernel family as other crates see it: one name for single drugs and for combinations.

use halfmax_core::{AnyModel, FitContext, FittedModel, Model, Result, StoredModel, TrainView};

use crate::combination::{self, FittedCombinations};
use crate::{FittedKernel, Kernel};

/// A kernel model for screens of single drugs and of combinations.
#[derive(Clone, Debug)]
pub struct AnyKernel(pub Kernel);

impl AnyModel for AnyKernel {
    fn fit_any(&self, train: &TrainView, context: &FitContext) -> Result<Box<dyn FittedModel>> {
        if train.screen.is_of_combinations() {
            let fit = || combination::fit(&self.0.params, train, context);
            return Ok(Box::new(rayon::join(fit, || ()).0?));
        }
        Ok(Box::new(self.0.fit(train, context)?))
    }

    fn memory_any(&self, train: &TrainView, context: &FitContext) -> Result<usize> {
        if train.screen.is_of_combinations() {
            return combination::memory(train);
        }
        self.0.memory(train, context)
    }
}

/// Reads a model of single drugs or of combinations from its stored form.
///
/// # Errors
/// As [`FittedKernel::from_stored`].
pub fn kernel_from_stored(stored: &StoredModel) -> Result<Box<dyn FittedModel>> {
    if stored.description.get("combinations").is_some() {
        return Ok(Box::new(FittedCombinations::from_stored(stored)?));
    }
    Ok(Box::new(FittedKernel::from_stored(stored)?))
}
