//! Flags of curves in words, and their severity.

use halfmax_dose::{Flag, Flags};

/// Concerns about a fit, the most severe first.
pub const CONCERNS: [&str; 6] = [
    "curves that do not describe their readings (poor fit, rises with the dose)",
    "curves that the doses do not determine (interval open, a parameter at its limit)",
    "curves with readings left out as outliers",
    "curves with too few doses or readings",
    "curves whose IC50 or EC50 lies outside the tested doses, or that increase",
    "all others",
];

/// The severity of the worst flag of a curve: a position in [`CONCERNS`].
pub fn concern(flags: Flags) -> u8 {
    let gravest =
        Flag::ALL.into_iter().filter(|flag| flags.contains(*flag)).map(|flag| grade(flag.name())).min();
    gravest.unwrap_or(CONCERNS.len() as u8 - 1)
}

fn grade(name: &str) -> u8 {
    match name {
        "poor_fit" | "non_monotone" | "lack_of_fit" => 0,
        "at_limit" | "open_interval" => 1,
        "outliers" => 2,
        "too_few_doses" | "too_few_to_tell" => 3,
        "flat" | "no_ic50" | "biphasic" | "hormetic" => 5,
        _ => 4,
    }
}

/// A flag in words.
pub fn words(flag: Flag) -> String {
    match flag.name() {
        "non_monotone" => "rises with the dose".into(),
        "at_limit" => "parameter at its limit".into(),
        "no_ic50" => "no IC50".into(),
        "ic50_below_range" => "IC50 below the tested doses".into(),
        "ic50_above_range" => "IC50 above the tested doses".into(),
        "ec50_outside_range" => "EC50 outside the tested doses".into(),
        "open_interval" => "open interval".into(),
        other => other.replace('_', " "),
    }
}

/// The meaning of a flag.
pub fn meaning(flag: Flag) -> &'static str {
    match flag.name() {
        "too_few_doses" => "Fewer than four doses: no curve was fitted.",
        "flat" => "The readings do not distinguish the curve from a constant: the dose has no effect.",
        "increasing" => "The viability rises with the dose.",
        "ic50_below_range" => {
            "The curve is below one half at every tested dose: an IC50 would be an extrapolation."
        }
        "ic50_above_range" => {
            "The curve falls to one half above the highest tested dose: an IC50 would be an extrapolation."
        }
        "no_ic50" => "The curve does not fall to one half.",
        "ec50_outside_range" => "The EC50 lies outside the tested doses: the plateaus are guesses.",
        "non_monotone" => {
            "The mean reading rises from one dose to a higher one by more than 0.15 and four standard errors."
        }
        "lack_of_fit" => "The means of the doses lie further from the curve than their replicates explain.",
        "biphasic" => "The readings fall in two steps.",
        "hormetic" => "The readings rise at low doses before they fall.",
        "poor_fit" => {
            "R² is below 0.5 though the curve is not flat, or the residual standard error is above 0.25."
        }
        "at_limit" => "The EC50 or the Hill slope is at the end of its range, so it is not determined.",
        "outliers" => "Readings were left out as outliers; crosses mark them.",
        "too_few_to_tell" => "The readings are too few to distinguish a curve from a constant.",
        "open_interval" => {
            "The interval of the IC50 or the EC50 has an open end: the tested doses do not bound it."
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_flag_decides() {
        let mut flags = Flags::default();
        assert_eq!(concern(flags), 5);
        flags.insert(Flag::Flat);
        assert_eq!(concern(flags), 5, "no effect is no fault of the fit");
        flags.insert(Flag::Outliers);
        assert_eq!(concern(flags), 2);
        flags.insert(Flag::PoorFit);
        assert_eq!(concern(flags), 0);
    }

    #[test]
    fn flags_have_words_of_their_own() {
        let mut all: Vec<String> = Flag::ALL.map(words).to_vec();
        assert!(all.iter().all(|words| !words.contains('_')));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), Flag::ALL.len());
    }
}
