//! Growth rates of wells that were read several times, and the resulting growth-rate values.

use crate::estimate::Estimate;
use crate::t_quantile_95;

/// The growth rate of a well's signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GrowthRate {
    /// Divisions per unit of time: the slope of log2 signal over time, with its standard error and 95 % interval (with
    /// three or more readings).
    pub rate: Estimate,
    /// The number of used readings: those with a signal above 0.
    pub readings: usize,
    /// The first and the last time of these readings.
    pub span: [f64; 2],
}

/// The growth rate of signals at times, by least squares of log2 signal over time. Signals that are not above 0 are
/// skipped; `None` if fewer than two times are left.
///
/// ```
/// use halfmax_dose::growth_rate;
/// // A population that doubles every 24 hours.
/// let found = growth_rate(&[0.0, 24.0, 48.0, 72.0], &[100.0, 200.0, 400.0, 800.0]).unwrap();
/// assert!((found.rate.value - 1.0 / 24.0).abs() < 1e-12);
/// assert!(growth_rate(&[0.0, 24.0], &[100.0, 0.0]).is_none());
/// ```
pub fn growth_rate(times: &[f64], signals: &[f64]) -> Option<GrowthRate> {
    let known: Vec<[f64; 2]> = times
        .iter()
        .zip(signals)
        .filter(|(time, signal)| time.is_finite() && **signal > 0.0 && signal.is_finite())
        .map(|(time, signal)| [*time, signal.log2()])
        .collect();
    let count = known.len() as f64;
    let mean = |of: usize| known.iter().map(|point| point[of]).sum::<f64>() / count;
    let (time, level) = (mean(0), mean(1));
    let spread: f64 = known.iter().map(|[at, _]| (at - time).powi(2)).sum();
    if known.len() < 2 || spread.is_nan() || spread <= 0.0 {
        return None;
    }
    let slope = known.iter().map(|[at, log]| (at - time) * (log - level)).sum::<f64>() / spread;
    let rest: f64 = known.iter().map(|[at, log]| (log - level - slope * (at - time)).powi(2)).sum();
    let freedom = known.len() - 2;
    let standard_error = if freedom == 0 { f64::NAN } else { (rest / freedom as f64 / spread).sqrt() };
    let reach = t_quantile_95(freedom) * standard_error;
    let ends = known
        .iter()
        .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], [at, _]| [low.min(*at), high.max(*at)]);
    Some(GrowthRate {
        rate: Estimate { value: slope, standard_error, lower: slope - reach, upper: slope + reach },
        readings: known.len(),
        span: ends,
    })
}

/// The growth-rate value of a rate relative to the control (Hafner et al. 2016, *Nature Methods* 13, 521): `2^(k /
/// k_control) − 1`; 1 without effect, 0 if cells neither grow nor die. NaN if the control does not grow.
///
/// ```
/// use halfmax_dose::growth_rate_inhibition;
/// assert_eq!(growth_rate_inhibition(0.04, 0.04), 1.0);
/// assert_eq!(growth_rate_inhibition(0.0, 0.04), 0.0);
/// assert_eq!(growth_rate_inhibition(-0.04, 0.04), -0.5);
/// assert!(growth_rate_inhibition(0.01, 0.0).is_nan());
/// ```
pub fn growth_rate_inhibition(rate: f64, control: f64) -> f64 {
    if control > 0.0 { (rate / control).exp2() - 1.0 } else { f64::NAN }
}

/// Converts growth rates to an endpoint: the viability relative to the control after a time, `2^((k − k_control) ·
/// span)`, and the number of divisions of the control, `k_control · span` (NaN if it did not grow).
/// [`growth_rate_value`](crate::growth_rate_value) of both is [`growth_rate_inhibition`], so curves of growth-rate
/// values can be fitted to rates as well as to counts.
///
/// ```
/// use halfmax_dose::{growth_rate_inhibition, growth_rate_value, left_by_rates};
/// let (left, divisions) = left_by_rates(0.01, 0.04, 72.0);
/// assert!((growth_rate_value(left, divisions) - growth_rate_inhibition(0.01, 0.04)).abs() < 1e-12);
/// ```
pub fn left_by_rates(rate: f64, control: f64, span: f64) -> (f64, f64) {
    let divisions = if control > 0.0 { control * span } else { f64::NAN };
    (((rate - control) * span).exp2(), divisions)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: log2 signals 0, 1, 1, 3 at times 0, 1, 2, 3: mean 1.25, slope 4.5 / 5 = 0.9, residuals −0.1·…
    #[test]
    fn slope_and_error_are_those_of_least_squares() {
        let found = growth_rate(&[0.0, 1.0, 2.0, 3.0], &[1.0, 2.0, 2.0, 8.0]);
        let Some(found) = found else { panic!("four readings have a rate") };
        assert!((found.rate.value - 0.9).abs() < 1e-12);
        // Residuals 0.1, 0.2, −0.7, 0.4: their squares sum to 0.7.
        assert!((found.rate.standard_error - (0.35_f64 / 5.0).sqrt()).abs() < 1e-12);
        assert_eq!((found.readings, found.span), (4, [0.0, 3.0]));
    }

    #[test]
    fn what_has_no_logarithm_is_passed_over() {
        let found = growth_rate(&[0.0, 1.0, 2.0], &[1.0, -5.0, 4.0]);
        assert_eq!(found.map(|found| (found.rate.value, found.readings)), Some((1.0, 2)));
        assert!(growth_rate(&[1.0, 1.0], &[2.0, 4.0]).is_none(), "one time has no rate");
        assert!(growth_rate(&[], &[]).is_none());
        assert!(growth_rate(&[f64::NAN, 1.0], &[2.0, 4.0]).is_none());
    }
}
