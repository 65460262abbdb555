//! Whole evaluations on small screens.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::{Arc, Mutex};

use halfmax_baselines::Naive;
use halfmax_core::{
    Category, EntityTable, Error, ErrorKind, FeatureBlock, FeatureSpace, FeatureValues, FitContext,
    FittedModel, Model, Progress, Query, Responses, Result, Screen, Seed, Side, Silent, StoredModel,
    TrainView,
};
use halfmax_eval::{
    Calibration, Ceiling, ConformalParams, Folds, NOMINAL, NamedModel, Protocol, ReferenceResponse, Split,
    SplitKind, StackParams, evaluate, fit_calibrated,
};
use ndarray::Array2;

const CELLS: usize = 60;
const DRUGS: usize = 8;

fn screen() -> Screen {
    let noise = |at: u64| (Seed::new(9).derive(at).value() % 1000) as f32 / 1000.0;
    let expression =
        Array2::from_shape_fn((CELLS, 4), |(cell, gene)| gene as f32 * noise((cell * 4 + gene) as u64));
    let tissue: Vec<Option<String>> = (0..CELLS).map(|cell| Some(format!("tissue {}", cell % 7))).collect();
    let cells = EntityTable::new((0..CELLS).map(|cell| format!("cell {cell}")), "cell line")
        .unwrap()
        .with_block(
            FeatureBlock::new("expression", ["a", "b", "c", "d"], FeatureValues::real(expression)).unwrap(),
        )
        .unwrap()
        .with_group("tissue", Category::from_labels(&tissue).unwrap())
        .unwrap();
    let drugs = EntityTable::new((0..DRUGS).map(|drug| format!("drug {drug}")), "drug").unwrap();
    let (mut entities, mut values) = (vec![vec![], vec![]], vec![]);
    for cell in 0..CELLS {
        for drug in 0..DRUGS {
            entities[0].push(cell as u32);
            entities[1].push(drug as u32);
            values.push(
                drug as f32
                    + 3.0 * noise(cell as u64 + 10_000)
                    + noise((cell * DRUGS + drug + 20_000) as u64),
            );
        }
    }
    let responses = Responses::new(entities, values, None).unwrap();
    Screen::new("LN_IC50", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses).unwrap()
}

/// Predicts `offset` for everything, and notes what it was trained on.
struct Fixed {
    offset: f32,
    seen: Mutex<Vec<(usize, Vec<usize>)>>,
}

impl Fixed {
    fn at(offset: f32) -> Self {
        Self { offset, seen: Mutex::new(Vec::new()) }
    }
}

struct FittedFixed(f32);

impl Model for Fixed {
    type Fitted = FittedFixed;

    fn fit(&self, train: &TrainView, context: &FitContext) -> Result<FittedFixed> {
        context.progress.step(1, 2);
        if self.offset < 0.0 {
            return Err(Error::failed("it broke"));
        }
        self.seen.lock().unwrap().push((train.rows.len(), train.features.columns(0, 0).to_vec()));
        Ok(FittedFixed(self.offset))
    }

    fn memory(&self, _: &TrainView, _: &FitContext) -> Result<usize> {
        Ok(0)
    }
}

impl FittedModel for FittedFixed {
    fn family(&self) -> &'static str {
        "fixed"
    }

    fn predict(&self, query: &Query) -> Result<Vec<f32>> {
        Ok(vec![self.0; query.tuples.len()])
    }

    fn sides(&self) -> usize {
        2
    }

    fn space(&self, _side: usize) -> &FeatureSpace {
        FeatureSpace::none()
    }

    fn stored(&self) -> Result<StoredModel> {
        Ok(StoredModel::default())
    }
}

fn naive() -> Vec<NamedModel<'static>> {
    // Of single drugs the mean of a combination is that of the drug.
    let singles = Naive::ALL.iter().filter(|naive| **naive != Naive::CombinationMean);
    singles.map(|model| NamedModel { name: model.to_string(), family: model.to_string(), model }).collect()
}

