//! Attributions of boosted trees against Shapley values by enumeration of all coalitions, and against LightGBM's.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use halfmax_boost::{BoostParams, FittedBoost, FittedSide, Leaves, SeenAgain, Tree, Trees, to_lightgbm};
use halfmax_core::*;
use ndarray::Array2;
use proptest::prelude::*;
use rayon::prelude::*;
use serde_json::{Value, json};

/// Features of one side: two numbers, a bit and a category, with gaps.
#[derive(Clone, Debug)]
struct Features {
    numeric: Vec<[Option<u8>; 2]>,
    binary: Vec<Option<bool>>,
    category: Vec<Option<u8>>,
}

#[derive(Clone, Debug)]
struct Small {
    cells: Features,
    drugs: Features,
    /// Entities of every side, and a response.
    observed: Vec<(Vec<u32>, f32)>,
}

fn features(count: usize) -> impl Strategy<Value = Features> {
    let maybe = |value: std::ops::Range<u8>| prop_oneof![1 => Just(None), 5 => value.prop_map(Some)];
    let numeric = prop::collection::vec([maybe(0..9), maybe(0..4)], count);
    let binary =
        prop::collection::vec(prop_oneof![1 => Just(None), 6 => any::<bool>().prop_map(Some)], count);
    let category = prop::collection::vec(maybe(0..4), count);
    (numeric, binary, category).prop_map(|(numeric, binary, category)| Features { numeric, binary, category })
}

/// A screen of cell lines and drugs, or of cell lines and combinations of drugs.
fn small(combinations: bool) -> impl Strategy<Value = Small> {
    (4usize..14, 3usize..9, 0.3f64..1.0).prop_flat_map(move |(cells, drugs, density)| {
        let columns = if combinations { drugs * drugs } else { drugs };
        let responses = prop::collection::vec((0.0f64..1.0, -40i32..40), cells * columns);
        (features(cells), features(drugs), responses).prop_map(
            move |(cell_features, drug_features, pairs)| {
                let entities = |at: usize| {
                    let (cell, column) = ((at / columns) as u32, (at % columns) as u32);
                    let drugs = drugs as u32;
                    if combinations { vec![cell, column / drugs, column % drugs] } else { vec![cell, column] }
                };
                let all = pairs.iter().enumerate();
                let observed = all
                    .filter(|(at, (chance, _))| *at == 0 || *chance < density)
                    .map(|(at, (_, value))| (entities(at), *value as f32 / 7.0));
                Small { cells: cell_features, drugs: drug_features, observed: observed.collect() }
            },
        )
    })
}

fn table(features: &Features, sort: &str) -> EntityTable {
    let count = features.binary.len();
    let numeric = Array2::from_shape_fn((count, 2), |(at, column)| {
        features.numeric[at][column].map_or(f32::NAN, f32::from)
    });
    let bits = BitColumns::from_fn(count, 1, |at, _| features.binary[at]);
    let labels: Vec<Option<String>> =
        features.category.iter().map(|c| c.map(|c| format!("level {c}"))).collect();
    let category = Category::from_labels(&labels).unwrap();
    let block =
        |kind: &str, names: &[&str], values| FeatureBlock::new(kind, names.iter().copied(), values).unwrap();
    EntityTable::new((0..count).map(|at| format!("{sort} {at}")), sort)
        .unwrap()
        .with_block(block("numeric", &["a", "b"], FeatureValues::real(numeric)))
        .unwrap()
        .with_block(block("binary", &["bit"], FeatureValues::Binary(bits)))
        .unwrap()
        .with_block(block("category", &["level"], FeatureValues::Category(vec![category])))
        .unwrap()
}

fn screen(small: &Small) -> Screen {
    let count = small.observed[0].0.len();
    let side = |at: usize| small.observed.iter().map(|(entities, _)| entities[at]).collect();
    let values = small.observed.iter().map(|(_, value)| *value).collect();
    let responses = Responses::new((0..count).map(side).collect(), values, None).unwrap();
    let tables = vec![table(&small.cells, "cell line"), table(&small.drugs, "drug")];
    let mut sides = vec![Side::cell_line(0), Side::drug(1)];
    sides.extend((count == 3).then(|| Side { name: "drug_b".into(), table: 1 }));
    Screen::new("LN_IC50", tables, sides, responses).unwrap()
}

