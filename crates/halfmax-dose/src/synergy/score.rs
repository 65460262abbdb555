//! Synergy scores of dose matrices: HSA, Bliss, Loewe and ZIP.

use std::collections::HashMap;

use halfmax_core::{Error, Result, Seed};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bootstrap::{Replicates, Spread};
use super::flags::BlockFlags;
use super::lattice::Lattice;
use super::loewe::expected as loewe_additive;
use super::matrix::{DoseMatrix, MultiMatrix};
use super::noise::Noise;
use super::single::{Baseline, Fitted, Fitting, Line, SingleAgent, without_curve};
use super::zip::ZipSurface;
use crate::learnt::{Learnt, Own};
use crate::params::check_confidence;
use crate::sample::sample;
use crate::shape::{LogLogistic, Theta};

/// Reference models: the expectation for drugs that do not interact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SynergyModel {
    /// Highest single agent: the largest measured inhibition of a drug alone.
    Hsa,
    /// Independence (Bliss 1939): `a + b − a b / 100` of the measured inhibitions of each drug alone. For more drugs,
    /// the surviving fractions are multiplied.
    Bliss,
    /// Additivity of doses (Loewe 1953) along the fitted curves of each drug alone: see [`super::loewe_reference`].
    Loewe,
    /// Zero interaction potency (Yadav et al. 2015): independence of the fitted curves of each drug alone. Its score
    /// uses the curves fitted through the rows and columns of the matrix instead of the reading itself.
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

    pub(crate) fn needs_curves(self) -> bool {
        matches!(self, Self::Loewe | Self::Zip)
    }
}

/// The parameters of synergy scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SynergyParams {
    /// The models, without repeats.
    pub models: Vec<SynergyModel>,
    /// The treatment of a baseline that is not 0.
    pub baseline: Baseline,
    /// The number of bootstrap draws for intervals and p values; 0 for none.
    pub bootstrap: usize,
    /// The treatment of cells without a reading.
    pub missing: Missing,
    /// The nominal coverage of intervals.
    pub confidence: f64,
}

/// The treatment of cells without a reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// They stay missing.
    #[default]
    Kept,
    /// They are imputed. Cells of a drug alone get the value of its curve. Cells of several drugs get the mean of the
    /// curves fitted through the lines of the cell, as in ZIP (Yadav et al. 2015). Without a curve they stay missing.
    Imputed,
}

impl Default for SynergyParams {
    fn default() -> Self {
        Self {
            models: SynergyModel::ALL.to_vec(),
            baseline: Baseline::None,
            bootstrap: 200,
            missing: Missing::Kept,
            confidence: 0.95,
        }
    }
}

impl SynergyParams {
    /// Checks the parameters and makes a scorer.
    ///
    /// # Errors
    /// If no model is named, a model is repeated, or the number of draws is 1 to 19 or above 100,000.
    pub fn check(self) -> Result<SynergyScorer> {
        let twice = |model| self.models.iter().filter(|other| *other == model).count() > 1;
        if self.models.is_empty() || self.models.iter().any(twice) {
            let names: Vec<&str> = self.models.iter().map(|model| model.name()).collect();
            let expected = "one or more of hsa, bliss, loewe and zip, without repeats";
            return Err(Error::parameter("models", names.join(","), expected));
        }
        if !(self.bootstrap == 0 || (20..=100_000).contains(&self.bootstrap)) {
            return Err(Error::parameter("bootstrap", self.bootstrap, "0 for none, or 20 to 100,000 draws"));
        }
        check_confidence(self.confidence)?;
        Ok(SynergyScorer { params: self, learnt: Learnt::default() })
    }
}

/// Scores dose matrices; made by [`SynergyParams::check`].
#[derive(Clone, Debug)]
pub struct SynergyScorer {
    params: SynergyParams,
    /// The common properties of the curves of drugs alone, once learnt.
    learnt: Learnt,
}

/// A matrix with its scores. Missing numbers are NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockScores {
    /// The mean inhibition of each cell in percent, with the baseline corrected if requested.
    pub response: Vec<f64>,
    /// The curves of the drugs alone, in viability as a fraction of the control; `None` if no model needs them, or for
    /// a drug with fewer than three doses.
    pub alone: Vec<Option<LogLogistic>>,
    /// Details of these curves.
    pub single_agents: Vec<SingleAgent>,
    /// Whether each cell was imputed.
    pub imputed: Vec<bool>,
    /// Warnings to check before using the scores.
    pub flags: BlockFlags,
    /// The models, in the requested order.
    pub models: Vec<ModelScores>,
}

