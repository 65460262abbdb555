//! Readings of dose–response experiments: one row per well or per mean of wells.

use std::collections::HashMap;
use std::sync::Arc;

use halfmax_core::{Error, Result, listed};

use crate::columns::plain;
use crate::fellows::{Fellows, LARGEST_FRACTION, LARGEST_PERCENT, SMALLEST_PERCENT, Scales, usual_size};
use crate::note::{Note, join_notes};
use crate::reading_names::{Measured, Scale, said_by_name};
use crate::regroup::KEY;
use crate::report::counted;
use crate::roles::Role;
use crate::separating::{Differing, Repeats};
use crate::table::{Labels, RawTable};
use crate::units::DoseFactors;

/// The unit of a column of readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadingUnit {
    /// Whether readings are the effect (1 − viability) and not the viability.
    pub inhibition: bool,
    /// Whether readings are percentages and not fractions.
    pub percent: bool,
}

impl ReadingUnit {
    /// The units with their names for users.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("viability-percent", Self { inhibition: false, percent: true }),
        ("viability-fraction", Self { inhibition: false, percent: false }),
        ("inhibition-percent", Self { inhibition: true, percent: true }),
        ("inhibition-fraction", Self { inhibition: true, percent: false }),
    ];

    /// The unit with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(own, _)| *own == name).map(|(_, unit)| *unit)
    }

    /// The name of the unit.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, unit)| *unit == self).map_or("", |(name, _)| name)
    }

    /// The inhibition in percent. A reading that is already a percent inhibition stays exactly the same.
    pub(crate) fn inhibition_percent(self, reading: f64) -> f64 {
        let percent = if self.percent { reading } else { 100.0 * reading };
        if self.inhibition { percent } else { 100.0 - percent }
    }

    fn viability(self, reading: f64) -> f64 {
        let fraction = if self.percent { reading / 100.0 } else { reading };
        if self.inhibition { 1.0 - fraction } else { fraction }
    }
}

/// How to interpret readings.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadingOptions {
    /// The unit of the readings; guessed from the column's name and range if not given.
    pub unit: Option<ReadingUnit>,
    /// The factor that converts a dose to µM. Default: a column of units, else the column's name, else 1.
    pub dose_factor: Option<f64>,
    /// Whether to fit each experiment separately.
    pub by_experiment: bool,
    /// Whether to fit each time separately.
    pub by_time: bool,
    /// Whether numbers of divisions come from wells. They then vary a little within a curve and are averaged.
    pub divisions_vary: bool,
}

/// The key of a curve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurveKey {
    /// The cell line, as the file names it.
    pub cell_line: String,
    /// The drug, as the file names it.
    pub drug: String,
    /// The experiment; empty if experiments are pooled.
    pub experiment: String,
}

/// Readings, curve by curve.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    /// The curves, in order of first appearance in the file.
    pub curves: Vec<CurveKey>,
    /// The start of each curve's readings; one more entry ends the last curve.
    pub starts: Vec<usize>,
    /// The doses in µM, above 0.
    pub dose_um: Vec<f64>,
    /// The viabilities, as fractions of the control.
    pub viability: Vec<f64>,
    /// The batch of each reading, numbered within its curve, if a column distinguishes experiments, plates or
    /// replicates that are pooled in a curve.
    pub batch: Option<Vec<u32>>,
    /// The number of divisions of each curve's control, if the file has a column of divisions; NaN without an entry.
    pub divisions: Option<Vec<f64>>,
    /// The time of each curve in hours, if times are fitted separately.
    pub time_h: Option<Vec<f64>>,
}

/// The decisions about all readings of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decided {
    pub unit: ReadingUnit,
    /// Whether plates and experiments are whole in each table, so that their scales can be compared.
    pub plates_are_whole: bool,
    /// Whether numbers of divisions come from wells.
    pub divisions_vary: bool,
}

/// The findings in the curves of a table.
pub(crate) struct Found {
    pub scales: Scales,
    pub pooled: Differing,
    /// The numbers of curves whose readings rise and fall with the dose.
    pub rising_and_falling: [usize; 2],
    pub dose_unit_assumed: bool,
    pub notes: Vec<Note>,
}

