//! The tables of associations.

use std::fmt;
use std::path::Path;

use halfmax_association::{CategoryTest, PairTest, Test, TestState, WithinTissue, benjamini_hochberg};
use halfmax_core::Result;
use halfmax_data::{OutputColumn, RunFolder, TableWriter};
use serde::Serialize;

use super::{Associations, Finding, FindingMember, StrongAssociation, Support, TestRates};
use crate::explain::direction;

/// What was tested and found.
#[derive(Clone, Debug, Serialize)]
pub struct AssociationSummary {
    /// Drugs or combinations.
    pub drugs: usize,
    /// Cell lines with responses.
    pub cell_lines: usize,
    /// Features, with levels of categories and scores of mechanisms.
    pub features: usize,
    /// Pairs of feature and drug with a test.
    pub tests: usize,
    /// Tests below the level of the false discovery rate among all tests.
    pub found: usize,
    /// Associations that remain given stronger ones.
    pub findings: usize,
    /// Findings that the reference study replicates; `None` without one.
    pub replicated: Option<usize>,
    /// Rows of associations.parquet.
    pub rows: usize,
    /// Tests above `max_p`, which are not written.
    pub not_written: usize,
    /// The level of the false discovery rate.
    pub level: f64,
    /// The largest p value that is written.
    pub max_p: f64,
    /// What the tests adjust for.
    pub covariates: Vec<String>,
}

impl fmt::Display for AssociationSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { drugs, cell_lines, features, tests, found, level, .. } = self;
        writeln!(f, "{features} features × {drugs} drugs, {cell_lines} cell lines: {tests} tests")?;
        writeln!(f, "associations at a false discovery rate of {level}: {found}")?;
        writeln!(f, "findings, given stronger ones: {}", self.findings)?;
        if let Some(replicated) = self.replicated {
            writeln!(f, "of these, replicated in the reference study: {replicated}")?;
        }
        write!(f, "associations.parquet: {} rows", self.rows)?;
        if self.not_written > 0 {
            write!(
                f,
                "; {} tests with p above {} are not written (associate.max_p)",
                self.not_written, self.max_p
            )?;
        }
        Ok(())
    }
}

/// Writes `associations.parquet`, `categories.parquet`, `findings.parquet`, `tissues.parquet` and `pairs.parquet` into the folder of a
/// run.
///
/// # Errors
/// If a file cannot be written.
pub fn write_associations(
    found: &Associations,
    findings: &[Vec<Finding>],
    folder: &RunFolder,
) -> Result<AssociationSummary> {
    let mut associations = TableWriter::create(folder.path("associations.parquet"))?;
    let mut rows = 0;
    for partner in 0..found.names.len() {
        let own =
            found.strongest(partner, usize::MAX, |row| found.tests.get(row, partner).p <= found.params.max_p);
        rows += own.len();
        write_partner(found, partner, &own, &mut associations)?;
    }
    associations.finish()?;
    write_categories(found, folder)?;
    let shown = |own: &Vec<Finding>| -> Vec<Finding> {
        own.iter().filter(|one| one.support != Support::Neither).cloned().collect()
    };
    let all: Vec<Vec<Finding>> = findings.iter().map(shown).collect();
    write_findings(&[("", found, &all)], &folder.path("findings.parquet"))?.finish()?;
    write_tissues(found, folder)?;
    write_pairs(found, folder)?;
    let tests = found.tests.iter().filter(|(_, _, test)| test.state == TestState::Tested).count();
    let rates = &found.rates;
    let is_found = |feature: usize, partner: usize| rates.of_all(feature, partner) <= found.params.level;
    let leads = || {
        found.selected.iter().enumerate().flat_map(|(partner, all)| {
            all.iter().filter(|one| one.is_significant).map(move |one| (one.lead, partner))
        })
    };
    let replicated = || leads().filter(|(row, partner)| found.replicated(*row, *partner) == "yes").count();
    Ok(AssociationSummary {
        drugs: found.names.len(),
        cell_lines: found.responses.cells.len(),
        features: found.features.len(),
        tests,
        found: found.tests.iter().filter(|(feature, partner, _)| is_found(*feature, *partner)).count(),
        findings: leads().count(),
        replicated: found.replication.as_ref().map(|_| replicated()),
        rows,
        not_written: tests - rows,
        level: found.params.level,
        max_p: found.params.max_p,
        covariates: found.covariates.names().into_iter().map(str::to_owned).collect(),
    })
}

