//! The kinds of splits, by name. Each is a [`Grouping`] in a file here, and a line in [`SPLITS`].

use std::borrow::Cow;
use std::fmt;

use halfmax_core::{Error, Result, Screen};
use rand_chacha::ChaCha8Rng;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;

use super::pairs::Pairs;
use super::tissues::Tissues;
use super::{cell_lines, drugs};
use crate::Validation;
use crate::units::{Units, dealt};

/// Every kind of split. Configurations, folds, reports and the reference use this list.
pub const SPLITS: [SplitKind; 7] = [
    SplitKind::LPO,
    SplitKind::LCO,
    SplitKind::LTO,
    SplitKind::LDO,
    SplitKind::LEAVE_COMBINATION,
    SplitKind::LEAVE_DRUG,
    SplitKind::LEAVE_CELL,
];

/// The groups that a split keeps together, so that they are unseen in test sets.
pub trait Grouping: Sync {
    /// The name in configurations and files: "lco".
    fn name(&self) -> &'static str;

    /// The long name, which configurations may also use: "leave_cell_line".
    fn alias(&self) -> &'static str;

    /// What the split leaves out, in a sentence.
    fn summary(&self) -> &'static str;

    /// What the models have not seen in a test set, in the plural: "cell lines".
    fn unseen(&self) -> &'static str;

    /// The screens that the split suits.
    fn screens(&self) -> Screens;

    /// Whether whole drugs or combinations are unseen. Intervals then resample drugs or combinations instead of cell lines.
    fn leaves_drugs_out(&self) -> bool {
        false
    }

    /// The unit of each response. A unit stays together.
    ///
    /// # Errors
    /// If the screen lacks this information: its cell lines have no tissues.
    fn units(&self, screen: &Screen) -> Result<Units>;

    /// The word for a unit, in the singular: "cell line".
    fn unit(&self, screen: &Screen) -> String;

    /// The name of the unit of a response.
    fn unit_name(&self, screen: &Screen, response: usize) -> String;

    /// The groups that stay together when a model sets responses aside for validation, so that validation asks the same
    /// question as the split.
    ///
    /// # Errors
    /// As [`Self::units`].
    fn validation(&self, screen: &Screen) -> Result<Validation>;

    /// The fold of each unit, drawn at random.
    fn deal(&self, units: &Units, _screen: &Screen, folds: usize, random: &mut ChaCha8Rng) -> Vec<u16> {
        dealt(units.count(), folds, random)
    }

    /// Whether a response can belong to two units.
    fn overlaps(&self) -> bool {
        false
    }

    /// Another kind of split whose units must not cross folds either.
    fn also_whole(&self) -> Option<SplitKind> {
        None
    }
}

/// The screens that a split suits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screens {
    /// All screens.
    All,
    /// Screens of single drugs.
    SingleDrugs,
    /// Screens of combinations.
    Combinations,
}

/// What is unseen in a test set. It determines the question that the evaluation answers.
///
/// With two or more drug sides, a "drug" of [`SplitKind::LPO`] is the combination, in any order of its drugs.
#[derive(Clone, Copy)]
pub struct SplitKind(&'static dyn Grouping);

impl SplitKind {
    /// Leave pairs out: unseen pairs of a cell line and a drug that may both occur in training. Fills gaps of a screen.
    pub const LPO: Self = Self(&Pairs);
    /// Leave cell lines out: a new tumour.
    pub const LCO: Self = Self(&cell_lines::LCO);
    /// Leave tissues out (the grouping "tissue" of the cell lines): a new cancer type.
    pub const LTO: Self = Self(&Tissues);
    /// Leave drugs out: a new compound. For screens of single drugs.
    pub const LDO: Self = Self(&drugs::LDO);
    /// Leave combinations of drugs out, in all cell lines. For screens of combinations.
    pub const LEAVE_COMBINATION: Self = Self(&drugs::LEAVE_COMBINATION);
    /// Leave drugs of combinations out: at least one drug of every test combination is in no training combination. For screens of
    /// combinations.
    pub const LEAVE_DRUG: Self = Self(&drugs::LEAVE_DRUG);
    /// Leave cell lines out, in a screen of combinations.
    pub const LEAVE_CELL: Self = Self(&cell_lines::LEAVE_CELL);

    /// The kind with this short or long name.
    ///
    /// ```
    /// use halfmax_eval::SplitKind;
    /// assert_eq!(SplitKind::named("lco"), Some(SplitKind::LCO));
    /// assert_eq!(SplitKind::named("leave_cell_line"), Some(SplitKind::LCO));
    /// assert_eq!(SplitKind::named("random"), None);
    /// ```
    pub fn named(name: &str) -> Option<Self> {
        SPLITS.into_iter().find(|kind| kind.0.name() == name || kind.0.alias() == name)
    }

    /// The name, as in a configuration: "lco".
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The grouping of the kind.
    pub fn grouping(self) -> &'static dyn Grouping {
        self.0
    }

    /// Whether whole drugs or combinations are unseen. Intervals then resample drugs or combinations instead of cell lines.
    pub fn leaves_drugs_out(self) -> bool {
        self.0.leaves_drugs_out()
    }

    /// Refuses a kind that does not suit a screen.
    pub(crate) fn check(self, screen: &Screen) -> Result<()> {
        let names = |unsuited: Screens| {
            let suited = SPLITS.into_iter().filter(|kind| kind.0.screens() != unsuited);
            let names: Vec<&str> = suited.map(Self::name).collect();
            names
                .split_last()
                .map_or_else(String::new, |(last, first)| format!("{} or {last}", first.join(", ")))
        };
        let refused = |meant: &str, this: &str, unsuited: Screens| {
            Err(Error::config(format!(
                "split kind {self} is for screens of {meant}, but this is a screen of {this}"
            ))
            .with_help(format!("use {}", names(unsuited))))
        };
        match (screen.sides.len(), self.0.screens()) {
            (2, Screens::Combinations) => refused("drug combinations", "single drugs", Screens::Combinations),
            (3.., Screens::SingleDrugs) => refused("single drugs", "drug combinations", Screens::SingleDrugs),
            _ => Ok(()),
        }
    }
}

impl PartialEq for SplitKind {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for SplitKind {}

impl fmt::Debug for SplitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for SplitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl JsonSchema for SplitKind {
    fn schema_name() -> Cow<'static, str> {
        "SplitKind".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = |kind: SplitKind| match (kind.name(), kind.0.alias()) {
            (name, alias) if name == alias => json!({ "const": name, "description": kind.0.summary() }),
            both => json!({ "enum": both, "description": kind.0.summary() }),
        };
        json_schema!({
            "description": "What is unseen in a test set.",
            "oneOf": SPLITS.map(one),
        })
    }
}

impl Serialize for SplitKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for SplitKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| {
            let known: Vec<String> = SPLITS.iter().map(|kind| format!("`{kind}`")).collect();
            // The same wording as serde's for an enum, so that the nearest name can be suggested.
            serde::de::Error::custom(format!(
                "unknown variant `{name}`, expected one of {}",
                known.join(", ")
            ))
        })
    }
}
