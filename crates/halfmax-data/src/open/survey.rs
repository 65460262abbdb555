//! Surveys a file that is read in parts: the content of its columns and a sample of its rows. All decisions that must
//! be the same for all parts use this survey.

use std::collections::HashMap;
use std::sync::Arc;

use halfmax_core::{Result, Seed};

use crate::profile::{Content, MANY_ROWS};
use crate::table::{Header, OfWhole, RawColumn, RawTable, RowPlaces, Values};

/// The survey of a file.
pub(super) struct Survey {
    names: Vec<String>,
    /// Whether a column holds numbers only.
    pub numeric: Vec<bool>,
    /// Whether a column has no value in any row.
    empty: Vec<bool>,
    /// The last value of each column that has held row numbers so far; NaN before the first row.
    row_numbers: Vec<Option<f64>>,
    /// For each column, an earlier column with the same name, if any, and whether all their values are equal.
    repeated: Vec<Option<(usize, bool)>>,
    pub rows: usize,
    sample: Sample,
}

/// A sample of chosen rows of a table that is read in parts.
#[derive(Default)]
pub(crate) struct ChosenRows {
    rows: usize,
    sample: Sample,
}

impl ChosenRows {
    /// Adds the chosen rows of a part.
    pub fn add(&mut self, part: &RawTable) {
        self.sample.take(self.rows, part.rows(), &part.places, &part.columns);
        self.rows += part.rows();
    }

    /// A sample of all chosen rows, which decides the content of the columns.
    pub fn sampled(self, like: &RawTable) -> RawTable {
        let (rows, places, values) = self.sample.joined(like.names().len());
        let named = like.names().iter().zip(values);
        let columns = named.map(|(name, values)| RawColumn { name: name.clone(), values }).collect();
        let mut sample = RawTable::like(like, columns, rows, RowPlaces::Listed(places));
        sample.decided = None;
        sample.decide_contents();
        sample
    }
}

/// Properties of a file besides its rows.
pub(super) struct About<'a> {
    pub label: &'a str,
    pub header: Header,
    pub bytes: u64,
    pub notes: Vec<String>,
}

/// The decisions about a file.
pub(super) struct Surveyed {
    /// A sample of the rows, with the decisions.
    pub sample: RawTable,
    /// The file columns that become table columns.
    pub kept: Vec<usize>,
    pub rows: usize,
    pub numeric: Vec<bool>,
}

impl Survey {
    pub fn of(names: &[String], numeric: Vec<bool>) -> Self {
        let earlier = |at: usize| {
            let name = &names[at];
            names[..at].iter().position(|other| other == name && !name.is_empty())
        };
        Self {
            names: names.to_vec(),
            numeric,
            empty: vec![true; names.len()],
            row_numbers: vec![Some(f64::NAN); names.len()],
            repeated: (0..names.len()).map(|at| Some((earlier(at)?, true))).collect(),
            rows: 0,
            sample: Sample::default(),
        }
    }

    /// Adds a part to the survey.
    pub fn see(&mut self, columns: &[RawColumn], rows: usize, places: &RowPlaces) {
        for (at, column) in columns.iter().enumerate() {
            self.empty[at] &= column.values.is_all_missing();
            self.numeric[at] &= matches!(column.values, Values::Numbers(_) | Values::Singles(_));
            self.row_numbers[at] = self.row_numbers[at].and_then(|last| goes_on(last, &column.values));
            if let Some((earlier, same)) = &mut self.repeated[at] {
                *same &= columns[*earlier].values.same(&column.values);
            }
        }
        self.sample.take(self.rows, rows, places, columns);
        self.rows += rows;
    }

    /// The decisions. `finished` processes the sampled columns as it will process those of the parts, and may give
    /// notes. `None` if columns with one name differ, or the sample does not show which columns are empty; reading the
    /// whole table then reports the problem.
    pub fn conclude(
        self,
        about: About,
        finished: impl FnOnce(&mut Vec<RawColumn>) -> Vec<String>,
    ) -> Result<Option<Surveyed>> {
        let (rows, places, values) = self.sample.joined(self.numeric.len());
        let is_shown =
            |at: usize| !self.names[at].is_empty() || values[at].is_all_missing() == self.empty[at];
        let same = |at: usize| self.repeated[at].is_none_or(|(_, same)| same);
        if !(0..self.names.len()).all(|at| is_shown(at) && same(at)) {
            return Ok(None);
        }
        let column = |(name, values): (&String, Values)| RawColumn { name: name.clone(), values };
        let mut columns: Vec<RawColumn> = self.names.iter().zip(values).map(column).collect();
        let mut notes = about.notes;
        notes.extend(finished(&mut columns));
        let all: Vec<Values> = columns.iter().map(|column| column.values.clone()).collect();
        let mut sample = RawTable::new(about.label, columns, rows, RowPlaces::Listed(places), notes)?;
        (sample.header, sample.bytes) = (about.header, about.bytes);
        let mut kept: Vec<usize> = Vec::new();
        for column in &sample.columns {
            let from = kept.last().map_or(0, |last| last + 1);
            kept.extend((from..all.len()).find(|at| all[*at].is(&column.values)));
        }
        if kept.len() != sample.columns.len() {
            return Ok(None);
        }
        let mut contents: HashMap<String, Content> = HashMap::new();
        for (at, name) in kept.iter().zip(sample.names()) {
            let in_order = self.row_numbers[*at].is_some_and(|last| !last.is_nan());
            let content = match in_order && self.rows >= MANY_ROWS {
                true => Content::RowNumber,
                false => sample.content(contents.len()),
            };
            contents.insert(name.clone(), content);
        }
        sample.decided = Some(Arc::new(OfWhole { contents, ..OfWhole::default() }));
        Ok(Some(Surveyed { sample, kept, rows: self.rows, numeric: self.numeric }))
    }
}

