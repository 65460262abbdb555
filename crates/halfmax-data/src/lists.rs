//! Splits rows with several readings into one row per reading: whole curves in lists, as CCLE publishes them, and
//! replicates in separate columns, as O'Neil and co-authors publish them.

use halfmax_core::{Error, Result, listed};

use crate::columns::plain;
use crate::missing::is_missing;
use crate::note::Note;
use crate::number::{CommaEvidence, NumberStyle, comma_evidence, styled_number};
use crate::profile::Content;
use crate::roles::{Role, replicate_stem};
use crate::table::{RawColumn, RawTable, RowPlaces, Values};
use crate::units::{DoseUnit, split_unit};

/// Converts a table with lists of doses and lists of readings into one row per reading; `None` for other tables.
///
/// # Errors
/// If a row has different numbers of doses and readings, or an entry of a list is not a number.
pub(crate) fn readings_in_rows(table: &RawTable) -> Result<Option<RawTable>> {
    let (Some(doses), Some(readings)) = (table.role(Role::DoseList), table.role(Role::ReadingList)) else {
        return Ok(None);
    };
    let (dose_lists, reading_lists) = (table.labels(doses)?, table.labels(readings)?);
    let (mut all_doses, mut all_readings, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    let mut incomplete = 0;
    for row in 0..table.rows() {
        let (Some(some_doses), Some(some_readings)) = (dose_lists.at(row), reading_lists.at(row)) else {
            incomplete += 1;
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
            .with_help("give one reading for each dose"));
        }
        for (dose, reading) in some_doses.into_iter().zip(some_readings) {
            all_doses.push(dose);
            all_readings.push(reading);
            rows.push(row);
        }
    }
    let negative = all_readings.iter().filter(|reading| **reading < -5.0).count() * 4 > all_readings.len();
    // CCLE's activity is the change of the signal in percent: 0 for no effect, -100 for no signal left.
    let name = table.names()[readings].to_lowercase();
    let change = name.contains("activity") && negative;
    if change {
        all_readings.iter_mut().for_each(|reading| *reading = -*reading);
    }
    let reading_name = if change { "inhibition_percent".to_owned() } else { table.names()[readings].clone() };
    let dose_name = dose_name(&table.names()[doses]);
    let listed = table.with_rows(&rows);
    // The other columns identify the curve. Other lists (errors, numbers of wells) do not describe a single reading.
    let is_list = |column: usize| table.content(column) == Content::NumberLists;
    let mut columns: Vec<RawColumn> = (0..table.names().len())
        .filter(|column| *column != doses && *column != readings && !is_list(*column))
        .map(|column| listed.columns[column].clone())
        .filter(|column| column.name != dose_name && column.name != reading_name)
        .collect();
    columns.push(RawColumn { name: dose_name, values: Values::numbers(all_doses) });
    columns.push(RawColumn { name: reading_name, values: Values::numbers(all_readings) });
    let mut notes = table.notes.clone();
    notes.push(
        format!("each row holds a whole curve: {:?} and {:?}", table.names()[doses], table.names()[readings])
            .into(),
    );
    if incomplete > 0 {
        notes.push(Note::new("rows without doses or without readings, left out: ").count(incomplete, ""));
    }
    if change {
        notes.push(
            format!(
                "{:?} is the change of the signal in percent: read as inhibition with the sign reversed",
                table.names()[readings]
            )
            .into(),
        );
    }
    let (dose, reading) = (columns.len() - 2, columns.len() - 1);
    let mut built = table.with_columns(columns, notes)?;
    built.places = RowPlaces::Listed(rows.iter().map(|row| table.row_of(*row) as u32).collect());
    built.keep_what_was_said(table);
    built.said.extend([(Role::Dose, dose), (Role::Reading, reading)]);
    Ok(Some(built))
}

/// The columns that hold the replicates of one reading: `viability1` … `viability4`.
pub(crate) struct Replicates<'a> {
    /// What they hold.
    pub role: Role,
    /// Two or more columns, in table order.
    pub columns: Vec<usize>,
    /// Their name without the numbers.
    stem: &'a str,
}

impl<'a> Replicates<'a> {
    /// The replicates of a table; `None` if the reading is a single column or the user declared its column.
    pub fn of(table: &'a RawTable) -> Option<Self> {
        let role = [Role::Reading, Role::Signal].into_iter().find(|role| table.role(*role).is_some())?;
        let stem_of = |column: usize| replicate_stem(&table.names()[column]).map(|(stem, _)| stem);
        let stem = stem_of(table.role(role)?).filter(|_| table.said.iter().all(|(said, _)| *said != role))?;
        let columns: Vec<usize> = (0..table.names().len())
            .filter(|column| stem_of(*column) == Some(stem) && !table.is_ignored(*column))
            .filter(|column| table.roles_of_column(*column).contains(&role))
            .collect();
        (columns.len() > 1).then_some(Self { role, columns, stem })
    }
}

