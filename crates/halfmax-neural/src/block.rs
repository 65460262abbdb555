//! Training responses as a block, standardised, with the part that is set aside for validation.

use halfmax_core::{Error, FitContext, Known, Result, Seed, TrainView, ValidationGroup};
use ndarray::{Array2, Zip};
use rand::seq::SliceRandom;

use crate::random::generator;

/// The training responses of cell lines (rows) and drugs (columns).
pub(crate) struct Block {
    /// Training entities of each side, as positions in their tables.
    pub(crate) entities: [Vec<u32>; 2],
    /// Whether the entities of a side are known one by one.
    pub(crate) known: [bool; 2],
    /// The weighted mean of all responses.
    pub(crate) mean: f64,
    /// What each known entity of a side adds to it.
    pub(crate) bases: [Vec<f64>; 2],
    /// The root mean square of what is left; 0 where nothing is.
    pub(crate) scale: f64,
    /// What is left, divided by the scale; 0 where nothing was measured.
    pub(crate) values: Array2<f32>,
    /// Weights; 0 where nothing was measured.
    pub(crate) weights: Array2<f32>,
}

/// With fewer groups than this nothing is set aside for validation.
const FEWEST_GROUPS: usize = 5;

impl Block {
    /// # Errors
    /// If there is no response, or the screen has more than two sides.
    pub(crate) fn of(train: &TrainView, context: &FitContext, identities: Known) -> Result<Self> {
        context.progress.check()?;
        let screen = train.screen;
        if train.rows.is_empty() {
            return Err(Error::data("no response to fit a neural model on"));
        }
        if screen.sides.len() != 2 {
            return Err(Error::config(format!(
                "family \"neural\" on a screen of {} sides: expected two, cell lines and drugs",
                screen.sides.len()
            )));
        }
        let known = [0, 1].map(|side| identities.includes(side, context.validation));
        let [(cells, cell_of), (drugs, drug_of)] = [0, 1].map(|side| train.entities(side));
        let shape = (cells.len(), drugs.len());
        let (mut sums, mut weights) = (Array2::<f64>::zeros(shape), Array2::<f64>::zeros(shape));
        let responses = &screen.responses;
        for row in &train.rows {
            let place = |side: usize, of: &[usize]| of[responses.side(side)[*row] as usize];
            let at = [place(0, &cell_of), place(1, &drug_of)];
            let weight = f64::from(responses.weight(*row));
            sums[at] += weight * f64::from(responses.values()[*row]);
            weights[at] += weight;
        }
        let mean = sums.sum() / weights.sum();
        let mut left = sums;
        Zip::from(&mut left).and(&weights).for_each(|left, weight| {
            *left = if *weight > 0.0 { *left / weight - mean } else { 0.0 };
        });
        let mut bases = [vec![0.0; cells.len()], vec![0.0; drugs.len()]];
        // Drugs first: most of the variance is between them.
        for side in [1, 0].into_iter().filter(|side| known[*side]) {
            take_means(&mut left, &weights, side, &mut bases[side]);
        }
        let squares: f64 = Zip::from(&left).and(&weights).fold(0.0, |sum, l, w| sum + w * l * l);
        let deviation = (squares / weights.sum()).sqrt();
        let scale = if deviation > 1e-6 * mean.abs().max(1e-30) { deviation } else { 0.0 };
        let values = left.mapv(|value| if scale > 0.0 { (value / scale) as f32 } else { 0.0 });
        let weights = weights.mapv(|weight| weight as f32);
        Ok(Self { entities: [cells, drugs], known, mean, bases, scale, values, weights })
    }

    /// For a member of an ensemble the pairs that it sets aside: about this share of the groups that `validation` keeps
    /// together. None where there are too few groups.
    pub(crate) fn set_aside(
        &self,
        validation: ValidationGroup,
        share: f64,
        seed: Seed,
    ) -> Option<Array2<bool>> {
        let columns = self.entities[1].len();
        let measured = |at: &usize| self.weights[[at / columns, at % columns]] > 0.0;
        let group = |at: usize| match validation {
            // Of combinations, which this family does not take.
            ValidationGroup::Response | ValidationGroup::Combination | ValidationGroup::Member => at,
            ValidationGroup::Entity(0) => at / columns,
            ValidationGroup::Entity(_) => at % columns,
            ValidationGroup::Groups(0, groups) => groups[self.entities[0][at / columns] as usize],
            ValidationGroup::Groups(_, groups) => groups[self.entities[1][at % columns] as usize],
        };
        let mut groups: Vec<usize> = (0..self.weights.len()).filter(measured).map(group).collect();
        groups.sort_unstable();
        groups.dedup();
        if share <= 0.0 || groups.len() < FEWEST_GROUPS {
            return None;
        }
        let count = ((share * groups.len() as f64).round() as usize).clamp(1, groups.len() - 1);
        groups.shuffle(&mut generator(seed));
        groups.truncate(count);
        groups.sort_unstable();
        let aside = |(row, column)| groups.binary_search(&group(row * columns + column)).is_ok();
        Some(Array2::from_shape_fn(self.weights.dim(), aside))
    }
}

/// Takes the weighted mean of each entity of a side out of the block.
fn take_means(left: &mut Array2<f64>, weights: &Array2<f64>, side: usize, means: &mut [f64]) {
    let axis = ndarray::Axis(side);
    for ((mut own, weights), mean) in left.axis_iter_mut(axis).zip(weights.axis_iter(axis)).zip(means) {
        *mean = own.dot(&weights) / weights.sum();
        Zip::from(&mut own).and(&weights).for_each(|value, weight| {
            *value = if *weight > 0.0 { *value - *mean } else { 0.0 };
        });
    }
}
