//! All tests of all features on all partners, as products of matrices.
//!
//! The linear model of a partner is `y = C γ + x β + ε`, with covariates `C` and one feature `x`. With the covariates projected out
//! of both sides (Frisch & Waugh 1933, Econometrica 1:387; Lovell 1963), `β = x̃ᵀỹ / x̃ᵀx̃`. Every partner has its own cell lines and
//! therefore its own projection, but `x̃ᵀỹ = xᵀỹ` needs none of `x`, and `x̃ᵀx̃ = xᵀx − ‖Qᵀx‖²` needs only products of `x` with an
//! orthonormal basis `Q` of the covariates. So three products of the features (features × cell lines) with matrices of cell lines ×
//! partners give every test exactly, whatever responses are missing.

use std::ops::Range;

use halfmax_core::{Progress, Result};
use ndarray::{Array2, Axis, s};
use rayon::prelude::*;

use crate::covariates::{Covariates, Terms};
use crate::design::Design;
use crate::features::{FeatureMatrix, Form};
use crate::responses::ResponseMatrix;
use crate::significance::{f_probability, t_probability};

/// What a scan tests, and how.
#[derive(Clone, Copy, Debug)]
pub struct ScanOptions {
    /// The fewest carriers of a feature of carriers and others, and the fewest others, among the measured cell lines.
    pub min_carriers: usize,
    /// The fewest measured cell lines of a partner.
    pub min_cells: usize,
    /// Robust standard errors are computed for tests whose p value is at most this.
    pub robust_below: f64,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self { min_carriers: 3, min_cells: 10, robust_below: 0.05 }
    }
}

/// The test of one feature on one partner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// Whether it was tested, or why not. All numbers of an untested feature are NaN, except `carriers`.
    pub state: TestState,
    /// The number of carriers among the measured cell lines; 0 for real numbers.
    pub carriers: u32,
    /// The coefficient, in the unit of the response: for carriers compared with the others, or per standard deviation of the feature
    /// over all cell lines.
    pub effect: f64,
    /// Its t statistic.
    pub t: f64,
    /// The two-sided probability of t.
    pub p: f64,
    /// The probability in the same model of the responses' ranks (Conover & Iman 1981, Am. Stat. 35:124).
    pub rank_p: f64,
    /// The probability with the HC3 standard error, which holds for unequal variances (MacKinnon & White 1985, J. Econom. 29:305); NaN
    /// above [`ScanOptions::robust_below`].
    pub robust_p: f64,
    /// The mean response of the carriers minus that of the others, without covariates; NaN for real numbers.
    pub difference: f32,
    /// The standard deviation of the carriers' responses; NaN for real numbers.
    pub deviation_of_carriers: f32,
    /// The standard deviation of the others' responses; NaN for real numbers.
    pub deviation_of_others: f32,
}

/// Whether a feature was tested on a partner, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TestState {
    /// It was tested.
    Tested,
    /// The partner was measured in too few cell lines, or the covariates leave no degree of freedom.
    FewCells,
    /// The covariates explain every response.
    ResponsesExplained,
    /// Too few carriers, or too few others.
    FewCarriers,
    /// The feature is constant, or the covariates determine it.
    FeatureDetermined,
}

impl TestState {
    /// What hindered the test, in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Tested => "tested",
            Self::FewCells => "too few measured cell lines for the covariates",
            Self::ResponsesExplained => "the covariates explain every response",
            Self::FewCarriers => "too few carriers, or too few others",
            Self::FeatureDetermined => "the feature is constant, or the covariates determine it",
        }
    }
}

impl Test {
    const fn untested(state: TestState, carriers: u32) -> Self {
        Self {
            state,
            carriers,
            effect: f64::NAN,
            t: f64::NAN,
            p: f64::NAN,
            rank_p: f64::NAN,
            robust_p: f64::NAN,
            difference: f32::NAN,
            deviation_of_carriers: f32::NAN,
            deviation_of_others: f32::NAN,
        }
    }

    /// The standard error of the effect.
    pub fn standard_error(&self) -> f64 {
        self.effect / self.t
    }

