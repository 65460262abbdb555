mod plates;
mod times;

use std::path::{Path, PathBuf};

use clap::Args;
use halfmax_core::{Error, Progress, Result};
use halfmax_data::{
    CurveKey, OutputColumn, RawTable, ReadingOptions, ReadingUnit, Readings, Role, TableWriter, counted,
    read_readings, read_table, with_column_of, with_molar_masses,
};
use halfmax_dose::{
    CurveFit, CurveFitter, CurveParams, CurveReadings, Estimate, Flag, HillPrior, Learnt, ModelChoice,
    Outliers, Position,
};
use serde_json::json;

use self::plates::{PlateArgs, judged};
use self::times::TimeArgs;
use crate::Global;
use crate::table_args::{TableArgs, dose_unit};
use crate::terminal::Terminal;

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
    #[arg(long, value_parser = ["viability-percent", "viability-fraction", "inhibition-percent", "inhibition-fraction"])]
    response: Option<String>,
    /// The unit of the doses: um, nm, pm, mm or m; by a column of units, else by the doses' column's name, else um, by default.
    #[arg(long, value_name = "UNIT", value_parser = dose_unit)]
    dose_unit: Option<f64>,
    /// Fit a curve to each experiment; by default all experiments of a drug in a cell line are one curve.
    #[arg(long, value_parser = ["experiment"])]
    by: Option<String>,
    /// Fix the plateau at low doses at the control.
    #[arg(long)]
    fixed_top: bool,
    /// What is known of Hill slopes before: "learnt" from all curves of the file, as a mixed model shrinks them (a weak one of fewer than
    /// twenty); "none", for plain least squares, each curve by itself; or a median and the standard deviation of ln Hill: 1.2,0.5.
    #[arg(long, value_name = "PRIOR", default_value = "learnt", value_parser = hill_prior)]
    hill_prior: HillPrior,
    /// The range of Hill slopes: the lowest and the highest.
    #[arg(long, value_name = "LOW,HIGH", default_value = "0.1,10", value_parser = pair)]
    hill: [f64; 2],
    /// What becomes of readings that the curve does not explain: "leave-out" finds them by robust regression, leaves them out and counts them;
    /// "keep" keeps them.
    #[arg(long, value_name = "WHAT", default_value = "leave-out", value_parser = ["leave-out", "keep"])]
    outliers: String,
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
    /// The file to write: .parquet, .csv or .ndjson; - for standard output.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `halfmax fit-curves`.
