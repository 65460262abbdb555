//! Molar masses of drugs: from a column, or from structures by the standard atomic weights.

use std::collections::{HashMap, HashSet};

use halfmax_core::{Error, Result, listed};

use crate::drugs::{DrugSheet, readable_molecule};
use crate::note::Note;
use crate::report::counted;
use crate::roles::Role;
use crate::table::{Labels, LabelsBuilder, RawColumn, RawTable, RowPlaces, Values};

/// The molar mass of each row's drug.
#[derive(Clone, Debug)]
pub(crate) struct MolarMasses {
    /// In g/mol, one entry per row; NaN if unknown.
    pub of_row: Vec<f64>,
    /// Notes on their source.
    pub notes: Vec<Note>,
}

/// Names of columns of molar masses.
const NAMES: [&str; 11] = [
    "molar_mass",
    "molecular_weight",
    "molecular_mass",
    "mol_weight",
    "mol_wt",
    "molwt",
    "mw",
    "formula_weight",
    "molar_mass_g_mol",
    "molar mass g/mol",
    "mw g/mol",
];

impl MolarMasses {
    /// Reads a column of molar masses, else a column of structures; `None` if the table has neither.
    ///
    /// # Errors
    /// If a molar mass is not above 0, or a structure cannot be read. The error names the row.
    pub fn of(table: &RawTable) -> Result<Option<Self>> {
        const EXPECTED: &str = "a molar mass in g/mol, above 0";
        if let Some(column) = table.find(&NAMES) {
            let values = crate::readings::finite(table, column, EXPECTED)?;
            if let Some(at) = values.iter().position(|value| *value <= 0.0) {
                return Err(table.bad_value(column, at, values[at], EXPECTED));
            }
            let note = format!("molar masses come from {:?}", table.names()[column]);
            return Ok(Some(Self { of_row: values.to_vec(), notes: vec![note.into()] }));
        }
        let Some(column) = table.role(Role::Smiles) else { return Ok(None) };
        let labels = table.labels(column)?;
        let mut masses = Vec::new();
        let mut salts = Vec::new();
        for (at, smiles) in labels.names.iter().enumerate() {
            let found = mass_and_parts(smiles).map_err(|reason| {
                let row = labels.of_row.iter().position(|label| *label as usize == at).unwrap_or_default();
                table.bad_value(column, row, smiles, &format!("a structure of known mass ({reason})"))
            })?;
            if found.1 > 1 {
                salts.push(smiles.clone());
            }
            masses.push(found.0);
        }
        let of = |label: &u32| masses.get(*label as usize).copied().unwrap_or(f64::NAN);
        let notes = from_structures(&format!("{:?}", table.names()[column]), salts);
        Ok(Some(Self { of_row: labels.of_row.iter().map(of).collect(), notes }))
    }
}

/// Notes on molar masses from structures, some with a salt or a solvent.
fn from_structures(source: &str, salts: Vec<String>) -> Vec<Note> {
    let mut notes = vec![Note::new(format!(
        "molar masses come from the structures in {source}; a drug that was weighed as another salt needs a column molar_mass"
    ))];
    if !salts.is_empty() {
        notes.push(
            Note::new("structures with a salt or a solvent, which is weighed with the drug: ")
                .names(salts, 5),
        );
    }
    notes
}