fn fit(params: BoostParams, screen: &Screen, seed: u64) -> FittedBoost {
    let context = FitContext::new(Seed::new(seed), &Silent, ValidationGroup::Response);
    let fitted = params.check().unwrap().fit(&screen.all(), &context).unwrap();
    let again = FittedBoost::from_stored(&fitted.stored().unwrap()).unwrap();
    assert_eq!(fitted, again);
    again
}

fn params(trees: Trees, seen_again: SeenAgain) -> BoostParams {
    BoostParams {
        rounds: 4,
        trees,
        seen_again,
        leaves: 7,
        min_leaf_weight: 1.0,
        min_leaf_entities: 1,
        entity_l2: 0.0,
        l2: 0.5,
        learning_rate: 0.6,
        feature_fraction: 1.0,
        row_fraction: 0.8,
        mean_feature: true,
        identity_feature: true,
        ..BoostParams::default()
    }
}

/// A tuple as a model sees it.
struct Seen<'a> {
    model: &'a FittedBoost,
    tables: Vec<&'a EntityTable>,
    tuple: Vec<u32>,
}

impl Seen<'_> {
    /// The number of the entity among those of the training, or one past the last.
    fn number(&self, side: usize) -> usize {
        let id = &self.tables[side].ids()[self.tuple[side] as usize];
        let ids = &self.model.sides()[side].ids;
        ids.iter().position(|known| known == id).unwrap_or(ids.len())
    }

    fn goes_left(&self, tree: &Tree, node: usize) -> bool {
        let side = usize::from(tree.shape.sides[node]);
        let (feature, test) = &tree.tests[node];
        let FittedSide { space, means, ids, .. } = &self.model.sides()[side];
        let (feature, number) = (*feature as usize, self.number(side));
        let value = if feature < space.len() {
            space.align(self.tables[side]).unwrap().column(feature)[self.tuple[side] as usize]
        } else if number == ids.len() {
            f32::NAN
        } else if feature == space.len() {
            means[number]
        } else {
            number as f32
        };
        let mut left = [false];
        test.decide(&[value], &mut left);
        left[0]
    }

    /// The value of a coalition of features below a child: an inner node or a leaf.
    fn expected(&self, tree: &Tree, child: i32, coalition: &BTreeSet<(u8, u32)>) -> f64 {
        if child < 0 {
            let leaf = !child as usize;
            let value = match &tree.leaves {
                Leaves::Scalar(values) => values[leaf],
                Leaves::Vector { side, .. } => tree.vector(leaf).unwrap().1[self.number(usize::from(*side))],
            };
            return f64::from(value) * self.model.quantum();
        }
        let node = child as usize;
        let children = [tree.shape.left[node], tree.shape.right[node]];
        if coalition.contains(&(tree.shape.sides[node], tree.tests[node].0)) {
            let next = children[usize::from(!self.goes_left(tree, node))];
            return self.expected(tree, next, coalition);
        }
        let covers = children.map(|child| f64::from(cover(tree, child)));
        let parts = children.iter().zip(covers);
        parts.map(|(child, cover)| cover * self.expected(tree, *child, coalition)).sum::<f64>()
            / (covers[0] + covers[1])
    }

    /// Adds the Shapley values of a tree's features of one side, by enumeration.
    fn enumerate(&self, tree: &Tree, side: u8, share: f64, values: &mut BTreeMap<u32, f64>) {
        let root = if tree.shape.sides.is_empty() { !0 } else { 0 };
        let players: BTreeSet<(u8, u32)> =
            tree.shape.sides.iter().copied().zip(tree.tests.iter().map(|test| test.0)).collect();
        let players: Vec<(u8, u32)> = players.into_iter().collect();
        let coalition = |bits: usize| -> BTreeSet<(u8, u32)> {
            (0..players.len()).filter(|at| bits >> at & 1 == 1).map(|at| players[at]).collect()
        };
        let worth: Vec<f64> =
            (0..1 << players.len()).map(|bits| self.expected(tree, root, &coalition(bits))).collect();
        let factorial = |n: usize| (1..=n).map(|n| n as f64).product::<f64>();
        for (at, player) in players.iter().enumerate().filter(|(_, player)| player.0 == side) {
            let without = (0..worth.len()).filter(|bits| bits >> at & 1 == 0);
            let value: f64 = without
                .map(|bits| {
                    let size = (bits as u64).count_ones() as usize;
                    let orders = factorial(size) * factorial(players.len() - 1 - size);
                    orders / factorial(players.len()) * (worth[bits | 1 << at] - worth[bits])
                })
                .sum();
            *values.entry(player.1).or_default() += share * value;
        }
    }
}

