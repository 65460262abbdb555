//! MuSyC: the 2D Hill equation (Meyer et al. 2019; Wooten et al. 2021).

use halfmax_core::Result;
use serde::{Deserialize, Serialize};

use super::hill::curves;
use super::matrix::DoseMatrix;
use super::surface::{Cell, Problem, Readings, cholesky, solve};
use super::surface_fit::{Asked, Scale, SurfaceParameter, SurfaceQuality, fit};
use crate::shape::LogLogistic;

/// The parameters of the 2D Hill equation. Effects are viabilities as fractions of the control; drug 1 is drug a of the matrix, drug 2 drug b.
///
/// Cells are untouched, taken by drug 1, by drug 2 or by both, and the effect is the mean of `e` over these four states in the
/// steady state of the transitions (Wooten et al. 2021, equation 5 and figure 1). With `u₁ = (d₁ / C₁)^h₁`, `u₂ = (d₂ / C₂)^h₂`,
/// `v₁ = (α₂₁ d₁ / C₁)^(γ₂₁ h₁)` and `v₂ = (α₁₂ d₂ / C₂)^(γ₁₂ h₂)` the shares of the states are in proportion to
///
/// - untouched: `2 + v₁ + v₂`
/// - drug 1: `u₁ (2 + v₁) + u₂ v₁`
/// - drug 2: `u₂ (2 + v₂) + u₁ v₂`
/// - both: `(u₁ + u₂) v₁ v₂ + u₂ v₁ + u₁ v₂`
///
/// which is what the Python package synergy computes with its rates `r1r = r2r = 1`, where every state is left at rate 1.
///
/// ```
/// use halfmax_dose::synergy::MusycSurface;
/// let surface = MusycSurface {
///     effects: [1.0, 0.4, 0.3, 0.12], hill: [1.0, 2.0], ec50: [0.5, 2.0], alpha: [1.0, 1.0], gamma: [1.0, 1.0],
/// };
/// // Drug 1 alone at its EC50, and both at theirs: half of the cells are taken by each.
/// assert!((surface.viability([0.5, 0.0]) - 0.7).abs() < 1e-12);
/// assert!((surface.viability([0.5, 2.0]) - (1.0 + 0.4 + 0.3 + 0.12) / 4.0).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MusycSurface {
    /// The viability without drugs (E₀), at high doses of drug 1 (E₁), of drug 2 (E₂), and of both (E₃).
    pub effects: [f64; 4],
    /// The Hill slopes of the two drugs.
    pub hill: [f64; 2],
    /// The doses of half of each drug's effect, in the unit of the doses.
    pub ec50: [f64; 2],
    /// α₁₂, by how many times drug 1 makes drug 2 more potent, and α₂₁, by how many times drug 2 makes drug 1 more potent.
    pub alpha: [f64; 2],
    /// γ₁₂, by how many times drug 1 makes the curve of drug 2 steeper, and γ₂₁.
    pub gamma: [f64; 2],
}

/// Whether the drugs may change how steep each other's curve is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cooperativity {
    /// γ₁₂ and γ₂₁ are fitted: the equation of Wooten et al. 2021.
    #[default]
    Fitted,
    /// γ₁₂ = γ₂₁ = 1: the equation of Meyer et al. 2019.
    One,
}

/// Plateaus, ln Hill slopes, ln EC50, ln α₁₂ and α₂₁, ln γ₁₂ and γ₂₁.
type Theta = [f64; 12];

/// Beyond this a power is 0 or infinite; also stands for the logarithm of dose 0. Three of them can be multiplied.
const FAR: f64 = 200.0;

const HILL: [f64; 2] = [0.1, 10.0];
const GAMMA: [f64; 2] = [0.1, 10.0];
const ALPHA: [f64; 2] = [1e-4, 1e4];
/// How many decades beyond the tested doses an EC50 may lie.
const DECADES_BEYOND: f64 = 2.0;
/// A β beyond these is not bounded by the readings.
const BETA: [f64; 2] = [-10.0, 10.0];
/// Below this difference between no drug and the stronger one β is not defined.
const LEAST_EFFECT: f64 = 1e-3;

