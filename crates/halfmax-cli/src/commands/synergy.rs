use std::path::{Path, PathBuf};

use clap::Args;
use halfmax_core::{Error, Progress, Result, Seed, listed};
use halfmax_data::{
    Block, GridDoses, Matrices, MatrixOptions, OutputColumn, RawTable, ReadingUnit, TableWriter, counted,
    read_grid, read_matrices,
};
use halfmax_dose::LogLogistic;
use halfmax_dose::synergy::{
    Baseline, BlockScores, DoseMatrix, ModelScores, Summary, SynergyModel, SynergyParams, SynergyScorer,
    Window,
};
use rayon::prelude::*;
use serde_json::json;

use crate::Global;
use crate::picture_args::PictureArgs;
use crate::reporting::{BlockPage, ScoredBlock, write_block_svgs};
use crate::table_args::{TableArgs, dose_unit};
use crate::terminal::Terminal;

/// Blocks that are scored and written at a time: bounds memory whatever their number is.
const AT_A_TIME: usize = 256;
/// Blocks that are printed.
const PRINTED: usize = 20;

/// Score dose matrices of two drugs: HSA, Bliss, Loewe, ZIP.
#[derive(Args)]
pub struct SynergyArgs {
    /// The readings: columns of two drugs, their doses (0 where the other is alone) and viabilities or inhibitions, and, as far
    /// as there, of blocks, cell lines and units, recognised by name.
    matrix: PathBuf,
    /// What is expected of drugs that do not interact.
    #[arg(long, value_delimiter = ',', default_value = "hsa,bliss,loewe,zip", value_parser = ["hsa", "bliss", "loewe", "zip"])]
    models: Vec<String>,
    /// Whether inhibitions that the drugs' curves have without effect are taken off: never, off negative inhibitions, or off all.
    #[arg(long, default_value = "none", value_parser = ["none", "part", "all"])]
    baseline: String,
    /// Draws of the bootstrap over replicates behind the intervals; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 200)]
    bootstrap: usize,
    /// What the readings are: viability or inhibition, in percent or as fractions of the control. By default the column's name
    /// says it, or the untreated wells; the scale, the name or the range of all readings.
    #[arg(long, value_parser = ["viability-percent", "viability-fraction", "inhibition-percent", "inhibition-fraction"])]
    response: Option<String>,
    /// The unit of all doses: um, nm, pm, mm or m; by columns of units, else by the names of the doses' columns, else um, by default.
    #[arg(long, value_name = "UNIT", value_parser = dose_unit)]
    dose_unit: Option<f64>,
    /// The two drugs of a table that does not name them: "FIRST,SECOND"; of a grid, those of the rows and of the columns.
    #[arg(long, value_name = "FIRST,SECOND")]
    drugs: Option<String>,
    /// How the readings stand: a list has one row per well; a grid one row per dose of the first drug and one column per dose of
    /// the second, with the doses on its edges.
    #[arg(long, value_parser = ["list", "grid"], default_value = "list")]
    layout: String,
    /// The doses of a grid's rows, if they are not on its edge.
    #[arg(long, value_name = "DOSES", value_delimiter = ',', requires = "doses_b")]
    doses_a: Option<Vec<f64>>,
    /// The doses of a grid's columns, if they are not on its edge.
    #[arg(long, value_name = "DOSES", value_delimiter = ',', requires = "doses_a")]
    doses_b: Option<Vec<f64>>,
    #[command(flatten)]
    table: TableArgs,
    /// The file to write, one row per block and cell: .parquet, .csv or .ndjson; - for standard output.
    #[arg(long, value_name = "FILE")]
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
}

impl Scored<'_> {
    fn owned(&self) -> ScoredBlock {
        ScoredBlock { block: self.block.clone(), matrix: self.matrix.clone(), scores: self.scores.clone() }
    }
}

