//! Reads response tables: single drugs or combinations, with names resolved and repeats merged.

use std::collections::BTreeMap;
use std::sync::Arc;

use halfmax_core::{Error, Result, Target, listed, nearest};

use crate::account::Account;
use crate::assign::no_column;
use crate::config::{Duplicates, TargetConfig};
use crate::fold_rows::{FoldSource, FoldsOfRows};
use crate::load::InputFile;
use crate::names::{CellLines, Identified};
use crate::observed::ObservedResponses;
use crate::pairs::{Member, Named, Pairs, RowsLeftOut};
use crate::report::{FileReport, FileShape, LeftOut, grouped, range_of};
use crate::roles::Role;
use crate::separating::Repeats;
use crate::table::{Labels, RawTable};
use crate::target::{Meaning, ResponseColumn, meaning};
use crate::units::{DoseFactors, split_unit};
use crate::wide::wide_responses;

/// The responses of one table, with names resolved and repeats merged.
#[derive(Clone, Debug)]
pub struct ResponseTable {
    /// The meaning of the response column.
    pub target: Target,
    /// One response per cell line and drug (or combination).
    pub observed: ObservedResponses,
    /// Whether the responses are to combinations of two drugs.
    pub combinations: bool,
    /// The names of the cell lines in the table.
    pub identified: Identified,
    /// Repeats of one response that the fold column puts in different folds, as sentences. The response gets the fold
    /// of most of its rows; the first fold in a tie.
    pub fold_conflicts: Vec<String>,
    /// The files that give the folds, for a manifest.
    pub fold_files: Vec<InputFile>,
    /// The tissues of cell lines by id, if the table has a column of tissues.
    pub tissues: BTreeMap<String, String>,
    /// The report on the file.
    pub report: FileReport,
    /// The responses that were left out.
    pub left_out: Vec<LeftOut>,
    /// Warnings.
    pub warnings: Vec<String>,
}

struct Places {
    cell_line: usize,
    /// One column, or two columns for a table of combinations.
    drugs: Vec<usize>,
    target: usize,
    fold: Option<usize>,
}

/// Reads a table of responses with one row per measurement. Columns are recognised by name and content (see
/// [`crate::Role`]). A table with columns for two drugs holds combinations. Both orders of a pair are the same
/// combination.
///
/// # Errors
/// If a required column is missing, a response is text or infinite, or repeats are refused.
pub fn read_responses(
    table: &RawTable,
    lines: &CellLines,
    target: &TargetConfig,
    given_folds: Option<FoldSource<'_>>,
) -> Result<ResponseTable> {
    let label = table.label();
    read_response_rows(table, lines, target, given_folds).map_err(|error| error.in_file(label))
}