/// The viability and its slopes.
fn surface(theta: &Theta, ln_doses: [f64; 2]) -> (f64, Theta) {
    let [_, _, _, _, ln_h1, ln_h2, c1, c2, a12, a21, ln_g12, ln_g21] = *theta;
    let (h1, h2) = (ln_h1.exp(), ln_h2.exp());
    let (gh1, gh2) = (ln_g21.exp() * h1, ln_g12.exp() * h2);
    let power = |exponent: f64| {
        let clamped = exponent.clamp(-FAR, FAR);
        // Where it is clamped it has no slope.
        (clamped.exp(), clamped, f64::from(u8::from(clamped == exponent)))
    };
    let (u1, ln_u1, in_u1) = power(h1 * (ln_doses[0] - c1));
    let (u2, ln_u2, in_u2) = power(h2 * (ln_doses[1] - c2));
    let (v1, ln_v1, in_v1) = power(gh1 * (ln_doses[0] - c1 + a21));
    let (v2, ln_v2, in_v2) = power(gh2 * (ln_doses[1] - c2 + a12));
    let shares = [
        2.0 + v1 + v2,
        u1 * (2.0 + v1) + u2 * v1,
        u2 * (2.0 + v2) + u1 * v2,
        (u1 + u2) * v1 * v2 + u2 * v1 + u1 * v2,
    ];
    let all = shares[0] + shares[1] + shares[2] + shares[3];
    let mean = |by: [f64; 4], less: f64| {
        (by[0] * (theta[0] - less)
            + by[1] * (theta[1] - less)
            + by[2] * (theta[2] - less)
            + by[3] * (theta[3] - less))
            / all
    };
    let value = mean(shares, 0.0);
    // Slopes in the logarithms of the four powers.
    let by_u1 = in_u1 * mean([0.0, u1 * (2.0 + v1), u1 * v2, u1 * v2 * (v1 + 1.0)], value);
    let by_u2 = in_u2 * mean([0.0, u2 * v1, u2 * (2.0 + v2), u2 * v1 * (v2 + 1.0)], value);
    let both = (u1 + u2) * v1 * v2;
    let by_v1 = in_v1 * mean([v1, (u1 + u2) * v1, 0.0, both + u2 * v1], value);
    let by_v2 = in_v2 * mean([v2, 0.0, (u1 + u2) * v2, both + u1 * v2], value);
    let slopes = [
        shares[0] / all,
        shares[1] / all,
        shares[2] / all,
        shares[3] / all,
        by_u1 * ln_u1 + by_v1 * ln_v1,
        by_u2 * ln_u2 + by_v2 * ln_v2,
        -(by_u1 * h1 + by_v1 * gh1),
        -(by_u2 * h2 + by_v2 * gh2),
        by_v2 * gh2,
        by_v1 * gh1,
        by_v2 * ln_v2,
        by_v1 * ln_v1,
    ];
    (value, slopes)
}

/// β and its slopes in the parameters: by how much more both drugs do than the stronger one, as a share of what that does (Wooten et al. 2021,
/// equation 6). None where neither drug does anything.
fn beta(theta: &Theta) -> Option<(f64, Theta)> {
    let [e0, e1, e2, e3, ..] = *theta;
    let stronger = if e1 <= e2 { 1 } else { 2 };
    let effect = e0 - theta[stronger];
    if effect < LEAST_EFFECT {
        return None;
    }
    let value = (theta[stronger] - e3) / effect;
    let mut slopes = [0.0; 12];
    slopes[0] = -value / effect;
    slopes[3] = -1.0 / effect;
    slopes[stronger] = (1.0 + value) / effect;
    Some((value, slopes))
}

impl MusycSurface {
    fn from_theta(theta: &Theta) -> Self {
        Self {
            effects: [theta[0], theta[1], theta[2], theta[3]],
            hill: [theta[4].exp(), theta[5].exp()],
            ec50: [theta[6].exp(), theta[7].exp()],
            alpha: [theta[8].exp(), theta[9].exp()],
            gamma: [theta[10].exp(), theta[11].exp()],
        }
    }

    /// The viability at two doses, each in the unit of its drug's EC50.
    pub fn viability(&self, doses: [f64; 2]) -> f64 {
        let [e0, e1, e2, e3] = self.effects;
        let ln = |pair: [f64; 2]| pair.map(f64::ln);
        let ([h1, h2], [c1, c2]) = (ln(self.hill), ln(self.ec50));
        let ([a12, a21], [g12, g21]) = (ln(self.alpha), ln(self.gamma));
        surface(&[e0, e1, e2, e3, h1, h2, c1, c2, a12, a21, g12, g21], doses.map(f64::ln)).0
    }

    /// Synergistic efficacy: `β = (min(E₁, E₂) − E₃) / (E₀ − min(E₁, E₂))` (Wooten et al. 2021, equation 6), above 0 where both drugs together
    /// do more than the stronger one alone. NaN where neither drug does anything.
    pub fn beta(&self) -> f64 {
        let [e0, e1, e2, e3] = self.effects;
        beta(&[e0, e1, e2, e3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]).map_or(f64::NAN, |(value, _)| value)
    }

    fn swapped(mut self) -> Self {
        self.effects.swap(1, 2);
        self.hill.swap(0, 1);
        self.ec50.swap(0, 1);
        self.alpha.swap(0, 1);
        self.gamma.swap(0, 1);
        self
    }
}

/// A fitted 2D Hill equation: each of its parameters with a 95 % interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MusycFit {
    /// The least-squares surface, whether its parameters are known or not.
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
    /// β: above 0 is synergy of efficacy, below 0 antagonism. Undefined where neither drug does anything.
    pub beta: SurfaceParameter,
    /// How well the surface fits.
    pub quality: SurfaceQuality,
    /// Whether a drug does nothing that the readings show, neither alone nor at high doses of the other. Where and how steeply it acts is then not
    /// known, nor how the other drug changes that: these intervals are open.
    pub without_effect: [bool; 2],
}

