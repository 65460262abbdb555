//! Small charts of one line.

use super::{Scale, percent};
use crate::data::{Feature, Spread};
use crate::html::Html;
use crate::number::signed;

/// The scale for correlations of drugs.
const MATCH: (f64, f64) = (-0.2, 1.0);

/// Dots, stacked where they would overlap, ticks, and a line at the median.
pub(crate) fn dot_strip(html: &mut Html, values: &[f64], median: Option<f64>, title: &str) {
    const BINS: usize = 60;
    let scale = Scale::exact(MATCH.0, MATCH.1, 3);
    let mut piles = [0usize; BINS + 1];
    for value in values {
        piles[(scale.share(*value) * BINS as f64).round() as usize] += 1;
    }
    let tallest = piles.iter().copied().max().unwrap_or(0);
    let base = 8.0 + 5.0 * tallest.min(30) as f64;
    let lift = if tallest > 30 { 150.0 / tallest as f64 } else { 5.0 };
    html.raw("<svg class=strip width=\"100%\" height=").at(base + 20.0).raw(" role=img>");
    super::naming(html, title, "");
    html.raw("<line class=base x1=\"0\" x2=\"100%\" y1=").at(base).raw(" y2=").at(base).raw(" />");
    for tick in scale.ticks() {
        html.raw("<text class=mid x=\"")
            .at(percent(scale.share(tick)))
            .raw("%\" y=")
            .at(base + 15.0)
            .raw(">");
        html.text(&scale.label(tick)).raw("</text>");
    }
    if let Some(median) = median.filter(|median| median.is_finite()) {
        let x = percent(scale.share(median));
        html.raw("<line class=median x1=\"")
            .at(x)
            .raw("%\" x2=\"")
            .at(x)
            .raw("%\" y1=0 y2=")
            .at(base)
            .raw(" />");
    }
    for (bin, pile) in piles.iter().enumerate() {
        let x = percent(bin as f64 / BINS as f64);
        for level in 0..*pile {
            html.raw("<circle cx=\"")
                .at(x)
                .raw("%\" cy=")
                .at(base - 4.0 - lift * level as f64)
                .raw(" r=\"2.3\"/>");
        }
    }
    html.raw("</svg>");
}

/// A drug's correlation as a dot, and its ceiling as a vertical line.
pub(crate) fn performance_strip(html: &mut Html, pearson: Option<f64>, ceiling: Option<f64>) {
    let scale = Scale::exact(MATCH.0, MATCH.1, 3);
    html.raw("<svg class=perf aria-hidden=true>");
    if let Some(ceiling) = ceiling.filter(|ceiling| ceiling.is_finite()) {
        let x = percent(scale.share(ceiling));
        html.raw("<line x1=\"").at(x).raw("%\" x2=\"").at(x).raw("%\" y1=1 y2=15 />");
    }
    if let Some(pearson) = pearson.filter(|pearson| pearson.is_finite()) {
        html.raw("<circle cx=\"").at(percent(scale.share(pearson))).raw("%\" cy=8 r=3 />");
    }
    html.raw("</svg>");
}

/// A bar that covers a fraction of the width.
pub(crate) fn share_bar(html: &mut Html, share: f64) {
    html.raw("<svg class=\"perf share\" aria-hidden=true><rect x=0 y=4 height=8 width=\"");
    html.at(100.0 * share.clamp(0.0, 1.0)).raw("%\" /></svg>");
}

/// The common scale, symmetric about 0, of a drug's spreads of attributions.
pub(crate) struct SpreadScale {
    scale: Scale,
    bound: f64,
}

const WIDTH: f64 = 180.0;

impl SpreadScale {
    pub(crate) fn of(features: &[Feature]) -> Option<Self> {
        let spreads = features.iter().flat_map(|feature| [feature.low, feature.high]).flatten();
        let ends = spreads.flat_map(|spread| [spread.q05, spread.q95]).filter(|end| end.is_finite());
        let bound = ends
            .map(f64::abs)
            .fold(None, |most: Option<f64>, end| Some(most.map_or(end, |most| most.max(end))))?;
        let bound = if bound > 0.0 { bound } else { 1.0 };
        Some(Self { scale: Scale::exact(-bound, bound, 4), bound })
    }

