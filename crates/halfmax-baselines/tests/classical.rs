//! The classical families against the libraries they adapt, called directly, and what they add of their own.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use halfmax_baselines::{
    Classical, ElasticNetParams, FittedClassical, ForestKind, ForestParams, KnnParams, NeighbourWeights,
    PlsParams,
};
use halfmax_core::{
    BitColumns, Category, EntityTable, ErrorKind, FeatureBlock, FeatureValues, FitContext, FittedModel,
    Model, Progress, Query, Responses, Result, Screen, Seed, Side, Silent, StoredModel, Tensor, TrainView,
    Tuples, ValidationGroup,
};
use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_elasticnet::{ElasticNet, MultiTaskElasticNet};
use linfa_ndarray::{Array1, Array2, Axis};
use linfa_pls::PlsRegression;
use smartcore::ensemble::extra_trees_regressor::{ExtraTreesRegressor, ExtraTreesRegressorParameters};
use smartcore::ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::neighbors::KNNWeightFunction;
use smartcore::neighbors::knn_regressor::{KNNRegressor, KNNRegressorParameters};

const CELLS: usize = 60;
const TRAIN: usize = 50;
const DRUGS: usize = 5;
const GENES: usize = 6;
const SEED: Seed = Seed::new(5);

fn noise(a: usize, b: usize) -> f32 {
    (Seed::new(9).derive((a * 1000 + b) as u64).value() >> 40) as f32 / (1u64 << 24) as f32 - 0.5
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("g{at}")).collect()
}

fn response(cell: usize, drug: usize) -> f32 {
    drug as f32 + 2.0 * noise(cell, drug % 3) + noise(cell, 4) * noise(cell, 5) + 0.3 * noise(cell, 99 + drug)
}

/// Cell lines with genes; the first fifty are measured where `keep` says so.
fn screen_where(keep: impl Fn(usize, usize) -> bool) -> Screen {
    let genes = ndarray::Array2::from_shape_fn((CELLS, GENES), |(cell, gene)| noise(cell, gene));
    let block = FeatureBlock::new("expression", names(GENES), FeatureValues::real(genes)).unwrap();
    let cells = EntityTable::new((0..CELLS).map(|cell| format!("cell {cell}")), "cell line").unwrap();
    let drugs = EntityTable::new((0..DRUGS + 1).map(|drug| format!("drug {drug}")), "drug").unwrap();
    of_pairs(cells.with_block(block).unwrap(), drugs, keep)
}

fn of_pairs(cells: EntityTable, drugs: EntityTable, keep: impl Fn(usize, usize) -> bool) -> Screen {
    let pairs: Vec<(usize, usize)> = (0..TRAIN)
        .flat_map(|cell| (0..DRUGS).map(move |drug| (cell, drug)))
        .filter(|(cell, drug)| keep(*cell, *drug))
        .collect();
    let sides = vec![pairs.iter().map(|p| p.0 as u32).collect(), pairs.iter().map(|p| p.1 as u32).collect()];
    let values = pairs.iter().map(|(cell, drug)| response(*cell, *drug)).collect();
    let responses = Responses::new(sides, values, None).unwrap();
    Screen::new("LN_IC50", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses).unwrap()
}

fn screen() -> Screen {
    screen_where(|_, _| true)
}

fn context() -> FitContext<'static> {
    FitContext::new(SEED, &Silent, ValidationGroup::Entity(0))
}

fn fit<M: Model<Fitted = FittedClassical>>(model: Result<M>, screen: &Screen) -> FittedClassical {
    model.unwrap().fit(&screen.all(), &context()).unwrap()
}

/// Predictions for the cell lines that were not measured, and some drugs.
fn predicted(fitted: &FittedClassical, screen: &Screen, drugs: &[u32]) -> Vec<f32> {
    let cells: Vec<u32> = (TRAIN as u32..CELLS as u32).collect();
    let tables = [screen.table(0), screen.table(1)];
    fitted.predict(&Query { tables: &tables, tuples: Tuples::Grid(&[&cells, drugs]) }).unwrap()
}

/// Genes standardised by the training cell lines, as the libraries are given them.
fn standardised() -> Array2<f64> {
    let mut genes = Array2::from_shape_fn((CELLS, GENES), |(cell, gene)| f64::from(noise(cell, gene)));
    for mut gene in genes.columns_mut() {
        let train = gene.slice(linfa_ndarray::s![..TRAIN]).to_owned();
        let (mean, deviation) = (train.mean().unwrap(), train.std(0.0));
        gene.mapv_inplace(|value| f64::from((value as f32 - mean as f32) / deviation as f32));
    }
    genes
}

