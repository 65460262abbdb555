//! Splits that leave cell lines out.

use halfmax_core::{Result, Screen};

use super::grouping::{Grouping, Screens};
use crate::Validation;
use crate::units::{Units, cell_name};

/// Unseen cell lines, with a separate name for each kind of screen.
pub(super) struct CellLines {
    name: &'static str,
    alias: &'static str,
    summary: &'static str,
    screens: Screens,
}

pub(super) static LCO: CellLines = CellLines {
    name: "lco",
    alias: "leave_cell_line",
    summary: "Unseen cell lines: a new tumour.",
    screens: Screens::All,
};

pub(super) static LEAVE_CELL: CellLines = CellLines {
    name: "leave_cell",
    alias: "leave_cell",
    summary: "Unseen cell lines, in a screen of combinations.",
    screens: Screens::Combinations,
};

impl Grouping for CellLines {
    fn name(&self) -> &'static str {
        self.name
    }

    fn alias(&self) -> &'static str {
        self.alias
    }

    fn summary(&self) -> &'static str {
        self.summary
    }

    fn unseen(&self) -> &'static str {
        "cell lines"
    }

    fn screens(&self) -> Screens {
        self.screens
    }

    fn units(&self, screen: &Screen) -> Result<Units> {
        Ok(Units::numbered(screen.responses.side(0).iter().map(|cell| Some(*cell))))
    }

    fn unit(&self, screen: &Screen) -> String {
        screen.table(0).entity_kind().into()
    }

    fn unit_name(&self, screen: &Screen, response: usize) -> String {
        cell_name(screen, response)
    }

    fn validation(&self, _screen: &Screen) -> Result<Validation> {
        Ok(Validation::Entity(0))
    }
}
