//! BRAID: the bivariate response to additive interacting doses (Twarog et al. 2016).

use halfmax_core::Result;
use serde::{Deserialize, Serialize};

use super::hill::curves;
use super::matrix::DoseMatrix;
use super::surface::{Problem, Readings};
use super::surface_fit::{Asked, Scale, SurfaceParameter, SurfaceQuality, fit};
use crate::params::check_confidence;
use crate::shape::LogLogistic;

/// The parameters of a BRAID surface. Effects are viabilities as fractions of the control; drug 1 is drug a of the matrix, drug 2 drug b.
///
/// With `F = (E − E₀) / (E_f − E₀)` of each drug, `t = (d / C)^h` and `n = √(h₁ h₂)`, each dose
/// becomes `D = F t / (1 + (1 − F) t)`, and
///
/// `E = E₀ + (E_f − E₀) / (1 + (D₁^(1/n) + D₂^(1/n) + κ √(D₁^(1/n) D₂^(1/n)))^(−n))`
///
/// (Twarog et al. 2016). With κ = 0 and `E_f = E₁ = E₂`, a drug combined with itself is additive, as in Loewe's model.
///
/// ```
/// use halfmax_dose::synergy::BraidSurface;
/// let surface = |kappa: f64| BraidSurface { effects: [1.0, 0.1, 0.1, 0.1], hill: [1.5, 1.5], ec50: [1.0, 2.0], kappa };
/// // Half an EC50 of each drug is as much as one EC50; with synergy more.
/// assert!((surface(0.0).viability([0.5, 1.0]) - 0.55).abs() < 1e-12);
/// assert!(surface(2.0).viability([0.5, 1.0]) < 0.4);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BraidSurface {
    /// The viability without drugs (E₀), at high doses of drug 1 (E₁), of drug 2 (E₂) and of both (E_f): E₁ and E₂ lie between E₀ and E_f.
    pub effects: [f64; 4],
    /// The Hill slopes.
    pub hill: [f64; 2],
    /// The doses of half of each drug's effect, in the unit of the doses.
    pub ec50: [f64; 2],
    /// κ: above 0 synergy, between −2 and 0 antagonism.
    pub kappa: f64,
}

/// The maximal effect of both drugs together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaximalEffect {
    /// E_f is fitted (`kappa3` of the R package braidrm; the Python package synergy's `BRAID`). If both drugs together
    /// exceed the maximal effect of the stronger drug, this does not count as synergy of potency.
    #[default]
    Fitted,
    /// E_f is the lower of E₁ and E₂ (`kappa2` of braidrm, its default).
    OfTheStronger,
}

/// E₀, its decrease by each drug, ln Hill slopes, ln EC50, ln (κ + 2), the fraction of the possible joint effect beyond
/// the stronger drug, and the largest possible effect (fixed).
type Theta = [f64; 10];

/// Beyond this a power is infinite. Its negative replaces the logarithm of dose 0, whose power is 0.
const FAR: f64 = 200.0;
const NOTHING: f64 = -5000.0;

const HILL: [f64; 2] = [0.1, 10.0];
const KAPPA: [f64; 2] = [-1.98, 100.0];
/// A drug with a smaller effect has no curve.
const LEAST_EFFECT: f64 = 1e-6;
const DECADES_BEYOND: f64 = 2.0;

fn add(to: &mut Theta, by: f64, what: &Theta) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += by * what);
}

/// The decrease of E₀ by both drugs, and its gradient.
fn most(theta: &Theta) -> (f64, Theta) {
    let stronger = if theta[1] >= theta[2] { 1 } else { 2 };
    let rest = theta[9] - theta[stronger];
    let mut slopes = [0.0; 10];
    slopes[stronger] = 1.0 - theta[8];
    slopes[8] = rest;
    ((theta[stronger] + theta[8] * rest).max(theta[stronger]), slopes)
}

