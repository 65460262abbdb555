//! Refuses fits that would take too long, before they start.

use halfmax_core::{Error, Result};

/// The longest allowed fit, in seconds on two cores by the family's own estimate.
pub(crate) const MOST_SECONDS: f64 = 600.0;

/// Refuses a fit of `operations` elementary steps of `nanoseconds` each (on two cores).
///
/// # Errors
/// If the estimate exceeds [`MOST_SECONDS`]. The error's help is `mend`.
pub(crate) fn affordable(
    family: &str,
    shape: &str,
    operations: f64,
    nanoseconds: f64,
    mend: &str,
) -> Result<()> {
    let seconds = operations * nanoseconds * 1e-9;
    if seconds <= MOST_SECONDS {
        return Ok(());
    }
    Err(Error::data(format!(
        "family {family:?} on {shape} would take about {seconds:.0} s on two cores: expected at most \
         {MOST_SECONDS:.0} s"
    ))
    .with_help(mend))
}
