use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use halfmax_core::{
    EntityTable, Error, FittedModel, Parts, Progress, Query, Responses, Result, Tuples, listed,
};
use halfmax_data::{
    CellLines, ScoreBlock, ScoreWriter, TargetConfig, drug_key, read_cells_for_scoring, read_drugs,
    read_model, read_responses, read_table,
};
use halfmax_eval::Widths;
use halfmax_kernel::Applicability;
use serde_json::json;

use crate::Global;
use crate::commands::train::{APPLICABILITY, ModelFacts};
use crate::registry;
use crate::terminal::Terminal;

/// Pairs that are scored at a time: bounds memory whatever the number of pairs is.
const AT_A_TIME: usize = 1 << 19;

/// Score cell lines and drugs with a trained model.
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
    /// Measured responses (columns cell_line, drug and the target's) that predictions are to take into account, repeated ones
    /// averaged. Family "kernel" takes those of new cell lines if its split held out cell lines, and of new drugs if it held
    /// out drugs; family "completion" both.
    #[arg(long, value_name = "FILE")]
    responses: Option<PathBuf>,
    /// Keep only the drugs that each cell line is predicted to be most sensitive to.
    #[arg(long, value_name = "K")]
    top: Option<usize>,
    /// The file to write: .parquet, .csv or .ndjson; - for standard output.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `halfmax score`.
pub fn score(args: &ScoreArgs, _global: &Global, terminal: Terminal) -> Result<()> {
    if args.top == Some(0) {
        return Err(Error::parameter("--top", 0, "at least 1"));
    }
    let Trained { fitted, facts, applicability } = Trained::read(&args.model)?;
    if facts.combinations {
        return Err(Error::config(format!(
            "{}: predicts combinations of two drugs, which this command does not score yet",
            args.model.display()
        ))
        .help("give a model of single drugs; `halfmax evaluate` writes predictions for combinations"));
    }
    let files: Vec<_> = args.cells.iter().map(|path| (path.as_path(), None)).collect();
    let (cells, reports) = read_cells_for_scoring(&files)?;
    reports.iter().for_each(|report| terminal.note(&report.to_string()));
    let space = fitted.space(1);
    let (drugs, report) = read_drugs(&args.drugs, &facts.drug_features, Some(&space))?;
    terminal.note(&report.to_string());
    let fitted = match &args.responses {
        None => fitted,
        Some(path) => informed(&*fitted, &facts, path, [&cells, &drugs], terminal)?,
    };
    let scoring = Scoring::new(&*fitted, &facts, applicability.as_ref(), &cells, &drugs)?;
    for (share, table) in scoring.shares.iter().zip([&cells, &drugs]) {
        if *share < 1.0 {
            terminal.note(&format!(
                "the {} file has {:.0} % of the model's features",
                table.sort(),
                100.0 * share
            ));
        }
    }
    let mut writer = ScoreWriter::create(&args.out, &facts.target)?;
    let written = match &args.pairs {
        Some(pairs) => scoring.listed(pairs, &mut writer, terminal)?,
        None => scoring.grid(args.top, &mut writer, &terminal.progress("scoring"))?,
    };
    writer.finish()?;
    if args.out != Path::new("-") {
        let summary = json!({"scores": written, "out": args.out, "feature_share": scoring.shares});
        terminal.result(
            "scores",
            &summary,
            &format!("{written} scores written to {}", args.out.display()),
        )?;
    }
    Ok(())
}

/// A model file, taken apart.
struct Trained {
    fitted: Box<dyn FittedModel>,
    facts: ModelFacts,
    /// None in a file of a version that did not have it.
    applicability: Option<Applicability>,
}

impl Trained {
    fn read(path: &Path) -> Result<Self> {
        let (header, mut parts) = read_model(path)?;
        let place = path.display();
        let facts: ModelFacts = serde_json::from_value(header.meta).map_err(|error| {
            Error::data(format!("{place}: its description is not understood")).because(error)
        })?;
        if let Some(intervals) = &facts.intervals {
            intervals.check().map_err(|error| error.at(&place))?;
        }
        let mut domain = Parts { description: facts.applicability.clone(), ..Parts::default() };
        let names: Vec<String> = parts.tensors.keys().cloned().collect();
        for name in names {
            if let Some(own) = name.strip_prefix(APPLICABILITY)
                && let Some(tensor) = parts.tensors.remove(&name)
            {
                domain.tensors.insert(own.to_owned(), tensor);
            }
        }
        let fitted = registry::fitted(&header.family, &parts).map_err(|error| error.at(&place))?;
        let applicability = match domain.description.is_null() {
            true => None,
            false => Some(Applicability::from_parts(&domain).map_err(|error| error.at(&place))?),
        };
        Ok(Self { fitted, facts, applicability })
    }
}

