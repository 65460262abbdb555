//! The wells of raw plates: content, position and signal. Also makes tables with replaced signals or without some
//! plates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use halfmax_core::{Error, Result};

use crate::note::Note;
use crate::plates::{Plates, Well, signal_column, times, wells};
use crate::roles::Role;
use crate::table::{RawTable, Values};

/// The content of a well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WellKind {
    /// Cells with a drug.
    Treated,
    /// Untreated cells or cells with the vehicle, which normalise the signals.
    Control,
    /// A positive control.
    Positive,
    /// No cells.
    Blank,
    /// Anything else: time zero, failed, unused, or untreated beside vehicle wells.
    Other,
}

/// The wells of one plate, cell line and time, which share their controls.
#[derive(Clone, Debug, PartialEq)]
pub struct PlateOf {
    /// The plate (or experiment), as the file names it; empty without such a column.
    pub plate: String,
    /// The cell line; empty without such a column.
    pub cell_line: String,
    /// The time, as in the file; empty without such a column.
    pub time: String,
    /// Positions of its wells in the lists of [`PlateWells`]: its own wells, and the blanks and controls of the plate
    /// without a cell line.
    pub wells: Vec<u32>,
}

impl PlateOf {
    /// Plate, cell line and time in words.
    pub fn name(&self) -> String {
        let parts = [&self.plate, &self.cell_line, &self.time];
        parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<String>>().join(", ")
    }
}

/// The wells of a table of raw signals. All lists except `plates` have one entry per row of the table.
#[derive(Clone, Debug)]
pub struct PlateWells {
    /// The plates, in order of first appearance in the file.
    pub plates: Vec<PlateOf>,
    /// The content of each well.
    pub kind: Vec<WellKind>,
    /// Row and column of each well on its plate, both from 1; `None` if the file does not give them.
    pub place: Vec<Option<[u16; 2]>>,
    /// Rows and columns of the plates; `None` if the file does not give the positions of wells.
    pub format: Option<[u16; 2]>,
    /// The signal of each well; NaN if missing.
    pub signal: Arc<Vec<f64>>,
}

/// The wells of a table of raw signals; `None` if it has no raw signals.
///
/// # Errors
/// If a signal is not a number, or a position on a plate cannot be read. The error names the row.
pub fn plate_wells(table: &RawTable) -> Result<Option<PlateWells>> {
    let Some(column) = signal_column(table) else { return Ok(None) };
    let signal = crate::readings::finite(table, column, "a signal, 0 or more")?;
    let kinds = wells(table)?;
    let of = Plates::of(table)?;
    let times = times(table)?;
    let time_names = table.role(Role::Time).map(|column| table.labels(column)).transpose()?;
    let (place, format) = places(table)?;
    let mut known: BTreeMap<(usize, Option<usize>, u64), usize> = BTreeMap::new();
    let mut plates: Vec<PlateOf> = Vec::new();
    let mut lines_of_plate: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    // Wells without a cell line, except blanks, by plate.
    let mut shared: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    let mut blanks: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    for row in 0..table.rows() {
        let (plate, line) = (of.plate_of_row[row], of.line_of_row[row]);
        if kinds[row] == Well::Blank {
            blanks.entry(plate).or_default().push(row as u32);
            continue;
        }
        if line.is_none() && !of.lines.is_empty() {
            shared.entry(plate).or_default().push(row as u32);
            continue;
        }
        if let (Well::Treated, Some(line)) = (kinds[row], line) {
            lines_of_plate.entry(plate).or_default().insert(line);
        }
        let at = *known.entry((plate, line, times[row].to_bits())).or_insert_with(|| {
            plates.push(PlateOf {
                plate: of.plates.get(plate).cloned().unwrap_or_default(),
                cell_line: line.map_or_else(String::new, |line| of.lines[line].clone()),
                time: time_names.as_ref().and_then(|names| names.at(row)).unwrap_or_default().to_owned(),
                wells: Vec::new(),
            });
            plates.len() - 1
        });
        plates[at].wells.push(row as u32);
    }
    for ((plate, _, time), at) in &known {
        let only_line = lines_of_plate.get(plate).is_none_or(|lines| lines.len() <= 1);
        let same_time = |row: &&u32| times[**row as usize].to_bits() == *time;
        if only_line {
            let shared = shared.get(plate).into_iter().flatten().filter(same_time).copied();
            plates[*at].wells.extend(shared);
        }
        plates[*at].wells.extend(blanks.get(plate).into_iter().flatten().copied());
    }
    let mut found =
        PlateWells { kind: kinds.iter().map(|well| kind_of(*well)).collect(), plates, place, format, signal };
    found.keep_preferred_controls(&kinds);
    found.plates.retain(|plate| plate.wells.iter().any(|row| kinds[*row as usize] == Well::Treated));
    Ok(Some(found))
}

