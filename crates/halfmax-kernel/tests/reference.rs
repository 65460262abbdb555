//! The factorised solution against the plain one, which builds the covariance of all pairs.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use halfmax_core::{
    BitColumns, Conditionable, EntityTable, FeatureBlock, FeatureValues, FitContext, FittedModel, Model,
    Query, Responses, Screen, Seed, Side, Silent, Tensor, Tuples, ValidationGroup,
};
use halfmax_kernel::{FittedKernel, KernelFactor, KernelKind, KernelParams, KernelTerm};
use ndarray::{Array1, Array2};
use proptest::prelude::*;

const CELLS: usize = 9;
const DRUGS: usize = 4;
const GENES: usize = 3;

#[derive(Clone, Debug)]
struct Case {
    genes: Vec<f32>,
    values: Vec<f32>,
    weights: Vec<f32>,
    /// Cell lines from here on have no response.
    seen: usize,
    observed: Vec<bool>,
    share: f64,
    noise: f64,
}

fn case() -> impl Strategy<Value = Case> {
    let numbers = |count| prop::collection::vec(-2.0f32..2.0, count);
    let weights = prop::collection::vec(prop_oneof![Just(1.0f32), Just(0.5), Just(3.0)], CELLS * DRUGS);
    let observed = prop::collection::vec(prop::bool::weighted(0.7), CELLS * DRUGS);
    (numbers(CELLS * GENES), numbers(CELLS * DRUGS), weights, 6..=CELLS, observed, 0.05..0.95, 0.1..2.0)
        .prop_map(|(genes, values, weights, seen, observed, share, noise)| Case {
            genes,
            values,
            weights,
            seen,
            observed,
            share,
            noise,
        })
}

impl Case {
    fn pairs(&self) -> Vec<(usize, usize)> {
        let all = (0..self.seen).flat_map(|cell| (0..DRUGS).map(move |drug| (cell, drug)));
        // Every entity has a response of the diagonal.
        all.filter(|(cell, drug)| self.observed[cell * DRUGS + drug] || cell % DRUGS == *drug).collect()
    }

    fn screen(&self) -> Screen {
        let genes = Array2::from_shape_vec((CELLS, GENES), self.genes.clone()).unwrap();
        let block = FeatureBlock::new("expression", ["A", "B", "C"], FeatureValues::real(genes)).unwrap();
        let cells = EntityTable::new((0..CELLS).map(|cell| format!("cell {cell}")), "cell line").unwrap();
        let drugs = EntityTable::new((0..DRUGS).map(|drug| format!("drug {drug}")), "drug").unwrap();
        let pairs = self.pairs();
        let sides = vec![
            pairs.iter().map(|pair| pair.0 as u32).collect(),
            pairs.iter().map(|pair| pair.1 as u32).collect(),
        ];
        let of = |numbers: &[f32]| pairs.iter().map(|(cell, drug)| numbers[cell * DRUGS + drug]).collect();
        let responses = Responses::new(sides, of(&self.values), Some(of(&self.weights))).unwrap();
        let tables = vec![cells.with_block(block).unwrap(), drugs];
        Screen::new("LN_IC50", tables, vec![Side::cell_line(0), Side::drug(1)], responses).unwrap()
    }

    fn fit(&self, screen: &Screen) -> FittedKernel {
        self.fit_times(screen, Vec::new())
    }

    /// Fits with a linear kernel on the expression, multiplied with others.
    fn fit_times(&self, screen: &Screen, times: Vec<KernelFactor>) -> FittedKernel {
        let linear = KernelTerm {
            features: "expression".into(),
            kernel: KernelKind::Linear,
            weight: 1.0,
            lengthscale: 1.0,
            standardise: false,
            times,
        };
        let params = KernelParams {
            cell_kernels: vec![linear],
            feature_share: Some(self.share),
            noise_ratio: Some(self.noise),
            tolerance: 1e-12,
            max_iterations: 1000,
            ..KernelParams::default()
        };
        params.check().unwrap().fit(&screen.all(), &context(ValidationGroup::Entity(0))).unwrap()
    }
}

fn context(validation: ValidationGroup) -> FitContext {
    FitContext::new(Seed::new(1), &Silent, validation)
}

/// What the fit found out about drugs: the covariance of profiles, the baseline, σ².
struct Found {
    covariance: Array2<f64>,
    baseline: Vec<f64>,
    noise: f64,
}

