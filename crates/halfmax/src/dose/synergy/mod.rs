//! The synergy of drug combinations: scores dose matrices of a table against the expectation for drugs that do not interact.
//!
//! [`SynergyRequest`] reads, scores and writes whole tables. The crate `halfmax-dose` scores one matrix; its types are re-exported here:
//! [`SynergyScorer`], [`DoseMatrix`].

mod block;
mod columns;
mod fit_columns;
mod fit_words;
mod fits;
mod pairs;
mod scoring;
mod summary;

use std::path::{Path, PathBuf};

use halfmax_core::{Error, Progress, Result, Seed, listed};
use halfmax_data::{
    Block, GridDoses, Matrices, MatrixOptions, OutputSet, RawTable, ReadingOptions, ReadingUnit, TableFile,
    counted, join_single_agents, read_grid, read_matrices, read_readings, read_table,
};
use rayon::prelude::*;

use super::outputs::PictureOutputs;
use super::table::{ResultTable, TableOutput};
use crate::report::{BlockPage, LearntFrom, learnt_in_words};

pub use halfmax_dose::synergy::*;

pub use block::ScoredBlock;
pub use fits::{BlockFit, BlockFits, FitOptions};
pub use summary::{SynergySummary, UnscoredBlock};

use block::BlockScorer;
use columns::ScoreColumns;
use scoring::{BlockScoring, ScoreDestination};

/// The layout of the readings of dose matrices.
#[derive(Clone, Debug)]
pub enum MatrixLayout {
    /// One row per well.
    List {
        /// The two drugs, for a table that does not name them.
        drugs: Option<[String; 2]>,
    },
    /// One row per dose of the first drug, and one column per dose of the second.
    Grid {
        /// The drugs of the rows and of the columns.
        drugs: [String; 2],
        /// The doses, if the edges of the grid do not hold them.
        doses: GridDoses,
    },
}

impl Default for MatrixLayout {
    fn default() -> Self {
        Self::List { drugs: None }
    }
}

/// Whether single-drug curves, and curves of ZIP's rows and columns, are shrunken towards the distribution over all blocks of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CurvePrior {
    /// Shrunken towards the distribution of Hill slopes, tops and errors. With fewer than twenty curves nothing is learnt.
    #[default]
    Learnt,
    /// Not shrunken: plain least squares.
    None,
}

/// A request to score the dose matrices of a table.
///
/// ```
/// use halfmax::core::Silent;
/// use halfmax::dose::synergy::{SynergyModel, SynergyParams, SynergyRequest};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("matrix.csv");
/// let wells = "drug_a,drug_b,dose_a_um,dose_b_um,inhibition_percent\n\
///              A,B,0,0,0\nA,B,1,0,30\nA,B,0,1,20\nA,B,1,1,60\n";
/// std::fs::write(&path, wells)?;
/// let params = SynergyParams { models: vec![SynergyModel::Bliss], ..SynergyParams::default() };
/// let request = SynergyRequest { readings: path.into(), params, ..SynergyRequest::default() };
/// let scored = request.score(&Silent)?;
/// // Drugs that act independently are expected to inhibit by 30 + 20 − 30 · 20 / 100.
/// assert_eq!(scored.cells.numbers("synergy_bliss").map(|scores| scores[3]), Some(16.0));
/// let [block] = scored.blocks.as_slice() else { panic!("one block") };
/// assert_eq!(block.name(), "1 (A with B)");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SynergyRequest {
    /// The readings: columns of two or more drugs, their doses (0 for an absent drug) and viabilities or inhibitions.
    pub readings: TableFile,
    /// The layout of the readings.
    pub layout: MatrixLayout,
    /// The unit of the readings. Detected if `None`.
    pub response: Option<ReadingUnit>,
    /// The unit of all doses, in µM: 0.001 for nM. Detected if `None`. [`halfmax_data::dose_factor`] translates the names of units.
    pub dose_unit: Option<f64>,
    /// A table of single-drug readings, joined by cell line and drug.
    pub single_agents: Option<PathBuf>,
    /// The parameters of the scores.
    pub params: SynergyParams,
    /// Whether curves are shrunken towards the distribution over all blocks.
    pub hill_prior: CurvePrior,
    /// The fits beside the scores.
    pub fits: FitOptions,
    /// The seed of the bootstrap. Default: 1.
    pub seed: u64,
}

