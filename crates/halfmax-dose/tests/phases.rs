//! Curves with a second phase or a rise at low doses, with known truth.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{fitted, half_decades, normal, simulated};
use halfmax_core::Silent;
use halfmax_dose::*;

/// Ten doses over 4.5 decades, each `replicates` times.
fn doses(replicates: usize) -> Vec<f64> {
    half_decades(0.001, 10, replicates)
}

const TWO: TwoPhase =
    TwoPhase { top: 1.0, bottom: 0.05, ec50: 0.01, hill: 1.5, plateau: 0.65, ec50_2: 5.0, hill_2: 2.0 };
const RISE: BrainCousens = BrainCousens { top: 1.0, bottom: 0.1, scale: 0.1, hill: 2.5, rise: 10.0 };

#[test]
fn exact_curves_are_found_again() {
    let doses = doses(2);
    let two = Shape::TwoPhase(TWO);
    let fit = fitted(CurveParams::default(), &doses, &simulated(&two, 0.0, 0, &doses));
    assert_eq!(
        (fit.model, fit.flags.contains(Flag::Biphasic)),
        (FittedModel::TwoPhase, true),
        "{}",
        fit.flags
    );
    assert!((fit.ec50.value / 0.01 - 1.0).abs() < 0.02, "{fit:?}");
    assert!((fit.second.ec50.value / 5.0 - 1.0).abs() < 0.02, "{fit:?}");
    assert!((fit.second.plateau.value - 0.65).abs() < 0.005, "{fit:?}");
    assert!((fit.at(fit.ic50.value).unwrap() - 0.5).abs() < 1e-9 && fit.ic50_position == Position::Within);
    assert!((two.at(fit.ic50.value) - 0.5).abs() < 0.01);
    assert!(fit.peak.value.is_nan() && fit.shape().is_none());

    let rise = Shape::BrainCousens(RISE);
    let fit = fitted(CurveParams::default(), &doses, &simulated(&rise, 0.0, 0, &doses));
    assert_eq!(
        (fit.model, fit.flags.contains(Flag::Hormetic)),
        (FittedModel::BrainCousens, true),
        "{}",
        fit.flags
    );
    let highest = (0..4000).map(|at| rise.at(1e-4 * 1.003_f64.powi(at))).fold(0.0, f64::max);
    assert!((fit.peak.value - highest).abs() < 0.005, "{} {highest}", fit.peak.value);
    assert!((rise.at(fit.peak_um) - highest).abs() < 0.005);
    assert!((rise.at(fit.ic50.value) - 0.5).abs() < 0.01, "{fit:?}");
    // Half way from the top, not from the peak.
    assert!((rise.at(fit.ec50.value) - 0.55).abs() < 0.01, "{fit:?}");
    assert!(fit.second.ec50.value.is_nan());
}

/// The percentages of ordinary curves that are mistaken for wider curves, and that get the flag of a lack of fit.
fn false_alarms(replicates: usize, sigma: f64, outliers: f64) -> [f64; 2] {
    const CURVES: u64 = 1500;
    let doses = doses(replicates);
    let curves: Vec<Vec<f64>> = (0..CURVES)
        .map(|curve| {
            let place = curve as f64 / CURVES as f64;
            let hill = (0.3 + 0.5 * normal(77, curve)).exp();
            let shape =
                LogLogistic { top: 1.0, bottom: 0.3 * place, ec50: 0.02 * 100.0_f64.powf(place), hill };
            let mut readings = simulated(&Shape::LogLogistic(shape), sigma, 10_000 + curve, &doses);
            for (at, reading) in readings.iter_mut().enumerate() {
                let off = normal(5, curve * 1000 + at as u64);
                // The tail of a normal number decides which readings are outliers, and on which side.
                if off.abs() > outliers {
                    *reading += 0.4 * off.signum();
                }
            }
            readings
        })
        .collect();
    let readings: Vec<CurveReadings> = curves
        .iter()
        .map(|viability| CurveReadings { dose_um: &doses, viability, divisions: None, batch: None })
        .collect();
    let fits = CurveParams::default().check().unwrap().fit_all(&readings, &Silent).unwrap();
    let share = |flags: &[Flag]| {
        let set = fits.iter().filter(|fit| flags.iter().any(|flag| fit.flags.contains(*flag))).count();
        100.0 * set as f64 / CURVES as f64
    };
    [share(&[Flag::Biphasic, Flag::Hormetic]), share(&[Flag::LackOfFit])]
}

