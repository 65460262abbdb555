//! Charts as inline SVG.
//!
//! One-dimensional charts place their marks in percent of the width, so they fill the available width and keep their
//! text size. Square charts have a viewBox. Colours come from the style sheet, by class.

mod boxes;
mod contour;
mod coverage;
mod density;
mod dose;
mod histogram;
mod intervals;
mod matrix;
mod plate;
mod raster;
mod regions;
mod scale;
mod strip;
mod volcano;

pub(crate) use boxes::BoxScale;
pub(crate) use contour::{ContourAxes, contour_chart};
pub(crate) use coverage::coverage_chart;
pub(crate) use density::{density_chart, density_legend};
pub(crate) use dose::{dose_chart, dose_label, open_dose_svg};
pub(crate) use histogram::histogram_chart;
pub(crate) use intervals::{IntervalChart, IntervalRow, Look};
pub(crate) use matrix::{Shades, matrix_chart};
pub(crate) use plate::{plate_chart, plate_range, plate_size};
pub(crate) use raster::raster_chart;
pub(crate) use scale::Scale;
pub(crate) use strip::{SpreadScale, dot_strip, performance_strip, share_bar};
pub(crate) use volcano::{response_strip, volcano_chart};

use crate::html::Html;

/// The margin left and right of the marks, in percent of the width.
const MARGIN: f64 = 3.0;

/// A fraction of a scale as percent of the width.
fn percent(share: f64) -> f64 {
    MARGIN + (100.0 - 2.0 * MARGIN) * share
}

/// `<title>` and `<desc>` of a chart.
fn naming(html: &mut Html, title: &str, description: &str) {
    html.raw("<title>").text(title).raw("</title>");
    if !description.is_empty() {
        html.raw("<desc>").text(description).raw("</desc>");
    }
}

/// A text cut to `length` characters.
pub(crate) fn clipped(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.into();
    }
    text.chars().take(length.saturating_sub(1)).chain(['…']).collect()
}

/// The plotting area of a square chart: grid, ticks, their labels and the names of the axes.
struct Frame<'a> {
    x: Scale,
    y: Scale,
    x_name: &'a str,
    y_name: &'a str,
}

const FRAME_LEFT: f64 = 52.0;
const FRAME_TOP: f64 = 8.0;
const FRAME_SIDE: f64 = 280.0;

impl Frame<'_> {
    fn left(&self, value: f64) -> f64 {
        FRAME_LEFT + FRAME_SIDE * self.x.share(value)
    }

    fn top(&self, value: f64) -> f64 {
        FRAME_TOP + FRAME_SIDE * (1.0 - self.y.share(value))
    }

    fn draw(&self, html: &mut Html) {
        let (right, bottom) = (FRAME_LEFT + FRAME_SIDE, FRAME_TOP + FRAME_SIDE);
        html.raw("<path class=grid d=\"");
        for tick in self.x.ticks() {
            html.raw("M").at(self.left(tick)).raw(" ").at(FRAME_TOP).raw("V").at(bottom);
        }
        for tick in self.y.ticks() {
            html.raw("M").at(FRAME_LEFT).raw(" ").at(self.top(tick)).raw("H").at(right);
        }
        html.raw("\"/>");
        for tick in self.x.ticks() {
            html.raw("<text class=mid x=").at(self.left(tick)).raw(" y=").at(bottom + 18.0).raw(">");
            html.text(&self.x.label(tick)).raw("</text>");
        }
        for tick in self.y.ticks() {
            html.raw("<text class=end x=").at(FRAME_LEFT - 8.0).raw(" y=").at(self.top(tick) + 4.0).raw(">");
            html.text(&self.y.label(tick)).raw("</text>");
        }
        html.raw("<text class=\"mid name\" x=").at(FRAME_LEFT + FRAME_SIDE / 2.0);
        html.raw(" y=").at(bottom + 40.0).raw(">").text(&clipped(self.x_name, 40)).raw("</text>");
        html.raw("<text class=\"mid name\" transform=\"translate(13 ").at(FRAME_TOP + FRAME_SIDE / 2.0);
        html.raw(") rotate(-90)\">").text(&clipped(self.y_name, 40)).raw("</text>");
    }
}

/// Opens the SVG of a [`Frame`].
fn open_frame(html: &mut Html) {
    html.raw("<svg class=square viewBox=\"0 0 350 334\" role=img>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(clipped("µµµµ", 4), "µµµµ");
        assert_eq!(clipped("µµµµµ", 4), "µµµ…");
    }
}
