//! Tables that name their cell lines and drugs by numbers that other tables of the same release explain, as CTRP publishes them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use halfmax_core::{Error, Result};

use crate::columns::plain;
use crate::note::Note;
use crate::open::{OpenOptions, read_file, read_table};
use crate::table::{LabelsBuilder, RawColumn, RawTable, Values};

/// A table that explains an id: the end of its file name, the id, and the column with the explanation.
struct Link {
    file: &'static str,
    id: &'static str,
    says: &'static str,
    /// The role key of the explanation.
    called: &'static str,
}

/// CTRP: experiments give the cell lines, compounds give their names.
static CELL_LINES: [Link; 2] = [
    Link { file: "meta.per_experiment", id: "experiment_id", says: "master_ccl_id", called: "master_ccl_id" },
    Link { file: "meta.per_cell_line", id: "master_ccl_id", says: "ccl_name", called: "ccl_name" },
];
static COMPOUND: Link =
    Link { file: "meta.per_compound", id: "master_cpd_id", says: "cpd_name", called: "cpd_name" };

/// Adds the names of cell lines and compounds to a CTRP table, from the other CTRP tables in the same folder. Other
/// tables are returned unchanged.
///
/// # Errors
/// If a required table is not in the same folder (the error names the file), or an id is not explained.
pub(crate) fn with_names(table: RawTable, path: &Path) -> Result<RawTable> {
    NameLinks::of(&table, path)?.link(table)
}

/// The tables that explain the ids of a CTRP table; empty for other tables.
#[derive(Default)]
pub(crate) struct NameLinks(Vec<(&'static Link, RawTable)>);

impl NameLinks {
    /// Looks for the tables in the folder of a table or of a sample of the table.
    ///
    /// # Errors
    /// If a required table is missing. The error names the file.
    pub fn of(table: &RawTable, path: &Path) -> Result<Self> {
        let has = |name: &str| table.find(&[name]).is_some();
        if !has("experiment_id") || !has("master_cpd_id") || has("ccl_name") {
            return Ok(Self::default());
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let links = CELL_LINES.iter().chain([&COMPOUND]).filter(|link| !has(link.called));
        links.map(|link| Ok((link, beside(table, folder, link)?))).collect::<Result<_>>().map(Self)
    }

    /// The table with the explanations of its ids.
    ///
    /// # Errors
    /// If an explaining table lacks a column.
    pub fn link(&self, table: RawTable) -> Result<RawTable> {
        self.0.iter().try_fold(table, |table, (link, other)| linked(table, other, link))
    }
}

/// Whether a file has the name of a table. Releases differ in dots and underscores (`v20.meta.per_compound.txt`). Files
/// that macOS adds to archives are ignored.
fn is_called(file: &str, part: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    !name.starts_with('.') && plain(name).contains(&plain(part))
}

/// The table of a link, from the folder (or archive) of the first table.
fn beside(table: &RawTable, folder: &Path, link: &Link) -> Result<RawTable> {
    let files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    let mut found: Vec<&PathBuf> = files
        .iter()
        .filter(|file| file.file_name().is_some_and(|name| is_called(&name.to_string_lossy(), link.file)))
        .collect();
    found.sort();
    match found.first() {
        Some(file) => read_table(file),
        None => Err(Error::data(format!(
            "{}: names its cell lines and compounds by numbers (experiment_id, master_cpd_id), but the table that explains {} is not in the same folder",
            table.label(),
            link.id
        ))
        .with_help(format!("put {}.txt of the same release into {}", link.file, folder.display()))),
    }
}

/// A table with the explanations of its ids from another table.
fn linked(table: RawTable, other: &RawTable, link: &Link) -> Result<RawTable> {
    let column = |table: &RawTable, name: &str| {
        table.find(&[name]).ok_or_else(|| {
            Error::data(format!(
                "{}: column {name} is missing, expected in a file {}",
                table.label(),
                link.file
            ))
        })
    };
    let ids = other.texts(column(other, link.id)?)?;
    let says = other.texts(column(other, link.says)?)?;
    let known: HashMap<String, String> =
        ids.into_iter().zip(says).filter_map(|(id, says)| Some((id?, says?))).collect();
    let own = table.labels(column(&table, link.id)?)?;
    let mut named = LabelsBuilder::default();
    let mut unknown = 0;
    for row in 0..table.rows() {
        let says = own.at(row).and_then(|id| known.get(id));
        unknown += usize::from(says.is_none());
        named.push(says.map(String::as_str));
    }
    let mut columns = table.columns.clone();
    columns.push(RawColumn { name: link.called.to_owned(), values: Values::texts(named.finish()) });
    let mut notes = table.notes.clone();
    notes.push(format!("{} from {}", link.says, other.label()).into());
    if unknown > 0 {
        notes.push(
            Note::new(format!("rows whose {} {} does not explain: ", link.id, other.label()))
                .count(unknown, ""),
        );
    }
    let places = table.places.clone();
    let mut joined = table.with_columns(columns, notes)?;
    joined.keep_what_was_said(&table);
    joined.places = places;
    Ok(joined)
}

/// The curve table of a CTRP archive, joined with its other tables; `None` for other archives.
///
/// # Errors
/// If a file of the archive cannot be read.
pub(crate) fn curves_of_archive(path: &Path) -> Result<Option<RawTable>> {
    if path.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("zip")) {
        return Ok(None);
    }
    let label = path.display().to_string();
    let bytes = read_file(path)?;
    let members = crate::open::members(&label, &bytes)?;
    let named = |part: &str| members.iter().find(|name| is_called(name, part));
    let Some(curves) = named("curves_post_qc") else { return Ok(None) };
    let read = |name: &str| {
        let inner = crate::open::extract(&label, &bytes, name)?;
        crate::open::open(&format!("{label}/{name}"), inner, &OpenOptions::default())
    };
    let mut joined = read(curves)?;
    (joined.bytes, joined.sha256) = (bytes.len() as u64, crate::digest::sha256_bytes(&bytes));
    for link in CELL_LINES.iter().chain([&COMPOUND]) {
        let name = named(link.file).ok_or_else(|| {
            Error::data(format!("{label}: the archive has no file {}", link.file))
                .with_help("download the archive again")
        })?;
        joined = linked(joined, &read(name)?, link)?;
    }
    joined.label = label.clone();
    Ok(Some(joined))
}
