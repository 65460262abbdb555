//! Combinations whose truth is known.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use halfmax_core::Seed;
use halfmax_dose::LogLogistic;
use halfmax_dose::synergy::*;
use proptest::prelude::*;

/// Doses over which a drug is tested: 0, then by a constant factor.
fn doses(lowest: f64, factor: f64, count: i32) -> Vec<f64> {
    std::iter::once(0.0).chain((0..count).map(|at| lowest * factor.powi(at))).collect()
}

/// The matrix of a function of both doses, in percent of inhibition.
fn matrix(a: &[f64], b: &[f64], inhibition: impl Fn(f64, f64) -> f64) -> DoseMatrix {
    let mut readings = Vec::new();
    for dose_a in a {
        readings.extend(b.iter().map(|dose_b| [*dose_a, *dose_b, inhibition(*dose_a, *dose_b)]));
    }
    DoseMatrix::new(&readings).unwrap()
}

fn scores(matrix: &DoseMatrix) -> BlockScores {
    SynergyParams::default().check().unwrap().score(matrix, Seed::new(1))
}

/// The largest score of a model in absolute value; there must be one for every cell with both drugs.
fn largest(matrix: &DoseMatrix, scores: &BlockScores, model: SynergyModel) -> f64 {
    let score = &scores.of(model).unwrap().score;
    (0..matrix.len())
        .filter(|cell| matrix.is_combination(*cell))
        .map(|cell| {
            assert!(!score[cell].is_nan(), "{model:?}: cell {cell} has no score");
            score[cell].abs()
        })
        .fold(0.0, f64::max)
}

