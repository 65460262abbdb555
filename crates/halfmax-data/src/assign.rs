//! Which column of a table has which role: by what was said, by names, and by what the columns hold.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use halfmax_core::{Error, Result, listed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::genes::is_known_gene;
use crate::profile::{Content, IdKind};
use crate::roles::{Nature, ROLES, Rank, Role, TAKEN_APART, roles_of};
use crate::table::RawTable;

/// One name or several, as a configuration may give them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Names {
    /// One.
    One(String),
    /// Several.
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

/// What is said of columns: role by role the column that has it; under `ignore` the columns that are not to be looked at.
pub type SaidColumns = BTreeMap<String, Names>;

/// The key under which columns are named that are not to be looked at.
pub const IGNORE: &str = "ignore";

/// A column that could have a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub column: usize,
    pub role: Role,
    pub rank: Rank,
}

/// A name that fits, but whose column holds something else, stands behind all others.
const DOUBTFUL: Rank = 1000;

impl RawTable {
    /// Says which columns have which roles. Where `everywhere`, what is said holds for several files, so that a column that this one lacks
    /// is passed over.
    ///
    /// # Errors
    /// If there is no such role, or no such column.
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

    /// Says what was said of another table, as far as this one has its columns.
    pub(crate) fn keep_what_was_said(&mut self, other: &Self) {
        let kept = |column: usize| self.names().iter().position(|name| *name == other.names()[column]);
        let said = other.said.iter().filter_map(|(role, column)| Some((*role, kept(*column)?))).collect();
        let ignored = other.ignored.iter().filter_map(|column| kept(*column)).collect();
        (self.said, self.ignored) = (said, ignored);
        self.decided.clone_from(&other.decided);
        self.candidates = OnceLock::new();
    }

    /// The column of this name: as it is written, else in its plain form.
    pub(crate) fn position_of(&self, name: &str) -> Option<usize> {
        self.names().iter().position(|other| other == name).or_else(|| self.find(&[name]))
    }

    /// The columns that could have a role, best first.
    pub(crate) fn candidates(&self, role: Role) -> Vec<Candidate> {
        let all = self.candidates.get_or_init(|| all_candidates(self));
        all.iter().filter(|candidate| candidate.role == role).copied().collect()
    }

    /// The column that has a role: the one that was said, else the best that is there.
    pub fn role(&self, role: Role) -> Option<usize> {
        self.candidates(role).first().map(|best| best.column)
    }

    /// Whether a column has a role, by its content as well as by its name.
    pub(crate) fn has_surely(&self, role: Role) -> bool {
        self.candidates(role).first().is_some_and(|best| best.rank < DOUBTFUL)
    }

    /// The column that has a role.
    ///
    /// # Errors
    /// If there is none: lists the columns that are there, and says how to name the one that is meant.
    pub(crate) fn require(&self, role: Role) -> Result<usize> {
        self.role(role)
            .ok_or_else(|| self.refuse_without_header().err().unwrap_or_else(|| no_column(self, role)))
    }

    /// The column of numbers that has a role. Two columns that could have it and hold different numbers are not chosen between.
    ///
    /// # Errors
    /// If there is none, or several that differ.
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
        .help(say_which(role, &self.names()[rivals[0]])))
    }

    /// Whether a column is not to be looked at.
    pub(crate) fn is_ignored(&self, column: usize) -> bool {
        self.ignored.contains(&column)
    }

    /// The role of a column that tells measurements apart, with the role's best fit; none for others.
    pub(crate) fn separating_role(&self, column: usize) -> Option<Role> {
        let all = self.candidates.get_or_init(|| all_candidates(self));
        let own = all.iter().filter(|candidate| candidate.column == column && candidate.rank < DOUBTFUL);
        own.map(|candidate| candidate.role).find(|role| role.spec().nature == Nature::Separating)
    }

    /// Whether a column could have a role, by its content as well as by its name.
    pub(crate) fn could_be(&self, column: usize, role: Role) -> bool {
        self.roles_of_column(column).contains(&role)
    }

    /// Whether a column names or describes what was measured, so that its numbers are no values.
    pub(crate) fn is_identifier(&self, column: usize) -> bool {
        // A column that is called so and has no rival is taken for it, whatever it holds.
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

/// Of which files something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Of this one.
    ThisFile,
    /// Of all files of a screen.
    AllFiles,
}

/// In tables of more columns than these the symbol of a gene (CPD, IDE) names that gene and nothing else.
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
        // A column of drugs that holds structures gives the structures.
        if content == Content::Ids(IdKind::Smiles) && roles.iter().all(|(role, _)| *role != Role::Smiles) {
            found.push(Candidate { column, role: Role::Smiles, rank: DOUBTFUL / 2 });
        }
        for (role, rank) in roles {
            let fits = fits(role, content);
            let rank = match () {
                () if fits => rank,
                () if rank >= TAKEN_APART => continue,
                // Drugs may be called by their structures.
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

/// Whether what a column holds can be what a role says.
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

/// Whether two columns hold the same numbers, but for one factor: the same doses in two units.
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

/// How to say which column has a role.
pub(crate) fn say_which(role: Role, column: &str) -> String {
    let key = role.key();
    format!(
        "say which it is: columns = {{ {key} = {column:?} }} for this file or under [data], or --column {key}={column:?} on the command line"
    )
}

/// The error of a table without a column that is needed.
pub(crate) fn no_column(table: &RawTable, role: Role) -> Error {
    let names: Vec<&str> = role.spec().names.iter().take(6).copied().collect();
    let key = role.key();
    let recognised = if names.is_empty() { key.to_owned() } else { format!("{key}, {}", names.join(", ")) };
    Error::data(format!("{}: no column of {} among {}", table.label(), role.what(), listed(table.names(), 12))).help(format!(
        "name it one of {recognised} …, or say which it is: columns = {{ {key} = \"COLUMN\" }} for this file or under [data], --column {key}=COLUMN on the command line"
    ))
}

fn unknown_role(key: &str) -> Error {
    let keys: Vec<&str> = ROLES.iter().map(|spec| spec.key).collect();
    Error::config(format!("columns.{key}: there is no role of this name")).help(format!(
        "{}; the roles are {}, {IGNORE}",
        crate::responses::meant(key, &keys),
        keys.join(", ")
    ))
}

/// Refuses a column that is said of all files and that none of them has.
///
/// # Errors
/// If there is one: names it, and the columns of the first table.
pub(crate) fn refuse_unfound(said: &SaidColumns, tables: &[&RawTable]) -> Result<()> {
    for (key, names) in said {
        let is_there = |name: &String| tables.iter().any(|table| table.position_of(name).is_some());
        if let (Some(name), Some(table)) = (names.all().iter().find(|name| !is_there(name)), tables.first()) {
            return Err(no_such_column(table, key, name).at("no file has it"));
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
    .help(crate::responses::meant(name, &found))
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
        assert!(error.advice().unwrap().contains("which"), "{error}");
        assert!(
            found
                .say(&said("drog", "which"), Scope::ThisFile)
                .unwrap_err()
                .advice()
                .unwrap()
                .contains("\"drug\"")
        );
        found.say(&said("dose", "elsewhere"), Scope::AllFiles).unwrap();
    }
}
