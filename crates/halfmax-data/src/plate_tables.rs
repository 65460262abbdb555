//! Tables of raw signals in which the wells of a plate are together with the untreated wells that normalise them.

use std::sync::Arc;

use halfmax_core::Result;

use crate::note::Note;
use crate::parts::{PartSize, TableParts};
use crate::plate_wells::WellSpan;
use crate::plates::{Well, kinds_of_wells, signal_column, times};
use crate::readings::named_like_viabilities;
use crate::regroup::{Regroup, Regrouped};
use crate::roles::Role;
use crate::table::{Labels, OfWhole, RawTable};

/// The wells of raw plates, in groups of whole plates.
pub struct PlateTables {
    tables: Tables,
    notes: Vec<Note>,
    size: PartSize,
}

enum Tables {
    Whole(Box<RawTable>),
    /// Regrouped by plate, with the decisions about all plates.
    Regrouped(Box<Regrouped>, Arc<OfWhole>, SignalColumn),
}

/// How the column of signals was recognised.
#[derive(Clone, Copy)]
enum SignalColumn {
    /// By its name and content.
    Found,
    /// It has another name.
    Is(usize),
}

/// The approximate size in bytes of a plate of a thousand wells.
const BYTES_OF_A_PLATE: usize = 1 << 18;

impl PlateTables {
    /// The plates of a table; `None` if it has no raw signals.
    ///
    /// # Errors
    /// If the table, its signals or its kinds of wells cannot be read.
    pub fn of(parts: &TableParts) -> Result<Option<Self>> {
        let sample = parts.sample()?;
        let column = match signal_column(&sample) {
            Some(_) => SignalColumn::Found,
            None => match named_like_viabilities(&sample)?.and_then(|signals| signal_column(&signals)) {
                Some(column) => SignalColumn::Is(column),
                None => return Ok(None),
            },
        };
        let size = parts.size();
        if !parts.is_divided() {
            let mut whole = sample;
            let notes = std::mem::take(&mut whole.notes);
            return Ok(Some(Self { tables: Tables::Whole(Box::new(whole)), notes, size }));
        }
        let mut seen = Seen::default();
        parts.each(|table| seen.see(&column.said_of(table)))?;
        let contents = sample.decided.as_ref().map_or_else(Default::default, |whole| whole.contents.clone());
        let whole =
            Arc::new(OfWhole { contents, later_times: Some(seen.later_times), wells: Some(seen.wells) });
        let together = seen.together();
        let mut regroup = Regroup::new(size, BYTES_OF_A_PLATE, &std::env::temp_dir());
        let mut notes = parts.each(|table| {
            let rows: Vec<usize> = (0..table.rows()).collect();
            regroup.add(&table, &together.labels(&table)?, &rows)
        })?;
        if let SignalColumn::Is(at) = column {
            notes.push(
                format!("{:?} is named as a viability, but its numbers are raw signals", sample.names()[at])
                    .into(),
            );
        }
        Ok(Some(Self {
            tables: Tables::Regrouped(
                Box::new(regroup.finish(|table| together.labels(table))?),
                whole,
                column,
            ),
            notes,
            size,
        }))
    }

    /// The number of tables.
    pub fn tables(&self) -> usize {
        match &self.tables {
            Tables::Whole(_) => 1,
            Tables::Regrouped(tables, ..) => tables.tables(),
        }
    }

    /// The wells of some plates, without the notes that all tables share.
    ///
    /// # Errors
    /// If the temporary file cannot be read.
    pub fn table(&self, at: usize) -> Result<RawTable> {
        match &self.tables {
            Tables::Whole(table) => Ok(table.as_ref().clone()),
            Tables::Regrouped(tables, whole, column) => {
                self.size.go_on()?;
                let mut table = tables.table(at)?;
                table.decided = Some(whole.clone());
                table.notes.clear();
                Ok(column.said_of(table))
            }
        }
    }

    /// The notes on all plates.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Whether there may be several tables.
    pub fn is_divided(&self) -> bool {
        matches!(self.tables, Tables::Regrouped(..))
    }

    /// The size of the tables.
    pub fn size(&self) -> PartSize {
        self.size
    }

    /// The size in bytes of the temporary file that holds the wells; `None` if all wells are in memory.
    pub fn bytes_on_disk(&self) -> Option<u64> {
        match &self.tables {
            Tables::Whole(_) => None,
            Tables::Regrouped(tables, ..) => tables.bytes_on_disk(),
        }
    }
}

impl SignalColumn {
    fn said_of(self, table: RawTable) -> RawTable {
        match self {
            Self::Found => table,
            Self::Is(column) => table.with_signal_column(column),
        }
    }
}

/// Properties of a file's wells that decide which wells must be together.
#[derive(Default)]
struct Seen {
    later_times: bool,
    at_time_zero: bool,
    time_zeros: bool,
    blanks: bool,
    without_cell_line: bool,
    wells: WellSpan,
}

impl Seen {
    fn see(&mut self, table: &RawTable) -> Result<()> {
        let times = times(table)?;
        self.later_times |= times.iter().any(|time| *time > 0.0);
        self.at_time_zero |= times.contains(&0.0);
        let kinds = kinds_of_wells(table)?;
        self.time_zeros |= kinds.contains(&Well::TimeZero);
        self.blanks |= kinds.contains(&Well::Blank);
        if let Some(column) = table.role(Role::CellLine) {
            self.without_cell_line |= table.labels(column)?.of_row.contains(&Labels::MISSING);
        }
        self.wells.join(WellSpan::of(table)?);
        Ok(())
    }

    /// Wells share the blanks of their plate, its untreated wells without a cell line, and the time-zero wells of their
    /// cell line on any plate.
    fn together(&self) -> Together {
        let of_plate = self.blanks || self.without_cell_line;
        let of_line = self.time_zeros || (self.later_times && self.at_time_zero);
        Together { plate: !of_line, line: !of_plate }
    }
}

/// The columns that separate wells which need not be together.
#[derive(Clone, Copy)]
struct Together {
    plate: bool,
    line: bool,
}

impl Together {
    fn labels(self, table: &RawTable) -> Result<Vec<Arc<Labels>>> {
        let plate = table.role(Role::Plate).or_else(|| table.role(Role::Experiment)).filter(|_| self.plate);
        let line = table.role(Role::CellLine).filter(|_| self.line);
        plate.into_iter().chain(line).map(|column| table.labels(column)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wells_share_says_which_are_together() {
        let together = |seen: Seen| {
            let Together { plate, line } = seen.together();
            (plate, line)
        };
        assert_eq!(together(Seen::default()), (true, true));
        assert_eq!(together(Seen { blanks: true, ..Seen::default() }), (true, false));
        assert_eq!(together(Seen { without_cell_line: true, ..Seen::default() }), (true, false));
        assert_eq!(together(Seen { time_zeros: true, ..Seen::default() }), (false, true));
        let course = Seen { later_times: true, at_time_zero: true, blanks: true, ..Seen::default() };
        assert_eq!(together(course), (false, false));
    }
}
