//! Readings of drugs alone from another table.

use std::collections::HashMap;

use halfmax_core::{Error, Result, listed};

use super::{Matrices, SAME_NOMINAL_DOSE};
use crate::names::{drug_key, harmonise};
use crate::readings::Readings;
use crate::report::counted;

/// The result of joining the readings of drugs alone.
#[derive(Clone, Debug, Default)]
pub struct JoinedSingleAgents {
    /// The number of blocks that received readings, and the number of readings. One reading can serve several blocks.
    blocks: usize,
    readings: usize,
    /// The number of doses set to a dose of the block, because they differ from it by less than 4 %.
    near: usize,
    /// Drugs of blocks without a curve in the table.
    without: Vec<String>,
}

impl JoinedSingleAgents {
    /// Notes on the join.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!(
            "{} of drugs alone joined to {} by cell line and drug",
            counted(self.readings, "reading"),
            counted(self.blocks, "block")
        )];
        if self.near > 0 {
            notes.push(format!(
                "{} of drugs alone within 4 % of a dose of the block are assigned to that dose",
                counted(self.near, "reading")
            ));
        }
        if !self.without.is_empty() {
            notes.push(format!(
                "the table of drugs alone has no curve for {}: {}",
                counted(self.without.len(), "drug"),
                listed(&self.without, 5)
            ));
        }
        notes
    }
}

/// Adds the readings of drugs alone to every block of the same cell line and drug. A block without a cell line takes
/// the readings of the table's only cell line.
///
/// # Errors
/// If a block has no cell line and the table has several, or if no block shares a drug and a cell line with the table.
pub fn join_single_agents(found: &mut Matrices, readings: &Readings) -> Result<JoinedSingleAgents> {
    let mut curves: HashMap<(String, String), Vec<usize>> = HashMap::new();
    let mut lines: Vec<String> = Vec::new();
    for (at, curve) in readings.curves.iter().enumerate() {
        let line = harmonise(&curve.cell_line);
        if !lines.contains(&line) {
            lines.push(line.clone());
        }
        curves.entry((line, drug_key(&curve.drug))).or_default().push(at);
    }
    let mut joined = JoinedSingleAgents::default();
    let line_of = |id: &str, cell_line: &Option<String>| match (cell_line, lines.as_slice()) {
        (Some(line), _) => Ok(harmonise(line)),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(Error::data(format!(
            "block {id} names no cell line, and the table of drugs alone has {}",
            counted(lines.len(), "cell line")
        ))
        .with_help("add a column of cell lines to the matrices, or use a table of one cell line")),
    };
    let alone = |line: &str, drug: &str| -> Option<Vec<(f64, f64)>> {
        let own = curves.get(&(line.to_owned(), drug_key(drug)))?;
        let of_curve = |at: &usize| readings.starts[*at]..readings.starts[*at + 1];
        let pair = |at: usize| (readings.dose_um[at], 100.0 * (1.0 - readings.viability[at]));
        Some(own.iter().flat_map(of_curve).map(pair).collect())
    };
    for block in &mut found.blocks {
        let line = line_of(&block.id, &block.cell_line)?;
        let before = block.readings.len();
        for side in 0..2 {
            let Some(own) = alone(&line, &block.drugs[side]) else {
                joined.lacks(&block.drugs[side], &block.cell_line);
                continue;
            };
            let doses: Vec<f64> = block.readings.iter().map(|reading| reading[side]).collect();
            for (dose, inhibition) in own {
                let mut reading = [0.0, 0.0, inhibition];
                reading[side] = joined.nominal(dose, &doses);
                block.readings.push(reading);
            }
        }
        joined.count(block.readings.len() - before);
    }
    for block in &mut found.many {
        let line = line_of(&block.id, &block.cell_line)?;
        let before = block.readings.len();
        for (side, drug) in block.drugs.iter().enumerate() {
            let Some(own) = alone(&line, drug) else {
                joined.lacks(drug, &block.cell_line);
                continue;
            };
            let doses: Vec<f64> = block.readings.iter().map(|(doses, _)| doses[side]).collect();
            for (dose, inhibition) in own {
                let mut at = vec![0.0; block.drugs.len()];
                at[side] = joined.nominal(dose, &doses);
                block.readings.push((at, inhibition));
            }
        }
        joined.count(block.readings.len() - before);
    }
    if joined.blocks == 0 {
        let why = listed(&joined.without, 3);
        return Err(Error::data(format!("the table of drugs alone contains no drug of the blocks: {why}"))
            .with_help("use the same names of cell lines and drugs in both tables"));
    }
    Ok(joined)
}

impl JoinedSingleAgents {
    fn lacks(&mut self, drug: &str, cell_line: &Option<String>) {
        let place = cell_line.as_ref().map(|line| format!(" in {line}")).unwrap_or_default();
        let name = format!("{drug}{place}");
        if !self.without.contains(&name) {
            self.without.push(name);
        }
    }

    fn count(&mut self, readings: usize) {
        self.readings += readings;
        self.blocks += usize::from(readings > 0);
    }

    /// The dose of the block nearest to `dose` within the tolerance, else `dose`.
    fn nominal(&mut self, dose: f64, doses: &[f64]) -> f64 {
        let apart = |other: &f64| (dose / other).ln().abs();
        let nearest = doses.iter().filter(|other| **other > 0.0).min_by(|a, b| apart(a).total_cmp(&apart(b)));
        match nearest.filter(|other| apart(other) < SAME_NOMINAL_DOSE) {
            Some(other) => {
                self.near += usize::from(*other != dose);
                *other
            }
            None => dose,
        }
    }
}
