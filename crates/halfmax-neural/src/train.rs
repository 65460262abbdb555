//! Trains a group of members at once.

use std::time::{Duration, Instant};

use burn::optim::{AdamW, AdamWConfig, AdamWState, Optimizer};
use burn::tensor::{Device, Tensor};
use halfmax_core::{Epoch, Error, Progress, Result, Seed};
use ndarray::{Array2, Axis, Zip};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::block::Block;
use crate::checkpoint::Keeper;
use crate::network::{Network, on_device};
use crate::params::{Loss, NeuralParams};
use crate::random::{Dropout, generator};

/// The training data.
pub(crate) struct Data<'a> {
    pub(crate) block: &'a Block,
    /// The inputs of each side's training entities.
    pub(crate) inputs: [&'a Array2<f32>; 2],
}

/// A member of an ensemble.
pub(crate) struct Member {
    pub(crate) number: usize,
    pub(crate) seed: Seed,
    /// The places of the block that the member sets aside.
    pub(crate) aside: Option<Array2<bool>>,
}

/// Members that are trained together.
pub(crate) struct Group<'a> {
    pub(crate) network: &'a Network,
    pub(crate) params: &'a NeuralParams,
    pub(crate) data: &'a Data<'a>,
    pub(crate) members: &'a [Member],
    pub(crate) device: &'a Device,
}

/// The state that training resumes from.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) weights: Vec<Tensor<3>>,
    pub(crate) moments: Vec<Option<AdamWState<3>>>,
    /// The weights of each member's best epoch so far.
    pub(crate) best: Vec<Tensor<3>>,
    /// The validation loss of each member's best epoch.
    pub(crate) best_loss: Vec<f64>,
    /// The best epoch of each member.
    pub(crate) best_epoch: Vec<usize>,
    /// Number of completed epochs.
    pub(crate) epoch: usize,
    pub(crate) history: Vec<Epoch>,
}

const STATE_EVERY: Duration = Duration::from_secs(20);
/// Sub-streams of a member's seed.
const SEED_START: u64 = 1;
const SEED_EPOCHS: u64 = 2;
/// Maximum number of cell lines in a step that only predicts.
const PREDICTED_AT_ONCE: usize = 256;

