//! Columns of a table that is written part by part, where some parts lack columns of others.

use halfmax_core::Result;
use halfmax_data::{OutputColumn, TableWriter};

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    Text(Vec<String>),
    Numbers(Vec<f64>),
    Counts(Vec<u32>),
}

impl Values {
    /// As many missing values of the same kind: empty, NaN, 0.
    fn missing(&self, rows: usize) -> Self {
        match self {
            Self::Text(_) => Self::Text(vec![String::new(); rows]),
            Self::Numbers(_) => Self::Numbers(vec![f64::NAN; rows]),
            Self::Counts(_) => Self::Counts(vec![0; rows]),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Numbers(values) => values.len(),
            Self::Counts(values) => values.len(),
        }
    }
}

/// Columns by name, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    columns: Vec<(String, Values)>,
}

impl Columns {
    pub fn text<T: Into<String>>(&mut self, name: impl Into<String>, values: impl Iterator<Item = T>) {
        self.columns.push((name.into(), Values::Text(values.map(Into::into).collect())));
    }

    pub fn add(&mut self, name: impl Into<String>, values: impl Iterator<Item = f64>) {
        self.columns.push((name.into(), Values::Numbers(values.collect())));
    }

    pub fn counts(&mut self, name: impl Into<String>, values: impl Iterator<Item = u32>) {
        self.columns.push((name.into(), Values::Counts(values.collect())));
    }

    /// The columns without rows, then those of `more` that are not among them, each behind the one that it stands behind there.
    pub fn united(mut self, more: &Self) -> Self {
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

    /// Writes the columns in the order of `all`, with missing values for those that are not there.
    pub fn write(&self, all: &Self, writer: &mut TableWriter) -> Result<()> {
        let rows = self.columns.first().map_or(0, |(_, values)| values.len());
        let own = |name: &str| self.columns.iter().find(|(own, _)| own == name).map(|(_, values)| values);
        let filled: Vec<(&str, Values)> = all
            .columns
            .iter()
            .map(|(name, kind)| (name.as_str(), own(name).cloned().unwrap_or_else(|| kind.missing(rows))))
            .collect();
        let texts: Vec<Vec<&str>> = filled
            .iter()
            .map(|(_, values)| match values {
                Values::Text(values) => values.iter().map(String::as_str).collect(),
                _ => Vec::new(),
            })
            .collect();
        let table: Vec<(&str, OutputColumn)> = filled
            .iter()
            .zip(&texts)
            .map(|((name, values), texts)| {
                let column = match values {
                    Values::Text(_) => OutputColumn::Text(texts),
                    Values::Numbers(values) => OutputColumn::F64(values),
                    Values::Counts(values) => OutputColumn::U32(values),
                };
                (*name, column)
            })
            .collect();
        writer.write(&table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_only_some_parts_have_come_behind_those_they_follow() {
        let mut first = Columns::default();
        first.text("block", ["1"].into_iter());
        first.add("dose_a", [1.0].into_iter());
        first.add("score", [2.0].into_iter());
        let mut second = Columns::default();
        second.text("block", ["2"].into_iter());
        second.text("drug_c", ["C"].into_iter());
        second.add("dose_a", [3.0].into_iter());
        second.add("dose_c", [4.0].into_iter());
        second.add("score", [5.0].into_iter());
        let all = first.clone().united(&second);
        let names: Vec<&str> = all.columns.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["block", "drug_c", "dose_a", "dose_c", "score"]);
    }
}
