//! Files of folds: which fold each response, cell line, drug or tissue belongs to.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use halfmax_core::{Error, Result, Screen, listed};
use serde::Serialize;

use crate::load::InputFile;
use crate::names::{CellLines, drug_key};
use crate::open::read_table;
use crate::profile::Content;
use crate::report::{FileReport, FileShape, grouped};
use crate::responses::fold_numbers;
use crate::roles::Role;
use crate::table::RawTable;

/// The folds of a screen's responses, read from a file.
#[derive(Clone, Debug)]
pub struct FoldFile {
    /// The fold of each response; `None` if the file gives no fold.
    pub folds: Vec<Option<usize>>,
    /// The columns that assign responses to folds: `cell_line`, `drug`, `combination`, `tissue`, or the first with one
    /// of the next two.
    pub keys: Vec<String>,
    /// For a screen of combinations and a file with folds of single drugs: the folds of the drugs of each response.
    pub of_members: Option<Vec<Vec<Option<usize>>>>,
    /// The number of responses without a fold.
    pub left_out: usize,
    /// The report on the file.
    pub report: FileReport,
    /// The file, for a manifest.
    pub input: InputFile,
}

/// What to do if a fold file lacks responses of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Uncovered {
    /// Refuse the file and list the missing entities.
    #[default]
    Refuse,
    /// Leave those responses out and count them.
    LeaveOut,
}

/// Reads a table of folds: `cell_line`, `drug` (or `drug_a` and `drug_b`, in either order), both, or `tissue`, and
/// `fold`. For a screen of combinations, a file with folds of single drugs leaves drugs out. A tissue beside a cell
/// line has no effect. Names are resolved as in all other files.
///
/// # Errors
/// If a required column is missing, a fold is not a number, a key is in two folds, or the file lacks entities of the
/// screen and `uncovered` is [`Uncovered::Refuse`].
pub fn read_folds(path: impl AsRef<Path>, screen: &Screen, uncovered: Uncovered) -> Result<FoldFile> {
    let table = read_table(path)?;
    let fold_column = table.require(Role::Fold).map_err(|error| rows_not_folds(&table).unwrap_or(error))?;
    let folds = fold_numbers(&table, fold_column)?;
    let (keys, in_file) = keys_of_file(&table, screen)?;
    let by_key = fold_of_key(&table, &in_file, &folds)?;
    if screen.sides.len() > 2 && keys.iter().any(|key| key == "drug") {
        return folds_of_members(&table, screen, keys, &by_key, uncovered);
    }
    let of_responses = keys_of_responses(screen, &keys)?;
    let found: Vec<Option<usize>> =
        of_responses.iter().map(|key| key.as_ref().and_then(|key| by_key.get(key).copied())).collect();
    let left_out = found.iter().filter(|fold| fold.is_none()).count();
    if left_out > 0 && (uncovered == Uncovered::Refuse || left_out == found.len()) {
        return Err(lacking(&table, &keys, &of_responses, &found));
    }
    let report = report_on(&table, &keys, &found, left_out);
    Ok(FoldFile { folds: found, keys, of_members: None, left_out, report, input: InputFile::of(&table) })
}

/// The error for a file that lists row numbers of the response table, as some benchmarks publish their splits.
pub(crate) fn rows_not_folds(table: &RawTable) -> Option<Error> {
    let numbers = table.names().len() == 1
        && matches!(table.profile(0).content, Content::WholeNumbers | Content::RowNumber | Content::Binary);
    numbers.then(|| {
        Error::data(format!(
            "{}: lists row numbers, one per line, but no cell lines, drugs or folds",
            table.label()
        ))
        .with_help("list such files under split.rows, one for each fold: rows = [\"split_0_test.txt\", \"split_1_test.txt\"]; or the files of one split, with only_folds = [0]: rows = [\"split_0_test.txt\", \"split_0_train.txt\"]")
    })
}

