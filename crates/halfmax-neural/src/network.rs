//! The network: a tower for each side, and how the codes of a cell line and a drug become a prediction.
//!
//! Every weight has three dimensions. The first counts the members of an ensemble that are trained together. Matrix products
//! are batched over it, so no member sees another.

use burn::tensor::activation::{gelu, relu};
use burn::tensor::{Device, Tensor, TensorData};
use halfmax_core::Seed;
use ndarray::Array2;
use rand::RngExt;

use crate::params::NeuralParams;
use crate::random::{Dropout, generator};

/// One weight of the network.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slot {
    /// Its name, as in a model file: "cell/0/weight".
    pub(crate) name: String,
    /// Its shape for one member.
    pub(crate) shape: [usize; 2],
    /// Whether weight decay applies.
    pub(crate) decays: bool,
    start: Start,
}

/// How a weight is initialised.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Start {
    /// Uniform between minus and plus this value.
    Uniform(f32),
    /// All equal.
    Constant(f32),
}

impl Slot {
    pub(crate) fn len(&self) -> usize {
        self.shape[0] * self.shape[1]
    }
}

/// The units of the first layer that each see one mechanism.
#[derive(Clone, Debug)]
pub(crate) struct MechanismUnits {
    /// The inputs that any of these units sees.
    pub(crate) inputs: Vec<usize>,
    /// 1 where a unit sees an input, inputs × units.
    pub(crate) mask: Array2<f32>,
}

/// The sizes that a network is made for.
pub(crate) struct Sizes {
    /// How many numbers the entities of each side have.
    pub(crate) inputs: [usize; 2],
    /// Number of entities of each side with an embedding; 0 if there are none.
    pub(crate) identities: [usize; 2],
    pub(crate) mechanisms: Option<MechanismUnits>,
    /// Whether columns are combinations of two drugs.
    pub(crate) combinations: bool,
}

/// The architecture: its weights and how they are used.
pub(crate) struct Network {
    pub(crate) slots: Vec<Slot>,
    towers: [Tower; 2],
    /// Combines two drugs into one code; `None` if drugs are single or indistinguishable.
    pub(crate) combiner: Option<Tower>,
    pair: Option<Pair>,
    pub(crate) rank: usize,
    layer_norm: bool,
    mechanisms: Option<MechanismUnits>,
}

/// Positions of a tower's weights among the slots.
pub(crate) struct Tower {
    layers: Vec<Layer>,
    out: Option<[usize; 2]>,
    identity: Option<[usize; 2]>,
}

struct Layer {
    /// The position of the weights of the units that each see one mechanism; only in a first layer.
    masked: Option<usize>,
    weight: Option<usize>,
    bias: usize,
    norm: Option<[usize; 2]>,
}

/// Positions of the pair network's weights: from cell lines, from drugs, bias, out.
struct Pair {
    of_side: [usize; 2],
    bias: usize,
    out: usize,
    width: usize,
}

/// The prefix of the names of the cell-line tower's weights.
const CELL: &str = "cell";
/// Uniform numbers of this standard deviation lie between plus and minus it times √3.
const EMBEDDING_START: f32 = 0.1 * 1.732_050_8;
const NORM_EPSILON: f64 = 1e-5;

