//! Statistics that are robust to a few wrong values.

use serde::Serialize;

/// Quantiles of some values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// The number of values.
    pub count: usize,
    /// The lowest.
    pub min: f64,
    /// 5 % lie below.
    pub q05: f64,
    /// 25 % lie below.
    pub q25: f64,
    /// The median.
    pub median: f64,
    /// 75 % lie below.
    pub q75: f64,
    /// 95 % lie below.
    pub q95: f64,
    /// The highest.
    pub max: f64,
}

impl Quantiles {
    /// The quantiles of the finite values; `None` without a value.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite());
        values.sort_unstable_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        let at = |share: f64| {
            let place = share * last as f64;
            let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
            low + (high - low) * place.fract()
        };
        Some(Self {
            count: values.len(),
            min: values[0],
            q05: at(0.05),
            q25: at(0.25),
            median: at(0.5),
            q75: at(0.75),
            q95: at(0.95),
            max: values[last],
        })
    }
}

/// The median, or NaN without a value. Reorders the values.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let middle = values.len() / 2;
    let is_even = values.len().is_multiple_of(2);
    let (below, at, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *at;
    if !is_even {
        return upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    lower + (upper - lower) / 2.0
}

/// The median absolute deviation from the median; NaN without a value.
pub(crate) fn mad(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    let middle = median(&mut sorted);
    sorted.iter_mut().for_each(|value| *value = (*value - middle).abs());
    median(&mut sorted)
}

/// The Pearson correlation; `None` with fewer than three pairs, or if one side is constant.
pub(crate) fn pearson(pairs: &[(f64, f64)]) -> Option<f64> {
    let n = pairs.len() as f64;
    if pairs.len() < 3 {
        return None;
    }
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n;
    let (a, b) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (first, second) in pairs {
        let (first, second) = (first - a, second - b);
        aa += first * first;
        bb += second * second;
        ab += first * second;
    }
    let product = (aa * bb).sqrt();
    (product > 0.0).then(|| (ab / product).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&mut []).is_nan());
        assert_eq!(mad(&[1.0, 2.0, 3.0, 4.0, 1000.0]), 1.0);
    }

    #[test]
    fn quantiles_lie_between_values() {
        let found = Quantiles::of((0..=100).map(f64::from).chain([f64::NAN]).collect()).unwrap();
        assert_eq!(
            (found.count, found.min, found.q05, found.median, found.max),
            (101, 0.0, 5.0, 50.0, 100.0)
        );
        assert_eq!(Quantiles::of(vec![f64::NAN]), None);
    }

    #[test]
    fn correlations_of_constants_are_none() {
        let close = |found: Option<f64>| (found.unwrap() - 1.0).abs() < 1e-12;
        assert!(close(pearson(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)])));
        assert_eq!(pearson(&[(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)]), None);
    }
}