impl Group<'_> {
    /// The state before any training.
    pub(crate) fn start(&self) -> State {
        let seeds: Vec<Seed> = self.members.iter().map(|member| member.seed.derive(SEED_START)).collect();
        let weights = self.network.start(&seeds, self.device);
        let count = self.members.len();
        State {
            moments: vec![None; weights.len()],
            best: weights.clone(),
            weights,
            best_loss: vec![f64::INFINITY; count],
            best_epoch: vec![0; count],
            epoch: 0,
            history: Vec::new(),
        }
    }

    /// Trains from a state to the end.
    ///
    /// # Errors
    /// If the loss is no longer finite, the state cannot be saved, or the user stopped the training.
    pub(crate) fn run(&self, mut state: State, keeper: &Keeper, progress: &EpochProgress) -> Result<State> {
        let schedule = Schedule::new(self.params, self.steps_per_epoch());
        let start = Instant::now();
        let mut kept = Instant::now();
        // A state is good after losses computed with it are finite. That is the state one epoch earlier.
        let mut good = state.clone();
        while state.epoch < self.params.epochs && !self.is_patience_lost(&state) {
            let before = state.clone();
            let losses = match self.epoch(&mut state, &schedule, progress) {
                Ok(losses) => losses,
                Err(error) => {
                    return Err(match keeper.keep(self, &before, None) {
                        Ok(()) => error,
                        Err(lost) => {
                            error.with_help(format!("the training state could not be saved: {lost}"))
                        }
                    });
                }
            };
            if losses.iter().any(|loss| !loss.is_finite()) || !are_finite(&state.weights)? {
                let rate = schedule.rate_at(state.epoch, schedule.steps.saturating_sub(1));
                return Err(self.diverged(&good, state.epoch + 1, rate, keeper)?);
            }
            good = before;
            state.epoch += 1;
            let judged = self.judge(&mut state)?;
            let rate = schedule.rate_at(state.epoch - 1, schedule.steps.saturating_sub(1));
            for ((member, loss), judged) in self.members.iter().zip(losses).zip(judged) {
                state.history.push(Epoch {
                    member: member.number,
                    epoch: state.epoch,
                    learning_rate: rate,
                    training_loss: loss,
                    validation_rmse: judged.map(|judged| judged.rmse),
                    validation_r2_within: judged.and_then(|judged| judged.r2_within),
                    seconds: start.elapsed().as_secs_f64(),
                });
                progress.epoch_done(state.history.last());
            }
            if kept.elapsed() >= STATE_EVERY {
                keeper.keep(self, &state, None)?;
                kept = Instant::now();
            }
        }
        progress.skip(self.params.epochs - state.epoch, self.members.len());
        state.moments = vec![None; state.weights.len()];
        state.weights = state.best.clone();
        keeper.keep_last(self, &state)?;
        Ok(state)
    }

    fn diverged(&self, good: &State, epoch: usize, rate: f64, keeper: &Keeper) -> Result<Error> {
        keeper.keep(self, good, Some(epoch))?;
        let lower = self.params.learning_rate / 10.0;
        let kept = match keeper.place() {
            Some(place) => format!(
                "; the last good weights, of epoch {}, are saved in {place}: a new run with a lower \
                 learning_rate resumes from them",
                good.epoch
            ),
            None => String::new(),
        };
        Ok(Error::failed(format!(
            "training diverged: the loss or weights of epoch {epoch} are not finite numbers, at a learning rate of {rate:.3e}{kept}"
        ))
        .with_help(format!("lower learning_rate from {} to {lower}, or lower clip", self.params.learning_rate)))
    }

    fn is_patience_lost(&self, state: &State) -> bool {
        let lost = |(member, best): (&Member, &usize)| {
            member.aside.is_some() && state.epoch >= best + self.params.patience
        };
        self.members.iter().zip(&state.best_epoch).all(lost)
    }

    /// The rows of a member with responses to learn from.
    fn rows(&self, member: &Member) -> Vec<usize> {
        let weights = &self.data.block.weights;
        let learnt = |row: &usize| {
            let measured = weights.row(*row);
            match &member.aside {
                None => measured.iter().any(|weight| *weight > 0.0),
                Some(aside) => {
                    measured.iter().zip(aside.row(*row)).any(|(weight, aside)| *weight > 0.0 && !aside)
                }
            }
        };
        (0..weights.nrows()).filter(learnt).collect()
    }

    fn steps_per_epoch(&self) -> usize {
        let most = self.members.iter().map(|member| self.rows(member).len()).max().unwrap_or(0);
        most.div_ceil(self.params.batch).max(1)
    }

    /// One pass over the training cell lines. Returns the mean loss of each member.
    fn epoch(&self, state: &mut State, schedule: &Schedule, progress: &EpochProgress) -> Result<Vec<f64>> {
        let seed = |member: &Member| member.seed.derive(SEED_EPOCHS).derive(state.epoch as u64);
        let mut generators: Vec<ChaCha8Rng> =
            self.members.iter().map(|member| generator(seed(member))).collect();
        let orders: Vec<Vec<usize>> = self
            .members
            .iter()
            .zip(&mut generators)
            .map(|(member, generator)| {
                let mut rows = self.rows(member);
                rows.shuffle(generator);
                rows
            })
            .collect();
        let optimizers = [0.0, self.params.weight_decay].map(optimizer);
        let mut sum: Option<Tensor<3>> = None;
        for step in 0..schedule.steps {
            progress.check()?;
            let rate = schedule.rate_at(state.epoch, step);
            let batch = Batch::of(self, &orders, step);
            let weights: Vec<Tensor<3>> =
                state.weights.iter().map(|weight| weight.clone().autodiff().require_grad()).collect();
            let loss = self.loss(&weights, batch, &mut generators);
            let gradients = loss.clone().sum().backward();
            let mut found: Vec<Option<Tensor<3>>> =
                weights.iter().map(|weight| weight.grad(&gradients)).collect();
            drop((gradients, weights));
            let shortened = shortening(&found, self.params.clip);
            for (at, slot) in self.network.slots.iter().enumerate() {
                let (Some(gradient), Some(shortened)) = (found[at].take(), &shortened) else { continue };
                let weight = std::mem::replace(&mut state.weights[at], Tensor::zeros([1, 1, 1], self.device));
                let gradient = gradient * shortened.clone();
                let optimizer = &optimizers[usize::from(slot.decays)];
                let (weight, moments) = optimizer.step(rate, weight, gradient, state.moments[at].take());
                state.weights[at] = weight;
                state.moments[at] = moments;
            }
            let loss = loss.inner();
            sum = Some(match sum {
                None => loss,
                Some(sum) => sum + loss,
            });
        }
        let sums = sum.map_or(Ok(Vec::new()), numbers)?;
        Ok(sums.into_iter().map(|sum| f64::from(sum) / schedule.steps as f64).collect())
    }

    /// The mean weighted loss of each member over a batch: members × 1 × 1.
    fn loss(&self, weights: &[Tensor<3>], batch: Batch, generators: &mut [ChaCha8Rng]) -> Tensor<3> {
        let device = self.device;
        let cells = self.code(0, weights, &batch.rows, Some(generators));
        let columns = self.columns(weights, Some(generators));
        let predicted = self.network.pairs(weights, cells, columns);
        let shape = predicted.dims();
        let values = on_device(batch.values, shape, device).autodiff();
        let own = on_device(batch.weights, shape, device).autodiff();
        let error = predicted - values;
        let each = match self.params.loss {
            Loss::Squared => error.square(),
            Loss::Huber => {
                // Squared up to δ, and 2 δ |e| − δ² beyond.
                let inner = error.clone().abs().clamp_max(self.params.huber_delta);
                (error.abs() * 2.0 - inner.clone()) * inner
            }
        };
        let total = own.clone().sum_dim(2).sum_dim(1).clamp_min(f32::MIN_POSITIVE);
        (each * own).sum_dim(2).sum_dim(1) / total
    }

    /// The codes of all columns, drugs or combinations: members × columns × (rank + 1).
    fn columns(&self, weights: &[Tensor<3>], mut generators: Option<&mut [ChaCha8Rng]>) -> Tensor<3> {
        let (members, count) = (self.members.len(), self.data.block.entities[1].len());
        let all = vec![(0..count).collect::<Vec<usize>>(); members];
        let drugs = self.code(1, weights, &all, generators.as_deref_mut());
        let Some(pairs) = &self.data.block.pairs else { return drugs };
        let [first, second] = [0, 1].map(|at: usize| {
            let own: Vec<usize> = pairs.iter().map(|pair| pair[at]).collect();
            chosen(drugs.clone(), &vec![own; members], count)
        });
        let dropout = generators.map(|generators| (self.params.dropout, Dropout { generators }));
        self.network.combined(weights, first, second, dropout)
    }

    /// The codes of some entities of a side, the same number for each member: members × entities × (rank + 1). With
    /// generators, inputs and units are dropped. Without generators, all members use the first member's entities.
    fn code(
        &self,
        side: usize,
        weights: &[Tensor<3>],
        rows: &[Vec<usize>],
        generators: Option<&mut [ChaCha8Rng]>,
    ) -> Tensor<3> {
        let (members, count) = (rows.len(), rows[0].len());
        let inputs = self.data.inputs[side];
        let width = inputs.ncols();
        let mut tower = None;
        if width > 0 {
            let trained = generators.is_some();
            let own = if trained { rows } else { &rows[..1] };
            let mut numbers = Vec::with_capacity(own.len() * count * width);
            for row in own.iter().flatten() {
                match inputs.row(*row).to_slice() {
                    Some(row) => numbers.extend_from_slice(row),
                    None => numbers.extend(inputs.row(*row)),
                }
            }
            let mut dropout = generators.map(|generators| Dropout { generators });
            if let Some(dropout) = &mut dropout {
                dropout.apply(self.params.input_dropout, &mut numbers);
            }
            let mut numbers = on_device(numbers, [own.len(), count, width], self.device);
            if trained {
                numbers = numbers.autodiff();
            }
            let dropout = dropout.map(|dropout| (self.params.dropout, dropout));
            tower = self.network.tower(side, weights, numbers, dropout);
        }
        let identity = self.network.identity(side).map(|[embedding, offset]| {
            let own = Tensor::cat(vec![weights[embedding].clone(), weights[offset].clone()], 2);
            chosen(own, rows, self.data.inputs[side].nrows())
        });
        match (tower, identity) {
            (Some(tower), Some(identity)) => tower + identity,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => {
                let nothing = Tensor::zeros([members, count, self.network.rank + 1], self.device);
                if weights[0].is_require_grad() { nothing.autodiff() } else { nothing }
            }
        }
    }

    /// Evaluates the weights of an epoch on the pairs that each member set aside, and keeps them if they are the best.
    fn judge(&self, state: &mut State) -> Result<Vec<Option<Judged>>> {
        let count = self.members.len();
        if self.members.iter().all(|member| member.aside.is_none()) {
            state.best = state.weights.clone();
            state.best_epoch = vec![state.epoch; count];
            return Ok(vec![None; count]);
        }
        let block = self.data.block;
        let tested = |row: &usize| {
            self.members
                .iter()
                .filter_map(|member| member.aside.as_ref())
                .any(|aside| aside.row(*row).iter().any(|aside| *aside))
        };
        let rows: Vec<usize> = (0..block.weights.nrows()).filter(tested).collect();
        let predicted = self.predicted(&state.weights, &rows)?;
        let mut judged = Vec::new();
        let mut better = Vec::new();
        for (at, member) in self.members.iter().enumerate() {
            let aside = member.aside.as_ref();
            let found = aside.map(|aside| Judged::of(block, aside, &rows, &predicted[at]));
            let improves = found.is_none_or(|found| found.rmse < state.best_loss[at]);
            if improves {
                state.best_loss[at] = found.map_or(f64::INFINITY, |found| found.rmse);
                state.best_epoch[at] = state.epoch;
            }
            better.push(improves);
            judged.push(found);
        }
        if better.iter().all(|better| *better) {
            state.best = state.weights.clone();
        } else if better.iter().any(|better| *better) {
            let take: Vec<f32> = better.iter().map(|better| f32::from(u8::from(*better))).collect();
            let take = on_device(take, [count, 1, 1], self.device);
            let rest = take.clone().neg() + 1.0;
            for (best, weight) in state.best.iter_mut().zip(&state.weights) {
                *best = best.clone() * rest.clone() + weight.clone() * take.clone();
            }
        }
        Ok(judged)
    }

    /// The predictions of each member for some rows with all columns, in standard deviations.
    fn predicted(&self, weights: &[Tensor<3>], rows: &[usize]) -> Result<Vec<Array2<f32>>> {
        let columns = self.data.block.weights.ncols();
        let members = self.members.len();
        let said = self.columns(weights, None);
        let mut found = vec![Vec::with_capacity(rows.len() * columns); members];
        for rows in rows.chunks(PREDICTED_AT_ONCE) {
            let cells = self.code(0, weights, &vec![rows.to_vec(); members], None);
            let predicted = numbers(self.network.pairs(weights, cells, said.clone()))?;
            let each = rows.len() * columns;
            found.iter_mut().zip(predicted.chunks(each)).for_each(|(own, new)| own.extend_from_slice(new));
        }
        let whole = |own: Vec<f32>| {
            Array2::from_shape_vec((rows.len(), columns), own)
                .unwrap_or_else(|_| Array2::zeros((rows.len(), columns)))
        };
        Ok(found.into_iter().map(whole).collect())
    }
}

