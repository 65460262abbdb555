//! Readings of dose–response experiments: one row per well or per mean of wells.

use std::collections::HashMap;

use halfmax_core::{Error, Result};

use crate::columns::plain;
use crate::lists;
use crate::plates::normalised;
use crate::roles::Role;
use crate::separating::Repeats;
use crate::table::{Labels, RawTable};
use crate::units::DoseFactors;

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
    /// For each curve how often its control divided, where the file has a column of that; NaN where it has no entry.
    pub divisions: Option<Vec<f64>>,
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

/// Finds the readings of a table.
///
/// # Errors
/// If a column is missing, a value is no number or cannot be a dose, no row is complete, or what the readings are is not clear.
pub fn read_readings(table: &RawTable, options: &ReadingOptions) -> Result<Readings> {
    let listed = lists::readings_in_rows(table)?;
    let table = listed.as_ref().unwrap_or(table);
    let plates = normalised(table)?;
    let table = plates.as_ref().unwrap_or(table);
    let dose_column = table.require_measure(Role::Dose)?;
    let reading_column = table.require(Role::Reading)?;
    let mut named = vec![table.require(Role::CellLine)?, table.require(Role::Drug)?];
    if options.by_experiment {
        named.push(experiment_column(table)?);
    }
    let labels: Vec<Labels> = named.iter().map(|column| table.labels(*column)).collect::<Result<_>>()?;
    let doses = doses(table, dose_column)?;
    let readings = finite(table, reading_column, "a number")?;
    let unit = unit_of(table, reading_column, &readings, options.unit)?;
    let unit_column = table.role(Role::DoseUnit);
    let units = DoseFactors::of(table, dose_column, unit_column, options.dose_factor)?;
    let mut grouping = Grouping::default();
    let (mut controls, mut incomplete) = (0, 0);
    for at in 0..table.rows() {
        let mut key = [0; 3];
        key.iter_mut().zip(&labels).for_each(|(key, column)| *key = column.of_row[at]);
        if key.contains(&Labels::MISSING) || doses[at].is_nan() || readings[at].is_nan() {
            incomplete += 1;
        } else if doses[at] == 0.0 {
            controls += 1;
        } else {
            grouping.add(key, at);
        }
    }
    let mut untreated: Vec<f64> = (0..table.rows())
        .filter(|at| doses[*at] == 0.0 && !readings[*at].is_nan())
        .map(|at| readings[at])
        .collect();
    refuse_wrong_way_round(table, reading_column, &mut untreated, unit)?;
    if grouping.keys.is_empty() {
        return Err(Error::data(format!(
            "{}: no row has a cell line, a drug, a dose above 0 and a reading",
            table.label()
        )));
    }
    let used: Vec<usize> = named
        .iter()
        .copied()
        .chain([dose_column, reading_column])
        .chain(unit_column)
        .chain(table.role(Role::Divisions))
        .collect();
    refuse_further_drugs(table, &used)?;
    let mut notes = Repeats {
        what: "curves",
        groups: grouping.rows.iter().map(Vec::as_slice).filter(|rows| rows.len() > 1).collect(),
        used: &used,
    }
    .check(table)?;
    let order: Vec<usize> = grouping.rows.iter().flatten().copied().collect();
    let mut starts = vec![0];
    starts.extend(grouping.rows.iter().scan(0, |end, rows| {
        *end += rows.len();
        Some(*end)
    }));
    let name = |key: &[u32; 3], column: usize| {
        labels.get(column).map_or_else(String::new, |own| own.names[key[column] as usize].clone())
    };
    let key_of =
        |key: &[u32; 3]| CurveKey { cell_line: name(key, 0), drug: name(key, 1), experiment: name(key, 2) };
    notes.splice(0..0, table.notes().iter().cloned());
    let mut found = Readings {
        curves: grouping.keys.iter().map(key_of).collect(),
        starts,
        dose_um: order.iter().map(|at| doses[*at] * units.factors[*at]).collect(),
        viability: order.iter().map(|at| unit.viability(readings[*at])).collect(),
        divisions: divisions(table, &grouping.rows)?,
        unit,
        dose_unit_assumed: units.assumed,
        controls,
        incomplete,
        notes,
    };
    found.notes.extend(falling(&found));
    Ok(found)
}

