//! Finds readings of one file that are on different scales, by comparing each curve, plate and block with the others.

use crate::note::Names;

/// The readings of a curve, plate or block.
pub(crate) struct Fellow {
    /// Its name in messages.
    pub name: String,
    /// Its doses and readings; a dose is any number that orders the readings.
    pub readings: Vec<(f64, f64)>,
}

/// Curves, plates or blocks of one file. There may be many, so their readings are fetched one at a time.
pub(crate) trait Fellows {
    /// The number of curves, plates or blocks.
    fn count(&self) -> usize;

    /// The name of an item in messages.
    fn name(&self, at: usize) -> String;

    /// Writes its doses and readings into an empty list.
    fn put_readings(&self, at: usize, into: &mut Vec<(f64, f64)>);
}

impl Fellows for [Fellow] {
    fn count(&self) -> usize {
        self.len()
    }

    fn name(&self, at: usize) -> String {
        self[at].name.clone()
    }

    fn put_readings(&self, at: usize, into: &mut Vec<(f64, f64)>) {
        into.extend_from_slice(&self[at].readings);
    }
}

/// The largest plausible fraction: twice the control.
pub(crate) const LARGEST_FRACTION: f64 = 2.0;
/// In a table with any drug effect, percentages exceed this value.
pub(crate) const SMALLEST_PERCENT: f64 = 10.0;
/// The largest plausible percentage of the control; raw signals are larger.
pub(crate) const LARGEST_PERCENT: f64 = 500.0;
/// The fewest readings that can show a scale.
const FEWEST: usize = 5;

/// The 90 % quantile of the absolute readings.
pub(crate) fn usual_size(readings: impl Iterator<Item = f64>) -> f64 {
    let mut sizes: Vec<f64> = readings.filter(|value| !value.is_nan()).map(f64::abs).collect();
    if sizes.is_empty() {
        return f64::NAN;
    }
    let at = place_of_usual_size(sizes.len());
    *sizes.select_nth_unstable_by(at, f64::total_cmp).1
}

/// The position of this quantile among `count` sorted sizes.
pub(crate) fn place_of_usual_size(count: usize) -> usize {
    count.saturating_sub(1) * 9 / 10
}

/// The scales of the curves, plates or blocks of a file, or of several parts of a file.
pub(crate) struct Scales {
    /// Whether the file's readings are percentages.
    percent: bool,
    has_percentages: bool,
    raw: Names,
    large: Names,
    /// Items that look like fractions among percentages.
    small: Names,
    /// Whether all readings are as small as fractions.
    all_small: bool,
}

impl Scales {
    pub fn of(fellows: &(impl Fellows + ?Sized), percent: bool) -> Self {
        let none = || Names::none(5);
        let mut found = Self {
            percent,
            has_percentages: false,
            raw: none(),
            large: none(),
            small: none(),
            all_small: true,
        };
        let mut readings = Vec::new();
        for at in 0..fellows.count() {
            readings.clear();
            fellows.put_readings(at, &mut readings);
            let size = usual_size(readings.iter().map(|reading| reading.1));
            if size > LARGEST_PERCENT {
                found.raw.add(fellows.name(at));
            }
            if size > SMALLEST_PERCENT {
                found.has_percentages = true;
                found.large.add(fellows.name(at));
            }
            if percent {
                let is_small = |(_, value): &(f64, f64)| value.is_nan() || value.abs() <= LARGEST_FRACTION;
                found.all_small &= readings.iter().all(is_small);
                if is_of_fractions(&readings) {
                    found.small.add(fellows.name(at));
                }
            }
        }
        found
    }

    /// Adds the findings of another part.
    pub fn join(&mut self, other: &Self) {
        self.has_percentages |= other.has_percentages;
        self.all_small &= other.all_small;
        self.raw.join(&other.raw);
        self.large.join(&other.large);
        self.small.join(&other.small);
    }

