//! Scores blocks and passes them on in batches, so that any number of blocks needs bounded memory.

use halfmax_core::{Progress, Result};
use halfmax_data::Matrices;
use rayon::prelude::*;

use super::TakeBlock;
use super::block::{BlockScorer, RawBlock, ScoredBlock};
use super::columns::{BlockKind, ScoreColumns, ScoreTables};
use super::pairs::pairs_of_blocks;
use super::summary::Tally;
use crate::dose::table::{ResultTable, TableOutput};
use crate::report::{BlockPage, SvgFolder, write_block_svgs};

/// The number of blocks in a batch.
const AT_A_TIME: usize = 256;

/// The destinations of scored blocks.
pub(super) struct ScoreDestination {
    pub cells: TableOutput,
    pub blocks: Option<TableOutput>,
    pub page: Option<BlockPage>,
    pub folder: Option<SvgFolder>,
    /// The columns of all parts, once the first part is known.
    pub layout: Option<ScoreTables>,
    /// Blocks with a picture.
    pub drawn: usize,
}

impl ScoreDestination {
    /// Draws the pictures of some blocks.
    fn draw(&mut self, scored: &[ScoredBlock]) -> Result<()> {
        if self.page.is_none() && self.folder.is_none() {
            return Ok(());
        }
        self.drawn += scored.len();
        if let Some(page) = &mut self.page {
            scored.iter().for_each(|block| page.add(block));
        }
        self.folder.as_mut().map_or(Ok(()), |folder| write_block_svgs(folder, scored))
    }
}

/// The blocks of a table with the parameters of their scores.
pub(super) struct BlockScoring<'a> {
    pub found: &'a Matrices,
    pub scorer: BlockScorer<'a>,
    pub columns: ScoreColumns<'a>,
    pub progress: &'a dyn Progress,
}

impl BlockScoring<'_> {
    /// Scores all blocks and passes them to their destinations, and then to `take`.
    ///
    /// # Errors
    /// If an output cannot be written, `take` fails, or the user stopped it.
    pub fn run(&self, to: &mut ScoreDestination, take: &mut TakeBlock) -> Result<Tally> {
        let ids_of_pairs = pairs_of_blocks(self.found);
        let pairs: Vec<RawBlock> = self.found.blocks.iter().map(RawBlock::Pair).collect();
        let several = self.found.many.iter().zip(&ids_of_pairs);
        let several: Vec<RawBlock> = several.map(|(block, pairs)| RawBlock::Several(block, pairs)).collect();
        let all = pairs.len() + several.len();
        let (mut tally, mut done) = (Tally::default(), 0);
        for (kind, blocks) in [(BlockKind::Pairs, pairs), (self.kind_of_several(), several)] {
            for part in blocks.chunks(AT_A_TIME) {
                self.progress.check()?;
                let scored = self.scored(part, done, &mut tally)?;
                done += part.len();
                if !scored.is_empty() {
                    self.give(kind, &scored, to)?;
                    scored.iter().for_each(|block| tally.add(block));
                    scored.into_iter().try_for_each(&mut *take)?;
                }
                self.progress.step(done, all);
            }
        }
        Ok(tally)
    }

    /// The scored blocks of a part. Counts blocks that cannot be scored. The first block has the number `first`.
    fn scored(&self, part: &[RawBlock], first: usize, tally: &mut Tally) -> Result<Vec<ScoredBlock>> {
        let score = |(at, block): (usize, &RawBlock)| {
            self.progress.check()?;
            Ok(self.scorer.score(*block, first + at))
        };
        let all: Vec<Result<ScoredBlock>> = part.par_iter().enumerate().map(score).collect::<Result<_>>()?;
        let mut scored = Vec::new();
        for (block, result) in part.iter().zip(all) {
            match result {
                Ok(block) => scored.push(block),
                Err(error) => tally.add_unscored(*block, error),
            }
        }
        Ok(scored)
    }

    /// Writes and draws scored blocks with the same number of drugs.
    fn give(&self, kind: BlockKind, scored: &[ScoredBlock], to: &mut ScoreDestination) -> Result<()> {
        let tables = self.columns.tables(kind, scored);
        let layout = to.layout.get_or_insert_with(|| self.layout(kind, &tables));
        to.cells.add(tables.cells.arranged_as(&layout.cells))?;
        if let Some(blocks) = &mut to.blocks {
            blocks.add(tables.blocks.arranged_as(&layout.blocks))?;
        }
        to.draw(scored)
    }

    fn kind_of_several(&self) -> BlockKind {
        let drugs = self.found.many.iter().map(|block| block.drugs.len()).max().unwrap_or(2);
        BlockKind::Several { drugs }
    }

    /// The columns of all parts: those of the first part, and those that blocks of more drugs add.
    fn layout(&self, kind: BlockKind, first: &ScoreTables) -> ScoreTables {
        // The set of columns does not depend on the rows.
        let more = match kind {
            BlockKind::Pairs if !self.found.many.is_empty() => {
                self.columns.tables(self.kind_of_several(), &[])
            }
            _ => ScoreTables { cells: ResultTable::default(), blocks: ResultTable::default() },
        };
        ScoreTables {
            cells: first.cells.clone().united(&more.cells),
            blocks: first.blocks.clone().united(&more.blocks),
        }
    }
}
