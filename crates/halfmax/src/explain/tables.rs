//! The tables of an explanation: `importance.parquet`, `mechanisms.parquet` and `findings.parquet`.

use std::path::Path;

use halfmax_core::Result;
use halfmax_data::{OutputColumn, OutputSet, TableWriter};
use halfmax_explain::{Explanation, Importance};

use crate::associate::{Associations, Finding, write_findings};
use crate::explain::ModelExplanation;

/// Writes `importance.parquet`, `mechanisms.parquet` and `findings.parquet` of one or more models into a folder. With a set of files, the tables join it.
pub fn write_tables(folder: &Path, models: &[ModelExplanation], set: Option<&OutputSet>) -> Result<()> {
    let mut importance = TableWriter::create(folder.join("importance.parquet"))?;
    let mut mechanisms = TableWriter::create(folder.join("mechanisms.parquet"))?;
    for model in models {
        if let Some(found) = &model.found {
            for partner in 0..model.names.len() {
                write_importance(&mut importance, model, found, partner)?;
            }
        }
        write_mechanisms(&mut mechanisms, model)?;
    }
    if models.iter().all(|model| model.found.is_none()) {
        importance.write(&importance_columns(&Rows::default()))?;
    }
    let associated: Vec<(&str, &Associations, &[Vec<Finding>])> = models
        .iter()
        .filter_map(|model| {
            Some((model.model.as_str(), model.associations.as_ref()?, model.findings.as_slice()))
        })
        .collect();
    let findings = match associated.is_empty() {
        true => None,
        false => Some(write_findings(&associated, &folder.join("findings.parquet"))?),
    };
    for table in [importance, mechanisms].into_iter().chain(findings) {
        match set {
            Some(set) => table.finish_into(set)?,
            None => table.finish()?,
        }
    }
    Ok(())
}

/// The contributing features of a partner, the most important first, with their ranks before and after the adjustment.
pub fn ranked(importance: &[Importance]) -> Vec<(usize, u32, u32)> {
    let order = |of: &dyn Fn(&Importance) -> f64| {
        let mut order: Vec<usize> = (0..importance.len()).collect();
        order.sort_by(|a, b| of(&importance[*b]).total_cmp(&of(&importance[*a])).then(a.cmp(b)));
        order
    };
    let mut adjusted = vec![0; importance.len()];
    let by_adjusted = order(&|one| one.adjusted_mean_abs);
    by_adjusted.iter().zip(1..).for_each(|(feature, rank)| adjusted[*feature] = rank);
    let by_size = order(&|one| one.mean_abs).into_iter().zip(1..);
    by_size
        .filter(|(feature, _)| importance[*feature].mean_abs > 0.0)
        .map(|(feature, rank)| (feature, rank, adjusted[feature]))
        .collect()
}

/// The direction of an effect: "resistant" above 0, "sensitive" below 0, else empty.
pub fn direction(effect: f64) -> &'static str {
    match effect.partial_cmp(&0.0) {
        Some(std::cmp::Ordering::Greater) => "resistant",
        Some(std::cmp::Ordering::Less) => "sensitive",
        _ => "",
    }
}

#[derive(Default)]
struct Rows<'a> {
    model: Vec<&'a str>,
    drug: Vec<&'a str>,
    kind: Vec<&'a str>,
    feature: Vec<&'a str>,
    mean_abs: Vec<f64>,
    direction: Vec<&'static str>,
    rank: Vec<u32>,
    adjusted_mean_abs: Vec<f64>,
    adjusted_direction: Vec<&'static str>,
    adjusted_rank: Vec<u32>,
}

fn importance_columns<'a>(rows: &'a Rows) -> [(&'static str, OutputColumn<'a>); 10] {
    [
        ("model", OutputColumn::Text(&rows.model)),
        ("drug", OutputColumn::Text(&rows.drug)),
        ("feature_kind", OutputColumn::Text(&rows.kind)),
        ("feature", OutputColumn::Text(&rows.feature)),
        ("mean_abs", OutputColumn::F64(&rows.mean_abs)),
        ("direction", OutputColumn::Text(&rows.direction)),
        ("rank", OutputColumn::U32(&rows.rank)),
        ("adjusted_mean_abs", OutputColumn::F64(&rows.adjusted_mean_abs)),
        ("adjusted_direction", OutputColumn::Text(&rows.adjusted_direction)),
        ("adjusted_rank", OutputColumn::U32(&rows.adjusted_rank)),
    ]
}