/// The folds of combinations, derived from the folds of their drugs.
fn folds_of_members(
    table: &RawTable,
    screen: &Screen,
    keys: Vec<String>,
    by_key: &HashMap<Key, usize>,
    uncovered: Uncovered,
) -> Result<FoldFile> {
    if keys.len() > 1 {
        return Err(Error::data(format!(
            "{}: gives folds to cell lines with single drugs, but the responses are to combinations of two",
            table.label()
        ))
        .with_help("add the columns drug_a and drug_b for combinations, or use a column drug alone to leave drugs out"));
    }
    let fold_of = |id: &String| by_key.get(&vec![drug_key(id)]).copied();
    let of_drug: Vec<Option<usize>> = screen.table(1).ids().iter().map(fold_of).collect();
    let member = |row: usize, side: usize| of_drug[screen.responses.side(side)[row] as usize];
    let of_members: Vec<Vec<Option<usize>>> = (0..screen.responses.len())
        .map(|row| (1..screen.sides.len()).map(|side| member(row, side)).collect())
        .collect();
    let folds: Vec<Option<usize>> = of_members
        .iter()
        .map(|of| of.iter().copied().collect::<Option<Vec<usize>>>().map(|of| of[0]))
        .collect();
    let left_out = folds.iter().filter(|fold| fold.is_none()).count();
    if left_out > 0 && (uncovered == Uncovered::Refuse || left_out == folds.len()) {
        let ids = screen.table(1).ids().iter().zip(&of_drug);
        let absent: Vec<&String> = ids.filter(|(_, fold)| fold.is_none()).map(|(id, _)| id).collect();
        return Err(Error::data(format!("{}: has no fold for {}", table.label(), listed(&absent, 5)))
            .with_help("add these drugs to the file"));
    }
    let report = report_on(table, &keys, &folds, left_out);
    let input = InputFile::of(table);
    Ok(FoldFile { folds, keys, of_members: Some(of_members), left_out, report, input })
}

fn report_on(table: &RawTable, keys: &[String], found: &[Option<usize>], left_out: usize) -> FileReport {
    let folds: BTreeSet<usize> = found.iter().flatten().copied().collect();
    let mut notes = vec![format!("{} folds by {}", folds.len(), keys.join(" and "))];
    if left_out > 0 {
        notes.push(format!("responses without a fold, left out: {}", grouped(left_out)));
    }
    FileReport {
        shape: FileShape::of(table, "folds"),
        matched: found.len() - left_out,
        notes,
        ..FileReport::default()
    }
}

type Key = Vec<String>;

fn keys_of_file(table: &RawTable, screen: &Screen) -> Result<(Vec<String>, Vec<Option<Key>>)> {
    let mut parts: Vec<(String, Vec<Option<String>>)> = Vec::new();
    if let Some(column) = table.role(Role::CellLine) {
        let ids: HashSet<&str> = screen.tables[0].ids().iter().map(String::as_str).collect();
        parts.push(("cell_line".into(), cell_ids(&table.texts(column)?, &ids)?));
    }
    let second = table.role(Role::DrugB).filter(|_| screen.sides.len() > 2);
    let first = table.role(Role::DrugA).or_else(|| table.role(Role::Drug));
    if let (Some(first), Some(second)) = (first, second) {
        let pairs = table.texts(first)?.into_iter().zip(table.texts(second)?);
        parts.push(("combination".into(), pairs.map(|(a, b)| Some(combination_key(&a?, &b?))).collect()));
    } else if let Some(column) = table.role(Role::Drug) {
        let keys = table.texts(column)?.into_iter().map(|name| name.map(|name| drug_key(&name)));
        parts.push(("drug".into(), keys.collect()));
    }
    if let (true, Some(column)) = (parts.is_empty(), table.role(Role::Tissue)) {
        parts.push(("tissue".into(), table.texts(column)?));
    }
    if parts.is_empty() {
        return Err(crate::assign::no_column(table, Role::CellLine));
    }
    let key = |row: usize| parts.iter().map(|(_, values)| values[row].clone()).collect::<Option<Key>>();
    let keys = (0..table.rows()).map(key).collect();
    Ok((parts.into_iter().map(|(name, _)| name).collect(), keys))
}

