use halfmax_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// What is usual to say of predicted synergy besides [`crate::Metrics`]: the squared error, and how well combinations above a
/// threshold are told from the others by their predictions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Mean squared error, in the squared unit of the target.
    pub mse: f64,
    /// Observed responses above this are positive, in the unit of the target; none where none was given.
    pub threshold: Option<f64>,
    /// Number of positive responses.
    pub positives: Option<usize>,
    /// The area under the receiver operating characteristic: the chance that a positive response has the higher prediction of
    /// it and a negative one, ties counting half. None without both.
    pub roc_auc: Option<f64>,
    /// The average precision: the mean, over the positive responses, of the share of positive ones among all that are predicted
    /// at least as high. A predictor that knows nothing has the share of positive responses.
    pub pr_auc: Option<f64>,
}

impl Detection {
    /// From one entry per test response.
    ///
    /// ```
    /// use halfmax_eval::Detection;
    /// let found = Detection::of(&[40.0, -3.0, 35.0, 2.0], &[9.0, 5.0, 3.0, 1.0], Some(30.0))?;
    /// assert_eq!((found.positives, found.roc_auc), (Some(2), Some(0.75)));
    /// assert_eq!(found.pr_auc, Some((1.0 + 2.0 / 3.0) / 2.0));
    /// # Ok::<(), halfmax_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the lists differ in length or are empty, or a value is not finite.
    pub fn of(observed: &[f32], predicted: &[f32], threshold: Option<f64>) -> Result<Self> {
        let finite = observed.iter().chain(predicted).all(|value| value.is_finite());
        if observed.len() != predicted.len() || observed.is_empty() || !finite {
            return Err(Error::failed(format!(
                "{} observed and {} predicted responses: expected as many finite ones, at least one",
                observed.len(),
                predicted.len()
            )));
        }
        let squares = observed.iter().zip(predicted).map(|(o, p)| (f64::from(*o) - f64::from(*p)).powi(2));
        let mse = squares.sum::<f64>() / observed.len() as f64;
        let Some(threshold) = threshold else {
            return Ok(Self { mse, threshold: None, positives: None, roc_auc: None, pr_auc: None });
        };
        let is_positive = |value: &f32| f64::from(*value) > threshold;
        let mut ranked: Vec<(f32, bool)> =
            predicted.iter().copied().zip(observed.iter().map(is_positive)).collect();
        ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let positives = ranked.iter().filter(|one| one.1).count();
        let negatives = ranked.len() - positives;
        let (mut above, mut all) = (0usize, 0usize);
        let (mut won, mut precision) = (0.0, 0.0);
        // Equal predictions come at once.
        for tied in ranked.chunk_by(|a, b| a.0 == b.0) {
            let own = tied.iter().filter(|one| one.1).count();
            let lost = (tied.len() - own) as f64;
            won += lost * (above as f64 + own as f64 / 2.0);
            above += own;
            all += tied.len();
            precision += own as f64 * above as f64 / all as f64;
        }
        Ok(Self {
            mse,
            threshold: Some(threshold),
            positives: Some(positives),
            roc_auc: (positives > 0 && negatives > 0).then(|| won / (positives as f64 * negatives as f64)),
            pr_auc: (positives > 0).then(|| precision / positives as f64),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Against the definition: every positive with every negative.
    #[test]
    fn areas_are_what_they_are_defined_as() {
        let observed: Vec<f32> = (0..300u64).map(|at| (at * 7919 % 101) as f32 - 50.0).collect();
        let predicted: Vec<f32> = (0..300u64).map(|at| (at * 104_729 % 23) as f32).collect();
        let found = Detection::of(&observed, &predicted, Some(20.0)).unwrap();
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
        assert!((found.roc_auc.unwrap() - won / count).abs() < 1e-12);
        assert!((found.pr_auc.unwrap() - precision / found.positives.unwrap() as f64).abs() < 1e-12);
        let none = Detection::of(&observed, &predicted, Some(1e9)).unwrap();
        assert_eq!((none.positives, none.roc_auc, none.pr_auc), (Some(0), None, None));
        assert!(Detection::of(&[], &[], None).is_err());
    }
}