    /// Cohen's d: the difference between carriers and others, in pooled standard deviations (Cohen 1988, p. 67). `cells` is the
    /// number of measured cell lines.
    pub fn cohens_d(&self, cells: u32) -> f64 {
        let (with, without) = (f64::from(self.carriers), f64::from(cells) - f64::from(self.carriers));
        let square = |deviation: f32| f64::from(deviation).powi(2);
        let pooled = ((with - 1.0) * square(self.deviation_of_carriers)
            + (without - 1.0) * square(self.deviation_of_others))
            / (with + without - 2.0);
        f64::from(self.difference) / pooled.sqrt()
    }

    /// Glass' Δ: the difference in standard deviations of the carriers, and of the others (Glass 1976, Educ. Res. 5:3).
    pub fn glass_delta(&self) -> [f64; 2] {
        [self.deviation_of_carriers, self.deviation_of_others]
            .map(|deviation| f64::from(self.difference) / f64::from(deviation))
    }
}

/// All tests of a scan.
#[derive(Clone, Debug)]
pub struct Tests {
    partners: usize,
    /// Feature by feature, partner by partner.
    tests: Vec<Test>,
    /// For each set of cell lines with the same missing features, and each partner: the measured cell lines, and the degrees of
    /// freedom.
    sizes: Vec<Vec<(u32, u32)>>,
    size_of: Vec<u32>,
}

impl Tests {
    /// Number of features.
    pub fn features(&self) -> usize {
        self.size_of.len()
    }

    /// Number of partners.
    pub fn partners(&self) -> usize {
        self.partners
    }

    /// The test of a feature on a partner.
    pub fn get(&self, feature: usize, partner: usize) -> &Test {
        &self.tests[feature * self.partners + partner]
    }

    /// The number of cell lines in which the feature is known and the partner was measured, and the degrees of freedom.
    pub fn size(&self, feature: usize, partner: usize) -> (u32, u32) {
        self.sizes[self.size_of[feature] as usize][partner]
    }

    /// Every test: the feature, the partner, the test.
    pub fn iter(&self) -> impl Iterator<Item = (usize, usize, &Test)> {
        let partners = self.partners.max(1);
        self.tests.iter().enumerate().map(move |(at, test)| (at / partners, at % partners, test))
    }
}

/// A category tested as a whole on one partner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CategoryTest {
    /// The category's position among the categories.
    pub category: usize,
    /// The partner.
    pub partner: usize,
    /// The measured cell lines with a level.
    pub cells: u32,
    /// F.
    pub f: f64,
    /// Its degrees of freedom: levels that the covariates leave free, and residuals.
    pub df: [u32; 2],
    /// The probability of a larger F.
    pub p: f64,
    /// The share of the variance that the covariates leave, and the category explains.
    pub explained: f64,
}

/// The features of a panel of products.
const PANEL: usize = 128;
/// The panels whose results are held before they are stored.
const BATCH: usize = 8;

/// Tests all features on all partners. A feature that is itself a covariate is tested with the other covariates.
///
/// # Errors
/// If the user stopped it.
pub fn scan(
    responses: &ResponseMatrix,
    features: &FeatureMatrix,
    covariates: &Covariates,
    options: &ScanOptions,
    progress: &dyn Progress,
) -> Result<Tests> {
    let partners = responses.partners.len();
    let blank = Test::untested(TestState::FewCells, 0);
    let mut found = Tests {
        partners,
        tests: vec![blank; features.len() * partners],
        sizes: Vec::new(),
        size_of: vec![0; features.len()],
    };
    let mut done = 0;
    for (rows, covariates) in by_covariates(features, covariates) {
        let terms = covariates.terms(features.cells());
        for (cells, rows) in features.patterns(&rows) {
            let frame = Frame::new(responses, &terms, cells, options);
            let number = found.sizes.len() as u32;
            found.sizes.push(frame.sizes());
            for batch in rows.chunks(PANEL * BATCH) {
                progress.check()?;
                let panels: Vec<Vec<Test>> =
                    batch.par_chunks(PANEL).map(|panel| frame.tests(features, panel, options)).collect();
                let tests = panels.iter().flat_map(|panel| panel.chunks(partners.max(1)));
                for (row, tests) in batch.iter().zip(tests) {
                    found.size_of[*row] = number;
                    found.tests[row * partners..(row + 1) * partners].copy_from_slice(tests);
                }
                done += batch.len();
                progress.step(done, features.len());
            }
        }
    }
    Ok(found)
}

