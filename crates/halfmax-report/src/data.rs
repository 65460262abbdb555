//! The content of a report: plain data, filled in by the caller.
//!
//! Every part may be empty and is then left out. Parts refer to drugs and mechanisms by their index in
//! [`Report::drugs`] and [`Report::mechanisms`]; an index beyond the end is shown as missing, never an error.
//! Directions state whether something is associated with resistance or sensitivity, whichever end of the response that
//! is.

use serde::{Deserialize, Serialize};

/// The whole content of one HTML file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// The heading of the report.
    pub title: String,
    /// A line below it; may be empty.
    pub subtitle: String,
    /// The predicted quantity, for axes and columns: "ln IC50".
    pub response: String,
    /// The gist in plain words.
    pub summary: Summary,
    /// The scored cell lines.
    pub samples: Vec<Sample>,
    /// The comparison of models.
    pub leaderboard: Option<Leaderboard>,
    /// Observed against predicted, one for each model to show.
    pub densities: Vec<Density>,
    /// The coverage of prediction intervals, one for each model to show.
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
    /// Caveats for the reader, one sentence each.
    pub doubts: Vec<String>,
}

/// A key finding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Finding {
    /// A number or a few words in large type; may be empty.
    pub figure: String,
    /// The explanation of the figure.
    pub text: String,
}

/// A name and its value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fact {
    /// "Tissue".
    pub name: String,
    /// "Lung".
    pub value: String,
}

/// A cited work or page.
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

/// A comparison of models.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Leaderboard {
    /// The columns, in order.
    pub metrics: Vec<Metric>,
    /// The rows, in order.
    pub models: Vec<ModelScores>,
    /// Pairwise comparisons, one sentence each.
    pub comparisons: Vec<String>,
    /// Further notes below the table.
    pub notes: Vec<String>,
}

/// A measure of quality.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metric {
    /// "per-drug Pearson".
    pub name: String,
    /// The better direction.
    pub better: Better,
    /// Whether it is drawn or only tabulated.
    pub rank: MetricRank,
    /// The value that a replicate of the experiment achieves.
    pub ceiling: Option<f64>,
}

/// The better direction of a measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Pearson, R².
    #[default]
    Higher,
    /// RMSE.
    Lower,
}

/// The importance of a measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricRank {
    /// Drawn and tabulated.
    Chief,
    /// Tabulated.
    #[default]
    Other,
}

/// The scores of one model.
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
    /// A note; may be empty.
    pub note: String,
}

/// The role of a model on the leaderboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// A model.
    #[default]
    Model,
    /// A naive predictor that every model should beat: means of drugs, of tissues.
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
    /// A note; may be empty.
    pub note: String,
}

/// The coverage of a model's prediction intervals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Calibration {
    /// The model's name.
    pub model: String,
    /// By nominal coverage.
    pub points: Vec<Coverage>,
    /// A note; may be empty.
    pub note: String,
}

/// One level of coverage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Coverage {
    /// The fraction of observations that should lie within the interval.
    pub nominal: f64,
    /// The fraction that does.
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
    /// The measure: "rise of RMSE when shuffled".
    pub measure: String,
    /// The groups, in order.
    pub groups: Vec<GroupImportance>,
    /// A note; may be empty.
    pub note: String,
}

/// Importance of one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupImportance {
    /// "expression".
    pub name: String,
    /// Its importance.
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
    /// Further facts.
    pub facts: Vec<Fact>,
    /// The accuracy of its predictions.
    pub performance: Option<DrugPerformance>,
    /// What is known about the drug, in sentences, the strongest evidence first.
    pub sentences: Vec<String>,
    /// The same as a table.
    pub findings: Vec<DrugFinding>,
    /// Measured responses of carriers and others, for the first findings.
    pub strips: Vec<ResponseStrip>,
    /// All associations of the drug; empty without them.
    pub volcano: Volcano,
    /// The features behind the predictions, the most important first.
    pub features: Vec<Feature>,
    /// Mechanisms behind the predictions.
    pub mechanisms: Vec<DrugMechanism>,
    /// Confounders of the response.
    pub confounders: Vec<Confounder>,
    /// Notes on the drug.
    pub notes: Vec<String>,
}

