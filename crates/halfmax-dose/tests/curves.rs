//! Curves with known truth.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{doses, fitted, near, normal, simulated};
use halfmax_core::{ErrorKind, Progress, Silent};
use halfmax_dose::*;
use proptest::prelude::*;

fn by_default(dose_um: &[f64], viability: &[f64]) -> CurveFit {
    fitted(CurveParams::default(), dose_um, viability)
}

#[test]
fn known_parameters_are_recovered() {
    let doses = doses(3);
    for (top, bottom, ec50, hill) in
        [(1.0, 0.1, 0.3, 1.0), (0.9, 0.3, 0.1, 2.0), (1.1, 0.0, 1.0, 0.7), (1.0, 0.45, 0.5, 3.0)]
    {
        let shape = LogLogistic { top, bottom, ec50, hill };
        let fit = by_default(&doses, &simulated(&shape, 0.0, 0, &doses));
        near(fit.ec50.value.ln(), ec50.ln(), 1e-4);
        near(fit.hill.value, hill, 1e-3);
        near(fit.top.value, top, 1e-4);
        near(fit.bottom.value, bottom, 1e-4);
        near(fit.ic50.value.ln(), shape.dose_at(0.5).unwrap().ln(), 1e-4);
        near(fit.auc.value, shape.area(doses[0], doses[23]), 1e-5);
        near(fit.emax.value, shape.at(doses[23]), 1e-5);
        near(fit.r2, 1.0, 1e-6);
        assert!(fit.flags.is_empty(), "{}", fit.flags);
    }
}

/// The number of 100 intervals that cover the true EC50, IC50 and AUC.
fn coverage(params: &CurveParams, curves: u64) -> [f64; 3] {
    let doses = doses(3);
    let fitter = params.clone().check().unwrap();
    let mut inside = [0_u64; 3];
    for curve in 0..curves {
        let place = (curve as f64 + 0.5) / curves as f64;
        let shape = LogLogistic {
            top: 1.02,
            bottom: 0.15,
            ec50: 10.0_f64.powf(-1.3 + 1.3 * place),
            hill: 1.0 + 0.8 * ((curve % 10) as f64 / 10.0),
        };
        let viability = simulated(&shape, 0.05, 1_000 + curve, &doses);
        let fit = fitter.fit(&CurveReadings {
            dose_um: &doses,
            viability: &viability,
            divisions: None,
            batch: None,
        });
        let truths = [shape.ec50, shape.dose_at(0.5).unwrap(), shape.area(doses[0], doses[23])];
        for (at, (estimate, truth)) in [fit.ec50, fit.ic50, fit.auc].iter().zip(truths).enumerate() {
            inside[at] += u64::from(estimate.lower <= truth && truth <= estimate.upper);
        }
    }
    inside.map(|count| 100.0 * count as f64 / curves as f64)
}

#[test]
fn intervals_hold_what_they_promise() {
    for (model, outliers) in [
        (ModelChoice::FourParameter, Outliers::Kept),
        (ModelChoice::FourParameter, Outliers::LeftOut),
        (ModelChoice::Auto, Outliers::LeftOut),
    ] {
        let params = CurveParams { model, outliers, ..CurveParams::default() };
        let found = coverage(&params, 4_000);
        println!("{model:?}, {outliers:?}: {found:.1?} % of the intervals of EC50, IC50, AUC hold the truth");
        assert!(
            found.iter().all(|share| (93.0..=97.0).contains(share)),
            "{model:?}, {outliers:?}: {found:?}"
        );
    }
}

fn squares(shape: &LogLogistic, doses: &[f64], values: &[f64]) -> f64 {
    doses.iter().zip(values).map(|(dose, value)| (value - shape.at(*dose)).powi(2)).sum()
}

