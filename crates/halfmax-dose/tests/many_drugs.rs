//! Combination indices and sensitivity scores of three or more drugs with known truth.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use halfmax_dose::LogLogistic;
use halfmax_dose::synergy::*;
use proptest::prelude::*;

/// Every combination of doses of some drugs, each given with 0 first.
fn grid(doses: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut cells = vec![Vec::new()];
    for of_drug in doses {
        let longer = |cell: &Vec<f64>| {
            let cell = cell.clone();
            of_drug.iter().map(move |dose| [cell.clone(), vec![*dose]].concat())
        };
        cells = cells.iter().flat_map(longer).collect();
    }
    cells
}

/// The matrix of a function of all doses, in percent of inhibition.
fn matrix(doses: &[Vec<f64>], inhibition: impl Fn(&[f64]) -> f64) -> MultiMatrix {
    let readings: Vec<(Vec<f64>, f64)> = grid(doses)
        .into_iter()
        .map(|cell| {
            let inhibition = inhibition(&cell);
            (cell, inhibition)
        })
        .collect();
    MultiMatrix::new(&readings).unwrap()
}

fn indices(matrix: &MultiMatrix) -> CombinationIndex {
    let means = matrix.means();
    combination_index_of_many(matrix, &means, &hill_curves_of_many(matrix, &means))
}

fn given(matrix: &MultiMatrix, cell: usize) -> usize {
    (0..matrix.drugs()).filter(|drug| matrix.dose(cell, *drug) > 0.0).count()
}

/// 0 and six doses, each four times the last.
fn doses() -> Vec<f64> {
    std::iter::once(0.0).chain((0..6).map(|at| 0.1 * 4.0_f64.powi(at))).collect()
}

/// `[EC50, Hill slope]` of drugs that kill every cell in the end.
const DRUGS: [[f64; 2]; 4] = [[3.0, 1.0], [8.0, 1.6], [0.7, 0.8], [20.0, 2.2]];

/// The inhibition at which the dose fractions sum to 1, by bisection on its logit: the definition of Loewe additivity,
/// without a curve of this crate.
fn additive(cell: &[f64]) -> f64 {
    let dose_alone = |drug: usize, logit: f64| DRUGS[drug][0] * (logit / DRUGS[drug][1]).exp();
    let shares = |logit: f64| -> f64 {
        cell.iter().enumerate().map(|(drug, dose)| dose / dose_alone(drug, logit)).sum()
    };
    if cell.iter().all(|dose| *dose == 0.0) {
        return 0.0;
    }
    let (mut low, mut high) = (-200.0, 200.0);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if shares(middle) > 1.0 { low = middle } else { high = middle }
    }
    100.0 / (1.0 + f64::exp(-low))
}

#[test]
fn every_cell_of_an_additive_surface_has_an_index_of_one() {
    for drugs in [3, 4] {
        let doses = if drugs == 3 { doses() } else { vec![0.0, 0.4, 2.0, 9.0, 60.0] };
        let matrix = matrix(&vec![doses; drugs], additive);
        let found = indices(&matrix);
        let (mut pairs, mut all) = (0, 0);
        for cell in 0..matrix.len() {
            let [line, curve] = [&found.median_effect, &found.loewe].map(|indices| indices.index[cell]);
            if given(&matrix, cell) < 2 {
                assert!(line.is_nan() && curve.is_nan() && found.loewe.why[cell].is_none());
                continue;
            }
            pairs += usize::from(given(&matrix, cell) == 2);
            all += usize::from(given(&matrix, cell) == drugs);
            assert!((line - 1.0).abs() < 1e-6, "{drugs} drugs, cell {cell}: {line}");
            assert!((curve - 1.0).abs() < 0.02, "{drugs} drugs, cell {cell}: {curve}");
        }
        assert_eq!((pairs, all), if drugs == 3 { (108, 216) } else { (96, 256) });
        assert_eq!([found.loewe.cells, found.median_effect.cells], [all; 2]);
        for (line, [ec50, hill]) in found.lines.iter().zip(DRUGS) {
            let line = line.unwrap();
            assert!((line.dm / ec50 - 1.0).abs() < 1e-6 && (line.m / hill - 1.0).abs() < 1e-6, "{line:?}");
        }
    }
}

