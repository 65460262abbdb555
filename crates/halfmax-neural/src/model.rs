//! The family: fitting, prediction, storage.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::OnceLock;

use burn::tensor::{Device, Tensor as Numbers};
use halfmax_core::{
    Attributable, Attributor, Ensemble, EntityTable, Epoch, Epochwise, FeatureSpace, FitContext, FitSizes,
    FittedModel, Model, PreparedGrid, Query, Result, StoredModel, Tensor, TrainView, Tuples, ValidationGroup,
    check_entities, malformed,
};
use halfmax_mechanisms::Mechanisms;
use ndarray::{Array2, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::attributor::NeuralAttributor;
use crate::block::{Block, known, refuse_sides};
use crate::checkpoint::{Keeper, MadeOf};
use crate::device;
use crate::inputs::Inputs;
use crate::mechanisms::units;
use crate::network::{Network, Sizes, on_device};
use crate::params::NeuralParams;
use crate::train::{Data, EpochProgress, Group, Member, State, numbers};

/// A neural model with checked parameters.
#[derive(Clone, Debug)]
pub struct Neural {
    params: NeuralParams,
    mechanisms: Option<Mechanisms>,
}

/// Sub-streams of a fit's seed.
const SEED_MEMBER: u64 = 0x6e65_7572;
const SEED_ASIDE: u64 = 3;

impl Neural {
    pub(crate) fn new(params: NeuralParams) -> Result<Self> {
        let mechanisms = params.mechanisms.as_deref().map(Mechanisms::named).transpose()?;
        Ok(Self { params, mechanisms })
    }

    /// The parameters.
    pub fn params(&self) -> &NeuralParams {
        &self.params
    }

    /// How many members to train together on a device. All of them if the device computes them in parallel, one if
    /// members share the processor's threads.
    fn together(&self, device: &Device) -> usize {
        if device::is_processor(device) { 1 } else { self.params.ensemble_size }
    }
}

impl Model for Neural {
    type Fitted = FittedNeural;

    fn fit(&self, train: &TrainView, context: &FitContext) -> Result<FittedNeural> {
        let params = &self.params;
        let block = Block::of(train, context, params.seen_again)?;
        let device = device::find(&params.device)?;
        let screen = train.screen;
        let prepared = |side: usize| {
            let table = screen.table(side);
            let space = FeatureSpace::selected(table, screen.sides[side].table, &train.features);
            Inputs::fit(space, table, &block.entities[side])
        };
        let (cells, cell_numbers) = prepared(0)?;
        let (drugs, drug_numbers) = prepared(1)?;
        for (side, inputs) in [&cells, &drugs].into_iter().enumerate() {
            if !block.known[side] && inputs.width() == 0 {
                context.progress.warn(&format!(
                    "family \"neural\": the {}s have no features and are not recognised individually: all get the same prediction",
                    screen.table(side).entity_kind()
                ));
            }
        }
        let id = |side: usize| {
            let ids = screen.table(side).ids();
            block.entities[side].iter().map(|entity| ids[*entity as usize].clone()).collect()
        };
        let head = Head {
            params: params.clone(),
            target: screen.target.clone(),
            ids: [id(0), id(1)],
            known: block.known,
            combinations: block.pairs.is_some(),
            mechanisms: self.mechanisms.clone(),
        };
        let network = head.network([&cells, &drugs])?;
        let data = Data { block: &block, inputs: [&cell_numbers, &drug_numbers] };
        let members: Vec<Member> = (0..params.ensemble_size)
            .map(|number| {
                let seed = context.seed.derive(SEED_MEMBER).derive(number as u64);
                let aside = block.set_aside(
                    train,
                    context.validation,
                    params.validation_fraction,
                    seed.derive(SEED_ASIDE),
                );
                Member { number, seed, aside }
            })
            .collect();
        if params.validation_fraction > 0.0 && members.iter().all(|member| member.aside.is_none()) {
            context.progress.warn(
                "family \"neural\": too few groups for a validation part (the split holds out fewer than 5): \
                 trained for all epochs",
            );
        }
        let progress = EpochProgress::new(context.progress, params.ensemble_size * params.epochs);
        let states = if block.scale > 0.0 && !network.slots.is_empty() {
            let made_of = MadeOf::new(&network, params, context.seed.value(), &data, &members);
            let groups: Vec<&[Member]> = members.chunks(self.together(&device)).collect();
            let train = |members: &&[Member]| {
                let group = Group { network: &network, params, data: &data, members, device: &device };
                trained(&group, context, &made_of, &progress)
            };
            groups.par_iter().map(train).collect::<Result<Vec<State>>>()?
        } else {
            // If the means explain all responses, nothing is left to learn. Nor is there without inputs and embeddings.
            let group = Group { network: &network, params, data: &data, members: &members, device: &device };
            vec![group.start()]
        };
        let mut epochs: Vec<Epoch> = states.iter().flat_map(|state| state.history.iter().cloned()).collect();
        epochs.sort_by_key(|epoch| (epoch.member, epoch.epoch));
        let weights: Vec<Vec<f32>> = (0..network.slots.len())
            .map(|at| {
                let own = states.iter().map(|state| numbers(state.best[at].clone()));
                own.collect::<Result<Vec<_>>>().map(|own| own.concat())
            })
            .collect::<Result<_>>()?;
        let sides = [cells, drugs];
        let pairs = block.pairs.unwrap_or_default();
        let own = pairs.into_iter().map(|pair| pair.map(|drug| drug as u32)).zip(block.own).collect();
        let level = Level { mean: block.mean, scale: block.scale, bases: block.bases, own };
        Ok(FittedNeural { epochs, ..FittedNeural::assembled(head, sides, level, weights, network, device) })
    }

    fn memory(&self, train: &TrainView, context: &FitContext) -> Result<usize> {
        let params = &self.params;
        let screen = train.screen;
        refuse_sides(screen)?;
        let FitSizes { responses, entities, widths } = FitSizes::new(train);
        let columns = match screen.sides.len() {
            2 => entities[1],
            _ => train.groups(ValidationGroup::Combination).count(),
        };
        let pairs = entities[0] * columns;
        let known = known(params.seen_again, screen, context.validation);
        // Sums and weights in double precision, and both again in single precision, which are kept.
        let (made, kept) = (24 * pairs + 24 * responses, 8 * pairs + 16 * responses);
        let inputs = 4 * (entities[0] * widths[0] + entities[1] * widths[1]);
        let tower = |side: usize, hidden: &[usize]| {
            let mut width = widths[side];
            let mut weights = 0;
            for units in hidden.iter().filter(|_| widths[side] > 0) {
                weights += width * units;
                width = *units;
            }
            let identities = if known[side] { entities[side] * (params.rank + 1) } else { 0 };
            weights + width.min(widths[side].max(1) * width) * (params.rank + 1) + identities
        };
        let drug_hidden = match &params.drug_hidden {
            Some(hidden) => hidden.clone(),
            None if known[1] => Vec::new(),
            None => vec![64],
        };
        let weights = 4 * (tower(0, &params.hidden) + tower(1, &drug_hidden));
        let device = device::find(&params.device)?;
        let (members, at_once) = match device::is_processor(&device) {
            true => (params.ensemble_size, params.ensemble_size.min(rayon::current_num_threads())),
            // Data on another device takes no memory of this machine.
            false => (params.ensemble_size, 0),
        };
        // A member in training has its weights, their moments and gradients, the weights of two earlier epochs, and
        // the outputs of each layer for a batch.
        let batch =
            4 * params.batch * (8 * columns + 6 * params.hidden.iter().sum::<usize>() + 4 * widths[0]);
        let trained = members * 2 * weights + at_once * (TRAINED * weights + batch);
        Ok((made + kept).max(kept + 3 * inputs).max(kept + inputs + trained))
    }
}

/// Number of copies of its weights that a member needs during training.
const TRAINED: usize = 12;

/// A group of members, trained from its last checkpoint.
fn trained(group: &Group, context: &FitContext, made_of: &MadeOf, progress: &EpochProgress) -> Result<State> {
    // Members trained in other groups, on another kind of device, have other names.
    let name = context.name_of(&match group.members {
        [only] => format!("member {}", only.number + 1),
        all => format!("{} members", all.len()),
    });
    let keeper = Keeper { checkpoint: context.checkpoint, made_of, name };
    match keeper.load(group)? {
        None => group.run(group.start(), &keeper, progress),
        Some((state, true)) => {
            progress.skip(group.params.epochs, group.members.len());
            Ok(state)
        }
        Some((state, false)) => {
            progress.skip(state.epoch, group.members.len());
            group.run(state, &keeper, progress)
        }
    }
}

/// A fitted neural model.
pub struct FittedNeural {
    head: Head,
    pub(crate) sides: [Inputs; 2],
    level: Level,
    /// Each weight of the network for all members, members × rows × columns.
    weights: Vec<Vec<f32>>,
    pub(crate) network: Network,
    device: Device,
    on_device: OnceLock<Vec<Numbers<3>>>,
    /// Positions of training entities by id.
    places: [HashMap<String, usize>; 2],
    epochs: Vec<Epoch>,
}

impl fmt::Debug for FittedNeural {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FittedNeural").field("params", &self.head.params).finish_non_exhaustive()
    }
}

