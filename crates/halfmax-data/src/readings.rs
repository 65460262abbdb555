//! Readings of dose–response experiments: one row per well or per mean of wells.

use std::collections::HashMap;
use std::sync::Arc;

use halfmax_core::{Error, Result, listed};

use crate::columns::plain;
use crate::fellows::{
    Fellows, LARGEST_FRACTION, LARGEST_PERCENT, SMALLEST_PERCENT, look_like_fractions, on_another_scale,
    usual_size,
};
use crate::lists;
use crate::plates::normalised;
use crate::reading_names::{Measured, Scale, said_by_name};
use crate::report::counted;
use crate::roles::Role;
use crate::separating::Repeats;
use crate::table::{Labels, RawTable};
use crate::units::DoseFactors;
use crate::untreated::untreated_notes;

/// What a column of readings holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadingUnit {
    /// Whether it is the effect (1 − viability) and not the viability.
    pub inhibition: bool,
    /// Whether it is in percent and not a fraction.
    pub percent: bool,
}

impl ReadingUnit {
    /// The units, by the names that users give them.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("viability-percent", Self { inhibition: false, percent: true }),
        ("viability-fraction", Self { inhibition: false, percent: false }),
        ("inhibition-percent", Self { inhibition: true, percent: true }),
        ("inhibition-fraction", Self { inhibition: true, percent: false }),
    ];

    /// The unit of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(own, _)| *own == name).map(|(_, unit)| *unit)
    }

    /// The name of the unit.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, unit)| *unit == self).map_or("", |(name, _)| name)
    }

    /// The inhibition in percent; one that is so given stays as it is to the last digit.
    pub(crate) fn inhibition_percent(self, reading: f64) -> f64 {
        let percent = if self.percent { reading } else { 100.0 * reading };
        if self.inhibition { percent } else { 100.0 - percent }
    }

    fn viability(self, reading: f64) -> f64 {
        let fraction = if self.percent { reading / 100.0 } else { reading };
        if self.inhibition { 1.0 - fraction } else { fraction }
    }
}

/// How readings are to be taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadingOptions {
    /// What the readings are; guessed from the column's name and range if not given.
    pub unit: Option<ReadingUnit>,
    /// What a dose is to be multiplied with to be in µM; by a column of units, else by the column's name, else 1, if not given.
    pub dose_factor: Option<f64>,
    /// Whether each experiment has its own curve.
    pub by_experiment: bool,
    /// Whether each time has its own curve.
    pub by_time: bool,
    /// Whether numbers of divisions were taken from wells, so that those of one curve differ a little and are averaged.
    pub divisions_vary: bool,
}

/// What a curve is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurveKey {
    /// The cell line, as the file names it.
    pub cell_line: String,
    /// The drug, as the file names it.
    pub drug: String,
    /// The experiment; empty where experiments are pooled.
    pub experiment: String,
}

/// Readings, curve by curve.
#[derive(Clone, Debug)]
pub struct Readings {
    /// The curves, in the order in which the file first has them.
    pub curves: Vec<CurveKey>,
    /// For each curve where its readings start; one more entry ends the last.
    pub starts: Vec<usize>,
    /// The doses in µM, above 0.
    pub dose_um: Vec<f64>,
    /// The viabilities, as fractions of the control.
    pub viability: Vec<f64>,
    /// For each reading its batch, where a column tells experiments, plates or replicates apart that are pooled in one curve.
    pub batch: Option<Vec<u32>>,
    /// For each curve how often its control divided, where the file has a column of that; NaN where it has no entry.
    pub divisions: Option<Vec<f64>>,
    /// For each curve its time in hours, where each time has its own.
    pub time_h: Option<Vec<f64>>,
    /// What the readings were taken for.
    pub unit: ReadingUnit,
    /// Whether nothing says what unit the doses are in, so that µM was assumed.
    pub dose_unit_assumed: bool,
    /// Rows left out because their dose is 0: controls.
    pub controls: usize,
    /// Rows left out because a cell line, drug, dose or reading is missing.
    pub incomplete: usize,
    /// What else to know: columns over which readings are pooled.
    pub notes: Vec<String>,
}