fn write_partner(
    found: &Associations,
    partner: usize,
    rows: &[usize],
    table: &mut TableWriter,
) -> Result<()> {
    let features = found.features.features();
    let test = |row: &usize| found.tests.get(*row, partner);
    let size = |row: &usize| found.tests.size(*row, partner);
    let numbers = |of: &dyn Fn(&usize, &Test) -> f64| -> Vec<f64> {
        rows.iter().map(|row| of(row, test(row))).collect()
    };
    let rate = |of: &dyn Fn(&TestRates, usize) -> f64| numbers(&|row, _| of(&found.rates, *row));
    let has_carriers = |row: &usize| features[*row].form.has_carriers();
    let permuted = |row: &usize| {
        let detail = found.details[partner].iter().find(|own| own.feature == *row);
        detail.map_or(f64::NAN, |own| own.permutation_p)
    };
    let other = |row: &usize| -> Option<(&Test, u32)> {
        let replication = found.replication.as_ref()?;
        let partner = replication.partner[partner]?;
        Some((replication.tests.get(*row, partner), replication.tests.size(*row, partner).0))
    };
    let texts = |of: &dyn Fn(&usize) -> &'static str| -> Vec<&str> { rows.iter().map(of).collect() };
    let kinds: Vec<&str> = rows.iter().map(|row| features[*row].kind.as_str()).collect();
    let names: Vec<&str> = rows.iter().map(|row| features[*row].name.as_str()).collect();
    let drug = vec![found.names[partner].as_str(); rows.len()];
    let whole = |of: &dyn Fn(&usize) -> u32| -> Vec<u32> { rows.iter().map(of).collect() };
    let glass = |side: usize| numbers(&|_, test| test.glass_delta()[side]);
    table.write(&[
        ("drug", OutputColumn::Text(&drug)),
        ("feature_kind", OutputColumn::Text(&kinds)),
        ("feature", OutputColumn::Text(&names)),
        ("direction", OutputColumn::Text(&texts(&|row| direction(found.upwards * test(row).effect)))),
        ("effect", OutputColumn::F64(&numbers(&|_, test| test.effect))),
        ("standard_error", OutputColumn::F64(&numbers(&|_, test| test.standard_error()))),
        ("t", OutputColumn::F64(&numbers(&|_, test| test.t))),
        ("degrees_of_freedom", OutputColumn::U32(&whole(&|row| size(row).1))),
        ("p", OutputColumn::F64(&numbers(&|_, test| test.p))),
        ("q", OutputColumn::F64(&rate(&|rates, row| rates.of_partner(row, partner)))),
        ("q_all", OutputColumn::F64(&rate(&|rates, row| rates.of_all(row, partner)))),
        ("storey_q", OutputColumn::F64(&rate(&|rates, row| rates.storey(row, partner)))),
        ("robust_p", OutputColumn::F64(&numbers(&|_, test| test.robust_p))),
        ("rank_p", OutputColumn::F64(&numbers(&|_, test| test.rank_p))),
        ("permutation_p", OutputColumn::F64(&numbers(&|row, _| permuted(row)))),
        ("cell_lines", OutputColumn::U32(&whole(&|row| size(row).0))),
        (
            "carriers",
            OutputColumn::F64(&numbers(&|row, test| {
                if has_carriers(row) { f64::from(test.carriers) } else { f64::NAN }
            })),
        ),
        ("difference", OutputColumn::F64(&numbers(&|_, test| f64::from(test.difference)))),
        ("cohens_d", OutputColumn::F64(&numbers(&|row, test| test.cohens_d(size(row).0)))),
        ("glass_delta_carriers", OutputColumn::F64(&glass(0))),
        ("glass_delta_others", OutputColumn::F64(&glass(1))),
        ("replicated", OutputColumn::Text(&texts(&|row| found.replicated(*row, partner)))),
        (
            "reference_effect",
            OutputColumn::F64(&numbers(&|row, _| other(row).map_or(f64::NAN, |(test, _)| test.effect))),
        ),
        (
            "reference_p",
            OutputColumn::F64(&numbers(&|row, _| other(row).map_or(f64::NAN, |(test, _)| test.p))),
        ),
        (
            "reference_cell_lines",
            OutputColumn::F64(&numbers(&|row, _| other(row).map_or(f64::NAN, |(_, cells)| f64::from(cells)))),
        ),
        (
            "joint_q",
            OutputColumn::F64(&numbers(&|row, _| {
                found.replication.as_ref().map_or(f64::NAN, |own| own.joint_rate(*row, partner))
            })),
        ),
    ])
}