fn cover(tree: &Tree, child: i32) -> u32 {
    if child < 0 {
        return tree.covers[!child as usize];
    }
    cover(tree, tree.shape.left[child as usize]) + cover(tree, tree.shape.right[child as usize])
}

/// Compares the attributions of every tuple with those by enumeration, and their sum with the prediction.
fn check(fitted: &FittedBoost, screen: &Screen, side: usize) {
    let sides = screen.sides.len();
    let tables: Vec<&EntityTable> = (0..sides).map(|at| screen.table(at)).collect();
    let entities: Vec<u32> = (0..tables[side].len() as u32).rev().collect();
    let attributor = fitted.as_attributable(side).unwrap().attribute(&tables, side, &entities).unwrap();
    let others: Vec<usize> = (0..sides).filter(|at| *at != side).collect();
    let partners = others.iter().map(|at| tables[*at].len() as u32).collect::<Vec<u32>>();
    // The first, the last and some in between.
    for step in 0..4u32 {
        let partners: Vec<u32> = partners.iter().zip(1..).map(|(count, at)| step * at * 2 % count).collect();
        let found = attributor.contributions(&partners).unwrap();
        assert_eq!(found.values.dim(), (attributor.space().len(), entities.len()));
        for (at, entity) in entities.iter().enumerate() {
            let mut tuple = vec![*entity; sides];
            others.iter().zip(&partners).for_each(|(side, partner)| tuple[*side] = *partner);
            let expected = enumerated(fitted, &tables, &tuple, side);
            for (number, value) in expected {
                let row = row_of(attributor.space(), &fitted.sides()[side], number);
                let found = f64::from(found.values[[row, at]]);
                assert!((found - value).abs() < 1e-5, "feature {number}: {found} for {value}");
            }
            let lists: Vec<&[u32]> = tuple.iter().map(std::slice::from_ref).collect();
            let query = Query { tables: &tables, tuples: Tuples::Listed(&lists) };
            let prediction = f64::from(fitted.predict(&query).unwrap()[0]);
            let sum: f64 = found.values.column(at).iter().map(|value| f64::from(*value)).sum();
            assert!((found.base[at] + sum - prediction).abs() < 1e-5, "{} + {sum}", found.base[at]);
        }
    }
}

fn row_of(space: &FeatureSpace, side: &FittedSide, number: u32) -> usize {
    let after = number as usize >= side.space.len();
    let extras = ["mean_response", "training_number"];
    let (kind, name) = if after {
        let kind = extras[number as usize - side.space.len()];
        (kind, kind)
    } else {
        let feature = &side.space.features[number as usize];
        (feature.kind.as_str(), feature.name.as_str())
    };
    space.features.iter().position(|feature| feature.kind == kind && feature.name == name).unwrap()
}

/// The Shapley values of a tuple's features of one side; the mean over both orders of a combination.
fn enumerated(
    fitted: &FittedBoost,
    tables: &[&EntityTable],
    tuple: &[u32],
    side: usize,
) -> BTreeMap<u32, f64> {
    let orders = if fitted.is_symmetric() { vec![[0, 1, 2], [0, 2, 1]] } else { vec![[0, 1, 2]] };
    let mut values = BTreeMap::new();
    for order in &orders {
        let order = &order[..tables.len()];
        let seen = Seen {
            model: fitted,
            tables: order.iter().map(|at| tables[*at]).collect(),
            tuple: order.iter().map(|at| tuple[*at]).collect(),
        };
        let stands = order.iter().position(|at| *at == side).unwrap() as u8;
        let share = 1.0 / orders.len() as f64;
        fitted.trees().iter().for_each(|tree| seen.enumerate(tree, stands, share, &mut values));
    }
    values
}

