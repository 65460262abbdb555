//! Which associations remain given the strongest: forward selection.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::covariates::{Covariates, Terms};
use crate::design::Design;
use crate::features::{FeatureMatrix, Form};
use crate::responses::ResponseMatrix;
use crate::scan::{TestState, Tests, by_covariates, design, scale, t_statistic};
use crate::significance::t_probability;

/// How associations are selected, one given the others.
#[derive(Clone, Copy, Debug)]
pub struct SelectionOptions {
    /// An association is significant if its p value, times the number of tested features of its kind and the number of kinds, is at most
    /// this: the Bonferroni bound for a drug, with the same share for each kind.
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
    /// The same for a candidate that is not significant on its own, such as a gene of an amplicon.
    pub fellow: f64,
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
            fellow: 0.7,
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
    /// The probability times the number of tested features of the kind and the number of kinds, at most 1.
    pub adjusted_p: f64,
    /// Whether `adjusted_p` is at most the level of the selection.
    pub is_significant: bool,
    /// Candidates that the lead explains: those that were significant before it was selected and are not given it, and others that correlate
    /// strongly with it.
    pub members: Vec<SelectedMember>,
}

/// A feature whose association a finding explains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelectedMember {
    /// The feature.
    pub feature: usize,
    /// Its correlation with the lead, without covariates. For levels of one category: 1 if their effects have the same sign, else −1.
    pub correlation: f64,
}

/// Selects the associations of every partner, one given the others.
///
/// Each step takes the feature with the smallest p value, given the covariates and the features taken before; p values count times
/// the number of tested features of the same kind and the number of kinds, so that 6,000 genes do not crowd out 300 events. It stops when the smallest is no
/// longer significant. The candidates are features with a small p value on their own, so an effect that only shows given another is
/// not found. A missing value counts as the mean of its stratum.
///
/// The levels of a category that is a covariate (tissue) are selected on their own, given the other covariates, and are one finding. Its
/// members are the other significant levels, and features that mark the strongest level. It stands among the others by its p value.
pub fn select(
    responses: &ResponseMatrix,
    features: &FeatureMatrix,
    covariates: &Covariates,
    tests: &Tests,
    options: &SelectionOptions,
) -> Vec<Vec<Selected>> {
    let groups: Vec<Group> = by_covariates(features, covariates)
        .into_iter()
        .map(|(own, rest)| {
            let mut rows = vec![false; features.len()];
            own.iter().for_each(|row| rows[*row] = true);
            let is_covariate = rest.names().len() < covariates.names().len();
            let of_levels =
                is_covariate && own.iter().all(|row| features.features()[*row].form == Form::Level);
            Group { rows, of_levels, terms: rest.terms(features.cells()) }
        })
        .collect();
    let cells: Vec<usize> = (0..features.cells()).collect();
    let alike = alike(features, &groups, options.correlation);
    let one = |partner: usize| {
        let counts = tested_of_kind(features, tests, partner);
        let all = candidates(features, tests, partner, options);
        let lists = groups.iter().map(|group| {
            let own: Vec<usize> = all.iter().copied().filter(|row| group.rows[*row]).collect();
            let design = design(responses, &group.terms, &cells, partner);
            let mut found = forward(&design, features, &own, &counts, options);
            if group.of_levels {
                found = one_of_levels(found);
                if let Some(first) = found.first_mut().filter(|first| first.is_significant) {
                    let others = alike.get(&first.lead).map(Vec::as_slice).unwrap_or_default();
                    first.members.extend(markers(&design, features, first.lead, others, &counts, options));
                }
            }
            found
        });
        merged(lists.collect(), options.most)
    };
    (0..responses.partners.len()).into_par_iter().map(one).collect()
}

/// Features that are tested with the same covariates.
struct Group {
    /// Whether each feature belongs to it.
    rows: Vec<bool>,
    /// Whether its features are the levels of a covariate.
    of_levels: bool,
    terms: Terms,
}

/// Levels of one category are one finding: the strongest with the other significant levels as members.
fn one_of_levels(found: Vec<Selected>) -> Vec<Selected> {
    let mut found = found.into_iter();
    let Some(mut first) = found.next() else { return Vec::new() };
    first.members = found
        .filter(|other| other.is_significant)
        .map(|other| SelectedMember {
            feature: other.lead,
            correlation: (other.effect * first.effect).signum(),
        })
        .collect();
    vec![first]
}

/// For each level of a covariate, the features that may correlate with it in some of the cell lines: those that nearly do in all.
fn alike(features: &FeatureMatrix, groups: &[Group], correlation: f64) -> HashMap<usize, Vec<usize>> {
    let mut pairs: Vec<(usize, &[bool])> = Vec::new();
    for Group { rows, .. } in groups.iter().filter(|group| group.of_levels) {
        pairs.extend((0..features.len()).filter(|row| rows[*row]).map(|row| (row, rows.as_slice())));
    }
    pairs
        .into_par_iter()
        .map(|(level, group)| {
            let near = |row: &usize| features.correlation(level, *row).abs() >= 0.7 * correlation;
            (level, (0..features.len()).filter(|row| !group[*row]).filter(near).collect())
        })
        .collect()
}

