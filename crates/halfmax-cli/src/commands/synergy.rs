//! `halfmax synergy`: scores dose matrices of two or more drugs.

use std::path::{Path, PathBuf};

use clap::Args;
use halfmax::dose::DoseOptions;
use halfmax::dose::synergy::{
    Baseline, BlockFit, Cooperativity, CurvePrior, FitOptions, MatrixLayout, MaximalEffect, Missing,
    ScoredBlock, SynergyModel, SynergyOutputs, SynergyParams, SynergyRequest, SynergySummary,
};
use halfmax_core::{Error, Result};
use halfmax_data::{GridDoses, ReadingUnit, TableFile, counted, written_endings};
use serde::Serialize;

use crate::Global;
use crate::picture_args::{PictureArgs, shown};
use crate::table_args::{TableArgs, dose_unit};
use crate::terminal::{Terminal, end_phase};
use crate::values::{
    BaselineValue, FitValue, GammaValue, LayoutValue, MaximumValue, PriorValue, ReadingValue, SynergyValue,
};

/// The most blocks that are printed as text.
const PRINTED: usize = 20;

/// Score dose matrices of two or more drugs: HSA, Bliss, Loewe, ZIP.
#[derive(Args)]
pub struct SynergyArgs {
    /// The readings: columns of two or more drugs, their doses, and viabilities or inhibitions; optionally of blocks, cell lines and
    /// units. Columns are recognised by name. The dose of a drug is 0 where the other drugs are alone.
    matrix: PathBuf,
    /// A TOML file of options, in a table named synergy (models, baseline, bootstrap, missing, confidence). Flags override the file.
    #[arg(long, value_name = "FILE")]
    options: Option<PathBuf>,
    /// Reference models to score against. Default: hsa,bliss,loewe,zip.
    #[arg(long, value_delimiter = ',', value_enum)]
    models: Vec<SynergyValue>,
    /// Baseline correction, as in SynergyFinder: "none", "part" (negative wells only) or "all". Default: none.
    #[arg(long, value_enum)]
    baseline: Option<BaselineValue>,
    /// The prior of the curves of single drugs and of ZIP's rows and columns: "learnt" from all blocks of the file (the distributions of
    /// Hill slopes, tops and errors; nothing is learnt from fewer than twenty curves), or "none" for plain least squares.
    #[arg(long, value_name = "PRIOR", default_value = "learnt", value_enum)]
    hill_prior: PriorValue,
    /// The number of bootstrap draws over replicates for intervals and p values; 0 for none. Default: 200.
    #[arg(long, value_name = "N")]
    bootstrap: Option<usize>,
    /// The confidence level of intervals, as a fraction. Default: 0.95.
    #[arg(long, value_name = "SHARE")]
    confidence: Option<f64>,
    /// Fill in cells without a reading: cells of a single drug from its curve, cells of several drugs with the mean of the curves fitted
    /// through the lines of the cell, as in ZIP. Filled cells are marked (column imputed) and counted. Default: the cells stay empty.
    #[arg(long)]
    impute: bool,
    /// A table of readings of single drugs, joined by cell line and drug, for matrices without these readings or in addition
    /// to the readings of the matrices.
    #[arg(long, value_name = "FILE")]
    single_agents: Option<PathBuf>,
    /// The unit of the readings: viability or inhibition, in percent or as fractions of the control. Default: the column's name or the
    /// untreated wells decide between viability and inhibition, and the name or the range of all readings decides the scale.
    #[arg(long, value_enum)]
    response: Option<ReadingValue>,
    /// The unit of all doses: um, nm, pm, mm or m. Default: the columns of units, else the names of the dose columns, else um.
    #[arg(long, value_name = "UNIT", value_parser = dose_unit)]
    dose_unit: Option<f64>,
    /// The names of the two drugs if the table does not name them: "FIRST,SECOND". For a grid, the first drug is the drug of the rows,
    /// the second drug that of the columns.
    #[arg(long, value_name = "FIRST,SECOND")]
    drugs: Option<String>,
    /// The layout of the readings. A list has one row per well; a grid has one row per dose of the first drug and one column per dose of
    /// the second drug, with the doses on its edges.
    #[arg(long, value_enum, default_value = "list")]
    layout: LayoutValue,
    /// The doses of a grid's rows, if the doses are not on its edge.
    #[arg(long, value_name = "DOSES", value_delimiter = ',', requires = "doses_b")]
    doses_a: Option<Vec<f64>>,
    /// The doses of a grid's columns, if the doses are not on its edge.
    #[arg(long, value_name = "DOSES", value_delimiter = ',', requires = "doses_a")]
    doses_b: Option<Vec<f64>>,
    /// Further fits to each block: musyc and braid (response surfaces of two drugs, with intervals of the parameters at the level of --confidence), ci
    /// (combination index of each cell, from median-effect lines and from fitted curves), css (sensitivity scores: CSS, RI and, for two
    /// drugs, S).
    #[arg(long, value_delimiter = ',', value_enum)]
    fits: Vec<FitValue>,
    /// MuSyC: whether one drug may change the steepness of the other drug's curve (gamma fitted) or not (gamma one: fewer parameters, for
    /// matrices with few doses).
    #[arg(long, value_enum, default_value = "fitted")]
    musyc_gamma: GammaValue,
    /// BRAID: whether the maximal effect of both drugs together may exceed that of the stronger drug (fitted) or not (stronger).
    #[arg(long, value_enum, default_value = "fitted")]
    braid_maximum: MaximumValue,
    #[command(flatten)]
    table: TableArgs,
    #[arg(
        long,
        value_name = "FILE",
        help = format!("The file to write, one row per block and cell: {}; - for standard output", written_endings())
    )]
    out: PathBuf,
    /// A second file to write, one row per block: the curves of the single drugs, mean scores, intervals, and the three neighbouring
    /// doses of each drug with the highest mean score.
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    #[command(flatten)]
    pictures: PictureArgs,
}

