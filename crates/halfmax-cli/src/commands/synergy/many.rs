//! Blocks of three and more drugs.

use std::collections::HashMap;

use halfmax_core::{Error, Progress, Result, Seed};
use halfmax_data::{Block, Matrices, MultiBlock};
use halfmax_dose::synergy::{BlockScores, MultiMatrix, SynergyScorer};
use halfmax_report::Measure;
use rayon::prelude::*;

use super::columns::Columns;
use super::fits::{FitArgs, Fits, FittedCells, add_to_blocks, add_to_cells};
use super::{add_models_of_blocks, add_models_of_cells, add_single_agents, parted};
use halfmax::report::{ScoredBlock, drug_letter};

/// A block of three or more drugs with its matrix and scores.
pub(super) struct ScoredMany<'a> {
    pub block: &'a MultiBlock,
    pub matrix: MultiMatrix,
    pub scores: BlockScores,
    pub fits: Fits,
    /// The ids of the blocks of its pairs.
    pub pairs: &'a [String],
}

impl ScoredMany<'_> {
    /// The block as pictures need it, with the blocks of its pairs among what is listed.
    pub fn owned(&self) -> ScoredBlock {
        let pairs = (!self.pairs.is_empty()).then(|| Measure {
            name: "pairs".to_owned(),
            value: format!(
                "{} {}",
                if self.pairs.len() == 1 { "block" } else { "blocks" },
                self.pairs.join(", ")
            ),
            interval: String::new(),
        });
        ScoredBlock {
            id: self.block.id.clone(),
            drugs: self.block.drugs.clone(),
            cell_line: self.block.cell_line.clone(),
            is_sham: false,
            matrix: self.matrix.clone(),
            scores: self.scores.clone(),
            more: self.fits.measures().into_iter().chain(pairs).collect(),
        }
    }
}

/// For each block of three and more drugs the ids of the blocks of its pairs: those of its drugs in its cell line, under the block's own name in the
/// file where the file names blocks.
pub(super) fn pairs_of(found: &Matrices) -> Vec<Vec<String>> {
    let mut by_drugs: HashMap<(Option<&str>, [&str; 2]), Vec<&Block>> = HashMap::new();
    for block in &found.blocks {
        let mut drugs = [block.drugs[0].as_str(), block.drugs[1].as_str()];
        drugs.sort_unstable();
        by_drugs.entry((block.cell_line.as_deref(), drugs)).or_default().push(block);
    }
    let pairs = |block: &MultiBlock| {
        let drugs = &block.drugs;
        let pairs = (0..drugs.len()).flat_map(|a| (a + 1..drugs.len()).map(move |b| [a, b]));
        let blocks = pairs.flat_map(|pair| {
            let mut drugs = pair.map(|drug| drugs[drug].as_str());
            drugs.sort_unstable();
            by_drugs.get(&(block.cell_line.as_deref(), drugs)).into_iter().flatten()
        });
        let own = |pair: &&&Block| match (file_id(&pair.id, &pair.drugs), file_id(&block.id, drugs)) {
            (Some(pair), many) => pair == many.unwrap_or(&block.id),
            // A file without names of blocks: they are numbered.
            (None, _) => true,
        };
        blocks.filter(own).map(|pair| pair.id.clone()).collect()
    };
    found.many.iter().map(pairs).collect()
}

/// What the file calls a block whose id is that with its drugs behind it, once or twice; none where it is not.
fn file_id<'a>(id: &'a str, drugs: &[String]) -> Option<&'a str> {
    let drugs = drugs.join("+");
    let without = |id: &'a str| id.strip_suffix(&drugs)?.strip_suffix(':');
    without(id).map(|once| without(once).unwrap_or(once))
}

/// The blocks that can be scored, and those that cannot, with id, description and why.
type ScoredOrNot<'a> = (Vec<ScoredMany<'a>>, Vec<(String, String, Error)>);

