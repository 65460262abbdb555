//! The split that leaves tissues out.

use halfmax_core::{Category, Result, Screen};
use rand_chacha::ChaCha8Rng;

use super::grouping::{Grouping, Screens};
use crate::units::{Units, balanced, tissue};
use crate::{SplitKind, Validation};

/// Unseen tissues (the grouping "tissue" of the cell lines): a new cancer type.
pub(super) struct Tissues;

impl Grouping for Tissues {
    fn name(&self) -> &'static str {
        "lto"
    }

    fn alias(&self) -> &'static str {
        "leave_tissue"
    }

    fn summary(&self) -> &'static str {
        "Unseen tissues (the grouping \"tissue\" of the cell lines): a new cancer type."
    }

    fn unseen(&self) -> &'static str {
        "tissues"
    }

    fn screens(&self) -> Screens {
        Screens::All
    }

    fn units(&self, screen: &Screen) -> Result<Units> {
        let tissue = tissue(screen)?;
        let cells = screen.responses.side(0);
        Ok(Units::numbered(cells.iter().map(|cell| tissue.codes[*cell as usize])))
    }

    fn unit(&self, _screen: &Screen) -> String {
        "tissue".into()
    }

    fn unit_name(&self, screen: &Screen, response: usize) -> String {
        let cell = screen.responses.side(0)[response] as usize;
        let tissue = screen.table(0).group("tissue");
        let level = |tissue: &Category| tissue.levels.get(usize::from(tissue.codes[cell]?)).cloned();
        format!("{:?}", tissue.and_then(level).unwrap_or_default())
    }

    fn validation(&self, screen: &Screen) -> Result<Validation> {
        let tissue = tissue(screen)?;
        let alone =
            |(cell, code): (usize, &Option<u16>)| code.map_or(tissue.levels.len() + cell, usize::from);
        Ok(Validation::Groups(0, tissue.codes.iter().enumerate().map(alone).collect()))
    }

    /// The largest tissue first, each into the fold with the fewest cell lines.
    fn deal(&self, units: &Units, screen: &Screen, folds: usize, random: &mut ChaCha8Rng) -> Vec<u16> {
        balanced(&units.sizes(screen), folds, random)
    }

    /// Cell lines without a tissue must not cross folds either.
    fn also_whole(&self) -> Option<SplitKind> {
        Some(SplitKind::LCO)
    }
}