/// The embeddings of some entities of each member: members × entities × width.
fn chosen(all: Tensor<3>, rows: &[Vec<usize>], count: usize) -> Tensor<3> {
    if rows.iter().all(|rows| rows.len() == count && rows.iter().enumerate().all(|(at, row)| at == *row)) {
        return all;
    }
    let [members, _, width] = all.dims();
    let device = all.device().inner();
    let places: Vec<i32> = rows
        .iter()
        .enumerate()
        .flat_map(|(member, rows)| rows.iter().map(move |row| (member * count + row) as i32))
        .collect();
    let length = places.len();
    let places = Tensor::from_data(burn::tensor::TensorData::new(places, [length]), &device);
    let flat: Tensor<2> = all.reshape([members * count, width]);
    flat.select(0, places).reshape([members, length / members, width])
}

/// Rows of a step for each member with their responses, padded by rows without weight.
struct Batch {
    rows: Vec<Vec<usize>>,
    values: Vec<f32>,
    weights: Vec<f32>,
}

impl Batch {
    fn of(group: &Group, orders: &[Vec<usize>], step: usize) -> Self {
        let block = group.data.block;
        let own = |order: &Vec<usize>| {
            let from = (step * group.params.batch).min(order.len());
            order[from..(from + group.params.batch).min(order.len())].to_vec()
        };
        let mut rows: Vec<Vec<usize>> = orders.iter().map(own).collect();
        let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
        let columns = block.weights.ncols();
        let mut values = Vec::with_capacity(rows.len() * longest * columns);
        let mut weights = Vec::with_capacity(values.capacity());
        for (rows, member) in rows.iter_mut().zip(group.members) {
            let real = rows.len();
            rows.resize(longest, 0);
            for (at, row) in rows.iter().enumerate() {
                values.extend(block.values.row(*row));
                let measured = block.weights.row(*row);
                match &member.aside {
                    _ if at >= real => weights.resize(weights.len() + columns, 0.0),
                    None => weights.extend(measured),
                    Some(aside) => weights.extend(
                        measured
                            .iter()
                            .zip(aside.row(*row))
                            .map(|(weight, aside)| if *aside { 0.0 } else { *weight }),
                    ),
                }
            }
        }
        Self { rows, values, weights }
    }
}

