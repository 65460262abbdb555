//! Time courses of wells that were read several times, with the course of the untreated wells.

use std::collections::BTreeMap;

use halfmax_core::{Error, Result};

use crate::note::Note;
use crate::plates::{Plates, Well, built, kinds_of_wells, signal_column, times};
use crate::roles::{Role, words};
use crate::table::{Labels, RawTable};

/// The time course of the signals of one treated well, or of wells of one plate, drug and dose that no column
/// distinguishes.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeCourse {
    /// The row of its last reading, as a position in the table.
    pub last_row: usize,
    /// Hours, ascending and distinct.
    pub hours: Vec<f64>,
    /// Signals minus the mean blank. Several readings at one time are averaged geometrically.
    pub signals: Vec<f64>,
    /// Signals of the untreated wells of its plate and cell line at these times, computed in the same way.
    pub controls: Vec<f64>,
}

/// The courses of a table.
#[derive(Clone, Debug)]
pub struct TimeCourses {
    /// The treated wells.
    pub wells: Vec<TimeCourse>,
    /// Notes on the courses.
    pub notes: Vec<Note>,
}

/// The factor that converts a time to hours, by the column's name (hours if not stated), and whether the name states a
/// unit.
pub(crate) fn hours_in(name: &str) -> (f64, bool) {
    let words = words(name);
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    match () {
        () if has(&["h", "hr", "hrs", "hour", "hours"]) => (1.0, true),
        () if has(&["d", "day", "days"]) => (24.0, true),
        () if has(&["min", "mins", "minute", "minutes"]) => (1.0 / 60.0, true),
        () => (1.0, false),
    }
}

/// The sum and the number of log2 signals.
type Logs = (f64, usize);

/// Log2 signals by time.
type Course = BTreeMap<u64, Logs>;

/// The courses of the wells of a table of raw signals.
///
/// # Errors
/// If the table has no raw signals, no numeric column of times, or a plate without untreated wells. The error names the
/// plate.
pub fn time_courses(table: &RawTable) -> Result<TimeCourses> {
    let place = table.label();
    let column = signal_column(table).ok_or_else(|| {
        Error::data(format!("{place}: no raw signals to compute growth rates from"))
            .with_help("use signals (cell counts, luminescence, confluence) with untreated wells; for viabilities, fit each time separately (`--times each`)")
    })?;
    let time = table.require(Role::Time)?;
    let (factor, said) = hours_in(&table.names()[time]);
    table.numbers(time, "a time as a number")?;
    let hours: Vec<f64> = times(table)?.iter().map(|time| time * factor).collect();
    let signals = crate::readings::finite(table, column, "a signal, 0 or more")?;
    let kinds = kinds_of_wells(table)?;
    let plates = Plates::of(table)?;
    let blanks = blanks(&plates, &kinds, &signals, &hours);
    let mut notes = Vec::new();
    if !said {
        notes.push(format!("{:?} states no unit: read as hours", table.names()[time]).into());
    }
    let mut lost = 0;
    let mut log = |row: usize| {
        let blank = blanks.of(plates.plate_of_row[row], hours[row]);
        let signal = signals[row] - blank;
        let known = signal > 0.0 && hours[row].is_finite();
        lost += usize::from(!known && !signals[row].is_nan());
        known.then(|| signal.log2())
    };
    let mut controls: BTreeMap<(usize, Option<usize>), Course> = BTreeMap::new();
    let mut treated: BTreeMap<Vec<u32>, (usize, Course)> = BTreeMap::new();
    let keys = Keys::of(table)?;
    for row in 0..table.rows() {
        let place = (plates.plate_of_row[row], plates.line_of_row[row]);
        let course = match kinds[row] {
            Well::Control { .. } => controls.entry(place).or_default(),
            Well::Treated => {
                let (last, course) = treated.entry(keys.of_row(row)).or_insert((row, Course::new()));
                if hours[row] >= hours[*last] {
                    *last = row;
                }
                course
            }
            _ => continue,
        };
        if let Some(log) = log(row) {
            let sum = course.entry(hours[row].to_bits()).or_default();
            *sum = (sum.0 + log, sum.1 + 1);
        }
    }
    let mut wells = Vec::new();
    let mut started = 0;
    for (last, course) in treated.into_values() {
        let place = (plates.plate_of_row[last], plates.line_of_row[last]);
        let control = controls.get(&place).or_else(|| controls.get(&(place.0, None))).ok_or_else(|| {
            Error::data(format!(
                "{}: {} {}: no untreated wells to compare its growth with",
                table.label(),
                plates.what,
                plates.named(last)
            ))
            .with_help(
                "mark them as control in a column of well kinds, or as rows of the drug DMSO or of dose 0",
            )
        })?;
        let (course, begun) = begun_with(course, control);
        started += usize::from(begun);
        wells.extend(beside(last, &course, control));
    }
    if lost > 0 {
        notes.push(
            Note::of(lost, "signal")
                .then(" not above the blanks have no logarithm and are not used for growth"),
        );
    }
    if started > 0 {
        notes.push(Note::of(started, "well").then(
            " start with the signal of the untreated wells at the first time, when the drug was given",
        ));
    }
    wells.sort_by_key(|well| well.last_row);
    Ok(TimeCourses { wells, notes })
}