fn measured(drug: usize) -> Array1<f64> {
    (0..TRAIN).map(|cell| f64::from(response(cell, drug))).collect()
}

fn block() -> Array2<f64> {
    Array2::from_shape_fn((TRAIN, DRUGS), |(cell, drug)| f64::from(response(cell, drug)))
}

/// Rows of the training cell lines, and of the others.
fn parted() -> (Array2<f64>, Array2<f64>) {
    let genes = standardised();
    let (train, test) = genes.view().split_at(Axis(0), TRAIN);
    (train.to_owned(), test.to_owned())
}

const ALL_DRUGS: [u32; DRUGS] = [0, 1, 2, 3, 4];

#[track_caller]
fn agree(ours: &[f32], theirs: impl IntoIterator<Item = f64>, tolerance: f64) {
    let theirs: Vec<f64> = theirs.into_iter().collect();
    assert_eq!(ours.len(), theirs.len());
    let spread = theirs.iter().fold(0.0f64, |most, value| most.max((value - theirs[0]).abs()));
    assert!(spread > 0.1, "the library predicts the same everywhere");
    for (at, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert!((f64::from(*ours) - theirs).abs() < tolerance, "{at}: {ours} and {theirs}");
    }
}

#[test]
fn elastic_nets_are_those_of_linfa() {
    let screen = screen();
    let params = ElasticNetParams { penalty: Some(0.05), tolerance: 1e-9, ..ElasticNetParams::default() };
    let fitted = fit(params.check(), &screen);
    let (train, test) = parted();
    for drug in ALL_DRUGS {
        let theirs = ElasticNet::params()
            .penalty(0.05)
            .l1_ratio(0.5)
            .tolerance(1e-9)
            .fit(&DatasetBase::new(train.clone(), measured(drug as usize)))
            .unwrap();
        agree(&predicted(&fitted, &screen, &[drug]), theirs.predict(&test), 2e-6);
    }
}

#[test]
fn multi_task_elastic_nets_are_those_of_linfa() {
    let screen = screen();
    let params = ElasticNetParams {
        penalty: Some(0.05),
        multi_task: true,
        tolerance: 1e-9,
        ..ElasticNetParams::default()
    };
    let fitted = fit(params.check(), &screen);
    let (train, test) = parted();
    let theirs = MultiTaskElasticNet::params()
        .penalty(0.05)
        .l1_ratio(0.5)
        .tolerance(1e-9)
        .fit(&DatasetBase::new(train, block()))
        .unwrap();
    let theirs = test.dot(theirs.hyperplane()) + theirs.intercept();
    agree(&predicted(&fitted, &screen, &ALL_DRUGS), theirs, 2e-6);
}

#[test]
fn partial_least_squares_is_that_of_linfa() {
    let screen = screen();
    let params = PlsParams { components: Some(3), ..PlsParams::default() };
    let fitted = fit(params.check(), &screen);
    let (train, test) = parted();
    let theirs = PlsRegression::params(3).scale(false).fit(&DatasetBase::new(train, block())).unwrap();
    let theirs: Array2<f64> = theirs.predict(&test);
    agree(&predicted(&fitted, &screen, &ALL_DRUGS), theirs, 5e-6);
}

fn rows_of(matrix: &Array2<f64>, rows: &[usize]) -> DenseMatrix<f32> {
    let rows = rows.iter().map(|row| matrix.row(*row).iter().map(|value| *value as f32).collect()).collect();
    DenseMatrix::from_2d_vec(&rows).unwrap()
}

#[test]
fn neighbours_are_those_of_smartcore_among_the_measured_rows() {
    let there = |cell: usize, drug: usize| !(cell * 3 + drug).is_multiple_of(4);
    let screen = screen_where(there);
    let genes = standardised();
    for (weights, theirs) in [
        (NeighbourWeights::Uniform, KNNWeightFunction::Uniform),
        (NeighbourWeights::Distance, KNNWeightFunction::Distance),
    ] {
        let params = KnnParams { k: Some(7), weights, ..KnnParams::default() };
        let fitted = fit(params.check(), &screen);
        for drug in 0..DRUGS {
            let rows: Vec<usize> = (0..TRAIN).filter(|cell| there(*cell, drug)).collect();
            let y: Vec<f64> = rows.iter().map(|cell| f64::from(response(*cell, drug))).collect();
            let settings = KNNRegressorParameters::default().with_k(7).with_weight(theirs.clone());
            let regressor = KNNRegressor::fit(&rows_of(&genes, &rows), &y, settings).unwrap();
            let test = rows_of(&genes, &(TRAIN..CELLS).collect::<Vec<_>>());
            agree(&predicted(&fitted, &screen, &[drug as u32]), regressor.predict(&test).unwrap(), 2e-6);
        }
    }
}