/// How well a member predicts the part that it set aside.
#[derive(Clone, Copy, Debug)]
struct Judged {
    rmse: f64,
    r2_within: Option<f64>,
}

impl Judged {
    fn of(block: &Block, aside: &Array2<bool>, rows: &[usize], predicted: &Array2<f32>) -> Self {
        let (mut errors, mut total, mut within, mut spread) = (0.0, 0.0, 0.0, 0.0);
        let values = block.values.select(Axis(0), rows);
        let weights = block.weights.select(Axis(0), rows);
        let aside = aside.select(Axis(0), rows);
        for column in 0..values.ncols() {
            let (mut weight, mut sum, mut squares, mut error) = (0.0, 0.0, 0.0, 0.0);
            Zip::from(values.column(column))
                .and(weights.column(column))
                .and(aside.column(column))
                .and(predicted.column(column))
                .for_each(|value, own, aside, predicted| {
                    if *aside {
                        let (own, value) = (f64::from(*own), f64::from(*value));
                        weight += own;
                        sum += own * value;
                        squares += own * value * value;
                        error += own * (value - f64::from(*predicted)).powi(2);
                    }
                });
            errors += error;
            total += weight;
            if weight > 0.0 {
                within += error;
                spread += squares - sum * sum / weight;
            }
        }
        Self {
            rmse: (errors / total).sqrt() * block.scale,
            r2_within: (spread > 1e-12).then(|| 1.0 - within / spread),
        }
    }
}

