//! Metrics and intervals against values worked out another way.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use halfmax_core::Seed;
use halfmax_eval::{Resample, Scored};
use proptest::prelude::*;

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let (mx, my) = (mean(x), mean(y));
    let sum = |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(y).map(|(a, b)| f(a - mx, b - my)).sum::<f64>();
    sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt()
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let below = |v: f64| values.iter().filter(|x| **x < v).count() as f64;
    let equal = |v: f64| values.iter().filter(|x| **x == v).count() as f64;
    values.iter().map(|v| below(*v) + (equal(*v) + 1.0) / 2.0).collect()
}

/// A test set of `cells` × `drugs`: drugs differ, cell lines differ, predictions follow with an error.
struct Sample {
    cells: Vec<u32>,
    drugs: Vec<u32>,
    observed: Vec<f32>,
    predicted: Vec<f32>,
}

fn sample(cells: u32, drugs: u32) -> Sample {
    let noise = |at: u64| (Seed::new(7).derive(at).value() % 10_000) as f32 / 10_000.0 - 0.5;
    let mut sample = Sample { cells: vec![], drugs: vec![], observed: vec![], predicted: vec![] };
    for cell in 0..cells {
        for drug in 0..drugs {
            let at = u64::from(cell * drugs + drug);
            let signal = 5.0 * noise(1_000_000 + u64::from(drug)) + 2.0 * noise(2_000_000 + u64::from(cell));
            sample.cells.push(cell);
            sample.drugs.push(drug);
            sample.observed.push(signal + noise(at));
            sample.predicted.push(0.8 * signal + noise(3_000_000 + at));
        }
    }
    sample
}

impl Sample {
    fn scored(&self) -> Scored {
        Scored::new(&self.cells, &self.drugs, &self.observed, &self.predicted).unwrap()
    }
}

#[test]
fn hand_computed() {
    let scored = Scored::new(&[0, 1, 2, 3], &[0; 4], &[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 3.0, 5.0]).unwrap();
    let metrics = scored.metrics();
    assert_eq!(metrics.rmse(), Some(0.5f64.sqrt()));
    assert_eq!(metrics.mae(), Some(0.5));
    assert_eq!(metrics.r2(), Some(0.6));
    assert!((metrics.pearson().unwrap() - 6.0 / 40f64.sqrt()).abs() < 1e-12);
    assert!((metrics.spearman().unwrap() - 4.5 / (5.0f64 * 4.5).sqrt()).abs() < 1e-12);
    assert_eq!((metrics.per_drug_pearson(), metrics.n, metrics.drugs_counted), (None, 4, 0));
    let drug = &scored.per_drug(|drug| format!("drug {drug}"))[0];
    assert_eq!((drug.drug.as_str(), drug.n, drug.r2), ("drug 0", 4, Some(0.6)));
}

#[test]
fn what_is_not_defined_is_none() {
    let none = Scored::new(&[], &[], &[], &[]).unwrap();
    assert_eq!(none.metrics(), Default::default());
    assert_eq!(none.intervals(Resample::Cells, 10, Seed::new(1)).unwrap(), Default::default());
    let constant: Vec<f32> = vec![0.1; 30];
    let cells: Vec<u32> = (0..30).collect();
    let rising: Vec<f32> = (0..30).map(|at| at as f32 * 0.37).collect();
    let flat_prediction = Scored::new(&cells, &[0; 30], &rising, &constant).unwrap().metrics();
    assert_eq!((flat_prediction.pearson(), flat_prediction.spearman()), (None, None));
    assert_eq!((flat_prediction.per_drug_pearson(), flat_prediction.drugs_counted), (Some(0.0), 1));
    let flat_response = Scored::new(&cells, &[0; 30], &constant, &rising).unwrap().metrics();
    assert_eq!(
        (flat_response.r2(), flat_response.r2_within_drug(), flat_response.per_drug_pearson()),
        (None, None, None)
    );
    assert!(serde_json::to_value(flat_response).unwrap()["r2"].is_null());
    assert!(Scored::new(&[0], &[0], &[1.0], &[f32::NAN]).is_err());
    assert!(Scored::new(&[0], &[0, 1], &[1.0], &[1.0]).is_err());
}

#[test]
fn intervals_hold_the_estimate_and_do_not_depend_on_threads() {
    let scored = sample(80, 12).scored();
    let metrics = serde_json::to_value(scored.metrics()).unwrap();
    for resample in [Resample::Cells, Resample::Drugs] {
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| scored.intervals(resample, 200, Seed::new(3)).unwrap())
        };
        let intervals = on(1);
        assert_eq!(intervals, on(2));
        assert_eq!(intervals, on(8));
        assert_ne!(intervals, scored.intervals(resample, 200, Seed::new(4)).unwrap());
        for (name, bounds) in serde_json::to_value(intervals).unwrap().as_object().unwrap() {
            let (low, high) = (bounds[0].as_f64().unwrap(), bounds[1].as_f64().unwrap());
            let estimate = metrics[name].as_f64().unwrap();
            assert!(low < estimate && estimate < high, "{resample:?} {name}: {estimate} in {bounds}");
        }
    }
    assert!(scored.intervals(Resample::Cells, 9, Seed::new(1)).is_err());
}

