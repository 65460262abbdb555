//! A table as it was read: named columns of numbers or text, and its source.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use halfmax_core::{Error, Result, listed};

use crate::assign::Candidate;
use crate::missing::is_missing;
use crate::note::Note;
use crate::number::{NumberStyle, plain_number, styled_number};
use crate::orientation::Orientation;
use crate::plate_wells::WellSpan;
use crate::profile::Content;
use crate::roles::Role;

/// A table: named columns of text or numbers, and its source.
#[derive(Clone, Debug)]
pub struct RawTable {
    pub(crate) label: String,
    pub(crate) columns: Vec<RawColumn>,
    pub(crate) rows: usize,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    /// Decisions made on opening the file, one sentence each.
    pub(crate) notes: Vec<Note>,
    /// The file row of each row; the header is row 1.
    pub(crate) places: RowPlaces,
    /// Whether the file has a row of names. Without it, the columns are named `column 1` and so on.
    pub(crate) header: Header,
    /// Declared columns with their roles.
    pub(crate) said: Vec<(Role, usize)>,
    /// Columns to skip.
    pub(crate) ignored: Vec<usize>,
    /// The column of row names, if declared.
    pub(crate) key: Option<usize>,
    /// The orientation of a matrix, if declared.
    pub(crate) orientation: Option<Orientation>,
    /// The cell lines of a list before some of its rows were chosen.
    pub(crate) lines_before_choice: Vec<String>,
    /// Decisions about the whole table, if this table is a part.
    pub(crate) decided: Option<Arc<OfWhole>>,
    /// The candidates for each role, computed on demand.
    pub(crate) candidates: OnceLock<Vec<Candidate>>,
    names: Vec<String>,
}

/// Decisions about a whole table that apply to each of its parts.
#[derive(Clone, Debug, Default)]
pub(crate) struct OfWhole {
    /// The content of columns, by name.
    pub contents: HashMap<String, Content>,
    /// Whether wells were read after time zero; `None` if undecided.
    pub later_times: Option<bool>,
    /// The extent of the wells; `None` if undecided.
    pub wells: Option<WellSpan>,
}

impl RawTable {
    /// Decides the content of its columns for any subset of its rows.
    pub(crate) fn decide_contents(&mut self) {
        if self.decided.is_none() {
            let names = self.names.iter().cloned();
            let contents = names.enumerate().map(|(at, name)| (name, self.content(at))).collect();
            self.decided = Some(Arc::new(OfWhole { contents, ..OfWhole::default() }));
        }
    }
}

/// Whether a file has column names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// The file has a header.
    Found,
    /// The file has no header.
    Missing,
}

/// A column.
#[derive(Clone, Debug)]
pub(crate) struct RawColumn {
    pub name: String,
    pub values: Values,
}

/// The values of a column. Copies share them.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    /// Numbers; NaN if missing.
    Numbers(Arc<Vec<f64>>),
    /// Single-precision numbers, as in the file; NaN if missing.
    Singles(Arc<Vec<f32>>),
    /// Texts.
    Texts(Arc<Labels>),
    /// Values that are neither numbers nor texts: lists, structures. The text names their type.
    Other(String),
}

/// A column of text: its distinct texts, and the position of each row's text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels {
    pub names: Vec<String>,
    /// Positions among the names, or [`Labels::MISSING`].
    pub of_row: Vec<u32>,
}

impl Labels {
    pub const MISSING: u32 = u32::MAX;

    /// The text of a row; `None` if missing.
    pub fn at(&self, row: usize) -> Option<&str> {
        self.names.get(self.of_row[row] as usize).map(String::as_str)
    }
}

/// Collects the distinct texts of a column. Trims blanks and recognises missing values.
#[derive(Debug, Default)]
pub(crate) struct LabelsBuilder {
    labels: Labels,
    known: HashMap<String, u32>,
    bytes: usize,
}

impl LabelsBuilder {
    pub fn push(&mut self, text: Option<&str>) {
        let text = text.map(str::trim).filter(|text| !is_missing(text));
        let at = text.map_or(Labels::MISSING, |text| self.place_of(text));
        self.labels.of_row.push(at);
    }

