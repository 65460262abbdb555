//! Response surfaces and sensitivity scores of drug pairs, compared with known truth.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use halfmax_core::Seed;
use halfmax_dose::LogLogistic;
use halfmax_dose::synergy::*;

const DOSES: [f64; 8] = [0.0, 0.01, 0.046, 0.22, 1.0, 4.6, 22.0, 100.0];

/// A standard normal number.
fn noise(seed: Seed, at: u64) -> f64 {
    let uniform =
        |which: u64| ((seed.derive(2 * at + which).value() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    (-2.0 * uniform(0).ln()).sqrt() * (std::f64::consts::TAU * uniform(1)).cos()
}

/// The readings `[dose of drug 1, dose of drug 2, inhibition]` of a surface of viabilities.
fn readings(viability: impl Fn([f64; 2]) -> f64, replicates: usize, error: f64, seed: Seed) -> Vec<[f64; 3]> {
    let mut readings = Vec::new();
    for a in DOSES {
        for b in DOSES {
            for _ in 0..replicates {
                let off = error * noise(seed, readings.len() as u64);
                readings.push([a, b, 100.0 * (1.0 - viability([a, b]) - off)]);
            }
        }
    }
    readings
}

fn matrix(readings: &[[f64; 3]]) -> DoseMatrix {
    DoseMatrix::new(readings).unwrap()
}

fn musyc() -> MusycSurface {
    MusycSurface {
        effects: [1.0, 0.4, 0.3, 0.05],
        hill: [1.2, 1.5],
        ec50: [0.5, 2.0],
        alpha: [8.0, 0.3],
        gamma: [1.0, 1.0],
    }
}

fn independent() -> MusycSurface {
    MusycSurface { effects: [1.0, 0.4, 0.3, 0.12], alpha: [1.0; 2], ..musyc() }
}

fn indices(matrix: &DoseMatrix) -> CombinationIndex {
    let means = matrix.means();
    combination_index(matrix, &means, hill_curves(matrix, &means))
}

fn values(parameters: &[(&'static str, &SurfaceParameter)]) -> Vec<(&'static str, [f64; 3])> {
    let one = |(name, parameter): &(&'static str, &SurfaceParameter)| {
        let estimate = parameter.estimate;
        (*name, [estimate.lower, estimate.value, estimate.upper])
    };
    parameters.iter().map(one).collect()
}

#[test]
fn musyc_without_interaction_is_bliss() {
    let surface = independent();
    for a in DOSES {
        for b in DOSES {
            let alone = [surface.viability([a, 0.0]), surface.viability([0.0, b])];
            assert!((surface.viability([a, b]) - alone[0] * alone[1]).abs() < 1e-12, "{a} {b}");
        }
    }
    assert!((surface.beta() - (0.3 - 0.12) / 0.7).abs() < 1e-12);
}

/// Compares the steady state with a simulation of the transitions over time.
#[test]
fn musyc_is_the_steady_state_of_its_transitions() {
    let surface = MusycSurface { alpha: [3.0, 0.4], gamma: [1.3, 0.8], ..musyc() };
    let doses = [0.7, 1.1];
    let power = |dose: f64, drug: usize, alpha: f64, gamma: f64| {
        (alpha * dose / surface.ec50[drug]).powf(gamma * surface.hill[drug])
    };
    let [u1, u2] = [power(doses[0], 0, 1.0, 1.0), power(doses[1], 1, 1.0, 1.0)];
    let v1 = power(doses[0], 0, surface.alpha[1], surface.gamma[1]);
    let v2 = power(doses[1], 1, surface.alpha[0], surface.gamma[0]);
    let mut share = [1.0, 0.0, 0.0, 0.0];
    for _ in 0..200_000 {
        let [none, one, two, both] = share;
        let to_one = u1 * none - one;
        let to_two = u2 * none - two;
        let one_to_both = v2 * one - both;
        let two_to_both = v1 * two - both;
        let step = 1e-3;
        share = [
            none - step * (to_one + to_two),
            one + step * (to_one - one_to_both),
            two + step * (to_two - two_to_both),
            both + step * (one_to_both + two_to_both),
        ];
    }
    let mean: f64 = share.iter().zip(surface.effects).map(|(share, effect)| share * effect).sum();
    assert!((surface.viability(doses) - mean).abs() < 1e-9, "{mean}");
}

#[test]
fn musyc_is_recovered_from_exact_readings() {
    let truth = MusycSurface { gamma: [1.3, 0.8], ..musyc() };
    let exact = matrix(&readings(|doses| truth.viability(doses), 1, 0.0, Seed::new(1)));
    let fit = fit_musyc(&exact, Cooperativity::Fitted, 0.95).unwrap();
    let pairs = [
        (&fit.surface.effects[..], &truth.effects[..]),
        (&fit.surface.hill, &truth.hill),
        (&fit.surface.ec50, &truth.ec50),
        (&fit.surface.alpha, &truth.alpha),
        (&fit.surface.gamma, &truth.gamma),
    ];
    for (found, expected) in pairs {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-2, "{fit:?}");
        }
    }
    assert!((fit.beta.estimate.value - truth.beta()).abs() < 1e-3, "{:?}", fit.beta);
}

/// The coverage of intervals: within the random variation of 150 blocks at 95 %.
fn covered(truth: &MusycSurface, replicates: usize, error: f64) {
    const BLOCKS: u64 = 150;
    let expected: Vec<f64> = [&truth.effects[..], &truth.hill, &truth.ec50, &truth.alpha, &truth.gamma]
        .concat()
        .into_iter()
        .chain([truth.beta()])
        .collect();
    let mut held = [0; 13];
    for block in 0..BLOCKS {
        let readings = readings(|doses| truth.viability(doses), replicates, error, Seed::new(block));
        let fit = fit_musyc(&matrix(&readings), Cooperativity::Fitted, 0.95).unwrap();
        for (at, (name, [low, value, high])) in values(&fit.parameters()).into_iter().enumerate() {
            held[at] += u32::from(!(low > expected[at] || high < expected[at]));
            assert!(!(low > value || high < value), "{name}: {low} {value} {high}");
        }
    }
    for (at, held) in held.iter().enumerate() {
        let share = f64::from(*held) / BLOCKS as f64;
        assert!(share > 0.89, "parameter {at}: {share} of intervals hold the truth");
    }
}

#[test]
fn intervals_of_musyc_hold_the_truth() {
    covered(&musyc(), 1, 0.03);
    covered(&independent(), 3, 0.05);
}

#[test]
fn independent_drugs_have_no_synergy_of_potency() {
    let mut ends = [[0.0; 2]; 2];
    for block in 0..40 {
        let readings = readings(|doses| independent().viability(doses), 1, 0.03, Seed::new(900 + block));
        let fit = fit_musyc(&matrix(&readings), Cooperativity::One, 0.95).unwrap();
        for (sum, alpha) in ends.iter_mut().zip(fit.alpha) {
            sum[0] += alpha.estimate.value.log10() / 40.0;
            sum[1] += alpha.estimate.value.log10().abs() / 40.0;
        }
    }
    for [mean, off] in ends {
        assert!(mean.abs() < 0.06 && off < 0.2, "log10 alpha: mean {mean}, {off} off");
    }
}

#[test]
fn swapped_drugs_have_swapped_answers() {
    let readings = readings(|doses| musyc().viability(doses), 2, 0.05, Seed::new(7));
    let swapped: Vec<[f64; 3]> = readings.iter().map(|[a, b, reading]| [*b, *a, *reading]).collect();
    let [one, other] = [&readings, &swapped]
        .map(|readings| fit_musyc(&matrix(readings), Cooperativity::Fitted, 0.95).unwrap());
    let [e0, e1, e2, e3] = one.effects;
    assert_eq!(other.effects, [e0, e2, e1, e3]);
    let turned = |[a, b]: [SurfaceParameter; 2]| [b, a];
    assert_eq!(other.alpha, turned(one.alpha));
    assert_eq!(other.gamma, turned(one.gamma));
    assert_eq!(other.hill, turned(one.hill));
    assert_eq!(other.ec50, turned(one.ec50));
    assert_eq!(other.beta, one.beta);
    let [one, other] = [&readings, &swapped]
        .map(|readings| fit_braid(&matrix(readings), MaximalEffect::Fitted, 0.95).unwrap());
    assert_eq!(other.kappa, one.kappa);
    assert_eq!(other.ec50, turned(one.ec50));
    let [one, other] = [&readings, &swapped].map(|readings| {
        let matrix = matrix(readings);
        (sensitivity(&matrix, &matrix.means()), indices(&matrix))
    });
    assert_eq!(one.0.css_each, [other.0.css_each[1], other.0.css_each[0]]);
    assert_eq!(one.0.s_max, other.0.s_max);
    assert!((one.1.loewe.mean - other.1.loewe.mean).abs() < 1e-12);
}

#[test]
fn a_drug_without_effect_leaves_its_parameters_open() {
    let truth = MusycSurface { effects: [1.0, 0.2, 1.0, 0.2], ..independent() };
    let readings = readings(|doses| truth.viability(doses), 1, 0.03, Seed::new(3));
    let fit = fit_musyc(&matrix(&readings), Cooperativity::Fitted, 0.95).unwrap();
    assert_eq!(fit.without_effect, [false, true]);
    assert!(fit.ec50[1].open && fit.hill[1].open && fit.alpha[0].open, "{}", fit.flags());
    assert!(!fit.ec50[0].open, "{}", fit.flags());
    for flag in ["drug_2_without_effect", "alpha_12_open", "c2_open"] {
        assert!(fit.flags().split(';').any(|found| found == flag), "{flag} is not in {}", fit.flags());
    }
}

#[test]
fn too_few_readings_are_refused() {
    let few: Vec<[f64; 3]> =
        [0.0, 1.0, 2.0].iter().flat_map(|a| [0.0, 1.0, 2.0].map(|b| [*a, b, 10.0 * (a + b)])).collect();
    let error = fit_musyc(&matrix(&few), Cooperativity::Fitted, 0.95).unwrap_err().to_string();
    assert!(error.contains("first drug was measured alone at fewer than three doses"), "{error}");
    let doses = [1.0, 2.0, 3.0];
    let mut alone: Vec<[f64; 3]> = doses.iter().map(|a| [*a, 0.0, 10.0 * a]).collect();
    alone.extend(doses.map(|b| [0.0, b, 15.0 * b]));
    let error = fit_braid(&matrix(&alone), MaximalEffect::OfTheStronger, 0.95).unwrap_err().to_string();
    assert!(error.contains("6 pairs of doses with readings, but a surface of 8 parameters"), "{error}");
}

fn braid(kappa: f64, by_both: f64) -> BraidSurface {
    BraidSurface { effects: [1.0, 0.2, 0.4, by_both], hill: [1.2, 2.0], ec50: [0.5, 2.0], kappa }
}

#[test]
fn kappa_is_recovered_and_its_intervals_hold_it() {
    use MaximalEffect::{Fitted, OfTheStronger};
    for (kappa, by_both, maximal) in [
        (-0.8, 0.2, OfTheStronger),
        (0.0, 0.2, OfTheStronger),
        (3.0, 0.2, OfTheStronger),
        (1.0, 0.05, Fitted),
    ] {
        let truth = braid(kappa, by_both);
        let exact = matrix(&readings(|doses| truth.viability(doses), 1, 0.0, Seed::new(1)));
        let fit = fit_braid(&exact, maximal, 0.95).unwrap();
        assert!((fit.surface.kappa - kappa).abs() < 1e-2, "{fit:?}");
        assert!((fit.surface.effects[3] - by_both).abs() < 1e-3, "{fit:?}");
        let mut held = [0; 2];
        for block in 0..150 {
            let readings = readings(|doses| truth.viability(doses), 1, 0.05, Seed::new(block));
            let found = fit_braid(&matrix(&readings), maximal, 0.95).unwrap();
            for (held, (parameter, truth)) in
                held.iter_mut().zip([(found.kappa, kappa), (found.effects[3], by_both)])
            {
                let found = parameter.estimate;
                *held += u32::from(!(found.lower > truth || found.upper < truth));
            }
        }
        for held in held {
            let share = f64::from(held) / 150.0;
            assert!(share > 0.89, "kappa {kappa}: {share} of intervals hold it or the maximal effect");
        }
    }
}

#[test]
fn a_drug_with_itself_is_additive() {
    let drug = LogLogistic { top: 1.0, bottom: 0.2, ec50: 1.5, hill: 1.4 };
    let sham = matrix(&readings(|[a, b]| drug.at(a + b), 1, 0.0, Seed::new(1)));
    let fit = fit_braid(&sham, MaximalEffect::OfTheStronger, 0.95).unwrap();
    assert!(fit.surface.kappa.abs() < 1e-4, "{fit:?}");
    let found = indices(&sham);
    for (cell, index) in found.loewe.index.iter().enumerate() {
        let why = found.loewe.why[cell];
        assert!(index.is_nan() || (index - 1.0).abs() < 0.01, "cell {cell}: {index}");
        assert_eq!(index.is_nan() && sham.is_combination(cell), why.is_some());
    }
    assert!(found.loewe.cells > 40, "{}", found.loewe.cells);
}

/// Two points on each line, computed by hand.
#[test]
fn combination_indices_by_hand() {
    let readings = [
        [1.0, 0.0, 20.0],
        [4.0, 0.0, 50.0],
        [0.0, 2.0, 50.0],
        [0.0, 8.0, 80.0],
        [1.0, 2.0, 80.0],
        [4.0, 2.0, 100.0],
    ];
    let matrix = matrix(&readings);
    let found = indices(&matrix);
    let [Some(a), Some(b)] = found.lines[..] else { panic!("no lines") };
    // ln(0.25) at 1 and ln(1) at 4: a slope of 1, half the effect at 4. Of drug b ln(1) at 2 and ln(4) at 8.
    assert!((a.m - 1.0).abs() < 1e-12 && (a.dm - 4.0).abs() < 1e-12, "{a:?}");
    assert!((b.m - 1.0).abs() < 1e-12 && (b.dm - 2.0).abs() < 1e-12, "{b:?}");
    // 80 % takes 16 of drug a or 8 of drug b: 1 / 16 + 2 / 8.
    let cell = |a: usize, b: usize| a * 3 + b;
    assert!((found.median_effect.index[cell(1, 1)] - 0.3125).abs() < 1e-12);
    assert_eq!(found.median_effect.why[cell(2, 1)], Some(NoIndex::EffectOutside0To100));
    assert!(found.median_effect.index[cell(2, 1)].is_nan());
    assert_eq!(found.median_effect.why[cell(1, 0)], None, "a drug alone needs no reason");
    // Two doses are too few for a curve.
    assert_eq!(found.loewe.why[cell(1, 1)], Some(NoIndex::NoCurve));
    assert_eq!(found.median_effect.cells, 1);
}

#[test]
fn effects_out_of_reach_have_no_index_and_say_why() {
    let weak = LogLogistic { top: 1.0, bottom: 0.7, ec50: 1.0, hill: 1.0 };
    let strong = LogLogistic { top: 1.0, bottom: 0.0, ec50: 1.0, hill: 1.0 };
    let matrix = matrix(&readings(|[a, b]| weak.at(a) * strong.at(b), 1, 0.0, Seed::new(1)));
    let found = indices(&matrix).loewe;
    let last = matrix.len() - 1;
    assert!(found.index[last].is_nan());
    assert_eq!(found.why[last], Some(NoIndex::Beyond(DrugSet::of(&[0]))));
}

/// The area under the fitted curve in SynergyFinder's documentation (`CalculateRI`), by trapezoids over the curve.
#[test]
fn relative_inhibition_is_the_mean_over_log_dose() {
    let drug = LogLogistic { top: 0.97, bottom: 0.3, ec50: 8.0, hill: 1.1 };
    let other = LogLogistic { top: 0.97, bottom: 0.97, ec50: 1.0, hill: 1.0 };
    let matrix = matrix(&readings(|[a, b]| drug.at(a) * other.at(b) / 0.97, 1, 0.0, Seed::new(1)));
    let found = sensitivity(&matrix, &matrix.means());
    let steps = 20_000;
    let dose = |at: usize| 0.01 * 1e4_f64.powf((at as f64 + 0.5) / f64::from(steps));
    let mean: f64 =
        (0..steps as usize).map(|at| 100.0 * (1.0 - drug.at(dose(at)))).sum::<f64>() / f64::from(steps);
    assert!((found.ri[0] - mean).abs() < 0.01, "{} {mean}", found.ri[0]);
    assert!((found.relative_ic50[0] - 8.0).abs() < 0.01);
    assert!(!found.ic50_outside[0]);
    // The other drug has no effect, so the combination equals the first drug alone.
    assert!((found.css_each[0] - mean).abs() < 0.02, "{} {mean}", found.css_each[0]);
}

#[test]
fn a_relative_ic50_at_an_end_of_the_doses_is_said() {
    // Even the lowest dose has the full effect.
    let potent = LogLogistic { top: 1.0, bottom: 0.4, ec50: 1e-4, hill: 2.0 };
    let other = LogLogistic { top: 1.0, bottom: 0.0, ec50: 1.0, hill: 1.0 };
    let matrix = matrix(&readings(|[a, b]| potent.at(a) * other.at(b), 1, 0.01, Seed::new(5)));
    assert_eq!(sensitivity(&matrix, &matrix.means()).ic50_outside, [true, false]);
}
