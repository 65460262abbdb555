//! Tables of results, kept in memory or written part by part.

use std::path::Path;

use halfmax_core::{Error, Result};
use halfmax_data::{OutputColumn, OutputSet, TableWriter};

/// The values of a column of a table of results.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnValues {
    /// Texts; empty if missing.
    Text(Vec<String>),
    /// Numbers; NaN if missing.
    Numbers(Vec<f64>),
    /// Counts.
    Counts(Vec<u32>),
}

impl ColumnValues {
    /// Missing values of the same kind and number: empty, NaN, 0.
    fn missing(&self, rows: usize) -> Self {
        match self {
            Self::Text(_) => Self::Text(vec![String::new(); rows]),
            Self::Numbers(_) => Self::Numbers(vec![f64::NAN; rows]),
            Self::Counts(_) => Self::Counts(vec![0; rows]),
        }
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Numbers(values) => values.len(),
            Self::Counts(values) => values.len(),
        }
    }

    /// Whether the column is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds the values of a column of the same kind. Returns whether the kinds are the same.
    fn append(&mut self, more: Self) -> bool {
        match (self, more) {
            (Self::Text(values), Self::Text(more)) => values.extend(more),
            (Self::Numbers(values), Self::Numbers(more)) => values.extend(more),
            (Self::Counts(values), Self::Counts(more)) => values.extend(more),
            _ => return false,
        }
        true
    }
}

/// A table of results: named columns of equal length, in the order of the files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResultTable {
    columns: Vec<(String, ColumnValues)>,
}

impl ResultTable {
    /// The columns with their names, in order.
    pub fn columns(&self) -> &[(String, ColumnValues)] {
        &self.columns
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&ColumnValues> {
        self.columns.iter().find(|(own, _)| own == name).map(|(_, values)| values)
    }

    /// The column of numbers of this name.
    pub fn numbers(&self, name: &str) -> Option<&[f64]> {
        match self.column(name) {
            Some(ColumnValues::Numbers(values)) => Some(values),
            _ => None,
        }
    }

    /// The column of texts of this name.
    pub fn texts(&self, name: &str) -> Option<&[String]> {
        match self.column(name) {
            Some(ColumnValues::Text(values)) => Some(values),
            _ => None,
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, values)| values.len())
    }

    /// Adds a column of texts.
    pub(crate) fn add_texts<T: Into<String>>(
        &mut self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = T>,
    ) {
        self.columns.push((name.into(), ColumnValues::Text(values.into_iter().map(Into::into).collect())));
    }

    /// Adds a column of numbers.
    pub(crate) fn add_numbers(&mut self, name: impl Into<String>, values: impl IntoIterator<Item = f64>) {
        self.columns.push((name.into(), ColumnValues::Numbers(values.into_iter().collect())));
    }

    /// Adds a column of numbers. Infinite numbers (ends that the data leave open) become missing.
    pub(crate) fn add_finite(&mut self, name: impl Into<String>, values: impl IntoIterator<Item = f64>) {
        let finite = |value: f64| if value.is_finite() { value } else { f64::NAN };
        self.add_numbers(name, values.into_iter().map(finite));
    }

    /// Adds a column of counts.
    pub(crate) fn add_counts(&mut self, name: impl Into<String>, values: impl IntoIterator<Item = u32>) {
        self.columns.push((name.into(), ColumnValues::Counts(values.into_iter().collect())));
    }

    /// The columns without rows. Columns that only `more` has are inserted after the column that they follow there.
    pub(crate) fn united(mut self, more: &Self) -> Self {
        self.columns.iter_mut().for_each(|(_, values)| *values = values.missing(0));
        for (at, (name, values)) in more.columns.iter().enumerate() {
            let place = |name: &str| self.columns.iter().position(|(own, _)| own == name);
            if place(name).is_some() {
                continue;
            }
            let before = more.columns[..at].iter().rev().find_map(|(name, _)| place(name));
            let after = before.map_or(0, |before| before + 1);
            self.columns.insert(after, (name.clone(), values.missing(0)));
        }
        self
    }

    /// The columns of `all`, in its order. Columns that this table lacks get missing values.
    pub(crate) fn arranged_as(mut self, all: &Self) -> Self {
        let rows = self.rows();
        let mut taken = |(name, kind): &(String, ColumnValues)| {
            let own = self.columns.iter().position(|(own, _)| own == name);
            let values = own.map_or_else(|| kind.missing(rows), |at| self.columns.swap_remove(at).1);
            (name.clone(), values)
        };
        Self { columns: all.columns.iter().map(&mut taken).collect() }
    }

