//! States of training on disk, and what must match before training resumes from a state.

use std::collections::BTreeMap;

use burn::optim::{AdamWState, AdaptiveMomentumState};
use burn::tensor::Tensor as Numbers;
use halfmax_core::{Checkpoint, Epoch, Error, Result, StoredModel, Tensor};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::network::{Network, Slot, on_device};
use crate::params::NeuralParams;
use crate::train::{Data, Group, Member, State, numbers};

/// What a state was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MadeOf {
    /// Name and shape of every weight.
    outline: Vec<(String, [usize; 2])>,
    params: NeuralParams,
    seed: u64,
    /// SHA-256 of features, responses, the parts set aside, and the genes that units of mechanisms see.
    data: String,
}

impl MadeOf {
    pub(crate) fn new(
        network: &Network,
        params: &NeuralParams,
        seed: u64,
        data: &Data,
        members: &[Member],
    ) -> Self {
        let mut hash = Sha256::new();
        let block = data.block;
        let all = data.inputs.into_iter().chain([&block.values, &block.weights]);
        for numbers in all {
            hash.update((numbers.ncols() as u64).to_le_bytes());
            numbers.iter().for_each(|number| hash.update(number.to_le_bytes()));
        }
        for drug in block.pairs.iter().flatten().flatten() {
            hash.update((*drug as u64).to_le_bytes());
        }
        if let Some(units) = network.mechanisms() {
            units.inputs.iter().for_each(|at| hash.update((*at as u64).to_le_bytes()));
            units.mask.iter().for_each(|seen| hash.update(seen.to_le_bytes()));
        }
        for aside in members.iter().filter_map(|member| member.aside.as_ref()) {
            aside.iter().for_each(|aside| hash.update([u8::from(*aside)]));
        }
        let data = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { outline: network.outline(), params: params.clone(), seed, data }
    }

    /// Whether training may resume from a state that was made from `stored`. After a divergence, the parameters that may
    /// have caused it may differ.
    fn check(&self, stored: &Self, diverged: bool) -> std::result::Result<(), String> {
        if stored.outline != self.outline {
            let differs =
                |(name, shape): &&(String, [usize; 2])| !self.outline.contains(&(name.clone(), *shape));
            return Err(match stored.outline.iter().find(differs) {
                Some((name, [rows, columns])) => {
                    format!("another architecture, with {name} of {rows} × {columns}")
                }
                None => "another architecture".into(),
            });
        }
        if (&stored.data, stored.seed) != (&self.data, self.seed) {
            return Err("other data, or another split, seed or catalogue".into());
        }
        let mut params = NeuralParams { device: self.params.device.clone(), ..stored.params.clone() };
        if diverged {
            params.learning_rate = self.params.learning_rate;
            params.clip = self.params.clip;
            params.warmup = self.params.warmup;
        }
        if params != self.params {
            return Err("other parameters".into());
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    made_of: MadeOf,
    epoch: usize,
    /// Steps of the optimiser.
    steps: usize,
    /// `None` before the first epoch.
    best_loss: Vec<Option<f64>>,
    best_epoch: Vec<usize>,
    history: Vec<Epoch>,
    done: bool,
    diverged: Option<usize>,
}

/// Saves the states of one group of members.
pub(crate) struct Keeper<'a> {
    pub(crate) checkpoint: Option<Checkpoint<'a>>,
    pub(crate) made_of: &'a MadeOf,
    /// The name of the group's states.
    pub(crate) name: String,
}

impl Keeper<'_> {
    /// Where states are saved, for messages.
    pub(crate) fn place(&self) -> Option<String> {
        self.checkpoint.map(|checkpoint| checkpoint.store.place())
    }

    /// Saves a state to resume from. `diverged` is the epoch that diverged, if any.
    pub(crate) fn keep(&self, group: &Group, state: &State, diverged: Option<usize>) -> Result<()> {
        self.save(group, state, false, diverged)
    }

    /// Saves the final state of training.
    pub(crate) fn keep_last(&self, group: &Group, state: &State) -> Result<()> {
        self.save(group, state, true, None)
    }

