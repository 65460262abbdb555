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
            let Some((groups, examples)) = self.differing(table, column)? else { continue };
            let name = &table.names()[column];
            if let Some(role) = role {
                return Err(self.refused(table, column, (role, groups), &examples));
            }
            let by_name =
                repeat || matches!(content, Content::Categories | Content::Ids(_) | Content::Binary);
            // Ids of what was pooled show in nearly every group of repeats; measurements differ, too, but say nothing.
            let telling = by_name || (content == Content::WholeNumbers && 2 * groups > self.groups.len());
            if telling {
                pooled.push(format!("{name} ({})", listed(&examples, 3)));
            }
        }
        if pooled.is_empty() {
            return Ok(Vec::new());
        }
        let shown = listed(&pooled, 4);
        Ok(vec![format!("repeats of {} differ in {shown}, and are pooled", self.what)])
    }

    /// In how many groups of repeats a column differs, and some of its values; none if in none.
    fn differing(&self, table: &RawTable, column: usize) -> Result<Option<(usize, Vec<String>)>> {
        let Ok(labels) = table.labels(column) else { return Ok(None) };
        let differs = |rows: &&[usize]| {
            let mut known =
                rows.iter().map(|row| labels.of_row[*row]).filter(|label| *label != Labels::MISSING);
            let first = known.next();
            known.any(|label| Some(label) != first)
        };
        let count = self.groups.iter().copied().filter(|rows| differs(rows)).count();
        let Some(first) = self.groups.iter().copied().find(|rows| differs(rows)) else { return Ok(None) };
        let mut examples: Vec<String> = Vec::new();
        for row in first {
            if let Some(text) = labels.at(*row)
                && !examples.iter().any(|other| other == text)
            {
                examples.push(text.to_owned());
            }
        }
        Ok(Some((count, examples)))
    }

    /// `1 curve`, `12 curves`.
    fn counted(&self, groups: usize) -> String {
        let (first, rest) = self.what.split_once(' ').unwrap_or((self.what, ""));
        let first = if groups == 1 { first.trim_end_matches('s') } else { first };
        format!("{} {first} {rest}", grouped(groups)).trim_end().to_owned()
    }

    fn refused(
        &self,
        table: &RawTable,
        column: usize,
        (role, groups): (Role, usize),
        examples: &[String],
    ) -> Error {
        let name = &table.names()[column];
        let rows: Vec<usize> = self
            .groups
            .iter()
            .find_map(|rows| {
                let labels = table.labels(column).ok()?;
                let other = rows.iter().find(|row| labels.of_row[**row] != labels.of_row[rows[0]])?;
                Some(vec![rows[0], *other])
            })
            .unwrap_or_default();
        let rows: Vec<String> = rows.iter().map(|row| table.row_of(*row).to_string()).collect();
        let first = examples.first().cloned().unwrap_or_default();
        Error::data(format!(
            "{}: column {name:?} ({}) tells measurements apart that would be pooled: {} {} rows that differ in it, for example rows {} with {}",
            table.label(),
            role.what(),
            self.counted(groups),
            if groups == 1 { "has" } else { "have" },
            rows.join(" and "),
            listed(examples, 4)
        ))
        .help(format!(
            "choose rows with where = {{ {name:?} = {first:?} }} (--where {name:?}={first:?} on the command line), or pool them on purpose with columns = {{ ignore = [{name:?}] }} (--column ignore={name:?})"
        ))
    }
}

/// Whether a column of kinds of wells holds more than one kind.
fn is_kind(table: &RawTable, column: usize) -> bool {
    table.profile(column).distinct > 1
}
