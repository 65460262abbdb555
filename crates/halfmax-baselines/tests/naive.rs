//! The naive predictors against brute force.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use halfmax_baselines::{FittedNaive, Naive};
use halfmax_core::{
    Category, EntityTable, FitContext, FittedModel, Model, Query, Responses, Screen, Seed, Side, Silent,
    Tensor, Tuples, ValidationGroup,
};
use proptest::prelude::*;

const CELLS: usize = 7;
const DRUGS: usize = 5;

fn context() -> FitContext<'static> {
    FitContext::new(Seed::new(1), &Silent, ValidationGroup::Response)
}

fn cell_table(names: &[usize], tissue_of: impl Fn(usize) -> Option<String>) -> EntityTable {
    let tissue =
        Category::from_labels(&names.iter().map(|cell| tissue_of(*cell)).collect::<Vec<_>>()).unwrap();
    let ids = names.iter().map(|cell| format!("cell {cell}"));
    EntityTable::new(ids, "cell line").unwrap().with_group("tissue", tissue).unwrap()
}

fn tissue(cell: usize) -> Option<String> {
    (cell != 6).then(|| ["lung", "skin", "blood"][cell % 3].to_owned())
}

/// (cell, drug, value, weight)
type Row = (u32, u32, f32, f32);

fn screen(rows: &[Row]) -> Screen {
    let cells = cell_table(&(0..CELLS).collect::<Vec<_>>(), tissue);
    let drugs = EntityTable::new((0..DRUGS).map(|drug| format!("drug {drug}")), "drug").unwrap();
    let entities = vec![rows.iter().map(|row| row.0).collect(), rows.iter().map(|row| row.1).collect()];
    let weights = Some(rows.iter().map(|row| row.3).collect());
    let responses = Responses::new(entities, rows.iter().map(|row| row.2).collect(), weights).unwrap();
    Screen::new("LN_IC50", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses).unwrap()
}

fn grid(fitted: &FittedNaive, screen: &Screen) -> Vec<f32> {
    let tables = [screen.table(0), screen.table(1)];
    let (cells, drugs): (Vec<u32>, Vec<u32>) = ((0..CELLS as u32).collect(), (0..DRUGS as u32).collect());
    fitted.predict(&Query { tables: &tables, tuples: Tuples::Grid(&[&cells, &drugs]) }).unwrap()
}

fn mean(rows: &[Row], keep: impl Fn(&Row) -> bool) -> Option<f64> {
    let (mut sum, mut total) = (0.0, 0.0);
    for row in rows.iter().filter(|row| keep(row)) {
        sum += f64::from(row.3) * f64::from(row.2);
        total += f64::from(row.3);
    }
    (total > 0.0).then(|| sum / total)
}