    /// The position of a text among the names; a new text is added.
    fn place_of(&mut self, text: &str) -> u32 {
        if let Some(at) = self.known.get(text) {
            return *at;
        }
        let at = self.labels.names.len() as u32;
        self.known.insert(text.to_owned(), at);
        self.bytes += text.len();
        self.labels.names.push(text.to_owned());
        at
    }

    /// Appends the rows of another column.
    pub fn append(&mut self, next: &Labels) {
        let places: Vec<u32> = next.names.iter().map(|name| self.place_of(name)).collect();
        let place = |at: &u32| places.get(*at as usize).copied().unwrap_or(Labels::MISSING);
        self.labels.of_row.extend(next.of_row.iter().map(place));
    }

    /// The total length of the distinct texts in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn finish(self) -> Labels {
        self.labels
    }

    #[cfg(test)]
    pub fn labels(&self) -> &Labels {
        &self.labels
    }
}

/// The positions of a table's rows in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowPlaces {
    /// Consecutive rows from this row on.
    From(usize),
    /// Row by row.
    Listed(Vec<u32>),
}

impl RowPlaces {
    pub(crate) fn of(&self, at: usize) -> usize {
        match self {
            Self::From(first) => first + at,
            Self::Listed(rows) => rows.get(at).map_or(at + 2, |row| *row as usize),
        }
    }
}

impl Values {
    pub fn numbers(values: Vec<f64>) -> Self {
        Self::Numbers(Arc::new(values))
    }

    pub fn singles(values: Vec<f32>) -> Self {
        Self::Singles(Arc::new(values))
    }

    pub fn texts(labels: Labels) -> Self {
        Self::Texts(Arc::new(labels))
    }

    pub fn len(&self) -> Option<usize> {
        match self {
            Self::Numbers(values) => Some(values.len()),
            Self::Singles(values) => Some(values.len()),
            Self::Texts(labels) => Some(labels.of_row.len()),
            Self::Other(_) => None,
        }
    }

    pub fn is_all_missing(&self) -> bool {
        match self {
            Self::Numbers(values) => values.iter().all(|value| value.is_nan()),
            Self::Singles(values) => values.iter().all(|value| value.is_nan()),
            Self::Texts(labels) => labels.names.is_empty(),
            Self::Other(_) => false,
        }
    }

    /// Whether both are the same shared values, not a copy.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Numbers(a), Self::Numbers(b)) => Arc::ptr_eq(a, b),
            (Self::Singles(a), Self::Singles(b)) => Arc::ptr_eq(a, b),
            (Self::Texts(a), Self::Texts(b)) => Arc::ptr_eq(a, b),
            // The values of lists and structures are not kept, so compare only the types.
            (Self::Other(a), Self::Other(b)) => a == b,
            _ => false,
        }
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Numbers(a), Self::Numbers(b)) => {
                a.iter().zip(b.iter()).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
            }
            (Self::Singles(a), Self::Singles(b)) => {
                a.iter().zip(b.iter()).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
            }
            (Self::Texts(a), Self::Texts(b)) => (0..a.of_row.len()).all(|row| a.at(row) == b.at(row)),
            _ => false,
        }
    }

    /// Concatenates the values of several parts of a column. If one part holds texts, the numbers of the others become
    /// texts.
    pub(crate) fn joined(parts: Vec<Self>) -> Self {
        if let Some(Self::Other(kind)) = parts.iter().find(|part| matches!(part, Self::Other(_))) {
            return Self::Other(kind.clone());
        }
        if parts.iter().any(|part| matches!(part, Self::Texts(_))) {
            let mut builder = LabelsBuilder::default();
            for part in &parts {
                match part {
                    Self::Texts(labels) => builder.append(labels),
                    Self::Numbers(values) => {
                        values.iter().for_each(|value| builder.push(number_text(*value).as_deref()));
                    }
                    Self::Singles(values) => {
                        let text = |value: &f32| (!value.is_nan()).then(|| value.to_string());
                        values.iter().for_each(|value| builder.push(text(value).as_deref()));
                    }
                    Self::Other(_) => {}
                }
            }
            return Self::texts(builder.finish());
        }
        if parts.iter().all(|part| matches!(part, Self::Singles(_))) {
            let all = parts.iter().flat_map(|part| match part {
                Self::Singles(values) => values.as_slice(),
                _ => &[],
            });
            return Self::singles(all.copied().collect());
        }
        let mut all = Vec::with_capacity(parts.iter().filter_map(Self::len).sum());
        for part in &parts {
            match part {
                Self::Numbers(values) => all.extend_from_slice(values),
                Self::Singles(values) => all.extend(values.iter().map(|value| f64::from(*value))),
                Self::Texts(_) | Self::Other(_) => {}
            }
        }
        Self::numbers(all)
    }

    pub(crate) fn taken(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numbers(values) => Self::numbers(rows.iter().map(|row| values[*row]).collect()),
            Self::Singles(values) => Self::singles(rows.iter().map(|row| values[*row]).collect()),
            Self::Texts(labels) => {
                let mut builder = LabelsBuilder::default();
                rows.iter().for_each(|row| builder.push(labels.at(*row)));
                Self::texts(builder.finish())
            }
            Self::Other(kind) => Self::Other(kind.clone()),
        }
    }
}

