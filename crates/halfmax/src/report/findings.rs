//! The part of a drug's page on findings: sentences, a volcano plot, responses of carriers and others, a table.

use std::collections::HashMap;

use halfmax_mechanisms::Mechanisms;
use halfmax_report::{DrugFinding, ResponseStrip, StripGroup, Volcano};

use super::Reporting;
use super::explanation::direction;
use crate::associate::{Associations, Finding, MECHANISM, Support};

/// The findings that are told in sentences.
const SENTENCES: usize = 6;
/// The findings whose responses are drawn.
const STRIPS: usize = 2;
/// The associations with a label in a volcano plot.
const LABELS: usize = 5;
/// The points of a volcano plot.
const POINTS: usize = 70;
/// The findings of the table.
const ROWS: usize = 10;
/// The members that are named.
const MEMBERS: usize = 6;
/// The cell lines that are drawn of a group.
const DOTS: usize = 25;
/// The tissues of carriers that are drawn apart.
const TISSUES: usize = 3;

impl Reporting<'_> {
    /// Adds what is known about each drug: associations, and the model's contributions beside them.
    pub(crate) fn add_findings(
        &mut self,
        associations: &Associations,
        findings: &[Vec<Finding>],
        catalogue: &Mechanisms,
        has_model: bool,
    ) {
        let words = Words { catalogue, unit: self.report.response.clone(), has_model };
        let targets = self.labels("targets");
        for (partner, (name, own)) in associations.names.iter().zip(findings).enumerate() {
            let targets = targets_of(targets.get(name).map(String::as_str).unwrap_or_default());
            let supported: Vec<&Finding> = own.iter().filter(|one| one.support != Support::Neither).collect();
            let mut sentences: Vec<String> =
                supported.iter().take(SENTENCES).map(|one| words.sentence(one)).collect();
            sentences.extend(absences(associations, partner, &supported, &targets));
            if supported.is_empty() {
                let count = associations.responses.measured(partner).count();
                sentences.insert(
                    0,
                    format!("No feature stands out for this drug: neither in the data ({count} cell lines) nor in the model."),
                );
            }
            let mut rows: Vec<DrugFinding> =
                supported.iter().take(ROWS).map(|one| row(one, catalogue, &targets)).collect();
            if self.report.mechanisms.is_empty() {
                // The report has no pages of mechanisms to link to.
                rows.iter_mut().for_each(|row| row.mechanisms.clear());
            }
            let strips = supported
                .iter()
                .filter(|one| one.carriers.is_some() && one.support != Support::Model)
                .take(STRIPS)
                .filter_map(|one| self.strip(associations, partner, one))
                .collect();
            let volcano = volcano(associations, partner);
            let page = self.drug(name);
            (page.sentences, page.findings) = (sentences, rows);
            (page.strips, page.volcano) = (strips, volcano);
        }
        self.note(
            "Findings",
            &[
                &format!(
                    "A linear model tests every feature: the response on the feature and {}. An effect is that of carriers compared \
                     with others, or of one standard deviation. q is the false discovery rate among the drug's tests (Benjamini and \
                     Hochberg 1995).",
                    match associations.covariates.names().as_slice() {
                        [] => "nothing else".to_owned(),
                        names => names.join(", "),
                    }
                ),
                "Findings are selected one after the other: the next is the feature with the smallest p value given the findings \
                 before, times the number of features of its kind and the number of kinds. Features that are no longer significant then, and that correlate \
                 with it, are listed as the same signal. Significant findings come first. After them, the features that the model \
                 relies on most and the associations that come next alternate.",
                "A drug's page has its first 10 findings; findings.parquet has up to 20. An association does not prove a cause, and neither \
                 does a contribution to a prediction.",
            ],
        );
    }

    /// The responses of carriers by tissue, of others in the same tissues, and of all others.
    fn strip(&self, associations: &Associations, partner: usize, finding: &Finding) -> Option<ResponseStrip> {
        let row = finding.feature?;
        let values = associations.features.values(row);
        let responses = associations.responses.values(partner);
        let cells = &associations.responses.cells;
        let tissues = self.screen.table(0).group("tissue");
        let tissue = |at: usize| tissues.and_then(|group| group.codes[cells[at] as usize]);
        let measured = |keep: &dyn Fn(usize) -> bool| -> Vec<f64> {
            associations.responses.measured(partner).filter(|at| keep(*at)).map(|at| responses[at]).collect()
        };
        let carries = |at: usize| values[at] > 0.5;
        let mut counts: HashMap<u16, usize> = HashMap::new();
        for at in associations.responses.measured(partner).filter(|at| carries(*at)) {
            if let Some(code) = tissue(at) {
                *counts.entry(code).or_default() += 1;
            }
        }
        let mut order: Vec<(u16, usize)> = counts.into_iter().collect();
        order.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        let mut groups = Vec::new();
        let mut push = |label: String, carries: bool, measured: Vec<f64>| {
            let label = format!("{label} ({})", measured.len());
            groups.push(StripGroup { label, carries, measured: thinned(measured), predicted: Vec::new() });
        };
        let is_tissue = finding.kind == "tissue";
        if let (Some(group), false) = (tissues, is_tissue) {
            for (code, _) in order.iter().take(TISSUES) {
                let name = &group.levels[usize::from(*code)];
                let own = |at: usize| tissue(at) == Some(*code);
                push(format!("carriers, {name}"), true, measured(&|at| own(at) && carries(at)));
                push(format!("others, {name}"), false, measured(&|at| own(at) && !carries(at)));
            }
        }
        let all = if is_tissue { finding.name.clone() } else { "all carriers".into() };
        push(all, true, measured(&|at| carries(at)));
        push("all others".into(), false, measured(&|at| !carries(at)));
        groups.retain(|group: &StripGroup| !group.measured.is_empty());
        Some(ResponseStrip {
            title: finding.name.clone(),
            groups,
            note: format!(
                "Measured responses. Of a larger group, {DOTS} cell lines are drawn, spread evenly over its order."
            ),
        })
    }
}

