//! How much memory there is, and how much the fits of a configuration need: said before the work.

mod available;
mod forecast;

pub use available::{Available, limit_memory};
pub use forecast::{Forecast, MemoryCheck, Work, check, refuse_too_large};
