//! The part of a report on an explanation: features, mechanisms and methods.

use halfmax_explain::{Explanation, MechanismEvidence, Spreads};
use halfmax_mechanisms::{Direction as Expected, DrugClass, Mechanism as Known, Reading};
use halfmax_report::{
    Agreement, Confounder, Direction, DrugMechanism, Estimate, Feature, GeneSet, GroupImportance, HeatCell,
    HeatGroup, HeatMap, HeatRow, Importance, Mechanism, MechanismDrug, Reference, Spread, Strategy,
};

use super::{Reporting, thousands};
use crate::explain::{ModelExplanation, ranked};

/// The number of drugs on the page of a mechanism.
const DRUGS: usize = 15;
/// The number of features shown over all drugs.
const OVERALL: usize = 20;
/// The number of genes named for a mechanism.
const GENES: usize = 5;
/// The false discovery rate below which a result counts as a discovery.
const RATE: f64 = 0.05;

impl Reporting<'_> {
    /// Adds the explanation of a model's predictions.
    pub fn add_explanation(&mut self, explained: &ModelExplanation) {
        self.add_groups(explained);
        if let Some(found) = &explained.found {
            self.add_overall(explained, found);
            self.add_drugs(explained, found);
        }
        self.report.mechanisms =
            (0..explained.catalogue.list.len()).map(|set| self.mechanism(explained, set)).collect();
        if let Some(associations) = &explained.associations {
            let has_model = explained.found.is_some();
            self.add_findings(associations, &explained.findings, &explained.catalogue, has_model);
        }
        match &explained.found {
            Some(found) => {
                self.report.heat_map = Some(self.heat_map(explained));
                self.summarise_explanation(explained, found);
                self.doubt(
                    "Mechanisms show what predictions rest on. A gene that correlates with resistance need not cause it: it may \
                     stand for a tissue or a co-expressed gene.",
                );
            }
            None => self.say(format!(
                "Models of this family give no contributions of single features. Mechanisms of {} can only be judged by \
                 exchanging their genes among cell lines.",
                explained.model
            )),
        }
        self.add_method(explained);
    }

    fn add_groups(&mut self, explained: &ModelExplanation) {
        let group = |(name, importance): &(String, halfmax_explain::PermutationImportance)| {
            let [value, low, high] = importance.rise;
            GroupImportance { name: name.clone(), value: Estimate { value, interval: Some((low, high)) } }
        };
        self.report.importances.push(Importance {
            title: format!("What {} relies on", explained.model),
            measure: "rise of RMSE when exchanged among cell lines".into(),
            groups: explained.groups.iter().map(group).collect(),
            note:
                "The features of whole cell lines are exchanged three times. All responses come from the training, so this \
                 shows what the model relies on, not how well that works elsewhere."
                    .into(),
        });
    }

    /// The features that matter most over all drugs.
    fn add_overall(&mut self, explained: &ModelExplanation, found: &Explanation) {
        let drugs = found.partners.len().max(1) as f64;
        let mut means: Vec<(f64, usize)> = (0..found.space.len())
            .map(|at| {
                let sum: f64 = found.partners.iter().map(|partner| partner.importance[at].mean_abs).sum();
                (sum / drugs, at)
            })
            .collect();
        means.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let group = |(value, at): &(f64, usize)| GroupImportance {
            name: format!("{} ({})", found.space.features[*at].name, found.space.features[*at].kind),
            value: Estimate { value: *value, interval: None },
        };
        self.report.importances.push(Importance {
            title: format!("Features of {} over all drugs", explained.model),
            measure: format!("mean |contribution|, {}", self.report.response),
            groups: means.iter().take(OVERALL).map(group).collect(),
            note: "The mean over all drugs and cell lines, including what all drugs share.".into(),
        });
    }

    fn add_drugs(&mut self, explained: &ModelExplanation, found: &Explanation) {
        let (targets, pathways) = (self.labels("targets"), self.labels("target_pathway"));
        for (partner, name) in explained.names.iter().enumerate() {
            let classes: Vec<&DrugClass> =
                explained.classes[partner].iter().map(|class| &explained.catalogue.classes[*class]).collect();
            let features = features(explained, found, partner, &classes);
            let mechanisms = mechanisms(explained, partner);
            let shares = found.partners[partner].explained;
            let page = self.drug(name);
            page.classes = classes.iter().map(|class| class.name.clone()).collect();
            page.targets = targets
                .get(name)
                .map(|text| text.split([',', ';']).map(|one| one.trim().to_owned()).collect())
                .unwrap_or_default();
            page.pathway = pathways.get(name).cloned().unwrap_or_default();
            page.features = features;
            page.mechanisms = mechanisms;
            let row = |name: &str, before: Option<f64>| Confounder {
                name: name.into(),
                before,
                after: before.map(|_| 0.0),
            };
            page.confounders = vec![row("tissue", shares.tissue), row("general sensitivity", shares.general)];
        }
    }

    fn heat_map(&self, explained: &ModelExplanation) -> HeatMap {
        let columns: Vec<usize> =
            (0..explained.sets.len()).filter(|set| !explained.sets[*set].members.is_empty()).collect();
        let row = |partner: usize| HeatRow {
            drug: self.drug_at[&explained.names[partner]],
            cells: columns.iter().map(|set| cell(explained, partner, *set)).collect(),
        };
        let mut groups: Vec<HeatGroup> = Vec::new();
        let mut order: Vec<(String, usize)> = (0..explained.names.len())
            .map(|partner| {
                let page = &self.report.drugs[self.drug_at[&explained.names[partner]]];
                (page.pathway.clone(), partner)
            })
            .collect();
        order.sort_by(|a, b| {
            (a.0.is_empty(), &a.0, &explained.names[a.1]).cmp(&(b.0.is_empty(), &b.0, &explained.names[b.1]))
        });
        for (pathway, partner) in order {
            let name = if pathway.is_empty() { "No pathway known".to_owned() } else { pathway };
            if groups.last().is_none_or(|group| group.name != name) {
                groups.push(HeatGroup { name, rows: Vec::new() });
            }
            if let Some(group) = groups.last_mut() {
                group.rows.push(row(partner));
            }
        }
        HeatMap {
            measure: "Contribution of each mechanism's genes to the predictions for a drug, in per cent of their spread, adjusted for \
                      tissue and general sensitivity; above 0, more of the mechanism confers resistance"
                .into(),
            mechanisms: columns,
            groups,
            note: "Marked where the false discovery rate among all drugs and mechanisms is below 5 %.".into(),
        }
    }

    fn mechanism(&self, explained: &ModelExplanation, set: usize) -> Mechanism {
        let known = &explained.catalogue.list[set];
        let genes = [
            ("more confers resistance", &known.up),
            ("less confers resistance", &known.down),
            ("a change confers resistance", &known.altered),
            ("marks an active mechanism", &known.markers),
            ("no direction known", &known.members),
        ];
        let gene_set = |(change, genes): (&str, &Vec<String>)| {
            (!genes.is_empty()).then(|| GeneSet { change: change.into(), genes: genes.clone() })
        };
        Mechanism {
            id: known.id.clone(),
            name: known.name.clone(),
            summary: if known.summary.is_empty() { Vec::new() } else { vec![known.summary.clone()] },
            genes: genes.into_iter().filter_map(gene_set).collect(),
            drugs: self.drugs_of(explained, set),
            strategies: known.strategies.iter().map(strategy).collect(),
            references: known
                .references
                .iter()
                .map(|reference| Reference { text: reference.text.clone(), url: reference.url.clone() })
                .collect(),
        }
    }

    /// The drugs with the most significant results for a mechanism.
    fn drugs_of(&self, explained: &ModelExplanation, set: usize) -> Vec<MechanismDrug> {
        let mut found: Vec<(f64, MechanismDrug)> = (0..explained.names.len())
            .filter_map(|partner| {
                let evidence = explained.evidence(partner, set)?;
                let q = explained.rates.adjusted[explained.test(partner, set)]?;
                let drug = MechanismDrug {
                    drug: *self.drug_at.get(&explained.names[partner])?,
                    attribution: Some(sign_of(explained, evidence) * evidence.adjusted.attribution),
                    direction: direction(explained.upwards * evidence.adjusted.effect),
                    q: Some(q),
                };
                Some((evidence.adjusted.p.unwrap_or(1.0), drug))
            })
            .collect();
        let size = |drug: &MechanismDrug| drug.attribution.unwrap_or(0.0).abs();
        found.sort_by(|a, b| a.0.total_cmp(&b.0).then(size(&b.1).total_cmp(&size(&a.1))));
        found.into_iter().take(DRUGS).map(|(_, drug)| drug).collect()
    }

    fn summarise_explanation(&mut self, explained: &ModelExplanation, found: &Explanation) {
        let discovered = |at: &usize| explained.rates.adjusted[*at].is_some_and(|rate| rate < RATE);
        let tests = explained.rates.adjusted.iter().flatten().count();
        let hits = (0..explained.rates.adjusted.len()).filter(discovered).count();
        let sets = explained.sets.len();
        let mut counts: Vec<(usize, usize)> = (0..sets)
            .map(|set| {
                let drugs = (0..explained.names.len()).map(|partner| explained.test(partner, set));
                (drugs.filter(discovered).count(), set)
            })
            .collect();
        counts.sort_by(|a, b| b.cmp(a));
        let named: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .take(3)
            .map(|(count, set)| format!("{} ({count})", explained.catalogue.list[*set].name))
            .collect();
        self.finding(
            thousands(hits),
            format!(
                "of {} pairs of drug and mechanism stand out (false discovery rate below 5 %)",
                thousands(tests)
            ),
        );
        let most = if named.is_empty() {
            "No mechanism stands out for any drug.".to_owned()
        } else {
            format!("Mechanisms that stand out for most drugs: {}.", named.join(", "))
        };
        self.say(format!(
            "Predictions of {}, fitted to all responses, for {} drugs and the cell lines it was fitted to, are split into the \
             contributions of {} features. {most}",
            explained.model,
            thousands(explained.names.len()),
            thousands(found.space.len())
        ));
    }

    fn add_method(&mut self, explained: &ModelExplanation) {
        if let Some(found) = &explained.found {
            let method = format!("Contributions of features: {}.", found.method);
            self.note(
                "Contributions",
                &[
                    &method,
                    "A drug's features are ranked by the mean of their |contribution| over the cell lines. A feature points to \
                     resistance where predictions rise with its value.",
                ],
            );
            self.note(
                "Confounders",
                &[
                    "General sensitivity is the mean of a cell line's predictions over all other drugs. Contributions add up, \
                     so those to general sensitivity are known exactly. They are subtracted from a drug's contributions to the extent \
                     that its predictions follow general sensitivity. Then the mean of every tissue is subtracted. Ranks and mechanisms \
                     are shown before and after.",
                ],
            );
            self.note(
                "Tests of mechanisms",
                &[
                    "A mechanism's contribution is the mean over cell lines of |the sum over its features − the mean of that \
                     sum|, so contributions that cancel do not count.",
                    "Competitive test: the mechanism is compared with random sets. Their features match those of the mechanism \
                     in number, kind, mean and variance, and are about as correlated with each other as those of the mechanism, \
                     since sums over correlated features vary more. The test is adjusted for the confounders.",
                    "Self-contained test: do measured responses correlate with the mechanism's features at all? Responses are \
                     taken within tissues, without the part that general sensitivity explains. Cell lines of a tissue are permuted, so \
                     features stay correlated. The test uses no model.",
                    "q is the false discovery rate among all drugs and mechanisms (Benjamini and Hochberg 1995). The smallest \
                     possible p is one over the number of random sets plus one: many tests with few sets can find nothing.",
                    "The catalogue for the drug's classes gives the expected direction. Genes are weighted by how much \
                     predictions depend on them.",
                ],
            );
        } else {
            self.note(
                "Contributions",
                &["The family of this model gives no contributions of features. Groups of features are exchanged among \
                   whole cell lines instead."],
            );
        }
        let without: Vec<&str> = explained
            .catalogue
            .list
            .iter()
            .zip(&explained.sets)
            .filter(|(_, set)| set.members.is_empty())
            .map(|(known, _)| known.name.as_str())
            .collect();
        if !without.is_empty() && explained.found.is_some() {
            let text = if without.len() == explained.catalogue.list.len() {
                "No feature of the model belongs to a gene of a mechanism in the catalogue: mechanisms are unavailable."
                    .to_owned()
            } else {
                format!("The model has no feature of: {}.", without.join("; "))
            };
            self.note("Mechanisms without features", &[&text]);
            if without.len() == explained.catalogue.list.len() {
                self.say(text);
            }
        }
        self.note(
            "Limits",
            &[
                "A contribution shows what a model relies on. It does not prove a cause: correlated genes share contributions, \
                 and findings in cell lines need not hold in patients.",
                "Research use only. Strategies come from the research literature. They are not advice on treatment.",
            ],
        );
    }
}

