//! Readings at several times: a curve for each time, or curves of growth rates.

use std::cell::RefCell;

use halfmax_core::{Error, Result};
use halfmax_data::{
    Note, OutputSet, PartSize, RawTable, Role, Rows, TimeCourse, time_courses, with_viabilities,
};
use halfmax_dose::{GrowthRate, growth_rate, growth_rate_inhibition, left_by_rates};

use super::table::{ResultTable, TableOutput};

/// The treatment of readings at several times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// A curve for each time.
    Each,
    /// Curves of the growth rates of wells over all times (least squares of log2 signal).
    Rate,
    /// Curves of the growth rates of wells between one time and the next.
    Interval,
}

impl Times {
    /// Whether each time (or interval) has its own curve.
    pub(super) fn are_apart(self) -> bool {
        matches!(self, Self::Each | Self::Interval)
    }

    /// The span of the growth rates; `None` if readings are used directly.
    pub(super) fn span(self) -> Option<RateSpan> {
        match self {
            Self::Each => None,
            Self::Rate => Some(RateSpan::AllTimes),
            Self::Interval => Some(RateSpan::Intervals),
        }
    }
}

/// The span over which growth rates are estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RateSpan {
    /// All times.
    AllTimes,
    /// From one time to the next.
    Intervals,
}

/// Growth rates of wells that were read several times. The table of rates is filled while the rows are read.
pub(super) struct RatedRows {
    rows: Box<dyn Rows>,
    span: RateSpan,
    table: RefCell<Option<TableOutput>>,
}

impl RatedRows {
    /// Rows with readings derived from growth rates. If there is a `table`, the rates are added to it.
    pub fn new(rows: Box<dyn Rows>, span: RateSpan, table: Option<TableOutput>) -> Self {
        Self { rows, span, table: RefCell::new(table) }
    }

    /// Completes the table of rates.
    ///
    /// # Errors
    /// If the file of the table cannot be written.
    pub fn finish(self, files: &OutputSet) -> Result<Option<ResultTable>> {
        let table = self.table.into_inner();
        table.map(|table| table.finish(files)).transpose().map(Option::flatten)
    }

    fn rates(&self, courses: &[TimeCourse]) -> Vec<WellRate> {
        match self.span {
            RateSpan::AllTimes => courses.iter().filter_map(WellRate::over_all_times).collect(),
            RateSpan::Intervals => courses.iter().flat_map(WellRate::by_interval).collect(),
        }
    }

    fn notes(&self, rates: &[WellRate]) -> Vec<Note> {
        let between = match self.span {
            RateSpan::Intervals => "between one time and the next (time_h is the later)",
            RateSpan::AllTimes => "over all times",
        };
        let mut notes = vec![Note::of(rates.len(), "growth rate").then(format!(
            " of wells {between}: viability is 2^((k - k_control) x hours), the share of the control at the end; GR is 2^(k / \
             k_control) - 1"
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

impl Rows for RatedRows {
    /// # Errors
    /// If the table lacks signals, times or untreated wells, or the file of rates cannot be written.
    fn each(&self, take: &mut dyn FnMut(RawTable) -> Result<()>) -> Result<Vec<Note>> {
        let mut label = String::new();
        let (mut courses_found, mut rates_found) = (false, false);
        let notes = self.rows.each(&mut |table| {
            table.label().clone_into(&mut label);
            let courses = time_courses(&table)?;
            let rates = self.rates(&courses.wells);
            courses_found |= !courses.wells.is_empty();
            rates_found |= !rates.is_empty();
            if let Some(sink) = &mut *self.table.borrow_mut() {
                sink.add(rate_table(&table, &rates))?;
            }
            let mut notes = courses.notes;
            notes.extend(self.notes(&rates));
            let rows: Vec<usize> = rates.iter().map(|rate| rate.row).collect();
            let (viability, divisions) = rates.iter().map(WellRate::left).unzip();
            let ends = (self.span == RateSpan::Intervals)
                .then(|| rates.iter().map(|rate| rate.own.span[1]).collect());
            take(with_viabilities(&table, &rows, viability, divisions, ends, &notes)?)
        })?;
        if !courses_found {
            return Err(Error::data(format!(
                "{label}: no well has signals at two or more times at which untreated wells have signals"
            ))
            .with_help("growth rates need several times; fit curves of one time without growth rates"));
        }
        if !rates_found {
            return Err(Error::data(format!("{label}: no well has a growth rate"))
                .with_help("a growth rate needs signals above 0 (less the blanks) at two times"));
        }
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

/// The growth rate of a well and that of the untreated wells.
struct WellRate {
    row: usize,
    own: GrowthRate,
    control: GrowthRate,
}

impl WellRate {
    /// The rate over all times of a well.
    fn over_all_times(course: &TimeCourse) -> Option<Self> {
        let own = growth_rate(&course.hours, &course.signals)?;
        Some(Self { row: course.last_row, own, control: growth_rate(&course.hours, &course.controls)? })
    }

    /// The rates between one time of a well and the next.
    fn by_interval(course: &TimeCourse) -> Vec<Self> {
        let interval = |at: usize| {
            let part = |list: &[f64]| list.get(at..at + 2).map(<[f64]>::to_vec).unwrap_or_default();
            Self::over_all_times(&TimeCourse {
                last_row: course.last_row,
                hours: part(&course.hours),
                signals: part(&course.signals),
                controls: part(&course.controls),
            })
        };
        (0..course.hours.len().saturating_sub(1)).filter_map(interval).collect()
    }

    /// The viability that follows from the rate, and the divisions of the control.
    fn left(&self) -> (f64, f64) {
        let [first, last] = self.own.span;
        left_by_rates(self.own.rate.value, self.control.rate.value, last - first)
    }
}

/// The columns that identify a row, if the table of readings has them.
const NAMES: [(&str, Role); 8] = [
    ("plate", Role::Plate),
    ("experiment", Role::Experiment),
    ("well", Role::Well),
    ("replicate", Role::Replicate),
    ("cell_line", Role::CellLine),
    ("drug", Role::Drug),
    ("dose", Role::Dose),
    ("dose_unit", Role::DoseUnit),
];

/// One row per well (and interval).
fn rate_table(readings: &RawTable, rates: &[WellRate]) -> ResultTable {
    let mut table = ResultTable::default();
    for (name, role) in NAMES.into_iter().filter(|(_, role)| readings.role(*role).is_some()) {
        table.add_texts(name, rates.iter().map(|rate| readings.text_of(role, rate.row).unwrap_or_default()));
    }
    table.add_counts("times", rates.iter().map(|rate| rate.own.readings as u32));
    type Value = fn(&WellRate) -> f64;
    let numbers: [(&str, Value); 9] = [
        ("from_h", |rate| rate.own.span[0]),
        ("to_h", |rate| rate.own.span[1]),
        ("divisions_per_day", |rate| 24.0 * rate.own.rate.value),
        ("divisions_per_day_lower", |rate| 24.0 * rate.own.rate.lower),
        ("divisions_per_day_upper", |rate| 24.0 * rate.own.rate.upper),
        ("divisions_per_day_se", |rate| 24.0 * rate.own.rate.standard_error),
        ("control_divisions_per_day", |rate| 24.0 * rate.control.rate.value),
        ("control_divisions_per_day_se", |rate| 24.0 * rate.control.rate.standard_error),
        ("gr", |rate| growth_rate_inhibition(rate.own.rate.value, rate.control.rate.value)),
    ];
    for (name, value) in numbers {
        table.add_finite(name, rates.iter().map(value));
    }
    table
}
