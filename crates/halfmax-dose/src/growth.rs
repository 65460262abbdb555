//! Growth-rate inhibition: responses that do not depend on the number of divisions of the control.

use serde::{Deserialize, Serialize};

use crate::curve::Position;
use crate::describe::Reader;
use crate::distributions::Quantiles;
use crate::effects::{Effect, EffectDose};
use crate::estimate::Estimate;
use crate::growth_curve::{DEAD, GrowthTheta};
use crate::kept::Kept;
use crate::learnt::Learnt;
use crate::least_squares::{Limits, Pull, descend};
use crate::model::Target;
use crate::robust::Sorted;
use crate::starts::fit;

/// Growth-rate metrics of one curve (Hafner et al. 2016, *Nature Methods* 13, 521). NaN if unknown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GrowthMetrics {
    /// The dose in µM at which the fitted GR curve is 0.5; its standard error is in decades. Only within the tested doses.
    pub gr50: Estimate,
    /// GRmax: the mean GR value measured at the highest dose, −1 (all dead) through 0 (cytostatic) to 1 (no effect), as the paper defines it.
    pub gr_max: f64,
    /// GRmax as the authors' R package GRmetrics computes it: the lower of the mean GR values at the two highest doses.
    pub gr_max_lowest_of_two: f64,
    /// The plateau of the fitted GR curve at high doses, GR∞. The curve is fitted on the viability scale.
    pub gr_infinity: f64,
    /// The area over the GR values, `∫ (1 − GR) d log dose` by trapezoids through the means at each dose, divided by the width
    /// of the tested range of log doses: 0 without effect.
    pub gr_aoc: f64,
}

impl GrowthMetrics {
    /// Unknown metrics.
    pub const NONE: Self = Self {
        gr50: Estimate::NONE,
        gr_max: f64::NAN,
        gr_max_lowest_of_two: f64::NAN,
        gr_infinity: f64::NAN,
        gr_aoc: f64::NAN,
    };
}

/// The GR value of a relative viability if the control divided `divisions` times (Hafner et al. 2016, equation 1):
/// `2^(log2(x / x0) / log2(x_control / x0)) − 1`. A viability of 0 or less has the value −1.
///
/// ```
/// use halfmax_dose::growth_rate_value;
/// assert_eq!(growth_rate_value(1.0, 2.0), 1.0);
/// assert_eq!(growth_rate_value(0.25, 2.0), 0.0); // as many cells as at the start
/// assert_eq!(growth_rate_value(0.0, 2.0), -1.0);
/// ```
pub fn growth_rate_value(viability: f64, divisions: f64) -> f64 {
    if viability <= 0.0 {
        return -1.0;
    }
    ((viability.log2() + divisions) / divisions).exp2() - 1.0
}

/// The viability at this GR value if the control divided `divisions` times: the inverse of [`growth_rate_value`].
fn viability_of(rate: f64, divisions: f64) -> f64 {
    ((rate - DEAD) / (1.0 - DEAD)).powf(divisions)
}

/// The data for a curve of growth rates.
pub(crate) struct Grown<'a> {
    /// The kept readings, and the same readings as the viability curve uses them.
    pub used: &'a Sorted,
    pub kept: &'a Kept,
    /// The error of readings, learnt from the other curves.
    pub learnt: &'a Learnt,
    /// The number of divisions of the control.
    pub divisions: f64,
}

