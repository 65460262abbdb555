//! How the columns of a table are used: the role of each used column, and why the others are not used.

use std::fmt;

use halfmax_core::listed;
use serde::Serialize;

use crate::roles::Role;
use crate::table::RawTable;

/// How the columns of a table are used.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Account {
    /// The used columns, each with its role.
    pub used: Vec<(Role, String)>,
    /// The unused columns, each with the reason.
    pub aside: Vec<(String, String)>,
}

impl Account {
    /// Lists the used and the unused columns of a table. `used` holds pairs of role and column.
    pub(crate) fn new(table: &RawTable, used: &[(Role, usize)]) -> Self {
        let is_used = |column: usize| used.iter().any(|(_, other)| *other == column);
        let aside = (0..table.names().len())
            .filter(|column| !is_used(*column))
            .map(|column| (table.names()[column].clone(), reason(table, column)))
            .collect();
        Self {
            used: used.iter().map(|(role, column)| (*role, table.names()[*column].clone())).collect(),
            aside,
        }
    }
}

/// Why a column is not used.
fn reason(table: &RawTable, column: usize) -> String {
    if table.is_ignored(column) {
        return "ignored".into();
    }
    match table.roles_of_column(column).first() {
        Some(role) => role.what().to_owned(),
        None => table.content(column).name().to_owned(),
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used: Vec<String> = self
            .used
            .iter()
            .map(|(role, name)| {
                if crate::columns::plain(name) == crate::columns::plain(role.key()) {
                    name.clone()
                } else {
                    format!("{name} as {role}")
                }
            })
            .collect();
        write!(f, "columns: {}", used.join(", "))?;
        if !self.aside.is_empty() {
            let aside: Vec<String> =
                self.aside.iter().map(|(name, why)| format!("{name:?} ({why})")).collect();
            write!(f, "; not used: {}", listed(&aside, 8))?;
        }
        Ok(())
    }
}
