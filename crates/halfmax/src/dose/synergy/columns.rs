//! The columns of scores in tables of cells and of blocks. The set of columns does not depend on the scores.

use halfmax_dose::LogLogistic;
use halfmax_dose::synergy::{BlockScores, ModelScores, SingleAgent, Summary, Window};

use super::block::ScoredBlock;
use super::fit_columns::{add_to_blocks, add_to_cells};
use super::fits::FitOptions;
use crate::dose::table::ResultTable;
use crate::report::drug_letter;

/// The number of drugs in the blocks of a part of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockKind {
    /// Two drugs.
    Pairs,
    /// Three and more drugs, at most this many; other blocks of the file may have two.
    Several { drugs: usize },
}

impl BlockKind {
    fn drugs(self) -> usize {
        match self {
            Self::Pairs => 2,
            Self::Several { drugs } => drugs,
        }
    }
}

/// The tables of scored blocks.
#[derive(Clone, Debug, Default)]
pub(super) struct ScoreTables {
    /// One row per block and cell.
    pub cells: ResultTable,
    /// One row per block.
    pub blocks: ResultTable,
}

/// The properties of tables of blocks that do not depend on their rows.
pub(super) struct ScoreColumns<'a> {
    /// The names of the models.
    pub models: Vec<&'static str>,
    pub fits: &'a FitOptions,
}

impl ScoreColumns<'_> {
    /// The rows of blocks with the same number of drugs.
    pub fn tables(&self, kind: BlockKind, scored: &[ScoredBlock]) -> ScoreTables {
        ScoreTables { cells: self.cells(kind, scored), blocks: self.blocks(kind, scored) }
    }

    fn cells(&self, kind: BlockKind, scored: &[ScoredBlock]) -> ResultTable {
        let rows = || scored.iter().flat_map(|block| (0..block.matrix.len()).map(move |cell| (block, cell)));
        let blocks: Vec<&ScoredBlock> = rows().map(|(block, _)| block).collect();
        let mut table = name_columns(&blocks, kind.drugs());
        table.add_counts("replicates", rows().map(|(block, cell)| block.matrix.readings(cell).len() as u32));
        for drug in 0..kind.drugs() {
            let dose = |(block, cell): (&ScoredBlock, usize)| match drug < block.drugs.len() {
                true => block.matrix.dose(cell, drug),
                false => f64::NAN,
            };
            table.add_numbers(format!("dose_{}_um", drug_letter(drug)), rows().map(dose));
        }
        table.add_numbers("inhibition", rows().map(|(block, cell)| block.scores.response[cell]));
        table.add_counts("imputed", rows().map(|(block, cell)| u32::from(block.scores.imputed[cell])));
        for (at, name) in self.models.iter().enumerate() {
            let mut add = |name: String, list: fn(&ModelScores) -> &[f64]| {
                let value = |(block, cell): (&ScoredBlock, usize)| {
                    block.scores.models.get(at).map_or(f64::NAN, |model| list(model)[cell])
                };
                table.add_numbers(name, rows().map(value));
            };
            add(format!("reference_{name}"), |model| &model.reference);
            add(format!("synergy_{name}"), |model| &model.score);
            add(format!("synergy_{name}_lower"), |model| &model.interval[0]);
            add(format!("synergy_{name}_upper"), |model| &model.interval[1]);
        }
        add_to_cells(&mut table, scored, self.fits);
        table
    }

    fn blocks(&self, kind: BlockKind, scored: &[ScoredBlock]) -> ResultTable {
        let mut table = name_columns(&scored.iter().collect::<Vec<_>>(), kind.drugs());
        if kind != BlockKind::Pairs {
            table.add_texts("pair_blocks", scored.iter().map(|block| block.pairs.join(";")));
        }
        add_single_agents(&mut table, scored, kind.drugs());
        self.add_means(&mut table, scored);
        if kind == BlockKind::Pairs {
            self.add_windows(&mut table, scored);
        }
        add_to_blocks(&mut table, scored, kind.drugs(), self.fits);
        table
    }

    /// The mean scores of blocks.
    fn add_means(&self, table: &mut ResultTable, scored: &[ScoredBlock]) {
        for (at, name) in self.models.iter().enumerate() {
            let mut add = |name: String, value: fn(&Summary) -> f64| {
                let models = scored.iter().map(|block| block.scores.models.get(at));
                table.add_numbers(
                    name,
                    models.map(|model| model.map_or(f64::NAN, |model| value(&model.summary))),
                );
            };
            add(format!("synergy_{name}"), |summary| summary.mean);
            add(format!("cells_{name}"), |summary| summary.cells as f64);
            add(format!("synergy_{name}_lower"), |summary| summary.interval[0]);
            add(format!("synergy_{name}_upper"), |summary| summary.interval[1]);
            add(format!("synergy_{name}_p"), |summary| summary.p_value);
        }
    }

    /// The most synergistic windows of two drugs.
    fn add_windows(&self, table: &mut ResultTable, scored: &[ScoredBlock]) {
        type WindowValue = fn(&Window) -> f64;
        let values: [(&str, WindowValue); 5] = [
            ("", |window| window.mean),
            ("_dose_a_um_from", |window| window.doses_a[0]),
            ("_dose_a_um_to", |window| window.doses_a[1]),
            ("_dose_b_um_from", |window| window.doses_b[0]),
            ("_dose_b_um_to", |window| window.doses_b[1]),
        ];
        for (at, name) in self.models.iter().enumerate() {
            let windows = || scored.iter().map(move |block| block.scores.models[at].summary.window);
            for (end, value) in values {
                let values = windows().map(|window| window.as_ref().map_or(f64::NAN, value));
                table.add_numbers(format!("window_{name}{end}"), values);
            }
        }
    }
}

