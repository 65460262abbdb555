//! Pages of single cell lines: predicted drugs and the mechanisms behind them.

use std::collections::BTreeMap;

use halfmax_core::{Domain, EntityTable, FittedModel, Result};
use halfmax_eval::Widths;
use halfmax_explain::{Argument as Found, Samples, counterfactual};
use halfmax_report::{Argument, Counterfactual, Estimate, GeneValue, Sample, SampleDrug};

use super::explanation::strategy;
use super::{Reporting, fact};
use crate::explain::ModelExplanation;

/// The number of drugs shown as predicted to work, and as predicted not to work.
const WORKS: usize = 6;
const FAILS: usize = 4;
/// The number of mechanisms shown for and against a drug.
const ARGUMENTS: usize = 3;

/// The cell lines to show: the tables of the model's sides, and positions in the first table.
pub struct SampleTables<'a> {
    /// The tables.
    pub tables: Vec<&'a EntityTable>,
    /// The cell lines.
    pub cells: Vec<u32>,
    /// The widths of prediction intervals, if the model has intervals.
    pub widths: Option<Widths>,
}

impl Reporting<'_> {
    /// Adds a page for each of the cell lines.
    pub fn add_samples(
        &mut self,
        model: &dyn FittedModel,
        explained: &ModelExplanation,
        shown: &SampleTables,
    ) -> Result<()> {
        if shown.cells.is_empty() || explained.found.is_none() {
            return Ok(());
        }
        let samples = Samples::new(model, &shown.tables, &shown.cells, &explained.partners, &explained.sets)?;
        let known = self.known_responses(explained);
        for (at, cell) in shown.cells.iter().enumerate() {
            let page = Page { reporting: self, explained, samples: &samples, shown, known: &known, at };
            let sample = page.sample(model, *cell)?;
            self.report.samples.push(sample);
        }
        Ok(())
    }

    /// The training responses of every partner, ascending.
    fn known_responses(&self, explained: &ModelExplanation) -> Vec<Vec<f32>> {
        let responses = &self.screen.responses;
        let mut known = vec![Vec::new(); explained.partners.len()];
        for row in 0..responses.len() {
            if let Ok(partner) = explained.partners.binary_search(&self.screen.members(row)) {
                known[partner].push(responses.values()[row]);
            }
        }
        known.iter_mut().for_each(|values: &mut Vec<f32>| values.sort_unstable_by(f32::total_cmp));
        known
    }
}

/// The page of one cell line.
struct Page<'a> {
    reporting: &'a Reporting<'a>,
    explained: &'a ModelExplanation,
    samples: &'a Samples,
    shown: &'a SampleTables<'a>,
    known: &'a [Vec<f32>],
    /// The position of the sample.
    at: usize,
}

