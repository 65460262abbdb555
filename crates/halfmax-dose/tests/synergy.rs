//! Combinations with known truth.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod common;

use common::normal;
use halfmax_core::Seed;
use halfmax_dose::LogLogistic;
use halfmax_dose::synergy::*;
use proptest::prelude::*;

/// The tested doses of a drug: 0, then a geometric series.
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

/// The largest absolute score of a model. Every cell with both drugs must have a score.
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

/// A drug without effect at dose 0, with an EC50 within doses 1 to 3^5.
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

/// A combination above independence by 15 points everywhere: Bliss finds it exactly, ZIP nearly.
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

/// The number of 100 intervals of a model's mean score that cover the truth, 0.
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

/// With four replicates, bootstrap percentiles cover slightly less than 95 %.
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

/// The percentage of blocks without synergy with a p value below 5 %.
fn below(model: SynergyModel, blocks: u64, replicates: usize) -> f64 {
    let scorer = SynergyParams { models: vec![model], ..SynergyParams::default() }.check().unwrap();
    let doses = doses(1.0, 3.0, 5);
    let is_below = |block: &u64| {
        let mut readings = Vec::new();
        for (x, y) in doses.iter().flat_map(|x| doses.iter().map(move |y| (*x, *y))) {
            for _ in 0..replicates {
                let error = 5.0 * normal(1_000_000 + *block, readings.len() as u64);
                readings.push([x, y, 100.0 * (1.0 - A.at(x) * B.at(y)) + error]);
            }
        }
        let scores = scorer.score(&DoseMatrix::new(&readings).unwrap(), Seed::new(*block));
        let summary = scores.models[0].summary;
        let [low, high] = summary.interval;
        assert!(
            summary.p_value >= 0.05 || low > 0.0 || high < 0.0 || low == summary.mean || high == summary.mean
        );
        summary.p_value < 0.05
    };
    let found = (0..blocks).filter(is_below).count() as f64 * 100.0 / blocks as f64;
    println!("{model:?}, {replicates} replicates: {found:.1} % of p values are below 0.05");
    found
}

#[test]
fn p_values_of_blocks_without_synergy_are_uniform() {
    for replicates in [2, 3, 4] {
        let found = below(SynergyModel::Bliss, 4000, replicates);
        assert!((4.0..=6.0).contains(&found), "{found}");
    }
    // The fits of ZIP are slightly biased, and 300 blocks determine the percentage to 1.5 points.
    let found = below(SynergyModel::Zip, 300, 3);
    assert!((2.0..=10.0).contains(&found), "{found}");
    let single = matrix(&doses(1.0, 3.0, 5), &doses(1.0, 3.0, 5), |x, y| 100.0 * (1.0 - A.at(x) * B.at(y)));
    let summary = scores(&single).models[1].summary;
    assert!(summary.p_value.is_nan(), "without replicates there is no p value");
}

/// Three drugs over three doses each, and none.
fn three(viability: impl Fn(f64, f64, f64) -> f64) -> MultiMatrix {
    let doses = doses(3.0, 4.0, 4);
    let mut readings = Vec::new();
    for (x, y) in doses.iter().flat_map(|x| doses.iter().map(move |y| (*x, *y))) {
        readings.extend(doses.iter().map(|z| (vec![x, y, *z], 100.0 * (1.0 - viability(x, y, *z)))));
    }
    MultiMatrix::new(&readings).unwrap()
}

const C: LogLogistic = LogLogistic { top: 1.0, bottom: 0.1, ec50: 20.0, hill: 2.0 };