impl Network {
    pub(crate) fn new(params: &NeuralParams, sizes: Sizes) -> Self {
        let mut slots = Slots(Vec::new());
        let rank = params.rank;
        let tower = |slots: &mut Slots, name: &str, inputs: usize, widths: &[usize], count: usize| {
            let mut width = inputs;
            let mut layers = Vec::new();
            for (at, units) in widths.iter().enumerate().filter(|_| inputs > 0) {
                let place = format!("{name}/{at}");
                let own = sizes.mechanisms.as_ref().filter(|_| name == CELL && at == 0);
                let masked = own.map(|own| {
                    let seen = own.mask.sum() / own.mask.ncols().max(1) as f32;
                    let start = Start::Uniform(1.0 / seen.max(1.0).sqrt());
                    slots.add(format!("{place}/mechanisms"), own.mask.dim().into(), true, start)
                });
                let weight = (*units > 0).then(|| slots.linear(&place, [width, *units]));
                width = units + own.map_or(0, |own| own.mask.ncols());
                let bias = slots.row(format!("{place}/bias"), width, 0.0);
                let norm = params.layer_norm.then(|| {
                    let gain = slots.row(format!("{place}/gain"), width, 1.0);
                    [gain, slots.row(format!("{place}/shift"), width, 0.0)]
                });
                layers.push(Layer { masked, weight, bias, norm });
            }
            let out = (inputs > 0).then(|| {
                let place = format!("{name}/out");
                [slots.linear(&place, [width, rank + 1]), slots.row(format!("{place}/bias"), rank + 1, 0.0)]
            });
            let identity = (count > 0).then(|| {
                let start = Start::Uniform(EMBEDDING_START);
                let embedding = slots.add(format!("{name}/identity"), [count, rank], true, start);
                [embedding, slots.add(format!("{name}/offset"), [count, 1], false, Start::Constant(0.0))]
            });
            Tower { layers, out, identity }
        };
        let automatic: &[usize] = if sizes.identities[1] > 0 { &[] } else { &[64] };
        let of_drugs = params.drug_hidden.as_deref().unwrap_or(automatic);
        let [cell_inputs, drug_inputs] = sizes.inputs;
        let towers = [
            tower(&mut slots, CELL, cell_inputs, &params.hidden, sizes.identities[0]),
            tower(&mut slots, "drug", drug_inputs, of_drugs, sizes.identities[1]),
        ];
        let differ = drug_inputs > 0 || sizes.identities[1] > 0;
        let combiner = (sizes.combinations && differ)
            .then(|| tower(&mut slots, "combination", 3 * (rank + 1), &params.combination_hidden, 0));
        let width = params.pair_hidden;
        let pair = (width > 0).then(|| Pair {
            of_side: [slots.linear("pair/cell", [rank, width]), slots.linear("pair/drug", [rank, width])],
            bias: slots.row("pair/bias".into(), width, 0.0),
            out: slots.linear("pair/out", [width, 1]),
            width,
        });
        let layer_norm = params.layer_norm;
        Self { slots: slots.0, towers, combiner, pair, rank, layer_norm, mechanisms: sizes.mechanisms }
    }

    /// The units that each see one mechanism, if there are any.
    pub(crate) fn mechanisms(&self) -> Option<&MechanismUnits> {
        self.mechanisms.as_ref()
    }

    /// How many numbers [`Network::encoded`] computes for an entity.
    pub(crate) fn code_width(&self) -> usize {
        self.rank + 1 + self.pair.as_ref().map_or(0, |pair| pair.width)
    }

    /// The width of the pair network's hidden layer.
    pub(crate) fn pair_width(&self) -> usize {
        self.pair.as_ref().map_or(0, |pair| pair.width)
    }

    /// The position of the pair network's output weights.
    pub(crate) fn pair_out(&self) -> Option<usize> {
        self.pair.as_ref().map(|pair| pair.out)
    }

    /// Positions of a side's embeddings and offsets.
    pub(crate) fn identity(&self, side: usize) -> Option<[usize; 2]> {
        self.towers[side].identity
    }

    /// The initial weights of members with these seeds, on a device.
    pub(crate) fn start(&self, seeds: &[Seed], device: &Device) -> Vec<Tensor<3>> {
        let of = |(at, slot): (usize, &Slot)| {
            let mut numbers = Vec::with_capacity(seeds.len() * slot.len());
            for seed in seeds {
                match slot.start {
                    Start::Constant(value) => numbers.resize(numbers.len() + slot.len(), value),
                    Start::Uniform(most) => {
                        let mut generator = generator(seed.derive(at as u64));
                        numbers
                            .extend((0..slot.len()).map(|_| most * (2.0 * generator.random::<f32>() - 1.0)));
                    }
                }
            }
            on_device(numbers, [seeds.len(), slot.shape[0], slot.shape[1]], device)
        };
        self.slots.iter().enumerate().map(of).collect()
    }

    /// The output of a tower for its inputs (members × entities × inputs): members × entities × (rank + 1). The last
    /// number is an offset. `None` for a tower without features.
    pub(crate) fn tower(
        &self,
        side: usize,
        weights: &[Tensor<3>],
        inputs: Tensor<3>,
        dropout: Option<(f64, Dropout)>,
    ) -> Option<Tensor<3>> {
        self.through(&self.towers[side], weights, inputs, dropout)
    }

