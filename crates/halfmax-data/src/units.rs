//! Units of doses.

use halfmax_core::{Error, Result};

use crate::molar_mass::{MolarMasses, drugs_without, lacks_molar_mass};
use crate::note::Note;
use crate::table::RawTable;

/// A unit of a dose, or of a quantity in doses (IC50, EC50).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DoseUnit {
    /// An amount of substance per volume, with the factor that converts a value to µM.
    Molar(f64),
    /// A mass per volume, with the factor that converts a value to µg/mL. The conversion to µM needs a molar mass.
    Mass(f64),
}

/// The factors that convert the doses of a column to µM.
#[derive(Clone, Debug)]
pub(crate) struct DoseFactors {
    factors: Factors,
    /// Whether the unit is unstated, so that µM was assumed.
    pub assumed: bool,
    /// The source of molar masses, if doses are mass concentrations.
    pub notes: Vec<Note>,
}

#[derive(Clone, Debug)]
enum Factors {
    /// The same factor for every row.
    One(f64),
    /// One entry per row.
    OfRows(Vec<f64>),
}

const EXPECTED: &str = "a unit of concentration: M, mM, uM, nM, pM, mol/L …";

impl DoseFactors {
    /// The factor of a row.
    pub fn at(&self, row: usize) -> f64 {
        match &self.factors {
            Factors::One(factor) => *factor,
            Factors::OfRows(factors) => factors[row],
        }
    }

    /// The given factor, else by a column of units, else by the name of the dose column, else 1.
    ///
    /// # Errors
    /// If the unit of a dose is missing, unknown, or a mass per volume. The error names the row.
    pub fn of(table: &RawTable, doses: usize, units: Option<usize>, given: Option<f64>) -> Result<Self> {
        Self::with_masses(table, doses, units, given, None)
    }

    /// As [`DoseFactors::of`], for one drug per row. Masses per volume are divided by the molar mass of the drug, from
    /// a column of molar masses or structures.
    ///
    /// # Errors
    /// As [`DoseFactors::of`], and if the table lacks a required molar mass. The error names the drugs.
    pub fn of_one_drug(
        table: &RawTable,
        doses: usize,
        units: Option<usize>,
        given: Option<f64>,
    ) -> Result<Self> {
        let is_mass = |unit: &Option<DoseUnit>| matches!(unit, Some(DoseUnit::Mass(_)));
        let needed = match (given, units) {
            (Some(_), _) => false,
            (None, Some(column)) => table.labels(column)?.names.iter().any(|unit| is_mass(&unit_named(unit))),
            (None, None) => is_mass(&split_unit(&table.names()[doses]).1),
        };
        let masses = if needed { MolarMasses::of(table)? } else { None };
        Self::with_masses(table, doses, units, given, masses.as_ref())
    }

    fn with_masses(
        table: &RawTable,
        doses: usize,
        units: Option<usize>,
        given: Option<f64>,
        masses: Option<&MolarMasses>,
    ) -> Result<Self> {
        let all = |factor: f64, assumed: bool| {
            Ok(Self { factors: Factors::One(factor), assumed, notes: Vec::new() })
        };
        let values = table.numbers(doses, "a dose")?;
        let is_dose = |row: usize| !values[row].is_nan() && values[row] != 0.0;
        let notes = masses.map_or_else(Vec::new, |masses| masses.notes.clone());
        // µM from µg/mL and g/mol.
        let molar = |factor: f64, mass: f64| 1000.0 * factor / mass;
        let column = match (given, units) {
            (Some(factor), _) => return all(factor, false),
            (None, Some(column)) => column,
            (None, None) => {
                let name = &table.names()[doses];
                let place = format!("{}: column {name:?}", table.label());
                return match (split_unit(name).1, masses) {
                    (Some(DoseUnit::Molar(factor)), _) => all(factor, false),
                    (Some(DoseUnit::Mass(_)), None) => Err(needs_molar_mass(&place)),
                    (Some(DoseUnit::Mass(factor)), Some(masses)) => {
                        refuse_unknown(table, masses, &place, is_dose)?;
                        let of =
                            |row: usize| if is_dose(row) { molar(factor, masses.of_row[row]) } else { 1.0 };
                        let factors = Factors::OfRows((0..table.rows()).map(of).collect());
                        Ok(Self { factors, assumed: false, notes })
                    }
                    (None, _) => all(1.0, true),
                };
            }
        };
        let units = table.labels(column)?;
        let known: Vec<Option<DoseUnit>> = units.names.iter().map(|unit| unit_named(unit)).collect();
        let unit_of = |row: usize| known.get(units.of_row[row] as usize).copied().flatten();
        if let Some(masses) = masses {
            let place = format!("{}: column {:?}", table.label(), table.names()[column]);
            let needed = |row: usize| is_dose(row) && matches!(unit_of(row), Some(DoseUnit::Mass(_)));
            refuse_unknown(table, masses, &place, needed)?;
        }
        let factor = |row: usize| {
            match (units.at(row), unit_of(row)) {
            // Without a dose, the unit is irrelevant; a dose of 0 is 0 in every unit.
            _ if !is_dose(row) => Ok(1.0),
            (None, _) => Err(missing_unit(table, column, row)),
            (Some(_), Some(DoseUnit::Molar(factor))) => Ok(factor),
            (Some(unit), Some(DoseUnit::Mass(factor))) => match masses {
                Some(masses) => Ok(molar(factor, masses.of_row[row])),
                None => {
                    let (name, row) = (&table.names()[column], table.row_of(row));
                    Err(needs_molar_mass(&format!("{}: column {name:?}, row {row}: {unit:?}", table.label())))
                }
            },
            (Some(unit), None) => Err(table.bad_value(column, row, unit, EXPECTED).with_help(
                "write the unit as uM or nM, or set the unit of all doses, which overrides the column (`--dose-unit`)",
            )),
        }
        };
        let factors = (0..table.rows()).map(factor).collect::<Result<_>>()?;
        Ok(Self { factors: Factors::OfRows(factors), assumed: false, notes })
    }
}

