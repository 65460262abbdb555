//! Which associations remain given the strongest: forward selection.

use rayon::prelude::*;

use crate::covariates::Covariates;
use crate::features::FeatureMatrix;
use crate::responses::ResponseMatrix;
use crate::scan::{TestState, Tests, design, scale, t_statistic};
use crate::significance::t_probability;

/// How associations are selected, one given the others.
#[derive(Clone, Copy, Debug)]
pub struct SelectionOptions {
    /// An association is significant if its p value, times the number of tested features of its kind, is at most this: the Bonferroni
    /// bound, for each drug and kind of features.
    pub level: f64,
    /// The largest number of findings of a partner.
    pub most: usize,
    /// Selection continues with associations that are not significant, so that a partner has `most` findings.
    pub fill: bool,
    /// The candidates: features whose p value without other features is at most this…
    pub candidates_below: f64,
    /// …and at most this many of each kind, the strongest.
    pub most_candidates: usize,
    /// A feature joins an earlier finding only if its correlation with the finding's lead, without covariates, is at least this in size.
    pub correlation: f64,
}

impl Default for SelectionOptions {
    fn default() -> Self {
        Self {
            level: 0.05,
            most: 20,
            fill: false,
            candidates_below: 0.01,
            most_candidates: 500,
            correlation: 0.5,
        }
    }
}

/// An association that remains given the findings before it, with the features that it explains.
#[derive(Clone, Debug, PartialEq)]
pub struct Selected {
    /// The feature with the strongest association given the findings before.
    pub lead: usize,
    /// Its coefficient given the findings before.
    pub effect: f64,
    /// The t statistic given the findings before.
    pub t: f64,
    /// Its two-sided probability.
    pub p: f64,
    /// The probability times the number of tested features of the kind, at most 1.
    pub adjusted_p: f64,
    /// Features that were significant before the lead was selected, and are not given the lead.
    pub members: Vec<SelectedMember>,
}

/// A feature whose association a finding explains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelectedMember {
    /// The feature.
    pub feature: usize,
    /// Its correlation with the lead, without covariates.
    pub correlation: f64,
}

/// Selects the associations of every partner, one given the others.
///
/// Each step takes the feature with the smallest p value, given the covariates and the features taken before; p values count times
/// the number of tested features of the same kind, so that 6,000 genes do not crowd out 300 events. It stops when the smallest is no
/// longer significant. The candidates are features with a small p value on their own, so an effect that only shows given another is
/// not found. A missing value counts as the mean of its stratum.
pub fn select(
    responses: &ResponseMatrix,
    features: &FeatureMatrix,
    covariates: &Covariates,
    tests: &Tests,
    options: &SelectionOptions,
) -> Vec<Vec<Selected>> {
    let terms = covariates.terms(features.cells());
    let cells: Vec<usize> = (0..features.cells()).collect();
    let one = |partner: usize| {
        let counts = tested_of_kind(features, tests, partner);
        let own: Vec<usize> = candidates(features, tests, partner, options);
        let design = design(responses, &terms, &cells, partner);
        let mut state = State {
            columns: own.iter().map(|row| column(features, *row, &design)).collect(),
            products: Vec::new(),
            squares: Vec::new(),
            whole: Vec::new(),
            rest: design.square,
            df: design.df() as f64,
            residuals: design.residuals.clone(),
            free: vec![true; own.len()],
            counts: own.iter().map(|row| counts(*row)).collect(),
        };
        state.products =
            state.columns.iter().map(|column| design.product(column, &state.residuals)).collect();
        state.squares = state.columns.iter().map(|column| design.norm(column)).collect();
        state.whole.clone_from(&state.squares);
        let originals = state.columns.clone();
        let mut found = Vec::new();
        while found.len() < options.most && state.df >= 1.0 {
            let before = state.probabilities();
            let best = (0..own.len())
                .filter(|at| before[*at].is_finite())
                .min_by(|a, b| before[*a].total_cmp(&before[*b]).then(a.cmp(b)));
            let Some(best) = best else { break };
            let significant = before[best] <= options.level;
            if !significant && !options.fill {
                break;
            }
            let (product, square) = (state.products[best], state.squares[best]);
            let t = t_statistic(product, square, state.rest, state.df);
            let p = t_probability(t, state.df);
            state.take(best, &design);
            let after = state.probabilities();
            let members = (0..own.len()).filter_map(|at| {
                let lost = state.free[at]
                    && before[at] <= options.level
                    && (after[at].is_nan() || after[at] > options.level);
                let correlation = || {
                    design.product(&originals[at], &originals[best])
                        / (state.whole[at] * state.whole[best]).sqrt()
                };
                let correlation = if lost && significant { correlation() } else { 0.0 };
                (correlation.abs() >= options.correlation)
                    .then_some((at, SelectedMember { feature: own[at], correlation }))
            });
            let members: Vec<(usize, SelectedMember)> = members.collect();
            members.iter().for_each(|(at, _)| state.free[*at] = false);
            let mut members: Vec<SelectedMember> = members.into_iter().map(|(_, member)| member).collect();
            members.sort_by(|a, b| b.correlation.abs().total_cmp(&a.correlation.abs()));
            found.push(Selected {
                lead: own[best],
                effect: product / square,
                t,
                p,
                adjusted_p: before[best].min(1.0),
                members,
            });
        }
        found
    };
    (0..responses.partners.len()).into_par_iter().map(one).collect()
}

