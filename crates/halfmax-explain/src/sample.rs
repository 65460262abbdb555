//! Explains the predictions of a model for single cell lines.

use halfmax_core::{
    Category, Domain, EntityTable, Error, FeatureBlock, FeatureSpace, FeatureValues, FittedModel, Query,
    Result, Tuples,
};
use ndarray::Array2;
use rayon::prelude::*;

use crate::features::attributor;
use crate::sets::FeatureSet;
use crate::values::Values;

/// The contributions of the features of some cell lines to the predictions for every partner (drug).
pub struct Samples {
    /// The features.
    pub space: FeatureSpace,
    /// The contributions for each partner: features of sets (by position in `kept`) × cell lines, in the unit of the
    /// target.
    contributions: Vec<Array2<f32>>,
    /// The features that belong to any set, ascending.
    kept: Vec<u32>,
    /// The prediction of every cell line, for each partner.
    pub predicted: Vec<Vec<f64>>,
    /// The features' values.
    pub values: Values,
}

/// A set's part in a prediction for one cell line.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// The set.
    pub set: usize,
    /// Its contribution to the prediction, in the unit of the target.
    pub contribution: f64,
    /// Its features with the largest contributions, the largest first: the member of the set, and its contribution.
    pub members: Vec<(usize, f64)>,
}

/// The number of reported members of a set.
const MEMBERS: usize = 3;

impl Samples {
    /// The contributions for these cell lines (positions in the first table), partners, and sets of features.
    ///
    /// # Errors
    /// If the model cannot attribute its predictions to features, or a table lacks most of the features.
    pub fn new(
        model: &dyn FittedModel,
        tables: &[&EntityTable],
        cells: &[u32],
        partners: &[Vec<u32>],
        sets: &[FeatureSet],
    ) -> Result<Self> {
        let mut kept: Vec<u32> = sets.iter().flat_map(FeatureSet::features).collect();
        kept.sort_unstable();
        kept.dedup();
        let rows: Vec<usize> = kept.iter().map(|feature| *feature as usize).collect();
        let attributor = attributor(model, tables, cells)?.ok_or_else(|| {
            Error::config(format!("family {:?} cannot attribute its predictions to features", model.family()))
        })?;
        let space = attributor.space().clone();
        let values = Values::new(&space, tables[0], cells)?;
        let found: Vec<(Array2<f32>, Vec<f64>)> = partners
            .par_iter()
            .map(|partner| {
                let found = attributor.contributions(partner)?;
                let sum = |(cell, base): (usize, &f64)| {
                    base + found.values.column(cell).iter().map(|value| f64::from(*value)).sum::<f64>()
                };
                let predicted = found.base.iter().enumerate().map(sum).collect();
                Ok((found.values.select(ndarray::Axis(0), &rows), predicted))
            })
            .collect::<Result<_>>()?;
        let (contributions, predicted) = found.into_iter().unzip();
        Ok(Self { space, contributions, kept, predicted, values })
    }

    /// The contributions of sets to the prediction for a partner and a cell line, the largest first, without sets that
    /// contribute nothing.
    pub fn arguments(&self, partner: usize, cell: usize, sets: &[FeatureSet]) -> Vec<Argument> {
        let own = self.contributions[partner].column(cell);
        let argument = |(set, features): (usize, &FeatureSet)| {
            let part = |(at, member): (usize, &crate::sets::Member)| {
                (at, self.kept.binary_search(&member.feature).map_or(0.0, |row| f64::from(own[row])))
            };
            let mut members: Vec<(usize, f64)> = features.members.iter().enumerate().map(part).collect();
            let contribution: f64 = members.iter().map(|(_, part)| part).sum();
            members.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
            members.retain(|(_, part)| *part != 0.0);
            members.truncate(MEMBERS);
            (!members.is_empty()).then_some(Argument { set, contribution, members })
        };
        let mut found: Vec<Argument> = sets.iter().enumerate().filter_map(argument).collect();
        found.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()).then(a.set.cmp(&b.set)));
        found
    }
}

/// The predictions for one cell line and every partner if one of its features had another value: a number, or 0 or 1
/// for a bit.
///
/// # Errors
/// If the feature is a category, the table lacks it, or the model cannot predict.
pub fn counterfactual(
    model: &dyn FittedModel,
    tables: &[&EntityTable],
    cell: u32,
    space: &FeatureSpace,
    (feature, value): (u32, f32),
    partners: &[Vec<u32>],
) -> Result<Vec<f64>> {
    let changed = &space.features[feature as usize];
    if matches!(changed.domain, Domain::Category(_)) {
        return Err(Error::config(format!(
            "feature {:?} is a category, expected a number or a bit",
            changed.name
        )));
    }
    let own = tables[0];
    let id = own.ids().get(cell as usize).cloned().unwrap_or_default();
    let mut table = EntityTable::new([id], own.entity_kind())?;
    if let Some(tissue) = own.group("tissue") {
        let code = tissue.codes.get(cell as usize).copied().flatten();
        table = table.with_group("tissue", Category { levels: tissue.levels.clone(), codes: vec![code] })?;
    }
    let mut found = false;
    for block in own.blocks() {
        let mut one = block.take(&[Some(cell as usize)]);
        if block.kind == changed.kind
            && let Some(column) = block.names.iter().position(|name| *name == changed.name)
        {
            found = true;
            match &mut one.values {
                FeatureValues::Real(values) => values[[0, column]] = value,
                FeatureValues::Binary(bits) => bits.set(0, column, Some(value > 0.5)),
                FeatureValues::Category(_) => {}
            }
        }
        table = table.with_block(one)?;
    }
    if !found {
        return Err(Error::data(format!(
            "the {} table has no feature {:?}",
            own.entity_kind(),
            changed.name
        )));
    }
    let mut changed: Vec<&EntityTable> = vec![&table];
    changed.extend(&tables[1..]);
    let lists: Vec<Vec<u32>> = (0..tables.len())
        .map(|side| match side.checked_sub(1) {
            None => vec![0; partners.len()],
            Some(member) => partners.iter().map(|partner| partner[member]).collect(),
        })
        .collect();
    let sides: Vec<&[u32]> = lists.iter().map(Vec::as_slice).collect();
    let query = Query { tables: &changed, tuples: Tuples::Listed(&sides) };
    Ok(model.predict(&query)?.into_iter().map(f64::from).collect())
}

/// The table with the blocks of some kinds, or some of their features, taken from other entities.
pub(crate) fn with_features_of(
    table: &EntityTable,
    changes: &dyn Fn(&FeatureBlock) -> Option<FeatureBlock>,
) -> Result<EntityTable> {
    let mut changed = EntityTable::new(table.ids().iter().cloned(), table.entity_kind())?;
    if let Some(tissue) = table.group("tissue") {
        changed = changed.with_group("tissue", tissue.clone())?;
    }
    for block in table.blocks() {
        changed = changed.with_block(changes(block).unwrap_or_else(|| block.clone()))?;
    }
    Ok(changed)
}
