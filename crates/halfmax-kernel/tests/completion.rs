//! Completion against plain dense computations.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use halfmax_core::{
    Conditionable, EntityTable, ErrorKind, FitContext, FittedModel, Model, Progress, Query, Responses,
    Result, Screen, Seed, Side, Silent, StoredModel, Tensor, TrainView, Tuples, ValidationGroup,
};
use halfmax_kernel::{CompletionParams, Finish, FittedCompletion};
use ndarray::{Array1, Array2, Axis};
use proptest::prelude::*;

type Matrix = Array2<f64>;

const CONTEXT: FitContext = FitContext::new(Seed::new(5), &Silent, ValidationGroup::Response);

/// A block of responses: value and weight of every pair, weight 0 where there is none.
#[derive(Clone, Debug)]
struct Block {
    values: Matrix,
    weights: Matrix,
}

impl Block {
    fn screen(&self) -> Screen {
        let there: Vec<((usize, usize), f64)> =
            self.weights.indexed_iter().map(|(at, w)| (at, *w)).filter(|(_, w)| *w > 0.0).collect();
        let sides = vec![
            there.iter().map(|((row, _), _)| *row as u32).collect(),
            there.iter().map(|((_, column), _)| *column as u32).collect(),
        ];
        let values = there.iter().map(|(at, _)| self.values[*at] as f32).collect();
        let weights = there.iter().map(|(_, weight)| *weight as f32).collect();
        let responses = Responses::new(sides, values, Some(weights)).unwrap();
        let tables = vec![table("cell line", self.values.nrows()), table("drug", self.values.ncols())];
        Screen::new("LN_IC50", tables, vec![Side::cell_line(0), Side::drug(1)], responses).unwrap()
    }

    fn fit(&self, params: CompletionParams) -> FittedCompletion {
        params.check().unwrap().fit(&self.screen().all(), &CONTEXT).unwrap()
    }

    /// Responses less the fitted main effects, and weights over the largest.
    fn problem(&self, fitted: &Tensors) -> (Matrix, Matrix) {
        let rest = Matrix::from_shape_fn(self.values.raw_dim(), |(row, column)| {
            let value = f64::from(self.values[[row, column]] as f32);
            value - fitted.numbers[0] - fitted.effects[0][row] - fitted.effects[1][column]
        });
        let most = self.weights.iter().fold(0.0f64, |most, weight| most.max(*weight));
        (rest, &self.weights / most)
    }
}

fn table(sort: &str, count: usize) -> EntityTable {
    EntityTable::new((0..count).map(|at| format!("{sort} {at}")), sort).unwrap()
}

/// The arrays of a fitted model.
struct Tensors {
    numbers: Vec<f64>,
    priors: [Array1<f64>; 2],
    effects: [Array1<f64>; 2],
    factors: [Matrix; 2],
}

impl Tensors {
    fn of(fitted: &FittedCompletion) -> Self {
        let parts = fitted.stored().unwrap();
        let list = |name: &str| match &parts.tensors[name] {
            Tensor::F64(values) => values.clone(),
            other => panic!("{name} is {other:?}"),
        };
        let matrix = |name: &str, side: usize| {
            Matrix::from_shape_vec((fitted.ids(side).len(), fitted.rank()), list(name)).unwrap()
        };
        Self {
            numbers: list("numbers"),
            priors: [list("row_prior").into(), list("column_prior").into()],
            effects: [list("row_effects").into(), list("column_effects").into()],
            factors: [matrix("row_factors", 0), matrix("column_factors", 1)],
        }
    }

    fn block(&self) -> Matrix {
        self.factors[0].dot(&self.factors[1].t())
    }
}

/// Singular values lowered by `penalty`, by a plain decomposition.
fn lowered(matrix: &Matrix, penalty: f64) -> Matrix {
    let whole = faer::Mat::from_fn(matrix.nrows(), matrix.ncols(), |row, column| matrix[[row, column]]);
    let found = whole.thin_svd().unwrap();
    let (left, values, right) = (found.U(), found.S().column_vector(), found.V());
    Matrix::from_shape_fn(matrix.raw_dim(), |(row, column)| {
        (0..values.nrows())
            .map(|k| left[(row, k)] * (values[k] - penalty).max(0.0) * right[(column, k)])
            .sum()
    })
}

