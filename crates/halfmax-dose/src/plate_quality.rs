//! The quality of a plate by its controls: Z′, SSMD, signal window, coefficient of variation, and position effects.

use crate::plate_effects::{PlateFormat, PositionEffects, position_effects};

/// The content of a well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WellUse {
    /// Cells without a drug, or with its vehicle alone: the high signal.
    NegativeControl,
    /// Cells with a treatment that kills them: the low signal.
    PositiveControl,
    /// No cells.
    Blank,
    /// Cells with a drug.
    Treated,
    /// Anything else: failed, unused, read at another time.
    Other,
}

impl WellUse {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::NegativeControl => "negative_control",
            Self::PositiveControl => "positive_control",
            Self::Blank => "blank",
            Self::Treated => "treated",
            Self::Other => "other",
        }
    }
}

/// One well of a plate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlateWell {
    /// The content.
    pub holds: WellUse,
    /// Its row and column, both from 1; `None` if unknown.
    pub place: Option<[u16; 2]>,
    /// Its signal, in the unit of the reader. Signals that are not finite are skipped.
    pub signal: f64,
}

/// Number, mean and spread of the signals of one kind of control. NaN with too few wells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ControlSummary {
    /// The number of wells with a signal.
    pub wells: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, for two or more wells.
    pub sd: f64,
    /// Their median.
    pub median: f64,
    /// 1.4826 times the median absolute deviation from the median, for two or more wells: the standard deviation if
    /// errors are normal.
    pub robust_sd: f64,
}

impl ControlSummary {
    fn of(signals: &mut [f64]) -> Self {
        let wells = signals.len();
        if wells == 0 {
            return Self { wells, mean: f64::NAN, sd: f64::NAN, median: f64::NAN, robust_sd: f64::NAN };
        }
        let mean = signals.iter().sum::<f64>() / wells as f64;
        let squares: f64 = signals.iter().map(|signal| (signal - mean).powi(2)).sum();
        let middle = median(signals);
        let mut away: Vec<f64> = signals.iter().map(|signal| (signal - middle).abs()).collect();
        let several = |spread: f64| if wells < 2 { f64::NAN } else { spread };
        Self {
            wells,
            mean,
            sd: several((squares / (wells as f64 - 1.0)).sqrt()),
            median: middle,
            robust_sd: several(1.4826 * median(&mut away)),
        }
    }
}

/// The median; NaN without values. Sorts the values.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), middle.checked_sub(1).and_then(|below| values.get(below))) {
        (Some(high), Some(low)) if values.len().is_multiple_of(2) => (low + high) / 2.0,
        (Some(high), _) => *high,
        (None, _) => f64::NAN,
    }
}

/// The limits for judging a plate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlateLimits {
    /// The lowest Z′ that passes. 0.4 by default, as in the Assay Guidance Manual (chapter "HTS Assay Validation").
    pub z_prime: f64,
    /// The highest coefficient of variation of the negative controls that passes. 0.2 by default, from the same source.
    pub control_cv: f64,
    /// The smallest effect of the edge, or from the first to the last row or column, that is flagged, as a fraction of
    /// the signal. 0.2 by default: the same source calls smaller effects immaterial.
    pub position: f64,
    /// The p value below which such an effect is flagged. 0.01 by default.
    pub position_p: f64,
}

impl Default for PlateLimits {
    fn default() -> Self {
        Self { z_prime: 0.4, control_cv: 0.2, position: 0.2, position_p: 0.01 }
    }
}

/// A warning to check before using the readings of a plate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlateFlag {
    /// The plate has no wells without a drug.
    NoControls,
    /// Fewer than four negative controls: their spread is poorly known.
    FewControls,
    /// The low controls (positive controls or blanks) are above the negative controls.
    ControlsCross,
    /// The positive controls lie below the blanks by more than three standard deviations of either.
    PositiveBelowBlank,
    /// Z′ is below the limit.
    LowZPrime,
    /// The coefficient of variation of the negative controls is above the limit.
    HighControlCv,
    /// Controls in the outer rows and columns differ from the inner controls.
    EdgeEffect,
    /// Controls rise or fall from the first row or column to the last.
    Drift,
}

impl PlateFlag {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoControls => "no_controls",
            Self::FewControls => "few_controls",
            Self::ControlsCross => "controls_cross",
            Self::PositiveBelowBlank => "positive_below_blank",
            Self::LowZPrime => "low_z_prime",
            Self::HighControlCv => "high_control_cv",
            Self::EdgeEffect => "edge_effect",
            Self::Drift => "drift",
        }
    }

    /// Whether the flag is a position effect.
    pub fn is_of_position(self) -> bool {
        matches!(self, Self::EdgeEffect | Self::Drift)
    }

    /// Whether a plate with this flag fails.
    pub fn fails(self) -> bool {
        matches!(self, Self::NoControls | Self::ControlsCross | Self::LowZPrime | Self::HighControlCv)
    }
}