/// `halfmax synergy`.
pub fn synergy(args: &SynergyArgs, global: &Global, terminal: Terminal) -> Result<()> {
    let scorer = scorer(args)?;
    if args.summary.as_ref() == Some(&args.out) {
        let error = Error::config(format!("{}: named by both --out and --summary", args.out.display()));
        return Err(error.help("give two files"));
    }
    std::iter::once(&args.out).chain(&args.summary).try_for_each(|path| global.may_write(path))?;
    args.pictures.check(&args.out, global)?;
    let options = MatrixOptions {
        unit: args.response.as_deref().and_then(ReadingUnit::named),
        dose_factor: args.dose_unit,
        drugs: args.drugs.as_deref().map(pair_of_drugs).transpose()?,
    };
    // Before the readings are looked at: a wrong ending is told at once.
    let mut cells = TableWriter::create(&args.out)?;
    let mut blocks = args.summary.as_ref().map(TableWriter::create).transpose()?;
    let found = read_matrices(&list_of_wells(args, global)?, &options)?;
    tell(&args.matrix, &found, terminal);
    let seed = Seed::new(global.seed.unwrap_or(1));
    let progress = terminal.progress("scoring");
    let mut left = LeftUnscored::default();
    let mut page = args.pictures.html.as_ref().map(|_| BlockPage::new());
    let mut folder = args.pictures.folder()?;
    for (at, some) in found.blocks.chunks(AT_A_TIME).enumerate() {
        progress.check()?;
        let (scored, failed) = score(some, at * AT_A_TIME, &scorer, seed, &progress)?;
        left.blocks.extend(failed);
        if scored.is_empty() {
            continue;
        }
        write_cells(&mut cells, &scored)?;
        if let Some(writer) = &mut blocks {
            write_summary(writer, &scored)?;
        }
        if page.is_some() || folder.is_some() {
            let owned: Vec<ScoredBlock> = scored.iter().map(Scored::owned).collect();
            page.iter_mut().for_each(|page| owned.iter().for_each(|one| page.add(one)));
            folder.as_mut().map_or(Ok(()), |folder| write_block_svgs(folder, &owned))?;
        }
        print(args, at * AT_A_TIME, &scored, terminal)?;
        left.models.extend(scored.iter().filter(|one| lacks_a_score(one)).map(|one| one.block.id.clone()));
        progress.step((at * AT_A_TIME + some.len()).min(found.blocks.len()), found.blocks.len());
    }
    drop(progress);
    left.refuse_if_all(&args.matrix, found.blocks.len())?;
    cells.finish()?;
    blocks.map(TableWriter::finish).transpose()?;
    left.tell(&args.matrix, found.blocks.len(), terminal);
    if let (Some(page), Some(path)) = (&mut page, &args.pictures.html) {
        let why = left.blocks.iter().map(|(_, name, error)| format!("block {name}: {error}"));
        page.write(path, &args.matrix, &found, &why.collect::<Vec<String>>())?;
    }
    args.pictures.tell(found.blocks.len() - left.blocks.len(), terminal);
    conclude(args, &found, &left, terminal)
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
    match (args.layout.as_str(), &args.drugs) {
        ("grid", Some(_)) => read_grid(&table, &doses),
        ("grid", None) => Err(Error::config("--layout grid: a grid does not name its drugs")
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

fn scorer(args: &SynergyArgs) -> Result<SynergyScorer> {
    let baseline = match args.baseline.as_str() {
        "part" => Baseline::Part,
        "all" => Baseline::All,
        _ => Baseline::None,
    };
    let models = args.models.iter().filter_map(|name| SynergyModel::named(name)).collect();
    SynergyParams { models, baseline, bootstrap: args.bootstrap }.check()
}

/// Says what was taken for what, and what was left out.
fn tell(path: &Path, found: &Matrices, terminal: Terminal) {
    let place = path.display();
    let readings: usize = found.blocks.iter().map(|block| block.readings.len()).sum();
    let (blocks, unit) = (found.blocks.len(), found.unit.name());
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
    seed: Seed,
    progress: &dyn Progress,
) -> Result<ScoredOrNot<'a>> {
    let one = |(at, block): (usize, &'a Block)| {
        progress.check()?;
        Ok(DoseMatrix::new(&block.readings)
            .map(|matrix| {
                let scores = scorer.score(&matrix, seed.derive((first + at) as u64));
                Scored { block, matrix, scores }
            })
            .map_err(|error| (block.id.clone(), described(block), error)))
    };
    let all: Vec<Result<Scored<'a>, _>> = blocks.par_iter().enumerate().map(one).collect::<Result<_>>()?;
    let (mut scored, mut failed) = (Vec::new(), Vec::new());
    for one in all {
        match one {
            Ok(one) => scored.push(one),
            Err(one) => failed.push(one),
        }
    }
    Ok((scored, failed))
}

fn described(block: &Block) -> String {
    let [a, b] = &block.drugs;
    let place = block.cell_line.as_ref().map(|cell| format!(" in {cell}")).unwrap_or_default();
    format!("{} ({a} with {b}{place})", block.id)
}

fn lacks_a_score(scored: &Scored) -> bool {
    scored.scores.models.iter().any(|model| model.summary.mean.is_nan())
}

/// Columns of numbers, by name.
#[derive(Default)]
struct Numbers {
    columns: Vec<(String, Vec<f64>)>,
}

impl Numbers {
    fn add(&mut self, name: impl Into<String>, values: impl Iterator<Item = f64>) {
        self.columns.push((name.into(), values.collect()));
    }

    fn borrowed(&self) -> impl Iterator<Item = (&str, OutputColumn<'_>)> {
        self.columns.iter().map(|(name, values)| (name.as_str(), OutputColumn::F64(values)))
    }
}

/// The columns that say what a row is of; those of cell lines only where the file names them.
fn names<'a>(rows: &[&'a Block]) -> Vec<(&'static str, Vec<&'a str>)> {
    let of = |name: fn(&'a Block) -> &'a str| rows.iter().copied().map(name).collect::<Vec<&str>>();
    let mut names = vec![
        ("block_id", of(|block| &block.id)),
        ("drug_a", of(|block| &block.drugs[0])),
        ("drug_b", of(|block| &block.drugs[1])),
    ];
    let cell_lines: Option<Vec<&str>> = rows.iter().map(|block| block.cell_line.as_deref()).collect();
    names.extend(cell_lines.map(|list| ("cell_line", list)));
    names
}

/// For each model of the first block; every block has the same.
fn models(scored: &[Scored]) -> Vec<&'static str> {
    scored
        .first()
        .map_or(Vec::new(), |one| one.scores.models.iter().map(|scores| scores.model.name()).collect())
}

