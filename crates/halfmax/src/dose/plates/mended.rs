//! Corrected plates: position effects are removed, and failing plates are left out, if requested.

use halfmax_core::Result;
use halfmax_data::{Note, PartSize, PlateTables, RawTable, Rows, join_notes, plate_wells};
use halfmax_dose::Corrected;

use super::PlateOptions;
use super::quality::Plates;

/// The rows of plates, corrected while they are read.
pub(super) struct MendedRows {
    tables: PlateTables,
    /// `None` if no correction was requested.
    mending: Option<Mending>,
}

/// The corrections of plates.
struct Mending {
    plates: Plates,
    corrects: bool,
    drops_failed: bool,
}

impl MendedRows {
    /// Rows as they were read.
    pub fn unchanged(tables: PlateTables) -> Self {
        Self { tables, mending: None }
    }

    /// Rows after the requested corrections.
    pub fn new(tables: PlateTables, plates: Plates, options: &PlateOptions) -> Self {
        // Without an effect there is nothing to correct.
        let corrects = options.corrected() != Corrected::default() && plates.any_correction();
        let drops_failed = options.drop_failed_plates;
        let mending = (corrects || drops_failed).then_some(Mending { plates, corrects, drops_failed });
        Self { tables, mending }
    }
}

impl Mending {
    fn mended(&self, at: usize, mut table: RawTable) -> Result<RawTable> {
        let Some(wells) = plate_wells(&table)? else { return Ok(table) };
        if self.corrects {
            let note = "position effects were removed from the signals (`--correct`)";
            table = table.with_signals(self.plates.corrected_signals(at, &wells), note)?;
        }
        Ok(if self.drops_failed { self.plates.without_failed(at, &wells, table) } else { table })
    }
}

impl Rows for MendedRows {
    fn each(&self, take: &mut dyn FnMut(RawTable) -> Result<()>) -> Result<Vec<Note>> {
        let mut notes = self.tables.notes().to_vec();
        for at in 0..self.tables.tables() {
            let table = self.tables.table(at)?;
            let mut table = match &self.mending {
                Some(mending) => mending.mended(at, table)?,
                None => table,
            };
            join_notes(&mut notes, table.take_notes());
            take(table)?;
        }
        Ok(notes)
    }

    fn size(&self) -> PartSize {
        self.tables.size()
    }

    fn is_divided(&self) -> bool {
        self.tables.is_divided()
    }

    fn plates_are_whole(&self) -> bool {
        true
    }
}
