//! Single-agent responses as features of drugs and of cell lines in a screen of combinations.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use halfmax_core::{
    EntityTable, Error, FeatureBlock, FeatureSpace, FeatureValues, Result, SINGLE_AGENT, listed,
};
use ndarray::{Array2, ShapeBuilder};
use serde::{Deserialize, Serialize};

use crate::file_spec::TableFile;
use crate::names::{CellLines, drug_key};
use crate::profile::Content;
use crate::readings::finite;
use crate::report::{FileReport, FileShape, grouped};
use crate::roles::Role;
use crate::table::RawTable;

/// The single-agent measures of a model's training, needed to prepare new single-agent responses in the same way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SingleAgentMeasures {
    /// Whether measures are the responses at the first, second … dose. Otherwise they are columns.
    pub by_dose: bool,
    /// The measures, each with its divisor.
    pub scales: BTreeMap<String, f64>,
}

/// Responses to single drugs: one number for each cell line, drug and measure.
struct Measured {
    by_dose: bool,
    measures: Vec<String>,
    /// Sum and number of values by cell line, drug and measure.
    sums: BTreeMap<(u32, u32, usize), (f64, usize)>,
}

/// Cell lines or drugs of a file of single-agent responses: first those of a table, then others that appear in feature
/// names.
struct Entities<'a> {
    table: &'a EntityTable,
    /// Distinct ids.
    ids: Vec<String>,
    /// The entities in feature names, as positions among the ids.
    partners: Vec<usize>,
}

impl<'a> Entities<'a> {
    /// Features are named after the entities of the table itself.
    fn among_themselves(table: &'a EntityTable) -> Self {
        Self { table, ids: table.ids().to_vec(), partners: (0..table.len()).collect() }
    }

    /// Features are named after the entities in a model's feature names.
    fn known_to(space: &FeatureSpace, table: &'a EntityTable, key: fn(&str) -> String) -> Self {
        let mut ids = table.ids().to_vec();
        let mut places: HashMap<String, usize> = ids.iter().map(|id| key(id)).zip(0..).collect();
        let named = space.features.iter().filter(|feature| feature.kind == SINGLE_AGENT);
        let named = named.filter_map(|feature| Some(feature.name.rsplit_once('/')?.0));
        let mut partners = Vec::new();
        let mut seen = HashSet::new();
        for id in named.filter(|id| seen.insert(*id)) {
            let place = *places.entry(key(id)).or_insert(ids.len());
            if place == ids.len() {
                ids.push(id.to_owned());
            } else {
                // Use the model's spelling, because its features have it.
                ids[place] = id.to_owned();
            }
            partners.push(place);
        }
        Self { table, ids, partners }
    }

    /// The names of the features of these entities.
    fn feature_names(&self, measures: &[String]) -> Vec<String> {
        let ids = self.partners.iter().map(|at| &self.ids[*at]);
        ids.flat_map(|id| measures.iter().map(move |measure| format!("{id}/{measure}"))).collect()
    }
}

/// Adds a block of single-agent responses to drugs and cell lines. A drug gets one feature for each cell line and
/// measure, named `cell line/measure`; a cell line gets one for each drug and measure.
///
/// The table has one row per drug and cell line, with any number of numeric columns (the named columns, or all). Or it
/// has one row per reading, with a dose; the measures are then the responses at the first, second … dose of the drug in
/// that cell line. Repeats are averaged. Measures are divided by their standard deviation. Measures whose names differ
/// only in a final number share a standard deviation.
///
/// # Errors
/// If a required column is missing, a value is text or infinite, or no row has a drug and a cell line of the tables.
pub(crate) fn with_single_agents(
    table: &RawTable,
    wanted: &[String],
    lines: &CellLines,
    cells: EntityTable,
    drugs: EntityTable,
) -> Result<(EntityTable, EntityTable, FileReport, SingleAgentMeasures)> {
    let [of_cells, of_drugs] = [&cells, &drugs].map(Entities::among_themselves);
    let measured = read(table, wanted, lines, &of_cells, &of_drugs)?;
    let scales = scales(&measured);
    let measures = SingleAgentMeasures {
        by_dose: measured.by_dose,
        scales: measured.measures.iter().cloned().zip(scales.iter().copied()).collect(),
    };
    let ([of_cells, of_drugs], report) = blocks(table, &measured, &scales, [&of_cells, &of_drugs])?;
    Ok((cells.with_block(of_cells)?, drugs.with_block(of_drugs)?, report, measures))
}