/// The stored description, without the features.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    params: NeuralParams,
    target: String,
    /// Ids of the training entities of each side.
    ids: [Vec<String>; 2],
    /// Whether the model recognises the entities of each side.
    known: [bool; 2],
    /// Whether the model predicts combinations of two drugs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    combinations: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mechanisms: Option<Mechanisms>,
}

impl Head {
    /// The network for these inputs.
    fn network(&self, inputs: [&Inputs; 2]) -> Result<Network> {
        let mechanisms = match &self.mechanisms {
            Some(mechanisms) => units(mechanisms, inputs[0], self.params.units_per_mechanism)?,
            None => None,
        };
        let identities = [0, 1].map(|side: usize| if self.known[side] { self.ids[side].len() } else { 0 });
        let combinations = self.combinations;
        let sizes = Sizes { inputs: inputs.map(Inputs::width), identities, mechanisms, combinations };
        Ok(Network::new(&self.params, sizes))
    }
}

/// The level that predictions are relative to.
#[derive(Clone, Debug)]
struct Level {
    mean: f64,
    scale: f64,
    /// The deviation of each training entity of a side from the mean.
    bases: [Vec<f64>; 2],
    /// Training combinations, as ascending positions among the training drugs, each with its effect beyond the effects of
    /// its drugs. Empty if the model does not recognise combinations.
    own: Vec<([u32; 2], f64)>,
}