/// Scores some blocks with the ids of their pairs; the first is number `first` of all blocks of the file.
pub(super) fn score_many<'a>(
    (blocks, pairs): (&'a [MultiBlock], &'a [Vec<String>]),
    first: usize,
    scorer: &SynergyScorer,
    (seed, fits): (Seed, &FitArgs),
    progress: &dyn Progress,
) -> Result<ScoredOrNot<'a>> {
    let one = |(at, (block, pairs)): (usize, (&'a MultiBlock, &'a Vec<String>))| {
        progress.check()?;
        Ok(MultiMatrix::new(&block.readings)
            .map(|matrix| {
                let scores = scorer.score_many(&matrix, seed.derive((first + at) as u64));
                let fits = fits.fit_many(&matrix, &scores.response, &scores.alone, pairs);
                ScoredMany { block, matrix, scores, fits, pairs }
            })
            .map_err(|error| (block.id.clone(), described_many(block), error)))
    };
    let all: Vec<std::result::Result<_, _>> =
        blocks.par_iter().zip(pairs).enumerate().map(one).collect::<Result<_>>()?;
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

/// The columns that say what rows are of; those of cell lines only where the file names them. `drugs` is the largest number of drugs.
fn names(rows: &[&MultiBlock], drugs: usize) -> Columns {
    let mut columns = Columns::default();
    columns.text("block_id", rows.iter().map(|block| block.id.as_str()));
    for drug in 0..drugs {
        let name = |block: &&MultiBlock| block.drugs.get(drug).cloned().unwrap_or_default();
        columns.text(format!("drug_{}", drug_letter(drug)), rows.iter().map(name));
    }
    if rows.iter().all(|block| block.cell_line.is_some()) && !rows.is_empty() {
        columns.text("cell_line", rows.iter().map(|block| block.cell_line.clone().unwrap_or_default()));
    }
    columns
}

/// One row per block and cell.
pub(super) fn cells_of_many(
    scored: &[ScoredMany],
    drugs: usize,
    models: &[String],
    args: &FitArgs,
) -> Columns {
    let rows = || scored.iter().flat_map(|one| (0..one.matrix.len()).map(move |cell| (one, cell)));
    let blocks: Vec<&MultiBlock> = rows().map(|(one, _)| one.block).collect();
    let mut columns = names(&blocks, drugs);
    columns.counts("replicates", rows().map(|(one, cell)| one.matrix.readings(cell).len() as u32));
    for drug in 0..drugs {
        let dose = |(one, cell): (&ScoredMany, usize)| match drug < one.matrix.drugs() {
            true => one.matrix.dose(cell, drug),
            false => f64::NAN,
        };
        columns.add(format!("dose_{}_um", drug_letter(drug)), rows().map(dose));
    }
    columns.add("inhibition", rows().map(|(one, cell)| one.scores.response[cell]));
    columns.counts("imputed", rows().map(|(one, cell)| u32::from(one.scores.imputed[cell])));
    let of_rows: Vec<(&BlockScores, usize)> = rows().map(|(one, cell)| (&one.scores, cell)).collect();
    add_models_of_cells(&mut columns, &of_rows, models);
    let fitted = |one: &ScoredMany| vec![[f64::NAN; 2]; one.matrix.len()];
    let fits: Vec<FittedCells> =
        scored.iter().map(|one| FittedCells { doses: fitted(one), fits: &one.fits }).collect();
    add_to_cells(&mut columns, &fits, args);
    columns
}

/// One row per block.
pub(super) fn summary_of_many(
    scored: &[ScoredMany],
    drugs: usize,
    models: &[String],
    args: &FitArgs,
) -> Columns {
    let blocks: Vec<&MultiBlock> = scored.iter().map(|one| one.block).collect();
    let scores: Vec<&BlockScores> = scored.iter().map(|one| &one.scores).collect();
    let mut columns = names(&blocks, drugs);
    columns.text("pair_blocks", scored.iter().map(|one| one.pairs.join(";")));
    add_single_agents(&mut columns, &scores, drugs);
    add_models_of_blocks(&mut columns, &scores, models);
    let fits: Vec<&Fits> = scored.iter().map(|one| &one.fits).collect();
    add_to_blocks(&mut columns, &fits, drugs, args);
    columns
}
