//! The parameters of associations.

use halfmax_core::{Result, check};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How to test features of cell lines for associations with responses: the section `[associate]` of a configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AssociateParams {
    /// What the linear models adjust for: "tissue", and names of features of cell lines. Default: tissue, and every feature whose name says
    /// that it is microsatellite instability, a growth medium or property, or a batch. An empty list adjusts for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covariates: Option<Vec<String>>,
    /// Whether the linear models also adjust for general sensitivity: the mean response of a cell line to the other drugs. Default: true for
    /// screens of 20 drugs or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub general_sensitivity: Option<bool>,
    /// Only cell lines of these tissues. Default: all.
    pub tissues: Vec<String>,
    /// Kinds of features that are not tested. Default: none.
    pub leave_out: Vec<String>,
    /// The fewest carriers of a feature of carriers and others, and the fewest others, 2 to 1000. Default: 3.
    pub min_carriers: usize,
    /// The fewest measured cell lines of a drug, 5 to 100000. Default: 10.
    pub min_cell_lines: usize,
    /// The false discovery rate below which an association counts as found, above 0 and below 1. Default: 0.05.
    pub level: f64,
    /// The largest p value of an association that is written, above 0, at most 1. Default: 0.05.
    pub max_p: f64,
    /// Number of permutations in the tests of the strongest associations, 100 to 1000000. Default: 1000.
    pub permutations: usize,
    /// Number of the strongest associations of each drug that are looked at in detail: by permutation, by tissue, and in pairs; 0 to 200.
    /// Default: 10.
    pub strongest: usize,
}

impl Default for AssociateParams {
    fn default() -> Self {
        Self {
            covariates: None,
            general_sensitivity: None,
            tissues: Vec::new(),
            leave_out: Vec::new(),
            min_carriers: 3,
            min_cell_lines: 10,
            level: 0.05,
            max_p: 0.05,
            permutations: 1000,
            strongest: 10,
        }
    }
}

impl AssociateParams {
    /// Checks the parameters.
    ///
    /// # Errors
    /// If a parameter is out of range.
    pub fn check(&self) -> Result<()> {
        check::within("min_carriers", self.min_carriers, 2..=1000)?;
        check::within("min_cell_lines", self.min_cell_lines, 5..=100_000)?;
        let level = self.level > 0.0 && self.level < 1.0;
        check::expect("level", self.level, level, "a number above 0 and below 1")?;
        check::fraction("max_p", self.max_p)?;
        check::within("permutations", self.permutations, 100..=1_000_000)?;
        check::within("strongest", self.strongest, 0..=200)
    }
}