/// A finding on a drug.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DrugFinding {
    /// "events".
    pub kind: String,
    /// Gene or other name.
    pub name: String,
    /// Features that carry the same signal.
    pub members: Vec<String>,
    /// Whether it is a target of the drug.
    pub is_target: bool,
    /// Indices in [`Report::mechanisms`] to which its gene belongs.
    pub mechanisms: Vec<usize>,
    /// What supports it: "data and model", "data", "model".
    pub support: String,
    /// The direction of carriers or of higher values.
    pub direction: Direction,
    /// The effect, in the unit of the response.
    pub effect: Option<f64>,
    /// The number of carriers; `None` for real numbers.
    pub carriers: Option<usize>,
    /// The p value.
    pub p: Option<f64>,
    /// The false discovery rate among the drug's tests.
    pub q: Option<f64>,
    /// "yes", "no", or empty without a test in another study.
    pub replicated: String,
}

/// Responses of groups of cell lines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResponseStrip {
    /// "BCR-ABL_mut".
    pub title: String,
    /// The groups, one row each.
    pub groups: Vec<StripGroup>,
    /// A note; may be empty.
    pub note: String,
}

/// One group of cell lines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StripGroup {
    /// "carriers, leukaemia (5)".
    pub label: String,
    /// Whether the group carries the feature.
    pub carries: bool,
    /// The measured responses.
    pub measured: Vec<f64>,
    /// The model's predictions for the same cell lines; empty without a model.
    pub predicted: Vec<f64>,
}

/// Effects and p values of a drug's associations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Volcano {
    /// Effect, −log10 p, and the name if the point has a label.
    pub points: Vec<(f64, f64, String)>,
    /// −log10 of the largest p value whose false discovery rate is at most the level; `None` if none is.
    pub threshold: Option<f64>,
    /// A note; may be empty.
    pub note: String,
}

/// The accuracy of predictions for a drug.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DrugPerformance {
    /// The number of tested cell lines.
    pub n: usize,
    /// Pearson correlation over them.
    pub pearson: Option<f64>,
    /// Root mean squared error.
    pub rmse: Option<f64>,
    /// The explained fraction of the drug's variance.
    pub r2: Option<f64>,
    /// The Pearson correlation of a replicate of the experiment.
    pub ceiling: Option<f64>,
}

/// The direction in which something shifts predictions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Higher values are associated with resistance.
    Resistance,
    /// Higher values are associated with sensitivity.
    Sensitivity,
    /// Neither, or both.
    #[default]
    Unclear,
}

/// A feature behind the predictions for a drug.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Feature {
    /// "expression".
    pub kind: String,
    /// Gene or other name.
    pub name: String,
    /// Mean of |attribution| over the cell lines.
    pub mean_abs: f64,
    /// The same after adjustment for the confounders.
    pub adjusted_mean_abs: Option<f64>,
    /// Its rank by the adjusted mean.
    pub adjusted_rank: Option<usize>,
    /// The direction of higher values.
    pub direction: Direction,
    /// Attributions of cell lines in which the feature is low.
    pub low: Option<Spread>,
    /// Attributions of cell lines in which the feature is high.
    pub high: Option<Spread>,
    /// The expected direction by the catalogue of mechanisms.
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

/// Whether a direction agrees with the catalogue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// The directions agree.
    Agrees,
    /// The directions differ.
    Differs,
    /// The catalogue gives no direction.
    #[default]
    Unknown,
}

