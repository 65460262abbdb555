//! Mean and additive effects of entities, by least squares.

use halfmax_core::{Error, FitContext, Result, TrainView};

/// The responses to learn from: (position, value, weight).
pub(crate) struct Rows<'a>(&'a TrainView<'a>);

impl<'a> Rows<'a> {
    pub(crate) fn of(train: &'a TrainView<'a>) -> Self {
        Self(train)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, f64, f64)> + '_ {
        let responses = &self.0.screen.responses;
        let row =
            |row: &usize| (*row, f64::from(responses.values()[*row]), f64::from(responses.weight(*row)));
        self.0.rows.iter().map(row)
    }

    pub(crate) fn mean(&self) -> f64 {
        let (sum, weight) = self
            .iter()
            .fold((0.0, 0.0), |(sum, total), (_, value, weight)| (sum + weight * value, total + weight));
        sum / weight
    }
}

/// For each entity of the table of `sides`, its mean response on any of these sides minus the global mean; 0 without responses.
pub(crate) fn mean_deviations(train: &TrainView, rows: &Rows, sides: &[usize], mean: f64) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); train.screen.table(sides[0]).len()];
    for side in sides {
        let entities = train.screen.responses.side(*side);
        for (row, value, weight) in rows.iter() {
            let sum = &mut sums[entities[row] as usize];
            sum.0 += weight * (value - mean);
            sum.1 += weight;
        }
    }
    sums.into_iter().map(|(sum, weight)| if weight > 0.0 { sum / weight } else { 0.0 }).collect()
}

/// Sweeps over the entities stop when no effect changes by more than this share of the responses' standard deviation.
const SETTLED: f64 = 1e-8;
const MOST_SWEEPS: usize = 20_000;

/// The least-squares effects of the entities of each group of sides, in the model value = mean + sum of effects.
///
/// Backfitting (Gauss–Seidel): each entity in turn takes the mean of its responses minus the other effects, until nothing
/// changes. The effects of each group then have mean 0 over the training responses.
pub(crate) fn additive_effects(
    train: &TrainView,
    rows: &Rows,
    groups: &[Vec<usize>],
    mean: f64,
    context: &FitContext,
) -> Result<Vec<Vec<f64>>> {
    let mut rest: Vec<f64> = rows.iter().map(|(_, value, _)| value - mean).collect();
    let weights: Vec<f64> = rows.iter().map(|(_, _, weight)| weight).collect();
    let squares: f64 = rest.iter().zip(&weights).map(|(rest, weight)| weight * rest * rest).sum();
    let scale = (squares / weights.iter().sum::<f64>()).sqrt();
    let members: Vec<Members> =
        groups.iter().map(|sides| Members::of(train, sides)).collect::<Result<_>>()?;
    let mut effects: Vec<Vec<f64>> = members.iter().map(|members| vec![0.0; members.len()]).collect();
    for _ in 0..MOST_SWEEPS {
        context.progress.check()?;
        let mut moved: f64 = 0.0;
        for (members, effects) in members.iter().zip(&mut effects) {
            for (entity, effect) in effects.iter_mut().enumerate() {
                let step = members.step(entity, &mut rest, &weights);
                *effect += step;
                moved = moved.max(step.abs());
            }
            members.centre(effects, &mut rest, &weights);
        }
        if moved <= SETTLED * scale {
            return Ok(effects);
        }
    }
    Err(Error::failed(format!("the effects did not settle within {MOST_SWEEPS} sweeps"))
        .with_help("the responses connect too few cell lines and drugs; use drug_mean instead"))
}

/// The training responses of each entity, with how often the entity occurs in the response (twice for a drug combined with itself).
struct Members {
    start: Vec<usize>,
    rows: Vec<Occurring>,
}

/// A training response. The two highest bits hold how often an entity occurs in it, minus one.
#[derive(Clone, Copy)]
struct Occurring(u32);

impl Occurring {
    const ONCE_MORE: u32 = 1 << 30;

    fn row(self) -> usize {
        (self.0 % Self::ONCE_MORE) as usize
    }

    fn times(self) -> f64 {
        f64::from(self.0 / Self::ONCE_MORE + 1)
    }
}

impl Members {
    fn of(train: &TrainView, sides: &[usize]) -> Result<Self> {
        if train.rows.len() >= Occurring::ONCE_MORE as usize {
            let most = Occurring::ONCE_MORE;
            return Err(Error::data(format!(
                "effects cannot be fitted to {} responses: expected fewer than {most}",
                train.rows.len()
            )));
        }
        let entity = |side: usize, row: usize| train.screen.responses.side(side)[row] as usize;
        let mut next = vec![0; train.screen.table(sides[0]).len() + 1];
        // An entity that occurs on several sides of a response is counted on the first side.
        let is_first = |at: usize, row: usize| {
            sides[..at].iter().all(|side| entity(*side, row) != entity(sides[at], row))
        };
        for row in &train.rows {
            for at in (0..sides.len()).filter(|at| is_first(*at, *row)) {
                next[entity(sides[at], *row) + 1] += 1;
            }
        }
        for entity in 1..next.len() {
            next[entity] += next[entity - 1];
        }
        let start = next.clone();
        let mut rows = vec![Occurring(0); start[start.len() - 1]];
        for (place, row) in (0u32..).zip(&train.rows) {
            for (at, side) in sides.iter().enumerate() {
                let next = &mut next[entity(*side, *row)];
                if is_first(at, *row) {
                    rows[*next] = Occurring(place);
                    *next += 1;
                } else {
                    rows[*next - 1].0 += Occurring::ONCE_MORE;
                }
            }
        }
        Ok(Self { start, rows })
    }

    fn len(&self) -> usize {
        self.start.len() - 1
    }

    fn of_entity(&self, entity: usize) -> &[Occurring] {
        &self.rows[self.start[entity]..self.start[entity + 1]]
    }

    /// Moves one entity's effect to its best value, given the other effects. Returns the step, which is already subtracted from `rest`.
    fn step(&self, entity: usize, rest: &mut [f64], weights: &[f64]) -> f64 {
        let (mut sum, mut total) = (0.0, 0.0);
        for member in self.of_entity(entity) {
            let weight = weights[member.row()] * member.times();
            sum += weight * rest[member.row()];
            total += weight * member.times();
        }
        if total == 0.0 {
            return 0.0;
        }
        let step = sum / total;
        for member in self.of_entity(entity) {
            rest[member.row()] -= member.times() * step;
        }
        step
    }

    /// Gives the effects a weighted mean of 0 over the responses. Entities without responses keep effect 0.
    fn centre(&self, effects: &mut [f64], rest: &mut [f64], weights: &[f64]) {
        let (mut sum, mut total) = (0.0, 0.0);
        for (entity, effect) in effects.iter().enumerate() {
            let weight = |member: &Occurring| weights[member.row()] * member.times();
            let weight: f64 = self.of_entity(entity).iter().map(weight).sum();
            sum += weight * effect;
            total += weight;
        }
        let shift = sum / total;
        for (entity, effect) in effects.iter_mut().enumerate() {
            if self.of_entity(entity).is_empty() {
                continue;
            }
            *effect -= shift;
            for member in self.of_entity(entity) {
                rest[member.row()] += member.times() * shift;
            }
        }
    }
}
