//! Assigns roles to the columns of a table: by declarations of the user, by column names, and by contents.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use halfmax_core::{Error, Result, listed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::genes::is_known_gene;
use crate::profile::{Content, IdKind};
use crate::roles::{Nature, ROLES, Rank, Role, TAKEN_APART, roles_of};
use crate::table::RawTable;

/// One or several column names, as a configuration gives them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Names {
    /// One name.
    One(String),
    /// Several names.
    Many(Vec<String>),
}

impl Names {
    /// The names.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        }
    }
}

/// Columns that the user declares: the column of each role, and under `ignore` the columns to skip.
pub type SaidColumns = BTreeMap<String, Names>;

/// The key that lists the columns to skip.
pub const IGNORE: &str = "ignore";

/// A column that could have a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub column: usize,
    pub role: Role,
    pub rank: Rank,
}

/// The rank of a column whose name fits but whose content does not: behind all other candidates.
const DOUBTFUL: Rank = 1000;

impl RawTable {
    /// Applies the user's declarations. With [`Scope::AllFiles`] they hold for several files, so a column that this
    /// file lacks is skipped.
    ///
    /// # Errors
    /// If the role or the column does not exist.
    pub(crate) fn say(&mut self, said: &SaidColumns, everywhere: Scope) -> Result<()> {
        for (key, names) in said {
            if key != IGNORE && Role::named(key).is_none() {
                return Err(unknown_role(key));
            }
            for name in names.all() {
                let Some(column) = self.position_of(name) else {
                    if everywhere == Scope::AllFiles {
                        continue;
                    }
                    return Err(no_such_column(self, key, name));
                };
                if key == IGNORE {
                    self.ignored.push(column);
                } else {
                    let role = Role::named(key).ok_or_else(|| unknown_role(key))?;
                    self.said.retain(|(other, _)| *other != role);
                    self.said.push((role, column));
                }
            }
        }
        self.candidates = OnceLock::new();
        Ok(())
    }

    /// Applies the declarations of another table to the columns that this table also has.
    pub(crate) fn keep_what_was_said(&mut self, other: &Self) {
        let kept = |column: usize| self.names().iter().position(|name| *name == other.names()[column]);
        let said = other.said.iter().filter_map(|(role, column)| Some((*role, kept(*column)?))).collect();
        let ignored = other.ignored.iter().filter_map(|column| kept(*column)).collect();
        (self.said, self.ignored) = (said, ignored);
        self.decided.clone_from(&other.decided);
        self.candidates = OnceLock::new();
    }

    /// The column with this name: an exact match, else a match in plain form.
    pub(crate) fn position_of(&self, name: &str) -> Option<usize> {
        self.names().iter().position(|other| other == name).or_else(|| self.find(&[name]))
    }

    /// The columns that could have a role, best first.
    pub(crate) fn candidates(&self, role: Role) -> Vec<Candidate> {
        let all = self.candidates.get_or_init(|| all_candidates(self));
        all.iter().filter(|candidate| candidate.role == role).copied().collect()
    }

    /// The column of a role: the declared column, else the best candidate.
    pub fn role(&self, role: Role) -> Option<usize> {
        self.candidates(role).first().map(|best| best.column)
    }

    /// Whether a column has this role by both its content and its name.
    pub(crate) fn has_surely(&self, role: Role) -> bool {
        self.candidates(role).first().is_some_and(|best| best.rank < DOUBTFUL)
    }

    /// The column of a role.
    ///
    /// # Errors
    /// If no column has the role. The error lists the columns and explains how to declare the right column.
    pub(crate) fn require(&self, role: Role) -> Result<usize> {
        self.role(role)
            .ok_or_else(|| self.refuse_without_header().err().unwrap_or_else(|| no_column(self, role)))
    }

    /// The numeric column of a role. If two candidates hold different numbers, this function does not choose between
    /// them.
    ///
    /// # Errors
    /// If no column or several differing columns could have the role.
    pub(crate) fn require_measure(&self, role: Role) -> Result<usize> {
        let column = self.require(role)?;
        if self.said.iter().any(|(said, _)| *said == role) {
            return Ok(column);
        }
        let first = self.numbers(column, "a number").ok();
        let differs = |candidate: &Candidate| {
            let other = self.numbers(candidate.column, "a number").ok();
            first.as_ref().zip(other.as_ref()).is_some_and(|(a, b)| !proportional(a, b))
        };
        let candidates = self.candidates(role);
        let rivals: Vec<usize> = candidates
            .iter()
            .skip(1)
            .filter(|candidate| candidate.rank < DOUBTFUL && differs(candidate))
            .map(|candidate| candidate.column)
            .collect();
        if rivals.is_empty() {
            return Ok(column);
        }
        let names: Vec<String> = std::iter::once(&column)
            .chain(&rivals)
            .map(|column| format!("{:?}", self.names()[*column]))
            .collect();
        Err(Error::data(format!(
            "{}: {} columns could hold {}, and their numbers differ: {}",
            self.label(),
            names.len(),
            role.what(),
            listed(&names, 5)
        ))
        .with_help(say_which(role, &self.names()[rivals[0]])))
    }

