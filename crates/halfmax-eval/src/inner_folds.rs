//! Out-of-fold predictions inside a training part: predictions for responses whose group the model has not seen.

use halfmax_core::{
    AnyModel, EntityTable, Error, FitContext, FittedModel, Query, Result, Screen, TrainView, Tuples,
    ValidationGroup,
};

use crate::step::Step;

const SEED_FOLDS: u64 = 21;
const SEED_FITS: u64 = 22;

/// Inner folds of a training part.
pub(crate) struct InnerFolds {
    /// For every response of the view, the folds that must not train on it. It is tested in the first.
    of: Vec<Vec<usize>>,
    /// For every response, the position of its group in the order of dealing, from 0 to below 1. If it has several
    /// groups: the last position.
    place: Vec<f64>,
    count: usize,
    groups: usize,
}

/// For each response of a view, the number of the group that it stays together with. If groups overlap: one of its groups.
pub(crate) fn groups_of(train: &TrainView, validation: ValidationGroup) -> Vec<usize> {
    let groups = train.groups(validation);
    let mut numbers = vec![usize::MAX; groups.count()];
    let mut count = 0;
    let mut number = |at: usize| {
        let number = &mut numbers[one_of(groups.of_response(at))];
        if *number == usize::MAX {
            *number = count;
            count += 1;
        }
        *number
    };
    (0..train.rows.len()).map(&mut number).collect()
}

/// One of several groups, without preference for the first.
fn one_of(groups: &[usize]) -> usize {
    groups[groups.iter().sum::<usize>() % groups.len()]
}

impl InnerFolds {
    /// Deals the groups of a view into folds at random.
    pub(crate) fn draw(train: &TrainView, context: &FitContext, folds: usize) -> Result<Self> {
        let groups = train.groups(context.validation);
        let count = groups.count();
        if count < folds {
            return Err(Error::data(format!(
                "{folds} inner folds need at least {folds} groups, but the responses have {count}"
            ))
            .with_help("set fewer inner folds"));
        }
        let order = groups.shuffled(context.seed.derive(SEED_FOLDS));
        let mut place = vec![0; count];
        order.into_iter().enumerate().for_each(|(at, group)| place[group] = at);
        let of = |at: usize| {
            let tested = one_of(groups.of_response(at));
            let others = groups.of_response(at).iter().filter(|group| **group != tested);
            std::iter::once(&tested).chain(others).map(|group| place[*group] % folds).collect()
        };
        let last = |at: usize| groups.of_response(at).iter().map(|group| place[*group]).max().unwrap_or(0);
        Ok(Self {
            of: (0..train.rows.len()).map(of).collect(),
            place: (0..train.rows.len()).map(|at| last(at) as f64 / count as f64).collect(),
            count: folds,
            groups: count,
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Number of groups.
    pub(crate) fn groups(&self) -> usize {
        self.groups
    }

    /// A model's prediction for every response of the view, by the fit that did not see its fold. Progress counts
    /// `before` and then one fit for each fold, out of `of`.
    pub(crate) fn predict(
        &self,
        model: &dyn AnyModel,
        train: &TrainView,
        context: &FitContext,
        steps: (usize, usize),
    ) -> Result<Vec<f32>> {
        self.predict_from(1.0, model, train, context, steps)
    }

    /// As [`InnerFolds::predict`], by fits that see only a share of the groups, above 0 and at most 1.
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

    /// As [`InnerFolds::predict_from`], with the spread of an ensemble's members in each prediction.
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
            let all = 0..self.of.len();
            let held: Vec<usize> = all.clone().filter(|at| self.of[*at][0] == fold).collect();
            let kept: Vec<usize> = all.filter(|at| !self.of[*at].contains(&fold)).collect();
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

/// The spread of an ensemble's members in predictions for responses of a screen; `None` for other models.
///
/// # Errors
/// If the model fails, or returns a wrong number of spreads.
pub(crate) fn spread_rows(
    model: &dyn FittedModel,
    screen: &Screen,
    rows: &[usize],
) -> Result<Option<Vec<f32>>> {
    let Some(ensemble) = model.as_ensemble() else { return Ok(None) };
    let found = listed(screen, rows, |query| ensemble.spread(query))?;
    if found.len() != rows.len() {
        return Err(Error::failed(format!(
            "the model returned {} spreads for {} responses",
            found.len(),
            rows.len()
        )));
    }
    Ok(Some(found))
}

/// Queries the tuples of some responses of a screen.
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
/// If the model fails, returns a wrong number of predictions, or a prediction is not finite.
pub(crate) fn predict_rows(model: &dyn FittedModel, screen: &Screen, rows: &[usize]) -> Result<Vec<f32>> {
    let predicted = listed(screen, rows, |query| model.predict(query))?;
    if predicted.len() != rows.len() {
        return Err(Error::failed(format!(
            "the model returned {} predictions for {} responses",
            predicted.len(),
            rows.len()
        )));
    }
    if let Some(at) = predicted.iter().position(|value| !value.is_finite()) {
        let name = |side: usize| {
            let table = screen.table(side);
            format!(
                "{} {:?}",
                table.entity_kind(),
                table.ids()[screen.responses.side(side)[rows[at]] as usize]
            )
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
