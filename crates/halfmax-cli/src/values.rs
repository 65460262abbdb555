//! The values that flags take, as the command line spells them.

use clap::ValueEnum;
use halfmax_core::End;
use halfmax_data::ReadingUnit;
use halfmax_dose::synergy::{Baseline, Cooperativity, MaximalEffect, SynergyModel};
use halfmax_dose::{Curves, ModelChoice, Outliers};

/// The end of a target at which cell lines are sensitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EndValue {
    Low,
    High,
}

impl From<EndValue> for End {
    fn from(value: EndValue) -> Self {
        match value {
            EndValue::Low => Self::Low,
            EndValue::High => Self::High,
        }
    }
}

/// Which scores are the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OrderValue {
    Highest,
    Lowest,
}

impl From<OrderValue> for End {
    fn from(value: OrderValue) -> Self {
        match value {
            OrderValue::Highest => Self::High,
            OrderValue::Lowest => Self::Low,
        }
    }
}

/// What readings are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReadingValue {
    ViabilityPercent,
    ViabilityFraction,
    InhibitionPercent,
    InhibitionFraction,
}

impl From<ReadingValue> for ReadingUnit {
    fn from(value: ReadingValue) -> Self {
        let (inhibition, percent) = match value {
            ReadingValue::ViabilityPercent => (false, true),
            ReadingValue::ViabilityFraction => (false, false),
            ReadingValue::InhibitionPercent => (true, true),
            ReadingValue::InhibitionFraction => (true, false),
        };
        Self { inhibition, percent }
    }
}

/// What is a curve of its own besides a drug in a cell line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CurveOf {
    Experiment,
}

/// The curve that is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModelValue {
    Auto,
    AutoFixedTop,
    FourParameter,
    ThreeParameter,
}

impl From<ModelValue> for ModelChoice {
    fn from(value: ModelValue) -> Self {
        match value {
            ModelValue::Auto => Self::Auto,
            ModelValue::AutoFixedTop => Self::AutoFixedTop,
            ModelValue::FourParameter => Self::FourParameter,
            ModelValue::ThreeParameter => Self::ThreeParameter,
        }
    }
}

/// What becomes of outliers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutliersValue {
    LeaveOut,
    Keep,
}

impl From<OutliersValue> for Outliers {
    fn from(value: OutliersValue) -> Self {
        match value {
            OutliersValue::LeaveOut => Self::LeftOut,
            OutliersValue::Keep => Self::Kept,
        }
    }
}

/// Which shapes of curves are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CurvesValue {
    Any,
    LogLogistic,
}

impl From<CurvesValue> for Curves {
    fn from(value: CurvesValue) -> Self {
        match value {
            CurvesValue::Any => Self::Any,
            CurvesValue::LogLogistic => Self::LogLogistic,
        }
    }
}

/// Reference models of synergy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SynergyValue {
    Hsa,
    Bliss,
    Loewe,
    Zip,
}

impl From<SynergyValue> for SynergyModel {
    fn from(value: SynergyValue) -> Self {
        match value {
            SynergyValue::Hsa => Self::Hsa,
            SynergyValue::Bliss => Self::Bliss,
            SynergyValue::Loewe => Self::Loewe,
            SynergyValue::Zip => Self::Zip,
        }
    }
}

/// Correction of the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BaselineValue {
    None,
    Part,
    All,
}

impl From<BaselineValue> for Baseline {
    fn from(value: BaselineValue) -> Self {
        match value {
            BaselineValue::None => Self::None,
            BaselineValue::Part => Self::Part,
            BaselineValue::All => Self::All,
        }
    }
}

/// Whether curves are drawn to what all of a file have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PriorValue {
    Learnt,
    None,
}

/// How the readings of a dose matrix stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LayoutValue {
    List,
    Grid,
}

/// Fits beside the scores of reference models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FitValue {
    Musyc,
    Braid,
    Ci,
    Css,
}

/// MuSyC's cooperativity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GammaValue {
    Fitted,
    One,
}

impl From<GammaValue> for Cooperativity {
    fn from(value: GammaValue) -> Self {
        match value {
            GammaValue::Fitted => Self::Fitted,
            GammaValue::One => Self::One,
        }
    }
}

/// BRAID's maximal effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MaximumValue {
    Fitted,
    Stronger,
}

impl From<MaximumValue> for MaximalEffect {
    fn from(value: MaximumValue) -> Self {
        match value {
            MaximumValue::Fitted => Self::Fitted,
            MaximumValue::Stronger => Self::OfTheStronger,
        }
    }
}

/// Effects of the position on a plate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PositionValue {
    Edge,
    Drift,
}

/// Formats that models are written in for other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    Lightgbm,
}

/// As the command line spells a value.
pub fn spelt(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}