/// A drug without effect at dose 0, whose EC50 lies within doses 1 to 3^5.
fn drug() -> impl Strategy<Value = LogLogistic> {
    (0.0..0.7, 3.0_f64..90.0, 0.5..4.0).prop_map(|(bottom, ec50, hill)| LogLogistic {
        top: 1.0,
        bottom,
        ec50,
        hill,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_drug_with_itself_is_loewe_additive(drug in drug()) {
        let doses = doses(1.0, 3.0, 6);
        let matrix = matrix(&doses, &doses, |a, b| 100.0 * (1.0 - drug.at(a + b)));
        let found = scores(&matrix);
        let off = largest(&matrix, &found, SynergyModel::Loewe);
        prop_assert!(off < 0.002, "{drug:?}: {off}");
    }

    #[test]
    fn independent_drugs_have_no_bliss_and_no_zip_score(a in drug(), b in drug()) {
        let doses = doses(1.0, 3.0, 6);
        let matrix = matrix(&doses, &doses, |x, y| 100.0 * (1.0 - a.at(x) * b.at(y)));
        let found = scores(&matrix);
        let bliss = largest(&matrix, &found, SynergyModel::Bliss);
        prop_assert!(bliss < 1e-9, "{a:?} {b:?}: Bliss {bliss}");
        let zip = largest(&matrix, &found, SynergyModel::Zip);
        prop_assert!(zip < 0.002, "{a:?} {b:?}: ZIP {zip}");
    }

    #[test]
    fn scores_do_not_depend_on_which_drug_comes_first(a in drug(), b in drug(), boost in -20.0..20.0) {
        let (doses_a, doses_b) = (doses(1.0, 3.0, 5), doses(0.5, 4.0, 4));
        let effect = |x: f64, y: f64| {
            let together = if x > 0.0 && y > 0.0 { boost } else { 0.0 };
            100.0 * (1.0 - a.at(x) * b.at(y)) + together
        };
        let one = matrix(&doses_a, &doses_b, effect);
        let other = matrix(&doses_b, &doses_a, |y, x| effect(x, y));
        let (found, swapped) = (scores(&one), scores(&other));
        for model in SynergyModel::ALL {
            let [here, there] = [&found, &swapped].map(|scores| scores.of(model).unwrap().summary.mean);
            prop_assert!((here - there).abs() < 1e-6, "{model:?}: {here} {there}");
        }
    }
}

/// A combination above independence by 15 points everywhere: Bliss says so to the digit, ZIP nearly.
#[test]
fn synergy_has_the_size_that_was_put_in() {
    let a = LogLogistic { top: 1.0, bottom: 0.3, ec50: 9.0, hill: 1.0 };
    let b = LogLogistic { top: 1.0, bottom: 0.4, ec50: 27.0, hill: 1.5 };
    let doses = doses(1.0, 3.0, 6);
    let matrix = matrix(&doses, &doses, |x, y| {
        let together = if x > 0.0 && y > 0.0 { 15.0 } else { 0.0 };
        100.0 * (1.0 - a.at(x) * b.at(y)) + together
    });
    let found = scores(&matrix);
    let mean = |model| found.of(model).unwrap().summary.mean;
    assert!((mean(SynergyModel::Bliss) - 15.0).abs() < 1e-9);
    assert!((mean(SynergyModel::Zip) - 15.0).abs() < 2.0, "{}", mean(SynergyModel::Zip));
    assert!(mean(SynergyModel::Hsa) > 15.0);
}

fn normal(seed: u64, at: u64) -> f64 {
    let uniform = |which: u64| {
        let bits = Seed::new(seed).derive(2 * at + which).value() >> 11;
        (bits as f64 + 0.5) / (1u64 << 53) as f64
    };
    (-2.0 * uniform(0).ln()).sqrt() * (std::f64::consts::TAU * uniform(1)).cos()
}

/// Four replicates, with errors of 5 points, of a function of both doses.
fn noisy(seed: u64, viability: impl Fn(f64, f64) -> f64) -> DoseMatrix {
    let doses = doses(1.0, 3.0, 5);
    let mut readings = Vec::new();
    for (x, y) in doses.iter().flat_map(|x| doses.iter().map(move |y| (*x, *y))) {
        for _ in 0..4 {
            let error = 5.0 * normal(seed, readings.len() as u64);
            readings.push([x, y, 100.0 * (1.0 - viability(x, y)) + error]);
        }
    }
    DoseMatrix::new(&readings).unwrap()
}

const A: LogLogistic = LogLogistic { top: 1.0, bottom: 0.2, ec50: 9.0, hill: 1.0 };
const B: LogLogistic = LogLogistic { top: 1.0, bottom: 0.4, ec50: 27.0, hill: 1.5 };

fn independent(seed: u64) -> DoseMatrix {
    noisy(seed, |x, y| A.at(x) * B.at(y))
}

/// How many of 100 intervals of a model's mean score hold the truth, which is 0.
fn held(model: SynergyModel, matrix: impl Fn(u64) -> DoseMatrix) -> f64 {
    const BLOCKS: u64 = 400;
    let scorer = SynergyParams { models: vec![model], ..SynergyParams::default() }.check().unwrap();
    let holds = |block: &u64| {
        let [low, high] = scorer.score(&matrix(*block), Seed::new(*block)).models[0].summary.interval;
        low <= 0.0 && 0.0 <= high
    };
    let held = (0..BLOCKS).filter(holds).count() as f64 * 100.0 / BLOCKS as f64;
    println!("{model:?}: {held:.1} % of the intervals hold the truth");
    held
}

/// With four replicates, percentiles of the bootstrap hold a little less than 95 %.
#[test]
fn intervals_hold_the_true_mean_score() {
    for model in [SynergyModel::Bliss, SynergyModel::Zip] {
        assert!((90.0..=98.0).contains(&held(model, independent)));
    }
    let sham = |seed| noisy(seed, |x, y| A.at(x + y));
    assert!((90.0..=98.0).contains(&held(SynergyModel::Loewe, sham)));
}

#[test]
fn intervals_do_not_depend_on_the_number_of_threads() {
    let scorer = SynergyParams::default().check().unwrap();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| scorer.score(&independent(3), Seed::new(5)))
    };
    let texts = [1, 2, 3].map(|threads| format!("{:?}", on(threads)));
    assert!(texts[0] == texts[1] && texts[1] == texts[2]);
    assert!(texts[0] != format!("{:?}", scorer.score(&independent(3), Seed::new(6))));
}
