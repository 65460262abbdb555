//! The factorised trees against plain gradient-boosted trees on the materialised table: they must be identical.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use halfmax_boost::{Boost, BoostParams, FittedBoost, Leaves, Objective, SeenAgain, Test, Tree, Trees};
use halfmax_core::*;
use ndarray::Array2;
use proptest::prelude::*;

/// A small random screen: one numeric, one binary and one categorical feature a side, with missing values.
#[derive(Clone, Debug)]
struct Small {
    cells: Features,
    drugs: Features,
    observed: Vec<(u32, u32, f32, f32)>,
}

#[derive(Clone, Debug)]
struct Features {
    numeric: Vec<[Option<u8>; 2]>,
    binary: Vec<Option<bool>>,
    category: Vec<Option<u8>>,
}

fn features(count: usize) -> impl Strategy<Value = Features> {
    let maybe = |value: std::ops::Range<u8>| prop_oneof![1 => Just(None), 5 => value.prop_map(Some)];
    let numeric = prop::collection::vec([maybe(0..9), maybe(0..4)], count);
    let binary =
        prop::collection::vec(prop_oneof![1 => Just(None), 6 => any::<bool>().prop_map(Some)], count);
    let category = prop::collection::vec(maybe(0..4), count);
    (numeric, binary, category).prop_map(|(numeric, binary, category)| Features { numeric, binary, category })
}