    /// Whether the user asked to skip this column.
    pub(crate) fn is_ignored(&self, column: usize) -> bool {
        self.ignored.contains(&column)
    }

    /// The role of a column that distinguishes measurements, with the best rank of that role; `None` for other columns.
    pub(crate) fn separating_role(&self, column: usize) -> Option<Role> {
        let all = self.candidates.get_or_init(|| all_candidates(self));
        let own = all.iter().filter(|candidate| candidate.column == column && candidate.rank < DOUBTFUL);
        own.map(|candidate| candidate.role).find(|role| role.spec().nature == Nature::Separating)
    }

    /// Whether a column could have this role by both its content and its name.
    pub(crate) fn could_be(&self, column: usize, role: Role) -> bool {
        self.roles_of_column(column).contains(&role)
    }

    /// Whether a column identifies or describes a measurement, so that its numbers are not measured values.
    pub(crate) fn is_identifier(&self, column: usize) -> bool {
        // A column with this name and no rival gets the role, whatever it holds.
        let has =
            |role: Role| self.roles_of_column(column).contains(&role) || self.role(role) == Some(column);
        let names = |role: Role| {
            role.spec().nature == Nature::Entity
                || matches!(role, Role::Smiles | Role::Targets | Role::TargetPathway | Role::Tissue)
        };
        ROLES.iter().map(|spec| spec.role).filter(|role| names(*role)).any(has)
    }

    /// The roles that a column could have.
    pub(crate) fn roles_of_column(&self, column: usize) -> Vec<Role> {
        let all = self.candidates.get_or_init(|| all_candidates(self));
        let own = all.iter().filter(|candidate| candidate.column == column && candidate.rank < DOUBTFUL);
        own.map(|candidate| candidate.role).collect()
    }
}

/// The files to which a declaration applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// This file only.
    ThisFile,
    /// All files of a screen.
    AllFiles,
}

/// In wider tables, a column named like a gene symbol (CPD, IDE) always holds that gene.
const FEW_COLUMNS: usize = 100;

fn all_candidates(table: &RawTable) -> Vec<Candidate> {
    let mut found = Vec::new();
    let is_wide = table.names().len() > FEW_COLUMNS;
    for (column, name) in table.names().iter().enumerate().filter(|(column, _)| !table.is_ignored(*column)) {
        let (roles, _) = roles_of(name);
        if roles.is_empty() || (is_wide && is_known_gene(name)) {
            continue;
        }
        let content = table.content(column);
        // A drug column of SMILES strings provides the structures.
        if content == Content::Ids(IdKind::Smiles) && roles.iter().all(|(role, _)| *role != Role::Smiles) {
            found.push(Candidate { column, role: Role::Smiles, rank: DOUBTFUL / 2 });
        }
        for (role, rank) in roles {
            let fits = fits(role, content);
            let rank = match () {
                () if fits => rank,
                () if rank >= TAKEN_APART => continue,
                // Some tables name drugs by their structures.
                () if is_of_drugs(role) && content == Content::Ids(IdKind::Smiles) => rank + DOUBTFUL / 2,
                () => rank + DOUBTFUL,
            };
            found.push(Candidate { column, role, rank });
        }
    }
    for (role, column) in &table.said {
        found.retain(|candidate| candidate.role != *role && candidate.column != *column);
        found.push(Candidate { column: *column, role: *role, rank: 0 });
    }
    found.sort_by_key(|candidate| (candidate.rank, candidate.column));
    found
}

fn is_of_drugs(role: Role) -> bool {
    matches!(role, Role::Drug | Role::DrugA | Role::DrugB | Role::DrugC)
}

/// Whether the content of a column is possible for a role.
fn fits(role: Role, content: Content) -> bool {
    let of_cell_lines = matches!(content, Content::Ids(kind) if kind.is_of_cell_lines());
    let of_drugs = matches!(content, Content::Ids(IdKind::BroadCompound | IdKind::InchiKey));
    match role {
        role if is_of_drugs(role) && of_cell_lines => return false,
        Role::CellLine | Role::Gene if of_drugs => return false,
        _ => {}
    }
    match role.spec().nature {
        Nature::Entity => !matches!(
            content,
            Content::Empty
                | Content::Numbers
                | Content::Binary
                | Content::RowNumber
                | Content::NumberLists
                | Content::Nested
                | Content::Ids(IdKind::Bits | IdKind::Smiles)
        ),
        Nature::Measure if matches!(role, Role::DoseList | Role::ReadingList) => {
            content == Content::NumberLists
        }
        Nature::Measure => content.is_number() || content == Content::Empty || content == Content::RowNumber,
        _ => match role {
            Role::Dose | Role::DoseA | Role::DoseB | Role::DoseC => {
                content.is_number() || content == Content::RowNumber
            }
            Role::DrugB | Role::DrugC => {
                !matches!(content, Content::Numbers | Content::NumberLists | Content::Nested)
            }
            Role::Smiles => !content.is_number(),
            _ => content != Content::Nested,
        },
    }
}