pub fn fit_curves(args: &FitCurvesArgs, global: &Global, terminal: Terminal) -> Result<()> {
    global.may_write(&args.out)?;
    if let Some(divisions) = args.divisions.filter(|divisions| !(*divisions > 0.0 && *divisions <= 100.0)) {
        return Err(Error::parameter("--divisions", divisions, "a number above 0, at most 100"));
    }
    let options = ReadingOptions {
        unit: args.response.as_deref().and_then(ReadingUnit::named),
        dose_factor: args.dose_unit,
        by_experiment: args.by.is_some(),
        by_time: args.times.apart(),
        divisions_vary: args.times.of_rates(),
    };
    // Before the readings are looked at: a wrong ending is told at once.
    let mut writer = TableWriter::create(&args.out)?;
    let judged = judged(raw_table(args, global)?, &args.plates, global, terminal)?;
    let table = args.times.rated(judged.table, global)?;
    let readings = read_readings(&table, &options)?;
    tell(&args.raw, &readings, terminal);
    let summary = fit_and_write(args, &readings, &mut writer, terminal)?;
    writer.finish()?;
    if args.out == Path::new("-") {
        return Ok(());
    }
    let facts = json!({
        "curves": summary.curves,
        "readings": readings.dose_um.len(),
        "controls_left_out": readings.controls,
        "incomplete_left_out": readings.incomplete,
        "response": readings.unit.name(),
        "ic50_within": summary.within,
        "flat": summary.flat,
        "not_fitted": summary.not_fitted,
        "too_few_to_tell": summary.undecided,
        "open_intervals": summary.open,
        "learnt": summary.learnt,
        "plates": judged.facts,
        "out": args.out,
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
    ] {
        if count > 0 {
            text += &format!(", {count} {what}");
        }
    }
    terminal.result("curves", &facts, &text)
}

/// The table of readings, with the signals of untreated wells that other files have.
fn raw_table(args: &FitCurvesArgs, global: &Global) -> Result<RawTable> {
    let mut table = args.table.options(global)?.read(&args.raw)?;
    for (file, role) in [(&args.control, Role::Control), (&args.time_zero, Role::TimeZero)] {
        if let Some(file) = file {
            table = with_column_of(&table, &read_table(file)?, role)?;
        }
    }
    if let Some(file) = &args.drugs {
        table = with_molar_masses(&table, &read_table(file)?)?;
    }
    Ok(table)
}

/// Says what was taken for what, and what was left out.
fn tell(path: &Path, readings: &Readings, terminal: Terminal) {
    let place = path.display();
    let (rows, curves) = (readings.dose_um.len(), readings.curves.len());
    terminal.note(&format!(
        "{place}: {} of {}, taken as {}",
        counted(rows, "reading"),
        counted(curves, "curve"),
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

/// Says what was learnt from all curves and is used for each.
fn tell_learnt(args: &FitCurvesArgs, learnt: &Learnt, terminal: Terminal) {
    let mut said = Vec::new();
    if let (HillPrior::Learnt, Some([mean, spread])) = (args.hill_prior, learnt.ln_hill) {
        said.push(format!("Hill slopes are {:.2}, within a factor of {:.1}", mean.exp(), spread.exp()));
    }
    if let Some([mean, spread]) = learnt.top {
        said.push(format!("tops {mean:.2} ± {spread:.2}"));
    }
    if let Some(spread) = learnt.batches {
        said.push(format!("batches differ by {:.0} %", 100.0 * spread));
    }
    if let Some([variance, _]) = learnt.variance {
        said.push(format!("a reading errs by {:.3} of the control", variance.sqrt()));
    }
    if !said.is_empty() {
        terminal.note(&format!(
            "{}: learnt from all curves: {}; curves whose own readings say little of it are drawn there",
            args.raw.display(),
            said.join(", ")
        ));
    }
}

/// A prior of Hill slopes, as `--hill-prior` takes it.
fn hill_prior(text: &str) -> std::result::Result<HillPrior, String> {
    match text {
        "learnt" => Ok(HillPrior::Learnt),
        "none" => Ok(HillPrior::None),
        _ => pair(text).map(|[median, spread]| HillPrior::Given { median, spread }).map_err(|_| {
            "expected learnt, none, or a median and the standard deviation of ln Hill: 1.2,0.5".into()
        }),
    }
}

/// Two numbers with a comma between them.
fn pair(text: &str) -> std::result::Result<[f64; 2], String> {
    let numbers =
        text.split_once(',').and_then(|(a, b)| Some([a.trim().parse().ok()?, b.trim().parse().ok()?]));
    numbers.ok_or_else(|| "expected two numbers with a comma between them: 0.1,10".into())
}

#[derive(Default)]
struct Summary {
    curves: usize,
    within: usize,
    flat: usize,
    not_fitted: usize,
    undecided: usize,
    open: usize,
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
    }
}

fn fit_and_write(
    args: &FitCurvesArgs,
    readings: &Readings,
    writer: &mut TableWriter,
    terminal: Terminal,
) -> Result<Summary> {
    let progress = terminal.progress("fitting");
    let model = if args.fixed_top { ModelChoice::AutoFixedTop } else { ModelChoice::Auto };
    let outliers = if args.outliers == "keep" { Outliers::Kept } else { Outliers::LeftOut };
    let params = CurveParams {
        model,
        hill_prior: args.hill_prior,
        hill: args.hill,
        outliers,
        ..CurveParams::default()
    };
    let fitter = params.check()?;
    let mut summary = Summary::default();
    let growth = match (args.divisions, &readings.divisions) {
        (None, None) => GrowthColumns::LeftOut,
        _ => GrowthColumns::Written,
    };
    let curve = |at: usize| {
        let rows = readings.starts[at]..readings.starts[at + 1];
        CurveReadings {
            dose_um: &readings.dose_um[rows.clone()],
            viability: &readings.viability[rows.clone()],
            batch: readings.batch.as_ref().map(|batch| &batch[rows]),
            divisions: args.divisions.or_else(|| readings.divisions.as_ref().map(|list| list[at])),
        }
    };
    let every = CurveFitter::learns_from_every(readings.curves.len());
    let some: Vec<CurveReadings> = (0..readings.curves.len()).step_by(every).map(curve).collect();
    let fitter = fitter.learning_from(&some);
    tell_learnt(args, &fitter.learnt(), terminal);
    summary.learnt = fitter.learnt();
    for (block, keys) in readings.curves.chunks(AT_A_TIME).enumerate() {
        let first = block * AT_A_TIME;
        let curves: Vec<CurveReadings> = (first..first + keys.len()).map(curve).collect();
        let fits = fitter.fit_all(&curves, &progress)?;
        write_block(args, growth, &Block { keys, hours: hours(readings, first, keys.len()) }, &fits, writer)?;
        summary.add(&fits);
        progress.step(first + keys.len(), readings.curves.len());
    }
    Ok(summary)
}

/// Whether growth-rate metrics are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GrowthColumns {
    Written,
    LeftOut,
}

/// Columns of numbers under construction: name and values.
struct Numbers<'a> {
    fits: &'a [CurveFit],
    columns: Vec<(String, Vec<f64>)>,
}

impl Numbers<'_> {
    /// Adds a column; what is infinite (an end that the data leave open) is missing.
    fn add(&mut self, name: &str, value: impl Fn(&CurveFit) -> f64) {
        let finite = |value: f64| if value.is_finite() { value } else { f64::NAN };
        let values = self.fits.iter().map(|fit| finite(value(fit))).collect();
        self.columns.push((name.to_owned(), values));
    }

    /// Adds the columns of an estimate; `unit` ends the names of the value and its interval.
    fn estimate(&mut self, [name, unit, error]: [&str; 3], of: impl Fn(&CurveFit) -> Estimate) {
        self.add(&format!("{name}{unit}"), |fit| of(fit).value);
        self.add(&format!("{name}_lower{unit}"), |fit| of(fit).lower);
        self.add(&format!("{name}_upper{unit}"), |fit| of(fit).upper);
        self.add(error, |fit| of(fit).standard_error);
    }
}

