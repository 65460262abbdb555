//! The parameters of an explanation.

use std::collections::HashSet;
use std::path::PathBuf;

use halfmax_core::{Error, Result, check};
use halfmax_mechanisms::{Mechanism, Mechanisms, parse_gmt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name of the catalogue that halfmax includes.
pub const BUILTIN: &str = "builtin";

/// How to explain models: the section `[explain]` of a configuration, or the options of `halfmax explain`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExplainParams {
    /// Names of the models to explain. Default: the first model.
    pub models: Vec<String>,
    /// A file with a catalogue of mechanisms. Default: the catalogue that halfmax includes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mechanisms: Option<PathBuf>,
    /// GMT files with further gene sets. Default: none.
    pub gene_sets: Vec<PathBuf>,
    /// Number of random gene sets and of permutations in the tests of mechanisms, 100 to 20,000. Default: 2000.
    pub permutations: usize,
    /// Training cell lines with their own page in the report. Default: none.
    pub cell_lines: Vec<String>,
}

impl Default for ExplainParams {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            mechanisms: None,
            gene_sets: Vec::new(),
            permutations: 2000,
            cell_lines: Vec::new(),
        }
    }
}

impl ExplainParams {
    /// Checks the parameters.
    pub fn check(&self) -> Result<()> {
        check::within("permutations", self.permutations, 100..=20_000)
    }

    /// The catalogue with the further gene sets.
    pub fn catalogue(&self) -> Result<Mechanisms> {
        let mut catalogue = match &self.mechanisms {
            None => Mechanisms::named(BUILTIN)?,
            Some(path) => Mechanisms::named(&path.to_string_lossy())?,
        };
        let mut ids: HashSet<String> = catalogue.list.iter().map(|mechanism| mechanism.id.clone()).collect();
        for path in &self.gene_sets {
            let place = path.display().to_string();
            let bytes = std::fs::read(path).map_err(|error| {
                Error::config(format!("{place}: the gene sets cannot be read"))
                    .with_source(error)
                    .with_help("give the path of a GMT file")
            })?;
            let text = String::from_utf8(bytes).map_err(|error| {
                Error::data(format!("{place}: is not text in UTF-8: expected a GMT file"))
                    .with_source(error)
                    .with_help(
                        "unpack it first if it is packed; GMT files of MSigDB and Reactome are plain text",
                    )
            })?;
            for set in parse_gmt(&text, &place)? {
                if !ids.insert(set.name.clone()) {
                    return Err(Error::data(format!("{place}: two sets are called {:?}", set.name))
                        .with_help("rename one of them"));
                }
                catalogue.list.push(Mechanism::from(set));
            }
        }
        Ok(catalogue)
    }
}
