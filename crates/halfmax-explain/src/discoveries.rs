//! False discovery rates.

/// The false discovery rate of each test (Benjamini & Hochberg 1995, J. R. Stat. Soc. B 57:289); `None` for a test
/// without a p value.
///
/// ```
/// use halfmax_explain::false_discovery_rates;
/// let q = false_discovery_rates(&[Some(0.01), Some(0.5), None, Some(0.02)]);
/// assert_eq!(q, [Some(0.03), Some(0.5), None, Some(0.03)]);
/// ```
pub fn false_discovery_rates(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> = p.iter().enumerate().filter_map(|(at, p)| Some((at, (*p)?))).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let count = order.len() as f64;
    let mut rates = vec![None; p.len()];
    let mut least = 1.0f64;
    for (rank, (at, p)) in order.into_iter().enumerate().rev() {
        least = least.min(p * count / (rank + 1) as f64);
        rates[at] = Some(least);
    }
    rates
}
