//! Converts response matrices (cell lines × drugs or drugs × cell lines) to one row per response.

use std::collections::{BTreeMap, BTreeSet};

use halfmax_core::{Error, Result, listed};

use crate::genes::count_known_genes;
use crate::names::CellLines;
use crate::orientation::Orientation;
use crate::profile::{Content, IdKind, is_cell_line_id};
use crate::report::range_of;
use crate::roles::{Nature, Role};
use crate::table::{LabelsBuilder, RawColumn, RawTable, Values};

/// A matrix of responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wide {
    /// The column that holds the names of the rows.
    pub key: usize,
    /// The columns of responses, each with the name of its drug or cell line.
    pub columns: Vec<(usize, String)>,
    /// Whether the rows are cell lines.
    pub cells_in_rows: bool,
    /// The measured quantity, if the column names give it.
    pub quantity: Option<String>,
    /// Notes on the column names.
    pub notes: Vec<String>,
}

/// The separator of drug and dose in the column names of a reading matrix: `BRD-K1::2.5::HTS`.
const WITH_DOSE: &str = "::";

/// Checks whether a table without the roles of a list is a matrix of responses.
///
/// # Errors
/// If the matrix holds readings at several doses, or if its orientation is ambiguous.
pub(crate) fn wide_responses(table: &RawTable, lines: &CellLines) -> Result<Option<Wide>> {
    let has = |role: Role| table.role(role).is_some();
    let drug = has(Role::Drug) || has(Role::DrugA);
    let is_list =
        (has(Role::CellLine) && (drug || has(Role::Gene))) || has(Role::Signal) || has(Role::Reading);
    let key = key_of(table);
    if is_list || table.names().len() < 2 || has_other_texts(table, key) {
        return Ok(None);
    }
    let numbers: Vec<usize> = (0..table.names().len())
        .filter(|column| *column != key && !table.is_ignored(*column))
        .filter(|column| {
            let content = table.content(*column);
            (content.is_number() || content == Content::Empty) && !tells_apart(table, *column)
        })
        .collect();
    if numbers.is_empty() {
        return Ok(None);
    }
    table.refuse_without_header()?;
    let names: Vec<String> = numbers.iter().map(|column| table.names()[*column].clone()).collect();
    let (names, notes) = at_one_dose(table, names)?;
    let rows = table.texts(key)?;
    let rows: Vec<&str> = rows.iter().flatten().map(String::as_str).collect();
    let columns: Vec<&str> = names.iter().map(String::as_str).collect();
    let (in_rows, in_columns) = (share_of_cell_lines(&rows, lines), share_of_cell_lines(&columns, lines));
    let key_role = table.roles_of_column(key);
    let ids = matches!(
        table.content(key),
        Content::Ids(
            IdKind::DepMap | IdKind::SangerModel | IdKind::Cosmic | IdKind::Cellosaurus | IdKind::CcleName
        )
    );
    let cells_in_rows = match table.orientation {
        Some(Orientation::CellLinesInRows) => true,
        Some(Orientation::GenesInRows) => false,
        None if key_role.contains(&Role::CellLine) || ids => true,
        None if key_role.contains(&Role::Drug) => false,
        None if in_rows > in_columns && in_rows >= 0.2 => true,
        None if in_columns > in_rows && in_columns >= 0.2 => false,
        None => return Ok(None),
    };
    let (columns, quantity) = named(&numbers, names);
    Ok(Some(Wide { key, columns, cells_in_rows, quantity, notes }))
}

/// Whether a column distinguishes measurements or repeats (a time, a study, a replicate) and is thus not part of the
/// matrix.
fn tells_apart(table: &RawTable, column: usize) -> bool {
    let natures = table.roles_of_column(column).into_iter().map(|role| role.spec().nature);
    natures.into_iter().any(|nature| matches!(nature, Nature::Separating | Nature::Repeat))
}

/// The fraction of names that are known cell lines or have the form of cell-line ids, 0 to 1.
fn share_of_cell_lines(names: &[&str], lines: &CellLines) -> f64 {
    let known = lines.count_known(names.iter().copied());
    let ids = names.iter().filter(|name| is_cell_line_id(name)).count();
    known.max(ids) as f64 / names.len().max(1) as f64
}

