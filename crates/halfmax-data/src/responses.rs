use std::collections::{BTreeMap, HashMap};

use halfmax_core::{Error, Result, Target, listed};

use crate::columns;
use crate::config::{Duplicates, TargetConfig};
use crate::names::{CellLines, drug_key, no_column};
use crate::report::{FileReport, FileShape, LeftOut, grouped, range_of};
use crate::table::RawTable;
use crate::target::{Meaning, ResponseColumn, meaning};

/// The responses of one table, with names resolved and repeats brought together.
#[derive(Clone, Debug)]
pub struct ResponseTable {
    /// What the column that was read means.
    pub target: Target,
    /// One entry per cell line and drug (or combination), sorted by cell line, then drug.
    pub observed: Vec<Observed>,
    /// Whether the responses are to combinations of two drugs.
    pub combinations: bool,
    /// Repeats of one response that the fold column puts into different folds, as sentences. Their fold here is that of most of
    /// the rows, of as many the first.
    pub fold_conflicts: Vec<String>,
    /// What was found.
    pub report: FileReport,
    /// What was left out.
    pub left_out: Vec<LeftOut>,
    /// What may be wrong.
    pub warnings: Vec<String>,
}

/// One cell line's response to one drug, or to a combination of two.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The id of the cell line.
    pub cell_line: String,
    /// The drug, as first spelt in the table; of two the one whose name comes first.
    pub drug: String,
    /// The other drug of a combination.
    pub drug_b: Option<String>,
    /// The response, in the unit of its column.
    pub value: f64,
    /// The fold, where a fold column was asked for and has an entry.
    pub fold: Option<usize>,
}

struct Places {
    cell_line: usize,
    /// One column, or two of a table of combinations.
    drugs: Vec<usize>,
    target: usize,
    fold: Option<usize>,
}

/// Reads a table of responses with one row per measurement. Columns are recognised by name (see [`columns`]). A table with
/// columns for two drugs is one of combinations: both orders of a pair are the same combination.
///
/// # Errors
/// If a needed column is not there, a response is text or infinite, or repeats are refused.
pub fn read_responses(
    table: &RawTable,
    lines: &CellLines,
    target: &TargetConfig,
    fold_column: Option<&str>,
) -> Result<ResponseTable> {
    let places = places(table, target, fold_column)?;
    let values = table.numbers(places.target, "a number")?;
    refuse_infinite(table, places.target, &values)?;
    let duplicates = target.duplicates;
    let folds = places.fold.map(|column| fold_numbers(table, column)).transpose()?;
    let cells = lines.identify(&table.texts(places.cell_line)?);
    let drugs: Vec<Vec<Option<String>>> =
        places.drugs.iter().map(|column| table.texts(*column)).collect::<Result<_>>()?;
    let response = ResponseColumn { table, column: places.target, drugs: &drugs };
    let Meaning { target, values, notes, warnings } = meaning(&response, values, target)?;
    let combinations = drugs.len() == 2;
    let mut spelling: HashMap<String, String> = HashMap::new();
    let mut grouped_rows: RowsOfPairs = BTreeMap::new();
    let (mut missing, mut unnamed, mut alone) = (0, 0, 0);
    for (row, value) in values.iter().enumerate() {
        let named: Option<Vec<&String>> = drugs.iter().map(|names| names[row].as_ref()).collect();
        let (Some(cell), Some(named)) = (&cells.ids[row], named) else {
            unnamed += 1;
            continue;
        };
        if value.is_nan() {
            missing += 1;
            continue;
        }
        let spelt =
            |name: &&String| spelling.entry(drug_key(name)).or_insert_with(|| (*name).clone()).clone();
        let mut members: Vec<String> = named.iter().map(spelt).collect();
        members.sort_unstable();
        if combinations && members[0] == members[1] {
            alone += 1;
            continue;
        }
        grouped_rows.entry((cell.clone(), members)).or_default().push(row);
    }
    let repeats = refuse_or_count_repeats(table, &grouped_rows, duplicates)?;
    let mut fold_conflicts = Vec::new();
    let observed: Vec<Observed> = grouped_rows
        .into_iter()
        .map(|(named, rows)| {
            let value = brought_together(&rows, &values, duplicates);
            // A row without a fold says nothing of it.
            let of = folds.as_deref().into_iter();
            let of: Vec<(usize, usize)> =
                of.flat_map(|folds| rows.iter().filter_map(|row| Some((*row, folds[*row]?)))).collect();
            if let Some(other) = of.iter().find(|(_, fold)| *fold != of[0].1) {
                fold_conflicts.push(conflict(table, &named, [of[0].0, other.0]));
            }
            let (cell_line, mut drugs) = (named.0, named.1.into_iter());
            let (drug, drug_b) = (drugs.next().unwrap_or_default(), drugs.next());
            Observed { cell_line, drug, drug_b, value, fold: most_frequent(&of) }
        })
        .collect();
    let mut report = report_on(table, &values, &cells, observed.len());
    report.notes.extend(notes);
    if repeats > 0 {
        let how = if duplicates == Duplicates::Median { "median" } else { "mean" };
        let what = if combinations { "combinations in a cell line" } else { "pairs" };
        report
            .notes
            .push(format!("{} {what} measured more than once: their {how} is used", grouped(repeats)));
    }
    let mut left_out = Vec::new();
    for (count, why) in [
        (missing, "the value is missing"),
        (unnamed, "the cell line or drug is not named, or the name could mean several cell lines"),
        (alone, "they combine a drug with itself"),
    ] {
        if count > 0 {
            left_out.push(LeftOut { what: "responses".into(), why: why.into(), count, examples: Vec::new() });
        }
    }
    let warnings = warnings.iter().map(|warning| format!("{}: {warning}", table.label())).collect();
    Ok(ResponseTable { target, observed, combinations, fold_conflicts, report, left_out, warnings })
}

