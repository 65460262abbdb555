//! An evaluation whose fits are made elsewhere and merged is the one that is made here.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use halfmax::prelude::*;
use halfmax_core::Seed;
use halfmax_eval::{Evaluation, EvaluationPlan, FitResult, NamedModel, Protocol, evaluate};
use serde_json::Value;

const CONFIG: &str = r#"
[data]
dataset = "gdsc-core"
response = "gdsc1"

[[data.cells]]
kind = "expression"
top_variance = 100

[target]
column = "LN_IC50"

[split]
kind = "lco"
folds = 3

[[model]]
family = "knn"

[[model]]
family = "kernel"

[[model]]
family = "stack"
members = ["knn", "kernel"]
"#;

/// What an evaluation found, without seconds.
fn found(evaluation: &Evaluation) -> (Value, Vec<u32>) {
    let mut value = serde_json::to_value(evaluation).unwrap();
    without_seconds(&mut value);
    let predictions = evaluation.models.iter().flat_map(|model| model.predictions.iter());
    let bits = predictions.flat_map(|one| {
        let ends = one.interval.unwrap_or([f32::INFINITY; 2]);
        [one.predicted, ends[0], ends[1]].map(f32::to_bits)
    });
    (value, bits.collect())
}

fn without_seconds(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !key.ends_with("_seconds"));
            fields.values_mut().for_each(without_seconds);
        }
        Value::Array(items) => items.iter_mut().for_each(without_seconds),
        _ => {}
    }
}

#[test]
fn fits_made_elsewhere_are_one_evaluation_equal_to_the_bit_to_the_one_made_here() {
    let config = Config::parse(CONFIG, &[]).unwrap();
    let prepared = PreparedScreen::load(&config, &Silent).unwrap();
    let (screen, folds) = (&prepared.loaded.screen, prepared.folds.as_ref().unwrap());
    let specs = config.specs(&std::sync::Arc::default()).unwrap();
    let models: Vec<NamedModel> = specs
        .iter()
        .map(|spec| NamedModel { name: spec.name.clone(), family: spec.family.clone(), model: &*spec.model })
        .collect();
    let protocol = Protocol {
        bootstrap_draws: 20,
        intervals: Some(toml::from_str("").unwrap()),
        pilot: Some(toml::from_str("responses = [0, 2]").unwrap()),
        ..Protocol::default()
    };
    let here = evaluate(screen, folds, &models, &protocol, &Silent).unwrap();
    assert!(here.models.iter().all(|model| !model.calibration.is_empty()));
    assert!(here.models.iter().any(|model| !model.learning_curve.is_empty()));

    let plan = EvaluationPlan::new(screen, folds, &models, &protocol).unwrap();
    // Three folds left out alone and three pairs of them, of two models each.
    assert_eq!(plan.tasks().len(), 12);
    let run = |task| serde_json::to_string(&plan.run(task, &Silent, None).unwrap()).unwrap();
    let texts: Vec<String> = plan.tasks().iter().map(run).collect();
    let read = |text: &String| serde_json::from_str::<FitResult>(text).unwrap();
    let backwards: Vec<FitResult> = texts.iter().rev().map(read).collect();
    let merged = plan.merge(backwards.clone(), &Silent).unwrap();
    assert!(found(&merged) == found(&here));
    assert_eq!(merged.comparison, here.comparison);

    let refused = |results: Vec<FitResult>| plan.merge(results, &Silent).unwrap_err().to_string();
    let missing = refused(backwards[1..].to_vec());
    assert!(missing.contains("is missing") && missing.contains(&backwards[0].task.to_string()), "{missing}");
    let twice = refused([backwards.clone(), vec![backwards[3].clone()]].concat());
    assert!(twice.contains("there are two results of"), "{twice}");
    let elsewhere = Protocol { seed: Seed::new(1), ..protocol.clone() };
    let elsewhere = EvaluationPlan::new(screen, folds, &models, &elsewhere).unwrap();
    let other = elsewhere.merge(backwards, &Silent).unwrap_err().to_string();
    assert!(other.contains("belongs to another evaluation"), "{other}");
}