    /// Names the items on another scale than the rest of the file; `None` if all agree.
    pub fn odd(&self) -> Option<String> {
        let Self { raw, large, small, .. } = self;
        match self.percent {
            _ if !raw.is_empty() => Some(format!("raw signals in {raw}")),
            false if !large.is_empty() => Some(format!("percentages in {large}, fractions in the others")),
            true if self.has_percentages && !small.is_empty() => {
                Some(format!("fractions in {small}, percentages in the others"))
            }
            _ => None,
        }
    }

    /// Whether all readings are as small as fractions and follow the dose, so that percentages are implausible.
    pub fn look_like_fractions(&self) -> bool {
        self.percent && self.all_small && !self.small.is_empty()
    }
}

/// Whether readings among percentages look like fractions: they are small, but not noise, because they follow the dose.
fn is_of_fractions(readings: &[(f64, f64)]) -> bool {
    let mut known: Vec<(f64, f64)> =
        readings.iter().copied().filter(|(dose, value)| !dose.is_nan() && !value.is_nan()).collect();
    if known.len() < FEWEST || known.iter().any(|(_, value)| value.abs() > LARGEST_FRACTION) {
        return false;
    }
    known.sort_by(|a, b| a.0.total_cmp(&b.0));
    let values = || known.iter().map(|(_, value)| *value);
    let spread = values().fold(f64::NEG_INFINITY, f64::max) - values().fold(f64::INFINITY, f64::min);
    if spread < 0.3 {
        return false;
    }
    let place = |dose: f64| known.partition_point(|(other, _)| *other < dose) as f64;
    let n = known.len() as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| known.iter().map(of).sum::<f64>() / n;
    let (mean_place, mean_value) = (mean(&|one| place(one.0)), mean(&|one| one.1));
    let product = |of: &dyn Fn(&(f64, f64)) -> f64| known.iter().map(of).sum::<f64>();
    let both = product(&|one| (place(one.0) - mean_place) * (one.1 - mean_value));
    let places = product(&|one| (place(one.0) - mean_place).powi(2));
    let spreads = product(&|one| (one.1 - mean_value).powi(2));
    let correlation = both / (places * spreads).sqrt();
    correlation.abs() * n.sqrt() >= 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fellow(name: &str, readings: &[f64]) -> Fellow {
        let readings = readings.iter().enumerate().map(|(at, value)| (at as f64, *value)).collect();
        Fellow { name: name.into(), readings }
    }

    #[test]
    fn a_curve_of_another_scale_is_named() {
        let percent = fellow("plate 1", &[99.0, 95.0, 80.0, 50.0, 20.0, 5.0]);
        let fractions = fellow("plate 2", &[0.99, 0.95, 0.8, 0.5, 0.2, 0.05]);
        let dead = fellow("dead", &[0.7, 1.1, 0.3, 0.9, 0.5, 0.8]);
        let inert = fellow("inert", &[1.0, -1.2, 0.4, -0.3, 1.4, 0.1]);
        let raw = fellow("raw", &[40_000.0, 38_000.0, 30_000.0, 9_000.0, 900.0]);
        let same = |fellows: &[Fellow], percent: bool| Scales::of(fellows, percent).odd();
        let found = same(&[percent, fractions], true).unwrap();
        assert!(found.starts_with("fractions in plate 2"), "{found}");
        let percent = fellow("plate 1", &[99.0, 95.0, 80.0, 50.0, 20.0, 5.0]);
        let fractions = fellow("plate 2", &[0.99, 0.95, 0.8, 0.5, 0.2, 0.05]);
        assert!(same(&[fractions, percent], false).unwrap().starts_with("percentages in plate 1"));
        let percent = fellow("plate 1", &[99.0, 95.0, 80.0, 50.0, 20.0, 5.0]);
        assert_eq!(same(&[percent, dead, inert], true), None);
        let fractions = |fellow: Fellow| Scales::of([fellow].as_slice(), true).look_like_fractions();
        assert!(fractions(fellow("x", &[0.99, 0.95, 0.8, 0.5, 0.2, 0.05])));
        assert!(!fractions(fellow("dead", &[0.7, 1.1, 0.3, 0.9, 0.5, 0.8])));
        assert!(same(&[raw], true).unwrap().contains("raw signals in raw"));
    }
}