fn small() -> impl Strategy<Value = Small> {
    (4usize..16, 3usize..12, 0.1f64..1.0, any::<bool>()).prop_flat_map(|(cells, drugs, density, weighted)| {
        let pair = (0.0f64..1.0, -40i32..40, 1u8..9);
        (features(cells), features(drugs), prop::collection::vec(pair, cells * drugs)).prop_map(
            move |(cell_features, drug_features, pairs)| {
                let all = pairs.iter().enumerate();
                let observed = all.filter(|(at, (chance, ..))| *at == 0 || *chance < density).map(
                    |(at, (_, value, weight))| {
                        let weight = if weighted { f32::from(*weight) / 4.0 } else { 1.0 };
                        ((at / drugs) as u32, (at % drugs) as u32, *value as f32 / 7.0, weight)
                    },
                );
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
    let side = |which: fn(&(u32, u32, f32, f32)) -> u32| small.observed.iter().map(which).collect();
    let values = small.observed.iter().map(|o| o.2).collect();
    let weights = small.observed.iter().map(|o| o.3).collect();
    let responses = Responses::new(vec![side(|o| o.0), side(|o| o.1)], values, Some(weights)).unwrap();
    let tables = vec![table(&small.cells, "cell line"), table(&small.drugs, "drug")];
    Screen::new("LN_IC50", tables, vec![Side::cell_line(0), Side::drug(1)], responses).unwrap()
}

fn fit(model: &Boost, screen: &Screen) -> FittedBoost {
    let context = FitContext::new(Seed::new(5), &Silent, ValidationGroup::Response);
    model.fit(&screen.all(), &context).unwrap()
}

/// One column of the materialised table: the feature's side and number, and a value for each row.
struct Column {
    side: usize,
    feature: u32,
    values: Values,
}

enum Values {
    /// Values and the cuts between the different values of the side's entities.
    Ordered(Vec<Option<f64>>, Vec<f64>),
    /// Levels, and how many there are.
    Levels(Vec<Option<usize>>),
}

/// A tree to compare: the test and both children, or the leaf's value.
#[derive(Clone, Debug, PartialEq)]
enum Plain {
    Inner { side: usize, feature: u32, test: Test, children: Box<[Plain; 2]> },
    Leaf(i32),
}

impl Plain {
    fn of(tree: &Tree, child: i32) -> Self {
        let Leaves::Scalar(values) = &tree.leaves else { panic!("a vector tree") };
        if child < 0 {
            return Self::Leaf(values[!child as usize]);
        }
        let at = child as usize;
        let (feature, test) = tree.tests[at].clone();
        let children = [tree.shape.left[at], tree.shape.right[at]].map(|child| Self::of(tree, child));
        Self::Inner { side: usize::from(tree.shape.sides[at]), feature, test, children: Box::new(children) }
    }
}

fn known(params: &BoostParams, side: usize) -> bool {
    match params.seen_again {
        SeenAgain::None => false,
        SeenAgain::Cell => side == 0,
        SeenAgain::Drug => side == 1,
        SeenAgain::Both | SeenAgain::Auto => true,
    }
}

/// Plain gradient boosting on rows.
struct Reference<'a> {
    params: &'a BoostParams,
    columns: Vec<Column>,
    residual: Vec<f32>,
    weight: Vec<f32>,
    quantum: f64,
    /// For each side the entity of every row.
    of_row: [Vec<u32>; 2],
}

struct Grown {
    rows: Vec<usize>,
    depth: usize,
    split: Option<(f64, usize, Test, Vec<bool>)>,
    children: Option<[usize; 2]>,
}

impl<'a> Reference<'a> {
    fn new(params: &'a BoostParams, small: &Small) -> Self {
        let observed = &small.observed;
        let weights: f64 = observed.iter().map(|o| f64::from(o.3)).sum();
        let mean = observed.iter().map(|o| f64::from(o.3) * f64::from(o.2)).sum::<f64>() / weights;
        let residual: Vec<f32> = observed.iter().map(|o| (f64::from(o.2) - mean) as f32).collect();
        let largest = residual.iter().fold(0.0f64, |most, r| most.max(f64::from(r.abs())));
        let quantum = if largest > 0.0 { (largest.log2().ceil() - 24.0).exp2() } else { 1.0 };
        let mut columns = Vec::new();
        for (side, features) in [&small.cells, &small.drugs].into_iter().enumerate() {
            let entity = |o: &(u32, u32, f32, f32)| if side == 0 { o.0 as usize } else { o.1 as usize };
            let rows: Vec<usize> = observed.iter().map(entity).collect();
            let mut seen = rows.clone();
            seen.sort_unstable();
            seen.dedup();
            let mut ordered = |feature, values: Vec<Option<f64>>| {
                let mut different: Vec<f64> = seen.iter().filter_map(|at| values[*at]).collect();
                different.sort_by(f64::total_cmp);
                different.dedup();
                let cuts = different.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect();
                let values = Values::Ordered(rows.iter().map(|at| values[*at]).collect(), cuts);
                columns.push(Column { side, feature, values });
            };
            for number in 0..2 {
                ordered(number as u32, features.numeric.iter().map(|n| n[number].map(f64::from)).collect());
            }
            ordered(2, features.binary.iter().map(|b| b.map(|b| f64::from(u8::from(b)))).collect());
            let mut levels: Vec<u8> = features.category.iter().flatten().copied().collect();
            levels.sort_unstable();
            levels.dedup();
            let level = |at: &usize| features.category[*at].map(|c| levels.binary_search(&c).unwrap());
            let values = Values::Levels(rows.iter().map(level).collect());
            columns.push(Column { side, feature: 3, values });
            if known(params, side) {
                let number = |at: &usize| seen.binary_search(at).ok();
                columns.push(Column {
                    side,
                    feature: 5,
                    values: Values::Levels(rows.iter().map(number).collect()),
                });
            }
        }
        let weight = observed.iter().map(|o| o.3).collect();
        let of_row = [observed.iter().map(|o| o.0).collect(), observed.iter().map(|o| o.1).collect()];
        Self { params, columns, residual, weight, quantum, of_row }
    }

    fn grid(sum: f64) -> f64 {
        if sum > 0.0 { (30.0 - sum.log2()).floor().clamp(-100.0, 24.0).exp2() } else { 1.0 }
    }

    fn pull(&self, residual: f32) -> f32 {
        match self.params.objective {
            Objective::Squared => residual,
            Objective::Huber => {
                residual.clamp(-self.params.huber_delta as f32, self.params.huber_delta as f32)
            }
            Objective::Quantile => self.params.quantile as f32 - if residual >= 0.0 { 0.0 } else { 1.0 },
        }
    }

    fn round(&mut self) -> Plain {
        let pulls: Vec<f32> =
            self.residual.iter().zip(&self.weight).map(|(r, w)| self.pull(*r) * w).collect();
        let scale = Self::grid(pulls.iter().map(|g| f64::from(g.abs())).sum());
        let unit = self.weight.iter().all(|w| *w == 1.0);
        let weights = self.weight.iter().map(|w| f64::from(*w)).sum();
        let weight_scale = if unit { 1.0 } else { Self::grid(weights) };
        let round = |value: f32, scale: f64| f64::from((value * scale as f32).round_ties_even()) / scale;
        let g: Vec<f64> = pulls.iter().map(|g| round(*g, scale)).collect();
        let h: Vec<f64> = self.weight.iter().map(|w| round(*w, weight_scale)).collect();
        let all = (0..g.len()).collect();
        let mut nodes = vec![Grown { rows: all, depth: 0, split: None, children: None }];
        nodes[0].split = self.best(&nodes[0], &g, &h);
        // Leaves in the order that decides ties: a left child takes its parent's place.
        let mut leaves = vec![0usize];
        while leaves.len() < self.params.leaves {
            let gain = |leaf: &usize| nodes[*leaf].split.as_ref().map_or(f64::NEG_INFINITY, |s| s.0);
            let mut best = 0;
            for at in 1..leaves.len() {
                if gain(&leaves[at]) > gain(&leaves[best]) {
                    best = at;
                }
            }
            let at = leaves[best];
            let Some((_, _, _, left)) = &nodes[at].split else { break };
            let (left, depth) = (left.clone(), nodes[at].depth + 1);
            let (l, r): (Vec<usize>, Vec<usize>) = nodes[at].rows.iter().partition(|row| left[**row]);
            let children = [l, r].map(|rows| {
                let mut node = Grown { rows, depth, split: None, children: None };
                node.split = self.best(&node, &g, &h);
                nodes.push(node);
                nodes.len() - 1
            });
            nodes[at].children = Some(children);
            leaves[best] = children[0];
            leaves.push(children[1]);
        }
        self.settle(&nodes, 0, &g, &h)
    }

    fn sums(rows: impl Iterator<Item = usize>, g: &[f64], h: &[f64]) -> (f64, f64) {
        rows.fold((0.0, 0.0), |sum, row| (sum.0 + g[row], sum.1 + h[row]))
    }

    fn score((g, h): (f64, f64), stretch: f64, l2: f64) -> f64 {
        if h == 0.0 { 0.0 } else { g * g / (stretch * h + l2) }
    }

    fn known(&self, side: usize) -> bool {
        known(self.params, side)
    }

    /// λ in entities of a side over the number of its entities in the node.
    fn stretch(&self, rows: &[usize], side: usize) -> f64 {
        if self.known(side) { 0.0 } else { self.params.entity_l2 / self.entities(rows, side) }
    }

    fn entities(&self, rows: &[usize], side: usize) -> f64 {
        let mut entities: Vec<u32> = rows.iter().map(|row| self.of_row[side][*row]).collect();
        entities.sort_unstable();
        entities.dedup();
        entities.len() as f64
    }

    fn best(&self, node: &Grown, g: &[f64], h: &[f64]) -> Option<(f64, usize, Test, Vec<bool>)> {
        let total = Self::sums(node.rows.iter().copied(), g, h);
        let deep = self.params.max_depth > 0 && node.depth >= self.params.max_depth;
        if deep || total.1 < 2.0 * self.params.min_leaf_weight {
            return None;
        }
        let parent = Self::score(
            total,
            1.0 + self.stretch(&node.rows, 0) + self.stretch(&node.rows, 1),
            self.params.l2,
        );
        let mut best: Option<(f64, usize, Test, Vec<bool>)> = None;
        for (number, column) in self.columns.iter().enumerate() {
            let (mut l2, mut least) = (self.params.l2, self.params.min_leaf_weight);
            if !self.known(column.side) {
                let entities = self.entities(&node.rows, column.side);
                l2 += self.params.entity_l2 * total.1 / entities;
                least = least.max(self.params.min_leaf_entities as f64 * total.1 / entities);
            }
            let stretch = 1.0 + self.stretch(&node.rows, 1 - column.side);
            for (test, left) in self.candidates(column, node, g, h) {
                let inside = Self::sums(node.rows.iter().copied().filter(|row| left[*row]), g, h);
                let outside = (total.0 - inside.0, total.1 - inside.1);
                let heavy = |h: f64| h >= least && h > 0.0;
                let score = Self::score(inside, stretch, l2) + Self::score(outside, stretch, l2);
                let floor = best.as_ref().map_or(parent, |b| b.0);
                if heavy(inside.1) && heavy(outside.1) && score > floor {
                    best = Some((score, number, test, left));
                }
            }
        }
        best.map(|(score, number, test, left)| (score - parent, number, test, left))
    }

    /// Every way to split a node on a column, in the order that decides ties.
    fn candidates(&self, column: &Column, node: &Grown, g: &[f64], h: &[f64]) -> Vec<(Test, Vec<bool>)> {
        match &column.values {
            Values::Ordered(values, cuts) => {
                let missing = node.rows.iter().any(|row| values[*row].is_none());
                let mut found = Vec::new();
                for at in 0..=cuts.len() {
                    let low = if at == 0 { f64::NEG_INFINITY } else { cuts[at - 1] };
                    let high = cuts.get(at).copied().unwrap_or(f64::from(f32::MAX));
                    if !node.rows.iter().any(|row| values[*row].is_some_and(|v| v > low && v <= high)) {
                        continue;
                    }
                    let mut push = |missing_left: bool| {
                        let left = values.iter().map(|v| v.map_or(missing_left, |v| v <= high)).collect();
                        found.push((Test::AtMost { threshold: high as f32, missing_left }, left));
                    };
                    if missing {
                        push(false);
                        push(true);
                    } else {
                        let inside = |row: &usize| values[*row].is_some_and(|v| v <= high);
                        let weight: f64 = node.rows.iter().filter(|row| inside(row)).map(|row| h[*row]).sum();
                        let total: f64 = node.rows.iter().map(|row| h[*row]).sum();
                        push(weight > total - weight);
                    }
                }
                found
            }
            Values::Levels(values) => {
                let mut levels: Vec<Option<usize>> = node.rows.iter().map(|row| values[*row]).collect();
                levels.sort_unstable();
                levels.dedup();
                let key = |level: &Option<usize>| {
                    let rows = node.rows.iter().copied().filter(|row| values[*row] == *level);
                    let (g, h) = Self::sums(rows, g, h);
                    g / (h + self.params.category_smoothing)
                };
                let mut order = levels.clone();
                order.sort_by(|a, b| key(a).total_cmp(&key(b)).then(a.cmp(b)));
                let prefixes = (1..order.len()).map(|prefix| {
                    let mut chosen: Vec<Option<usize>> = order[..prefix].to_vec();
                    let missing = levels.contains(&None);
                    let inside = |row: &usize| chosen.contains(&values[*row]);
                    let left: f64 = node.rows.iter().filter(|row| inside(row)).map(|row| h[*row]).sum();
                    let all: f64 = node.rows.iter().map(|row| h[*row]).sum();
                    if if missing { chosen.contains(&None) } else { left > all - left } {
                        chosen = levels.iter().filter(|level| !chosen.contains(level)).copied().collect();
                    }
                    let mut words = vec![0u64; chosen.iter().flatten().max().map_or(0, |most| most / 64 + 1)];
                    chosen.iter().flatten().for_each(|level| words[level / 64] |= 1 << (level % 64));
                    let left = values.iter().map(|v| v.is_some() && chosen.contains(v)).collect();
                    (Test::OneOf(words), left)
                });
                prefixes.collect()
            }
        }
    }

    /// Sets the leaves' values and takes them off the residuals.
    fn settle(&mut self, nodes: &[Grown], at: usize, g: &[f64], h: &[f64]) -> Plain {
        let node = &nodes[at];
        if let (Some(children), Some((_, number, test, _))) = (&node.children, &node.split) {
            let column = &self.columns[*number];
            let (side, feature, test) = (column.side, column.feature, test.clone());
            let children = Box::new(children.map(|child| self.settle(nodes, child, g, h)));
            return Plain::Inner { side, feature, test, children };
        }
        let (g, h) = Self::sums(node.rows.iter().copied(), g, h);
        let stretch = 1.0 + (self.stretch(&node.rows, 0) + self.stretch(&node.rows, 1));
        let step = if h > 0.0 { g / (h * stretch + self.params.l2) } else { 0.0 };
        let value = (self.params.learning_rate * step / self.quantum).round_ties_even() as i32;
        for row in &node.rows {
            self.residual[*row] -= (f64::from(value) * self.quantum) as f32;
        }
        Plain::Leaf(value)
    }
}

fn params() -> impl Strategy<Value = BoostParams> {
    let objective = prop_oneof![
        4 => Just(Objective::Squared),
        1 => Just(Objective::Huber),
    ];
    let known = prop_oneof![
        Just(SeenAgain::None),
        Just(SeenAgain::Cell),
        Just(SeenAgain::Drug),
        Just(SeenAgain::Both)
    ];
    let limits = (0u8..3, 1u8..4, 0u8..3, 1usize..4);
    (2usize..9, 0usize..4, limits, objective, known).prop_map(
        |(leaves, max_depth, limits, objective, known)| {
            let (l2, least, entity_l2, min_leaf_entities) = limits;
            BoostParams {
                rounds: 3,
                trees: Trees::Box,
                leaves,
                max_depth,
                l2: f64::from(l2),
                min_leaf_weight: f64::from(least),
                learning_rate: 0.5,
                feature_fraction: 1.0,
                row_fraction: 1.0,
                objective,
                seen_again: known,
                baseline: false,
                mean_feature: false,
                entity_l2: f64::from(entity_l2),
                min_leaf_entities,
                category_smoothing: 1.0,
                ..BoostParams::default()
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn trees_are_those_of_the_materialised_table(small in small(), params in params(), dense in any::<bool>()) {
        let screen = screen(&small);
        let fitted = fit(&params.clone().check().unwrap().with_dense_block(dense), &screen);
        let mut reference = Reference::new(&params, &small);
        for (round, tree) in fitted.trees().iter().enumerate() {
            let root = if tree.shape.sides.is_empty() { !0 } else { 0 };
            prop_assert_eq!(Plain::of(tree, root), reference.round(), "round {}", round);
        }
    }

    #[test]
    fn a_grid_scores_like_its_pairs(small in small(), seed in 0u64..100) {
        let screen = screen(&small);
        for trees in [Trees::Box, Trees::CellVector, Trees::DrugVector, Trees::Alternate] {
            let params = BoostParams { rounds: 12, trees, min_leaf_weight: 1.0, min_leaf_entities: 1, ..BoostParams::default() };
            let context = FitContext::new(Seed::new(seed), &Silent, ValidationGroup::Response);
            let fitted = params.check().unwrap().fit(&screen.all(), &context).unwrap();
            let fitted = FittedBoost::from_stored(&fitted.stored().unwrap()).unwrap();
            let tables = [&screen.tables[0], &screen.tables[1]];
            let cells: Vec<u32> = (0..tables[0].len() as u32).collect();
            let drugs: Vec<u32> = (0..tables[1].len() as u32).rev().collect();
            let predict = |tuples: Tuples| fitted.predict(&Query { tables: &tables, tuples }).unwrap();
            let grid = predict(Tuples::Grid(&[&cells, &drugs]));
            let rows: Vec<u32> = cells.iter().flat_map(|cell| drugs.iter().map(|_| *cell)).collect();
            let columns: Vec<u32> = cells.iter().flat_map(|_| drugs.clone()).collect();
            prop_assert_eq!(&grid, &predict(Tuples::Listed(&[&rows, &columns])));
            // Each entity once: too few pairs of their grid to be worth one.
            let (rows, columns): (Vec<u32>, Vec<u32>) = cells.iter().copied().zip(drugs.iter().copied()).unzip();
            let expected: Vec<f32> = (0..rows.len()).map(|at| grid[at * drugs.len() + at]).collect();
            prop_assert_eq!(expected, predict(Tuples::Listed(&[&rows, &columns])));
        }
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    // Large enough that the work is shared out.
    let genes = Array2::from_shape_fn((300, 200), |(c, g)| ((c * 31 + g * 17 + c * g) % 97) as f32);
    let expression =
        FeatureBlock::new("expression", (0..200).map(|g| format!("G{g}")), FeatureValues::real(genes))
            .unwrap();
    let cells = EntityTable::new((0..300).map(|c| format!("c{c}")), "cell line")
        .unwrap()
        .with_block(expression)
        .unwrap();
    let drugs = EntityTable::new((0..60).map(|d| format!("d{d}")), "drug").unwrap();
    let sides = vec![(0..18_000).map(|p| p / 60).collect(), (0..18_000).map(|p| p % 60).collect()];
    let values = (0..18_000u32).map(|p| (p.wrapping_mul(2_654_435_761) >> 20) as f32 / 1000.0).collect();
    let responses = Responses::new(sides, values, None).unwrap();
    let screen =
        Screen::new("AUC", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses).unwrap();
    for trees in [Trees::Box, Trees::CellVector, Trees::DrugVector, Trees::Alternate] {
        let model =
            BoostParams { rounds: 10, trees, cell_fraction: 0.7, ..BoostParams::default() }.check().unwrap();
        for validation in [ValidationGroup::Response, ValidationGroup::Entity(0)] {
            let with = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let context = FitContext::new(Seed::new(5), &Silent, validation);
                pool.install(|| model.fit(&screen.all(), &context).unwrap())
            };
            let one = with(1);
            assert!(one.trees().iter().any(|tree| tree.shape.leaves() > 2));
            assert_eq!(one, with(2));
            assert_eq!(one, with(8));
        }
    }
}

#[test]
fn quantiles_are_quantiles_whatever_the_unit() {
    // Two groups of cell lines with another spread; the unit is large beside a gradient, which is below 1.
    let expression = Array2::from_shape_fn((120, 1), |(c, _)| f32::from(u8::from(c % 2 == 0)));
    let expression = FeatureBlock::new("expression", ["G"], FeatureValues::real(expression)).unwrap();
    let cells = EntityTable::new((0..120).map(|c| format!("c{c}")), "cell line")
        .unwrap()
        .with_block(expression)
        .unwrap();
    let drugs = EntityTable::new((0..20).map(|d| format!("d{d}")), "drug").unwrap();
    let sides = vec![(0..2400).map(|p| p / 20).collect(), (0..2400).map(|p| p % 20).collect()];
    let uniform = |p: u32| f64::from(p.wrapping_mul(2_654_435_761) >> 8) / f64::from(1u32 << 24);
    let spread = |p: u32| if (p / 20).is_multiple_of(2) { 4000.0 } else { 1000.0 };
    let values = (0..2400).map(|p| (uniform(p) * spread(p)) as f32).collect();
    let responses = Responses::new(sides, values, None).unwrap();
    let screen =
        Screen::new("AUC", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses).unwrap();
    for trees in [Trees::Box, Trees::CellVector] {
        let params = BoostParams {
            trees,
            objective: Objective::Quantile,
            quantile: 0.9,
            seen_again: SeenAgain::None,
            entity_l2: 0.0,
            ..BoostParams::default()
        };
        let fitted = fit(&params.check().unwrap(), &screen);
        let tables = [&screen.tables[0], &screen.tables[1]];
        let (rows, columns) = ([0, 1], [0]);
        let scores =
            fitted.predict(&Query { tables: &tables, tuples: Tuples::Grid(&[&rows, &columns]) }).unwrap();
        for (score, expected) in scores.iter().zip([3600.0, 900.0]) {
            assert!((score / expected - 1.0).abs() < 0.1, "{trees:?}: {score} for {expected}");
        }
    }
}

#[test]
fn a_planted_signal_is_found() {
    let genes = Array2::from_shape_fn((120, 50), |(c, g)| ((c * 37 + g * 101 + c * c * g) % 211) as f32);
    let planted = |c: usize, d: usize| if genes[[c, 7]] > 100.0 && d.is_multiple_of(2) { -3.0 } else { 0.0 };
    let sides = vec![(0..2400).map(|p| p / 20).collect(), (0..2400).map(|p| p % 20).collect()];
    let values = (0..2400).map(|p| planted(p / 20, p % 20)).collect();
    let names = (0..50).map(|g| format!("G{g}"));
    let expression = FeatureBlock::new("expression", names, FeatureValues::real(genes.clone())).unwrap();
    let cells = EntityTable::new((0..120).map(|c| format!("c{c}")), "cell line")
        .unwrap()
        .with_block(expression)
        .unwrap();
    let even = BitColumns::from_fn(20, 1, |d, _| Some(d.is_multiple_of(2)));
    let even = FeatureBlock::new("target", ["even"], FeatureValues::Binary(even)).unwrap();
    let drugs = EntityTable::new((0..20).map(|d| format!("d{d}")), "drug").unwrap().with_block(even).unwrap();
    let responses = Responses::new(sides, values, None).unwrap();
    let screen =
        Screen::new("LN_IC50", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses)
            .unwrap();
    let params =
        BoostParams { rounds: 100, feature_fraction: 1.0, identity_feature: false, ..BoostParams::default() };
    let fitted = fit(&params.check().unwrap(), &screen);
    let first = &fitted.trees()[0];
    let tested: Vec<(u8, u32)> =
        first.shape.sides.iter().copied().zip(first.tests.iter().map(|t| t.0)).take(2).collect();
    assert!(tested.contains(&(0, 7)), "the first tree tests {tested:?}");
    let tables = [&screen.tables[0], &screen.tables[1]];
    let all: Vec<u32> = (0..120).collect();
    let drugs: Vec<u32> = (0..20).collect();
    let scores = fitted.predict(&Query { tables: &tables, tuples: Tuples::Grid(&[&all, &drugs]) }).unwrap();
    let worst = (0..2400).map(|p| (scores[p] - planted(p / 20, p % 20)).abs()).fold(0.0, f32::max);
    assert!(worst < 0.1, "worst error {worst}");
}

#[test]
fn three_sides_are_learnt_and_scored() {
    // A combination works where the gene is high and both drugs have the bit.
    let (cells, drugs) = (40usize, 10usize);
    let gene = |cell: usize| ((cell * 37) % 40) as f32;
    let bit = |drug: usize| drug.is_multiple_of(2);
    let planted = |c: usize, a: usize, b: usize| if gene(c) > 19.5 && bit(a) && bit(b) { -3.0 } else { 0.0 };
    let expression = FeatureValues::real(Array2::from_shape_fn((cells, 1), |(cell, _)| gene(cell)));
    let cell_table = EntityTable::new((0..cells).map(|c| format!("c{c}")), "cell line")
        .unwrap()
        .with_block(FeatureBlock::new("expression", ["G"], expression).unwrap())
        .unwrap();
    let bits = FeatureValues::Binary(BitColumns::from_fn(drugs, 1, |drug, _| Some(bit(drug))));
    let drug_table = EntityTable::new((0..drugs).map(|d| format!("d{d}")), "drug")
        .unwrap()
        .with_block(FeatureBlock::new("target", ["even"], bits).unwrap())
        .unwrap();
    let mut tuples = Vec::new();
    for cell in 0..cells {
        (0..drugs * drugs).for_each(|pair| tuples.push([cell, pair / drugs, pair % drugs]));
    }
    let side = |at: usize| tuples.iter().map(|tuple| tuple[at] as u32).collect::<Vec<u32>>();
    let values = tuples.iter().map(|[c, a, b]| planted(*c, *a, *b)).collect();
    let responses = Responses::new(vec![side(0), side(1), side(2)], values, None).unwrap();
    let sides = vec![Side::cell_line(0), Side::drug(1), Side { name: "drug_b".into(), table: 1 }];
    let screen = Screen::new("synergy", vec![cell_table, drug_table], sides, responses).unwrap();
    let params =
        BoostParams { feature_fraction: 1.0, entity_l2: 1.0, min_leaf_entities: 2, ..BoostParams::default() };
    let context = FitContext::new(Seed::new(5), &Silent, ValidationGroup::Entity(0));
    let fitted = params.check().unwrap().fit(&screen.all(), &context).unwrap();
    let tables = [&screen.tables[0], &screen.tables[1], &screen.tables[1]];
    let listed = [side(0), side(1), side(2)];
    let listed: Vec<&[u32]> = listed.iter().map(Vec::as_slice).collect();
    let scores = fitted.predict(&Query { tables: &tables, tuples: Tuples::Listed(&listed) }).unwrap();
    let error = |(tuple, score): (&[usize; 3], &f32)| (planted(tuple[0], tuple[1], tuple[2]) - score).abs();
    let worst = tuples.iter().zip(&scores).map(error).fold(0.0, f32::max);
    assert!(worst < 0.2, "worst error {worst}");
    let vectors = BoostParams { trees: Trees::CellVector, ..BoostParams::default() };
    let refused = vectors.check().unwrap().fit(&screen.all(), &context).unwrap_err().to_string();
    assert!(refused.contains("this screen has 3"), "{refused}");
    let columns: Vec<u32> = (0..drugs as u32).collect();
    assert!(fitted.prepare(&tables, &columns).is_err());
}
