//! The listed facts and the flags of a block.

use halfmax_dose::synergy::{BlockFlag, Summary};
use halfmax_report::Measure;

use super::{ScoredBlock, title_of};
use crate::report::words::{digits, interval};

/// The meaning of a flag of a block, in words.
fn meaning(flag: BlockFlag) -> (&'static str, &'static str) {
    match flag {
        BlockFlag::TooFewDoses => {
            ("too few doses", "A drug has fewer than three doses alone: there are no Loewe and ZIP scores.")
        }
        BlockFlag::LoeweDoubtful => (
            "Loewe is doubtful",
            "The readings do not determine the curve of a drug alone: the score may come from noise.",
        ),
        BlockFlag::ZipDoubtful => (
            "ZIP is doubtful",
            "The readings do not determine a curve that ZIP rests on, or a row or column turns: the score may come from noise.",
        ),
        BlockFlag::UShaped => (
            "a row or column turns",
            "Viability falls and then rises with the dose, or rises and then falls: no ZIP curve can follow.",
        ),
        BlockFlag::MissingCells => ("cells missing", "Some combinations of doses were not measured."),
        BlockFlag::CellsWithoutReference => (
            "cells without a reference",
            "A drug was not measured alone at the dose, or the row or column is too short: means leave these cells out.",
        ),
        BlockFlag::Imputed => ("cells filled in", "Cells without a reading were filled in by fitted curves."),
        BlockFlag::NoReplicates => {
            ("no replicates", "The variation of readings is unknown: there are no intervals and no p values.")
        }
    }
}

/// Flags of blocks, with their meanings.
pub fn flags() -> Vec<(&'static str, &'static str)> {
    let sham =
        ("a drug with itself", "Any synergy in this block is an error of the measurement or the model.");
    BlockFlag::ALL.into_iter().map(meaning).chain([sham]).collect()
}

/// The flags of a block: positions in [`flags`].
pub fn flags_of(scored: &ScoredBlock) -> Vec<usize> {
    let set = BlockFlag::ALL.into_iter().map(|flag| scored.scores.flags.contains(flag));
    let set = set.chain([scored.is_sham]).enumerate();
    set.filter(|(_, set)| *set).map(|(flag, _)| flag).collect()
}

/// The facts listed for a block, in this order.
pub fn facts_of(scored: &ScoredBlock) -> Vec<Measure> {
    let ScoredBlock { drugs, scores, .. } = scored;
    let mut facts: Vec<Measure> = scores
        .models
        .iter()
        .map(|model| {
            let [low, high] = model.summary.interval;
            let p = model.summary.p_value;
            let p = if p.is_nan() { String::new() } else { format!(", p {}", digits(p)) };
            Measure {
                name: format!("mean {}", title_of(model.model)),
                value: if model.summary.mean.is_nan() { "none".into() } else { signed(model.summary.mean) },
                interval: if low.is_nan() { String::new() } else { interval([low, high], signed) + &p },
            }
        })
        .collect();
    for (drug, alone) in drugs.iter().zip(&scores.single_agents) {
        if let Some(curve) = &alone.curve {
            facts.push(Measure {
                name: format!("EC50 of {drug} alone"),
                value: format!("{} µM", digits(curve.ec50)),
                interval: format!(
                    "Hill slope {}, plateau {} %",
                    digits(curve.hill),
                    digits(100.0 * (1.0 - curve.bottom))
                ),
            });
        }
        if !alone.flags.is_empty() {
            facts.push(Measure {
                name: format!("flags of {drug} alone"),
                value: alone.flags.to_string().replace(';', ", "),
                interval: String::new(),
            });
        }
    }
    facts.extend(scored.measures());
    facts
}

/// A number with its sign and one decimal.
pub fn signed(value: f64) -> String {
    let text = format!("{value:+.1}").replace('-', "−");
    if text == "+0.0" || text == "−0.0" { "0.0".into() } else { text }
}

/// A model's scores in a sentence.
pub fn summary(summary: &Summary) -> String {
    if summary.mean.is_nan() {
        return String::new();
    }
    let [low, high] = summary.interval;
    let ends = if low.is_nan() { String::new() } else { format!(" ({} to {})", signed(low), signed(high)) };
    let cells = match summary.cells < summary.measured {
        true => format!(" of {} of {} cells, the others have no reference", summary.cells, summary.measured),
        false => String::new(),
    };
    let window = summary.window.map_or_else(String::new, |window| {
        let doses = |[low, high]: [f64; 2]| format!("{} to {} µM", digits(low), digits(high));
        format!(
            "; highest {} at {} with {}",
            signed(window.mean),
            doses(window.doses_a),
            doses(window.doses_b)
        )
    });
    format!("mean {}{ends}{cells}{window}", signed(summary.mean))
}

#[cfg(test)]
mod tests {
    use halfmax_core::Seed;
    use halfmax_dose::synergy::{DoseMatrix, SynergyParams};

    use super::*;

    fn scored(readings: &[[f64; 3]], drugs: [&str; 2]) -> ScoredBlock {
        let matrix = DoseMatrix::new(readings).unwrap();
        let scores = SynergyParams::default().check().unwrap().score(&matrix, Seed::new(1));
        ScoredBlock {
            id: "1".into(),
            is_sham: drugs[0] == drugs[1],
            drugs: drugs.map(str::to_owned).to_vec(),
            cell_line: None,
            matrix: matrix.into(),
            scores,
            fits: Default::default(),
            pairs: Vec::new(),
        }
    }

    fn said(scored: &ScoredBlock) -> Vec<&'static str> {
        flags_of(scored).into_iter().map(|flag| flags()[flag].0).collect()
    }

    #[test]
    fn a_small_block_of_a_drug_with_itself_is_flagged() {
        let readings = [[1.0, 0.0, 30.0], [0.0, 1.0, 20.0], [1.0, 1.0, 60.0]];
        assert_eq!(
            said(&scored(&readings, ["A", "A"])),
            ["too few doses", "no replicates", "a drug with itself"]
        );
        let facts = facts_of(&scored(&readings, ["A", "B"]));
        assert_eq!((facts[0].name.as_str(), facts[0].value.as_str()), ("mean HSA", "+30.0"));
        assert_eq!(facts[3].value, "none");
    }

    #[test]
    fn a_drug_that_does_nothing_has_no_curve_to_rest_on() {
        let effect = |dose: f64| 100.0 * dose / (1.0 + dose);
        let doses = [0.0, 0.1, 0.3, 1.0, 3.0, 10.0];
        let cells =
            doses.iter().flat_map(|a| doses.iter().map(move |b| [*a, *b, effect(*a) + 0.2 * (a + b).sin()]));
        let readings: Vec<[f64; 3]> =
            cells.flat_map(|cell| [cell, [cell[0], cell[1], cell[2] + 1.0]]).collect();
        let found = said(&scored(&readings, ["A", "B"]));
        assert!(found.contains(&"Loewe is doubtful"), "{found:?}");
        assert!(!found.contains(&"no replicates") && !found.contains(&"cells missing"), "{found:?}");
    }

    #[test]
    fn numbers_have_signs() {
        assert_eq!([3.21, -0.04, -12.0].map(signed), ["+3.2", "0.0", "−12.0"]);
    }
}
