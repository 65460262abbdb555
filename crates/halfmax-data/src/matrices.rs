//! Readings of combination experiments: one row per well, or per mean of wells, of two drugs.

mod many_drugs;
mod single_agents;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use halfmax_core::{Error, Result, listed};

pub use many_drugs::MultiBlock;
use many_drugs::{Further, ManyBlocks, ManyWells, further_columns, no_pair};
pub use single_agents::{JoinedSingleAgents, join_single_agents};

use crate::assign::no_column;
use crate::fellows::{Fellow, SMALLEST_PERCENT, usual_size};
use crate::grid::looks_like_a_grid;
use crate::lists::replicates_in_rows;
use crate::names::drug_key;
use crate::plates::is_vehicle;
use crate::reading_names::said_by_name;
use crate::readings::{
    ReadingUnit, check_scales, doses, finite, growth_note, refuse_wrong_way_round, unit_of,
};
use crate::report::counted;
use crate::roles::Role;
use crate::separating::Repeats;
use crate::table::{Labels, RawTable};
use crate::units::DoseFactors;

/// How to interpret the readings of combinations.
#[derive(Clone, Debug, Default)]
pub struct MatrixOptions {
    /// The unit of the readings; guessed from the column's name and range if not given.
    pub unit: Option<ReadingUnit>,
    /// The factor that converts every dose to µM. Default: the unit columns, else the column names, else 1.
    pub dose_factor: Option<f64>,
    /// The two drugs of a table without columns of drugs.
    pub drugs: Option<[String; 2]>,
}

/// The readings of one pair of drugs in one cell line.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The name of the block in the file; without a column of blocks, its number, from 1.
    pub id: String,
    /// The first and the second drug, as the file names them.
    pub drugs: [String; 2],
    /// The cell line, as the file names it; `None` without such a column.
    pub cell_line: Option<String>,
    /// `[dose of the first drug in µM, dose of the second in µM, inhibition in percent]`, in the order of the rows.
    pub readings: Vec<[f64; 3]>,
}

impl Block {
    /// Whether both drugs are the same: a sham combination.
    pub fn is_sham(&self) -> bool {
        drug_key(&self.drugs[0]) == drug_key(&self.drugs[1])
    }
}

/// The dose matrices of a table.
#[derive(Clone, Debug)]
pub struct Matrices {
    /// The blocks, in order of first appearance in the file.
    pub blocks: Vec<Block>,
    /// The blocks of three and more drugs.
    pub many: Vec<MultiBlock>,
    /// The unit of the readings.
    pub unit: ReadingUnit,
    /// Whether the unit of the doses is unstated, so that µM was assumed.
    pub dose_unit_assumed: bool,
    /// The number of rows left out because the reading is missing.
    pub incomplete: usize,
    /// Notes: rows with reordered drugs, vehicles, single-drug rows that serve several blocks, pooled columns.
    pub notes: Vec<String>,
}

/// Finds the dose matrices of a table. Without a column of blocks, a block holds the readings of one pair of drugs, in
/// either order, in one cell line. Rows of a drug alone then serve all its pairs in that cell line. A vehicle, or no
/// drug, is dose 0 of the partner. Where wells have three or more drugs, every such set of drugs is a block. Every pair
/// in wells without the other drugs is also a block.
///
/// # Errors
/// If a column is missing; a drug, cell line or dose is missing; a dose is negative or its unit unknown; a reading is
/// impossible; a third drug is present but its name or dose has no column; one block has several pairs of drugs,
/// several cell lines, or several dose units of one drug; pooling would mix readings that a column distinguishes; or
/// the unit of the readings is unclear. The error names the file, the column, the row and the value.
pub fn read_matrices(table: &RawTable, options: &MatrixOptions) -> Result<Matrices> {
    let label = table.label();
    read_blocks(table, options).map_err(|error| error.in_file(label))
}

fn read_blocks(table: &RawTable, options: &MatrixOptions) -> Result<Matrices> {
    let (measured, filled_in) = without_filled_in(table)?;
    let table = measured.as_ref().unwrap_or(table);
    let mut found = read_measured(table, options)?;
    if filled_in > 0 {
        let rows = counted(filled_in, "row");
        found
            .notes
            .push(format!("cells that a fit filled in (column imputed), not measured and left out: {rows}"));
    }
    Ok(found)
}

/// The table without imputed rows (column `imputed`), if it has any, and the number of these rows.
fn without_filled_in(table: &RawTable) -> Result<(Option<RawTable>, usize)> {
    let Some(column) = table.find(&["imputed"]) else { return Ok((None, 0)) };
    let marks = table.texts(column)?;
    let is_measured = |row: &usize| match marks[*row].as_deref().map(str::to_lowercase).as_deref() {
        None | Some("" | "0" | "0.0" | "false" | "no") => Ok(true),
        Some("1" | "1.0" | "true" | "yes") => Ok(false),
        Some(other) => Err(table.bad_value(
            column,
            *row,
            other,
            "1 for a cell that a fit filled in, 0 for one that was measured",
        )),
    };
    let mut measured = Vec::new();
    for row in 0..table.rows() {
        if is_measured(&row)? {
            measured.push(row);
        }
    }
    let filled_in = table.rows() - measured.len();
    Ok(((filled_in > 0).then(|| table.with_rows(&measured)), filled_in))
}