/// ln D of a drug, and its gradient.
fn ln_scaled_dose(theta: &Theta, drug: usize, ln_dose: f64) -> (f64, Theta) {
    let (own, (most, most_slopes)) = (theta[1 + drug], most(theta));
    let share = own / most;
    let hill = theta[3 + drug].exp();
    let exponent = hill * (ln_dose - theta[5 + drug]);
    let ln_t = exponent.clamp(NOTHING, FAR);
    let t = ln_t.exp();
    let rest = 1.0 + (1.0 - share) * t;
    let mut slopes = [0.0; 10];
    let by_ln_share = 1.0 + share * t / rest;
    slopes[1 + drug] += by_ln_share / own;
    add(&mut slopes, -by_ln_share / most, &most_slopes);
    if ln_t == exponent {
        slopes[3 + drug] = ln_t / rest;
        slopes[5 + drug] = -hill / rest;
    }
    (share.ln() + ln_t - rest.ln(), slopes)
}

/// The viability and its gradient.
fn surface(theta: &Theta, ln_doses: [f64; 2]) -> (f64, Theta) {
    let n = ((theta[3] + theta[4]) / 2.0).exp();
    // ln of D^(1/n), and its gradient.
    let scaled = |drug: usize| {
        let (ln_d, mut slopes) = ln_scaled_dose(theta, drug, ln_doses[drug]);
        slopes.iter_mut().for_each(|slope| *slope /= n);
        let value = ln_d / n;
        slopes[3] -= value / 2.0;
        slopes[4] -= value / 2.0;
        (value, slopes)
    };
    let ((l1, slopes1), (l2, slopes2)) = (scaled(0), scaled(1));
    let largest = l1.max(l2);
    let above_least = theta[7].exp();
    let kappa = above_least - 2.0;
    let (p1, p2) = ((l1 - largest).exp(), (l2 - largest).exp());
    let between = ((l1 + l2) / 2.0 - largest).exp();
    let sum = (p1 + p2 + kappa * between).max(1e-12);
    let ln_sum = largest + sum.ln();
    let q = (n * ln_sum).clamp(NOTHING, FAR);
    let mut by = [0.0; 10];
    add(&mut by, n * (p1 + kappa * between / 2.0) / sum, &slopes1);
    add(&mut by, n * (p2 + kappa * between / 2.0) / sum, &slopes2);
    by[3] += n / 2.0 * ln_sum;
    by[4] += n / 2.0 * ln_sum;
    by[7] += n * between / sum * above_least;
    let taken = 1.0 / (1.0 + (-q).exp());
    let (most, most_slopes) = most(theta);
    let mut slopes = [0.0; 10];
    add(&mut slopes, -most * taken * (1.0 - taken), &by);
    add(&mut slopes, -taken, &most_slopes);
    slopes[0] += 1.0;
    (theta[0] - most * taken, slopes)
}

impl BraidSurface {
    fn theta(&self) -> Theta {
        let [e0, e1, e2, ef] = self.effects;
        let [h1, h2] = self.hill.map(f64::ln);
        let [c1, c2] = self.ec50.map(f64::ln);
        let effect = |at: f64| (e0 - at).max(LEAST_EFFECT);
        let most = effect(e1).max(effect(e2));
        let all = most + 1.0;
        let share = (effect(ef) - most).max(0.0) / (all - most);
        [e0, effect(e1), effect(e2), h1, h2, c1, c2, (self.kappa + 2.0).ln(), share, all]
    }

    fn from_theta(theta: &Theta) -> Self {
        Self {
            effects: [theta[0], theta[0] - theta[1], theta[0] - theta[2], theta[0] - most(theta).0],
            hill: [theta[3].exp(), theta[4].exp()],
            ec50: [theta[5].exp(), theta[6].exp()],
            kappa: theta[7].exp() - 2.0,
        }
    }

    /// The viability at two doses, each in the unit of its drug's EC50.
    pub fn viability(&self, doses: [f64; 2]) -> f64 {
        surface(&self.theta(), doses.map(f64::ln)).0
    }
}

/// A fitted BRAID surface. Each parameter has a 95 % interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BraidFit {
    /// The least-squares surface, even if some parameters are unknown.
    pub surface: BraidSurface,
    /// E₀, E₁, E₂ and E_f.
    pub effects: [SurfaceParameter; 4],
    /// The Hill slopes.
    pub hill: [SurfaceParameter; 2],
    /// The doses of half of each drug's effect.
    pub ec50: [SurfaceParameter; 2],
    /// κ: above 0 synergy, between −2 and 0 antagonism.
    pub kappa: SurfaceParameter,
    /// The quality of the fit.
    pub quality: SurfaceQuality,
}

