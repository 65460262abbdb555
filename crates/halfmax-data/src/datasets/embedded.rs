//! Datasets that are part of the program.

use halfmax_core::{CellKind, Error, Result};

use crate::open::read_bytes;
use crate::table::RawTable;

/// The names of the datasets that are part of the program.
pub const DATASETS: [&str; 1] = ["gdsc-core"];

/// The manifest of an embedded dataset, TOML: source, version, SHA-256, licence and citation of each file.
///
/// # Errors
/// If no embedded dataset has this name.
pub fn dataset_manifest(name: &str) -> Result<&'static str> {
    match DATASETS.contains(&name) {
        true => Ok(halfmax_datasets::GDSC_CORE),
        false => Err(Error::config(format!("{name:?} is not among the datasets of the program"))),
    }
}

/// The features of cell lines of gdsc-core: kind, label and content.
const CELLS: [(CellKind, &str, &[u8]); 2] = [
    (CellKind::EXPRESSION, "dataset:gdsc-core/expression.csv.gz", halfmax_datasets::GDSC_CORE_EXPRESSION),
    (CellKind::EVENTS, "dataset:gdsc-core/events.csv.gz", halfmax_datasets::GDSC_CORE_EVENTS),
];

/// The tables of gdsc-core.
pub(crate) struct Embedded;

impl Embedded {
    pub fn response(&self, key: &str, name: Option<&str>) -> Result<RawTable> {
        match name {
            None | Some("gdsc1") => {
                read_bytes("dataset:gdsc-core/gdsc1_response.csv.gz", halfmax_datasets::GDSC_CORE_GDSC1)
            }
            Some("gdsc2") => {
                read_bytes("dataset:gdsc-core/gdsc2_response.csv.gz", halfmax_datasets::GDSC_CORE_GDSC2)
            }
            Some(other) => Err(Error::config(format!(
                "{key} = {other:?}: gdsc-core has the response tables gdsc1 and gdsc2"
            ))
            .with_help("set it to one of these tables, or to a file of your own")),
        }
    }

    /// Whether there are features of a kind.
    pub fn has_cells(&self, kind: CellKind) -> bool {
        CELLS.iter().any(|(own, ..)| *own == kind)
    }

    pub fn cells(&self, kind: CellKind) -> Result<RawTable> {
        match CELLS.iter().find(|(own, ..)| *own == kind) {
            Some((_, label, bytes)) => read_bytes(label, bytes),
            None => Err(Error::config(format!("gdsc-core has no file of kind {:?}", kind.name()))
                .with_help("it has expression and events; set file = … for your own")),
        }
    }

    pub fn drugs(&self) -> Result<RawTable> {
        read_bytes("dataset:gdsc-core/drugs.csv", halfmax_datasets::GDSC_CORE_DRUGS)
    }
}
