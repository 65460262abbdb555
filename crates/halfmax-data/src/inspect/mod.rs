//! Inspection of a file: the tables it holds, the use of their columns, and possible problems.

mod recognise;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::path::Path;

use halfmax_core::{CellKind, Error, Result, listed};
use serde::Serialize;

use crate::account::Account;
use crate::config::TargetConfig;
use crate::feature_table::prepared;
use crate::features::{at_the_floor, cell_names, read_cell_features, varying};
use crate::file_spec::TableOptions;
use crate::folds::rows_not_folds;
use crate::genes::count_known_genes;
use crate::layouts::{Fit, Layout, Yields};
use crate::lists::Replicates;
use crate::names::{CellLines, drug_key};
use crate::open::{OpenOptions, parts_of, read_file, read_table_with};
use crate::orientation::{Known, orientation};
use crate::profile::{Content, IdKind};
use crate::readings::unit_of;
use crate::report::{FileShape, grouped, range_of};
use crate::responses::read_responses;
use crate::roles::Role;
use crate::scales::odd_lines;
use crate::table::RawTable;
use crate::target::doubts;
use crate::wide::Wide;
pub(crate) use recognise::cell_kind;
use recognise::{Taken, recognise, with_lines_called_drugs};

/// The result of inspecting a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Inspection {
    /// The recognised role and size.
    #[serde(flatten)]
    pub shape: FileShape,
    /// The sheet of the workbook or the file of the archive that holds the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// The number of distinct known cell lines.
    pub cell_lines_known: usize,
    /// Names of unknown cell lines.
    pub cell_lines_unknown: Vec<String>,
    /// The number of distinct drugs.
    pub drugs: usize,
    /// The share of values that are missing, 0 to 1.
    pub missing_share: f64,
    /// For tables of responses, the range of each numeric column; for features, the range of all values.
    pub ranges: BTreeMap<String, [f64; 2]>,
    /// The use of each column; `None` for a matrix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns_used: Option<Account>,
    /// Decisions made on opening the file, and, for an unrecognised file, what it lacks.
    pub notes: Vec<String>,
    /// Possible problems.
    pub problems: Vec<String>,
}

/// Inspects a file: the role of each table, the use of its columns, and possible problems. A workbook or an archive may
/// hold several tables.
///
/// # Errors
/// If the file cannot be read as a table at all.
pub fn inspect(path: impl AsRef<Path>) -> Result<Vec<Inspection>> {
    inspect_with(path, &TableOptions::default())
}

/// As [`inspect`], with options for the file.
///
/// # Errors
/// As [`inspect`]; also if an option does not fit the file.
pub fn inspect_with(path: impl AsRef<Path>, options: &TableOptions) -> Result<Vec<Inspection>> {
    let path = path.as_ref();
    if let Some(found) = gene_sets(path)? {
        return Ok(vec![found]);
    }
    let lines = CellLines::embedded()?;
    let parts = if options.sheet.is_none() { parts_of(path)? } else { Vec::new() };
    if parts.len() < 2 {
        return inspect_file(path, options, &lines).map(|found| vec![found]);
    }
    let one =
        |sheet: String| match (TableOptions { sheet: Some(sheet.clone()), ..options.clone() }).read(path) {
            Ok(table) => Inspection { sheet: Some(sheet), ..inspect_table(&table, &lines) },
            Err(error) => {
                let file = format!("{} [{sheet}]", path.display());
                let shape = FileShape { file, role: "unknown".into(), ..FileShape::default() };
                Inspection {
                    sheet: Some(sheet),
                    shape,
                    problems: vec![with_help(&error)],
                    ..Inspection::default()
                }
            }
        };
    Ok(parts.into_iter().map(one).collect())
}

/// Inspects a file of one table. A missing companion file (names that a second file explains) is a problem, not an
/// error.
fn inspect_file(path: &Path, options: &TableOptions, lines: &CellLines) -> Result<Inspection> {
    match options.read(path) {
        Ok(table) => Ok(inspect_table(&table, lines)),
        Err(error) if options.columns.is_empty() && options.rows.is_empty() => {
            let open = OpenOptions { sheet: options.sheet.clone(), separator: options.separator.clone() };
            let mut found = inspect_table(&read_table_with(path, &open)?, lines);
            found.problems.push(with_help(&error));
            Ok(found)
        }
        Err(error) => Err(error),
    }
}

