//! The orientation of a table of features.

use halfmax_core::{Error, FeatureSpace, Result, listed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::genes::count_known_genes;
use crate::names::CellLines;
use crate::profile::is_cell_line_id;
use crate::roles::Role;
use crate::table::RawTable;

/// The orientation of a table of cell-line features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Orientation {
    /// One row per cell line, one column per feature.
    CellLinesInRows,
    /// One row per feature (or drug), one column per cell line.
    #[serde(alias = "cell_lines_in_columns")]
    GenesInRows,
}

impl Orientation {
    /// The orientation with this name in configurations.
    ///
    /// # Errors
    /// If no orientation has this name.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "cell_lines_in_rows" => Ok(Self::CellLinesInRows),
            "genes_in_rows" | "cell_lines_in_columns" => Ok(Self::GenesInRows),
            _ => Err(Error::parameter(
                "orientation",
                format!("{name:?}"),
                "cell_lines_in_rows or genes_in_rows",
            )),
        }
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::CellLinesInRows => "cell lines × features",
            Self::GenesInRows => "features × cell lines",
        }
    }
}

/// The knowledge that decides the orientation of a table.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The known cell lines: from the list, annotations, and the other files of a join.
    pub lines: &'a CellLines,
    /// The features that a model was fitted on, when scoring.
    pub model: Option<&'a FeatureSpace>,
    /// The orientation that the user set.
    pub set: Option<Orientation>,
}

impl<'a> Known<'a> {
    /// Knowledge of cell lines only.
    pub fn lines(lines: &'a CellLines) -> Self {
        Self { lines, model: None, set: None }
    }
}

/// The orientation of a table and the roles of its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrangement {
    /// The orientation.
    pub orientation: Orientation,
    /// The column that names the rows.
    pub key: usize,
    /// The columns of values: features, or, with genes in rows, cell lines.
    pub columns: Vec<usize>,
    /// Unused columns: further names, ids and descriptions of the rows.
    pub set_aside: Vec<usize>,
    /// The evidence, as a sentence.
    pub evidence: String,
}

/// Names of columns of genes, best first; only letters and digits matter.
const GENE_COLUMNS: [&str; 19] = [
    "genesymbol",
    "genesymbols",
    "symbol",
    "symbols",
    "hugosymbol",
    "hgncsymbol",
    "gene",
    "genes",
    "genename",
    "geneid",
    "ensemblgeneid",
    "ensemblid",
    "ensembl",
    "entrezgeneid",
    "entrezid",
    "entrez",
    "feature",
    "features",
    "probeid",
];

/// Names of columns that describe genes.
const ABOUT_GENES: [&str; 16] = [
    "genetitle",
    "description",
    "genedescription",
    "chromosome",
    "chr",
    "start",
    "end",
    "length",
    "genelength",
    "genetype",
    "genebiotype",
    "biotype",
    "locus",
    "band",
    "cytoband",
    "strand",
];

