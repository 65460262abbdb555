mod columns;
mod fits;
mod flagged;
mod many;

use std::path::{Path, PathBuf};

use clap::Args;
use halfmax_core::{Error, Progress, Result, Seed, listed};
use halfmax_data::{
    Block, GridDoses, Matrices, MatrixOptions, OutputSet, RawTable, ReadingOptions, ReadingUnit, TableWriter,
    counted, join_single_agents, read_grid, read_matrices, read_readings, read_table, written_endings,
};
use halfmax_dose::LogLogistic;
use halfmax_dose::synergy::{
    Baseline, BlockScores, DoseMatrix, Missing, ModelScores, SingleAgent, Summary, SynergyModel,
    SynergyScorer, Window,
};
use rayon::prelude::*;
use serde_json::json;

use self::columns::Columns;
use self::fits::{FitArgs, Fits, FittedCells};
use self::flagged::Flagged;
use self::many::{ScoredMany, cells_of_many, described_many, pairs_of, score_many, summary_of_many};
use crate::Global;
use crate::dose_options::DoseOptions;
use crate::picture_args::{PictureArgs, shown};
use crate::table_args::{TableArgs, dose_unit};
use crate::terminal::Terminal;
use crate::values::{BaselineValue, LayoutValue, PriorValue, ReadingValue, SynergyValue};
use halfmax::report::{
    BlockPage, LearntFrom, ScoredBlock, SvgFolder, drug_letter, learnt_in_words, write_block_svgs,
};

/// Blocks that are scored and written at a time: bounds memory whatever their number is.
const AT_A_TIME: usize = 256;
/// Blocks that are printed.
const PRINTED: usize = 20;

/// Score dose matrices of two or more drugs: HSA, Bliss, Loewe, ZIP.
#[derive(Args)]
pub struct SynergyArgs {
    /// The readings: columns of two or more drugs, their doses (0 where another is alone) and viabilities or inhibitions, and, as far
    /// as there, of blocks, cell lines and units, recognised by name.
    matrix: PathBuf,
    /// A TOML file of options, in a table named synergy (models, baseline, bootstrap, missing, confidence); flags come first.
    #[arg(long, value_name = "FILE")]
    options: Option<PathBuf>,
    /// Reference models to score against. Default: hsa,bliss,loewe,zip.
    #[arg(long, value_delimiter = ',', value_enum)]
    models: Vec<SynergyValue>,
    /// Baseline correction, as in SynergyFinder: "none", "part" (negative wells only) or "all". Default: none.
    #[arg(long, value_enum)]
    baseline: Option<BaselineValue>,
    /// Whether curves of drugs alone, and those of ZIP's rows and columns, are drawn to what all blocks of the file have in common: "learnt" (how Hill
    /// slopes, tops and errors are distributed; of fewer than twenty curves nothing is learnt), or "none", for plain least squares.
    #[arg(long, value_name = "PRIOR", default_value = "learnt", value_enum)]
    hill_prior: PriorValue,
    /// Draws of the bootstrap over replicates behind the intervals and p values; 0 for none. Default: 200.
    #[arg(long, value_name = "N")]
    bootstrap: Option<usize>,
    /// The share of intervals that are to hold the truth. Default: 0.95.
    #[arg(long, value_name = "SHARE")]
    confidence: Option<f64>,
    /// Fill in cells without a reading: of a drug alone by its curve, of several drugs by the mean of the curves fitted through the lines of the
    /// cell, as ZIP fits them. Filled cells are marked (column imputed) and counted. By default they stay empty.
    #[arg(long)]
    impute: bool,
    /// A table of readings of drugs alone, joined by cell line and drug, for matrices without them (or in addition).
    #[arg(long, value_name = "FILE")]
    single_agents: Option<PathBuf>,
    /// What the readings are: viability or inhibition, in percent or as fractions of the control. By default the column's name
    /// says it, or the untreated wells; the scale, the name or the range of all readings.
    #[arg(long, value_enum)]
    response: Option<ReadingValue>,
    /// The unit of all doses: um, nm, pm, mm or m; by columns of units, else by the names of the doses' columns, else um, by default.
    #[arg(long, value_name = "UNIT", value_parser = dose_unit)]
    dose_unit: Option<f64>,
    /// The two drugs of a table that does not name them: "FIRST,SECOND"; of a grid, those of the rows and of the columns.
    #[arg(long, value_name = "FIRST,SECOND")]
    drugs: Option<String>,
    /// How the readings stand: a list has one row per well; a grid one row per dose of the first drug and one column per dose of
    /// the second, with the doses on its edges.
    #[arg(long, value_enum, default_value = "list")]
    layout: LayoutValue,
    /// The doses of a grid's rows, if they are not on its edge.
    #[arg(long, value_name = "DOSES", value_delimiter = ',', requires = "doses_b")]
    doses_a: Option<Vec<f64>>,
    /// The doses of a grid's columns, if they are not on its edge.
    #[arg(long, value_name = "DOSES", value_delimiter = ',', requires = "doses_a")]
    doses_b: Option<Vec<f64>>,
    #[command(flatten)]
    fits: FitArgs,
    #[command(flatten)]
    table: TableArgs,
    #[arg(
        long,
        value_name = "FILE",
        help = format!("The file to write, one row per block and cell: {}; - for standard output", written_endings())
    )]
    out: PathBuf,
    /// A second file to write, one row per block: the curves of the drugs alone, mean scores, intervals, and the three
    /// neighbouring doses of each drug with the highest.
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    #[command(flatten)]
    pictures: PictureArgs,
}

