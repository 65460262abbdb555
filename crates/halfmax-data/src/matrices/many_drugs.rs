//! Wells of three or more drugs. Every set of drugs given together is a block, and so is every pair.

use std::collections::{BTreeMap, HashMap};

use halfmax_core::{Error, Result};

use super::{Block, Columns, MatrixOptions, is_no_drug, labels_of, missing, set_to_nominal};
use crate::fellows::Fellow;
use crate::readings::doses;
use crate::report::counted;
use crate::roles::{Role, words};
use crate::separating::Repeats;
use crate::table::RawTable;
use crate::units::{DoseFactors, split_unit};

/// The readings of three or more drugs in one cell line: all together, some of them, each alone, and untreated.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiBlock {
    /// The name of the block in the file. Without a column of blocks, its number, counted from 1 after the blocks of
    /// two drugs.
    pub id: String,
    /// The drugs, as the file names them.
    pub drugs: Vec<String>,
    /// The cell line, as the file names it; `None` without such a column.
    pub cell_line: Option<String>,
    /// The doses of the drugs in µM and the inhibition in percent, in the order of the rows.
    pub readings: Vec<(Vec<f64>, f64)>,
}

/// The columns of the third, fourth, … drugs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Further {
    pub drug: usize,
    pub dose: usize,
    pub unit: Option<usize>,
}

/// The third, fourth, … drugs that have both a drug column and a dose column.
pub(super) fn further_columns(table: &RawTable, third_dose: Option<usize>) -> Vec<Further> {
    let member = |column: usize| {
        let words = words(&split_unit(&table.names()[column]).0);
        words.iter().find_map(|word| match word.as_str() {
            "3" | "03" | "c" | "third" => Some(3),
            "4" | "d" => Some(4),
            "5" | "e" => Some(5),
            _ => None,
        })
    };
    let of_role = |role: Role| table.candidates(role).into_iter().map(|candidate| candidate.column);
    let doses: Vec<usize> = third_dose.into_iter().chain(of_role(Role::DoseC)).collect();
    let is_unit = |column: &usize| {
        words(&table.names()[*column]).iter().any(|word| matches!(word.as_str(), "unit" | "units" | "uom"))
    };
    let mut found: BTreeMap<u8, Further> = BTreeMap::new();
    for drug in of_role(Role::DrugC) {
        let Some(number) = member(drug) else { continue };
        let Some(dose) = doses.iter().copied().find(|dose| member(*dose) == Some(number)) else { continue };
        let own = (0..table.names().len()).filter(is_unit).find(|column| member(*column) == Some(number));
        let unit = own.or_else(|| table.role(Role::DoseUnit));
        found.entry(number).or_insert(Further { drug, dose, unit });
    }
    found.into_values().collect()
}

/// The wells of a table with columns of three or more drugs.
pub(super) struct ManyWells {
    names: Vec<String>,
    /// The drugs of each row, by number, with their doses in µM, above 0.
    given: Vec<Vec<(usize, f64)>>,
    /// Whether the unit of some doses is unstated.
    pub assumed: bool,
}

impl ManyWells {
    /// `None` if no well has a third drug.
    pub fn of(table: &RawTable, columns: &Columns, options: &MatrixOptions) -> Result<Option<Self>> {
        let Some(pair) = columns.drugs.filter(|_| !columns.further.is_empty()) else { return Ok(None) };
        let sides = (0..2).map(|side| Further {
            drug: pair[side],
            dose: columns.doses[side],
            unit: columns.units[side],
        });
        let mut wells = Self { names: Vec::new(), given: vec![Vec::new(); table.rows()], assumed: false };
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut third = false;
        for (side, slot) in sides.chain(columns.further.iter().copied()).enumerate() {
            let values = doses(table, slot.dose)?;
            let factors = DoseFactors::of(table, slot.dose, slot.unit, options.dose_factor)?;
            wells.assumed |= factors.assumed;
            let labels = table.labels(slot.drug)?;
            for (row, value) in values.iter().copied().enumerate() {
                let Some(name) = labels.at(row) else {
                    if value > 0.0 {
                        let expected = format!("the name of a drug, since its dose is {value}");
                        return Err(missing(table, slot.drug, row, &expected));
                    }
                    continue;
                };
                if is_no_drug(name) {
                    continue;
                }
                if value.is_nan() {
                    return Err(missing(table, slot.dose, row, "a dose, 0 if the drug was not given"));
                }
                if value == 0.0 {
                    continue;
                }
                third |= side > 1;
                let count = known.len();
                let drug = *known.entry(name.to_owned()).or_insert(count);
                if drug == count {
                    wells.names.push(name.to_owned());
                }
                if wells.given[row].iter().any(|(other, _)| *other == drug) {
                    let expected = "a drug that no other drug column of this row names";
                    return Err(table.bad_value(slot.drug, row, name, expected));
                }
                wells.given[row].push((drug, value * factors.at(row)));
            }
        }
        Ok(third.then_some(wells))
    }

