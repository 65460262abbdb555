//! Single measurements of a response table, before repeats are merged.

use std::collections::HashMap;

use halfmax_core::{Category, Quantity, Result, Scale, Screen, Target};

use crate::assign::no_column;
use crate::names::{CellLines, drug_key};
use crate::roles::Role;
use crate::table::{Labels, RawTable};
use crate::target::target_named;
use crate::wide::wide_responses;

use super::robust::median;

/// Measurements with the names of their cell lines and partners: drugs, or combinations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measurements {
    pub cells: Names,
    pub partners: Names,
    /// The measured values; logarithms if the column holds concentrations.
    pub values: Vec<f64>,
    /// The row of the file that holds each measurement.
    pub rows: Vec<u32>,
    /// Further columns that distinguish measurements: plates, experiments, tissues.
    pub groupings: Vec<Labelled>,
    /// The measured quantity, in words.
    pub response: String,
    /// Whether the partners are combinations of drugs.
    pub combinations: bool,
}

/// Names, and the name of each measurement as a position among them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub names: Vec<String>,
    pub of: Vec<u32>,
}

/// A column that groups measurements.
#[derive(Clone, Debug)]
pub(crate) struct Labelled {
    pub column: String,
    pub nature: GroupNature,
    pub names: Vec<String>,
    pub of: Vec<Option<u32>>,
}

/// The nature of groups of measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupNature {
    /// Plates, experiments, studies, replicates: their responses should not differ.
    Technical,
    /// Tissues: their responses may differ.
    Biological,
}

/// A cell line with a partner: the median of its measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pair {
    pub cell: u32,
    pub partner: u32,
    pub value: f64,
}

/// The columns that group measurements.
const GROUPINGS: [(Role, GroupNature); 5] = [
    (Role::Plate, GroupNature::Technical),
    (Role::Experiment, GroupNature::Technical),
    (Role::Study, GroupNature::Technical),
    (Role::Replicate, GroupNature::Technical),
    (Role::Tissue, GroupNature::Biological),
];

/// The position of a name that is missing.
const MISSING: u32 = u32::MAX;

/// The measurements of each pair, as positions.
pub(crate) struct ByPair {
    /// The positions of measurements, pair by pair.
    order: Vec<u32>,
    /// The start of each pair's measurements, and the end of the last.
    starts: Vec<u32>,
}

impl ByPair {
    /// The measurements of each pair.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        self.starts.windows(2).map(|ends| &self.order[ends[0] as usize..ends[1] as usize])
    }
}

impl Names {
    /// Removes unused names and renumbers the rest in order of appearance.
    fn renumbered(&mut self) {
        let mut place: Vec<Option<u32>> = vec![None; self.names.len()];
        let mut names = Vec::new();
        for at in &mut self.of {
            let own = &mut place[*at as usize];
            let number = *own.get_or_insert_with(|| {
                names.push(self.names[*at as usize].clone());
                names.len() as u32 - 1
            });
            *at = number;
        }
        self.names = names;
    }

    fn keep(&mut self, kept: &[bool]) {
        keep(&mut self.of, kept);
        self.renumbered();
    }
}

fn keep<T>(values: &mut Vec<T>, kept: &[bool]) {
    let mut kept = kept.iter();
    values.retain(|_| kept.next().copied().unwrap_or(false));
}

