use halfmax_core::{Error, Result, Seed};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bootstrap::Replicates;
use super::loewe::loewe_reference;
use super::matrix::DoseMatrix;
use super::single::{Baseline, single_agents};
use super::zip::expected_and_fitted;
use crate::shape::LogLogistic;

/// What is expected of drugs that do not interact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SynergyModel {
    /// Highest single agent: the larger of the two inhibitions measured of each drug alone.
    Hsa,
    /// Independence (Bliss 1939): `a + b − a b / 100` of the inhibitions measured of each drug alone.
    Bliss,
    /// Additivity of doses (Loewe 1953) along the fitted curves of each drug alone: see [`super::loewe_reference`].
    Loewe,
    /// Zero interaction potency (Yadav et al. 2015): independence of the fitted curves of each drug alone. Its score is that of
    /// the curves fitted through the rows and columns of the matrix, not of the reading itself.
    Zip,
}

impl SynergyModel {
    /// Every model.
    pub const ALL: [Self; 4] = [Self::Hsa, Self::Bliss, Self::Loewe, Self::Zip];

    /// The name in tables and options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hsa => "hsa",
            Self::Bliss => "bliss",
            Self::Loewe => "loewe",
            Self::Zip => "zip",
        }
    }

    /// The model of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.name() == name)
    }

    fn needs_curves(self) -> bool {
        matches!(self, Self::Loewe | Self::Zip)
    }
}

/// How synergy is scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SynergyParams {
    /// The models, each once.
    pub models: Vec<SynergyModel>,
    /// What becomes of a baseline that is not 0.
    pub baseline: Baseline,
    /// Draws of the bootstrap behind the intervals, 0 for none.
    pub bootstrap: usize,
}

impl Default for SynergyParams {
    fn default() -> Self {
        Self { models: SynergyModel::ALL.to_vec(), baseline: Baseline::None, bootstrap: 200 }
    }
}

impl SynergyParams {
    /// Checks the parameters and makes a scorer of them.
    ///
    /// # Errors
    /// If no model is named or one is twice, or there are too few draws (1 to 19) or more than 100,000.
    pub fn check(self) -> Result<SynergyScorer> {
        let twice = |model| self.models.iter().filter(|other| *other == model).count() > 1;
        if self.models.is_empty() || self.models.iter().any(twice) {
            let names: Vec<&str> = self.models.iter().map(|model| model.name()).collect();
            let expected = "one or more of hsa, bliss, loewe and zip, each once";
            return Err(Error::parameter("models", names.join(","), expected));
        }
        if !(self.bootstrap == 0 || (20..=100_000).contains(&self.bootstrap)) {
            return Err(Error::parameter("bootstrap", self.bootstrap, "0 for none, or 20 to 100,000 draws"));
        }
        Ok(SynergyScorer { params: self })
    }
}

/// Scores dose matrices; made by [`SynergyParams::check`].
#[derive(Clone, Debug)]
pub struct SynergyScorer {
    params: SynergyParams,
}

/// A matrix with its scores. Numbers that are not there are NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockScores {
    /// The mean inhibition of each cell in percent, its baseline corrected where asked for.
    pub response: Vec<f64>,
    /// The curves of the two drugs alone, in viability as a fraction of the control; none where no model needs them, or of a drug
    /// with fewer than three doses.
    pub alone: [Option<LogLogistic>; 2],
    /// The models, in the order asked for.
    pub models: Vec<ModelScores>,
}

impl BlockScores {
    /// The scores of one model; none if it was not asked for.
    pub fn of(&self, model: SynergyModel) -> Option<&ModelScores> {
        self.models.iter().find(|scores| scores.model == model)
    }
}

/// What one model says of a matrix: lists with one entry per cell, NaN where a drug is alone, a reading is missing or the model
/// lacks what it needs.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelScores {
    /// The model.
    pub model: SynergyModel,
    /// The inhibition expected, in percent.
    pub reference: Vec<f64>,
    /// The inhibition less the one expected, in percentage points: above 0 is synergy.
    pub score: Vec<f64>,
    /// The ends of the 95 % intervals of the scores, from replicates; NaN where no cell has any.
    pub interval: [Vec<f64>; 2],
    /// The matrix in a few numbers.
    pub summary: Summary,
}

/// A matrix in a few numbers. NaN where there are no scores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The mean score of the cells with both drugs that have one.
    pub mean: f64,
    /// How many these are.
    pub cells: usize,
    /// How many cells with both drugs were measured. Where these are more, what is expected of the others is not known.
    pub measured: usize,
    /// The ends of its 95 % interval.
    pub interval: [f64; 2],
    /// The most synergistic window.
    pub window: Option<Window>,
}

