//! Interprets the name of a response column.

use halfmax_core::{Quantity, Unit};

/// The information in a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// The measured quantity.
    pub quantity: Quantity,
    /// How clearly the name states the sensitive end.
    pub direction: Direction,
    /// The kind of logarithm.
    pub logarithm: Logarithm,
    /// Whether the sign is reversed: pIC50, −log10, negative.
    pub negated: bool,
    /// The unit of a concentration.
    pub unit: Option<Unit>,
    /// Whether the values are standard deviations from a mean of the quantity.
    pub standardised: bool,
    /// Whether the column is an error, a bound or a test of a measure rather than a measure.
    pub accompanies: bool,
}

/// Whether a name states the sensitive end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Not stated.
    #[default]
    Unsaid,
    /// Given by a convention that some datasets break: "AUC" is sometimes the area above the curve.
    Conventional,
    /// Stated by the name.
    Said,
}

/// A logarithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Logarithm {
    /// No logarithm in the name.
    #[default]
    None,
    /// The natural logarithm.
    Natural,
    /// The decimal logarithm.
    Decimal,
    /// The logarithm to base 2.
    Binary,
    /// A logarithm of unstated base.
    Unsaid,
}

/// Words that make a column an error, a bound or a test of a measure.
const ACCOMPANYING: [&str; 26] = [
    "se", "sd", "sem", "std", "stderr", "stdev", "error", "err", "ci", "lower", "upper", "low", "high", "lb",
    "ub", "lo", "hi", "var", "variance", "flag", "position", "pvalue", "pval", "fdr", "r2", "rmse",
];

/// The letters before the percentage in the name of a concentration: `IC50`.
const EFFECTS: [&str; 11] = ["ic", "ec", "gi", "gr", "ac", "xc", "lc", "cc", "tc", "ed", "ld"];

/// Prefixes of scales that are joined to the quantity: `lnIC50`, `pIC50`.
const GLUED: [&str; 13] = [
    "",
    "ln",
    "loge",
    "log",
    "log10",
    "log2",
    "lg",
    "p",
    "neglog",
    "neglog10",
    "nlog10",
    "minuslog10",
    "minuslog",
];

/// Reads a column's name. Case, blanks, underscores, hyphens, dots and brackets do not matter.
pub(crate) fn read(name: &str) -> Named {
    let words = words(name);
    let has = |word: &str| words.iter().any(|other| other == word);
    let plain: String = words.concat();
    let turned = is_turned(name);
    let (quantity, direction) = match quantity(&words, &plain) {
        (quantity, direction) if !turned => (quantity, direction),
        // One minus the area under the curve is the area above it, and vice versa.
        (Quantity::Auc, _) => (Quantity::Aac, Direction::Said),
        (Quantity::Aac, _) => (Quantity::Auc, Direction::Said),
        (Quantity::Viability, direction) => (Quantity::Inhibition, direction),
        (Quantity::Inhibition, direction) => (Quantity::Viability, direction),
        found => found,
    };
    let complement =
        matches!(quantity, Quantity::Auc | Quantity::Aac | Quantity::Viability | Quantity::Inhibition)
            && turned;
    let accompanies = ACCOMPANYING.iter().any(|word| has(word)) && plain != "ci";
    if quantity == Quantity::Unknown {
        return Named { accompanies, ..Named::default() };
    }
    let concentration = quantity.is_concentration();
    let logarithm = logarithm(&words);
    let p = concentration && words.windows(2).any(|pair| pair[0] == "p" && core(&pair[1]).is_some());
    Named {
        quantity,
        direction,
        logarithm: match logarithm {
            Logarithm::None | Logarithm::Unsaid if p => Logarithm::Decimal,
            found => found,
        },
        negated: !complement
            && (p
                || turned
                || has("neg")
                || has("negative")
                || has("minus")
                || has("inverse")
                || begins_negative(name)),
        unit: if concentration { unit(&words) } else { None },
        standardised: is_standardised(&words, &plain),
        accompanies,
    }
}

