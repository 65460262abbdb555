//! Readings of combination experiments: one row per well, or per mean of wells, of two drugs.

use std::collections::HashMap;

use halfmax_core::{Error, Result};

use crate::assign::no_column;
use crate::names::drug_key;
use crate::readings::{ReadingUnit, doses, finite, refuse_wrong_way_round, unit_of};
use crate::roles::Role;
use crate::table::RawTable;
use crate::units::DoseFactors;

/// How the readings of combinations are to be taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct MatrixOptions {
    /// What the readings are; guessed from the column's name and range if not given.
    pub unit: Option<ReadingUnit>,
    /// What every dose is to be multiplied with to be in µM; by columns of units, else by the columns' names, else 1, if not
    /// given.
    pub dose_factor: Option<f64>,
}

/// The readings of one pair of drugs in one cell line.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// What the file calls the block; of a file without a column of blocks, its number, from 1.
    pub id: String,
    /// The first and the second drug, as the file names them.
    pub drugs: [String; 2],
    /// The cell line, as the file names it; none where it has no such column.
    pub cell_line: Option<String>,
    /// `[dose of the first drug in µM, dose of the second in µM, inhibition in percent]`, in the order of the rows.
    pub readings: Vec<[f64; 3]>,
}

impl Block {
    /// Whether both drugs are one and the same: a sham combination.
    pub fn is_sham(&self) -> bool {
        drug_key(&self.drugs[0]) == drug_key(&self.drugs[1])
    }
}

/// The dose matrices of a table.
#[derive(Clone, Debug)]
pub struct Matrices {
    /// The blocks, in the order in which the file first has them.
    pub blocks: Vec<Block>,
    /// What the readings were taken for.
    pub unit: ReadingUnit,
    /// Whether nothing says what unit the doses are in, so that µM was assumed.
    pub dose_unit_assumed: bool,
    /// Rows left out because the reading is missing.
    pub incomplete: usize,
}

/// Finds the dose matrices of a table. Without a column of blocks, a block is what one pair of drugs has in one cell line.
///
/// # Errors
/// If a column is missing; a drug, cell line or dose is missing, a dose is negative or its unit unknown, a reading cannot be; one
/// block has several pairs of drugs or cell lines, or several units for the doses of one drug; what the readings are is not
/// clear. Names the file, the column, the row and the value.
pub fn read_matrices(table: &RawTable, options: &MatrixOptions) -> Result<Matrices> {
    let columns = Columns::new(table)?;
    let names = Names::read(table, &columns)?;
    let doses = Doses::read(table, &columns, options.dose_factor)?;
    let readings = finite(table, columns.reading, "a number")?;
    let unit = unit_of(table, columns.reading, &readings, options.unit)?;
    let at_zero = (0..readings.len()).filter(|at| doses.at(*at) == [0.0, 0.0] && !readings[*at].is_nan());
    let mut untreated: Vec<f64> = at_zero.map(|at| readings[at]).collect();
    refuse_wrong_way_round(table, columns.reading, &mut untreated, unit)?;
    let mut blocks: Vec<(Block, usize)> = Vec::new();
    let mut known: HashMap<[&str; 3], usize> = HashMap::new();
    let mut incomplete = 0;
    for (at, reading) in readings.iter().enumerate() {
        let row = names.row(table, &columns, at)?;
        let place = *known.entry(row.key()).or_insert(blocks.len());
        if place == blocks.len() {
            blocks.push((row.begin_block(place), at));
        }
        let (block, first) = &mut blocks[place];
        row.refuse_another(table, &columns, block, (at, *first))?;
        doses.refuse_other_unit(table, &columns, block, (at, *first))?;
        if reading.is_nan() {
            incomplete += 1;
            continue;
        }
        let inhibition = unit.inhibition_percent(*reading);
        if !PLAUSIBLE.contains(&inhibition) {
            let [low, high] = [PLAUSIBLE.start(), PLAUSIBLE.end()];
            let expected = format!("a reading of {low} to {high} % inhibition; is it {}?", unit.name());
            return Err(table.bad_value(columns.reading, at, reading, &expected));
        }
        let [a, b] = doses.at(at);
        block.readings.push([a, b, inhibition]);
    }
    let blocks = blocks.into_iter().map(|(block, _)| block).collect();
    Ok(Matrices { blocks, unit, dose_unit_assumed: doses.assumed(), incomplete })
}

/// Inhibitions, in percent, that a plate can show: below, there would be ten times as many cells as in the control.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = -900.0..=200.0;

struct Columns {
    drugs: [usize; 2],
    doses: [usize; 2],
    units: [Option<usize>; 2],
    reading: usize,
    cell_line: Option<usize>,
    block: Option<usize>,
}

