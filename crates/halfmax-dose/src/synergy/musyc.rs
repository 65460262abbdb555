//! MuSyC: fits of the 2D Hill equation (Meyer et al. 2019; Wooten et al. 2021).

use halfmax_core::Result;
use serde::{Deserialize, Serialize};

use super::hill::curves;
use super::matrix::DoseMatrix;
use super::musyc_surface::{MusycSurface, Theta, beta, surface};
use super::surface::{Cell, Problem, Readings, cholesky, solve};
use super::surface_fit::{Asked, Scale, SurfaceParameter, SurfaceQuality, fit};
use crate::params::check_confidence;
use crate::shape::LogLogistic;

/// Whether the drugs may change the steepness of each other's curve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cooperativity {
    /// γ₁₂ and γ₂₁ are fitted: the equation of Wooten et al. 2021.
    #[default]
    Fitted,
    /// γ₁₂ = γ₂₁ = 1: the equation of Meyer et al. 2019.
    One,
}

const HILL: [f64; 2] = [0.1, 10.0];
const GAMMA: [f64; 2] = [0.1, 10.0];
const ALPHA: [f64; 2] = [1e-4, 1e4];
/// The largest distance of an EC50 from the tested doses, in decades.
const DECADES_BEYOND: f64 = 2.0;
/// An end of β beyond these is open.
const BETA: [f64; 2] = [-10.0, 10.0];
/// A fitted 2D Hill equation. Each parameter has a 95 % interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MusycFit {
    /// The least-squares surface, even if some parameters are unknown.
    pub surface: MusycSurface,
    /// E₀, E₁, E₂ and E₃.
    pub effects: [SurfaceParameter; 4],
    /// The Hill slopes.
    pub hill: [SurfaceParameter; 2],
    /// The doses of half of each drug's effect.
    pub ec50: [SurfaceParameter; 2],
    /// α₁₂ and α₂₁: above 1 is synergy of potency, below 1 antagonism.
    pub alpha: [SurfaceParameter; 2],
    /// γ₁₂ and γ₂₁: above 1 the curve becomes steeper.
    pub gamma: [SurfaceParameter; 2],
    /// β: above 0 is synergy of efficacy, below 0 antagonism. Undefined if neither drug has an effect.
    pub beta: SurfaceParameter,
    /// The quality of the fit.
    pub quality: SurfaceQuality,
    /// Whether the readings show no effect of a drug, neither alone nor at high doses of the other. Its EC50 and slope,
    /// and their change by the other drug, are then unknown, and their intervals are open.
    pub without_effect: [bool; 2],
}

/// Whether the readings allow an effect of 0.
fn reaches_zero(effect: &SurfaceParameter) -> bool {
    // An open end means that the effect is unbounded.
    effect.estimate.lower.is_nan() || effect.estimate.lower <= 0.0
}

