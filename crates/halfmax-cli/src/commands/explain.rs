//! `halfmax explain`: reports which features a trained model's predictions rest on.

use std::path::{Path, PathBuf};

use clap::Args;
use halfmax::explain::{ExplainParams, ExplainRequest, check_explain, positions_of, write_tables};
use halfmax::report::{Reporting, SampleTables};
use halfmax::{Config, Manifest, ModelFacts, PreparedScreen, Remedy, TrainedModel, sensitive_end};
use halfmax_core::{End, EntityTable, Error, FeatureSpace, Result};
use halfmax_data::{InputFile, OutputSet, read_cells_for_scoring, refuse_other_scales};
use serde_json::json;

use crate::Global;
use crate::terminal::Terminal;
use crate::values::EndValue;

/// Show which features a trained model's predictions rest on, and which mechanisms of resistance these features indicate.
#[derive(Args)]
pub struct ExplainArgs {
    /// The model file, in the folder of the run that trained the model. The config.toml in this folder names the training data.
    model: PathBuf,
    /// The HTML report to write. halfmax writes importance.parquet, mechanisms.parquet and findings.parquet into the same folder.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A TOML catalogue of mechanisms, which replaces the catalogue of halfmax.
    #[arg(long, value_name = "FILE")]
    mechanisms: Option<PathBuf>,
    /// A GMT file of further gene sets. May be given more than once.
    #[arg(long = "gene-sets", value_name = "FILE")]
    gene_sets: Vec<PathBuf>,
    /// The number of random sets and permutations to compare mechanisms with. Default: the number in the configuration, else 2000.
    #[arg(long, value_name = "N")]
    permutations: Option<usize>,
    /// A cell line to write a page for, from the training data or from --cells. May be given more than once.
    #[arg(long = "cell-line", value_name = "NAME")]
    cell_lines: Vec<String>,
    /// Features of cell lines to explain predictions for, as in `halfmax score`. Each cell line gets a page, or only the cell lines
    /// that --cell-line names. May be given more than once.
    #[arg(long, value_name = "FILE")]
    cells: Vec<PathBuf>,
    /// The end of the scale at which cell lines are sensitive. Needed only if the model's target does not imply the end (a z-score).
    #[arg(long, value_name = "END", value_enum)]
    sensitive: Option<EndValue>,
}

/// The most cell lines of `--cells` that get pages without `--cell-line`.
const MOST_CELLS: usize = 50;

/// `halfmax explain`.
pub fn explain(args: &ExplainArgs, global: &Global, terminal: Terminal) -> Result<()> {
    args.check_out()?;
    let outputs = ["importance.parquet", "mechanisms.parquet", "findings.parquet"]
        .map(|name| args.out.with_file_name(name));
    let lists = args.cells.iter().chain(&args.gene_sets).map(PathBuf::as_path);
    let inputs: Vec<&Path> = lists.chain(args.mechanisms.as_deref()).chain([args.model.as_path()]).collect();
    for path in [&args.out].into_iter().chain(&outputs) {
        global.may_write(path, &inputs)?;
    }
    let TrainedModel { fitted, facts, .. } = TrainedModel::read(&args.model, &terminal)?;
    let mut config = args.config(global)?;
    config.seed = global.seed.unwrap_or(config.seed);
    let params = args.params(&config);
    params.check()?;
    let others = args.other_cells(&facts, fitted.space(0), global, terminal)?;
    config.explain = Some(params);
    let mut prepared = PreparedScreen::load(&Config { split: None, ..config.clone() }, &terminal)?;
    check_same(&facts, &prepared.loaded.inputs)?;
    let target = &mut prepared.loaded.target;
    target.sensitive = args.sensitive.map(End::from).or(target.sensitive);
    let place = args.model.display();
    sensitive_end(target, "an explanation", Remedy::CommandLine)
        .map_err(|error| error.with_context(place))?;
    let loaded = &prepared.loaded;
    let screen = &loaded.screen;
    // Check before the slow steps.
    check_explain(&config, loaded)?;
    let mut manifest = Manifest::new("explain", &config, &prepared.loaded.inputs);
    manifest.add_file(&args.model)?;
    let mut reporting = Reporting::new(&config, &manifest, loaded)?;
    let name = config.models.first().and_then(|model| model.get("name")).and_then(toml::Value::as_str);
    let name = name.unwrap_or(fitted.family()).to_owned();
    let mut tables: Vec<&EntityTable> = (0..screen.sides.len()).map(|side| screen.table(side)).collect();
    let widths = |tables: &[&EntityTable]| facts.intervals.as_ref().map(|own| own.widths(tables)).transpose();
    let own = widths(&tables)?;
    let request = ExplainRequest { name: &name, model: &*fitted, config: &config, loaded, widths: own };
    let explained = request.explain_into(&mut reporting, &terminal)?;
    if let Some((table, cells)) = others {
        tables[0] = &table;
        let widths = widths(&tables)?;
        reporting.add_samples(&*fitted, &explained, &SampleTables { tables, cells, widths })?;
    }
    let folder = args.out.parent().unwrap_or(Path::new(""));
    let files = OutputSet::of(&args.out);
    write_tables(folder, std::slice::from_ref(&explained), Some(&files))?;
    files.write(&args.out, |file| file.write_all(reporting.html().as_bytes()))?;
    files.finish()?;
    let text = format!("report written to {}", args.out.display());
    terminal.result("explained", &json!({"report": args.out.display().to_string()}), &text)
}

