//! The part of a report on an evaluation: performance, comparisons and doubts.

use std::collections::HashMap;

use halfmax_core::listed;
use halfmax_eval::metric::{self, MetricGroup};
use halfmax_eval::{
    Ceiling, Evaluation, LeaderboardRow, ModelEvaluation, PairedDifference, Scored, SplitKind,
};
use halfmax_report::{
    Better, Calibration, Coverage, Density, DrugPerformance, Estimate, Leaderboard, Metric, MetricRank,
    ModelScores, Standing,
};

use super::Reporting;

/// The number of bins of observed against predicted, on each axis.
const BINS: usize = 60;
/// The number of models whose predictions are drawn.
const DRAWN: usize = 4;

/// The metrics in the order of a report. The first metrics are drawn.
fn shown(evaluation: &Evaluation) -> Vec<&'static dyn metric::Metric> {
    let detects = evaluation.models.iter().any(|model| model.detection.is_some());
    let mut shown: Vec<&dyn metric::Metric> =
        metric::METRICS.into_iter().filter(|own| detects || own.group() == MetricGroup::Accuracy).collect();
    shown.sort_by_key(|own| own.chief().unwrap_or(u8::MAX));
    shown
}

impl Reporting<'_> {
    /// Adds the results of an evaluation.
    pub fn add_evaluation(&mut self, evaluation: &Evaluation, ceiling: Option<&Ceiling>) {
        let board = evaluation.leaderboard();
        self.report.subtitle += &format!("; tested on {}", unseen(evaluation.kind));
        self.summarise(evaluation.kind, &board.rows, ceiling);
        self.report.leaderboard = Some(leaderboard(evaluation, &board.rows, ceiling));
        let of = |row: &LeaderboardRow| evaluation.models.iter().find(|model| model.name == row.name);
        let best: Vec<&ModelEvaluation> =
            board.rows.iter().filter(|row| !row.naive).filter_map(of).take(DRAWN).collect();
        self.report.densities = best.iter().map(|model| self.density(model)).collect();
        let calibrated = evaluation.models.iter().filter(|model| !model.calibration.is_empty());
        self.report.calibrations = calibrated.map(calibration).collect();
        if let Some(best) = best.first() {
            self.add_performance(best, ceiling);
            self.doubt_evaluation(evaluation, &board.rows, best, ceiling);
        }
    }

    /// Adds doubts about an evaluation: the best model beside the yardsticks and the ceiling, single drugs, intervals, and failed models.
    fn doubt_evaluation(
        &mut self,
        evaluation: &Evaluation,
        rows: &[LeaderboardRow],
        best: &ModelEvaluation,
        ceiling: Option<&Ceiling>,
    ) {
        if let Some(naive) = rows.iter().find(|row| row.naive) {
            let beaten = |pair: &&PairedDifference| pair.better == best.name && pair.worse == naive.name;
            match evaluation.comparison.pairs.iter().find(beaten) {
                Some(pair) if pair.p < 0.05 => {}
                Some(pair) => self.doubt(format!(
                    "{} is not clearly better than {}, which uses no features (p = {:.2}).",
                    best.name, naive.name, pair.p
                )),
                None => self.doubt(format!(
                    "{} is not better than {}, which uses no features.",
                    best.name, naive.name
                )),
            }
        }
        let pearson = best.metrics.per_drug_pearson();
        match ceiling.and_then(|ceiling| ceiling.per_drug_pearson).zip(pearson) {
            Some((ceiling, own)) if own >= ceiling => self.doubt(format!(
                "The per-drug Pearson of {} ({own:.2}) is as high as that of a second laboratory ({ceiling:.2}): the model may \
                 predict peculiarities of this screen.",
                best.name
            )),
            Some(_) => {}
            None => self.doubt(
                "No second study of the same pairs was given, so the best possible score is unknown ([data] reference_study).",
            ),
        }
        let worse: Vec<&str> = best
            .per_drug
            .iter()
            .filter(|drug| drug.r2.is_some_and(|r2| r2 < 0.0))
            .map(|drug| drug.drug.as_str())
            .collect();
        if !worse.is_empty() {
            self.doubt(format!(
                "For {} of {} drugs, predictions are worse than the mean of the drug: {}.",
                worse.len(),
                best.per_drug.len(),
                listed(&worse, 4)
            ));
        }
        let few = best.per_drug.iter().filter(|drug| drug.n < Scored::LEAST_CELLS).count();
        if few > 0 {
            self.doubt(format!(
                "{few} drugs have fewer than {} tested cell lines: they do not count in the per-drug Pearson.",
                Scored::LEAST_CELLS
            ));
        }
        for model in &evaluation.models {
            let off = model.calibration.iter().find(|one| (one.observed - one.nominal).abs() > 0.05);
            if let Some(off) = off {
                self.doubt(format!(
                    "Intervals of {} that should hold {:.0} % of the responses hold {:.0} %.",
                    model.name,
                    100.0 * off.nominal,
                    100.0 * off.observed
                ));
            }
        }
        for failed in &evaluation.failed {
            self.doubt(format!("{} failed and is left out.", failed.name));
        }
        if evaluation.kind == SplitKind::LPO {
            self.doubt("The cell lines and drugs of the test sets are known to the models: the figures do not apply to new cell \
                lines or drugs.");
        }
    }

    fn summarise(&mut self, kind: SplitKind, rows: &[LeaderboardRow], ceiling: Option<&Ceiling>) {
        let Some(best) = rows.iter().find(|row| !row.naive) else { return };
        let metrics = best.metrics;
        let interval = best.intervals.get("r2_within_drug");
        if let Some(within) = metrics.r2_within_drug() {
            let range = interval.map_or_else(String::new, |[low, high]| format!(" [{low:.2}, {high:.2}]"));
            self.finding(
                format!("{within:.2}"),
                format!(
                    "of the variance among the cell lines of a drug is explained by {}, the best model{range}",
                    best.name
                ),
            );
        }
        if let Some(pearson) = metrics.per_drug_pearson() {
            self.finding(
                format!("{pearson:.2}"),
                format!("mean correlation of predicted and observed over {} drugs", metrics.drugs_counted),
            );
        }
        if let Some(reference) = ceiling.and_then(|ceiling| ceiling.per_drug_pearson) {
            self.finding(
                format!("{reference:.2}"),
                "mean correlation that a second laboratory's measurements of the same pairs reach",
            );
        }
        let naive = rows.iter().find(|row| row.naive);
        let beside = naive.map_or_else(String::new, |naive| {
            let value = |row: &LeaderboardRow| {
                row.metrics.r2_within_drug().map_or("–".into(), |v| format!("{v:.3}"))
            };
            format!(
                " The best predictor without features ({}) has an R² within drugs of {}, the best model {}.",
                naive.name,
                value(naive),
                value(best)
            )
        });
        self.say(format!("Every performance figure is for {}.{beside}", unseen(kind)));
    }

    fn density(&self, model: &ModelEvaluation) -> Density {
        let values = self.screen.responses.values();
        let pairs = || model.predictions.iter().map(|one| (values[one.row], one.predicted));
        let mut all: Vec<f32> = pairs().flat_map(|(a, b)| [a, b]).filter(|value| value.is_finite()).collect();
        all.sort_unstable_by(f32::total_cmp);
        let at = |share: f64| all.get((share * all.len().saturating_sub(1) as f64) as usize).copied();
        let (low, high) = (at(0.001).unwrap_or(0.0), at(0.999).unwrap_or(1.0));
        let width = (high - low).max(f32::MIN_POSITIVE);
        let bin = |value: f32| (((value - low) / width * BINS as f32) as usize).min(BINS - 1);
        let mut counts = vec![0; BINS * BINS];
        let mut outside = 0;
        for (observed, predicted) in pairs() {
            if (low..=high).contains(&observed) && (low..=high).contains(&predicted) {
                counts[bin(predicted) * BINS + bin(observed)] += 1;
            } else {
                outside += 1;
            }
        }
        let note = if outside > 0 {
            format!("{} of {} pairs lie beyond the axes.", outside, model.predictions.len())
        } else {
            String::new()
        };
        Density {
            model: model.name.clone(),
            bins: BINS,
            counts,
            low: f64::from(low),
            high: f64::from(high),
            pearson: model.metrics.pearson(),
            note,
        }
    }

    fn add_performance(&mut self, model: &ModelEvaluation, ceiling: Option<&Ceiling>) {
        let ceilings: HashMap<&str, Option<f64>> = ceiling
            .iter()
            .flat_map(|ceiling| &ceiling.drugs)
            .map(|drug| (drug.reference.drug.as_str(), drug.reference.pearson))
            .collect();
        let pathways = self.pathways();
        for drug in &model.per_drug {
            let page = self.drug(&drug.drug);
            page.performance = Some(DrugPerformance {
                n: drug.n,
                pearson: drug.pearson,
                rmse: drug.rmse,
                r2: drug.r2,
                ceiling: ceilings.get(drug.drug.as_str()).copied().flatten(),
            });
            if let Some(pathway) = pathways.get(drug.drug.as_str()) {
                page.pathway.clone_from(pathway);
            }
        }
    }

    /// The target pathway of every drug with a known pathway.
    pub(super) fn pathways(&self) -> HashMap<String, String> {
        self.labels("target_pathway")
    }

    /// The value of a group of the drug table for each drug.
    pub(super) fn labels(&self, group: &str) -> HashMap<String, String> {
        let drugs = self.screen.table(1);
        let Some(group) = drugs.group(group) else { return HashMap::new() };
        let label = |(id, code): (&String, &Option<u16>)| {
            Some((id.clone(), group.levels.get(usize::from((*code)?))?.clone()))
        };
        drugs.ids().iter().zip(&group.codes).filter_map(label).collect()
    }
}