/// A block with its matrix and scores.
struct Scored<'a> {
    block: &'a Block,
    matrix: DoseMatrix,
    scores: BlockScores,
    fits: Fits,
}

impl Scored<'_> {
    fn owned(&self) -> ScoredBlock {
        ScoredBlock {
            id: self.block.id.clone(),
            drugs: self.block.drugs.to_vec(),
            cell_line: self.block.cell_line.clone(),
            is_sham: self.block.is_sham(),
            matrix: self.matrix.clone().into(),
            scores: self.scores.clone(),
            more: self.fits.measures(),
        }
    }
}

/// `halfmax synergy`.
pub fn synergy(args: &SynergyArgs, global: &Global, terminal: Terminal) -> Result<()> {
    let options = DoseOptions::read(args.options.as_deref())?;
    let scorer = scorer(args, &options)?;
    let models: Vec<String> = scorer.params().models.iter().map(|model| model.name().to_owned()).collect();
    let seed = Seed::new(global.seed.or(options.seed).unwrap_or(1));
    args.fits.check(args.summary.is_some())?;
    let others = [&args.single_agents, &args.options];
    let inputs: Vec<&Path> =
        others.into_iter().flat_map(|file| file.as_deref()).chain([args.matrix.as_path()]).collect();
    global.may_write_all(
        &[
            ("--out", Some(&args.out)),
            ("--summary", args.summary.as_deref()),
            ("--html", args.pictures.html.as_deref()),
        ],
        &inputs,
    )?;
    args.pictures.check(global)?;
    let reading = MatrixOptions {
        unit: args.response.map(ReadingUnit::from),
        dose_factor: args.dose_unit,
        drugs: args.drugs.as_deref().map(pair_of_drugs).transpose()?,
    };
    // Before the readings are looked at: a wrong ending is told at once.
    let mut cells = TableWriter::create(&args.out)?;
    let mut blocks = args.summary.as_ref().map(TableWriter::create).transpose()?;
    let mut found = read_matrices(&list_of_wells(args, global)?, &reading)?;
    tell(&args.matrix, &found, terminal);
    if let Some(path) = &args.single_agents {
        add_single_agent_file(path, args, &mut found, terminal)?;
    }
    let scorer = match args.hill_prior {
        PriorValue::None => scorer,
        PriorValue::Learnt => scorer.learning_from(&some_matrices(&found.blocks)),
    };
    let learnt = learnt_in_words(&args.matrix, LearntFrom::DrugsAlone, &scorer.learnt());
    learnt.iter().for_each(|note| terminal.note(note));
    let place = args.matrix.display().to_string();
    args.fits.note_many(&place, &found.many).iter().for_each(|note| terminal.note(note));
    let progress = terminal.progress("scoring");
    let mut left = LeftUnscored::default();
    let mut flagged = Flagged::default();
    let drugs = found.many.iter().map(|block| block.drugs.len()).max().unwrap_or(2);
    let all = found.blocks.len() + found.many.len();
    // The columns of all blocks: those of two drugs, and what those of more have besides.
    let mut layouts: Option<[Columns; 2]> = None;
    let files = OutputSet::of(&args.out);
    let mut pictures = Pictures {
        page: args.pictures.html.as_ref().map(|_| BlockPage::new(scorer.params().confidence)),
        folder: args.pictures.folder(&files)?,
        drawn: 0,
    };
    for (at, some) in found.blocks.chunks(AT_A_TIME).enumerate() {
        progress.check()?;
        let (scored, failed) = score(some, at * AT_A_TIME, &scorer, (seed, &args.fits), &progress)?;
        left.blocks.extend(failed);
        if scored.is_empty() {
            continue;
        }
        let parts = [cells_of(&scored, &models, &args.fits), summary_of(&scored, &models, &args.fits)];
        let [of_cells, of_blocks] =
            layouts.get_or_insert_with(|| united(parts.clone(), &found, drugs, (&models, &args.fits)));
        parts[0].write(of_cells, &mut cells)?;
        if let Some(writer) = &mut blocks {
            parts[1].write(of_blocks, writer)?;
        }
        pictures.add(scored.iter().map(Scored::owned))?;
        print(args, at * AT_A_TIME, &scored, terminal)?;
        left.surfaces.extend(scored.iter().filter_map(without_surface));
        scored.iter().for_each(|one| flagged.add(&one.scores));
        left.models
            .extend(scored.iter().filter(|one| lacks_a_score(&one.scores)).map(|one| one.block.id.clone()));
        progress.step((at * AT_A_TIME + some.len()).min(all), all);
    }
    let pairs = pairs_of(&found);
    for (at, some) in found.many.chunks(AT_A_TIME).enumerate() {
        progress.check()?;
        let first = found.blocks.len() + at * AT_A_TIME;
        let pairs = &pairs[at * AT_A_TIME..][..some.len()];
        let (scored, failed) = score_many((some, pairs), first, &scorer, (seed, &args.fits), &progress)?;
        left.blocks.extend(failed);
        if scored.is_empty() {
            continue;
        }
        let parts = [
            cells_of_many(&scored, drugs, &models, &args.fits),
            summary_of_many(&scored, drugs, &models, &args.fits),
        ];
        let [of_cells, of_blocks] = layouts.get_or_insert_with(|| parts.clone());
        parts[0].write(of_cells, &mut cells)?;
        if let Some(writer) = &mut blocks {
            parts[1].write(of_blocks, writer)?;
        }
        pictures.add(scored.iter().map(ScoredMany::owned))?;
        print_many(args, first, &scored, terminal)?;
        scored.iter().for_each(|one| flagged.add(&one.scores));
        left.models
            .extend(scored.iter().filter(|one| lacks_a_score(&one.scores)).map(|one| one.block.id.clone()));
        progress.step(first + some.len(), all);
    }
    drop(progress);
    left.refuse_if_all(&args.matrix, all)?;
    cells.finish_into(&files)?;
    blocks.map(|blocks| blocks.finish_into(&files)).transpose()?;
    left.tell(&args.matrix, all, terminal);
    if let (Some(page), Some(path)) = (&mut pictures.page, &args.pictures.html) {
        let why = left.blocks.iter().map(|(_, name, error)| format!("block {name}: {error}"));
        page.write((path, &files), &args.matrix, &found, &why.collect::<Vec<String>>())?;
    }
    files.finish()?;
    args.pictures.tell(pictures.drawn, terminal);
    flagged.tell(&args.matrix, args.summary.is_some(), terminal);
    conclude(args, &found, &left, &flagged, terminal)
}

