//! CSV files with all values as texts.

use halfmax_core::{Error, Result};

/// A table of texts, column by column; gaps are empty.
pub(crate) struct Texts {
    /// The names and the values of the columns.
    pub columns: Vec<(String, Vec<String>)>,
    /// The number of rows.
    pub rows: usize,
}

impl Texts {
    /// Reads a CSV file with a line of names. Blank lines are skipped. A row may lack values at its end.
    ///
    /// # Errors
    /// If the bytes are not a CSV file, or a row has more values than names.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let damaged = |error: csv::Error| Error::data(error.to_string());
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
        let names = reader.headers().map_err(damaged)?.clone();
        let mut columns: Vec<(String, Vec<String>)> =
            names.iter().map(|name| (name.to_owned(), Vec::new())).collect();
        let mut rows = 0;
        for row in reader.records() {
            let row = row.map_err(damaged)?;
            if row.len() > columns.len() {
                let (found, expected) = (row.len(), columns.len());
                return Err(Error::data(format!("a row has {found} values, expected {expected}")));
            }
            for (at, (_, values)) in columns.iter_mut().enumerate() {
                values.push(row.get(at).unwrap_or_default().to_owned());
            }
            rows += 1;
        }
        Ok(Self { columns, rows })
    }

    /// The values of a column.
    ///
    /// # Errors
    /// If no column has this name.
    pub fn column(&self, name: &str) -> Result<Vec<&str>> {
        let column = self.columns.iter().find(|(own, _)| own == name);
        let (_, values) = column.ok_or_else(|| Error::data(format!("it has no column {name}")))?;
        Ok(values.iter().map(String::as_str).collect())
    }
}
