//! The readings of a file in batches of curves: all at once, or, for a large file, as many as fit in memory.

use halfmax_core::{Error, Result};

use crate::fellows::{Fellow, Scales, place_of_usual_size};
use crate::lists;
use crate::note::{Note, join_notes};
use crate::parts::{PartSize, TableParts};
use crate::plates::{normalised, nothing_treated, signal_column};
use crate::readings::{
    Alone, CURVES, Columns, CurveKey, Decided, Found, ReadingOptions, ReadingUnit, Readings, curves_of,
    named_like_viabilities, refuse_untreated_median, unit_of_size, wrong_way_round_note,
};
use crate::regroup::{Regroup, Regrouped};
use crate::roles::Role;
use crate::spread::Spread;
use crate::table::{Labels, RawTable};
use crate::untreated::Untreated;

/// A source of rows in one or several tables.
pub trait Rows {
    /// Passes one table after the other to `take`. Returns the notes on all tables.
    ///
    /// # Errors
    /// If the rows cannot be read, or `take` fails.
    fn each(&self, take: &mut dyn FnMut(RawTable) -> Result<()>) -> Result<Vec<Note>>;

    /// The size of the tables, if there may be several.
    fn size(&self) -> PartSize;

    /// Whether there may be several tables.
    fn is_divided(&self) -> bool;

    /// Whether all wells that share untreated wells are in one table.
    fn plates_are_whole(&self) -> bool;
}

impl Rows for TableParts {
    fn each(&self, take: &mut dyn FnMut(RawTable) -> Result<()>) -> Result<Vec<Note>> {
        Self::each(self, take)
    }

    fn size(&self) -> PartSize {
        Self::size(self)
    }

    fn is_divided(&self) -> bool {
        Self::is_divided(self)
    }

    fn plates_are_whole(&self) -> bool {
        !self.is_divided()
    }
}

/// One table.
struct OneTable(RawTable);

impl Rows for OneTable {
    fn each(&self, take: &mut dyn FnMut(RawTable) -> Result<()>) -> Result<Vec<Note>> {
        let mut table = self.0.clone();
        table.decide_contents();
        let notes = std::mem::take(&mut table.notes);
        take(table).map(|()| notes)
    }

    fn size(&self) -> PartSize {
        PartSize::default()
    }

    fn is_divided(&self) -> bool {
        false
    }

    fn plates_are_whole(&self) -> bool {
        true
    }
}

/// How readings were interpreted, and the rows left out.
#[derive(Clone, Debug)]
pub struct ReadingFacts {
    /// The number of readings that belong to a curve.
    pub readings: usize,
    /// The number of curves.
    pub curves: usize,
    /// The unit of the readings.
    pub unit: ReadingUnit,
    /// Whether the unit of the doses is unstated, so that µM was assumed.
    pub dose_unit_assumed: bool,
    /// The number of rows left out because their dose is 0: controls.
    pub controls: usize,
    /// The number of rows left out because a cell line, drug, dose or reading is missing.
    pub incomplete: usize,
    /// Whether the file gives the number of divisions of the controls.
    pub has_divisions: bool,
    /// Further notes: columns over which readings are pooled.
    pub notes: Vec<String>,
}

/// Readings in batches of whole curves, in order of first appearance in the file.
pub struct ReadingBatches {
    tables: Regrouped,
    options: ReadingOptions,
    decided: Decided,
    one_drug_by: Vec<String>,
    facts: ReadingFacts,
    /// All readings, if they form a single batch.
    only: Option<Readings>,
}

/// The approximate size in bytes of a curve of twenty readings.
const BYTES_OF_A_CURVE: usize = 1 << 10;

impl ReadingBatches {
    /// Finds the readings of wells that hold one drug. Raw signals are first divided by the signals of the untreated
    /// wells.
    ///
    /// # Errors
    /// If a column is missing; a value is not a number or not a dose; no row is complete; the unit of the readings is
    /// unclear; curves or plates are on different scales; or pooling would mix readings that a column distinguishes.
    pub fn of(rows: &dyn Rows, options: &ReadingOptions) -> Result<Self> {
        let mut gathered = Gathered::new(options, rows);
        let notes = rows.each(&mut |table| gathered.take(table))?;
        gathered.conclude(notes)
    }

