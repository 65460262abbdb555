//! Marks for directions and agreement: a shape, a word and a colour, never a colour alone.

use crate::data::{Agreement, Direction};
use crate::html::Html;

/// A cell that gives a direction.
pub(crate) fn direction(html: &mut Html, direction: Direction) {
    html.raw(match direction {
        Direction::Resistance => "<td class=R>▲ resistance",
        Direction::Sensitivity => "<td class=S>▼ sensitivity",
        Direction::Unclear => "<td>unclear",
    });
}

/// A cell that compares a direction with the catalogue's.
pub(crate) fn agreement(html: &mut Html, agreement: Agreement) {
    html.raw(match agreement {
        Agreement::Agrees => "<td>✓ agrees",
        Agreement::Differs => "<td>≠ differs",
        Agreement::Unknown => "<td>none",
    });
}

/// Whether a direction is the expected one.
pub(crate) fn compare(found: Direction, expected: Option<Direction>) -> Agreement {
    match expected {
        None | Some(Direction::Unclear) => Agreement::Unknown,
        Some(_) if found == Direction::Unclear => Agreement::Unknown,
        Some(expected) if expected == found => Agreement::Agrees,
        Some(_) => Agreement::Differs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unclear_directions_neither_agree_nor_differ() {
        use Direction::{Resistance, Sensitivity, Unclear};
        assert_eq!(compare(Resistance, Some(Resistance)), Agreement::Agrees);
        assert_eq!(compare(Resistance, Some(Sensitivity)), Agreement::Differs);
        assert_eq!(compare(Unclear, Some(Sensitivity)), Agreement::Unknown);
        assert_eq!(compare(Resistance, Some(Unclear)), Agreement::Unknown);
        assert_eq!(compare(Resistance, None), Agreement::Unknown);
    }
}
