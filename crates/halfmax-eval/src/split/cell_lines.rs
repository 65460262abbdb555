use halfmax_core::{Result, Screen};

use super::grouping::{Grouping, Screens};
use crate::Validation;
use crate::units::{Units, cell_name};

/// Unseen cell lines: a new tumour.
pub(super) struct CellLines;

impl Grouping for CellLines {
    fn name(&self) -> &'static str {
        "lco"
    }

    fn alias(&self) -> &'static str {
        "leave_cell_line"
    }

    fn summary(&self) -> &'static str {
        "Unseen cell lines: a new tumour."
    }

    fn unseen(&self) -> &'static str {
        "cell lines"
    }

    fn screens(&self) -> Screens {
        Screens::All
    }

    fn units(&self, screen: &Screen) -> Result<Units> {
        Ok(Units::numbered(screen.responses.side(0).iter().map(|cell| Some(*cell))))
    }

    fn unit(&self, screen: &Screen) -> String {
        screen.table(0).sort().into()
    }

    fn unit_name(&self, screen: &Screen, response: usize) -> String {
        cell_name(screen, response)
    }

    fn validation(&self, _screen: &Screen) -> Result<Validation> {
        Ok(Validation::Entity(0))
    }
}