/// The smallest sum of squares that a pattern search finds from many starts.
fn searched(doses: &[f64], values: &[f64]) -> f64 {
    let cost = |[top, bottom, ln_ec50, ln_hill]: [f64; 4]| {
        squares(&LogLogistic { top, bottom, ec50: ln_ec50.exp(), hill: ln_hill.exp() }, doses, values)
    };
    let clamp = |at: usize, value: f64| {
        let ln10 = std::f64::consts::LN_10;
        let low = [0.0, 0.0, doses[0].ln() - 2.0 * ln10, 0.1_f64.ln()][at];
        let high = [2.0, 2.0, doses[doses.len() - 1].ln() + 2.0 * ln10, 10.0_f64.ln()][at];
        value.clamp(low, high)
    };
    let mut best = f64::INFINITY;
    for start in 0..20 {
        let mut here = [1.0, 0.2, -6.0 + 0.6 * f64::from(start % 10), if start < 10 { 0.0 } else { 1.0 }];
        let (mut cost_here, mut step) = (cost(here), 0.5);
        while step > 1e-6 {
            let mut better = false;
            for at in 0..4 {
                for sign in [-1.0, 1.0] {
                    let mut there = here;
                    there[at] = clamp(at, there[at] + sign * step);
                    let cost_there = cost(there);
                    if cost_there < cost_here {
                        (here, cost_here, better) = (there, cost_there, true);
                    }
                }
            }
            step *= if better { 1.0 } else { 0.5 };
        }
        best = best.min(cost_here);
    }
    best
}

#[test]
fn no_search_finds_a_better_minimum() {
    let doses = doses(2);
    let params = CurveParams {
        model: ModelChoice::FourParameter,
        outliers: Outliers::Kept,
        hill_prior: HillPrior::None,
        ..CurveParams::default()
    };
    for curve in 0..40 {
        let shape = LogLogistic {
            top: 1.0,
            bottom: 0.02 * f64::from(curve),
            ec50: 10.0_f64.powf(-2.5 + 0.1 * f64::from(curve)),
            hill: 0.5 + 0.07 * f64::from(curve),
        };
        let values = simulated(&shape, 0.06, 77 + curve as u64, &doses);
        let fit = fitted(params.clone(), &doses, &values);
        let (own, other) = (squares(&fit.shape().unwrap(), &doses, &values), searched(&doses, &values));
        assert!(own <= other * 1.001, "curve {curve}: {own}, a search finds {other}");
    }
}

/// Batches with EC50 that differ by a factor of three agree on the plateaus and disagree between them. No batch is an
/// outlier.
#[test]
fn batches_that_disagree_are_no_outliers() {
    let doses = doses(6);
    let ec50 = [0.12, 0.15, 0.2, 0.25, 0.3, 0.36];
    let shape = |at: usize| LogLogistic { top: 1.0, bottom: 0.1, ec50: ec50[at % 6], hill: 2.0 };
    let reading = |at: usize| shape(at).at(doses[at]) + 0.01 * normal(5, at as u64);
    let values: Vec<f64> = (0..doses.len()).map(reading).collect();
    let fit = by_default(&doses, &values);
    assert_eq!(fit.outliers, 0);
    assert!((0.18..0.3).contains(&fit.ec50.value), "{}", fit.ec50.value);
    // A reading that deviates from all of them is still an outlier.
    let mut wrong = values.clone();
    wrong[3] = 0.1;
    assert_eq!(by_default(&doses, &wrong).outliers, 1);
}

#[test]
fn outliers_do_not_move_the_curve() {
    let doses = doses(3);
    let shape = LogLogistic { top: 1.0, bottom: 0.1, ec50: 0.2, hill: 1.3 };
    let (mut robust, mut plain) = (0.0_f64, 0.0_f64);
    for seed in 0..50 {
        let mut values = simulated(&shape, 0.03, 5_000 + seed, &doses);
        values[4] = 0.05;
        values[19] = 1.0;
        let fit = by_default(&doses, &values);
        assert!(fit.outliers >= 2 && fit.flags.contains(Flag::Outliers), "{fit:?}");
        robust = robust.max((fit.ic50.value / 0.2).log10().abs());
        let kept =
            fitted(CurveParams { outliers: Outliers::Kept, ..CurveParams::default() }, &doses, &values);
        plain += (kept.ic50.value / 0.2).log10().abs() / 50.0;
    }
    println!(
        "largest error of pIC50 with two gross outliers of 24: {robust:.3}; plain, on average {plain:.3}"
    );
    assert!(robust < 0.15, "{robust}");
}

