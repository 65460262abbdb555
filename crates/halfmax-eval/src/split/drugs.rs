//! Splits that leave drugs, combinations, or drugs of combinations out.

use halfmax_core::{Result, Screen};

use super::grouping::{Grouping, Screens};
use crate::Validation;
use crate::units::{Units, drug_kind, drug_name};

/// Unseen drugs, combinations, or drugs of combinations.
pub(super) struct Drugs {
    name: &'static str,
    alias: &'static str,
    summary: &'static str,
    unseen: &'static str,
    screens: Screens,
    validation: Validation,
    overlaps: bool,
}

pub(super) static LDO: Drugs = Drugs {
    name: "ldo",
    alias: "leave_single_drug",
    summary: "Unseen drugs: a new compound. For screens of single drugs.",
    unseen: "drugs",
    screens: Screens::SingleDrugs,
    validation: Validation::Entity(1),
    overlaps: false,
};

pub(super) static LEAVE_COMBINATION: Drugs = Drugs {
    name: "leave_combination",
    alias: "leave_combination",
    summary: "Unseen combinations of drugs, in all cell lines. For screens of combinations.",
    unseen: "combinations",
    screens: Screens::Combinations,
    validation: Validation::Combination,
    overlaps: false,
};

/// If the drugs of a combination are in two folds, the combination is tested in one of them and trained on in neither.
pub(super) static LEAVE_DRUG: Drugs = Drugs {
    name: "leave_drug",
    alias: "leave_drug",
    summary: "Unseen drugs of combinations: at least one drug of every test combination is in no training combination. For screens of combinations.",
    unseen: "combinations with a drug",
    screens: Screens::Combinations,
    validation: Validation::Member,
    overlaps: true,
};

impl Grouping for Drugs {
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
        self.unseen
    }

    fn screens(&self) -> Screens {
        self.screens
    }

    fn leaves_drugs_out(&self) -> bool {
        true
    }

    fn units(&self, screen: &Screen) -> Result<Units> {
        Ok(Units::of_drugs(screen))
    }

    fn unit(&self, screen: &Screen) -> String {
        drug_kind(screen)
    }

    fn unit_name(&self, screen: &Screen, response: usize) -> String {
        drug_name(screen, response)
    }

    fn validation(&self, _screen: &Screen) -> Result<Validation> {
        Ok(self.validation.clone())
    }

    fn overlaps(&self) -> bool {
        self.overlaps
    }
}
