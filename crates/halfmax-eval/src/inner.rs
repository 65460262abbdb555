//! Out-of-fold predictions inside a training part: what a model says of responses whose group it has not seen.

use std::collections::HashMap;

use halfmax_core::{
    AnyModel, EntityTable, Error, FitContext, FittedModel, Query, Result, Screen, TrainView, Tuples,
    ValidationGroup,
};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::evaluate::Step;

const SEED_FOLDS: u64 = 21;
const SEED_FITS: u64 = 22;

/// Inner folds of a training part.
pub(crate) struct InnerFolds {
    /// The fold of every response of the view.
    of: Vec<usize>,
    /// For every response the place of its group in the order that they were dealt in, from 0 to below 1.
    place: Vec<f64>,
    count: usize,
    groups: usize,
}

/// For each response of a view the number of the group that stays together.
pub(crate) fn groups_of(train: &TrainView, validation: ValidationGroup) -> Vec<usize> {
    let responses = &train.screen.responses;
    let group = |row: &usize| -> Vec<usize> {
        let entity = |side: usize| responses.side(side)[*row] as usize;
        match validation {
            ValidationGroup::Response => (0..responses.sides()).map(entity).collect(),
            ValidationGroup::Entity(side) => vec![entity(side)],
            ValidationGroup::Groups(side, groups) => vec![groups[entity(side)]],
        }
    };
    let keys: Vec<Vec<usize>> = train.rows.iter().map(group).collect();
    let mut distinct: Vec<&Vec<usize>> = keys.iter().collect();
    distinct.sort_unstable();
    distinct.dedup();
    let numbers: HashMap<&Vec<usize>, usize> = distinct.into_iter().zip(0..).collect();
    keys.iter().map(|key| numbers[key]).collect()
}

