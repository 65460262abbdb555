//! Values of a dose matrix: shades, and the matrix as a picture for separate files.

use super::{ContourAxes, clipped};
use crate::html::Html;
use crate::number::{fixed, signed};
use crate::pictures::MatrixPicture;

/// The quantity that the shades of a matrix show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shades {
    /// Inhibitions in percent: from light to dark.
    Inhibition,
    /// Scores in percentage points: two colours from 0 to both sides.
    Synergy,
}

/// The inhibitions at which the next shade begins.
const INHIBITIONS: [f64; 7] = [10.0, 25.0, 40.0, 50.0, 60.0, 75.0, 90.0];
/// The absolute scores at which the next shade begins.
const SCORES: [f64; 4] = [5.0, 10.0, 20.0, 30.0];

impl Shades {
    /// The class of a value's shade; `None` without a shade.
    pub(crate) fn class(self, value: f64) -> Option<&'static str> {
        if !value.is_finite() {
            return None;
        }
        let passed = |levels: &[f64], value: f64| levels.iter().filter(|level| value >= **level).count();
        match self {
            Self::Inhibition => {
                let classes = ["h1", "h2", "h3", "h4", "h5", "h6", "h7", "h8"];
                classes.get(passed(&INHIBITIONS, value)).copied()
            }
            Self::Synergy => {
                let class = |classes: [&'static str; 4]| {
                    passed(&SCORES, value.abs()).checked_sub(1).and_then(|at| classes.get(at).copied())
                };
                class(if value > 0.0 {
                    ["c-r1", "c-r2", "c-r3", "c-r4"]
                } else {
                    ["c-s1", "c-s2", "c-s3", "c-s4"]
                })
            }
        }
    }

    /// The levels at which shades change, from the weakest: each with its sign and the class of the shade beyond it.
    pub(crate) fn steps(self) -> Vec<(f64, f64, &'static str)> {
        let step = |level: &f64, sign: f64| (*level, sign, self.class(sign * level).unwrap_or("h1"));
        match self {
            Self::Inhibition => INHIBITIONS.iter().map(|level| step(level, 1.0)).collect(),
            Self::Synergy => [1.0, -1.0]
                .iter()
                .flat_map(|sign| SCORES.iter().map(move |level| step(level, *sign)))
                .collect(),
        }
    }

    /// A value as text.
    pub(crate) fn text(self, value: f64) -> Option<String> {
        match self {
            Self::Inhibition => fixed(Some(value), 0),
            Self::Synergy => signed(Some(value), 0),
        }
    }
}

/// The matrix as the content of an SVG of 350 × 334: a square for each cell with its value, the first drug upwards, the second to the right.
pub(crate) fn matrix_chart(html: &mut Html, picture: &MatrixPicture, values: &[f64], shades: Shades) {
    let axes = ContourAxes::of_cells(picture);
    let (rows, columns) = (picture.doses[0].len(), picture.doses[1].len());
    let [width, height] = axes.cell();
    for (cell, value) in values.iter().enumerate().take(rows * columns) {
        let [x, y] = axes.middle([cell % columns, cell / columns]);
        html.raw("<rect").attr("class", shades.class(*value).unwrap_or("none"));
        html.raw(" x=").at(x - width / 2.0).raw(" y=").at(y - height / 2.0);
        html.raw(" width=").at(width).raw(" height=").at(height).raw(" />");
        if let Some(text) = shades.text(*value) {
            html.raw("<text").attr("class", &format!("mid {}", shades.class(*value).unwrap_or_default()));
            html.raw(" x=").at(x).raw(" y=").at(y + 4.0).raw(">").text(&clipped(&text, 8)).raw("</text>");
        }
    }
    axes.labels(html, picture);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_begin_at_their_levels() {
        assert_eq!(Shades::Inhibition.class(-3.0), Some("h1"));
        assert_eq!(Shades::Inhibition.class(50.0), Some("h5"));
        assert_eq!(Shades::Inhibition.class(150.0), Some("h8"));
        assert_eq!(Shades::Synergy.class(4.9), None);
        assert_eq!(Shades::Synergy.class(5.0), Some("c-r1"));
        assert_eq!(Shades::Synergy.class(-31.0), Some("c-s4"));
        assert_eq!(Shades::Synergy.class(f64::NAN), None);
        let steps = Shades::Synergy.steps();
        assert_eq!((steps.len(), steps[0], steps[7]), (8, (5.0, 1.0, "c-r1"), (30.0, -1.0, "c-s4")));
    }

    #[test]
    fn values_are_whole_numbers_and_scores_have_signs() {
        assert_eq!(Shades::Inhibition.text(12.4).as_deref(), Some("12"));
        assert_eq!(Shades::Synergy.text(12.4).as_deref(), Some("+12"));
        assert_eq!(Shades::Synergy.text(-0.3).as_deref(), Some("0"));
        assert_eq!(Shades::Synergy.text(f64::NAN), None);
    }
}
