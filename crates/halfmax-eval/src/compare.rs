//! Whether one model is better than another beyond chance: paired differences, and ranks over folds.

use statrs::distribution::{ChiSquared, ContinuousCDF};

use crate::bootstrap::{Bootstrap, percentiles};
use crate::comparison::{Comparison, PairedDifference, Ranks};
use crate::metric::{METRICS, Metric, MetricGroup, R2WithinDrug, Rmse, position};
use crate::{ModelEvaluation, SplitKind};

/// Critical values of Nemenyi's test at the 5 % level for 2 to 20 models: the studentised range divided by √2.
const NEMENYI: [f64; 19] = [
    1.960, 2.344, 2.569, 2.728, 2.850, 2.948, 3.031, 3.102, 3.164, 3.219, 3.268, 3.313, 3.354, 3.391, 3.426,
    3.458, 3.489, 3.517, 3.544,
];

impl Comparison {
    pub(crate) fn new(kind: SplitKind, models: &[ModelEvaluation], drawn: &[Bootstrap]) -> Self {
        let main: &dyn Metric = if kind.leaves_drugs_out() { &Rmse } else { &R2WithinDrug };
        let detects = models.iter().any(|model| model.detection.is_some());
        let detection = METRICS.iter().filter(|metric| detects && metric.group() == MetricGroup::Detection);
        let mut pairs = Self::paired(main, models, drawn);
        detection.for_each(|metric| pairs.extend(Self::paired(*metric, models, drawn)));
        Self { pairs, ranks: Ranks::new(main, models) }
    }

    /// All pairs of models by a metric.
    fn paired(metric: &dyn Metric, models: &[ModelEvaluation], drawn: &[Bootstrap]) -> Vec<PairedDifference> {
        let (name, sign) = (metric.name(), metric.better().sign());
        let Some(at) = position(name) else { return Vec::new() };
        let mut pairs = Vec::new();
        for a in 0..models.len() {
            for b in a + 1..models.len() {
                let value = |model: &ModelEvaluation| model.metrics.values[at];
                let (Some(of_a), Some(of_b)) = (value(&models[a]), value(&models[b])) else { continue };
                let (first, second) = if sign * of_a >= sign * of_b { (a, b) } else { (b, a) };
                let entities = drawn[first].entities;
                let both = drawn[first].draws.iter().zip(&drawn[second].draws);
                let differences = both.filter_map(|(first, second)| Some(first[at]? - second[at]?)).collect();
                let names = [&models[first].name, &models[second].name];
                let difference = (of_a - of_b).abs() * sign;
                pairs.extend(PairedDifference::new(names, name, sign, difference, differences, entities));
            }
        }
        pairs
    }
}

impl PairedDifference {
    fn new(
        names: [&String; 2],
        metric: &'static str,
        sign: f64,
        difference: f64,
        mut drawn: Vec<f64>,
        entities: usize,
    ) -> Option<Self> {
        drawn.sort_by(f64::total_cmp);
        let interval = percentiles(&drawn, entities)?;
        let against = drawn.iter().filter(|one| sign * **one <= 0.0).count();
        let p = (2.0 * (against + 1) as f64 / (drawn.len() + 1) as f64).min(1.0);
        let [better, worse] = names.map(Clone::clone);
        Some(Self { better, worse, metric, difference, interval, p })
    }
}

impl Ranks {
    fn new(by: &dyn Metric, models: &[ModelEvaluation]) -> Option<Self> {
        let (metric, sign) = (by.name(), by.better().sign());
        let folds = models.first()?.folds.len();
        let count = models.len();
        if folds < 2 || count < 2 {
            return None;
        }
        let mut sums = vec![0.0; count];
        for fold in 0..folds {
            // An undefined metric ranks last.
            let score = |model: &ModelEvaluation| {
                model.folds[fold].metrics.get(metric).map_or(f64::NEG_INFINITY, |value| sign * value)
            };
            let scores: Vec<f64> = models.iter().map(score).collect();
            for (sum, score) in sums.iter_mut().zip(&scores) {
                let above = scores.iter().filter(|other| *other > score).count() as f64;
                let equal = scores.iter().filter(|other| *other == score).count() as f64;
                *sum += above + (equal + 1.0) / 2.0;
            }
        }
        let (n, k) = (folds as f64, count as f64);
        let squares: f64 = sums.iter().map(|sum| (sum / n) * (sum / n)).sum();
        let friedman = 12.0 * n / (k * (k + 1.0)) * (squares - k * (k + 1.0) * (k + 1.0) / 4.0);
        let named = models.iter().zip(&sums).map(|(model, sum)| (model.name.clone(), sum / n));
        let mut mean_ranks: Vec<(String, f64)> = named.collect();
        mean_ranks.sort_by(|a, b| a.1.total_cmp(&b.1));
        let critical = NEMENYI.get(count - 2).map(|q| q * (k * (k + 1.0) / (6.0 * n)).sqrt());
        let p = chi_squared_above(friedman.max(0.0), count - 1);
        Some(Self { metric, folds, mean_ranks, friedman, p, critical_difference: critical })
    }
}

/// The probability that a χ² with this many degrees of freedom is above `x`.
fn chi_squared_above(x: f64, degrees: usize) -> f64 {
    ChiSquared::new(degrees as f64).map_or(f64::NAN, |distribution| distribution.sf(x))
}

#[cfg(test)]
mod tests {
    use super::chi_squared_above;

    #[test]
    fn tail_probabilities_are_those_of_the_tables() {
        // The 5 % and 1 % points of χ².
        let points = [
            (1, 3.841, 6.635),
            (2, 5.991, 9.210),
            (3, 7.815, 11.345),
            (4, 9.488, 13.277),
            (7, 14.067, 18.475),
        ];
        for (degrees, five, one) in points {
            assert!((chi_squared_above(five, degrees) - 0.05).abs() < 1e-4, "{degrees}");
            assert!((chi_squared_above(one, degrees) - 0.01).abs() < 1e-4, "{degrees}");
            assert_eq!(chi_squared_above(0.0, degrees), 1.0);
        }
    }
}
