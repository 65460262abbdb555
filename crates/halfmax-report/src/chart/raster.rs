//! Fractions on a grid: which pairs are measured.

use super::naming;
use crate::html::Html;
use crate::quality::RasterPicture;

/// The shades of the style sheet: k1 to k8.
const LEVELS: [&str; 8] = ["k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"];

/// Draws the fractions as shades; empty cells are not drawn.
pub(crate) fn raster_chart(html: &mut Html, raster: &RasterPicture) {
    if raster.rows == 0 || raster.columns == 0 {
        return;
    }
    html.raw("<svg class=raster role=img preserveAspectRatio=none viewBox=\"0 0 ").whole(raster.columns * 3);
    html.raw(" ").whole(raster.rows * 2).raw("\">");
    naming(html, &raster.title, &raster.legend);
    html.raw("<g transform=\"scale(3 2)\">");
    for (level, class) in LEVELS.iter().enumerate() {
        let mut path = Html::new();
        runs(&mut path, raster, level);
        if !path.is_empty() {
            html.raw("<path class=").raw(class).raw(" d=\"").append(path).raw("\"/>");
        }
    }
    html.raw("</g></svg><p class=scale><span>measured: none</span><svg width=96 height=10 aria-hidden=true>");
    for (index, class) in LEVELS.iter().enumerate() {
        html.raw("<rect class=").raw(class).raw(" x=").whole(index * 12).raw(" width=12 height=10 />");
    }
    html.raw("</svg><span>all</span></p>");
}

fn level_of(share: f32) -> Option<usize> {
    let last = LEVELS.len() - 1;
    (share > 0.0).then(|| ((share.min(1.0) * last as f32).ceil() as usize).min(last))
}

/// The cells of one level, with neighbours in a row merged into one rectangle.
fn runs(html: &mut Html, raster: &RasterPicture, level: usize) {
    for (row, shares) in raster.shares.chunks(raster.columns).take(raster.rows).enumerate() {
        let mut column = 0;
        while column < shares.len() {
            let length = shares[column..].iter().take_while(|share| level_of(**share) == Some(level)).count();
            if length > 0 {
                html.raw("M").whole(column).raw(" ").whole(row).raw("h").whole(length).raw("v1h-");
                html.whole(length).raw("z");
            }
            column += length.max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_rectangle_and_gaps_are_empty() {
        let raster = RasterPicture {
            rows: 1,
            columns: 4,
            shares: vec![1.0, 1.0, 0.0, 0.2],
            ..RasterPicture::default()
        };
        let mut html = Html::new();
        raster_chart(&mut html, &raster);
        let html = html.finish();
        assert!(html.contains("<path class=k8 d=\"M0 0h2v1h-2z\"/>"), "{html}");
        assert_eq!(html.matches("<path").count(), 2);
        assert_eq!((level_of(0.0), level_of(0.001), level_of(1.0)), (None, Some(1), Some(7)));
    }
}