impl MusycFit {
    /// The parameters by name: `e0` to `e3`, `h1`, `h2`, `c1`, `c2`, `alpha_12`, `alpha_21`, `gamma_12`, `gamma_21` and `beta`.
    pub fn parameters(&self) -> [(&'static str, &SurfaceParameter); 13] {
        [
            ("e0", &self.effects[0]),
            ("e1", &self.effects[1]),
            ("e2", &self.effects[2]),
            ("e3", &self.effects[3]),
            ("h1", &self.hill[0]),
            ("h2", &self.hill[1]),
            ("c1", &self.ec50[0]),
            ("c2", &self.ec50[1]),
            ("alpha_12", &self.alpha[0]),
            ("alpha_21", &self.alpha[1]),
            ("gamma_12", &self.gamma[0]),
            ("gamma_21", &self.gamma[1]),
            ("beta", &self.beta),
        ]
    }

    /// Warnings about the parameters, separated by semicolons: `X_open` and `X_at_limit` for parameter X,
    /// `beta_undefined`, `drug_1_without_effect`, `drug_2_without_effect`, `poor_fit` (R² below 0.5, or a residual
    /// standard error above 0.25) and `lack_of_fit` (p below 0.001).
    pub fn flags(&self) -> String {
        let names = ["drug_1_without_effect", "drug_2_without_effect"];
        let inert =
            names.into_iter().zip(self.without_effect).filter(|(_, inert)| *inert).map(|(name, _)| name);
        self.quality.flags(&self.parameters(), inert)
    }

    fn open_what_nothing_shows(&mut self, cooperativity: Cooperativity) {
        for drug in (0..2).filter(|drug| self.without_effect[*drug]) {
            // α₁₂ and γ₁₂ come first and belong to drug 2.
            let mut unknown = vec![&mut self.hill[drug], &mut self.ec50[drug], &mut self.alpha[1 - drug]];
            if cooperativity == Cooperativity::Fitted {
                unknown.push(&mut self.gamma[1 - drug]);
            }
            unknown.into_iter().for_each(SurfaceParameter::open_both_ends);
        }
    }

    fn swapped(mut self) -> Self {
        self.surface = self.surface.swapped();
        self.without_effect.swap(0, 1);
        self.effects.swap(1, 2);
        for pair in [&mut self.hill, &mut self.ec50, &mut self.alpha, &mut self.gamma] {
            pair.swap(0, 1);
        }
        self
    }
}

/// Fits the 2D Hill equation to all readings of a matrix, of the drugs alone and together, by least squares. Plateaus
/// stay within the range of the cell means, extended to include 0 and 1; Hill slopes and γ within 0.1 and 10, α within
/// 10⁻⁴ and 10⁴, and EC50 within two decades of the tested doses. `confidence` is the nominal coverage of intervals
/// (0.95 for 95 %).
///
/// # Errors
/// If `confidence` is not within 0.5 and 0.999, a drug was measured at fewer than three doses alone, or there are no more pairs of doses than parameters (12, or 10 with
/// [`Cooperativity::One`]).
///
/// ```
/// use halfmax_dose::synergy::{Cooperativity, DoseMatrix, MusycSurface, fit_musyc};
/// let truth = MusycSurface {
///     effects: [1.0, 0.4, 0.3, 0.1], hill: [1.0, 2.0], ec50: [0.5, 2.0], alpha: [3.0, 1.0], gamma: [1.0, 1.0],
/// };
/// let doses = [0.0, 0.1, 0.3, 1.0, 3.0, 10.0];
/// let pairs = doses.iter().flat_map(|a| doses.map(|b| [*a, b, 100.0 * (1.0 - truth.viability([*a, b]))]));
/// let fit = fit_musyc(&DoseMatrix::new(&pairs.collect::<Vec<_>>())?, Cooperativity::Fitted, 0.95)?;
/// assert!((fit.alpha[0].estimate.value - 3.0).abs() < 0.01);
/// # Ok::<(), halfmax_core::Error>(())
/// ```
pub fn fit_musyc(matrix: &DoseMatrix, cooperativity: Cooperativity, confidence: f64) -> Result<MusycFit> {
    check_confidence(confidence)?;
    let curves = curves(matrix)?;
    let readings = Readings::of(matrix);
    let curves = if readings.swapped { [curves[1], curves[0]] } else { curves };
    let problem = problem(&readings, cooperativity);
    let asked = asked(&problem);
    let fitted = fit(&problem, &starts(&problem, &curves), &readings, &asked, confidence)?;
    let at = |at: usize| fitted.parameters[at];
    let gamma = match cooperativity {
        Cooperativity::Fitted => [at(10), at(11)],
        Cooperativity::One => [SurfaceParameter::fixed(1.0); 2],
    };
    let mut fit = MusycFit {
        surface: MusycSurface::from_theta(&fitted.theta),
        effects: [at(0), at(1), at(2), at(3)],
        hill: [at(4), at(5)],
        ec50: [at(6), at(7)],
        alpha: [at(8), at(9)],
        gamma,
        beta: at(12),
        quality: fitted.quality,
        without_effect: [0, 1]
            .map(|drug| [12 + 1 + 2 * drug, 12 + 2 + 2 * drug].iter().all(|of| reaches_zero(&at(*of)))),
    };
    fit.open_what_nothing_shows(cooperativity);
    Ok(if readings.swapped { fit.swapped() } else { fit })
}

fn problem(readings: &Readings, cooperativity: Cooperativity) -> Problem<'_, 12> {
    let plateau = readings.plateaus();
    let beyond = DECADES_BEYOND * std::f64::consts::LN_10;
    let ec50 = [0, 1].map(|drug| {
        let [low, high] = readings.tested(drug);
        [low - beyond, high + beyond]
    });
    let (hill, alpha) = (HILL.map(f64::ln), ALPHA.map(f64::ln));
    let gamma = match cooperativity {
        Cooperativity::Fitted => GAMMA.map(f64::ln),
        Cooperativity::One => [0.0; 2],
    };
    Problem {
        cells: &readings.cells,
        surface,
        ranges: [
            plateau, plateau, plateau, plateau, hill, hill, ec50[0], ec50[1], alpha, alpha, gamma, gamma,
        ],
        longest: [0.5, 0.5, 0.5, 0.5, 0.7, 0.7, 1.5, 1.5, 2.0, 2.0, 0.7, 0.7],
    }
}

