//! Flags: warnings about a fitted curve.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A warning to check before using a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Flag {
    /// Fewer than four doses above 0, or too few readings: no curve was fitted.
    TooFewDoses,
    /// The F test does not find a curve better than a constant. With fewer than three degrees of freedom (including
    /// those borrowed from other curves), Mann's test for a fall of the dose means does not either.
    Flat,
    /// The viability rises with the dose.
    Increasing,
    /// The curve falls to 50 % below the lowest tested dose, or is below 50 % at every dose: an IC50 would be an extrapolation.
    Ic50BelowRange,
    /// The curve falls to 50 % above the highest tested dose: the IC50 is an extrapolation.
    Ic50AboveRange,
    /// The curve does not fall to 50 %.
    NoIc50,
    /// The EC50 lies outside the tested doses: the plateaus are guesses.
    Ec50OutsideRange,
    /// The mean reading rises from one dose to a higher one by more than 0.15 and four standard errors.
    NonMonotone,
    /// R² below 0.5 for a curve that is not flat, or a residual standard error above 0.25.
    PoorFit,
    /// The EC50 or the Hill slope is at the end of the allowed range, so it is unknown.
    AtLimit,
    /// Outliers were left out.
    Outliers,
    /// The readings are too few to tell a curve from a constant: the F test has fewer than three degrees of freedom,
    /// Mann's test finds no fall, but the means of the doses differ by more than 0.2. The IC50 has no position.
    TooFewToTell,
    /// The 95 % interval of the IC50 or the EC50 has an open end: the tested doses do not bound it.
    OpenInterval,
    /// The curve has two phases (extra-sum-of-squares F test; at most 1 % of ordinary curves pass), or turns up again at high doses.
    Biphasic,
    /// The viability rises at low doses before it falls (the same test).
    Hormetic,
    /// Replicates agree better with each other than with the curve (lack-of-fit test at 1 %).
    LackOfFit,
}

impl Flag {
    /// Every flag, in the order in which they are written.
    pub const ALL: [Self; 16] = [
        Self::TooFewDoses,
        Self::Flat,
        Self::Increasing,
        Self::Ic50BelowRange,
        Self::Ic50AboveRange,
        Self::NoIc50,
        Self::Ec50OutsideRange,
        Self::NonMonotone,
        Self::PoorFit,
        Self::AtLimit,
        Self::Outliers,
        Self::TooFewToTell,
        Self::OpenInterval,
        Self::Biphasic,
        Self::Hormetic,
        Self::LackOfFit,
    ];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooFewDoses => "too_few_doses",
            Self::Flat => "flat",
            Self::Increasing => "increasing",
            Self::Ic50BelowRange => "ic50_below_range",
            Self::Ic50AboveRange => "ic50_above_range",
            Self::NoIc50 => "no_ic50",
            Self::Ec50OutsideRange => "ec50_outside_range",
            Self::NonMonotone => "non_monotone",
            Self::PoorFit => "poor_fit",
            Self::AtLimit => "at_limit",
            Self::Outliers => "outliers",
            Self::TooFewToTell => "too_few_to_tell",
            Self::OpenInterval => "open_interval",
            Self::Biphasic => "biphasic",
            Self::Hormetic => "hormetic",
            Self::LackOfFit => "lack_of_fit",
        }
    }
}

/// A set of [`Flag`]s; its text is their names, separated by semicolons.
///
/// ```
/// use halfmax_dose::{Flag, Flags};
/// let mut flags = Flags::default();
/// flags.insert(Flag::NoIc50);
/// flags.insert(Flag::Flat);
/// assert_eq!(flags.to_string(), "flat;no_ic50");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags(u32);

impl Flags {
    /// Adds a flag.
    pub fn insert(&mut self, flag: Flag) {
        self.0 |= 1 << flag as u8;
    }

    /// Whether a flag is set.
    pub fn contains(self, flag: Flag) -> bool {
        self.0 & (1 << flag as u8) != 0
    }

    /// Whether no flag is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = Flag::ALL.into_iter().filter(|flag| self.contains(*flag));
        for (at, flag) in set.enumerate() {
            if at > 0 {
                f.write_str(";")?;
            }
            f.write_str(flag.name())?;
        }
        Ok(())
    }
}