impl Measurements {
    /// Reads a table of responses, as a list or as a matrix. If a target is given, reads the responses of that target.
    ///
    /// # Errors
    /// If a required column is missing or holds unexpected content.
    pub fn read(table: &RawTable, lines: &CellLines, target: Option<&Target>) -> Result<Self> {
        let long = match wide_responses(table, lines)? {
            Some(wide) => {
                let said = target.map(|target| target.name.clone()).or_else(|| wide.quantity.clone());
                Some(wide.long(table, said.as_deref().unwrap_or("response"))?)
            }
            None => None,
        };
        let table = long.as_ref().unwrap_or(table);
        let labels = table.labels(table.require(Role::CellLine)?)?;
        let names: Vec<Option<String>> = labels.names.iter().cloned().map(Some).collect();
        let ids = lines.identify(&names).ids;
        let (partner_names, partner_of, combinations) = partners(table)?;
        let column = match target {
            Some(target) => table.position_of(&target.name),
            None => response_column(table, combinations),
        };
        let column = column.ok_or_else(|| no_column(table, Role::Response))?;
        let raw = table.numbers(column, "a number")?;
        let own;
        let target = match target {
            Some(target) => target,
            None => {
                own = target_named(&table.names()[column], &raw, combinations);
                &own
            }
        };
        let (values, response) = on_a_scale_of_differences(target, &raw);
        let mut found = Self { response, combinations, values, ..Self::default() };
        found.partners = Names { names: partner_names, of: partner_of };
        let mut known: HashMap<&str, u32> = HashMap::new();
        let mut number_of: Vec<Option<u32>> = vec![None; labels.names.len()];
        let mut kept = Vec::with_capacity(table.rows());
        for (row, label) in labels.of_row.iter().enumerate() {
            let id = ids.get(*label as usize).and_then(Option::as_ref);
            let named = id.filter(|_| found.partners.of[row] != MISSING && found.values[row].is_finite());
            kept.push(named.is_some());
            let Some(id) = named else { continue };
            let number = *number_of[*label as usize].get_or_insert_with(|| {
                *known.entry(id).or_insert_with(|| {
                    found.cells.names.push(id.clone());
                    found.cells.names.len() as u32 - 1
                })
            });
            found.cells.of.push(number);
            found.rows.push(table.row_of(row) as u32);
        }
        keep(&mut found.values, &kept);
        found.groupings = groupings(table, &kept, column)?;
        // Drop partners without a measurement.
        found.partners.keep(&kept);
        Ok(found)
    }

    /// The names of cell lines and partners, without the measurements.
    pub fn without_values(&self) -> Self {
        let names = |of: &Names| Names { names: of.names.clone(), of: Vec::new() };
        let (cells, partners) = (names(&self.cells), names(&self.partners));
        Self { cells, partners, combinations: self.combinations, ..Self::default() }
    }

    /// Only the measurements of the cell lines of a screen, with the screen's tissues.
    pub fn of_screen(mut self, screen: &Screen) -> Self {
        let place: Vec<Option<usize>> =
            self.cells.names.iter().map(|id| screen.table(0).position(id)).collect();
        let kept: Vec<bool> = self.cells.of.iter().map(|cell| place[*cell as usize].is_some()).collect();
        if let Some(Category { levels, codes }) = screen.table(0).group("tissue") {
            self.groupings.retain(|labelled| labelled.nature == GroupNature::Technical);
            let tissue = |cell: &u32| codes[place[*cell as usize]?].map(u32::from);
            let (nature, of) = (GroupNature::Biological, self.cells.of.iter().map(tissue).collect());
            self.groupings.push(Labelled { column: "tissue".into(), nature, names: levels.clone(), of });
        }
        if kept.contains(&false) {
            self.groupings.iter_mut().for_each(|labelled| keep(&mut labelled.of, &kept));
            self.cells.keep(&kept);
            self.partners.keep(&kept);
            keep(&mut self.values, &kept);
            keep(&mut self.rows, &kept);
        }
        self
    }

    /// The measurements of each existing pair, as positions.
    pub fn by_pair(&self) -> ByPair {
        let mut order: Vec<u32> = (0..self.values.len() as u32).collect();
        let key = |at: &u32| (self.cells.of[*at as usize], self.partners.of[*at as usize]);
        order.sort_by_key(key);
        let mut starts = vec![0];
        for pair in order.chunk_by(|a, b| key(a) == key(b)) {
            starts.push(starts[starts.len() - 1] + pair.len() as u32);
        }
        ByPair { order, starts }
    }

    /// Each pair with the median of its measurements.
    pub fn pairs(&self, by_pair: &ByPair) -> Vec<Pair> {
        let mut values = Vec::new();
        let pair = |rows: &[u32]| {
            values.clear();
            values.extend(rows.iter().map(|at| self.values[*at as usize]));
            let at = *rows.first()? as usize;
            Some(Pair { cell: self.cells.of[at], partner: self.partners.of[at], value: median(&mut values) })
        };
        by_pair.iter().filter_map(pair).collect()
    }