/// The metrics. The GR curve has its top at 1 (Hafner et al. 2016), and is fitted on the viability scale. It is a
/// constant if the F test at 5 % does not find the curve better. Also fills in the doses of effects on growth rates.
pub(crate) fn growth_metrics(
    grown: &Grown,
    quantiles: &Quantiles,
    effects: &mut [EffectDose],
) -> GrowthMetrics {
    let Grown { used, kept, learnt, divisions } = *grown;
    let readings = used.place.iter().zip(&used.values);
    let rates: Vec<(f64, f64)> = readings
        .map(|(place, viability)| (used.ln_doses[*place as usize], growth_rate_value(*viability, divisions)))
        .collect();
    let mean = rates.iter().map(|(_, rate)| rate).sum::<f64>() / rates.len() as f64;
    let levels = Sorted::new(rates).levels(|_| 1.0);
    let [Some(first), Some(last)] = [levels.first(), levels.last()] else { return GrowthMetrics::NONE };
    let width = last.ln_dose - first.ln_dose;
    let trapezoids = levels
        .windows(2)
        .map(|pair| (pair[1].ln_dose - pair[0].ln_dose) * (1.0 - (pair[0].mean + pair[1].mean) / 2.0));
    let mut metrics = GrowthMetrics {
        gr_max: last.mean,
        gr_max_lowest_of_two: levels
            .iter()
            .rev()
            .take(2)
            .map(|level| level.mean)
            .fold(f64::INFINITY, f64::min),
        gr_aoc: trapezoids.sum::<f64>() / width,
        ..GrowthMetrics::NONE
    };
    let beyond = 2.0 * std::f64::consts::LN_10;
    let ranges = [
        [1.0, 1.0],
        [DEAD, 1.0],
        [first.ln_dose - beyond, last.ln_dose + beyond],
        [0.1_f64.ln(), 5.0_f64.ln()],
    ];
    let start = fit(&levels, &Limits::new(ranges)).theta;
    let [top, bottom, ln_ec50, ln_hill] = ranges;
    let known = |value: f64| [value, value];
    let limits = Limits {
        ranges: [top, bottom, ln_ec50, ln_hill, known(divisions), known(DEAD)],
        pull: Pull::of_batches(kept.batches),
    };
    let start: GrowthTheta = [start[0], start[1], start[2], start[3], divisions, DEAD];
    let curve = kept.candidate(limits, &descend(&kept.levels, &limits, &start), learnt);
    let p = kept.p_against_mean(&curve);
    if p.is_nan() || p >= 0.05 {
        metrics.gr_infinity = mean;
        return metrics;
    }
    metrics.gr_infinity = curve.theta[1];
    let reader = Reader::new(kept, &curve, [first.ln_dose, last.ln_dose], quantiles);
    let dose = |rate: f64| reader.dose(Target::Viability(viability_of(rate, divisions)));
    if let Some((gr50, Position::Within)) = dose(0.5) {
        metrics.gr50 = gr50;
    }
    for own in effects {
        if let Effect::GrowthRate(percent) = own.effect {
            (own.dose, own.position) = dose(1.0 - percent / 100.0).unwrap_or((own.dose, own.position));
        }
    }
    metrics
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics_of(readings: Vec<(f64, f64)>, divisions: f64) -> GrowthMetrics {
        let used = &Sorted::new(readings);
        let (kept, learnt) = (&Kept::new(used), &Learnt::default());
        growth_metrics(&Grown { used, kept, learnt, divisions }, &Quantiles::of(0.95), &mut [])
    }

    #[test]
    fn a_curve_that_rises_at_the_last_dose_is_lowest_before_it() {
        let readings = [1.0, 0.8, 0.3, 0.5].into_iter().zip(0..).map(|(value, at)| (f64::from(at), value));
        let metrics = metrics_of(readings.collect(), 1.0);
        // With one division, a rate of 1 doubles the number of cells and a rate of 0 keeps it.
        let gr = |viability: f64| 2.0 * viability - 1.0;
        assert!((metrics.gr_max - gr(0.5)).abs() < 1e-12, "{metrics:?}");
        assert!((metrics.gr_max_lowest_of_two - gr(0.3)).abs() < 1e-12, "{metrics:?}");
    }

    /// A cytostatic drug: the GR curve falls from 1 to 0, with EC50 = 1 and a slope of 1.
    #[test]
    fn known_gr_curve_is_found_whatever_the_divisions() {
        for divisions in [0.8, 1.5, 4.0] {
            let doses: Vec<f64> = (0..10).map(|at| 0.01 * 3.0_f64.powi(at)).collect();
            let viability = |dose: &f64| {
                let gr = 1.0 / (1.0 + dose);
                ((gr + 1.0).log2() * divisions - divisions).exp2()
            };
            let readings = doses.iter().map(|dose| (dose.ln(), viability(dose))).collect();
            let metrics = metrics_of(readings, divisions);
            assert!((metrics.gr50.value - 1.0).abs() < 1e-3, "{metrics:?}");
            assert!(metrics.gr_infinity.abs() < 1e-3, "{metrics:?}");
            assert!((metrics.gr_max - 1.0 / (1.0 + doses[9])).abs() < 1e-9, "{metrics:?}");
            assert!(
                (metrics.gr_max_lowest_of_two - metrics.gr_max).abs() < 1e-12,
                "it falls to the last dose"
            );
        }
    }
}