/// Adds a column `molar_mass` to a table, from a table of drugs with molar masses or structures.
///
/// # Errors
/// If the other table has neither, the tables share no drug, or a structure cannot be read. The error names the drug.
pub fn with_molar_masses(table: &RawTable, drugs: &RawTable) -> Result<RawTable> {
    let labels = table.labels(column_of_drugs(table)?)?;
    let sheet = DrugSheet::of_drugs(drugs, &labels.names)?;
    let given =
        drugs.find(&NAMES).map(|column| drugs.numbers(column, "a molar mass in g/mol")).transpose()?;
    let (mut masses, mut unknown, mut salts) = (Vec::new(), Vec::new(), Vec::new());
    for (name, record) in labels.names.iter().zip(sheet.records(&labels.names)) {
        let own = given.as_ref().zip(sheet.table_row_of(name)).map(|(given, row)| given[row]);
        let mass = match (own.filter(|mass| mass.is_finite() && *mass > 0.0), &record.smiles) {
            (Some(mass), _) => Some(mass),
            (None, Some(smiles)) => {
                let (mass, parts) = mass_and_parts(smiles).map_err(|reason| {
                    Error::data(format!(
                        "{}: the structure of {name}, {smiles:?}, gives no molar mass: {reason}",
                        drugs.label()
                    ))
                    .with_help("correct the structure, or give the molar mass in a column molar_mass")
                })?;
                if parts > 1 {
                    salts.push(name.clone());
                }
                Some(mass)
            }
            (None, None) => None,
        };
        if mass.is_none() && !crate::plates::is_vehicle(name) {
            unknown.push(name.clone());
        }
        masses.push(mass.unwrap_or(f64::NAN));
    }
    if masses.iter().all(|mass| mass.is_nan()) {
        return Err(Error::data(format!(
            "{}: has no molar mass and no structure of {}",
            drugs.label(),
            listed(&labels.names, 5)
        ))
        .with_help("add a column molar_mass (g/mol) or smiles beside the names of drugs"));
    }
    let of = |label: &u32| masses.get(*label as usize).copied().unwrap_or(f64::NAN);
    let mut notes = table.notes.clone();
    match given {
        Some(_) => notes.push(format!("molar masses come from {}", drugs.label()).into()),
        None => notes.extend(from_structures(drugs.label(), salts)),
    }
    if !unknown.is_empty() {
        notes.push(Note::new(format!("{} has no molar mass for ", drugs.label())).names(unknown, 5));
    }
    with_masses(table, labels.of_row.iter().map(of).collect(), notes)
}

/// The distinct drug names of a table that is read in parts.
#[derive(Default)]
pub(crate) struct DrugNames {
    names: Vec<String>,
    known: HashSet<String>,
}

impl DrugNames {
    /// Adds the names of a part.
    ///
    /// # Errors
    /// If it has no column of drugs.
    pub fn add(&mut self, part: &RawTable) -> Result<()> {
        let labels = part.labels(column_of_drugs(part)?)?;
        for name in &labels.names {
            if self.known.insert(name.clone()) {
                self.names.push(name.clone());
            }
        }
        Ok(())
    }

    /// Looks up the molar masses in a table of drugs. `sample` is a sample of the table that holds the names.
    ///
    /// # Errors
    /// As [`with_molar_masses`].
    pub fn masses(self, sample: &RawTable, drugs: &RawTable) -> Result<MassesOfDrugs> {
        let column = column_of_drugs(sample)?;
        let mut builder = LabelsBuilder::default();
        self.names.iter().for_each(|name| builder.push(Some(name)));
        let name = sample.names()[column].clone();
        let values = Values::texts(builder.finish());
        let rows = self.names.len();
        let mut table = RawTable::new(
            sample.label(),
            vec![RawColumn { name, values }],
            rows,
            RowPlaces::From(2),
            Vec::new(),
        )?;
        table.said.push((Role::Drug, 0));
        let with = with_molar_masses(&table, drugs)?;
        let masses = with.find(&["molar_mass"]).map(|column| with.numbers(column, "a molar mass"));
        let masses = masses.transpose()?.map_or_else(Vec::new, |masses| masses.to_vec());
        Ok(MassesOfDrugs { masses: self.names.into_iter().zip(masses).collect(), notes: with.notes })
    }
}

/// The molar mass of each drug of a table that is read in parts.
pub(crate) struct MassesOfDrugs {
    masses: HashMap<String, f64>,
    notes: Vec<Note>,
}

impl MassesOfDrugs {
    /// Adds a column `molar_mass` to a part.
    ///
    /// # Errors
    /// If it has no column of drugs.
    pub fn with(&self, part: &RawTable) -> Result<RawTable> {
        let labels = part.labels(column_of_drugs(part)?)?;
        let mass = |name: &String| self.masses.get(name).copied().unwrap_or(f64::NAN);
        let masses: Vec<f64> = labels.names.iter().map(mass).collect();
        let of = |label: &u32| masses.get(*label as usize).copied().unwrap_or(f64::NAN);
        let notes = part.notes.iter().chain(&self.notes).cloned().collect();
        with_masses(part, labels.of_row.iter().map(of).collect(), notes)
    }
}

