mod plates;
mod times;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use halfmax_core::{Error, Progress, Result};
use halfmax_data::{
    OutputSet, PartSize, ReadingBatches, ReadingOptions, ReadingUnit, Readings, Role, TableParts,
    TableWriter, counted, read_table, written_endings,
};
use halfmax_dose::{CurveFit, CurveFitter, CurveReadings, Effect, Flag, HillPrior, Learnt, Position};
use serde_json::json;

use self::plates::{PlateArgs, judged};
use self::times::TimeArgs;
use crate::Global;
use crate::commands::compare_curves::{CompareColumn, Comparisons, Pair};
use crate::commands::curve_columns::{CurveBlock, GrowthColumns, write_block};
use crate::dose_options::CurveArgs;
use crate::picture_args::{PictureArgs, shown};
use crate::table_args::{TableArgs, dose_unit};
use crate::terminal::{Terminal, stopped};
use crate::values::{CurveOf, ReadingValue};
use halfmax::report::{CurvePage, LearntFrom, learnt_in_words, write_curve_svgs};

/// Curves that are fitted and written at a time: bounds memory whatever the number of curves is.
const AT_A_TIME: usize = 1 << 14;

/// Fit dose–response curves to raw readings.
#[derive(Args)]
pub struct FitCurvesArgs {
    /// The readings: columns of cell lines, drugs, doses and viabilities or inhibitions, or raw signals with untreated wells,
    /// recognised by name.
    raw: PathBuf,
    /// What the readings are: viability or inhibition, in percent or as fractions of the control. By default the column's name
    /// says it, and where it does not say the scale, the range of all readings does.
    #[arg(long, value_enum)]
    response: Option<ReadingValue>,
    /// Dose unit: um, nm, pm, mm or m. Default: the unit column, else the suffix of the dose column, else um.
    #[arg(long, value_name = "UNIT", value_parser = dose_unit)]
    dose_unit: Option<f64>,
    /// Fit a curve to each experiment; by default all experiments of a drug in a cell line are one curve.
    #[arg(long, value_enum)]
    by: Option<CurveOf>,
    #[command(flatten)]
    curves: CurveArgs,
    /// Compare the curves of two cell lines, drugs or (with --by experiment) experiments: cell_line=A549,MCF7. Writes how many times as potent the drug
    /// is in one as in the other, and the area between the curves.
    #[arg(long, value_name = "COLUMN=A,B", requires = "compare_out", value_parser = Pair::parse)]
    compare: Option<Pair>,
    #[arg(
        long,
        value_name = "FILE",
        requires = "compare",
        help = format!("The file of the comparisons: {}", written_endings())
    )]
    compare_out: Option<PathBuf>,
    /// How often the control divided during the assay, for every curve; by the column "divisions", if there is one, by default.
    /// Adds growth-rate metrics.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    divisions: Option<f64>,
    /// A table of the signals of untreated wells, joined by its cell lines, plates and times, if the readings are raw signals.
    #[arg(long, value_name = "FILE")]
    control: Option<PathBuf>,
    /// A table of the signals when the drug was given, joined likewise: tells how often the control divided.
    #[arg(long, value_name = "FILE")]
    time_zero: Option<PathBuf>,
    /// A table of the drugs with their molar masses (a column molar_mass, g/mol) or structures (a column smiles), for doses in mass per volume.
    #[arg(long, value_name = "FILE")]
    drugs: Option<PathBuf>,
    #[command(flatten)]
    plates: PlateArgs,
    #[command(flatten)]
    times: TimeArgs,
    #[command(flatten)]
    table: TableArgs,
    /// Read the table in parts of so many MiB if it is text larger than four of them, or gzip or Parquet larger than half of one. Memory stays about the same
    /// however long the file is; rows wait in temporary files, in the system's folder for these (TMPDIR).
    #[arg(long, value_name = "MIB", default_value_t = 16.0, value_parser = part_size)]
    part_size: f64,
    #[arg(long, value_name = "FILE", help = format!("The file to write: {}; - for standard output", written_endings()))]
    out: PathBuf,
    #[command(flatten)]
    pictures: PictureArgs,
}

