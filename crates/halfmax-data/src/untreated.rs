//! Checks whether untreated wells (dose 0) are the control of readings that are already viabilities.

use std::collections::HashMap;

use halfmax_core::Result;

use crate::note::Note;
use crate::plates::Plates;
use crate::readings::ReadingUnit;
use crate::report::counted;
use crate::spread::Spread;
use crate::table::RawTable;

/// Untreated wells that differ from the control by less than this are accepted, whatever their error.
const NEAR: f64 = 0.05;

/// The readings of the untreated wells of a table, gathered in parts.
///
/// If readings were divided by these wells, their mean is 1 by construction. The curves share the error of that mean.
/// Another mean shows that readings were divided by something else.
#[derive(Default)]
pub(crate) struct Untreated {
    all: Moments,
    readings: Spread,
    /// By plate and cell line, in order of appearance.
    places: Vec<(String, Moments)>,
    known: HashMap<String, usize>,
    by_plate: bool,
}

impl Untreated {
    /// Adds the wells of dose 0.
    pub fn add(&mut self, table: &RawTable, doses: &[f64], readings: &[f64]) -> Result<()> {
        let rows: Vec<usize> =
            (0..doses.len()).filter(|row| doses[*row] == 0.0 && !readings[*row].is_nan()).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let plates = Plates::of(table)?;
        self.by_plate |= !plates.plates.is_empty();
        for row in rows {
            let reading = readings[row];
            self.all.add(reading);
            self.readings.add(reading);
            let name = plates.named(row);
            let at = *self.known.entry(name).or_insert_with_key(|name| {
                self.places.push((name.clone(), Moments::default()));
                self.places.len() - 1
            });
            self.places[at].1.add(reading);
        }
        Ok(())
    }

    /// The median reading; `None` without untreated wells.
    pub fn median(&mut self) -> Option<f64> {
        self.readings.at(|count| count / 2)
    }

    /// Notes on the mean of the wells, and on places where it differs from the control.
    pub fn notes(&self, column: &str, unit: ReadingUnit) -> Vec<Note> {
        if self.all.count == 0 {
            return Vec::new();
        }
        let (mean, error) = self.all.viability(unit);
        let wells = counted(self.all.count, "untreated well");
        let error = if error.is_finite() { format!(" ± {error:.3}") } else { String::new() };
        let mut notes: Vec<Note> = vec![
            format!("{wells} (dose 0), mean {mean:.3}{error} of the control: they define a viability of 1 and do not count as a dose")
                .into(),
        ];
        let off: Vec<String> = self
            .places
            .iter()
            .map(|(name, moments)| (name, moments.viability(unit)))
            .filter(|(_, (mean, error))| (mean - 1.0).abs() > NEAR && (mean - 1.0).abs() > 3.0 * error)
            .map(|(name, (mean, _))| format!("{name} ({mean:.2})"))
            .collect();
        if !off.is_empty() {
            let places = counted(off.len(), if self.by_plate { "plate" } else { "cell line" });
            let note = Note::new(format!("untreated wells differ from the control in {places}: "));
            notes.push(note.names(off, 5).then(format!(
                "; these readings were divided by something else; to divide them by their untreated wells, declare the column as raw signals: columns = {{ signal = {column:?} }} (`--column signal={column:?}`)"
            )));
        }
        notes
    }
}

/// Number, mean and squared deviations of a stream of values (Welford 1962).
#[derive(Clone, Copy, Default)]
struct Moments {
    count: usize,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1;
        let before = value - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (value - self.mean);
    }

    /// The mean viability of readings in a unit, and its standard error; NaN for a single reading.
    fn viability(&self, unit: ReadingUnit) -> (f64, f64) {
        let viability = |reading: f64| 1.0 - unit.inhibition_percent(reading) / 100.0;
        let scale = (viability(1.0) - viability(0.0)).abs();
        let count = self.count as f64;
        let error = if self.count < 2 { f64::NAN } else { (self.squares / (count - 1.0) / count).sqrt() };
        (viability(self.mean), scale * error)
    }
}
