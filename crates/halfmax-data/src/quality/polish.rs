//! The residuals of responses after subtracting the effects of cell lines and drugs.

use super::measurements::Pair;
use super::robust::median;

/// The number of rounds that subtract the medians of drugs and cell lines.
const ROUNDS: usize = 5;

/// The residuals of Tukey's median polish: each pair's response minus the effects of its drug and its cell line.
///
/// Tukey (1977), Exploratory Data Analysis.
pub(crate) fn median_polish(pairs: &[Pair], cells: usize, partners: usize) -> Vec<f64> {
    let mut residuals: Vec<f64> = pairs.iter().map(|pair| pair.value).collect();
    let by_partner = members(pairs, partners, |pair| pair.partner);
    let by_cell = members(pairs, cells, |pair| pair.cell);
    for _ in 0..ROUNDS {
        take_out(&mut residuals, &by_partner);
        take_out(&mut residuals, &by_cell);
    }
    residuals
}

/// Each pair's response minus the median of its drug.
pub(crate) fn without_partners(pairs: &[Pair], partners: usize) -> Vec<f64> {
    let mut residuals: Vec<f64> = pairs.iter().map(|pair| pair.value).collect();
    take_out(&mut residuals, &members(pairs, partners, |pair| pair.partner));
    residuals
}

/// The pairs of each entity, as positions.
pub(crate) struct Members {
    /// The positions of pairs, entity by entity.
    order: Vec<u32>,
    /// The start of each entity's pairs, and the end of the last.
    starts: Vec<usize>,
}

impl Members {
    /// The pairs of each entity, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        self.starts.windows(2).map(|ends| &self.order[ends[0]..ends[1]])
    }
}

/// The pairs of each entity, as positions.
pub(crate) fn members(pairs: &[Pair], entities: usize, of: fn(&Pair) -> u32) -> Members {
    let mut starts = vec![0; entities + 1];
    pairs.iter().for_each(|pair| starts[of(pair) as usize + 1] += 1);
    for entity in 0..entities {
        starts[entity + 1] += starts[entity];
    }
    let mut next = starts.clone();
    let mut order = vec![0; pairs.len()];
    for (at, pair) in pairs.iter().enumerate() {
        let place = &mut next[of(pair) as usize];
        order[*place] = at as u32;
        *place += 1;
    }
    Members { order, starts }
}

fn take_out(residuals: &mut [f64], members: &Members) {
    let mut own = Vec::new();
    for members in members.iter().filter(|members| !members.is_empty()) {
        own.clear();
        own.extend(members.iter().map(|at| residuals[*at as usize]));
        let middle = median(&mut own);
        members.iter().for_each(|at| residuals[*at as usize] -= middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_of_both_sides_are_taken_out() {
        let pair = |cell: u32, partner: u32| Pair {
            cell,
            partner,
            value: f64::from(cell)
                + 10.0 * f64::from(partner)
                + if (cell, partner) == (2, 3) { 7.0 } else { 0.0 },
        };
        let pairs: Vec<Pair> =
            (0..6).flat_map(|cell| (0..5).map(move |partner| pair(cell, partner))).collect();
        let left = median_polish(&pairs, 6, 5);
        for (pair, left) in pairs.iter().zip(left) {
            let expected = if (pair.cell, pair.partner) == (2, 3) { 7.0 } else { 0.0 };
            assert!((left - expected).abs() < 1e-9, "{pair:?}: {left}");
        }
    }
}