fn read_measured(table: &RawTable, options: &MatrixOptions) -> Result<Matrices> {
    let replicates = replicates_in_rows(table)?;
    let table = replicates.as_ref().unwrap_or(table);
    let columns = Columns::new(table, options)?;
    if let Some(wells) = ManyWells::of(table, &columns, options)? {
        return read_many_drugs(table, options, &columns, &wells);
    }
    columns.refuse_third_drug(table)?;
    let wells = Wells::read(table, &columns, options)?;
    let readings = finite(table, columns.reading, "a number")?;
    let mut notes = table.notes();
    let untreated = untreated(&readings, |row| wells.doses[row] == [0.0, 0.0]);
    let unit = unit_said_or_seen(table, &columns, untreated, &readings, options.unit, &mut notes)?;
    notes.extend(growth_note(&table.names()[columns.reading]));
    let mut assembly = Assembly::of(table, &columns, &wells)?;
    assembly.refuse_other_units(table, &columns, &wells)?;
    notes.extend(wells.notes(table, &columns));
    notes.extend(assembly.notes());
    notes.extend(assembly.pooled(table, &columns, &wells)?);
    let fellows = assembly.fellows(&wells, &readings);
    notes.extend(check_scales(table, columns.reading, fellows.as_slice(), unit, options.unit)?);
    let inhibitions = inhibitions(table, &columns, &readings, unit)?;
    let incomplete = readings.iter().filter(|reading| reading.is_nan()).count();
    let mut jittered = 0;
    let blocks = assembly.blocks.drain(..).map(|draft| {
        let mut block = draft.block;
        let present = draft.rows.iter().filter(|row| !readings[row.at].is_nan());
        block.readings = present.map(|row| row.reading(&wells, inhibitions[row.at])).collect();
        let mut changed = false;
        for side in 0..2 {
            let mut of_side: Vec<&mut f64> =
                block.readings.iter_mut().map(|reading| &mut reading[side]).collect();
            changed |= set_to_nominal(&mut of_side);
        }
        jittered += usize::from(changed);
        block
    });
    let blocks = blocks.collect();
    notes.extend(jitter_note(jittered));
    Ok(Matrices { blocks, many: Vec::new(), unit, dose_unit_assumed: wells.assumed, incomplete, notes })
}

/// The matrices of a table in which some wells have three or more drugs.
fn read_many_drugs(
    table: &RawTable,
    options: &MatrixOptions,
    columns: &Columns,
    wells: &ManyWells,
) -> Result<Matrices> {
    let readings = finite(table, columns.reading, "a number")?;
    let mut notes = table.notes();
    let untreated = untreated(&readings, |row| wells.is_untreated(row));
    let unit = unit_said_or_seen(table, columns, untreated, &readings, options.unit, &mut notes)?;
    notes.extend(growth_note(&table.names()[columns.reading]));
    let found = ManyBlocks::of(table, columns, wells)?;
    notes.extend(found.notes(table, columns, wells)?);
    let fellows = found.fellows(wells, &readings);
    notes.extend(check_scales(table, columns.reading, fellows.as_slice(), unit, options.unit)?);
    let inhibitions = inhibitions(table, columns, &readings, unit)?;
    let incomplete = inhibitions.iter().filter(|reading| reading.is_nan()).count();
    let (blocks, many, jittered) = found.blocks(wells, &inhibitions);
    notes.extend(jitter_note(jittered));
    Ok(Matrices { blocks, many, unit, dose_unit_assumed: wells.assumed, incomplete, notes })
}

/// The readings of untreated wells.
fn untreated(readings: &[f64], is_untreated: impl Fn(usize) -> bool) -> Vec<f64> {
    let rows = (0..readings.len()).filter(|row| is_untreated(*row) && !readings[*row].is_nan());
    rows.map(|row| readings[row]).collect()
}

/// The inhibitions in percent; NaN where a reading is missing. Refuses impossible values.
fn inhibitions(table: &RawTable, columns: &Columns, readings: &[f64], unit: ReadingUnit) -> Result<Vec<f64>> {
    let inhibition = |(at, reading): (usize, &f64)| {
        let inhibition = unit.inhibition_percent(*reading);
        if inhibition.is_nan() || PLAUSIBLE.contains(&inhibition) {
            return Ok(inhibition);
        }
        let [low, high] = [PLAUSIBLE.start(), PLAUSIBLE.end()];
        let expected = format!("a reading of {low} to {high} % inhibition; is it {}?", unit.name());
        Err(table.bad_value(columns.reading, at, reading, &expected))
    };
    readings.iter().enumerate().map(inhibition).collect()
}

fn jitter_note(blocks: usize) -> Option<String> {
    (blocks > 0).then(|| {
        format!(
            "doses that differ by less than 4 % are one nominal dose, their mean, in {}",
            counted(blocks, "block")
        )
    })
}