/// Whether a minus sign, not a hyphen between words, stands before a letter.
fn begins_negative(name: &str) -> bool {
    let signs: Vec<char> = name.chars().collect();
    (0..signs.len()).any(|at| {
        let sign = matches!(signs[at], '-' | '\u{2212}' | '\u{2013}');
        let free = at == 0 || matches!(signs[at - 1], ' ' | '(' | '[');
        let next = signs[at + 1..].iter().find(|c| **c != ' ');
        // A dash between words has a blank on both sides.
        let dash = at > 0 && signs.get(at + 1) == Some(&' ');
        sign && free && !dash && next.is_some_and(|c| c.is_alphabetic())
    })
}

/// Whether a name is a complement to 1 or 100, or a reciprocal: `1 - viability`, `100-AAC`, `one_minus_auc`,
/// `log10(1/IC50)`. The sign decides: `1 uM viability` is not a complement.
fn is_turned(name: &str) -> bool {
    let lower = name.trim().to_lowercase();
    let gap = [' ', '_', '.', '(', '['];
    let logs = ["log10", "log2", "log", "ln"];
    let of_log = logs.iter().find_map(|log| lower.strip_prefix(log)?.trim_start().strip_prefix(['(', '[']));
    let inner = of_log.unwrap_or(&lower).trim_start_matches(gap);
    ["100", "1", "one"].iter().filter_map(|whole| inner.strip_prefix(whole)).any(|rest| {
        let rest = rest.trim_start_matches(gap);
        let sign =
            rest.strip_prefix(['-', '\u{2212}', '\u{2013}', '/']).or_else(|| rest.strip_prefix("minus"));
        sign.is_some_and(|rest| rest.trim_start_matches(gap).starts_with(char::is_alphabetic))
    })
}

/// Whether a name denotes a logarithm: `log10_dose`, `logConc`, `ln dose`.
pub(crate) fn names_logarithm(name: &str) -> bool {
    words(name).iter().any(|word| word.starts_with("log") || word == "ln" || word == "lg")
}

/// The words of a name in lower case: `log10IC50 (µM)` has log10, ic50, um.
fn words(name: &str) -> Vec<String> {
    let lower = name.to_lowercase().replace(['µ', 'μ'], "u");
    let parts = lower.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    let mut words: Vec<String> = Vec::new();
    for part in parts {
        // "IC_50", "log 10".
        let joins = |before: &String| {
            let half = matches!(part, "50" | "90" | "25" | "75") && is_effect(before);
            half || (matches!(part, "10" | "2") && matches!(before.as_str(), "log" | "neglog" | "minuslog"))
        };
        match words.last_mut() {
            Some(before) if joins(before) => before.push_str(part),
            _ => words.push(part.to_owned()),
        }
    }
    words.iter().flat_map(|word| apart(word)).collect()
}

fn is_effect(word: &str) -> bool {
    GLUED.iter().any(|prefix| word.strip_prefix(prefix).is_some_and(|rest| EFFECTS.contains(&rest)))
}

/// Splits a compound word: `lnic50um` is ln, ic50, um.
fn apart(word: &str) -> Vec<String> {
    let digit = |at: usize| word.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let found = (0..word.len()).find_map(|at| {
        let two = word.get(at..at + 2)?;
        let four = word.get(at..at + 4)?;
        let prefix = word.get(..at)?;
        let is = EFFECTS.contains(&two) && digit(at + 2) && digit(at + 3) && GLUED.contains(&prefix);
        is.then(|| (prefix, four, &word[at + 4..]))
    });
    let Some((prefix, core, rest)) = found else {
        return if word == "pchembl" { vec!["p".into(), "chembl".into()] } else { without_sign(word) };
    };
    let mut words = without_sign(prefix);
    words.extend([core, rest].iter().filter(|part| !part.is_empty()).map(|part| (*part).to_owned()));
    words
}

/// `neglog10` is neg, log10.
fn without_sign(word: &str) -> Vec<String> {
    let rest = ["neglog", "nlog", "minuslog"].iter().find_map(|signed| word.strip_prefix(signed));
    match rest {
        _ if word.is_empty() => Vec::new(),
        Some(base) => vec!["neg".into(), format!("log{base}")],
        None => vec![word.to_owned()],
    }
}

fn logarithm(words: &[String]) -> Logarithm {
    let of = |word: &String| match word.as_str() {
        "ln" | "loge" | "natural" => Some(Logarithm::Natural),
        "log10" | "lg" => Some(Logarithm::Decimal),
        "log2" => Some(Logarithm::Binary),
        _ => None,
    };
    let unsaid = || words.iter().any(|word| word == "log").then_some(Logarithm::Unsaid);
    words.iter().find_map(of).or_else(unsaid).unwrap_or_default()
}

