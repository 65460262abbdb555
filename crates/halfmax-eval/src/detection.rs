//! The squared error, and how well positive responses are detected.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::metric::{Intervals, METRICS, MetricGroup, Metrics};
use crate::metrics::Scored;

/// The usual additional metrics for predicted synergy: the squared error, and how well predictions separate combinations
/// above a threshold from the others. The metrics are those of [`MetricGroup::Detection`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Observed responses above this are positive, in the unit of the target; `None` without a threshold.
    pub threshold: Option<f64>,
    /// Number of positive responses.
    pub positives: Option<usize>,
    metrics: Metrics,
    intervals: Intervals,
}

impl Detection {
    pub(crate) fn new(scored: &Scored, threshold: Option<f64>, intervals: Intervals) -> Self {
        Self { threshold, positives: scored.positives(), metrics: scored.metrics(), intervals }
    }

    /// The value of a metric: "mse", "roc_auc" or "pr_auc". `None` if it is undefined or there is no threshold.
    pub fn get(&self, metric: &str) -> Option<f64> {
        self.metrics.get(metric)
    }

    /// The 95 % interval of a metric, by bootstrap over entities.
    pub fn interval(&self, metric: &str) -> Option<[f64; 2]> {
        self.intervals.get(metric)
    }
}

/// The metrics of the group, by name.
fn names() -> impl Iterator<Item = &'static str> {
    let detects = METRICS.into_iter().filter(|metric| metric.group() == MetricGroup::Detection);
    detects.map(|metric| metric.name())
}

impl Serialize for Detection {
    /// The threshold, the number of positive responses, every metric by its name, and `intervals` by name.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Named<'a>(&'a Intervals);

        impl Serialize for Named<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(names().map(|name| (name, self.0.get(name))))
            }
        }

        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("threshold", &self.threshold)?;
        map.serialize_entry("positives", &self.positives)?;
        for name in names() {
            map.serialize_entry(name, &self.metrics.get(name))?;
        }
        map.serialize_entry("intervals", &Named(&self.intervals))?;
        map.end()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Scored;

    fn detection(observed: &[f32], predicted: &[f32], threshold: Option<f64>) -> Detection {
        let side: Vec<u32> = (0..observed.len() as u32).collect();
        let scored = Scored::new(&side, &side, observed, predicted).unwrap();
        let scored = match threshold {
            Some(threshold) => scored.with_threshold(threshold),
            None => scored,
        };
        Detection::new(&scored, threshold, Intervals::default())
    }

    #[test]
    fn areas_are_those_of_a_small_example() {
        let found = detection(&[40.0, -3.0, 35.0, 2.0], &[9.0, 5.0, 3.0, 1.0], Some(30.0));
        assert_eq!((found.positives, found.get("roc_auc")), (Some(2), Some(0.75)));
        assert_eq!(found.get("pr_auc"), Some((1.0 + 2.0 / 3.0) / 2.0));
    }

    /// Against the definition: every positive with every negative.
    #[test]
    fn areas_are_what_they_are_defined_as() {
        let observed: Vec<f32> = (0..300u64).map(|at| (at * 7919 % 101) as f32 - 50.0).collect();
        let predicted: Vec<f32> = (0..300u64).map(|at| (at * 104_729 % 23) as f32).collect();
        let found = detection(&observed, &predicted, Some(20.0));
        let pairs = || observed.iter().zip(&predicted);
        let (mut won, mut count, mut precision) = (0.0, 0.0, 0.0);
        for (_, high) in pairs().filter(|(value, _)| **value > 20.0) {
            for (_, low) in pairs().filter(|(value, _)| **value <= 20.0) {
                count += 1.0;
                won += if high > low {
                    1.0
                } else if high == low {
                    0.5
                } else {
                    0.0
                };
            }
            let at_least: Vec<_> = pairs().filter(|(_, other)| *other >= high).collect();
            let positive = at_least.iter().filter(|(value, _)| **value > 20.0).count();
            precision += positive as f64 / at_least.len() as f64;
        }
        assert!((found.get("roc_auc").unwrap() - won / count).abs() < 1e-12);
        assert!((found.get("pr_auc").unwrap() - precision / found.positives.unwrap() as f64).abs() < 1e-12);
        let none = detection(&observed, &predicted, Some(1e9));
        assert_eq!((none.positives, none.get("roc_auc"), none.get("pr_auc")), (Some(0), None, None));
        let without = detection(&observed, &predicted, None);
        assert_eq!((without.positives, without.get("mse") > Some(0.0)), (None, true));
    }
}