/// The codes that the network computes for some entities or combinations.
#[derive(Debug)]
pub(crate) struct Codes {
    /// For each entity of the table, its row; `usize::MAX` for entities outside the query.
    pub(crate) row_of: Vec<usize>,
    /// Rows × (members × code width).
    pub(crate) codes: Array2<f32>,
    /// The deviation of each row from the mean, in the unit of the target.
    pub(crate) bases: Vec<f64>,
}

impl FittedNeural {
    /// Number of entities that go through a tower at a time. It is constant, so that an entity's result does not depend
    /// on the other entities of the query.
    pub(crate) const AT_ONCE: usize = 64;

    fn assembled(
        head: Head,
        sides: [Inputs; 2],
        level: Level,
        weights: Vec<Vec<f32>>,
        network: Network,
        device: Device,
    ) -> Self {
        let places = [0, 1].map(|side: usize| head.ids[side].iter().cloned().zip(0..).collect());
        Self {
            head,
            sides,
            level,
            weights,
            network,
            device,
            on_device: OnceLock::new(),
            places,
            epochs: Vec::new(),
        }
    }

    /// The parameters of the fit.
    pub fn params(&self) -> &NeuralParams {
        &self.head.params
    }

    /// The same model on another device, by its name in a configuration.
    ///
    /// # Errors
    /// If this build or machine does not have the device.
    pub fn on(self, device: &str) -> Result<Self> {
        let device = device::find(device)?;
        let Self { head, sides, level, weights, network, epochs, .. } = self;
        Ok(Self { epochs, ..Self::assembled(head, sides, level, weights, network, device) })
    }