#[test]
fn ordinary_curves_have_one_phase() {
    for (replicates, sigma, outliers) in [
        (3, 0.05, f64::INFINITY),
        (1, 0.05, f64::INFINITY),
        (3, 0.15, f64::INFINITY),
        (3, 0.05, 2.0),
        (1, 0.05, 2.0),
    ] {
        let [wider, lack] = false_alarms(replicates, sigma, outliers);
        println!("{replicates} replicates, {sigma}, {outliers}: {wider:.2} % wider, {lack:.2} % lack of fit");
        assert!(wider <= 1.0, "{replicates} replicates, {sigma}, {outliers}: {wider} %");
        assert!(lack <= 2.0, "{replicates} replicates, {sigma}, {outliers}: {lack} %");
    }
}

/// Second phases and rises are found, and their intervals of the IC50 cover the truth.
#[test]
fn wider_curves_are_found_and_their_intervals_hold() {
    const CURVES: u64 = 400;
    let doses = doses(3);
    for (shape, truth) in [(Shape::TwoPhase(TWO), 0.0), (Shape::BrainCousens(RISE), 0.0)] {
        let falls = |at: i32| 1e-3 * 1.002_f64.powi(at);
        let ic50 = (0..8000).map(falls).find(|dose| *dose > truth && shape.at(*dose) <= 0.5).unwrap();
        let (mut found, mut held) = (0, 0);
        for curve in 0..CURVES {
            let fit = fitted(CurveParams::default(), &doses, &simulated(&shape, 0.04, 500 + curve, &doses));
            if fit.flags.contains(Flag::Biphasic) || fit.flags.contains(Flag::Hormetic) {
                found += 1;
                held += i32::from(!(fit.ic50.lower > ic50 || fit.ic50.upper < ic50));
            }
        }
        let held = 100.0 * f64::from(held) / f64::from(found);
        println!("{shape:?}: {found} of {CURVES}, {held} %");
        assert!(found >= 380, "{shape:?}: {found} of {CURVES}");
        assert!((92.5..=97.8).contains(&held), "{shape:?}: {held} %");
    }
}

#[test]
fn log_logistic_curves_are_flagged_alike() {
    let doses = doses(3);
    let readings = simulated(&Shape::TwoPhase(TWO), 0.03, 1, &doses);
    let params = CurveParams { curves: Curves::LogLogistic, ..CurveParams::default() };
    let fit = fitted(params, &doses, &readings);
    assert!(
        fit.shape().is_some() && fit.flags.contains(Flag::Biphasic),
        "{} {}",
        fit.model.name(),
        fit.flags
    );
    assert!(fit.flags.contains(Flag::LackOfFit) && fit.p_lack_of_fit < 0.01 && fit.p_phases < 0.01);
    let fit = fitted(CurveParams::default(), &doses, &readings);
    assert!(fit.p_lack_of_fit > 0.01, "{}", fit.p_lack_of_fit);
}

/// A second phase that only one reading shows may be an error of that reading.
#[test]
fn one_reading_is_no_phase() {
    let doses = doses(1);
    let plain = Shape::LogLogistic(LogLogistic { top: 1.0, bottom: 0.6, ec50: 0.01, hill: 1.5 });
    let mut readings = simulated(&plain, 0.01, 3, &doses);
    readings[9] = 0.1;
    let fit = fitted(CurveParams::default(), &doses, &readings);
    assert!(!fit.flags.contains(Flag::Biphasic), "{}", fit.flags);
    let doses = self::doses(2);
    let mut readings = simulated(&plain, 0.01, 3, &doses);
    (readings[18], readings[19]) = (0.1, 0.12);
    let fit = fitted(CurveParams::default(), &doses, &readings);
    assert!(fit.flags.contains(Flag::Biphasic), "{}", fit.flags);
    // 50 % is crossed between the two highest doses.
    assert!(fit.ic50.value > doses[17] && fit.ic50.value < doses[19], "{:?}", fit.ic50);
    assert!(fit.ic50.lower > 0.9 * doses[17] && fit.ic50.upper < 1.1 * doses[19], "{:?}", fit.ic50);
}

