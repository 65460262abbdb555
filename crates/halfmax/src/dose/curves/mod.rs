//! Dose–response curves of a table of readings.

mod columns;
mod fitting;
mod summary;

use std::path::{Path, PathBuf};

use halfmax_core::{Error, Progress, Result};
use halfmax_data::{
    OutputSet, PartSize, ReadingBatches, ReadingOptions, ReadingUnit, Role, Rows, TableFile, TableParts,
    counted, read_table,
};
use halfmax_dose::{CurveFitter, CurveParams, Effect};

use super::comparisons::{CompareColumn, Comparisons, CurvePair};
use super::outputs::PictureOutputs;
use super::plates::{CardsWanted, PlateDestination, PlateOptions, judge_plates};
use super::rates::{RatedRows, Times};
use super::table::{ResultTable, TableOutput};
use crate::report::{CurvePage, LearntFrom, learnt_in_words};

pub use fitting::FittedCurve;
use fitting::{CurveDestination, CurveFitting};
pub use summary::CurvesSummary;

/// A request to fit dose–response curves to a table of readings.
///
/// ```
/// use halfmax::core::Silent;
/// use halfmax::dose::CurvesRequest;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("readings.csv");
/// let readings = "cell_line,drug,dose_um,viability\n\
///                 A375,dabrafenib,0.001,1.01\nA375,dabrafenib,0.01,0.83\nA375,dabrafenib,0.03,0.52\n\
///                 A375,dabrafenib,0.1,0.24\nA375,dabrafenib,1,0.12\nA375,dabrafenib,10,0.1\n";
/// std::fs::write(&path, readings)?;
/// let request = CurvesRequest { readings: path.into(), ..CurvesRequest::default() };
/// let fitted = request.fit(&Silent)?;
/// let ic50 = fitted.fits[0].fit.ic50;
/// assert!(ic50.lower < 0.033 && 0.033 < ic50.upper);
/// assert_eq!(fitted.table.numbers("ic50_um"), Some(&[ic50.value][..]));
/// println!("{} curves: {}", fitted.summary.curves, fitted.summary);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct CurvesRequest {
    /// The readings: columns of cell lines, drugs, doses and viabilities or inhibitions, or raw signals with untreated wells.
    pub readings: TableFile,
    /// The unit of the readings. Detected if `None`.
    pub response: Option<ReadingUnit>,
    /// The unit of all doses, in µM: 0.001 for nM. Detected if `None`. [`halfmax_data::dose_factor`] translates the names of units.
    pub dose_unit: Option<f64>,
    /// Fit a curve to each experiment, instead of one curve to all experiments of a drug in a cell line.
    pub by_experiment: bool,
    /// The parameters of the fits.
    pub params: CurveParams,
    /// Two cell lines, drugs or experiments whose curves are compared.
    pub compare: Option<CurvePair>,
    /// The number of divisions of the control during the assay, for every curve. If `None`, the column "divisions" gives it.
    pub divisions: Option<f64>,
    /// A table of the signals of untreated wells, joined by its cell lines, plates and times.
    pub control: Option<PathBuf>,
    /// A table of the signals at the time of treatment, joined in the same way.
    pub time_zero: Option<PathBuf>,
    /// A table of the drugs with their molar masses or structures, for doses in mass per volume.
    pub drugs: Option<PathBuf>,
    /// The limits for plates of raw signals, and the treatment of plates beyond them.
    pub plates: PlateOptions,
    /// The treatment of readings at several times. If `None`, all readings must share one time.
    pub times: Option<Times>,
    /// The size above which the table is read part by part.
    pub part_size: PartSize,
}

/// The output files for curves. They appear together when all are complete. Tables are .parquet, .csv or .ndjson.
#[derive(Clone, Debug, Default)]
pub struct CurvesOutputs {
    /// One row per curve; `-` is standard output.
    pub curves: PathBuf,
    /// One row per compared pair of curves.
    pub comparisons: Option<PathBuf>,
    /// One row per plate of raw signals.
    pub plates: Option<PathBuf>,
    /// One row per growth rate of a well.
    pub rates: Option<PathBuf>,
    /// A page and pictures of the curves.
    pub pictures: PictureOutputs,
}

/// Fitted curves in memory.
#[derive(Clone, Debug, Default)]
pub struct FittedCurves {
    /// The curves, in the order of their first rows in the table.
    pub fits: Vec<FittedCurve>,
    /// One row per curve.
    pub table: ResultTable,
    /// One row per compared pair of curves, if a comparison was requested.
    pub comparisons: Option<ResultTable>,
    /// One row per plate, if the readings are raw signals with untreated wells.
    pub plates: Option<ResultTable>,
    /// One row per growth rate of a well, if curves are of growth rates.
    pub rates: Option<ResultTable>,
    /// The summary of the curves.
    pub summary: CurvesSummary,
}

/// The destinations of the results of a request.
struct Destination<'a> {
    curves: TableOutput,
    fits: Option<Vec<FittedCurve>>,
    comparisons: Option<TableOutput>,
    plates: Option<TableOutput>,
    rates: Option<TableOutput>,
    pictures: &'a PictureOutputs,
    files: &'a OutputSet,
}

