//! The quality of data: findings that a person should check before training a model.
//!
//! Everything here is computed from tables that were read; the data are not changed. [`Quality::findings`] lists the
//! noteworthy results; the rest is for the report.

mod agreement;
mod coverage;
mod distribution;
mod joins;
mod measurements;
mod outliers;
mod polish;
mod profiles;
mod robust;
mod twins;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use halfmax_core::{CellKind, Error, Result, SINGLE_AGENT, listed};
use serde::Serialize;

use crate::assign::Scope;
use crate::config::DataConfig;
use crate::datasets::Dataset;
use crate::feature_table::prepared;
use crate::features::read_cell_features;
use crate::file_spec::TableOptions;
use crate::inspect::Inspection;
use crate::load::{Loaded, table_name};
use crate::names::CellLines;
use crate::open::parts_of;
use crate::orientation::Known;
use crate::report::grouped;
use crate::table::RawTable;

pub use agreement::{Agreement, Discordant, DrugAgreement};
pub use coverage::{Coverage, Covered, Picture, SideCoverage};
pub use distribution::{Distribution, Group, Grouping, Histogram};
pub use joins::{Join, Unused};
pub use measurements::GroupNature;
pub use outliers::{Outlier, Outliers};
pub use profiles::{FeatureQuality, Likeness};
pub use robust::Quantiles;
pub use twins::Twins;

use coverage::FEW;
use distribution::Effects;
use measurements::Measurements;

/// The quality of a table, or of everything that a configuration names.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Quality {
    /// The file, or the files' table of responses.
    pub file: String,
    /// Noteworthy findings that loading or inspecting does not already report.
    pub findings: Vec<Finding>,
    /// The quality of the responses, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responses: Option<ResponseQuality>,
    /// The features of cell lines, kind by kind.
    pub features: Vec<FeatureQuality>,
    /// The entities that are lost when files are joined.
    pub joins: Vec<Join>,
}

/// A noteworthy finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind of finding.
    pub kind: FindingKind,
    /// The finding, in a sentence.
    pub text: String,
}

/// The subject of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Cell lines or drugs with few responses.
    Coverage,
    /// Cell lines or drugs whose responses are all equal.
    OneValue,
    /// Two names with the same responses.
    SameResponses,
    /// Two names with the same features.
    SameProfiles,
    /// A plate, an experiment or a study whose responses differ from the others'.
    Shift,
    /// Repeats that disagree.
    Repeats,
    /// Responses far from the expectation.
    Outliers,
    /// Cell lines whose features differ from the others, or are on another scale.
    Unlike,
    /// Checks that could not be made.
    NotLookedAt,
}

/// The quality of responses.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ResponseQuality {
    /// The measured quantity, and the scale of the analysis.
    pub response: String,
    /// The treatment, in the singular: "drug", "combination".
    pub partner: String,
    /// The number of measurements, including repeats.
    pub measurements: usize,
    /// The number of responses, and the places where they are missing.
    pub coverage: Coverage,
    /// The distribution of the responses.
    pub distribution: Distribution,
    /// The agreement of repeats: within the table, and with the reference study.
    pub agreement: Vec<Agreement>,
    /// Responses far from the expectation for their drug and cell line; `None` with too few responses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outliers: Option<Outliers>,
    /// Drugs with the same responses; `None` if there are too many to compare.
    pub same_drugs: Option<Vec<Twins>>,
    /// Cell lines with the same responses; `None` if there are too many to compare.
    pub same_cell_lines: Option<Vec<Twins>>,
}

/// The step that already reported a part of the findings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SaidBy {
    /// Loading warns about poorly measured drugs.
    Loading,
    /// Inspecting reports cell lines on another scale.
    Inspecting,
}

