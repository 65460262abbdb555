//! Scores cell lines and drugs, or combinations of two drugs, with a trained model.

mod combinations;
mod scorer;
mod shard;
mod top_k;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use halfmax_core::{End, EntityTable, Error, FittedModel, Progress, Responses, Result, listed};
use halfmax_data::{
    CellLines, DrugFeatures, FileReport, Orientation, OutputLock, Pieces, TableFile, TargetConfig, counted,
    drug_key, read_cells_for_scoring, read_drugs, read_responses, refuse_existing, refuse_other_scales,
    sha256_bytes, sha256_file, with_single_agents_for_scoring,
};

use crate::bundle::{ModelFacts, TrainedModel};
use crate::sensitive::{Remedy, sensitive_end};

use scorer::{Monotherapy, Scorer};
pub use shard::Shard;
use top_k::Selection;

/// The number of scores written at a time. It bounds the memory for any number of scores.
const AT_A_TIME: usize = 1 << 19;

/// The pairs or combinations to score.
#[derive(Clone, Debug, Default)]
pub enum Scored {
    /// Every cell line with every drug.
    #[default]
    EveryPair,
    /// The pairs of a table with the columns cell_line and drug.
    Pairs(TableFile),
    /// Every combination of two drugs in every cell line.
    EveryCombination,
    /// The combinations of a table with the columns drug_a and drug_b, in every cell line. If the table has a column cell_line, each row
    /// applies to its cell line.
    Combinations(TableFile),
}

/// A request to score with a trained model.
///
/// ```no_run
/// use halfmax::prelude::*;
///
/// # fn main() -> halfmax::Result<()> {
/// let request = ScoreRequest {
///     cells: vec![TableFile::from("new_cell_lines.csv")],
///     drugs: TableFile::from("drugs.csv"),
///     top: Some(10),
///     ..ScoreRequest::default()
/// };
/// let written = request.write("model.halfmax", "scores.parquet", &Silent)?;
/// println!("{} scores", written.scores);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ScoreRequest {
    /// Features of the cell lines. Several files of different kinds are allowed.
    pub cells: Vec<TableFile>,
    /// The orientation of these files. Detected if `None`.
    pub orientation: Option<Orientation>,
    /// The drugs: names, SMILES, targets.
    pub drugs: TableFile,
    /// The pairs or combinations to score.
    pub scored: Scored,
    /// Single-agent responses of the drugs in cell lines, for a model of combinations that was trained with them.
    pub single_agent: Option<TableFile>,
    /// A model file for the IC50 of single drugs. Adds the predicted IC50 of both drugs to each combination.
    pub monotherapy: Option<PathBuf>,
    /// Measured responses that predictions take into account.
    pub responses: Option<TableFile>,
    /// The number of scores to keep for each cell line, best first. `None` keeps all.
    pub top: Option<usize>,
    /// The end of the best scores. If `None`, the end at which cell lines are sensitive or combinations synergistic.
    pub best: Option<End>,
    /// The end at which cell lines are sensitive, for a model whose target does not define it.
    pub sensitive: Option<End>,
    /// Leave out predictions below this value.
    pub min_score: Option<f32>,
    /// Score one part of the cell lines, or of the rows of a list that names cell lines.
    pub shard: Shard,
    /// Score even if the values of features are on another scale than in the training data.
    pub any_scale: bool,
}

/// A model with the entities to score, read from their files.
struct PreparedScores {
    fitted: Arc<dyn FittedModel>,
    facts: ModelFacts,
    applicability: Option<Arc<halfmax_kernel::Applicability>>,
    cells: EntityTable,
    drugs: EntityTable,
    monotherapy: Option<Monotherapy>,
    scored: Scored,
    selection: Selection,
    shard: Shard,
}

impl PreparedScores {
    /// The model with the entities, ready to score.
    ///
    /// # Errors
    /// If the entities lack most of the model's features.
    fn scorer(&self) -> Result<Scorer<'_>> {
        let Self { cells, drugs, .. } = self;
        let tables = if self.facts.combinations { vec![cells, drugs, drugs] } else { vec![cells, drugs] };
        Scorer::new(
            &*self.fitted,
            &self.facts,
            self.applicability.as_deref(),
            tables,
            self.monotherapy.as_ref(),
        )
    }

    /// Writes the requested scores into pieces of an output.
    ///
    /// # Errors
    /// If a list cannot be read, the output cannot be written, or the user stopped it.
    fn write(&self, scorer: &Scorer, out: &mut Pieces, progress: &dyn Progress) -> Result<()> {
        let options = ScoreOptions { selection: self.selection, shard: self.shard };
        progress.phase("scoring");
        match &self.scored {
            Scored::EveryPair => scorer.grid(options, out, progress),
            Scored::Pairs(pairs) => scorer.pairs(pairs, options, out, progress),
            Scored::EveryCombination => combinations::score(scorer, None, options, out, progress),
            Scored::Combinations(list) => combinations::score(scorer, Some(list), options, out, progress),
        }
    }
}

