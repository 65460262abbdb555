use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::path::Path;

use halfmax_core::{Result, listed};
use serde::Serialize;

use crate::columns;
use crate::config::CellKind;
use crate::features::{Layout, at_the_floor, layout, read_cell_features, varying};
use crate::names::{CellLines, drug_key};
use crate::readings::unit_of;
use crate::report::{FileShape, grouped, range_of};
use crate::table::{RawTable, read_table};
use crate::target::doubts;

/// What a file looks like.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Inspection {
    /// What it is taken for.
    #[serde(flatten)]
    pub shape: FileShape,
    /// Different cell lines that are known by name.
    pub cell_lines_known: usize,
    /// Names of cell lines that are not known.
    pub cell_lines_unknown: Vec<String>,
    /// Different drugs.
    pub drugs: usize,
    /// The share of values that are missing, 0 to 1.
    pub missing_share: f64,
    /// For tables of responses, the range of each column of numbers; for features, of all values.
    pub ranges: BTreeMap<String, [f64; 2]>,
    /// What looks wrong.
    pub problems: Vec<String>,
}

/// Looks at a file and says what it is taken for and what looks wrong.
///
/// # Errors
/// If the file cannot be read as a table at all.
pub fn inspect(path: impl AsRef<Path>) -> Result<Inspection> {
    let table = read_table(path)?;
    let lines = CellLines::embedded()?;
    let mut found = Inspection { shape: FileShape::of(&table, role(&table)), ..Inspection::default() };
    match cell_kind(&table).filter(|kind| kind.name() == found.shape.role) {
        Some(kind) => look_at_features(&table, kind, &lines, &mut found)?,
        None => look_at_columns(&table, &lines, &mut found)?,
    }
    Ok(found)
}

fn role(table: &RawTable) -> &'static str {
    let has = |names: &[&str]| table.find(names).is_some();
    let pair = has(&columns::DRUG_A) && has(&columns::DRUG_B);
    match (has(&columns::CELL_LINE), has(&columns::DRUG)) {
        _ if pair && has(&columns::DOSE_A) && has(&columns::DOSE_B) => "dose matrices",
        _ if pair => "combinations",
        (true, true) if has(&columns::DOSE) && has(&columns::READING) => "readings",
        (true, true) if has(&columns::RESPONSE) => "responses",
        (cell, drug) if (cell || drug) && has(&columns::FOLD) && table.names().len() <= 5 => "folds",
        (false, true) if has(&columns::SMILES) || has(&columns::TARGETS) => "drugs",
        _ => cell_kind(table).map_or("unknown", CellKind::name),
    }
}

/// What kind of cell-line features a table holds, judged from its column names and values.
pub(crate) fn cell_kind(table: &RawTable) -> Option<CellKind> {
    let names = table.names();
    let events = |name: &String| name.ends_with("_mut") || name.ends_with("_FACTOR") || name.contains("_cna");
    if names.iter().any(events) {
        return Some(CellKind::Events);
    }
    let features: Vec<usize> =
        (1..names.len()).filter(|column| !columns::is_cell_line(&names[*column])).collect();
    if features.is_empty() || table.find(&columns::DRUG).is_some() {
        return None;
    }
    let texts = features.iter().filter(|column| table.is_text(**column)).count();
    if texts == features.len() {
        return table.find(&columns::CELL_LINE).map(|_| CellKind::Category);
    }
    if texts > 0 {
        return None;
    }
    let all = features.iter().take(200).filter_map(|column| table.numbers(*column, "a number").ok());
    let mut kind = CellKind::Mutation;
    for value in all.flatten().filter(|value| !value.is_nan()) {
        match value {
            value if value == 0.0 || value == 1.0 => {}
            value if value.fract() == 0.0 && (-2.0..=8.0).contains(&value) => kind = CellKind::CopyNumber,
            _ => return Some(CellKind::Expression),
        }
    }
    Some(kind)
}

fn look_at_features(
    table: &RawTable,
    kind: CellKind,
    lines: &CellLines,
    found: &mut Inspection,
) -> Result<()> {
    let layout = layout(table, lines, &HashSet::new())?;
    found.shape.orientation = Some(layout.name().to_owned());
    let names = match layout {
        Layout::CellsInRows { key } => table.texts(key)?,
        Layout::CellsInColumns { .. } => table.names()[1..].iter().cloned().map(Some).collect(),
    };
    look_at_cell_lines(&names, lines, found);
    let part = match read_cell_features(table, kind, lines, &HashSet::new()) {
        Ok(part) => part,
        Err(error) => {
            found.problems.push(error.to_string());
            return Ok(());
        }
    };
    found.missing_share = part.report.missing_share;
    found.problems.extend(part.report.notes);
    if let Some(range) = part.report.range {
        found.ranges.insert("values".into(), range);
    }
    for block in &part.blocks {
        let varying: HashSet<usize> = varying(block).into_iter().collect();
        let constant: Vec<&String> = (0..block.len())
            .filter(|column| !varying.contains(column))
            .map(|column| &block.names[column])
            .collect();
        if !constant.is_empty() && block.entities() > 1 {
            found.problems.push(format!(
                "{} columns hold one value only: {} ({})",
                block.kind,
                grouped(constant.len()),
                listed(&constant, 5)
            ));
        }
        let floor = at_the_floor(block);
        if floor > 0 {
            found.problems.push(format!(
                "{} features are at the lowest value of every cell line: placeholders, not measurements",
                grouped(floor)
            ));
        }
    }
    Ok(())
}

