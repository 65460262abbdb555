//! The report of a run: one HTML file.

mod blocks;
mod curves;
mod evaluation;
mod explanation;
mod findings;
mod learnt;
mod quality;
mod samples;
mod shown;
mod svg;
mod words;

use std::collections::HashMap;

use halfmax_core::{Error, Result, Screen, Target};
use halfmax_data::Loaded;
use halfmax_report::{Drug, Fact, Finding, InputFile, NoteSection, Report, glossary, render};

use crate::config::Config;
use crate::provenance::Manifest;

pub use blocks::{BlockPage, write_svgs as write_block_svgs};
pub use curves::{CurvePage, PlateCards, write_svgs as write_curve_svgs};
pub use learnt::{LearntFrom, learnt_in_words};
pub use quality::{Looked, quality_html};
pub use samples::SampleTables;
pub use svg::SvgFolder;
pub use words::drug_letter;

/// The number of data warnings repeated on the first page.
const MOST_WARNINGS: usize = 3;

/// A report under construction.
pub struct Reporting<'a> {
    screen: &'a Screen,
    target: &'a Target,
    report: Report,
    /// For each drug with a page, the position of the page in the report.
    drug_at: HashMap<String, usize>,
}

impl<'a> Reporting<'a> {
    /// The report of a run, without results.
    pub fn new(config: &Config, manifest: &Manifest, loaded: &'a Loaded) -> Result<Self> {
        let Loaded { screen, target, .. } = loaded;
        let configuration = toml::to_string(&config.clone().without_folders())
            .map_err(|error| Error::failed("the configuration cannot be written").with_source(error))?;
        let mut report = Report {
            title: config.name.clone(),
            subtitle: described(loaded),
            response: target.label(),
            ..Report::default()
        };
        report.notes.configuration = configuration;
        report.notes.glossary = glossary();
        let file = |input: &crate::provenance::Input| InputFile {
            name: input.path.rsplit(['/', '\\']).next().unwrap_or(&input.path).to_owned(),
            content: format!("{} bytes", thousands(input.bytes as usize)),
            sha256: input.sha256.clone(),
        };
        report.notes.files = manifest.inputs.iter().map(file).collect();
        report.notes.settings = vec![
            fact("halfmax", &manifest.version),
            fact("Command", &manifest.command),
            fact("Response", &target.words()),
            fact("Seed", &manifest.seed.to_string()),
            fact("Machine", &format!("{}, {}", manifest.machine.os, manifest.machine.architecture)),
        ];
        let mut reporting = Self { screen, target, report, drug_at: HashMap::new() };
        for warning in loaded.report.warnings.iter().take(MOST_WARNINGS) {
            reporting.doubt(format!("The data: {warning}."));
        }
        if let Some(more @ 1..) = loaded.report.warnings.len().checked_sub(MOST_WARNINGS) {
            reporting.doubt(format!("The data have {more} more warnings: halfmax data check prints them."));
        }
        Ok(reporting)
    }

    /// Adds the trained model.
    pub fn add_training(&mut self, model: &str, family: &str) {
        self.say(format!(
            "{model} (family {family}) was trained on all responses. Evaluate the configuration to learn how well it predicts \
             unseen data (`halfmax evaluate`)."
        ));
    }

    /// The report as HTML.
    pub fn html(&self) -> String {
        render(&self.report)
    }

    fn say(&mut self, paragraph: impl Into<String>) {
        self.report.summary.paragraphs.push(paragraph.into());
    }

    /// Adds a doubt for the reader.
    fn doubt(&mut self, sentence: impl Into<String>) {
        self.report.summary.doubts.push(sentence.into());
    }

    fn finding(&mut self, figure: impl Into<String>, text: impl Into<String>) {
        self.report.summary.findings.push(Finding { figure: figure.into(), text: text.into() });
    }

    fn note(&mut self, heading: &str, paragraphs: &[&str]) {
        let paragraphs = paragraphs.iter().map(|text| (*text).to_owned()).collect();
        self.report.notes.sections.push(NoteSection { heading: heading.into(), paragraphs });
    }

    /// The page of a drug, created if it does not exist yet.
    fn drug(&mut self, name: &str) -> &mut Drug {
        let at = *self.drug_at.entry(name.to_owned()).or_insert_with(|| {
            self.report.drugs.push(Drug { name: name.to_owned(), ..Drug::default() });
            self.report.drugs.len() - 1
        });
        &mut self.report.drugs[at]
    }
}

fn described(loaded: &Loaded) -> String {
    let screen = &loaded.screen;
    let cells = screen.all().entities(0).0.len();
    let drugs = screen.all().entities(1).0.len();
    format!(
        "{} measured responses ({}) of {} cell lines to {} drugs{}",
        thousands(screen.responses.len()),
        loaded.target.words(),
        thousands(cells),
        thousands(drugs),
        if screen.is_of_combinations() { ", two at a time" } else { "" }
    )
}

fn fact(name: &str, value: &str) -> Fact {
    Fact { name: name.into(), value: value.into() }
}

/// A whole number with separators.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_with_separators() {
        assert_eq!([0, 12, 123, 1234, 1_234_567].map(thousands), ["0", "12", "123", "1,234", "1,234,567"]);
    }
}