fn places(table: &RawTable, target: &TargetConfig, fold_column: Option<&str>) -> Result<Places> {
    let Some(cell_line) = table.find(&columns::CELL_LINE) else {
        return Err(no_column(table, "of cell lines", &columns::CELL_LINE[..8]));
    };
    let drugs = match (table.find(&columns::DRUG_A), table.find(&columns::DRUG_B), table.find(&columns::DRUG))
    {
        (Some(first), Some(second), _) => vec![first, second],
        // The first drug of a combination may be called as a single one is.
        (None, Some(second), Some(first)) => vec![first, second],
        (_, None, Some(drug)) => vec![drug],
        (Some(_), None, None) => return Err(no_column(table, "of second drugs", &columns::DRUG_B)),
        (None, _, None) => return Err(no_column(table, "of drugs", &columns::DRUG)),
    };
    let wanted = |name: &str, key: &str| {
        table.names().iter().position(|other| other == name).or_else(|| table.find(&[name])).ok_or_else(
            || {
                let found: Vec<&str> = table.names().iter().map(String::as_str).collect();
                Error::config(format!(
                    "{key} = {name:?}: {} has no such column, only {}",
                    table.label(),
                    listed(&found, 12)
                ))
                .help(nearest(name, &found))
            },
        )
    };
    let target = match &target.column {
        Some(name) => wanted(name, "target.column")?,
        None => {
            let names: &[&str] = if drugs.len() == 2 { &columns::SYNERGY } else { &columns::RESPONSE };
            table.find(names).ok_or_else(|| no_column(table, "of responses", names))?
        }
    };
    let fold = fold_column.map(|name| wanted(name, "split.column")).transpose()?;
    Ok(Places { cell_line, drugs, target, fold })
}

pub(crate) fn nearest(name: &str, found: &[&str]) -> String {
    let score =
        |other: &&&str| (1000.0 * strsim::jaro_winkler(&name.to_lowercase(), &other.to_lowercase())) as u32;
    match found.iter().max_by_key(score) {
        Some(best) if score(&best) > 700 => format!("did you mean {best:?}?"),
        _ => "give the name of a column that is there".to_owned(),
    }
}

fn refuse_infinite(table: &RawTable, column: usize, values: &[f64]) -> Result<()> {
    match values.iter().position(|value| value.is_infinite()) {
        Some(at) => Err(table.bad_value(column, at, values[at], "a finite number")),
        None => Ok(()),
    }
}

/// A column of fold numbers; `None` where there is no entry.
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

/// Rows by cell line and drugs.
type RowsOfPairs = BTreeMap<(String, Vec<String>), Vec<usize>>;

fn refuse_or_count_repeats(table: &RawTable, pairs: &RowsOfPairs, duplicates: Duplicates) -> Result<usize> {
    let repeated: Vec<_> = pairs.iter().filter(|(_, rows)| rows.len() > 1).collect();
    if repeated.is_empty() || duplicates != Duplicates::Error {
        return Ok(repeated.len());
    }
    let examples: Vec<String> = repeated
        .iter()
        .take(5)
        .map(|((cell, drugs), rows)| {
            let drug = drugs.join(" + ");
            let rows: Vec<String> = rows.iter().map(|row| table.row_of(*row).to_string()).collect();
            format!("{cell} with {drug} (rows {})", listed(&rows, 3))
        })
        .collect();
    Err(Error::data(format!(
        "{}: {} pairs occur more than once, which target.duplicates = \"error\" refuses: {}",
        table.label(),
        repeated.len(),
        examples.join("; ")
    ))
    .help("set target.duplicates to \"mean\" or \"median\", or keep one row of each"))
}

/// The mean or median of some rows' values.
fn brought_together(rows: &[usize], values: &[f64], duplicates: Duplicates) -> f64 {
    let mut all: Vec<f64> = rows.iter().map(|row| values[*row]).collect();
    all.sort_by(f64::total_cmp);
    match duplicates {
        Duplicates::Median => (all[(all.len() - 1) / 2] + all[all.len() / 2]) / 2.0,
        Duplicates::Mean | Duplicates::Error => all.iter().sum::<f64>() / all.len() as f64,
    }
}

/// The fold of most of some (row, fold); of as many, the first.
fn most_frequent(folds: &[(usize, usize)]) -> Option<usize> {
    let count = |fold: usize| folds.iter().filter(|(_, other)| *other == fold).count();
    folds.iter().rev().max_by_key(|(_, fold)| count(*fold)).map(|(_, fold)| *fold)
}

fn conflict(table: &RawTable, (cell_line, drugs): &(String, Vec<String>), rows: [usize; 2]) -> String {
    let [first, second] = rows.map(|row| table.row_of(row));
    let drugs = drugs.join(" + ");
    format!("{}: {cell_line} with {drugs} is in different folds in rows {first} and {second}", table.label())
}

fn report_on(
    table: &RawTable,
    values: &[f64],
    cells: &crate::names::Identified,
    matched: usize,
) -> FileReport {
    let missing = values.iter().filter(|value| value.is_nan()).count();
    let mut notes = Vec::new();
    if !cells.unknown.is_empty() {
        let unknown: Vec<&String> = cells.unknown.iter().collect();
        notes.push(format!(
            "cell lines that no annotation knows, used under their plain names: {} ({})",
            unknown.len(),
            listed(&unknown, 5)
        ));
    }
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