/// A key of a combination that does not depend on the order of its drugs.
fn combination_key(a: &str, b: &str) -> String {
    let mut keys = [drug_key(a), drug_key(b)];
    keys.sort_unstable();
    keys.join(" + ")
}

/// Ids of the cell lines of a fold file. A name that equals an id of the screen means that cell line.
fn cell_ids(names: &[Option<String>], ids: &HashSet<&str>) -> Result<Vec<Option<String>>> {
    let identified = CellLines::with_ids(ids.iter().copied())?.identify(names).ids;
    let own = |name: &Option<String>| name.as_ref().filter(|name| ids.contains(name.as_str())).cloned();
    Ok(names.iter().zip(identified).map(|(name, id)| id.or_else(|| own(name))).collect())
}

fn fold_of_key(
    table: &RawTable,
    keys: &[Option<Key>],
    folds: &[Option<usize>],
) -> Result<HashMap<Key, usize>> {
    let mut by_key = HashMap::new();
    for (row, (key, fold)) in keys.iter().zip(folds).enumerate() {
        let (Some(key), Some(fold)) = (key, fold) else { continue };
        if let Some(other) = by_key.insert(key.clone(), *fold)
            && other != *fold
        {
            return Err(Error::data(format!(
                "{}: row {} puts {} into fold {fold}, an earlier row into fold {other}",
                table.label(),
                table.row_of(row),
                key.join(" with ")
            ))
            .with_help("give each name only one fold"));
        }
    }
    Ok(by_key)
}

fn keys_of_responses(screen: &Screen, keys: &[String]) -> Result<Vec<Option<Key>>> {
    let (cells, drugs) = (screen.table(0), screen.table(1));
    let tissue = cells.group("tissue");
    if keys.iter().any(|key| key == "tissue") && tissue.is_none() {
        return Err(Error::data(
            "the folds are given by tissue, but the tissues of the cell lines are unknown",
        )
        .with_help("add a file of kind \"events\" or \"category\" with the tissues"));
    }
    let part = |key: &String, row: usize| {
        let (cell, drug) = (screen.responses.side(0)[row] as usize, screen.responses.side(1)[row] as usize);
        match key.as_str() {
            "cell_line" => Some(cells.ids()[cell].clone()),
            "drug" => Some(drug_key(&drugs.ids()[drug])),
            "combination" => {
                let second = screen.responses.side(2)[row] as usize;
                Some(combination_key(&drugs.ids()[drug], &drugs.ids()[second]))
            }
            _ => tissue.and_then(|tissue| Some(tissue.levels[usize::from(tissue.codes[cell]?)].clone())),
        }
    };
    Ok((0..screen.responses.len()).map(|row| keys.iter().map(|key| part(key, row)).collect()).collect())
}

fn lacking(
    table: &RawTable,
    keys: &[String],
    of_responses: &[Option<Key>],
    found: &[Option<usize>],
) -> Error {
    let absent: BTreeSet<String> = of_responses
        .iter()
        .zip(found)
        .filter(|(_, fold)| fold.is_none())
        .map(|(key, _)| key.as_ref().map_or_else(|| "unknown".to_owned(), |key| key.join(" with ")))
        .collect();
    let absent: Vec<String> = absent.into_iter().collect();
    let responses = found.iter().filter(|fold| fold.is_none()).count();
    Error::data(format!(
        "{}: has no fold for {} of {} ({} responses): {}",
        table.label(),
        absent.len(),
        keys.join(" with "),
        responses,
        listed(&absent, 5)
    ))
    .with_help("add them to the file, or allow the evaluation to leave them out")
}