    /// The output of a tower's layers for its inputs, as [`Network::tower`].
    pub(crate) fn through(
        &self,
        tower: &Tower,
        weights: &[Tensor<3>],
        inputs: Tensor<3>,
        mut dropout: Option<(f64, Dropout)>,
    ) -> Option<Tensor<3>> {
        let [weight, bias] = tower.out?;
        let mut x = inputs;
        for layer in &tower.layers {
            x = self.activated(layer, weights, self.sums(layer, weights, x));
            if let Some((share, dropout)) = &mut dropout {
                x = dropped(x, *share, dropout);
            }
        }
        Some(product(x, weights[weight].clone()) + weights[bias].clone())
    }

    /// The output of a layer before the bias.
    fn sums(&self, layer: &Layer, weights: &[Tensor<3>], x: Tensor<3>) -> Tensor<3> {
        let mut sums = Vec::new();
        if let (Some(at), Some(units)) = (layer.masked, &self.mechanisms) {
            sums.push(self.masked(units, weights[at].clone(), x.clone()));
        }
        if let Some(at) = layer.weight {
            sums.push(product(x, weights[at].clone()));
        }
        Tensor::cat(sums, 2)
    }

    fn activated(&self, layer: &Layer, weights: &[Tensor<3>], sums: Tensor<3>) -> Tensor<3> {
        let mut x = sums + weights[layer.bias].clone();
        if let Some([gain, shift]) = layer.norm {
            x = normalised(x) * weights[gain].clone() + weights[shift].clone();
        }
        gelu(x)
    }

    /// The output of a side's tower, given the sums of its first layer before the bias: as [`Network::tower`]. The sums
    /// are linear in the inputs; see [`Network::first_weights`].
    pub(crate) fn tower_of_sums(
        &self,
        side: usize,
        weights: &[Tensor<3>],
        sums: Tensor<3>,
    ) -> Option<Tensor<3>> {
        let tower = &self.towers[side];
        let [weight, bias] = tower.out?;
        let Some((first, rest)) = tower.layers.split_first() else {
            return Some(sums + weights[bias].clone());
        };
        let mut x = self.activated(first, weights, sums);
        for layer in rest {
            x = self.activated(layer, weights, self.sums(layer, weights, x));
        }
        Some(product(x, weights[weight].clone()) + weights[bias].clone())
    }

    /// Whether a side has features that a tower reads.
    pub(crate) fn has_tower(&self, side: usize) -> bool {
        self.towers.get(side).is_some_and(|tower| tower.out.is_some())
    }

    /// The weights that multiply the inputs of a side's tower first, for each member: inputs × units. `numbers` are those
    /// of every slot, members × rows × columns. `None` for a tower without features.
    pub(crate) fn first_weights(
        &self,
        side: usize,
        numbers: &[Vec<f32>],
        members: usize,
    ) -> Option<Vec<Array2<f32>>> {
        let tower = &self.towers[side];
        let [out, _] = tower.out?;
        let matrix = |slot: usize, member: usize| {
            let [rows, columns] = self.slots[slot].shape;
            let own = &numbers[slot][member * rows * columns..][..rows * columns];
            Array2::from_shape_fn((rows, columns), |(row, column)| own[row * columns + column])
        };
        let of = |member: usize| {
            let Some(first) = tower.layers.first() else { return matrix(out, member) };
            let plain = first.weight.map(|slot| matrix(slot, member));
            let Some((slot, units)) = first.masked.zip(self.mechanisms.as_ref()) else {
                return plain.unwrap_or_default();
            };
            let seen = matrix(slot, member) * &units.mask;
            let own = units.mask.ncols();
            let inputs = plain
                .as_ref()
                .map_or_else(|| units.inputs.iter().max().map_or(0, |most| most + 1), |plain| plain.nrows());
            let width = own + plain.as_ref().map_or(0, |plain| plain.ncols());
            let mut all = Array2::zeros((inputs, width));
            for (row, input) in seen.rows().into_iter().zip(&units.inputs) {
                all.slice_mut(ndarray::s![*input, ..own]).assign(&row);
            }
            if let Some(plain) = plain {
                all.slice_mut(ndarray::s![.., own..]).assign(&plain);
            }
            all
        };
        Some((0..members).map(of).collect())
    }

    /// The output of the units that each see one mechanism, before their bias: members × entities × units.
    fn masked(&self, units: &MechanismUnits, weight: Tensor<3>, inputs: Tensor<3>) -> Tensor<3> {
        let device = inputs.device();
        let at: Vec<i32> = units.inputs.iter().map(|at| *at as i32).collect();
        let count = at.len();
        let seen = inputs.select(2, Tensor::from_data(TensorData::new(at, [count]), &device));
        let (rows, columns) = units.mask.dim();
        let mask = on_device(units.mask.iter().copied().collect(), [1, rows, columns], &device);
        product(seen, weight * mask)
    }

