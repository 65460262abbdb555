//! The values that flags take, as the command line spells them.

use clap::ValueEnum;
use halfmax::dose::synergy::{Baseline, BlockFit, Cooperativity, CurvePrior, MaximalEffect, SynergyModel};
use halfmax::dose::{Curves, ModelChoice, Outliers, PositionEffectKind, Times};
use halfmax_core::End;
use halfmax_data::ReadingUnit;

/// The values of a flag, each with what it is in the library.
macro_rules! flag_values {
    ($($(#[$of_enum:meta])* $name:ident is $library:ty { $($(#[$of_value:meta])* $value:ident => $meaning:expr,)+ })+) => {$(
        $(#[$of_enum])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
        pub enum $name {
            $($(#[$of_value])* $value,)+
        }

        impl From<$name> for $library {
            fn from(value: $name) -> Self {
                match value {
                    $($name::$value => $meaning,)+
                }
            }
        }
    )+};
}

flag_values! {
    /// The end of a target at which cell lines are sensitive.
    EndValue is End { Low => Self::Low, High => Self::High, }

    /// Which scores are the best.
    OrderValue is End { Highest => Self::High, Lowest => Self::Low, }

    /// What readings are.
    ReadingValue is ReadingUnit {
        ViabilityPercent => Self { inhibition: false, percent: true },
        ViabilityFraction => Self { inhibition: false, percent: false },
        InhibitionPercent => Self { inhibition: true, percent: true },
        InhibitionFraction => Self { inhibition: true, percent: false },
    }

    /// The curve that is fitted.
    ModelValue is ModelChoice {
        Auto => Self::Auto,
        AutoFixedTop => Self::AutoFixedTop,
        FourParameter => Self::FourParameter,
        ThreeParameter => Self::ThreeParameter,
    }

    /// What becomes of outliers.
    OutliersValue is Outliers { LeaveOut => Self::LeftOut, Keep => Self::Kept, }

    /// Which shapes of curves are tried.
    CurvesValue is Curves { Any => Self::Any, LogLogistic => Self::LogLogistic, }

    /// What becomes of several times.
    TimesValue is Times {
        /// A curve for each time.
        Each => Self::Each,
        /// Curves of growth rates over all times.
        Rate => Self::Rate,
        /// Curves of growth rates between one time and the next.
        Interval => Self::Interval,
    }

    /// Effects of the position on a plate.
    PositionValue is PositionEffectKind { Edge => Self::Edge, Drift => Self::Drift, }

    /// Reference models of synergy.
    SynergyValue is SynergyModel {
        Hsa => Self::Hsa,
        Bliss => Self::Bliss,
        Loewe => Self::Loewe,
        Zip => Self::Zip,
    }

    /// Correction of the baseline.
    BaselineValue is Baseline { None => Self::None, Part => Self::Part, All => Self::All, }

    /// Whether curves are drawn to what all of a file have in common.
    PriorValue is CurvePrior { Learnt => Self::Learnt, None => Self::None, }

    /// Fits beside the scores of reference models.
    FitValue is BlockFit { Musyc => Self::Musyc, Braid => Self::Braid, Ci => Self::Ci, Css => Self::Css, }

    /// MuSyC's cooperativity.
    GammaValue is Cooperativity { Fitted => Self::Fitted, One => Self::One, }

    /// BRAID's maximal effect.
    MaximumValue is MaximalEffect { Fitted => Self::Fitted, Stronger => Self::OfTheStronger, }
}

/// What is a curve of its own besides a drug in a cell line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CurveOf {
    Experiment,
}

/// How the readings of a dose matrix stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LayoutValue {
    List,
    Grid,
}

/// Formats that models are written in for other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    Lightgbm,
}