impl Quality {
    /// The quality of everything that a configuration names. Reads the response table again, for single measurements
    /// and the columns that distinguish them. Paths are relative to `base`.
    ///
    /// # Errors
    /// If the table of responses can no longer be read.
    pub fn of_loaded(loaded: &Loaded, data: &DataConfig, base: &Path) -> Result<Self> {
        let table = response_table(data, base)?;
        let mut lines = CellLines::embedded()?;
        if let Some(annotation) = &data.annotation {
            lines.annotate(&said(annotation.read(base)?, data, annotation)?)?;
        }
        let screen = &loaded.screen;
        let file = table.label().to_owned();
        let measured = Measurements::read(&table, &lines, Some(&loaded.target))?;
        drop(table);
        let names = measured.without_values();
        let mut responses = ResponseQuality::of(&measured.of_screen(screen));
        responses.agreement.extend(with_reference_study(loaded));
        let cells = screen.table(0);
        let mut features: Vec<FeatureQuality> = cells
            .blocks()
            .iter()
            .filter(|block| block.kind != SINGLE_AGENT)
            .map(|block| FeatureQuality::of(block, cells.ids()))
            .collect();
        // Loading left out the constant features but counted them.
        for quality in &mut features {
            let file = loaded.report.files.iter().find(|file| file.shape.role == quality.kind);
            quality.constant += file.map_or(0, |file| file.constant);
        }
        let mut found = Self {
            file,
            responses: Some(responses),
            features,
            joins: joins::joins(&loaded.report, &names, screen),
            ..Self::default()
        };
        found.findings = found.noteworthy(SaidBy::Loading);
        Ok(found)
    }

    /// The quality of the tables of an inspected file, in the order of the inspections. Tables without responses and
    /// features have no findings.
    ///
    /// # Errors
    /// If the file can no longer be read.
    pub fn of_inspected(
        path: impl AsRef<Path>,
        options: &TableOptions,
        inspections: &[Inspection],
    ) -> Result<Vec<Self>> {
        let path = path.as_ref();
        let parts = if inspections.len() > 1 { parts_of(path)? } else { Vec::new() };
        let lines = CellLines::embedded()?;
        let mut all = Vec::new();
        for (at, inspection) in inspections.iter().enumerate() {
            let content = Content::of(&inspection.shape.role);
            let sheet = parts.get(at).cloned().or_else(|| options.sheet.clone());
            let options = TableOptions { sheet, ..options.clone() };
            let mut found = match content {
                Content::Other => Self::default(),
                content => Self::of_table(&options.read(path)?, content, &lines),
            };
            found.file.clone_from(&inspection.shape.file);
            all.push(found);
        }
        Ok(all)
    }

    fn of_table(table: &RawTable, content: Content, lines: &CellLines) -> Self {
        let mut found = Self::default();
        let looked = match content {
            Content::Responses => Measurements::read(table, lines, None).map(|measured| {
                if !measured.values.is_empty() {
                    found.responses = Some(ResponseQuality::of(&measured));
                }
            }),
            Content::Features(kind) => {
                features_of(table, kind, lines).map(|features| found.features = features)
            }
            Content::Other => Ok(()),
        };
        found.findings = found.noteworthy(SaidBy::Inspecting);
        if let Err(error) = looked {
            let text = format!("could not be checked: {error}");
            found.findings.push(Finding { kind: FindingKind::NotLookedAt, text });
        }
        found
    }

    fn noteworthy(&self, said_by: SaidBy) -> Vec<Finding> {
        let mut found = Findings::default();
        if let Some(responses) = &self.responses {
            responses.noteworthy(said_by, &mut found);
        }
        for features in &self.features {
            found.of_features(features, said_by);
        }
        found.0
    }
}

/// The content of an inspected table.
#[derive(Clone, Copy)]
enum Content {
    Responses,
    Features(CellKind),
    Other,
}

impl Content {
    fn of(role: &str) -> Self {
        match role {
            "responses" | "combinations" => Self::Responses,
            role => CellKind::named(role).map_or(Self::Other, Self::Features),
        }
    }
}