    /// How the readings were interpreted, and the rows left out.
    pub fn facts(&self) -> &ReadingFacts {
        &self.facts
    }

    /// The key of each curve.
    pub fn keys(&self) -> impl Iterator<Item = CurveKey> {
        let by_experiment = self.options.by_experiment;
        (0..self.tables.groups()).map(move |at| {
            let [cell_line, drug, experiment, _] = self.tables.names(at).map(Option::unwrap_or_default);
            let experiment = if by_experiment { experiment } else { "" };
            CurveKey {
                cell_line: cell_line.to_owned(),
                drug: drug.to_owned(),
                experiment: experiment.to_owned(),
            }
        })
    }

    /// The size in bytes of the temporary file that holds the readings; `None` if all readings are in memory.
    pub fn bytes_on_disk(&self) -> Option<u64> {
        self.tables.bytes_on_disk()
    }

    /// Passes groups of `curves` curves to `take`, with the position of the first curve of the group. The last group
    /// may be smaller.
    ///
    /// # Errors
    /// If the temporary file cannot be read, or `take` fails.
    pub fn each(&self, curves: usize, mut take: impl FnMut(usize, &Readings) -> Result<()>) -> Result<()> {
        let curves = curves.max(1);
        if let Some(only) = self.only.as_ref().filter(|only| only.curves.len() <= curves) {
            return take(0, only);
        }
        let (mut first, mut left) = (0, Readings::default());
        let mut give = |readings: &Readings| {
            let given = take(first, readings);
            first += readings.curves.len();
            given
        };
        for at in 0..self.tables.tables() {
            let read = match &self.only {
                Some(_) => None,
                None => Some(self.batch(at)?.0),
            };
            let Some(readings) = read.as_ref().or(self.only.as_ref()) else { continue };
            let mut from = 0;
            while from < readings.curves.len() {
                let to = readings.curves.len().min(from + curves - left.curves.len());
                left.append(&readings.only(&(from..to).collect::<Vec<usize>>()));
                from = to;
                if left.curves.len() == curves {
                    give(&std::mem::take(&mut left))?;
                }
            }
        }
        if left.curves.is_empty() { Ok(()) } else { give(&left) }
    }

    fn batch(&self, at: usize) -> Result<(Readings, Found)> {
        curves_of(&self.tables.table(at)?, &self.options, self.decided, &self.one_drug_by)
    }

    /// Checks all curves once, for properties that only whole curves show.
    fn look(&mut self) -> Result<Option<Found>> {
        let tables = self.tables.tables();
        let mut all: Option<Found> = None;
        for at in 0..tables {
            let (readings, found) = self.batch(at)?;
            match &mut all {
                Some(all) => all.join(found),
                None => all = Some(found),
            }
            if tables == 1 {
                self.only = Some(readings);
            }
        }
        Ok(all)
    }
}

/// Data gathered from the rows of a file.
struct Gathered<'a> {
    options: &'a ReadingOptions,
    regroup: Regroup,
    /// The size of a part in bytes.
    part: usize,
    plates_are_whole: bool,
    is_divided: bool,
    label: String,
    /// The name of the column of readings.
    column: Option<String>,
    /// Notes on that column.
    of_column: Vec<Note>,
    sizes: Spread,
    untreated: Untreated,
    /// The number of rows, and of rows that hold one drug.
    wells: [usize; 2],
    /// The columns that show which wells hold several drugs.
    one_drug_by: Vec<String>,
    /// The number of treated wells of raw signals; `None` if readings are already normalised.
    treated: Option<usize>,
    readings: usize,
    controls: usize,
    incomplete: usize,
    has_divisions: bool,
    /// The readings of each plate and experiment, if they come in parts, to compare their scales.
    plates: Vec<(Role, Regroup)>,
    notes: Vec<Note>,
}

/// The bytes that one plate may always have.
const LEAST_OF_A_PLATE: usize = 1 << 20;

/// The approximate size in bytes of a plate of a few hundred readings.
const BYTES_OF_A_PLATE: usize = 1 << 13;