/// Features that mark a level: they correlate with it, and are significant as long as it is not among the covariates.
fn markers(
    design: &Design,
    features: &FeatureMatrix,
    level: usize,
    others: &[usize],
    counts: &dyn Fn(usize) -> f64,
    options: &SelectionOptions,
) -> Vec<SelectedMember> {
    let lead = column(features, level, design);
    let whole = design.norm(&lead);
    let df = design.df() as f64;
    let mut found: Vec<SelectedMember> = others
        .iter()
        .filter_map(|feature| {
            let feature = *feature;
            let own = column(features, feature, design);
            let square = design.norm(&own);
            let correlation = design.product(&own, &lead) / (square * whole).sqrt();
            if square <= 0.0 || correlation.abs() < options.correlation {
                return None;
            }
            let t = t_statistic(design.product(&own, &design.residuals), square, design.square, df);
            (t_probability(t, df) * counts(feature) <= options.level)
                .then_some(SelectedMember { feature, correlation })
        })
        .collect();
    found.sort_by(|a, b| b.correlation.abs().total_cmp(&a.correlation.abs()));
    found
}

/// Joins lists of findings: the next is always the one with the smallest p value among the heads of the lists.
fn merged(lists: Vec<Vec<Selected>>, most: usize) -> Vec<Selected> {
    let mut lists: Vec<_> = lists.into_iter().map(|list| list.into_iter().peekable()).collect();
    let mut found = Vec::new();
    while found.len() < most {
        let heads = lists.iter_mut().enumerate().filter_map(|(at, list)| {
            let head = list.peek()?;
            Some((at, (head.adjusted_p, -head.t.abs())))
        });
        let first = heads.min_by(|a, b| a.1.0.total_cmp(&b.1.0).then(a.1.1.total_cmp(&b.1.1)));
        let Some(next) = first.and_then(|(at, _)| lists[at].next()) else { break };
        found.push(next);
    }
    found
}

/// Selects among the candidates of one partner.
fn forward(
    design: &Design,
    features: &FeatureMatrix,
    own: &[usize],
    counts: &dyn Fn(usize) -> f64,
    options: &SelectionOptions,
) -> Vec<Selected> {
    let columns: Vec<Vec<f64>> = own.iter().map(|row| column(features, *row, design)).collect();
    let squares: Vec<f64> = columns.iter().map(|column| design.norm(column)).collect();
    let mut state = State {
        products: columns.iter().map(|column| design.product(column, &design.residuals)).collect(),
        whole: squares.clone(),
        squares,
        rest: design.square,
        df: design.df() as f64,
        residuals: design.residuals.clone(),
        free: vec![true; own.len()],
        counts: own.iter().map(|row| counts(*row)).collect(),
        columns: columns.clone(),
    };
    let mut found = Vec::new();
    while found.len() < options.most && state.df >= 1.0 && !design.is_explained() {
        let before = state.probabilities();
        let best = (0..own.len())
            .filter(|at| before[*at].is_finite())
            .min_by(|a, b| before[*a].total_cmp(&before[*b]).then(a.cmp(b)));
        let Some(best) = best else { break };
        let is_significant = before[best] <= options.level;
        if !is_significant && !options.fill {
            break;
        }
        let (product, square) = (state.products[best], state.squares[best]);
        let t = t_statistic(product, square, state.rest, state.df);
        let p = t_probability(t, state.df);
        state.take(best, design);
        let after = state.probabilities();
        let mut members: Vec<(usize, f64)> = (0..own.len())
            .filter(|at| {
                let lost = after[*at].is_nan() || after[*at] > options.level;
                is_significant && state.free[*at] && lost
            })
            .map(|at| {
                let product = design.product(&columns[at], &columns[best]);
                (at, product / (state.whole[at] * state.whole[best]).sqrt())
            })
            .filter(|(at, correlation)| {
                let least = if before[*at] <= options.level { options.correlation } else { options.fellow };
                correlation.abs() >= least
            })
            .collect();
        members.iter().for_each(|(at, _)| state.free[*at] = false);
        members.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        let member = |(at, correlation): (usize, f64)| SelectedMember { feature: own[at], correlation };
        found.push(Selected {
            lead: own[best],
            effect: product / square,
            t,
            p,
            adjusted_p: before[best].min(1.0),
            is_significant,
            members: members.into_iter().map(member).collect(),
        });
    }
    found
}

/// The number of features of the same kind that were tested on a partner, times the number of kinds: the Bonferroni bound that gives each
/// kind the same share of the level.
fn tested_of_kind<'a>(
    features: &'a FeatureMatrix,
    tests: &Tests,
    partner: usize,
) -> impl Fn(usize) -> f64 + 'a {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for (row, feature) in features.features().iter().enumerate() {
        if tests.get(row, partner).state == TestState::Tested {
            *counts.entry(&feature.kind).or_default() += 1;
        }
    }
    let kinds = counts.len().max(1);
    move |row| (kinds * counts.get(features.features()[row].kind.as_str()).copied().unwrap_or(1)) as f64
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
    let mut taken: HashMap<&str, usize> = HashMap::new();
    own.retain(|row| {
        let taken = taken.entry(&features.features()[*row].kind).or_default();
        *taken += 1;
        *taken <= options.most_candidates
    });
    own
}

/// The values of a feature in the rows of a design, without the covariates' part.
pub(crate) fn column(features: &FeatureMatrix, row: usize, design: &Design) -> Vec<f64> {
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
    fn take(&mut self, best: usize, design: &Design) {
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