/// The response table of a configuration, with its options.
fn response_table(data: &DataConfig, base: &Path) -> Result<RawTable> {
    let Some(dataset) = &data.dataset else {
        return match &data.response {
            Some(file) => said(file.read(base)?, data, file),
            None => Err(Error::config("data.response is missing: expected the table of responses")),
        };
    };
    let dataset = Dataset::open(dataset, data.data_dir.as_deref())?;
    match &data.response {
        None => dataset.response("data.response", None),
        Some(file) => match table_name(&file.file) {
            Some(name) => dataset.response("data.response", Some(&name)),
            None => said(file.read(base)?, data, file),
        },
    }
}

/// A table with the declarations for all files and its own options.
fn said(mut table: RawTable, data: &DataConfig, file: &crate::file_spec::TableFile) -> Result<RawTable> {
    table.say(&data.columns, Scope::AllFiles)?;
    table.say(&file.options.columns, Scope::ThisFile)?;
    Ok(table)
}

fn features_of(table: &RawTable, kind: CellKind, lines: &CellLines) -> Result<Vec<FeatureQuality>> {
    let table = prepared(table, kind)?;
    let known = Known { set: table.orientation, ..Known::lines(lines) };
    let mut part = read_cell_features(&table, kind, known)?;
    part.name_genes(None);
    Ok(part.blocks.iter().map(|block| FeatureQuality::of(block, &part.ids)).collect())
}

/// The agreement of a screen's responses with its reference study.
fn with_reference_study(loaded: &Loaded) -> Option<Agreement> {
    let reference = loaded.reference_study.as_ref()?;
    let (screen, responses) = (&loaded.screen, &loaded.screen.responses);
    let measured: HashMap<(u32, u32), f32> = responses
        .side(0)
        .iter()
        .zip(responses.side(1))
        .zip(responses.values())
        .map(|((cell, drug), value)| ((*cell, *drug), *value))
        .collect();
    let pairs: Vec<(u32, u32, f64, f64)> = reference
        .iter()
        .filter_map(|(cell, drug, again)| {
            let value = measured.get(&(*cell, *drug))?;
            Some((*cell, *drug, f64::from(*value), f64::from(*again)))
        })
        .collect();
    let named = agreement::Named { cells: screen.table(0).ids(), partners: screen.table(1).ids() };
    Agreement::of_reference_study(&pairs, named)
}

impl ResponseQuality {
    fn of(measured: &Measurements) -> Self {
        let by_pair = measured.by_pair();
        let pairs = measured.pairs(&by_pair);
        let (cells, partners) = (measured.cells.names.len(), measured.partners.names.len());
        let left = polish::median_polish(&pairs, cells, partners);
        let effects = Effects { pairs: &pairs, left: &left };
        Self {
            response: measured.response.clone(),
            partner: measured.partner().into(),
            measurements: measured.values.len(),
            coverage: Coverage::of(measured, &pairs),
            distribution: Distribution::of(measured, &by_pair, &effects),
            agreement: Agreement::of_repeats(measured, &by_pair).into_iter().collect(),
            outliers: Outliers::of(measured, &pairs, &left),
            same_drugs: twins::same_responses(
                &measured.partners,
                cells,
                &pairs,
                [|pair| pair.partner, |pair| pair.cell],
            ),
            same_cell_lines: twins::same_responses(
                &measured.cells,
                partners,
                &pairs,
                [|pair| pair.cell, |pair| pair.partner],
            ),
        }
    }

