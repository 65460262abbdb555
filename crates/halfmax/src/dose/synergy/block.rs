//! Scored blocks: a dose matrix with its scores and fits.

use std::fmt;

use halfmax_core::{Result, Seed};
use halfmax_data::{Block, MultiBlock};
use halfmax_dose::synergy::{BlockScores, DoseMatrix, ModelScores, MultiMatrix, Summary, SynergyScorer};
use halfmax_report::Measure;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::fits::{BlockFits, FitOptions};

/// A dose matrix of two or more drugs in a cell line, with its scores. `Display` writes the name and the mean scores, line by line.
#[derive(Clone, Debug)]
pub struct ScoredBlock {
    /// The name in the file; the number of the block if the file has no column of blocks.
    pub id: String,
    /// The drugs, two or more.
    pub drugs: Vec<String>,
    /// The cell line, if the file names it.
    pub cell_line: Option<String>,
    /// Whether the block combines a drug with itself.
    pub is_sham: bool,
    /// The readings, cell by cell.
    pub matrix: MultiMatrix,
    /// The scores, one entry per model.
    pub scores: BlockScores,
    /// Other fits to the block.
    pub fits: BlockFits,
    /// The ids of the blocks of the pairs, for three and more drugs.
    pub pairs: Vec<String>,
}

impl ScoredBlock {
    /// The name in messages: `3 (A with B in K562)`.
    pub fn name(&self) -> String {
        block_name(&self.id, &self.drugs, self.cell_line.as_deref())
    }

    /// Whether the score of a model is missing.
    pub(super) fn lacks_a_score(&self) -> bool {
        self.scores.models.iter().any(|model| model.summary.mean.is_nan())
    }

    /// The id and the reason, if a block of two drugs lacks a response surface.
    pub(super) fn without_surface(&self) -> Option<String> {
        let why = self.fits.not_fitted().filter(|_| self.drugs.len() == 2);
        why.map(|why| format!("{} ({why})", self.id))
    }

    /// The doses of both drugs in each cell; NaN for more than two drugs.
    pub(super) fn doses_of_pair(&self) -> impl Iterator<Item = [f64; 2]> {
        let is_pair = self.drugs.len() == 2;
        let doses = move |cell: usize| [0, 1].map(|drug| self.matrix.dose(cell, drug));
        (0..self.matrix.len()).map(move |cell| if is_pair { doses(cell) } else { [f64::NAN; 2] })
    }

    /// The facts that a page lists beside the scores.
    pub(crate) fn measures(&self) -> Vec<Measure> {
        let noun = if self.pairs.len() == 1 { "block" } else { "blocks" };
        let pairs = (!self.pairs.is_empty()).then(|| Measure {
            name: "pairs".to_owned(),
            value: format!("{noun} {}", self.pairs.join(", ")),
            interval: String::new(),
        });
        self.fits.measures(self.drugs.len()).into_iter().chain(pairs).collect()
    }

    fn facts(&self) -> Value {
        let summary = |scores: &ModelScores| (scores.model.name().to_owned(), json!(scores.summary));
        let models: Map<String, Value> = self.scores.models.iter().map(summary).collect();
        let (fits, flags) = (self.fits.facts(), self.scores.flags.to_string());
        match self.drugs.as_slice() {
            [a, b] => json!({
                "block_id": self.id, "drug_a": a, "drug_b": b, "cell_line": self.cell_line, "synergy": models,
                "fits": fits, "flags": flags,
            }),
            drugs => json!({
                "block_id": self.id, "drugs": drugs, "cell_line": self.cell_line, "pair_blocks": self.pairs,
                "synergy": models, "fits": fits, "flags": flags,
            }),
        }
    }
}

impl fmt::Display for ScoredBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let means: Vec<String> = self.scores.models.iter().map(mean_in_words).collect();
        write!(f, "{}\n    {}{}", self.name(), means.join(", "), self.fits.text(self.drugs.len()))
    }
}

impl Serialize for ScoredBlock {
    /// The names, the mean scores, the fits and the flags.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.facts().serialize(serializer)
    }
}