fn kind_of(well: Well) -> WellKind {
    match well {
        Well::Treated => WellKind::Treated,
        Well::Control { .. } => WellKind::Control,
        Well::Positive => WellKind::Positive,
        Well::Blank => WellKind::Blank,
        Well::TimeZero | Well::Aside => WellKind::Other,
    }
}

impl PlateWells {
    /// Ignores untreated wells if a plate has vehicle wells, as normalisation does.
    fn keep_preferred_controls(&mut self, kinds: &[Well]) {
        for plate in &self.plates {
            let preferred = |row: &&u32| kinds[**row as usize] == Well::Control { preferred: true };
            if plate.wells.iter().any(|row| preferred(&row)) {
                for row in &plate.wells {
                    if kinds[*row as usize] == (Well::Control { preferred: false }) {
                        self.kind[*row as usize] = WellKind::Other;
                    }
                }
            }
        }
    }
}

/// The position of each row's well, and the rows and columns of the plates.
type Places = (Vec<Option<[u16; 2]>>, Option<[u16; 2]>);

/// How a table gives the positions of wells: by columns for row and column, else by a column of positions: `A01`, `a1`,
/// `R01C02`, or numbers along the rows.
enum PlaceColumns {
    RowAndColumn(usize, usize),
    Well(usize),
}

impl PlaceColumns {
    fn of(table: &RawTable) -> Option<Self> {
        let beside = |role: Role, names: &[&str]| table.role(role).or_else(|| table.find(names));
        let row = beside(Role::WellRow, &["row", "plate row", "row id"]);
        let column = beside(Role::WellColumn, &["column", "col", "plate col", "column id"]);
        match (row, column, table.role(Role::Well)) {
            (Some(row), Some(column), _) => Some(Self::RowAndColumn(row, column)),
            (_, _, Some(well)) => Some(Self::Well(well)),
            _ => None,
        }
    }
}

/// The extent of the wells of a table, which decides the format of the plates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WellSpan {
    /// The last row and column.
    last: [u16; 2],
    /// Whether all positions are names of wells.
    named: bool,
    /// The largest position, if all are numbers.
    largest: Option<usize>,
}

impl Default for WellSpan {
    fn default() -> Self {
        Self { last: [0, 0], named: true, largest: Some(0) }
    }
}

impl WellSpan {
    /// # Errors
    /// If the table has columns for row and column, and an entry cannot be read.
    pub fn of(table: &RawTable) -> Result<Self> {
        let mut span = Self::default();
        match PlaceColumns::of(table) {
            None => {}
            Some(PlaceColumns::RowAndColumn(row, column)) => {
                let rows = each_named(table, row, row_named, ROW)?;
                let columns = each_named(table, column, column_named, COLUMN)?;
                let last = |list: Vec<Option<u16>>| list.into_iter().flatten().max().unwrap_or(0);
                span.last = [last(rows), last(columns)];
            }
            Some(PlaceColumns::Well(well)) => {
                for name in &table.labels(well)?.names {
                    let place = well_named(name);
                    span.named &= place.is_some();
                    if let Some([row, column]) = place {
                        span.last = [span.last[0].max(row), span.last[1].max(column)];
                    }
                    span.largest = span.largest.zip(whole(name)).map(|(largest, own)| largest.max(own));
                }
            }
        }
        Ok(span)
    }

    pub fn join(&mut self, other: Self) {
        self.last = [self.last[0].max(other.last[0]), self.last[1].max(other.last[1])];
        self.named &= other.named;
        self.largest = self.largest.zip(other.largest).map(|(own, other)| own.max(other));
    }