/// The page and the folder that blocks are drawn into, as far as asked for.
struct Pictures {
    page: Option<BlockPage>,
    folder: Option<SvgFolder>,
    drawn: usize,
}

impl Pictures {
    /// Draws some blocks.
    fn add(&mut self, blocks: impl Iterator<Item = ScoredBlock>) -> Result<()> {
        if self.page.is_none() && self.folder.is_none() {
            return Ok(());
        }
        let blocks: Vec<ScoredBlock> = blocks.collect();
        self.drawn += blocks.len();
        self.page.iter_mut().for_each(|page| blocks.iter().for_each(|one| page.add(one)));
        self.folder.as_mut().map_or(Ok(()), |folder| write_block_svgs(folder, &blocks))
    }
}

/// Adds readings of drugs alone from another table to the blocks of the same cell line and drug.
fn add_single_agent_file(
    path: &Path,
    args: &SynergyArgs,
    found: &mut Matrices,
    terminal: Terminal,
) -> Result<()> {
    let options = ReadingOptions { dose_factor: args.dose_unit, ..ReadingOptions::default() };
    let (readings, about) = read_readings(read_table(path)?, &options)?;
    let place = path.display();
    terminal.note(&format!(
        "{place}: {} of drugs alone, of {}, taken as {}",
        counted(about.readings, "reading"),
        counted(about.curves, "curve"),
        about.unit.name()
    ));
    about.notes.iter().for_each(|note| terminal.note(&format!("{place}: {note}")));
    if about.dose_unit_assumed {
        terminal.note(&format!("{place}: nothing says what unit the doses are in: taken as µM"));
    }
    let joined = join_single_agents(found, &readings)?;
    joined.notes().iter().for_each(|note| terminal.note(&format!("{}: {note}", args.matrix.display())));
    Ok(())
}

