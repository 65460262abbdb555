//! Results of an evaluation besides the leaderboard, as text for a person.

use crate::{Evaluation, ModelEvaluation};

impl Evaluation {
    /// The coverage of prediction intervals, nominal against observed; `None` without intervals.
    pub fn calibration_table(&self) -> Option<String> {
        let with: Vec<&ModelEvaluation> =
            self.models.iter().filter(|model| !model.calibration.is_empty()).collect();
        let first = with.first()?;
        let mut lines = vec![
            std::iter::once("intervals of".to_owned())
                .chain(first.calibration.iter().map(|one| format!("{:.0} % held", 100.0 * one.nominal)))
                .chain(["width of 90 %".to_owned()])
                .collect::<Vec<_>>(),
        ];
        for model in with {
            let mut line = vec![model.name.clone()];
            line.extend(model.calibration.iter().map(|one| format!("{:.1} %", 100.0 * one.observed)));
            let width = model.calibration.iter().find(|one| one.nominal == 0.9);
            line.push(width.map_or("–".into(), |one| format!("{:.2}", one.mean_width)));
            lines.push(line);
        }
        Some(aligned(&lines))
    }

    /// Squared errors, and how well positive responses are detected; `None` for a screen of single drugs without a threshold.
    pub fn detection_table(&self) -> Option<String> {
        let first = self.models.iter().find_map(|model| model.detection.as_ref())?;
        let mut header = vec!["squared error".to_owned(), "MSE".to_owned()];
        if let (Some(threshold), Some(positives)) = (first.threshold, first.positives) {
            header[0] = format!("{positives} responses above {threshold}");
            header.extend(["ROC-AUC".to_owned(), "PR-AUC".to_owned()]);
        }
        let mut lines = vec![header];
        for model in &self.models {
            let Some(found) = &model.detection else { continue };
            let mut line = vec![model.name.clone(), number_of(found.get("mse"), 1)];
            if found.threshold.is_some() {
                line.extend([number(found.get("roc_auc")), number(found.get("pr_auc"))]);
            }
            lines.push(line);
        }
        Some(aligned(&lines))
    }

    /// How much pilot measurements help; `None` if they are not configured or no model uses them.
    pub fn learning_curve_table(&self) -> Option<String> {
        let with: Vec<&ModelEvaluation> =
            self.models.iter().filter(|model| !model.learning_curve.is_empty()).collect();
        let first = with.first()?;
        let mut header = vec!["given responses".to_owned()];
        header.extend(first.learning_curve.iter().map(|point| point.responses.to_string()));
        let mut lines = vec![header];
        for model in with {
            for (name, value) in [("per-drug Pearson", 0), ("within-drug R²", 1), ("RMSE", 2)] {
                let mut line = vec![format!("{}, {name}", model.name)];
                line.extend(model.learning_curve.iter().map(|point| {
                    let metrics = &point.metrics;
                    number([metrics.per_drug_pearson(), metrics.r2_within_drug(), metrics.rmse()][value])
                }));
                lines.push(line);
            }
        }
        Some(aligned(&lines))
    }

    /// The results of the models on the other study; `None` without one.
    pub fn cross_study_table(&self) -> Option<String> {
        let header = [
            "other study",
            "per-drug Pearson: own, other, drop",
            "within-drug R²: own, other, drop",
            "pairs",
        ];
        let mut lines = vec![header.map(str::to_owned).to_vec()];
        for model in &self.models {
            let Some(cross) = &model.cross_study else { continue };
            let three = |a, b, c| format!("{} {} {}", number(a), number(b), number(c));
            lines.push(vec![
                model.name.clone(),
                three(
                    cross.within.per_drug_pearson(),
                    cross.across.per_drug_pearson(),
                    cross.drop.per_drug_pearson,
                ),
                three(
                    cross.within.r2_within_drug(),
                    cross.across.r2_within_drug(),
                    cross.drop.r2_within_drug,
                ),
                cross.within.n.to_string(),
            ]);
        }
        (lines.len() > 1).then(|| aligned(&lines))
    }
}

fn number(value: Option<f64>) -> String {
    number_of(value, 3)
}

fn number_of(value: Option<f64>, decimals: usize) -> String {
    value.map_or("–".into(), |value| format!("{value:.decimals$}"))
}

/// Lines of cells, with padded columns.
pub(crate) fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