/// Refuses masses per volume of drugs with an unknown molar mass.
fn refuse_unknown(
    table: &RawTable,
    masses: &MolarMasses,
    place: &str,
    needed: impl Fn(usize) -> bool,
) -> Result<()> {
    let drugs = drugs_without(table, masses, needed);
    if drugs.is_empty() { Ok(()) } else { Err(lacks_molar_mass(place, &drugs)) }
}

fn missing_unit(table: &RawTable, column: usize, row: usize) -> Error {
    Error::data(format!(
        "{}: column {:?}, row {}: empty, expected {EXPECTED}",
        table.label(),
        table.names()[column],
        table.row_of(row)
    ))
    .in_value(table.label(), &table.names()[column], table.row_of(row))
    .with_help("fill it in, or set the unit of all doses, which overrides the column (`--dose-unit`)")
}

fn needs_molar_mass(place: &str) -> Error {
    Error::data(format!("{place}: the doses are mass concentrations; the conversion to µM needs the molar mass of each drug"))
        .with_help("for curves, add a column molar_mass (g/mol) or smiles, or give a table of drugs with such a column (`halfmax fit-curves --drugs FILE`); otherwise convert the doses first: µM = 1000 × (µg/mL) / (g/mol)")
}

/// The factor that converts a dose in this unit (M, mM, uM, nM, pM, mol/L …) to µM; `None` for other units. `M` and `m`
/// are both molar, because no dose is in metres.
pub fn dose_factor(unit: &str) -> Option<f64> {
    match unit_named(unit) {
        Some(DoseUnit::Molar(factor)) => Some(factor),
        _ => None,
    }
}

/// The unit with this name, in any case.
pub fn unit_named(unit: &str) -> Option<DoseUnit> {
    let plain: String = unit
        .trim()
        .to_lowercase()
        .chars()
        .filter(|letter| !letter.is_whitespace() && !matches!(letter, '(' | ')' | '[' | ']' | '_'))
        .map(|letter| if letter == 'µ' || letter == 'μ' { 'u' } else { letter })
        .collect();
    let molar = plain
        .replace("mol/l", "m")
        .replace("mol.l-1", "m")
        .replace("moll-1", "m")
        .replace("mol/liter", "m")
        .replace("mol/litre", "m");
    let molar = match molar.as_str() {
        "m" | "molar" => Some(1e6),
        "mm" | "millimolar" => Some(1e3),
        "um" | "micromolar" | "umol" | "micrometers" | "umolar" => Some(1.0),
        "nm" | "nanomolar" | "nmol" | "nmolar" => Some(1e-3),
        "pm" | "picomolar" | "pmol" => Some(1e-6),
        _ => None,
    };
    if let Some(factor) = molar {
        return Some(DoseUnit::Molar(factor));
    }
    let mass = plain.replace("milliliter", "ml").replace("liter", "l");
    match mass.as_str() {
        "ug/ml" | "mg/l" | "ugml" | "mcg/ml" => Some(DoseUnit::Mass(1.0)),
        "ng/ml" | "ug/l" | "ngml" => Some(DoseUnit::Mass(1e-3)),
        "mg/ml" | "g/l" | "mgml" => Some(DoseUnit::Mass(1e3)),
        "pg/ml" | "ng/l" => Some(DoseUnit::Mass(1e-6)),
        _ => None,
    }
}