/// Plausible inhibitions, in percent. Below this range, the well would have ten times as many cells as the control.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = -900.0..=200.0;
/// Doses within this fraction of the lowest are one nominal dose, because dispensers err by 1 to 2 %.
const SAME_NOMINAL_DOSE: f64 = 0.04;
/// Doses that differ by less are equal except for rounding; they stay unchanged.
const ROUNDING: f64 = 1e-6;

/// Sets doses of one drug that differ only by dispensing error to their mean. Returns whether any dose changed.
fn set_to_nominal(doses: &mut [&mut f64]) -> bool {
    let mut changed = false;
    let mut order: Vec<usize> = (0..doses.len()).filter(|at| *doses[*at] > 0.0).collect();
    order.sort_by(|a, b| doses[*a].total_cmp(doses[*b]));
    let mut start = 0;
    while start < order.len() {
        let lowest = *doses[order[start]];
        let near = |at: &&usize| *doses[**at] <= lowest * (1.0 + SAME_NOMINAL_DOSE);
        let within = order[start..].iter().take_while(near).count();
        let group = &order[start..start + within];
        let highest = group.last().map_or(lowest, |at| *doses[*at]);
        if highest > lowest * (1.0 + ROUNDING) {
            let mean = group.iter().map(|at| *doses[*at]).sum::<f64>() / group.len() as f64;
            group.iter().for_each(|at| *doses[*at] = mean);
            changed = true;
        }
        start += within.max(1);
    }
    changed
}

struct Columns {
    /// `None` if the caller names the two drugs.
    drugs: Option<[usize; 2]>,
    doses: [usize; 2],
    units: [Option<usize>; 2],
    reading: usize,
    cell_line: Option<usize>,
    block: Option<usize>,
    /// The dose of a third drug.
    third_dose: Option<usize>,
    /// The third, fourth, … drugs that have both a drug column and a dose column.
    further: Vec<Further>,
}

impl Columns {
    fn new(table: &RawTable, options: &MatrixOptions) -> Result<Self> {
        let first = table.role(Role::DrugA).or_else(|| table.role(Role::Drug));
        let drugs = match (first, table.role(Role::DrugB), &options.drugs) {
            (Some(first), Some(second), None) => Some([first, second]),
            (Some(column), Some(_), Some(_)) => return Err(names_its_drugs(table, column)),
            (_, _, Some(_)) => None,
            (Some(_), None, None) => return Err(no_column(table, Role::DrugB)),
            (None, _, None) => return Err(no_drugs(table)),
        };
        let third_dose = third_dose(table);
        Ok(Self {
            drugs,
            doses: dose_columns(table, third_dose)?,
            units: [Role::DoseUnitA, Role::DoseUnitB]
                .map(|role| table.role(role).or_else(|| table.role(Role::DoseUnit))),
            reading: table.require(Role::Reading)?,
            cell_line: table.role(Role::CellLine),
            block: table.role(Role::Block),
            third_dose,
            further: further_columns(table, third_dose),
        })
    }

    /// All used columns.
    fn used(&self, table: &RawTable) -> Vec<usize> {
        let drugs = self.drugs.iter().flatten().copied();
        let more = [self.cell_line, self.block, self.third_dose, table.role(Role::DrugC)];
        let further = self.further.iter().flat_map(|one| [Some(one.drug), Some(one.dose), one.unit]);
        let more = more.into_iter().chain(self.units).chain(further).flatten();
        drugs.chain(self.doses).chain([self.reading]).chain(more).collect()
    }

    /// Refuses wells of three drugs, which are not replicates of wells with two drugs.
    fn refuse_third_drug(&self, table: &RawTable) -> Result<()> {
        let drug = table.role(Role::DrugC);
        let Some(column) = self.third_dose.or(drug) else { return Ok(()) };
        let rows: Vec<usize> = match self.third_dose {
            Some(column) => {
                let values = doses(table, column)?;
                (0..values.len()).filter(|row| values[*row] > 0.0).collect()
            }
            None => {
                let labels = table.labels(column)?;
                let named =
                    |row: &usize| labels.at(*row).is_some_and(|name| name != "0" && !is_vehicle(name));
                (0..table.rows()).filter(named).collect()
            }
        };
        let Some(first) = rows.first() else { return Ok(()) };
        let name = &table.names()[column];
        let third = drug.map(|column| format!(" ({:?})", table.names()[column])).unwrap_or_default();
        let advice = match self.third_dose {
            Some(_) => format!(
                "score the pair where the third drug is absent: where = {{ {name:?} = \"0\" }} (`--where {name:?}=0`)"
            ),
            None => format!(
                "remove the rows with a third drug, or ignore the column: columns = {{ ignore = {name:?} }} (`--column ignore={name:?}`)"
            ),
        };
        Err(Error::data(format!(
            "{}: column {name:?}: {} with a third drug{third}, for example row {}: expected a matrix of two drugs",
            table.label(),
            match rows.len() {
                1 => "1 row has a well".to_owned(),
                many => format!("{} have wells", counted(many, "row")),
            },
            table.row_of(*first)
        ))
        .with_help(advice))
    }
}