impl<'a> Gathered<'a> {
    fn new(options: &'a ReadingOptions, rows: &dyn Rows) -> Self {
        Self {
            options,
            regroup: Regroup::new(rows.size(), BYTES_OF_A_CURVE, &std::env::temp_dir()),
            part: rows.size().bytes().max(LEAST_OF_A_PLATE),
            plates_are_whole: rows.plates_are_whole(),
            is_divided: rows.is_divided(),
            label: String::new(),
            column: None,
            of_column: Vec::new(),
            sizes: Spread::default(),
            untreated: Untreated::default(),
            wells: [0, 0],
            one_drug_by: Vec::new(),
            treated: None,
            readings: 0,
            controls: 0,
            incomplete: 0,
            has_divisions: false,
            plates: match rows.is_divided() {
                true => [Role::Plate, Role::Experiment]
                    .map(|role| (role, Regroup::new(rows.size(), BYTES_OF_A_PLATE, &std::env::temp_dir())))
                    .into(),
                false => Vec::new(),
            },
            notes: Vec::new(),
        }
    }

    fn take(&mut self, table: RawTable) -> Result<()> {
        let mut table = self.of_one_drug(table)?;
        if table.rows() > 0 {
            // For parts, the content was decided before.
            let signals = if self.is_divided { None } else { named_like_viabilities(&table)? };
            table = signals.unwrap_or(table);
            if signal_column(&table).is_some() && !self.plates_are_whole {
                return Err(Error::failed(format!(
                    "{}: the wells of a plate are in several tables",
                    table.label()
                )));
            }
            if let Some(divided) = normalised(&table)? {
                *self.treated.get_or_insert(0) += divided.rows();
                table = divided;
            }
        }
        join_notes(&mut self.notes, std::mem::take(&mut table.notes));
        if table.rows() == 0 {
            return Ok(());
        }
        let columns = Columns::of(&table, self.options)?;
        if self.column.is_none() {
            self.column = Some(table.names()[columns.reading].clone());
            self.of_column = columns.notes(&table).into_iter().map(Note::from).collect();
        }
        let labels = columns.labels(&table)?;
        let [doses, readings] = columns.numbers(&table)?;
        readings.iter().for_each(|reading| self.sizes.add(reading.abs()));
        self.untreated.add(&table, &doses, &readings)?;
        let mut complete = Vec::new();
        for row in 0..table.rows() {
            let named = labels.iter().all(|column| column.of_row[row] != Labels::MISSING);
            match () {
                () if doses[row] == 0.0 && !readings[row].is_nan() => self.controls += 1,
                () if named && !doses[row].is_nan() && !readings[row].is_nan() => complete.push(row),
                () => self.incomplete += 1,
            }
        }
        for (role, plates) in &mut self.plates {
            if let Some(column) = table.role(*role) {
                let readings = table.only_columns(&[column, columns.dose, columns.reading])?;
                plates.add(&readings, &[readings.labels(0)?], &complete)?;
            }
        }
        self.readings += complete.len();
        self.has_divisions |= table.role(Role::Divisions).is_some();
        self.regroup.add(&table, &labels, &complete)
    }

    /// The rows of the wells that hold one drug, one row per reading.
    fn of_one_drug(&mut self, table: RawTable) -> Result<RawTable> {
        if self.label.is_empty() {
            table.label().clone_into(&mut self.label);
        }
        let table = lists::readings_in_rows(&table)?.unwrap_or(table);
        let table = lists::replicates_in_rows(&table)?.unwrap_or(table);
        let alone = Alone::of(&table)?;
        self.wells[0] += table.rows();
        let table = alone.rows.map_or_else(|| table.clone(), |rows| table.with_rows(&rows));
        self.wells[1] += table.rows();
        self.one_drug_by = alone.columns;
        Ok(table)
    }

