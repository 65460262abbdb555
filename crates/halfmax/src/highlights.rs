//! Highlights of an evaluation and an explanation as text: the best predicted drugs, the drugs that suit a cell line, the
//! mechanisms behind predictions.

use std::collections::BTreeMap;
use std::fmt;

use halfmax_core::End;
use halfmax_data::Loaded;
use halfmax_eval::{DrugMetrics, ModelEvaluation};
use serde::Serialize;

use crate::explain::{ModelExplanation, direction};

/// The significant mechanisms of drugs that they concern, the largest contribution first.
#[derive(Clone, Debug, Serialize)]
pub struct StandingMechanisms {
    /// The mechanisms, at most eight.
    pub mechanisms: Vec<StandingMechanism>,
}

/// A significant mechanism of a drug.
#[derive(Clone, Debug, Serialize)]
pub struct StandingMechanism {
    /// The drug.
    pub drug: String,
    /// The name of the mechanism.
    pub mechanism: String,
    /// The genes of the mechanism with the largest contributions to the predictions, at most three.
    pub genes: Vec<String>,
    /// The effect of more of the mechanism on cell lines: "resistant", "sensitive" or empty.
    pub direction: &'static str,
    /// The false discovery rate of the mechanism.
    pub q: f64,
}

impl StandingMechanisms {
    /// The mechanisms with a q value below 0.05.
    pub fn new(explained: &ModelExplanation) -> Self {
        let mut found: Vec<(f64, StandingMechanism)> = Vec::new();
        for (partner, drug) in explained.names.iter().enumerate() {
            for set in 0..explained.sets.len() {
                let Some(evidence) = explained.evidence(partner, set) else { continue };
                let q = explained.rates.adjusted[explained.test(partner, set)].unwrap_or(1.0);
                if q < 0.05 && explained.concerns(partner, set) {
                    let genes = explained.leading_genes(partner, set, 3);
                    let one = StandingMechanism {
                        drug: drug.clone(),
                        mechanism: explained.catalogue.list[set].name.clone(),
                        genes: genes.into_iter().map(str::to_owned).collect(),
                        direction: direction(explained.upwards * evidence.adjusted.effect),
                        q,
                    };
                    found.push((evidence.adjusted.attribution, one));
                }
            }
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.drug.cmp(&b.1.drug)));
        Self { mechanisms: found.into_iter().take(8).map(|(_, one)| one).collect() }
    }
}

impl fmt::Display for StandingMechanisms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |one: &StandingMechanism| {
            let genes = one.genes.join(", ");
            format!(
                "  {:<24} {} ({genes}): more of it makes cell lines {}",
                one.drug, one.mechanism, one.direction
            )
        };
        let lines: Vec<String> = self.mechanisms.iter().map(line).collect();
        writeln!(
            f,
            "What the predictions rest on: mechanisms that stand out (q < 0.05)\n\n{}",
            lines.join("\n")
        )
    }
}

/// The best-predicted drugs.
#[derive(Clone, Debug, Serialize)]
pub struct BestDrugs {
    /// The drugs, at most five.
    pub drugs: Vec<DrugMetrics>,
}

impl BestDrugs {
    /// The five drugs with the highest correlation of predictions and responses, among drugs with responses of at least 100 cell lines.
    pub fn new(model: &ModelEvaluation) -> Self {
        let mut drugs = model.per_drug.clone();
        drugs.retain(|drug| drug.pearson.is_some() && drug.n >= 100);
        drugs.sort_by(|a, b| b.pearson.unwrap_or(0.0).total_cmp(&a.pearson.unwrap_or(0.0)));
        drugs.truncate(5);
        Self { drugs }
    }
}

impl fmt::Display for BestDrugs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |drug: &DrugMetrics| {
            format!(
                "  {:<24} Pearson {:.2} over {} cell lines",
                drug.drug,
                drug.pearson.unwrap_or(0.0),
                drug.n
            )
        };
        let lines: Vec<String> = self.drugs.iter().map(line).collect();
        writeln!(f, "Best predicted drugs\n\n{}", lines.join("\n"))
    }
}