/// The columns of cells and of blocks that all parts are written with.
fn united(
    parts: [Columns; 2],
    found: &Matrices,
    drugs: usize,
    (models, fits): (&[String], &FitArgs),
) -> [Columns; 2] {
    let [cells, blocks] = parts;
    if found.many.is_empty() {
        return [cells, blocks];
    }
    // Which columns there are does not depend on the rows.
    let of_many = [cells_of_many(&[], drugs, models, fits), summary_of_many(&[], drugs, models, fits)];
    [cells.united(&of_many[0]), blocks.united(&of_many[1])]
}

/// The matrices that are learnt from, of those that can be scored.
fn some_matrices(blocks: &[Block]) -> Vec<DoseMatrix> {
    let some = SynergyScorer::learns_from(blocks.len());
    some.par_iter().filter_map(|at| DoseMatrix::new(&blocks[*at].readings).ok()).collect()
}

/// The drugs of `--drugs`.
fn pair_of_drugs(text: &str) -> Result<[String; 2]> {
    let names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    match names.as_slice() {
        [a, b] => Ok([(*a).to_owned(), (*b).to_owned()]),
        _ => Err(Error::parameter("--drugs", text, "the names of two drugs, separated by a comma")),
    }
}

/// The table of readings, one row per well.
fn list_of_wells(args: &SynergyArgs, global: &Global) -> Result<RawTable> {
    let table = args.table.options(global)?.read(&args.matrix)?;
    let doses = GridDoses { rows: args.doses_a.clone(), columns: args.doses_b.clone() };
    match (args.layout, &args.drugs) {
        (LayoutValue::Grid, Some(_)) => read_grid(&table, &doses),
        (LayoutValue::Grid, None) => Err(Error::config("--layout grid: a grid does not name its drugs")
            .help("say them: --drugs \"ROWS,COLUMNS\"")),
        _ if doses.rows.is_some() => {
            Err(Error::config("--doses-a, --doses-b: are of a grid").help("say --layout grid, too"))
        }
        _ => Ok(table),
    }
}

/// Blocks that have no score, or not of every model.
#[derive(Default)]
struct LeftUnscored {
    /// Blocks that could not be scored: their ids, names and why.
    blocks: Vec<(String, String, Error)>,
    /// Ids of blocks that lack the score of a model.
    models: Vec<String>,
    /// Ids of blocks that lack a response surface, with why.
    surfaces: Vec<String>,
}

impl LeftUnscored {
    /// Refuses a file of which no block can be scored.
    fn refuse_if_all(&mut self, path: &Path, blocks: usize) -> Result<()> {
        if self.blocks.len() < blocks || self.blocks.is_empty() {
            return Ok(());
        }
        let (_, name, error) = self.blocks.swap_remove(0);
        let place = format!("{}: block {name}", path.display());
        match blocks {
            1 => Err(error.at(place)),
            _ => {
                Err(error
                    .at(format!("{}: none of {blocks} blocks can be scored; block {name}", path.display())))
            }
        }
    }

