//! The models of an evaluation side by side.

use serde::Serialize;
use std::cmp::Ordering;
use std::fmt;

use halfmax_baselines::Naive;

use crate::metric::{METRICS, Metric, MetricGroup};
use crate::tables::aligned;
use crate::{Ceiling, Evaluation, Intervals, Metrics, ModelEvaluation, SplitKind};

/// The models of an evaluation side by side, the best first.
///
/// Sorted by within-drug R², or by RMSE if whole drugs or combinations are unseen. Its `Display` is a table for a terminal.
/// It ends by saying whether each model beats the naive predictors.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Leaderboard {
    /// The kind of split.
    pub kind: SplitKind,
    /// The models, the best first.
    pub rows: Vec<LeaderboardRow>,
    /// Whether positive responses are detected.
    #[serde(skip)]
    detects: bool,
}

/// One model of a [`Leaderboard`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeaderboardRow {
    /// The model's name.
    pub name: String,
    /// The model's family.
    pub family: String,
    /// The pooled metrics.
    pub metrics: Metrics,
    /// The 95 % intervals of the metrics.
    pub intervals: Intervals,
    /// Seconds of fitting, over all folds.
    pub fit_seconds: f64,
    /// Seconds of predicting, over all folds.
    pub predict_seconds: f64,
    /// Whether the model is a naive predictor.
    pub naive: bool,
    /// Comparison with the best naive predictor of the evaluation. `None` for a naive predictor, or if none was evaluated.
    pub beats_naive: Option<BeatsNaive>,
}

/// Whether a model is better than every naive predictor of its evaluation, by the pooled metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BeatsNaive {
    /// Whether the model's RMSE is below that of each naive predictor.
    pub rmse: bool,
    /// Whether the model's within-drug R² is above that of each naive predictor.
    pub r2_within_drug: bool,
}

impl Evaluation {
    /// The models side by side, the best first.
    pub fn leaderboard(&self) -> Leaderboard {
        Leaderboard::new(self.kind, &self.models)
    }
}

impl Leaderboard {
    /// Compares the models of an evaluation.
    pub fn new(kind: SplitKind, models: &[ModelEvaluation]) -> Self {
        let row = |model: &ModelEvaluation| LeaderboardRow {
            name: model.name.clone(),
            family: model.family.clone(),
            metrics: model.metrics,
            intervals: model.intervals,
            fit_seconds: model.fit_seconds,
            predict_seconds: model.predict_seconds,
            naive: Naive::from_name(&model.family).is_some(),
            beats_naive: None,
        };
        let detects = models.iter().any(|model| model.detection.is_some());
        let mut board = Self { kind, rows: models.iter().map(row).collect(), detects };
        let by_rmse = |a: &LeaderboardRow, b: &LeaderboardRow| better(minus(b), minus(a));
        let by_within = |a: &LeaderboardRow, b: &LeaderboardRow| {
            better(b.metrics.r2_within_drug(), a.metrics.r2_within_drug())
        };
        board.rows.sort_by(|a, b| match kind.leaves_drugs_out() {
            true => by_rmse(a, b).then(by_within(a, b)),
            false => by_within(a, b).then(by_rmse(a, b)),
        });
        let (rmse, within) = (board.best_naive(minus), board.best_naive(|row| row.metrics.r2_within_drug()));
        if let (Some((_, rmse)), Some((_, within))) = (rmse, within) {
            for row in board.rows.iter_mut().filter(|row| !row.naive) {
                row.beats_naive = Some(BeatsNaive {
                    rmse: better(minus(row), rmse) == Ordering::Greater,
                    r2_within_drug: better(row.metrics.r2_within_drug(), within) == Ordering::Greater,
                });
            }
        }
        board
    }

    /// The naive predictor with the highest `value`: its name and the value.
    fn best_naive(&self, value: impl Fn(&LeaderboardRow) -> Option<f64>) -> Option<(&str, Option<f64>)> {
        let naive = self.rows.iter().filter(|row| row.naive).map(|row| (row.name.as_str(), value(row)));
        naive.reduce(|best, next| if better(next.1, best.1) == Ordering::Greater { next } else { best })
    }

