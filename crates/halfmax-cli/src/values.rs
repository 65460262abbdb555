//! The values that flags take, as the command line spells them.

use clap::ValueEnum;
use halfmax::dose::synergy::{Baseline, BlockFit, Cooperativity, CurvePrior, MaximalEffect, SynergyModel};
use halfmax::dose::{Curves, ModelChoice, Outliers, PositionEffectKind, Times};
use halfmax_core::End;
use halfmax_data::ReadingUnit;

/// Defines the values of a flag, each with its counterpart in the library.
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

    /// The end of the scores that counts as best.
    OrderValue is End { Highest => Self::High, Lowest => Self::Low, }

    /// The unit of readings.
    ReadingValue is ReadingUnit {
        ViabilityPercent => Self { inhibition: false, percent: true },
        ViabilityFraction => Self { inhibition: false, percent: false },
        InhibitionPercent => Self { inhibition: true, percent: true },
        InhibitionFraction => Self { inhibition: true, percent: false },
    }

    /// The curve to fit.
    ModelValue is ModelChoice {
        Auto => Self::Auto,
        AutoFixedTop => Self::AutoFixedTop,
        FourParameter => Self::FourParameter,
        ThreeParameter => Self::ThreeParameter,
    }

    /// The treatment of outliers.
    OutliersValue is Outliers { LeaveOut => Self::LeftOut, Keep => Self::Kept, }

    /// The shapes of curves to try.
    CurvesValue is Curves { Any => Self::Any, LogLogistic => Self::LogLogistic, }

    /// The curves to fit to readings at several times.
    TimesValue is Times {
        /// One curve for each time.
        Each => Self::Each,
        /// Curves of the growth rates over all times.
        Rate => Self::Rate,
        /// Curves of the growth rates from one time to the next.
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

    /// The correction of the baseline.
    BaselineValue is Baseline { None => Self::None, Part => Self::Part, All => Self::All, }

    /// The prior of curves: learnt from all curves of a file, or none.
    PriorValue is CurvePrior { Learnt => Self::Learnt, None => Self::None, }

    /// Fits in addition to the scores of reference models.
    FitValue is BlockFit { Musyc => Self::Musyc, Braid => Self::Braid, Ci => Self::Ci, Css => Self::Css, }

    /// MuSyC's cooperativity.
    GammaValue is Cooperativity { Fitted => Self::Fitted, One => Self::One, }

    /// BRAID's maximal effect.
    MaximumValue is MaximalEffect { Fitted => Self::Fitted, Stronger => Self::OfTheStronger, }
}

/// What a separate curve is fitted to, besides a drug in a cell line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CurveOf {
    Experiment,
}

/// The layout of the readings of a dose matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LayoutValue {
    List,
    Grid,
}

/// Formats of other programs in which halfmax writes models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    Lightgbm,
}
