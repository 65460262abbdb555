//! What can be said of a table on the command line, for every command that reads one.

use clap::Args;
use halfmax_core::{Error, Result};
use halfmax_data::{Names, Orientation, SaidColumns, TableOptions};

use crate::Global;

/// What is said of a table instead of having it found out.
#[derive(Args, Clone, Debug, Default)]
pub struct TableArgs {
    /// Read the rows with this entry only: study=GDSC2. May be given more than once.
    #[arg(long = "where", value_name = "COLUMN=VALUE")]
    rows: Vec<String>,
    /// The sheet of a workbook, by name or number, or the file in an archive.
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// The separator of a text file: one character, or tab, comma, semicolon, blank, pipe.
    #[arg(long, value_name = "CHARACTER")]
    separator: Option<String>,
    /// Which way round a matrix is: cell_lines_in_rows or cell_lines_in_columns.
    #[arg(long, value_name = "ORIENTATION")]
    orientation: Option<String>,
}

impl TableArgs {
    /// The options that the arguments say.
    ///
    /// # Errors
    /// If one is no pair, or names no orientation.
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

/// `key=value` arguments, those of one key together.
pub fn pairs(flag: &str, given: &[String]) -> Result<SaidColumns> {
    let mut said = SaidColumns::new();
    for one in given {
        let (key, value) = one.split_once('=').ok_or_else(|| {
            Error::config(format!("{flag} {one:?}: has no =")).with_help(format!("write {flag} KEY=VALUE"))
        })?;
        let (key, value) = (key.trim().trim_matches('"'), value.trim().trim_matches('"'));
        let mut values = said.get(key).map(|names| names.all().to_vec()).unwrap_or_default();
        values.push(value.to_owned());
        let names = if values.len() == 1 { Names::One(value.to_owned()) } else { Names::Many(values) };
        said.insert(key.to_owned(), names);
    }
    Ok(said)
}

/// What a dose in a unit is to be multiplied with to be in µM, for a flag.
///
/// # Errors
/// If it is not an amount of substance per volume.
pub fn dose_unit(unit: &str) -> Result<f64, String> {
    const EXPECTED: &str = "expected um, nm, pm, mm or m, whatever their case";
    halfmax_data::dose_factor(unit).ok_or_else(|| match halfmax_data::unit_named(unit) {
        Some(_) => {
            format!("{EXPECTED}: convert a mass with the drug's molar mass, uM = 1000 x (ug/ml) / (g/mol)")
        }
        None => EXPECTED.to_owned(),
    })
}
