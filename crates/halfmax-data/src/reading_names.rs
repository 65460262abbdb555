//! Interprets the names of reading columns: viability or inhibition, percentages or fractions.
//!
//! Names are split into words, so `% Inhibition`, `mean_viability`, `Viability (%)`, `rel. survival` and `Percent
//! Growth` need no separate entries.

use crate::columns::plain;
use crate::roles::words;

/// The quantity that readings measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measured {
    /// The remaining part of the control: viability, survival, growth.
    Left,
    /// The lost part of the control: inhibition, mortality.
    Gone,
}

/// The scale of readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    Percent,
    Fraction,
    /// Relative to the control: a fraction unless the numbers are too large.
    Relative,
}

/// The information in a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SaidByName {
    pub measured: Option<Measured>,
    pub scale: Option<Scale>,
}

const LEFT: [&str; 7] = ["viability", "viabilities", "viab", "survival", "surviving", "growth", "alive"];
const GONE: [&str; 9] =
    ["inhibition", "inhibitions", "inhib", "mortality", "death", "killing", "kill", "dead", "cytotoxicity"];
const PERCENT: [&str; 5] = ["percent", "pct", "perc", "percentage", "prct"];
const FRACTION: [&str; 6] = ["fraction", "fractional", "frac", "fractions", "proportion", "ratio"];
const RELATIVE: [&str; 2] = ["relative", "rel"];
/// Words without meaning for the unit.
const PLAIN: [&str; 22] = [
    "normalized",
    "normalised",
    "norm",
    "mean",
    "avg",
    "average",
    "median",
    "cell",
    "cells",
    "of",
    "control",
    "ctrl",
    "to",
    "dmso",
    "vehicle",
    "untreated",
    "observed",
    "measured",
    "vs",
    "in",
    "value",
    "the",
];

/// The information in a name, if all its words are known and one of them names the quantity.
pub(crate) fn reading_name(name: &str) -> Option<SaidByName> {
    let mut said = SaidByName::default();
    if name.contains('%') {
        said.scale = Some(Scale::Percent);
    }
    for word in words(&name.replace('%', " ")) {
        let word = word.as_str();
        let glued = PERCENT
            .iter()
            .find_map(|start| word.strip_prefix(start))
            .filter(|rest| !rest.is_empty() && !PERCENT.contains(&word));
        let (word, percent) = glued.map_or((word, false), |rest| (rest, true));
        if percent || PERCENT.contains(&word) {
            said.scale = Some(Scale::Percent);
        }
        match word {
            word if GONE.contains(&word) => said.measured = Some(Measured::Gone),
            word if LEFT.contains(&word) => said.measured = said.measured.or(Some(Measured::Left)),
            word if FRACTION.contains(&word) => said.scale = said.scale.or(Some(Scale::Fraction)),
            word if RELATIVE.contains(&word) => said.scale = said.scale.or(Some(Scale::Relative)),
            word if PERCENT.contains(&word) || PLAIN.contains(&word) => {}
            _ => return None,
        }
    }
    said.measured.is_some().then_some(said)
}

/// The information in a name, even if some of its words are unknown.
pub(crate) fn said_by_name(name: &str) -> SaidByName {
    if let Some(said) = reading_name(name) {
        return said;
    }
    let plain = plain(name);
    let has = |words: &[&str]| words.iter().any(|word| plain.contains(word));
    let measured = if has(&["inhib", "mortality", "death", "killing", "deadcells"]) {
        Some(Measured::Gone)
    } else if has(&[
        "viab",
        "surviv",
        "growth",
        "percentcontrol",
        "ofcontrol",
        "relativecount",
        "relativecellcount",
        "cpdavgpv",
        "cpdpredpv",
        "normalizedintensity",
        "normalisedintensity",
    ]) {
        Some(Measured::Left)
    } else {
        None
    };
    let scale = if has(&["percent", "pct", "%"]) || plain.starts_with("perc") {
        Some(Scale::Percent)
    } else if has(&["fraction", "proportion", "ratio"]) {
        Some(Scale::Fraction)
    } else if has(&["relative"]) {
        Some(Scale::Relative)
    } else {
        None
    };
    SaidByName { measured, scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        use Measured::{Gone, Left};
        for (name, measured, scale) in [
            ("% Inhibition", Gone, Some(Scale::Percent)),
            ("Viability (%)", Left, Some(Scale::Percent)),
            ("mean_viability", Left, None),
            ("Percent Growth", Left, Some(Scale::Percent)),
            ("PERCENTGROWTH", Left, Some(Scale::Percent)),
            ("rel. viability", Left, Some(Scale::Relative)),
            ("viability_fraction", Left, Some(Scale::Fraction)),
            ("growth_inhibition_pct", Gone, Some(Scale::Percent)),
            ("percViability", Left, Some(Scale::Percent)),
            ("fraction surviving", Left, Some(Scale::Fraction)),
            ("avg % cell death of control", Gone, Some(Scale::Percent)),
        ] {
            assert_eq!(reading_name(name), Some(SaidByName { measured: Some(measured), scale }), "{name}");
        }
        for name in [
            "viability_sd",
            "PERCENTGROWTHNOTZ",
            "viability_score",
            "growth rate",
            "percent",
            "E",
            "inhibitor",
        ] {
            assert_eq!(reading_name(name), None, "{name}");
        }
    }
}