impl Default for SynergyRequest {
    fn default() -> Self {
        Self {
            readings: TableFile::default(),
            layout: MatrixLayout::default(),
            response: None,
            dose_unit: None,
            single_agents: None,
            params: SynergyParams::default(),
            hill_prior: CurvePrior::default(),
            fits: FitOptions::default(),
            seed: 1,
        }
    }
}

/// The output files for scores of dose matrices. They appear together when all are complete. Tables are .parquet, .csv or .ndjson.
#[derive(Clone, Debug, Default)]
pub struct SynergyOutputs {
    /// One row per block and cell; `-` is standard output.
    pub cells: PathBuf,
    /// One row per block: the single-drug curves, mean scores with intervals, and the doses with the highest scores.
    pub blocks: Option<PathBuf>,
    /// A page and pictures of the blocks.
    pub pictures: PictureOutputs,
}

/// Scored dose matrices in memory.
#[derive(Clone, Debug, Default)]
pub struct ScoredMatrices {
    /// The blocks that could be scored, those of two drugs first, in the order of the table.
    pub blocks: Vec<ScoredBlock>,
    /// One row per block and cell.
    pub cells: ResultTable,
    /// One row per block.
    pub table: ResultTable,
    /// The summary of the blocks.
    pub summary: SynergySummary,
}

/// A function that receives every scored block, in the order of the table.
pub type TakeBlock<'a> = dyn FnMut(ScoredBlock) -> Result<()> + 'a;

/// The destinations of the results of a request.
struct Destination<'a> {
    cells: TableOutput,
    blocks: Option<TableOutput>,
    pictures: &'a PictureOutputs,
    files: OutputSet,
}

impl SynergyRequest {
    /// Scores the blocks and returns them in memory.
    ///
    /// # Errors
    /// If a parameter is out of its range, the readings cannot be read or are ambiguous, no block can be scored, or the user stopped it.
    pub fn score(&self, progress: &dyn Progress) -> Result<ScoredMatrices> {
        let to = Destination {
            cells: TableOutput::memory(),
            blocks: Some(TableOutput::memory()),
            pictures: &PictureOutputs::default(),
            // No output paths: no file is written.
            files: OutputSet::of(Path::new("-")),
        };
        let mut blocks = Vec::new();
        let take = &mut |block| {
            blocks.push(block);
            Ok(())
        };
        let scored = self.run(to, take, progress)?;
        Ok(ScoredMatrices { blocks, ..scored })
    }

    /// Scores the blocks and writes the results into files, which must not exist. Locks the files against other processes before the work.
    ///
    /// # Errors
    /// As [`Self::write_held`], or if an output exists, or another process is writing it.
    pub fn write(&self, outputs: &SynergyOutputs, progress: &dyn Progress) -> Result<SynergySummary> {
        let files = [Some(outputs.cells.as_path()), outputs.blocks.as_deref()];
        let _locks = outputs.pictures.lock(files.into_iter().flatten())?;
        self.write_held(outputs, &mut |_| Ok(()), progress)
    }