fn leaderboard(evaluation: &Evaluation, rows: &[LeaderboardRow], ceiling: Option<&Ceiling>) -> Leaderboard {
    let ceiling_of = |name: &str| match name {
        "per_drug_pearson" => ceiling.and_then(|ceiling| ceiling.per_drug_pearson),
        "rmse" => ceiling.and_then(|ceiling| ceiling.rmse),
        _ => None,
    };
    let shown = shown(evaluation);
    let metrics = shown.iter().map(|own| Metric {
        name: own.label().into(),
        better: match own.better() {
            metric::Better::Higher => Better::Higher,
            metric::Better::Lower => Better::Lower,
        },
        rank: if own.chief().is_some() { MetricRank::Chief } else { MetricRank::Other },
        ceiling: ceiling_of(own.name()),
    });
    let estimate = |row: &LeaderboardRow, name: &str| {
        let interval = row.intervals.get(name).map(|[low, high]| (low, high));
        row.metrics.get(name).map(|value| Estimate { value, interval })
    };
    let model = |row: &LeaderboardRow| ModelScores {
        name: row.name.clone(),
        family: row.family.clone(),
        standing: if row.naive { Standing::Naive } else { Standing::Model },
        scores: shown.iter().map(|own| estimate(row, own.name())).collect(),
        note: String::new(),
    };
    let naive = |name: &str| rows.iter().any(|row| row.naive && row.name == name);
    let comparisons = evaluation.comparison.pairs.iter().filter(|pair| !naive(&pair.better)).map(|pair| {
        let label = shown.iter().find(|own| own.name() == pair.metric).map_or(pair.metric, |own| own.label());
        let [low, high] = pair.interval;
        format!(
            "{} against {}: {label} {:+.4} [{low:+.4}, {high:+.4}], p {:.3}",
            pair.better, pair.worse, pair.difference, pair.p
        )
    });
    let mut notes = vec![
        "Intervals are 95 %, by bootstrap over whole entities; comparisons draw the same entities for both models.".into(),
    ];
    if let Some(ceiling) = ceiling {
        notes.push(format!(
            "The ceiling is the score of a second study as a predictor, on {} pairs that both studies measured.",
            super::thousands(ceiling.pairs)
        ));
    }
    notes.extend(evaluation.failed.iter().map(|failed| format!("{} failed: {}", failed.name, failed.error)));
    Leaderboard {
        metrics: metrics.collect(),
        models: rows.iter().map(model).collect(),
        comparisons: comparisons.take(12).collect(),
        notes,
    }
}

fn calibration(model: &ModelEvaluation) -> Calibration {
    let point = |coverage: &halfmax_eval::Coverage| Coverage {
        nominal: coverage.nominal,
        held: coverage.observed,
        width: Some(coverage.mean_width),
    };
    Calibration {
        model: model.name.clone(),
        points: model.calibration.iter().map(point).collect(),
        note: "Split-conformal intervals, on responses that the model had not seen.".into(),
    }
}

/// The content of the test sets of a split.
fn unseen(kind: SplitKind) -> String {
    format!("{} that no model had seen", kind.grouping().unseen())
}
