//! Options that describe a table, for every command that reads a table.

use clap::Args;
use halfmax_core::{Error, Result};
use halfmax_data::{Names, Orientation, SaidColumns, TableOptions};

use crate::Global;

/// Properties of a table that the user sets. halfmax detects the other properties.
#[derive(Args, Clone, Debug, Default)]
pub struct TableArgs {
    /// Read only the rows with this entry: study=GDSC2. May be given more than once.
    #[arg(long = "where", value_name = "COLUMN=VALUE")]
    rows: Vec<String>,
    /// The sheet of a workbook, by name or number, or the name of a file in an archive.
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// The separator of a text file: one character, or tab, comma, semicolon, blank or pipe.
    #[arg(long, value_name = "CHARACTER")]
    separator: Option<String>,
    /// The orientation of a matrix: cell_lines_in_rows or cell_lines_in_columns.
    #[arg(long, value_name = "ORIENTATION")]
    orientation: Option<String>,
}

impl TableArgs {
    /// The table options that the arguments set.
    ///
    /// # Errors
    /// If an argument is not a pair KEY=VALUE, or the orientation is unknown.
    pub fn options(&self, global: &Global) -> Result<TableOptions> {
        Ok(TableOptions {
            sheet: self.sheet.clone(),
            separator: self.separator.clone(),
            columns: global.columns()?,
            rows: pairs("--where", &self.rows)?,
            orientation: self.orientation.as_deref().map(Orientation::named).transpose()?,
            ..TableOptions::default()
        })
    }
}

/// Splits `KEY=VALUE` arguments, and collects the values of each key.
pub fn pairs(flag: &str, given: &[String]) -> Result<SaidColumns> {
    let mut said = SaidColumns::new();
    for one in given {
        let (key, value) = one.split_once('=').ok_or_else(|| {
            Error::config(format!("{flag} {one:?}: the = is missing"))
                .with_help(format!("write {flag} KEY=VALUE"))
        })?;
        let (key, value) = (key.trim().trim_matches('"'), value.trim().trim_matches('"'));
        let mut values = said.get(key).map(|names| names.all().to_vec()).unwrap_or_default();
        values.push(value.to_owned());
        let names = if values.len() == 1 { Names::One(value.to_owned()) } else { Names::Many(values) };
        said.insert(key.to_owned(), names);
    }
    Ok(said)
}

/// The factor that converts doses in `unit` to µM, for the value of a flag.
///
/// # Errors
/// If the unit is not an amount of substance per volume.
pub fn dose_unit(unit: &str) -> Result<f64, String> {
    const EXPECTED: &str = "expected um, nm, pm, mm or m, in upper or lower case";
    halfmax_data::dose_factor(unit).ok_or_else(|| match halfmax_data::unit_named(unit) {
        Some(_) => {
            format!("{EXPECTED}; convert a mass with the drug's molar mass: uM = 1000 x (ug/ml) / (g/mol)")
        }
        None => EXPECTED.to_owned(),
    })
}