    /// Whether a row has no drug at all.
    pub fn is_untreated(&self, row: usize) -> bool {
        self.given[row].is_empty()
    }

    /// The drugs of a row, ascending by number.
    fn set(&self, row: usize) -> Vec<usize> {
        let mut drugs: Vec<usize> = self.given[row].iter().map(|(drug, _)| *drug).collect();
        drugs.sort_unstable();
        drugs
    }

    /// The doses of these drugs in a row; `None` if the row has another drug.
    fn doses(&self, row: usize, drugs: &[usize]) -> Option<Vec<f64>> {
        let mut doses = vec![0.0; drugs.len()];
        for (drug, dose) in &self.given[row] {
            doses[drugs.iter().position(|own| own == drug)?] = *dose;
        }
        Some(doses)
    }
}

/// A block under construction.
struct Draft {
    id: String,
    drugs: Vec<usize>,
    rows: Vec<usize>,
}

/// The blocks of wells with three or more drugs.
pub(super) struct ManyBlocks {
    drafts: Vec<Draft>,
    cell_lines: Vec<Option<String>>,
}

impl ManyBlocks {
    pub fn of(table: &RawTable, columns: &Columns, wells: &ManyWells) -> Result<Self> {
        let lines = labels_of(table, columns.cell_line, "a cell line")?;
        let ids = labels_of(table, columns.block, "the name of a block")?;
        let mut groups: BTreeMap<(Option<u32>, Option<u32>), Vec<usize>> = BTreeMap::new();
        for row in 0..table.rows() {
            let key = [&ids, &lines].map(|labels| labels.as_ref().map(|labels| labels.of_row[row]));
            groups.entry((key[0], key[1])).or_default().push(row);
        }
        let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
        // In order of first appearance in the file.
        groups.sort_by_key(|rows| rows[0]);
        let mut found = Self { drafts: Vec::new(), cell_lines: Vec::new() };
        for rows in groups {
            let id = ids.as_ref().and_then(|ids| ids.at(rows[0])).map(str::to_owned);
            for drugs in sets_of(wells, &rows) {
                let own: Vec<usize> =
                    rows.iter().copied().filter(|row| wells.doses(*row, &drugs).is_some()).collect();
                let names = || drugs.iter().map(|drug| wells.names[*drug].as_str()).collect::<Vec<_>>();
                let id = match &id {
                    // If a file's block splits into several, blocks of two drugs also carry the drug names.
                    Some(id) if drugs.len() == 2 => format!("{id}:{}", names().join("+")),
                    Some(id) => id.clone(),
                    None => (found.drafts.len() + 1).to_string(),
                };
                found.cell_lines.push(lines.as_ref().and_then(|lines| lines.at(rows[0])).map(str::to_owned));
                found.drafts.push(Draft { id, drugs, rows: own });
            }
        }
        found.tell_ids_apart(wells);
        Ok(found)
    }

    /// Adds the drug names to the ids of several sets of drugs in one block of the file.
    fn tell_ids_apart(&mut self, wells: &ManyWells) {
        let mut counts: HashMap<String, usize> = HashMap::new();
        self.drafts.iter().for_each(|draft| *counts.entry(draft.id.clone()).or_default() += 1);
        for draft in self.drafts.iter_mut().filter(|draft| counts[&draft.id] > 1) {
            let names: Vec<&str> = draft.drugs.iter().map(|drug| wells.names[*drug].as_str()).collect();
            draft.id = format!("{}:{}", draft.id, names.join("+"));
        }
    }