/// Two drugs act like twice the doses, three like three times: indices of a half and a third, and the mean is the index
/// of three drugs.
#[test]
fn doses_that_count_for_more_have_the_index_of_their_share() {
    let matrix = matrix(&vec![doses(); 3], |cell| {
        let together = cell.iter().filter(|dose| **dose > 0.0).count().max(1) as f64;
        additive(&cell.iter().map(|dose| together * dose).collect::<Vec<f64>>())
    });
    let found = indices(&matrix).median_effect;
    for cell in (0..matrix.len()).filter(|cell| given(&matrix, *cell) > 1) {
        let expected = 1.0 / given(&matrix, cell) as f64;
        assert!((found.index[cell] - expected).abs() < 1e-6, "cell {cell}: {}", found.index[cell]);
    }
    assert!((found.mean - 1.0 / 3.0).abs() < 1e-6 && found.cells == 216, "{} {}", found.mean, found.cells);
}

/// Two points on each line, as in the test of two drugs, and a third drug with the line of the first.
#[test]
fn the_index_of_three_drugs_by_hand() {
    let readings = [
        ([1.0, 0.0, 0.0], 20.0),
        ([4.0, 0.0, 0.0], 50.0),
        ([0.0, 2.0, 0.0], 50.0),
        ([0.0, 8.0, 0.0], 80.0),
        ([0.0, 0.0, 1.0], 20.0),
        ([0.0, 0.0, 4.0], 50.0),
        ([1.0, 2.0, 4.0], 80.0),
        ([1.0, 2.0, 0.0], 80.0),
        ([4.0, 2.0, 1.0], 100.0),
    ];
    let readings: Vec<(Vec<f64>, f64)> = readings.map(|(doses, reading)| (doses.to_vec(), reading)).to_vec();
    let matrix = MultiMatrix::new(&readings).unwrap();
    let found = indices(&matrix);
    let cell = |doses: [f64; 3]| {
        let is = |cell: &usize| (0..3).all(|drug| matrix.dose(*cell, drug) == doses[drug]);
        (0..matrix.len()).find(is).unwrap()
    };
    // 80 % takes 16 of the first or third drug or 8 of the second.
    let expected =
        [([1.0, 2.0, 4.0], 1.0 / 16.0 + 2.0 / 8.0 + 4.0 / 16.0), ([1.0, 2.0, 0.0], 1.0 / 16.0 + 2.0 / 8.0)];
    for (doses, expected) in expected {
        let index = found.median_effect.index[cell(doses)];
        assert!((index - expected).abs() < 1e-12, "{doses:?}: {index}");
    }
    let last = cell([4.0, 2.0, 1.0]);
    assert_eq!(found.median_effect.why[last], Some(NoIndex::EffectOutside0To100));
    assert_eq!(found.loewe.why[last], Some(NoIndex::NoCurve));
    assert_eq!(found.median_effect.cells, 1, "one cell with all three drugs has an index");
    assert!((found.median_effect.mean - 0.5625).abs() < 1e-12);
}

