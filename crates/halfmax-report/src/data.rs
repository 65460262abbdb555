//! What a report consists of: plain data, filled in by the caller.
//!
//! Every part may be empty and is then left out. Parts refer to drugs and mechanisms by their index in
//! [`Report::drugs`] and [`Report::mechanisms`]; an index beyond the end is shown as missing, never an error.
//! Directions say whether something goes with resistance or sensitivity, whichever end of the response that is.

use serde::{Deserialize, Serialize};

/// Everything that one HTML file shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// The heading of the report.
    pub title: String,
    /// A line below it; may be empty.
    pub subtitle: String,
    /// What is predicted, for axes and columns: "ln IC50".
    pub response: String,
    /// The gist in plain words.
    pub summary: Summary,
    /// Cell lines that were scored.
    pub samples: Vec<Sample>,
    /// Models side by side.
    pub leaderboard: Option<Leaderboard>,
    /// Observed against predicted, one for each model to be shown.
    pub densities: Vec<Density>,
    /// What prediction intervals held, one for each model to be shown.
    pub calibrations: Vec<Calibration>,
    /// Importance of kinds of features, or of groups of entities.
    pub importances: Vec<Importance>,
    /// Drugs: a table, and a page for each.
    pub drugs: Vec<Drug>,
    /// Drugs × mechanisms.
    pub heat_map: Option<HeatMap>,
    /// Mechanisms: a page for each.
    pub mechanisms: Vec<Mechanism>,
    /// Data, methods and terms.
    pub notes: Notes,
}

/// The gist in plain words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// Running text.
    pub paragraphs: Vec<String>,
    /// Key findings.
    pub findings: Vec<Finding>,
    /// What a reader should doubt, a sentence each.
    pub doubts: Vec<String>,
}

/// A key finding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Finding {
    /// A number or a few words to be set large; may be empty.
    pub figure: String,
    /// What it says.
    pub text: String,
}

/// A name and what is known under it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fact {
    /// "Tissue".
    pub name: String,
    /// "Lung".
    pub value: String,
}

/// A work or a page that is referred to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reference {
    /// "Robey et al. 2018, Nat Rev Cancer 18:452".
    pub text: String,
    /// Becomes a link if it begins with `https://` or `http://`; may be empty.
    pub url: String,
}

/// A number with its 95 % interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Lower and upper end of the interval.
    pub interval: Option<(f64, f64)>,
}

/// Models side by side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Leaderboard {
    /// The columns, in order.
    pub metrics: Vec<Metric>,
    /// The rows, in order.
    pub models: Vec<ModelScores>,
    /// Pairwise comparisons, a sentence each.
    pub comparisons: Vec<String>,
    /// Anything else to be said below the table.
    pub notes: Vec<String>,
}

/// A measure of quality.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metric {
    /// "per-drug Pearson".
    pub name: String,
    /// Which way is better.
    pub better: Better,
    /// Whether it is drawn or only tabulated.
    pub rank: MetricRank,
    /// What a replicate of the experiment achieves.
    pub ceiling: Option<f64>,
}

/// Which way a measure is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Pearson, R².
    #[default]
    Higher,
    /// RMSE.
    Lower,
}

/// How much a measure counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricRank {
    /// Drawn and tabulated.
    Chief,
    /// Tabulated.
    #[default]
    Other,
}

/// What one model achieved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelScores {
    /// Its name.
    pub name: String,
    /// Its family.
    pub family: String,
    /// Whether it learns from features at all.
    pub standing: Standing,
    /// One for each of [`Leaderboard::metrics`].
    pub scores: Vec<Option<Estimate>>,
    /// Something to be said about it; may be empty.
    pub note: String,
}

/// What a model is on the leaderboard for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// A model.
    #[default]
    Model,
    /// A yardstick that every model should beat: means of drugs, of tissues.
    Naive,
}

/// Counts of (observed, predicted) on a square grid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Density {
    /// The model's name.
    pub model: String,
    /// Bins on each side.
    pub bins: usize,
    /// `bins × bins` counts: `counts[row * bins + column]`, columns observed, rows predicted, both ascending.
    pub counts: Vec<u32>,
    /// Lower end of both axes.
    pub low: f64,
    /// Upper end of both axes.
    pub high: f64,
    /// Correlation over all pairs.
    pub pearson: Option<f64>,
    /// Something to be said about it; may be empty.
    pub note: String,
}

/// What the prediction intervals of a model held.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Calibration {
    /// The model's name.
    pub model: String,
    /// By nominal coverage.
    pub points: Vec<Coverage>,
    /// Something to be said about it; may be empty.
    pub note: String,
}

