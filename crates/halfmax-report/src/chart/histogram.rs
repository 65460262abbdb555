//! Counts by value.

use super::{Scale, naming, percent};
use crate::html::Html;
use crate::number::count;
use crate::quality::HistogramPicture;

const HEIGHT: f64 = 120.0;

/// Bars above an axis.
pub(crate) fn histogram_chart(html: &mut Html, histogram: &HistogramPicture) {
    let most = histogram.counts.iter().copied().max().unwrap_or(0);
    let bins = histogram.counts.len();
    if most == 0 {
        return;
    }
    let scale = Scale::exact(histogram.low, histogram.high, 6);
    html.raw("<svg class=strip width=\"100%\" height=").at(HEIGHT + 22.0).raw(" role=img>");
    naming(html, &histogram.title, &format!("{} bars; the highest bar has {} values.", bins, count(most)));
    for (bin, own) in histogram.counts.iter().enumerate().filter(|(_, own)| **own > 0) {
        // Every nonzero count is visible.
        let height = (HEIGHT * *own as f64 / most as f64).max(1.0);
        let (from, to) = (percent(bin as f64 / bins as f64), percent((bin + 1) as f64 / bins as f64));
        html.raw("<rect class=bar x=\"").at(from).raw("%\" y=").at(HEIGHT - height);
        html.raw(" width=\"").at(to - from).raw("%\" height=").at(height).raw(" />");
    }
    html.raw("<line class=base x1=\"0\" x2=\"100%\" y1=").at(HEIGHT).raw(" y2=").at(HEIGHT).raw(" />");
    for tick in scale.ticks() {
        html.raw("<text class=mid x=\"")
            .at(percent(scale.share(tick)))
            .raw("%\" y=")
            .at(HEIGHT + 16.0)
            .raw(">");
        html.text(&scale.label(tick)).raw("</text>");
    }
    html.raw("</svg>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_for_counts() {
        let histogram =
            HistogramPicture { low: 0.0, high: 3.0, counts: vec![10, 0, 5], ..HistogramPicture::default() };
        let mut html = Html::new();
        histogram_chart(&mut html, &histogram);
        let html = html.finish();
        assert_eq!(html.matches("<rect").count(), 2);
        assert!(html.contains("height=120 />") && html.contains("height=60 />"), "{html}");
        let mut empty = Html::new();
        histogram_chart(&mut empty, &HistogramPicture::default());
        assert!(empty.is_empty());
    }
}