/// `halfmax fit-curves`.
pub fn fit_curves(args: &FitCurvesArgs, global: &Global, terminal: Terminal) -> Result<()> {
    let others = [&args.control, &args.time_zero, &args.drugs, &args.curves.options];
    let inputs: Vec<&Path> =
        others.into_iter().flat_map(|file| file.as_deref()).chain([args.raw.as_path()]).collect();
    global.may_write_all(
        &[
            ("--out", Some(&args.out)),
            ("--compare-out", args.compare_out.as_deref()),
            ("--plates", args.plates.file()),
            ("--rates", args.times.file()),
            ("--html", args.pictures.html.as_deref()),
        ],
        &inputs,
    )?;
    args.pictures.check(global)?;
    if args.compare.as_ref().is_some_and(|pair| pair.column == CompareColumn::Experiment) && args.by.is_none()
    {
        return Err(Error::parameter(
            "--compare",
            "experiment=…",
            "--by experiment beside it, or experiments are pooled",
        ));
    }
    if args.compare.is_some() && args.times.apart() {
        return Err(Error::parameter(
            "--compare",
            "with --times each or interval",
            "one time: --where time_h=72",
        ));
    }
    let params = args.curves.params()?;
    let fitter = params.clone().check()?;
    if let Some(divisions) = args.divisions.filter(|divisions| !(*divisions > 0.0 && *divisions <= 100.0)) {
        return Err(Error::parameter("--divisions", divisions, "a number above 0, at most 100"));
    }
    let options = ReadingOptions {
        unit: args.response.map(ReadingUnit::from),
        dose_factor: args.dose_unit,
        by_experiment: args.by.is_some(),
        by_time: args.times.apart(),
        divisions_vary: args.times.of_rates(),
    };
    // Before the readings are looked at: a wrong ending is told at once.
    let mut writer = TableWriter::create(&args.out)?;
    let mut comparison =
        args.compare.as_ref().zip(args.compare_out.as_ref()).map(Comparisons::create).transpose()?;
    let pictured = args.pictures.html.is_some();
    let files = Arc::new(OutputSet::of(&args.out));
    let judged = judged(raw_rows(args, global)?, &args.plates, (pictured, &files), terminal)?;
    let rows = args.times.rated(judged.rows, &files)?;
    let readings = ReadingBatches::of(rows.as_ref(), &options)?;
    drop(rows);
    tell(&args.raw, &readings, terminal);
    let about = readings.facts();
    if let Some(comparison) = &comparison {
        comparison.check(|| readings.keys())?;
    }
    let growth = params.effects.iter().find(|effect| matches!(effect, Effect::GrowthRate(_)));
    if let (Some(Effect::GrowthRate(percent)), None, false) = (growth, args.divisions, about.has_divisions) {
        return Err(Error::parameter(
            "--grx",
            percent,
            "how often the control divided: --divisions, or a column \"divisions\"",
        ));
    }
    let pictures = args.pictures.html.as_ref().map(|_| CurvePage::new(judged.cards));
    let summary = fit_and_write(
        args,
        fitter,
        &readings,
        &mut writer,
        comparison.as_mut(),
        (pictures, &files),
        terminal,
    )?;
    writer.finish_into(&files)?;
    let compared = comparison.map(|comparison| comparison.finish(&files, terminal)).transpose()?;
    Arc::into_inner(files).ok_or_else(|| Error::failed("an output is still being written"))?.finish()?;
    if args.out == Path::new("-") {
        return Ok(());
    }
    let facts = json!({
        "curves": summary.curves,
        "readings": about.readings,
        "controls_left_out": about.controls,
        "incomplete_left_out": about.incomplete,
        "response": about.unit.name(),
        "ic50_within": summary.within,
        "flat": summary.flat,
        "not_fitted": summary.not_fitted,
        "too_few_to_tell": summary.undecided,
        "open_intervals": summary.open,
        "biphasic": summary.biphasic,
        "hormetic": summary.hormetic,
        "lack_of_fit": summary.lack_of_fit,
        "compared": compared,
        "learnt": summary.learnt,
        "plates": judged.facts,
        "out": args.out.display().to_string(),
        "html": shown(args.pictures.html.as_deref()),
        "svg": shown(args.pictures.svg.as_deref()),
    });
    let mut text = format!(
        "{} written to {}: {} with an IC50 within the tested doses, {} flat, {} with too few doses",
        counted(summary.curves, "curve"),
        args.out.display(),
        summary.within,
        summary.flat,
        summary.not_fitted
    );
    for (count, what) in [
        (summary.undecided, "with too few readings to tell a curve from a constant"),
        (summary.open, "whose IC50 or EC50 the tested doses do not bound"),
        (summary.biphasic, "of two phases"),
        (summary.hormetic, "with a rise at low doses"),
        (summary.lack_of_fit, "that replicates say do not fit"),
    ] {
        if count > 0 {
            text += &format!(", {count} {what}");
        }
    }
    terminal.result("curves", &facts, &text)
}

