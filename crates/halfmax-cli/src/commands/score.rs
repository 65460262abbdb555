mod best;
mod combinations;
mod scoring;
mod shard;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use halfmax_core::{End, EntityTable, Error, FittedModel, Responses, Result, Target, listed};
use halfmax_data::{
    CellLines, DrugFeatures, FileReport, Orientation, Pieces, TableFile, TargetConfig, counted, drug_key,
    read_cells_for_scoring, read_drugs, read_responses, refuse_other_scales, sha256_bytes, sha256_file,
    with_single_agents_for_scoring,
};
use serde_json::json;

use self::best::Kept;
use self::scoring::{Monotherapy, Scoring};
use self::shard::Shard;
use crate::Global;
use crate::commands::train::ModelFacts;
use crate::sensitive::{Remedy, sensitive_end};
use crate::terminal::Terminal;
use crate::trained::Trained;

/// Scores that are written at a time: bounds memory whatever their number is.
const AT_A_TIME: usize = 1 << 19;

/// Score cell lines and drugs, or combinations of two drugs, with a trained model. An interrupted command goes on where it was
/// when it is given again.
#[derive(Args)]
pub struct ScoreArgs {
    /// The model, a file that `halfmax train` wrote.
    model: PathBuf,
    /// Features of the cell lines; several files of different kinds may be given.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    cells: Vec<PathBuf>,
    /// The drugs: names, SMILES, targets.
    #[arg(long, value_name = "FILE")]
    drugs: PathBuf,
    /// Pairs to score (columns cell_line and drug); every cell line with every drug by default.
    #[arg(long, value_name = "FILE", conflicts_with = "top")]
    pairs: Option<PathBuf>,
    /// Combinations to score (columns drug_a and drug_b); in every cell line, unless it has a column cell_line.
    #[arg(long, value_name = "FILE", conflicts_with = "pairs")]
    combinations: Option<PathBuf>,
    /// Score every combination of two drugs in every cell line.
    #[arg(long, conflicts_with_all = ["pairs", "combinations"])]
    all_combinations: bool,
    /// What the drugs do alone in cell lines, for a model of combinations that was trained with that.
    #[arg(long, value_name = "FILE")]
    single_agent: Option<PathBuf>,
    /// A model of the IC50 of single drugs, on any scale: adds what it predicts of both drugs of each combination.
    #[arg(long, value_name = "MODEL")]
    monotherapy: Option<PathBuf>,
    /// Measured responses (columns cell_line, drug and the target's) that predictions are to take into account, repeated ones
    /// averaged. Family "kernel" takes those of new cell lines if its split held out cell lines, and of new drugs if it held
    /// out drugs; family "completion" both.
    #[arg(long, value_name = "FILE")]
    responses: Option<PathBuf>,
    /// Keep only the K best of each cell line, best first: the drugs that it is predicted to be most sensitive to, or the
    /// combinations with the highest scores.
    #[arg(long, value_name = "K")]
    top: Option<usize>,
    /// Which scores --top takes for the best: by default those at the end at which cell lines are sensitive (the lowest ln IC50,
    /// the highest pIC50), or combinations synergistic.
    #[arg(long, value_name = "ORDER", value_parser = ["highest", "lowest"])]
    best: Option<String>,
    /// The end at which cell lines are sensitive, of a model of something of which nothing says it (a z-score).
    #[arg(long, value_name = "END", value_parser = ["low", "high"])]
    sensitive: Option<String>,
    /// Leave out predictions below this.
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    min_score: Option<f32>,
    /// Score one part of the cell lines (of the rows of a list that names cell lines), for example 3/16. The parts together
    /// are exactly the whole.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Score also where the values of features lie elsewhere than those that the model was trained on.
    #[arg(long)]
    any_scale: bool,
    /// Which way round the files of cell lines are: cell_lines_in_rows or cell_lines_in_columns; found out by default.
    #[arg(long, value_name = "ORIENTATION")]
    orientation: Option<String>,
    /// Keep complete work after so many seconds, so that a command that was stopped goes on from there.
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0, value_parser = seconds)]
    checkpoint_every: f64,
    /// The file to write: .parquet, .csv or .ndjson; - for standard output.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `halfmax score`.
