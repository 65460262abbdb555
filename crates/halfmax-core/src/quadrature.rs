//! Gauss–Legendre quadrature.

/// Nodes in 0 to 1 of the Gauss–Legendre rule and their weights, which add up to 1. The nodes are the roots of the Legendre
/// polynomial of degree `count`, found by Newton's method. The rule is exact for polynomials of degree `2 × count − 1`.
///
/// ```
/// use halfmax_core::gauss_legendre;
/// let integral: f64 = gauss_legendre(3).into_iter().map(|(x, weight)| weight * x.powi(5)).sum();
/// assert!((integral - 1.0 / 6.0).abs() < 1e-14);
/// ```
pub fn gauss_legendre(count: usize) -> Vec<(f64, f64)> {
    let degree = count as f64;
    let node = |at: usize| {
        let mut x = (std::f64::consts::PI * (at as f64 + 0.75) / (degree + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..100 {
            let (mut last, mut value) = (1.0, x);
            for k in 2..=count {
                let k = k as f64;
                (last, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * last) / k);
            }
            slope = degree * (x * value - last) / (x * x - 1.0);
            let step = value / slope;
            x -= step;
            if step.abs() < 1e-15 {
                break;
            }
        }
        (0.5 * (x + 1.0), 1.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..count).map(node).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_integrates_polynomials() {
        for count in 1..=64 {
            let nodes = gauss_legendre(count);
            for power in [0, 1, 5, 2 * count as i32 - 1] {
                if power < 2 * count as i32 {
                    let integral: f64 = nodes.iter().map(|(t, weight)| weight * t.powi(power)).sum();
                    assert!(
                        (integral - 1.0 / f64::from(power + 1)).abs() < 1e-13,
                        "{count} nodes, power {power}"
                    );
                }
            }
        }
    }
}