/// A name without the unit at its end, and that unit: `Dose (nM)` is `Dose` in nM, `conc_M` is `conc` in M. `um` and `nm` need no separator
/// before them.
///
/// ```
/// use halfmax_data::split_unit;
/// assert_eq!(split_unit("Dose (nM)").0, "Dose");
/// assert_eq!(split_unit("cell_line"), ("cell_line".to_owned(), None));
/// ```
pub fn split_unit(name: &str) -> (String, Option<DoseUnit>) {
    let trimmed = name.trim();
    if let Some(open) = trimmed.rfind(['(', '[']).filter(|_| trimmed.ends_with([')', ']'])) {
        let inner = &trimmed[open + 1..trimmed.len() - 1];
        if let Some(unit) = unit_named(inner) {
            return (trimmed[..open].trim().to_owned(), Some(unit));
        }
    }
    let separators = [' ', '_', '-', '.', ','];
    if let Some((before, unit)) = mass_at_end(trimmed).filter(|(before, _)| speaks_of_doses(before)) {
        return (before.trim_end_matches(separators).to_owned(), Some(unit));
    }
    if let Some(at) = trimmed.rfind(separators) {
        let (before, end) = trimmed.split_at(at);
        // A final m or M could belong to a name (drug_M), so accept it only after a word for doses.
        if let Some(unit) = unit_named(&end[1..]).filter(|_| !before.is_empty() && speaks_of_doses(before)) {
            return (before.trim_end_matches(separators).to_owned(), Some(unit));
        }
    }
    for (ending, unit) in [("um", 1.0), ("µm", 1.0), ("μm", 1.0), ("nm", 1e-3)] {
        let lower = trimmed.to_lowercase();
        if let Some(before) = lower.strip_suffix(ending).filter(|before| speaks_of_doses(before)) {
            return (before.trim_end_matches(separators).to_owned(), Some(DoseUnit::Molar(unit)));
        }
    }
    (trimmed.to_owned(), None)
}

/// A mass per volume at the end of a name without its slash: `dose_ug_ml`.
fn mass_at_end(name: &str) -> Option<(&str, DoseUnit)> {
    let mut ends = name.rmatch_indices(['_', ' ', '-', '.']).map(|(at, _)| at);
    let (volume, mass) = (ends.next()?, ends.next()?);
    let unit = unit_named(&format!("{}/{}", &name[mass + 1..volume], &name[volume + 1..]))?;
    matches!(unit, DoseUnit::Mass(_)).then_some((&name[..mass], unit))
}

/// Whether a name denotes doses or a quantity in units of dose.
fn speaks_of_doses(name: &str) -> bool {
    let plain = crate::columns::plain(name);
    ["dose", "conc", "concentration", "ic50", "ec50", "gi50", "gr50", "dosage", "doses", "umol"]
        .iter()
        .any(|word| plain.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_however_they_are_written() {
        for (text, factor) in [
            ("nM", 1e-3),
            ("nmol/L", 1e-3),
            ("µM", 1.0),
            ("UM", 1.0),
            ("M", 1e6),
            ("mmol/l", 1e3),
            ("micromolar", 1.0),
            ("pM", 1e-6),
            ("mol/L", 1e6),
        ] {
            assert_eq!(dose_factor(text), Some(factor), "{text}");
        }
        assert_eq!(dose_factor("ug/ml"), None);
        assert_eq!(unit_named("µg/mL"), Some(DoseUnit::Mass(1.0)));
        assert_eq!(unit_named("cells"), None);
    }

    #[test]
    fn a_name_says_its_unit() {
        for (name, bare, factor) in [
            ("Dose (nM)", "Dose", 1e-3),
            ("Dose [uM]", "Dose", 1.0),
            ("concentration_nM", "concentration", 1e-3),
            ("conc_M", "conc", 1e6),
            ("dose_mM", "dose", 1e3),
            ("IC50 (nmol/L)", "IC50", 1e-3),
            ("doseuM", "dose", 1.0),
        ] {
            assert_eq!(split_unit(name), (bare.to_owned(), Some(DoseUnit::Molar(factor))), "{name}");
        }
        assert_eq!(split_unit("dose_ug_ml"), ("dose".to_owned(), Some(DoseUnit::Mass(1.0))));
        assert_eq!(split_unit("Conc (ng/mL)"), ("Conc".to_owned(), Some(DoseUnit::Mass(1e-3))));
        for name in ["drug_m", "album", "cell_line", "TP53 (7157)", "platinum"] {
            assert_eq!(split_unit(name).1, None, "{name}");
        }
    }
}
