//! The available memory, and the memory that the fits of a configuration need, checked before the work.

mod available;
mod forecast;

pub use available::{Available, limit_memory};
pub use forecast::{Forecast, MemoryCheck, Work, check, refuse_too_large};
