//! The model of combinations against the plain one, which builds the covariance of all responses.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use halfmax_core::{
    AnyModel, BitColumns, EntityTable, FeatureBlock, FeatureValues, FitContext, FittedModel, Query,
    Responses, Screen, Seed, Side, Silent, Tensor, Tuples, ValidationGroup,
};
use halfmax_kernel::{AnyKernel, FittedCombinations, KernelParams, Part, kernel_from_stored};
use ndarray::{Array1, Array2};
use proptest::prelude::*;

const CELLS: usize = 5;
const DRUGS: usize = 6;
const BITS: usize = 7;

#[derive(Clone, Debug)]
struct Case {
    bits: Vec<bool>,
    genes: Vec<f32>,
    tuples: Vec<([usize; 3], f32, f32)>,
}

fn case() -> impl Strategy<Value = Case> {
    let response =
        ((0..CELLS, 0..DRUGS, 1..DRUGS), -2.0f32..2.0, prop_oneof![Just(1.0f32), Just(0.5), Just(3.0)]);
    let response =
        response.prop_map(|((cell, a, step), value, weight)| ([cell, a, (a + step) % DRUGS], value, weight));
    let bits = prop::collection::vec(any::<bool>(), DRUGS * BITS);
    (bits, prop::collection::vec(-2.0f32..2.0, CELLS * 2), prop::collection::vec(response, 12..60))
        .prop_map(|(bits, genes, tuples)| Case { bits, genes, tuples })
}

impl Case {
    fn screen(&self) -> Screen {
        let genes = Array2::from_shape_vec((CELLS, 2), self.genes.clone()).unwrap();
        let genes = FeatureBlock::new("expression", ["A", "B"], FeatureValues::real(genes)).unwrap();
        let cells = EntityTable::new((0..CELLS).map(|cell| format!("cell {cell}")), "cell line").unwrap();
        let bits = BitColumns::from_fn(DRUGS, BITS, |drug, bit| Some(self.bits[drug * BITS + bit]));
        let names = (0..BITS).map(|bit| format!("bit{bit}"));
        let bits = FeatureBlock::new("fingerprint", names, FeatureValues::Binary(bits)).unwrap();
        let drugs = EntityTable::new((0..DRUGS).map(|drug| format!("drug {drug}")), "drug").unwrap();
        let side = |side: usize| self.tuples.iter().map(|(tuple, ..)| tuple[side] as u32).collect();
        let values = self.tuples.iter().map(|(_, value, _)| *value).collect();
        let weights = self.tuples.iter().map(|(.., weight)| *weight).collect();
        let responses = Responses::new(vec![side(0), side(1), side(2)], values, Some(weights)).unwrap();
        let tables = vec![cells.with_block(genes).unwrap(), drugs.with_block(bits).unwrap()];
        let sides = vec![Side::cell_line(0), Side::drug(1), Side::drug_b(1)];
        Screen::new("synergy", tables, sides, responses).unwrap()
    }

    fn tanimoto(&self, a: usize, b: usize) -> f64 {
        let own = |drug: usize| &self.bits[drug * BITS..(drug + 1) * BITS];
        let pairs = || own(a).iter().zip(own(b));
        let both = pairs().filter(|(x, y)| **x && **y).count();
        let either = pairs().filter(|(x, y)| **x || **y).count();
        if a == b {
            1.0
        } else if either == 0 {
            0.0
        } else {
            both as f64 / either as f64
        }
    }
}

/// The drugs of a case and more that were not in training, in an order that is not that of their ids.
fn more_drugs(case: &Case, strangers: usize) -> EntityTable {
    let names = (0..strangers).map(|drug| format!("a stranger {drug}"));
    let drugs = (0..DRUGS).map(|drug| format!("drug {drug}")).chain(names);
    let bit = |drug: usize, bit: usize| match drug < DRUGS {
        true => case.bits[drug * BITS + bit],
        false => (drug * 5 + bit * 3).is_multiple_of(4),
    };
    let bits = BitColumns::from_fn(DRUGS + strangers, BITS, |drug, at| Some(bit(drug, at)));
    let names = (0..BITS).map(|bit| format!("bit{bit}"));
    let bits = FeatureBlock::new("fingerprint", names, FeatureValues::Binary(bits)).unwrap();
    EntityTable::new(drugs, "drug").unwrap().with_block(bits).unwrap()
}