    /// As [`Self::write`], for a caller that has checked the outputs and holds their locks. Replaces existing files. Also passes every
    /// scored block to `take` while other blocks wait.
    ///
    /// # Errors
    /// If a parameter is out of its range, the readings cannot be read or are ambiguous, no block can be scored, an output cannot be
    /// written, `take` fails, or the user stopped it.
    pub fn write_held(
        &self,
        outputs: &SynergyOutputs,
        take: &mut TakeBlock,
        progress: &dyn Progress,
    ) -> Result<SynergySummary> {
        self.check_outputs(outputs)?;
        // Checked before the readings are read: a wrong ending is an error at once.
        let to = Destination {
            cells: TableOutput::create(&outputs.cells)?,
            blocks: outputs.blocks.as_deref().map(TableOutput::create).transpose()?,
            pictures: &outputs.pictures,
            files: OutputSet::of(&outputs.cells),
        };
        Ok(self.run(to, take, progress)?.summary)
    }

    /// Checks the parameters, without any file.
    ///
    /// # Errors
    /// If a number is out of its range.
    pub fn check(&self) -> Result<()> {
        self.params.clone().check().map(|_| ())
    }

    /// Checks the parameters, and whether the outputs can hold the requested results.
    ///
    /// # Errors
    /// As [`Self::check`], or if no file would hold the parameters of fits.
    pub fn check_outputs(&self, outputs: &SynergyOutputs) -> Result<()> {
        self.check()?;
        match self.fits.of_whole_blocks().filter(|_| outputs.blocks.is_none()) {
            Some(fit) => {
                Err(Error::config(format!("fits {}: its results belong to whole blocks", fit.name()))
                    .with_help("give a file for the table of blocks as well"))
            }
            None => Ok(()),
        }
    }

    /// Reads and scores; passes the blocks to `take`.
    fn run(&self, to: Destination, take: &mut TakeBlock, progress: &dyn Progress) -> Result<ScoredMatrices> {
        let scorer = self.params.clone().check()?;
        let found = self.read(progress)?;
        let scorer = self.learnt(scorer, &found, progress);
        let path = &self.readings.file;
        let note = self.fits.note_several(&found.many);
        note.iter().for_each(|note| progress.note(&format!("{}: {note}", path.display())));
        progress.phase("scoring");
        let Destination { cells, blocks, pictures, files } = to;
        let mut into = ScoreDestination {
            cells,
            blocks,
            page: pictures.html.as_ref().map(|_| BlockPage::new(scorer.params().confidence)),
            folder: pictures.folder(&files)?,
            layout: None,
            drawn: 0,
        };
        let models = scorer.params().models.iter().map(|model| model.name()).collect();
        let scoring = BlockScoring {
            found: &found,
            columns: ScoreColumns { models, fits: &self.fits },
            scorer: BlockScorer { scorer, fits: &self.fits, seed: Seed::new(self.seed) },
            progress,
        };
        let mut tally = scoring.run(&mut into, take)?;
        let all = found.blocks.len() + found.many.len();
        tally.refuse_if_all(path, all)?;
        let where_listed = match &into.blocks {
            Some(_) => "columns flags, flags_a, flags_b",
            None => "a table of blocks lists them: `--summary FILE`",
        };
        let cells = into.cells.finish(&files)?.unwrap_or_default();
        let table = into.blocks.map(|blocks| blocks.finish(&files)).transpose()?.flatten();
        tally.note_missing(path, all, progress);
        if let (Some(page), Some(html)) = (&mut into.page, &pictures.html) {
            page.write((html, &files), path, &found, &tally.why_unscored())?;
        }
        files.finish()?;
        pictures.note(into.drawn, progress);
        tally.note_flags(path, where_listed, progress);
        let summary = tally.summary(&found);
        Ok(ScoredMatrices { blocks: Vec::new(), cells, table: table.unwrap_or_default(), summary })
    }

