//! Tests whether readings fall at all, for cases in which the F test of a curve against a constant has no power.

use crate::fitter::USUAL_ERROR;
use crate::kept::{Candidate, Kept};
use crate::least_squares::Level;

/// Whether the F test of a curve against a constant has power. With fewer degrees of freedom it finds only nearly exact
/// curves.
pub(crate) fn has_power(candidate: &Candidate) -> bool {
    candidate.variance.1 >= 3.0
}

/// Whether the means of the doses differ by more than the usual error of readings.
pub(crate) fn varies(kept: &Kept) -> bool {
    let range = kept.doses.iter().map(|level| level.mean);
    let [low, high] =
        range.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], mean| [low.min(mean), high.max(mean)]);
    high - low > 4.0 * USUAL_ERROR
}

/// The probability that the means of the doses fall as much or more by chance, by the number of pairs that fall (Mann 1945; exact).
pub(crate) fn p_of_trend(levels: &[Level]) -> f64 {
    let n = levels.len();
    let rising = |at: usize| levels[at + 1..].iter().filter(|level| level.mean >= levels[at].mean).count();
    let inversions: usize = (0..n).map(rising).sum();
    // The number of orders of n values by their number of rising pairs.
    let mut orders = vec![1.0_f64];
    for more in 1..n {
        let mut next = vec![0.0; orders.len() + more];
        for (at, count) in orders.iter().enumerate() {
            next[at..=at + more].iter_mut().for_each(|sum| *sum += count);
        }
        orders = next;
    }
    orders.iter().take(inversions + 1).sum::<f64>() / orders.iter().sum::<f64>()
}
