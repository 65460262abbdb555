//! A run on disk: what an interrupted one leaves, and goes on from.

mod resume;
mod trials;

pub use resume::{Checkpoints, RunState, keep};
pub use trials::Trials;