    fn tell(&self, path: &Path, blocks: usize, terminal: Terminal) {
        let place = path.display();
        if !self.blocks.is_empty() {
            let why: Vec<String> =
                self.blocks.iter().map(|(_, name, error)| format!("block {name}: {error}")).collect();
            terminal.note(&format!(
                "{place}: {} of {blocks} cannot be scored and {} left out: {}",
                counted(self.blocks.len(), "block"),
                if self.blocks.len() == 1 { "is" } else { "are" },
                listed(&why, 5)
            ));
        }
        fits::note(&place.to_string(), &self.surfaces).iter().for_each(|note| terminal.note(note));
        if !self.models.is_empty() {
            let lack = if self.models.len() == 1 { "lacks" } else { "lack" };
            terminal.note(&format!(
                "{place}: {} {lack} the score of a model: Loewe and ZIP need three doses of each drug alone, ZIP also in each row \
                 and column: {}",
                counted(self.models.len(), "block"),
                listed(&self.models, 5)
            ));
        }
    }
}

/// How matrices are scored: flags, over the file of options.
fn scorer(args: &SynergyArgs, options: &DoseOptions) -> Result<SynergyScorer> {
    let mut params = options.synergy.clone();
    params.baseline = args.baseline.map_or(params.baseline, Baseline::from);
    if !args.models.is_empty() {
        params.models = args.models.iter().map(|model| SynergyModel::from(*model)).collect();
    }
    if args.impute {
        params.missing = Missing::Imputed;
    }
    params.bootstrap = args.bootstrap.unwrap_or(params.bootstrap);
    params.confidence = args.confidence.unwrap_or(params.confidence);
    params.check()
}

/// Says what was taken for what, and what was left out.
fn tell(path: &Path, found: &Matrices, terminal: Terminal) {
    let place = path.display();
    let readings: usize = found.blocks.iter().map(|block| block.readings.len()).sum();
    let of_many: usize = found.many.iter().map(|block| block.readings.len()).sum();
    let (readings, unit) = (readings + of_many, found.unit.name());
    let blocks = found.blocks.len() + found.many.len();
    terminal.note(&format!(
        "{place}: {} of {}, taken as {unit}",
        counted(readings, "reading"),
        counted(blocks, "block")
    ));
    found.notes.iter().for_each(|note| terminal.note(&format!("{place}: {note}")));
    if found.dose_unit_assumed {
        terminal.note(&format!(
            "{place}: nothing says what unit the doses are in: taken as µM; say it with --dose-unit"
        ));
    }
    if found.incomplete > 0 {
        terminal
            .note(&format!("{place}: without a reading, and left out: {}", counted(found.incomplete, "row")));
    }
    let shams: Vec<&str> =
        found.blocks.iter().filter(|block| block.is_sham()).map(|block| block.id.as_str()).collect();
    if !shams.is_empty() {
        terminal.note(&format!(
            "{place}: blocks of a drug with itself, scored like the others: {}",
            listed(&shams, 5)
        ));
    }
}

/// The blocks that can be scored, and those that cannot, with why.
type ScoredOrNot<'a> = (Vec<Scored<'a>>, Vec<(String, String, Error)>);

fn score<'a>(
    blocks: &'a [Block],
    first: usize,
    scorer: &SynergyScorer,
    (seed, fits): (Seed, &FitArgs),
    progress: &dyn Progress,
) -> Result<ScoredOrNot<'a>> {
    let one = |(at, block): (usize, &'a Block)| {
        progress.check()?;
        Ok(DoseMatrix::new(&block.readings)
            .map(|matrix| {
                let scores = scorer.score(&matrix, seed.derive((first + at) as u64));
                let fits = fits.fit(
                    &matrix,
                    &scores.response,
                    [scores.alone[0], scores.alone[1]],
                    scorer.params().confidence,
                );
                Scored { block, matrix, scores, fits }
            })
            .map_err(|error| (block.id.clone(), described(block), error)))
    };
    let all: Vec<Result<Scored<'a>, _>> = blocks.par_iter().enumerate().map(one).collect::<Result<_>>()?;
    Ok(parted(all))
}