impl BlockScores {
    /// The scores of one model; `None` if it was not requested.
    pub fn of(&self, model: SynergyModel) -> Option<&ModelScores> {
        self.models.iter().find(|scores| scores.model == model)
    }
}

/// The scores of one model: lists with one entry per cell, NaN if a drug is alone, a reading is missing or the model
/// lacks its inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelScores {
    /// The model.
    pub model: SynergyModel,
    /// The expected inhibition, in percent.
    pub reference: Vec<f64>,
    /// The inhibition minus the expected inhibition, in percentage points: above 0 is synergy.
    pub score: Vec<f64>,
    /// The ends of the 95 % intervals of the scores, from replicates; NaN without replicates.
    pub interval: [Vec<f64>; 2],
    /// The summary of the matrix.
    pub summary: Summary,
}

/// The summary of a matrix. NaN without scores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The mean score of the cells with every drug and a score.
    pub mean: f64,
    /// The number of these cells.
    pub cells: usize,
    /// The number of measured cells with every drug. If it is larger, the expectation for the other cells is unknown.
    pub measured: usize,
    /// The ends of its 95 % interval.
    pub interval: [f64; 2],
    /// The p value of a mean of 0, from replicates; NaN without.
    pub p_value: f64,
    /// The most synergistic window of two drugs.
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
    /// The scorer with the common properties of the curves of drugs alone, learnt from at most a thousand matrices,
    /// evenly spread: the distribution of Hill slopes and tops, and the error of dose means. Poorly determined curves
    /// are shrunk towards these, as in [`crate::CurveFitter::learning_from`]. With fewer than twenty curves, nothing is
    /// learnt.
    #[must_use]
    pub fn learning_from(&self, matrices: &[DoseMatrix]) -> Self {
        let plain = Self { params: self.params.clone(), learnt: Learnt::default() };
        let some: Vec<&DoseMatrix> = sample(matrices.len()).into_iter().map(|at| &matrices[at]).collect();
        let own = |matrix: &&DoseMatrix| -> Vec<Own> {
            let (lattice, means) = (matrix.lattice(), matrix.means());
            let fitting = plain.fitting(lattice, &means);
            let fitted = fitting.single_agents(lattice, &means);
            let noise = fitting.noise.of_means;
            fitted.into_iter().flatten().map(|fitted| fitted.own(noise)).collect()
        };
        let own: Vec<Own> = some.par_iter().with_min_len(16).flat_map_iter(own).collect();
        Self { learnt: Learnt::of(own), ..plain }
    }

    /// The positions of the matrices to learn from, out of `matrices` matrices: all, or a thousand spread evenly over
    /// the file.
    pub fn learns_from(matrices: usize) -> Vec<usize> {
        sample(matrices)
    }

    /// The parameters of the scorer.
    pub fn params(&self) -> &SynergyParams {
        &self.params
    }

    /// The learnt properties; empty before learning.
    pub fn learnt(&self) -> Learnt {
        self.learnt
    }

    /// Scores a matrix. The bootstrap draws depend only on the seed, not on the number of threads.
    pub fn score(&self, matrix: &DoseMatrix, seed: Seed) -> BlockScores {
        self.score_lattice(matrix.lattice(), seed)
    }

    /// Scores a matrix of three or more drugs: every cell with at least two of them is compared with the effects of
    /// these drugs alone. Means are over the cells with every drug. The bootstrap draws depend only on the seed.
    pub fn score_many(&self, matrix: &MultiMatrix, seed: Seed) -> BlockScores {
        self.score_lattice(matrix.lattice(), seed)
    }

    fn fitting(&self, lattice: &Lattice, means: &[f64]) -> Fitting {
        Fitting { learnt: self.learnt, noise: Noise::of(lattice, means), starts: HashMap::new() }
    }

    fn score_lattice(&self, lattice: &Lattice, seed: Seed) -> BlockScores {
        let means = lattice.means();
        let fitting = self.fitting(lattice, &means);
        let (response, alone) = self.prepared(lattice, &fitting, means.clone());
        let single_agents: Vec<SingleAgent> = alone
            .iter()
            .enumerate()
            .map(|(drug, fitted)| match fitted {
                Some(fitted) => fitted.described(&fitting),
                None => without_curve(lattice, &response, drug),
            })
            .collect();
        let curves: Vec<Option<LogLogistic>> = single_agents.iter().map(|alone| alone.curve).collect();
        let found = self.surfaces(lattice, &response, &curves, &fitting);
        let lines = found.iter().flat_map(|surface| surface.lines.iter().copied());
        let starts = alone.iter().flatten().map(Fitted::start).chain(lines).collect();
        let fitting = Fitting { starts, ..fitting };
        let replicates = Replicates::of(lattice, &means, self.params.confidence);
        let draws = self.draws(lattice, replicates.as_ref(), &fitting, seed);
        let mean =
            |score: &[f64]| mean_of((0..lattice.len()).filter(|cell| lattice.is_complete(*cell)), score);
        let complete = || (0..lattice.len()).filter(|cell| lattice.is_complete(*cell));
        let models = self.params.models.iter().enumerate().map(|(at, model)| {
            let Surface { reference, score, .. } = found[at].clone();
            // Replicates do not give the error of an imputed cell.
            let of_cell = |cell: usize| match (&replicates, score[cell].is_nan() || means[cell].is_nan()) {
                (Some(replicates), false) => {
                    replicates.of_cell(score[cell], draws.iter().map(|draw| draw[at][cell])).interval
                }
                _ => [f64::NAN; 2],
            };
            let (lower, upper) = (0..lattice.len()).map(of_cell).map(|[low, high]| (low, high)).unzip();
            let of_mean = replicates.as_ref().map_or(Spread::NONE, |replicates| {
                replicates.of_mean(mean(&score), draws.iter().map(|draw| mean(&draw[at])))
            });
            let summary = Summary {
                mean: mean(&score),
                cells: complete().filter(|cell| !score[*cell].is_nan()).count(),
                measured: complete().filter(|cell| !means[*cell].is_nan()).count(),
                interval: of_mean.interval,
                p_value: of_mean.p_value,
                window: best_window(lattice, &means, &score),
            };
            ModelScores { model: *model, reference, score, interval: [lower, upper], summary }
        });
        let models: Vec<ModelScores> = models.collect();
        let imputed: Vec<bool> =
            response.iter().zip(&means).map(|(filled, mean)| mean.is_nan() && !filled.is_nan()).collect();
        let flags = BlockFlags::of(lattice, &means, &single_agents, &models, &fitting.noise, &imputed);
        BlockScores { response, alone: curves, single_agents, imputed, flags, models }
    }

    /// The response to score, and the curves of the drugs alone if a model needs them.
    fn prepared(
        &self,
        lattice: &Lattice,
        fitting: &Fitting,
        mut response: Vec<f64>,
    ) -> (Vec<f64>, Vec<Option<Fitted>>) {
        if self.params.missing == Missing::Imputed {
            impute(lattice, fitting, &mut response);
        }
        self.params.baseline.correct(lattice, fitting, &mut response);
        let needed = self.params.models.iter().any(|model| model.needs_curves());
        let alone = match needed {
            true => fitting.single_agents(lattice, &response),
            false => vec![None; lattice.drugs()],
        };
        (response, alone)
    }

    /// The scores of each model for each draw; empty without replicates.
    fn draws(
        &self,
        lattice: &Lattice,
        replicates: Option<&Replicates<'_>>,
        fitting: &Fitting,
        seed: Seed,
    ) -> Vec<Vec<Vec<f64>>> {
        let Some(replicates) = replicates else { return Vec::new() };
        let draw = |at: usize| {
            let (response, alone) =
                self.prepared(lattice, fitting, replicates.redrawn(seed.derive(at as u64)));
            let curves: Vec<Option<LogLogistic>> =
                alone.iter().map(|fitted| fitted.as_ref().map(Fitted::curve)).collect();
            let surfaces = self.surfaces(lattice, &response, &curves, fitting);
            surfaces.into_iter().map(|surface| surface.score).collect()
        };
        (0..self.params.bootstrap).into_par_iter().map(draw).collect()
    }

    fn surfaces(
        &self,
        lattice: &Lattice,
        response: &[f64],
        alone: &[Option<LogLogistic>],
        fitting: &Fitting,
    ) -> Vec<Surface> {
        let surface = |model: &SynergyModel| match model {
            SynergyModel::Hsa => Surface::of_singles(lattice, response, f64::max),
            SynergyModel::Bliss => Surface::of_singles(lattice, response, |a, b| a + b - a * b / 100.0),
            SynergyModel::Loewe => Surface::new(lattice, response, |cell| {
                let given = lattice.given(cell);
                let known: Option<Vec<(&LogLogistic, f64)>> =
                    given.map(|drug| Some((alone[drug].as_ref()?, lattice.dose(cell, drug)))).collect();
                known.map_or(f64::NAN, |given| loewe_additive(given.into_iter()))
            }),
            SynergyModel::Zip => {
                let Some(curves) = alone.iter().copied().collect::<Option<Vec<LogLogistic>>>() else {
                    return Surface::new(lattice, response, |_| f64::NAN);
                };
                let zip = ZipSurface::of(lattice, response, &curves, fitting);
                let mut surface = Surface::new(lattice, response, |cell| zip.expected[cell]);
                surface.lines = zip.lines;
                for (cell, score) in surface.score.iter_mut().enumerate().filter(|(_, score)| !score.is_nan())
                {
                    *score = zip.fitted[cell] - zip.expected[cell];
                }
                surface
            }
        };
        self.params.models.iter().map(surface).collect()
    }
}

