//! How a configuration names a file: a path, or a path with options.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use halfmax_core::{Error, Result};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::assign::{Names, SaidColumns, Scope};
use crate::linked::{curves_of_archive, with_names};
use crate::note::Note;
use crate::open::{OpenOptions, read_table_with};
use crate::orientation::Orientation;
use crate::roles::Role;
use crate::table::RawTable;

/// Options that the user sets for a file instead of letting the reader detect them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TableOptions {
    /// The sheet of a workbook (its name, or its number from 1), or the file inside an archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// The separator of a text file: one character, or tab, comma, semicolon, blank, pipe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// The column of each role: `columns = { drug = "inhibitor", ignore = ["note"] }`.
    #[serde(skip_serializing_if = "SaidColumns::is_empty")]
    pub columns: SaidColumns,
    /// Declarations for all files; this file may lack the column.
    #[serde(skip)]
    pub everywhere: SaidColumns,
    /// The entries of the rows to read: `where = { study = "GDSC2" }`.
    #[serde(rename = "where", skip_serializing_if = "SaidColumns::is_empty")]
    pub rows: SaidColumns,
    /// The orientation of a matrix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orientation: Option<Orientation>,
    /// The layout of the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<String>,
    /// The column that holds the names of a matrix's or drug sheet's rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl TableOptions {
    /// Whether no option is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads a file with these options.
    ///
    /// # Errors
    /// If the file cannot be read, or an option does not fit it.
    pub fn read(&self, path: &Path) -> Result<RawTable> {
        self.read_as_said(path).map_err(|error| error.in_file(path.display()))
    }

    fn read_as_said(&self, path: &Path) -> Result<RawTable> {
        let open = OpenOptions { sheet: self.sheet.clone(), separator: self.separator.clone() };
        let archive = if self.sheet.is_none() { curves_of_archive(path)? } else { None };
        let mut table = match archive {
            Some(table) => table,
            None => with_names(read_table_with(path, &open)?, path)?,
        };
        self.apply(&mut table)?;
        Ok(table)
    }

    /// Applies these options to a table.
    ///
    /// # Errors
    /// If an option does not fit the table.
    pub(crate) fn apply(&self, table: &mut RawTable) -> Result<()> {
        let mut choice = RowChoice::of(&self.rows);
        let rows = choice.as_mut().map(|choice| choice.rows_of(table)).transpose()?;
        if let Some(choice) = choice {
            let notes = choice.conclude(table.label())?;
            table.notes.extend(notes);
        }
        table.say(&self.everywhere, Scope::AllFiles)?;
        table.say(&self.columns, Scope::ThisFile)?;
        if let Some(rows) = rows {
            let lines = lines_of_list(table, &self.rows)?;
            *table = table.with_rows(&rows);
            table.lines_before_choice = lines;
        }
        if let Some(key) = &self.key {
            let column = table.position_of(key).ok_or_else(|| {
                let found: Vec<&str> = table.names().iter().map(String::as_str).collect();
                Error::config(format!("key = {key:?}: {} has no such column", table.label()))
                    .with_help(crate::responses::meant(key, &found))
            })?;
            table.key = Some(column);
        }
        table.orientation = self.orientation;
        Ok(())
    }
}

/// The cell lines of a list of genes in cell lines, if the rows are chosen by an entry that differs within a cell line.
/// A cell line without a chosen row was tested nevertheless. Empty for other tables.
fn lines_of_list(table: &RawTable, wanted: &SaidColumns) -> Result<Vec<String>> {
    let (Some(cell), true) = (table.role(Role::CellLine), table.has_surely(Role::Gene)) else {
        return Ok(Vec::new());
    };
    let cells = table.labels(cell)?;
    for name in wanted.keys() {
        let Some(column) = table.position_of(name) else { continue };
        let labels = table.labels(column)?;
        let mut first: HashMap<u32, u32> = HashMap::new();
        let pairs = cells.of_row.iter().zip(&labels.of_row);
        let differs = pairs.into_iter().any(|(cell, label)| first.entry(*cell).or_insert(*label) != label);
        if !differs || column == cell {
            return Ok(Vec::new());
        }
    }
    Ok(cells.names.clone())
}

