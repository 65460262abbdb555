use std::fmt;
use std::path::PathBuf;

use halfmax_core::{Error, Result, Screen};
use serde::{Deserialize, Serialize};

use crate::Folds;

/// What is unseen in a test set, and so which question the evaluation answers.
///
/// With two or more drug sides, a "drug" of [`SplitKind::Lpo`] is the combination, in whatever order its
/// drugs stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitKind {
    /// Leave pairs out: unseen pairs of cell line and drug, both of which training may know. Fills gaps of a
    /// screen.
    Lpo,
    /// Leave cell lines out: a new tumour.
    Lco,
    /// Leave tissues out (the grouping "tissue" of the cell lines): a new cancer type.
    Lto,
    /// Leave drugs out: a new compound. For screens of single drugs.
    Ldo,
    /// Leave combinations of drugs out, in all cell lines. For screens of combinations.
    LeaveCombination,
    /// Leave drugs of combinations out: at least one drug of every test combination is in no training combination. For
    /// screens of combinations.
    LeaveDrug,
    /// Leave cell lines out, in a screen of combinations.
    LeaveCell,
}

impl SplitKind {
    /// The name, as in a configuration: "lco".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lpo => "lpo",
            Self::Lco => "lco",
            Self::Lto => "lto",
            Self::Ldo => "ldo",
            Self::LeaveCombination => "leave_combination",
            Self::LeaveDrug => "leave_drug",
            Self::LeaveCell => "leave_cell",
        }
    }

    /// Whether whole drugs or combinations are unseen, so that intervals resample those and not cell lines.
    pub const fn leaves_drugs_out(self) -> bool {
        matches!(self, Self::Ldo | Self::LeaveCombination | Self::LeaveDrug)
    }

    /// Refuses a kind that a screen with this many sides has no meaning for.
    pub(crate) fn check(self, screen: &Screen) -> Result<()> {
        let of_combinations = matches!(self, Self::LeaveCombination | Self::LeaveDrug | Self::LeaveCell);
        match screen.sides.len() {
            2 if of_combinations => Err(Error::config(format!(
                "split kind {self} is for screens of drug combinations; this screen is of single drugs"
            ))
            .help("use lpo, lco, lto or ldo")),
            3.. if self == Self::Ldo => Err(Error::config(format!(
                "split kind {self} is for screens of single drugs; this screen is of drug combinations"
            ))
            .help("use leave_drug, leave_combination, leave_cell, lpo, lco or lto")),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for SplitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a screen is split into folds: the `[split]` table of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// What is unseen in a test set.
    pub kind: SplitKind,
    /// How many folds are drawn: 2 to 100. Not used with a file or a column of folds.
    #[serde(default = "five")]
    pub folds: usize,
    /// The seed of the drawing. Not used with a file or a column of folds.
    #[serde(default = "year")]
    pub seed: u64,
    /// A table that gives each entity (or pair) its fold. Whoever has read it calls
    /// [`Folds::from_assignment`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// A column of the response table that holds each response's fold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Files that list rows of the table of responses, one number a line, 0 for the first below the header: one for each fold, as
    /// IMPROVE publishes them. Rows in none of them are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Vec<PathBuf>>,
    /// What to do where files or a column put what the split keeps together into two folds.
    #[serde(default)]
    pub conflicts: Conflicts,
    /// The folds to run, counted from 0; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_folds: Option<Vec<usize>>,
}

/// What to do where given folds would have an entity trained on and tested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conflicts {
    /// Refuse the folds.
    #[default]
    Error,
    /// Test all its responses in the fold that has most of them; of as many, the first.
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

    /// Checks what can be checked without data.
    ///
    /// # Errors
    /// If `folds` is out of range, two of a file, a column and rows are given, or `only_folds` is empty, names a fold
    /// twice, or one that is not there.
    pub fn check(&self) -> Result<()> {
        if !(2..=100).contains(&self.folds) {
            return Err(Error::parameter("split.folds", self.folds, "a number of folds from 2 to 100"));
        }
        let given: Vec<&str> =
            [("file", self.file.is_some()), ("column", self.column.is_some()), ("rows", self.rows.is_some())]
                .into_iter()
                .filter_map(|(name, given)| given.then_some(name))
                .collect();
        if let [first, second, ..] = given[..] {
            return Err(Error::config(format!(
                "split.{first} and split.{second} are both given: expected one of them at most"
            )));
        }
        if let Some(rows) = self.rows.as_ref().filter(|rows| rows.len() < 2) {
            return Err(Error::parameter(
                "split.rows",
                format!("{rows:?}"),
                "two files of row numbers or more: the test files of all folds, or those of one split with only_folds = [0]",
            ));
        }
        let given = !given.is_empty();
        self.to_run(if given { usize::MAX } else { self.folds }).map(|_| ())
    }

    /// Draws the folds. For a split without a file and without a column.
    ///
    /// # Errors
    /// As [`Split::check`] and [`Folds::draw`].
    pub fn draw(&self, screen: &Screen) -> Result<Folds> {
        self.check()?;
        Folds::draw(screen, self.kind, self.folds, self.seed)
    }

    /// The folds to run, out of `count`, as in [`Split::only_folds`]; `None` is all.
    ///
    /// # Errors
    /// If `only_folds` is empty, names a fold twice, or one that is not there.
    pub fn to_run(&self, count: usize) -> Result<Option<&[usize]>> {
        let Some(only) = &self.only_folds else { return Ok(None) };
        check_only(only, count).map(|()| Some(only.as_slice()))
    }
}

pub(crate) fn check_only(only: &[usize], count: usize) -> Result<()> {
    if only.is_empty() {
        return Err(Error::parameter("split.only_folds", "[]", "at least one fold; leave it out to run all"));
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
