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

    /// How many bytes of memory a fit to a view takes at its peak, besides the screen: an estimate from sizes, so that a fit which
    /// cannot succeed need not start. Of fits that take hundreds of megabytes it is meant to be between 0.8 and 1.5 of what they take.
    ///
    /// # Errors
    /// If the family does not take data of these sizes: the error that the fit would end with.
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
    /// Where progress goes.
    pub progress: &'a dyn Progress,
    /// What stays together when a fit sets a validation part aside.
    pub validation: ValidationGroup<'a>,
    /// Where a long fit keeps how far it got, so that it can go on there after an interruption.
    pub checkpoint: Option<Checkpoint<'a>>,
}

impl<'a> FitContext<'a> {
    /// A context without checkpoints.
    pub const fn new(seed: Seed, progress: &'a dyn Progress, validation: ValidationGroup<'a>) -> Self {
        Self { seed, progress, validation, checkpoint: None }
    }

    /// The name for the checkpoints of a fit that is a part of this one; empty without checkpoints.
    pub fn name_of(&self, part: &str) -> String {
        self.checkpoint.map_or_else(String::new, |checkpoint| format!("{}, {part}", checkpoint.name))
    }

    /// The checkpoints of this fit's store under another name.
    pub fn checkpoint_at(&self, name: &'a str) -> Option<Checkpoint<'a>> {
        self.checkpoint.map(|checkpoint| Checkpoint { name, ..checkpoint })
    }
}

/// Where the states of fits that take long are kept until the run is complete.
pub trait CheckpointStore: Sync {
    /// The last state kept under a name, if there is one.
    ///
    /// # Errors
    /// If it cannot be read.
    fn load(&self, name: &str) -> Result<Option<StoredModel>>;

    /// Keeps a state under a name, in place of the last one; complete or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    fn save(&self, name: &str, state: &StoredModel) -> Result<()>;

    /// Where states are kept, for messages.
    fn place(&self) -> String;
}

/// The checkpoints of one fit: those whose name begins with its own.
#[derive(Clone, Copy)]
pub struct Checkpoint<'a> {
    /// Where they are kept.
    pub store: &'a dyn CheckpointStore,
    /// The name of the fit.
    pub name: &'a str,
}