pub(super) fn direction(effect: f64) -> Direction {
    match effect.partial_cmp(&0.0) {
        Some(std::cmp::Ordering::Greater) => Direction::Resistance,
        Some(std::cmp::Ordering::Less) => Direction::Sensitivity,
        _ => Direction::Unclear,
    }
}

/// 1 if more of a mechanism confers resistance, else −1.
fn sign_of(explained: &ModelExplanation, evidence: &MechanismEvidence) -> f64 {
    if explained.upwards * evidence.adjusted.effect < 0.0 { -1.0 } else { 1.0 }
}

fn agreement(evidence: &MechanismEvidence) -> Agreement {
    match evidence.adjusted.agreement {
        Some(agreement) if agreement > 0.0 => Agreement::Agrees,
        Some(agreement) if agreement < 0.0 => Agreement::Differs,
        _ => Agreement::Unknown,
    }
}

fn cell(explained: &ModelExplanation, partner: usize, set: usize) -> Option<HeatCell> {
    let evidence = explained.evidence(partner, set)?;
    let spread = explained.found.as_ref()?.partners.get(partner)?.spread;
    let sign = sign_of(explained, evidence);
    let q = explained.rates.adjusted[explained.test(partner, set)];
    let stands_out = q.is_some_and(|q| q < RATE);
    Some(HeatCell {
        value: if spread > 0.0 { 100.0 * sign * evidence.adjusted.attribution / spread } else { 0.0 },
        q,
        // The direction of an insignificant result has no meaning.
        agreement: if stands_out { agreement(evidence) } else { Agreement::Unknown },
    })
}