#[test]
fn forests_are_those_of_smartcore() {
    let there = |cell: usize, drug: usize| !(cell * 3 + drug).is_multiple_of(4);
    let screen = screen_where(there);
    let genes = standardised();
    let params =
        ForestParams { trees: 20, min_samples_leaf: 3, max_depth: Some(5), ..ForestParams::default() };
    let random = fit(params.clone().check(ForestKind::Random), &screen);
    let extra = fit(params.check(ForestKind::Extra), &screen);
    let test = rows_of(&genes, &(TRAIN..CELLS).collect::<Vec<_>>());
    for drug in 0..DRUGS {
        let rows: Vec<usize> = (0..TRAIN).filter(|cell| there(*cell, drug)).collect();
        let y: Vec<f64> = rows.iter().map(|cell| f64::from(response(*cell, drug))).collect();
        let mean = y.iter().sum::<f64>() / y.len() as f64;
        let y: Vec<f64> = y.iter().map(|value| value - mean).collect();
        let x = rows_of(&genes, &rows);
        let seed = SEED.derive(drug as u64).value();
        let settings = RandomForestRegressorParameters::default()
            .with_n_trees(20)
            .with_min_samples_leaf(3)
            .with_max_depth(5)
            .with_seed(seed);
        let theirs = RandomForestRegressor::fit(&x, &y, settings).unwrap().predict(&test).unwrap();
        let ours = predicted(&random, &screen, &[drug as u32]);
        agree(&ours, theirs.into_iter().map(|value| value + mean), 1e-6);
        let settings = ExtraTreesRegressorParameters::default()
            .with_n_trees(20)
            .with_min_samples_leaf(3)
            .with_max_depth(5)
            .with_seed(seed);
        let theirs = ExtraTreesRegressor::fit(&x, &y, settings).unwrap().predict(&test).unwrap();
        let ours = predicted(&extra, &screen, &[drug as u32]);
        agree(&ours, theirs.into_iter().map(|value| value + mean), 1e-6);
    }
}

#[test]
fn forests_see_the_features_that_correlate_most() {
    // Drug 0 responds to gene 0, drug 1 to gene 1.
    let screen = screen();
    let params = ForestParams { features: 1, ..ForestParams::default() };
    let fitted = fit(params.check(ForestKind::Random), &screen);
    let Some(Tensor::U32(splits)) = fitted.stored().unwrap().tensors.remove("splits") else {
        panic!("no splits")
    };
    let Some(Tensor::U32(nodes)) = fitted.stored().unwrap().tensors.remove("nodes") else {
        panic!("no nodes")
    };
    let numbers = |tree: usize| {
        let own = &splits[nodes[tree] as usize..nodes[tree + 1] as usize];
        own.iter().filter(|split| **split & 0xFFFF != 0).map(|split| split >> 16).collect::<Vec<u32>>()
    };
    for (drug, gene) in [(0, 0), (1, 1), (2, 2)] {
        let own: Vec<u32> = (drug * 50..(drug + 1) * 50).flat_map(numbers).collect();
        assert!(own.len() > 50 && own.iter().all(|number| *number == gene), "drug {drug}");
    }
}

/// Every family at settings for fifty rows.
fn each(check: impl Fn(Classical, &dyn Fn(&TrainView, &FitContext) -> Result<FittedClassical>)) {
    let net = ElasticNetParams::default().check().unwrap();
    let pls = PlsParams::default().check().unwrap();
    let knn = KnnParams::default().check().unwrap();
    let random = ForestParams::default().check(ForestKind::Random).unwrap();
    let extra = ForestParams::default().check(ForestKind::Extra).unwrap();
    check(Classical::ElasticNet, &|train, context| net.fit(train, context));
    check(Classical::Pls, &|train, context| pls.fit(train, context));
    check(Classical::Knn, &|train, context| knn.fit(train, context));
    check(Classical::RandomForest, &|train, context| random.fit(train, context));
    check(Classical::ExtraTrees, &|train, context| extra.fit(train, context));
}