/// Gene sets, one per line, if the file has the ending for gene sets.
fn gene_sets(path: &Path) -> Result<Option<Inspection>> {
    if path.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("gmt")) {
        return Ok(None);
    }
    let label = path.display().to_string();
    let text = String::from_utf8_lossy(&read_file(path)?).into_owned();
    let sets = halfmax_mechanisms::parse_gmt(&text, &label)?;
    let genes: BTreeSet<&String> = sets.iter().flat_map(|set| &set.genes).collect();
    let known = count_known_genes(genes.iter().map(|gene| gene.as_str()));
    let shape = FileShape { file: label, role: "gene sets".into(), rows: sets.len(), ..FileShape::default() };
    let notes = vec![format!(
        "{} gene sets of {} genes; {} of the genes are known symbols or ids",
        grouped(sets.len()),
        grouped(genes.len()),
        grouped(known)
    )];
    Ok(Some(Inspection { shape, notes, ..Inspection::default() }))
}

/// Inspects an open table with the known cell lines, as [`inspect`] does for a file of one table.
pub fn inspect_table(table: &RawTable, lines: &CellLines) -> Inspection {
    let table = &with_lines_called_drugs(table, lines);
    let taken = recognise(table, lines);
    let mut found = Inspection { shape: FileShape::of(table, taken.role()), ..Inspection::default() };
    found.notes = table.notes();
    let looked = match &taken {
        Taken::Features(kind) => look_at_features(table, *kind, lines, &mut found),
        Taken::Matrix(wide) => look_at_matrix(table, wide, lines, &mut found),
        Taken::List(layout) => {
            found.columns_used = Some(account_of(table, layout));
            if matches!(layout.yields, Yields::Responses | Yields::Combinations) {
                found.problems.extend(refusal_of(table, lines));
            }
            look_at_columns(table, lines, &mut found)
        }
        Taken::Doses(error) => {
            found.problems.push(with_help(error));
            Ok(())
        }
        Taken::Unknown(nearest) => {
            found.notes.push(described(table, nearest.as_ref()));
            look_at_columns(table, lines, &mut found)
        }
    };
    if let Err(error) = looked {
        found.problems.push(with_help(&error));
    }
    found
}

/// The use of the columns of a list.
fn account_of(table: &RawTable, layout: &Layout) -> Account {
    let roles = layout.needs.iter().copied().flatten().chain(layout.takes);
    let mut used: Vec<(Role, usize)> = Vec::new();
    for role in roles {
        if let Some(column) = table.role(*role).filter(|column| used.iter().all(|(_, other)| other != column))
        {
            used.push((*role, column));
        }
    }
    if let Some(replicates) =
        Replicates::of(table).filter(|found| used.contains(&(found.role, found.columns[0])))
    {
        used.extend(replicates.columns[1..].iter().map(|column| (replicates.role, *column)));
    }
    Account::new(table, &used)
}

/// The content of an unknown table, and what it lacks of the nearest layout.
fn described(table: &RawTable, nearest: Option<&Fit>) -> String {
    if let Some(error) = rows_not_folds(table) {
        return with_help(&error);
    }
    let columns: Vec<String> = (0..table.names().len().min(6))
        .map(|column| format!("{:?} holds {}", table.names()[column], table.profile(column).content.name()))
        .collect();
    let columns = listed(&columns, 6);
    match nearest {
        Some(fit) => format!("nearest to {}: it lacks {}; {columns}", fit.yields.name(), fit.lacks()),
        None => format!("no layout is near: it lacks a column of cell lines, drugs or genes; {columns}"),
    }
}

/// The reason to refuse a table of responses, if there is a reason.
fn refusal_of(table: &RawTable, lines: &CellLines) -> Option<String> {
    read_responses(table, lines, &TargetConfig::default(), None).err().map(|error| with_help(&error))
}

fn with_help(error: &Error) -> String {
    let help = error.help().map(|help| format!("; {help}")).unwrap_or_default();
    format!("{error}{help}")
}

/// Inspects a matrix of responses.
fn look_at_matrix(table: &RawTable, wide: &Wide, lines: &CellLines, found: &mut Inspection) -> Result<()> {
    found.shape.orientation = Some(wide.orientation().to_owned());
    let rows = table.texts(wide.key)?;
    let columns: Vec<Option<String>> = wide.columns.iter().map(|(_, name)| Some(name.clone())).collect();
    let (cells, drugs) = if wide.cells_in_rows { (&rows, &columns) } else { (&columns, &rows) };
    look_at_cell_lines(cells, lines, found);
    found.drugs = drugs.iter().flatten().map(|name| drug_key(name)).collect::<BTreeSet<_>>().len();
    let mut range: Option<[f64; 2]> = None;
    let mut missing = 0;
    for (column, _) in &wide.columns {
        let values = table.numbers(*column, "a number")?;
        missing += values.iter().filter(|value| value.is_nan()).count();
        range = range_of(values.iter().copied().chain(range.into_iter().flatten()));
    }
    found.missing_share = missing as f64 / (table.rows() * wide.columns.len()).max(1) as f64;
    if let Some(range) = range {
        found.ranges.insert(wide.quantity.clone().unwrap_or_else(|| "responses".into()), range);
    }
    if wide.quantity.is_none() {
        found
            .notes
            .push("the file does not say what was measured: name it with [target] column = \"AUC\"".into());
    }
    Ok(())
}

