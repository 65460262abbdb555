//! The metrics, by name: each is a file here and a line in [`METRICS`].

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

/// Every metric, in the order of files and tables. Evaluations, intervals, paired tests, files and reports go through this list.
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

    /// What it is, in a few words or its formula.
    fn summary(&self) -> &'static str;

    /// Its unit.
    fn unit(&self) -> Unit {
        Unit::None
    }

    /// When it is computed.
    fn group(&self) -> MetricGroup {
        MetricGroup::Accuracy
    }

    /// Whether a higher value is better, or a lower one.
    fn better(&self) -> Better;

    /// Its value for a test set, or for a draw of a bootstrap from it. `None` where it is not defined: a correlation with constant
    /// predictions, a share of a variance that is 0, a mean over no drugs.
    fn value(&self, draw: &Draw) -> Option<f64>;

    /// The place, from 1, of one of the chief metrics: reports draw these, and tables for a terminal show their intervals, too.
    fn chief(&self) -> Option<u8> {
        None
    }

    /// For a metric whose values in draws are off its estimate on average: the range that its values lie in. Its interval is shifted
    /// so that the mean of the draws is the estimate.
    fn shifted_within(&self) -> Option<[f64; 2]> {
        None
    }
}

/// The unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number without a unit.
    None,
    /// That of the target.
    Target,
    /// That of the target, squared.
    SquaredTarget,
}

/// When a metric is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricGroup {
    /// Always.
    Accuracy,
    /// For screens of combinations, and where a threshold says which responses are positive: see [`crate::Detection`].
    Detection,
}

/// Which values of a metric are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Higher ones.
    Higher,
    /// Lower ones.
    Lower,
}

impl Better {
    /// 1 if higher values are better, −1 if lower ones are.
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

/// How close predictions are to the observed responses of a test set, each response counting once: the value of every metric.
///
/// A metric is `None` (`null` in JSON) where it is not defined. In a screen of combinations, "drug" stands for the combination.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metrics {
    pub(crate) values: [Option<f64>; COUNT],
    /// Number of test responses.
    pub n: usize,
    /// Number of drugs that the per-drug Pearson is the mean of.
    pub drugs_counted: usize,
}

impl Metrics {
    /// The value of the metric of a name; `None` where it is not defined, was not computed, or there is no such metric.
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

/// 95 % intervals of [`Metrics`], as `[low, high]`; `None` where a metric is not defined.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Intervals {
    pub(crate) values: [Option<[f64; 2]>; COUNT],
}

impl Intervals {
    /// The interval of the metric of a name.
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