fn with<'a>(fixed: &'a Fixed) -> Vec<NamedModel<'a>> {
    let mut models = naive();
    models.push(NamedModel { name: "con,stant".into(), family: "fixed".into(), model: fixed });
    models
}

#[test]
fn every_split_is_evaluated() {
    let screen = screen();
    let fixed = Fixed::at(2.5);
    for kind in [SplitKind::LPO, SplitKind::LCO, SplitKind::LTO, SplitKind::LDO] {
        let folds = Split::new(kind).draw(&screen).unwrap();
        let protocol = Protocol { top_variance: vec![("expression".into(), 2)], ..Protocol::default() };
        let evaluation = evaluate(&screen, &folds, &with(&fixed), &protocol, &Silent).unwrap();
        for model in &evaluation.models {
            assert_eq!(model.folds.len(), 5);
            assert_eq!(model.predictions.len(), CELLS * DRUGS);
            assert_eq!(model.metrics.n, CELLS * DRUGS);
            assert_eq!(model.per_drug.len(), DRUGS);
            for prediction in model.predictions.iter() {
                assert_eq!(folds.of_response()[prediction.row].map(usize::from), Some(prediction.fold));
            }
        }
        assert!(fixed.seen.lock().unwrap().iter().all(|(_, columns)| columns == &[2, 3]));
        let json = serde_json::to_value(&evaluation).unwrap();
        let keys: Vec<&String> = json["models"][0].as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "constant_drugs",
                "family",
                "fit_seconds",
                "folds",
                "intervals",
                "metrics",
                "name",
                "predict_seconds"
            ]
        );
        assert_eq!(json["models"][0]["intervals"]["rmse"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn the_leaderboard_says_who_beats_the_naive_ones() {
    let screen = screen();
    let folds = Split::new(SplitKind::LPO).draw(&screen).unwrap();
    let fixed = Fixed::at(2.5);
    let board =
        evaluate(&screen, &folds, &with(&fixed), &Protocol::default(), &Silent).unwrap().leaderboard();
    assert_eq!(board.rows[0].name, "effects");
    assert!(board.rows[0].naive && board.rows[0].beats_naive.is_none());
    let constant = board.rows.iter().find(|row| !row.naive).unwrap();
    let beats = constant.beats_naive.unwrap();
    assert!(!beats.rmse && !beats.r2_within_drug);
    let text = board.to_string();
    assert!(text.contains("does NOT beat the best naive predictor, effects"), "{text}");
    let csv = board.to_csv(None);
    assert_eq!(csv.lines().count(), 7);
    assert!(csv.contains("\"con,stant\",fixed,false,480,"), "{csv}");
    let commas = |line: &str| line.replace("\"con,stant\"", "").matches(',').count();
    assert!(csv.lines().all(|line| commas(line) == commas(csv.lines().next().unwrap())));
    let alone =
        evaluate(&screen, &folds, &with(&fixed)[5..], &Protocol::default(), &Silent).unwrap().leaderboard();
    assert!(alone.to_string().contains("No naive predictor"));
    let same = evaluate(&screen, &folds, &naive(), &Protocol::default(), &Silent).unwrap().leaderboard();
    assert!(same.rows.iter().all(|row| board.rows.iter().any(|other| other.metrics == row.metrics)));
}

#[test]
fn folds_can_be_restricted() {
    let screen = screen();
    let folds = Split::new(SplitKind::LCO).draw(&screen).unwrap();
    let only = |folds: Vec<usize>| Protocol { only_folds: Some(folds), ..Protocol::default() };
    let evaluation = evaluate(&screen, &folds, &naive(), &only(vec![3]), &Silent).unwrap();
    assert_eq!(evaluation.models[0].folds.len(), 1);
    assert_eq!(evaluation.models[0].folds[0].fold, 3);
    assert_eq!(evaluation.models[0].folds[0].metrics, evaluation.models[0].metrics);
    assert!(evaluate(&screen, &folds, &naive(), &only(vec![5]), &Silent).is_err());
}

#[test]
fn errors_say_where() {
    let screen = screen();
    let folds = Split::new(SplitKind::LCO).draw(&screen).unwrap();
    let message = |models: &[NamedModel], protocol: &Protocol| {
        evaluate(&screen, &folds, models, protocol, &Silent).unwrap_err().to_string()
    };
    let default = Protocol::default();
    assert_eq!(message(&with(&Fixed::at(-1.0)), &default), "model \"con,stant\", fold 0: it broke");
    let nan = message(&with(&Fixed::at(f32::NAN)), &default);
    assert!(nan.contains("fold 0") && nan.contains("\"cell ") && nan.contains("\"drug 0\""), "{nan}");
    assert!(message(&[], &default).contains("no model"));
    assert!(message(&[naive(), naive()].concat(), &default).contains("two models"));
    let wrong = Protocol { top_variance: vec![("methylation".into(), 5)], ..Protocol::default() };
    assert!(message(&naive(), &wrong).contains("methylation"));
    let leaky = (0..CELLS * DRUGS).map(|at| Some(at % 2)).collect();
    let leaky = Folds::from_assignment(SplitKind::LCO, leaky).unwrap();
    assert!(
        evaluate(&screen, &leaky, &naive(), &default, &Silent).unwrap_err().to_string().contains("cell line")
    );
}

struct Watch {
    steps: Mutex<Vec<(usize, usize)>>,
    stop_after: usize,
}

impl Progress for Watch {
    fn step(&self, done: usize, total: usize) {
        self.steps.lock().unwrap().push((done, total));
    }

    fn stopped(&self) -> bool {
        self.steps.lock().unwrap().last().is_some_and(|(done, _)| *done >= self.stop_after)
    }
}

#[test]
fn progress_rises_to_the_end_and_can_stop() {
    let screen = screen();
    let folds = Split::new(SplitKind::LCO).draw(&screen).unwrap();
    let fixed = Fixed::at(1.0);
    let watch = Watch { steps: Mutex::default(), stop_after: usize::MAX };
    evaluate(&screen, &folds, &with(&fixed), &Protocol::default(), &watch).unwrap();
    let steps = watch.steps.into_inner().unwrap();
    assert!(steps.is_sorted());
    assert_eq!(steps.last(), Some(&(3000, 3000)));
    assert!(steps.contains(&(550, 3000)));
    let watch = Watch { steps: Mutex::default(), stop_after: 700 };
    let error = evaluate(&screen, &folds, &with(&fixed), &Protocol::default(), &watch).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert_eq!(watch.steps.into_inner().unwrap().last(), Some(&(700, 3000)));
}

#[test]
fn models_are_compared_on_the_same_entities() {
    let screen = screen();
    let folds = Split::new(SplitKind::LPO).draw(&screen).unwrap();
    let named = |name: &str, model: &'static Naive| NamedModel {
        name: name.into(),
        family: model.to_string(),
        model,
    };
    let models = [
        named("drugs", &Naive::DrugMean),
        named("drugs again", &Naive::DrugMean),
        named("effects", &Naive::Effects),
    ];
    let evaluation = evaluate(&screen, &folds, &models, &Protocol::default(), &Silent).unwrap();
    let pair = |better: &str, worse: &str| {
        let mut pairs = evaluation.comparison.pairs.iter();
        pairs.find(|pair| pair.better == better && pair.worse == worse).unwrap()
    };
    let equal = pair("drugs", "drugs again");
    assert_eq!((equal.difference, equal.interval, equal.p), (0.0, [0.0, 0.0], 1.0));
    let clear = pair("effects", "drugs");
    let r2 = |at: usize| evaluation.models[at].metrics.r2_within_drug().unwrap();
    assert!((clear.difference - (r2(2) - r2(0))).abs() < 1e-12);
    assert!(
        clear.interval[0] > 0.0 && clear.interval[1] > clear.difference && clear.p == 2.0 / 401.0,
        "{clear:?}"
    );
    let ranks = evaluation.comparison.ranks.as_ref().unwrap();
    let expected = [("effects", 1.0), ("drugs", 2.5), ("drugs again", 2.5)];
    assert_eq!(ranks.mean_ranks, expected.map(|(name, rank)| (name.to_owned(), rank)));
    // With ranks 1, 2.5, 2.5 in each of five folds.
    assert!((ranks.friedman - 7.5).abs() < 1e-12 && (ranks.p - (-3.75f64).exp()).abs() < 1e-12);
    assert!((ranks.critical_difference.unwrap() - 2.344 * (12.0f64 / 30.0).sqrt()).abs() < 1e-12);
    assert!(evaluation.comparison.to_string().contains("effects − drugs: r2_within_drug +"));
}

#[test]
fn a_stack_holds_whole_groups_out_and_names_a_member_that_fails() {
    let screen = screen();
    let folds = Split::new(SplitKind::LCO).draw(&screen).unwrap();
    let (watched, broken) = (Arc::new(Fixed::at(2.5)), Arc::new(Fixed::at(-1.0)));
    struct Shared(Arc<Fixed>);
    impl Model for Shared {
        type Fitted = FittedFixed;
        fn fit(&self, train: &TrainView, context: &FitContext) -> Result<FittedFixed> {
            self.0.fit(train, context)
        }
        fn memory(&self, train: &TrainView, context: &FitContext) -> Result<usize> {
            self.0.memory(train, context)
        }
    }
    let member = |fixed: &Arc<Fixed>| Arc::new(Shared(fixed.clone())) as Arc<dyn halfmax_core::AnyModel>;
    let run = |skip_failed: bool| {
        let members = vec![
            ("watched".to_owned(), member(&watched)),
            ("broken".to_owned(), member(&broken)),
            ("drugs".to_owned(), Arc::new(Naive::DrugMean) as Arc<dyn halfmax_core::AnyModel>),
        ];
        let stack =
            StackParams { folds: 3, skip_failed, ..StackParams::default() }.with_members(members).unwrap();
        let mut models = naive();
        models.push(NamedModel { name: "stack".into(), family: "stack".into(), model: &stack });
        evaluate(&screen, &folds, &models, &Protocol::default(), &Silent)
    };
    let error = run(false).unwrap_err();
    assert_eq!(error.to_string(), "stack member \"broken\": fold 0: it broke");
    assert!(error.help().unwrap().contains("skip_failed = true"));
    watched.seen.lock().unwrap().clear();
    let evaluation = run(true).unwrap();
    assert_eq!(evaluation.failed.len(), 1);
    assert_eq!(
        (evaluation.failed[0].name.as_str(), evaluation.failed[0].error.as_str()),
        ("broken", "fold 0: it broke")
    );
    let drugs = evaluation.models.iter().find(|model| model.name == "drug_mean").unwrap();
    let stack = evaluation.models.last().unwrap();
    assert!((stack.metrics.rmse().unwrap() - drugs.metrics.rmse().unwrap()).abs() < 0.02);
    assert_eq!(stack.folds[0].weights.keys().collect::<Vec<_>>(), ["drugs", "watched"]);
    // Each fold left out, and each pair of folds, once; always whole cell lines.
    let mut rows: Vec<usize> = watched.seen.lock().unwrap().iter().map(|fit| fit.0).collect();
    rows.sort_unstable();
    let expected = [vec![CELLS * 3 / 5 * DRUGS; 10], vec![CELLS * 4 / 5 * DRUGS; 5]].concat();
    assert_eq!(rows, expected);
}

#[test]
fn a_stack_in_an_evaluation_is_the_stack_of_its_members_predictions() {
    let screen = screen();
    let folds = Split::new(SplitKind::LPO).draw(&screen).unwrap();
    let members: Vec<(String, Arc<dyn halfmax_core::AnyModel>)> =
        [Naive::Effects, Naive::DrugMean].map(|naive| (naive.to_string(), Arc::new(naive) as _)).into();
    let stack = StackParams::default().with_members(members.clone()).unwrap();
    let mut models: Vec<NamedModel> = members
        .iter()
        .map(|(name, model)| NamedModel { name: name.clone(), family: name.clone(), model: &**model })
        .collect();
    models.push(NamedModel { name: "stack".into(), family: "stack".into(), model: &stack });
    let protocol = Protocol { only_folds: Some(vec![2, 0]), ..Protocol::default() };
    let evaluation = evaluate(&screen, &folds, &models, &protocol, &Silent).unwrap();
    let [effects, drugs, stacked] = &evaluation.models[..] else { panic!() };
    for fold in &stacked.folds {
        let (train, _) = folds.train_test(&[fold.fold]);
        let values = screen.responses.values();
        let mean = train.iter().map(|row| f64::from(values[*row])).sum::<f64>() / train.len() as f64;
        // The normal equations hold for out-of-fold predictions made without the fold and without one more.
        let (mut rest_with, mut scale) = ([0.0; 2], [0.0; 2]);
        for other in (0..5).filter(|other| *other != fold.fold) {
            let (rows, tested) = folds.train_test(&[fold.fold, other]);
            let view = TrainView { rows, ..screen.all() };
            let context = FitContext::new(Seed::new(1), &Silent, halfmax_core::ValidationGroup::Response);
            let asked: Vec<usize> =
                tested.into_iter().filter(|row| folds.of_response()[*row] == Some(other as u16)).collect();
            let side = |side: usize| asked.iter().map(|row| screen.responses.side(side)[*row]).collect();
            let sides: [Vec<u32>; 2] = [side(0), side(1)];
            let query = Query {
                tables: &[screen.table(0), screen.table(1)],
                tuples: halfmax_core::Tuples::Listed(&[&sides[0], &sides[1]]),
            };
            let predicted: Vec<Vec<f32>> = members
                .iter()
                .map(|(_, model)| model.fit_any(&view, &context).unwrap().predict(&query).unwrap())
                .collect();
            for (at, row) in asked.iter().enumerate() {
                let deviation = |member: usize| f64::from(predicted[member][at]) - mean;
                let said = fold.weights["effects"] * deviation(0) + fold.weights["drug_mean"] * deviation(1);
                let rest = f64::from(values[*row]) - mean - said;
                for member in 0..2 {
                    rest_with[member] += rest * deviation(member);
                    scale[member] += deviation(member).powi(2);
                }
            }
        }
        for (member, name) in ["effects", "drug_mean"].into_iter().enumerate() {
            let slope = rest_with[member] / scale[member];
            assert!(slope.abs() < 1e-6 || (fold.weights[name] == 0.0 && slope < 0.0), "{name}: {slope}");
        }
        let own = |model: &halfmax_eval::ModelEvaluation| -> Vec<f32> {
            model.predictions.iter().filter(|one| one.fold == fold.fold).map(|one| one.predicted).collect()
        };
        for ((a, b), sum) in own(effects).iter().zip(own(drugs)).zip(own(stacked)) {
            let expected = mean
                + fold.weights["effects"] * (f64::from(*a) - mean)
                + fold.weights["drug_mean"] * (f64::from(b) - mean);
            assert!((expected - f64::from(sum)).abs() < 1e-5);
        }
    }
}

/// Responses around drug means, noisier for some drugs; cell lines have an effect that nothing tells.
fn noisy(cells: usize, drugs: usize) -> Screen {
    let normal = |at: usize| -> f64 {
        let uniform = |part: u64| {
            (Seed::new(4).derive(at as u64).derive(part).value() >> 11) as f64 / (1u64 << 53) as f64
        };
        (0..12).map(uniform).sum::<f64>() - 6.0
    };
    let table = |count: usize, sort: &str| {
        EntityTable::new((0..count).map(|at| format!("{sort} {at}")), sort).unwrap()
    };
    let pairs: Vec<(usize, usize)> =
        (0..cells).flat_map(|cell| (0..drugs).map(move |drug| (cell, drug))).collect();
    let value = |(cell, drug): &(usize, usize)| {
        let spread = if drug % 2 == 0 { 0.3 } else { 2.0 };
        (*drug as f64 + 0.5 * normal(*cell) + spread * normal(1_000_000 + cell * drugs + drug)) as f32
    };
    let sides = vec![
        pairs.iter().map(|pair| pair.0 as u32).collect(),
        pairs.iter().map(|pair| pair.1 as u32).collect(),
    ];
    let responses = Responses::new(sides, pairs.iter().map(value).collect(), None).unwrap();
    let tables = vec![table(cells, "cell line"), table(drugs, "drug")];
    Screen::new("LN_IC50", tables, vec![Side::cell_line(0), Side::drug(1)], responses).unwrap()
}

#[test]
fn intervals_hold_what_they_promise_and_are_wider_for_drugs_that_are_hard_to_predict() {
    let screen = noisy(400, 20);
    for kind in [SplitKind::LCO, SplitKind::LPO] {
        let folds = Split::new(kind).draw(&screen).unwrap();
        let intervals = ConformalParams { level: 0.7, models: vec!["drug_mean".into()], folds: 5 };
        let protocol = Protocol { intervals: Some(intervals), ..Protocol::default() };
        let models: Vec<NamedModel> = naive().into_iter().take(2).collect();
        let evaluation = evaluate(&screen, &folds, &models, &protocol, &Silent).unwrap();
        let drugs = evaluation.models.iter().find(|model| model.name == "drug_mean").unwrap();
        for coverage in &drugs.calibration {
            assert!((coverage.observed - coverage.nominal).abs() < 0.015, "{kind}: {coverage:?}");
            assert!((coverage.observed_by_group - coverage.nominal).abs() < 0.015, "{kind}: {coverage:?}");
            assert_eq!(coverage.n, 8000);
        }
        assert_eq!(drugs.calibration.iter().map(|one| one.nominal).collect::<Vec<_>>(), NOMINAL);
        let (mut held, mut widths) = (0, [0.0; 2]);
        for one in drugs.predictions.iter() {
            let [low, high] = one.interval.unwrap();
            held += usize::from((low..=high).contains(&screen.responses.values()[one.row]));
            widths[screen.responses.side(1)[one.row] as usize % 2] += f64::from(high - low) / 4000.0;
        }
        assert!((held as f64 / 8000.0 - 0.7).abs() < 0.015, "{kind}: {held}");
        // The true variances are 0.5² + 0.3² and 0.5² + 2²; 320 responses are shrunken as if 10 had their average.
        let shrunken = |variance: f64| (320.0 * variance + 10.0 * 2.295) / 330.0;
        let expected = (shrunken(4.25) / shrunken(0.34)).sqrt();
        assert!((widths[1] / widths[0] - expected).abs() < 0.15, "{kind}: {widths:?} {expected}");
        let other = evaluation.models.iter().find(|model| model.name != "drug_mean").unwrap();
        assert!(other.calibration.is_empty() && other.predictions.iter().all(|one| one.interval.is_none()));
    }
}

#[test]
fn intervals_need_groups_enough_and_a_model_trained_on_everything_has_them_too() {
    let screen = noisy(60, 6);
    let context = |validation| FitContext::new(Seed::new(3), &Silent, validation);
    let unseen_cells = context(halfmax_core::ValidationGroup::Entity(0));
    let params = ConformalParams { level: 0.8, ..ConformalParams::default() };
    let (fitted, calibration) =
        fit_calibrated(&Naive::DrugMean, &screen.all(), &unseen_cells, &params).unwrap();
    assert_eq!(fitted.family(), "drug_mean");
    let stranger = EntityTable::new(["drug 1", "drug 2", "nobody knows"], "drug").unwrap();
    let widths = calibration.widths(&[screen.table(0), &stranger]).unwrap();
    assert!(widths.half(&[0, 0], None).unwrap() > 2.0 * widths.half(&[0, 1], None).unwrap());
    assert_eq!(widths.half(&[0, 0], None), widths.half(&[59, 0], None));
    assert_eq!(widths.half(&[0, 2], None), None);
    let text = serde_json::to_string(&calibration).unwrap();
    assert_eq!(serde_json::from_str::<Calibration>(&text).unwrap(), calibration);
    // Six drugs cannot tell what 19 of 20 new drugs do.
    let unseen_drugs = context(halfmax_core::ValidationGroup::Entity(1));
    let params = ConformalParams { level: 0.95, ..params };
    let error = fit_calibrated(&Naive::CellMean, &screen.all(), &unseen_drugs, &params).err().unwrap();
    assert!(error.to_string().contains("needs at least 19 groups"), "{error}");
    assert!(error.to_string().ends_with("the responses have 6"), "{error}");
}

#[test]
fn a_replicate_says_what_can_be_reached() {
    let screen = screen();
    let folds = Split::new(SplitKind::LCO).draw(&screen).unwrap();
    let evaluation = evaluate(&screen, &folds, &naive(), &Protocol::default(), &Silent).unwrap();
    // Drugs 0 and 1 were measured again, half a unit higher; drug 2 in five cell lines only.
    let responses = &screen.responses;
    let again = (0..responses.len()).map(|at| ReferenceResponse {
        cell: responses.side(0)[at],
        drug: responses.side(1)[at],
        value: responses.values()[at] + 0.5,
    });
    let again: Vec<ReferenceResponse> =
        again.filter(|one| one.drug < 2 || (one.drug == 2 && one.cell < 5)).collect();
    let ceiling = Ceiling::new(&screen, &again, &evaluation.models).unwrap();
    assert_eq!((ceiling.pairs, ceiling.drugs_counted, ceiling.drugs.len()), (2 * CELLS + 5, 2, 3));
    assert!((ceiling.rmse.unwrap() - 0.5).abs() < 1e-6 && ceiling.per_drug_pearson.unwrap() > 0.9999);
    let model = &evaluation.models[1];
    let own = |drug: &str| model.per_drug.iter().find(|one| one.drug == drug).unwrap().pearson.unwrap_or(0.0);
    let expected = (own("drug 0") + own("drug 1")) / 2.0;
    assert_eq!(ceiling.models[1].name, model.name);
    assert!((ceiling.models[1].per_drug_pearson.unwrap() - expected).abs() < 1e-12);
    let csv = evaluation.leaderboard().to_csv(Some(&ceiling));
    let line = csv.lines().find(|line| line.starts_with(&model.name)).unwrap();
    let own = ceiling.models[1].per_drug_pearson.unwrap();
    assert!(line.ends_with(&format!(",{},{own}", ceiling.per_drug_pearson.unwrap())), "{line}");
    let error = Ceiling::new(&screen, &[], &evaluation.models).unwrap_err().to_string();
    assert!(error.contains("no pair of cell line and drug in common"), "{error}");
}

#[test]
fn another_study_is_tested_by_models_that_never_saw_its_entities() {
    let screen = screen();
    let responses = &screen.responses;
    // The other study measured half of the drugs, one unit higher, and a cell line that this one left out of all folds.
    let mut of_response: Vec<Option<usize>> =
        (0..responses.len()).map(|at| Some(responses.side(0)[at] as usize % 5)).collect();
    of_response.iter_mut().take(DRUGS).for_each(|fold| *fold = None);
    let folds = Folds::from_assignment(SplitKind::LCO, of_response).unwrap();
    let all = (0..responses.len()).map(|at| ReferenceResponse {
        cell: responses.side(0)[at],
        drug: responses.side(1)[at],
        value: responses.values()[at] + 1.0,
    });
    let other_study: Vec<ReferenceResponse> = all.filter(|one| one.drug < DRUGS as u32 / 2).collect();
    let protocol = Protocol { other_study: other_study.clone(), ..Protocol::default() };
    let models: Vec<NamedModel> = naive().into_iter().filter(|model| model.name == "drug_mean").collect();
    let evaluation = evaluate(&screen, &folds, &models, &protocol, &Silent).unwrap();
    let drugs = &evaluation.models[0];
    let cross = drugs.cross_study.unwrap();
    assert_eq!((cross.metrics.n, cross.within.n), ((CELLS - 1) * DRUGS / 2, (CELLS - 1) * DRUGS / 2));
    let (mut squares, mut shifted, mut count) = (0.0, 0.0, 0.0);
    for one in drugs.predictions.iter().filter(|one| (responses.side(1)[one.row] as usize) < DRUGS / 2) {
        let error = f64::from(responses.values()[one.row]) - f64::from(one.predicted);
        squares += error * error;
        shifted += (error + 1.0) * (error + 1.0);
        count += 1.0;
    }
    assert!((cross.within.rmse().unwrap() - (squares / count).sqrt()).abs() < 1e-6);
    assert!((cross.across.rmse().unwrap() - (shifted / count).sqrt()).abs() < 1e-6);
    let drop = cross.across.rmse().unwrap() - cross.within.rmse().unwrap();
    assert!((cross.drop.rmse.unwrap() - drop).abs() < 1e-12 && drop > 0.2);
    assert!(evaluation.cross_study_table().unwrap().contains("drug_mean"));
    // Without a pair in common there is nothing to compare.
    let none = Protocol {
        other_study: vec![ReferenceResponse { cell: 0, drug: 0, value: 1.0 }],
        ..Protocol::default()
    };
    let evaluation = evaluate(&screen, &folds, &models, &none, &Silent).unwrap();
    assert!(evaluation.models[0].cross_study.is_none());
}

/// Fails on training parts that are smaller than four folds of five.
struct Brittle;

impl Model for Brittle {
    type Fitted = FittedFixed;

    fn fit(&self, train: &TrainView, _: &FitContext) -> Result<FittedFixed> {
        if train.rows.len() < CELLS * DRUGS * 7 / 10 {
            return Err(Error::failed("too little to learn from"));
        }
        Ok(FittedFixed(3.0))
    }

    fn memory(&self, _: &TrainView, _: &FitContext) -> Result<usize> {
        Ok(0)
    }
}

#[test]
fn a_model_that_fails_without_one_more_fold_is_left_out_even_if_its_own_fit_worked() {
    let screen = screen();
    let folds = Split::new(SplitKind::LCO).draw(&screen).unwrap();
    let brittle: Arc<dyn halfmax_core::AnyModel> = Arc::new(Brittle);
    let drugs: Arc<dyn halfmax_core::AnyModel> = Arc::new(Naive::DrugMean);
    let members = vec![("brittle".to_owned(), brittle.clone()), ("drugs".to_owned(), drugs)];
    let stack = StackParams { skip_failed: true, ..StackParams::default() }.with_members(members).unwrap();
    let mut models = naive();
    models.push(NamedModel { name: "brittle".into(), family: "fixed".into(), model: &*brittle });
    models.push(NamedModel { name: "stack".into(), family: "stack".into(), model: &stack });
    let intervals = Some(ConformalParams::default());
    let protocol = Protocol { only_folds: Some(vec![2]), intervals, ..Protocol::default() };
    let evaluation = evaluate(&screen, &folds, &models, &protocol, &Silent).unwrap();
    assert!(evaluation.models.iter().all(|model| model.name != "brittle"));
    assert_eq!(evaluation.failed.len(), 1);
    assert!(evaluation.failed[0].error.starts_with("without folds 0 and 2: too little"));
    let stack = evaluation.models.last().unwrap();
    assert_eq!(stack.folds[0].weights.keys().collect::<Vec<_>>(), ["drugs"]);
    assert_eq!(stack.calibration.iter().map(|one| one.n).collect::<Vec<_>>(), [stack.folds[0].n_test; 4]);
}
