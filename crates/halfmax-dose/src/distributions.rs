//! Quantiles and tail probabilities for intervals and tests of fitted curves.

use std::sync::{Arc, LazyLock};

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use statrs::function::beta::checked_beta_reg;

/// The largest number of degrees of freedom with a cached quantile.
const KEPT: usize = 512;

static USUAL: LazyLock<Quantiles> = LazyLock::new(|| Quantiles::computed(0.95));

/// The half-width of an interval in standard errors, by degrees of freedom.
#[derive(Clone, Debug)]
pub(crate) struct Quantiles {
    level: f64,
    /// Quantiles for 1, 2, … degrees of freedom.
    kept: Arc<[f64]>,
    /// The quantile for infinitely many.
    normal: f64,
}

impl Quantiles {
    /// Quantiles for intervals of this coverage: 0.95 means 95 %.
    pub fn of(level: f64) -> Self {
        if level == USUAL.level { USUAL.clone() } else { Self::computed(level) }
    }

    fn computed(level: f64) -> Self {
        let share = 0.5 + level / 2.0;
        let of = |freedom: usize| {
            StudentsT::new(0.0, 1.0, freedom as f64).map_or(f64::NAN, |t| t.inverse_cdf(share))
        };
        let normal = Normal::standard().inverse_cdf(share);
        Self { level, kept: (1..=KEPT).map(of).collect(), normal }
    }

    /// The nominal coverage of the intervals.
    pub fn level(&self) -> f64 {
        self.level
    }

    fn whole(&self, freedom: usize) -> f64 {
        match freedom.checked_sub(1) {
            None => f64::INFINITY,
            Some(at) if at < KEPT => self.kept[at],
            // Abramowitz & Stegun 26.7.5, about the normal quantile.
            Some(_) => {
                let (z, v) = (self.normal, freedom as f64);
                let z3 = z.powi(3);
                z + (z3 + z) / (4.0 * v) + (5.0 * z.powi(5) + 16.0 * z3 + 3.0 * z) / (96.0 * v * v)
            }
        }
    }

    /// As [`Self::at`], for a single number of degrees of freedom.
    pub fn one(level: f64, freedom: f64) -> f64 {
        if level == USUAL.level {
            return USUAL.at(freedom);
        }
        let t = StudentsT::new(0.0, 1.0, freedom).ok().filter(|_| freedom >= 1.0);
        t.map_or(f64::INFINITY, |t| t.inverse_cdf(0.5 + level / 2.0))
    }

    /// The quantile for a possibly fractional number of degrees of freedom, interpolated between the neighbouring
    /// integers; infinite below one.
    pub fn at(&self, freedom: f64) -> f64 {
        let below = freedom.floor().max(1.0);
        let share = if freedom <= below {
            0.0
        } else {
            (1.0 / below - 1.0 / freedom) / (1.0 / below - 1.0 / (below + 1.0))
        };
        let [low, high] = [below, below + 1.0].map(|freedom| self.whole(freedom as usize));
        if freedom < 1.0 { f64::INFINITY } else { low + share * (high - low) }
    }
}

/// The value that a Student t variable exceeds in absolute value with a probability of 5 %; infinite without a degree of
/// freedom.
///
/// ```
/// assert!((halfmax_dose::t_quantile_95(10) - 2.228138852).abs() < 1e-8);
/// ```
pub fn t_quantile_95(freedom: usize) -> f64 {
    USUAL.whole(freedom)
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
    let share = denominator / (denominator + numerator * f);
    checked_beta_reg(denominator / 2.0, numerator / 2.0, share).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() <= tolerance * expected.abs(), "{found}, expected {expected}");
    }

    /// Reference: scipy.stats.t.ppf(0.975, ν).
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

    /// Reference: scipy.stats.t.ppf.
    #[test]
    fn quantiles_of_other_levels() {
        let known = [
            (0.5, 3, 0.764_892_328_404_345_2),
            (0.9, 7, 1.894_578_605_061_305),
            (0.99, 1, 63.656_741_162_871_58),
            (0.999, 30, 3.645_958_635_048_282),
            (0.9, 2000, 1.645_616_402_943_2),
        ];
        for (level, freedom, expected) in known {
            close(Quantiles::of(level).at(f64::from(freedom)), expected, 1e-6);
        }
        let half_way = Quantiles::of(0.9);
        assert!(half_way.at(4.5) < half_way.at(4.0) && half_way.at(4.5) > half_way.at(5.0));
        assert_eq!(half_way.at(0.5), f64::INFINITY);
    }

    /// Reference: scipy.stats.f.sf.
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