fn known() -> impl Strategy<Value = SeenAgain> {
    prop_oneof![Just(SeenAgain::None), Just(SeenAgain::Cell), Just(SeenAgain::Drug), Just(SeenAgain::Both)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn pairs_are_attributed_as_by_enumeration(small in small(false), known in known(), seed in 0u64..100) {
        let screen = screen(&small);
        for trees in [Trees::Box, Trees::CellVector, Trees::DrugVector, Trees::Alternate] {
            let fitted = fit(params(trees, known), &screen, seed);
            (0..2).for_each(|side| check(&fitted, &screen, side));
        }
    }

    #[test]
    fn combinations_are_attributed_as_by_enumeration(small in small(true), known in known(), seed in 0u64..100) {
        let screen = screen(&small);
        let fitted = fit(params(Trees::Box, known), &screen, seed);
        (0..3).for_each(|side| check(&fitted, &screen, side));
    }

    #[test]
    fn covers_count_the_responses_of_every_leaf(small in small(false), known in known(), sparse in any::<bool>()) {
        let screen = screen(&small);
        let context = FitContext::new(Seed::new(3), &Silent, ValidationGroup::Response);
        let model = params(Trees::Box, known).check().unwrap().with_dense_block(!sparse);
        let fitted = model.fit(&screen.all(), &context).unwrap();
        for tree in fitted.trees() {
            let mut covers = vec![0; tree.shape.leaves()];
            for (tuple, _) in &small.observed {
                let tables = (0..2).map(|side| screen.table(side)).collect();
                let seen = Seen { model: &fitted, tables, tuple: tuple.clone() };
                let mut child = if tree.shape.sides.is_empty() { !0 } else { 0 };
                while child >= 0 {
                    let node = child as usize;
                    let left = seen.goes_left(tree, node);
                    child = if left { tree.shape.left[node] } else { tree.shape.right[node] };
                }
                covers[!child as usize] += 1;
            }
            prop_assert_eq!(&tree.covers, &covers);
        }
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let screen = planted();
    let fitted = fit(params(Trees::Alternate, SeenAgain::Both), &screen, 1);
    let tables = [&screen.tables[0], &screen.tables[1]];
    let entities: Vec<u32> = (0..tables[0].len() as u32).collect();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let attributor = fitted.as_attributable(0).unwrap().attribute(&tables, 0, &entities).unwrap();
            let drugs = (0..tables[1].len() as u32).into_par_iter();
            drugs.map(|drug| attributor.contributions(&[drug]).unwrap()).collect::<Vec<Attribution>>()
        })
    };
    let one = with(1);
    assert!(one.iter().all(|of| of.values.iter().any(|value| *value != 0.0)));
    assert_eq!(one, with(2));
    assert_eq!(one, with(8));
}

#[test]
fn what_cannot_be_attributed_is_said() {
    let screen = planted();
    let fitted = fit(params(Trees::Box, SeenAgain::None), &screen, 1);
    let tables = [&screen.tables[0], &screen.tables[1]];
    let refused =
        |side: usize, entities: &[u32]| fitted.attribute(&tables, side, entities).err().unwrap().to_string();
    assert!(refused(2, &[0]).contains("side 2 does not exist"), "{}", refused(2, &[0]));
    assert!(refused(0, &[99]).contains("cell line number 99"), "{}", refused(0, &[99]));
    let attributor = fitted.as_attributable(0).unwrap().attribute(&tables, 0, &[0]).unwrap();
    let refused = |partners: &[u32]| attributor.contributions(partners).unwrap_err().to_string();
    assert!(refused(&[10]).contains("drug number 10 of 10"), "{}", refused(&[10]));
    assert!(refused(&[1, 2]).contains("2 partners"), "{}", refused(&[1, 2]));
    assert_eq!(
        fitted
            .as_attributable(0)
            .unwrap()
            .attribute(&tables, 0, &[])
            .unwrap()
            .contributions(&[0])
            .unwrap()
            .base,
        Vec::<f64>::new()
    );
}

