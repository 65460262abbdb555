use std::fmt;

/// A result whose error is halfmax's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as a caller (or an exit code) needs to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A parameter or a configuration that cannot work.
    Config,
    /// Input data that cannot be used.
    Data,
    /// The work itself failed: a file that cannot be written, a computation that broke down.
    Failed,
    /// The result is not what was asked for.
    Unmet,
    /// The user stopped it.
    Interrupted,
}

/// An error that reads like a sentence: what is wrong and where, and how to mend it. Where it is of a file, of a value in a table or of
/// a parameter, it also has these as fields, for programs.
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

/// Where an error is, as far as a program may want to know.
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

    /// A parameter out of its range: names it, its value and what is allowed.
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

    /// The result is not what was asked for.
    pub fn unmet(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unmet, message)
    }

    /// The user stopped it.
    pub fn interrupted() -> Self {
        Self::new(ErrorKind::Interrupted, "interrupted")
    }

    /// Standard output cannot be written. Where whoever read it has seen enough, that is an interruption.
    pub fn standard_output(error: std::io::Error) -> Self {
        let what = "standard output was closed before everything was written";
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::new(ErrorKind::Interrupted, what),
            _ => Self::failed(format!("standard output cannot be written: {error}")).because(error),
        }
    }

    /// Adds how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Puts a place (a file, a model, a fold) before the message.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// Notes which file it is of, unless that is known. The message stays as it is.
    #[must_use]
    pub fn in_file(mut self, path: impl fmt::Display) -> Self {
        self.place.path.get_or_insert_with(|| path.to_string());
        self
    }

    /// Notes which value of a table it is of: the file, the column, and the row as a person counts. The message stays as it is.
    #[must_use]
    pub fn in_value(self, path: impl fmt::Display, column: impl Into<String>, row: usize) -> Self {
        let mut error = self.in_file(path);
        error.place.column = Some(column.into());
        error.place.row = Some(row);
        error
    }

    /// The file that it is of, where that is known.
    pub fn path(&self) -> Option<&str> {
        self.place.path.as_deref()
    }

    /// The column that it is of, where it is of one.
    pub fn column(&self) -> Option<&str> {
        self.place.column.as_deref()
    }

    /// The row of the file that it is of, as a person counts: the header is row 1.
    pub fn row(&self) -> Option<usize> {
        self.place.row
    }

    /// The parameter that it is of, where it is of one.
    pub fn parameter_name(&self) -> Option<&str> {
        self.place.parameter.as_deref()
    }

    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// How to mend it, where that is known.
    pub fn advice(&self) -> Option<&str> {
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

/// The first few of `names`, then how many more there are: `a, b, c and 4 more`.
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
