//! The plates of a file with their quality.

use std::sync::Arc;

use halfmax_core::{Error, Result};
use halfmax_data::{Note, PlateTables, PlateWells, RawTable, WellKind, counted, plate_wells};
use halfmax_dose::{
    Corrected, PlateFlag, PlateFormat, PlateLimits, PlateQuality, PlateWell, PositionCorrection, WellUse,
    plate_quality,
};

use super::{PlateOptions, PlateSummary};
use crate::dose::table::ResultTable;

/// A plate and its quality.
pub(super) struct JudgedPlate {
    /// The table, and the position of the plate in it.
    place: (usize, usize),
    /// The row of the file with the first well.
    first_row: usize,
    /// Plate, cell line and time, as in the file.
    names: [String; 3],
    treated: u32,
    pub quality: PlateQuality,
}

/// The plates of a file, in the order of the file.
pub(super) struct Plates {
    pub format: Option<PlateFormat>,
    pub all: Vec<JudgedPlate>,
    correction: PositionCorrection,
}

impl Plates {
    /// Judges the plates of all tables.
    pub fn new(tables: &PlateTables, limits: &PlateLimits) -> Result<Self> {
        let mut plates = Self { format: None, all: Vec::new(), correction: PositionCorrection::default() };
        for at in 0..tables.tables() {
            let table = tables.table(at)?;
            let Some(wells) = plate_wells(&table)? else { continue };
            plates.format = wells.format.map(|[rows, columns]| PlateFormat { rows, columns });
            for (own, plate) in wells.plates.iter().enumerate() {
                let kinds = plate.wells.iter().map(|row| wells.kind[*row as usize]);
                let first = plate.wells.iter().map(|row| table.row_of(*row as usize)).next();
                plates.all.push(JudgedPlate {
                    place: (at, own),
                    first_row: first.unwrap_or_default(),
                    names: [plate.plate.clone(), plate.cell_line.clone(), plate.time.clone()],
                    treated: kinds.filter(|kind| *kind == WellKind::Treated).count() as u32,
                    quality: plate_quality(&plate_wells_used(&wells, own), plates.format, limits),
                });
            }
        }
        plates.all.sort_by_key(|plate| plate.first_row);
        Ok(plates)
    }

    /// The quality of each plate.
    pub fn qualities(&self) -> impl Iterator<Item = &PlateQuality> {
        self.all.iter().map(|plate| &plate.quality)
    }

    /// The plates of one table: their positions in the list of all plates, and in the table.
    pub fn plates_in_table(&self, table: usize) -> impl Iterator<Item = (usize, usize)> {
        let own = self.all.iter().enumerate().filter(move |(_, plate)| plate.place.0 == table);
        own.map(|(at, plate)| (at, plate.place.1))
    }

    /// Whether any plate has untreated wells.
    pub fn have_controls(&self) -> bool {
        self.qualities().any(|quality| quality.negative.wells > 0)
    }

    /// The name of a plate in messages.
    pub fn name(&self, at: usize) -> String {
        let parts = self.all[at].names.iter().filter(|part| !part.is_empty());
        match parts.cloned().collect::<Vec<String>>().join(", ") {
            name if name.is_empty() => "the only plate".to_owned(),
            name => name,
        }
    }

    /// Plates with a flag.
    pub fn flagged(&self, flag: PlateFlag) -> Vec<usize> {
        (0..self.all.len()).filter(|at| self.all[*at].quality.flags.contains(&flag)).collect()
    }

    /// The failing plates.
    pub fn failed(&self) -> Vec<usize> {
        (0..self.all.len()).filter(|at| !self.all[*at].quality.passes()).collect()
    }

    /// Whether no plate passes.
    pub fn all_fail(&self) -> bool {
        self.failed().len() == self.all.len()
    }

    /// Learns from all plates which position effects to remove, and how strongly.
    pub fn learn_correction(&mut self, which: Corrected) {
        let effects: Vec<_> = self.qualities().map(|quality| quality.effects).collect();
        self.correction = PositionCorrection::learnt(&effects, which);
    }

