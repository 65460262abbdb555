//! Associations of features of cell lines with responses, as evidence beside a model.

mod covariates;
mod evidence;
mod params;
mod scores;
mod tables;

use halfmax_association::{
    CategoryTest, Detail, FeatureMatrix, Interaction, PairTest, ResponseMatrix, ScanOptions, Selected,
    SelectionOptions, TestState, Tests, WithinTissue, benjamini_hochberg, null_share, scan, scan_categories,
    select,
};
use halfmax_core::{End, EntityTable, Error, Progress, Result, Screen, Seed, listed, nearest};
use halfmax_data::{Loaded, RunFolder};
use halfmax_mechanisms::Mechanisms;
use rayon::prelude::*;

use crate::config::Config;
use crate::provenance::{Manifest, write_json, write_provenance};
use crate::report::Reporting;
use crate::sensitive::{Remedy, sensitive_end};

pub use evidence::{FINDINGS, Finding, FindingMember, Support};
pub use halfmax_association::Covariates;
pub use params::AssociateParams;
pub use tables::{AssociationSummary, write_associations, write_findings};

/// The kind of the scores of mechanisms and gene sets among the features.
pub const MECHANISM: &str = "mechanism";

const PERMUTATIONS: u64 = 51;

/// The associations of all features of cell lines with the responses to all drugs or combinations.
pub struct Associations {
    /// The name of each partner (drug or combination).
    pub names: Vec<String>,
    /// The responses.
    pub responses: ResponseMatrix,
    /// The features, with the scores of mechanisms.
    pub features: FeatureMatrix,
    /// What the tests adjust for.
    pub covariates: Covariates,
    /// The parameters.
    pub params: AssociateParams,
    /// Every test.
    pub tests: Tests,
    /// The false discovery rates of the tests.
    pub rates: TestRates,
    /// Categories as a whole.
    pub categories: Vec<CategoryTest>,
    /// For each partner, the associations that remain given the stronger ones.
    pub selected: Vec<Vec<Selected>>,
    /// For each partner, its strongest associations in detail.
    pub details: Vec<Vec<StrongAssociation>>,
    /// For each partner, its strongest features of carriers in pairs.
    pub pairs: Vec<Vec<PairTest>>,
    /// The same tests in the reference study.
    pub replication: Option<Replication>,
    /// 1 if a higher response means resistance, −1 if it means that the drug works.
    pub upwards: f64,
}

/// The false discovery rates of all tests; NaN where a feature was not tested.
pub struct TestRates {
    partners: usize,
    /// Feature by feature, partner by partner: among the tests of the partner (Benjamini–Hochberg).
    of_partner: Vec<f32>,
    /// Among all tests (Benjamini–Hochberg).
    of_all: Vec<f32>,
    /// The share of true null hypotheses among all tests, for Storey's q.
    pub null_share: f64,
}

/// A strong association in detail.
pub struct StrongAssociation {
    /// The feature.
    pub feature: usize,
    /// The probability by permutation within tissues.
    pub permutation_p: f64,
    /// Whether its effect differs between tissues.
    pub interaction: Option<Interaction>,
    /// Its effect within tissues.
    pub tissues: Vec<WithinTissue>,
}

/// The tests of another study.
pub struct Replication {
    /// The tests; features are those of the first study.
    pub tests: Tests,
    /// For each partner of the first study, its position in the second.
    pub partner: Vec<Option<usize>>,
    /// Feature by feature, partner by partner of the first study: the false discovery rate of both studies together, by the larger of
    /// the two p values; NaN where one study has no test.
    joint: Vec<f32>,
}

impl TestRates {
    /// The false discovery rate among the tests of the partner.
    pub fn of_partner(&self, feature: usize, partner: usize) -> f64 {
        f64::from(self.of_partner[feature * self.partners + partner])
    }

    /// The false discovery rate among all tests.
    pub fn of_all(&self, feature: usize, partner: usize) -> f64 {
        f64::from(self.of_all[feature * self.partners + partner])
    }

    /// Storey's q value among all tests.
    pub fn storey(&self, feature: usize, partner: usize) -> f64 {
        self.of_all(feature, partner) * self.null_share
    }