    /// Number of tables of a query.
    pub(crate) fn sides_of_query(&self) -> usize {
        if self.head.combinations { 3 } else { 2 }
    }

    pub(crate) fn members(&self) -> usize {
        self.head.params.ensemble_size
    }

    pub(crate) fn scale(&self) -> f64 {
        self.level.scale
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// The weights that multiply the inputs of a side first, for each member: inputs × units. `None` without features.
    pub(crate) fn first_weights(&self, side: usize) -> Option<Vec<Array2<f32>>> {
        self.network.first_weights(side, &self.weights, self.members())
    }

    /// The weights on the model's device.
    pub(crate) fn weights(&self) -> &[Numbers<3>] {
        self.on_device.get_or_init(|| {
            let slots = self.network.slots.iter().zip(&self.weights);
            slots
                .map(|(slot, numbers)| {
                    let shape = [self.members(), slot.shape[0], slot.shape[1]];
                    on_device(numbers.clone(), shape, &self.device)
                })
                .collect()
        })
    }

    /// The output of tower and embedding for some entities of a table: members × entities × (rank + 1), on the device.
    fn tower(&self, side: usize, table: &EntityTable, entities: &[u32]) -> Result<Numbers<3>> {
        let mut inputs = self.sides[side].of(table, entities)?.into_raw_vec_and_offset().0;
        let (members, width) = (self.members(), self.sides[side].width());
        inputs.resize(Self::AT_ONCE * width, 0.0);
        let shape = [members, Self::AT_ONCE, self.network.rank + 1];
        let mut code = Numbers::zeros(shape, &self.device);
        if width > 0 {
            let inputs = on_device(inputs, [1, Self::AT_ONCE, width], &self.device);
            if let Some(tower) = self.network.tower(side, self.weights(), inputs, None) {
                code = code + tower;
            }
        }
        if self.network.identity(side).is_some() {
            code = code + on_device(self.identities(side, table, entities), shape, &self.device);
        }
        Ok(code)
    }

    /// Embeddings and offsets of training entities, 0 for other entities: members × [`Self::AT_ONCE`] × (rank + 1).
    fn identities(&self, side: usize, table: &EntityTable, entities: &[u32]) -> Vec<f32> {
        let rank = self.network.rank;
        let mut numbers = vec![0.0; self.members() * Self::AT_ONCE * (rank + 1)];
        let Some([embedding, offset]) = self.network.identity(side) else { return numbers };
        let count = self.head.ids[side].len();
        for (at, entity) in entities.iter().enumerate() {
            let Some(place) = self.places[side].get(&table.ids()[*entity as usize]) else { continue };
            for member in 0..self.members() {
                let own = &mut numbers[(member * Self::AT_ONCE + at) * (rank + 1)..][..=rank];
                let row = member * count + place;
                own[..rank].copy_from_slice(&self.weights[embedding][row * rank..][..rank]);
                own[rank] = self.weights[offset][row];
            }
        }
        numbers
    }

    /// The output of tower and embedding for one entity: members × 1 × (rank + 1), on the device.
    pub(crate) fn code_of(&self, side: usize, table: &EntityTable, entity: u32) -> Result<Numbers<3>> {
        Ok(self.tower(side, table, &[entity])?.narrow(1, 0, 1))
    }

    /// The embedding and offset of one entity, 0 if it was not in training: members × (rank + 1).
    pub(crate) fn identity_of(&self, side: usize, table: &EntityTable, entity: u32) -> Vec<f32> {
        let all = self.identities(side, table, &[entity]);
        let width = self.network.rank + 1;
        all.chunks(Self::AT_ONCE * width).flat_map(|member| &member[..width]).copied().collect()
    }

    /// The results of a function for some items, [`Self::AT_ONCE`] at a time: items × (members × width).
    pub(crate) fn rows<T>(
        &self,
        of: &[T],
        width: usize,
        made: impl Fn(&[T]) -> Result<Numbers<3>>,
    ) -> Result<Array2<f32>> {
        let members = self.members();
        let mut rows = Array2::zeros((of.len(), members * width));
        for (chunk, things) in of.chunks(Self::AT_ONCE).enumerate() {
            let made = numbers(made(things)?)?;
            for at in 0..things.len() {
                for member in 0..members {
                    let own = &made[(member * Self::AT_ONCE + at) * width..][..width];
                    let columns = member * width..(member + 1) * width;
                    let mut place = rows.slice_mut(s![chunk * Self::AT_ONCE + at, columns]);
                    place.iter_mut().zip(own).for_each(|(place, own)| *place = *own);
                }
            }
        }
        Ok(rows)
    }

    /// The codes of some entities of a table, each once, for pairs.
    fn codes(&self, side: usize, table: &EntityTable, entities: &[u32]) -> Result<Codes> {
        self.codes_by(side, table, entities, self.network.code_width(), |code| {
            self.network.encoded(side, self.weights(), code)
        })
    }

    /// The codes of some drugs of a table, each once, straight from the tower and embeddings.
    pub(crate) fn plain_codes(&self, table: &EntityTable, drugs: &[u32]) -> Result<Codes> {
        self.codes_by(1, table, drugs, self.network.rank + 1, |code| code)
    }

    /// The codes of some entities of a table, each once, transformed by `then` to this `width`.
    fn codes_by(
        &self,
        side: usize,
        table: &EntityTable,
        entities: &[u32],
        width: usize,
        then: impl Fn(Numbers<3>) -> Numbers<3>,
    ) -> Result<Codes> {
        let mut asked = entities.to_vec();
        asked.sort_unstable();
        asked.dedup();
        let codes = self.rows(&asked, width, |some| Ok(then(self.tower(side, table, some)?)))?;
        if asked.is_empty() {
            // A table is accepted or refused independently of the entities in the query.
            self.sides[side].of(table, &[])?;
        }
        let mut row_of = vec![usize::MAX; table.len()];
        asked.iter().enumerate().for_each(|(row, entity)| row_of[*entity as usize] = row);
        let base = |entity: &u32| self.base(side, &table.ids()[*entity as usize]);
        Ok(Codes { row_of, codes, bases: asked.iter().map(base).collect() })
    }

    /// The deviation of an entity from the mean of all responses, in the unit of the target.
    pub(crate) fn base(&self, side: usize, id: &str) -> f64 {
        self.places[side].get(id).map_or(0.0, |place| self.level.bases[side][*place])
    }

    /// The joint deviation of two drugs from the mean, by their ids.
    pub(crate) fn base_of(&self, [first, second]: [&str; 2]) -> f64 {
        let drugs = self.base(1, first) + self.base(1, second);
        let place = |id: &str| self.places[1].get(id).map(|place| *place as u32);
        let (Some(a), Some(b)) = (place(first), place(second)) else { return drugs };
        let pair = [a.min(b), a.max(b)];
        let own = self.level.own.binary_search_by_key(&pair, |(pair, _)| *pair);
        drugs + own.map_or(0.0, |at| self.level.own[at].1)
    }

    /// The prediction of each member for a pair, in standard deviations.
    fn said<'a>(&'a self, cell: &'a [f32], drug: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        let (rank, width) = (self.network.rank, self.network.code_width());
        let hidden = self.network.pair_width();
        let out = self.network.pair_out().map(|out| self.weights[out].as_slice());
        cell.chunks_exact(width).zip(drug.chunks_exact(width)).enumerate().map(
            move |(member, (cell, drug))| {
                let mut sum = dot(&cell[..rank], &drug[..rank]) + cell[rank] + drug[rank];
                if let Some(out) = out {
                    let out = &out[member * hidden..][..hidden];
                    let units = cell[rank + 1..].iter().zip(&drug[rank + 1..]).zip(out);
                    sum += units.map(|((cell, drug), out)| (cell + drug).max(0.0) * out).sum::<f32>();
                }
                sum
            },
        )
    }

