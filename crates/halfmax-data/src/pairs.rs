//! Groups the rows of a response table by cell line and drug, or by cell line and combination.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use crate::names::{Identified, drug_key};
use crate::table::Labels;

/// The rows of each drug, or of each combination of two, in each cell line. Distinct names are compared once, not row
/// by row.
pub(crate) struct Pairs {
    /// The ids of the cell lines, sorted.
    pub cells: Vec<String>,
    /// The drugs as first spelt, sorted.
    pub drugs: Vec<String>,
    /// The rows that have a value, sorted by cell line, drugs, row.
    members: Vec<Member>,
    /// The rows of pairs that have several, one pair after the other.
    repeated: Vec<usize>,
    /// Further spellings of drugs, each with the first spelling.
    pub respelt: BTreeMap<String, String>,
    pub left_out: RowsLeftOut,
}

/// A row of a pair: the positions of its cell line and its one or two drugs among the names, and the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    pub cell: u32,
    pub drugs: [u32; 2],
    row: u32,
}

impl Member {
    pub fn row(&self) -> usize {
        self.row as usize
    }

    fn is_of_pair(&self, other: &Self) -> bool {
        (self.cell, self.drugs) == (other.cell, other.drugs)
    }
}

/// The numbers of rows that belong to no pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowsLeftOut {
    /// Rows without a value.
    pub missing: usize,
    /// Rows whose cell line or drug has no name or an ambiguous name.
    pub unnamed: usize,
    /// Rows that combine a drug with itself.
    pub alone: usize,
    /// Rows of a combination with a missing drug.
    pub single: usize,
}

/// The names of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named<'a> {
    pub cell_line: &'a str,
    pub drug: &'a str,
    /// The other drug of a combination.
    pub drug_b: Option<&'a str>,
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {}", self.cell_line, self.drug)?;
        self.drug_b.iter().try_for_each(|drug| write!(f, " + {drug}"))
    }
}

impl Pairs {
    /// Groups the rows that have a value. `ids` are the ids of the distinct cell-line names; `drugs` is one column or
    /// two.
    pub fn of(cells: &Labels, ids: &Identified, drugs: &[impl AsRef<Labels>], values: &[f64]) -> Self {
        let known = sorted(ids.ids.iter().flatten());
        let cell_of: Vec<Option<u32>> =
            ids.ids.iter().map(|id| id.as_ref().and_then(|id| place(&known, id))).collect();
        let mut spellings = Spellings::of(drugs);
        let mut left_out = RowsLeftOut::default();
        let mut members: Vec<Member> = Vec::with_capacity(values.len());
        for (row, value) in values.iter().enumerate() {
            let cell = cell_of.get(cells.of_row[row] as usize).copied().flatten();
            let labels = drugs.iter().map(|column| column.as_ref().of_row[row]);
            let named = labels.clone().filter(|label| *label != Labels::MISSING).count();
            match cell {
                _ if named == 1 && drugs.len() == 2 => left_out.single += 1,
                Some(cell) if named == drugs.len() => {
                    if value.is_nan() {
                        left_out.missing += 1;
                        continue;
                    }
                    let mut own = [Labels::MISSING; 2];
                    for (side, label) in labels.enumerate() {
                        own[side] = spellings.spelt(drugs, side, label);
                    }
                    if own[0] == own[1] {
                        left_out.alone += 1;
                    } else {
                        members.push(Member { cell, drugs: own, row: row as u32 });
                    }
                }
                _ => left_out.unnamed += 1,
            }
        }
        let Spellings { first, respelt, .. } = spellings;
        let sorted_drugs = sorted(first.iter());
        let rank: Vec<u32> = first.iter().filter_map(|name| place(&sorted_drugs, name)).collect();
        for member in &mut members {
            member.drugs =
                member.drugs.map(|drug| rank.get(drug as usize).copied().unwrap_or(Labels::MISSING));
            member.drugs.sort_unstable();
        }
        members.sort_unstable();
        let several = members.chunk_by(Member::is_of_pair).filter(|pair| pair.len() > 1);
        let repeated = several.flatten().map(Member::row).collect();
        Self { cells: known, drugs: sorted_drugs, members, repeated, respelt, left_out }
    }

    /// The pairs with their rows, sorted by cell line, then drugs.
    pub fn iter(&self) -> impl Iterator<Item = &[Member]> {
        self.members.chunk_by(Member::is_of_pair)
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// The names of a row's pair.
    pub fn named(&self, member: &Member) -> Named<'_> {
        let [drug, drug_b] = member.drugs.map(|drug| self.drugs.get(drug as usize).map(String::as_str));
        let cell_line = &self.cells[member.cell as usize];
        Named { cell_line, drug: drug.unwrap_or_default(), drug_b }
    }