/// Converts a table with replicates in columns into one row per replicate; `None` for other tables.
///
/// # Errors
/// If a value is not a number, or, in a table of two drugs, if two columns could also hold the readings of one drug
/// each.
pub(crate) fn replicates_in_rows(table: &RawTable) -> Result<Option<RawTable>> {
    let Some(Replicates { role, columns, stem }) = Replicates::of(table) else { return Ok(None) };
    let quoted: Vec<String> = columns.iter().map(|column| format!("{:?}", table.names()[*column])).collect();
    let plain_numbers = columns.iter().all(|column| !plain(&table.names()[*column]).contains("rep"));
    if columns.len() == 2 && plain_numbers && table.role(Role::DrugB).is_some() {
        return Err(Error::data(format!(
            "{}: {} could be two replicates, or the readings of each drug alone",
            table.label(),
            quoted.join(" and ")
        ))
        .with_help(format!(
            "rename replicates to \"{stem}_rep1\" and \"{stem}_rep2\"; or declare the column with the readings of both drugs: columns = {{ reading = {0} }} (`--column reading={0}`)",
            quoted[0]
        )));
    }
    let values: Vec<_> =
        columns.iter().map(|column| table.numbers(*column, "a number")).collect::<Result<_>>()?;
    let (mut rows, mut readings, mut replicate) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..table.rows() {
        let before = rows.len();
        for (at, values) in values.iter().enumerate().filter(|(_, values)| !values[row].is_nan()) {
            rows.push(row);
            readings.push(values[row]);
            replicate.push((at + 1) as f64);
        }
        if rows.len() == before {
            // A row without any reading is counted later, with the other incomplete rows.
            rows.push(row);
            readings.push(f64::NAN);
            replicate.push(1.0);
        }
    }
    let listed_rows = table.with_rows(&rows);
    let others = (0..table.names().len()).filter(|column| !columns.contains(column));
    let mut all: Vec<RawColumn> = others.map(|column| listed_rows.columns[column].clone()).collect();
    let own = "replicate";
    if table.find(&[own]).is_none() {
        all.push(RawColumn { name: own.to_owned(), values: Values::numbers(replicate) });
    }
    let place = all.len();
    all.push(RawColumn { name: stem.to_owned(), values: Values::numbers(readings) });
    let mut notes = table.notes.clone();
    notes.push(format!("{} hold replicates: each is a separate reading", listed(&quoted, 6)).into());
    let mut built = table.with_columns(all, notes)?;
    built.places = RowPlaces::Listed(rows.iter().map(|row| table.row_of(*row) as u32).collect());
    built.keep_what_was_said(table);
    built.said.push((role, place));
    Ok(Some(built))
}

/// The name of the column of single doses, with the unit in the name of the list column.
fn dose_name(lists: &str) -> String {
    match split_unit(lists).1 {
        None => "dose".to_owned(),
        Some(DoseUnit::Mass(_)) => "dose (ug/ml)".to_owned(),
        Some(DoseUnit::Molar(factor)) => {
            let units = [(1e-6, "pm"), (1e-3, "nm"), (1.0, "um"), (1e3, "mm"), (1e6, "m")];
            let unit = units.iter().find(|(own, _)| *own == factor).map_or("um", |(_, name)| name);
            format!("dose_{unit}")
        }
    }
}

/// The entries of a list in one cell: separated by semicolons or bars if there are any, else by blanks, else by commas.
/// A comma within an entry is then a decimal comma.
pub(crate) fn entries(list: &str) -> impl Iterator<Item = &str> {
    let inner = list.trim().trim_matches(['[', ']']);
    let marks: &[char] = match () {
        () if inner.contains([';', '|']) => &[';', '|'],
        () if inner.trim().contains(' ') => &[' '],
        () => &[','],
    };
    inner
        .split(marks)
        .map(|entry| entry.trim_matches(|letter: char| letter == ',' || letter.is_whitespace()))
        .filter(|entry| !entry.is_empty())
}

/// An entry as a number, with a decimal point or an unmistakable decimal comma.
pub(crate) fn entry_number(entry: &str) -> Option<f64> {
    let is_decimal = || entry.contains(',') && comma_evidence(entry) == CommaEvidence::Decimal;
    let number = entry.parse().ok();
    number.or_else(|| is_decimal().then(|| styled_number(entry, NumberStyle::Comma)).flatten())
}

fn numbers(table: &RawTable, column: usize, row: usize, list: &str) -> Result<Vec<f64>> {
    entries(list)
        .map(|entry| match entry_number(entry) {
            _ if is_missing(entry) => Ok(f64::NAN),
            Some(number) => Ok(number),
            None => Err(table.bad_value(
                column,
                row,
                entry,
                "a list of numbers, separated by semicolons or commas",
            )),
        })
        .collect()
}