    fn pair(&self, cells: &Codes, drugs: &Codes, cell: u32, drug: u32) -> f32 {
        let Level { mean, scale, .. } = self.level;
        let base = mean + cells.base(cell) + drugs.base(drug);
        let sum: f64 = self.said(cells.of(cell), drugs.of(drug)).map(f64::from).sum();
        (base + scale * sum / self.members() as f64) as f32
    }

    fn deviation(&self, cells: &Codes, drugs: &Codes, cell: u32, drug: u32) -> f32 {
        let said: Vec<f64> = self.said(cells.of(cell), drugs.of(drug)).map(f64::from).collect();
        let mean = said.iter().sum::<f64>() / said.len() as f64;
        let squares: f64 = said.iter().map(|one| (one - mean).powi(2)).sum();
        ((squares / (said.len() - 1) as f64).sqrt() * self.level.scale) as f32
    }

    /// A value for every pair of a query, in its order.
    fn of_pairs(
        &self,
        query: &Query,
        of: impl Fn(&Codes, &Codes, u32, u32) -> f32 + Sync,
    ) -> Result<Vec<f32>> {
        query.check(self.sides_of_query())?;
        let (Tuples::Listed(lists) | Tuples::Grid(lists)) = query.tuples;
        let (cells, right, columns) = match (query.tables, lists) {
            ([_, table], [cells, drugs]) => (cells, self.codes(1, table, drugs)?, drugs.to_vec()),
            ([_, first, second], [cells, a, b]) => {
                let (right, columns) = self.combinations([first, second], query.tuples, [a, b])?;
                (cells, right, columns)
            }
            _ => return Ok(Vec::new()),
        };
        let left = self.codes(0, query.tables[0], cells)?;
        Ok(match query.tuples {
            Tuples::Listed(_) => {
                cells.par_iter().zip(columns).map(|(cell, column)| of(&left, &right, *cell, column)).collect()
            }
            Tuples::Grid(_) => cells
                .par_iter()
                .flat_map_iter(|cell| columns.iter().map(|column| of(&left, &right, *cell, *column)))
                .collect(),
        })
    }
}

