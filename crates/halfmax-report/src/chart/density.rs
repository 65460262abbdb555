//! Observed against predicted.

use super::{FRAME_SIDE, Frame, Scale, naming, open_frame};
use crate::data::Density;
use crate::html::Html;
use crate::number::count;

/// The shades of the style sheet: k1 to k8.
const LEVELS: [&str; 8] = ["k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"];

/// Draws the counts, shaded by their logarithm, below the identity line.
pub(crate) fn density_chart(html: &mut Html, density: &Density, title: &str, response: &str) {
    let scale = Scale::exact(density.low, density.high, 5);
    let (x_name, y_name) = (format!("observed {response}"), format!("predicted {response}"));
    let frame = Frame { x: scale, y: scale, x_name: &x_name, y_name: &y_name };
    open_frame(html);
    naming(html, title, "Counts on a grid. On the dashed line, prediction and observation are equal.");
    frame.draw(html);
    html.raw("<g transform=\"translate(52 288) scale(1 -1)\">");
    let most = most(density);
    for (level, class) in LEVELS.iter().enumerate() {
        html.raw("<path class=").raw(class).raw(" d=\"");
        runs(html, density, |count| level_of(count, most) == Some(level));
        html.raw("\"/>");
    }
    html.raw("</g><path class=identity d=\"M52 288L332 8\"/></svg>");
}

/// The meaning of the shades.
pub(crate) fn density_legend(html: &mut Html, density: &Density) {
    let most = most(density);
    html.raw("<p class=scale><span>pairs per cell:</span> <span>1</span>");
    html.raw("<svg width=96 height=10 aria-hidden=true>");
    for (index, class) in LEVELS.iter().enumerate() {
        html.raw("<rect class=").raw(class).raw(" x=").whole(index * 12).raw(" width=12 height=10 />");
    }
    html.raw("</svg><span>").text(&count(most as usize)).raw("</span></p>");
}

fn most(density: &Density) -> u32 {
    density.counts.iter().copied().max().unwrap_or(0)
}

fn level_of(count: u32, most: u32) -> Option<usize> {
    if count == 0 {
        return None;
    }
    let share = f64::from(count).ln() / f64::from(most.max(2)).ln();
    Some(((share * LEVELS.len() as f64) as usize).min(LEVELS.len() - 1))
}

/// The wanted cells, with neighbours in a row merged into one rectangle.
fn runs(html: &mut Html, density: &Density, wanted: impl Fn(u32) -> bool) {
    let bins = density.bins;
    if bins == 0 {
        return;
    }
    let edge = |index: usize| FRAME_SIDE * index as f64 / bins as f64;
    for (row, counts) in density.counts.chunks(bins).take(bins).enumerate() {
        let mut column = 0;
        while column < counts.len() {
            let length = counts[column..].iter().take_while(|count| wanted(**count)).count();
            if length > 0 {
                // Use both edges and not a length, so that neighbours meet after rounding.
                html.raw("M").at(edge(column)).raw(" ").at(edge(row)).raw("H").at(edge(column + length));
                html.raw("V").at(edge(row + 1)).raw("H").at(edge(column)).raw("z");
            }
            column += length.max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_shaded_by_their_logarithm() {
        assert_eq!(level_of(0, 1000), None);
        assert_eq!(level_of(1, 1000), Some(0));
        assert_eq!(level_of(1000, 1000), Some(7));
        assert_eq!(level_of(1, 1), Some(0));
    }

    #[test]
    fn neighbours_are_one_rectangle() {
        let density = Density { bins: 4, counts: vec![1, 1, 0, 1], ..Density::default() };
        let mut html = Html::new();
        runs(&mut html, &density, |count| count > 0);
        assert_eq!(html.finish(), "M0 0H140V70H0zM210 0H280V70H210z");
    }
}