#[test]
fn drugs_that_an_effect_lies_beyond_are_named() {
    let curve = |bottom: f64| LogLogistic { top: 1.0, bottom, ec50: 2.0, hill: 1.0 };
    let drugs = [curve(0.6), curve(0.0), curve(0.7)];
    let matrix = matrix(&vec![doses(); 3], |cell| {
        100.0 * (1.0 - cell.iter().zip(&drugs).map(|(dose, drug)| drug.at(*dose)).product::<f64>())
    });
    let found = indices(&matrix).loewe;
    let last = matrix.len() - 1;
    assert_eq!(found.why[last], Some(NoIndex::Beyond(DrugSet::of(&[0, 2]))));
    assert_eq!(found.why[last].unwrap().name(3), "beyond_drugs_a_c");
    // The highest doses of the first two drugs without the third, so the range of the third does not matter.
    let pair = last - 6;
    assert_eq!(matrix.dose(pair, 2), 0.0);
    assert_eq!(found.why[pair].unwrap().name(3), "beyond_drug_a");
    assert!(found.index[last].is_nan() && found.index[pair].is_nan());
    assert_eq!(NoIndex::Beyond(DrugSet::of(&[0, 1])).name(2), "beyond_both");
    // If every effect is within reach, each index is the sum by the true curves.
    let known: Vec<usize> = (0..matrix.len()).filter(|cell| !found.index[*cell].is_nan()).collect();
    assert!(known.len() > 30, "{}", known.len());
    let means = matrix.means();
    for cell in known {
        let sum: f64 = (0..3)
            .filter(|drug| matrix.dose(cell, *drug) > 0.0)
            .map(|drug| {
                // f = Emax d / (EC50 + d), solved for d.
                let (most, effect) = (1.0 - drugs[drug].bottom, means[cell] / 100.0);
                matrix.dose(cell, drug) / (2.0 * effect / (most - effect))
            })
            .sum();
        assert!((found.index[cell] / sum - 1.0).abs() < 0.02, "{cell}: {} {sum}", found.index[cell]);
    }
}

/// The block of two of the drugs, without the others.
fn pair(matrix: &MultiMatrix, [a, b]: [usize; 2]) -> DoseMatrix {
    let means = matrix.means();
    let face = (0..matrix.len()).filter(|cell| {
        (0..matrix.drugs()).all(|drug| [a, b].contains(&drug) || matrix.dose(*cell, drug) == 0.0)
    });
    let reading = |cell: usize| [matrix.dose(cell, a), matrix.dose(cell, b), means[cell]];
    DoseMatrix::new(&face.map(reading).collect::<Vec<[f64; 3]>>()).unwrap()
}

#[test]
fn css_of_three_drugs_is_the_mean_over_their_pairs() {
    let drugs = [[0.4, 3.0, 1.0], [0.1, 1.0, 1.4], [0.2, 9.0, 0.9]];
    let at =
        |[bottom, ec50, hill]: [f64; 3], dose: f64| LogLogistic { top: 1.0, bottom, ec50, hill }.at(dose);
    // An effect of only all three together does not contribute.
    let matrix = matrix(&vec![doses(); 3], |cell| {
        let together = if cell.iter().all(|dose| *dose > 0.0) { 0.5 } else { 1.0 };
        100.0 * (1.0 - together * cell.iter().zip(drugs).map(|(dose, drug)| at(drug, *dose)).product::<f64>())
    });
    let found = sensitivity_of_many(&matrix, &matrix.means());
    let pairs = [[0, 1], [0, 2], [1, 2]].map(|two| {
        let block = pair(&matrix, two);
        sensitivity(&block, &block.means())
    });
    let mean = pairs.iter().map(|found| found.css).sum::<f64>() / 3.0;
    assert!((found.css - mean).abs() < 1e-9, "{} {mean}", found.css);
    for (one, expected) in [
        (found.css_each[0], [pairs[0].css_each[0], pairs[1].css_each[0]]),
        (found.css_each[1], [pairs[0].css_each[1], pairs[2].css_each[0]]),
        (found.css_each[2], [pairs[1].css_each[1], pairs[2].css_each[1]]),
    ] {
        assert!((one - (expected[0] + expected[1]) / 2.0).abs() < 1e-9, "{one} {expected:?}");
    }
    assert_eq!(found.ri[2], pairs[1].ri[1]);
    assert!(found.s_sum.is_nan() && found.s_max.is_nan() && found.s_mean.is_nan());
    assert!(pairs.iter().all(|found| found.s_sum.is_finite() && found.missing_pairs.is_empty()));
    // The mean over the logarithm of the dose, by the midpoints of many steps: RI of the third drug, alone and on top
    // of half the effect of the first.
    let steps = 20_000;
    let dose = |at: u32| 0.1 * 1024.0_f64.powf((f64::from(at) + 0.5) / f64::from(steps));
    let mean = |above: f64| {
        (0..steps).map(|step| 100.0 * (1.0 - above * at(drugs[2], dose(step)))).sum::<f64>()
            / f64::from(steps)
    };
    assert!((found.ri[2] - mean(1.0)).abs() < 0.02, "{} {}", found.ri[2], mean(1.0));
    // At its relative IC50, a drug has the mean of its plateaus.
    let expected = (mean(0.7) + mean(0.55)) / 2.0;
    assert!((found.css_each[2] - expected).abs() < 0.1, "{} {expected}", found.css_each[2]);
}