/// The column of a third drug's doses: `conc3`; or `conc_c` if `conc_b` exists too. Beside `conc_r`, `conc_c` is the
/// dose of the column drug.
fn third_dose(table: &RawTable) -> Option<usize> {
    let is_c = |column: usize| {
        let name = crate::columns::plain(&crate::units::split_unit(&table.names()[column]).0);
        name.ends_with("concc") || name.ends_with("dosec")
    };
    let seconds = table.candidates(Role::DoseB);
    let other = seconds.iter().any(|candidate| !is_c(candidate.column));
    table
        .role(Role::DoseC)
        .or_else(|| seconds.iter().map(|candidate| candidate.column).find(|column| other && is_c(*column)))
}

/// The columns of the doses of both drugs.
fn dose_columns(table: &RawTable, third: Option<usize>) -> Result<[usize; 2]> {
    let first = match (table.role(Role::DoseA), table.role(Role::Dose)) {
        (Some(_), _) => table.require_measure(Role::DoseA),
        (None, Some(column)) => Ok(column),
        (None, None) => Err(no_doses(table, Role::DoseA)),
    }?;
    let seconds: Vec<usize> = table
        .candidates(Role::DoseB)
        .iter()
        .map(|candidate| candidate.column)
        .filter(|column| Some(*column) != third)
        .collect();
    match seconds.as_slice() {
        [] => Err(no_doses(table, Role::DoseB)),
        [one] => Ok([first, *one]),
        _ if third.is_some() => Ok([first, seconds[0]]),
        _ => Ok([first, table.require_measure(Role::DoseB)?]),
    }
}

/// The error for a table without doses of one drug. Suggests numeric columns without a role.
fn no_doses(table: &RawTable, role: Role) -> Error {
    let free: Vec<&String> = (0..table.names().len())
        .filter(|column| table.is_numeric(*column) && table.roles_of_column(*column).is_empty())
        .map(|column| &table.names()[column])
        .collect();
    match free.as_slice() {
        [a, b, ..] if role == Role::DoseA => no_column(table, role).with_help(format!(
            "declare the dose columns: columns = {{ dose_a = {a:?}, dose_b = {b:?} }} (`--column dose_a={a:?} --column dose_b={b:?}`); if no column names the drugs, set them (`--drugs \"FIRST,SECOND\"`)"
        )),
        _ => no_column(table, role),
    }
}

fn names_its_drugs(table: &RawTable, column: usize) -> Error {
    Error::config(format!(
        "drugs (`--drugs`): {} names its drugs itself, in column {:?}",
        table.label(),
        table.names()[column]
    ))
    .with_help("remove the setting (`--drugs`), or ignore the columns of drugs: columns = {{ ignore = [\"NAME\"] }} (`--column ignore=NAME`)")
}

/// The error for a table that does not name its drugs. The help explains how to name them.
fn no_drugs(table: &RawTable) -> Error {
    let error = no_column(table, Role::DrugA);
    if looks_like_a_grid(table) {
        return error.with_help("if the table is a matrix with the doses on its edges, set layout = \"grid\" and the two drugs (`--layout grid --drugs \"ROWS,COLUMNS\"`); if it holds only readings, also set the doses of rows and columns (`--doses-a 0,0.1,1 --doses-b 0,0.5,5`)");
    }
    let free: Vec<&String> = (0..table.names().len())
        .filter(|column| table.is_numeric(*column) && table.roles_of_column(*column).is_empty())
        .map(|column| &table.names()[column])
        .collect();
    let doses = match free.as_slice() {
        [a, b, ..] if table.role(Role::DoseA).is_none() => {
            format!(
                "; declare the dose columns, too: columns = {{ dose_a = {a:?}, dose_b = {b:?} }} (`--column dose_a={a:?} --column dose_b={b:?}`)"
            )
        }
        _ => String::new(),
    };
    error.with_help(format!(
        "name the columns drug_a and drug_b, or declare them: columns = {{ drug_a = \"NAME\", drug_b = \"NAME\" }} (`--column drug_a=NAME --column drug_b=NAME`); for a single pair, set the drugs (`--drugs \"FIRST,SECOND\"`){doses}"
    ))
}

/// The unit of the readings: as declared, by the column name, or by the untreated wells.
fn unit_said_or_seen(
    table: &RawTable,
    columns: &Columns,
    mut untreated: Vec<f64>,
    readings: &[f64],
    said: Option<ReadingUnit>,
    notes: &mut Vec<String>,
) -> Result<ReadingUnit> {
    let name = &table.names()[columns.reading];
    let mut seen = said;
    if said.is_none() && said_by_name(name).measured.is_none() {
        seen = seen_from_untreated(&mut untreated, readings);
        if let Some(unit) = seen {
            notes.push(format!(
                "the name {name:?} does not give the unit: read as {}, judged by the untreated wells; set the unit of the readings to be sure (`--response`)",
                unit.name()
            ));
        }
    }
    let unit = unit_of(table, columns.reading, readings, seen)?;
    refuse_wrong_way_round(table, columns.reading, &mut untreated, unit)?;
    Ok(unit)
}