impl Found {
    fn of(fitted: &FittedKernel) -> Self {
        let parts = fitted.stored().unwrap();
        let numbers = |name: &str| match &parts.tensors[name] {
            Tensor::F64(values) => values.clone(),
            _ => panic!("{name} is of another type"),
        };
        Self {
            covariance: Array2::from_shape_vec((DRUGS, DRUGS), numbers("covariance")).unwrap(),
            baseline: numbers("baseline"),
            noise: fitted.noise(),
        }
    }
}

/// The linear kernel between all cell lines, centred and scaled by those that were seen.
fn linear_kernel(case: &Case) -> Array2<f64> {
    let gene = |cell: usize, gene: usize| f64::from(case.genes[cell * GENES + gene]);
    let mean: Vec<f64> = (0..GENES)
        .map(|g| (0..case.seen).map(|cell| gene(cell, g)).sum::<f64>() / case.seen as f64)
        .collect();
    let dot =
        |a: usize, b: usize| (0..GENES).map(|g| (gene(a, g) - mean[g]) * (gene(b, g) - mean[g])).sum::<f64>();
    let scale = (0..case.seen).map(|cell| dot(cell, cell)).sum::<f64>() / case.seen as f64;
    Array2::from_shape_fn((CELLS, CELLS), |(a, b)| dot(a, b) / scale)
}

/// Solves by Gaussian elimination with pivots.
fn solve(mut matrix: Array2<f64>, mut right: Array2<f64>) -> Array2<f64> {
    let n = matrix.nrows();
    for at in 0..n {
        let pivot = (at..n).max_by(|a, b| matrix[[*a, at]].abs().total_cmp(&matrix[[*b, at]].abs())).unwrap();
        for column in 0..n {
            matrix.swap([at, column], [pivot, column]);
        }
        for column in 0..right.ncols() {
            right.swap([at, column], [pivot, column]);
        }
        for row in (0..n).filter(|row| *row != at) {
            let factor = matrix[[row, at]] / matrix[[at, at]];
            for column in 0..n {
                matrix[[row, column]] -= factor * matrix[[at, column]];
            }
            for column in 0..right.ncols() {
                right[[row, column]] -= factor * right[[at, column]];
            }
        }
    }
    for row in 0..n {
        for column in 0..right.ncols() {
            right[[row, column]] /= matrix[[row, row]];
        }
    }
    right
}