#[test]
fn three_drugs_are_scored_as_three() {
    let scorer = SynergyParams::default().check().unwrap();
    let independent = three(|x, y, z| A.at(x) * B.at(y) * C.at(z));
    let scores = scorer.score_many(&independent, Seed::new(1));
    assert_eq!(scores.flags.to_string(), "no_replicates");
    let given = |cell: usize| (0..3).filter(|drug| independent.dose(cell, *drug) > 0.0).count();
    for model in [SynergyModel::Bliss, SynergyModel::Zip] {
        let found = scores.of(model).unwrap();
        for cell in 0..independent.len() {
            let score = found.score[cell];
            assert_eq!(score.is_nan(), given(cell) < 2, "{model:?}");
            assert!(score.is_nan() || score.abs() < 0.01, "{model:?}: {score}");
        }
        assert_eq!(found.summary.cells, 64, "means are over the cells with all three");
        assert!(found.summary.window.is_none());
    }
    // The highest single agent: inhibitions of each drug alone at the highest doses.
    let last = independent.len() - 1;
    let doses = [0, 1, 2].map(|drug| independent.dose(last, drug));
    let alone = [A.at(doses[0]), B.at(doses[1]), C.at(doses[2])].map(|viability| 100.0 * (1.0 - viability));
    let hsa = scores.of(SynergyModel::Hsa).unwrap();
    assert!((hsa.reference[last] - alone[2].max(alone[0]).max(alone[1])).abs() < 1e-12);
    let sham = three(|x, y, z| A.at(x + y + z));
    let scores = scorer.score_many(&sham, Seed::new(1));
    let loewe = scores.of(SynergyModel::Loewe).unwrap();
    for score in loewe.score.iter().filter(|score| !score.is_nan()) {
        assert!(score.abs() < 0.01, "a drug with itself and itself: {score}");
    }
    // An effect of only all three together does not affect the pairs.
    let boosted = three(|x, y, z| {
        let together = if x > 0.0 && y > 0.0 && z > 0.0 { 0.8 } else { 1.0 };
        A.at(x) * B.at(y) * C.at(z) * together
    });
    let scores = scorer.score_many(&boosted, Seed::new(1));
    let triples = (0..boosted.len()).filter(|cell| given(*cell) == 3);
    let together = triples.map(|cell| {
        let [x, y, z] = [0, 1, 2].map(|drug| boosted.dose(cell, drug));
        100.0 * 0.2 * A.at(x) * B.at(y) * C.at(z)
    });
    let truth = together.sum::<f64>() / 64.0;
    for (model, tolerance) in [(SynergyModel::Bliss, 1e-9), (SynergyModel::Zip, 0.3)] {
        let found = scores.of(model).unwrap();
        assert!((found.summary.mean - truth).abs() < tolerance, "{model:?}: {} {truth}", found.summary.mean);
        let of_pairs =
            (0..boosted.len()).filter(|cell| given(*cell) == 2).map(|cell| found.score[cell].abs());
        assert!(of_pairs.fold(0.0, f64::max) < 0.01, "{model:?}");
    }
}

#[test]
fn two_drugs_score_alike_as_many() {
    let block = independent(4);
    let mut readings = Vec::new();
    for cell in 0..block.len() {
        let [a, b] = block.at(cell);
        let doses = vec![block.doses(0)[a], block.doses(1)[b]];
        readings.extend(block.readings(cell).iter().map(|reading| (doses.clone(), *reading)));
    }
    let scorer = SynergyParams::default().check().unwrap();
    let many = scorer.score_many(&MultiMatrix::new(&readings).unwrap(), Seed::new(1));
    assert_eq!(format!("{many:?}"), format!("{:?}", scorer.score(&block, Seed::new(1))));
}

#[test]
fn missing_cells_are_filled_in_on_request_only() {
    let doses = doses(1.0, 3.0, 6);
    let gaps = [(3.0, 0.0), (9.0, 27.0), (81.0, 1.0)];
    let truth = |x: f64, y: f64| 100.0 * (1.0 - A.at(x) * B.at(y));
    let with_gaps =
        matrix(&doses, &doses, |x, y| if gaps.contains(&(x, y)) { f64::NAN } else { truth(x, y) });
    let kept = scores(&with_gaps);
    assert!(kept.imputed.iter().all(|imputed| !imputed));
    assert_eq!(kept.flags.to_string(), "missing_cells;cells_without_reference;no_replicates");
    let params = SynergyParams { missing: Missing::Imputed, ..SynergyParams::default() };
    let filled = params.check().unwrap().score(&with_gaps, Seed::new(1));
    for cell in 0..with_gaps.len() {
        let [a, b] = with_gaps.at(cell);
        let (x, y) = (doses[a], doses[b]);
        assert_eq!(filled.imputed[cell], gaps.contains(&(x, y)));
        assert!((filled.response[cell] - truth(x, y)).abs() < 0.1, "{x} {y}: {}", filled.response[cell]);
    }
    let bliss = filled.of(SynergyModel::Bliss).unwrap();
    assert_eq!((bliss.summary.cells, bliss.summary.measured), (36, 34));
    assert!(filled.flags.contains(BlockFlag::Imputed));
    let replicated = noisy(5, |x, y| if (x, y) == (9.0, 27.0) { f64::NAN } else { A.at(x) * B.at(y) });
    let params = SynergyParams { missing: Missing::Imputed, ..SynergyParams::default() };
    let filled = params.check().unwrap().score(&replicated, Seed::new(1));
    let bliss = filled.of(SynergyModel::Bliss).unwrap();
    for (cell, score) in bliss.score.iter().enumerate().filter(|(_, score)| !score.is_nan()) {
        assert_eq!(bliss.interval[0][cell].is_nan(), filled.imputed[cell], "{cell}: {score}");
    }
}