/// Finds the readings of a table: of wells that hold one drug. Raw signals are divided by those of the untreated wells first.
///
/// # Errors
/// If a column is missing, a value is no number or cannot be a dose, no row is complete, what the readings are is not clear, curves or
/// plates are on different scales, or readings would be pooled that a column tells apart.
pub fn read_readings(table: &RawTable, options: &ReadingOptions) -> Result<Readings> {
    let in_rows = lists::readings_in_rows(table)?;
    let table = in_rows.as_ref().unwrap_or(table);
    let replicates = lists::replicates_in_rows(table)?;
    let table = replicates.as_ref().unwrap_or(table);
    let alone = Alone::of(table)?;
    let table = alone.table.as_ref().unwrap_or(table);
    let raw = named_like_viabilities(table)?;
    let table = raw.as_ref().unwrap_or(table);
    let plates = normalised(table)?;
    let table = plates.as_ref().unwrap_or(table);
    let columns = Columns::of(table, options)?;
    let labels: Vec<Arc<Labels>> =
        columns.named.iter().map(|column| table.labels(*column)).collect::<Result<_>>()?;
    let doses = doses(table, columns.dose)?;
    let readings = finite(table, columns.reading, "a number")?;
    let unit = unit_of(table, columns.reading, &readings, options.unit)?;
    let units = DoseFactors::of_one_drug(table, columns.dose, columns.unit, options.dose_factor)?;
    let mut grouping = Grouping::with_capacity(table.rows());
    let (mut controls, mut incomplete) = (0, 0);
    for at in 0..table.rows() {
        let mut key = [0; 4];
        key.iter_mut().zip(&labels).for_each(|(key, column)| *key = column.of_row[at]);
        if doses[at] == 0.0 && !readings[at].is_nan() {
            controls += 1;
            grouping.leave_out();
        } else if key[..labels.len()].contains(&Labels::MISSING)
            || doses[at].is_nan()
            || readings[at].is_nan()
        {
            incomplete += 1;
            grouping.leave_out();
        } else {
            grouping.add(key);
        }
    }
    let mut untreated: Vec<f64> = (0..table.rows())
        .filter(|at| doses[*at] == 0.0 && !readings[*at].is_nan())
        .map(|at| readings[at])
        .collect();
    refuse_wrong_way_round(table, columns.reading, &mut untreated, unit)?;
    let Grouping { keys, of_row, .. } = grouping;
    let grouped = Grouped::of(&of_row, keys.len());
    drop(of_row);
    if keys.is_empty() {
        return Err(Error::data(format!(
            "{}: no row has a cell line, a drug, a dose above 0 and a reading",
            table.label()
        )));
    }
    let mut notes = table.notes().to_vec();
    notes.extend(alone.note);
    notes.extend(units.note.clone());
    notes.extend(untreated_notes(table, &doses, &readings, (columns.reading, unit))?);
    notes.extend(columns.notes(table));
    let mut used = columns.used(table);
    used.extend(alone.columns.iter().filter_map(|name| table.position_of(name)));
    let pooled = Repeats {
        what: "curves",
        groups: grouped.groups().filter(|rows| rows.len() > 1).collect(),
        used: &used,
    };
    notes.extend(pooled.check(table)?);
    let name = |key: &[u32; 4], column: usize| {
        labels.get(column).map_or_else(String::new, |own| own.names[key[column] as usize].clone())
    };
    let experiment = |key: &[u32; 4]| if options.by_experiment { name(key, 2) } else { String::new() };
    let key_of = |key: &[u32; 4]| CurveKey {
        cell_line: name(key, 0),
        drug: name(key, 1),
        experiment: experiment(key),
    };
    let curves: Vec<CurveKey> = keys.iter().map(key_of).collect();
    let fellows = CurvesAndPlates::of(table, &curves, &grouped, [&doses, &readings])?;
    notes.extend(check_scales(table, columns.reading, &fellows, unit, options.unit)?);
    drop(fellows);
    let batches = if options.by_experiment { None } else { experiment_column(table).ok() };
    let batches = batches.map(|column| table.labels(column)).transpose()?;
    let of_signals =
        if plates.is_some() || options.divisions_vary { Divided::ByWells } else { Divided::AsSaid };
    let mut found = Readings {
        curves,
        dose_um: grouped.order.iter().map(|at| doses[*at] * units.at(*at)).collect(),
        viability: grouped.order.iter().map(|at| unit.viability(readings[*at])).collect(),
        batch: batches.map(|labels| grouped.order.iter().map(|at| labels.of_row[*at]).collect()),
        divisions: divisions(table, &grouped, of_signals)?,
        time_h: options.by_time.then(|| curve_hours(table, &grouped)).transpose()?,
        starts: grouped.starts,
        unit,
        dose_unit_assumed: units.assumed,
        controls,
        incomplete,
        notes,
    };
    found.notes.extend(falling(&found));
    Ok(found)
}