/// Whether the readings do not rule out that an effect is 0.
fn reaches_zero(effect: &SurfaceParameter) -> bool {
    // An open end is one of an effect without bound.
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

    /// What to know before the parameters are used, with semicolons between: `X_open` and `X_at_limit` of parameter X, `beta_undefined`,
    /// `drug_1_without_effect`, `drug_2_without_effect`, `poor_fit` (R² below 0.5, or a residual standard error above 0.25) and `lack_of_fit` (p
    /// below 0.001).
    pub fn flags(&self) -> String {
        let names = ["drug_1_without_effect", "drug_2_without_effect"];
        let inert =
            names.into_iter().zip(self.without_effect).filter(|(_, inert)| *inert).map(|(name, _)| name);
        self.quality.flags(&self.parameters(), inert)
    }

    fn open_what_nothing_shows(&mut self, cooperativity: Cooperativity) {
        for drug in (0..2).filter(|drug| self.without_effect[*drug]) {
            // α₁₂ and γ₁₂, which come first, are of drug 2.
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

/// Fits the 2D Hill equation to all readings of a matrix, of the drugs alone and together, by least squares. Plateaus stay within the means of
/// the cells, or within 0 and 1 where these do; Hill slopes and γ within 0.1 and 10, α within 10⁻⁴ and 10⁴, and EC50 within two decades of
/// the tested doses.
///
/// # Errors
/// If a drug was measured at fewer than three doses alone, or there are no more pairs of doses than parameters (12, or 10 with
/// [`Cooperativity::One`]).
///
/// ```
/// use halfmax_dose::synergy::{Cooperativity, DoseMatrix, MusycSurface, fit_musyc};
/// let truth = MusycSurface {
///     effects: [1.0, 0.4, 0.3, 0.1], hill: [1.0, 2.0], ec50: [0.5, 2.0], alpha: [3.0, 1.0], gamma: [1.0, 1.0],
/// };
/// let doses = [0.0, 0.1, 0.3, 1.0, 3.0, 10.0];
/// let pairs = doses.iter().flat_map(|a| doses.map(|b| [*a, b, 100.0 * (1.0 - truth.viability([*a, b]))]));
/// let fit = fit_musyc(&DoseMatrix::new(&pairs.collect::<Vec<_>>())?, Cooperativity::Fitted)?;
/// assert!((fit.alpha[0].estimate.value - 3.0).abs() < 0.01);
/// # Ok::<(), halfmax_core::Error>(())
/// ```
pub fn fit_musyc(matrix: &DoseMatrix, cooperativity: Cooperativity) -> Result<MusycFit> {
    let curves = curves(matrix)?;
    let readings = Readings::of(matrix);
    let curves = if readings.swapped { [curves[1], curves[0]] } else { curves };
    let problem = problem(&readings, cooperativity);
    let asked = asked(&problem);
    let fitted = fit(&problem, &starts(&problem, &curves), &readings, &asked)?;
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
    // What each drug does alone, and at high doses of the other.
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

/// Shifts of potency that starts are tried with.
const ALPHAS: [f64; 3] = [0.1, 1.0, 10.0];
/// Starts that are gone down from.
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
        // Drawn to the middle where the readings say nothing.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The slopes of the surface and of β against differences.
    #[test]
    fn slopes_are_those_of_the_surface() {
        let theta = [0.97, 0.5, 0.3, 0.1, 0.2, -0.3, 0.4, -0.5, 0.7, -0.6, 0.2, -0.3];
        for ln_doses in [[0.3, -0.2], [f64::NEG_INFINITY, 0.4], [1.0, f64::NEG_INFINITY], [-2.0, 3.0]] {
            let (_, slopes) = surface(&theta, ln_doses);
            for at in 0..12 {
                let moved = |by: f64| {
                    let mut moved = theta;
                    moved[at] += by;
                    (surface(&moved, ln_doses).0, beta(&moved).unwrap().0)
                };
                let (more, less) = (moved(1e-6), moved(-1e-6));
                let found = (more.0 - less.0) / 2e-6;
                assert!((slopes[at] - found).abs() < 1e-8, "{at}: {} {found}", slopes[at]);
                let found = (more.1 - less.1) / 2e-6;
                let slope = beta(&theta).unwrap().1[at];
                assert!((slope - found).abs() < 1e-8, "β, {at}: {slope} {found}");
            }
        }
    }

    #[test]
    fn extreme_parameters_do_not_overflow() {
        let surface = MusycSurface {
            effects: [1.0, 0.4, 0.3, 0.1],
            hill: [10.0, 10.0],
            ec50: [1e-9, 1e-9],
            alpha: [1e4, 1e4],
            gamma: [10.0, 10.0],
        };
        assert!((surface.viability([1e9, 1e9]) - 0.1).abs() < 1e-12);
        assert!((surface.viability([0.0, 0.0]) - 1.0).abs() < 1e-12);
    }
}
