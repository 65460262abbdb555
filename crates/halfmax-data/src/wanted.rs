//! Lists to score: pairs of a cell line and a drug, and combinations of drugs.

use std::collections::BTreeMap;

use halfmax_core::{EntityTable, Error, Result, listed};

use crate::file_spec::TableFile;
use crate::names::{CellLines, drug_key};
use crate::roles::Role;
use crate::table::RawTable;

/// The requests of a file, as positions in the tables of cell lines and drugs, in the order of its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The cell lines; `None` means all cell lines, if the file has no such column.
    pub cells: Option<Vec<u32>>,
    /// The drug of each row: one list, or two lists for combinations.
    pub drugs: Vec<Vec<u32>>,
    /// Notes on the rows that were left out.
    pub notes: Vec<String>,
}

/// Reads pairs: columns of cell lines and drugs.
///
/// # Errors
/// If the file cannot be read, lacks a column, or no row has a cell line and drugs of the tables.
pub fn read_wanted_pairs(
    file: impl Into<TableFile>,
    cells: &EntityTable,
    drugs: &EntityTable,
) -> Result<Wanted> {
    let table = file.into().open()?;
    let cell_column = table.require(Role::CellLine)?;
    let drug_column = table.require(Role::Drug)?;
    read(&table, Some(cell_column), &[drug_column], cells, drugs)
}

/// Reads combinations: columns of two drugs, and a column of cell lines unless every cell line is to be scored.
///
/// # Errors
/// As [`read_wanted_pairs`]; a combination of a drug with itself is left out, as is a combination with an unknown drug.
pub fn read_wanted_combinations(
    file: impl Into<TableFile>,
    cells: &EntityTable,
    drugs: &EntityTable,
) -> Result<Wanted> {
    let table = file.into().open()?;
    let second = table.require(Role::DrugB)?;
    let first = table.role(Role::DrugA).map_or_else(|| table.require(Role::Drug), Ok)?;
    if let Some(third) = table
        .role(Role::DrugC)
        .filter(|third| table.labels(*third).is_ok_and(|labels| !labels.names.is_empty()))
    {
        return Err(Error::data(format!(
            "{}: column {:?} holds third drugs, but combinations of three drugs cannot be scored",
            table.label(),
            table.names()[third]
        ))
        .with_help("list combinations of two drugs"));
    }
    read(&table, table.role(Role::CellLine), &[first, second], cells, drugs)
}

fn read(
    table: &RawTable,
    cell_column: Option<usize>,
    drug_columns: &[usize],
    cells: &EntityTable,
    drugs: &EntityTable,
) -> Result<Wanted> {
    let cell_names = cell_column.map(|column| table.texts(column)).transpose()?;
    let cell_ids = match &cell_names {
        Some(names) => Some(CellLines::with_ids(cells.ids().iter().map(String::as_str))?.identify(names).ids),
        None => None,
    };
    let drug_names: Vec<Vec<Option<String>>> =
        drug_columns.iter().map(|column| table.texts(*column)).collect::<Result<_>>()?;
    let by_key: BTreeMap<String, u32> = drugs.ids().iter().map(|id| drug_key(id)).zip(0..).collect();
    let mut wanted = Wanted {
        cells: cell_column.map(|_| Vec::new()),
        drugs: vec![Vec::new(); drug_columns.len()],
        notes: Vec::new(),
    };
    let (mut unknown, mut alone) = (Vec::new(), Vec::new());
    for at in 0..table.rows() {
        let cell = match &cell_ids {
            None => Some(0),
            Some(ids) => ids[at].as_ref().and_then(|id| cells.position(id)).map(|cell| cell as u32),
        };
        let place = |names: &Vec<Option<String>>| by_key.get(&drug_key(names[at].as_deref()?)).copied();
        let members: Option<Vec<u32>> = drug_names.iter().map(place).collect();
        let described = || {
            let drugs = drug_names.iter().map(|names| names[at].as_deref().unwrap_or("no name"));
            let cell = cell_names.iter().map(|names| names[at].as_deref().unwrap_or("no name"));
            format!("row {} ({})", table.row_of(at), cell.chain(drugs).collect::<Vec<&str>>().join(" with "))
        };
        match (cell, members) {
            (_, Some(members)) if members.len() == 2 && members[0] == members[1] => alone.push(described()),
            (Some(cell), Some(members)) => {
                wanted.drugs.iter_mut().zip(members).for_each(|(list, drug)| list.push(drug));
                if let Some(list) = &mut wanted.cells {
                    list.push(cell);
                }
            }
            _ => unknown.push(described()),
        }
    }
    let what = ["pairs", "combinations"][drug_columns.len() - 1];
    let place = table.label();
    let mut note = |count: usize, why: &str, rows: &[String]| {
        if count > 0 {
            wanted.notes.push(format!("{place}: {count} {what} {why}, left out: {}", listed(rows, 5)));
        }
    };
    note(unknown.len(), "name a cell line or drug that the files lack", &unknown);
    note(alone.len(), "combine a drug with itself", &alone);
    if wanted.drugs[0].is_empty() {
        let help = match wanted.notes.is_empty() {
            true => "the list has no rows".to_owned(),
            false => wanted.notes.join("; "),
        };
        return Err(Error::data(format!("{place}: no {what} can be scored")).with_help(help));
    }
    Ok(wanted)
}