/// At most [`DOTS`] values, evenly spread over their order.
fn thinned(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    if values.len() <= DOTS {
        return values;
    }
    let last = (values.len() - 1) as f64;
    (0..DOTS).map(|at| values[(at as f64 * last / (DOTS - 1) as f64).round() as usize]).collect()
}

/// The symbols of a drug's targets, in upper case.
fn targets_of(text: &str) -> Vec<String> {
    let words = text.split([',', ';', '/', ' ', '(', ')']).map(str::trim);
    words.filter(|word| word.len() >= 2).map(str::to_uppercase).collect()
}

/// The genes that a feature names.
fn genes(catalogue: &Mechanisms, kind: &str, name: &str) -> Vec<String> {
    catalogue.genes_of_feature(kind, name).into_iter().map(|reading| reading.gene).collect()
}

fn row(finding: &Finding, catalogue: &Mechanisms, targets: &[String]) -> DrugFinding {
    let genes = genes(catalogue, &finding.kind, &finding.name);
    let has = |mechanism: &halfmax_mechanisms::Mechanism| {
        mechanism.id == finding.name || mechanism.genes().any(|own| genes.iter().any(|gene| gene == own))
    };
    let known = |value: f64| value.is_finite().then_some(value);
    let mut members: Vec<String> = finding
        .members
        .iter()
        .take(MEMBERS)
        .map(|own| if own.is_opposite { format!("{} (opposite)", own.name) } else { own.name.clone() })
        .collect();
    if finding.members.len() > MEMBERS {
        members.push(format!("{} more", finding.members.len() - MEMBERS));
    }
    let in_words = |kind: &str, name: &str| {
        let known = catalogue.list.iter().find(|own| kind == MECHANISM && own.id == name);
        known.map_or(name, |own| own.name.as_str()).to_owned()
    };
    DrugFinding {
        kind: finding.kind.clone(),
        name: in_words(&finding.kind, &finding.name),
        members,
        is_target: genes.iter().any(|gene| targets.contains(gene)),
        mechanisms: (0..catalogue.list.len()).filter(|at| has(&catalogue.list[*at])).collect(),
        support: support_in_words(finding.support).to_owned(),
        direction: direction(finding.direction),
        effect: known(finding.effect),
        carriers: finding.carriers.map(|count| count as usize),
        p: known(finding.p),
        q: known(finding.q),
        replicated: finding.replicated.to_owned(),
    }
}

const fn support_in_words(support: Support) -> &'static str {
    match support {
        Support::Both => "data and model",
        Support::Data => "data",
        Support::Model => "model",
        Support::Neither => "",
    }
}

/// What sentences on findings need to know.
struct Words<'a> {
    catalogue: &'a Mechanisms,
    /// The unit of effects: "ln IC50".
    unit: String,
    has_model: bool,
}