    fn noteworthy(&self, said_by: SaidBy, found: &mut Findings) {
        for (side, what) in
            [(&self.coverage.cell_lines, "cell line"), (&self.coverage.drugs, self.partner.as_str())]
        {
            if said_by == SaidBy::Loading && what != "cell line" {
                continue;
            }
            let (few, constant) = (side.few(), side.constant());
            found.of_names(
                FindingKind::Coverage,
                &format!(
                    "with fewer than {FEW} responses, while half of them have {:.0} or more",
                    side.responses.median
                ),
                what,
                &few,
            );
            found.of_names(FindingKind::OneValue, "whose responses are all equal", what, &constant);
        }
        let same = [(&self.same_drugs, self.partner.as_str()), (&self.same_cell_lines, "cell line")];
        for (twins, what) in same {
            let twins = twins.as_deref().unwrap_or_default();
            found.of_twins(FindingKind::SameResponses, &format!("{what}s have the same responses"), twins);
        }
        for grouping in &self.distribution.groupings {
            found.of_shifts(grouping);
        }
        for agreement in &self.agreement {
            let texts = agreement.findings().into_iter();
            found.0.extend(texts.map(|text| Finding { kind: FindingKind::Repeats, text }));
        }
        found.add(FindingKind::Outliers, self.outliers.as_ref().and_then(Outliers::finding));
    }
}

/// Findings that are being collected.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, kind: FindingKind, text: Option<String>) {
        self.0.extend(text.map(|text| Finding { kind, text }));
    }

    fn of_names(&mut self, kind: FindingKind, how: &str, what: &str, covered: &[&Covered]) {
        let names: Vec<&str> = covered.iter().map(|one| one.name.as_str()).collect();
        let text = format!("{} {how}: {}", counted(names.len(), what), listed(&names, 5));
        self.add(kind, (!names.is_empty()).then_some(text));
    }

    fn of_twins(&mut self, kind: FindingKind, how: &str, twins: &[Twins]) {
        let words: Vec<String> = twins.iter().map(Twins::words).collect();
        let text = format!("{} of {how}: {}", counted(words.len(), "pair"), listed(&words, 5));
        self.add(kind, (!words.is_empty()).then_some(text));
    }

    fn of_shifts(&mut self, grouping: &Grouping) {
        let shifted: Vec<String> = grouping
            .groups
            .iter()
            .filter(|group| group.is_shifted && grouping.nature == GroupNature::Technical)
            .map(|group| {
                let shift = group.shift_left.filter(|left| left.abs() >= 1.0).or(group.shift).unwrap_or(0.0);
                format!("{} ({shift:+.1} MADs, {} measurements)", group.name, grouped(group.values.count))
            })
            .collect();
        let text = format!(
            "responses are shifted in {} of {} groups of column {:?}: {}",
            shifted.len(),
            grouped(grouping.count),
            grouping.column,
            listed(&shifted, 5)
        );
        self.add(FindingKind::Shift, (!shifted.is_empty()).then_some(text));
    }

    fn of_features(&mut self, features: &FeatureQuality, said_by: SaidBy) {
        let kind = &features.kind;
        self.of_twins(FindingKind::SameProfiles, &format!("cell lines have the same {kind}"), &features.same);
        let unlike: Vec<String> = features
            .least_like
            .iter()
            .filter(|one| one.is_unlike)
            .map(|one| format!("{} ({:.2})", one.cell_line, one.correlation))
            .collect();
        let text = format!(
            "the {kind} of {} correlates little with the median profile (median correlation of all cell lines: {:.2}): {}",
            counted(features.unlike, "cell line"),
            features.median_correlation.unwrap_or(f64::NAN),
            listed(&unlike, 5)
        );
        self.add(FindingKind::Unlike, (!unlike.is_empty()).then_some(text));
        let other_scale = features.other_scale.clone().filter(|_| said_by == SaidBy::Loading);
        self.add(FindingKind::Unlike, other_scale.map(|text| format!("{kind}: {text}")));
    }
}

/// "1 drug", "3 drugs".
fn counted(count: usize, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

impl fmt::Display for Quality {
    /// A line for each finding; empty without findings.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, finding) in self.findings.iter().enumerate() {
            write!(f, "{}quality: {}", if at > 0 { "\n" } else { "" }, finding.text)?;
        }
        Ok(())
    }
}
