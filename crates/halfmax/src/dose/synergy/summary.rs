//! A summary of scored blocks: unscored blocks, missing scores, counts of flags.

use std::collections::BTreeMap;
use std::path::Path;

use halfmax_core::{Error, Progress, Result, listed};
use halfmax_data::{Matrices, counted};
use halfmax_dose::synergy::{BlockFlag, BlockScores};
use serde::Serialize;

use super::block::{RawBlock, ScoredBlock};

/// A summary of scored blocks.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SynergySummary {
    /// The number of blocks that were scored.
    pub blocks: usize,
    /// The unit of the readings, for example `viability-percent`.
    pub response: String,
    /// Rows left out because the reading is missing.
    pub incomplete_left_out: usize,
    /// The ids of blocks that lack the score of a model.
    pub lacking_a_score: Vec<String>,
    /// Blocks that could not be scored.
    pub not_scored: Vec<UnscoredBlock>,
    /// The number of blocks by flag, without flags that no block has.
    pub flags: BTreeMap<&'static str, usize>,
    /// Cells without a reading that were filled in.
    pub imputed_cells: usize,
}

/// A block that could not be scored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UnscoredBlock {
    /// The name in the file.
    pub block_id: String,
    /// The reason.
    pub why: String,
}

/// Counters for blocks while they are scored.
#[derive(Default)]
pub(super) struct Tally {
    /// Blocks that could not be scored: ids, names and reasons.
    unscored: Vec<(String, String, Error)>,
    /// Ids of blocks that lack the score of a model.
    lacking: Vec<String>,
    /// Ids of blocks that lack a response surface, with the reasons.
    without_surface: Vec<String>,
    flags: FlagTally,
}

impl Tally {
    /// Counts a block that could not be scored.
    pub fn add_unscored(&mut self, block: RawBlock, error: Error) {
        self.unscored.push((block.id().to_owned(), block.name(), error));
    }

    /// Counts a scored block.
    pub fn add(&mut self, block: &ScoredBlock) {
        self.without_surface.extend(block.without_surface());
        self.flags.add(&block.scores);
        if block.lacks_a_score() {
            self.lacking.push(block.id.clone());
        }
    }

    /// Returns an error if no block of the file can be scored.
    pub fn refuse_if_all(&mut self, path: &Path, blocks: usize) -> Result<()> {
        if self.unscored.len() < blocks || self.unscored.is_empty() {
            return Ok(());
        }
        let (_, name, error) = self.unscored.swap_remove(0);
        let place = path.display();
        Err(error.with_context(match blocks {
            1 => format!("{place}: block {name}"),
            _ => format!("{place}: none of {blocks} blocks can be scored; block {name}"),
        }))
    }

    /// The reasons why blocks could not be scored, one sentence each.
    pub fn why_unscored(&self) -> Vec<String> {
        self.unscored.iter().map(|(_, name, error)| format!("block {name}: {error}")).collect()
    }

    /// Notes blocks without a score or a fit.
    pub fn note_missing(&self, path: &Path, blocks: usize, progress: &dyn Progress) {
        let place = path.display();
        if !self.unscored.is_empty() {
            progress.note(&format!(
                "{place}: {} of {blocks} cannot be scored and {} left out: {}",
                counted(self.unscored.len(), "block"),
                if self.unscored.len() == 1 { "is" } else { "are" },
                listed(&self.why_unscored(), 5)
            ));
        }
        if !self.without_surface.is_empty() {
            progress.note(&format!(
                "{place}: {} without a response surface: {}",
                counted(self.without_surface.len(), "block"),
                listed(&self.without_surface, 5)
            ));
        }
        if !self.lacking.is_empty() {
            let lack = if self.lacking.len() == 1 { "lacks" } else { "lack" };
            progress.note(&format!(
                "{place}: {} {lack} the score of a model: Loewe and ZIP need three doses of each drug alone, ZIP also in each row \
                 and column: {}",
                counted(self.lacking.len(), "block"),
                listed(&self.lacking, 5)
            ));
        }
    }

    /// Notes the flags that occur; `table` names the place that lists them block by block.
    pub fn note_flags(&self, path: &Path, table: &str, progress: &dyn Progress) {
        let notes = self.flags.notes(table);
        notes.iter().for_each(|note| progress.note(&format!("{}: {note}", path.display())));
    }

    /// The summary of the blocks.
    pub fn summary(self, found: &Matrices) -> SynergySummary {
        let unscored = self.unscored.into_iter();
        SynergySummary {
            blocks: self.flags.blocks,
            response: found.unit.name().to_owned(),
            incomplete_left_out: found.incomplete,
            lacking_a_score: self.lacking,
            not_scored: unscored
                .map(|(block_id, _, error)| UnscoredBlock { block_id, why: error.to_string() })
                .collect(),
            flags: self.flags.counts(),
            imputed_cells: self.flags.imputed,
        }
    }
}

/// Flags counted over blocks.
#[derive(Default)]
struct FlagTally {
    blocks: usize,
    flagged: usize,
    counts: [usize; BlockFlag::ALL.len()],
    /// Filled cells.
    imputed: usize,
}

impl FlagTally {
    fn add(&mut self, scores: &BlockScores) {
        self.blocks += 1;
        self.imputed += scores.imputed.iter().filter(|imputed| **imputed).count();
        let mut doubts = false;
        for (count, flag) in self.counts.iter_mut().zip(BlockFlag::ALL) {
            let set = scores.flags.contains(flag);
            *count += usize::from(set);
            doubts |= set && flag != BlockFlag::NoReplicates;
        }
        self.flagged += usize::from(doubts);
    }

    fn count(&self, flag: BlockFlag) -> usize {
        self.counts[flag as usize]
    }

    /// The number of blocks by flag, without flags that no block has.
    fn counts(&self) -> BTreeMap<&'static str, usize> {
        let counts = BlockFlag::ALL.into_iter().map(|flag| (flag.name(), self.count(flag)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Notes: the number of filled cells, the blocks without replicates, which have neither intervals nor p values, and the number of
    /// flagged blocks.
    fn notes(&self, table: &str) -> Vec<String> {
        let mut notes = Vec::new();
        if self.imputed > 0 {
            notes.push(format!(
                "{} without a reading filled in, in {}: column imputed",
                counted(self.imputed, "cell"),
                counted(self.count(BlockFlag::Imputed), "block")
            ));
        }
        let without = self.count(BlockFlag::NoReplicates);
        if without > 0 {
            let have = if without == 1 { "has" } else { "have" };
            notes.push(format!(
                "{} without replicates {have} neither intervals nor p values",
                counted(without, "block")
            ));
        }
        let doubts: Vec<String> = BlockFlag::ALL
            .into_iter()
            .filter(|flag| *flag != BlockFlag::NoReplicates && self.count(*flag) > 0)
            .map(|flag| format!("{} {}", flag.name(), self.count(flag)))
            .collect();
        if !doubts.is_empty() {
            notes.push(format!(
                "{} of {} flagged: {} ({table})",
                self.flagged,
                counted(self.blocks, "block"),
                doubts.join(", ")
            ));
        }
        notes
    }
}
