//! Flags: warnings about the scores of a block.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::lattice::Lattice;
use super::noise::Noise;
use super::score::{ModelScores, SynergyModel};
use super::single::SingleAgent;
use crate::flags::Flag;

/// A warning to check before using the scores of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum BlockFlag {
    /// A drug has fewer than three doses alone: there are no Loewe and ZIP scores.
    TooFewDoses,
    /// The readings determine the curve of a drug alone so poorly that the Loewe scores may come from noise. See the
    /// flags of that curve.
    LoeweDoubtful,
    /// The ZIP scores may come from noise: for the same reason, or because a row or column is not monotone.
    ZipDoubtful,
    /// In a row or column viability falls and then rises with the dose, or rises and then falls: ZIP's curves cannot
    /// follow this.
    UShaped,
    /// Cells with every drug were not measured, although each of their doses occurs in another such cell.
    MissingCells,
    /// Measured cells have no reference in a model: a drug was not measured alone at their dose, or their row or column is too short.
    CellsWithoutReference,
    /// Cells were imputed.
    Imputed,
    /// No cell has two readings: there are no intervals and no p values.
    NoReplicates,
}

impl BlockFlag {
    /// Every flag, in the order in which they are written.
    pub const ALL: [Self; 8] = [
        Self::TooFewDoses,
        Self::LoeweDoubtful,
        Self::ZipDoubtful,
        Self::UShaped,
        Self::MissingCells,
        Self::CellsWithoutReference,
        Self::Imputed,
        Self::NoReplicates,
    ];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooFewDoses => "too_few_doses",
            Self::LoeweDoubtful => "loewe_doubtful",
            Self::ZipDoubtful => "zip_doubtful",
            Self::UShaped => "u_shaped",
            Self::MissingCells => "missing_cells",
            Self::CellsWithoutReference => "cells_without_reference",
            Self::Imputed => "imputed",
            Self::NoReplicates => "no_replicates",
        }
    }
}

/// A set of [`BlockFlag`]s; its text is their names, separated by semicolons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockFlags(u8);

impl BlockFlags {
    /// Whether a flag is set.
    pub fn contains(self, flag: BlockFlag) -> bool {
        self.0 & (1 << flag as u8) != 0
    }

    /// Whether no flag is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn insert_if(&mut self, set: bool, flag: BlockFlag) {
        if set {
            self.0 |= 1 << flag as u8;
        }
    }

    /// The flags of a block.
    pub(crate) fn of(
        lattice: &Lattice,
        means: &[f64],
        alone: &[SingleAgent],
        models: &[ModelScores],
        noise: &Noise,
        imputed: &[bool],
    ) -> Self {
        let has = |model: SynergyModel| models.iter().any(|scores| scores.model == model);
        let needs_curves = models.iter().any(|scores| scores.model.needs_curves());
        let few = needs_curves && alone.iter().any(|alone| alone.flags.contains(Flag::TooFewDoses));
        let doubtful = alone.iter().any(SingleAgent::is_doubtful);
        let complete = || (0..lattice.len()).filter(|cell| lattice.is_complete(*cell));
        let turns = u_shaped(lattice, means, noise);
        let mut flags = Self::default();
        flags.insert_if(few, BlockFlag::TooFewDoses);
        flags.insert_if(!few && doubtful && has(SynergyModel::Loewe), BlockFlag::LoeweDoubtful);
        flags.insert_if(!few && (doubtful || turns) && has(SynergyModel::Zip), BlockFlag::ZipDoubtful);
        flags.insert_if(turns, BlockFlag::UShaped);
        let combined = lattice.combined_doses(means);
        let missing = |cell: usize| means[cell].is_nan() && lattice.is_expected(cell, &combined);
        flags.insert_if(complete().any(missing), BlockFlag::MissingCells);
        let lacks = |scores: &ModelScores| {
            !(few && scores.model.needs_curves())
                && complete().any(|cell| !means[cell].is_nan() && scores.score[cell].is_nan())
        };
        flags.insert_if(models.iter().any(lacks), BlockFlag::CellsWithoutReference);
        flags.insert_if(imputed.contains(&true), BlockFlag::Imputed);
        let replicated = (0..lattice.len()).any(|cell| lattice.readings(cell).len() > 1);
        flags.insert_if(!replicated, BlockFlag::NoReplicates);
        flags
    }
}

impl fmt::Display for BlockFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = BlockFlag::ALL.into_iter().filter(|flag| self.contains(*flag));
        for (at, flag) in set.enumerate() {
            if at > 0 {
                f.write_str(";")?;
            }
            f.write_str(flag.name())?;
        }
        Ok(())
    }
}

/// Whether viability turns in a line of cells with two or more drugs.
fn u_shaped(lattice: &Lattice, means: &[f64], noise: &Noise) -> bool {
    (0..lattice.drugs()).any(|drug| {
        let (stride, doses) = (lattice.stride(drug), lattice.doses(drug).len());
        let begins = |cell: &usize| lattice.place(*cell, drug) == 0 && lattice.given(*cell).next().is_some();
        let mut lines = (0..lattice.len()).filter(begins);
        lines.any(|first| {
            let line = (0..doses).map(|place| means[first + place * stride]);
            let present: Vec<f64> = line.filter(|mean| !mean.is_nan()).map(|mean| mean / 100.0).collect();
            noise.turns(&present)
        })
    })
}

#[cfg(test)]
mod tests {
    use halfmax_core::Seed;

    use super::super::{DoseMatrix, SynergyParams};
    use crate::LogLogistic;

    const DRUG: LogLogistic = LogLogistic { top: 1.0, bottom: 0.1, ec50: 9.0, hill: 1.2 };

    /// Six doses of each drug, the viability by both doses.
    fn flags(viability: impl Fn(f64, f64) -> f64) -> String {
        let doses: Vec<f64> = std::iter::once(0.0).chain((0..6).map(|at| 3.0_f64.powi(at))).collect();
        let mut readings = Vec::new();
        for a in &doses {
            readings.extend(doses.iter().map(|b| [*a, *b, 100.0 * (1.0 - viability(*a, *b))]));
        }
        let matrix = DoseMatrix::new(&readings).unwrap();
        let scores = SynergyParams::default().check().unwrap().score(&matrix, Seed::new(1));
        scores.flags.to_string()
    }

    #[test]
    fn curves_that_the_readings_do_not_determine_are_flagged() {
        assert_eq!(flags(|a, b| DRUG.at(a) * DRUG.at(b)), "no_replicates");
        // An EC50 far above the doses, a step between two doses, no effect.
        let weak = LogLogistic { ec50: 5000.0, ..DRUG };
        let steep = LogLogistic { hill: 40.0, ..DRUG };
        let none = |dose: f64| 1.0 + 0.01 * (dose * 7.0).sin();
        let drugs: [&dyn Fn(f64) -> f64; 3] = [&|dose| weak.at(dose), &|dose| steep.at(dose), &none];
        for other in drugs {
            let found = flags(|a, b| DRUG.at(a) * other(b));
            assert!(found.starts_with("loewe_doubtful;zip_doubtful"), "{found}");
        }
    }

    #[test]
    fn a_row_that_turns_is_flagged_for_zip_alone() {
        let hook = |a: f64, b: f64| if a == 9.0 && b > 50.0 { 0.8 } else { DRUG.at(a) * DRUG.at(b) };
        assert_eq!(flags(hook), "zip_doubtful;u_shaped;no_replicates");
    }
}