pub fn score(args: &ScoreArgs, global: &Global, terminal: Terminal) -> Result<()> {
    args.check()?;
    global.may_write(&args.out, &args.inputs())?;
    let Trained { fitted, mut facts, applicability } = Trained::read(&args.model, terminal)?;
    let said = args.sensitive.as_deref().and_then(End::named);
    facts.target.sensitive = said.or(facts.target.sensitive);
    args.check_for(&facts)?;
    let kept = args.kept(&facts.target)?;
    let files: Vec<_> =
        args.cells.iter().map(|path| Ok((global.table(path)?, None))).collect::<Result<_>>()?;
    let orientation = args.orientation.as_deref().map(Orientation::named).transpose()?;
    let (cells, reports) = read_cells_for_scoring(&files, Some(&fitted.space(0)), orientation)?;
    reports.iter().for_each(|report| terminal.note(&report.to_string()));
    if !args.any_scale {
        refuse_other_scales(&facts.scales, &cells, &fitted.space(0))?;
    }
    let (drugs, report) = args.drugs(&*fitted, &facts.drug_features, global)?;
    terminal.note(&report.to_string());
    let monotherapy = match &args.monotherapy {
        None => None,
        Some(path) => Some(args.monotherapy(path, &cells, &drugs, global)?),
    };
    let (cells, drugs) = args.with_single_agents(&*fitted, &facts, (cells, drugs), global, terminal)?;
    let fitted = match &args.responses {
        None => fitted,
        Some(path) => informed(&*fitted, &facts, &global.table(path)?, [&cells, &drugs], terminal)?,
    };
    let tables = if facts.combinations { vec![&cells, &drugs, &drugs] } else { vec![&cells, &drugs] };
    let scoring = Scoring::new(&*fitted, &facts, applicability.as_ref(), tables, monotherapy)?;
    scoring.tell_shares(terminal);
    let mut out = Pieces::open(
        &args.out,
        &facts.target.name,
        &args.made_of(global)?,
        Duration::from_secs_f64(args.checkpoint_every),
    )?;
    if out.damaged() > 0 {
        terminal.note(&format!(
            "{}: what an interrupted command left is damaged: {} computed again",
            args.out.display(),
            counted(out.damaged(), "piece")
        ));
    }
    if out.done() > 0 || out.draft().is_some() {
        let within = if out.draft().is_some() { ", within what comes next" } else { "" };
        terminal.note(&format!("{}: going on after {} scores{within}", args.out.display(), out.rows()));
    }
    let shard = args.shard.unwrap_or(Shard::WHOLE);
    let progress = terminal.progress("scoring");
    let scored = if facts.combinations {
        let list = args.combinations.as_deref().map(|path| global.table(path)).transpose()?;
        combinations::score(&scoring, list.as_ref(), (kept, shard), &mut out, &progress)
    } else {
        match &args.pairs {
            Some(pairs) => scoring.pairs(&global.table(pairs)?, (kept, shard), &mut out, &progress),
            None => scoring.grid((kept, shard), &mut out, &progress),
        }
    };
    drop(progress);
    if let Err(error) = scored {
        if let Some(folder) = out.keep()? {
            terminal.note(&format!("{} is kept: the same command goes on from there", folder.display()));
        }
        return Err(error);
    }
    let written = out.finish()?;
    if args.out != Path::new("-") {
        let summary = json!({"scores": written, "out": args.out.display().to_string(), "feature_share": scoring.shares()});
        let text = format!("{written} scores written to {}", args.out.display());
        terminal.result("scores", &summary, &text)?;
    }
    Ok(())
}