/// The summary of the written scores.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenScores {
    /// The number of scores.
    pub scores: usize,
    /// The fraction of the model's features that the cell lines and the drugs have.
    pub feature_share: Vec<f64>,
}

/// The selection of scores, and the part of the work.
#[derive(Clone, Copy, Debug)]
struct ScoreOptions {
    selection: Selection,
    shard: Shard,
}

impl ScoreRequest {
    /// Reads the model and all files, and checks that they match.
    ///
    /// # Errors
    /// If a file cannot be read, does not suit the model, or is missing.
    fn prepare(&self, model: &Path, progress: &dyn Progress) -> Result<PreparedScores> {
        self.check()?;
        let TrainedModel { fitted, mut facts, applicability } = TrainedModel::read(model, progress)?;
        facts.target.sensitive = self.sensitive.or(facts.target.sensitive);
        self.check_for(model, &facts)?;
        let selection = self.selection(model, &facts)?;
        let files: Vec<_> = self.cells.iter().map(|file| (file.clone(), None)).collect();
        let (cells, reports) = read_cells_for_scoring(&files, Some(fitted.space(0)), self.orientation)?;
        reports.iter().for_each(|report| progress.note(&report.to_string()));
        if !self.any_scale {
            refuse_other_scales(&facts.scales, &cells, fitted.space(0))?;
        }
        let (drugs, report) = self.read_drugs(&*fitted, &facts.drug_features)?;
        progress.note(&report.to_string());
        let monotherapy = match &self.monotherapy {
            None => None,
            Some(path) => Some(self.read_monotherapy(path, &cells, &drugs, progress)?),
        };
        let (cells, drugs) = self.with_single_agents(model, &*fitted, &facts, (cells, drugs), progress)?;
        let fitted = match &self.responses {
            None => fitted,
            Some(file) => Arc::from(conditioned(&*fitted, &facts, file, [&cells, &drugs], progress)?),
        };
        let (scored, shard) = (self.scored.clone(), self.shard);
        Ok(PreparedScores {
            fitted,
            facts,
            applicability,
            cells,
            drugs,
            monotherapy,
            scored,
            selection,
            shard,
        })
    }

    /// Scores with a model file and writes a file in the format of its ending: .parquet, .csv or .ndjson. Checks the output, and locks it against other processes,
    /// before the work. If a request was interrupted, the same request continues its work.
    ///
    /// # Errors
    /// As [`Self::write_held`], or if the output exists, or another process is writing it.
    pub fn write(
        &self,
        model: impl AsRef<Path>,
        out: impl AsRef<Path>,
        progress: &dyn Progress,
    ) -> Result<WrittenScores> {
        let out = out.as_ref();
        let _lock = OutputLock::take(out)?;
        refuse_existing(out)?;
        self.write_held(model.as_ref(), out, Duration::from_secs(20), progress)
    }

    /// As [`Self::write`], for a caller that has checked the output and holds its lock. Replaces an existing file. Saves complete work at
    /// this interval, so that an interrupted request can continue. `-` is standard output.
    ///
    /// # Errors
    /// If a file cannot be read, does not suit the model, or is missing; if the output cannot be written; or if the user stopped it.
    pub fn write_held(
        &self,
        model: &Path,
        out: &Path,
        every: Duration,
        progress: &dyn Progress,
    ) -> Result<WrittenScores> {
        let prepared = self.prepare(model, progress)?;
        let scorer = prepared.scorer()?;
        scorer.missing_features().iter().for_each(|note| progress.note(note));
        let mut pieces = Pieces::open(out, &prepared.facts.target.name, &self.digest(model)?, every)?;
        let place = out.display();
        if pieces.damaged() > 0 {
            progress.note(&format!(
                "{place}: the parts of an interrupted command are damaged: {} computed again",
                counted(pieces.damaged(), "piece")
            ));
        }
        if pieces.done() > 0 || pieces.draft().is_some() {
            let within = if pieces.draft().is_some() { ", in the middle of the next part" } else { "" };
            progress.note(&format!("{place}: continuing after {} scores{within}", pieces.rows()));
        }
        if let Err(error) = prepared.write(&scorer, &mut pieces, progress) {
            if let Some(folder) = pieces.keep()? {
                progress.note(&format!("{} is kept: run the same command to continue", folder.display()));
            }
            return Err(error);
        }
        Ok(WrittenScores { scores: pieces.finish()?, feature_share: scorer.shares().to_vec() })
    }