    /// The dose matrices of the table, with notes on the detected columns and the omitted rows.
    fn read(&self, progress: &dyn Progress) -> Result<Matrices> {
        let drugs = match &self.layout {
            MatrixLayout::List { drugs } => drugs.clone(),
            MatrixLayout::Grid { drugs, .. } => Some(drugs.clone()),
        };
        let options = MatrixOptions { unit: self.response, dose_factor: self.dose_unit, drugs };
        let mut found = read_matrices(&self.list_of_wells()?, &options)?;
        self.note_matrices(&found, progress);
        if let Some(path) = &self.single_agents {
            self.add_single_agents(path, &mut found, progress)?;
        }
        Ok(found)
    }

    /// The table of readings, one row per well.
    fn list_of_wells(&self) -> Result<RawTable> {
        let table = self.readings.options.read(&self.readings.file)?;
        match &self.layout {
            MatrixLayout::List { .. } => Ok(table),
            MatrixLayout::Grid { doses, .. } => read_grid(&table, doses),
        }
    }

    fn note_matrices(&self, found: &Matrices, progress: &dyn Progress) {
        let place = self.readings.file.display();
        let of_pairs: usize = found.blocks.iter().map(|block| block.readings.len()).sum();
        let of_several: usize = found.many.iter().map(|block| block.readings.len()).sum();
        progress.note(&format!(
            "{place}: {} of {}, taken as {}",
            counted(of_pairs + of_several, "reading"),
            counted(found.blocks.len() + found.many.len(), "block"),
            found.unit.name()
        ));
        found.notes.iter().for_each(|note| progress.note(&format!("{place}: {note}")));
        if found.dose_unit_assumed {
            progress.note(&format!("{place}: {}", super::DOSE_UNIT_ASSUMED));
        }
        if found.incomplete > 0 {
            let rows = counted(found.incomplete, "row");
            progress.note(&format!("{place}: left out, because the reading is missing: {rows}"));
        }
        let shams: Vec<&str> =
            found.blocks.iter().filter(|block| block.is_sham()).map(|block| block.id.as_str()).collect();
        if !shams.is_empty() {
            progress.note(&format!(
                "{place}: blocks of a drug with itself, scored like the others: {}",
                listed(&shams, 5)
            ));
        }
    }

    /// Adds readings of drugs alone from another table to the blocks of the same cell line and drug.
    fn add_single_agents(&self, path: &Path, found: &mut Matrices, progress: &dyn Progress) -> Result<()> {
        let options = ReadingOptions { dose_factor: self.dose_unit, ..ReadingOptions::default() };
        let (readings, about) = read_readings(read_table(path)?, &options)?;
        let place = path.display();
        progress.note(&format!(
            "{place}: {} of drugs alone, of {}, taken as {}",
            counted(about.readings, "reading"),
            counted(about.curves, "curve"),
            about.unit.name()
        ));
        about.notes.iter().for_each(|note| progress.note(&format!("{place}: {note}")));
        if about.dose_unit_assumed {
            progress.note(&format!("{place}: {}", super::DOSE_UNIT_ASSUMED));
        }
        let joined = join_single_agents(found, &readings)?;
        let place = self.readings.file.display();
        joined.notes().iter().for_each(|note| progress.note(&format!("{place}: {note}")));
        Ok(())
    }

    /// A scorer. If requested, it has learnt from the blocks, with a note on the learnt values.
    fn learnt(&self, scorer: SynergyScorer, found: &Matrices, progress: &dyn Progress) -> SynergyScorer {
        let scorer = match self.hill_prior {
            CurvePrior::None => scorer,
            CurvePrior::Learnt => scorer.learning_from(&sampled_matrices(&found.blocks)),
        };
        let note = learnt_in_words(&self.readings.file, LearntFrom::DrugsAlone, &scorer.learnt());
        note.iter().for_each(|note| progress.note(note));
        scorer
    }
}

/// The matrices to learn from, among those that can be scored.
fn sampled_matrices(blocks: &[Block]) -> Vec<DoseMatrix> {
    let sample = SynergyScorer::learns_from(blocks.len());
    sample.par_iter().filter_map(|at| DoseMatrix::new(&blocks[*at].readings).ok()).collect()
}
