//! How many blocks have which flags, and how many cells were filled in.

use std::path::Path;

use halfmax_data::counted;
use halfmax_dose::synergy::{BlockFlag, BlockScores};
use serde_json::{Map, Value};

use crate::terminal::Terminal;

/// Flags counted over blocks.
#[derive(Default)]
pub(super) struct Flagged {
    blocks: usize,
    flagged: usize,
    counts: [usize; BlockFlag::ALL.len()],
    /// Cells that were filled in.
    pub imputed: usize,
}

impl Flagged {
    pub fn add(&mut self, scores: &BlockScores) {
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

    /// The number of blocks by flag, without those that no block has.
    pub fn counts(&self) -> Map<String, Value> {
        let pairs = BlockFlag::ALL.into_iter().zip(self.counts);
        pairs
            .filter(|(_, count)| *count > 0)
            .map(|(flag, count)| (flag.name().to_owned(), count.into()))
            .collect()
    }

    /// Says which flags there are: where no block has replicates, that there are neither intervals nor p values; else how many blocks are doubtful.
    pub fn tell(&self, path: &Path, has_summary: bool, terminal: Terminal) {
        let place = path.display();
        let of = |flag: BlockFlag| self.counts[flag as usize];
        if self.imputed > 0 {
            terminal.note(&format!(
                "{place}: {} without a reading filled in, in {}: column imputed",
                counted(self.imputed, "cell"),
                counted(of(BlockFlag::Imputed), "block")
            ));
        }
        let without = of(BlockFlag::NoReplicates);
        if without > 0 {
            let have = if without == 1 { "has" } else { "have" };
            terminal.note(&format!(
                "{place}: {} without replicates {have} neither intervals nor p values",
                counted(without, "block")
            ));
        }
        let doubts: Vec<String> = BlockFlag::ALL
            .into_iter()
            .filter(|flag| *flag != BlockFlag::NoReplicates && of(*flag) > 0)
            .map(|flag| format!("{} {}", flag.name(), of(flag)))
            .collect();
        if doubts.is_empty() {
            return;
        }
        let where_to =
            if has_summary { "columns flags, flags_a, flags_b" } else { "see them with --summary FILE" };
        terminal.note(&format!(
            "{place}: {} of {} flagged: {} ({where_to})",
            self.flagged,
            counted(self.blocks, "block"),
            doubts.join(", ")
        ));
    }
}