impl ScoreArgs {
    /// The files that are read.
    fn inputs(&self) -> Vec<&Path> {
        let one = [&self.pairs, &self.combinations, &self.monotherapy, &self.single_agent, &self.responses];
        let cells = self.cells.iter().map(PathBuf::as_path);
        cells
            .chain(one.into_iter().flat_map(|file| file.as_deref()))
            .chain([self.model.as_path(), self.drugs.as_path()])
            .collect()
    }

    fn check(&self) -> Result<()> {
        if self.top == Some(0) {
            return Err(Error::parameter("--top", 0, "at least 1"));
        }
        if self.min_score.is_some_and(f32::is_nan) {
            return Err(Error::parameter("--min-score", "NaN", "a number"));
        }
        Ok(())
    }

    /// Which scores are kept.
    fn kept(&self, target: &Target) -> Result<Kept> {
        let best = match (self.best.as_deref(), self.top) {
            (Some("highest"), _) => End::High,
            (Some(_), _) => End::Low,
            (None, Some(_)) => sensitive_end(target, "--top", Remedy::CommandLine)
                .map_err(|error| error.at(self.model.display()))?,
            (None, None) => End::Low,
        };
        let least = self.min_score.unwrap_or(f32::NEG_INFINITY);
        Ok(Kept { top: self.top, least, highest: best == End::High })
    }

    /// Whether what is asked for suits the model.
    fn check_for(&self, facts: &ModelFacts) -> Result<()> {
        let place = self.model.display();
        let refused = |what: &str, help: &str| Err(Error::config(format!("{place}: {what}")).help(help));
        let for_combinations = self.combinations.is_some() || self.all_combinations;
        if !facts.combinations
            && (for_combinations || self.single_agent.is_some() || self.monotherapy.is_some())
        {
            return refused(
                "predicts responses to single drugs, not to combinations",
                "give a model of combinations, or leave out --combinations, --all-combinations, --single-agent and \
                 --monotherapy",
            );
        }
        if facts.combinations && !for_combinations {
            return refused(
                "predicts combinations of two drugs",
                "say which: --combinations FILE, or --all-combinations",
            );
        }
        if facts.combinations && self.responses.is_some() {
            return refused(
                "takes no measured responses, as a model of combinations",
                "leave out --responses",
            );
        }
        match (&facts.single_agents, &self.single_agent) {
            (None, Some(_)) => {
                refused("was trained without single-agent responses", "leave out --single-agent")
            }
            _ => Ok(()),
        }
    }

    fn drugs(
        &self,
        fitted: &dyn FittedModel,
        features: &DrugFeatures,
        global: &Global,
    ) -> Result<(EntityTable, FileReport)> {
        read_drugs(global.table(&self.drugs)?, features, Some(&fitted.space(1)))
    }

    fn monotherapy(
        &self,
        path: &Path,
        cells: &EntityTable,
        drugs: &EntityTable,
        global: &Global,
    ) -> Result<Monotherapy> {
        let Trained { fitted, facts, .. } = Trained::read(path, Terminal::new(global.json, global.quiet))?;
        if facts.combinations || !facts.target.has_ic50_um() {
            let what = if facts.combinations { "of combinations" } else { "of single drugs" };
            return Err(Error::config(format!(
                "{}: predicts {} {what}: expected the IC50 of single drugs, on a scale and in a unit that are known",
                path.display(),
                facts.target.name
            ))
            .help("train one on a table with a column LN_IC50 or pIC50, or say with target.scale and target.unit what the column is"));
        }
        let (own, _) = self.drugs(&*fitted, &facts.drug_features, global)?;
        if own.ids() != drugs.ids() {
            return Err(Error::failed(format!("{}: read to other drugs", self.drugs.display())));
        }
        Ok(Monotherapy { fitted, target: facts.target, cells: cells.clone(), drugs: own })
    }