/// Adds the first time of the untreated wells to a course that lacks it, because all wells are alike when the drug is
/// given.
fn begun_with(mut course: Course, control: &Course) -> (Course, bool) {
    let first = control.iter().min_by(|a, b| hours_of(a.0).total_cmp(&hours_of(b.0)));
    let Some((time, logs)) = first.filter(|(time, _)| hours_of(time) == 0.0 && !course.contains_key(time))
    else {
        return (course, false);
    };
    course.insert(*time, (logs.0 / logs.1 as f64, 1));
    (course, true)
}

fn hours_of(bits: &u64) -> f64 {
    f64::from_bits(*bits)
}

/// The course of a well at the times that the untreated wells also have; `None` with fewer than two times.
fn beside(last_row: usize, course: &Course, control: &Course) -> Option<TimeCourse> {
    let mean = |logs: &Logs| (logs.0 / logs.1 as f64).exp2();
    let mut shared: Vec<[f64; 3]> = course
        .iter()
        .filter_map(|(time, logs)| Some([hours_of(time), mean(logs), mean(control.get(time)?)]))
        .collect();
    shared.sort_unstable_by(|a, b| a[0].total_cmp(&b[0]));
    let column = |at: usize| shared.iter().map(|point| point[at]).collect();
    let (hours, signals, controls) = (column(0), column(1), column(2));
    (shared.len() >= 2).then_some(TimeCourse { last_row, hours, signals, controls })
}

/// The mean signals of blanks, by plate and time, and by plate.
struct Blanks {
    by_time: BTreeMap<(usize, u64), (f64, usize)>,
    by_plate: BTreeMap<usize, (f64, usize)>,
}

impl Blanks {
    fn of(&self, plate: usize, hours: f64) -> f64 {
        let own = self.by_time.get(&(plate, hours.to_bits())).or_else(|| self.by_plate.get(&plate));
        own.map_or(0.0, |(sum, count)| sum / *count as f64)
    }
}

fn blanks(plates: &Plates, kinds: &[Well], signals: &[f64], hours: &[f64]) -> Blanks {
    let mut blanks = Blanks { by_time: BTreeMap::new(), by_plate: BTreeMap::new() };
    for row in (0..kinds.len()).filter(|row| kinds[*row] == Well::Blank && !signals[*row].is_nan()) {
        let plate = plates.plate_of_row[row];
        for sum in [
            blanks.by_time.entry((plate, hours[row].to_bits())).or_default(),
            blanks.by_plate.entry(plate).or_default(),
        ] {
            *sum = (sum.0 + signals[row], sum.1 + 1);
        }
    }
    blanks
}

/// The labels that distinguish wells.
struct Keys(Vec<std::sync::Arc<Labels>>);

impl Keys {
    /// Plate, cell line, drug and dose, and, if they exist, experiment, replicate and well.
    fn of(table: &RawTable) -> Result<Self> {
        let roles = [
            Role::Plate,
            Role::Experiment,
            Role::CellLine,
            Role::Drug,
            Role::DrugA,
            Role::Dose,
            Role::DoseA,
            Role::DoseUnit,
            Role::Replicate,
            Role::Well,
            Role::WellRow,
            Role::WellColumn,
        ];
        let columns = roles.into_iter().filter_map(|role| table.role(role));
        columns.map(|column| table.labels(column)).collect::<Result<_>>().map(Self)
    }

    fn of_row(&self, row: usize) -> Vec<u32> {
        self.0.iter().map(|labels| labels.of_row[row]).collect()
    }
}

/// A table with viabilities and numbers of divisions of the control, one row per entry of `rows` (positions in the
/// table). The column of times is removed unless `times` are given, in hours.
///
/// # Errors
/// If two columns of the table share a name but hold different values.
pub fn with_viabilities(
    table: &RawTable,
    rows: &[usize],
    viability: Vec<f64>,
    divisions: Vec<f64>,
    times: Option<Vec<f64>>,
    notes: &[Note],
) -> Result<RawTable> {
    let time = table.role(Role::Time).map(|column| table.names()[column].clone());
    let all = table.notes.iter().chain(notes).cloned().collect();
    let mut made = built(table, rows, viability, divisions, all)?;
    let Some(column) = time.and_then(|name| made.position_of(&name)) else { return Ok(made) };
    match times {
        None => made.ignored.push(column),
        Some(times) => {
            let (factor, _) = hours_in(&made.names()[column]);
            let times = times.into_iter().map(|hours| hours / factor).collect();
            made.columns[column].values = crate::table::Values::numbers(times);
        }
    }
    made.candidates = std::sync::OnceLock::new();
    Ok(made)
}