    /// Adds the rows of a table.
    ///
    /// # Errors
    /// If its columns are not those of this table.
    fn append(&mut self, more: Self) -> Result<()> {
        if self.columns.is_empty() {
            *self = more;
            return Ok(());
        }
        let differ = || Error::failed("a part of a table has other columns than the parts before it");
        if self.columns.len() != more.columns.len() {
            return Err(differ());
        }
        for ((own, values), (name, more)) in self.columns.iter_mut().zip(more.columns) {
            if *own != name || !values.append(more) {
                return Err(differ());
            }
        }
        Ok(())
    }

    fn write(&self, writer: &mut TableWriter) -> Result<()> {
        let texts: Vec<Vec<&str>> = self
            .columns
            .iter()
            .map(|(_, values)| match values {
                ColumnValues::Text(values) => values.iter().map(String::as_str).collect(),
                _ => Vec::new(),
            })
            .collect();
        let columns: Vec<(&str, OutputColumn)> = self
            .columns
            .iter()
            .zip(&texts)
            .map(|((name, values), texts)| {
                let column = match values {
                    ColumnValues::Text(_) => OutputColumn::Text(texts),
                    ColumnValues::Numbers(values) => OutputColumn::F64(values),
                    ColumnValues::Counts(values) => OutputColumn::U32(values),
                };
                (name.as_str(), column)
            })
            .collect();
        writer.write(&columns)
    }
}

/// The destination of the parts of a table.
pub(crate) enum TableOutput {
    /// Into a file that appears together with the other outputs.
    File(Box<TableWriter>),
    /// Into memory, one after the other.
    Memory(ResultTable),
}

impl TableOutput {
    /// A file: .parquet, .csv or .ndjson; `-` is standard output.
    ///
    /// # Errors
    /// If the file cannot be written, or has another ending.
    pub fn create(path: &Path) -> Result<Self> {
        Ok(Self::File(Box::new(TableWriter::create(path)?)))
    }

    /// A table that stays in memory.
    pub fn memory() -> Self {
        Self::Memory(ResultTable::default())
    }

    /// Whether the caller asked for a file of this table. A table in memory comes with the other results.
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Adds rows.
    ///
    /// # Errors
    /// If the file cannot be written, or the columns are not those of the rows before.
    pub fn add(&mut self, part: ResultTable) -> Result<()> {
        match self {
            Self::File(writer) => part.write(writer),
            Self::Memory(table) => table.append(part),
        }
    }

    /// Completes the table: a file joins the set of outputs, a table in memory is returned.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(self, files: &OutputSet) -> Result<Option<ResultTable>> {
        match self {
            Self::File(writer) => writer.finish_into(files).map(|()| None),
            Self::Memory(table) => Ok(Some(table)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(table: &ResultTable) -> Vec<&str> {
        table.columns().iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn columns_that_only_some_parts_have_come_behind_those_they_follow() {
        let mut first = ResultTable::default();
        first.add_texts("block", ["1"]);
        first.add_numbers("dose_a", [1.0]);
        first.add_numbers("score", [2.0]);
        let mut second = ResultTable::default();
        second.add_texts("block", ["2"]);
        second.add_texts("drug_c", ["C"]);
        second.add_numbers("dose_a", [3.0]);
        second.add_numbers("dose_c", [4.0]);
        second.add_numbers("score", [5.0]);
        let all = first.clone().united(&second);
        assert_eq!((names(&all), all.rows()), (vec!["block", "drug_c", "dose_a", "dose_c", "score"], 0));
        let mut sink = TableOutput::memory();
        sink.add(first.arranged_as(&all)).unwrap();
        sink.add(second.arranged_as(&all)).unwrap();
        let table = sink.finish(&OutputSet::of(Path::new("-"))).unwrap().unwrap();
        assert_eq!((names(&table), table.rows()), (names(&all), 2));
        assert_eq!(table.texts("drug_c"), Some(&["".to_owned(), "C".to_owned()][..]));
        assert_eq!(table.numbers("score"), Some(&[2.0, 5.0][..]));
        assert!(table.numbers("dose_c").is_some_and(|doses| doses[0].is_nan() && doses[1] == 4.0));
    }
}