#[test]
fn a_column_of_few_responses_is_predicted_as_its_mean() {
    let screen = screen_where(|cell, drug| drug != 3 || cell < 4);
    let mean = (0..4).map(|cell| response(cell, 3)).sum::<f32>() / 4.0;
    each(|family, fit| {
        let fitted = fit(&screen.all(), &context()).unwrap();
        assert!(
            predicted(&fitted, &screen, &[3]).iter().all(|value| (value - mean).abs() < 1e-5),
            "{family:?}"
        );
        let other = predicted(&fitted, &screen, &[2]);
        assert!(other.iter().any(|value| (value - other[0]).abs() > 0.1), "{family:?}");
    });
}

#[test]
fn an_unseen_column_is_the_mean_response_and_the_mean_deviation() {
    let screen = screen();
    let values = screen.responses.values();
    let overall = values.iter().sum::<f32>() / values.len() as f32;
    let means: Vec<f32> = (0..DRUGS).map(|drug| measured(drug).mean().unwrap() as f32).collect();
    each(|family, fit| {
        let fitted = fit(&screen.all(), &context()).unwrap();
        let known = predicted(&fitted, &screen, &ALL_DRUGS);
        let unseen = predicted(&fitted, &screen, &[DRUGS as u32]);
        for (row, unseen) in known.chunks(DRUGS).zip(unseen) {
            let deviations: f32 = row.iter().zip(&means).map(|(value, mean)| value - mean).sum();
            assert!((unseen - overall - deviations / DRUGS as f32).abs() < 1e-5, "{family:?}");
        }
    });
}

#[test]
fn where_drugs_are_held_out_they_are_told_from_their_own_features() {
    // Every drug has one of two bits, which tells its response in every cell line.
    let bits = BitColumns::from_fn(40, 2, |drug, bit| Some(drug.is_multiple_of(2) == (bit == 0)));
    let drugs = EntityTable::new((0..40).map(|drug| format!("drug {drug}")), "drug").unwrap();
    let block = FeatureBlock::new("fingerprint", names(2), FeatureValues::Binary(bits)).unwrap();
    let cells = EntityTable::new((0..6).map(|cell| format!("cell {cell}")), "cell line").unwrap();
    let truth = |cell: u32, drug: u32| cell as f32 + if drug.is_multiple_of(2) { 2.0 } else { -2.0 };
    let pairs: Vec<(u32, u32)> = (0..6).flat_map(|cell| (0..30).map(move |drug| (cell, drug))).collect();
    let sides = vec![pairs.iter().map(|p| p.0).collect(), pairs.iter().map(|p| p.1).collect()];
    let values = pairs.iter().map(|(cell, drug)| truth(*cell, *drug)).collect();
    let tables = vec![cells, drugs.with_block(block).unwrap()];
    let responses = Responses::new(sides, values, None).unwrap();
    let screen = Screen::new("y", tables, vec![Side::cell_line(0), Side::drug(1)], responses).unwrap();
    let validation = ValidationGroup::Entity(1);
    each(|family, fit| {
        let fitted = fit(&screen.all(), &FitContext { validation, ..context() }).unwrap();
        assert_eq!((fitted.space(0).len(), fitted.space(1).len()), (0, 2), "{family:?}");
        let query = Query {
            tables: &[screen.table(0), screen.table(1)],
            tuples: Tuples::Grid(&[&[1, 4], &[32, 35]]),
        };
        let scores = fitted.predict(&query).unwrap();
        for (score, (cell, drug)) in scores.iter().zip([(1, 32), (1, 35), (4, 32), (4, 35)]) {
            assert!((score - truth(cell, drug)).abs() < 0.4, "{family:?}: {scores:?}");
        }
    });
}

#[test]
fn what_was_left_out_is_chosen_and_can_be_read() {
    let screen = screen();
    let net = fit(ElasticNetParams::default().check(), &screen);
    let penalty = net.params()["penalty"].as_f64().unwrap();
    assert!(penalty > 0.0 && penalty < 1.0, "{penalty}");
    let given = ElasticNetParams { penalty: Some(penalty), ..ElasticNetParams::default() };
    let given = fit(given.check(), &screen);
    assert_eq!(predicted(&net, &screen, &ALL_DRUGS), predicted(&given, &screen, &ALL_DRUGS));
    let pls = fit(PlsParams::default().check(), &screen);
    assert!((1..=GENES as u64).contains(&pls.params()["components"].as_u64().unwrap()));
    let knn = fit(KnnParams::default().check(), &screen);
    assert!([5, 10, 20].contains(&knn.params()["k"].as_u64().unwrap()));
}

