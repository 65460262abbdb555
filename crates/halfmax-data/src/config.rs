//! The `[data]` and `[target]` parts of a configuration.

use std::path::PathBuf;

use halfmax_core::{CellKind, End, Quantity, Scale, Unit};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::assign::SaidColumns;
use crate::file_spec::{TableFile, TableOptions, refuse_unknown};

/// Where the data of a run come from: the `[data]` part of a configuration. Paths are relative to the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The response table; with `dataset`, the name of one of its tables ("gdsc1", "gdsc2") or a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<TableFile>,
    /// A second table of responses to the same drugs, with the same target. The agreement with this study limits
    /// the accuracy that a model can reach. With `dataset`, the name of one of its tables or a file.
    #[serde(default, alias = "replicate", skip_serializing_if = "Option::is_none")]
    pub reference_study: Option<TableFile>,
    /// A dataset that provides all files: "gdsc-core", which is part of the program, or a fetched dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// The folder of fetched datasets, if it is not the usual one. A configuration cannot set it, because machines
    /// differ.
    #[serde(skip)]
    pub data_dir: Option<PathBuf>,
    /// A table of single-agent responses, for a screen of combinations. It gives features of drugs and of cell lines.
    /// With `dataset`, the name of one of its tables or a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_agent: Option<TableFile>,
    /// The columns of the single-agent table to use; all numeric columns if the list is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub single_agent_columns: Vec<String>,
    /// The drugs: names, SMILES, targets, target pathways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drugs: Option<TableFile>,
    /// More ids and names of cell lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotation: Option<TableFile>,
    /// The column of each role, in every file that has this column: `drug = "inhibitor"`.
    #[serde(default, skip_serializing_if = "SaidColumns::is_empty")]
    pub columns: SaidColumns,
    /// Which features of drugs to make.
    #[serde(default)]
    pub drug_features: DrugFeatures,
    /// Files of cell-line features.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<CellFile>,
}

/// Which features to make of drugs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DrugFeatures {
    /// Bits of the Morgan fingerprint (radius 2): 128, 256, 512, 1024, 2048, or 0 for none.
    pub fingerprint_bits: usize,
    /// Whether to make one binary feature of each target.
    pub targets: bool,
    /// Whether to make a category of the target pathway.
    pub target_pathway: bool,
    /// Columns of the drug sheet to use as custom features: numbers, or strings of bits. `["all"]` takes every such
    /// column.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
}

impl Default for DrugFeatures {
    fn default() -> Self {
        Self { fingerprint_bits: 512, targets: true, target_pathway: true, columns: Vec::new() }
    }
}

/// A file of cell-line features.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CellFile {
    /// What the file holds.
    pub kind: CellKind,
    /// The file; may be absent for a file of a dataset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// How many of the most variable features to keep, chosen on training cell lines; absent = all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_variance: Option<usize>,
    /// Whether to keep cell lines that the file lacks, with missing values. Only for expression, which every cell line
    /// needs otherwise.
    #[serde(skip_serializing_if = "is_false")]
    #[schemars(default)]
    pub optional: bool,
    /// Properties of the file that the user sets instead of letting the reader detect them.
    #[serde(flatten)]
    pub options: TableOptions,
}

impl CellFile {
    /// A file of one kind with default options.
    pub fn new(kind: CellKind, file: impl Into<PathBuf>) -> Self {
        Self {
            kind,
            file: Some(file.into()),
            top_variance: None,
            optional: false,
            options: TableOptions::default(),
        }
    }

    /// The file with its options; `None` for a file of an embedded dataset.
    pub fn table_file(&self) -> Option<TableFile> {
        self.file.as_ref().map(|file| TableFile { file: file.clone(), options: self.options.clone() })
    }
}

impl<'de> Deserialize<'de> for CellFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const KNOWN: [&str; 11] = [
            "kind",
            "file",
            "top_variance",
            "optional",
            "sheet",
            "separator",
            "columns",
            "where",
            "orientation",
            "layout",
            "key",
        ];
        #[derive(Deserialize)]
        struct Spelt {
            kind: CellKind,
            file: Option<PathBuf>,
            top_variance: Option<usize>,
            #[serde(default)]
            optional: bool,
            #[serde(flatten)]
            options: TableOptions,
        }
        let table = toml::Table::deserialize(deserializer)?;
        refuse_unknown(&table, &KNOWN)?;
        let Spelt { kind, file, top_variance, optional, options } =
            table.try_into().map_err(serde::de::Error::custom)?;
        Ok(Self { kind, file, top_variance, optional, options })
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// The quantity to predict: the `[target]` part of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TargetConfig {
    /// The column of the response table; absent = the first column that exists of LN_IC50, AUC, ….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The measured quantity, if the column name does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// The scale of the column, if its name does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// The unit of the column's concentrations, if its name does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// The end of the scale at which cell lines are sensitive, if nothing else says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensitive: Option<End>,
    /// The logarithm of the column to learn; absent = the column as it is, with a warning if it holds concentrations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transform: Option<Transform>,
    /// What to do with several responses of one cell line to one drug.
    pub duplicates: Duplicates,
    /// Responses above this value are positive, in the unit of the target (after `transform`). An evaluation then
    /// reports how well models detect them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positive_above: Option<f64>,
}

/// The form of a concentration to learn. Concentrations of a known unit are converted to µM first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// The natural logarithm.
    Ln,
    /// The decimal logarithm.
    Log10,
    /// The values as they are.
    None,
}

/// What to do with several responses of one cell line to one drug.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Duplicates {
    /// Their mean.
    #[default]
    Mean,
    /// Their median.
    Median,
    /// Refuse them.
    Error,
}