    /// If controls cross on most plates, their labels are probably swapped.
    pub fn refuse_swapped(&self, label: &str) -> Result<()> {
        let with_positive: Vec<usize> =
            (0..self.all.len()).filter(|at| self.all[*at].quality.positive.wells > 0).collect();
        let is_swapped =
            |at: &&usize| self.all[**at].quality.positive.mean >= self.all[**at].quality.negative.mean;
        let swapped: Vec<&usize> = with_positive.iter().filter(is_swapped).collect();
        let Some(first) = swapped.first().filter(|_| 2 * swapped.len() > with_positive.len()) else {
            return Ok(());
        };
        let quality = &self.all[**first].quality;
        Err(Error::data(format!(
            "{label}: positive controls lie above the untreated wells on {}, for example on {} (means {:.4} and {:.4})",
            counted(swapped.len(), "plate"),
            self.name(**first),
            quality.positive.mean,
            quality.negative.mean
        ))
        .with_help("their labels may be swapped: correct the column of kinds of wells; or, if the signal rises as cells die, \
            give viabilities or inhibitions instead of signals"))
    }

    /// For each plate, the largest effect removed from its signals, as a fraction.
    pub fn correction_sizes(&self) -> impl Iterator<Item = f64> {
        self.qualities().map(|quality| {
            let effects = self.correction.taken_out(&quality.effects);
            effects.into_iter().map(|ln| ln.exp_m1().abs()).fold(0.0, f64::max)
        })
    }

    /// Whether any effect is removed.
    pub fn any_correction(&self) -> bool {
        self.correction_sizes().any(|size| size > 0.0)
    }

    /// The signals of a table, without the position effects.
    pub fn corrected_signals(&self, table: usize, wells: &PlateWells) -> Vec<f64> {
        let mut signals = wells.signal.to_vec();
        let Some(format) = self.format else { return signals };
        for (at, own) in self.plates_in_table(table) {
            let quality = &self.all[at].quality;
            let blank = if quality.blank.wells > 0 { quality.blank.mean } else { 0.0 };
            for row in wells.plates[own].wells.iter().map(|row| *row as usize) {
                let cells = matches!(wells.kind[row], WellKind::Treated | WellKind::Control);
                if let (true, Some(place)) = (cells, wells.place[row]) {
                    let factor = self.correction.factor(&quality.effects, format, place);
                    signals[row] = (blank + (signals[row] - blank) / factor).max(0.0);
                }
            }
        }
        signals
    }

    /// Judges the plates again after the correction. The reported effects stay as first estimated.
    pub fn judge_again(&mut self, tables: &PlateTables, limits: &PlateLimits) -> Result<()> {
        let Some(format) = self.format else { return Ok(()) };
        let mut judged = Vec::new();
        for table in 0..tables.tables() {
            let Some(mut wells) = plate_wells(&tables.table(table)?)? else { continue };
            wells.signal = Arc::new(self.corrected_signals(table, &wells));
            for (at, own) in self.plates_in_table(table) {
                let before = &self.all[at].quality;
                let mut after = plate_quality(&plate_wells_used(&wells, own), Some(format), limits);
                after.effects = before.effects;
                after.flags.retain(|flag| !flag.is_of_position());
                after.flags.extend(before.flags.iter().filter(|flag| flag.is_of_position()));
                judged.push((at, after));
            }
        }
        judged.into_iter().for_each(|(at, quality)| self.all[at].quality = quality);
        Ok(())
    }

    /// A table without the wells of failing plates.
    pub fn without_failed(&self, table_at: usize, wells: &PlateWells, table: RawTable) -> RawTable {
        let fails = |(at, own): (usize, usize)| (!self.all[at].quality.passes()).then_some(own);
        let failed: Vec<usize> = self.plates_in_table(table_at).filter_map(fails).collect();
        if failed.is_empty() {
            return table;
        }
        // The cell lines of a plate share its blanks: blanks are removed with the last cell line.
        let rows: Vec<u32> = failed
            .iter()
            .flat_map(|own| &wells.plates[*own].wells)
            .copied()
            .filter(|row| wells.kind[*row as usize] != WellKind::Blank)
            .collect();
        let note = Note::of(rows.len(), "well")
            .then(" of ")
            .count(failed.len(), "plate")
            .then(" that fail left out (drop_failed_plates)");
        table.without_rows(&rows, note)
    }