#[test]
fn a_pair_that_was_not_measured_leaves_no_css_and_is_named() {
    let without: Vec<(Vec<f64>, f64)> = grid(&vec![doses(); 3])
        .into_iter()
        .filter(|cell| !(cell[0] > 0.0 && cell[1] == 0.0 && cell[2] > 0.0))
        .map(|cell| (cell.clone(), additive(&cell)))
        .collect();
    let matrix = MultiMatrix::new(&without).unwrap();
    let found = sensitivity_of_many(&matrix, &matrix.means());
    assert_eq!(found.missing_pairs, [[0, 2]]);
    assert!(found.css.is_nan() && found.css_each[0].is_nan() && found.css_each[1].is_finite());
    assert!(found.ri.iter().chain(&found.relative_ic50).all(|value| value.is_finite()));
    // The index does not need this reading.
    let index = indices(&matrix).loewe;
    assert!((index.mean - 1.0).abs() < 0.01 && index.cells == 216, "{}", index.mean);
}

#[test]
fn two_drugs_have_the_same_answers_as_many() {
    let two = pair(&matrix(&vec![doses(); 3], additive), [0, 2]);
    let (many, means) = (MultiMatrix::from(two.clone()), two.means());
    let curves = hill_curves(&two, &means);
    assert_eq!(hill_curves_of_many(&many, &means), curves);
    let [one, other] =
        [combination_index(&two, &means, curves), combination_index_of_many(&many, &means, &curves)];
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
    assert_eq!(sensitivity(&two, &means), sensitivity_of_many(&many, &means));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 300, ..ProptestConfig::default() })]

    /// For any readings, an index is above 0, and a cell of two drugs with a reading has an index or a reason.
    #[test]
    fn any_readings_have_indices_or_reasons(
        cells in prop::collection::vec((prop::collection::vec(0_u8..4, 3), -30.0..130.0), 1..40),
        alone in prop::collection::vec(-20.0..120.0, 9),
    ) {
        let mut readings: Vec<(Vec<f64>, f64)> = cells
            .into_iter()
            .map(|(doses, value)| (doses.into_iter().map(f64::from).collect(), value))
            .collect();
        for (at, value) in alone.into_iter().enumerate() {
            let mut doses = vec![0.0; 3];
            doses[at / 3] = (at % 3 + 1) as f64;
            readings.push((doses, value));
        }
        let matrix = MultiMatrix::new(&readings).unwrap();
        let (found, means) = (indices(&matrix), matrix.means());
        for indices in [&found.median_effect, &found.loewe] {
            for (cell, mean) in means.iter().enumerate() {
                let expected = matrix.is_combination(cell) && !mean.is_nan();
                prop_assert_eq!(!indices.index[cell].is_nan() || indices.why[cell].is_some(), expected);
                prop_assert!(indices.index[cell].is_nan() != (indices.index[cell] > 0.0));
            }
        }
        let scores = sensitivity_of_many(&matrix, &means);
        prop_assert_eq!((scores.ri.len(), scores.css_each.len()), (3, 3));
        prop_assert!(scores.missing_pairs.is_empty() || scores.css.is_nan());
    }
}