impl Surveyed {
    /// A part of the file as a table, without notes.
    pub fn part(&self, columns: &[RawColumn], rows: usize, places: RowPlaces) -> RawTable {
        let named = self.kept.iter().zip(self.sample.names());
        let column = |(at, name): (&usize, &String)| RawColumn {
            name: name.clone(),
            values: columns[*at].values.clone(),
        };
        let mut table = RawTable::like(&self.sample, named.map(column).collect(), rows, places);
        table.notes.clear();
        table
    }
}

/// The last of values that continue from `last` in steps of 1, starting at 0 or 1; `None` if they do not.
fn goes_on(last: f64, values: &Values) -> Option<f64> {
    let Values::Numbers(values) = values else { return None };
    values.iter().try_fold(last, |last, value| {
        let next = if last.is_nan() { *value == 0.0 || *value == 1.0 } else { *value == last + 1.0 };
        next.then_some(*value)
    })
}

/// A random sample of rows that is the same every time.
#[derive(Default)]
struct Sample {
    /// A row is kept if these bits of its random number are 0.
    mask: u64,
    parts: Vec<SampledPart>,
    rows: usize,
}

struct SampledPart {
    drawn: Vec<u64>,
    places: Vec<u32>,
    values: Vec<Values>,
}

impl Sample {
    /// A larger sample is thinned to about half.
    const MOST: usize = 1 << 17;

    fn take(&mut self, first: usize, rows: usize, places: &RowPlaces, columns: &[RawColumn]) {
        let draw = |row: usize| Seed::new(1).derive((first + row) as u64).value();
        let chosen: Vec<usize> = (0..rows).filter(|row| draw(*row) & self.mask == 0).collect();
        self.rows += chosen.len();
        self.parts.push(SampledPart {
            drawn: chosen.iter().map(|row| draw(*row)).collect(),
            places: chosen.iter().map(|row| places.of(*row) as u32).collect(),
            values: columns.iter().map(|column| column.values.taken(&chosen)).collect(),
        });
        while self.rows > Self::MOST {
            self.mask = self.mask << 1 | 1;
            self.parts.iter_mut().for_each(|part| part.thin(self.mask));
            self.rows = self.parts.iter().map(|part| part.drawn.len()).sum();
        }
    }

    /// The number of rows, their positions, and their values by column.
    fn joined(self, columns: usize) -> (usize, Vec<u32>, Vec<Values>) {
        let places = self.parts.iter().flat_map(|part| part.places.iter().copied()).collect();
        let mut values: Vec<Vec<Values>> = vec![Vec::new(); columns];
        for part in self.parts {
            values.iter_mut().zip(part.values).for_each(|(column, own)| column.push(own));
        }
        (self.rows, places, values.into_iter().map(Values::joined).collect())
    }
}

impl SampledPart {
    fn thin(&mut self, mask: u64) {
        let left: Vec<usize> = (0..self.drawn.len()).filter(|at| self.drawn[*at] & mask == 0).collect();
        self.drawn = left.iter().map(|at| self.drawn[*at]).collect();
        self.places = left.iter().map(|at| self.places[*at]).collect();
        self.values.iter_mut().for_each(|values| *values = values.taken(&left));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_thinned_evenly() {
        let mut sample = Sample::default();
        for part in 0..40_usize {
            let values = (0..10_000).map(|at| (part * 10_000 + at) as f64).collect();
            sample.take(
                part * 10_000,
                10_000,
                &RowPlaces::From(2),
                &[RawColumn { name: "x".into(), values: Values::numbers(values) }],
            );
        }
        let (rows, places, values) = sample.joined(1);
        assert!((Sample::MOST / 3..=Sample::MOST).contains(&rows), "{rows}");
        let Values::Numbers(values) = &values[0] else { panic!("no numbers") };
        assert_eq!((values.len(), places.len()), (rows, rows));
        let low = values.iter().filter(|value| **value < 200_000.0).count() as f64 / rows as f64;
        assert!((low - 0.5).abs() < 0.02, "{low}");
    }
}
