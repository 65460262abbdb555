//! What drugs do alone, as features of drugs and of cell lines in a screen of combinations.

use std::collections::{BTreeMap, HashMap};

use halfmax_core::{EntityTable, Error, FeatureBlock, FeatureValues, Result, SINGLE_AGENT, listed};
use ndarray::{Array2, ShapeBuilder};

use crate::columns;
use crate::names::{CellLines, drug_key, no_column};
use crate::readings::finite;
use crate::report::{FileReport, FileShape, grouped};
use crate::table::RawTable;

/// Responses to single drugs: for each cell line, drug and measure one number.
struct Measured {
    measures: Vec<String>,
    /// Sum and number of values by cell line, drug and measure.
    sums: BTreeMap<(u32, u32, usize), (f64, usize)>,
}

/// Gives drugs and cell lines a block of single-agent responses: a drug one feature for each cell line and measure, called
/// `cell line/measure`, a cell line one for each drug and measure.
///
/// The table has a row for each drug and cell line with any number of columns of numbers (those named, or all), or it has one
/// for each reading, with a dose: then measures are the responses at the first, second … dose of the drug in that cell line.
/// Repeats are averaged. Measures are divided by their standard deviation, those whose names differ in a number at the end by a
/// common one.
///
/// # Errors
/// If a needed column is not there, a value is text or infinite, or no row is of a drug and cell line of the tables.
pub(crate) fn with_single_agents(
    table: &RawTable,
    wanted: &[String],
    lines: &CellLines,
    cells: EntityTable,
    drugs: EntityTable,
) -> Result<(EntityTable, EntityTable, FileReport)> {
    let measured = read(table, wanted, lines, &cells, &drugs)?;
    let scales = scales(&measured);
    let count = measured.measures.len();
    let mut of_cells = Array2::from_elem((cells.len(), drugs.len() * count).f(), f32::NAN);
    let mut of_drugs = Array2::from_elem((drugs.len(), cells.len() * count).f(), f32::NAN);
    for ((cell, drug, measure), (sum, n)) in &measured.sums {
        let value = (sum / *n as f64 / scales[*measure]) as f32;
        let (cell, drug) = (*cell as usize, *drug as usize);
        of_cells[[cell, drug * count + measure]] = value;
        of_drugs[[drug, cell * count + measure]] = value;
    }
    let names = |partners: &EntityTable| -> Vec<String> {
        let of =
            |id: &String| measured.measures.iter().map(move |measure| format!("{id}/{measure}")).collect();
        partners.ids().iter().flat_map::<Vec<String>, _>(of).collect()
    };
    let (cell_names, drug_names) = (names(&drugs), names(&cells));
    let pairs = {
        let mut pairs: Vec<(u32, u32)> = measured.sums.keys().map(|(cell, drug, _)| (*cell, *drug)).collect();
        pairs.dedup();
        pairs.len()
    };
    let mut report = FileReport {
        shape: FileShape::of(table, "single-agent responses"),
        matched: pairs,
        ..FileReport::default()
    };
    let all = cells.len() * drugs.len();
    report.missing_share = 1.0 - pairs as f64 / all.max(1) as f64;
    report.notes.push(format!(
        "{} of {} pairs of a drug and a cell line, {count} measures each ({})",
        grouped(pairs),
        grouped(all),
        listed(&measured.measures, 4)
    ));
    let block = |names, values| FeatureBlock::new(SINGLE_AGENT, names, FeatureValues::real(values));
    Ok((
        cells.with_block(block(cell_names, of_cells)?)?,
        drugs.with_block(block(drug_names, of_drugs)?)?,
        report,
    ))
}

fn read(
    table: &RawTable,
    wanted: &[String],
    lines: &CellLines,
    cells: &EntityTable,
    drugs: &EntityTable,
) -> Result<Measured> {
    let Some(cell_column) = table.find(&columns::CELL_LINE) else {
        return Err(no_column(table, "of cell lines", &columns::CELL_LINE[..8]));
    };
    let Some(drug_column) = table.find(&columns::DRUG) else {
        return Err(no_column(table, "of drugs", &columns::DRUG));
    };
    let by_key: HashMap<String, u32> = drugs.ids().iter().map(|id| drug_key(id)).zip(0..).collect();
    let cell_of: Vec<Option<u32>> = lines
        .identify(&table.texts(cell_column)?)
        .ids
        .iter()
        .map(|id| id.as_ref().and_then(|id| cells.position(id)).map(|at| at as u32))
        .collect();
    let drug_of: Vec<Option<u32>> = table
        .texts(drug_column)?
        .iter()
        .map(|name| name.as_ref().and_then(|name| by_key.get(&drug_key(name)).copied()))
        .collect();
    let keys: Vec<Option<(u32, u32)>> =
        cell_of.into_iter().zip(drug_of).map(|(cell, drug)| cell.zip(drug)).collect();
    let measured = match (table.find(&columns::DOSE), wanted) {
        (Some(dose), []) => by_dose(table, dose, &keys)?,
        _ => by_column(table, wanted, &keys)?,
    };
    if measured.sums.is_empty() {
        return Err(Error::data(format!(
            "{}: no row is of a drug and a cell line of the screen",
            table.label()
        ))
        .help("use the same names as in the response table"));
    }
    Ok(measured)
}

/// One measure for each dose, in ascending order.
fn by_dose(table: &RawTable, dose: usize, keys: &[Option<(u32, u32)>]) -> Result<Measured> {
    let Some(response) = table.find(&columns::READING) else {
        return Err(no_column(table, "of readings", &columns::READING));
    };
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
    Ok(Measured { measures: (1..=most).map(|rank| format!("dose{rank}")).collect(), sums })
}

/// One measure for each column of numbers.
fn by_column(table: &RawTable, wanted: &[String], keys: &[Option<(u32, u32)>]) -> Result<Measured> {
    let columns: Vec<usize> = if wanted.is_empty() {
        let named = |at: &usize| {
            !table.names()[*at].trim().is_empty() && !columns::is_identifier(&table.names()[*at])
        };
        (0..table.names().len()).filter(named).filter(|at| table.is_numeric(*at)).collect()
    } else {
        let place = |name: &String| {
            table.find(&[name]).ok_or_else(|| {
                Error::config(format!(
                    "data.single_agent_columns names {name:?}: {} has no such column",
                    table.label()
                ))
                .help(format!("it has {}", listed(table.names(), 12)))
            })
        };
        wanted.iter().map(place).collect::<Result<_>>()?
    };
    if columns.is_empty() {
        return Err(Error::data(format!("{}: has no column of numbers", table.label()))
            .help("give one column for each measure, for example auc and emax"));
    }
    let mut sums: BTreeMap<(u32, u32, usize), (f64, usize)> = BTreeMap::new();
    for (measure, column) in columns.iter().enumerate() {
        for (key, value) in keys.iter().zip(finite(table, *column, "a number")?) {
            if let (Some((cell, drug)), false) = (key, value.is_nan()) {
                let sum = sums.entry((*cell, *drug, measure)).or_default();
                *sum = (sum.0 + value, sum.1 + 1);
            }
        }
    }
    Ok(Measured { measures: columns.iter().map(|column| table.names()[*column].clone()).collect(), sums })
}

/// What each measure is divided by.
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