fn grid(fitted: &FittedKernel, screen: &Screen) -> Vec<f32> {
    let (cells, drugs): (Vec<u32>, Vec<u32>) = ((0..CELLS as u32).collect(), (0..DRUGS as u32).collect());
    let tables = [screen.table(0), screen.table(1)];
    fitted.predict(&Query { tables: &tables, tuples: Tuples::Grid(&[&cells, &drugs]) }).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn predictions_are_those_of_the_covariance_of_all_pairs(case in case(), product in any::<bool>()) {
        let mut screen = case.screen();
        let mut kernel = linear_kernel(&case);
        let mut times = Vec::new();
        if product {
            let bit = |cell: usize, bit: usize| bit == cell % 5 || (cell * 7 + bit * 3).is_multiple_of(4);
            let bits = FeatureValues::Binary(BitColumns::from_fn(CELLS, 5, |cell, at| Some(bit(cell, at))));
            let events = FeatureBlock::new("events", ["a", "b", "c", "d", "e"], bits).unwrap();
            screen.tables[0] = screen.tables[0].clone().with_block(events).unwrap();
            let count = |which: &dyn Fn(usize) -> bool| (0..5).filter(|at| which(*at)).count() as f64;
            kernel.indexed_iter_mut().for_each(|((a, b), value)| {
                *value *= count(&|at| bit(a, at) && bit(b, at)) / count(&|at| bit(a, at) || bit(b, at));
            });
            let kernel = KernelKind::Tanimoto;
            times.push(KernelFactor { features: "events".into(), kernel, lengthscale: 1.0, standardise: false });
        }
        let fitted = case.fit_times(&screen, times);
        prop_assert_eq!(fitted.linear_weights("expression").is_none(), product);
        let Found { covariance, baseline, noise } = Found::of(&fitted);
        let rows = |a: usize, b: usize| case.share * kernel[[a, b]] + (1.0 - case.share) * f64::from(u8::from(a == b));
        let pairs = case.pairs();
        let between = |a: (usize, usize), b: (usize, usize)| rows(a.0, b.0) * covariance[[a.1, b.1]];
        let matrix = Array2::from_shape_fn((pairs.len(), pairs.len()), |(a, b)| {
            let own = noise / f64::from(case.weights[pairs[a].0 * DRUGS + pairs[a].1]);
            between(pairs[a], pairs[b]) + if a == b { own } else { 0.0 }
        });
        let right = Array2::from_shape_fn((pairs.len(), 1), |(at, _)| {
            f64::from(case.values[pairs[at].0 * DRUGS + pairs[at].1]) - baseline[pairs[at].1]
        });
        let coefficients = solve(matrix, right);
        let predicted = grid(&fitted, &screen);
        for cell in 0..CELLS {
            for drug in 0..DRUGS {
                let sum: f64 =
                    pairs.iter().zip(&coefficients).map(|(pair, c)| c * between((cell, drug), *pair)).sum();
                let (expected, found) = (baseline[drug] + sum, f64::from(predicted[cell * DRUGS + drug]));
                prop_assert!((expected - found).abs() < 1e-4, "cell {cell}, drug {drug}: {found}, expected {expected}");
            }
        }
    }

    #[test]
    fn variances_are_those_of_the_covariance_of_all_pairs(mut case in case()) {
        case.observed.fill(true);
        case.weights.fill(1.0);
        let screen = case.screen();
        let fitted = case.fit(&screen);
        let Found { covariance, noise, .. } = Found::of(&fitted);
        let kernel = linear_kernel(&case);
        let rows = |a: usize, b: usize| case.share * kernel[[a, b]] + (1.0 - case.share) * f64::from(u8::from(a == b));
        let pairs = case.pairs();
        let between = |a: (usize, usize), b: (usize, usize)| rows(a.0, b.0) * covariance[[a.1, b.1]];
        let matrix = Array2::from_shape_fn((pairs.len(), pairs.len()), |(a, b)| {
            between(pairs[a], pairs[b]) + if a == b { noise } else { 0.0 }
        });
        let right = Array2::from_shape_fn((pairs.len(), CELLS * DRUGS), |(at, to)| {
            between(pairs[at], (to / DRUGS, to % DRUGS))
        });
        let solved = solve(matrix, right.clone());
        let found = fitted.profile_variance(screen.table(0)).unwrap();
        for to in 0..CELLS * DRUGS {
            let at = (to / DRUGS, to % DRUGS);
            let explained: f64 = right.column(to).iter().zip(solved.column(to)).map(|(a, b)| a * b).sum();
            let expected = between(at, at) - explained + noise;
            prop_assert!((expected - found[[at.0, at.1]]).abs() < 1e-5, "{at:?}: {}, expected {expected}", found[[at.0, at.1]]);
        }
    }

    #[test]
    fn measured_responses_of_a_new_row_are_taken_as_if_they_had_been_fitted(mut case in case(), weight in 0.5f32..3.0) {
        const NEW: usize = 8;
        case.seen = NEW;
        case.observed.fill(true);
        case.weights.fill(1.0);
        let screen = case.screen();
        let fitted = case.fit(&screen);
        let Found { covariance, baseline, noise } = Found::of(&fitted);
        let kernel = linear_kernel(&case);
        let rows = |a: usize, b: usize| case.share * kernel[[a, b]] + (1.0 - case.share) * f64::from(u8::from(a == b));
        let mut pairs = case.pairs();
        pairs.extend([(NEW, 1), (NEW, 3)]);
        let between = |a: (usize, usize), b: (usize, usize)| rows(a.0, b.0) * covariance[[a.1, b.1]];
        let matrix = Array2::from_shape_fn((pairs.len(), pairs.len()), |(a, b)| {
            let own = if pairs[a].0 == NEW { noise / f64::from(weight) } else { noise };
            between(pairs[a], pairs[b]) + if a == b { own } else { 0.0 }
        });
        let right = Array2::from_shape_fn((pairs.len(), 1), |(at, _)| {
            f64::from(case.values[pairs[at].0 * DRUGS + pairs[at].1]) - baseline[pairs[at].1]
        });
        let coefficients = solve(matrix, right);
        let value = |drug: usize| case.values[NEW * DRUGS + drug];
        // One of a cell line that was in training, which is not used.
        let sides = vec![vec![NEW as u32, 2, NEW as u32], vec![1, 0, 3]];
        let measured = Responses::new(sides, vec![value(1), 9.0, value(3)], Some(vec![weight; 3])).unwrap();
        let informed = fitted.condition_on(&[screen.table(0), screen.table(1)], &measured).unwrap();
        prop_assert_eq!(informed.used, 2);
        let stored = FittedKernel::from_stored(&informed.model.stored().unwrap()).unwrap();
        let (before, after) = (grid(&fitted, &screen), grid(&stored, &screen));
        for drug in 0..DRUGS {
            let sum: f64 = pairs.iter().zip(&coefficients).map(|(pair, c)| c * between((NEW, drug), *pair)).sum();
            let (expected, found) = (baseline[drug] + sum, f64::from(after[NEW * DRUGS + drug]));
            prop_assert!((expected - found).abs() < 1e-4, "drug {drug}: {found}, expected {expected}");
        }
        prop_assert_eq!(&before[..NEW * DRUGS], &after[..NEW * DRUGS]);
    }

    #[test]
    fn linear_weights_explain_predictions_for_unseen_cell_lines_exactly(mut case in case()) {
        case.seen = 7;
        let screen = case.screen();
        let fitted = case.fit(&screen);
        let baseline = Found::of(&fitted).baseline;
        let (names, means, weights) = fitted.linear_weights("expression").unwrap();
        prop_assert_eq!(names, ["A", "B", "C"]);
        let predicted = grid(&fitted, &screen);
        for cell in 7..CELLS {
            let own: Array1<f64> =
                (0..GENES).map(|g| f64::from(case.genes[cell * GENES + g]) - f64::from(means[g])).collect();
            let explained = own.dot(&weights);
            for drug in 0..DRUGS {
                let sum = baseline[drug] + explained[drug];
                prop_assert!((sum - f64::from(predicted[cell * DRUGS + drug])).abs() < 1e-4);
            }
        }
    }
}