#[test]
fn categories_bits_and_gaps_are_numbers() {
    let genes = ndarray::Array2::from_shape_fn((CELLS, 2), |(cell, gene)| {
        if (cell + gene) % 5 == 0 { f32::NAN } else { noise(cell, gene) }
    });
    let labels: Vec<Option<&str>> =
        (0..CELLS).map(|cell| (cell % 7 != 0).then(|| ["lung", "skin"][cell % 2])).collect();
    let tissue = Category::from_labels(&labels).unwrap();
    let blocks = [
        FeatureBlock::new("expression", names(2), FeatureValues::real(genes)).unwrap(),
        FeatureBlock::new("tissue", ["tissue"], FeatureValues::Category(vec![tissue])).unwrap(),
    ];
    let cells = EntityTable::new((0..CELLS).map(|cell| format!("cell {cell}")), "cell line").unwrap();
    let cells = blocks.into_iter().fold(cells, |cells, block| cells.with_block(block).unwrap());
    let drugs = EntityTable::new((0..DRUGS).map(|drug| format!("drug {drug}")), "drug").unwrap();
    let screen = of_pairs(cells, drugs, |_, _| true);
    each(|family, fit| {
        let fitted = fit(&screen.all(), &context()).unwrap();
        let Some(Tensor::F32(centres)) = fitted.stored().unwrap().tensors.remove("feature_centres") else {
            panic!("{family:?} has no centres")
        };
        assert_eq!(centres.len(), 4, "{family:?}");
        assert!((centres[2] + centres[3] - 1.0).abs() < 1e-6, "{family:?}");
        assert!(predicted(&fitted, &screen, &[0]).iter().all(|value| value.is_finite()), "{family:?}");
    });
}