    /// The kind of the partners, in the singular.
    pub fn partner(&self) -> &'static str {
        if self.combinations { "combination" } else { "drug" }
    }
}

/// The names of the drugs or combinations, and the position of each row's name; [`MISSING`] if a row names none.
fn partners(table: &RawTable) -> Result<(Vec<String>, Vec<u32>, bool)> {
    let roles = (table.role(Role::DrugA).or_else(|| table.role(Role::Drug)), table.role(Role::DrugB));
    let first = roles.0.ok_or_else(|| no_column(table, Role::Drug))?;
    let mut names = Vec::new();
    let mut known = HashMap::new();
    let first = keyed(table.labels(first)?.as_ref(), &mut names, &mut known);
    let Some(second) = roles.1 else { return Ok((names, first, false)) };
    let second = keyed(table.labels(second)?.as_ref(), &mut names, &mut known);
    let mut combinations: HashMap<(u32, u32), u32> = HashMap::new();
    let mut called = Vec::new();
    let of = first
        .iter()
        .zip(&second)
        .map(|(first, second)| {
            let (first, second) = (*first.min(second), *first.max(second));
            if second == MISSING {
                return MISSING;
            }
            *combinations.entry((first, second)).or_insert_with(|| {
                called.push(format!("{} + {}", names[first as usize], names[second as usize]));
                called.len() as u32 - 1
            })
        })
        .collect();
    Ok((called, of, true))
}

/// The number of each row's name, or [`MISSING`]. Different spellings of one drug share a number.
fn keyed(labels: &Labels, names: &mut Vec<String>, known: &mut HashMap<String, u32>) -> Vec<u32> {
    let number = |name: &String| {
        *known.entry(drug_key(name)).or_insert_with(|| {
            names.push(name.clone());
            names.len() as u32 - 1
        })
    };
    let numbers: Vec<u32> = labels.names.iter().map(number).collect();
    labels.of_row.iter().map(|label| numbers.get(*label as usize).copied().unwrap_or(MISSING)).collect()
}

fn response_column(table: &RawTable, combinations: bool) -> Option<usize> {
    let [first, second] =
        if combinations { [Role::Synergy, Role::Response] } else { [Role::Response, Role::Synergy] };
    table.role(first).or_else(|| table.role(second))
}

/// The responses on a scale where equal differences mean the same: concentrations become natural logarithms.
fn on_a_scale_of_differences(target: &Target, raw: &[f64]) -> (Vec<f64>, String) {
    let values: Vec<f64> = raw.iter().map(|value| target.response_of(*value)).collect();
    let is_linear = matches!(target.scale, None | Some(Scale::Linear)) && target.taken_from.is_none();
    let is_concentration = target.quantity.is_concentration() && target.quantity != Quantity::Unknown;
    let all_positive = values.iter().all(|value| value.is_nan() || *value > 0.0);
    if is_linear && is_concentration && all_positive {
        return (values.iter().map(|value| value.ln()).collect(), format!("ln of {}", target.label()));
    }
    (values, target.label())
}

/// The columns that group rows, if they hold more than one label.
fn groupings(table: &RawTable, kept: &[bool], response: usize) -> Result<Vec<Labelled>> {
    let mut found: Vec<(usize, Labelled)> = Vec::new();
    for (role, nature) in GROUPINGS {
        let Some(column) = table.role(role) else { continue };
        if column == response || found.iter().any(|(other, _)| *other == column) {
            continue;
        }
        let labels = table.labels(column)?;
        let rows = labels.of_row.iter().zip(kept).filter(|(_, kept)| **kept);
        let of: Vec<Option<u32>> =
            rows.map(|(label, _)| Some(*label).filter(|label| *label != Labels::MISSING)).collect();
        let mut known = of.iter().flatten();
        let first = known.next();
        if known.any(|label| Some(label) != first) {
            let column_name = table.names()[column].clone();
            found.push((column, Labelled { column: column_name, nature, names: labels.names.clone(), of }));
        }
    }
    Ok(found.into_iter().map(|(_, labelled)| labelled).collect())
}