#[test]
fn flags_say_what_is_wrong() {
    let doses = doses(3);
    let of = |top, bottom, ec50, hill| {
        by_default(&doses, &simulated(&LogLogistic { top, bottom, ec50, hill }, 0.02, 9, &doses))
    };
    let above = of(1.0, 0.0, 40.0, 1.0);
    assert_eq!(above.ic50_position, Position::Above);
    assert!(above.flags.contains(Flag::Ic50AboveRange), "{}", above.flags);
    let below = of(1.0, 0.0, 0.001, 1.0);
    assert_eq!(below.ic50_position, Position::Below);
    assert!(below.flags.contains(Flag::Ic50BelowRange), "{}", below.flags);
    let partial = of(1.0, 0.7, 0.2, 1.5);
    assert!(partial.flags.contains(Flag::NoIc50) && !partial.ic50.is_known(), "{}", partial.flags);
    let flat = of(1.0, 1.0, 0.2, 1.0);
    assert_eq!(flat.model, FittedModel::Constant);
    assert!(flat.flags.contains(Flag::Flat) && flat.flags.contains(Flag::NoIc50), "{}", flat.flags);
    let rising = of(0.3, 1.0, 0.2, 1.0);
    assert!(rising.flags.contains(Flag::Increasing) && rising.flags.contains(Flag::NonMonotone));
    let few = by_default(&[0.1, 1.0, 10.0], &[1.0, 0.5, 0.1]);
    assert!(few.flags.contains(Flag::TooFewDoses) && !few.ic50.is_known());
    let noise: Vec<f64> = (0..24).map(|at| 0.6 + 0.5 * normal(3, at)).collect();
    assert!(by_default(&doses, &noise).flags.contains(Flag::PoorFit));
}

/// A constant is mistaken for a curve about as often as the significance level.
#[test]
fn flat_data_are_seldom_a_curve() {
    let doses = doses(3);
    let flat = LogLogistic { top: 1.0, bottom: 1.0, ec50: 1.0, hill: 1.0 };
    let curve = |seed: u64| by_default(&doses, &simulated(&flat, 0.05, 90_000 + seed, &doses));
    let found = (0..1000).filter(|seed| curve(*seed).model != FittedModel::Constant).count();
    println!("{found} of 1000 constants were taken for curves");
    // 50 expected, with a standard deviation of 7.
    assert!((20..80).contains(&found), "{found}");
}

#[test]
fn growth_metrics_come_with_divisions() {
    let doses = doses(1);
    // For a control that divides twice: a growth-rate value of 2^r − 1 with r = 1 / (1 + dose / 0.3).
    let rate = |dose: &f64| 1.0 / (1.0 + dose / 0.3);
    let viability: Vec<f64> = doses.iter().map(|dose| (2.0 * rate(dose) - 2.0).exp2()).collect();
    let fitter = CurveParams::default().check().unwrap();
    let fit = fitter.fit(&CurveReadings {
        dose_um: &doses,
        viability: &viability,
        divisions: Some(2.0),
        batch: None,
    });
    // One half where 2^r = 1.5.
    near(fit.growth.gr50.value.ln(), (0.3 * (1.0 / 1.5_f64.log2() - 1.0)).ln(), 0.05);
    near(fit.growth.gr_max, rate(&doses[7]).exp2() - 1.0, 0.02);
    assert!(fit.growth.gr_aoc > 0.0, "{:?}", fit.growth);
    let without =
        fitter.fit(&CurveReadings { dose_um: &doses, viability: &viability, divisions: None, batch: None });
    assert!(without.growth.gr_max.is_nan());
}