fn unit(words: &[String]) -> Option<Unit> {
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    // A mass concentration gives no molar concentration.
    if has(&["ug", "ng", "mg", "ugml", "ngml", "mgml", "ml"]) {
        return None;
    }
    if has(&["um", "umol", "umolar", "micromolar", "micromol", "micro", "umoll"]) {
        Some(Unit::Micromolar)
    } else if has(&["nm", "nmol", "nmolar", "nanomolar", "nanomol", "nano", "nmoll"]) {
        Some(Unit::Nanomolar)
    } else if has(&["pm", "pmol", "pmolar", "picomolar", "pico", "pmoll"]) {
        Some(Unit::Picomolar)
    } else if has(&["mm", "mmol", "mmolar", "millimolar", "milli", "mmoll"]) {
        Some(Unit::Millimolar)
    } else if has(&["m", "molar", "mol", "moll"]) {
        Some(Unit::Molar)
    } else {
        None
    }
}

/// The measured quantity by the words of a name, and how clearly they state the direction.
fn quantity(words: &[String], plain: &str) -> (Quantity, Direction) {
    use Direction::{Conventional, Said, Unsaid};
    let found = combined(words, plain)
        .or_else(|| concentration(words))
        .map(|quantity| (quantity, Said))
        .or_else(|| area(words, plain))
        .or_else(|| effect(words, plain).map(|quantity| (quantity, Said)));
    let has = |word: &str| words.iter().any(|other| other == word);
    match (found, is_standardised(words, plain)) {
        (Some(found), _) => found,
        (None, true) => (Quantity::ZScore, Unsaid),
        (None, false) if ["emax", "amax", "einf"].iter().any(|word| has(word)) => {
            (Quantity::MaximalEffect, Unsaid)
        }
        (None, false) => {
            let fold = ["logfold", "foldchange", "log2fold"].iter().any(|part| plain.contains(part));
            let short = ["lfc", "log2fc", "logfc", "l2fc"].iter().any(|word| has(word));
            if fold || short { (Quantity::LogFoldChange, Conventional) } else { (Quantity::Unknown, Unsaid) }
        }
    }
}

fn is_standardised(words: &[String], plain: &str) -> bool {
    plain.contains("zscore") || words.iter().any(|word| word == "z")
}

fn combined(words: &[String], plain: &str) -> Option<Quantity> {
    let has = |word: &str| words.iter().any(|other| other == word);
    if plain.contains("combinationindex") || plain == "ci" {
        return Some(Quantity::CombinationIndex);
    }
    let model = ["loewe", "bliss", "zip", "hsa"].iter().any(|word| has(word));
    if model || plain.contains("synergy") || matches!(plain, "ssum" | "smean" | "smax") {
        return Some(Quantity::Synergy);
    }
    let sensitivity = has("css") || matches!(plain, "ri" | "rirow" | "ricol" | "cssri");
    sensitivity.then_some(Quantity::SensitivityScore)
}

fn concentration(words: &[String]) -> Option<Quantity> {
    words.iter().find_map(|word| core(word))
}

/// The concentration that a word denotes: "ic50".
fn core(word: &str) -> Option<Quantity> {
    match word {
        "ic50" => Some(Quantity::Ic50),
        "ec50" => Some(Quantity::Ec50),
        "gi50" => Some(Quantity::Gi50),
        "gr50" => Some(Quantity::Gr50),
        "tgi" | "chembl" => Some(Quantity::Potency),
        word => {
            let (effect, percent) = word.split_at_checked(2)?;
            let is = is_effect(effect) && percent.len() == 2 && percent.parse::<u8>().is_ok();
            is.then_some(Quantity::Potency)
        }
    }
}

