//! The readings of a file, some curves after the other: all at once, or of a large file as many as memory takes.

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

/// Rows that may come in several tables.
pub trait Rows {
    /// Gives one table after the other to `take`. Returns what is to be said of all of them.
    ///
    /// # Errors
    /// If the rows cannot be read, or `take` fails.
    fn each(&self, take: &mut dyn FnMut(RawTable) -> Result<()>) -> Result<Vec<Note>>;

    /// How large tables are, if there may be several.
    fn size(&self) -> PartSize;

    /// Whether there may be several tables.
    fn is_divided(&self) -> bool;

    /// Whether all wells that share untreated ones are in one table.
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

/// What readings were taken for, and what was left out.
#[derive(Clone, Debug)]
pub struct ReadingFacts {
    /// How many readings belong to a curve.
    pub readings: usize,
    /// How many curves there are.
    pub curves: usize,
    /// What the readings were taken for.
    pub unit: ReadingUnit,
    /// Whether nothing says what unit the doses are in, so that µM was assumed.
    pub dose_unit_assumed: bool,
    /// Rows left out because their dose is 0: controls.
    pub controls: usize,
    /// Rows left out because a cell line, drug, dose or reading is missing.
    pub incomplete: usize,
    /// Whether the file says how often controls divided.
    pub has_divisions: bool,
    /// What else to know: columns over which readings are pooled.
    pub notes: Vec<String>,
}

/// Readings in batches of whole curves, in the order in which the file first has them.
pub struct ReadingBatches {
    tables: Regrouped,
    options: ReadingOptions,
    decided: Decided,
    one_drug_by: Vec<String>,
    facts: ReadingFacts,
    /// The readings, where all are one batch.
    only: Option<Readings>,
}

/// A curve of twenty readings has about so many bytes.
const BYTES_OF_A_CURVE: usize = 1 << 10;

impl ReadingBatches {
    /// Finds the readings of rows: of wells that hold one drug. Raw signals are divided by those of the untreated wells first.
    ///
    /// # Errors
    /// If a column is missing, a value is no number or cannot be a dose, no row is complete, what the readings are is not clear, curves or
    /// plates are on different scales, or readings would be pooled that a column tells apart.
    pub fn of(rows: &dyn Rows, options: &ReadingOptions) -> Result<Self> {
        let mut gathered = Gathered::new(options, rows);
        let notes = rows.each(&mut |table| gathered.take(table))?;
        gathered.conclude(notes)
    }

    /// What the readings were taken for, and what was left out.
    pub fn facts(&self) -> &ReadingFacts {
        &self.facts
    }

    /// What each curve is of.
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

    /// The bytes of the temporary file that holds the readings meanwhile; none where all are in memory.
    pub fn bytes_on_disk(&self) -> Option<u64> {
        self.tables.bytes_on_disk()
    }

    /// Gives so many curves after the other to `take`, the last ones fewer, with the position of the first among all.
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

    /// Looks at all curves once, for what shows only where they are whole.
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

/// What was gathered from the rows of a file.
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
    /// What is said of that column.
    of_column: Vec<Note>,
    sizes: Spread,
    untreated: Untreated,
    /// Rows, and those of them that hold one drug.
    wells: [usize; 2],
    /// The columns that said which wells hold several drugs.
    one_drug_by: Vec<String>,
    /// How many wells of raw signals are treated; none where readings are normalised already.
    treated: Option<usize>,
    readings: usize,
    controls: usize,
    incomplete: usize,
    has_divisions: bool,
    /// The readings of each plate and experiment, where they come in parts: their scales are compared.
    plates: Vec<(Role, Regroup)>,
    notes: Vec<Note>,
}

/// So many bytes may always be of one plate.
const LEAST_OF_A_PLATE: usize = 1 << 20;

/// A plate of a few hundred readings has about so many bytes.
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
            // Of parts it was decided before what they hold.
            let signals = if self.is_divided { None } else { named_like_viabilities(&table)? };
            table = signals.unwrap_or(table);
            if signal_column(&table).is_some() && !self.plates_are_whole {
                return Err(Error::failed(format!(
                    "{}: the wells of a plate are not together",
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

    /// The rows of a table, one for each reading, of the wells that hold one drug.
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

    /// The batches, when all rows were taken.
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
        // Where all readings are one batch its plates are whole.
        for (_, plates) in self.plates.into_iter().filter(|_| !decided.plates_are_whole) {
            let plates = plates.finish(|readings| Ok(vec![readings.labels(0)?]))?;
            // What has more readings than a part is no plate, but a batch of many.
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

/// The scales of the plates of a table of plates, doses and readings.
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

/// Finds the readings of a table: of wells that hold one drug. Raw signals are divided by those of the untreated wells first.
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