/// The unit of the readings, if the untreated wells show it: about 0 for inhibition, 1 or 100 for viability, with
/// different values in treated wells.
fn seen_from_untreated(untreated: &mut [f64], readings: &[f64]) -> Option<ReadingUnit> {
    let known = || (0..readings.len()).filter(|at| !readings[*at].is_nan());
    let size = usual_size(readings.iter().copied());
    let percent = size > SMALLEST_PERCENT;
    let full = if percent { 100.0 } else { 1.0 };
    if untreated.is_empty() || size > 2.0 * full {
        return None;
    }
    untreated.sort_unstable_by(f64::total_cmp);
    let control = untreated[untreated.len() / 2] / full;
    let others = || known().map(|at| readings[at] / full);
    let (low, high) = (others().fold(f64::INFINITY, f64::min), others().fold(f64::NEG_INFINITY, f64::max));
    match control {
        _ if control.abs() < 0.2 && high > control + 0.4 => Some(ReadingUnit { inhibition: true, percent }),
        _ if (control - 1.0).abs() < 0.2 && low < control - 0.4 => {
            Some(ReadingUnit { inhibition: false, percent })
        }
        _ => None,
    }
}

/// The rows: up to two drugs, each with its dose in µM.
struct Wells {
    /// The names of all drugs.
    names: Vec<String>,
    /// The drugs of each row; `None` for a side without a drug or with a vehicle.
    drugs: Vec<[Option<usize>; 2]>,
    /// The doses in µM; 0 without a drug.
    doses: Vec<[f64; 2]>,
    /// The factors that converted the doses to µM.
    factors: Vec<[f64; 2]>,
    /// Vehicles by column and name, with their number of rows.
    vehicles: BTreeMap<(usize, String), usize>,
    /// Whether the unit of one drug's doses is unstated.
    assumed: bool,
}

impl Wells {
    fn read(table: &RawTable, columns: &Columns, options: &MatrixOptions) -> Result<Self> {
        let rows = table.rows();
        let mut wells = Self {
            names: Vec::new(),
            drugs: vec![[None; 2]; rows],
            doses: vec![[0.0; 2]; rows],
            factors: vec![[1.0; 2]; rows],
            vehicles: BTreeMap::new(),
            assumed: false,
        };
        let mut known: HashMap<String, usize> = HashMap::new();
        for side in 0..2 {
            let column = columns.doses[side];
            let values = doses(table, column)?;
            let factors = DoseFactors::of(table, column, columns.units[side], options.dose_factor)?;
            wells.assumed |= factors.assumed;
            let labels = columns.drugs.map(|drugs| table.labels(drugs[side])).transpose()?;
            let mut number = |name: &str| {
                *known.entry(name.to_owned()).or_insert_with(|| {
                    wells.names.push(name.to_owned());
                    wells.names.len() - 1
                })
            };
            let numbers: Vec<Option<usize>> = match &labels {
                Some(labels) => {
                    labels.names.iter().map(|name| (!is_no_drug(name)).then(|| number(name))).collect()
                }
                None => options.drugs.iter().map(|drugs| Some(number(&drugs[side]))).collect(),
            };
            for (row, value) in values.iter().copied().enumerate() {
                let label = labels.as_ref().map_or(Some(0), |labels| {
                    (labels.of_row[row] != Labels::MISSING).then_some(labels.of_row[row] as usize)
                });
                let drug = label.and_then(|label| numbers[label]);
                match (drug, columns.drugs) {
                    (Some(_), _) if value.is_nan() => {
                        return Err(missing(table, column, row, "a dose, 0 if the other drug is alone"));
                    }
                    (None, Some(drugs)) if label.is_none() && value > 0.0 => {
                        let expected = format!("the name of a drug, since its dose is {}", value);
                        return Err(missing(table, drugs[side], row, &expected));
                    }
                    (None, Some(drugs)) => {
                        if let Some(name) = labels.as_ref().and_then(|labels| labels.at(row)) {
                            *wells.vehicles.entry((drugs[side], name.to_owned())).or_default() += 1;
                        }
                    }
                    (Some(_), _) => {
                        wells.drugs[row][side] = drug;
                        wells.factors[row][side] = factors.at(row);
                        wells.doses[row][side] = value * factors.at(row);
                    }
                    (None, None) => {}
                }
            }
        }
        Ok(wells)
    }

    fn notes(&self, table: &RawTable, columns: &Columns) -> Vec<String> {
        let vehicle = |((column, name), rows): (&(usize, String), &usize)| {
            let is_first = columns.drugs.is_some_and(|drugs| drugs[0] == *column);
            let partner = if is_first { "second" } else { "first" };
            format!(
                "{name:?} in column {:?} is a vehicle, not a drug: {} of the {partner} drug alone or untreated",
                table.names()[*column],
                counted(*rows, "row")
            )
        };
        self.vehicles.iter().map(vehicle).collect()
    }
}

/// Whether a name means "no drug".
fn is_no_drug(name: &str) -> bool {
    name == "0" || is_vehicle(name)
}

