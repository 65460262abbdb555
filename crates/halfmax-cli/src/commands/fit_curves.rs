//! `halfmax fit-curves`: fits dose–response curves to readings.

use std::path::{Path, PathBuf};

use clap::Args;
use halfmax::dose::{
    CurvePair, CurvesOutputs, CurvesRequest, CurvesSummary, PlateOptions, PositionEffectKind, Times,
};
use halfmax_core::Result;
use halfmax_data::{PartSize, ReadingUnit, TableFile, counted, written_endings};
use serde::Serialize;

use crate::Global;
use crate::dose_options::CurveArgs;
use crate::picture_args::{PictureArgs, shown};
use crate::table_args::{TableArgs, dose_unit};
use crate::terminal::{Terminal, end_phase, stopped};
use crate::values::{CurveOf, PositionValue, ReadingValue, TimesValue};

/// Fit dose–response curves to raw readings.
#[derive(Args)]
pub struct FitCurvesArgs {
    /// The readings: columns of cell lines, drugs and doses, and of viabilities, inhibitions, or raw signals with untreated wells. Columns
    /// are recognised by name.
    raw: PathBuf,
    /// The unit of the readings: viability or inhibition, in percent or as fractions of the control. Default: the unit in the column's
    /// name; if the name does not contain the scale, the range of all readings decides the scale.
    #[arg(long, value_enum)]
    response: Option<ReadingValue>,
    /// The unit of all doses: um, nm, pm, mm or m. Default: the unit column, else the suffix of the dose column, else um.
    #[arg(long, value_name = "UNIT", value_parser = dose_unit)]
    dose_unit: Option<f64>,
    /// Fit one curve to each experiment. Default: one curve to all experiments of a drug in a cell line.
    #[arg(long, value_enum)]
    by: Option<CurveOf>,
    #[command(flatten)]
    curves: CurveArgs,
    /// Compare the curves of two cell lines, drugs or (with --by experiment) experiments: cell_line=A549,MCF7. Writes the ratio of
    /// potencies and the area between the curves.
    #[arg(long, value_name = "COLUMN=A,B", requires = "compare_out")]
    compare: Option<CurvePair>,
    #[arg(
        long,
        value_name = "FILE",
        requires = "compare",
        help = format!("The file to write the comparisons to: {}", written_endings())
    )]
    compare_out: Option<PathBuf>,
    /// The number of divisions of the control during the assay, for every curve. Adds growth-rate metrics. Default: the column "divisions",
    /// if the table has this column.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    divisions: Option<f64>,
    /// A table of the signals of untreated wells, joined by its cell lines, plates and times, for readings that are raw signals.
    #[arg(long, value_name = "FILE")]
    control: Option<PathBuf>,
    /// A table of the signals when the drug was given, joined like the table of --control. Determines how often the control divided.
    #[arg(long, value_name = "FILE")]
    time_zero: Option<PathBuf>,
    /// A table of the drugs with molar masses (column molar_mass, g/mol) or structures (column smiles), for doses in mass per volume.
    #[arg(long, value_name = "FILE")]
    drugs: Option<PathBuf>,
    #[arg(
        long,
        value_name = "FILE",
        help = format!(
            "Also write the quality of each plate of raw signals (Z', SSMD, signal window, variation of the controls, position effects): {}",
            written_endings()
        )
    )]
    plates: Option<PathBuf>,
    /// Remove position effects from raw signals, as estimated from the untreated wells of each plate: "edge" of the outer rows and
    /// columns, "drift" from the first row or column to the last, or both: edge,drift.
    #[arg(long, value_name = "EFFECTS", value_delimiter = ',', value_enum)]
    correct: Vec<PositionValue>,
    /// Leave out plates that fail: plates without controls, with controls that cross, or with Z' or the variation of the controls beyond
    /// its limit.
    #[arg(long)]
    drop_failed_plates: bool,
    /// The lowest Z' at which a plate passes.
    #[arg(long, value_name = "Z", default_value_t = PlateOptions::default().min_z_prime, allow_negative_numbers = true)]
    min_z_prime: f64,
    /// The highest coefficient of variation of the untreated wells at which a plate passes, as a fraction.
    #[arg(long, value_name = "CV", default_value_t = PlateOptions::default().max_control_cv)]
    max_control_cv: f64,
    /// The curves to fit to readings at several times: "each" fits a curve to each time; "rate" fits a curve to the growth rates of wells
    /// over all times (least squares of log2 signal); "interval" fits a curve to the growth rates from one time to the next. Growth rates
    /// need raw signals with untreated wells.
    #[arg(long, value_enum, value_name = "HOW")]
    times: Option<TimesValue>,
    #[arg(
        long,
        value_name = "FILE",
        help = format!("Also write the growth rate of each well, with --times rate or interval: {}", written_endings())
    )]
    rates: Option<PathBuf>,
    #[command(flatten)]
    table: TableArgs,
    /// Read a large table in parts of this many MiB: text larger than four parts, or gzip or Parquet larger than half a part. The memory
    /// needed hardly depends on the length of the file; rows wait in files in the system's temporary folder (TMPDIR).
    #[arg(long, value_name = "MIB", default_value_t = 16.0, value_parser = part_size)]
    part_size: f64,
    #[arg(long, value_name = "FILE", help = format!("The file to write: {}; - for standard output", written_endings()))]
    out: PathBuf,
    #[command(flatten)]
    pictures: PictureArgs,
}