/// What succeeded and what did not, each in its order.
fn parted<T, E>(all: Vec<std::result::Result<T, E>>) -> (Vec<T>, Vec<E>) {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for one in all {
        match one {
            Ok(one) => done.push(one),
            Err(one) => failed.push(one),
        }
    }
    (done, failed)
}

fn described(block: &Block) -> String {
    let [a, b] = &block.drugs;
    let place = block.cell_line.as_ref().map(|cell| format!(" in {cell}")).unwrap_or_default();
    format!("{} ({a} with {b}{place})", block.id)
}

fn lacks_a_score(scores: &BlockScores) -> bool {
    scores.models.iter().any(|model| model.summary.mean.is_nan())
}

/// A block that lacks a surface, with why.
fn without_surface(scored: &Scored) -> Option<String> {
    scored.fits.not_fitted().map(|why| format!("{} ({why})", scored.block.id))
}

/// The columns that say what a row is of; those of cell lines only where the file names them.
fn names(rows: &[&Block]) -> Columns {
    let mut columns = Columns::default();
    columns.text("block_id", rows.iter().map(|block| block.id.as_str()));
    columns.text("drug_a", rows.iter().map(|block| block.drugs[0].as_str()));
    columns.text("drug_b", rows.iter().map(|block| block.drugs[1].as_str()));
    let cell_lines: Option<Vec<&str>> = rows.iter().map(|block| block.cell_line.as_deref()).collect();
    if let Some(list) = cell_lines {
        columns.text("cell_line", list.into_iter());
    }
    columns
}

/// One row per block and cell.
fn cells_of(scored: &[Scored], models: &[String], args: &FitArgs) -> Columns {
    let rows = || scored.iter().flat_map(|one| (0..one.matrix.len()).map(move |cell| (one, cell)));
    let blocks: Vec<&Block> = rows().map(|(one, _)| one.block).collect();
    let mut columns = names(&blocks);
    columns.counts("replicates", rows().map(|(one, cell)| one.matrix.readings(cell).len() as u32));
    let dose = |drug: usize| rows().map(move |(one, cell)| one.matrix.doses(drug)[one.matrix.at(cell)[drug]]);
    columns.add("dose_a_um", dose(0));
    columns.add("dose_b_um", dose(1));
    columns.add("inhibition", rows().map(|(one, cell)| one.scores.response[cell]));
    columns.counts("imputed", rows().map(|(one, cell)| u32::from(one.scores.imputed[cell])));
    let of_rows: Vec<(&BlockScores, usize)> = rows().map(|(one, cell)| (&one.scores, cell)).collect();
    add_models_of_cells(&mut columns, &of_rows, models);
    let doses = |matrix: &DoseMatrix| {
        let at = |cell: usize| {
            let [a, b] = matrix.at(cell);
            [matrix.doses(0)[a], matrix.doses(1)[b]]
        };
        (0..matrix.len()).map(at).collect()
    };
    let fits: Vec<FittedCells> =
        scored.iter().map(|one| FittedCells { doses: doses(&one.matrix), fits: &one.fits }).collect();
    fits::add_to_cells(&mut columns, &fits, args);
    columns
}

/// What each model says of cells.
fn add_models_of_cells(columns: &mut Columns, rows: &[(&BlockScores, usize)], models: &[String]) {
    for (at, name) in models.iter().enumerate() {
        let of = |list: fn(&ModelScores) -> &[f64]| {
            rows.iter()
                .map(move |(scores, cell)| scores.models.get(at).map_or(f64::NAN, |model| list(model)[*cell]))
        };
        columns.add(format!("reference_{name}"), of(|model| &model.reference));
        columns.add(format!("synergy_{name}"), of(|model| &model.score));
        columns.add(format!("synergy_{name}_lower"), of(|model| &model.interval[0]));
        columns.add(format!("synergy_{name}_upper"), of(|model| &model.interval[1]));
    }
}

