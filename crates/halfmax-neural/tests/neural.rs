//! What neural models promise: training that goes on after an interruption, attributions that add up, units that see one
//! mechanism, messages that help.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use halfmax_core::{
    Attribution, BitColumns, Checkpoint, CheckpointStore, EntityTable, ErrorKind, FeatureBlock,
    FeatureValues, FitContext, FittedModel, Model, Progress, Query, Responses, Result, Screen, Seed,
    SeenAgain, Side, Silent, StoredModel, Tensor, Tuples, ValidationGroup,
};
use halfmax_neural::{FittedNeural, Loss, NeuralParams};
use ndarray::Array2;

const CELLS: usize = 60;
const DRUGS: usize = 7;
const GENES: [&str; 6] = ["ABCB1", "BCL2", "TP53", "SLFN11", "NOT1", "NOT2"];

fn noise(a: usize, b: usize) -> f32 {
    (Seed::new(11).derive((a * 1000 + b) as u64).value() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

/// Cell lines of which `change` may alter the expression of a gene.
fn cells(change: impl Fn(usize, usize, f32) -> f32) -> EntityTable {
    let value = |(cell, gene)| change(cell, gene, noise(cell, gene));
    let values = FeatureValues::real(Array2::from_shape_fn((CELLS, GENES.len()), value));
    let bits = BitColumns::from_fn(CELLS, 2, |cell, bit| (cell % 5 > 0).then_some((cell + bit) % 3 == 0));
    let table = EntityTable::new((0..CELLS).map(|cell| format!("cell {cell}")), "cell line").unwrap();
    let table = table.with_block(FeatureBlock::new("expression", GENES, values).unwrap()).unwrap();
    let events = FeatureBlock::new("events", ["TP53_mut", "x"], FeatureValues::Binary(bits)).unwrap();
    table.with_block(events).unwrap()
}

fn as_they_are() -> EntityTable {
    cells(|_, _, value| value)
}

fn bare_drugs() -> EntityTable {
    EntityTable::new((0..DRUGS).map(|drug| format!("drug {drug}")), "drug").unwrap()
}

fn drugs() -> EntityTable {
    let bits = BitColumns::from_fn(DRUGS, 5, |drug, bit| Some(noise(drug, 90 + bit) > 0.0));
    let names = ["a", "b", "c", "d", "e"];
    let block = FeatureBlock::new("fingerprint", names, FeatureValues::Binary(bits)).unwrap();
    bare_drugs().with_block(block).unwrap()
}

fn screen() -> Screen {
    let all = (0..CELLS).flat_map(|cell| (0..DRUGS).map(move |drug| (cell, drug)));
    let pairs: Vec<(usize, usize)> = all.filter(|(cell, drug)| (cell + drug) % 8 != 0).collect();
    let value = |(cell, drug): &(usize, usize)| {
        *drug as f32 + 2.0 * noise(*cell, drug % 4) * noise(*cell, 1) + noise(*cell, 0)
    };
    let side = |of: fn(&(usize, usize)) -> usize| pairs.iter().map(|pair| of(pair) as u32).collect();
    let responses =
        Responses::new(vec![side(|p| p.0), side(|p| p.1)], pairs.iter().map(value).collect(), None).unwrap();
    let tables = vec![as_they_are(), drugs()];
    Screen::new("LN_IC50", tables, vec![Side::cell_line(0), Side::drug(1)], responses).unwrap()
}

fn params() -> NeuralParams {
    NeuralParams {
        device: "cpu".into(),
        ensemble_size: 2,
        hidden: vec![24],
        rank: 6,
        pair_hidden: 5,
        epochs: 12,
        batch: 16,
        learning_rate: 0.02,
        validation_fraction: 0.1,
        ..NeuralParams::default()
    }
}

fn fit(params: NeuralParams, context: &FitContext) -> Result<FittedNeural> {
    params.check()?.fit(&screen().all(), context)
}

fn plain() -> FitContext<'static> {
    FitContext::new(Seed::new(3), &Silent, ValidationGroup::Entity(0))
}

fn grid(fitted: &FittedNeural, cells: &EntityTable) -> Vec<f32> {
    let (rows, columns): (Vec<u32>, Vec<u32>) = ((0..CELLS as u32).collect(), (0..DRUGS as u32).collect());
    let query = Query { tables: &[cells, &drugs()], tuples: Tuples::Grid(&[&rows, &columns]) };
    fitted.predict(&query).unwrap()
}

/// Keeps states in memory, with descriptions as a file would have them.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, StoredModel>>);

impl CheckpointStore for Memory {
    fn load(&self, name: &str) -> Result<Option<StoredModel>> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }

    fn save(&self, name: &str, state: &StoredModel) -> Result<()> {
        let description = serde_json::from_str(&state.description.to_string()).unwrap();
        let parts = StoredModel { description, tensors: state.tensors.clone() };
        self.0.lock().unwrap().insert(name.into(), parts);
        Ok(())
    }

    fn place(&self) -> String {
        "memory".into()
    }
}