/// The result of the command: a summary of the curves, and the output files.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    summary: &'a CurvesSummary,
    out: String,
    html: Option<String>,
    svg: Option<String>,
}

/// `halfmax fit-curves`.
pub fn fit_curves(args: &FitCurvesArgs, global: &Global, terminal: Terminal) -> Result<()> {
    global.may_write_all(
        &[
            ("--out", Some(&args.out)),
            ("--compare-out", args.compare_out.as_deref()),
            ("--plates", args.plates.as_deref()),
            ("--rates", args.rates.as_deref()),
            ("--html", args.pictures.html.as_deref()),
        ],
        &args.inputs(),
    )?;
    args.pictures.check(global)?;
    let summary = args.request(global)?.write_held(&args.outputs(), &terminal)?;
    if args.out == Path::new("-") {
        end_phase();
        return Ok(());
    }
    let written = Written {
        summary: &summary,
        out: args.out.display().to_string(),
        html: shown(args.pictures.html.as_deref()),
        svg: shown(args.pictures.svg.as_deref()),
    };
    let text = format!("{} written to {}: {summary}", counted(summary.curves, "curve"), args.out.display());
    terminal.result("curves", &written, &text)
}

impl FitCurvesArgs {
    /// The files that are read.
    fn inputs(&self) -> Vec<&Path> {
        let others = [&self.control, &self.time_zero, &self.drugs, &self.curves.options];
        others.into_iter().flat_map(|file| file.as_deref()).chain([self.raw.as_path()]).collect()
    }

    fn outputs(&self) -> CurvesOutputs {
        CurvesOutputs {
            curves: self.out.clone(),
            comparisons: self.compare_out.clone(),
            plates: self.plates.clone(),
            rates: self.rates.clone(),
            pictures: self.pictures.outputs(),
        }
    }

    fn request(&self, global: &Global) -> Result<CurvesRequest> {
        let part_size = PartSize::of_bytes((self.part_size * f64::from(1 << 20)) as usize);
        Ok(CurvesRequest {
            readings: TableFile { file: self.raw.clone(), options: self.table.options(global)? },
            response: self.response.map(ReadingUnit::from),
            dose_unit: self.dose_unit,
            by_experiment: self.by.is_some(),
            params: self.curves.params()?,
            compare: self.compare.clone(),
            divisions: self.divisions,
            control: self.control.clone(),
            time_zero: self.time_zero.clone(),
            drugs: self.drugs.clone(),
            plates: PlateOptions {
                correct: self.correct.iter().map(|effect| PositionEffectKind::from(*effect)).collect(),
                drop_failed_plates: self.drop_failed_plates,
                min_z_prime: self.min_z_prime,
                max_control_cv: self.max_control_cv,
            },
            times: self.times.map(Times::from),
            part_size: part_size.stopping_when(stopped),
        })
    }
}

/// Parses the value of `--part-size`, in MiB.
fn part_size(text: &str) -> std::result::Result<f64, String> {
    let size = text.parse().ok().filter(|size| (1e-5..=4096.0).contains(size));
    size.ok_or_else(|| "expected a number of MiB above 0, at most 4096".to_owned())
}