fn read_response_rows(
    table: &RawTable,
    lines: &CellLines,
    target: &TargetConfig,
    given_folds: Option<FoldSource<'_>>,
) -> Result<ResponseTable> {
    let long = match wide_responses(table, lines)? {
        Some(wide) => {
            let said = target.column.clone().or_else(|| wide.quantity.clone());
            Some(wide.long(table, said.as_deref().unwrap_or("response"))?)
        }
        None => None,
    };
    let table = long.as_ref().unwrap_or(table);
    let fold_column = match given_folds {
        Some(FoldSource::Column(name)) => Some(name),
        _ => None,
    };
    let places = places(table, target, fold_column)?;
    let values = table.numbers(places.target, "a number")?;
    refuse_infinite(table, places.target, &values)?;
    let duplicates = target.duplicates;
    let mut folds = places.fold.map(|column| fold_numbers(table, column)).transpose()?;
    let (mut fold_files, mut fold_note) = (Vec::new(), None);
    if let Some(FoldSource::Rows(files)) = given_folds {
        if long.is_some() {
            return Err(Error::config(
                "split.rows is given, but a row of the responses holds several responses",
            )
            .with_help("set split.file to a table with the columns cell_line, drug and fold"));
        }
        let rows = FoldsOfRows::read(table, files)?;
        (folds, fold_files, fold_note) = (Some(rows.folds), rows.inputs, Some(rows.note));
    }
    let cell_labels = table.labels(places.cell_line)?;
    let cells = lines.identify(&cell_labels.names.iter().cloned().map(Some).collect::<Vec<_>>());
    let drugs: Vec<Arc<Labels>> =
        places.drugs.iter().map(|column| table.labels(*column)).collect::<Result<_>>()?;
    let response = ResponseColumn { table, column: places.target, drugs: &drugs };
    let Meaning { target, values, notes, warnings } = meaning(&response, values.to_vec(), target)?;
    let combinations = drugs.len() == 2;
    let pairs = Pairs::of(&cell_labels, &cells, &drugs, &values);
    let repeats = refuse_or_count_repeats(table, &pairs, duplicates)?;
    let pooled = Repeats {
        what: if combinations { "combinations in a cell line" } else { "pairs of a drug and a cell line" },
        groups: pairs.repeated().map(|(_, rows)| rows).collect(),
        used: &places.all(),
    }
    .check(table)?;
    let described = describing(table, combinations);
    let tested = described.doses.map(|doses| tested_doses(table, doses)).transpose()?;
    let tissues = described
        .tissue
        .map_or_else(|| Ok(BTreeMap::new()), |column| tissues_of(table, column, &cell_labels, &cells))?;
    let mut fold_conflicts = Vec::new();
    let mut observed = ObservedResponses::default();
    let count = pairs.len();
    observed.of_cell_line.reserve_exact(count);
    observed.of_drug.reserve_exact(count);
    observed.values.reserve_exact(count);
    for pair in pairs.iter() {
        let first = &pair[0];
        observed.of_cell_line.push(first.cell);
        observed.of_drug.push(first.drugs[0]);
        if combinations {
            observed.of_drug_b.push(first.drugs[1]);
        }
        observed.values.push(brought_together(pair, &values, duplicates));
        if let Some(folds) = &folds {
            // A row without a fold does not count.
            let of: Vec<(usize, usize)> =
                pair.iter().filter_map(|member| Some((member.row(), folds[member.row()]?))).collect();
            if let Some(other) = of.iter().find(|(_, fold)| *fold != of[0].1) {
                fold_conflicts.push(conflict(table, pairs.named(first), [of[0].0, other.0]));
            }
            observed.folds.get_or_insert_with(|| Vec::with_capacity(count)).push(most_frequent(&of));
        }
        if let Some(tested) = &tested {
            observed.tested.get_or_insert_with(|| Vec::with_capacity(count)).push(widest(pair, tested));
        }
    }
    let mut report = report_on(table, &values, &cells, observed.len());
    if !pairs.respelt.is_empty() {
        let spelt = pairs.respelt.iter().map(|(name, first)| format!("{name} = {first}"));
        report.notes.push(format!("spellings of one drug: {}", listed(&spelt.collect::<Vec<_>>(), 5)));
    }
    report.notes.extend(fold_note);
    report.notes.extend(notes);
    if repeats > 0 {
        let how = if duplicates == Duplicates::Median { "median" } else { "mean" };
        let what = if combinations { "combinations in a cell line" } else { "pairs" };
        report
            .notes
            .push(format!("{} {what} measured more than once: their {how} is used", grouped(repeats)));
    }
    report.notes.extend(pooled);
    report.notes.extend(judgements(table)?);
    report.notes.extend(table.notes());
    let roles = [places.roles(combinations), described.roles()].concat();
    report.columns_used = Some(Account::new(table, &roles));
    if described
        .doses
        .is_some_and(|doses| doses.iter().all(|column| split_unit(&table.names()[*column]).1.is_none()))
    {
        report.notes.push("the range of tested doses is assumed to be in µM".into());
    }
    (observed.cell_lines, observed.drugs) = (pairs.cells, pairs.drugs);
    let mut left_out = Vec::new();
    let RowsLeftOut { missing, unnamed, alone, single } = pairs.left_out;
    for (count, why) in [
        (missing, "the value is missing"),
        (unnamed, "the cell line or drug has no name, or the name could mean several cell lines"),
        (alone, "they combine a drug with itself"),
        (single, "the second drug is missing"),
    ] {
        if count > 0 {
            left_out.push(LeftOut { what: "responses".into(), why: why.into(), count, examples: Vec::new() });
        }
    }
    let warnings = warnings.iter().map(|warning| format!("{}: {warning}", table.label())).collect();
    let identified = Identified { ids: Vec::new(), ..cells };
    Ok(ResponseTable {
        target,
        observed,
        combinations,
        identified,
        fold_conflicts,
        fold_files,
        tissues,
        report,
        left_out,
        warnings,
    })
}