/// The rows of readings, with the signals of untreated wells that other files have.
fn raw_rows(args: &FitCurvesArgs, global: &Global) -> Result<TableParts> {
    let size = PartSize::of_bytes((args.part_size * f64::from(1 << 20)) as usize).stopping_when(stopped);
    let mut rows = args.table.options(global)?.parts(&args.raw, size)?;
    for (file, role) in [(&args.control, Role::Control), (&args.time_zero, Role::TimeZero)] {
        if let Some(file) = file {
            rows = rows.with_column_of(read_table(file)?, role)?;
        }
    }
    if let Some(file) = &args.drugs {
        rows = rows.with_molar_masses(&read_table(file)?)?;
    }
    Ok(rows)
}

/// Says what was taken for what, and what was left out.
fn tell(path: &Path, readings: &ReadingBatches, terminal: Terminal) {
    let place = path.display();
    if let Some(bytes) = readings.bytes_on_disk() {
        terminal.note(&format!(
            "{place}: read part by part; {} MB of readings are kept in {} until the curves are fitted (TMPDIR names another folder)",
            bytes.div_ceil(1_000_000),
            std::env::temp_dir().display()
        ));
    }
    let readings = readings.facts();
    terminal.note(&format!(
        "{place}: {} of {}, taken as {}",
        counted(readings.readings, "reading"),
        counted(readings.curves, "curve"),
        readings.unit.name()
    ));
    readings.notes.iter().for_each(|note| terminal.note(&format!("{place}: {note}")));
    if readings.dose_unit_assumed {
        terminal.note(&format!(
            "{place}: nothing says what unit the doses are in: taken as µM; say it with --dose-unit"
        ));
    }
    if readings.controls > 0 {
        terminal.note(&format!(
            "{place}: controls, with dose 0, left out of the fits: {}",
            counted(readings.controls, "row")
        ));
    }
    if readings.incomplete > 0 {
        terminal.note(&format!(
            "{place}: without a cell line, drug, experiment, dose or reading, and left out: {}",
            counted(readings.incomplete, "row")
        ));
    }
}

#[derive(Default)]
struct Summary {
    curves: usize,
    within: usize,
    flat: usize,
    not_fitted: usize,
    undecided: usize,
    open: usize,
    biphasic: usize,
    hormetic: usize,
    lack_of_fit: usize,
    learnt: Learnt,
}

impl Summary {
    fn add(&mut self, fits: &[CurveFit]) {
        let count = |which: &dyn Fn(&CurveFit) -> bool| fits.iter().filter(|fit| which(fit)).count();
        self.curves += fits.len();
        self.within += count(&|fit| fit.ic50_position == Position::Within);
        self.flat += count(&|fit| fit.flags.contains(Flag::Flat));
        self.not_fitted += count(&|fit| fit.flags.contains(Flag::TooFewDoses));
        self.undecided += count(&|fit| fit.flags.contains(Flag::TooFewToTell));
        self.open += count(&|fit| fit.flags.contains(Flag::OpenInterval));
        self.biphasic += count(&|fit| fit.flags.contains(Flag::Biphasic));
        self.hormetic += count(&|fit| fit.flags.contains(Flag::Hormetic));
        self.lack_of_fit += count(&|fit| fit.flags.contains(Flag::LackOfFit));
    }
}