#[test]
fn order_and_threads_do_not_matter() {
    let doses = doses(3);
    let shape = LogLogistic { top: 1.0, bottom: 0.1, ec50: 0.2, hill: 1.3 };
    let values = simulated(&shape, 0.05, 3, &doses);
    let backwards = |list: &[f64]| list.iter().rev().copied().collect::<Vec<f64>>();
    let there = by_default(&doses, &values);
    let back = by_default(&backwards(&doses), &backwards(&values));
    assert_eq!(format!("{there:?}"), format!("{back:?}"));
    let fitter = CurveParams::default().check().unwrap();
    let curve = CurveReadings { dose_um: &doses, viability: &values, divisions: None, batch: None };
    let all = fitter.fit_all(&[curve; 100], &Silent).unwrap();
    assert!(all.iter().all(|fit| format!("{fit:?}") == format!("{:?}", all[0])));
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let alone = one.install(|| fitter.fit_all(&[curve; 100], &Silent)).unwrap();
    assert_eq!(format!("{alone:?}"), format!("{all:?}"));
    // With too few curves, nothing is learnt.
    let few = fitter.fit_all(&[curve; 5], &Silent).unwrap();
    assert_eq!(format!("{:?}", few[0]), format!("{:?}", fitter.fit(&curve)));
}

/// Without a prior, a fit does not depend on the rest of the file.
#[test]
fn by_least_squares_each_curve_is_fitted_as_if_alone() {
    let doses = doses(3);
    let batch: Vec<u32> = (0..doses.len()).map(|at| at as u32 % 3).collect();
    let shape =
        |at: u64| LogLogistic { top: 1.0, bottom: 0.1, ec50: 0.1 * 1.05_f64.powi(at as i32), hill: 1.3 };
    let values: Vec<Vec<f64>> = (0..40).map(|at| simulated(&shape(at), 0.05, at, &doses)).collect();
    let curves: Vec<CurveReadings> = values
        .iter()
        .map(|viability| CurveReadings { dose_um: &doses, viability, divisions: None, batch: Some(&batch) })
        .collect();
    let differ = |hill_prior: HillPrior| {
        let fitter = CurveParams { hill_prior, ..CurveParams::default() }.check().unwrap();
        let fits = fitter.fit_all(&curves, &Silent).unwrap();
        let alone = curves.iter().map(|curve| format!("{:?}", fitter.fit(curve)));
        fits.iter().zip(alone).filter(|(fit, alone)| format!("{fit:?}") != *alone).count()
    };
    assert_eq!(differ(HillPrior::None), 0);
    assert_eq!(differ(HillPrior::Learnt), 40);
}

#[test]
fn batches_of_another_number_than_doses_are_refused() {
    let doses = doses(1);
    let curve = CurveReadings { dose_um: &doses, viability: &doses, divisions: None, batch: Some(&[1, 2]) };
    let error = CurveParams::default().check().unwrap().fit_all(&[curve], &Silent).unwrap_err();
    assert!(error.to_string().contains("curve 0: 8 doses but 2 batches"), "{error}");
}