    /// The summary of the plates and the corrections.
    pub fn summary(&self, options: &PlateOptions) -> PlateSummary {
        let names = |plates: Vec<usize>| plates.into_iter().map(|at| self.name(at)).collect();
        PlateSummary {
            count: self.all.len(),
            failed: names(self.failed()),
            edge_effect: names(self.flagged(PlateFlag::EdgeEffect)),
            drift: names(self.flagged(PlateFlag::Drift)),
            failed_left_out: options.drop_failed_plates,
            corrected: options.correct.clone(),
            min_z_prime: options.min_z_prime,
            max_control_cv: options.max_control_cv,
        }
    }

    /// One row per plate.
    pub fn table(&self) -> ResultTable {
        let mut table = ResultTable::default();
        for (place, column) in ["plate", "cell_line", "time"].into_iter().enumerate() {
            let names = || self.all.iter().map(|plate| plate.names[place].as_str());
            if place == 0 || names().any(|name| !name.is_empty()) {
                table.add_texts(column, names());
            }
        }
        table.add_counts("treated_wells", self.all.iter().map(|plate| plate.treated));
        type Wells = fn(&PlateQuality) -> usize;
        let wells: [(&str, Wells); 3] = [
            ("control_wells", |quality| quality.negative.wells),
            ("positive_wells", |quality| quality.positive.wells),
            ("blank_wells", |quality| quality.blank.wells),
        ];
        for (name, count) in wells {
            table.add_counts(name, self.qualities().map(|quality| count(quality) as u32));
        }
        table.add_texts("low_control", self.qualities().map(|quality| quality.low.map_or("", WellUse::name)));
        self.add_measures(&mut table);
        let passes = |quality: &PlateQuality| if quality.passes() { "yes" } else { "no" };
        table.add_texts("passes", self.qualities().map(passes));
        let flags = |quality: &PlateQuality| {
            quality.flags.iter().map(|flag| flag.name()).collect::<Vec<&str>>().join(";")
        };
        table.add_texts("flags", self.qualities().map(flags));
        table
    }

    fn add_measures(&self, table: &mut ResultTable) {
        type Measured = fn(&PlateQuality) -> f64;
        let measures: [(&str, Measured); 19] = [
            ("control_mean", |quality| quality.negative.mean),
            ("control_sd", |quality| quality.negative.sd),
            ("control_cv", |quality| quality.control_cv),
            ("positive_mean", |quality| quality.positive.mean),
            ("positive_sd", |quality| quality.positive.sd),
            ("blank_mean", |quality| quality.blank.mean),
            ("blank_sd", |quality| quality.blank.sd),
            ("z_prime", |quality| quality.z_prime),
            ("robust_z_prime", |quality| quality.robust_z_prime),
            ("ssmd", |quality| quality.ssmd),
            ("robust_ssmd", |quality| quality.robust_ssmd),
            ("signal_window", |quality| quality.signal_window),
            ("signal_to_background", |quality| quality.signal_to_background),
            ("edge_effect", |quality| quality.effects.edge.share()),
            ("edge_p", |quality| quality.effects.edge.p),
            ("row_drift", |quality| quality.effects.rows.share()),
            ("row_p", |quality| quality.effects.rows.p),
            ("column_drift", |quality| quality.effects.columns.share()),
            ("column_p", |quality| quality.effects.columns.p),
        ];
        for (name, value) in measures {
            table.add_finite(name, self.qualities().map(value));
        }
        let taken_out = ["edge_taken_out", "row_drift_taken_out", "column_drift_taken_out"];
        for (term, name) in taken_out.into_iter().enumerate() {
            let share = |quality: &PlateQuality| self.correction.taken_out(&quality.effects)[term].exp_m1();
            table.add_numbers(name, self.qualities().map(share));
        }
    }
}

/// The wells of one plate, as input of the computations.
fn plate_wells_used(wells: &PlateWells, plate: usize) -> Vec<PlateWell> {
    let well = |row: &u32| {
        let row = *row as usize;
        let holds = match wells.kind[row] {
            WellKind::Treated => WellUse::Treated,
            WellKind::Control => WellUse::NegativeControl,
            WellKind::Positive => WellUse::PositiveControl,
            WellKind::Blank => WellUse::Blank,
            WellKind::Other => WellUse::Other,
        };
        PlateWell { holds, place: wells.place[row], signal: wells.signal[row] }
    };
    wells.plates[plate].wells.iter().map(well).collect()
}