/// Adds the single-agent features of a model to the drugs and cell lines to score, from a file. `spaces` are the
/// model's features of cell lines and of drugs.
///
/// # Errors
/// If the file cannot be read, lacks a column, holds an impossible number, or no row has one of the cell lines and
/// drugs.
pub fn with_single_agents_for_scoring(
    file: impl Into<TableFile>,
    measures: &SingleAgentMeasures,
    spaces: [&FeatureSpace; 2],
    cells: EntityTable,
    drugs: EntityTable,
) -> Result<(EntityTable, EntityTable, FileReport)> {
    let table = file.into().open()?;
    let wanted: Vec<String> = match measures.by_dose {
        true => Vec::new(),
        false => measures.scales.keys().cloned().collect(),
    };
    if measures.by_dose {
        table.require(Role::Dose)?;
    }
    // A drug's features are named after cell lines, and a cell line's features after drugs.
    let of_cells = Entities::known_to(spaces[1], &cells, str::to_owned);
    let of_drugs = Entities::known_to(spaces[0], &drugs, drug_key);
    let lines = CellLines::with_ids(of_cells.ids.iter().map(String::as_str))?;
    let measured = read(&table, &wanted, &lines, &of_cells, &of_drugs)?;
    let scale = |measure: &String| measures.scales.get(measure).copied().unwrap_or(1.0);
    let scales: Vec<f64> = measured.measures.iter().map(scale).collect();
    let ([of_cells, of_drugs], report) = blocks(&table, &measured, &scales, [&of_cells, &of_drugs])?;
    Ok((cells.with_block(of_cells)?, drugs.with_block(of_drugs)?, report))
}

/// The blocks of cell lines and of drugs.
fn blocks(
    table: &RawTable,
    measured: &Measured,
    scales: &[f64],
    [cells, drugs]: [&Entities; 2],
) -> Result<([FeatureBlock; 2], FileReport)> {
    let count = measured.measures.len();
    let empty = |own: &Entities, partners: &Entities| {
        Array2::from_elem((own.table.len(), partners.partners.len() * count).f(), f32::NAN)
    };
    let (mut of_cells, mut of_drugs) = (empty(cells, drugs), empty(drugs, cells));
    let column = |partners: &Entities| -> HashMap<usize, usize> {
        partners.partners.iter().copied().zip((0..).step_by(count.max(1))).collect()
    };
    let (after_cells, after_drugs) = (column(cells), column(drugs));
    let mut pairs = BTreeSet::new();
    for ((cell, drug, measure), (sum, n)) in &measured.sums {
        let value = (sum / *n as f64 / scales[*measure]) as f32;
        let (cell, drug) = (*cell as usize, *drug as usize);
        if let (true, Some(first)) = (cell < cells.table.len(), after_drugs.get(&drug)) {
            of_cells[[cell, first + measure]] = value;
        }
        if let (true, Some(first)) = (drug < drugs.table.len(), after_cells.get(&cell)) {
            of_drugs[[drug, first + measure]] = value;
        }
        pairs.insert((cell, drug));
    }
    let mut report = FileReport {
        shape: FileShape::of(table, "single-agent responses"),
        matched: pairs.len(),
        ..FileReport::default()
    };
    let all = cells.ids.len() * drugs.ids.len();
    report.missing_share = 1.0 - pairs.len() as f64 / all.max(1) as f64;
    report.notes.push(format!(
        "{} of {} pairs of a drug and a cell line, {count} measures each ({})",
        grouped(pairs.len()),
        grouped(all),
        listed(&measured.measures, 4)
    ));
    let block = |partners: &Entities, values| {
        let names = partners.feature_names(&measured.measures);
        FeatureBlock::new(SINGLE_AGENT, names, FeatureValues::real(values))
    };
    Ok(([block(drugs, of_cells)?, block(cells, of_drugs)?], report))
}

fn read(
    table: &RawTable,
    wanted: &[String],
    lines: &CellLines,
    cells: &Entities,
    drugs: &Entities,
) -> Result<Measured> {
    let cell_column = table.require(Role::CellLine)?;
    let drug_column = table.require(Role::Drug)?;
    let by_id: HashMap<&str, u32> = cells.ids.iter().map(String::as_str).zip(0..).collect();
    let by_key: HashMap<String, u32> = drugs.ids.iter().map(|id| drug_key(id)).zip(0..).collect();
    let cell_of: Vec<Option<u32>> = lines
        .identify(&table.texts(cell_column)?)
        .ids
        .iter()
        .map(|id| id.as_ref().and_then(|id| by_id.get(id.as_str()).copied()))
        .collect();
    let drug_of: Vec<Option<u32>> = table
        .texts(drug_column)?
        .iter()
        .map(|name| name.as_ref().and_then(|name| by_key.get(&drug_key(name)).copied()))
        .collect();
    let keys: Vec<Option<(u32, u32)>> =
        cell_of.into_iter().zip(drug_of).map(|(cell, drug)| cell.zip(drug)).collect();
    let measured = match (table.role(Role::Dose), wanted) {
        (Some(dose), []) => by_dose(table, dose, &keys)?,
        _ => by_column(table, wanted, &keys)?,
    };
    if measured.sums.is_empty() {
        return Err(Error::data(format!("{}: no row has a requested drug and cell line", table.label()))
            .with_help("use the same names as in the other files"));
    }
    Ok(measured)
}