fn column_of_drugs(table: &RawTable) -> Result<usize> {
    let column = table.role(Role::Drug).or_else(|| table.role(Role::DrugA));
    column.ok_or_else(|| crate::assign::no_column(table, Role::Drug))
}

/// A table with these molar masses, which replace its own.
fn with_masses(table: &RawTable, masses: Vec<f64>, notes: Vec<Note>) -> Result<RawTable> {
    let mut columns = table.columns.clone();
    columns.retain(|column| column.name != "molar_mass");
    columns.push(RawColumn { name: "molar_mass".into(), values: Values::numbers(masses) });
    let mut built = table.with_columns(columns, notes)?;
    built.keep_what_was_said(table);
    built.places = table.places.clone();
    Ok(built)
}

/// The molar mass of a structure in g/mol, by the abridged standard atomic weights of 2021 (Prohaska et al. 2022, *Pure and Applied Chemistry* 94,
/// 573). All parts of a structure count: salts and solvents are weighed with the drug.
///
/// # Errors
/// If the text is not a structure, or an atom has no element or no standard atomic weight.
///
/// ```
/// let aspirin = halfmax_data::molar_mass("CC(=O)Oc1ccccc1C(=O)O")?;
/// assert!((aspirin - 180.159).abs() < 5e-4);
/// # Ok::<(), halfmax_core::Error>(())
/// ```
pub fn molar_mass(smiles: &str) -> Result<f64> {
    mass_and_parts(smiles).map(|(mass, _)| mass).map_err(|reason| {
        Error::data(format!("{smiles:?} gives no molar mass: {reason}"))
            .with_help("use a SMILES such as CC(=O)Oc1ccccc1C(=O)O")
    })
}

fn mass_and_parts(smiles: &str) -> std::result::Result<(f64, usize), String> {
    let molecule = readable_molecule(smiles)?;
    let mut mass = 0.0;
    if smiles.trim().is_empty() {
        return Err("it has no atoms".into());
    }
    for (at, atom) in molecule.atoms() {
        let number = atom.element.atomic_number();
        if atom.wildcard || number == 0 {
            return Err("it has a wildcard atom (*)".into());
        }
        mass += match atom.isotope {
            Some(isotope) => isotope_mass(number, isotope),
            None => atomic_weight(number)
                .ok_or_else(|| format!("{} has no standard atomic weight", atom.element.symbol()))?,
        };
        mass += f64::from(chematic::core::implicit_hcount(&molecule, at)) * HYDROGEN;
    }
    Ok((mass, smiles.split('.').filter(|part| !part.is_empty()).count()))
}

const HYDROGEN: f64 = 1.0080;

/// The mass of a labelled atom: exact for deuterium and carbon-13, else the number of nucleons, which errs by less than
/// 0.1 %.
fn isotope_mass(number: u8, isotope: u16) -> f64 {
    match (number, isotope) {
        (1, 2) => 2.0141,
        (1, 3) => 3.0160,
        (6, 13) => 13.003,
        (_, nucleons) => f64::from(nucleons),
    }
}

/// Standard atomic weights, abridged to five digits, by atomic number; 0 for elements without a standard weight.
const WEIGHTS: [f64; 84] = [
    0.0, 1.0080, 4.0026, 6.94, 9.0122, 10.81, 12.011, 14.007, 15.999, 18.998, 20.180, 22.990, 24.305, 26.982,
    28.085, 30.974, 32.06, 35.45, 39.95, 39.098, 40.078, 44.956, 47.867, 50.942, 51.996, 54.938, 55.845,
    58.933, 58.693, 63.546, 65.38, 69.723, 72.630, 74.922, 78.971, 79.904, 83.798, 85.468, 87.62, 88.906,
    91.224, 92.906, 95.95, 0.0, 101.07, 102.91, 106.42, 107.87, 112.41, 114.82, 118.71, 121.76, 127.60,
    126.90, 131.29, 132.91, 137.33, 138.91, 140.12, 140.91, 144.24, 0.0, 150.36, 151.96, 157.25, 158.93,
    162.50, 164.93, 167.26, 168.93, 173.05, 174.97, 178.49, 180.95, 183.84, 186.21, 190.23, 192.22, 195.08,
    196.97, 200.59, 204.38, 207.2, 208.98,
];