fn missing(table: &RawTable, column: usize, at: usize, expected: &str) -> Error {
    let name = &table.names()[column];
    Error::data(format!(
        "{}: column {name:?}, row {}: empty, expected {expected}",
        table.label(),
        table.row_of(at)
    ))
    .in_value(table.label(), name, table.row_of(at))
    .with_help("fill it in, or remove the row")
}

/// A row in a block.
#[derive(Clone, Copy, Debug)]
struct BlockRow {
    at: usize,
    /// The sides of the row, 0 or 1, that hold the block's first and second drug; `None` if the drug is absent.
    sides: [Option<usize>; 2],
}

impl BlockRow {
    fn doses(&self, wells: &Wells) -> [f64; 2] {
        self.sides.map(|side| side.map_or(0.0, |side| wells.doses[self.at][side]))
    }

    fn reading(&self, wells: &Wells, inhibition: f64) -> [f64; 3] {
        let [a, b] = self.doses(wells);
        [a, b, inhibition]
    }

    fn is_turned(&self) -> bool {
        self.sides == [Some(1), Some(0)]
    }
}

/// A block under construction.
struct Draft {
    block: Block,
    drugs: [usize; 2],
    rows: Vec<BlockRow>,
}

/// The rows of a table, block by block.
struct Assembly {
    blocks: Vec<Draft>,
    /// The number of rows without a combination that serve more than one block.
    shared: usize,
    /// The number of single-drug rows without a pair of this drug in the same block or cell line.
    homeless: usize,
}

/// The properties that rows of one block share, before looking at their drugs.
type Group = (Option<u32>, Option<u32>);

impl Assembly {
    fn of(table: &RawTable, columns: &Columns, wells: &Wells) -> Result<Self> {
        let lines = labels_of(table, columns.cell_line, "a cell line")?;
        let ids = labels_of(table, columns.block, "the name of a block")?;
        let label =
            |labels: &Option<Arc<Labels>>, row: usize| labels.as_ref().map(|labels| labels.of_row[row]);
        let group = |row: usize| -> Group {
            let block = label(&ids, row);
            (block, if block.is_some() { None } else { label(&lines, row) })
        };
        let mut groups: HashMap<Group, Vec<usize>> = HashMap::new();
        let mut order: Vec<Group> = Vec::new();
        for row in 0..table.rows() {
            let rows = groups.entry(group(row)).or_default();
            if rows.is_empty() {
                order.push(group(row));
            }
            rows.push(row);
        }
        let mut drafts: Vec<(usize, Draft)> = Vec::new();
        let mut found = Self { blocks: Vec::new(), shared: 0, homeless: 0 };
        for key in order {
            let rows = groups.remove(&key).unwrap_or_default();
            let mut own = pairs_of(wells, &rows);
            if key.0.is_some() {
                refuse_several(table, columns, wells, (&rows, &own), (&ids, &lines))?;
                own.extend(pair_of_drugs_alone(wells, &rows).filter(|_| own.is_empty()));
            }
            let first = drafts.len();
            for (drugs, at) in &own {
                let block = Block {
                    id: ids.as_ref().and_then(|ids| ids.at(*at)).unwrap_or_default().to_owned(),
                    drugs: drugs.map(|drug| wells.names[drug].clone()),
                    cell_line: lines.as_ref().and_then(|lines| lines.at(*at)).map(str::to_owned),
                    readings: Vec::new(),
                };
                drafts.push((*at, Draft { block, drugs: *drugs, rows: Vec::new() }));
            }
            found.fill(&mut drafts[first..], wells, &rows);
        }
        // In order of first appearance in the file.
        drafts.sort_by_key(|(at, _)| *at);
        for (place, (_, mut draft)) in drafts.into_iter().enumerate() {
            if columns.block.is_none() {
                draft.block.id = (place + 1).to_string();
            }
            found.blocks.push(draft);
        }
        if found.blocks.is_empty() {
            return Err(no_pair(table));
        }
        Ok(found)
    }

    /// Gives each row to the blocks of its drugs.
    fn fill(&mut self, drafts: &mut [(usize, Draft)], wells: &Wells, rows: &[usize]) {
        let mut of_pair: HashMap<[usize; 2], usize> = HashMap::new();
        let mut of_drug: HashMap<usize, Vec<usize>> = HashMap::new();
        for (place, (_, draft)) in drafts.iter().enumerate() {
            let [a, b] = draft.drugs;
            of_pair.insert([a, b], place);
            of_drug.entry(a).or_default().push(place);
            if a != b {
                of_drug.entry(b).or_default().push(place);
            }
        }
        let all: Vec<usize> = (0..drafts.len()).collect();
        for at in rows.iter().copied() {
            let places: &[usize] = match wells.drugs[at] {
                [Some(a), Some(b)] => {
                    let place = of_pair.get(&[a, b]).or_else(|| of_pair.get(&[b, a]));
                    place.map_or(&[], std::slice::from_ref)
                }
                [Some(one), None] | [None, Some(one)] => of_drug.get(&one).map_or(&[], Vec::as_slice),
                [None, None] => &all,
            };
            self.shared += usize::from(places.len() > 1);
            self.homeless += usize::from(places.is_empty());
            for place in places {
                let draft = &mut drafts[*place].1;
                draft.rows.extend(sides(wells.drugs[at], draft.drugs).map(|sides| BlockRow { at, sides }));
            }
        }
    }

