//! Readings at several times: a curve for each, or curves of growth rates.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use halfmax_core::{Error, Result};
use halfmax_data::{
    OutputColumn, RawTable, Role, TableWriter, TimeCourse, counted, time_courses, with_viabilities,
};
use halfmax_dose::{GrowthRate, growth_rate, growth_rate_inhibition, left_by_rates};

/// What is said of readings at several times.
#[derive(Args)]
pub struct TimeArgs {
    /// What becomes of readings at several times: "each" fits a curve to each time; "rate" one to the growth rates of wells over all times (least
    /// squares of log2 signal), and "interval" one to those between one time and the next. Rates need raw signals with untreated wells.
    #[arg(long, value_enum, value_name = "HOW")]
    times: Option<Times>,
    /// Write the growth rate of each well, with --times rate or interval; .parquet, .csv or .ndjson.
    #[arg(long, value_name = "FILE")]
    rates: Option<PathBuf>,
}

/// What becomes of several times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Times {
    /// A curve for each time.
    Each,
    /// Curves of growth rates over all times.
    Rate,
    /// Curves of growth rates between one time and the next.
    Interval,
}

impl TimeArgs {
    /// The file of the growth rates.
    pub fn file(&self) -> Option<&Path> {
        self.rates.as_deref()
    }

    /// Whether each time (or interval) has a curve of its own.
    pub fn apart(&self) -> bool {
        matches!(self.times, Some(Times::Each | Times::Interval))
    }

    /// Whether readings are made from growth rates.
    pub fn of_rates(&self) -> bool {
        matches!(self.times, Some(Times::Rate | Times::Interval))
    }

    /// The table of what growth rates make of the wells; the table as it is if no rates are asked for.
    ///
    /// # Errors
    /// If the table lacks signals, times or untreated wells, or the file of rates cannot be written.
    pub fn rated(&self, table: RawTable) -> Result<RawTable> {
        if !self.of_rates() {
            return match &self.rates {
                None => Ok(table),
                Some(path) => Err(Error::parameter(
                    "--rates",
                    path.display(),
                    "--times rate or --times interval beside it",
                )),
            };
        }
        let courses = time_courses(&table)?;
        let rates: Vec<Rated> = match self.times {
            Some(Times::Interval) => courses.wells.iter().flat_map(by_interval).collect(),
            _ => courses.wells.iter().filter_map(Rated::of).collect(),
        };
        if rates.is_empty() {
            return Err(Error::data(format!("{}: no well has a growth rate", table.label()))
                .help("a growth rate needs signals above 0 (less the blanks) at two times"));
        }
        if let Some(path) = &self.rates {
            write(path, &table, &rates)?;
        }
        let mut notes = courses.notes;
        notes.push(self.note(&rates));
        let rows: Vec<usize> = rates.iter().map(|rate| rate.row).collect();
        let (viability, divisions) = rates.iter().map(Rated::left).unzip();
        let ends = self.apart().then(|| rates.iter().map(|rate| rate.own.span[1]).collect());
        with_viabilities(&table, &rows, viability, divisions, ends, &notes)
    }

    fn note(&self, rates: &[Rated]) -> String {
        let still = rates.iter().filter(|rate| rate.control.rate.value <= 0.0).count();
        let between = match self.times {
            Some(Times::Interval) => "between one time and the next (time_h is the later)",
            _ => "over all times",
        };
        let mut note = format!(
            "{} of wells {between}: viability is what a well's rate leaves of the control by the end, 2^((k - k_control) x hours), and GR is 2^(k / k_control) - 1",
            counted(rates.len(), "growth rate")
        );
        if still > 0 {
            note += &format!("; the control does not grow beside {still}: no growth-rate metrics there");
        }
        note
    }
}

/// The growth rate of a well beside that of the untreated wells.
struct Rated {
    row: usize,
    own: GrowthRate,
    control: GrowthRate,
}

impl Rated {
    fn of(course: &TimeCourse) -> Option<Self> {
        let own = growth_rate(&course.hours, &course.signals)?;
        Some(Self { row: course.last_row, own, control: growth_rate(&course.hours, &course.controls)? })
    }

    fn left(&self) -> (f64, f64) {
        let [first, last] = self.own.span;
        left_by_rates(self.own.rate.value, self.control.rate.value, last - first)
    }
}

fn by_interval(course: &TimeCourse) -> Vec<Rated> {
    let step = |at: usize| {
        let part = |list: &[f64]| list.get(at..at + 2).map(<[f64]>::to_vec).unwrap_or_default();
        Rated::of(&TimeCourse {
            last_row: course.last_row,
            hours: part(&course.hours),
            signals: part(&course.signals),
            controls: part(&course.controls),
        })
    };
    (0..course.hours.len().saturating_sub(1)).filter_map(step).collect()
}

/// Writes one row per well (and interval).
fn write(path: &Path, table: &RawTable, rates: &[Rated]) -> Result<()> {
    let names = [
        ("plate", Role::Plate),
        ("experiment", Role::Experiment),
        ("well", Role::Well),
        ("replicate", Role::Replicate),
        ("cell_line", Role::CellLine),
        ("drug", Role::Drug),
        ("dose", Role::Dose),
        ("dose_unit", Role::DoseUnit),
    ];
    let texts: Vec<(&str, Vec<String>)> = names
        .into_iter()
        .filter(|(_, role)| table.role(*role).is_some())
        .map(|(name, role)| {
            (name, rates.iter().map(|rate| table.text_of(role, rate.row).unwrap_or_default()).collect())
        })
        .collect();
    let texts: Vec<(&str, Vec<&str>)> =
        texts.iter().map(|(name, values)| (*name, values.iter().map(String::as_str).collect())).collect();
    let finite = |value: f64| if value.is_finite() { value } else { f64::NAN };
    let number =
        |of: &dyn Fn(&Rated) -> f64| -> Vec<f64> { rates.iter().map(|rate| finite(of(rate))).collect() };
    let numbers = [
        ("from_h", number(&|rate| rate.own.span[0])),
        ("to_h", number(&|rate| rate.own.span[1])),
        ("divisions_per_day", number(&|rate| 24.0 * rate.own.rate.value)),
        ("divisions_per_day_lower", number(&|rate| 24.0 * rate.own.rate.lower)),
        ("divisions_per_day_upper", number(&|rate| 24.0 * rate.own.rate.upper)),
        ("divisions_per_day_se", number(&|rate| 24.0 * rate.own.rate.standard_error)),
        ("control_divisions_per_day", number(&|rate| 24.0 * rate.control.rate.value)),
        ("control_divisions_per_day_se", number(&|rate| 24.0 * rate.control.rate.standard_error)),
        ("gr", number(&|rate| growth_rate_inhibition(rate.own.rate.value, rate.control.rate.value))),
    ];
    let readings: Vec<u32> = rates.iter().map(|rate| rate.own.readings as u32).collect();
    let mut columns: Vec<(&str, OutputColumn)> =
        texts.iter().map(|(name, values)| (*name, OutputColumn::Text(values))).collect();
    columns.push(("times", OutputColumn::U32(&readings)));
    columns.extend(numbers.iter().map(|(name, values)| (*name, OutputColumn::F64(values))));
    let mut writer = TableWriter::create(path)?;
    writer.write(&columns)?;
    writer.finish()
}