/// Whether a column besides the key holds texts that describe neither cell lines nor drugs: then the table is not a
/// matrix.
fn has_other_texts(table: &RawTable, key: usize) -> bool {
    (0..table.names().len()).filter(|column| *column != key && !table.is_ignored(*column)).any(|column| {
        let content = table.content(column);
        let text = matches!(content, Content::Texts | Content::Categories | Content::NumberLists);
        text && table.roles_of_column(column).is_empty()
    })
}

/// The column of row names: the declared column, else a column with a fitting role, else the first column.
fn key_of(table: &RawTable) -> usize {
    let by_role = table.role(Role::CellLine).or_else(|| table.role(Role::Drug));
    table.key.or(by_role).unwrap_or(0)
}

/// The drug and the dose of a column of readings at doses.
fn drug_and_dose(name: &str) -> Option<(&str, f64)> {
    let mut parts = name.split(WITH_DOSE);
    let drug = parts.next()?;
    let dose = parts.next()?.parse::<f64>().ok()?;
    (dose > 0.0).then_some((drug, dose))
}

/// The column names without their doses, if each drug has a single dose; other names stay unchanged. If a drug occurs
/// twice at its dose (in two screens), all names stay unchanged.
///
/// # Errors
/// If a drug has several doses; the table then holds readings.
fn at_one_dose(table: &RawTable, names: Vec<String>) -> Result<(Vec<String>, Vec<String>)> {
    let parts: Vec<Option<(&str, f64)>> = names.iter().map(|name| drug_and_dose(name)).collect();
    if 2 * parts.iter().flatten().count() <= names.len() {
        return Ok((names, Vec::new()));
    }
    let mut doses: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (drug, dose) in parts.iter().flatten() {
        doses.entry(drug).or_default().push(*dose);
    }
    let several = |doses: &Vec<f64>| {
        let [low, high] = doses
            .iter()
            .fold([f64::INFINITY, 0.0], |[low, high]: [f64; 2], dose| [low.min(*dose), high.max(*dose)]);
        high > SAME_DOSE * low
    };
    if doses.values().any(several) {
        return Err(several_doses(table, &names));
    }
    let all = doses.values().flatten().copied();
    let [low, high] = range_of(all).unwrap_or_default();
    let range = if low == high { format!("{low}") } else { format!("{low} to {high}") };
    let once = doses.values().all(|doses| doses.len() == 1);
    let note = format!(
        "the columns hold one dose of each drug ({range}){}",
        if once {
            ""
        } else {
            "; some drugs occur in several screens, and each column counts as a separate drug"
        }
    );
    let bare: Vec<String> = names
        .iter()
        .zip(&parts)
        .map(|(name, part)| part.filter(|_| once).map_or_else(|| name.clone(), |(drug, _)| drug.to_owned()))
        .collect();
    Ok((bare, vec![note]))
}

/// Doses of one drug that differ by less are one dose, dispensed unevenly.
const SAME_DOSE: f64 = 1.5;

fn several_doses(table: &RawTable, names: &[String]) -> Error {
    Error::data(format!(
        "{}: readings at several doses, one column per drug and dose ({}), expected one response per drug",
        table.label(),
        listed(names, 2)
    ))
    .with_help("use the table of curve parameters or the primary screen at one dose; or convert the table to rows of cell_line, drug, dose, viability and fit curves (`halfmax fit-curves`)")
}

/// The drugs (or cell lines) of columns, and the measured quantity: `Drug_1001_IC50` is the IC50 of drug 1001.
fn named(columns: &[usize], names: Vec<String>) -> (Vec<(usize, String)>, Option<String>) {
    let taken_apart: Option<Vec<(String, String)>> =
        names.iter().map(|name| drug_and_quantity(name)).collect();
    match taken_apart {
        Some(parts) if parts.iter().all(|part| part.1 == parts[0].1) => {
            let quantity = parts[0].1.clone();
            let drugs = parts.into_iter().map(|(drug, _)| drug);
            (columns.iter().copied().zip(drugs).collect(), Some(quantity))
        }
        _ => (columns.iter().copied().zip(names).collect(), None),
    }
}

/// `Drug_1001_IC50` as drug 1001 and its IC50.
pub(crate) fn drug_and_quantity(name: &str) -> Option<(String, String)> {
    let (drug, quantity) = name.rsplit_once('_')?;
    let known =
        ["IC50", "LNIC50", "AUC", "EC50", "AAC", "LN"].contains(&quantity.to_ascii_uppercase().as_str());
    let drug = drug.strip_prefix("Drug_").or_else(|| drug.strip_prefix("drug_"))?;
    (known && !drug.is_empty()).then(|| (drug.to_owned(), quantity.to_owned()))
}