fn asked(problem: &Problem<'_, 12>) -> Vec<Asked<'static, 12>> {
    let mut asked: Vec<Asked<'static, 12>> = (0..12)
        .map(|at| {
            let [low, high] = problem.ranges[at];
            let slack = 1e-6 * (high - low);
            let scale = if at < 4 { Scale::Plateau } else { Scale::Logarithm([low + slack, high - slack]) };
            Asked::parameter(at, scale)
        })
        .collect();
    asked.push(Asked { function: Box::new(beta), scale: Scale::Plain(BETA), parameter: None });
    // The effect of each drug alone, and at high doses of the other.
    for [without, with] in [[0, 1], [2, 3], [0, 2], [1, 3]] {
        asked.push(Asked {
            function: Box::new(move |theta: &Theta| {
                let mut slopes = [0.0; 12];
                (slopes[without], slopes[with]) = (1.0, -1.0);
                Some((theta[without] - theta[with], slopes))
            }),
            scale: Scale::Plain([f64::NEG_INFINITY, f64::INFINITY]),
            parameter: None,
        });
    }
    asked
}

/// The shifts of potency at starting points.
const ALPHAS: [f64; 3] = [0.1, 1.0, 10.0];
/// The number of starts that are descended from.
const STARTS: usize = 4;

/// The best starts, best first: the curves of the drugs alone with shifts of potency, plateaus by least squares.
fn starts(problem: &Problem<'_, 12>, curves: &[LogLogistic; 2]) -> Vec<Theta> {
    let mut starts: Vec<(Theta, f64)> = Vec::new();
    for a12 in ALPHAS {
        for a21 in ALPHAS {
            let mut theta = [0.0; 12];
            for (drug, curve) in curves.iter().enumerate() {
                theta[4 + drug] = problem.clamp(4 + drug, curve.hill.clamp(0.3, 5.0).ln());
                theta[6 + drug] = problem.clamp(6 + drug, curve.ec50.ln());
            }
            (theta[8], theta[9]) = (a12.ln(), a21.ln());
            solve_plateaus(problem, &mut theta);
            starts.push((theta, problem.cost(&theta)));
        }
    }
    starts.sort_by(|a, b| a.1.total_cmp(&b.1));
    starts.truncate(STARTS);
    starts.into_iter().map(|(theta, _)| theta).collect()
}

/// The least-squares plateaus, clamped to their ranges; the surface is linear in them.
fn solve_plateaus(problem: &Problem<'_, 12>, theta: &mut Theta) {
    let mut matrix = [[0.0; 4]; 4];
    let mut right = [0.0; 4];
    for Cell { ln_doses, weight, mean } in problem.cells {
        let (_, slopes) = surface(theta, *ln_doses);
        for row in 0..4 {
            right[row] += weight * slopes[row] * mean;
            for column in 0..4 {
                matrix[row][column] += weight * slopes[row] * slopes[column];
            }
        }
    }
    for (at, row) in matrix.iter_mut().enumerate() {
        // A weak pull to the middle, for readings without information.
        row[at] += 1e-3;
        right[at] += 1e-3 * 0.5;
    }
    if let Some(factor) = cholesky(&matrix, &[true; 4]) {
        let plateaus = solve(&factor, &[true; 4], &right);
        for (at, value) in plateaus.into_iter().enumerate() {
            theta[at] = problem.clamp(at, value);
        }
    }
}