/// Asks to stop after so many questions, and hears what is said.
struct Watcher {
    questions_left: AtomicUsize,
    heard: Mutex<Vec<String>>,
}

impl Watcher {
    fn of(questions_left: usize) -> Self {
        Self { questions_left: questions_left.into(), heard: Mutex::default() }
    }
}

impl Progress for Watcher {
    fn step(&self, _done: usize, _total: usize) {}

    fn detail(&self, text: &str) {
        self.heard.lock().unwrap().push(text.into());
    }

    fn warn(&self, text: &str) {
        self.heard.lock().unwrap().push(text.into());
    }

    fn stopped(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.questions_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err()
    }
}

#[test]
fn training_that_was_interrupted_again_and_again_comes_to_the_same_model() {
    let whole = fit(params(), &plain()).unwrap();
    let store = Memory::default();
    let checkpoint = Some(Checkpoint { store: &store, name: "model" });
    let mut times = 0;
    let resumed = loop {
        let progress = Watcher::of(23);
        match fit(params(), &FitContext { checkpoint, progress: &progress, ..plain() }) {
            Ok(fitted) => break fitted,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}"),
        }
        times += 1;
        assert!(times < 100);
    };
    assert!(times >= 2, "interrupted {times} times");
    assert!(resumed.stored().unwrap() == whole.stored().unwrap());
    let epochs = |fitted: &FittedNeural| -> Vec<_> {
        let of = fitted.as_epochwise().unwrap().epochs().iter();
        of.map(|epoch| (epoch.member, epoch.epoch, epoch.training_loss, epoch.validation_rmse)).collect()
    };
    assert_eq!(epochs(&resumed), epochs(&whole));
    assert_eq!(whole.as_epochwise().unwrap().epochs().len(), 2 * 12);
}

#[test]
fn a_checkpoint_of_something_else_is_refused() {
    let store = Memory::default();
    let context = FitContext { checkpoint: Some(Checkpoint { store: &store, name: "model" }), ..plain() };
    fit(params(), &context).unwrap();
    let message = |params: NeuralParams, context: &FitContext| fit(params, context).unwrap_err().to_string();
    // Members are trained side by side: any of them may be the first to find it.
    let wider = message(NeuralParams { hidden: vec![25], ..params() }, &context);
    let said =
        wider.strip_prefix("memory, model, member 1: ").or(wider.strip_prefix("memory, model, member 2: "));
    assert_eq!(
        said,
        Some("the checkpoint belongs to another architecture, with cell/0/weight of 9 × 24"),
        "{wider}"
    );
    let longer = message(NeuralParams { epochs: 13, ..params() }, &context);
    assert!(longer.ends_with("the checkpoint belongs to other parameters"), "{longer}");
    let other = message(params(), &FitContext { seed: Seed::new(4), ..context });
    assert!(
        other.ends_with("the checkpoint belongs to other data, or another split, seed or catalogue"),
        "{other}"
    );
    store.0.lock().unwrap().get_mut("model, member 1").unwrap().tensors.clear();
    let error = fit(params(), &context).unwrap_err();
    assert!(error.to_string().contains("is missing or has another type"), "{error}");
    assert_eq!(error.help(), Some("remove the checkpoint to start again"));
}

