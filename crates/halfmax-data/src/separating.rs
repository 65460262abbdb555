//! Columns that distinguish measurements. They are used, or the file is refused with their names. Measurements are
//! never pooled over them.

use halfmax_core::{Error, Result, listed};

use crate::profile::Content;
use crate::report::grouped;
use crate::roles::{Nature, Role};
use crate::table::{Labels, RawTable};

/// The repeats in the rows of a table.
pub(crate) struct Repeats<'a> {
    /// The kind of repeats, in the plural: "pairs".
    pub what: &'a str,
    /// The rows of each group of repeats.
    pub groups: Vec<&'a [usize]>,
    /// The used columns.
    pub used: &'a [usize],
}

impl Repeats<'_> {
    /// Checks the unused columns that differ among repeats. Returns notes that name the columns over which repeats are
    /// pooled.
    ///
    /// # Errors
    /// If a column that distinguishes measurements by its role (another drug, its dose, a time, a unit, a study)
    /// differs among repeats.
    pub fn check(&self, table: &RawTable) -> Result<Vec<String>> {
        self.find(table).conclude(table.label(), self.what)
    }

    /// The unused columns that differ among repeats.
    pub fn find(&self, table: &RawTable) -> Differing {
        let mut columns = Vec::new();
        let unused = |column: &usize| !self.used.contains(column) && !table.is_ignored(*column);
        for column in (0..table.names().len()).filter(|_| !self.groups.is_empty()).filter(unused) {
            let role = table
                .separating_role(column)
                .filter(|role| *role != Role::WellKind || is_kind(table, column));
            let repeat =
                table.roles_of_column(column).iter().any(|role| role.spec().nature == Nature::Repeat);
            let content = table.content(column);
            // A measurement differs among repeats but does not identify them.
            if role.is_none() && !repeat && content == Content::Numbers {
                continue;
            }
            let Some(found) = self.differing(table, column) else { continue };
            let rows = found.rows.map(|row| table.row_of(row));
            let name = table.names()[column].clone();
            columns.push(DifferingColumn {
                name,
                role,
                repeat,
                content,
                found: Differences { rows, ..found },
            });
        }
        Differing { columns, groups: self.groups.len() }
    }

    /// How the rows of groups of repeats differ in a column; `None` if they never differ.
    fn differing(&self, table: &RawTable, column: usize) -> Option<Differences> {
        let labels = table.labels(column).ok()?;
        let known = |rows: &'_ [usize]| -> Vec<usize> {
            rows.iter().copied().filter(|row| labels.of_row[*row] != Labels::MISSING).collect()
        };
        let other = |known: &[usize]| {
            known.iter().copied().find(|row| labels.of_row[*row] != labels.of_row[known[0]])
        };
        let mut found: Option<Differences> = None;
        for rows in &self.groups {
            let known = known(rows);
            let Some(second) = other(&known) else { continue };
            let first = found.get_or_insert_with(|| Differences {
                groups: 0,
                rows: [known[0], second],
                examples: known.iter().filter_map(|row| labels.at(*row)).map(str::to_owned).fold(
                    Vec::new(),
                    |mut examples, text| {
                        if !examples.contains(&text) {
                            examples.push(text);
                        }
                        examples
                    },
                ),
            });
            first.groups += 1;
        }
        found
    }
}

/// Columns in which repeats differ, in a table or in several of its parts.
#[derive(Default)]
pub(crate) struct Differing {
    columns: Vec<DifferingColumn>,
    /// The number of groups of repeats.
    groups: usize,
}

struct DifferingColumn {
    name: String,
    /// Its role, if the role distinguishes measurements.
    role: Option<Role>,
    /// Whether its role is to distinguish repeats.
    repeat: bool,
    content: Content,
    found: Differences,
}

impl Differing {
    /// Whether a column distinguishes measurements by its role.
    pub fn refuses(&self) -> bool {
        self.columns.iter().any(|column| column.role.is_some())
    }

    /// Adds the findings of another part.
    pub fn join(&mut self, other: Self) {
        self.groups += other.groups;
        for column in other.columns {
            match self.columns.iter_mut().find(|own| own.name == column.name) {
                Some(own) => own.found.groups += column.found.groups,
                None => self.columns.push(column),
            }
        }
    }

    /// Notes that name the columns over which repeats (`what`, in the plural) are pooled.
    ///
    /// # Errors
    /// If a column distinguishes measurements by its role.
    pub fn conclude(&self, label: &str, what: &str) -> Result<Vec<String>> {
        let mut pooled = Vec::new();
        for column in &self.columns {
            if let Some(role) = column.role {
                return Err(column.refusal(role, label, what));
            }
            let by_name = column.repeat
                || matches!(column.content, Content::Categories | Content::Ids(_) | Content::Binary);
            // Ids of pooled repeats differ in nearly every group. Measurements also differ but give no information.
            let telling =
                by_name || (column.content == Content::WholeNumbers && 2 * column.found.groups > self.groups);
            if telling {
                pooled.push(format!("{} ({})", column.name, listed(&column.found.examples, 3)));
            }
        }
        if pooled.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![format!("repeats of {what} differ in {} and are pooled", listed(&pooled, 4))])
    }
}

/// How the rows of groups of repeats differ in a column.
struct Differences {
    /// The number of groups in which they differ.
    groups: usize,
    /// Two differing rows of the first such group: positions in the table, or rows of the file.
    rows: [usize; 2],
    /// The entries of that group.
    examples: Vec<String>,
}

impl DifferingColumn {
    fn refusal(&self, role: Role, label: &str, what: &str) -> Error {
        let counted = counted_things(self.found.groups, what);
        let or = match role {
            Role::Time if what == "curves" => {
                "; or fit a curve at each time (`--times each`), or to growth rates over all times (`--times rate`)"
            }
            _ => "",
        };
        let Self { name, found, .. } = self;
        let [first, second] = found.rows;
        let value = found.examples.first().cloned().unwrap_or_default();
        Error::data(format!(
            "{label}: column {name:?} ({}) distinguishes measurements that would be pooled: {counted} {} rows that differ in it, for example rows {first} and {second} with {}",
            role.what(),
            if found.groups == 1 { "has" } else { "have" },
            listed(&found.examples, 4)
        ))
        .with_help(format!(
            "choose rows: where = {{ {name:?} = {value:?} }} (`--where {name:?}={value:?}`), or pool them on purpose: columns = {{ ignore = [{name:?}] }} (`--column ignore={name:?}`){or}"
        ))
    }
}

/// `1 curve`, `12 curves`, `1 pair of drugs`.
fn counted_things(count: usize, what: &str) -> String {
    let (first, rest) = what.split_once(' ').unwrap_or((what, ""));
    let first = if count == 1 { first.trim_end_matches('s') } else { first };
    format!("{} {first} {rest}", grouped(count)).trim_end().to_owned()
}

/// Whether a column of kinds of wells holds more than one kind.
fn is_kind(table: &RawTable, column: usize) -> bool {
    table.profile(column).distinct > 1
}