/// The quality of one plate. A figure is NaN if the plate lacks the wells that it needs.
#[derive(Clone, Debug, PartialEq)]
pub struct PlateQuality {
    /// The negative controls.
    pub negative: ControlSummary,
    /// The positive controls.
    pub positive: ControlSummary,
    /// The blanks.
    pub blank: ControlSummary,
    /// The low controls of Z′, SSMD and the signal window: positive controls if there are at least two, else blanks if
    /// there are at least two.
    pub low: Option<WellUse>,
    /// The coefficient of variation of the negative controls, of their signal minus the mean blank.
    pub control_cv: f64,
    /// Z′ (Zhang, Chung & Oldenburg 1999): `1 − 3 (s_high + s_low) / |mean_high − mean_low|`.
    pub z_prime: f64,
    /// Z′ of medians and 1.4826 times the median absolute deviations.
    pub robust_z_prime: f64,
    /// The strictly standardised mean difference (Zhang 2007), `(mean_high − mean_low) / √(s_high² + s_low²)`: above 0
    /// if the negative controls are higher.
    pub ssmd: f64,
    /// SSMD of medians and 1.4826 times the median absolute deviations.
    pub robust_ssmd: f64,
    /// The signal window (Sittampalam et al. 1997): `(mean_high − mean_low − 3 (s_high + s_low)) / s_high`.
    pub signal_window: f64,
    /// The mean of the negative controls divided by the mean of the low controls.
    pub signal_to_background: f64,
    /// The position effects on the negative controls.
    pub effects: PositionEffects,
    /// Warnings about the plate.
    pub flags: Vec<PlateFlag>,
}

impl PlateQuality {
    /// Whether the plate passes: no flag fails it.
    pub fn passes(&self) -> bool {
        !self.flags.iter().any(|flag| flag.fails())
    }
}

/// With fewer negative controls than this, the plate gets a flag.
const FEW: usize = 4;

/// Judges the wells of one plate and cell line. Blanks of the plate without a cell line belong to each of its cell
/// lines.
///
/// ```
/// use halfmax_dose::{PlateLimits, PlateWell, WellUse, plate_quality};
/// let well = |holds, signal| PlateWell { holds, place: None, signal };
/// let high = [98.0, 100.0, 102.0, 100.0].map(|signal| well(WellUse::NegativeControl, signal));
/// let low = [9.0, 11.0].map(|signal| well(WellUse::PositiveControl, signal));
/// let quality = plate_quality(&[&high[..], &low].concat(), None, &PlateLimits::default());
/// // 1 − 3 (√(8/3) + √2) / 90
/// assert!((quality.z_prime - 0.89842).abs() < 1e-5);
/// assert!(quality.passes());
/// ```
pub fn plate_quality(wells: &[PlateWell], format: Option<PlateFormat>, limits: &PlateLimits) -> PlateQuality {
    let of = |holds: WellUse| {
        let own = wells.iter().filter(|well| well.holds == holds && well.signal.is_finite());
        ControlSummary::of(&mut own.map(|well| well.signal).collect::<Vec<f64>>())
    };
    let negative = of(WellUse::NegativeControl);
    let (positive, blank) = (of(WellUse::PositiveControl), of(WellUse::Blank));
    let (low, name) = match () {
        () if positive.wells >= 2 => (positive, Some(WellUse::PositiveControl)),
        () if blank.wells >= 2 => (blank, Some(WellUse::Blank)),
        () => (ControlSummary::of(&mut []), None),
    };
    let background = if blank.wells > 0 { blank.mean } else { 0.0 };
    let range = negative.mean - low.mean;
    let robust_range = negative.median - low.median;
    let mut quality = PlateQuality {
        negative,
        positive,
        blank,
        low: name,
        control_cv: negative.sd / (negative.mean - background),
        z_prime: 1.0 - 3.0 * (negative.sd + low.sd) / range.abs(),
        robust_z_prime: 1.0 - 3.0 * (negative.robust_sd + low.robust_sd) / robust_range.abs(),
        ssmd: range / negative.sd.hypot(low.sd),
        robust_ssmd: robust_range / negative.robust_sd.hypot(low.robust_sd),
        signal_window: (range - 3.0 * (negative.sd + low.sd)) / negative.sd,
        signal_to_background: negative.mean / low.mean,
        effects: position_effects(wells, background, format),
        flags: Vec::new(),
    };
    quality.flags = flags(&quality, limits);
    quality
}