    fn new(tests: &Tests) -> Self {
        let (features, partners) = (tests.features(), tests.partners());
        let mut of_partner = vec![f32::NAN; features * partners];
        let columns: Vec<(Vec<usize>, Vec<f64>)> = (0..partners)
            .into_par_iter()
            .map(|partner| {
                let tested: Vec<usize> = (0..features)
                    .filter(|feature| tests.get(*feature, partner).state == TestState::Tested)
                    .collect();
                let p: Vec<f64> = tested.iter().map(|feature| tests.get(*feature, partner).p).collect();
                (tested, benjamini_hochberg(&p))
            })
            .collect();
        for (partner, (tested, rates)) in columns.iter().enumerate() {
            for (feature, rate) in tested.iter().zip(rates) {
                of_partner[feature * partners + partner] = *rate as f32;
            }
        }
        let (places, p) = tested(tests);
        let mut of_all = vec![f32::NAN; features * partners];
        places.iter().zip(benjamini_hochberg(&p)).for_each(|(at, rate)| of_all[*at] = rate as f32);
        Self { partners, of_partner, of_all, null_share: null_share(&p) }
    }
}

/// The places of all tests with a result, and their p values.
fn tested(tests: &Tests) -> (Vec<usize>, Vec<f64>) {
    tests
        .iter()
        .map(|(_, _, test)| test)
        .enumerate()
        .filter(|(_, test)| test.state == TestState::Tested)
        .map(|(at, test)| (at, test.p))
        .unzip()
}

impl Replication {
    /// The false discovery rate of an association in both studies.
    pub fn joint_rate(&self, feature: usize, partner: usize) -> f64 {
        f64::from(self.joint[feature * self.partner.len() + partner])
    }
}

impl Associations {
    /// Tests all features of a screen's cell lines.
    ///
    /// # Errors
    /// If a parameter does not suit the data, or the user stopped it.
    pub fn new(
        loaded: &Loaded,
        catalogue: &Mechanisms,
        params: &AssociateParams,
        progress: &dyn Progress,
    ) -> Result<Self> {
        params.check()?;
        let screen = &loaded.screen;
        let upwards = match sensitive_end(&loaded.target, "an association", Remedy::Configuration)? {
            End::Low => 1.0,
            End::High => -1.0,
        };
        let table = screen.table(0);
        let keep = cells_of(table, &params.tissues)?;
        let responses = ResponseMatrix::new(screen).within(|cell| keep[cell as usize]);
        if responses.averaged > 0 {
            progress.note(&format!(
                "{} responses are repeats of a pair; each pair counts once, with its mean",
                responses.averaged
            ));
        }
        let features = scores::with_mechanisms(
            FeatureMatrix::new(table, &responses.cells, &params.leave_out),
            responses.cells.len(),
            catalogue,
            &params.leave_out,
        )?;
        if features.is_empty() {
            return Err(Error::data("the cell lines have no features to test")
                .with_help("add a file of features: [[data.cells]]"));
        }
        let covariates = covariates::of(table, &responses, params, progress)?;
        let options = ScanOptions {
            min_carriers: params.min_carriers,
            min_cells: params.min_cell_lines,
            robust_below: params.max_p,
        };
        progress.phase("testing associations");
        let tests = scan(&responses, &features, &covariates, &options, progress)?;
        let categories = scan_categories(&responses, &features, &covariates, &options, progress)?;
        let rates = TestRates::new(&tests);
        let names = names(screen, &responses);
        note_untested(&tests, &names, progress);
        let selection = SelectionOptions {
            level: params.level,
            most: FINDINGS,
            fill: true,
            ..SelectionOptions::default()
        };
        progress.phase("selecting associations");
        let selected = select(&responses, &features, &covariates, &tests, &selection);
        let mut found = Self {
            names,
            responses,
            features,
            covariates,
            params: params.clone(),
            tests,
            rates,
            categories,
            selected,
            details: Vec::new(),
            pairs: Vec::new(),
            replication: None,
            upwards,
        };
        found.replication = found.replicate(loaded, &options, catalogue, progress)?;
        Ok(found)
    }