impl Codes {
    /// The code of one entity: members × code width.
    pub(crate) fn of(&self, entity: u32) -> &[f32] {
        self.codes.row(self.row_of[entity as usize]).to_slice().unwrap_or_default()
    }

    fn base(&self, entity: u32) -> f64 {
        self.bases[self.row_of[entity as usize]]
    }
}

/// The dot product, in eight sums that each take every eighth product. The result does not depend on other computations.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (left, right) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = left.remainder().iter().zip(right.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in left.zip(right) {
        sums.iter_mut().zip(a).zip(b).for_each(|((sum, a), b)| *sum += a * b);
    }
    sums.iter().sum::<f32>() + rest
}

/// A grid whose columns are given.
struct Grid<'a> {
    model: &'a FittedNeural,
    table: &'a EntityTable,
    columns: &'a [u32],
    drugs: Codes,
}

impl PreparedGrid for Grid<'_> {
    fn scores(&self, rows: &[u32]) -> Result<Vec<f32>> {
        let cells = self.model.codes(0, self.table, rows)?;
        let pair = |cell: u32, drug: &u32| self.model.pair(&cells, &self.drugs, cell, *drug);
        Ok(rows
            .par_iter()
            .flat_map_iter(|cell| self.columns.iter().map(move |drug| pair(*cell, drug)))
            .collect())
    }
}