/// The columns that readings are taken from.
struct Columns {
    /// Cell lines, drugs and, where curves are told apart by them, experiments.
    named: Vec<usize>,
    dose: usize,
    unit: Option<usize>,
    reading: usize,
}

impl Columns {
    fn of(table: &RawTable, options: &ReadingOptions) -> Result<Self> {
        let drug = table.role(Role::Drug).or_else(|| table.role(Role::DrugA));
        let drug = drug.ok_or_else(|| crate::assign::no_column(table, Role::Drug))?;
        let dose = match (table.role(Role::Dose), table.role(Role::DoseA)) {
            (None, Some(_)) => table.require_measure(Role::DoseA)?,
            _ => table.require_measure(Role::Dose)?,
        };
        let mut named = vec![table.require(Role::CellLine)?, drug];
        if options.by_experiment {
            named.push(experiment_column(table)?);
        }
        if options.by_time {
            named.push(table.require(Role::Time)?);
        }
        let unit = table.role(Role::DoseUnit).or_else(|| table.role(Role::DoseUnitA));
        Ok(Self { named, dose, unit, reading: table.require(Role::Reading)? })
    }

    fn used(&self, table: &RawTable) -> Vec<usize> {
        // Where wells lie says nothing of what they hold.
        let places = [Role::Well, Role::WellRow, Role::WellColumn];
        let places = places.into_iter().filter_map(|role| table.role(role));
        let more = self.unit.into_iter().chain(table.role(Role::Divisions)).chain(places);
        self.named.iter().copied().chain([self.dose, self.reading]).chain(more).collect()
    }

    /// What is said of the column of readings.
    fn notes(&self, table: &RawTable) -> Vec<String> {
        let name = &table.names()[self.reading];
        let others: Vec<String> = table
            .candidates(Role::Reading)
            .iter()
            .filter(|other| {
                other.column != self.reading && table.roles_of_column(other.column).contains(&Role::Reading)
            })
            .map(|other| format!("{:?}", table.names()[other.column]))
            .collect();
        let mut notes = Vec::new();
        if !others.is_empty() {
            notes.push(format!(
                "readings are taken from {name:?}, not from {}; choose with --column reading=NAME",
                listed(&others, 4)
            ));
        }
        notes.extend(growth_note(name));
        notes
    }
}

/// A note where readings are of growth: what half of it means.
pub(crate) fn growth_note(name: &str) -> Option<String> {
    let growth = plain(name).contains("growth") && said_by_name(name).measured == Some(Measured::Left);
    growth.then(|| {
        format!("{name:?} is growth relative to the control: inhibition is 100 - growth in percent, above 100 where cells die, and half of it is reached at the GI50")
    })
}

/// The wells that hold one drug, of a table that also has wells of several.
#[derive(Default)]
struct Alone {
    /// The table of these wells; none if every well has one drug.
    table: Option<RawTable>,
    note: Option<String>,
    /// The columns that said which wells have several drugs.
    columns: Vec<String>,
}