/// The part of a mechanism in the predictions for a drug.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DrugMechanism {
    /// Index in [`Report::mechanisms`].
    pub mechanism: usize,
    /// Attribution, in the unit of the response.
    pub attribution: Option<f64>,
    /// Its direction.
    pub direction: Direction,
    /// p value of the competitive test.
    pub p: Option<f64>,
    /// q value of the competitive test.
    pub q_competitive: Option<f64>,
    /// q value of the self-contained test.
    pub q_self_contained: Option<f64>,
    /// Whether the direction is the catalogue's.
    pub agreement: Agreement,
    /// Attribution after adjustment for the confounders.
    pub adjusted: Option<f64>,
    /// The genes behind it, the strongest first.
    pub genes: Vec<String>,
}

/// A factor besides the mechanisms that explains responses to a drug.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Confounder {
    /// "tissue", "general sensitivity".
    pub name: String,
    /// The fraction of the variation of the attributions that it explains.
    pub before: Option<f64>,
    /// The same after adjustment.
    pub after: Option<f64>,
}

/// Drugs × mechanisms.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeatMap {
    /// The measure, for the caption.
    pub measure: String,
    /// The columns: indices in [`Report::mechanisms`], in the order to be shown.
    pub mechanisms: Vec<usize>,
    /// The rows, in groups, in the order to be shown.
    pub groups: Vec<HeatGroup>,
    /// A note; may be empty.
    pub note: String,
}

/// A group of rows.
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
    /// The description, in plain words.
    pub summary: Vec<String>,
    /// Its genes, grouped by the change that confers resistance.
    pub genes: Vec<GeneSet>,
    /// The drugs for which it matters most, in order.
    pub drugs: Vec<MechanismDrug>,
    /// Counter-strategies.
    pub strategies: Vec<Strategy>,
    /// Sources.
    pub references: Vec<Reference>,
}

/// Genes of a mechanism.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GeneSet {
    /// The change that confers resistance: "higher expression", "lost".
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
    /// Its direction.
    pub direction: Direction,
    /// Its q value.
    pub q: Option<f64>,
}

/// A counter-strategy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Strategy {
    /// The description.
    pub text: String,
    /// The source.
    pub reference: Reference,
}

/// A cell line that was scored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// Its name.
    pub name: String,
    /// Tissue and similar facts.
    pub facts: Vec<Fact>,
    /// Notes on the cell line.
    pub notes: Vec<String>,
    /// Drugs predicted to work, the best first.
    pub works: Vec<SampleDrug>,
    /// Drugs predicted not to work, the worst first.
    pub fails: Vec<SampleDrug>,
}

/// The prediction for a drug in a sample.
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
    /// Mechanisms that shift the prediction towards sensitivity.
    pub arguments_for: Vec<Argument>,
    /// Mechanisms that shift the prediction towards resistance.
    pub arguments_against: Vec<Argument>,
    /// Predictions under changed conditions.
    pub counterfactuals: Vec<Counterfactual>,
    /// Index in [`Report::mechanisms`] of the mechanism that dominates the resistance.
    pub dominant: Option<usize>,
    /// The counter-strategies of the catalogue.
    pub strategies: Vec<Strategy>,
}

/// A mechanism's part in a prediction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Argument {
    /// Index in [`Report::mechanisms`].
    pub mechanism: usize,
    /// Its contribution to the prediction.
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
    /// Its value in this sample: "expression 9.1, 2.3 SD above the mean".
    pub value: String,
    /// Its contribution to the prediction.
    pub contribution: f64,
}

/// The prediction if one property of the sample were different.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counterfactual {
    /// Follows "if": "ABCB1 were at the median".
    pub condition: String,
    /// The prediction under this condition.
    pub predicted: f64,
}

/// Data, methods and terms.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notes {
    /// Running text under headings.
    pub sections: Vec<NoteSection>,
    /// The input files.
    pub files: Vec<InputFile>,
    /// Seeds, versions and similar settings.
    pub settings: Vec<Fact>,
    /// The configuration as given, shown unchanged.
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
    /// The content that was read: "responses, 225,384 rows".
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
    /// Its meaning, in plain words.
    pub meaning: String,
}