    /// The inputs of the scores: the digests of the files and the options.
    ///
    /// # Errors
    /// If a file cannot be read.
    fn digest(&self, model: &Path) -> Result<String> {
        let mut text = format!("halfmax {}\n", env!("CARGO_PKG_VERSION"));
        let list = match &self.scored {
            Scored::Pairs(file) | Scored::Combinations(file) => Some(file),
            Scored::EveryPair | Scored::EveryCombination => None,
        };
        let tables = self.cells.iter().chain([&self.drugs]).chain(list);
        let tables = tables.chain([&self.single_agent, &self.responses].into_iter().flatten());
        for table in tables {
            text += &format!("{} {} {:?}\n", sha256_file(&table.file)?, table.file.display(), table.options);
        }
        for path in [Some(model), self.monotherapy.as_deref()].into_iter().flatten() {
            text += &format!("{} {}\n", sha256_file(path)?, path.display());
        }
        let Self { orientation, top, best, sensitive, min_score, shard, .. } = self;
        let scored = std::mem::discriminant(&self.scored);
        text +=
            &format!("{scored:?} {orientation:?} {top:?} {best:?} {sensitive:?} {min_score:?} {shard:?}\n");
        Ok(sha256_bytes(text.as_bytes()))
    }

    /// Checks the numbers, without any file.
    ///
    /// # Errors
    /// If a number is out of its range.
    pub fn check(&self) -> Result<()> {
        if self.top == Some(0) {
            return Err(Error::parameter("top", 0, "at least 1"));
        }
        if self.min_score.is_some_and(f32::is_nan) {
            return Err(Error::parameter("min_score", "NaN", "a number"));
        }
        Ok(())
    }

    /// The selection of scores to keep.
    fn selection(&self, model: &Path, facts: &ModelFacts) -> Result<Selection> {
        let best = match (self.best, self.top) {
            (Some(best), _) => best,
            (None, Some(_)) => sensitive_end(&facts.target, "top (`--top`)", Remedy::CommandLine)
                .map_err(|error| error.with_context(model.display()))?,
            (None, None) => End::Low,
        };
        let min_score = self.min_score.unwrap_or(f32::NEG_INFINITY);
        Ok(Selection { top: self.top, min_score, best })
    }

    /// Checks that the request suits the model.
    fn check_for(&self, model: &Path, facts: &ModelFacts) -> Result<()> {
        let place = model.display();
        let refused = |what: &str, help: &str| Err(Error::config(format!("{place}: {what}")).with_help(help));
        let for_combinations = matches!(self.scored, Scored::EveryCombination | Scored::Combinations(_));
        if !facts.combinations
            && (for_combinations || self.single_agent.is_some() || self.monotherapy.is_some())
        {
            return refused(
                "predicts responses to single drugs, not to combinations",
                "give a model of combinations, or leave out combinations, single_agent and monotherapy (`--combinations`, \
                 `--all-combinations`, `--single-agent`, `--monotherapy`)",
            );
        }
        if facts.combinations && !for_combinations {
            return refused(
                "predicts combinations of two drugs",
                "set `scored` to the combinations to score: a list (`--combinations FILE`), or every one (`--all-combinations`)",
            );
        }
        if facts.combinations && self.responses.is_some() {
            return refused(
                "predicts combinations of drugs, so it takes no measured responses",
                "leave out responses (`--responses`)",
            );
        }
        match (&facts.single_agents, &self.single_agent) {
            (None, Some(_)) => refused(
                "was trained without single-agent responses",
                "leave out single_agent (`--single-agent`)",
            ),
            _ => Ok(()),
        }
    }

    fn read_drugs(
        &self,
        fitted: &dyn FittedModel,
        features: &DrugFeatures,
    ) -> Result<(EntityTable, FileReport)> {
        read_drugs(self.drugs.clone(), features, Some(fitted.space(1)))
    }

