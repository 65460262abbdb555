use std::path::{Path, PathBuf};

use clap::Args;
use halfmax_core::{Error, Result, Seed};
use serde_json::json;

use crate::Global;
use crate::config::Config;
use crate::explaining::{ExplainParams, Explained, write_tables};
use crate::run::Prepared;
use crate::terminal::Terminal;
use crate::trained::Trained;

/// Say what a trained model's predictions rest on: features, and the mechanisms of resistance that they tell of.
#[derive(Args)]
pub struct ExplainArgs {
    /// The model, in the folder of the run that trained it: config.toml there says where the training data are.
    model: PathBuf,
    /// The report to write, HTML; importance.parquet and mechanisms.parquet are written beside it.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A catalogue of mechanisms, TOML, in place of the one that comes with halfmax.
    #[arg(long, value_name = "FILE")]
    mechanisms: Option<PathBuf>,
    /// Further gene sets, GMT. May be given more than once.
    #[arg(long = "gene-sets", value_name = "FILE")]
    gene_sets: Vec<PathBuf>,
    /// Random sets and permutations that mechanisms are compared with; the configuration's, or 2000, by default.
    #[arg(long, value_name = "N")]
    permutations: Option<usize>,
    /// A training cell line that gets a page of its own. May be given more than once.
    #[arg(long = "cell-line", value_name = "NAME")]
    cell_lines: Vec<String>,
}

/// `halfmax explain`.
pub fn explain(args: &ExplainArgs, global: &Global, terminal: Terminal) -> Result<()> {
    let outputs = ["importance.parquet", "mechanisms.parquet"].map(|name| args.out.with_file_name(name));
    for path in outputs.iter().chain([&args.out]) {
        global.may_write(path)?;
    }
    let Trained { fitted, .. } = Trained::read(&args.model)?;
    let mut config = args.config(global)?;
    config.seed = global.seed.unwrap_or(config.seed);
    let params = args.params(&config);
    params.check()?;
    // Before anything that takes long.
    params.catalogue()?;
    let prepared = Prepared::new(&Config { split: None, ..config.clone() }, terminal)?;
    let name = config.models.first().and_then(|model| model.get("name")).and_then(toml::Value::as_str);
    let name = name.unwrap_or(fitted.family()).to_owned();
    let progress = terminal.progress("explaining");
    let screen = &prepared.loaded.screen;
    let explained = Explained::new((&name, &*fitted), screen, &params, Seed::new(config.seed), &progress)?;
    drop(progress);
    let folder = args.out.parent().unwrap_or(Path::new(""));
    write_tables(folder, std::slice::from_ref(&explained))?;
    let text = format!("report written to {}", args.out.display());
    terminal.result("explained", &json!({"report": args.out}), &text)
}

impl ExplainArgs {
    /// The configuration of the run that the model is of.
    fn config(&self, global: &Global) -> Result<Config> {
        let path = self.model.with_file_name("config.toml");
        if !path.is_file() {
            return Err(Error::config(format!(
                "{}: is not there: expected the configuration that the model was trained with",
                path.display()
            ))
            .help("give the model in the folder that `halfmax train` wrote"));
        }
        Config::read(&path, &global.overrides)
    }

    /// The configuration's parameters with the options in their place.
    fn params(&self, config: &Config) -> ExplainParams {
        let mut params = config.explain.clone().unwrap_or_default();
        if self.mechanisms.is_some() {
            params.mechanisms.clone_from(&self.mechanisms);
        }
        params.gene_sets.extend(self.gene_sets.iter().cloned());
        params.cell_lines.extend(self.cell_lines.iter().cloned());
        params.permutations = self.permutations.unwrap_or(params.permutations);
        params
    }
}