    /// The tests in the reference study, if there is one.
    fn replicate(
        &self,
        loaded: &Loaded,
        options: &ScanOptions,
        catalogue: &Mechanisms,
        progress: &dyn Progress,
    ) -> Result<Option<Replication>> {
        let Some(study) = &loaded.reference_study else { return Ok(None) };
        progress.phase("testing the reference study");
        let table = loaded.screen.table(0);
        let keep = cells_of(table, &self.params.tissues)?;
        let responses = ResponseMatrix::of_study(study).within(|cell| keep[cell as usize]);
        let leave_out = &self.params.leave_out;
        let features = scores::with_mechanisms(
            FeatureMatrix::new(table, &responses.cells, leave_out),
            responses.cells.len(),
            catalogue,
            leave_out,
        )?;
        // Two drugs cannot say how sensitive a cell line is in general.
        let general_sensitivity = self.params.general_sensitivity.filter(|_| responses.partners.len() >= 3);
        let params = AssociateParams { general_sensitivity, ..self.params.clone() };
        let covariates = covariates::of(table, &responses, &params, &halfmax_core::Silent)?;
        if covariates.names() != self.covariates.names() {
            progress.warn(&format!(
                "the reference study has other covariates: {}",
                covariates.names().join(", ")
            ));
        }
        let tests = scan(&responses, &features, &covariates, options, progress)?;
        let partner: Vec<Option<usize>> =
            self.responses.partners.iter().map(|own| responses.partners.binary_search(own).ok()).collect();
        let (mut places, mut p) = (Vec::new(), Vec::new());
        for (feature, at, test) in self.tests.iter() {
            let other = partner[at].map(|other| tests.get(feature, other));
            if let Some(other) = other.filter(|other| !(other.p.is_nan() || test.p.is_nan())) {
                places.push(feature * partner.len() + at);
                p.push(if other.t * test.t > 0.0 { other.p.max(test.p) } else { 1.0 });
            }
        }
        let mut joint = vec![f32::NAN; self.tests.features() * partner.len()];
        places.iter().zip(benjamini_hochberg(&p)).for_each(|(at, rate)| joint[*at] = rate as f32);
        let shared = partner.iter().flatten().count();
        progress
            .note(&format!("drugs that the reference study also measured: {shared} of {}", partner.len()));
        Ok(Some(Replication { tests, partner, joint }))
    }

    /// Looks at the strongest associations by permutation, by tissue and in pairs.
    ///
    /// # Errors
    /// If the user stopped it.
    pub fn look_closer(&mut self, seed: Seed, progress: &dyn Progress) -> Result<()> {
        progress.phase("permuting");
        let seed = seed.derive(PERMUTATIONS);
        let detail = Detail::new(&self.responses, &self.features, &self.covariates);
        let min_carriers = self.params.min_carriers;
        let one = |partner: usize| -> Result<(Vec<StrongAssociation>, Vec<PairTest>)> {
            progress.check()?;
            let strongest = self.strongest(partner, self.params.strongest, |_| true);
            let p = detail.permutation_p(&strongest, partner, self.params.permutations, seed);
            let strong = strongest.iter().zip(p).map(|(feature, permutation_p)| StrongAssociation {
                feature: *feature,
                permutation_p,
                interaction: detail.interaction(*feature, partner),
                tissues: detail.within_tissues(*feature, partner, min_carriers),
            });
            let strong = strong.collect();
            let binary = |row: usize| self.features.features()[row].form == halfmax_association::Form::Binary;
            let carried = self.strongest(partner, self.params.strongest.min(PAIRED), binary);
            let pairs = carried.iter().enumerate().flat_map(|(at, first)| {
                let rest = carried[at + 1..].iter();
                rest.filter_map(|second| detail.pair([*first, *second], partner, min_carriers))
            });
            Ok((strong, pairs.collect()))
        };
        let found: Vec<(Vec<StrongAssociation>, Vec<PairTest>)> =
            (0..self.names.len()).into_par_iter().map(one).collect::<Result<_>>()?;
        (self.details, self.pairs) = found.into_iter().unzip();
        Ok(())
    }

    /// The features with the smallest p values for a partner.
    pub fn strongest(&self, partner: usize, most: usize, wanted: impl Fn(usize) -> bool) -> Vec<usize> {
        let p = |row: &usize| self.tests.get(*row, partner).p;
        let mut rows: Vec<usize> =
            (0..self.features.len()).filter(|row| !p(row).is_nan() && wanted(*row)).collect();
        let order = |a: &usize, b: &usize| p(a).total_cmp(&p(b)).then(a.cmp(b));
        if rows.len() > most {
            rows.select_nth_unstable_by(most, order);
            rows.truncate(most);
        }
        rows.sort_by(order);
        rows
    }