impl Words<'_> {
    /// The name of a feature; of a mechanism its name in words.
    fn name<'a>(&'a self, kind: &str, name: &'a str) -> &'a str {
        let known = self.catalogue.list.iter().find(|own| kind == MECHANISM && own.id == name);
        known.map_or(name, |own| own.name.as_str())
    }

    /// A finding as a biologist would write it.
    fn sentence(&self, finding: &Finding) -> String {
        let (way, end) = match finding.direction {
            way if way > 0.0 => ("more resistant", "resistance"),
            way if way < 0.0 => ("more sensitive", "sensitivity"),
            _ => ("no different", "no clear direction"),
        };
        let (size, unit) = (finding.effect.abs(), &self.unit);
        let (kind, name) = (finding.kind.as_str(), self.name(&finding.kind, &finding.name));
        let is_of_model = finding.support == Support::Model;
        let mut text = match finding.carriers {
            _ if is_of_model => {
                format!("The model relies on {name} ({kind}), towards {end}; the data alone do not show it")
            }
            Some(carriers) if kind == "tissue" => {
                format!("Cell lines of {name} (n = {carriers}) are {size:.1} {unit} {way} than the others")
            }
            Some(carriers) => {
                let carried = carried(name);
                format!("{carried} carriers (n = {carriers}) are {size:.1} {unit} {way} than the others")
            }
            None if kind == MECHANISM => {
                format!(
                    "Cell lines with more of the mechanism {name} are {size:.2} {unit} {way} per standard deviation"
                )
            }
            None => format!(
                "Cell lines with more {name} ({kind}) are {size:.2} {unit} {way} per standard deviation"
            ),
        };
        if finding.p.is_finite() && !is_of_model {
            text.push_str(&format!(" (p = {:.0e}, q = {:.0e})", finding.p, finding.q));
        }
        match finding.replicated {
            "yes" => text.push_str("; replicated in the reference study"),
            "no" => text.push_str("; not replicated in the reference study"),
            _ => {}
        }
        match finding.support {
            Support::Both => text.push_str("; the model says the same"),
            Support::Data if finding.is_opposed => text.push_str("; the model points the other way"),
            Support::Data if self.has_model => text.push_str("; the model does not rely on it"),
            _ => {}
        }
        if let [first, ..] = finding.members.as_slice() {
            let first = self.name(&first.kind, &first.name);
            text.push_str(&match finding.members.len() {
                1 => format!(". {first} carries the same signal"),
                2 => format!(". {first} and 1 more feature carry the same signal"),
                more => format!(". {first} and {} more features carry the same signal", more - 1),
            });
        }
        text.push('.');
        text
    }
}

/// The gene of a mutation, or the name of another event.
fn carried(name: &str) -> &str {
    name.strip_suffix("_mut").unwrap_or(name)
}

/// Sentences on targets whose features do not matter.
fn absences(
    associations: &Associations,
    partner: usize,
    findings: &[&Finding],
    targets: &[String],
) -> Vec<String> {
    let all = associations.features.features();
    let is_of = |name: &str, target: &str| carried(name).eq_ignore_ascii_case(target);
    targets
        .iter()
        .filter_map(|target| {
            let shown = findings.iter().any(|one| {
                is_of(&one.name, target) || one.members.iter().any(|member| is_of(&member.name, target))
            });
            let rows: Vec<usize> = (0..all.len()).filter(|row| is_of(&all[*row].name, target)).collect();
            if shown || rows.is_empty() {
                return None;
            }
            let tested: Vec<String> = rows
                .iter()
                .filter(|row| associations.tests.get(**row, partner).p.is_finite())
                .map(|row| {
                    let test = associations.tests.get(*row, partner);
                    let carriers = if all[*row].form.has_carriers() {
                        format!(", n = {}", test.carriers)
                    } else {
                        String::new()
                    };
                    let p = if test.p < 0.005 { format!("{:.0e}", test.p) } else { format!("{:.2}", test.p) };
                    format!("{} (p = {p}{carriers})", all[*row].kind)
                })
                .collect();
            (!tested.is_empty()).then(|| {
                format!(
                    "{target} is a target of this drug, but it is not among the findings: {}.",
                    tested.join(", ")
                )
            })
        })
        .collect()
}

fn volcano(associations: &Associations, partner: usize) -> Volcano {
    let strongest = associations.strongest(partner, POINTS, |_| true);
    let all = associations.features.features();
    let point = |(at, row): (usize, &usize)| {
        let test = associations.tests.get(*row, partner);
        let name = if at < LABELS { all[*row].name.clone() } else { String::new() };
        (test.effect, -test.p.max(1e-300).log10(), name)
    };
    let level = associations.params.level;
    let last = strongest.iter().rev().find(|row| associations.rates.of_partner(**row, partner) <= level);
    let tested = (0..all.len()).filter(|row| !associations.tests.get(*row, partner).p.is_nan()).count();
    Volcano {
        points: strongest.iter().enumerate().map(point).collect(),
        threshold: last.map(|row| -associations.tests.get(*row, partner).p.max(1e-300).log10()),
        note: format!(
            "The {} features with the smallest p values of {} tested. The line is the largest p drawn whose false discovery rate is at \
             most {level}.",
            strongest.len(),
            super::thousands(tested)
        ),
    }
}