impl RawTable {
    /// A table of these columns. Columns without a name and a value are left out. Of identical columns, one is kept,
    /// with a note.
    ///
    /// # Errors
    /// If two columns share a name but hold different values, or no column is left.
    pub(crate) fn new(
        label: &str,
        columns: Vec<RawColumn>,
        rows: usize,
        places: RowPlaces,
        notes: Vec<String>,
    ) -> Result<Self> {
        let mut table = Self {
            label: label.to_owned(),
            columns,
            rows,
            bytes: 0,
            sha256: String::new(),
            notes: notes.into_iter().map(Note::from).collect(),
            places,
            header: Header::Found,
            said: Vec::new(),
            ignored: Vec::new(),
            key: None,
            orientation: None,
            lines_before_choice: Vec::new(),
            decided: None,
            candidates: OnceLock::new(),
            names: Vec::new(),
        };
        table.leave_out_empty_columns();
        if table.columns.is_empty() {
            return Err(Error::data(format!(
                "{label}: the file has rows, but no column has a name or a value"
            ))
            .with_help("write a header row and at least one row of values"));
        }
        table.leave_out_repeated_columns()?;
        table.name_columns();
        Ok(table)
    }

    fn leave_out_empty_columns(&mut self) {
        let before = self.columns.len();
        self.columns.retain(|column| !(column.name.is_empty() && column.values.is_all_missing()));
        if self.columns.len() < before {
            self.notes.push(
                format!("columns without a name and without a value: {}", before - self.columns.len()).into(),
            );
        }
    }

    fn leave_out_repeated_columns(&mut self) -> Result<()> {
        let mut first: HashMap<&str, usize> = HashMap::new();
        let (mut same, mut different) = (Vec::new(), Vec::new());
        for (at, column) in self.columns.iter().enumerate().filter(|(_, column)| !column.name.is_empty()) {
            let Some(earlier) = first.get(column.name.as_str()) else {
                first.insert(&column.name, at);
                continue;
            };
            let equal = self.columns[*earlier].values.same(&column.values);
            if equal { same.push(at) } else { different.push(format!("{:?}", column.name)) }
        }
        different.dedup();
        if !different.is_empty() {
            return Err(Error::data(format!(
                "{}: columns occur twice with different values: {}",
                self.label,
                listed(&different, 5)
            ))
            .with_help("keep one column of each name, or rename the others"));
        }
        if !same.is_empty() {
            let names: Vec<&str> = same.iter().map(|at| self.columns[*at].name.as_str()).collect();
            self.notes.push(format!("columns that repeat an earlier one: {}", listed(&names, 5)).into());
            let mut at = 0;
            self.columns.retain(|_| {
                at += 1;
                !same.contains(&(at - 1))
            });
        }
        Ok(())
    }

    /// Names unnamed columns after the first by their number (`column 7`), and stores the list of names.
    fn name_columns(&mut self) {
        for (at, column) in self.columns.iter_mut().enumerate().skip(1) {
            if column.name.is_empty() {
                column.name = format!("column {}", at + 1);
            }
        }
        self.names = self.columns.iter().map(|column| column.name.clone()).collect();
    }

    /// The name of the source in messages.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The column names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of rows, without the header.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The size of the file in bytes, before unpacking.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The SHA-256 of the file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Decisions made on opening the file (its separator, a missing header, rows set aside), one sentence each.
    pub fn notes(&self) -> Vec<String> {
        self.notes.iter().map(Note::to_string).collect()
    }