    /// Whether the reference study shows the same: "yes" for the same direction at the level of the false discovery rate in both studies
    /// together, "no" otherwise, and an empty text if it has no test.
    pub fn replicated(&self, feature: usize, partner: usize) -> &'static str {
        let Some(replication) = &self.replication else { return "" };
        match replication.joint_rate(feature, partner) {
            rate if rate.is_nan() => "",
            rate if rate <= self.params.level => "yes",
            _ => "no",
        }
    }
}

/// The most features of carriers that are looked at in pairs.
const PAIRED: usize = 8;

/// The names of the partners.
fn names(screen: &Screen, responses: &ResponseMatrix) -> Vec<String> {
    let name = |partner: &Vec<u32>| {
        let ids = partner.iter().zip(1..).map(|(at, side)| screen.table(side).ids()[*at as usize].as_str());
        ids.collect::<Vec<_>>().join(" + ")
    };
    responses.partners.iter().map(name).collect()
}

/// The cell lines of these tissues; all if there are none.
fn cells_of(table: &EntityTable, tissues: &[String]) -> Result<Vec<bool>> {
    if tissues.is_empty() {
        return Ok(vec![true; table.len()]);
    }
    let group = table.group("tissue").ok_or_else(|| {
        Error::config("associate.tissues: the cell lines have no tissue")
            .with_help("remove the key, or add an annotation or features with a column tissue")
    })?;
    let mut wanted = Vec::new();
    for tissue in tissues {
        let Some(level) = group.levels.iter().position(|level| level == tissue) else {
            let known: Vec<&str> = group.levels.iter().map(String::as_str).collect();
            let help = match nearest(tissue, known.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("use one of {}", listed(&known, 40)),
            };
            return Err(Error::config(format!("associate.tissues: no cell line has the tissue {tissue:?}"))
                .with_help(help));
        };
        wanted.push(level as u16);
    }
    Ok(group.codes.iter().map(|code| code.is_some_and(|code| wanted.contains(&code))).collect())
}

/// Says what was not tested, and why.
fn note_untested(tests: &Tests, names: &[String], progress: &dyn Progress) {
    let mut counts: std::collections::BTreeMap<TestState, usize> = std::collections::BTreeMap::new();
    let mut without: Vec<bool> = vec![true; names.len()];
    for (_, partner, test) in tests.iter() {
        *counts.entry(test.state).or_default() += 1;
        without[partner] &= test.state != TestState::Tested;
    }
    let of = |state: TestState| counts.get(&state).copied().unwrap_or(0);
    let reasons: Vec<String> = counts
        .iter()
        .filter(|(state, _)| **state != TestState::Tested)
        .map(|(state, count)| format!("{count} ({})", state.text()))
        .collect();
    let total: usize = counts.values().sum();
    let mut text = format!("tests: {} of {total} pairs of feature and drug", of(TestState::Tested));
    if !reasons.is_empty() {
        text.push_str(&format!("; not tested: {}", reasons.join(", ")));
    }
    progress.note(&text);
    let names: Vec<&str> =
        names.iter().zip(&without).filter(|(_, without)| **without).map(|(name, _)| name.as_str()).collect();
    if !names.is_empty() {
        progress.warn(&format!("no feature was tested for {} drugs: {}", names.len(), listed(&names, 5)));
    }
}

/// Tests the associations of a configuration's data, and writes the tables and the provenance into the folder of a run.
///
/// # Errors
/// If a parameter does not suit the data, a file cannot be written, or the user stopped it.
pub fn associate_into(
    config: &Config,
    loaded: &Loaded,
    folder: &RunFolder,
    progress: &dyn Progress,
) -> Result<AssociationSummary> {
    let params = config.associate.clone().unwrap_or_default();
    let catalogue = config.explain.clone().unwrap_or_default().catalogue()?;
    let mut found = Associations::new(loaded, &catalogue, &params, progress)?;
    found.look_closer(Seed::new(config.seed), progress)?;
    let findings = found.findings(None);
    let summary = write_associations(&found, &findings, folder)?;
    write_json(folder, "associations.json", &summary)?;
    let manifest = Manifest::new("associate", config, &loaded.inputs);
    let mut reporting = Reporting::new(config, &manifest, loaded)?;
    reporting.add_findings(&found, &findings, &catalogue, false);
    folder.write("report.html", reporting.html().as_bytes())?;
    write_provenance(folder, config, &manifest)?;
    Ok(summary)
}
