//! The metrics, by name. Each metric is a file here and a line in [`METRICS`].

mod mae;
mod mse;
mod pearson;
mod per_drug_pearson;
mod pr_auc;
mod r2;
mod r2_within_drug;
mod rmse;
mod roc_auc;
mod spearman;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::draw::Draw;

pub use mae::Mae;
pub use mse::Mse;
pub use pearson::Pearson;
pub use per_drug_pearson::PerDrugPearson;
pub use pr_auc::PrAuc;
pub use r2::R2;
pub use r2_within_drug::R2WithinDrug;
pub use rmse::Rmse;
pub use roc_auc::RocAuc;
pub use spearman::Spearman;

/// Every metric, in the order of files and tables. Evaluations, intervals, paired tests, files and reports use this list.
pub const METRICS: [&dyn Metric; 10] =
    [&Rmse, &Mae, &R2, &Pearson, &Spearman, &PerDrugPearson, &R2WithinDrug, &Mse, &RocAuc, &PrAuc];

/// The number of metrics.
pub(crate) const COUNT: usize = METRICS.len();

/// How close predictions are to observed responses, in one number.
pub trait Metric: Sync {
    /// The key in files: "rmse".
    fn name(&self) -> &'static str;

    /// The heading of tables: "RMSE".
    fn label(&self) -> &'static str;

    /// A short description or the formula.
    fn summary(&self) -> &'static str;

    /// The unit of the metric.
    fn unit(&self) -> Unit {
        Unit::None
    }

    /// When the metric is computed.
    fn group(&self) -> MetricGroup {
        MetricGroup::Accuracy
    }

    /// Whether higher or lower values are better.
    fn better(&self) -> Better;

    /// The value for a test set, or for a bootstrap draw from it. `None` if undefined: a correlation with constant
    /// predictions, a share of a variance that is 0, a mean over no drugs.
    fn value(&self, draw: &Draw) -> Option<f64>;

    /// The place of a chief metric, from 1. Reports draw the chief metrics, and tables for a terminal also show their intervals.
    fn chief(&self) -> Option<u8> {
        None
    }

    /// For a metric whose draws are biased: the range of its values. Its interval is shifted so that the mean of the
    /// draws is the estimate.
    fn shifted_within(&self) -> Option<[f64; 2]> {
        None
    }
}

/// The unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number without a unit.
    None,
    /// The unit of the target.
    Target,
    /// The squared unit of the target.
    SquaredTarget,
}

/// When a metric is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricGroup {
    /// Always.
    Accuracy,
    /// For screens of combinations, and if a threshold defines positive responses: see [`crate::Detection`].
    Detection,
}

/// Which values of a metric are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Higher values are better.
    Higher,
    /// Lower values are better.
    Lower,
}

impl Better {
    /// 1 if higher values are better, −1 if lower values are.
    pub(crate) fn sign(self) -> f64 {
        match self {
            Self::Higher => 1.0,
            Self::Lower => -1.0,
        }
    }
}

/// The position of a metric in [`METRICS`].
pub(crate) fn position(name: &str) -> Option<usize> {
    METRICS.iter().position(|metric| metric.name() == name)
}

/// How close predictions are to the observed responses of a test set, where each response counts once: the value of every metric.
///
/// A metric is `None` (`null` in JSON) if it is undefined. In a screen of combinations, "drug" means the combination.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metrics {
    pub(crate) values: [Option<f64>; COUNT],
    /// Number of test responses.
    pub n: usize,
    /// Number of drugs in the mean of the per-drug Pearson.
    pub drugs_counted: usize,
}

impl Metrics {
    /// The value of the metric with this name. `None` if it is undefined or was not computed, or if no metric has the name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values[position(name)?]
    }

    /// See [`Rmse`].
    pub fn rmse(&self) -> Option<f64> {
        self.get(Rmse.name())
    }

    /// See [`Mae`].
    pub fn mae(&self) -> Option<f64> {
        self.get(Mae.name())
    }

    /// See [`R2`].
    pub fn r2(&self) -> Option<f64> {
        self.get(R2.name())
    }

    /// See [`Pearson`].
    pub fn pearson(&self) -> Option<f64> {
        self.get(Pearson.name())
    }

    /// See [`Spearman`].
    pub fn spearman(&self) -> Option<f64> {
        self.get(Spearman.name())
    }

    /// See [`PerDrugPearson`].
    pub fn per_drug_pearson(&self) -> Option<f64> {
        self.get(PerDrugPearson.name())
    }

    /// See [`R2WithinDrug`].
    pub fn r2_within_drug(&self) -> Option<f64> {
        self.get(R2WithinDrug.name())
    }
}

/// 95 % intervals of [`Metrics`], as `[low, high]`; `None` if a metric is undefined.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Intervals {
    pub(crate) values: [Option<[f64; 2]>; COUNT],
}

impl Intervals {
    /// The interval of the metric with this name.
    pub fn get(&self, name: &str) -> Option<[f64; 2]> {
        self.values[position(name)?]
    }
}

/// The metrics of [`MetricGroup::Accuracy`], with their positions.
fn always() -> impl Iterator<Item = (usize, &'static str)> {
    let accuracy = |(_, metric): &(usize, &&'static dyn Metric)| metric.group() == MetricGroup::Accuracy;
    METRICS.iter().enumerate().filter(accuracy).map(|(at, metric)| (at, metric.name()))
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (at, name) in always() {
            map.serialize_entry(name, &self.values[at])?;
        }
        map.serialize_entry("n", &self.n)?;
        map.serialize_entry("drugs_counted", &self.drugs_counted)?;
        map.end()
    }
}

impl Serialize for Intervals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (at, name) in always() {
            map.serialize_entry(name, &self.values[at])?;
        }
        map.end()
    }
}