/// The learning rate of every step: a linear rise, then a cosine to 0 (Loshchilov & Hutter 2017).
struct Schedule {
    steps: usize,
    total: usize,
    warm: usize,
    most: f64,
}

impl Schedule {
    fn new(params: &NeuralParams, steps: usize) -> Self {
        let total = steps * params.epochs;
        let warm = (params.warmup * total as f64).round() as usize;
        Self { steps, total, warm, most: params.learning_rate }
    }

    fn rate_at(&self, epoch: usize, step: usize) -> f64 {
        let at = epoch * self.steps + step;
        if at < self.warm {
            return self.most * (at + 1) as f64 / self.warm as f64;
        }
        let share = (at - self.warm) as f64 / (self.total - self.warm).max(1) as f64;
        self.most * 0.5 * (1.0 + (std::f64::consts::PI * share).cos())
    }
}

fn optimizer(weight_decay: f64) -> AdamW {
    AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(weight_decay as f32).build()
}

/// The factor of each member's gradient that limits its norm to `most`: members × 1 × 1.
fn shortening(gradients: &[Option<Tensor<3>>], most: f64) -> Option<Tensor<3>> {
    let squares = gradients.iter().flatten().map(|gradient| gradient.clone().square().sum_dim(2).sum_dim(1));
    let norm = squares.reduce(|a, b| a + b)?.sqrt();
    Some(((norm + 1e-12).recip() * most).clamp_max(1.0))
}

