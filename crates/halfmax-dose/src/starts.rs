//! Starting points of the fit of a log-logistic curve: a grid of EC50 and Hill slopes, with the plateaus solved for.

use crate::least_squares::{Level, Limits, Minimum, descend, descend_within};
use crate::shape::{Theta, share_of_top};

/// The Hill slopes of starting points.
const HILLS: [f64; 4] = [0.5, 1.0, 2.0, 5.0];
/// The largest number of EC50 positions of starting points.
const POSITIONS: usize = 12;

/// The number of iterations after which the second start is abandoned unless it is nearly as good as the first.
const FIRST_LOOK: usize = 8;

/// The least-squares plateaus, within their limits, for a given EC50 and slope, and the cost.
fn plateaus(levels: &[Level], limits: &Limits, ln_ec50: f64, hill: f64) -> ([f64; 2], f64) {
    let (mut tt, mut tb, mut bb, mut ty, mut by, mut yy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for level in levels {
        let (share, _) = share_of_top(level.ln_dose, ln_ec50, hill);
        let (at_top, at_bottom) = (level.weight * share, level.weight * (1.0 - share));
        tt += at_top * share;
        tb += at_bottom * share;
        bb += at_bottom * (1.0 - share);
        ty += at_top * level.mean;
        by += at_bottom * level.mean;
        yy += level.weight * level.mean * level.mean;
    }
    let determinant = tt * bb - tb * tb;
    let top = if limits.is_free(0) && determinant > 1e-12 * tt * bb {
        (ty * bb - by * tb) / determinant
    } else {
        ty / tt.max(1e-300)
    };
    let top = limits.clamp(0, top);
    let bottom = limits.clamp(1, (by - top * tb) / bb.max(1e-300));
    let top = limits.clamp(0, (ty - bottom * tb) / tt.max(1e-300));
    let cost =
        yy - 2.0 * (top * ty + bottom * by) + top * top * tt + 2.0 * top * bottom * tb + bottom * bottom * bb;
    ([top, bottom], cost)
}

/// The best minimum from two starts: the best point of a grid over EC50 and Hill slope (plateaus solved for), and the
/// best point with a different EC50.
pub(crate) fn fit(levels: &[Level], limits: &Limits) -> Minimum {
    let finite = || levels.iter().map(|level| level.ln_dose).filter(|ln| ln.is_finite());
    let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), ln| (l.min(ln), h.max(ln)));
    let positions = (finite().count() + 1).clamp(3, POSITIONS);
    let width = (high - low) / (positions as f64 - 2.0).max(1.0);
    let mut best: Vec<(f64, Theta)> = Vec::with_capacity(positions);
    for position in 0..positions {
        // From half a step below the lowest dose to half a step above the highest.
        let ln_ec50 = limits.clamp(2, low + width * (position as f64 - 0.5));
        let mut here = (f64::INFINITY, [0.0; 4]);
        for hill in HILLS {
            let ln_hill = limits.clamp(3, hill.ln());
            let ([top, bottom], cost) = plateaus(levels, limits, ln_ec50, ln_hill.exp());
            if cost < here.0 {
                here = (cost, [top, bottom, ln_ec50, ln_hill]);
            }
        }
        best.push(here);
    }
    let order = |a: &usize, b: &usize| best[*a].0.total_cmp(&best[*b].0);
    let first = (0..best.len()).min_by(order).unwrap_or(0);
    let mut found = descend(levels, limits, &best[first].1);
    if let Some(second) = (0..best.len()).filter(|at| at.abs_diff(first) > 1).min_by(order) {
        let mut other = descend_within(levels, limits, &best[second].1, FIRST_LOOK);
        if other.cost < 1.2 * found.cost {
            other = descend(levels, limits, &other.theta);
        }
        if other.cost < found.cost {
            found = other;
        }
    }
    found
}
