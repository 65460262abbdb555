//! Recognises a table by its roles, its shape, and the names of its rows and columns.

use std::borrow::Cow;

use halfmax_core::{CellKind, Error, KindValues, ValueSummary};

use crate::assign::{Names, SaidColumns, Scope};
use crate::feature_table::prepared;
use crate::genes::count_known_genes;
use crate::layouts::{Fit, LAYOUTS, Layout, Yields, best_layout, nearest_layout};
use crate::names::CellLines;
use crate::profile::Content;
use crate::roles::Role;
use crate::table::{Header, RawTable};
use crate::wide::{Wide, wide_responses};

/// The recognised type of a table.
pub(crate) enum Taken {
    /// A list of one of the layouts.
    List(&'static Layout),
    /// Features of cell lines.
    Features(CellKind),
    /// Responses, cell lines × drugs or the other way round.
    Matrix(Wide),
    /// Readings with one column per drug and dose, and the reason why they cannot be used directly.
    Doses(Error),
    /// Unrecognised: the nearest layout.
    Unknown(Option<Fit>),
}

impl Taken {
    /// Its name in reports.
    pub fn role(&self) -> &'static str {
        match self {
            Self::List(layout) => layout.yields.name(),
            Self::Features(kind) => kind.name(),
            Self::Matrix(_) => Yields::Responses.name(),
            Self::Doses(_) => Yields::Readings.name(),
            Self::Unknown(_) => "unknown",
        }
    }
}

/// The table with its drug column declared as cell lines, if most of its names are known cell lines: A549 under "name"
/// is not a drug.
pub(crate) fn with_lines_called_drugs<'a>(table: &'a RawTable, lines: &CellLines) -> Cow<'a, RawTable> {
    with_role(table, Role::CellLine, |names| lines.count_known(names.iter().map(String::as_str)))
}

/// The table with its drug column declared as genes, if most of its names are known genes: TP53 under "Name" is not a
/// drug.
fn with_genes_called_drugs(table: &RawTable) -> Cow<'_, RawTable> {
    with_role(table, Role::Gene, |names| count_known_genes(names.iter().map(String::as_str)))
}

/// The table with another role for its drug column, if most names have that role and the user did not declare drugs.
fn with_role(table: &RawTable, role: Role, count: impl Fn(&[String]) -> usize) -> Cow<'_, RawTable> {
    let said = table.said.iter().any(|(role, _)| *role == Role::Drug);
    let (Some(drug), None, false) = (table.role(Role::Drug), table.role(role), said) else {
        return Cow::Borrowed(table);
    };
    let Ok(labels) = table.labels(drug) else { return Cow::Borrowed(table) };
    let known = count(&labels.names);
    if known < 2 || 2 * known <= labels.names.len() {
        return Cow::Borrowed(table);
    }
    let mut table = table.clone();
    let said = SaidColumns::from([(role.key().to_owned(), Names::One(table.names()[drug].clone()))]);
    // The column and the role exist, so this cannot fail.
    let _ = table.say(&said, Scope::ThisFile);
    Cow::Owned(table)
}

/// Recognises a table. A matrix of features takes precedence over layouts that need few roles, because it may have
/// these roles too.
pub(crate) fn recognise(table: &RawTable, lines: &CellLines) -> Taken {
    let table = &with_genes_called_drugs(table);
    let layout = best_layout(table);
    let weak = |layout: &&Layout| {
        matches!(layout.yields, Yields::Annotation | Yields::Drugs | Yields::DrugFeatures | Yields::GeneNames)
    };
    let wanted = layout.is_none_or(|layout| layout.yields == Yields::Wanted);
    if let Some(annotation) =
        LAYOUTS.iter().find(|layout| layout.yields == Yields::Annotation && wanted && links_ids(table))
    {
        return Taken::List(annotation);
    }
    if let Some(layout) = layout.filter(|layout| !weak(layout)) {
        return Taken::List(layout);
    }
    if let Some(kind) = kind_shown_by_columns(table) {
        return Taken::Features(kind);
    }
    match wide_responses(table, lines) {
        Ok(Some(wide)) if wide.names_drugs(table) && wide.may_be_responses(table, lines) => {
            return Taken::Matrix(wide);
        }
        Err(error) if table.header == Header::Found => return Taken::Doses(error),
        _ => {}
    }
    let of_cell_lines =
        |(_, shown_by): &(CellKind, ShownBy)| *shown_by == ShownBy::Columns || is_of_cell_lines(table, lines);
    match kind_and_evidence(table).filter(of_cell_lines) {
        Some((kind, _))
            if layout.is_some_and(|layout| layout.yields == Yields::Annotation)
                && names_twice(table)
                && (kind.values() == KindValues::Texts || mostly_describes(table)) => {}
        Some((kind, _)) => return Taken::Features(kind),
        None => {}
    }
    layout.map_or_else(|| Taken::Unknown(nearest_layout(table)), Taken::List)
}