fn look_at_cell_lines(names: &[Option<String>], lines: &CellLines, found: &mut Inspection) {
    let identified = lines.identify(names);
    found.cell_lines_known = identified.known;
    found.cell_lines_unknown = identified.unknown.into_iter().collect();
    for (name, meant) in identified.ambiguous {
        found.problems.push(format!("the cell line {name} could be {}", meant.join(" or ")));
    }
}

fn look_at_columns(table: &RawTable, lines: &CellLines, found: &mut Inspection) -> Result<()> {
    let cell = table.find(&columns::CELL_LINE);
    let drug = table.find(&columns::DRUG).or_else(|| table.find(&columns::DRUG_A));
    if let Some(column) = cell {
        look_at_cell_lines(&table.texts(column)?, lines, found);
    }
    let mut drugs = BTreeSet::new();
    for column in drug.into_iter().chain(table.find(&columns::DRUG_B)) {
        drugs.extend(table.texts(column)?.iter().flatten().map(|name| drug_key(name)));
    }
    found.drugs = drugs.len();
    if let ("readings" | "dose matrices", Some(column)) =
        (found.shape.role.as_str(), table.find(&columns::READING))
        && let Err(error) = unit_of(table, column, &table.numbers(column, "a number")?, None)
    {
        let help = error.advice().map(|help| format!("; {help}")).unwrap_or_default();
        found.problems.push(format!("{error}{help}"));
    }
    let mut missing = 0;
    let mut constant = Vec::new();
    for column in 0..table.names().len() {
        let name = &table.names()[column];
        if columns::is_identifier(name) || table.is_text(column) {
            missing += table.texts(column)?.iter().filter(|text| text.is_none()).count();
            continue;
        }
        let values = table.numbers(column, "a number")?;
        missing += values.iter().filter(|value| value.is_nan()).count();
        if let Some(range) = range_of(values.iter().copied()) {
            found.ranges.insert(name.clone(), range);
        }
        if let Some(at) = values.iter().position(|value| value.is_infinite()) {
            found.problems.push(format!("column {name}, row {}: {}", table.row_of(at), values[at]));
        }
        if range_of(values.iter().copied()).is_none_or(|[low, high]| low == high) {
            constant.push(name.as_str());
        } else {
            found.problems.extend(doubts(table, column, &values));
        }
    }
    if !constant.is_empty() && table.rows() > 1 {
        found.problems.push(format!(
            "columns that hold one value only: {} ({})",
            grouped(constant.len()),
            listed(&constant, 5)
        ));
    }
    found.missing_share = missing as f64 / (table.rows() * table.names().len()).max(1) as f64;
    look_for_repeats(table, cell, drug, found)
}

fn look_for_repeats(
    table: &RawTable,
    cell: Option<usize>,
    drug: Option<usize>,
    found: &mut Inspection,
) -> Result<()> {
    let keys: Vec<usize> = cell.into_iter().chain(drug).chain(table.find(&columns::DRUG_B)).collect();
    if keys.is_empty() {
        found.problems.push("no column of cell lines or drugs is recognised".into());
        return Ok(());
    }
    let columns: Vec<_> = keys.iter().map(|column| table.texts(*column)).collect::<Result<_>>()?;
    let mut seen = HashSet::new();
    let mut repeated = Vec::new();
    for row in 0..table.rows() {
        let key: Vec<&Option<String>> = columns.iter().map(|column| &column[row]).collect();
        let text: Vec<&str> = key.iter().map(|text| text.as_deref().unwrap_or("?")).collect();
        if !seen.insert(key) {
            repeated.push(text.join(" with "));
        }
    }
    if !repeated.is_empty()
        && matches!(found.shape.role.as_str(), "responses" | "folds" | "drugs" | "combinations")
    {
        found.problems.push(format!(
            "{} rows repeat an earlier one's names ({})",
            grouped(repeated.len()),
            listed(&repeated, 3)
        ));
    }
    Ok(())
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.shape)?;
        let unknown = &self.cell_lines_unknown;
        if self.cell_lines_known + unknown.len() > 0 {
            write!(f, "\n    cell lines: {} known", grouped(self.cell_lines_known))?;
            if !unknown.is_empty() {
                write!(f, ", {} not ({})", grouped(unknown.len()), listed(unknown, 5))?;
            }
        }
        if self.drugs > 0 {
            write!(f, "\n    drugs: {}", grouped(self.drugs))?;
        }
        write!(f, "\n    missing: {:.1} %", 100.0 * self.missing_share)?;
        for (name, [low, high]) in &self.ranges {
            write!(f, "\n    {name}: {low:.3} to {high:.3}")?;
        }
        self.problems.iter().try_for_each(|problem| write!(f, "\n    look: {problem}"))
    }
}