    /// Refuses a block with several dose units for one drug.
    fn refuse_other_units(&self, table: &RawTable, columns: &Columns, wells: &Wells) -> Result<()> {
        for draft in &self.blocks {
            for drug in 0..2 {
                let mut first: Option<(usize, usize)> = None;
                for row in draft.rows.iter().filter(|row| row.doses(wells)[drug] > 0.0) {
                    let Some(side) = row.sides[drug] else { continue };
                    let (first_row, first_side) = *first.get_or_insert((row.at, side));
                    if wells.factors[row.at][side] == wells.factors[first_row][first_side] {
                        continue;
                    }
                    let Some(column) = columns.units[side] else { continue };
                    let unit = |at: usize, side: usize| -> Result<String> {
                        let labels = columns.units[side].map(|column| table.labels(column)).transpose()?;
                        Ok(labels.and_then(|labels| labels.at(at).map(str::to_owned)).unwrap_or_default())
                    };
                    let expected = format!(
                        "{}, the unit of the same drug in row {} of block {}",
                        unit(first_row, first_side)?,
                        table.row_of(first_row),
                        draft.block.id
                    );
                    return Err(table
                        .bad_value(column, row.at, unit(row.at, side)?, &expected)
                        .with_help("use one dose unit per drug within a block; the two drugs may differ"));
                }
            }
        }
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        let turned: Vec<(&Draft, usize)> = self
            .blocks
            .iter()
            .map(|draft| (draft, draft.rows.iter().filter(|row| row.is_turned()).count()))
            .filter(|(_, turned)| *turned > 0)
            .collect();
        let mut notes = Vec::new();
        if !turned.is_empty() {
            let rows = turned.iter().map(|(_, turned)| turned).sum();
            let names: Vec<String> = turned
                .iter()
                .map(|(draft, _)| format!("{} with {}", draft.block.drugs[0], draft.block.drugs[1]))
                .collect();
            notes.push(format!(
                "both orders of a pair form one block, and readings at the same doses are replicates: {} reordered, of {}",
                counted(rows, "row"),
                listed(&names, 4)
            ));
        }
        if self.shared > 0 {
            notes.push(format!(
                "{} of a drug alone or untreated serve every block of that drug in the cell line",
                counted(self.shared, "row")
            ));
        }
        if self.homeless > 0 {
            notes.push(format!(
                "{} of a drug alone or untreated left out: no pair of the drug in the same block or cell line",
                counted(self.homeless, "row")
            ));
        }
        notes
    }

    /// Notes on columns over which replicates are pooled.
    fn pooled(&self, table: &RawTable, columns: &Columns, wells: &Wells) -> Result<Vec<String>> {
        let mut cells: Vec<Vec<usize>> = Vec::new();
        for draft in &self.blocks {
            let mut own: BTreeMap<[u64; 2], Vec<usize>> = BTreeMap::new();
            for row in &draft.rows {
                own.entry(row.doses(wells).map(f64::to_bits)).or_default().push(row.at);
            }
            cells.extend(own.into_values().filter(|rows| rows.len() > 1));
        }
        let groups = cells.iter().map(Vec::as_slice).collect();
        Repeats { what: "wells", groups, used: &columns.used(table) }.check(table)
    }

    fn fellows(&self, wells: &Wells, readings: &[f64]) -> Vec<Fellow> {
        let fellow = |draft: &Draft| Fellow {
            name: format!("block {}", draft.block.id),
            readings: draft
                .rows
                .iter()
                .map(|row| {
                    let [a, b] = row.doses(wells);
                    (a + b, readings[row.at])
                })
                .collect(),
        };
        self.blocks.iter().map(fellow).collect()
    }
}

/// The pairs of drugs in rows, in order of first appearance, each with its first row. Both orders of a pair share an
/// entry.
fn pairs_of(wells: &Wells, rows: &[usize]) -> Vec<([usize; 2], usize)> {
    let mut pairs: Vec<([usize; 2], usize)> = Vec::new();
    let mut known: HashMap<[usize; 2], ()> = HashMap::new();
    for at in rows {
        if let [Some(a), Some(b)] = wells.drugs[*at] {
            let key = [a.min(b), a.max(b)];
            if known.insert(key, ()).is_none() {
                pairs.push(([a, b], *at));
            }
        }
    }
    pairs
}

/// The pair of a block that has no row with two drugs.
fn pair_of_drugs_alone(wells: &Wells, rows: &[usize]) -> Option<([usize; 2], usize)> {
    let mut drugs: Vec<usize> = Vec::new();
    for at in rows {
        for drug in wells.drugs[*at].into_iter().flatten() {
            if !drugs.contains(&drug) {
                drugs.push(drug);
            }
        }
    }
    match drugs.as_slice() {
        [a, b] => Some(([*a, *b], rows[0])),
        _ => None,
    }
}

