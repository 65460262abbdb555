//! Doses of effects, sensitivity scores and comparisons of curves, compared with independently computed values.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{doses, near, normal};
use halfmax_dose::*;

/// Readings at eight doses, three each.
fn simulated(shape: &LogLogistic, sigma: f64, seed: u64) -> Vec<f64> {
    common::simulated(shape, sigma, seed, &doses(3))
}

fn fit(params: &CurveParams, viability: &[f64], divisions: Option<f64>) -> CurveFit {
    let dose_um = doses(3);
    params.clone().check().unwrap().fit(&CurveReadings {
        dose_um: &dose_um,
        viability,
        divisions,
        batch: None,
    })
}

const CURVE: LogLogistic = LogLogistic { top: 1.0, bottom: 0.05, ec50: 0.2, hill: 1.3 };

#[test]
fn doses_of_effects_are_those_of_the_curve() {
    let effects = vec![
        Effect::Inhibitory(10.0),
        Effect::Inhibitory(90.0),
        Effect::Inhibitory(99.0),
        Effect::Effective(25.0),
        Effect::Effective(99.9),
        Effect::GrowthRate(50.0),
        Effect::GrowthRate(100.0),
    ];
    let params = CurveParams { effects, ..CurveParams::default() };
    let found = fit(&params, &simulated(&CURVE, 0.0, 0), Some(1.0));
    let dose = |at: usize| found.effect_doses[at].dose.value.ln();
    near(dose(0), CURVE.dose_at(0.9).unwrap().ln(), 1e-3);
    near(dose(1), CURVE.dose_at(0.1).unwrap().ln(), 1e-3);
    assert_eq!(found.effect_doses[2].position, Position::Nowhere, "the bottom is at 5 %");
    near(dose(3), 0.2_f64.ln() + (1.0_f64 / 3.0).ln() / 1.3, 1e-3);
    assert_eq!(found.effect_doses[4].position, Position::Above);
    near(dose(4), 0.2_f64.ln() + 999.0_f64.ln() / 1.3, 1e-2);
    // With one division, a growth rate of 1 − x/100 is a viability of 1 − x/200.
    near(dose(5), CURVE.dose_at(0.75).unwrap().ln(), 0.2);
    near(found.growth.gr50.value.ln(), dose(5), 1e-12);
    near(dose(6), CURVE.dose_at(0.5).unwrap().ln(), 0.2);
    // Without divisions, growth is unknown.
    assert_eq!(fit(&params, &simulated(&CURVE, 0.0, 0), None).effect_doses[5].position, Position::Nowhere);
    for (effect, name) in [
        (Effect::Inhibitory(0.0), "icx"),
        (Effect::Effective(100.0), "ecx"),
        (Effect::GrowthRate(200.0), "grx"),
    ] {
        let error = CurveParams { effects: vec![effect], ..CurveParams::default() }.check().unwrap_err();
        assert!(error.to_string().starts_with(name), "{error}");
    }
}

#[test]
fn intervals_of_effects_hold_the_truth() {
    let effects = [
        Effect::Inhibitory(25.0),
        Effect::Inhibitory(80.0),
        Effect::Effective(20.0),
        Effect::Effective(90.0),
    ];
    let truths = [CURVE.dose_at(0.75), CURVE.dose_at(0.2), CURVE.dose_at(0.81), CURVE.dose_at(0.145)];
    let params = CurveParams { effects: effects.to_vec(), ..CurveParams::default() };
    let mut held = [0; 4];
    for curve in 0..2000 {
        let found = fit(&params, &simulated(&CURVE, 0.05, 3000 + curve), None);
        for (at, truth) in truths.iter().enumerate() {
            let dose = found.effect_doses[at].dose;
            held[at] += i32::from(!(dose.lower > truth.unwrap() || dose.upper < truth.unwrap()));
        }
    }
    println!("of 2000: {held:?}");
    assert!(held.iter().all(|held| (1860..=1950).contains(held)), "{held:?} of 2000");
}

/// DSS as in the R package DSS 1.2, for a curve with its top at the control.
fn published(curve: &LogLogistic, low: f64, high: f64) -> [f64; 3] {
    let (a, y, b, c) = (100.0 * (1.0 - curve.bottom), 10.0_f64, curve.hill, curve.ec50.log10());
    let ln10 = std::f64::consts::LN_10;
    let (least, x2) = (low.log10(), high.log10());
    let x1 = (c - ((a - y).ln() - y.ln()) / (b * ln10)).max(least);
    let integral = |x: f64| a * (1.0 + 10.0_f64.powf(b * (c - x))).ln() / (b * ln10) + a * x;
    let area = integral(x2) - integral(x1) - y * (x2 - x1);
    let first = 100.0 * area / ((x2 - least) * (100.0 - y));
    [first, first / a.log10(), first * 2.0 / a.log10() * (x2 - x1) / (x2 - least)]
}