impl Alone {
    /// Leaves out the wells of several drugs: their readings do not belong to the curve of one.
    ///
    /// # Errors
    /// If every well holds several drugs.
    fn of(table: &RawTable) -> Result<Self> {
        let mut alone: Vec<usize> = (0..table.rows()).collect();
        let mut columns = Vec::new();
        for [drug, dose] in [[Role::DrugB, Role::DoseB], [Role::DrugC, Role::DoseC]] {
            let [drug, dose] = [drug, dose].map(|role| table.role(role));
            let present = partner_present(table, drug, dose)?;
            alone.retain(|row| !present[*row]);
            columns.extend(drug.into_iter().chain(dose));
        }
        let names: Vec<String> = columns.iter().map(|column| table.names()[*column].clone()).collect();
        let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
        let left_out = table.rows() - alone.len();
        if left_out == 0 {
            return Ok(Self { columns: names, ..Self::default() });
        }
        if alone.is_empty() {
            let one = &names[0];
            return Err(Error::data(format!(
                "{}: every well holds more than one drug, by {}: a curve of one drug must not pool them",
                table.label(),
                listed(&quoted, 4)
            ))
            .help(format!(
                "score the matrices with halfmax synergy; or choose rows (--where {one:?}=VALUE) and set the column aside on purpose (--column ignore={one:?})"
            )));
        }
        let note = format!(
            "{} with a second drug, by {}, left out: these curves are of one drug alone; halfmax synergy scores the others",
            counted(left_out, "row"),
            listed(&quoted, 4)
        );
        Ok(Self { table: Some(table.with_rows(&alone)), note: Some(note), columns: names })
    }
}

/// Whether each row has a further drug: one that is named and no vehicle, at a dose that is not 0.
fn partner_present(table: &RawTable, drug: Option<usize>, dose: Option<usize>) -> Result<Vec<bool>> {
    let names = drug.map(|column| table.labels(column)).transpose()?;
    let doses = dose.map(|column| table.numbers(column, "a dose")).transpose()?;
    let named = |row: usize| {
        names.as_ref().is_none_or(|labels| {
            labels.at(row).is_some_and(|name| name != "0" && !crate::plates::is_vehicle(name))
        })
    };
    let dosed = |row: usize| match &doses {
        Some(doses) => doses[row] != 0.0 && !(doses[row].is_nan() && names.is_none()),
        None => true,
    };
    let any = drug.is_some() || dose.is_some();
    Ok((0..table.rows()).map(|row| any && named(row) && dosed(row)).collect())
}

/// A table whose column of viabilities holds raw signals, with that column as signals, if untreated wells are there to divide them by.
fn named_like_viabilities(table: &RawTable) -> Result<Option<RawTable>> {
    let Some(column) = table.role(Role::Reading) else { return Ok(None) };
    let name = &table.names()[column];
    let measured = said_by_name(name).measured;
    let Ok(readings) = table.numbers(column, "a number") else { return Ok(None) };
    let raw = usual_size(readings.iter().copied()) > LARGEST_PERCENT;
    if measured != Some(Measured::Left) || !raw || !crate::plates::has_untreated_wells(table)? {
        return Ok(None);
    }
    let mut signals = table.clone();
    signals.said.retain(|(role, _)| *role != Role::Reading && *role != Role::Signal);
    signals.said.push((Role::Signal, column));
    signals.candidates = std::sync::OnceLock::new();
    signals.notes.push(format!("{name:?} is called a viability, but its numbers are raw signals"));
    Ok(Some(signals))
}

/// A column that groups rows: its name, that of each group, and their rows.
struct GroupedColumn<'a> {
    name: &'a str,
    labels: Arc<Labels>,
    rows: Grouped,
}

/// The curves and plates of a table, with their readings.
struct CurvesAndPlates<'a> {
    curves: &'a [CurveKey],
    rows: &'a Grouped,
    /// Plates and experiments.
    others: Vec<GroupedColumn<'a>>,
    doses: &'a [f64],
    readings: &'a [f64],
}

impl<'a> CurvesAndPlates<'a> {
    fn of(
        table: &'a RawTable,
        curves: &'a [CurveKey],
        rows: &'a Grouped,
        [doses, readings]: [&'a [f64]; 2],
    ) -> Result<Self> {
        let mut used = vec![false; table.rows()];
        rows.order.iter().for_each(|row| used[*row] = true);
        let mut others = Vec::new();
        for column in [Role::Plate, Role::Experiment].into_iter().filter_map(|role| table.role(role)) {
            let labels = table.labels(column)?;
            let of_row = labels.of_row.iter().zip(&used).map(|(label, used)| match used {
                true => *label,
                false => Grouped::NONE,
            });
            let rows = Grouped::of(&of_row.collect::<Vec<u32>>(), labels.names.len());
            others.push(GroupedColumn { name: &table.names()[column], labels, rows });
        }
        Ok(Self { curves, rows, others, doses, readings })
    }

    /// A plate or experiment: which column it is of, and which of that.
    fn other(&self, at: usize) -> Option<(&GroupedColumn<'a>, usize)> {
        let mut left = at - self.curves.len();
        for other in &self.others {
            let count = other.labels.names.len();
            if left < count {
                return Some((other, left));
            }
            left -= count;
        }
        None
    }
}

impl Fellows for CurvesAndPlates<'_> {
    fn count(&self) -> usize {
        self.curves.len() + self.others.iter().map(|other| other.labels.names.len()).sum::<usize>()
    }