/// Chooses rows by their entries, one part of a table after the other.
pub(crate) struct RowChoice<'a> {
    /// The columns and their wanted entries.
    wanted: Vec<(&'a String, &'a Names)>,
    /// For each column, the number of rows that remain after it, and some entries of the column.
    left: Vec<(usize, Vec<String>)>,
    rows: usize,
    kept: usize,
    /// The number of rows at time zero and how many were kept, if the user chose a time among raw signals.
    at_time_zero: Option<(String, [usize; 2])>,
}

/// The number of entries shown if a column has no wanted entry.
const EXAMPLES: usize = 8;

impl<'a> RowChoice<'a> {
    /// `None` if no entries are wanted.
    pub fn of(wanted: &'a SaidColumns) -> Option<Self> {
        let wanted: Vec<(&String, &Names)> = wanted.iter().collect();
        let left = vec![(0, Vec::new()); wanted.len()];
        (!wanted.is_empty()).then_some(Self { wanted, left, rows: 0, kept: 0, at_time_zero: None })
    }

    /// The rows of a part with the wanted entries.
    ///
    /// # Errors
    /// If the table lacks a wanted column.
    pub fn rows_of(&mut self, table: &RawTable) -> Result<Vec<usize>> {
        let mut kept: Vec<usize> = (0..table.rows()).collect();
        for ((name, values), (left, examples)) in self.wanted.iter().zip(&mut self.left) {
            let column = table.position_of(name).ok_or_else(|| {
                let found: Vec<&str> = table.names().iter().map(String::as_str).collect();
                Error::config(format!("where.{name}: {} has no such column", table.label()))
                    .with_help(crate::responses::meant(name, &found))
            })?;
            let labels = table.labels(column)?;
            let same = |own: &str, value: &String| {
                own == value || matches!((own.parse::<f64>(), value.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
            };
            kept.retain(|row| {
                labels.at(*row).is_some_and(|own| values.all().iter().any(|value| same(own, value)))
            });
            *left += kept.len();
            for name in labels.names.iter().take(EXAMPLES) {
                let name = format!("{name:?}");
                if examples.len() < EXAMPLES && !examples.contains(&name) {
                    examples.push(name);
                }
            }
        }
        self.rows += table.rows();
        self.kept += kept.len();
        self.count_time_zeros(table, &kept)?;
        Ok(kept)
    }

    fn count_time_zeros(&mut self, table: &RawTable, kept: &[usize]) -> Result<()> {
        let (Some(time), Some(_)) = (table.role(Role::Time), table.role(Role::Signal)) else { return Ok(()) };
        if !table.is_numeric(time) || self.wanted.iter().all(|(own, _)| table.position_of(own) != Some(time))
        {
            return Ok(());
        }
        let times = table.numbers(time, "a time")?;
        let (_, [zeros, of_kept]) =
            self.at_time_zero.get_or_insert_with(|| (table.names()[time].clone(), [0, 0]));
        *zeros += times.iter().filter(|time| **time == 0.0).count();
        *of_kept += kept.iter().filter(|row| times[**row] == 0.0).count();
        Ok(())
    }

    /// The notes on the choice, after all parts were read.
    ///
    /// # Errors
    /// If no row was kept. The error names the first column that excluded all rows, and some entries of this column.
    pub fn conclude(&self, label: &str) -> Result<Vec<Note>> {
        for ((name, values), (left, examples)) in self.wanted.iter().zip(&self.left) {
            if *left == 0 {
                return Err(Error::data(format!(
                    "{label}: no row has {:?} in column {name:?}",
                    values.all().join(", ")
                ))
                .with_help(format!("the column holds {}", halfmax_core::listed(examples, EXAMPLES))));
            }
        }
        let one = |(name, values): &(&String, &Names)| format!("{name}: {}", values.all().join(" or "));
        let words = self.wanted.iter().map(one).collect::<Vec<_>>().join(", ");
        let mut notes: Vec<Note> =
            vec![format!("rows kept by where = {words}: {} of {}", self.kept, self.rows).into()];
        // Growth rates need the signals at time zero, which the choice of a time leaves out.
        if let Some((name, [zeros, 0])) = self.at_time_zero.as_ref().filter(|(_, [zeros, _])| *zeros > 0) {
            notes.push(
                format!(
                    "the {zeros} rows at time zero are left out as well, but growth-rate metrics need them; choose them too: where = {{ {name:?} = [\"0\", …] }}"
                )
                .into(),
            );
        }
        Ok(notes)
    }
}

/// A file of a configuration: `"file.csv"`, or `{ file = "file.xlsx", sheet = "data", columns = { drug = "inhibitor" } }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableFile {
    /// The path.
    pub file: PathBuf,
    /// The options.
    pub options: TableOptions,
}

impl TableFile {
    /// Reads the file; its path is relative to `base`.
    ///
    /// # Errors
    /// As [`TableOptions::read`].
    pub fn read(&self, base: &Path) -> Result<RawTable> {
        self.options.read(&base.join(&self.file))
    }