fn nuclear_norm(matrix: &Matrix) -> f64 {
    let whole = faer::Mat::from_fn(matrix.nrows(), matrix.ncols(), |row, column| matrix[[row, column]]);
    whole.singular_values().unwrap().iter().sum()
}

/// Soft-impute without anything that makes it fast.
fn soft_imputed(rest: &Matrix, weights: &Matrix, penalty: f64) -> Matrix {
    let mut now = Matrix::zeros(rest.raw_dim());
    for _ in 0..50_000 {
        let next = lowered(&filled(&now, rest, weights), penalty);
        let moved = furthest(&next, &now);
        now = next;
        if moved < 1e-12 {
            break;
        }
    }
    now
}

fn filled(block: &Matrix, rest: &Matrix, weights: &Matrix) -> Matrix {
    block + &((rest - block) * weights)
}

fn furthest(a: &Matrix, b: &Matrix) -> f64 {
    (a - b).iter().fold(0.0f64, |most, difference| most.max(difference.abs()))
}

fn noise(a: usize, b: usize) -> f64 {
    (Seed::new(7).derive((a * 1000 + b) as u64).value() >> 11) as f64 / (1u64 << 53) as f64 - 0.5
}

/// Responses of a rank, with noise and gaps.
fn planted(rows: usize, columns: usize, rank: usize, error: f64) -> Block {
    let value = |row: usize, column: usize| {
        let shared: f64 = (0..rank).map(|k| 4.0 * noise(row, k) * noise(500 + column, k)).sum();
        3.0 + 2.0 * noise(row, 90) + 4.0 * noise(500 + column, 91) + shared + error * noise(row, 100 + column)
    };
    Block {
        values: Matrix::from_shape_fn((rows, columns), |(row, column)| value(row, column)),
        weights: Matrix::from_shape_fn((rows, columns), |(row, column)| {
            if noise(3000 + row, column) < 0.2 { 1.0 } else { 0.0 }
        }),
    }
}

fn block() -> impl Strategy<Value = Block> {
    (3usize..9, 2usize..9).prop_flat_map(|(rows, columns)| {
        let values = prop::collection::vec(-3.0f32..3.0, rows * columns);
        let weights = prop_oneof![2 => Just(0.0), 3 => Just(1.0), 1 => Just(0.5), 1 => Just(2.0)];
        let weights = prop::collection::vec(weights, rows * columns);
        (values, weights).prop_map(move |(values, weights)| {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let mut weights = Matrix::from_shape_vec((rows, columns), weights).unwrap();
            // Every entity has a response.
            (0..rows.max(columns)).for_each(|at| weights[[at % rows, at % columns]] = 1.0);
            Block { values: Matrix::from_shape_vec((rows, columns), values).unwrap(), weights }
        })
    })
}