    fn name(&self, at: usize) -> String {
        match self.curves.get(at) {
            Some(curve) => format!("the curve of {} in {}", curve.drug, curve.cell_line),
            None => self.other(at).map_or_else(String::new, |(column, own)| {
                format!("{} {}", column.name, column.labels.names[own])
            }),
        }
    }

    fn put_readings(&self, at: usize, into: &mut Vec<(f64, f64)>) {
        let rows = match at < self.curves.len() {
            true => self.rows.group(at),
            false => self.other(at).map_or(&[][..], |(column, own)| column.rows.group(own)),
        };
        into.extend(rows.iter().map(|row| (self.doses[*row], self.readings[*row])));
    }
}

/// Refuses readings that are on another scale than their fellows; where the user said what all of them are, a note says so.
pub(crate) fn check_scales(
    table: &RawTable,
    column: usize,
    fellows: &(impl Fellows + ?Sized),
    unit: ReadingUnit,
    said: Option<ReadingUnit>,
) -> Result<Option<String>> {
    let name = &table.names()[column];
    let Some(odd) = on_another_scale(fellows, unit.percent) else {
        let fraction = ReadingUnit { percent: false, ..unit };
        return Ok((unit.percent && look_like_fractions(fellows)).then(|| {
            format!(
                "{name:?} looks like fractions of the control; taken as {}, as {}: if they are fractions, say --response {}",
                unit.name(),
                if said.is_some() { "you said" } else { "its name says" },
                fraction.name()
            )
        }));
    };
    if said.is_some() && !odd.starts_with("raw") {
        return Ok(Some(format!("{name:?} looks like {odd}; all are taken as {}, as you said", unit.name())));
    }
    Err(Error::data(format!("{}: column {name:?}: the scale is not the same everywhere: {odd}", table.label())).help(
        format!("bring all readings to one scale; or leave some out (--where); or, if they are all right, say --response {}", unit.name()),
    ))
}

/// The column that tells experiments apart: experiments, else plates, else replicates.
fn experiment_column(table: &RawTable) -> Result<usize> {
    let found =
        [Role::Experiment, Role::Plate, Role::Replicate].into_iter().find_map(|role| table.role(role));
    found.ok_or_else(|| crate::assign::no_column(table, Role::Experiment))
}

/// The time of each curve in hours.
fn curve_hours(table: &RawTable, curves: &Grouped) -> Result<Vec<f64>> {
    let column = table.require(Role::Time)?;
    let (factor, _) = crate::time_courses::hours_in(&table.names()[column]);
    let times = finite(table, column, "a time as a number")?;
    Ok(curves.groups().map(|rows| rows.first().map_or(f64::NAN, |row| factor * times[*row])).collect())
}

/// Numbers curves in the order in which rows first have them.
struct Grouping {
    known: HashMap<[u32; 4], u32>,
    /// Cell line, drug and experiment (0 where curves are not told apart by it), as positions among their names.
    keys: Vec<[u32; 4]>,
    /// For each row its curve.
    of_row: Vec<u32>,
}

impl Grouping {
    fn with_capacity(rows: usize) -> Self {
        Self { known: HashMap::new(), keys: Vec::new(), of_row: Vec::with_capacity(rows) }
    }

    fn add(&mut self, key: [u32; 4]) {
        let next = self.keys.len() as u32;
        let at = *self.known.entry(key).or_insert(next);
        if at == next {
            self.keys.push(key);
        }
        self.of_row.push(at);
    }

    fn leave_out(&mut self) {
        self.of_row.push(Grouped::NONE);
    }
}