/// A steep curve with most doses on the plateaus determines its slope poorly. Many such curves determine it together.
#[test]
fn the_curves_of_a_file_say_what_slopes_are_usual() {
    let doses: Vec<f64> = (0..8).map(|at| 0.01 * 10.0_f64.powf(0.5 * f64::from(at))).collect();
    let shape = |seed: u64| LogLogistic {
        top: 1.0,
        bottom: 0.1,
        ec50: 10.0_f64.powf(-1.0 + (seed % 20) as f64 / 20.0),
        hill: 4.0 * (0.3 * normal(seed, 900)).exp(),
    };
    let values: Vec<Vec<f64>> = (0..400).map(|seed| simulated(&shape(seed), 0.05, seed, &doses)).collect();
    let curves: Vec<CurveReadings> = values
        .iter()
        .map(|viability| CurveReadings { dose_um: &doses, viability, divisions: None, batch: None })
        .collect();
    let errors = |hill_prior: HillPrior| {
        let fitter = CurveParams { hill_prior, ..CurveParams::default() }.check().unwrap();
        let fits = fitter.fit_all(&curves, &Silent).unwrap();
        let (mut squares, mut held) = (0.0, 0);
        for (fit, seed) in fits.iter().zip(0..) {
            let truth = shape(seed).dose_at(0.5).unwrap();
            squares += (fit.ic50.value / truth).log10().powi(2) / 400.0;
            held += usize::from(!(fit.ic50.lower > truth || fit.ic50.upper < truth));
        }
        (squares.sqrt(), held as f64 / 400.0)
    };
    let ((learnt, held), (least_squares, held_alone)) = (errors(HillPrior::Learnt), errors(HillPrior::None));
    println!(
        "errors of log10 IC50 {learnt:.4}, by least squares {least_squares:.4}; held {held}, {held_alone}"
    );
    assert!(
        learnt < 0.85 * least_squares && (0.92..0.985).contains(&held),
        "{learnt} {least_squares} {held}"
    );
}

/// If all drugs kill, incomplete curves also end at the common bottom. If plateaus differ, nothing is learnt.
#[test]
fn the_curves_of_a_file_say_where_they_end() {
    let doses = doses(1);
    let highest = doses.iter().copied().fold(0.0, f64::max);
    let found = |bottom: &dyn Fn(u64) -> f64| {
        let shape = |seed: u64| LogLogistic {
            top: 1.0,
            bottom: bottom(seed),
            // Every third curve is half way down at the highest dose.
            ec50: if seed.is_multiple_of(3) { highest } else { 0.05 * 1.05_f64.powi(seed as i32 % 40) },
            hill: 1.2,
        };
        let values: Vec<Vec<f64>> =
            (0..240).map(|seed| simulated(&shape(seed), 0.05, seed, &doses)).collect();
        let curve = |viability| CurveReadings { dose_um: &doses, viability, divisions: None, batch: None };
        let curves: Vec<CurveReadings> = values.iter().map(|viability| curve(viability)).collect();
        let fitter = CurveParams::default().check().unwrap().learning_from(&curves);
        let fits = fitter.fit_all(&curves, &Silent).unwrap();
        let squares = |alone: bool| {
            let error = |(fit, seed): (&CurveFit, u64)| {
                let own = if alone { by_default(&doses, &values[seed as usize]) } else { fit.clone() };
                (own.ec50.value / shape(seed).ec50).log10().powi(2)
            };
            let unreached = fits.iter().zip(0_u64..).filter(|(_, seed)| seed.is_multiple_of(3));
            let errors: Vec<f64> = unreached.map(error).filter(|error| error.is_finite()).collect();
            (errors.iter().sum::<f64>() / errors.len() as f64).sqrt()
        };
        (fitter.learnt().bottom, squares(false), squares(true))
    };
    let (learnt, together, alone) = found(&|seed| 0.05 + 0.03 * normal(seed, 900));
    let [mean, spread] = learnt.unwrap();
    near(mean, 0.05, 0.02);
    assert!((0.02..0.09).contains(&spread), "{spread}");
    assert!(together < 0.6 * alone, "{together} {alone}");
    let (nothing, ..) = found(&|seed| if seed.is_multiple_of(2) { 0.05 } else { 0.55 });
    assert!(nothing.is_none(), "{nothing:?}");
}