/// The curves of the drugs alone, and what they rest on.
fn add_single_agents(columns: &mut Columns, scored: &[&BlockScores], drugs: usize) {
    type OfCurve = fn(&LogLogistic) -> f64;
    type OfAgent = fn(&SingleAgent) -> f64;
    let curve: [(&str, OfCurve); 4] = [
        ("ec50_X_um", |curve| curve.ec50),
        ("hill_X", |curve| curve.hill),
        ("inhibition_X_low_dose", |curve| 100.0 * (1.0 - curve.top)),
        ("inhibition_X_high_dose", |curve| 100.0 * (1.0 - curve.bottom)),
    ];
    let quality: [(&str, OfAgent); 3] = [
        ("doses_X", |agent| agent.doses as f64),
        ("r2_X", |agent| agent.r2),
        ("residual_standard_error_X", |agent| agent.residual_standard_error),
    ];
    for drug in 0..drugs {
        let named = |name: &str| name.replace('X', &drug_letter(drug).to_string());
        let agents = || scored.iter().map(move |scores| scores.single_agents.get(drug));
        for (name, of) in curve {
            let value = |agent: Option<&SingleAgent>| {
                agent.and_then(|agent| agent.curve.as_ref()).map_or(f64::NAN, of)
            };
            columns.add(named(name), agents().map(value));
        }
        columns.text(named("model_X"), agents().map(|agent| agent.map_or("", |agent| agent.model.name())));
        for (name, of) in quality {
            columns.add(named(name), agents().map(|agent| agent.map_or(f64::NAN, of)));
        }
        let flags = |agent: Option<&SingleAgent>| agent.map(|agent| agent.flags.to_string());
        columns.text(named("flags_X"), agents().map(|agent| flags(agent).unwrap_or_default()));
    }
    columns.text("flags", scored.iter().map(|scores| scores.flags.to_string()));
    let imputed = |scores: &&BlockScores| scores.imputed.iter().filter(|imputed| **imputed).count() as u32;
    columns.counts("imputed_cells", scored.iter().map(imputed));
}

/// The mean scores of blocks.
fn add_models_of_blocks(columns: &mut Columns, scored: &[&BlockScores], models: &[String]) {
    for (at, name) in models.iter().enumerate() {
        let of = |value: fn(&Summary) -> f64| {
            let summaries = scored.iter().map(move |scores| scores.models.get(at));
            summaries.map(move |model| model.map_or(f64::NAN, |model| value(&model.summary)))
        };
        columns.add(format!("synergy_{name}"), of(|summary| summary.mean));
        columns.add(format!("cells_{name}"), of(|summary| summary.cells as f64));
        columns.add(format!("synergy_{name}_lower"), of(|summary| summary.interval[0]));
        columns.add(format!("synergy_{name}_upper"), of(|summary| summary.interval[1]));
        columns.add(format!("synergy_{name}_p"), of(|summary| summary.p_value));
    }
}

/// One row per block.
fn summary_of(scored: &[Scored], models: &[String], args: &FitArgs) -> Columns {
    let blocks: Vec<&Block> = scored.iter().map(|one| one.block).collect();
    let scores: Vec<&BlockScores> = scored.iter().map(|one| &one.scores).collect();
    let mut columns = names(&blocks);
    add_single_agents(&mut columns, &scores, 2);
    add_models_of_blocks(&mut columns, &scores, models);
    for (at, name) in models.iter().enumerate() {
        let windows = || scores.iter().map(move |scores| scores.models[at].summary.window);
        columns.add(
            format!("window_{name}"),
            windows().map(|window| window.map_or(f64::NAN, |window| window.mean)),
        );
        type Doses = fn(Window) -> [f64; 2];
        let doses: [(&str, Doses); 2] = [("a", |window| window.doses_a), ("b", |window| window.doses_b)];
        for (drug, of) in doses {
            for (end, which) in [(0, "from"), (1, "to")] {
                let dose = windows().map(|window| window.map_or(f64::NAN, |window| of(window)[end]));
                columns.add(format!("window_{name}_dose_{drug}_um_{which}"), dose);
            }
        }
    }
    let fits: Vec<&Fits> = scored.iter().map(|one| &one.fits).collect();
    fits::add_to_blocks(&mut columns, &fits, 2, args);
    columns
}

