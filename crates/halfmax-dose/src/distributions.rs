//! The two distributions that intervals and tests of fitted curves need.

use std::sync::LazyLock;

/// Degrees of freedom up to which quantiles are kept once computed.
const KEPT: usize = 512;

static QUANTILES: LazyLock<Vec<f64>> =
    LazyLock::new(|| (1..=KEPT).map(|freedom| solve_quantile(freedom as f64)).collect());

/// The value that a Student t variable exceeds in absolute value with a probability of 5 %; infinite without a degree of
/// freedom.
///
/// ```
/// assert!((halfmax_dose::t_quantile_95(10) - 2.228138852).abs() < 1e-8);
/// ```
pub fn t_quantile_95(freedom: usize) -> f64 {
    match freedom {
        0 => f64::INFINITY,
        known if known <= KEPT => QUANTILES[known - 1],
        // Abramowitz & Stegun 26.7.5, about the normal quantile.
        many => {
            let (z, v) = (1.959_963_984_540_054_f64, many as f64);
            let z3 = z.powi(3);
            z + (z3 + z) / (4.0 * v) + (5.0 * z.powi(5) + 16.0 * z3 + 3.0 * z) / (96.0 * v * v)
        }
    }
}

/// As [`t_quantile_95`], for a number of degrees of freedom that need not be whole: between those of the whole numbers beside it.
pub(crate) fn t_quantile_95_between(freedom: f64) -> f64 {
    let below = freedom.floor().max(1.0);
    let share = if freedom <= below {
        0.0
    } else {
        (1.0 / below - 1.0 / freedom) / (1.0 / below - 1.0 / (below + 1.0))
    };
    let [low, high] = [below, below + 1.0].map(|freedom| t_quantile_95(freedom as usize));
    if freedom < 1.0 { f64::INFINITY } else { low + share * (high - low) }
}

/// The probability that |t| exceeds `t`, by bisection on `log t`: called once per degree of freedom.
fn solve_quantile(freedom: f64) -> f64 {
    let beyond = |t: f64| incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + t * t));
    let (mut low, mut high) = (1.0_f64, 20.0_f64);
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if beyond(middle) > 0.05 { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// The probability that an F variable with these degrees of freedom exceeds `f`; 1 for an `f` that is not above 0.
///
/// ```
/// assert!((halfmax_dose::f_upper_tail(3.0, 3.0, 20.0) - 0.054859).abs() < 1e-6);
/// ```
pub fn f_upper_tail(f: f64, numerator: f64, denominator: f64) -> f64 {
    if f.is_nan() || f <= 0.0 {
        return 1.0;
    }
    if f.is_infinite() {
        return 0.0;
    }
    incomplete_beta(denominator / 2.0, numerator / 2.0, denominator / (denominator + numerator * f))
}

/// The regularised incomplete beta function I_x(a, b), by its continued fraction (Abramowitz & Stegun 26.5.8) in the
/// evaluation of Lentz 1976.
pub(crate) fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges fast on this side of the mean only.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let front = a * x.ln() + b * (1.0 - x).ln() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    front.exp() / a * continued_fraction(a, b, x)
}

fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = fraction;
        for coefficient in [even, odd] {
            d = 1.0 / away(1.0 + coefficient * d);
            c = away(1.0 + coefficient / c);
            fraction *= c * d;
        }
        if (fraction - before).abs() <= 1e-15 * fraction.abs() {
            break;
        }
    }
    fraction
}

/// ln Γ(x) for x > 0: Stirling's series (Abramowitz & Stegun 6.1.41) after shifting x above 10.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 1.0_f64);
    while x < 10.0 {
        shift *= x;
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    let series = (1.0 / 12.0
        - inverse * (1.0 / 360.0 - inverse * (1.0 / 1260.0 - inverse * (1.0 / 1680.0 - inverse / 1188.0))))
        / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - shift.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() <= tolerance * expected.abs(), "{found}, expected {expected}");
    }

    #[test]
    fn gamma_function() {
        close(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln(), 1e-13);
        close(ln_gamma(5.0), 24.0_f64.ln(), 1e-13);
        close(ln_gamma(100.0), 359.134_205_369_575_4, 1e-14);
    }

    /// Quantiles as scipy.stats.t.ppf(0.975, ν) gives them.
    #[test]
    fn student_quantiles() {
        let known = [
            (1, 12.706_204_736_174_694),
            (2, 4.302_652_729_749_462),
            (4, 2.776_445_105_197_799),
            (20, 2.085_963_447_265_864),
            (92, 1.986_086_316_951_13),
            (1000, 1.962_339_080_826_408_3),
        ];
        for (freedom, expected) in known {
            close(t_quantile_95(freedom), expected, 1e-8);
        }
        close(t_quantile_95(KEPT), t_quantile_95(KEPT + 1), 1e-5);
    }

    /// Tails as scipy.stats.f.sf gives them.
    #[test]
    fn f_tails() {
        close(f_upper_tail(1.0, 3.0, 4.0), 0.478_949_119_232_426_5, 1e-10);
        close(f_upper_tail(25.0, 3.0, 44.0), 1.349_214_301_483e-9, 1e-6);
        close(f_upper_tail(4.26, 1.0, 24.0), 0.049_991_991_592_5, 1e-6);
        close(f_upper_tail(0.3, 2.0, 5.0), 0.753_277_409_536_884_6, 1e-12);
        close(f_upper_tail(8.5, 3.0, 93.0), 4.769_108_571_759_241e-5, 1e-11);
        close(f_upper_tail(120.0, 2.0, 21.0), 3.225_353_108_094_973e-12, 1e-11);
        assert_eq!(f_upper_tail(-1.0, 3.0, 4.0), 1.0);
        assert_eq!(f_upper_tail(f64::INFINITY, 3.0, 4.0), 0.0);
    }
}
