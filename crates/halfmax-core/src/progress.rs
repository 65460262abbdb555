//! Progress of long work, and the user's wish to stop it.

use crate::{Error, Result};

/// Receives progress and findings from long work, and tells the work when the user wants to stop it.
pub trait Progress: Sync {
    /// A new phase begins: "training". The next steps belong to this phase.
    fn phase(&self, _what: &'static str) {}

    /// `done` of `total` steps of the current work are finished.
    fn step(&self, done: usize, total: usize);

    /// A few words on the state of the current work: the loss of a training.
    fn detail(&self, _text: &str) {}

    /// What was done: how a column was used, how many rows were used.
    fn note(&self, _text: &str) {}

    /// Something that the user should know, but not an error.
    fn warn(&self, _text: &str) {}

    /// Whether the user asked to stop.
    fn stopped(&self) -> bool;

    /// An error once the user asked to stop, so that loops can use `?`.
    ///
    /// # Errors
    /// [`Error::interrupted`] once the user asked to stop.
    fn check(&self) -> Result<()> {
        if self.stopped() { Err(Error::interrupted()) } else { Ok(()) }
    }
}

/// Reports nothing and never stops.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _done: usize, _total: usize) {}

    fn stopped(&self) -> bool {
        false
    }
}
