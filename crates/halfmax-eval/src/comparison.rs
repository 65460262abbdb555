//! How the models of an evaluation differ: paired differences, and ranks over folds.

use std::fmt;

use serde::Serialize;

/// How the models of an evaluation differ. Serialises as the `comparison` of `metrics.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// All pairs of models, the better one first: the difference of their metrics on the same test responses. First by
    /// the metric that ranks the models. If positive responses are detected, then by the metrics of
    /// [`crate::metric::MetricGroup::Detection`].
    pub pairs: Vec<PairedDifference>,
    /// The ranks of the models over folds; `None` with fewer than two folds or models.
    pub ranks: Option<Ranks>,
}

/// The difference between two models' metrics, with a 95 % interval by paired bootstrap: every draw takes the same entities
/// for both models.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairedDifference {
    /// The better model.
    pub better: String,
    /// The worse model.
    pub worse: String,
    /// The metric: "r2_within_drug", or "rmse" if whole drugs are unseen; for detection "mse", "roc_auc" and "pr_auc".
    pub metric: &'static str,
    /// The metric of the better model minus that of the worse model.
    pub difference: f64,
    /// The 95 % interval of the difference, by percentiles over draws; see [`crate::Scored::intervals`].
    pub interval: [f64; 2],
    /// Twice the share of draws in which the difference is zero or has the other sign, at most 1. The observed difference
    /// counts as one of the draws (Davison & Hinkley 1997, equation 4.11).
    pub p: f64,
}

/// Friedman's test over folds and Nemenyi's critical difference (Demšar 2006, section 3.2.2).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranks {
    /// The metric that ranks the models within every fold.
    pub metric: &'static str,
    /// Number of folds.
    pub folds: usize,
    /// The mean rank of every model, the best model first. Rank 1 is the best.
    pub mean_ranks: Vec<(String, f64)>,
    /// Friedman's χ².
    pub friedman: f64,
    /// The probability of an equal or larger χ² if all models were equal.
    pub p: f64,
    /// Models whose mean ranks differ by less than this do not differ at the 5 % level. `None` for more than 20 models.
    pub critical_difference: Option<f64>,
}

impl fmt::Display for Comparison {
    /// The ranks with their critical difference, then the best model against each other one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(ranks) = &self.ranks else { return Ok(()) };
        let names: Vec<String> =
            ranks.mean_ranks.iter().map(|(name, rank)| format!("{name} {rank:.1}")).collect();
        write!(f, "Mean rank over {} folds by {}: {}.", ranks.folds, ranks.metric, names.join(", "))?;
        write!(f, " Friedman χ² {:.1}, p = {:.2e}", ranks.friedman, ranks.p)?;
        match ranks.critical_difference {
            Some(critical) => writeln!(f, "; ranks closer than {critical:.1} do not differ (Nemenyi, 5 %).")?,
            None => writeln!(f, ".")?,
        }
        let metrics = self.pairs.chunk_by(|a, b| a.metric == b.metric);
        for pairs in metrics {
            let wins = |name: &str| pairs.iter().filter(|pair| pair.better == name).count();
            let Some(best) = pairs.iter().max_by_key(|pair| wins(&pair.better)) else { continue };
            let of_best = pairs.iter().filter(|pair| pair.better == best.better);
            of_best.clone().try_for_each(|pair| pair.write(f))?;
        }
        Ok(())
    }
}

impl PairedDifference {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} − {}: {} {:+.4} [{:+.4}, {:+.4}], p = {:.3}",
            self.better, self.worse, self.metric, self.difference, self.interval[0], self.interval[1], self.p
        )
    }
}