/// Refuses a table that has a second drug with the first, whatever its doses: readings of two drugs are no curve of one.
fn refuse_further_drugs(table: &RawTable, used: &[usize]) -> Result<()> {
    for role in [Role::DrugB, Role::DrugC, Role::DoseB, Role::DoseC] {
        let Some(column) = table.role(role).filter(|column| !used.contains(column)) else { continue };
        let labels = table.labels(column)?;
        let given = labels.names.iter().any(|name| name != "0" && !crate::plates::is_vehicle(name));
        if given && labels.names.len() > usize::from(matches!(role, Role::DoseB | Role::DoseC)) {
            let name = &table.names()[column];
            return Err(Error::data(format!(
                "{}: column {name:?} ({}) says that wells hold more than one drug, which a curve of one drug must not pool",
                table.label(),
                role.what()
            ))
            .help(format!(
                "choose the rows of one drug alone (--where {name:?}=…), score the matrix with halfmax synergy, or set the column aside on purpose (--column ignore={name:?})"
            )));
        }
    }
    Ok(())
}

/// The column that tells experiments apart: experiments, else plates, else replicates.
fn experiment_column(table: &RawTable) -> Result<usize> {
    let found =
        [Role::Experiment, Role::Plate, Role::Replicate].into_iter().find_map(|role| table.role(role));
    found.ok_or_else(|| crate::assign::no_column(table, Role::Experiment))
}

/// The rows of each curve.
#[derive(Default)]
struct Grouping {
    known: HashMap<[u32; 3], usize>,
    /// Cell line, drug and experiment (0 where curves are not told apart by it), as positions among their names.
    keys: Vec<[u32; 3]>,
    rows: Vec<Vec<usize>>,
}

impl Grouping {
    fn add(&mut self, key: [u32; 3], row: usize) {
        let at = *self.known.entry(key).or_insert(self.keys.len());
        if at == self.keys.len() {
            self.keys.push(key);
            self.rows.push(Vec::new());
        }
        self.rows[at].push(row);
    }
}

/// A column of numbers without infinite ones.
pub(crate) fn finite(table: &RawTable, column: usize, expected: &str) -> Result<Vec<f64>> {
    let values = table.numbers(column, expected)?;
    match values.iter().position(|value| value.is_infinite()) {
        Some(at) => Err(table.bad_value(column, at, values[at], expected)),
        None => Ok(values),
    }
}

pub(crate) fn doses(table: &RawTable, column: usize) -> Result<Vec<f64>> {
    const EXPECTED: &str = "a dose, 0 or more (not its logarithm)";
    let values = finite(table, column, EXPECTED)?;
    match values.iter().position(|value| *value < 0.0) {
        Some(at) => Err(table.bad_value(column, at, values[at], EXPECTED)),
        None => Ok(values),
    }
}

/// How often the control of each curve divided, by the column of that.
fn divisions(table: &RawTable, curves: &[Vec<usize>]) -> Result<Option<Vec<f64>>> {
    const EXPECTED: &str = "a number of divisions, above 0, at most 100";
    let Some(column) = table.role(Role::Divisions) else { return Ok(None) };
    let values = finite(table, column, EXPECTED)?;
    if let Some(at) = values.iter().position(|value| *value <= 0.0 || *value > 100.0) {
        return Err(table.bad_value(column, at, values[at], EXPECTED));
    }
    let of_curve = |rows: &Vec<usize>| {
        let first = values[rows[0]];
        let same = |value: f64| value == first || (value.is_nan() && first.is_nan());
        match rows.iter().find(|at| !same(values[**at])) {
            None => Ok(first),
            Some(at) => {
                let row = table.row_of(rows[0]);
                let expected = format!("{first}, as row {row} of the same curve has");
                Err(table
                    .bad_value(column, *at, values[*at], &expected)
                    .help("where experiments divided differently, fit them apart: --by experiment"))
            }
        }
    };
    curves.iter().map(of_curve).collect::<Result<Vec<f64>>>().map(Some)
}

