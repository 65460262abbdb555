//! The values learnt from all curves of a file, in words.

use std::path::Path;

use halfmax_dose::Learnt;

use super::words::{decimals, digits};

/// The source of the learnt values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LearntFrom {
    /// All curves of a file, from single readings.
    Curves,
    /// All single-drug curves of a file, from the means of their doses.
    DrugsAlone,
}

/// The learnt values, each with its name.
pub fn learnt_facts(from: LearntFrom, learnt: &Learnt) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some([mean, spread]) = learnt.ln_hill {
        let value = format!("{}, within a factor of {}", digits(mean.exp()), digits(spread.exp()));
        facts.push(("Hill slopes", value));
    }
    for (name, known) in [("tops", learnt.top), ("bottoms", learnt.bottom)] {
        if let Some([mean, spread]) = known {
            facts.push((name, format!("{} ± {}", decimals(mean), decimals(spread))));
        }
    }
    if let Some(spread) = learnt.batches {
        let name = match learnt.batches_not_told {
            true => "batches, which no column names, differ by",
            false => "batches differ by",
        };
        facts.push((name, format!("{:.0} %", 100.0 * spread)));
    }
    if let Some([variance, _]) = learnt.variance {
        let name = match from {
            LearntFrom::Curves => "error of a reading",
            LearntFrom::DrugsAlone => "error of the mean of a dose",
        };
        facts.push((name, format!("{} of the control", digits(variance.sqrt()))));
    }
    facts
}

/// A sentence on the values learnt from all curves of a file and used for each curve; `None` if nothing was learnt.
pub fn learnt_in_words(file: &Path, from: LearntFrom, learnt: &Learnt) -> Option<String> {
    let facts = learnt_facts(from, learnt);
    if facts.is_empty() {
        return None;
    }
    let said: Vec<String> = facts.iter().map(|(name, value)| format!("{name} {value}")).collect();
    Some(format!(
        "{}: learnt from {}: {}; curves with uninformative readings are drawn towards it",
        file.display(),
        match from {
            LearntFrom::Curves => "all curves",
            LearntFrom::DrugsAlone => "all drugs alone",
        },
        said.join("; ")
    ))
}
