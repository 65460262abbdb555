//! Tests a model of one study on the responses of another study.

use std::collections::HashMap;

use halfmax_core::{Result, Screen, ValidationGroup};
use serde::Serialize;

use crate::{Folds, Metrics, Scored, Validation};

/// The response of a pair in the reference study.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReferenceResponse {
    /// The cell line, as a position in the screen's table.
    pub cell: u32,
    /// The drug, as a position in the screen's table.
    pub drug: u32,
    /// The response.
    pub value: f32,
}

/// How a model trained on one study predicts another study of the same drugs, with the same entities held out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CrossStudy {
    /// Metrics over all responses of the other study that belong to one of the folds in this run.
    pub metrics: Metrics,
    /// Metrics of the same predictions against the model's own study, over the pairs that both studies measured.
    pub within: Metrics,
    /// Metrics of the same predictions against the other study, over the pairs that both studies measured.
    pub across: Metrics,
    /// `within` minus `across`: the cost of the change of study.
    pub drop: MetricDrop,
}

/// A difference of metrics. It is positive if the other study is predicted worse.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MetricDrop {
    /// RMSE across minus RMSE within, in the unit of the target.
    pub rmse: Option<f64>,
    /// Mean per-drug Pearson, within minus across.
    pub per_drug_pearson: Option<f64>,
    /// Within-drug R², within minus across.
    pub r2_within_drug: Option<f64>,
}

/// Which responses of the other study are tested in which fold.
pub(crate) struct OtherStudy<'a> {
    responses: &'a [ReferenceResponse],
    fold_of: Vec<Option<usize>>,
    /// The screen's own response of the same pair.
    own: Vec<Option<f32>>,
}

impl<'a> OtherStudy<'a> {
    /// A response belongs to the fold of its entity if the split holds entities out, otherwise to the fold of its pair.
    /// If the screen did not measure the pair, no fold has seen it, and it belongs to the first fold of the run.
    pub(crate) fn new(
        screen: &Screen,
        folds: &Folds,
        validation: &Validation,
        responses: &'a [ReferenceResponse],
        run: &[usize],
    ) -> Self {
        let own = &screen.responses;
        let pair = |at: usize| (own.side(0)[at], own.side(1)[at]);
        let of_pair: HashMap<(u32, u32), usize> = (0..own.len()).map(|at| (pair(at), at)).collect();
        let fold = |at: usize| folds.of_response()[at].map(usize::from);
        let held = match validation.group() {
            ValidationGroup::Entity(side) | ValidationGroup::Groups(side, _) => Some(side),
            ValidationGroup::Response | ValidationGroup::Combination | ValidationGroup::Member => None,
        };
        let of_entity: HashMap<u32, usize> = match held {
            Some(side) => (0..own.len()).filter_map(|at| Some((own.side(side)[at], fold(at)?))).collect(),
            None => HashMap::new(),
        };
        let fold_of = |one: &ReferenceResponse| match held {
            Some(side) => of_entity.get(if side == 0 { &one.cell } else { &one.drug }).copied(),
            None => match of_pair.get(&(one.cell, one.drug)) {
                Some(at) => fold(*at),
                None => run.first().copied(),
            },
        };
        let own_value =
            |one: &ReferenceResponse| of_pair.get(&(one.cell, one.drug)).map(|at| own.values()[*at]);
        Self {
            responses,
            fold_of: responses.iter().map(fold_of).collect(),
            own: responses.iter().map(own_value).collect(),
        }
    }

    /// The responses that are tested in a fold.
    pub(crate) fn of_fold(&self, fold: usize) -> Vec<usize> {
        (0..self.responses.len()).filter(|at| self.fold_of[*at] == Some(fold)).collect()
    }

    /// The cell lines and drugs of some responses.
    pub(crate) fn sides(&self, rows: &[usize]) -> [Vec<u32>; 2] {
        let cells = rows.iter().map(|at| self.responses[*at].cell).collect();
        [cells, rows.iter().map(|at| self.responses[*at].drug).collect()]
    }

    /// Scores (response of the other study, prediction) pairs; `None` if the studies share no pair.
    pub(crate) fn score(&self, rows: &[usize], predicted: &[f32]) -> Result<Option<CrossStudy>> {
        let metrics = |chosen: &[usize], value: &dyn Fn(usize) -> f32| -> Result<Metrics> {
            let chosen_rows: Vec<usize> = chosen.iter().map(|at| rows[*at]).collect();
            let [cells, drugs] = self.sides(&chosen_rows);
            let observed: Vec<f32> = chosen_rows.iter().map(|row| value(*row)).collect();
            let predicted: Vec<f32> = chosen.iter().map(|at| predicted[*at]).collect();
            Ok(Scored::new(&cells, &drugs, &observed, &predicted)?.metrics())
        };
        let all: Vec<usize> = (0..rows.len()).collect();
        let common: Vec<usize> = all.iter().copied().filter(|at| self.own[rows[*at]].is_some()).collect();
        if common.is_empty() {
            return Ok(None);
        }
        let other = |row: usize| self.responses[row].value;
        let within = metrics(&common, &|row| self.own[row].unwrap_or(f32::NAN))?;
        let across = metrics(&common, &other)?;
        let less = |a: Option<f64>, b: Option<f64>| Some(a? - b?);
        let drop = MetricDrop {
            rmse: less(across.rmse(), within.rmse()),
            per_drug_pearson: less(within.per_drug_pearson(), across.per_drug_pearson()),
            r2_within_drug: less(within.r2_within_drug(), across.r2_within_drug()),
        };
        Ok(Some(CrossStudy { metrics: metrics(&all, &other)?, within, across, drop }))
    }
}