fn write_categories(found: &Associations, folder: &RunFolder) -> Result<()> {
    let mut tests: Vec<_> = found.categories.iter().collect();
    tests.sort_by(|a, b| a.partner.cmp(&b.partner).then(a.p.total_cmp(&b.p)));
    let category = |at: usize| &found.features.categories()[tests[at].category];
    let all = 0..tests.len();
    let q = benjamini_hochberg(&tests.iter().map(|test| test.p).collect::<Vec<_>>());
    let numbers =
        |of: &dyn Fn(&CategoryTest) -> f64| -> Vec<f64> { tests.iter().map(|test| of(test)).collect() };
    let whole =
        |of: &dyn Fn(&CategoryTest) -> u32| -> Vec<u32> { tests.iter().map(|test| of(test)).collect() };
    let drugs: Vec<&str> = tests.iter().map(|test| found.names[test.partner].as_str()).collect();
    let kinds: Vec<&str> = all.clone().map(|at| category(at).kind.as_str()).collect();
    let names: Vec<&str> = all.map(|at| category(at).name.as_str()).collect();
    let mut table = TableWriter::create(folder.path("categories.parquet"))?;
    table.write(&[
        ("drug", OutputColumn::Text(&drugs)),
        ("feature_kind", OutputColumn::Text(&kinds)),
        ("feature", OutputColumn::Text(&names)),
        ("cell_lines", OutputColumn::U32(&whole(&|test| test.cells))),
        ("f", OutputColumn::F64(&numbers(&|test| test.f))),
        ("degrees_of_freedom", OutputColumn::U32(&whole(&|test| test.df[0]))),
        ("residual_degrees_of_freedom", OutputColumn::U32(&whole(&|test| test.df[1]))),
        ("p", OutputColumn::F64(&numbers(&|test| test.p))),
        ("q", OutputColumn::F64(&q)),
        ("explained", OutputColumn::F64(&numbers(&|test| test.explained))),
    ])?;
    table.finish()
}

/// Writes `findings.parquet`: the findings of each drug, for each model; the name of the model is empty without one.
///
/// # Errors
/// If the file cannot be written.
pub fn write_findings(models: &[(&str, &Associations, &[Vec<Finding>])], path: &Path) -> Result<TableWriter> {
    let mut table = TableWriter::create(path)?;
    for (model, associations, all) in models {
        let rows: Vec<(&str, u32, &Finding)> = associations
            .names
            .iter()
            .zip(*all)
            .flat_map(|(drug, own)| own.iter().zip(1..).map(|(one, rank)| (drug.as_str(), rank, one)))
            .collect();
        let members: Vec<String> = rows.iter().map(|(_, _, one)| members(one)).collect();
        let text = |of: &dyn Fn(&Finding) -> &'static str| -> Vec<&str> {
            rows.iter().map(|(_, _, one)| of(one)).collect()
        };
        let numbers =
            |of: &dyn Fn(&Finding) -> f64| -> Vec<f64> { rows.iter().map(|(_, _, one)| of(one)).collect() };
        let maybe =
            |of: &dyn Fn(&Finding) -> Option<u32>| numbers(&|one| of(one).map_or(f64::NAN, f64::from));
        table.write(&[
            ("model", OutputColumn::Text(&vec![*model; rows.len()])),
            ("drug", OutputColumn::Text(&rows.iter().map(|row| row.0).collect::<Vec<_>>())),
            ("evidence_rank", OutputColumn::U32(&rows.iter().map(|row| row.1).collect::<Vec<_>>())),
            (
                "feature_kind",
                OutputColumn::Text(&rows.iter().map(|row| row.2.kind.as_str()).collect::<Vec<_>>()),
            ),
            ("finding", OutputColumn::Text(&rows.iter().map(|row| row.2.name.as_str()).collect::<Vec<_>>())),
            ("members", OutputColumn::Text(&members.iter().map(String::as_str).collect::<Vec<_>>())),
            ("support", OutputColumn::Text(&text(&|one| one.support.name()))),
            ("direction", OutputColumn::Text(&text(&|one| direction(one.direction)))),
            ("effect", OutputColumn::F64(&numbers(&|one| one.effect))),
            ("carriers", OutputColumn::F64(&maybe(&|one| one.carriers))),
            ("p", OutputColumn::F64(&numbers(&|one| one.p))),
            ("q", OutputColumn::F64(&numbers(&|one| one.q))),
            ("adjusted_p", OutputColumn::F64(&numbers(&|one| one.adjusted_p))),
            ("replicated", OutputColumn::Text(&text(&|one| one.replicated))),
            ("contribution_rank", OutputColumn::F64(&maybe(&|one| one.contribution_rank))),
            ("association_rank", OutputColumn::F64(&maybe(&|one| one.association_rank))),
        ])?;
    }
    Ok(table)
}

