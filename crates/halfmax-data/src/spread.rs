//! Quantiles of a stream of values.

use halfmax_core::Seed;

/// The number of values to keep; of more values, a random sample that is the same every time.
const MOST: usize = 1 << 20;

/// The values needed for quantiles. Missing values are skipped.
#[derive(Default)]
pub(crate) struct Spread {
    kept: Vec<f64>,
    seen: u64,
}

impl Spread {
    /// Adds a value, with Vitter's reservoir sampling (1985, algorithm R) if there are too many values.
    pub fn add(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        self.seen += 1;
        if self.kept.len() < MOST {
            self.kept.push(value);
            return;
        }
        let place = Seed::new(1).derive(self.seen).value() % self.seen;
        if let Some(kept) = self.kept.get_mut(place as usize) {
            *kept = value;
        }
    }

    /// The value at a place among the sorted kept values. `place` receives their number. `None` without values.
    pub fn at(&mut self, place: impl FnOnce(usize) -> usize) -> Option<f64> {
        let count = self.kept.len();
        let at = place(count).min(count.checked_sub(1)?);
        Some(*self.kept.select_nth_unstable_by(at, f64::total_cmp).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_few_are_exact_and_of_many_near() {
        let mut few = Spread::default();
        [3.0, f64::NAN, 1.0, 2.0].into_iter().for_each(|value| few.add(value));
        assert_eq!((few.at(|count| count / 2), few.at(|count| count)), (Some(2.0), Some(3.0)));
        assert_eq!(Spread::default().at(|count| count / 2), None);
        let mut many = Spread::default();
        let all = 4 * MOST;
        (0..all).for_each(|at| many.add(at as f64 / all as f64));
        let found = many.at(|count| count * 9 / 10).unwrap();
        assert!((found - 0.9).abs() < 0.002, "{found}");
    }
}