fn exactly(shrinkage: f64, finish: Finish) -> CompletionParams {
    CompletionParams {
        nuclear_penalty: Some(shrinkage),
        noise_variance: Some(0.3),
        finish,
        max_iterations: 10_000,
        tolerance: 1e-11,
        ..CompletionParams::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_block_is_the_nuclear_norm_solution(block in block(), shrinkage in 0.05f64..0.9) {
        let fitted = block.fit(exactly(shrinkage, Finish::Shrunken));
        let tensors = Tensors::of(&fitted);
        let (rest, weights) = block.problem(&tensors);
        let found = tensors.block();
        let again = lowered(&filled(&found, &rest, &weights), fitted.shrinkage());
        prop_assert!(furthest(&found, &again) < 1e-6, "no fixed point: {}", furthest(&found, &again));
        let plain = soft_imputed(&rest, &weights, fitted.shrinkage());
        let objective = |block: &Matrix| {
            let squares = (&rest - block).mapv(|error| error * error) * &weights;
            squares.sum() / 2.0 + fitted.shrinkage() * nuclear_norm(block)
        };
        let worse = objective(&found) - objective(&plain);
        prop_assert!(worse.abs() < 1e-8 * (1.0 + objective(&plain)), "worse than plain soft-impute by {worse}");
        // In blocks with few responses several completions may be best; they agree on what was observed.
        let there = weights.mapv(|weight| if weight > 0.0 { 1.0 } else { 0.0 });
        let between = furthest(&(&found * &there), &(&plain * &there));
        prop_assert!(between < 1e-5, "{between} from plain soft-impute");
    }

    #[test]
    fn a_profile_from_some_responses_is_the_dense_posterior(
        block in block(), shrinkage in 0.05f64..0.9, finish in prop_oneof![Just(Finish::Shrunken), Just(Finish::Regression)],
        picks in prop::collection::vec((0usize..100, -3.0f64..3.0), 0..6),
    ) {
        let fitted = block.fit(exactly(shrinkage, finish));
        let tensors = Tensors::of(&fitted);
        for side in 0..2 {
            let count = fitted.ids(1 - side).len();
            let measured: Vec<(usize, f64)> = picks.iter().map(|(at, value)| (at % count, *value)).collect();
            let found = if side == 0 { fitted.row_from(&measured) } else { fitted.column_from(&measured) };
            let difference = found.unwrap() - dense_profile(&tensors, side, &measured);
            prop_assert!(difference.iter().all(|difference| difference.abs() < 1e-8), "{difference}");
        }
    }
}

/// The posterior of a Gaussian process whose covariance over the other side is written out.
fn dense_profile(tensors: &Tensors, side: usize, measured: &[(usize, f64)]) -> Array1<f64> {
    let factors = &tensors.factors[1 - side];
    let effect = tensors.numbers[3 + side];
    let covariance = factors.dot(&Matrix::from_diag(&tensors.priors[side])).dot(&factors.t()) + effect;
    let base = &tensors.effects[1 - side] + tensors.numbers[0];
    let with: Vec<usize> = measured.iter().map(|(with, _)| *with).collect();
    let between = covariance.select(Axis(1), &with);
    let own = between.select(Axis(0), &with) + Matrix::eye(with.len()) * tensors.numbers[2];
    let rest = faer::Mat::from_fn(with.len(), 1, |at, _| measured[at].1 - base[with[at]]);
    let own = faer::Mat::from_fn(with.len(), with.len(), |row, column| own[[row, column]]);
    let solved = faer::linalg::solvers::Solve::solve(&own.partial_piv_lu(), &rest);
    base + between.dot(&Array1::from_shape_fn(with.len(), |at| solved[(at, 0)]))
}

#[test]
fn gaps_are_filled_as_plain_soft_impute_fills_them() {
    let block = planted(40, 15, 2, 0.5);
    for shrinkage in [0.05, 0.2] {
        let fitted = block.fit(exactly(shrinkage, Finish::Shrunken));
        let tensors = Tensors::of(&fitted);
        let (rest, weights) = block.problem(&tensors);
        let plain = soft_imputed(&rest, &weights, fitted.shrinkage());
        assert!(furthest(&tensors.block(), &plain) < 1e-6, "{}", furthest(&tensors.block(), &plain));
    }
}

#[test]
fn a_wide_block_is_solved_to_a_fixed_point_by_random_subspaces() {
    let block = planted(220, 180, 4, 0.5);
    let fitted = block.fit(exactly(0.3, Finish::Shrunken));
    assert!((2..20).contains(&fitted.rank()), "rank {}", fitted.rank());
    let tensors = Tensors::of(&fitted);
    let (rest, weights) = block.problem(&tensors);
    let found = tensors.block();
    let again = lowered(&filled(&found, &rest, &weights), fitted.shrinkage());
    assert!(furthest(&found, &again) < 1e-6, "{}", furthest(&found, &again));
}

#[test]
fn gaps_of_a_planted_block_are_filled() {
    let block = planted(200, 60, 3, 0.1);
    for finish in [Finish::Shrunken, Finish::Regression] {
        let fitted = block.fit(CompletionParams { finish, ..CompletionParams::default() });
        let scores = grid(&fitted, &block.screen());
        let mut sums = [0.0; 2];
        for ((at, value), score) in block.values.indexed_iter().zip(scores) {
            if block.weights[at] == 0.0 {
                sums[0] += (value - f64::from(score)).powi(2);
                sums[1] += (value - 3.0f64).powi(2);
            }
        }
        assert!(sums[0] < 0.02 * sums[1], "{finish:?}: {} of {}", sums[0], sums[1]);
    }
}

fn grid(fitted: &FittedCompletion, screen: &Screen) -> Vec<f32> {
    let tables = [screen.table(0), screen.table(1)];
    let all = tables.map(|table| (0..table.len() as u32).collect::<Vec<u32>>());
    let query = Query { tables: &tables, tuples: Tuples::Grid(&[&all[0], &all[1]]) };
    fitted.predict(&query).unwrap()
}

#[test]
fn a_training_rows_own_responses_give_its_predictions() {
    let block = planted(80, 20, 2, 0.5);
    let fitted = block.fit(CompletionParams::default());
    let scores = grid(&fitted, &block.screen());
    let there = |column: &usize| block.weights[[7, *column]] > 0.0;
    let measured: Vec<(usize, f64)> =
        (0..20).filter(there).map(|column| (column, f64::from(block.values[[7, column]] as f32))).collect();
    let profile = fitted.row_from(&measured).unwrap();
    for column in 0..20 {
        assert!((profile[column] - f64::from(scores[7 * 20 + column])).abs() < 1e-5);
    }
}

#[test]
fn a_few_responses_tell_most_of_a_new_rows_profile() {
    let block = planted(200, 40, 2, 0.2);
    let screen = block.screen();
    let rows = (0..screen.responses.len()).filter(|row| screen.responses.side(0)[*row] >= 50).collect();
    let view = TrainView { rows, ..screen.all() };
    let fitted = CompletionParams::default().check().unwrap().fit(&view, &CONTEXT).unwrap();
    let mut sums = [0.0; 2];
    for row in 0..50 {
        let measured: Vec<(usize, f64)> =
            (0..40).step_by(4).map(|column| (column, block.values[[row, column]])).collect();
        let (with, without) = (fitted.row_from(&measured).unwrap(), fitted.row_from(&[]).unwrap());
        for column in (0..40).filter(|column| column % 4 != 0) {
            sums[0] += (block.values[[row, column]] - with[column]).powi(2);
            sums[1] += (block.values[[row, column]] - without[column]).powi(2);
        }
    }
    assert!(sums[0] < 0.1 * sums[1], "{} of {}", sums[0], sums[1]);
}

#[test]
fn a_model_given_responses_predicts_the_profiles_that_they_tell() {
    let block = planted(60, 12, 2, 0.3);
    let fitted = block.fit(CompletionParams::default());
    let (cells, drugs) = (table("other cell line", 3), table("drug", 12));
    let sides = vec![vec![0, 0, 2], vec![3, 7, 7]];
    let measured = Responses::new(sides, vec![1.5, -0.5, 2.0], None).unwrap();
    let tables = [&cells, &drugs];
    let informed = fitted.condition_on(&tables, &measured).unwrap();
    assert_eq!(informed.used, 3);
    let columns: Vec<u32> = (0..12).collect();
    let query = Query { tables: &tables, tuples: Tuples::Grid(&[&[0, 1, 2], &columns]) };
    let scores = informed.model.predict(&query).unwrap();
    let told: [&[(usize, f64)]; 3] = [&[(3, 1.5), (7, -0.5)], &[], &[(7, 2.0)]];
    for (row, told) in told.into_iter().enumerate() {
        let profile = fitted.row_from(told).unwrap();
        for column in 0..12 {
            assert!((f64::from(scores[row * 12 + column]) - profile[column]).abs() < 1e-6);
        }
    }
}

#[test]
fn strangers_have_the_effect_of_the_other_side() {
    let block = planted(60, 12, 2, 0.3);
    let fitted = block.fit(CompletionParams::default());
    let tensors = Tensors::of(&fitted);
    let (cells, drugs) = (table("other cell line", 1), table("drug", 12));
    let tables = [&cells, &drugs];
    let columns: Vec<u32> = (0..12).collect();
    let query = Query { tables: &tables, tuples: Tuples::Grid(&[&[0], &columns]) };
    let scores = fitted.predict(&query).unwrap();
    let profile = fitted.row_from(&[]).unwrap();
    for column in 0..12 {
        assert_eq!(scores[column], (tensors.numbers[0] + tensors.effects[1][column]) as f32);
        assert_eq!(scores[column], profile[column] as f32);
    }
    let drugs = table("other drug", 1);
    let query = Query { tables: &[&cells, &drugs], tuples: Tuples::Listed(&[&[0], &[0]]) };
    assert_eq!(fitted.predict(&query).unwrap(), [tensors.numbers[0] as f32]);
    assert_eq!(fitted.feature_shares(query.tables).unwrap(), [1.0, 1.0]);
}

#[test]
fn the_number_of_threads_changes_no_bit_of_a_large_block() {
    let block = planted(260, 150, 5, 0.5);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| block.fit(CompletionParams::default()).stored().unwrap())
    };
    let one = with(1);
    assert!(one == with(2) && one == with(8));
}

