//! The 2D Hill equation of MuSyC (Meyer et al. 2019; Wooten et al. 2021).

use serde::{Deserialize, Serialize};

/// The parameters of the 2D Hill equation. Effects are viabilities as fractions of the control; drug 1 is drug a of the matrix, drug 2 drug b.
///
/// Cells are unaffected, affected by drug 1, by drug 2 or by both. The effect is the mean of `e` over these four states
/// in the steady state of the transitions (Wooten et al. 2021, equation 5 and figure 1). With `u₁ = (d₁ / C₁)^h₁`, `u₂
/// = (d₂ / C₂)^h₂`, `v₁ = (α₂₁ d₁ / C₁)^(γ₂₁ h₁)` and `v₂ = (α₁₂ d₂ / C₂)^(γ₁₂ h₂)` the fractions of the states are
/// proportional to
///
/// - unaffected: `2 + v₁ + v₂`
/// - drug 1: `u₁ (2 + v₁) + u₂ v₁`
/// - drug 2: `u₂ (2 + v₂) + u₁ v₂`
/// - both: `(u₁ + u₂) v₁ v₂ + u₂ v₁ + u₁ v₂`
///
/// as the Python package synergy computes with its rates `r1r = r2r = 1`, which leave every state at rate 1.
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
    /// α₁₂, the factor by which drug 1 increases the potency of drug 2, and α₂₁, the factor by which drug 2 increases
    /// the potency of drug 1.
    pub alpha: [f64; 2],
    /// γ₁₂, the factor by which drug 1 steepens the curve of drug 2, and γ₂₁ likewise.
    pub gamma: [f64; 2],
}

/// Plateaus, ln Hill slopes, ln EC50, ln α₁₂ and α₂₁, ln γ₁₂ and γ₂₁.
pub(crate) type Theta = [f64; 12];

/// Beyond this a power is 0 or infinite. It also replaces the logarithm of dose 0. Three such powers can be multiplied.
const FAR: f64 = 200.0;

/// β is undefined if the stronger drug has a smaller effect than this.
const LEAST_EFFECT: f64 = 1e-3;

/// The viability and its gradient.
pub(crate) fn surface(theta: &Theta, ln_doses: [f64; 2]) -> (f64, Theta) {
    let [_, _, _, _, ln_h1, ln_h2, c1, c2, a12, a21, ln_g12, ln_g21] = *theta;
    let (h1, h2) = (ln_h1.exp(), ln_h2.exp());
    let (gh1, gh2) = (ln_g21.exp() * h1, ln_g12.exp() * h2);
    let power = |exponent: f64| {
        let clamped = exponent.clamp(-FAR, FAR);
        // A clamped value has no slope.
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

/// β and its gradient: the extra effect of both drugs beyond the stronger drug, as a fraction of the stronger effect
/// (Wooten et al. 2021, equation 6). `None` if neither drug has an effect.
pub(crate) fn beta(theta: &Theta) -> Option<(f64, Theta)> {
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
    pub(crate) fn from_theta(theta: &Theta) -> Self {
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

    /// Synergistic efficacy: `β = (min(E₁, E₂) − E₃) / (E₀ − min(E₁, E₂))` (Wooten et al. 2021, equation 6), above 0 if
    /// both drugs together have a larger effect than the stronger drug alone. NaN if neither drug has an effect.
    pub fn beta(&self) -> f64 {
        let [e0, e1, e2, e3] = self.effects;
        beta(&[e0, e1, e2, e3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]).map_or(f64::NAN, |(value, _)| value)
    }

    pub(crate) fn swapped(mut self) -> Self {
        self.effects.swap(1, 2);
        self.hill.swap(0, 1);
        self.ec50.swap(0, 1);
        self.alpha.swap(0, 1);
        self.gamma.swap(0, 1);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares the gradients of the surface and of β with finite differences.
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
