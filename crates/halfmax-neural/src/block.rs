//! Training responses as a standardised block, with the part that is set aside for validation.

use halfmax_core::{
    Error, FitContext, ResponseBlock, Result, Screen, Seed, SeenAgain, TrainView, ValidationGroup,
};
use ndarray::{Array2, Zip};

use crate::combination::{drug_effects, numbered};

/// The training responses of cell lines (rows) and drugs or combinations of two drugs (columns).
pub(crate) struct Block {
    /// Training entities of each side, as positions in their tables.
    pub(crate) entities: [Vec<u32>; 2],
    /// The drugs of each column, as ascending positions among the training drugs; `None` if a column is a single drug.
    pub(crate) pairs: Option<Vec<[usize; 2]>>,
    /// Row and column of each response of the view.
    places: Vec<[usize; 2]>,
    /// Whether the model recognises the entities of a side.
    pub(crate) known: [bool; 2],
    /// The weighted mean of all responses.
    pub(crate) mean: f64,
    /// The deviation of each known entity of a side from the mean.
    pub(crate) bases: [Vec<f64>; 2],
    /// The effect of each combination beyond the effects of its drugs; empty if the model does not recognise combinations.
    pub(crate) own: Vec<f64>,
    /// The root mean square of the residuals; 0 if there are none.
    pub(crate) scale: f64,
    /// The residuals, divided by the scale; 0 where nothing was measured.
    pub(crate) values: Array2<f32>,
    /// Weights; 0 where nothing was measured.
    pub(crate) weights: Array2<f32>,
}

/// With fewer groups than this, nothing is set aside for validation.
const FEWEST_GROUPS: usize = 5;
/// The effects of drugs and combinations shrink to 0 as if they had this many more average responses of 0.
const PRIOR_RESPONSES: f64 = 2.0;

/// # Errors
/// If the sides are neither cell lines and drugs nor cell lines and two drugs from one table.
pub(crate) fn refuse_sides(screen: &Screen) -> Result<()> {
    if screen.sides.len() == 2 || screen.is_of_combinations() {
        return Ok(());
    }
    Err(Error::config(format!(
        "family \"neural\" does not take a screen with {} sides: expected cell lines and drugs, or cell lines and two drugs from \
         one table",
        screen.sides.len()
    )))
}

impl Block {
    /// # Errors
    /// If there are no responses, or if the sides are neither cell lines and drugs nor cell lines and two drugs.
    pub(crate) fn of(train: &TrainView, context: &FitContext, seen_again: SeenAgain) -> Result<Self> {
        context.progress.check()?;
        let screen = train.screen;
        if train.rows.is_empty() {
            return Err(Error::data(
                "a neural model needs responses to fit, but the training data have none",
            ));
        }
        refuse_sides(screen)?;
        let known = known(seen_again, screen, context.validation);
        let Layout { entities, pairs, places } = Layout::of(train);
        let counts = [0, 1].map(|side: usize| entities[side].len());
        let shape = (counts[0], pairs.as_ref().map_or(counts[1], Vec::len));
        let block = ResponseBlock::new(train, shape, |at, _| places[at]);
        let mean = block.mean();
        let (mut left, weights) = block.into_means();
        Zip::from(&mut left).and(&weights).for_each(|left, weight| {
            if *weight > 0.0 {
                *left -= mean;
            }
        });
        let mut bases = counts.map(|count| vec![0.0; count]);
        let mut own = Vec::new();
        // Drugs first, because most of the variance is between them.
        match &pairs {
            _ if !known[1] => {}
            None => take_means(&mut left, &weights, 1, 0.0, &mut bases[1]),
            Some(pairs) => {
                let prior = PRIOR_RESPONSES * weights.sum() / train.rows.len() as f64;
                bases[1] = drug_effects(&left, &weights, pairs, counts[1], prior);
                let effects = pairs.iter().map(|[a, b]| bases[1][*a] + bases[1][*b]);
                take(&mut left, &weights, 1, effects);
                if are_seen_again(context.validation) {
                    own = vec![0.0; pairs.len()];
                    take_means(&mut left, &weights, 1, prior, &mut own);
                }
            }
        }
        if known[0] {
            take_means(&mut left, &weights, 0, 0.0, &mut bases[0]);
        }
        let squares: f64 = Zip::from(&left).and(&weights).fold(0.0, |sum, l, w| sum + w * l * l);
        let deviation = (squares / weights.sum()).sqrt();
        let scale = if deviation > 1e-6 * mean.abs().max(1e-30) { deviation } else { 0.0 };
        let values = left.mapv(|value| if scale > 0.0 { (value / scale) as f32 } else { 0.0 });
        let weights = weights.mapv(|weight| weight as f32);
        Ok(Self { entities, pairs, places, known, mean, bases, own, scale, values, weights })
    }