fn brute_force(naive: Naive, rows: &[Row], cell: u32, drug: u32) -> f64 {
    let global = mean(rows, |_| true).unwrap();
    let of_drug = mean(rows, |row| row.1 == drug).unwrap_or(global);
    match naive {
        Naive::GlobalMean => global,
        // A single drug is a combination of one.
        Naive::DrugMean | Naive::CombinationMean => of_drug,
        Naive::CellMean => mean(rows, |row| row.0 == cell).unwrap_or(global),
        Naive::TissueDrugMean => match tissue(cell as usize) {
            None => of_drug,
            Some(t) => {
                let inside = |row: &&Row| row.1 == drug && tissue(row.0 as usize).as_ref() == Some(&t);
                let inside: Vec<&Row> = rows.iter().filter(inside).collect();
                let weight: f64 = inside.iter().map(|row| f64::from(row.3)).sum();
                let sum: f64 = inside.iter().map(|row| f64::from(row.3) * f64::from(row.2)).sum();
                (sum + 5.0 * of_drug) / (weight + 5.0)
            }
        },
        Naive::Effects => unreachable!(),
    }
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec((0..CELLS as u32, 0..DRUGS as u32, -5.0f32..5.0, 0.5f32..2.0), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn means_are_those_of_brute_force(rows in rows()) {
        let screen = screen(&rows);
        for naive in Naive::ALL.into_iter().filter(|naive| *naive != Naive::Effects) {
            let predicted = grid(&naive.fit(&screen.all(), &context()).unwrap(), &screen);
            for (at, predicted) in predicted.iter().enumerate() {
                let expected = brute_force(naive, &rows, (at / DRUGS) as u32, (at % DRUGS) as u32);
                let error = (f64::from(*predicted) - expected).abs();
                prop_assert!(error < 1e-5, "{naive}: {predicted} {expected}");
            }
        }
    }

    #[test]
    fn effects_leave_no_entity_a_mean_residual(rows in rows()) {
        let screen = screen(&rows);
        let predicted = grid(&Naive::Effects.fit(&screen.all(), &context()).unwrap(), &screen);
        let residuals: Vec<Row> = rows
            .iter()
            .map(|row| (row.0, row.1, row.2 - predicted[row.0 as usize * DRUGS + row.1 as usize], row.3))
            .collect();
        for entity in 0..CELLS.max(DRUGS) as u32 {
            prop_assert!(mean(&residuals, |row| row.0 == entity).unwrap_or(0.0).abs() < 1e-5);
            prop_assert!(mean(&residuals, |row| row.1 == entity).unwrap_or(0.0).abs() < 1e-5);
        }
    }

    #[test]
    fn parts_bring_back_the_same_model(rows in rows()) {
        let screen = screen(&rows);
        for naive in Naive::ALL {
            let fitted = naive.fit(&screen.all(), &context()).unwrap();
            let again = FittedNaive::from_stored(&fitted.stored().unwrap()).unwrap();
            prop_assert_eq!(&again, &fitted);
            prop_assert_eq!(again.stored().unwrap(), fitted.stored().unwrap());
            prop_assert_eq!(grid(&again, &screen), grid(&fitted, &screen));
        }
    }
}

fn full() -> Vec<Row> {
    let cells = 0..CELLS as u32;
    cells
        .flat_map(|cell| {
            (0..DRUGS as u32).map(move |drug| (cell, drug, (cell * cell + 3 * drug) as f32, 1.0))
        })
        .collect()
}

#[test]
fn an_additive_block_is_recovered() {
    let screen = screen(&full());
    let predicted = grid(&Naive::Effects.fit(&screen.all(), &context()).unwrap(), &screen);
    for (row, predicted) in full().iter().zip(predicted) {
        assert!((row.2 - predicted).abs() < 1e-5);
    }
}

#[test]
fn entities_are_matched_by_id_and_unseen_ones_fall_back() {
    let screen = screen(&full());
    let cells =
        cell_table(&[6, 0, 40], |cell| (cell == 40).then(|| "moon".to_owned()).or_else(|| tissue(cell)));
    let drugs = EntityTable::new(["new drug", "drug 1"], "drug").unwrap();
    let tables = [&cells, &drugs];
    let query = Query { tables: &tables, tuples: Tuples::Grid(&[&[0, 1, 2], &[0, 1]]) };
    let predict = |naive: Naive| naive.fit(&screen.all(), &context()).unwrap().predict(&query).unwrap();
    let rows = full();
    let global = brute_force(Naive::GlobalMean, &rows, 0, 0) as f32;
    let drug = brute_force(Naive::DrugMean, &rows, 0, 1) as f32;
    let tissue = brute_force(Naive::TissueDrugMean, &rows, 0, 1) as f32;
    let near = |found: &[f32], expected: &[f32]| {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{found:?} {expected:?}");
    };
    near(&predict(Naive::DrugMean), &[global, drug, global, drug, global, drug]);
    near(&predict(Naive::TissueDrugMean), &[global, drug, global, tissue, global, drug]);
    near(&predict(Naive::CellMean)[4..], &[global, global]);
    near(&predict(Naive::Effects)[4..], &[global, drug]);
}

#[test]
fn both_drugs_of_a_pair_share_their_effects() {
    let cells = EntityTable::new(["a", "b"], "cell line").unwrap();
    let drugs = EntityTable::new(["x", "y", "z"], "drug").unwrap();
    let effect = [1.0, -2.0, 4.0];
    let (mut entities, mut values) = (vec![Vec::new(); 3], Vec::new());
    for cell in 0..2u32 {
        for (a, b) in [(0u32, 1u32), (2, 1), (0, 2), (2, 2)] {
            for (side, entity) in entities.iter_mut().zip([cell, a, b]) {
                side.push(entity);
            }
            values.push(10.0 * cell as f32 + effect[a as usize] + effect[b as usize]);
        }
    }
    let sides = vec![Side::cell_line(0), Side::drug(1), Side { name: "drug_b".into(), table: 1 }];
    let screen =
        Screen::new("synergy", vec![cells, drugs], sides, Responses::new(entities, values, None).unwrap())
            .unwrap();
    let fitted = Naive::Effects.fit(&screen.all(), &context()).unwrap();
    let tables = [screen.table(0), screen.table(1), screen.table(2)];
    let query = Query { tables: &tables, tuples: Tuples::Listed(&[&[1, 0], &[1, 1], &[0, 2]]) };
    let predicted = fitted.predict(&query).unwrap();
    assert!((predicted[0] - 9.0).abs() < 1e-4 && (predicted[1] - 2.0).abs() < 1e-4, "{predicted:?}");
    for naive in [Naive::GlobalMean, Naive::DrugMean, Naive::CellMean] {
        assert!(
            naive
                .fit(&screen.all(), &context())
                .unwrap()
                .predict(&query)
                .unwrap()
                .iter()
                .all(|p| p.is_finite())
        );
    }
}

#[test]
fn a_fit_that_cannot_be_is_refused() {
    let screen = screen(&full());
    let mut nothing = screen.all();
    nothing.rows.clear();
    for naive in Naive::ALL {
        assert!(naive.fit(&nothing, &context()).unwrap_err().to_string().contains("have none"));
    }
    let cells = EntityTable::new((0..CELLS).map(|cell| format!("cell {cell}")), "cell line").unwrap();
    let bare = Screen { tables: vec![cells, screen.tables[1].clone()], ..screen };
    assert!(Naive::TissueDrugMean.fit(&bare.all(), &context()).unwrap_err().to_string().contains("tissue"));
}

#[test]
fn malformed_parts_and_queries_are_errors() {
    let screen = screen(&full());
    for naive in Naive::ALL {
        let fitted = naive.fit(&screen.all(), &context()).unwrap();
        let parts = fitted.stored().unwrap();
        for name in parts.tensors.keys() {
            for wrong in [
                None,
                Some(Tensor::F64(vec![])),
                Some(Tensor::U8(vec![1])),
                Some(Tensor::F64(vec![f64::NAN])),
            ] {
                let mut broken = parts.clone();
                match wrong {
                    None => broken.tensors.remove(name),
                    Some(tensor) => broken.tensors.insert(name.clone(), tensor),
                };
                assert!(FittedNaive::from_stored(&broken).is_err(), "{name}");
            }
        }
        for (key, value) in [
            ("sides", 0.into()),
            ("family", "boost".into()),
            ("terms", serde_json::json!([{"sides": [9], "ids": []}])),
        ] {
            let mut broken = parts.clone();
            broken.description[key] = value;
            assert!(FittedNaive::from_stored(&broken).is_err(), "{key}");
        }
        let tables = [screen.table(0)];
        assert!(fitted.predict(&Query { tables: &tables, tuples: Tuples::Grid(&[&[0]]) }).is_err());
        let tables = [screen.table(0), screen.table(1)];
        assert!(fitted.predict(&Query { tables: &tables, tuples: Tuples::Grid(&[&[99], &[0]]) }).is_err());
        assert_eq!(fitted.feature_shares(&tables).unwrap(), [1.0, 1.0]);
    }
}
