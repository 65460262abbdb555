//! A model with the entities to score.

use std::collections::BTreeMap;
use std::sync::Arc;

use halfmax_core::{EntityTable, FittedModel, Progress, Query, Result, Target, Tuples};
use halfmax_data::{Pieces, ScoreBlock, TableFile, drug_key, read_wanted_pairs};
use halfmax_eval::Widths;
use halfmax_kernel::Applicability;

use super::{AT_A_TIME, ScoreOptions};
use crate::bundle::ModelFacts;

/// A model of the IC50 of single drugs, for the scores of combinations.
pub(super) struct Monotherapy {
    pub fitted: Arc<dyn FittedModel>,
    pub target: Target,
    pub cells: EntityTable,
    pub drugs: EntityTable,
}

impl Monotherapy {
    /// The IC50 in µM of drugs in cell lines.
    fn ic50(&self, cells: &[u32], drugs: &[u32]) -> Result<Vec<f32>> {
        let pairs = || cells.iter().copied().zip(drugs.iter().copied());
        let mut distinct: Vec<(u32, u32)> = pairs().collect();
        distinct.sort_unstable();
        distinct.dedup();
        let (cells, drugs): (Vec<u32>, Vec<u32>) = distinct.iter().copied().unzip();
        let query = Query { tables: &[&self.cells, &self.drugs], tuples: Tuples::Listed(&[&cells, &drugs]) };
        let predicted = self.fitted.predict(&query)?;
        let at = |pair: (u32, u32)| distinct.binary_search(&pair).ok().map_or(f32::NAN, |at| predicted[at]);
        Ok(pairs().map(|pair| micromolar(&self.target, at(pair))).collect())
    }
}

/// The IC50 in µM of a response. NaN, written as missing, if it is not a finite number above 0.
fn micromolar(target: &Target, response: f32) -> f32 {
    let ic50 = target.ic50_um(f64::from(response)).map(|ic50| ic50 as f32);
    ic50.filter(|ic50| ic50.is_finite() && *ic50 > 0.0).unwrap_or(f32::NAN)
}

/// A model with the entities to score.
pub struct Scorer<'a> {
    pub(super) fitted: &'a dyn FittedModel,
    /// The table of entities of each side: cell lines, drugs, and drugs again for combinations.
    pub(super) tables: Vec<&'a EntityTable>,
    percentiles: Percentiles<'a>,
    /// The fraction of the model's features that the entities of each side have.
    shares: Vec<f64>,
    /// The similarity of the entities of each side to the training entities, if the model stores them.
    closeness: Option<Vec<Vec<f32>>>,
    /// The widths of intervals, if the model has intervals.
    widths: Option<Widths>,
    /// The target.
    target: &'a Target,
    monotherapy: Option<&'a Monotherapy>,
}