/// The drugs to which a cell line is predicted to be most sensitive, compared with other cell lines. The evaluation must hold out cell
/// lines, so that the model never saw this one.
#[derive(Clone, Debug, Serialize)]
pub struct TopDrugs {
    /// The cell line.
    pub cell_line: String,
    /// The drugs, at most five.
    pub drugs: Vec<TopDrug>,
}

/// A drug to which a cell line is predicted to be sensitive.
#[derive(Clone, Debug, Serialize)]
pub struct TopDrug {
    /// The drug.
    pub drug: String,
    /// The predicted response.
    pub predicted: f32,
    /// The measured response.
    pub observed: f32,
    /// The predicted and measured IC50 in µM, if the responses express an IC50.
    #[serde(skip)]
    pub ic50_um: [Option<f64>; 2],
    /// Percentage of cell lines with a more sensitive prediction.
    pub percentile: f64,
    /// Percentage of cell lines with a more sensitive measured response.
    pub observed_percentile: f64,
}

impl TopDrugs {
    /// The five drugs for which the fewest other cell lines are predicted to be more sensitive. `None` if the screen lacks the cell
    /// line, or the sensitive end of its responses is unknown.
    pub fn new(cell: &str, model: &ModelEvaluation, loaded: &Loaded) -> Option<Self> {
        let screen = &loaded.screen;
        let at = screen.table(0).position(cell)?;
        let sensitive = loaded.target.sensitive?;
        let more_sensitive = |a: f32, b: f32| match sensitive {
            End::Low => a < b,
            End::High => a > b,
        };
        let mut by_drug: BTreeMap<u32, Vec<(bool, f32, f32)>> = BTreeMap::new();
        for one in model.predictions.iter() {
            let own = screen.responses.side(0)[one.row] as usize == at;
            let observed = screen.responses.values()[one.row];
            by_drug.entry(screen.responses.side(1)[one.row]).or_default().push((
                own,
                one.predicted,
                observed,
            ));
        }
        let mut drugs: Vec<TopDrug> = by_drug
            .iter()
            .filter_map(|(drug, all)| {
                let (_, predicted, observed) = *all.iter().find(|one| one.0)?;
                let percentile = |is_before: &dyn Fn(&(bool, f32, f32)) -> bool| {
                    100.0 * all.iter().filter(|one| is_before(one)).count() as f64 / all.len() as f64
                };
                Some(TopDrug {
                    drug: screen.table(1).ids()[*drug as usize].clone(),
                    predicted,
                    observed,
                    ic50_um: [predicted, observed].map(|value| loaded.target.ic50_um(f64::from(value))),
                    percentile: percentile(&|one| more_sensitive(one.1, predicted)),
                    observed_percentile: percentile(&|one| more_sensitive(one.2, observed)),
                })
            })
            .collect();
        drugs.sort_by(|a, b| a.percentile.total_cmp(&b.percentile));
        drugs.truncate(5);
        (!drugs.is_empty()).then(|| Self { cell_line: cell.to_owned(), drugs })
    }
}

impl fmt::Display for TopDrugs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: drugs it is predicted to be most sensitive to, by a model that never saw it\n",
            self.cell_line
        )?;
        for drug in &self.drugs {
            let (what, [predicted, observed], unit) = match drug.ic50_um {
                [Some(predicted), Some(observed)] => ("IC50 ", [predicted, observed], " µM"),
                _ => ("", [drug.predicted, drug.observed].map(f64::from), ""),
            };
            writeln!(
                f,
                "  {:<24} predicted {what}{predicted:>9.3}{unit} (most sensitive {:.0} %), measured {observed:>9.3}{unit} ({:.0} %)",
                drug.drug,
                drug.percentile.max(1.0).ceil(),
                drug.observed_percentile.max(1.0).ceil(),
            )?;
        }
        Ok(())
    }
}
