//! Readings of one file that are on different scales: each curve, plate and block is checked against its fellows.

use halfmax_core::listed;

/// The readings of a curve, plate or block.
pub(crate) struct Fellow {
    /// What it is, as a message names it.
    pub name: String,
    /// Its doses and readings; a dose is any number that orders the readings.
    pub readings: Vec<(f64, f64)>,
}

/// Curves, plates or blocks of one file. They may be many: their readings are asked for one after the other.
pub(crate) trait Fellows {
    /// How many there are.
    fn count(&self) -> usize;

    /// What one is, as a message names it.
    fn name(&self, at: usize) -> String;

    /// Puts its doses and readings into a list that is empty.
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

/// What a test says of each of them.
fn of_each<T>(fellows: &(impl Fellows + ?Sized), test: impl Fn(&[(f64, f64)]) -> T) -> Vec<T> {
    let mut readings = Vec::new();
    let one = |at: usize| {
        readings.clear();
        fellows.put_readings(at, &mut readings);
        test(&readings)
    };
    (0..fellows.count()).map(one).collect()
}

/// Fractions are hardly larger: twice the control.
pub(crate) const LARGEST_FRACTION: f64 = 2.0;
/// Percentages of a table whose drugs do anything are larger.
pub(crate) const SMALLEST_PERCENT: f64 = 10.0;
/// Percentages of the control are hardly larger: raw signals are.
pub(crate) const LARGEST_PERCENT: f64 = 500.0;
/// Fewer readings do not show a scale of their own.
const FEWEST: usize = 5;

/// The size below which nine tenths of the readings are.
pub(crate) fn usual_size(readings: impl Iterator<Item = f64>) -> f64 {
    let mut sizes: Vec<f64> = readings.filter(|value| !value.is_nan()).map(f64::abs).collect();
    if sizes.is_empty() {
        return f64::NAN;
    }
    let at = (sizes.len() - 1) * 9 / 10;
    *sizes.select_nth_unstable_by(at, f64::total_cmp).1
}

/// Names those whose readings are on another scale than the file's; none if all agree.
pub(crate) fn on_another_scale(fellows: &(impl Fellows + ?Sized), percent: bool) -> Option<String> {
    let sizes = of_each(fellows, |readings| usual_size(readings.iter().map(|reading| reading.1)));
    let has_percentages = sizes.iter().any(|size| *size > SMALLEST_PERCENT);
    let named = |is: &dyn Fn(usize) -> bool| -> Vec<String> {
        (0..fellows.count()).filter(|at| is(*at)).map(|at| fellows.name(at)).collect()
    };
    let raw = named(&|at| sizes[at] > LARGEST_PERCENT);
    if !raw.is_empty() {
        return Some(format!("raw signals in {}", listed(&raw, 5)));
    }
    if !percent {
        let large = named(&|at| sizes[at] > SMALLEST_PERCENT);
        return (!large.is_empty())
            .then(|| format!("percentages in {}, fractions in the others", listed(&large, 5)));
    }
    if !has_percentages {
        return None;
    }
    let of_fractions = of_each(fellows, is_of_fractions);
    let small = named(&|at| of_fractions[at]);
    (!small.is_empty()).then(|| format!("fractions in {}, percentages in the others", listed(&small, 5)))
}

/// Whether all readings are as small as fractions, and follow the dose, so that they can hardly be percentages.
pub(crate) fn look_like_fractions(fellows: &(impl Fellows + ?Sized)) -> bool {
    let small = |readings: &[(f64, f64)]| {
        readings.iter().all(|(_, value)| value.is_nan() || value.abs() <= LARGEST_FRACTION)
    };
    of_each(fellows, small).into_iter().all(|small| small)
        && of_each(fellows, is_of_fractions).contains(&true)
}

/// Whether readings between percentages look like fractions: small, but not noise, since they follow the dose.
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
        let same = |fellows: &[Fellow], percent: bool| on_another_scale(fellows, percent);
        let found = same(&[percent, fractions], true).unwrap();
        assert!(found.starts_with("fractions in plate 2"), "{found}");
        let percent = fellow("plate 1", &[99.0, 95.0, 80.0, 50.0, 20.0, 5.0]);
        let fractions = fellow("plate 2", &[0.99, 0.95, 0.8, 0.5, 0.2, 0.05]);
        assert!(same(&[fractions, percent], false).unwrap().starts_with("percentages in plate 1"));
        let percent = fellow("plate 1", &[99.0, 95.0, 80.0, 50.0, 20.0, 5.0]);
        assert_eq!(same(&[percent, dead, inert], true), None);
        let fractions = |fellow: Fellow| look_like_fractions([fellow].as_slice());
        assert!(fractions(fellow("x", &[0.99, 0.95, 0.8, 0.5, 0.2, 0.05])));
        assert!(!fractions(fellow("dead", &[0.7, 1.1, 0.3, 0.9, 0.5, 0.8])));
        assert!(same(&[raw], true).unwrap().contains("raw signals in raw"));
    }
}