    /// The names of the metrics that the leaderboard has.
    fn metrics(&self) -> Vec<&'static str> {
        let has = |metric: &&dyn Metric| match metric.group() {
            MetricGroup::Accuracy => true,
            MetricGroup::Detection => {
                self.detects && self.rows.iter().any(|row| row.metrics.get(metric.name()).is_some())
            }
        };
        METRICS.into_iter().filter(has).map(|metric| metric.name()).collect()
    }

    /// The leaderboard as a table with a header: model, family, naive, n, every metric with `_low` and `_high`, whether
    /// the model beats the naive predictors, and the reference study's result beside the model's on the same drugs.
    /// Undefined values are empty. Numbers are written so that they read back exactly. Seconds are left out, so that the
    /// same run gives the same table.
    pub fn to_csv(&self, ceiling: Option<&Ceiling>) -> String {
        let mut csv = String::from("model,family,naive,n,drugs_counted");
        let metrics = self.metrics();
        for name in &metrics {
            csv += &format!(",{name},{name}_low,{name}_high");
        }
        csv += ",beats_naive_rmse,beats_naive_r2_within_drug";
        csv += ",replicate_per_drug_pearson,per_drug_pearson_on_replicated_drugs\n";
        for row in &self.rows {
            let Metrics { n, drugs_counted, .. } = row.metrics;
            let (name, family) = (quoted(&row.name), quoted(&row.family));
            csv += &format!("{name},{family},{},{n},{drugs_counted}", row.naive);
            for name in &metrics {
                let (value, interval) = (row.metrics.get(name), row.intervals.get(name));
                let [low, high] = interval.map_or([None; 2], |bounds| bounds.map(Some));
                csv += &format!(",{},{},{}", or_empty(value), or_empty(low), or_empty(high));
            }
            let rmse = or_empty(row.beats_naive.map(|beats| beats.rmse));
            let within = or_empty(row.beats_naive.map(|beats| beats.r2_within_drug));
            csv += &format!(",{rmse},{within}");
            let replicate = or_empty(ceiling.and_then(|ceiling| ceiling.per_drug_pearson));
            let own = ceiling.and_then(|all| all.models.iter().find(|model| model.name == row.name));
            csv += &format!(",{replicate},{}\n", or_empty(own.and_then(|own| own.per_drug_pearson)));
        }
        csv
    }
}

/// Orders values; a higher value is better, and an undefined value is the worst.
fn better(a: Option<f64>, b: Option<f64>) -> Ordering {
    let value = |value: Option<f64>| value.unwrap_or(f64::NEG_INFINITY);
    value(a).total_cmp(&value(b))
}

fn minus(row: &LeaderboardRow) -> Option<f64> {
    row.metrics.rmse().map(|rmse| -rmse)
}

fn or_empty(value: Option<impl ToString>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

fn quoted(text: &str) -> String {
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or("–".into(), |value| format!("{value:.3}"))
}

fn with_interval(value: Option<f64>, interval: Option<[f64; 2]>) -> String {
    match interval {
        Some([low, high]) => format!("{} [{low:.3}, {high:.3}]", number(value)),
        None => number(value),
    }
}

impl fmt::Display for Leaderboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = || METRICS.into_iter().filter(|metric| metric.group() == MetricGroup::Accuracy);
        let header = std::iter::once("model").chain(shown().map(|metric| metric.label())).chain(["fit s"]);
        let mut lines = vec![header.map(str::to_owned).collect::<Vec<String>>()];
        lines.extend(self.rows.iter().map(|row| {
            let cell = |metric: &dyn Metric| match metric.chief() {
                Some(_) => with_interval(row.metrics.get(metric.name()), row.intervals.get(metric.name())),
                None => number(row.metrics.get(metric.name())),
            };
            let first = std::iter::once(row.name.clone());
            first.chain(shown().map(cell)).chain([format!("{:.2}", row.fit_seconds)]).collect()
        }));
        f.write_str(&aligned(&lines))?;
        self.write_verdicts(f)
    }
}

impl Leaderboard {
    fn write_verdicts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rmse = self.best_naive(minus);
        let within = self.best_naive(|row| row.metrics.r2_within_drug());
        let (Some((by_rmse, rmse)), Some((by_within, within))) = (rmse, within) else {
            return writeln!(f, "\nNo naive predictor was evaluated, so there is nothing to compare with.");
        };
        let verb = |beats: bool| if beats { "beats" } else { "does NOT beat" };
        for row in &self.rows {
            let Some(beats) = row.beats_naive else { continue };
            writeln!(
                f,
                "\n{}: RMSE {} {} the best naive predictor, {by_rmse} ({}); \
                 within-drug R² {} {} the best naive predictor, {by_within} ({})",
                row.name,
                number(row.metrics.rmse()),
                verb(beats.rmse),
                number(rmse.map(|rmse| -rmse)),
                number(row.metrics.r2_within_drug()),
                verb(beats.r2_within_drug),
                number(within)
            )?;
        }
        Ok(())
    }
}