/// A screen of 300 curves with batch factors of this standard deviation: the truth and the readings of each curve.
fn in_batches(factors: f64, batch: &[u32], error: impl Fn(f64) -> f64) -> Vec<(LogLogistic, Vec<f64>)> {
    let doses = doses(3);
    let one = |seed: u64| {
        let shape =
            LogLogistic { top: 1.0, bottom: 0.1, ec50: 0.1 * 1.02_f64.powi(seed as i32 % 60), hill: 1.3 };
        let factor = |at: usize| 1.0 + factors * normal(seed, 500 + u64::from(batch[at]));
        let reading = |at: usize| {
            let here = shape.at(doses[at]);
            factor(at) * here + error(here) * normal(seed, at as u64)
        };
        (shape, (0..doses.len()).map(reading).collect())
    };
    (0..300).map(one).collect()
}

/// The learnt properties of curves with eight doses and three readings each, and their fits.
fn fitted_together<'a>(
    doses: &'a [f64],
    values: impl Iterator<Item = &'a Vec<f64>>,
    batch: Option<&'a [u32]>,
) -> (Learnt, Vec<CurveFit>) {
    let curves: Vec<CurveReadings> =
        values.map(|viability| CurveReadings { dose_um: doses, viability, divisions: None, batch }).collect();
    let fitter = CurveParams::default().check().unwrap().learning_from(&curves);
    (fitter.learnt(), fitter.fit_all(&curves, &Silent).unwrap())
}

/// With or without a column of batches: the variation of batches is learnt, and intervals have their nominal coverage.
#[test]
fn batches_differ_together() {
    let doses = doses(3);
    let batch: Vec<u32> = (0..doses.len()).map(|at| at as u32 % 3 + 7).collect();
    let screen = in_batches(0.1, &batch, |_| 0.03);
    let errors = |told: bool| {
        let values = screen.iter().map(|(_, values)| values);
        let (learnt, fits) = fitted_together(&doses, values, told.then_some(&batch[..]));
        near(learnt.batches.unwrap(), 0.1, 0.01);
        assert_eq!(learnt.batches_not_told, !told);
        let held = |(fit, (shape, _)): (&CurveFit, &(LogLogistic, Vec<f64>))| {
            let truth = shape.area(doses[0], doses[23]);
            fit.auc.lower <= truth && truth <= fit.auc.upper
        };
        let held = fits.iter().zip(&screen).filter(|one| held(*one)).count();
        assert!((276..=297).contains(&held), "told: {told}; {held} of 300");
        let error = |(fit, (shape, _)): (&CurveFit, &(LogLogistic, Vec<f64>))| {
            (fit.ic50.value / shape.dose_at(0.5).unwrap()).log10().powi(2)
        };
        fits.iter().zip(&screen).map(error).sum::<f64>()
    };
    // If each dose has a reading of each batch, the assignment of readings to batches matters little.
    let (told, not_told) = (errors(true), errors(false));
    assert!(not_told < 1.4 * told, "{not_told}, told {told}");
    let alone = screen.iter().map(|(shape, values)| {
        let by_itself = CurveParams { hill_prior: HillPrior::None, ..CurveParams::default() };
        let found = fitted(by_itself, &doses, values).ic50.value;
        (found / shape.dose_at(0.5).unwrap()).log10().powi(2)
    });
    let alone = alone.sum::<f64>();
    assert!(not_told < 0.7 * alone, "{not_told}, alone {alone}");
}

/// The order of replicates in the file does not matter.
#[test]
fn batches_that_are_not_told_may_stand_in_any_order() {
    let doses = doses(3);
    let batch: Vec<u32> = (0..doses.len()).map(|at| at as u32 % 3).collect();
    let screen = in_batches(0.1, &batch, |_| 0.03);
    let mixed = |values: &Vec<f64>| -> Vec<f64> {
        let shifted = |at: usize| values[at / 3 * 3 + (at + at / 3) % 3];
        (0..values.len()).map(shifted).collect()
    };
    let mixed: Vec<Vec<f64>> = screen.iter().map(|(_, values)| mixed(values)).collect();
    let (_, first) = fitted_together(&doses, screen.iter().map(|(_, values)| values), None);
    let (_, second) = fitted_together(&doses, mixed.iter(), None);
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
}

