//! Simulated combinations for demonstrations, from the single drugs of a screen. Every output labels them as simulated.
//!
//! A single drug has the IC50 that GDSC measured in each cell line, and a Hill slope of 1. Two drugs act independently, except for the
//! interactions in [`RULES`] between their target pathways. In the presence of the other drug, the EC50 falls by some powers of ten at full
//! effect ([`Potentiation`]). A factor from 0 to 1, which rises with the expression of a marker gene, scales this fall. Viabilities over a
//! matrix of doses have errors of [`NOISE`]. Their mean excess over Bliss independence is the synergy that models learn.

use std::collections::HashMap;
use std::io::Write;

use halfmax_core::{Category, Error, FeatureValues, Result, Screen, Seed};
use halfmax_data::write_atomically;
use halfmax_dose::synergy::{DoseMatrix, SynergyModel, SynergyParams};
use halfmax_dose::{LogLogistic, Potentiation};
use rayon::prelude::*;

/// The assumed interaction of two drugs, by the pathways of their targets.
struct Rule {
    pathways: [&'static str; 2],
    /// The fall of the EC50 at full effect and full expression of the marker, in powers of ten.
    decades: f64,
    marker: &'static str,
    /// Whether the marker's expression strengthens the interaction.
    rises: bool,
}

const fn rule(pathways: [&'static str; 2], decades: f64, marker: &'static str, rises: bool) -> Rule {
    Rule { pathways, decades, marker, rises }
}

const DNA: &str = "DNA replication";
const REPAIR: &str = "Genome integrity";
const ERK: &str = "ERK MAPK signaling";
const PI3K: &str = "PI3K/MTOR signaling";
const EGFR: &str = "EGFR signaling";
const CYCLE: &str = "Cell cycle";
const MITOSIS: &str = "Mitosis";
const APOPTOSIS: &str = "Apoptosis regulation";
/// Any pathway except the first pathway of the rule.
const ANY: &str = "";

/// The rules; the first rule that names both pathways counts. The rules are plausible, not measured.
const RULES: [Rule; 8] = [
    // Unrepaired replication stress kills cells with SLFN11.
    rule([DNA, REPAIR], 1.2, "SLFN11", true),
    // Each pathway lets a tumour bypass a block of the other, especially without PTEN.
    rule([ERK, PI3K], 1.2, "PTEN", false),
    rule([EGFR, ERK], 0.9, "EGFR", true),
    rule([EGFR, PI3K], 0.9, "ERBB3", true),
    // Drugs that need division do not harm cells that RB1 arrests.
    rule([CYCLE, DNA], -0.9, "RB1", true),
    rule([CYCLE, MITOSIS], -0.9, "RB1", true),
    // Without BCL2, every other drug kills at lower doses.
    rule([APOPTOSIS, ANY], 0.6, "BCL2", true),
    rule([ANY, ANY], 0.0, "BCL2", true),
];
const PATHWAYS: [&str; 8] = [DNA, REPAIR, ERK, PI3K, EGFR, CYCLE, MITOSIS, APOPTOSIS];

/// The number of drugs per pathway. Drugs measured in the most cell lines are chosen.
const DRUGS_EACH: usize = 3;
/// The number of cell lines. The named cell lines come first.
const CELL_LINES: usize = 30;
/// Doses of each drug in units of its median IC50, starting with 0.
const DOSES: [f64; 5] = [0.0, 0.1, 0.4, 1.6, 6.4];
/// The standard deviation of a viability, as a fraction of the control.
const NOISE: f64 = 0.04;

/// A simulated combination.
struct Combination {
    cell: usize,
    drugs: [usize; 2],
    synergy: f64,
}

/// Simulates combinations of drugs of a screen of ln IC50 in 30 of its cell lines, including those in `first`. Writes a table of responses
/// (`cell_line`, `drug_a`, `drug_b`, `simulated_synergy_bliss`). The screen needs the pathways of its drugs' targets and the expression of
/// marker genes, as in the embedded screen.
///
/// # Errors
/// If the screen lacks the pathways or the marker genes, or the file cannot be written.
pub fn write_simulated_combinations(
    screen: &Screen,
    first: &[&str],
    seed: Seed,
    path: &std::path::Path,
) -> Result<()> {
    let ln_ic50 = Measured::of(screen);
    let drugs = ln_ic50.drugs(screen)?;
    let cells = ln_ic50.cells(screen, first, &drugs);
    let markers = RULES.iter().map(|rule| marker(screen, rule)).collect::<Result<Vec<_>>>()?;
    let scorer =
        SynergyParams { models: vec![SynergyModel::Bliss], bootstrap: 0, ..SynergyParams::default() };
    let scorer = scorer.check()?;
    let tasks: Vec<(usize, [usize; 2])> = cells
        .iter()
        .flat_map(|cell| pairs(&drugs).map(move |pair| (*cell, pair)))
        .filter(|(cell, pair)| pair.iter().all(|drug| ln_ic50.values.contains_key(&(*cell, *drug))))
        .collect();
    let simulate = |(at, (cell, pair)): (usize, &(usize, [usize; 2]))| {
        let (number, rule) = rule_of(pair.map(|drug| pathway(screen, drug)));
        let drug = |drug: usize| LogLogistic {
            top: 1.0,
            bottom: 0.0,
            ec50: ln_ic50.values[&(*cell, drug)].exp(),
            hill: 1.0,
        };
        let drugs = pair.map(drug);
        let both = Potentiation { drugs, decades: rule.decades * markers[number][*cell] };
        let doses = pair.map(|drug| DOSES.map(|dose| dose * ln_ic50.median(drug).exp()));
        let mut readings = Vec::new();
        for a in doses[0] {
            for b in doses[1] {
                let error = NOISE * normal(seed.derive(at as u64).derive(readings.len() as u64));
                readings.push([a, b, 100.0 * (1.0 - both.viability([a, b]) - error)]);
            }
        }
        let scores = scorer.score(&DoseMatrix::new(&readings)?, seed);
        let synergy = scores.models.first().map_or(f64::NAN, |model| model.summary.mean);
        Ok(Combination { cell: *cell, drugs: *pair, synergy })
    };
    let found: Vec<Combination> = tasks.par_iter().enumerate().map(simulate).collect::<Result<_>>()?;
    write_atomically(path, |file| write_rows(file, screen, &found))
}

fn write_rows(file: &mut dyn Write, screen: &Screen, found: &[Combination]) -> std::io::Result<()> {
    writeln!(file, "cell_line,drug_a,drug_b,simulated_synergy_bliss")?;
    for one in found {
        let cell = &screen.table(0).ids()[one.cell];
        let [a, b] = one.drugs.map(|drug| &screen.table(1).ids()[drug]);
        writeln!(file, "{cell},\"{a}\",\"{b}\",{:.4}", one.synergy)?;
    }
    Ok(())
}

fn pairs(drugs: &[usize]) -> impl Iterator<Item = [usize; 2]> {
    drugs.iter().enumerate().flat_map(|(at, a)| drugs[at + 1..].iter().map(move |b| [*a, *b]))
}

/// The measured ln IC50.
struct Measured {
    values: HashMap<(usize, usize), f64>,
    of_drug: Vec<Vec<f64>>,
}

impl Measured {
    fn of(screen: &Screen) -> Self {
        let responses = &screen.responses;
        let mut of_drug = vec![Vec::new(); screen.table(1).len()];
        let mut values = HashMap::new();
        for (at, value) in responses.values().iter().enumerate() {
            let (cell, drug) = (responses.side(0)[at] as usize, responses.side(1)[at] as usize);
            values.insert((cell, drug), f64::from(*value));
            of_drug[drug].push(f64::from(*value));
        }
        of_drug.iter_mut().for_each(|values| values.sort_unstable_by(f64::total_cmp));
        Self { values, of_drug }
    }

    fn median(&self, drug: usize) -> f64 {
        let values = &self.of_drug[drug];
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    }

    /// Drugs of the pathways in the rules.
    fn drugs(&self, screen: &Screen) -> Result<Vec<usize>> {
        let mut chosen = Vec::new();
        for name in PATHWAYS {
            let mut own: Vec<usize> =
                (0..screen.table(1).len()).filter(|drug| pathway(screen, *drug) == name).collect();
            own.sort_by_key(|drug| std::cmp::Reverse(self.of_drug[*drug].len()));
            chosen.extend(own.into_iter().take(DRUGS_EACH));
        }
        if chosen.len() < 2 {
            return Err(Error::data("fewer than two drugs of the screen target a simulated pathway"));
        }
        Ok(chosen)
    }

    /// The named cell lines, then others in which all of the drugs were measured, evenly spaced.
    fn cells(&self, screen: &Screen, first: &[&str], drugs: &[usize]) -> Vec<usize> {
        let table = screen.table(0);
        let complete = |cell: &usize| drugs.iter().all(|drug| self.values.contains_key(&(*cell, *drug)));
        let mut chosen: Vec<usize> = first.iter().filter_map(|id| table.position(id)).collect();
        let rest: Vec<usize> =
            (0..table.len()).filter(complete).filter(|cell| !chosen.contains(cell)).collect();
        let more = CELL_LINES.saturating_sub(chosen.len());
        chosen.extend((0..more.min(rest.len())).map(|at| rest[at * rest.len() / more.min(rest.len())]));
        chosen
    }
}

fn pathway(screen: &Screen, drug: usize) -> &str {
    let Some(block) = screen.table(1).block("target_pathway") else { return "" };
    let FeatureValues::Category(columns) = &block.values else { return "" };
    let label = |own: &Category| own.codes[drug].map(usize::from);
    let Some((own, level)) = columns.first().and_then(|own| Some((own, label(own)?))) else { return "" };
    own.levels.get(level).map_or("", String::as_str)
}

/// The rule for two pathways, with its number.
fn rule_of(pathways: [&str; 2]) -> (usize, &'static Rule) {
    let [a, b] = pathways;
    let names = |rule: &&Rule| {
        let fits = |name: &str, pathway: &str| name == ANY || name == pathway;
        let [first, second] = rule.pathways;
        (fits(first, a) && fits(second, b)) || (fits(first, b) && fits(second, a))
    };
    let last = RULES.len() - 1;
    let number = if a == b { last } else { RULES.iter().position(|rule| names(&rule)).unwrap_or(last) };
    (number, &RULES[number])
}

/// For each cell line, the strength of a rule from 0 to 1: the logistic function of the marker's standardised expression.
fn marker(screen: &Screen, rule: &Rule) -> Result<Vec<f64>> {
    let lacking = || Error::data(format!("the expression of the screen lacks {}", rule.marker));
    let block = screen.table(0).block("expression").ok_or_else(lacking)?;
    let column = block.names.iter().position(|name| name == rule.marker).ok_or_else(lacking)?;
    let FeatureValues::Real(values) = &block.values else { return Err(lacking()) };
    let values: Vec<f64> = values.column(column).iter().map(|value| f64::from(*value)).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    let sign = if rule.rises { 1.0 } else { -1.0 };
    let strength =
        |value: &f64| 1.0 / (1.0 + (-2.0 * sign * (value - mean) / variance.sqrt().max(1e-12)).exp());
    Ok(values.iter().map(strength).collect())
}

/// A draw from the standard normal distribution (Box & Muller 1958).
fn normal(seed: Seed) -> f64 {
    let uniform = |which: u64| ((seed.derive(which).value() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    (-2.0 * uniform(0).ln()).sqrt() * (std::f64::consts::TAU * uniform(1)).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_the_same_in_either_order() {
        let of = |a, b| (rule_of([a, b]).1.decades, rule_of([b, a]).1.decades);
        assert_eq!(of(DNA, REPAIR), (1.2, 1.2));
        assert_eq!(of(CYCLE, MITOSIS), (-0.9, -0.9));
        assert_eq!(of(APOPTOSIS, DNA), (0.6, 0.6));
        assert_eq!(of(DNA, DNA), (0.0, 0.0));
        assert_eq!(of(MITOSIS, EGFR), (0.0, 0.0));
    }
}