/// One measure for each dose, in ascending order.
fn by_dose(table: &RawTable, dose: usize, keys: &[Option<(u32, u32)>]) -> Result<Measured> {
    let response = table.require(Role::Reading)?;
    let (doses, responses) = (finite(table, dose, "a dose")?, finite(table, response, "a number")?);
    let mut of_pair: BTreeMap<(u32, u32), Vec<f64>> = BTreeMap::new();
    let usable = |row: &usize| !doses[*row].is_nan() && !responses[*row].is_nan();
    let rows: Vec<(usize, (u32, u32))> =
        (0..keys.len()).filter(usable).filter_map(|row| Some((row, keys[row]?))).collect();
    for (row, key) in &rows {
        of_pair.entry(*key).or_default().push(doses[*row]);
    }
    for doses in of_pair.values_mut() {
        doses.sort_by(f64::total_cmp);
        doses.dedup();
    }
    let most = of_pair.values().map(Vec::len).max().unwrap_or(0);
    let mut sums: BTreeMap<(u32, u32, usize), (f64, usize)> = BTreeMap::new();
    for (row, (cell, drug)) in rows {
        let rank = of_pair[&(cell, drug)].partition_point(|other| *other < doses[row]);
        let sum = sums.entry((cell, drug, rank)).or_default();
        *sum = (sum.0 + responses[row], sum.1 + 1);
    }
    Ok(Measured { by_dose: true, measures: (1..=most).map(|rank| format!("dose{rank}")).collect(), sums })
}

/// One measure for each column of numbers.
fn by_column(table: &RawTable, wanted: &[String], keys: &[Option<(u32, u32)>]) -> Result<Measured> {
    let columns: Vec<usize> = if wanted.is_empty() {
        let named = |at: &usize| {
            !table.names()[*at].trim().is_empty()
                && !table.is_ignored(*at)
                && !table.is_identifier(*at)
                && table.content(*at) != Content::RowNumber
        };
        (0..table.names().len()).filter(named).filter(|at| table.is_numeric(*at)).collect()
    } else {
        let place = |name: &String| {
            table.find(&[name]).ok_or_else(|| {
                Error::config(format!("{}: no column {name:?}, a single-agent measure that data.single_agent_columns or the model names", table.label()))
                    .with_help(format!("it has {}", listed(table.names(), 12)))
            })
        };
        wanted.iter().map(place).collect::<Result<_>>()?
    };
    if columns.is_empty() {
        return Err(Error::data(format!("{}: no columns of numbers", table.label()))
            .with_help("add one column per measure, for example auc and emax"));
    }
    let mut sums: BTreeMap<(u32, u32, usize), (f64, usize)> = BTreeMap::new();
    for (measure, column) in columns.iter().enumerate() {
        for (key, value) in keys.iter().zip(finite(table, *column, "a number")?.iter()) {
            if let (Some((cell, drug)), false) = (key, value.is_nan()) {
                let sum = sums.entry((*cell, *drug, measure)).or_default();
                *sum = (sum.0 + value, sum.1 + 1);
            }
        }
    }
    Ok(Measured {
        by_dose: false,
        measures: columns.iter().map(|column| table.names()[*column].clone()).collect(),
        sums,
    })
}

/// The divisor of each measure.
fn scales(measured: &Measured) -> Vec<f64> {
    let stem = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
    let stems: Vec<String> = measured.measures.iter().map(|name| stem(name)).collect();
    let mut moments: HashMap<&str, [f64; 3]> = HashMap::new();
    for ((_, _, measure), (sum, n)) in &measured.sums {
        let value = sum / *n as f64;
        let own = moments.entry(&stems[*measure]).or_default();
        *own = [own[0] + 1.0, own[1] + value, own[2] + value * value];
    }
    let scale = |stem: &String| {
        let Some([n, sum, squares]) = moments.get(stem.as_str()) else { return 1.0 };
        let deviation = (squares / n - (sum / n).powi(2)).max(0.0).sqrt();
        if deviation > 1e-12 { deviation } else { 1.0 }
    };
    stems.iter().map(scale).collect()
}