fn write_importance(
    table: &mut TableWriter,
    model: &ModelExplanation,
    found: &Explanation,
    partner: usize,
) -> Result<()> {
    let importance = &found.partners[partner].importance;
    let mut rows = Rows::default();
    for (feature, rank, adjusted_rank) in ranked(importance) {
        let (own, one) = (&found.space.features[feature], &importance[feature]);
        rows.model.push(&model.model);
        rows.drug.push(&model.names[partner]);
        rows.kind.push(&own.kind);
        rows.feature.push(&own.name);
        rows.mean_abs.push(one.mean_abs);
        rows.direction.push(direction(model.upwards * one.effect));
        rows.rank.push(rank);
        rows.adjusted_mean_abs.push(one.adjusted_mean_abs);
        rows.adjusted_direction.push(direction(model.upwards * one.adjusted_effect));
        rows.adjusted_rank.push(adjusted_rank);
    }
    table.write(&importance_columns(&rows))
}

/// The number of genes named for a mechanism.
const GENES: usize = 5;

fn write_mechanisms(table: &mut TableWriter, model: &ModelExplanation) -> Result<()> {
    let tests: Vec<(usize, usize)> = (0..model.names.len())
        .flat_map(|partner| (0..model.sets.len()).map(move |set| (partner, set)))
        .filter(|(partner, set)| model.evidence(*partner, *set).is_some())
        .filter(|(_, set)| !model.sets[*set].members.is_empty())
        .collect();
    let evidence = || tests.iter().filter_map(|(partner, set)| model.evidence(*partner, *set));
    let rate = |rates: &[Option<f64>]| -> Vec<f64> {
        let of = |(partner, set): &(usize, usize)| rates[model.test(*partner, *set)].unwrap_or(f64::NAN);
        tests.iter().map(of).collect()
    };
    let p = |p: Option<f64>| p.unwrap_or(f64::NAN);
    let genes: Vec<String> =
        tests.iter().map(|(partner, set)| model.leading_genes(*partner, *set, GENES).join(" ")).collect();
    let agrees: Vec<&str> = evidence()
        .map(|one| match one.adjusted.agreement {
            Some(agreement) if agreement > 0.0 => "yes",
            Some(agreement) if agreement < 0.0 => "no",
            _ => "",
        })
        .collect();
    table.write(&[
        ("model", OutputColumn::Text(&vec![model.model.as_str(); tests.len()])),
        ("drug", OutputColumn::Text(&tests.iter().map(|at| model.names[at.0].as_str()).collect::<Vec<_>>())),
        (
            "mechanism",
            OutputColumn::Text(
                &tests.iter().map(|at| model.catalogue.list[at.1].id.as_str()).collect::<Vec<_>>(),
            ),
        ),
        (
            "attribution",
            OutputColumn::F64(&evidence().map(|one| one.adjusted.attribution).collect::<Vec<_>>()),
        ),
        (
            "direction",
            OutputColumn::Text(
                &evidence().map(|one| direction(model.upwards * one.adjusted.effect)).collect::<Vec<_>>(),
            ),
        ),
        ("p", OutputColumn::F64(&evidence().map(|one| p(one.adjusted.p)).collect::<Vec<_>>())),
        ("q", OutputColumn::F64(&rate(&model.rates.adjusted))),
        ("genes", OutputColumn::Text(&genes.iter().map(String::as_str).collect::<Vec<_>>())),
        ("agrees", OutputColumn::Text(&agrees)),
        (
            "unadjusted_attribution",
            OutputColumn::F64(&evidence().map(|one| one.unadjusted.attribution).collect::<Vec<_>>()),
        ),
        ("unadjusted_p", OutputColumn::F64(&evidence().map(|one| p(one.unadjusted.p)).collect::<Vec<_>>())),
        ("unadjusted_q", OutputColumn::F64(&rate(&model.rates.unadjusted))),
        (
            "self_contained_p",
            OutputColumn::F64(&evidence().map(|one| p(one.self_contained)).collect::<Vec<_>>()),
        ),
        ("self_contained_q", OutputColumn::F64(&rate(&model.rates.self_contained))),
    ])
}

impl ModelExplanation {
    /// The genes of a mechanism on which the predictions for a partner depend most, the strongest first.
    pub fn leading_genes(&self, partner: usize, set: usize, most: usize) -> Vec<&str> {
        let Some(found) = self.evidence(partner, set) else { return Vec::new() };
        let effects = &found.adjusted.effects;
        let mut order: Vec<usize> = (0..effects.len()).filter(|member| effects[*member] != 0.0).collect();
        order.sort_by(|a, b| effects[*b].abs().total_cmp(&effects[*a].abs()).then(a.cmp(b)));
        let mut genes: Vec<&str> = Vec::new();
        for member in order {
            let gene = self.sets[set].members[member].reading.gene.as_str();
            if !genes.contains(&gene) && genes.len() < most {
                genes.push(gene);
            }
        }
        genes
    }
}