impl CurvesRequest {
    /// Checks the parameters, without any file.
    ///
    /// # Errors
    /// If a number is out of its range, or two requests exclude each other.
    pub fn check(&self) -> Result<()> {
        if let Some(pair) = &self.compare {
            if pair.column == CompareColumn::Experiment && !self.by_experiment {
                let expected = "a curve for each experiment (by_experiment), or experiments are pooled";
                return Err(Error::parameter("compare", "experiment", expected));
            }
            if self.times.is_some_and(Times::are_apart) {
                return Err(Error::config("compare: there is a curve for each time or interval")
                    .with_help("choose one time (`--where time_h=72`), or growth rates over all times"));
            }
        }
        self.params.clone().check()?;
        match self.divisions.filter(|divisions| !(*divisions > 0.0 && *divisions <= 100.0)) {
            Some(divisions) => Err(Error::parameter("divisions", divisions, "a number above 0, at most 100")),
            None => self.plates.check(),
        }
    }

    /// Fits the curves and returns them in memory.
    ///
    /// # Errors
    /// If a parameter is out of its range, the readings cannot be read or are ambiguous, or the user stopped it.
    pub fn fit(&self, progress: &dyn Progress) -> Result<FittedCurves> {
        self.check()?;
        // No output paths: no file is written.
        let files = OutputSet::of(Path::new("-"));
        let to = Destination {
            curves: TableOutput::memory(),
            fits: Some(Vec::new()),
            comparisons: self.compare.as_ref().map(|_| TableOutput::memory()),
            plates: Some(TableOutput::memory()),
            rates: Some(TableOutput::memory()),
            pictures: &PictureOutputs::default(),
            files: &files,
        };
        self.run(to, progress)
    }

    /// Fits the curves and writes the results into files, which must not exist. Locks the files against other processes before the work.
    ///
    /// # Errors
    /// As [`Self::write_held`], or if an output exists, or another process is writing it.
    pub fn write(&self, outputs: &CurvesOutputs, progress: &dyn Progress) -> Result<CurvesSummary> {
        let others = [&outputs.comparisons, &outputs.plates, &outputs.rates];
        let files = others.into_iter().flat_map(|file| file.as_deref());
        let _locks = outputs.pictures.lock(files.chain([outputs.curves.as_path()]))?;
        self.write_held(outputs, progress)
    }

    /// As [`Self::write`], for a caller that has checked the outputs and holds their locks. Replaces existing files.
    ///
    /// # Errors
    /// If a parameter is out of its range, the readings cannot be read or are ambiguous, an output cannot be written, or the user stopped it.
    pub fn write_held(&self, outputs: &CurvesOutputs, progress: &dyn Progress) -> Result<CurvesSummary> {
        self.check()?;
        self.check_outputs(outputs)?;
        // Checked before the readings are read: a wrong ending is an error at once.
        let table = |path: &Option<PathBuf>| path.as_deref().map(TableOutput::create).transpose();
        let files = OutputSet::of(&outputs.curves);
        let to = Destination {
            curves: TableOutput::create(&outputs.curves)?,
            fits: None,
            comparisons: table(&outputs.comparisons)?,
            plates: table(&outputs.plates)?,
            rates: table(&outputs.rates)?,
            pictures: &outputs.pictures,
            files: &files,
        };
        let summary = self.run(to, progress)?.summary;
        files.finish()?;
        outputs.pictures.note(summary.curves, progress);
        Ok(summary)
    }

    /// Checks that the outputs match the requested results.
    fn check_outputs(&self, outputs: &CurvesOutputs) -> Result<()> {
        match (&self.compare, &outputs.comparisons) {
            (Some(_), None) => {
                return Err(Error::config("compare: no file is given for the comparisons"));
            }
            (None, Some(path)) => {
                let expected = "two cell lines, drugs or experiments to compare";
                return Err(Error::parameter("comparisons", path.display(), expected));
            }
            _ => {}
        }
        match &outputs.rates {
            Some(path) if self.times.and_then(Times::span).is_none() => {
                let expected = "curves of growth rates beside it (times: rate or interval)";
                Err(Error::parameter("rates", path.display(), expected))
            }
            _ => Ok(()),
        }
    }

