use crate::{Error, Result};

/// Where long work reports how far it is and what it found on the way, and learns that the user wants it to stop.
pub trait Progress: Sync {
    /// A new piece of work begins: "training". The steps that follow are its own.
    fn phase(&self, _what: &'static str) {}

    /// `done` of `total` steps of the current work are finished.
    fn step(&self, done: usize, total: usize);

    /// A few words on how the current work goes: the loss of a training.
    fn detail(&self, _text: &str) {}

    /// What was done: which column was taken for what, how many rows were used.
    fn note(&self, _text: &str) {}

    /// Something that the user should know and that is not an error.
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