fn look_at_features(
    table: &RawTable,
    kind: CellKind,
    lines: &CellLines,
    found: &mut Inspection,
) -> Result<()> {
    let table = &prepared(table, kind)?;
    found.notes = table.notes();
    let known = Known { set: table.orientation, ..Known::lines(lines) };
    let arrangement = orientation(table, known)?;
    found.shape.orientation = Some(arrangement.orientation.name().to_owned());
    let names = cell_names(table, &arrangement)?;
    look_at_cell_lines(&names, lines, found);
    let mut part = read_cell_features(table, kind, known)?;
    part.name_genes(None);
    found.missing_share = part.report.missing_share;
    found.problems.extend(part.report.notes);
    if let Some(range) = part.report.range {
        found.ranges.insert("values".into(), range);
    }
    if kind.counts_above().is_some() {
        let odd: Vec<String> = part.blocks.iter().filter_map(|block| odd_lines(block, &part.ids)).collect();
        if !odd.is_empty() {
            // One odd cell line does not mean that all values are counts.
            found.problems.retain(|problem| !problem.contains("look like counts"));
        }
        found.problems.extend(odd);
    }
    for block in &part.blocks {
        let varying: HashSet<usize> = varying(block).into_iter().collect();
        let constant: Vec<&String> = (0..block.len())
            .filter(|column| !varying.contains(column))
            .map(|column| &block.names[column])
            .collect();
        if !constant.is_empty() && block.entities() > 1 {
            found.problems.push(format!(
                "{} columns hold a single value: {} ({})",
                block.kind,
                grouped(constant.len()),
                listed(&constant, 5)
            ));
        }
        let floor = at_the_floor(block);
        if floor > 0 {
            found.problems.push(format!(
                "{} features have the lowest value in every cell line: placeholders, not measurements",
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

/// With more drug features than this, a single range covers all of them.
const MANY_FEATURES: usize = 8;

fn look_at_columns(table: &RawTable, lines: &CellLines, found: &mut Inspection) -> Result<()> {
    // Ids of cell lines are not drugs, whatever the column name.
    let of_lines = |column: &usize| matches!(table.profile(*column).content, Content::Ids(kind) if kind.is_of_cell_lines());
    let named = |role: Role| table.role(role).filter(|column| table.has_surely(role) && !of_lines(column));
    let cell = table.role(Role::CellLine);
    let drug = named(Role::Drug).or_else(|| named(Role::DrugA));
    let second = named(Role::DrugB).filter(|_| found.shape.role != Yields::Drugs.name());
    if let Some(column) = cell {
        look_at_cell_lines(&table.texts(column)?, lines, found);
        // In an unknown table, names are not counted as cell lines if no cell line is known.
        if found.shape.role == "unknown" && found.cell_lines_known == 0 {
            found.cell_lines_unknown.clear();
        }
    }
    let mut drugs = BTreeSet::new();
    for column in drug.into_iter().chain(second) {
        drugs.extend(table.texts(column)?.iter().flatten().map(|name| drug_key(name)));
    }
    found.drugs = drugs.len();
    if let ("readings" | "dose matrices", Some(column)) =
        (found.shape.role.as_str(), table.role(Role::Reading))
        && let Err(error) = unit_of(table, column, &table.numbers(column, "a number")?, None)
    {
        found.problems.push(with_help(&error));
    }
    let mut missing = 0;
    let mut constant = Vec::new();
    for column in 0..table.names().len() {
        let name = &table.names()[column];
        let content = table.profile(column).content;
        if table.is_identifier(column) || table.is_text(column) || content == Content::Ids(IdKind::Bits) {
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
            "columns that hold a single value: {} ({})",
            grouped(constant.len()),
            listed(&constant, 5)
        ));
    }
    if found.shape.role == Yields::DrugFeatures.name() && found.ranges.len() > MANY_FEATURES {
        let all = range_of(found.ranges.values().flatten().copied());
        found.ranges = all.map(|all| ("values".to_owned(), all)).into_iter().collect();
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
    let keys: Vec<usize> = cell.into_iter().chain(drug).chain(table.role(Role::DrugB)).collect();
    if keys.is_empty() {
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
            "{} rows repeat the names of an earlier row ({})",
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
        self.columns_used.iter().try_for_each(|account| write!(f, "\n    {account}"))?;
        self.notes.iter().try_for_each(|note| write!(f, "\n    {note}"))?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n    look: {problem}"))
    }
}