fn fit_and_write(
    args: &FitCurvesArgs,
    fitter: CurveFitter,
    readings: &ReadingBatches,
    writer: &mut TableWriter,
    mut comparison: Option<&mut Comparisons>,
    (mut page, files): (Option<CurvePage>, &OutputSet),
    terminal: Terminal,
) -> Result<Summary> {
    let progress = terminal.progress("fitting");
    let mut summary = Summary::default();
    let about = readings.facts();
    let growth = match (args.divisions, about.has_divisions) {
        (None, false) => GrowthColumns::LeftOut,
        _ => GrowthColumns::Written,
    };
    let fitter = learnt(fitter, readings, args.divisions)?;
    summary.learnt = fitter.learnt();
    // Slopes that have a prior of the user's own draw on what was learnt of them no more.
    let by_slopes = fitter.params().hill_prior == HillPrior::Learnt;
    let used = Learnt { ln_hill: summary.learnt.ln_hill.filter(|_| by_slopes), ..summary.learnt };
    learnt_in_words(&args.raw, LearntFrom::Curves, &used).iter().for_each(|note| terminal.note(note));
    let mut folder = args.pictures.folder(files)?;
    readings.each(AT_A_TIME, |first, batch| {
        let keys = &batch.curves;
        let curves: Vec<CurveReadings> = (0..keys.len()).map(|at| curve(batch, at, args.divisions)).collect();
        let fits = fitter.fit_all(&curves, &progress)?;
        let of = CurveBlock { keys, hours: batch.time_h.as_deref(), by_experiment: args.by.is_some() };
        write_block(&of, growth, &fits, writer)?;
        if let Some(comparison) = comparison.as_mut() {
            comparison.keep(keys, &fits);
        }
        summary.add(&fits);
        if let Some(page) = &mut page {
            page.add(keys, &curves, &fits);
        }
        if let Some(folder) = &mut folder {
            write_curve_svgs(folder, keys, &curves, &fitter)?;
        }
        progress.step(first + keys.len(), about.curves);
        Ok(())
    })?;
    if let (Some(page), Some(path)) = (&mut page, &args.pictures.html) {
        page.write((path, files), &args.raw, about, &fitter)?;
    }
    args.pictures.tell(summary.curves, terminal);
    Ok(summary)
}

/// The readings of a curve.
fn curve(batch: &Readings, at: usize, divisions: Option<f64>) -> CurveReadings<'_> {
    let rows = batch.starts[at]..batch.starts[at + 1];
    CurveReadings {
        dose_um: &batch.dose_um[rows.clone()],
        viability: &batch.viability[rows.clone()],
        batch: batch.batch.as_ref().map(|batch| &batch[rows]),
        divisions: divisions.or_else(|| batch.divisions.as_ref().map(|list| list[at])),
    }
}

/// A fitter that has learnt from some of the curves.
fn learnt(fitter: CurveFitter, readings: &ReadingBatches, divisions: Option<f64>) -> Result<CurveFitter> {
    let some = CurveFitter::learns_from(readings.facts().curves);
    let mut kept: Vec<Readings> = Vec::new();
    readings.each(AT_A_TIME, |start, batch| {
        let own = start..start + batch.curves.len();
        let wanted: Vec<usize> = some.iter().filter(|at| own.contains(at)).map(|at| at - start).collect();
        kept.push(batch.only(&wanted));
        Ok(())
    })?;
    let curves: Vec<CurveReadings> =
        kept.iter().flat_map(|batch| (0..batch.curves.len()).map(|at| curve(batch, at, divisions))).collect();
    Ok(fitter.learning_from(&curves))
}

/// The size of parts, for a flag.
fn part_size(text: &str) -> std::result::Result<f64, String> {
    let size = text.parse().ok().filter(|size| (1e-5..=4096.0).contains(size));
    size.ok_or_else(|| "expected a number of MiB above 0, at most 4096".to_owned())
}
