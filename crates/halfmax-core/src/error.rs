//! The error of every halfmax crate.

use std::fmt;

/// A result whose error is halfmax's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in the classes that a caller or an exit code distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A parameter or a configuration that cannot work.
    Config,
    /// Input data that cannot be used.
    Data,
    /// The work failed: a file could not be written, or a computation broke down.
    Failed,
    /// The work finished, but its result does not meet the request.
    CheckFailed,
    /// The user stopped the work.
    Interrupted,
}

/// An error that reads like a sentence: what is wrong, where, and how to mend it. An error about a file, a table value or a
/// parameter also has the place as fields, for programs.
///
/// ```
/// let error = halfmax_core::Error::data("doses.csv: column \"dose\", row 3: \"x\": expected a number").in_value("doses.csv", "dose", 3);
/// assert_eq!((error.path(), error.column(), error.row()), (Some("doses.csv"), Some("dose"), Some(3)));
/// let error = halfmax_core::Error::parameter("folds", 1, "2 to 100");
/// assert_eq!(error.parameter_name(), Some("folds"));
/// ```
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    place: Box<Place>,
}

/// The place of an error, for programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    path: Option<String>,
    column: Option<String>,
    row: Option<usize>,
    parameter: Option<String>,
}

impl Error {
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None, source: None, place: Box::default() }
    }

    /// A parameter or configuration that cannot work.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// A parameter out of its range. The message names the parameter, its value and the allowed values.
    ///
    /// ```
    /// let error = halfmax_core::Error::parameter("learning_rate", -1.0, "a number above 0, at most 1");
    /// assert_eq!(error.to_string(), "learning_rate = -1: expected a number above 0, at most 1");
    /// ```
    pub fn parameter(name: &str, value: impl fmt::Display, expected: &str) -> Self {
        let mut error = Self::config(format!("{name} = {value}: expected {expected}"));
        error.place.parameter = Some(name.to_owned());
        error
    }

    /// Input data that cannot be used.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, message)
    }

    /// The work failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, message)
    }

    /// The work finished, but its result does not meet the request.
    pub fn check_failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::CheckFailed, message)
    }

    /// The user stopped the work.
    pub fn interrupted() -> Self {
        Self::new(ErrorKind::Interrupted, "interrupted")
    }

    /// Standard output cannot be written. A closed pipe counts as an interruption: its reader has seen enough.
    pub fn standard_output(error: std::io::Error) -> Self {
        let what = "standard output was closed before everything was written";
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::new(ErrorKind::Interrupted, what),
            _ => Self::failed(format!("standard output cannot be written: {error}")).with_source(error),
        }
    }

    /// Adds advice on how to mend the error.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Puts a place (a file, a model, a fold) before the message.
    #[must_use]
    pub fn with_context(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// Records the file that the error is about, unless the error already has one. The message does not change.
    #[must_use]
    pub fn in_file(mut self, path: impl fmt::Display) -> Self {
        self.place.path.get_or_insert_with(|| path.to_string());
        self
    }

    /// Records the table value that the error is about: the file, the column, and the row as a person counts. The message
    /// does not change.
    #[must_use]
    pub fn in_value(self, path: impl fmt::Display, column: impl Into<String>, row: usize) -> Self {
        let mut error = self.in_file(path);
        error.place.column = Some(column.into());
        error.place.row = Some(row);
        error
    }

    /// The file that the error is about, if known.
    pub fn path(&self) -> Option<&str> {
        self.place.path.as_deref()
    }

    /// The column that the error is about, if any.
    pub fn column(&self) -> Option<&str> {
        self.place.column.as_deref()
    }

    /// The row of the file that the error is about, as a person counts: the header is row 1.
    pub fn row(&self) -> Option<usize> {
        self.place.row
    }

    /// The parameter that the error is about, if any.
    pub fn parameter_name(&self) -> Option<&str> {
        self.place.parameter.as_deref()
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// How to mend the error, if known.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// The first `most` of `names`, then the number of the others: `a, b, c and 4 more`.
///
/// ```
/// assert_eq!(halfmax_core::listed(&["a", "b", "c"], 2), "a, b and 1 more");
/// ```
pub fn listed<S: AsRef<str>>(names: &[S], most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(most).map(AsRef::as_ref).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        rest => format!("{} and {rest} more", shown.join(", ")),
    }
}