/// The features, and the covariates to test them with.
pub(crate) fn by_covariates(
    features: &FeatureMatrix,
    covariates: &Covariates,
) -> Vec<(Vec<usize>, Covariates)> {
    let own_name = |row: usize| -> Option<String> {
        let name = features.covariate_name(row);
        covariates.has(name).then(|| name.to_owned())
    };
    let mut found: Vec<(Option<String>, Vec<usize>)> = Vec::new();
    for row in 0..features.len() {
        let name = own_name(row);
        match found.iter_mut().find(|(other, _)| *other == name) {
            Some((_, rows)) => rows.push(row),
            None => found.push((name, vec![row])),
        }
    }
    let rest =
        |name: Option<String>| name.map_or_else(|| covariates.clone(), |name| covariates.without(&name));
    found.into_iter().map(|(name, rows)| (rows, rest(name))).collect()
}

/// The designs of all partners over some cell lines, and the matrices that the features are multiplied with.
struct Frame {
    /// The cell lines, stratum by stratum.
    cells: Vec<usize>,
    strata: Vec<Range<usize>>,
    designs: Vec<Design>,
    states: Vec<TestState>,
    /// Strata × partners: the summed weights.
    stratum_weights: Array2<f64>,
    /// Cell lines × partners: weights.
    weights: Array2<f64>,
    /// Cell lines × partners: weighted residuals of the responses.
    residuals: Array2<f64>,
    /// Cell lines × partners: weighted residuals of their ranks, and the residuals' sums of squares.
    ranks: Array2<f64>,
    rank_squares: Vec<f64>,
    /// Cell lines × columns of all bases, by weight; and each partner's columns.
    bases: Array2<f64>,
    basis_of: Vec<Range<usize>>,
    /// Cell lines × partners: 1 where measured, the response about the partner's mean, its square.
    groups: [Array2<f64>; 3],
    /// For each partner: the leverages of its design.
    leverages: Vec<Vec<f64>>,
    /// For each partner: the positions of its rows in the frame.
    places: Vec<Vec<usize>>,
}

impl Frame {
    fn new(responses: &ResponseMatrix, terms: &Terms, mut cells: Vec<usize>, options: &ScanOptions) -> Self {
        cells.sort_by_key(|cell| terms.strata[*cell]);
        let mut strata = Vec::new();
        for same in cells.chunk_by(|a, b| terms.strata[*a] == terms.strata[*b]) {
            let first = strata.last().map_or(0, |last: &Range<usize>| last.end);
            strata.push(first..first + same.len());
        }
        let mut place = vec![usize::MAX; terms.strata.len()];
        cells.iter().enumerate().for_each(|(at, cell)| place[*cell] = at);
        let partners = responses.partners.len();
        let pairs: Vec<(Design, Design)> =
            (0..partners).into_par_iter().map(|partner| designs(responses, terms, &cells, partner)).collect();
        let (designs, of_ranks): (Vec<Design>, Vec<Design>) = pairs.into_iter().unzip();
        let shape = (cells.len(), partners);
        let zeros = || Array2::<f64>::zeros(shape);
        let (mut weights, mut residuals, mut ranks) = (zeros(), zeros(), zeros());
        let mut groups = [zeros(), zeros(), zeros()];
        let mut stratum_weights = Array2::zeros((strata.len(), partners));
        let mut basis_of = Vec::new();
        let mut columns = 0;
        for design in &designs {
            basis_of.push(columns..columns + design.basis.len());
            columns += design.basis.len();
        }
        let mut bases = Array2::zeros((cells.len(), columns));
        let mut places = Vec::new();
        let mut states = Vec::new();
        for (partner, (design, of_ranks)) in designs.iter().zip(&of_ranks).enumerate() {
            let own: Vec<usize> = design.rows.iter().map(|row| place[*row]).collect();
            let values = responses.values(partner);
            let mean = design.rows.iter().map(|row| values[*row]).sum::<f64>() / design.len().max(1) as f64;
            for (at, row) in own.iter().enumerate() {
                let at_frame = [*row, partner];
                weights[at_frame] = design.weights[at];
                residuals[at_frame] = design.weights[at] * design.residuals[at];
                ranks[at_frame] = of_ranks.weights[at] * of_ranks.residuals[at];
                let about = values[design.rows[at]] - mean;
                groups[0][at_frame] = 1.0;
                groups[1][at_frame] = about;
                groups[2][at_frame] = about * about;
                for (column, basis) in basis_of[partner].clone().zip(&design.basis) {
                    bases[[*row, column]] = design.weights[at] * basis[at];
                }
            }
            states.push(if design.len() < options.min_cells || design.df() < 1 {
                TestState::FewCells
            } else if design.is_explained() {
                TestState::ResponsesExplained
            } else {
                TestState::Tested
            });
            places.push(own);
        }
        for (at, range) in strata.iter().enumerate() {
            stratum_weights.row_mut(at).assign(&weights.slice(s![range.clone(), ..]).sum_axis(Axis(0)));
        }
        Self {
            strata,
            states,
            stratum_weights,
            weights,
            residuals,
            ranks,
            rank_squares: of_ranks.iter().map(|design| design.square).collect(),
            bases,
            basis_of,
            groups,
            leverages: designs.iter().map(Design::leverages).collect(),
            places,
            designs,
            cells,
        }
    }