impl BraidFit {
    /// The parameters by name: `e0`, `e1`, `e2`, `ef`, `h1`, `h2`, `c1`, `c2` and `kappa`.
    pub fn parameters(&self) -> [(&'static str, &SurfaceParameter); 9] {
        [
            ("e0", &self.effects[0]),
            ("e1", &self.effects[1]),
            ("e2", &self.effects[2]),
            ("ef", &self.effects[3]),
            ("h1", &self.hill[0]),
            ("h2", &self.hill[1]),
            ("c1", &self.ec50[0]),
            ("c2", &self.ec50[1]),
            ("kappa", &self.kappa),
        ]
    }

    /// Warnings about the parameters, separated by semicolons: `X_open` and `X_at_limit` for parameter X, `poor_fit`
    /// and `lack_of_fit`, as of [`super::MusycFit::flags`].
    pub fn flags(&self) -> String {
        self.quality.flags(&self.parameters(), std::iter::empty())
    }

    fn swapped(mut self) -> Self {
        self.surface.effects.swap(1, 2);
        self.surface.hill.swap(0, 1);
        self.surface.ec50.swap(0, 1);
        self.effects.swap(1, 2);
        self.hill.swap(0, 1);
        self.ec50.swap(0, 1);
        self
    }
}

/// Fits a BRAID surface to all readings of a matrix, of the drugs alone and together, by least squares, without a prior
/// on κ (braidrm has one by default). E₀ and E_f stay within the range of the cell means, extended to include 0 and 1;
/// Hill slopes within 0.1 and 10, κ within −1.98 and 100, and EC50 within two decades of the tested doses. `confidence`
/// is the nominal coverage of intervals (0.95 for 95 %).
///
/// # Errors
/// If `confidence` is not within 0.5 and 0.999, a drug was measured at fewer than three doses alone, or there are no more pairs of doses than parameters (9, or 8 with
/// [`MaximalEffect::OfTheStronger`]).
pub fn fit_braid(matrix: &DoseMatrix, maximal: MaximalEffect, confidence: f64) -> Result<BraidFit> {
    check_confidence(confidence)?;
    let curves = curves(matrix)?;
    let readings = Readings::of(matrix);
    let curves = if readings.swapped { [curves[1], curves[0]] } else { curves };
    let problem = problem(&readings, maximal);
    let fitted = fit(&problem, &starts(&problem, &curves), &readings, &asked(&problem), confidence)?;
    let at = |at: usize| fitted.parameters[at];
    let fit = BraidFit {
        surface: BraidSurface::from_theta(&fitted.theta),
        effects: [at(0), at(1), at(2), at(3)],
        hill: [at(4), at(5)],
        ec50: [at(6), at(7)],
        kappa: at(8),
        quality: fitted.quality,
    };
    Ok(if readings.swapped { fit.swapped() } else { fit })
}

fn problem(readings: &Readings, maximal: MaximalEffect) -> Problem<'_, 10> {
    let plateau = readings.plateaus();
    let most = plateau[1] - plateau[0];
    let effect = [LEAST_EFFECT, most];
    let more = match maximal {
        MaximalEffect::Fitted => [0.0, 1.0],
        MaximalEffect::OfTheStronger => [0.0; 2],
    };
    let beyond = DECADES_BEYOND * std::f64::consts::LN_10;
    let ec50 = [0, 1].map(|drug| {
        let [low, high] = readings.tested(drug);
        [low - beyond, high + beyond]
    });
    let (hill, kappa) = (HILL.map(f64::ln), KAPPA.map(|kappa| (kappa + 2.0).ln()));
    Problem {
        cells: &readings.cells,
        surface,
        ranges: [plateau, effect, effect, hill, hill, ec50[0], ec50[1], kappa, more, [most; 2]],
        longest: [0.5, 0.5, 0.5, 0.7, 0.7, 1.5, 1.5, 1.0, 0.3, 1.0],
    }
}

