//! How a screen is split into folds.

mod cell_lines;
mod drugs;
mod grouping;
mod pairs;
mod tissues;

use std::path::PathBuf;

use halfmax_core::{Error, Result, Screen, check};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Folds;

pub use grouping::{Grouping, SPLITS, Screens, SplitKind};

/// How a screen is split into folds: the `[split]` table of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// What is unseen in a test set.
    pub kind: SplitKind,
    /// Number of folds to draw, 2 to 100. Ignored with `file`, `column` or `rows`.
    #[serde(default = "five")]
    pub folds: usize,
    /// The seed for drawing the folds. Ignored with `file`, `column` or `rows`.
    #[serde(default = "year")]
    pub seed: u64,
    /// A table with the fold of each entity or pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// A column of the response table with the fold of each response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Files of row numbers, one file for each fold, as IMPROVE publishes them. Each line holds the number of a row of
    /// the response table; 0 is the first row below the header. Rows that are in no file are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Vec<PathBuf>>,
    /// What to do if the given folds put an entity that the split keeps together into two folds.
    #[serde(default)]
    pub conflicts: Conflicts,
    /// The folds to run, counted from 0. All folds if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_folds: Option<Vec<usize>>,
}

/// What to do if the given folds would train and test on the same entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Conflicts {
    /// Refuse the folds.
    #[default]
    Error,
    /// Test all responses of the entity in the fold that has most of them; on ties, the first.
    Majority,
}

const fn five() -> usize {
    5
}

const fn year() -> u64 {
    2026
}

impl Split {
    /// Five folds of this kind, drawn with seed 2026.
    pub fn new(kind: SplitKind) -> Self {
        Self {
            kind,
            folds: five(),
            seed: year(),
            file: None,
            column: None,
            rows: None,
            conflicts: Conflicts::Error,
            only_folds: None,
        }
    }

    /// Checks everything that can be checked without data.
    ///
    /// # Errors
    /// If `folds` is out of range, if two of file, column and rows are given, or if `only_folds` is empty, names a fold
    /// twice, or names a fold that does not exist.
    pub fn check(&self) -> Result<()> {
        check::within("split.folds", self.folds, 2..=100)?;
        let given: Vec<&str> =
            [("file", self.file.is_some()), ("column", self.column.is_some()), ("rows", self.rows.is_some())]
                .into_iter()
                .filter_map(|(name, given)| given.then_some(name))
                .collect();
        if let [first, second, ..] = given[..] {
            return Err(Error::config(format!(
                "split.{first} and split.{second} are both set: expected at most one of them"
            )));
        }
        if let Some(rows) = self.rows.as_ref().filter(|rows| rows.len() < 2) {
            return Err(Error::parameter(
                "split.rows",
                format!("{rows:?}"),
                "at least two files of row numbers: the test files of all folds, or those of one split with only_folds = [0]",
            ));
        }
        let given = !given.is_empty();
        self.to_run(if given { usize::MAX } else { self.folds }).map(|_| ())
    }

    /// Draws the folds of a split without a file, a column or rows.
    ///
    /// # Errors
    /// As [`Split::check`] and [`Folds::draw`].
    pub fn draw(&self, screen: &Screen) -> Result<Folds> {
        self.check()?;
        Folds::draw(screen, self.kind, self.folds, self.seed)
    }

    /// The folds to run out of `count`, as in [`Split::only_folds`]; `None` for all.
    ///
    /// # Errors
    /// If `only_folds` is empty, names a fold twice, or names a fold that does not exist.
    pub fn to_run(&self, count: usize) -> Result<Option<&[usize]>> {
        let Some(only) = &self.only_folds else { return Ok(None) };
        check_only(only, count).map(|()| Some(only.as_slice()))
    }
}

pub(crate) fn check_only(only: &[usize], count: usize) -> Result<()> {
    if only.is_empty() {
        return Err(Error::parameter(
            "split.only_folds",
            "[]",
            "at least one fold; remove it to run all folds",
        ));
    }
    for (at, fold) in only.iter().enumerate() {
        if *fold >= count {
            return Err(Error::parameter(
                "split.only_folds",
                fold,
                &format!("folds from 0 to {}", count - 1),
            ));
        }
        if only[..at].contains(fold) {
            return Err(Error::parameter("split.only_folds", fold, "each fold once"));
        }
    }
    Ok(())
}