fn area(words: &[String], plain: &str) -> Option<(Quantity, Direction)> {
    use Direction::{Conventional, Said};
    let has = |word: &str| words.iter().any(|other| other == word);
    if has("gr") && (has("aoc") || has("aac")) || plain.contains("graoc") {
        return Some((Quantity::GrowthRateArea, Said));
    }
    if has("aac") || has("aoc") || (has("area") && has("above")) {
        return Some((Quantity::Aac, Said));
    }
    if plain.contains("actarea") || plain.contains("activityarea") {
        return Some((Quantity::ActivityArea, Said));
    }
    if words.iter().any(|word| matches!(word.as_str(), "dss" | "sdss" | "dss1" | "dss2" | "dss3")) {
        return Some((Quantity::SensitivityScore, Said));
    }
    let under = plain.contains("areaunder");
    let short = |word: &String| word == "audrc" || word.starts_with("auc") || word.ends_with("auc");
    if !(under || words.iter().any(short)) {
        return None;
    }
    let of = |parts: &[&str]| parts.iter().any(|part| plain.contains(part));
    if of(&["inhib", "activity", "effect", "kill", "cytotox", "death"]) {
        Some((Quantity::Aac, Said))
    } else if of(&["viab", "survi", "growth"]) {
        Some((Quantity::Auc, Said))
    } else {
        Some((Quantity::Auc, Conventional))
    }
}