/// Imputes missing cells: see [`Missing::Imputed`].
fn impute(lattice: &Lattice, fitting: &Fitting, response: &mut [f64]) {
    if response.iter().all(|value| !value.is_nan()) {
        return;
    }
    let fitted = fitting.single_agents(lattice, response);
    let alone: Vec<Option<LogLogistic>> =
        fitted.iter().map(|fitted| fitted.as_ref().map(Fitted::curve)).collect();
    let curves: Option<Vec<LogLogistic>> = alone.iter().copied().collect();
    let zip = curves.map(|curves| ZipSurface::of(lattice, response, &curves, fitting));
    let combined = lattice.combined_doses(response);
    let missing: Vec<usize> = (0..lattice.len())
        .filter(|cell| response[*cell].is_nan() && lattice.is_expected(*cell, &combined))
        .collect();
    for cell in missing {
        let given: Vec<usize> = lattice.given(cell).collect();
        response[cell] = match (given.as_slice(), &zip) {
            ([], _) => f64::NAN,
            ([drug], _) => {
                alone[*drug].map_or(f64::NAN, |curve| 100.0 * (1.0 - curve.at(lattice.dose(cell, *drug))))
            }
            (_, Some(zip)) => zip.smooth[cell],
            (_, None) => f64::NAN,
        };
    }
}