impl Found {
    /// Adds the findings of another table.
    pub fn join(&mut self, other: Self) {
        self.scales.join(&other.scales);
        self.pooled.join(other.pooled);
        for (own, more) in self.rising_and_falling.iter_mut().zip(other.rising_and_falling) {
            *own += more;
        }
        self.dose_unit_assumed |= other.dose_unit_assumed;
        join_notes(&mut self.notes, other.notes);
    }
}

/// Whole curves from the complete rows of a table.
///
/// # Errors
/// If a unit or a number of divisions is missing or impossible.
pub(crate) fn curves_of(
    table: &RawTable,
    options: &ReadingOptions,
    decided: Decided,
    one_drug_by: &[String],
) -> Result<(Readings, Found)> {
    let columns = Columns::of(table, options)?;
    let labels = columns.labels(table)?;
    let [doses, readings] = columns.numbers(table)?;
    let units = DoseFactors::of_one_drug(table, columns.dose, columns.unit, options.dose_factor)?;
    let mut grouping = Grouping::with_capacity(table.rows());
    for at in 0..table.rows() {
        let mut key = [0; KEY];
        key.iter_mut().zip(&labels).for_each(|(key, column)| *key = column.of_row[at]);
        grouping.add(key);
    }
    let Grouping { keys, of_row, .. } = grouping;
    let grouped = Grouped::of(&of_row, keys.len());
    drop(of_row);
    let mut used = columns.used(table);
    used.extend(one_drug_by.iter().filter_map(|name| table.position_of(name)));
    let pooled = Repeats {
        what: CURVES,
        groups: grouped.groups().filter(|rows| rows.len() > 1).collect(),
        used: &used,
    }
    .find(table);
    let name = |key: &[u32; KEY], column: usize| {
        labels.get(column).map_or_else(String::new, |own| own.names[key[column] as usize].clone())
    };
    let experiment = |key: &[u32; KEY]| if options.by_experiment { name(key, 2) } else { String::new() };
    let key_of = |key: &[u32; KEY]| CurveKey {
        cell_line: name(key, 0),
        drug: name(key, 1),
        experiment: experiment(key),
    };
    let curves: Vec<CurveKey> = keys.iter().map(key_of).collect();
    let fellows =
        CurvesAndPlates::of(table, &curves, &grouped, [&doses, &readings], decided.plates_are_whole)?;
    let scales = Scales::of(&fellows, decided.unit.percent);
    drop(fellows);
    let batches = if options.by_experiment { None } else { experiment_column(table).ok() };
    let batches = batches.map(|column| table.labels(column)).transpose()?;
    let unit = decided.unit;
    let of_signals =
        if decided.divisions_vary || options.divisions_vary { Divided::ByWells } else { Divided::AsSaid };
    let found = Readings {
        curves,
        dose_um: grouped.order.iter().map(|at| doses[*at] * units.at(*at)).collect(),
        viability: grouped.order.iter().map(|at| unit.viability(readings[*at])).collect(),
        batch: batches.map(|labels| grouped.numbered(&labels.of_row)),
        // Readings that must not be pooled may have different numbers of divisions.
        divisions: if pooled.refuses() { None } else { divisions(table, &grouped, of_signals)? },
        time_h: options.by_time.then(|| curve_hours(table, &grouped)).transpose()?,
        starts: grouped.starts,
    };
    let rising_and_falling = found.rising_and_falling();
    Ok((
        found,
        Found { scales, pooled, rising_and_falling, dose_unit_assumed: units.assumed, notes: units.notes },
    ))
}

/// The word for groups of repeated rows.
pub(crate) const CURVES: &str = "curves";

/// The columns that readings come from.
pub(crate) struct Columns {
    /// Cell lines, drugs and, if fitted separately, experiments and times.
    named: Vec<usize>,
    pub dose: usize,
    unit: Option<usize>,
    pub reading: usize,
}