fn message(params: KernelParams, screen: &Screen) -> String {
    params
        .check()
        .unwrap()
        .fit(&screen.all(), &context(ValidationGroup::Entity(0)))
        .err()
        .unwrap()
        .to_string()
}

fn ordinary() -> Case {
    let number = |at: usize| ((at * 7919) % 101) as f32 / 50.0 - 1.0;
    Case {
        genes: (0..CELLS * GENES).map(number).collect(),
        values: (0..CELLS * DRUGS).map(|at| number(at + 50)).collect(),
        weights: vec![1.0; CELLS * DRUGS],
        seen: CELLS,
        observed: vec![true; CELLS * DRUGS],
        share: 0.5,
        noise: 0.5,
    }
}

#[test]
fn an_infinite_feature_is_named_with_its_entity() {
    let mut case = ordinary();
    case.genes[4] = f32::INFINITY;
    assert_eq!(
        message(KernelParams::default(), &case.screen()),
        "feature \"B\" of the expression features is infinite for cell line \"cell 1\": expected a finite number"
    );
}

#[test]
fn drugs_that_repeat_each_other_leave_a_covariance() {
    // Two drugs with the same large responses among others that hardly vary.
    let mut case = ordinary();
    for (at, value) in case.values.iter_mut().enumerate() {
        *value = if at % DRUGS < 2 { 2.0 - (at / DRUGS % 2 * 4) as f32 } else { *value * 1e-3 };
    }
    let params = KernelParams { profile_shrinkage: Some(0.0), ..KernelParams::default() };
    let screen = case.screen();
    let fitted = params.check().unwrap().fit(&screen.all(), &context(ValidationGroup::Entity(0))).unwrap();
    assert!(grid(&fitted, &screen).iter().all(|value| value.is_finite()));
}

#[test]
fn kernels_that_do_not_suit_their_features_are_refused() {
    let screen = ordinary().screen();
    let term = |features: &str, kernel| KernelParams {
        cell_kernels: vec![KernelTerm {
            features: features.into(),
            kernel,
            weight: 1.0,
            lengthscale: 1.0,
            standardise: false,
            times: Vec::new(),
        }],
        ..KernelParams::default()
    };
    assert_eq!(
        message(term("expresion", KernelKind::Linear), &screen),
        "a kernel names the features \"expresion\" of the cell lines: expected one of expression"
    );
    assert_eq!(
        message(term("expression", KernelKind::Tanimoto), &screen),
        "the kernel \"tanimoto\" does not suit the features \"expression\": expected \"linear\" or \"rbf\", because they are real numbers"
    );
}