/// The percentiles of training responses.
enum Percentiles<'a> {
    /// The percentiles of each drug; empty for a drug outside the training data.
    OfDrugs(Vec<&'a [f32]>),
    /// The percentiles of all responses.
    OfAll(&'a [f32]),
}

impl<'a> Scorer<'a> {
    pub(super) fn new(
        fitted: &'a dyn FittedModel,
        facts: &'a ModelFacts,
        applicability: Option<&Applicability>,
        tables: Vec<&'a EntityTable>,
        monotherapy: Option<&'a Monotherapy>,
    ) -> Result<Self> {
        let shares = fitted.feature_shares(&tables)?;
        let closeness = |known: &Applicability| {
            tables.iter().enumerate().map(|(side, table)| known.closeness(side, table)).collect::<Result<_>>()
        };
        let percentiles = if facts.combinations {
            Percentiles::OfAll(&facts.all_percentiles)
        } else {
            let known: BTreeMap<String, &Vec<f32>> =
                facts.percentiles.iter().map(|(drug, values)| (drug_key(drug), values)).collect();
            let of = |drug: &String| known.get(&drug_key(drug)).map_or(&[][..], |values| values.as_slice());
            Percentiles::OfDrugs(tables[1].ids().iter().map(of).collect())
        };
        Ok(Self {
            fitted,
            percentiles,
            shares,
            closeness: applicability.map(closeness).transpose()?,
            widths: facts.intervals.as_ref().map(|own| own.widths(&tables)).transpose()?,
            tables,
            target: &facts.target,
            monotherapy,
        })
    }

    /// The fraction of the model's features that the entities of each table have.
    pub fn shares(&self) -> &[f64] {
        &self.shares[..2]
    }

    /// Sentences on missing features.
    pub fn missing_features(&self) -> Vec<String> {
        let sides = self.shares().iter().zip(&self.tables).filter(|(share, _)| **share < 1.0);
        let sentence = |(share, table): (&f64, &&EntityTable)| {
            format!("the {} file has {:.0} % of the model's features", table.entity_kind(), 100.0 * share)
        };
        sides.map(sentence).collect()
    }

    /// Scores every cell line with every drug, in batches of cell lines.
    pub(super) fn grid(
        &self,
        options: ScoreOptions,
        out: &mut Pieces,
        progress: &dyn Progress,
    ) -> Result<()> {
        let columns: Vec<u32> = (0..self.tables[1].len() as u32).collect();
        let rows: Vec<u32> =
            options.shard.range(self.tables[0].len(), "cell lines")?.map(|row| row as u32).collect();
        let at_a_time = (AT_A_TIME / columns.len().max(1)).max(1);
        let grid = self.fitted.prepare(&self.tables, &columns)?;
        let units: Vec<&[u32]> = if rows.is_empty() { vec![&[]] } else { rows.chunks(at_a_time).collect() };
        for (unit, rows) in units.iter().enumerate().skip(out.done()) {
            progress.check()?;
            let scores = grid.scores(rows)?;
            let (mut row_of, mut column_of, mut predicted) = (Vec::new(), Vec::new(), Vec::new());
            for (row, scores) in rows.iter().zip(scores.chunks(columns.len().max(1))) {
                for one in options.selection.merge([options.selection.select(scores, 0)].into_iter()) {
                    row_of.push(*row);
                    column_of.push(columns[one.at]);
                    predicted.push(one.score);
                }
            }
            self.write(out, &[&row_of, &column_of], &predicted)?;
            progress.step(unit + 1, units.len());
        }
        Ok(())
    }

    /// Scores the pairs of a file.
    pub(super) fn pairs(
        &self,
        file: &TableFile,
        options: ScoreOptions,
        out: &mut Pieces,
        progress: &dyn Progress,
    ) -> Result<()> {
        let wanted = read_wanted_pairs(file, self.tables[0], self.tables[1])?;
        wanted.notes.iter().for_each(|note| progress.warn(note));
        let cells = wanted.cells.unwrap_or_default();
        self.rows(&[&cells, &wanted.drugs[0]], options, out, progress)
    }

    /// Scores listed tuples, in their order.
    pub(super) fn rows(
        &self,
        sides: &[&[u32]],
        options: ScoreOptions,
        out: &mut Pieces,
        progress: &dyn Progress,
    ) -> Result<()> {
        let mine = options.shard.range(sides[0].len(), "rows")?;
        let starts: Vec<usize> = mine.clone().step_by(AT_A_TIME).collect();
        for (unit, start) in starts.iter().enumerate().skip(out.done()) {
            progress.check()?;
            let here = *start..(start + AT_A_TIME).min(mine.end);
            let sides: Vec<&[u32]> = sides.iter().map(|side| &side[here.clone()]).collect();
            let found = options.selection.select(&self.predict(&sides)?, 0);
            let chosen = |side: &&[u32]| found.iter().map(|one| side[one.at]).collect();
            let chosen: Vec<Vec<u32>> = sides.iter().map(chosen).collect();
            let chosen: Vec<&[u32]> = chosen.iter().map(Vec::as_slice).collect();
            let predicted: Vec<f32> = found.iter().map(|one| one.score).collect();
            self.write(out, &chosen, &predicted)?;
            progress.step(unit + 1, starts.len());
        }
        Ok(())
    }

    /// Predictions for listed tuples.
    pub(super) fn predict(&self, sides: &[&[u32]]) -> Result<Vec<f32>> {
        self.fitted.predict(&Query { tables: &self.tables, tuples: Tuples::Listed(sides) })
    }

    /// Writes the scores of a unit.
    pub(super) fn write(&self, out: &mut Pieces, sides: &[&[u32]], predicted: &[f32]) -> Result<()> {
        let names = |side: usize| -> Vec<&str> {
            sides[side].iter().map(|at| self.tables[side].ids()[*at as usize].as_str()).collect()
        };
        let (cell_lines, drugs) = (names(0), names(1));
        let drugs_b = (sides.len() > 2).then(|| names(2));
        let ic50 = || predicted.iter().map(|response| micromolar(self.target, *response)).collect();
        let ic50: Option<Vec<f32>> = self.target.has_ic50_um().then(ic50);
        let percentile: Vec<Option<f32>> = match &self.percentiles {
            Percentiles::OfAll(all) => predicted.iter().map(|value| percentile(all, *value)).collect(),
            Percentiles::OfDrugs(each) => sides[1]
                .iter()
                .zip(predicted)
                .map(|(drug, value)| percentile(each[*drug as usize], *value))
                .collect(),
        };
        let in_domain: Option<Vec<f32>> = self.closeness.as_ref().map(|closeness| {
            let least = |at: usize| {
                let of_sides = sides.iter().zip(closeness).map(|(side, own)| own[side[at] as usize]);
                of_sides.fold(f32::INFINITY, f32::min)
            };
            (0..predicted.len()).map(least).collect()
        });
        let interval = self.intervals(sides, predicted)?;
        let single = match (&self.monotherapy, sides) {
            (Some(model), [cells, first, second]) => {
                Some([model.ic50(cells, first)?, model.ic50(cells, second)?])
            }
            _ => None,
        };
        out.write_unit(&ScoreBlock {
            cell_lines: &cell_lines,
            drugs: &drugs,
            drugs_b: drugs_b.as_deref(),
            predicted,
            interval: interval.as_ref().map(|[lower, upper]| [lower.as_slice(), upper.as_slice()]),
            ic50_um: ic50.as_deref(),
            single_ic50_um: single.as_ref().map(|[a, b]| [a.as_slice(), b.as_slice()]),
            percentile: &percentile,
            in_domain: in_domain.as_deref(),
            feature_share: self.shares.iter().copied().fold(1.0, f64::min) as f32,
        })
    }

    /// The ends of the intervals, if the model has intervals.
    fn intervals(&self, sides: &[&[u32]], predicted: &[f32]) -> Result<Option<[Vec<f32>; 2]>> {
        let Some(widths) = &self.widths else { return Ok(None) };
        let query = Query { tables: &self.tables, tuples: Tuples::Listed(sides) };
        let ensemble = self.fitted.as_ensemble().filter(|_| widths.uses_spread());
        let spread = ensemble.map(|ensemble| ensemble.spread(&query)).transpose()?;
        let mut tuple = vec![0; sides.len()];
        let mut half = |at: usize| {
            tuple.iter_mut().zip(sides).for_each(|(entity, side)| *entity = side[at]);
            let spread = spread.as_ref().map(|spread| spread[at]);
            widths.half(&tuple, spread).map_or(f32::NAN, |half| half as f32)
        };
        let halves: Vec<f32> = (0..predicted.len()).map(&mut half).collect();
        let ends = |sign: f32| predicted.iter().zip(&halves).map(|(p, half)| p + sign * half).collect();
        Ok(Some([ends(-1.0), ends(1.0)]))
    }
}

/// The percentile, 0 to 100, of a value among training responses; `None` without training responses.
fn percentile(quantiles: &[f32], value: f32) -> Option<f32> {
    (!quantiles.is_empty()).then(|| {
        let below = quantiles.partition_point(|quantile| *quantile < value);
        below.min(100) as f32
    })
}
