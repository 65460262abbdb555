//! Readings of dose–response experiments: one row per well or per mean of wells.

use std::collections::HashMap;

use halfmax_core::{Error, Result, listed};

use crate::columns::{CELL_LINE, DIVISIONS, DOSE, DOSE_UNIT, DRUG, EXPERIMENT, READING, plain};
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
}

/// Finds the readings of a table.
///
/// # Errors
/// If a column is missing, a value is no number or cannot be a dose, no row is complete, or what the readings are is not clear.
pub fn read_readings(table: &RawTable, options: &ReadingOptions) -> Result<Readings> {
    let column = |what: &str, names: &[&str]| find(table, what, names);
    let dose_column = column("doses", &DOSE)?;
    let reading_column = column("readings", &READING)?;
    let mut labels =
        vec![table.labels(column("cell lines", &CELL_LINE)?)?, table.labels(column("drugs", &DRUG)?)?];
    if options.by_experiment {
        labels.push(table.labels(column("experiments", &EXPERIMENT)?)?);
    }
    let doses = doses(table, dose_column)?;
    let readings = finite(table, reading_column, "a number")?;
    let unit = unit_of(table, reading_column, &readings, options.unit)?;
    let units = DoseFactors::of(table, dose_column, table.find(&DOSE_UNIT), options.dose_factor)?;
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
    if grouping.keys.is_empty() {
        return Err(Error::data(format!(
            "{}: no row has a cell line, a drug, a dose above 0 and a reading",
            table.label()
        )));
    }
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
    Ok(Readings {
        curves: grouping.keys.iter().map(key_of).collect(),
        starts,
        dose_um: order.iter().map(|at| doses[*at] * units.factors[*at]).collect(),
        viability: order.iter().map(|at| unit.viability(readings[*at])).collect(),
        divisions: divisions(table, &grouping.rows)?,
        unit,
        dose_unit_assumed: units.assumed,
        controls,
        incomplete,
    })
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

pub(crate) fn find(table: &RawTable, what: &str, names: &[&str]) -> Result<usize> {
    table.find(names).ok_or_else(|| {
        Error::data(format!("{}: has no column of {what}", table.label())).help(format!(
            "it has the columns {}; one named {} is expected",
            listed(table.names(), 8),
            names.join(", ")
        ))
    })
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
    let Some(column) = table.find(&DIVISIONS) else { return Ok(None) };
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

/// What the readings are: as given, if that can be, or by the column's name and range.
pub(crate) fn unit_of(
    table: &RawTable,
    column: usize,
    readings: &[f64],
    given: Option<ReadingUnit>,
) -> Result<ReadingUnit> {
    let place = format!("{}: column {:?}", table.label(), table.names()[column]);
    let size = usual_size(readings);
    let help = "say which with --response viability-percent, viability-fraction, inhibition-percent or inhibition-fraction";
    if let Some(unit) = given {
        let percent = !unit.percent && size > SMALLEST_PERCENT;
        let fraction = unit.percent && !unit.inhibition && size <= LARGEST_FRACTION;
        if percent || fraction {
            return Err(Error::data(format!(
                "{place}: cannot be {}: nine tenths of its readings are within ±{size}",
                unit.name()
            ))
            .help(help));
        }
        return Ok(unit);
    }
    let name = plain(&table.names()[column]);
    let inhibition = match (name.contains("inhib"), name.contains("viab")) {
        (true, false) => true,
        (false, true) => false,
        _ => {
            let error = format!("{place}: its name does not say whether it is viability or inhibition");
            return Err(Error::data(error).help(help));
        }
    };
    let percent = if size <= LARGEST_FRACTION {
        false
    } else if size >= SMALLEST_PERCENT {
        true
    } else {
        let error = format!(
            "{place}: nine tenths of its readings are within ±{size}: too large for fractions, too small for percentages"
        );
        return Err(Error::data(error).help(help));
    };
    Ok(ReadingUnit { inhibition, percent })
}