    fn sizes(&self) -> Vec<(u32, u32)> {
        self.designs.iter().map(|design| (design.len() as u32, design.df().max(0) as u32)).collect()
    }

    /// The tests of some features on all partners.
    fn tests(&self, features: &FeatureMatrix, rows: &[usize], options: &ScanOptions) -> Vec<Test> {
        let partners = self.designs.len();
        let mut values = Array2::<f64>::zeros((rows.len(), self.cells.len()));
        for (row, mut own) in rows.iter().zip(values.rows_mut()) {
            let all = features.values(*row);
            own.iter_mut().zip(&self.cells).for_each(|(place, cell)| *place = f64::from(all[*cell]));
        }
        let carriers = self.carriers(features, rows, &values);
        let scales: Vec<f64> = rows.iter().map(|row| scale(features, *row)).collect();
        for (scale, mut own) in scales.iter().zip(values.rows_mut()) {
            let mean = own.mean().unwrap_or(0.0);
            own.mapv_inplace(|value| (value - mean) * scale);
        }
        let with_residuals = values.dot(&self.residuals);
        let with_ranks = values.dot(&self.ranks);
        let whole = values.mapv(|value| value * value).dot(&self.weights);
        let mut squares = whole.clone();
        let mut means = Vec::with_capacity(self.strata.len());
        for (at, range) in self.strata.iter().enumerate() {
            let weights = self.weights.slice(s![range.clone(), ..]);
            let mut sums = values.slice(s![.., range.clone()]).dot(&weights);
            for (mut sums, mut squares) in sums.rows_mut().into_iter().zip(squares.rows_mut()) {
                let sizes = self.stratum_weights.row(at);
                for ((sum, square), size) in sums.iter_mut().zip(&mut squares).zip(sizes) {
                    if *size > 0.0 {
                        *square -= *sum * *sum / size;
                        *sum /= size;
                    }
                }
            }
            means.push(sums);
        }
        let along = values.dot(&self.bases);
        let mut found = Vec::with_capacity(rows.len() * partners);
        let mut scratch = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let has_carriers = features.features()[*row].form.has_carriers();
            for partner in 0..partners {
                let group = carriers.as_ref().filter(|_| has_carriers).map(|group| group.of(at, partner));
                let mut test = Test::untested(self.states[partner], group.map_or(0, |group| group.carriers));
                let projected: f64 =
                    self.basis_of[partner].clone().map(|column| along[[at, column]].powi(2)).sum();
                let square = squares[[at, partner]] - projected;
                let too_few = group
                    .is_some_and(|group| (group.carriers.min(group.others) as usize) < options.min_carriers);
                if test.state != TestState::Tested {
                } else if too_few {
                    test.state = TestState::FewCarriers;
                } else if square <= whole[[at, partner]] * 1e-10 || square <= 0.0 {
                    test.state = TestState::FeatureDetermined;
                } else {
                    let design = &self.designs[partner];
                    let df = design.df() as f64;
                    let product = with_residuals[[at, partner]];
                    test.effect = product / square;
                    test.t = t_statistic(product, square, design.square, df);
                    test.p = t_probability(test.t, df);
                    let of_ranks = with_ranks[[at, partner]];
                    test.rank_p =
                        t_probability(t_statistic(of_ranks, square, self.rank_squares[partner], df), df);
                    if test.p <= options.robust_below {
                        let along: Vec<f64> =
                            self.basis_of[partner].clone().map(|column| along[[at, column]]).collect();
                        let mean = |stratum: usize| means[stratum][[at, partner]];
                        self.project(values.row(at).as_slice(), partner, &mean, &along, &mut scratch);
                        let t = self.robust(partner, &scratch, test.effect, square);
                        test.robust_p = t_probability(t, df);
                    }
                    // An indicator was not scaled, and a number was scaled to its standard deviation.
                    if let Some(group) = group {
                        test.difference = group.difference as f32;
                        test.deviation_of_carriers = group.deviations[0] as f32;
                        test.deviation_of_others = group.deviations[1] as f32;
                    }
                }
                found.push(test);
            }
        }
        found
    }

    /// The residuals of a feature in the rows of a partner.
    fn project(
        &self,
        values: Option<&[f64]>,
        partner: usize,
        mean: &dyn Fn(usize) -> f64,
        along: &[f64],
        out: &mut Vec<f64>,
    ) {
        let values = values.unwrap_or_default();
        let design = &self.designs[partner];
        out.clear();
        let places = &self.places[partner];
        let mut at = 0;
        for (stratum, range) in self.strata.iter().enumerate() {
            let mean = mean(stratum);
            while let Some(place) = places.get(at).filter(|place| range.contains(place)) {
                out.push(values[*place] - mean);
                at += 1;
            }
        }
        for (basis, along) in design.basis.iter().zip(along) {
            out.iter_mut().zip(basis).for_each(|(value, b)| *value -= along * b);
        }
    }

    /// The t statistic with the HC3 standard error.
    fn robust(&self, partner: usize, feature: &[f64], effect: f64, square: f64) -> f64 {
        let design = &self.designs[partner];
        let rows = feature.iter().zip(&design.residuals).zip(&design.weights).zip(&self.leverages[partner]);
        let meat: f64 = rows
            .map(|(((x, y), weight), leverage)| {
                let leverage = leverage + weight * x * x / square;
                let scaled = weight * x * (y - effect * x) / (1.0 - leverage).max(1e-12);
                scaled * scaled
            })
            .sum();
        effect * square / meat.sqrt()
    }

    /// The groups of carriers and others, if any of the features has them.
    fn carriers(&self, features: &FeatureMatrix, rows: &[usize], values: &Array2<f64>) -> Option<Groups> {
        let any = rows.iter().any(|row| features.features()[*row].form.has_carriers());
        any.then(|| Groups {
            counts: values.dot(&self.groups[0]),
            sums: values.dot(&self.groups[1]),
            squares: values.dot(&self.groups[2]),
            whole: self.groups.each_ref().map(|of| of.sum_axis(Axis(0)).to_vec()),
        })
    }
}