fn asked(problem: &Problem<'_, 10>) -> Vec<Asked<'static, 10>> {
    let lowered = |drug: usize| Asked {
        function: Box::new(move |theta: &Theta| {
            let mut slopes = [0.0; 10];
            (slopes[0], slopes[1 + drug]) = (1.0, -1.0);
            Some((theta[0] - theta[1 + drug], slopes))
        }),
        scale: Scale::Plateau,
        parameter: None,
    };
    let by_both = Asked {
        function: Box::new(|theta: &Theta| {
            let (most, mut slopes) = most(theta);
            slopes.iter_mut().for_each(|slope| *slope = -*slope);
            slopes[0] += 1.0;
            Some((theta[0] - most, slopes))
        }),
        scale: Scale::Plateau,
        parameter: None,
    };
    let kappa = Asked {
        function: Box::new(|theta: &Theta| {
            let mut slopes = [0.0; 10];
            slopes[7] = theta[7].exp();
            Some((theta[7].exp() - 2.0, slopes))
        }),
        scale: Scale::Plain([KAPPA[0] + 1e-4, KAPPA[1] - 1e-2]),
        parameter: Some(7),
    };
    let mut asked = vec![Asked::parameter(0, Scale::Plateau), lowered(0), lowered(1), by_both];
    asked.extend((3..7).map(|at| {
        let [low, high] = problem.ranges[at];
        let slack = 1e-6 * (high - low);
        Asked::parameter(at, Scale::Logarithm([low + slack, high - slack]))
    }));
    asked.push(kappa);
    asked
}

/// The values of κ at starting points, and the fractions of the joint effect beyond the stronger drug.
const KAPPAS: [f64; 4] = [-1.0, 0.0, 2.0, 10.0];
const SHARES: [f64; 2] = [0.0, 0.5];

fn starts(problem: &Problem<'_, 10>, curves: &[LogLogistic; 2]) -> Vec<Theta> {
    let top = (curves[0].top + curves[1].top) / 2.0;
    let start = |kappa: f64, share: f64| {
        let surface = BraidSurface {
            effects: [top, curves[0].bottom, curves[1].bottom, top],
            hill: curves.map(|curve| curve.hill.clamp(0.3, 5.0)),
            ec50: curves.map(|curve| curve.ec50),
            kappa,
        };
        let mut theta = surface.theta();
        (theta[8], theta[9]) = (problem.clamp(8, share), problem.ranges[9][0]);
        theta
    };
    let shares = if problem.is_free(8) { &SHARES[..] } else { &SHARES[..1] };
    KAPPAS.into_iter().flat_map(|kappa| shares.iter().map(move |share| start(kappa, *share))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares the gradient of the surface with finite differences.
    #[test]
    fn slopes_are_those_of_the_surface() {
        for theta in [
            [0.97, 0.5, 0.8, 0.2, -0.3, 0.4, -0.5, 1.1, 0.05, 1.0],
            [1.0, 0.8, 0.4, -0.2, 0.3, 0.1, 0.5, -0.6, 0.6, 1.1],
        ] {
            for ln_doses in [[0.3, -0.2], [f64::NEG_INFINITY, 0.4], [1.0, f64::NEG_INFINITY], [-2.0, 3.0]] {
                let (_, slopes) = surface(&theta, ln_doses);
                for at in 0..9 {
                    let moved = |by: f64| {
                        let mut moved = theta;
                        moved[at] += by;
                        surface(&moved, ln_doses).0
                    };
                    let found = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                    assert!((slopes[at] - found).abs() < 1e-8, "{ln_doses:?} {at}: {} {found}", slopes[at]);
                }
            }
        }
    }

    #[test]
    fn each_drug_alone_is_a_hill_curve() {
        let surface =
            BraidSurface { effects: [0.9, 0.3, 0.5, 0.1], hill: [1.7, 0.6], ec50: [0.4, 3.0], kappa: 50.0 };
        for dose in [0.0, 0.1, 1.0, 30.0] {
            let one = LogLogistic { top: 0.9, bottom: 0.3, ec50: 0.4, hill: 1.7 };
            let two = LogLogistic { top: 0.9, bottom: 0.5, ec50: 3.0, hill: 0.6 };
            assert!((surface.viability([dose, 0.0]) - one.at(dose)).abs() < 1e-9);
            assert!((surface.viability([0.0, dose]) - two.at(dose)).abs() < 1e-9);
        }
    }
}