    /// Notes: the number of blocks and pairs, and the columns over which replicates are pooled.
    pub fn notes(&self, table: &RawTable, columns: &Columns, wells: &ManyWells) -> Result<Vec<String>> {
        let many = self.drafts.iter().filter(|draft| draft.drugs.len() > 2).count();
        let pairs = self.drafts.len() - many;
        let mut notes = vec![format!(
            "wells of three or more drugs form {}; {} in wells without the other drugs {} also scored",
            counted(many, "block"),
            counted(pairs, "pair"),
            if pairs == 1 { "is" } else { "are" }
        )];
        let mut same: BTreeMap<(usize, Vec<u64>), Vec<usize>> = BTreeMap::new();
        for (at, draft) in self.drafts.iter().enumerate() {
            for row in &draft.rows {
                let doses = wells.doses(*row, &draft.drugs).unwrap_or_default();
                same.entry((at, doses.into_iter().map(f64::to_bits).collect())).or_default().push(*row);
            }
        }
        let groups = same.values().filter(|rows| rows.len() > 1).map(Vec::as_slice).collect();
        notes.extend(Repeats { what: "wells", groups, used: &columns.used(table) }.check(table)?);
        Ok(notes)
    }

    pub fn fellows(&self, wells: &ManyWells, readings: &[f64]) -> Vec<Fellow> {
        let fellow = |draft: &Draft| {
            let sum = |row: &usize| wells.given[*row].iter().map(|(_, dose)| dose).sum::<f64>();
            let pairs = draft.rows.iter().map(|row| (sum(row), readings[*row]));
            Fellow { name: format!("block {}", draft.id), readings: pairs.collect() }
        };
        self.drafts.iter().map(fellow).collect()
    }

    /// The blocks of two drugs, the blocks of more drugs, and the number of blocks whose doses were set to nominal
    /// doses. `inhibitions` are in percent, NaN where missing.
    pub fn blocks(self, wells: &ManyWells, inhibitions: &[f64]) -> (Vec<Block>, Vec<MultiBlock>, usize) {
        let (mut pairs, mut many, mut jittered) = (Vec::new(), Vec::new(), 0);
        for (draft, cell_line) in self.drafts.into_iter().zip(self.cell_lines) {
            let present = draft.rows.iter().filter(|row| !inhibitions[**row].is_nan());
            let mut readings: Vec<(Vec<f64>, f64)> = present
                .filter_map(|row| Some((wells.doses(*row, &draft.drugs)?, inhibitions[*row])))
                .collect();
            let mut changed = false;
            for drug in 0..draft.drugs.len() {
                let mut of_drug: Vec<&mut f64> =
                    readings.iter_mut().map(|(doses, _)| &mut doses[drug]).collect();
                changed |= set_to_nominal(&mut of_drug);
            }
            jittered += usize::from(changed);
            let names: Vec<String> = draft.drugs.iter().map(|drug| wells.names[*drug].clone()).collect();
            match <[String; 2]>::try_from(names) {
                Ok(drugs) => {
                    let readings = readings
                        .iter()
                        .filter_map(|(doses, inhibition)| match doses.as_slice() {
                            [a, b] => Some([*a, *b, *inhibition]),
                            _ => None,
                        })
                        .collect();
                    pairs.push(Block { id: draft.id, drugs, cell_line, readings });
                }
                Err(drugs) => many.push(MultiBlock { id: draft.id, drugs, cell_line, readings }),
            }
        }
        (pairs, many, jittered)
    }
}

/// The pairs of drugs in rows, and the sets of three or more that are not part of a larger set, in the order of the
/// drugs.
fn sets_of(wells: &ManyWells, rows: &[usize]) -> Vec<Vec<usize>> {
    let mut sets: Vec<Vec<usize>> =
        rows.iter().map(|row| wells.set(*row)).filter(|set| set.len() > 1).collect();
    sets.sort_unstable_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    sets.dedup();
    let within = |small: &[usize], large: &[usize]| {
        small.len() < large.len() && small.iter().all(|drug| large.contains(drug))
    };
    let kept = |set: &&Vec<usize>| set.len() == 2 || !sets.iter().any(|other| within(set, other));
    sets.iter().filter(kept).cloned().collect()
}

/// The error for a table without a well of two drugs.
pub(super) fn no_pair(table: &RawTable) -> Error {
    Error::data(format!("{}: no row has two drugs", table.label())).with_help(
        "a matrix needs wells of both drugs together; fit drugs alone as curves (`halfmax fit-curves`)",
    )
}
