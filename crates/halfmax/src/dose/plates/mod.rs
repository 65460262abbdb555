//! The quality of raw plates: judged, written, named, and mended on request, before signals are divided by their controls.

mod cards;
mod mended;
mod quality;
mod words;

use halfmax_core::{Error, Progress, Result};
use halfmax_data::{OutputSet, PlateTables, Rows, TableParts};
use halfmax_dose::{Corrected, PlateLimits};
use serde::Serialize;

use super::table::{ResultTable, TableSink};
use crate::report::PlateCards;

use mended::MendedRows;
use quality::Plates;

/// An effect of the position on a plate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionEffectKind {
    /// Of the outer rows and columns.
    Edge,
    /// From the first row or column to the last.
    Drift,
}

/// How the plates of raw signals are judged, and what becomes of what is found. Tables of viabilities or inhibitions have none.
#[derive(Clone, Debug, PartialEq)]
pub struct PlateOptions {
    /// The effects of the position that are taken out of signals, as far as the untreated wells of a plate show them.
    pub correct: Vec<PositionEffectKind>,
    /// Leave out plates that fail: without controls, with controls that cross, or beyond one of the limits.
    pub drop_failed_plates: bool,
    /// The lowest Z′ of a plate that passes.
    pub min_z_prime: f64,
    /// The highest coefficient of variation of the untreated wells of a plate that passes, as a fraction.
    pub max_control_cv: f64,
}

impl Default for PlateOptions {
    fn default() -> Self {
        let limits = PlateLimits::default();
        Self {
            correct: Vec::new(),
            drop_failed_plates: false,
            min_z_prime: limits.z_prime,
            max_control_cv: limits.control_cv,
        }
    }
}

impl PlateOptions {
    /// Checks the numbers.
    ///
    /// # Errors
    /// If one is out of its range.
    pub(super) fn check(&self) -> Result<()> {
        if self.min_z_prime.is_nan() || self.min_z_prime > 1.0 {
            return Err(Error::parameter("min_z_prime", self.min_z_prime, "a number, at most 1"));
        }
        if self.max_control_cv.is_nan() || self.max_control_cv <= 0.0 {
            return Err(Error::parameter("max_control_cv", self.max_control_cv, "a number above 0"));
        }
        Ok(())
    }

    fn limits(&self) -> PlateLimits {
        PlateLimits { z_prime: self.min_z_prime, control_cv: self.max_control_cv, ..PlateLimits::default() }
    }

    fn corrected(&self) -> Corrected {
        Corrected {
            edge: self.correct.contains(&PositionEffectKind::Edge),
            drift: self.correct.contains(&PositionEffectKind::Drift),
        }
    }
}

/// What was found on the plates of a table of raw signals, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PlateSummary {
    /// The number of plates.
    pub count: usize,
    /// The names of those that fail.
    pub failed: Vec<String>,
    /// The names of those with an effect of the edge.
    pub edge_effect: Vec<String>,
    /// The names of those with a drift.
    pub drift: Vec<String>,
    /// Whether plates that fail were left out.
    pub failed_left_out: bool,
    /// The effects that were to be taken out of signals.
    pub corrected: Vec<PositionEffectKind>,
    /// The lowest Z′ of a plate that passes.
    pub min_z_prime: f64,
    /// The highest coefficient of variation of the untreated wells of a plate that passes.
    pub max_control_cv: f64,
}

/// Where what is found on plates goes.
pub(super) struct PlateDestination<'a> {
    /// The table of the quality of plates.
    pub table: Option<TableSink>,
    /// How many plates are drawn.
    pub cards: CardsWanted,
    pub files: &'a OutputSet,
}

/// Whether plates are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CardsWanted {
    Drawn,
    LeftOut,
}

/// Rows whose plates were judged, and what was found.
pub(super) struct JudgedRows {
    /// The rows, with what was asked for done.
    pub rows: Box<dyn Rows>,
    /// What was found; none of tables without raw signals.
    pub summary: Option<PlateSummary>,
    /// Pictures of the plates as they were read.
    pub cards: PlateCards,
    /// One row per plate, where it stays in memory.
    pub table: Option<ResultTable>,
}

impl JudgedRows {
    fn unjudged(rows: Box<dyn Rows>) -> Self {
        Self { rows, summary: None, cards: PlateCards::default(), table: None }
    }
}

/// Judges the plates of a table of raw signals, and draws them where that is wanted. Other tables stay as they are.
///
/// # Errors
/// If the table has no raw signals though they are needed, most plates have controls that cross, all plates fail and are to be left out, or
/// the file of plates cannot be written.
pub(super) fn judge_plates(
    parts: TableParts,
    options: &PlateOptions,
    to: PlateDestination,
    progress: &dyn Progress,
) -> Result<JudgedRows> {
    let wants_file = to.table.as_ref().is_some_and(TableSink::is_file);
    let needs_plates = wants_file || !options.correct.is_empty() || options.drop_failed_plates;
    let label = parts.sample()?.label().to_owned();
    let Some(tables) = PlateTables::of(&parts)? else {
        return if needs_plates {
            Err(no_controls(&label))
        } else {
            Ok(JudgedRows::unjudged(Box::new(parts)))
        };
    };
    drop(parts);
    let limits = options.limits();
    let mut plates = Plates::new(&tables, &limits)?;
    if !plates.have_controls() {
        let rows = Box::new(MendedRows::unchanged(tables));
        return if needs_plates { Err(no_controls(&label)) } else { Ok(JudgedRows::unjudged(rows)) };
    }
    plates.refuse_swapped(&label)?;
    let corrected = options.corrected();
    plates.learn_correction(corrected);
    let cards = match to.cards {
        CardsWanted::Drawn => plates.cards(&tables)?,
        CardsWanted::LeftOut => PlateCards::default(),
    };
    if corrected != Corrected::default() {
        plates.judge_again(&tables, &limits)?;
    }
    let table = to.table.map(|sink| written(&plates, sink, to.files)).transpose()?.flatten();
    let asked = if wants_file { words::Asked::ForPlates } else { words::Asked::ForCurves };
    plates.notes(options, asked).iter().for_each(|note| progress.note(&format!("{label}: {note}")));
    if options.drop_failed_plates && plates.all_fail() {
        return Err(none_left(&label));
    }
    let summary = Some(plates.summary(options));
    let rows = Box::new(MendedRows::new(tables, plates, options));
    Ok(JudgedRows { rows, summary, cards, table })
}

/// Writes one row per plate; a table that stays in memory is given back.
fn written(plates: &Plates, mut sink: TableSink, files: &OutputSet) -> Result<Option<ResultTable>> {
    sink.add(plates.table())?;
    sink.finish(files)
}

fn none_left(label: &str) -> Error {
    Error::data(format!("{label}: every plate fails, so none is left")).with_help(
        "the table of plates lists the reasons; set other limits (min_z_prime, max_control_cv), or keep plates that fail",
    )
}

fn no_controls(label: &str) -> Error {
    Error::data(format!("{label}: has no untreated wells with raw signals, so plates cannot be judged")).with_help(
        "plates, correct and drop_failed_plates need raw signals (a column of luminescence, intensity, counts) with the untreated wells as rows of the same table",
    )
}