impl Columns {
    pub fn of(table: &RawTable, options: &ReadingOptions) -> Result<Self> {
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

    /// The labels that identify a row's curve.
    pub fn labels(&self, table: &RawTable) -> Result<Vec<Arc<Labels>>> {
        self.named.iter().map(|column| table.labels(*column)).collect()
    }

    /// The doses and the readings.
    pub fn numbers(&self, table: &RawTable) -> Result<[Arc<Vec<f64>>; 2]> {
        Ok([doses(table, self.dose)?, finite(table, self.reading, "a number")?])
    }

    fn used(&self, table: &RawTable) -> Vec<usize> {
        // The position of a well does not describe its content.
        let places = [Role::Well, Role::WellRow, Role::WellColumn];
        let places = places.into_iter().filter_map(|role| table.role(role));
        let more = self.unit.into_iter().chain(table.role(Role::Divisions)).chain(places);
        self.named.iter().copied().chain([self.dose, self.reading]).chain(more).collect()
    }

    /// Notes on the column of readings.
    pub fn notes(&self, table: &RawTable) -> Vec<String> {
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
                "readings come from {name:?}, not from {}; to choose another column, set columns = {{ reading = \"NAME\" }} (`--column reading=NAME`)",
                listed(&others, 4)
            ));
        }
        notes.extend(growth_note(name));
        notes
    }
}

/// A note on the meaning of half-maximal growth, if readings measure growth.
pub(crate) fn growth_note(name: &str) -> Option<String> {
    let growth = plain(name).contains("growth") && said_by_name(name).measured == Some(Measured::Left);
    growth.then(|| {
        format!("{name:?} is growth relative to the control: inhibition is 100 - growth in percent, above 100 if cells die; the GI50 is the dose at 50")
    })
}

/// The wells with one drug in a table that also has wells with several drugs.
pub(crate) struct Alone {
    /// Positions of these wells; `None` if every well has one drug.
    pub rows: Option<Vec<usize>>,
    /// The columns that show which wells have several drugs.
    pub columns: Vec<String>,
}

impl Alone {
    /// Finds the wells with several drugs, whose readings do not belong to the curve of one drug.
    pub fn of(table: &RawTable) -> Result<Self> {
        let mut alone: Vec<usize> = (0..table.rows()).collect();
        let mut columns = Vec::new();
        for [drug, dose] in [[Role::DrugB, Role::DoseB], [Role::DrugC, Role::DoseC]] {
            let [drug, dose] = [drug, dose].map(|role| table.role(role));
            let present = partner_present(table, drug, dose)?;
            alone.retain(|row| !present[*row]);
            columns.extend(drug.into_iter().chain(dose));
        }
        Ok(Self {
            rows: (alone.len() < table.rows()).then_some(alone),
            columns: columns.iter().map(|column| table.names()[*column].clone()).collect(),
        })
    }

    /// The error for a table in which, by these columns, every well holds several drugs.
    pub fn nowhere(label: &str, columns: &[String]) -> Error {
        let quoted: Vec<String> = columns.iter().map(|name| format!("{name:?}")).collect();
        let one = columns.first().map_or("drug_b", String::as_str);
        Error::data(format!(
            "{label}: every well holds more than one drug, according to {}; a curve of one drug must not pool them",
            listed(&quoted, 4)
        ))
        .with_help(format!(
            "score them as dose matrices (`halfmax synergy`); or choose rows: where = {{ {one:?} = \"VALUE\" }} (`--where {one:?}=VALUE`), and ignore the column: columns = {{ ignore = {one:?} }} (`--column ignore={one:?}`)"
        ))
    }

    /// A note on wells that were left out, if there are any.
    pub fn note(left_out: usize, columns: &[String]) -> Option<Note> {
        let quoted: Vec<String> = columns.iter().map(|name| format!("{name:?}")).collect();
        (left_out > 0).then(|| {
            Note::of(left_out, "row").then(format!(
                " with a second drug, according to {}, left out: these curves are for single drugs; score combinations as dose matrices (`halfmax synergy`)",
                listed(&quoted, 4)
            ))
        })
    }
}

/// Whether each row has another drug: a name that is not a vehicle, at a dose above 0.
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