/// Independent errors do not count as batches, even if the error is larger where more cells live.
#[test]
fn independent_replicates_are_no_batches() {
    let doses = doses(3);
    for error in [|_| 0.05, |here: f64| 0.01 + 0.1 * here] {
        let screen = in_batches(0.0, &[0; 24], error);
        let (learnt, _) = fitted_together(&doses, screen.iter().map(|(_, values)| values), None);
        assert_eq!((learnt.batches, learnt.batches_not_told), (None, false));
    }
}

/// The mean of a curve without effect is the mean of its batches, so its interval accounts for their variation.
#[test]
fn constants_in_batches_are_held() {
    let doses = doses(3);
    let batch: Vec<u32> = (0..doses.len()).map(|at| at as u32 % 3).collect();
    let mut screen = in_batches(0.1, &batch, |_| 0.03);
    for (seed, (_, values)) in (0..).zip(&mut screen).take(150) {
        let reading =
            |at: usize| 1.0 + 0.1 * normal(seed, 500 + u64::from(batch[at])) + 0.03 * normal(seed, at as u64);
        *values = (0..values.len()).map(reading).collect();
    }
    for told in [true, false] {
        let values = screen.iter().map(|(_, values)| values);
        let (_, fits) = fitted_together(&doses, values, told.then_some(&batch[..]));
        let constants: Vec<&CurveFit> =
            fits.iter().take(150).filter(|fit| fit.model == FittedModel::Constant).collect();
        let held = constants.iter().filter(|fit| fit.auc.lower <= 1.0 && 1.0 <= fit.auc.upper).count();
        let all = constants.len();
        assert!(all > 120 && held * 100 > 90 * all, "told: {told}; {held} of {all}");
    }
}

/// Curves of potent drugs, with the lowest doses already on the slope, still determine their top. The top is not
/// underestimated.
#[test]
fn tops_are_learnt_where_no_dose_lies_on_them() {
    let doses = doses(3);
    let shape = |seed: u64| LogLogistic {
        top: 1.0,
        bottom: 0.1,
        ec50: 0.01 * 1.05_f64.powi(seed as i32 % 40),
        hill: 1.2 * (0.4 * normal(seed, 900)).exp(),
    };
    let values: Vec<Vec<f64>> = (0..300).map(|seed| simulated(&shape(seed), 0.05, seed, &doses)).collect();
    let (learnt, _) = fitted_together(&doses, values.iter(), None);
    let [mean, spread] = learnt.top.unwrap();
    near(mean, 1.0, 0.012);
    assert!(spread < 0.02, "{spread}");
}

/// The sum of squares is almost flat from a Hill slope of 3 to 10.
#[test]
fn what_the_readings_do_not_tell_is_not_reported_as_known() {
    let doses = doses(1);
    let shape = LogLogistic { top: 1.0, bottom: 0.1, ec50: 0.28, hill: 8.0 };
    let fit = by_default(&doses, &simulated(&shape, 0.02, 4, &doses));
    assert!(fit.hill.upper.is_nan(), "{:?}", fit.hill);
    // The interval spans about the two neighbouring doses.
    assert!(fit.ic50.lower < 0.24 && fit.ic50.upper > 0.33, "{:?}", fit.ic50);
}

#[test]
fn few_readings_that_fall_are_a_curve_and_others_are_not_judged() {
    let doses = [0.1, 0.3, 1.0, 3.0];
    let falling = by_default(&doses, &[0.985, 0.584, 0.203, 0.109]);
    assert_eq!(falling.model, FittedModel::ThreeParameter);
    assert_eq!(falling.ic50_position, Position::Within);
    let mixed = by_default(&doses, &[0.9, 0.3, 0.7, 0.2]);
    assert_eq!((mixed.model, mixed.ic50_position), (FittedModel::Constant, Position::Nowhere));
    assert!(
        mixed.flags.contains(Flag::TooFewToTell) && !mixed.flags.contains(Flag::Ic50BelowRange),
        "{}",
        mixed.flags
    );
    let flat = by_default(&doses, &[0.98, 1.01, 0.99, 1.02]);
    assert!(flat.flags.contains(Flag::Flat) && !flat.flags.contains(Flag::TooFewToTell), "{}", flat.flags);
}