    /// The plate format if the wells are numbered along the rows. Numbers below a quarter of the smallest format are
    /// replicate numbers.
    fn numbered(&self) -> Option<[u16; 2]> {
        let largest = self.largest.filter(|largest| *largest > 24)?;
        [[8_u16, 12], [16, 24], [32, 48]]
            .into_iter()
            .find(|[rows, columns]| largest <= usize::from(*rows) * usize::from(*columns))
    }
}

const ROW: &str = "a row of a plate: A to AF, or 1 to 32";
const COLUMN: &str = "a column of a plate: 1 to 48";

/// The position of each well. `None` if the entries are neither names nor numbers of wells; they then distinguish
/// replicates, not positions.
fn places(table: &RawTable) -> Result<Places> {
    let nowhere = || (vec![None; table.rows()], None);
    let span = match table.decided.as_ref().and_then(|whole| whole.wells) {
        Some(span) => span,
        None => WellSpan::of(table)?,
    };
    let (places, format) = match PlaceColumns::of(table) {
        None => return Ok(nowhere()),
        Some(PlaceColumns::RowAndColumn(row, column)) => {
            let rows = each_named(table, row, row_named, ROW)?;
            let columns = each_named(table, column, column_named, COLUMN)?;
            let places = rows.into_iter().zip(columns).map(|(row, column)| Some([row?, column?])).collect();
            (places, smallest_format(span.last))
        }
        Some(PlaceColumns::Well(well)) => {
            let labels = table.labels(well)?;
            let place = |name: &String| match span.named {
                true => well_named(name),
                false => numbered_place(whole(name)?, span.numbered()?),
            };
            let known: Vec<Option<[u16; 2]>> = labels.names.iter().map(place).collect();
            let of = |label: &u32| known.get(*label as usize).copied().flatten();
            let format = if span.named { smallest_format(span.last) } else { span.numbered() };
            (labels.of_row.iter().map(of).collect(), format)
        }
    };
    Ok(format.map_or_else(nowhere, |format| (places, Some(format))))
}

/// The place of a number that counts wells along the rows.
fn numbered_place(number: usize, [_, columns]: [u16; 2]) -> Option<[u16; 2]> {
    let (at, columns) = (number.checked_sub(1)?, usize::from(columns));
    Some([u16::try_from(at / columns + 1).ok()?, u16::try_from(at % columns + 1).ok()?])
}

/// The formats of plates.
const FORMATS: [[u16; 2]; 7] = [[2, 3], [3, 4], [4, 6], [6, 8], [8, 12], [16, 24], [32, 48]];

fn smallest_format([rows, columns]: [u16; 2]) -> Option<[u16; 2]> {
    FORMATS.into_iter().find(|[of_rows, of_columns]| rows > 0 && rows <= *of_rows && columns <= *of_columns)
}

/// A row (`A`, `AF`, `3`) as a number from 1.
fn row_named(text: &str) -> Option<u16> {
    if let Ok(number) = text.parse::<f64>() {
        let whole = number.fract() == 0.0 && (1.0..=32.0).contains(&number);
        return whole.then_some(number as u16);
    }
    let letters = text.trim().to_ascii_uppercase();
    let digit = |letter: u8| letter.is_ascii_uppercase().then(|| u16::from(letter - b'A'));
    match letters.as_bytes() {
        [one] => digit(*one).map(|at| at + 1),
        [b'A', second] => digit(*second).map(|at| at + 27),
        _ => None,
    }
    .filter(|row| *row <= 32)
}

fn column_named(text: &str) -> Option<u16> {
    let number: f64 = text.trim().parse().ok()?;
    (number.fract() == 0.0 && (1.0..=48.0).contains(&number)).then_some(number as u16)
}