/// Parameters that diverge.
fn wild() -> NeuralParams {
    NeuralParams {
        ensemble_size: 1,
        learning_rate: 10.0,
        weight_decay: 100.0,
        clip: 1e30,
        layer_norm: false,
        hidden: vec![24, 24, 24],
        warmup: 0.0,
        ..params()
    }
}

#[test]
fn a_diverged_run_says_so_keeps_its_last_good_weights_and_goes_on_with_a_lower_rate() {
    let store = Memory::default();
    let context = FitContext { checkpoint: Some(Checkpoint { store: &store, name: "model" }), ..plain() };
    let error = fit(wild(), &context).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("training diverged: the loss or weights of epoch"), "{text}");
    assert!(text.contains("at a learning rate of") && text.contains("are saved in memory"), "{text}");
    assert_eq!(error.help(), Some("lower learning_rate from 10 to 1, or lower clip"));
    let kept = store.load("model, member 1").unwrap().unwrap();
    let number = |name: &str| kept.description[name].as_u64().unwrap();
    assert!(number("epoch") < number("diverged"));
    let finite =
        |tensor: &Tensor| matches!(tensor, Tensor::F32(all) if all.iter().all(|one| one.is_finite()));
    assert!(kept.tensors.values().all(finite));
    let calmer = NeuralParams { learning_rate: 1e-4, clip: 1.0, ..wild() };
    let fitted = fit(calmer, &context).unwrap();
    assert!(grid(&fitted, &as_they_are()).iter().all(|value| value.is_finite()));
}

#[test]
fn what_diverged_in_epochs_of_one_step_goes_on_from_weights_that_are_good() {
    let store = Memory::default();
    let context = FitContext { checkpoint: Some(Checkpoint { store: &store, name: "model" }), ..plain() };
    let wild = NeuralParams { batch: 1000, validation_fraction: 0.0, epochs: 60, ..wild() };
    fit(wild.clone(), &context).unwrap_err();
    let calmer = NeuralParams { learning_rate: 1e-6, clip: 1e-3, ..wild };
    let fitted = fit(calmer, &context).unwrap();
    assert!(FittedNeural::from_stored(&fitted.stored().unwrap()).is_ok());
}

#[test]
fn entities_of_which_nothing_is_known_are_predicted_by_the_mean() {
    let mut bare = screen();
    bare.tables[0] = EntityTable::new((0..CELLS).map(|cell| format!("cell {cell}")), "cell line").unwrap();
    bare.tables[1] = bare_drugs();
    let params = NeuralParams { seen_again: SeenAgain::None, pair_hidden: 0, ..params() };
    let fitted = params.check().unwrap().fit(&bare.all(), &plain()).unwrap();
    let tables = [bare.table(0), bare.table(1)];
    let query = Query { tables: &tables, tuples: Tuples::Listed(&[&[0, 5], &[3, 1]]) };
    let predicted = fitted.predict(&query).unwrap();
    let mean = bare.responses.values().iter().sum::<f32>() / bare.responses.len() as f32;
    assert!(predicted.iter().all(|value| (value - mean).abs() < 1e-4), "{predicted:?}, expected {mean}");
}

#[test]
fn a_model_file_that_cannot_be_is_refused() {
    let parts = fit(params(), &plain()).unwrap().stored().unwrap();
    let with = |name: &str, value: serde_json::Value| {
        let mut changed = parts.clone();
        changed.description["head"]["params"][name] = value;
        FittedNeural::from_stored(&changed).unwrap_err().to_string()
    };
    let start = "the model is malformed: ";
    assert_eq!(
        with("ensemble_size", (1u64 << 62).into()),
        format!("{start}ensemble_size = 4611686018427387904: expected 1 to 1000")
    );
    assert_eq!(with("hidden", serde_json::json!([0])), format!("{start}hidden[0] = 0: expected 1 to 65536"));
    assert_eq!(
        with("mechanisms", "builtin".into()),
        format!("{start}its catalogue of mechanisms is missing")
    );
}