/// Doses that agree with each other are not outliers, whatever the curve.
#[test]
fn a_second_phase_is_no_outlier() {
    let doses: Vec<f64> = (0..10).map(|at| 0.001 * 10.0_f64.powf(0.5 * f64::from(at))).collect();
    for replicates in [1, 2, 3, 6] {
        for top in [[0.33, 0.66], [0.34, 0.1]] {
            let shape = LogLogistic { top: 1.0, bottom: 0.05, ec50: 0.08, hill: 2.0 };
            let (mut dose_um, mut values) = (Vec::new(), Vec::new());
            for (at, dose) in doses.iter().enumerate() {
                for replicate in 0..replicates {
                    let level = if at < 8 {
                        shape.at(*dose).max(0.3 * f64::from(u8::from(top[1] < 0.2)))
                    } else {
                        top[at - 8]
                    };
                    dose_um.push(*dose);
                    values.push(level + 0.01 * normal(at as u64, replicate));
                }
            }
            let fit = by_default(&dose_um, &values);
            assert_eq!(fit.outliers, 0, "{replicates} {top:?}: {fit:?}");
            near(fit.emax_observed, top[1], 0.03);
        }
    }
}

struct Stopped;

impl Progress for Stopped {
    fn step(&self, _: usize, _: usize) {}

    fn stopped(&self) -> bool {
        true
    }
}

#[test]
fn bad_lists_and_stops_are_errors() {
    let fitter = CurveParams::default().check().unwrap();
    let uneven = CurveReadings { dose_um: &[1.0, 2.0], viability: &[1.0], divisions: None, batch: None };
    let error = fitter.fit_all(&[uneven], &Silent).unwrap_err();
    assert_eq!(error.to_string(), "curve 0: 2 doses but 1 viabilities, expected the same number");
    let fine = CurveReadings { dose_um: &[1.0], viability: &[1.0], divisions: None, batch: None };
    assert_eq!(fitter.fit_all(&[fine], &Stopped).unwrap_err().kind(), ErrorKind::Interrupted);
}

fn anything() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => -2.0..3.0_f64,
        2 => (-12.0..6.0_f64).prop_map(|log| 10.0_f64.powf(log)),
        1 => prop::sample::select(vec![
            0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, 5e-324, 1.0
        ]),
        1 => any::<f64>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 3000, ..ProptestConfig::default() })]
    #[test]
    fn no_readings_break_it(
        readings in prop::collection::vec((anything(), anything()), 0..40),
        same in any::<bool>(),
        divisions in prop::option::of(anything()),
        model in prop::sample::select(vec![
            ModelChoice::Auto, ModelChoice::AutoFixedTop, ModelChoice::ThreeParameter, ModelChoice::FourParameter
        ]),
    ) {
        let dose = |at: usize| if same { readings[0].0 } else { readings[at].0 };
        let dose_um: Vec<f64> = (0..readings.len()).map(dose).collect();
        let viability: Vec<f64> = readings.iter().map(|reading| reading.1).collect();
        let fitter = CurveParams { model, ..CurveParams::default() }.check().unwrap();
        let fit = fitter.fit(&CurveReadings { dose_um: &dose_um, viability: &viability, divisions, batch: None });
        prop_assert!(fit.ic50_position != Position::Within || fit.ic50.value >= fit.dose_range[0] * (1.0 - 1e-9));
        prop_assert!(fit.doses >= 4 || fit.model == FittedModel::None);
    }
}