    /// Takes the notes out of the table.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// The row of the file that holds entry `at` of a column: the header is row 1.
    pub fn row_of(&self, at: usize) -> usize {
        self.places.of(at)
    }

    /// Whether a column holds only numbers.
    pub fn is_numeric(&self, column: usize) -> bool {
        match &self.columns[column].values {
            Values::Numbers(_) | Values::Singles(_) => true,
            Values::Texts(labels) => labels.names.iter().all(|text| text.parse::<f64>().is_ok()),
            Values::Other(_) => false,
        }
    }

    /// Whether a column holds text.
    pub fn is_text(&self, column: usize) -> bool {
        !self.is_numeric(column)
    }

    /// A column as text without surrounding blanks; `None` for missing values. Integers have no decimal point.
    ///
    /// # Errors
    /// If the column is of a type that has no text form (lists, structures).
    pub fn texts(&self, column: usize) -> Result<Vec<Option<String>>> {
        let labels = self.labels(column)?;
        Ok((0..self.rows).map(|row| labels.at(row).map(str::to_owned)).collect())
    }

    /// A column as text with distinct texts stored once.
    ///
    /// # Errors
    /// As [`RawTable::texts`].
    pub(crate) fn labels(&self, column: usize) -> Result<Arc<Labels>> {
        let mut builder = LabelsBuilder::default();
        match &self.columns[column].values {
            Values::Texts(labels) => return Ok(labels.clone()),
            Values::Numbers(values) => {
                values.iter().for_each(|value| builder.push(number_text(*value).as_deref()));
            }
            Values::Singles(values) => values
                .iter()
                .for_each(|value| builder.push((!value.is_nan()).then(|| value.to_string()).as_deref())),
            Values::Other(kind) => return Err(self.no_text(column, kind)),
        }
        Ok(Arc::new(builder.finish()))
    }

    fn no_text(&self, column: usize, kind: &str) -> Error {
        let name = &self.names[column];
        Error::data(format!("{}: column {name:?} holds {kind}, expected text or numbers", self.label))
            .with_help("write the file again with plain columns of text and numbers")
    }

    /// A column as numbers, NaN for missing values. `true` and `false` are 1 and 0.
    ///
    /// # Errors
    /// If a value is text. The error names the file, the column, the row, the value and the expectation.
    pub fn numbers(&self, column: usize, expected: &str) -> Result<Arc<Vec<f64>>> {
        let labels = match &self.columns[column].values {
            Values::Numbers(values) => return Ok(values.clone()),
            Values::Singles(values) => {
                return Ok(Arc::new(values.iter().map(|value| f64::from(*value)).collect()));
            }
            Values::Other(kind) => return Err(self.no_text(column, kind)),
            Values::Texts(labels) => labels,
        };
        let parsed: Vec<Option<f64>> = labels.names.iter().map(|text| number_of(text)).collect();
        if let Some(wrong) = parsed.iter().position(Option::is_none) {
            let at = labels.of_row.iter().position(|label| *label == wrong as u32).unwrap_or_default();
            return Err(self.no_number(column, at, &labels.names[wrong], expected));
        }
        let number = |label: &u32| parsed.get(*label as usize).copied().flatten().unwrap_or(f64::NAN);
        Ok(Arc::new(labels.of_row.iter().map(number).collect()))
    }

    /// The error for a text instead of a number. The help depends on the form of the text.
    fn no_number(&self, column: usize, at: usize, text: &str, expected: &str) -> Error {
        let error = self.bad_value(column, at, text, expected);
        if text.starts_with(['<', '>', '≤', '≥']) {
            return error
                .with_help("a bound is not a measurement: leave the value empty, or write only the number");
        }
        if text.ends_with('%') {
            return error.with_help(
                "write the number without the sign, and put \"percent\" in the name of the column",
            );
        }
        if styled_number(text, NumberStyle::Thousands).is_some()
            || styled_number(text, NumberStyle::Comma).is_some()
        {
            return error.with_help(
                "the comma could be a decimal comma or a separator of thousands: write 1000 for a thousand, 0.5 for a half",
            );
        }
        error
    }