    fn run(&self, to: Destination, progress: &dyn Progress) -> Result<FittedCurves> {
        let fitter = self.params.clone().check()?;
        let Destination { comparisons, pictures, files, .. } = to;
        let cards = if pictures.html.is_some() { CardsWanted::Drawn } else { CardsWanted::LeftOut };
        let plates = PlateDestination { table: to.plates, cards, files };
        let judged = judge_plates(self.rows()?, &self.plates, plates, progress)?;
        let (readings, rates) = self.read(judged.rows, to.rates, files)?;
        self.note_readings(&readings, progress);
        if let Some(pair) = &self.compare {
            pair.check_keys(|| readings.keys())?;
        }
        self.check_growth(&readings)?;
        progress.phase("fitting");
        let fitting = self.fitting(&readings, fitter, progress)?;
        let mut curves = CurveDestination {
            table: to.curves,
            fits: to.fits,
            comparisons: self.compare.clone().map(Comparisons::new),
            page: pictures.html.as_ref().map(|_| CurvePage::new(judged.cards)),
            folder: pictures.folder(files)?,
        };
        let mut summary = fitting.run(&mut curves, progress)?;
        if let (Some(page), Some(path)) = (&mut curves.page, &pictures.html) {
            page.write((path, files), &self.readings.file, readings.facts(), &fitting.fitter)?;
        }
        let table = curves.table.finish(files)?.unwrap_or_default();
        let mut compared = None;
        if let (Some(own), Some(mut sink)) = (curves.comparisons, comparisons) {
            let table = own.table(progress);
            summary.compared = Some(table.rows());
            sink.add(table)?;
            compared = sink.finish(files)?;
        }
        summary.plates = judged.summary;
        let fits = curves.fits.unwrap_or_default();
        Ok(FittedCurves { fits, table, comparisons: compared, plates: judged.table, rates, summary })
    }

    /// The rows of readings, with the signals of untreated wells from other files.
    fn rows(&self) -> Result<TableParts> {
        let mut rows = self.readings.options.parts(&self.readings.file, self.part_size)?;
        for (file, role) in [(&self.control, Role::Control), (&self.time_zero, Role::TimeZero)] {
            if let Some(file) = file {
                rows = rows.with_column_of(read_table(file)?, role)?;
            }
        }
        match &self.drugs {
            Some(file) => rows.with_molar_masses(&read_table(file)?),
            None => Ok(rows),
        }
    }

    /// The readings of rows, or the readings derived from growth rates, with the table of rates if it stays in memory.
    fn read(
        &self,
        rows: Box<dyn Rows>,
        rates: Option<TableOutput>,
        files: &OutputSet,
    ) -> Result<(ReadingBatches, Option<ResultTable>)> {
        let span = self.times.and_then(Times::span);
        let options = ReadingOptions {
            unit: self.response,
            dose_factor: self.dose_unit,
            by_experiment: self.by_experiment,
            by_time: self.times.is_some_and(Times::are_apart),
            divisions_vary: span.is_some(),
        };
        match span {
            None => Ok((ReadingBatches::of(rows.as_ref(), &options)?, None)),
            Some(span) => {
                let rated = RatedRows::new(rows, span, rates);
                let readings = ReadingBatches::of(&rated, &options)?;
                Ok((readings, rated.finish(files)?))
            }
        }
    }

    /// Notes the detected columns and the omitted rows.
    fn note_readings(&self, readings: &ReadingBatches, progress: &dyn Progress) {
        let place = self.readings.file.display();
        if let Some(bytes) = readings.bytes_on_disk() {
            progress.note(&format!(
                "{place}: read part by part; {} MB of readings are kept in {} until the curves are fitted (set TMPDIR for \
                 another folder)",
                bytes.div_ceil(1_000_000),
                std::env::temp_dir().display()
            ));
        }
        let facts = readings.facts();
        progress.note(&format!(
            "{place}: {} of {}, taken as {}",
            counted(facts.readings, "reading"),
            counted(facts.curves, "curve"),
            facts.unit.name()
        ));
        facts.notes.iter().for_each(|note| progress.note(&format!("{place}: {note}")));
        if facts.dose_unit_assumed {
            progress.note(&format!("{place}: {}", super::DOSE_UNIT_ASSUMED));
        }
        if facts.controls > 0 {
            progress.note(&format!(
                "{place}: controls, with dose 0, left out of the fits: {}",
                counted(facts.controls, "row")
            ));
        }
        if facts.incomplete > 0 {
            progress.note(&format!(
                "{place}: left out, because a cell line, drug, experiment, dose or reading is missing: {}",
                counted(facts.incomplete, "row")
            ));
        }
    }

    /// Growth-rate metrics need the divisions of the control.
    fn check_growth(&self, readings: &ReadingBatches) -> Result<()> {
        let is_growth = |effect: &&Effect| matches!(effect, Effect::GrowthRate(_));
        let growth = self.params.effects.iter().find(is_growth);
        match (growth, self.divisions, readings.facts().has_divisions) {
            (Some(Effect::GrowthRate(percent)), None, false) => Err(Error::parameter(
                "grx",
                percent,
                "how often the control divided: divisions, or a column \"divisions\"",
            )),
            _ => Ok(()),
        }
    }

    /// A fitter that has learnt from the curves, with a note on the learnt values.
    fn fitting<'a>(
        &'a self,
        readings: &'a ReadingBatches,
        fitter: CurveFitter,
        progress: &dyn Progress,
    ) -> Result<CurveFitting<'a>> {
        let fitting = CurveFitting::new(self, readings, fitter)?;
        let used = fitting.learnt_and_used();
        let note = learnt_in_words(&self.readings.file, LearntFrom::Curves, &used);
        note.iter().for_each(|note| progress.note(note));
        Ok(fitting)
    }
}
