//! Spreads of values as box strips on one scale.

use super::Scale;
use crate::data::Spread;
use crate::html::Html;
use crate::number::significant;

const WIDTH: f64 = 200.0;

/// The common scale of the spreads in a column.
pub(crate) struct BoxScale(Scale);

impl BoxScale {
    /// A scale that covers the 5 % and 95 % quantiles of all spreads; `None` without a spread.
    pub(crate) fn of<'a>(spreads: impl Iterator<Item = &'a Spread>) -> Option<Self> {
        let ends: Vec<f64> =
            spreads.filter(|spread| is_finite(spread)).flat_map(|own| [own.q05, own.q95]).collect();
        (!ends.is_empty()).then(|| Self(Scale::covering(ends, 4)))
    }

    /// The axis, for the head of a column.
    pub(crate) fn axis(&self, html: &mut Html) {
        html.raw("<svg class=b aria-hidden=true>");
        let ticks = self.0.ticks();
        let inner = ticks.iter().filter(|tick| (0.08..0.92).contains(&self.0.share(**tick)));
        for tick in inner {
            html.raw("<text class=mid x=").at(left(self.0.share(*tick))).raw(" y=14>");
            html.text(&self.0.label(*tick)).raw("</text>");
        }
        html.raw("</svg>");
    }

    /// Whiskers from 5 to 95 %, a box around the middle half, a line at the median.
    pub(crate) fn draw(&self, html: &mut Html, spread: &Spread) {
        if !is_finite(spread) {
            html.number(None);
            return;
        }
        let Spread { q05, q25, q50, q75, q95, .. } = *spread;
        let words = [q25, q50, q75].map(|value| significant(Some(value)).unwrap_or_default());
        html.raw("<svg class=b role=img><title>median ").text(&words[1]).raw(", middle half ");
        html.text(&words[0]).raw(" to ").text(&words[2]).raw("</title><path d=\"");
        let [q05, q25, q50, q75, q95] = [q05, q25, q50, q75, q95].map(|value| left(self.0.share(value)));
        for (from, to) in [(q05, q25), (q75, q95)] {
            html.raw("M").at(from).raw(" 10H").at(to);
        }
        html.raw("M").at(q25).raw(" 4H").at(q75).raw("v12H").at(q25).raw("z");
        html.raw("M").at(q50).raw(" 4v12\"/></svg>");
    }
}

fn left(share: f64) -> f64 {
    (2.0 + (WIDTH - 4.0) * share).round()
}

fn is_finite(spread: &Spread) -> bool {
    let Spread { q05, q25, q50, q75, q95, .. } = *spread;
    [q05, q25, q50, q75, q95].iter().all(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_share_a_scale() {
        let narrow = Spread { q05: 0.0, q25: 1.0, q50: 2.0, q75: 3.0, q95: 4.0, ..Spread::default() };
        let wide = Spread { q95: 8.0, ..narrow };
        let scale = BoxScale::of([&narrow, &wide].into_iter()).unwrap();
        let mut html = Html::new();
        scale.draw(&mut html, &wide);
        assert!(html.finish().contains("M2 10H27M76 10H198"), "whiskers reach the ends");
        let missing = Spread { q50: f64::NAN, ..narrow };
        assert!(BoxScale::of([&missing].into_iter()).is_none());
    }
}