/// The model that also knows the responses of a file.
fn informed(
    fitted: &dyn FittedModel,
    facts: &ModelFacts,
    path: &Path,
    [cells, drugs]: [&EntityTable; 2],
    terminal: Terminal,
) -> Result<Box<dyn FittedModel>> {
    let place = path.display();
    let table = read_table(path)?;
    if table.find(&[facts.target.as_str()]).is_none() {
        let error = format!("{place}: has no column {}, which is what the model predicts", facts.target);
        return Err(Error::data(error).help(format!("it has the columns {}", listed(table.names(), 8))));
    }
    let target = TargetConfig { column: Some(facts.target.clone()), ..TargetConfig::default() };
    let found = read_responses(&table, &CellLines::embedded()?, &target, None)?;
    let by_key: BTreeMap<String, u32> = drugs.ids().iter().map(|id| drug_key(id)).zip(0..).collect();
    let (mut sides, mut values) = (vec![Vec::new(), Vec::new()], Vec::new());
    for one in &found.observed {
        let drug = by_key.get(&drug_key(&one.drug));
        if let (Some(cell), Some(drug)) = (cells.position(&one.cell_line), drug) {
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

/// A model with the entities to score.
struct Scoring<'a> {
    fitted: &'a dyn FittedModel,
    cells: &'a EntityTable,
    drugs: &'a EntityTable,
    /// The percentiles of the training responses of each drug; empty for a drug that was not trained on.
    percentiles: Vec<&'a [f32]>,
    /// The share of the model's features that the cell lines and the drugs have.
    shares: Vec<f64>,
    /// How close the cell lines and the drugs are to those of the training, where the model knows.
    closeness: Option<[Vec<f32>; 2]>,
    /// How wide intervals are, where the model has them.
    widths: Option<Widths>,
    /// Whether the prediction is the natural logarithm of an IC50 in µM.
    ln_ic50: bool,
}

impl<'a> Scoring<'a> {
    fn new(
        fitted: &'a dyn FittedModel,
        facts: &'a ModelFacts,
        applicability: Option<&Applicability>,
        cells: &'a EntityTable,
        drugs: &'a EntityTable,
    ) -> Result<Self> {
        let query = Query { tables: &[cells, drugs], tuples: Tuples::Listed(&[&[], &[]]) };
        let shares = fitted.feature_share(&query)?;
        let known: BTreeMap<String, &Vec<f32>> =
            facts.percentiles.iter().map(|(drug, values)| (drug_key(drug), values)).collect();
        let of = |drug: &String| known.get(&drug_key(drug)).map_or(&[][..], |values| values.as_slice());
        Ok(Self {
            fitted,
            cells,
            drugs,
            percentiles: drugs.ids().iter().map(of).collect(),
            shares,
            closeness: applicability
                .map(|known| Ok::<_, Error>([known.closeness(0, cells)?, known.closeness(1, drugs)?]))
                .transpose()?,
            widths: facts.intervals.as_ref().map(|own| own.widths(&[cells, drugs])).transpose()?,
            ln_ic50: facts.target.eq_ignore_ascii_case("LN_IC50"),
        })
    }

    /// Scores every cell line with every drug, some cell lines at a time.
    fn grid(&self, top: Option<usize>, writer: &mut ScoreWriter, progress: &dyn Progress) -> Result<usize> {
        let columns: Vec<u32> = (0..self.drugs.len() as u32).collect();
        let rows: Vec<u32> = (0..self.cells.len() as u32).collect();
        let at_a_time = (AT_A_TIME / columns.len().max(1)).max(1);
        let tables = [self.cells, self.drugs];
        let grid = self.fitted.prepare(&tables, &columns)?;
        let mut written = 0;
        for (block, rows_here) in rows.chunks(at_a_time).enumerate() {
            progress.check()?;
            let scores = grid.scores(rows_here)?;
            let (mut row_of, mut column_of, mut predicted) = (Vec::new(), Vec::new(), Vec::new());
            for (row, scores) in rows_here.iter().zip(scores.chunks(columns.len().max(1))) {
                let chosen = match top {
                    Some(top) => &most_sensitive(scores, top),
                    None => &columns,
                };
                row_of.extend(std::iter::repeat_n(*row, chosen.len()));
                column_of.extend(chosen);
                predicted.extend(chosen.iter().map(|drug| scores[*drug as usize]));
            }
            written += self.write(writer, &row_of, &column_of, &predicted)?;
            progress.step(((block + 1) * at_a_time).min(rows.len()), rows.len());
        }
        Ok(written)
    }

    /// Scores the pairs of a file.
    fn listed(&self, path: &Path, writer: &mut ScoreWriter, terminal: Terminal) -> Result<usize> {
        let (rows, columns) = self.read_pairs(path, terminal)?;
        let mut written = 0;
        for (rows, columns) in rows.chunks(AT_A_TIME).zip(columns.chunks(AT_A_TIME)) {
            let predicted = self.predict(Tuples::Listed(&[rows, columns]))?;
            written += self.write(writer, rows, columns, &predicted)?;
        }
        Ok(written)
    }

    fn predict(&self, tuples: Tuples) -> Result<Vec<f32>> {
        self.fitted.predict(&Query { tables: &[self.cells, self.drugs], tuples })
    }

    fn read_pairs(&self, path: &Path, terminal: Terminal) -> Result<(Vec<u32>, Vec<u32>)> {
        let table = read_table(path)?;
        let column = |names: &[&str]| {
            table.find(names).ok_or_else(|| {
                Error::data(format!("{}: has no column {}", path.display(), names[0])).help(format!(
                    "it has the columns {}; expected cell_line and drug",
                    listed(table.names(), 8)
                ))
            })
        };
        let cell_names = table.texts(column(&["cell_line", "CELL_LINE_NAME"])?)?;
        let drug_names = table.texts(column(&["drug", "DRUG_NAME"])?)?;
        let cell_ids = CellLines::embedded()?.identify(&cell_names).ids;
        let by_key: BTreeMap<String, u32> = self.drugs.ids().iter().map(|id| drug_key(id)).zip(0..).collect();
        let (mut rows, mut columns, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for (at, (cell, drug)) in cell_ids.iter().zip(&drug_names).enumerate() {
            let row = cell.as_ref().and_then(|id| self.cells.position(id));
            let place = drug.as_ref().and_then(|drug| by_key.get(&drug_key(drug)));
            match (row, place) {
                (Some(row), Some(drug)) => {
                    rows.push(row as u32);
                    columns.push(*drug);
                }
                _ => unknown.push(format!(
                    "row {} ({} with {})",
                    table.row_of(at),
                    cell_names[at].as_deref().unwrap_or("no name"),
                    drug.as_deref().unwrap_or("no name")
                )),
            }
        }
        if rows.is_empty() {
            return Err(Error::data(format!(
                "{}: no pair names both a cell line and a drug of the files given; the first are {}",
                path.display(),
                listed(&unknown, 3)
            )));
        }
        if !unknown.is_empty() {
            terminal.note(&format!(
                "{}: {} pairs name a cell line or drug that the files lack: {}",
                path.display(),
                unknown.len(),
                listed(&unknown, 5)
            ));
        }
        Ok((rows, columns))
    }

    fn write(
        &self,
        writer: &mut ScoreWriter,
        rows: &[u32],
        columns: &[u32],
        predicted: &[f32],
    ) -> Result<usize> {
        let name = |table: &'a EntityTable, at: &u32| table.ids()[*at as usize].as_str();
        let cell_lines: Vec<&str> = rows.iter().map(|row| name(self.cells, row)).collect();
        let drugs: Vec<&str> = columns.iter().map(|column| name(self.drugs, column)).collect();
        let ic50: Option<Vec<f32>> =
            self.ln_ic50.then(|| predicted.iter().map(|ln| f64::from(*ln).exp() as f32).collect());
        let percentile: Vec<Option<f32>> = columns
            .iter()
            .zip(predicted)
            .map(|(drug, value)| percentile(self.percentiles[*drug as usize], *value))
            .collect();
        let pairs = || rows.iter().zip(columns);
        let in_domain: Option<Vec<f32>> = self.closeness.as_ref().map(|[cells, drugs]| {
            pairs().map(|(row, column)| cells[*row as usize].min(drugs[*column as usize])).collect()
        });
        let spread = match &self.widths {
            Some(widths) if widths.uses_spread() => {
                let tuples = Tuples::Listed(&[rows, columns]);
                self.fitted.spread(&Query { tables: &[self.cells, self.drugs], tuples })?
            }
            _ => None,
        };
        let interval = self.widths.as_ref().map(|widths| {
            let half = |(at, (row, column)): (usize, (&u32, &u32))| {
                let spread = spread.as_ref().map(|spread| spread[at]);
                widths.half(&[*row, *column], spread).map_or(f32::NAN, |half| half as f32)
            };
            let halves: Vec<f32> = pairs().enumerate().map(half).collect();
            let ends = |sign: f32| predicted.iter().zip(&halves).map(|(p, half)| p + sign * half).collect();
            [ends(-1.0), ends(1.0)]
        });
        let interval: Option<&[Vec<f32>; 2]> = interval.as_ref();
        let block = ScoreBlock {
            cell_lines: &cell_lines,
            drugs: &drugs,
            predicted,
            interval: interval.map(|[lower, upper]| [lower.as_slice(), upper.as_slice()]),
            ic50_um: ic50.as_deref(),
            percentile: &percentile,
            in_domain: in_domain.as_deref(),
            feature_share: self.shares.iter().copied().fold(1.0, f64::min) as f32,
        };
        writer.write_block(&block)?;
        Ok(rows.len())
    }
}

/// The columns with the lowest scores, lowest first.
fn most_sensitive(scores: &[f32], top: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    let rank = |a: &u32, b: &u32| scores[*a as usize].total_cmp(&scores[*b as usize]).then(a.cmp(b));
    if top < order.len() {
        order.select_nth_unstable_by(top, rank);
        order.truncate(top);
    }
    order.sort_unstable_by(rank);
    order
}

/// The percentile, 0 to 100, of a value among a drug's training responses; none for a drug not trained on.
fn percentile(quantiles: &[f32], value: f32) -> Option<f32> {
    (!quantiles.is_empty()).then(|| {
        let below = quantiles.partition_point(|quantile| *quantile < value);
        below.min(100) as f32
    })
}
