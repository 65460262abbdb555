//! Fits to blocks beside their scores: response surfaces of two drugs, combination indices and sensitivity scores.

use halfmax_core::listed;
use halfmax_data::{MultiBlock, counted};
use halfmax_dose::LogLogistic;
use halfmax_dose::synergy::{
    BraidFit, CombinationIndex, Cooperativity, DoseMatrix, MaximalEffect, MultiMatrix, MusycFit, Sensitivity,
    combination_index, combination_index_of_many, fit_braid, fit_musyc, hill_curves, hill_curves_of_many,
    sensitivity, sensitivity_of_many,
};

/// A fit to a block beside the scores of reference models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockFit {
    /// The response surface MuSyC, for two drugs.
    Musyc,
    /// The response surface BRAID, for two drugs.
    Braid,
    /// The combination index of each cell, by median-effect lines and by fitted curves.
    Ci,
    /// Sensitivity scores: CSS, RI and, for two drugs, S.
    Css,
}

impl BlockFit {
    /// All fits.
    pub const ALL: [Self; 4] = [Self::Musyc, Self::Braid, Self::Ci, Self::Css];

    /// The name: `musyc`, `braid`, `ci` or `css`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Musyc => "musyc",
            Self::Braid => "braid",
            Self::Ci => "ci",
            Self::Css => "css",
        }
    }
}

/// The fits that are response surfaces, with the names of their models.
const SURFACES: [(BlockFit, &str); 2] = [(BlockFit::Musyc, "MuSyC"), (BlockFit::Braid, "BRAID")];

/// The fits to each block beside the scores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FitOptions {
    /// The fits. None by default.
    pub fits: Vec<BlockFit>,
    /// MuSyC: whether each drug may change the steepness of the other's curve.
    pub musyc_gamma: Cooperativity,
    /// BRAID: whether both drugs together can exceed the maximum effect of the stronger drug.
    pub braid_maximum: MaximalEffect,
}

/// The fits to a block: `None` if not requested. A surface that could not be fitted has the reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BlockFits {
    /// The response surface MuSyC.
    pub musyc: Option<Result<MusycFit, String>>,
    /// The response surface BRAID.
    pub braid: Option<Result<BraidFit, String>>,
    /// Combination indices.
    pub ci: Option<CombinationIndex>,
    /// Sensitivity scores.
    pub css: Option<Sensitivity>,
}

impl FitOptions {
    /// Whether this fit was requested.
    pub(super) fn has(&self, fit: BlockFit) -> bool {
        self.fits.contains(&fit)
    }

    /// The first fit whose parameters belong to whole blocks, which a table of cells cannot hold.
    pub(super) fn of_whole_blocks(&self) -> Option<BlockFit> {
        self.fits.iter().copied().find(|fit| *fit != BlockFit::Ci)
    }

    /// A note on the requested fits of blocks of more than two drugs, if the table has any.
    pub(super) fn note_several(&self, blocks: &[MultiBlock]) -> Option<String> {
        let surfaces: Vec<&str> =
            SURFACES.into_iter().filter(|(fit, _)| self.has(*fit)).map(|(_, name)| name).collect();
        if blocks.is_empty() || (surfaces.is_empty() && !self.has(BlockFit::Css)) {
            return None;
        }
        let mut parts = Vec::new();
        if !surfaces.is_empty() {
            parts.push(format!(
                "response surfaces ({}) describe two drugs, so they are fitted to the blocks of the pairs",
                surfaces.join(", ")
            ));
        }
        if self.has(BlockFit::Css) {
            parts.push("their CSS is the mean over their pairs, and S exists for two drugs only".to_owned());
        }
        let has_pair = |block: &&MultiBlock| {
            block.readings.iter().any(|(doses, _)| doses.iter().filter(|dose| **dose > 0.0).count() == 2)
        };
        let without = blocks.iter().filter(|block| !has_pair(block)).count();
        if without > 0 {
            parts.push(format!("no pair was measured in {without} of them"));
        }
        Some(format!("{} of three or more drugs: {}", counted(blocks.len(), "block"), parts.join("; ")))
    }

    /// Runs the requested fits: surfaces on all readings of the matrix, the others on the scored inhibitions.
    pub(super) fn fit_pair(
        &self,
        matrix: &DoseMatrix,
        response: &[f64],
        alone: [Option<LogLogistic>; 2],
        confidence: f64,
    ) -> BlockFits {
        let curves = || {
            let [a, b] = hill_curves(matrix, response);
            // If no model needed curves, they are fitted here.
            [alone[0].or(a), alone[1].or(b)]
        };
        let musyc = || fit_musyc(matrix, self.musyc_gamma, confidence).map_err(|error| error.to_string());
        let braid = || fit_braid(matrix, self.braid_maximum, confidence).map_err(|error| error.to_string());
        BlockFits {
            musyc: self.has(BlockFit::Musyc).then(musyc),
            braid: self.has(BlockFit::Braid).then(braid),
            ci: self.has(BlockFit::Ci).then(|| combination_index(matrix, response, curves())),
            css: self.has(BlockFit::Css).then(|| sensitivity(matrix, response)),
        }
    }

    /// Runs the requested fits for three and more drugs, given the ids of the blocks of their pairs. Surfaces exist for two drugs only, so
    /// they have a reason instead.
    pub(super) fn fit_several(
        &self,
        matrix: &MultiMatrix,
        response: &[f64],
        alone: &[Option<LogLogistic>],
        pairs: &[String],
    ) -> BlockFits {
        let of_two = |name: &str| match pairs {
            [] => format!("{name} describes two drugs, and no pair of these drugs was measured"),
            [pair] => format!("{name} describes two drugs: see the pair, block {pair}"),
            several => format!("{name} describes two drugs: see the pairs, blocks {}", listed(several, 10)),
        };
        let curves = || -> Vec<Option<LogLogistic>> {
            let fitted = hill_curves_of_many(matrix, response);
            alone.iter().zip(fitted).map(|(alone, fitted)| alone.or(fitted)).collect()
        };
        let [musyc, braid] = SURFACES.map(|(fit, name)| self.has(fit).then(|| of_two(name)));
        BlockFits {
            musyc: musyc.map(Err),
            braid: braid.map(Err),
            ci: self.has(BlockFit::Ci).then(|| combination_index_of_many(matrix, response, &curves())),
            css: self.has(BlockFit::Css).then(|| sensitivity_of_many(matrix, response)),
        }
    }
}

impl BlockFits {
    /// The surface MuSyC, if it was fitted.
    pub(super) fn musyc_fit(&self) -> Option<&MusycFit> {
        self.musyc.as_ref().and_then(|fit| fit.as_ref().ok())
    }

    /// The surface BRAID, if it was fitted.
    pub(super) fn braid_fit(&self) -> Option<&BraidFit> {
        self.braid.as_ref().and_then(|fit| fit.as_ref().ok())
    }

    /// The reason why a surface could not be fitted.
    pub(super) fn not_fitted(&self) -> Option<&str> {
        let musyc = self.musyc.as_ref().and_then(|fit| fit.as_ref().err());
        let braid = self.braid.as_ref().and_then(|fit| fit.as_ref().err());
        musyc.or(braid).map(String::as_str)
    }
}