fn effect(words: &[String], plain: &str) -> Option<Quantity> {
    let has = |word: &str| words.iter().any(|other| other == word);
    let of = |parts: &[&str]| parts.iter().any(|part| plain.contains(part));
    let lost = of(&["viab", "surviv", "growth"]) && of(&["reduction", "decrease", "loss"]);
    // This name is used for both the inhibition of growth and the remaining growth rate.
    if of(&["growthrateinhibition"]) {
        None
    } else if of(&["unaffected"]) {
        Some(Quantity::Viability)
    } else if of(&["inhibition", "cytotox", "killing", "mortality", "lethality", "apoptosis", "affected"])
        || ["inh", "inhib", "kill", "killed", "dead", "death", "toxicity"].iter().any(|word| has(word))
        || lost
    {
        Some(Quantity::Inhibition)
    } else if of(&["viability", "surviv", "confluence", "cellcount"])
        || ["viab", "alive", "live", "living"].iter().any(|word| has(word))
    {
        Some(Quantity::Viability)
    } else if has("gr") || of(&["grmax", "grinf", "grvalue"]) {
        Some(Quantity::GrowthRate)
    } else if of(&["growth"]) {
        Some(Quantity::Growth)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concentrations_are_known_with_their_logarithm_sign_and_unit() {
        use Logarithm::{Binary, Decimal, Natural, None as Linear, Unsaid};
        let (um, nm, m) = (Some(Unit::Micromolar), Some(Unit::Nanomolar), Some(Unit::Molar));
        for (name, quantity, logarithm, negated, unit) in [
            ("LN_IC50", Quantity::Ic50, Natural, false, None),
            ("lnIC50", Quantity::Ic50, Natural, false, None),
            ("ln IC50 (nM)", Quantity::Ic50, Natural, false, nm),
            ("log_ic50", Quantity::Ic50, Unsaid, false, None),
            ("log10_ic50_M", Quantity::Ic50, Decimal, false, m),
            ("Log10IC50", Quantity::Ic50, Decimal, false, None),
            ("log 10 IC 50", Quantity::Ic50, Decimal, false, None),
            ("IC50 (log2 uM)", Quantity::Ic50, Binary, false, um),
            ("-log10(IC50)", Quantity::Ic50, Decimal, true, None),
            ("−log10 IC50 [M]", Quantity::Ic50, Decimal, true, m),
            ("neg_log_ic50", Quantity::Ic50, Unsaid, true, None),
            ("neglog10IC50", Quantity::Ic50, Decimal, true, None),
            ("pIC50", Quantity::Ic50, Decimal, true, None),
            ("p_IC50", Quantity::Ic50, Decimal, true, None),
            ("pEC50", Quantity::Ec50, Decimal, true, None),
            ("IC50 (uM)", Quantity::Ic50, Linear, false, um),
            ("IC50_nM", Quantity::Ic50, Linear, false, nm),
            ("ic50nM", Quantity::Ic50, Linear, false, nm),
            ("ic50 [µM]", Quantity::Ic50, Linear, false, um),
            ("IC50 nmol/L", Quantity::Ic50, Linear, false, nm),
            ("IC50 (ug/mL)", Quantity::Ic50, Linear, false, None),
            ("ic50-log", Quantity::Ic50, Unsaid, false, None),
            ("IC50 - log10", Quantity::Ic50, Decimal, false, None),
            ("GR_50", Quantity::Gr50, Linear, false, None),
            ("GI50", Quantity::Gi50, Linear, false, None),
            ("LC50_um", Quantity::Potency, Linear, false, um),
            ("logGI50", Quantity::Gi50, Unsaid, false, None),
            ("pXC50", Quantity::Potency, Decimal, true, None),
            ("pchembl_value", Quantity::Potency, Decimal, true, None),
            ("IC50_p", Quantity::Ic50, Linear, false, None),
        ] {
            let expected = (quantity, logarithm, negated, unit);
            let found = read(name);
            assert_eq!((found.quantity, found.logarithm, found.negated, found.unit), expected, "{name}");
        }
    }

    #[test]
    fn what_is_left_is_turned() {
        for (name, quantity, negated) in [
            ("one_minus_auc", Quantity::Aac, false),
            ("1-AUC", Quantity::Aac, false),
            ("1 - AAC", Quantity::Auc, false),
            ("1-viability", Quantity::Inhibition, false),
            ("100 - viability (%)", Quantity::Inhibition, false),
            ("100-inhibition", Quantity::Viability, false),
            ("log(1/IC50)", Quantity::Ic50, true),
            ("log10(1/IC50)", Quantity::Ic50, true),
            ("1 uM viability", Quantity::Viability, false),
            ("auc_growth_inhibition", Quantity::Aac, false),
            ("viability_reduction", Quantity::Inhibition, false),
        ] {
            let found = read(name);
            assert_eq!((found.quantity, found.negated), (quantity, negated), "{name}");
        }
        assert_eq!(read("one_minus_auc").direction, Direction::Said);
        for (name, is) in [("log10_dose_nM", true), ("logConc", true), ("ln dose", true), ("dose", false)] {
            assert_eq!(names_logarithm(name), is, "{name}");
        }
    }

    #[test]
    fn other_quantities_are_known_by_name() {
        for (name, quantity) in [
            ("AUC", Quantity::Auc),
            ("auc_viability", Quantity::Auc),
            ("area_under_curve", Quantity::Auc),
            ("AAC", Quantity::Aac),
            ("aac_recomputed", Quantity::Aac),
            ("1-AUC", Quantity::Aac),
            ("auc_inhibition", Quantity::Aac),
            ("ActArea", Quantity::ActivityArea),
            ("activity_area", Quantity::ActivityArea),
            ("DSS", Quantity::SensitivityScore),
            ("Amax", Quantity::MaximalEffect),
            ("GRmax", Quantity::GrowthRate),
            ("GR_AOC", Quantity::GrowthRateArea),
            ("PERCENTGROWTH", Quantity::Growth),
            ("growth_inhibition", Quantity::Inhibition),
            ("viability", Quantity::Viability),
            ("percent inhibition", Quantity::Inhibition),
            ("LFC", Quantity::LogFoldChange),
            ("logfold_change", Quantity::LogFoldChange),
            ("Z_SCORE", Quantity::ZScore),
            ("zscore", Quantity::ZScore),
            ("synergy_loewe", Quantity::Synergy),
            ("css_ri", Quantity::SensitivityScore),
            ("combination_index", Quantity::CombinationIndex),
            ("fraction affected", Quantity::Inhibition),
            ("fraction_unaffected", Quantity::Viability),
            ("growth rate inhibition", Quantity::Unknown),
            ("logic", Quantity::Unknown),
            ("response", Quantity::Unknown),
            ("Y", Quantity::Unknown),
            ("SCORE", Quantity::Unknown),
            ("basic50", Quantity::Unknown),
        ] {
            assert_eq!(read(name).quantity, quantity, "{name}");
        }
    }

    #[test]
    fn errors_and_bounds_accompany_a_measure() {
        for name in ["log10_ic50_se", "ic50_lower_um", "auc_se", "IC50_CI", "emax upper", "RMSE", "r2"] {
            assert!(read(name).accompanies, "{name}");
        }
        for name in ["LN_IC50", "AUC", "emax_observed", "Z_SCORE"] {
            assert!(!read(name).accompanies, "{name}");
        }
    }
}