/// The members of a finding in a text: names, with a minus if a member falls where the finding rises.
fn members(finding: &Finding) -> String {
    let name = |own: &FindingMember| format!("{}{}", if own.is_opposite { "-" } else { "" }, own.name);
    finding.members.iter().map(name).collect::<Vec<_>>().join(" ")
}

fn write_tissues(found: &Associations, folder: &RunFolder) -> Result<()> {
    let features = found.features.features();
    let levels = found.covariates.levels("tissue");
    let mut table = TableWriter::create(folder.path("tissues.parquet"))?;
    let rows: Vec<(usize, &StrongAssociation, &WithinTissue)> = found
        .details
        .iter()
        .enumerate()
        .flat_map(|(partner, all)| all.iter().map(move |one| (partner, one)))
        .flat_map(|(partner, one)| one.tissues.iter().map(move |tissue| (partner, one, tissue)))
        .collect();
    let numbers = |of: &dyn Fn(&WithinTissue) -> f64| -> Vec<f64> {
        rows.iter().map(|(_, _, tissue)| of(tissue)).collect()
    };
    let interaction: Vec<f64> = rows
        .iter()
        .map(|(_, one, _)| one.interaction.map_or(f64::NAN, |interaction| interaction.p))
        .collect();
    let drugs: Vec<&str> = rows.iter().map(|(partner, _, _)| found.names[*partner].as_str()).collect();
    let kinds: Vec<&str> = rows.iter().map(|(_, one, _)| features[one.feature].kind.as_str()).collect();
    let names: Vec<&str> = rows.iter().map(|(_, one, _)| features[one.feature].name.as_str()).collect();
    let tissues: Vec<&str> =
        rows.iter().map(|(_, _, own)| levels.get(own.tissue).map_or("(unknown)", String::as_str)).collect();
    let whole = |of: &dyn Fn(&WithinTissue) -> usize| -> Vec<u32> {
        rows.iter().map(|(_, _, tissue)| of(tissue) as u32).collect()
    };
    table.write(&[
        ("drug", OutputColumn::Text(&drugs)),
        ("feature_kind", OutputColumn::Text(&kinds)),
        ("feature", OutputColumn::Text(&names)),
        ("tissue", OutputColumn::Text(&tissues)),
        ("cell_lines", OutputColumn::U32(&whole(&|tissue| tissue.cells))),
        ("carriers", OutputColumn::U32(&whole(&|tissue| tissue.carriers))),
        ("effect", OutputColumn::F64(&numbers(&|tissue| tissue.effect))),
        ("t", OutputColumn::F64(&numbers(&|tissue| tissue.t))),
        ("p", OutputColumn::F64(&numbers(&|tissue| tissue.p))),
        ("interaction_p", OutputColumn::F64(&interaction)),
    ])?;
    table.finish()
}

fn write_pairs(found: &Associations, folder: &RunFolder) -> Result<()> {
    let features = found.features.features();
    let rows: Vec<(usize, &PairTest)> = found
        .pairs
        .iter()
        .enumerate()
        .flat_map(|(partner, own)| own.iter().map(move |pair| (partner, pair)))
        .collect();
    let name = |side: usize| -> Vec<&str> {
        rows.iter().map(|(_, pair)| features[pair.features[side]].name.as_str()).collect()
    };
    let numbers =
        |of: &dyn Fn(&PairTest) -> f64| -> Vec<f64> { rows.iter().map(|(_, pair)| of(pair)).collect() };
    let whole = |of: &dyn Fn(&PairTest) -> usize| -> Vec<u32> {
        rows.iter().map(|(_, pair)| of(pair) as u32).collect()
    };
    let drugs: Vec<&str> = rows.iter().map(|(partner, _)| found.names[*partner].as_str()).collect();
    let mut table = TableWriter::create(folder.path("pairs.parquet"))?;
    table.write(&[
        ("drug", OutputColumn::Text(&drugs)),
        ("feature", OutputColumn::Text(&name(0))),
        ("other_feature", OutputColumn::Text(&name(1))),
        ("carriers_of_both", OutputColumn::U32(&whole(&|pair| pair.carriers_of_both))),
        ("carriers_of_either", OutputColumn::U32(&whole(&|pair| pair.carriers_of_either))),
        ("effect_of_both", OutputColumn::F64(&numbers(&|pair| pair.both.0))),
        ("p_of_both", OutputColumn::F64(&numbers(&|pair| pair.both.1))),
        ("effect_of_either", OutputColumn::F64(&numbers(&|pair| pair.either.0))),
        ("p_of_either", OutputColumn::F64(&numbers(&|pair| pair.either.1))),
        ("interaction_p", OutputColumn::F64(&numbers(&|pair| pair.interaction_p))),
    ])?;
    table.finish()
}