/// `hsa 3.2 [1.1, 5.0]`.
fn mean_in_words(scores: &ModelScores) -> String {
    let (name, summary) = (scores.model.name(), &scores.summary);
    let [low, high] = summary.interval;
    match (summary.mean.is_nan(), low.is_nan()) {
        (true, _) => format!("{name} none"),
        (false, true) => format!("{name} {:.1}{}", summary.mean, cells_in_words(summary)),
        (false, false) => {
            format!("{name} {:.1} [{low:.1}, {high:.1}]{}", summary.mean, cells_in_words(summary))
        }
    }
}

/// The number of cells in a mean, if some have no reference because a drug was not measured alone at their dose.
fn cells_in_words(summary: &Summary) -> String {
    match summary.cells < summary.measured {
        true => {
            format!(" (of {} of {} cells: the others have no reference)", summary.cells, summary.measured)
        }
        false => String::new(),
    }
}

/// `3 (A with B and C in K562)`.
fn block_name(id: &str, drugs: &[String], cell_line: Option<&str>) -> String {
    let place = cell_line.map(|cell| format!(" in {cell}")).unwrap_or_default();
    match drugs.split_first() {
        Some((first, others)) => format!("{id} ({first} with {}{place})", others.join(" and ")),
        None => id.to_owned(),
    }
}

/// A block of a file before scoring.
#[derive(Clone, Copy)]
pub(super) enum RawBlock<'a> {
    /// A block of two drugs.
    Pair(&'a Block),
    /// A block of more drugs, with the ids of the blocks of the pairs.
    Several(&'a MultiBlock, &'a [String]),
}

/// How blocks are scored.
pub(super) struct BlockScorer<'a> {
    pub scorer: SynergyScorer,
    pub fits: &'a FitOptions,
    pub seed: Seed,
}

impl BlockScorer<'_> {
    /// Scores the block with this number in the file.
    ///
    /// # Errors
    /// If the readings do not form a matrix.
    pub fn score(&self, block: RawBlock, number: usize) -> Result<ScoredBlock> {
        let seed = self.seed.derive(number as u64);
        match block {
            RawBlock::Pair(block) => self.score_pair(block, seed),
            RawBlock::Several(block, pairs) => self.score_several(block, pairs, seed),
        }
    }

    fn score_pair(&self, block: &Block, seed: Seed) -> Result<ScoredBlock> {
        let matrix = DoseMatrix::new(&block.readings)?;
        let scores = self.scorer.score(&matrix, seed);
        let alone = [scores.alone[0], scores.alone[1]];
        let fits = self.fits.fit_pair(&matrix, &scores.response, alone, self.scorer.params().confidence);
        Ok(ScoredBlock {
            id: block.id.clone(),
            drugs: block.drugs.to_vec(),
            cell_line: block.cell_line.clone(),
            is_sham: block.is_sham(),
            matrix: matrix.into(),
            scores,
            fits,
            pairs: Vec::new(),
        })
    }

    fn score_several(&self, block: &MultiBlock, pairs: &[String], seed: Seed) -> Result<ScoredBlock> {
        let matrix = MultiMatrix::new(&block.readings)?;
        let scores = self.scorer.score_many(&matrix, seed);
        let fits = self.fits.fit_several(&matrix, &scores.response, &scores.alone, pairs);
        Ok(ScoredBlock {
            id: block.id.clone(),
            drugs: block.drugs.clone(),
            cell_line: block.cell_line.clone(),
            is_sham: false,
            matrix,
            scores,
            fits,
            pairs: pairs.to_vec(),
        })
    }
}

impl RawBlock<'_> {
    /// The name in the file.
    pub fn id(&self) -> &str {
        match self {
            Self::Pair(block) => &block.id,
            Self::Several(block, _) => &block.id,
        }
    }

    /// The name in messages.
    pub fn name(&self) -> String {
        match self {
            Self::Pair(block) => block_name(&block.id, &block.drugs, block.cell_line.as_deref()),
            Self::Several(block, _) => block_name(&block.id, &block.drugs, block.cell_line.as_deref()),
        }
    }
}