    /// The pairs that have several rows, with their rows.
    pub fn repeated(&self) -> impl Iterator<Item = (Named<'_>, &[usize])> {
        let several = self.iter().filter(|pair| pair.len() > 1);
        several.scan(0, |start, pair| {
            let rows = &self.repeated[*start..*start + pair.len()];
            *start += pair.len();
            Some((self.named(&pair[0]), rows))
        })
    }
}

/// The distinct names, sorted.
fn sorted<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut names: Vec<String> = names.cloned().collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn place(sorted: &[String], name: &String) -> Option<u32> {
    sorted.binary_search(name).ok().map(|at| at as u32)
}

/// Drugs in their first spelling.
struct Spellings {
    first: Vec<String>,
    by_key: HashMap<String, u32>,
    /// The drug of each column and name, filled on demand.
    known: Vec<Vec<Option<u32>>>,
    respelt: BTreeMap<String, String>,
}

impl Spellings {
    fn of(columns: &[impl AsRef<Labels>]) -> Self {
        let known = columns.iter().map(|column| vec![None; column.as_ref().names.len()]).collect();
        Self { first: Vec::new(), by_key: HashMap::new(), known, respelt: BTreeMap::new() }
    }

    fn spelt(&mut self, columns: &[impl AsRef<Labels>], side: usize, label: u32) -> u32 {
        if let Some(drug) = self.known[side][label as usize] {
            return drug;
        }
        let name = &columns[side].as_ref().names[label as usize];
        let next = self.first.len() as u32;
        let drug = *self.by_key.entry(drug_key(name)).or_insert(next);
        if drug == next {
            self.first.push(name.clone());
        } else if self.first[drug as usize] != *name {
            self.respelt.insert(name.clone(), self.first[drug as usize].clone());
        }
        self.known[side][label as usize] = Some(drug);
        drug
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::CellLines;
    use crate::table::LabelsBuilder;

    fn labels(texts: &[&str]) -> std::sync::Arc<Labels> {
        let mut builder = LabelsBuilder::default();
        texts.iter().for_each(|text| builder.push(Some(text)));
        builder.finish().into()
    }

    fn pairs(cells: &[&str], drugs: &[&[&str]], values: &[f64]) -> Pairs {
        let cells = labels(cells);
        let names: Vec<Option<String>> = cells.names.iter().cloned().map(Some).collect();
        let columns: Vec<_> = drugs.iter().map(|column| labels(column)).collect();
        Pairs::of(&cells, &CellLines::default().identify(&names), &columns, values)
    }

    fn all(found: &Pairs) -> Vec<(String, Vec<usize>)> {
        let rows = |pair: &[Member]| pair.iter().map(Member::row).collect();
        found.iter().map(|pair| (found.named(&pair[0]).to_string(), rows(pair))).collect()
    }

    #[test]
    fn rows_of_one_drug_in_one_line_are_together_whatever_its_spelling() {
        let found = pairs(
            &["B", "A", "B", "A", "A", ""],
            &[&["Zeta", "beta-1", "zeta", "Zeta", "", "Zeta"]],
            &[1.0, 2.0, 3.0, f64::NAN, 5.0, 6.0],
        );
        assert_eq!(
            all(&found),
            [("A with beta-1".to_owned(), vec![1]), ("B with Zeta".to_owned(), vec![0, 2])]
        );
        assert_eq!(found.left_out, RowsLeftOut { missing: 1, unnamed: 2, ..RowsLeftOut::default() });
        assert_eq!(found.respelt["zeta"], "Zeta");
        let repeated: Vec<_> = found.repeated().map(|(named, rows)| (named.drug, rows.to_vec())).collect();
        assert_eq!(repeated, [("Zeta", vec![0, 2])]);
    }

    #[test]
    fn both_orders_of_two_drugs_are_one_combination() {
        let found = pairs(
            &["A", "A", "A", "A", "A"],
            &[&["y", "x", "x", "x", ""], &["x", "Y", "x", "", ""]],
            &[1.0, 2.0, 3.0, 4.0, 5.0],
        );
        assert_eq!(all(&found), [("A with x + y".to_owned(), vec![0, 1])]);
        assert_eq!(found.left_out, RowsLeftOut { alone: 1, single: 1, unnamed: 1, ..RowsLeftOut::default() });
    }
}
