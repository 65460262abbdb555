//! The entities that are lost when files are joined.

use std::collections::BTreeSet;

use halfmax_core::Screen;
use serde::Serialize;

use super::measurements::Measurements;
use crate::report::{FileReport, LoadReport};

/// The used and the unused entities of a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Join {
    /// The file.
    pub file: String,
    /// The recognised role of the file.
    pub role: String,
    /// The kind of entity: "cell lines", "drugs".
    pub what: String,
    /// The number of used entities.
    pub used: usize,
    /// The unused entities.
    pub unused: Vec<Unused>,
    /// Further notes from reading the file.
    pub notes: Vec<String>,
}

/// A cell line or a drug that is not used.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Unused {
    /// Its name.
    pub name: String,
    /// Why it is not used.
    pub why: String,
}

/// The joins of a load. `measured` are all cell lines and drugs of the table of responses, used or not.
pub(crate) fn joins(report: &LoadReport, measured: &Measurements, screen: &Screen) -> Vec<Join> {
    let cells: BTreeSet<&str> = measured.cells.names.iter().map(String::as_str).collect();
    let mut joins = Vec::new();
    for (at, file) in report.files.iter().enumerate() {
        // The table of responses is the first file.
        if at == 0 {
            joins.push(of_cell_lines(file, measured, screen));
            joins.extend(of_drugs(file, measured, screen));
        } else {
            joins.push(of_file(file, &cells));
        }
    }
    joins
}

fn of_cell_lines(file: &FileReport, measured: &Measurements, screen: &Screen) -> Join {
    let table = screen.table(0);
    let without = measured.cells.names.iter().filter(|id| table.position(id).is_none());
    let why = "it has responses, but no row in a feature file that every cell line needs";
    let unused = without.map(|name| Unused { name: name.clone(), why: why.into() });
    let ambiguous = file.ambiguous.iter().map(|name| Unused {
        name: name.clone(),
        why: "the name is ambiguous: it could mean several cell lines".into(),
    });
    Join {
        unused: unused.chain(ambiguous).collect(),
        notes: file.notes.clone(),
        ..joined(file, "cell lines", table.len())
    }
}

/// The drugs that were not tested in any cell line of the screen.
fn of_drugs(file: &FileReport, measured: &Measurements, screen: &Screen) -> Option<Join> {
    if measured.combinations {
        return None;
    }
    let table = screen.table(1);
    let without = measured.partners.names.iter().filter(|id| table.position(id).is_none());
    let why = "all its responses are in unused cell lines";
    let unused = without.map(|name| Unused { name: name.clone(), why: why.into() }).collect();
    Some(Join { unused, ..joined(file, "drugs", table.len()) })
}

fn of_file(file: &FileReport, measured: &BTreeSet<&str>) -> Join {
    let is_of_drugs = file.shape.role.starts_with("drug");
    let what = match file.shape.role.as_str() {
        role if role.starts_with("drug") => "drugs",
        "responses" | "single agents" | "single_agent" => "responses",
        "annotation" => "names",
        _ => "cell lines",
    };
    let why = |name: &str| match (is_of_drugs, measured.contains(name)) {
        (true, _) => "it has no response",
        (false, true) => "it has responses, but no row in another feature file that every cell line needs",
        (false, false) => "it has no response",
    };
    let unused = file.unmatched.iter().map(|name| Unused { name: name.clone(), why: why(name).into() });
    let ambiguous = file.ambiguous.iter().map(|name| Unused {
        name: name.clone(),
        why: "the name is ambiguous: it could mean several cell lines".into(),
    });
    Join {
        unused: unused.chain(ambiguous).collect(),
        notes: file.notes.clone(),
        ..joined(file, what, file.matched)
    }
}

fn joined(file: &FileReport, what: &str, used: usize) -> Join {
    Join {
        file: file.shape.file.clone(),
        role: file.shape.role.clone(),
        what: what.into(),
        used,
        ..Join::default()
    }
}
