use halfmax_core::{Error, FitContext, Result, TrainView};

/// The responses to learn from: (position, value, weight).
pub(crate) struct Rows(Vec<(usize, f64, f64)>);

impl Rows {
    pub(crate) fn of(train: &TrainView) -> Self {
        let responses = &train.screen.responses;
        let row =
            |row: &usize| (*row, f64::from(responses.values()[*row]), f64::from(responses.weight(*row)));
        Self(train.rows.iter().map(row).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, f64, f64)> + '_ {
        self.0.iter().copied()
    }

    pub(crate) fn mean(&self) -> f64 {
        let (sum, weight) = self
            .iter()
            .fold((0.0, 0.0), |(sum, total), (_, value, weight)| (sum + weight * value, total + weight));
        sum / weight
    }
}

/// For each entity of the table of `sides` its mean response on any of them, less the global mean; 0 where it
/// has none.
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

/// Sweeps over the entities stop once no effect moves by more than this share of the responses' standard
/// deviation.
const SETTLED: f64 = 1e-8;
const MOST_SWEEPS: usize = 20_000;

/// The least-squares effects of the entities of each group of sides, in the model value = mean + sum of
/// effects.
///
/// Backfitting (Gauss–Seidel): each entity in turn takes the mean of what the other effects leave of its
/// responses, until nothing moves. The effects of each group then have mean 0 over the training responses.
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
    let members: Vec<Members> = groups.iter().map(|sides| Members::of(train, rows, sides)).collect();
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
        .help("the responses link too few cell lines and drugs with one another; use drug_mean instead"))
}

/// Which training responses each entity has, with how often it occurs in the response (twice in a drug with
/// itself).
struct Members {
    start: Vec<usize>,
    rows: Vec<(u32, f64)>,
}

impl Members {
    fn of(train: &TrainView, rows: &Rows, sides: &[usize]) -> Self {
        let mut lists: Vec<Vec<(u32, f64)>> = vec![Vec::new(); train.screen.table(sides[0]).len()];
        for (at, (row, ..)) in (0u32..).zip(rows.iter()) {
            for side in sides {
                let list = &mut lists[train.screen.responses.side(*side)[row] as usize];
                match list.last_mut() {
                    Some((last, times)) if *last == at => *times += 1.0,
                    _ => list.push((at, 1.0)),
                }
            }
        }
        let mut start = vec![0];
        let mut all = Vec::new();
        for list in lists {
            all.extend(list);
            start.push(all.len());
        }
        Self { start, rows: all }
    }

    fn len(&self) -> usize {
        self.start.len() - 1
    }

    fn of_entity(&self, entity: usize) -> &[(u32, f64)] {
        &self.rows[self.start[entity]..self.start[entity + 1]]
    }

    /// Moves one entity's effect to where it fits best, given the others: the step, already taken off `rest`.
    fn step(&self, entity: usize, rest: &mut [f64], weights: &[f64]) -> f64 {
        let (mut sum, mut total) = (0.0, 0.0);
        for (row, times) in self.of_entity(entity) {
            let weight = weights[*row as usize] * times;
            sum += weight * rest[*row as usize];
            total += weight * times;
        }
        if total == 0.0 {
            return 0.0;
        }
        let step = sum / total;
        for (row, times) in self.of_entity(entity) {
            rest[*row as usize] -= times * step;
        }
        step
    }

    /// Gives the effects mean 0 over the responses, weighted. Entities without responses keep effect 0.
    fn centre(&self, effects: &mut [f64], rest: &mut [f64], weights: &[f64]) {
        let (mut sum, mut total) = (0.0, 0.0);
        for (entity, effect) in effects.iter().enumerate() {
            let weight: f64 =
                self.of_entity(entity).iter().map(|(row, times)| weights[*row as usize] * times).sum();
            sum += weight * effect;
            total += weight;
        }
        let shift = sum / total;
        for (entity, effect) in effects.iter_mut().enumerate() {
            if self.of_entity(entity).is_empty() {
                continue;
            }
            *effect -= shift;
            for (row, times) in self.of_entity(entity) {
                rest[*row as usize] += times * shift;
            }
        }
    }
}
