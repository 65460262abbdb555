//! The report on loading: files, matched entities, and what was left out.

use std::fmt;

use halfmax_core::listed;
use serde::Serialize;

use crate::account::Account;
use crate::table::RawTable;

/// The recognised role and the shape of a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FileShape {
    /// The file, as given.
    pub file: String,
    /// The recognised role: responses, combinations, expression, mutation, copy_number, events, category, drugs, folds,
    /// unknown.
    pub role: String,
    /// The number of rows of values, without the header.
    pub rows: usize,
    /// The number of columns.
    pub columns: usize,
    /// The orientation of entities and features, if it was detected: "cell lines × features" or the reverse.
    pub orientation: Option<String>,
}

impl FileShape {
    pub(crate) fn of(table: &RawTable, role: &str) -> Self {
        Self {
            file: table.label().to_owned(),
            role: role.to_owned(),
            rows: table.rows(),
            columns: table.names().len(),
            orientation: None,
        }
    }
}

/// The report on a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FileReport {
    /// The recognised role and shape.
    #[serde(flatten)]
    pub shape: FileShape,
    /// The number of used entities.
    pub matched: usize,
    /// Unused entities, which the rest of the data lacks.
    pub unmatched: Vec<String>,
    /// Ambiguous names, which could mean several cell lines. Their rows are left out.
    pub ambiguous: Vec<String>,
    /// The share of values that are missing, 0 to 1.
    pub missing_share: f64,
    /// The lowest and the highest value.
    pub range: Option<[f64; 2]>,
    /// The number of columns left out because they are constant.
    pub constant: usize,
    /// The use of its columns; `None` for a matrix, whose columns are features.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns_used: Option<Account>,
    /// Further notes.
    pub notes: Vec<String>,
}

/// A report on what was read, matched and left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LoadReport {
    /// The files, in the order they were read.
    pub files: Vec<FileReport>,
    /// The measured quantity.
    pub target: String,
    /// The number of cell lines of the screen.
    pub cell_lines: usize,
    /// The number of drugs of the screen.
    pub drugs: usize,
    /// The number of combinations of two drugs; `None` for a screen of single drugs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub combinations: Option<usize>,
    /// The number of responses of the screen, after repeats were merged.
    pub responses: usize,
    /// The fraction of cell line × drug pairs (or of cell line × existing combination) that have a response, 0 to 1.
    pub density: f64,
    /// The lowest and the highest response.
    pub range: [f64; 2],
    /// Entities and responses that were left out, and why.
    pub left_out: Vec<LeftOut>,
    /// Warnings.
    pub warnings: Vec<String>,
}

/// Entities or responses that were left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeftOut {
    /// The kind: "cell lines", "responses".
    pub what: String,
    /// The reason.
    pub why: String,
    /// The number.
    pub count: usize,
    /// The first few names.
    pub examples: Vec<String>,
}

impl LeftOut {
    pub(crate) fn new(what: &str, why: &str, all: &[String]) -> Self {
        let examples = all.iter().take(5).cloned().collect();
        Self { what: what.into(), why: why.into(), count: all.len(), examples }
    }
}

/// A count with its noun, which gets an s unless the count is 1: `1 curve`, `242,036 readings`.
///
/// ```
/// assert_eq!(halfmax_data::counted(1, "curve"), "1 curve");
/// assert_eq!(halfmax_data::counted(1200, "row"), "1,200 rows");
/// ```
pub fn counted(count: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// A count with thousands separators: `242,036`.
pub(crate) fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(crate) fn range_of(values: impl Iterator<Item = f64>) -> Option<[f64; 2]> {
    values.filter(|value| !value.is_nan()).fold(None, |range, value| match range {
        None => Some([value, value]),
        Some([low, high]) => Some([low.min(value), high.max(value)]),
    })
}

impl fmt::Display for FileShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, columns) = (grouped(self.rows), grouped(self.columns));
        write!(f, "{}: {}, {rows} rows × {columns} columns", self.file, self.role)?;
        self.orientation.iter().try_for_each(|orientation| write!(f, " ({orientation})"))
    }
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n    used: {}", self.shape, grouped(self.matched))?;
        if !self.unmatched.is_empty() {
            write!(f, "; not used: {} ({})", grouped(self.unmatched.len()), listed(&self.unmatched, 5))?;
        }
        write!(f, "; missing: {:.1} %", 100.0 * self.missing_share)?;
        if let Some([low, high]) = self.range {
            write!(f, "; values {low:.3} to {high:.3}")?;
        }
        if !self.ambiguous.is_empty() {
            write!(f, "\n    ambiguous names left out: {}", listed(&self.ambiguous, 5))?;
        }
        if self.constant > 0 {
            write!(f, "\n    constant columns left out: {}", grouped(self.constant))?;
        }
        self.columns_used.iter().try_for_each(|account| write!(f, "\n    {account}"))?;
        self.notes.iter().try_for_each(|note| write!(f, "\n    {note}"))
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.files {
            writeln!(f, "{file}")?;
        }
        writeln!(
            f,
            "screen: {} responses ({}) of {} cell lines × {}, {:.1} % of the pairs, {:.3} to {:.3}",
            grouped(self.responses),
            self.target,
            grouped(self.cell_lines),
            match self.combinations {
                None => format!("{} drugs", grouped(self.drugs)),
                Some(count) => format!("{} combinations of {} drugs", grouped(count), grouped(self.drugs)),
            },
            100.0 * self.density,
            self.range[0],
            self.range[1]
        )?;
        for left in &self.left_out {
            write!(f, "left out: {} {}, {}", grouped(left.count), left.what, left.why)?;
            if !left.examples.is_empty() {
                let more = left.count.saturating_sub(left.examples.len());
                let more = if more > 0 { format!(" and {} more", grouped(more)) } else { String::new() };
                write!(f, " ({}{more})", left.examples.join(", "))?;
            }
            writeln!(f)?;
        }
        self.warnings.iter().try_for_each(|warning| writeln!(f, "warning: {warning}"))
    }
}