/// Whether two columns are proportional, such as the same doses in two units.
fn proportional(a: &[f64], b: &[f64]) -> bool {
    let mut factor = None;
    a.iter().zip(b).filter(|(a, b)| !a.is_nan() && !b.is_nan()).all(|(a, b)| {
        if *a == 0.0 || *b == 0.0 {
            return a == b;
        }
        let ratio = b / a;
        (ratio / *factor.get_or_insert(ratio) - 1.0).abs() < 1e-6
    })
}

/// The help text that explains how to declare the column of a role.
pub(crate) fn say_which(role: Role, column: &str) -> String {
    let key = role.key();
    format!(
        "declare the right column: columns = {{ {key} = {column:?} }} for this file or under [data] (`--column {key}={column:?}`)"
    )
}

/// The error for a table that lacks a required column.
pub(crate) fn no_column(table: &RawTable, role: Role) -> Error {
    let names: Vec<&str> = role.spec().names.iter().take(6).copied().collect();
    let key = role.key();
    let recognised = if names.is_empty() { key.to_owned() } else { format!("{key}, {}", names.join(", ")) };
    Error::data(format!("{}: no column of {} among {}", table.label(), role.what(), listed(table.names(), 12))).with_help(format!(
        "rename the column to one of {recognised} …, or declare it: columns = {{ {key} = \"COLUMN\" }} for this file or under [data] (`--column {key}=COLUMN`)"
    ))
}

fn unknown_role(key: &str) -> Error {
    let keys: Vec<&str> = ROLES.iter().map(|spec| spec.key).collect();
    let near = halfmax_core::nearest(key, keys.iter().copied());
    let near = near.map(|near| format!("did you mean {near:?}? ")).unwrap_or_default();
    Error::config(format!("columns.{key}: unknown role"))
        .with_help(format!("{near}the roles are {}, {IGNORE}", keys.join(", ")))
}

/// Refuses a column that is declared for all files when no file has it.
///
/// # Errors
/// If no table has a declared column. The error names this column and lists the columns of the first table.
pub(crate) fn refuse_unfound(said: &SaidColumns, tables: &[&RawTable]) -> Result<()> {
    for (key, names) in said {
        let is_there = |name: &String| tables.iter().any(|table| table.position_of(name).is_some());
        if let (Some(name), Some(table)) = (names.all().iter().find(|name| !is_there(name)), tables.first()) {
            return Err(no_such_column(table, key, name).with_context("no file has it"));
        }
    }
    Ok(())
}

fn no_such_column(table: &RawTable, key: &str, name: &str) -> Error {
    let found: Vec<&str> = table.names().iter().map(String::as_str).collect();
    Error::config(format!(
        "columns.{key} = {name:?}: {} has no such column, only {}",
        table.label(),
        listed(&found, 12)
    ))
    .with_help(crate::responses::meant(name, &found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::read_bytes;

    fn table(text: &str) -> RawTable {
        read_bytes("t.csv", text.as_bytes()).unwrap()
    }

    #[test]
    fn content_decides_between_names() {
        let found = table(
            "Drug_ID,Drug,Cell Line_ID,Cell Line,Y\nA,CC(=O)O,x,\"[7.5, 4.2]\",0.1\nB,C1CC1O(C),y,\"[7.5, 4.2]\",0.2\n",
        );
        assert_eq!(found.role(Role::Drug), Some(0));
        assert_eq!(found.role(Role::CellLine), Some(2));
        assert_eq!(found.role(Role::Response), Some(4));
    }

    #[test]
    fn two_doses_that_differ_are_asked_about() {
        let found = table("dose,conc_um\n1,0.004\n2,0.012\n3,0.036\n");
        let error = found.require_measure(Role::Dose).unwrap_err();
        assert!(error.to_string().contains("\"dose\", \"conc_um\""), "{error}");
        let same = table("dose_um,Dose (nM)\n0.1,100\n0.5,500\n");
        assert_eq!(same.require_measure(Role::Dose).unwrap(), 0);
    }

    #[test]
    fn what_is_said_wins() {
        let mut found = table("drug,which,v\nA,x,1\nB,y,2\n");
        let said = |key: &str, name: &str| SaidColumns::from([(key.to_owned(), Names::One(name.to_owned()))]);
        found.say(&said("drug", "which"), Scope::ThisFile).unwrap();
        assert_eq!(found.role(Role::Drug), Some(1));
        let error = found.say(&said("drug", "whihc"), Scope::ThisFile).unwrap_err();
        assert!(error.help().unwrap().contains("which"), "{error}");
        assert!(
            found
                .say(&said("drog", "which"), Scope::ThisFile)
                .unwrap_err()
                .help()
                .unwrap()
                .contains("\"drug\"")
        );
        found.say(&said("dose", "elsewhere"), Scope::AllFiles).unwrap();
    }
}
