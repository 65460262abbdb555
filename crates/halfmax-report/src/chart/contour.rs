//! A dose matrix as a landscape over the logarithms of the doses.

use super::regions::Field;
use super::{Shades, clipped, dose_label};
use crate::html::Html;
use crate::pictures::MatrixPicture;

const LEFT: f64 = 76.0;
const TOP: f64 = 8.0;
const SIDE: f64 = 262.0;

/// Positions of doses: the first drug upwards, the second to the right.
pub(crate) struct ContourAxes {
    /// The positions of the columns and of the rows, from 0 to 1.
    shares: [Vec<f64>; 2],
}

impl ContourAxes {
    /// Positions by the logarithm of the dose. Dose 0 has no logarithm and stands one step below the lowest dose.
    pub(crate) fn of_logs(picture: &MatrixPicture) -> Self {
        let [rows, columns] = [0, 1].map(|drug| {
            let doses = &picture.doses[drug];
            let logs: Vec<f64> = doses.iter().filter(|dose| **dose > 0.0).map(|dose| dose.ln()).collect();
            let (first, last) = (logs.first().copied().unwrap_or(0.0), logs.last().copied().unwrap_or(0.0));
            let step = ((last - first) / (logs.len() as f64 - 1.0).max(1.0)).max(1e-6);
            let low = if logs.len() < doses.len() { first - step } else { first };
            let width = (last - low).max(1e-6);
            let share = |dose: &f64| if *dose > 0.0 { (dose.ln() - low) / width } else { 0.0 };
            doses.iter().map(share).collect::<Vec<f64>>()
        });
        Self { shares: [columns, rows] }
    }

    /// Positions in equal steps, in the middle of cells.
    pub(crate) fn of_cells(picture: &MatrixPicture) -> Self {
        let middles = |count: usize| (0..count).map(|at| (at as f64 + 0.5) / count as f64).collect();
        Self { shares: [middles(picture.doses[1].len()), middles(picture.doses[0].len())] }
    }

    /// The width and the height of cells in equal steps.
    pub(crate) fn cell(&self) -> [f64; 2] {
        [0, 1].map(|axis| SIDE / self.shares[axis].len().max(1) as f64)
    }

    /// The position of the cell in a column and a row.
    pub(crate) fn middle(&self, [column, row]: [usize; 2]) -> [f64; 2] {
        let share = |axis: usize, at: usize| self.shares[axis].get(at).copied().unwrap_or(0.0);
        [LEFT + SIDE * share(0, column), TOP + SIDE * (1.0 - share(1, row))]
    }

    /// The doses beside the axes, as many as fit, and the names of the drugs.
    pub(crate) fn labels(&self, html: &mut Html, picture: &MatrixPicture) {
        let bottom = TOP + SIDE;
        for (axis, drug) in [(0, 1), (1, 0)] {
            let mut free = f64::NEG_INFINITY;
            for (at, dose) in picture.doses[drug].iter().enumerate() {
                let place = SIDE * self.shares[axis].get(at).copied().unwrap_or(0.0);
                let label = if *dose > 0.0 { dose_label(*dose) } else { "0".into() };
                // Half of the label's length, on either side of its position.
                let half = if axis == 0 { 3.5 * label.chars().count() as f64 + 2.0 } else { 7.0 };
                if place - half < free {
                    continue;
                }
                free = place + half;
                if axis == 0 {
                    html.raw("<text class=mid x=").at(LEFT + place).raw(" y=").at(bottom + 18.0);
                } else {
                    html.raw("<text class=end x=").at(LEFT - 6.0).raw(" y=").at(bottom - place + 4.0);
                }
                html.raw(">").text(&clipped(&label, 9)).raw("</text>");
            }
        }
        let name = |drug: usize| format!("{}, {}", clipped(&picture.drugs[drug], 28), picture.units[drug]);
        html.raw("<text class=\"mid name\" x=").at(LEFT + SIDE / 2.0).raw(" y=").at(bottom + 38.0);
        html.raw(">").text(&name(1)).raw("</text><text class=\"mid name\" transform=\"translate(12 ");
        html.at(TOP + SIDE / 2.0).raw(") rotate(-90)\">").text(&name(0)).raw("</text>");
    }
}

/// The landscape as the content of an SVG of 350 × 334: each shade a region, painted over the weaker ones, and a dot for every cell that has a value.
pub(crate) fn contour_chart(html: &mut Html, picture: &MatrixPicture, values: &[f64], shades: Shades) {
    let axes = ContourAxes::of_logs(picture);
    let field = Field { places: [&axes.shares[0], &axes.shares[1]], values };
    let everywhere = (f64::MIN, 1.0, if shades == Shades::Inhibition { "h1" } else { "none" });
    for (level, sign, class) in std::iter::once(everywhere).chain(shades.steps()) {
        let outlines = field.outlines(level, sign);
        if outlines.is_empty() {
            continue;
        }
        html.raw("<path").attr("class", &format!("region {class}")).raw(" d=\"");
        for outline in outlines {
            for (at, [x, y]) in outline.into_iter().enumerate() {
                html.raw(if at == 0 { "M" } else { "L" }).at(LEFT + SIDE * x).raw(" ");
                html.at(TOP + SIDE * (1.0 - y));
            }
            html.raw("z");
        }
        html.raw("\"/>");
    }
    let columns = picture.doses[1].len().max(1);
    html.raw("<path class=node d=\"");
    for (cell, _) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
        let [x, y] = axes.middle([cell % columns, cell / columns]);
        html.raw("M").at(x).raw(" ").at(y).raw("h0");
    }
    html.raw("\"/>");
    axes.labels(html, picture);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> MatrixPicture {
        MatrixPicture {
            drugs: ["<A>".into(), "B".into()],
            doses: [vec![0.0, 1.0, 10.0], vec![0.0, 0.1, 1.0, 10.0]],
            units: ["µM", "nM"].map(str::to_owned),
            ..MatrixPicture::default()
        }
    }

    #[test]
    fn doses_stand_at_their_logarithms_and_zero_a_step_below() {
        let axes = ContourAxes::of_logs(&picture());
        let close = |found: &[f64], expected: &[f64]| {
            found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12)
        };
        assert!(close(&axes.shares[1], &[0.0, 0.5, 1.0]), "{:?}", axes.shares);
        assert!(close(&axes.shares[0], &[0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0]), "{:?}", axes.shares);
    }

    #[test]
    fn regions_are_painted_from_weak_to_strong() {
        let mut html = Html::new();
        let values: Vec<f64> = (0..12).map(|cell| f64::from(cell % 4) * 33.0).collect();
        contour_chart(&mut html, &picture(), &values, Shades::Inhibition);
        let html = html.finish();
        let place =
            |class: &str| html.find(&format!("region {class}\"")).unwrap_or_else(|| panic!("{class}"));
        assert!(place("h1") < place("h2") && place("h7") < place("h8"), "{html}");
        assert_eq!(html.matches("h0").count(), 12);
        assert!(html.contains("&lt;A&gt;, µM"));
    }

    #[test]
    fn antagonism_has_regions_of_its_own() {
        let mut html = Html::new();
        let values = [f64::NAN, 12.0, 12.0, 12.0, f64::NAN, 0.0, 0.0, 0.0, f64::NAN, -12.0, -12.0, -12.0];
        contour_chart(&mut html, &picture(), &values, Shades::Synergy);
        let html = html.finish();
        for class in ["region none", "region c-r2", "region c-s2"] {
            assert!(html.contains(class), "{class}: {html}");
        }
        assert!(!html.contains("region c-r3"));
    }
}
