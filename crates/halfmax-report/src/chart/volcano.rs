//! Associations of a drug: effects with p values, and responses of groups.

use super::{FRAME_LEFT, FRAME_SIDE, Frame, Scale, clipped, naming, open_frame, percent};
use crate::data::{ResponseStrip, Volcano};
use crate::html::Html;

/// Effects on the horizontal axis, −log10 p on the vertical axis. Points with a name have a label.
pub(crate) fn volcano_chart(html: &mut Html, volcano: &Volcano, unit: &str) {
    let effects = volcano.points.iter().map(|point| point.0);
    let bound = effects.filter(|effect| effect.is_finite()).map(f64::abs).fold(1e-9, f64::max);
    let highest = volcano.points.iter().map(|point| point.1).filter(|y| y.is_finite()).fold(2.0, f64::max);
    let frame = Frame {
        x: Scale::covering([-bound, bound], 4),
        y: Scale::covering([0.0, highest], 5),
        x_name: unit,
        y_name: "−log10 p",
    };
    open_frame(html);
    naming(html, "Associations of features with the response", "");
    frame.draw(html);
    if let Some(threshold) = volcano.threshold.filter(|y| y.is_finite()) {
        html.raw("<path class=ceiling d=\"M").at(FRAME_LEFT).raw(" ").at(frame.top(threshold));
        html.raw("h").at(FRAME_SIDE).raw("\"/>");
    }
    // One path of dots: hundreds of circles for each drug would double the size of a report.
    html.raw("<path class=dots d=\"");
    for (effect, y, _) in volcano.points.iter().filter(|point| point.2.is_empty()) {
        html.raw("M").at(frame.left(*effect).round()).raw(" ").at(frame.top(*y).round()).raw("h0");
    }
    html.raw("\"/>");
    for (effect, y, _) in volcano.points.iter().filter(|point| !point.2.is_empty()) {
        html.raw("<circle class=\"dot acc\" r=3.5 cx=").at(frame.left(*effect));
        html.raw(" cy=").at(frame.top(*y)).raw(" />");
    }
    // A label that would cover an earlier one is left out; the table has the names.
    let mut labels: Vec<(f64, f64)> = Vec::new();
    for (effect, y, name) in volcano.points.iter().filter(|point| !point.2.is_empty()) {
        let (x, is_right) = (frame.left(*effect), *effect > 0.0);
        let top = frame.top(*y);
        if labels.iter().any(|(left, other)| (other - top).abs() < 12.0 && (left - x).abs() < 110.0) {
            continue;
        }
        labels.push((x, top));
        html.raw(if is_right { "<text class=end x=" } else { "<text class=start x=" });
        html.at(if is_right { x - 6.0 } else { x + 6.0 }).raw(" y=").at(frame.top(*y) + 4.0).raw(">");
        html.text(&clipped(name, 22)).raw("</text>");
    }
    html.raw("</svg>");
}

/// A row of dots for each group: measured responses above, predictions below as ticks.
pub(crate) fn response_strip(html: &mut Html, strip: &ResponseStrip) {
    const ROW: f64 = 34.0;
    let all = strip.groups.iter().flat_map(|group| group.measured.iter().chain(&group.predicted)).copied();
    let scale = Scale::covering(all, 5);
    let bottom = 4.0 + ROW * strip.groups.len() as f64;
    html.raw("<svg class=strip width=\"100%\" height=").at(bottom + 22.0).raw(" role=img>");
    let words: Vec<String> = strip.groups.iter().map(|group| group.label.clone()).collect();
    naming(html, &strip.title, &words.join("; "));
    for tick in scale.ticks() {
        html.raw("<text class=mid x=\"").at(percent(scale.share(tick))).raw("%\" y=").at(bottom + 16.0);
        html.raw(">").text(&scale.label(tick)).raw("</text>");
    }
    for (at, group) in strip.groups.iter().enumerate() {
        let top = 4.0 + ROW * at as f64;
        let line = top + ROW - 10.0;
        html.raw("<text class=start x=\"").at(percent(0.0)).raw("%\" y=").at(top + 11.0).raw(">");
        html.text(&group.label).raw("</text>");
        html.raw("<line class=base x1=\"0\" x2=\"100%\" y1=").at(line).raw(" y2=").at(line).raw(" />");
        // A box that stretches with the chart: its path has a round dot for each value, whatever the width.
        html.raw("<svg x=0 width=\"100%\" height=8 viewBox=\"0 0 1000 8\" preserveAspectRatio=none y=");
        html.at(line - 8.0).raw(if group.carries {
            "><path class=\"dots acc\" d=\""
        } else {
            "><path class=dots d=\""
        });
        for value in &group.measured {
            html.raw("M").at((10.0 * percent(scale.share(*value))).round()).raw(" 4h0");
        }
        html.raw("\"/></svg>");
        for value in &group.predicted {
            let x = percent(scale.share(*value));
            html.raw("<line class=median x1=\"").at(x).raw("%\" x2=\"").at(x).raw("%\" y1=").at(line + 1.0);
            html.raw(" y2=").at(line + 7.0).raw(" />");
        }
    }
    html.raw("</svg>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::StripGroup;

    #[test]
    fn every_association_is_a_point_and_only_named_ones_have_labels() {
        let mut html = Html::new();
        let points = vec![(0.5, 3.0, "KRAS_mut".into()), (-0.1, 0.2, String::new())];
        volcano_chart(&mut html, &Volcano { points, threshold: Some(2.0), note: String::new() }, "effect");
        let text = html.finish();
        assert_eq!((text.matches("<circle").count(), text.matches("h0").count()), (1, 1));
        assert_eq!(text.matches("KRAS_mut").count(), 1);
    }

    #[test]
    fn every_cell_line_is_a_dot() {
        let mut html = Html::new();
        let group = |carries| StripGroup {
            carries,
            measured: vec![1.0, 2.0],
            predicted: vec![1.5],
            ..StripGroup::default()
        };
        response_strip(
            &mut html,
            &ResponseStrip { groups: vec![group(true), group(false)], ..ResponseStrip::default() },
        );
        assert_eq!(html.finish().matches("h0").count(), 4);
    }
}