    /// The error for a single value. It names the file, the column, the row, the value and the expectation.
    pub(crate) fn bad_value(
        &self,
        column: usize,
        at: usize,
        value: impl std::fmt::Display,
        expected: &str,
    ) -> Error {
        let name = &self.names[column];
        let row = self.row_of(at);
        Error::data(format!("{}: column {name:?}, row {row}: \"{value}\": expected {expected}", self.label))
            .in_value(&self.label, name, row)
            .with_help("correct the value, leave it empty if it is missing, or remove the column")
    }

    /// The first column that has one of these names; case, blanks, hyphens and underscores do not matter.
    pub fn find(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|wanted| {
            let wanted = crate::columns::plain(wanted);
            self.names.iter().position(|name| crate::columns::plain(name) == wanted)
        })
    }

    /// Refuses a matrix whose columns have no names.
    ///
    /// # Errors
    /// If the file has no header.
    pub(crate) fn refuse_without_header(&self) -> Result<()> {
        match self.header {
            Header::Found => Ok(()),
            Header::Missing => Err(Error::data(format!(
                "{}: no header row: the first row looks like the other rows, so the columns have no names",
                self.label
            ))
            .with_help("add a row of names; or, for a list, declare the columns: columns = { cell_line = \"column 1\", drug = \"column 2\", response = \"column 3\" }")),
        }
    }

    /// The table with only these rows.
    pub(crate) fn with_rows(&self, rows: &[usize]) -> Self {
        let columns = self
            .columns
            .iter()
            .map(|column| RawColumn { name: column.name.clone(), values: column.values.taken(rows) })
            .collect();
        let places = RowPlaces::Listed(rows.iter().map(|row| self.row_of(*row) as u32).collect());
        Self { columns, rows: rows.len(), places, ..self.without_columns() }
    }

    /// The table with only these columns.
    ///
    /// # Errors
    /// If the table lacks one of these columns.
    pub(crate) fn only_columns(&self, columns: &[usize]) -> Result<Self> {
        let own = columns.iter().map(|column| self.columns[*column].clone()).collect();
        Self::new(&self.label, own, self.rows, self.places.clone(), Vec::new())
    }

    /// A table of columns with the names, types and order of another table.
    pub(crate) fn like(other: &Self, columns: Vec<RawColumn>, rows: usize, places: RowPlaces) -> Self {
        Self { columns, rows, places, ..other.without_columns() }
    }

    pub(crate) fn without_columns(&self) -> Self {
        Self {
            label: self.label.clone(),
            columns: Vec::new(),
            rows: 0,
            bytes: self.bytes,
            sha256: self.sha256.clone(),
            notes: self.notes.clone(),
            places: RowPlaces::From(2),
            header: self.header,
            said: self.said.clone(),
            ignored: self.ignored.clone(),
            key: self.key,
            orientation: self.orientation,
            lines_before_choice: self.lines_before_choice.clone(),
            decided: self.decided.clone(),
            candidates: OnceLock::new(),
            names: self.names.clone(),
        }
    }

    /// The table with other columns of the same length.
    ///
    /// # Errors
    /// If two columns share a name but hold different values.
    pub(crate) fn with_columns(
        &self,
        columns: Vec<RawColumn>,
        notes: impl IntoIterator<Item = impl Into<Note>>,
    ) -> Result<Self> {
        let rows = columns.iter().find_map(|column| column.values.len()).unwrap_or(0);
        let places = if rows == self.rows { self.places.clone() } else { RowPlaces::From(2) };
        let table = Self::new(&self.label, columns, rows, places, Vec::new())?;
        let notes = notes.into_iter().map(Into::into).chain(table.notes.clone()).collect();
        Ok(Self { bytes: self.bytes, sha256: self.sha256.clone(), notes, ..table })
    }
}

/// A number as text, integers without a decimal point; `None` for NaN.
fn number_text(value: f64) -> Option<String> {
    (!value.is_nan()).then(|| value.to_string())
}

/// A text as a number. Leading zeros are allowed; `true` and `false` are 1 and 0.
fn number_of(text: &str) -> Option<f64> {
    plain_number(text).or_else(|| text.parse().ok()).or(match text {
        "true" | "True" | "TRUE" => Some(1.0),
        "false" | "False" | "FALSE" => Some(0.0),
        _ => None,
    })
}