#[test]
fn a_file_from_before_models_knew_of_combinations_is_read() {
    let fitted = fit(params(), &plain()).unwrap();
    let mut parts = fitted.stored().unwrap();
    assert!(parts.description["head"].get("combinations").is_none());
    let params = parts.description["head"]["params"].as_object_mut().unwrap();
    params.remove("combination_hidden").unwrap();
    let read = FittedNeural::from_stored(&parts).unwrap();
    assert_eq!(grid(&read, &as_they_are()), grid(&fitted, &as_they_are()));
}

/// Contributions to the predictions for some cell lines with a drug.
fn contributions(fitted: &FittedNeural, cells: &EntityTable, entities: &[u32], drug: u32) -> Attribution {
    let drugs = drugs();
    let tables = [cells, &drugs];
    fitted
        .as_attributable(0)
        .unwrap()
        .attribute(&tables, 0, entities)
        .unwrap()
        .contributions(&[drug])
        .unwrap()
}

#[test]
fn contributions_add_up_to_the_difference_of_predictions() {
    let cells = as_they_are();
    let fitted = fit(NeuralParams { epochs: 40, ..params() }, &plain()).unwrap();
    let predicted = grid(&fitted, &cells);
    let entities = [3u32, 11, 20];
    let found = contributions(&fitted, &cells, &entities, 2);
    for (at, entity) in entities.iter().enumerate() {
        let sum: f64 = found.values.column(at).iter().map(|value| f64::from(*value)).sum();
        let prediction = f64::from(predicted[*entity as usize * DRUGS + 2]);
        assert!((found.base[at] + sum - prediction).abs() < 1e-5);
        // The prediction at the training mean is the same for all, since cell lines are known by their features only.
        assert!((found.base[at] - found.base[0]).abs() <= 0.01 * sum.abs() + 0.002, "{:?}", found.base);
    }
    let (drugs, tables) = (drugs(), as_they_are());
    let tables = [&tables, &drugs];
    let of_drugs = fitted
        .as_attributable(1)
        .unwrap()
        .attribute(&tables, 1, &[1, 4])
        .unwrap()
        .contributions(&[9])
        .unwrap();
    assert_eq!(of_drugs.values.ncols(), 2);
    let error = fitted.as_attributable(0).unwrap().attribute(&tables, 0, &[99]).err().unwrap();
    assert_eq!(error.to_string(), "a query names cell line number 99 of 60");
}

#[test]
fn a_network_without_hidden_layers_attributes_exactly() {
    let linear = NeuralParams { hidden: vec![], pair_hidden: 0, ..params() };
    let fitted = fit(linear, &plain()).unwrap();
    let found = contributions(&fitted, &as_they_are(), &[5], 1);
    // A gene at its mean takes its contribution away.
    let mean = (0..CELLS).map(|cell| noise(cell, 4)).sum::<f32>() / CELLS as f32;
    let without = cells(|cell, gene, value| if (cell, gene) == (5, 4) { mean } else { value });
    let (before, after) = (grid(&fitted, &as_they_are()), grid(&fitted, &without));
    let change = f64::from(before[5 * DRUGS + 1] - after[5 * DRUGS + 1]);
    assert!((change - f64::from(found.values[[4, 0]])).abs() < 1e-5, "{change}");
    assert!(change.abs() > 1e-3);
}

/// Through hidden layers every gene has its own contribution: one at its mean has none.
#[test]
fn genes_at_their_mean_contribute_nothing() {
    let fitted = fit(NeuralParams { epochs: 40, ..params() }, &plain()).unwrap();
    let mean = |gene: usize| (0..CELLS).map(|cell| noise(cell, gene)).sum::<f32>() / CELLS as f32;
    for gene in 0..GENES.len() {
        let alone =
            cells(move |cell, other, value| if cell == 5 && other != gene { mean(other) } else { value });
        let found = contributions(&fitted, &alone, &[5], 2);
        for other in 0..GENES.len() {
            let size = found.values[[other, 0]].abs();
            assert!((size > 1e-4) == (other == gene), "gene {other} of {gene}: {size}");
        }
    }
}