/// The IC50 as far as it was measured.
fn measured_ic50(fit: &CurveFit) -> Estimate {
    if fit.ic50_position == Position::Within { fit.ic50 } else { Estimate::NONE }
}

fn numbers(growth: GrowthColumns, fits: &[CurveFit]) -> Numbers<'_> {
    let mut numbers = Numbers { fits, columns: Vec::new() };
    numbers.estimate(["ic50", "_um", "log10_ic50_se"], measured_ic50);
    numbers.add("ln_ic50", |fit| measured_ic50(fit).value.ln());
    numbers.add("ic50_extrapolated_um", |fit| match fit.ic50_position {
        Position::Within => f64::NAN,
        _ => fit.ic50.value,
    });
    numbers.estimate(["ec50", "_um", "log10_ec50_se"], |fit| fit.ec50);
    numbers.estimate(["hill", "", "hill_se"], |fit| fit.hill);
    numbers.estimate(["top", "", "top_se"], |fit| fit.top);
    numbers.estimate(["bottom", "", "bottom_se"], |fit| fit.bottom);
    numbers.estimate(["auc", "", "auc_se"], |fit| fit.auc);
    numbers.estimate(["emax", "", "emax_se"], |fit| fit.emax);
    numbers.add("emax_observed", |fit| fit.emax_observed);
    if growth == GrowthColumns::Written {
        numbers.estimate(["gr50", "_um", "log10_gr50_se"], |fit| fit.growth.gr50);
        numbers.add("gr_max", |fit| fit.growth.gr_max);
        numbers.add("gr_max_lowest_of_two", |fit| fit.growth.gr_max_lowest_of_two);
        numbers.add("gr_infinity", |fit| fit.growth.gr_infinity);
        numbers.add("gr_aoc", |fit| fit.growth.gr_aoc);
    }
    numbers.add("r2", |fit| fit.r2);
    numbers.add("residual_se", |fit| fit.residual_standard_error);
    numbers.add("p_flat", |fit| fit.p_flat);
    numbers.add("dose_min_um", |fit| fit.dose_range[0]);
    numbers.add("dose_max_um", |fit| fit.dose_range[1]);
    numbers
}

/// The times of curves that have one each, in hours.
fn hours(readings: &Readings, first: usize, count: usize) -> Option<&[f64]> {
    readings.time_h.as_ref().and_then(|hours| hours.get(first..first + count))
}

/// What some curves are of.
struct Block<'a> {
    keys: &'a [CurveKey],
    hours: Option<&'a [f64]>,
}

fn write_block(
    args: &FitCurvesArgs,
    growth: GrowthColumns,
    Block { keys, hours }: &Block,
    fits: &[CurveFit],
    writer: &mut TableWriter,
) -> Result<()> {
    let text = |of: fn(&CurveKey) -> &str| keys.iter().map(of).collect::<Vec<&str>>();
    let (cells, drugs) = (text(|key| &key.cell_line), text(|key| &key.drug));
    let experiments = text(|key| &key.experiment);
    let name = |of: fn(&CurveFit) -> &'static str| fits.iter().map(of).collect::<Vec<&str>>();
    let models = name(|fit| fit.model.name());
    let positions = [name(|fit| fit.ic50_position.name()), name(|fit| fit.ec50_position.name())];
    let flags: Vec<String> = fits.iter().map(|fit| fit.flags.to_string()).collect();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let count = |of: fn(&CurveFit) -> usize| fits.iter().map(|fit| of(fit) as u32).collect::<Vec<u32>>();
    let counts = [count(|fit| fit.doses), count(|fit| fit.readings), count(|fit| fit.outliers)];
    let numbers = numbers(growth, fits);
    let mut table = vec![("cell_line", OutputColumn::Text(&cells)), ("drug", OutputColumn::Text(&drugs))];
    if args.by.is_some() {
        table.push(("experiment", OutputColumn::Text(&experiments)));
    }
    table.extend(hours.map(|hours| ("time_h", OutputColumn::F64(hours))));
    table.push(("model", OutputColumn::Text(&models)));
    table.push(("ic50_position", OutputColumn::Text(&positions[0])));
    table.push(("ec50_position", OutputColumn::Text(&positions[1])));
    table.extend(numbers.columns.iter().map(|(name, values)| (name.as_str(), OutputColumn::F64(values))));
    for (name, values) in ["doses", "readings", "outliers"].into_iter().zip(&counts) {
        table.push((name, OutputColumn::U32(values)));
    }
    table.push(("flags", OutputColumn::Text(&flags)));
    writer.write(&table)
}
