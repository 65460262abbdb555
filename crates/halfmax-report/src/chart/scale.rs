//! Converts values to positions.

use crate::number::fixed;

/// A linear scale whose ends are multiples of its step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    step: f64,
}

impl Scale {
    /// A scale from exactly `low` to `high`, with a round step of about one `parts`th.
    pub(crate) fn exact(low: f64, high: f64, parts: usize) -> Self {
        let (low, high) = ordered(low, high);
        Self { low, high, step: round_step((high - low) / parts.max(1) as f64) }
    }

    /// A scale that covers all finite values and ends at round numbers.
    pub(crate) fn covering(values: impl IntoIterator<Item = f64>, parts: usize) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.into_iter().filter(|value| value.is_finite()) {
            low = low.min(value);
            high = high.max(value);
        }
        let (low, high) = ordered(low, high);
        let step = round_step((high - low) / parts.max(1) as f64);
        Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, step }
    }

    /// The position of a value between the ends, 0 to 1; values beyond are clamped.
    pub(crate) fn share(&self, value: f64) -> f64 {
        if value.is_nan() {
            return 0.0;
        }
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Whether a value lies between the ends.
    pub(crate) fn holds(&self, value: f64) -> bool {
        let slack = 1e-9 * (self.high - self.low);
        value >= self.low - slack && value <= self.high + slack
    }

    /// The multiples of the step between the ends.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        let first = (self.low / self.step - 1e-9).ceil();
        let count = ((self.high / self.step + 1e-9).floor() - first).clamp(-1.0, 50.0);
        (0..=count as i64).map(|index| (first + index as f64) * self.step).collect()
    }

    /// A tick's value with as many decimals as the step has.
    pub(crate) fn label(&self, tick: f64) -> String {
        let decimals = (-self.step.log10().floor()).clamp(0.0, 9.0) as usize;
        fixed(Some(tick), decimals).unwrap_or_default()
    }
}

/// Makes the ends finite, ordered and distinct. Beyond ±1e300, differences would not be finite.
fn ordered(low: f64, high: f64) -> (f64, f64) {
    if !low.is_finite() || !high.is_finite() {
        return (0.0, 1.0);
    }
    let (low, high) = (low.min(high).clamp(-1e300, 1e300), low.max(high).clamp(-1e300, 1e300));
    let room = (low.abs().max(high.abs()) * 1e-6).max(1e-9);
    if high - low > room {
        (low, high)
    } else {
        (low - low.abs().max(1.0) / 2.0, high + high.abs().max(1.0) / 2.0)
    }
}

/// The smallest 1, 2 or 5 times a power of ten that is at least `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= step * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale) -> Vec<String> {
        scale.ticks().into_iter().map(|tick| scale.label(tick)).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(Scale::covering([0.03, 0.97], 5)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(Scale::covering([-3.2, 6.1], 5)), ["−4", "−2", "0", "2", "4", "6", "8"]);
        assert_eq!(labels(Scale::exact(1.17, 1.42, 4)), ["1.2", "1.3", "1.4"]);
        assert_eq!(labels(Scale::covering([0.011, 0.049], 4)), ["0.01", "0.02", "0.03", "0.04", "0.05"]);
    }

    #[test]
    fn ends_are_0_and_1() {
        let scale = Scale::exact(-2.0, 6.0, 4);
        assert_eq!(scale.share(-2.0), 0.0);
        assert_eq!(scale.share(0.0), 0.25);
        assert_eq!(scale.share(99.0), 1.0);
        assert_eq!(scale.share(f64::NAN), 0.0);
    }

    #[test]
    fn degenerate_ranges_still_make_a_scale() {
        for (low, high) in
            [(0.0, 0.0), (5.0, 5.0), (f64::NAN, 1.0), (f64::MIN, f64::MAX), (1e-300, 2e-300), (3.0, 1.0)]
        {
            let scale = Scale::covering([low, high], 5);
            assert!((0.0..=1.0).contains(&scale.share(low)), "{low} {high} {scale:?}");
            assert!(scale.ticks().len() <= 51);
        }
        assert!((0.0..=1.0).contains(&Scale::covering([], 5).share(3.0)));
    }
}