fn features(
    explained: &ModelExplanation,
    found: &Explanation,
    partner: usize,
    classes: &[&DrugClass],
) -> Vec<Feature> {
    let own = &found.partners[partner];
    let spread = |seven: [f32; 7]| {
        let [min, q05, q25, q50, q75, q95, max] = seven.map(f64::from);
        Spread { min, q05, q25, q50, q75, q95, max }
    };
    let feature = |((at, _, adjusted_rank), spreads): ((usize, u32, u32), &Spreads)| {
        let described = &found.space.features[at];
        let one = own.importance[at];
        let readings = explained.catalogue.genes_of_feature(&described.kind, &described.name);
        Feature {
            kind: described.kind.clone(),
            name: described.name.clone(),
            mean_abs: one.mean_abs,
            adjusted_mean_abs: Some(one.adjusted_mean_abs),
            adjusted_rank: Some(adjusted_rank as usize),
            direction: direction(explained.upwards * one.effect),
            low: spreads.low.map(spread),
            high: spreads.high.map(spread),
            expected: readings
                .iter()
                .find_map(|reading| expected(&explained.catalogue.list, reading, classes)),
        }
    };
    // Both lists are in the order of importance.
    ranked(&own.importance).into_iter().zip(&own.spreads).map(feature).collect()
}