    /// The tables with what drugs do alone, if the model knows that.
    fn with_single_agents(
        &self,
        fitted: &dyn FittedModel,
        facts: &ModelFacts,
        (cells, drugs): (EntityTable, EntityTable),
        global: &Global,
        terminal: Terminal,
    ) -> Result<(EntityTable, EntityTable)> {
        match (&facts.single_agents, &self.single_agent) {
            (Some(measures), Some(path)) => {
                let spaces = [&fitted.space(0), &fitted.space(1)];
                let (cells, drugs, report) =
                    with_single_agents_for_scoring(global.table(path)?, measures, spaces, cells, drugs)?;
                terminal.note(&report.to_string());
                Ok((cells, drugs))
            }
            (Some(_), None) => Err(Error::config(format!(
                "{}: was trained with what drugs do alone, which is not given",
                self.model.display()
            ))
            .help("give it with --single-agent FILE; entries may be missing")),
            (None, _) => Ok((cells, drugs)),
        }
    }

    /// What the scores depend on, in a few words: the files' digests and the options.
    fn made_of(&self, global: &Global) -> Result<String> {
        let mut text = format!("halfmax {}\n", env!("CARGO_PKG_VERSION"));
        let lists = [&self.pairs, &self.combinations, &self.single_agent, &self.monotherapy, &self.responses];
        let files = [&self.model, &self.drugs].into_iter().chain(&self.cells);
        for path in files.chain(lists.into_iter().flatten()) {
            text += &format!("{} {}\n", sha256_file(path)?, path.display());
        }
        text += &format!("{:?} {:?}\n", global.columns()?, self.orientation);
        let Self { all_combinations, top, best, sensitive, min_score, shard, .. } = self;
        text += &format!("{all_combinations} {top:?} {best:?} {sensitive:?} {min_score:?} {shard:?}\n");
        Ok(sha256_bytes(text.as_bytes()))
    }
}

/// Seconds, for a flag.
fn seconds(text: &str) -> std::result::Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "expected seconds, 0 to 86400".to_owned())
}

/// The model that also knows the responses of a file.
fn informed(
    fitted: &dyn FittedModel,
    facts: &ModelFacts,
    file: &TableFile,
    [cells, drugs]: [&EntityTable; 2],
    terminal: Terminal,
) -> Result<Box<dyn FittedModel>> {
    let place = file.file.display();
    let table = file.read(Path::new(""))?;
    if table.find(&[facts.target.name.as_str()]).is_none() {
        let error = format!("{place}: has no column {}, which is what the model predicts", facts.target.name);
        return Err(Error::data(error).help(format!("it has the columns {}", listed(table.names(), 8))));
    }
    let lines = CellLines::with_ids(cells.ids().iter().map(String::as_str))?;
    let found = read_responses(&table, &lines, &TargetConfig::like(&facts.target), None)?;
    found.warnings.iter().for_each(|warning| terminal.note(&format!("warning: {warning}")));
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
            "{place}: none of its {} responses is of a cell line and a drug of the files given",
            found.observed.len()
        ))
        .help("use the same names, and give the features of the measured cell lines and drugs too"));
    }
    let named = values.len();
    let informed = fitted
        .given(&[cells, drugs], &Responses::new(sides, values, None)?)
        .map_err(|error| error.at(&place))?;
    if informed.used == 0 {
        return Err(Error::data(format!(
            "{place}: the model can use none of the {named} responses of cell lines and drugs that are scored: they are of \
             entities that it was trained on, or not of the side that its split held out"
        ))
        .help("a kernel model that was trained with split lco or lto takes responses of new cell lines, with ldo of new drugs"));
    }
    terminal.note(&format!(
        "{place}: {} of {} responses are used; {} are of cell lines or drugs that are not scored, {} of entities that the \
         model was trained on or with partners that it was not",
        informed.used,
        found.observed.len(),
        found.observed.len() - named,
        named - informed.used
    ));
    Ok(informed.model)
}