/// The letters and digits of a column's name, in lower case.
pub(crate) fn word(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// One way to read a table.
struct Reading {
    orientation: Orientation,
    key: usize,
    /// The number of rows and of columns that are known in this reading, each with the total number.
    rows: (usize, usize),
    columns: (usize, usize),
    model: f64,
    /// Whether the name of the key column supports this reading.
    named: bool,
}

impl Reading {
    fn score(&self) -> f64 {
        let share = |(known, all): (usize, usize)| known as f64 / all.max(1) as f64;
        let named = if self.named { 0.5 } else { 0.0 };
        share(self.rows) + share(self.columns) + 2.0 * self.model + named
    }

    fn described(&self, table: &RawTable) -> String {
        let (in_rows, in_columns) = match self.orientation {
            Orientation::CellLinesInRows => ("cell lines", "genes"),
            Orientation::GenesInRows => ("genes", "cell lines"),
        };
        let named = match self.named {
            true => format!("the column {:?} names its rows; ", table.names()[self.key]),
            false => String::new(),
        };
        let model = match self.model > 0.0 {
            true => format!("; it has {:.0} % of the model's features", 100.0 * self.model),
            false => String::new(),
        };
        format!(
            "{0}: {named}{2} of {1} rows are known {in_rows}, {4} of {3} columns are known {in_columns}{model}",
            self.orientation.name(),
            self.rows.1,
            self.rows.0,
            self.columns.1,
            self.columns.0
        )
    }
}

/// Finds the orientation of a table of features by the known cell lines and genes in its rows and columns, by its
/// column names, and by the features of the scoring model.
///
/// # Errors
/// If both orientations or neither are possible, or no column names the rows. The error names both readings and the key
/// that decides.
pub fn orientation(table: &RawTable, known: Known<'_>) -> Result<Arrangement> {
    let readings =
        [read(table, known, Orientation::CellLinesInRows)?, read(table, known, Orientation::GenesInRows)?];
    let [rows, columns] = [readings[0].score(), readings[1].score()];
    let chosen = match known.set {
        Some(Orientation::CellLinesInRows) => &readings[0],
        Some(Orientation::GenesInRows) => &readings[1],
        None if rows.max(columns) == 0.0 && !table.is_text(0) => return Err(nobody_known(table)),
        None if rows.min(columns) >= 0.1 && rows.max(columns) < 1.5 * rows.min(columns) => {
            return Err(undecided(table, &readings));
        }
        None if columns > rows && columns < 0.1 => return Err(undecided(table, &readings)),
        None if columns > rows => &readings[1],
        None => &readings[0],
    };
    refuse_row_numbers(table, known, chosen)?;
    Ok(arranged(table, chosen, rows.max(columns) == 0.0, known.lines))
}

fn read(table: &RawTable, known: Known<'_>, orientation: Orientation) -> Result<Reading> {
    let words: Vec<String> = table.names().iter().map(|name| word(name)).collect();
    let column = match orientation {
        Orientation::CellLinesInRows => table.key.or_else(|| table.role(Role::CellLine)),
        Orientation::GenesInRows => {
            let by_name = || GENE_COLUMNS.iter().find_map(|name| words.iter().position(|word| word == name));
            table.key.or_else(by_name)
        }
    };
    let key = column.unwrap_or(0);
    let keys = table.texts(key)?;
    let keys: Vec<&str> = keys.iter().flatten().map(String::as_str).collect();
    let others: Vec<&str> = (0..words.len())
        .filter(|at| *at != key && !table.could_be(*at, Role::CellLine))
        .map(|at| table.names()[at].as_str())
        .collect();
    // Ids of a form that only cell lines have count as known, even if no list contains them.
    let lines = |names: &[&str]| {
        let ids = names.iter().filter(|name| is_cell_line_id(name)).count();
        known.lines.count_known(names.iter().copied()).max(ids)
    };
    let genes = |names: &[&str]| count_known_genes(names.iter().copied());
    let (rows, found, features) = match orientation {
        Orientation::CellLinesInRows => (lines(&keys), genes(&others), &others),
        Orientation::GenesInRows => (genes(&keys), lines(&others), &keys),
    };
    Ok(Reading {
        orientation,
        key,
        rows: (rows, keys.len()),
        columns: (found, others.len()),
        model: known.model.map_or(0.0, |space| share_of_model(space, features)),
        named: column.is_some(),
    })
}

/// The fraction of a model's features that occur among these names, with or without their kind.
fn share_of_model(space: &FeatureSpace, names: &[&str]) -> f64 {
    let plain = |name: &&str| name.split_once('/').map_or(*name, |(_, name)| name).to_owned();
    let genes: std::collections::HashSet<String> = names.iter().map(plain).collect();
    let has = space.features.iter().filter(|feature| genes.contains(&feature.name)).count();
    has as f64 / space.features.len().max(1) as f64
}

fn undecided(table: &RawTable, readings: &[Reading; 2]) -> Error {
    Error::data(format!(
        "{}: the orientation is ambiguous. As {}. As {}",
        table.label(),
        readings[0].described(table),
        readings[1].described(table)
    ))
    .with_help("set orientation = \"cell_lines_in_rows\" or orientation = \"genes_in_rows\"")
}

fn nobody_known(table: &RawTable) -> Error {
    let names: Vec<&str> = table.names().iter().map(String::as_str).collect();
    Error::data(format!(
        "{}: neither its first column nor its column names are known cell lines; columns are {}",
        table.label(),
        listed(&names, 8)
    ))
    .with_help(format!(
        "name the column of cell lines with one of {}",
        Role::CellLine.spec().names[..8].join(", ")
    ))
}

/// Refuses row numbers and columns of values as names of rows.
fn refuse_row_numbers(table: &RawTable, known: Known<'_>, reading: &Reading) -> Result<()> {
    let name = &table.names()[reading.key];
    if reading.named || table.is_text(reading.key) {
        return Ok(());
    }
    let keys: Vec<f64> =
        table.numbers(reading.key, "a name")?.iter().copied().filter(|key| !key.is_nan()).collect();
    let in_a_row = keys.len() > 1 && keys.windows(2).all(|pair| pair[1] == pair[0] + 1.0);
    let is_line = known.lines.count_known(std::iter::once(name.as_str())) > 0;
    let (what, help) = match reading.orientation {
        Orientation::CellLinesInRows => ("cell lines", "name the column of cell lines cell_line"),
        Orientation::GenesInRows => ("features", "put the names of the features (genes) in the first column"),
    };
    let unnamed = name.trim().is_empty()
        || matches!(word(name).as_str(), "unnamed0" | "index" | "x" | "v1" | "rownames" | "row");
    let error = match reading.orientation {
        Orientation::GenesInRows if in_a_row || is_line => format!(
            "{}: its columns are cell lines, but no column names the features (the first column, {name:?}, holds numbers)",
            table.label()
        ),
        Orientation::CellLinesInRows if in_a_row && unnamed => format!(
            "{}: no column names the {what}: the first column, {name:?}, holds row numbers",
            table.label()
        ),
        _ => return Ok(()),
    };
    Err(Error::data(error).with_help(help))
}

fn arranged(table: &RawTable, reading: &Reading, nobody: bool, lines: &CellLines) -> Arrangement {
    let names = table.names();
    let others = (0..names.len()).filter(|column| *column != reading.key);
    let (set_aside, columns) = others.partition(|column| match reading.orientation {
        Orientation::CellLinesInRows => table.could_be(*column, Role::CellLine),
        Orientation::GenesInRows => describes_genes(table, *column, lines),
    });
    let evidence = match nobody {
        true => format!(
            "{}: neither side is known, so we assume that cell lines are in rows",
            reading.orientation.name()
        ),
        false => reading.described(table),
    };
    Arrangement { orientation: reading.orientation, key: reading.key, columns, set_aside, evidence }
}

/// Whether a column beside the gene names describes the genes rather than a cell line.
fn describes_genes(table: &RawTable, column: usize, lines: &CellLines) -> bool {
    let name = &table.names()[column];
    let word = word(name);
    if lines.count_known(std::iter::once(name.as_str())) > 0 {
        return false;
    }
    if GENE_COLUMNS.contains(&word.as_str()) || ABOUT_GENES.contains(&word.as_str()) {
        return true;
    }
    let texts = if table.is_text(column) { table.texts(column).unwrap_or_default() } else { return false };
    let values: Vec<&String> = texts.iter().flatten().collect();
    let numbers = values.iter().filter(|value| value.parse::<f64>().is_ok()).count();
    2 * numbers < values.len()
}