impl Places {
    /// All used columns.
    fn all(&self) -> Vec<usize> {
        let one = [self.cell_line, self.target];
        one.into_iter().chain(self.drugs.iter().copied()).chain(self.fold).collect()
    }

    /// The used columns with their roles.
    fn roles(&self, combinations: bool) -> Vec<(Role, usize)> {
        let drugs = if combinations { [Role::DrugA, Role::DrugB] } else { [Role::Drug, Role::Drug] };
        let response = if combinations { Role::Synergy } else { Role::Response };
        let first = [(Role::CellLine, self.cell_line)];
        let drugs = drugs.into_iter().zip(self.drugs.iter().copied());
        first
            .into_iter()
            .chain(drugs)
            .chain([(response, self.target)])
            .chain(self.fold.map(|fold| (Role::Fold, fold)))
            .collect()
    }
}

/// Columns that describe cell lines and curves and are not learnt.
struct Describing {
    tissue: Option<usize>,
    /// The lowest and the highest tested dose.
    doses: Option<[usize; 2]>,
}

impl Describing {
    fn roles(&self) -> Vec<(Role, usize)> {
        let doses = self.doses.map(|[low, high]| [(Role::LowestDose, low), (Role::HighestDose, high)]);
        self.tissue
            .map(|column| (Role::Tissue, column))
            .into_iter()
            .chain(doses.into_iter().flatten())
            .collect()
    }
}

fn describing(table: &RawTable, combinations: bool) -> Describing {
    let sure = |role: Role| table.role(role).filter(|_| table.has_surely(role));
    let number = |role: Role| sure(role).filter(|column| table.is_numeric(*column));
    let doses = number(Role::LowestDose).zip(number(Role::HighestDose)).map(|(low, high)| [low, high]);
    Describing { tissue: sure(Role::Tissue), doses: doses.filter(|_| !combinations) }
}

/// The lowest and the highest tested dose of each row, in µM.
fn tested_doses(table: &RawTable, columns: [usize; 2]) -> Result<Vec<Option<[f64; 2]>>> {
    let [low, high] = columns.map(|column| {
        let factors = DoseFactors::of(table, column, None, None)?;
        let doses = table.numbers(column, "a dose")?;
        Ok::<Vec<f64>, Error>(doses.iter().enumerate().map(|(row, dose)| dose * factors.at(row)).collect())
    });
    let range = |(low, high): (f64, f64)| (low <= high).then_some([low, high]);
    Ok(low?.into_iter().zip(high?).map(range).collect())
}

/// The widest range of doses of some rows.
fn widest(rows: &[Member], tested: &[Option<[f64; 2]>]) -> Option<[f64; 2]> {
    let own = rows.iter().filter_map(|member| tested[member.row()]);
    own.reduce(|[low, high], other| [low.min(other[0]), high.max(other[1])])
}

/// Notes on columns that judge the quality of rows, because they exclude no rows by default.
fn judgements(table: &RawTable) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    for column in (0..table.names().len()).filter(|column| !table.is_ignored(*column)) {
        let profile = table.profile(column);
        if !table.roles_of_column(column).contains(&Role::Quality) || !(2..=8).contains(&profile.distinct) {
            continue;
        }
        let labels = table.labels(column)?;
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        (0..table.rows())
            .filter_map(|row| labels.at(row))
            .for_each(|text| *counts.entry(text).or_default() += 1);
        let held: Vec<String> =
            counts.iter().map(|(text, count)| format!("{text} in {} rows", grouped(*count))).collect();
        let name = &table.names()[column];
        let most = counts.iter().max_by_key(|(_, count)| **count).map_or("", |(text, _)| *text);
        notes.push(format!(
            "{name} judges quality but excludes no rows: {}; to choose rows, set where = {{ {name:?} = {most:?} }}",
            listed(&held, 8)
        ));
    }
    Ok(notes)
}