/// The columns that identify rows. The column of cell lines exists only if the file names them.
fn name_columns(rows: &[&ScoredBlock], drugs: usize) -> ResultTable {
    let mut table = ResultTable::default();
    table.add_texts("block_id", rows.iter().map(|block| block.id.as_str()));
    for drug in 0..drugs {
        let name = |block: &&ScoredBlock| block.drugs.get(drug).cloned().unwrap_or_default();
        table.add_texts(format!("drug_{}", drug_letter(drug)), rows.iter().map(name));
    }
    let cell_lines: Option<Vec<&str>> = rows.iter().map(|block| block.cell_line.as_deref()).collect();
    if let Some(cell_lines) = cell_lines.filter(|cell_lines| !cell_lines.is_empty()) {
        table.add_texts("cell_line", cell_lines);
    }
    table
}

/// The single-drug curves, and the numbers of doses and readings behind them.
fn add_single_agents(table: &mut ResultTable, scored: &[ScoredBlock], drugs: usize) {
    type CurveValue = fn(&LogLogistic) -> f64;
    type AgentValue = fn(&SingleAgent) -> f64;
    let curve: [(&str, CurveValue); 4] = [
        ("ec50_X_um", |curve| curve.ec50),
        ("hill_X", |curve| curve.hill),
        ("inhibition_X_low_dose", |curve| 100.0 * (1.0 - curve.top)),
        ("inhibition_X_high_dose", |curve| 100.0 * (1.0 - curve.bottom)),
    ];
    let quality: [(&str, AgentValue); 3] = [
        ("doses_X", |agent| agent.doses as f64),
        ("r2_X", |agent| agent.r2),
        ("residual_standard_error_X", |agent| agent.residual_standard_error),
    ];
    for drug in 0..drugs {
        let named = |name: &str| name.replace('X', &drug_letter(drug).to_string());
        let agents = || scored.iter().map(move |block| block.scores.single_agents.get(drug));
        for (name, value) in curve {
            let value = |agent: Option<&SingleAgent>| {
                agent.and_then(|agent| agent.curve.as_ref()).map_or(f64::NAN, value)
            };
            table.add_numbers(named(name), agents().map(value));
        }
        table.add_texts(named("model_X"), agents().map(|agent| agent.map_or("", |agent| agent.model.name())));
        for (name, value) in quality {
            table.add_numbers(named(name), agents().map(|agent| agent.map_or(f64::NAN, value)));
        }
        let flags = |agent: Option<&SingleAgent>| agent.map(|agent| agent.flags.to_string());
        table.add_texts(named("flags_X"), agents().map(|agent| flags(agent).unwrap_or_default()));
    }
    let scores = || scored.iter().map(|block| &block.scores);
    table.add_texts("flags", scores().map(|scores| scores.flags.to_string()));
    let imputed = |scores: &BlockScores| scores.imputed.iter().filter(|imputed| **imputed).count() as u32;
    table.add_counts("imputed_cells", scores().map(imputed));
}