/// The designs of a partner: of its responses, and of their ranks.
fn designs(responses: &ResponseMatrix, terms: &Terms, cells: &[usize], partner: usize) -> (Design, Design) {
    let values = responses.values(partner);
    let own = design(responses, terms, cells, partner);
    let ranks = ranked(&own.rows, |row| values[row]);
    let mut of_ranks = own.clone();
    of_ranks.set_responses(|row| ranks[row]);
    (own, of_ranks)
}

/// The design of a partner in some cell lines.
pub(crate) fn design(responses: &ResponseMatrix, terms: &Terms, cells: &[usize], partner: usize) -> Design {
    let (values, weights) = (responses.values(partner), responses.weights(partner));
    let rows: Vec<usize> = cells.iter().copied().filter(|cell| weights[*cell] > 0.0).collect();
    let general = terms.general.as_ref().map(|general| general.column(partner).to_vec());
    let columns: Vec<&[f64]> = terms.columns.iter().map(Vec::as_slice).chain(general.as_deref()).collect();
    Design::new(rows, &terms.strata, &columns, |row| weights[row], |row| values[row])
}

/// The rank of each row's value among the rows, with mean ranks for ties, at the row's position.
fn ranked(rows: &[usize], value: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut order = rows.to_vec();
    order.sort_by(|a, b| value(*a).total_cmp(&value(*b)));
    let mut ranks = vec![f64::NAN; rows.iter().max().map_or(0, |last| last + 1)];
    let mut before = 0;
    for same in order.chunk_by(|a, b| value(*a) == value(*b)) {
        let rank = before as f64 + (same.len() + 1) as f64 / 2.0;
        same.iter().for_each(|row| ranks[*row] = rank);
        before += same.len();
    }
    ranks
}