#[test]
fn sensitivity_scores_are_the_published_ones() {
    let doses = doses(3);
    for curve in
        [CURVE, LogLogistic { ec50: 0.004, ..CURVE }, LogLogistic { bottom: 0.5, hill: 0.8, ..CURVE }]
    {
        let found = fit(&CurveParams::default(), &simulated(&curve, 0.0, 0), None).sensitivity;
        for (dss, expected) in found.dss.iter().zip(published(&curve, doses[0], doses[23])) {
            near(*dss, expected, 0.02);
        }
        near(found.aac, 1.0 - curve.area(doses[0], doses[23]), 1e-4);
    }
    // An inactive drug, and one whose EC50 is not below the highest dose.
    let found = fit(&CurveParams::default(), &[1.0; 24], None).sensitivity;
    assert_eq!((found.aac, found.dss), (0.0, [0.0; 3]));
    let weak = LogLogistic { ec50: 30.0, ..CURVE };
    assert_eq!(fit(&CurveParams::default(), &simulated(&weak, 0.0, 0), None).sensitivity.dss, [0.0; 3]);
    // Viabilities above the control do not reduce the effect.
    let high = LogLogistic { top: 1.2, ..CURVE };
    let found = fit(&CurveParams::default(), &simulated(&high, 0.0, 0), None).sensitivity;
    let cut = |at: i32| {
        1.0 - high.at(doses[0] * (doses[23] / doses[0]).powf((f64::from(at) + 0.5) / 5000.0)).min(1.0)
    };
    near(found.aac, (0..5000).map(cut).sum::<f64>() / 5000.0, 1e-3);
}

#[test]
fn ratios_of_potency_hold_the_truth() {
    const PAIRS: u64 = 2000;
    let other = LogLogistic { ec50: 0.6, bottom: 0.2, ..CURVE };
    let truth = [other.dose_at(0.5).unwrap() / CURVE.dose_at(0.5).unwrap(), 3.0];
    let (mut held, mut alarms) = ([0, 0], 0);
    for pair in 0..PAIRS {
        let a = fit(&CurveParams::default(), &simulated(&CURVE, 0.06, 5000 + 3 * pair), None);
        let b = fit(&CurveParams::default(), &simulated(&other, 0.06, 5001 + 3 * pair), None);
        let found = a.compare(&b);
        for (at, ratio) in [found.ic50_ratio, found.ec50_ratio].into_iter().enumerate() {
            held[at] += u64::from(ratio.lower <= truth[at] && truth[at] <= ratio.upper);
            assert_eq!(ratio.p_value < 0.05, ratio.lower > 1.0 || ratio.upper < 1.0, "{ratio:?}");
        }
        let same = fit(&CurveParams::default(), &simulated(&CURVE, 0.06, 5002 + 3 * pair), None);
        alarms += u64::from(a.compare(&same).ic50_ratio.p_value < 0.05);
    }
    println!("held {held:?}, {alarms} false alarms, of {PAIRS}");
    assert!(held.iter().all(|held| (1860..=1950).contains(held)), "{held:?} of {PAIRS}");
    assert!((60..=140).contains(&alarms), "{alarms} of {PAIRS}");
}

#[test]
fn area_between_curves_is_that_of_the_shared_doses() {
    let exact = |curve: &LogLogistic| fit(&CurveParams::default(), &simulated(curve, 0.0, 0), None);
    let doses = doses(3);
    let other = LogLogistic { ec50: 2.0, ..CURVE };
    let (a, b) = (exact(&CURVE), exact(&other));
    // One curve lies above the other everywhere.
    let expected = other.area(doses[0], doses[23]) - CURVE.area(doses[0], doses[23]);
    near(a.compare(&b).abc, expected, 1e-3);
    near(b.compare(&a).abc, expected, 1e-3);
    near(b.compare(&a).ic50_ratio.ratio * a.compare(&b).ic50_ratio.ratio, 1.0, 1e-9);
    assert_eq!(a.compare(&a).abc, 0.0);
    // A drug whose IC50 was not reached has no ratio.
    let weak = exact(&LogLogistic { bottom: 0.7, ..CURVE });
    assert!(a.compare(&weak).ic50_ratio.ratio.is_nan() && a.compare(&weak).abc > 0.1);
}

/// Growth rates have larger errors the fewer cells live. Intervals of their doses account for this, whether many or few
/// cells die.
#[test]
fn doses_of_growth_rates_are_held() {
    let (doses, divisions) = (doses(3), 2.0);
    let effects = vec![Effect::GrowthRate(25.0), Effect::GrowthRate(100.0)];
    let params = CurveParams { effects, ..CurveParams::default() };
    let rates = |ec50: f64| LogLogistic { top: 1.0, bottom: -0.6, ec50, hill: 1.2 };
    for ec50 in [0.3, 4.0] {
        let (mut held, mut all) = ([0; 2], [0; 2]);
        for seed in 0..400 {
            let reading = |(at, dose): (u64, &f64)| {
                let left = ((rates(ec50).at(*dose) + 1.0) / 2.0).powf(divisions);
                left + 0.05 * normal(9000 + seed, at)
            };
            let values: Vec<f64> = (0..).zip(&doses).map(reading).collect();
            let found = fit(&params, &values, Some(divisions));
            for (at, level) in [0.75, 0.0].into_iter().enumerate() {
                let dose = &found.effect_doses[at].dose;
                let truth = rates(ec50).dose_at(level).unwrap();
                all[at] += usize::from(dose.is_known());
                held[at] += usize::from(dose.is_known() && !(dose.lower > truth || dose.upper < truth));
            }
        }
        for at in 0..2 {
            let share = held[at] as f64 / all[at] as f64;
            assert!(all[at] > 380 && (0.92..0.98).contains(&share), "{ec50}, {at}: {share} of {all:?}");
        }
    }
}