fn write_cells(writer: &mut TableWriter, scored: &[Scored]) -> Result<()> {
    let rows = || scored.iter().flat_map(|one| (0..one.matrix.len()).map(move |cell| (one, cell)));
    let blocks: Vec<&Block> = rows().map(|(one, _)| one.block).collect();
    let texts = names(&blocks);
    let replicates: Vec<u32> = rows().map(|(one, cell)| one.matrix.readings(cell).len() as u32).collect();
    let dose = |drug: usize| rows().map(move |(one, cell)| one.matrix.doses(drug)[one.matrix.at(cell)[drug]]);
    let mut numbers = Numbers::default();
    numbers.add("dose_a_um", dose(0));
    numbers.add("dose_b_um", dose(1));
    numbers.add("inhibition", rows().map(|(one, cell)| one.scores.response[cell]));
    for (at, name) in models(scored).into_iter().enumerate() {
        let of = |list: fn(&ModelScores) -> &[f64]| {
            rows().map(move |(one, cell)| list(&one.scores.models[at])[cell])
        };
        numbers.add(format!("reference_{name}"), of(|model| &model.reference));
        numbers.add(format!("synergy_{name}"), of(|model| &model.score));
        numbers.add(format!("synergy_{name}_lower"), of(|model| &model.interval[0]));
        numbers.add(format!("synergy_{name}_upper"), of(|model| &model.interval[1]));
    }
    let mut table: Vec<(&str, OutputColumn)> =
        texts.iter().map(|(name, texts)| (*name, OutputColumn::Text(texts))).collect();
    table.push(("replicates", OutputColumn::U32(&replicates)));
    table.extend(numbers.borrowed());
    writer.write(&table)
}

fn write_summary(writer: &mut TableWriter, scored: &[Scored]) -> Result<()> {
    let blocks: Vec<&Block> = scored.iter().map(|one| one.block).collect();
    let texts = names(&blocks);
    let mut numbers = Numbers::default();
    type OfCurve = fn(&LogLogistic) -> f64;
    let curve: [(&str, OfCurve); 4] = [
        ("ec50_X_um", |curve| curve.ec50),
        ("hill_X", |curve| curve.hill),
        ("inhibition_X_low_dose", |curve| 100.0 * (1.0 - curve.top)),
        ("inhibition_X_high_dose", |curve| 100.0 * (1.0 - curve.bottom)),
    ];
    for (drug, letter) in [(0, "a"), (1, "b")] {
        for (name, of) in curve {
            let of = |one: &Scored| one.scores.alone[drug].as_ref().map_or(f64::NAN, of);
            numbers.add(name.replace('X', letter), scored.iter().map(of));
        }
    }
    for (at, name) in models(scored).into_iter().enumerate() {
        let summaries = || scored.iter().map(move |one| one.scores.models[at].summary);
        numbers.add(format!("synergy_{name}"), summaries().map(|summary| summary.mean));
        numbers.add(format!("cells_{name}"), summaries().map(|summary| summary.cells as f64));
        numbers.add(format!("synergy_{name}_lower"), summaries().map(|summary| summary.interval[0]));
        numbers.add(format!("synergy_{name}_upper"), summaries().map(|summary| summary.interval[1]));
        let windows = || summaries().map(|summary| summary.window);
        numbers.add(
            format!("window_{name}"),
            windows().map(|window| window.map_or(f64::NAN, |window| window.mean)),
        );
        type Doses = fn(Window) -> [f64; 2];
        let doses: [(&str, Doses); 2] = [("a", |window| window.doses_a), ("b", |window| window.doses_b)];
        for (drug, of) in doses {
            for (end, which) in [(0, "from"), (1, "to")] {
                let dose = windows().map(|window| window.map_or(f64::NAN, |window| of(window)[end]));
                numbers.add(format!("window_{name}_dose_{drug}_um_{which}"), dose);
            }
        }
    }
    let mut table: Vec<(&str, OutputColumn)> =
        texts.iter().map(|(name, texts)| (*name, OutputColumn::Text(texts))).collect();
    table.extend(numbers.borrowed());
    writer.write(&table)
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
        });
        if terminal.is_json() || first + at < PRINTED {
            terminal.result(
                "block",
                &facts,
                &format!("{}\n    {}", described(one.block), means(&one.scores)),
            )?;
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

fn conclude(args: &SynergyArgs, found: &Matrices, left: &LeftUnscored, terminal: Terminal) -> Result<()> {
    if args.out == Path::new("-") {
        return Ok(());
    }
    let blocks = found.blocks.len() - left.blocks.len();
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
        "out": args.out,
        "summary": args.summary,
        "html": args.pictures.html,
        "svg": args.pictures.svg,
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
