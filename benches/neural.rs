//! An epoch of training on entities beside an epoch of the same network trained on pairs in mini-batches.
//!
//! `cargo bench --workspace --bench neural`. The screen has the size of one training part of GDSC2: 729 cell lines with 6,163 genes,
//! 286 drugs, every pair measured. Both networks have one hidden layer of 256 units with layer normalisation and dropout, an
//! interaction of rank 64, a learned embedding for each drug, and AdamW. On entities a step has 64 cell lines with all their
//! drugs; on pairs it has 512 pairs, whose cell lines each go through the tower. An epoch on pairs takes minutes, so
//! some of its steps are timed and multiplied.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

use std::time::Instant;

use burn::optim::{AdamW, AdamWConfig, AdamWState, Optimizer};
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use halfmax_core::*;
use halfmax_neural::NeuralParams;
use ndarray::Array2;

const CELLS: usize = 729;
const DRUGS: usize = 286;
const GENES: usize = 6163;
const HIDDEN: usize = 256;
const RANK: usize = 64;
const PAIRS_IN_A_STEP: usize = 512;
const STEPS: usize = 15;
const EPOCHS: usize = 5;

/// A number from -1 to 1 that looks random.
fn noise(seed: usize) -> f32 {
    (Seed::new(seed as u64).derive(7).value() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

fn response(cell: usize, drug: usize) -> f32 {
    noise(cell * GENES + drug % 3) * noise(drug + 1_000_000_000) + 0.3 * noise(cell * DRUGS + drug)
}

fn screen() -> Screen {
    let values = Array2::from_shape_fn((CELLS, GENES), |(cell, gene)| noise(cell * GENES + gene));
    let names = (0..GENES).map(|gene| format!("G{gene}"));
    let expression = FeatureBlock::new("expression", names, FeatureValues::real(values)).unwrap();
    let ids = |letter: &str, count: usize| (0..count).map(|at| format!("{letter}{at}")).collect::<Vec<_>>();
    let cells = EntityTable::new(ids("c", CELLS), "cell line").unwrap().with_block(expression).unwrap();
    let drugs = EntityTable::new(ids("d", DRUGS), "drug").unwrap();
    let side = |of: fn(usize) -> usize| (0..CELLS * DRUGS).map(|pair| of(pair) as u32).collect();
    let responses = (0..CELLS * DRUGS).map(|pair| response(pair / DRUGS, pair % DRUGS)).collect();
    let responses = Responses::new(vec![side(|p| p / DRUGS), side(|p| p % DRUGS)], responses, None).unwrap();
    let sides = vec![Side::cell_line(0), Side::drug(1)];
    Screen::new("LN_IC50", vec![cells, drugs], sides, responses).unwrap()
}

/// Seconds of an epoch on entities: the median of five.
fn on_entities() -> f64 {
    let params = NeuralParams {
        device: "cpu".into(),
        ensemble_size: 1,
        epochs: EPOCHS,
        validation_fraction: 0.0,
        ..NeuralParams::default()
    };
    let context = FitContext::new(Seed::new(1), &Silent, ValidationGroup::Entity(0));
    let fitted = params.check().unwrap().fit(&screen().all(), &context).unwrap();
    let ends: Vec<f64> =
        fitted.as_epochwise().map_or(&[][..], |fit| fit.epochs()).iter().map(|epoch| epoch.seconds).collect();
    median((0..EPOCHS).map(|at| ends[at] - if at == 0 { 0.0 } else { ends[at - 1] }).collect())
}

/// Seconds of a step on pairs: the median of some.
fn step_on_pairs() -> f64 {
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    let start =
        |shape: [usize; 2], most: f64| Tensor::<2>::random(shape, Distribution::Uniform(-most, most), &plain);
    let mut weights = [
        start([GENES, HIDDEN], (GENES as f64).powf(-0.5)),
        Tensor::zeros([1, HIDDEN], &plain),
        Tensor::ones([1, HIDDEN], &plain),
        Tensor::zeros([1, HIDDEN], &plain),
        start([HIDDEN, RANK + 1], (HIDDEN as f64).powf(-0.5)),
        Tensor::zeros([1, RANK + 1], &plain),
        start([DRUGS, RANK + 1], 0.17),
    ];
    let optimizer: AdamW = AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(0.01).build();
    let mut moments: Vec<Option<AdamWState<2>>> = vec![None; weights.len()];
    let all = Tensor::<2>::random([CELLS, GENES], Distribution::Normal(0.0, 1.0), &device);
    let mut seconds = Vec::new();
    for step in 0..STEPS {
        let pair = |at: usize| {
            (Seed::new((step * PAIRS_IN_A_STEP + at) as u64).derive(1).value() % (CELLS * DRUGS) as u64)
                as usize
        };
        let pairs: Vec<usize> = (0..PAIRS_IN_A_STEP).map(pair).collect();
        let begin = Instant::now();
        let places = |of: fn(usize) -> usize| {
            let all: Vec<i32> = pairs.iter().map(|pair| of(*pair) as i32).collect();
            Tensor::<1, burn::tensor::Int>::from_data(TensorData::new(all, [PAIRS_IN_A_STEP]), &device)
        };
        let w: Vec<Tensor<2>> = weights.iter().map(|w| w.clone().autodiff().require_grad()).collect();
        let kept =
            |shape: [usize; 2]| Tensor::<2>::random(shape, Distribution::Bernoulli(0.5), &device) * 2.0;
        let x = all.clone().select(0, places(|pair| pair / DRUGS)) * kept([PAIRS_IN_A_STEP, GENES]);
        let h = x.matmul(w[0].clone()) + w[1].clone();
        let h = h.clone() - h.mean_dim(1);
        let h = h.clone() / (h.square().mean_dim(1) + 1e-5).sqrt();
        let h = gelu(h * w[2].clone() + w[3].clone()) * kept([PAIRS_IN_A_STEP, HIDDEN]);
        let cells = h.matmul(w[4].clone()) + w[5].clone();
        let drugs = w[6].clone().select(0, places(|pair| pair % DRUGS));
        let part = |code: &Tensor<2>, at: usize, width: usize| code.clone().narrow(1, at, width);
        let product = (part(&cells, 0, RANK) * part(&drugs, 0, RANK)).sum_dim(1);
        let predicted = product + part(&cells, RANK, 1) + part(&drugs, RANK, 1);
        let observed: Vec<f32> = pairs.iter().map(|pair| response(pair / DRUGS, pair % DRUGS)).collect();
        let observed = Tensor::<2>::from_data(TensorData::new(observed, [PAIRS_IN_A_STEP, 1]), &device);
        let loss = (predicted - observed).square().mean();
        let gradients = loss.backward();
        let found: Vec<Option<Tensor<2>>> = w.iter().map(|w| w.grad(&gradients)).collect();
        drop((gradients, w));
        for (at, gradient) in found.into_iter().enumerate() {
            let Some(gradient) = gradient else { continue };
            let weight = std::mem::replace(&mut weights[at], Tensor::zeros([1, 1], &plain));
            (weights[at], moments[at]) = optimizer.step(2e-3, weight, gradient, moments[at].take());
        }
        seconds.push(begin.elapsed().as_secs_f64());
    }
    median(seconds)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let entities = on_entities();
    let steps = (CELLS * DRUGS).div_ceil(PAIRS_IN_A_STEP);
    let step = step_on_pairs();
    let pairs = step * steps as f64;
    println!("an epoch on entities: {entities:.3} s (median of {EPOCHS})");
    println!(
        "an epoch on pairs: {pairs:.1} s ({steps} steps of {:.1} ms, the median of {STEPS})",
        1e3 * step
    );
    println!("ratio: {:.0}", pairs / entities);
}
