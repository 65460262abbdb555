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

/// An error that reads like a sentence: what is wrong and where, and how to mend it.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None, source: None }
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
        Self::config(format!("{name} = {value}: expected {expected}"))
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