/// The table with its viability column as raw signals, if this column holds raw signals and there are untreated wells
/// to normalise them.
pub(crate) fn named_like_viabilities(table: &RawTable) -> Result<Option<RawTable>> {
    let Some(column) = table.role(Role::Reading) else { return Ok(None) };
    let name = &table.names()[column];
    let measured = said_by_name(name).measured;
    let Ok(readings) = table.numbers(column, "a number") else { return Ok(None) };
    let raw = usual_size(readings.iter().copied()) > LARGEST_PERCENT;
    if measured != Some(Measured::Left) || !raw || !crate::plates::has_untreated_wells(table)? {
        return Ok(None);
    }
    let mut signals = table.clone().with_signal_column(column);
    signals.notes.push(format!("{name:?} is named as a viability, but its numbers are raw signals").into());
    Ok(Some(signals))
}

impl RawTable {
    /// The table with a column declared as raw signals.
    pub(crate) fn with_signal_column(mut self, column: usize) -> Self {
        self.said.retain(|(role, _)| *role != Role::Reading && *role != Role::Signal);
        self.said.push((Role::Signal, column));
        self.candidates = std::sync::OnceLock::new();
        self
    }
}

/// A column that groups rows: its name, and the name and rows of each group.
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
        with_plates: bool,
    ) -> Result<Self> {
        let mut used = vec![false; table.rows()];
        rows.order.iter().for_each(|row| used[*row] = true);
        let mut others = Vec::new();
        let plates = [Role::Plate, Role::Experiment].into_iter().filter(|_| with_plates);
        for column in plates.filter_map(|role| table.role(role)) {
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

    /// A plate or experiment: its column, and its position in that column.
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

/// Refuses readings on another scale than the other readings. If the user set the unit, a note reports them instead.
pub(crate) fn check_scales(
    table: &RawTable,
    column: usize,
    fellows: &(impl Fellows + ?Sized),
    unit: ReadingUnit,
    said: Option<ReadingUnit>,
) -> Result<Option<String>> {
    Scales::of(fellows, unit.percent).check(table.label(), &table.names()[column], unit, said)
}

impl Scales {
    /// Refuses readings of a column on another scale than the other readings. If the user set the unit, a note reports
    /// them instead.
    pub fn check(
        &self,
        label: &str,
        name: &str,
        unit: ReadingUnit,
        said: Option<ReadingUnit>,
    ) -> Result<Option<String>> {
        let Some(odd) = self.odd() else {
            let fraction = ReadingUnit { percent: false, ..unit };
            return Ok(self.look_like_fractions().then(|| {
                format!(
                    "{name:?} looks like fractions of the control, but is read as {} because {}; if the readings are fractions, set their unit to {2} (`--response {2}`)",
                    unit.name(),
                    if said.is_some() { "it was set so" } else { "its name says so" },
                    fraction.name()
                )
            }));
        };
        if said.is_some() && !odd.starts_with("raw") {
            return Ok(Some(format!(
                "{name:?} looks like {odd}; all readings are read as {}, as set",
                unit.name()
            )));
        }
        Err(Error::data(format!("{label}: column {name:?}: the scale is not the same everywhere: {odd}")).with_help(
            format!("convert all readings to one scale; or leave some out with `where` (`--where`); or, if all are correct, set their unit to {0} (`--response {0}`)", unit.name()),
        ))
    }
}

/// The column that distinguishes experiments: experiments, else plates, else replicates.
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

/// Numbers curves in order of first appearance.
struct Grouping {
    known: HashMap<[u32; KEY], u32>,
    /// Cell line, drug, experiment and time as positions among their names; 0 for parts that do not separate curves.
    keys: Vec<[u32; KEY]>,
    /// The curve of each row.
    of_row: Vec<u32>,
}

impl Grouping {
    fn with_capacity(rows: usize) -> Self {
        Self { known: HashMap::new(), keys: Vec::new(), of_row: Vec::with_capacity(rows) }
    }

    fn add(&mut self, key: [u32; KEY]) {
        let next = self.keys.len() as u32;
        let at = *self.known.entry(key).or_insert(next);
        if at == next {
            self.keys.push(key);
        }
        self.of_row.push(at);
    }
}

/// Rows, group by group, in their order.
struct Grouped {
    order: Vec<usize>,
    /// The start of each group's rows; one more entry ends the last group.
    starts: Vec<usize>,
}

impl Grouped {
    /// The group of a row without a group.
    const NONE: u32 = u32::MAX;

    /// Groups rows, given the group of each row.
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

    /// The labels of the rows in the order of the groups, numbered within each group by first appearance. Missing
    /// labels count as one label.
    fn numbered(&self, of_row: &[u32]) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(self.order.len());
        let mut seen: Vec<u32> = Vec::new();
        for rows in self.groups() {
            seen.clear();
            for row in rows {
                let label = of_row[*row];
                let at = seen.iter().position(|other| *other == label).unwrap_or_else(|| {
                    seen.push(label);
                    seen.len() - 1
                });
                numbers.push(at as u32);
            }
        }
        numbers
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
        .with_help("write the doses themselves in a column named dose"));
    }
    let values = finite(table, column, EXPECTED)?;
    match values.iter().position(|value| *value < 0.0) {
        Some(at) => Err(table.bad_value(column, at, values[at], EXPECTED)),
        None => Ok(values),
    }
}

