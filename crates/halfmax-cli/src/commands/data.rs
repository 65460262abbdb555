//! `halfmax data`: fetches, inspects, checks and converts data.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use halfmax::report::{Looked, quality_html};
use halfmax::{Config, PreparedScreen, memory};
use halfmax_core::{Error, Result, Silent};
use halfmax_data::datasets::{
    DATASETS, DatasetFolder, Manifest, State, Verified, data_dir, dataset_manifest, manifest, manifests,
};
use halfmax_data::{Inspection, LeftOut, LoadReport, Quality, RunFolder, write_atomically};
use halfmax_fetch::{Action, FetchedDataset, Fetcher};
use serde_json::json;

use crate::Global;
use crate::table_args::TableArgs;
use crate::terminal::Terminal;

/// Fetch datasets, and inspect data before you use them.
#[derive(Subcommand)]
pub enum DataCommand {
    /// Report the kind of each file, how well its ids match, and what looks wrong.
    Inspect {
        /// The files.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        #[command(flatten)]
        table: TableArgs,
        /// Also write a report on the quality of the data, as one HTML file.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
    },
    /// Load all data of a configuration, and report how the files join.
    Check {
        /// The configuration.
        config: PathBuf,
        /// Also write a report on the quality of the data, as one HTML file.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
    },
    /// Write all data of a configuration to a folder of Parquet files, with a configuration that reads these files.
    Convert {
        /// The configuration.
        config: PathBuf,
        /// The folder to write, which must be empty or not exist yet.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// List the datasets, and which of them are fetched.
    List,
    /// Fetch datasets, so that configurations with dataset = "NAME" run.
    Fetch {
        /// The names of the datasets, as in `halfmax data list`.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// A folder with files to copy instead of downloading them, named as by the publisher or as in the dataset.
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
    },
}

/// `halfmax data …`.
pub fn data(command: &DataCommand, global: &Global, terminal: Terminal) -> Result<()> {
    match command {
        DataCommand::Inspect { paths, table, html } => {
            inspect(paths, table, html.as_deref(), global, terminal)
        }
        DataCommand::Convert { config, out } => convert(config, out, global, terminal),
        DataCommand::Check { config, html } => check(config, html.as_deref(), global, terminal),
        DataCommand::List => list(global, terminal),
        DataCommand::Fetch { names, from } => fetch(names, from.as_deref(), global, terminal),
    }
}

/// `halfmax data inspect`.
fn inspect(
    paths: &[PathBuf],
    table: &TableArgs,
    html: Option<&Path>,
    global: &Global,
    terminal: Terminal,
) -> Result<()> {
    let options = table.options(global)?;
    let inputs: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    html.map_or(Ok(()), |path| global.may_write(path, &inputs))?;
    let mut all: Vec<(Inspection, Quality)> = Vec::new();
    for path in paths {
        let inspections = halfmax_data::inspect_with(path, &options)?;
        let qualities = Quality::of_inspected(path, &options, &inspections)?;
        for (inspection, quality) in inspections.into_iter().zip(qualities) {
            terminal.result("inspection", &inspection, &inspection.to_string())?;
            print_quality(&quality, terminal)?;
            all.push((inspection, quality));
        }
    }
    let Some(path) = html else { return Ok(()) };
    let looked: Vec<Looked<'_>> = all
        .iter()
        .map(|(inspection, quality)| Looked {
            quality,
            notes: std::iter::once(inspection.shape.to_string())
                .chain(inspection.notes.iter().cloned())
                .collect(),
            warnings: inspection.problems.clone(),
        })
        .collect();
    let names: Vec<String> = all.iter().map(|(inspection, _)| inspection.shape.file.clone()).collect();
    write_report(path, "Quality of data", &halfmax_core::listed(&names, 5), &looked, terminal)
}

/// `halfmax data check`.
fn check(path: &Path, html: Option<&Path>, global: &Global, terminal: Terminal) -> Result<()> {
    let config = global.read_recipe(path, terminal)?;
    html.map_or(Ok(()), |html| global.may_write(html, &[path]))?;
    config.notes.iter().for_each(|note| terminal.note(note));
    // The report is this command's result, so it is not also a note.
    let prepared = PreparedScreen::load(&config, &Silent).map_err(|error| {
        Error::check_failed(format!("{}: {error}", path.display()))
            .with_help(error.help().unwrap_or("correct the data, then check again").to_owned())
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
    let quality = Quality::of_loaded(&prepared.loaded, &config.data, Path::new(""))?;
    print_quality(&quality, terminal)?;
    let models = check_memory(&config, &prepared, terminal);
    let Some(html) = html else { return models };
    let looked = [Looked { quality: &quality, notes: left_out(report), warnings: report.warnings.clone() }];
    write_report(
        html,
        &format!("Quality of the data of {}", config.name),
        &path.display().to_string(),
        &looked,
        terminal,
    )?;
    models
}

/// The smallest forecast that is printed as text, in bytes.
const LEAST_PRINTED: u64 = 1_000_000_000;

/// Reports the memory that the models of a configuration need, and refuses data that a model family cannot fit.
fn check_memory(config: &Config, prepared: &PreparedScreen, terminal: Terminal) -> Result<()> {
    let memory = memory::check(config, prepared)?;
    for forecast in &memory.forecasts {
        if forecast.bytes >= LEAST_PRINTED || terminal.is_json() {
            terminal.result("memory", forecast, &format!("memory: {}", forecast.in_words()))?;
        }
    }
    memory.problem.map_or(Ok(()), Err)
}

/// What was left out, one sentence for each reason.
fn left_out(report: &LoadReport) -> Vec<String> {
    let sentence = |left: &LeftOut| {
        let examples =
            if left.examples.is_empty() { String::new() } else { format!(" ({})", left.examples.join(", ")) };
        format!("left out: {} {}, {}{examples}", left.count, left.what, left.why)
    };
    report.left_out.iter().map(sentence).collect()
}

/// Prints the noteworthy findings; as JSON, all findings.
fn print_quality(quality: &Quality, terminal: Terminal) -> Result<()> {
    let text = quality.to_string();
    if text.is_empty() && !terminal.is_json() {
        return Ok(());
    }
    terminal.result("quality", quality, &text)
}

fn write_report(
    path: &Path,
    title: &str,
    subtitle: &str,
    looked: &[Looked<'_>],
    terminal: Terminal,
) -> Result<()> {
    let html = quality_html(title, subtitle, looked);
    write_atomically(path, |file| file.write_all(html.as_bytes()))?;
    terminal.note(&format!("wrote {}", path.display()));
    Ok(())
}

/// `halfmax data list`.
fn list(global: &Global, terminal: Terminal) -> Result<()> {
    for name in DATASETS {
        let parsed: toml::Table = toml::from_str(dataset_manifest(name)?)
            .map_err(|error| Error::failed("the dataset's manifest is unreadable").with_source(error))?;
        let text = |key: &str| parsed.get(key).and_then(toml::Value::as_str).unwrap_or_default();
        let line = line(name, State::Embedded, "", text("title"), text("licence"));
        terminal.result("dataset", &described(&parsed, State::Embedded, None), &line)?;
    }
    let data_dir = data_dir(global.data_dir.as_deref())?;
    for manifest in manifests()? {
        let folder = DatasetFolder::new(manifest, &data_dir);
        let (manifest, state) = (&folder.manifest, folder.state()?);
        let size = manifest.bytes().map_or_else(|| "size unknown".to_owned(), size);
        let mut line = line(&manifest.name, state, &size, &manifest.title, &manifest.licence);
        if !manifest.tried {
            line.push_str(" · addresses not tried");
        }
        terminal.result("dataset", &described(manifest, state, Some(&folder.path)), &line)?;
    }
    terminal.note(&format!("datasets are fetched into {}", data_dir.display()));
    Ok(())
}

fn line(name: &str, state: State, size: &str, title: &str, licence: &str) -> String {
    let state = match state {
        State::Embedded => "embedded",
        State::Fetched => "fetched",
        State::Partly => "partly fetched",
        State::NotFetched => "not fetched",
    };
    format!("{name:<14} {state:<14} {size:>12}  {title} · {licence}")
}

/// A manifest with the state and the folder of the dataset.
fn described(manifest: &impl serde::Serialize, state: State, folder: Option<&Path>) -> serde_json::Value {
    let mut value = serde_json::to_value(manifest).unwrap_or_default();
    if let serde_json::Value::Object(fields) = &mut value {
        fields.insert("state".into(), json!(state));
        fields.extend(folder.map(|folder| ("folder".to_owned(), json!(folder))));
    }
    value
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

/// `halfmax data fetch`.
fn fetch(names: &[String], from: Option<&Path>, global: &Global, terminal: Terminal) -> Result<()> {
    if let Some(from) = from.filter(|from| !from.is_dir()) {
        return Err(Error::config(format!("--from {}: no such folder", from.display()))
            .with_help("name the folder that holds the files"));
    }
    let from = from.map(std::path::absolute).transpose();
    let from =
        from.map_err(|error| Error::config("--from: the path cannot be made absolute").with_source(error))?;
    // Check all names first: a misspelt name must not wait for a download.
    let wanted = names.iter().map(|name| Ok((name, manifest(name)?))).collect::<Result<Vec<_>>>()?;
    let fetcher = Fetcher { data_dir: data_dir(global.data_dir.as_deref())?, from, ..Fetcher::default() };
    for (name, manifest) in wanted {
        let Some(manifest) = manifest else {
            terminal.note(&format!("{name} is part of the program: there is nothing to fetch"));
            continue;
        };
        announce(&manifest, terminal);
        let progress = terminal.bytes("fetching");
        let fetched = fetcher.fetch(&manifest, &progress)?;
        drop(progress);
        report(&manifest, &fetched, terminal)?;
    }
    Ok(())
}

/// Prints the title, the licence and the note of a dataset.
fn announce(manifest: &Manifest, terminal: Terminal) {
    terminal.note(&format!("{}: {}\n  licence: {}", manifest.name, manifest.title, manifest.licence));
    if let Some(note) = &manifest.note {
        terminal.note(&format!("  note: {note}"));
    }
}

fn report(manifest: &Manifest, fetched: &FetchedDataset, terminal: Terminal) -> Result<()> {
    let action = |action: Action| match action {
        Action::Kept => "was there",
        Action::Copied => "copied",
        Action::Downloaded => "downloaded",
    };
    let verified = |verified: Verified| match verified {
        Verified::Manifest => "verified",
        Verified::FirstFetch => "not verified: no checksum is published",
    };
    let mut text =
        format!("{}: {} files in {}", manifest.name, fetched.files.len(), fetched.folder.display());
    for one in &fetched.files {
        let file = &one.file;
        text.push_str(&format!(
            "\n  {:<42} {:>9}  {}, {}",
            file.name,
            size(file.bytes),
            action(one.action),
            verified(file.verified)
        ));
    }
    let files: Vec<_> =
        fetched.files.iter().map(|one| json!({"file": one.file, "action": action(one.action)})).collect();
    let value = json!({"name": manifest.name, "folder": fetched.folder, "files": files});
    terminal.result("fetched", &value, &text)?;
    terminal.note(&format!("please cite: {}", manifest.citation.join("; ")));
    Ok(())
}

/// `halfmax data convert`.
fn convert(path: &Path, out: &Path, global: &Global, terminal: Terminal) -> Result<()> {
    let folder = RunFolder::create(out)?;
    let config = global.read_recipe(path, terminal)?;
    let loaded = halfmax_data::load(&config.data, &config.target, Path::new(""), None)?;
    terminal.note(&loaded.report.to_string());
    halfmax_data::write_set(&loaded, &config.name, &config.data.drug_features, &folder)?;
    let folder = folder.finish()?;
    let text = format!(
        "{} written; next: halfmax data check {}",
        folder.display(),
        folder.join("screen.toml").display()
    );
    terminal.result("set", &serde_json::json!({"out": folder.display().to_string()}), &text)
}
