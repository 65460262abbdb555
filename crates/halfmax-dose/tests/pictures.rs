//! The data of curve pictures: the band has its nominal coverage, and readings are marked as used or left out.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use halfmax_core::Seed;
use halfmax_dose::{CurveParams, CurvePicture, CurveReadings, FittedModel, Flag, HillPrior, LogLogistic};

/// Standard normal numbers, each by its own place in a sequence.
fn normal(seed: u64, at: u64) -> f64 {
    common::normal_of(Seed::new(seed).derive(at), 0)
}

/// Nine doses from 0.01 to 66 µM, each several times.
fn doses(replicates: usize) -> Vec<f64> {
    (0..9 * replicates).map(|at| 0.01 * 3.0_f64.powi((at % 9) as i32)).collect()
}

fn simulated(shape: &LogLogistic, sigma: f64, seed: u64, doses: &[f64]) -> Vec<f64> {
    (0..doses.len()).map(|at| shape.at(doses[at]) + sigma * normal(seed, at as u64)).collect()
}

fn picture(params: CurveParams, dose_um: &[f64], viability: &[f64], points: usize) -> CurvePicture {
    let readings = CurveReadings { dose_um, viability, divisions: None, batch: None };
    params.check().unwrap().picture(&readings, points)
}

/// At every dose, the band covers the true curve in about 95 of 100 cases, with four given parameters and with a curve
/// selected by the data.
#[test]
fn bands_hold_the_true_curve() {
    const CURVES: u64 = 1_500;
    const POINTS: usize = 7;
    let shape = LogLogistic { top: 1.0, bottom: 0.15, ec50: 0.6, hill: 1.1 };
    let doses = doses(2);
    for params in [
        CurveParams {
            model: halfmax_dose::ModelChoice::FourParameter,
            hill_prior: HillPrior::None,
            ..Default::default()
        },
        CurveParams::default(),
    ] {
        let mut held = [0_u64; POINTS];
        for curve in 0..CURVES {
            let viability = simulated(&shape, 0.06, 400_000 + curve, &doses);
            let found = picture(params.clone(), &doses, &viability, POINTS);
            for (held, point) in held.iter_mut().zip(&found.band) {
                let truth = shape.at(point.dose_um);
                *held += u64::from(point.lower <= truth && truth <= point.upper);
            }
        }
        let shares = held.map(|held| held as f64 / CURVES as f64);
        println!("held the true curve, at each dose: {shares:.3?}");
        assert!(shares.iter().all(|share| (0.93..=0.97).contains(share)), "{params:?}: {shares:?}");
    }
}

#[test]
fn a_band_is_that_of_the_fit() {
    let doses = doses(2);
    let shape = LogLogistic { top: 1.0, bottom: 0.1, ec50: 0.3, hill: 1.5 };
    let viability = simulated(&shape, 0.04, 11, &doses);
    let readings = CurveReadings { dose_um: &doses, viability: &viability, divisions: None, batch: None };
    let fitter = CurveParams::default().check().unwrap();
    let found = fitter.picture(&readings, 41);
    assert_eq!(format!("{:?}", found.fit), format!("{:?}", fitter.fit(&readings)));
    assert_eq!((found.band.len(), found.readings.len()), (41, 18));
    let ([first, .., last], curve) = (found.band.as_slice(), found.fit.shape().unwrap()) else { panic!() };
    assert!((first.dose_um / 0.01 - 1.0).abs() < 1e-9 && (last.dose_um / doses[8] - 1.0).abs() < 1e-9);
    let emax = found.fit.emax;
    for (found, expected) in
        [(last.viability, emax.value), (last.lower, emax.lower), (last.upper, emax.upper)]
    {
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }
    for point in &found.band {
        assert!((point.viability - curve.at(point.dose_um)).abs() < 1e-9);
        assert!(point.lower < point.viability && point.viability < point.upper);
        // The interval of a curve is narrower than that of a reading.
        assert!(point.upper - point.lower < 4.0 * found.fit.residual_standard_error, "{point:?}");
    }
}

#[test]
fn outliers_are_marked() {
    let doses = doses(3);
    let shape = LogLogistic { top: 1.0, bottom: 0.1, ec50: 0.3, hill: 1.5 };
    let mut viability = simulated(&shape, 0.03, 12, &doses);
    viability[2] = 0.2;
    let found = picture(CurveParams::default(), &doses, &viability, 9);
    let left_out: Vec<_> = found.readings.iter().filter(|reading| reading.left_out).collect();
    assert_eq!(left_out.len(), found.fit.outliers);
    assert_eq!(left_out.len(), 1, "{left_out:?}");
    assert!((left_out[0].viability - 0.2).abs() < 1e-12 && (left_out[0].dose_um / 0.09 - 1.0).abs() < 1e-9);
}

#[test]
fn flat_and_missing_curves_have_pictures() {
    let doses = doses(2);
    let flat: Vec<f64> = (0..18).map(|at| 1.0 + 0.03 * normal(5, at)).collect();
    let found = picture(CurveParams::default(), &doses, &flat, 5);
    assert_eq!(found.fit.model, FittedModel::Constant);
    let level = found.fit.emax;
    assert!(found.band.iter().all(|point| {
        (point.viability, point.lower, point.upper) == (level.value, level.lower, level.upper)
    }));
    let few = picture(CurveParams::default(), &doses[..2], &flat[..2], 5);
    assert!(few.fit.flags.contains(Flag::TooFewDoses) && few.band.is_empty());
    assert_eq!(few.readings.len(), 2);
    assert!(picture(CurveParams::default(), &doses, &flat, 0).band.is_empty());
    assert!(picture(CurveParams::default(), &[], &[], 5).readings.is_empty());
}
