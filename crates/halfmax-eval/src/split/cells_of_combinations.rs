use halfmax_core::{Result, Screen};

use super::grouping::{Grouping, Screens};
use crate::Validation;
use crate::units::{Units, cell_name};

/// Unseen cell lines, in a screen of combinations.
pub(super) struct CellsOfCombinations;

impl Grouping for CellsOfCombinations {
    fn name(&self) -> &'static str {
        "leave_cell"
    }

    fn alias(&self) -> &'static str {
        "leave_cell"
    }

    fn summary(&self) -> &'static str {
        "Unseen cell lines, in a screen of combinations."
    }

    fn unseen(&self) -> &'static str {
        "cell lines"
    }

    fn screens(&self) -> Screens {
        Screens::Combinations
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
