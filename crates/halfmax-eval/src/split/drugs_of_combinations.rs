use halfmax_core::{Result, Screen};

use super::grouping::{Grouping, Screens};
use crate::Validation;
use crate::units::{Units, drug_name, drug_sort};

/// Unseen drugs of combinations: at least one drug of every test combination is in no training combination. For screens of combinations.
pub(super) struct DrugsOfCombinations;

impl Grouping for DrugsOfCombinations {
    fn name(&self) -> &'static str {
        "leave_drug"
    }

    fn alias(&self) -> &'static str {
        "leave_drug"
    }

    fn summary(&self) -> &'static str {
        "Unseen drugs of combinations: at least one drug of every test combination is in no training combination. For screens of combinations."
    }

    fn unseen(&self) -> &'static str {
        "combinations with a drug"
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
        Ok(Validation::Member)
    }

    /// A combination whose drugs are in two folds is tested in one of them, and trained on in neither.
    fn overlaps(&self) -> bool {
        true
    }
}