impl Wide {
    /// Whether the names of the other side look like drugs: by a role, by their form, or by lower-case words, which
    /// genes are not.
    pub fn names_drugs(&self, table: &RawTable) -> bool {
        if self.quantity.is_some() {
            return true;
        }
        let (Ok(keys), roles) = (table.labels(self.key), table.roles_of_column(self.key)) else {
            return false;
        };
        let rows: Vec<&str> = keys.names.iter().map(String::as_str).collect();
        let columns: Vec<&str> = self.columns.iter().map(|(_, name)| name.as_str()).collect();
        let genes = |names: &[&str]| 4 * count_known_genes(names.iter().copied()) > names.len();
        if roles.contains(&Role::Gene) || genes(&rows) || genes(&columns) {
            return false;
        }
        let drug = |name: &&&str| {
            let id =
                ["BRD-", "BRD:", "NSC", "CHEMBL", "DB", "Drug_"].iter().any(|start| name.starts_with(start));
            id || name.bytes().filter(u8::is_ascii_lowercase).count() >= 4
        };
        let others = if self.cells_in_rows { &columns } else { &rows };
        roles.contains(&Role::Drug) || 2 * others.iter().filter(drug).count() > others.len()
    }

    /// Whether the side opposite to the drugs may be cell lines: they are in rows, or a fraction of the columns is
    /// known. If hardly any column beside a column of drugs is known, the columns are features of the drugs.
    /// Descriptors also have names such as S1 and TT.
    pub fn may_be_responses(&self, table: &RawTable, lines: &CellLines) -> bool {
        let columns: Vec<&str> = self.columns.iter().map(|(_, name)| name.as_str()).collect();
        self.cells_in_rows || table.orientation.is_some() || share_of_cell_lines(&columns, lines) >= 0.1
    }

    /// The layout in words.
    pub fn orientation(&self) -> &'static str {
        if self.cells_in_rows { "cell lines × drugs" } else { "drugs × cell lines" }
    }

    /// One row per response: columns `cell_line`, `drug` and the measured quantity. Missing responses are left out.
    ///
    /// # Errors
    /// If a column does not hold numbers.
    pub fn long(&self, table: &RawTable, quantity: &str) -> Result<RawTable> {
        let keys = table.labels(self.key)?;
        let (mut rows, mut columns) = (LabelsBuilder::default(), LabelsBuilder::default());
        let mut values = Vec::new();
        let (mut places, mut at) = (Vec::new(), Vec::new());
        for (column, name) in &self.columns {
            for (row, value) in table.numbers(*column, "a number")?.iter().copied().enumerate() {
                if !value.is_nan() {
                    rows.push(keys.at(row));
                    columns.push(Some(name));
                    values.push(value);
                    places.push(table.row_of(row) as u32);
                    at.push(row);
                }
            }
        }
        if values.is_empty() {
            return Err(Error::data(format!("{}: every response is missing", table.label())));
        }
        let names = if self.cells_in_rows { ["cell_line", "drug"] } else { ["drug", "cell_line"] };
        let column = |name: &str, values: Values| RawColumn { name: name.to_owned(), values };
        let mut long = vec![
            column(names[0], Values::texts(rows.finish())),
            column(names[1], Values::texts(columns.finish())),
            column(quantity, Values::numbers(values)),
        ];
        // Columns that distinguish rows stay beside the values, so that nothing is pooled over them.
        let in_matrix: BTreeSet<usize> = self.columns.iter().map(|(column, _)| *column).collect();
        let stays = |column: &usize| {
            let tissue = self.cells_in_rows && table.could_be(*column, Role::Tissue);
            tissue || tells_apart(table, *column)
        };
        for other in (0..table.names().len())
            .filter(|column| *column != self.key && !in_matrix.contains(column) && !table.is_ignored(*column))
            .filter(stays)
        {
            long.push(column(&table.names()[other], table.columns[other].values.taken(&at)));
        }
        let mut notes = table.notes();
        notes.extend(self.notes.iter().cloned());
        notes.push(format!(
            "a matrix of {} (the column {:?} names its rows)",
            self.orientation(),
            table.names()[self.key]
        ));
        let mut table = table.with_columns(long, notes)?;
        table.places = crate::table::RowPlaces::Listed(places);
        Ok(table)
    }
}
