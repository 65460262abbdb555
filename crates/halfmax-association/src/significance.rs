//! Probabilities of test statistics, and false discovery rates.

use statrs::function::beta::beta_reg;

/// The two-sided probability of Student's t with `df` degrees of freedom.
///
/// ```
/// use halfmax_association::t_probability;
/// assert!((t_probability(2.0, 10.0) - 0.073388034770740).abs() < 1e-12);
/// // Small probabilities keep their relative precision.
/// assert!((t_probability(40.0, 50.0) / 1.2412423784372691e-39 - 1.0).abs() < 1e-6);
/// ```
pub fn t_probability(t: f64, df: f64) -> f64 {
    f_probability(t * t, 1.0, df)
}

/// The probability of a larger F with `numerator` and `denominator` degrees of freedom.
///
/// ```
/// use halfmax_association::f_probability;
/// assert!((f_probability(3.0, 2.0, 20.0) - 0.07253815028640571).abs() < 1e-9);
/// ```
pub fn f_probability(f: f64, numerator: f64, denominator: f64) -> f64 {
    if f.is_nan() || numerator < 1.0 || denominator < 1.0 {
        return f64::NAN;
    }
    if f <= 0.0 {
        return 1.0;
    }
    let share = denominator / (denominator + numerator * f);
    if share <= 0.0 {
        return 0.0;
    }
    beta_reg(denominator / 2.0, numerator / 2.0, share.min(1.0))
}

/// The false discovery rate of each test (Benjamini & Hochberg 1995, J. R. Stat. Soc. B 57:289); `None` for a test
/// without a p value.
///
/// ```
/// use halfmax_association::false_discovery_rates;
/// let q = false_discovery_rates(&[Some(0.01), Some(0.5), None, Some(0.02)]);
/// assert_eq!(q, [Some(0.03), Some(0.5), None, Some(0.03)]);
/// ```
pub fn false_discovery_rates(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let known: Vec<usize> = (0..p.len()).filter(|at| p[*at].is_some()).collect();
    let values: Vec<f64> = known.iter().filter_map(|at| p[*at]).collect();
    let mut rates = vec![None; p.len()];
    known.iter().zip(benjamini_hochberg(&values)).for_each(|(at, rate)| rates[*at] = Some(rate));
    rates
}

/// As [`false_discovery_rates`], for tests that all have a p value.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<u32> = (0..p.len() as u32).collect();
    order.sort_unstable_by(|a, b| p[*a as usize].total_cmp(&p[*b as usize]).then(a.cmp(b)));
    let count = p.len() as f64;
    let mut rates = vec![0.0; p.len()];
    let mut least = 1.0f64;
    for (rank, at) in order.into_iter().enumerate().rev() {
        least = least.min(p[at as usize] * count / (rank + 1) as f64);
        rates[at as usize] = least;
    }
    rates
}

/// The share of true null hypotheses among tests, from the share of p values above ½ (Storey 2002, J. R. Stat. Soc. B 64:479,
/// with λ = ½); at most 1. Storey's q value of a test is this share times [`benjamini_hochberg`]'s rate.
///
/// ```
/// use halfmax_association::null_share;
/// let uniform: Vec<f64> = (0..1000).map(|at| (f64::from(at) + 0.5) / 1000.0).collect();
/// assert_eq!(null_share(&uniform), 1.0);
/// let half: Vec<f64> = uniform.iter().map(|p| if p * 1000.0 % 2.0 < 1.0 { *p } else { 1e-9 }).collect();
/// assert!((null_share(&half) - 0.5).abs() < 0.01);
/// ```
pub fn null_share(p: &[f64]) -> f64 {
    let above = p.iter().filter(|p| **p > 0.5).count();
    ((above + 1) as f64 / (0.5 * p.len().max(1) as f64)).min(1.0)
}
