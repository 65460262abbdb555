//! Writes predictions of test responses as Parquet, CSV or NDJSON in a stream.

use std::path::Path;

use halfmax_core::{Error, Result};

use crate::writers::{OutputColumn, TableWriter};

/// A prediction with the observed response.
#[derive(Clone, Copy, Debug)]
pub struct PredictionRow {
    /// Position of the cell line.
    pub cell_line: u32,
    /// Position of the drug.
    pub drug: u32,
    /// Position of the second drug of a combination.
    pub drug_b: Option<u32>,
    /// The fold in which it was predicted.
    pub fold: u32,
    /// The observed response, in the unit of the target; NaN without an observation.
    pub observed: f32,
    /// The predicted response, in the unit of the target.
    pub predicted: f32,
    /// The ends of the prediction's interval.
    pub interval: Option<[f32; 2]>,
}

/// The optional columns of a file of predictions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PredictionColumns {
    /// `drug_b`: the second drugs of combinations.
    pub second_drugs: bool,
    /// `lower` and `upper`: the ends of intervals.
    pub intervals: bool,
}

/// The number of rows that are buffered.
const HELD: usize = 1 << 20;

/// Writes predictions as `cell_line, drug[, drug_b], fold, model, observed, predicted[, lower, upper]`. The buffer
/// holds about a million rows, so memory does not grow with the number of rows.
pub struct PredictionWriter<'a> {
    table: TableWriter,
    cell_lines: &'a [String],
    drugs: &'a [String],
    columns: PredictionColumns,
    held: Vec<PredictionRow>,
    /// The models of the buffered rows, each with its number of rows.
    models: Vec<(String, usize)>,
}

impl<'a> PredictionWriter<'a> {
    /// Opens a file: Parquet, CSV or NDJSON by the ending. `cell_lines` and `drugs` are the ids at each position.
    ///
    /// # Errors
    /// As [`TableWriter::create`].
    pub fn create(
        path: impl AsRef<Path>,
        cell_lines: &'a [String],
        drugs: &'a [String],
        columns: PredictionColumns,
    ) -> Result<Self> {
        let table = TableWriter::create(path)?;
        Ok(Self { table, cell_lines, drugs, columns, held: Vec::new(), models: Vec::new() })
    }

    /// Writes the predictions of a model.
    ///
    /// # Errors
    /// If a position has no id, or writing fails.
    pub fn write(&mut self, model: &str, rows: impl IntoIterator<Item = PredictionRow>) -> Result<()> {
        self.models.push((model.to_owned(), 0));
        for row in rows {
            if self.held.len() == HELD {
                self.write_held()?;
                self.models.push((model.to_owned(), 0));
            }
            self.held.push(row);
            if let Some((_, count)) = self.models.last_mut() {
                *count += 1;
            }
        }
        Ok(())
    }

    fn write_held(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.held);
        let models = std::mem::take(&mut self.models);
        let cells = named(self.cell_lines, rows.iter().map(|row| row.cell_line))?;
        let drugs = named(self.drugs, rows.iter().map(|row| row.drug))?;
        let seconds = match self.columns.second_drugs {
            true => named(self.drugs, rows.iter().filter_map(|row| row.drug_b))?,
            false => Vec::new(),
        };
        let folds: Vec<u32> = rows.iter().map(|row| row.fold).collect();
        let named_models = models.iter().map(|(name, count)| std::iter::repeat_n(name.as_str(), *count));
        let named_models: Vec<&str> = named_models.flatten().collect();
        let numbers = |of: fn(&PredictionRow) -> f32| rows.iter().map(of).collect::<Vec<f32>>();
        let (observed, predicted) = (numbers(|row| row.observed), numbers(|row| row.predicted));
        let mut table = vec![("cell_line", OutputColumn::Text(&cells)), ("drug", OutputColumn::Text(&drugs))];
        if self.columns.second_drugs {
            table.push(("drug_b", OutputColumn::Text(&seconds)));
        }
        table.extend([
            ("fold", OutputColumn::U32(&folds)),
            ("model", OutputColumn::Text(&named_models)),
            ("observed", OutputColumn::F32(&observed)),
            ("predicted", OutputColumn::F32(&predicted)),
        ]);
        let ends = self.columns.intervals.then(|| {
            [
                numbers(|row| row.interval.map_or(f32::NAN, |ends| ends[0])),
                numbers(|row| row.interval.map_or(f32::NAN, |ends| ends[1])),
            ]
        });
        if let Some([lower, upper]) = &ends {
            table.extend([("lower", OutputColumn::F32(lower)), ("upper", OutputColumn::F32(upper))]);
        }
        self.table.write(&table)?;
        drop(table);
        self.held = rows;
        self.held.clear();
        Ok(())
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// As [`PredictionWriter::write`] and [`TableWriter::finish`].
    pub fn finish(mut self) -> Result<()> {
        self.write_held()?;
        self.table.finish()
    }
}

fn named(ids: &[String], positions: impl Iterator<Item = u32>) -> Result<Vec<&str>> {
    let id = |at: u32| {
        let id = ids.get(at as usize).map(String::as_str);
        id.ok_or_else(|| Error::failed(format!("prediction of entity {at} of {}", ids.len())))
    };
    positions.map(id).collect()
}
