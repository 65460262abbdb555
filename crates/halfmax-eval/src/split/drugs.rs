use halfmax_core::{Result, Screen};

use super::grouping::{Grouping, Screens};
use crate::Validation;
use crate::units::{Units, drug_name, drug_sort};

/// Unseen drugs: a new compound. For screens of single drugs.
pub(super) struct Drugs;

impl Grouping for Drugs {
    fn name(&self) -> &'static str {
        "ldo"
    }

    fn alias(&self) -> &'static str {
        "leave_single_drug"
    }

    fn summary(&self) -> &'static str {
        "Unseen drugs: a new compound. For screens of single drugs."
    }

    fn unseen(&self) -> &'static str {
        "drugs"
    }

    fn screens(&self) -> Screens {
        Screens::SingleDrugs
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
        Ok(Validation::Entity(1))
    }
}