fn flags(quality: &PlateQuality, limits: &PlateLimits) -> Vec<PlateFlag> {
    let PlateQuality { negative, positive, blank, effects, .. } = quality;
    let above = |low: &ControlSummary| low.wells > 0 && negative.wells > 0 && low.mean >= negative.mean;
    let spread = positive.sd.max(blank.sd);
    let material = |effect: &crate::plate_effects::PositionEffect| {
        effect.share().abs() >= limits.position && effect.p < limits.position_p
    };
    let mut flags = Vec::new();
    let mut add = |holds: bool, flag: PlateFlag| {
        if holds {
            flags.push(flag);
        }
    };
    add(negative.wells == 0, PlateFlag::NoControls);
    add((1..FEW).contains(&negative.wells), PlateFlag::FewControls);
    add(above(positive) || above(blank), PlateFlag::ControlsCross);
    add(blank.mean - positive.mean > 3.0 * spread, PlateFlag::PositiveBelowBlank);
    add(quality.z_prime < limits.z_prime, PlateFlag::LowZPrime);
    add(quality.control_cv > limits.control_cv, PlateFlag::HighControlCv);
    add(material(&effects.edge), PlateFlag::EdgeEffect);
    add(material(&effects.rows) || material(&effects.columns), PlateFlag::Drift);
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wells(holds: WellUse, signals: &[f64]) -> Vec<PlateWell> {
        signals.iter().map(|signal| PlateWell { holds, place: None, signal: *signal }).collect()
    }

    fn judged(high: &[f64], positive: &[f64], blank: &[f64]) -> PlateQuality {
        let all = [
            wells(WellUse::NegativeControl, high),
            wells(WellUse::PositiveControl, positive),
            wells(WellUse::Blank, blank),
        ];
        plate_quality(&all.concat(), None, &PlateLimits::default())
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found}, expected {expected}");
    }

    /// By hand: high 90, 100, 110 (mean 100, sd 10), low 8, 10, 12 (mean 10, sd 2), blank 0.
    #[test]
    fn figures_are_those_of_the_formulas() {
        let quality = judged(&[90.0, 100.0, 110.0], &[8.0, 10.0, 12.0], &[0.0, 0.0]);
        close(quality.z_prime, 1.0 - 36.0 / 90.0);
        close(quality.ssmd, 90.0 / 104.0_f64.sqrt());
        close(quality.signal_window, (90.0 - 36.0) / 10.0);
        close(quality.control_cv, 0.1);
        close(quality.signal_to_background, 10.0);
        close(quality.robust_z_prime, 1.0 - 3.0 * 1.4826 * 12.0 / 90.0);
        close(quality.robust_ssmd, 90.0 / (1.4826 * 104.0_f64.sqrt()));
        assert_eq!(quality.low, Some(WellUse::PositiveControl));
        assert_eq!(quality.flags, [PlateFlag::FewControls]);
        assert!(quality.passes());
    }

    #[test]
    fn blanks_are_the_low_end_where_there_is_no_positive_control() {
        let quality = judged(&[90.0, 100.0, 110.0, 100.0], &[], &[19.0, 21.0]);
        assert_eq!(quality.low, Some(WellUse::Blank));
        close(quality.control_cv, (200.0_f64 / 3.0).sqrt() / 80.0);
        let without = judged(&[90.0, 100.0, 110.0, 100.0], &[5.0], &[20.0]);
        assert_eq!((without.low, without.z_prime.is_nan()), (None, true));
        assert!(without.passes(), "what cannot be told does not fail a plate");
    }

    #[test]
    fn bad_plates_fail_and_say_why() {
        let flags = |high: &[f64], positive: &[f64], blank: &[f64]| judged(high, positive, blank).flags;
        let good = [99.0, 100.0, 101.0, 100.0];
        assert_eq!(flags(&good, &[9.0, 10.0], &[1.0, 2.0]), []);
        assert_eq!(flags(&good, &[190.0, 191.0], &[1.0, 2.0]), [PlateFlag::ControlsCross]);
        assert_eq!(flags(&good, &[1.0, 1.1], &[9.0, 9.1]), [PlateFlag::PositiveBelowBlank]);
        assert_eq!(flags(&[], &[9.0, 10.0], &[]), [PlateFlag::NoControls]);
        let wide = [60.0, 140.0, 100.0, 80.0, 120.0];
        assert_eq!(flags(&wide, &[9.0, 10.0], &[]), [PlateFlag::LowZPrime, PlateFlag::HighControlCv]);
        // A range of 0 fails the plate.
        assert!(!judged(&good, &good, &[]).passes());
    }

    #[test]
    fn a_signal_that_is_not_finite_is_passed_over() {
        let quality =
            judged(&[90.0, f64::NAN, 100.0, f64::INFINITY, 110.0, 100.0], &[8.0, 10.0, 12.0], &[0.0]);
        assert_eq!(quality.negative.wells, 4);
        assert!(quality.z_prime.is_finite());
    }
}
