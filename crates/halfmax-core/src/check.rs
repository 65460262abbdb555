//! Checks of parameters. Each check returns an error that names the parameter, its value and the allowed values.
//!
//! ```
//! use halfmax_core::check;
//! assert!(check::share("shrinkage", 0.2).is_ok());
//! assert_eq!(check::share("shrinkage", 2.0).unwrap_err().to_string(), "shrinkage = 2: expected a number from 0 to 1");
//! assert_eq!(check::within("rounds", 0, 1..=100).unwrap_err().to_string(), "rounds = 0: expected 1 to 100");
//! ```

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::{Error, Result};

/// Refuses a number outside 0 to 1.
///
/// # Errors
/// If the number is outside 0 to 1.
pub fn share(name: &str, value: f64) -> Result<()> {
    expect(name, value, (0.0..=1.0).contains(&value), "a number from 0 to 1")
}

/// Refuses a number unless it is above 0 and at most 1.
///
/// # Errors
/// If the number is 0 or less, or above 1.
pub fn fraction(name: &str, value: f64) -> Result<()> {
    expect(name, value, value > 0.0 && value <= 1.0, "a number above 0, at most 1")
}

/// Refuses a number unless it is between 0 and 1. Both ends are excluded.
///
/// # Errors
/// If the number is 0 or less, or 1 or more.
pub fn between_zero_and_one(name: &str, value: f64) -> Result<()> {
    expect(name, value, value > 0.0 && value < 1.0, "a number between 0 and 1")
}

/// Refuses a number unless it is at least 0 and below 1.
///
/// # Errors
/// If the number is below 0, or 1 or more.
pub fn below_one(name: &str, value: f64) -> Result<()> {
    expect(name, value, (0.0..1.0).contains(&value), "a number from 0 to below 1")
}

/// Refuses a number that is infinite, NaN, or not above 0.
///
/// # Errors
/// If the number is infinite, NaN, or not above 0.
pub fn positive(name: &str, value: f64) -> Result<()> {
    expect(name, value, value.is_finite() && value > 0.0, "a finite number above 0")
}

/// Refuses a number that is infinite, NaN, or below 0.
///
/// # Errors
/// If the number is infinite, NaN, or below 0.
pub fn at_least_zero(name: &str, value: f64) -> Result<()> {
    expect(name, value, value.is_finite() && value >= 0.0, "a finite number, at least 0")
}

/// Refuses a number outside a range.
///
/// # Errors
/// If the number is outside the range.
pub fn within<T: PartialOrd + Display>(name: &str, value: T, range: RangeInclusive<T>) -> Result<()> {
    let fits = range.contains(&value);
    expect(name, value, fits, &format!("{} to {}", range.start(), range.end()))
}

/// Refuses a value unless `fits` is true.
///
/// # Errors
/// If `fits` is false. The error says what was expected.
pub fn expect(name: &str, value: impl Display, fits: bool, expected: &str) -> Result<()> {
    if fits { Ok(()) } else { Err(Error::parameter(name, value, expected)) }
}