impl FittedModel for FittedNeural {
    fn family(&self) -> &'static str {
        "neural"
    }

    fn sides(&self) -> usize {
        self.sides_of_query()
    }

    fn space(&self, side: usize) -> &FeatureSpace {
        &self.sides[side.min(1)].encoder.space
    }

    fn predict(&self, query: &Query) -> Result<Vec<f32>> {
        self.of_pairs(query, |cells, drugs, cell, drug| self.pair(cells, drugs, cell, drug))
    }

    fn prepare<'a>(
        &'a self,
        tables: &'a [&'a EntityTable],
        columns: &'a [u32],
    ) -> Result<Box<dyn PreparedGrid + 'a>> {
        // A grid of rows and columns cannot hold a second drug.
        Query { tables, tuples: Tuples::Grid(&[&[], columns]) }.check(self.sides_of_query())?;
        let drugs = self.codes(1, tables[1], columns)?;
        Ok(Box::new(Grid { model: self, table: tables[0], columns, drugs }))
    }

    /// A side with features, for models of single drugs only: predictions for combinations depend on three entities.
    fn as_attributable(&self, side: usize) -> Option<&dyn Attributable> {
        (!self.head.combinations && side < 2 && self.network.has_tower(side)).then_some(self as _)
    }

    fn as_ensemble(&self) -> Option<&dyn Ensemble> {
        (self.members() > 1).then_some(self as _)
    }

    fn as_epochwise(&self) -> Option<&dyn Epochwise> {
        (!self.epochs.is_empty()).then_some(self as _)
    }

    fn stored(&self) -> Result<StoredModel> {
        let side = |side: usize| {
            let Inputs { encoder, flagged, .. } = &self.sides[side];
            SideDescription { space: encoder.space.clone(), flagged: flagged.clone() }
        };
        let description = Description { head: self.head.clone(), sides: [side(0), side(1)] };
        let mut tensors = BTreeMap::new();
        tensors.insert("numbers".to_owned(), Tensor::F64(vec![self.level.mean, self.level.scale]));
        for (name, side) in ["cell", "drug"].into_iter().zip(0..) {
            let Inputs { encoder, flag_means, .. } = &self.sides[side];
            tensors.insert(format!("{name}/centres"), Tensor::F32(encoder.centres.clone()));
            tensors.insert(format!("{name}/scales"), Tensor::F32(encoder.scales.clone()));
            tensors.insert(format!("{name}/flag_means"), Tensor::F32(flag_means.clone()));
            tensors.insert(format!("{name}/bases"), Tensor::F64(self.level.bases[side].clone()));
        }
        if self.head.combinations {
            let (pairs, own): (Vec<[u32; 2]>, Vec<f64>) = self.level.own.iter().copied().unzip();
            tensors.insert("combination/drugs".into(), Tensor::U32(pairs.into_flattened()));
            tensors.insert("combination/bases".into(), Tensor::F64(own));
        }
        for (slot, numbers) in self.network.slots.iter().zip(&self.weights) {
            tensors.insert(slot.name.clone(), Tensor::F32(numbers.clone()));
        }
        StoredModel::new(&description, tensors)
    }
}

impl Attributable for FittedNeural {
    fn attribute<'a>(
        &'a self,
        tables: &'a [&'a EntityTable],
        side: usize,
        entities: &'a [u32],
    ) -> Result<Box<dyn Attributor + 'a>> {
        check_entities(self, tables, side, entities)?;
        Ok(Box::new(NeuralAttributor::new(self, tables, side, entities)?))
    }
}

impl Ensemble for FittedNeural {
    fn spread(&self, query: &Query) -> Result<Vec<f32>> {
        self.of_pairs(query, |cells, drugs, cell, drug| self.deviation(cells, drugs, cell, drug))
    }
}

