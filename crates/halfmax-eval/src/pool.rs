//! Combines the results of a model over all folds.

use std::collections::HashMap;

use halfmax_core::{FeatureSelection, Result, Screen, TrainView};

use crate::bootstrap::Bootstrap;
use crate::conformal::NOMINAL;
use crate::fits::Work;
use crate::fold::{Drugs, Fold, learning_curve, score, take_predictions};
use crate::inner_folds::groups_of;
use crate::{Coverage, Detection, ModelEvaluation, NamedModel, Resample, Scored, Validation};

/// Scores the test responses of all folds together.
pub(crate) fn pool(
    work: Work,
    named: &NamedModel,
    mut found: Vec<Fold>,
    drugs: &Drugs,
) -> Result<(ModelEvaluation, Bootstrap)> {
    let Work { screen, folds, protocol, validation, other, .. } = work;
    let of_other: Vec<usize> = found.iter().flat_map(|fold| other.of_fold(fold.evaluation.fold)).collect();
    let said_of_other: Vec<f32> = found.iter().flat_map(|fold| &fold.other).copied().collect();
    let rows: Vec<usize> = found.iter().flat_map(|fold| &*fold.test).copied().collect();
    let predicted: Vec<f32> = found.iter().flat_map(|fold| &fold.predicted).copied().collect();
    let scored = score(screen, &rows, &predicted, drugs)?;
    let scored = match protocol.positive_above {
        Some(threshold) => scored.with_threshold(threshold),
        None => scored,
    };
    let resample = if folds.kind().leaves_drugs_out() { Resample::Drugs } else { Resample::Cells };
    let drawn = scored.bootstrap(resample, protocol.bootstrap_draws, protocol.seed.derive(u64::MAX))?;
    let metrics = scored.metrics();
    let per_drug = scored.per_drug(|drug| drugs.names[drug as usize].clone());
    let intervals = drawn.intervals(&metrics);
    let detects = screen.is_of_combinations() || protocol.positive_above.is_some();
    let detection = detects.then(|| Detection::new(&scored, protocol.positive_above, intervals));
    drop(scored);
    let evaluation = ModelEvaluation {
        name: named.name.clone(),
        family: named.family.clone(),
        metrics,
        intervals,
        detection,
        fit_seconds: found.iter().map(|fold| fold.evaluation.fit_seconds).sum(),
        predict_seconds: found.iter().map(|fold| fold.evaluation.predict_seconds).sum(),
        calibration: coverage(screen, &found, validation),
        learning_curve: learning_curve(&found, |rows, predicted| {
            Ok(score(screen, rows, predicted, drugs)?.metrics())
        })?,
        cross_study: other.score(&of_other, &said_of_other)?,
        constant_drugs: constant_drugs(&found, drugs),
        per_drug,
        predictions: take_predictions(&mut found),
        folds: found.into_iter().map(|fold| fold.evaluation).collect(),
    };
    Ok((evaluation, drawn))
}

/// The number of drugs with enough cell lines whose predictions are all equal.
fn constant_drugs(found: &[Fold], drugs: &Drugs) -> usize {
    let mut of_drug: HashMap<u32, (usize, f32, f32)> = HashMap::new();
    for fold in found {
        for (row, predicted) in fold.test.iter().zip(&fold.predicted) {
            let first = (0, f32::INFINITY, f32::NEG_INFINITY);
            let own = of_drug.entry(drugs.of_response[*row]).or_insert(first);
            *own = (own.0 + 1, own.1.min(*predicted), own.2.max(*predicted));
        }
    }
    of_drug.values().filter(|own| own.0 >= Scored::LEAST_CELLS && own.1 == own.2).count()
}

/// The coverage of the intervals over the test responses of all folds.
fn coverage(screen: &Screen, found: &[Fold], validation: &Validation) -> Vec<Coverage> {
    if found.iter().any(|fold| fold.halves.is_none()) {
        return Vec::new();
    }
    let rows: Vec<usize> = found.iter().flat_map(|fold| &*fold.test).copied().collect();
    let view = TrainView { screen, rows, features: FeatureSelection::all(screen) };
    let groups = groups_of(&view, validation.group());
    let at_level = |level: usize| {
        let mut group = groups.iter();
        let mut held = Vec::new();
        for fold in found {
            let halves = fold.halves.as_ref()?;
            for (at, row) in fold.test.iter().enumerate() {
                let (group, half) = (*group.next()?, f64::from(halves.nominal[level][at]));
                let error = f64::from(screen.responses.values()[*row]) - f64::from(fold.predicted[at]);
                if !half.is_nan() {
                    held.push((group, error.abs(), half));
                }
            }
        }
        Coverage::of(NOMINAL[level], &held)
    };
    (0..NOMINAL.len()).filter_map(at_level).collect()
}