/// The source of numbers of divisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Divided {
    /// Given in the file.
    AsSaid,
    /// Computed from wells, with small variation between wells.
    ByWells,
}

/// The largest difference between numbers of divisions from wells of one curve.
const DIVISIONS_DIFFER: f64 = 0.5;

/// The number of divisions of each curve's control, from the column of divisions.
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
                    .with_help("if experiments divided differently, fit them separately (`--by experiment`)"))
            }
        }
    };
    curves.groups().map(of_curve).collect::<Result<Vec<f64>>>().map(Some)
}

const SAY_WHICH: &str = "set the unit of the readings: viability-percent, viability-fraction, inhibition-percent or inhibition-fraction (`--response UNIT`)";

/// The unit of the readings: as given, else by the column's name. If the name does not tell percentages from fractions,
/// the range decides.
pub(crate) fn unit_of(
    table: &RawTable,
    column: usize,
    readings: &[f64],
    given: Option<ReadingUnit>,
) -> Result<ReadingUnit> {
    let size = usual_size(readings.iter().copied());
    unit_of_size(table.label(), &table.names()[column], size, given)
}

/// The same, given the 90 % quantile of the absolute readings.
pub(crate) fn unit_of_size(
    label: &str,
    name: &str,
    size: f64,
    given: Option<ReadingUnit>,
) -> Result<ReadingUnit> {
    let place = format!("{label}: column {name:?}");
    if size.is_nan() {
        return Err(Error::data(format!("{place}: no numbers")).with_help(
            "declare the column of readings: columns = { reading = \"NAME\" } (`--column reading=NAME`)",
        ));
    }
    if size > LARGEST_PERCENT {
        return Err(raw_signal(&place, size));
    }
    let said = said_by_name(name);
    if let Some(unit) = given {
        if !unit.percent && size > SMALLEST_PERCENT {
            return Err(Error::data(format!(
                "{place}: cannot be {}: nine tenths of its readings are within ±{size}",
                unit.name()
            ))
            .with_help(SAY_WHICH));
        }
        return Ok(unit);
    }
    let Some(measured) = said.measured else {
        let error = format!("{place}: its name does not say whether it is viability or inhibition");
        return Err(Error::data(error).with_help(SAY_WHICH));
    };
    let percent = match said.scale {
        Some(Scale::Fraction) if size > SMALLEST_PERCENT => {
            return Err(Error::data(format!(
                "{place}: its name says fractions, but nine tenths of its readings are within ±{size}"
            ))
            .with_help(SAY_WHICH));
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
            return Err(Error::data(error).with_help(SAY_WHICH));
        }
    };
    Ok(ReadingUnit { inhibition: measured == Measured::Gone, percent })
}

fn raw_signal(place: &str, size: f64) -> Error {
    Error::data(format!("{place}: nine tenths of its readings are within ±{size}: these are raw signals, not percentages of a control"))
        .with_help("divide them by the mean of the untreated wells; or declare the column as raw signals: columns = { signal = \"NAME\" } (`--column signal=NAME`), with untreated wells as rows of dose 0, as rows of the drug DMSO, or as a column \"control\"")
}

