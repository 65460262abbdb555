//! What neural models promise on screens of drug combinations.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use halfmax_core::{
    Attributable, EntityTable, FeatureBlock, FeatureValues, FitContext, FittedModel, Model, Query, Responses,
    Screen, Seed, Side, Silent, Tensor, Tuples, ValidationGroup,
};
use halfmax_neural::{FittedNeural, NeuralParams};
use ndarray::Array2;

const CELLS: usize = 10;
const DRUGS: usize = 8;

fn noise(a: usize, b: usize) -> f32 {
    (Seed::new(5).derive((a * 1000 + b) as u64).value() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

fn table(count: usize, sort: &'static str) -> EntityTable {
    let values = FeatureValues::real(Array2::from_shape_fn((count, 3), |(row, at)| noise(row, at)));
    let block = FeatureBlock::new("features", ["a", "b", "c"], values).unwrap();
    let ids = (0..count).map(|at| format!("{sort} {at}"));
    EntityTable::new(ids, sort).unwrap().with_block(block).unwrap()
}

/// Every pair of drugs, the later one first where `turned`.
fn screen(turned: impl Fn(usize) -> bool) -> Screen {
    let pairs = (0..DRUGS).flat_map(|a| (a + 1..DRUGS).map(move |b| (a, b)));
    let all = pairs.flat_map(|(a, b)| (0..CELLS).map(move |cell| [cell, a, b]));
    let value = |[cell, a, b]: &[usize; 3]| {
        5.0 * noise(*a, 0) * noise(*b, 0) + noise(*cell, 1) + 40.0 * noise(a * 9 + b, 77)
    };
    let mut tuples: Vec<[usize; 3]> = all.collect();
    let values = tuples.iter().map(value).collect();
    tuples.iter_mut().enumerate().filter(|(at, _)| turned(*at)).for_each(|(_, tuple)| tuple.swap(1, 2));
    let side = |side: usize| tuples.iter().map(|tuple| tuple[side] as u32).collect();
    let responses = Responses::new(vec![side(0), side(1), side(2)], values, None).unwrap();
    let tables = vec![table(CELLS, "cell line"), table(DRUGS, "drug")];
    let sides = vec![Side::cell_line(0), Side::drug(1), Side::drug_b(1)];
    Screen::new("synergy", tables, sides, responses).unwrap()
}

fn params() -> NeuralParams {
    NeuralParams {
        device: "cpu".into(),
        ensemble_size: 2,
        hidden: vec![8],
        rank: 4,
        combination_hidden: vec![12],
        epochs: 20,
        batch: 4,
        ..NeuralParams::default()
    }
}

fn fit(params: NeuralParams, screen: &Screen, validation: ValidationGroup) -> FittedNeural {
    let context = FitContext::new(Seed::new(2), &Silent, validation);
    params.check().unwrap().fit(&screen.all(), &context).unwrap()
}

#[test]
fn training_does_not_depend_on_which_drug_is_named_first() {
    for validation in [ValidationGroup::Combination, ValidationGroup::Member, ValidationGroup::Entity(0)] {
        let params = NeuralParams { validation_fraction: 0.2, ..params() };
        let one = fit(params.clone(), &screen(|_| false), validation);
        let other = fit(params, &screen(|at| at % 3 == 0), validation);
        assert!(one.stored().unwrap() == other.stored().unwrap(), "{validation:?}");
    }
}

#[test]
fn tables_of_the_two_drugs_may_be_different_ones_and_members_differ() {
    let screen = screen(|_| false);
    let fitted = fit(params(), &screen, ValidationGroup::Combination);
    let (cells, drugs) = (screen.table(0), screen.table(1));
    let few = drugs.blocks()[0].take(&[Some(6), Some(1), Some(2)]);
    let few =
        EntityTable::new(["drug 6", "drug 1", "nobody knows it"], "drug").unwrap().with_block(few).unwrap();
    let whole =
        Query { tables: &[cells, drugs, drugs], tuples: Tuples::Listed(&[&[3, 4], &[6, 1], &[2, 5]]) };
    let other = Query {
        tables: &[cells, drugs, &few],
        tuples: Tuples::Listed(&[&[3, 4, 0], &[2, 5, 3], &[0, 1, 2]]),
    };
    let (expected, found) = (fitted.predict(&whole).unwrap(), fitted.predict(&other).unwrap());
    assert_eq!(expected, found[..2]);
    assert!(found[2].is_finite());
    let ensemble = fitted.as_ensemble().unwrap();
    let (expected, found) = (ensemble.spread(&whole).unwrap(), ensemble.spread(&other).unwrap());
    assert_eq!(expected, found[..2]);
    assert!(found.iter().all(|spread| *spread > 0.0));
    assert_eq!(fitted.feature_shares(other.tables).unwrap(), [1.0; 3]);
    assert_eq!(fitted.space(2), fitted.space(1));
}

#[test]
fn a_combination_that_is_not_held_out_has_a_mean_of_its_own() {
    let screen = screen(|_| false);
    let query = |model: &FittedNeural| {
        let tables = [screen.table(0), screen.table(1), screen.table(1)];
        model
            .predict(&Query { tables: &tables, tuples: Tuples::Listed(&[&[0, 5], &[1, 7], &[2, 3]]) })
            .unwrap()
    };
    let still = NeuralParams { epochs: 1, learning_rate: 1e-9, ..params() };
    let of = |[a, b]: [u32; 2]| {
        let responses = &screen.responses;
        let own = |row: &usize| responses.side(1)[*row] == a && responses.side(2)[*row] == b;
        let own: Vec<f32> = (0..responses.len()).filter(own).map(|row| responses.values()[row]).collect();
        own.iter().sum::<f32>() / CELLS as f32
    };
    let means = [of([1, 2]), of([3, 7])];
    let error =
        |found: &[f32]| -> f32 { found.iter().zip(means).map(|(found, mean)| (found - mean).abs()).sum() };
    let seen = error(&query(&fit(still.clone(), &screen, ValidationGroup::Entity(0))));
    let unseen = error(&query(&fit(still, &screen, ValidationGroup::Combination)));
    assert!(seen < 0.5 * unseen, "{seen} against {unseen}");
}

#[test]
fn what_it_cannot_do_it_says() {
    let screen = screen(|_| false);
    let fitted = fit(params(), &screen, ValidationGroup::Entity(0));
    let tables = [screen.table(0), screen.table(1)];
    assert!(fitted.as_attributable(0).is_none());
    let all = [screen.table(0), screen.table(1), screen.table(2)];
    assert!(fitted.attribute(&all, 0, &[0]).is_err());
    assert!(fitted.prepare(&tables, &[0]).is_err());
    let mut apart = screen.clone();
    apart.tables.push(table(DRUGS, "drug"));
    apart.sides[2].table = 2;
    let context = FitContext::new(Seed::new(2), &Silent, ValidationGroup::Entity(0));
    let error = params().check().unwrap().fit(&apart.all(), &context).unwrap_err();
    assert!(error.to_string().ends_with("or cell lines and two drugs from one table"), "{error}");
    for pairs in [vec![0, 1, 0, 1], vec![1, 0], vec![0, DRUGS as u32], vec![0]] {
        let mut parts = fitted.stored().unwrap();
        parts.tensors.insert("combination/drugs".into(), Tensor::U32(pairs));
        let error = FittedNeural::from_stored(&parts).unwrap_err().to_string();
        assert!(error.starts_with("the model is malformed: its combinations are"), "{error}");
    }
}