/// The expectation of each cell, and the score.
#[derive(Clone, Debug)]
struct Surface {
    reference: Vec<f64>,
    score: Vec<f64>,
    /// The fitted curves of lines.
    lines: Vec<(Line, Theta)>,
}

impl Surface {
    fn new(lattice: &Lattice, response: &[f64], reference: impl Fn(usize) -> f64) -> Self {
        let of_cell = |cell: usize| if lattice.is_combination(cell) { reference(cell) } else { f64::NAN };
        let reference: Vec<f64> = (0..lattice.len()).map(of_cell).collect();
        let score = response.iter().zip(&reference).map(|(found, expected)| found - expected).collect();
        Self { reference, score, lines: Vec::new() }
    }

    /// From the measured effects of each drug alone, combined two at a time; NaN if a drug was not measured.
    fn of_singles(lattice: &Lattice, response: &[f64], expected: fn(f64, f64) -> f64) -> Self {
        Self::new(lattice, response, |cell| {
            let single = |drug: usize| response[lattice.single(cell, drug)];
            // `max` of a number and NaN would be the number.
            let both = |a: f64, b: f64| if a.is_nan() || b.is_nan() { f64::NAN } else { expected(a, b) };
            lattice.given(cell).map(single).reduce(both).unwrap_or(f64::NAN)
        })
    }
}

/// The mean score of some cells, without cells that have no score.
fn mean_of(cells: impl Iterator<Item = usize>, scores: &[f64]) -> f64 {
    let (mut sum, mut count) = (0.0, 0_u32);
    for cell in cells.filter(|cell| !scores[*cell].is_nan()) {
        sum += scores[cell];
        count += 1;
    }
    sum / f64::from(count)
}

/// Only for two drugs. Doses that were tested only alone are skipped.
fn best_window(lattice: &Lattice, means: &[f64], score: &[f64]) -> Option<Window> {
    let combined = lattice.combined_doses(means);
    let places: Vec<Vec<usize>> =
        combined.iter().map(|doses| (0..doses.len()).filter(|place| doses[*place]).collect()).collect();
    let [a, b] = places.as_slice() else { return None };
    let mut best: Option<Window> = None;
    for rows in a.windows(WINDOW) {
        for columns in b.windows(WINDOW) {
            let of_row = |row: &usize| {
                let row = row * lattice.stride(0);
                columns.iter().map(move |column| score[row + column * lattice.stride(1)])
            };
            let mean = rows.iter().flat_map(of_row).sum::<f64>() / (WINDOW * WINDOW) as f64;
            // A window with a gap has no mean, so it cannot be better.
            if mean > best.map_or(f64::NEG_INFINITY, |best| best.mean) {
                let ends =
                    |drug: usize, places: &[usize]| [0, WINDOW - 1].map(|at| lattice.doses(drug)[places[at]]);
                best = Some(Window { mean, doses_a: ends(0, rows), doses_b: ends(1, columns) });
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