/// Uninformative tissue labels.
const NO_TISSUE: [&str; 5] = ["unclassified", "unknown", "other", "unspecified", "notdefined"];

/// The tissues of cell lines in a column. The first label of a line counts.
fn tissues_of(
    table: &RawTable,
    column: usize,
    lines: &Labels,
    cells: &Identified,
) -> Result<BTreeMap<String, String>> {
    let labels = table.labels(column)?;
    let says_something = |label: &&String| !NO_TISSUE.contains(&crate::columns::plain(label).as_str());
    let words: Vec<Option<&String>> =
        labels.names.iter().map(|label| Some(label).filter(says_something)).collect();
    let mut tissues: Vec<Option<&String>> = vec![None; lines.names.len()];
    for (line, label) in lines.of_row.iter().zip(&labels.of_row) {
        if let (Some(tissue), Some(Some(word))) =
            (tissues.get_mut(*line as usize), words.get(*label as usize))
        {
            tissue.get_or_insert(word);
        }
    }
    let mut found = BTreeMap::new();
    for (id, tissue) in cells.ids.iter().zip(tissues) {
        if let (Some(id), Some(tissue)) = (id, tissue) {
            found.entry(id.clone()).or_insert_with(|| tissue.clone());
        }
    }
    Ok(found)
}

fn places(table: &RawTable, target: &TargetConfig, fold_column: Option<&str>) -> Result<Places> {
    let cell_line = table.require(Role::CellLine)?;
    let drugs = match (table.role(Role::DrugA), table.role(Role::DrugB), table.role(Role::Drug)) {
        (Some(first), Some(second), _) => vec![first, second],
        // The first drug of a combination may have the column name of a single drug.
        (None, Some(second), Some(first)) => vec![first, second],
        (_, None, Some(drug)) => vec![drug],
        (Some(_), None, None) => return Err(no_column(table, Role::DrugB)),
        (None, _, None) => return Err(no_column(table, Role::Drug)),
    };
    refuse_third_drug(table)?;
    let wanted = |name: &str, key: &str| {
        table.position_of(name).ok_or_else(|| {
            let found: Vec<&str> = table.names().iter().map(String::as_str).collect();
            Error::config(format!(
                "{key} = {name:?}: {} has no such column; it has {}",
                table.label(),
                listed(&found, 12)
            ))
            .with_help(meant(name, &found))
        })
    };
    let target = match &target.column {
        Some(name) => wanted(name, "target.column")?,
        None => target_column(table, drugs.len())?,
    };
    let fold = fold_column.map(|name| wanted(name, "split.column")).transpose()?;
    Ok(Places { cell_line, drugs, target, fold })
}

/// The column of responses. For combinations, a synergy column takes precedence.
fn target_column(table: &RawTable, drugs: usize) -> Result<usize> {
    let roles = if drugs == 2 { [Role::Synergy, Role::Response] } else { [Role::Response, Role::Synergy] };
    let first = table.role(roles[0]);
    let found = if drugs == 2 { first.or_else(|| table.role(roles[1])) } else { first };
    found.ok_or_else(|| {
        let error = no_column(table, roles[0]);
        error.with_help(format!(
            "name the column to predict: [target] column = \"COLUMN\"; recognised names are {} …",
            roles[0].spec().names.iter().take(8).copied().collect::<Vec<_>>().join(", ")
        ))
    })
}

/// Refuses a table of three drugs, whose rows would look like combinations of two drugs.
fn refuse_third_drug(table: &RawTable) -> Result<()> {
    let Some(column) = table.role(Role::DrugC) else { return Ok(()) };
    if table.labels(column)?.names.is_empty() {
        return Ok(());
    }
    let name = &table.names()[column];
    Err(Error::data(format!(
        "{}: column {name:?} holds third drugs, but responses to three drugs are not supported",
        table.label()
    ))
    .with_help(format!(
        "keep only the rows of two drugs, or ignore the column: columns = {{ ignore = [{name:?}] }}"
    )))
}

