//! Nominal against actual coverage.

use super::{Frame, Scale, naming, open_frame};
use crate::data::Coverage;
use crate::html::Html;
use crate::number::percent;

/// Draws the connected points and the line of ideal coverage.
pub(crate) fn coverage_chart(html: &mut Html, points: &[Coverage], title: &str) {
    let shares = points.iter().flat_map(|point| [point.nominal, point.held]);
    let scale = Scale::covering(shares.map(|share| share * 100.0).chain([100.0]), 5);
    let frame = Frame { x: scale, y: scale, x_name: "nominal coverage, %", y_name: "actual, %" };
    open_frame(html);
    let text = |share| percent(Some(share)).unwrap_or_else(|| "–".into());
    let points_in_words =
        points.iter().map(|point| format!("{} covered {}", text(point.nominal), text(point.held)));
    naming(html, title, &points_in_words.collect::<Vec<_>>().join("; "));
    frame.draw(html);
    html.raw("<path class=identity d=\"M52 288L332 8\"/><path class=trace d=\"");
    for (index, point) in points.iter().enumerate() {
        html.raw(if index == 0 { "M" } else { "L" }).at(frame.left(point.nominal * 100.0));
        html.raw(" ").at(frame.top(point.held * 100.0));
    }
    html.raw("\"/>");
    for point in points {
        html.raw("<circle class=\"dot acc\" cx=").at(frame.left(point.nominal * 100.0)).raw(" cy=");
        html.at(frame.top(point.held * 100.0)).raw(" r=\"4.5\"/>");
    }
    html.raw("</svg>");
}