impl Epochwise for FittedNeural {
    fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    head: Head,
    sides: [SideDescription; 2],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SideDescription {
    space: FeatureSpace,
    flagged: Vec<Vec<u32>>,
}

impl FittedNeural {
    /// Reads a model from its [`FittedModel::stored`] form, exactly as it was. It runs on the device that it was trained
    /// on if this build and machine have it, otherwise on the processor.
    ///
    /// # Errors
    /// If the description is not that of a neural model, or a tensor is missing, has the wrong type or length, or holds
    /// an invalid number.
    pub fn from_stored(stored: &StoredModel) -> Result<Self> {
        let fitted = Self::read(stored)?;
        stored.refuse_unknown(&fitted.stored()?)?;
        Ok(fitted)
    }

    fn read(stored: &StoredModel) -> Result<Self> {
        let Description { head, sides } = stored.described()?;
        head.params.check_numbers().map_err(malformed)?;
        if head.params.mechanisms.is_some() != head.mechanisms.is_some() {
            return Err(malformed("its catalogue of mechanisms is missing"));
        }
        let [mean, scale] = *stored.f64s("numbers", 2)? else {
            return Err(malformed("its \"numbers\" array is incomplete"));
        };
        if scale < 0.0 {
            return Err(malformed("its scale is negative"));
        }
        let [cells, drugs] = sides;
        let sides = [stored_inputs(stored, "cell", cells)?, stored_inputs(stored, "drug", drugs)?];
        let bases = |name: &str, side: usize| Ok(stored.f64s(name, head.ids[side].len())?.to_vec());
        let own =
            if head.combinations { stored_combinations(stored, head.ids[1].len())? } else { Vec::new() };
        let level = Level { mean, scale, bases: [bases("cell/bases", 0)?, bases("drug/bases", 1)?], own };
        let network = head.network([&sides[0], &sides[1]])?;
        let members = head.params.ensemble_size;
        let weights = network
            .slots
            .iter()
            .map(|slot| Ok(stored.f32s(&slot.name, members * slot.len())?.to_vec()))
            .collect::<Result<Vec<_>>>()?;
        let device = device::usable(&head.params.device);
        Ok(Self::assembled(head, sides, level, weights, network, device))
    }
}

fn stored_inputs(stored: &StoredModel, name: &str, described: SideDescription) -> Result<Inputs> {
    let SideDescription { space, flagged } = described;
    let width = halfmax_core::Encoder::width_of(&space);
    if flagged.iter().any(|numbers| numbers.is_empty() || numbers.iter().any(|at| *at as usize >= width)) {
        return Err(malformed("a flag of missing features names no feature, or one that does not exist"));
    }
    let numbers = |kind: &str, length: usize| Ok(stored.f32s(&format!("{name}/{kind}"), length)?.to_vec());
    let scales: Vec<f32> = numbers("scales", width)?;
    if scales.contains(&0.0) {
        return Err(malformed("a feature's scale is 0"));
    }
    let encoder = halfmax_core::Encoder { space, centres: numbers("centres", width)?, scales };
    let flag_means = numbers("flag_means", flagged.len())?;
    Ok(Inputs { encoder, flagged, flag_means })
}

fn stored_combinations(stored: &StoredModel, drugs: usize) -> Result<Vec<([u32; 2], f64)>> {
    let pairs = match stored.tensors.get("combination/drugs") {
        Some(Tensor::U32(pairs)) if pairs.len() % 2 == 0 => pairs.as_chunks::<2>().0,
        _ => return Err(malformed("its combinations are missing")),
    };
    let sound = |[a, b]: &[u32; 2]| a <= b && (*b as usize) < drugs;
    if !pairs.is_sorted_by(|a, b| a < b) || !pairs.iter().all(sound) {
        return Err(malformed("its combinations are out of order, or name drugs that do not exist"));
    }
    let own = stored.f64s("combination/bases", pairs.len())?;
    Ok(pairs.iter().copied().zip(own.iter().copied()).collect())
}
