use halfmax_core::{Result, Screen};

use super::grouping::{Grouping, Screens};
use crate::Validation;
use crate::units::{Units, drug_name, drug_sort};

/// Unseen combinations of drugs, in all cell lines. For screens of combinations.
pub(super) struct Combinations;

impl Grouping for Combinations {
    fn name(&self) -> &'static str {
        "leave_combination"
    }

    fn alias(&self) -> &'static str {
        "leave_combination"
    }

    fn summary(&self) -> &'static str {
        "Unseen combinations of drugs, in all cell lines. For screens of combinations."
    }

    fn unseen(&self) -> &'static str {
        "combinations"
    }

    fn screens(&self) -> Screens {
        Screens::Combinations
    }

    fn leaves_drugs_out(&self) -> bool {
        true
    }

    fn units(&self, screen: &Screen) -> Result<Units> {
        Ok(Units::of_drugs(screen))
    }

    fn unit(&self, screen: &Screen) -> String {
        drug_sort(screen)
    }

    fn unit_name(&self, screen: &Screen, response: usize) -> String {
        drug_name(screen, response)
    }

    fn validation(&self, _screen: &Screen) -> Result<Validation> {
        Ok(Validation::Combination)
    }
}