/// One level of coverage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Coverage {
    /// Share that should lie within.
    pub nominal: f64,
    /// Share that does.
    pub held: f64,
    /// Mean width of the intervals, in the unit of the response.
    pub width: Option<f64>,
}

/// Importance of groups.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Importance {
    /// "Kinds of features".
    pub title: String,
    /// What the values are: "rise of RMSE when shuffled".
    pub measure: String,
    /// The groups, in order.
    pub groups: Vec<GroupImportance>,
    /// Something to be said about it; may be empty.
    pub note: String,
}

/// Importance of one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupImportance {
    /// "expression".
    pub name: String,
    /// How much it matters.
    pub value: Estimate,
}

/// A drug.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Drug {
    /// Its name.
    pub name: String,
    /// Its classes: "taxane".
    pub classes: Vec<String>,
    /// Its targets.
    pub targets: Vec<String>,
    /// The pathway that it acts on.
    pub pathway: String,
    /// Anything else that is known.
    pub facts: Vec<Fact>,
    /// How well it is predicted.
    pub performance: Option<DrugPerformance>,
    /// What predictions rest on, the most important first.
    pub features: Vec<Feature>,
    /// Mechanisms behind the predictions.
    pub mechanisms: Vec<DrugMechanism>,
    /// What else explains the response.
    pub confounders: Vec<Confounder>,
    /// Something to be said about it.
    pub notes: Vec<String>,
}

/// How well a drug is predicted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DrugPerformance {
    /// Cell lines tested.
    pub n: usize,
    /// Pearson correlation over them.
    pub pearson: Option<f64>,
    /// Root mean squared error.
    pub rmse: Option<f64>,
    /// Share of the drug's variance that is explained.
    pub r2: Option<f64>,
    /// Pearson correlation that a replicate of the experiment achieves.
    pub ceiling: Option<f64>,
}

/// Where something pushes predictions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Higher values go with resistance.
    Resistance,
    /// Higher values go with sensitivity.
    Sensitivity,
    /// Neither, or both.
    #[default]
    Unclear,
}

/// A feature that predictions for a drug rest on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Feature {
    /// "expression".
    pub kind: String,
    /// Gene or other name.
    pub name: String,
    /// Mean of |attribution| over the cell lines.
    pub mean_abs: f64,
    /// The same after what the confounders explain has been taken out.
    pub adjusted_mean_abs: Option<f64>,
    /// Its rank by that.
    pub adjusted_rank: Option<usize>,
    /// Where higher values push.
    pub direction: Direction,
    /// Attributions of cell lines in which the feature is low.
    pub low: Option<Spread>,
    /// Attributions of cell lines in which the feature is high.
    pub high: Option<Spread>,
    /// What the catalogue of mechanisms expects.
    pub expected: Option<Direction>,
}

/// Quantiles of attributions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spread {
    /// The lowest.
    pub min: f64,
    /// 5 % lie below.
    pub q05: f64,
    /// 25 % lie below.
    pub q25: f64,
    /// The median.
    pub q50: f64,
    /// 75 % lie below.
    pub q75: f64,
    /// 95 % lie below.
    pub q95: f64,
    /// The highest.
    pub max: f64,
}

/// Whether a direction is the one that the catalogue expects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// It is.
    Agrees,
    /// It is the other.
    Differs,
    /// The catalogue expects nothing.
    #[default]
    Unknown,
}

/// What a mechanism has to do with the predictions for a drug.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DrugMechanism {
    /// Index in [`Report::mechanisms`].
    pub mechanism: usize,
    /// Attribution, in the unit of the response.
    pub attribution: Option<f64>,
    /// Where it pushes.
    pub direction: Direction,
    /// p value of the competitive test.
    pub p: Option<f64>,
    /// q value of the competitive test.
    pub q_competitive: Option<f64>,
    /// q value of the self-contained test.
    pub q_self_contained: Option<f64>,
    /// Whether the direction is the catalogue's.
    pub agreement: Agreement,
    /// Attribution after the confounders.
    pub adjusted: Option<f64>,
    /// The genes that carry it, the strongest first.
    pub genes: Vec<String>,
}

/// Something besides the mechanisms that explains responses to a drug.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Confounder {
    /// "tissue", "general sensitivity".
    pub name: String,
    /// Share of the variation of the attributions that it explains.
    pub before: Option<f64>,
    /// The same after adjusting.
    pub after: Option<f64>,
}

/// Drugs × mechanisms.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeatMap {
    /// What the values are, for the caption.
    pub measure: String,
    /// The columns: indices in [`Report::mechanisms`], in the order to be shown.
    pub mechanisms: Vec<usize>,
    /// The rows, in groups, in the order to be shown.
    pub groups: Vec<HeatGroup>,
    /// Something to be said about it; may be empty.
    pub note: String,
}