/// The number of features of the same kind that were tested on a partner.
fn tested_of_kind<'a>(
    features: &'a FeatureMatrix,
    tests: &Tests,
    partner: usize,
) -> impl Fn(usize) -> f64 + 'a {
    let mut counts: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    for (row, feature) in features.features().iter().enumerate() {
        if tests.get(row, partner).state == TestState::Tested {
            *counts.entry(&feature.kind).or_default() += 1;
        }
    }
    move |row| counts.get(features.features()[row].kind.as_str()).copied().unwrap_or(1) as f64
}

fn candidates(
    features: &FeatureMatrix,
    tests: &Tests,
    partner: usize,
    options: &SelectionOptions,
) -> Vec<usize> {
    let mut own: Vec<usize> =
        (0..features.len()).filter(|row| tests.get(*row, partner).p <= options.candidates_below).collect();
    own.sort_by(|a, b| tests.get(*a, partner).p.total_cmp(&tests.get(*b, partner).p).then(a.cmp(b)));
    let mut taken: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    own.retain(|row| {
        let taken = taken.entry(&features.features()[*row].kind).or_default();
        *taken += 1;
        *taken <= options.most_candidates
    });
    own
}

/// The values of a feature in the rows of a design, without the covariates' part.
pub(crate) fn column(features: &FeatureMatrix, row: usize, design: &crate::design::Design) -> Vec<f64> {
    let values = features.values(row);
    let scale = scale(features, row);
    let mut own: Vec<f64> = design.rows.iter().map(|cell| f64::from(values[*cell]) * scale).collect();
    for (range, _) in design.strata.iter().zip(&design.sizes) {
        let part = &own[range.clone()];
        let known = part.iter().filter(|value| value.is_finite());
        let (count, sum) = known.fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
        let mean = if count > 0.0 { sum / count } else { 0.0 };
        for value in &mut own[range.clone()] {
            if !value.is_finite() {
                *value = mean;
            }
        }
    }
    design.project(&mut own);
    own
}

/// The candidates, without the parts that the covariates and the findings so far explain.
struct State {
    columns: Vec<Vec<f64>>,
    /// Products with the residuals.
    products: Vec<f64>,
    squares: Vec<f64>,
    /// The squares before any finding.
    whole: Vec<f64>,
    rest: f64,
    df: f64,
    residuals: Vec<f64>,
    free: Vec<bool>,
    counts: Vec<f64>,
}

impl State {
    /// The p value of each candidate times the number of features of its kind; NaN for those that are taken or determined.
    fn probabilities(&self) -> Vec<f64> {
        (0..self.columns.len())
            .map(|at| {
                if !self.free[at] || self.squares[at] <= self.whole[at] * 1e-8 {
                    return f64::NAN;
                }
                let t = t_statistic(self.products[at], self.squares[at], self.rest, self.df);
                t_probability(t, self.df) * self.counts[at]
            })
            .collect()
    }

    /// Takes a candidate as a covariate.
    fn take(&mut self, best: usize, design: &crate::design::Design) {
        let norm = self.squares[best].sqrt();
        let lead: Vec<f64> = self.columns[best].iter().map(|value| value / norm).collect();
        let own = design.product(&lead, &self.residuals);
        self.residuals.iter_mut().zip(&lead).for_each(|(value, lead)| *value -= own * lead);
        self.rest -= own * own;
        self.df -= 1.0;
        self.free[best] = false;
        for at in 0..self.columns.len() {
            if !self.free[at] {
                continue;
            }
            let along = design.product(&lead, &self.columns[at]);
            self.columns[at].iter_mut().zip(&lead).for_each(|(value, lead)| *value -= along * lead);
            self.squares[at] -= along * along;
            self.products[at] -= along * own;
        }
    }
}