    /// The responses that a member of an ensemble sets aside: about this share of the groups that `validation` keeps
    /// together. `None` if there are too few groups. `train` is the view that the block was made from.
    pub(crate) fn set_aside(
        &self,
        train: &TrainView,
        validation: ValidationGroup,
        share: f64,
        seed: Seed,
    ) -> Option<Array2<bool>> {
        if share <= 0.0 {
            return None;
        }
        let groups = train.groups(validation);
        if groups.count() < FEWEST_GROUPS {
            return None;
        }
        let count = ((share * groups.count() as f64).round() as usize).clamp(1, groups.count() - 1);
        let mut aside = Array2::from_elem(self.weights.dim(), false);
        for (at, held) in self.places.iter().zip(groups.hold_out(count, seed)) {
            aside[*at] |= held;
        }
        Some(aside)
    }
}

/// The rows and columns of a block, and where each response belongs.
struct Layout {
    entities: [Vec<u32>; 2],
    pairs: Option<Vec<[usize; 2]>>,
    places: Vec<[usize; 2]>,
}

impl Layout {
    fn of(train: &TrainView) -> Self {
        let [(cells, cell_of), (drugs, drug_of)] = [0, 1].map(|side| train.entities(side));
        let responses = &train.screen.responses;
        let drug = |side: usize, row: &usize| drug_of[responses.side(side)[*row] as usize];
        let (columns, pairs) = if train.screen.is_of_combinations() {
            let pair = |row: &usize| {
                let (a, b) = (drug(1, row), drug(2, row));
                [a.min(b), a.max(b)]
            };
            let (columns, pairs) = numbered(train.rows.iter().map(pair).collect());
            (columns, Some(pairs))
        } else {
            (train.rows.iter().map(|row| drug(1, row)).collect(), None)
        };
        let cell = |row: &usize| cell_of[responses.side(0)[*row] as usize];
        let places = train.rows.iter().map(cell).zip(columns).map(|(row, column)| [row, column]).collect();
        Self { entities: [cells, drugs], pairs, places }
    }
}

/// Whether the model recognises the entities of the two sides of a block. A drug of combinations may be on either drug side.
pub(crate) fn known(seen_again: SeenAgain, screen: &Screen, validation: ValidationGroup) -> [bool; 2] {
    let known = |side: usize| seen_again.includes(side, validation);
    [known(0), screen.interchangeable(1).all(known)]
}

/// Whether combinations to predict were in training.
fn are_seen_again(validation: ValidationGroup) -> bool {
    match validation {
        ValidationGroup::Response => true,
        ValidationGroup::Entity(side) | ValidationGroup::Groups(side, _) => side == 0,
        ValidationGroup::Combination | ValidationGroup::Member => false,
    }
}

/// Subtracts a number for each row (side 0) or column (1) from the measured values.
fn take(left: &mut Array2<f64>, weights: &Array2<f64>, side: usize, numbers: impl Iterator<Item = f64>) {
    let axis = ndarray::Axis(side);
    for ((mut own, weights), number) in left.axis_iter_mut(axis).zip(weights.axis_iter(axis)).zip(numbers) {
        Zip::from(&mut own).and(&weights).for_each(|value, weight| {
            *value = if *weight > 0.0 { *value - number } else { 0.0 };
        });
    }
}

/// Subtracts the weighted mean of each row or column from the block. `prior` is the weight with which means shrink to 0.
fn take_means(left: &mut Array2<f64>, weights: &Array2<f64>, side: usize, prior: f64, means: &mut [f64]) {
    let axis = ndarray::Axis(side);
    for ((own, weights), mean) in left.axis_iter(axis).zip(weights.axis_iter(axis)).zip(means.iter_mut()) {
        *mean = own.dot(&weights) / (weights.sum() + prior);
    }
    take(left, weights, side, means.iter().copied());
}