#[test]
fn units_of_mechanisms_see_the_genes_of_the_catalogue_only() {
    let masked = NeuralParams { mechanisms: Some("builtin".into()), hidden: vec![0], ..params() };
    let turned =
        |gene_is: fn(usize) -> bool| cells(move |_, gene, value| if gene_is(gene) { -value } else { value });
    let fitted = fit(masked.clone(), &plain()).unwrap();
    let before = grid(&fitted, &as_they_are());
    assert_eq!(grid(&fitted, &turned(|gene| gene >= 4)), before, "genes outside the catalogue");
    assert_ne!(grid(&fitted, &turned(|gene| gene == 0)), before, "a gene of the catalogue");
    // With a free part every gene counts.
    let free = fit(NeuralParams { hidden: vec![4], ..masked }, &plain()).unwrap();
    assert_ne!(grid(&free, &turned(|gene| gene >= 4)), grid(&free, &as_they_are()));
}

#[test]
fn what_is_missing_is_the_training_mean_and_flagged() {
    let fitted = fit(params(), &plain()).unwrap();
    let mean = (0..CELLS).map(|cell| noise(cell, 1)).sum::<f32>() / CELLS as f32;
    let with = |own: f32| cells(move |cell, gene, value| if (cell, gene) == (2, 1) { own } else { value });
    let (gap, filled) = (grid(&fitted, &with(f32::NAN)), grid(&fitted, &with(mean)));
    // No gene was missing in training, so there is no flag for it; events were.
    assert!(gap.iter().zip(&filled).all(|(a, b)| (a - b).abs() < 1e-4));
    assert_eq!(fitted.stored().unwrap().description["sides"][0]["flagged"], serde_json::json!([[6, 7]]));
}

#[test]
fn drugs_that_are_held_out_are_told_apart_by_their_structure() {
    let context = FitContext::new(Seed::new(3), &Silent, ValidationGroup::Entity(1));
    let fitted = fit(NeuralParams { validation_fraction: 0.0, ..params() }, &context).unwrap();
    let tensors = fitted.stored().unwrap().tensors;
    assert!(tensors.contains_key("cell/identity") && tensors.contains_key("drug/0/weight"));
    assert!(!tensors.contains_key("drug/identity"));
    // Without structure they are all the same, and the model says so.
    let watcher = Watcher::of(usize::MAX);
    let mut bare = screen();
    bare.tables[1] = bare_drugs();
    let context = FitContext { progress: &watcher, ..context };
    params().check().unwrap().fit(&bare.all(), &context).unwrap();
    let heard = watcher.heard.into_inner().unwrap();
    assert_eq!(
        heard[0],
        "family \"neural\": the drugs have no features and are not recognised individually: all get the same prediction"
    );
    assert!(heard[1].contains("epoch 1 loss") && heard[1].contains("validation RMSE"), "{}", heard[1]);
}

#[test]
fn members_differ_and_do_not_depend_on_each_other() {
    let fitted = fit(params(), &plain()).unwrap();
    let (cells, drugs) = (as_they_are(), drugs());
    let query = Query { tables: &[&cells, &drugs], tuples: Tuples::Listed(&[&[1, 2], &[3, 4]]) };
    let spread = fitted.as_ensemble().unwrap().spread(&query).unwrap();
    assert!(spread.iter().all(|spread| *spread > 1e-4), "{spread:?}");
    let one = fit(NeuralParams { ensemble_size: 1, ..params() }, &plain()).unwrap();
    assert!(one.as_ensemble().is_none());
    let all = fitted.stored().unwrap().tensors;
    for (name, tensor) in one.stored().unwrap().tensors {
        if let (Tensor::F32(own), Tensor::F32(both)) = (tensor, &all[&name]) {
            assert_eq!(own[..], both[..own.len()], "{name}");
        }
    }
}