#[test]
fn doses_tested_alone_only_are_no_gaps() {
    let mut readings = vec![[0.0, 0.0, 0.0]];
    for dose in [1.0, 2.0, 4.0, 8.0, 16.0] {
        readings.push([dose, 0.0, 100.0 * (1.0 - A.at(dose))]);
        readings.push([0.0, dose, 100.0 * (1.0 - B.at(dose))]);
    }
    // Together at every other dose: 1, 4 and 16.
    for x in [1.0, 4.0, 16.0] {
        readings.extend([1.0, 4.0, 16.0].map(|y| [x, y, 110.0 - 100.0 * A.at(x) * B.at(y)]));
    }
    let found = scores(&DoseMatrix::new(&readings).unwrap());
    assert!(!found.flags.contains(BlockFlag::MissingCells));
    let window = found.of(SynergyModel::Bliss).unwrap().summary.window.unwrap();
    assert!((window.mean - 10.0).abs() < 1e-9 && window.doses_a == [1.0, 16.0]);
}

/// Steep curves with an error of 5 points: the common properties of all blocks improve the ZIP scores of single blocks.
#[test]
fn blocks_learn_from_each_other() {
    let blocks: Vec<DoseMatrix> = (0..60)
        .map(|block| {
            let draw =
                |at: u64| (Seed::new(77).derive(10 * block + at).value() >> 11) as f64 / (1u64 << 53) as f64;
            let drug = |at: u64| LogLogistic {
                top: 1.0,
                bottom: 0.3 * draw(at),
                ec50: 3.0 + 40.0 * draw(at + 1),
                hill: 4.0,
            };
            let (a, b) = (drug(0), drug(2));
            let doses = doses(1.0, 3.0, 5);
            let error = std::cell::Cell::new(0);
            matrix(&doses, &doses, |x, y| {
                error.set(error.get() + 1);
                100.0 * (1.0 - a.at(x) * b.at(y)) + 5.0 * normal(9000 + block, error.get())
            })
        })
        .collect();
    let alone = SynergyParams::default().check().unwrap();
    let together = alone.learning_from(&blocks);
    let error = |scorer: &SynergyScorer| {
        let squares = blocks.iter().flat_map(|block| {
            let scores = scorer.score(block, Seed::new(1));
            let zip = scores.of(SynergyModel::Zip).unwrap().score.clone();
            zip.into_iter().filter(|score| !score.is_nan()).map(|score| score * score)
        });
        let (sum, count) = squares.fold((0.0, 0.0), |(sum, count), square| (sum + square, count + 1.0));
        f64::sqrt(sum / count)
    };
    let (own, learnt) = (error(&alone), error(&together));
    println!("root mean square ZIP score of independent drugs: {own:.2} alone, {learnt:.2} learnt");
    assert!(learnt < 0.95 * own, "{learnt} {own}");
    let [mean, _] = together.learnt().ln_hill.unwrap();
    assert!((mean.exp() - 4.0).abs() < 0.8, "{}", mean.exp());
    assert!(alone.learning_from(&blocks[..5]).learnt().ln_hill.is_none(), "ten curves say too little");
}

#[test]
fn matrices_that_cannot_be_are_refused() {
    let error = |readings: &[(Vec<f64>, f64)]| MultiMatrix::new(readings).unwrap_err().to_string();
    assert!(error(&[]).contains("two or more"));
    assert!(error(&[(vec![1.0, 0.0, 0.0], 5.0), (vec![1.0, 0.0], 5.0)]).contains("expected 3 numbers"));
    assert!(error(&[(vec![1.0, 0.0, -1.0], 5.0)]).contains("0 or above"));
    let pairs = [(vec![1.0, 0.0, 0.0], 5.0), (vec![0.0, 1.0, 0.0], 5.0), (vec![0.0, 1.0, 1.0], 5.0)];
    assert!(error(&pairs).contains("the third drug was not measured alone"), "{}", error(&pairs));
    let many: Vec<(Vec<f64>, f64)> = (0..100).map(|at| (vec![f64::from(at); 4], 1.0)).collect();
    assert!(error(&many).contains("100000000 cells"), "{}", error(&many));
}