    /// Reads the file at its path as given.
    ///
    /// # Errors
    /// As [`TableOptions::read`].
    pub(crate) fn open(&self) -> Result<RawTable> {
        self.options.read(&self.file)
    }
}

impl From<PathBuf> for TableFile {
    fn from(file: PathBuf) -> Self {
        Self { file, options: TableOptions::default() }
    }
}

impl From<&Path> for TableFile {
    fn from(file: &Path) -> Self {
        file.to_path_buf().into()
    }
}

impl From<&PathBuf> for TableFile {
    fn from(file: &PathBuf) -> Self {
        file.clone().into()
    }
}

impl From<&TableFile> for TableFile {
    fn from(file: &TableFile) -> Self {
        file.clone()
    }
}

impl From<&str> for TableFile {
    fn from(file: &str) -> Self {
        PathBuf::from(file).into()
    }
}

impl AsRef<Path> for TableFile {
    fn as_ref(&self) -> &Path {
        &self.file
    }
}

/// Refuses unknown keys of a configuration table, with the same message as other tables.
pub(crate) fn refuse_unknown<E: serde::de::Error>(
    table: &toml::Table,
    known: &'static [&'static str],
) -> Result<(), E> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        Some(wrong) => Err(E::unknown_field(wrong, known)),
        None => Ok(()),
    }
}

/// A file and its options.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FileTable")]
struct Spelt {
    /// The path, relative to the configuration.
    file: PathBuf,
    #[serde(flatten)]
    options: TableOptions,
}

impl JsonSchema for TableFile {
    fn schema_name() -> Cow<'static, str> {
        "TableFile".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A file: its path, or a table such as { file = \"file.xlsx\", sheet = \"data\" }.",
            "anyOf": [{ "type": "string" }, generator.subschema_for::<Spelt>()],
        })
    }
}

impl Serialize for TableFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.options.is_empty() {
            self.file.serialize(serializer)
        } else {
            Spelt { file: self.file.clone(), options: self.options.clone() }.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for TableFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a path, or a table such as { file = \"file.csv\", sheet = \"data\" }")]
        enum Either {
            Path(PathBuf),
            Table(toml::Table),
        }
        const KNOWN: [&str; 8] =
            ["file", "sheet", "separator", "columns", "where", "orientation", "layout", "key"];
        match Either::deserialize(deserializer)? {
            Either::Path(file) => Ok(file.into()),
            Either::Table(table) => {
                refuse_unknown(&table, &KNOWN)?;
                let spelt: Spelt = table.try_into().map_err(serde::de::Error::custom)?;
                Ok(Self { file: spelt.file, options: spelt.options })
            }
        }
    }
}