    fn save(&self, group: &Group, state: &State, done: bool, diverged: Option<usize>) -> Result<()> {
        let Some(checkpoint) = self.checkpoint else { return Ok(()) };
        let mut tensors = BTreeMap::new();
        let mut put = |kind: &str, slot: &Slot, weight: &Numbers<3>| -> Result<()> {
            tensors.insert(format!("{kind}/{}", slot.name), Tensor::F32(numbers(weight.clone())?));
            Ok(())
        };
        let mut steps = 0;
        for (at, slot) in group.network.slots.iter().enumerate() {
            put("best", slot, &state.best[at])?;
            if done {
                continue;
            }
            put("weight", slot, &state.weights[at])?;
            if let Some(moments) = &state.moments[at] {
                put("first", slot, &moments.momentum.moment_1)?;
                put("second", slot, &moments.momentum.moment_2)?;
                steps = moments.momentum.time;
            }
        }
        let description = Description {
            made_of: self.made_of.clone(),
            epoch: state.epoch,
            steps,
            best_loss: state.best_loss.iter().map(|loss| loss.is_finite().then_some(*loss)).collect(),
            best_epoch: state.best_epoch.clone(),
            history: state.history.clone(),
            done,
            diverged,
        };
        checkpoint.store.save(&self.name, &StoredModel::new(&description, tensors)?)
    }

    /// The last saved state, if any, and whether it is the final state of training.
    ///
    /// # Errors
    /// If it belongs to another architecture, other data or other parameters, or is malformed.
    pub(crate) fn load(&self, group: &Group) -> Result<Option<(State, bool)>> {
        let Some(checkpoint) = self.checkpoint else { return Ok(None) };
        let Some(parts) = checkpoint.store.load(&self.name)? else { return Ok(None) };
        let place = format!("{}, {}", checkpoint.store.place(), self.name);
        let found: Description =
            parts.described().map_err(|error| error.with_context(&place).with_help(START_ANEW))?;
        self.made_of.check(&found.made_of, found.diverged.is_some()).map_err(|what| {
            Error::config(format!("{place}: the checkpoint belongs to {what}")).with_help(
                "use the configuration of the checkpoint, or another output folder, or remove the checkpoint to start again",
            )
        })?;
        let members = group.members.len();
        let tensor = |kind: &str, slot: &Slot| -> Result<Numbers<3>> {
            let numbers = parts.f32s(&format!("{kind}/{}", slot.name), members * slot.len());
            let numbers = numbers.map_err(|error| error.with_context(&place).with_help(START_ANEW))?;
            Ok(on_device(numbers.to_vec(), [members, slot.shape[0], slot.shape[1]], group.device))
        };
        let all = |kind: &str| -> Result<Vec<Numbers<3>>> {
            group.network.slots.iter().map(|slot| tensor(kind, slot)).collect()
        };
        if found.best_epoch.len() != members || found.best_loss.len() != members {
            return Err(Error::data(format!("{place}: the checkpoint is malformed")).with_help(START_ANEW));
        }
        let best = all("best")?;
        let weights = if found.done { best.clone() } else { all("weight")? };
        let moments = |slot: &Slot| -> Result<Option<AdamWState<3>>> {
            if !parts.tensors.contains_key(&format!("first/{}", slot.name)) {
                return Ok(None);
            }
            let momentum =
                AdaptiveMomentumState::new(found.steps, tensor("first", slot)?, tensor("second", slot)?);
            Ok(Some(AdamWState::new(momentum)))
        };
        let moments = group.network.slots.iter().map(moments).collect::<Result<_>>()?;
        let state = State {
            weights,
            moments,
            best,
            best_loss: found.best_loss.iter().map(|loss| loss.unwrap_or(f64::INFINITY)).collect(),
            best_epoch: found.best_epoch,
            epoch: found.epoch,
            history: found.history,
        };
        Ok(Some((state, found.done)))
    }
}

const START_ANEW: &str = "remove the checkpoint to start again";
