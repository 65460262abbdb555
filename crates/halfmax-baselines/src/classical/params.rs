//! Checks of parameters.

use halfmax_core::{Error, Result};

pub(crate) fn share(name: &str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::parameter(name, value, "a number from 0 to 1"))
}

pub(crate) fn positive(name: &str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::parameter(name, value, "a finite number above 0"))
}

pub(crate) fn count(name: &str, value: usize, most: usize) -> Result<()> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::parameter(name, value, &format!("1 to {most}")))
}