/// The result of the command: a summary of the scores, and the output files.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    scored: &'a SynergySummary,
    out: String,
    summary: Option<String>,
    html: Option<String>,
    svg: Option<String>,
}

/// `halfmax synergy`.
pub fn synergy(args: &SynergyArgs, global: &Global, terminal: Terminal) -> Result<()> {
    let (request, outputs) = (args.request(global)?, args.outputs());
    request.check()?;
    let with_flag =
        |error: Error| error.with_help("name a file for the table of blocks: --summary blocks.csv");
    request.check_outputs(&outputs).map_err(with_flag)?;
    global.may_write_all(
        &[
            ("--out", Some(&args.out)),
            ("--summary", args.summary.as_deref()),
            ("--html", args.pictures.html.as_deref()),
        ],
        &args.inputs(),
    )?;
    args.pictures.check(global)?;
    if args.out == Path::new("-") {
        request.write_held(&outputs, &mut |_| Ok(()), &terminal)?;
        end_phase();
        return Ok(());
    }
    let mut printed = 0;
    let print = &mut |block: ScoredBlock| {
        printed += 1;
        match terminal.is_json() || printed <= PRINTED {
            true => terminal.result_meanwhile("block", &block, &block.to_string()),
            false => Ok(()),
        }
    };
    let scored = request.write_held(&outputs, print, &terminal)?;
    args.conclude(&scored, terminal)
}

impl SynergyArgs {
    /// The files that are read.
    fn inputs(&self) -> Vec<&Path> {
        let others = [&self.single_agents, &self.options];
        others.into_iter().flat_map(|file| file.as_deref()).chain([self.matrix.as_path()]).collect()
    }

    fn outputs(&self) -> SynergyOutputs {
        SynergyOutputs {
            cells: self.out.clone(),
            blocks: self.summary.clone(),
            pictures: self.pictures.outputs(),
        }
    }

    fn request(&self, global: &Global) -> Result<SynergyRequest> {
        let options = self.options.as_ref().map(DoseOptions::read).transpose()?.unwrap_or_default();
        Ok(SynergyRequest {
            readings: TableFile { file: self.matrix.clone(), options: self.table.options(global)? },
            layout: self.matrix_layout()?,
            response: self.response.map(ReadingUnit::from),
            dose_unit: self.dose_unit,
            single_agents: self.single_agents.clone(),
            params: self.params(options.synergy),
            hill_prior: CurvePrior::from(self.hill_prior),
            fits: FitOptions {
                fits: self.fits.iter().map(|fit| BlockFit::from(*fit)).collect(),
                musyc_gamma: Cooperativity::from(self.musyc_gamma),
                braid_maximum: MaximalEffect::from(self.braid_maximum),
            },
            seed: global.seed.or(options.seed).unwrap_or(1),
        })
    }

    /// The parameters of the scores. Flags override the file of options.
    fn params(&self, mut params: SynergyParams) -> SynergyParams {
        params.baseline = self.baseline.map_or(params.baseline, Baseline::from);
        if !self.models.is_empty() {
            params.models = self.models.iter().map(|model| SynergyModel::from(*model)).collect();
        }
        if self.impute {
            params.missing = Missing::Imputed;
        }
        params.bootstrap = self.bootstrap.unwrap_or(params.bootstrap);
        params.confidence = self.confidence.unwrap_or(params.confidence);
        params
    }

    fn matrix_layout(&self) -> Result<MatrixLayout> {
        let drugs = self.drugs.as_deref().map(pair_of_drugs).transpose()?;
        let doses = GridDoses { rows: self.doses_a.clone(), columns: self.doses_b.clone() };
        match (self.layout, drugs) {
            (LayoutValue::Grid, Some(drugs)) => Ok(MatrixLayout::Grid { drugs, doses }),
            (LayoutValue::Grid, None) => {
                Err(Error::config("--layout grid: the names of the drugs are missing")
                    .with_help("name the drugs: --drugs \"ROWS,COLUMNS\""))
            }
            _ if doses.rows.is_some() => {
                Err(Error::config("--doses-a, --doses-b: only grids take these options")
                    .with_help("add --layout grid"))
            }
            (LayoutValue::List, drugs) => Ok(MatrixLayout::List { drugs }),
        }
    }

    fn conclude(&self, scored: &SynergySummary, terminal: Terminal) -> Result<()> {
        let written = Written {
            scored,
            out: self.out.display().to_string(),
            summary: shown(self.summary.as_deref()),
            html: shown(self.pictures.html.as_deref()),
            svg: shown(self.pictures.svg.as_deref()),
        };
        let more = scored.blocks.saturating_sub(PRINTED);
        let more = if more > 0 { format!("… and {more} more\n") } else { String::new() };
        let text = format!(
            "{more}{} written to {}; scores are percentage points of inhibition (above 0: synergy)",
            counted(scored.blocks, "block"),
            self.out.display()
        );
        terminal.result("synergy", &written, &text)
    }
}

/// The drugs of `--drugs`.
fn pair_of_drugs(text: &str) -> Result<[String; 2]> {
    let names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    match names.as_slice() {
        [a, b] => Ok([(*a).to_owned(), (*b).to_owned()]),
        _ => Err(Error::parameter("--drugs", text, "the names of two drugs, separated by a comma")),
    }
}
