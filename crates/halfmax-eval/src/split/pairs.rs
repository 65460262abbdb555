//! The split that leaves pairs of cell line and drug out.

use halfmax_core::{Result, Screen};

use super::grouping::{Grouping, Screens};
use crate::Validation;
use crate::units::{Units, cell_name, drug_kind, drug_name, members};

/// Unseen pairs of a cell line and a drug (or combination) that may both occur in training. Fills gaps of a screen.
pub(super) struct Pairs;

impl Grouping for Pairs {
    fn name(&self) -> &'static str {
        "lpo"
    }

    fn alias(&self) -> &'static str {
        "leave_pair"
    }

    fn summary(&self) -> &'static str {
        "Unseen pairs of a cell line and a drug (or combination) that may both occur in training. Fills gaps of a screen."
    }

    fn unseen(&self) -> &'static str {
        "pairs of cell line and drug"
    }

    fn screens(&self) -> Screens {
        Screens::All
    }

    fn units(&self, screen: &Screen) -> Result<Units> {
        let responses = &screen.responses;
        let cell = |at: usize| responses.side(0)[at];
        let all = 0..responses.len();
        Ok(match members(screen) {
            Some(members) => Units::numbered(all.map(|at| Some((cell(at), members(at))))),
            None => Units::numbered(all.map(|at| Some((cell(at), screen.members(at))))),
        })
    }

    fn unit(&self, screen: &Screen) -> String {
        format!("pair of {} and {}", screen.table(0).entity_kind(), drug_kind(screen))
    }

    fn unit_name(&self, screen: &Screen, response: usize) -> String {
        format!("{} × {}", cell_name(screen, response), drug_name(screen, response))
    }

    fn validation(&self, _screen: &Screen) -> Result<Validation> {
        Ok(Validation::Response)
    }
}
