//! Doses of three and more drugs: the response and the synergy of each model as shaded tables side by side, one for
//! each combination of doses of the further drugs, and the curves of each drug alone.

use super::matrix::{heading, heat, response, score};
use crate::chart::{Shades, dose_chart, open_dose_svg};
use crate::html::Html;
use crate::pictures::PanelPicture;

pub(super) fn draw(html: &mut Html, picture: &PanelPicture) {
    if !picture.note.trim().is_empty() {
        html.raw("<p class=note>").text(&picture.note).raw("</p>");
    }
    html.raw("<h4>Inhibition, %</h4><div class=\"charts panels\">");
    for panel in &picture.panels {
        let title = format!("Inhibition, %, {}", panel.name);
        heat(html, &panel.matrix, [&title, &panel.name], Shades::Inhibition, &|cell| {
            response(&panel.matrix, cell)
        });
    }
    html.raw("</div>");
    for (at, (surface, is_scored)) in picture.surfaces().into_iter().enumerate() {
        heading(html, surface);
        if !is_scored {
            html.raw("<p class=note>No cell has a score.</p>");
            continue;
        }
        html.raw("<div class=\"charts panels\">");
        for (panel, own) in picture.scored(at) {
            let title = format!("Synergy by {}, percentage points, {}", surface.name, panel.name);
            heat(html, &panel.matrix, [&title, &panel.name], Shades::Synergy, &|cell| score(own, cell));
        }
        html.raw("</div>");
    }
    if picture.alone.is_empty() {
        return;
    }
    html.raw("<h4>Each drug alone</h4><div class=charts>");
    for alone in &picture.alone {
        html.raw("<figure>");
        open_dose_svg(html, alone);
        dose_chart(html, alone);
        html.raw("</svg></figure>");
    }
    html.raw("</div>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::{MatrixPicture, Panel, SurfacePicture};

    fn panel(name: &str, scores: [f64; 4]) -> Panel {
        let matrix = MatrixPicture {
            drugs: ["A".into(), "B".into()],
            doses: [vec![0.0, 1.0], vec![0.0, 2.0]],
            response: vec![0.0, 20.0, f64::NAN, 95.0],
            surfaces: vec![SurfacePicture {
                name: "HSA".into(),
                summary: "mean +12".into(),
                scores: scores.to_vec(),
                ..SurfacePicture::default()
            }],
            ..MatrixPicture::default()
        };
        Panel { name: name.into(), matrix }
    }

    fn drawn(panels: Vec<Panel>) -> String {
        let mut html = Html::new();
        draw(&mut html, &PanelPicture { panels, note: "two of nine".into(), ..PanelPicture::default() });
        html.finish()
    }

    #[test]
    fn every_dose_of_a_third_drug_has_its_tables() {
        const NONE: f64 = f64::NAN;
        let html = drawn(vec![panel("no <C>", [NONE; 4]), panel("<C> 3 µM", [NONE, 6.0, -6.0, 12.0])]);
        // Both have a response; a panel without a score has no table of scores.
        assert_eq!(html.matches("<table").count(), 3);
        assert!(html.contains("<caption>no &lt;C&gt;</caption>"), "{html}");
        assert!(html.contains("aria-label=\"Synergy by HSA, percentage points, &lt;C&gt; 3 µM\""), "{html}");
        // All panels share the axes, so doses without a score keep their positions.
        let scores = html.rsplit("<tbody>").next().unwrap();
        assert!(
            scores.starts_with("<tr><th scope=row>1<td class=c-s1>−6<td class=c-r2>+12<tr><th scope=row>0<td><td class=c-r1>+6"),
            "{scores}"
        );
        assert_eq!(html.matches("<small>mean +12</small>").count(), 1);
        assert!(html.contains("<p class=note>two of nine</p>"));
    }

    #[test]
    fn a_model_without_scores_says_so() {
        let html = drawn(vec![panel("C 1 µM", [f64::NAN; 4])]);
        assert!(html.contains("No cell has a score") && html.matches("<table").count() == 1, "{html}");
    }
}