impl InnerFolds {
    /// Deals the groups of a view out at random.
    pub(crate) fn draw(train: &TrainView, context: &FitContext, folds: usize) -> Result<Self> {
        let group_of = groups_of(train, context.validation);
        let count = group_of.iter().max().map_or(0, |last| last + 1);
        if count < folds {
            return Err(Error::data(format!(
                "{folds} inner folds, but the responses are of {count} groups: expected at least as many"
            ))
            .help("set the number of folds lower"));
        }
        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(context.seed.derive(SEED_FOLDS).value()));
        let mut place = vec![0; count];
        order.into_iter().enumerate().for_each(|(at, group)| place[group] = at);
        Ok(Self {
            of: group_of.iter().map(|group| place[*group] % folds).collect(),
            place: group_of.iter().map(|group| place[*group] as f64 / count as f64).collect(),
            count: folds,
            groups: count,
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Number of groups that stay together.
    pub(crate) fn groups(&self) -> usize {
        self.groups
    }

    /// A model's prediction for every response of the view, by the fit that did not see its fold. Progress counts `before`
    /// and then a fit for each fold, `of` in all.
    pub(crate) fn predict(
        &self,
        model: &dyn AnyModel,
        train: &TrainView,
        context: &FitContext,
        steps: (usize, usize),
    ) -> Result<Vec<f32>> {
        self.predict_from(1.0, model, train, context, steps)
    }

    /// As [`InnerFolds::predict`], by fits that see but a share of the groups, above 0 and at most 1.
    pub(crate) fn predict_from(
        &self,
        share: f64,
        model: &dyn AnyModel,
        train: &TrainView,
        context: &FitContext,
        steps: (usize, usize),
    ) -> Result<Vec<f32>> {
        Ok(self.predict_and_spread(share, model, train, context, steps)?.0)
    }

    /// As [`InnerFolds::predict_from`], with how much the members of an ensemble differ in each prediction.
    pub(crate) fn predict_and_spread(
        &self,
        share: f64,
        model: &dyn AnyModel,
        train: &TrainView,
        context: &FitContext,
        (before, of): (usize, usize),
    ) -> Result<(Vec<f32>, Option<Vec<f32>>)> {
        let mut predicted = vec![0.0; train.rows.len()];
        let mut spreads: Option<Vec<f32>> = None;
        for fold in 0..self.count {
            context.progress.check()?;
            let part = |inside: bool| -> Vec<usize> {
                (0..self.of.len()).filter(|at| (self.of[*at] == fold) == inside).collect()
            };
            let (held, kept) = (part(true), part(false));
            let rows = kept.iter().filter(|at| self.place[**at] < share).map(|at| train.rows[*at]).collect();
            let view = TrainView { screen: train.screen, rows, features: train.features.clone() };
            let progress = Step { whole: context.progress, at: before + fold, of };
            let seed = context.seed.derive(SEED_FITS).derive(fold as u64);
            let name = context.name_of(&format!("inner fold {fold}"));
            let checkpoint = context.checkpoint_at(&name);
            let fitted =
                model.fit_any(&view, &FitContext { seed, progress: &progress, checkpoint, ..*context })?;
            let asked: Vec<usize> = held.iter().map(|at| train.rows[*at]).collect();
            let values = predict_rows(&*fitted, train.screen, &asked)?;
            held.iter().zip(values).for_each(|(at, value)| predicted[*at] = value);
            if let Some(own) = spread_rows(&*fitted, train.screen, &asked)? {
                let spreads = spreads.get_or_insert_with(|| vec![0.0; train.rows.len()]);
                held.iter().zip(own).for_each(|(at, value)| spreads[*at] = value);
            }
        }
        Ok((predicted, spreads))
    }
}

/// How much the members of an ensemble differ in what they predict for responses of a screen; none for other models.
///
/// # Errors
/// If the model fails, or gives another number of them.
pub(crate) fn spread_rows(
    model: &dyn FittedModel,
    screen: &Screen,
    rows: &[usize],
) -> Result<Option<Vec<f32>>> {
    let found = listed(screen, rows, |query| model.spread(query))?;
    if found.as_ref().is_some_and(|found| found.len() != rows.len()) {
        return Err(Error::failed(format!("not one spread for each of {} responses", rows.len())));
    }
    Ok(found)
}

/// Asks for the tuples of some responses of a screen.
fn listed<T>(screen: &Screen, rows: &[usize], ask: impl Fn(&Query) -> Result<T>) -> Result<T> {
    let tables: Vec<&EntityTable> = (0..screen.sides.len()).map(|side| screen.table(side)).collect();
    let entities = |side: usize| rows.iter().map(|row| screen.responses.side(side)[*row]).collect();
    let sides: Vec<Vec<u32>> = (0..screen.sides.len()).map(entities).collect();
    let lists: Vec<&[u32]> = sides.iter().map(Vec::as_slice).collect();
    ask(&Query { tables: &tables, tuples: Tuples::Listed(&lists) })
}

/// A model's predictions for responses of a screen.
///
/// # Errors
/// If the model fails, gives another number of predictions, or one that is not finite.
pub(crate) fn predict_rows(model: &dyn FittedModel, screen: &Screen, rows: &[usize]) -> Result<Vec<f32>> {
    let predicted = listed(screen, rows, |query| model.predict(query))?;
    if predicted.len() != rows.len() {
        return Err(Error::failed(format!("{} predictions for {} responses", predicted.len(), rows.len())));
    }
    if let Some(at) = predicted.iter().position(|value| !value.is_finite()) {
        let name = |side: usize| {
            let table = screen.table(side);
            format!("{} {:?}", table.sort(), table.ids()[screen.responses.side(side)[rows[at]] as usize])
        };
        let names: Vec<String> = (0..screen.sides.len()).map(name).collect();
        return Err(Error::failed(format!(
            "the prediction for {} is {}: expected a finite number",
            names.join(" and "),
            predicted[at]
        )));
    }
    Ok(predicted)
}