/// Whether a table only links ids: two or more columns hold ids of cell lines without repeats, and no column holds
/// numbers.
fn links_ids(table: &RawTable) -> bool {
    let is_of_ids =
        |column: &usize| matches!(table.content(*column), Content::Ids(kind) if kind.is_of_cell_lines());
    let columns = || 0..table.names().len();
    let is_key = |column: usize| table.labels(column).is_ok_and(|labels| labels.names.len() == table.rows());
    let ids: Vec<usize> = columns().filter(is_of_ids).collect();
    ids.len() > 1 && ids.into_iter().all(is_key) && !columns().any(|column| table.content(column).is_number())
}

/// Whether two columns name the cell lines, as in an annotation table.
fn names_twice(table: &RawTable) -> bool {
    (0..table.names().len()).filter(|column| table.roles_of_column(*column).contains(&Role::CellLine)).count()
        > 1
}

/// Whether most columns of a table of cell lines describe them, so that a few numbers (an age) are not features.
fn mostly_describes(table: &RawTable) -> bool {
    let numbers = (0..table.names().len())
        .filter(|column| table.content(*column).is_number() && table.roles_of_column(*column).is_empty());
    4 * numbers.count() < table.names().len()
}

/// Whether there is evidence that a matrix is about cell lines: a column with such a name, known cell lines, or known
/// genes.
fn is_of_cell_lines(table: &RawTable, lines: &CellLines) -> bool {
    let called = |column: usize| {
        let name = crate::columns::plain(&table.names()[column]);
        ["cell", "line", "ccl", "model", "depmap", "cosmic", "sanger"].iter().any(|word| name.contains(word))
    };
    // A list with one row per cell line and gene names both.
    let list = table.has_surely(Role::CellLine) && table.has_surely(Role::Gene);
    // A list of experiments gives the cell line and the conditions of each experiment.
    let experiments = || {
        table.has_surely(Role::Experiment) && count_known_genes(table.names().iter().map(String::as_str)) == 0
    };
    if list || table.role(Role::CellLine).is_some_and(called) {
        return list || !experiments();
    }
    let key = table.key.or_else(|| table.role(Role::CellLine)).unwrap_or(0);
    let Ok(keys) = table.labels(key) else { return false };
    let names = &table.names()[1..];
    let share = |count: usize, all: usize| count as f64 / all.max(1) as f64;
    let rows = || keys.names.iter().map(String::as_str);
    let columns = || names.iter().map(String::as_str);
    let known = [
        share(lines.count_known(rows()), keys.names.len()),
        share(lines.count_known(columns()), names.len()),
        share(count_known_genes(rows()), keys.names.len()),
        share(count_known_genes(columns()), names.len()),
    ];
    let ids = matches!(table.content(key), Content::Ids(_));
    names.len() > 1 && (ids || known.iter().any(|share| *share >= 0.2))
}

/// What shows the kind of a table of features.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ShownBy {
    Columns,
    Values,
}

/// The kind that names of columns show: `TP53_mut` and `TISSUE_FACTOR` are events.
fn kind_shown_by_columns(table: &RawTable) -> Option<CellKind> {
    CellKind::all().find(|kind| table.names().iter().any(|name| kind.is_shown_by(name)))
}

/// The kind of cell-line features in a table, judged by its column names and values; `None` without features.
pub(crate) fn cell_kind(table: &RawTable) -> Option<CellKind> {
    kind_and_evidence(table).map(|(kind, _)| kind)
}

fn kind_and_evidence(table: &RawTable) -> Option<(CellKind, ShownBy)> {
    let table = &with_genes_called_drugs(table);
    if let Some(kind) = kind_shown_by_columns(table) {
        return Some((kind, ShownBy::Columns));
    }
    if [Role::Drug, Role::DrugA, Role::Signal].iter().any(|role| table.has_surely(*role)) {
        return None;
    }
    let Ok(cleared) = prepared(table, CellKind::EXPRESSION) else {
        let texts = table.role(Role::CellLine).is_some()
            && prepared(table, CellKind::CATEGORY).is_ok_and(|table| has_texts(&table));
        return texts.then_some((CellKind::CATEGORY, ShownBy::Values));
    };
    if let Some(kind) = kind_shown_by_columns(&cleared) {
        return Some((kind, ShownBy::Columns));
    }
    let columns = (1..cleared.names().len()).take(200);
    let mut values = ValueSummary::default();
    for column in columns.filter_map(|column| cleared.numbers(column, "a number").ok()) {
        column.iter().for_each(|value| values.add(*value));
    }
    CellKind::all().rev().find(|kind| kind.fits(&values)).map(|kind| (kind, ShownBy::Values))
}

/// Whether a table of categories has a text column besides the row names.
fn has_texts(table: &RawTable) -> bool {
    (1..table.names().len()).any(|column| table.is_text(column))
}
