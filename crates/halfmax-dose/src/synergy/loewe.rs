//! Loewe additivity.

use crate::shape::LogLogistic;

/// The inhibition, in percent, that Loewe additivity predicts for two or more doses, all above 0 and each in the unit
/// of its curve: the `y` at which `d_1 / D_1(y) + d_2 / D_2(y) + … = 1` (Loewe 1953), where `D(y)` is the dose of the
/// drug alone with that effect. Found by bisection: the left side falls with `y`.
///
/// If a drug does not reach an effect at any dose, its term is 0, and the prediction ignores this drug. (The term tends
/// to 0 there, so the prediction has no jump.) A drug with a rising or flat curve contributes nothing. If all curves
/// are rising or flat, the prediction is the largest inhibition.
///
/// ```
/// use halfmax_dose::{LogLogistic, synergy::loewe_reference};
/// let drug = LogLogistic { top: 1.0, bottom: 0.0, ec50: 2.0, hill: 1.0 };
/// // A drug with itself is just more of it.
/// assert!((loewe_reference([&drug, &drug], [0.5, 1.5]) - 50.0).abs() < 1e-9);
/// assert!((loewe_reference([&drug, &drug, &drug], [0.5, 0.5, 1.0]) - 50.0).abs() < 1e-9);
/// ```
pub fn loewe_reference<const DRUGS: usize>(curves: [&LogLogistic; DRUGS], doses: [f64; DRUGS]) -> f64 {
    expected(curves.into_iter().zip(doses))
}

/// The same for any number of given drugs.
pub(crate) fn expected<'a>(given: impl Iterator<Item = (&'a LogLogistic, f64)> + Clone) -> f64 {
    let inhibiting = given.clone().filter(|(curve, _)| curve.bottom < curve.top);
    let alone = |(curve, dose): (&LogLogistic, f64)| 1.0 - curve.at(dose);
    let inhibition = match inhibiting.clone().count() {
        0 => given.map(alone).fold(f64::NEG_INFINITY, f64::max),
        1 => inhibiting.map(alone).fold(f64::NEG_INFINITY, f64::max),
        _ => solve(inhibiting),
    };
    100.0 * inhibition
}

/// The isobole equation of drugs that inhibit. Its left side falls from infinity, just above the highest baseline, to 0
/// at the highest maximum.
fn solve<'a>(given: impl Iterator<Item = (&'a LogLogistic, f64)> + Clone) -> f64 {
    let part = |curve: &LogLogistic, dose: f64, inhibition: f64| {
        let viability = 1.0 - inhibition;
        if viability <= curve.bottom {
            0.0
        } else {
            curve.dose_at(viability).map_or(f64::INFINITY, |alone| dose / alone)
        }
    };
    let highest = |level: fn(&LogLogistic) -> f64| {
        given.clone().map(|(curve, _)| 1.0 - level(curve)).fold(f64::NEG_INFINITY, f64::max)
    };
    let (mut low, mut high) = (highest(|curve| curve.top), highest(|curve| curve.bottom));
    // Forty halvings leave 1e-10 percentage points.
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        let sum: f64 = given.clone().map(|(curve, dose)| part(curve, dose, middle)).sum();
        if sum > 1.0 { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRONG: LogLogistic = LogLogistic { top: 1.0, bottom: 0.0, ec50: 1.0, hill: 1.5 };
    const WEAK: LogLogistic = LogLogistic { top: 1.0, bottom: 0.6, ec50: 0.2, hill: 1.0 };

    #[test]
    fn the_isobole_equation_holds() {
        let expected = loewe_reference([&STRONG, &WEAK], [0.1, 0.1]);
        let viability = 1.0 - expected / 100.0;
        let sum = 0.1 / STRONG.dose_at(viability).unwrap() + 0.1 / WEAK.dose_at(viability).unwrap();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    }

    #[test]
    fn beyond_the_maximum_of_one_drug_the_other_is_alone() {
        let found = loewe_reference([&STRONG, &WEAK], [5.0, 0.1]);
        assert!((found - 100.0 * (1.0 - STRONG.at(5.0))).abs() < 1e-9, "{found}");
    }

    #[test]
    fn the_expectation_has_no_jump_where_one_drug_drops_out() {
        let at = |dose: f64| loewe_reference([&STRONG, &WEAK], [dose, 0.3]);
        let doses: Vec<f64> = (0..4000).map(|step| 0.01 * 1.002_f64.powi(step)).collect();
        for pair in doses.windows(2) {
            let step = at(pair[1]) - at(pair[0]);
            assert!((-1e-9..0.5).contains(&step), "{pair:?}: {step}");
        }
    }

    #[test]
    fn drugs_that_do_not_inhibit_contribute_nothing() {
        let rising = LogLogistic { top: 0.9, bottom: 1.2, ec50: 1.0, hill: 1.0 };
        let alone = 100.0 * (1.0 - STRONG.at(0.7));
        assert!((loewe_reference([&STRONG, &rising], [0.7, 3.0]) - alone).abs() < 1e-12);
        assert!((loewe_reference([&rising, &STRONG], [3.0, 0.7]) - alone).abs() < 1e-12);
        let both = loewe_reference([&rising, &rising], [1.0, 9.0]);
        assert!((both - 100.0 * (1.0 - rising.at(1.0))).abs() < 1e-12);
    }
}
