use std::path::{Path, PathBuf};

use halfmax_core::{Error, Result};
use halfmax_data::RunFolder;

use crate::Global;
use crate::config::Config;
use crate::run::Prepared;
use crate::table_args::TableArgs;
use crate::terminal::Terminal;

/// `halfmax data inspect`.
pub fn inspect(paths: &[PathBuf], table: &TableArgs, terminal: Terminal) -> Result<()> {
    let options = table.options()?;
    for path in paths {
        for inspection in halfmax_data::inspect_with(path, &options)? {
            terminal.result("inspection", &inspection, &inspection.to_string())?;
        }
    }
    Ok(())
}

/// `halfmax data check`.
pub fn check(path: &Path, global: &Global, terminal: Terminal) -> Result<()> {
    let config = Config::read(path, &global.overrides)?;
    // The report is this command's result, so it is not also a note.
    let prepared = Prepared::new(&config, Terminal::new(false, true)).map_err(|error| {
        Error::unmet(format!("{}: {error}", path.display()))
            .help(error.advice().unwrap_or("mend the data, then check again").to_owned())
    })?;
    let report = &prepared.loaded.report;
    terminal.result("report", report, &report.to_string())?;
    if let Some(folds) = &prepared.folds {
        folds.check_no_leak(&prepared.loaded.screen)?;
        let text = format!(
            "folds: {} of kind {}, {} responses left out",
            folds.count(),
            folds.kind(),
            folds.left_out()
        );
        let value =
            serde_json::json!({"kind": folds.kind(), "folds": folds.count(), "left_out": folds.left_out()});
        terminal.result("folds", &value, &text)?;
    }
    Ok(())
}

/// `halfmax data list`.
pub fn list(terminal: Terminal) -> Result<()> {
    let manifest = halfmax_data::dataset_manifest("gdsc-core")?;
    let parsed: toml::Table = toml::from_str(manifest)
        .map_err(|error| Error::failed("the dataset's manifest is unreadable").because(error))?;
    let title = parsed.get("title").and_then(toml::Value::as_str).unwrap_or_default();
    terminal.result("dataset", &parsed, &format!("gdsc-core   {title} (embedded)"))
}

/// `halfmax data convert`.
pub fn convert(path: &Path, out: &Path, global: &Global, terminal: Terminal) -> Result<()> {
    let folder = RunFolder::create(out)?;
    let config = Config::read(path, &global.overrides)?;
    let loaded = halfmax_data::load(&config.data, &config.target, Path::new(""), None)?;
    terminal.note(&loaded.report.to_string());
    halfmax_data::write_set(&loaded, &config.name, &config.data.drug_features, &folder)?;
    let folder = folder.finish()?;
    let text =
        format!("{} written: halfmax data check {}", folder.display(), folder.join("screen.toml").display());
    terminal.result("set", &serde_json::json!({"out": folder}), &text)
}