#[test]
fn what_is_left_out_is_chosen_by_the_data() {
    // Features explain everything: 60 cell lines whose responses are linear in their genes.
    let gene = |cell: usize, gene: usize| ((cell * (31 + 17 * gene) + gene) % 97) as f32 / 48.0 - 1.0;
    let random = |cell: usize, drug: usize| {
        (Seed::new(5).derive((cell * 10 + drug) as u64).value() >> 40) as f32 / 8e6 - 1.0
    };
    let screen = |told: bool| {
        let genes = Array2::from_shape_fn((60, GENES), |(cell, g)| gene(cell, g));
        let bits = BitColumns::from_fn(60, 2, |cell, bit| Some((cell + bit) % 3 == 0));
        let cells = EntityTable::new((0..60).map(|cell| format!("cell {cell}")), "cell line")
            .unwrap()
            .with_block(FeatureBlock::new("expression", ["A", "B", "C"], FeatureValues::real(genes)).unwrap())
            .unwrap()
            .with_block(FeatureBlock::new("mutation", ["M", "N"], FeatureValues::Binary(bits)).unwrap())
            .unwrap();
        let drugs = EntityTable::new((0..DRUGS).map(|drug| format!("drug {drug}")), "drug").unwrap();
        let pairs: Vec<(u32, u32)> =
            (0..60).flat_map(|cell| (0..DRUGS as u32).map(move |drug| (cell, drug))).collect();
        let value = |(cell, drug): &(u32, u32)| {
            let (cell, drug) = (*cell as usize, *drug as usize);
            if told { gene(cell, drug % GENES) + 0.1 * random(cell, drug) } else { random(cell, drug) }
        };
        let sides = vec![pairs.iter().map(|p| p.0).collect(), pairs.iter().map(|p| p.1).collect()];
        let responses = Responses::new(sides, pairs.iter().map(value).collect(), None).unwrap();
        Screen::new("LN_IC50", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses)
            .unwrap()
    };
    let share = |told: bool| {
        let screen = screen(told);
        let model = KernelParams::default().check().unwrap();
        model.fit(&screen.all(), &context(ValidationGroup::Entity(0))).unwrap().feature_share()
    };
    assert!(share(true) > 0.9, "features explain everything, but their share is {}", share(true));
    assert!(share(false) < 0.3, "features explain nothing, but their share is {}", share(false));
}

#[test]
fn a_length_scale_that_is_too_long_is_halved_where_that_was_asked_for() {
    let genes = Array2::from_shape_fn((120, 1), |(cell, _)| (cell * 37 % 120) as f32 / 120.0);
    let response = |cell: usize, drug: usize| (14.0 * genes[[cell, 0]] + drug as f32).sin() + drug as f32;
    let pairs: Vec<(u32, u32)> =
        (0..100).flat_map(|cell| (0..DRUGS as u32).map(move |drug| (cell, drug))).collect();
    let values = pairs.iter().map(|(cell, drug)| response(*cell as usize, *drug as usize)).collect();
    let sides = vec![pairs.iter().map(|p| p.0).collect(), pairs.iter().map(|p| p.1).collect()];
    let block = FeatureBlock::new("expression", ["A"], FeatureValues::real(genes.clone())).unwrap();
    let cells = EntityTable::new((0..120).map(|cell| format!("cell {cell}")), "cell line").unwrap();
    let drugs = EntityTable::new((0..DRUGS).map(|drug| format!("drug {drug}")), "drug").unwrap();
    let responses = Responses::new(sides, values, None).unwrap();
    let tables = vec![cells.with_block(block).unwrap(), drugs];
    let screen = Screen::new("LN_IC50", tables, vec![Side::cell_line(0), Side::drug(1)], responses).unwrap();
    let term = KernelTerm {
        features: "expression".into(),
        kernel: KernelKind::Rbf,
        weight: 1.0,
        lengthscale: 1.0,
        standardise: false,
        times: Vec::new(),
    };
    let error_with = |tune_lengthscales| {
        let params =
            KernelParams { cell_kernels: vec![term.clone()], tune_lengthscales, ..KernelParams::default() };
        let fitted =
            params.check().unwrap().fit(&screen.all(), &context(ValidationGroup::Entity(0))).unwrap();
        let (unseen, all): (Vec<u32>, Vec<u32>) = ((100..120).collect(), (0..DRUGS as u32).collect());
        let tables = [screen.table(0), screen.table(1)];
        let scores =
            fitted.predict(&Query { tables: &tables, tuples: Tuples::Grid(&[&unseen, &all]) }).unwrap();
        let squares = scores
            .iter()
            .enumerate()
            .map(|(at, score)| (score - response(100 + at / DRUGS, at % DRUGS)).powi(2));
        (fitted.terms(0)[0].factors[0].scale, squares.sum::<f32>())
    };
    let ((long, worse), (halved, better)) = (error_with(false), error_with(true));
    assert!((halved / long - 0.25).abs() < 1e-12, "{halved} {long}");
    assert!(better < 0.5 * worse, "{better} {worse}");
}