/// Refuses files that differ from the files that the model was trained on.
fn check_same(facts: &ModelFacts, inputs: &[InputFile]) -> Result<()> {
    for input in inputs {
        let name = input.path.rsplit(['/', '\\']).next().unwrap_or(&input.path);
        let known = facts.training_files.get(name);
        if known.is_some_and(|digests| digests.split(' ').all(|digest| digest != input.sha256)) {
            return Err(Error::data(format!(
                "{}: differs from the file that the model was trained on",
                input.path
            ))
            .with_help("restore the original file, or train the model again"));
        }
    }
    Ok(())
}

impl ExplainArgs {
    /// The configuration of the run that trained the model.
    fn config(&self, global: &Global) -> Result<Config> {
        let path = self.model.with_file_name("config.toml");
        if !path.is_file() {
            return Err(Error::config(format!(
                "{}: no such file: expected the configuration that the model was trained with",
                path.display()
            ))
            .with_help("name the model file in the folder that `halfmax train` wrote"));
        }
        global.read_config(&path)
    }

    /// Refuses a report whose name does not end in .html or .htm, and creates the folder of the report.
    fn check_out(&self) -> Result<()> {
        let ending = self.out.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if !matches!(ending, "html" | "htm") {
            return Err(Error::config(format!(
                "--out {}: expected a name that ends in .html",
                self.out.display()
            ))
            .with_help("the report is one HTML file"));
        }
        let folder = self.out.parent().filter(|folder| !folder.as_os_str().is_empty());
        match folder.filter(|folder| !folder.is_dir()) {
            None => Ok(()),
            Some(folder) => std::fs::create_dir_all(folder).map_err(|error| {
                Error::failed(format!("{}: the folder cannot be created", folder.display()))
                    .with_source(error)
            }),
        }
    }

    /// The cell lines of `--cells`, and the positions of the cell lines that get a page.
    fn other_cells(
        &self,
        facts: &ModelFacts,
        space: &FeatureSpace,
        global: &Global,
        terminal: Terminal,
    ) -> Result<Option<(EntityTable, Vec<u32>)>> {
        if self.cells.is_empty() {
            return Ok(None);
        }
        if facts.single_agents.is_some() {
            return Err(Error::config(format!(
                "{}: was trained with single-agent responses, which files of cell lines do not contain",
                self.model.display()
            ))
            .with_help("leave out --cells, and name cell lines of the training data with --cell-line"));
        }
        let files: Vec<_> =
            self.cells.iter().map(|path| Ok((global.table(path)?, None))).collect::<Result<_>>()?;
        let (cells, reports) = read_cells_for_scoring(&files, Some(space), None)?;
        reports.iter().for_each(|report| terminal.note(&report.to_string()));
        refuse_other_scales(&facts.scales, &cells, space)?;
        if self.cell_lines.is_empty() && cells.len() > MOST_CELLS {
            return Err(Error::config(format!(
                "--cells: found {} cell lines, expected at most {MOST_CELLS} without --cell-line",
                cells.len()
            ))
            .with_help("name the cell lines to write pages for: --cell-line NAME"));
        }
        let mut positions = positions_of(&self.cell_lines, &cells)?;
        if positions.is_empty() {
            positions = (0..cells.len() as u32).collect();
        }
        Ok(Some((cells, positions)))
    }

    /// The parameters of the configuration, which the options replace or extend.
    fn params(&self, config: &Config) -> ExplainParams {
        let mut params = config.explain.clone().unwrap_or_default();
        if self.mechanisms.is_some() {
            params.mechanisms.clone_from(&self.mechanisms);
        }
        params.gene_sets.extend(self.gene_sets.iter().cloned());
        // With --cells, --cell-line names cell lines of these files.
        if self.cells.is_empty() {
            params.cell_lines.extend(self.cell_lines.iter().cloned());
        }
        params.permutations = self.permutations.unwrap_or(params.permutations);
        params
    }
}