/// Three neighbouring doses of each drug with the highest mean score of all such windows without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The mean score of the nine cells.
    pub mean: f64,
    /// The lowest and the highest dose of drug a.
    pub doses_a: [f64; 2],
    /// The lowest and the highest dose of drug b.
    pub doses_b: [f64; 2],
}

/// Doses of each drug in a window.
const WINDOW: usize = 3;

impl SynergyScorer {
    /// Scores a matrix. The draws of the bootstrap follow from the seed alone, whatever the number of threads.
    pub fn score(&self, matrix: &DoseMatrix, seed: Seed) -> BlockScores {
        let means = matrix.means();
        let mut response = means.clone();
        self.params.baseline.correct(matrix, &mut response);
        let alone = self.alone(matrix, &response);
        let found = self.surfaces(matrix, &response, &alone);
        let replicates = Replicates::of(matrix, &means);
        let draws = self.draws(matrix, replicates.as_ref(), seed);
        let interval = |estimate: f64, draws: &mut dyn Iterator<Item = f64>| match &replicates {
            Some(replicates) => replicates.interval(estimate, draws),
            None => [f64::NAN; 2],
        };
        let models = self.params.models.iter().enumerate().map(|(at, model)| {
            let Surface { reference, score } = found[at].clone();
            let of_cell = |cell: usize| match score[cell].is_nan() {
                true => [f64::NAN; 2],
                false => interval(score[cell], &mut draws.iter().map(|draw| draw[at][cell])),
            };
            let (lower, upper) = (0..matrix.len()).map(of_cell).map(|[low, high]| (low, high)).unzip();
            let summary = Summary {
                mean: mean_of(&score),
                cells: score.iter().filter(|score| !score.is_nan()).count(),
                measured: (0..matrix.len())
                    .filter(|cell| matrix.is_combination(*cell) && !means[*cell].is_nan())
                    .count(),
                interval: interval(mean_of(&score), &mut draws.iter().map(|draw| mean_of(&draw[at]))),
                window: best_window(matrix, &score),
            };
            ModelScores { model: *model, reference, score, interval: [lower, upper], summary }
        });
        let models = models.collect();
        BlockScores { response, alone, models }
    }

    /// For each draw the scores of each model; without replicates there is nothing to draw.
    fn draws(
        &self,
        matrix: &DoseMatrix,
        replicates: Option<&Replicates<'_>>,
        seed: Seed,
    ) -> Vec<Vec<Vec<f64>>> {
        let Some(replicates) = replicates else { return Vec::new() };
        let draw = |at: usize| {
            let mut response = replicates.redrawn(seed.derive(at as u64));
            self.params.baseline.correct(matrix, &mut response);
            let alone = self.alone(matrix, &response);
            self.surfaces(matrix, &response, &alone).into_iter().map(|surface| surface.score).collect()
        };
        (0..self.params.bootstrap).into_par_iter().map(draw).collect()
    }

    /// The curves of the drugs alone, where a model needs them.
    fn alone(&self, matrix: &DoseMatrix, response: &[f64]) -> [Option<LogLogistic>; 2] {
        let needed = self.params.models.iter().any(|model| model.needs_curves());
        if needed { single_agents(matrix, response) } else { [None, None] }
    }

    fn surfaces(
        &self,
        matrix: &DoseMatrix,
        response: &[f64],
        alone: &[Option<LogLogistic>; 2],
    ) -> Vec<Surface> {
        let surface = |model: &SynergyModel| match (model, alone) {
            (SynergyModel::Hsa, _) => Surface::of_singles(matrix, response, f64::max),
            (SynergyModel::Bliss, _) => Surface::of_singles(matrix, response, |a, b| a + b - a * b / 100.0),
            (SynergyModel::Loewe, [Some(a), Some(b)]) => {
                let doses = |cell: usize| {
                    let at = matrix.at(cell);
                    [matrix.doses(0)[at[0]], matrix.doses(1)[at[1]]]
                };
                Surface::new(matrix, response, |cell| loewe_reference([a, b], doses(cell)))
            }
            (SynergyModel::Zip, [Some(a), Some(b)]) => {
                let [expected, fitted] = expected_and_fitted(matrix, response, [a, b]);
                let mut surface = Surface::new(matrix, response, |cell| expected[cell]);
                for (cell, score) in surface.score.iter_mut().enumerate().filter(|(_, score)| !score.is_nan())
                {
                    *score = fitted[cell] - expected[cell];
                }
                surface
            }
            _ => Surface::new(matrix, response, |_| f64::NAN),
        };
        self.params.models.iter().map(surface).collect()
    }
}

/// What is expected of each cell, and the score.
#[derive(Clone, Debug)]
struct Surface {
    reference: Vec<f64>,
    score: Vec<f64>,
}

