//! Curves of which a row holds all doses and all readings, as CCLE publishes them, made into one row per reading.

use halfmax_core::{Error, Result};

use crate::roles::Role;
use crate::table::{LabelsBuilder, RawColumn, RawTable, RowPlaces, Values};

/// A table with a column of lists of doses and one of lists of readings as one of readings; none for other tables.
///
/// # Errors
/// If a row has another number of doses than of readings, or an entry of a list is no number.
pub(crate) fn readings_in_rows(table: &RawTable) -> Result<Option<RawTable>> {
    let (Some(doses), Some(readings)) = (table.role(Role::DoseList), table.role(Role::ReadingList)) else {
        return Ok(None);
    };
    let (cells, drugs) =
        (table.labels(table.require(Role::CellLine)?)?, table.labels(table.require(Role::Drug)?)?);
    let (dose_lists, reading_lists) = (table.labels(doses)?, table.labels(readings)?);
    let (mut cell_lines, mut drug_names) = (LabelsBuilder::default(), LabelsBuilder::default());
    let (mut all_doses, mut all_readings, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..table.rows() {
        let (Some(some_doses), Some(some_readings)) = (dose_lists.at(row), reading_lists.at(row)) else {
            continue;
        };
        let (some_doses, some_readings) =
            (numbers(table, doses, row, some_doses)?, numbers(table, readings, row, some_readings)?);
        if some_doses.len() != some_readings.len() {
            return Err(Error::data(format!(
                "{}: row {}: has {} doses ({:?}) but {} readings ({:?})",
                table.label(),
                table.row_of(row),
                some_doses.len(),
                table.names()[doses],
                some_readings.len(),
                table.names()[readings]
            ))
            .help("give one reading for each dose"));
        }
        for (dose, reading) in some_doses.into_iter().zip(some_readings) {
            cell_lines.push(cells.at(row));
            drug_names.push(drugs.at(row));
            all_doses.push(dose);
            all_readings.push(reading);
            places.push(table.row_of(row) as u32);
        }
    }
    let negative = all_readings.iter().filter(|reading| **reading < -5.0).count() * 4 > all_readings.len();
    // CCLE's activity is the change of the signal in percent: 0 for no effect, -100 for none left.
    let name = table.names()[readings].to_lowercase();
    let change = name.contains("activity") && negative;
    if change {
        all_readings.iter_mut().for_each(|reading| *reading = -*reading);
    }
    let reading_name = if change { "inhibition_percent".to_owned() } else { table.names()[readings].clone() };
    let unit = crate::units::split_unit(&table.names()[doses]).1;
    let dose_name = match unit {
        Some(crate::units::DoseUnit::Molar(factor)) if factor == 1e-3 => "dose_nm",
        Some(crate::units::DoseUnit::Molar(_)) => "dose_um",
        _ => "dose",
    };
    let column = |name: &str, values: Values| RawColumn { name: name.to_owned(), values };
    let columns = vec![
        column("cell_line", Values::Texts(cell_lines.finish())),
        column("drug", Values::Texts(drug_names.finish())),
        column(dose_name, Values::Numbers(all_doses)),
        column(&reading_name, Values::Numbers(all_readings)),
    ];
    let mut notes = table.notes().to_vec();
    notes.push(format!(
        "each row holds a whole curve: {:?} and {:?}",
        table.names()[doses],
        table.names()[readings]
    ));
    if change {
        notes.push(format!(
            "{:?} is the change of the signal in percent: taken as inhibition with the sign turned",
            table.names()[readings]
        ));
    }
    let mut built = table.with_columns(columns, notes)?;
    built.places = RowPlaces::Listed(places);
    Ok(Some(built))
}

fn numbers(table: &RawTable, column: usize, row: usize, list: &str) -> Result<Vec<f64>> {
    let parts =
        list.trim_matches(['[', ']']).split([',', ';', '|']).map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            part.parse()
                .map_err(|_| table.bad_value(column, row, part, "a list of numbers, separated by commas"))
        })
        .collect()
}
