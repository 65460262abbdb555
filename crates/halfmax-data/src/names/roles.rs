//! The roles of the columns of a cell-line annotation, by their names and contents.

use halfmax_core::{Error, Result, listed};

use super::CellLines;
use super::ids::{IdKind, without_decimal_zero};
use crate::orientation::word;
use crate::table::RawTable;

/// The role of an annotation's column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The names of the lines, as spelt.
    Name,
    /// Other names.
    Alias,
    /// Ids of a public database.
    Id(IdKind),
    Tissue,
}

/// A column and its role.
#[derive(Clone, Debug)]
pub(super) struct RoleColumn {
    pub role: Role,
    pub column: usize,
    pub texts: Vec<Option<String>>,
}

/// Column names for cell-line names, best first. Only letters and digits matter.
const NAMES: [&str; 13] = [
    "celllinename",
    "cellline",
    "celllines",
    "cell",
    "cellname",
    "samplename",
    "modelname",
    "celllineprimaryname",
    "primarycelllinename",
    "celllinedisplayname",
    "name",
    "sample",
    "line",
];

const ALIASES: [&str; 13] = [
    "strippedcelllinename",
    "strippedname",
    "ccleid",
    "cclename",
    "synonyms",
    "synonym",
    "aliases",
    "alias",
    "othernames",
    "alternativenames",
    "alternativename",
    "celllinealiases",
    "aka",
];

const TISSUES: [&str; 13] = [
    "tissue",
    "tissuefactor",
    "tissuetype",
    "primarytissue",
    "site",
    "sitepri",
    "siteprimary",
    "tissuedescriptor",
    "gdsctissuedescriptor1",
    "oncotreelineage",
    "lineage",
    "sampletissue",
    "primarysite",
];

/// Words in a column name that refer to another line than the row's own.
const RELATIVES: [&str; 7] = ["parent", "matched", "control", "normal", "derived", "related", "patient"];

/// The used columns of an annotation, names first.
///
/// # Errors
/// If no column holds names or ids of cell lines.
pub(super) fn roles(table: &RawTable, lines: &CellLines) -> Result<Vec<RoleColumn>> {
    let words: Vec<String> = table.names().iter().map(|name| word(name)).collect();
    let texts: Vec<Vec<Option<String>>> =
        (0..words.len()).map(|column| table.texts(column)).collect::<Result<_>>()?;
    let mut found: Vec<RoleColumn> = Vec::new();
    let take = |role, column: usize| RoleColumn { role, column, texts: texts[column].clone() };
    for kind in [IdKind::Cosmic, IdKind::Sanger, IdKind::DepMap, IdKind::Cellosaurus] {
        let column = (0..words.len()).find(|column| holds_ids(kind, &words[*column], &texts[*column], lines));
        found.extend(column.map(|column| take(Role::Id(kind), column)));
    }
    let taken: Vec<usize> = found.iter().map(|one| one.column).collect();
    let free = |column: &usize| !taken.contains(column) && !is_relative(&words[*column]);
    let called = |column: usize, names: &[&str]| names.iter().position(|name| *name == words[column]);
    let alias = |column: usize| called(column, &ALIASES).is_some();
    let name = name_column(table, &words, &texts, lines, &|column| free(&column) && !alias(column));
    if let Some(column) = name {
        found.insert(0, take(Role::Name, column));
    }
    let aliases = (0..words.len()).filter(|column| free(column) && alias(*column));
    found.extend(aliases.map(|column| take(Role::Alias, column)));
    let tissue = (0..words.len())
        .filter(|column| free(column) && Some(*column) != name)
        .filter_map(|column| Some((called(column, &TISSUES)?, column)))
        .min();
    if !found.iter().any(|one| one.role != Role::Tissue) {
        return Err(Error::data(format!(
            "{}: no column of cell lines among {}",
            table.label(),
            listed(table.names(), 12)
        ))
        .with_help(
            "add a column cell_line and columns of further names or ids: synonyms, COSMIC_ID, SANGER_MODEL_ID, \
             depmap_id, RRID, CCLE_ID",
        ));
    }
    found.extend(tissue.map(|(_, column)| take(Role::Tissue, column)));
    Ok(found)
}

fn is_relative(word: &str) -> bool {
    RELATIVES.iter().any(|relative| word.contains(relative))
}

/// The fraction of the non-missing values that fulfil a condition; 0 if all are missing.
fn share(texts: &[Option<String>], holds: impl Fn(&str) -> bool) -> f64 {
    let (mut all, mut count) = (0_usize, 0_usize);
    for text in texts.iter().flatten() {
        all += 1;
        count += usize::from(holds(text));
    }
    if all == 0 { 0.0 } else { count as f64 / all as f64 }
}

/// Whether a column holds ids of a kind. COSMIC ids are bare numbers, so the column name must say so, or many of the
/// ids must be known.
fn holds_ids(kind: IdKind, word: &str, texts: &[Option<String>], lines: &CellLines) -> bool {
    if is_relative(word) {
        return false;
    }
    if kind != IdKind::Cosmic {
        return share(texts, |text| several(text).any(|one| IdKind::of(one) == kind)) >= 0.8;
    }
    let number = |text: &str| {
        let whole = without_decimal_zero(text).unwrap_or(text);
        whole.bytes().all(|byte| byte.is_ascii_digit())
    };
    let numbers = share(texts, |text| several(text).all(number));
    let known = |text: &str| lines.is_cosmic_id(without_decimal_zero(text).unwrap_or(text));
    numbers >= 0.8 && (word.contains("cosmic") || share(texts, known) >= 0.5)
}

/// The column of names: among columns with a fitting name the one with the most known lines, else any column with many
/// known lines.
fn name_column(
    table: &RawTable,
    words: &[String],
    texts: &[Vec<Option<String>>],
    lines: &CellLines,
    free: &dyn Fn(usize) -> bool,
) -> Option<usize> {
    let known = |column: usize| share(&texts[column], |text| lines.count_known(std::iter::once(text)) > 0);
    let mut called: Vec<(usize, usize)> = (0..words.len())
        .filter(|column| free(*column))
        .filter_map(|column| Some((NAMES.iter().position(|name| *name == words[column])?, column)))
        .collect();
    called.sort_unstable();
    let best = |columns: &[usize]| {
        let shares: Vec<(f64, usize)> = columns.iter().map(|column| (known(*column), *column)).collect();
        shares.into_iter().rev().max_by(|a, b| a.0.total_cmp(&b.0))
    };
    let by_name = best(&called.iter().map(|(_, column)| *column).collect::<Vec<usize>>());
    if lines.lines().is_empty() {
        return called.first().map(|(_, column)| *column);
    }
    let texts_only: Vec<usize> =
        (0..words.len()).filter(|column| free(*column) && table.is_text(*column)).collect();
    match (by_name, best(&texts_only)) {
        (Some((0.0, _)), Some((share, column))) if share >= 0.3 => Some(column),
        (Some((_, column)), _) => Some(column),
        (None, Some((share, column))) if share >= 0.3 => Some(column),
        (None, _) => None,
    }
}

/// The names or ids in one cell of the table.
pub(super) fn several(text: &str) -> impl Iterator<Item = &str> {
    text.split([';', '|']).flat_map(|part| part.split(", ")).map(str::trim).filter(|part| !part.is_empty())
}