impl Page<'_> {
    fn sample(&self, model: &dyn FittedModel, cell: u32) -> Result<Sample> {
        let table = self.shown.tables[0];
        let mut order: Vec<usize> = (0..self.explained.partners.len()).collect();
        order.sort_by(|a, b| {
            let up = self.explained.upwards;
            let key = |partner: usize| {
                (self.share_that_responds_better(partner), up * self.samples.predicted[partner][self.at])
            };
            let (a, b) = (key(*a), key(*b));
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        let works: Vec<usize> = order.iter().copied().take(WORKS).collect();
        let fails: Vec<usize> =
            order.iter().rev().copied().filter(|at| !works.contains(at)).take(FAILS).collect();
        let mut changed = BTreeMap::new();
        for partner in works.iter().chain(&fails) {
            for feature in self.decisive(*partner) {
                if let std::collections::btree_map::Entry::Vacant(place) = changed.entry(feature)
                    && let Some((value, condition)) = self.otherwise(feature)
                {
                    let tables = &self.shown.tables;
                    let space = &self.samples.space;
                    let partners = &self.explained.partners;
                    let predicted = counterfactual(model, tables, cell, space, (feature, value), partners)?;
                    place.insert((condition, predicted));
                }
            }
        }
        let drug = |partner: &usize| self.drug(*partner, &changed);
        let mut facts = Vec::new();
        if let Some(tissue) = table.group("tissue")
            && let Some(code) = tissue.codes.get(cell as usize).copied().flatten()
        {
            facts.push(fact("Tissue", &tissue.levels[usize::from(code)]));
        }
        facts.push(fact("Model", &self.explained.model));
        facts.push(fact("Mechanisms with the largest contribution over all drugs", &self.overall()));
        Ok(Sample {
            name: table.ids()[cell as usize].clone(),
            facts,
            notes: vec![
                "Drugs are ordered by the rank of the prediction among the measured responses of other cell lines to the same \
                 drug. If this cell line was in the training, the model has seen its responses."
                    .into(),
            ],
            works: works.iter().map(drug).collect(),
            fails: fails.iter().map(drug).collect(),
        })
    }

    /// The mechanisms with the largest mean |contribution| over all drugs.
    fn overall(&self) -> String {
        let partners = self.explained.partners.len();
        let mut sums = vec![0.0; self.explained.sets.len()];
        for partner in 0..partners {
            self.arguments(partner)
                .iter()
                .for_each(|argument| sums[argument.set] += argument.contribution.abs());
        }
        let mut order: Vec<usize> = (0..sums.len()).filter(|set| sums[*set] > 0.0).collect();
        order.sort_by(|a, b| sums[*b].total_cmp(&sums[*a]).then(a.cmp(b)));
        let named = |set: &usize| {
            format!("{} ({:.2})", self.explained.catalogue.list[*set].name, sums[*set] / partners as f64)
        };
        order.iter().take(3).map(named).collect::<Vec<_>>().join("; ")
    }

    /// The fraction of a drug's training responses that are nearer to the sensitive end than the prediction.
    fn share_that_responds_better(&self, partner: usize) -> f64 {
        let values = &self.known[partner];
        let predicted = self.samples.predicted[partner][self.at];
        let better = match self.explained.upwards < 0.0 {
            true => values.len() - values.partition_point(|value| f64::from(*value) <= predicted),
            false => values.partition_point(|value| f64::from(*value) < predicted),
        };
        better as f64 / values.len().max(1) as f64
    }

    fn drug(&self, partner: usize, changed: &BTreeMap<u32, (String, Vec<f64>)>) -> SampleDrug {
        let predicted = self.samples.predicted[partner][self.at];
        let arguments = self.arguments(partner);
        let side = |keep: &dyn Fn(f64) -> bool| -> Vec<Argument> {
            let up = self.explained.upwards;
            let kept = arguments.iter().filter(|argument| keep(up * argument.contribution));
            kept.take(ARGUMENTS).map(|argument| self.argument(argument)).collect()
        };
        let dominant = arguments
            .iter()
            .find(|argument| self.explained.upwards * argument.contribution > 0.0)
            .map(|one| one.set);
        let counterfactuals = self.decisive(partner).into_iter().filter_map(|feature| {
            let (condition, all) = changed.get(&feature)?;
            Some(Counterfactual { condition: condition.clone(), predicted: all[partner] })
        });
        SampleDrug {
            drug: self.reporting.drug_at.get(&self.explained.names[partner]).copied().unwrap_or(usize::MAX),
            predicted: Estimate { value: predicted, interval: self.interval(partner, predicted) },
            ic50_um: self.reporting.target.ic50_um(predicted),
            percentile: Some(self.share_that_responds_better(partner)),
            arguments_for: side(&|contribution| contribution < 0.0),
            arguments_against: side(&|contribution| contribution > 0.0),
            counterfactuals: counterfactuals.collect(),
            dominant,
            strategies: dominant
                .map(|set| self.explained.catalogue.list[set].strategies.iter().map(strategy).collect())
                .unwrap_or_default(),
        }
    }

    fn interval(&self, partner: usize, predicted: f64) -> Option<(f64, f64)> {
        let mut tuple = vec![self.shown.cells[self.at]];
        tuple.extend(&self.explained.partners[partner]);
        let half = self.shown.widths.as_ref()?.half(&tuple, None)?;
        Some((predicted - half, predicted + half))
    }

    fn arguments(&self, partner: usize) -> Vec<Found> {
        self.samples.arguments(partner, self.at, &self.explained.sets)
    }

    /// Among the features of mechanisms, the strongest feature against a drug and the strongest feature for it.
    fn decisive(&self, partner: usize) -> Vec<u32> {
        let arguments = self.arguments(partner);
        let parts = || {
            arguments.iter().flat_map(|argument| {
                let members = &self.explained.sets[argument.set].members;
                argument.members.iter().map(move |(member, part)| (*part, members[*member].feature))
            })
        };
        let most = |sign: f64| {
            let own = parts().filter(move |(part, _)| part * sign > 0.0);
            own.max_by(|a, b| (a.0 * sign).total_cmp(&(b.0 * sign)).then(b.1.cmp(&a.1)))
                .map(|(_, feature)| feature)
        };
        let up = self.explained.upwards;
        [most(up), most(-up)].into_iter().flatten().collect()
    }

    /// An alternative value of a feature, with its description.
    fn otherwise(&self, feature: u32) -> Option<(f32, String)> {
        let found = self.explained.found.as_ref()?;
        let described = &self.samples.space.features[feature as usize];
        let value = self.samples.values.raw[[feature as usize, self.at]];
        if value.is_nan() {
            return None;
        }
        match described.domain {
            Domain::Real => {
                let at = found.space.features.iter().position(|other| other == described)?;
                let median = found.medians[at];
                Some((median, format!("{} were at the median ({median:.2})", described.name)))
            }
            Domain::Binary if value > 0.5 => Some((0.0, format!("{} were absent", described.name))),
            Domain::Binary => Some((1.0, format!("{} were present", described.name))),
            Domain::Category(_) => None,
        }
    }

    fn argument(&self, found: &Found) -> Argument {
        let members = &self.explained.sets[found.set].members;
        let gene = |(member, part): &(usize, f64)| GeneValue {
            gene: members[*member].reading.gene.clone(),
            value: self.value(members[*member].feature),
            contribution: *part,
        };
        Argument {
            mechanism: found.set,
            contribution: found.contribution,
            genes: found.members.iter().map(gene).collect(),
        }
    }

    /// The value of a feature of the cell line, in words.
    fn value(&self, feature: u32) -> String {
        let described = &self.samples.space.features[feature as usize];
        let value = self.samples.values.raw[[feature as usize, self.at]];
        if value.is_nan() {
            return format!("{} not known", described.kind);
        }
        let found = self.explained.found.as_ref();
        let moments = found.and_then(|found| {
            let at = found.space.features.iter().position(|other| other == described)?;
            Some((found.means[at], found.deviations[at]))
        });
        match (&described.domain, moments) {
            (Domain::Binary, _) if value > 0.5 => format!("{}: present", described.name),
            (Domain::Binary, _) => format!("{}: absent", described.name),
            (Domain::Real, Some((mean, deviation))) if deviation > 0.0 => {
                let away = (f64::from(value) - mean) / deviation;
                let side = if away < 0.0 { "below" } else { "above" };
                format!("{} {value:.2}, {:.1} SD {side} the mean", described.kind, away.abs())
            }
            _ => format!("{} {value:.2}", described.kind),
        }
    }
}