/// The direction of a feature that a mechanism relevant to a drug predicts.
fn expected(known: &[Known], reading: &Reading, classes: &[&DrugClass]) -> Option<Direction> {
    let concerning = known.iter().filter(|mechanism| mechanism.concerns(classes));
    let said = concerning
        .filter_map(|mechanism| mechanism.expected(&reading.gene, reading.sense, classes))
        .next()?;
    Some(match said {
        Expected::Resistant => Direction::Resistance,
        Expected::Sensitive => Direction::Sensitivity,
    })
}

fn mechanisms(explained: &ModelExplanation, partner: usize) -> Vec<DrugMechanism> {
    let mut found: Vec<DrugMechanism> = (0..explained.sets.len())
        .filter(|set| !explained.sets[*set].members.is_empty())
        .filter_map(|set| {
            let evidence = explained.evidence(partner, set)?;
            let test = explained.test(partner, set);
            let genes = explained.leading_genes(partner, set, GENES);
            Some(DrugMechanism {
                mechanism: set,
                attribution: Some(sign_of(explained, evidence) * evidence.unadjusted.attribution),
                direction: direction(explained.upwards * evidence.adjusted.effect),
                p: evidence.adjusted.p,
                q_competitive: explained.rates.adjusted[test],
                q_self_contained: explained.rates.self_contained[test],
                agreement: agreement(evidence),
                adjusted: Some(sign_of(explained, evidence) * evidence.adjusted.attribution),
                genes: genes.into_iter().map(str::to_owned).collect(),
            })
        })
        .collect();
    let p = |one: &DrugMechanism| one.p.unwrap_or(1.0);
    let size = |one: &DrugMechanism| one.adjusted.unwrap_or(0.0).abs();
    found.sort_by(|a, b| p(a).total_cmp(&p(b)).then(size(b).total_cmp(&size(a))));
    found
}

/// The strategies against a mechanism, in the form of the report.
pub fn strategy(known: &halfmax_mechanisms::CounterStrategy) -> Strategy {
    Strategy {
        text: known.text.clone(),
        reference: Reference { text: known.reference.clone(), url: String::new() },
    }
}