/// A screen without chance: genes with gaps, a tissue, drugs with bits and a pathway.
fn planted() -> Screen {
    let (cells, drugs) = (24usize, 10usize);
    let maybe = |known: bool, value: u8| known.then_some(value);
    let cell_features = Features {
        numeric: (0..cells)
            .map(|c| [maybe(c % 7 != 3, (c * 5 % 9) as u8), maybe(c % 5 != 1, (c * 3 % 8) as u8)])
            .collect(),
        binary: (0..cells).map(|c| (c % 11 != 2).then_some(c % 3 == 0)).collect(),
        category: (0..cells).map(|c| maybe(c % 6 != 4, (c * 7 % 4) as u8)).collect(),
    };
    let drug_features = Features {
        numeric: (0..drugs).map(|d| [maybe(d % 4 != 2, (d * 3 % 7) as u8), Some((d % 3) as u8)]).collect(),
        binary: (0..drugs).map(|d| Some(d % 2 == 0)).collect(),
        category: (0..drugs).map(|d| maybe(d % 5 != 3, (d % 3) as u8)).collect(),
    };
    let gene = |c: usize| f32::from(cell_features.numeric[c][0].unwrap_or(4));
    let response = |c: usize, d: usize| {
        let bit = f32::from(u8::from(d.is_multiple_of(2)));
        gene(c) * (0.3 + bit) - (c * 3 % 8) as f32 * (d % 3) as f32 / 4.0
            + ((c * 31 + d * 17 + c * d) % 13) as f32 / 9.0
    };
    let pairs = (0..cells).flat_map(|c| (0..drugs).map(move |d| (c, d)));
    let observed = pairs.map(|(c, d)| (vec![c as u32, d as u32], response(c, d))).collect();
    screen(&Small { cells: cell_features, drugs: drug_features, observed })
}

/// The model that LightGBM's contributions were taken of.
const MODEL: &str = include_str!("lightgbm/model.json");
/// For every pair LightGBM's contributions of the exported columns, then what it expects before it knows any.
const CONTRIBUTIONS: &str = include_str!("lightgbm/contributions.json");

/// `tests/lightgbm/check_export.py` wrote the contributions; its documentation tells how to renew them.
#[test]
fn pairs_are_attributed_as_by_lightgbm() {
    let model = FittedBoost::from_stored(&parts_of(&serde_json::from_str(MODEL).unwrap())).unwrap();
    let expected: Vec<Vec<f64>> = serde_json::from_str(CONTRIBUTIONS).unwrap();
    let found = contributions(&model, &planted());
    assert_eq!(found.len(), expected.len());
    for (pair, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(found.len(), expected.len());
        for (column, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!((found - expected).abs() < 1e-5, "pair {pair}, column {column}: {found} for {expected}");
        }
    }
}

/// With the environment variable `HALFMAX_CONTRIBUTIONS`, writes into the folder that it names what
/// `tests/lightgbm/check_export.py` compares with LightGBM: a new model, its export, the table of all pairs and their
/// contributions.
#[test]
fn contributions_are_written_for_lightgbm() {
    let screen = planted();
    // Offsets are no splits, so LightGBM would take them for contributions of entities and we would not.
    let params = BoostParams { rounds: 12, baseline: false, ..params(Trees::Box, SeenAgain::Drug) };
    let model = fit(params, &screen, 7);
    let table = json!({"rows": rows(&model, &screen), "contributions": contributions(&model, &screen)});
    let Ok(folder) = std::env::var("HALFMAX_CONTRIBUTIONS") else { return };
    let write = |name: &str, text: String| std::fs::write(Path::new(&folder).join(name), text).unwrap();
    write("model.txt", to_lightgbm(&model));
    write("model.json", json_of(&model.stored().unwrap()).to_string());
    write("table.json", table.to_string());
}

