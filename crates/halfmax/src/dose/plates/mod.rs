//! The quality of raw plates: computes, writes and reports it, and corrects plates on request, before signals are divided by their controls.

mod cards;
mod mended;
mod quality;
mod words;

use halfmax_core::{Error, Progress, Result};
use halfmax_data::{OutputSet, PlateTables, Rows, TableParts};
use halfmax_dose::{Corrected, PlateLimits};
use serde::Serialize;

use super::table::{ResultTable, TableOutput};
use crate::report::PlateCards;

use mended::MendedRows;
use quality::Plates;

/// An effect of the position on a plate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionEffectKind {
    /// An effect on the outer rows and columns.
    Edge,
    /// A drift from the first row or column to the last.
    Drift,
}

/// The limits for plates of raw signals, and the corrections. Tables of viabilities or inhibitions have no plates.
#[derive(Clone, Debug, PartialEq)]
pub struct PlateOptions {
    /// The position effects to remove from signals. The untreated wells of a plate determine each effect.
    pub correct: Vec<PositionEffectKind>,
    /// Leave out failing plates: without controls, with controls that cross, or beyond a limit.
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
    /// If a number is out of its range.
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

/// The quality of the plates of a table of raw signals, and the corrections made.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PlateSummary {
    /// The number of plates.
    pub count: usize,
    /// The names of the failing plates.
    pub failed: Vec<String>,
    /// The names of the plates with an edge effect.
    pub edge_effect: Vec<String>,
    /// The names of the plates with a drift.
    pub drift: Vec<String>,
    /// Whether failing plates were left out.
    pub failed_left_out: bool,
    /// The requested corrections of signals.
    pub corrected: Vec<PositionEffectKind>,
    /// The lowest Z′ of a plate that passes.
    pub min_z_prime: f64,
    /// The highest coefficient of variation of the untreated wells of a plate that passes.
    pub max_control_cv: f64,
}

/// The destinations of the quality of plates.
pub(super) struct PlateDestination<'a> {
    /// The table of the quality of plates.
    pub table: Option<TableOutput>,
    /// Whether plates are drawn.
    pub cards: CardsWanted,
    pub files: &'a OutputSet,
}

/// Whether plates are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CardsWanted {
    Drawn,
    LeftOut,
}

/// Rows of judged plates, with the findings.
pub(super) struct JudgedRows {
    /// The rows, after the requested corrections.
    pub rows: Box<dyn Rows>,
    /// The findings; `None` for tables without raw signals.
    pub summary: Option<PlateSummary>,
    /// Pictures of the plates as they were read.
    pub cards: PlateCards,
    /// One row per plate, if the table stays in memory.
    pub table: Option<ResultTable>,
}

impl JudgedRows {
    fn unjudged(rows: Box<dyn Rows>) -> Self {
        Self { rows, summary: None, cards: PlateCards::default(), table: None }
    }
}

/// Judges the plates of a table of raw signals, and draws them if requested. Other tables stay unchanged.
///
/// # Errors
/// If raw signals are required but missing, most plates have controls that cross, all plates fail and would be left out, or the file of
/// plates cannot be written.
pub(super) fn judge_plates(
    parts: TableParts,
    options: &PlateOptions,
    to: PlateDestination,
    progress: &dyn Progress,
) -> Result<JudgedRows> {
    let wants_file = to.table.as_ref().is_some_and(TableOutput::is_file);
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

/// Writes one row per plate; returns the table if it stays in memory.
fn written(plates: &Plates, mut sink: TableOutput, files: &OutputSet) -> Result<Option<ResultTable>> {
    sink.add(plates.table())?;
    sink.finish(files)
}

fn none_left(label: &str) -> Error {
    Error::data(format!("{label}: every plate fails, so none is left")).with_help(
        "a table of plates lists the reasons (`--plates FILE`); set other limits (`--min-z-prime`, `--max-control-cv`), or keep \
         plates that fail",
    )
}

fn no_controls(label: &str) -> Error {
    Error::data(format!("{label}: has no untreated wells with raw signals, so plates cannot be judged")).with_help(
        "plates, correct and drop_failed_plates need raw signals (a column of luminescence, intensity or counts), with the \
         untreated wells as rows of the same table",
    )
}
