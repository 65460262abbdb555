//! Summaries of values, from which kinds are recognised.

/// A summary of the values of a table, to recognise their kind. Missing values do not count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ValueSummary {
    /// The number of zeros.
    pub zeros: usize,
    /// The number of other values.
    pub others: usize,
    /// The lowest value; infinity without values.
    pub lowest: f64,
    /// The highest value; negative infinity without values.
    pub highest: f64,
    /// Whether all values are whole numbers.
    pub whole: bool,
}

impl Default for ValueSummary {
    fn default() -> Self {
        Self { zeros: 0, others: 0, lowest: f64::INFINITY, highest: f64::NEG_INFINITY, whole: true }
    }
}

impl ValueSummary {
    /// Adds a value; NaN is a missing value.
    pub fn add(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        if value == 0.0 {
            self.zeros += 1;
        } else {
            self.others += 1;
        }
        self.lowest = self.lowest.min(value);
        self.highest = self.highest.max(value);
        self.whole &= value.fract() == 0.0;
    }

    /// Whether all values are whole numbers from `low` to `high`.
    pub fn is_whole_within(&self, low: f64, high: f64) -> bool {
        self.whole && self.lowest >= low && self.highest <= high
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CellKind, FEATURE_KINDS};

    #[test]
    fn the_last_kind_that_fits_is_that_of_the_values() {
        let kind_of = |values: &[f64]| {
            let mut summary = ValueSummary::default();
            values.iter().for_each(|value| summary.add(*value));
            FEATURE_KINDS.iter().rev().find(|kind| kind.fits(&summary)).map(|kind| kind.name())
        };
        for (values, expected) in [
            ([0.0, 1.0, f64::NAN, 1.0], CellKind::MUTATION),
            ([0.0, 0.0, 0.0, 2.0], CellKind::MUTATION),
            ([0.0, 1.0, 2.0, 2.0], CellKind::COPY_NUMBER),
            ([0.0, 0.0, 0.0, -1.0], CellKind::COPY_NUMBER),
            ([0.0, 0.0, 0.0, 9.0], CellKind::EXPRESSION),
            ([0.0, 0.0, 0.0, 0.5], CellKind::EXPRESSION),
            ([0.0, 1.0, 0.0, f64::INFINITY], CellKind::EXPRESSION),
            ([f64::NAN; 4], CellKind::MUTATION),
        ] {
            assert_eq!(kind_of(&values), Some(expected.name()), "{values:?}");
        }
    }
}