/// The materialised table of all pairs, in the columns of the exported model.
fn rows(model: &FittedBoost, screen: &Screen) -> Vec<Vec<Option<f32>>> {
    let tables = [&screen.tables[0], &screen.tables[1]];
    let side = |at: usize, entity: usize| {
        let seen = Seen { model, tables: tables.to_vec(), tuple: vec![entity as u32; 2] };
        let FittedSide { space, means, .. } = &model.sides()[at];
        let alignment = space.align(tables[at]).unwrap();
        let features = (0..space.len()).map(|feature| alignment.column(feature)[entity]);
        let number = seen.number(at);
        let extras = [means.get(number).copied().unwrap_or(f32::NAN), number as f32];
        features.chain(extras).map(|value| value.is_finite().then_some(value)).collect::<Vec<_>>()
    };
    let pairs = (0..tables[0].len()).flat_map(|cell| (0..tables[1].len()).map(move |drug| (cell, drug)));
    pairs.map(|(cell, drug)| [side(0, cell), side(1, drug)].concat()).collect()
}

/// For all pairs the contributions of the columns of the exported model, then the rest of the prediction.
fn contributions(model: &FittedBoost, screen: &Screen) -> Vec<Vec<f64>> {
    let tables = [&screen.tables[0], &screen.tables[1]];
    let all = [0, 1].map(|side| (0..tables[side].len() as u32).collect::<Vec<u32>>());
    let widths = [0, 1].map(|side| model.sides()[side].space.len() + 2);
    let of_side = |side: usize| -> Vec<(Attribution, Vec<usize>)> {
        let attributor = model.as_attributable(side).unwrap().attribute(&tables, side, &all[side]).unwrap();
        let place = |feature: &Feature| {
            let side = &model.sides()[side];
            let extras = ["mean_response", "training_number"];
            let after = extras.iter().position(|extra| *extra == feature.kind);
            let own = || side.space.features.iter().position(|own| own == feature).unwrap();
            after.map_or_else(own, |after| side.space.len() + after)
        };
        let places: Vec<usize> = attributor.space().features.iter().map(place).collect();
        all[1 - side]
            .iter()
            .map(|partner| (attributor.contributions(&[*partner]).unwrap(), places.clone()))
            .collect()
    };
    let sides = [of_side(0), of_side(1)];
    let pair = |cell: usize, drug: usize| {
        let mut columns = vec![0.0; widths[0] + widths[1] + 1];
        for (start, (of, places), at) in [(0, &sides[0][drug], cell), (widths[0], &sides[1][cell], drug)] {
            places
                .iter()
                .enumerate()
                .for_each(|(row, place)| columns[start + place] = f64::from(of.values[[row, at]]));
        }
        let drugs: f64 = columns[widths[0]..].iter().sum();
        columns[widths[0] + widths[1]] = sides[0][drug].0.base[cell] - drugs;
        columns
    };
    let pairs = (0..all[0].len()).flat_map(|cell| (0..all[1].len()).map(move |drug| (cell, drug)));
    pairs.map(|(cell, drug)| pair(cell, drug)).collect()
}

fn json_of(parts: &StoredModel) -> Value {
    let tensor = |tensor: &Tensor| match tensor {
        Tensor::F32(values) => json!(["F32", values]),
        Tensor::F64(values) => json!(["F64", values]),
        Tensor::I32(values) => json!(["I32", values]),
        Tensor::U32(values) => json!(["U32", values]),
        Tensor::U8(values) => json!(["U8", values]),
    };
    let tensors: BTreeMap<&String, Value> =
        parts.tensors.iter().map(|(name, values)| (name, tensor(values))).collect();
    json!({"description": parts.description, "tensors": tensors})
}

fn parts_of(json: &Value) -> StoredModel {
    let tensor = |tensor: &Value| {
        let values = tensor[1].clone();
        match tensor[0].as_str().unwrap() {
            "F32" => Tensor::F32(serde_json::from_value(values).unwrap()),
            "F64" => Tensor::F64(serde_json::from_value(values).unwrap()),
            "I32" => Tensor::I32(serde_json::from_value(values).unwrap()),
            "U32" => Tensor::U32(serde_json::from_value(values).unwrap()),
            _ => Tensor::U8(serde_json::from_value(values).unwrap()),
        }
    };
    let tensors = json["tensors"].as_object().unwrap();
    StoredModel {
        description: json["description"].clone(),
        tensors: tensors.iter().map(|(name, values)| (name.clone(), tensor(values))).collect(),
    }
}
