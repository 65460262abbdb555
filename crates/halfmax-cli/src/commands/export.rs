//! `halfmax export`: writes a trained model in another program's format.

use std::any::Any;
use std::path::{Path, PathBuf};

use clap::Args;
use halfmax::TrainedModel;
use halfmax_boost::FittedBoost;
use halfmax_core::{Error, FittedModel, Result};
use halfmax_data::OutputSet;
use serde_json::json;

use crate::Global;
use crate::terminal::Terminal;
use crate::values::ExportFormat;

/// Write a trained model in another program's format.
#[derive(Args)]
pub struct ExportArgs {
    /// The model file.
    model: PathBuf,
    /// The format to write.
    #[arg(long, value_enum)]
    format: ExportFormat,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `halfmax export`.
pub fn export(args: &ExportArgs, global: &Global, terminal: Terminal) -> Result<()> {
    match args.format {
        ExportFormat::Lightgbm => to_lightgbm(&args.model, &args.out, global, terminal),
    }
}

fn to_lightgbm(model: &Path, out: &Path, global: &Global, terminal: Terminal) -> Result<()> {
    let columns = out.with_added_extension("columns.json");
    for path in [out, columns.as_path()] {
        global.may_write(path, &[model])?;
    }
    let TrainedModel { fitted, .. } = TrainedModel::read(model, &terminal)?;
    let Some(fitted) = (&*fitted as &dyn Any).downcast_ref::<FittedBoost>() else {
        return Err(Error::config(format!(
            "{}: a model of family {:?} has no trees to export",
            model.display(),
            fitted.family()
        ))
        .with_help("export a model of family \"boost\""));
    };
    if fitted.is_symmetric() {
        return Err(Error::config(format!(
            "{}: predicts combinations as the mean of its trees over both orders of the drugs; LightGBM evaluates only one order",
            model.display()
        ))
        .with_help("export a model of single drugs"));
    }
    let text = halfmax_boost::to_lightgbm(fitted);
    let files = OutputSet::of(out);
    files.write(out, |file| file.write_all(text.as_bytes()))?;
    // The format has no place for the meaning of columns, so a second file describes the columns.
    let described = halfmax_boost::lightgbm_columns(fitted).to_string();
    files.write(&columns, |file| file.write_all(described.as_bytes()))?;
    files.finish()?;
    let facts = json!({"family": fitted.family(), "trees": fitted.trees().len(), "bytes": text.len()});
    let text = format!(
        "{} trees written to {}, and the meaning of their columns to {}",
        fitted.trees().len(),
        out.display(),
        columns.display()
    );
    terminal.result("export", &facts, &text)
}