/// Rows, group by group, in their order.
struct Grouped {
    order: Vec<usize>,
    /// For each group where its rows start; one more entry ends the last.
    starts: Vec<usize>,
}

impl Grouped {
    /// The group of a row that is in none.
    const NONE: u32 = u32::MAX;

    /// From the group of each row.
    fn of(of_row: &[u32], groups: usize) -> Self {
        let mut starts = vec![0; groups + 1];
        let counted = |group: &u32| (*group as usize) < groups;
        of_row.iter().filter(|group| counted(group)).for_each(|group| starts[*group as usize + 1] += 1);
        for at in 0..groups {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut order = vec![0; starts[groups]];
        for (row, group) in of_row.iter().enumerate().filter(|(_, group)| counted(group)) {
            let place = &mut next[*group as usize];
            order[*place] = row;
            *place += 1;
        }
        Self { order, starts }
    }

    fn group(&self, at: usize) -> &[usize] {
        &self.order[self.starts[at]..self.starts[at + 1]]
    }

    fn groups(&self) -> impl Iterator<Item = &[usize]> {
        (0..self.starts.len() - 1).map(|at| self.group(at))
    }
}

/// A column of numbers without infinite ones.
pub(crate) fn finite(table: &RawTable, column: usize, expected: &str) -> Result<Arc<Vec<f64>>> {
    let values = table.numbers(column, expected)?;
    match values.iter().position(|value| value.is_infinite()) {
        Some(at) => Err(table.bad_value(column, at, values[at], expected)),
        None => Ok(values),
    }
}

pub(crate) fn doses(table: &RawTable, column: usize) -> Result<Arc<Vec<f64>>> {
    const EXPECTED: &str = "a dose, 0 or more (not its logarithm)";
    let name = &table.names()[column];
    if crate::target::names_logarithm(name) {
        return Err(Error::data(format!(
            "{}: column {name:?} holds logarithms of doses, expected doses",
            table.label()
        ))
        .help("give the doses themselves, and call their column dose"));
    }
    let values = finite(table, column, EXPECTED)?;
    match values.iter().position(|value| *value < 0.0) {
        Some(at) => Err(table.bad_value(column, at, values[at], EXPECTED)),
        None => Ok(values),
    }
}

/// Where numbers of divisions come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Divided {
    /// The file says them.
    AsSaid,
    /// They were taken from wells, and vary a little from well to well.
    ByWells,
}

/// Numbers of divisions of one curve that were taken from wells may differ by this much.
const DIVISIONS_DIFFER: f64 = 0.5;

/// How often the control of each curve divided, by the column of that.
fn divisions(table: &RawTable, curves: &Grouped, from: Divided) -> Result<Option<Vec<f64>>> {
    const EXPECTED: &str = "a number of divisions, above 0, at most 100";
    let Some(column) = table.role(Role::Divisions) else { return Ok(None) };
    let values = finite(table, column, EXPECTED)?;
    if let Some(at) = values.iter().position(|value| *value <= 0.0 || *value > 100.0) {
        return Err(table.bad_value(column, at, values[at], EXPECTED));
    }
    let of_curve = |rows: &[usize]| {
        let first = values[rows[0]];
        let allowed = if from == Divided::ByWells { DIVISIONS_DIFFER } else { 0.0 };
        let same = |value: f64| (value - first).abs() <= allowed || (value.is_nan() && first.is_nan());
        match rows.iter().find(|at| !same(values[**at])) {
            None if from == Divided::AsSaid => Ok(first),
            None => Ok(rows.iter().map(|row| values[*row]).sum::<f64>() / rows.len() as f64),
            Some(at) => {
                let row = table.row_of(rows[0]);
                let expected = format!("{first}, as row {row} of the same curve has");
                Err(table
                    .bad_value(column, *at, values[*at], &expected)
                    .help("where experiments divided differently, fit them apart: --by experiment"))
            }
        }
    };
    curves.groups().map(of_curve).collect::<Result<Vec<f64>>>().map(Some)
}

const SAY_WHICH: &str = "say which with --response viability-percent, viability-fraction, inhibition-percent or inhibition-fraction";

