//! A run on disk, and the saved state from which an interrupted run continues.

mod beside;
mod resume;
mod training_log;
mod trials;

pub use resume::{Checkpoints, RunState, keep};
pub use training_log::write_training;
pub use trials::Trials;
