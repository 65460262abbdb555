//! The progress of one fit within an evaluation.

use halfmax_core::Progress;

/// The progress of one fit as a part of the whole, in hundredths of a fit.
pub(crate) struct Step<'a> {
    pub(crate) whole: &'a dyn Progress,
    pub(crate) at: usize,
    pub(crate) of: usize,
}

impl Progress for Step<'_> {
    fn step(&self, done: usize, total: usize) {
        let within = (100 * done.min(total)).checked_div(total).unwrap_or(0);
        self.whole.step(100 * self.at + within, 100 * self.of);
    }

    fn detail(&self, text: &str) {
        self.whole.detail(text);
    }

    fn note(&self, text: &str) {
        self.whole.note(text);
    }

    fn warn(&self, text: &str) {
        self.whole.warn(text);
    }

    fn stopped(&self) -> bool {
        self.whole.stopped()
    }
}
