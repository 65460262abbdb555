//! Columns that tell measurements apart: they are used, or the file is refused with their names; they are never pooled over.

use halfmax_core::{Error, Result, listed};

use crate::profile::Content;
use crate::report::grouped;
use crate::roles::{Nature, Role};
use crate::table::{Labels, RawTable};

/// What the rows of a table repeat.
pub(crate) struct Repeats<'a> {
    /// What is repeated, in the plural: "pairs".
    pub what: &'a str,
    /// The rows of each thing that has several.
    pub groups: Vec<&'a [usize]>,
    /// Columns that are used.
    pub used: &'a [usize],
}

impl Repeats<'_> {
    /// Looks at the columns that are not used and differ among repeats. Returns notes that name those over which repeats are pooled.
    ///
    /// # Errors
    /// If a column that tells measurements apart by its role (a further drug, its dose, a time, a unit, a study) differs among repeats.
    pub fn check(&self, table: &RawTable) -> Result<Vec<String>> {
        if self.groups.is_empty() {
            return Ok(Vec::new());
        }
        let mut pooled = Vec::new();
        for column in (0..table.names().len())
            .filter(|column| !self.used.contains(column) && !table.is_ignored(*column))
        {
            let role = table
                .separating_role(column)
                .filter(|role| *role != Role::WellKind || is_kind(table, column));
            let repeat =
                table.roles_of_column(column).iter().any(|role| role.spec().nature == Nature::Repeat);
            let content = table.content(column);
            // A measurement differs among repeats, and says nothing of what they are.
            if role.is_none() && !repeat && content == Content::Numbers {
                continue;
            }
            let Some(differences) = self.differing(table, column) else { continue };
            let Differences { groups, examples, .. } = &differences;
            let name = &table.names()[column];
            if let Some(role) = role {
                return Err(refusal(table, column, role, self, &differences));
            }
            let by_name =
                repeat || matches!(content, Content::Categories | Content::Ids(_) | Content::Binary);
            // Ids of what was pooled show in nearly every group of repeats; measurements differ, too, but say nothing.
            let telling = by_name || (content == Content::WholeNumbers && 2 * *groups > self.groups.len());
            if telling {
                pooled.push(format!("{name} ({})", listed(examples, 3)));
            }
        }
        if pooled.is_empty() {
            return Ok(Vec::new());
        }
        let shown = listed(&pooled, 4);
        Ok(vec![format!("repeats of {} differ in {shown}, and are pooled", self.what)])
    }

    /// How the rows of groups of repeats differ in a column; none if they do in no group.
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

    /// `1 curve`, `12 curves`.
    fn counted(&self, groups: usize) -> String {
        let (first, rest) = self.what.split_once(' ').unwrap_or((self.what, ""));
        let first = if groups == 1 { first.trim_end_matches('s') } else { first };
        format!("{} {first} {rest}", grouped(groups)).trim_end().to_owned()
    }
}

/// How the rows of groups of repeats differ in a column.
struct Differences {
    /// In how many groups they do.
    groups: usize,
    /// Two rows of the first of these groups that differ.
    rows: [usize; 2],
    /// The entries of that group.
    examples: Vec<String>,
}

fn refusal(table: &RawTable, column: usize, role: Role, repeats: &Repeats, found: &Differences) -> Error {
    let counted = repeats.counted(found.groups);
    let or = match role {
        Role::Time if repeats.what == "curves" => {
            "; or fit a curve to each time (--times each), or to growth rates over all times (--times rate)"
        }
        _ => "",
    };
    let name = &table.names()[column];
    let [first, second] = found.rows.map(|row| table.row_of(row));
    let value = found.examples.first().cloned().unwrap_or_default();
    Error::data(format!(
        "{}: column {name:?} ({}) tells measurements apart that would be pooled: {counted} {} rows that differ in it, for example rows {first} and {second} with {}",
        table.label(),
        role.what(),
        if found.groups == 1 { "has" } else { "have" },
        listed(&found.examples, 4)
    ))
    .help(format!(
        "choose rows with where = {{ {name:?} = {value:?} }} in the configuration (data inspect, fit-curves and synergy take --where {name:?}={value:?}), or pool them on purpose with columns = {{ ignore = [{name:?}] }} (--column ignore={name:?}){or}"
    ))
}

/// Whether a column of kinds of wells holds more than one kind.
fn is_kind(table: &RawTable, column: usize) -> bool {
    table.profile(column).distinct > 1
}