/// A curve that falls and turns up again: the IC50 is the dose at which it first falls through 50 %.
#[test]
fn a_hook_keeps_its_ic50() {
    let doses = doses(3);
    let hook = TwoPhase { plateau: 0.05, bottom: 0.9, hill: 1.2, hill_2: 1.5, ..TWO };
    let fit = fitted(CurveParams::default(), &doses, &simulated(&Shape::TwoPhase(hook), 0.03, 8, &doses));
    assert!(fit.flags.contains(Flag::NonMonotone) && fit.flags.contains(Flag::Biphasic), "{}", fit.flags);
    assert!((fit.ic50.value / 0.0117 - 1.0).abs() < 0.15, "{:?}", fit.ic50);
    assert!((fit.emax.value - hook_at_highest(&hook, doses[29])).abs() < 0.06, "{:?}", fit.emax);
}

fn hook_at_highest(hook: &TwoPhase, dose: f64) -> f64 {
    hook.at(dose)
}

/// The lack-of-fit test, computed here from the readings and the fitted curve.
#[test]
fn lack_of_fit_is_the_textbooks() {
    let doses = doses(3);
    let readings = simulated(&Shape::TwoPhase(TWO), 0.05, 21, &doses);
    let params = CurveParams {
        model: ModelChoice::FourParameter,
        outliers: Outliers::Kept,
        hill_prior: HillPrior::None,
        ..CurveParams::default()
    };
    let fit = fitted(params.clone(), &doses, &readings);
    let (mut about_curve, mut about_means) = (0.0, 0.0);
    for (three, dose) in readings.chunks(3).zip(doses.chunks(3)) {
        let mean = three.iter().sum::<f64>() / 3.0;
        about_curve += three.iter().map(|value| (value - fit.at(dose[0]).unwrap()).powi(2)).sum::<f64>();
        about_means += three.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    }
    let f = (about_curve - about_means) / 6.0 / (about_means / 20.0);
    let expected = f_upper_tail(f, 6.0, 20.0);
    assert!((fit.p_lack_of_fit - expected).abs() < 1e-3 * expected, "{} {expected}", fit.p_lack_of_fit);
    // Doses that differ by dispensing error are replicates. Single readings per dose give no test.
    let jittered: Vec<f64> =
        doses.iter().enumerate().map(|(at, dose)| dose * (1.0 + 0.004 * (at % 3) as f64)).collect();
    let near = fitted(params.clone(), &jittered, &readings).p_lack_of_fit;
    assert!((near.ln() - expected.ln()).abs() < 0.5, "{near} {expected}");
    let single: Vec<f64> = readings.iter().step_by(3).copied().collect();
    assert!(fitted(params, &self::doses(1), &single).p_lack_of_fit.is_nan());
}

/// Batches that differ by a factor cause neither a lack of fit nor a second phase.
#[test]
fn batches_are_no_lack_of_fit() {
    const CURVES: u64 = 400;
    let doses = doses(3);
    let batch: Vec<u32> = (0..30).map(|at| at % 3).collect();
    let curves: Vec<Vec<f64>> = (0..CURVES)
        .map(|curve| {
            let shape = LogLogistic { top: 1.0, bottom: 0.1, ec50: 0.05 + 0.001 * curve as f64, hill: 1.2 };
            let factor = |at: usize| 1.0 + 0.1 * normal(9, 3 * curve + batch[at] as u64);
            let plain = simulated(&Shape::LogLogistic(shape), 0.04, 40_000 + curve, &doses);
            let fitted = |at: usize| (factor(at) - 1.0) * shape.at(doses[at]);
            plain.iter().enumerate().map(|(at, value)| value + fitted(at)).collect()
        })
        .collect();
    let readings: Vec<CurveReadings> = curves
        .iter()
        .map(|viability| CurveReadings { dose_um: &doses, viability, divisions: None, batch: Some(&batch) })
        .collect();
    let fits = CurveParams::default().check().unwrap().fit_all(&readings, &Silent).unwrap();
    let count = |flag: Flag| fits.iter().filter(|fit| fit.flags.contains(flag)).count();
    assert!(count(Flag::LackOfFit) <= 10, "{}", count(Flag::LackOfFit));
    assert!(count(Flag::Biphasic) + count(Flag::Hormetic) <= 4);
    // The p values are uniform: about half of them are below one half.
    let low = fits.iter().filter(|fit| fit.p_lack_of_fit < 0.5).count();
    assert!((140..260).contains(&low), "{low} of {CURVES}");
}