    /// Predictions for every cell line with every drug, from the outputs of towers and embeddings: members × cell lines ×
    /// drugs, in standard deviations.
    pub(crate) fn pairs(&self, weights: &[Tensor<3>], cells: Tensor<3>, drugs: Tensor<3>) -> Tensor<3> {
        let rank = self.rank;
        let part = |code: &Tensor<3>| (code.clone().narrow(2, 0, rank), code.clone().narrow(2, rank, 1));
        let (left, left_offset) = part(&cells);
        let (right, right_offset) = part(&drugs);
        let bilinear =
            left.clone().matmul(right.clone().swap_dims(1, 2)) + left_offset + right_offset.swap_dims(1, 2);
        let Some(pair) = &self.pair else { return bilinear };
        let of = |code: Tensor<3>, side: usize| product(code, weights[pair.of_side[side]].clone());
        let cells: Tensor<4> = (of(left, 0) + weights[pair.bias].clone()).unsqueeze_dim(2);
        let drugs: Tensor<4> = of(right, 1).unsqueeze_dim(1);
        let hidden = relu(cells + drugs);
        let out: Tensor<4> = weights[pair.out].clone().swap_dims(1, 2).unsqueeze_dim(1);
        let added: Tensor<3> = (hidden * out).sum_dim(3).squeeze_dim(3);
        bilinear + added
    }

    /// Appends the pair network's numbers of an entity to the output of its tower and embedding: members × entities ×
    /// [`Network::code_width`]. Pairs can then be predicted without tensors.
    pub(crate) fn encoded(&self, side: usize, weights: &[Tensor<3>], code: Tensor<3>) -> Tensor<3> {
        let Some(pair) = &self.pair else { return code };
        let mut own = product(code.clone().narrow(2, 0, self.rank), weights[pair.of_side[side]].clone());
        if side == 0 {
            own = own + weights[pair.bias].clone();
        }
        Tensor::cat(vec![code, own], 2)
    }

    /// The content of a fingerprint of the architecture.
    pub(crate) fn outline(&self) -> Vec<(String, [usize; 2])> {
        let mut outline: Vec<(String, [usize; 2])> =
            self.slots.iter().map(|slot| (slot.name.clone(), slot.shape)).collect();
        outline.push(("layer_norm".into(), [usize::from(self.layer_norm); 2]));
        outline
    }
}

struct Slots(Vec<Slot>);

impl Slots {
    fn add(&mut self, name: String, shape: [usize; 2], decays: bool, start: Start) -> usize {
        self.0.push(Slot { name, shape, decays, start });
        self.0.len() - 1
    }

    /// A matrix from inputs (rows) to units (columns).
    fn linear(&mut self, place: &str, shape: [usize; 2]) -> usize {
        let start = Start::Uniform(1.0 / (shape[0].max(1) as f32).sqrt());
        self.add(format!("{place}/weight"), shape, true, start)
    }

    fn row(&mut self, name: String, width: usize, value: f32) -> usize {
        self.add(name, [1, width], false, Start::Constant(value))
    }
}

/// A tensor from its numbers, row-major.
pub(crate) fn on_device(numbers: Vec<f32>, shape: [usize; 3], device: &Device) -> Tensor<3> {
    Tensor::from_data(TensorData::new(numbers, shape), device)
}

/// Batched matrix product. Inputs with one member are shared by all members.
fn product(inputs: Tensor<3>, weight: Tensor<3>) -> Tensor<3> {
    inputs.matmul(weight)
}

/// Layer normalisation without gain and shift (Ba, Kiros & Hinton 2016).
fn normalised(x: Tensor<3>) -> Tensor<3> {
    let centred = x.clone() - x.mean_dim(2);
    let variance = centred.clone().square().mean_dim(2);
    centred / (variance + NORM_EPSILON).sqrt()
}

fn dropped(x: Tensor<3>, share: f64, dropout: &mut Dropout) -> Tensor<3> {
    if share <= 0.0 {
        return x;
    }
    let (shape, device) = (x.dims(), x.device());
    let mut factors = vec![1.0; shape.iter().product()];
    dropout.apply(share, &mut factors);
    x * on_device(factors, shape, &device)
}
