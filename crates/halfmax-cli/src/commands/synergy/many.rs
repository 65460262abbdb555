//! Blocks of three and more drugs.

use halfmax_core::{Error, Progress, Result, Seed};
use halfmax_data::MultiBlock;
use halfmax_dose::synergy::{BlockScores, MultiMatrix, SynergyScorer};
use rayon::prelude::*;

use super::columns::Columns;
use super::{add_models_of_blocks, add_models_of_cells, add_single_agents, parted};

/// A block of three or more drugs with its matrix and scores.
pub(super) struct ScoredMany<'a> {
    pub block: &'a MultiBlock,
    pub matrix: MultiMatrix,
    pub scores: BlockScores,
}

/// The blocks that can be scored, and those that cannot, with id, description and why.
type ScoredOrNot<'a> = (Vec<ScoredMany<'a>>, Vec<(String, String, Error)>);

/// Scores some blocks; the first is number `first` of all blocks of the file.
pub(super) fn score_many<'a>(
    blocks: &'a [MultiBlock],
    first: usize,
    scorer: &SynergyScorer,
    seed: Seed,
    progress: &dyn Progress,
) -> Result<ScoredOrNot<'a>> {
    let one = |(at, block): (usize, &'a MultiBlock)| {
        progress.check()?;
        Ok(MultiMatrix::new(&block.readings)
            .map(|matrix| {
                let scores = scorer.score_many(&matrix, seed.derive((first + at) as u64));
                ScoredMany { block, matrix, scores }
            })
            .map_err(|error| (block.id.clone(), described_many(block), error)))
    };
    let all: Vec<std::result::Result<_, _>> =
        blocks.par_iter().enumerate().map(one).collect::<Result<_>>()?;
    Ok(parted(all))
}

/// `3 (A with B and C in K562)`.
pub(super) fn described_many(block: &MultiBlock) -> String {
    let place = block.cell_line.as_ref().map(|cell| format!(" in {cell}")).unwrap_or_default();
    match block.drugs.split_first() {
        Some((first, others)) => format!("{} ({first} with {}{place})", block.id, others.join(" and ")),
        None => block.id.clone(),
    }
}

/// The letter of a drug in names of columns: a, b, c, …
pub(super) fn letter(drug: usize) -> char {
    u8::try_from(drug).ok().and_then(|drug| b'a'.checked_add(drug)).map_or('z', char::from)
}

/// The columns that say what rows are of; those of cell lines only where the file names them. `drugs` is the largest number of drugs.
fn names(rows: &[&MultiBlock], drugs: usize) -> Columns {
    let mut columns = Columns::default();
    columns.text("block_id", rows.iter().map(|block| block.id.as_str()));
    for drug in 0..drugs {
        let name = |block: &&MultiBlock| block.drugs.get(drug).cloned().unwrap_or_default();
        columns.text(format!("drug_{}", letter(drug)), rows.iter().map(name));
    }
    if rows.iter().all(|block| block.cell_line.is_some()) && !rows.is_empty() {
        columns.text("cell_line", rows.iter().map(|block| block.cell_line.clone().unwrap_or_default()));
    }
    columns
}

/// One row per block and cell.
pub(super) fn cells_of_many(scored: &[ScoredMany], drugs: usize, models: &[String]) -> Columns {
    let rows = || scored.iter().flat_map(|one| (0..one.matrix.len()).map(move |cell| (one, cell)));
    let blocks: Vec<&MultiBlock> = rows().map(|(one, _)| one.block).collect();
    let mut columns = names(&blocks, drugs);
    columns.counts("replicates", rows().map(|(one, cell)| one.matrix.readings(cell).len() as u32));
    for drug in 0..drugs {
        let dose = |(one, cell): (&ScoredMany, usize)| match drug < one.matrix.drugs() {
            true => one.matrix.dose(cell, drug),
            false => f64::NAN,
        };
        columns.add(format!("dose_{}_um", letter(drug)), rows().map(dose));
    }
    columns.add("inhibition", rows().map(|(one, cell)| one.scores.response[cell]));
    columns.counts("imputed", rows().map(|(one, cell)| u32::from(one.scores.imputed[cell])));
    let of_rows: Vec<(&BlockScores, usize)> = rows().map(|(one, cell)| (&one.scores, cell)).collect();
    add_models_of_cells(&mut columns, &of_rows, models);
    columns
}

/// One row per block.
pub(super) fn summary_of_many(scored: &[ScoredMany], drugs: usize, models: &[String]) -> Columns {
    let blocks: Vec<&MultiBlock> = scored.iter().map(|one| one.block).collect();
    let scores: Vec<&BlockScores> = scored.iter().map(|one| &one.scores).collect();
    let mut columns = names(&blocks, drugs);
    add_single_agents(&mut columns, &scores, drugs);
    add_models_of_blocks(&mut columns, &scores, models);
    columns
}