#[test]
fn impossible_parameters_are_refused_with_their_range() {
    #[track_caller]
    fn refused<T>(checked: Result<T>, expected: &str) {
        assert_eq!(checked.err().unwrap().to_string(), expected);
    }
    let net = ElasticNetParams::default;
    refused(
        ElasticNetParams { penalty: Some(-1.0), ..net() }.check(),
        "penalty = -1: expected a finite number above 0",
    );
    refused(
        ElasticNetParams { multi_task: true, ..net() }.check(),
        "penalty is missing: multi_task = true needs a finite number above 0",
    );
    refused(
        ElasticNetParams { l1_ratio: 1.5, ..net() }.check(),
        "l1_ratio = 1.5: expected a number from 0 to 1",
    );
    refused(
        ElasticNetParams { max_iterations: 0, ..net() }.check(),
        "max_iterations = 0: expected 1 to 1000000",
    );
    refused(
        ElasticNetParams { tolerance: f64::NAN, ..net() }.check(),
        "tolerance = NaN: expected a finite number above 0",
    );
    refused(
        PlsParams { components: Some(0), ..PlsParams::default() }.check(),
        "components = 0: expected 1 to 1000",
    );
    refused(KnnParams { k: Some(0), ..KnnParams::default() }.check(), "k = 0: expected 1 to 10000");
    let forest = |params: ForestParams| params.check(ForestKind::Extra);
    refused(forest(ForestParams { trees: 0, ..ForestParams::default() }), "trees = 0: expected 1 to 100000");
    refused(
        forest(ForestParams { max_depth: Some(0), ..ForestParams::default() }),
        "max_depth = 0: expected 1 to 1000",
    );
    let unknown = serde_json::from_str::<ForestParams>(r#"{ "tree": 3 }"#).unwrap_err().to_string();
    assert!(unknown.starts_with("unknown field `tree`"), "{unknown}");
}

#[test]
fn fits_that_would_take_too_long_are_refused_before_they_start() {
    let screen = screen();
    let forest =
        ForestParams { trees: 100_000, features: 1_000_000, min_samples_leaf: 1, ..Default::default() };
    let genes = ndarray::Array2::from_shape_fn((CELLS, 20_000), |(cell, gene)| noise(cell, gene));
    let block = FeatureBlock::new("expression", names(20_000), FeatureValues::real(genes)).unwrap();
    let cells = EntityTable::new((0..CELLS).map(|cell| format!("cell {cell}")), "cell line").unwrap();
    let wide = of_pairs(cells.with_block(block).unwrap(), screen.table(1).clone(), |_, _| true);
    let error = forest.check(ForestKind::Random).unwrap().fit(&wide.all(), &context()).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(text.contains("50 rows, 20000 features, 5 columns and 100000 trees would take about"), "{text}");
    assert!(text.ends_with("expected at most 600 s"), "{text}");
    assert!(error.help().unwrap().contains("family = \"boost\""));
}

#[test]
fn a_stop_is_obeyed() {
    struct Stopped;
    impl Progress for Stopped {
        fn step(&self, _: usize, _: usize) {}
        fn stopped(&self) -> bool {
            true
        }
    }
    let screen = screen();
    each(|family, fit| {
        let error = fit(&screen.all(), &FitContext { progress: &Stopped, ..context() }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{family:?}");
    });
}

#[test]
fn a_screen_of_three_sides_is_refused() {
    let plain = screen();
    let sides: Vec<Vec<u32>> = [0, 1, 1].map(|side| plain.responses.side(side).to_vec()).into();
    let responses = Responses::new(sides, plain.responses.values().to_vec(), None).unwrap();
    let named = |name: &str, table| Side { name: name.into(), table };
    let sides = vec![Side::cell_line(0), named("drug", 1), named("drug_b", 1)];
    let screen = Screen::new("synergy", plain.tables.clone(), sides, responses).unwrap();
    each(|family, fit| {
        let error = fit(&screen.all(), &context()).unwrap_err().to_string();
        let expected =
            format!("family {:?} does not take a screen with 3 sides: expected two", family.name());
        assert!(error.starts_with(&expected), "{error}");
    });
}

#[test]
fn infinite_features_are_refused_by_name() {
    let genes =
        ndarray::Array2::from_shape_fn((CELLS, 1), |(cell, _)| if cell == 7 { f32::INFINITY } else { 0.5 });
    let block = FeatureBlock::new("expression", ["ABCB1"], FeatureValues::real(genes)).unwrap();
    let cells = EntityTable::new((0..CELLS).map(|cell| format!("cell {cell}")), "cell line").unwrap();
    let screen = of_pairs(cells.with_block(block).unwrap(), screen().table(1).clone(), |_, _| true);
    each(|family, fit| {
        let error = fit(&screen.all(), &context()).unwrap_err().to_string();
        assert!(error.contains("\"ABCB1\"") && error.contains("\"cell 7\""), "{family:?}: {error}");
    });
}

#[test]
fn malformed_models_are_refused_and_never_panic() {
    let screen = screen();
    each(|family, fit| {
        let fitted = fit(&screen.all(), &context()).unwrap();
        let parts = fitted.stored().unwrap();
        // Every number in turn becomes one that it should not be: either that is refused, or the model predicts.
        for (name, tensor) in &parts.tensors {
            let mut refused = 0;
            for at in 0..length(tensor).min(400) {
                let mut other = parts.clone();
                spoil(other.tensors.get_mut(name).unwrap(), at);
                match FittedClassical::from_stored(&other) {
                    Ok(model) => assert_eq!(predicted(&model, &screen, &[0, 5]).len(), 20, "{family:?}"),
                    Err(_) => refused += 1,
                }
            }
            assert!(refused > 0 || name == "neighbours", "{family:?}: every {name} will do");
            let mut short = parts.clone();
            shorten(short.tensors.get_mut(name).unwrap());
            assert!(FittedClassical::from_stored(&short).is_err(), "{family:?}: a short {name}");
        }
        let other = StoredModel { description: serde_json::json!({ "family": "pls" }), ..parts };
        assert!(FittedClassical::from_stored(&other).is_err(), "{family:?}");
    });
}

fn length(tensor: &Tensor) -> usize {
    match tensor {
        Tensor::F32(values) => values.len(),
        Tensor::F64(values) => values.len(),
        Tensor::U32(values) => values.len(),
        Tensor::U8(values) => values.len(),
        Tensor::I32(_) => 0,
    }
}

fn spoil(tensor: &mut Tensor, at: usize) {
    match tensor {
        Tensor::F32(values) => values[at] = f32::INFINITY,
        Tensor::F64(values) => values[at] = f64::NAN,
        Tensor::U32(values) => values[at] = 0x7FFF_0003 + at as u32,
        Tensor::U8(values) => values[at] = 2,
        Tensor::I32(_) => panic!("no model has these"),
    }
}

fn shorten(tensor: &mut Tensor) {
    match tensor {
        Tensor::F32(values) => drop(values.pop()),
        Tensor::F64(values) => drop(values.pop()),
        Tensor::U32(values) => drop(values.pop()),
        Tensor::U8(values) => drop(values.pop()),
        Tensor::I32(_) => panic!("no model has these"),
    }
}