impl Surface {
    fn new(matrix: &DoseMatrix, response: &[f64], reference: impl Fn(usize) -> f64) -> Self {
        let of_cell = |cell: usize| if matrix.is_combination(cell) { reference(cell) } else { f64::NAN };
        let reference: Vec<f64> = (0..matrix.len()).map(of_cell).collect();
        let score = response.iter().zip(&reference).map(|(found, expected)| found - expected).collect();
        Self { reference, score }
    }

    /// From what was measured of each drug alone; NaN where one was not.
    fn of_singles(matrix: &DoseMatrix, response: &[f64], expected: fn(f64, f64) -> f64) -> Self {
        let alone = [matrix.alone(0), matrix.alone(1)];
        Self::new(matrix, response, |cell| {
            let [a, b] = matrix.at(cell);
            let (a, b) = (response[alone[0][a]], response[alone[1][b]]);
            // The larger of a number and NaN would be the number.
            if a.is_nan() || b.is_nan() { f64::NAN } else { expected(a, b) }
        })
    }
}

fn mean_of(scores: &[f64]) -> f64 {
    let present = || scores.iter().filter(|score| !score.is_nan());
    present().sum::<f64>() / present().count() as f64
}

fn best_window(matrix: &DoseMatrix, score: &[f64]) -> Option<Window> {
    let [a, b] = [0, 1].map(|drug| matrix.doses(drug));
    let mut best: Option<Window> = None;
    for row in 1..(a.len() + 1).saturating_sub(WINDOW) {
        for column in 1..(b.len() + 1).saturating_sub(WINDOW) {
            let line = |at: usize| &score[(row + at) * b.len() + column..][..WINDOW];
            let mean = (0..WINDOW).flat_map(line).sum::<f64>() / (WINDOW * WINDOW) as f64;
            // A window with a gap has no mean, and so is not better.
            if mean > best.map_or(f64::NEG_INFINITY, |best| best.mean) {
                let doses_a = [a[row], a[row + WINDOW - 1]];
                let doses_b = [b[column], b[column + WINDOW - 1]];
                best = Some(Window { mean, doses_a, doses_b });
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three doses of each drug; inhibitions by a function of the two positions.
    fn matrix(inhibition: impl Fn(usize, usize) -> f64) -> DoseMatrix {
        let cells = (0..16).map(|cell| (cell / 4, cell % 4));
        let readings: Vec<[f64; 3]> =
            cells.map(|(a, b)| [a as f64, b as f64 / 2.0, inhibition(a, b)]).collect();
        DoseMatrix::new(&readings).unwrap()
    }

    #[test]
    fn a_missing_single_agent_leaves_its_row_without_reference() {
        let matrix = matrix(|a, b| if (a, b) == (2, 0) { f64::NAN } else { 10.0 * (a + b) as f64 });
        let scores = SynergyParams::default().check().unwrap().score(&matrix, Seed::new(1));
        for model in [SynergyModel::Hsa, SynergyModel::Bliss] {
            let found = scores.of(model).unwrap();
            assert!(found.reference[2 * 4 + 1].is_nan() && found.score[2 * 4 + 1].is_nan());
            assert!(!found.score[3 * 4 + 1].is_nan());
            assert!(found.summary.window.is_none() && !found.summary.mean.is_nan());
            assert_eq!((found.summary.cells, found.summary.measured), (6, 9));
        }
        // Two doses are too few for a curve.
        assert!(scores.of(SynergyModel::Zip).unwrap().summary.mean.is_nan());
    }

    #[test]
    fn the_best_window_is_the_only_one_of_three_doses() {
        let matrix = matrix(|a, b| if a > 0 && b > 0 { 50.0 } else { 20.0 });
        let scores = SynergyParams::default().check().unwrap().score(&matrix, Seed::new(1));
        let hsa = scores.of(SynergyModel::Hsa).unwrap();
        let window = hsa.summary.window.unwrap();
        assert_eq!((window.mean, window.doses_a, window.doses_b), (30.0, [1.0, 3.0], [0.5, 1.5]));
        assert_eq!(hsa.summary.mean, 30.0);
        assert!(hsa.summary.interval[0].is_nan(), "no replicates, no interval");
    }

    #[test]
    fn parameters_are_checked() {
        let error = |params: SynergyParams| params.check().unwrap_err().to_string();
        assert!(error(SynergyParams { models: vec![], ..Default::default() }).contains("hsa, bliss"));
        assert!(
            error(SynergyParams { models: vec![SynergyModel::Zip; 2], ..Default::default() })
                .contains("zip,zip")
        );
        assert!(error(SynergyParams { bootstrap: 3, ..Default::default() }).contains("bootstrap = 3"));
    }
}