/// A well (`A01`, `AF48`, `r3c12`) as row and column.
fn well_named(text: &str) -> Option<[u16; 2]> {
    let plain: String = text.chars().filter(|letter| letter.is_ascii_alphanumeric()).collect();
    let upper = plain.to_ascii_uppercase();
    let numbered = upper.strip_prefix('R').and_then(|rest| rest.split_once('C'));
    if let Some((row, column)) = numbered.filter(|(row, _)| !row.is_empty()) {
        return Some([column_named(row).filter(|row| *row <= 32)?, column_named(column)?]);
    }
    let digits = upper.find(|letter: char| letter.is_ascii_digit())?;
    let (row, column) = upper.split_at(digits);
    Some([row_named(row).filter(|_| !row.is_empty())?, column_named(column)?])
}

/// The value of each label of a column; `None` if empty.
fn each_named<T: Copy>(
    table: &RawTable,
    column: usize,
    named: fn(&str) -> Option<T>,
    expected: &str,
) -> Result<Vec<Option<T>>> {
    let labels = table.labels(column)?;
    let known: Vec<Option<T>> = labels.names.iter().map(|name| named(name)).collect();
    if let Some(wrong) = known.iter().position(Option::is_none) {
        let at = labels.of_row.iter().position(|label| *label as usize == wrong).unwrap_or_default();
        return Err(table.bad_value(column, at, &labels.names[wrong], expected));
    }
    let of = |label: &u32| known.get(*label as usize).copied().flatten();
    Ok(labels.of_row.iter().map(of).collect())
}

fn whole(text: &str) -> Option<usize> {
    let number: f64 = text.parse().ok()?;
    (number.fract() == 0.0 && (1.0..=1536.0).contains(&number)).then_some(number as usize)
}

impl RawTable {
    /// The table with other signals.
    ///
    /// # Errors
    /// If the table has no raw signals, or another number of rows.
    pub fn with_signals(&self, signals: Vec<f64>, note: impl Into<Note>) -> Result<Self> {
        let column = signal_column(self)
            .filter(|_| signals.len() == self.rows())
            .ok_or_else(|| Error::data(format!("{}: no column of raw signals", self.label())))?;
        let mut table = self.clone();
        table.columns[column].values = Values::numbers(signals);
        table.notes.push(note.into());
        table.candidates = OnceLock::new();
        Ok(table)
    }

    /// The table without the rows at these positions.
    pub fn without_rows(&self, rows: &[u32], note: impl Into<Note>) -> Self {
        let out: BTreeSet<u32> = rows.iter().copied().collect();
        let kept: Vec<usize> = (0..self.rows()).filter(|row| !out.contains(&(*row as u32))).collect();
        let mut table = self.with_rows(&kept);
        table.notes.push(note.into());
        table
    }

    /// The text of a row in the column of a role; `None` without such a column or without a text.
    pub fn text_of(&self, role: Role, row: usize) -> Option<String> {
        let column = self.role(role)?;
        match &self.columns[column].values {
            Values::Texts(labels) => labels.at(row).map(str::to_owned),
            Values::Numbers(values) => values.get(row).filter(|value| !value.is_nan()).map(f64::to_string),
            Values::Singles(values) => values.get(row).filter(|value| !value.is_nan()).map(f32::to_string),
            Values::Other(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wells_are_read_however_they_are_written() {
        for (text, place) in [
            ("A01", [1, 1]),
            ("a1", [1, 1]),
            ("H12", [8, 12]),
            ("P24", [16, 24]),
            ("AF48", [32, 48]),
            ("AA 3", [27, 3]),
            ("B-02", [2, 2]),
            ("R3C12", [3, 12]),
            ("r03_c07", [3, 7]),
            ("C7", [3, 7]),
            ("R7", [18, 7]),
        ] {
            assert_eq!(well_named(text), Some(place), "{text}");
        }
        for text in ["", "12", "A", "A49", "AG1", "ZZ1", "plate 1", "A0", "rep1"] {
            assert_eq!(well_named(text), None, "{text}");
        }
    }

    #[test]
    fn rows_are_letters_or_numbers() {
        assert_eq!(["A", "h", "AF", "3", "3.0"].map(row_named), [1, 8, 32, 3, 3].map(Some));
        assert_eq!(["", "AG", "0", "33", "1.5"].map(row_named), [None; 5]);
        assert_eq!(smallest_format([7, 11]), Some([8, 12]));
        assert_eq!((smallest_format([0, 0]), smallest_format([33, 1])), (None, None));
    }
}