/// Whether all weights are finite numbers.
fn are_finite(weights: &[Tensor<3>]) -> Result<bool> {
    // Infinity or NaN times 0 is NaN; any other number times 0 is 0.
    let sums = weights.iter().map(|weight| (weight.clone() * 0.0).sum_dim(2).sum_dim(1));
    let sum = sums.reduce(|a, b| a + b).map_or(Ok(Vec::new()), numbers)?;
    Ok(sum.iter().all(|sum| *sum == 0.0))
}

/// The numbers of a tensor, row-major.
///
/// # Errors
/// If the device failed to compute them.
pub(crate) fn numbers<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor.try_into_vec_as::<f32>().map_err(|error| {
        Error::failed("the device failed to compute a tensor")
            .with_source(error)
            .with_help("set device = \"cpu\", a smaller ensemble_size, or smaller layers")
    })
}

/// Progress of all groups of a fit together.
pub(crate) struct EpochProgress<'a> {
    progress: &'a dyn Progress,
    done: std::sync::atomic::AtomicUsize,
    total: usize,
}

impl<'a> EpochProgress<'a> {
    pub(crate) fn new(progress: &'a dyn Progress, total: usize) -> Self {
        Self { progress, done: 0.into(), total }
    }

    fn check(&self) -> Result<()> {
        self.progress.check()
    }

    fn epoch_done(&self, epoch: Option<&Epoch>) {
        self.advance(1);
        let Some(epoch) = epoch else { return };
        let mut text =
            format!("member {} epoch {} loss {:.3}", epoch.member + 1, epoch.epoch, epoch.training_loss);
        if let Some(rmse) = epoch.validation_rmse {
            text.push_str(&format!(" validation RMSE {rmse:.3}"));
        }
        self.progress.detail(&text);
    }

    /// Counts epochs that a group of members does not need, or completed earlier.
    pub(crate) fn skip(&self, epochs: usize, members: usize) {
        self.advance(epochs * members);
    }

    fn advance(&self, epochs: usize) {
        use std::sync::atomic::Ordering;
        let done = self.done.fetch_add(epochs, Ordering::Relaxed) + epochs;
        self.progress.step(done, self.total);
    }
}
