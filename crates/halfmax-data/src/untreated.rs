//! Untreated wells (dose 0) among readings that are viabilities already: whether they are the control.

use std::collections::BTreeMap;

use halfmax_core::{Result, listed};

use crate::plates::Plates;
use crate::readings::ReadingUnit;
use crate::report::counted;
use crate::table::RawTable;

/// Untreated wells that differ from the control by less than this do, whatever their error.
const NEAR: f64 = 0.05;

/// What the untreated wells of a table say: their mean, and where it is not the control.
///
/// Readings that were divided by these wells have a mean of 1 here by construction, with the error of that mean: its curves share it. Wells that read
/// otherwise say that readings were divided by something else.
pub(crate) fn untreated_notes(
    table: &RawTable,
    doses: &[f64],
    readings: &[f64],
    (column, unit): (usize, ReadingUnit),
) -> Result<Vec<String>> {
    let rows: Vec<usize> =
        (0..doses.len()).filter(|row| doses[*row] == 0.0 && !readings[*row].is_nan()).collect();
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let viability = |row: usize| 1.0 - unit.inhibition_percent(readings[row]) / 100.0;
    let all: Vec<f64> = rows.iter().map(|row| viability(*row)).collect();
    let (mean, error) = mean_and_error(&all);
    let mut notes = vec![format!(
        "{} (dose 0) read {mean:.3}{} of the control in the mean; they say what a viability of 1 is, and are no dose of a curve",
        counted(rows.len(), "untreated well"),
        if error.is_finite() { format!(" ± {error:.3}") } else { String::new() }
    )];
    let plates = Plates::of(table)?;
    let mut groups: BTreeMap<(usize, Option<usize>), Vec<usize>> = BTreeMap::new();
    for row in rows {
        groups.entry((plates.plate_of_row[row], plates.line_of_row[row])).or_default().push(row);
    }
    let mut off = Vec::new();
    for group in groups.values() {
        let values: Vec<f64> = group.iter().map(|row| viability(*row)).collect();
        let (mean, error) = mean_and_error(&values);
        if (mean - 1.0).abs() > NEAR && (mean - 1.0).abs() > 3.0 * error {
            off.push(format!("{} ({mean:.2})", plates.named(group[0])));
        }
    }
    if !off.is_empty() {
        let name = &table.names()[column];
        notes.push(format!(
            "untreated wells do not read as the control in {}: {}; these readings were divided by something else; --column signal={name:?} divides viabilities by their untreated wells",
            counted(off.len(), if plates.plates.is_empty() { "cell line" } else { "plate" }),
            listed(&off, 5)
        ));
    }
    Ok(notes)
}

/// The mean and its standard error; NaN of one value.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, if values.len() < 2 { f64::NAN } else { (squares / (count - 1.0) / count).sqrt() })
}