#[test]
fn parameters_that_cannot_work_are_refused_with_what_can() {
    let message = |params: NeuralParams| params.check().unwrap_err().to_string();
    let p = NeuralParams::default;
    assert_eq!(message(NeuralParams { ensemble_size: 0, ..p() }), "ensemble_size = 0: expected 1 to 1000");
    assert_eq!(message(NeuralParams { hidden: vec![8, 0], ..p() }), "hidden[1] = 0: expected 1 to 65536");
    assert_eq!(message(NeuralParams { rank: 1 << 20, ..p() }), "rank = 1048576: expected 1 to 65536");
    for rate in [-1.0, f64::NAN, 11.0] {
        let found = message(NeuralParams { learning_rate: rate, ..p() });
        assert_eq!(found, format!("learning_rate = {rate}: expected a number above 0, at most 10"));
    }
    assert_eq!(
        message(NeuralParams { dropout: 1.0, ..p() }),
        "dropout = 1: expected a number from 0 to below 1"
    );
    assert_eq!(
        message(NeuralParams { validation_fraction: 0.6, ..p() }),
        "validation_fraction = 0.6: expected 0 to 0.5"
    );
    let device = message(NeuralParams { device: "gpu".into(), ..p() });
    assert!(device.starts_with("device = \"gpu\": expected \"auto\""), "{device}");
    let nowhere = message(NeuralParams { mechanisms: Some("nowhere.toml".into()), ..p() });
    assert_eq!(nowhere, "mechanisms = \"nowhere.toml\": the catalogue cannot be read");
}

#[test]
fn large_errors_count_less_with_the_huber_loss() {
    let clean = screen();
    let sides = vec![clean.responses.side(0).to_vec(), clean.responses.side(1).to_vec()];
    let mut values = clean.responses.values().to_vec();
    values.iter_mut().step_by(17).for_each(|value| *value += 40.0);
    let spoilt = Screen { responses: Responses::new(sides, values, None).unwrap(), ..clean.clone() };
    let error = |loss: Loss| -> f32 {
        let params =
            NeuralParams { loss, huber_delta: 0.2, epochs: 60, seen_again: SeenAgain::None, ..params() };
        let predicted = grid(&params.check().unwrap().fit(&spoilt.all(), &plain()).unwrap(), &as_they_are());
        let pairs = clean.responses.side(0).iter().zip(clean.responses.side(1));
        let of = |(cell, drug): (&u32, &u32)| predicted[*cell as usize * DRUGS + *drug as usize];
        clean.responses.values().iter().zip(pairs.map(of)).map(|(value, of)| (value - of).abs()).sum()
    };
    let (huber, squared) = (error(Loss::Huber), error(Loss::Squared));
    assert!(huber < 0.8 * squared, "{huber} against {squared}");
}

/// A model that was fitted on the processor predicts the same elsewhere, and can be trained there.
fn agrees_on(device: &str) -> Result<()> {
    let fitted = fit(params(), &plain())?;
    let here = grid(&fitted, &as_they_are());
    let worst = |there: Vec<f32>| here.iter().zip(there).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let moved =
        worst(grid(&FittedNeural::from_stored(&fitted.stored().unwrap())?.on(device)?, &as_they_are()));
    assert!(moved < 1e-4, "{device}: {moved}");
    // Elsewhere all members are trained at once.
    let trained = fit(NeuralParams { device: device.into(), ..params() }, &plain())?;
    let trained = worst(grid(&trained, &as_they_are()));
    println!("{device}: predictions differ by {moved:e}, those of a training there by {trained:e}");
    assert!(trained < 0.02, "{device}: {trained}");
    Ok(())
}

#[test]
fn other_devices_agree_with_the_processor() {
    let mut devices = vec!["cpu"];
    devices.extend(cfg!(feature = "tch").then_some("libtorch"));
    devices.extend(cfg!(feature = "wgpu").then_some("wgpu:0"));
    devices.extend(cfg!(feature = "cuda").then_some("cuda:0"));
    for device in devices {
        match agrees_on(device) {
            Err(error) if error.to_string().contains("has no such device") => println!("skipped: {error}"),
            done => done.unwrap(),
        }
    }
}