/// What the readings are: as given, else by the column's name, and where that does not say whether they are percentages, by their range.
pub(crate) fn unit_of(
    table: &RawTable,
    column: usize,
    readings: &[f64],
    given: Option<ReadingUnit>,
) -> Result<ReadingUnit> {
    let place = format!("{}: column {:?}", table.label(), table.names()[column]);
    let size = usual_size(readings.iter().copied());
    if size > LARGEST_PERCENT {
        return Err(raw_signal(&place, size));
    }
    let said = said_by_name(&table.names()[column]);
    if let Some(unit) = given {
        if !unit.percent && size > SMALLEST_PERCENT {
            return Err(Error::data(format!(
                "{place}: cannot be {}: nine tenths of its readings are within ±{size}",
                unit.name()
            ))
            .help(SAY_WHICH));
        }
        return Ok(unit);
    }
    let Some(measured) = said.measured else {
        let error = format!("{place}: its name does not say whether it is viability or inhibition");
        return Err(Error::data(error).help(SAY_WHICH));
    };
    let percent = match said.scale {
        Some(Scale::Fraction) if size > SMALLEST_PERCENT => {
            return Err(Error::data(format!(
                "{place}: its name says fractions, but nine tenths of its readings are within ±{size}"
            ))
            .help(SAY_WHICH));
        }
        Some(Scale::Fraction) => false,
        Some(Scale::Percent) => true,
        Some(Scale::Relative) => size > SMALLEST_PERCENT,
        None if size <= LARGEST_FRACTION => false,
        None if size >= SMALLEST_PERCENT => true,
        None => {
            let error = format!(
                "{place}: nine tenths of its readings are within ±{size}: too large for fractions, too small for percentages"
            );
            return Err(Error::data(error).help(SAY_WHICH));
        }
    };
    Ok(ReadingUnit { inhibition: measured == Measured::Gone, percent })
}

fn raw_signal(place: &str, size: f64) -> Error {
    Error::data(format!("{place}: nine tenths of its readings are within ±{size}: these are raw signals, not percentages of a control"))
        .help("divide them by the mean of the untreated wells, or have that done: say that the column holds raw signals (--column signal=NAME), with untreated wells as rows of dose 0 or of the drug DMSO, or a column \"control\"")
}

/// Refuses readings whose untreated wells (dose 0) read as if the drug had killed everything: they are the other way round.
pub(crate) fn refuse_wrong_way_round(
    table: &RawTable,
    column: usize,
    untreated: &mut [f64],
    unit: ReadingUnit,
) -> Result<()> {
    if untreated.is_empty() {
        return Ok(());
    }
    let middle = untreated.len() / 2;
    let median = *untreated.select_nth_unstable_by(middle, f64::total_cmp).1;
    let inhibition = unit.inhibition_percent(median);
    if inhibition < 50.0 {
        return Ok(());
    }
    let other = ReadingUnit { inhibition: !unit.inhibition, ..unit };
    Err(Error::data(format!(
        "{}: column {:?}: untreated wells (dose 0) read {median} in the middle, which as {} is {inhibition:.0} % inhibition without a drug",
        table.label(),
        table.names()[column],
        unit.name()
    ))
    .help(format!("if the readings are the other way round, say --response {}", other.name())))
}

/// A note where readings fall with the dose though they should rise, in most of the curves that change at all.
fn falling(readings: &Readings) -> Option<String> {
    let (mut rising, mut falling) = (0, 0);
    for curve in readings.starts.windows(2) {
        let rows = curve[0]..curve[1];
        let doses = &readings.dose_um[rows.clone()];
        let lowest = doses.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = doses.iter().copied().fold(0.0, f64::max);
        let mean = |dose: f64| {
            let own =
                rows.clone().filter(|row| readings.dose_um[*row] == dose).map(|row| readings.viability[row]);
            let (sum, count) = own.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
            sum / count
        };
        let change = mean(highest) - mean(lowest);
        rising += usize::from(change > 0.3);
        falling += usize::from(change < -0.3);
    }
    (rising > 2 * falling && rising >= 2).then(|| {
        format!(
            "viability rises with the dose in {} and falls in {falling}: are the readings the other way round? ({})",
            counted(rising, "curve"),
            SAY_WHICH
        )
    })
}
