//! Readings at several times: a curve for each, or curves of growth rates.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use halfmax_core::{Error, Result};
use halfmax_data::{
    Note, OutputColumn, OutputSet, PartSize, RawTable, Role, Rows, TableWriter, TimeCourse, time_courses,
    with_viabilities, written_endings,
};
use halfmax_dose::{GrowthRate, growth_rate, growth_rate_inhibition, left_by_rates};

/// What is said of readings at several times.
#[derive(Args)]
pub struct TimeArgs {
    /// What becomes of readings at several times: "each" fits a curve to each time; "rate" one to the growth rates of wells over all times (least
    /// squares of log2 signal), and "interval" one to those between one time and the next. Rates need raw signals with untreated wells.
    #[arg(long, value_enum, value_name = "HOW")]
    times: Option<Times>,
    #[arg(
        long,
        value_name = "FILE",
        help = format!("Write the growth rate of each well, with --times rate or interval; {}", written_endings())
    )]
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

    /// The rows of what growth rates make of the wells; the rows as they are if no rates are asked for.
    ///
    /// # Errors
    /// If a file of rates is asked for without rates.
    pub fn rated(&self, rows: Box<dyn Rows>, files: &Arc<OutputSet>) -> Result<Box<dyn Rows>> {
        match (self.of_rates(), &self.rates) {
            (true, file) => Ok(Box::new(RatedRows {
                rows,
                by_interval: self.times == Some(Times::Interval),
                file: file.clone(),
                files: files.clone(),
            })),
            (false, None) => Ok(rows),
            (false, Some(path)) => {
                Err(Error::parameter("--rates", path.display(), "--times rate or --times interval beside it"))
            }
        }
    }
}

/// What growth rates make of wells that were read several times.
struct RatedRows {
    rows: Box<dyn Rows>,
    /// Whether rates are between one time and the next, and not over all times.
    by_interval: bool,
    /// Where the rates are written to, whenever the rows are read.
    file: Option<PathBuf>,
    files: Arc<OutputSet>,
}

impl Rows for RatedRows {
    /// # Errors
    /// Also if the table lacks signals, times or untreated wells, or the file of rates cannot be written.
    fn each(&self, take: &mut dyn FnMut(RawTable) -> Result<()>) -> Result<Vec<Note>> {
        let mut writer = self.file.as_deref().map(TableWriter::create).transpose()?;
        let mut label = String::new();
        let (mut courses_found, mut rates_found) = (false, false);
        let notes = self.rows.each(&mut |table| {
            table.label().clone_into(&mut label);
            let courses = time_courses(&table)?;
            let rates: Vec<Rated> = match self.by_interval {
                true => courses.wells.iter().flat_map(by_interval).collect(),
                false => courses.wells.iter().filter_map(Rated::of).collect(),
            };
            courses_found |= !courses.wells.is_empty();
            rates_found |= !rates.is_empty();
            if let Some(writer) = &mut writer {
                write(writer, &table, &rates)?;
            }
            let mut notes = courses.notes;
            notes.extend(self.notes(&rates));
            let rows: Vec<usize> = rates.iter().map(|rate| rate.row).collect();
            let (viability, divisions) = rates.iter().map(Rated::left).unzip();
            let ends = self.by_interval.then(|| rates.iter().map(|rate| rate.own.span[1]).collect());
            take(with_viabilities(&table, &rows, viability, divisions, ends, &notes)?)
        })?;
        if !courses_found {
            return Err(Error::data(format!(
                "{label}: no well has signals at two times or more that untreated wells have, too"
            ))
            .help("growth rates need several times; for one time leave --times away"));
        }
        if !rates_found {
            return Err(Error::data(format!("{label}: no well has a growth rate"))
                .help("a growth rate needs signals above 0 (less the blanks) at two times"));
        }
        writer.map(|writer| writer.finish_into(&self.files)).transpose()?;
        Ok(notes)
    }

    fn size(&self) -> PartSize {
        self.rows.size()
    }

    fn is_divided(&self) -> bool {
        self.rows.is_divided()
    }

    fn plates_are_whole(&self) -> bool {
        self.rows.plates_are_whole()
    }
}

impl RatedRows {
    fn notes(&self, rates: &[Rated]) -> Vec<Note> {
        let between = match self.by_interval {
            true => "between one time and the next (time_h is the later)",
            false => "over all times",
        };
        let mut notes = vec![Note::of(rates.len(), "growth rate").then(format!(
            " of wells {between}: viability is what a well's rate leaves of the control by the end, 2^((k - k_control) x hours), and GR is 2^(k / k_control) - 1"
        ))];
        let still = rates.iter().filter(|rate| rate.control.rate.value <= 0.0).count();
        if still > 0 {
            notes.push(
                Note::new("the control does not grow beside ")
                    .count(still, "well")
                    .then(": no growth-rate metrics there"),
            );
        }
        notes
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
fn write(writer: &mut TableWriter, table: &RawTable, rates: &[Rated]) -> Result<()> {
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
    writer.write(&columns)
}
