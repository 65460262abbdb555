//! A run on disk: what an interrupted one leaves, and goes on from.

mod beside;
mod resume;
mod training_log;
mod trials;

pub use resume::{Checkpoints, RunState, keep};
pub use training_log::write_training;
pub use trials::Trials;
