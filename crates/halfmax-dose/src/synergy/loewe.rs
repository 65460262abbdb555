use crate::shape::LogLogistic;

/// The inhibition, in percent, that Loewe additivity expects of two doses, both above 0 and each in the unit of its curve: the
/// `y` at which `dose_a / D_a(y) + dose_b / D_b(y) = 1` (Loewe 1953), where `D(y)` is the dose of the drug alone with that
/// effect. Found by bisection: the left side falls with `y`.
///
/// Where only one drug reaches an effect at any dose, the term of the other is 0, so that the expected effect is what the
/// stronger drug does alone. (The term tends to 0 there, so that the expectation has no jump.) A drug whose curve rises, or is
/// level, contributes nothing; of two such drugs the larger inhibition is expected.
///
/// ```
/// use halfmax_dose::{LogLogistic, synergy::loewe_reference};
/// let drug = LogLogistic { top: 1.0, bottom: 0.0, ec50: 2.0, hill: 1.0 };
/// // A drug with itself is just more of it.
/// assert!((loewe_reference([&drug, &drug], [0.5, 1.5]) - 50.0).abs() < 1e-9);
/// ```
pub fn loewe_reference(curves: [&LogLogistic; 2], doses: [f64; 2]) -> f64 {
    let alone = [0, 1].map(|drug| 1.0 - curves[drug].at(doses[drug]));
    let inhibition = match curves.map(|curve| curve.bottom < curve.top) {
        [true, true] => solve(curves, doses),
        [true, false] => alone[0],
        [false, true] => alone[1],
        [false, false] => alone[0].max(alone[1]),
    };
    100.0 * inhibition
}

/// The isobole equation for two drugs that inhibit. Above the higher of their baselines its left side falls from infinity, and
/// it is 0 at the higher of their maxima.
fn solve(curves: [&LogLogistic; 2], doses: [f64; 2]) -> f64 {
    let part = |curve: &LogLogistic, dose: f64, inhibition: f64| {
        let viability = 1.0 - inhibition;
        if viability <= curve.bottom {
            0.0
        } else {
            curve.dose_at(viability).map_or(f64::INFINITY, |alone| dose / alone)
        }
    };
    let too_little =
        |inhibition: f64| part(curves[0], doses[0], inhibition) + part(curves[1], doses[1], inhibition) > 1.0;
    let mut low = (1.0 - curves[0].top).max(1.0 - curves[1].top);
    let mut high = (1.0 - curves[0].bottom).max(1.0 - curves[1].bottom);
    // Forty halvings leave 1e-10 percentage points.
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        if too_little(middle) { low = middle } else { high = middle }
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
