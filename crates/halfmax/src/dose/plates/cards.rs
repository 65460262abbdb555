//! Pictures of plates, before any correction.

use halfmax_core::Result;
use halfmax_data::{PlateTables, PlateWells, WellKind, plate_wells};
use halfmax_dose::PlateFormat;
use halfmax_report::{Card, Measure, Picture, PlatePicture, Well};

use super::quality::Plates;
use crate::report::PlateCards;

impl Plates {
    /// The plates as pictures, failing plates first; none if the table does not say where wells lie.
    pub fn cards(&self, tables: &PlateTables) -> Result<PlateCards> {
        let Some(format) = self.format else { return Ok(PlateCards::default()) };
        let mut order: Vec<usize> = (0..self.all.len()).collect();
        order.sort_by_key(|at| (self.all[*at].quality.passes(), self.all[*at].quality.flags.is_empty()));
        order.truncate(PlateCards::MOST);
        let mut cards: Vec<Option<Card>> = vec![None; order.len()];
        for table in 0..tables.tables() {
            let shown = |(at, own)| Some((order.iter().position(|other| *other == at)?, at, own));
            let shown: Vec<(usize, usize, usize)> = self.plates_in_table(table).filter_map(shown).collect();
            if shown.is_empty() {
                continue;
            }
            let Some(wells) = plate_wells(&tables.table(table)?)? else { continue };
            for (place, at, own) in shown {
                cards[place] = Some(self.card(at, picture(&wells, own, format)));
            }
        }
        Ok(PlateCards { cards: cards.into_iter().flatten().collect(), all: self.all.len() })
    }

    fn card(&self, at: usize, picture: PlatePicture) -> Card {
        let quality = &self.all[at].quality;
        let number = |name: &str, value: f64| {
            let value = if value.is_finite() { format!("{value:.2}") } else { "–".into() };
            Measure { name: name.into(), value, interval: String::new() }
        };
        let description = format!("signals of the wells of {}", self.name(at));
        Card {
            title: self.name(at),
            subtitle: String::new(),
            flags: quality.flags.iter().map(|flag| flag.name().replace('_', " ")).collect(),
            picture: Picture::Plate(PlatePicture { description, ..picture }),
            measures: vec![
                number("Z′", quality.z_prime),
                number("SSMD", quality.ssmd),
                number("control CV", quality.control_cv),
                number("edge", quality.effects.edge.share()),
                number("rows", quality.effects.rows.share()),
                number("columns", quality.effects.columns.share()),
            ],
        }
    }
}

/// The signals of a plate at the positions of its wells.
fn picture(wells: &PlateWells, plate: usize, format: PlateFormat) -> PlatePicture {
    let well = |row: &u32| {
        let row = *row as usize;
        let [line, column] = wells.place[row]?;
        let kind = match wells.kind[row] {
            WellKind::Treated => halfmax_report::WellKind::Treated,
            WellKind::Control => halfmax_report::WellKind::Untreated,
            WellKind::Positive | WellKind::Blank => halfmax_report::WellKind::Background,
            WellKind::Other => halfmax_report::WellKind::LeftOut,
        };
        let place = |number: u16| usize::from(number.saturating_sub(1));
        Some(Well { row: place(line), column: place(column), value: wells.signal[row], kind })
    };
    PlatePicture {
        rows: format.rows.into(),
        columns: format.columns.into(),
        measure: "signal".into(),
        wells: wells.plates[plate].wells.iter().filter_map(well).collect(),
        description: String::new(),
    }
}