/// Few responses of each drug: a variance about means estimated again in every draw put the intervals below their own estimates.
#[test]
fn intervals_of_sparse_screens_hold_the_truth() {
    let (cells, drugs, test_sets) = (60_u32, 60_u32, 120_u64);
    let noise = |seed: Seed, at: u32| {
        let draw =
            |part: u64| (seed.derive(4 * u64::from(at) + part).value() >> 11) as f64 / (1u64 << 53) as f64;
        (draw(0) + draw(1) + draw(2) - 1.5) * 2.0
    };
    let one = |seed: Seed| {
        let (mut cell, mut drug, mut observed, mut predicted) = (vec![], vec![], vec![], vec![]);
        for pair in (0..cells * drugs)
            .filter(|pair| seed.derive(7_000_000 + u64::from(*pair)).value().is_multiple_of(10))
        {
            let (line, compound) = (pair / drugs, pair % drugs);
            let level = 2.0 * noise(Seed::new(5), compound);
            let signal = level + noise(seed, 1_000_000 + line);
            cell.push(line);
            drug.push(compound);
            observed.push((signal + 0.8 * noise(seed, 2_000_000 + pair)) as f32);
            predicted.push((level + 0.7 * (signal - level) + 0.3 * noise(seed, 3_000_000 + pair)) as f32);
        }
        let scored = Scored::new(&cell, &drug, &observed, &predicted).unwrap();
        let interval = scored.intervals(Resample::Cells, 200, seed).unwrap().get("r2_within_drug").unwrap();
        (scored.metrics().r2_within_drug().unwrap(), interval)
    };
    let found: Vec<(f64, [f64; 2])> = (0..test_sets).map(|at| one(Seed::new(11).derive(at))).collect();
    assert!(found.iter().all(|(estimate, [low, high])| low < estimate && estimate < high));
    let truth = found.iter().map(|one| one.0).sum::<f64>() / test_sets as f64;
    let held = found.iter().filter(|(_, [low, high])| *low <= truth && truth <= *high).count();
    assert!((109..=119).contains(&held), "{held} of {test_sets} intervals hold {truth}");
}

/// Nothing says how much one cell line differs from others.
#[test]
fn a_single_entity_has_no_interval() {
    let one = Scored::new(&[0; 3], &[0, 1, 2], &[1.0, 2.0, 4.0], &[1.5, 2.5, 3.0]).unwrap();
    assert_eq!(one.intervals(Resample::Cells, 100, Seed::new(1)).unwrap(), Default::default());
    assert!(one.intervals(Resample::Drugs, 100, Seed::new(1)).unwrap().get("rmse").is_some());
}

/// The interval of a mean absolute error agrees with its normal theory: entities of one response each.
#[test]
fn the_interval_has_the_width_that_theory_gives() {
    let n = 2_000;
    let cells: Vec<u32> = (0..n).collect();
    let errors: Vec<f64> = (0..n)
        .map(|at| f64::from((Seed::new(5).derive(u64::from(at)).value() % 1000) as f32 / 1000.0))
        .collect();
    let predicted: Vec<f32> = errors.iter().map(|error| *error as f32).collect();
    let observed = vec![0.0; n as usize];
    let scored = Scored::new(&cells, &vec![0; n as usize], &observed, &predicted).unwrap();
    let [low, high] = scored.intervals(Resample::Cells, 2_000, Seed::new(1)).unwrap().get("mae").unwrap();
    let centre = mean(&errors);
    let deviation = (errors.iter().map(|error| (error - centre).powi(2)).sum::<f64>() / f64::from(n)).sqrt();
    let expected = 2.0 * 1.96 * deviation / f64::from(n).sqrt();
    assert!(((high - low) / expected - 1.0).abs() < 0.1, "{} {expected}", high - low);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn as_by_definition(rows in prop::collection::vec((0u32..40, 0u32..3, -50i32..50, -50i32..50), 90..200)) {
        let column = |of: fn(&(u32, u32, i32, i32)) -> f32| rows.iter().map(of).collect::<Vec<f32>>();
        let observed = column(|row| 1000.0 + row.2 as f32 / 8.0);
        let predicted = column(|row| 1000.0 + row.3 as f32 / 8.0);
        let cells: Vec<u32> = rows.iter().map(|row| row.0).collect();
        let drugs: Vec<u32> = rows.iter().map(|row| row.1).collect();
        let metrics = Scored::new(&cells, &drugs, &observed, &predicted).unwrap().metrics();
        let y: Vec<f64> = observed.iter().map(|v| f64::from(*v)).collect();
        let p: Vec<f64> = predicted.iter().map(|v| f64::from(*v)).collect();
        let sse: f64 = y.iter().zip(&p).map(|(a, b)| (a - b).powi(2)).sum();
        let sst = |y: &[f64]| y.iter().map(|v| (v - mean(y)).powi(2)).sum::<f64>();
        let (mut within, mut correlations) = (0.0, Vec::new());
        for drug in 0..3 {
            let at: Vec<usize> = (0..rows.len()).filter(|at| drugs[*at] == drug).collect();
            let take = |of: &[f64]| at.iter().map(|at| of[*at]).collect::<Vec<f64>>();
            within += sst(&take(&y));
            let distinct: std::collections::BTreeSet<u32> = at.iter().map(|at| cells[*at]).collect();
            if distinct.len() >= 20 {
                correlations.push(pearson(&take(&y), &take(&p)));
            }
        }
        let near = |found: Option<f64>, expected: f64| {
            (found.unwrap() - expected).abs() < 1e-9 * expected.abs().max(1.0)
        };
        prop_assert!(near(metrics.rmse(), (sse / y.len() as f64).sqrt()));
        prop_assert!(near(metrics.r2(), 1.0 - sse / sst(&y)));
        prop_assert!(near(metrics.pearson(), pearson(&y, &p)));
        prop_assert!(near(metrics.spearman(), pearson(&ranks(&y), &ranks(&p))));
        prop_assert!(near(metrics.r2_within_drug(), 1.0 - sse / within));
        prop_assert_eq!(metrics.drugs_counted, correlations.len());
        if !correlations.is_empty() {
            prop_assert!(near(metrics.per_drug_pearson(), mean(&correlations)));
        }
    }
}
