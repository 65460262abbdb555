use std::path::{Path, PathBuf};

use halfmax_core::{Error, Result};
use halfmax_data::{Inspection, LeftOut, LoadReport, Quality, write_atomically};

use crate::Global;
use crate::config::Config;
use crate::reporting::{Looked, quality_html};
use crate::run::Prepared;
use crate::table_args::TableArgs;
use crate::terminal::Terminal;

/// `halfmax data inspect`.
pub fn inspect(
    paths: &[PathBuf],
    table: &TableArgs,
    html: Option<&Path>,
    global: &Global,
    terminal: Terminal,
) -> Result<()> {
    let options = table.options()?;
    html.map_or(Ok(()), |path| global.may_write(path))?;
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
pub fn check(path: &Path, html: Option<&Path>, global: &Global, terminal: Terminal) -> Result<()> {
    let config = Config::read(path, &global.overrides)?;
    html.map_or(Ok(()), |path| global.may_write(path))?;
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
    let quality = Quality::of_loaded(&prepared.loaded, &config.data, Path::new(""))?;
    print_quality(&quality, terminal)?;
    let Some(html) = html else { return Ok(()) };
    let looked = [Looked { quality: &quality, notes: left_out(report), warnings: report.warnings.clone() }];
    write_report(
        html,
        &format!("Quality of the data of {}", config.name),
        &path.display().to_string(),
        &looked,
        terminal,
    )
}

/// What was left out, in sentences.
fn left_out(report: &LoadReport) -> Vec<String> {
    let sentence = |left: &LeftOut| {
        let examples =
            if left.examples.is_empty() { String::new() } else { format!(" ({})", left.examples.join(", ")) };
        format!("left out: {} {}, {}{examples}", left.count, left.what, left.why)
    };
    report.left_out.iter().map(sentence).collect()
}

/// Prints what is noteworthy; as JSON, everything.
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
pub fn list(terminal: Terminal) -> Result<()> {
    let manifest = halfmax_data::dataset_manifest("gdsc-core")?;
    let parsed: toml::Table = toml::from_str(manifest)
        .map_err(|error| Error::failed("the dataset's manifest is unreadable").because(error))?;
    let title = parsed.get("title").and_then(toml::Value::as_str).unwrap_or_default();
    terminal.result("dataset", &parsed, &format!("gdsc-core   {title} (embedded)"))
}