/// The size below which nine tenths of the readings are.
fn usual_size(readings: &[f64]) -> f64 {
    let mut sizes: Vec<f64> =
        readings.iter().filter(|value| !value.is_nan()).map(|value| value.abs()).collect();
    if sizes.is_empty() {
        return f64::NAN;
    }
    let at = (sizes.len() - 1) * 9 / 10;
    *sizes.select_nth_unstable_by(at, f64::total_cmp).1
}

/// Fractions are hardly larger: twice the control.
const LARGEST_FRACTION: f64 = 2.0;
/// Percentages of a table whose drugs do anything are larger.
const SMALLEST_PERCENT: f64 = 10.0;
/// Percentages of the control are hardly larger: raw signals are.
const LARGEST_PERCENT: f64 = 500.0;

const SAY_WHICH: &str = "say which with --response viability-percent, viability-fraction, inhibition-percent or inhibition-fraction";

/// What the name of a column says of its readings: whether they are inhibitions, and whether they are percentages.
fn said_by_name(name: &str) -> (Option<bool>, Option<bool>) {
    let name = plain(name);
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let inhibition = if has(&["inhib", "mortality", "death", "killing", "deadcells"]) {
        Some(true)
    } else if has(&[
        "viab",
        "surviv",
        "growth",
        "percentcontrol",
        "ofcontrol",
        "relativecount",
        "relativecellcount",
        "cpdavgpv",
        "cpdpredpv",
        "normalizedintensity",
        "normalisedintensity",
    ]) {
        Some(false)
    } else {
        None
    };
    let percent = if has(&["percent", "pct", "%"]) || name.starts_with("perc") || name == "growth" {
        Some(true)
    } else if has(&["fraction", "proportion", "ratio", "relative"]) {
        Some(false)
    } else {
        None
    };
    (inhibition, percent)
}

/// What the readings are: as given, else by the column's name, and where that does not say whether they are percentages, by their range.
pub(crate) fn unit_of(
    table: &RawTable,
    column: usize,
    readings: &[f64],
    given: Option<ReadingUnit>,
) -> Result<ReadingUnit> {
    let place = format!("{}: column {:?}", table.label(), table.names()[column]);
    let size = usual_size(readings);
    if size > LARGEST_PERCENT {
        return Err(raw_signal(&place, size));
    }
    let (inhibition, percent) = said_by_name(&table.names()[column]);
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
    let Some(inhibition) = inhibition else {
        let error = format!("{place}: its name does not say whether it is viability or inhibition");
        return Err(Error::data(error).help(SAY_WHICH));
    };
    let percent = match percent {
        Some(false) if size > SMALLEST_PERCENT => {
            return Err(Error::data(format!(
                "{place}: its name says fractions, but nine tenths of its readings are within ±{size}"
            ))
            .help(SAY_WHICH));
        }
        Some(percent) => percent,
        None if size <= LARGEST_FRACTION => false,
        None if size >= SMALLEST_PERCENT => true,
        None => {
            let error = format!(
                "{place}: nine tenths of its readings are within ±{size}: too large for fractions, too small for percentages"
            );
            return Err(Error::data(error).help(SAY_WHICH));
        }
    };
    Ok(ReadingUnit { inhibition, percent })
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
            "viability rises with the dose in {rising} curves and falls in {falling}: are the readings the other way round? ({})",
            SAY_WHICH
        )
    })
}