fn atomic_weight(number: u8) -> Option<f64> {
    WEIGHTS.get(usize::from(number)).copied().filter(|weight| *weight > 0.0)
}

/// Names of the drugs of some rows, for messages.
pub(crate) fn drugs_without(
    table: &RawTable,
    masses: &MolarMasses,
    needed: impl Fn(usize) -> bool,
) -> Vec<String> {
    let Some(Ok(labels)) = table.role(Role::Drug).map(|column| table.labels(column)) else {
        return Vec::new();
    };
    let mut seen: HashSet<u32> = HashSet::new();
    (0..table.rows())
        .filter(|row| needed(*row) && masses.of_row[*row].is_nan())
        .filter(|row| labels.of_row[*row] != Labels::MISSING && seen.insert(labels.of_row[*row]))
        .filter_map(|row| labels.at(row).map(str::to_owned))
        .collect()
}

/// The error for drugs without a molar mass.
pub(crate) fn lacks_molar_mass(place: &str, drugs: &[String]) -> Error {
    Error::data(format!(
        "{place}: the doses are mass concentrations, but {} no molar mass: {}",
        match drugs.len() {
            1 => "1 drug has".to_owned(),
            many => format!("{} have", counted(many, "drug")),
        },
        listed(drugs, 5)
    ))
    .with_help(
        "give every drug a molar mass (g/mol) or a structure, or leave these rows out: `where` (`--where`)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by hand from the abridged weights, formula by formula.
    #[test]
    fn masses_are_sums_of_atomic_weights() {
        for (smiles, expected) in [
            ("O", 2.0 * 1.008 + 15.999),
            ("CC(=O)Oc1ccccc1C(=O)O", 9.0 * 12.011 + 8.0 * 1.008 + 4.0 * 15.999),
            // Imatinib, C29H31N7O, and its mesylate, with CH4O3S.
            (
                "Cc1ccc(NC(=O)c2ccc(CN3CCN(C)CC3)cc2)cc1Nc1nccc(-c2cccnc2)n1",
                29.0 * 12.011 + 31.0 * 1.008 + 7.0 * 14.007 + 15.999,
            ),
            (
                "CS(=O)(=O)O.Cc1ccc(NC(=O)c2ccc(CN3CCN(C)CC3)cc2)cc1Nc1nccc(-c2cccnc2)n1",
                30.0 * 12.011 + 35.0 * 1.008 + 7.0 * 14.007 + 4.0 * 15.999 + 32.06,
            ),
            // Cisplatin: charges and hydrogens in brackets.
            ("[NH3+][Pt-2]([NH3+])(Cl)Cl", 2.0 * (14.007 + 3.0 * 1.008) + 195.08 + 2.0 * 35.45),
            ("[Na+].[Cl-]", 22.990 + 35.45),
            ("[2H]C([2H])([2H])O", 3.0 * 2.0141 + 12.011 + 15.999 + 1.008),
        ] {
            let found = molar_mass(smiles).unwrap_or(f64::NAN);
            assert!((found - expected).abs() < 1e-9, "{smiles}: {found}, expected {expected}");
        }
        for smiles in ["C*", "not a structure", "", "[Tc]"] {
            assert!(molar_mass(smiles).is_err(), "{smiles}");
        }
    }

    #[test]
    fn weights_stand_at_their_atomic_numbers() {
        for (number, weight) in
            [(6, 12.011), (17, 35.45), (35, 79.904), (53, 126.90), (78, 195.08), (83, 208.98)]
        {
            assert_eq!(atomic_weight(number), Some(weight));
        }
        assert_eq!((atomic_weight(0), atomic_weight(43), atomic_weight(92)), (None, None, None));
    }
}