    /// The axis, for the head of a column.
    pub(crate) fn axis(&self, html: &mut Html) {
        html.raw("<svg class=s aria-hidden=true>");
        let outermost = self.scale.ticks().last().copied().filter(|tick| *tick > 0.0).unwrap_or(self.bound);
        for tick in [-outermost, 0.0, outermost] {
            html.raw("<text class=mid x=").at(self.left(tick)).raw(" y=14>");
            html.text(&if tick == 0.0 { "0".into() } else { self.scale.label(tick) }).raw("</text>");
        }
        html.raw("</svg>");
    }

    /// A feature's spreads as box plots: for low values above, for high values below.
    pub(crate) fn draw(&self, html: &mut Html, feature: &Feature) {
        html.raw("<svg class=s role=img><title>low ").text(&in_words(feature.low)).raw(", high ");
        html.text(&in_words(feature.high)).raw("</title>");
        if let Some(spread) = feature.low.filter(is_finite) {
            html.raw("<path d=\"");
            self.box_plot(html, &spread, 5.0);
        }
        if let Some(spread) = feature.high.filter(is_finite) {
            html.raw("<path class=h d=\"");
            self.box_plot(html, &spread, 15.0);
        }
        html.raw("</svg>");
    }

    /// Whiskers from 5 to 95 %, a box around the middle half, a line at the median.
    fn box_plot(&self, html: &mut Html, spread: &Spread, y: f64) {
        let [q05, q25, q50, q75, q95] =
            [spread.q05, spread.q25, spread.q50, spread.q75, spread.q95].map(|value| self.left(value));
        html.raw("M")
            .at(q05)
            .raw(" ")
            .at(y)
            .raw("H")
            .at(q25)
            .raw("M")
            .at(q75)
            .raw(" ")
            .at(y)
            .raw("H")
            .at(q95);
        html.raw("M").at(q25).raw(" ").at(y - 3.0).raw("H").at(q75).raw("v6H").at(q25).raw("z");
        html.raw("M").at(q50).raw(" ").at(y - 3.0).raw("v6\"/>");
    }

    fn left(&self, value: f64) -> f64 {
        let left = 2.0 + (WIDTH - 4.0) * self.scale.share(value);
        left.round()
    }
}

fn is_finite(spread: &Spread) -> bool {
    let Spread { q05, q25, q50, q75, q95, .. } = *spread;
    [q05, q25, q50, q75, q95].iter().all(|value| value.is_finite())
}

/// Only the median as text, because thousands of rows with two box plots each leave no room for more.
fn in_words(spread: Option<Spread>) -> String {
    signed(spread.map(|spread| spread.q50), 2).unwrap_or_else(|| "–".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_in_the_middle_of_spreads() {
        let spread = Spread { q05: -0.1, q50: 0.2, q95: 0.8, ..Spread::default() };
        let feature = Feature { high: Some(spread), ..Feature::default() };
        let scale = SpreadScale::of(&[feature]).unwrap();
        assert_eq!(scale.left(0.0), 90.0);
        assert_eq!(scale.left(0.8), 178.0);
        assert!(SpreadScale::of(&[Feature::default()]).is_none());
    }

    #[test]
    fn spreads_are_put_into_words() {
        let spread = Spread { q05: -0.5, q50: -0.2, q95: 0.1, ..Spread::default() };
        assert_eq!(in_words(Some(spread)), "−0.20");
        assert_eq!(in_words(None), "–");
    }

    #[test]
    fn every_drug_is_a_dot() {
        let mut html = Html::new();
        dot_strip(&mut html, &[0.5, 0.5, 0.9, f64::NAN], Some(0.5), "three drugs");
        assert_eq!(html.finish().matches("<circle").count(), 4);
    }
}