    fn read_monotherapy(
        &self,
        path: &Path,
        cells: &EntityTable,
        drugs: &EntityTable,
        progress: &dyn Progress,
    ) -> Result<Monotherapy> {
        let TrainedModel { fitted, facts, .. } = TrainedModel::read(path, progress)?;
        if facts.combinations || !facts.target.has_ic50_um() {
            let what = if facts.combinations { "of combinations" } else { "of single drugs" };
            return Err(Error::config(format!(
                "{}: predicts {} {what}: expected the IC50 of single drugs, on a known scale and in a known unit",
                path.display(),
                facts.target.name
            ))
            .with_help("train one on a table with a column LN_IC50 or pIC50, or set target.scale and target.unit for its column"));
        }
        let (own, _) = self.read_drugs(&*fitted, &facts.drug_features)?;
        if own.ids() != drugs.ids() {
            return Err(Error::failed(format!(
                "{}: reading it again gave other drugs",
                self.drugs.file.display()
            )));
        }
        Ok(Monotherapy { fitted, target: facts.target, cells: cells.clone(), drugs: own })
    }

    /// The tables with single-agent responses, if the model uses them.
    fn with_single_agents(
        &self,
        model: &Path,
        fitted: &dyn FittedModel,
        facts: &ModelFacts,
        (cells, drugs): (EntityTable, EntityTable),
        progress: &dyn Progress,
    ) -> Result<(EntityTable, EntityTable)> {
        match (&facts.single_agents, &self.single_agent) {
            (Some(measures), Some(file)) => {
                let spaces = [fitted.space(0), fitted.space(1)];
                let (cells, drugs, report) =
                    with_single_agents_for_scoring(file.clone(), measures, spaces, cells, drugs)?;
                progress.note(&report.to_string());
                Ok((cells, drugs))
            }
            (Some(_), None) => Err(Error::config(format!(
                "{}: was trained with single-agent responses, but none are given",
                model.display()
            ))
            .with_help("set single_agent (`--single-agent FILE`); entries may be missing")),
            (None, _) => Ok((cells, drugs)),
        }
    }
}

/// The model after it has taken the responses of a file into account.
fn conditioned(
    fitted: &dyn FittedModel,
    facts: &ModelFacts,
    file: &TableFile,
    [cells, drugs]: [&EntityTable; 2],
    progress: &dyn Progress,
) -> Result<Box<dyn FittedModel>> {
    let place = file.file.display();
    let table = file.read(Path::new(""))?;
    if table.find(&[facts.target.name.as_str()]).is_none() {
        let error = format!("{place}: has no column {}, which the model predicts", facts.target.name);
        return Err(Error::data(error).with_help(format!("it has the columns {}", listed(table.names(), 8))));
    }
    let lines = CellLines::with_ids(cells.ids().iter().map(String::as_str))?;
    let found = read_responses(&table, &lines, &TargetConfig::like(&facts.target), None)?;
    found.warnings.iter().for_each(|warning| progress.note(&format!("warning: {warning}")));
    let by_key: BTreeMap<String, u32> = drugs.ids().iter().map(|id| drug_key(id)).zip(0..).collect();
    let (mut sides, mut values) = (vec![Vec::new(), Vec::new()], Vec::new());
    for one in found.observed.iter() {
        let drug = by_key.get(&drug_key(one.drug));
        if let (Some(cell), Some(drug)) = (cells.position(one.cell_line), drug) {
            sides[0].push(cell as u32);
            sides[1].push(*drug);
            values.push(one.value as f32);
        }
    }
    if values.is_empty() {
        return Err(Error::data(format!(
            "{place}: none of its {} responses is for a cell line and a drug of the given files",
            found.observed.len()
        ))
        .with_help("use the same names, and give the features of the measured cell lines and drugs too"));
    }
    let named = values.len();
    let conditionable = fitted.as_conditionable().ok_or_else(|| {
        let family = fitted.family();
        Error::config(format!("family {family:?} takes no measured responses after its fit"))
            .with_help("train a model of family \"kernel\" or \"completion\"")
    })?;
    let conditioned = conditionable
        .condition_on(&[cells, drugs], &Responses::new(sides, values, None)?)
        .map_err(|error| error.with_context(&place))?;
    if conditioned.used == 0 {
        return Err(Error::data(format!(
            "{place}: the model can use none of the {named} responses of the cell lines and drugs to score: it was trained on \
             their entities, or they belong to a side that its split did not hold out"
        ))
        .with_help("a kernel model that was trained with split lco or lto takes responses of new cell lines, with ldo of new drugs"));
    }
    progress.note(&format!(
        "{place}: {} of {} responses are used; {} are for cell lines or drugs that are not scored, {} for training entities or \
         for partners outside the training",
        conditioned.used,
        found.observed.len(),
        found.observed.len() - named,
        named - conditioned.used
    ));
    Ok(conditioned.model)
}