/// The help for an unknown column name: the nearest known name.
pub(crate) fn meant(name: &str, found: &[&str]) -> String {
    match nearest(name, found.iter().copied()) {
        Some(best) => format!("did you mean {best:?}?"),
        None => "use the name of an existing column".to_owned(),
    }
}

fn refuse_infinite(table: &RawTable, column: usize, values: &[f64]) -> Result<()> {
    match values.iter().position(|value| value.is_infinite()) {
        Some(at) => Err(table.bad_value(column, at, values[at], "a finite number")),
        None => Ok(()),
    }
}

/// A column of fold numbers; `None` for empty entries.
pub(crate) fn fold_numbers(table: &RawTable, column: usize) -> Result<Vec<Option<usize>>> {
    let expected = "a fold number (0, 1, 2, …)";
    let values = table.numbers(column, expected)?;
    let number = |(at, value): (usize, &f64)| match *value {
        value if value.is_nan() => Ok(None),
        value if (0.0..1e6).contains(&value) && value.fract() == 0.0 => Ok(Some(value as usize)),
        value => Err(table.bad_value(column, at, value, expected)),
    };
    values.iter().enumerate().map(number).collect()
}

fn refuse_or_count_repeats(table: &RawTable, pairs: &Pairs, duplicates: Duplicates) -> Result<usize> {
    let repeated: Vec<_> = pairs.repeated().collect();
    if repeated.is_empty() || duplicates != Duplicates::Error {
        return Ok(repeated.len());
    }
    let examples: Vec<String> = repeated
        .iter()
        .take(5)
        .map(|(named, rows)| {
            let rows: Vec<String> = rows.iter().map(|row| table.row_of(*row).to_string()).collect();
            format!("{named} (rows {})", listed(&rows, 3))
        })
        .collect();
    Err(Error::data(format!(
        "{}: {} pairs occur more than once, which target.duplicates = \"error\" refuses: {}",
        table.label(),
        repeated.len(),
        examples.join("; ")
    ))
    .with_help("set target.duplicates to \"mean\" or \"median\", or keep one row of each"))
}

/// The mean or median of some rows' values.
fn brought_together(rows: &[Member], values: &[f64], duplicates: Duplicates) -> f64 {
    if let [only] = rows {
        return values[only.row()];
    }
    let mut all: Vec<f64> = rows.iter().map(|member| values[member.row()]).collect();
    all.sort_by(f64::total_cmp);
    match duplicates {
        Duplicates::Median => (all[(all.len() - 1) / 2] + all[all.len() / 2]) / 2.0,
        Duplicates::Mean | Duplicates::Error => all.iter().sum::<f64>() / all.len() as f64,
    }
}

/// The most frequent fold of some (row, fold) pairs; the first fold in a tie.
fn most_frequent(folds: &[(usize, usize)]) -> Option<usize> {
    let count = |fold: usize| folds.iter().filter(|(_, other)| *other == fold).count();
    folds.iter().rev().max_by_key(|(_, fold)| count(*fold)).map(|(_, fold)| *fold)
}

fn conflict(table: &RawTable, named: Named<'_>, rows: [usize; 2]) -> String {
    let [first, second] = rows.map(|row| table.row_of(row));
    format!("{}: {named} is in different folds in rows {first} and {second}", table.label())
}

fn report_on(table: &RawTable, values: &[f64], cells: &Identified, matched: usize) -> FileReport {
    let missing = values.iter().filter(|value| value.is_nan()).count();
    let mut notes = Vec::new();
    if !cells.unknown.is_empty() {
        let unknown: Vec<&String> = cells.unknown.iter().collect();
        notes.push(format!(
            "cell lines without an annotation, used under their plain names: {} ({})",
            unknown.len(),
            listed(&unknown, 5)
        ));
    }
    notes.extend(cells.notes());
    FileReport {
        shape: FileShape::of(table, "responses"),
        matched,
        ambiguous: cells.ambiguous.keys().cloned().collect(),
        missing_share: missing as f64 / values.len().max(1) as f64,
        range: range_of(values.iter().copied()),
        notes,
        ..FileReport::default()
    }
}
