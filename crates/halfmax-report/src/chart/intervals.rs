//! Values with their intervals, one per row.

use super::{MARGIN, Scale, clipped, naming, percent};
use crate::data::Estimate;
use crate::html::Html;
use crate::number::fixed;

/// The appearance of a row's mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Filled, in the accent colour.
    Accent,
    /// Hollow.
    Hollow,
    /// A bar from 0.
    Bar,
}

/// One row.
pub(crate) struct IntervalRow<'a> {
    pub(crate) label: &'a str,
    pub(crate) estimate: Option<Estimate>,
    pub(crate) look: Look,
}

/// Rows on a common scale.
pub(crate) struct IntervalChart<'a> {
    pub(crate) title: &'a str,
    pub(crate) rows: &'a [IntervalRow<'a>],
    /// A vertical line with its name.
    pub(crate) reference: Option<(&'a str, f64)>,
    pub(crate) decimals: usize,
}

const ROW: f64 = 38.0;
const AXIS: f64 = 26.0;

impl IntervalChart<'_> {
    pub(crate) fn draw(&self, html: &mut Html) {
        let scale = self.scale();
        let top = if self.reference.is_some() { 22.0 } else { 4.0 };
        let bottom = top + ROW * self.rows.len() as f64;
        html.raw("<svg class=rows width=\"100%\" height=").at(bottom + AXIS).raw(" role=img>");
        naming(html, self.title, &self.description());
        for tick in scale.ticks() {
            vertical(html, "grid", percent(scale.share(tick)), (top, bottom + 4.0));
            html.raw("<text class=mid x=\"").at(percent(scale.share(tick))).raw("%\" y=").at(bottom + 20.0);
            html.raw(">").text(&scale.label(tick)).raw("</text>");
        }
        if let Some((name, value)) = self.reference.filter(|(_, value)| value.is_finite()) {
            let share = scale.share(value);
            vertical(html, "ceiling", percent(share), (14.0, bottom + 4.0));
            let class = if share > 0.6 { "end" } else { "start" };
            html.raw("<text").attr("class", &format!("{class} ceil")).raw(" x=\"").at(percent(share));
            html.raw("%\" y=10>")
                .text(&format!("{name} {}", fixed(Some(value), self.decimals).unwrap_or_default()));
            html.raw("</text>");
        }
        for (index, row) in self.rows.iter().enumerate() {
            self.row(html, &scale, row, top + ROW * index as f64);
        }
        html.raw("</svg>");
    }

    fn scale(&self) -> Scale {
        let ends = self.rows.iter().filter_map(|row| row.estimate).flat_map(|estimate| {
            let (low, high) = estimate.interval.unwrap_or((estimate.value, estimate.value));
            [estimate.value, low, high]
        });
        let from_zero = self.rows.iter().any(|row| row.look == Look::Bar).then_some(0.0);
        Scale::covering(ends.chain(self.reference.map(|(_, value)| value)).chain(from_zero), 4)
    }

    fn description(&self) -> String {
        let rows = self.rows.iter().map(|row| format!("{} {}", row.label, self.value(row)));
        rows.collect::<Vec<_>>().join("; ")
    }

    fn value(&self, row: &IntervalRow<'_>) -> String {
        fixed(row.estimate.map(|estimate| estimate.value), self.decimals).unwrap_or_else(|| "–".into())
    }

    fn row(&self, html: &mut Html, scale: &Scale, row: &IntervalRow<'_>, top: f64) {
        html.raw("<text class=lab x=\"").at(MARGIN).raw("%\" y=").at(top + 14.0).raw(">");
        html.text(&clipped(row.label, 30))
            .raw("</text><text class=val x=\"")
            .at(100.0 - MARGIN)
            .raw("%\" y=");
        html.at(top + 14.0).raw(">").text(&self.value(row)).raw("</text>");
        let Some(estimate) = row.estimate.filter(|estimate| estimate.value.is_finite()) else { return };
        let (x, y) = (percent(scale.share(estimate.value)), top + 26.0);
        if row.look == Look::Bar {
            let zero = percent(scale.share(0.0));
            html.raw("<rect class=bar x=\"").at(zero.min(x)).raw("%\" y=").at(y - 5.0).raw(" width=\"");
            html.at((x - zero).abs()).raw("%\" height=10 />");
        }
        if let Some((low, high)) = estimate.interval {
            html.raw("<line class=").raw(if row.look == Look::Accent { "\"iv acc\"" } else { "iv" });
            html.raw(" x1=\"").at(percent(scale.share(low))).raw("%\" x2=\"").at(percent(scale.share(high)));
            html.raw("%\" y1=").at(y).raw(" y2=").at(y).raw(" />");
        }
        let class = match row.look {
            Look::Accent => "\"dot acc\"",
            Look::Hollow => "\"dot hol\"",
            Look::Bar => return,
        };
        html.raw("<circle class=").raw(class).raw(" cx=\"").at(x).raw("%\" cy=").at(y).raw(" r=\"4.5\"/>");
    }
}

fn vertical(html: &mut Html, class: &'static str, x: f64, (from, to): (f64, f64)) {
    html.raw("<line class=").raw(class).raw(" x1=\"").at(x).raw("%\" x2=\"").at(x).raw("%\" y1=").at(from);
    html.raw(" y2=").at(to).raw(" />");
}