fn fitted(screen: &Screen) -> FittedCombinations {
    let params = KernelParams { tolerance: 1e-12, max_iterations: 2000, ..KernelParams::default() };
    let context = FitContext::new(Seed::new(1), &Silent, ValidationGroup::Combination);
    let fitted = AnyKernel(params.check().unwrap()).fit_any(&screen.all(), &context).unwrap();
    FittedCombinations::from_stored(&fitted.stored().unwrap()).unwrap()
}

/// Which combinations and cell lines are in training, and what is left of each response.
struct Plain {
    observed: Vec<(usize, [usize; 2], f64, f64)>,
}

impl Plain {
    /// Repeats are averaged by weight.
    fn of(case: &Case) -> Self {
        let mut sums: std::collections::BTreeMap<(usize, [usize; 2]), (f64, f64)> = Default::default();
        for ([cell, a, b], value, weight) in &case.tuples {
            let sum = sums.entry((*cell, [*a.min(b), *a.max(b)])).or_default();
            *sum = (sum.0 + f64::from(*value) * f64::from(*weight), sum.1 + f64::from(*weight));
        }
        let one = |((cell, pair), (sum, weight)): ((usize, [usize; 2]), (f64, f64))| {
            (cell, pair, sum / weight, weight)
        };
        Self { observed: sums.into_iter().map(one).collect() }
    }
}