impl Columns {
    fn new(table: &RawTable) -> Result<Self> {
        Ok(Self {
            drugs: [first_of(table, Role::DrugA, Role::Drug)?, table.require(Role::DrugB)?],
            doses: [first_of(table, Role::DoseA, Role::Dose)?, table.require_measure(Role::DoseB)?],
            units: [Role::DoseUnitA, Role::DoseUnitB]
                .map(|role| table.role(role).or_else(|| table.role(Role::DoseUnit))),
            reading: table.require(Role::Reading)?,
            cell_line: table.role(Role::CellLine),
            block: table.role(Role::Block),
        })
    }
}

/// What is of the first drug of a pair may be called as that of a single one is.
fn first_of(table: &RawTable, first: Role, alone: Role) -> Result<usize> {
    match (table.role(first), table.role(alone)) {
        (Some(column), _) | (None, Some(column)) => Ok(column),
        (None, None) => Err(no_column(table, first)),
    }
}

/// The doses of both drugs, as the file has them, and their units.
struct Doses {
    values: [Vec<f64>; 2],
    units: [DoseFactors; 2],
}

impl Doses {
    fn read(table: &RawTable, columns: &Columns, given: Option<f64>) -> Result<Self> {
        let [a, b] = columns.doses;
        let [units_a, units_b] = columns.units;
        Ok(Self {
            values: [complete_doses(table, a)?, complete_doses(table, b)?],
            units: [DoseFactors::of(table, a, units_a, given)?, DoseFactors::of(table, b, units_b, given)?],
        })
    }

    /// Whether nothing says what unit the doses of one drug are in.
    fn assumed(&self) -> bool {
        self.units.iter().any(|units| units.assumed)
    }

    /// The doses of a row in µM.
    fn at(&self, row: usize) -> [f64; 2] {
        [0, 1].map(|side| self.values[side][row] * self.units[side].factors[row])
    }

    /// Refuses a row whose unit is not that of the same drug in its block.
    fn refuse_other_unit(
        &self,
        table: &RawTable,
        columns: &Columns,
        block: &Block,
        (at, first): (usize, usize),
    ) -> Result<()> {
        for (units, column) in self.units.iter().zip(columns.units) {
            let differs = units.factors[at] != units.factors[first];
            let Some(column) = column.filter(|_| differs) else { continue };
            let units = table.texts(column)?;
            let unit = |at: usize| units[at].as_deref().unwrap_or_default();
            let (expected, row) = (unit(first), table.row_of(first));
            let expected =
                format!("{expected}, the unit of the same drug in row {row} of block {}", block.id);
            return Err(table
                .bad_value(column, at, unit(at), &expected)
                .help("give the doses of one drug in one unit within a block; the two drugs may differ"));
        }
        Ok(())
    }
}

fn complete_doses(table: &RawTable, column: usize) -> Result<Vec<f64>> {
    let values = doses(table, column)?;
    match values.iter().position(|value| value.is_nan()) {
        Some(at) => Err(missing(table, column, at, "a dose; 0 where the other drug is alone")),
        None => Ok(values),
    }
}

fn missing(table: &RawTable, column: usize, at: usize, expected: &str) -> Error {
    let name = &table.names()[column];
    Error::data(format!(
        "{}: column {name:?}, row {}: is empty: expected {expected}",
        table.label(),
        table.row_of(at)
    ))
    .help("fill it in, or remove the row")
}

struct Names {
    drugs: [Vec<Option<String>>; 2],
    cell_lines: Option<Vec<Option<String>>>,
    blocks: Option<Vec<Option<String>>>,
}

impl Names {
    fn read(table: &RawTable, columns: &Columns) -> Result<Self> {
        let texts = |column: Option<usize>| column.map(|column| table.texts(column)).transpose();
        Ok(Self {
            drugs: [table.texts(columns.drugs[0])?, table.texts(columns.drugs[1])?],
            cell_lines: texts(columns.cell_line)?,
            blocks: texts(columns.block)?,
        })
    }

    fn row(&self, table: &RawTable, columns: &Columns, at: usize) -> Result<Row<'_>> {
        let drug = |side: usize| {
            let name = self.drugs[side][at].as_deref();
            let expected = "the name of a drug, also where its dose is 0";
            name.ok_or_else(|| missing(table, columns.drugs[side], at, expected))
        };
        let (cell_lines, blocks) = (self.cell_lines.as_deref(), self.blocks.as_deref());
        Ok(Row {
            drugs: [drug(0)?, drug(1)?],
            cell_line: optional(table, cell_lines, columns.cell_line, at, "a cell line")?,
            block: optional(table, blocks, columns.block, at, "the name of a block")?,
        })
    }
}

/// The names in a row.
struct Row<'a> {
    drugs: [&'a str; 2],
    cell_line: Option<&'a str>,
    block: Option<&'a str>,
}

impl<'a> Row<'a> {
    /// What rows of one block have in common.
    fn key(&self) -> [&'a str; 3] {
        match self.block {
            Some(block) => [block, "", ""],
            None => [self.drugs[0], self.drugs[1], self.cell_line.unwrap_or_default()],
        }
    }