/// The factor that brings a feature of real numbers to a standard deviation of 1 over its cell lines; 1 for indicators.
pub(crate) fn scale(features: &FeatureMatrix, row: usize) -> f64 {
    if features.features()[row].form != Form::Real {
        return 1.0;
    }
    let values = features.values(row);
    let known = || values.iter().filter(|value| value.is_finite()).map(|value| f64::from(*value));
    let count = known().count().max(1) as f64;
    let mean = known().sum::<f64>() / count;
    let deviation = (known().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    if deviation > 0.0 { 1.0 / deviation } else { 1.0 }
}

/// t from the product of feature and responses, and their sums of squares, all without covariates.
pub(crate) fn t_statistic(product: f64, feature: f64, response: f64, df: f64) -> f64 {
    let rest = (response - product * product / feature).max(0.0);
    product / (feature * rest / df).sqrt()
}

/// Sums over the carriers of features, features × partners; and over all measured cell lines, for each partner.
struct Groups {
    counts: Array2<f64>,
    sums: Array2<f64>,
    squares: Array2<f64>,
    whole: [Vec<f64>; 3],
}

#[derive(Clone, Copy)]
struct Group {
    carriers: u32,
    others: u32,
    difference: f64,
    deviations: [f64; 2],
}

impl Groups {
    fn of(&self, feature: usize, partner: usize) -> Group {
        let at = [feature, partner];
        let with = [self.counts[at].round(), self.sums[at], self.squares[at]];
        let without: Vec<f64> =
            self.whole.iter().zip(with).map(|(whole, with)| whole[partner] - with).collect();
        let deviation = |of: &[f64]| ((of[2] - of[1] * of[1] / of[0]) / (of[0] - 1.0)).max(0.0).sqrt();
        Group {
            carriers: with[0] as u32,
            others: without[0] as u32,
            difference: with[1] / with[0] - without[1] / without[0],
            deviations: [deviation(&with), deviation(&without)],
        }
    }
}

/// Tests every category as a whole on every partner: F of all its levels, given the other covariates.
///
/// # Errors
/// If the user stopped it.
pub fn scan_categories(
    responses: &ResponseMatrix,
    features: &FeatureMatrix,
    covariates: &Covariates,
    options: &ScanOptions,
    progress: &dyn Progress,
) -> Result<Vec<CategoryTest>> {
    let mut found = Vec::new();
    for (number, category) in features.categories().iter().enumerate() {
        progress.check()?;
        let rows: Vec<usize> = category.levels.clone().collect();
        let terms = covariates.without(&category.name).terms(features.cells());
        let Some((cells, _)) = features.patterns(&rows[..rows.len().min(1)]).pop() else { continue };
        let of = |partner: usize| -> Option<CategoryTest> {
            let design = design(responses, &terms, &cells, partner);
            if design.len() < options.min_cells || design.is_explained() {
                return None;
            }
            let mut own = design.clone();
            let before = own.basis.len();
            for row in &rows {
                let values = features.values(*row);
                own.extend(own.rows.iter().map(|cell| f64::from(values[*cell])).collect());
            }
            let free = own.basis.len() - before;
            let df = own.df() + 1;
            if free == 0 || df < 1 {
                return None;
            }
            let gained: f64 =
                own.basis[before..].iter().map(|basis| own.product(basis, &own.residuals).powi(2)).sum();
            let rest = (design.square - gained).max(0.0);
            let f = (gained / free as f64) / (rest / df as f64);
            Some(CategoryTest {
                category: number,
                partner,
                cells: design.len() as u32,
                f,
                df: [free as u32, df as u32],
                p: f_probability(f, free as f64, df as f64),
                explained: gained / design.square,
            })
        };
        found.extend((0..responses.partners.len()).into_par_iter().filter_map(of).collect::<Vec<_>>());
    }
    Ok(found)
}