fn numbers(fitted: &FittedCombinations, name: &str) -> Vec<f64> {
    match &fitted.stored().unwrap().tensors[name] {
        Tensor::F64(values) => values.clone(),
        _ => panic!("{name} is of another type"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every combination at once is the same, to the last bit, as each by itself, of known and unknown drugs and cell lines.
    #[test]
    fn all_combinations_are_what_each_is(case in case(), strangers in 0usize..14, from in 0usize..4) {
        let screen = case.screen();
        let model = fitted(&screen);
        let drugs = more_drugs(&case, strangers);
        let (cells, count) = (screen.table(0), DRUGS + strangers);
        let mut order: Vec<u32> = (0..count as u32).collect();
        order.sort_by_key(|drug| &drugs.ids()[*drug as usize]);
        let tables = [cells, &drugs, &drugs];
        let prepared = model.prepare_combinations(&tables, &order).unwrap();
        let chosen = [4, 0, 2];
        let scores = prepared.in_cell_lines(&chosen).unwrap();
        for (at, cell) in chosen.iter().enumerate() {
            let rows = from..count.min(from + 7);
            let found = scores.scores(at, rows.clone()).unwrap();
            let pairs: Vec<[u32; 2]> =
                rows.flat_map(|i| (i + 1..count).map(move |j| [i, j])).map(|[i, j]| [order[i], order[j]]).collect();
            let (first, second): (Vec<u32>, Vec<u32>) = pairs.iter().map(|[a, b]| (*b, *a)).unzip();
            let cells = vec![*cell; pairs.len()];
            let each = model.predict(&Query { tables: &tables, tuples: Tuples::Listed(&[&cells, &first, &second]) });
            prop_assert_eq!(found, each.unwrap());
        }
    }

    /// Given the variances that were found, predictions are those of the plain Gaussian process.
    #[test]
    fn predictions_are_those_of_the_covariance_of_all_responses(case in case()) {
        let screen = case.screen();
        let model = fitted(&screen);
        let plain = Plain::of(&case);
        let description = model.stored().unwrap().description;
        let own = description["own"].as_f64().unwrap();
        let variances = model.cell_variances();
        let ids: Vec<String> = serde_json::from_value(description["cells"]["ids"].clone()).unwrap();
        let baseline = numbers(&model, "baseline");
        let base_of = |cell: usize| {
            let place = ids.iter().position(|id| *id == format!("cell {cell}"));
            place.map_or(baseline.iter().sum::<f64>() / baseline.len() as f64, |place| baseline[place])
        };
        // Kernels between drugs: the identity, then Tanimoto where bits vary.
        let kernel = |number: usize, a: usize, b: usize| match number {
            0 => f64::from(u8::from(a == b)),
            _ => case.tanimoto(a, b),
        };
        let of_part = |part: Part, [a, b]: [usize; 2], [c, d]: [usize; 2]| match part {
            Part::Members(k) => kernel(k, a, c) + kernel(k, a, d) + kernel(k, b, c) + kernel(k, b, d),
            Part::Both(k, l) if k == l => kernel(k, a, c) * kernel(k, b, d) + kernel(k, a, d) * kernel(k, b, c),
            Part::Both(k, l) => {
                kernel(k, a, c) * kernel(l, b, d) + kernel(l, a, c) * kernel(k, b, d)
                    + kernel(k, a, d) * kernel(l, b, c) + kernel(l, a, d) * kernel(k, b, c)
            }
        };
        let v = |p: [usize; 2], q: [usize; 2]| {
            let sum: f64 = model.components().iter().map(|one| one.weight * of_part(one.part, p, q)).sum();
            sum + if p == q { own } else { 0.0 }
        };
        let s = cell_covariance(&case, &ids, variances);
        let n = plain.observed.len();
        let covariance = Array2::from_shape_fn((n, n), |(i, j)| {
            let ((c, p, _, weight), (d, q, ..)) = (plain.observed[i], plain.observed[j]);
            v(p, q) * s[[c, d]] + if i == j { variances.noise / weight } else { 0.0 }
        });
        let left = Array1::from_iter(plain.observed.iter().map(|(cell, _, value, _)| value - base_of(*cell)));
        let alpha = solve(&covariance, &left);
        let scale = plain.observed.iter().map(|one| one.2.abs()).fold(1.0, f64::max);
        for cell in 0..CELLS {
            for (a, b) in [(0, 1), (2, 4), (5, 3)] {
                let pair = [a.min(b), a.max(b)];
                let expected = base_of(cell)
                    + (0..n).map(|j| {
                        let (d, q, ..) = plain.observed[j];
                        v(pair, q) * s[[cell, d]] * alpha[j]
                    }).sum::<f64>();
                let tables = [&screen.tables[0], &screen.tables[1], &screen.tables[1]];
                let asked = Tuples::Listed(&[&[cell as u32], &[a as u32], &[b as u32]]);
                let found = f64::from(model.predict(&Query { tables: &tables, tuples: asked }).unwrap()[0]);
                prop_assert!((found - expected).abs() < 1e-4 * scale, "{found} {expected}");
            }
        }
    }
}

/// The covariance of all cell lines from their genes, centred and scaled by those of training: the mean of a linear kernel,
/// scaled to a mean of 1 on its diagonal, and an RBF kernel at the median distance.
fn cell_covariance(case: &Case, ids: &[String], variances: halfmax_kernel::CellVariances) -> Array2<f64> {
    let training: Vec<usize> = ids.iter().map(|id| id[5..].parse().unwrap()).collect();
    let gene = |cell: usize, gene: usize| f64::from(case.genes[cell * 2 + gene]);
    let mean =
        [0, 1].map(|at| training.iter().map(|cell| gene(*cell, at)).sum::<f64>() / training.len() as f64);
    let centred = Array2::from_shape_fn((CELLS, 2), |(cell, at)| gene(cell, at) - mean[at]);
    let dots = centred.dot(&centred.t());
    let distance = |i: usize, j: usize| dots[[i, i]] + dots[[j, j]] - 2.0 * dots[[i, j]];
    let pairs = training.iter().flat_map(|i| training.iter().filter(move |j| *j < i).map(move |j| (*i, *j)));
    let mut upper: Vec<f64> = pairs.map(|(i, j)| distance(i, j)).collect();
    upper.sort_by(f64::total_cmp);
    let median = upper.get(upper.len() / 2).copied().unwrap_or(0.0);
    let own = training.iter().map(|cell| dots[[*cell, *cell]]).sum::<f64>() / training.len() as f64;
    Array2::from_shape_fn((CELLS, CELLS), |(i, j)| {
        let linear_and_rbf = || 0.5 * dots[[i, j]] / own + 0.5 * (-distance(i, j) / (2.0 * median)).exp();
        let features = if variances.features > 0.0 { linear_and_rbf() } else { 0.0 };
        variances.common + variances.features * features + if i == j { variances.own } else { 0.0 }
    })
}

/// Gaussian elimination.
fn solve(matrix: &Array2<f64>, right: &Array1<f64>) -> Array1<f64> {
    let n = right.len();
    let (mut m, mut x) = (matrix.clone(), right.clone());
    for k in 0..n {
        for i in k + 1..n {
            let factor = m[[i, k]] / m[[k, k]];
            for j in k..n {
                m[[i, j]] -= factor * m[[k, j]];
            }
            x[i] -= factor * x[k];
        }
    }
    for k in (0..n).rev() {
        let rest: f64 = (k + 1..n).map(|j| m[[k, j]] * x[j]).sum();
        x[k] = (x[k] - rest) / m[[k, k]];
    }
    x
}

/// With components of known variances the largest found are those that were planted.
#[test]
fn components_that_were_planted_are_found() {
    let mut tuples = Vec::new();
    let effect = |cell: usize, drug: usize| {
        ((cell * 7919 + drug * 104_729 + cell * drug * 31) % 1009) as f32 / 504.5 - 1.0
    };
    for (cell, a, b) in
        (0..CELLS).flat_map(|c| (0..DRUGS).flat_map(move |a| (a + 1..DRUGS).map(move |b| (c, a, b))))
    {
        tuples.push(([cell, a, b], effect(cell, a) + effect(cell, b), 1.0));
    }
    let case = Case {
        bits: (0..DRUGS * BITS).map(|at| at * (at + 3) * 31 % 13 < 5).collect(),
        genes: (0..CELLS * 2).map(|at| (at * 5 % 7) as f32).collect(),
        tuples,
    };
    let model = fitted(&case.screen());
    let diagonal = |part: Part| match part {
        Part::Members(_) => 2.0,
        Part::Both(..) => 1.0,
    };
    let share = |of: &dyn Fn(Part) -> bool| -> f64 {
        model.components().iter().filter(|one| of(one.part)).map(|one| one.weight * diagonal(one.part)).sum()
    };
    let (members, both) =
        (share(&|part| matches!(part, Part::Members(_))), share(&|part| matches!(part, Part::Both(..))));
    assert!(members > 5.0 * both, "{members} {both}");
}

#[test]
fn a_model_file_that_was_altered_is_refused() {
    let case = Case {
        bits: (0..DRUGS * BITS).map(|at| at * (at + 3) * 31 % 13 < 5).collect(),
        genes: (0..CELLS * 2).map(|at| at as f32).collect(),
        tuples: (0..30)
            .map(|at| ([at % CELLS, at % DRUGS, (at + 1 + at / 6) % DRUGS], at as f32, 1.0))
            .filter(|(t, ..)| t[1] != t[2])
            .collect(),
    };
    let whole = fitted(&case.screen()).stored().unwrap();
    assert!(kernel_from_stored(&whole).is_ok());
    for name in whole.tensors.keys() {
        let mut parts = whole.clone();
        parts.tensors.remove(name);
        assert!(kernel_from_stored(&parts).is_err(), "{name}");
    }
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut parts = whole.clone();
        change(&mut parts.description);
        assert!(kernel_from_stored(&parts).is_err());
    };
    with(&|description| description["own"] = (-1.0).into());
    with(&|description| description["variances"]["noise"] = (-1.0).into());
    with(&|description| description["components"][0]["part"] = serde_json::json!({ "members": 9 }));
    with(&|description| description["drugs"]["ids"] = serde_json::json!(["a"]));
    let mut parts = whole.clone();
    parts.tensors.insert("combinations".into(), Tensor::U32(vec![1, 0]));
    assert!(kernel_from_stored(&parts).is_err());
}