/// Refuses readings whose untreated wells (dose 0) read as if all cells were dead: viability and inhibition are
/// swapped.
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
    refuse_untreated_median(table.label(), &table.names()[column], median, unit)
}

/// The same, given the median of the untreated wells.
pub(crate) fn refuse_untreated_median(label: &str, name: &str, median: f64, unit: ReadingUnit) -> Result<()> {
    let inhibition = unit.inhibition_percent(median);
    if inhibition < 50.0 {
        return Ok(());
    }
    let other = ReadingUnit { inhibition: !unit.inhibition, ..unit };
    Err(Error::data(format!(
        "{label}: column {name:?}: untreated wells (dose 0) have a median of {median}, which as {} means {inhibition:.0} % inhibition without a drug",
        unit.name()
    ))
    .with_help(format!("if the readings are the other way round, set their unit to {0} (`--response {0}`)", other.name())))
}

impl Readings {
    /// Some of the curves, by their positions.
    #[must_use]
    pub fn only(&self, curves: &[usize]) -> Self {
        let rows = || curves.iter().flat_map(|at| self.starts[*at]..self.starts[at + 1]);
        let of_rows = |values: &[f64]| rows().map(|row| values[row]).collect();
        let of_curves = |values: &Vec<f64>| curves.iter().map(|at| values[*at]).collect();
        let ends = curves.iter().scan(0, |end, at| {
            *end += self.starts[at + 1] - self.starts[*at];
            Some(*end)
        });
        Self {
            curves: curves.iter().map(|at| self.curves[*at].clone()).collect(),
            starts: std::iter::once(0).chain(ends).collect(),
            dose_um: of_rows(&self.dose_um),
            viability: of_rows(&self.viability),
            batch: self.batch.as_ref().map(|batch| rows().map(|row| batch[row]).collect()),
            divisions: self.divisions.as_ref().map(of_curves),
            time_h: self.time_h.as_ref().map(of_curves),
        }
    }

    /// Appends curves with the same optional fields.
    pub(crate) fn append(&mut self, more: &Self) {
        fn join<T: Clone>(own: &mut Option<Vec<T>>, more: Option<&Vec<T>>) {
            if let Some(more) = more {
                own.get_or_insert_default().extend_from_slice(more);
            }
        }
        let end = self.dose_um.len();
        if self.starts.is_empty() {
            self.starts.push(0);
        }
        self.starts.extend(more.starts.iter().skip(1).map(|start| end + start));
        self.curves.extend_from_slice(&more.curves);
        self.dose_um.extend_from_slice(&more.dose_um);
        self.viability.extend_from_slice(&more.viability);
        join(&mut self.batch, more.batch.as_ref());
        join(&mut self.divisions, more.divisions.as_ref());
        join(&mut self.time_h, more.time_h.as_ref());
    }

    /// The numbers of curves in which viability rises and falls with the dose, without flat curves.
    fn rising_and_falling(&self) -> [usize; 2] {
        let (mut rising, mut falling) = (0, 0);
        for curve in self.starts.windows(2) {
            let rows = curve[0]..curve[1];
            let doses = &self.dose_um[rows.clone()];
            let lowest = doses.iter().copied().fold(f64::INFINITY, f64::min);
            let highest = doses.iter().copied().fold(0.0, f64::max);
            let mean = |dose: f64| {
                let own =
                    rows.clone().filter(|row| self.dose_um[*row] == dose).map(|row| self.viability[row]);
                let (sum, count) = own.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
                sum / count
            };
            let change = mean(highest) - mean(lowest);
            rising += usize::from(change > 0.3);
            falling += usize::from(change < -0.3);
        }
        [rising, falling]
    }
}

/// A note if viability rises with the dose in most curves that change at all.
pub(crate) fn wrong_way_round_note([rising, falling]: [usize; 2]) -> Option<String> {
    (rising > 2 * falling && rising >= 2).then(|| {
        format!(
            "viability rises with the dose in {} and falls in {falling}: are the readings the other way round? ({})",
            counted(rising, "curve"),
            SAY_WHICH
        )
    })
}