/// The sides of a row that hold the drugs of a block; `None` if the row has another drug.
fn sides(row: [Option<usize>; 2], block: [usize; 2]) -> Option<[Option<usize>; 2]> {
    let [a, b] = block;
    match row {
        [Some(x), Some(y)] if [x, y] == [a, b] => Some([Some(0), Some(1)]),
        [Some(x), Some(y)] if [x, y] == [b, a] => Some([Some(1), Some(0)]),
        [Some(x), None] if x == a => Some([Some(0), None]),
        [Some(x), None] if x == b => Some([None, Some(0)]),
        [None, Some(x)] if x == b => Some([None, Some(1)]),
        [None, Some(x)] if x == a => Some([Some(1), None]),
        [None, None] => Some([None, None]),
        _ => None,
    }
}

/// The labels of an optional column, which must be complete if it exists.
fn labels_of(table: &RawTable, column: Option<usize>, expected: &str) -> Result<Option<Arc<Labels>>> {
    let Some(column) = column else { return Ok(None) };
    let labels = table.labels(column)?;
    match labels.of_row.iter().position(|label| *label == Labels::MISSING) {
        Some(at) => Err(missing(table, column, at, expected)),
        None => Ok(Some(labels)),
    }
}

/// Refuses a block with several pairs or cell lines.
fn refuse_several(
    table: &RawTable,
    columns: &Columns,
    wells: &Wells,
    (rows, pairs): (&[usize], &[([usize; 2], usize)]),
    (ids, lines): (&Option<Arc<Labels>>, &Option<Arc<Labels>>),
) -> Result<()> {
    const ONE: &str = "a block holds one pair of drugs in one cell line: give other rows another block";
    let first = rows[0];
    let id = ids.as_ref().and_then(|ids| ids.at(first)).unwrap_or_default();
    let as_row =
        |there: &str, row: usize| format!("{there:?}, as row {} of block {id} has", table.row_of(row));
    if let (Some(lines), Some(column)) = (lines, columns.cell_line)
        && let Some(other) = rows.iter().find(|row| lines.of_row[**row] != lines.of_row[first])
    {
        let (here, there) = (lines.at(*other).unwrap_or_default(), lines.at(first).unwrap_or_default());
        return Err(table.bad_value(column, *other, here, &as_row(there, first)).with_help(ONE));
    }
    let Some(drugs) = columns.drugs else { return Ok(()) };
    let other = match pairs {
        [] => None,
        [(pair, at), ..] => {
            let strange = |row: &&usize| {
                let own = wells.drugs[**row];
                own.iter().flatten().any(|drug| !pair.contains(drug))
                    || (own[0].is_some() && own[0] == own[1] && pair[0] != pair[1])
            };
            rows.iter().find(strange).map(|row| (*row, *pair, *at))
        }
    };
    let Some((row, pair, at)) = other else { return Ok(()) };
    let own = wells.drugs[row];
    let side = (0..2).find(|side| own[*side].is_some_and(|drug| !pair.contains(&drug))).unwrap_or(1);
    let here = own[side].map_or("", |drug| wells.names[drug].as_str());
    // The drug that is missing from the row. If its partner is on the other side, the row determines the order.
    let partner = own[1 - side];
    let there = if partner == Some(pair[side]) { pair[1 - side] } else { pair[side] };
    let there = wells.names[there].as_str();
    Err(table.bad_value(drugs[side], row, here, &as_row(there, at)).with_help(ONE))
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
        assert_eq!(names, [("1", 3), ("2", 1)]);
        assert_eq!(found.blocks[0].readings[2], [1.0, 0.0, 9.0], "B with A is A with B");
        assert!(
            found.notes.iter().any(|note| note.contains("1 row reordered, of A with B")),
            "{:?}",
            found.notes
        );
        assert!(found.dose_unit_assumed);
        assert_eq!(found.blocks[1].cell_line.as_deref(), Some("y"));
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place() {
        let rows = |rows: &str| format!("{HEADER}1,A,B,1,0,nM,nM,90\n{rows}\n");
        refused(&rows("1,A,B,-1,0,nM,nM,90"), &["m.csv: column \"conc_a\", row 3: \"-1\"", "0 or more"]);
        refused(&rows("1,A,B,1,,nM,nM,90"), &["column \"conc_b\", row 3: empty, expected"]);
        refused(&rows("1,A,B,1,1,nM,mol,90"), &["column \"conc_b_unit\", row 3: \"mol\"", "nM"]);
        refused(&rows("1,A,B,1,1,uM,nM,90"), &["column \"conc_a_unit\", row 3: \"uM\"", "row 2 of block 1"]);
        refused(&rows("1,A,C,1,1,nM,nM,90"), &["column \"drug_b\", row 3: \"C\"", "\"B\", as row 2"]);
        refused(&rows("1,,B,1,1,nM,nM,90"), &["column \"drug_a\", row 3: empty, expected"]);
        refused(&rows("1,A,B,1,1,nM,nM,9000"), &["column \"viability\", row 3: \"9000\"", "-900 to 200"]);
        refused("drug_a,drug_b,conc_a,viability\nA,B,1,90\n", &["no column of doses of the second drug"]);
        refused("drug_a,drug_b,conc_a,conc_b,response\nA,B,1,0,90\n", &["viability or inhibition"]);
    }
}
