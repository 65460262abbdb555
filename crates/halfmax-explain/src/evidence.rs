//! The contribution of a set of features to predictions, compared with random sets like it.

use ndarray::Array2;

use crate::sets::FeatureSet;

/// The joint contribution of the features of a set to the predictions for one partner (drug).
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The mean over entities of |sum over features − its mean|, in the unit of the target: contributions that cancel
    /// each other do not count.
    pub attribution: f64,
    /// The rise of predictions per standard deviation of the set's features in the direction of the set, in the unit of
    /// the target. If higher responses mean resistance, a value above 0 means that the mechanism confers resistance.
    pub effect: f64,
    /// The same in the directions in which, according to the catalogue, responses to this partner rise; `None` if the
    /// catalogue gives no direction. Above 0, the model agrees with the catalogue.
    pub agreement: Option<f64>,
    /// The probability that a random set of similar features contributes at least as much; `None` if no such sets can
    /// be drawn.
    pub p: Option<f64>,
    /// The effect of each member of the set: the rise of predictions per standard deviation, in the unit of the target.
    pub effects: Vec<f64>,
}

/// The number of random sets with a larger contribution after which the test stops early (Besag & Clifford 1991,
/// Biometrika 78:301).
const ENOUGH: usize = 20;

impl Evidence {
    /// The evidence from contributions (features × entities), the standardised values of the features, and random sets
    /// like the set. `expected` is the catalogue's direction of each member: 1 if responses rise with its value, −1 if
    /// they fall, 0 if unknown.
    pub fn new(
        contributions: &Array2<f32>,
        standard: &Array2<f32>,
        set: &FeatureSet,
        expected: &[f32],
        random: Option<&[Vec<u32>]>,
    ) -> Self {
        let features = set.features();
        let mut sum = vec![0.0; contributions.ncols()];
        let attribution = spread(contributions, &features, &mut sum);
        let effects: Vec<f64> =
            features.iter().map(|feature| effect(contributions, standard, *feature)).collect();
        let total = |signs: &mut dyn Iterator<Item = f32>| {
            effects.iter().zip(signs).map(|(effect, sign)| effect * f64::from(sign)).sum::<f64>()
        };
        let known = expected.iter().any(|sign| *sign != 0.0);
        Self {
            attribution,
            effect: total(&mut set.members.iter().map(|member| member.orientation)),
            agreement: known.then(|| total(&mut expected.iter().copied())),
            p: random.map(|random| probability(contributions, attribution, random, &mut sum)),
            effects,
        }
    }
}

/// The probability that random sets contribute at least as much.
fn probability(contributions: &Array2<f32>, attribution: f64, random: &[Vec<u32>], sum: &mut [f32]) -> f64 {
    let mut more = 0;
    for (tried, set) in random.iter().enumerate() {
        if spread(contributions, set, sum) >= attribution {
            more += 1;
            if more == ENOUGH {
                return more as f64 / (tried + 1) as f64;
            }
        }
    }
    (more + 1) as f64 / (random.len() + 1) as f64
}

/// The mean over entities of |sum over features − its mean|.
fn spread(contributions: &Array2<f32>, features: &[u32], sum: &mut [f32]) -> f64 {
    sum.fill(0.0);
    for feature in features {
        let row = contributions.row(*feature as usize);
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    let count = sum.len().max(1) as f64;
    let mean = (sum.iter().map(|value| f64::from(*value)).sum::<f64>() / count) as f32;
    f64::from(sum.iter().map(|value| (value - mean).abs()).sum::<f32>()) / count
}

/// The slope of a feature's contributions on its standardised values; 0 if these do not vary.
pub(crate) fn effect(contributions: &Array2<f32>, standard: &Array2<f32>, feature: u32) -> f64 {
    let (own, values) = (contributions.row(feature as usize), standard.row(feature as usize));
    let square = f64::from(values.dot(&values));
    if square > 1e-9 { f64::from(own.dot(&values)) / square } else { 0.0 }
}