    fn begin_block(&self, place: usize) -> Block {
        Block {
            id: self.block.map_or_else(|| (place + 1).to_string(), str::to_owned),
            drugs: self.drugs.map(str::to_owned),
            cell_line: self.cell_line.map(str::to_owned),
            readings: Vec::new(),
        }
    }

    /// Refuses a row whose drugs or cell line are not those of its block.
    fn refuse_another(
        &self,
        table: &RawTable,
        columns: &Columns,
        block: &Block,
        (at, first): (usize, usize),
    ) -> Result<()> {
        let here = [Some(self.drugs[0]), Some(self.drugs[1]), self.cell_line];
        let there = [Some(block.drugs[0].as_str()), Some(&block.drugs[1]), block.cell_line.as_deref()];
        let places = [Some(columns.drugs[0]), Some(columns.drugs[1]), columns.cell_line];
        for ((here, there), column) in here.into_iter().zip(there).zip(places) {
            if let (Some(here), Some(there), Some(column)) = (here, there, column)
                && here != there
            {
                let row = table.row_of(first);
                let expected = format!("{there:?}, as row {row} of block {} has", block.id);
                return Err(table.bad_value(column, at, here, &expected).help(
                    "a block is one pair of drugs in one cell line, the first drug always first: give other rows another block",
                ));
            }
        }
        Ok(())
    }
}

/// An entry of a column that need not be there, but is complete where it is.
fn optional<'a>(
    table: &RawTable,
    texts: Option<&'a [Option<String>]>,
    column: Option<usize>,
    at: usize,
    expected: &str,
) -> Result<Option<&'a str>> {
    let (Some(texts), Some(column)) = (texts, column) else { return Ok(None) };
    texts[at].as_deref().map(Some).ok_or_else(|| missing(table, column, at, expected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::read_bytes;

    fn read(text: &str) -> Result<Matrices> {
        read_matrices(&read_bytes("m.csv", text.as_bytes())?, &MatrixOptions::default())
    }

    fn refused(text: &str, parts: &[&str]) {
        let error = read(text).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "expected {part:?} in: {error}");
        }
    }

    const HEADER: &str = "block_id,drug_a,drug_b,conc_a,conc_b,conc_a_unit,conc_b_unit,viability\n";

    #[test]
    fn units_differ_by_drug_and_readings_become_inhibitions() {
        let found =
            read(&format!("{HEADER}7,A,B,500,0,nM,uM,90\n7,A,B,500,2,nM,uM,25\n8,A,A,1,1,M,mM,\n")).unwrap();
        assert_eq!(found.blocks[0].readings, [[0.5, 0.0, 10.0], [0.5, 2.0, 75.0]]);
        assert_eq!((found.blocks[0].id.as_str(), found.incomplete), ("7", 1));
        assert!(found.blocks[1].is_sham() && !found.blocks[0].is_sham() && !found.dose_unit_assumed);
    }

    #[test]
    fn blocks_without_a_column_are_pairs_in_cell_lines() {
        let text = "drug1,drug2,cell,conc1,conc2,inhibition\nA,B,x,1,0,50\nA,B,y,1,0,40\nA,B,x,1,1,60\nB,A,x,0,1,9\n";
        let found = read(text).unwrap();
        let names: Vec<_> =
            found.blocks.iter().map(|block| (block.id.as_str(), block.readings.len())).collect();
        assert_eq!(names, [("1", 2), ("2", 1), ("3", 1)]);
        assert!(found.dose_unit_assumed);
        assert_eq!(found.blocks[1].cell_line.as_deref(), Some("y"));
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place() {
        let rows = |rows: &str| format!("{HEADER}1,A,B,1,0,nM,nM,90\n{rows}\n");
        refused(&rows("1,A,B,-1,0,nM,nM,90"), &["m.csv: column \"conc_a\", row 3: \"-1\"", "0 or more"]);
        refused(&rows("1,A,B,1,,nM,nM,90"), &["column \"conc_b\", row 3: is empty"]);
        refused(&rows("1,A,B,1,1,nM,mol,90"), &["column \"conc_b_unit\", row 3: \"mol\"", "nM"]);
        refused(&rows("1,A,B,1,1,uM,nM,90"), &["column \"conc_a_unit\", row 3: \"uM\"", "row 2 of block 1"]);
        refused(&rows("1,A,C,1,1,nM,nM,90"), &["column \"drug_b\", row 3: \"C\"", "\"B\", as row 2"]);
        refused(&rows("1,,B,1,1,nM,nM,90"), &["column \"drug_a\", row 3: is empty"]);
        refused(&rows("1,A,B,1,1,nM,nM,9000"), &["column \"viability\", row 3: \"9000\"", "-900 to 200"]);
        refused("drug_a,drug_b,conc_a,viability\nA,B,1,90\n", &["no column of doses of the second drug"]);
        refused("drug_a,drug_b,conc_a,conc_b,response\nA,B,1,0,90\n", &["viability or inhibition"]);
    }
}