/// Prints the mean scores of the first blocks for a person, or one JSON line for each block.
fn print(args: &SynergyArgs, first: usize, scored: &[Scored], terminal: Terminal) -> Result<()> {
    if args.out == Path::new("-") {
        return Ok(());
    }
    for (at, one) in scored.iter().enumerate() {
        let models: serde_json::Map<_, _> = one
            .scores
            .models
            .iter()
            .map(|scores| (scores.model.name().to_owned(), json!(scores.summary)))
            .collect();
        let [a, b] = &one.block.drugs;
        let facts = json!({
            "block_id": one.block.id, "drug_a": a, "drug_b": b, "cell_line": one.block.cell_line, "synergy": models,
            "fits": one.fits.facts(),
            "flags": one.scores.flags.to_string(),
        });
        if terminal.is_json() || first + at < PRINTED {
            terminal.result(
                "block",
                &facts,
                &format!("{}\n    {}{}", described(one.block), means(&one.scores), one.fits.text()),
            )?;
        }
    }
    Ok(())
}

/// The same of blocks of three and more drugs.
fn print_many(args: &SynergyArgs, first: usize, scored: &[ScoredMany], terminal: Terminal) -> Result<()> {
    if args.out == Path::new("-") {
        return Ok(());
    }
    for (at, one) in scored.iter().enumerate() {
        let of_model = |scores: &ModelScores| (scores.model.name().to_owned(), json!(scores.summary));
        let models: serde_json::Map<_, _> = one.scores.models.iter().map(of_model).collect();
        let facts = json!({
            "block_id": one.block.id, "drugs": one.block.drugs, "cell_line": one.block.cell_line,
            "pair_blocks": one.pairs, "synergy": models, "fits": one.fits.facts(),
            "flags": one.scores.flags.to_string(),
        });
        if terminal.is_json() || first + at < PRINTED {
            let text =
                format!("{}\n    {}{}", described_many(one.block), means(&one.scores), one.fits.text());
            terminal.result("block", &facts, &text)?;
        }
    }
    Ok(())
}

/// Of how many cells a mean is, where some have no reference: one of the drugs was not measured alone at their dose.
fn of_cells(summary: &Summary) -> String {
    match summary.cells < summary.measured {
        true => {
            format!(" (of {} of {} cells: the others have no reference)", summary.cells, summary.measured)
        }
        false => String::new(),
    }
}

/// `hsa 3.2 [1.1, 5.0], …`.
fn means(scores: &BlockScores) -> String {
    let one = |scores: &ModelScores| {
        let (name, summary) = (scores.model.name(), &scores.summary);
        let [low, high] = summary.interval;
        match (summary.mean.is_nan(), low.is_nan()) {
            (true, _) => format!("{name} none"),
            (false, true) => format!("{name} {:.1}{}", summary.mean, of_cells(summary)),
            (false, false) => {
                format!("{name} {:.1} [{low:.1}, {high:.1}]{}", summary.mean, of_cells(summary))
            }
        }
    };
    scores.models.iter().map(one).collect::<Vec<String>>().join(", ")
}

fn conclude(
    args: &SynergyArgs,
    found: &Matrices,
    left: &LeftUnscored,
    flagged: &Flagged,
    terminal: Terminal,
) -> Result<()> {
    if args.out == Path::new("-") {
        return Ok(());
    }
    let blocks = found.blocks.len() + found.many.len() - left.blocks.len();
    let not_scored: Vec<serde_json::Value> = left
        .blocks
        .iter()
        .map(|(id, _, error)| json!({ "block_id": id, "why": error.to_string() }))
        .collect();
    let facts = json!({
        "blocks": blocks,
        "response": found.unit.name(),
        "incomplete_left_out": found.incomplete,
        "lacking_a_score": left.models,
        "not_scored": not_scored,
        "flags": flagged.counts(),
        "imputed_cells": flagged.imputed,
        "out": args.out.display().to_string(),
        "summary": shown(args.summary.as_deref()),
        "html": shown(args.pictures.html.as_deref()),
        "svg": shown(args.pictures.svg.as_deref()),
    });
    let more = blocks.saturating_sub(PRINTED);
    let more = if more > 0 { format!("… and {more} more\n") } else { String::new() };
    let text = format!(
        "{more}{} written to {}; scores are percentage points of inhibition, above 0 is synergy",
        counted(blocks, "block"),
        args.out.display()
    );
    terminal.result("synergy", &facts, &text)
}