#[test]
fn measured_responses_that_cannot_be_are_refused() {
    let fitted = planted(30, 6, 1, 0.3).fit(CompletionParams::default());
    let message = |found: Result<Array1<f64>>| found.unwrap_err().to_string();
    assert_eq!(message(fitted.row_from(&[(6, 0.0)])), "a measured response names drug number 6 of 6");
    assert_eq!(
        message(fitted.column_from(&[(1, f64::NAN)])),
        "the response measured with \"cell line 1\" is NaN: expected a finite number"
    );
}

#[test]
fn a_fit_stops_when_asked_to() {
    struct Stopped;
    impl Progress for Stopped {
        fn step(&self, _done: usize, _total: usize) {}
        fn stopped(&self) -> bool {
            true
        }
    }
    let context = FitContext { progress: &Stopped, ..CONTEXT };
    let screen = planted(30, 6, 1, 0.3).screen();
    let error = CompletionParams::default().check().unwrap().fit(&screen.all(), &context).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

#[test]
fn a_screen_of_three_sides_is_refused() {
    let tables = vec![table("cell line", 2), table("drug", 2)];
    let sides = vec![Side::cell_line(0), Side::drug(1), Side { name: "drug_b".into(), table: 1 }];
    let responses = Responses::new(vec![vec![0, 1], vec![0, 1], vec![1, 0]], vec![1.0, 2.0], None).unwrap();
    let screen = Screen::new("synergy", tables, sides, responses).unwrap();
    let error = CompletionParams::default().check().unwrap().fit(&screen.all(), &CONTEXT).unwrap_err();
    assert!(error.to_string().contains("3 sides: expected two"), "{error}");
}

#[test]
fn parameters_that_cannot_work_are_refused() {
    let refused = |params: CompletionParams, message: &str| {
        assert_eq!(params.check().unwrap_err().to_string(), message);
    };
    let default = CompletionParams::default;
    refused(CompletionParams { max_rank: 0, ..default() }, "max_rank = 0: expected 1 to 10000");
    refused(CompletionParams { max_iterations: 0, ..default() }, "max_iterations = 0: expected 1 to 10000");
    refused(
        CompletionParams { noise_variance: Some(0.0), ..default() },
        "noise_variance = 0: expected a finite number above 0",
    );
    refused(
        CompletionParams { tolerance: f64::NAN, ..default() },
        "tolerance = NaN: expected a finite number above 0",
    );
    let unknown = serde_json::json!({ "rank": 3 });
    let error = serde_json::from_value::<CompletionParams>(unknown).unwrap_err().to_string();
    assert!(error.contains("unknown field `rank`"), "{error}");
}

#[test]
fn malformed_parts_are_refused() {
    let parts = planted(30, 6, 1, 0.3).fit(CompletionParams::default()).stored().unwrap();
    assert!(FittedCompletion::from_stored(&parts).is_ok());
    let refused = |change: &dyn Fn(&mut StoredModel), message: &str| {
        let mut changed = parts.clone();
        change(&mut changed);
        let error = FittedCompletion::from_stored(&changed).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    };
    let number = |name: &'static str, at: usize, value: f64| {
        move |parts: &mut StoredModel| match parts.tensors.get_mut(name) {
            Some(Tensor::F64(values)) => values[at] = value,
            other => panic!("{other:?}"),
        }
    };
    refused(&number("numbers", 2, 0.0), "noise");
    refused(&number("numbers", 0, f64::INFINITY), "numbers holds a number that is not finite");
    refused(&number("row_prior", 0, -1.0), "negative");
    refused(&|parts| parts.description["rank"] = 7.into(), "its rank is 7, too large for a block of 30 x 6");
    refused(&|parts| parts.description["rank"] = 0.into(), "row_prior has");
    refused(&|parts| parts.description["sides"][1]["ids"][1] = "drug 0".into(), "occurs twice");
    refused(&|parts| parts.description["params"]["max_iterations"] = 0.into(), "parameters");
    refused(&|parts| parts.description["extra"] = 0.into(), "cannot be read");
}
