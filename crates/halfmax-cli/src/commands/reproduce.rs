//! `halfmax reproduce`: repeats a run and compares the results.

use std::path::{Path, PathBuf};

use clap::Args;
use halfmax::{Config, Input, Manifest, PreparedScreen, RunState, Trials, evaluate_into, train_into};
use halfmax_core::{Error, Result};
use halfmax_data::datasets::{DatasetFolder, data_dir, manifest};
use halfmax_data::{RunFolder, read_model, sha256_file};
use halfmax_fetch::content_digest;
use serde_json::json;

use crate::Global;
use crate::terminal::Terminal;

/// Repeat a run and compare the results.
#[derive(Args)]
pub struct ReproduceArgs {
    /// The folder of the run.
    run: PathBuf,
}

/// `halfmax reproduce`.
pub fn reproduce(args: &ReproduceArgs, global: &Global, terminal: Terminal) -> Result<()> {
    let run = args.run.as_path();
    let manifest = read_manifest(run)?;
    let mut config = Config::read(&run.join("config.toml"), &[])?;
    config.data.data_dir.clone_from(&global.data_dir);
    check_inputs(&manifest.inputs, global)?;
    let again = tempfile::tempdir().map_err(|error| {
        Error::failed("a temporary folder cannot be created")
            .with_source(error)
            .with_help("set TMPDIR to a folder with space")
    })?;
    let folder = RunFolder::create(again.path().join("run"))?;
    // A search with a time limit depends on the machine's speed, so the search reuses the trials of the run.
    let timed = config.tune.as_ref().is_some_and(|tune| tune.seconds.is_some());
    let state = RunState::in_memory(if timed { Trials::of_run(run)? } else { Vec::new() });
    let prepared = PreparedScreen::load(&config, &terminal)?;
    let outcome = match manifest.command.as_str() {
        "train" => train_into(&config, &prepared, &state, &folder, &terminal).map(|_| ()),
        "evaluate" => evaluate_into(&config, &prepared, &state, &folder, &terminal).map(|_| ()),
        other => {
            Err(Error::data(format!("manifest.json: unknown command {other:?}, expected train or evaluate")))
        }
    };
    outcome.map_err(|error| error.with_context(run.display()))?;
    let again = folder.finish()?;
    let differs = differences(&manifest.command, run, &again)?;
    if !differs.is_empty() {
        return Err(Error::check_failed(format!("{}: differs in {}", run.display(), differs.join(", ")))
            .with_help(format!(
                "halfmax {} made the run; this is halfmax {}",
                manifest.version,
                env!("CARGO_PKG_VERSION")
            )));
    }
    terminal.result("reproduced", &json!({"identical": true}), &format!("{}: identical", run.display()))
}

fn read_manifest(run: &Path) -> Result<Manifest> {
    let path = run.join("manifest.json");
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Error::data(format!("{}: cannot be read", path.display()))
            .with_source(error)
            .with_help("name a folder that `halfmax train` or `halfmax evaluate` wrote")
    })?;
    serde_json::from_str(&text).map_err(|error| {
        Error::data(format!("{}: is not the manifest of a run", path.display())).with_source(error)
    })
}

fn check_inputs(inputs: &[Input], global: &Global) -> Result<()> {
    for input in inputs {
        // Embedded files come with the program.
        if input.path.starts_with("dataset:") {
            continue;
        }
        let fetched =
            input.dataset.as_deref().map(|label| fetched_file(label, global)).transpose()?.flatten();
        let path = fetched.as_ref().map_or_else(|| PathBuf::from(&input.path), |(path, _)| path.clone());
        let now = sha256_file(&path)?;
        // Two machines may write the same table in different bytes.
        let content = fetched.and_then(|(_, content)| content);
        let same_table = || content.is_some_and(|own| content_digest(&path).is_ok_and(|found| found == own));
        if now != input.sha256 && !same_table() {
            return Err(Error::check_failed(format!(
                "{}: has changed since the run: SHA-256 {now}, expected {}",
                path.display(),
                input.sha256
            ))
            .with_help("restore the original file, or run again under a new name"));
        }
    }
    Ok(())
}

/// The path and the checksum of the content of a fetched dataset's file, from the file's label `dataset:NAME/FILE`.
fn fetched_file(label: &str, global: &Global) -> Result<Option<(PathBuf, Option<String>)>> {
    let parts = label.strip_prefix("dataset:").and_then(|rest| rest.split_once('/'));
    let Some((name, file)) = parts else { return Ok(None) };
    let Some(manifest) = manifest(name)? else { return Ok(None) };
    let folder = DatasetFolder::new(manifest, &data_dir(global.data_dir.as_deref())?);
    let Some(file) = folder.manifest.file.iter().find(|own| own.name == file) else { return Ok(None) };
    folder.entry(file)?;
    Ok(Some((folder.path.join(&file.name), file.content.clone())))
}

/// The files in which the predictions or metrics of two runs differ.
fn differences(command: &str, run: &Path, again: &Path) -> Result<Vec<String>> {
    if command == "train" {
        let (before, after) =
            (read_model(run.join("model.halfmax"))?, read_model(again.join("model.halfmax"))?);
        let same = before.0.family == after.0.family && before.1 == after.1;
        return Ok(if same { vec![] } else { vec!["model.halfmax".into()] });
    }
    let mut differs = Vec::new();
    if sha256_file(run.join("predictions.parquet"))? != sha256_file(again.join("predictions.parquet"))? {
        differs.push("predictions.parquet".into());
    }
    if metrics(run)? != metrics(again)? {
        differs.push("metrics.json".into());
    }
    Ok(differs)
}

/// The metrics of a run without the times, which depend on the machine's speed.
fn metrics(run: &Path) -> Result<serde_json::Value> {
    let path = run.join("metrics.json");
    let unreadable = || Error::data(format!("{}: cannot be read", path.display()));
    let text = std::fs::read_to_string(&path).map_err(|error| unreadable().with_source(error))?;
    let mut value = serde_json::from_str(&text).map_err(|error| unreadable().with_source(error))?;
    drop_seconds(&mut value);
    Ok(value)
}

fn drop_seconds(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.retain(|key, _| !key.ends_with("_seconds"));
            fields.values_mut().for_each(drop_seconds);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(drop_seconds),
        _ => {}
    }
}