/// Rows that belong together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeatGroup {
    /// A target pathway, or a cluster; may be empty.
    pub name: String,
    /// Its rows.
    pub rows: Vec<HeatRow>,
}

/// A drug's row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeatRow {
    /// Index in [`Report::drugs`].
    pub drug: usize,
    /// One for each of [`HeatMap::mechanisms`].
    pub cells: Vec<Option<HeatCell>>,
}

/// A drug and a mechanism.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeatCell {
    /// Above 0 towards resistance, below towards sensitivity.
    pub value: f64,
    /// Its q value; marked below 0.05.
    pub q: Option<f64>,
    /// Whether the direction is the catalogue's.
    pub agreement: Agreement,
}

/// A resistance mechanism.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mechanism {
    /// Short, for columns: "efflux".
    pub id: String,
    /// "ABC transporters pump the drug out".
    pub name: String,
    /// What it is, in plain words.
    pub summary: Vec<String>,
    /// Its genes, by what about them confers resistance.
    pub genes: Vec<GeneSet>,
    /// The drugs for which it matters most, in order.
    pub drugs: Vec<MechanismDrug>,
    /// What can be set against it.
    pub strategies: Vec<Strategy>,
    /// Sources.
    pub references: Vec<Reference>,
}

/// Genes of a mechanism.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GeneSet {
    /// What confers resistance: "higher expression", "lost".
    pub change: String,
    /// The genes.
    pub genes: Vec<String>,
}

/// A drug for which a mechanism matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MechanismDrug {
    /// Index in [`Report::drugs`].
    pub drug: usize,
    /// Attribution.
    pub attribution: Option<f64>,
    /// Where it pushes.
    pub direction: Direction,
    /// q value.
    pub q: Option<f64>,
}

/// A counter-strategy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Strategy {
    /// What it is.
    pub text: String,
    /// Where it comes from.
    pub reference: Reference,
}

/// A cell line that was scored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// Its name.
    pub name: String,
    /// Tissue and the like.
    pub facts: Vec<Fact>,
    /// Something to be said about it.
    pub notes: Vec<String>,
    /// Drugs predicted to work, the best first.
    pub works: Vec<SampleDrug>,
    /// Drugs predicted not to work, the worst first.
    pub fails: Vec<SampleDrug>,
}

/// What is predicted for a drug in a sample.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SampleDrug {
    /// Index in [`Report::drugs`].
    pub drug: usize,
    /// The predicted response with its interval.
    pub predicted: Estimate,
    /// The predicted IC50 in µM.
    pub ic50_um: Option<f64>,
    /// Share of the drug's training responses that are better, 0 to 1.
    pub percentile: Option<f64>,
    /// Mechanisms that move the prediction towards sensitivity.
    pub arguments_for: Vec<Argument>,
    /// Mechanisms that move it towards resistance.
    pub arguments_against: Vec<Argument>,
    /// What would be predicted if.
    pub counterfactuals: Vec<Counterfactual>,
    /// Index in [`Report::mechanisms`] of the mechanism that dominates the resistance.
    pub dominant: Option<usize>,
    /// What the catalogue offers against that.
    pub strategies: Vec<Strategy>,
}

/// A mechanism's part in a prediction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Argument {
    /// Index in [`Report::mechanisms`].
    pub mechanism: usize,
    /// How far it moves the prediction.
    pub contribution: f64,
    /// The genes behind it.
    pub genes: Vec<GeneValue>,
}

/// A gene's part in a prediction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GeneValue {
    /// Its symbol.
    pub gene: String,
    /// What is known of it in this sample: "expression 9.1, 2.3 SD above the mean".
    pub value: String,
    /// How far it moves the prediction.
    pub contribution: f64,
}

/// What would be predicted if something about the sample were otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counterfactual {
    /// Follows "if": "ABCB1 were at the median".
    pub condition: String,
    /// The prediction then.
    pub predicted: f64,
}

/// Data, methods and terms.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notes {
    /// Running text under headings.
    pub sections: Vec<NoteSection>,
    /// The files that were read.
    pub files: Vec<InputFile>,
    /// Seeds, versions and the like.
    pub settings: Vec<Fact>,
    /// The configuration as given, shown as it is.
    pub configuration: String,
    /// Terms in plain words; see [`glossary`](crate::glossary).
    pub glossary: Vec<Term>,
}

/// Running text under a heading.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NoteSection {
    /// The heading.
    pub heading: String,
    /// The text.
    pub paragraphs: Vec<String>,
}

/// A file that was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InputFile {
    /// Its name.
    pub name: String,
    /// What was read from it: "responses, 225,384 rows".
    pub content: String,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
}

/// A term and its meaning.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Term {
    /// The term.
    pub term: String,
    /// What it means, in plain words.
    pub meaning: String,
}
