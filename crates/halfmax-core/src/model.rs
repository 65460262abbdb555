//! What can be fitted, and what a fit depends on.

use std::any::Any;

use crate::{FittedModel, Progress, Result, Seed, StoredModel, TrainView, ValidationGroup};

/// A model family with its parameters, ready to fit.
pub trait Model: Send + Sync {
    /// The fitted form.
    type Fitted: FittedModel;

    /// Fits the model to the responses and features of a view.
    ///
    /// # Errors
    /// If the view holds too little to learn from, or the user stopped it.
    fn fit(&self, train: &TrainView, context: &FitContext) -> Result<Self::Fitted>;

    /// An estimate of the peak memory of a fit to a view, in bytes, without the screen. It depends on sizes only, so that
    /// a fit that cannot succeed need not start. For fits of hundreds of megabytes it should be between 0.8 and 1.5 times
    /// the true peak.
    ///
    /// # Errors
    /// If the family does not accept data of these sizes. The error is the one that the fit would return.
    fn memory(&self, train: &TrainView, context: &FitContext) -> Result<usize>;
}

/// A [`Model`] of any family, for lists of models.
pub trait AnyModel: Send + Sync + Any {
    /// See [`Model::fit`].
    ///
    /// # Errors
    /// As [`Model::fit`].
    fn fit_any(&self, train: &TrainView, context: &FitContext) -> Result<Box<dyn FittedModel>>;

    /// See [`Model::memory`].
    ///
    /// # Errors
    /// As [`Model::memory`].
    fn memory_any(&self, train: &TrainView, context: &FitContext) -> Result<usize>;
}

impl<M: Model + 'static> AnyModel for M
where
    M::Fitted: 'static,
{
    fn fit_any(&self, train: &TrainView, context: &FitContext) -> Result<Box<dyn FittedModel>> {
        Ok(Box::new(self.fit(train, context)?))
    }

    fn memory_any(&self, train: &TrainView, context: &FitContext) -> Result<usize> {
        self.memory(train, context)
    }
}

/// What a fit may depend on besides the data.
#[derive(Clone, Copy)]
pub struct FitContext<'a> {
    /// The seed of everything random in the fit.
    pub seed: Seed,
    /// Receives the progress.
    pub progress: &'a dyn Progress,
    /// Which responses stay together when a fit sets a validation part aside.
    pub validation: ValidationGroup<'a>,
    /// Where a long fit saves its state, so that it can resume after an interruption.
    pub checkpoint: Option<Checkpoint<'a>>,
}

impl<'a> FitContext<'a> {
    /// A context without checkpoints.
    pub const fn new(seed: Seed, progress: &'a dyn Progress, validation: ValidationGroup<'a>) -> Self {
        Self { seed, progress, validation, checkpoint: None }
    }

    /// The checkpoint name for a part of this fit; empty without checkpoints.
    pub fn name_of(&self, part: &str) -> String {
        self.checkpoint.map_or_else(String::new, |checkpoint| format!("{}, {part}", checkpoint.name))
    }

    /// The checkpoints of this fit's store under another name.
    pub fn checkpoint_at(&self, name: &'a str) -> Option<Checkpoint<'a>> {
        self.checkpoint.map(|checkpoint| Checkpoint { name, ..checkpoint })
    }
}

/// Keeps the states of long fits until the run is complete.
pub trait CheckpointStore: Sync {
    /// The last state saved under a name, if any.
    ///
    /// # Errors
    /// If the state cannot be read.
    fn load(&self, name: &str) -> Result<Option<StoredModel>>;

    /// Saves a state under a name and replaces the last one. The state is written completely or not at all.
    ///
    /// # Errors
    /// If the state cannot be written.
    fn save(&self, name: &str, state: &StoredModel) -> Result<()>;

    /// The place of the states, for messages.
    fn place(&self) -> String;
}

/// The checkpoints of one fit. Their names begin with the name of the fit.
#[derive(Clone, Copy)]
pub struct Checkpoint<'a> {
    /// The store of the checkpoints.
    pub store: &'a dyn CheckpointStore,
    /// The name of the fit.
    pub name: &'a str,
}