    /// The batches, after all rows were added.
    fn conclude(mut self, notes: Vec<Note>) -> Result<ReadingBatches> {
        let label = &self.label;
        let [wells, of_one_drug] = self.wells;
        if of_one_drug == 0 && wells > 0 {
            return Err(Alone::nowhere(label, &self.one_drug_by));
        }
        if self.treated == Some(0) {
            return Err(nothing_treated(label));
        }
        let name = self.column.unwrap_or_default();
        let size = self.sizes.at(place_of_usual_size).unwrap_or(f64::NAN);
        let unit = unit_of_size(label, &name, size, self.options.unit)?;
        if let Some(median) = self.untreated.median() {
            refuse_untreated_median(label, &name, median, unit)?;
        }
        let options = *self.options;
        let tables = self.regroup.finish(|table| Columns::of(table, &options)?.labels(table))?;
        if tables.groups() == 0 {
            return Err(Error::data(format!(
                "{label}: no row has a cell line, a drug, a dose above 0 and a reading"
            )));
        }
        let decided = Decided {
            unit,
            plates_are_whole: tables.bytes_on_disk().is_none(),
            divisions_vary: self.treated.is_some(),
        };
        let facts = ReadingFacts {
            readings: self.readings,
            curves: tables.groups(),
            unit,
            dose_unit_assumed: false,
            controls: self.controls,
            incomplete: self.incomplete,
            has_divisions: self.has_divisions,
            notes: Vec::new(),
        };
        let one_drug_by = self.one_drug_by;
        let mut batches = ReadingBatches { tables, options, decided, one_drug_by, facts, only: None };
        let Some(mut found) = batches.look()? else { return Ok(batches) };
        // If all readings form one batch, its plates are whole.
        for (_, plates) in self.plates.into_iter().filter(|_| !decided.plates_are_whole) {
            let plates = plates.finish(|readings| Ok(vec![readings.labels(0)?]))?;
            // A group with more readings than a part is not a plate but a batch of many plates.
            let is_of_plates = |at: &usize| plates.bytes_of_table(*at).is_none_or(|bytes| bytes <= self.part);
            for at in (0..plates.tables()).filter(is_of_plates) {
                found.scales.join(&scales_of_plates(&plates.table(at)?, unit.percent)?);
            }
        }
        let mut all = notes;
        join_notes(&mut all, self.notes);
        all.extend(Alone::note(wells - of_one_drug, &batches.one_drug_by));
        all.extend(found.notes);
        all.extend(self.untreated.notes(&name, unit));
        all.extend(self.of_column);
        all.extend(found.pooled.conclude(label, CURVES)?.into_iter().map(Note::from));
        all.extend(found.scales.check(label, &name, unit, options.unit)?.map(Note::from));
        all.extend(wrong_way_round_note(found.rising_and_falling).map(Note::from));
        batches.facts.notes = all.iter().map(Note::to_string).collect();
        batches.facts.dose_unit_assumed = found.dose_unit_assumed;
        Ok(batches)
    }
}

/// The scales of the plates in a table of plates, doses and readings.
fn scales_of_plates(table: &RawTable, percent: bool) -> Result<Scales> {
    let plates = table.labels(0)?;
    let (doses, readings) = (table.numbers(1, "a dose")?, table.numbers(2, "a reading")?);
    let mut fellows: Vec<Fellow> = plates
        .names
        .iter()
        .map(|name| Fellow { name: format!("{} {name}", table.names()[0]), readings: Vec::new() })
        .collect();
    for (row, plate) in plates.of_row.iter().enumerate() {
        if let Some(fellow) = fellows.get_mut(*plate as usize) {
            fellow.readings.push((doses[row], readings[row]));
        }
    }
    Ok(Scales::of(fellows.as_slice(), percent))
}

/// Finds the readings of wells with one drug in a table. Raw signals are first divided by the signals of the untreated
/// wells.
///
/// # Errors
/// As [`ReadingBatches::of`].
pub fn read_readings(table: RawTable, options: &ReadingOptions) -> Result<(Readings, ReadingFacts)> {
    let label = table.label().to_owned();
    read_all_readings(table, options).map_err(|error| error.in_file(label))
}

fn read_all_readings(table: RawTable, options: &ReadingOptions) -> Result<(Readings, ReadingFacts)> {
    let batches = ReadingBatches::of(&OneTable(table), options)?;
    match batches.only {
        Some(readings) => Ok((readings, batches.facts)),
        None => Err(Error::failed("one table of readings is in several batches")),
    }
}
